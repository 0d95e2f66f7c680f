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


import uuid

import hypothesis
from hypothesis import strategies

from esxi_img.disk import compose
from esxi_img.disk import geometry
from esxi_img.disk import gpt
from esxi_img.disk import layout
from tests import base

MIB = 1024 * 1024
IDS = compose.Ids(uuid.uuid4(), uuid.uuid4(), 1, 1720000000)
SECTORS = strategies.sampled_from(geometry.SECTOR_SIZES)


def plan(least=0, sector_size=512, sizes=(3 * MIB, 0)):
    items = [layout.Item((f'file{number}',), size, layout.Stored('x', ()))
             for number, size in enumerate(sizes)]
    return layout.plan([('efi',)], items, sector_size, least)


class LeastTests(base.TestCase):

    def check(self, least, sector_size, sizes=(3 * MIB, 0)):
        """The table of an image that is to have so many bytes."""
        small = plan(0, sector_size, sizes)
        large = plan(least, sector_size, sizes)
        self.assertEqual(0, large.size % layout.GRANULARITY)
        if least <= small.size:
            self.assertEqual(small, large)
            return
        self.assertGreaterEqual(large.size, least)
        self.assertLess(large.size - least, layout.GRANULARITY)
        # All but the table's end is as it was.
        self.assertEqual(
            (small.volume, small.children, small.placed, small.items,
             small.volume_offset, small.table.start, small.table.end),
            (large.volume, large.children, large.placed, large.items,
             large.volume_offset, large.table.start, large.table.end))
        # The table can end where the image does.
        self.assertLessEqual(
            (large.table.end + 1) * sector_size
            + gpt.backup_size(sector_size), large.size)

    @hypothesis.given(strategies.integers(0, 1 << 62), SECTORS)
    def test_any_size(self, least, sector_size):
        self.check(least, sector_size)

    @hypothesis.given(strategies.integers(-10000, 10000), SECTORS)
    def test_about_the_smallest(self, delta, sector_size):
        self.check(plan(0, sector_size).size + delta, sector_size)

    def test_exact(self):
        for sector_size in geometry.SECTOR_SIZES:
            for mebibytes in (1024, 1536, 10 * 1024):
                found = plan(mebibytes * MIB, sector_size)
                self.assertEqual(mebibytes * MIB, found.size)
                self.assertEqual(mebibytes * MIB // sector_size,
                                 found.table.total)

    def test_backup_table_at_the_end(self):
        for sector_size in geometry.SECTOR_SIZES:
            found = plan(1024 * MIB, sector_size)
            *_, last = compose.pieces(found, IDS)
            self.assertEqual(found.size, last.offset + len(last.content))
            header = gpt.Header.unpack(
                last.content[-sector_size:][:gpt.Header.SIZE])
            self.assertEqual(
                (gpt.EFI_PART, 1024 * MIB // sector_size - 1,
                 1024 * MIB // sector_size - 2
                 - gpt.ENTRIES * gpt.Entry.SIZE // sector_size),
                (header.Signature, header.MyLBA, header.LastUsableLBA))
