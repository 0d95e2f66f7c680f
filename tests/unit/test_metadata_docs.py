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

"""The page about the metadata of a drive agrees with what is read of it."""

import collections
import contextlib
import io
import json
import pathlib
import re
import textwrap
import typing

from esxi_img.cmd import plan
from esxi_img.firstboot import drive
from esxi_img.firstboot import jsonfile
from esxi_img.firstboot import metadata
from esxi_img.firstboot import netdata
from esxi_img.firstboot import netlinks
from esxi_img.firstboot import password
from esxi_img.firstboot import redacted
from esxi_img.firstboot import subnets
from esxi_img.firstboot import uplinks
from esxi_img.firstboot import versions
from tests import base
from tests import listtables

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'source' / 'user'
        / 'metadata.rst')
NONE = 'none, or not known'

Seen = collections.defaultdict[str, set[str]]


class Watched(dict[str, typing.Any]):
    """An object that notes which keys it is asked for."""

    def __init__(self, content: dict[str, typing.Any], asked: set[str]
                 ) -> None:
        super().__init__(content)
        self.asked = asked

    def get(self, key: str, default: typing.Any = None) -> typing.Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> typing.Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


def watched(value: typing.Any, name: str, seen: Seen) -> typing.Any:
    """The same with all its objects watched, each below its key's name."""
    if isinstance(value, dict):
        return Watched({key: watched(inner, key, seen)
                        for key, inner in value.items()}, seen[name])
    if isinstance(value, list):
        return [watched(inner, name, seen) for inner in value]
    return value


def network_data() -> dict[str, typing.Any]:
    """All that makes the code look for further keys."""
    links: list[dict[str, typing.Any]] = [
        {'id': 'a', 'type': kind, 'vlan_id': 5, 'vlan_link': 'a'}
        for kind in ('phy', 'bond', 'vlan', None)]
    links += [{}]
    for number, link in enumerate(links[:4]):
        link['id'] = f'l{number}'
    routes = [{'network': network, 'services': [{'type': 'dns'}]}
              for network in ('10.0.0.0', 'default', '2001:db8::/32')]
    networks = [{'link': 'l0', 'type': kind, 'ip_address': given,
                 'routes': routes}
                for kind in (*subnets.TYPES, 'other', None)
                for given in ('192.0.2.1', '2001:db8::1', None)]
    return {'links': links, 'networks': networks,
            'services': [{'type': 'dns'}, {}]}


class MetadataDocs(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = PAGE.read_text()
        self.sections = listtables.sections(self.text)

    def table(self, title: str, number: int = 0) -> list[listtables.Row]:
        return listtables.tables(self.sections[title])[number]

    def row(self, title: str, key: str) -> listtables.Row:
        found, = (row for row in self.table(title) if key in row[0])
        return found


class TestKeys(MetadataDocs):
    """The tables name each key that is read, and no other one."""

    def test_of_metadata(self) -> None:
        seen: Seen = collections.defaultdict(set)
        metadata.parse(watched(
            {'meta': {}, 'keys': [{'name': 'x'}],
             'public_keys': {'x': {'data': 'y'}}}, 'root', seen))
        self.assertEqual(sorted(seen['root']), sorted(
            listtables.keys(self.table('meta_data.json'))))
        self.assertEqual({'admin_pass'}, seen['meta'])
        self.assertIn('``admin_pass``', self.row(
            'meta_data.json', '``meta``')[1])
        told = set(listtables.literals(self.sections['SSH keys']))
        self.assertLessEqual({*seen['keys'], *seen['x']}, told)
        self.assertEqual({'data', 'type'}, seen['keys'])

    def test_of_network_data(self) -> None:
        seen: Seen = collections.defaultdict(set)
        netdata.parse(watched(network_data(), 'root', seen))
        pages = {'root': 'network_data.json', 'links': 'Links',
                 'networks': 'Networks', 'routes': 'Routes',
                 'services': 'Services'}
        self.assertEqual(pages.keys(), seen.keys())
        for name, title in pages.items():
            with self.subTest(title):
                self.assertEqual(sorted(seen[name]), sorted(
                    listtables.keys(self.table(title))))
        # What outlives the installation is what is read, too.
        self.assertEqual(redacted._NETWORK, set().union(*seen.values()))

    def test_files(self) -> None:
        self.assertEqual([*versions.FILES], listtables.keys(
            self.table('Where the drive is looked for', 1)))


class TestValues(MetadataDocs):

    def test_bond_modes(self) -> None:
        rows = self.table('Bond modes')
        self.assertEqual([*netlinks.MODES, NONE], [
            row[0].strip('`') for row in rows])
        self.assertEqual(uplinks._MODES.keys(), {*netlinks.MODES, None})
        for number, row in enumerate(rows):
            mode = row[0].strip('`') if row[0] != NONE else None
            policy, problem = uplinks._MODES[mode]
            with self.subTest(mode):
                self.assertEqual(
                    [str(number) if mode else '', f'``{policy}``',
                     bool(problem)],
                    [*row[1:3], row[3].startswith('a problem')])

    def test_types(self) -> None:
        told = {kind: (row[1], row[2].strip('`'))
                for row in self.table('Types')
                for kind in listtables.literals(row[0])}
        self.assertEqual({kind: (f'IPv{family}', method) for kind, (
            family, method) in subnets.TYPES.items()}, told)

    def test_each_method_is_explained(self) -> None:
        self.assertEqual(
            {method for _, method in subnets.TYPES.values()},
            {*listtables.keys(self.table('Types', 1))})

    def test_numbers(self) -> None:
        for title, number, text in (
                ('MTU', netlinks.MTU_MIN, '{} to 9190'),
                ('MTU', netlinks.ESXI_MTU_MAX, '1280 to {}'),
                ('MTU', netlinks.ESXI_MTU_MAX, 'more than {}, up to'),
                ('MTU', netlinks.MTU_MAX, 'up to {}'),
                ('MTU', netlinks.JUMBO_MTU, '- {}, with a problem'),
                ('VLAN', uplinks.TRUNK, '* - {}'),
                ('VLAN', uplinks.TRUNK - 1, '* - 1 to {}'),
                ('Links', netlinks.VLAN_MAX, '0 to {}'),
                ('SSH keys', metadata.KEYS_MAX, 'Up to {} keys'),
                ('Password', password.LENGTH_MIN, 'shorter than {} char'),
                ('Where the drive is looked for', jsonfile.LIMIT >> 20,
                 'a JSON file has {} MiB'),
                ('Where the drive is looked for', drive.MAX_FILE >> 20,
                 'any other {} MiB')):
            with self.subTest(text):
                self.assertIn(text.format(number), self.sections[title])


class TestExample(MetadataDocs):

    def test_it_comes_to_what_is_shown(self) -> None:
        folder = self.tmp()
        for name, text in re.findall(
                r"(?s)   cat > drive/(\S+) <<'END'\n(.*?)\n   END\n",
                self.text):
            (folder / name).write_text(textwrap.dedent(text))
            json.loads(text)
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            self.assertEqual(0, plan._main([str(folder)]))
        shown = self.sections['An example'].partition('code-block:: text')[2]
        parts = textwrap.dedent(shown).strip().split('\n\n')
        self.assertEqual(2, len(parts))
        for part in parts:
            self.assertIn(part, stream.getvalue())


class TestTheReader(base.TestCase):
    """The tables are read as they stand."""

    def test_rows(self) -> None:
        text = ('T\n===\n\n.. list-table::\n   :header-rows: 1\n\n'
                '   * - a\n     - b\n   * - ``x``,\n       ``y``\n     -\n'
                '   * - ``z``\n     - d\n       e\n\nText.\n')
        table, = listtables.tables(listtables.sections(text)['T'])
        self.assertEqual([['``x``, ``y``', ''], ['``z``', 'd e']], table)
        self.assertEqual(['x', 'y', 'z'], listtables.keys(table))
        indented = textwrap.indent(text.partition('\n\n')[2], '   ')
        self.assertEqual([table], listtables.tables(indented))

    def test_sections(self) -> None:
        text = '===\nA\n===\n\nb\n\nC\n---\n\nd\n'
        self.assertEqual(['A', 'C'], [*listtables.sections(text)])
