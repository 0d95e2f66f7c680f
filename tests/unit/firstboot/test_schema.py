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

import copy

import hypothesis
from hypothesis import strategies
import jsonschema

from esxi_img.firstboot import esxischema
from esxi_img.firstboot import schema
from tests import base

SCALARS = (strategies.none() | strategies.booleans()
           | strategies.integers(-20, 20) | strategies.sampled_from((1.0, 2.5))
           | strategies.sampled_from(('', 'a', 'ab', 'b-', 'tcp', 'x' * 9)))
JSON = strategies.recursive(
    SCALARS, lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(
        strategies.sampled_from(('a', 'b', 'ab', 'c1', 'zz')), inner,
        max_size=4), max_leaves=12)
TYPES = strategies.sampled_from((
    'array', 'boolean', 'integer', 'object', 'string'))
PATTERNS = strategies.sampled_from(('^a', 'b$', '^[a-c]+$', '^c[0-9]$', '-'))


def schemas(inner):
    """Schemas of all keywords that ours may use."""
    return strategies.fixed_dictionaries({}, optional={
        'title': strategies.just('a title'),
        'type': TYPES | strategies.lists(TYPES, min_size=1, unique=True),
        'enum': strategies.lists(
            strategies.sampled_from(('a', 'ab', 'tcp')), min_size=1,
            unique=True),
        'pattern': PATTERNS,
        'maxLength': strategies.integers(0, 4),
        'minimum': strategies.integers(-5, 5),
        'maximum': strategies.integers(-5, 5),
        'maxItems': strategies.integers(0, 3),
        'maxProperties': strategies.integers(0, 3),
        'items': inner,
        'properties': strategies.dictionaries(
            strategies.sampled_from(('a', 'b')), inner, max_size=2),
        'patternProperties': strategies.dictionaries(
            PATTERNS, inner, max_size=2),
        'additionalProperties': strategies.just(False)})


SCHEMAS = strategies.recursive(strategies.just({}), schemas, max_leaves=5)

# Values that our schema knows, and their like.
OURS = strategies.fixed_dictionaries({}, optional={
    'syslog': strategies.lists(strategies.sampled_from((
        'tcp://192.0.2.1:514', 'udp://[2001:db8::1]', 'ssl://a.example',
        'http://a', 'tcp://', 'tcp://-a', 'tcp://a b', 7))),
    'license': strategies.sampled_from((
        '00000-AAAAA-00000-bbbbb-00000', '00000-00000', 5)),
    'advanced_settings': strategies.dictionaries(
        strategies.sampled_from(('/A/B', '/A', 'A/B', '/UserVars/C.D-E')),
        SCALARS),
    'kernel_settings': strategies.dictionaries(
        strategies.sampled_from(('netQueue', 'a b', '1a')), SCALARS),
    'firewall': strategies.dictionaries(
        strategies.sampled_from(('ntpClient', '-', 'a b')), SCALARS),
    'vswitch': strategies.dictionaries(
        strategies.sampled_from(('vSwitch0', '', 'a/b')),
        strategies.fixed_dictionaries({}, optional={
            'load_balancing': strategies.sampled_from(('mac', 'lacp', 1)),
            'failback': SCALARS, 'mtu': SCALARS})),
    'datastore': strategies.sampled_from((
        'local', 'a b', 'a ', 'BOOTBANK1', 'bootBank9', 'OsData-1', 'a/b')),
    'ssh': SCALARS,
    'script_timeout': strategies.integers(-1, 90000) | SCALARS,
    'sysloog': SCALARS})


def keywords(rules):
    """All keywords that stand somewhere in a schema."""
    found = set(rules)
    for key in ('properties', 'patternProperties'):
        for one in rules.get(key, {}).values():
            found |= keywords(one)
    return found | (keywords(rules['items']) if 'items' in rules else set())


class TestErrors(base.TestCase):

    def test_no_errors_with_a_right_value(self):
        for value, rules in (
                (1, {}), (1, {'type': 'integer'}), (1.0, {'type': 'integer'}),
                ('a', {'type': ['integer', 'string']}),
                ('a', {'enum': ['a', 'b']}), ('ab', {'pattern': '^ab$'}),
                (7, {'pattern': '^ab$', 'maxLength': 0}),
                ('a', {'minimum': 5, 'maxItems': 0, 'maxProperties': 0}),
                ([1, 2], {'items': {'type': 'integer'}, 'maxItems': 2}),
                ({'a': 1}, {'properties': {'a': {'minimum': 1}}}),
                ({'x1': 1}, {'patternProperties': {'^x': {}},
                             'additionalProperties': False})):
            with self.subTest(value=value, rules=rules):
                self.assertEqual([], schema.errors(value, rules))

    def test_errors(self):
        for value, rules, path, message in (
                (True, {'type': 'integer'}, (),
                 'a boolean where an integer should be'),
                (1.5, {'type': ['integer', 'string']}, (),
                 'a number where an integer or a string should be'),
                (None, {'type': 'object'}, (),
                 'null where an object should be'),
                ('c', {'enum': ['a', 'b']}, (), 'not one of a, b'),
                (1, {'enum': ['a']}, (), 'not one of a'),
                ('b', {'pattern': '^a'}, (),
                 'not of the form that it should have'),
                ('a\n', {'pattern': '^a$'}, (),
                 'not of the form that it should have'),
                ('\udc80', {'pattern': '^'}, (),
                 'not of the form that it should have'),
                ('ab', {'maxLength': 1}, (), 'longer than 1 characters'),
                (0, {'minimum': 1}, (), 'less than 1'),
                (2, {'maximum': 1}, (), 'more than 1'),
                ([1], {'maxItems': 0}, (), 'more than 0 items'),
                ({'a': 1}, {'maxProperties': 0}, (), 'more than 0 keys'),
                ([1, 'a'], {'items': {'type': 'integer'}}, (1,),
                 'a string where an integer should be'),
                ({'a': {'b': 1}}, {'properties': {'a': {'properties': {
                    'b': {'type': 'string'}}}}}, ('a', 'b'),
                 'a number where a string should be'),
                ({'y': 1}, {'patternProperties': {'^x': {}},
                            'additionalProperties': False}, ('y',),
                 'no such key is known')):
            with self.subTest(value=value, rules=rules):
                self.assertEqual([(path, message)],
                                 schema.errors(value, rules))

    @hypothesis.given(JSON, SCHEMAS)
    def test_jsonschema_agrees(self, value, rules):
        judge = jsonschema.Draft202012Validator(rules)
        self.assertEqual(judge.is_valid(value),
                         not schema.errors(value, rules))

    @hypothesis.given(OURS | JSON)
    def test_jsonschema_agrees_on_ours(self, value):
        rules = esxischema.load()
        judge = jsonschema.Draft202012Validator(rules)
        self.assertEqual(judge.is_valid(value),
                         not schema.errors(value, rules))
        # An unknown key has its own path here, and its object's there.
        self.assertEqual(
            {tuple(one.absolute_path) for one in judge.iter_errors(value)
             if one.validator != 'additionalProperties'},
            {path for path, message in schema.errors(value, rules)
             if message != 'no such key is known'})


class TestPruned(base.TestCase):

    RULES = {
        'type': 'object', 'additionalProperties': False, 'properties': {
            'a': {'type': 'integer'},
            'b': {'type': 'array', 'items': {'type': 'integer'}},
            'c': {'properties': {'d': {'type': 'string'}}}, 'e': {}}}

    def test_pruned(self):
        for value, expected, paths in (
                ({'a': 1}, {'a': 1}, []),
                ({'a': 'x', 'b': [1]}, {'b': [1]}, [('a',)]),
                ({'b': ['x', 1, 'y', 2]}, {'b': [1, 2]},
                 [('b', 0), ('b', 2)]),
                ({'b': 1, 'z': 1, 'a': 1}, {'a': 1}, [('b',), ('z',)]),
                ({'c': {'d': 1, 'e': 2}}, {'c': {'e': 2}}, [('c', 'd')]),
                ({'c': {'d': 1}, 'e': {'d': 1}}, {'c': {}, 'e': {'d': 1}},
                 [('c', 'd')]),
                ('x', None, [()])):
            with self.subTest(value=value):
                before = copy.deepcopy(value)
                rest, errors = schema.pruned(value, self.RULES)
                self.assertEqual(
                    (expected, paths, before),
                    (rest, [path for path, _ in errors], value))

    def test_many_errors_take_no_longer_each(self):
        # The paths are compared this often if each is for each key.
        class Key(str):
            compared = 0

            __hash__ = str.__hash__

            def __eq__(self, other):
                Key.compared += 1
                return str.__eq__(self, other)

        value = {Key(f'k{number}'): 1 for number in range(500)}
        rest, errors = schema.pruned(value, self.RULES)
        self.assertEqual(({}, 500), (rest, len(errors)))
        self.assertLess(Key.compared, 10 * 500)

    def test_nothing_is_left_of_a_wrong_root(self):
        value, errors = schema.pruned([], {'type': 'object'})
        self.assertIsNone(value)
        self.assertEqual(1, len(errors))

    @hypothesis.given(OURS | JSON)
    def test_what_is_left_is_right(self, value):
        rules = esxischema.load()
        rest, errors = schema.pruned(value, rules)
        self.assertTrue(rest is None or not schema.errors(rest, rules))
        self.assertEqual(not errors, rest is not None and rest == value)


class TestShown(base.TestCase):

    def test_shown(self):
        for path, expected in (
                ((), ''), (('a', 1, 'b'), '.a[1].b'),
                (('/UserVars/X',), './UserVars/X'),
                (('a b\n',), r"['a b\n']"), (('x' * 99 + ' ',),
                                             f"['{'x' * 40}']")):
            with self.subTest(path=path):
                self.assertEqual(expected, schema.shown(path))


class TestOurs(base.TestCase):

    def test_it_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(esxischema.load())

    def test_it_uses_what_we_can_check(self):
        self.assertEqual(set(), keywords(esxischema.load())
                         - schema.KEYWORDS)

    def test_every_key_is_described(self):
        waiting = [('vmware_esxi', esxischema.load())]
        while waiting:
            name, rules = waiting.pop()
            with self.subTest(key=name):
                self.assertTrue(rules['title'] and rules['description'])
            waiting += rules.get('properties', {}).items()
            for one in rules.get('patternProperties', {}).values():
                waiting += one.get('properties', {}).items()

    def test_its_examples_are_right(self):
        for name, rules in esxischema.load()['properties'].items():
            for example in rules.get('examples', ()):
                with self.subTest(key=name):
                    self.assertEqual([], schema.errors(example, rules))
