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

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import jsonfile
from tests import base

SECRET = 'hunter2'

VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.text()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.integers(-10 ** 20, 10 ** 20),
    lambda inner: strategies.lists(inner)
    | strategies.dictionaries(strategies.text(), inner))


def nested(levels: int) -> bytes:
    return b'[' * levels + b']' * levels


class DecodeTests(base.TestCase):

    def test_json(self):
        for data, expected in (
                (b'{"a": [1, 2.5, true, null, "x"]}',
                 {'a': [1, 2.5, True, None, 'x']}),
                (b'{}', {}),
                (b'null', None),
                (b'{"a": 1, "a": 2}', {'a': 2}),
                (b'{"a": "\\ud800"}', {'a': '\ud800'}),
                ('{"a": "ü"}'.encode('utf-8-sig'), {'a': 'ü'}),
                ('{"a": "ü"}'.encode('utf-16'), {'a': 'ü'}),
                ('{"a": "ü"}'.encode('utf-16-le'), {'a': 'ü'}),
                ('{"a": "ü"}'.encode('utf-32'), {'a': 'ü'}),
                ('{"a": "ü"}'.encode('utf-32-be'), {'a': 'ü'}),
                # Brackets in a string are no levels.
                (json.dumps('[' * 1000).encode(), '[' * 1000),
                (json.dumps(['"' + '[' * 1000]).encode(),
                 ['"' + '[' * 1000]),
                (json.dumps(['\\', '[' * 1000]).encode(),
                 ['\\', '[' * 1000]),
                (b'[' + b'[],' * 1000 + b'[]]', [[]] * 1001)):
            with self.subTest(data=data[:40]):
                self.assertEqual((expected, ()), jsonfile.decode(data, 'f'))

    def test_numbers_that_nobody_can_count_with_are_null(self):
        for text, expected in (
                ('NaN', None), ('Infinity', None), ('-Infinity', None),
                ('1e999', None), ('-1e999', None),
                ('9' * 32, int('9' * 32)), ('9' * 33, None),
                ('9' * 10 ** 6, None), ('-' + '9' * 5000, None),
                ('1.' + '1' * 10 ** 6, 1.1111111111111112),
                ('1e' + '9' * 10 ** 6, None)):
            with self.subTest(text=text[:40]):
                self.assertEqual(
                    ({'a': [expected], 'b': 1}, ()),
                    jsonfile.decode(f'{{"a": [{text}], "b": 1}}'.encode(),
                                    'f'))

    def test_no_json(self):
        for data, message in (
                (b'', 'there is nothing in it'),
                (b' \n', 'there is nothing in it'),
                ('\ufeff'.encode(), 'there is nothing in it'),
                (b'{\n "a": 1,\n "b": }', 'line 3 column 7'),
                (b'{"a": 1 // b\n}', 'line 1 column 9'),
                (b'{"a": 1}\0', 'line 1 column 9'),
                (b'{"a": "x\0y"}', 'line 1 column 9'),
                (b'{"a": "b', 'line 1 column 7'),
                (b'\0' * 12, 'line 1 column 1'),
                ('\ufeff{}'.encode('utf-8-sig'), 'line 1 column 1'),
                (b'{"a": "\xff"}', 'no valid utf-8'),
                (b'{"a": "\xed\xa0\x80"}', 'no valid utf-8'),
                (b'\xef\xbb\xbf{"a": "\xff"}', 'no valid utf-8-sig'),
                (b'\xff\xfe{', 'no valid utf-16'),
                (b'\xff\xfe\0\0{', 'no valid utf-32')):
            with self.subTest(data=data):
                value, problems = jsonfile.decode(data, 'meta_data.json')
                self.assertIsNone(value)
                self.assertEqual(
                    [('meta_data.json', f'not JSON: {message}')],
                    [(one.where, one.message) for one in problems])

    def test_too_much(self):
        for data in (b'[' * (jsonfile.LIMIT + 1),
                     b'"' + b'x' * jsonfile.LIMIT + b'"'):
            value, problems = jsonfile.decode(data, 'f')
            self.assertIsNone(value)
            self.assertEqual(['not JSON: more than 1 MiB'],
                             [one.message for one in problems])

    def test_depth(self):
        value, problems = jsonfile.decode(nested(jsonfile.DEPTH), 'f')
        self.assertEqual((1, ()), (len(value), problems))
        for data in (
                nested(jsonfile.DEPTH + 1),
                b'[' * 10 ** 5,
                nested(10 ** 5),
                b'{"a":' * 10 ** 5,
                b'"[]\\"" ' + b'[' * 10 ** 5,
                b'["' + b'\\"' * 10 ** 5 + b'", ' + b'[' * 10 ** 5,
                b'["\\\\", ' + b'[' * 10 ** 5):
            with self.subTest(data=data[:20]):
                value, problems = jsonfile.decode(data, 'f')
                self.assertIsNone(value)
                self.assertEqual(
                    ['not JSON: nested more than 100 levels deep'],
                    [one.message for one in problems])

    def test_much_of_the_same_takes_no_long(self):
        for data in (b'"' * 10 ** 6, b'"' + b'\\"' * 10 ** 6,
                     b'"' + b'\\' * 10 ** 6, b'[]' * 10 ** 5,
                     b']' * 10 ** 5, b'{"' * 10 ** 5):
            with self.subTest(data=data[:20]):
                self.assertIsNone(jsonfile.decode(data, 'f')[0])

    def test_problems_quote_nothing(self):
        for text in (SECRET, f'{{"a": "{SECRET}', f'{{"{SECRET}" 1}}',
                     f'{{"a": "{SECRET}\\q"}}', f'{{"a": "{SECRET}\n"}}',
                     f'{{"a": "{SECRET}"}} {SECRET}', f'[{SECRET}]'):
            for data in (text.encode(), text.encode() + b'\xff',
                         text.encode('utf-16')):
                with self.subTest(data=data):
                    value, problems = jsonfile.decode(data, 'f')
                    self.assertIsNone(value)
                    self.assertNotIn(SECRET, repr(problems))
                    self.assertRegex(
                        problems[0].message,
                        r'\Anot JSON: (line \d+ column \d+|no valid utf-8)\Z')

    @hypothesis.given(VALUES, strategies.sampled_from(
        ['utf-8', 'utf-8-sig', 'utf-16', 'utf-32']))
    def test_what_was_encoded_comes_back(self, value, encoding):
        data = json.dumps(value, ensure_ascii=False).encode(encoding)
        self.assertEqual((value, ()), jsonfile.decode(data, 'f'))

    @hypothesis.given(strategies.binary())
    @hypothesis.example(b'[1e999]')
    def test_a_value_or_one_problem(self, data):
        value, problems = jsonfile.decode(data, 'f')
        self.assertLessEqual(len(problems), 1)
        if problems:
            self.assertIsNone(value)
        else:
            json.dumps(value, allow_nan=False)


class KindTests(base.TestCase):

    def test_kinds(self):
        for value, expected in (
                ('', 'a string'), ([], 'a list'), ({}, 'an object'),
                (None, 'null'), (True, 'a boolean'), (1, 'a number'),
                (1.5, 'a number'), (b'', 'no JSON value')):
            with self.subTest(value=value):
                self.assertEqual(expected, jsonfile.kind(value))
