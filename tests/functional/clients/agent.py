#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""ironic-python-agent: the ramdisk that writes an image to a disk."""

import random
import typing
from unittest import mock

# First, as the others read its options when they are imported.
from ironic_python_agent import config
from ironic_python_agent import disk_utils
from ironic_python_agent import efi_utils
from ironic_python_agent import errors
from ironic_python_agent.extensions import standby
from ironic_python_agent import hardware

from tests.functional import clients

config.CONF([], project='ironic-python-agent', default_config_files=[],
            default_config_dirs=[])
# By default it tries nine times more, every ten seconds.
config.CONF.set_override('image_download_connection_retries', 0)


def inspect(path: str, disk_format: str) -> list[typing.Any]:
    """The format, and the size when written, of an image that it cached."""
    try:
        return [*disk_utils.get_and_validate_image_format(path, disk_format)]
    except errors.InvalidImage as error:
        raise clients.Refused(str(error)) from error


def prepare(device: str, image_info: dict[str, typing.Any],
            configdrive: str | None = None, rebuild: bool = False) -> str:
    """Write an image and a config drive to a disk.

    :param rebuild: the drive is made anew, as an operator may want it
    """
    config.CONF.set_override('config_drive_rebuild', rebuild)
    # It would not install on a loop device.  And partx, which finds the
    # partitions added already, is tried again after up to two seconds.
    answers = {'get_os_install_device': device}
    with mock.patch.object(hardware, 'dispatch_to_managers',
                           lambda method, **_: answers[method]), \
            mock.patch.object(random, 'randint', autospec=True,
                              return_value=0):
        try:
            done = standby.StandbyExtension().prepare_image(
                image_info=image_info, configdrive=configdrive)
        except errors.InvalidCommandParamsError as error:
            raise clients.Refused(str(error)) from error
        done.join()
    if done.command_error:
        raise clients.Refused(str(done.command_error))
    return done.command_result['result']


def boot(device: str) -> bool:
    """Enter the loaders of a disk into the firmware."""
    with mock.patch.object(random, 'randint', autospec=True, return_value=0):
        return efi_utils.manage_uefi(device)


if __name__ == '__main__':
    clients.serve(inspect, prepare, boot)
