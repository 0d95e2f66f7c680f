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

"""Reads an ISO 9660 volume (ECMA-119)."""

import struct
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Optional

from . import isonames
from .blocks import Blocks
from .volume import check_size
from .volume import Damaged
from .volume import Entry
from .volume import Volume

SECTOR = 2048
"""Bytes: no directory record crosses the end of one."""
FIRST_DESCRIPTOR = 16 * SECTOR
MAX_DESCRIPTORS = 32
"""Real ones: primary, Joliet, boot record, terminator."""
LEAST_CHARGE = 64
"""Bytes that even the smallest read counts for: it bounds their number."""

_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_JOLIET = (b'%/@', b'%/C', b'%/E')
_DIRECTORY, _ASSOCIATED, _MULTI_EXTENT = 0x02, 0x04, 0x80
_SELF, _PARENT = b'\x01\x00', b'\x01\x01'
_RECORD = struct.Struct('<BBL4xL4x7xBBB')


class _Place(NamedTuple):
    """Where an entry's bytes are.

    :param odd: what it is instead, if they are not its content
    """

    offset: int
    length: int
    odd: Optional[str] = None


def is_one(blocks: Blocks) -> bool:
    """Whether an ISO 9660 volume starts here."""
    try:
        return blocks.read(FIRST_DESCRIPTOR + 1, 5) == b'CD001'
    except Damaged:
        return False


class Iso9660(Volume):
    """Its names are Rock Ridge's, else Joliet's, else the plain ones.

    :raises Damaged: no sound volume
    """

    kind = 'iso9660'

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        self._blocks = blocks
        descriptors = self._descriptors()
        primary = next((descriptor for descriptor in descriptors
                        if descriptor[0] == _PRIMARY), None)
        if primary is None:
            raise Damaged('ISO 9660: no primary volume descriptor')
        self._block_size = int.from_bytes(primary[128:130], 'little')
        if self._block_size not in (512, 1024, 2048):
            raise Damaged(f'ISO 9660: a block of {self._block_size} bytes')
        self._root = self._place(primary[156:190])
        self._skip = self._rock_ridge()
        self._joliet = None
        if self._skip is None:
            self._joliet = next(filter(_is_joliet, descriptors), None)
        if self._joliet is not None:
            self._root = self._place(self._joliet[156:190])
        self.label = self._label(self._joliet or primary)

    def entries(self, folder: Optional[Entry] = None) -> List[Entry]:
        found = []
        unfinished = False
        for record in self._records(folder.key if folder else self._root):
            flags, goes_on = record[25], unfinished
            unfinished = bool(flags & _MULTI_EXTENT)
            own = record[32:34] in (_SELF, _PARENT)
            if not (own or goes_on or flags & _ASSOCIATED):
                found.append(self._entry(record))
        return found

    def read(self, entry: Entry, limit: int) -> bytes:
        place: _Place = entry.key
        if place.odd:
            raise Damaged(f'is {place.odd}')
        check_size(place.length, limit)
        return self._blocks.read(place.offset, place.length)

    def _descriptors(self) -> List[bytes]:
        found: List[bytes] = []
        for number in range(MAX_DESCRIPTORS):
            descriptor = self._blocks.read(
                FIRST_DESCRIPTOR + number * SECTOR, SECTOR)
            if descriptor[1:6] != b'CD001' or descriptor[0] == _TERMINATOR:
                break
            found.append(descriptor)
        return found

    def _label(self, descriptor: bytes) -> Optional[str]:
        text = descriptor[40:72].decode(
            'utf-16-be' if self._joliet else 'utf-8', 'replace')
        return text.rstrip(' \0') or None

    def _rock_ridge(self) -> Optional[int]:
        """Bytes to skip in each system use area; None: no Rock Ridge."""
        area = _system_use(next(self._records(self._root)))
        start = isonames.susp_start(area)
        if start is None:
            return None
        return isonames.susp_skip(
            isonames.susp_fields(area[start:], self._continuation))

    def _records(self, place: _Place) -> Iterator[bytes]:
        """The directory records, first that of the directory itself."""
        if not place.length:
            raise Damaged(f'the directory at byte {place.offset} is empty')
        data = self._metadata(place.offset, place.length)
        if not data[0] or data[32:34] != _SELF or not data[25] & _DIRECTORY:
            raise Damaged(f'no directory at byte {place.offset}')
        at = 0
        while at < len(data):
            length = data[at]
            if not length:
                # It ends a sector; some programs end each block so.
                at += self._block_size - at % self._block_size
                continue
            record = data[at:at + length]
            if (length < 34 or len(record) < length
                    or length < 33 + record[32]
                    or at % SECTOR + length > SECTOR):
                raise Damaged('no directory record at byte '
                              f'{place.offset + at}')
            yield record
            at += length

    def _entry(self, record: bytes) -> Entry:
        place = self._place(record)
        identifier = record[33:33 + record[32]]
        if self._joliet is not None:
            name = isonames.joliet(identifier)
        else:
            name = isonames.plain(identifier)
        if self._skip is not None:
            fields = isonames.susp_fields(
                _system_use(record)[self._skip:], self._continuation)
            name = isonames.rock_ridge(fields) or name
            place = place._replace(odd=place.odd or isonames.oddity(fields))
        return Entry(name, bool(record[25] & _DIRECTORY), place.length, place)

    def _place(self, record: bytes) -> _Place:
        (_, attributes, block, length, flags, unit,
         gap) = _RECORD.unpack_from(record)
        odd = None
        if flags & _MULTI_EXTENT:
            odd = 'in several extents'
        elif unit or gap:
            odd = 'interleaved'
        return _Place((block + attributes) * self._block_size, length, odd)

    def _continuation(self, block: int, offset: int, length: int) -> bytes:
        return self._metadata(block * self._block_size + offset, length)

    def _metadata(self, offset: int, length: int) -> bytes:
        self._charge(max(length, LEAST_CHARGE))
        return self._blocks.read(offset, length)


def _is_joliet(descriptor: bytes) -> bool:
    return (descriptor[0] == _SUPPLEMENTARY
            and descriptor[88:91] in _JOLIET)


def _system_use(record: bytes) -> bytes:
    """What follows the name, which is padded to an odd length."""
    return record[33 + record[32] + 1 - record[32] % 2:]
