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
import builtins
import gzip
import json
import tracemalloc
from unittest import mock

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import carried
from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import esxischema
from esxi_img.firstboot import model
from esxi_img.firstboot import userdata
from esxi_img.firstboot import wish
from esxi_img.firstboot import wishing
from tests import base

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9yq ops@example'
KEY2 = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDYVEpr two'
HASH = '$6$saltsalt$' + 'a' * 85 + '1'
# Must never be shown, wherever it stands.
MARK = 'MaRk3R-pa55'
LOST = ('not below /etc, /vmfs/volumes/LABEL or /bootbank/FOLDER: it would '
        'be gone after a restart, so it is left out')
ETC = ('ESXi keeps files below /etc only if it came with them: this one may '
       'be gone after a restart')
BARRED = ('a file that decides on logging in, on the network or on what '
          'starts: left out')
HOSTS = ("ESXi's services find the host itself by it, so one that lacks its "
         'name may stop them')
OWN = "a file of ESXi's or esxi-img's own: left out"
AMONG = ('among what ESXi starts from: left out, a folder of its own could '
         'be had there')
SYSTEM = "on one of ESXi's own volumes: left out"
UNKNOWN_PROGRAM = ('ESXi has no program of that name of its own: sh and '
                   'python it has')
NO_PROGRAM = 'its first line names no program to run it by: left out'
ARGV = 'ESXi sets it by a command line that others can read: not used'


def of(user=None, vendor=None, **scripts):
    return wishing.wishes(cloudconfig.Gathered(
        user or {}, vendor or {}, **scripts))


class WishesCase(base.TestCase):

    def check(self, key, *cases):
        """Each case: config, what the key's wish is, and the problems.

        Problems as a dict, by the path without user_data.
        """
        for config, expected, problems in cases:
            with self.subTest(config=config):
                wishes, found = of(config)
                self.assertEqual(expected, getattr(wishes, key))
                self.assertEqual(
                    {f'user_data:{where}': message
                     for where, message in problems.items()},
                    {one.where: one.message for one in found})
                self.assertEqual(len(problems), len(found))


class TestWishes(WishesCase):

    def test_nothing_is_wished_by_nothing(self):
        self.assertEqual((wish.Wishes(), ()), of())

    def test_null_is_absent(self):
        for key in (*wishing.KNOWN, 'foo'):
            with self.subTest(key=key):
                self.assertEqual((wish.Wishes(), ()), of({key: None}))

    def test_every_key_is_looked_at(self):
        # None of them takes a float.
        for key in wishing.KNOWN:
            with self.subTest(key=key):
                wishes, problems = of({key: 1.5})
                self.assertEqual(wish.Wishes(), wishes)
                self.assertEqual(
                    [f'user_data:{key}'], [one.where for one in problems])

    def test_unknown_keys_are_listed_once(self):
        for user, vendor, where, listed in (
                ({'hostnam': MARK}, {}, 'user_data', "'hostnam'"),
                ({'b': 1, 'a': 2}, {'c': 3, 'a': 4}, 'user_data',
                 "'a', 'b', 'c'"),
                ({}, {'c': 3}, 'vendor_data', "'c'"),
                ({f'{MARK} {MARK}': 1}, {}, 'user_data', '1 keys'),
                ({'a': 1, f'-----{MARK} KEY': 1}, {}, 'user_data',
                 "'a', 1 more"),
                ({f'k{n:02}': 1 for n in range(30)}, {}, 'user_data',
                 ', '.join(f"'k{n:02}'" for n in range(20)) + ', 10 more')):
            with self.subTest(listed=listed):
                self.assertEqual((wish.Wishes(), (model.Problem(
                    where, f'means nothing on ESXi: {listed}'),)),
                    of(user, vendor))

    def test_user_goes_before_vendor(self):
        wishes, problems = of(
            {'hostname': 'user', 'ntp': {'servers': ['192.0.2.1']},
             'password': 'Us3r-pass', 'runcmd': ['a']},
            {'hostname': 'vendor', 'ntp': {'servers': ['192.0.2.2'],
                                           'ntp_client': 'chrony'},
             'password': 'V3nd-pass', 'runcmd': ['b'],
             'final_message': 'done'})
        self.assertEqual(
            (wish.Name('user', 'user_data:hostname'),
             wish.Name('vendor', 'vendor_data:hostname'),
             wish.Password('user_data:password', model.Secret('Us3r-pass')),
             wish.Password('vendor_data:password',
                           model.Secret('V3nd-pass')),
             ('192.0.2.1',), '#!/bin/sh\na\n', 'done'),
            (wishes.name, wishes.vendor_name, wishes.password,
             wishes.vendor_password, wishes.ntp.servers,
             wishes.scripts[0].content, wishes.final_message))
        self.assertEqual([model.Problem('user_data:ntp.ntp_client',
                                        'ESXi has one of its own')],
                         list(problems))

    def test_the_vendor_says_nothing_for_the_user(self):
        wishes, problems = of({}, {'hostname': 'a', 'password': 'V3nd-pass'})
        self.assertEqual((None, None, ()), (
            wishes.name, wishes.password, problems))

    def test_the_vendor_is_named(self):
        self.assertEqual([model.Problem(
            'vendor_data:ntp.servers[0]',
            'neither a host name nor an address: not used')],
            list(of({}, {'ntp': {'servers': ['a/b']}})[1]))


class TestNames(WishesCase):

    def test_name(self):
        short, full = 'user_data:hostname', 'user_data:fqdn'
        before = 'another host than {} says, which goes before'.format
        self.check(
            'name',
            ({'hostname': 'a'}, wish.Name('a', short), {}),
            ({'hostname': 'a.example'}, wish.Name('a.example', short), {}),
            ({'hostname': 7}, wish.Name('7', short), {}),
            ({'hostname': ''}, None, {}),
            ({'hostname': 'localhost'}, None, {}),
            ({'hostname': ['a']}, None,
             {'hostname': 'a list where a string should be'}),
            ({'hostname': f'{MARK}_x'}, wish.Name(f'{MARK}-x', short),
             {'hostname': 'no host name: what is nearest to it is taken'}),
            ({'hostname': '192.0.2.1'}, None,
             {'hostname': 'no host name: not used'}),
            ({'fqdn': 'a.example', 'hostname': 'A'},
             wish.Name('a.example', full), {}),
            ({'fqdn': 'a.example', 'hostname': 'b'},
             wish.Name('a.example', full), {'hostname': before('fqdn')}),
            ({'fqdn': 'a.example', 'hostname': 'b',
              'prefer_fqdn_over_hostname': True},
             wish.Name('a.example', full), {}),
            ({'fqdn': 'a.example', 'hostname': 'b',
              'prefer_fqdn_over_hostname': 'no'},
             wish.Name('b', short), {'fqdn': before('hostname')}),
            ({'fqdn': 'a.example', 'prefer_fqdn_over_hostname': False},
             wish.Name('a.example', full), {}),
            ({'fqdn': '::1', 'hostname': 'b'}, wish.Name('b', short),
             {'fqdn': 'no host name: not used'}))

    def test_preserve_hostname(self):
        self.check(
            'preserve_hostname',
            ({'preserve_hostname': True}, True, {}),
            ({'preserve_hostname': 'ON'}, True, {}),
            ({'preserve_hostname': 1}, True, {}),
            ({'preserve_hostname': 'false'}, False, {}),
            ({'preserve_hostname': MARK}, False,
             {'preserve_hostname': 'neither true nor false: not used'}))

    def test_no_vendor_takes_a_user_s_name_away(self):
        preserve = {'preserve_hostname': True}
        for user, vendor, expected in (
                ({'hostname': 'a'}, preserve, False),
                ({'fqdn': 'a.example'}, preserve, False),
                ({'hostname': 'a', **preserve}, {}, True),
                ({'hostname': 'a', **preserve},
                 {'preserve_hostname': False}, True),
                ({'preserve_hostname': False}, preserve, False),
                ({}, preserve, True),
                ({}, {'hostname': 'a', **preserve}, True),
                (preserve, {'hostname': 'a'}, True)):
            with self.subTest(user=user, vendor=vendor):
                wishes, problems = of(user, vendor)
                self.assertEqual(
                    (expected, ()), (wishes.preserve_hostname, problems))


class TestPassword(WishesCase):

    def text(self, where, text):
        return wish.Password('user_data:' + where, text=model.Secret(text))

    def hash(self, where, text=HASH):
        return wish.Password('user_data:' + where, crypt=model.Secret(text))

    def test_password(self):
        rounds = HASH.replace('$6$', '$6$rounds=4096$')
        no_hash = ('no hash that ESXi is known to take, which is SHA-512 '
                   'crypt ($6$) of at most 9999999 rounds: not used')
        random = 'a random password, which nobody would learn: not used'
        self.check(
            'password',
            ({'password': 'G00d-one'}, self.text('password', 'G00d-one'), {}),
            ({'password': 'weak'}, self.text('password', 'weak'), {
                'password': "is shorter than 7 characters: ESXi's own rule "
                'would refuse it, but it is set as a hash and so works'}),
            ({'password': HASH}, self.hash('password'), {}),
            ({'password': rounds}, self.hash('password', rounds), {}),
            ({'password': rounds.replace('4096', '9' * 7)}, self.hash(
                'password', rounds.replace('4096', '9' * 7)), {}),
            ({'password': rounds.replace('4096', '1' + '0' * 7)}, None,
             {'password': no_hash}),
            ({'password': '$1$abc$def'}, None, {'password': no_hash}),
            ({'password': '$5$abc$def'}, None, {'password': no_hash}),
            ({'password': HASH + 'x'}, None, {'password': no_hash}),
            ({'password': 'R'}, None, {'password': random}),
            ({'password': 'RANDOM'}, None, {'password': random}),
            ({'password': ''}, None, {}),
            ({'password': '  '}, None,
             {'password': 'an empty password: not used'}),
            ({'password': ['x']}, None,
             {'password': 'a list where a string should be'}),
            ({'password': 'Aa1-' * 2000}, None,
             {'password': 'is longer than 4096 bytes: not used'}),
            ({'password': 'Aa1-\0aaa'}, None,
             {'password': 'holds a NUL or a lone surrogate: not used'}),
            ({'password': 'Aa1-\nbbb'}, self.text('password', 'Aa1-\nbbb'), {
                'password': 'holds a line break, which no login prompt '
                            'takes'}))

    def test_chpasswd_list(self):
        others = {'chpasswd.list': (
            "other accounts' passwords: ESXi sets them by a command line "
            'that others can read')}
        self.check(
            'password',
            ({'chpasswd': {'list': 'root:G00d:one\n'}},
             self.text('chpasswd.list', 'G00d:one'), {}),
            ({'chpasswd': {'list': ['root:G00d-one', 'root:G00d-two'],
                           'expire': False}},
             self.text('chpasswd.list[1]', 'G00d-two'), {}),
            ({'chpasswd': {'list': [f'root:{HASH}']}},
             self.hash('chpasswd.list[0]'), {}),
            ({'chpasswd': {'list': f'ops:{MARK}\nroot:G00d-one'}},
             self.text('chpasswd.list', 'G00d-one'), others),
            ({'chpasswd': {'list': f'ops:{MARK}'}, 'password': MARK}, None, {
                **others, 'password': 'chpasswd says whose passwords are '
                'set: not used'}),
            ({'chpasswd': {'list': [MARK]}}, None, {
                'chpasswd.list[0]': 'not of the form NAME:PASSWORD'}),
            ({'chpasswd': {'list': 'root:R'}}, None, {
                'chpasswd.list': 'a random password, which nobody would '
                'learn: not used'}),
            ({'chpasswd': {'list': 'root:'}}, None, {
                'chpasswd.list': 'an empty password: not used'}))

    def test_chpasswd_users(self):
        self.check(
            'password',
            ({'chpasswd': {'users': [
                {'name': 'root', 'password': 'G00d-one', 'type': 'text'}]}},
             self.text('chpasswd.users[0].password', 'G00d-one'), {}),
            ({'chpasswd': {'users': [{'name': 'root', 'password': HASH}],
                           'list': 'root:G00d-one'}},
             self.hash('chpasswd.users[0].password'), {}),
            ({'chpasswd': {'users': [{'name': 'root', 'password': MARK}]}},
             None, {'chpasswd.users[0].password': 'no hash; a password in '
                    'clear has the type text: not used'}),
            ({'chpasswd': {'users': [{'name': 'root', 'type': 'RANDOM'}]}},
             None, {'chpasswd.users[0]': 'a random password, which nobody '
                    'would learn: not used'}),
            ({'chpasswd': {'users': [{'name': 'root', 'type': 'text'}]}},
             None, {'chpasswd.users[0]': 'says no password'}),
            ({'chpasswd': {'users': [{'name': 'root', 'password': MARK,
                                      'type': MARK}]}},
             None, {'chpasswd.users[0].type': 'neither hash nor text: not '
                    'used'}),
            ({'chpasswd': {'users': [{'name': 'ops', 'password': MARK}]}},
             None, {'chpasswd.users[0]': "another account's password: ESXi "
                    'sets it by a command line that others can read'}),
            ({'chpasswd': {'users': [{'password': MARK}, MARK]}}, None, {
                'chpasswd.users[0]': 'names nobody',
                'chpasswd.users[1]': 'a string where an object should be'}),
            ({'chpasswd': {'expire': True, 'user': []}}, None, {
                'chpasswd': "means nothing on ESXi: 'user'",
                'chpasswd.expire': "ESXi lets no local account's password "
                'expire at once'}))


class TestKeys(WishesCase):

    def test_ssh_authorized_keys(self):
        self.check(
            'ssh_keys',
            ({'ssh_authorized_keys': [KEY, KEY2, KEY]}, (KEY, KEY2), {}),
            ({'ssh_authorized_keys': KEY}, (KEY,), {}),
            ({'ssh_authorized_keys': [MARK, KEY, 1.5, None]}, (KEY,), {
                'ssh_authorized_keys[0]': 'line 1 is no public SSH key',
                'ssh_authorized_keys[2]':
                    'a number where a string should be'}),
            ({'ssh_authorized_keys': {'a': KEY}}, (), {
                'ssh_authorized_keys': 'an object where a list should be'}),
            ({'users': [{'name': 'root', 'ssh_authorized_keys': [KEY2]}],
              'ssh_authorized_keys': [KEY]}, (KEY, KEY2), {}))

    def test_there_is_an_end_of_keys(self):
        wishes, problems = of({'ssh_authorized_keys': [
            f'{KEY.split()[0]} AAAAC3NzaC1lZDI1NTE5{n:08}' for n
            in range(1200)]})
        self.assertEqual(1000, len(wishes.ssh_keys))
        self.assertEqual([model.Problem(
            'user_data:ssh_authorized_keys',
            '1200 items, of which the first 1000 are taken')],
            list(problems))

    def test_sshd(self):
        self.check(
            'ssh_pwauth',
            ({'ssh_pwauth': True}, True, {}),
            ({'ssh_pwauth': 'no'}, False, {}),
            ({'ssh_pwauth': 'unchanged'}, None, {}),
            ({'ssh_pwauth': MARK}, None,
             {'ssh_pwauth': 'neither true nor false: not used'}))
        self.check(
            'disable_root',
            ({'disable_root': True}, True, {}),
            ({'disable_root': MARK}, False,
             {'disable_root': 'neither true nor false: not used'}))


class TestAccounts(WishesCase):

    NONE = 'none, and nobody knows the account\'s password'
    ADMIN = ('of use only to administrators, who alone may log in by SSH: '
             'say sudo')
    NAME = ("ESXi's own or no name that it takes: a lower-case letter, then "
            'up to 31 of a-z, 0-9, _, -')
    RULE = ('not ALL commands of ALL: ESXi has no such role for it, so it '
            'makes no administrator')

    def test_forms(self):
        def one(name, number=0):
            return wish.Account(name, f'user_data:users[{number}]')
        none = {'users[0].ssh_authorized_keys': self.NONE}
        self.check(
            'accounts',
            ({'users': ['default']}, (), {}),
            ({'users': 'default'}, (), {}),
            ({'users': []}, (), {}),
            ({'users': [{'name': 'default'}]}, (), {}),
            ({'users': [{'gecos': MARK}]}, (),
             {'users[0]': 'names nobody: left out'}),
            ({'users': ['ops']}, (one('ops'),), none),
            ({'users': {'ops': True, 'dev': False}}, (one('ops'),), none),
            ({'users': {'ops': {'gecos': ' A\nB '}}}, (wish.Account(
                'ops', 'user_data:users[0]', 'A B'),), none),
            ({'users': [['ops'], 1.5]}, (one('ops'),), {
                **none, 'users[1]': 'neither a name nor an object'}),
            ({'users': [{'name': ['ops']}]}, (), {
                'users[0].name': 'a list where a string should be'}))
        wishes, _ = of({'users': 'ops,dev'})
        self.assertEqual(['ops', 'dev'],
                         [one.name for one in wishes.accounts])

    def test_names(self):
        for name in ('dcui', 'vpxuser', 'nobody', 'Ops', '1ops', 'a' * 33,
                     'a b', 'ops\n', '-ops', f'{MARK}'):
            with self.subTest(name=name):
                wishes, problems = of({'users': [{'name': name}]})
                self.assertEqual((), wishes.accounts)
                self.assertEqual([model.Problem(
                    'user_data:users[0].name', self.NAME)], list(problems))

    def test_admin(self):
        key = {'users[0].ssh_authorized_keys': self.ADMIN}
        for value, admin, problems in (
                ({}, False, key),
                ({'sudo': 'ALL=(ALL) NOPASSWD:ALL'}, True, {}),
                ({'sudo': 'ALL=(ALL:ALL) ALL'}, True, {}),
                ({'sudo': ['ALL = (root) NOPASSWD: ALL']}, True, {}),
                ({'sudo': True}, True, {}),
                ({'sudo': False}, False, key),
                ({'sudo': 'False'}, False, key),
                ({'sudo': ''}, False, key),
                ({'sudo': []}, False, key),
                ({'sudo': 'ALL=(ALL) NOPASSWD:/bin/ls'}, False, {
                    **key, 'users[0].sudo': self.RULE}),
                ({'sudo': 'ALL=(www) ALL'}, False, {
                    **key, 'users[0].sudo': self.RULE}),
                ({'sudo': 'ALL=(ALL) ALL, !/bin/su'}, False, {
                    **key, 'users[0].sudo': self.RULE}),
                ({'sudo': {'a': 1}}, False, {
                    **key, 'users[0].sudo': self.RULE}),
                ({'groups': 'users, wheel'}, True, {}),
                ({'groups': ['Administrators']}, True, {}),
                ({'groups': {'sudo': None}}, True, {}),
                ({'groups': ['users', 1]}, False, key),
                ({'groups': 1}, False, key)):
            self.check('accounts', ({'users': [{
                'name': 'ops', 'ssh-authorized-keys': [KEY], **value}]},
                (wish.Account('ops', 'user_data:users[0]', '', (KEY,),
                              admin),), problems))

    def test_what_esxi_has_not(self):
        self.check(
            'accounts',
            ({'users': [{
                'name': 'ops', 'ssh_authorized_keys': [KEY], 'sudo': True,
                'passwd': MARK, 'hashed_passwd': MARK, 'lock_passwd': False,
                'plain_text_passwd': MARK, 'shell': MARK, 'uid': 1000}]},
             (wish.Account('ops', 'user_data:users[0]', '', (KEY,), True),), {
                 'users[0].passwd': ARGV, 'users[0].hashed_passwd': ARGV,
                 'users[0].plain_text_passwd': ARGV,
                 'users[0].lock_passwd':
                     'the password is one that nobody knows',
                 'users[0]': "means nothing on ESXi: 'shell', 'uid'"}),
            ({'users': [{'name': 'root', 'hashed_passwd': MARK}]}, (), {
                'users[0].hashed_passwd': "not used: chpasswd says root's"}))

    def test_a_name_said_twice(self):
        wishes, _ = of({'users': [
            {'name': 'ops', 'gecos': 'one'},
            {'name': 'ops', 'gecos': 'two', 'sudo': True}]})
        self.assertEqual((wish.Account(
            'ops', 'user_data:users[0]', 'one', (), True),), wishes.accounts)

    def test_there_is_an_end_of_accounts(self):
        wishes, problems = of({'users': [f'u{n}' for n in range(60)]})
        self.assertEqual(50, len(wishes.accounts))
        self.assertIn(model.Problem(
            'user_data:users[50].name', 'more than 50 accounts: left out'),
            problems)


class TestNtp(WishesCase):

    def test_ntp(self):
        default = tuple(f'{n}.pool.ntp.org' for n in range(4))
        told = {'ntp': 'no server is said: 0.pool.ntp.org to '
                       '3.pool.ntp.org are taken, as by cloud-init'}
        self.check(
            'ntp',
            ({'ntp': {'servers': ['192.0.2.1', '2001:db8::1'],
                      'pools': ['pool.example', '192.0.2.1']}},
             wish.Ntp(True, ('192.0.2.1', '2001:db8::1', 'pool.example')),
             {}),
            ({'ntp': {}}, wish.Ntp(True, default), told),
            ({'ntp': {'enabled': True, 'servers': []}},
             wish.Ntp(True, default), told),
            ({'ntp': {'enabled': 'no', 'servers': ['a']}}, wish.Ntp(False),
             {}),
            ({'ntp': {'servers': ['a b', '-x', 'fe80::1%vmk0']}}, None, {
                f'ntp.servers[{n}]': 'neither a host name nor an address: '
                'not used' for n in range(3)}),
            ({'ntp': {'servers': ['a'], 'ntp_client': 'auto'}},
             wish.Ntp(True, ('a',)), {}),
            ({'ntp': {'servers': ['a'], 'ntp_client': 'chrony',
                      'config': {}}}, wish.Ntp(True, ('a',)), {
                 'ntp.ntp_client': 'ESXi has one of its own',
                 'ntp': "means nothing on ESXi: 'config'"}),
            ({'ntp': {'servers': [f's{n}' for n in range(11)]}},
             wish.Ntp(True, tuple(f's{n}' for n in range(10))), {
                 'ntp': '11 servers, of which the first 10 are taken'}),
            ({'ntp': []}, None, {
                'ntp': 'a list where an object should be'}))


class TestFiles(WishesCase):

    PATH = '/vmfs/volumes/datastore1/f'

    def check_file(self, value, expected, problems):
        wished = () if expected is None else (wish.WriteFile(
            self.PATH, 'user_data:write_files[0]', **expected),)
        self.check('files', ({'write_files': [
            {'path': self.PATH, **value}]}, wished, {
                'write_files[0]' + key: message
                for key, message in problems.items()}))

    def test_content(self):
        packed = gzip.compress(b'hi\xff\n')
        text = base64.b64encode(packed).decode()
        raw = packed.decode('utf-8', 'surrogateescape')
        hi = {'content': 'hi\udcff\n'}
        for value, expected, problems in (
                ({}, {'content': ''}, {}),
                ({'content': 'hi\n'}, {'content': 'hi\n'}, {}),
                ({'content': 42}, {'content': '42'}, {}),
                ({'content': 'aGk=', 'encoding': 'text/plain'},
                 {'content': 'aGk='}, {}),
                ({'content': 'aG\nk=', 'encoding': 'B64 '},
                 {'content': 'hi'}, {}),
                ({'content': 'aGk=', 'encoding': 'base64'},
                 {'content': 'hi'}, {}),
                ({'content': raw, 'encoding': 'gz'}, hi, {}),
                ({'content': raw, 'encoding': 'gzip'}, hi, {}),
                ({'content': text, 'encoding': 'gz+b64'}, hi, {}),
                ({'content': text, 'encoding': 'gz+base64'}, hi, {}),
                ({'content': text, 'encoding': 'gzip+b64'}, hi, {}),
                ({'content': text, 'encoding': 'gzip+base64'}, hi, {}),
                ({'content': MARK, 'encoding': 'b64'}, None,
                 {'.content': 'no base64: left out'}),
                ({'content': 'aGk=!', 'encoding': 'b64'}, None,
                 {'.content': 'no base64: left out'}),
                ({'content': MARK, 'encoding': 'gz'}, None,
                 {'.content': 'no gzip: left out'}),
                ({'content': raw[:-3], 'encoding': 'gz'}, None,
                 {'.content': 'gzip that ends too early: left out'}),
                ({'content': raw + 'x', 'encoding': 'gz'}, None,
                 {'.content': 'gzip with something behind it: left out'}),
                ({'content': MARK, 'encoding': MARK}, None,
                 {'.encoding': 'not known: left out'}),
                ({'content': [MARK]}, None,
                 {'.content': 'no string: left out'}),
                ({'content': '\ud800'}, None,
                 {'.content': 'holds a lone surrogate: left out'}),
                ({'content': 'a', 'source': {'uri': MARK}}, {'content': 'a'},
                 {'.source': 'nothing is fetched: the content is taken'}),
                ({'source': {'uri': MARK}}, None,
                 {'.source': 'nothing is fetched: left out'})):
            self.check_file(value, expected, problems)

    def test_other_keys(self):
        unclear = {'.permissions': 'no octal string up to 1777: 0600 is '
                                   'taken'}
        for value, expected, problems in (
                ({}, {'mode': None}, {}),
                ({'permissions': None}, {'mode': None}, {}),
                ({'permissions': '0755'}, {'mode': 0o755}, {}),
                ({'permissions': '0o600'}, {'mode': 0o600}, {}),
                ({'permissions': '1644'}, {'mode': 0o1644}, {}),
                ({'permissions': 420}, {'mode': 0o644}, {}),
                ({'permissions': 644}, {'mode': 0o600}, unclear),
                ({'permissions': '4755'}, {'mode': 0o600}, unclear),
                ({'permissions': -1}, {'mode': 0o600}, unclear),
                ({'permissions': '-1'}, {'mode': 0o600}, unclear),
                ({'permissions': MARK}, {'mode': 0o600}, unclear),
                ({'permissions': True}, {'mode': 0o600}, unclear),
                ({'append': True, 'defer': True}, {'append': True}, {}),
                ({'owner': 'root:root'}, {}, {}),
                ({'owner': 'root'}, {}, {}),
                ({'owner': f'{MARK}:root'}, {},
                 {'.owner': 'all files belong to root'}),
                ({'contents': MARK}, {},
                 {'': "means nothing on ESXi: 'contents'"})):
            self.check_file(value, {'content': '', **expected}, problems)

    def test_paths(self):
        for path, expected, message in (
                ('/vmfs/volumes/ds 1/a/b', '/vmfs/volumes/ds 1/a/b', None),
                ('//vmfs//volumes/ds//f', '/vmfs/volumes/ds/f', None),
                ('/etc/rc.local.d/local.sh', '/etc/rc.local.d/local.sh',
                 None),
                ('/etc/motd', '/etc/motd', ETC),
                ('/bootbank/mine/f', '/bootbank/mine/f', None),
                ('/bootbank/boot.cfg', None, AMONG),
                ('/bootbank', None, AMONG),
                ('/bootbank/esxiimg/f', None, OWN),
                ('/bootbank/EsxiImg/f', None, OWN),
                ('/bootbank/ESXIIM~1/f', None, OWN),
                ('/altbootbank/mine/f', None, LOST),
                ('/vmfs/volumes/BOOTBANK1/boot.cfg', None, SYSTEM),
                ('/vmfs/volumes/bootbank2/x/y', None, SYSTEM),
                ('/vmfs/volumes/OSDATA-1/x', None, SYSTEM),
                ('/vmfs/volumes/f', None, 'no file of a volume: left out'),
                ('/vmfs/volumes', None, 'no file of a volume: left out'),
                ('/vmfs/devices/disks/naa.1', None, LOST),
                ('/dev/disks/naa.1', None, LOST),
                ('/tmp/f', None, LOST), ('/f', None, LOST),
                ('/ETC/motd', None, LOST), ('/etcetera/f', None, LOST),
                ('/etc/passwd', None, BARRED), ('/etc/shadow', None, BARRED),
                ('/etc/shadow-', None, BARRED),
                ('/etc/ssh/keys-root/authorized_keys', None, BARRED),
                ('/etc//ssh/sshd_config', None, BARRED),
                ('/etc/pam.d/passwd', None, BARRED),
                ('/etc/vmware/esx.conf', None, BARRED),
                ('/etc/vmware/configstore/x', None, BARRED),
                ('/etc/resolv.conf', None, BARRED),
                ('/etc/vmware/hostd/config.xml', None, BARRED),
                ('/etc/vmware/rhttpproxy/endpoints.conf', None, BARRED),
                ('/etc/vmware/vpxa/vpxa.cfg', None, BARRED),
                ('/etc/init.d/mine', None, BARRED),
                ('/etc/rc.local', None, BARRED),
                ('/etc/rc.local.d/mine.sh', '/etc/rc.local.d/mine.sh', ETC),
                ('/etc/hosts', '/etc/hosts', HOSTS),
                ('/etc/.#motd', None, OWN),
                ('/etc/../tmp/f', None, 'a path with . or .. in it: left '
                                        'out'),
                ('/etc/./f', None, 'a path with . or .. in it: left out'),
                ('/etc/f/', None, 'the path of a folder: left out'),
                ('/', None, 'the path of a folder: left out'),
                ('etc/motd', None, 'no absolute path: left out'),
                ('/etc/a\nb', None, 'a path with control characters: left '
                                    'out'),
                ('/etc/' + 'a' * 256, None, 'too long a path: left out'),
                ('/etc' + '/a' * 600, None, 'too long a path: left out')):
            with self.subTest(path=path):
                wishes, problems = of({'write_files': [
                    {'path': path, 'content': MARK}]})
                self.assertEqual([expected] if expected else [],
                                 [one.path for one in wishes.files])
                self.assertEqual(
                    [('user_data:write_files[0].path', message)]
                    if message else [],
                    [(one.where, one.message) for one in problems])

    def test_odd_entries(self):
        self.check(
            'files',
            ({'write_files': [{'content': MARK}, MARK, None]}, (), {
                'write_files[0].path': 'not said: left out',
                'write_files[1]': 'a string where an object should be'}),
            ({'write_files': {'path': MARK}}, (), {
                'write_files': 'an object where a list should be'}))

    def test_limits(self):
        bomb = base64.b64encode(gzip.compress(bytes(5 << 20))).decode()
        self.check_file({'content': bomb, 'encoding': 'gz+b64'}, None,
                        {'.content': 'more than 4 MiB: left out'})
        part = base64.b64encode(gzip.compress(bytes(4 << 20))).decode()
        wishes, problems = of({'write_files': [
            {'path': self.PATH, 'content': part, 'encoding': 'gz+b64'}] * 5})
        self.assertEqual(4, len(wishes.files))
        self.assertEqual([model.Problem(
            'user_data:write_files',
            'more than 16 MiB together: the rest is left out')],
            list(problems))

    def test_no_more_is_unpacked_than_may_be(self):
        bomb = base64.b64encode(gzip.compress(bytes(64 << 20))).decode()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.check_file({'content': bomb, 'encoding': 'gz+b64'}, None,
                        {'.content': 'more than 4 MiB: left out'})
        self.assertLess(tracemalloc.get_traced_memory()[1], 32 << 20)

    def test_a_python_without_zlib(self):
        real = builtins.__import__

        def fake(name, *args, **kwargs):
            if name == 'zlib':
                raise ImportError
            return real(name, *args, **kwargs)
        with mock.patch.object(builtins, '__import__', fake):
            self.check_file(
                {'content': 'x', 'encoding': 'gz'}, None,
                {'.content': 'gzip, and this Python has no zlib: left out'})

    def test_content_is_not_shown(self):
        wishes, _ = of({'write_files': [
            {'path': self.PATH, 'content': MARK}], 'runcmd': [MARK]})
        self.assertNotIn(MARK, repr(wishes))


class TestScripts(WishesCase):

    def test_commands(self):
        for item, line in (
                ('echo a > b', 'echo a > b'),
                (['echo', 'a b', "it's"], r"'echo' 'a b' 'it'\''s'"),
                (['sleep', 5, True, 1.5], "'sleep' '5' 'True' '1.5'"),
                ([], ''), ('', '')):
            self.check('scripts', (
                {'runcmd': [None, item]}, (wish.Script(
                    'runcmd', 'user_data:runcmd', ('sh',),
                    f'#!/bin/sh\n{line}\n'),), {}))

    def test_one_wrong_command_and_none_runs(self):
        for item in ({'echo a': MARK}, 5, True, ['a', None], ['a', ['b']],
                     ['a', {}], 'a\0b', '\ud800', ['a', '\0']):
            self.check('scripts', ({'runcmd': ['reboot', item]}, (), {
                'runcmd': 'not every item is a string, or a list of words: '
                          'nothing is run'}))
        self.check('scripts', ({'runcmd': MARK}, (), {
            'runcmd': 'no list: nothing is run'}))
        self.check('scripts', ({'runcmd': []}, (), {}),
                   ({'runcmd': [None]}, (), {}))

    def test_order(self):
        def parts(*texts):
            return tuple(userdata.Part(userdata.SCRIPT, f'part[{n}]', text)
                         for n, text in enumerate(texts))
        wishes, problems = of(
            {'runcmd': ['r'], 'bootcmd': ['b']},
            vendor_scripts=parts(b'#!/bin/sh\nv'),
            user_scripts=parts(b'#!/bin/sh\n1', b'#!x y', b'#!/bin/sh\n2'))
        self.assertEqual(
            ['bootcmd', 'runcmd', 'vendor-1', 'user-1', 'user-2', 'user-3'],
            [one.name for one in wishes.scripts])
        self.assertEqual([
            ('user_data:bootcmd', 'runs once, and not before there is a '
                                  'network'),
            ('part[1]', UNKNOWN_PROGRAM)],
            [(one.where, one.message) for one in problems])

    def test_interpreter(self):
        for line, expected, message in (
                (b'#!/bin/sh', ('sh',), None),
                (b'#! /bin/sh -e', ('sh', '-e'), None),
                (b'#!/bin/sh\t-e -x ', ('sh', '-e -x'), None),
                (b'#!/usr/bin/python', ('python',), None),
                (b'#!/usr/bin/env python3', ('python',), None),
                (b'#!/usr/bin/env -S python3.8 -u', ('python', '-u'), None),
                (b'#!/usr/bin/awk -f', ('awk', '-f'), None),
                (b'#!/bin/bash', ('/bin/bash',), UNKNOWN_PROGRAM),
                (b'#!/usr/bin/env bash', ('bash',), UNKNOWN_PROGRAM),
                (b'#!/usr/bin/python2', ('/usr/bin/python2',),
                 UNKNOWN_PROGRAM),
                (b'#!/opt/x/bin/sh', ('/opt/x/bin/sh',), UNKNOWN_PROGRAM),
                (b'#!', None, NO_PROGRAM), (b'#!  ', None, NO_PROGRAM),
                (b'#!/usr/bin/env', None, NO_PROGRAM),
                (b'#!/usr/bin/env A=1 sh', None, NO_PROGRAM),
                (b'#!/usr/bin/env -i sh', None, NO_PROGRAM),
                (b'#!-c reboot', None, NO_PROGRAM),
                (b'#!/bin/\xff', None, NO_PROGRAM),
                (b'#!/bin/sh \x00', None, NO_PROGRAM),
                (b'#!/bin/sh ' + b'x' * 300, None, NO_PROGRAM),
                (b'#!/bin/sh\r', None, NO_PROGRAM),
                (b'echo', None, NO_PROGRAM), (b'', None, NO_PROGRAM)):
            with self.subTest(line=line):
                wishes, problems = of(user_scripts=(userdata.Part(
                    userdata.SCRIPT, 'user_data', line + b'\n\xff'),))
                self.assertEqual(
                    [] if expected is None else [wish.Script(
                        'user-1', 'user_data', expected,
                        (line + b'\n\xff').decode(errors='surrogateescape'))],
                    list(wishes.scripts))
                self.assertEqual(
                    [model.Problem('user_data', message)] if message else [],
                    list(problems))


class TestEnd(WishesCase):

    ALL = ('pub_key_rsa', 'pub_key_ecdsa', 'pub_key_ed25519', 'instance_id',
           'hostname', 'fqdn', 'status')

    def test_phone_home(self):
        url = 'https://example.com:8443/$INSTANCE_ID/?a=b'
        secret = model.Secret(url)
        bad = {'phone_home.tries': 'not between 1 and 100: the nearer is '
                                   'taken'}
        for value, expected, problems in (
                ({}, wish.PhoneHome(secret, self.ALL), {}),
                ({'post': 'all'}, wish.PhoneHome(secret, self.ALL), {}),
                ({'post': ['fqdn', 'status', 'hostname']},
                 wish.PhoneHome(secret, ('fqdn', 'hostname', 'status')), {}),
                ({'post': ['pub_key_dsa', 'fqdn']},
                 wish.PhoneHome(secret, ('fqdn', 'status')),
                 {'phone_home.post[0]': 'nothing that can be sent'}),
                ({'post': 5}, wish.PhoneHome(secret, ('status',)),
                 {'phone_home.post': 'a number where a list should be'}),
                ({'tries': 3}, wish.PhoneHome(secret, self.ALL, 3), {}),
                ({'tries': '3'}, wish.PhoneHome(secret, self.ALL, 3), {}),
                ({'tries': 0}, wish.PhoneHome(secret, self.ALL, 1), bad),
                ({'tries': 999}, wish.PhoneHome(secret, self.ALL, 100), bad),
                ({'tries': MARK}, wish.PhoneHome(secret, self.ALL), {
                    'phone_home.tries': 'no number: 10 is taken'}),
                ({'ulr': 1}, wish.PhoneHome(secret, self.ALL), {
                    'phone_home': "means nothing on ESXi: 'ulr'"})):
            self.check('phone_home', (
                {'phone_home': {'url': url, **value}}, expected, problems))

    def test_urls(self):
        for url, good in (
                ('http://192.0.2.1', True), ('HTTPS://[2001:db8::1]:8/', True),
                ('https://a?b', True), ('ftp://a/', False),
                ('file:///etc/shadow', False), ('https://', False),
                (f'https://u:{MARK}@a/', False), ('https://a b/', False),
                ('https://a/\n', False), ('https://a/\u00e9', False),
                (None, False), (5, False), ('https://a/' + 'x' * 2048, False),
                ('https://a/#f', True), ('https://a#f', False)):
            with self.subTest(url=url):
                wishes, problems = of({'phone_home': {'url': url}})
                self.assertEqual(
                    (good, not good),
                    (wishes.phone_home is not None, bool(problems)))
                self.assertNotIn(MARK, repr(problems))

    def test_final_message(self):
        stands = {'final_message': 'taken as it stands: there are no '
                                   'variables'}
        self.check(
            'final_message',
            ({'final_message': ' done\nnow\n'}, 'done\nnow', {}),
            ({'final_message': ' '}, None, {}),
            ({'final_message': 'up {{uptime}}'}, 'up {{uptime}}', stands),
            ({'final_message': '$version'}, '$version', stands),
            ({'final_message': 'costs $5'}, 'costs $5', {}),
            ({'final_message': 'x' * 5000}, 'x' * 4096, {
                'final_message': '5000 characters, of which the first 4096 '
                                 'are taken'}),
            ({'final_message': [MARK]}, None, {
                'final_message': 'a list where a string should be'}))

    def test_power_state(self):
        def state(mode='reboot', delay=0, message=''):
            return wish.PowerState(mode, delay, message)
        mode = {'power_state.mode': 'neither reboot nor poweroff: the host '
                                    'runs on'}
        delay = {'power_state.delay': 'neither now nor minutes up to 10080: '
                                      'the host runs on'}
        condition = {'power_state.condition': 'neither true nor false, and '
                     'no command is run for it: the host runs on'}
        for value, expected, problems in (
                ({}, state(), {}),
                ({'mode': 'poweroff'}, state('poweroff'), {}),
                ({'mode': 'halt'}, state('poweroff'), {
                    'power_state.mode': 'ESXi does not halt: it is powered '
                                        'off'}),
                ({'mode': None}, None, mode), ({'mode': MARK}, None, mode),
                ({'mode': True}, None, mode),
                ({'delay': 'now'}, state(), {}),
                ({'delay': 2}, state(delay=120), {}),
                ({'delay': '+2'}, state(delay=120), {}),
                ({'delay': '2'}, state(delay=120), {}),
                ({'delay': -1}, None, delay), ({'delay': MARK}, None, delay),
                ({'delay': True}, None, delay), ({'delay': 1e4}, None, delay),
                ({'delay': 99999}, None, delay),
                ({'message': ' a\nb ', 'timeout': MARK},
                 state(message='a b'), {}),
                ({'condition': True}, state(), {}),
                ({'condition': False}, None, {}),
                ({'condition': 'test -e /x'}, None, condition),
                ({'condition': ['test']}, None, condition),
                ({'conditon': True}, state(), {
                    'power_state': "means nothing on ESXi: 'conditon'"})):
            self.check('power_state', (
                {'power_state': {'mode': 'reboot', **value}}, expected,
                problems))


class TestEsxi(WishesCase):

    def test_every_key(self):
        self.check('esxi', ({'vmware_esxi': {
            'syslog': ['tcp://192.0.2.1:514', 'udp://[2001:db8::1]',
                       'tcp://192.0.2.1:514'],
            'license': '00000-AAAAA-00000-BBBBB-00000',
            'advanced_settings': {'/A/B': 1, '/A/C': 'x y', '/A/D': 2.0},
            'kernel_settings': {'a': True, 'b': 8, 'c': 'x', 'd': 2.0},
            'firewall': {'ntpClient': True, 'nfsClient': False},
            'vswitch': {
                'vSwitch0': {'allow_promiscuous': True,
                             'allow_mac_change': False,
                             'allow_forged_transmits': True,
                             'load_balancing': 'mac',
                             'failure_detection': 'beacon',
                             'notify_switches': False, 'failback': True},
                'vSwitch1': {}},
            'datastore': 'local', 'ssh': False, 'shell': True,
            'maintenance_mode': True, 'script_timeout': 60.0}},
            wish.Esxi(
                ('tcp://192.0.2.1:514', 'udp://[2001:db8::1]'),
                model.Secret('00000-AAAAA-00000-BBBBB-00000'),
                (('/A/B', 1), ('/A/C', 'x y'), ('/A/D', 2)),
                (('a', 'TRUE'), ('b', '8'), ('c', 'x'), ('d', '2')),
                (('ntpClient', True), ('nfsClient', False)),
                (wish.Switch('vSwitch0', True, False, True, 'mac', 'beacon',
                             False, True),),
                'local', False, True, True, 60), {}))

    def test_the_table_knows_every_key(self):
        properties = esxischema.load()['properties']
        self.assertEqual(11, len(properties))
        wishes, problems = of({'vmware_esxi': dict.fromkeys(properties)})
        self.assertEqual(wish.Wishes(), wishes)
        self.assertEqual({f'user_data:vmware_esxi.{key}'
                          for key in properties},
                         {one.where for one in problems})

    def test_what_is_right_of_it(self):
        form = 'not of the form that it should have: left out'
        unknown = 'no such key is known: left out'
        esxi = wish.Esxi
        for value, expected, problems in (
                ({}, esxi(), {}),
                (MARK, esxi(),
                 {'': 'a string where an object should be: left out'}),
                ({'ssh': True, 'sssh': MARK}, esxi(ssh=True),
                 {'.sssh': unknown}),
                ({f'{MARK} x': MARK}, esxi(),
                 {f".['{MARK} x']"[1:]: unknown}),
                ({'syslog': ['tcp://a', MARK]}, esxi(('tcp://a',)),
                 {'.syslog[1]': form}),
                ({'syslog': ['tcp://a\n']}, esxi(), {'.syslog[0]': form}),
                ({'license': MARK, 'shell': True}, esxi(shell=True),
                 {'.license': form}),
                ({'datastore': 'BootBank1'}, esxi(), {'.datastore': form}),
                ({'vswitch': {'vSwitch0': {'load_balancing': MARK,
                                           'failback': False}}},
                 esxi(switches=(wish.Switch('vSwitch0', failback=False),)),
                 {'.vswitch.vSwitch0.load_balancing':
                  'not one of portid, iphash, mac, explicit: left out'}),
                ({'script_timeout': 0}, esxi(),
                 {'.script_timeout': 'less than 1: left out'}),
                ({'script_timeout': 86401}, esxi(),
                 {'.script_timeout': 'more than 86400: left out'}),
                ({'kernel_settings': {'a': 'x\n'}}, esxi(),
                 {'.kernel_settings.a': form}),
                ({'advanced_settings': {'/A/B': True, '/A/C': 1}},
                 esxi(advanced=(('/A/C', 1),)),
                 {'.advanced_settings./A/B': 'a boolean where an integer or '
                  'a string should be: left out'})):
            self.check('esxi', ({'vmware_esxi': value}, expected, {
                'vmware_esxi' + key: message
                for key, message in problems.items()}))

    def test_a_lost_schema(self):
        with mock.patch.object(esxischema, 'load', autospec=True,
                               return_value=None):
            self.check('esxi', ({'vmware_esxi': {'ssh': True}}, wish.Esxi(), {
                'vmware_esxi': 'not used: vmware_esxi.schema.json cannot be '
                               'read'}))


# Any JSON value, with what must not be shown in every string.
TEXT = strategies.text(max_size=5).map(lambda text: MARK + text) \
    | strategies.sampled_from((
        f'root:{MARK}', f'https://{MARK}@a/', f'/etc/{MARK}', f'$6${MARK}$x',
        f'#!{MARK}', f'{MARK}\0', f'{MARK}\ud800', '', 'true'))
SCALAR = (strategies.none() | strategies.booleans() | strategies.integers()
          | strategies.floats(allow_nan=False, allow_infinity=False) | TEXT)
ANY = strategies.recursive(
    SCALAR, lambda inner: strategies.lists(inner, max_size=3)
    | strategies.dictionaries(strategies.sampled_from((
        'name', 'url', 'list', 'users', 'password', 'path', 'content',
        'encoding', 'permissions', 'servers', 'enabled', 'mode', 'delay',
        'post', 'ssh_authorized_keys', 'sudo', 'groups', 'syslog', 'vswitch',
        'type', 'append', 'tries', 'firewall', f'{MARK} {MARK}')), inner,
        max_size=4), max_leaves=10)
CONFIG = strategies.dictionaries(
    strategies.sampled_from((*sorted(wishing.KNOWN), 'foo', f'{MARK} =')),
    ANY, max_size=5)
PARTS = strategies.lists(strategies.builds(
    userdata.Part, strategies.just(userdata.SCRIPT),
    strategies.just('user_data'),
    strategies.binary(max_size=9).map(lambda data: b'#!' + data)),
    max_size=2).map(tuple)
GATHERED = strategies.builds(
    cloudconfig.Gathered, CONFIG, CONFIG, PARTS, PARTS)


class TestAnything(base.TestCase):

    @hypothesis.given(GATHERED)
    def test_nothing_raises_and_nothing_is_told(self, gathered):
        before = repr((gathered.user, gathered.vendor))
        wishes, problems = wishing.wishes(gathered)
        self.assertEqual(before, repr((gathered.user, gathered.vendor)))
        for one in problems:
            # But for a key below vmware_esxi, which is cut and quoted.
            if 'vmware_esxi' not in one.where:
                self.assertNotIn(MARK, one.where)
            self.assertNotIn(MARK, one.message)
            self.assertTrue(one.message.isascii() and one.message.isprintable()
                            and one.where.isprintable(), one)
        names = [one.name for one in wishes.scripts]
        self.assertEqual(len(names), len(set(names)))
        for one in wishes.files:
            one.content.encode('utf-8', 'surrogateescape')

    @hypothesis.given(GATHERED)
    def test_what_is_carried_to_the_host(self, gathered):
        here, _ = wishing.wishes(gathered)
        there, _ = wishing.wishes(carried.from_json(json.loads(json.dumps(
            carried.to_json(gathered)))))
        self.assertIsNone(there.password or there.vendor_password
                          or there.esxi.license)
        self.assertEqual(*(
            {**vars(one), 'password': 0, 'vendor_password': 0,
             'esxi': {**vars(one.esxi), 'license': 0}}
            for one in (here, there)))
