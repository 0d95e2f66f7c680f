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

"""Strangers judge our image, and our reader judges theirs."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

from esxi_img.disk import readfat
from esxi_img.disk import readgpt
from tests import base

MIB = 1024 * 1024


def run(*command, **kwargs):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, **kwargs)
    if done.returncode:
        raise AssertionError(
            f'{command}: {done.returncode}\n{done.stdout}\n{done.stderr}')
    return done.stdout


def esxi_img(*arguments):
    return run(sys.executable, '-m', 'esxi_img', *arguments)


def sample(*arguments):
    return run(sys.executable, '-m', 'esxi_img.cmd.sample_iso', *arguments)


def files_below(folder):
    """sha256 of every file, by its path below the folder."""
    return {
        str(path.relative_to(folder)):
            hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(pathlib.Path(folder).rglob('*'))
        if path.is_file()}


class ImageTestCase(base.TestCase):
    TOOLS = ('sgdisk', 'fsck.vfat', 'mcopy', 'mdir', 'xorriso', 'blkid')

    def setUp(self):
        super().setUp()
        self.require(*self.TOOLS)
        self.folder = self.tmp()

    def extract(self, iso):
        """The ISO's files as xorriso reads them."""
        folder = self.folder / 'iso'
        run('xorriso', '-osirrox', 'on', '-indev', iso, '-extract', '/',
            folder)
        run('chmod', '-R', 'u+rwX', folder)
        return files_below(folder)

    def partition(self, image, sector_size):
        """The image's partition as a file of its own, cut by sgdisk's say."""
        first, last = self.sgdisk(image, sector_size)
        part = self.folder / 'partition'
        with open(image, 'rb') as source, open(part, 'wb') as target:
            source.seek(first * sector_size)
            left = (last - first + 1) * sector_size
            while left:
                chunk = source.read(min(left, MIB))
                self.assertTrue(chunk)
                target.write(chunk)
                left -= len(chunk)
        return part

    def sgdisk(self, image, sector_size):
        """sgdisk finds nothing wrong; first and last LBA of partition 1."""
        device = str(image)
        if sector_size != 512:
            # sgdisk takes 512 for a file: only a block device tells.
            self.require('losetup')
            if os.geteuid():
                self.skipTest('NOT TESTED: a loop device needs root')
            device = run('losetup', '-f', '--show', '-r', '-b', sector_size,
                         image).strip()
            self.addCleanup(run, 'losetup', '-d', device)
        said = run('sgdisk', '-v', device)
        self.assertIn('No problems found', said)
        for word in ('Problem', 'Warning', 'corrupt'):
            self.assertNotIn(word, said)
        info = run('sgdisk', '-i', '1', device)
        self.assertIn('C12A7328-F81F-11D2-BA4B-00A0C93EC93B', info)
        numbers = {line.split(':')[0]: line.split(':')[1].split()[0]
                   for line in info.splitlines() if 'sector: ' in line}
        return int(numbers['First sector']), int(numbers['Last sector'])

    def judge(self, iso, image, sector_size, changed):
        """All of the ISO's files, and only they and ours, are sound."""
        part = self.partition(image, sector_size)
        said = run('fsck.vfat', '-n', '-v', part)
        self.assertIn('32 bit entries', said)
        self.assertNotIn('differ', said)
        self.assertIn('TYPE="vfat"', run('blkid', '-p', part))
        wanted = self.extract(iso)
        for name in changed:
            wanted.pop(name, None)
        folder = self.folder / 'fat'
        folder.mkdir()
        run('mcopy', '-s', '-n', '-i', part, '::*', folder)
        found = files_below(folder)
        ours = {name: found.pop(name) for name in changed}
        self.assertEqual(wanted, found)
        return ours


class SampleTests(ImageTestCase):
    OURS = ('boot.cfg', 'efi/boot/boot.cfg', 'esxiimg.tgz')

    def check(self, sector_size):
        iso, image = self.folder / 's.iso', self.folder / 's.img'
        sample('--size-mb', '12', iso)
        esxi_img('--output', image, '--sector-size', sector_size, iso)
        self.judge(iso, image, sector_size, self.OURS)
        said = run(sys.executable, '-m', 'esxi_img.cmd.inspect', image)
        self.assertIn('esxiimg/KS.CFG', said)
        # Nothing that Glance's and Ironic's format check trips over.
        with open(image, 'rb') as file:
            head = file.read(MIB)
        self.assertEqual(bytes(48) + b'\x55\xaa', head[462:512])
        self.assertEqual(b'\x00\x00\x02\x00\xee', head[446:451])
        self.assertNotIn(b'CD001', head)

    def test_512(self):
        self.check(512)

    def test_4096(self):
        self.check(4096)

    def test_other_formats_hold_the_same(self):
        self.require('qemu-img')
        iso, image = self.folder / 's.iso', self.folder / 's.img'
        sample('--size-mb', '10', iso)
        esxi_img('--output', image, iso)
        for name, options in (
                ('qcow2', ()), ('qcow2', ('--compress',)), ('vmdk', ())):
            other = self.folder / 'other'
            esxi_img('--force', '--format', name, *options, '--output',
                     other, iso)
            run('qemu-img', 'compare', '-f', 'raw', '-F', name, image, other)
            if name == 'qcow2':
                run('qemu-img', 'check', '-f', name, other)
            facts = json.loads(run('qemu-img', 'info', '--output=json',
                                   other))
            self.assertEqual((name, image.stat().st_size),
                             (facts['format'], facts['virtual-size']))
            said = run(sys.executable, '-m', 'esxi_img.cmd.inspect', other)
            self.assertIn('esxiimg/KS.CFG', said)
        self.assertEqual(['other', 's.img', 's.iso'],
                         sorted(os.listdir(self.folder)))

    def test_a_vmdk_says_its_own_name(self):
        self.require('qemu-img')
        iso = self.folder / 's.iso'
        sample('--size-mb', '8', iso)
        made = []
        for folder in ('one', 'two'):
            (self.folder / folder).mkdir()
            image = self.folder / folder / 'esxi.vmdk'
            esxi_img('--format', 'vmdk', '--output', image, iso)
            made.append(image.read_bytes())
        self.assertIn(b' SPARSE "esxi.vmdk"\n', made[0])
        self.assertEqual(*made)

    def test_added_module_is_there_and_loaded(self):
        iso, image = self.folder / 's.iso', self.folder / 's.img'
        module = self.folder / 'net-driver.v00'
        module.write_bytes(b'\x1f\x8b\x08' + bytes(7) + b'\x03\0' + bytes(8))
        sample('--size-mb', '8', iso)
        esxi_img('--output', image, '--add-module', module, iso)
        ours = self.judge(iso, image, 512, (*self.OURS, 'net-driver.v00'))
        self.assertEqual(hashlib.sha256(module.read_bytes()).hexdigest(),
                         ours['net-driver.v00'])
        for name in self.OURS[:2]:
            cfg = (self.folder / 'fat' / name).read_text()
            self.assertIn(' --- /net-driver.v00 --- /esxiimg.tgz\n', cfg)


class OtherIsoTests(ImageTestCase):
    """ISOs whose names, sizes and depths the sample does not have."""

    def make(self, *options):
        source = self.folder / 'source'
        for name, data in {
                'boot.cfg': 'kernel=/b.b00\r\nkernelopt=runweasel\r\n'
                            'modules=/k.b00 --- /deep/er/x.v00\r\n',
                'efi/boot/boot.cfg': 'kernel=/b.b00\nkernelopt=\n'
                                     'modules=/k.b00\n',
                'efi/boot/bootx64.efi': 'MZ' * 5000,
                'b.b00': 'b' * 2048, 'k.b00': 'k' * 2047,
                'empty': '', 'one': '1', 'exact.bin': 'e' * 8192,
                'deep/er/x.v00': 'x' * 2049,
                'deep/er/and/deeper/still/and/more/yet/again/y.v00': 'y',
                'A Name of Mixed Case and more than 8.3.tar.gz': 'long' * 999,
                'Grüße aus München.txt': 'ü',
                **{f'many/file-number-{number}.v00': str(number) * number
                   for number in range(300)}}.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode())
        (source / 'empty folder').mkdir()
        iso = self.folder / 'other.iso'
        run('xorriso', '-as', 'mkisofs', '-quiet', '-V', 'OTHER', *options,
            '-o', iso, source)
        return iso

    def check(self, *options, sector_size=512):
        iso, image = self.make(*options), self.folder / 'other.img'
        esxi_img('--output', image, '--sector-size', sector_size, iso)
        self.judge(iso, image, sector_size, SampleTests.OURS)
        cfg = (self.folder / 'fat' / 'boot.cfg').read_bytes()
        self.assertEqual(3, cfg.count(b'\r\n'))
        self.assertTrue((self.folder / 'fat' / 'empty folder').is_dir())

    def test_rock_ridge(self):
        self.check('-R')

    def test_rock_ridge_4096(self):
        self.check('-R', sector_size=4096)

    def test_both(self):
        self.check('-R', '-J', '-joliet-long')


class TheirImageTests(ImageTestCase):
    """Our reader on a disk of sgdisk, mkfs.vfat and mcopy."""
    TOOLS = (*ImageTestCase.TOOLS, 'mkfs.vfat', 'mmd', 'mdel')

    def make(self, sector_size, clusters_of):
        size = 64 * MIB if sector_size == 512 else 400 * MIB
        part, image = self.folder / 'part', self.folder / 'disk'
        with open(part, 'wb') as file:
            file.truncate(size)
        run('mkfs.vfat', '-F', '32', '-S', sector_size, '-s', clusters_of,
            '-n', 'THEIRS', '-i', 'CAFE0001', part)
        wanted = {}
        for number, length in enumerate((0, 1, 511, 4096, 70000, 300000)):
            data = bytes((number + at) % 251 for at in range(length))
            wanted[f'File of Length {length}.bin'] = data
            (self.folder / 'x').write_bytes(data)
            run('mcopy', '-i', part, self.folder / 'x',
                f'::File of Length {length}.bin')
        # Holes in between make the next file's chain jump.
        run('mdel', '-i', part, '::File of Length 4096.bin')
        del wanted['File of Length 4096.bin']
        run('mmd', '-i', part, '::efi')
        (self.folder / 'x').write_bytes(b'jump' * 50000)
        run('mcopy', '-i', part, self.folder / 'x', '::efi/jump.v00')
        wanted['efi/jump.v00'] = b'jump' * 50000
        with open(image, 'wb') as file:
            file.truncate(size + 2 * MIB)
        return part, image, wanted

    def read(self, image):
        fd = os.open(image, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        disk = readgpt.read(fd, 'disk')
        volume = readfat.read(fd, disk.partitions[0].offset,
                              disk.partitions[0].size, 'disk')
        contents = {
            '/'.join(file.path): b''.join(
                os.pread(fd, extent.length, extent.offset)
                for extent in file.extents) for file in volume.files}
        return disk, volume, contents

    def check(self, sector_size, clusters_of):
        part, image, wanted = self.make(sector_size, clusters_of)
        device = str(image)
        if sector_size != 512:
            if os.geteuid():
                self.skipTest('NOT TESTED: a loop device needs root')
            device = run('losetup', '-f', '--show', '-b', sector_size,
                         image).strip()
        try:
            run('sgdisk', '-n', f'1:{MIB // sector_size}:'
                f'+{part.stat().st_size // 1024}K', '-t', '1:ef00', '-c',
                '1:theirs', device)
        finally:
            if device != str(image):
                run('losetup', '-d', device)
        with open(image, 'r+b') as target, open(part, 'rb') as source:
            target.seek(MIB)
            while chunk := source.read(MIB):
                target.write(chunk)
        disk, volume, contents = self.read(image)
        self.assertEqual((), disk.problems)
        self.assertEqual((), volume.problems)
        self.assertEqual(sector_size, disk.sector_size)
        self.assertEqual('theirs', disk.partitions[0].name)
        self.assertEqual((0xCAFE0001, sector_size * clusters_of),
                         (volume.volume_id, volume.geometry.cluster_bytes))
        self.assertEqual(wanted, contents)
        return image

    def test_512(self):
        self.check(512, 1)

    def test_4096(self):
        self.require('losetup')
        self.check(4096, 1)

    def test_damage_is_seen(self):
        image = self.check(512, 1)
        good = image.read_bytes()
        fat = MIB + 32 * 512
        for offset, part in (
                (512 + 60, 'primary header has a bad checksum'),
                (1024 + 60, 'primary entries have a bad checksum'),
                (len(good) - 512 + 60, 'backup header has a bad checksum'),
                (len(good) - 512, 'no backup header'),
                (450, 'MBR'),
                (fat + 5 * 4, 'the FATs differ'),
                (MIB + 6 * 512 + 20, 'backup boot sector differs'),
                (MIB + 512 + 488, 'FSInfo')):
            with open(image, 'r+b') as file:
                file.seek(offset)
                file.write(bytes([good[offset] ^ 0x41]))
            disk, volume, _ = self.read(image)
            self.assertIn(part, ' '.join(disk.problems + volume.problems))
            with open(image, 'r+b') as file:
                file.seek(offset)
                file.write(good[offset:offset + 1])
