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

import contextlib
from dataclasses import dataclass
import os
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import blocks
from . import disks
from . import drive
from . import gpt
from . import model
from . import volume
from .drive import Drive
from .running import Run

# What scrub.py leaves of a drive; shorter than any sector.
MARK = b'esxi-img: this config drive was consumed\n'

_MOUNT = '/vmkModules/iso9660/mount'
_UMOUNT = '/vmkModules/iso9660/umount'
_SECONDS = 30.0
# The type of the image's own partition (UEFI 2.10, table 5.7).
_EFI_SYSTEM = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'


@dataclass(frozen=True)
class Source:
    """Where a drive's bytes are.

    :param path: of the whole disk
    :param name: of the partition, or of the CD drive
    :param partition: None: a whole CD
    """

    path: str
    name: str
    partition: Optional[gpt.Partition] = None


@dataclass(frozen=True)
class Found:
    """A drive and where it is.

    :param drive: None: there is none
    :param source: of the drive; with a partition, it should be overwritten
    :param consumed: there was one, and it was installed from
    """

    drive: Optional[Drive] = None
    source: Optional[Source] = None
    consumed: bool = False
    problems: Tuple[model.Problem, ...] = ()


def find(ours: Optional[disks.Seen], cds: Sequence[disks.Disk], run: Run,
         volumes: str) -> Found:
    """Look on our own disk, then in the CD drives.

    :param ours: the disk of the image
    :param volumes: the folder where the kernel mounts them
    """
    problems: List[model.Problem] = []
    sources = [_source(ours.disk, one) for one in ours.drives] if ours else []
    for source in sources:
        found = _read(source, run, volumes, problems)
        if found:
            problems += [model.Problem(
                other.name, f'another config drive; {source.name} counts')
                for other in sources if other is not source]
            return Found(found, source, False, tuple(problems))
    if ours and not sources:
        if _consumed(ours):
            return Found(consumed=True)
        for source in _others(ours):
            some: List[model.Problem] = []
            found = _read(source, run, volumes, some)
            if found:
                return Found(found, source, False, tuple(some))
    for cd in cds:
        source = Source(cd.path, cd.name)
        found = None if cd.error else _read(source, run, volumes, [])
        if found:
            return Found(found, source, False, tuple(problems))
    return Found(problems=tuple(problems))


def strangers(one: disks.Seen) -> List[str]:
    """Config drives on a disk that is not ours, by partition; to report."""
    sources = [_source(one.disk, part) for part in one.gpt.partitions] \
        if one.gpt else [Source(one.disk.path, one.disk.name)]
    return [source.name for source in sources if _is_drive(source)]


@contextlib.contextmanager
def opened(source: Source) -> Iterator[blocks.Blocks]:
    """The bytes of a source.

    :raises OSError: it cannot be opened
    """
    fd = os.open(source.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        part = source.partition
        yield blocks.Blocks(fd, part.size, part.start) if part else \
            blocks.Blocks(fd)
    finally:
        os.close(fd)


def _source(disk: disks.Disk, part: gpt.Partition) -> Source:
    return Source(disk.path, f'{disk.name}:{part.number}', part)


def _others(ours: disks.Seen) -> List[Source]:
    """Partitions that we take for no drive; the kernel may know better."""
    return [_source(ours.disk, one)
            for one in (ours.gpt.partitions if ours.gpt else ())
            if one.type_guid != _EFI_SYSTEM]


def _consumed(ours: disks.Seen) -> bool:
    return any(_is_marked(_source(ours.disk, one))
               for one in (ours.gpt.partitions if ours.gpt else ()))


def _is_marked(source: Source) -> bool:
    try:
        with opened(source) as bytes_:
            return bytes_.read(0, len(MARK)) == MARK
    except (OSError, volume.Damaged):
        return False


def _is_drive(source: Source) -> bool:
    try:
        with opened(source) as bytes_:
            return _is_labelled(drive.volume_of(bytes_).label)
    except (OSError, volume.Damaged, drive.Unreadable):
        return False


def _is_labelled(label: Optional[str]) -> bool:
    return label is not None and label.lower() == drive.LABEL


def _read(source: Source, run: Run, volumes: str,
          problems: List[model.Problem]) -> Optional[Drive]:
    """The kernel's way first, as it is proven; ours tells whether it lies.

    The kernel's own reader knows no FAT and no disk of 4096-byte sectors.
    """
    mounted = _mounted(source, run, volumes, problems)
    try:
        raw = _raw(source)
    except (OSError, volume.Damaged, drive.Unreadable) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problems.append(model.Problem(source.name, f'{reason}' + (
            '; what the kernel reads counts' if mounted else '')))
        return mounted
    if mounted and dict(mounted.files) != dict(raw.files):
        problems.append(model.Problem(
            source.name, 'the kernel reads another config drive than the '
            'device holds; the device counts'))
    return raw


def _raw(source: Source) -> Drive:
    """:raises OSError, Damaged, Unreadable: there is none"""
    with opened(source) as bytes_:
        found = drive.volume_of(bytes_)
        if not _is_labelled(found.label):
            raise drive.Unreadable(f'its label is not {drive.LABEL}')
        return drive.of_volume(found)


def _mounted(source: Source, run: Run, volumes: str,
             problems: List[model.Problem]) -> Optional[Drive]:
    """What the kernel's iso9660 module makes of it.

    Source: in production as esxi-img 0.2 and esxi-cloud-init.
    """
    if _folders(volumes):
        # Mounted by somebody else, from wherever.
        return None
    # It may be loaded already, which is an error.
    run(('localcli', 'system', 'module', 'load', '--module', 'iso9660'),
        _SECONDS)
    done = run(('vsish', '-e', 'set', _MOUNT, source.name), _SECONDS)
    if done.status not in (0, None):
        return None
    try:
        return next((drive.read(path) for path in _folders(volumes)), None)
    except drive.Unreadable:
        return None
    finally:
        run(('vsish', '-e', 'set', _UMOUNT, source.name), _SECONDS)
        if _folders(volumes):
            problems.append(model.Problem(
                source.name, 'is still mounted; the installer may find its '
                'disk busy'))


def _folders(volumes: str) -> List[str]:
    try:
        names = sorted(os.listdir(volumes))
    except OSError:
        return []
    return [os.path.join(volumes, name) for name in names
            if name.lower() == drive.LABEL]
