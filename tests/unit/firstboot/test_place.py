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
import pathlib
import stat
import unittest.mock

from esxi_img.firstboot import place
from tests import base


class TestPlaces(base.TestCase):

    def test_of_a_host(self) -> None:
        places = place.Places()
        package = pathlib.Path(place.__file__).parent
        self.assertEqual(str(package.parent), places.home)
        self.assertEqual(
            ('/tmp/esxiimg', '/tmp/esxiimg/new', '/tmp/esxiimg/drive',
             '/tmp/esxiimg/pre.json', '/tmp/esxiimg/journal.jsonl',
             '/vmfs/volumes', ('/bootbank', '/altbootbank'),
             '/var/log/esxi-img', '/etc/hosts'),
            (places.work, places.staged, places.drive, places.pre,
             places.journal, places.volumes, places.banks, places.logs,
             places.path('/etc/hosts')))

    def test_below_a_folder(self) -> None:
        places = place.Places('/x', '/y/esxiimg')
        self.assertEqual(
            ('/x/tmp/esxiimg/pre.json', ('/x/bootbank', '/x/altbootbank'),
             '/y/esxiimg/drive/a'),
            (places.pre, places.banks, places.own('drive', 'a')))


class TestRead(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.file = self.folder / 'file'

    def test_content(self) -> None:
        self.file.write_bytes(b'\0\xff')
        (self.folder / 'link').symlink_to('file')
        for name in ('file', 'link'):
            self.assertEqual(b'\0\xff', place.read(str(self.folder / name)))

    def test_nothing_to_read(self) -> None:
        os.mkfifo(self.folder / 'fifo')
        (self.folder / 'nowhere').symlink_to('missing')
        (self.folder / 'loop').symlink_to('loop')
        for name in ('missing', 'fifo', 'nowhere', 'loop', '', 'a' * 5000):
            with self.subTest(name):
                self.assertIsNone(place.read(str(self.folder / name)))
        self.assertIsNone(place.read('/dev/zero'))

    def test_too_large(self) -> None:
        for size, is_read in ((place.LIMIT, True), (place.LIMIT + 1, False)):
            with open(self.file, 'wb') as file:
                file.truncate(size)
            self.assertEqual(is_read, place.read(str(self.file)) is not None)

    def test_failing_device(self) -> None:
        self.file.write_bytes(b'x')
        with unittest.mock.patch('builtins.open',
                                 side_effect=OSError(5, 'EIO')):
            self.assertIsNone(place.read(str(self.file)))

    def test_everything_is_closed(self) -> None:
        self.file.write_bytes(b'x')
        before = os.listdir('/proc/self/fd')
        for path in (self.file, self.folder, '/dev/zero'):
            place.read(str(path))
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_json(self) -> None:
        for content, expected in (
                (b'{"a": [1]}', {'a': [1]}), (b'\xef\xbb\xbf{"a": 1}',
                                              {'a': 1}),
                (b'', {}), (b'{', {}), (b'[]', {}), (b'"a"', {}),
                (b'null', {}), (b'\xff\xfe\x00', {}),
                (b'{"a":' * 5000, {}), (b'{"a": ' + b'9' * 9999 + b'}',
                                        {'a': None})):
            with self.subTest(content[:20]):
                self.file.write_bytes(content)
                self.assertEqual(expected, place.read_json(str(self.file)))
        self.assertEqual({}, place.read_json(str(self.folder / 'missing')))

    def test_write_json(self) -> None:
        path = self.folder / 'a/b.json'
        place.write_json(str(path), {'b': 1, 'a': '\udcff'})
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        self.assertEqual({'a': '\udcff', 'b': 1},
                         place.read_json(str(path)))


class TestDestroy(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp() / 'folder'
        (self.folder / 'a/b').mkdir(parents=True)
        self.paths = [self.folder / name for name in ('1', 'a/2', 'a/b/3')]
        for path in self.paths:
            path.write_bytes(b'secret' * 20000)
        self.outside = self.tmp() / 'outside'
        self.outside.write_bytes(b'outside')

    def keep(self, path: pathlib.Path) -> pathlib.Path:
        """A second name, which shows what becomes of the bytes."""
        kept = self.tmp() / path.name
        os.link(path, kept)
        return kept

    def test_folder(self) -> None:
        kept = [self.keep(path) for path in self.paths]
        place.destroy(str(self.folder))
        self.assertFalse(self.folder.exists())
        self.assertEqual([bytes(120000)] * 3,
                         [path.read_bytes() for path in kept])

    def test_file(self) -> None:
        kept = self.keep(self.paths[0])
        self.paths[0].chmod(0o400)
        place.destroy(str(self.paths[0]))
        self.assertFalse(self.paths[0].exists())
        self.assertEqual(bytes(120000), kept.read_bytes())

    def test_short_writes(self) -> None:
        kept = self.keep(self.paths[0])
        real = os.write
        with unittest.mock.patch(
                'os.write', lambda fd, data: real(fd, data[:999])):
            place.destroy(str(self.paths[0]))
        self.assertEqual(bytes(120000), kept.read_bytes())

    def test_links_are_not_followed(self) -> None:
        (self.folder / 'file').symlink_to(self.outside)
        (self.folder / 'dir').symlink_to(self.outside.parent)
        place.destroy(str(self.folder))
        self.assertFalse(self.folder.exists())
        self.assertEqual(b'outside', self.outside.read_bytes())
        link = self.outside.parent / 'link'
        link.symlink_to(self.outside)
        place.destroy(str(link))
        self.assertEqual([self.outside], [*self.outside.parent.iterdir()])
        self.assertEqual(b'outside', self.outside.read_bytes())

    def test_no_regular_file(self) -> None:
        os.mkfifo(self.folder / 'fifo')
        place.destroy(str(self.folder))
        self.assertFalse(self.folder.exists())

    def test_one_that_cannot_be_written(self) -> None:
        kept = [self.keep(path) for path in self.paths]
        real = os.open

        def refuse(path: str, flags: int, *more: int) -> int:
            if path == str(self.paths[1]):
                raise PermissionError(13, 'refused')
            return real(path, flags, *more)

        with unittest.mock.patch('os.open', refuse):
            with self.assertRaises(PermissionError):
                place.destroy(str(self.folder))
        self.assertFalse(self.folder.exists())
        self.assertEqual([True, False, True],
                         [path.read_bytes() == bytes(120000)
                          for path in kept])

    def test_one_that_cannot_be_removed(self) -> None:
        real = os.unlink

        def refuse(path: str) -> None:
            if path == str(self.paths[0]):
                raise OSError(30, 'read-only')
            real(path)

        with unittest.mock.patch('os.unlink', refuse):
            with self.assertRaises(OSError) as caught:
                place.destroy(str(self.folder))
        self.assertEqual('read-only', caught.exception.strerror)
        self.assertEqual([self.paths[0]], [*self.folder.iterdir()])
        self.assertEqual(bytes(120000), self.paths[0].read_bytes())

    def test_missing(self) -> None:
        with self.assertRaises(FileNotFoundError):
            place.destroy(str(self.folder / 'missing'))
