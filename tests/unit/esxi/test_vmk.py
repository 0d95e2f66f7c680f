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

ADD = 'ip interface add --portgroup-name "VM Network" '
V4 = 'ip interface ipv4 set --interface-name vmk1 '
V6 = 'ip interface ipv6 set --interface-name vmk0 '
ADDRESS = 'ip interface ipv6 address add --interface-name vmk0 --ipv6 '


class TestInterface(base.HostCase):

    def test_add(self) -> None:
        self.ok(ADD + '--interface-name vmk7 --mtu 1400 '
                '--mac-address 02:00:00:00:00:FF --netstack '
                'defaultTcpipStack')
        vmk = self.json('ip interface list')[-1]
        self.assertEqual(
            ('vmk7', '02:00:00:00:00:ff', True, 'vSwitch0', 'VM Network',
             1400), (vmk['Name'], vmk['MAC Address'], vmk['Enabled'],
                     vmk['Portset'], vmk['Portgroup'], vmk['MTU']))

    def test_automatic_name_and_mac(self) -> None:
        self.ok(ADD)
        self.assertRegex(self.host.vmks['vmk1'].mac, '^00:50:56:')
        self.ok('vswitch standard portgroup add --vswitch-name vSwitch0 '
                '--portgroup-name A',
                'ip interface add --portgroup-name A')
        self.assertNotEqual(self.host.vmks['vmk1'].mac,
                            self.host.vmks['vmk2'].mac)

    def test_names(self) -> None:
        self.ok(ADD + '--interface-name vmk99',
                'ip interface remove --interface-name vmk99')
        for name in ('vmk100', 'vmk01', 'vmk', 'eth0', '1'):
            self.refused(ADD + f'--interface-name {name}', 'Invalid VMkernel')
        self.refused(ADD + '--interface-name vmk0', 'already exists')

    def test_port_groups(self) -> None:
        self.refused('ip interface add --interface-name vmk1', 'is needed')
        self.refused(ADD + '--dvs-name x', 'no distributed')
        self.refused('ip interface add --portgroup-name A', 'not found')
        self.refused('ip interface add --portgroup-name '
                     '"Management Network"', 'already exists')

    def test_macs(self) -> None:
        for mac in ('01:00:00:00:00:01', '00:00:00:00:00:00', 'auto',
                    '02-00-00-00-00-01', '02:00:00:00:00'):
            self.refused(ADD + f'--mac-address {mac}', 'Invalid MAC')
        self.refused(ADD + '--mac-address 02:00:00:00:00:A0',
                     'MAC address 02:00:00:00:00:a0 already exists')
        self.ok(ADD + '--mac-address 02:00:00:00:00:a1')

    def test_mtu(self) -> None:
        for mtu in (1501, 1279):
            self.refused(ADD + f'--mtu {mtu}', f'Invalid MTU {mtu}')
            self.refused('ip interface set --interface-name vmk0 '
                         f'--mtu {mtu}', f'Invalid MTU {mtu}')
        self.ok('vswitch standard set --vswitch-name vSwitch0 --mtu 9000',
                'ip interface set --interface-name vmk0 --mtu 1280',
                'ip interface set --interface-name vmk0 --mtu 9000')
        self.assertEqual(9000, self.host.vmks['vmk0'].mtu)

    def test_enabled(self) -> None:
        line = 'ip interface set --interface-name vmk0 '
        self.ok(line + '--enabled false', line + '--mtu 1500')
        self.assertFalse(self.host.vmks['vmk0'].enabled)
        self.assertFalse(self.usable())
        self.ok(line + '--enabled true')
        self.assertTrue(self.usable())

    def test_remove(self) -> None:
        self.refused('ip interface remove', 'Needs')
        self.refused('ip interface remove --interface-name vmk0 '
                     '--portgroup-name "Management Network"', 'Needs')
        self.refused('ip interface remove --interface-name vmk1', 'not found')
        self.refused('ip interface remove --portgroup-name "VM Network"',
                     'not found')
        self.ok('ip interface remove --portgroup-name "Management Network"')
        self.assertEqual({}, self.host.vmks)
        self.assertEqual([], self.host.routes)

    def test_netstack(self) -> None:
        self.refused(ADD + '--netstack vmotion', "'vmotion' not found")

    def test_tags(self) -> None:
        line = 'ip interface tag {} --interface-name vmk0'
        add, drop = line.format('add'), line.format('remove')
        self.ok(add + ' --tagname VMotion', add + ' --tagname VMotion')
        self.assertEqual({'Tags': ['Management', 'VMotion']},
                         self.json(line.format('get')))
        self.ok(drop + ' --tagname Management')
        self.assertEqual({}, self.host.unusable())
        self.refused(drop + ' --tagname Management', 'no tag')
        self.refused(add + ' --tagname management', 'Invalid tag')
        self.refused('ip interface tag add --interface-name vmk1 '
                     '--tagname VMotion', 'not found')


class TestIPv4(base.HostCase):

    def setUp(self) -> None:
        super().setUp()
        self.ok(ADD)

    def static(self, address: str, netmask: str) -> str:
        return f'{V4} --type static --ipv4 {address} --netmask {netmask}'

    def test_static(self) -> None:
        self.ok(self.static('198.51.100.9', '255.255.255.0'))
        rows = self.json('ip interface ipv4 get')
        self.assertEqual(
            {'Name': 'vmk1', 'IPv4 Address': '198.51.100.9',
             'IPv4 Netmask': '255.255.255.0',
             'IPv4 Broadcast': '198.51.100.255', 'Address Type': 'STATIC',
             'Gateway': '0.0.0.0', 'DHCP DNS': False}, rows[1])
        self.assertEqual('192.0.2.1', rows[0]['Gateway'])
        self.assertEqual(rows[1:], self.json(
            'ip interface ipv4 get --interface-name vmk1'))
        self.assertEqual(rows, self.json('ip interface ipv4 address list'))

    def test_static_needs_both(self) -> None:
        for rest in ('', '--ipv4 198.51.100.9', '--netmask 255.0.0.0'):
            self.refused(f'{V4} --type static {rest}', 'static needs')

    def test_other_types_take_none(self) -> None:
        for kind in ('dhcp', 'none'):
            for rest in ('--ipv4 198.51.100.9', '--netmask 255.0.0.0',
                         '--gateway 192.0.2.1'):
                self.refused(f'{V4} --type {kind} {rest}', 'does not go with')
        self.refused(f'{V4} --type none --peer-dns true', 'does not go with')

    def test_addresses(self) -> None:
        for address in ('198.51.100.0', '198.51.100.255'):
            self.refused(self.static(address, '255.255.255.0'),
                         'not the address of a host')
        self.refused(self.static('198.51.100.4', '255.255.255.252'),
                     'not the address of a host')
        for address in ('224.0.0.1', '127.0.0.1', '0.0.0.0', '0.1.2.3',
                        '240.0.0.1', '255.255.255.255', '198.51.100.9/24',
                        '198.51.100', '2001:db8::1', 'x', '198.051.100.9'):
            self.refused(self.static(address, '255.255.255.0'),
                         'Invalid IPv4 address')
        for netmask in ('255.0.255.0', '0.0.0.255', '24', '0.0.0.0', 'x'):
            self.refused(self.static('198.51.100.9', netmask),
                         'Invalid netmask')
        self.ok(self.static('198.51.100.0', '255.255.255.254'))

    def test_one_address_one_vmk(self) -> None:
        self.refused(self.static('192.0.2.5', '255.255.0.0'),
                     'IP address 192.0.2.5 already exists')

    def test_gateway(self) -> None:
        line = self.static('198.51.100.9', '255.255.255.0') + ' --gateway '
        for gateway in ('192.0.2.1', '198.51.100.9', '198.51.100.255'):
            self.refused(line + gateway, 'not on-link')
        self.ok(line + '198.51.100.1')
        self.assertEqual('198.51.100.1', self.json(
            'ip interface ipv4 get --interface-name vmk1')[0]['Gateway'])
        self.host.version = '9.0.0'
        self.refused(line + '198.51.100.1', 'default route')

    def test_other_routes_give_no_gateway(self) -> None:
        self.ok('ip route ipv4 remove --network default '
                '--gateway 192.0.2.1',
                'ip route ipv4 add --network 203.0.113.0/24 '
                '--gateway 192.0.2.1')
        self.assertEqual('0.0.0.0',
                         self.json('ip interface ipv4 get')[0]['Gateway'])

    def test_none(self) -> None:
        self.ok('ip interface ipv4 set --interface-name vmk0 --type none')
        self.assertEqual([], self.host.routes)
        self.assertEqual('0.0.0.0', self.json('ip interface ipv4 get')[0][
            'IPv4 Address'])

    def test_another_network_drops_the_routes(self) -> None:
        line = 'ip interface ipv4 set --interface-name vmk0 --type static '
        self.ok(line + '--ipv4 192.0.2.6 --netmask 255.255.255.0')
        self.assertEqual(1, len(self.host.routes))
        self.ok(line + '--ipv4 198.51.100.6 --netmask 255.255.255.0')
        self.assertEqual([], self.host.routes)


class TestDhcp(base.HostCase):

    LINE = 'ip interface ipv4 set --interface-name vmk0 --type dhcp '

    def test_lease(self) -> None:
        self.host.dhcp = {'02:00:00:00:00:a0': base.LEASE}
        self.ok(self.LINE)
        row, = self.json('ip interface ipv4 get')
        self.assertEqual(('192.0.2.77', 'DHCP', False), (
            row['IPv4 Address'], row['Address Type'], row['DHCP DNS']))
        self.assertTrue(self.usable())
        self.assertEqual([], self.host.dns)

    def test_no_answer(self) -> None:
        for dhcp in ({}, {'02:00:00:00:00:a0': None, '*': base.LEASE},
                     lambda mac: None):
            self.setUp()
            self.host.dhcp = dhcp
            self.ok(self.LINE)
            self.assertEqual({'vmk0': 'no address'}, self.host.unusable())

    def test_callable(self) -> None:
        asked = []
        self.host.dhcp = lambda mac: asked.append(mac) or base.LEASE
        self.ok(self.LINE)
        self.assertEqual({'02:00:00:00:00:a0'}, set(asked))
        self.assertTrue(self.usable())

    def test_asked_again_when_the_link_comes(self) -> None:
        self.host.dhcp = {'*': base.LEASE}
        self.host.nics[0].up = False
        self.ok(self.LINE)
        self.assertIsNone(self.host.vmks['vmk0'].ipv4)
        self.host.nics[0].up = True
        self.ok('nic list')
        self.assertTrue(self.usable())

    def test_peer_dns_rules(self) -> None:
        self.host.dhcp = {'*': base.LEASE}
        self.ok('ip dns server add --server 192.0.2.9',
                self.LINE + '--peer-dns true',
                'ip dns server remove --all',
                'ip dns server add --server 192.0.2.9')
        self.assertEqual(['192.0.2.53'], self.host.dns)

    def test_default_route_comes_and_goes_with_it(self) -> None:
        self.host.dhcp = {'*': {**base.LEASE, 'ip': '198.51.100.7',
                                'gateway': '198.51.100.1'}}
        self.ok(self.LINE, 'nic list')
        route, = self.host.routes
        self.assertEqual(('198.51.100.1', 'DHCP'),
                         (str(route.gateway), route.source))
        self.ok('ip interface ipv4 set --interface-name vmk0 --type static '
                '--ipv4 198.51.100.7 --netmask 255.255.255.0')
        self.assertEqual([], self.host.routes)

    def test_a_default_route_that_is_there_stays(self) -> None:
        self.host.dhcp = {'*': {**base.LEASE, 'gateway': '192.0.2.254'}}
        self.ok(ADD, f'{V4} --type dhcp')
        self.assertEqual('192.0.2.77/24', str(self.host.vmks['vmk1'].ipv4))
        self.assertEqual(['192.0.2.1'], [str(route.gateway) for route
                                         in self.host.routes])

    def test_no_gateway(self) -> None:
        self.host.dhcp = {'*': {**base.LEASE, 'gateway': None}}
        self.ok(self.LINE)
        self.assertEqual([], self.host.routes)

    def test_a_lease_stays(self) -> None:
        self.host.dhcp = {'*': base.LEASE}
        self.ok(self.LINE)
        self.host.dhcp = {'*': {**base.LEASE, 'ip': '192.0.2.78'}}
        self.ok('nic list')
        self.assertEqual('192.0.2.77/24', str(self.host.vmks['vmk0'].ipv4))

    def test_a_disabled_vmk_does_not_ask(self) -> None:
        self.host.dhcp = {'*': base.LEASE}
        self.ok('ip interface set --interface-name vmk0 --enabled false',
                self.LINE)
        self.assertIsNone(self.host.vmks['vmk0'].ipv4)

    def test_an_address_in_use_is_declined(self) -> None:
        self.host.dhcp = {'*': {**base.LEASE, 'ip': '192.0.2.5'}}
        self.ok(ADD, f'{V4} --type dhcp')
        self.assertIsNone(self.host.vmks['vmk1'].ipv4)


class TestIPv6(base.HostCase):

    def test_address(self) -> None:
        self.ok(ADDRESS + '2001:db8::5/64')
        self.assertEqual(
            [{'Interface': 'vmk0', 'Address': '2001:db8::5', 'Netmask': 64,
              'Type': 'STATIC', 'Status': 'PREFERRED'}],
            self.json('ip interface ipv6 address list'))
        drop = ADDRESS.replace(' add ', ' remove ')
        self.refused(drop + '2001:db8::6/64', 'no address')
        self.ok(drop + '2001:db8::5/64')
        self.assertEqual([], self.host.vmks['vmk0'].ipv6_addresses)

    def test_the_prefix_is_needed(self) -> None:
        for address in ('2001:db8::5', '2001:db8::5/', '2001:db8::5/129',
                        '2001:db8::5/0', '2001:db8::5/x'):
            self.refused(ADDRESS + address, 'no prefix')

    def test_addresses(self) -> None:
        for address in ('ff02::1', '::1', '::', '192.0.2.1', 'fe80::1%vmk0'):
            self.refused(ADDRESS + address + '/64', 'Invalid IPv6 address')
        self.ok(ADDRESS + '2001:db8::5/64')
        self.refused(ADDRESS + '2001:db8::5/64', 'already exists')

    def test_a_new_vmk_has_none(self) -> None:
        self.ok(ADD)
        line = ADDRESS.replace('vmk0', 'vmk1') + '2001:db8::5/64'
        self.refused(line, 'IPv6 is not enabled on vmk1')
        self.ok(V6.replace('vmk0', 'vmk1') + '--enable-ipv6 true', line)

    def test_set(self) -> None:
        self.assertEqual('::', self.json('ip interface ipv6 get')[0][
            'Gateway'])
        self.ok(V6 + '--enable-dhcpv6 true --enable-router-adv false '
                '--peer-dns true --gateway fe80::1')
        self.assertEqual(
            [{'Name': 'vmk0', 'IPv6 Enabled': True, 'DHCPv6 Enabled': True,
              'Router Adv Enabled': False, 'DHCP DNS': True,
              'Gateway': 'fe80::1'}], self.json('ip interface ipv6 get'))

    def test_gateway(self) -> None:
        self.refused(V6 + '--gateway 2001:db8::1', 'not on-link')
        self.refused(V6 + '--gateway 192.0.2.1', 'Invalid IPv6')
        self.ok(ADDRESS + '2001:db8::5/64', V6 + '--gateway 2001:db8::1')

    def test_off(self) -> None:
        self.ok(ADDRESS + '2001:db8::5/64',
                'ip route ipv6 add --network default --gateway 2001:db8::1',
                'ip route ipv6 add --network 2001:db8:1::/48 '
                '--gateway fe80::1%vmk0')
        self.assertEqual(3, len(self.host.routes))
        self.ok(V6 + '--enable-ipv6 false')
        vmk = self.host.vmks['vmk0']
        self.assertEqual(([], False), (vmk.ipv6_addresses, vmk.router_adv))
        self.assertEqual([4], [route.network.version
                               for route in self.host.routes])
        self.refused(V6 + '--enable-dhcpv6 true', 'not enabled')
        self.refused(V6 + '--enable-ipv6 false --gateway fe80::1',
                     'not enabled')

    def test_what_counts_as_usable(self) -> None:
        none = 'ip interface ipv4 set --interface-name vmk0 --type none'
        self.ok(none, ADDRESS + 'fe80::5/64')
        self.assertFalse(self.usable())
        self.ok(ADDRESS + '2001:db8::5/64')
        self.assertTrue(self.usable())

    def test_advertised(self) -> None:
        self.host = state.fresh(base.nics(), [],
                                dhcp={'*': {'ipv6': '2001:db8::9/64'}})
        self.assertTrue(self.usable())
        self.ok(V6 + '--enable-router-adv false')
        self.assertFalse(self.usable())
        self.ok(V6 + '--enable-dhcpv6 true')
        self.assertTrue(self.usable())
