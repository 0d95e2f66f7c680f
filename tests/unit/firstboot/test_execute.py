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
import dataclasses
import json
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
            plan, self.run_it, self.write_file, self.records,
            self.deadline, self.clock, self.clock.sleep)
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
                plan, there.run, lambda _: None, mine, 10 * HOUR,
                there.clock, there.clock.sleep)
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
                self.found.plan, there.run, lambda _: None, mine, 10 * HOUR,
                there.clock, there.clock.sleep)
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
            plan, running.run, files.write, mine, time.monotonic() + 60,
            time.monotonic, time.sleep)
        mine.end(execute.status_of(plan, done, False))
        self.assertEqual(
            [('keys', 'ok'), ('fails', 'failed'), ('fails', 'undone'),
             ('late', 'timeout'), ('missing', 'failed'), ('same', 'same')],
            [(one.name, one.result) for one in done])
        self.assertFalse(keys.exists())
        told = json.loads((folder / 'records' / 'state.json').read_text())
        self.assertEqual('partial', told['status'])
