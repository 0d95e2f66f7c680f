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

import collections.abc
import errno
import json
import os
import pathlib
import typing
import unittest.mock
import uuid

from esxi_img.firstboot import finding
from esxi_img.firstboot import pre
from esxi_img.firstboot import scrub
from tests.unit.firstboot import acting
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

MIB = tables.MIB
GUID = str(tables.DISK)


def filled(table: tables.Table, path: pathlib.Path) -> pathlib.Path:
    """A disk without a zero where the table does not need one."""
    path.write_bytes(b'\xa5' * table.size)
    with open(path, 'r+b') as file:
        for at, data in table.pieces().items():
            file.seek(at)
            file.write(data)
    return path


class TestCase(acting.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = filled(tables.with_drive(), self.host.disks / acting.NAA)
        self.before = self.path.read_bytes()

    def source(self) -> finding.Source:
        seen = self.host.looked(acting.NAA)
        assert seen.gpt
        return finding.Source(seen.disk.path, f'{acting.NAA}:2',
                              seen.gpt.partitions[1])

    def assert_scrubbed(self, start: int = 4 * MIB, size: int = 2 * MIB
                        ) -> None:
        """The mark and zeros there, and nothing else anywhere."""
        after = self.path.read_bytes()
        end = start + size
        self.assertTrue(after[:start] == self.before[:start]
                        and after[end:] == self.before[end:])
        self.assertEqual(finding.MARK, after[start:start + len(finding.MARK)])
        self.assertEqual(b'', after[start + len(finding.MARK):end].strip(
            b'\0'))

    def assert_refused(self, reason: str, source: finding.Source) -> None:
        before = self.path.read_bytes()
        with self.assertRaisesRegex(scrub.Refused, reason):
            scrub.overwrite(source, GUID)
        self.assertEqual(before, self.path.read_bytes())

    def patch(self, name: str, function: collections.abc.Callable[..., object]
              ) -> None:
        patch = unittest.mock.patch(name, function)
        patch.start()
        self.addCleanup(patch.stop)


class TestOverwrite(TestCase):

    def test_mark_and_zeros(self) -> None:
        scrub.overwrite(self.source(), GUID)
        self.assert_scrubbed()
        self.assertTrue(scrub.is_clean(self.source()))

    def put(self, first: int, last: int, sector: int = 512,
            size: int = 8 * MIB) -> None:
        """A partition of these LBAs."""
        self.path = filled(tables.ours(size, sector, [
            tables.entry(first, last)]), self.path)
        self.before = self.path.read_bytes()

    def written(self) -> list[tuple[int, int]]:
        """Offset and length of everything that is written."""
        found: list[tuple[int, int]] = []
        real = os.pwrite

        def note(fd: int, data: bytes, at: int) -> int:
            found.append((at, len(data)))
            return real(fd, data, at)

        with unittest.mock.patch('os.pwrite', note):
            scrub.overwrite(self.source(), GUID)
        return found

    def test_chunks_are_aligned(self) -> None:
        # As Ironic leaves it: up to the last LBA that can be used.
        self.put(8192, 8 * 2048 - 34)
        self.assertEqual(
            [(4 * MIB, MIB), (5 * MIB, MIB), (6 * MIB, MIB),
             (7 * MIB, MIB - 33 * 512)], self.written())
        self.assert_scrubbed(4 * MIB, 4 * MIB - 33 * 512)

    def test_unaligned_partition(self) -> None:
        self.put(8191, 12289)
        self.assertEqual(
            [(4 * MIB - 512, 512), (4 * MIB, MIB), (5 * MIB, MIB),
             (6 * MIB, 1024)], self.written())
        self.assert_scrubbed(4 * MIB - 512, 2 * MIB + 1536)

    def test_four_kn(self) -> None:
        self.put(1025, 1500, 4096)
        self.assertTrue(all(at % 4096 == length % 4096 == 0
                            for at, length in self.written()))
        self.assert_scrubbed(1025 * 4096, 476 * 4096)

    def test_larger_than_64_mib(self) -> None:
        first = 4 * 2048
        table = tables.ours(90 * MIB, drive=[
            tables.entry(first, 80 * 2048 - 1)])
        table.write(self.path, {4 * MIB: acting.iso(),
                                80 * MIB - 512: b'end', 80 * MIB: b'next'})
        scrub.overwrite(self.source(), GUID)
        self.assertTrue(scrub.is_clean(self.source()))
        with open(self.path, 'rb') as file:
            for at, expected in ((4 * MIB, finding.MARK),
                                 (80 * MIB - 512, b'\0\0\0'),
                                 (80 * MIB, b'next')):
                file.seek(at)
                self.assertEqual(expected, file.read(len(expected)))

    def test_no_size_of_a_config_drive(self) -> None:
        source = self.source()
        assert source.partition
        for size in (0, 512, 4095, (1 << 30) + 512):
            self.assert_refused('size', finding.Source(
                source.path, source.name,
                type(source.partition)(**{**vars(source.partition),
                                          'size': size})))
        self.assert_refused('size', finding.Source(source.path, 'cd0'))

    def test_short_writes(self) -> None:
        real, offsets = os.pwrite, []

        def some(fd: int, data: bytes, at: int) -> int:
            offsets.append(at)
            return real(fd, data[:100 * 512 + 7], at)

        self.patch('os.pwrite', some)
        scrub.overwrite(self.source(), GUID)
        self.assert_scrubbed()
        # Raw devices take whole sectors.
        self.assertEqual({0}, {at % 512 for at in offsets})

    def test_device_that_takes_nothing(self) -> None:
        for taken in (0, 511):
            self.patch('os.pwrite', lambda fd, data, at: taken)
            with self.assertRaises(OSError) as caught:
                scrub.overwrite(self.source(), GUID)
            self.assertEqual(errno.EIO, caught.exception.errno)

    def test_error_halfway(self) -> None:
        real = os.pwrite

        def fail(fd: int, data: bytes, at: int) -> int:
            if at >= 5 * MIB:
                raise OSError(errno.EIO, 'I/O error')
            return real(fd, data, at)

        self.patch('os.pwrite', fail)
        with self.assertRaises(OSError):
            scrub.overwrite(self.source(), GUID)
        # It is no drive any more, and says why.
        data = self.path.read_bytes()[4 * MIB:]
        self.assertTrue(data.startswith(finding.MARK))
        self.assertFalse(scrub.is_clean(self.source()))

    def test_flushed(self) -> None:
        real, flags = os.open, []

        def note(path: str, flag: int, *more: typing.Any) -> int:
            flags.append(flag)
            return real(path, flag, *more)

        self.patch('os.open', note)
        with unittest.mock.patch('os.fsync') as fsync:
            source = self.source()
            flags.clear()
            scrub.overwrite(source, GUID)
        fsync.assert_called_once()
        self.assertEqual(os.O_SYNC | os.O_RDWR,
                         flags[0] & (os.O_SYNC | os.O_RDWR))

    def test_cannot_be_flushed(self) -> None:
        for number, fails in ((errno.EIO, True), (errno.ENOSPC, True),
                              (errno.EINVAL, False), (errno.ENOSYS, False),
                              (errno.ENOTSUP, False)):
            with self.subTest(errno.errorcode[number]):
                with unittest.mock.patch('os.fsync',
                                         side_effect=OSError(number, '')):
                    if fails:
                        with self.assertRaises(OSError):
                            scrub.overwrite(self.source(), GUID)
                    else:
                        scrub.overwrite(self.source(), GUID)
                        self.assert_scrubbed()

    def test_everything_is_closed(self) -> None:
        source = self.source()
        before = os.listdir('/proc/self/fd')
        scrub.overwrite(source, GUID)
        scrub.is_clean(source)
        with unittest.mock.patch('os.pwrite', side_effect=OSError):
            with self.assertRaises(OSError):
                scrub.overwrite(source, GUID)
        self.assertEqual(before, os.listdir('/proc/self/fd'))


class TestRefused(TestCase):
    """Something has changed since."""

    def test_moved(self) -> None:
        for first, last in ((8200, 12287), (8192, 12286), (8192, 12288),
                            (10240, 12287)):
            with self.subTest((first, last)):
                source = self.source()
                filled(tables.ours(drive=[tables.entry(first, last)]),
                       self.path)
                self.assert_refused('partition 2 is not in', source)
                filled(tables.with_drive(), self.path)

    def test_another_partition(self) -> None:
        source = self.source()
        filled(tables.ours(drive=[tables.entry(
            8192, 12287, uuid.uuid4())]), self.path)
        self.assert_refused('partition 2 is not in', source)

    def test_another_disk_under_this_name(self) -> None:
        source = self.source()
        self.path.unlink()
        filled(tables.with_drive(disk=acting.FOREIGN), self.path)
        self.assert_refused('partition 2 is not in', source)

    def test_link_to_another_disk(self) -> None:
        source = self.source()
        link = self.path.with_name(acting.VML)
        link.symlink_to(acting.OTHER)
        self.host.add_disk(acting.OTHER, tables.with_drive(
            disk=acting.FOREIGN), acting.iso())
        before = link.read_bytes()
        self.assert_refused('partition 2 is not in', finding.Source(
            str(link), 'x', source.partition))
        self.assertEqual(before, link.read_bytes())

    def test_no_table(self) -> None:
        source = self.source()
        self.path.write_bytes(b'\xa5' * 8 * MIB)
        self.assert_refused('no GPT', source)

    def test_gone(self) -> None:
        source = self.source()
        self.path.unlink()
        with self.assertRaises(FileNotFoundError):
            scrub.overwrite(source, GUID)
        self.assertFalse(self.path.exists())


class TestIsClean(TestCase):

    def test_anything_else(self) -> None:
        scrub.overwrite(self.source(), GUID)
        clean = self.path.read_bytes()
        mark = 4 * MIB + len(finding.MARK)
        for at in (4 * MIB, mark - 1, mark, 4 * MIB + 4095, 5 * MIB - 1,
                   5 * MIB, 6 * MIB - 1):
            with self.subTest(at), open(self.path, 'r+b') as file:
                file.seek(at)
                file.write(b'x')
                file.flush()
                self.assertFalse(scrub.is_clean(self.source()))
                file.seek(at)
                file.write(clean[at:at + 1])
        self.assertTrue(scrub.is_clean(self.source()))

    def test_neighbours_do_not_count(self) -> None:
        scrub.overwrite(self.source(), GUID)
        data = self.path.read_bytes()
        self.assertEqual(b'\xa5\xa5', data[4 * MIB - 1:4 * MIB]
                         + data[6 * MIB:6 * MIB + 1])
        self.assertTrue(scrub.is_clean(self.source()))

    def test_read_from_the_device(self) -> None:
        source = self.source()
        self.assertFalse(scrub.is_clean(source))
        with unittest.mock.patch('os.pread', wraps=os.pread) as pread:
            scrub.is_clean(source)
        self.assertTrue(pread.called)


class TestCommand(acting.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.host.add_disk(acting.NAA, content=acting.iso())

    def scrub(self) -> int:
        return scrub.scrub(self.host.run, self.host.places)

    def pre(self) -> None:
        self.assertEqual(0, pre.pre(self.host.run, self.host.places))

    def assert_untouched(self, before: bytes, status: int, said: str
                         ) -> None:
        self.assertEqual(status, self.scrub())
        self.assertEqual(before, self.path.read_bytes())
        self.assertIn(said, self.host.said())

    def test_done(self) -> None:
        self.pre()
        self.assertEqual(0, self.scrub())
        self.assert_no_secret(self.path.read_bytes().decode('latin-1'))
        self.assertEqual(f'{acting.NAA}:2 is overwritten',
                         self.host.said().splitlines()[-1])
        # The installer starts again.
        self.pre()
        self.assertIn('redeploy', self.host.said())
        self.assertEqual('# ', self.host.staged()['disk.cfg'][:2])

    def test_twice(self) -> None:
        self.pre()
        self.assertEqual([0, 0], [self.scrub(), self.scrub()])

    def test_kept(self) -> None:
        self.host.home_file('settings.json', {'keep_config_drive': True})
        before = self.path.read_bytes()
        self.pre()
        self.assert_untouched(before, 0, 'is kept')

    def test_nothing_to_do(self) -> None:
        before = self.path.read_bytes()
        self.assert_untouched(before, 0, 'no config drive to overwrite')
        self.pre()
        for value in ({}, {'drive': None}, [], 'x'):
            (self.host.work / 'pre.json').write_text(json.dumps(value))
            self.assert_untouched(before, 0, 'no config drive to overwrite')

    def test_garbage(self) -> None:
        self.pre()
        before = self.path.read_bytes()
        sound = self.host.pre()['drive']
        for value in ([1], {'path': sound['path']},
                      {**sound, 'partition': None},
                      {**sound, 'partition': {'number': 2}},
                      {**sound, 'partition': {**sound['partition'],
                                              'more': 1}}):
            (self.host.work / 'pre.json').write_text(json.dumps(
                {'drive': value}))
            self.assert_untouched(before, 1, 'nobody says where it is')

    def test_other_partition(self) -> None:
        self.pre()
        self.host.add_disk(acting.NAA, tables.ours(), acting.iso())
        self.assert_untouched(self.path.read_bytes(), 1,
                              'is not overwritten: partition 2')

    def test_fails(self) -> None:
        self.pre()
        with unittest.mock.patch('os.pwrite', side_effect=OSError(
                5, 'I/O error', 'secret')):
            self.assertEqual(1, self.scrub())
        self.assertIn('is not all overwritten: I/O error\n',
                      self.host.said())
        self.path.unlink()
        self.assertEqual(1, self.scrub())
        self.assertIn('overwritten: No such file', self.host.said())

    def test_device_that_lies(self) -> None:
        self.pre()
        with unittest.mock.patch('os.pwrite', lambda fd, data, at: len(data)):
            self.assertEqual(1, self.scrub())
        self.assertIn('still holds what was overwritten', self.host.said())

    def test_only_that_disk(self) -> None:
        twin = self.host.add_disk(acting.OTHER, content=images.iso({}))
        with open(twin, 'r+b') as file:
            file.seek(acting.AT)
            file.write(bytes(MIB))
        before = twin.read_bytes()
        self.pre()
        self.assertEqual(0, self.scrub())
        self.assertEqual(before, twin.read_bytes())
