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

"""GUID partition table: the records of UEFI 2.10, chapter 5.

Sizes in LBAs follow the sector size, which is an argument everywhere::

    LBA 0            protective MBR
    LBA 1            primary header
    LBA 2 ..         primary entries, 16 KiB
    ...              first usable LBA .. last usable LBA
    last-n .. last-1 backup entries
    last             backup header
"""

import dataclasses
import uuid
import zlib

from esxi_img.disk import records

field = records.field

EFI_PART = b'EFI PART'
REVISION = 0x00010000
ENTRIES = 128
"""Number of entries: the 16 KiB that UEFI 5.3.1 asks for at least."""

EFI_SYSTEM = uuid.UUID('C12A7328-F81F-11D2-BA4B-00A0C93EC93B')
"""Partition type EFI System Partition (UEFI 5.3.3, table 5.7)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MbrPartition(records.Record):
    """MBR partition record (UEFI 5.2.1, table 5.2)."""

    SIZE = 16
    BootIndicator: int = field('B', 0)
    StartingCHS: bytes = field('3s', bytes(3))
    OSType: int = field('B', 0)
    EndingCHS: bytes = field('3s', bytes(3))
    StartingLBA: int = field('I', 0)
    SizeInLBA: int = field('I', 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mbr(records.Record):
    """Master boot record (UEFI 5.2.1, table 5.1)."""

    SIZE = 512
    BootCode: bytes = field('440s', bytes(440))
    UniqueMBRDiskSignature: int = field('I', 0)
    Unknown: int = field('H', 0)
    PartitionRecord: bytes = field('64s')
    Signature: int = field('H', 0xAA55)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header(records.Record):
    """GPT header (UEFI 5.3.2, table 5.5)."""

    SIZE = 92
    Signature: bytes = field('8s', EFI_PART)
    Revision: int = field('I', REVISION)
    HeaderSize: int = field('I', 92)
    HeaderCRC32: int = field('I', 0)
    Reserved: int = field('I', 0)
    MyLBA: int = field('Q')
    AlternateLBA: int = field('Q')
    FirstUsableLBA: int = field('Q')
    LastUsableLBA: int = field('Q')
    DiskGUID: bytes = field('16s')
    PartitionEntryLBA: int = field('Q')
    NumberOfPartitionEntries: int = field('I', ENTRIES)
    SizeOfPartitionEntry: int = field('I', 128)
    PartitionEntryArrayCRC32: int = field('I')

    def sealed(self) -> 'Header':
        """The header with its own checksum filled in."""
        blank = self.but(HeaderCRC32=0)
        return blank.but(HeaderCRC32=zlib.crc32(blank.pack()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry(records.Record):
    """GPT partition entry (UEFI 5.3.3, table 5.6)."""

    SIZE = 128
    PartitionTypeGUID: bytes = field('16s')
    UniquePartitionGUID: bytes = field('16s')
    StartingLBA: int = field('Q')
    EndingLBA: int = field('Q')
    Attributes: int = field('Q', 0)
    PartitionName: bytes = field('72s', bytes(72))

    @property
    def name(self) -> str:
        return self.PartitionName.decode('utf-16-le', 'replace').split('\0')[0]


@dataclasses.dataclass(frozen=True)
class Table:
    """A disk with one partition; figures are LBAs, ends are inclusive."""

    sector_size: int
    total: int
    start: int
    end: int

    @property
    def entry_lbas(self) -> int:
        return ENTRIES * Entry.SIZE // self.sector_size

    @property
    def first_usable(self) -> int:
        return 2 + self.entry_lbas

    @property
    def last_usable(self) -> int:
        return self.total - 2 - self.entry_lbas


def backup_size(sector_size: int) -> int:
    """Bytes behind the last usable LBA: the entries and the header."""
    return ENTRIES * Entry.SIZE + sector_size


def protective_mbr(total: int) -> bytes:
    """The protective MBR for a disk of ``total`` LBAs (UEFI 5.2.3).

    Exactly one record: Glance and Ironic refuse anything more in it.
    """
    protective = MbrPartition(
        StartingCHS=b'\x00\x02\x00', OSType=0xEE, EndingCHS=b'\xff\xff\xff',
        StartingLBA=1, SizeInLBA=min(total - 1, 0xFFFFFFFF))
    return Mbr(PartitionRecord=protective.pack() + bytes(48)).pack()


def primary_and_backup(
        table: Table, disk_guid: uuid.UUID,
        partition: Entry) -> tuple[bytes, bytes]:
    """Both copies as they lie on the disk.

    :returns: bytes from LBA 0, and bytes that end with the disk's last LBA
    """
    size = table.sector_size
    entries = partition.pack().ljust(ENTRIES * Entry.SIZE, b'\0')
    last = table.total - 1
    primary = Header(
        MyLBA=1, AlternateLBA=last, FirstUsableLBA=table.first_usable,
        LastUsableLBA=table.last_usable, DiskGUID=disk_guid.bytes_le,
        PartitionEntryLBA=2, PartitionEntryArrayCRC32=zlib.crc32(entries))
    backup = primary.but(MyLBA=last, AlternateLBA=1,
                         PartitionEntryLBA=table.last_usable + 1)
    mbr = protective_mbr(table.total)
    return (mbr.ljust(size, b'\0') +
            primary.sealed().pack().ljust(size, b'\0') + entries,
            entries + backup.sealed().pack().ljust(size, b'\0'))


def efi_system(table: Table, guid: uuid.UUID) -> Entry:
    """The entry of the table's one partition, an EFI System Partition."""
    name = 'EFI System Partition'.encode('utf-16-le')
    return Entry(
        PartitionTypeGUID=EFI_SYSTEM.bytes_le,
        UniquePartitionGUID=guid.bytes_le,
        StartingLBA=table.start, EndingLBA=table.end,
        PartitionName=name.ljust(72, b'\0'))
