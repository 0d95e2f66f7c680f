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


import io
import os
import stat
from unittest import mock

from esxi_img import errors
from esxi_img import folder
from esxi_img.iso import reader
from esxi_img import report
from esxi_img import sample
from esxi_img import tree
from tests import base


def silent():
    return report.Report(quiet=True)


class Counting(report.Report):
    """Keeps what was said, and the bytes that were told of."""

    def __init__(self):
        super().__init__(stream=io.StringIO())
        self.lines = []
        self.total = self.done = 0

    def progress(self, what, total):
        self.lines.append(what)
        self.total = total
        bar = mock.MagicMock()
        bar.__enter__.return_value = self.count
        # An exception is not swallowed.
        bar.__exit__.return_value = False
        return bar

    def count(self, count):
        self.done += count


class FillTests(base.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = base.temporary_folder()
        cls.addClassCleanup(place.__exit__, None, None, None)
        path = place.__enter__() / 'sample.iso'
        with open(path, 'w+b') as output:
            sample.write(output, sample.SIZES[0])
        cls.iso = str(path)
        cls.source = reader.scan(cls.iso).tree

    def test_all_files_and_folders(self):
        root, counting = str(self.tmp()), Counting()
        folder.fill(root, self.source, self.iso, counting)
        found = {}
        for parent, folders, files in os.walk(root):
            for name in folders:
                path = os.path.relpath(os.path.join(parent, name), root)
                self.assertIn(tuple(path.split('/')),
                              self.source.directories)
            for name in files:
                with open(os.path.join(parent, name), 'rb') as file:
                    path = os.path.relpath(file.name, root)
                    found[tuple(path.split('/'))] = file.read()
        self.assertEqual({file.path for file in self.source.files},
                         set(found))
        for file in self.source.files:
            if file.size < 1 << 20:
                self.assertEqual(reader.content(self.iso, file),
                                 found[file.path])
            self.assertEqual(file.size, len(found[file.path]))
        self.assertEqual([f'unpacking {self.iso}'], counting.lines)
        self.assertEqual(counting.total, counting.done)
        self.assertEqual(sum(map(len, found.values())), counting.total)

    def test_scan_finds_the_same(self):
        root = str(self.tmp())
        folder.fill(root, self.source, self.iso, silent())
        directories, sizes = folder.scan(root)
        self.assertEqual(set(self.source.directories), directories)
        self.assertEqual({file.path: file.size
                          for file in self.source.files}, sizes)

    def test_extents_in_pieces(self):
        root = self.tmp()
        (root / 'iso').write_bytes(b'0123456789')
        (root / 'mnt').mkdir()
        folder.fill(str(root / 'mnt'), tree.Tree(
            'x', '', 0, '', '', (('a',), ('a', 'b'), ('empty',)), (
                tree.File(('a', 'b', 'c d'), 5, (
                    tree.Extent(7, 2), tree.Extent(1, 3))),
                tree.File(('nothing',), 0, ()))),
            str(root / 'iso'), silent())
        self.assertEqual(b'78123',
                         (root / 'mnt/a/b/c d').read_bytes())
        self.assertEqual(b'', (root / 'mnt/nothing').read_bytes())
        self.assertTrue((root / 'mnt/empty').is_dir())

    def test_nothing_is_replaced(self):
        for name in ('boot.cfg', 'efi'):
            root = self.tmp()
            (root / name).write_text('mine')
            with self.assertRaisesRegex(errors.EnvironmentFailed,
                                        'file exists') as caught:
                folder.fill(str(root), self.source, self.iso, silent())
            self.assertIn(str(root), str(caught.exception))
            self.assertEqual('mine', (root / name).read_text())

    def test_links_are_not_followed(self):
        root, other = self.tmp(), self.tmp() / 'other'
        (root / 'boot.cfg').symlink_to(other)
        with self.assertRaises(errors.EnvironmentFailed):
            folder.fill(str(root), self.source, self.iso, silent())
        self.assertFalse(other.exists())

    def test_no_folder(self):
        with self.assertRaisesRegex(errors.EnvironmentFailed, '/nonexist'):
            folder.fill('/nonexistent/efi', self.source, self.iso, silent())

    def test_shorter_than_it_was(self):
        short = self.tmp() / 'short.iso'
        with open(self.iso, 'rb') as file:
            short.write_bytes(file.read()[:4 << 20])
        with self.assertRaisesRegex(errors.InputError, 'short.iso: ends at'):
            folder.fill(str(self.tmp()), self.source, str(short), silent())

    def test_the_disk_is_full(self):
        with mock.patch.object(os, 'pwrite', autospec=True,
                               side_effect=OSError(28, 'No space left')):
            with self.assertRaisesRegex(errors.EnvironmentFailed,
                                        'no space left') as caught:
                folder.fill(str(self.tmp()), self.source, self.iso, silent())
        self.assertTrue(caught.exception.hint)


class ScanTests(base.TestCase):

    def refused(self, root, error=errors.InputError):
        with self.assertRaises(error) as caught:
            folder.scan(str(root))
        return caught.exception.problems

    def test_empty(self):
        self.assertEqual((set(), {}), folder.scan(str(self.tmp())))

    def test_names_as_they_are(self):
        root = self.tmp()
        names = ['EFI', 'efi', 'a b', 'ü', '-x', '.hidden', 'new\nline',
                 os.fsdecode(b'\xff')]
        for name in names:
            (root / name / 'below').mkdir(parents=True)
            (root / name / 'file').write_bytes(b'12345')
        directories, sizes = folder.scan(str(root))
        self.assertEqual({(name,) for name in names}
                         | {(name, 'below') for name in names}, directories)
        self.assertEqual({(name, 'file'): 5 for name in names}, sizes)

    def test_sizes(self):
        root = self.tmp()
        with open(root / 'sparse', 'wb') as file:
            file.truncate(5 << 30)
        (root / 'empty').touch()
        (root / 'one').write_bytes(b'1')
        os.link(root / 'one', root / 'other')
        self.assertEqual(
            {('sparse',): 5 << 30, ('empty',): 0, ('one',): 1,
             ('other',): 1}, folder.scan(str(root))[1])

    def test_what_fat_has_not(self):
        root = self.tmp()
        (root / 'folder').mkdir()
        (root / 'file').touch()
        (root / 'folder/link').symlink_to('../file')
        (root / 'dangling').symlink_to('nowhere')
        (root / 'to-folder').symlink_to('folder')
        os.mkfifo(root / 'pipe')
        os.mknod(root / 'socket', stat.S_IFSOCK)
        problems = self.refused(root)
        self.assertEqual(
            [str(root / name) for name in sorted((
                'dangling', 'folder/link', 'pipe', 'socket', 'to-folder'))],
            [problem.partition(': ')[0] for problem in problems])
        for problem in problems:
            self.assertIn('neither a file nor a directory', problem)

    def test_a_link_out_of_the_tree_is_not_entered(self):
        root = self.tmp()
        (root / 'etc').symlink_to('/etc')
        self.assertEqual(1, len(self.refused(root)))

    def test_no_folder(self):
        problem, = self.refused('/nonexistent/efi')
        self.assertIn('/nonexistent/efi', problem)

    def test_no_permission(self):
        root = self.tmp()
        (root / 'closed').mkdir()
        real = os.scandir

        def scandir(path):
            if str(path).endswith('closed'):
                raise PermissionError(13, 'Permission denied', path)
            return real(path)

        # Root could read it: so it is told otherwise.
        with mock.patch.object(os, 'scandir', autospec=True,
                               side_effect=scandir):
            problem, = self.refused(root, errors.EnvironmentFailed)
        self.assertIn(f'{root}/closed: permission denied', problem)
