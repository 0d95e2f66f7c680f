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

from tests import base
from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import state

ADD = ('esxcli', 'network', 'vswitch', 'standard', 'portgroup', 'add')
SET = ('esxcli', 'network', 'vswitch', 'standard', 'portgroup', 'set',
       '--portgroup-name', 'x')


class TestCheck(base.TestCase):

    def refused(self, why: str, *argv: str) -> None:
        with self.assertRaisesRegex(grammar.Refused, why):
            grammar.check(argv)

    def test_options_by_long_name(self) -> None:
        self.assertEqual(
            {'--portgroup-name': 'a b', '--vswitch-name': 'vSwitch0'},
            grammar.check([*ADD, '--vswitch-name', 'vSwitch0',
                           '--portgroup-name', 'a b']))

    def test_a_flag_is_true(self) -> None:
        self.assertEqual({'--all': True}, grammar.check(
            'localcli network ip dns server remove --all'.split()))

    def test_formatter(self) -> None:
        words = ['network', 'nic', 'list']
        self.assertEqual({}, grammar.check(
            ['esxcli', '--formatter=json', *words]))
        self.refused('formatter', 'esxcli', '--formatter=yaml', *words)
        self.refused('Unknown', 'esxcli', '--formatter', 'json', *words)
        self.refused('Invalid option', 'esxcli', *words, '--formatter=json')

    def test_programs(self) -> None:
        self.refused('not esxcli', 'esxcfg-nics', '-l')
        self.refused('not esxcli')

    def test_unknown_commands(self) -> None:
        for path in ('', 'network', 'network nic', 'network nic list all'):
            with self.subTest(path=path):
                self.refused('Unknown command', 'esxcli', *path.split())

    def test_unknown_options(self) -> None:
        for word in ('-v', '--vlan', '--vlan-id=7', 'x', '--', ''):
            with self.subTest(word=word):
                self.refused('Invalid option', *SET, word, '7')

    def test_garbage_behind_the_options(self) -> None:
        self.refused("'y'", *SET, 'y')

    def test_required(self) -> None:
        self.refused('Missing required parameter --vswitch-name',
                     *ADD, '--portgroup-name', 'x')

    def test_repeated(self) -> None:
        self.refused('twice', *SET, '--portgroup-name', 'x')
        line = 'esxcli system ntp set --server b'.split()
        self.assertEqual({'--server': ['b']}, grammar.check(line))
        self.assertEqual(
            {'--server': ['b', 'a', 'b'], '--enabled': 'true'},
            grammar.check([*line, '--enabled', 'true', '--server', 'a',
                           '--server', 'b']))
        self.refused('needs a value', *line, '--server')

    def test_integers(self) -> None:
        self.refused("Expecting integer value. Got 'LT-3100'\n\nUsage: esxcli"
                     ' network', *SET, '--vlan-id', 'LT-3100')
        for value in ('07', '+7', '1.0', '7 ', '\u0667'):
            with self.subTest(value=value):
                self.refused('integer', *SET, '--vlan-id', value)

    def test_range(self) -> None:
        for value in ('0', '4095'):
            grammar.check([*SET, '--vlan-id', value])
        for value in ('-1', '4096'):
            with self.subTest(value=value):
                self.refused('from 0 to 4095', *SET, '--vlan-id', value)

    def test_booleans(self) -> None:
        line = 'esxcli network ip set --ipv6-enabled'.split()
        for value in ('true', 'false'):
            self.assertEqual({'--ipv6-enabled': value},
                             grammar.check([*line, value]))
        for value in ('yes', '1', 'True', 'on'):
            with self.subTest(value=value):
                self.refused('boolean', *line, value)

    def test_values(self) -> None:
        self.refused("Got 'bond'", *'esxcli network vswitch standard policy '
                     'failover set --vswitch-name a --load-balancing bond'
                     .split())

    def test_a_value_is_needed(self) -> None:
        for end in ((), ('--vlan-id',), ('-v',)):
            with self.subTest(end=end):
                self.refused('needs a value', *ADD, '--portgroup-name', *end)
        self.refused('zero byte', *ADD, '--portgroup-name', 'a\0b')

    def test_excludes(self) -> None:
        line = 'esxcli system hostname set --fqdn a.b'.split()
        self.refused('exclude', *line, '--host', 'a')
        self.refused('exclude', *line, '--domain', 'b')


class TestFixture(base.TestCase):

    def test_it_has_only_what_is_used(self) -> None:
        self.assertEqual(132, len(grammar.GRAMMAR))
        for path, entry in grammar.GRAMMAR.items():
            with self.subTest(path=path):
                self.assertLessEqual(entry.keys(),
                                     {'since', 'options', 'output'})
                self.assertTrue(grammar.since(path))

    def test_every_list_has_the_fields_of_the_grammar(self) -> None:
        host = state.fresh([state.Nic('vmnic0', '02:00:00:00:00:01')], [])
        for path in sorted(commands.HANDLERS):
            known = grammar.GRAMMAR[path].get('output')
            if not known:
                continue
            options = ['--vswitch-name', 'vSwitch0'] if any(
                spec['required'] for spec in grammar.GRAMMAR[path]['options']
            ) else []
            status, printed, errors = host.run(
                ['esxcli', '--formatter=json', *path.split(), *options])
            with self.subTest(path=path):
                self.assertEqual((0, ''), (status, errors))
                rows = json.loads(printed)
                row = rows if isinstance(rows, dict) else rows[0] \
                    if rows else None
                fields = known.get('columns') or known['fields']
                if row is not None:
                    self.assertEqual(fields, list(row))
                text = host.run(['esxcli', *path.split(), *options])[1]
                for field in fields:
                    self.assertIn(field, text)

    def test_what_is_simulated(self) -> None:
        whole = ('network vswitch standard ', 'network ip interface ',
                 'network ip route ', 'network ip dns ', 'system ssh key ',
                 'system hostname ', 'system settings advanced ',
                 'system welcomemsg ', 'system account ',
                 'system maintenanceMode ', 'system permission ',
                 'system settings kernel ', 'system shutdown ',
                 'system ssh server ', 'system syslog config ')
        single = {'network nic list', 'network nic get', 'network ip get',
                  'network ip set', 'network firewall ruleset set',
                  'network firewall ruleset list', 'network firewall get',
                  'network firewall set', 'network firewall refresh',
                  'storage filesystem list', 'system ntp get',
                  'system ntp set', 'system syslog reload',
                  'system version get'}
        self.assertEqual(
            {path for path in grammar.GRAMMAR
             if path.startswith(whole) or path in single},
            set(commands.HANDLERS))
