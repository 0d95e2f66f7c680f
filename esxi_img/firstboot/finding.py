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

"""The config drive of this host, and no other one.

It is a partition in the table of the disk that the image was written to, or
else a CD.  A config-2 anywhere else is left from another life.
"""

from dataclasses import dataclass
import os
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import blocks
from . import disks
from . import drive
from . import model
from . import place
from . import volume
from .drive import Drive
from .running import Run

# What scrub.py leaves of a drive.
MARK = b'esxi-img: this config drive was consumed\n'

_MOUNT = '/vmkModules/iso9660/mount'
_UMOUNT = '/vmkModules/iso9660/umount'
_SECONDS = 60.0


@dataclass(frozen=True)
class Source:
    """Where a drive's bytes are.

    :param path: of the whole disk
    :param name: of the partition, or of the CD drive
    :param start: of the partition on the disk, in bytes
    :param size: None for all of a CD
    """

    path: str
    name: str
    start: int = 0
    size: Optional[int] = None


@dataclass(frozen=True)
class Found:
    """A drive and where it is.

    :param drive: None: there is none
    :param on_disk: it can be, and should be, overwritten
    :param consumed: there was one, and it was installed from
    """

    drive: Optional[Drive] = None
    source: Optional[Source] = None
    on_disk: bool = False
    consumed: bool = False
    problems: Tuple[model.Problem, ...] = ()


def find(ours: Optional[disks.Seen], cds: Sequence[disks.Disk], run: Run
         ) -> Found:
    """Look on our own disk, then in the CD drives.

    :param ours: the disk of the image
    """
    problems: List[model.Problem] = []
    sources = _partitions(ours) if ours else []
    for source in sources[1:]:
        problems.append(model.Problem(
            source.name, f'a second config drive; {sources[0].name} counts'))
    for source in sources:
        found = _read(source, run, problems)
        if found:
            return Found(found, source, True, False, tuple(problems))
    if ours and not sources and _consumed(ours):
        return Found(consumed=True, problems=tuple(problems))
    for cd in cds:
        source = Source(cd.path, cd.name)
        found = None if cd.error else _read(source, run, [])
        if found:
            return Found(found, source, False, False, tuple(problems))
    return Found(problems=tuple(problems))


def _partitions(ours: disks.Seen) -> List[Source]:
    return [Source(ours.disk.path, f'{ours.disk.name}:{one.number}',
                   one.start, one.size) for one in ours.drives]


def _consumed(ours: disks.Seen) -> bool:
    for one in ours.gpt.partitions if ours.gpt else ():
        try:
            if _bytes(Source(ours.disk.path, '', one.start, one.size),
                      len(MARK)) == MARK:
                return True
        except (OSError, volume.Damaged):
            pass
    return False


def _bytes(source: Source, length: int) -> bytes:
    fd = os.open(source.path, os.O_RDONLY)
    try:
        return blocks.Blocks(fd, source.size, source.start).read(0, length)
    finally:
        os.close(fd)


def _read(source: Source, run: Run, problems: List[model.Problem]
          ) -> Optional[drive.Drive]:
    """The kernel's way first, as it is proven; ours tells whether it lies.

    The kernel's own reader knows no FAT and no disk of 4096-byte sectors.
    """
    mounted = _mounted(source, run)
    try:
        raw = _raw(source)
    except (OSError, volume.Damaged, drive.Unreadable) as error:
        if not mounted:
            problems.append(model.Problem(source.name, f'{error}'))
        return mounted
    if mounted and dict(mounted.files) == dict(raw.files):
        return mounted
    if mounted:
        problems.append(model.Problem(
            source.name, 'the kernel reads another config drive than the '
            'partition holds; the partition counts'))
    return raw


def _raw(source: Source) -> drive.Drive:
    fd = os.open(source.path, os.O_RDONLY)
    try:
        return drive.of_volume(drive.volume_of(
            blocks.Blocks(fd, source.size, source.start)))
    finally:
        os.close(fd)


def _mounted(source: Source, run: Run) -> Optional[drive.Drive]:
    """What the kernel's iso9660 module makes of it.

    Source: in production as esxi-img 0.2 and esxi-cloud-init.
    """
    before = _volumes()
    # It may be loaded already, which is an error.
    run(('localcli', 'system', 'module', 'load', '--module', 'iso9660'),
        _SECONDS)
    if before or run(('vsish', '-e', 'set', _MOUNT, source.name),
                     _SECONDS).status != 0:
        return None
    try:
        return next((drive.read(path) for path in _volumes()), None)
    except drive.Unreadable:
        return None
    finally:
        run(('vsish', '-e', 'set', _UMOUNT, source.name), _SECONDS)


def _volumes() -> List[str]:
    try:
        names = sorted(os.listdir(place.VOLUMES))
    except OSError:
        return []
    return [os.path.join(place.VOLUMES, name) for name in names
            if name.lower() == 'config-2']


def strangers(one: disks.Seen) -> List[str]:
    """Config drives on a disk that is not ours, by partition; to report."""
    found = []
    for part in one.gpt.partitions if one.gpt else ():
        source = Source(one.disk.path, f'{one.disk.name}:{part.number}',
                        part.start, part.size)
        try:
            fd = os.open(source.path, os.O_RDONLY)
            try:
                label = drive.volume_of(blocks.Blocks(
                    fd, part.size, part.start)).label
            finally:
                os.close(fd)
        except (OSError, volume.Damaged, drive.Unreadable):
            continue
        if label and label.lower() == drive.LABEL:
            found.append(source.name)
    return found
