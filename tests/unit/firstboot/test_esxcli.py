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

"""Each answer, as ESXi hosts gave it (text) or may give it (JSON)."""

import collections.abc
import functools
import json
import typing

from esxi_img.firstboot import esxcli
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import tables
from tests import base

Reader = collections.abc.Callable[[list[tables.Row]], typing.Any]

ROUTES4 = functools.partial(esxcli.routes_of, family=4)
ROUTES6 = functools.partial(esxcli.routes_of, family=6)


def printed(command: str) -> list[tables.Row]:
    return tables.from_text((base.FIXTURES / 'esxcli' / f'{command}.txt'
                             ).read_text())


def rows(*values: dict[str, typing.Any]) -> list[tables.Row]:
    return tables.from_json(json.dumps(values))


class TestPrinted(base.TestCase):
    """As hosts print it, with other addresses; see the fixtures."""

    def test_nics(self) -> None:
        self.assertEqual(
            (host.Nic('vmnic0', '02:00:00:4e:37:14', True),
             host.Nic('vmnic1', '02:00:00:4e:37:15', False)),
            esxcli.nics_of(printed('network-nic-list')))

    def test_switches(self) -> None:
        self.assertEqual(
            esxcli.Switches(
                (host.VSwitch('vSwitch0', ('vmnic0',), 1500),),
                ('VM Network', 'Management Network')),
            esxcli.switches_of(printed('network-vswitch-standard-list')))

    def test_portgroups(self) -> None:
        self.assertEqual(
            (host.PortGroup('Management Network', 'vSwitch0', 44),
             host.PortGroup('VM Network', 'vSwitch0', 0)),
            esxcli.portgroups_of(
                printed('network-vswitch-standard-portgroup-list')))

    def test_teaming(self) -> None:
        self.assertEqual(
            host.Teaming('portid', ('vmnic0', 'vmnic1')),
            esxcli.teaming_of(
                printed('network-vswitch-standard-policy-failover-get')))

    def test_vmks(self) -> None:
        self.assertEqual(
            (host.Vmk('vmk0', 'Management Network', '02:00:00:a3:2e:c2',
                      mtu=1500),),
            esxcli.vmks_of(printed('network-ip-interface-list')))

    def test_ipv4(self) -> None:
        self.assertEqual(
            {'vmk0': '192.0.2.203/24'},
            esxcli.ipv4_of(printed('network-ip-interface-ipv4-get')))

    def test_routes(self) -> None:
        self.assertEqual(
            (host.Route('0.0.0.0/0', '192.0.2.1', 'vmk0'),),
            ROUTES4(printed('network-ip-route-ipv4-list')))

    def test_dns(self) -> None:
        self.assertEqual(
            ('192.0.2.53', '2001:db8::53'),
            esxcli.servers_of(printed('network-ip-dns-server-list')))
        self.assertEqual(
            ('example.com', 'lab.example.com'),
            esxcli.domains_of(printed('network-ip-dns-search-list')))

    def test_system(self) -> None:
        self.assertEqual('esx1.example.com', esxcli.hostname_of(
            printed('system-hostname-get')))
        self.assertEqual('7.0.3', esxcli.version_of(
            printed('system-version-get')))
        self.assertEqual(1, esxcli.option_of(
            printed('system-settings-advanced-list')))


class TestValues(base.TestCase):
    """What stands in the fields."""

    def test_words_of_balancing(self) -> None:
        for word, expected in (
                ('srcport', 'portid'), ('portid', 'portid'),
                ('SrcMac', 'mac'), ('mac', 'mac'), ('iphash', 'iphash'),
                ('IP Hash', 'iphash'), ('explicit', 'explicit')):
            with self.subTest(word):
                self.assertEqual(
                    host.Teaming(expected, ('vmnic1',), ('vmnic0',)),
                    esxcli.teaming_of(rows({
                        'LoadBalancing': word, 'ActiveAdapters': ['vmnic1'],
                        'StandbyAdapters': 'vmnic0'})))

    def test_ipv4(self) -> None:
        for kind, address, mask, expected in (
                ('DHCP', '192.0.2.7', '255.255.255.0', 'dhcp'),
                ('DHCP', '0.0.0.0', '0.0.0.0', 'dhcp'),
                ('static', '192.0.2.7', '255.255.255.254', '192.0.2.7/31'),
                ('STATIC', '0.0.0.0', '0.0.0.0', None),
                ('NONE', '0.0.0.0', '0.0.0.0', None),
                ('NONE', 'N/A', '', None)):
            with self.subTest(kind=kind, address=address):
                self.assertEqual({'vmk0': expected}, esxcli.ipv4_of(rows({
                    'Name': 'vmk0', 'IPv4 Address': address,
                    'IPv4 Netmask': mask, 'Address Type': kind})))

    def test_ipv6(self) -> None:
        for row, expected in (
                ({'Name': 'vmk0', 'DHCPv6 Enabled': True,
                  'Router Adv Enabled': True}, model.DHCPV6_STATEFUL),
                ({'Interface': 'vmk0', 'DHCPv6Enabled': 'true',
                  'RouterAdvEnabled': 'false'}, model.DHCPV6_STATEFUL),
                ({'Interface': 'vmk0', 'Is DHCPv6 Enabled': 'false',
                  'Is Router Adv Enabled': 'true'}, model.SLAAC),
                ({'Name': 'vmk0', 'DHCPv6 Enabled': False,
                  'Router Adv Enabled': False}, None),
                ({'Name': 'vmk0', 'IPv6 Enabled': True, 'DHCPv6 DNS': True,
                  'DHCPv6 Enabled': 0, 'Router Adv Enabled': 1},
                 model.SLAAC),
                ({'Name': 'vmk0', 'IPv6 Enabled': False,
                  'DHCPv6 Enabled': True, 'Router Adv Enabled': True},
                 None)):
            with self.subTest(row=row):
                self.assertEqual({'vmk0': (expected, None)},
                                 esxcli.ipv6_of(rows(row)))

    def test_ipv6_gateway(self) -> None:
        for gateway, expected in (
                ('::', None), ('', None), ('N/A', None), (None, None),
                ('FE80::1', 'fe80::1'), ('fe80::1%vmk0', 'fe80::1'),
                ('2001:db8:0::1', '2001:db8::1')):
            with self.subTest(gateway):
                found = esxcli.ipv6_of(rows({
                    'Name': 'vmk0', 'DHCPv6 Enabled': False,
                    'Router Adv Enabled': True, 'Gateway': gateway}))
                self.assertEqual(
                    {'vmk0': (model.SLAAC, expected)}, found)

    def test_ipv6_addresses_that_somebody_set(self) -> None:
        self.assertEqual(
            {'vmk0': ('2001:db8::7/64', '2001:db8:1::7/48'),
             'vmk1': ('2001:db8:2::7/127',)},
            esxcli.addresses_of(rows(
                {'Interface': 'vmk0', 'Address': 'fe80::250:56ff:fe60:1',
                 'Netmask': 64, 'Type': 'STATIC', 'Status': 'PREFERRED'},
                {'Interface': 'vmk0', 'Address': '2001:DB8::7',
                 'Netmask': '64', 'Type': 'STATIC'},
                {'Interface': 'vmk0', 'Address': '2001:db8::d', 'Netmask': 64,
                 'Type': 'DHCP'},
                {'Interface': 'vmk0', 'Address': '2001:db8::a', 'Netmask': 64,
                 'Type': 'RA'},
                {'Interface': 'vmk1', 'Address': '2001:db8:2::7/127',
                 'Netmask': '', 'Type': 'Manual'},
                {'Interface': 'vmk0', 'Address': '2001:db8:1::7',
                 'Netmask': 48, 'Type': 'MANUAL'})))

    def test_management(self) -> None:
        for answer, expected in (
                (rows({'Tags': ['Management', 'VMotion']}), True),
                (rows({'Tags': 'VMotion, management'}), True),
                (rows({'Tags': ['VMotion']}), False),
                (rows({'Tags': ''}), False),
                (tables.from_text('   Tags: Management\n'), True),
                (tables.from_text('   Tags:\n'), False), ([], False)):
            with self.subTest(answer=answer):
                self.assertIs(expected, esxcli.is_management(answer))

    def test_routes(self) -> None:
        self.assertEqual(
            (host.Route('10.0.0.0/8', '192.0.2.9', 'vmk1'),
             host.Route('0.0.0.0/0', '192.0.2.1', 'vmk0')),
            ROUTES4(rows(
                {'Network': '10.0.0.0', 'Netmask': '255.0.0.0',
                 'Gateway': '192.0.2.9', 'Interface': 'vmk1'},
                {'Network': '0.0.0.0', 'Netmask': '0.0.0.0',
                 'Gateway': '192.0.2.1', 'Interface': 'vmk0'},
                {'Network': '192.0.2.0', 'Netmask': '255.255.255.0',
                 'Gateway': '0.0.0.0', 'Interface': 'vmk0'})))

    def test_interfaces_of_routes(self) -> None:
        found = ROUTES4(rows(
            {'Network': 'default', 'Netmask': '0.0.0.0',
             'Gateway': '192.0.2.1', 'Interface': 'vmk3'}))
        # It takes no part in comparisons of routes.
        self.assertEqual('vmk3', found[0].vmk)

    def test_routes_of_ipv6(self) -> None:
        self.assertEqual(
            (host.Route('::/0', 'fe80::1', 'vmk0'),
             host.Route('2001:db8:a::/48', '2001:db8::9', 'vmk0'),
             host.Route('2001:db8:b::/48', '2001:db8::9', 'vmk0')),
            ROUTES6(rows(
                {'Network': 'default', 'Prefix': 0, 'Gateway': 'fe80::1%vmk0',
                 'Interface': 'vmk0', 'Source': 'RA'},
                {'Network': '2001:db8:a::', 'Prefix': '48',
                 'Gateway': '2001:db8::9', 'Interface': 'vmk0'},
                {'Network': '2001:db8:b::/48', 'Prefix Length': '',
                 'Gateway': '2001:db8::9', 'Interface': 'vmk0'},
                {'Network': 'fe80::', 'Prefix': 64, 'Gateway': '::',
                 'Interface': 'vmk0'})))

    def test_empty_lists_need_not_be_printed(self) -> None:
        for reader in (esxcli.servers_of, esxcli.domains_of, ROUTES4, ROUTES6):
            with self.subTest(reader=reader):
                self.assertEqual((), reader([]))
        self.assertEqual({}, esxcli.addresses_of([]))


GOOD: dict[str, tuple[Reader, dict[str, typing.Any]]] = {
    'nics': (esxcli.nics_of, {
        'Name': 'vmnic0', 'Link Status': 'Up',
        'MAC Address': '02:00:00:00:00:01'}),
    'switches': (esxcli.switches_of, {
        'Name': 'vSwitch0', 'MTU': 1500, 'Uplinks': ['vmnic0'],
        'Portgroups': ['VM Network']}),
    'port groups': (esxcli.portgroups_of, {
        'Name': 'VM Network', 'Virtual Switch': 'vSwitch0', 'VLAN ID': 4}),
    'teaming': (esxcli.teaming_of, {
        'Load Balancing': 'srcport', 'Active Adapters': [],
        'Standby Adapters': []}),
    'interfaces': (esxcli.vmks_of, {
        'Name': 'vmk0', 'Portgroup': 'VM Network', 'MTU': 1500,
        'MAC Address': '02:00:00:00:00:01'}),
    'ipv4': (esxcli.ipv4_of, {
        'Name': 'vmk0', 'Address Type': 'STATIC',
        'IPv4 Address': '192.0.2.7', 'IPv4 Netmask': '255.255.255.0'}),
    'ipv6': (esxcli.ipv6_of, {
        'Name': 'vmk0', 'DHCPv6 Enabled': False,
        'Router Adv Enabled': False}),
    'ipv6 addresses': (esxcli.addresses_of, {
        'Interface': 'vmk0', 'Address': '2001:db8::1', 'Netmask': 64,
        'Type': 'STATIC'}),
    'tags': (esxcli.is_management, {'Tags': ['Management']}),
    'routes': (ROUTES4, {
        'Network': '10.0.0.0', 'Netmask': '255.0.0.0',
        'Gateway': '192.0.2.1', 'Interface': 'vmk0'}),
    'ipv6 routes': (ROUTES6, {
        'Network': '2001:db8:a::', 'Prefix': 48, 'Gateway': '2001:db8::1',
        'Interface': 'vmk0'}),
    'servers': (esxcli.servers_of, {'DNSServers': ['192.0.2.53']}),
    'domains': (esxcli.domains_of, {'DNSSearch Domains': ['example.com']}),
    'hostname': (esxcli.hostname_of, {
        'Fully Qualified Domain Name': 'esx1.example.com'}),
    'version': (esxcli.version_of, {'Version': '8.0.3'}),
    'option': (esxcli.option_of, {'Int Value': 1})}
"""The reader and an answer without anything that it could do without."""

BAD: tuple[tuple[str, dict[str, typing.Any]], ...] = (
    ('nics', {'Name': 'vmnic 0'}), ('nics', {'Name': None}),
    ('nics', {'MAC Address': '02:00:00'}), ('nics', {'Link Status': 'Maybe'}),
    ('switches', {'Name': ''}), ('switches', {'Name': 'a\0b'}),
    ('switches', {'MTU': 0}), ('switches', {'MTU': 'N/A'}),
    ('switches', {'Uplinks': 7}), ('switches', {'Uplinks': ['vm\nnic0']}),
    ('port groups', {'VLAN ID': 4096}), ('port groups', {'VLAN ID': ''}),
    ('port groups', {'Virtual Switch': ''}),
    ('teaming', {'Load Balancing': 'lacp'}),
    ('teaming', {'Load Balancing': 3}),
    ('teaming', {'Active Adapters': [1]}),
    ('interfaces', {'MAC Address': '00:00:00:00:00:00'}),
    ('interfaces', {'Portgroup': ['a']}), ('interfaces', {'MTU': 70000}),
    ('ipv4', {'Address Type': 'STA'}), ('ipv4', {'IPv4 Address': 'x'}),
    ('ipv4', {'IPv4 Address': '2001:db8::1'}),
    ('ipv4', {'IPv4 Netmask': '255.0.255.0'}),
    ('ipv4', {'IPv4 Netmask': []}),
    ('ipv6', {'DHCPv6 Enabled': 'maybe'}),
    ('ipv6', {'Gateway': 'x'}), ('ipv6', {'Gateway': '192.0.2.1'}),
    ('ipv6 addresses', {'Address': '192.0.2.1'}),
    ('ipv6 addresses', {'Netmask': 129}), ('ipv6 addresses', {'Type': 0}),
    ('tags', {'Tags': 7}),
    ('routes', {'Network': '2001:db8::'}), ('routes', {'Netmask': '7.7.7.7'}),
    ('routes', {'Gateway': '2001:db8::1'}), ('routes', {'Interface': ''}),
    ('ipv6 routes', {'Gateway': '192.0.2.1'}),
    ('ipv6 routes', {'Prefix': 'x'}),
    ('servers', {'DNSServers': ['192.0.2']}),
    ('domains', {'DNSSearch Domains': ['a\x7fb']}),
    ('hostname', {'Fully Qualified Domain Name': ''}),
    ('version', {'Version': 'eight'}), ('version', {'Version': 8}),
    ('option', {'Int Value': 'one'}), ('option', {'Int Value': ''}))


class TestBad(base.TestCase):

    def refuses(self, reader: Reader, answer: list[tables.Row]) -> None:
        with self.assertRaises(tables.BadAnswer) as caught:
            reader(answer)
        self.assertRegex(str(caught.exception), '^[ -~]{1,160}$')

    def test_the_good_ones_are_good(self) -> None:
        for name, (reader, row) in GOOD.items():
            with self.subTest(name):
                reader(rows(row))

    def test_nothing_may_be_missing(self) -> None:
        for name, (reader, row) in GOOD.items():
            for key in row:
                rest = {one: row[one] for one in row if one != key}
                if name == 'nics' and key != 'Name':
                    # Both may be unknown.
                    continue
                with self.subTest(name, key=key):
                    self.refuses(reader, rows(rest))

    def test_bad_values(self) -> None:
        for name, change in BAD:
            reader, row = GOOD[name]
            with self.subTest(name, change=change):
                self.refuses(reader, rows({**row, **change}))

    def test_nothing_where_there_must_be_something(self) -> None:
        for name in ('nics', 'switches', 'port groups', 'interfaces', 'ipv4',
                     'teaming', 'hostname', 'version', 'option'):
            with self.subTest(name):
                self.refuses(GOOD[name][0], [])

    def test_twice(self) -> None:
        for name in ('nics', 'switches', 'port groups', 'interfaces',
                     'teaming', 'hostname', 'version', 'option', 'tags',
                     'servers', 'domains'):
            reader, row = GOOD[name]
            with self.subTest(name):
                self.refuses(reader, rows(row, row))
