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

"""Reads a GPT back, ours or anybody's, and says what is wrong with it."""

import dataclasses
import os
import uuid
import zlib

from esxi_img.disk import geometry
from esxi_img.disk import gpt
from esxi_img import errors

MAX_ENTRIES_BYTES = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Partition:
    """A partition; offset and size in bytes."""

    type: uuid.UUID
    guid: uuid.UUID
    name: str
    offset: int
    size: int


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk's partition table.

    :param problems: what a checker would complain of, one line each
    """

    sector_size: int
    size: int
    guid: uuid.UUID
    partitions: tuple[Partition, ...]
    problems: tuple[str, ...]


def read(fd: int, name: str) -> Disk:
    """The partition table of a raw image.

    :param name: of the image, for messages
    :raises InputError: there is no GPT
    """
    # Not fstat: an image may be read back from the disk it was written to.
    size = os.lseek(fd, 0, os.SEEK_END)
    for sector_size in geometry.SECTOR_SIZES:
        head = os.pread(fd, gpt.Header.SIZE, sector_size)
        if head.startswith(gpt.EFI_PART) and len(head) == gpt.Header.SIZE:
            break
    else:
        raise errors.InputError(f'{name}: no GPT with sectors of 512 or '
                                '4096 bytes')
    primary = gpt.Header.unpack(head)
    table = _Check(fd, sector_size, size // sector_size)
    entries = table.header(primary, 1, 'primary')
    last = table.total - 1
    tail = os.pread(fd, gpt.Header.SIZE, last * sector_size)
    if tail.startswith(gpt.EFI_PART) and len(tail) == gpt.Header.SIZE:
        backup = gpt.Header.unpack(tail)
        if table.header(backup, last, 'backup') != entries:
            table.problems.append('GPT: primary and backup entries differ')
        if (primary.AlternateLBA, backup.AlternateLBA) != (last, 1):
            table.problems.append('GPT: the headers do not name each other')
    else:
        table.problems.append('GPT: no backup header at the disk\'s end')
    table.mbr(os.pread(fd, gpt.Mbr.SIZE, 0))
    if size % sector_size:
        table.problems.append(
            f'size of {size} bytes is no multiple of {sector_size}')
    return Disk(sector_size, size, uuid.UUID(bytes_le=primary.DiskGUID),
                table.partitions(primary, entries), tuple(table.problems))


class _Check:
    """Collects what is wrong with a table."""

    def __init__(self, fd: int, sector_size: int, total: int) -> None:
        self._fd = fd
        self._sector_size = sector_size
        self.total = total
        self.problems: list[str] = []

    def header(self, header: gpt.Header, lba: int, which: str) -> bytes:
        """Check a header; returns its entries."""
        if header.sealed().HeaderCRC32 != header.HeaderCRC32:
            self.problems.append(f'GPT: {which} header has a bad checksum')
        rest = os.pread(self._fd, self._sector_size - gpt.Header.SIZE,
                        lba * self._sector_size + gpt.Header.SIZE)
        if any(rest):
            self.problems.append(f'GPT: {which} header is followed by bytes')
        if header.MyLBA != lba:
            self.problems.append(f'GPT: {which} header at LBA {lba} says '
                                 f'it is at {header.MyLBA}')
        length = (header.NumberOfPartitionEntries *
                  header.SizeOfPartitionEntry)
        if header.SizeOfPartitionEntry != gpt.Entry.SIZE or not (
                0 < length <= MAX_ENTRIES_BYTES):
            self.problems.append(f'GPT: {which} header has '
                                 f'{header.NumberOfPartitionEntries} entries '
                                 f'of {header.SizeOfPartitionEntry} bytes')
            return b''
        if header.PartitionEntryLBA >= self.total:
            self.problems.append(f'GPT: {which} entries lie behind the end')
            return b''
        entries = os.pread(self._fd, length,
                           header.PartitionEntryLBA * self._sector_size)
        if zlib.crc32(entries) != header.PartitionEntryArrayCRC32:
            self.problems.append(f'GPT: {which} entries have a bad checksum')
        return entries

    def mbr(self, data: bytes) -> None:
        """The MBR must be protective, and nothing else."""
        mbr = gpt.Mbr.unpack(data)
        first = gpt.MbrPartition.unpack(mbr.PartitionRecord)
        # The last CHS address may say what it likes on disks of this size.
        wanted = gpt.MbrPartition.unpack(gpt.Mbr.unpack(gpt.protective_mbr(
            self.total)).PartitionRecord).but(EndingCHS=first.EndingCHS)
        if (mbr.Signature != 0xAA55 or any(data[:446]) or
                any(mbr.PartitionRecord[16:]) or
                first.but(SizeInLBA=wanted.SizeInLBA) != wanted or
                first.SizeInLBA not in (wanted.SizeInLBA, 0xFFFFFFFF)):
            self.problems.append('MBR: not just the one protective entry')

    def partitions(self, header: gpt.Header,
                   entries: bytes) -> tuple[Partition, ...]:
        """The entries in use, as far as they make sense."""
        found = []
        size = self._sector_size
        for at in range(0, len(entries) - gpt.Entry.SIZE + 1,
                        gpt.Entry.SIZE):
            entry = gpt.Entry.unpack(entries[at:at + gpt.Entry.SIZE])
            if not any(entry.PartitionTypeGUID):
                continue
            first, last = entry.StartingLBA, entry.EndingLBA
            if not (header.FirstUsableLBA <= first <= last <=
                    header.LastUsableLBA < self.total):
                self.problems.append(f'GPT: partition {len(found) + 1} from '
                                     f'LBA {first} to {last} lies outside '
                                     'the usable area')
                continue
            found.append(Partition(
                uuid.UUID(bytes_le=entry.PartitionTypeGUID),
                uuid.UUID(bytes_le=entry.UniquePartitionGUID), entry.name,
                first * size, (last - first + 1) * size))
        return tuple(found)
