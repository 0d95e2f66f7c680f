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

"""Every record packs and unpacks to itself, and has its right length."""

import dataclasses
import uuid
import zlib

import hypothesis
from hypothesis import strategies

from esxi_img.disk import fat32
from esxi_img.disk import gpt
from tests import base

RECORDS = (gpt.MbrPartition, gpt.Mbr, gpt.Header, gpt.Entry,
           fat32.BootSector, fat32.FSInfo, fat32.DirEntry, fat32.LongEntry)
BITS = {'B': 8, 'H': 16, 'I': 32, 'Q': 64}


def records(kind):
    """Any value of a record."""
    fields = {}
    for field in dataclasses.fields(kind):
        fmt = field.metadata['fmt']
        if fmt in BITS:
            fields[field.name] = strategies.integers(0, 2 ** BITS[fmt] - 1)
        else:
            size = int(fmt[:-1])
            fields[field.name] = strategies.binary(
                min_size=size, max_size=size)
    return strategies.builds(kind, **fields)


class RecordTests(base.TestCase):

    @hypothesis.given(strategies.sampled_from(RECORDS).flatmap(records))
    def test_unpack_undoes_pack(self, record):
        packed = record.pack()
        self.assertEqual(record.SIZE, len(packed))
        self.assertEqual(record, type(record).unpack(packed))

    @hypothesis.given(strategies.data())
    def test_pack_undoes_unpack(self, data):
        kind = data.draw(strategies.sampled_from(RECORDS))
        raw = data.draw(strategies.binary(
            min_size=kind.SIZE, max_size=kind.SIZE))
        self.assertEqual(raw, kind.unpack(raw).pack())

    def test_too_short(self):
        for kind in RECORDS:
            with self.assertRaisesRegex(ValueError, kind.__name__):
                kind.unpack(bytes(kind.SIZE - 1))


class GptTests(base.TestCase):

    def test_protective_mbr_as_uefi_says(self):
        # UEFI 2.10, table 5.4, byte by byte.
        mbr = gpt.protective_mbr(0x12345)
        self.assertEqual(bytes(446), mbr[:446])
        self.assertEqual(bytes.fromhex('00000200eeffffff0100000044230100'),
                         mbr[446:462])
        self.assertEqual(bytes(48) + b'\x55\xaa', mbr[462:])

    def test_protective_mbr_of_a_large_disk(self):
        self.assertEqual(b'\xff' * 4, gpt.protective_mbr(1 << 40)[458:462])

    def test_checksum_covers_the_header(self):
        header = gpt.Header(
            MyLBA=1, AlternateLBA=99, FirstUsableLBA=34, LastUsableLBA=65,
            DiskGUID=uuid.uuid5(uuid.NAMESPACE_DNS, 'x').bytes_le,
            PartitionEntryLBA=2, PartitionEntryArrayCRC32=0).sealed()
        raw = header.pack()
        self.assertEqual(zlib.crc32(raw[:16] + bytes(4) + raw[20:]),
                         header.HeaderCRC32)
        self.assertEqual(header, header.sealed())
