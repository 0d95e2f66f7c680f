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

"""Our reader on foreign ISOs, foreign readers on our sample ISO."""

import hashlib
import os
import pathlib
import subprocess
import sys

from esxi_img import errors
from esxi_img.iso import reader
from esxi_img import tree
from tests import base

XORRISO = ('xorriso', '-as', 'mkisofs', '-quiet', '-input-charset', 'utf-8')
GENISOIMAGE = ('genisoimage', '-quiet', '-input-charset', 'utf-8')
BOOT = ('-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot',
        '-boot-load-size', '4', '-boot-info-table', '-eltorito-alt-boot',
        '-e', 'efiboot.img', '-no-emul-boot')
"""As the vendor documents it for an installer ISO."""

SIZES = (0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65536, 70000)
DEEP = 'one/two/three/four/five/six/seven/eight/nine/ten/eleven'

Contents = dict[str, str]
"""sha256 of each file by its path."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class TestCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('xorriso')
        self.folder = self.tmp()
        self.iso = self.folder / 'x.iso'

    def run_tool(self, *argv: str | os.PathLike) -> bytes:
        # Names are converted to what the locale says.
        done = subprocess.run(
            argv, env=os.environ | {'LC_ALL': 'C.UTF-8'},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout.decode(
            errors='replace'))
        return done.stdout

    def source(self, name: str = 'source') -> pathlib.Path:
        """A tree with an installer's names and sizes on the edges."""
        root = self.folder / name
        (root / 'efi/boot').mkdir(parents=True)
        (root / 'empty').mkdir()
        for size in SIZES:
            (root / f'size{size}.bin').write_bytes(
                hashlib.shake_128(b'%d' % size).digest(size))
        for path in ('isolinux.bin', 'efiboot.img'):
            (root / path).write_bytes(path.encode().ljust(4096))
        for path in ('boot.cfg', 'efi/boot/boot.cfg', '.discinfo'):
            (root / path).write_text(f'this is {path}\n')
        os.link(root / 'size4097.bin', root / 'efi/hard.bin')
        return root

    def deep(self) -> pathlib.Path:
        """A tree deeper than ISO 9660 allows, with files on the way."""
        root = self.folder / 'deep'
        (root / DEEP).mkdir(parents=True)
        (root / 'a' / DEEP).mkdir(parents=True)
        for path in (root / DEEP, root / 'a' / DEEP, (root / DEEP).parent):
            (path / 'file.txt').write_text(str(path.relative_to(root)))
        return root

    def extracted(self) -> tuple[Contents, set[str]]:
        """What xorriso finds: files and directories."""
        target = self.tmp() / 'extracted'
        self.run_tool('xorriso', '-osirrox', 'on', '-indev', self.iso,
                      '-extract', '/', target)
        self.run_tool('chmod', '-R', 'u+rwX', target)
        return self.listed(target)

    def listed(self, root: pathlib.Path) -> tuple[Contents, set[str]]:
        found = {str(path.relative_to(root)): path
                 for path in root.rglob('*')}
        return ({name: digest(path.read_bytes())
                 for name, path in found.items() if path.is_file()},
                {name for name, path in found.items() if path.is_dir()})

    def ours(self) -> tuple[Contents, set[str]]:
        found = reader.read(str(self.iso))
        return ({tree.show(file.path): digest(
                    reader.content(str(self.iso), file))
                 for file in found.files},
                {tree.show(path) for path in found.directories})

    def compare(self, *, without: str = '') -> None:
        """Ours against xorriso's, but for an empty folder of its own."""
        files, directories = self.extracted()
        self.assertTrue(files)
        self.assertEqual((files, directories - {without}), self.ours())


class TestXorriso(TestCase):

    def test_rock_ridge(self) -> None:
        source = self.source()
        for options in (('-R',), ('-R', '-J'), ('-R', '-J', *BOOT),
                        ('-R', '-J', '-hfsplus'), ('-R', '-iso-level', '1')):
            with self.subTest(options):
                self.run_tool(*XORRISO, *options, '-o', self.iso, source)
                self.assertEqual('Rock Ridge',
                                 reader.read(str(self.iso)).names)
                self.compare()
                files, directories = self.ours()
                if BOOT[0] in options:
                    # It was patched, as asked for.
                    del files['boot.cat']
                    files['isolinux.bin'] = digest(
                        (source / 'isolinux.bin').read_bytes())
                self.assertEqual(self.listed(source), (files, directories))
            self.iso.unlink()

    def test_joliet(self) -> None:
        source = self.source()
        (source / 'Näme mit Ümläut und mehr.txt').write_text('x')
        (source / 'sm\N{GRINNING FACE}le').write_text('y')
        self.run_tool(*XORRISO, '--norock', '-J', '-o', self.iso, source)
        self.assertEqual('Joliet', reader.read(str(self.iso)).names)
        self.compare()

    def test_plain(self) -> None:
        source = self.source()
        for options in ((), ('-iso-level', '2'), ('-iso-level', '3'),
                        ('-iso-level', '3', '-relaxed-filenames'),
                        ('-iso-level', '3', '-allow-lowercase'),
                        ('-D',)):
            with self.subTest(options):
                self.run_tool(*XORRISO, '--norock', *options,
                              '-o', self.iso, source)
                self.assertEqual('ISO 9660', reader.read(str(self.iso)).names)
                self.compare()
            self.iso.unlink()

    def test_names(self) -> None:
        source = self.source()
        for name in ('x' * 255, 'ünïcödé ' * 20, 'blank at the end ',
                     'semi;1', 'many.dots.in.it', '日本語', 'plus+,=[]'):
            (source / name).write_text(name)
        (source / ('d' * 200)).mkdir()
        (source / ('d' * 200) / ('f' * 250)).write_text('long')
        self.run_tool(*XORRISO, '-R', '-J', '-joliet-long', '-o', self.iso,
                      source)
        self.compare()
        self.assertEqual(self.listed(source), self.ours())

    def test_deep(self) -> None:
        source = self.deep()
        for options in ((), ('-D',), ('-rr_reloc_dir', 'rr_moved'),
                        ('-rr_reloc_dir', 'a')):
            with self.subTest(options):
                self.run_tool(*XORRISO, '-R', *options, '-o', self.iso,
                              source)
                self.assertEqual(self.listed(source), self.ours())
            self.iso.unlink()

    def test_partitions_in_the_system_area(self) -> None:
        source = self.source()
        mbr = self.folder / 'mbr'
        mbr.write_bytes(b'\x33\xed'.ljust(432, b'\x90'))
        for options in (
                ('-isohybrid-mbr', mbr, *BOOT, '-isohybrid-gpt-basdat'),
                ('-partition_offset', '16'),
                ('-append_partition', '2', '0xef', mbr)):
            with self.subTest(options[0]):
                self.run_tool(*XORRISO, '-R', '-J', *options, '-o', self.iso,
                              source)
                self.compare()
            self.iso.unlink()

    def test_grown(self) -> None:
        self.run_tool(*XORRISO, '-R', '-J', '-o', self.iso, self.source())
        for number in range(3):
            new = self.folder / f'new{number}'
            new.write_text(f'session {number}')
            self.run_tool('xorriso', '-dev', self.iso, '-rm',
                          f'/size{SIZES[number]}.bin', '--', '-map', new,
                          f'/{new.name}')
            with self.subTest(number):
                self.compare()
                files, _ = self.ours()
                self.assertIn(new.name, files)
                self.assertNotIn(f'size{SIZES[number]}.bin', files)

    def test_links_and_devices(self) -> None:
        source = self.source()
        (source / 'link').symlink_to('boot.cfg')
        os.mkfifo(source / 'pipe')
        self.run_tool(*XORRISO, '-R', '-o', self.iso, source)
        with self.assertRaises(errors.InputError) as caught:
            reader.read(str(self.iso))
        self.assertEqual((f'{self.iso}: link: is a symbolic link',
                          f'{self.iso}: pipe: is a pipe'),
                         caught.exception.problems)

    def test_case(self) -> None:
        source = self.source()
        (source / 'BOOT.cfg').write_text('another')
        self.run_tool(*XORRISO, '-R', '-o', self.iso, source)
        with self.assertRaisesRegex(
                errors.InputError,
                'boot.cfg: is the same name as BOOT.cfg'):
            reader.read(str(self.iso))

    def test_truncated(self) -> None:
        self.run_tool(*XORRISO, '-R', '-J', '-o', self.iso, self.source())
        size = self.iso.stat().st_size
        for left in (size - 1, size - 2048, size // 2, 40960, 32769):
            with self.subTest(left):
                os.truncate(self.iso, left)
                with self.assertRaises(errors.InputError):
                    reader.read(str(self.iso))


class TestGenisoimage(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('genisoimage')

    def test_modes(self) -> None:
        source = self.source()
        for options, names in (
                (('-R',), 'Rock Ridge'), (('-J',), 'Joliet'),
                ((), 'ISO 9660'), (('-R', '-J', '-udf'), 'Rock Ridge'),
                (('-l', '-iso-level', '3'), 'ISO 9660'),
                (('-relaxed-filenames', '-J', '-R', *BOOT), 'Rock Ridge')):
            with self.subTest(options):
                self.run_tool(*GENISOIMAGE, *options, '-o', self.iso, source)
                self.assertEqual(names, reader.read(str(self.iso)).names)
                self.compare()
            self.iso.unlink()

    def test_relocated(self) -> None:
        source = self.deep()
        for options, moved in (((), 'rr_moved'),
                               (('-hide-rr-moved',), '.rr_moved')):
            with self.subTest(options):
                self.run_tool(*GENISOIMAGE, '-R', '-J', *options,
                              '-o', self.iso, source)
                self.assertEqual(self.listed(source), self.ours())
                self.compare(without=moved)
            self.iso.unlink()

    def test_compressed(self) -> None:
        self.require('mkzftree')
        source, packed = self.source(), self.folder / 'packed'
        (source / 'text').write_text('text' * 10000)
        self.run_tool('mkzftree', source, packed)
        self.run_tool(*GENISOIMAGE, '-R', '-z', '-o', self.iso, packed)
        with self.assertRaisesRegex(errors.InputError,
                                    'TEXT.*compressed with zisofs'):
            reader.read(str(self.iso))

    def test_sessions_put_together(self) -> None:
        self.run_tool(*GENISOIMAGE, '-R', '-o', self.iso, self.source())
        sectors = self.iso.stat().st_size // 2048
        later, more = self.folder / 'later.iso', self.folder / 'more'
        more.mkdir()
        (more / 'new').write_text('new')
        self.run_tool(*GENISOIMAGE, '-R', '-C', f'0,{sectors}',
                      '-M', self.iso, '-o', later, more)
        with self.iso.open('ab') as iso:
            iso.write(later.read_bytes())
        with self.assertRaisesRegex(errors.InputError,
                                    f'session starts at byte {sectors * 2048}'
                                    ):
            reader.read(str(self.iso))


class TestSample(TestCase):

    def make(self, path: pathlib.Path, *options: str | os.PathLike,
             umask: int = 0o22, **environment: str) -> str:
        """Run the command; returns the sha256 of what it wrote."""
        subprocess.run(
            [sys.executable, '-m', 'esxi_img.cmd.sample_iso', '--size-mb',
             '8', *options, path],
            check=True, umask=umask, env=os.environ | environment)
        return digest(path.read_bytes())

    def test_same_bytes(self) -> None:
        first = self.make(self.iso)
        self.assertEqual(first, self.make(
            self.folder / 'y.iso', umask=0o77, TZ='Pacific/Apia',
            LC_ALL='C', PYTHONHASHSEED='7'))

    def test_other_loader(self) -> None:
        self.make(self.iso)
        before, _ = self.ours()
        program = self.folder / 'x.efi'
        program.write_bytes(b'MZ' + bytes(5000))
        self.make(self.iso, '--force', '--efi', program)
        self.compare()
        after, _ = self.ours()
        changed = {name for name in before if before[name] != after[name]}
        # The first two hold addresses of blocks.
        self.assertEqual({'efi/boot/bootx64.efi'},
                         changed - {'boot.cat', 'isolinux.bin'})
        self.assertEqual(digest(program.read_bytes()),
                         after['efi/boot/bootx64.efi'])

    def test_xorriso_reads_it(self) -> None:
        self.make(self.iso)
        self.compare()
        report = self.run_tool('xorriso', '-indev', self.iso,
                               '-report_el_torito', 'plain', '-pvd_info')
        words = ' '.join(report.decode().split())
        for expected in ('Volume Id : ESXI-8.0U3-24022510-STANDARD',
                         'Creation Time: 2024062500000000',
                         'Modif. Time : 2024062500000000',
                         'img path : 1 /isolinux.bin',
                         'img opts : 1 boot-info-table',
                         'img path : 2 /efiboot.img',
                         'boot img : 1 BIOS y none',
                         'boot img : 2 UEFI y none'):
            with self.subTest(expected):
                self.assertIn(expected, words)

    def test_isoinfo_reads_it(self) -> None:
        self.require('isoinfo')
        self.make(self.iso)
        expected, _ = self.ours()
        for option in ('-R', '-J'):
            listed = self.run_tool('isoinfo', option, '-f', '-i', self.iso)
            names = {line[1:] for line in listed.decode().splitlines()
                     if line.startswith('/')}
            self.assertLess(set(expected), names)
            for name in expected:
                with self.subTest(name, option=option):
                    data = self.run_tool('isoinfo', option, '-i', self.iso,
                                         '-x', f'/{name}')
                    self.assertEqual(expected[name], digest(data))
