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

"""esxi-img-plan: from files to an outcome, and from errors to codes."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

from esxi_img.cmd import plan
from esxi_img import errors
from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from tests import base
from tests.unit import test_recipe

MAC = '52:54:00:00:00:01'
SECRET = 'Hunter22!'
META = {'uuid': 'a2d5a8d2-8bd4-4f0b-9d4f-000000000001',
        'hostname': 'node-1.example.org', 'admin_pass': SECRET}
NETWORK = {
    'links': [{'id': 'eth0', 'type': 'phy', 'ethernet_mac_address': MAC}],
    'networks': [{
        'id': 'net0', 'type': 'ipv4', 'link': 'eth0',
        'ip_address': '192.0.2.10', 'netmask': '255.255.255.0',
        'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0',
                    'gateway': '192.0.2.1'}]}],
    'services': [{'type': 'dns', 'address': '192.0.2.53'}]}
NICS = [{'name': 'vmnic7', 'mac': MAC, 'up': True}]
EXAMPLE = (pathlib.Path(__file__).parents[2] / 'docs' / 'source' / 'user'
           / 'example')


def printed(*argv):
    """What the command prints; it has to succeed."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        code = plan._main([str(word) for word in argv])
    assert code == 0
    return stream.getvalue()


class PlanTests(base.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = self.tmp()
        self.drive = str(self.folder / 'drive')
        latest = self.folder / 'drive' / 'openstack' / 'latest'
        latest.mkdir(parents=True)
        (latest / 'meta_data.json').write_text(json.dumps(META))
        (latest / 'network_data.json').write_text(json.dumps(NETWORK))

    def file(self, content, name='given'):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str)
                            else json.dumps(content))
        return str(path)

    def said(self, *argv):
        text = printed(*argv, self.drive)
        self.assertTrue(text.isascii())
        self.assertNotIn(SECRET, text)
        return text

    def thought(self, *argv):
        """What the thinking is given: NICs, facts and settings."""
        with mock.patch.object(plan.think, 'outcome_of',
                               wraps=plan.think.outcome_of) as thinking:
            self.said(*argv)
        _, *rest = thinking.call_args[0]
        return rest

    def refused(self, error, *argv):
        with self.assertRaises(error) as caught:
            self.said(*argv)
        told = '\n'.join(caught.exception.problems)
        self.assertNotIn(SECRET, told)
        return told

    def test_text(self):
        text = self.said()
        at = [text.index(part) for part in (
            'plan ', 'node-1.example.org', META['uuid'],
            'admin_pass of the drive', '\nkickstart\n', '\nnetwork\n',
            f'uplink vmnic0: {MAC}', 'IPv4 192.0.2.10/24',
            'default route by 192.0.2.1', 'DNS servers 192.0.2.53',
            '\nsteps\n', '\nproblems\n')]
        self.assertEqual(sorted(at), at)

    def test_json(self):
        text = self.said('--json')
        told = json.loads(text)
        self.assertTrue(text.startswith('{\n  "plan_id": "'))
        self.assertTrue(text.endswith('\n}\n'))
        self.assertEqual(
            ['plan_id', 'problems', 'identity', 'network', 'fallback',
             'kickstart', 'steps'], list(told))
        self.assertEqual(
            ('node-1.example.org', 'admin_pass', [MAC], '192.0.2.1', False),
            (told['identity']['hostname'], told['identity']['root_password'],
             told['network']['vswitches'][0]['uplink_macs'],
             told['network']['gateway4'], told['fallback']))
        self.assertEqual(text, self.said('--json'))
        self.assertIn(told['plan_id'], self.said())

    def test_problems_are_no_error(self):
        self.file('{', 'drive/openstack/latest/network_data.json')
        told = json.loads(self.said('--json'))
        self.assertEqual(True, told['fallback'])
        self.assertIn('network_data.json',
                      [one['where'] for one in told['problems']])

    def test_settings(self):
        hash_file = self.file(test_recipe.HASH + '\n')
        for argv, wanted in (
                ((), model.Settings()),
                (('--only-management',), model.Settings(True)),
                (('--no-ssh',), model.Settings(ssh=False)),
                (('--no-shell', '--ssh'), model.Settings(shell=False)),
                (('--root-password-hash-file', hash_file),
                 model.Settings(root_hash=True))):
            self.assertEqual(wanted, self.thought(*argv)[2], argv)

    def test_where_the_nics_come_from(self):
        installed = self.file(facts.as_json(host.Host(
            version='8.0.3', nics=(host.Nic('vmnic3', MAC),))), 'facts')
        bare = self.file({'version': '8.0.3'}, 'bare')
        listed = self.file(NICS)
        made_up = host.Nic('vmnic0', MAC, True, 'eth0')
        given = host.Nic('vmnic7', MAC, True)
        there = host.Nic('vmnic3', MAC)
        for argv, nic, version in (
                ((), made_up, None),
                (('--nics', listed), given, None),
                (('--installed', installed), there, '8.0.3'),
                (('--installed', bare), made_up, '8.0.3'),
                (('--installed', installed, '--nics', listed), given,
                 '8.0.3')):
            nics, known, *_ = self.thought(*argv)
            self.assertEqual((nic,), nics, argv)
            self.assertEqual(version, known and known.version, argv)
            if known:
                self.assertEqual(nics, known.nics, argv)

    def test_encodings_of_a_list_of_nics(self):
        text = json.dumps(NICS)
        for data in (text.encode(), text.encode('utf-8-sig'),
                     text.encode('utf-16')):
            nics, *_ = self.thought('--nics', self.file(data))
            self.assertEqual((host.Nic('vmnic7', MAC, True),), nics)

    def test_odd_facts_are_a_problem_of_the_plan(self):
        path = self.file({'colour': 'red'})
        told = json.loads(self.said('--json', '--installed', path))
        self.assertEqual(
            {'where': f'{path}:facts', 'message': "unknown key 'colour'"},
            told['problems'][0])

    def test_files_that_cannot_be_used(self):
        for argv, parts in (
                (('--nics', '/nonexistent/nics'), ('/nonexistent/nics: no',)),
                (('--nics', self.file('no table')),
                 ('given: line 1 is no row',)),
                (('--nics', self.file(b'\xff\xfe\xff')), ('given: ',)),
                (('--nics', self.file('[]', 'empty')),
                 ('empty: names no NIC',)),
                (('--installed', '/nonexistent/x'), ('/nonexistent/x: no',)),
                (('--installed', self.file(f'{{"{SECRET}', 'cut')),
                 ('cut: not JSON',)),
                (('--installed', self.file({'ssh': 7, 'shell': 8}, 'odd')),
                 ('odd: ssh: 7 is', 'odd: shell: 8 is')),
                (('--root-password-hash-file', self.file(SECRET, 'hash')),
                 ('hash: not one line of the form $6$',))):
            told = self.refused(errors.InputError, *argv)
            for part in parts:
                self.assertIn(part, told)

    def test_no_config_drive(self):
        for path in ('/nonexistent/drive', '/dev/null', '/bin/sh',
                     str(self.tmp())):
            self.drive = path
            self.assertIn(path, self.refused(errors.InputError))

    def test_usage(self):
        for argv, part in (
                (('other',), 'unrecognized'), (('--nic', 'x'), '--nic'),
                (('--format', 'raw'), '--format'),
                (('--root-password-hash-file', '$6$a$b'), 'not the hash')):
            self.assertIn(part, self.refused(errors.RequestError, *argv))
        with self.assertRaises(errors.RequestError):
            plan._main([])


class ExampleTests(base.TestCase):
    """What the documentation shows is what the command does."""

    def compare(self, name, *argv):
        text = printed(*argv, EXAMPLE / 'config-drive')
        path = EXAMPLE / name
        if os.environ.get('ESXI_IMG_UPDATE_GOLDEN'):
            path.write_text(text)
        self.assertEqual(path.read_text(), text)

    def test_text(self):
        self.compare('plan.out')

    def test_json(self):
        self.compare('plan.json', '--json')

    def test_installed(self):
        path = EXAMPLE / 'installed.json'
        value = json.loads(path.read_text())
        known, problems = facts.from_json(value)
        self.assertEqual((value, ()), (facts.as_json(known), problems))
        told = json.loads(printed('--json', '--installed', path,
                                  EXAMPLE / 'config-drive'))
        self.assertEqual([], told['problems'])


class ProgramTests(base.TestCase):

    def test_exit_codes(self):
        folder = self.tmp()
        for name in ('empty', 'drive'):
            (folder / name).mkdir()
        (folder / 'drive' / 'meta_data.json').write_text('{}')
        for argv, code in ((['--help'], 0), (['--version'], 0),
                           (['drive'], 0), (['drive', '--json'], 0),
                           ([], 2), (['--bogus', 'drive'], 2),
                           (['empty'], 3), (['empty', '--debug'], 3),
                           (['drive', '--nics', 'none'], 3)):
            done = subprocess.run(
                [sys.executable, '-m', 'esxi_img.cmd.plan', *argv],
                cwd=folder, capture_output=True, text=True)
            self.assertEqual(code, done.returncode, (argv, done.stderr))
            # Results go to standard output, everything else does not.
            self.assertEqual(not code, bool(done.stdout))
            self.assertEqual(bool(code), done.stderr.startswith((
                'error: ', 'Traceback')), argv)
            self.assertEqual('--debug' in argv,
                             'Traceback' in done.stderr)
