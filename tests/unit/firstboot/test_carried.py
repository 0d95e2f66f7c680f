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

"""What goes from the installer to first boot, and what never does."""

import dataclasses
import json
import unittest.mock

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import carried
from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import wishing
from tests import base
from tests.unit.firstboot import test_cloudconfig
from tests.unit.firstboot import test_jsonfile

SECRET = 'hunter2secret'
KEY = 'ssh-ed25519 ' + 'A' * 68 + ' me'
SECRETS = {
    'password': SECRET,
    'chpasswd': {'list': ['root:' + SECRET],
                 'users': [{'name': 'root', 'password': SECRET}]},
    'random_seed': SECRET,
    'ssh_keys': {'ed25519_private': SECRET},
    'passwd': SECRET,
    'users': [{'name': 'bob', 'passwd': SECRET, 'hashed_passwd': SECRET,
               'hashed-passwd': SECRET, 'plain_text_passwd': SECRET,
               'plain-text-passwd': SECRET, 'x': SECRET}],
    'vmware_esxi': {'license': SECRET, 'licence': SECRET},
    'ntp': {'config': {'template': SECRET}},
    'phone_home': {'url': 'https://x', 'token': SECRET},
    'write_files': [{'path': '/etc/x', 'source': {
        'uri': SECRET, 'headers': {'Authorization': SECRET}}}],
    'rsyslog': {'remotes': SECRET}}
# All that means something, and so has to arrive.
FULL = {
    'hostname': 'one', 'fqdn': 'one.example.com',
    'prefer_fqdn_over_hostname': True, 'preserve_hostname': False,
    'ssh_authorized_keys': [KEY], 'ssh_pwauth': True, 'disable_root': True,
    'users': ['default', 'al,ed', ['flo'],
              {'name': 'bob', 'gecos': 'Bob', 'sudo': 'ALL=(ALL) ALL',
               'ssh-authorized-keys': [KEY], 'lock_passwd': True},
              {'name': 'cat', 'groups': ['wheel'],
               'ssh_authorized_keys': [KEY]}],
    'ntp': {'enabled': True, 'servers': ['192.0.2.1'], 'pools': ['a.b']},
    'write_files': [
        {'path': '/etc/motd', 'content': 'eA==', 'encoding': 'b64',
         'permissions': '0600', 'owner': 'root:root', 'append': True},
        {'path': '/etc/issue', 'source': {'uri': 'http://x'}},
        {'path': '/etc/issue', 'source': 'http://x'}],
    'bootcmd': ['a'], 'runcmd': [['b', 'c']],
    'phone_home': {'url': 'https://x', 'post': ['hostname'], 'tries': 2},
    'final_message': 'done',
    'power_state': {'mode': 'reboot', 'delay': '+2', 'message': 'bye',
                    'condition': True},
    'vmware_esxi': {
        'syslog': ['tcp://192.0.2.1'],
        'advanced_settings': {'/Net/FollowHardwareMac': 1},
        'kernel_settings': {'a': '1'}, 'firewall': {'sshServer': True},
        'vswitch': {'vSwitch0': {'promiscuous': True}}, 'datastore': 'x',
        'ssh': True, 'shell': False, 'maintenance_mode': True,
        'script_timeout': 5}}


def again(found: cloudconfig.Gathered) -> cloudconfig.Gathered:
    return carried.from_json(json.loads(json.dumps(carried.to_json(found))))


def gathered(user: dict, vendor: dict) -> cloudconfig.Gathered:
    found = cloudconfig.gather({
        'user_data': json.dumps(user).encode(),
        'vendor_data.json': json.dumps(
            '#cloud-config\n' + json.dumps(vendor)).encode()})
    assert (found.user, found.vendor) == (user, vendor)
    return found


class TestCarried(base.TestCase):

    def test_all_that_counts_arrives(self) -> None:
        for user, vendor in ((FULL, {}), ({}, FULL), ({}, {}),
                             ({'users': {'bob': FULL['users'][3],
                                         'al': True, 'ed': 'no'}}, {}),
                             ({'users': 'al,ed'}, {'ntp': None})):
            found = gathered(user, vendor)
            before, _ = wishing.wishes(found)
            after, _ = wishing.wishes(again(found))
            self.assertEqual(before, after)
        wishes, _ = wishing.wishes(gathered(FULL, {}))
        for field in dataclasses.fields(wishes):
            if field.name not in ('vendor_name', 'password',
                                  'vendor_password', 'preserve_hostname'):
                self.assertTrue(getattr(wishes, field.name), field.name)

    def test_every_key_that_is_known_is_thought_of(self) -> None:
        self.assertEqual({'chpasswd', 'password'},
                         wishing.KNOWN - set(carried._KEYS))
        self.assertEqual(set(), set(carried._KEYS) - wishing.KNOWN)

    def test_scripts_and_problems(self) -> None:
        found = cloudconfig.gather({
            'user_data': b'#!\xff\x00\r\n',
            'vendor_data.json': b'["#!x", "hello"]'})
        self.assertTrue(found.vendor_scripts and found.user_scripts)
        self.assertEqual(3 - 1, len(found.problems))
        self.assertEqual(found, again(found))

    def test_no_secret(self) -> None:
        for user, vendor in ((SECRETS, {}), ({}, SECRETS)):
            found = gathered(user, vendor)
            self.assertIn(SECRET, json.dumps([found.user, found.vendor]))
            self.assertNotIn(SECRET, json.dumps(carried.to_json(found)))
        for key in ('users', 'vmware_esxi', 'ntp', 'phone_home',
                    'power_state', 'write_files'):
            inner = [{SECRET: SECRET}] if key == 'write_files' else {
                SECRET: SECRET}
            text = json.dumps(carried.to_json(gathered({key: inner}, {})))
            if key != 'users':
                self.assertNotIn(SECRET, text, key)
        users = {'bob': SECRET, 'al': {'passwd': SECRET}}
        self.assertNotIn(SECRET, json.dumps(carried.to_json(
            gathered({'users': users}, {}))))

    def test_secrets_in_yaml_that_is_mistyped(self) -> None:
        private = (f'-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n'
                   '-----END OPENSSH PRIVATE KEY-----\n')
        for users in ([[{'name': 'a', 'passwd': SECRET}]],
                      [[[SECRET]], [['a', {'passwd': SECRET}]]],
                      [{'name': 'a', 'ssh_authorized_keys': [private]}],
                      [{'name': 'a', 'ssh-authorized-keys': private}],
                      {'a': {'ssh_authorized_keys': [private]}},
                      [{'name': 'a', 'ssh_authorized_keys': [
                          {'passwd': SECRET}]}]):
            with self.subTest(users):
                self.assertNotIn(SECRET, json.dumps(carried.to_json(
                    gathered({'users': users}, {}))))
        for keys in (private, [private], [KEY, f'{KEY}\n{private}'],
                     {'passwd': SECRET}, [[SECRET]], [{'passwd': SECRET}]):
            with self.subTest(keys):
                self.assertNotIn(SECRET, json.dumps(carried.to_json(
                    gathered({'ssh_authorized_keys': keys}, {}))))

    def test_keys_stay_where_they_stood(self) -> None:
        doubtful = 'ssh-rsa BBBB'
        found = gathered({'ssh_authorized_keys': [
            'x', None, f'# {SECRET}\n{KEY}\r\nx\n{doubtful}\n\nx\n',
            f'\0\n{KEY}', 7]}, {})
        kept = again(found)
        self.assertEqual(
            ['', '', f'\n{KEY}\r\n\n{doubtful}', '', ''],
            kept.user['ssh_authorized_keys'])
        before, said = wishing.wishes(found)
        after, later = wishing.wishes(kept)
        self.assertEqual(before, after)
        self.assertEqual(2, len(after.ssh_keys))
        self.assertEqual(1, len(later))
        self.assertLessEqual(set(later), set(said))

    def test_first_boot_finds_no_other_problems(self) -> None:
        """So that those of both are each told once."""
        for found in (gathered(FULL, SECRETS), gathered(SECRETS, FULL),
                      gathered({'users': [7, [7, 'a', {}], None, {}],
                                'ntp': 'x', 'write_files': [7, []]}, {}),
                      *(cloudconfig.gather(test_cloudconfig.files(case))
                        for case in test_cloudconfig.USERDATA.iterdir())):
            self.assertLessEqual(set(wishing.wishes(again(found))[1]),
                                 set(wishing.wishes(found)[1]))

    def test_the_file(self) -> None:
        for text in ('\U0001f600' * 9, 'a\ud800b\udc80', '\ud83d\ude00', 'x'):
            found = cloudconfig.Gathered(user={'final_message': text})
            data, problems = carried.encode(found)
            self.assertEqual((), problems)
            self.assertEqual(found, carried.decode(data))
            # No escapes of six bytes for each.
            self.assertLess(len(data), 120 + 4 * len(text))

    def test_no_larger_file_than_allowed(self) -> None:
        one = {'runcmd': ['\U0001f600' * 1000] * 9}
        found = cloudconfig.Gathered(user=one, problems=(
            carried.Problem('a', 'b'),))
        size = len(carried.encode(found)[0])
        with unittest.mock.patch.object(carried, 'LIMIT', size):
            self.assertEqual(found, carried.decode(carried.encode(found)[0]))
        with unittest.mock.patch.object(carried, 'LIMIT', size - 1):
            data, problems = carried.encode(found)
        self.assertEqual(1, len(problems))
        self.assertEqual(cloudconfig.Gathered(problems=problems),
                         carried.decode(data))

    def test_what_is_far_too_large_is_not_written_out_first(self) -> None:
        text = 'x' * (1 << 20)
        found = cloudconfig.Gathered(user={'runcmd': [text] * 100_000})
        data, problems = carried.encode(found)
        self.assertEqual((1, True), (len(problems), len(data) < 1000))

    def test_a_file_that_is_damaged(self) -> None:
        for data in (None, b'', b'{', b'\xff', b'[' * 100_000):
            self.assertIn('damaged', carried.decode(data).problems[0].message)

    def test_what_is_no_object(self) -> None:
        for key in ('vmware_esxi', 'ntp', 'phone_home', 'power_state'):
            self.assertNotIn(SECRET, json.dumps(carried.to_json(
                gathered({key: SECRET}, {}))))

    def test_what_was_not_meant_to_be_there_is_left_out(self) -> None:
        self.assertEqual({}, carried.from_json(
            {'user': {'password': SECRET}}).user)

    def test_damaged(self) -> None:
        empty = cloudconfig.Gathered()
        for value in (
                None, 7, [], '', {}, {'user': 7}, {'vendor': []},
                {'user_scripts': {}}, {'user_scripts': [7, {}, None]},
                {'user_scripts': [{'where': 'x', 'content': '!'}]},
                {'user_scripts': [{'where': 'x', 'content': 'eA'}]},
                {'user_scripts': [{'where': 'x', 'content': 'ä'}]},
                {'user_scripts': [{'where': 7, 'content': 'eA=='}]},
                {'problems': [7, ['a'], ['a', 7], ['a', 'b', 'c']]}):
            with self.subTest(value=value):
                self.assertEqual(empty, carried.from_json(value))

    @hypothesis.given(test_jsonfile.VALUES, strategies.sampled_from(
        ['user', 'vendor', 'user_scripts', 'vendor_scripts', 'problems']),
        strategies.sampled_from(sorted(carried._KEYS)))
    def test_anything(self, value: object, name: str, key: str) -> None:
        for one in (value, {name: value}, {name: [value, [value, value]]},
                    {name: {key: value}}, {name: {key: [value]}}):
            found = carried.from_json(one)
            self.assertEqual(found, again(found))

    def test_every_case(self) -> None:
        for case in test_cloudconfig.USERDATA.iterdir():
            found = cloudconfig.gather(test_cloudconfig.files(case))
            with self.subTest(case=case.name):
                before, _ = wishing.wishes(found)
                after, _ = wishing.wishes(again(found))
                self.assertEqual(before, after)
