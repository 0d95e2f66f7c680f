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

import collections
import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import pickle
import time
import typing
from unittest import mock

from esxi_img.firstboot import execute
from esxi_img.firstboot import files
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import outcome
from esxi_img.firstboot import password
from esxi_img.firstboot import records
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.firstboot import think
from esxi_img.firstboot import wiring
from tests import base
from tests.esxi import state
from tests.unit.firstboot import simulated
from tests.unit.firstboot import test_hosts

HOUR = 3600.0
HANGS = running.Result(None, 'half', 'slow', 0)


def answer(status: int | None = 0, output: str = '', error: str = ''
           ) -> running.Result:
    return running.Result(status, output, error, 0)


class Clock:
    """Time that passes only when somebody lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def no_report(report: steps.Report, done: object, seconds: float) -> str:
    return 'nobody is there'


def effects(run: running.Run, clock: Clock,
            write_file: typing.Any = lambda _: None) -> execute.Effects:
    return execute.Effects(run, write_file, clock, clock.sleep, no_report,
                           contextlib.nullcontext, bytes)


class ExecuteTests(base.TestCase):
    """Against a host that answers as it is told."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.folder = self.tmp()
        self.calls: list[tuple[str, float]] = []
        self.answers: dict[str, list[running.Result | float]] = {}
        self.written: list[steps.File] = []
        self.write_file: typing.Any = self.written.append
        self.send: typing.Any = no_report
        self.extended: typing.Any = contextlib.nullcontext
        self.again = False
        self.deadline = HOUR

    def run_it(self, argv: collections.abc.Sequence[str], timeout: float
               ) -> running.Result:
        """The last answer stands; a number: it takes so many seconds."""
        text = ' '.join(argv)
        self.calls.append((text, timeout))
        given = self.answers.get(text, [answer()])
        one = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(one, running.Result):
            return one
        self.clock.sleep(min(one, timeout))
        return HANGS if one > timeout else answer()

    def commands(self) -> list[str]:
        return [text for text, _ in self.calls]

    def execute(self, *given: steps.Step) -> list[tuple[str, str]]:
        self.records = records.Records(str(self.folder), 'uuid', '1',
                                       self.clock)
        plan = steps.Plan(given)
        self.records.begin(plan.id)
        self.done = execute.execute(
            plan, dataclasses.replace(
                effects(self.run_it, self.clock, self.write_file),
                send=self.send, extended=self.extended),
            self.records, self.deadline, self.again)
        results = [(one.name, one.result) for one in self.done]
        told = json.loads((self.folder / 'state.json').read_text())
        self.assertEqual(results, [(one['name'], one['result'])
                                   for one in told['steps']])
        return results

    def journal(self) -> list[dict[str, typing.Any]]:
        return [json.loads(line) for line in (
            self.folder / 'journal.jsonl').read_text().splitlines()]


def step(name: str, **more: typing.Any) -> steps.Step:
    return steps.Step(name, tuple(f'do {name}'.split()), **more)


def linked(name: str, *undo: str, **more: typing.Any) -> steps.Step:
    """A step of a group."""
    return step(name, group='g', on_fail=steps.STOP,
                undo=tuple(tuple(one.split()) for one in undo), **more)


class OrderTests(ExecuteTests):

    def test_in_order(self) -> None:
        self.assertEqual([('a', 'ok'), ('b', 'ok')],
                         self.execute(step('a'), step('b')))
        self.assertEqual([('do a', 120), ('do b', 120)], self.calls)
        self.assertEqual(['a', 'b'], [
            entry['step'] for entry in self.journal()])

    def test_a_failure_alone_stops_nothing(self) -> None:
        for on_fail in steps.STOP, steps.CONTINUE:
            self.answers['do a'] = [answer(1, error='no\n')]
            self.assertEqual([('a', 'failed'), ('b', 'ok')], self.execute(
                step('a', on_fail=on_fail), step('b')))
            entry = self.journal()[-2]
            self.assertEqual((1, 'no'), (entry['status'], entry['error']))

    def test_seconds(self) -> None:
        self.answers['do a'] = [7]
        self.execute(step('a'))
        self.assertEqual(7, self.done[0].seconds)

    def test_an_empty_plan(self) -> None:
        self.assertEqual([], self.execute())


class TryTests(ExecuteTests):

    def test_again(self) -> None:
        self.answers['do a'] = [answer(1), answer(1), answer()]
        self.assertEqual([('a', 'ok')], self.execute(step('a')))
        self.assertEqual(3, len(self.calls))
        self.assertEqual(6, self.clock.now)

    def test_not_for_ever(self) -> None:
        self.answers['do a'] = [answer(1)]
        self.assertEqual([('a', 'failed')],
                         self.execute(step('a', retries=1)))
        self.assertEqual(2, len(self.calls))
        self.assertEqual(2, self.clock.now)

    def test_not_after_a_time_limit(self) -> None:
        self.answers['do a'] = [HANGS, answer()]
        self.assertEqual([('a', 'timeout')], self.execute(step('a')))
        self.assertEqual(['do a'], self.commands())
        self.assertIsNone(self.journal()[0]['status'])

    def test_not_if_optional(self) -> None:
        self.answers['do a'] = [answer(1), answer()]
        self.assertEqual([('a', 'failed')],
                         self.execute(step('a', optional=True)))

    def test_not_over_the_deadline(self) -> None:
        self.deadline = 5.0
        self.answers['do a'] = [answer(1)]
        self.assertEqual([('a', 'failed')], self.execute(step('a')))
        self.assertEqual([('do a', 5.0), ('do a', 3.0)], self.calls)
        self.assertEqual(2, self.clock.now)


class ProbeTests(ExecuteTests):

    PROBE = steps.Probe(('ask',), ('x', 'y'))

    def test_done_already(self) -> None:
        for output in ('x y\n', 'head\n  y  1, x\n', 'y,x', 'z x,y z'):
            self.answers['ask'] = [answer(0, output)]
            self.assertEqual([('a', 'same')],
                             self.execute(step('a', probe=self.PROBE)))
        self.assertEqual({'ask'}, set(self.commands()))

    def test_not_done_yet(self) -> None:
        for output in ('', 'x\ny\n', 'xy', 'x yy', 'x.y'):
            self.calls.clear()
            self.answers['ask'] = [answer(0, output)]
            with self.subTest(output):
                self.assertEqual([('a', 'ok')],
                                 self.execute(step('a', probe=self.PROBE)))
                self.assertEqual(['ask', 'do a'], self.commands())

    def test_one_that_fails_says_nothing(self) -> None:
        for bad in answer(1, 'x y'), running.Result(None, 'x y', '', 0):
            self.calls.clear()
            self.answers['ask'] = [bad]
            self.assertEqual([('a', 'ok')],
                             self.execute(step('a', probe=self.PROBE)))
            self.assertEqual(['ask', 'do a'], self.commands())

    def test_once_more_after_a_failure(self) -> None:
        for bad, result in ((answer(1), 'failed'), (HANGS, 'timeout')):
            self.answers['do a'] = [bad]
            for after, expected in (('x y', 'ok'), ('x', result)):
                self.answers['ask'] = [answer(), answer(0, after)]
                with self.subTest(after, result=result):
                    self.assertEqual([('a', expected)], self.execute(
                        step('a', probe=self.PROBE)))
                    self.assertEqual('ask', self.commands()[-1])

    def test_one_that_takes_all_the_time(self) -> None:
        self.deadline = 60.0
        self.answers['ask'] = [HOUR]
        self.assertEqual([('a', 'skipped')],
                         self.execute(step('a', probe=self.PROBE)))
        self.assertEqual([('ask', 60.0)], self.calls)


class BlindTests(ExecuteTests):

    def test_what_the_journal_knows(self) -> None:
        a, b = step('a', blind=True), step('b')
        backup = step('backup')
        for results in (['ok', 'ok', 'ok'], ['same', 'ok', 'ok'],
                        ['same', 'ok', 'ok']):
            self.assertEqual(
                list(zip(['a', 'b', 'backup'], results)),
                self.execute(a, b, backup))
        self.assertEqual(1, self.commands().count('do a'))

    def test_another_step_of_the_name(self) -> None:
        self.execute(step('a', blind=True), step('backup'))
        self.assertEqual(('a', 'ok'), self.execute(
            step('a', blind=True, timeout=7), step('backup'))[0])

    def test_one_that_failed(self) -> None:
        self.answers['do a'] = [answer(1)]
        for _ in range(2):
            self.assertEqual(('a', 'failed'), self.execute(
                step('a', blind=True, retries=0), step('backup'))[0])
        self.assertEqual(2, self.commands().count('do a'))


class GroupTests(ExecuteTests):

    def test_what_follows_is_left_out_and_the_rest_undone(self) -> None:
        for bad, result in ((answer(1), 'failed'), (HANGS, 'timeout')):
            self.calls.clear()
            self.answers['do c'] = [bad]
            self.assertEqual(
                [('a', 'ok'), ('between', 'ok'), ('b', 'ok'), ('c', result),
                 ('c', 'undone'), ('b', 'undone'), ('b', 'undone'),
                 ('a', 'undone'), ('d', 'skipped'), ('after', 'ok')],
                self.execute(
                    linked('a', 'undo a'), step('between'),
                    linked('b', 'undo b1', 'undo b2'),
                    linked('c', 'undo c', retries=0), linked('d', 'undo d'),
                    step('after')))
            self.assertEqual(
                'do a,do between,do b,do c,undo c,undo b1,undo b2,undo a,'
                'do after', ','.join(self.commands()))
            self.assertEqual(120, self.calls[4][1])

    def test_other_groups_go_on(self) -> None:
        self.answers['do a'] = [answer(1)]
        other = dataclasses.replace(linked('c'), group='other')
        self.assertEqual(
            [('a', 'failed'), ('b', 'skipped'), ('c', 'ok')],
            self.execute(linked('a'), linked('b'), other))

    def test_what_was_there_before_is_not_undone(self) -> None:
        self.answers['ask'] = [answer(0, 'x')]
        self.answers['do b'] = [answer(1)]
        self.execute(linked('a', 'undo a', probe=steps.Probe(
            ('ask',), ('x',))), linked('b', retries=0))
        self.assertEqual(['ask', 'do b'], self.commands())

    def test_undo_goes_on_and_tries_again(self) -> None:
        self.answers['do b'] = [answer(1)]
        self.answers['undo b1'] = [answer(1, error='gone')]
        self.answers['undo b2'] = [HANGS]
        self.answers['undo a'] = [answer(1), answer()]
        self.assertEqual(
            [('a', 'ok'), ('b', 'failed'), ('b', 'undo-failed'),
             ('b', 'undo-failed'), ('b', 'undone'), ('a', 'undone')],
            self.execute(linked('a', 'undo a'), linked(
                'b', 'undo b1', 'undo b2', 'undo b3', retries=0)))
        self.assertEqual(
            'do a,do b,undo b1,undo b1,undo b1,undo b2,undo b3,undo a,'
            'undo a', ','.join(self.commands()))
        self.assertEqual([(1, 'gone'), (None, 'slow'), (0, '')], [
            (entry['status'], entry['error'])
            for entry in self.journal()[2:5]])

    def test_one_that_does_not_stop_its_group(self) -> None:
        for more in {'optional': True}, {'on_fail': steps.CONTINUE}:
            self.answers['do a'] = [answer(1)]
            self.assertEqual(
                [('a', 'failed'), ('b', 'ok')],
                self.execute(dataclasses.replace(
                    linked('a', 'undo a'), **more), linked('b')))

    def test_a_file(self) -> None:
        file = steps.File('/f', 'content')
        self.assertEqual([('a', 'ok')],
                         self.execute(steps.Step('a', file=file)))
        self.assertEqual([file], self.written)
        self.assertEqual([], self.calls)


class FileStepTests(ExecuteTests):

    def test_one_that_cannot_be_written(self) -> None:
        secret = 'Secret1!\ud800'
        file = steps.File(str(self.folder / 'file'), secret)
        one = steps.Step('a', file=file)
        for error, expected in (
                (OSError(28, 'No space left'), 'No space left'),
                (OSError('what'), 'OSError'), (None, 'UnicodeEncodeError')):
            self.write_file = mock.Mock(side_effect=error or files.write)
            self.assertEqual([('a', 'failed'), ('b', 'ok')],
                             self.execute(one, step('b')))
            entry = self.journal()[-2]
            self.assertIn(expected, entry['error'])
            self.assertNotIn('Secret1!', json.dumps(self.journal()))


class OnceTests(ExecuteTests):

    def script(self, name: str = 's', **more: typing.Any) -> steps.Step:
        return step(name, once=True, **{'timeout': 600, **more})

    def test_not_again_however_it_ended(self) -> None:
        for bad, first, then in (
                (answer(), 'ok', 'same'), (answer(1), 'failed', 'failed'),
                (answer(137), 'failed', 'failed'),
                (answer(running.NOT_FOUND), 'failed', 'failed'),
                (HANGS, 'timeout', 'timeout')):
            with self.subTest(first):
                self.folder = self.tmp()
                self.calls.clear()
                self.answers['do s'] = [bad]
                self.assertEqual([('s', first), ('b', 'ok')],
                                 self.execute(self.script(), step('b')))
                self.answers['do s'] = [answer()]
                for _ in range(2):
                    self.assertEqual([('s', then), ('b', 'ok')],
                                     self.execute(self.script(), step('b')))
                self.assertEqual(1, self.commands().count('do s'))
                entry = self.journal()[-2]
                self.assertIsNone(entry['status'])
                self.assertEqual(then == 'same', entry['error'] == '')

    def test_no_try_again(self) -> None:
        self.answers['do s'] = [answer(1), answer()]
        self.assertEqual([('s', 'failed')],
                         self.execute(self.script(retries=2)))

    def test_another_instance(self) -> None:
        self.execute(self.script())
        mine = records.Records(str(self.folder), 'other', '1', self.clock)
        done = execute.execute(steps.Plan((self.script(),)), effects(
            self.run_it, self.clock), mine, HOUR)
        self.assertEqual('ok', done[0].result)

    def test_it_was_left_out_before(self) -> None:
        self.deadline = 0.0
        self.assertEqual([('s', 'skipped')], self.execute(self.script()))
        self.deadline = HOUR
        self.assertEqual([('s', 'ok')], self.execute(self.script()))

    def test_it_ended_before_and_there_is_no_time(self) -> None:
        self.answers['do s'] = [answer(1)]
        self.execute(self.script())
        self.deadline = 0.0
        self.assertEqual([('s', 'failed')], self.execute(self.script()))

    def test_its_file_cannot_be_written(self) -> None:
        group = dict(group='script', on_fail=steps.STOP)
        plan = (steps.Step('w', file=steps.File('/f', 'x'), **group),
                self.script(group='script'), self.script('t'))
        self.write_file = mock.Mock(side_effect=OSError(28, 'full'))
        self.assertEqual(
            [('w', 'failed'), ('s', 'skipped'), ('t', 'ok')],
            self.execute(*plan))
        self.write_file = self.written.append
        self.assertEqual([('w', 'ok'), ('s', 'ok'), ('t', 'same')],
                         self.execute(*plan))

    def test_the_deadline_waits(self) -> None:
        self.deadline = 100.0
        self.answers.update({'do s': [599], 'do t': [HOUR], 'do a': [50],
                             'do b': [50]})
        self.assertEqual(
            [('s', 'ok'), ('t', 'timeout'), ('a', 'ok'), ('b', 'ok'),
             ('c', 'skipped'), ('u', 'skipped')],
            self.execute(self.script(), self.script('t'), step('a'),
                         step('b'), step('c'), self.script('u')))
        self.assertEqual([600, 600, 100.0, 50.0],
                         [timeout for _, timeout in self.calls])

    def test_what_was_appended_is_not_again(self) -> None:
        """Even if another was, so that the file does not end with it."""
        path = self.folder / 'file'
        self.write_file = files.write
        plan = [steps.Step(name, once=True, file=steps.File(
            str(path), f'{name}\n', append=True)) for name in 'ab']
        self.assertEqual([('a', 'ok'), ('b', 'ok')], self.execute(*plan))
        self.assertEqual([('a', 'same'), ('b', 'same')], self.execute(*plan))
        self.assertEqual('a\nb\n', path.read_text())

    def test_what_it_writes_is_not_told(self) -> None:
        for bad in answer(1, 'secret', 'secret'), running.Result(
                None, 'secret', 'secret', 1):
            self.folder = self.tmp()
            self.answers['do s'] = [bad]
            self.execute(self.script())
            self.assertEqual('', self.journal()[-1]['error'])
            for path in self.folder.iterdir():
                self.assertNotIn('secret', path.read_text())

    def test_the_last_resort_waits_as_long(self) -> None:
        log: list[object] = []

        @contextlib.contextmanager
        def extended(seconds: float) -> collections.abc.Iterator[None]:
            log.append(seconds)
            before = len(self.calls)
            yield
            log.append(self.commands()[before:])

        self.extended = extended
        self.execute(step('a'), self.script(), self.script('t', timeout=7),
                     steps.Step('w', once=True, file=steps.File('/f', '')))
        self.assertEqual([600, ['do s'], 7, ['do t']], log)

    def test_it_waits_for_a_call_that_mends(self) -> None:
        """Of two rounds the second has the network that was meant."""
        plan = (linked('a', 'undo a', retries=0), self.script(), step('b'))
        self.answers.update({'do a': [answer(1)], 'undo a': [answer(1)]})
        for again, result in (True, 'skipped'), (False, 'ok'):
            self.again = again
            self.assertEqual([('s', result), ('b', 'ok')],
                             self.execute(*plan)[-2:])
        self.assertEqual(1, self.commands().count('do s'))

    def test_it_does_not_wait_without_need(self) -> None:
        self.again = True
        self.answers['do a'] = [answer(1)]
        self.assertEqual(('s', 'ok'), self.execute(
            linked('a', 'undo a', retries=0), self.script())[-1])


class ReportTests(ExecuteTests):

    STEP = steps.Step('phone_home', timeout=300, once=True,
                      report=steps.Report('https://x.example/secret'))

    def test_sent(self) -> None:
        self.send = mock.Mock(return_value=None)
        self.answers['do a'] = [answer(1)]
        self.assertEqual(
            [('a', 'failed'), ('phone_home', 'ok'), ('b', 'ok')],
            self.execute(step('a', retries=0), self.STEP, step('b')))
        report, done, seconds = self.send.call_args.args
        self.assertEqual(
            (self.STEP.report, [('a', 'failed')], 300),
            (report, [(one.name, one.result) for one in done], seconds))
        self.execute(self.STEP)
        self.send.assert_called_once()

    def test_not_sent(self) -> None:
        self.send = mock.Mock(return_value='answered 500')
        for _ in range(2):
            self.assertEqual([('phone_home', 'failed'), ('b', 'ok')],
                             self.execute(self.STEP, step('b')))
        self.assertEqual(
            ['answered 500', '', 'ended so before, and is not run again',
             ''], [entry['error'] for entry in self.journal()])
        self.send.assert_called_once()
        for path in self.folder.iterdir():
            self.assertNotIn('x.example', path.read_text())

    def test_the_deadline_waits(self) -> None:
        def send(*_: object) -> None:
            self.clock.sleep(250)

        self.send, self.deadline = send, 100.0
        self.assertEqual(
            [('phone_home', 'ok'), ('b', 'ok')],
            self.execute(self.STEP, step('b')))
        self.assertEqual([('do b', 100.0)], self.calls)

    def test_sent_though_there_is_no_time(self) -> None:
        self.send, self.deadline = mock.Mock(return_value=None), 0.0
        self.assertEqual(
            [('a', 'skipped'), ('phone_home', 'ok'), ('b', 'skipped')],
            self.execute(step('a'), self.STEP, step('b')))
        self.assertEqual(300, self.send.call_args.args[2])


class RandomTests(ExecuteTests):

    STEP = steps.Step('account', (
        'add', '--password', steps.RANDOM, '--password-confirmation',
        steps.RANDOM))

    def test_a_password(self) -> None:
        seen: list[str] = []

        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            self.assertEqual(argv[2], argv[4])
            seen.append(argv[2])
            return answer(1, argv[2], f'{argv[2]}: weak: {argv[2]}')

        self.run_it = run
        with mock.patch.object(execute, 'unguessable', autospec=True,
                               side_effect=['word-1', 'word-2']):
            for _ in range(2):
                self.assertEqual([('account', 'failed')],
                                 self.execute(self.STEP))
        self.assertEqual(['word-1'] * 3 + ['word-2'] * 3, seen)
        self.assertEqual('***: weak: ***', self.journal()[0]['error'])
        for path in self.folder.iterdir():
            self.assertNotRegex(path.read_text(), 'word-[12]')

    def test_one_that_esxi_takes(self) -> None:
        found = set()
        for number in range(256):
            text = execute.unguessable(bytes([number]) * 32)
            self.assertIsNone(password.defect(text))
            self.assertIsNone(password.weakness(text))
            self.assertRegex(text, r'\A[a-z][a-zA-Z0-9@%+=:,._-]{31}\Z')
            found.update(text)
        self.assertEqual(26 + 26 + 10 + 9, len(found))
        self.assertEqual(8, len({execute.unguessable(os.urandom(32))
                                 for _ in range(8)}))


class ScriptHost:
    """Runs scripts, and is killed in the midst of them.

    :param cut: the number of the event at which the power goes: before
        and after each command and each file
    """

    def __init__(self, cut: int | None = None) -> None:
        self.cut = cut
        self.events = 0
        self.ended: list[str] = []
        self.clock = Clock()
        self.effects = execute.Effects(
            self.run, lambda file: self.happens(lambda: None), self.clock,
            self.clock.sleep, self.send, contextlib.nullcontext, bytes)

    def happens(self, action: collections.abc.Callable[[], None]) -> None:
        for act in (None, action):
            if self.events == self.cut:
                raise PowerCut
            self.events += 1
            if act:
                act()
        if self.events == self.cut:
            raise PowerCut

    def run(self, argv: collections.abc.Sequence[str], timeout: float
            ) -> running.Result:
        self.happens(lambda: self.ended.append(argv[-1]))
        if argv[0] != 'sh':
            return answer()
        return answer({'bad': 1, 'slow': None}.get(
            argv[-1].rpartition('/')[2], 0), 'SECRET', 'SECRET')

    def send(self, *_: object) -> str | None:
        self.happens(lambda: self.ended.append('report'))
        return None


class PowerCutTests(base.TestCase):
    """No finished script runs again, and those that follow still run."""

    NAMES = ('one', 'bad', 'slow', 'last')

    def plan(self) -> steps.Plan:
        found = [step('hostname'), step('backup')]
        for name in self.NAMES:
            path = f'/tmp/esxi-img/scripts/{name}'
            found += [
                steps.Step(f'{name}.write', on_fail=steps.STOP, group=name,
                           file=steps.File(path, 'SECRET', 0o700)),
                steps.Step(name, ('sh', path), once=True, retries=0,
                           group=name, timeout=600)]
        return steps.Plan((*found, step('backup.scripts'), steps.Step(
            'phone_home', once=True, report=steps.Report('http://SECRET/'))))

    def execute(self, folder: pathlib.Path, there: ScriptHost
                ) -> dict[str, str] | None:
        mine = records.Records(str(folder), 'uuid', '1', there.clock)
        mine.begin(self.plan().id)
        try:
            done = execute.execute(self.plan(), there.effects, mine, HOUR)
        except PowerCut:
            return None
        return {one.name: one.result for one in done}

    def test_whenever_it_happens(self) -> None:
        whole = ScriptHost()
        expected = self.execute(self.tmp(), whole)
        self.assertEqual(('ok', 'failed', 'timeout', 'ok'), tuple(
            expected[name] for name in self.NAMES))
        self.assertGreater(whole.events, 20)
        for cut in range(whole.events):
            folder, first, then = self.tmp(), ScriptHost(cut), ScriptHost()
            self.assertIsNone(self.execute(folder, first))
            told = [json.loads(line) for line in (
                folder / 'journal.jsonl').read_text().splitlines()] \
                if (folder / 'journal.jsonl').exists() else []
            finished = {one['step'] for one in told}
            after = self.execute(folder, then)
            with self.subTest(cut=cut, finished=finished):
                once = [*self.NAMES, 'report']
                ran = [path.rpartition('/')[2] for path in then.ended]
                before = [path.rpartition('/')[2] for path in first.ended]
                self.assertEqual(
                    [name for name in once if name.replace(
                        'report', 'phone_home') not in finished],
                    [name for name in ran if name in once])
                self.assertLessEqual(set(once), {*before, *ran})
                for name in ('bad', 'slow'):
                    self.assertEqual(expected[name], after[name])
                self.assertLessEqual(
                    {after['one'], after['last'], after['phone_home']},
                    {'ok', 'same'})
                for path in folder.iterdir():
                    self.assertNotIn('SECRET', path.read_text())


class DeadlineTests(ExecuteTests):

    def test_no_step_may_take_longer_than_what_is_left(self) -> None:
        self.deadline = 200.0
        self.answers['do a'] = [110]
        self.answers['do b'] = [HOUR]
        self.assertEqual(
            [('a', 'ok'), ('b', 'timeout'), ('c', 'skipped')],
            self.execute(step('a'), step('b'), step('c')))
        self.assertEqual([('do a', 120), ('do b', 90.0)], self.calls)

    def test_nothing_is_asked_after_it(self) -> None:
        blind = step('blind', blind=True)
        self.execute(blind, step('backup'))
        self.calls.clear()
        self.deadline = 0.0
        results = self.execute(
            blind, step('a', probe=ProbeTests.PROBE), linked('b', 'undo b'),
            steps.Step('c', file=steps.File('/f', '')))
        self.assertEqual(
            [(name, 'skipped') for name in ('blind', 'a', 'b', 'c')], results)
        self.assertEqual(([], []), (self.calls, self.written))

    def test_half_a_group_is_taken_back(self) -> None:
        self.deadline = 120.0
        self.answers['do b'] = [120]
        self.assertEqual(
            [('a', 'ok'), ('b', 'ok'), ('c', 'skipped'), ('b', 'undone'),
             ('a', 'undone'), ('d', 'skipped')],
            self.execute(
                linked('a', 'undo a'), linked('b', 'undo b'),
                linked('c', 'undo c'), linked('d', 'undo d')))

    def test_a_whole_group_is_not(self) -> None:
        self.deadline = 120.0
        self.answers['do b'] = [120]
        self.assertEqual(
            [('a', 'ok'), ('b', 'ok'), ('c', 'skipped')],
            self.execute(linked('a', 'undo a'), linked('b', 'undo b'),
                         step('c')))

    def test_undo_has_an_end(self) -> None:
        self.answers.update({
            f'undo {number}': [HOUR] for number in range(5)})
        self.answers['do b'] = [answer(1)]
        results = self.execute(
            linked('a', *(f'undo {number}' for number in range(5))),
            linked('b', retries=0))
        self.assertEqual([('a', 'undo-failed')] * 5, results[2:])
        self.assertEqual([120, 120, 60],
                         [timeout for _, timeout in self.calls[2:]])
        self.assertEqual(300, self.clock.now)


class NetworkTests(ExecuteTests):
    """What was planned for another management is not done to this one."""

    def test_after_management_was_taken_back(self) -> None:
        network = tuple(
            steps.Step(f'n{number}', ('esxcli', 'network', *words),
                       group=group, on_fail=steps.STOP)
            for number, (group, *words) in enumerate((
                ('vSwitch1', 'vswitch'), (None, 'ip', 'route'),
                (None, 'ip', 'interface'))))
        names = [one.name for one in network]
        for group, result in ((wiring.MANAGEMENT, 'skipped'),
                              ('vSwitch0', 'ok')):
            self.answers['do a'] = [answer(1)]
            self.assertEqual(
                [('a', 'failed'), *((name, result) for name in names),
                 ('host', 'ok')],
                self.execute(
                    dataclasses.replace(linked('a', retries=0), group=group),
                    *network, steps.Step('host', ('esxcli', 'system'))))


class StatusTests(base.TestCase):

    def status(self, *given: tuple[steps.Step, str], fallback: bool = False,
               more: steps.Step | None = None) -> str:
        plan = [one for one, result in given
                if not result.startswith('undo')]
        return execute.status_of(
            steps.Plan((*plan, *([more] if more else []))),
            [execute.Done(one.name, result, 0) for one, result in given],
            fallback)

    def test_ok(self) -> None:
        one, other = step('a'), linked('vmk0.add')
        self.assertEqual('ok', self.status())
        self.assertEqual('ok', self.status((one, 'ok'), (other, 'same')))

    def test_partial(self) -> None:
        for result in 'failed', 'timeout', 'skipped':
            self.assertEqual('partial', self.status(
                (step('b'), 'ok'), (step('vmk1.add'), result)))

    def test_taken_back(self) -> None:
        for result in 'undone', 'undo-failed':
            self.assertEqual('partial', self.status(
                (linked('a'), 'ok'), (linked('a'), result)))

    def test_nothing_is_known_of_a_step(self) -> None:
        self.assertEqual('partial', self.status(
            (step('a'), 'ok'), more=step('b')))

    def test_optional_steps_do_not_count(self) -> None:
        one = step('vmk0.ipv6.firewall', optional=True)
        for result in 'failed', 'timeout', 'skipped':
            self.assertEqual('ok', self.status((one, result)))

    def test_failed(self) -> None:
        for one in (step('vmk0.ipv4'), step('vmk0.add'),
                    step('route.default4'), step('route.default6'),
                    dataclasses.replace(linked('vSwitch0.uplink.vmnic1'),
                                        group='management')):
            for result in 'failed', 'timeout', 'skipped':
                self.assertEqual('failed', self.status(
                    (step('b'), 'ok'), (one, result)))
        self.assertEqual('failed', self.status((step('a'), 'ok'),
                                               fallback=True))
        self.assertEqual('partial', self.status(
            (linked('vSwitch0.teaming'), 'failed')))


class PowerCut(Exception):
    pass


FAULTS = ('fails', 'lies', 'hangs', 'hangs late', 'cut')
# The others leave a host that is the same.
FAULTS_OF_UNDO = ('fails', 'hangs late', 'cut')


class FaultyHost:
    """A simulated host on which the n-th command goes wrong.

    Trying a command again is no new one.

    :param faults: of FAULTS, by the number of the command; what lies, what
        hangs late and what meets a power cut did what it was told before: a
        cut before it is one after the command before
    """

    def __init__(self, esxi: state.Esxi,
                 faults: collections.abc.Mapping[int, str]) -> None:
        self.esxi = esxi
        self.faults = faults
        self.commands: list[tuple[str, ...]] = []
        self.clock = Clock()

    def run(self, argv: collections.abc.Sequence[str], timeout: float
            ) -> running.Result:
        if self.commands[-1:] != [tuple(argv)]:
            self.commands.append(tuple(argv))
        fault = self.faults.get(len(self.commands) - 1)
        self.clock.sleep(1)
        result = answer(1, error='broken')
        if fault not in ('fails', 'hangs'):
            result = answer(*self.esxi.run(argv))
        if fault == 'cut':
            raise PowerCut
        if fault and fault.startswith('hangs'):
            self.clock.sleep(timeout)
            return HANGS
        return answer(1, error='lies') if fault else result


class OnAHost(typing.NamedTuple):
    """A plan after it was carried out on a simulated host.

    :param state: of state.json
    :param done: None: the power was cut
    """

    commands: list[tuple[str, ...]]
    done: tuple[execute.Done, ...] | None
    status: str
    state: dict[str, typing.Any]


class QuickCopy:
    """Twice as fast as the module copy; a host is copied a lot."""

    @staticmethod
    def deepcopy(value: typing.Any) -> typing.Any:
        return pickle.loads(pickle.dumps(value))


class HostTests(base.TestCase):
    """On the simulated host, wherever something goes wrong."""

    SETTINGS = model.Settings(ssh=False, shell=False)

    def setUp(self) -> None:
        super().setUp()
        moves = test_hosts.TestMoves('test_they_arrive')
        self.starts = {start: moves.esxi(start) for start in moves.LINES}
        self.descriptions = moves.descriptions()
        self.arrived: set[tuple[str, str]] = set()
        self.disk: dict[str, bytes] = {}
        replace = mock.patch.object(
            files, 'replace', autospec=True, side_effect=lambda path, data, _:
            self.disk.__setitem__(pathlib.Path(path).name, data))
        quick = mock.patch.object(state, 'copy', QuickCopy)
        for patch in replace, quick:
            patch.start()
            self.addCleanup(patch.stop)

    def cases(self) -> collections.abc.Iterator[
            tuple[str, str, steps.Plan]]:
        for start, esxi in self.starts.items():
            for wish in self.descriptions:
                yield start, wish, self.plan(wish, esxi)

    def plan(self, wish: str, esxi: state.Esxi) -> steps.Plan:
        found: outcome.Outcome = test_hosts.again(
            self.descriptions[wish], esxi, self.SETTINGS)
        self.assertFalse(found.fallback)
        return found.plan

    def execute(self, esxi: state.Esxi, plan: steps.Plan,
                faults: collections.abc.Mapping[int, str] | None = None
                ) -> OnAHost:
        there = FaultyHost(esxi, faults or {})
        mine = records.Records('/nowhere', 'uuid', '1', there.clock)
        mine.begin(plan.id)
        done = None
        try:
            done = execute.execute(
                plan, effects(there.run, there.clock), mine, 10 * HOUR)
        except PowerCut:
            status = 'running'
        else:
            status = execute.status_of(plan, done, False)
            mine.end(status)
        told = json.loads(self.disk['state.json'])
        self.assertEqual(status, told['status'])
        if done is not None:
            self.assertEqual(
                [(one.name, one.result) for one in done],
                [(one['name'], one['result']) for one in told['steps']])
        return OnAHost(there.commands, done, status, told)

    def assert_another_run_arrives(self, esxi: state.Esxi, wish: str
                                   ) -> None:
        """Whatever happened: the next run, with new facts, mends it."""
        key = repr(sorted(esxi._configuration().items())), wish
        if key in self.arrived:
            return
        self.arrived.add(key)
        plan = self.plan(wish, esxi)
        after = self.execute(esxi, plan)
        self.assertEqual('ok', after.status, after.state['steps'])
        self.assertEqual({'vmk0': ''}, esxi.unusable())
        self.assert_nothing_left(esxi, wish)

    def assert_nothing_left(self, esxi: state.Esxi, wish: str) -> None:
        self.assertEqual((), self.plan(wish, esxi).steps)

    def assert_truth(self, esxi: state.Esxi, wish: str, after: OnAHost,
                     before: host.Vmk | None) -> None:
        """What the state says is so."""
        if after.status == 'ok':
            self.assert_nothing_left(esxi, wish)
        results = {one.result for one in after.done or ()}
        if after.status == 'failed' and 'undone' in results:
            now = vmk0(esxi)
            assert before and now
            self.assertEqual((before.portgroup, before.mac, before.ipv4),
                             (now.portgroup, now.mac, now.ipv4))

    def test_any_step_may_go_wrong(self) -> None:
        counts: collections.Counter[str] = collections.Counter()
        for name, wish, plan in self.cases():
            start = self.starts[name]
            commands = self.execute(QuickCopy.deepcopy(start), plan).commands
            for number, command in enumerate(commands):
                for fault in FAULTS:
                    esxi = QuickCopy.deepcopy(start)
                    after = self.execute(esxi, plan, {number: fault})
                    with self.subTest(start=name, wish=wish, fault=fault,
                                      command=' '.join(command)):
                        counts[fault] += 1
                        self.assertEqual(
                            fault == 'cut', after.done is None)
                        if after.done is not None:
                            self.assertEqual({'vmk0': ''}, esxi.unusable())
                            self.assert_truth(esxi, wish, after, vmk0(start))
                        self.assert_another_run_arrives(esxi, wish)
        self.assertEqual(set(FAULTS), set(counts))
        self.assertGreater(min(counts.values()), 150)

    def test_any_undo_may_go_wrong(self) -> None:
        counts: collections.Counter[str] = collections.Counter()
        for name, wish, plan in self.cases():
            start = self.starts[name]
            faults, numbers = self.undone(start, plan)
            for number in numbers:
                for fault in FAULTS_OF_UNDO:
                    esxi = QuickCopy.deepcopy(start)
                    after = self.execute(esxi, plan,
                                         {**faults, number: fault})
                    with self.subTest(
                            start=name, wish=wish, fault=fault,
                            command=' '.join(after.commands[number])):
                        counts[fault] += 1
                        self.assertNotEqual('ok', after.status)
                        self.assert_another_run_arrives(esxi, wish)
        self.assertEqual(set(FAULTS_OF_UNDO), set(counts))
        self.assertGreater(min(counts.values()), 100)

    def test_what_follows_leaves_a_rescued_management_alone(self) -> None:
        """Another network wants its NIC, and the resolver a lease."""
        count = 0
        for name, start in self.starts.items():
            for wish, nics in (
                    (model.DHCP, (0, 1)), (model.STATIC, (0, 1)),
                    (model.STATIC, (1, 0)), (model.STATIC, (2, 1))):
                found = test_hosts.again(two_networks(wish, *nics), start,
                                         self.SETTINGS)
                for number in range(len(found.plan.steps)):
                    esxi = QuickCopy.deepcopy(start)
                    after = self.execute(esxi, found.plan, {number: 'fails'})
                    if 'undone' not in {one.result for one in after.done}:
                        continue
                    with self.subTest(start=name, wish=wish, nics=nics,
                                      command=after.commands[number]):
                        count += 1
                        self.assertEqual({'vmk0': ''}, esxi.unusable())
                        self.assertEqual(vmk0(start).ipv4, vmk0(esxi).ipv4)
        self.assertGreater(count, 60)

    def undone(self, start: state.Esxi, plan: steps.Plan
               ) -> tuple[dict[int, str], range]:
        """A fault at the end of what can be undone, and what follows it.

        :returns: the fault, and the numbers of the commands that undo
        """
        group = [step for step in plan.steps if step.undo]
        if not group:
            return {}, range(0)
        commands = self.execute(QuickCopy.deepcopy(start), plan).commands
        last = len(commands) - 1 - commands[::-1].index(group[-1].argv)
        # Whoever lies is found out by a probe.
        faults = {last: 'fails' if group[-1].probe else 'lies'}
        commands = self.execute(QuickCopy.deepcopy(start), plan,
                                faults).commands
        undo = [argv for step in reversed(group) for argv in step.undo]
        begin = next(number for number in range(last, len(commands))
                     if commands[number:number + len(undo)] == undo)
        return faults, range(begin, begin + len(undo))


def vmk0(esxi: state.Esxi) -> host.Vmk | None:
    return simulated.facts(esxi).network.vmk('vmk0')


def two_networks(method: str, first: int, second: int) -> model.Model:
    """Management on one NIC, something else on another."""
    nics = test_hosts.TestMoves.NICS
    return model.Model(network=model.NetworkData(
        (model.Link('a', model.NIC, 'links[0]', nics[first].mac),
         model.Link('b', model.NIC, 'links[1]', nics[second].mac)),
        (model.Subnet(
            'a', 'networks[0]', 4, method,
            '192.0.2.20/24' if method == model.STATIC else None,
            (model.Route('0.0.0.0/0', '192.0.2.1', 'networks[0].gateway'),)
            if method == model.STATIC else ()),
         model.Subnet('b', 'networks[1]', 4, model.STATIC,
                      '198.51.100.7/24')),
        dns=('192.0.2.53',)))


class UnknownHostTests(base.TestCase):
    """No fact tells what was done, so the journal has to."""

    def setUp(self) -> None:
        super().setUp()
        self.found = think.outcome_of(
            model.Model(model.Identity('uuid', 'esxi1.example.org')),
            tuple(host.Nic(nic.name, nic.mac, nic.up)
                  for nic in test_hosts.TestMoves.NICS),
            None, model.Settings())
        self.start = test_hosts.install(self.found)

    def execute(self, folder: pathlib.Path, esxi: state.Esxi,
                faults: collections.abc.Mapping[int, str]
                ) -> list[tuple[str, ...]]:
        there = FaultyHost(esxi, faults)
        mine = records.Records(str(folder), 'uuid', '1', there.clock)
        mine.begin(self.found.plan.id)
        try:
            execute.execute(
                self.found.plan, effects(there.run, there.clock), mine,
                10 * HOUR)
        except PowerCut:
            pass
        return there.commands

    def blind(self) -> set[tuple[str, ...]]:
        return {step.argv for step in self.found.plan.steps if step.blind}

    def test_a_second_run_does_nothing_blindly(self) -> None:
        folder, esxi = self.tmp(), self.start
        self.assertLess(3, len(self.blind()))
        self.assertLessEqual(self.blind(),
                             set(self.execute(folder, esxi, {})))
        again = self.execute(folder, esxi, {})
        self.assertEqual(
            [step.argv for step in self.found.plan.steps
             if not step.blind], again)
        results = {one['name']: one['result'] for one in json.loads(
            (folder / 'state.json').read_text())['steps']}
        self.assertEqual({'same'}, {
            results[step.name] for step in self.found.plan.steps
            if step.blind})

    def test_what_a_power_cut_took_is_done_again(self) -> None:
        """The bootbank has the journal; the rest was in memory only."""
        count = len(self.execute(self.tmp(),
                                 QuickCopy.deepcopy(self.start), {}))
        for number in range(count):
            for forgets in False, True:
                folder, esxi = self.tmp(), QuickCopy.deepcopy(self.start)
                self.execute(folder, esxi, {number: 'cut'})
                if forgets and not esxi.backed_up:
                    esxi = QuickCopy.deepcopy(self.start)
                self.execute(folder, esxi, {})
                with self.subTest(number=number, forgets=forgets):
                    self.assertEqual('esxi1.example.org', esxi.certificate)
                    self.assertEqual(
                        {'ssh': state.Service(True, True),
                         'shell': state.Service(True, True)}, esxi.services)
                    self.assertTrue(esxi.backed_up)


class RealTests(base.TestCase):
    """With real processes and files."""

    def test_a_plan(self) -> None:
        folder = self.tmp()
        keys = folder / 'etc' / 'keys'
        plan = steps.Plan((
            steps.Step('keys', file=steps.File(str(keys), 'key\n', 0o640)),
            steps.Step('fails', ('sh', '-c', 'echo no >&2; exit 3'),
                       retries=0, group='g', on_fail=steps.STOP,
                       undo=(('rm', str(keys)),)),
            steps.Step('late', ('sleep', '60'), timeout=1),
            steps.Step('missing', ('no-such-program',), optional=True),
            steps.Step('same', ('false',),
                       probe=steps.Probe(('echo', 'a b'), ('b',)))))
        mine = records.Records(str(folder / 'records'), 'uuid', '1')
        mine.begin(plan.id)
        done = execute.execute(
            plan, execute.Effects(
                running.run, files.write, time.monotonic, time.sleep,
                no_report, contextlib.nullcontext, os.urandom),
            mine, time.monotonic() + 60)
        mine.end(execute.status_of(plan, done, False))
        self.assertEqual(
            [('keys', 'ok'), ('fails', 'failed'), ('fails', 'undone'),
             ('late', 'timeout'), ('missing', 'failed'), ('same', 'same')],
            [(one.name, one.result) for one in done])
        self.assertFalse(keys.exists())
        told = json.loads((folder / 'records' / 'state.json').read_text())
        self.assertEqual('partial', told['status'])
