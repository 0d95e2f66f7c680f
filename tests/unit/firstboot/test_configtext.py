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

"""What cloud-configs say: as JSON, as YAML, and of hostile text."""

import builtins
import json
from unittest import mock

import hypothesis
from hypothesis import strategies
import yaml

from esxi_img.firstboot import configtext
from tests import base
from tests.unit.firstboot import test_jsonfile

MARKER = 'hunter2marker'
YAML_ISH = strategies.lists(strategies.sampled_from([
    'a', 'b: ', '- ', '\n', '  ', '? ', '[', ']', '{', '}', ',', '&x ', '*x',
    '<<: ', '!!int ', '!!binary ', '!!set ', '!!omap ', '!t ', '"', "'",
    '\\', '|\n', '>-\n', '#', '---\n', '...\n', '%YAML 1.1\n', '0x', '1:2',
    '.inf', '2024-01-02', '!!timestamp ', '!!float ', '!!bool ', '\t', 'ä',
    '\ud83d'.encode('utf-8', 'surrogatepass').decode('latin-1'), '\x00',
    '\\ud800', '=', '~', '!!str ', '!!null ', '!!map ', '!!seq ', '@', '%'
]), max_size=30).map(''.join)


def said(text: str) -> object:
    value, problems = configtext.decode(text.encode(), 'x')
    assert not problems, problems
    return value


def without_yaml() -> mock._patch:
    """PyYAML cannot be imported."""
    load = builtins.__import__

    def imported(name, globals=None, locals=None, fromlist=(), level=0):
        if name == 'yaml':
            raise ImportError(name)
        return load(name, globals, locals, fromlist, level)

    return mock.patch.object(builtins, '__import__', imported)


class TestDecode(base.TestCase):

    def wrong(self, text: str | bytes) -> str:
        data = text if isinstance(text, bytes) else text.encode()
        value, problems = configtext.decode(data, 'x')
        self.assertIsNone(value)
        self.assertEqual(['x'], [one.where for one in problems])
        return problems[0].message

    def test_yaml(self) -> None:
        self.assertEqual({'a': ['b', {'c': 1}], 'd': None, 'e': True},
                         said('#cloud-config\na: [b, {c: 1}]\nd:\ne: yes\n'))

    def test_json_below_comments(self) -> None:
        for start in ('', '\ufeff', '#cloud-config\n', '#a\r\n\r\n#b\n'):
            with self.subTest(start=start), without_yaml():
                self.assertEqual({'a': [1, None]},
                                 said(start + '{"a": [1, null]}'))

    def test_yaml_that_starts_as_json(self) -> None:
        self.assertEqual({'a': 'b'}, said('{a: b}'))
        self.assertEqual(['a', 'b'], said('#x\n[a, b]'))

    def test_nothing(self) -> None:
        for text in ('', ' \n', '#cloud-config', '#cloud-config\n# x\n',
                     '---\n', '# x\n---\n...\n', '  # x'):
            with self.subTest(text=text):
                self.assertIsNone(said(text))

    def test_without_pyyaml(self) -> None:
        with without_yaml():
            self.assertIn('JSON', self.wrong('a: b'))
            self.assertEqual('not JSON: line 2 column 7',
                             self.wrong('#cloud-config\n{"a": b}'))

    def test_what_json_has_no_word_for(self) -> None:
        for text, expected in (
                ('2024-02-29', '2024-02-29'),
                ('2024-02-31', '2024-02-31'),
                ('2001-12-14t21:59:43.10-05:00',
                 '2001-12-14t21:59:43.10-05:00'),
                ('.inf', '.inf'), ('-.INF', '-.INF'), ('.nan', '.nan'),
                ('1' * 33, '1' * 33), ('!!binary aGX/', 'he\udcff'),
                ('!!set {a, b}', ['a', 'b']), ('!!omap [a: 1]', [{'a': 1}]),
                ('=', '='), ('"\\ud83d\\ude00"', '\U0001f600'),
                ('"a\\ud800b"', 'a\ufffdb')):
            with self.subTest(text=text):
                self.assertEqual({'x': expected}, said('x: ' + text))
        self.assertEqual(['\ufffd'], said('["\\ud800"]'))

    def test_keys_are_as_written(self) -> None:
        self.assertEqual(
            {'1': 'a', 'on': 'b', '~': 'c', '2024-01-02': 'd', 'x': 'e'},
            said('1: a\non: b\n~: c\n2024-01-02: d\n&k x: e\n'))
        self.assertEqual({'a': 'b', 'b': 'c'}, said('a: &k b\n*k : c\n'))

    def test_merge_keys(self) -> None:
        # As SafeLoader does it: test_cloudconfig has more.
        self.assertEqual(
            {'a': {'x': 1, 'y': 2}, 'b': {'x': 1, 'y': 3}},
            said('a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n'))

    def test_aliases_share_nothing(self) -> None:
        value = said('a: &a [1]\nb: *a\n')
        value['a'].append(2)
        self.assertEqual([1], value['b'])

    def test_refused(self) -> None:
        for text, message in (
                ('a: [', 'neither YAML nor JSON: line 1 column 5'),
                ('a: 1\n---\nb: 2', 'several YAML documents where one '
                                    'should be'),
                ('a: !x y', 'line 1 column 4: a tag that is not known'),
                ('a: !!python/name:os.system ""',
                 'line 1 column 4: a tag that is not known'),
                ('a: !!python/object/apply:os.system [x]',
                 'line 1 column 4: a tag that is not known'),
                ('a: !x {b: c}', 'line 1 column 4: a tag that is not known'),
                ('a: !!int x', 'neither YAML nor JSON: a character or a '
                               'value that YAML does not allow'),
                ('a: \x01', 'neither YAML nor JSON: a character or a value '
                            'that YAML does not allow'),
                (b'a: \xff', 'no valid utf-8'),
                ('&a [*a]', 'line 1 column 5: an alias of nothing before it'),
                ('[a]: b', 'line 1 column 1: a key that is no string'),
                ('<<: 1', 'line 1 column 1: a merge of what is no mapping'),
                ('[' * 200, 'nested more than 100 levels deep'),
                ('{"a":' * 200, 'nested more than 100 levels deep'),
                ('- a\n' * 60000, 'more than 50000 values'),
                (b'#' * (1 << 20) + b'#', 'more than 1 MiB')):
            with self.subTest(text=text[:40]):
                self.assertEqual(message, self.wrong(text))

    def test_bombs(self) -> None:
        nine = 'a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
            f'{b}: &{b} [{",".join(["*" + a] * 9)}]\n'
            for a, b in zip('abcdefgh', 'bcdefghi'))
        self.assertEqual('too large, with every alias written out',
                         self.wrong(nine))
        merges = ('a: &a {' + ','.join(f'k{n}' for n in range(1000))
                  + '}\nb: {<<: [' + ','.join(['*a'] * 1000) + ']}')
        self.assertEqual('more than 50000 values', self.wrong(merges))
        deep = 'a0: &a0 x\n' + ''.join(
            f'a{n}: &a{n} {"[" * 90}*a{n - 1}{"]" * 90}\n'
            for n in range(1, 90))
        self.assertEqual('nested more than 100 levels deep',
                         self.wrong(deep))
        self.assertEqual('too large, with every alias written out',
                         self.wrong('[' + '0,' * 200000 + '0]'))

    @hypothesis.given(test_jsonfile.VALUES)
    def test_json_is_itself(self, value: object) -> None:
        # In a list, for a bare scalar is YAML.
        text = json.dumps([value])
        with without_yaml():
            self.assertEqual(json.loads(text), said(text))

    @hypothesis.given(strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers(
            -10 ** 9, 10 ** 9) | strategies.text('ab:#-\n\' "ä0.~&*!',
                                                 max_size=8),
        lambda inner: strategies.lists(inner, max_size=4)
        | strategies.dictionaries(strategies.text('abc', min_size=1), inner,
                                  max_size=4), max_leaves=12))
    def test_yaml_is_itself(self, value: object) -> None:
        self.assertEqual([value], said(yaml.safe_dump(
            [value], allow_unicode=True)))

    @hypothesis.given(YAML_ISH)
    def test_as_safe_loader(self, text: str) -> None:
        """Where both can read it, and JSON has words for all of it."""
        value, problems = configtext.decode(text.encode(), 'x')
        try:
            theirs = yaml.safe_load(text)
            same = json.loads(json.dumps(theirs, allow_nan=False))
        except Exception:
            return
        if same != theirs or problems or '=' in text:
            return
        self.assertEqual(theirs, value)

    @hypothesis.given(YAML_ISH.map(str.encode) | strategies.binary())
    def test_any_text(self, data: bytes) -> None:
        value, problems = configtext.decode(data, 'x')
        json.dumps(value, allow_nan=False).encode()
        self.assertTrue(value is None or not problems)
        json.dumps([vars(one) for one in problems])

    @hypothesis.given(YAML_ISH, YAML_ISH)
    def test_a_problem_tells_no_content(self, before: str, after: str
                                        ) -> None:
        for data in (f'{before}{MARKER}{after}', f'{{"{MARKER}": {before}',
                     f'*{MARKER}', f'!{MARKER} x', f'[{MARKER}]: {after}'):
            _, problems = configtext.decode(data.encode(), 'x')
            self.assertNotIn(MARKER, repr(problems))
