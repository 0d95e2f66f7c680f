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

import ipaddress
import json
import re
import time

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import model
from esxi_img.firstboot import netdata
from esxi_img.firstboot import netlinks
from tests import base

CORPUS = base.FIXTURES / 'corpus'

LINK = {'id': 'p', 'ethernet_mac_address': '52:54:00:00:00:01'}
NETWORK = {'type': 'ipv4_dhcp', 'link': 'p'}

VALUES = (None, True, -1, 10 ** 5000, float('nan'), '', '\udc80', '10.0.0.1',
          '::/0', [7], [[{'a': [None]}]], {'type': {'id': []}})
KEYS = ('address', 'bond_links', 'bond_mode', 'dns_nameservers',
        'dns_search', 'ethernet_mac_address', 'gateway', 'id',
        'ip_address', 'link', 'links', 'mtu', 'name', 'netmask',
        'network', 'networks', 'routes', 'search', 'services', 'type',
        'vlan_id', 'vlan_link', 'vlan_mac_address')
WORDS = ('ipv4', 'ipv6', 'ipv6_slaac', 'vlan', 'bond', 'dns', 'p',
         'default', '10.0.0.1', '10.0.0.0', '::', 'fe80::1%eth0',
         '2001:db8::/64', '255.255.0.0', '52:54:00:00:00:01', '802.3ad')
OBJECTS = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers()
    | strategies.floats() | strategies.text()
    | strategies.sampled_from(WORDS),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(
        strategies.sampled_from(KEYS), inner))

# What the parser has to say about the corpus: all there is, by case.
SAID = {
    'airship/sip-cluster-with-macs': [
        f'networks[{number}].netmask: no usable netmask: /64 is assumed'
        for number in (0, 2, 4, 6)],
    'cloud-init/test-net-L2043': [
        'networks[0].netmask: no usable netmask: /64 is assumed',
        "networks[0].routes[0].netmask: 'ff:ff:ff:ff::' is no netmask of "
        'IPv6'],
    'cloud-init/test-net-L2314': [
        "networks[1].link: 'interface1' is no link: the network is left "
        'out'],
    'kubevirt/acpi-index-names-no-mac': [
        'links[0].ethernet_mac_address: no MAC address',
        'networks[0].ip_address: static without address'],
    'network-variants/duplicate-link-ids': [
        "links[1].id: 'eth0' is the id of an earlier link, too: this one is "
        'left out'],
    'network-variants/infiniband-20-byte': [
        "links[1].ethernet_mac_address: '80:00:0a:28:fe:80:00:00:00:00:00:"
        '00:f4:52:14:03:00:7b:cb... is no MAC address of 6 bytes'],
}

METHODS = {
    None: set(),
    'slaac': {model.SLAAC},
    'dhcpv6': {model.DHCPV6_STATEFUL},
    'slaac+dhcpv6-stateless': {model.DHCPV6_STATELESS},
}


def corpus():
    """Each case of the manifest: its path, its data, what is expected."""
    manifest = json.loads((CORPUS / 'manifest.json').read_text('utf-8'))
    for case in manifest['cases']:
        folder = CORPUS / case['path']
        yield (case['path'],
               json.loads((folder / 'network_data.json').read_text(
                   'utf-8-sig')),
               json.loads((folder / 'expect.json').read_text('utf-8')))


def one_form(text):
    """An address, with or without a length, as Python writes it."""
    return str(ipaddress.ip_interface(text) if '/' in text
               else ipaddress.ip_address(text))


def is_default(route):
    return route.network in ('0.0.0.0/0', '::/0')


class NetworkDataTests(base.TestCase):

    def parse(self, value):
        data, problems = netdata.parse(value)
        return data, [(p.where, p.message) for p in problems]

    def test_everything_has_its_place(self):
        data, problems = self.parse({
            'links': [LINK], 'networks': [NETWORK, {**NETWORK, 'link': 'q'}],
            'services': [{'type': 'dns', 'address': '10.0.0.53'}],
            'dns_search': 'a.example'})
        self.assertEqual(
            model.NetworkData(
                links=(model.Link(id='p', kind=model.NIC, where='links[0]',
                                  mac='52:54:00:00:00:01'),),
                subnets=(model.Subnet(link='p', where='networks[0]',
                                      family=4, method=model.DHCP),),
                dns=('10.0.0.53',), search=('a.example',)), data)
        self.assertEqual(
            [('networks[1].link', "'q' is no link: the network is left "
              'out')], problems)

    def test_nothing_is_said(self):
        for value in (None, {}, {'links': [], 'networks': [], 'services': []},
                      {'links': None, 'networks': None, 'services': None},
                      {'odd': 1, 7: 2}):
            with self.subTest(value=value):
                self.assertEqual((None, []), self.parse(value))

    def test_no_object(self):
        for value, said in (([], 'a list'), ('x', "'x'"), (7, '7'),
                            ('', "''"), (True, 'True'), (False, 'False'),
                            (0, '0')):
            with self.subTest(value=value):
                self.assertEqual(
                    (None, [('network_data.json', f'is {said}, no object')]),
                    self.parse(value))

    def test_no_usable_network(self):
        none = ('links', 'no link has a network')
        for value, problems in (
                ({'links': [LINK]}, [none]),
                ({'links': [LINK], 'networks': [None]}, [none]),
                ({'links': [LINK], 'networks': 7},
                 [('networks', '7 is no list'), none]),
                ({'links': [LINK], 'networks': [{'link': 'p'}]},
                 [('networks[0].type', 'no type: the network is left out')]),
                ({'networks': [NETWORK]},
                 [('networks[0].link',
                   "'p' is no link: the network is left out")]),
                # A VLAN that cannot be: what is on it must not go untagged.
                ({'links': [{**LINK, 'type': 'vlan', 'vlan_id': 5000}],
                  'networks': [NETWORK]},
                 [('links[0].vlan_id',
                   '5000 is no VLAN id: the link is left out'),
                  ('networks[0].link',
                   "'p' is no link: the network is left out")])):
            with self.subTest(value=value):
                self.assertEqual((None, problems), self.parse(value))

    def test_static_without_address_is_a_network(self):
        data, problems = self.parse({
            'links': [LINK], 'networks': [{'type': 'ipv4', 'link': 'p'}]})
        self.assertEqual([(model.STATIC, None)], [
            (subnet.method, subnet.address) for subnet in data.subnets])
        self.assertEqual(['networks[0].ip_address'],
                         [where for where, _ in problems])

    def resolve(self, key, root, *networks):
        data, problems = self.parse({
            'links': [LINK], 'networks': [{**NETWORK, **network}
                                          for network in networks or ({},)],
            **root})
        return list(getattr(data, key)), problems

    def test_order_of_name_servers(self):
        def service(number):
            return {'type': 'dns', 'address': f'10.0.0.{number}'}
        route = {'network': 'default', 'gateway': '10.0.0.254'}
        self.assertEqual(
            ([f'10.0.0.{number}' for number in range(1, 10)], []),
            self.resolve(
                'dns', {'services': [service(1), service(2)]},
                {'services': [service(3), service(1)],
                 'dns_nameservers': ['10.0.0.4', '10.0.0.5'],
                 'routes': [{**route, 'services': [service(6)]},
                            {**route, 'services': [service(7)]}]},
                {'dns_nameservers': '10.0.0.8, 10.0.0.9'}))

    def test_servers_of_left_out_networks_stay(self):
        self.assertEqual(['10.0.0.1'], self.resolve(
            'dns', {}, {}, {'link': 'q', 'dns_nameservers': '10.0.0.1'})[0])

    def test_services(self):
        for service, expected, problem in (
                ({'type': 'DNS', 'address': ' 10.0.0.1 '}, ['10.0.0.1'],
                 None),
                ({'type': 'dns', 'address': '2001:DB8::0:1'},
                 ['2001:db8::1'], None),
                ({'type': 'dns', 'address': 'fe80::1%eth0'}, ['fe80::1'],
                 None),
                ({'type': 'ntp', 'address': 'x'}, [], None),
                ({}, [], None), (None, [], None),
                ({'address': '10.0.0.1'}, [],
                 ('.type', 'a service without a type is left out')),
                ({'type': 7, 'address': '10.0.0.1'}, [],
                 ('.type', '7 is no string')),
                ({'type': 'dns'}, [], ('.address', 'no address')),
                ({'type': 'dns', 'address': ['10.0.0.1']}, [],
                 ('.address', 'a list is no string')),
                ({'type': 'dns', 'address': '10.0.0.1/24'}, [],
                 ('.address', "'10.0.0.1/24' is no IP address")),
                ({'type': 'dns', 'address': '0.0.0.0'}, [],
                 ('.address', "'0.0.0.0' stands for no host")),
                ({'type': 'dns', 'address': '127.0.0.53'}, [],
                 ('.address', "'127.0.0.53' is a loopback address")),
                ({'type': 'dns', 'address': '::1'}, [],
                 ('.address', "'::1' is a loopback address")),
                ({'type': 'dns', 'address': 'ff02::fb'}, [],
                 ('.address', "'ff02::fb' is a multicast address")),
                ('10.0.0.1', [], ('', "'10.0.0.1' is no object"))):
            with self.subTest(service=service):
                for where, root, network in (
                        ('services[0]', {'services': [service]}, {}),
                        ('networks[0].services[0]', {},
                         {'services': [service]})):
                    self.assertEqual(
                        (expected, [(where + problem[0], problem[1])]
                         if problem else []),
                        self.resolve('dns', root, network))

    def test_bad_name_servers(self):
        self.assertEqual(
            (['10.0.0.1'],
             [('networks[0].dns_nameservers[0]', "'x' is no IP address"),
              ('networks[0].dns_nameservers[2]', '7 is no string')]),
            self.resolve('dns', {}, {'dns_nameservers': [
                'x', '10.0.0.1', 7, None]}))

    def test_each_is_said_once(self):
        # Routes and services are walked for several reasons.
        self.assertEqual(
            [('networks[0].routes[0]', '7 is no object'),
             ('services', '7 is no list')],
            sorted(self.resolve('dns', {'services': 7},
                                {'routes': [7]})[1]))

    def test_search(self):
        self.assertEqual(
            (['s.example', 'Top.example', 'a.example', 'b.example', 'x.y',
              'c'], []),
            self.resolve(
                'search',
                {'services': [{'type': 'dns', 'address': '10.0.0.1',
                               'search': ['s.example']}],
                 'dns_search': 'Top.example'},
                {'dns_search': ['a.example', 'TOP.EXAMPLE', 'A.example.']},
                {'dns_search': 'b.example, x.y c. a.example'}))

    def test_domains(self):
        longest = '.'.join(['a' * 63] * 3 + ['b' * 61])
        for domain in ('example', 'a-b.c-d.e9', '1.2', 'a' * 63, longest,
                       'xn--bcher-kva.example'):
            with self.subTest(domain=domain):
                self.assertEqual(([domain], []), self.resolve(
                    'search', {'dns_search': [domain + '.']}))
        for domain in ('.', 'a..b', '.a', 'a..', 'a' * 64, longest + 'b',
                       'b\u00fccher', '\u212aelvin', 'a;b', 'a/b', '*.a',
                       '\udc80', 'a.' * 100000):
            with self.subTest(domain=domain[:70]):
                found, problems = self.resolve('search',
                                               {'dns_search': [domain]})
                self.assertEqual([], found)
                self.assertEqual('dns_search[0]', problems[0][0])
                self.assertTrue(problems[0][1].endswith(' is no domain'))


class CorpusTests(base.TestCase):

    def setUp(self):
        super().setUp()
        self.cases = {path: (netdata.parse(value), expected)
                      for path, value, expected in corpus()}
        self.assertEqual(72, len(self.cases))

    def described(self):
        """The cases that describe a network, with what is expected."""
        found = [(path, data, expected)
                 for path, ((data, _), expected) in self.cases.items()
                 if expected['vmks']]
        self.assertEqual(70, len(found))
        return found

    def test_problems(self):
        self.assertEqual(SAID, {
            path: [f'{p.where}: {p.message}' for p in problems]
            for path, ((_, problems), _) in self.cases.items() if problems})

    def test_no_network(self):
        for path, ((data, _), expected) in self.cases.items():
            with self.subTest(case=path):
                self.assertEqual(bool(expected['vmks']), data is not None)

    def test_addresses(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                self.assertEqual(
                    sorted([(vmk['link'], one_form(vmk['ipv4']))
                            for vmk in expected['vmks']
                            if vmk['ipv4'] not in ('dhcp', None)]
                           + [(vmk['link'], one_form(text))
                              for vmk in expected['vmks']
                              for text in vmk['ipv6']]),
                    sorted((subnet.link, subnet.address)
                           for subnet in data.subnets if subnet.address))

    def test_methods(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                self.assertEqual(
                    {(vmk['link'], model.DHCP) for vmk in expected['vmks']
                     if vmk['ipv4'] == 'dhcp'}
                    | {(vmk['link'], method) for vmk in expected['vmks']
                       for method in METHODS[vmk['ipv6_mode']]},
                    {(subnet.link, subnet.method) for subnet in data.subnets
                     if subnet.method != model.STATIC})
                self.assertEqual({vmk['link'] for vmk in expected['vmks']},
                                 {subnet.link for subnet in data.subnets})

    def test_links(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                links = {link.id: link for link in data.links}
                for vmk in expected['vmks']:
                    link = links[vmk['link']]
                    self.assertEqual((vmk['vlan'], vmk['mac']),
                                     (link.vlan, link.mac))
                    parent = links.get(link.parent or '', link)
                    self.assertEqual(vmk['mtu'], link.mtu or parent.mtu)

    def test_uplinks(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                macs = {link.mac for link in data.links}
                for vswitch in expected['vswitches']:
                    self.assertLessEqual(
                        {mac for mac in vswitch['uplinks']
                         if not mac.startswith('name:')}, macs)
                    if vswitch['teaming'] in netlinks.MODES:
                        self.assertIn(vswitch['teaming'],
                                      [link.mode for link in data.links])

    def test_default_gateways(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                for key, family in (('gateway4', 4), ('gateway6', 6)):
                    gateways = [route.gateway for subnet in data.subnets
                                for route in subnet.routes if is_default(route)
                                and subnet.family == family]
                    self.assertEqual(expected[key], (gateways or [None])[0])

    def test_routes(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                self.assertEqual(
                    [(one_form(route['network']), one_form(route['gateway']),
                      expected['vmks'][route['vmk']]['link'])
                     for route in expected['routes']],
                    [(route.network, route.gateway, subnet.link)
                     for subnet in data.subnets for route in subnet.routes
                     if not is_default(route)])

    def test_name_servers(self):
        for path, data, expected in self.described():
            with self.subTest(case=path):
                self.assertEqual([one_form(text) for text in expected['dns']],
                                 list(data.dns))

    def test_search(self):
        self.assertEqual(
            {'cloud-init/os-sample-1': ('example1.com', 'example2.com',
                                        'example3.com'),
             'cloud-init/os-sample-3': ('example3.com',)},
            {path: data.search for path, ((data, _), _) in self.cases.items()
             if data and data.search})


class HostileTests(base.TestCase):
    """Whatever comes in, what goes out is well-formed."""

    WHERE = re.compile(r'network_data\.json|\w+(\[\d+\])?'
                       r'(\.\w+(\[\d+\])?)*', re.ASCII)
    MAC = re.compile('[0-9a-f]{2}(:[0-9a-f]{2}){5}')
    METHODS = {4: {model.STATIC, model.DHCP},
               6: {model.STATIC, model.SLAAC, model.DHCPV6_STATEFUL,
                   model.DHCPV6_STATELESS}}

    def judge(self, value):
        """Parse it and look at all that comes out."""
        data, problems = netdata.parse(value)
        self.assertEqual(len(problems), len(set(problems)))
        for problem in problems:
            self.assertIsNotNone(self.WHERE.fullmatch(problem.where))
            self.is_plain(problem.message)
            self.assertLess(len(problem.message), 200)
        if data is None:
            return
        self.assertTrue(data.subnets)
        ids = {link.id for link in data.links}
        self.assertEqual(len(data.links), len(ids))
        for link in data.links:
            self.judge_link(link)
        for subnet in data.subnets:
            self.assertIn(subnet.link, ids)
            self.judge_subnet(subnet)
        self.assertEqual(len(data.dns), len(set(data.dns)))
        for server in data.dns:
            ipaddress.ip_address(server)
        for domain in data.search:
            self.is_plain(domain)

    def is_plain(self, text):
        self.assertTrue(text.isascii() and text.isprintable(), ascii(text))

    def judge_link(self, link):
        for text in (link.id, *link.members, link.name or 'x',
                     link.parent or 'x'):
            self.is_plain(text)
            self.assertTrue(text)
        self.assertRegex(link.where, r'^links\[\d+\]$')
        self.assertIn(link.kind, (model.NIC, model.BOND, model.VLAN))
        self.assertEqual(len(link.members), len(set(link.members)))
        if link.mac is not None:
            self.assertIsNotNone(self.MAC.fullmatch(link.mac))
        if link.mtu is not None:
            self.assertTrue(1280 <= link.mtu <= 9190)
        if link.mode is not None:
            self.assertIn(link.mode, netlinks.MODES)
        self.assertTrue(0 <= link.vlan <= 4095)
        if link.kind != model.VLAN:
            self.assertEqual((None, 0), (link.parent, link.vlan))

    def judge_subnet(self, subnet):
        self.assertRegex(subnet.where, r'^networks\[\d+\]$')
        self.assertIn(subnet.method, self.METHODS[subnet.family])
        if subnet.address is not None:
            self.assertEqual(model.STATIC, subnet.method)
            interface = ipaddress.ip_interface(subnet.address)
            self.assertEqual(subnet.family, interface.version)
            self.assertTrue(interface.network.prefixlen)
        pairs = [(route.network, route.gateway) for route in subnet.routes]
        self.assertEqual(len(pairs), len(set(pairs)))
        for route in subnet.routes:
            self.assertEqual(
                ipaddress.ip_network(route.network).version,
                ipaddress.ip_address(route.gateway).version)
            self.assertTrue(route.where.startswith(subnet.where))

    def spoil(self, value, root):
        """Judge the whole with each part of it missing or replaced."""
        places = value if isinstance(value, dict) else range(len(value))
        for place in list(places):
            saved = value[place]
            for spoilt in VALUES:
                value[place] = spoilt
                self.judge(root)
            if isinstance(value, dict):
                del value[place]
                self.judge(root)
            value[place] = saved
            if isinstance(saved, (dict, list)):
                self.spoil(saved, root)

    def test_spoilt_corpus(self):
        distinct = {json.dumps(value) for _, value, _ in corpus()}
        self.assertGreater(len(distinct), 40)
        for text in sorted(distinct):
            with self.subTest(text=text[:200]):
                value = json.loads(text)
                self.spoil(value, value)
                self.assertEqual(json.loads(text), value)

    @hypothesis.given(OBJECTS, strategies.lists(strategies.dictionaries(
        strategies.sampled_from(KEYS), OBJECTS)))
    def test_anything(self, anything, networks):
        self.judge(anything)
        self.judge({'links': [{'id': 'p'}], 'networks': [
            {'link': 'p', **network} for network in networks],
            'services': anything})

    def test_what_json_does_not_make(self):
        for value in (b'x', (), set(), object(), {'links': ({},)},
                      {'networks': {1, 2}}, {b'links': []}):
            self.judge(value)

    def test_deep(self):
        value = []
        for _ in range(100000):
            value = [value]
        for key in KEYS:
            self.judge({'links': [{'id': 'p', key: value}], 'networks': [
                {'link': 'p', 'type': 'ipv4', key: value}], key: value})
        while value:
            value = value.pop()

    def test_time_grows_with_the_size_only(self):
        def network_data(number):
            link = {'type': 'bond', 'bond_links': ['p'] * number}
            route = {'network': '10.0.0.0/8', 'gateway': '10.0.0.1'}
            return {
                'links': [{**LINK, 'id': at} for at in range(number)]
                + [{**LINK, 'id': 0}] * number + [{**LINK, **link}],
                'networks': [{**NETWORK, 'link': at} for at in range(number)]
                + [{**NETWORK, 'link': 'q'}] * number
                + [{**NETWORK, 'routes': [
                    {**route, 'gateway': f'10.{at >> 8 & 255}.{at & 255}.1'}
                    for at in range(number)] + [route] * number}],
                'services': [{'type': 'dns', 'address': f'2001:db8::{at:x}'}
                             for at in range(1, min(number, 65535))],
                'dns_search': [f'a{at}' for at in range(number)]}

        def seconds(number):
            value = network_data(number)
            start = time.process_time()
            netdata.parse(value)
            return time.process_time() - start

        # Twenty times the size; a square would take 400 times the time.
        small = min(seconds(500) for _ in range(3))
        self.assertLess(seconds(10000), 100 * small)
