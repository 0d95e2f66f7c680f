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

from tests import base
from tests.esxi import output

TABLE = output.table('Name|Link|Size', [('a b', True, 5), ('c', False, 1000)])


class TestRender(base.TestCase):

    def test_table(self) -> None:
        self.assertEqual('Name  Link   Size\n'
                         '----  -----  ----\n'
                         'a b    true     5\n'
                         'c     false  1000\n',
                         output.render(TABLE, None, False))

    def test_empty_table(self) -> None:
        empty = output.table('A|Bc', [])
        self.assertEqual('A  Bc\n-  --\n', output.render(empty, None, False))
        self.assertEqual('[]', output.render(empty, 'json', False))

    def test_table_as_json(self) -> None:
        self.assertEqual('[{"Name": "a b", "Link": true, "Size": 5}, '
                         '{"Name": "c", "Link": false, "Size": 1000}]',
                         output.render(TABLE, 'json', False))

    def test_a_row_has_all_columns(self) -> None:
        with self.assertRaises(ValueError):
            output.table('A|B', [('a',)])

    def test_records(self) -> None:
        answer = output.records([
            {'Name': 'x', 'Up Links': ['a', 'b']}, {'Name': 'y', 'Q': ''}])
        self.assertEqual('x\n   Name: x\n   Up Links: a, b\n\n'
                         'y\n   Name: y\n   Q:\n',
                         output.render(answer, None, False))

    def test_simple(self) -> None:
        answer = output.simple(Host_Name='a', On=False)
        self.assertEqual('   Host Name: a\n   On: false\n',
                         output.render(answer, None, False))
        self.assertEqual('{"Host Name": "a", "On": false}',
                         output.render(answer, 'json', False))

    def test_joined_keys(self) -> None:
        self.assertEqual('{"HostName": "a b"}', output.render(
            output.simple(Host_Name='a b'), 'json', True))
