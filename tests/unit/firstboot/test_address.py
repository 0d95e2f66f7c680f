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
from unittest import mock

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import address
from tests import base

LONG = '1' * 1000000


class AddressTests(base.TestCase):

    def refused(self, function, *arguments):
        """What the function says against its arguments."""
        with self.assertRaises(ValueError) as caught:
            function(*arguments)
        # A file's content may be in the exception that Python made.
        self.assertIsNone(caught.exception.__context__)
        return str(caught.exception)

    def test_ip(self):
        for text, expected in (
                ('10.0.0.1', '10.0.0.1'),
                ('255.255.255.255', '255.255.255.255'),
                ('2001:DB8::0010', '2001:db8::10'),
                ('2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'),
                ('::', '::'), ('::0', '::'),
                ('fe80::1%eth0', 'fe80::1'), ('fe80::1%', 'fe80::1'),
                ('fe80::1%' + LONG, 'fe80::1'),
                ('::FFFF:1.2.3.4', '::ffff:1.2.3.4'),
                ('::ffff:102:304', '::ffff:1.2.3.4'),
                ('::1.2.3.4', '::102:304')):
            with self.subTest(text=text[:40]):
                self.assertEqual(expected,
                                 address.canonical(address.ip(text)))

    def test_no_ip(self):
        for text in ('', '10', '10.0.0', '10.0.0.0.1', '10.0.0.256',
                     '010.0.0.1', '10.0.0.01', '10.00.0.1',
                     '::ffff:1.2.3.04', '::1.2.3', '10.0.0.1%eth0',
                     '10.0.0.1/24', '10.0.0.-1', '0x0a.0.0.1', ' 10.0.0.1',
                     '10.0.0.1\n', '\u0661.1.1.1', '1::2::3', ':::', 'g::',
                     '12345::', '\udc80', 'default', LONG, '1:' * 1000000,
                     '10.' * 1000000):
            with self.subTest(text=text[:40]):
                self.assertEqual('is no IP address',
                                 self.refused(address.ip, text))

    def test_leading_zeros_are_not_left_to_python(self):
        # 3.8.11 takes them for decimal, 3.8.12 for an error.
        with mock.patch.object(ipaddress, 'ip_address',
                               autospec=True) as python:
            for text in ('012.0.0.1', '::ffff:12.0.0.01'):
                self.assertEqual('is no IP address',
                                 self.refused(address.ip, text))
            python.assert_not_called()

    @hypothesis.given(strategies.ip_addresses())
    def test_canonical_is_read_again(self, expected):
        text = address.canonical(expected)
        self.assertEqual(expected, address.ip(text))
        self.assertEqual(expected, address.ip(expected.exploded.upper()))

    def test_host(self):
        for text in ('10.0.0.0', '1.0.0.0', '223.255.255.255', '223.0.0.1',
                     'fe80::1', '::2', '2001:db8::', '::ffff:127.0.0.1'):
            with self.subTest(text=text):
                self.assertEqual(ipaddress.ip_address(text),
                                 address.host(text))

    def test_no_host(self):
        for text, why in (
                ('0.0.0.0', 'stands for no host'),
                ('0.1.2.3', 'stands for no host'),
                ('::', 'stands for no host'),
                ('127.0.0.1', 'is a loopback address'),
                ('127.255.255.255', 'is a loopback address'),
                ('::1', 'is a loopback address'),
                ('224.0.0.0', 'is a multicast address'),
                ('239.255.255.255', 'is a multicast address'),
                ('ff02::1', 'is a multicast address'),
                ('255.255.255.255', 'is reserved, or the broadcast address'),
                ('x', 'is no IP address')):
            with self.subTest(text=text):
                self.assertEqual(why, self.refused(address.host, text))

    def test_prefix_length(self):
        for mask, family, expected in (
                (0, 4, 0), (32, 4, 32), (24.0, 4, 24), (128, 6, 128),
                ('24', 4, 24), ('/24', 4, 24), (' /24 ', 4, 24),
                (' 255.255.255.0 ', 4, 24),
                ('64', 6, 64), ('/64', 6, 64),
                ('0.0.0.0', 4, 0), ('255.255.255.255', 4, 32),
                ('255.255.240.0', 4, 20), ('128.0.0.0', 4, 1),
                ('0.0.0.0/0', 4, 0), ('10.0.0.0/8', 4, 8),
                ('::', 6, 0), ('::0', 6, 0), ('::/0', 6, 0),
                ('ffff:ffff:ffff:ffff::', 6, 64), ('FFFF:F000::', 6, 20),
                ('ffff:' * 7 + 'ffff', 6, 128)):
            with self.subTest(mask=mask, family=family):
                self.assertEqual(expected,
                                 address.prefix_length(mask, family))

    def test_no_prefix_length(self):
        for mask, family in (
                (-1, 4), (33, 4), (129, 6), (10 ** 5000, 4), (24.5, 4),
                (float('nan'), 4), (float('inf'), 4), (True, 4), (None, 4),
                ([], 4), ({}, 6), ('', 4), ('/', 4), ('-1', 4), ('33', 4),
                ('2 4', 4), ('\u0662', 4), ('x', 4), ('x.y', 4), (LONG, 4),
                ('255.0.255.0', 4), ('0.0.0.255', 4), ('255.255.255.1', 4),
                ('255.255.255.0', 6), ('ffff::', 4), ('ff:ff:ff:ff::', 6),
                ('255.255.255.00', 4)):
            with self.subTest(mask=str(type(mask)), family=family):
                self.assertEqual(
                    f'is no netmask of IPv{family}',
                    self.refused_mask(mask, family))

    def refused_mask(self, mask, family):
        with self.assertRaises(ValueError) as caught:
            address.prefix_length(mask, family)
        return str(caught.exception)

    @hypothesis.given(strategies.integers(0, 32), strategies.integers(0, 128))
    def test_every_mask(self, four, six):
        for network in (ipaddress.ip_network(('0.0.0.0', four)),
                        ipaddress.ip_network(('::', six))):
            for mask in (network.netmask.exploded, network.netmask.compressed,
                         network.prefixlen, str(network.prefixlen)):
                self.assertEqual(
                    network.prefixlen,
                    address.prefix_length(mask, network.version), mask)

    @hypothesis.given(strategies.ip_addresses(), strategies.data())
    def test_network(self, host, data):
        length = data.draw(strategies.integers(0, host.max_prefixlen))
        expected = ipaddress.ip_network((str(host), length), strict=False)
        found = address.network(host, length)
        self.assertEqual(expected, ipaddress.ip_network(found))
        self.assertEqual(address.canonical(expected.network_address),
                         found.partition('/')[0])

    def test_interface(self):
        for text, length, expected in (
                ('10.0.0.1', 24, '10.0.0.1/24'),
                ('10.0.0.254', 24, '10.0.0.254/24'),
                ('10.0.0.255', 23, '10.0.0.255/23'),
                ('10.0.0.1', 30, '10.0.0.1/30'),
                ('10.0.0.0', 31, '10.0.0.0/31'),
                ('10.0.0.1', 31, '10.0.0.1/31'),
                ('10.0.0.0', 32, '10.0.0.0/32'),
                ('2001:DB8::', 64, '2001:db8::/64'),
                ('2001:db8::ffff:ffff:ffff:ffff', 64,
                 '2001:db8::ffff:ffff:ffff:ffff/64')):
            with self.subTest(text=text, length=length):
                self.assertEqual(expected, address.interface(
                    address.ip(text), length))

    def test_no_interface(self):
        for text, length, why in (
                ('10.0.0.0', 24, 'is the network address of 10.0.0.0/24'),
                ('10.0.0.4', 30, 'is the network address of 10.0.0.4/30'),
                ('10.0.1.255', 23,
                 'is the broadcast address of 10.0.0.0/23')):
            with self.subTest(text=text, length=length):
                self.assertEqual(why, self.refused(
                    address.interface, address.ip(text), length))

    def test_mac(self):
        for text in ('52:54:00:aa:bb:0c', '52-54-00-AA-BB-0C',
                     '525400AABB0C', '52:54:00:AA:bb:0C'):
            with self.subTest(text=text):
                self.assertEqual('52:54:00:aa:bb:0c', address.mac(text))
        self.assertEqual('02:00:00:00:00:00',
                         address.mac('02:00:00:00:00:00'))

    def test_no_mac(self):
        for text in ('', '52:54:00:aa:bb', '52:54:00:aa:bb:0c:0d',
                     '52:54-00:aa:bb:0c', '52:54:00:aa:bb:0g',
                     '5254.00aa.bb0c', '52:54:0:aa:bb:0c',
                     '52:54:00:aa:bb:0c\n', '52:54:00:aa:bb:0\u0661', LONG,
                     '80:00:0a:28:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:'
                     'cb:a1'):
            with self.subTest(text=text[:60]):
                self.assertEqual('is no MAC address of 6 bytes',
                                 self.refused(address.mac, text))
        self.assertEqual('is no MAC address: all zero',
                         self.refused(address.mac, '000000000000'))
        for text in ('01:00:5e:00:00:01', '33-33-00-00-00-01',
                     'ffffffffffff'):
            with self.subTest(text=text):
                self.assertEqual('is a MAC address of a group, not of a NIC',
                                 self.refused(address.mac, text))
