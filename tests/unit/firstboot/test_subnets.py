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

from esxi_img.firstboot import model
from esxi_img.firstboot import netvalue
from esxi_img.firstboot import subnets
from tests import base

STATIC = {'type': 'ipv4', 'link': 'p', 'ip_address': '10.0.0.5',
          'netmask': '255.255.255.0'}
STATIC6 = {'type': 'ipv6', 'link': 'p', 'ip_address': '2001:db8::5/64'}


def read(*values):
    """The subnets of networks on link p, and the problems as pairs."""
    problems = []
    root = netvalue.Entry({'networks': list(values)}, '', problems)
    found = subnets.subnets(root.entries('networks'), {'p', '7'})
    return found, [(p.where, p.message) for p in problems]


def routes(network, *values):
    """Network and gateway of each route, and the problems in the routes."""
    found, problems = read({**network, 'routes': list(values)})
    return [(route.network, route.gateway) for route in found[0].routes], [
        (where.partition('.')[2], message) for where, message in problems]


class SubnetTests(base.TestCase):

    def test_static(self):
        self.assertEqual(
            ((model.Subnet(
                link='p', where='networks[0]', family=4, method=model.STATIC,
                address='10.0.0.5/24', routes=(model.Route(
                    '0.0.0.0/0', '10.0.0.1', 'networks[0].routes[0]'),)),),
             []),
            read({**STATIC, 'network_id': [], 'routes': [
                {'network': '0.0.0.0', 'netmask': '0.0.0.0',
                 'gateway': '10.0.0.1', 'odd': 1}]}))

    def test_types(self):
        for kind, family, method in (
                ('ipv4', 4, model.STATIC), ('IPv4', 4, model.STATIC),
                ('ipv4_dhcp', 4, model.DHCP), ('dhcp', 4, model.DHCP),
                ('DHCP4', 4, model.DHCP), ('ipv4_dhcp4', 4, model.DHCP),
                ('ipv6_slaac', 6, model.SLAAC), ('slaac', 6, model.SLAAC),
                ('ipv6_dhcp', 6, model.DHCPV6_STATEFUL),
                ('dhcp6', 6, model.DHCPV6_STATEFUL),
                ('ipv6_dhcpv6-stateful', 6, model.DHCPV6_STATEFUL),
                ('ipv6_DHCPv6-stateless', 6, model.DHCPV6_STATELESS)):
            with self.subTest(kind=kind):
                found, problems = read({**STATIC, 'type': kind})
                self.assertEqual(
                    (family, method, '10.0.0.5/24'
                     if method == model.STATIC else None, []),
                    (found[0].family, found[0].method, found[0].address,
                     problems))

    def test_routes_stay_where_addresses_are_given_out(self):
        for kind in ('ipv4_dhcp', 'ipv6_slaac', 'ipv6_dhcpv6-stateful'):
            with self.subTest(kind=kind):
                # Its address is not judged either.
                self.assertEqual(
                    ([('2001:db8:1::/64', 'fe80::1')], []),
                    routes({'type': kind, 'link': 'p', 'ip_address': '::'},
                           {'network': '2001:db8:1::/64',
                            'gateway': 'fe80::1'}))

    def test_unknown_types(self):
        for kind, what in ((None, 'no type'), ('', 'no type'),
                           ('static6', "'static6' is no type that is known"),
                           ('foo', "'foo' is no type that is known")):
            with self.subTest(kind=kind):
                for ip, family in (('10.0.0.5/24', 4), ('fe80::5/64', 6)):
                    found, problems = read({'type': kind, 'link': 'p',
                                            'ip_address': ip})
                    self.assertEqual(
                        (family, model.STATIC, ip),
                        (found[0].family, found[0].method, found[0].address))
                    self.assertEqual(
                        [('networks[0].type',
                          f'{what}: a static address is assumed')], problems)
                self.assertEqual(
                    ((), [('networks[0].type',
                           f'{what}: the network is left out')]),
                    read({'type': kind, 'link': 'p'}))
                self.assertEqual(
                    ((), [('networks[0].ip_address',
                           "'::1/64' is a loopback address"),
                          ('networks[0].type',
                           f'{what}: the network is left out')]),
                    read({'type': kind, 'link': 'p',
                          'ip_address': '::1/64'}))

    def test_type_of_a_wrong_type(self):
        self.assertEqual(
            ((), [('networks[0].type', '4 is no string'),
                  ('networks[0].type',
                   '4 is no type that is known: the network is left out')]),
            read({'type': 4, 'link': 'p'}))

    def test_the_address_tells_the_family(self):
        found, problems = read({**STATIC6, 'type': 'ipv4'},
                               {**STATIC, 'type': 'ipv6'})
        self.assertEqual([(6, '2001:db8::5/64'), (4, '10.0.0.5/24')],
                         [(subnet.family, subnet.address)
                          for subnet in found])
        self.assertEqual(
            [('networks[0].type', 'the address is one of IPv6, not of IPv4'),
             ('networks[1].type', 'the address is one of IPv4, not of IPv6')],
            problems)

    def test_links(self):
        for link, expected in (('p', 'p'), (7, '7'), ('7', '7')):
            with self.subTest(link=link):
                found, problems = read({**STATIC, 'link': link})
                self.assertEqual((expected, []), (found[0].link, problems))
        for link, problem in (
                (None, 'names no link: the network is left out'),
                ('', 'names no link: the network is left out'),
                ('nope', "'nope' is no link: the network is left out"),
                ('P', "'P' is no link: the network is left out"),
                ([], 'a list is no id'), (True, 'True is no id')):
            with self.subTest(link=link):
                self.assertEqual(((), [('networks[0].link', problem)]),
                                 read({**STATIC, 'link': link}))

    def test_others_stay_where_one_is_left_out(self):
        found, problems = read({**STATIC, 'link': 'nope'}, STATIC)
        self.assertEqual(['networks[1]'], [subnet.where for subnet in found])
        self.assertEqual(['networks[0].link'], [at for at, _ in problems])


class AddressTests(base.TestCase):

    def address(self, ip, mask=None, kind='ipv4'):
        """The address, and the problems by key."""
        found, problems = read({'type': kind, 'link': 'p', 'ip_address': ip,
                                'netmask': mask})
        return found[0].address, [(where.partition('.')[2], message)
                                  for where, message in problems]

    def test_masks(self):
        for ip, mask, expected in (
                ('10.0.0.5', '255.255.255.0', '10.0.0.5/24'),
                ('10.0.0.5', 20, '10.0.0.5/20'),
                ('10.0.0.5', 20.0, '10.0.0.5/20'),
                ('10.0.0.5', '20', '10.0.0.5/20'),
                ('10.0.0.5', '/20', '10.0.0.5/20'),
                ('10.0.0.5/20', None, '10.0.0.5/20'),
                ('10.0.0.5/20', '255.255.255.0', '10.0.0.5/20'),
                ('10.0.0.5/255.255.240.0', None, '10.0.0.5/20'),
                (' 10.0.0.5 / 20 ', None, '10.0.0.5/20'),
                ('10.0.0.5/', 20, '10.0.0.5/20'),
                ('10.0.0.5', '255.255.255.255', '10.0.0.5/32'),
                ('2001:DB8:0::5', 'ffff:ffff:ffff:ffff::', '2001:db8::5/64'),
                ('2001:db8::5', 64, '2001:db8::5/64'),
                ('2001:db8::5', '64', '2001:db8::5/64'),
                ('2001:db8::5', '/64', '2001:db8::5/64'),
                ('2000:0:100::/56', None, '2000:0:100::/56'),
                ('fe80::5%eth0', 64, 'fe80::5/64'),
                ('fe80::5%eth0/64', None, 'fe80::5/64'),
                ('::FFFF:102:304', 96, '::ffff:1.2.3.4/96')):
            with self.subTest(ip=ip, mask=mask):
                self.assertEqual((expected, []), self.address(
                    ip, mask, 'ipv6' if ':' in ip else 'ipv4'))

    def test_no_mask(self):
        for ip, expected in (('10.0.0.5', '/24'), ('2001:db8::5', '/64')):
            for mask in (None, ''):
                with self.subTest(ip=ip, mask=mask):
                    self.assertEqual(
                        (ip + expected,
                         [('netmask',
                           f'no usable netmask: {expected} is assumed')]),
                        self.address(ip, mask, 'ipv6' if ':' in ip
                                     else 'ipv4'))

    def test_bad_masks(self):
        assumed = ('netmask', 'no usable netmask: /24 is assumed')
        for mask, problem in (
                ('255.0.255.0', "'255.0.255.0' is no netmask of IPv4"),
                ('0.0.0.255', "'0.0.0.255' is no netmask of IPv4"),
                ('ffff::', "'ffff::' is no netmask of IPv4"),
                (33, '33 is no netmask of IPv4'),
                (-1, '-1 is no netmask of IPv4'),
                (10 ** 5000, 'a huge number is no netmask of IPv4'),
                (True, 'True is no netmask of IPv4'),
                ([], 'a list is no netmask of IPv4'),
                ('x', "'x' is no netmask of IPv4"),
                (0, '0 is no netmask of a host'),
                ('0.0.0.0', "'0.0.0.0' is no netmask of a host")):
            with self.subTest(problem=problem):
                self.assertEqual(
                    ('10.0.0.5/24', [('netmask', problem), assumed]),
                    self.address('10.0.0.5', mask))
        behind = ('ip_address', "'99' is no netmask of IPv4")
        self.assertEqual(('10.0.0.5/24', [behind, assumed]),
                         self.address('10.0.0.5/99'))
        self.assertEqual(('10.0.0.5/20', [behind]),
                         self.address('10.0.0.5/99', 20))

    def test_addresses_that_no_host_has(self):
        for ip, problem in (
                ('x', "'x' is no IP address"),
                ('010.0.0.5', "'010.0.0.5' is no IP address"),
                ('\udc80', r"'\udc80' is no IP address"),
                ('0.0.0.0', "'0.0.0.0' stands for no host"),
                ('127.0.0.1/8', "'127.0.0.1/8' is a loopback address"),
                ('224.0.0.1', "'224.0.0.1' is a multicast address"),
                ('ff02::1/64', "'ff02::1/64' is a multicast address"),
                ('10.0.0.0/24', "'10.0.0.0' is the network address of "
                 '10.0.0.0/24'),
                ('10.0.0.255/24', "'10.0.0.255' is the broadcast address of "
                 '10.0.0.0/24'),
                (167772165, '167772165 is no string'),
                (['10.0.0.5'], 'a list is no string')):
            with self.subTest(ip=ip):
                self.assertEqual((None, [('ip_address', problem)]),
                                 self.address(ip))

    def test_no_address(self):
        for ip in (None, ''):
            self.assertEqual(
                (None, [('ip_address', 'static without address')]),
                self.address(ip, '255.255.255.0'))


class RouteTests(base.TestCase):

    def test_spellings(self):
        four, six = '10.0.0.1', 'fe80::1'
        for network, mask, gateway, expected in (
                ('0.0.0.0', '0.0.0.0', four, '0.0.0.0/0'),
                ('0.0.0.0/0', None, four, '0.0.0.0/0'),
                ('0.0.0.0', None, four, '0.0.0.0/0'),
                ('0.0.0.0', 0, four, '0.0.0.0/0'),
                ('default', None, four, '0.0.0.0/0'),
                ('Default', 'x', six, '::/0'),
                ('::', '::', six, '::/0'), ('::0', '::0', six, '::/0'),
                ('::/0', '::/0', six, '::/0'), ('::/0', None, six, '::/0'),
                ('::', None, six, '::/0'),
                ('::', 'ffff:ffff:ffff::', six, '::/48'),
                ('10.1.0.0', '255.255.0.0', four, '10.1.0.0/16'),
                ('10.1.0.0', 16, four, '10.1.0.0/16'),
                ('10.1.0.0', '/16', four, '10.1.0.0/16'),
                ('10.1.0.0/16', None, four, '10.1.0.0/16'),
                (' 10.1.0.0 / 16 ', None, four, '10.1.0.0/16'),
                ('10.1.0.0/16', '255.0.0.0', four, '10.1.0.0/16'),
                ('10.1.0.0/255.255.0.0', None, four, '10.1.0.0/16'),
                ('10.1.2.3', '255.255.0.0', four, '10.1.0.0/16'),
                ('169.254.169.254', '255.255.255.255', four,
                 '169.254.169.254/32'),
                ('2001:DB8::1', 'ffff:ffff::', six, '2001:db8::/32'),
                ('2001:db8::', 64.0, six, '2001:db8::/64')):
            with self.subTest(network=network, mask=mask):
                self.assertEqual(
                    ([(expected, gateway)], []),
                    routes(STATIC, {'network': network, 'netmask': mask,
                                    'gateway': gateway}))

    def test_no_mask(self):
        for network, gateway, length in (('10.1.2.3', '10.0.0.1', 32),
                                         ('2001:db8::1', 'fe80::1', 128)):
            with self.subTest(network=network):
                self.assertEqual(
                    ([(f'{network}/{length}', gateway)],
                     [('routes[0].netmask',
                       f'no netmask: /{length} is assumed')]),
                    routes(STATIC, {'network': network, 'gateway': gateway}))

    def test_unusable_networks(self):
        for network, mask, key, problem in (
                (None, None, 'network',
                 'a route without a network is left out'),
                ('', '', 'network', 'a route without a network is left out'),
                (7, None, 'network', '7 is no string'),
                ('x', None, 'network', "'x' is no IP address"),
                ('10.1/16', None, 'network', "'10.1/16' is no IP address"),
                ('10.1.0.0/33', None, 'network',
                 "'33' is no netmask of IPv4"),
                ('10.1.0.0', '255.0.255.0', 'netmask',
                 "'255.0.255.0' is no netmask of IPv4"),
                ('10.1.0.0', 'ffff::', 'netmask',
                 "'ffff::' is no netmask of IPv4"),
                ('2001:db8::', 'ff:ff:ff:ff::', 'netmask',
                 "'ff:ff:ff:ff::' is no netmask of IPv6"),
                ('10.1.0.0', True, 'netmask',
                 'True is no netmask of IPv4')):
            with self.subTest(network=network, mask=mask):
                self.assertEqual(
                    ([], [(f'routes[0].{key}', problem)]),
                    routes(STATIC, {'network': network, 'netmask': mask,
                                    'gateway': '10.0.0.1'}))

    def test_gateways(self):
        for gateway, expected in (('FE80::1%eth0', 'fe80::1'),
                                  ('2001:db8:0::1', '2001:db8::1')):
            self.assertEqual(([('::/0', expected)], []),
                             routes(STATIC6, {'network': '::/0',
                                              'gateway': gateway}))
        for network, gateway, problem in (
                ('0.0.0.0/0', None, 'a route without a gateway is left out'),
                ('0.0.0.0/0', '', 'a route without a gateway is left out'),
                ('default', None, 'a route without a gateway is left out'),
                ('0.0.0.0/0', '0.0.0.0', "'0.0.0.0' stands for no host"),
                ('::/0', '::', "'::' stands for no host"),
                ('0.0.0.0/0', '224.0.0.1',
                 "'224.0.0.1' is a multicast address"),
                ('0.0.0.0/0', 'fe80::1', "'fe80::1' is no address of IPv4"),
                ('::/0', '10.0.0.1', "'10.0.0.1' is no address of IPv6"),
                ('0.0.0.0/0', '10.0.0.5',
                 "'10.0.0.5' is the host's own address"),
                ('0.0.0.0/0', '10.0.0.1/24',
                 "'10.0.0.1/24' is no IP address"),
                ('0.0.0.0/0', 7, '7 is no string')):
            with self.subTest(network=network, gateway=gateway):
                self.assertEqual(
                    ([], [('routes[0].gateway', problem)]),
                    routes(STATIC, {'network': network, 'gateway': gateway}))

    def test_off_link_gateways_stay(self):
        self.assertEqual(([('0.0.0.0/0', '23.253.157.1')], []),
                         routes(STATIC, {'network': '0.0.0.0/0',
                                         'gateway': '23.253.157.1'}))

    def test_order_and_duplicates(self):
        self.assertEqual(
            ([('10.1.0.0/16', '10.0.0.1'), ('0.0.0.0/0', '10.0.0.1'),
              ('0.0.0.0/0', '10.0.0.2')], []),
            routes(STATIC,
                   {'network': '10.1.0.0/16', 'gateway': '10.0.0.1'},
                   {'network': '0.0.0.0', 'gateway': '10.0.0.1'},
                   {'network': '0.0.0.0/0', 'gateway': '10.0.0.1'},
                   {'network': '10.1.2.3/16', 'gateway': '10.0.0.1'},
                   {'network': '0.0.0.0', 'gateway': '10.0.0.2'}))

    def test_gateway_of_a_network(self):
        for network, gateway, expected in (
                (STATIC, '10.0.0.1', '0.0.0.0/0'),
                (STATIC6, 'fe80::1', '::/0'),
                ({'type': 'dhcp', 'link': 'p'}, '10.0.0.1', '0.0.0.0/0'),
                # The address tells the family.
                ({**STATIC6, 'type': 'ipv4'}, 'fe80::1', '::/0')):
            with self.subTest(network=network):
                found, _ = read({**network, 'gateway': gateway, 'routes': [
                    {'network': expected, 'gateway': gateway},
                    {'network': '10.1.0.0/16', 'gateway': '10.0.0.2'}]})
                self.assertEqual(
                    (model.Route(expected, gateway, 'networks[0].gateway'),
                     model.Route('10.1.0.0/16', '10.0.0.2',
                                 'networks[0].routes[1]')),
                    found[0].routes)

    def test_bad_gateways_of_a_network(self):
        for gateway, problem in (
                ('fe80::1', "'fe80::1' is no address of IPv4"),
                ('10.0.0.5', "'10.0.0.5' is the host's own address"),
                ('0.0.0.0', "'0.0.0.0' stands for no host"),
                (7, '7 is no string')):
            with self.subTest(gateway=gateway):
                found, problems = read({**STATIC, 'gateway': gateway})
                self.assertEqual(((), [('networks[0].gateway', problem)]),
                                 (found[0].routes, problems))
        for gateway in (None, ''):
            self.assertEqual((1, []), (
                len(read({**STATIC, 'gateway': gateway})[0]),
                read({**STATIC, 'gateway': gateway})[1]))

    def test_lists_of_a_wrong_type(self):
        for value, problems in (
                (None, []), ('x', [('routes', "'x' is no list")]),
                ({}, [('routes', 'an object is no list')])):
            with self.subTest(value=value):
                found, said = read({**STATIC, 'routes': value})
                self.assertEqual(
                    ((), [('networks[0].' + at, why)
                          for at, why in problems]),
                    (found[0].routes, said))
        self.assertEqual(([], [('routes[1]', "'x' is no object")]),
                         routes(STATIC, None, 'x'))
