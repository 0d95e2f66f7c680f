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

"""Partition tables with anything in them, by the builder's records."""

import collections.abc
import dataclasses
import pathlib
import typing
import uuid
import zlib

from esxi_img.disk import gpt

MIB = 1 << 20
DISK = uuid.UUID('01234567-89ab-4def-8123-456789abcdef')
ESP = uuid.UUID('fedcba98-7654-4210-b123-0123456789ab')
LINUX = uuid.UUID('0fc63daf-8483-4772-8e79-3d69d8477de4')
DRIVE = uuid.UUID('11111111-2222-4333-8444-555555555555')


def entry(start: int, end: int, guid: uuid.UUID = DRIVE,
          kind: uuid.UUID = LINUX, name: str = '', **changes: typing.Any
          ) -> gpt.Entry:
    """:param start: an LBA, as is ``end``, the last one"""
    return gpt.Entry(
        PartitionTypeGUID=kind.bytes_le, UniquePartitionGUID=guid.bytes_le,
        StartingLBA=start, EndingLBA=end,
        PartitionName=name.encode('utf-16-le').ljust(72, b'\0'), **changes)


@dataclasses.dataclass
class Table:
    """A disk's table; sizes in bytes.

    :param image_size: where the image ended that left the table
    :param entries: None is an unused one
    :param changes: fields of both headers that differ; their checksum is
        right all the same
    :param broken: fields of both headers that differ behind its back
    """

    size: int
    entries: collections.abc.Sequence[gpt.Entry | None] = ()
    sector: int = 512
    image_size: int = 0
    disk: uuid.UUID = DISK
    count: int = 128
    width: int = 128
    changes: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    broken: dict[str, typing.Any] = dataclasses.field(default_factory=dict)

    @property
    def last(self) -> int:
        return (self.image_size or self.size) // self.sector - 1

    def array(self) -> bytes:
        packed = (one.pack() if one else b'' for one in self.entries)
        return b''.join(one.ljust(self.width, b'\0') for one in packed
                        ).ljust(self.count * self.width, b'\0')

    def pieces(self) -> dict[int, bytes]:
        """What lies at which byte."""
        array = self.array()
        lbas = -(-len(array) // self.sector)
        primary = gpt.Header(
            MyLBA=1, AlternateLBA=self.last, FirstUsableLBA=2 + lbas,
            LastUsableLBA=self.last - lbas - 1, DiskGUID=self.disk.bytes_le,
            PartitionEntryLBA=2, NumberOfPartitionEntries=self.count,
            SizeOfPartitionEntry=self.width,
            PartitionEntryArrayCRC32=zlib.crc32(array))
        backup = primary.but(MyLBA=self.last, AlternateLBA=1,
                             PartitionEntryLBA=self.last - lbas)
        found = {0: gpt.protective_mbr(self.size // self.sector),
                 2 * self.sector: array,
                 (self.last - lbas) * self.sector: array}
        for lba, header in ((1, primary), (self.last, backup)):
            found[lba * self.sector] = header.but(
                **self.changes).sealed().but(**self.broken).pack()
        return found

    def write(self, path: pathlib.Path, content: collections.abc.Mapping[
            int, bytes] = {}) -> pathlib.Path:
        """A sparse file.

        :param content: by the first byte, written last
        """
        with open(path, 'wb') as file:
            file.truncate(self.size)
            for at, data in [*self.pieces().items(), *content.items()]:
                file.seek(at)
                file.write(data)
        return path

    def image(self) -> bytes:
        data = bytearray(self.size)
        for at, piece in self.pieces().items():
            data[at:at + len(piece)] = piece
        return bytes(data)


def ours(size: int = 8 * MIB, sector: int = 512,
         drive: collections.abc.Sequence[gpt.Entry] = (),
         **options: typing.Any) -> Table:
    """The table that the builder writes, and what is added later."""
    mib = MIB // sector
    esp = entry(mib, 2 * mib - 1, ESP, gpt.EFI_SYSTEM, 'EFI System Partition')
    return Table(size, [esp, *drive], sector, **options)


def with_drive(size: int = 8 * MIB, sector: int = 512,
               **options: typing.Any) -> Table:
    """Ours, with a partition from 4 MiB to 6 MiB as well."""
    mib = MIB // sector
    return ours(size, sector, [entry(4 * mib, 6 * mib - 1)], **options)
