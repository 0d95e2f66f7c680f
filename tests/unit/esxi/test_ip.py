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

V4 = 'ip route ipv4 {} --network {} --gateway {}'
V6 = 'ip route ipv6 {} --network {} --gateway {}'


class TestIPv4Routes(base.HostCase):

    def test_list(self) -> None:
        self.ok(V4.format('add', '198.51.100.0/24', '192.0.2.254'))
        self.assertEqual(
            [('default', '0.0.0.0', '192.0.2.1', 'vmk0', 'MANUAL'),
             ('198.51.100.0', '255.255.255.0', '192.0.2.254', 'vmk0',
              'MANUAL'),
             ('192.0.2.0', '255.255.255.0', '0.0.0.0', 'vmk0', 'MANUAL')],
            [tuple(row.values()) for row in self.json('ip route ipv4 list')])

    def test_one_default(self) -> None:
        for network in ('default', '0.0.0.0/0'):
            self.refused(V4.format('add', network, '192.0.2.2'),
                         'already exists')

    def test_no_duplicates(self) -> None:
        self.ok(V4.format('add', '198.51.100.0/24', '192.0.2.1'))
        for network in ('198.51.100.0/24', '192.0.2.0/24'):
            self.refused(V4.format('add', network, '192.0.2.2'),
                         'already exists')

    def test_networks(self) -> None:
        for network in ('198.51.100.1/24', '198.51.100.0', 'any',
                        '2001:db8::/32', '198.51.100.0/33'):
            self.refused(V4.format('add', network, '192.0.2.1'),
                         'Invalid network')

    def test_gateways(self) -> None:
        for gateway in ('198.51.100.1', '192.0.2.5', '192.0.2.255',
                        '192.0.2.1%vmk0'):
            self.refused(V4.format('add', '203.0.113.0/24', gateway),
                         'not on-link')
        for gateway in ('x', '2001:db8::1'):
            self.refused(V4.format('add', '203.0.113.0/24', gateway),
                         'Invalid IPv4')

    def test_gateway_of_a_disabled_vmk(self) -> None:
        self.ok('ip interface set --interface-name vmk0 --enabled false')
        self.refused(V4.format('add', 'default', '192.0.2.1'), 'not on-link')

    def test_link_local_is_like_others(self) -> None:
        line = 'ip interface ipv4 set --interface-name vmk0 --type '
        self.ok(line + 'static --ipv4 169.254.1.2 --netmask 255.255.0.0',
                V4.format('add', 'default', '169.254.1.1'), line + 'none')
        self.assertEqual([], self.host.routes)

    def test_remove(self) -> None:
        self.refused(V4.format('remove', 'default', '192.0.2.2'), 'No route')
        self.refused(V4.format('remove', '192.0.2.0/24', '192.0.2.1'),
                     'No route')
        self.ok(V4.format('remove', 'default', '192.0.2.1'),
                V4.format('add', 'default', '192.0.2.2'))
        self.assertEqual('192.0.2.2', str(self.host.routes[0].gateway))

    def test_only_the_default_netstack(self) -> None:
        self.ok('ip route ipv4 list --netstack defaultTcpipStack')
        self.refused('ip route ipv4 list --netstack vmotion', 'not found')


class TestIPv6Routes(base.HostCase):

    def setUp(self) -> None:
        super().setUp()
        self.ok('ip interface ipv6 address add --interface-name vmk0 '
                '--ipv6 2001:db8::5/64')

    def test_list(self) -> None:
        self.ok(V6.format('add', 'default', '2001:db8::1'))
        self.assertEqual(
            [('default', 0, '2001:db8::1', 'vmk0', 'MANUAL'),
             ('2001:db8::', 64, '::', 'vmk0', 'MANUAL')],
            [tuple(row.values()) for row in self.json('ip route ipv6 list')])

    def test_one_default_for_each_family(self) -> None:
        self.ok(V6.format('add', 'default', '2001:db8::1'))
        self.refused(V6.format('add', '::/0', '2001:db8::2'),
                     'already exists')

    def test_link_local_needs_a_zone(self) -> None:
        for gateway in ('fe80::1', 'fe80::1%vmk1', 'fe80::1%',
                        '2001:db8:1::1', '2001:db8::1%vmk0'):
            self.refused(V6.format('add', 'default', gateway), 'not on-link')
        self.ok(V6.format('add', 'default', 'fe80::1%vmk0'),
                V6.format('remove', 'default', 'fe80::1%vmk0'))

    def test_the_zone_has_ipv6(self) -> None:
        self.ok('ip interface add --portgroup-name "VM Network"')
        route = V6.format('add', 'default', 'fe80::1%vmk1')
        self.refused(route, 'not on-link')
        self.ok('ip interface ipv6 set --interface-name vmk1 '
                '--enable-ipv6 true',
                'ip interface set --interface-name vmk1 --enabled false')
        self.refused(route, 'not on-link')
        self.ok('ip interface set --interface-name vmk1 --enabled true',
                route)

    def test_removing_the_address_drops_its_routes(self) -> None:
        self.ok(V6.format('add', 'default', '2001:db8::1'),
                'ip interface ipv6 address remove --interface-name vmk0 '
                '--ipv6 2001:db8::5/64')
        self.assertEqual([4], [route.network.version
                               for route in self.host.routes])

    def test_networks(self) -> None:
        for network in ('2001:db8:1::1/48', '192.0.2.0/24', '2001:db8:1::'):
            self.refused(V6.format('add', network, '2001:db8::1'),
                         'Invalid network')


class TestDns(base.HostCase):

    def test_servers(self) -> None:
        self.ok('ip dns server add --server 192.0.2.8',
                'ip dns server add --server 2001:DB8::8',
                'ip dns server remove --server 192.0.2.8')
        self.assertEqual({'DNSServers': ['2001:db8::8']},
                         self.json('ip dns server list'))
        self.ok('ip dns server remove --all')
        self.assertEqual([], self.host.dns)

    def test_bad_servers(self) -> None:
        self.ok('ip dns server add --server 192.0.2.8')
        self.refused('ip dns server add --server 192.0.2.8', 'already exists')
        for server in ('x', '192.0.2.8,192.0.2.9', 'fe80::1%vmk0', '::'):
            self.refused(f'ip dns server add --server {server}', 'Invalid IP')
        self.refused('ip dns server remove --server 192.0.2.9', 'not found')
        self.refused('ip dns server remove', 'Needs')
        self.refused('ip dns server remove --all --server 192.0.2.8', 'Needs')

    def test_search(self) -> None:
        self.ok('ip dns search add --domain example.com',
                'ip dns search add --domain a.example.com',
                'ip dns search remove --domain example.com')
        self.assertEqual({'DNSSearch Domains': ['a.example.com']},
                         self.json('ip dns search list'))
        self.refused('ip dns search add --domain a.example.com', 'exists')
        self.refused('ip dns search remove --domain b', 'not found')
        for domain in ('a..b', 'a-', 'a_b', '.', '"a b"', 'a' * 64,
                       '.'.join(['a' * 63] * 4)):
            self.refused(f'ip dns search add --domain {domain}',
                         'Invalid domain')

    def test_ipv6_of_the_host_needs_a_boot(self) -> None:
        self.ok('ip set --ipv6-enabled false')
        self.assertEqual({'IPv6 Enabled': True}, self.json('ip get'))
        self.assertFalse(self.host.ipv6_after_boot)
