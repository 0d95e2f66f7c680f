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

"""Lists of NICs, in all forms that esxcli gives them, and made-up ones."""

import json

from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from tests import base

MACS = [f'52:54:00:00:00:{number:02x}' for number in range(32)]
TABLE = '''\
Name    PCI Device    Driver  Admin Status  Link Status  Speed  Duplex  \
MAC Address         MTU  Description
------  ------------  ------  ------------  -----------  -----  ------  \
-----------------  ----  -----------
vmnic10 0000:04:00.0  ixgben  Up            Up           10000  Full    \
52:54:00:00:00:0A  1500  Intel(R) Ethernet Controller X540-AT2
vmnic2  0000:03:00.1  ixgben  Up            Down             0  Half    \
52:54:00:00:00:02  1500  Down and Up 10 Full 52:54:00:00:00:63  X
vusb0   Pseudo        cdce    Down          Up             100  Full    \
00:00:00:00:00:00  1500  Virtual NIC
'''
OLD = '''\
Name    PCI          Driver      Link Speed      Duplex MAC Address       \
MTU    Description
vmnic0  0000:02:00.0 e1000       Up   1000Mbps   Full   52:54:00:00:00:00 \
1500   Intel Corporation 82545EM
vmnic1  0000:02:01.0 e1000       Down 0Mbps      Half   52:54:00:00:00:01 \
1500
'''
WANTED = (host.Nic('vmnic2', MACS[2], False),
          host.Nic('vmnic10', MACS[10], True),
          host.Nic('vusb0', None, True))


class TableTests(base.TestCase):

    def test_table(self):
        self.assertEqual(WANTED, nics.parse(TABLE))

    def test_however_it_was_carried(self):
        lines = TABLE.splitlines()
        for text in (TABLE.replace('\n', '\r\n'), '\n\n' + TABLE,
                     '\n'.join([lines[0], *lines[2:]]),
                     '\n'.join(lines[2:]),
                     '\n'.join(f'  {line}  ' for line in lines)):
            self.assertEqual(WANTED, nics.parse(text), text)

    def test_without_a_column_for_the_wish(self):
        self.assertEqual((host.Nic('vmnic0', MACS[0], True),
                          host.Nic('vmnic1', MACS[1], False)),
                         nics.parse(OLD))

    def test_what_is_no_table(self):
        for text, part in (
                ('', 'names no NIC'), (' \r\n', 'names no NIC'),
                ('\n'.join(TABLE.splitlines()[:2]), 'names no NIC'),
                (TABLE + 'vmnic3 and nothing else\n', 'line 6 is no row'),
                ('x' * 10_000_000, 'line 1 is no row'),
                ('up 1 ' * 100_000, 'line 1 is no row'),
                ('x up ' + '1' * 100_000, 'line 1 is no row'),
                ('x up 1' + ' ' * 100_000 + 'x y', 'line 1 is no row'),
                (TABLE + TABLE.splitlines()[2], 'vmnic10 is there twice'),
                (TABLE.replace('vmnic2', "'vm;x'"), 'no name of a NIC'),
                ('\x1b[31m\xfc', 'line 1 is no row')):
            with self.assertRaises(nics.BadNics) as caught:
                nics.parse(text)
            said = str(caught.exception)
            self.assertIn(part, said)
            self.assertLess(len(said), 150)
            self.assertNotIn('\n', said)


class JsonTests(base.TestCase):

    def refused(self, value):
        with self.assertRaises(nics.BadNics) as caught:
            nics.parse(value if isinstance(value, str)
                       else json.dumps(value))
        self.assertNotIn('\n', str(caught.exception))
        return str(caught.exception)

    def test_whatever_the_spelling_of_the_keys(self):
        for spelling in (
                lambda name, mac, up: {
                    'Name': name, 'MAC Address': mac,
                    'Link Status': 'Up' if up else 'Down',
                    'Admin Status': 'Up', 'MTU': 1500},
                lambda name, mac, up: {
                    'name': name, 'MACAddress': mac and mac.upper(),
                    'Link': 'up' if up else 'down'},
                lambda name, mac, up: {
                    'name': name, 'mac': mac, 'up': up},
                lambda name, mac, up: {
                    'NAME': name, 'macaddress': mac and mac.replace(
                        ':', '-'), 'LinkStatus': 'Up' if up else 'Down'}):
            listed = [spelling(nic.name, nic.mac, nic.up)
                      for nic in reversed(WANTED)]
            for value in (listed, {'nics': listed}):
                self.assertEqual(WANTED, nics.parse(json.dumps(value)))

    def test_round_trip(self):
        given = (*WANTED, host.Nic('vusb1'))
        self.assertEqual(given, nics.from_json(nics.as_json(given)))
        self.assertEqual((), nics.from_json([]))

    def test_what_is_no_list(self):
        good = {'name': 'vmnic0', 'mac': MACS[0], 'up': True}
        for value, part in (
                ([], 'names no NIC'), ({'nics': []}, 'names no NIC'),
                ({}, '"nics"'), ({'nics': {}}, '"nics"'),
                ([7], '[0]: a number where'), ([good, None], '[1]: '),
                ([{**good, 'name': None}], 'no name'),
                ([{**good, 'name': 'vmnic 0'}], "'vmnic 0' is no name"),
                ([{**good, 'name': 'vmnic0;reboot'}], 'no name'),
                ([{**good, 'name': '--help'}], 'no name'),
                ([{**good, 'mac': 'x'}], "'x' is no MAC address"),
                ([{**good, 'mac': 5}], '5 is no MAC address'),
                ([{**good, 'up': 1}], '1 is neither Up nor Down'),
                ([{**good, 'up': 'perhaps'}], "'perhaps' is neither"),
                ([good, good], 'vmnic0 is there twice'),
                ('[{"name": ', 'not JSON'), ('[' * 100_000, 'not JSON')):
            self.assertIn(part, self.refused(value))


class InventedTests(base.TestCase):

    def invented(self, *links):
        return nics.invent(model.NetworkData(links=links))

    def test_one_for_each_link_that_is_a_nic(self):
        self.assertEqual(
            (host.Nic('vmnic0', MACS[1], True, 'b'),
             host.Nic('vmnic1', None, True, 'a'),
             host.Nic('vmnic2', None, True, 'd')),
            self.invented(
                model.Link('b', model.NIC, 'links[0]', MACS[1]),
                model.Link('a', model.NIC, 'links[1]'),
                model.Link('c', model.NIC, 'links[2]', MACS[1]),
                model.Link('d', model.NIC, 'links[3]'),
                model.Link('e', model.BOND, 'links[4]', MACS[9],
                           members=('a', 'zzz')),
                model.Link('f', model.VLAN, 'links[5]', MACS[8], parent='e',
                           vlan=5)))

    def test_what_no_nic_explains(self):
        self.assertEqual(
            (host.Nic('vmnic0', MACS[1], True, 'nic'),
             host.Nic('vmnic1', MACS[2], True, 'bond'),
             host.Nic('vmnic2', MACS[3], True, 'vlan')),
            self.invented(
                model.Link('bond', model.BOND, 'links[0]', MACS[2],
                           members=('x', 'y')),
                model.Link('vlan', model.VLAN, 'links[1]', MACS[3],
                           parent='x', vlan=5),
                model.Link('same', model.VLAN, 'links[2]', MACS[1],
                           parent='x', vlan=6),
                model.Link('again', model.VLAN, 'links[3]', MACS[3],
                           parent='x', vlan=7),
                model.Link('no mac', model.BOND, 'links[4]'),
                model.Link('nic', model.NIC, 'links[5]', MACS[1])))

    def test_a_host_has_at_least_one(self):
        one = (host.Nic('vmnic0', None, True),)
        self.assertEqual(one, nics.invent(None))
        self.assertEqual(one, self.invented())
        self.assertEqual(one, self.invented(
            model.Link('b', model.BOND, 'links[0]')))
