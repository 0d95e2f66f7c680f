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

import json
import string
import textwrap
import typing

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import netvalue
from esxi_img.firstboot import tables
from tests import base
from tests.esxi import output

TABLE = textwrap.dedent('''\
    Name              Virtual Switch  Active Clients  VLAN ID
    ----------------  --------------  --------------  -------
    VM Network        vSwitch0                     0        0
    A: b - c                                       1     4095
    ''')

RECORDS = textwrap.dedent('''\
    vSwitch0
       Name: vSwitch0
       MTU: 1500
       Beacon Required By:
       Uplinks: vmnic0, vmnic1

    vSwitch 1
       Name: vSwitch 1
       MTU: 9000
       Beacon Required By:
       Uplinks:
    ''')

# Neither at the edge of a cell, nor a line of its own.
LETTERS = string.ascii_letters + string.digits + ',.:_-/[]{}"\u00e9\u4e2d'
TEXTS = strategies.text(LETTERS + ' ', min_size=1, max_size=20).map(
    str.strip).filter(bool)
HEADINGS = strategies.lists(
    strategies.text(string.ascii_letters + ' ', min_size=1, max_size=12).map(
        str.strip).filter(bool),
    min_size=1, max_size=5, unique_by=lambda one: one.replace(' ', '').lower())


def key(heading: str) -> str:
    return heading.replace(' ', '').lower()


class TestText(base.TestCase):

    def test_table(self) -> None:
        self.assertEqual(
            [{'name': 'VM Network', 'virtualswitch': 'vSwitch0',
              'activeclients': '0', 'vlanid': '0'},
             {'name': 'A: b - c', 'virtualswitch': '', 'activeclients': '1',
              'vlanid': '4095'}],
            tables.from_text(TABLE))

    def test_table_without_rows(self) -> None:
        self.assertEqual([], tables.from_text(
            ''.join(TABLE.splitlines(True)[:2])))

    def test_last_cell_may_be_longer_than_its_dashes(self) -> None:
        self.assertEqual(
            [{'name': 'vmnic0', 'mtu': '1500', 'description': 'A NIC (10G) '
              'by somebody'}],
            tables.from_text('Name     MTU  Description\n'
                             '------  ----  -----------\n'
                             'vmnic0  1500  A NIC (10G) by somebody\n'))

    def test_line_ends_of_another_system(self) -> None:
        self.assertEqual(tables.from_text(TABLE), tables.from_text(
            TABLE.replace('\n', '\r\n')))

    def test_records(self) -> None:
        self.assertEqual(
            [{'name': 'vSwitch0', 'mtu': '1500', 'beaconrequiredby': '',
              'uplinks': 'vmnic0, vmnic1'},
             {'name': 'vSwitch 1', 'mtu': '9000', 'beaconrequiredby': '',
              'uplinks': ''}],
            tables.from_text(RECORDS))

    def test_records_without_blank_lines(self) -> None:
        self.assertEqual(tables.from_text(RECORDS), tables.from_text(
            RECORDS.replace('\n\n', '\n')))

    def test_records_without_titles(self) -> None:
        self.assertEqual(
            [{'path': '/A', 'intvalue': '1'}, {'path': '/B', 'intvalue': '2'}],
            tables.from_text('   Path: /A\n   Int Value: 1\n\n'
                             '   Path: /B\n   Int Value: 2\n'))

    def test_one_thing(self) -> None:
        self.assertEqual([{'dnsservers': '192.0.2.1, 2001:db8::1'}],
                         tables.from_text(
                             '   DNSServers: 192.0.2.1, 2001:db8::1\n'))

    def test_nothing(self) -> None:
        for text in ('', '\n', '\n\n'):
            with self.subTest(text=text):
                self.assertEqual([], tables.from_text(text))

    def test_garbage(self) -> None:
        for text in (
                'Error: Unknown command or namespace network nic list',
                'Connect to localhost failed: Connection failure\n\n',
                'Name  MTU', 'vSwitch0\n', 'vSwitch0\n   -\n',
                'vSwitch0\n\n   Name: vSwitch0\n',
                RECORDS + '\nvSwitch2', RECORDS + '\nvSwitch2\n   Na',
                '   Name: a\n   name: b\n', '   Name: a\n   b\n',
                'Name  Name\n----  ----\na     b\n',
                'Name  MTU\n----  ---\nvmnic0  9\n',
                '[{"Name": "vmk0"}]', '{\n    "Name": "vmk0",\n    "MTU'):
            with self.subTest(text=text):
                self.assertRaises(tables.BadAnswer, tables.from_text, text)


class TestJson(base.TestCase):

    def test_array_of_objects(self) -> None:
        self.assertEqual(
            [{'macaddress': 'A', 'mtu': 1500, 'uplinks': ['x'], 'up': True},
             {'macaddress': None}],
            tables.from_json('[{"MAC Address": "A", "MTU": 1500, "Uplinks": '
                             '["x"], "Up": true}, {"MACAddress": null}]'))

    def test_one_object(self) -> None:
        self.assertEqual([{'dnsservers': ['192.0.2.1']}],
                         tables.from_json('{"DNSServers": ["192.0.2.1"]}\n'))

    def test_nothing(self) -> None:
        self.assertEqual([], tables.from_json('[]\n'))

    def test_garbage(self) -> None:
        for text in ('', '\n', 'null', '7', '"vmk0"', '["vmk0"]', '[[]]',
                     '[{"Name": "vmk0"}, 1]', '[{"Name": "vm', TABLE, RECORDS,
                     '{"Name": "a", "na me": "b"}', '[' * 100000,
                     '{"a": "\ud800"', '\0'):
            with self.subTest(text=text[:20]):
                self.assertRaises(tables.BadAnswer, tables.from_json, text)

    def test_a_broken_character_stays_within_its_value(self) -> None:
        self.assertEqual([{'name': 'a?', 'mtu': 1}], tables.from_json(
            '{"Name": "a\ud800", "MTU": 1}'))


class TestRow(base.TestCase):

    row = tables.Row({
        'name': ' VM Network ', 'none': None, 'blank': ' ', 'n': 7,
        'digits': ' 4095', 'half': 7.5, 'list': ['a', ' b, c'],
        'commas': 'a, b,,c d', 'yes': True, 'no': 'false', 'nul': 'a\0b',
        'bell': ['a', 'b\x07'], 'half pair': 'a\ud800', 'mixed': ['a', 1],
        'object': {}, 'dhcpv6dns': 1, 'dhcpv6enabled': 2, 'huge': 10 ** 30})

    def test_text(self) -> None:
        self.assertEqual('VM Network', self.row.text('name'))

    def test_words(self) -> None:
        for key_, expected in (
                ('commas', ('a', 'b', 'c d')), ('list', ('a', 'b', 'c')),
                ('name', ('VM Network',)), ('blank', ()), ('none', ())):
            with self.subTest(key_):
                self.assertEqual(expected, self.row.words(key_))

    def test_number(self) -> None:
        self.assertEqual(7, self.row.number('n', 7, 7))
        self.assertEqual(4095, self.row.number('digits', 0, 4095))

    def test_flag(self) -> None:
        self.assertIs(True, self.row.flag('yes'))
        self.assertIs(False, self.row.flag('no'))

    def test_heading(self) -> None:
        self.assertEqual('dhcpv6enabled',
                         self.row.heading('dhcpv6', 'enabled'))

    def test_read(self) -> None:
        self.assertEqual('VM NETWORK', self.row.read('name', str.upper))
        with self.assertRaisesRegex(
                tables.BadAnswer, "^'name': 'VM Network' is no number$"):
            self.row.read('name', netvalue.integer)

    def test_what_is_refused(self) -> None:
        row = self.row
        for read, keys in (
                (row.value, ('Name', '')),
                (row.heading, ('routeradv',)),
                (row.text, ('nothing', 'none', 'blank', 'n', 'list', 'nul',
                            'half pair', 'object')),
                (row.words, ('nothing', 'n', 'nul', 'bell', 'half pair',
                             'mixed', 'object', 'yes')),
                (row.flag, ('nothing', 'name', 'n', 'none', 'list')),
                (lambda key_: row.number(key_, 0, 4094), (
                    'nothing', 'name', 'digits', 'half', 'yes', 'none',
                    'list', 'huge', 'object'))):
            for key_ in keys:
                with self.subTest(read=read, key=key_):
                    with self.assertRaises(tables.BadAnswer) as caught:
                        read(key_)
                    self.assertRegex(str(caught.exception), '^[ -~]{1,120}$')


class TestAnyAnswer(base.TestCase):
    """Against what another hand writes, and against anything at all."""

    def answers(self, data: strategies.DataObject, shape: str
                ) -> output.Answer:
        headings = data.draw(HEADINGS)
        rows = data.draw(strategies.lists(strategies.lists(
            TEXTS, min_size=len(headings), max_size=len(headings)),
            min_size=1, max_size=1 if shape == 'simple' else 5))
        return output.Answer(
            shape, [dict(zip(headings, row, strict=True)) for row in rows],
            tuple(headings))

    def expected(self, answer: output.Answer) -> list[dict[str, typing.Any]]:
        return [{key(heading): value for heading, value in row.items()}
                for row in answer.rows]

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(strategies.data())
    def test_what_was_printed_is_read(self, data: strategies.DataObject
                                      ) -> None:
        for shape in ('table', 'records', 'simple'):
            answer = self.answers(data, shape)
            if shape == 'table':
                # A line of dashes is one of a table wherever it stands.
                hypothesis.assume(any(
                    set(heading) - {'-', ' '} for heading in answer.columns))
            expected = self.expected(answer)
            self.assertEqual(expected, tables.from_text(
                output.render(answer, None, False)))
            for joined in (False, True):
                self.assertEqual(expected, tables.from_json(
                    output.render(answer, 'json', joined)))

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(strategies.text(max_size=200) | strategies.text(
        'aN: -\n\r"[]{},0', max_size=60))
    def test_rows_or_a_bad_answer(self, text: str) -> None:
        for parse in (tables.from_text, tables.from_json):
            try:
                rows = parse(text)
            except tables.BadAnswer as error:
                self.assertRegex(str(error), '^[ -~]{1,200}$')
            else:
                for row in rows:
                    self.assertEqual(set(map(key, row)), set(row))

    @hypothesis.settings(max_examples=200, deadline=None)
    @hypothesis.given(strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers()
        | strategies.floats() | strategies.text(max_size=9),
        lambda inner: strategies.lists(inner, max_size=4)
        | strategies.dictionaries(strategies.text(max_size=5), inner,
                                  max_size=4)))
    def test_any_json(self, value: typing.Any) -> None:
        try:
            rows = tables.from_json(json.dumps(value))
        except tables.BadAnswer:
            return
        for row in rows:
            for key_ in row:
                for read in (row.text, row.words, row.flag,
                             lambda key_, row=row: row.number(key_, 0, 9)):
                    try:
                        read(key_)
                    except tables.BadAnswer as error:
                        self.assertRegex(str(error), '^[ -~]{1,200}$')
