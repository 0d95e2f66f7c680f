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

"""What a field report must not hold."""

import base64
import json
import random
import string

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import carried
from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import reportsecrets
from esxi_img.firstboot import userdata
from tests import base
from tests.unit.kickstart import test_redact
from tests.world import search

R = reportsecrets.REMOVED
HASH = '$6$saltsalt$' + 'Ab./019z' * 10 + 'Xy./01'
KEY = 'ssh-ed25519 ' + base64.b64encode(
    b'\0\0\0\x0bssh-ed25519\0\0\0 ' + bytes(range(32))).decode()
SHOWN_KEY = 'ssh-ed25519 SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA'
PEM = ('-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBHunterAAKCAQEA\nter22+/=\n'
       '-----END RSA PRIVATE KEY-----\n')
RANDOM = base64.b64encode(random.Random(7).randbytes(64)).decode()

CASES = (
    ('rootpw Hunter22', f'rootpw {R}'),
    ('  rootpw --iscrypted $6$a$b\nreboot',
     f'  rootpw --iscrypted {R}\nreboot'),
    ('rootpw \\\nHunter22\nreboot', f'rootpw {R}\nreboot'),
    ('%include /tmp/rootpw\nrootpw.cfg of', '%include /tmp/rootpw\n'
                                            'rootpw.cfg of'),
    ('serialnum --esx=Hunter22', f'serialnum --esx={R}'),
    (f'root:{HASH}:13358:0:99999:7:::', f'root:{R}:13358:0:99999:7:::'),
    (f'ops:{HASH}:1', f'ops:{R}:1'),
    ('a $1$salt$Hunter22 b', f'a {R} b'),
    ('a \\$5\\$salt\\$Hunter22/a b', f'a {R} b'),
    ('$2b$12$Hunter22.Hunter22/x', R),
    ('$y$j9T$Hunter22$Hunter22', R),
    ('key 0A1B2-C3D4E-F5G6H-7I8J9-Hunte is', f'key {R} is'),
    (f'x\n{PEM}y', 'x\n-----BEGIN RSA PRIVATE KEY-----'
                   f'{R}-----END RSA PRIVATE KEY-----\ny'),
    (PEM[:60], f'-----BEGIN RSA PRIVATE KEY-----{R}'),
    ('a: log\n' + PEM[40:], f'a:{R}-----END RSA PRIVATE KEY-----\n'),
    ('esxcli x --password=Hunter22 --id=root',
     f'esxcli x --password={R} --id=root'),
    ('esxcli x --password-confirmation \\\n  "Hunter 22" -x',
     f'esxcli x --password-confirmation \\\n  {R} -x'),
    ('["--password", "Hunter22"]', f'["--password", {R}'),
    ('esxcli iscsi --chap-secret Hunter22 x', f'esxcli iscsi --chap-secret '
                                              f'{R} x'),
    ('snmp set --communities Hunter22 -e 1', f'snmp set --communities {R} '
                                             '-e 1'),
    ('Communities: Hunter22, ter22', f'Communities: {R}'),
    ('PASSWORD="Hun\\"ter 22"; a', f'PASSWORD={R} a'),
    ("ADMIN_PASSWD='Hunter 22'\na", f'ADMIN_PASSWD={R}\na'),
    ('{"api_token": "Hunter22", "a": 1}', f'{{"api_token": "{R}", "a": 1}}'),
    ('"{\\"password\\": \\"Hunter22\\"}"', f'"{{\\"password\\": {R}'),
    ('password: Hunter 22 and more', f'password: {R}'),
    ('Serial Number: Hunter22', f'Serial Number: {R}'),
    ('SerialNumber=Hunter22 a', f'SerialNumber={R} a'),
    ('Asset Tag: Hunter22', f'Asset Tag: {R}'),
    ('random_seed: Hunter22', f'random_seed: {R}'),
    ('https://me:Hunter22@example.org/a', f'https://{R}@example.org/a'),
    ('https://me:Hun@ter22@example.org', f'https://{R}@example.org'),
    ('http://Hunter22@[2001:db8::1]:80/', f'http://{R}@[2001:db8::1]:80/'),
    ('https://a/b?token=Hunter22&c', f'https://a/b?token={R}'),
    ('-H "Authorization: Bearer Hunter22"', f'-H "Authorization: {R}'),
    ('auth Bearer Hunter22', f'auth Bearer {R}'),
    ("echo 'root:Hun/ter22' | chpasswd", R),
    ('openssl passwd -6 Hunter22 | cut', f'openssl passwd {R}| cut'),
    ('sshpass -p Hunter22 ssh x', f'sshpass -p {R}'),
    ('system account set -i root -p Hunter22 -c Hunter22',
     f'system account set -i root -p {R}'),
    ("h = crypt.crypt('Hunter22', salt)", f'h = crypt.crypt({R}'),
    ('vim-cmd vimsvc/license --set Hunter22', f'vim-cmd vimsvc/license --set '
                                              f'{R}'),
    ('eyJhbGciOiJI.eyJzdWIiOiIx.Hunter22_x', R),
    ('gAAAAABl' + 'Hunter22_-' * 9, R),
    ('AKIAHUNTERABCDEFGHIJ', R),
    (f'seed {RANDOM}', f'seed {R}'),
    (f'{KEY} ops@Hunter22', SHOWN_KEY),
    (f'["{KEY} Hunter22"]', f'["{SHOWN_KEY}"]'),
    (f'ssh-rsa {"A" * 41} Hunter22', f'ssh-rsa {R}'),
    ('t10.ATA_____Hunt_SSD____Hunter22____ ok', 't10.ATA_____Hunt_SSD____'
                                                'serial-1____ ok'),
    ('vml.0100000000533252:1', 'vml.serial-1:1'),
    # Quoted, escaped, in other notations
    ('"accepteula\\nrootpw Hunter22\\nreboot"', f'"accepteula\\nrootpw {R}'),
    ("('password', 'Hunter22')", f"('password', {R})"),
    ("'password' => 'Hunter22'", f"'password' => {R}"),
    ('password%3DHunter22 a', f'password%3D{R} a'),
    ('password\\u003dHunter22', f'password\\u003d{R}'),
    ('token=$(echo Hunter22)', f'token={R}'),
    ('user.password[0]=Hunter22', f'user.password[0]={R}'),
    ('<v:communities>Hunter22</v:communities>',
     f'<v:communities>{R}</v:communities>'),
    ('private_key: |\n  Hun\n  ter22\nx: 1', f'private_key: {R}\nx: 1'),
    ('passwd:\n- Hunter22\nx', f'passwd:{R}\nx'),
    ('https:\\/\\/me:Hunter22@a\\/', f'https:\\/\\/{R}@a\\/'),
    ('u=https%3A%2F%2Fme%3AHunter22%40a', f'u=https%3A%2F%2F{R}%40a'),
    ('https://me:Hun/ter22@a/b', f'https://{R}@a/b'),
    ('via me:Hunter22@proxy:3128', f'via me:{R}@proxy:3128'),
    ('https://a/b?temp_url_sig=Hunter22&c', f'https://a/b?temp_url_sig={R}&c'),
    # In sentences
    ('bad password "Hunter" of x', f'bad password {R} of x'),
    ('password of root is Hunter22 now', f'password of root is {R} now'),
    ('secret `Hunter` is', f'secret {R}` is'),
    # Of programs
    ("['account', '-i', 'x', '-p', 'Hunter22']",
     f"['account', '-i', 'x', '-p', {R}"),
    ('system snmp set -c Hunter22', f'system snmp set -c {R}'),
    ('system snmp set --users me/Hunter22/-/auth', 'system snmp set --users '
     f'{R}'),
    ('system snmp hash --auth-hash Hunter22 -r', 'system snmp hash '
     f'--auth-hash {R} -r'),
    ('Targets: 192.0.2.1@161/Hunter22, b@162/ter22',
     f'Targets: 192.0.2.1@161/{R}, b@162/{R}'),
    ('iscsi chap set -S Hunter22', f'iscsi chap set -S {R}'),
    ('serialnum --esx Hunter22', f'serialnum --esx {R}'),
    ('sshpass -pHunter22 ssh', f'sshpass -p{R}'),
    ("curl -u 'me:Hunter22' a", f"curl -u 'me:{R}"),
    ('domainjoin-cli join a.example me Hunter22',
     f'domainjoin-cli join {R}'),
    ('bindpw=Hunter22 psk=Hunter22', f'bindpw={R} psk={R}'),
    ('vmware_soap_session="Hunter22"', f'vmware_soap_session={R}'),
    ('cloneTicket: Hunter22', f'cloneTicket: {R}'),
    ('recovery key Hunter22', f'recovery key {R}'),
    ('{SSHA512}Hunter22== a', f'{R} a'),
    ('grub.pbkdf2.sha512.10000.Hunter22.ter22 a', f'{R} a'),
    ('glpat-Hunter22-0123456789 hvs.Hunter22-0123456789', f'{R} {R}'),
)
KEPT = (
    'root password: admin_pass', 'root password: none', 'password: null',
    'esxcli network vswitch standard list # ESX: all',
    'a ruleset of ESXi passes: the firewall', 'bypass is 1',
    '8.0.3-0.0.24022510', '39073b0a-1234-4234-8234-5e76a4bd64b2',
    'a' * 128, 'f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26f'
    'd2', '/vmfs/volumes/5f0f1234-abcd1234-1234-525400000010/state.tgz',
    'naa.600508b1001c4d6a', '52:54:00:00:00:10 198.51.100.10/24',
    SHOWN_KEY, 'passwordauthentication yes', 'the password of root is set',
    'chap is not supported', 'license file is missing', '10:00:00 a@b',
    'session opened', 'key list', 'cpu-u:7', 'https://[2001:db8::1]:80/a')


class TestText(base.TestCase):

    def test_cases(self) -> None:
        for source, expected in CASES:
            with self.subTest(source):
                self.assertEqual(expected,
                                 reportsecrets.Redactor().text(source))

    def test_no_case_leaks(self) -> None:
        redactor = reportsecrets.Redactor()
        shown = ''.join(redactor.text(source) for source, _ in CASES)
        self.assertNotRegex(shown.replace('Hunt_SSD', ''), '(?i)hun|ter22')
        for secret in (RANDOM[5:25], HASH[20:30], '0A1B2', 'MIIE'):
            self.assertNotIn(secret, shown)

    def test_what_is_no_secret(self) -> None:
        for source in KEPT:
            with self.subTest(source):
                self.assertEqual(source,
                                 reportsecrets.Redactor().text(source))

    def test_a_problem_of_ours_is_still_told(self) -> None:
        """FILE:NAME: MESSAGE; but what is quoted goes anyway."""
        redactor = reportsecrets.Redactor()
        self.assertEqual(
            f'meta_data.json:admin_pass: {R} be hashed: not used',
            redactor.text('meta_data.json:admin_pass: cannot be hashed: '
                          'not used'))
        self.assertEqual(f'a:password: "{R}"',
                         redactor.text('a:password: "Hunter 22"'))

    @hypothesis.given(strategies.lists(strategies.sampled_from(
        [f'{source}\n' for source, _ in CASES if not source.startswith((
            'a: log', PEM[:60]))])))
    def test_twice_is_once(self, parts: list[str]) -> None:
        redactor = reportsecrets.Redactor()
        once = redactor.text(''.join(parts))
        self.assertEqual(once, redactor.text(once))
        self.assertEqual(once, redactor.last(once))
        self.assertNotIn('Hunter22', once)

    def test_serial_numbers_are_told_apart(self) -> None:
        redactor = reportsecrets.Redactor()
        self.assertEqual(
            ['t10.ATA_____X_____serial-1', 't10.ATA_____X_____serial-2:1',
             't10.ATA_____X_____serial-1:3'],
            [redactor.text(f't10.ATA_____X_____{serial}') for serial in (
                'WD-WCC4N1', 'S2RB:1', 'WD-WCC4N1:3')])

    def test_each_pattern_takes_a_line_s_time(self) -> None:
        """No text makes a pattern try more than a few ways."""
        parts = ('password', '--password ', '-----', 'account ', '://',
                 '"\\"', 't10.a_', '-----BEGIN A-----', 'root:', 'ssh-rsa ',
                 'token:"', '\\$6', ' ', 'license ', 'eyJaaaaaaaaa.',
                 'password=$(', '<password ', 'password is ', 'password:\n ',
                 '"password",', 'a:b@', '://a', '%3A%2F%2Fa:', 'snmp -x ',
                 '?sig=', 'password[', '{SHA}', '@1/')
        for part in parts:
            with self.subTest(part):
                # Quadratic time would be minutes.
                text = part * ((1 << 18) // len(part))
                redactor = reportsecrets.Redactor()
                self.assertLessEqual(len(redactor.text(text)),
                                     4 * len(text))


class TestValue(base.TestCase):

    def test_names(self) -> None:
        self.assertEqual(
            {'admin_pass': R, 'Serial Number': R, 'chap': {'user': R, 'n': R},
             'tokens': [R, None], 'root_hash': True, 'secret': False,
             'root_password': 'none', 'a': ['--password', R, 'x'], 'b': 7},
            reportsecrets.Redactor().value(
                {'admin_pass': 'Hunter22', 'Serial Number': 'X1',
                 'chap': {'user': 'Hunter22', 'n': 5},
                 'tokens': ['Hunter22', None], 'root_hash': True,
                 'secret': False, 'root_password': 'none',
                 'a': ['--password', 'Hunter22', 'x'], 'b': 7}))

    def test_texts_in_it(self) -> None:
        self.assertEqual([{f'rootpw {R}': f'x {R}'}],
                         reportsecrets.Redactor().value(
                             [{'rootpw a': f'x {HASH}'}]))


class TestKnown(base.TestCase):

    def test_forms_are_those_that_are_looked_for(self) -> None:
        """By the same measure as all other tests of secrets."""
        for secret in ('Hx8kQz3vWm5t', 'Zq7"\\/ü%+<k9&\'Wv4\t€Jx2'):
            wanted = {form.decode('utf-8', 'replace'): name for form, name
                      in search.forms(secret).items() if name != 'UTF-16LE'}
            self.assertEqual({}, {
                form: name for form, name in wanted.items()
                if form not in reportsecrets.forms(secret)})

    def test_known_ones_are_nowhere(self) -> None:
        secret = 'Zq7"\\/ü%+<k9&\'Wv4 x'
        redactor = reportsecrets.Redactor([secret, 'abcd', 'xy'])
        texts = [form.decode() for form, name in search.forms(
            secret).items() if name != 'UTF-16LE']
        for text in (*texts, json.dumps({'a': secret})):
            self.assertEqual([], search.find(
                redactor.last(f'a{text}b').encode(), {'it': secret}), text)
        # A short one is a word of its own; fewer than three are too few.
        self.assertEqual(f'{R} xabcd abcde xy',
                         redactor.last('abcd xabcd abcde xy'))

    def test_longer_first(self) -> None:
        redactor = reportsecrets.Redactor(['secret-1', 'secret-1-more'])
        self.assertEqual(R, redactor.last('secret-1-more'))

    def test_shapes_once_more(self) -> None:
        self.assertEqual(f'a{R} b', reportsecrets.Redactor().last(
            f'a{HASH} b'))

    def test_what_is_known(self) -> None:
        meta = {'uuid': 'u', 'admin_pass': 'Hunter22', 'random_seed': 'c2Vl',
                'meta': {'db_password': 'Hunter33', 'size': 'harmless'}}
        gathered = cloudconfig.Gathered(
            user={'runcmd': ['curl -H token-within-runcmd x'],
                  'hostname': 'harmless-name.example.org',
                  'phone_home': {'url': 'http://a.example.org/'
                                        'token-of-the-url/$INSTANCE_ID'},
                  'write_files': [{'path': '/harmless/path/to/it',
                                   'content': 'line-of-content-1\nb\n'}]},
            user_scripts=(userdata.Part(
                userdata.SCRIPT, 'user_data',
                b'#!/bin/sh\necho token-in-a-script\n'),))
        found = reportsecrets.secrets_of([
            json.dumps(meta), carried.encode(gathered)[0].decode(),
            f'root:{HASH}:1:0:9:7:::\nvpxuser:*:1:\n',
            'rootpw --iscrypted $5$a$b\n#cloud-config\npassword: Hunter44\n'])
        self.assertLessEqual(
            {'Hunter22', 'c2Vl', 'Hunter33', HASH, '$5$a$b', 'Hunter44',
             'curl -H token-within-runcmd x', 'token-of-the-url',
             'line-of-content-1', 'echo token-in-a-script'}, set(found))
        self.assertEqual([], [one for one in found if 'harmless' in one])
        # Named ones come first, for there may be too many of the others.
        self.assertLess(found.index('Hunter44'),
                        found.index('line-of-content-1'))

    def test_each_line_of_a_block_is_known(self) -> None:
        self.assertLessEqual({'Hunter22', 'Hunter33'}, set(
            reportsecrets.secrets_of(['passwd: |\n  Hunter22\n  Hunter33'])))

    def test_hostile_texts(self) -> None:
        for text in ('[' * 100_000, '{"a": ' * 500, '9' * 100_000, '', '\0',
                     '{"password": ' + '9' * 5000 + '}', '"' * 5000):
            with self.subTest(text[:9]):
                self.assertIsInstance(reportsecrets.secrets_of([text]), list)

    @hypothesis.given(strategies.text(
        string.ascii_letters + string.digits + '"\\/%+<&\' $üé€', min_size=6))
    def test_any_known_one(self, secret: str) -> None:
        redactor = reportsecrets.Redactor([secret])
        for text in (secret, json.dumps(secret), json.dumps(
                json.dumps(secret)), base64.b64encode(b'a' + secret.encode(
                ) + b'b').decode()):
            hits = search.find(redactor.last(f'.{text}.').encode(),
                               {'it': secret})
            self.assertEqual([], hits)


class TestShared(base.TestCase):

    def test_it_knows_what_the_shown_kickstart_knows(self) -> None:
        redactor = reportsecrets.Redactor()
        for source, _ in test_redact.CASES:
            with self.subTest(source):
                self.assertNotRegex(redactor.text(source), 'Hun|ter|22|AAA')
