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

"""Texts that users wrote, as arguments."""

from esxi_img.firstboot import syscommands
from tests import base
from tests.unit.firstboot import legal


class TestFits(base.TestCase):
    def test_fits(self) -> None:
        for value, expected in (
                ('', True), ('a b', True), ('\xfc', True), ('-1', True),
                ('-90', True), ('-', False), ('-x', False), ('--help', False),
                ('-1x', False), ('a\nb', False), ('a\0', False),
                ('\udc80', False)):
            with self.subTest(value):
                self.assertIs(expected, syscommands.fits(value))

    def test_what_fits_is_taken(self) -> None:
        for value in ('', 'a b', '\xfc', '-1', '-90'):
            with self.subTest(value):
                self.assertEqual('', legal.refusal(
                    syscommands.kernel('name', value)))

    def test_what_does_not_would_not_be(self) -> None:
        for value in ('-x', '--help', '-', 'a\0', 'a\nb'):
            with self.subTest(value):
                self.assertNotEqual('', legal.refusal(
                    syscommands.kernel('name', value)))


class TestPlain(base.TestCase):
    def test_plain(self) -> None:
        for text, expected in (
                ('', ''), (' a  b ', 'a b'), ('a\r\nb\tc', 'a b c'),
                ('-- a -b', 'a -b'), ('-', ''), ('\0\x1b[31mred', '[31mred'),
                ('a\u2028b', 'a b'), ('\udc80', ''), ('gr\xfcn', 'gr\xfcn')):
            with self.subTest(text):
                self.assertEqual(expected, syscommands.plain(text))

    def test_is_short(self) -> None:
        self.assertEqual('x' * 1000, syscommands.plain('x' * 100000))


class TestLegal(base.TestCase):
    """The check that the other tests rely on."""

    def test_servers_are_checked_each(self) -> None:
        good = syscommands.ntp(True, ('a', 'b', 'c'))
        self.assertEqual('', legal.refusal(good))
        self.assertIn('--server needs a value',
                      legal.refusal(syscommands.ntp(True, ('a', '-b'))))

    def test_other_options_stand_once(self) -> None:
        self.assertIn('given twice', legal.refusal(
            syscommands.shutdown('reboot', 60, 'x') + ('--delay', '70')))
