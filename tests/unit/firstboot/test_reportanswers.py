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

"""What a report says about what nobody documents."""

import json
import typing
import unittest.mock

from esxi_img.firstboot import reportanswers
from esxi_img.firstboot import reportcommands as commands
from esxi_img.firstboot import reportmodel
from tests import base

KEY = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA'
CFG = 'bootstate=0\nkernelopt=runweasel cdromBoot ks=file:///a\nbuild=8.0\n'


def gathered(**parts: typing.Any) -> reportmodel.Gathered:
    return reportmodel.Gathered({}, [], {}, [], [], [])._replace(**parts)


def said(words: str, answer: object) -> reportmodel.Told:
    return reportmodel.Told(commands.argv('esxcli', words), 0, 0.1,
                            json.dumps(answer), '')


def file(path: str, text: str) -> reportmodel.File:
    return reportmodel.File(path, len(text), text)


def journal(*entries: dict[str, object]) -> str:
    return ''.join(json.dumps(entry) + '\n' for entry in entries)


class TestAnswers(base.TestCase):

    def answer(self, name: str, **parts: typing.Any) -> dict[str, typing.Any]:
        found = reportanswers.answers(gathered(**parts))[name]
        self.assertTrue(found['question'])
        json.dumps(found)
        return found['answer']

    def test_there_is_one_for_each(self) -> None:
        self.assertEqual(
            ['secure_boot', 'python', 'kickstart', 'ssh_keys',
             'default_routes', 'errors', 'config_drive_volumes', 'bootbanks',
             'restart', 'cdrom_boot'],
            list(reportanswers.answers(gathered())))

    def test_secure_boot(self) -> None:
        found = self.answer(
            'secure_boot', told=[
                reportmodel.Told(commands.SECURE_BOOT, 0, 0.1, 'Enabled\n',
                                 ''),
                said(commands.KERNEL_ONLY, [{'Runtime': 'TRUE'}])],
            files=[file('/var/log/kickstart.log',
                        'a\nUEFI Secure Boot Enabled, skipping x\n')],
            folders={'/tardisks': [reportmodel.Entry(
                'esxiimg.tgz', 5, 'file')]})
        self.assertEqual(
            ('Enabled', True, [{'Runtime': 'TRUE'}],
             ['UEFI Secure Boot Enabled, skipping x']),
            (found['state'], found['module_loaded'],
             found['exec_installed_only']['kernel'],
             found['first_boot_skipped']))
        found = self.answer('secure_boot')
        self.assertEqual((None, False), (found['state'],
                                         found['module_loaded']))

    def test_python(self) -> None:
        about = {'python': {'version': '3.8'}, 'modules': {'ssl': 'yes'},
                 'programs': {'python3': None}, 'host': 'x'}
        self.assertEqual({key: about[key] for key in (
            'python', 'modules', 'programs')},
            self.answer('python', about=about))

    def test_kickstart(self) -> None:
        found = self.answer('kickstart', files=[
            file('/vmfs/volumes/a/boot.cfg', CFG),
            file('/tmp/esxiimg/journal.jsonl', journal(
                {'command': 'pre', 'message': 'a'},
                {'command': 'post', 'message': 'b'})),
            file('/var/log/weasel.log', 'x\nerror:ks.cfg:line 1: bad\n')])
        self.assertEqual(
            (['ks=file:///a'], ['post', 'pre'],
             ['error:ks.cfg:line 1: bad']),
            (found['ks'], found['our_scripts_ran'], found['log']))

    def test_ssh_keys(self) -> None:
        found = self.answer(
            'ssh_keys', files=[file(
                reportanswers.KEYS_FILE,
                f'# mine\n{KEY} me\n\ncommand="x" {KEY} me\nodd Hunter22\n')],
            told=[said(commands.KEYS, [
                {'Username': 'root', 'Auth Key': f'{KEY} me'}])])
        self.assertEqual([KEY, KEY, 'not a public key'],
                         found['authorized_keys'])
        self.assertEqual(([KEY], 0), (found['key_list'],
                                      found['key_list_status']))

    def test_default_routes(self) -> None:
        default = {'Network': 'default', 'Gateway': '192.0.2.1'}
        found = self.answer(
            'default_routes',
            told=[said(commands.ROUTES4, [
                default, {'Network': '192.0.2.0'}])],
            files=[file('/a/journal.jsonl', journal(
                {'step': 'route.default4', 'result': 'ok'},
                {'step': 'ntp', 'result': 'ok'}))])
        self.assertEqual([default], found['routes'])
        self.assertEqual(['route.default4'], [
            entry['step'] for entry in found['steps']])

    def test_errors(self) -> None:
        bad = {'step': 'ssh.key.1', 'result': 'failed', 'error': 'Unknown'}
        entries = journal(bad, {'step': 'a', 'result': 'ok'})
        found = self.answer(
            'errors', files=[
                # The same is in two places.
                file('/bootbank/esxiimg/journal.jsonl', entries),
                file('/var/log/esxi-img/journal.jsonl', entries),
                file('/tmp/esxiimg/journal.jsonl', journal(
                    {'command': 'pre', 'message': 'problem: a'},
                    {'command': 'pre', 'message': 'fine'}) + '{broken\n')],
            told=[reportmodel.Told(('esxcli', 'x'), 1, 0.1, '', 'Unknown x'),
                  said(commands.NTP, {}),
                  reportmodel.Told(('a',), None, 15.0, '', 'ended')])
        self.assertEqual(([bad], ['problem: a']), (
            found['steps'], [one['message'] for one in found['installer']]))
        self.assertEqual(
            [{'command': 'esxcli x', 'status': 1, 'error': 'Unknown x'},
             {'command': 'a', 'status': None, 'error': 'ended'}],
            found['commands'])

    def test_volumes_and_bootbanks(self) -> None:
        link = reportmodel.Entry('BOOTBANK1', None, '-> 5f')
        parts = {
            'told': [said(commands.FILESYSTEMS, [{'Type': 'vfat'}]),
                     reportmodel.Told(('vmkfstools', '-P', '/vmfs/volumes/5'),
                                      0, 0.1, 'spanned', '')],
            'files': [file('/vmfs/volumes/5f/boot.cfg', CFG)],
            'folders': {'/vmfs/volumes': [link], '/': [
                reportmodel.Entry('bootbank', None, '-> vmfs/volumes/5f'),
                reportmodel.Entry('bin', None, 'folder')]},
            'about': {'programs': {'mcopy': '/bin/mcopy'}}}
        found = self.answer('config_drive_volumes', **parts)
        self.assertEqual(
            ([{'Type': 'vfat'}], ['BOOTBANK1'], '/bin/mcopy'),
            (found['filesystems'], [one['name'] for one in found['volumes']],
             found['mcopy']))
        found = self.answer('bootbanks', **parts)
        self.assertEqual(
            (['bootbank', 'BOOTBANK1'], {'/vmfs/volumes/5f/boot.cfg': {
                'bootstate': '0', 'build': '8.0',
                'kernelopt': 'runweasel cdromBoot ks=file:///a'}},
             [{'path': '/vmfs/volumes/5', 'said': 'spanned'}]),
            ([one['name'] for one in found['links']], found['boot_cfg'],
             found['volumes']))
        found = self.answer('cdrom_boot', **parts)
        self.assertEqual(['/vmfs/volumes/5f/boot.cfg'],
                         found['with_cdromBoot'])

    def test_restart(self) -> None:
        found = self.answer('restart', files=[file('/a.jsonl', journal(
            {'step': 'power_state', 'result': 'ok'},
            {'step': 'maintenance', 'result': 'ok'},
            {'step': 'ntp', 'result': 'ok'}))],
            told=[said(commands.MAINTENANCE, 'Disabled')])
        self.assertEqual(('Disabled', 2), (found['maintenance'],
                                           len(found['steps'])))

    def test_odd_parts_stop_nothing(self) -> None:
        odd = [said(words, answer) for words in (
            commands.ROUTES4, commands.KEYS, commands.IPV4)
            for answer in (None, 7, 'x', [7], {'Network': [1]})]
        text = '[]\n7\nnull\n{"step": 7}\n{"message": [1], "command": {}}\n{'
        for told in odd:
            json.dumps(reportanswers.answers(gathered(
                told=[told], files=[
                    file('/a.jsonl', text), file('/boot.cfg', text),
                    file(reportanswers.KEYS_FILE, text)])))

    def test_one_that_breaks_stops_no_other(self) -> None:
        def broken(have: object) -> dict[str, typing.Any]:
            raise ValueError('Hunter22')

        with unittest.mock.patch.dict(reportanswers.QUESTIONS, {
                'python': ('which', broken)}):
            found = reportanswers.answers(gathered())
        self.assertEqual({'stopped_by': 'ValueError'},
                         found['python']['answer'])
        self.assertEqual([], found['cdrom_boot']['answer']['with_cdromBoot'])

    def test_only_so_much(self) -> None:
        lines = journal(*({'result': 'failed', 'n': n} for n in range(999)))
        found = self.answer('errors', files=[file('/a.jsonl', lines)])
        self.assertEqual([799, 998], [
            found['steps'][at]['n'] for at in (0, -1)])
        self.assertEqual(200, len(found['steps']))
