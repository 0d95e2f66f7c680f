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
import pathlib
import stat
from unittest import mock

from esxi_img.firstboot import files
from esxi_img.firstboot import steps
from tests import base


def mode_of(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class FilesTests(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.path = self.folder / 'file'

    def write(self, content: str, mode: int | None = 0o600) -> None:
        files.write(steps.File(str(self.path), content, mode))

    def umask(self, mask: int) -> None:
        self.addCleanup(os.umask, os.umask(mask))

    def test_content_and_mode_whatever_the_umask(self) -> None:
        for mask in (0, 0o022, 0o077):
            self.umask(mask)
            for mode in (0o600, 0o644, 0o755):
                with self.subTest(mask=oct(mask), mode=oct(mode)):
                    self.write('ä\n', mode)
                    self.assertEqual('ä\n'.encode(), self.path.read_bytes())
                    self.assertEqual(mode, mode_of(self.path))
        self.assertEqual([self.path], list(self.folder.iterdir()))

    def test_folders_are_made(self) -> None:
        self.umask(0)
        self.path = self.folder / 'etc' / 'ssh' / 'keys-root' / 'file'
        self.write('x')
        self.assertEqual('x', self.path.read_text())
        for folder in list(self.path.parents)[:3]:
            self.assertEqual(0o755, mode_of(folder))

    def test_bytes_that_are_no_text_come_back(self) -> None:
        data = b'\xff\xfe key\n'
        self.write(data.decode('utf-8', 'surrogateescape'))
        self.assertEqual(data, self.path.read_bytes())

    def test_a_whole_file_takes_the_place_of_another(self) -> None:
        self.write('much longer than what follows', 0o644)
        before = self.path.open()
        self.addCleanup(before.close)
        files.replace(str(self.path), b'short', 0o600)
        self.assertEqual('short', self.path.read_text())
        self.assertEqual(0o600, mode_of(self.path))
        self.assertEqual('much longer', before.read(11))

    def test_a_file_of_a_plan_is_written_in_place(self) -> None:
        self.write('much longer than what follows', 0o644)
        self.path.chmod(0o1644)
        before = self.path.stat().st_ino
        self.write('short')
        self.assertEqual('short', self.path.read_text())
        self.assertEqual(before, self.path.stat().st_ino)
        self.assertEqual(0o1600, self.path.stat().st_mode & 0o7777)

    def test_what_a_crash_left_behind_is_no_hindrance(self) -> None:
        elsewhere = self.folder / 'elsewhere'
        elsewhere.write_text('mine')
        (self.folder / 'file.new').symlink_to(elsewhere)
        self.write('x')
        self.assertEqual(('x', 'mine'), (self.path.read_text(),
                                         elsewhere.read_text()))
        self.assertFalse(self.path.is_symlink())

    def test_the_sticky_bit_stays(self) -> None:
        self.path.write_text('')
        self.path.chmod(0o1600)
        self.write('x', 0o640)
        self.assertEqual(0o1640, mode_of(self.path))

    def test_no_modes_as_on_fat(self) -> None:
        with mock.patch.object(os, 'fchmod', autospec=True,
                               side_effect=PermissionError):
            self.write('x', 0o644)
        self.assertEqual('x', self.path.read_text())

    def test_a_failure_leaves_the_old_file(self) -> None:
        self.path.write_text('old')
        full = OSError(errno.ENOSPC, 'no space')
        for name in ('write', 'fsync', 'replace'):
            with self.subTest(name), \
                    mock.patch.object(os, name, autospec=True,
                                      side_effect=full), \
                    self.assertRaises(OSError):
                files.replace(str(self.path), b'new', 0o600)
            self.assertEqual('old', self.path.read_text())
            self.assertEqual([self.path], list(self.folder.iterdir()))

    def test_nothing_stays_on_the_disk_of_what_was_in_vain(self) -> None:
        kept = self.folder / 'kept'
        beside, real = self.folder / 'file.new', os.write

        def fill(fd: int, data: bytes) -> int:
            if kept.exists():
                if bytes(data).strip(b'\0'):
                    raise OSError(errno.ENOSPC, 'no space')
            else:
                os.link(beside, kept)
            return real(fd, data[:6])

        with mock.patch.object(os, 'write', autospec=True, side_effect=fill), \
                self.assertRaises(OSError):
            files.replace(str(self.path), b'secret and more', 0o600)
        self.assertEqual(bytes(6), kept.read_bytes())
        self.assertEqual([kept], list(self.folder.iterdir()))

    def test_nor_of_what_a_crash_left_behind(self) -> None:
        kept = self.folder / 'kept'
        kept.write_text('secret')
        os.link(kept, self.folder / 'file.new')
        self.write('x')
        self.assertEqual(bytes(6), kept.read_bytes())

    def test_mode_that_nobody_said(self) -> None:
        self.umask(0o077)
        self.write('x', None)
        self.assertEqual(0o644, mode_of(self.path))
        self.path.chmod(0o1755)
        self.write('y', None)
        self.assertEqual((0o1755, 'y'),
                         (mode_of(self.path), self.path.read_text()))

    def test_it_is_on_the_disk_before_it_has_the_name(self) -> None:
        calls = []
        real = {name: getattr(os, name) for name in ('fsync', 'replace')}
        with mock.patch.multiple(os, **{
                name: lambda *args, name=name: (
                    calls.append(name), real[name](*args))
                for name in real}):
            self.write('x')
        self.assertEqual(['fsync', 'replace'], calls)

    def test_short_writes(self) -> None:
        write = os.write
        with mock.patch.object(os, 'write', autospec=True,
                               side_effect=lambda fd, data:
                               write(fd, data[:3])):
            self.write('0123456789')
        self.assertEqual('0123456789', self.path.read_text())

    def test_no_such_place(self) -> None:
        self.path.write_text('x')
        self.path = self.path / 'below' / 'file'
        with self.assertRaises(OSError):
            self.write('x')

    def test_no_such_name_or_content(self) -> None:
        with self.assertRaises(ValueError):
            self.write('\ud800')
        self.path = self.folder / 'a\0b'
        with self.assertRaises(ValueError):
            self.write('x')


class AppendTests(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.tmp() / 'file'

    def append(self, content: str, mode: int | None = 0o600) -> bytes:
        files.write(steps.File(str(self.path), content, mode, True))
        return self.path.read_bytes()

    def test_behind_what_is_there(self) -> None:
        self.path.write_text('one\n')
        self.path.chmod(0o1644)
        before = self.path.stat().st_ino
        self.assertEqual(b'one\ntwo\n', self.append('two\n', 0o640))
        self.assertEqual(before, self.path.stat().st_ino)
        self.assertEqual(0o1640, mode_of(self.path))

    def test_mode_that_nobody_said(self) -> None:
        self.append('one\n', None)
        self.assertEqual(0o644, mode_of(self.path))
        self.path.chmod(0o1755)
        self.assertEqual(b'one\ntwo\n', self.append('two\n', None))
        self.assertEqual(0o1755, mode_of(self.path))

    def test_once(self) -> None:
        for before in '', 'one\n', 'two', 'two\nt', 'o\n':
            self.path.write_text(before)
            for _ in range(3):
                self.assertEqual(f'{before}two\n'.encode(),
                                 self.append('two\n'))

    def test_it_ends_with_it_already(self) -> None:
        for before in 'two\n', 'one two\n':
            self.path.write_text(before)
            self.assertEqual(before.encode(), self.append('two\n', 0o640))
            self.assertEqual(0o640, mode_of(self.path))

    def test_no_file(self) -> None:
        self.path = self.path / 'below' / 'file'
        for content in '', 'one':
            self.assertEqual(content.encode(), self.append(content, 0o644))
            self.assertEqual(0o644, mode_of(self.path))

    def test_no_text(self) -> None:
        data = b'\xff\xfe key\n'
        self.path.write_bytes(b'\xff')
        for _ in range(2):
            self.assertEqual(b'\xff' + data, self.append(
                data.decode('utf-8', 'surrogateescape')))

    def test_through_a_link(self) -> None:
        other = self.path.parent / 'other'
        other.write_text('one')
        self.path.symlink_to(other)
        self.assertEqual(b'onetwo', self.append('two'))
        self.assertTrue(self.path.is_symlink())

    def test_no_room(self) -> None:
        self.path.write_text('one\n')
        write = os.write

        def fill(fd: int, data: bytes) -> int:
            if len(data) < 4:
                raise OSError(errno.ENOSPC, 'full')
            return write(fd, data[:1])

        with mock.patch.object(os, 'write', autospec=True,
                               side_effect=fill), \
                self.assertRaises(OSError):
            self.append('two\n')
        self.assertEqual(b'one\n', self.path.read_bytes())

    def test_short_writes(self) -> None:
        self.path.write_text('one')
        write = os.write
        with mock.patch.object(os, 'write', autospec=True,
                               side_effect=lambda fd, data:
                               write(fd, data[:3])):
            self.assertEqual(b'one0123456789', self.append('0123456789'))
