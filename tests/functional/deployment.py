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

"""Images on the web, and Ironic, which writes them to disks.

The conductor's and the agent's own code run, see tests.functional.clients.
"""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import shutil
import tempfile
import typing

from tests.functional import clients
from tests.functional import command
from tests.functional import loop
from tests.functional import ramdisk

TOOLS = ('blkid', 'dd', 'findfs', 'genisoimage', 'lsblk', 'mkfs.vfat',
         'parted', 'partprobe', 'partx', 'qemu-img', 'sgdisk', 'udevadm',
         'wipefs')
"""What the agent calls."""
MIB = 1 << 20
ROOM = 65 * MIB
"""What Ironic needs behind an image, for the config drive."""

Info = dict[str, typing.Any]


class Image(typing.NamedTuple):
    """An image that the web has.

    :param url: of its file, and with .sha256 that of its sum
    :param instance_info: as esxi-img prints it; empty if there is none
    :param manifest: as esxi-img writes it beside the image
    """

    path: pathlib.Path
    url: str
    instance_info: dict[str, str]
    manifest: Info


@functools.cache
def published(*options: command.Word) -> Image:
    """An image of the sample ISO; made once in a process."""
    folder, url = _web()
    path = folder / f'{len(os.listdir(folder))}.img'
    url += path.name
    ironic = () if 'vmdk' in options else ('--instance-info', url)
    done = command.run(*options, *ironic, '--output', path, '--manifest',
                       command.sample())
    assert not done.code, done
    return Image(path, url, json.loads(done.stdout or '{}'), json.loads(
        path.with_name(f'{path.name}.json').read_bytes()))


@functools.cache
def _web() -> tuple[pathlib.Path, str]:
    """A folder, and its URL as long as this process lives."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='esxi-img-web-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = contextlib.ExitStack()
    url = server.enter_context(clients.served(folder))
    atexit.register(server.close)
    return folder, url


class Ironic:
    """For one test, which is skipped where it cannot be."""

    def __init__(self, test: command.TestCase) -> None:
        test.require(*TOOLS, *ramdisk.TOOLS)
        clients.require(test, 'ironic', 'ironic_python_agent')
        loop.require(test)
        self._folder = test.tmp()
        self.stack = contextlib.ExitStack()
        test.addCleanup(self.stack.close)

    def agent(self, *drivers: str) -> clients.Client:
        """A ramdisk whose kernel can mount these file systems."""
        agent = clients.Client('agent', self._folder, ramdisk.install(
            self._folder, drivers))
        self.stack.callback(agent.close)
        return agent

    @property
    def boot_entries(self) -> list[list[str]]:
        """What was asked of the firmware."""
        return ramdisk.boot_entries(self._folder)

    def task(self, info: Info | Image, configdrive: str | Info | None = None,
             **options: bool) -> Info:
        """What the conductor tells the agent to do.

        :param configdrive: packed, or what the conductor shall make it of
        """
        if isinstance(info, Image):
            info = info.instance_info
        return clients.shared('conductor')(
            'deploy', instance_info=info, configdrive=configdrive, **options)

    def disk(self, path: pathlib.Path, sector_size: int = 512,
             size: int | None = None) -> str:
        """A device for a file, until the test ends.

        :param size: of a new one, all zeros
        """
        if size is not None:
            with open(path, 'xb') as file:
                file.truncate(size)
        return self.stack.enter_context(loop.attached(path, sector_size))
