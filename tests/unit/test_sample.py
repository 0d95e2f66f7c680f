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

import gzip
import hashlib
import io
import os
import time
import typing
import unittest
from unittest import mock
import zlib

from esxi_img.cmd import sample_iso
from esxi_img import errors
from esxi_img.iso import reader
from esxi_img import sample
from esxi_img import tree
from tests import base


def paths(found: tree.Tree) -> set[str]:
    return {tree.show(file.path) for file in found.files}


class TestSample(base.TestCase):

    found: tree.Tree
    path: str

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # One for all tests: it takes a third of a second.
        holder = unittest.TestCase()
        cls.addClassCleanup(holder.doCleanups)
        cls.path = str(base.TestCase.tmp(typing.cast(base.TestCase, holder))
                       / 'sample.iso')
        with open(cls.path, 'wb') as output:
            sample.write(output, 8)
        cls.found = reader.read(cls.path)

    def content(self, name: str) -> bytes:
        file = self.found.find(*name.split('/'))
        assert file, name
        return reader.content(self.path, file)

    def test_is_like_an_installer(self) -> None:
        self.assertEqual('ESXI-8.0U3-24022510-STANDARD', self.found.label)
        self.assertEqual('Rock Ridge', self.found.names)
        self.assertEqual({('efi',), ('efi', 'boot'), ('upgrade',)},
                         set(self.found.directories))
        self.assertLess(
            {'boot.cfg', 'efi/boot/boot.cfg', 'efi/boot/bootx64.efi',
             'b.b00', 'k.b00', 's.v00', 'imgdb.tgz', 'tools.t00',
             'isolinux.bin', 'boot.cat', 'efiboot.img', '.discinfo',
             'upgrade/metadata.zip', 'vmware-esx-base-readme'},
            paths(self.found))

    def test_boot_cfg(self) -> None:
        for name in ('boot.cfg', 'efi/boot/boot.cfg'):
            lines = dict(line.split('=', 1) for line in
                         self.content(name).decode('ascii').splitlines())
            modules = lines.pop('modules').split(' --- ')
            self.assertEqual(
                {'bootstate': '0', 'title': 'Loading ESXi installer',
                 'timeout': '5', 'prefix': '', 'kernel': '/b.b00',
                 'kernelopt': 'runweasel cdromBoot',
                 'build': '8.0.3-0.0.24022510', 'updated': '0'}, lines)
            self.assertEqual(len(set(modules)), len(modules))
            self.assertLessEqual({f'/{name}' for name in (
                'jumpstrt.gz', 's.v00', 'tools.t00')}, set(modules))
            self.assertLess(set(modules),
                            {f'/{path}' for path in paths(self.found)})
            # What a real vmkernel takes, with room for one more.
            self.assertIn(len(modules), range(90, 130))

    def test_modules_are_what_the_loader_takes(self) -> None:
        for name in (sample.KERNEL, *sample.MODULES):
            with self.subTest(name):
                packed = self.content(name)
                member = zlib.decompressobj(16 + zlib.MAX_WBITS)
                data = member.decompress(packed)
                self.assertTrue(member.eof)
                self.assertEqual(b'', member.unused_data)
                self.assertNotEqual(b'\x7fELF', data[:4])
                self.assertIn(name.encode('ascii'), data[:80])
                # As incompressible as the real ones.
                self.assertGreater(len(zlib.compress(data)),
                                   len(data) * 0.99)

    def test_date_is_fixed(self) -> None:
        # 2024-06-25 00:00:00 UTC.
        self.assertEqual(1719273600, self.found.created)

    def test_records_are_dated(self) -> None:
        with open(self.path, 'rb') as iso:
            head = iso.read(self.found.files[0].extents[0].offset)
        # Each file has a record in two trees, and three times of its own.
        self.assertGreater(head.count(bytes((124, 6, 25, 0, 0, 0, 0))),
                           5 * len(self.found.files))
        self.assertEqual(6, head.count(b'20240625' + b'0' * 8 + b'\0'))

    def test_same_bytes(self) -> None:
        with open(self.path, 'rb') as iso:
            expected = hashlib.sha256(iso.read()).hexdigest()
        was = os.environ.get('TZ')
        self.addCleanup(time.tzset)
        self.addCleanup(
            lambda: os.environ.pop('TZ') if was is None
            else os.environ.update(TZ=was))
        os.environ['TZ'] = 'Asia/Tokyo'
        time.tzset()
        again = io.BytesIO()
        with mock.patch.object(time, 'time', autospec=True,
                               return_value=4000000000.0):
            sample.write(again, 8)
        self.assertEqual(expected,
                         hashlib.sha256(again.getvalue()).hexdigest())

    def test_size(self) -> None:
        for megabytes in (8, 12, 40):
            with self.subTest(megabytes):
                output = io.BytesIO()
                sample.write(output, megabytes)
                size = len(output.getvalue())
                self.assertLess(abs(size / (megabytes * 10 ** 6) - 1), 0.03)

    def test_size_out_of_bounds(self) -> None:
        for megabytes in (-1, 0, 7, 4001):
            with self.subTest(megabytes):
                with self.assertRaisesRegex(errors.RequestError,
                                            f'{megabytes} MB'):
                    sample.write(io.BytesIO(), megabytes)

    def test_loader_changes_nothing_else(self) -> None:
        path = str(self.tmp() / 'other.iso')
        program = b'MZ' + bytes(100000)
        with open(path, 'wb') as output:
            sample.write(output, 8, program)
        other = reader.read(path)
        self.assertEqual(paths(self.found), paths(other))
        changed = {
            tree.show(file.path) for file in other.files
            if reader.content(path, file) != self.content(
                tree.show(file.path))}
        # The boot catalog and the boot information table hold addresses.
        self.assertEqual({'efi/boot/bootx64.efi'},
                         changed - {'boot.cat', 'isolinux.bin'})
        loader = other.find('efi', 'boot', 'bootx64.efi')
        assert loader
        self.assertEqual(program, reader.content(path, loader))


class TestModule(base.TestCase):

    def test_any_read_sizes(self) -> None:
        length = 3 * 65535 + 17
        whole = sample._Module('x', length).read(10 ** 6)
        self.assertEqual(length, len(gzip.decompress(whole)))
        for size in (1000, 65535, 65536, 200001):
            with self.subTest(size):
                module = sample._Module('x', length)
                module.read(size)
                module.seek(0)
                parts = list(iter(lambda: module.read(size), b''))
                self.assertEqual(whole, b''.join(parts))
                self.assertEqual([size] * (len(parts) - 1),
                                 [len(part) for part in parts[:-1]])

    def test_seek_elsewhere(self) -> None:
        with self.assertRaises(io.UnsupportedOperation):
            sample._Module('x', 10).seek(3)

    def test_names_differ(self) -> None:
        self.assertNotEqual(sample._Module('x', 99).read(99)[40:],
                            sample._Module('y', 99).read(99)[40:])


class TestEfiProgram(base.TestCase):

    def test_read(self) -> None:
        path = self.tmp() / 'x.efi'
        path.write_bytes(b'MZ')
        self.assertEqual(b'MZ', sample.efi_program(str(path)))

    def test_refused(self) -> None:
        folder = self.tmp()
        (folder / 'empty').write_bytes(b'')
        with open(folder / 'huge', 'wb') as huge:
            huge.truncate(sample.MAX_EFI + 1)
        for name, expected in (
                ('absent', 'absent: no such file'), ('', 'is a directory'),
                ('empty', 'empty is empty'),
                ('huge', 'huge: has more than 64000000 bytes')):
            with self.subTest(name):
                with self.assertRaisesRegex(errors.InputError, expected):
                    sample.efi_program(str(folder / name))


class TestCommand(base.TestCase):

    def run_main(self, *argv: str) -> tuple[int, str]:
        """Exit code, and what went to stderr."""
        stderr = io.StringIO()
        with mock.patch('sys.argv', ['esxi-img-sample-iso', *argv]), \
                mock.patch('sys.stderr', stderr), \
                mock.patch('esxi_img.cmd.common._catch_signals',
                           autospec=True):
            return sample_iso.main(), stderr.getvalue()

    def test_writes(self) -> None:
        path = self.tmp() / 'x.iso'
        self.assertEqual((0, ''), self.run_main('--size-mb=8', str(path)))
        self.assertEqual(['x.iso'], os.listdir(path.parent))
        self.assertIn(('b.b00',), [file.path for file
                                   in reader.read(str(path)).files])

    def test_refuses_to_replace(self) -> None:
        path = self.tmp() / 'x.iso'
        path.write_bytes(b'mine')
        self.assertEqual(
            (2, f'error: output {path} exists\nhint: --force replaces it\n'),
            self.run_main('--size-mb=8', str(path)))
        self.assertEqual(b'mine', path.read_bytes())
        self.assertEqual((0, ''), self.run_main('--size-mb=8', '--force',
                                                str(path)))
        self.assertNotEqual(b'mine', path.read_bytes()[:4])

    def test_leaves_nothing_behind(self) -> None:
        folder = self.tmp()
        for argv, code in ((('--size-mb=7',), 2),
                           (('--efi', str(folder / 'absent')), 3)):
            with self.subTest(argv):
                self.assertEqual(
                    code, self.run_main(*argv, str(folder / 'x.iso'))[0])
                self.assertEqual([], os.listdir(folder))
