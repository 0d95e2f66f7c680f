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

import base64

from tests.esxi import commands_access
from tests.unit.esxi import base

KEY = 'ssh-rsa ' + base64.b64encode(
    b'\0\0\0\7ssh-rsa' + bytes(9)).decode() + ' me@there'
ADD = '!esxcli system account add --id '
SET = '!esxcli system account set --id '
GOOD = 'aB3-aB3-'
RULE = 'retry=3 min=disabled,disabled,disabled,7,7'


def twice(password: str) -> str:
    return f" --password '{password}' --password-confirmation '{password}'"


class TestAccounts(base.HostCase):

    def test_add_set_list_remove(self) -> None:
        self.ok(ADD + 'ops --description "On call"' + twice(GOOD))
        self.assertEqual(
            [('root', 'Administrator'), ('ops', 'On call')],
            [(row['User ID'], row['Description']) for row in
             self.json('!esxcli system account list')
             if row['User ID'] in ('root', 'ops')])
        self.assertEqual(GOOD, self.host.accounts['ops'].password)
        self.ok(SET + 'ops --description x --shell-access false')
        one = self.host.accounts['ops']
        self.assertEqual(('x', GOOD, False), (
            one.description, one.password, one.shell))
        self.ok(SET + 'ops' + twice(GOOD + GOOD),
                f"!esxcli system ssh key add --username ops --auth-key "
                f"'{KEY}'", '!esxcli system permission set --id ops --role '
                'Admin')
        self.assertEqual((GOOD + GOOD, {'ops': 'Admin'}), (
            self.host.accounts['ops'].password, self.host.roles))
        self.ok('!esxcli system account remove --id ops')
        self.assertEqual(({}, ['root']), (
            self.host.roles, list(self.host.keys)))

    def test_refused(self) -> None:
        self.ok(ADD + 'ops' + twice(GOOD))
        for name in ('ops', 'root', 'vpxuser'):
            self.refused(ADD + name + twice(GOOD), 'already exists')
        for name in ('Ops', '0ps', 'a.b', 'a' * 33, '""'):
            self.refused(ADD + name + twice(GOOD), 'Invalid user name')
        self.refused(ADD + 'x', 'password is needed')
        self.refused(ADD + 'x --password ' + GOOD, 'do not match')
        self.refused(ADD + 'x --password-confirmation ' + GOOD,
                     'password is needed')
        self.refused(SET + 'ops --password-confirmation ' + GOOD,
                     'do not match')
        self.refused(ADD + 'x --description "a\nb"' + twice(GOOD),
                     'Invalid description')
        for line in (SET + 'x --description y',
                     '!esxcli system account remove --id x',
                     '!esxcli system permission set --id x --role Admin'):
            self.refused(line, 'not found')
        self.refused('!esxcli system account remove --id root', 'cannot be')
        self.refused('!esxcli system permission set --id root --role '
                     'NoAccess', 'its own')
        self.refused('!esxcli system permission set --id ops --group --role '
                     'Admin', 'directory')
        self.refused(ADD + 'x' + twice('password'), 'Weak password')

    def test_passwords(self) -> None:
        for password, good in (
                (GOOD, True), ('aB3-aB3', True), ('aB3-aB', False),
                ('abcdefgh', False), ('abcdefg-', False),
                ('abcdef3-', True), ('Abcdef-h', False),
                ('abcdef-3', False), ('aBcdef-3', True), ('aBcdefg3', False),
                ('aB3-' * 10, True), ('aB3-' * 10 + 'a', False),
                ('aB3-\u00e4aB3', False), ('aB3-\taB3', False), ('', False),
                ('aB3-oPs1-', True), ('aB3-oPerator-', False)):
            with self.subTest(password=password):
                for name in ('ops', 'operator'):
                    if name != 'ops' or 'Perator' not in password:
                        self.assertEqual(good, not commands_access.weakness(
                            password, name, RULE))
        self.assertTrue(commands_access.weakness(
            'aB3-aB3', 'x', RULE.replace('7,7', '9,9')))
        self.ok('!esxcli system settings advanced set --option '
                f'{commands_access.QUALITY} --string-value '
                '"retry=3 min=disabled,disabled,disabled,disabled,15"')
        self.refused(ADD + 'x' + twice(GOOD), 'Weak password')

    def test_releases(self) -> None:
        self.host.version = '7.0.3'
        self.ok(ADD + 'ops' + twice(GOOD))
        self.refused(SET + 'ops --shell-access true', 'Invalid option')


class TestKeys(base.HostCase):

    def line(self, verb: str, key: str = '', user: str = 'root') -> str:
        option = f" --auth-key '{key}'" if key else ''
        return f'!esxcli system ssh key {verb} --username {user}{option}'

    def test_add_list_remove(self) -> None:
        self.ok(self.line('add', KEY), self.line('add', KEY + '2'))
        self.assertEqual([KEY, KEY + '2'], self.host.keys['root'])
        self.assertEqual([{'Username': 'root', 'Auth Key': KEY},
                          {'Username': 'root', 'Auth Key': KEY + '2'}],
                         self.json(self.line('list')))
        self.ok(self.line('remove', KEY))
        self.assertEqual([KEY + '2'], self.host.keys['root'])
        self.ok(self.line('remove'))
        self.assertEqual([], self.host.keys['root'])
        self.assertEqual([], self.json('!esxcli system ssh key list'))

    def test_refused(self) -> None:
        self.ok(self.line('add', KEY))
        self.refused(self.line('add', KEY), 'already exists')
        self.refused(self.line('add', KEY, 'me'), 'not found')
        self.refused(self.line('list', user='me'), 'not found')
        self.refused(self.line('remove', KEY + 'x'), 'not found')
        for key in ('x', 'ssh-rsa', 'ssh-rsa !', KEY + '\n',
                    'ssh-dss ' + base64.b64encode(
                        b'\0\0\0\7ssh-dss' + bytes(9)).decode(),
                    KEY.replace('ssh-rsa', 'ssh-ed25519')):
            with self.subTest(key=key):
                self.refused(self.line('add', key), 'Invalid SSH key')


class TestServer(base.HostCase):

    LINE = '!esxcli system ssh server config '

    def test_set_and_list(self) -> None:
        self.ok(self.LINE + 'set --keyword permitrootlogin --value no')
        self.assertEqual(
            [{'Key': 'permitrootlogin', 'Value': 'no'}],
            self.json(self.LINE + 'list --keyword permitrootlogin'))
        self.assertIn({'Key': 'passwordauthentication', 'Value': 'yes'},
                      self.json(self.LINE + 'list'))

    def test_refused(self) -> None:
        line = self.LINE + 'set --keyword '
        self.refused(line + 'permitrootlogin', 'Needs --value')
        self.refused(line + 'permitrootlogin --value maybe', 'Invalid value')
        self.refused(line + 'PermitRootLogin --value no', 'not found')
        self.refused(self.LINE + 'list --keyword x', 'not found')
        self.ok(line + 'banner --value /etc/motd')
        self.host.version = '7.0.3'
        self.refused(line + 'permitrootlogin --value no', 'Unknown command')
