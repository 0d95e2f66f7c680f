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

"""esxi-img-collect on a host, however far that came.

The installer and first boot run in the simulated world, see test_install;
then the program runs that they left there.
"""

import hashlib
import json
import math
import os
import pathlib
import stat
import tarfile
import typing

from esxi_img.firstboot import reportcommands
from tests.esxi import grammar
from tests.functional import test_install
from tests.functional import test_user_data
from tests.unit.firstboot import test_reportcommands
from tests.world import calls
from tests.world import deploy
from tests.world import host
from tests.world import machine
from tests.world import search

BANK = '/bootbank/esxiimg'
INSTALLER = '/esxiimg'
PROGRAM = 'esxi-img-collect'
QUESTIONS = {'secure_boot', 'python', 'kickstart', 'ssh_keys',
             'default_routes', 'errors', 'config_drive_volumes', 'bootbanks',
             'restart', 'cdrom_boot'}
SERIAL = 'SN-0815-4711'
PLATFORM = calls.Reply(0, json.dumps({
    'Product Name': 'X1', 'Serial Number': SERIAL, 'UUID': f'0x{SERIAL}'}))
PEM = ('-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh-of-a-key\n'
       '-----END PRIVATE KEY-----\n')
PLANTED = {
    'serial number': SERIAL, 'private key': 'MIIEvQIBADANBgkqh-of-a-key',
    'logged password': 'l0gged-as-it-was', 'community': 'c0mmunity-of-it',
    'chap': 'ch4p-of-it', 'key': test_install.KEY.split()[1]}
LOG = f'''\
2026-11-23T10:00:00Z weasel: rootpw {PLANTED["logged password"]}
2026-11-23T10:00:00Z weasel: '#\\nrootpw {PLANTED["logged password"]}\\n'
2026-11-23T10:00:00Z esxi-img: password={PLANTED["logged password"]} x
2026-11-23T10:00:01Z kickstart: snmp --communities {PLANTED["community"]}
2026-11-23T10:00:02Z esxi-img: chap_secret="{PLANTED["chap"]}"
2026-11-23T10:00:02Z noise
{PEM}'''
SECRETS = {**test_user_data.SECRETS, **test_user_data.KEPT, **PLANTED}


class Report(typing.NamedTuple):
    """What somebody would get by mail."""

    path: pathlib.Path
    files: dict[str, str]
    """By the names within its folder."""

    @property
    def json(self) -> dict[str, typing.Any]:
        return json.loads(self.files['report.json'])

    def answer(self, name: str) -> dict[str, typing.Any]:
        return self.json['questions'][name]['answer']


class TestCase(test_user_data.TestCase):

    def deploy_all(self, network: object = test_install.NETWORK) -> None:
        """A drive with every kind of secret that it can have."""
        self.deploy(self.drive(test_user_data.mime(
            self.config(), test_user_data.SHELL, test_user_data.PYTHON),
            network))

    def plant(self) -> None:
        """Logs of programs that care less."""
        for name in ('weasel.log', 'esxi_install.log', 'syslog.log',
                     'vmkernel.log', 'kickstart.log'):
            with open(self.machine.path(f'/var/log/{name}'), 'a') as file:
                file.write(LOG)
        self.machine.calls.inject('hardware', 'platform', reply=PLATFORM)

    def collect(self, home: str, *options: str) -> Report:
        """Run it as its documentation says; nothing changes but one file."""
        before, asked = self.everything(), len(self.machine.calls.log)
        esxi = vars(self.machine.esxi).copy()
        done = self.machine.run('python', f'{home}/{PROGRAM}', *options,
                                timeout=170)
        self.assertEqual((0, '', ()), (done.status, done.stderr, done.left))
        name = done.stdout.split(' ')[0]
        path = self.machine.path(name)
        self.assertEqual(f'{name} {path.stat().st_size} bytes',
                         done.stdout.splitlines()[0])
        self.assertEqual(0o600, path.stat().st_mode & 0o7777)
        after = self.everything()
        self.assertEqual({path}, {one for one in {*before, *after}
                                  if before.get(one) != after.get(one)})
        self.assertEqual(
            {key: value for key, value in esxi.items() if key != 'journal'},
            {key: value for key, value in vars(self.machine.esxi).items()
             if key != 'journal'})
        self.assert_only_listed(self.machine.calls.log[asked:])
        return Report(path, self.members(path))

    def everything(self) -> dict[pathlib.Path, tuple[int, int, int, str]]:
        """What each file of the machine is, but of the harness's own."""
        found = {}
        for top in ('esxiimg', 'etc', 'tardisks', 'tmp', 'var', 'vmfs'):
            for path in self.machine.path(top).rglob('*'):
                facts = path.lstat()
                # The disks are large, and full of holes.
                digest = hashlib.sha256(path.read_bytes()).hexdigest() \
                    if stat.S_ISREG(facts.st_mode) \
                    and facts.st_size < 1 << 26 else ''
                found[path] = (facts.st_mode, facts.st_size,
                               facts.st_mtime_ns, digest)
        return found

    def assert_only_listed(self, asked: list[calls.Call]) -> None:
        self.assertTrue(asked)
        for call in asked:
            if reportcommands.words_of(call.argv) in reportcommands.REFUSED:
                continue
            if call.argv[0] in grammar.PROGRAMS:
                path = grammar.parse(call.argv).path
                self.assertIn(path.rpartition(' ')[2], ('get', 'list'))
                continue
            self.assertIn(call.argv[:2], {
                argv[:2] for argv in test_reportcommands.OTHERS})
        self.assertEqual(
            len({call.argv for call in asked}), len(asked))

    def members(self, path: pathlib.Path) -> dict[str, str]:
        with tarfile.open(path) as tar:
            return {entry.name.partition('/')[2]: file.read().decode()
                    for entry in tar if (file := tar.extractfile(entry))}

    def assert_safe(self, report: Report, **more: str) -> None:
        """Nothing that is secret is in it, in no form."""
        shadow = self.machine.path('/etc/shadow')
        if shadow.exists():
            more['root hash'] = shadow.read_text().split(':')[1].split('$')[-1]
        self.assertEqual([], search.search(
            [report.path], {**SECRETS, **more}))
        for name in report.files:
            self.assertNotRegex(name, 'drive/|firstboot/|wishes')
        self.assertEqual(QUESTIONS, set(report.json['questions']))
        self.assertEqual([], report.json['notes'])


class TestFieldReport(TestCase):

    def test_the_installer_stopped(self) -> None:
        """No disk is the one, so it has nothing to install to."""
        for name in (test_install.OURS, test_install.OTHER):
            self.deploy(name=name)
        self.machine.add_cdrom('mpx.vmhba64:C0:T0:L0', deploy.iso(
            self.drive(test_user_data.mime(
                self.config(), test_user_data.SHELL)), self.tmp()))
        result = self.run_installer()
        self.assertIn('needs exactly one install', result.error)
        self.plant()
        hits = search.search([self.machine.path('/tmp/esxiimg')],
                             test_user_data.SECRETS)
        self.assertLessEqual({'password', 'shell', 'home', 'root', 'license'},
                             {hit.secret for hit in hits})
        report = self.collect(INSTALLER)
        self.assert_safe(report)
        self.assertLessEqual(
            {f'files/tmp/esxiimg/{name}' for name in (
                'pre.json', 'pre.out', 'journal.jsonl', 'disk.cfg',
                'rootpw.cfg', 'network.cfg')} | {
                'files/esxiimg/KS.CFG', 'files/esxiimg/build.json',
                'files/var/log/weasel.log'}, set(report.files))
        self.assertIn('nothing is installed',
                      report.files['files/tmp/esxiimg/pre.out'])
        self.assertIn('rootpw --iscrypted (removed)',
                      report.files['files/tmp/esxiimg/rootpw.cfg'])
        # That of its hash, too, which is in no shadow yet.
        self.assertNotIn('$6$', repr(report.files))
        self.assertIn('pre', report.answer('kickstart')['our_scripts_ran'])
        folder = report.json['folders']['/tmp/esxiimg']
        self.assertIn('drive/wishes.json', [one['name'] for one in folder])
        self.assertTrue(report.answer('secure_boot')['module_loaded'])
        disks = [entry['name'] for entry
                 in report.json['folders']['/vmfs/devices/disks']]
        self.assertLessEqual({test_install.OURS, test_install.OTHER},
                             set(disks))

    def test_between_installer_and_restart(self) -> None:
        """What waits for first boot lies on a bootbank."""
        self.deploy_all()
        self.install()
        self.plant()
        self.assertNotEqual([], search.search(
            [self.machine.path('/vmfs/volumes')], test_user_data.SECRETS))
        report = self.collect(INSTALLER)
        self.assert_safe(report)
        self.assertLessEqual({'BOOTBANK1', 'BOOTBANK2', 'datastore1'}, {
            one['name'] for one in report.answer('bootbanks')['links']})
        name, = (name for name in report.files
                 if name.endswith('/installer.jsonl'))
        self.assertIn('first boot is in', report.files[name])

    def booted(self, **options: typing.Any) -> host.Host:
        booted = self.boot(self.install(), **options)
        self.plant()
        return booted

    def assert_ended(self, report: Report, status: str) -> None:
        name, = (name for name in report.files
                 if name.endswith('esxiimg/state.json'))
        self.assertEqual(status, json.loads(report.files[name])['status'])
        self.assertEqual({'ssh-ed25519'}, {
            line.split()[0] for line
            in report.answer('ssh_keys')['authorized_keys']})

    def test_first_boot_went_well(self) -> None:
        self.deploy_all()
        booted = self.booted()
        self.assertEqual(
            {'build.json', 'installed.json', 'installer.jsonl',
             'journal.jsonl', 'settings.json', 'state.json', PROGRAM},
            set(os.listdir(self.machine.path(BANK))))
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assert_ended(report, 'ok')
        self.assertIn('files/var/log/esxi-img/journal.jsonl', report.files)
        route, = report.answer('default_routes')['routes']
        self.assertEqual('198.51.100.1', route['Gateway'])
        self.assertEqual(booted.banks[0].folder.name, next(
            one['kind'] for one in report.answer('bootbanks')['links']
            if one['name'] == 'bootbank').rpartition('/')[2])
        vmk, = report.answer('default_routes')['interfaces']
        self.assertEqual('198.51.100.10', vmk['IPv4 Address'])
        self.assertEqual(['maintenance'], [
            one['step'] for one in report.answer('restart')['steps']])
        refused = {one['command'].partition('json ')[2]: one
                   for one in report.answer('errors')['commands']}
        for words in reportcommands.REFUSED:
            self.assertRegex(refused[words]['error'], 'Unknown|Invalid')
        # Of common logs the lines that concern us, of others all.
        logs = {name: text for name, text in report.files.items()
                if name.startswith('files/var/log/') and 'esxi-img' not in
                name}
        self.assertEqual({f'files/var/log/{name}.log' for name in (
            'weasel', 'esxi_install', 'syslog', 'vmkernel', 'kickstart')},
            set(logs))
        self.assertEqual(
            {'weasel', 'esxi_install', 'kickstart'},
            {pathlib.Path(name).stem for name, text in logs.items()
             if 'noise' in text})
        for text in logs.values():
            self.assertIn('esxi-img: password=(removed) x', text)
        # It is there after a restart, too.
        booted.shut_down()
        booted.boot()
        again = self.collect(BANK)
        self.assert_ended(again, 'ok')

    def test_first_boot_did_not_do_all(self) -> None:
        self.deploy_all()
        self.machine.calls.inject('ntp', 'set', reply=calls.Reply(
            1, '', f'Error: password={SECRETS["logged password"]}'))
        booted = host.Host(self.machine, self.install())
        booted.boot()
        self.plant()
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assert_ended(report, 'partial')
        self.assertEqual(
            [('ntp', 'failed', 'Error: password=(removed)')],
            [(one['step'], one['result'], one['error'])
             for one in report.answer('errors')['steps']])

    def test_first_boot_failed(self) -> None:
        links = [{**test_install.NETWORK['links'][0],
                  'ethernet_mac_address': '52:54:00:00:00:99'}]
        self.deploy_all({**test_install.NETWORK, 'links': links})
        self.booted()
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assert_ended(report, 'failed')

    def test_first_boot_was_cut_off(self) -> None:
        """Everything that it needs is still there, and nobody gets it."""
        self.deploy_all()
        self.machine.calls.inject('vim-cmd', times=1,
                                  action=self.machine.kill)
        booted = host.Host(self.machine, self.install())
        done, = booted.boot()
        self.assertIsNone(done.status)
        self.plant()
        self.assertNotEqual([], search.search(
            [self.machine.path('/vmfs/volumes')], test_user_data.SECRETS))
        report = self.collect(BANK)
        self.assert_safe(report)
        name, = (name for name in report.files
                 if name.endswith('esxiimg/state.json'))
        self.assertIn('running', report.files[name])

    def test_secure_boot(self) -> None:
        self.deploy_all()
        self.booted(secure_boot=True)
        self.assertTrue(self.machine.path(f'{BANK}/firstboot').is_dir())
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assertEqual([], [name for name in report.files
                              if name.endswith('state.json')])
        self.assertIn('UEFI Secure Boot Enabled, skipping execution', repr(
            report.answer('secure_boot')['first_boot_skipped']))
        self.assertIn('firstboot/apply.py', [
            entry['name'] for path, entries
            in report.json['folders'].items() if path.endswith('/esxiimg')
            for entry in entries])

    def test_other_names(self) -> None:
        self.deploy_all()
        self.booted()
        report = self.collect(BANK, '--anonymise')
        self.assert_safe(report, mac='52:54:00:00:00:11',
                         address='198.51.100.10', gateway='198.51.100.1',
                         name='esx2.example.net', server='ntp.example.org')
        route, = report.answer('default_routes')['routes']
        self.assertRegex(route['Gateway'], r'^ip-\d+$')
        self.assertIn(route['Gateway'], ''.join(
            text for name, text in report.files.items()
            if name.endswith('installer.jsonl')))

    def test_hostd_does_not_answer(self) -> None:
        self.deploy_all()
        self.booted()
        self.machine.esxi.hostd = False
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assertIn('localcli', {one['argv'][0] for one
                                   in report.json['commands']
                                   if one['status'] == 0})

    def test_a_command_hangs_and_others_are_not_there(self) -> None:
        self.deploy_all()
        self.booted()
        self.machine.calls.inject('route', 'ipv6', seconds=math.inf)
        for name in ('partedUtil', 'vmkfstools', 'esxcfg-mpath'):
            self.machine.path(f'/bin/{name}').unlink()
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assertEqual(
            {('network ip route ipv6 list', None), ('partedUtil', 127),
             ('vmkfstools', 127), ('esxcfg-mpath', 127)},
            {(' '.join(one['argv'][2:]) if one['status'] is None
              else one['argv'][0], one['status'])
             for one in report.json['commands']
             if one['status'] in (None, 127)
             and 'secureBoot' not in one['argv'][0]})

    def test_hostile_files(self) -> None:
        self.deploy_all()
        self.booted()
        folder = self.machine.path(BANK)
        (folder / 'journal.jsonl').unlink()
        (folder / 'journal.jsonl').symlink_to('/etc/shadow')
        (folder / 'state.json').write_bytes(b'{"a": "\xff\xfe' + b'[' * 9999)
        (folder / 'x.out').symlink_to('/dev/zero')
        os.mkfifo(folder / 'pre.out')
        log = self.machine.path('/var/log/vmkernel.log')
        with open(log, 'ab') as file:
            for _ in range(64):
                file.write(b'esxi-img \xff password=l0gged-as-it-was\n' * 9999)
        self.machine.path('/var/log/weasel.log').unlink()
        self.machine.path('/var/log/weasel.log').symlink_to('/etc/shadow')
        with open(self.machine.path('/var/log/esxi_install.log'), 'wb'
                  ) as file:
            file.truncate(1 << 40)
        report = self.collect(BANK)
        self.assert_safe(report)
        self.assertLess(sum(map(len, report.files.values())), 12 << 20)
        notes = {one['path'].rpartition('/')[2]: one['note']
                 for one in report.json['files']
                 if '/var/log/esxi-img' not in one['path']}
        self.assertEqual(
            ('is a link', 'is a link', 'is no regular file', 'is a link'),
            tuple(notes[name] for name in (
                'journal.jsonl', 'x.out', 'pre.out', 'weasel.log')))
        self.assertIn('\\xff\\xfe', next(
            text for name, text in report.files.items()
            if name.endswith('volumes/' + '/'.join(
                folder.resolve().parts[-2:]) + '/state.json')))


class TestTheProgram(test_install.TestCase):

    def test_what_is_in_the_image_is_what_runs(self) -> None:
        self.deploy(test_install.drive())
        booted = self.boot(self.install())
        program = self.machine.path(f'{INSTALLER}/{PROGRAM}')
        self.assertFalse(program.exists())
        for bank in booted.banks[:1]:
            self.assertTrue((bank.folder / 'esxiimg' / PROGRAM).is_file())
        done = self.machine.run('python', f'{BANK}/{PROGRAM}', '--stdout')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual([], list(self.machine.path('/tmp').glob('*.tgz')))

    def test_where_it_cannot_be_written(self) -> None:
        self.deploy(test_install.drive())
        self.boot(self.install())
        done: machine.Done = self.machine.run(
            'python', f'{BANK}/{PROGRAM}', '-o', '/none/x')
        self.assertEqual((4, ''), (done.status, done.stdout))
        self.assertIn('/none/x: No such file or directory: name another',
                      done.stderr)
