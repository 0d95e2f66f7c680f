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

"""The reader against images made record by record."""

import errno
import hashlib
import os
import stat
from unittest import mock

from esxi_img import errors
from esxi_img.iso import reader
from esxi_img.iso import records
from esxi_img.iso import walk
from esxi_img import tree
from tests import base
from tests.unit.iso import crafted


class TestCase(base.TestCase):

    def file(self, data: bytes) -> str:
        path = self.tmp() / 'x.iso'
        path.write_bytes(data)
        return str(path)

    def read(self, data: bytes) -> tree.Tree:
        return reader.read(self.file(data))

    def problems(self, data: bytes) -> list[str]:
        """What read() finds wrong, without the image's path before it."""
        path = self.file(data)
        with self.assertRaises(errors.InputError) as caught:
            reader.read(path)
        for problem in caught.exception.problems:
            self.assertEqual(f'{path}: ', problem[:len(path) + 2])
            self.assertNotIn('\n', problem)
        return [problem[len(path) + 2:]
                for problem in caught.exception.problems]


def root(*entries: bytes, rock_ridge: bool = False) -> bytes:
    """An image whose root directory holds the entries."""
    return crafted.image({crafted.ROOT: crafted.directory(
        *entries, susp=crafted.ROCK_RIDGE if rock_ridge else b'')})


def posix(name: bytes, number: int = 0, mode: int = 0o100644,
          more: bytes = b'', **values: int) -> bytes:
    """A record with Rock Ridge attributes and a plain name of its own."""
    return crafted.record(
        b'N%05d.;1' % number,
        susp=crafted.px(mode) + crafted.nm(name) + more, **values)


def folder(name: bytes, block: int, more: bytes = b'') -> bytes:
    return posix(name, block, 0o40755, more, block=block, flags=2,
                 length=crafted.BLOCK)


class TestNames(TestCase):

    def test_plain(self) -> None:
        found = self.read(crafted.image({
            20: crafted.directory(
                crafted.record(b'A.TXT;1'), crafted.record(b'README.;12'),
                crafted.record(b'SUB', 21, 2048, 2)),
            21: crafted.directory(crafted.record(b'B'), block=21)}))
        self.assertEqual('ISO 9660', found.names)
        self.assertEqual([('A.TXT',), ('README',), ('SUB', 'B')],
                         [file.path for file in found.files])
        self.assertEqual((('SUB',),), found.directories)

    def test_rock_ridge_before_joliet_before_plain(self) -> None:
        wide = crafted.descriptor(2, root=30, escape=b'%/E')
        joliet = crafted.directory(
            crafted.record('Wide Näme.txt;1'.encode('utf-16-be')), block=30)
        for susp, others, names, name in (
                (crafted.ROCK_RIDGE, (wide,), 'Rock Ridge', 'posix näme'),
                (b'', (wide,), 'Joliet', 'Wide Näme.txt'),
                (b'', (), 'ISO 9660', 'N00000')):
            with self.subTest(names):
                found = self.read(crafted.image({
                    20: crafted.directory(posix('posix näme'.encode()),
                                          susp=susp), 30: joliet}, *others))
                self.assertEqual(names, found.names)
                self.assertEqual([(name,)], [file.path
                                             for file in found.files])

    def test_supplementary_without_joliet_escape_is_ignored(self) -> None:
        other = crafted.descriptor(2, root=30)
        found = self.read(crafted.image(
            {20: crafted.directory(crafted.record(b'A'))}, other))
        self.assertEqual('ISO 9660', found.names)

    def test_rock_ridge_must_be_declared(self) -> None:
        undeclared = crafted.ROCK_RIDGE.replace(b'RRIP_1991A', b'XXXX_1991A')
        found = self.read(crafted.image({20: crafted.directory(
            posix(b'posix'), susp=undeclared)}))
        self.assertEqual('ISO 9660', found.names)

    def test_rock_ridge_name_in_pieces_and_continued(self) -> None:
        fourth = crafted.nm(b'four')
        third = crafted.nm(b'three-') + crafted.ce(51, 0, len(fourth))
        found = self.read(crafted.image({
            20: crafted.directory(
                posix(b'one-', more=crafted.nm(b'two-')
                      + crafted.ce(50, 100, len(third))),
                susp=crafted.ROCK_RIDGE),
            50: bytes(100) + third, 51: fourth}))
        self.assertEqual('one-two-three-four', found.files[0].path[0])

    def test_declaration_may_be_continued(self) -> None:
        susp = crafted.ROCK_RIDGE.replace(
            crafted.ER, crafted.ce(50, 0, len(crafted.ER)))
        found = self.read(crafted.image({
            20: crafted.directory(posix(b'posix'), susp=susp),
            50: crafted.ER}))
        self.assertEqual('Rock Ridge', found.names)

    def test_unsafe(self) -> None:
        for name, expected in (
                (b'a/b', 'a/b: is a name with a slash'),
                (b'a\\b', r'a\b: is a name with a backslash, or not in UTF-8'),
                (b'a\xffb', r'a\xffb: is a name with a backslash, or not in '
                            'UTF-8'),
                (b'a\0b', r'a\x00b: is a name with a control character'),
                (b'a\x1b[2Jb', r'a\x1b[2Jb: is a name with a control '
                               'character'),
                (b'a\xc2\x9bb', r'a\x9bb: is a name with a control '
                                'character'),
                (b'.', '.: is a name that means something else'),
                (b'..', '..: is a name that means something else')):
            with self.subTest(name):
                self.assertEqual(
                    [expected], self.problems(root(posix(name),
                                                   rock_ridge=True)))

    def test_twice(self) -> None:
        self.assertEqual(
            ['A: is the same name as A where case does not count'],
            self.problems(root(crafted.record(b'A;1'),
                               crafted.record(b'A;1', 60))))

    def test_empty_name(self) -> None:
        self.assertEqual(['/: is a name that means something else'],
                         self.problems(root(crafted.record(b''))))

    def test_clash(self) -> None:
        for names, expected in (
                ((b'a', b'A'), ['A: is the same name as a where case does '
                                'not count']),
                ((b'a', b'a'), ['a: is the same name as a where case does '
                                'not count']),
                (('ä'.encode(), 'Ä'.encode()),
                 ['Ä: is the same name as ä where case does not count'])):
            with self.subTest(names):
                self.assertEqual(expected, self.problems(root(
                    *(posix(name, number)
                      for number, name in enumerate(names)),
                    rock_ridge=True)))


class TestExtents(TestCase):

    def test_where_the_bytes_are(self) -> None:
        for values, extents in (
                ({'block': 100, 'length': 5}, ((100 * 2048, 5),)),
                ({'block': 100, 'length': 5, 'xattr': 2},
                 ((102 * 2048, 5),)),
                ({'block': 0, 'length': 0}, ())):
            with self.subTest(values):
                file, = self.read(root(crafted.record(b'A', **values))).files
                self.assertEqual(extents, tuple(
                    (extent.offset, extent.length)
                    for extent in file.extents))
                self.assertEqual(values['length'], file.size)

    def test_several_extents(self) -> None:
        found = self.read(root(
            crafted.record(b'A;1', 100, 2048, 0x80),
            crafted.record(b'A;1', 50, 4096, 0x80),
            crafted.record(b'A;1', 60, 3), crafted.record(b'B;1', 70, 1)))
        self.assertEqual([
            tree.File(('A',), 2048 + 4096 + 3, (
                tree.Extent(100 * 2048, 2048), tree.Extent(50 * 2048, 4096),
                tree.Extent(60 * 2048, 3))),
            tree.File(('B',), 1, (tree.Extent(70 * 2048, 1),))],
            sorted(found.files, key=lambda file: file.path))

    def test_order_is_that_of_the_bytes(self) -> None:
        found = self.read(root(
            crafted.record(b'A', 101), crafted.record(b'B', 100),
            crafted.record(b'C', 120, 0), crafted.record(b'D', 101)))
        self.assertEqual(['C', 'B', 'A', 'D'],
                         [file.path[0] for file in found.files])

    def test_smaller_blocks(self) -> None:
        data = crafted.image(
            {20: crafted.directory(crafted.record(b'A', 400), block=80,
                                   size=512)},
            primary=crafted.descriptor(block_size=512, root=80, blocks=800))
        file, = self.read(data).files
        self.assertEqual((tree.Extent(400 * 512, 5),), file.extents)

    def test_records_after_padding(self) -> None:
        directory = crafted.directory(
            *(crafted.record(b'F%02d' % number) for number in range(40)),
            block=80, size=512)
        self.assertGreater(len(directory), 1024)
        found = self.read(crafted.image(
            {20: crafted.directory(
                *(crafted.record(b'F%02d' % number) for number in range(40)),
                block=80, size=512, length=len(directory))},
            primary=crafted.descriptor(block_size=512, root=80, blocks=800,
                                       length=len(directory))))
        self.assertEqual(40, len(found.files))

    def test_nothing_behind_a_directory(self) -> None:
        entries = crafted.record(b'A'), crafted.record(b'B')
        length = 2 * len(crafted.record(b'x')) + len(entries[0])
        file, = self.read(crafted.image(
            {20: crafted.directory(*entries, length=length)},
            primary=crafted.descriptor(length=length))).files
        self.assertEqual(('A',), file.path)

    def test_content(self) -> None:
        data = bytearray(root(crafted.record(b'A', 100, 2048, 0x80),
                              crafted.record(b'A', 60, 3)))
        data[100 * 2048:101 * 2048] = b'x' * 2048
        data[60 * 2048:61 * 2048] = b'y' * 2048
        path = self.file(bytes(data))
        file, = reader.read(path).files
        self.assertEqual(b'x' * 2048 + b'yyy', reader.content(path, file))
        os.truncate(path, 100 * 2048 + 1)
        with self.assertRaisesRegex(errors.InputError,
                                    'A: the ISO ends 2047 bytes before it'):
            reader.content(path, file)

    def test_content_of_large_file(self) -> None:
        with self.assertRaisesRegex(errors.InputError, 'a: 16777217 bytes'):
            reader.content('/nowhere', tree.File(('a',), 2 ** 24 + 1, ()))


class TestRelocation(TestCase):
    """/deep/moved is recorded as /rr_moved/moved, with a file in it."""

    def image(self, *kept: bytes, link: int = 23) -> bytes:
        # ``kept`` are records beside the relocated directory.
        relocated = crafted.susp(b'RE', b'')
        up = crafted.susp(b'CL', crafted.both(link))
        return crafted.image({
            20: crafted.directory(folder(b'deep', 21),
                                  folder(b'rr_moved', 22),
                                  susp=crafted.ROCK_RIDGE),
            21: crafted.directory(
                *[posix(b'moved', mode=0o40755, more=up)] * (link > 0),
                block=21),
            22: crafted.directory(folder(b'moved', 23, relocated), *kept,
                                  block=22),
            23: crafted.directory(posix(b'file'), block=23)})

    def test_at_its_logical_place(self) -> None:
        found = self.read(self.image())
        self.assertEqual([('deep', 'moved', 'file')],
                         [file.path for file in found.files])
        self.assertEqual((('deep',), ('deep', 'moved')), found.directories)

    def test_folder_with_more_in_it_stays(self) -> None:
        found = self.read(self.image(posix(b'own', 7)))
        self.assertEqual({('deep', 'moved', 'file'), ('rr_moved', 'own')},
                         {file.path for file in found.files})
        self.assertIn(('rr_moved',), found.directories)

    def test_without_link_it_stays(self) -> None:
        found = self.read(self.image(link=0))
        self.assertEqual([('rr_moved', 'moved', 'file')],
                         [file.path for file in found.files])
        self.assertEqual((('deep',), ('rr_moved',), ('rr_moved', 'moved')),
                         found.directories)

    def test_link_to_nowhere(self) -> None:
        self.assertEqual(['deep: no directory'],
                         self.problems(self.image(link=40)))


class TestLoops(TestCase):

    def test_own_ancestor(self) -> None:
        self.assertEqual(
            ['SUB: directory loop: block 20 is that of another directory, '
             'too'], self.problems(root(
                 crafted.record(b'SUB', 20, 2048, 2))))

    def test_met_twice(self) -> None:
        self.assertEqual(
            ['B: directory loop: block 21 is that of another directory, too'],
            self.problems(crafted.image({
                20: crafted.directory(crafted.record(b'A', 21, 2048, 2),
                                      crafted.record(b'B', 21, 2048, 2)),
                21: crafted.directory(block=21)})))

    def test_continuation_areas(self) -> None:
        problem, = self.problems(crafted.image({
            20: crafted.directory(posix(b'a', more=crafted.ce(50, 0, 28)),
                                  susp=crafted.ROCK_RIDGE),
            50: crafted.ce(50, 0, 28)}))
        self.assertIn('more than 32 continuation areas', problem)


class TestFaults(TestCase):

    def test_what_fat_cannot_hold(self) -> None:
        link = crafted.susp(b'SL', b'\0\0\x06target')
        sparse = crafted.susp(b'SF', crafted.both(9))
        zisofs = crafted.susp(b'ZF', b'pz\4\x0f' + crafted.both(10))
        for kind, record in (
                ('a symbolic link', posix(b'x', mode=0o120777, more=link)),
                ('a symbolic link', posix(b'x', mode=0o100777, more=link)),
                ('a character device', posix(b'x', mode=0o20666)),
                ('a block device', posix(b'x', mode=0o60666)),
                ('a pipe', posix(b'x', mode=0o10666)),
                ('a socket', posix(b'x', mode=0o140666)),
                ('a sparse file', posix(b'x', more=sparse)),
                ('an associated file', posix(b'x', flags=4)),
                ('an interleaved file', posix(b'x', unit=1))):
            with self.subTest(kind):
                self.assertEqual([f'x: is {kind}'],
                                 self.problems(root(record, rock_ridge=True)))
        self.assertEqual(
            ['N00000: is a file compressed with zisofs'],
            self.problems(root(posix(b'x', more=zisofs), rock_ridge=True)))

    def test_without_rock_ridge_attributes(self) -> None:
        self.assertEqual(
            ['A: is an entry without Rock Ridge attributes'],
            self.problems(root(crafted.record(b'A'), rock_ridge=True)))

    def test_four_gigabytes(self) -> None:
        path = self.file(root(
            crafted.record(b'A', 100, 2 ** 32 - 2048, 0x80),
            crafted.record(b'A', 100, 2048),
            crafted.record(b'B', 100, 2 ** 32 - 2048, 0x80),
            crafted.record(b'B', 100, 2047)))
        os.truncate(path, 5 * 2 ** 30)
        with self.assertRaises(errors.InputError) as caught:
            reader.read(path)
        self.assertEqual(
            (f'{path}: A: has 4294967296 bytes, FAT32 holds at most '
             '4294967295',), caught.exception.problems)

    def test_last_extent_missing(self) -> None:
        self.assertEqual(
            ['A: its last extent is missing'],
            self.problems(root(crafted.record(b'A', flags=0x80),
                               crafted.record(b'B'))))

    def test_behind_the_end(self) -> None:
        self.assertEqual(
            ['A: ends at byte 409601, behind the end of the image (409600 '
             'bytes)'],
            self.problems(root(crafted.record(b'A', 199, 2049),
                               crafted.record(b'B', 199, 2048))))

    def test_truncated(self) -> None:
        data = root(crafted.record(b'A'))
        path = self.file(data[:-1])
        with self.assertRaises(errors.InputError) as caught:
            reader.read(path)
        self.assertEqual(
            (f'{path}: truncated: has 409599 bytes, 409600 by its volume '
             'descriptor',), caught.exception.problems)
        self.assertIn('checksum', caught.exception.hint)

    def test_truncated_before_a_directory(self) -> None:
        self.assertEqual(
            ['truncated: ends at byte 40960, but a directory is at byte '
             '40960'], self.problems(root()[:20 * 2048]))

    def test_longer_than_the_volume(self) -> None:
        self.assertEqual(1, len(self.read(
            root(crafted.record(b'A')) + b'x' * 100000).files))

    def test_later_session(self) -> None:
        first = root(crafted.record(b'A'))
        for gap in (0, 8):
            with self.subTest(gap):
                later = bytes(gap * 2048) + first
                problem, = self.problems(first + later)
                self.assertEqual(
                    f'a later session starts at byte {409600 + gap * 2048}, '
                    'but the volume descriptor is that of an older one',
                    problem)

    def test_volume_of_no_size(self) -> None:
        # Some programs that write to a pipe do not know it.
        self.assertEqual(1, len(self.read(crafted.image(
            {20: crafted.directory(crafted.record(b'A'))},
            primary=crafted.descriptor(blocks=0))).files))

    def test_no_image(self) -> None:
        nothing = ('not an ISO 9660 image (no volume descriptor at byte '
                   '32768)')
        image = root(crafted.record(b'A'))
        for what, data, expected in (
                ('empty', b'', nothing),
                ('text', b'hello\n' * 10000, nothing),
                ('cut in the first descriptor', image[:17 * 2048 - 1],
                 nothing),
                ('no end', image.replace(crafted.TERMINATOR, bytes(2048)),
                 'its volume descriptors have no end'),
                ('nothing but descriptors', image[:16 * 2048]
                 + crafted.descriptor() * 20,
                 'its volume descriptors have no end'),
                ('no primary descriptor',
                 crafted.image({}, primary=crafted.descriptor(2)),
                 'not a sound ISO 9660 image: no primary volume descriptor'),
                ('block size',
                 crafted.image({}, primary=crafted.descriptor(
                     block_size=4096)),
                 'not a sound ISO 9660 image: block size 4096 is none of '
                 '512, 1024, 2048')):
            with self.subTest(what):
                self.assertEqual([expected], self.problems(data))

    def test_damaged_record(self) -> None:
        self.assertEqual(['/: a record is cut off'], self.problems(
            root(b'\xff' * 40 + b'A' * 10).replace(
                b'\xff' * 40, b'\x28' + b'\xff' * 39)))

    def test_continuation_over_its_block(self) -> None:
        problem, = self.problems(root(
            posix(b'x', more=crafted.ce(50, 2000, 49)), rock_ridge=True))
        self.assertIn('a continuation area reaches over its block', problem)

    def test_all_at_once(self) -> None:
        self.assertEqual(3, len(self.problems(root(
            crafted.record(b'A', 500), crafted.record(b'a'),
            crafted.record(b'B/C'), crafted.record(b'D')))))

    def test_never_too_many(self) -> None:
        found = self.problems(root(
            *(crafted.record(b'%d' % number, 500) for number in range(30))))
        self.assertEqual(walk.MAX_PROBLEMS + 1, len(found))
        self.assertEqual('and 10 more', found[-1])


class TestLimits(TestCase):

    def test_entries(self) -> None:
        data = root(*(crafted.record(b'%d' % number) for number in range(4)))
        with mock.patch.object(walk, 'MAX_ENTRIES', 4):
            self.assertEqual(4, len(self.read(data).files))
        with mock.patch.object(walk, 'MAX_ENTRIES', 3):
            self.assertEqual(['holds more than 3 files and directories'],
                             self.problems(data))

    def test_metadata(self) -> None:
        # A hole of 4 GiB that says it is a directory.
        path = self.file(crafted.image(
            {20: crafted.directory(length=2 ** 32 - 1)},
            primary=crafted.descriptor(length=2 ** 32 - 1)))
        os.truncate(path, 5 * 2 ** 30)
        with self.assertRaisesRegex(errors.InputError,
                                    'directories take more than 25165824 '):
            reader.read(path)

    def test_depth(self) -> None:
        def chain(depth: int) -> bytes:
            return crafted.image({
                20 + number: crafted.directory(
                    crafted.record(b'D', 21 + number, 2048, 2),
                    block=20 + number) for number in range(depth)
            } | {20 + depth: crafted.directory(block=20 + depth)})
        self.assertEqual(32, len(self.read(chain(32)).directories))
        problem, = self.problems(chain(33))
        self.assertIn('is more than 32 directories deep', problem)


class TestVolume(TestCase):

    def test_created(self) -> None:
        unset = b'0' * 16 + b'\0'
        for created, modified, expected in (
                (b'2024010203040500\0', unset, 1704164645),
                (b'2024010203040500\x04', unset, 1704164645 - 3600),
                (b'2024010203040500\xfc', unset, 1704164645 + 3600),
                (unset, b'1970010100000100\0', 1),
                (b'rubbish, no date!', unset, records.FAT_EPOCH)):
            with self.subTest(created=created, modified=modified):
                found = self.read(crafted.image(
                    {20: crafted.directory()}, primary=crafted.descriptor(
                        created=created, modified=modified)))
                self.assertEqual(expected, found.created)

    def test_label(self) -> None:
        for label, expected in ((b'ESXI-8.0 U3', 'ESXI-8.0 U3'),
                                (b' X\0\0', ' X'), (b'a\x1bb', 'a?b'),
                                (b'', '')):
            with self.subTest(label):
                self.assertEqual(expected, self.read(crafted.image(
                    {20: crafted.directory()},
                    primary=crafted.descriptor(label=label))).label)

    def test_descriptors(self) -> None:
        first = root(crafted.record(b'A'))
        expected = hashlib.sha256(first[16 * 2048:18 * 2048]).hexdigest()
        self.assertEqual(expected, self.read(first).descriptors)
        self.assertEqual(expected, self.read(
            root(crafted.record(b'B'))).descriptors)

    def test_source(self) -> None:
        path = self.file(root())
        self.assertEqual(path, reader.read(path).source)


class TestFiles(TestCase):

    def test_not_a_file(self) -> None:
        folder = self.tmp()
        os.mkfifo(folder / 'pipe')
        for name, expected in (
                ('', 'is a directory'), ('pipe', 'is not a file'),
                ('absent', 'no such file')):
            with self.subTest(name):
                with self.assertRaisesRegex(errors.InputError, expected):
                    reader.read(str(folder / name))

    def test_environment(self) -> None:
        path = self.file(root())
        for name in ('open', 'pread'):
            for number in (errno.EACCES, errno.EIO):
                failure = OSError(number, os.strerror(number))
                with self.subTest(name, errno=number), \
                        mock.patch.object(os, name, autospec=True,
                                          side_effect=failure):
                    with self.assertRaisesRegex(
                            errors.EnvironmentFailed,
                            f'{path}: {os.strerror(number).lower()}'):
                        reader.read(path)

    def test_leaves_no_file_open(self) -> None:
        path = self.file(root())
        before = os.listdir('/proc/self/fd')
        reader.read(path)
        os.truncate(path, 100)
        for bad in (path, os.path.dirname(path)):
            with self.assertRaises(errors.InputError):
                reader.read(bad)
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_reads_only_metadata(self) -> None:
        seen = []

        def pread(fd: int, length: int, offset: int) -> bytes:
            seen.append((offset // 2048, length))
            return real(fd, length, offset)

        real = os.pread
        path = self.file(root(crafted.record(b'A', 100, 2048)))
        with mock.patch.object(os, 'pread', pread):
            reader.read(path)
        self.assertEqual({16, 17, 20}, {block for block, _ in seen})
        self.assertTrue(stat.S_ISREG(os.stat(path).st_mode))
