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

"""The simulated world is as strict as it says, each rule once."""

import base64
import gzip
import io
import json
import math
import os
import pathlib
import time
import urllib.parse
import zipfile

from tests.esxi import state
from tests.functional import command
from tests.world import calls
from tests.world import deploy
from tests.world import disk
from tests.world import host
from tests.world import installer
from tests.world import machine
from tests.world import search

DISK = 'naa.600508b1001c4d6a'
OTHER = 'naa.5000c500a1b2c3d4'
DRIVE = {'openstack/latest/meta_data.json': b'{"uuid": "of the drive"}',
         'openstack/latest/network_data.json': b'{}'}
HASH = '$6$saltsalt$' + 'Ab./019z' * 10 + 'Xy./01'
GOOD = f'''vmaccepteula
%include /tmp/disk.cfg
rootpw --iscrypted {HASH}
network --bootproto=dhcp --addvmportgroup=0
reboot
%pre --interpreter=busybox
echo install --disk={DISK} --overwritevmfs >/tmp/disk.cfg
'''
LEASE = {'ip': '192.0.2.9', 'netmask': '255.255.255.0',
         'gateway': '192.0.2.1'}
SECRET = 'pässw/rd "1"+?'
MIB = disk.MIB
SIZE = 192 * MIB


class TestCase(command.TestCase):
    """A machine with an empty disk, and images made by hand."""

    def setUp(self) -> None:
        super().setUp()
        machine.require(self)
        self.require('genisoimage', 'mmd')
        (self.folder / 'machine').mkdir()
        self.machine = machine.Machine(
            self.folder / 'machine',
            [state.Nic('vmnic0', '52:54:00:00:00:01'),
             state.Nic('vmnic1', '52:54:00:00:00:02')], dhcp={'*': LEASE})
        self.addCleanup(self.machine.close)
        self.disk = self.machine.add_disk(
            DISK, SIZE, 'Virtual disk', 'vml.0100')

    def sh(self, script: str, status: int = 0) -> str:
        """What a script says on both ways out."""
        done = self.machine.sh(script)
        self.assertEqual((status, ()), (done.status, done.left), done)
        return done.stdout + done.stderr

    def image(self, kickstart: str, sector: int = 512,
              option: str = 'ks=file:///esxiimg/KS.CFG') -> pathlib.Path:
        """With what the installer needs, and nothing else."""
        path = self.folder / 'image'
        with open(path, 'wb') as file:
            file.truncate(28 * MIB)
        disk.fdisk(path, sector, 'g', 'n', 1, MIB // sector, '', 't',
                   disk.ESP)
        one = disk.partitions(path)[1]
        disk.tool('mkfs.vfat', '-F', '16', '-s', 1, '-S', sector,
                  '--offset', one.start // sector, path, one.size // 1024)
        at = f'{path}@@{one.start}'
        disk.tool('mmd', '-i', at, '::/efi', '::/efi/boot')
        for name, data in (
                ('efi/boot/boot.cfg', f'kernel=/b.b00\nkernelopt=runweasel '
                 f'{option}\nmodules=/k.b00 --- /esxiimg.tgz\n'.encode()),
                ('esxiimg.tgz', b'')):
            source = self.write('x', data)
            disk.tool('mcopy', '-i', at, source, f'::/{name}')
        self.write_kickstart(kickstart, path)
        return path

    def write_kickstart(self, kickstart: str, image: pathlib.Path) -> None:
        """Put another one into an image, or the disk that has it."""
        bundle = self.write('x', installer.packed(
            {'esxiimg/KS.CFG': kickstart}))
        disk.tool('mcopy', '-o', '-i', f'{image}@@{MIB}', bundle,
                  '::/esxiimg.tgz')

    def deploy(self, kickstart: str, **options: str) -> None:
        deploy.write(self.machine, DISK, self.image(kickstart, **options),
                     deploy.iso(DRIVE, self.tmp()))

    def install(self, kickstart: str, **options: str
                ) -> installer.Installed:
        self.deploy(kickstart, **options)
        return installer.Installer(self.machine).run(DISK)

    def assert_installs(self, kickstart: str) -> installer.Installed:
        result = self.install(kickstart)
        self.assertEqual(('', DISK), (result.error, result.erased))
        return result


class TestRoot(TestCase):

    def test_paths_are_real_and_the_machine_s_own(self) -> None:
        said = self.sh(f'''
            set -e
            ls /etc/hostname /home {self.folder} 2>/dev/null && exit 1
            grep -q '^[^ ]* /usr/lib [^ ]* ro[ ,]' /proc/mounts
            echo said >/dev/console
            echo file >/etc/file
            test $(head -c 3 /dev/zero | wc -c) = 3
            test -c /dev/urandom
            grep -q '^Uid:.0' /proc/self/status
            cat /dev/disks/vml.0100 >/dev/null
            python -B -c 'import json, sys; print(sys.version_info[0])'
            openssl passwd -6 -salt salt x''')
        self.assertRegex(said, r'\A3\n\$6\$salt\$\S+\n\Z')
        self.assertEqual('said\n',
                         self.machine.path('/dev/console').read_text())
        self.assertEqual('file\n', self.machine.path('/etc/file').read_text())

    def test_programs_that_esxi_has_not(self) -> None:
        self.assertIn('not found', self.sh('timeout 1 true', 127))
        self.assertIn('not found', self.sh('sgdisk -v x', 127))

    def test_a_reset_leaves_the_disks(self) -> None:
        self.sh(f'echo x | tee /tmp/x /etc/x /x /var/x >/dev/disks/{DISK}')
        self.machine.reset()
        self.sh('ls /tmp/x || ls /etc/x || ls /x || ls /var/x', 1)
        self.assertEqual(b'x\n', self.disk.read_bytes()[:2])

    def test_nothing_is_left_here(self) -> None:
        done = self.machine.sh('sleep 98765 & sleep 98765 & sleep 0.3; exit 7')
        self.assertEqual((7, ('sleep 98765 ', 'sleep 98765 ')),
                         (done.status, done.left))
        self.machine.calls.inject('nic', seconds=math.inf)
        began = time.monotonic()
        done = self.machine.sh('trap "" TERM; sleep 98765 & localcli network '
                               'nic list', timeout=1)
        self.assertIsNone(done.status)
        self.assertLess(time.monotonic() - began, 10)
        self.machine.close()
        self.assertNotIn('98765', ''.join(
            path.read_bytes().decode(errors='replace')
            for path in pathlib.Path('/proc').glob('[0-9]*/cmdline')
            if path.exists()))
        self.assertNotIn(str(self.folder),
                         pathlib.Path('/proc/self/mountinfo').read_text())


class TestCalls(TestCase):

    def test_the_simulated_host_answers(self) -> None:
        said = self.sh('localcli --formatter=json network nic list')
        self.assertEqual(['vmnic0', 'vmnic1'],
                         [nic['Name'] for nic in json.loads(said)])
        self.assertIn('Connection failure',
                      self.sh('esxcli network nic list', 1))
        self.machine.esxi.hostd = True
        self.sh('''esxcli system hostname set --fqdn "a.b" && logger x &&
            sh /etc/init.d/hostd restart && /etc/init.d/vpxa restart &&
            generate-certificates && vim-cmd hostsvc/enable_ssh &&
            sh /sbin/auto-backup.sh''')
        self.assertIn('CN = a.b\n', self.sh(
            'openssl x509 -in /etc/vmware/ssl/rui.crt -noout -subject'))
        esxi = self.machine.esxi
        self.assertEqual(
            ('a.b', 'a.b', ['hostd', 'vpxa'], True),
            (esxi.hostname, esxi.certificate, esxi.restarted,
             esxi.backed_up))
        self.assertEqual(
            [('esxcli', 'network', 'nic', 'list'),
             ('esxcli', 'system', 'hostname', 'set', '--fqdn', 'a.b')],
            self.machine.calls.argvs('esxcli'))
        self.assertIn(b'Connection failure', self.machine.calls.text())
        times = [call.time for call in self.machine.calls.log]
        self.assertEqual(sorted(times), times)

    def test_words_are_passed_as_they_are(self) -> None:
        self.machine.sh('logger "a b" "" "\n" "$(printf "\\377")" "ü"')
        self.assertEqual((
            'logger', 'a b', '', '\n', '\udcff', 'ü'),
            self.machine.calls.log[0].argv)

    def test_failures_hangs_and_delays(self) -> None:
        inject = self.machine.calls.inject
        inject('version', times=2, reply=calls.Reply(9, 'out', 'err'))
        inject('hostname', seconds=0.5)
        inject('nic', 'list', seconds=math.inf)
        for _ in range(2):
            self.assertEqual('outerr', self.sh('localcli system version get',
                                               9))
        self.assertIn('8.0.3', self.sh('localcli system version get'))
        began = time.monotonic()
        self.sh('localcli system hostname get')
        self.assertGreater(time.monotonic() - began, 0.5)
        self.sh('''localcli network nic list & sleep 1; kill $!; wait $!
            localcli system version get''')
        self.assertIsNone(self.machine.calls.log[-2].reply)

    def test_the_power_is_cut_at_a_call(self) -> None:
        self.machine.esxi.hostd = True
        self.machine.calls.inject('set', action=self.machine.kill)
        done = self.machine.sh('echo a; esxcli system hostname set --fqdn x; '
                               'touch /tmp/after')
        self.assertEqual((None, 'a\n'), (done.status, done.stdout))
        self.assertEqual('localhost', self.machine.esxi.name)
        self.assertFalse(self.machine.path('/tmp/after').exists())

    def test_an_error_of_the_simulation_is_not_the_program_s(self) -> None:
        self.machine.esxi.nics = None
        with self.assertRaisesRegex(AssertionError, 'simulation'):
            self.machine.sh('localcli network nic list')


class TestDevices(TestCase):

    def test_iso9660(self) -> None:
        self.deploy(GOOD)
        mount = 'vsish -e set /vmkModules/iso9660/mount'
        umount = f'vsish -e set /vmkModules/iso9660/umount {DISK}:2'
        self.sh(f'{mount} {DISK}:2', 1)
        self.sh('localcli system module load --module iso9660')
        self.sh('vmkload_mod iso9660', 1)
        self.machine.devices.modules.clear()
        self.sh('esxcli system module load --module iso9660', 1)
        self.sh('vmkload_mod iso9660')
        for wrong in (DISK, f'{DISK}:1', f'{DISK}:3', 'naa.none:1'):
            self.sh(f'{mount} {wrong}', 1)
        self.sh(umount, 1)
        self.sh(f'{mount} {DISK}:2')
        self.assertEqual(
            DRIVE['openstack/latest/meta_data.json'].decode(),
            self.sh('cat /vmfs/volumes/config-2/openstack/latest/'
                    'meta_data.json'))
        self.sh(f'{mount} {DISK}:2', 1)
        self.sh('vmkload_mod -u iso9660', 1)
        self.sh(umount)
        self.sh('test -e /vmfs/volumes/config-2', 1)
        self.sh('vmkload_mod -u iso9660; vmkload_mod iso9660')

    def test_a_cd(self) -> None:
        self.machine.add_cdrom('mpx.vmhba64:C0:T0:L0')
        self.machine.add_cdrom('mpx.vmhba65:C0:T0:L0', deploy.iso(
            DRIVE, self.tmp()))
        self.assertEqual(
            ['mpx.vmhba64:C0:T0:L0', 'mpx.vmhba65:C0:T0:L0'],
            self.sh(r"esxcfg-mpath -b | sed -n 's/^\(\S*\).*\sCD-ROM\s.*/\1/"
                    "p'").splitlines())
        mount = ('vmkload_mod iso9660; vsish -e set '
                 '/vmkModules/iso9660/mount mpx.vmhba')
        self.sh(f'{mount}64:C0:T0:L0', 1)
        self.sh(f'{mount}65:C0:T0:L0; '
                'test -d /vmfs/volumes/config-2/openstack')
        self.machine.reset()
        self.sh('test -e /vmfs/volumes/config-2', 1)

    def test_no_iso9660_on_large_sectors_and_no_vfat(self) -> None:
        deploy.write(self.machine, DISK, self.image(GOOD, sector=4096),
                     deploy.iso(DRIVE, self.tmp()))
        self.sh('vmkload_mod iso9660; vsish -e set '
                f'/vmkModules/iso9660/mount {DISK}:2', 1)
        deploy.write(self.machine, DISK, self.image(GOOD),
                     deploy.vfat(DRIVE, self.tmp(), 512))
        self.sh(f'vsish -e set /vmkModules/iso9660/mount {DISK}:2', 1)

    def test_parted_util(self) -> None:
        path = f'/vmfs/devices/disks/{DISK}'
        for sector in (512, 4096):
            with self.subTest(sector):
                image = self.image(GOOD, sector=sector)
                disk.copy(image, self.disk)
                self.machine.devices.fixed.clear()
                self.sh(f'partedUtil getptbl {path}', 1)
                self.sh(f'partedUtil fixGpt {path} </dev/null', 1)
                self.sh(f'echo Y | partedUtil fixGpt {DISK}', 1)
                self.assertFalse(disk.is_whole(self.disk))
                self.sh(f'echo Fix | partedUtil fixGpt {path}')
                self.assertTrue(disk.is_whole(self.disk))
                self.sh(f'partedUtil fix {path}')
                self.assertEqual([path], self.machine.devices.fixed)
                first = MIB // sector
                self.assertRegex(
                    self.sh(f'partedUtil getptbl {path}'),
                    rf'\Agpt\n\d+ 255 63 {SIZE // sector}\n1 {first} '
                    rf'\d+ {disk.ESP.replace("-", "")} \S+ 0\n\Z')
                self.assertRegex(self.sh(f'partedUtil get {path}'),
                                 rf'\n1 {first} \d+ 0 0\n\Z')


class TestDeploy(TestCase):

    def test_the_drive_is_at_the_end(self) -> None:
        for sector, drive in (
                (512, deploy.iso(DRIVE, self.tmp())),
                (4096, deploy.vfat(DRIVE, self.tmp(), 4096))):
            with self.subTest(sector):
                image = self.image(GOOD, sector=sector)
                guid = '11111111-2222-3333-4444-555555555555'
                deploy.write(self.machine, DISK, image, drive, guid)
                self.assertEqual(sector, disk.sector_size(self.disk))
                self.assertTrue(disk.is_whole(self.disk))
                one, two = disk.partitions(self.disk).values()
                self.assertEqual(guid, two.guid)
                self.assertLess(self.disk.stat().st_blocks * 512,
                                len(drive) + 8 * MIB)
                self.assertLessEqual(SIZE - two.start - two.size, MIB)
                self.assertLessEqual(64 * MIB, two.size)
                self.assertGreater(66 * MIB, two.size)
                data, end = self.disk.read_bytes(), one.start + one.size
                self.assertEqual(image.read_bytes()[one.start:end],
                                 data[one.start:end])
                self.assertEqual(drive,
                                 data[two.start:two.start + len(drive)])
        self.assertLess(self.disk.stat().st_blocks * 512, 160 * MIB)


class TestKickstart(TestCase):

    def test_a_good_one(self) -> None:
        result = self.assert_installs(GOOD)
        self.assertEqual((True, HASH), (result.rebooted, result.root_hash))
        self.assertEqual(f'install --disk={DISK} --overwritevmfs',
                         result.commands[1])
        self.assertEqual([('pre', 0)], [(section.kind, done.status)
                                        for section, done in result.ran])

    def test_bad_ones_erase_nothing(self) -> None:
        self.deploy(GOOD)
        for old, new in (
                ('vmaccepteula\n', ''), (f'rootpw --iscrypted {HASH}\n', ''),
                ('--iscrypted ', ''), ('$6$', '$1$'),
                ('%include', 'rootpw --iscrypted $6$x\n%include'),
                ('%include /tmp/disk.cfg\n', ''),
                ('reboot', f'install --disk={DISK}\nreboot'),
                ('/disk.cfg\nroot', '/none.cfg\nroot'),
                ('include /tmp/disk.cfg\n', 'include /tmp/disk.cfg x\n'),
                ('reboot', 'network --bootproto=dhcp\nreboot'),
                ('bootproto=dhcp', 'bootproto=static'),
                ('bootproto=dhcp', 'bootproto=dhcp --device=vmnic7'),
                ('dhcp', 'dhcp --mtu=9000'), ('reboot', 'restart'),
                ('reboot', 'reböot'), ('reboot', '%end'),
                ('busybox', 'perl'), ('busybox', 'busybox --timeout=1'),
                ('%pre', '%pr'), ('%pre', '%include /x\n%pre'),
                (' --overwrite', ' --force'), (DISK, 'naa.none'),
                (f'=={DISK}', ''), ('>/tmp/', '>/tmp/x/'),
                ('echo ', 'exit 1; echo '),
                ('echo ', '%include /tmp/disk.cfg\necho '),
                ('reboot\n', 'reboot\n%pre\nsleep 98765\n')):
            kickstart = GOOD.replace(old, new)
            with self.subTest(old=old, new=new):
                if old == f'=={DISK}':
                    kickstart = GOOD.replace(f' --disk={DISK}', '')
                self.assertNotEqual(GOOD, kickstart)
                self.write_kickstart(kickstart, self.disk)
                before = self.disk.stat().st_mtime_ns
                result = installer.Installer(self.machine, 2).run(DISK)
                self.assertNotEqual('', result.error)
                self.assertIsNone(result.erased)
                self.assertEqual(before, self.disk.stat().st_mtime_ns)

    def test_what_boots_not(self) -> None:
        for options in ({'option': ''}, {'option': 'ks=file:///none'}):
            self.assertNotEqual('', self.install(GOOD, **options).error)
        self.assertIn('does not boot', installer.Installer(
            self.machine).run(self.machine.add_disk(OTHER, MIB).name).error)

    def test_scripts_run_in_order_by_their_interpreter(self) -> None:
        result = self.assert_installs(GOOD.replace('%pre', '''%pre
test -f /tmp/script.0 && test -f /esxiimg/KS.CFG && test -L /bootbank
grep -q vmaccepteula /tardisks/esxiimg.tgz && echo one
%post --interpreter=python --timeout=20 --ignorefailure=false
import os
print('post', os.path.exists('/vmfs/volumes/BOOTBANK1/onetime.tgz'))
%post --ignorefailure=true
exit 5
%pre''', 1) + 'echo two\n')
        self.assertEqual(
            [('pre', 'one\n'), ('pre', 'two\n'), ('post', 'post True\n'),
             ('post', '')],
            [(section.kind, done.stdout) for section, done in result.ran])
        self.assertEqual('one\ntwo\npost True\n',
                         self.machine.path(installer.LOG).read_text())

    def test_a_post_that_fails_comes_too_late(self) -> None:
        for script in ('exit 4\n', 'sleep 98765\n'):
            result = self.install(f'{GOOD}%post --timeout=1\n{script}')
            self.assertIn('%post', result.error)
            self.assertLess(result.ran[1][1].seconds, 20)
            self.assertEqual((DISK, False), (result.erased, result.rebooted))

    def test_names_of_the_disk(self) -> None:
        self.machine.add_disk(OTHER, 160 * MIB, 'SATA DOM')
        for word, name in (
                ('--firstdisk', DISK), ('--disk=vml.0100', DISK),
                (f'--disk=/vmfs/devices/disks/{OTHER}', OTHER),
                ('--firstdisk=usb,DOM', None)):
            result = self.install(GOOD.replace(f'--disk={DISK}', word))
            self.assertEqual(name, result.erased, result.error)

    def test_a_datastore_is_kept_unless_told(self) -> None:
        kickstart = GOOD.replace(' --overwritevmfs', '')
        installer.older(self.machine, OTHER := self.machine.add_disk(
            'naa.5000', 160 * MIB).name)
        self.assertIn('VMFS', self.install(
            kickstart.replace(DISK, OTHER)).error)
        self.assert_installs(kickstart)


class TestHost(TestCase):

    def test_what_the_installer_leaves(self) -> None:
        self.deploy(GOOD)
        drive = disk.partitions(self.disk)[2].start
        result = installer.Installer(self.machine).run(DISK)
        self.assertEqual('', result.error)
        self.assertIn(b'No problems found', disk.tool('sgdisk', '-v',
                                                      self.disk))
        self.assertEqual([1, 5, 6, 7, 8], list(disk.partitions(self.disk)))
        data = self.disk.read_bytes()
        self.assertEqual(b'CD001', data[drive + 0x8001:drive + 0x8006])
        self.assertIn(b'modules=k.b00 --- s.v00 --- onetime.tgz\n', data)
        self.assertIn(f'\n\t{DISK}:5\n', self.sh(
            'vmkfstools -P /vmfs/volumes/BOOTBANK1'))
        self.assertIn(f'\n\t{DISK}:6\n', self.sh(
            'vmkfstools -P "/vmfs/volumes/'
            '$(readlink /vmfs/volumes/BOOTBANK2)"'))
        self.sh('vmkfstools -P /vmfs/volumes', 1)
        for number, label in ((5, b'BOOTBANK1'), (6, b'BOOTBANK2')):
            start = disk.partitions(self.disk)[number].start
            self.assertIn(label, data[start:start + 512])

    def test_boot_banks_of_an_older_esxi(self) -> None:
        self.machine.add_disk(OTHER, 160 * MIB)
        installer.older(self.machine, OTHER)
        result = self.assert_installs(GOOD)
        self.assertIn(OTHER, self.sh('vmkfstools -P /vmfs/volumes/BOOTBANK1'))
        self.assertIn(DISK, self.sh(
            'vmkfstools -P "/vmfs/volumes/BOOTBANK1 (1)"'))
        self.assertEqual('4', self.sh(
            'cat /vmfs/volumes/*-*/boot.cfg | grep -c ^build=').strip())
        self.assertTrue((result.banks[0].folder / 'onetime.tgz').exists())
        # Written over by another image, it is gone.
        disk.copy(self.image(GOOD), self.machine.path(f'/dev/disks/{OTHER}'))
        self.machine.reset()
        self.sh('vmkfstools -P /vmfs/volumes/BOOTBANK1', 1)

    def boots(self, scripts: str) -> host.Host:
        return host.Host(self.machine, self.assert_installs(GOOD + scripts))

    def test_first_boot_is_once(self) -> None:
        one = self.boots(f'''%post
echo x >/vmfs/volumes/BOOTBANK1/kept; echo x >/kept; echo x >/tmp/kept
sed -i 's/^kernelopt=/&tty2Port=com1 /' /vmfs/volumes/BOOTBANK1/boot.cfg
%firstboot --interpreter=python
import subprocess
subprocess.run(['esxcli', 'system', 'hostname', 'set', '--host', 'one'])
%firstboot
ls -A /tmp; ls /kept /esxiimg
grep -qF '{HASH}' /etc/shadow && cat /bootbank/kept
readlink /altbootbank
''')
        first, second = one.boot()
        self.assertEqual(0, first.status, first)
        self.assertEqual('x\nvmfs/volumes/' + one.banks[1].folder.name,
                         second.stdout.strip())
        self.assertEqual(('one', '192.0.2.9/24'), (
            one.esxi.name, str(one.esxi.vmks['vmk0'].ipv4)))
        self.assertEqual('tty2Port=com1 autoPartition=FALSE', one.kernelopt)
        self.assertIn('CN = localhost.localdomain\n', self.sh(
            'openssl x509 -in /etc/vmware/ssl/rui.crt -noout -subject'))
        self.assertEqual([], one.boot())
        self.assertEqual('localhost', one.esxi.name)

    def test_what_was_backed_up_lasts(self) -> None:
        one = self.boots('%firstboot\nvim-cmd hostsvc/enable_ssh\n'
                         'echo key >/etc/ssh/keys-root/authorized_keys\n'
                         'echo x >/etc/other\n')
        keys = '/etc/ssh/keys-root/authorized_keys'
        one.boot()
        self.assertEqual('key\n', one.esxi.files[keys][1])
        self.assertFalse(one.esxi.backed_up)
        one.power_off()
        one.boot()
        self.assertEqual('', self.sh(f'cat {keys}'))
        self.sh(f'echo two >{keys}; vim-cmd hostsvc/enable_ssh; '
                'auto-backup.sh; echo three >/etc/other')
        self.assertTrue(one.esxi.backed_up)
        one.power_off()
        one.boot()
        self.assertEqual('two\n', self.sh(f'cat {keys}'))
        self.assertEqual('two\n', one.esxi.files[keys][1])
        self.assertTrue(one.esxi.services['ssh'].running)
        self.sh('cat /etc/other', 1)
        self.sh('esxcli system hostname set --host three')
        one.shut_down()
        one.boot()
        self.assertEqual('three', one.esxi.name)

    def test_secure_boot_runs_no_script(self) -> None:
        one = self.boots('%firstboot\nesxcli system hostname set --host x\n')
        self.assertEqual([], one.boot(secure_boot=True))
        self.assertIn(f'{host.SKIPPED}/var/lib/vmware/firstboot/001.firstboo'
                      't_001\n', self.sh(f'cat {host.LOG}'))
        self.assertEqual('localhost', one.esxi.name)

    def test_a_power_cut_at_first_boot(self) -> None:
        one = self.boots('%firstboot\nlocalcli network nic list\n'
                         '%firstboot\necho second\n')
        self.machine.calls.inject('nic', action=self.machine.kill, times=1)
        done, = one.boot()
        self.assertIsNone(done.status)
        self.assertEqual([], one.boot())

    def test_a_boot_bank_that_is_not_valid(self) -> None:
        for script in ('rm onetime.tgz', 'sed -i s/bootstate=0/bootstate=3/ '
                       'boot.cfg', "sed -i 's/^modules=/&x.tgz --- /' "
                       'boot.cfg'):
            one = self.boots(f'%post\ncd /vmfs/volumes/BOOTBANK1\n{script}\n')
            with self.assertRaisesRegex(Exception, 'not valid'):
                one.boot()

    def test_what_a_boot_bank_forgets(self) -> None:
        one = self.boots('''%post
cd /vmfs/volumes/BOOTBANK1; mkdir a
for name in removed replaced overwritten; do echo secret $name >a/$name; done
%firstboot
cd /bootbank
echo secret 0verwritten | dd conv=notrunc of=a/overwritten 2>/dev/null
rm -r a; echo now >a
''')
        hits = {'removed': 'secret removed', 'replaced': 'secret replaced',
                'overwritten': 'secret overwritten'}
        self.assertEqual(set(hits), {hit.secret for hit in search.search(
            [self.disk], hits)})
        one.boot()
        self.assertEqual({'removed', 'replaced'}, {
            hit.secret for hit in search.search([self.disk], hits)})
        image = f'{self.disk}@@{disk.partitions(self.disk)[5].start}'
        self.assertEqual(b'now\n', disk.tool('mcopy', '-i', image, '::/a',
                                             '-'))
        self.assertEqual(
            sorted(f'::/{name}' for name in os.listdir(one.banks[0].folder)),
            sorted(disk.tool('mdir', '-b', '-i', image).decode().split()))


class TestSearch(command.TestCase):

    def found(self, data: bytes, secret: str = SECRET) -> list[search.Hit]:
        return search.find(data, {'it': secret})

    def test_every_form(self) -> None:
        utf8 = SECRET.encode()
        cases = {
            'clear': utf8, 'UTF-16LE': SECRET.encode('utf-16-le'),
            'URL': urllib.parse.quote(SECRET, safe='').encode(),
            'JSON': json.dumps({'a': SECRET}).encode(),
            'JSON in JSON': json.dumps(json.dumps(SECRET)).encode()}
        for form, data in cases.items():
            with self.subTest(form):
                self.assertIn(form, [
                    hit.form for hit in self.found(b'x' + data + b'y')])
        self.assertIn('URL', [hit.form for hit in self.found(
            urllib.parse.urlencode({'a': SECRET}).encode())])
        for coder in (base64.b64encode, base64.urlsafe_b64encode):
            for before in range(4):
                data = coder(b'a' * before + utf8 + b'b')
                self.assertEqual(['base64'], [
                    hit.form for hit in self.found(data)])

    def test_nothing(self) -> None:
        self.assertEqual([], self.found(os.urandom(1 << 20)))
        with self.assertRaises(ValueError):
            self.found(b'', 'short')

    def test_in_packed_members(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('a', 'a' * 99 + SECRET * 9)
        tar = gzip.decompress(installer.packed({'a': SECRET}))
        cases = {'gzip': gzip.compress(b'a' * 99 + SECRET.encode() * 9),
                 'zip': buffer.getvalue(), 'tar': tar,
                 'tgz in tgz': gzip.compress(installer.packed({'b': tar}))}
        for name, data in cases.items():
            with self.subTest(name):
                at = data + b'x' * 99
                self.assertEqual([('it', 'clear')], [
                    hit[:2] for hit in self.found(b'y' * 700 + at)])
        half = cases['gzip'][:-9]
        self.assertEqual(['clear'], [hit.form for hit in self.found(half)])

    def test_files_folders_and_disks_with_holes(self) -> None:
        with open(self.folder / 'disk', 'wb') as file:
            file.truncate(1 << 40)
            for at in (5 << 30, 900 << 30):
                file.seek(at)
                file.write(b'x' * 5 + SECRET.encode())
        (self.folder / f'a{SECRET.replace("/", "_")}').write_bytes(b'')
        (self.folder / 'link').symlink_to('disk')
        began = time.monotonic()
        hits = search.search([self.folder], {
            'it': SECRET, 'name': SECRET.replace('/', '_'),
            'other': 'nowhere'})
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual([(5 << 30) + 5, (900 << 30) + 5],
                         [hit.offset for hit in hits if hit.secret == 'it'])
        self.assertEqual({'it', 'name'}, {hit.secret for hit in hits})
