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

"""Other names for hosts, addresses and MACs: all of them, consistently."""

import ipaddress
import re

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import reportnames
from tests import base


def renamed(text: str, *hosts: str) -> str:
    return reportnames.Names([text], hosts).text(text)


class TestNames(base.TestCase):

    def test_cases(self) -> None:
        for source, expected in (
                ('52:54:00:00:00:0a 52-54-00-00-00-0A', 'mac-1 mac-1'),
                ('BOOTIF=01-52-54-00-00-00-0a', 'BOOTIF=01-mac-1'),
                ('x 5f0f1234-abcd1234-1234-52540000000a 52:54:00:00:00:0a',
                 'x 5f0f1234-abcd1234-1234-mac-1 mac-1'),
                ('5254.0000.000A 52:54:00:00:00:0a', 'mac-1 mac-1'),
                ('192.0.2.9/24 via 192.0.2.1, 192.0.2.9.',
                 'ip-1/24 via ip-2, ip-1.'),
                ('255.255.255.0 0.0.0.0 127.0.0.1 :: ::1',
                 '255.255.255.0 0.0.0.0 127.0.0.1 :: ::1'),
                ('8.0.3-0.0.24022510 7.0 1.2.3.4.5 999.1.1.1',
                 '8.0.3-0.0.24022510 7.0 1.2.3.4.5 999.1.1.1'),
                ('ip=2001:db8::10/64 2001:DB8:0::10', 'ip=ip-1/64 ip-1'),
                ('fe80::5054:ff:fe00:a%vmk0: up', 'ip-1%vmk0: up'),
                ('at fe80::1: no', 'at ip-1: no'),
                ('[2001:db8::1]:80', '[ip-1]:80'),
                ('1:2:3:4:5:6:7:8', 'ip-1'),
                ('10:20:30 0000:03:00.0 a::b', '10:20:30 0000:03:00.0 a::b'),
                ('mpx.vmhba0:C0:T0:L0', 'mpx.vmhba0:C0:T0:L0'),
                ('tcp://log.example.net:514 log.example.net',
                 'tcp://host-1:514 host-1')):
            with self.subTest(source):
                self.assertEqual(expected, renamed(source))

    def test_hosts(self) -> None:
        for source, expected in (
                ('esx1.example.org ESX1 example.org x.example.org',
                 'host-1 host-2 host-3 x.host-3'),
                ('esx10 my-esx1 esx1-a esx1.', 'esx10 my-esx1 esx1-a host-2.'),
                ('localhost localhost.localdomain N/A',
                 'localhost localhost.localdomain N/A')):
            with self.subTest(source):
                self.assertEqual(expected, renamed(
                    source, 'esx1.example.org', 'esx1', 'example.org',
                    'localhost', 'localhost.localdomain', 'N/A', ''))

    def test_the_same_in_all_texts(self) -> None:
        names = reportnames.Names(
            ['a 52:54:00:00:00:0b', '52:54:00:00:00:0a'], [])
        self.assertEqual(
            ['mac-2 ip-1', 'ip-2 ip-1', 'mac-1'],
            [names.text(text) for text in (
                '52:54:00:00:00:0a 10.0.0.1', '10.0.0.2 10.0.0.1',
                '52540000000b')])

    def test_nothing(self) -> None:
        for text in ('', ' ', ':' * 3000, '1:' * 3000, '1.' * 3000,
                     '::1' * 3000):
            self.assertIsInstance(renamed(text), str)

    @hypothesis.given(strategies.ip_addresses(v=6),
                      strategies.sampled_from(['{}', 'a={}, b', '[{}]:80',
                                               '"{}/64"', '{}%vmk0', '{}: x']))
    def test_any_ipv6(self, address: ipaddress.IPv6Address, text: str
                      ) -> None:
        hypothesis.assume(not (address.is_loopback
                               or address.is_unspecified))
        for form in (str(address), address.exploded, str(address).upper()):
            if not re.search('[0-9]', form):
                continue
            self.assertEqual(text.format('ip-1'), renamed(text.format(form)))

    @hypothesis.given(strategies.ip_addresses(v=4))
    def test_any_ipv4(self, address: ipaddress.IPv4Address) -> None:
        hypothesis.assume(not (
            address.is_loopback or address.is_unspecified
            or str(address).startswith('255.')))
        self.assertEqual('x ip-1, y', renamed(f'x {address}, y'))
