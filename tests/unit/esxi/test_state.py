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

from tests.esxi import state
from tests.unit.esxi import base

TRUNK = 'vswitch standard portgroup set --portgroup-name ' \
    '"Management Network" --vlan-id '


class TestRun(base.HostCase):

    def test_journal_has_refused_commands_too(self) -> None:
        self.ok('nic list')
        self.refused('nic lost', 'Unknown command')
        self.assertEqual([('esxcli', 'network', 'nic', 'list'),
                          ('esxcli', 'network', 'nic', 'lost')],
                         self.host.journal)

    def test_usage(self) -> None:
        self.assertEqual(
            (1, '', "Error: While processing '--vlan-id'. Argument type "
             "mismatch. Expecting integer value. Got 'x'\n\n"
             'Usage: esxcli network vswitch standard portgroup set '
             '[cmd options]\n'), self.host.run(self.argv(TRUNK + 'x')))

    def test_what_is_not_simulated(self) -> None:
        self.refused('netstack list', 'Unknown command')
        self.refused('ip netstack list', 'not simulated')
        self.refused('!esxcli --formatter=xml network nic list',
                     'not simulated')

    def test_without_hostd(self) -> None:
        self.host.hostd = False
        self.refused('nic list', 'Connection failure')
        self.refused('!vim-cmd hostsvc/runtimeinfo', 'Connection failure')
        self.ok('!localcli network nic list', '!auto-backup.sh')

    def test_joined_keys(self) -> None:
        self.host.joined_keys = True
        self.assertIn('FullyQualifiedDomainName',
                      self.json('!esxcli system hostname get'))

    def test_backed_up_until_the_next_change(self) -> None:
        self.ok('!auto-backup.sh', 'nic list', '!logger x',
                '!vim-cmd hostsvc/runtimeinfo')
        self.refused('nic lost', 'Unknown')
        self.assertTrue(self.host.backed_up)
        self.ok('ip dns server add --server 192.0.2.1')
        self.assertFalse(self.host.backed_up)

    def test_files(self) -> None:
        self.ok('!auto-backup.sh')
        self.host.write_file('/etc/ssh/keys-root/authorized_keys', 'x', 0o600)
        self.assertEqual({'/etc/ssh/keys-root/authorized_keys': (0o600, 'x')},
                         self.host.files)
        self.assertFalse(self.host.backed_up)
        for path in ('etc/x', '/etc/../x'):
            with self.assertRaises(AssertionError):
                self.host.write_file(path, '', 0o600)


class TestOutages(base.HostCase):

    def reasons(self) -> list[str]:
        return [outage.why for outage in self.host.outages]

    def test_none(self) -> None:
        self.ok('nic list', TRUNK + '7')
        self.assertEqual([], self.host.outages)

    def test_every_moment_counts(self) -> None:
        self.ok('nic list',
                'ip interface ipv4 set --interface-name vmk0 --type none',
                'nic list',
                'ip interface ipv4 set --interface-name vmk0 --type static '
                '--ipv4 192.0.2.6 --netmask 255.255.255.0')
        self.assertEqual(
            [(1, 'vmk0: no address'), (2, 'vmk0: no address')],
            [(outage.index, outage.why) for outage in self.host.outages])
        self.assertEqual(self.host.journal[1], self.host.outages[0].argv)

    def test_a_trunk(self) -> None:
        self.ok(TRUNK + '4095')
        self.assertEqual(['vmk0: no uplink with a link, or a trunk'],
                         self.reasons())

    def test_no_link(self) -> None:
        self.host.nics[0].up = False
        self.ok('nic list')
        self.assertEqual(['vmk0: no uplink with a link, or a trunk'],
                         self.reasons())

    def test_no_uplink(self) -> None:
        self.ok('vswitch standard uplink remove --vswitch-name vSwitch0 '
                '--uplink-name vmnic0')
        self.assertEqual(['vmk0: no uplink with a link, or a trunk'],
                         self.reasons())

    def test_standby_takes_over(self) -> None:
        self.ok('vswitch standard uplink add --vswitch-name vSwitch0 '
                '--uplink-name vmnic1',
                'vswitch standard portgroup policy failover set '
                '--portgroup-name "Management Network" '
                '--standby-uplinks vmnic1')
        self.host.nics[0].up = False
        self.ok('nic list')
        self.assertEqual([], self.host.outages)

    def test_no_tag(self) -> None:
        self.ok('ip interface tag remove --interface-name vmk0 '
                '--tagname Management')
        self.assertEqual(['no management vmk'], self.reasons())

    def test_not_enabled(self) -> None:
        self.ok('ip interface set --interface-name vmk0 --enabled false')
        self.assertEqual(['vmk0: not enabled'], self.reasons())

    def test_one_vmk_is_enough(self) -> None:
        self.ok('ip interface add --portgroup-name "VM Network"',
                'ip interface ipv4 set --interface-name vmk1 --type static '
                '--ipv4 198.51.100.9 --netmask 255.255.255.0',
                'ip interface tag add --interface-name vmk1 '
                '--tagname Management',
                'ip interface remove --interface-name vmk0')
        self.assertEqual([], self.host.outages)

    def test_a_link_local_address_is_not_enough(self) -> None:
        self.ok('ip interface ipv4 set --interface-name vmk0 --type static '
                '--ipv4 169.254.1.1 --netmask 255.255.0.0')
        self.assertEqual(['vmk0: no address'], self.reasons())


class TestNic(base.HostCase):

    def test_defaults(self) -> None:
        nic = state.Nic('vmnic0', '02:00:00:00:00:01')
        self.assertEqual((True, 'ixgben'), (nic.up, nic.driver))
