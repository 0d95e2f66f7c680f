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
from esxi_img.firstboot import netlinks
from esxi_img.firstboot import netvalue
from tests import base

MAC = '52:54:00:00:00:01'
NIC = {'id': 'p', 'type': 'phy', 'ethernet_mac_address': MAC}


def read(*values):
    """The links, and the problems as pairs."""
    problems = []
    root = netvalue.Entry({'links': list(values)}, '', problems)
    links = netlinks.links(root.entries('links'))
    return links, [(p.where, p.message) for p in problems]


class LinkTests(base.TestCase):

    def one(self, key, value, kind='phy'):
        """A link with one more key, and what is said about it."""
        links, problems = read({**NIC, 'type': kind, key: value})
        for where, _ in problems:
            self.assertEqual(f'links[0].{key}', where)
        return links[0] if links else None, [
            message for _, message in problems]

    def test_nic(self):
        self.assertEqual(
            ((model.Link(id='p', kind=model.NIC, where='links[0]', mac=MAC,
                         name='eno1', mtu=9000),), []),
            read({**NIC, 'name': 'eno1', 'mtu': 9000, 'vif_id': 'x',
                  'odd': [{}]}))

    def test_bond(self):
        self.assertEqual(
            ((model.Link(id='b', kind=model.BOND, where='links[0]',
                         members=('p', 'q'), mode='802.3ad'),), []),
            read({'id': 'b', 'type': 'bond', 'bond_links': ['p', 'q', 'p'],
                  'bond_mode': '802.3ad', 'bond_miimon': '100'}))

    def test_vlan(self):
        self.assertEqual(
            ((model.Link(id='v', kind=model.VLAN, where='links[0]', mac=MAC,
                         parent='p', vlan=602),), []),
            read({'id': 'v', 'type': 'vlan', 'vlan_mac_address': MAC,
                  'ethernet_mac_address': '52:54:00:00:00:02',
                  'vlan_link': 'p', 'vlan_id': 602}))

    def test_stray_members_of_a_plain_link_stay(self):
        link, problems = self.one('bond_links', ['iface2', 'iface3'])
        self.assertEqual((model.NIC, ('iface2', 'iface3'), []),
                         (link.kind, link.members, problems))

    def test_kinds(self):
        for kind, expected in (
                ('bond', model.BOND), ('Bond', model.BOND),
                ('phy', model.NIC), ('ovs', model.NIC), (None, model.NIC),
                ('', model.NIC), ('cascading', model.NIC)):
            with self.subTest(kind=kind):
                self.assertEqual(
                    ([expected], []),
                    ([link.kind for link in read({**NIC, 'type': kind})[0]],
                     read({**NIC, 'type': kind})[1]))
        tagged = {'id': 'v', 'vlan_id': 5, 'vlan_link': 'p',
                  'ethernet_mac_address': MAC}
        for kind, expected in (('VLAN', model.VLAN), (None, model.VLAN),
                               ('phy', model.NIC)):
            with self.subTest(kind=kind):
                links, problems = read({**tagged, 'type': kind})
                self.assertEqual((expected, []), (links[0].kind, problems))
        for key in ('vlan_id', 'vlan_link'):
            with self.subTest(without=key):
                links, problems = read({**tagged, key: None})
                self.assertEqual((model.NIC, 0, None, []), (
                    links[0].kind, links[0].vlan, links[0].parent, problems))
        link, problems = self.one('type', 7)
        self.assertEqual((model.NIC, ['7 is no string']),
                         (link.kind, problems))

    def test_ids(self):
        for link, expected in (
                ({'id': 'a'}, 'a'), ({'id': 7}, '7'), ({'id': 0}, '0'),
                ({'name': 'eno1'}, 'eno1'),
                ({'id': '', 'name': 'eno1'}, 'eno1')):
            with self.subTest(link=link):
                links, problems = read({'ethernet_mac_address': MAC, **link})
                self.assertEqual(([expected], []),
                                 ([link.id for link in links], problems))

    def test_no_id(self):
        left = ('links[0].id', 'a link without an id is left out')
        for link, expected in (
                ({}, [left]), ({'id': None}, [left]), ({'id': ''}, [left]),
                ({'id': []}, [('links[0].id', 'a list is no id'), left]),
                ({'id': True}, [('links[0].id', 'True is no id'), left])):
            with self.subTest(link=link):
                self.assertEqual(((), expected), read(link))

    def test_first_of_duplicate_ids_wins(self):
        links, problems = read(
            {**NIC, 'id': 7}, {**NIC, 'id': '7', 'mtu': 9000},
            {**NIC, 'id': 8})
        self.assertEqual([('7', None), ('8', None)],
                         [(link.id, link.mtu) for link in links])
        self.assertEqual(
            [('links[1].id', "'7' is the id of an earlier link, too: this "
              'one is left out')], problems)

    def test_mac_keys(self):
        other = '52:54:00:00:00:02'
        junk = "'x' is no MAC address of 6 bytes"
        for kind, vlan_mac, ethernet_mac, expected, problems in (
                ('vlan', MAC, other, MAC, []),
                ('vlan', None, other, other, []),
                ('vlan', '', other, other, []),
                ('vlan', 'x', other, other,
                 [('links[0].vlan_mac_address', junk)]),
                ('vlan', None, None, None, []),
                ('phy', MAC, other, other, []),
                ('phy', MAC, None, None,
                 [('links[0].ethernet_mac_address', 'no MAC address')]),
                ('phy', None, 'x', None,
                 [('links[0].ethernet_mac_address', junk)]),
                ('phy', None, 7, None,
                 [('links[0].ethernet_mac_address', '7 is no string')]),
                ('bond', None, other, other, []),
                ('bond', None, None, None, [])):
            with self.subTest(kind=kind, v=vlan_mac, e=ethernet_mac):
                links, found = read({
                    'id': 'l', 'type': kind, 'vlan_id': 5, 'vlan_link': 'p',
                    'vlan_mac_address': vlan_mac,
                    'ethernet_mac_address': ethernet_mac})
                self.assertEqual((expected, problems), (links[0].mac, found))

    def test_names(self):
        for name, expected, problems in (
                ('eno1', 'eno1', []), (' eno1 ', 'eno1', []),
                ('', None, []), (None, None, []),
                ('a\nb', r'a\nb', []),
                (7, None, ['7 is no string'])):
            with self.subTest(name=name):
                link, found = self.one('name', name)
                self.assertEqual((expected, problems), (link.name, found))

    def test_mtu(self):
        for mtu, expected, problem in (
                (1500, 1500, None), (1500.0, 1500, None),
                ('9000', 9000, None), (1280, 1280, None), (9190, 9190, None),
                (None, None, None), ('', None, None),
                (1279, None, '1279 is not between 1280 and 65535'),
                ('68', None, '68 is not between 1280 and 65535'),
                (0, None, '0 is not between 1280 and 65535'),
                (-1500, None, '-1500 is not between 1280 and 65535'),
                (65536, None, '65536 is not between 1280 and 65535'),
                (10 ** 5000, None,
                 'a huge number is not between 1280 and 65535'),
                (1e300, None, 'a huge number is not between 1280 and 65535'),
                (9191, 9000, "9191 is more than ESXi's largest, 9190: 9000 "
                 'is used'),
                (65535, 9000, "65535 is more than ESXi's largest, 9190: 9000 "
                 'is used'),
                (True, None, 'True is no number'),
                (1500.5, None, '1500.5 is no number'),
                (float('nan'), None, 'nan is no number'),
                ('1500 bytes', None, "'1500 bytes' is no number"),
                ([1500], None, 'a list is no number')):
            with self.subTest(expected=expected, problem=problem):
                link, problems = self.one('mtu', mtu)
                self.assertEqual((expected, [problem] if problem else []),
                                 (link.mtu, problems))

    def test_vlan_ids(self):
        for vlan, expected in ((0, 0), (1, 1), (4095, 4095), ('5', 5),
                               (5.0, 5), ('0', 0)):
            with self.subTest(vlan=vlan):
                link, problems = self.one('vlan_id', vlan, 'vlan')
                self.assertEqual((model.VLAN, expected, []),
                                 (link.kind, link.vlan, problems))

    def test_links_with_a_bad_vlan_id_are_left_out(self):
        bad = ' is no VLAN id: the link is left out'
        for vlan, problem in (
                (4096, '4096' + bad), (-1, '-1' + bad),
                (10 ** 5000, 'a huge number' + bad),
                (None, 'a VLAN without an id is left out'),
                ('', 'a VLAN without an id is left out'),
                (True, 'True is no number'), ('x', "'x' is no number"),
                (5.5, '5.5 is no number')):
            with self.subTest(problem=problem):
                self.assertEqual((None, [problem]),
                                 self.one('vlan_id', vlan, 'vlan'))

    def test_parents(self):
        for parent, expected, problems in (
                ('p', 'p', []), (7, '7', []), (None, None, []),
                ([], None, [('links[0].vlan_link', 'a list is no id')])):
            with self.subTest(parent=parent):
                links, found = read({'id': 'v', 'type': 'vlan', 'vlan_id': 5,
                                     'vlan_link': parent})
                self.assertEqual((expected, problems),
                                 (links[0].parent, found))

    def test_members(self):
        for members, expected, problems in (
                (['p', 'q'], ('p', 'q'), []), ([1, 'q', '1'], ('1', 'q'), []),
                ('p', ('p',), []), ('p, q', ('p', 'q'), []),
                ('p q', ('p', 'q'), []), (None, (), []), ([], (), []),
                (['p', None, 'q'], ('p', 'q'), []),
                (7, (), [('links[0].bond_links', '7 is no list')]),
                (['p', {}], ('p',),
                 [('links[0].bond_links[1]', 'an object is no id')])):
            with self.subTest(members=members):
                links, found = read({'id': 'b', 'type': 'bond',
                                     'bond_links': members})
                self.assertEqual((expected, problems),
                                 (links[0].members, found))

    def test_modes(self):
        for mode, expected in (
                (0, 'balance-rr'), ('1', 'active-backup'),
                (2.0, 'balance-xor'), ('3', 'broadcast'), (4, '802.3ad'),
                ('802.3AD', '802.3ad'), ('5', 'balance-tlb'),
                (' balance-alb ', 'balance-alb'), (6, 'balance-alb'),
                (None, None), ('', None)):
            with self.subTest(mode=mode):
                link, problems = self.one('bond_mode', mode, 'bond')
                self.assertEqual((expected, []), (link.mode, problems))
        for mode, problem in (
                ('lacp', "'lacp' is no mode that is known"),
                (7, '7 is no mode that is known'),
                (10 ** 5000, 'a huge number is no mode that is known'),
                (True, 'True is no number'), ([], 'a list is no number')):
            with self.subTest(problem=problem):
                link, problems = self.one('bond_mode', mode, 'bond')
                self.assertEqual((None, [problem]), (link.mode, problems))

    def test_a_nic_has_no_mode(self):
        link, problems = self.one('bond_mode', 'lacp')
        self.assertEqual((None, []), (link.mode, problems))
