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

import dataclasses
import errno
import os
import pathlib
import stat
import unittest.mock

from esxi_img.firstboot import blocks
from esxi_img.firstboot import disks
from tests import base
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

DISK, ESP, OTHER = (str(guid) for guid in (
    tables.DISK, tables.ESP, tables.DRIVE))
MIB = tables.MIB
AT = 4 * MIB
ISO = images.iso(images.DRIVE)
NAA = 'naa.600508b1001c4d6a'
VML = 'vml.0200000000600508b1001c4d6a'


class Host:
    """The devices of a host, below a folder."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.folder = root / 'vmfs/devices/disks'
        self.folder.mkdir(parents=True)
        (root / 'dev').mkdir()
        # As on ESXi, but that one is absolute.
        (root / 'dev/disks').symlink_to('../vmfs/devices/disks')

    def listed(self) -> list[disks.Disk]:
        return disks.disks(str(self.root))

    def ours(self) -> disks.Ours:
        return disks.ours([disks.look(disk, DISK, ESP)
                           for disk in self.listed()])

    def drives(self) -> list[int]:
        """The config drives on the disk that is ours."""
        found = self.ours().found
        assert found
        return [one.number for one in found.drives]


class TestCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.host = Host(self.tmp())
        self.folder = self.host.folder

    def put(self, name: str, table: tables.Table, drive: bytes = b'') -> None:
        """A disk with that table, and something at 4 MiB."""
        table.write(self.folder / name, {AT: drive})

    def assert_ours(self, name: str | None, **reasons: str) -> None:
        """Which disk is ours, and why; ``a_1`` for ``a.1``."""
        ours = self.host.ours()
        self.assertEqual(name, ours.found and ours.found.disk.name)
        self.assertEqual(
            {key.replace('_', '.'): reason
             for key, reason in reasons.items()},
            {disk.name: reason for disk, reason in ours.reasons})


class TestDisks(TestCase):

    def names(self) -> list[tuple[str, ...]]:
        return [(disk.name, *disk.aliases) for disk in self.host.listed()]

    def test_none(self) -> None:
        self.assertEqual([], self.host.listed())
        self.assertEqual([], disks.disks(str(self.tmp())))

    def test_names_and_partitions(self) -> None:
        names = ['eui.0025388b71b0f1a4', 'mpx.vmhba32:C0:T0:L0', NAA,
                 't10.ATA_____QEMU_HARDDISK___________________QM00001']
        for name in names:
            for part in ('', ':1', ':10'):
                (self.folder / f'{name}{part}').write_bytes(b'x' * 600)
        found = self.host.listed()
        self.assertEqual(names, [disk.name for disk in found])
        for disk in found:
            self.assertEqual(
                (600, (), '', None, str(
                    self.host.root / 'dev/disks' / disk.name)),
                (disk.size, disk.aliases, disk.model, disk.error, disk.path))

    def test_link_is_an_alias(self) -> None:
        (self.folder / NAA).write_bytes(b'')
        for part in ('', ':1'):
            (self.folder / f'{VML}{part}').symlink_to(f'{NAA}{part}')
        self.assertEqual([(NAA, VML)], self.names())

    def test_two_names_that_are_no_links(self) -> None:
        (self.folder / 'naa.22').write_bytes(b'x')
        for name in ('t10.1', 'naa.21', 'vml.1'):
            os.link(self.folder / 'naa.22', self.folder / name)
        (self.folder / 'naa.3').write_bytes(b'x')
        self.assertEqual([('naa.3',), ('t10.1', 'naa.21', 'naa.22', 'vml.1')],
                         self.names())

    def test_only_a_vml_name(self) -> None:
        (self.folder / VML).write_bytes(b'x')
        self.assertEqual([(VML,)], self.names())

    def stat_as(self, change: dict[str, int]) -> None:
        """All disks claim to be the same, in some respects."""
        real = os.stat

        def fake(path: str) -> os.stat_result:
            facts = real(path)
            values = {name: getattr(facts, name) for name in dir(facts)
                      if name.startswith('st_')}
            return unittest.mock.Mock(**{**values, **change})

        patch = unittest.mock.patch('os.stat', fake)
        patch.start()
        self.addCleanup(patch.stop)

    def test_two_names_of_a_device(self) -> None:
        for name in ('naa.1', 'naa.2'):
            (self.folder / name).write_bytes(b'x')
        for mode in (stat.S_IFBLK, stat.S_IFCHR):
            with self.subTest(mode=mode):
                self.stat_as({'st_mode': mode | 0o600, 'st_rdev': 7})
                self.assertEqual([('naa.1', 'naa.2')], self.names())

    def test_two_devices_whose_nodes_are_alike(self) -> None:
        for name in ('naa.1', 'naa.2'):
            (self.folder / name).write_bytes(b'x')
        (self.folder / 'vml.1').symlink_to('naa.1')
        self.stat_as({'st_ino': 0})
        self.assertEqual([('naa.1', 'vml.1'), ('naa.2',)], self.names())

    def test_same_inode_and_another_size(self) -> None:
        for number in (1, 2):
            (self.folder / f'naa.{number}').write_bytes(b'x' * number)
        self.stat_as({'st_ino': 7})
        self.assertEqual([('naa.1',), ('naa.2',)], self.names())

    def test_no_disks_at_all(self) -> None:
        (self.folder / 'naa.1').mkdir()
        os.mkfifo(self.folder / 'naa.2')
        (self.folder / 'naa.3').symlink_to('naa.4')
        (self.folder / 'naa.5').symlink_to('naa.5')
        neither = 'neither a device nor a file'
        self.assertEqual({
            'naa.1': neither, 'naa.2': neither,
            'naa.3': 'cannot be read: No such file or directory',
            'naa.5': 'cannot be read: Too many levels of symbolic links'},
            {disk.name: disk.error for disk in self.host.listed()})
        self.assert_ours(
            None, naa_1=neither, naa_2=neither,
            naa_3='cannot be read: No such file or directory',
            naa_5='cannot be read: Too many levels of symbolic links')

    def test_permission_denied(self) -> None:
        self.put('naa.1', tables.ours())
        self.put('naa.2', tables.ours())
        real = os.open

        def refuse(path: str, flags: int) -> int:
            if path.endswith('naa.1'):
                raise PermissionError(errno.EACCES, 'Permission denied')
            return real(path, flags)

        with unittest.mock.patch('os.open', refuse):
            self.assert_ours(
                'naa.2', naa_1='cannot be read: Permission denied',
                naa_2='our GUIDs, no config drive, no other disk has them')

    def test_everything_is_closed(self) -> None:
        self.put('naa.1', tables.with_drive(), ISO)
        self.put('naa.2', tables.Table(MIB, disk=tables.DRIVE))
        (self.folder / 'naa.3').write_bytes(b'')
        before = os.listdir('/proc/self/fd')
        self.assertEqual([2], self.host.drives())
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_cdroms(self) -> None:
        root = str(self.host.root)
        self.assertEqual([], disks.cdroms(root))
        folder = self.host.root / 'vmfs/devices/cdrom'
        folder.mkdir()
        (folder / 'mpx.vmhba64:C0:T0:L0').write_bytes(ISO)
        (folder / 'vml.1').symlink_to('mpx.vmhba64:C0:T0:L0')
        found, = disks.cdroms(root)
        self.assertEqual(
            ('mpx.vmhba64:C0:T0:L0', len(ISO), ('vml.1',)),
            (found.name, found.size, found.aliases))
        self.assertEqual([], self.host.listed())


class TestOurs(TestCase):

    def test_one_disk_under_two_names(self) -> None:
        self.put(NAA, tables.with_drive(), ISO)
        (self.folder / VML).symlink_to(NAA)
        found = self.host.ours().found
        self.assertEqual(
            (NAA, (VML,), 8 * MIB, DISK, 512, [(2, AT, 2 * MIB)], ()),
            (found.disk.name, found.disk.aliases, found.disk.size,
             found.gpt.disk_guid, found.gpt.sector_size,
             [(one.number, one.start, one.size) for one in found.drives],
             found.problems))
        self.assert_ours(NAA, **{NAA: 'our GUIDs, with a config drive'})

    def test_no_config_drive(self) -> None:
        self.put('naa.1', tables.ours())
        self.put('naa.2', tables.Table(MIB, disk=tables.DRIVE))
        self.assert_ours(
            'naa.1',
            naa_1='our GUIDs, no config drive, no other disk has them',
            naa_2=f'another disk GUID, {OTHER}')

    def test_none_is_ours(self) -> None:
        (self.folder / 'naa.1').write_bytes(os.urandom(100000))
        (self.folder / 'naa.2').write_bytes(b'')
        self.put('naa.3', tables.Table(MIB))
        self.put('naa.4', tables.Table(
            MIB, [tables.entry(100, 200, tables.ESP)], disk=tables.DRIVE))
        self.assert_ours(
            None, naa_1='no GPT', naa_2='no GPT',
            naa_3=f'our disk GUID, but no partition {ESP}',
            naa_4=f'another disk GUID, {OTHER}')

    def test_twin_without_a_config_drive(self) -> None:
        self.put('naa.1', tables.ours())
        self.put('naa.2', tables.with_drive(), ISO)
        self.assert_ours('naa.2', naa_1='our GUIDs, but no config drive',
                         naa_2='our GUIDs, with a config drive')

    def test_twins_with_config_drives(self) -> None:
        for number in (1, 2):
            self.put(f'naa.{number}', tables.with_drive(), ISO)
        self.put('naa.3', tables.ours())
        both = 'our GUIDs and a config drive, as on another disk'
        self.assert_ours(None, naa_1=both, naa_2=both,
                         naa_3='our GUIDs, but no config drive')

    def test_twins_without_config_drives(self) -> None:
        for number in (1, 2):
            self.put(f'naa.{number}', tables.ours())
        self.assert_ours(None, naa_1='our GUIDs, but no config drive',
                         naa_2='our GUIDs, but no config drive')

    def test_config_drive_that_is_in_no_table(self) -> None:
        # Another life's, beside ours and on the twin.
        for number in (1, 2):
            self.put(f'naa.{number}', tables.ours(), ISO)
        self.assert_ours(None, naa_1='our GUIDs, but no config drive',
                         naa_2='our GUIDs, but no config drive')

    def test_four_kn(self) -> None:
        self.put('naa.1', tables.with_drive(sector=4096),
                 images.fat(images.DRIVE, sector=4096).image())
        self.assertEqual([2], self.host.drives())

    def test_backup_header_only(self) -> None:
        tables.with_drive().write(self.folder / 'naa.1', {
            0: bytes(34 * 512), AT: ISO})
        self.assertEqual([2], self.host.drives())
        found = self.host.ours().found
        self.assertEqual(('GPT: only the backup at LBA 16383 is sound',),
                         found.problems)

    def test_guids_in_capitals(self) -> None:
        self.put('naa.1', tables.with_drive(), ISO)
        disk, = self.host.listed()
        found = disks.look(disk, DISK.upper(), ESP.upper())
        self.assertIsNone(found.defect)
        self.assertEqual(1, len(found.drives))

    def test_device_that_fails(self) -> None:
        self.put('naa.1', tables.ours())
        seen = self.host.listed()
        with unittest.mock.patch('os.pread', side_effect=OSError(
                errno.EIO, 'Input/output error')):
            found = disks.look(seen[0], DISK, ESP)
        self.assertIn('cannot be read at byte 0: Input/output error',
                      found.defect)

    def test_device_that_is_gone(self) -> None:
        self.put('naa.1', tables.ours())
        disk, = self.host.listed()
        (self.folder / 'naa.1').unlink()
        self.assertEqual(
            'cannot be read: No such file or directory',
            disks.look(disk, DISK, ESP).defect)

    def test_failed_once_is_not_tried_again(self) -> None:
        self.put('naa.1', tables.ours())
        disk = dataclasses.replace(self.host.listed()[0], error='no medium')
        self.assertEqual('no medium', disks.look(disk, DISK, ESP).defect)

    def test_model_is_kept(self) -> None:
        self.put('naa.1', tables.ours())
        disk = dataclasses.replace(self.host.listed()[0], model='LOGICAL')
        self.assertEqual('LOGICAL', disks.look(disk, DISK, ESP).disk.model)


class TestDrives(TestCase):
    """What a partition has to be."""

    def found(self, content: bytes) -> tuple[list[int], tuple[str, ...]]:
        self.put('naa.1', tables.with_drive(), content)
        one = self.host.ours().found
        return [drive.number for drive in one.drives], one.problems

    def test_labels(self) -> None:
        for label, expected in (
                ('config-2', [2]), ('CONFIG-2', [2]), ('Config-2', [2]),
                ('config-22', []), ('cidata', []), ('', [])):
            for names in ('plain', 'joliet', 'rr'):
                with self.subTest(label=label, names=names):
                    self.assertEqual((expected, ()), self.found(
                        images.iso(images.DRIVE, names, label)))
            with self.subTest(label=label, names='fat'):
                self.assertEqual((expected, ()), self.found(images.fat(
                    images.DRIVE, label.encode().ljust(11)).image()))

    def test_neither(self) -> None:
        for content in (b'', b'config-2', b'\xff' * MIB):
            with self.subTest(length=len(content)):
                self.assertEqual(([], ()), self.found(content))

    def test_damaged(self) -> None:
        broken = b'\0' * (32 << 10) + b'\2CD001' + bytes(4096)
        self.assertEqual(
            ([], ('partition 2: ISO 9660: no primary volume descriptor',)),
            self.found(broken))

    def test_end_of_the_partition_is_the_end(self) -> None:
        tables.ours(drive=[tables.entry(8192, 8192 + 63)]).write(
            self.folder / 'naa.1', {AT: ISO})
        self.assertEqual([], self.host.drives())

    def test_two_on_a_disk(self) -> None:
        tables.ours(drive=[tables.entry(8192, 9999),
                           tables.entry(10000, 12000)]).write(
            self.folder / 'naa.1', {AT: ISO, 10000 * 512: ISO})
        self.assertEqual([2, 3], self.host.drives())

    def test_our_own_partition_is_none(self) -> None:
        tables.ours().write(self.folder / 'naa.1', {MIB: ISO})
        self.assertEqual([], self.host.drives())

    def test_little_is_read(self) -> None:
        self.put('naa.1', tables.with_drive(), ISO)
        self.put('naa.2', tables.Table(8 * MIB, disk=tables.DRIVE, entries=[
            tables.entry(8192, 9999)]), ISO)
        (self.folder / 'naa.3').write_bytes(bytes(MIB))
        with unittest.mock.patch('os.pread', wraps=os.pread,
                                 autospec=True) as pread:
            self.assertEqual([2], self.host.drives())
        self.assertEqual(
            [0, AT, 0, 0, MIB - blocks.CHUNK],
            [call.args[2] for call in pread.call_args_list])
