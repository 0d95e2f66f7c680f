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

import contextlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing
import unittest.mock

from esxi_img.firstboot import __main__ as firstboot
from esxi_img.firstboot import apply
from esxi_img.firstboot import place
from esxi_img.firstboot import post
from esxi_img.firstboot import pre
from esxi_img.firstboot import running
from esxi_img.firstboot import scrub
from tests import base
from tests.unit.firstboot import acting

COMMANDS = ('pre', 'scrub', 'post', 'apply', 'plan', 'facts', 'status')
PACKAGE = pathlib.Path(place.__file__).parent


class TestCase(acting.TestCase):

    def main(self, *argv: str, run: running.Run | None = None) -> int:
        return firstboot.main([*argv], run or self.host.run,
                              self.host.places)

    def stderr(self) -> io.StringIO:
        text = io.StringIO()
        redirect = contextlib.redirect_stderr(text)
        redirect.__enter__()
        self.addCleanup(redirect.__exit__, None, None, None)
        return text


class TestCommands(TestCase):

    def test_all(self) -> None:
        self.assertEqual(COMMANDS, tuple(firstboot.COMMANDS))
        self.assertEqual({'pre', 'scrub', 'post', 'apply'},
                         set(firstboot.LIMITS))

    def test_each_gets_the_host(self) -> None:
        for name, module in (('pre', pre), ('scrub', scrub), ('post', post),
                             ('apply', apply)):
            with unittest.mock.patch.object(module, name,
                                            return_value=7) as command:
                self.assertEqual(7, self.main(name))
            command.assert_called_once_with(self.host.run, self.host.places)

    def test_the_installers_part(self) -> None:
        path = self.host.add_disk(acting.NAA, content=acting.iso())
        self.assertEqual([0, 0], [self.main('pre'), self.main('scrub')])
        self.assertNotIn(acting.SECRETS[0].encode(), path.read_bytes())
        self.host.install(acting.NAA)
        self.assertEqual(0, self.main('post'))

    def test_questions(self) -> None:
        for argv, text in (
                (('status',), 'status None'), (('status', '--json'), '{}'),
                (('plan',), 'plan '), (('plan', '--json'), '"plan_id"'),
                (('facts',), '"problems"'),
                (('facts', '--json'), '"problems"')):
            with self.subTest(argv), unittest.mock.patch('time.sleep'):
                self.console.truncate(0)
                self.assertEqual(0, self.main(*argv))
                self.assertIn(text, self.console.getvalue())

    def test_wrong_words(self) -> None:
        stderr = self.stderr()
        for argv in ((), ('x',), ('pre', '--json'), ('apply', 'x')):
            with self.assertRaises(SystemExit) as caught:
                self.main(*argv)
            self.assertEqual(2, caught.exception.code)
        self.assertIn('usage: firstboot', stderr.getvalue())

    def test_help(self) -> None:
        with self.assertRaises(SystemExit) as caught:
            self.main('--help')
        self.assertEqual(0, caught.exception.code)
        for name in COMMANDS:
            self.assertIn(f'    {name} ', self.console.getvalue())


class TestErrors(TestCase):

    def fail(self, name: str, error: BaseException) -> int:
        def command(call: firstboot.Call) -> int:
            raise error

        with unittest.mock.patch.dict(firstboot.COMMANDS, {name: command}):
            return self.main(name)

    def test_text_of_an_error_is_not_told(self) -> None:
        stderr = self.stderr()
        for name in COMMANDS:
            for error in (ValueError(acting.SECRETS[0]),
                          KeyError(acting.SECRETS[1]),
                          UnicodeDecodeError('ascii', b'user-secret', 0, 1,
                                             'user-secret'),
                          RuntimeError(Exception(acting.SECRETS[2]))):
                with self.subTest(name):
                    self.assertEqual(1, self.fail(name, error))
        text = stderr.getvalue() + self.console.getvalue()
        self.assert_no_secret(text + self.host.texts())
        for line in text.splitlines():
            self.assertRegex(line, r'\Aesxi-img: (problem: )?\w+ stopped by '
                             r'\w+Error at __main__.py:\d+, test_main.py:'
                             r'\d+\Z')
        self.assertEqual(4 * len(COMMANDS), len(text.splitlines()))

    def test_the_installers_are_kept(self) -> None:
        stderr = self.stderr()
        self.fail('pre', OSError(28, 'No space left on device', '/x'))
        self.assertRegex(self.host.said(), r'\Aproblem: pre stopped by '
                         r'OSError \(No space left on device\) at ')
        self.assertEqual('', stderr.getvalue())

    def test_chained(self) -> None:
        try:
            raise ValueError(acting.SECRETS[0])
        except ValueError as error:
            self.assertEqual(1, self.fail('scrub', KeyError(error)))
        self.assert_no_secret(self.host.texts() + self.console.getvalue())

    def test_broken_package(self) -> None:
        with unittest.mock.patch.object(pre, 'pre', side_effect=NameError):
            self.assertEqual(1, self.main('pre'))
        self.assertEqual([], [*self.host.work.glob('new/*')])

    def test_somebody_interrupts(self) -> None:
        for error in (KeyboardInterrupt, SystemExit):
            with self.assertRaises(error):
                self.fail('pre', error())


class TestTime(TestCase):
    """A command is stopped where it stands."""

    def hanging(self, *words: str) -> running.Run:
        """The alarm is raised at the first call with these words."""
        def run(argv: typing.Sequence[str], timeout: float
                ) -> running.Result:
            if set(words) <= set(argv):
                signal.raise_signal(signal.SIGALRM)
            return self.host.run(argv, timeout)

        return run

    def test_pre(self) -> None:
        self.host.add_disk(acting.NAA, content=acting.iso())
        self.assertEqual(1, self.main('pre', run=self.hanging('nic')))
        self.assertFalse((self.host.work / 'pre.json').exists())
        self.assertFalse((self.host.work / 'new').exists())
        self.assertIn('problem: pre stopped by Expired at ',
                      self.host.said())

    def test_what_was_mounted(self) -> None:
        self.host.add_disk(acting.NAA, content=acting.iso())
        name = f'{acting.NAA}:2'
        self.host.mounts[name] = acting.FILES
        with unittest.mock.patch('esxi_img.firstboot.drive.read',
                                 side_effect=apply.Expired):
            self.assertEqual(1, self.main('pre'))
        self.assertEqual(name, self.host.calls[-2][-1])
        self.assertEqual([], [*self.host.volumes.iterdir()])

    def test_post(self) -> None:
        self.host.add_disk(acting.NAA, content=acting.iso())
        self.main('pre')
        self.host.install(acting.NAA)
        self.assertEqual(1, self.main('post',
                                      run=self.hanging('vmkfstools')))
        self.assertFalse((self.host.work / 'drive').exists())

    def test_apply(self) -> None:
        stderr = self.stderr()
        self.assertEqual(1, self.main(
            'apply', run=self.hanging('hostsvc/runtimeinfo')))
        state = place.read_json(str(self.host.home / 'state.json'))
        self.assertEqual('failed', state['status'])
        self.assertIn('apply stopped by Expired', stderr.getvalue())

    def test_real_alarm(self) -> None:
        def hang(call: firstboot.Call) -> int:
            time.sleep(20)
            return 0

        began = time.monotonic()
        with unittest.mock.patch.dict(firstboot.COMMANDS, {'scrub': hang}), \
                unittest.mock.patch.dict(firstboot.LIMITS, {'scrub': 1}):
            self.assertEqual(1, self.main('scrub'))
        self.assertLess(time.monotonic() - began, 10)

    def test_all_is_as_before(self) -> None:
        before = signal.SIG_DFL
        signal.signal(signal.SIGALRM, before)
        for name in COMMANDS:
            seen: list[int] = []

            def note(call: firstboot.Call) -> int:
                seen.append(signal.alarm(firstboot.LIMITS.get(name, 0)))
                return 0

            with unittest.mock.patch.dict(firstboot.COMMANDS, {name: note}):
                self.main(name)
            self.assertEqual([firstboot.LIMITS.get(name, 0)], seen)
            self.assertEqual((0, before), (
                signal.alarm(0), signal.getsignal(signal.SIGALRM)))


class TestProcess(base.TestCase):
    """As the scripts of the kickstart call it."""

    def setUp(self) -> None:
        super().setUp()
        self.home = self.tmp() / 'esxiimg'
        shutil.copytree(PACKAGE, self.home / 'firstboot',
                        ignore=shutil.ignore_patterns('__pycache__'))

    def run_(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, '-W', 'error', '-B', '-m', 'firstboot', *words],
            cwd=self.home, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, env={'PATH': '/nowhere'})

    def files(self) -> list[pathlib.Path]:
        return sorted(self.home.rglob('*'))

    def test_help(self) -> None:
        before = self.files()
        done = self.run_('--help')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertTrue(done.stdout.startswith('usage: firstboot'))
        self.assertEqual(before, self.files())

    def test_status_is_that_of_its_folder(self) -> None:
        (self.home / 'state.json').write_text('{"status": "ok"}')
        done = self.run_('status')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertTrue(done.stdout.startswith('status ok\n'))

    def test_a_module_is_missing(self) -> None:
        os.unlink(self.home / 'firstboot/model.py')
        self.assertEqual(1, self.run_('status').returncode)
