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

"""What stopped others that set up ESXi from a description.

Each test is a shape of data that some other program fails on: rackerlabs/
esxi-img 0.2.0, goneri/esxi-cloud-init, canonical/packer-maas.  What they do
with it stands in the docstring.
"""

import ast
import copy
import json
import pathlib
import typing

from esxi_img import firstboot
from esxi_img.firstboot import drive
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import netdata
from esxi_img.firstboot import nics
from esxi_img.firstboot import outcome
from esxi_img.firstboot import present
from esxi_img.firstboot import reading
from esxi_img.firstboot import services
from esxi_img.firstboot import think
from tests import base
from tests.esxi import state
from tests.unit.firstboot import test_hosts

MACS = tuple(f'02:00:00:00:00:{number:02x}' for number in range(12))
META = {'uuid': 'a2d5a8d2-8bd4-4f0b-9d4f-000000000001',
        'hostname': 'node-1.example.org', 'name': 'Node 1',
        'admin_pass': 'Hunter22!x', 'random_seed': 'c2VlZA==',
        'project_id': 'p', 'launch_index': 0, 'availability_zone': 'nova',
        'meta': {}, 'devices': [],
        'public_keys': {'ops': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEX ops'}}
DEFAULT4 = {'network': '0.0.0.0', 'netmask': '0.0.0.0',
            'gateway': '192.0.2.1'}
STATIC = {'id': 'net0', 'network_id': 'n0', 'type': 'ipv4', 'link': 'eth0',
          'ip_address': '192.0.2.10', 'netmask': '255.255.255.0',
          'routes': [DEFAULT4]}
STATIC6 = {'id': 'net6', 'type': 'ipv6', 'link': 'eth0',
           'ip_address': '2001:db8::10',
           'netmask': 'ffff:ffff:ffff:ffff::',
           'routes': [{'network': '::', 'netmask': '::',
                       'gateway': '2001:db8::1'}]}

Json = dict[str, typing.Any]


def eth(number: int, **more: typing.Any) -> Json:
    return {'id': f'eth{number}', 'type': 'phy',
            'ethernet_mac_address': MACS[number], 'mtu': 1500,
            'vif_id': f'vif{number}', **more}


def bond(*members: int, mode: typing.Any = 'active-backup',
         **more: typing.Any) -> Json:
    return {'id': 'bond0', 'type': 'bond', 'bond_mode': mode,
            'bond_links': [f'eth{number}' for number in members],
            'ethernet_mac_address': MACS[members[0]], **more}


def network(links: list, networks: list, dns: tuple[str, ...] = ('192.0.2.53',
                                                                 ), **more
            ) -> Json:
    return {'links': links, 'networks': networks, 'services': [
        {'type': 'dns', 'address': address} for address in dns], **more}


class TestCase(base.TestCase):

    def described(self, data: Json | None, meta: Json | None = None,
                  **files: bytes) -> model.Model:
        some = {'meta_data.json': json.dumps(
            META if meta is None else meta).encode(), **files}
        if data is not None:
            some['network_data.json'] = json.dumps(data).encode()
        return reading.model_of(drive.Drive('folder', None, 'latest', some))

    def planned(self, data: Json | None, meta: Json | None = None,
                cards: tuple[host.Nic, ...] = (), **files: bytes
                ) -> outcome.Outcome:
        description = self.described(data, meta, **files)
        return think.outcome_of(
            description, cards or nics.invent(description.network), None,
            model.Settings())

    def installed(self, found: outcome.Outcome) -> state.Esxi:
        """The host, when all of the plan went well."""
        esxi = test_hosts.install(found)
        self.assertEqual([], test_hosts.run(esxi, found.plan))
        self.assertEqual({'vmk0': ''}, esxi.unusable())
        return esxi

    def words(self, found: outcome.Outcome) -> list[str]:
        return [*' '.join(found.kickstart).split(), *(
            word for step in found.plan.steps for argv in (
                step.argv, *step.undo) for word in argv)]

    def where(self, found: outcome.Outcome) -> list[str]:
        return [problem.where for problem in found.problems]


class TestEsxiImg(TestCase):
    """rackerlabs/esxi-img 0.2.0"""

    def test_13_no_admin_pass(self) -> None:
        """KeyError; the kickstart then has no rootpw, the installer stops."""
        meta = {key: value for key, value in META.items()
                if key != 'admin_pass'}
        found = self.planned(network([eth(0)], [STATIC]), meta)
        self.assertEqual('none', found.root_password)
        self.installed(found)

    def test_13_passwords_that_break_a_line(self) -> None:
        """Written in clear and without quotes into the kickstart."""
        plans = set()
        for text in ('a b', '# x', '"', "it's", '$(reboot)', 'x' * 999,
                     'é€', '\\', '--iscrypted', ' ', '1'):
            found = self.planned(network([eth(0)], [STATIC]),
                                 {**META, 'admin_pass': text})
            self.assertEqual('admin_pass', found.root_password)
            plans.add((found.kickstart, found.plan.id))
        self.assertEqual(1, len(plans))

    def test_18_networks_of_nova_with_dhcp(self) -> None:
        """TypeError: neither address nor netmask is there."""
        found = self.planned(network([eth(0, mtu=None)], [
            {'id': 'network0', 'type': 'ipv4_dhcp', 'link': 'eth0',
             'network_id': 'n0'}]))
        self.assertFalse(found.fallback)
        self.assertEqual((), found.problems)
        self.assertEqual('dhcp', found.network.vmks[0].ipv4)
        self.assertIn('--bootproto=dhcp', found.kickstart[1])
        self.assertEqual('dhcp', self.installed(found).vmks['vmk0'].ipv4_type)

    def test_19_keys_of_links(self) -> None:
        """TypeError: each extra or missing key of a link."""
        wanted = self.planned(network([eth(0)], [STATIC])).network
        for link in (eth(0, bond_miimon='100', name='eno1', x=[{}]),
                     {key: value for key, value in eth(0).items()
                      if key != 'vif_id'},
                     eth(0, vif_id=None, type=None), eth(0, type='tap')):
            self.assertEqual(wanted, self.planned(
                network([link], [STATIC])).network)
        for key in ('mtu', 'ethernet_mac_address', 'type'):
            link = {name: value for name, value in eth(0).items()
                    if name != key}
            found = self.planned(network([link], [STATIC]))
            self.assertFalse(found.fallback)
            self.assertEqual('192.0.2.10/24', found.network.vmks[0].ipv4)

    def test_19_bonds(self) -> None:
        """TypeError: bond_mode and bond_links are unknown."""
        found = self.planned(network([bond(0, 1), eth(0), eth(1)],
                                     [{**STATIC, 'link': 'bond0'}]))
        esxi = self.installed(found)
        self.assertEqual(['vmnic0', 'vmnic1'],
                         esxi.vswitches['vSwitch0'].uplinks)

    def test_19_a_vlan_before_its_parent(self) -> None:
        """StopIteration."""
        vlan = {'id': 'vlan7', 'type': 'vlan', 'vlan_link': 'eth0',
                'vlan_id': 7, 'vlan_mac_address': MACS[9]}
        ids = set()
        for links in ([vlan, eth(0)], [eth(0), vlan]):
            found = self.planned(network(links,
                                         [{**STATIC, 'link': 'vlan7'}]))
            self.assertEqual(7, found.network.portgroups[0].vlan)
            ids.add(found.kickstart)
        self.assertEqual(1, len(ids))

    def test_19_the_data_stays_as_it_is(self) -> None:
        """Links are changed in place, so a second reading differs."""
        vlan = {'id': 'vlan7', 'type': 'vlan', 'vlan_link': 'eth0',
                'vlan_id': 7, 'vlan_mac_address': MACS[9]}
        data = network([vlan, eth(0)], [{**STATIC, 'link': 'vlan7'}])
        before = copy.deepcopy(data)
        self.assertEqual(netdata.parse(data), netdata.parse(data))
        self.assertEqual(before, data)

    def test_20_nothing_is_lost_where_something_is_unknown(self) -> None:
        """Deletes management first, then meets what it cannot do."""
        for data in (
                network([eth(0)], [STATIC6]),
                network([eth(9)], [STATIC]),
                network([eth(0)], [{**STATIC, 'routes': []}]),
                network([eth(0)], [{**STATIC, 'type': 'ipv9'}]),
                network([eth(0)], [{**STATIC, 'netmask': 'x'}]),
                network([bond(8, 9), eth(8), eth(9)],
                        [{**STATIC, 'link': 'bond0'}])):
            card = host.Nic('vmnic0', MACS[0], True)
            found = self.planned(data, cards=(card,))
            with self.subTest(data=data['networks']):
                esxi = self.installed(found)
                self.assertEqual([], esxi.outages)
                self.assertEqual([], [argv for argv in esxi.journal
                                      if 'remove' in argv])

    def test_20_the_network_comes_before_the_name(self) -> None:
        """The name is set first, and stays if the rest fails."""
        names = [step.name for step in self.planned(
            network([bond(0, 1), eth(0), eth(1)],
                    [{**STATIC, 'link': 'bond0'}])).plan.steps]
        self.assertLess(names.index('vSwitch0.teaming'),
                        names.index('hostname'))

    def test_21_a_default_route_of_ipv6(self) -> None:
        """ValueError: only 0.0.0.0 is one."""
        for route in ({'network': '::', 'netmask': '::'},
                      {'network': '::0', 'netmask': '::0'},
                      {'network': '::/0'},
                      {'network': '::', 'netmask': '0'}):
            found = self.planned(network([eth(0)], [STATIC, {
                **STATIC6, 'routes': [{**route, 'gateway': '2001:db8::1'}]}]))
            self.assertEqual('2001:db8::1', found.network.default6.gateway)
            esxi = self.installed(found)
            self.assertIn('2001:db8::1', [
                str(route.gateway) for route in esxi.routes])

    def test_22_no_mtu(self) -> None:
        """``--mtu None``"""
        for links in ([eth(0, mtu=None)], [bond(0, 1, mtu=None),
                                           eth(0, mtu=None), eth(1)]):
            found = self.planned(network(
                links, [{**STATIC, 'link': links[0]['id']}]))
            self.assertNotIn('None', self.words(found))
            self.installed(found)

    def test_22_the_mac_of_a_vlan(self) -> None:
        """A random one: port security and reservations fail."""
        vlan = {'id': 'vlan7', 'type': 'vlan', 'vlan_link': 'eth0',
                'vlan_id': 7, 'vlan_mac_address': MACS[9]}
        found = self.planned(network([eth(0), vlan], [
            STATIC, {'id': 'n', 'type': 'ipv4_dhcp', 'link': 'vlan7'}]))
        self.assertEqual(MACS[9], self.installed(found).vmks['vmk1'].mac)
        found = self.planned(network([eth(0), vlan], [
            {'id': 'n', 'type': 'ipv4_dhcp', 'link': 'vlan7'}]))
        self.assertEqual(MACS[9], self.installed(found).vmks['vmk0'].mac)

    def test_23_any_user_data(self) -> None:
        """Nothing is done if it is empty, a script or no mapping."""
        data = network([eth(0)], [STATIC])
        plan = self.planned(data).plan.id
        for content in (b'', b'#!/bin/sh\necho hi\n', b'#cloud-config\n',
                        b'#cloud-config\npackages: [x]\n', b'\x1f\x8b\x08',
                        b'Content-Type: multipart/mixed\n\n', b'[]',
                        b'<powershell>', b'\xff\xfe\0'):
            self.assertEqual(plan, self.planned(
                data, user_data=content).plan.id)

    def test_24_each_key_of_meta_data_may_be_missing(self) -> None:
        """admin_pass, project_id, random_seed, launch_index are required."""
        data = network([eth(0)], [STATIC])
        wanted = self.planned(data)
        for key in META:
            found = self.planned(data, {name: value for name, value
                                        in META.items() if name != key})
            with self.subTest(key):
                self.assertEqual(wanted.network, found.network)
                self.installed(found)
                if key in ('project_id', 'random_seed', 'launch_index',
                           'name', 'meta', 'devices', 'availability_zone'):
                    self.assertEqual(wanted, found)
        self.installed(self.planned(data, {}))

    def test_25_name_servers_of_networks(self) -> None:
        """Ignored; no search domain; nothing is made unique."""
        def dns(address: str) -> Json:
            return {'type': 'dns', 'address': address}

        found = self.planned(network(
            [eth(0)], [{**STATIC, 'services': [dns('192.0.2.54')],
                        'dns_nameservers': ['192.0.2.55', '192.0.2.53'],
                        'dns_search': ['example.org', 'EXAMPLE.org'],
                        'routes': [{**DEFAULT4,
                                    'services': [dns('192.0.2.56')]}]}],
            ('192.0.2.53', '192.0.2.53')))
        esxi = self.installed(found)
        self.assertEqual(['192.0.2.53', '192.0.2.54', '192.0.2.55',
                          '192.0.2.56'], esxi.dns)
        self.assertEqual(['example.org'], esxi.search)

    def test_27_python_3_8(self) -> None:
        """``list[NIC]`` is evaluated, which 3.8 cannot."""
        folder = pathlib.Path(firstboot.__file__).parent
        modules = sorted(folder.glob('*.py'))
        self.assertGreater(len(modules), 30)
        for path in modules:
            tree = ast.parse(path.read_text(), str(path),
                             feature_version=(3, 8))
            self.assertEqual([], [
                (path.name, node.lineno) for node in ast.walk(tree)
                if isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id in ('list', 'dict', 'tuple', 'set',
                                      'frozenset', 'type')
                or isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.BitOr)
                and isinstance(node.right, ast.Constant)
                and node.right.value is None])


class TestEsxiCloudInit(TestCase):
    """goneri/esxi-cloud-init"""

    def test_1_keys_beside_one_that_is_there(self) -> None:
        """``append = ...``: a crash as soon as a key exists, or no file."""
        other = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB theirs'
        mine, = META['public_keys'].values()
        for known, lines in ((host.Host(), [mine]),
                             (host.Host(ssh_keys=(other,)), [other, mine])):
            step = services.keys(known, [mine])[0]
            self.assertEqual(lines, step.file.content.splitlines())
        self.assertEqual([], services.keys(
            host.Host(ssh_keys=(other, mine)), [mine]))

    def test_2_all_routes(self) -> None:
        """Only the last one is set, and without its mask."""
        more = [{'network': f'198.51.100.{16 * number}',
                 'netmask': '255.255.255.240', 'gateway': '192.0.2.2'}
                for number in range(3)]
        for routes in ([DEFAULT4, *more], [*more, DEFAULT4]):
            esxi = self.installed(self.planned(
                network([eth(0)], [{**STATIC, 'routes': routes}])))
            self.assertEqual(
                {('0.0.0.0/0', '192.0.2.1'),
                 *((f'198.51.100.{16 * number}/28', '192.0.2.2')
                   for number in range(3))},
                {(str(route.network), str(route.gateway))
                 for route in esxi.routes})

    def test_2_routes_that_begin_alike(self) -> None:
        """A route is more than where its network begins."""
        routes = [DEFAULT4, *(
            {'network': '10.0.0.0', 'netmask': mask, 'gateway': '192.0.2.2'}
            for mask in ('255.0.0.0', '255.255.0.0', '255.255.255.0'))]
        esxi = self.installed(self.planned(
            network([eth(0)], [{**STATIC, 'routes': routes}])))
        self.assertEqual(
            ['0.0.0.0/0', '10.0.0.0/16', '10.0.0.0/24', '10.0.0.0/8'],
            sorted(str(route.network) for route in esxi.routes))

    def test_3_runcmd_as_a_string(self) -> None:
        """Run letter by letter."""
        data = network([eth(0)], [STATIC])
        self.assertEqual(
            self.planned(data).plan.id,
            self.planned(data, user_data=b'#cloud-config\nruncmd: echo hi\n'
                         ).plan.id)

    def test_4_the_nic_is_the_one_with_the_mac(self) -> None:
        """vmnic0, whatever the MAC."""
        cards = tuple(host.Nic(f'vmnic{number}', MACS[number], True)
                      for number in range(3))
        found = self.planned(network([eth(2)], [{**STATIC, 'link': 'eth2'}]),
                             cards=cards)
        self.assertIn(f'--device={MACS[2]}', found.kickstart[1])
        self.assertEqual(['vmnic2'], self.installed(found).vswitches[
            'vSwitch0'].uplinks)

    def test_4_all_networks(self) -> None:
        """The first one only."""
        found = self.planned(network([eth(0), eth(1)], [
            STATIC, {**STATIC, 'link': 'eth1', 'ip_address': '198.51.100.9',
                     'routes': []}]))
        self.assertEqual(
            ['192.0.2.10/24', '198.51.100.9/24'],
            [str(vmk.ipv4) for vmk in self.installed(found).vmks.values()])

    def test_4_ipv6_is_no_dhcp_of_ipv4(self) -> None:
        """Whatever is not ``ipv4`` becomes DHCP of IPv4."""
        for kind, mode in (
                ('ipv6', None), ('ipv6_slaac', 'slaac'),
                ('ipv6_dhcp', 'dhcpv6-stateful'),
                ('ipv6_dhcpv6-stateful', 'dhcpv6-stateful'),
                ('ipv6_dhcpv6-stateless', 'dhcpv6-stateless')):
            found = self.planned(network([eth(0)], [
                STATIC, {**STATIC6, 'type': kind}]))
            vmk = found.network.vmks[0]
            with self.subTest(kind):
                self.assertEqual('192.0.2.10/24', vmk.ipv4)
                self.assertEqual((mode is None, mode),
                                 (bool(vmk.ipv6), vmk.ipv6_mode))
                self.installed(found)


class TestPackerMaas(TestCase):
    """canonical/packer-maas, vmware-esxi"""

    def test_4_an_error_is_no_key_and_no_name(self) -> None:
        """The text of an HTTP error becomes a line of authorized_keys."""
        errors = ('<html>404 Not Found</html>', 'Traceback (most recent',
                  'error: no such key', 'None', 'null')
        for text in errors:
            found = self.planned(network([eth(0)], [STATIC]), {
                **META, 'public_keys': {'ops': text}, 'keys': [text]})
            self.assertEqual((), found.identity.ssh_keys)
            self.assertIn('meta_data.json:public_keys.ops',
                          self.where(found))
            self.assertNotIn(services.KEYS, present.as_text(found))
        for value in (None, [], {}, 404, '', '  '):
            found = self.planned(network([eth(0)], [STATIC]), {
                **META, 'hostname': value, 'name': 'Not a name!'})
            self.assertIsNone(found.identity.hostname)
            self.assertNotIn('--hostname', found.kickstart[1])

    def test_5_vmnic1_and_vmnic10(self) -> None:
        """A test for a part of a name: vmnic1 is dropped from the team."""
        cards = tuple(host.Nic(f'vmnic{number}', MACS[number], True)
                      for number in range(12))
        for members in ((10, 1), (1, 10), (11, 1, 10)):
            found = self.planned(
                network([bond(*members), *map(eth, members)],
                        [{**STATIC, 'link': 'bond0'}]), cards=cards)
            names = [f'vmnic{number}' for number in members]
            switch = self.installed(found).vswitches['vSwitch0']
            self.assertEqual(sorted(names), sorted(switch.uplinks))
            self.assertEqual(names, switch.teaming.active
                             + switch.teaming.standby)

    def test_5_a_nic_that_is_not_there(self) -> None:
        """TypeError."""
        cards = (host.Nic('vmnic1', MACS[1], True),)
        found = self.planned(
            network([bond(0, 1, 7), eth(0), eth(1)],
                    [{**STATIC, 'link': 'bond0'}]), cards=cards)
        self.assertFalse(found.fallback)
        self.assertIn(f'--device={MACS[1]}', found.kickstart[1])
        self.assertIn('links[1]', self.where(found))
        self.assertIn('links[0].bond_links', self.where(found))
        self.installed(found)

    def test_5_bond_modes_that_cannot_be_had(self) -> None:
        """The switch is made, and gets no addresses."""
        for mode in ('802.3ad', 'balance-xor', 'broadcast', 4, '4', 'x',
                     None, 99, [], {}):
            found = self.planned(
                network([bond(0, 1, mode=mode), eth(0), eth(1)],
                        [{**STATIC, 'link': 'bond0'}]))
            with self.subTest(mode=mode):
                self.assertIn('links[0].bond_mode', self.where(found))
                vmk = self.installed(found).vmks['vmk0']
                self.assertEqual('192.0.2.10/24', str(vmk.ipv4))

    def test_6_mtus_of_a_bond_and_of_its_vlans(self) -> None:
        """``-m None``; then KeyError."""
        vlans = [{'id': f'vlan{number}', 'type': 'vlan', 'vlan_id': number,
                  'vlan_link': 'bond0', 'vlan_mac_address': MACS[number],
                  'mtu': mtu}
                 for number, mtu in ((5, None), (6, 9000), (7, 1400))]
        found = self.planned(network(
            [*vlans, bond(0, 1, mtu=None), eth(0, mtu=None), eth(1)],
            [{**STATIC, 'link': 'vlan5'},
             *({**STATIC, 'link': f'vlan{number}', 'routes': [],
                'ip_address': f'198.51.{number}.9'} for number in (6, 7))]))
        self.assertNotIn('None', self.words(found))
        esxi = self.installed(found)
        self.assertEqual(9000, esxi.vswitches['vSwitch0'].mtu)
        self.assertEqual([1500, 9000, 1400], [
            vmk.mtu for vmk in esxi.vmks.values()])

    def test_7_the_prefix_of_ipv6(self) -> None:
        """Dropped."""
        for address, mask, length in (
                ('2001:db8::10', 'ffff:ffff:ffff::', 48),
                ('2001:db8::10', '56', 56), ('2001:db8::10', 56, 56),
                ('2001:db8::10/72', None, 72), ('2001:db8::10', None, 64),
                ('2001:db8::10', '/127', 127)):
            found = self.planned(network([eth(0)], [
                {**STATIC6, 'ip_address': address, 'netmask': mask,
                 'routes': []}]))
            self.assertEqual(
                [f'2001:db8::10/{length}'],
                [str(one) for one in self.installed(found).vmks[
                    'vmk0'].ipv6_addresses])

    def test_7_nothing_is_wiped_before_it_is_read(self) -> None:
        """All of the network goes, then the new one is looked at."""
        esxi = state.fresh(
            [state.Nic('vmnic0', MACS[0])],
            [f'network --bootproto=static --device={MACS[0]} --ip=192.0.2.9 '
             '--netmask=255.255.255.0 --gateway=192.0.2.1'])
        before = copy.deepcopy(esxi.vmks)
        for data in (None, {}, [], {'links': [eth(0)]},
                     network([eth(7)], [STATIC]),
                     network([eth(0)], [{**STATIC, 'link': 'eth9'}])):
            found = test_hosts.again(self.described(data), esxi)
            self.assertTrue(found.fallback)
            self.assertEqual([], [
                step.name for step in found.plan.steps
                if step.argv[:2] == ('esxcli', 'network')
                and 'dns' not in step.argv])
            test_hosts.run(esxi, found.plan)
            self.assertEqual(before, esxi.vmks)
