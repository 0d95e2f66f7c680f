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

from esxi_img.firstboot import folder
from esxi_img.firstboot import volume
from tests import base


class TestFolder(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.tmp()
        self.folder = folder.Folder(str(self.path))

    def only(self, name: str) -> volume.Entry:
        entry, = (entry for entry in self.folder.entries()
                  if entry.name == name)
        return entry

    def assert_refused(self, name: str, problem: str) -> None:
        with self.assertRaisesRegex(volume.Damaged, problem):
            self.folder.read(self.only(name), 100)

    def test_files_and_folders(self) -> None:
        (self.path / 'sub').mkdir()
        (self.path / 'sub/file').write_bytes(b'content')
        sub = self.only('sub')
        self.assertTrue(sub.is_folder)
        file, = self.folder.entries(sub)
        self.assertEqual(('file', False, 7), file[:3])
        self.assertEqual(b'content', self.folder.read(file, 7))
        self.assertEqual(('folder', None),
                         (self.folder.kind, self.folder.label))

    def test_limit(self) -> None:
        (self.path / 'file').write_bytes(b'content')
        with self.assertRaisesRegex(volume.Damaged, '7 bytes, more'):
            self.folder.read(self.only('file'), 3)

    def test_limit_of_what_has_no_size(self) -> None:
        self.folder = folder.Folder('/proc/self')
        with self.assertRaisesRegex(volume.Damaged, '4 bytes, more'):
            self.folder.read(self.only('status'), 3)

    def test_nothing_is_waited_for(self) -> None:
        # Not even if it becomes a FIFO at the last moment.
        (self.path / 'file').write_bytes(b'content')
        with unittest.mock.patch('os.open', wraps=os.open,
                                 autospec=True) as opened:
            self.folder.read(self.only('file'), 7)
        _, flags = opened.call_args.args
        self.assertTrue(flags & os.O_NONBLOCK)

    def test_links_are_followed(self) -> None:
        (self.path / 'real').mkdir()
        (self.path / 'real/file').write_bytes(b'content')
        (self.path / 'folder').symlink_to('real')
        (self.path / 'file').symlink_to('real/file')
        self.assertTrue(self.only('folder').is_folder)
        self.assertEqual(b'content', self.folder.read(self.only('file'), 7))

    def test_links_to_nowhere(self) -> None:
        (self.path / 'gone').symlink_to('nowhere')
        (self.path / 'circle').symlink_to('circle')
        self.assert_refused('gone', 'cannot be read: No such file')
        self.assert_refused('circle', 'cannot be read: Too many')

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.path / 'fifo')
        (self.path / 'zero').symlink_to('/dev/zero')
        for name in ('fifo', 'zero'):
            self.assertFalse(self.only(name).is_folder)
            self.assert_refused(name, 'not a regular file')

    def test_names_that_are_no_utf8(self) -> None:
        name = os.fsencode(self.path) + b'/\xff\xfe'
        with open(name, 'wb') as file:
            file.write(b'content')
        entry, = self.folder.entries()
        self.assertEqual(b'\xff\xfe', os.fsencode(entry.name))
        self.assertEqual(b'content', self.folder.read(entry, 7))

    def test_folder_that_cannot_be_listed(self) -> None:
        for path in ('nowhere', 'file'):
            (self.path / 'file').write_bytes(b'')
            with self.subTest(path), self.assertRaisesRegex(
                    volume.Damaged, 'cannot be listed: (No such|Not a)'):
                folder.Folder(str(self.path / path)).entries()

    def test_very_many_names(self) -> None:
        (self.path / 'a').write_bytes(b'')
        with self.assertRaisesRegex(volume.Damaged, 'more than 2097152'):
            for _ in range(volume.MAX_METADATA // folder.CHARGE + 1):
                self.folder.entries()
