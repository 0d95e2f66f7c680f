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

"""The records of an ISO 9660 image (ECMA-119, Joliet, SUSP, RRIP).

pycdlib parses them, one by one; what asks for the next one is the reader.
pycdlib's own walk keeps every record of an image in memory, shortens files
that end behind the image's end, and takes quadratic time on hostile ones.
"""

import calendar
import collections.abc
import contextlib
import dataclasses
import hashlib
import re
import stat
import struct
import typing

if typing.TYPE_CHECKING:
    from pycdlib import dates
    from pycdlib import dr
    from pycdlib import headervd
    from pycdlib import rockridge

SECTOR = 2048
"""Bytes: a descriptor is one sector, and no record crosses sectors."""
FIRST_DESCRIPTOR = 16
"""Its sector (ECMA-119, 6.2.1)."""
TERMINATOR = 255
"""Type, the first byte, of the last descriptor."""
FAT_EPOCH = 315532800
"""1980-01-01 UTC: for a volume without a date."""
MAX_CHAIN = 32
"""Continuation areas of one record; real ones have one or two."""

_PRIMARY, _SUPPLEMENTARY = 1, 2
_DIRECTORY, _ASSOCIATED, _MULTI_EXTENT = 0x02, 0x04, 0x80
_SELF, _PARENT = b'\x01\x00', b'\x01\x01'
_JOLIET = (b'%/@', b'%/C', b'%/E')
_ROCK_RIDGE = (b'RRIP_1991A', b'IEEE_P1282', b'IEEE_1282')
_ZISOFS = b'ZF\x10\x01'
_KINDS = {stat.S_IFLNK: 'a symbolic link', stat.S_IFCHR: 'a character device',
          stat.S_IFBLK: 'a block device', stat.S_IFIFO: 'a pipe',
          stat.S_IFSOCK: 'a socket'}

Read = collections.abc.Callable[[int, int], bytes]
"""(offset, length) -> exactly that many bytes of the image."""


class Damaged(ValueError):
    """Bytes that are no valid record; its text says why."""


@dataclasses.dataclass(frozen=True)
class Directory:
    """Where a directory's records are: block number, bytes."""

    block: int
    length: int


@dataclasses.dataclass(frozen=True)
class Volume:
    """What the volume descriptors say; see :class:`esxi_img.tree.Tree`.

    :param size: of the volume in bytes
    """

    label: str
    created: int
    descriptors: str
    names: str
    block_size: int
    size: int
    root: Directory


@dataclasses.dataclass(frozen=True)
class Entry:
    """One directory record.

    :param identifier: what the records of one file have in common
    :param name: as the volume's names have it, undecodable bytes escaped
    :param fault: what it is that cannot be put on FAT, or None
    :param block: where its content starts
    :param length: bytes of content
    :param directory: a directory, or the place of a relocated one
    :param unfinished: the file goes on in the next record
    :param relocated: a directory whose place is another one (RRIP, RE)
    :param link: the block of the relocated directory that belongs here
    """

    identifier: bytes
    name: str
    fault: str | None
    block: int
    length: int
    directory: bool
    unfinished: bool
    relocated: bool = False
    link: int | None = None


def raw(sector: bytes, block_size: int) -> collections.abc.Iterator[bytes]:
    """The directory records in a sector, but a directory's own two.

    Those are the first, for itself, and the second, for its parent.  A zero
    ends a sector; some programs end each block of it so.
    """
    at = 0
    while at < len(sector):
        if not sector[at]:
            at += block_size - at % block_size
            continue
        record = sector[at:at + sector[at]]
        at += sector[at]
        if record[32:34] not in (_SELF, _PARENT):
            yield record


def own_length(sector: bytes) -> int:
    """Bytes of the directory that starts with this sector.

    :raises Damaged: it is none
    """
    if sector[32:34] != _SELF or not sector[25] & _DIRECTORY:
        raise Damaged('no directory')
    length: int = struct.unpack_from('<L', sector, 10)[0]
    return length


class Parser:
    """Parses the records of one image.

    :param sectors: the volume descriptors up to the terminator
    :param read: gets the root directory and continuation areas
    :raises Damaged: no, or no sound, volume
    """

    def __init__(self, sectors: collections.abc.Sequence[bytes],
                 read: Read) -> None:
        # Imported late: a command that only prints its help does without.
        from pycdlib import dr
        from pycdlib import headervd
        self._record = dr.DirectoryRecord
        self._descriptor = headervd.PrimaryOrSupplementaryVD
        self._read = read
        primary = self._first(sectors, _PRIMARY)
        self._block_size = primary.log_block_size
        if self._block_size not in (512, 1024, 2048):
            raise Damaged(f'block size {self._block_size} is none of 512, '
                          '1024, 2048')
        self._rock_ridge = self._has_rock_ridge(primary)
        names, chosen = 'ISO 9660', primary
        if self._rock_ridge:
            names = 'Rock Ridge'
        elif any(map(_is_joliet, sectors)):
            names, chosen = 'Joliet', self._first(sectors, _SUPPLEMENTARY)
        # What pycdlib looks up in a record's parent is the root's anyway.
        self._root = chosen.root_dir_record
        self.volume = Volume(
            label=_printable(primary.volume_identifier),
            created=_created(primary), names=names,
            descriptors=hashlib.sha256(b''.join(sectors)).hexdigest(),
            block_size=self._block_size,
            size=primary.space_size * self._block_size,
            root=_directory(self._root))

    def _first(self, sectors: collections.abc.Sequence[bytes], kind: int,
               ) -> 'headervd.PrimaryOrSupplementaryVD':
        for number, sector in enumerate(sectors, FIRST_DESCRIPTOR):
            if sector[0] == kind and (kind == _PRIMARY or _is_joliet(sector)):
                descriptor = self._descriptor(kind)
                with _parsing():
                    descriptor.parse(sector, number)
                return descriptor
        raise Damaged('no primary volume descriptor')

    def _has_rock_ridge(self, primary: 'headervd.PrimaryOrSupplementaryVD',
                        ) -> bool:
        """Whether the root's record for itself declares it (SUSP 5.5)."""
        root = primary.root_dir_record
        sector = self._read(
            _directory(root).block * self._block_size, SECTOR)
        dot = self._record()
        with _parsing():
            dot.parse(primary, sector[:sector[0]], root)
        root.children.append(dot)
        if dot.rock_ridge is None:
            return False
        self._continue(dot.rock_ridge)
        return any(part.er_record and part.er_record.ext_id in _ROCK_RIDGE
                   for part in _parts(dot.rock_ridge))

    def entry(self, data: bytes) -> Entry:
        """What a directory record says.

        :raises Damaged: it cannot be parsed
        """
        if len(data) < max(data[0], 34) or len(data) < 33 + data[32]:
            raise Damaged('a record is cut off')
        record, fault = self._parse(data)
        name, link, relocated = None, None, False
        rock_ridge = record.rock_ridge
        if rock_ridge is not None:
            name = b''.join(nm.posix_name for part in _parts(rock_ridge)
                            for nm in part.nm_records)
            fault = _kind(record)
            relocated = rock_ridge.relocated_record()
            if rock_ridge.child_link_record_exists():
                link = rock_ridge.child_link_extent()
        if record.file_flags & _ASSOCIATED:
            fault = 'an associated file'
        elif record.file_unit_size or record.interleave_gap_size:
            fault = 'an interleaved file'
        return Entry(
            identifier=record.file_ident,
            name=(name.decode(errors='backslashreplace') if name
                  else self._plain_name(record.file_ident)),
            fault=fault, length=record.data_length,
            block=record.orig_extent_loc + record.xattr_len,
            directory=(link is not None
                       or bool(record.file_flags & _DIRECTORY)),
            unfinished=bool(record.file_flags & _MULTI_EXTENT),
            relocated=relocated, link=link)

    def _parse(self, data: bytes) -> tuple['dr.DirectoryRecord', str | None]:
        """A record, with Rock Ridge or what is wrong with that."""
        fault = None
        if self._rock_ridge:
            fault = 'an entry without Rock Ridge attributes'
            record = self._record()
            try:
                with _parsing():
                    record.parse(self._root.vd, data, self._root)
                if record.rock_ridge is not None:
                    self._continue(record.rock_ridge)
                    return record, None
            except Damaged as error:
                fault = f'an entry with bad Rock Ridge attributes ({error})'
            if _ZISOFS in data:
                fault = 'a file compressed with zisofs'
        record = self._record()
        with _parsing():
            record.parse(self._root.vd, data[:33 + data[32]], self._root)
        return record, fault

    def _continue(self, rock_ridge: 'rockridge.RockRidge') -> None:
        """Add what stands in a record's continuation areas (SUSP 5.1).

        :raises Damaged: they are too many, or reach over their block
        """
        own = rock_ridge.dr_entries
        area, own.ce_record = own.ce_record, None
        for _ in range(MAX_CHAIN):
            if area is None:
                return
            if area.offset_cont_area + area.len_cont_area > self._block_size:
                raise Damaged('a continuation area reaches over its block')
            data = self._read(area.bl_cont_area * self._block_size
                              + area.offset_cont_area, area.len_cont_area)
            with _parsing():
                rock_ridge.parse(data, False, rock_ridge.bytes_to_skip, True,
                                 b'')
            more = rock_ridge.ce_entries
            area, more.ce_record = more.ce_record, None
        raise Damaged(f'more than {MAX_CHAIN} continuation areas')

    def _plain_name(self, identifier: bytes) -> str:
        """A name without Rock Ridge, as Linux shows it but for its case."""
        encoding = 'utf-8'
        if self.volume.names == 'Joliet':
            encoding = 'utf-16-be'
        name = identifier.decode(encoding, 'backslashreplace')
        return re.sub(r';[0-9]+\Z', '', name).rstrip('.') or name


@contextlib.contextmanager
def _parsing() -> collections.abc.Iterator[None]:
    # On damaged bytes pycdlib raises, besides its own errors, struct.error,
    # IndexError, UnicodeDecodeError, AttributeError and others: whatever
    # these calls raise is a verdict on the bytes.
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise Damaged(str(error) or type(error).__name__) from error


def _is_joliet(sector: bytes) -> bool:
    """A supplementary descriptor whose escape sequence says UCS-2."""
    return sector[0] == _SUPPLEMENTARY and sector[88:91] in _JOLIET


def _directory(record: 'dr.DirectoryRecord') -> Directory:
    return Directory(record.orig_extent_loc + record.xattr_len,
                     record.data_length)


def _parts(rock_ridge: 'rockridge.RockRidge',
           ) -> 'list[rockridge.RockRidgeEntries]':
    """The attributes in the record itself and those continued elsewhere."""
    return [part for part in (rock_ridge.dr_entries, rock_ridge.ce_entries)
            if part is not None]


def _kind(record: 'dr.DirectoryRecord') -> str | None:
    """What an entry is by its Rock Ridge attributes, None if storable."""
    parts = _parts(record.rock_ridge)
    if any(part.sl_records for part in parts):
        return _KINDS[stat.S_IFLNK]
    if any(part.sf_record for part in parts):
        return 'a sparse file'
    for part in parts:
        if part.px_record:
            return _KINDS.get(stat.S_IFMT(part.px_record.posix_file_mode))
    return None


def _printable(identifier: bytes) -> str:
    text = identifier.decode('ascii', 'backslashreplace').rstrip(' \0')
    return ''.join(char if char.isprintable() else '?' for char in text)


def _created(primary: 'headervd.PrimaryOrSupplementaryVD') -> int:
    """Seconds since 1970 of the creation, else the modification."""
    for date in (primary.volume_creation_date,
                 primary.volume_modification_date):
        # Year 0 is pycdlib's "not specified".
        if date.year:
            return _seconds(date)
    return FAT_EPOCH


def _seconds(date: 'dates.VolumeDescriptorDate') -> int:
    local = calendar.timegm((date.year, date.month, date.dayofmonth,
                             date.hour, date.minute, date.second))
    # The offset is in quarters of an hour (ECMA-119, 8.4.26.1).
    return local - date.gmtoffset * 15 * 60
