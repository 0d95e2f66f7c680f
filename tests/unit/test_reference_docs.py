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

"""The reference pages list what the code has: no more, and no less."""

import collections.abc
import contextlib
import io
import json
import pathlib
import re
import shutil
import typing

from esxi_img.cmd import plan
from esxi_img import errors
from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import log
from esxi_img.firstboot import model
from esxi_img.firstboot import outcome
from esxi_img.firstboot import place
from esxi_img.firstboot import records
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.kickstart import sections
from tests import base
from tests import listtables

SOURCE = pathlib.Path(__file__).parents[2] / 'docs' / 'source'
EXAMPLE = SOURCE / 'user' / 'example'
STATUSES = {records.RUNNING, records.OK, records.PARTIAL, records.FAILED}
RESULTS = {records.OK, records.SAME, records.FAILED, records.TIMEOUT,
           records.SKIPPED, records.UNDONE, records.UNDO_FAILED}

# One of each kind: a file, a script, a call home, a password of ours.
USER_DATA = b'''#cloud-config
users: [{name: ops, ssh_authorized_keys: ["ssh-rsa AAAAB3NzaC1yc2EAAAADAQA"]}]
write_files: [{path: /vmfs/volumes/datastore1/a, content: b}]
runcmd: [date]
phone_home: {url: "http://192.0.2.1/"}
'''


def paths(value: typing.Any, path: str = ''
          ) -> collections.abc.Iterator[str]:
    """The keys of a JSON value: ``a.b``, and ``a[].b`` in a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            name = f'{path}.{key}' if path else key
            yield name
            yield from paths(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f'{path}[]')


def leaves(*values: typing.Any) -> set[str]:
    """Those of all values, but for what only holds other keys."""
    found = {one for value in values for one in paths(value)}
    return {one for one in found if one in OPTIONAL or not any(
        other.startswith((f'{one}.', f'{one}[]')) for other in found)}


# What may be null, or missing, and is told as a whole, too.
OPTIONAL = {'network.vmks[].ipv4', 'steps[].probe', 'steps[].file',
            'steps[].report'}


class ReferenceDocs(base.TestCase):

    def page(self, name: str) -> dict[str, str]:
        return listtables.sections(
            (SOURCE / 'reference' / name).read_text())

    def assert_table(self, found: collections.abc.Iterable[str],
                     text: str) -> None:
        """The first table of a text has these keys, each once."""
        self.assertEqual(sorted(found), sorted(listtables.keys(
            listtables.tables(text)[0])))


class TestState(ReferenceDocs):

    def setUp(self) -> None:
        super().setUp()
        self.sections = self.page('state.rst')
        folder = self.tmp()
        kept = records.Records(str(folder), 'i', '1')
        kept.begin('p', [model.Problem('here', 'this')])
        kept.step(steps.Step('a', ('b',)), records.OK, 0, 1.0)
        kept.end(records.OK)
        self.state = json.loads((folder / records.STATE).read_text())
        self.entry = json.loads((folder / records.JOURNAL).read_text())

    def test_state(self) -> None:
        self.assert_table(paths(self.state), self.sections['state.json'])

    def test_journal(self) -> None:
        note, _ = records.fitted([self.entry] * 9, 700, 1)[:2]
        self.assertEqual({'time', 'note'}, note.keys())
        self.assert_table({*self.entry, *note},
                          self.sections['journal.jsonl'])
        self.assertIn(f'{records.LIMIT >> 20} MiB',
                      self.sections['journal.jsonl'])
        self.assertIn(f'last {records._ERROR} characters',
                      self.sections['journal.jsonl'])

    def test_statuses_and_results(self) -> None:
        self.assert_table(STATUSES, self.sections['Status'])
        self.assert_table(RESULTS, self.sections['Results'])

    def test_these_are_all(self) -> None:
        words = {value for name, value in vars(records).items()
                 if re.fullmatch('[A-Z][A-Z_]+', name)
                 and isinstance(value, str)}
        self.assertEqual(STATUSES | RESULTS, words - {
            records.STATE, records.JOURNAL, records.BACKUP})

    def test_journal_of_the_installer(self) -> None:
        places = place.Places(str(self.tmp()))
        with contextlib.redirect_stdout(io.StringIO()):
            log.Log('pre', lambda *_: running.Result(0, '', '', 0),
                    places).say('x')
        text = self.sections['installer.jsonl']
        self.assert_table(json.loads(
            pathlib.Path(places.journal).read_text()), text)
        row, = (row for row in listtables.tables(text)[0]
                if row[0] == '``command``')
        self.assertEqual(sections.COMMANDS[:-1],
                         tuple(listtables.literals(row[1])))
        self.assertIn(f'up to {log._LONGEST} characters', text)

    def test_files(self) -> None:
        told = listtables.keys(listtables.tables(self.sections['Files'])[0])
        for name in (records.STATE, records.JOURNAL, f'{place.DRIVE}/',
                     f'{place.PACKAGE}/'):
            self.assertIn(name, told)
        self.assertIn(place.FOLDER, self.sections['Files'])
        self.assertIn(place.WISHES, self.sections['Files'])


class TestPlan(ReferenceDocs):

    def plan(self, folder: pathlib.Path) -> typing.Any:
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            self.assertEqual(0, plan._main(['--json', str(folder)]))
        return json.loads(stream.getvalue())

    def test_plan(self) -> None:
        folder = self.tmp() / 'drive'
        shutil.copytree(EXAMPLE / 'config-drive', folder)
        (folder / 'user_data').write_bytes(USER_DATA)
        # One with routes, too.
        found = leaves(self.plan(folder), self.plan(
            base.FIXTURES / 'corpus' / 'nova-generated'
            / 'storage-no-gateway-host-routes'))
        self.assertLessEqual(OPTIONAL, found)
        self.assert_table(found, self.page('plan.rst')['Plan'])

    def test_words(self) -> None:
        rows = {row[0].strip('`'): row[1] for row in listtables.tables(
            self.page('plan.rst')['Plan'])[0]}
        for key, words in (
                ('identity.root_password', {
                    outcome.ADMIN_PASS, outcome.CLOUD_CONFIG, outcome.BUILD,
                    outcome.NONE}),
                ('network.vswitches[].load_balancing', {
                    host.PORTID, host.IPHASH, host.MAC, host.EXPLICIT}),
                ('network.vmks[].ipv6_mode', {
                    'null', model.SLAAC, model.DHCPV6_STATEFUL,
                    model.DHCPV6_STATELESS}),
                ('steps[].on_fail', {steps.STOP, steps.CONTINUE})):
            with self.subTest(key):
                self.assertEqual(words, {*listtables.literals(rows[key])})

    def test_facts(self) -> None:
        value = json.loads((EXAMPLE / 'installed.json').read_text())
        value['network']['routes'] = [
            {'network': '10.0.0.0/8', 'gateway': '192.0.2.9'}]
        value['network']['vmks'][0]['ipv4'] = {
            'address': '192.0.2.5', 'netmask': '255.255.255.0'}
        known, problems = facts.from_json(value)
        self.assertEqual((), problems)
        self.assert_table(leaves(facts.as_json(known)),
                          self.page('plan.rst')['Facts'])


class TestExitCodes(ReferenceDocs):

    def test_table(self) -> None:
        rows = listtables.tables(self.page('exit-codes.rst')['Exit codes'])[0]
        codes = {one.exit_code for one in errors.EsxiImgError.__subclasses__()}
        self.assertEqual(3, len(codes))
        self.assertEqual([*map(str, sorted({
            0, errors.EsxiImgError.exit_code, *codes})), '128 + N'],
            [row[0] for row in rows])
