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

"""What users wish, from cloud-config to a host that is simulated.

The host was not written after the commands that are run on it, see
tests.esxi; plans are carried out as on a real one, in a time of their own.
"""

import base64
import collections.abc
import contextlib
import copy
import dataclasses
import functools
import io
import json
import os
import typing
import unittest.mock
import urllib.parse

from esxi_img.firstboot import carried
from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import drive
from esxi_img.firstboot import execute
from esxi_img.firstboot import files
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import outcome
from esxi_img.firstboot import phonehome
from esxi_img.firstboot import reading
from esxi_img.firstboot import records
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.firstboot import think
from tests import base
from tests.esxi import commands_access
from tests.esxi import commands_service
from tests.esxi import model as esxi_model
from tests.esxi import state
from tests.unit.firstboot import simulated

CONFIGS = base.FIXTURES / 'cloud-config'
NAMES = sorted(path.stem for path in CONFIGS.iterdir())
LIMIT = 1320
LOCAL = '/etc/rc.local.d/local.sh'
KEY = 'ssh-ed25519 ' + base64.b64encode(
    b'\0\0\0\x0bssh-ed25519\0\0\0 ' + bytes(range(32))).decode() + ' ops'
META = {'uuid': '39073b0a-1234-4234-8234-5e76a4bd64b2',
        'admin_pass': 'Pa55-w0rd', 'hostname': 'esx1.example.org'}
MACS = ('52:54:00:00:00:10', '52:54:00:00:00:11')
BOND = {
    'links': [
        {'id': 'a', 'type': 'phy', 'ethernet_mac_address': MACS[0]},
        {'id': 'b', 'type': 'phy', 'ethernet_mac_address': MACS[1]},
        {'id': 'bond', 'type': 'bond', 'bond_links': ['a', 'b'],
         'bond_mode': 'active-backup', 'ethernet_mac_address': MACS[0]},
        {'id': 'vlan', 'type': 'vlan', 'vlan_link': 'bond', 'vlan_id': 42,
         'vlan_mac_address': '52:54:00:00:00:42'}],
    'networks': [
        {'id': 'n', 'type': 'ipv4', 'link': 'bond',
         'ip_address': '198.51.100.10', 'netmask': '255.255.255.0',
         'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0',
                     'gateway': '198.51.100.1'}]},
        {'id': 'm', 'type': 'ipv4', 'link': 'vlan',
         'ip_address': '203.0.113.10', 'netmask': '255.255.255.0',
         'routes': [{'network': '192.0.2.0', 'netmask': '255.255.255.0',
                     'gateway': '203.0.113.1'}]}],
    'services': [{'type': 'dns', 'address': '198.51.100.53'}]}
MOVED = {**BOND, 'networks': [{'id': 'n', 'type': 'ipv4_dhcp',
                               'link': 'vlan'}]}
"""Management asks DHCP by a MAC that the installer cannot give it."""
LEASE = {'ip': '192.0.2.9', 'netmask': '255.255.255.0',
         'gateway': '192.0.2.1', 'dns': ['192.0.2.53']}
NETWORK = 'vSwitch', 'vmk', 'route.', 'dns.'
"""How the names of its steps start."""
ALL = {
    'hostname': 'esx2', 'ssh_authorized_keys': [KEY], 'ssh_pwauth': False,
    'disable_root': True,
    'users': [{'name': 'ops', 'gecos': 'On call', 'sudo': 'ALL=(ALL) ALL',
               'ssh_authorized_keys': [KEY]},
              {'name': 'guest', 'groups': 'Administrators',
               'ssh_authorized_keys': [KEY + '2']}],
    'ntp': {'servers': ['192.0.2.123', 'ntp.example.org']},
    'write_files': [
        {'path': '/vmfs/volumes/local-01/a', 'content': 'a\n'},
        {'path': LOCAL, 'content': 'one\n', 'append': True}],
    'runcmd': ['echo one', ['echo', "it's two"]],
    'phone_home': {'url': 'http://home.example.org/$INSTANCE_ID',
                   'tries': 2},
    'final_message': 'all is done',
    'power_state': {'mode': 'reboot', 'delay': '+2', 'message': 'restart'},
    'vmware_esxi': {
        'license': 'AAAAA-00000-BBBBB-11111-CCCCC',
        'syslog': ['tcp://192.0.2.1:514', 'ssl://logs.example.org'],
        'advanced_settings': {
            '/UserVars/ESXiShellInteractiveTimeOut': 900,
            '/UserVars/HostClientWelcomeMessage': 'It is mine'},
        'kernel_settings': {'netNetqueueEnabled': False, 'logLevel': 3},
        'firewall': {'nfsClient': True, 'snmp': False},
        'vswitch': {'vSwitch0': {
            'allow_promiscuous': True, 'load_balancing': 'mac',
            'failure_detection': 'beacon', 'failback': False}},
        'datastore': 'local-01', 'maintenance_mode': True}}
PYTHON = '#!/usr/bin/env python3\nprint("three")\n'

Leaves = dict[str, typing.Any]


class Site:
    """A host while it is set up, again and again.

    :param user_data: as on the drive
    :param folder: of the records, which last
    """

    def __init__(self, folder: str, user_data: bytes | None,
                 network: object = BOND, version: str = '8.0.3') -> None:
        said = {'meta_data.json': json.dumps(META).encode(),
                'network_data.json': json.dumps(network).encode()}
        if user_data is not None:
            said['user_data'] = user_data
        found = drive.Drive('folder', None, None, said)
        gathered = cloudconfig.gather(said)
        first, wishes = reading.all_of(reading.model_of(found), gathered)
        self.installed = think.outcome_of(
            first, nics.invent(first.network), None, model.Settings(),
            wishes)
        self.esxi = state.fresh(
            [state.Nic(f'vmnic{index}', mac)
             for index, mac in enumerate(MACS)],
            [line.replace('IMAGE-DISK', 'naa.600508b1001c4d41').replace(
                '***', wishes.esxi.license.reveal()
                if wishes.esxi.license else '')
             for line in self.installed.kickstart], version,
            dhcp={'*': LEASE})
        self.esxi.files[LOCAL] = 0o755, '#!/bin/sh\n'
        # First boot knows what the installer carried over, and no more.
        self._description, self._wishes = reading.all_of(
            reading.model_of(found), carried.from_json(json.loads(
                json.dumps(carried.to_json(gathered)))))
        self._folder = folder
        self._now = 0.0
        self._broken: steps.Argv | None = None
        self._hangs = False
        self._left = 0
        self.asked: list[steps.Argv] = []
        """All commands, those that failed without reaching it included."""
        self.state: dict[str, typing.Any] = {}
        self.posts: list[tuple[dict[str, list[str]], bool, bool]] = []
        """Of each call home what it told, and whether the firewall as a
        whole was on, and the ruleset for it."""

    def plan(self) -> outcome.Outcome:
        have = simulated.facts(self.esxi)
        return think.outcome_of(
            self._description, have.nics, have, model.Settings(),
            self._wishes, root_password=outcome.ADMIN_PASS)

    def apply(self, broken: steps.Step | None = None, hangs: bool = False
              ) -> dict[str, str]:
        """Plan and do; what became of each step, by name."""
        self._hangs = hangs
        self._broken = broken and (
            broken.argv or (broken.file.path if broken.file else 'POST',))
        # Another step, or what takes this one back, may be the same command.
        self._left = broken.retries + 1 if broken and not (
            hangs or broken.optional) else 1
        found = self.plan()
        kept = records.Records(self._folder, META['uuid'], '1',
                               lambda: self._now)
        kept.begin(found.plan.id, found.problems)
        effects = execute.Effects(
            self._run, self._write, lambda: self._now, self._sleep,
            self._send, lambda _: contextlib.nullcontext(),
            os.urandom)
        done = execute.execute(found.plan, effects, kept, self._now + LIMIT)
        kept.end(execute.status_of(found.plan, done, found.fallback))
        self.state = kept._state
        return {one.name: one.result for one in done
                if one.result not in (records.UNDONE, records.UNDO_FAILED)}

    def _run(self, argv: collections.abc.Sequence[str], timeout: float
             ) -> running.Result:
        assert timeout > 0
        self.asked.append(tuple(argv))
        shown = tuple(
            steps.RANDOM if before.startswith('--password') else word
            for before, word in zip(('', *argv), argv))
        self._now += 1
        if shown == self._broken and self._left:
            self._left -= 1
            if self._hangs:
                self._now += timeout
                return running.Result(None, '', '', timeout)
            return running.Result(1, '', f'failed: {" ".join(argv)}', 1)
        return running.Result(*self.esxi.run(argv), 1)

    def _write(self, file: steps.File) -> None:
        if self._broken == (file.path,):
            raise OSError(28, 'No space left on device')
        mode, before = self.esxi.files.get(file.path, (0, ''))
        content = file.content
        if file.append:
            assert isinstance(before, str)
            content = before if before.endswith(content) \
                else before + content
        said = (mode or steps.MODE) if file.mode is None else file.mode
        self.esxi.write_file(file.path, content, said | mode & 0o1000)

    def _sleep(self, seconds: float) -> None:
        self._now += seconds

    def _send(self, report: steps.Report,
              done: collections.abc.Sequence[execute.Done], seconds: float
              ) -> str | None:
        def post(call: typing.Any, _seconds: float) -> int:
            self.posts.append((
                urllib.parse.parse_qs(call.body.decode()),
                self.esxi.wall.enabled, self.esxi.firewall['httpClient']))
            return 500 if self._broken == ('POST',) else 200

        with unittest.mock.patch.object(phonehome, '_bounded', post), \
                unittest.mock.patch.object(phonehome, 'PAUSE', 0):
            return phonehome.send(report, {'status': 'any'}, self._run,
                                  seconds, '/none')

    def leaves(self) -> Leaves:
        """All that the host is, each value by itself."""
        esxi = self.esxi
        found: Leaves = {
            'name': esxi.name, 'certificate': esxi.certificate,
            'network': simulated.facts(esxi).network,
            'usable': esxi.unusable(), 'ntp': esxi.ntp, 'log': esxi.log,
            'syslog': esxi.syslog, 'wall': esxi.wall, 'down': esxi.down,
            'datastores': esxi.datastores, 'license': esxi.license,
            'maintenance': esxi.maintenance, 'backed_up': esxi.backed_up,
            'called': [post[0] for post in self.posts]}
        for what, things in (
                ('firewall', esxi.firewall), ('roles', esxi.roles),
                ('keys', esxi.keys), ('files', esxi.files),
                ('sshd', esxi.sshd), ('services', esxi.services),
                ('ran', {argv[-1]: text for argv, text in esxi.ran})):
            found.update((f'{what}.{key}', value)
                         for key, value in things.items())
        for key, account in esxi.accounts.items():
            found[f'accounts.{key}'] = dataclasses.replace(
                account, password='*' if account.password else None)
        for key, setting in esxi.advanced.items():
            found[f'advanced.{key}'] = setting.value
        for key, parameter in esxi.kernel.items():
            found[f'kernel.{key}'] = parameter.configured
        for key, switch in esxi.vswitches.items():
            found[f'security.{key}'] = switch.security
            found[f'teaming.{key}'] = switch.teaming
        for key, group in esxi.portgroups.items():
            found[f'teaming.{key}'] = group.teaming
        return copy.deepcopy({key: value for key, value in found.items()
                              if not key.startswith('files./tmp/')})


def changed(before: Leaves, after: Leaves) -> Leaves:
    """What is other, or new; None: it is gone."""
    return {key: after.get(key) for key in {**before, **after}
            if before.get(key) != after.get(key)}


class TestCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.disk: dict[str, bytes] = {}
        # The records, without waiting for a real disk.
        patches = [
            unittest.mock.patch.object(
                files, 'replace', lambda path, data, _mode:
                self.disk.__setitem__(path, data)),
            unittest.mock.patch.object(
                records, 'open', self.open, create=True)]
        for patch in patches:
            patch.start()
            self.addCleanup(patch.stop)
        self.sites = 0

    def open(self, path: str, _mode: str) -> typing.IO[bytes]:
        if path not in self.disk:
            raise FileNotFoundError(path)
        return io.BytesIO(self.disk[path])

    def site(self, user_data: bytes | None, **more: typing.Any) -> Site:
        self.sites += 1
        return Site(f'/records/{self.sites}', user_data, **more)

    def config(self, value: object, **more: typing.Any) -> Site:
        return self.site(b'#cloud-config\n' + json.dumps(value).encode(),
                         **more)

    @functools.cached_property
    def plain(self) -> Leaves:
        """The host without any user data."""
        site = self.site(None)
        self.assertEqual({'ok', 'same'}, {*site.apply().values(), 'same'})
        return site.leaves()


class TestFixtures(TestCase):
    """Each example of a cloud-config makes what it says, and no more."""

    SEEN = ('network', 'usable', 'backed_up')
    """Leaves that are looked at elsewhere, or in every case."""

    def test_they_end_as_wished(self) -> None:
        key, other = (line for line in (CONFIGS / 'keys.yaml').read_text()
                      .replace('  - ', '').splitlines()
                      if line.startswith('ssh-'))
        root = '/etc/ssh/keys-root/authorized_keys'
        keys = {'keys.root': [key],
                f'files.{root}': (0o600, f'{key}\n')}
        call = {f'pub_key_{kind}': ['N/A']
                for kind in ('rsa', 'ecdsa', 'ed25519')}
        call |= {'instance_id': [META['uuid']], 'status': ['any'],
                 'problems': ['N/A']}
        off = state.Service()
        below = '/vmfs/volumes/datastore1/site/'
        scripts = '/tmp/esxi-img/scripts/'
        rule = dict.fromkeys(('--allow-promiscuous', '--allow-mac-change',
                              '--allow-forged-transmits'), 'true')
        teaming = esxi_model.Teaming(
            ['vmnic0'], ['vmnic1'], 'mac', 'beacon', False, True)
        expected: dict[str, Leaves] = {
            'as-json': {
                'name': 'esx02', 'certificate': 'esx02', **keys,
                'maintenance': True, f'ran.{scripts}runcmd':
                    "#!/bin/sh\n'logger' '-t' 'site' 'configured'\n"},
            'commands': {
                f'ran.{scripts}bootcmd': '#!/bin/sh\nesxcli system version '
                'get > /tmp/version.txt\n',
                f'ran.{scripts}runcmd': unittest.mock.ANY},
            'esxi': {
                'license': '-'.join(['00000'] * 5), 'maintenance': True,
                'syslog': commands_service.Syslog(*[
                    'tcp://192.0.2.1:514,ssl://logs.example.com:1514'] * 2),
                'firewall.syslog': True, 'firewall.httpClient': True,
                'services.shell': off, 'datastores': ['local-01'],
                'advanced./UserVars/ESXiShellInteractiveTimeOut': 900,
                'advanced./UserVars/HostClientWelcomeMessage':
                    'Welcome to example.com',
                'kernel.logLevel': '3', 'security.vSwitch0': rule,
                'teaming.vSwitch0': teaming,
                'teaming.Management Network': teaming},
            'keys': {'keys.root': [key, other], f'files.{root}': (
                0o600, f'{key}\n{other}\n')},
            'names': {'name': 'esx01', 'certificate': 'esx01.example.com'},
            'ntp': {
                'ntp': commands_service.Ntp(True, [
                    '192.0.2.123', 'ntp1.example.com', 'pool.ntp.org']),
                'firewall.ntpClient': True},
            'password': {},
            'phone-home': {
                'log': [('esxi-img', 'The host is ready.')],
                'called': [{**call, 'hostname': ['esx1'],
                            'fqdn': ['esx1.example.org']}]},
            'power': {'down': (
                'reboot', 60, 'settings need a restart')},
            'root-password': {
                'sshd.passwordauthentication': 'no',
                'sshd.kbdinteractiveauthentication': 'no'},
            'users': {
                'sshd.permitrootlogin': 'no', 'roles.ops': 'Admin',
                'keys.ops': [key], 'accounts.ops': commands_access.Account(
                    'Operations', '*'),
                'files./etc/ssh/keys-ops/authorized_keys': (
                    0o644, f'{key}\n')},
            'whole': {
                'name': 'esx07', 'certificate': 'esx07.site.example.com',
                **keys, 'ntp': commands_service.Ntp(True, [
                    '192.0.2.123', '2001:db8::123']),
                'firewall.ntpClient': True, 'firewall.syslog': True,
                'syslog': commands_service.Syslog(*['udp://192.0.2.9'] * 2),
                'log': [('esxi-img', 'esx07 is ready')],
                'called': [{**call, 'hostname': ['esx07'],
                            'fqdn': ['esx07.site.example.com']}],
                'datastores': ['esx07-local'], 'services.shell': off,
                'files./etc/motd': (
                    0o644, 'esx07: changes by the pipeline only\n'),
                f'ran.{scripts}runcmd': unittest.mock.ANY},
            'write-files': {
                f'files.{LOCAL}': (unittest.mock.ANY,
                                   '#!/bin/sh\nlogger -t site started\n'),
                f'files.{below}README': (0o644, 'This host belongs to the '
                                         'site of example.com.\n'),
                f'files.{below}logo.bin': (
                    0o600, '\udc89PNG\r\n\x1a\n\0\0\0\0'),
                f'files.{below}notes.txt': (0o644, 'hi is white here\n')}}
        self.assertEqual(NAMES, sorted(expected))
        for name in NAMES:
            with self.subTest(name):
                site = self.site((CONFIGS / f'{name}.yaml').read_bytes())
                self.assertEqual({'ok', 'same'}, {
                    *site.apply().values(), 'same'})
                self.assertEqual('ok', site.state['status'])
                found = changed(self.plain, site.leaves())
                self.assertEqual(expected[name], {
                    leaf: value for leaf, value in found.items()
                    if leaf not in self.SEEN})
                self.assertEqual({'vmk0': ''}, site.esxi.unusable())
                if name != 'esxi':
                    self.assertNotIn('network', found)

    def test_a_second_run_finds_nothing(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                site = self.site((CONFIGS / f'{name}.yaml').read_bytes())
                site.apply()
                before, log = site.leaves(), len(site.esxi.journal)
                again = site.apply()
                self.assertEqual(set(), {
                    step for step, result in again.items()
                    if result != records.SAME and step not in records.BACKUPS
                    and not step.endswith('.write')})
                self.assertEqual(
                    {}, {leaf: value for leaf, value in changed(
                        before, site.leaves()).items()
                        if leaf != 'backed_up'})
                self.assertLessEqual(set(site.esxi.journal[log:]), {
                    ('auto-backup.sh',),
                    *(step.probe.argv for step in site.plan().plan.steps
                      if step.probe)})

    def test_older_releases(self) -> None:
        """What they lack is a problem, and all else is done."""
        for version in ('7.0.3', '8.0.0', '9.0.0'):
            with self.subTest(version):
                site = self.config(ALL, version=version)
                done = site.apply()
                self.assertEqual({'ok'}, set(done.values()), done)
                self.assertEqual(version < '8', any(
                    'needs ESXi 8' in one.message
                    for one in site.plan().problems))
        site = self.config(ALL, version='6.7.0')
        self.assertEqual({'ok'}, set(site.apply().values()))
        self.assertEqual([], site.esxi.ntp.servers)


class TestAccounts(TestCase):

    def passwords(self, site: Site) -> list[str]:
        return [argv[index + 1] for argv in site.asked
                for index, word in enumerate(argv) if word == '--password']

    def test_passwords_are_strong_and_nobody_s(self) -> None:
        rule = state.Esxi([]).advanced[commands_access.QUALITY].value
        seen: set[str] = set()
        for _ in range(20):
            site = self.config(ALL)
            site.apply()
            found = self.passwords(site)
            self.assertEqual(2, len(found))
            for password in found:
                self.assertEqual('', commands_access.weakness(
                    password, 'ops', rule))
                self.assertGreaterEqual(len(password), 20)
                for data in self.disk.values():
                    self.assertNotIn(password.encode(), data)
                self.assertNotIn(password, repr(site.plan()))
            self.assertEqual(set(), seen & set(found))
            seen.update(found)
        self.assertEqual(40, len(seen))

    def test_another_try_has_another_one(self) -> None:
        site = self.config(ALL)
        step = next(step for step in site.plan().plan.steps
                    if step.name == 'account.ops')
        self.assertEqual(records.FAILED, site.apply(step)['account.ops'])
        self.assertNotIn('ops', site.esxi.accounts)
        said = b''.join(self.disk.values())
        self.assertIn(b'failed: esxcli system account add', said)
        self.assertEqual(records.OK, site.apply()['account.ops'])
        found = self.passwords(site)
        self.assertGreater(len(set(found)), 2)
        said += b''.join(self.disk.values())
        self.assertEqual([], [password for password in found
                              if password.encode() in said])

    def test_it_was_there_before(self) -> None:
        """An account of that name is somebody's: it stays as it is."""
        site = self.config(ALL)
        site.esxi.run(['esxcli', 'system', 'account', 'add', '--id', 'ops',
                       '--password', 'aB3-aB3-aB3', '--description', 'x',
                       '--password-confirmation', 'aB3-aB3-aB3'])
        done = site.apply()
        self.assertEqual(
            (records.FAILED, records.SKIPPED, records.SKIPPED),
            tuple(done[name] for name in (
                'account.ops', 'account.ops.admin', 'sshd.permitrootlogin')))
        self.assertEqual(('aB3-aB3-aB3', 'x'), (
            site.esxi.accounts['ops'].password,
            site.esxi.accounts['ops'].description))
        self.assertEqual('yes', site.esxi.sshd['permitrootlogin'])
        self.assertEqual({'guest': 'Admin'}, site.esxi.roles)

    def test_a_host_with_a_harder_rule(self) -> None:
        site = self.config(ALL)
        site.esxi.advanced[commands_access.QUALITY].value = \
            'retry=3 min=disabled,disabled,disabled,disabled,15'
        self.assertEqual({'ok'}, set(site.apply().values()))


class TestPhoneHome(TestCase):

    def test_the_firewall_passes_it_and_nothing_else(self) -> None:
        for owned, seen in ((set(), (True, True)),
                            ({'httpClient'}, (False, False))):
            with self.subTest(owned=owned):
                site = self.config(ALL)
                site.esxi.owned = owned
                site.apply()
                self.assertEqual([seen], [post[1:] for post in site.posts])
                self.assertEqual((True, False), (
                    site.esxi.wall.enabled,
                    site.esxi.firewall['httpClient']))

    def test_it_was_open_before(self) -> None:
        for ruleset in (True, False):
            site = self.config(ALL)
            if ruleset:
                site.esxi.firewall['httpClient'] = True
            else:
                site.esxi.wall.enabled = False
            before = site.esxi.wall.enabled, ruleset
            site.apply()
            self.assertEqual([before], [post[1:] for post in site.posts])
            self.assertEqual(before, (site.esxi.wall.enabled,
                                      site.esxi.firewall['httpClient']))

    def test_another_port(self) -> None:
        site = self.config({'phone_home': {
            'url': 'http://home.example.org:8080/', 'post': []}})
        site.apply()
        self.assertEqual([({'status': ['any'], 'problems': ['N/A']},
                           False, False)], site.posts)
        self.assertTrue(site.esxi.wall.enabled)


class TestFailures(TestCase):
    """One step fails, or hangs: all others do as if it had not."""

    SAME = {'backup': ('backed_up',), 'shell': ('services.shell', 'advanced.'
                                                '/UserVars/SuppressShell'),
            'ssh': ('services.ssh', 'keys.root', 'files./etc/ssh/keys-root'),
            'datastore': ('datastores',), 'ntp': ('ntp', 'firewall.ntp'),
            'syslog': ('syslog', 'firewall.syslog'),
            'certificate': ('certificate',), 'hostname': ('name',),
            'security': ('security.',), 'failover': ('teaming.',),
            'script': ('ran.',), 'maintenance': ('maintenance',),
            'final_message': ('log',), 'phone_home': ('called',),
            'power_state': ('down',), 'file': ('files.',)}
    """What of the host may be without it, by the start of a step's name."""
    HALF = 'called', 'keys', 'services', 'syslog', 'teaming'
    """What more than one step makes."""

    def without(self, step: steps.Step) -> tuple[str, ...]:
        head, _, rest = step.name.partition('.')
        if head == 'account':
            name = rest.partition('.')[0]
            return (f'accounts.{name}', f'roles.{name}', f'keys.{name}',
                    f'files./etc/ssh/keys-{name}/', 'sshd.permitrootlogin')
        if head in ('advanced', 'firewall', 'kernel', 'sshd'):
            return (step.name,)
        if step.file and head == 'file':
            return (f'files.{step.file.path}',)
        return self.SAME[head]

    def test_any_step(self) -> None:
        whole = self.config(ALL)
        whole.apply()
        full = whole.leaves()
        plan = self.config(ALL).plan().plan
        tried = 0
        for step in plan.steps:
            # The last backup is the same command as that before scripts.
            if step.name.startswith((*NETWORK, 'backup')) \
                    and step.name != 'backup.scripts':
                continue
            for hangs in (False, True)[:1 if step.file else 2]:
                with self.subTest(step=step.name, hangs=hangs):
                    self.assert_alone(step, hangs, full)
                tried += 1
        self.assertGreater(tried, 80)

    def assert_alone(self, step: steps.Step, hangs: bool, full: Leaves
                     ) -> None:
        site = self.config(ALL)
        start = site.leaves()
        done = site.apply(step, hangs)
        self.assertIn(done[step.name], (records.FAILED, records.TIMEOUT))
        self.assertEqual('ok' if step.optional else 'partial',
                         site.state['status'])
        found = site.leaves()
        self.assertEqual({'vmk0': ''}, found['usable'])
        mine = self.without(step)
        for leaf, value in changed(full, found).items():
            if leaf == 'backed_up':
                continue
            self.assertTrue(leaf.startswith(mine), leaf)
            if not leaf.startswith(self.HALF):
                self.assertEqual(start.get(leaf), value, leaf)
        # Nobody is locked out: root goes only where another one can come.
        if found['sshd.permitrootlogin'] == 'no':
            self.assertEqual('Admin', found['roles.ops'])
            self.assertEqual([KEY], found['keys.ops'])
            self.assertIn('files./etc/ssh/keys-ops/authorized_keys', found)
        self.assertEqual((True, False), (
            site.esxi.wall.enabled, site.esxi.firewall['httpClient']))
        ran = len(site.esxi.ran)
        site.apply()
        left = changed(full, site.leaves())
        left.pop('backed_up', None)
        if not step.once:
            # The key is in the file, which is all that is looked at.
            self.assertLessEqual(set(left), {
                'called', *['keys.root'] * (step.name == 'ssh.key.1')})
        self.assertLessEqual(len(site.esxi.ran), max(ran, 1))

    def test_the_network_fails(self) -> None:
        """All that is no network's is as it should be.

        A policy of a switch is, unless management had to be taken back.
        """
        tried = set()
        for network in (BOND, MOVED):
            whole = self.config(ALL, network=network)
            whole.apply()
            full = whole.leaves()
            for step in self.config(ALL, network=network).plan().plan.steps:
                if not step.name.startswith(NETWORK):
                    continue
                tried.add(step.group)
                for hangs in (False, True):
                    with self.subTest(step=step.name, hangs=hangs):
                        site = self.config(ALL, network=network)
                        site.apply(step, hangs)
                        self.assertEqual({'vmk0': ''}, site.esxi.unusable())
                        policy = 'security.vSwitch0',
                        self.assertLessEqual({
                            leaf for leaf in changed(full, site.leaves())
                            if not leaf.startswith('teaming.')},
                            {'network', *policy * (network is MOVED)})
                        site.apply()
                        self.assertLessEqual(
                            set(changed(full, site.leaves())),
                            {'backed_up'})
        self.assertLessEqual({'management', 'vSwitch0', 'vmk1'}, tried)

    def test_no_way_down_but_from_maintenance_mode(self) -> None:
        for wished in (True, False):
            value = copy.deepcopy(ALL)
            value['vmware_esxi']['maintenance_mode'] = wished
            site = self.config(value)
            site.esxi.down_in_maintenance = True
            done = site.apply()
            self.assertEqual([] if wished else ['power_state'], [
                name for name, result in done.items() if result != 'ok'])
            self.assertEqual(wished, bool(site.esxi.down))

    def test_rulesets_that_the_system_owns(self) -> None:
        site = self.config(ALL)
        site.esxi.owned = {'ntpClient', 'syslog', 'nfsClient'}
        done = site.apply()
        self.assertEqual(
            {'ntp.ruleset', 'syslog.ruleset', 'firewall.nfsClient'},
            {name for name, result in done.items() if result != 'ok'})
        self.assertEqual('partial', site.state['status'])
        self.assertTrue(site.esxi.ntp.enabled)
        self.assertTrue(site.esxi.syslog.loaded)
        self.assertFalse(site.esxi.firewall['snmp'])
