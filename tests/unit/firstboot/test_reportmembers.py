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

"""A report's files: all that was gathered, and nothing that is secret."""

import json
import typing

from esxi_img.firstboot import reportanswers
from esxi_img.firstboot import reportmembers
from esxi_img.firstboot import reportmodel
from tests import base
from tests.unit.firstboot import test_reportanswers as parts
from tests.unit.firstboot import test_reportsecrets as secrets

R = secrets.R
KICKSTART = '''vmaccepteula
rootpw --iscrypted $6$a$Hunter22
%include /tmp/x.cfg
%pre --interpreter=busybox
Hunter22
Hunter22

%firstboot
%post
one
'''


class TestMembers(base.TestCase):

    def members(self, *files: tuple[str, str], anonymise: bool = False,
                **more: typing.Any) -> dict[str, str]:
        return reportmembers.members(parts.gathered(
            files=[parts.file(*one) for one in files], **more), anonymise)

    def report(self, **more: typing.Any) -> dict[str, typing.Any]:
        return json.loads(self.members(**more)['report.json'])

    def test_all_that_is_in_it(self) -> None:
        found = self.members(('/a/b.json', '{"a": 1}'), ('/c', ''),
                             (reportanswers.KEYS_FILE, secrets.KEY))
        self.assertEqual(['README.txt', 'report.json', 'files/a/b.json'],
                         list(found))
        report = json.loads(found['report.json'])
        self.assertEqual({'about', 'questions', 'commands', 'folders',
                          'files', 'notes'}, set(report))
        self.assertEqual(['/a/b.json', '/c', reportanswers.KEYS_FILE],
                         [one['path'] for one in report['files']])
        for name in report:
            self.assertIn(name, found['README.txt'] + 'about')

    def test_commands(self) -> None:
        told = [parts.said('network nic list', [{'Name': 'vmnic0'}]),
                reportmodel.Told(('a', '--password', 'Hunter22'), None, 15.0,
                                 'text', 'ended')]
        report = self.report(told=told)
        self.assertEqual(
            [{'argv': ['esxcli', '--formatter=json', 'network', 'nic',
                       'list'], 'status': 0, 'seconds': 0.1,
              'output': [{'Name': 'vmnic0'}], 'error': ''},
             {'argv': ['a', '--password', R], 'status': None,
              'seconds': 15.0, 'output': 'text', 'error': 'ended'}],
            report['commands'])

    def test_secrets_by_kind_of_file(self) -> None:
        for path, text, expected in (
                ('/a.json', '{"admin_pass": "Hunter22"}',
                 f'{{\n "admin_pass": "{R}"\n}}\n'),
                ('/a.json', '{"admin_pass": "Hunter22"',
                 f'{{"admin_pass": "{R}"'),
                ('/a.jsonl', '{"a": "password=Hunter22"}\n{"pass": Hunter22',
                 f'{{"a": "password={R}"}}\n{{"pass": {R}\n'),
                ('/a.out', 'a\nrootpw Hunter22\n', f'a\nrootpw {R}\n'),
                ('/KS.CFG', KICKSTART, f'''vmaccepteula
rootpw --iscrypted {R}
%include /tmp/x.cfg
%pre --interpreter=busybox
(3 lines)
%firstboot
(0 lines)
%post
(1 lines)
''')):
            with self.subTest(path=path, text=text[:20]):
                self.assertEqual(expected, self.members((path, text))[
                    f'files{path}'])

    def test_a_secret_of_the_drive_is_nowhere(self) -> None:
        """Wherever it got to, and whatever it is called there."""
        found = self.members(
            ('/a.out', 'said Hunt3r-of-it'), ('/b.json', '["Hunt3r-of-it"]'),
            ('/Hunt3r-of-it', 'x'),
            secrets=['{"admin_pass": "Hunt3r-of-it"}'],
            notes=['Hunt3r-of-it'], about={'host': 'Hunt3r-of-it'})
        self.assertNotIn('Hunt3r-of-it', repr(found))
        self.assertEqual(f'said {R}', found['files/a.out'])
        json.loads(found['report.json'])

    def test_deep_and_large(self) -> None:
        deep = '[' * 90_000
        found = self.members(('/a.json', deep), ('/a.jsonl', deep),
                             ('/b.json', '[' * 500 + ']' * 500),
                             ('/c.json', '9' * 9000), secrets=[deep])
        self.assertEqual(6, len(found))

    def test_other_names(self) -> None:
        told = [
            parts.said('system hostname get', {
                'Domain Name': 'example.org', 'Host Name': 'esx1',
                'Fully Qualified Domain Name': 'esx1.example.org'}),
            parts.said('system ntp get', {'Servers': ['ntp.example.net']}),
            parts.said('system syslog config get', {
                'Remote Host': 'tcp://log.example.com:514'}),
            parts.said('network ip dns search list', {
                'DNSSearch Domains': ['lab.example']})]
        text = ('esx1 at 192.0.2.9 52:54:00:00:00:0a esx1.example.org '
                'ntp.example.net lab.example log.example.com node7')
        given: dict[str, typing.Any] = {
            'told': told, 'about': {'host': 'esx1.example.org'}}
        files = (('/a.out', text), ('/esx1', 'x'),
                 ('/network.cfg', 'network --hostname=node7 --ip=192.0.2.9'))
        found = self.members(*files, **given)
        self.assertEqual(text, found['files/a.out'])
        found = self.members(*files, anonymise=True, **given)
        for word in (*text.split()[2:], 'esx1'):
            self.assertNotIn(word, repr(found))
        # The same everywhere.
        name = found['files/a.out'].split()[0]
        self.assertIn(f'files/{name}', found)
        self.assertIn(found['files/a.out'].split()[2],
                      found['files/network.cfg'])
        json.loads(found['report.json'])
