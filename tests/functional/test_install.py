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

"""From an ISO to a host that is set up, in a simulated world.

The image is built, deployed with a config drive, and its own installer and
first boot run; tests.world tells what is simulated.
"""

import base64
import functools
import gzip
import json
import math
import pathlib
import subprocess
import typing

from tests.esxi import state
from tests.functional import command
from tests.world import calls
from tests.world import deploy
from tests.world import disk
from tests.world import host
from tests.world import installer
from tests.world import machine
from tests.world import search

OURS = 'naa.600508b1001c4d6a'
OTHER = 'naa.5000c500a1b2c3d4'
MIB = disk.MIB
NICS = (('vmnic0', '52:54:00:00:00:10'), ('vmnic1', '52:54:00:00:00:11'),
        ('vmnic2', '52:54:00:00:00:12'))
LEASE = {'ip': '192.0.2.9', 'netmask': '255.255.255.0',
         'gateway': '192.0.2.1', 'dns': ['192.0.2.53']}
SECRETS = {'password': 'Pa55-wörd "of" root', 'seed': 'c2VlZG9mdGhlaG9zdA==',
           'user data': 'token-of-the-user-data',
           'vendor data': 'token-of-the-vendor-data',
           'meta': 'token-in-meta'}
KEY = 'ssh-ed25519 ' + base64.b64encode(
    b'\0\0\0\x0bssh-ed25519\0\0\0 ' + bytes(range(32))).decode() + ' ops'
META = {'uuid': '39073b0a-1234-4234-8234-5e76a4bd64b2',
        'admin_pass': SECRETS['password'], 'random_seed': SECRETS['seed'],
        'hostname': 'esx1.example.org', 'name': 'esx1',
        'meta': {'token': SECRETS['meta']},
        'public_keys': {'ops': KEY}, 'keys': [
            {'name': 'ops', 'type': 'ssh', 'data': KEY}]}
NETWORK = {
    'links': [{'id': 'a', 'type': 'phy', 'mtu': 1500,
               'ethernet_mac_address': NICS[1][1]}],
    'networks': [{'id': 'n', 'type': 'ipv4', 'link': 'a',
                  'ip_address': '198.51.100.10', 'netmask': '255.255.255.0',
                  'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0',
                              'gateway': '198.51.100.1'}]}],
    'services': [{'type': 'dns', 'address': '198.51.100.53'}]}
VLANS = {
    'links': [
        {'id': 'a', 'type': 'phy', 'ethernet_mac_address': NICS[0][1]},
        {'id': 'b', 'type': 'phy', 'ethernet_mac_address': NICS[1][1]},
        {'id': 'bond', 'type': 'bond', 'bond_links': ['a', 'b'],
         'bond_mode': 'active-backup', 'mtu': 9000,
         'ethernet_mac_address': NICS[0][1]},
        {'id': 'vlan', 'type': 'vlan', 'vlan_link': 'bond', 'vlan_id': 42,
         'vlan_mac_address': '52:54:00:00:00:42'}],
    'networks': [
        {**NETWORK['networks'][0], 'link': 'vlan'},
        {'id': 'm', 'type': 'ipv6', 'link': 'bond',
         'ip_address': '2001:db8::10', 'netmask': '64', 'routes': []}],
    'services': NETWORK['services']}


def drive(meta: object = META, network: object = NETWORK
          ) -> dict[str, bytes]:
    """The files of a config drive."""
    latest = 'openstack/latest/'
    return {latest + 'meta_data.json': json.dumps(meta).encode(),
            latest + 'network_data.json': json.dumps(network).encode(),
            # A comment: nothing is to be done, and nothing to be kept.
            latest + 'user_data': (
                f'#cloud-config\n# {SECRETS["user data"]}\n'.encode()),
            latest + 'vendor_data.json': json.dumps(
                {'a': SECRETS['vendor data']}).encode()}


@functools.cache
def built(*options: str) -> pathlib.Path:
    """An image of the sample ISO."""
    path = command.sample().with_name(f'built-{len(options)}-'
                                      f'{abs(hash(options))}.img')
    done = command.run(command.sample(), '--output', path, *options)
    assert done.code == 0, done
    return path


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        machine.require(self)
        self.require('genisoimage')
        (self.folder / 'm').mkdir()
        self.machine = machine.Machine(
            self.folder / 'm', [state.Nic(*nic) for nic in NICS],
            dhcp={'*': LEASE})
        self.addCleanup(self.machine.close)
        # The driver finds another disk first.
        for name in (OTHER, OURS):
            self.machine.add_disk(name, 512 * MIB, 'Disk')

    def deploy(self, files: dict[str, bytes] | None = None,
               *options: str, name: str = OURS) -> None:
        deploy.write(self.machine, name, built(*options), None if files is
                     None else deploy.iso(files, self.tmp()))

    def run_installer(self, timeout: float = 60) -> installer.Installed:
        result = installer.Installer(self.machine, timeout).run(OURS)
        self.assertEqual(
            [], [done for _, done in result.ran if done.left or done.status])
        return result

    def install(self, timeout: float = 60) -> installer.Installed:
        result = self.run_installer(timeout)
        self.assertEqual(('', OURS, True), (
            result.error, result.erased, result.rebooted), result.ran)
        return result

    def boot(self, result: installer.Installed,
             **options: typing.Any) -> host.Host:
        booted = host.Host(self.machine, result)
        for done in booted.boot(**options):
            self.assertEqual((0, ()), (done.status, done.left), done)
        return booted

    def state_json(self) -> dict[str, typing.Any]:
        path = self.machine.path('/bootbank/esxiimg/state.json')
        return json.loads(path.read_bytes())

    def assert_password(self, hashed: str, password: str) -> None:
        """By a foreign program."""
        _, kind, salt, _ = hashed.split('$')
        said = subprocess.run(
            ['openssl', 'passwd', f'-{kind}', '-salt', salt, '-stdin'],
            input=password.encode(), capture_output=True, check=True)
        self.assertEqual(hashed, said.stdout.decode().strip())

    def hits(self, secrets: dict[str, str] = SECRETS) -> list[search.Hit]:
        """All that anybody could read later, in memory and on the disk."""
        return [*search.search([self.machine.root], secrets),
                *search.find(self.machine.calls.text(), secrets, 'calls')]


class TestInstall(TestCase):

    def test_all_of_it(self) -> None:
        self.deploy(drive())
        self.assertEqual(set(SECRETS), {hit.secret for hit in self.hits()})
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['password'])
        self.assertEqual(
            f'network --bootproto=static --device={NICS[1][1]} '
            '--ip=198.51.100.10 --netmask=255.255.255.0 '
            '--gateway=198.51.100.1 --nameserver=198.51.100.53 '
            '--hostname=esx1.example.org --addvmportgroup=0',
            result.commands[3])
        self.assertEqual([], self.hits())
        booted = self.boot(result)
        self.assertEqual([], self.hits())
        esxi = booted.esxi
        self.assertEqual(
            ('esx1.example.org', 'esx1.example.org', ['198.51.100.53'], []),
            (esxi.hostname, esxi.certificate, esxi.dns, esxi.outages))
        self.assertEqual('198.51.100.10/24', str(esxi.vmks['vmk0'].ipv4))
        self.assertIn(KEY, esxi.files[machine.KEPT[0]][1])
        self.assertTrue(esxi.services['ssh'].running)
        told = self.state_json()
        self.assertEqual(('ok', META['uuid'], []), (
            told['status'], told['instance_id'], told['problems']))
        self.assert_records_only(booted)
        booted.power_off()
        self.assertEqual([], booted.boot())
        self.assertEqual('esx1.example.org', booted.esxi.hostname)
        self.assertIn(KEY, booted.esxi.files[machine.KEPT[0]][1])

    def assert_records_only(self, booted: host.Host) -> None:
        """What is needed once is gone, from the disk, too."""
        folder = booted.banks[0].folder / 'esxiimg'
        self.assertTrue((folder / 'journal.jsonl').is_file())
        for gone in ('firstboot', 'drive'):
            self.assertFalse((folder / gone).exists())
        path = self.machine.path(f'/dev/disks/{OURS}')
        one = disk.partitions(path)[5]
        with open(path, 'rb') as file:
            file.seek(one.start)
            data = file.read(one.size)
        self.assertTrue(search.find(data, {'boot.cfg': 'bootstate=0'}))
        self.assertEqual([], search.find(data, {
            'a source file': 'this ESXi host from its',
            'the drive': 'network_data.json'}))

    def test_bond_and_vlans(self) -> None:
        self.deploy(drive(network=VLANS))
        result = self.install()
        self.assertIn(' --vlanid=42 ', result.commands[3])
        booted = self.boot(result)
        esxi = booted.esxi
        self.assertEqual([], esxi.outages)
        self.assertIn(self.state_json()['status'], ('ok', 'partial'))
        addresses = [str(one) for vmk in esxi.vmks.values()
                     for one in vmk.addresses()]
        self.assertEqual({'198.51.100.10/24', '2001:db8::10/64'},
                         set(addresses))
        switch, = (one for one in esxi.vswitches.values() if one.uplinks)
        self.assertEqual(['vmnic0', 'vmnic1'], sorted(switch.uplinks))
        self.assertEqual(9000, switch.mtu)

    def test_sectors_of_4096_bytes(self) -> None:
        deploy.write(self.machine, OURS, built('--sector-size', '4096'),
                     deploy.vfat(drive(), self.tmp(), 4096))
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['password'])
        self.boot(result)
        self.assertEqual('ok', self.state_json()['status'])
        self.assertEqual([], self.hits())

    def test_a_drive_in_a_cd(self) -> None:
        self.deploy()
        self.machine.add_cdrom('mpx.vmhba64:C0:T0:L0', deploy.iso(
            drive(), self.tmp()))
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['password'])
        self.boot(result)
        self.assertEqual('ok', self.state_json()['status'])

    def test_no_drive(self) -> None:
        self.deploy()
        result = self.install()
        self.assertIn('--bootproto=dhcp', result.commands[3])
        booted = self.boot(result)
        self.assertEqual([], booted.esxi.outages)
        self.assertEqual('192.0.2.9/24',
                         str(booted.esxi.vmks['vmk0'].ipv4))
        self.assertNotEqual('ok', self.state_json()['status'])

    def test_secure_boot(self) -> None:
        self.deploy(drive())
        booted = self.boot(self.install(), secure_boot=True)
        self.assertEqual('198.51.100.10/24',
                         str(booted.esxi.vmks['vmk0'].ipv4))
        self.assertEqual([], self.hits())

    def test_the_user_s_own_kickstart(self) -> None:
        own = self.write('own.cfg', 'accepteula\n%post\necho mine\n'
                         '%firstboot\necho mine >/bootbank/mine\n')
        self.deploy(drive(), '--kickstart', str(own))
        result = self.install()
        self.assertIn('mine\n', [done.stdout for _, done in result.ran])
        self.boot(result)
        self.assertTrue(self.machine.path('/bootbank/mine').is_file())
        self.assertEqual('ok', self.state_json()['status'])

    def test_options_of_the_installed_kernel(self) -> None:
        self.deploy(drive(), '--serial-console', 'com2',
                    '--installed-kernel-option', 'allowLegacyCPU=true')
        result = self.install()
        self.assertEqual(
            ['autoPartition=FALSE', 'tty2Port=com2', 'gdbPort=none',
             'logPort=none', 'allowLegacyCPU=true'],
            self.boot(result).kernelopt.split())
        self.assertEqual('ok', self.state_json()['status'])

    def test_the_drive_is_kept_on_demand(self) -> None:
        self.deploy(drive(), '--keep-config-drive')
        self.install()
        self.assertEqual({'password', 'seed', 'user data', 'vendor data',
                          'meta'}, {hit.secret for hit in self.hits()})

    def test_once_is_enough(self) -> None:
        """The same image starts again, as the installer never got to it."""
        self.deploy(drive())
        path = self.machine.path(f'/dev/disks/{OURS}')
        with open(path, 'rb') as file:
            image = file.read(disk.partitions(path)[2].start)
        self.install()
        self.machine.reset()
        with open(path, 'r+b') as file:
            file.write(image)
        result = self.run_installer()
        self.assertIsNone(result.erased)
        self.assertIn('redeploy', ''.join(
            done.stdout for _, done in result.ran))


class TestOtherDisks(TestCase):

    def untouched(self) -> int:
        return self.machine.path(f'/dev/disks/{OTHER}').stat().st_mtime_ns

    def test_an_older_esxi(self) -> None:
        installer.older(self.machine, OTHER)
        before = self.untouched()
        self.deploy(drive())
        booted = self.boot(self.install())
        self.assertEqual('ok', self.state_json()['status'])
        self.assertEqual(before, self.untouched())
        self.assertEqual(
            [], [path for path in self.machine.path('/vmfs/volumes').glob(
                '*-*/esxiimg') if path.parent not in
                [bank.folder for bank in booted.banks]])

    def test_a_stale_drive(self) -> None:
        path = self.machine.path(f'/dev/disks/{OTHER}')
        other = {**META, 'admin_pass': 'of another life',
                 'hostname': 'other.example.org'}
        disk.fdisk(path, 512, 'g', 'n', 1, 2048, '')
        data = deploy.iso(drive(other), self.tmp())
        with open(path, 'r+b') as file:
            file.seek(MIB)
            file.write(data)
        before = self.untouched()
        self.deploy(drive())
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['password'])
        self.boot(result)
        self.assertEqual(before, self.untouched())

    def test_another_one_on_demand(self) -> None:
        """And the installer starts from the image no more."""
        self.deploy(drive(), '--install-disk', f'disk={OTHER}')
        path = self.machine.path(f'/dev/disks/{OURS}')
        part = disk.partitions(path)[1]
        result = installer.Installer(self.machine, 60).run(OURS)
        self.assertEqual(('', OTHER), (result.error, result.erased))
        with open(path, 'rb') as file:
            file.seek(part.start)
            self.assertEqual(bytes(512), file.read(512))
        self.boot(result)
        self.assertEqual('ok', self.state_json()['status'])

    def test_a_disk_of_several_names(self) -> None:
        folder = self.machine.path('/dev/disks')
        (folder / 'vml.0100000000').symlink_to(OURS)
        self.deploy(drive())
        self.install()

    def test_two_disks_that_could_be_ours(self) -> None:
        for files in (None, drive()):
            for name in (OURS, OTHER):
                self.deploy(files, name=name)
            result = self.run_installer()
            self.assertIn('needs exactly one install', result.error)
            self.assertIsNone(result.erased)

    def test_two_disks_of_ours_and_one_drive(self) -> None:
        self.deploy(name=OTHER)
        self.deploy(drive())
        self.install()


class TestTrouble(TestCase):

    def test_no_nics_are_listed(self) -> None:
        self.deploy(drive())
        self.machine.calls.inject('network', 'nic', 'list',
                                  reply=calls.Reply(1, '', 'Error'))
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['password'])
        self.machine.calls.clear()
        booted = self.boot(result)
        self.assertEqual('198.51.100.10/24', str(next(
            vmk.ipv4 for vmk in booted.esxi.vmks.values() if vmk.ipv4)))

    def test_hostd_is_slow(self) -> None:
        self.deploy(drive())
        result = self.install()
        failed = calls.Reply(1, '', 'Connect to localhost failed')
        for program in ('esxcli', 'vim-cmd'):
            self.machine.calls.inject(program, times=1, reply=failed)
        self.boot(result)
        self.assertEqual('ok', self.state_json()['status'])

    def test_a_command_hangs_in_the_installer(self) -> None:
        self.deploy(drive())
        self.machine.calls.inject('logger', seconds=math.inf)
        result = self.install(200)
        self.assertLess(sum(done.seconds for _, done in result.ran), 60)
        self.assert_password(result.root_hash, SECRETS['password'])

    def test_the_power_is_cut_at_first_boot(self) -> None:
        self.deploy(drive(network=VLANS))
        result = self.install()
        booted = host.Host(self.machine, result)
        self.machine.calls.inject('vswitch', 'standard', 'set', times=1,
                                  action=self.machine.kill)
        done, = booted.boot()
        self.assertIsNone(done.status)
        self.assertEqual([], booted.boot())
        self.assertEqual('198.51.100.10/24',
                         str(booted.esxi.vmks['vmk0'].ipv4))

    def test_our_part_cannot_even_start(self) -> None:
        self.deploy(drive())
        image = f'{self.machine.path(f"/dev/disks/{OURS}")}@@{MIB}'
        plain = gzip.decompress(disk.tool(
            'mcopy', '-i', image, '::/esxiimg.tgz', '-'))
        folder = self.tmp()
        installer.unpack(plain, folder)
        bundle = self.write('x', installer.packed({
            'esxiimg/KS.CFG': (folder / 'esxiimg/KS.CFG').read_bytes()}))
        disk.tool('mcopy', '-o', '-i', image, bundle, '::/esxiimg.tgz')
        result = self.run_installer()
        self.assertNotEqual('', result.error)
        self.assertIsNone(result.erased)
