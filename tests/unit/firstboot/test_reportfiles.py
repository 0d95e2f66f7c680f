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

"""Files of a host are read without waiting, following or changing."""

import os
import pathlib
import time

from esxi_img.firstboot import reportfiles
from esxi_img.firstboot import reportmodel
from tests import base

SECRET = 'of /etc/shadow'


class TestCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.root = self.tmp()
        self.reader = reportfiles.Reader(str(self.root))

    def put(self, name: str, content: str | bytes = '') -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes)
                         else content.encode())
        return path


class TestFile(TestCase):

    def test_whole(self) -> None:
        self.put('a/b', 'one\ntwo')
        self.assertEqual(reportmodel.File('/a/b', 7, 'one\ntwo'),
                         self.reader.file('/a/b'))
        self.assertIsNone(self.reader.file('/a/c'))
        self.assertIsNone(self.reader.file('/c/c'))

    def test_its_start_or_its_end(self) -> None:
        self.put('a', 'one\ntwo\nthree\n')
        for tail, text, note in (
                (False, 'one\ntwo\nt', 'its first 9 bytes'),
                (True, 'three\n', 'its last 9 bytes')):
            self.assertEqual(
                reportmodel.File('/a', 14, text, note),
                self.reader.file('/a', 9, tail=tail))

    def test_lines_that_count(self) -> None:
        self.put('a', 'one\ntwo\nthree\n')
        found = self.reader.file('/a', keep=lambda line: 'o' in line)
        self.assertEqual('one\ntwo\n', found and found.text)

    def test_bytes_that_are_no_text(self) -> None:
        self.put('a', b'a\xff\0\n\xe2\x82')
        found = self.reader.file('/a')
        self.assertEqual('a\\xff\0\n\\xe2\\x82', found and found.text)

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.root / 'fifo')
        (self.root / 'folder').mkdir()
        (self.root / 'null').symlink_to('/dev/null')
        self.put('shadow', SECRET)
        (self.root / 'link').symlink_to('shadow')
        (self.root / 'nowhere').symlink_to('none')
        began = time.monotonic()
        for name, note in (('fifo', 'is no regular file'),
                           ('folder', 'is no regular file'),
                           ('null', 'is a link'), ('link', 'is a link'),
                           ('nowhere', 'is a link')):
            self.assertEqual(reportmodel.File(f'/{name}', 0, '', note),
                             self.reader.file(f'/{name}'))
        self.assertLess(time.monotonic() - began, 10)

    def test_a_log_may_be_a_link_to_one(self) -> None:
        self.put('scratch/log/a.log', 'said')
        self.put('shadow', SECRET)
        (self.root / 'log').symlink_to('scratch/log')
        self.put('run/x')
        (self.root / 'run/a.log').symlink_to('../log/a.log')
        (self.root / 'run/b.log').symlink_to('../shadow')
        for name, log, text in (('/log/a.log', True, 'said'),
                                ('/run/a.log', True, 'said'),
                                ('/run/a.log', False, ''),
                                ('/run/b.log', True, '')):
            found = self.reader.file(name, log=log)
            self.assertEqual(text, found and found.text)

    def test_no_more_room(self) -> None:
        reader = reportfiles.Reader(str(self.root), 10)
        for name in 'abc':
            self.put(name, f'{name}234567')
        self.assertEqual(
            [('a234567', ''), ('567', 'the report is full'),
             ('', 'the report is full')],
            [(found.text, found.note) for found in (
                reader.file(f'/{name}', tail=True) for name in 'abc')
             if found])
        self.assertEqual('', reader.room_for('x'))

    def test_an_endless_file(self) -> None:
        with open(self.root / 'a', 'wb') as file:
            file.truncate(1 << 40)
        found = self.reader.file('/a', 1 << 12, tail=True)
        self.assertEqual(1 << 40, found and found.size)
        self.assertLessEqual(len(found.text if found else 'x' * 9999),
                             1 << 12)


class TestFolder(TestCase):

    def test_names_and_sizes(self) -> None:
        self.put('a/file', '123')
        self.put('a/b/c/d', SECRET)
        (self.root / 'a/link').symlink_to('file')
        os.mkfifo(self.root / 'a/fifo')
        found = self.reader.below('/a')
        self.assertEqual(
            [('b', None, 'folder'), ('b/c', None, 'folder'),
             ('b/c/d', 14, 'file'), ('fifo', 0, 'other'),
             ('file', 3, 'file'), ('link', None, '-> file')],
            [tuple(entry) for entry in found])
        self.assertEqual(['b', 'b/c', 'fifo', 'file', 'link'], [
            entry.name for entry in self.reader.below('/a', 2)])
        self.assertEqual([], self.reader.below('/none'))
        self.assertEqual([], self.reader.below('/a/file'))

    def test_links_are_not_followed(self) -> None:
        (self.root / 'a').mkdir()
        (self.root / 'a/loop').symlink_to('.')
        self.assertEqual(['loop'], [
            entry.name for entry in self.reader.below('/a')])
        self.assertFalse(self.reader.is_folder('/a/loop'))
        self.assertTrue(self.reader.is_folder('/a'))

    def test_very_many(self) -> None:
        for number in range(600):
            self.put(f'a/{number:03}/x')
        found = self.reader.below('/a')
        self.assertEqual(501, len(found))
        self.assertEqual(('...', None, 'and more'), tuple(found[-1]))

    def test_names_that_are_no_text(self) -> None:
        (self.root / 'a').mkdir()
        open(os.fsencode(self.root) + b'/a/\xff\n', 'wb').close()
        entry, = self.reader.below('/a')
        self.assertEqual('\\xff\n', entry.name)

    def test_real(self) -> None:
        self.put('vmfs/volumes/5f/x')
        (self.root / 'bootbank').symlink_to('vmfs/volumes/5f')
        (self.root / 'out').symlink_to('/etc')
        for name, real in (('/bootbank', '/vmfs/volumes/5f'),
                           ('/bootbank/x', '/vmfs/volumes/5f/x'),
                           ('/none', '/none'), ('/out', '/out')):
            self.assertEqual(real, self.reader.real(name))
