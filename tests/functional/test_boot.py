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

"""The image boots, and every byte that the boot loader would read is right.

OVMF starts GRUB as the image's BOOTX64.EFI.  GRUB hashes boot.cfg, the
kernel and all modules; what they should be is worked out here from the ISO
as xorriso reads it, with nothing of the project's code.
"""

import dataclasses
import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import posixpath
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib

from tests import base
from tests.functional import qemu

GRUB_CFG = pathlib.Path(__file__).parent / 'boot' / 'grub.cfg'
GRUB_FOLDER = '/usr/lib/grub/x86_64-efi'
GRUB_MODULES = ('normal part_gpt fat tar search hashsum gcry_sha256 regexp '
                'echo test serial terminfo halt')
TOOLS = (qemu.PROGRAM, *qemu.firmware(), 'grub-mkstandalone', GRUB_FOLDER,
         'xorriso', 'mcopy', 'mdel', 'fdisk', 'mkfs.vfat')

MIB = 1 << 20
ESP = MIB
"""Where the partition starts, in bytes; mtools finds no FAT elsewhere."""

BUNDLE = 'esxiimg.tgz'
KICKSTART = 'esxiimg/KS.CFG'
BOOT_CFGS = ('boot.cfg', 'efi/boot/boot.cfg')
KEYS = ('kernel kernelopt modules title prefix nobootif timeout noquirks '
        'norts crypto runtimewd tftpblksize acpitables runtimewdtimeout '
        'skip errtimeout').split()
"""Of the boot loader, in its order: an abbreviation is the first's."""

VERDICT = 'VERDICT (PASS|FAIL)'
RESULT = re.compile('^(.+): (OK|HASH MISMATCH|READ ERROR)$', re.MULTILINE)


def run(*command: str | os.PathLike, **kwargs: str) -> None:
    """A command that must succeed; what it says is for who debugs it."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)
    if done.returncode:
        raise AssertionError(f'{command}: {done.returncode}\n{done.stdout}')


def copy_out(image: pathlib.Path, name: str) -> bytes:
    """A file of the image's partition, as mtools reads it."""
    return subprocess.run(('mcopy', '-i', f'{image}@@{ESP}', f'::/{name}',
                           '-'), check=True, capture_output=True).stdout


def edited(boot_cfg: bytes) -> bytes:
    """The sample ISO's boot.cfg as it should be in the image."""
    return re.sub(
        b'(?m)^(modules=.*)$', rb'\1 --- /' + BUNDLE.encode(),
        boot_cfg.replace(b'runweasel cdromBoot\n',
                         b'runweasel ks=file:///' + KICKSTART.encode()
                         + b'\n'))


def settings(boot_cfg: bytes) -> dict[str, str]:
    """What the boot loader takes from a boot.cfg, by key."""
    found = {}
    for line in boot_cfg.decode('ascii').split('\n'):
        word, equals, value = ' '.join(line.split()).partition('=')
        key = next((key for key in KEYS if key.startswith(word.lower())),
                   None)
        if equals and key:
            found[key] = value.strip()
    return found


def loaded(boot_cfg: bytes, folder: str) -> list[str]:
    """Kernel and modules in the boot loader's order, from the root down.

    :param folder: where the boot.cfg lies, with a slash at the start
    """
    values = settings(boot_cfg)
    items = [values['kernel'], *values['modules'].split('---')]
    prefix = values.get('prefix') or folder
    return [posixpath.join(prefix, item.split()[0]).lstrip('/')
            for item in items if item.strip()]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of a boot: PASS, FAIL or None; what became of each file."""

    verdict: str | None
    results: dict[str, str]
    log: str = dataclasses.field(compare=False, repr=False)


class Media:
    """An ISO with GRUB in it, and what is made from it, made once."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.tree = folder / 'tree'
        self.iso = folder / 'sample.iso'
        grub = folder / 'grub.efi'
        run('grub-mkstandalone', '-O', 'x86_64-efi',
            '-d', GRUB_FOLDER, '-o', grub, f'--modules={GRUB_MODULES}',
            '--install-modules=', '--fonts=', '--locales=', '--themes=',
            f'boot/grub/grub.cfg={GRUB_CFG}')
        run(sys.executable, '-m', 'esxi_img.cmd.sample_iso', '--size-mb',
            '10', '--efi', grub, self.iso)
        run('xorriso', '-osirrox', 'on', '-indev', self.iso,
            '-extract', '/', self.tree)
        run('chmod', '-R', 'u+w', self.tree)

    @functools.cache
    def image(self, sector_size: int) -> pathlib.Path:
        """Made by the program under test."""
        image = self.folder / f'{sector_size}.img'
        run(sys.executable, '-m', 'esxi_img', '--sector-size',
            str(sector_size), '--output', image, self.iso)
        return image

    def copy(self, folder: pathlib.Path) -> pathlib.Path:
        """An image to do something to."""
        return shutil.copyfile(self.image(512), folder / 'copy.img')

    @functools.cache
    def files(self, sector_size: int) -> dict[str, bytes]:
        """All that the loader reads, in its order, by path."""
        files = {name: edited((self.tree / name).read_bytes())
                 for name in BOOT_CFGS}
        for name, boot_cfg in list(files.items()):
            for path in loaded(boot_cfg, '/' + posixpath.dirname(name)):
                files[path] = (copy_out(self.image(sector_size), path)
                               if path == BUNDLE
                               else (self.tree / path).read_bytes())
        return files

    @functools.cache
    def expected(self, sector_size: int) -> pathlib.Path:
        """A disk with the list of hashes: a bare tar archive."""
        text = ''.join(
            f'{sha256(content)}  {name}\n'
            for name, content in self.files(sector_size).items()).encode()
        disk = self.folder / f'{sector_size}.tar'
        with tarfile.open(disk, 'w') as archive:
            member = tarfile.TarInfo('expected.sha256')
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        return disk

    @functools.cache
    def control(self) -> pathlib.Path:
        """A disk with 4096-byte sectors and the image's files, by others.

        It is by fdisk, for of a file sgdisk believes that it has 512.
        """
        disk = self.folder / 'control.img'
        size = 300
        with open(disk, 'wb') as file:
            file.truncate((size + 2) * MIB)
        start = str(ESP // 4096)
        run('fdisk', '--sector-size', '4096', disk,
            input=f'g\nn\n1\n{start}\n\nt\nuefi\nw\n')
        run('mkfs.vfat', '-F', '32', '-S', '4096', '-s', '1',
            '--offset', start, disk, str(size * 1024))
        partition = f'{disk}@@{ESP}'
        run('mcopy', '-s', '-i', partition, *self.tree.iterdir(), '::/')
        for name, content in self.files(4096).items():
            (self.folder / 'file').write_bytes(content)
            run('mcopy', '-o', '-i', partition, self.folder / 'file',
                f'::/{name}')
        return disk


class TestCase(base.TestCase):
    media: Media

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls().require(*TOOLS)
        folder = tempfile.mkdtemp(prefix='esxi-img-test-')
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.media = Media(pathlib.Path(folder))


class TestExpected(TestCase):
    """What the boots compare with."""

    def test_loaded(self) -> None:
        text = (b'# modules=/no\r\nKERN=k arg\nmodules=/no\n'
                b'modules =/no\n\tmodules= /a.v00 x---b.v00 ---  \nprefix=')
        for folder, more, expected in (
                ('/', b'', ['k', 'a.v00', 'b.v00']),
                ('/x', b'\n', ['x/k', 'a.v00', 'x/b.v00']),
                ('/', b'/y', ['y/k', 'a.v00', 'y/b.v00'])):
            with self.subTest(folder=folder, more=more):
                self.assertEqual(expected, loaded(text + more, folder))

    def test_everything_is_listed(self) -> None:
        for sector_size in (512, 4096):
            files = self.media.files(sector_size)
            boot_cfg = files['efi/boot/boot.cfg']
            count = boot_cfg.count(b'---') + 1
            self.assertEqual(len(BOOT_CFGS) + 1 + count, len(files))
            # The sample ISO has no other names like these.
            modules = {path.name for path in self.media.tree.iterdir()
                       if re.fullmatch('.[bvt][0-9]{2}|.t?gz', path.suffix)}
            self.assertEqual(modules | {BUNDLE}, set(files) - set(BOOT_CFGS))

    def test_boot_cfg(self) -> None:
        for name in BOOT_CFGS:
            boot_cfg = self.media.files(512)[name]
            self.assertEqual(f'runweasel ks=file:///{KICKSTART}',
                             settings(boot_cfg)['kernelopt'])
            self.assertEqual(BUNDLE, loaded(boot_cfg, '/')[-1])

    def test_bundle(self) -> None:
        for sector_size in (512, 4096):
            bundle = self.media.files(sector_size)[BUNDLE]
            plain = gzip.decompress(bundle)
            # The loader takes both from the file's end.
            self.assertEqual(struct.pack('<II', zlib.crc32(plain),
                                         len(plain)), bundle[-8:])
            one = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            one.decompress(bundle)
            self.assertEqual((True, b''), (one.eof, one.unused_data))
            with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
                kickstart = archive.extractfile(KICKSTART).read()
                facts = json.load(archive.extractfile(
                    'esxiimg/build.json'))
            self.assertIn(b'\nvmaccepteula\n', kickstart)
            self.assertEqual(sector_size, facts['sector_size'])


class TestBoot(TestCase):

    def boot(self, disk: pathlib.Path, bus: str = 'sata',
             sector_size: int = 512) -> Outcome:
        log = qemu.boot(disk, bus, self.media.expected(sector_size), VERDICT)
        verdict = re.search(VERDICT, log)
        return Outcome(verdict and verdict[1], dict(RESULT.findall(log)), log)

    def check(self, outcome: Outcome, *wrong: str,
              sector_size: int = 512) -> None:
        """Every file was read whole, and all but these are right."""
        self.assertEqual('FAIL' if wrong else 'PASS', outcome.verdict,
                         outcome.log)
        self.assertEqual(list(self.media.files(sector_size)),
                         list(outcome.results))
        self.assertEqual(
            dict.fromkeys(wrong, 'HASH MISMATCH'),
            {name: result for name, result in outcome.results.items()
             if result != 'OK'})

    def test_512(self) -> None:
        self.check(self.boot(self.media.image(512)))

    def test_512_on_a_larger_disk(self) -> None:
        # The backup partition table is not at the disk's end then.
        disk = self.media.copy(self.tmp())
        os.truncate(disk, 1 << 30)
        self.check(self.boot(disk))

    def test_512_on_sectors_of_4096(self) -> None:
        # Cannot be: else the disks here are not what they are meant to be.
        outcome = self.boot(self.media.image(512), 'nvme-4096')
        self.assertIsNone(outcome.verdict, outcome.log)
        self.assertRegex(outcome.log, qemu.GAVE_UP)

    def check_4096(self, bus: str) -> None:
        """The firmware boots it, if it can boot any such disk."""
        outcome = self.boot(self.media.image(4096), bus, 4096)
        control = self.boot(self.media.control(), bus, 4096)
        self.assertEqual(control, outcome,
                         f'{control.log}\n--- ours:\n{outcome.log}')
        if outcome.verdict is None:
            self.skipTest('NOT TESTED: this firmware boots no disk with '
                          'sectors of 4096 bytes, whoever made it')
        self.check(outcome, sector_size=4096)

    def test_4096_nvme(self) -> None:
        self.check_4096('nvme-4096')

    def test_4096_virtio(self) -> None:
        self.check_4096('virtio-4096')

    def test_damaged_files(self) -> None:
        # One byte each, a file's first and last among them.
        disk = self.media.copy(self.tmp())
        files = self.media.files(512)
        names = list(files)
        first, middle, last = names[2], names[len(names) // 2], names[-1]
        content = disk.read_bytes()
        with open(disk, 'r+b') as file:
            for name, at in ((first, 0), (middle, len(files[middle]) // 2),
                             (last, len(files[last]) - 1)):
                start = content.find(files[name])
                self.assertLess(0, start, f'{name} is not in one piece')
                file.seek(start + at)
                file.write(bytes([files[name][at] ^ 1]))
        self.check(self.boot(disk), first, middle, last)

    def test_missing_module(self) -> None:
        disk = self.media.copy(self.tmp())
        name = list(self.media.files(512))[-2]
        run('mdel', '-i', f'{disk}@@{ESP}', f'::/{name}')
        outcome = self.boot(disk)
        self.assertEqual('FAIL', outcome.verdict, outcome.log)
        self.assertRegex(outcome.log, f'{name}.* not found')
        self.assertNotIn(name, outcome.results)

    def test_altered_boot_cfg(self) -> None:
        folder = self.tmp()
        disk = self.media.copy(folder)
        name = BOOT_CFGS[1]
        (folder / 'altered').write_bytes(
            self.media.files(512)[name].replace(b'runweasel', b'runweasle'))
        run('mcopy', '-o', '-i', f'{disk}@@{ESP}', folder / 'altered',
            f'::/{name}')
        self.check(self.boot(disk), name)
