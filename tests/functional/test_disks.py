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

"""Our disk is found as Ironic leaves it, beside others."""

import dataclasses
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import uuid

from esxi_img.disk import readgpt
from esxi_img.firstboot import blocks
from esxi_img.firstboot import disks
from esxi_img.firstboot import drive
from esxi_img.firstboot import gpt
from tests import base
from tests.functional import command

MIB = 1 << 20
DRIVES = base.FIXTURES / 'drives'
ISO = (DRIVES / 'nova-iso9660-full-metadata.iso').read_bytes()
NAMES = ('naa.600508b1001c4d6a', 'naa.600508b1001c4d6b',
         'mpx.vmhba32:C0:T0:L0')
VML = 'vml.0200000000600508b1001c4d6a'


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('sgdisk')
        self.root = self.tmp()
        self.devices = self.root / 'dev/disks'
        self.devices.mkdir(parents=True)
        self.ids: tuple[str, str] | None = None

    def built(self, sector_size: int = 512) -> None:
        """An image as :attr:`output`."""
        self.assert_built(command.run(
            '--sector-size', sector_size, '-o', self.output,
            command.sample()))
        with open(self.output, 'rb') as file:
            found = readgpt.read(file.fileno(), 'x.img')
        self.ids = str(found.guid), str(found.partitions[0].guid)

    def deployed(self, name: str) -> pathlib.Path:
        """The image on a larger disk; its backup table is not at the end."""
        path = self.devices / name
        shutil.copy(self.output, path)
        os.truncate(path, self.output.stat().st_size + 80 * MIB)
        return path

    def sgdisk(self, device: str | os.PathLike, *words: str) -> str:
        done = subprocess.run(['sgdisk', *words, device], text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def add_drive(self, device: str | os.PathLike, data: bytes) -> int:
        """As Ironic does it; returns where it starts."""
        self.sgdisk(device, '-e', '-n', '0:-64MB:0', '-u',
                    f'0:{uuid.uuid4()}')
        sector_size = re.search('(?m)^Sector size.*: (?:512|(4096))',
                                self.sgdisk(device, '-p'))
        assert sector_size
        start = int(re.findall('First sector: ([0-9]+)', self.sgdisk(
            device, '-i', '2'))[0]) * int(sector_size[1] or 512)
        with open(device, 'r+b') as file:
            file.seek(start)
            file.write(data)
        return start

    def ours(self) -> disks.Ours:
        assert self.ids
        return disks.ours([disks.look(disk, *self.ids)
                           for disk in disks.disks(str(self.root))])

    def read_drive(self, found: disks.Seen) -> drive.Drive:
        one, = found.drives
        fd = os.open(found.disk.path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return drive.of_volume(drive.volume_of(
            blocks.Blocks(fd, one.size, one.start)))


class TestFiles(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.built()

    def test_sgdisk_sees_the_same(self) -> None:
        path = self.deployed('naa.1')
        # A table with a gap.
        self.sgdisk(path, '-e', '-n', '3:0:+1M', '-c', '3:B\u00fcro 3',
                    '-A', '3:set:60')
        found = self.table(path)
        self.assertEqual([1, 3], [one.number for one in found.partitions])
        self.assertEqual((), found.problems)
        self.assertIn(f'Disk identifier (GUID): {found.disk_guid.upper()}\n',
                      self.sgdisk(path, '-p'))
        for one in found.partitions:
            said = self.sgdisk(path, '-i', str(one.number))
            for text in (f'GUID code: {one.type_guid.upper()} ',
                         f'unique GUID: {one.guid.upper()}\n',
                         f'First sector: {one.start // 512} ',
                         f'size: {one.size // 512} sectors ',
                         f'flags: {one.attributes:016X}\n',
                         f"name: '{one.name}'\n"):
                self.assertIn(text, said)
        with open(path, 'r+b') as file:
            file.write(bytes(34 * 512))
        self.assertEqual(found, dataclasses.replace(self.table(path),
                                                    problems=()))

    def table(self, path: pathlib.Path) -> gpt.Gpt:
        with open(path, 'rb') as file:
            return gpt.read(blocks.Blocks(file.fileno()),
                            path.stat().st_size)

    def test_as_written(self) -> None:
        self.deployed(NAMES[0])
        found = self.ours().found
        self.assertEqual((NAMES[0], ()), (found.disk.name, found.drives))
        problem, = found.problems
        self.assertIn('the backup is at LBA', problem)

    def test_as_ironic_leaves_it(self) -> None:
        start = self.add_drive(self.deployed(NAMES[0]), ISO)
        (self.devices / VML).symlink_to(NAMES[0])
        self.sgdisk(self.deployed(NAMES[1]), '-G')
        (self.devices / NAMES[2]).write_bytes(os.urandom(MIB))
        ours = self.ours()
        self.assertEqual(
            (NAMES[0], (VML,), (), start), (
                ours.found.disk.name, ours.found.disk.aliases,
                ours.found.problems, ours.found.drives[0].start))
        self.assertEqual([NAMES[2], *NAMES[:2]],
                         [disk.name for disk, _ in ours.reasons])
        self.assertEqual(('iso9660', 'config-2'), (
            self.read_drive(ours.found).kind,
            self.read_drive(ours.found).label))
        self.assertIn('meta_data.json', self.read_drive(ours.found).files)

    def test_twins(self) -> None:
        self.add_drive(self.deployed(NAMES[0]), ISO)
        other = self.deployed(NAMES[1])
        self.assertEqual(NAMES[0], self.ours().found.disk.name)
        self.add_drive(other, ISO)
        self.assertIsNone(self.ours().found)

    def test_without_the_primary_table(self) -> None:
        path = self.deployed(NAMES[0])
        self.add_drive(path, ISO)
        with open(path, 'r+b') as file:
            file.write(bytes(34 * 512))
        self.assertEqual('config-2', self.read_drive(self.ours().found).label)

    def test_zapped(self) -> None:
        path = self.deployed(NAMES[0])
        self.add_drive(path, ISO)
        self.sgdisk(path, '-Z')
        ours = self.ours()
        self.assertEqual((None, ['no GPT']), (
            ours.found, [reason for _, reason in ours.reasons]))


class TestDevices(TestCase):

    def attached(self, path: pathlib.Path, sector_size: int) -> str:
        """A block device."""
        self.require_root()
        self.require('losetup')
        done = subprocess.run(
            ['losetup', '--find', '--show', '--sector-size',
             str(sector_size), path], capture_output=True, text=True)
        if done.returncode:
            self.not_tested(f'no loop device: {done.stderr.strip()}')
        device = done.stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '--detach', device],
                        check=True)
        return device

    def judge(self, sector_size: int, data: bytes) -> disks.Seen:
        self.built(sector_size)
        path = self.deployed('t10.file')
        device = self.attached(path.rename(self.folder / 'disk'),
                               sector_size)
        self.add_drive(device, data)
        (self.devices / VML).symlink_to(device)
        for name in NAMES[:2]:
            os.mknod(self.devices / name, 0o60600, os.stat(device).st_rdev)
        ours = self.ours()
        self.assertEqual([(NAMES[0], (NAMES[1], VML))], [
            (disk.name, disk.aliases) for disk, _ in ours.reasons])
        self.assertEqual((sector_size, (), 80 * MIB
                          + self.output.stat().st_size),
                         (ours.found.gpt.sector_size, ours.found.problems,
                          ours.found.disk.size))
        return ours.found

    def test_512(self) -> None:
        self.assertEqual('iso9660', self.read_drive(self.judge(512, ISO)).kind)

    def test_4096(self) -> None:
        data = gzip.decompress(
            (DRIVES / 'ipa-rebuilt-vfat-4096.img.gz').read_bytes())
        found = self.read_drive(self.judge(4096, data))
        self.assertEqual(('fat', 'CONFIG-2'), (found.kind, found.label))

    def test_no_device_behind_the_node(self) -> None:
        self.require_root()
        os.mknod(self.devices / 'naa.1', 0o60600, os.makedev(240, 7))
        os.mknod(self.devices / 'naa.2', 0o20600, os.makedev(1, 3))
        self.ids = str(uuid.uuid4()), str(uuid.uuid4())
        self.assertEqual(
            [('naa.1', 'cannot be read: No such device or address'),
             ('naa.2', 'no GPT')],
            [(disk.name, reason) for disk, reason in self.ours().reasons])


class TestPermission(TestCase):

    def test_permission_denied(self) -> None:
        path = self.devices / 'naa.1'
        path.write_bytes(b'x')
        path.chmod(0)
        self.root.chmod(0o755)
        if not os.geteuid():
            # Root may read anything.
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        found, = disks.disks(str(self.root))
        self.assertEqual('cannot be read: Permission denied', found.error)
