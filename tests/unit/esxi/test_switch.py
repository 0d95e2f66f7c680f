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

from tests.unit.esxi import base

TEAM = 'vswitch standard policy failover set --vswitch-name vSwitch0 '
GROUP = ('vswitch standard portgroup policy failover set '
         '--portgroup-name "Management Network" ')
UPLINK = 'vswitch standard uplink add --vswitch-name vSwitch0 --uplink-name '
REMOVE = 'vswitch standard uplink remove --vswitch-name vSwitch0 ' \
    '--uplink-name '


class TestVSwitch(base.HostCase):

    def test_add_and_remove(self) -> None:
        self.ok('vswitch standard add --vswitch-name vSwitch1 --ports 64')
        self.assertEqual(64, self.host.vswitches['vSwitch1'].ports)
        self.ok('vswitch standard remove --vswitch-name vSwitch1')
        self.assertEqual(['vSwitch0'], list(self.host.vswitches))

    def test_names_are_unique(self) -> None:
        self.refused('vswitch standard add --vswitch-name vSwitch0', 'exists')

    def test_names(self) -> None:
        for name in ('a' * 33, "'a/b'", "''", 'a%b', "'a\\b'", "' a'",
                     '\u00e4', "'a\tb'"):
            with self.subTest(name=name):
                self.refused(f'vswitch standard add --vswitch-name {name}',
                             'Invalid vSwitch name')

    def test_ports(self) -> None:
        for ports in (0, 4097):
            self.refused('vswitch standard add --vswitch-name a --ports '
                         f'{ports}', 'number of ports')

    def test_not_while_it_has_port_groups(self) -> None:
        self.refused('vswitch standard remove --vswitch-name vSwitch0',
                     'has port groups')

    def test_unknown(self) -> None:
        for line in ('remove', 'set', 'list', 'policy security get',
                     'policy shaping get', 'policy failover get'):
            self.refused(f'vswitch standard {line} --vswitch-name a',
                         "'a' not found")

    def test_set(self) -> None:
        self.ok('vswitch standard set --vswitch-name vSwitch0 --mtu 9000 '
                '--cdp-status both',
                'vswitch standard set --vswitch-name vSwitch0')
        switch, = self.json('vswitch standard list')
        self.assertEqual((9000, 'both', 3), (
            switch['MTU'], switch['CDP Status'], switch['Used Ports']))

    def test_mtu_range(self) -> None:
        line = 'vswitch standard set --vswitch-name vSwitch0 --mtu '
        self.ok('vswitch standard add --vswitch-name a')
        for mtu in (1280, 9190):
            self.ok(f'vswitch standard set --vswitch-name a --mtu {mtu}')
        for mtu in (1279, 9191, -1):
            self.refused(f'{line}{mtu}', 'Invalid MTU')

    def test_mtu_not_below_that_of_a_vmk(self) -> None:
        self.refused('vswitch standard set --vswitch-name vSwitch0 '
                     '--mtu 1499', 'Invalid MTU 1500 of vmk0')

    def test_list(self) -> None:
        self.ok('vswitch standard add --vswitch-name a')
        self.assertEqual(2, len(self.json('vswitch standard list')))
        switch, = self.json('vswitch standard list --vswitch-name a')
        self.assertEqual(('a', [], []), (
            switch['Name'], switch['Uplinks'], switch['Portgroups']))

    def test_nics(self) -> None:
        self.ok('vswitch standard set --vswitch-name vSwitch0 --mtu 9000')
        self.host.nics[1].up = False
        first, second, _ = self.json('nic list')
        self.assertEqual((9000, 'Up', 10000, 'Full'), (
            first['MTU'], first['Link Status'], first['Speed'],
            first['Duplex']))
        self.assertEqual((1500, 'Down', 0, 'Half'), (
            second['MTU'], second['Link Status'], second['Speed'],
            second['Duplex']))
        self.assertTrue(self.ok('nic get --nic-name vmnic1').startswith(
            '   Link Detected: false\n'))
        self.assertEqual('Down', self.json('nic get --nic-name vmnic1')[
            'Link Status'])
        self.refused('nic get --nic-name vmnic7', 'not found')


class TestUplinks(base.HostCase):

    def test_one_vswitch_each(self) -> None:
        self.ok('vswitch standard add --vswitch-name a')
        self.refused('vswitch standard uplink add --vswitch-name a '
                     '--uplink-name vmnic0', 'already exists')
        self.refused(UPLINK + 'vmnic0', 'already exists')

    def test_unknown(self) -> None:
        self.refused(UPLINK + 'vmnic3', 'Unknown NIC')
        self.refused(REMOVE + 'vmnic1', 'no uplink of vSwitch0')
        self.refused('vswitch standard uplink add --vswitch-name a '
                     '--uplink-name vmnic1', 'not found')

    def test_carries_at_once_without_a_policy(self) -> None:
        self.ok(UPLINK + 'vmnic1')
        self.assertEqual(['vmnic0', 'vmnic1'],
                         self.host.vswitches['vSwitch0'].teaming.active)

    def test_stays_unused_with_a_policy(self) -> None:
        for option in ('active-uplinks vmnic0', 'load-balancing portid'):
            with self.subTest(option=option):
                self.setUp()
                self.ok(f'{TEAM} --{option}', UPLINK + 'vmnic1')
                policy = self.json('vswitch standard policy failover get '
                                   '--vswitch-name vSwitch0')
                self.assertEqual((['vmnic0'], [], ['vmnic1']), (
                    policy['Active Adapters'], policy['Standby Adapters'],
                    policy['Unused Adapters']))

    def test_stays_unused_with_a_port_groups_policy(self) -> None:
        self.ok(UPLINK + 'vmnic1')
        self.host.nics[0].up = False
        self.assertFalse(self.usable())
        self.ok(GROUP + '--active-uplinks vmnic0,vmnic1')
        self.assertTrue(self.usable())

    def test_other_policies_take_new_uplinks(self) -> None:
        self.ok(TEAM + '--failback false --notify-switches false '
                '--failure-detection beacon', UPLINK + 'vmnic1')
        self.assertEqual(
            {'Load Balancing': 'srcport', 'Failback': False,
             'Network Failure Detection': 'beacon', 'Notify Switches': False,
             'Active Adapters': ['vmnic0', 'vmnic1'], 'Standby Adapters': [],
             'Unused Adapters': []},
            self.json('vswitch standard policy failover get '
                      '--vswitch-name vSwitch0'))
        self.assertTrue(self.json('vswitch standard list')[0][
            'Beacon Enabled'])

    def test_removal_takes_it_out_of_the_policies(self) -> None:
        self.ok(UPLINK + 'vmnic1', UPLINK + 'vmnic2',
                TEAM + '--active-uplinks vmnic0,vmnic1 '
                '--standby-uplinks vmnic2',
                GROUP + '--active-uplinks vmnic1 --standby-uplinks vmnic0')
        self.ok(REMOVE + 'vmnic1', REMOVE + 'vmnic2')
        self.assertEqual(['vmnic0'],
                         self.host.vswitches['vSwitch0'].uplinks)
        switch = self.host.vswitches['vSwitch0'].teaming
        group = self.host.portgroups['Management Network'].teaming
        self.assertEqual((['vmnic0'], []), (switch.active, switch.standby))
        self.assertEqual(([], ['vmnic0']), (group.active, group.standby))


class TestTeaming(base.HostCase):

    def setUp(self) -> None:
        super().setUp()
        self.ok(UPLINK + 'vmnic1')

    def test_lists(self) -> None:
        for line in (TEAM, GROUP):
            with self.subTest(line=line):
                self.refused(line + '--active-uplinks vmnic2', 'no uplink')
                self.refused(line + '--active-uplinks "vmnic0, vmnic1"',
                             "' vmnic1' is no uplink")
                self.refused(line + '--active-uplinks vmnic0,vmnic0 ',
                             'twice')
                self.refused(line + '--active-uplinks vmnic0 '
                             '--standby-uplinks vmnic0', 'twice')
                self.refused(line + '--active-uplinks vmnic0, ', 'no uplink')

    def test_lists_that_are_not_given_stay(self) -> None:
        self.refused(TEAM + '--standby-uplinks vmnic1', 'twice')
        self.ok(TEAM + '--active-uplinks vmnic0 --standby-uplinks vmnic1',
                TEAM + '--active-uplinks vmnic0')
        self.refused(TEAM + '--active-uplinks vmnic1', 'twice')
        self.ok(TEAM + '--active-uplinks vmnic1 --standby-uplinks ""')

    def test_iphash_has_no_standby(self) -> None:
        self.refused(TEAM + '--load-balancing iphash --active-uplinks vmnic0 '
                     '--standby-uplinks vmnic1', 'iphash')
        self.ok(TEAM + '--load-balancing iphash')
        self.refused(TEAM + '--active-uplinks vmnic0 '
                     '--standby-uplinks vmnic1', 'iphash')

    def test_words_that_get_prints(self) -> None:
        for word, printed in (('portid', 'srcport'), ('mac', 'srcmac'),
                              ('iphash', 'iphash'),
                              ('explicit', 'explicit')):
            self.ok(f'{TEAM} --load-balancing {word}')
            self.assertEqual(printed, self.json(
                'vswitch standard policy failover get --vswitch-name '
                'vSwitch0')['Load Balancing'])

    def test_a_port_group_has_its_own(self) -> None:
        self.ok(GROUP + '--load-balancing explicit --active-uplinks vmnic1')
        get = 'vswitch standard portgroup policy failover get ' \
            '--portgroup-name '
        own = self.json(get + '"Management Network"')
        inherited = self.json(get + '"VM Network"')
        self.assertEqual((['vmnic1'], ['vmnic0'], 'explicit'), (
            own['Active Adapters'], own['Unused Adapters'],
            own['Load Balancing']))
        self.assertEqual((['vmnic0', 'vmnic1'], 'srcport'), (
            inherited['Active Adapters'], inherited['Load Balancing']))
        self.ok(GROUP + '--use-vswitch')
        self.assertEqual(inherited, self.json(get + '"Management Network"'))
        self.refused(GROUP + '--use-vswitch --failback true', 'use-vswitch')

    def test_a_port_groups_policy_is_not_the_switchs(self) -> None:
        self.ok(GROUP.replace('Management', 'VM')
                + '--active-uplinks vmnic1', UPLINK + 'vmnic2')
        self.assertEqual(['vmnic0', 'vmnic1', 'vmnic2'],
                         self.host.vswitches['vSwitch0'].teaming.active)
        self.assertEqual(
            ['vmnic1'], self.host.portgroups['VM Network'].teaming.active)

    def test_a_refused_policy_leaves_the_old_one(self) -> None:
        old = self.host.vswitches['vSwitch0'].teaming
        self.refused(TEAM + '--active-uplinks vmnic9', 'no uplink')
        self.assertEqual(old, self.host.vswitches['vSwitch0'].teaming)
        self.assertFalse(self.host.vswitches['vSwitch0'].explicit)


class TestOtherPolicies(base.HostCase):

    def test_security(self) -> None:
        line = 'vswitch standard policy security '
        self.ok(line + 'set --vswitch-name vSwitch0 --allow-promiscuous true '
                '--allow-mac-change true',
                line + 'set --vswitch-name vSwitch0 --allow-mac-change false')
        self.assertEqual(
            {'Allow Promiscuous': True, 'Allow MAC Address Change': False,
             'Allow Forged Transmits': False},
            self.json(line + 'get --vswitch-name vSwitch0'))

    def test_security_of_a_port_group(self) -> None:
        line = 'vswitch standard portgroup policy security set ' \
            '--portgroup-name "VM Network" '
        self.ok(line + '--allow-forged-transmits true')
        self.assertEqual({'--allow-forged-transmits': 'true'},
                         self.host.portgroups['VM Network'].security)
        self.refused(line + '--use-vswitch --allow-mac-change true', 'no oth')
        self.ok(line + '--use-vswitch')
        self.assertIsNone(self.host.portgroups['VM Network'].security)

    def test_shaping(self) -> None:
        line = 'vswitch standard policy shaping '
        on = line + 'set --vswitch-name vSwitch0 --enabled true '
        for rest in ('', '--avg-bandwidth 1 --peak-bandwidth 1',
                     '--avg-bandwidth 2 --peak-bandwidth 1 --burst-size 1',
                     '--avg-bandwidth 0 --peak-bandwidth 1 --burst-size 1'):
            with self.subTest(rest=rest):
                self.refused(on + rest, 'Shaping needs')
        self.ok(on + '--avg-bandwidth 1 --peak-bandwidth 2 --burst-size 3')
        self.assertEqual(
            {'Enabled': True, 'Average Bandwidth': 1, 'Peak Bandwidth': 2,
             'Burst Size': 3},
            self.json(line + 'get --vswitch-name vSwitch0'))
        self.ok(line + 'set --vswitch-name vSwitch0 --enabled false')
        self.assertFalse(self.json(
            line + 'get --vswitch-name vSwitch0')['Enabled'])

    def test_shaping_of_a_port_group(self) -> None:
        line = 'vswitch standard portgroup policy shaping set ' \
            '--portgroup-name "VM Network" '
        self.ok(line + '--enabled false')
        self.assertEqual({'--enabled': 'false'},
                         self.host.portgroups['VM Network'].shaping)
        self.ok(line + '--use-vswitch')
        self.assertIsNone(self.host.portgroups['VM Network'].shaping)


class TestPortGroups(base.HostCase):

    def test_add_set_remove(self) -> None:
        self.ok('vswitch standard portgroup add --vswitch-name vSwitch0 '
                '--portgroup-name "A B"',
                'vswitch standard portgroup set --portgroup-name "A B" '
                '--vlan-id 7',
                'vswitch standard portgroup set --portgroup-name "A B"')
        self.assertEqual(
            {'Name': 'A B', 'Virtual Switch': 'vSwitch0',
             'Active Clients': 0, 'VLAN ID': 7},
            self.json('vswitch standard portgroup list')[-1])
        self.ok('vswitch standard portgroup remove --vswitch-name vSwitch0 '
                '--portgroup-name "A B"')
        self.assertNotIn('A B', self.host.portgroups)

    def test_names_are_unique_on_the_host(self) -> None:
        self.ok('vswitch standard add --vswitch-name a')
        self.refused('vswitch standard portgroup add --vswitch-name a '
                     '--portgroup-name "VM Network"', 'already exists')

    def test_names(self) -> None:
        for name in ('a' * 81, 'a/b', "''"):
            self.refused('vswitch standard portgroup add --vswitch-name '
                         f'vSwitch0 --portgroup-name {name}', 'Invalid port')

    def test_unknown(self) -> None:
        self.refused('vswitch standard portgroup add --vswitch-name a '
                     '--portgroup-name b', "'a' not found")
        self.refused('vswitch standard portgroup set --portgroup-name b',
                     "'b' not found")
        self.refused('vswitch standard portgroup remove --vswitch-name a '
                     '--portgroup-name "VM Network"', "'a' not found")

    def test_not_from_another_vswitch(self) -> None:
        self.ok('vswitch standard add --vswitch-name a')
        self.refused('vswitch standard portgroup remove --vswitch-name a '
                     '--portgroup-name "VM Network"', 'is on vSwitch0')

    def test_not_with_a_vmk_on_it(self) -> None:
        line = 'vswitch standard portgroup remove --vswitch-name vSwitch0 ' \
            '--portgroup-name "Management Network"'
        self.refused(line, 'Management Network has vmk0')
        self.ok('ip interface remove --interface-name vmk0', line)
