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

"""What a shown kickstart must not show."""

import hypothesis
from hypothesis import strategies

from esxi_img.kickstart import redact
from tests import base

CASES = (
    ('rootpw Hunter22', 'rootpw (set)'),
    ('  rootpw\tHunter22 \nreboot\n', '  rootpw (set)\nreboot\n'),
    ('rootpw --iscrypted $6$a$b\r\nreboot', 'rootpw --iscrypted (set)\n'
                                            'reboot'),
    ('rootpw Hunter22 --iscrypted', 'rootpw (set)'),
    ('rootpw --iscryptedHunter22', 'rootpw (set)'),
    ('rootpw \\\nHunter22\nreboot', 'rootpw (set)\nreboot'),
    ('rootpw --iscrypted \\\r\n \\\n Hunter22\nreboot',
     'rootpw --iscrypted (set)\nreboot'),
    ('#rootpw Hunter22', '#rootpw (set)'),
    ('echo "rootpw Hunter22" > /tmp/a', 'echo "rootpw (set)'),
    ('rootpw', 'rootpw'),
    ('%include /tmp/rootpw\n', '%include /tmp/rootpw\n'),
    ('cat /tmp/rootpw >&2', 'cat /tmp/rootpw >&2'),
    ('serialnum --esx=AAAAA-BBBBB', 'serialnum --esx=(set)'),
    ('esxcli x --password=Hunter22 --id=root',
     'esxcli x --password=(set) --id=root'),
    ('esxcli x --password Hunter22 --id=root',
     'esxcli x --password (set) --id=root'),
    ('esxcli x --password-confirmation \\\n  "Hunter 22" -x',
     'esxcli x --password-confirmation \\\n  (set) -x'),
    ('PASSWORD="Hun\\"ter 22"; a', 'PASSWORD=(set) a'),
    ("ADMIN_PASSWD='Hunter 22'\na", 'ADMIN_PASSWD=(set)\na'),
    ("PASSWORD='Hunter22", 'PASSWORD=(set)'),
    ('{"api_token": "Hunter22", "a": 1}', '{"api_token": (set) "a": 1}'),
    ('wget https://me:Hunter22@example.org/', 'wget https://me:(set)'
                                              '@example.org/'),
    ("echo 'root:$6$salt$Hunter22:1'", "echo 'root:(set):1'"),
    ('root:$6$salt$abc/def/Hunter22:1', 'root:(set):1'),
    ('echo \\$6\\$salt\\$Hunter22 x', 'echo (set) x'),
    ('esxcli system account set -i root -p Hunter22 -c Hunter22',
     'esxcli system account set -i root -p (set) -c (set)'),
    ("echo 'root:Hunter22' | chpasswd", '(set) | chpasswd'),
    ('openssl passwd -6 Hunter22 | cut -c1-3',
     'openssl passwd (set)| cut -c1-3'),
    ('passwd --stdin root <<< Hunter22', 'passwd (set)'),
    ('sshpass -p Hunter22 ssh x', 'sshpass -p (set) ssh x'),
    ('usermod -a -p Hunter22 root', 'usermod -a -p (set) root'),
    ("h = crypt.crypt('Hunter22', salt)", 'h = crypt.crypt((set)'),
    ('sed -i "s|^root:[^:]*|root:Hunter22|" f',
     'sed -i "s|^root:[^:]*|root:(set)|" f'),
    ('PASS=Hunter22; PW="Hunter 22"', 'PASS=(set) PW=(set)'),
    ('wget --user me:Hunter22 x', 'wget --user me:(set) x'),
    ('-H "Authorization: Bearer Hunter22"',
     '-H "Authorization: Bearer (set)'),
    ('esxcli system snmp set --communities Hunter22 -e 1',
     'esxcli system snmp set --communities (set) -e 1'),
    ('vim-cmd vimsvc/license --set Hunter22',
     'vim-cmd vimsvc/license --set (set)'),
    ('esxcli network vswitch standard list # ESX: all',
     'esxcli network vswitch standard list # ESX: all'),
)


class TestRedact(base.TestCase):

    def test_cases(self) -> None:
        for source, expected in CASES:
            with self.subTest(source):
                self.assertEqual(expected, redact.redact(source))

    def test_no_case_leaks(self) -> None:
        shown = ''.join(redact.redact(source) for source, _ in CASES)
        self.assertNotRegex(shown, 'Hun|ter|22|AAA')

    @hypothesis.given(strategies.lists(strategies.sampled_from(
        [f'{source}\n' for source, _ in CASES])))
    def test_twice_is_once(self, parts: list[str]) -> None:
        once = redact.redact(''.join(parts))
        self.assertEqual(once, redact.redact(once))
        self.assertNotIn('Hunter22', once)
