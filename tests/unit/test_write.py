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


import errno
import os
import stat
from unittest import mock

from esxi_img.disk import compose
from esxi_img.disk import layout
from esxi_img import errors
from esxi_img import tree
from esxi_img import write
from tests import base


class ReplacingTests(base.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = self.tmp()
        self.path = self.folder / 'x.img'

    def write(self, data=b'new', force=False, path=None):
        name = str(self.path if path is None else path)
        with write.replacing(name, force) as output:
            output.write(data)

    def names(self):
        return sorted(os.listdir(self.folder))

    def refused(self, path, part, force=True):
        with self.assertRaises(errors.RequestError) as caught:
            self.write(path=path, force=force)
        self.assertIn(part, str(caught.exception))

    def test_new_file(self):
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        self.write()
        self.assertEqual(b'new', self.path.read_bytes())
        self.assertEqual(['x.img'], self.names())
        self.assertEqual(0o640, stat.S_IMODE(self.path.stat().st_mode))

    def test_existing_file(self):
        self.path.write_bytes(b'old')
        self.refused(self.path, 'exists', force=False)
        self.assertEqual(b'old', self.path.read_bytes())
        self.write(force=True)
        self.assertEqual(b'new', self.path.read_bytes())
        self.assertEqual(['x.img'], self.names())

    def test_a_file_that_came_meanwhile(self):
        with self.assertRaisesRegex(errors.RequestError, 'exists'):
            with write.replacing(str(self.path)) as output:
                output.write(b'new')
                self.path.write_bytes(b'theirs')
        self.assertEqual(b'theirs', self.path.read_bytes())
        self.assertEqual(['x.img'], self.names())

    def test_no_hard_links_there(self):
        with mock.patch.object(os, 'link', autospec=True,
                               side_effect=OSError(errno.EPERM, 'no')):
            self.write()
            self.assertEqual(b'new', self.path.read_bytes())
            self.refused(self.path, 'exists', force=False)

    def test_an_error_leaves_nothing(self):
        for error in (KeyError('x'), KeyboardInterrupt()):
            with self.assertRaises(type(error)):
                with write.replacing(str(self.path)) as output:
                    output.write(b'half')
                    raise error
            self.assertEqual([], self.names())

    def test_disk_full(self):
        for number, part in ((errno.ENOSPC, 'free some space'),
                             (errno.EFBIG, 'ulimit')):
            with self.assertRaises(errors.EnvironmentFailed) as caught:
                with write.replacing(str(self.path)):
                    raise OSError(number, os.strerror(number))
            self.assertIn(str(self.path), str(caught.exception))
            self.assertIn(part, caught.exception.hint)
            self.assertEqual([], self.names())

    def test_what_is_no_regular_file(self):
        fifo = self.folder / 'fifo'
        os.mkfifo(fifo)
        dangling = self.folder / 'dangling'
        dangling.symlink_to('nowhere')
        for force in (True, False):
            self.refused(self.folder, 'a directory', force)
            self.refused(fifo, 'a pipe', force)
            self.refused(dangling, 'dangling link', force)
            self.refused('/dev/null', 'a character device', force)
        self.assertEqual(['dangling', 'fifo'], self.names())
        self.refused(str(self.folder) + '/', 'names no file')
        self.refused('', 'names no file')
        self.refused(self.folder / 'no' / 'x', 'does not exist')

    def test_a_name_as_long_as_can_be(self):
        for name in ('x' * 255, '\u20ac' * 85, '\udcff' * 255):
            path = self.folder / name
            self.write(path=path)
            self.assertEqual(b'new', path.read_bytes())

    def test_the_mode_of_what_is_replaced_stays(self):
        self.path.write_bytes(b'old')
        self.path.chmod(0o600)
        self.write(force=True)
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_a_link_stays_a_link(self):
        self.path.write_bytes(b'old')
        link = self.folder / 'link'
        link.symlink_to('x.img')
        self.refused(link, 'exists', force=False)
        self.write(path=link, force=True)
        self.assertTrue(link.is_symlink())
        self.assertEqual(b'new', self.path.read_bytes())


class PartsTests(base.TestCase):
    """Several files, of which all get their names, or none."""

    def setUp(self):
        super().setUp()
        self.folder = self.tmp()
        self.paths = [str(self.folder / name) for name in 'abc']

    def write(self, force=False, between=lambda parts: None):
        with write.parts(self.paths, force) as parts:
            for part in parts:
                part.file.write(b'new')
                part.flush()
            between(parts)
            write.publish(parts, force)

    def content(self):
        return {path.name: path.read_bytes()
                for path in sorted(self.folder.iterdir())}

    def test_all(self):
        self.write()
        self.assertEqual(dict.fromkeys('abc', b'new'), self.content())

    def test_they_are_there_from_the_start(self):
        with self.assertRaises(KeyError):
            with write.parts(self.paths, False) as parts:
                self.assertEqual(
                    sorted(os.path.basename(part.path) for part in parts),
                    sorted(os.listdir(self.folder)))
                raise KeyError('x')
        self.assertEqual({}, self.content())

    def test_one_that_exists(self):
        (self.folder / 'c').write_bytes(b'old')
        with self.assertRaisesRegex(errors.RequestError, 'c exists'):
            self.write()
        self.assertEqual({'c': b'old'}, self.content())

    def test_one_that_came_meanwhile(self):
        for name in 'abc':
            path = self.folder / name
            with self.assertRaisesRegex(errors.RequestError, 'exists'):
                self.write(between=lambda _: path.write_bytes(b'theirs'))
            self.assertEqual({name: b'theirs'}, self.content())
            path.unlink()

    def test_one_that_cannot_have_its_name(self):
        (self.folder / 'a').write_bytes(b'old')
        with self.assertRaisesRegex(errors.EnvironmentFailed, '/c: is a dir'):
            self.write(True, lambda _: (self.folder / 'c').mkdir())
        (self.folder / 'c').rmdir()
        # What was replaced is replaced; what was new is gone again.
        self.assertEqual({'a': b'new'}, self.content())

    def test_in_order(self):
        order = []
        real = write._rename

        def rename(part, force):
            order.append(os.path.basename(part.final))
            real(part, force)

        with mock.patch.object(write, '_rename', autospec=True,
                               side_effect=rename):
            self.write()
        self.assertEqual(['a', 'b', 'c'], order)

    def test_a_mode_that_forbids_reading(self):
        for name in 'abc':
            (self.folder / name).touch(mode=0o200)
        self.write(force=True, between=self.read)
        self.assertEqual(
            {0o200}, {stat.S_IMODE(path.stat().st_mode)
                      for path in self.folder.iterdir()})

    def read(self, parts):
        for part in parts:
            part.file.seek(0)
            self.assertEqual(b'new', part.file.read())

    def test_a_folder_that_cannot_be_flushed(self):
        real = os.open

        def refuse(path, flags, *rest):
            if flags & os.O_DIRECTORY:
                raise PermissionError(errno.EACCES, 'no', path)
            return real(path, flags, *rest)

        with mock.patch.object(os, 'open', autospec=True,
                               side_effect=refuse):
            self.write()
        self.assertEqual(dict.fromkeys('abc', b'new'), self.content())


class ImageTests(base.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = self.tmp()
        self.source = self.folder / 'source'
        self.source.write_bytes(bytes(range(256)) * 100)

    def pieces(self):
        stored = layout.Stored(str(self.source), (
            tree.Extent(5, 3000), tree.Extent(20000, 10)))
        return [compose.Piece(0, b'head'), compose.Piece(100, stored),
                compose.Piece(9000, b'tail')]

    def expected(self):
        data = self.source.read_bytes()
        image = bytearray(10000)
        image[:4], image[9000:9004] = b'head', b'tail'
        image[100:3110] = data[5:3005] + data[20000:20010]
        return bytes(image)

    def image(self):
        seen = []
        path = self.folder / 'image'
        with open(path, 'wb') as output:
            write.image(self.pieces(), 10000, output, seen.append)
        self.assertEqual(4 + 3010 + 4, sum(seen))
        return path.read_bytes()

    def test_pieces_lie_where_they_should(self):
        self.assertEqual(self.expected(), self.image())

    def test_small_chunks(self):
        with mock.patch.object(write, 'CHUNK', 7):
            with mock.patch.object(write, 'FLUSH', 100):
                self.assertEqual(self.expected(), self.image())

    def test_short_reads_and_writes(self):
        read, put = os.preadv, os.pwrite
        with mock.patch.object(
                os, 'preadv', lambda fd, views, at: read(
                    fd, [views[0][:11]], at)):
            with mock.patch.object(
                    os, 'pwrite', lambda fd, data, at: put(
                        fd, bytes(data[:7]), at)):
                self.assertEqual(self.expected(), self.image())

    def test_an_unreadable_source_is_named(self):
        with mock.patch.object(os, 'preadv', autospec=True, side_effect=(
                OSError(errno.EIO, 'Input/output error'))):
            with self.assertRaisesRegex(errors.EnvironmentFailed,
                                        'source: input/output error'):
                self.image()

    def test_source_shorter_than_it_was(self):
        self.source.write_bytes(bytes(3000))
        with self.assertRaisesRegex(errors.InputError,
                                    'ends at byte 3000, 5 bytes more'):
            self.image()
        self.source.unlink()
        with self.assertRaisesRegex(errors.InputError, 'no such file'):
            self.image()
