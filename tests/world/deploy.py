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

"""Puts an image and a config drive on a disk, as OpenStack's Ironic does."""

import collections.abc
import pathlib
import uuid

from tests.world import disk
from tests.world import machine

GENISOIMAGE = (
    'genisoimage', '-quiet', '-input-charset', 'utf-8', '-ldots',
    '-allow-lowercase', '-allow-multidot', '-l', '-publisher', 'OpenStack',
    '-J', '-r', '-V', 'config-2')
"""As Nova, Ironic and openstacksdk call it."""

_ROOM = 64 * disk.MIB


def write(on: machine.Machine, name: str, image: pathlib.Path,
          drive: bytes | None = None, guid: str | None = None) -> None:
    """Write an image to a disk, and a config drive behind it.

    All other bytes of the disk stay as they were.
    """
    path = on.path(f'/dev/disks/{name}')
    disk.copy(image, path)
    if drive is None:
        disk.fix(path)
        return
    before = disk.partitions(path)
    guid = guid or str(uuid.uuid4())
    if disk.sector_size(path) == 512:
        disk.tool('sgdisk', '-e', '-n', '0:-64MB:0', '-u', f'0:{guid}', path)
    else:
        # For sgdisk, a file has sectors of 512 bytes.
        number = max(before) + 1
        first = (path.stat().st_size - _ROOM) // disk.MIB - 1
        disk.fdisk(path, 4096, 'n', number, first * disk.MIB // 4096, '',
                   'x', 'u', number, guid, 'r')
    one, = (part for number, part in disk.partitions(path).items()
            if number not in before)
    assert len(drive) <= one.size, len(drive)
    with open(path, 'r+b') as file:
        file.seek(one.start)
        file.write(drive)


def iso(files: collections.abc.Mapping[str, bytes], folder: pathlib.Path
        ) -> bytes:
    """A config drive in ISO 9660.

    :param files: by path, as openstack/latest/meta_data.json
    :param folder: an empty one, to work in
    """
    result = folder / 'drive.iso'
    disk.tool(*GENISOIMAGE, '-o', result, _tree(files, folder))
    return result.read_bytes()


def vfat(files: collections.abc.Mapping[str, bytes], folder: pathlib.Path,
         sector: int = 4096) -> bytes:
    """A config drive in FAT, as it is made anew for disks of such sectors."""
    result = folder / 'drive.img'
    with open(result, 'wb') as file:
        file.truncate(_ROOM)
    disk.tool('mkfs.vfat', '-F', '16', '-S', sector, '-s',
              4096 // sector, '-n', 'CONFIG-2', result)
    disk.tool('mcopy', '-s', '-i', result,
              *sorted(_tree(files, folder).iterdir()), '::/')
    return result.read_bytes()


def _tree(files: collections.abc.Mapping[str, bytes], folder: pathlib.Path
          ) -> pathlib.Path:
    tree = folder / 'tree'
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tree
