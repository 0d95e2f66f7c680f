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

"""Reads a GUID partition table (UEFI 2.10, chapter 5)."""

import binascii
from dataclasses import dataclass
import struct
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from .blocks import Blocks
from .volume import Damaged

SECTOR_SIZES = (512, 4096)
MAX_ENTRIES = 1024
MAX_ENTRY_SIZE = 4096

_SIGNATURE = b'EFI PART'
_HEADER = struct.Struct('<8s4xLL4xQQ16x16sQLLL')
_ENTRY = struct.Struct('<16s16sQQQ72s')
_GUID = struct.Struct('<LHH2s6s')
_UNUSED = bytes(16)


@dataclass(frozen=True)
class Partition:
    """A partition.

    :param number: counted from 1, as in ``NAME:2``
    :param type_guid: in lower case, as is ``guid``
    :param start: its first byte on the disk
    :param size: in bytes
    """

    number: int
    type_guid: str
    guid: str
    start: int
    size: int
    name: str
    attributes: int


@dataclass(frozen=True)
class Gpt:
    """A partition table.

    :param sector_size: 512 or 4096
    :param disk_guid: in lower case
    :param partitions: by number; none overlaps another
    :param problems: what is odd about it, one line each
    """

    sector_size: int
    disk_guid: str
    partitions: Tuple[Partition, ...]
    problems: Tuple[str, ...] = ()


class _Header(NamedTuple):
    """What a header says, table 5.5; its place is known."""

    signature: bytes
    size: int
    checksum: int
    own_lba: int
    other_lba: int
    disk_guid: bytes
    entries_lba: int
    entries: int
    entry_size: int
    entries_checksum: int


def read(blocks: Blocks, size: int) -> Gpt:
    """The table of a disk of that many bytes.

    That of the primary header, else that of the backup.  Whoever writes an
    image onto a larger disk leaves the backup where the image ended.

    :raises Damaged: neither is sound
    """
    problems: List[str] = []
    for which, sector, lba in _places(blocks, size):
        try:
            header = _header(blocks, sector, lba)
            if not header:
                continue
            entries = _entries(blocks, header, sector, size)
        except Damaged as error:
            problems.append(f'GPT: {which} header: {error}')
            continue
        last = size // sector - 1
        if which == 'backup':
            problems.append(f'GPT: only the backup at LBA {lba} is sound')
        elif header.other_lba != last:
            problems.append(f'GPT: the backup is at LBA {header.other_lba}, '
                            f'but the disk ends with LBA {last}')
        partitions = _partitions(header, entries, sector, size, problems)
        return Gpt(sector, _guid(header.disk_guid), partitions,
                   tuple(dict.fromkeys(problems)))
    raise Damaged('; '.join(dict.fromkeys(problems)) or 'no GPT')


def _places(blocks: Blocks, size: int) -> Iterator[Tuple[str, int, int]]:
    """Where headers may be: which one, sector size and LBA."""
    sectors = [sector for sector in SECTOR_SIZES if size >= 2 * sector]
    for sector in sectors:
        yield 'primary', sector, 1
    # All that is at the front before anything at the end.
    named = [_named(blocks, sector) for sector in sectors]
    for sector, lba in zip(sectors, named):
        last = size // sector - 1
        if 1 < lba < last:
            yield 'backup', sector, lba
        yield 'backup', sector, last


def _named(blocks: Blocks, sector: int) -> int:
    """The backup's LBA by the primary header, sound or not; 0: none."""
    try:
        header = _unpacked(blocks, sector, 1)
    except Damaged:
        return 0
    return header.other_lba if header else 0


def _unpacked(blocks: Blocks, sector: int, lba: int) -> Optional[_Header]:
    """What is there, sound or not; None: no header.

    :raises Damaged: it cannot be read
    """
    header = _Header(*_HEADER.unpack(blocks.read(lba * sector, _HEADER.size)))
    return header if header.signature == _SIGNATURE else None


def _header(blocks: Blocks, sector: int, lba: int) -> Optional[_Header]:
    """The sound header there; None: none at all.

    :raises Damaged: it is not sound
    """
    header = _unpacked(blocks, sector, lba)
    if not header:
        return None
    if not _HEADER.size <= header.size <= sector:
        raise Damaged(f'a size of {header.size} bytes')
    data = blocks.read(lba * sector, header.size)
    if header.checksum != binascii.crc32(data[:16] + bytes(4) + data[20:]):
        raise Damaged('a wrong checksum')
    if header.own_lba != lba:
        raise Damaged(f'is at LBA {lba}, but says {header.own_lba}')
    return header


def _entries(blocks: Blocks, header: _Header, sector: int, size: int
             ) -> bytes:
    """The sound array of entries.

    :raises Damaged: it is not
    """
    width = header.entry_size
    if (not 0 < header.entries <= MAX_ENTRIES or width & (width - 1)
            or not _ENTRY.size <= width <= MAX_ENTRY_SIZE):
        raise Damaged(f'{header.entries} entries of {width} bytes')
    start, length = header.entries_lba * sector, header.entries * width
    if start + length > size:
        raise Damaged(f'its entries at LBA {header.entries_lba} lie outside '
                      'the disk')
    entries = blocks.read(start, length)
    if header.entries_checksum != binascii.crc32(entries):
        raise Damaged('its entries have a wrong checksum')
    return entries


def _partitions(header: _Header, entries: bytes, sector: int, size: int,
                problems: List[str]) -> Tuple[Partition, ...]:
    """The entries in use, as far as they make sense."""
    found: List[Partition] = []
    for index in range(header.entries):
        kind, guid, first, last, attributes, name = _ENTRY.unpack_from(
            entries, index * header.entry_size)
        if kind == _UNUSED:
            continue
        one = Partition(
            index + 1, _guid(kind), _guid(guid), first * sector,
            (last - first + 1) * sector,
            name.decode('utf-16-le', 'replace').split('\0')[0], attributes)
        # The table itself starts at LBA 1.
        if not 1 < first <= last < size // sector:
            problem = 'lies outside the disk'
        else:
            problem = _overlap(one, found)
        if problem:
            problems.append(f'GPT: partition {one.number} from LBA {first} '
                            f'to {last} {problem}: left out')
        else:
            found.append(one)
    return tuple(found)


def _overlap(one: Partition, others: List[Partition]) -> str:
    """With which of the others it overlaps; empty: with none."""
    for other in others:
        if (one.start < other.start + other.size
                and other.start < one.start + one.size):
            return f'overlaps partition {other.number}'
    return ''


def _guid(data: bytes) -> str:
    """As text; the first three of its fields are little-endian."""
    low, middle, high, clock, node = _GUID.unpack(data)
    return f'{low:08x}-{middle:04x}-{high:04x}-{clock.hex()}-{node.hex()}'
