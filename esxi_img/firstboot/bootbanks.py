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
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Set

from . import blocks
from . import disks
from . import drive
from . import gpt
from . import place
from . import volume
from .running import Run

_CONFIG = 'boot.cfg'
_SECONDS = 60.0
_SPANNED = re.compile(r'^\s*(\S+):[0-9]+\s*$', re.MULTILINE)
_HEADING = 'Partitions spanned'


@dataclass(frozen=True)
class Bank:
    """A bootbank.

    :param folder: where its volume is mounted
    :param config: its boot.cfg
    """

    folder: str
    config: bytes


def table_of(disk: disks.Disk) -> Optional[gpt.Gpt]:
    """The partition table of a disk; None: there is no sound one."""
    try:
        fd = os.open(disk.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return gpt.read(blocks.Blocks(fd), disk.size)
    except volume.Damaged:
        return None
    finally:
        os.close(fd)


def fingerprint(table: Optional[gpt.Gpt]) -> Optional[str]:
    """A text that tells a table from any other one.

    Not the GUID of the disk alone: nobody says that the installer changes
    it where it preserves a datastore.
    """
    return None if table is None else ' '.join((table.disk_guid, *(
        f'{one.number}:{one.guid}:{one.start}:{one.size}'
        for one in table.partitions)))


def of_disk(disk: disks.Disk, run: Run, volumes: str) -> List[Bank]:
    """The bootbanks on a disk that ESXi can start from.

    :param volumes: the folder where they are mounted
    """
    names = {disk.name, *disk.aliases}
    found, doubtful = [], []
    for bank in _mounted(volumes):
        spanned = _spanned(bank.folder, run)
        if spanned is None:
            doubtful.append(bank)
        elif spanned & names:
            found.append(bank)
    return found or _by_content(disk, doubtful)


def _mounted(volumes: str) -> Iterator[Bank]:
    """Volumes with modules to start, each once: their labels are links."""
    try:
        names = sorted(os.listdir(volumes))
    except OSError:
        return
    within = os.path.realpath(volumes)
    folders = dict.fromkeys(os.path.realpath(os.path.join(volumes, name))
                            for name in names)
    for folder in folders:
        path = os.path.join(folder, _CONFIG)
        if os.path.dirname(folder) != within or os.path.islink(path):
            continue
        config = place.read(path)
        # The other bank of a new ESXi is empty.
        if config is not None and _value(config, b'modules'):
            yield Bank(folder, config)


def _line(config: bytes, key: bytes) -> 'Optional[re.Match[bytes]]':
    """The last line that gives a key: up to the value, and the value.

    As the loader reads it (esx-boot, bootlib/parse.c): blanks may stand
    before the key and behind the equals sign.
    """
    found = None
    for found in re.finditer(
            br'^([ \t]*' + key + br'=[ \t]*)([^\r\n]*)', config,
            re.MULTILINE):
        pass
    return found


def _value(config: bytes, key: bytes) -> bytes:
    found = _line(config, key)
    return found.group(2).strip() if found else b''


def _spanned(folder: str, run: Run) -> Optional[Set[str]]:
    """The disks of a volume; None if nobody says.

    vmkfstools prints them below 'Partitions spanned (on "disks")'.
    """
    answer = run(('vmkfstools', '-P', folder), _SECONDS)
    told = answer.output.partition(_HEADING)[2]
    found = {match.group(1) for match in _SPANNED.finditer(told)}
    return found if answer.status == 0 and found else None


def _by_content(disk: disks.Disk, banks: Sequence[Bank]) -> List[Bank]:
    """Banks whose boot.cfg is on this disk, and on no other volume."""
    configs = [bank.config for bank in banks]
    there = _configs(disk) if banks else []
    return [bank for bank in banks
            if bank.config in there and configs.count(bank.config) == 1]


def _configs(disk: disks.Disk) -> List[bytes]:
    table = table_of(disk)
    found: List[bytes] = []
    try:
        fd = os.open(disk.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return found
    try:
        for part in table.partitions if table else ():
            config = _config(blocks.Blocks(fd, part.size, part.start))
            if config is not None:
                found.append(config)
    finally:
        os.close(fd)
    return found


def _config(partition: blocks.Blocks) -> Optional[bytes]:
    """The boot.cfg of a FAT volume; None: there is none."""
    try:
        fat = drive.volume_of(partition)
        entry = volume.find(fat.entries(), _CONFIG, False)
        return fat.read(entry, place.LIMIT) if entry else None
    except (volume.Damaged, drive.Unreadable):
        return None


def with_options(config: bytes, words: Sequence[str]) -> bytes:
    """boot.cfg with more kernel options; the rest stays byte for byte.

    An option that is there with another value is replaced.

    :param words: ``KEY=VALUE`` or ``WORD``, printable ASCII without blanks
    """
    if not words:
        return config
    wanted = [word.encode('ascii') for word in words]
    found = _line(config, b'kernelopt')
    if found:
        return b''.join((config[:found.start(2)],
                         b' '.join(_merged(found.group(2).split(), wanted)),
                         config[found.end(2):]))
    end = b'\r\n' if b'\r\n' in config else b'\n'
    if config and not config.endswith((b'\r', b'\n')):
        config += end
    return config + b'kernelopt=' + b' '.join(wanted) + end


def _merged(given: Sequence[bytes], words: Sequence[bytes]) -> List[bytes]:
    keys: Dict[bytes, None] = dict.fromkeys(map(_key, words))
    return [word for word in given if _key(word) not in keys] + list(words)


def _key(word: bytes) -> bytes:
    return word.partition(b'=')[0]
