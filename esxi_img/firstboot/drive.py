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

"""Reads a config drive: one version's files, and what is odd about them."""

from dataclasses import dataclass
from dataclasses import field
import os
import stat
from typing import Dict
from typing import List
from typing import Mapping
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import fat
from . import iso9660
from . import packed
from . import versions
from .blocks import ALIGNMENT
from .blocks import Blocks
from .blocks import Memory
from .folder import Folder
from .model import Problem
from .versions import FILES
from .volume import candidates
from .volume import Damaged
from .volume import Entry
from .volume import shown
from .volume import Volume

LABEL = 'config-2'
MAX_FILE = 16 << 20
"""Bytes of any file but user_data, which may fill the drive."""


class Unreadable(Exception):
    """No config drive; one line says what was looked for, and where."""


@dataclass(frozen=True)
class Drive:
    """What a config drive holds.

    :param kind: of the volume: ``iso9660``, ``fat`` or ``folder``
    :param label: of the volume; a folder has none
    :param version: see :class:`versions.Place`
    :param files: content by name, which is one of FILES
    """

    kind: str
    label: Optional[str]
    version: Optional[str]
    files: Mapping[str, bytes] = field(repr=False)
    problems: Tuple[Problem, ...] = ()


def read(path: str) -> Drive:
    """The config drive in a folder, an image file or on a block device.

    The folder holds openstack/, is openstack/ or holds the files.  The image
    is ISO 9660 or FAT; a file may be packed with gzip, base64 or both.

    :raises Unreadable: there is none
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return of_volume(Folder(path))
        # A FIFO waits to be opened, another device may do something then.
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise Unreadable('neither a folder, a file nor a block device')
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return of_volume(volume_of(_blocks(fd)))
        finally:
            os.close(fd)
    except OSError as error:
        problem = error.strerror
    except (Damaged, Unreadable) as error:
        problem = str(error)
    raise Unreadable(f'no config drive: {ascii(path)}: {problem}')


def volume_of(blocks: Blocks) -> Volume:
    """The volume that starts at the first byte.

    :raises Damaged: it cannot be read
    :raises Unreadable: it is neither ISO 9660 nor FAT
    """
    # An ISO can carry a partition table, too.
    if iso9660.is_one(blocks):
        return iso9660.Iso9660(blocks)
    if fat.is_one(blocks):
        return fat.Fat(blocks)
    if _has_gpt(blocks):
        raise Unreadable('a disk with partitions, but neither an ISO 9660 '
                         'nor a FAT volume: name the partition')
    raise Unreadable('neither an ISO 9660 nor a FAT volume')


def of_volume(volume: Volume) -> Drive:
    """The config drive in a volume.

    :raises Unreadable: there is none in it
    """
    try:
        place = versions.choose(volume)
    except (Damaged, versions.Missing) as error:
        raise Unreadable(str(error)) from error
    files, problems = _files(volume, place.entries)
    return Drive(volume.kind, volume.label, place.version, files,
                 (*_of_label(volume), *place.problems, *problems))


def _blocks(fd: int) -> Blocks:
    head = os.pread(fd, ALIGNMENT, 0)
    if not head:
        raise Unreadable('is empty')
    if not packed.is_packed(head):
        return Blocks(fd)
    with open(fd, 'rb', closefd=False) as file:
        data = file.read(packed.MAX_PACKED + 1)
    if len(data) > packed.MAX_PACKED:
        raise Unreadable(f'has more than {packed.MAX_PACKED} packed bytes')
    return Memory(packed.unpack(data))


def _has_gpt(blocks: Blocks) -> bool:
    """Whether a GPT starts here, on sectors of either size."""
    try:
        return b'EFI PART' in (blocks.read(512, 8), blocks.read(4096, 8))
    except Damaged:
        return False


def _of_label(volume: Volume) -> List[Problem]:
    label = volume.label
    if volume.kind == 'folder' or label and label.lower() == LABEL:
        return []
    return [Problem('volume label', (
        f'is {shown(label) if label else "missing"}, not {LABEL}: a host '
        'would not find this drive'))]


def _files(volume: Volume, entries: Sequence[Entry]
           ) -> Tuple[Dict[str, bytes], List[Problem]]:
    """What can be read, and why the rest cannot."""
    found = {name: candidates(entries, name, False) for name in FILES}
    files, problems = {}, []
    for name, some in found.items():
        others = [other for other in FILES
                  if other != name and some and some[0] in found[other]]
        if len(some) > 1:
            problem = f'may be {_listed(some)}'
        elif others:
            problem = f'{_listed(some)} may as well be {others[0]}'
        elif some:
            limit = packed.MAX_DRIVE if name == 'user_data' else MAX_FILE
            try:
                files[name] = volume.read(some[0], limit)
                continue
            except Damaged as error:
                problem = str(error)
        else:
            continue
        problems.append(Problem(name, f'{problem}: left out'))
    return files, problems


def _listed(entries: Sequence[Entry]) -> str:
    some = [shown(entry.name) for entry in entries[:3]]
    return ' or '.join(some if len(entries) <= 3 else [*some, 'others'])
