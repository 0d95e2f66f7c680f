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

"""Ironic's conductor: what it makes of an image and of a config drive."""

import types
import typing
from unittest import mock
import uuid

from ironic.common import context
from ironic.common import exception
from ironic.common import images
from ironic.conductor import configdrive_utils
from ironic.conductor import task_manager
from ironic.conductor import utils
from ironic import conf
from ironic.drivers.modules import agent
from ironic.drivers.modules import deploy_utils
from ironic.drivers.modules.storage import noop
from ironic import objects
import pycdlib

from tests.functional import clients

conf.CONF([], project='ironic', default_config_files=[],
          default_config_dirs=[])
objects.register_all()


def inspect(path: str, disk_format: str) -> str:
    """The format that it finds; for images that it puts into its cache."""
    try:
        found = images.safety_check_image(path)
        images.check_if_image_format_is_permitted(found, disk_format)
    except exception.InvalidImage as error:
        raise clients.Refused(str(error)) from error
    return found


def deploy(instance_info: dict[str, str], configdrive: typing.Any = None,
           checked: bool = True) -> dict[str, typing.Any]:
    """The direct deploy interface, up to where the ramdisk is called.

    :param checked: unless the operator has set disable_configdrive_check
    :returns: the arguments of that call
    """
    task = _task({**instance_info})
    interface = agent.AgentDeploy()
    try:
        if configdrive and checked:
            configdrive = configdrive_utils.check_and_fix_configdrive(
                task, configdrive)
        if configdrive:
            task.node.set_instance_info('configdrive', configdrive)
        utils.update_image_type(task.context, task.node)
        interface.validate(task)
        task.node.instance_info = deploy_utils.build_instance_info_for_deploy(
            task)
        with mock.patch.object(agent.agent_client, 'get_client',
                               autospec=True), \
                mock.patch.object(agent.agent_base, 'execute_step',
                                  autospec=True) as step:
            interface.write_image(task)
    except (exception.IronicException,
            pycdlib.pycdlibexception.PyCdlibException) as error:
        raise clients.Refused(str(error)) from error
    (_, called, *_), _ = step.call_args
    return called['args']


def _task(instance_info: dict[str, str]) -> task_manager.TaskManager:
    """A node of no database, held exclusively."""
    task = mock.create_autospec(task_manager.TaskManager, instance=True)
    task.context = context.get_admin_context()
    task.driver = types.SimpleNamespace(
        boot=mock.Mock(), storage=noop.NoopStorage())
    task.shared, task.ports, task.portgroups = False, [], []
    task.node = objects.Node(
        task.context, uuid=str(uuid.uuid4()), name='node', driver_info={},
        driver_internal_info={}, instance_info=instance_info,
        instance_uuid=None, properties={'cpu_arch': 'x86_64'}, extra={},
        deploy_interface='direct', storage_interface='noop')
    return task


if __name__ == '__main__':
    clients.serve(inspect, deploy)
