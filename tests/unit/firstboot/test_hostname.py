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

import re

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import hostname
from tests import base

LABEL = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
NAME = re.compile(rf'{LABEL}(\.{LABEL})*')

TEXTS = (strategies.text(strategies.characters())
         | strategies.text('aZ09.-_ :%[]')
         | strategies.from_regex(NAME, fullmatch=True))


class CleanTests(base.TestCase):

    def test_names_that_stay(self):
        for name in ('esx', 'esx01.novalocal', 'ESX-01.Example.COM', 'a',
                     '7', '42.example', '1.2.3', '1.2.3.4.5', '1.2.3.4a',
                     'host-10-0-0-5.openstacklocal', 'a--b', 'xn--bro-hoa',
                     'localhost.example.com', 'localhost4', 'a' * 63,
                     '.'.join(['a' * 63] * 3 + ['b' * 61])):
            with self.subTest(name=name):
                self.assertEqual((name, None), hostname.clean(name))
                self.assertTrue(hostname.is_valid(name))

    def test_names_that_change(self):
        for text, expected in (
                ('Büro ESX #7', 'B-ro-ESX--7'),
                (' esx ', 'esx'),
                ('\tesx\n', 'esx'),
                ('esx.', 'esx'),
                ('esx.example.com..', 'esx.example.com'),
                ('.esx..example', 'esx.example'),
                ('my_host.example', 'my-host.example'),
                ('-esx-.-dc-', 'esx.dc'),
                ('esx.--.dc', 'esx.dc'),
                ('esx\0\x1b[31m', 'esx---31m'),
                ('esx\ud800', 'esx'),
                ('esx;reboot', 'esx-reboot'),
                ('$(id)', 'id'),
                ('aa:bb:cc:dd:ee:ff', 'aa-bb-cc-dd-ee-ff'),
                ('\u0661\u0662.dc', 'dc'),
                ('a' * 70 + '.example.com', 'a' * 63 + '.example.com'),
                ('a' * 62 + '-b.dc', 'a' * 62 + '.dc'),
                ('a' * 63 + '-', 'a' * 63),
                ('.'.join(['a' * 63] * 4), '.'.join(['a' * 63] * 3)),
                ('.'.join(['a' * 63] * 3 + ['b' * 62]),
                 '.'.join(['a' * 63] * 3)),
                ('.'.join(['a' * 63] * 3 + ['b' * 62, 'c']),
                 '.'.join(['a' * 63] * 3)),
                ('x' * 10 ** 6, 'x' * 63),
                ('.' * 10 ** 5 + 'x', 'x'),
                ('x.' * 10 ** 5, '.'.join('x' * 127))):
            with self.subTest(text=text[:80]):
                name, message = hostname.clean(text)
                self.assertEqual(expected, name)
                self.assertIn(ascii(text[:64]), message)
                self.assertIn(ascii(expected[:64]), message)
                self.assertFalse(hostname.is_valid(text))

    def test_messages_are_cut(self):
        name, message = hostname.clean('a' * 70)
        self.assertEqual(
            f"'{'a' * 64}'... is no host name, '{name}' is taken", message)

    def test_nothing_to_use(self):
        for text, part in (
                ('...', 'has nothing of a host name'),
                ('#!?', 'has nothing of a host name'),
                ('\u00fc', 'has nothing of a host name'),
                ('-', 'has nothing of a host name'),
                ('::', 'has nothing of a host name'),
                ('10.0.0.5', 'is an address'),
                (' 10.0.0.5. ', 'is an address'),
                ('-10.0.0.5', 'is an address'),
                ('010.0.0.5', 'is an address'),
                ('999.0.0.5', 'is an address'),
                ('fe80::1', 'is an address'),
                ('FE80::1%vmk0', 'is an address'),
                ('fe80::1%', 'is an address'),
                ('[2001:db8::1]', 'is an address'),
                ('::ffff:10.0.0.5', 'is an address')):
            with self.subTest(text=text):
                name, message = hostname.clean(text)
                self.assertIsNone(name)
                self.assertTrue(message.startswith(ascii(text)), message)
                self.assertIn(part, message)
                self.assertFalse(hostname.is_valid(text))

    def test_no_name_is_said(self):
        for text in ('', '  ', '\n', 'localhost', 'LocalHost',
                     'localhost.localdomain', ' localhost. '):
            with self.subTest(text=text):
                self.assertEqual((None, None), hostname.clean(text))
                self.assertFalse(hostname.is_valid(text))

    @hypothesis.given(TEXTS)
    def test_grammar(self, text):
        name, message = hostname.clean(text)
        if name is not None:
            self.assertTrue(NAME.fullmatch(name), name)
            self.assertLessEqual(len(name), 253)
            self.assertEqual((name, None), hostname.clean(name))
            self.assertEqual(message is None, name == text)
        if message is not None:
            self.assertTrue(message.isascii() and message.isprintable())
        self.assertEqual(name == text, hostname.is_valid(text))
