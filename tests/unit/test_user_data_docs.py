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

"""The pages about user data agree with what is done of it."""

import json
import pathlib
import re
import runpy

import yaml

from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import esxischema
from esxi_img.firstboot import mediatype
from esxi_img.firstboot import wish
from esxi_img.firstboot import wishend
from esxi_img.firstboot import wishing
from tests import base

DOCS = pathlib.Path(__file__).parents[2] / 'docs'
PAGES = DOCS / 'source' / 'user'
PAGE = PAGES / 'user-data.rst'
ESXI_PAGE = PAGES / 'vmware-esxi.rst'
EXAMPLES = PAGES / 'example' / 'user-data'
VENDOR = 'vendor_data.json'


def keys(schema: dict) -> set[str]:
    """All keys that a schema names, on any level."""
    found = set(schema.get('properties', ()))
    for one in (*schema.get('properties', {}).values(),
                *schema.get('patternProperties', {}).values()):
        found |= keys(one)
    return found


def first_cells(text: str) -> set[str]:
    """What stands as a literal in the first column of list-tables."""
    rows = re.findall(r'(?m)^   \* - ((?:.|\n(?!     - ))*)', text)
    return {word for row in rows for word in re.findall('``([^`]+)``', row)}


class TestExamples(base.TestCase):

    def wishes(self, path: pathlib.Path) -> wish.Wishes:
        """What an example wishes; there is nothing to tell about it."""
        name = VENDOR if path.name == VENDOR else 'user_data'
        gathered = cloudconfig.gather({name: path.read_bytes()})
        wishes, problems = wishing.wishes(gathered)
        self.assertEqual((), (*gathered.problems, *problems))
        return wishes

    def test_each_is_taken_as_it_is(self) -> None:
        paths = sorted(EXAMPLES.iterdir())
        self.assertLess(4, len(paths))
        for path in paths:
            with self.subTest(example=path.name):
                self.assertNotEqual(wish.Wishes(), self.wishes(path))

    def test_each_is_on_a_page(self) -> None:
        told = set(re.findall(
            r'\.\. literalinclude:: example/user-data/(\S+)',
            PAGE.read_text() + ESXI_PAGE.read_text()))
        self.assertEqual({path.name for path in EXAMPLES.iterdir()}, told)

    def test_one_has_all_that_only_esxi_has(self) -> None:
        config = yaml.safe_load((EXAMPLES / 'vmware-esxi.cfg').read_text())
        self.assertEqual(esxischema.load()['properties'].keys(),
                         config['vmware_esxi'].keys())
        switch, = config['vmware_esxi']['vswitch'].values()
        inner, = esxischema.load()['properties']['vswitch'][
            'patternProperties'].values()
        self.assertEqual(inner['properties'].keys(), switch.keys())


class TestUserData(base.TestCase):

    def test_the_table_has_each_key(self) -> None:
        table = PAGE.read_text().split('\nKeys\n====\n')[1].split(
            '\nAll other keys')[0]
        self.assertEqual(wishing.KNOWN, first_cells(table))

    def test_it_names_what_is_sent(self) -> None:
        told = PAGE.read_text().split('\nPhoning home\n')[1]
        self.assertEqual([], [name for name in (
            *wishend.FIELDS, wishend.STATUS) if f'``{name}``' not in told])

    def test_it_names_each_kind_that_a_first_line_tells(self) -> None:
        self.assertEqual([], [
            text for text in (
                one.decode('ascii') for one, _ in mediatype._STARTS
                if one.isascii() and one not in (b'{', b'<script>'))
            if f'``{text}' not in PAGE.read_text()])


class TestVmwareEsxi(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.extension = runpy.run_path(str(
            DOCS / 'ext' / 'vmware_esxi_keys.py'))

    def test_the_schema_is_the_one_that_is_used(self) -> None:
        self.assertEqual(esxischema.load(), json.loads(
            self.extension['SCHEMA'].read_text()))

    def test_the_page_has_a_place_for_the_table(self) -> None:
        self.assertEqual(1, ESXI_PAGE.read_text().count(
            self.extension['MARK']))

    def test_the_table_has_each_key(self) -> None:
        schema = esxischema.load()
        table = self.extension['table'](schema)
        self.assertEqual(keys(schema), {
            cell.split('.')[-1] for cell in first_cells(table)})
        for one in schema['properties'].values():
            self.assertIn(one['description'], table)

    def test_how_each_maps_is_on_the_page(self) -> None:
        self.assertEqual(esxischema.load()['properties'].keys(),
                         first_cells(ESXI_PAGE.read_text()))
