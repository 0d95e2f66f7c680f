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

import os
import unittest.mock
import uuid

import hypothesis
from hypothesis import strategies

from esxi_img.disk import gpt as builder
from esxi_img.firstboot import blocks
from esxi_img.firstboot import gpt
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import tables

KIB = 1 << 10
SIZE = 256 * KIB
SECTORS = (512, 4096)


def read(image: bytes) -> gpt.Gpt:
    return gpt.read(blocks.Memory(image), len(image))


def zeroed(image: bytes, start: int, length: int) -> bytes:
    return image[:start] + bytes(length) + image[start + length:]


def two(sector: int = 512, **options: object) -> tables.Table:
    """Two partitions behind one entry that is unused."""
    kib = {512: 2, 4096: 0.25}[sector]
    return tables.Table(SIZE, [
        tables.entry(int(64 * kib), int(96 * kib) - 1, tables.ESP,
                     builder.EFI_SYSTEM, 'B\u00fcro', Attributes=5),
        None, tables.entry(int(96 * kib), int(128 * kib) - 1)],
        sector, **options)


class TestSound(base.TestCase):

    def assert_two(self, found: gpt.Gpt, sector: int = 512) -> None:
        self.assertEqual((sector, str(tables.DISK)),
                         (found.sector_size, found.disk_guid))
        self.assertEqual((
            gpt.Partition(1, 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
                          str(tables.ESP), 64 * KIB, 32 * KIB, 'B\u00fcro',
                          5),
            gpt.Partition(3, str(tables.LINUX), str(tables.DRIVE), 96 * KIB,
                          32 * KIB, '', 0)), found.partitions)

    def test_primary(self) -> None:
        for sector in SECTORS:
            found = read(two(sector).image())
            with self.subTest(sector=sector):
                self.assert_two(found, sector)
                self.assertEqual((), found.problems)

    def test_backup_at_the_end(self) -> None:
        for sector in SECTORS:
            found = read(zeroed(two(sector).image(), 0, 6 * sector))
            with self.subTest(sector=sector):
                self.assert_two(found, sector)
                self.assertEqual(
                    (f'GPT: only the backup at LBA {SIZE // sector - 1} is '
                     'sound',), found.problems)

    def test_builders_own_table(self) -> None:
        for sector in SECTORS:
            table = builder.Table(sector, SIZE // sector, 64 * KIB // sector,
                                  128 * KIB // sector - 1)
            front, back = builder.primary_and_backup(
                table, tables.DISK, builder.efi_system(table, tables.ESP))
            image = front + bytes(SIZE - len(front) - len(back)) + back
            with self.subTest(sector=sector):
                found = read(image)
                self.assertEqual(
                    (str(tables.DISK), ()),
                    (found.disk_guid, found.problems))
                part, = found.partitions
                self.assertEqual(
                    (1, str(tables.ESP), 64 * KIB, 64 * KIB,
                     'EFI System Partition'),
                    (part.number, part.guid, part.start, part.size,
                     part.name))

    def test_image_on_a_larger_disk(self) -> None:
        for sector in SECTORS:
            found = read(two(sector, image_size=200 * KIB).image())
            with self.subTest(sector=sector):
                self.assert_two(found, sector)
                self.assertEqual(
                    (f'GPT: the backup is at LBA {200 * KIB // sector - 1}, '
                     f'but the disk ends with LBA {SIZE // sector - 1}',),
                    found.problems)

    def test_backup_where_the_primary_names_it(self) -> None:
        image = two(image_size=200 * KIB).image()
        for what, damaged in (
                ('entries', zeroed(image, 1024, 16)),
                ('checksum', zeroed(image, 512 + 16, 4))):
            with self.subTest(what=what):
                found = read(damaged)
                self.assert_two(found)
                self.assertEqual(
                    (f'GPT: primary header: {self.reasons[what]}',
                     'GPT: only the backup at LBA 399 is sound'),
                    found.problems)

    reasons = {'entries': 'its entries have a wrong checksum',
               'checksum': 'a wrong checksum'}

    def test_named_backup_comes_before_an_older_one_at_the_end(self) -> None:
        older = tables.Table(SIZE, disk=tables.DRIVE).image()
        image = two(image_size=200 * KIB).image()
        image = image[:200 * KIB] + older[200 * KIB:]
        self.assert_two(read(zeroed(image, 1024, 16)))
        # Nothing names ours any more.
        self.assertEqual(str(tables.DRIVE),
                         read(zeroed(image, 512, 512)).disk_guid)

    def test_wide_and_many_entries(self) -> None:
        for sector, count, width in (
                (512, 256, 128), (512, 4, 4096), (4096, 32, 256),
                (512, 3, 128), (4096, 3, 512)):
            with self.subTest(sector=sector, count=count, width=width):
                found = read(two(sector, count=count, width=width).image())
                self.assert_two(found, sector)
                self.assertEqual((), found.problems)

    def test_size_that_is_no_multiple_of_a_sector(self) -> None:
        self.assert_two(read(two().image() + bytes(100)))

    def test_nothing_but_the_table_is_read(self) -> None:
        for name, damage, allowed in (
                ('primary', 0, {0}),
                ('backup', 6 * 512, {0, SIZE - blocks.CHUNK})):
            path = self.tmp() / 'disk'
            path.write_bytes(zeroed(two().image(), 0, damage))
            fd = os.open(path, os.O_RDONLY)
            self.addCleanup(os.close, fd)
            with unittest.mock.patch('os.pread', wraps=os.pread,
                                     autospec=True) as pread:
                self.assert_two(gpt.read(blocks.Blocks(fd), SIZE))
            with self.subTest(name=name):
                self.assertEqual(allowed, {call.args[2] for call
                                           in pread.call_args_list})


class TestUnsound(base.TestCase):

    def assert_damaged(self, image: bytes, *parts: str) -> None:
        with self.assertRaises(volume.Damaged) as caught:
            read(image)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_no_gpt(self) -> None:
        for image in (b'', b'\0', bytes(512), bytes(1024), bytes(8192),
                      bytes(SIZE), b'EFI PART' * 32, b'x' * SIZE):
            with self.subTest(length=len(image)), \
                    self.assertRaisesRegex(volume.Damaged, '^no GPT$'):
                read(image)

    def test_signature_alone(self) -> None:
        image = bytes(512) + b'EFI PART' + bytes(SIZE)
        self.assert_damaged(image, 'primary header: a size of 0 bytes')

    def test_headers(self) -> None:
        for options, part in (
                ({'broken': {'HeaderCRC32': 1}}, 'header: a wrong checksum'),
                ({'broken': {'FirstUsableLBA': 1}}, 'a wrong checksum'),
                ({'changes': {'HeaderSize': 91}}, 'a size of 91 bytes'),
                ({'changes': {'HeaderSize': 513}}, 'a size of 513 bytes'),
                ({'changes': {'HeaderSize': 0xFFFFFFFF}}, 'a size of 4294'),
                ({'changes': {'MyLBA': 7}}, 'is at LBA 1, but says 7'),
                ({'changes': {'NumberOfPartitionEntries': 0}},
                 '0 entries of 128 bytes'),
                ({'changes': {'NumberOfPartitionEntries': 1025}},
                 '1025 entries of 128 bytes'),
                ({'changes': {'NumberOfPartitionEntries': 0xFFFFFFFF}},
                 '4294967295 entries'),
                ({'changes': {'SizeOfPartitionEntry': 64}}, 'of 64 bytes'),
                ({'changes': {'SizeOfPartitionEntry': 384}}, 'of 384 bytes'),
                ({'changes': {'SizeOfPartitionEntry': 0}}, 'of 0 bytes'),
                ({'changes': {'SizeOfPartitionEntry': 8192}},
                 'of 8192 bytes'),
                ({'changes': {'PartitionEntryLBA': SIZE // 512 - 31}},
                 'lie outside the disk'),
                ({'changes': {'PartitionEntryLBA': (1 << 64) - 1}},
                 'lie outside the disk'),
                ({'changes': {'PartitionEntryLBA': 3}},
                 'entries have a wrong checksum'),
                ({'changes': {'PartitionEntryArrayCRC32': 1}},
                 'entries have a wrong checksum')):
            with self.subTest(options=options):
                self.assert_damaged(two(**options).image(), part,
                                    'GPT: primary', 'GPT: backup')

    def test_device_that_cannot_be_read(self) -> None:
        for error in (5, 6):
            with self.subTest(error=error), \
                    unittest.mock.patch('os.pread', side_effect=OSError(
                        error, os.strerror(error))), \
                    self.assertRaisesRegex(volume.Damaged, (
                        'primary header: cannot be read at byte 0: '
                        f'{os.strerror(error)}; GPT: backup')):
                gpt.read(blocks.Blocks(-1), SIZE)

    def test_front_that_cannot_be_read(self) -> None:
        image = two().image()

        def pread(fd: int, length: int, offset: int) -> bytes:
            if not offset:
                raise OSError(5, 'Input/output error')
            return image[offset:offset + length]

        with unittest.mock.patch('os.pread', pread):
            found = gpt.read(blocks.Blocks(-1), SIZE)
        self.assertEqual(2, len(found.partitions))
        self.assertIn('Input/output error', found.problems[0])

    def test_disk_that_is_shorter_than_it_says(self) -> None:
        for size in (0, 100, 512, 600, 1024, 1500):
            with self.subTest(size=size), \
                    self.assertRaises(volume.Damaged):
                gpt.read(blocks.Memory(two().image()[:size]), SIZE)


class TestPartitions(base.TestCase):

    def assert_left_out(self, kept: int, problem: str, *entries: object
                        ) -> None:
        """Of them, only the first ``kept`` are left."""
        found = read(tables.Table(SIZE, entries).image())
        self.assertEqual(list(range(1, kept + 1)),
                         [one.number for one in found.partitions])
        self.assertEqual((f'GPT: partition {kept + 1} from LBA '
                          f'{problem}: left out',), found.problems)

    def test_outside_the_disk(self) -> None:
        top = (1 << 64) - 1
        for first, last in ((0, 100), (1, 100), (100, 99), (100, 512),
                            (512, 513), (100, top), (top, top), (top, 100)):
            with self.subTest(first=first, last=last):
                self.assert_left_out(
                    1, f'{first} to {last} lies outside the disk',
                    tables.entry(200, 300), tables.entry(first, last))

    def test_at_the_very_end(self) -> None:
        found = read(tables.Table(SIZE, [tables.entry(500, 511)]).image())
        self.assertEqual((SIZE, ()), (
            found.partitions[0].start + found.partitions[0].size,
            found.problems))

    def test_overlap(self) -> None:
        for first, last in ((100, 200), (50, 100), (200, 250), (150, 160),
                            (50, 250)):
            with self.subTest(first=first, last=last):
                self.assert_left_out(
                    2, f'{first} to {last} overlaps partition 2',
                    tables.entry(300, 400), tables.entry(100, 200),
                    tables.entry(first, last))

    def test_neighbours(self) -> None:
        found = read(tables.Table(SIZE, [
            tables.entry(100, 200), tables.entry(201, 300),
            tables.entry(99, 99)]).image())
        self.assertEqual((3, ()), (len(found.partitions), found.problems))

    def test_what_is_left_out_stands_in_nobodys_way(self) -> None:
        found = read(tables.Table(SIZE, [
            tables.entry(100, 1000), tables.entry(100, 200)]).image())
        self.assertEqual([2], [one.number for one in found.partitions])

    def test_most_partitions(self) -> None:
        found = read(tables.Table(4 * SIZE, [
            tables.entry(number, number) for number in range(400, 1424)],
            count=1024).image())
        self.assertEqual((1024, ()), (len(found.partitions),
                                      found.problems))

    def test_name_that_is_no_text(self) -> None:
        one = tables.entry(100, 200).but(PartitionName=b'\0\xd8' * 36)
        found = read(tables.Table(SIZE, [one]).image())
        self.assertEqual({'\ufffd'}, set(found.partitions[0].name))


class TestAnything(base.TestCase):

    @hypothesis.settings(deadline=None)
    @hypothesis.given(strategies.uuids())
    def test_guid(self, guid: uuid.UUID) -> None:
        found = read(tables.Table(SIZE, [tables.entry(
            100, 200, guid)], disk=guid).image())
        self.assertEqual((str(guid), str(guid)), (
            found.disk_guid, found.partitions[0].guid))

    @hypothesis.settings(deadline=None)
    @hypothesis.given(strategies.dictionaries(
        strategies.sampled_from((
            'HeaderSize', 'MyLBA', 'AlternateLBA', 'PartitionEntryLBA',
            'NumberOfPartitionEntries', 'SizeOfPartitionEntry')),
        strategies.one_of(strategies.integers(0, 600),
                          strategies.integers(0, (1 << 32) - 1))))
    def test_any_header(self, changes: dict[str, int]) -> None:
        try:
            found = read(two(changes=changes).image())
        except volume.Damaged:
            self.assertTrue(changes)
        else:
            self.assertEqual(str(tables.DISK), found.disk_guid)

    @hypothesis.settings(deadline=None)
    @hypothesis.given(strategies.lists(strategies.tuples(
        strategies.integers(0, 600), strategies.integers(0, 600)),
        max_size=20))
    def test_any_partitions(self, spans: list[tuple[int, int]]) -> None:
        found = read(tables.Table(
            SIZE, [tables.entry(*span) for span in spans]).image())
        taken = [number for one in found.partitions for number in range(
            one.start // 512, (one.start + one.size) // 512)]
        self.assertEqual(len(taken), len(set(taken)))
        self.assertEqual(set(), set(taken) - set(range(2, SIZE // 512)))
        self.assertEqual(len(spans),
                         len(found.partitions) + len(found.problems))

    @hypothesis.given(strategies.binary(max_size=2000))
    def test_garbage(self, data: bytes) -> None:
        with self.assertRaises(volume.Damaged):
            read(bytes(512) + b'EFI PART' + data)
