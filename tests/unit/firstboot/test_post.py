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

import json
import os
import pathlib
import typing
import unittest.mock

from esxi_img.firstboot import drive
from esxi_img.firstboot import post
from esxi_img.firstboot import pre
from esxi_img.firstboot import reading
from esxi_img.firstboot import scrub
from tests.unit.firstboot import acting
from tests.unit.firstboot import tables

NAA, OTHER, VML = acting.NAA, acting.OTHER, acting.VML
CONFIG = acting.CONFIG
LOCAL = 'install --firstdisk=local --overwritevmfs'
WRITTEN = {'build.json', 'settings.json', 'installed.json',
           'installer.jsonl', 'esxi-img-collect', 'firstboot/__init__.py',
           'firstboot/__main__.py', 'firstboot/apply.py'}
DRIVE = {'drive/openstack/latest/meta_data.json',
         'drive/openstack/latest/network_data.json',
         'drive/wishes.json'}


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    """Content by path below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


class TestCase(acting.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.host.add_disk(NAA, content=acting.iso())

    def pre(self, **build: typing.Any) -> None:
        """The installer reads its kickstart."""
        self.host.home_file('build.json', self.host.build(**build))
        self.assertEqual(0, pre.pre(self.host.run, self.host.places))

    def post(self) -> int:
        """Run it; nothing secret is left, and no disk but ours changed."""
        before = {path: path.read_bytes() for path in self.disks()
                  if path.name != NAA}
        status = post.post(self.host.run, self.host.places)
        self.assertEqual(before, {path: path.read_bytes() for path
                                  in self.disks() if path.name != NAA})
        self.assertFalse((self.host.work / 'drive').exists())
        self.assert_no_secret(self.host.texts() + self.console.getvalue())
        return status

    def disks(self) -> list[pathlib.Path]:
        return [path for path in self.host.disks.iterdir()
                if not path.is_symlink()]

    def assert_filled(self, folder: pathlib.Path, status: int = 0) -> None:
        """That volume is, and no other is touched."""
        before = {path: tree(path) for path in self.volumes()
                  if path != folder}
        config = (folder / 'boot.cfg').read_bytes()
        inode = (folder / 'boot.cfg').stat().st_ino
        self.assertEqual(status, self.post(), self.host.said())
        self.assertEqual(before, {path: tree(path) for path
                                  in self.volumes() if path != folder})
        self.assertEqual(WRITTEN | DRIVE, set(tree(folder / 'esxiimg')))
        self.assertEqual({'boot.cfg', 'esxiimg'}, set(os.listdir(folder)))
        self.assertEqual((config, inode), (
            (folder / 'boot.cfg').read_bytes(),
            (folder / 'boot.cfg').stat().st_ino))

    def volumes(self) -> list[pathlib.Path]:
        return [path for path in self.host.volumes.iterdir()
                if path.is_dir() and not path.is_symlink()]

    def assert_nothing_is_written(self, said: str) -> None:
        before = tree(self.host.volumes)
        disk = self.path.read_bytes() if self.path.exists() else b''
        self.assertEqual(1, self.post())
        self.assertEqual(before, tree(self.host.volumes))
        self.assertEqual(disk, self.path.read_bytes()
                         if self.path.exists() else b'')
        self.assertIn(said, self.host.said())


class TestFill(TestCase):

    def test_new_host(self) -> None:
        self.pre()
        folder = self.host.install(NAA)
        self.assert_filled(folder)
        found = tree(folder / 'esxiimg')
        for name in ('build.json', 'settings.json', 'firstboot/apply.py'):
            self.assertEqual((self.host.home / name).read_bytes(),
                             found[name])
        self.assertEqual({'root_password': 'admin_pass'},
                         json.loads(found['installed.json']))
        self.assertEqual((self.host.work / 'journal.jsonl').read_bytes(),
                         found['installer.jsonl'])
        self.assertIn(f'installed on {NAA}\n', self.host.said())

    def test_the_drive_says_the_same(self) -> None:
        self.pre()
        folder = self.host.install(NAA)
        before = reading.model_of(drive.read(str(self.host.work / 'drive')))
        self.post()
        after = reading.model_of(drive.read(str(folder / 'esxiimg/drive')))
        self.assertEqual((before.network, before.identity.ssh_keys,
                          before.identity.hostname,
                          before.identity.instance_id),
                         (after.network, after.identity.ssh_keys,
                          after.identity.hostname,
                          after.identity.instance_id))
        self.assertIsNone(after.identity.admin_pass)

    def test_kernel_options(self) -> None:
        self.pre(installed_kernel_options=['a=1', 'b'])
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        self.assertEqual(CONFIG.replace(b'=FALSE\n', b'=FALSE a=1 b\n'),
                         (folder / 'boot.cfg').read_bytes())
        self.assertIn(f'kernel options for {folder}: a=1 b',
                      self.host.said())

    def test_odd_kernel_options(self) -> None:
        for odd in (None, 'a=1', {'a': 1}, [1, None, ['a']], ['\xe4']):
            self.pre(installed_kernel_options=odd)
            folder = self.host.install(NAA)
            self.assert_filled(folder)
            self.path = self.host.add_disk(NAA, content=acting.iso())
            for volume in self.volumes():
                acting.shutil.rmtree(volume)

    def test_two_banks(self) -> None:
        self.pre(installed_kernel_options=['a'])
        self.host.install(NAA)
        for volume in self.volumes():
            (volume / 'boot.cfg').write_bytes(CONFIG)
        self.assertEqual(0, self.post())
        for volume in self.volumes():
            self.assertEqual(WRITTEN | DRIVE, set(tree(volume / 'esxiimg')))
            self.assertIn(b'=FALSE a\n', (volume / 'boot.cfg').read_bytes())

    def test_no_drive(self) -> None:
        self.path = self.host.add_disk(NAA, tables.ours())
        self.pre()
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        self.assertEqual(WRITTEN, set(tree(folder / 'esxiimg')))
        self.assertIn('problem: no config drive for first boot',
                      self.host.said())

    def test_after_scrubbing(self) -> None:
        self.pre()
        self.assertEqual(0, scrub.scrub(self.host.run, self.host.places))
        self.assert_filled(self.host.install(NAA))

    def test_secure_boot(self) -> None:
        program = '/usr/lib/vmware/secureboot/bin/secureBoot.py', '-s'
        for answer, wishes in ((acting.result('Enabled\n'), False),
                               (acting.result('Disabled\n'), True),
                               (acting.result('not Enabled\n', 1), True),
                               (acting.result('', None), True),
                               (acting.MISSING, True)):
            with self.subTest(answer):
                self.path = self.host.add_disk(NAA, content=acting.iso())
                for volume in self.volumes():
                    acting.shutil.rmtree(volume)
                self.host.calls.clear()
                self.host.answers[program] = answer
                self.pre()
                folder = self.host.install(NAA)
                self.assertEqual(0, self.post())
                self.assertEqual(
                    WRITTEN | DRIVE - {'drive/wishes.json'} | (
                        {'drive/wishes.json'} if wishes else set()),
                    set(tree(folder / 'esxiimg')))
                self.assertEqual(
                    [program], self.host.called(program[0]))
                self.assertEqual(
                    not wishes, 'problem: Secure Boot is enabled'
                    in self.console.getvalue())
                self.console.truncate(0)

    def test_user_data_are_read_once(self) -> None:
        self.pre()
        kept = (self.host.work / 'drive/wishes.json').read_bytes()
        self.host.install(NAA)
        for volume in self.volumes():
            (volume / 'boot.cfg').write_bytes(CONFIG)
        with unittest.mock.patch.object(reading, 'gathered_of') as read:
            self.assertEqual(0, self.post())
        read.assert_not_called()
        for volume in self.volumes():
            self.assertEqual(kept, (
                volume / 'esxiimg/drive/wishes.json').read_bytes())

    def test_user_data_that_pre_could_not_keep(self) -> None:
        self.pre()
        (self.host.work / 'drive/wishes.json').unlink()
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        self.assertEqual(WRITTEN | DRIVE - {'drive/wishes.json'},
                         set(tree(folder / 'esxiimg')))

    def test_what_is_missing_at_home(self) -> None:
        self.pre()
        for name in ('settings.json', 'build.json', 'esxi-img-collect'):
            (self.host.home / name).unlink()
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        self.assertEqual(
            (WRITTEN | DRIVE) - {'settings.json', 'build.json',
                                 'esxi-img-collect'},
            set(tree(folder / 'esxiimg')))

    def test_all_that_is_beside_the_package(self) -> None:
        self.pre()
        more = {'ca.pem', 'firstboot/vmware_esxi.schema.json',
                'firstboot/yaml/__init__.py', 'firstboot/yaml/loader.py',
                'firstboot/yaml/LICENSE'}
        left = {'KS.CFG', 'rootpw.cfg', 'firstboot/x.txt',
                'firstboot/__pycache__/apply.cpython-38.pyc',
                'firstboot/yaml/__pycache__/loader.cpython-38.pyc'}
        for name in more | left:
            path = self.host.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        found = tree(folder / 'esxiimg')
        self.assertEqual(WRITTEN | DRIVE | more, set(found))
        for name in more:
            self.assertEqual(name.encode(), found[name])

    def test_a_part_that_cannot_be_read(self) -> None:
        self.pre()
        (self.host.home / 'firstboot/yaml').mkdir()
        folder = self.host.install(NAA)
        real = os.scandir

        def refuse(path: str) -> typing.Any:
            if path.endswith('yaml'):
                raise OSError(5, 'I/O error')
            return real(path)

        with unittest.mock.patch('os.scandir', refuse):
            self.assertEqual(1, self.post())
        self.assertIn(f'problem: {folder}: no first boot: I/O error',
                      self.host.said())

    def test_no_package(self) -> None:
        self.pre()
        acting.shutil.rmtree(self.host.home / 'firstboot')
        folder = self.host.install(NAA)
        self.assertEqual(1, self.post())
        self.assertFalse((folder / 'esxiimg/drive').exists())
        self.assertIn(f'problem: {folder}: no first boot: No such file',
                      self.host.said())

    def full(self, name: str) -> None:
        """There is no room for a file of that name on any bootbank."""
        real = os.open
        volumes = str(self.host.volumes)

        def refuse(path: str, flags: int, *more: int) -> int:
            if path.startswith(volumes) and path.endswith(f'{name}.new'):
                raise OSError(28, 'No space left on device')
            return real(path, flags, *more)

        patch = unittest.mock.patch('os.open', refuse)
        patch.start()
        self.addCleanup(patch.stop)

    def test_no_room(self) -> None:
        self.pre(installed_kernel_options=['a'])
        folder = self.host.install(NAA)
        self.full('network_data.json')
        self.assertEqual(1, self.post())
        # All or nothing, but for what tells why.
        self.assertEqual({'installer.jsonl', 'esxi-img-collect'},
                         set(tree(folder / 'esxiimg')))
        self.assertEqual(CONFIG, (folder / 'boot.cfg').read_bytes())
        self.assertIn('no first boot: No space left on device',
                      self.host.said())

    def test_no_room_for_boot_cfg(self) -> None:
        self.pre(installed_kernel_options=['a'])
        folder = self.host.install(NAA)
        self.full('boot.cfg')
        self.assert_filled(folder, status=1)
        self.assertIn('boot.cfg: No space left', self.host.said())

    def test_no_room_for_the_journal(self) -> None:
        self.pre()
        self.host.install(NAA)
        self.full('installer.jsonl')
        self.assertEqual(0, self.post())
        self.assertIn('No space left on device', self.host.said())


class TestWhichDisk(TestCase):

    def test_older_esxi_on_another_disk(self) -> None:
        self.host.install(OTHER)
        self.pre()
        self.assert_filled(self.host.install(NAA))

    def test_older_esxi_and_no_vmkfstools(self) -> None:
        self.host.install(OTHER, CONFIG.replace(b'24022510', b'1'))
        self.pre()
        folder = self.host.install(NAA)
        self.host.answers['vmkfstools', '-P'] = acting.MISSING
        self.assert_filled(folder)

    def test_same_content_and_no_vmkfstools(self) -> None:
        self.host.install(OTHER)
        self.pre()
        self.host.install(NAA)
        self.host.answers['vmkfstools', '-P'] = acting.MISSING
        self.assert_nothing_is_written('cannot tell which disk')

    def test_install_failed(self) -> None:
        self.host.install(OTHER)
        self.pre()
        self.assert_nothing_is_written('new partition tables: none')

    def test_install_failed_halfway(self) -> None:
        self.host.install(OTHER)
        self.pre()
        for table in (tables.Table(8 << 20, disk=acting.FOREIGN), None):
            if table:
                table.write(self.path)
            else:
                self.path.write_bytes(b'')
            self.assert_nothing_is_written('cannot tell which disk')

    def test_another_table_changed_too(self) -> None:
        self.host.install(OTHER)
        self.host.add_disk('naa.3', tables.ours(disk=acting.FOREIGN))
        self.pre()
        # Without bootbanks, and with older ones.
        self.host.add_disk('naa.3', tables.with_drive(disk=acting.FOREIGN))
        tables.Table(16 << 20, disk=tables.DRIVE).write(
            self.host.disks / OTHER)
        self.assert_filled(self.host.install(NAA))

    def test_a_new_disk_without_bootbanks(self) -> None:
        self.pre()
        self.host.add_disk(OTHER, tables.ours(disk=acting.FOREIGN))
        self.assert_filled(self.host.install(NAA))

    def test_told_disk_is_the_one(self) -> None:
        for line in (acting.LINE, f'install --disk={NAA} --overwritevmfs',
                     f'install --disk=/vmfs/devices/disks/{NAA}',
                     f'install --overwritevmfs --disk={VML}'):
            with self.subTest(line):
                self.path = self.host.add_disk(NAA, content=acting.iso())
                (self.host.disks / VML).unlink(missing_ok=True)
                (self.host.disks / VML).symlink_to(NAA)
                (self.host.disks / OTHER).unlink(missing_ok=True)
                for volume in self.volumes():
                    acting.shutil.rmtree(volume)
                self.pre(install_line=line)
                self.host.install(OTHER)
                self.assert_filled(self.host.install(NAA))

    def test_two_and_nobody_was_told(self) -> None:
        self.pre(install_line=LOCAL)
        self.host.install(OTHER)
        self.host.install(NAA)
        self.assert_nothing_is_written(f'{OTHER}, {NAA}')

    def test_same_disk_guid(self) -> None:
        """An installer that keeps it."""
        self.pre()
        self.assert_filled(self.host.install(NAA, guid=tables.DISK))

    def test_no_pre(self) -> None:
        self.host.install(NAA)
        for content in (None, '{}', '[]', '{"tables": null}', '{'):
            path = self.host.work / 'pre.json'
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            self.assert_nothing_is_written('nobody knows what the disks')

    def test_no_volumes(self) -> None:
        self.pre()
        self.host.install(NAA)
        acting.shutil.rmtree(self.host.volumes)
        self.assertEqual(1, self.post())


class TestAnotherDisk(TestCase):
    """Installed beside the image's disk."""

    def setUp(self) -> None:
        super().setUp()
        # Nothing but zeros would not show what is overwritten.
        with open(self.path, 'r+b') as file:
            file.seek(tables.MIB)
            file.write(b'\xa5' * 3 * tables.MIB)
        self.before = self.path.read_bytes()

    def assert_disarmed(self, size: int = 1 << 16) -> None:
        start = tables.MIB
        self.assertEqual(
            self.before[:start] + bytes(size) + self.before[start + size:],
            self.path.read_bytes())
        self.assertIn(f'{NAA}: the installer on it does not start any more',
                      self.host.said())

    def test_disarmed(self) -> None:
        for line in (LOCAL, f'install --disk={OTHER}', acting.LINE):
            with self.subTest(line):
                (self.host.disks / OTHER).unlink(missing_ok=True)
                for volume in self.volumes():
                    acting.shutil.rmtree(volume)
                self.path.write_bytes(self.before)
                self.pre(install_line=line)
                self.assert_filled(self.host.install(OTHER))
                self.assert_disarmed()

    def test_guids_in_capitals(self) -> None:
        self.pre(install_line=LOCAL, disk_guid=str(tables.DISK).upper(),
                 partition_guid=str(tables.ESP).upper())
        self.assert_filled(self.host.install(OTHER))
        self.assert_disarmed()

    def test_four_kn(self) -> None:
        self.host.add_disk(NAA, tables.with_drive(sector=4096),
                           acting.iso())
        with open(self.path, 'r+b') as file:
            file.seek(tables.MIB)
            file.write(b'\xa5' * tables.MIB)
        self.before = self.path.read_bytes()
        self.pre(install_line=LOCAL)
        self.assert_filled(self.host.install(OTHER))
        self.assert_disarmed()

    def test_tiny_partition(self) -> None:
        table = tables.Table(8 << 20, [tables.entry(
            2048, 2063, tables.ESP)])
        self.host.add_disk(NAA, table, acting.iso())
        with open(self.path, 'r+b') as file:
            file.seek(tables.MIB)
            file.write(b'\xa5' * tables.MIB)
        self.before = self.path.read_bytes()
        self.pre(install_line=LOCAL)
        self.host.install(OTHER)
        self.assertEqual(0, self.post())
        self.assert_disarmed(8192)

    def test_not_after_a_failure(self) -> None:
        self.pre(install_line=LOCAL)
        self.assert_nothing_is_written('cannot tell which disk')
        tables.Table(16 << 20, disk=acting.FOREIGN).write(
            self.host.disks / OTHER)
        self.assert_nothing_is_written('cannot tell which disk')
        self.assertEqual(self.before, self.path.read_bytes())

    def test_other_hosts_disks(self) -> None:
        self.host.add_disk('naa.3', tables.ours())
        self.pre(install_line=LOCAL)
        # post() sees to it that no other disk changes.
        self.assert_filled(self.host.install(OTHER))
        self.assert_disarmed()
        self.assertIn('naa.3: has the installer, too, and is left alone',
                      self.host.said())

    def test_nobody_knows_which_was_started_from(self) -> None:
        self.host.add_disk('naa.3', content=acting.iso())
        self.pre(install_line=LOCAL)
        folder = self.host.install(OTHER)
        self.assertEqual(0, self.post())
        self.assertTrue((folder / 'esxiimg').is_dir())
        self.assertEqual(self.before, self.path.read_bytes())
        self.assertIn(f'{NAA}: has the installer, too', self.host.said())

    def test_another_disk_under_its_name(self) -> None:
        self.pre(install_line=LOCAL)
        folder = self.host.install(OTHER)
        self.host.add_disk(NAA, tables.ours(disk=acting.FOREIGN))
        with open(self.path, 'r+b') as file:
            file.seek(tables.MIB)
            file.write(b'\xa5' * tables.MIB)
        before = self.path.read_bytes()
        self.assert_filled(folder)
        self.assertEqual(before, self.path.read_bytes())

    def test_cannot_be_written(self) -> None:
        self.pre(install_line=LOCAL)
        folder = self.host.install(OTHER)
        with unittest.mock.patch('os.pwrite', side_effect=OSError(
                5, 'I/O error')):
            self.assert_filled(folder, status=1)
        self.assertIn(f'problem: {NAA}: the installer on it will start '
                      'again: I/O error', self.host.said())

    def test_the_same_disk_is_not(self) -> None:
        """Not even by an installer that keeps our GUIDs."""
        self.pre()
        self.host.install(NAA, guid=tables.DISK, bank=tables.ESP)
        before = self.path.read_bytes()
        self.assertEqual(0, self.post())
        self.assertEqual(before, self.path.read_bytes())


class TestTheDriveInMemory(TestCase):

    def test_removed_whatever_happens(self) -> None:
        self.pre()
        for error in (RuntimeError, KeyboardInterrupt):
            (self.host.work / 'drive/a').mkdir(parents=True, exist_ok=True)
            with unittest.mock.patch.object(post, '_post',
                                            side_effect=error):
                with self.assertRaises(error):
                    post.post(self.host.run, self.host.places)
            self.assertFalse((self.host.work / 'drive').exists())

    def test_cannot_be_removed(self) -> None:
        self.pre()
        self.host.install(NAA)
        with unittest.mock.patch('os.rmdir', side_effect=OSError(
                16, 'Device or resource busy')):
            self.assertEqual(0, post.post(self.host.run, self.host.places))
        self.assertIn('drive: Device or resource busy', self.host.said())
        self.assertEqual({}, tree(self.host.work / 'drive'))

    def test_a_broken_one(self) -> None:
        self.pre()
        for path in (self.host.work / 'drive/openstack').rglob('*.json'):
            path.write_bytes(b'{"admin_pass": ' + acting.SECRETS[0].encode())
        folder = self.host.install(NAA)
        self.assertEqual(0, self.post())
        self.assertEqual(
            WRITTEN | DRIVE - {'drive/openstack/latest/network_data.json'},
            set(tree(folder / 'esxiimg')))
