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

"""Reads a FAT12, FAT16 or FAT32 volume (Microsoft's specification, 1.03)."""

import itertools
import struct
from typing import Iterable
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Optional

from .blocks import Blocks
from .volume import check_size
from .volume import Damaged
from .volume import Entry
from .volume import Volume

SLOT = 32
"""Bytes of a directory entry, the parts of a long name included."""
BOOT_SECTOR = 512
"""Bytes of it that matter, also where sectors are larger."""
LEAST_CHARGE = 4096
"""Bytes that even an empty directory counts for."""

_BPB = struct.Struct('<11xHBHBHHBH8xLL')
_SHORT = struct.Struct('<11sBB7xH4xHL')
_READ_ONLY, _HIDDEN, _SYSTEM, _VOLUME_ID, _DIRECTORY = 1, 2, 4, 8, 0x10
_LONG_NAME = _READ_ONLY | _HIDDEN | _SYSTEM | _VOLUME_ID
_LAST_LONG = 0x40
_LOWER_STEM, _LOWER_EXTENSION = 0x08, 0x10
_END, _FREE, _ESCAPED = 0x00, 0xE5, 0x05
_MIN_FAT16 = 4085
"""Clusters; one that has fewer is FAT12 (3.5)."""


class _Shape(NamedTuple):
    """A volume's geometry; offsets and sizes in bytes.

    :param bits: of an entry of the FAT: 12, 16 or 32
    :param clusters: their number; the first is number 2
    :param root: FAT12 and FAT16: the root directory; FAT32: 0
    :param root_size: likewise
    :param root_cluster: FAT32: where the root directory starts
    """

    bits: int
    fat: int
    root: int
    root_size: int
    root_cluster: int
    data: int
    cluster_size: int
    clusters: int


def is_one(blocks: Blocks) -> bool:
    """Whether a FAT volume starts here."""
    try:
        _shape(blocks.read(0, BOOT_SECTOR))
    except Damaged:
        return False
    return True


class Fat(Volume):
    """Its names are the long ones, else those of 8.3 characters.

    :raises Damaged: no sound volume
    """

    kind = 'fat'

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        self._blocks = blocks
        boot = blocks.read(0, BOOT_SECTOR)
        self._shape = _shape(boot)
        self.label = self._label(boot)

    def entries(self, folder: Optional[Entry] = None) -> List[Entry]:
        found = []
        long = _LongName()
        for slot in self._slots(folder):
            if slot[11] & 0x3F == _LONG_NAME:
                long.add(slot)
                continue
            name = long.taken(slot) or _short_name(slot)
            _, attributes, _, high, low, size = _SHORT.unpack(slot)
            if slot[0] == _FREE or attributes & _VOLUME_ID or name in (
                    '.', '..'):
                continue
            # What FAT32 has for the upper half is something else in others.
            cluster = low | (high << 16 if self._shape.bits == 32 else 0)
            found.append(Entry(name, bool(attributes & _DIRECTORY), size,
                               cluster))
        return found

    def read(self, entry: Entry, limit: int) -> bytes:
        check_size(entry.size, limit)
        count = -(-entry.size // self._shape.cluster_size)
        clusters = list(itertools.islice(self._chain(entry.key), count))
        if len(clusters) < count:
            raise Damaged(f'has {entry.size} bytes, but only {len(clusters)} '
                          f'clusters of {self._shape.cluster_size}')
        return b''.join(map(self._content, clusters))[:entry.size]

    def _label(self, boot: bytes) -> Optional[str]:
        """That of the root directory, else that of the boot sector."""
        start = 71 if self._shape.bits == 32 else 43
        texts = [slot[:11] for slot in self._slots(None)
                 if slot[11] & 0x3F != _LONG_NAME and slot[0] != _FREE
                 and slot[11] & _VOLUME_ID]
        if boot[start - 5] == 0x29:
            texts.append(boot[start:start + 11])
        text = texts[0].decode('latin-1').rstrip(' \0') if texts else ''
        return None if text in ('', 'NO NAME') else text

    def _slots(self, folder: Optional[Entry]) -> Iterator[bytes]:
        """The entries of a directory, those that are free included."""
        self._charge(LEAST_CHARGE)
        for part in self._parts(folder):
            for at in range(0, len(part), SLOT):
                if part[at] == _END:
                    return
                self._charge(SLOT)
                yield part[at:at + SLOT]

    def _parts(self, folder: Optional[Entry]) -> Iterable[bytes]:
        shape = self._shape
        if folder is not None:
            return map(self._content, self._chain(folder.key))
        if shape.bits == 32:
            return map(self._content, self._chain(shape.root_cluster))
        return [self._blocks.read(shape.root, shape.root_size)]

    def _chain(self, cluster: int) -> Iterator[int]:
        """The clusters of a chain, up to its end."""
        bits, beyond = self._shape.bits, self._shape.clusters + 2
        seen = set()
        while 2 <= cluster < beyond and cluster not in seen:
            yield cluster
            seen.add(cluster)
            cluster = self._next(cluster)
        if not seen or cluster < (1 << min(bits, 28)) - 8:
            raise Damaged(f'FAT: a chain runs into cluster {cluster}')

    def _next(self, cluster: int) -> int:
        bits = self._shape.bits
        at = self._shape.fat + cluster * bits // 8
        value = int.from_bytes(self._blocks.read(at, (bits + 7) // 8),
                               'little')
        if bits == 12 and cluster % 2:
            value >>= 4
        return value & (1 << min(bits, 28)) - 1

    def _content(self, cluster: int) -> bytes:
        size = self._shape.cluster_size
        return self._blocks.read(self._shape.data + (cluster - 2) * size, size)


def _shape(boot: bytes) -> _Shape:
    """The geometry by the boot sector (3.1 to 3.5).

    FAT32 is what has no FATSz16, as Linux and dosfstools see it: mkfs.vfat
    makes one with fewer clusters than the specification has for it.

    :raises Damaged: it is none
    """
    (sector, per, reserved, fats, root_entries, total16, media, fat16, total32,
     fat32) = _BPB.unpack_from(boot)
    if boot[510:512] != b'\x55\xaa' or not (media == 0xF0 or media >= 0xF8):
        raise Damaged('no FAT volume: no boot sector')
    if (sector not in (512, 1024, 2048, 4096) or not per or per & (per - 1)
            or not reserved or not fats or not (fat16 or fat32)):
        raise Damaged('no FAT volume: the boot sector makes no sense')
    bits = 12 if fat16 else 32
    fat_size = (fat16 or fat32) * sector
    root = reserved * sector + fats * fat_size
    root_size = root_entries * SLOT
    data = root + -(-root_size // sector) * sector
    clusters = ((total16 or total32) * sector - data) // (per * sector)
    if fat16 and clusters >= _MIN_FAT16:
        bits = 16
    clusters = min(clusters, fat_size * 8 // bits - 2)
    if clusters < 1:
        raise Damaged('no FAT volume: it has no clusters')
    return _Shape(bits, reserved * sector, root, root_size,
                  int.from_bytes(boot[44:48], 'little'), data, per * sector,
                  clusters)


class _LongName:
    """Puts a long name together from the parts before its short entry."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []

    def add(self, slot: bytes) -> None:
        """A part; the last one of the name comes first."""
        if slot[0] & _LAST_LONG:
            self._parts = []
        self._parts.append(slot)

    def taken(self, slot: bytes) -> Optional[str]:
        """The name if it is this short entry's (7.2), which takes it."""
        parts, self._parts = self._parts, []
        total = 0
        for byte in slot[:11]:
            total = ((total >> 1) + (total << 7) + byte) & 0xFF
        orders = list(range(len(parts), 0, -1))
        if not parts or [part[0] for part in parts] != [
                orders[0] | _LAST_LONG, *orders[1:]] or any(
                part[13] != total for part in parts):
            return None
        text = b''.join(part[1:11] + part[14:26] + part[28:32]
                        for part in reversed(parts))
        return text.decode('utf-16-le', 'replace').partition('\0')[0]


def _short_name(slot: bytes) -> str:
    """A name of 8.3 characters, in the case that Windows NT notes."""
    raw, _, case, _, _, _ = _SHORT.unpack(slot)
    if raw[0] == _ESCAPED:
        raw = bytes((_FREE,)) + raw[1:]
    stem = raw[:8].decode('latin-1').rstrip(' ')
    extension = raw[8:].decode('latin-1').rstrip(' ')
    if case & _LOWER_STEM:
        stem = stem.lower()
    if case & _LOWER_EXTENSION:
        extension = extension.lower()
    return f'{stem}.{extension}' if extension else stem
