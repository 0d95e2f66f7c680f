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

import contextlib
import json
import os
import pathlib
import stat
import subprocess
import unittest.mock
import uuid

from esxi_img.firstboot import carried
from esxi_img.firstboot import finding
from esxi_img.firstboot import pre
from esxi_img.firstboot import running
from esxi_img.firstboot import shacrypt
from tests.unit.firstboot import acting
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

NAA, OTHER, VML = acting.NAA, acting.OTHER, acting.VML
INSTALL = f'install --disk={NAA} --overwritevmfs\n'
DHCP = 'network --bootproto=dhcp --device=52:54:00:00:00:01 ' \
    '--addvmportgroup=0\n'
NO_NETWORK = {'meta_data.json': acting.FILES['meta_data.json']}
DEVICES = ('localcli', '--formatter=json', 'storage', 'core', 'device',
           'list')
DEVICES_TEXT = f'''{NAA}
   Display Name: Local DELL Disk ({NAA})
   Size: 953869
   Devfs Path: /vmfs/devices/disks/{NAA}
   Vendor: DELL    
   Model: PERC H730 Mini  
   Other UIDs: {VML}

mpx.vmhba32:C0:T0:L0
   Display Name: Local USB Direct-Access (mpx.vmhba32:C0:T0:L0)
   Devfs Path: /vmfs/devices/disks/mpx.vmhba32:C0:T0:L0
   Vendor: 
   Model: 
'''  # noqa: W291 - as localcli prints it
SERIAL = '12345-67890-ABCDE-FGHIJ-KLMNO'
NO_DISK = '# no disk: see the messages of esxi-img\n'


class TestCase(acting.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.host.add_disk(NAA, content=acting.iso())

    def pre(self) -> dict[str, str]:
        """What is staged; a disk is never written to."""
        before = self.devices()
        self.assertEqual(0, pre.pre(self.host.run, self.host.places))
        self.assertEqual(before, self.devices())
        staged = self.host.staged()
        self.assertEqual({'disk.cfg', 'network.cfg', 'rootpw.cfg'},
                         set(staged))
        for line in staged.values():
            self.assertTrue(line.isascii() and line.endswith('\n')
                            and line.count('\n') == 1, line)
        self.assert_no_secret(
            self.host.texts('drive') + self.console.getvalue())
        return staged

    def devices(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for folder in (
            self.host.disks, self.host.cds) for path in folder.iterdir()}

    def put(self, **changes: object) -> None:
        """A drive with other keys in meta_data.json."""
        meta = json.dumps({**acting.META, **changes}).encode()
        self.path = self.host.add_disk(NAA, content=acting.iso(
            {**acting.FILES, 'meta_data.json': meta}))

    def assert_nothing_is_installed(self, said: str) -> None:
        self.assertEqual(NO_DISK, self.pre()['disk.cfg'])
        self.assertIn(said, self.host.said())
        self.assertIn('ERROR: ', self.host.said())
        # Another try will need the drive.
        self.assertEqual((None, None), (self.host.pre()['drive'],
                                        self.host.pre()['install']))


class TestPre(TestCase):

    def test_includes(self) -> None:
        staged = self.pre()
        self.assertEqual(INSTALL, staged['disk.cfg'])
        self.assertEqual(
            'network --bootproto=static --device=52:54:00:00:00:02 '
            '--ip=192.0.2.50 --netmask=255.255.255.0 --gateway=192.0.2.1 '
            '--nameserver=192.0.2.2 --hostname=esx1.example.org '
            '--addvmportgroup=0\n', staged['network.cfg'])
        words = staged['rootpw.cfg'].split()
        self.assertEqual(['rootpw', '--iscrypted'], words[:-1])
        self.assertEqual(words[-1], shacrypt.crypt(
            acting.SECRETS[0].encode(), words[-1].split('$')[2]))
        for name in staged:
            self.assertEqual(0o600, stat.S_IMODE(
                (self.host.work / 'new' / name).stat().st_mode))

    def test_what_the_others_have_to_know(self) -> None:
        self.pre()
        kept = self.host.pre()
        self.assertEqual(
            (NAA, INSTALL.strip(), 'admin_pass', {NAA}),
            (kept['disk'], kept['install'], kept['root_password'],
             set(kept['tables'])))
        self.assertEqual(
            (str(tables.DISK), f'{NAA}:2', 2, acting.AT, 2 << 20),
            (kept['drive']['disk_guid'], kept['drive']['name'],
             *(kept['drive']['partition'][key]
               for key in ('number', 'start', 'size'))))
        self.assertEqual(0o600, stat.S_IMODE(
            (self.host.work / 'pre.json').stat().st_mode))

    def test_the_drive_in_memory(self) -> None:
        self.pre()
        folder = self.host.work / 'drive/openstack/latest'
        self.assertEqual(acting.FILES, {
            path.name: path.read_bytes() for path in folder.iterdir()})
        self.assertEqual({0o600}, {stat.S_IMODE(path.stat().st_mode)
                                   for path in folder.iterdir()})

    def test_repaired(self) -> None:
        self.host.add_disk(OTHER, tables.with_drive(disk=acting.FOREIGN))
        self.pre()
        call, = self.host.called('sh')
        self.assertEqual(f'/vmfs/devices/disks/{NAA}', call[-1])
        self.assertNotIn(OTHER, repr([
            call for call in self.host.calls if call[0] != 'logger']))

    def test_not_repaired(self) -> None:
        self.host.answers['sh', '-c'] = acting.result('', 1)
        self.assertEqual(INSTALL, self.pre()['disk.cfg'])
        self.assertIn(f'problem: partedUtil fixGpt {NAA}: status 1',
                      self.host.said())

    def repair(self, table: tables.Table) -> None:
        """That is what becomes of our disk's."""
        def answer(words: tuple[str, ...]) -> running.Result:
            table.write(self.path, {acting.AT: acting.iso()})
            return acting.result()

        self.host.answers['sh', '-c'] = answer

    def test_the_table_that_counts_is_the_repaired_one(self) -> None:
        self.repair(tables.with_drive(image_size=7 * tables.MIB))
        with unittest.mock.patch.object(self, 'devices'):
            self.pre()
        moved = tables.ours(drive=[None, tables.entry(8192, 12287)])
        self.repair(moved)
        with unittest.mock.patch.object(self, 'devices'):
            self.pre()
        self.assertEqual(f'{NAA}:3', self.host.pre()['drive']['name'])
        self.assertIn(' 3:', self.host.pre()['tables'][NAA])

    def test_repaired_to_death(self) -> None:
        self.repair(tables.with_drive(disk=acting.FOREIGN))
        with unittest.mock.patch.object(self, 'devices'):
            self.assert_nothing_is_installed(
                f'problem: {NAA} is not ours any more')

    def test_what_partedutil_is_asked_and_answered(self) -> None:
        self.pre()
        folder = self.tmp()
        (folder / 'partedUtil').write_text(
            '#!/bin/sh\necho "$@"\nread first\nread second\n'
            'echo "$first $second"\nexit 3\n')
        (folder / 'partedUtil').chmod(0o755)
        done = subprocess.run(
            self.host.called('sh')[0], capture_output=True, text=True,
            timeout=20, env={'PATH': f'{folder}:/bin:/usr/bin'})
        self.assertEqual(
            (3, f'fixGpt /vmfs/devices/disks/{NAA}\nY Fix\n', ''),
            (done.returncode, done.stdout, done.stderr))

    def test_strangers_are_reported(self) -> None:
        self.host.add_disk(OTHER, tables.with_drive(disk=acting.FOREIGN),
                           acting.iso({'meta_data.json': b'{"uuid": "x"}'}))
        self.pre()
        self.assertIn(f'config drive on {OTHER}:2: not ours, not used',
                      self.host.said())
        self.assertNotIn(f'{NAA}:2: not ours', self.host.said())

    def test_oddities_of_the_table(self) -> None:
        self.host.add_disk(NAA, tables.with_drive(
            image_size=7 * tables.MIB), acting.iso())
        self.pre()
        self.assertIn(f'problem: {NAA}: GPT: the backup is at LBA',
                      self.host.said())

    def test_problems_of_the_drive(self) -> None:
        self.put(hostname='-')
        self.pre()
        self.assertIn('problem: meta_data.json:hostname: ',
                      self.host.said())

    def test_only_a_cd(self) -> None:
        self.host.add_disk(NAA)
        (self.host.cds / 'cd0').write_bytes(acting.iso())
        staged = self.pre()
        self.assertEqual(INSTALL, staged['disk.cfg'])
        self.assertIn('--ip=192.0.2.50', staged['network.cfg'])
        self.assertIsNone(self.host.pre()['drive'])
        self.assertTrue((self.host.work / 'drive').is_dir())

    def test_no_drive(self) -> None:
        self.path = self.host.add_disk(NAA, tables.ours())
        staged = self.pre()
        self.assertEqual(
            (INSTALL, DHCP, acting.ROOTPW + '\n'),
            (staged['disk.cfg'], staged['network.cfg'],
             staged['rootpw.cfg']))
        self.assertIsNone(self.host.pre()['drive'])
        self.assertIn('no config drive on our disk', self.host.said())
        self.assertFalse((self.host.work / 'drive').exists())


class TestUserData(TestCase):

    def user_data(self, **value: object) -> None:
        self.path = self.host.add_disk(NAA, content=acting.iso({
            **acting.FILES,
            'user_data': b'#cloud-config\n' + json.dumps(value).encode()}))

    def carried(self) -> bytes | None:
        path = self.host.work / 'drive/wishes.json'
        return path.read_bytes() if path.exists() else None

    def network(self) -> list[str]:
        self.assertEqual(0, pre.pre(self.host.run, self.host.places))
        return self.host.staged()['network.cfg'].splitlines()

    def test_what_first_boot_is_told(self) -> None:
        self.user_data(runcmd=['a'], password=acting.SECRETS[0],
                       packages=['x'], ntp={'config': acting.SECRETS[0]})
        self.pre()
        data = self.carried()
        self.assert_no_secret(data.decode())
        found = carried.decode(data)
        self.assertEqual({'runcmd': ['a'], 'ntp': {}}, found.user)
        # First boot knows nothing of these keys any more.
        self.assertEqual({'user_data', 'user_data:ntp', 'vendor_data.json:[0]'
                          }, {one.where for one in found.problems})
        for one in found.problems:
            self.assertEqual(1, self.host.said().count(
                f'problem: {one.where}: {one.message}\n'))

    def test_nothing_of_an_earlier_call(self) -> None:
        self.pre()
        self.assertIsNotNone(self.carried())
        self.path = self.host.add_disk(NAA, tables.ours())
        self.pre()
        self.assertIsNone(self.carried())

    def test_too_much(self) -> None:
        with unittest.mock.patch.object(carried, 'LIMIT', 1 << 10):
            self.user_data(runcmd=['x' * 2000])
            self.assertIn('--ip=192.0.2.50', self.pre()['network.cfg'])
        self.assertEqual({}, carried.decode(self.carried()).user)
        self.assertIn('first boot does nothing of it', self.host.said())

    def test_what_cannot_be_kept(self) -> None:
        for error, why in ((OSError(28, 'No space left on device'),
                            'No space left on device'),
                           (MemoryError(), 'MemoryError')):
            with unittest.mock.patch.object(carried, 'encode',
                                            side_effect=error):
                self.assertIn('--ip=192.0.2.50', self.pre()['network.cfg'])
            self.assertIsNone(self.carried())
            self.assertIn('problem: wishes.json: cannot be kept, so first '
                          f'boot does nothing of user data: {why}\n',
                          self.host.said())

    def test_license(self) -> None:
        self.user_data(vmware_esxi={'license': SERIAL})
        ours = 'rootpw x\n%include /tmp/esxiimg/network.cfg\n'
        script = '%pre --interpreter=busybox\n'
        for kickstart in (None, ours, ours.replace('%', ''),
                          ours.replace('/tmp', '"/tmp').replace('g\n', 'g"\n'),
                          f'# serialnum\n%end\n\n{ours}\xe4',
                          f'{ours}{script}serialnum --esx=x\n'):
            with self.subTest(kickstart):
                if kickstart is not None:
                    (self.host.home / 'KS.CFG').write_text(kickstart)
                self.assertEqual(f'serialnum --esx={SERIAL}',
                                 self.network()[-1])
                self.assertNotIn('vmware_esxi.license', self.host.said())

    def test_license_that_cannot_be_set(self) -> None:
        self.user_data(vmware_esxi={'license': SERIAL})
        ours = '%include /tmp/esxiimg/network.cfg\n'
        for kickstart, why in (
                (f'{ours}serialnum --esx=x\n', 'licence of its own'),
                (f'vmserialnum --esx=x\n{ours}', 'licence of its own'),
                ('network --bootproto=dhcp\n', 'network command of its own'),
                (f'%include /tmp/x.cfg\n%pre\n{ours}',
                 'network command of its own')):
            with self.subTest(kickstart):
                (self.host.home / 'KS.CFG').write_text(kickstart)
                self.assertEqual(1, len(self.network()))
                said = self.host.said()
                self.assertEqual(1, said.count(why), said)
                self.assertNotIn(SERIAL, said)
                problem, = [one for one in carried.decode(
                    self.carried()).problems if 'license' in one.where]
                self.assertIn(why, problem.message)
                (self.host.work / 'journal.jsonl').unlink()


class TestDisk(TestCase):

    def install_line(self, line: object) -> None:
        self.host.home_file('build.json', self.host.build(install_line=line))

    def test_none_is_ours(self) -> None:
        self.host.add_disk(NAA, tables.with_drive(disk=acting.FOREIGN),
                           acting.iso())
        (self.host.disks / OTHER).write_bytes(b'')
        self.host.answers[DEVICES] = acting.result(json.dumps([
            {'Device': NAA, 'DevfsPath': f'/vmfs/devices/disks/{NAA}',
             'Vendor': 'DELL    ', 'Model': 'PERC H730'}]))
        self.assert_nothing_is_installed('no disk, or more than one')
        for line in (f'disk {NAA} (0.0 GiB, DELL PERC H730): another disk '
                     f'GUID, {acting.FOREIGN}',
                     f'disk {OTHER} (0.0 GiB, model not known): no GPT',
                     f'config drive on {NAA}:2: not ours, not used'):
            self.assertIn(f'esxi-img: {line}\n', self.console.getvalue())
            self.assertIn(line, self.host.said())
        self.assertEqual([], self.host.called('sh'))
        self.assertEqual([], self.host.called('vsish'))

    def test_no_disks_at_all(self) -> None:
        self.path.unlink()
        self.assert_nothing_is_installed('no disk, or more than one')

    def test_twins(self) -> None:
        self.host.add_disk(OTHER, content=acting.iso())
        self.assert_nothing_is_installed('no disk, or more than one')
        self.assertEqual([], self.host.called('sh'))

    def test_twin_without_a_drive(self) -> None:
        self.host.add_disk(OTHER)
        self.assertEqual(INSTALL, self.pre()['disk.cfg'])

    def test_size(self) -> None:
        with open(self.path, 'r+b') as file:
            file.truncate(3 << 29)
        with unittest.mock.patch.object(self, 'devices'):
            self.pre()
        self.assertIn(f'disk {NAA} (1.5 GiB, model not known): our GUIDs, '
                      'with a config drive', self.host.said())

    def test_models(self) -> None:
        text = ('localcli', 'storage', 'core', 'device', 'list')
        (self.host.disks / VML).symlink_to(NAA)
        for answers in (
                {DEVICES: acting.result(json.dumps([{
                    'Devfs Path': f'/vmfs/devices/disks/{NAA}',
                    'Vendor': 'DELL', 'Model': 'PERC H730 Mini'}]))},
                {text: acting.result(DEVICES_TEXT)},
                {DEVICES: acting.result('{'),
                 text: acting.result(DEVICES_TEXT)},
                {DEVICES: acting.result('[]'),
                 text: acting.result(DEVICES_TEXT)}):
            with self.subTest(answers):
                self.host.answers.pop(DEVICES, None)
                self.host.answers.pop(text, None)
                self.host.answers.update(answers)
                self.pre()
                self.assertIn(f'disk {NAA} (0.0 GiB, DELL PERC H730 Mini): ',
                              self.host.said())
                (self.host.work / 'journal.jsonl').unlink()

    def test_models_that_nobody_tells(self) -> None:
        for answer, calls in (
                (acting.result('', 1), 2), (acting.result('x'), 2),
                (acting.result('[{"Model": "x"}]'), 1),
                (acting.result('[{"DevfsPath": 1, "Model": null}]'), 1),
                (running.Result(None, '', '', 20.0), 1)):
            with self.subTest(answer.output):
                self.host.calls.clear()
                self.host.answers['localcli', '--formatter=json',
                                  'storage'] = answer
                self.assertEqual(INSTALL, self.pre()['disk.cfg'])
                self.assertEqual(calls, len(
                    [call for call in self.host.calls if 'storage' in call]))
                self.assertIn('model not known', self.host.said())

    def test_named_disk(self) -> None:
        for line in ('install --disk=naa.9 --overwritevmfs',
                     'install --firstdisk=local,"DELL X" --overwritevmfs'):
            self.install_line(line)
            self.assertEqual(f'{line}\n', self.pre()['disk.cfg'])
            self.assertEqual(line, self.host.pre()['install'])
            self.assertEqual(f'{NAA}:2', self.host.pre()['drive']['name'])

    def test_named_disk_and_none_is_ours(self) -> None:
        line = 'install --firstdisk=local --overwritevmfs'
        self.install_line(line)
        self.host.add_disk(OTHER, content=acting.iso())
        self.assertEqual(f'{line}\n', self.pre()['disk.cfg'])
        self.assertEqual((None, None), (self.host.pre()['disk'],
                                        self.host.pre()['drive']))

    def test_consumed(self) -> None:
        self.host.add_disk(NAA, content=finding.MARK)
        (self.host.cds / 'cd0').write_bytes(acting.iso())
        for line in (acting.LINE, 'install --disk=naa.9 --overwritevmfs'):
            self.install_line(line)
            self.assert_nothing_is_installed('redeploy')

    def test_no_build_json(self) -> None:
        path = self.host.home / 'build.json'
        for content in (None, b'', b'{', b'[]', b'"x"', b'null', b'\xff\xff',
                        b'{"disk_guid": 1, "partition_guid": null}'):
            with self.subTest(content):
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
                self.assert_nothing_is_installed('no install_line')

    def test_guids_of_nobody(self) -> None:
        for one in ('', '0', None, [], str(uuid.UUID(int=0))):
            self.host.home_file('build.json', self.host.build(disk_guid=one))
            self.assert_nothing_is_installed('no disk, or more than one')

    def test_odd_install_lines(self) -> None:
        for line in (None, 7, [acting.LINE], '', 'None', 'reboot',
                     f'{acting.LINE}\nclearpart --alldrives',
                     'install', 'install --disk=\xe4', ' ' + acting.LINE,
                     f'{acting.LINE}\n'):
            with self.subTest(line):
                self.install_line(line)
                self.assert_nothing_is_installed('no install_line')

    def test_names(self) -> None:
        for name in ('t10.NVMe____INTEL_SSDPE2KX010T8__0000000001000000E4D2',
                     'eui.0025388b71b0f1a4', 'mpx.vmhba32:C0:T0:L0'):
            self.path = self.path.rename(self.host.disks / name)
            self.assertEqual(INSTALL.replace(NAA, name),
                             self.pre()['disk.cfg'])

    def test_odd_names(self) -> None:
        for name in ('a b', 'a"b', '-a', 'a#b', 'a\nb', 'a\\b', '\xe4',
                     os.fsdecode(b'\xff'), "a'b", 'a,b', '$a'):
            with self.subTest(ascii(name)):
                self.path = self.path.rename(self.host.disks / name)
                self.assert_nothing_is_installed('no kickstart can hold')
                alias = self.host.disks / VML
                alias.symlink_to(name)
                self.assertEqual(INSTALL.replace(NAA, VML),
                                 self.pre()['disk.cfg'])
                alias.unlink()

    def test_a_disk_that_cannot_be_read(self) -> None:
        (self.host.disks / OTHER).mkdir()
        with unittest.mock.patch.object(self, 'devices'):
            self.assertEqual(INSTALL, self.pre()['disk.cfg'])
        self.assertIn(f'disk {OTHER} (0.0 GiB, model not known): neither a '
                      'device nor a file', self.host.said())


class TestRootPassword(TestCase):

    def assert_safe(self, where: str = 'none') -> None:
        self.assertEqual(acting.ROOTPW + '\n', self.pre()['rootpw.cfg'])
        self.assertEqual(where, self.host.pre()['root_password'])
        self.assertIn(f'root password: {where}\n', self.host.said())

    def test_salt_is_random(self) -> None:
        self.assertNotEqual(self.pre()['rootpw.cfg'],
                            self.pre()['rootpw.cfg'])

    def test_none_on_the_drive(self) -> None:
        self.put(admin_pass=None)
        self.assert_safe()
        self.host.home_file('settings.json', {'root_hash': True})
        self.assert_safe('build')
        self.assertIn('is the hash of the image, the same on every host',
                      self.host.said())
        self.assertNotIn('nobody could log in', self.host.said())

    def test_no_hash_can_stand_for_it(self) -> None:
        for secret in ('a\0b', '\ud800', acting.SECRETS[0] * 400):
            with self.subTest(secret[:3]):
                self.put(admin_pass=secret)
                self.assert_safe()
                self.assertIn('problem: meta_data.json:admin_pass: ',
                              self.host.said())

    def test_odd_ones(self) -> None:
        for secret in ('"; reboot #$\'\\', '\xe4\u20ac', 'x'):
            self.put(admin_pass=secret)
            line = self.pre()['rootpw.cfg'].strip()
            self.assertEqual(line.split()[-1], shacrypt.crypt(
                secret.encode(), line.split('$')[2]))

    def test_no_safe_line(self) -> None:
        self.put(admin_pass=None)
        path = self.host.home / 'rootpw.cfg'
        for content in (None, b'', b'\xff', b'reboot\n', b'rootpw \n',
                        b'rootpw a\nreboot\n'):
            with self.subTest(content):
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
                lines = {self.pre()['rootpw.cfg'] for _ in range(2)}
                self.assertEqual(2, len(lines))
                for line in lines:
                    self.assertRegex(line, r'\Arootpw --iscrypted \$6\$\S+$')
                self.assertIn('nobody will know the password of root',
                              self.host.said())


class TestNetwork(TestCase):

    def test_text_and_esxcli(self) -> None:
        listed = ('localcli', '--formatter=json', 'network', 'nic', 'list')
        text = ('Name    PCI Device    Driver  Admin Status  Link Status  '
                'Speed  Duplex  MAC Address         MTU  Description\n'
                '------  ------------  ------  ------------  -----------  '
                '-----  ------  -----------------  ----  -----------\n'
                'vmnic7  0000:0b:00.0  nvmx    Up            Up           '
                '10000  Full    52:54:00:00:00:02  1500  VMware X\n')
        expected = self.pre()['network.cfg']
        for broken in (acting.MISSING, acting.result('['),
                       acting.result('[]')):
            self.host.answers[listed] = broken
            for program in ('localcli', 'esxcli'):
                self.host.answers[program, 'network', 'nic', 'list'] = \
                    acting.result(text)
                self.assertEqual(expected, self.pre()['network.cfg'])
                del self.host.answers[program, 'network', 'nic', 'list']

    def test_no_nics(self) -> None:
        for answer in (acting.result('[]'), acting.MISSING,
                       acting.result('garbage'),
                       running.Result(None, '', '', 60.0)):
            self.host.answers['localcli', '--formatter=json', 'network'] = \
                answer
            staged = self.pre()
            self.assertEqual(INSTALL, staged['disk.cfg'])
            self.assertRegex(staged['network.cfg'],
                             r'\Anetwork --bootproto=dhcp .*\n\Z')
            self.assertNotIn('--device', staged['network.cfg'])
            self.assertIn('NICs of this host cannot be listed',
                          self.host.said())

    def test_not_described(self) -> None:
        self.host.add_disk(NAA, content=acting.iso(NO_NETWORK))
        self.assertEqual(DHCP.replace(
            '--addvm', '--hostname=esx1.example.org --addvm'),
            self.pre()['network.cfg'])


class TestAgain(TestCase):

    def test_the_drive_is_gone(self) -> None:
        self.pre()
        self.path = self.host.add_disk(NAA, tables.ours())
        staged = self.pre()
        self.assertEqual(DHCP, staged['network.cfg'])
        self.assertIsNone(self.host.pre()['drive'])
        self.assertFalse((self.host.work / 'drive').exists())

    def test_a_file_is_gone(self) -> None:
        self.pre()
        self.host.add_disk(NAA, content=acting.iso(NO_NETWORK))
        self.pre()
        self.assertEqual(['meta_data.json'], os.listdir(
            self.host.work / 'drive/openstack/latest'))

    def test_the_disk_is_gone(self) -> None:
        self.pre()
        self.path.unlink()
        self.assert_nothing_is_installed('no disk, or more than one')

    def failing(self, name: str) -> contextlib.AbstractContextManager[None]:
        """A file of that name cannot be written."""
        real = os.open

        def refuse(path: str, flags: int, *more: int) -> int:
            if pathlib.Path(path).name == f'{name}.new':
                raise OSError(28, 'No space left on device')
            return real(path, flags, *more)

        return unittest.mock.patch('os.open', refuse)

    def test_it_fails_the_second_time(self) -> None:
        self.pre()
        for name in ('network.cfg', 'meta_data.json', 'network_data.json',
                     'pre.json'):
            with self.subTest(name), self.failing(name):
                with self.assertRaises(OSError):
                    pre.pre(self.host.run, self.host.places)
                # scrub and post do nothing then.
                self.assertFalse((self.host.work / 'pre.json').exists())

    def test_what_nobody_needs_cannot_be_kept(self) -> None:
        for name in ('user_data', 'vendor_data.json'):
            with self.failing(name):
                self.assertEqual(INSTALL, self.pre()['disk.cfg'])
            self.assertNotIn(name, os.listdir(
                self.host.work / 'drive/openstack/latest'))

    def test_odd_remains(self) -> None:
        (self.host.work / 'new').symlink_to(self.host.volumes)
        (self.host.work / 'drive').write_text('x')
        (self.host.work / 'pre.json').mkdir()
        self.assertEqual(INSTALL, self.pre()['disk.cfg'])
        self.assertEqual([], [*self.host.volumes.iterdir()])


class TestHostile(TestCase):

    def test_very_many_problems(self) -> None:
        links = [{'id': f'l{number}', 'type': 'phy', 'mtu': 'odd'}
                 for number in range(3000)]
        self.host.add_disk(NAA, content=images.iso(acting.tree({
            **acting.FILES, 'network_data.json': json.dumps(
                {'links': links}).encode()}), 'rr', blocks=256))
        self.pre()
        self.assertLess(len(self.host.called('logger')), 80)

    def test_nothing_answers(self) -> None:
        self.host.answers.clear()
        self.assertEqual(INSTALL, self.pre()['disk.cfg'])

    def test_nothing_ends(self) -> None:
        self.host.answers = {(): running.Result(None, '', '', 60.0)}
        self.assertEqual(INSTALL, self.pre()['disk.cfg'])
