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

"""What a drive's user data and vendor data come to, as in cloud-init.

Each ``expect.json`` is what cloud-init says; see functional/cloud_init.py.
"""

import json
import pathlib

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import cloudconfig
from tests import base

CORPUS = base.FIXTURES / 'corpus'
USERDATA = base.FIXTURES / 'userdata'
EXPECTED = 'expect.json'
MARKER = 'hunter2marker'
CONFIG = '#cloud-config\n'
VENDOR = cloudconfig.VENDOR
VENDOR2 = cloudconfig.VENDOR2


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes()
            for name in (cloudconfig.USER, VENDOR, VENDOR2)
            if (folder / name).exists()}


def shown(found: cloudconfig.Gathered) -> dict:
    return {
        'user': found.user, 'vendor': found.vendor,
        'merged': cloudconfig.over(found.user, found.vendor),
        'user_scripts': [one.content.decode() for one in found.user_scripts],
        'vendor_scripts': [one.content.decode()
                           for one in found.vendor_scripts]}


def gather(user: str = '', vendor: object = None, vendor2: object = None
           ) -> cloudconfig.Gathered:
    return cloudconfig.gather({
        cloudconfig.USER: user.encode(),
        VENDOR: json.dumps(vendor).encode(),
        VENDOR2: json.dumps(vendor2).encode()})


def odd(found: cloudconfig.Gathered) -> list[tuple[str, str]]:
    return [(one.where, one.message) for one in found.problems]


class TestAsCloudInit(base.TestCase):

    def test_every_case(self) -> None:
        cases = sorted(path for path in USERDATA.iterdir())
        self.assertGreater(len(cases), 40)
        for case in cases:
            with self.subTest(case=case.name):
                self.assertEqual(
                    json.loads((case / EXPECTED).read_text()),
                    shown(cloudconfig.gather(files(case))))

    def test_of_what_there_is_no_use_there_is_a_problem(self) -> None:
        found = {path.name: [one.where for one in cloudconfig.gather(
            files(path)).problems] for path in USERDATA.iterdir()}
        self.assertEqual(
            {**{name: ['user_data'] for name in (
                'config-broken', 'config-list', 'config-tabs',
                'config-two-documents', 'config-unknown-tag', 'script-crlf',
                'unknown')},
             **dict.fromkeys(('mime', 'mime-gzip'), ['user_data:part[6]']),
             'mime-crlf': [f'user_data:part[{n}]' for n in (1, 3, 6)]},
            {name: where for name, where in found.items() if where})


class TestGather(base.TestCase):

    def test_the_corpus(self) -> None:
        """No vendor data of the corpus is meant for cloud-init."""
        count = 0
        for path in CORPUS.rglob('vendor_data*.json'):
            count += 1
            self.assertEqual(cloudconfig.Gathered(), cloudconfig.gather(
                {path.name: path.read_bytes()}))
        self.assertGreater(count, 10)
        found = cloudconfig.gather(files(
            CORPUS / 'nova-generated' / 'full-metadata'))
        self.assertEqual({'hostname', 'ntp', 'runcmd'}, set(found.user))

    def test_nothing(self) -> None:
        self.assertEqual(cloudconfig.Gathered(), cloudconfig.gather({}))

    def test_services_of_nova(self) -> None:
        """What a service says counts, what the first file said does not."""
        static = {'cloud-init': ['#!static', CONFIG + 'hostname: static']}
        found = gather('', static, {
            'static': static,
            'inventory': {'cloud-init': CONFIG + 'hostname: inventory'},
            'a service': {'cloud-init': 7}, 'else': {'x': 'y'}})
        self.assertEqual({'hostname': 'inventory'}, found.vendor)
        self.assertEqual(['vendor_data.json:cloud-init[0]'],
                         [one.where for one in found.vendor_scripts])
        self.assertEqual([("vendor_data2.json:'a service'.cloud-init",
                           'a number where a string or a list should be')],
                         odd(found))
        found = gather('', None, {
            'cloud-init': CONFIG + 'hostname: own',
            'inventory': {'cloud-init': CONFIG + 'hostname: inventory'}})
        self.assertEqual({'hostname': 'own'}, found.vendor)

    def test_vendor_data_of_others(self) -> None:
        for value in (None, 7, True, {}, {'a': CONFIG}, [], [1, {}], '',
                      {'cloud-init': None}, {'static': {'a': 1}}):
            with self.subTest(value=value):
                self.assertEqual(cloudconfig.Gathered(),
                                 gather('', value, value))

    def test_vendor_data_that_cannot_be_read(self) -> None:
        found = cloudconfig.gather({VENDOR: b'{', VENDOR2: b'\xff'})
        self.assertEqual([VENDOR, VENDOR2],
                         [one.where for one in found.problems])
        self.assertEqual([('vendor_data.json:cloud-init', (
            'an object where a string or a list should be'))],
            odd(gather('', {'cloud-init': {'cloud-init': CONFIG}})))

    def test_paths(self) -> None:
        found = gather('', ['hello', '#!x'], {'cloud-init': ['hello2']})
        self.assertEqual(['vendor_data.json:[0]',
                          'vendor_data2.json:cloud-init[0]'],
                         [one.where for one in found.problems])

    def test_merge_how(self) -> None:
        for key in ('merge_how', 'merge_type'):
            found = gather(f'{CONFIG}{key}: list(append)\nhostname: one\n')
            self.assertEqual({'hostname': 'one'}, found.user)
            self.assertIn(f'{key} is not supported', odd(found)[0][1])

    def test_vendor_data_refused(self) -> None:
        vendor = CONFIG + 'hostname: theirs'
        for word, refused in (
                ('false', True), ('"No"', True), ('0', True), ('~', True),
                ('true', False), ('"on"', False), ('1', False)):
            with self.subTest(word=word):
                found = gather(f'{CONFIG}vendor_data: {{enabled: {word}}}',
                               [vendor, '#!x'])
                self.assertEqual(refused, not found.vendor)
                self.assertEqual(refused, not found.vendor_scripts)
                self.assertEqual(({}, ()), (found.user, found.problems))
        found = gather(CONFIG + 'vendor_data: off', vendor)
        self.assertEqual({}, found.vendor)
        self.assertEqual('user_data:vendor_data', odd(found)[0][0])
        found = gather(CONFIG + 'vendor_data: {prefix: x}', vendor)
        self.assertEqual({'hostname': 'theirs'}, found.vendor)
        self.assertEqual('nothing but enabled is supported',
                         odd(found)[0][1])

    def test_shows_nothing(self) -> None:
        found = gather(f'{CONFIG}password: {MARKER}', [
            f'#!{MARKER}', f'{CONFIG}password: {MARKER}'])
        self.assertEqual({'password': MARKER}, found.vendor)
        self.assertNotIn(MARKER, repr(found))

    @hypothesis.given(
        strategies.binary() | strategies.text().map(str.encode),
        strategies.recursive(
            strategies.none() | strategies.integers()
            | strategies.text(max_size=9)
            | strategies.sampled_from([CONFIG + 'a: b', '#!x', MARKER]),
            lambda inner: strategies.lists(inner, max_size=3)
            | strategies.dictionaries(
                strategies.sampled_from(['cloud-init', 'static', 'a']),
                inner), max_leaves=8))
    def test_anything(self, data: bytes, value: object) -> None:
        vendor = json.dumps(value).encode()
        found = cloudconfig.gather({
            cloudconfig.USER: data, VENDOR: vendor, VENDOR2: vendor})
        json.dumps([found.user, found.vendor], allow_nan=False).encode()
        self.assertNotIn(MARKER, repr(found))


class TestOver(base.TestCase):

    def test_over(self) -> None:
        for first, second, expected in (
                ({}, {'a': 1}, {'a': 1}), ({'a': 2}, {'a': 1}, {'a': 2}),
                ({'a': None}, {'a': 1}, {'a': None}),
                ({'a': [1]}, {'a': [2, 3]}, {'a': [1]}),
                ({'a': {'b': 1}}, {'a': {'b': 2, 'c': 3}},
                 {'a': {'b': 1, 'c': 3}}),
                ({'a': {'b': {}}}, {'a': {'b': {'c': 3}}},
                 {'a': {'b': {'c': 3}}}),
                ({'a': 'x'}, {'a': {'b': 2}}, {'a': 'x'}),
                ({'a': {'b': 2}}, {'a': 'x'}, {'a': {'b': 2}})):
            with self.subTest(first=first, second=second):
                self.assertEqual(expected, cloudconfig.over(first, second))

    def test_changes_neither(self) -> None:
        first, second = {'a': {'b': 1}}, {'a': {'c': 2}, 'd': 3}
        cloudconfig.over(first, second)
        self.assertEqual(({'a': {'b': 1}}, {'a': {'c': 2}, 'd': 3}),
                         (first, second))
