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

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import model
from esxi_img.firstboot import netvalue
from tests import base

HUGE = 10 ** 5000
MISSING = object()


class ValueTests(base.TestCase):

    def test_quote(self):
        for value, expected in (
                ('a', "'a'"), ("it's", '"it\'s"'), ('a\nb', r"'a\nb'"),
                ('\udc80é', r"'\udc80\xe9'"), ('a' * 58, f"'{'a' * 58}'"),
                ('a' * 59, f"'{'a' * 56}..."),
                ('\0' * 1000000, "'" + r'\x00' * 14 + '...'),
                (7, '7'), (-7, '-7'), (7.5, '7.5'), (True, 'True'),
                (float('nan'), 'nan'), (1e308, '1e+308'),
                (2 ** 64 - 1, '18446744073709551615'),
                (2 ** 64, 'a huge number'), (-HUGE, 'a huge number'),
                ([HUGE], 'a list'), ({'a': HUGE}, 'an object')):
            with self.subTest(expected=expected):
                self.assertEqual(expected, netvalue.quote(value))

    @hypothesis.given(strategies.text(), strategies.text())
    def test_plain(self, one, other):
        first, second = map(netvalue.plain, (one, other))
        self.assertTrue(first.isascii() and (first + ' ').isprintable())
        self.assertEqual(one == other, first == second)

    def test_plain_leaves_ids_alone(self):
        for text in ('tap00000001-11', 'bond0.41', 'a b', "it's", ''):
            self.assertEqual(text, netvalue.plain(text))

    def test_integer(self):
        for value, expected in (
                (7, 7), (-7, -7), (HUGE, HUGE), (7.0, 7), ('7', 7),
                (' 7 ', 7), ('007', 7), ('999999999', 999999999)):
            self.assertEqual(expected, netvalue.integer(value))
        for value in (True, None, 7.5, float('nan'), float('inf'), '', '-7',
                      '+7', '7.0', '0x7', '1_000', '\u0667', '1' * 10,
                      [], {}, [7]):
            with self.assertRaisesRegex(ValueError, '^is no number$',
                                        msg=repr(value)):
                netvalue.integer(value)

    def test_identifier(self):
        for value, expected in (
                ('a', 'a'), (7, '7'), (-7, '-7'), ('\udc80', r'\udc80')):
            self.assertEqual(expected, netvalue.identifier(value))
        for value in (True, None, 7.0, HUGE, -HUGE, [], {}):
            with self.assertRaisesRegex(ValueError, '^is no id$'):
                netvalue.identifier(value)


class EntryTests(base.TestCase):

    def read(self, method, value):
        """What a method of an object says of a value, and the problems."""
        problems = []
        values = {} if value is MISSING else {'k': value}
        entry = netvalue.Entry(values, 'a[1]', problems)
        found = getattr(entry, method)('k')
        if not isinstance(found, (str, int, type(None))):
            found = list(found)
        return found, [(p.where, p.message) for p in problems]

    def test_absent(self):
        for method, expected in (
                ('value', None), ('text', None), ('integer', None),
                ('identifier', None), ('items', []), ('identifiers', []),
                ('words', []), ('entries', [])):
            for value in (MISSING, None, '', ' \t'):
                with self.subTest(method=method, value=value):
                    self.assertEqual((expected, []),
                                     self.read(method, value))

    def test_values(self):
        for method, value, expected in (
                ('value', 0, 0), ('value', False, False),
                ('value', ' a ', ' a '),
                ('text', ' a ', 'a'), ('integer', '9000', 9000),
                ('integer', 0, 0), ('identifier', 0, '0'),
                ('items', 'a, b c', [('k', 'a'), ('k', 'b'), ('k', 'c')]),
                ('items', ['a b', None, 7, ''],
                 [('k[0]', 'a b'), ('k[2]', 7)]),
                ('identifiers', ['a', 'b c', 'a', 1, '1'],
                 ['a', 'b c', '1']),
                ('identifiers', 'a,b', ['a', 'b']),
                ('words', ['a b', None, 'c'],
                 [('k[0]', 'a'), ('k[0]', 'b'), ('k[2]', 'c')])):
            with self.subTest(method=method, value=value):
                self.assertEqual((expected, []), self.read(method, value))

    def test_wrong_types(self):
        for method, value, expected, problems in (
                ('text', 7, None, [('k', '7 is no string')]),
                ('text', [], None, [('k', 'a list is no string')]),
                ('integer', True, None, [('k', 'True is no number')]),
                ('integer', 'x', None, [('k', "'x' is no number")]),
                ('identifier', {}, None, [('k', 'an object is no id')]),
                ('items', 7, [], [('k', '7 is no list')]),
                ('identifiers', ['a', []], ['a'],
                 [('k[1]', 'a list is no id')]),
                ('words', ['a', 7], [('k[0]', 'a')],
                 [('k[1]', '7 is no string')]),
                ('entries', 'x', [], [('k', "'x' is no list")]),
                ('entries', {}, [], [('k', 'an object is no list')]),
                ('entries', [None, 7], [], [('k[1]', '7 is no object')])):
            with self.subTest(method=method, value=value):
                self.assertEqual(
                    (expected, [('a[1].' + at, why) for at, why in problems]),
                    self.read(method, value))

    def test_paths(self):
        problems = []
        root = netvalue.Entry({'a': [None, {'b': [{}]}]}, '', problems)
        inner = root.entries('a')[0].entries('b')[0]
        self.assertEqual('a[1].b[0]', inner.where)
        inner.refuse('c', 'x', 'is odd')
        root.note('d', 'odd')
        self.assertEqual([model.Problem('a[1].b[0].c', "'x' is odd"),
                          model.Problem('d', 'odd')], problems)
