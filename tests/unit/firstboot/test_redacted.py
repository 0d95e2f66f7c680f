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
import typing

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import drive
from esxi_img.firstboot import metadata
from esxi_img.firstboot import model
from esxi_img.firstboot import reading
from esxi_img.firstboot import redacted
from tests import base
from tests.unit.firstboot import acting

CORPUS = base.FIXTURES / 'corpus'
CASES = [CORPUS / case['path'] for case in json.loads(
    (CORPUS / 'manifest.json').read_text())['cases']]
KEYS = ('links', 'networks', 'services', 'id', 'name', 'type', 'mtu',
        'ethernet_mac_address', 'vlan_mac_address', 'vlan_link', 'vlan_id',
        'bond_links', 'bond_mode', 'link', 'ip_address', 'netmask',
        'gateway', 'routes', 'network', 'dns_nameservers', 'dns_search',
        'address', 'password', 'x')
VALUES = strategies.recursive(
    strategies.sampled_from([
        None, True, 1500, 100, 'a', 'b', 'phy', 'vlan', 'bond', 'ipv4',
        '192.0.2.1', '192.0.2.0/24', '255.255.255.0', 'dns', 'x.org',
        '52:54:00:00:00:01']),
    lambda some: strategies.lists(some, max_size=3)
    | strategies.dictionaries(strategies.sampled_from(KEYS), some,
                              max_size=6), max_leaves=20)


def of_files(files: typing.Mapping[str, bytes]) -> model.Model:
    return reading.model_of(drive.Drive('folder', None, 'latest', files))


def said(files: typing.Mapping[str, bytes]) -> dict[str, bytes]:
    return redacted.redacted(files, of_files(files).identity)


class TestRedacted(base.TestCase):

    def assert_same(self, files: typing.Mapping[str, bytes]
                    ) -> dict[str, bytes]:
        """What is left says the same, but who may log in by password."""
        left = said(files)
        before, after = of_files(files), of_files(left)
        self.assertEqual(before.network, after.network)
        identity = before.identity
        self.assertEqual(model.Identity(
            identity.instance_id, identity.hostname, identity.ssh_keys),
            after.identity)
        self.assertEqual(left, said(left))
        self.assertLessEqual(set(left),
                             {'meta_data.json', 'network_data.json'})
        return left

    def test_corpus(self) -> None:
        self.assertGreater(len(CASES), 30)
        for case in CASES:
            with self.subTest(case.relative_to(CORPUS)):
                self.assert_same(drive.read(str(case)).files)

    def test_real_drive(self) -> None:
        files = drive.read(str(base.FIXTURES / 'drives/full-metadata')).files
        meta = json.loads(files['meta_data.json'])
        left = b''.join(self.assert_same(files).values()).decode()
        for key in ('admin_pass', 'random_seed', 'project_id'):
            self.assertIn(key, meta)
            self.assertNotIn(str(meta[key]), left)
            self.assertNotIn(key, left)

    def test_no_secret(self) -> None:
        left = b''.join(self.assert_same(acting.FILES).values()).decode()
        for secret in acting.SECRETS:
            self.assertNotIn(secret, left)
        self.assertEqual(
            {'uuid', 'hostname', 'public_keys'},
            set(json.loads(said(acting.FILES)['meta_data.json'])))

    def test_what_stands_beside(self) -> None:
        network = {**acting.NETWORK, 'secret-key': 1}
        network['links'] = [{**network['links'][0], 'vif': {'id': 'hush'},
                             'secret-key': [{'id': 'hush'}]}]
        left = self.assert_same({'network_data.json': json.dumps(
            network).encode()})['network_data.json']
        self.assertNotIn(b'hush', left)
        self.assertNotIn(b'secret-key', left)

    def test_files_that_are_none(self) -> None:
        for content in (b'', b'hush', b'"hush"', b'["hush"]', b'7', b'null',
                        b'{"a": "hush"', b'\xff\xfe', b'[' * 5000):
            with self.subTest(content[:9]):
                left = said({'meta_data.json': content,
                             'network_data.json': content})
                self.assertEqual(
                    {'uuid': None, 'hostname': None, 'public_keys': []},
                    json.loads(left['meta_data.json']))
                self.assertNotIn('network_data.json', left)

    def test_no_files(self) -> None:
        self.assertEqual({'meta_data.json'}, set(self.assert_same({})))

    def test_odd_texts(self) -> None:
        files = {'meta_data.json': json.dumps({
            'uuid': '"\\', 'hostname': 'b\xfc\u20ac', 'public_keys': [
                f'no-pty,command="a b" ssh-rsa {"B" * 40} \xe4 b']}).encode()}
        left = self.assert_same(files)
        self.assertTrue(left['meta_data.json'].isascii())

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(strategies.dictionaries(
        strategies.sampled_from(KEYS), VALUES, max_size=6))
    def test_anything(self, network: dict[str, typing.Any]) -> None:
        files = {'network_data.json': json.dumps(network).encode()}
        left = said(files)
        self.assertEqual(of_files(files).network, of_files(left).network)


class TestMetadata(base.TestCase):

    def test_keys_as_a_list_are_read(self) -> None:
        """What redacted() writes is what metadata.parse() knows."""
        identity, problems = metadata.parse(json.loads(
            said(acting.FILES)['meta_data.json']))
        self.assertEqual((acting.described().ssh_keys, ()),
                         (identity.ssh_keys, problems))
