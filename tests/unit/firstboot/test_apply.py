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

import collections.abc
import dataclasses
import io
import json
import os
import pathlib
import signal
import time
import typing
import unittest.mock

from esxi_img.firstboot import apply
from esxi_img.firstboot import drive
from esxi_img.firstboot import execute
from esxi_img.firstboot import facts
from esxi_img.firstboot import outcome
from esxi_img.firstboot import phonehome
from esxi_img.firstboot import place
from esxi_img.firstboot import post
from esxi_img.firstboot import pre
from esxi_img.firstboot import records
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.firstboot import think
from tests import base
from tests.esxi import state
from tests.unit.firstboot import acting
from tests.unit.firstboot import tables

NAA = acting.NAA
KEYS = 'etc/ssh/keys-root/authorized_keys'
KEY = acting.described().ssh_keys[0]
PORTGROUPS = ('network', 'vswitch', 'standard', 'portgroup', 'list')
# Without what users write.
SILENT = {name: data for name, data in acting.FILES.items()
          if 'user' not in name and 'vendor' not in name}
LEASE = {'ip': '192.0.2.9', 'netmask': '255.255.255.0',
         'gateway': '192.0.2.1'}

Hook = collections.abc.Callable[[tuple[str, ...]], running.Result | None]


class TestCase(acting.TestCase):
    """A host that was installed from NAA and starts for the first time."""

    def setUp(self) -> None:
        super().setUp()
        sleep = unittest.mock.patch('time.sleep')
        self.sleep = sleep.start()
        self.addCleanup(sleep.stop)

    def install(self, files: dict[str, bytes] | None = acting.FILES,
                **settings: bool) -> None:
        """A new host.

        :param files: of the config drive; None: there is none
        """
        self.host = acting.Host(self.tmp())
        self.calls: list[tuple[str, ...]] = []
        self.hook: Hook = lambda words: None
        """Answers instead of the host."""
        self.host.home_file('settings.json', settings)
        if files is None:
            self.host.add_disk(NAA, tables.ours())
        else:
            self.host.add_disk(NAA, content=acting.iso(files))
        pre.pre(self.host.run, self.host.places)
        lines = ''.join(self.host.staged().values()).splitlines()
        bank = self.host.install(NAA)
        post.post(self.host.run, self.host.places)
        other, = (path for path in self.host.volumes.iterdir()
                  if not path.is_symlink() and path != bank)
        for name, folder in (('bootbank', bank), ('altbootbank', other)):
            (self.host.root / name).symlink_to(
                f'vmfs/volumes/{folder.name}')
        self.esxi = state.fresh(
            [state.Nic('vmnic0', '52:54:00:00:00:01'),
             state.Nic('vmnic1', '52:54:00:00:00:02')], lines,
            dhcp={'*': LEASE})
        # What was in memory is not there any more.
        acting.shutil.rmtree(self.host.work)
        self.bank, self.other = bank, other
        self.home = bank / 'esxiimg'
        self.places = place.Places(str(self.host.root), str(self.home))

    def run_(self, argv: collections.abc.Sequence[str], timeout: float
             ) -> running.Result:
        assert timeout > 0, argv
        words = tuple(argv)
        self.calls.append(words)
        answer = self.hook(words)
        if answer:
            return answer
        if words[0] == 'openssl':
            return acting.result(f'subject=CN = {self.esxi.certificate}\n')
        status, output, error = self.esxi.run(words)
        return running.Result(status, output, error, 0.1)

    def apply(self) -> int:
        status = apply.apply(self.run_, self.places)
        self.assert_no_secret(
            self.host.texts() + repr(self.calls) + self.console.getvalue())
        return status

    def state(self) -> dict[str, typing.Any]:
        return json.loads((self.home / 'state.json').read_text())

    def problems(self) -> str:
        return ''.join(f'{one["where"]}: {one["message"]}\n'
                       for one in self.state()['problems'])

    def entries(self) -> list[dict[str, typing.Any]]:
        text = (self.home / 'journal.jsonl').read_text()
        return [json.loads(line) for line in text.splitlines()]

    def changes(self) -> list[tuple[str, ...]]:
        """The calls that are no questions."""
        return [call for call in self.calls if call[0] not in (
            'logger', 'openssl') and call[-1] not in (
            'list', 'get', 'hostsvc/runtimeinfo')
            and 'get' not in call and 'list' not in call]

    def assert_clean(self) -> None:
        """What is needed once is gone, and the records are there."""
        for bank in (self.bank, self.other):
            for name in ('firstboot', 'drive'):
                self.assertFalse((bank / 'esxiimg' / name).exists())
        self.assertLessEqual(
            {'state.json', 'installer.jsonl', 'esxi-img-collect'},
            set(os.listdir(self.home)))

    def assert_ended(self, status: str) -> None:
        """In the state, its copy, the exit status and the welcome text."""
        self.assertEqual(0 if status == 'ok' else 1, self.apply())
        self.assertEqual(status, self.state()['status'], self.problems())
        logs = self.host.root / 'var/log/esxi-img'
        for name in ('state.json', 'journal.jsonl'):
            if (self.home / name).exists():
                self.assertEqual((self.home / name).read_bytes(),
                                 (logs / name).read_bytes())
        self.assertIn({
            'ok': 'is set up as its', 'partial': 'but not all as its',
            'failed': 'is NOT set up as its'}[status], self.esxi.welcome)
        logged = [call[-1] for call in self.calls if call[0] == 'logger']
        self.assertRegex(logged[-1], rf'\Afirst boot: {status}, \d+ probl')


class TestApply(TestCase):

    def test_all_is_well(self) -> None:
        self.install({**acting.FILES, 'user_data': b'',
                      'vendor_data.json': b'{}'})
        self.assert_ended('ok')
        self.assert_clean()
        found = self.state()
        self.assertEqual(
            ('abcd-1', '1.2.3', []), (found['instance_id'], found['version'],
                                      found['problems']))
        self.assertTrue(found['started'] and found['ended']
                        and found['plan_id'])
        self.assertEqual(
            [step['name'] for step in found['steps']],
            [entry['step'] for entry in self.entries()])
        self.assertEqual(KEY + '\n', (self.host.root / KEYS).read_text())
        self.assertEqual(
            ('esx1.example.org', True),
            (self.esxi.certificate, self.esxi.services['ssh'].running))
        self.assertEqual('192.0.2.50/24', str(self.esxi.vmks['vmk0'].ipv4))
        self.assertEqual(
            'esxi-img: this host is set up as its config drive says. | Host '
            'name: esx1.example.org | Management: 192.0.2.50/24',
            self.esxi.welcome)
        self.sleep.assert_not_called()

    def test_settings(self) -> None:
        self.install(ssh=False, shell=False)
        self.assert_ended('ok')
        self.assertFalse(self.esxi.services['ssh'].running)

    def test_overwritten(self) -> None:
        self.install()
        paths = [self.home / 'firstboot/apply.py', *(
            self.home / 'drive/openstack/latest').iterdir()]
        kept = [self.tmp() / path.name for path in paths]
        for path, one in zip(paths, kept):
            os.link(path, one)
        self.apply()
        for one in kept:
            self.assertEqual(b'', one.read_bytes().strip(b'\0'))
            self.assertGreater(one.stat().st_size, 5)

    def test_both_banks_are_cleaned(self) -> None:
        self.install()
        acting.shutil.copytree(self.home, self.other / 'esxiimg')
        (self.other / 'esxiimg/state.json').write_text('{}')
        self.assert_ended('ok')
        self.assert_clean()
        self.assertTrue((self.other / 'esxiimg/state.json').exists())

    def test_banks_that_are_not_there(self) -> None:
        self.install()
        (self.host.root / 'altbootbank').unlink()
        (self.host.root / 'altbootbank').symlink_to('nowhere')
        self.assert_ended('ok')
        self.assert_clean()

    def test_somebodys_copy_stays(self) -> None:
        self.install()
        copy = self.tmp() / 'esxiimg'
        acting.shutil.copytree(self.home, copy)
        self.places = place.Places(str(self.host.root), str(copy))
        self.assertEqual(0, self.apply())
        self.assertTrue((copy / 'firstboot/apply.py').exists())
        self.assertTrue((copy / 'drive').exists())
        self.assert_clean_of_banks()

    def assert_clean_of_banks(self) -> None:
        self.assertFalse((self.home / 'firstboot').exists())

    def test_a_link_in_the_place_of_the_package(self) -> None:
        self.install()
        outside = self.tmp() / 'outside'
        (self.home / 'firstboot').rename(outside)
        (self.home / 'firstboot').symlink_to(outside)
        self.apply()
        self.assertTrue((outside / 'apply.py').read_text())
        self.assertFalse(os.path.lexists(self.home / 'firstboot'))

    def test_step_that_fails(self) -> None:
        self.install()
        self.hook = lambda words: acting.result('', 1) \
            if words[0] == 'generate-certificates' else None
        self.assert_ended('partial')
        self.assert_clean()
        self.assertIn('failed', [step['result']
                                 for step in self.state()['steps']])

    def test_management_that_fails(self) -> None:
        network = {**acting.NETWORK, 'links': [
            {**acting.NETWORK['links'][0], 'mtu': 9000}]}
        self.install({**acting.FILES, 'network_data.json':
                      json.dumps(network).encode()})
        self.hook = lambda words: acting.result('', 1) \
            if '--mtu' in words else None
        self.assert_ended('failed')
        self.assert_clean()

    def test_problems_are_told(self) -> None:
        self.install({**acting.FILES, 'network_data.json': b'{'})
        self.assertEqual(0, self.apply())
        self.assertIn('Management: dhcp', self.esxi.welcome)

    def test_no_time_left(self) -> None:
        self.install()
        with unittest.mock.patch.object(apply, 'LIMIT', 0.0):
            self.assert_ended('partial')
        self.assertEqual({'skipped'}, {step['result'] for step
                                       in self.state()['steps']})

    def test_no_build_json(self) -> None:
        for content in ('', '[]', '{"version": [1]}'):
            self.install()
            (self.home / 'build.json').write_text(content)
            (self.home / 'installed.json').write_text(content)
            (self.home / 'settings.json').write_text(content)
            self.assertEqual(0, self.apply())


class TestWithoutDrive(TestCase):

    def test_none(self) -> None:
        self.install(None)
        before = self.esxi.vmks['vmk0'], dict(self.esxi.vswitches)
        self.assert_ended('failed')
        self.assert_clean()
        self.assertIn('drive: the host was installed without a config drive',
                      self.problems())
        self.assertIsNone(self.state()['instance_id'])
        self.assertEqual(before, (self.esxi.vmks['vmk0'],
                                  dict(self.esxi.vswitches)))
        self.assertTrue(self.esxi.services['ssh'].running)
        self.assertFalse([call for call in self.changes()
                          if call[:2] == ('esxcli', 'network')])

    def test_one_that_says_nothing(self) -> None:
        self.install()
        for path in (self.home / 'drive/openstack/latest').iterdir():
            path.write_bytes(b'\xff')
        self.assertEqual(0, self.apply())
        self.assertIn('meta_data.json: not JSON', self.problems())
        self.assert_clean()


class TestFacts(TestCase):

    def fail(self, *words: str) -> None:
        """A question that the host does not answer."""
        self.hook = lambda call: acting.result('', 1) \
            if call[-len(words):] == words else None

    def test_not_enough(self) -> None:
        self.install()
        self.fail(*PORTGROUPS)
        self.assert_ended('failed')
        self.assert_clean()
        self.assertIn('host: too little is known of its network',
                      self.problems())
        self.assertFalse([call for call in self.changes()
                          if call[:2] == ('esxcli', 'network')])
        self.assertTrue(self.esxi.services['ssh'].running)

    def test_not_enough_and_nothing_described(self) -> None:
        self.install({'meta_data.json': acting.FILES['meta_data.json']})
        self.fail(*PORTGROUPS)
        self.assert_ended('partial')

    def test_what_does_not_matter(self) -> None:
        self.install()
        self.fail('system', 'version', 'get')
        self.assert_ended('ok')

    def test_no_hostd(self) -> None:
        self.install()
        self.esxi.hostd = False
        self.assertEqual(1, self.apply())
        self.assertTrue(self.sleep.called)
        self.assertIn('localcli is asked', self.problems())
        self.assert_clean()


class TestStopped(TestCase):

    def stop(self, error: BaseException, *words: str) -> None:
        """At the first call with these words."""
        def hook(call: tuple[str, ...]) -> None:
            if set(words) <= set(call):
                self.hook = lambda words: None
                raise error

        self.hook = hook

    def assert_stopped(self, error: type[BaseException]) -> None:
        with self.assertRaises(error):
            self.apply()
        found = self.state()
        self.assertEqual('failed', found['status'])
        self.assertTrue(found['ended'])
        self.assertIn(f'first boot: stopped by {error.__name__}\n',
                      self.problems())
        self.assertEqual((self.home / 'state.json').read_bytes(), (
            self.host.root / 'var/log/esxi-img/state.json').read_bytes())

    def test_and_called_again(self) -> None:
        for error in (RuntimeError(acting.SECRETS[0]), apply.Expired(),
                      MemoryError()):
            for words in (('hostsvc/runtimeinfo',), ('nic', 'list'),
                          ('hostsvc/enable_ssh',), ('auto-backup.sh',)):
                with self.subTest((error, words)):
                    self.install()
                    self.stop(error, *words)
                    self.assert_stopped(type(error))
                    self.assertTrue((self.home / 'drive').exists())
                    self.assert_ended('partial')
                    self.assert_clean()
                    self.assertEqual('abcd-1', self.state()['instance_id'])
                    self.assertIn(
                        'wishes.json: is not there: nothing of user data is '
                        'done now\n', self.problems())
                    # That is so however often it is called.
                    self.assertEqual(1, self.apply())

    def test_there_are_no_user_data(self) -> None:
        self.install(SILENT)
        self.stop(RuntimeError(), 'hostsvc/enable_ssh')
        self.assert_stopped(RuntimeError)
        self.assert_ended('ok')
        self.assertEqual('', self.problems())
        self.assert_clean()

    def test_while_the_drive_is_read(self) -> None:
        self.install(SILENT)
        for error in (RuntimeError, apply.Expired):
            with unittest.mock.patch.object(drive, 'read',
                                            side_effect=error):
                self.assert_stopped(error)
        self.assert_ended('ok')

    def test_cut_off(self) -> None:
        """Nobody could write the end."""
        self.install(SILENT)
        with unittest.mock.patch.object(records.Records, 'end'):
            self.stop(RuntimeError(), 'hostsvc/enable_ssh')
            with self.assertRaises(RuntimeError):
                self.apply()
        self.assertEqual('running', self.state()['status'])
        self.assert_ended('ok')

    def test_interrupted_by_somebody(self) -> None:
        self.install()
        self.stop(KeyboardInterrupt(), 'hostsvc/enable_ssh')
        with self.assertRaises(KeyboardInterrupt):
            self.apply()
        self.assertEqual('running', self.state()['status'])


class TestAgain(TestCase):

    def test_nothing_is_done(self) -> None:
        for fails, expected in ((None, 0), ('generate-certificates', 1)):
            with self.subTest(fails):
                self.install()
                self.hook = lambda words: acting.result('', 1) \
                    if words[0] == fails else None
                self.assertEqual(expected, self.apply())
                before = {path: path.read_bytes()
                          for path in self.home.iterdir()}
                self.calls.clear()
                self.assertEqual(expected, self.apply())
                self.assertEqual(['logger'],
                                 [call[0] for call in self.calls])
                self.assertEqual(before, {path: path.read_bytes()
                                          for path in self.home.iterdir()})

    def test_the_host_restarted_before_all_was_removed(self) -> None:
        self.install()
        with unittest.mock.patch.object(apply, '_clean'):
            self.assert_ended('ok')
        before = (self.home / 'state.json').read_bytes()
        self.calls.clear()
        self.assertEqual(0, self.apply())
        self.assertEqual([], self.changes())
        self.assertEqual(before, (self.home / 'state.json').read_bytes())
        self.assert_clean()

    def test_the_drive_is_still_there(self) -> None:
        self.install(SILENT)
        with unittest.mock.patch.object(apply, '_clean'):
            self.assert_ended('ok')
        self.calls.clear()
        self.assert_ended('ok')
        self.assert_clean()
        self.assertEqual(
            {'auto-backup.sh', 'esxcli system welcomemsg set'},
            {' '.join(call[:4]) for call in self.changes()})


class TestReadOnly(TestCase):

    def forbid(self, *names: str) -> None:
        """These functions fail below the volumes."""
        volumes = str(self.host.volumes)
        for name in names:
            real = getattr(os, name)

            def refuse(path: str, *more: typing.Any,
                       real: typing.Any = real) -> typing.Any:
                writes = real is not os_open or more[0] & (
                    os.O_WRONLY | os.O_RDWR)
                if str(path).startswith(volumes) and writes:
                    raise OSError(30, 'Read-only file system')
                return real(path, *more)

            os_open = os.open
            patch = unittest.mock.patch(f'os.{name}', refuse)
            patch.start()
            self.addCleanup(patch.stop)

    def test_bootbank(self) -> None:
        self.install()
        self.forbid('rmdir', 'unlink', 'open')
        self.assertEqual(0, self.apply())
        self.assertFalse((self.home / 'state.json').exists())
        logs = self.host.root / 'var/log/esxi-img'
        found = json.loads((logs / 'state.json').read_text())
        self.assertEqual('ok', found['status'])
        told = ''.join(one['where'] for one in found['problems'])
        for name in ('state.json', 'journal.jsonl', 'firstboot', 'drive'):
            self.assertIn(str(self.home / name), told)

    def test_nothing_can_be_removed(self) -> None:
        self.install()
        self.forbid('rmdir')
        self.assert_ended('ok')
        self.assertIn('drive: cannot be removed: Read-only file system',
                      self.problems())
        left = [path for path in (self.home / 'drive').rglob('*')
                if path.is_file()]
        self.assertEqual([], left)

    def test_no_logs(self) -> None:
        self.install()
        (self.host.root / 'var').write_text('')
        self.assertEqual(0, self.apply())
        self.assertEqual('ok', self.state()['status'])


class PowerCut(BaseException):
    """Nobody can do anything about it."""


class WishesCase(TestCase):
    """A host whose plan has steps of a user's, and what they came from."""

    WISH = json.dumps({'x': acting.SECRETS[2]})
    SCRIPTS = ('one', 'bad', 'last')

    def setUp(self) -> None:
        super().setUp()
        real = think.outcome_of

        def outcome_of(*given: typing.Any, **more: typing.Any
                       ) -> outcome.Outcome:
            found = real(*given, **more)
            return dataclasses.replace(found, plan=steps.Plan(
                (*found.plan.steps, *self.extra())))

        for target, name, new in ((think, 'outcome_of', outcome_of),
                                  (phonehome, 'send', self.send)):
            patch = unittest.mock.patch.object(target, name, new)
            patch.start()
            self.addCleanup(patch.stop)

    def install(self, *given: typing.Any, **settings: bool) -> None:
        super().install(*given, **settings)
        self.wishes = [bank / 'esxiimg/drive/wishes.json'
                       for bank in (self.bank, self.other)]
        for path in self.wishes:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.WISH)
        self.scripts = self.host.root / 'tmp/esxi-img/scripts'
        self.ran: list[str] = []
        self.sent: list[tuple[typing.Any, ...]] = []
        self.why: str | None = None

    def extra(self) -> collections.abc.Iterator[steps.Step]:
        for name in self.SCRIPTS:
            path = f'/tmp/esxi-img/scripts/{name}'
            yield steps.Step(
                f'script.{name}.write', on_fail=steps.STOP, group=name,
                file=steps.File(path, acting.SECRETS[2], 0o700))
            yield steps.Step(f'script.{name}', ('sh', path), once=True,
                             retries=0, timeout=600, group=name)
        yield steps.Step(
            'phone_home', timeout=300, once=True, report=steps.Report(
                f'https://{acting.SECRETS[2]}/', ('instance_id',)))

    def send(self, *given: typing.Any) -> str | None:
        self.sent.append(given)
        return self.why

    def run_(self, argv: collections.abc.Sequence[str], timeout: float
             ) -> running.Result:
        if argv[0] != 'sh' or not argv[1].startswith('/tmp/'):
            return super().run_(argv, timeout)
        self.assertTrue(self.host.places.path(argv[1]))
        self.calls.append(tuple(argv))
        name = pathlib.PurePath(argv[1]).name
        self.assertEqual(acting.SECRETS[2],
                         (self.scripts / name).read_text())
        self.hook(tuple(argv))
        self.ran.append(name)
        return running.Result(int(name == 'bad'), acting.SECRETS[2],
                              acting.SECRETS[2], 1)

    def assert_gone(self) -> None:
        for path in (*self.wishes, self.scripts):
            self.assertFalse(os.path.lexists(path), path)


class TestWishes(WishesCase):

    def test_gone_at_the_end(self) -> None:
        self.install()
        kept = [self.tmp() / 'link' for _ in self.wishes]
        for path, one in zip(self.wishes, kept):
            os.link(path, one)
        self.assert_ended('partial')
        self.assertEqual([*self.SCRIPTS], self.ran)
        self.assert_gone()
        self.assert_clean()
        for one in kept:
            self.assertEqual(bytes(len(self.WISH)), one.read_bytes())

    def test_gone_before_anything_else_follows(self) -> None:
        self.install()
        seen = []

        def hook(words: tuple[str, ...]) -> None:
            if words[0] == 'logger' or 'welcomemsg' in words:
                self.assert_gone()
                seen.append(words[0])

        self.hook = hook
        self.assert_ended('partial')
        self.assertEqual(['logger', 'esxcli'], seen)

    def test_damaged(self) -> None:
        self.SCRIPTS = ()
        for damage in (b'', b'{', b'\xff', None):
            with self.subTest(damage):
                self.install()
                path = self.home / 'drive/wishes.json'
                path.unlink() if damage is None else path.write_bytes(damage)
                self.assert_ended('partial')
                self.assertIn('wishes.json: is ', self.problems())
                self.assert_gone()

    def test_gone_whatever_stops_it(self) -> None:
        for words, status in (
                (('nic', 'list'), 'failed'), (('auto-backup.sh',), 'failed'),
                (('sh', '/tmp/esxi-img/scripts/bad'), 'failed'),
                (('system', 'welcomemsg', 'set'), 'partial'),
                (('logger',), 'partial')):
            for error in RuntimeError(acting.SECRETS[2]), apply.Expired():
                with self.subTest((error, words)):
                    self.install()
                    TestStopped.stop(self, error, *words)
                    with self.assertRaises(type(error)):
                        self.apply()
                    self.assert_gone()
                    self.assertEqual(status, self.state()['status'])

    def test_while_the_drive_is_read(self) -> None:
        self.install()
        with unittest.mock.patch.object(drive, 'read',
                                        side_effect=RuntimeError):
            with self.assertRaises(RuntimeError):
                self.apply()
        self.assert_gone()
        self.assertTrue((self.home / 'drive/openstack').exists())

    def test_what_a_run_before_could_not_remove(self) -> None:
        self.install()
        self.assertEqual(1, self.apply())
        before = (self.home / 'state.json').read_bytes()
        for path in self.wishes:
            path.parent.mkdir(parents=True)
            path.write_text(self.WISH)
        self.assertEqual(1, self.apply())
        self.assert_gone()
        self.assertEqual(before, (self.home / 'state.json').read_bytes())

    def test_it_cannot_be_removed(self) -> None:
        self.install()
        real = place.destroy

        def destroy(path: str) -> None:
            if path.endswith('wishes.json'):
                raise OSError(30, 'Read-only file system')
            real(path)

        with unittest.mock.patch.object(place, 'destroy', destroy):
            TestStopped.stop(self, RuntimeError(), 'nic', 'list')
            with self.assertRaises(RuntimeError):
                apply.apply(self.run_, self.places)
        self.assertIn('drive/wishes.json: cannot be removed: Read-only',
                      self.problems())
        self.assertFalse(self.scripts.exists())

    def test_a_power_cut(self) -> None:
        """No finished script runs again; those that follow still run."""
        for name, before in (('one', []), ('bad', ['one']),
                             ('last', ['one', 'bad'])):
            self.install()
            TestStopped.stop(self, PowerCut(), 'sh',
                             f'/tmp/esxi-img/scripts/{name}')
            with self.assertRaises(PowerCut):
                apply.apply(self.run_, self.places)
            self.assertEqual(before, self.ran)
            self.assertEqual([True] * 2, [path.exists()
                                          for path in self.wishes])
            self.assertEqual('running', self.state()['status'])
            self.assert_ended('partial')
            self.assertEqual([*self.SCRIPTS], self.ran)
            self.assertEqual(1, len(self.sent))
            self.assert_gone()


class TestReport(WishesCase):

    def report(self) -> tuple[typing.Any, ...]:
        one, = self.sent
        return one

    def test_how_it_went_so_far(self) -> None:
        for scripts, failing, files, expected in (
                ((), None, acting.FILES, 'ok'),
                (('bad',), None, acting.FILES, 'partial'),
                ((), 'generate-certificates', acting.FILES, 'partial'),
                ((), None, None, 'failed')):
            with self.subTest(expected, scripts=scripts):
                self.SCRIPTS = scripts
                self.install(files)
                self.hook = lambda words: acting.result('', 1) \
                    if words[0] == failing else None
                self.assert_ended(expected)
                report, values, run, seconds, ca = self.report()
                self.assertEqual(
                    (expected, str(len(self.state()['problems'])),
                     'abcd-1' if files else '', 300,
                     str(self.home / 'ca.pem')),
                    (values['status'], values['problems'],
                     values['instance_id'], seconds, ca))

    def test_there_was_no_time(self) -> None:
        self.install()
        with unittest.mock.patch.object(apply, 'LIMIT', 0.0):
            self.assert_ended('partial')
        self.assertEqual(([], 'partial'),
                         (self.ran, self.report()[1]['status']))

    def test_host_keys(self) -> None:
        self.install()
        folder = self.host.root / 'etc/ssh'
        folder.mkdir(parents=True)
        (folder / 'ssh_host_rsa_key.pub').write_text('ssh-rsa A\n')
        self.apply()
        values = self.report()[1]
        self.assertEqual('ssh-rsa A\n', values['pub_key_rsa'])
        self.assertNotIn('pub_key_ecdsa', values)

    def test_it_fails(self) -> None:
        self.SCRIPTS = ()
        self.install()
        self.why = 'answered 500'
        self.assert_ended('partial')
        self.assertIn('phone_home: answered 500\n', self.problems())
        self.assertEqual('0', self.report()[1]['problems'])


class TestQuestions(TestCase):

    def test_plan(self) -> None:
        self.install()
        before = (self.host.texts(), self.esxi.services['ssh'].running)
        text = apply.planned(self.run_, self.places, False)
        self.assertIn('ssh.enable', text)
        self.assertIn('esx1.example.org', text)
        found = json.loads(apply.planned(self.run_, self.places, True))
        self.assertIn('ssh.enable', [one['name'] for one in found['steps']])
        self.assertEqual('admin_pass', found['identity']['root_password'])
        self.assert_no_secret(text + json.dumps(found))
        self.assertEqual([], self.changes())
        self.assertEqual(before, (self.host.texts(),
                                  self.esxi.services['ssh'].running))

    def test_plan_without_a_drive(self) -> None:
        self.install()
        self.apply()
        found = json.loads(apply.planned(self.run_, self.places, True))
        self.assertFalse([step for step in found['steps']
                          if step['argv'][:2] == ['esxcli', 'network']])

    def test_facts(self) -> None:
        self.install()
        (self.host.root / 'etc/ssh/keys-root').mkdir(parents=True)
        (self.host.root / KEYS).write_bytes(b'ssh-rsa a\xff\n')
        found = apply.facts_json(self.run_, self.places)
        problems = found.pop('problems')
        read, unknown = facts.from_json(json.loads(json.dumps(found)))
        self.assertEqual(
            ('8.0.3', ('ssh-rsa a\udcff',), (), []),
            (read.version, read.ssh_keys, unknown, problems))

    def test_status(self) -> None:
        self.install()
        self.assertIn('status None\n', apply.status(self.places, False))
        self.assertEqual('{}\n', apply.status(self.places, True))
        self.apply()
        text = apply.status(self.places, False)
        self.assertTrue(text.startswith('status ok\ninstance_id abcd-1\n'))
        self.assertEqual(self.state(), json.loads(
            apply.status(self.places, True)))

    def test_status_with_problems(self) -> None:
        self.install(None)
        self.apply()
        text = apply.status(self.places, False)
        self.assertIn('\nproblem drive: the host was installed without', text)
        self.assertTrue(text.isascii())

    def test_status_of_a_damaged_state(self) -> None:
        self.install()
        for content in ('{', '[]', '{"status": "\\n\\u00e4", "problems": []}',
                        '{"problems": null}', '{"problems": ["x", 1]}'):
            (self.home / 'state.json').write_text(content)
            text = apply.status(self.places, False)
            self.assertTrue(text.isascii())
            self.assertEqual(5, len(io.StringIO(text).readlines()))


class TestTime(TestCase):

    def test_the_last_resort_comes_last(self) -> None:
        """After the deadline, taking back and telling have their time."""
        self.assertGreater(apply.ALARM, apply.LIMIT + 300 + 60)

    def test_all_paths_are_below_the_root(self) -> None:
        self.install()
        real, seen = os.open, []

        def note(path: str, *more: typing.Any) -> int:
            seen.append(pathlib.Path(path))
            return real(path, *more)

        with unittest.mock.patch('os.open', note):
            self.apply()
        self.assertTrue(seen)
        self.assertEqual([], [path for path in seen if not
                              path.is_relative_to(self.host.root)])


class TestExtended(base.TestCase):
    """The last resort, for what is the user's own."""

    def setUp(self) -> None:
        super().setUp()

        def expire(*_: object) -> None:
            raise apply.Expired

        self.addCleanup(signal.signal, signal.SIGALRM,
                        signal.signal(signal.SIGALRM, expire))
        self.addCleanup(signal.alarm, 0)

    def left(self) -> float:
        return signal.getitimer(signal.ITIMER_REAL)[0]

    def test_it_waits(self) -> None:
        signal.alarm(1000)
        with apply._extended(599.5):
            self.assertAlmostEqual(1600, self.left(), delta=10)
        self.assertAlmostEqual(1000, self.left(), delta=10)

    def test_there_is_none(self) -> None:
        with apply._extended(600):
            self.assertEqual(0, self.left())
        self.assertEqual(0, self.left())

    def test_it_comes_once(self) -> None:
        signal.alarm(1)
        with self.assertRaises(apply.Expired), apply._extended(0.1):
            signal.pause()
        self.assertEqual(0, self.left())

    def test_a_script_that_hangs(self) -> None:
        """It alone is ended; the last resort does not come."""
        signal.alarm(1)
        effects = execute.Effects(
            running.run, lambda _: None, time.monotonic, time.sleep,
            unittest.mock.Mock(), apply._extended, os.urandom)
        script = steps.Step('s', ('sleep', '60'), timeout=2, once=True)
        done = execute.execute(
            steps.Plan((script, steps.Step('a', ('true',)))), effects,
            records.Records(str(self.tmp()), 'uuid', '1'),
            time.monotonic() + 60)
        self.assertEqual([('s', 'timeout'), ('a', 'ok')],
                         [(one.name, one.result) for one in done])
