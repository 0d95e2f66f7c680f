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

"""Steps for what users bring, and for the end."""

import dataclasses
import json
import time
from unittest import mock

from esxi_img.firstboot import files
from esxi_img.firstboot import model
from esxi_img.firstboot import payload
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

SECRET = 'Hunter22'
URL = f'https://example.org/{SECRET}'
ALL = ('instance_id', 'pub_key_rsa', 'hostname', 'fqdn')


def told(some: list[steps.Step]) -> str:
    return repr(some) + json.dumps([one.as_json() for one in some]) \
        + ''.join(one.shown() for one in some)


class TestFiles(base.TestCase):
    def test_files(self) -> None:
        found = payload.files(wish.Wishes(files=(
            wish.WriteFile('/etc/a', 'user_data:write_files[0]', SECRET),
            wish.WriteFile('/etc/a', 'user_data:write_files[1]', 'b\udcff',
                           0o600, True))))
        self.assertEqual(['file.1', 'file.2'], [one.name for one in found])
        self.assertEqual(
            [steps.File('/etc/a', SECRET, None),
             steps.File('/etc/a', 'b\udcff', 0o600, True)],
            [one.file for one in found])
        self.assertEqual('user_data:write_files[1]', found[1].why)
        for one in found:
            self.assertEqual((True, None, steps.CONTINUE),
                             (one.blind, one.group, one.on_fail))
        self.assertNotIn(SECRET, told(found))

    def test_a_disk_is_not_appended_to_again(self) -> None:
        for path, append, once in (
                ('/vmfs/volumes/a/b', True, True), ('/bootbank/b', True, True),
                ('/etc/a', True, False), ('/bootbank/b', False, False)):
            found, = payload.files(wish.Wishes(files=(wish.WriteFile(
                path, 'user_data:write_files[0]', 'x', None, append),)))
            self.assertEqual(once, found.once, path)


class TestScripts(base.TestCase):
    def planned(self) -> list[steps.Step]:
        return payload.scripts(wish.Wishes(
            scripts=(
                wish.Script('runcmd', 'user_data:runcmd', ('sh',), SECRET),
                wish.Script('part-2', 'user_data:part[2]',
                            ('python', '-u'), 'pass')),
            esxi=wish.Esxi(script_timeout=7)))

    def test_written_then_run(self) -> None:
        found = self.planned()
        self.assertEqual(
            ['script.runcmd.write', 'script.runcmd', 'script.part-2.write',
             'script.part-2'], [one.name for one in found])
        self.assertEqual(
            steps.File('/tmp/esxi-img/scripts/runcmd', SECRET, 0o700),
            found[0].file)
        for run, *words in ((found[1], 'sh', 'runcmd'),
                            (found[3], 'python', '-u', 'part-2')):
            words[-1] = f'/tmp/esxi-img/scripts/{words[-1]}'
            self.assertEqual(('sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh',
                              *words), run.argv)
        self.assertEqual({}, legal.refusals(found))
        self.assertNotIn(SECRET, told(found))
        self.assertEqual('user_data:runcmd', found[1].why)

    def test_each_stands_alone_and_runs_once(self) -> None:
        found = self.planned()
        self.assertEqual(['script.runcmd'] * 2 + ['script.part-2'] * 2,
                         [one.group for one in found])
        for written, run in zip(found[::2], found[1::2]):
            # In memory, so a journal cannot tell that it is there.
            self.assertEqual((steps.STOP, False, False),
                             (written.on_fail, written.once, written.blind))
            self.assertEqual((steps.CONTINUE, True, 0, 7),
                             (run.on_fail, run.once, run.retries,
                              run.timeout))

    def test_what_a_script_leaves_behind_may_write(self) -> None:
        folder = self.tmp()
        done = folder / 'done'
        with mock.patch.object(payload, 'SCRIPTS', str(folder)):
            written, script = payload.scripts(wish.Wishes(scripts=(
                wish.Script('s', 'user_data:runcmd', ('sh',),
                            'sh -c "sleep 0.3; /bin/echo a && /bin/echo b '
                            f'>&2 && mkdir {done}" &\nexit 3\n'),)))
        assert written.file
        files.write(written.file)
        self.assertEqual(3, running.run(script.argv, 10).status)
        until = time.monotonic() + 10
        while not done.exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.assertTrue(done.exists())


class TestFinalMessage(base.TestCase):
    def test_final_message(self) -> None:
        found = payload.final_message(wish.Wishes(
            final_message=f'-- up:\n{SECRET}'))
        self.assertEqual(
            ['final_message.write', 'final_message'],
            [one.name for one in found])
        self.assertEqual(steps.File('/tmp/esxi-img/scripts/final_message.txt',
                                    f'up: {SECRET}\n'), found[0].file)
        self.assertEqual(
            ('sh', '-c',
             'logger -t esxi-img '
             '"$(cat /tmp/esxi-img/scripts/final_message.txt)"'),
            found[1].argv)
        self.assertEqual((True, steps.STOP, 'final_message'), (
            found[1].once, found[0].on_fail, found[0].group))
        self.assertNotIn(SECRET, told(found))

    def test_nothing_to_say(self) -> None:
        for text in (None, '', ' \n'):
            self.assertEqual([], payload.final_message(
                wish.Wishes(final_message=text)))


class TestReport(base.TestCase):
    HOME = wish.PhoneHome(model.Secret(URL), ALL, 3)

    def planned(self, name: str | None = 'a.example.org',
                instance_id: str | None = 'i-1') -> steps.Step:
        (found,), problems = payload.report(
            wish.Wishes(phone_home=self.HOME), name, instance_id)
        self.assertEqual([], problems)
        return found

    def test_not_wished(self) -> None:
        self.assertEqual(([], []),
                         payload.report(wish.Wishes(), 'a', 'i-1'))

    def test_report(self) -> None:
        found = self.planned()
        self.assertEqual(
            steps.Report(URL, ALL, (
                ('instance_id', 'i-1'), ('hostname', 'a'),
                ('fqdn', 'a.example.org')), 3), found.report)
        self.assertEqual((True, 0, steps.CONTINUE),
                         (found.once, found.retries, found.on_fail))
        self.assertNotIn(SECRET, told([found]))

    def test_only_what_is_known(self) -> None:
        report = self.planned(None, None).report
        assert report
        self.assertEqual((), report.values)

    def test_only_what_is_asked(self) -> None:
        home = dataclasses.replace(self.HOME, post=('fqdn',))
        (found,), _ = payload.report(wish.Wishes(phone_home=home), 'a',
                                     'i-1')
        assert found.report
        self.assertEqual((('fqdn', 'a'),), found.report.values)

    def test_time(self) -> None:
        for tries, seconds in ((1, 40), (10, 400), (100, 600)):
            home = dataclasses.replace(self.HOME, tries=tries)
            (found,), _ = payload.report(wish.Wishes(phone_home=home), None,
                                         None)
            self.assertEqual(seconds, found.timeout)

    def test_port(self) -> None:
        for url, port in (
                ('http://h:8080/', 8080), ('https://[2001:db8::1]:8443', 8443),
                ('http://h/', None), ('https://h:443/', None),
                ('HTTPS://h:80/?:81', None), ('http://h?x://y:81', None)):
            home = wish.PhoneHome(model.Secret(url), ALL, 3)
            _, problems = payload.report(wish.Wishes(phone_home=home), None,
                                         None)
            self.assertEqual([] if port is None else [model.Problem(
                'cloud-config:phone_home', f'port {port} is none that a '
                'ruleset of ESXi passes: the firewall is off during each '
                'call')], problems)


class TestPower(base.TestCase):
    def argv(self, *state: object) -> steps.Argv:
        found, = payload.power(wish.Wishes(
            power_state=wish.PowerState(*state)))  # type: ignore[arg-type]
        self.assertEqual({}, legal.refusals([found]))
        self.assertEqual(('power_state', True), (found.name, found.once))
        return found.argv

    def test_not_wished(self) -> None:
        self.assertEqual([], payload.power(wish.Wishes()))

    def test_power(self) -> None:
        self.assertEqual(
            ('esxcli', 'system', 'shutdown', 'reboot', '--delay', '300',
             '--reason', 'all done'), self.argv('reboot', 300, 'all\ndone'))
        self.assertEqual('poweroff', self.argv('poweroff', 90)[3])

    def test_what_follows_has_its_time(self) -> None:
        for delay, expected in ((0, '60'), (59, '60'), (61, '61')):
            self.assertEqual(expected, self.argv('reboot', delay)[5])

    def test_there_is_always_a_reason(self) -> None:
        for message in ('', '-', '\0'):
            self.assertEqual('power_state of cloud-config',
                             self.argv('reboot', 60, message)[-1])
