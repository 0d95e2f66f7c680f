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

"""The bootbanks that the installer has just made.

A disk may hold an older ESXi with volumes of the same names, so a bootbank
counts by the partition that its volume spans.
"""

from dataclasses import dataclass
import os
import re
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import blocks
from . import disks
from . import drive
from . import gpt
from . import place
from . import volume
from .running import Run

_SECONDS = 60.0
_SPANNED = re.compile(r'^\s*(\S+):([0-9]+)\s*$', re.MULTILINE)
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Bank:
    """A bootbank.

    :param folder: where its volume is mounted
    :param config: its boot.cfg
    """

    folder: str
    config: bytes


def of_disk(disk: disks.Disk, run: Run) -> List[Bank]:
    """The bootbanks on a disk that ESXi can start from."""
    names = {disk.name, *disk.aliases}
    found, doubtful = [], []
    for bank in _mounted():
        if b'onetime.tgz' not in bank.config and not _modules(bank.config):
            continue
        spanned = _spanned(bank.folder, run)
        if spanned is None:
            doubtful.append(bank)
        elif spanned & names:
            found.append(bank)
    return found or _by_content(disk, doubtful)


def _mounted() -> Iterator[Bank]:
    """Volumes with a boot.cfg, each once: their labels are links to them."""
    try:
        names = sorted(os.listdir(place.VOLUMES))
    except OSError:
        return
    seen = set()
    for name in names:
        folder = os.path.realpath(os.path.join(place.VOLUMES, name))
        config = place.read(os.path.join(folder, 'boot.cfg'))
        if folder not in seen and config is not None:
            seen.add(folder)
            yield Bank(folder, config)


def _modules(config: bytes) -> bool:
    return any(line.startswith(b'modules=') and line[8:].strip()
               for line in config.splitlines())


def _spanned(folder: str, run: Run) -> Optional[set]:
    """The disks of a volume; None if nobody says.

    vmkfstools prints them below 'Partitions spanned (on "disks")'.
    """
    answer = run(('vmkfstools', '-P', folder), _SECONDS)
    found = {match.group(1) for match in _SPANNED.finditer(answer.output)}
    return found if answer.status == 0 and found else None


def _by_content(disk: disks.Disk, banks: Sequence[Bank]) -> List[Bank]:
    """Banks whose boot.cfg is on this disk, and on no other volume."""
    configs = [bank.config for bank in banks]
    there = _configs(disk)
    return [bank for bank in banks
            if bank.config in there and configs.count(bank.config) == 1]


def _configs(disk: disks.Disk) -> Tuple[bytes, ...]:
    found = []
    try:
        fd = os.open(disk.path, os.O_RDONLY)
    except OSError:
        return ()
    try:
        for part in gpt.read(blocks.Blocks(fd), disk.size).partitions:
            try:
                fat = drive.volume_of(
                    blocks.Blocks(fd, part.size, part.start))
                entry = volume.find(fat.entries(), 'boot.cfg', False)
                if entry:
                    found.append(fat.read(entry, _LARGEST))
            except (volume.Damaged, drive.Unreadable):
                continue
    except volume.Damaged:
        pass
    finally:
        os.close(fd)
    return tuple(found)


def with_options(config: bytes, words: Sequence[str]) -> bytes:
    """boot.cfg with more kernel options; the rest stays byte for byte.

    An option that is there with another value is replaced.

    :param words: ``KEY=VALUE`` or ``WORD``, printable ASCII without blanks
    """
    lines = config.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.startswith(b'kernelopt='):
            end = line[len(line.rstrip(b'\r\n')):]
            given = line[len(b'kernelopt='):].decode('utf-8', 'replace')
            lines[index] = b'kernelopt=' + ' '.join(
                _merged(given.split(), words)).encode() + end
            return b''.join(lines)
    return b''.join([f'kernelopt={" ".join(words)}\n'.encode(), *lines])


def _merged(given: Sequence[str], words: Sequence[str]) -> List[str]:
    keys = {word.partition('=')[0] for word in words}
    return [word for word in given
            if word.partition('=')[0] not in keys] + list(words)
