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

"""What travels without its comments is the same program."""

import ast
import pathlib

import esxi_img
from esxi_img import build
from esxi_img import pythonfile
from tests import base

FIRSTBOOT = pathlib.Path(esxi_img.__file__).parent / 'firstboot'


class TestLean(base.TestCase):

    def test_lines_of_comment_are_empty(self) -> None:
        for source, expected in (
                ('# a\nx = 1\n', '\nx = 1\n'),
                ('if x:\n    # a\n    y = 1\n', 'if x:\n\n    y = 1\n'),
                ('x = 1  # a\n', 'x = 1  # a\n'),
                ('# a', ''), ('', '')):
            with self.subTest(source=source):
                self.assertEqual(
                    expected, pythonfile.lean(source.encode()).decode())

    def test_it_is_the_same_program(self) -> None:
        paths = sorted(FIRSTBOOT.glob('*.py'))
        self.assertLess(90, len(paths))
        for path in paths:
            with self.subTest(path.name):
                source = path.read_bytes()
                lean = pythonfile.lean(source)
                # With the numbers of all lines.
                self.assertEqual(
                    ast.dump(ast.parse(source), include_attributes=True),
                    ast.dump(ast.parse(lean), include_attributes=True))

    def test_all_but_one_travel_so(self) -> None:
        licensed = {name for name, data in build.firstboot().items()
                    if b'apache.org/licenses' in data}
        self.assertEqual({'__init__.py'}, licensed)
