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

"""What a field report asks changes nothing."""

from esxi_img.firstboot import reportcommands as commands
from tests import base
from tests.esxi import grammar

OTHERS = {('/usr/lib/vmware/secureboot/bin/secureBoot.py', '-s'),
          ('esxcfg-mpath', '-b'), ('partedUtil', 'getptbl', '/a'),
          ('vmkfstools', '-P', '/a')}
"""Of other programs, all."""


class TestCommands(base.TestCase):

    def test_esxcli_s_are_in_the_grammar_and_only_list(self) -> None:
        some = [commands.argv('esxcli', ask.words) for ask in commands.ASKS]
        some += [commands.argv('localcli', commands.VERSION)]
        answer = [{'Name': 'vSwitch0'}]
        some += [*commands.of_switches('esxcli', answer),
                 *commands.of_vmks('esxcli', answer)]
        self.assertEqual(38, len(some))
        for argv in some:
            with self.subTest(argv=argv):
                call = grammar.parse(argv)
                self.assertEqual('json', call.formatter)
                self.assertIn(call.path.rpartition(' ')[2], ('get', 'list'))

    def test_what_is_to_be_refused_is(self) -> None:
        """Even if it were taken, it would only list."""
        for words in commands.REFUSED:
            with self.subTest(words), self.assertRaises(grammar.Refused):
                grammar.parse(commands.argv('esxcli', words))
            self.assertEqual(['network', 'nic'], words.split()[:2])

    def test_other_programs(self) -> None:
        self.assertEqual(OTHERS, {
            commands.SECURE_BOOT, *commands.OTHERS,
            *commands.of_disks(['/a']), *commands.of_volumes(['/a'])})

    def test_each_is_asked_once(self) -> None:
        words = [ask.words for ask in commands.ASKS]
        self.assertEqual(len(words), len(set(words)))

    def test_nothing_of_an_answer_becomes_an_option(self) -> None:
        for name in ('', '-f', '--vswitch-name=x', 'a\0b', None, 7, ['x']):
            self.assertEqual([], list(commands.of_switches(
                'esxcli', [{'Name': name}])))
        for answer in (None, 'x', 7, [], ['x'], {}, [[{}]]):
            self.assertEqual([], list(commands.of_vmks('esxcli', answer)))
        self.assertEqual(16, len(list(commands.of_switches(
            'esxcli', [{'Name': 'a'}] * 100))))
        self.assertEqual(32, len(list(commands.of_disks(['/a'] * 100))))

    def test_words_of(self) -> None:
        self.assertEqual('network nic list', commands.words_of(
            commands.argv('localcli', 'network nic list')))
        self.assertEqual('', commands.words_of(('partedUtil', 'getptbl')))

    def test_fields(self) -> None:
        row = {'ProductName': 'X', 'Serial Number': 'Hunter22',
               'Vendor Name': 'Y'}
        fields = ('Product Name', 'Vendor Name')
        expected = '[{"Product Name": "X", "Vendor Name": "Y"}]'
        self.assertEqual(expected, commands.only(row, fields))
        self.assertEqual(expected, commands.only([row], fields))
        for answer in (None, 'text', [], {}, [7]):
            self.assertEqual('', commands.only(answer, ('a',)))

    def test_serial_numbers_are_left_out_where_they_are_known(self) -> None:
        fields = {ask.words: ask.fields for ask in commands.ASKS}
        self.assertTrue(fields['hardware platform get'])
        self.assertFalse([name for names in fields.values()
                          for name in names if 'erial' in name
                          or 'UUID' in name])
