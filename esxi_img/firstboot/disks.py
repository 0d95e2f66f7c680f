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

"""What the disks are, and which of them this image runs from."""

from dataclasses import dataclass
import os
import re
import stat
from typing import Dict
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import drive
from . import gpt
from .blocks import Blocks
from .gpt import Gpt
from .gpt import Partition
from .volume import Damaged

DISKS = 'dev/disks'
CDROMS = 'vmfs/devices/cdrom'

_PARTITION = re.compile(r':[0-9]+\Z')


@dataclass(frozen=True)
class Disk:
    """A disk, under whatever names.

    :param name: the preferred one, as in ``naa.600508b1001c4d6a``
    :param path: the device that has this name
    :param size: in bytes; 0 if there is an error
    :param aliases: its other names, the ``vml.`` ones last
    :param error: why it cannot be read
    """

    name: str
    path: str
    size: int = 0
    aliases: Tuple[str, ...] = ()
    model: str = ''
    error: Optional[str] = None


@dataclass(frozen=True)
class Seen:
    """What is on a disk.

    :param defect: why it is none that our image was written to; None: it
        could be
    :param drives: the partitions with a config drive; only where there is
        no defect
    :param problems: what is odd about its partitions, one line each
    """

    disk: Disk
    defect: Optional[str] = None
    gpt: Optional[Gpt] = None
    drives: Tuple[Partition, ...] = ()
    problems: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Ours:
    """The disk that our image runs from.

    :param found: None: nobody can tell
    :param reasons: why each disk is or is not the one, in the given order
    """

    found: Optional[Seen]
    reasons: Tuple[Tuple[Disk, str], ...] = ()


def disks(root: str = '/') -> List[Disk]:
    """The disks of this host by name, the unreadable ones included."""
    return _devices(os.path.join(root, DISKS))


def cdroms(root: str = '/') -> List[Disk]:
    """Its CD drives, an error in those without a medium."""
    return _devices(os.path.join(root, CDROMS))


def look(disk: Disk, disk_guid: str, partition_guid: str) -> Seen:
    """Whether our image was written to a disk, and a config drive.

    Reads the table, and only if that is ours the labels of its partitions.
    What no table names is nobody's: it may be left from an earlier life.

    :param disk_guid: of the image
    :param partition_guid: of the image's own partition
    """
    if disk.error:
        return Seen(disk, disk.error)
    try:
        fd = _opened(disk.path)
        try:
            return _seen(disk, fd, disk_guid.lower(), partition_guid.lower())
        finally:
            os.close(fd)
    except OSError as error:
        defect = f'cannot be read: {error.strerror}'
    except Damaged as error:
        defect = str(error)
    return Seen(disk, defect)


def ours(seen: Sequence[Seen]) -> Ours:
    """Which one it is: the only one without a defect.

    Our image may be on several: from an earlier try, or on another host's
    LUN.  Then it is the only one of them that has a config drive.
    """
    some = [one for one in seen if one.defect is None]
    if len(some) > 1:
        some = [one for one in some if one.drives]
    found = some[0] if len(some) == 1 else None
    return Ours(found, tuple((one.disk, _reason(one, found))
                             for one in seen))


def _reason(one: Seen, found: Optional[Seen]) -> str:
    if one.defect is not None:
        return one.defect
    if one is found:
        return ('our GUIDs, with a config drive' if one.drives else
                'our GUIDs, no config drive, no other disk has them')
    return ('our GUIDs and a config drive, as on another disk' if one.drives
            else 'our GUIDs, but no config drive')


def _devices(folder: str) -> List[Disk]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    devices: Dict[Tuple[object, ...], List[str]] = {}
    for name in names:
        if not _PARTITION.search(name):
            identity = _identity(os.path.join(folder, name))
            devices.setdefault(identity, []).append(name)
    found = [_disk(folder, sorted(some, key=_preference))
             for some in devices.values()]
    return sorted(found, key=lambda disk: disk.name)


def _identity(path: str) -> Tuple[object, ...]:
    """The same for two names of one device."""
    try:
        facts = os.stat(path)
    except OSError:
        return (path,)
    if stat.S_ISBLK(facts.st_mode) or stat.S_ISCHR(facts.st_mode):
        return stat.S_IFMT(facts.st_mode), facts.st_rdev
    # ESXi shows disks as plain files.  Should it give them no numbers of
    # their own, none may be lost in another.
    if facts.st_ino:
        return facts.st_dev, facts.st_ino, facts.st_size
    return (os.path.realpath(path),)


def _preference(name: str) -> Tuple[bool, int, str]:
    return name.startswith('vml.'), len(name), name


def _disk(folder: str, names: Sequence[str]) -> Disk:
    """:param names: of one device, the preferred one first"""
    name, *aliases = names
    path = os.path.join(folder, name)
    size, problem = 0, None
    try:
        fd = _opened(path)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
        finally:
            os.close(fd)
    except OSError as error:
        problem = f'cannot be read: {error.strerror}'
    except Damaged as error:
        problem = str(error)
    return Disk(name, path, size, tuple(aliases), error=problem)


def _opened(path: str) -> int:
    """A descriptor to read from.

    :raises Damaged: what is there cannot be a disk
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode)):
        raise Damaged('neither a device nor a file')
    # A character device could wait for somebody.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def _seen(disk: Disk, fd: int, disk_guid: str, partition_guid: str) -> Seen:
    """:raises Damaged: there is no table to be read"""
    table = gpt.read(Blocks(fd), disk.size)
    defect = _defect(table, disk_guid, partition_guid)
    if defect:
        return Seen(disk, defect, table, (), table.problems)
    drives, problems = [], list(table.problems)
    for one in table.partitions:
        if one.guid == partition_guid:
            continue
        try:
            if _is_drive(Blocks(fd, one.size, one.start)):
                drives.append(one)
        except Damaged as error:
            problems.append(f'partition {one.number}: {error}')
    return Seen(disk, None, table, tuple(drives), tuple(problems))


def _defect(table: Gpt, disk_guid: str, partition_guid: str
            ) -> Optional[str]:
    if table.disk_guid != disk_guid:
        return f'another disk GUID, {table.disk_guid}'
    if partition_guid not in [one.guid for one in table.partitions]:
        return f'our disk GUID, but no partition {partition_guid}'
    return None


def _is_drive(blocks: Blocks) -> bool:
    """:raises Damaged: a volume that cannot be read"""
    try:
        label = drive.volume_of(blocks).label
    except drive.Unreadable:
        return False
    return label is not None and label.lower() == drive.LABEL
