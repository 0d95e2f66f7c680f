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

import errno
import itertools
import json
import os
import pathlib
import stat
from unittest import mock

from esxi_img.firstboot import model
from esxi_img.firstboot import records
from esxi_img.firstboot import services
from esxi_img.firstboot import steps
from tests import base

BLIND = steps.Step('certificate', ('generate-certificates',), blind=True)
BACKUP = services.backup([BLIND])[0]
ODD = model.Problem('network_data.json', 'odd')


class RecordsTests(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp() / 'esxiimg'

    def records(self, instance_id: str | None = 'uuid-1') -> records.Records:
        return records.Records(str(self.folder), instance_id, '1.2.3',
                               itertools.count(1000).__next__)

    def state(self) -> dict[str, object]:
        return json.loads((self.folder / records.STATE).read_text())

    def journal(self) -> list[dict[str, object]]:
        path = self.folder / records.JOURNAL
        return [json.loads(line) for line in path.read_text().splitlines()]

    def everything(self) -> str:
        return ''.join(path.read_text() for path in self.folder.iterdir())


class StateTests(RecordsTests):

    def test_a_run(self) -> None:
        mine = self.records()
        mine.begin('plan', [ODD])
        self.assertEqual({
            'status': 'running', 'plan_id': 'plan', 'instance_id': 'uuid-1',
            'version': '1.2.3', 'started': 1000, 'ended': None,
            'problems': [{'where': 'network_data.json', 'message': 'odd'}],
            'steps': []}, self.state())
        mine.step(BLIND, records.OK, 0, 1.26, '')
        mine.step(BACKUP, records.FAILED, 1, 0, 'no space')
        told = [{'name': 'certificate', 'result': 'ok', 'seconds': 1.3},
                {'name': 'backup', 'result': 'failed', 'seconds': 0}]
        self.assertEqual(('running', told),
                         (self.state()['status'], self.state()['steps']))
        mine.end(records.PARTIAL, [ODD, model.Problem('x', 'late')])
        state = self.state()
        self.assertEqual(('partial', told), (state['status'],
                                             state['steps']))
        self.assertLess(state['started'], state['ended'])
        self.assertEqual(['odd', 'late'], [
            one['message'] for one in state['problems']])

    def test_a_second_run_begins_anew(self) -> None:
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.OK, 0, 1)
        mine.end(records.OK)
        for again in mine, self.records():
            again.begin('other')
            state = self.state()
            self.assertEqual(('running', 'other', [], None), (
                state['status'], state['plan_id'], state['steps'],
                state['ended']))
            self.assertEqual(1, len(self.journal()))

    def test_nothing_could_be_done(self) -> None:
        mine = self.records(None)
        mine.begin(None)
        mine.end(records.FAILED, [model.Problem('drive', 'none')])
        state = self.state()
        self.assertEqual(('failed', None, None), (
            state['status'], state['plan_id'], state['instance_id']))

    def test_only_root_may_read(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.OK, 0, 1)
        for path in self.folder.iterdir():
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode), path)

    def test_a_copy(self) -> None:
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.OK, 0, 1)
        mine.end(records.OK)
        there = self.tmp() / 'log' / 'esxi-img'
        before = {path.name: path.read_bytes()
                  for path in self.folder.iterdir()}
        for path in self.folder.iterdir():
            path.unlink()
        mine.copy(str(there))
        self.assertEqual(before, {path.name: path.read_bytes()
                                  for path in there.iterdir()})


class JournalTests(RecordsTests):

    def test_an_entry(self) -> None:
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.TIMEOUT, None, 120.04, ' oh\n')
        self.assertEqual([{
            'time': 1001, 'instance_id': 'uuid-1', 'plan_id': 'plan',
            'step': 'certificate', 'id': BLIND.id, 'result': 'timeout',
            'status': None, 'seconds': 120.0, 'error': 'oh'}],
            self.journal())

    def test_the_end_of_a_long_error(self) -> None:
        self.records().step(BLIND, records.FAILED, 1, 0,
                            'x' * 1000 + 'ä\ud800\n\x1bend\n')
        error = self.journal()[0]['error']
        self.assertEqual((500, 'xxä\ud800\n\x1bend'),
                         (len(error), error[-9:]))

    def test_it_goes_on(self) -> None:
        for number in range(3):
            self.records().step(BLIND, records.FAILED, number, 0)
        self.assertEqual([0, 1, 2], [
            entry['status'] for entry in self.journal()])

    def test_damaged_lines_are_left_out(self) -> None:
        mine = self.records()
        for _ in range(2):
            mine.step(BLIND, records.OK, 0, 1)
        path = self.folder / records.JOURNAL
        line = path.read_bytes().splitlines()[0]
        for damage in (b'', b'[]', b'17', b'null', b'{"id": ', b'\xff\xfe\0',
                       b'[' * 50000, line[:-9], b'\0' * 512):
            path.write_bytes(line + b'\n' + damage + b'\n' + line[:70])
            with self.subTest(damage[:20]):
                mine = self.records()
                mine.step(BACKUP, records.OK, 0, 1)
                self.assertEqual(['certificate', 'backup'], [
                    entry['step'] for entry in self.journal()])
                self.assertEqual({BLIND.id, BACKUP.id}, mine.finished())
                self.assertEqual(['2 of 3 lines are damaged and left out'], [
                    problem.message for problem in mine.problems])

    def test_odd_entries(self) -> None:
        self.folder.mkdir()
        (self.folder / records.JOURNAL).write_text(''.join(
            json.dumps(entry) + '\n' for entry in (
                {}, {'id': []}, {'id': 'x', 'result': {}},
                {'id': 'x', 'result': 'ok', 'instance_id': ['uuid-1']},
                {'id': 7, 'result': 'ok', 'instance_id': 'uuid-1'},
                {'error': 7, 'note': None, 'step': 'backup'})))
        mine = self.records()
        self.assertEqual(set(), mine.finished())
        mine.step(BLIND, records.OK, 0, 1)
        self.assertEqual(7, len(self.journal()))

    def test_no_journal_is_no_problem(self) -> None:
        self.assertEqual((), tuple(self.records().problems))

    def test_one_that_cannot_be_read(self) -> None:
        (self.folder / records.JOURNAL).mkdir(parents=True)
        mine = self.records()
        mine.begin('plan')
        self.assertEqual(1, len(self.state()['problems']))
        mine.step(BLIND, records.OK, 0, 1)
        self.assertEqual(1, len(self.state()['steps']))

    def test_it_has_an_end(self) -> None:
        mine = self.records()
        for number in range(3000):
            mine._journal.append({
                'time': number, 'step': 'old', 'result': 'failed',
                'id': 'x' * 64, 'error': 'e' * 400})
        mine.step(BLIND, records.FAILED, 1, 1, 'the newest')
        path = self.folder / records.JOURNAL
        self.assertLessEqual(path.stat().st_size, 1 << 20)
        self.assertGreater(path.stat().st_size, 1 << 19)
        note, *rest = self.journal()
        self.assertIn('full', note['note'])
        self.assertEqual(3001, len(rest))
        self.assertEqual(('', 'e' * 400, 'the newest'), (
            rest[0]['error'], rest[-2]['error'], rest[-1]['error']))
        for _ in range(5):
            mine.step(BLIND, records.OK, 0, 1)
        self.assertLessEqual(path.stat().st_size, 1 << 20)
        self.assertEqual(1, sum('note' in one for one in self.journal()))
        self.assertEqual('ok', self.journal()[-1]['result'])
        self.records()
        self.assertEqual((), tuple(self.records().problems))

    def test_without_errors_the_oldest_lines_go(self) -> None:
        entries = [{'time': number, 'error': ''} for number in range(100)]
        size = len(json.dumps(entries[10])) + 1
        kept = records.fitted(entries, 50 * size, 7)
        self.assertEqual(7, kept[0]['time'])
        self.assertEqual(entries[-len(kept) + 1:], kept[1:])
        self.assertLess(40, len(kept))
        self.assertLessEqual(
            sum(len(json.dumps(entry)) + 1 for entry in kept), 50 * size)
        self.assertEqual(kept, records.fitted(kept, 50 * size, 8))

    def test_the_newest_line_is_there_at_any_rate(self) -> None:
        self.assertEqual({'time': 2}, records.fitted(
            [{'time': 1}, {'time': 2}], 5, 3)[-1])


class FinishedTests(RecordsTests):

    def after(self, *results: tuple[steps.Step, str],
              instance_id: str | None = 'uuid-1') -> set[str]:
        mine = self.records(instance_id)
        for step, result in results:
            mine.step(step, result, 0, 1)
        return self.records().finished()

    def test_ok_and_saved(self) -> None:
        self.assertEqual({BLIND.id, BACKUP.id}, self.after(
            (BLIND, records.OK), (BACKUP, records.OK)))

    def test_the_backup_is_the_step_that_is_planned(self) -> None:
        self.assertEqual(records.BACKUP, BACKUP.name)
        self.assertEqual(('auto-backup.sh',), BACKUP.argv)

    def test_what_was_not_saved_may_be_lost(self) -> None:
        self.assertEqual(set(), self.after((BLIND, records.OK)))
        self.assertEqual(set(), self.after((BACKUP, records.FAILED)))
        self.assertEqual({BLIND.id, BACKUP.id}, self.after(
            (BACKUP, records.OK)))

    def test_other_results_do_not_count(self) -> None:
        for result in (records.FAILED, records.TIMEOUT, records.SKIPPED,
                       records.UNDONE, records.UNDO_FAILED):
            self.assertEqual({BACKUP.id}, self.after(
                (BLIND, result), (BACKUP, records.OK)))

    def test_what_was_taken_back(self) -> None:
        for result in (records.UNDONE, records.UNDO_FAILED):
            self.assertEqual({BACKUP.id}, self.after(
                (BLIND, records.OK), (BLIND, result), (BACKUP, records.OK)))
            self.assertEqual({BACKUP.id}, self.after(
                (BLIND, records.OK), (BACKUP, records.OK), (BLIND, result)))

    def test_another_instance(self) -> None:
        done = (BLIND, records.OK), (BACKUP, records.OK)
        self.assertEqual(set(), self.after(*done, instance_id='uuid-2'))
        self.assertEqual(set(), self.after(*done, instance_id=None))
        self.assertEqual(set(), self.records(None).finished())

    def test_either_backup_saves(self) -> None:
        for name in records.BACKUPS:
            backup = steps.Step(name, ('auto-backup.sh',))
            self.assertEqual({BLIND.id, backup.id}, self.after(
                (BLIND, records.OK), (backup, records.OK)))
            (self.folder / records.JOURNAL).unlink()
        other = steps.Step('backup.other', ('auto-backup.sh',))
        self.assertEqual(set(), self.after(
            (BLIND, records.OK), (other, records.OK)))


class EndedTests(RecordsTests):

    def after(self, *results: str, then: str | None = 'uuid-1'
              ) -> dict[str, str]:
        mine = self.records()
        for result in results:
            mine.step(BLIND, result, 0, 1)
        found = self.records(then).ended()
        if results:
            (self.folder / records.JOURNAL).unlink()
        return found

    def test_the_first_end_counts(self) -> None:
        for results, expected in (
                (['ok'], 'ok'), (['failed'], 'failed'),
                (['timeout'], 'timeout'), (['skipped', 'failed'], 'failed'),
                (['failed', 'ok'], 'failed'), (['ok', 'same'], 'ok'),
                (['ok', 'undone'], 'ok'), (['same'], 'ok'),
                (['same', 'failed'], 'ok')):
            with self.subTest(results):
                self.assertEqual({BLIND.id: expected}, self.after(*results))

    def test_no_end(self) -> None:
        for results in [], ['skipped'], ['undone']:
            with self.subTest(results):
                self.assertEqual({}, self.after(*results))

    def test_another_instance(self) -> None:
        for other in 'uuid-2', None:
            self.assertEqual({}, self.after('ok', then=other))

    def test_one_that_is_not_known(self) -> None:
        """Two of them on one installation are the same."""
        self.records(None).step(BLIND, records.FAILED, 1, 1)
        self.assertEqual({BLIND.id: 'failed'}, self.records(None).ended())
        self.assertEqual(set(), self.records(None).finished())

    def test_odd_entries(self) -> None:
        self.folder.mkdir()
        (self.folder / records.JOURNAL).write_text(''.join(
            json.dumps({'instance_id': 'uuid-1', **entry}) + '\n'
            for entry in ({}, {'id': ['x'], 'result': 'ok'},
                          {'id': 'x', 'result': ['ok']},
                          {'id': 'x', 'result': 'okay'})))
        self.assertEqual({}, self.records().ended())


class TellTests(RecordsTests):

    def test_in_the_midst(self) -> None:
        mine = self.records()
        mine.begin('plan', [ODD])
        mine.tell([ODD, model.Problem('x', 'late')])
        self.assertEqual(('running', ['odd', 'late']), (
            self.state()['status'],
            [one['message'] for one in self.state()['problems']]))


class WriteFailureTests(RecordsTests):

    def test_the_work_goes_on(self) -> None:
        for number in (errno.ENOSPC, errno.EROFS, errno.EIO):
            mine = self.records()
            error = OSError(number, 'that is so')
            with mock.patch.object(os, 'open', autospec=True,
                                   side_effect=error):
                mine.begin('plan')
                mine.step(BLIND, records.OK, 0, 1)
            self.assertEqual(
                ['state.json', 'journal.jsonl'],
                [pathlib.Path(one.where).name for one in mine.problems])
            self.assertEqual({'cannot be written: that is so'},
                             {one.message for one in mine.problems})
            mine.step(BACKUP, records.OK, 0, 1)
            self.assertEqual((2, 2), (len(self.state()['steps']),
                                      len(self.state()['problems'])))
            self.assertEqual(['certificate', 'backup'], [
                entry['step'] for entry in self.journal()][-2:])

    def test_the_old_files_stay_whole(self) -> None:
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.OK, 0, 1)
        before = self.everything()
        for name in ('write', 'fsync', 'replace'):
            error = OSError(errno.ENOSPC, 'full')
            with mock.patch.object(os, name, autospec=True,
                                   side_effect=error):
                mine.step(BACKUP, records.OK, 0, 1)
            self.assertEqual(before, self.everything())

    def test_no_folder_can_be_made(self) -> None:
        self.folder.write_text('a file')
        mine = self.records()
        mine.begin('plan')
        mine.step(BLIND, records.OK, 0, 1)
        mine.end(records.OK)
        mine.copy(str(self.tmp() / 'copy'))
        self.assertTrue(mine.problems)
