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
import os
import pathlib
import signal
import sys
from unittest import mock

from esxi_img.firstboot import running
from tests import base

IGNORING = 'trap "" TERM; echo ready; exec sleep 60'


def python(source: str, *args: str) -> list[str]:
    return [sys.executable, '-c', source, *args]


def shell(source: str, *args: str) -> list[str]:
    return ['sh', '-c', source, 'sh', *args]


class RunTests(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.pids = self.tmp() / 'pids'
        self.pids.touch()
        self.addCleanup(self.kill_all)

    def kill_all(self) -> None:
        for pid in map(int, self.pids.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def alive(self) -> list[int]:
        """Of the processes that noted themselves those that still run."""
        found = []
        for pid in map(int, self.pids.read_text().split()):
            with contextlib.suppress(FileNotFoundError):
                stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
                if stat.rpartition(')')[2].split()[0] != 'Z':
                    found.append(pid)
        return found

    def soon(self, timeout: float = 0.2, grace: float = 0.2) -> float:
        """Have less patience; the timeout to use."""
        less = mock.patch.multiple(running, GRACE=grace, PATIENCE=0.2)
        less.start()
        self.addCleanup(less.stop)
        return timeout

    def reap(self) -> int:
        """End the process that noted itself; its status."""
        pid = int(self.pids.read_text())
        os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_status_and_both_streams(self) -> None:
        result = running.run(shell('echo out; echo err >&2; exit 3'), 10)
        self.assertEqual((3, 'out\n', 'err\n'),
                         (result.status, result.output, result.error))
        self.assertLess(0, result.seconds)
        self.assertLess(result.seconds, 5)

    def test_success(self) -> None:
        result = running.run(['true'], 10)
        self.assertEqual((0, '', ''),
                         (result.status, result.output, result.error))

    def test_arguments_go_through_no_shell(self) -> None:
        wild = '$(id) *; "\' \\ é'
        self.assertEqual(wild + '|', running.run(
            ['printf', '%s|', wild], 10).output)

    def test_ended_by_a_signal(self) -> None:
        self.assertEqual(128 + 15, running.run(
            shell('kill -TERM $$'), 10).status)

    def test_what_cannot_be_started(self) -> None:
        folder = self.tmp()
        plain = folder / 'plain'
        plain.write_text('true\n')
        no_interpreter = folder / 'script'
        no_interpreter.write_text('#!/no/such/program\n')
        no_interpreter.chmod(0o755)
        garbage = folder / 'garbage'
        garbage.write_bytes(b'\x7fELF')
        garbage.chmod(0o755)
        for argv, status in (
                (['no-such-program-at-all', 'Secret1!'], 127),
                ([str(folder / 'none')], 127),
                ([str(no_interpreter)], 127),
                ([str(plain / 'below')], 127),
                ([str(plain)], 126),
                ([str(folder)], 126),
                ([str(garbage)], 126),
                (['true', 'Secret1!' * (1 << 19)], 126),
                (['true', 'Secret1!\0'], 126),
                (['true', 'Secret1!\ud800'], 126),
                ([], 126)):
            with self.subTest(argv=[word[:40] for word in argv]):
                result = running.run(argv, 10)
                self.assertEqual(status, result.status)
                self.assertIn('cannot be started', result.error)
                self.assertNotIn('Secret1!', repr(result) + result.error)

    def test_no_input(self) -> None:
        mine, (end, start) = os.dup(0), os.pipe()
        os.write(start, b'for this process')
        os.close(start)
        os.dup2(end, 0)
        try:
            result = running.run(['cat'], 10)
        finally:
            os.dup2(mine, 0)
            os.close(mine)
            os.close(end)
        self.assertEqual((0, ''), (result.status, result.output))

    def test_environment(self) -> None:
        with mock.patch.dict(os.environ, {'PATH': '/some', 'MINE': '1'}):
            here = running.run(['env'], 10).output.splitlines()
        self.assertIn('MINE=1', here)
        self.assertIn('PATH=/some:/bin:/sbin:/usr/bin:/usr/sbin', here)
        with mock.patch.dict(os.environ):
            del os.environ['PATH']
            bare = running.run(['env'], 10)
        self.assertIn('PATH=/bin:/sbin:/usr/bin:/usr/sbin',
                      bare.output.splitlines())

    def test_it_keeps_no_folder_busy(self) -> None:
        self.assertEqual('/\n', running.run(['pwd'], 10).output)

    def test_not_utf_8(self) -> None:
        result = running.run(['printf', r'\303\244\377\n'], 10)
        self.assertEqual('ä\\xff\n', result.output)

    def test_a_chatty_process_is_cut_and_not_stopped(self) -> None:
        source = ('import sys\n'
                  'for stream in sys.stdout, sys.stderr:\n'
                  '    stream.write("first ")\n'
                  '    for _ in range(100): stream.write("x" * (1 << 20))\n'
                  'sys.exit(4)')
        result = running.run(python(source), 60)
        self.assertEqual(4, result.status)
        for text in result.output, result.error:
            self.assertEqual(running.LIMIT, len(text))
            self.assertEqual('first xx', text[:8])

    def test_both_streams_at_once(self) -> None:
        """A pipe that nobody reads would stop the writer."""
        source = ('import os\n'
                  'for _ in range(64):\n'
                  '    os.write(2, b"e" * 65536); os.write(1, b"o" * 10)\n')
        result = running.run(python(source), 30)
        self.assertEqual((0, 'o' * 640, running.LIMIT), (
            result.status, result.output, len(result.error)))

    def test_all_that_was_written_before_the_end_is_there(self) -> None:
        for _ in range(20):
            self.assertEqual('x' * 60000, running.run(
                ['printf', '%60000s', ''], 10).output.replace(' ', 'x'))

    def test_time_limit(self) -> None:
        result = running.run(shell('echo before; sleep 60'), self.soon())
        self.assertEqual((None, 'before\n'), (result.status, result.output))
        self.assertLess(result.seconds, 1.5)

    def test_the_whole_group_is_ended(self) -> None:
        result = running.run(shell(
            'sleep 60 & echo $! $$ >> "$1"; (sleep 60; true)& '
            'echo $! >> "$1"; wait', str(self.pids)), self.soon(0.5))
        self.assertIsNone(result.status)
        self.assertEqual(3, len(self.pids.read_text().split()))
        self.assertEqual([], self.alive())

    def test_it_may_end_in_order(self) -> None:
        """Two seconds, it is said, and what it writes then counts."""
        self.assertEqual(2, running.GRACE)
        result = running.run(shell(
            'trap "echo bye; exit 0" TERM; while :; do sleep 0.05; done'),
            self.soon(0.5, grace=5))
        self.assertEqual((None, 'bye\n'), (result.status, result.output))
        self.assertLess(result.seconds, 3)

    def test_its_children_may_end_in_order(self) -> None:
        result = running.run(shell(
            'sh -c "$2" & sleep 60', '',
            'trap "sleep 0.2; echo bye; exit" TERM; '
            'while :; do sleep 0.05; done'), self.soon(0.5, grace=1))
        self.assertEqual((None, 'bye\n'), (result.status, result.output))

    def test_one_that_ignores_sigterm(self) -> None:
        result = running.run(shell('echo $$ >> "$1"; ' + IGNORING,
                                   str(self.pids)), self.soon(0.5))
        self.assertEqual((None, 'ready\n'), (result.status, result.output))
        self.assertEqual([], self.alive())
        self.assertLess(result.seconds, 3)

    def test_a_child_that_ignores_sigterm(self) -> None:
        """Its parent obeys, which must not be the end of the hunt."""
        result = running.run(shell(
            'sh -c "$2" & echo $! >> "$1"; sleep 60',
            str(self.pids), IGNORING), self.soon(0.5))
        self.assertEqual((None, 'ready\n'), (result.status, result.output))
        self.assertEqual([], self.alive())

    def test_a_child_that_keeps_the_pipes_is_not_waited_for(self) -> None:
        """It may be a service, so nobody ends it either."""
        result = running.run(shell(
            'sleep 60 & echo $! >> "$1"; echo started; exit 5',
            str(self.pids)), 30)
        self.assertEqual((5, 'started\n'), (result.status, result.output))
        self.assertLess(result.seconds, 5)
        self.assertEqual(1, len(self.alive()))

    def test_a_child_that_never_stops_writing(self) -> None:
        result = running.run(shell(
            'yes & echo $! >> "$1"; exit 6', str(self.pids)), 30)
        self.assertEqual(6, result.status)
        self.assertLess(result.seconds, 5)
        with mock.patch.object(running, '_read', autospec=True,
                               return_value=True) as read:
            running._drain({})
        self.assertEqual(16, read.call_count)

    def test_one_that_left_the_group(self) -> None:
        self.require('setsid')
        result = running.run(shell(
            'setsid sh -c "echo \\$\\$ >> $1; exec sleep 60" & sleep 60',
            str(self.pids)), self.soon(0.5))
        self.assertIsNone(result.status)
        self.assertLess(result.seconds, 3)
        self.assertEqual(1, len(self.alive()))

    def test_one_that_nothing_ends(self) -> None:
        """As if it hung in the kernel."""
        self.soon()
        with mock.patch.object(os, 'killpg', autospec=True) as killpg, \
                mock.patch('subprocess.Popen.__del__', autospec=True):
            result = running.run(shell(
                'echo $$ >> "$1"; exec sleep 60', str(self.pids)), 0.5)
        self.assertIsNone(result.status)
        self.assertLess(result.seconds, 3)
        self.assertEqual(1, len(self.alive()))
        self.assertEqual(
            [signal.SIGTERM, signal.SIGKILL],
            [call.args[1] for call in killpg.mock_calls if call.args[1]])
        self.reap()

    def test_one_that_may_not_be_ended(self) -> None:
        self.soon()
        with mock.patch.object(os, 'killpg', autospec=True,
                               side_effect=PermissionError), \
                mock.patch('subprocess.Popen.__del__', autospec=True):
            result = running.run(shell(
                'echo $$ >> "$1"; exec sleep 60', str(self.pids)), 0.2)
        self.assertIsNone(result.status)
        self.assertLess(result.seconds, 3)
        self.reap()

    def test_pipes_closed_by_the_process(self) -> None:
        result = running.run(shell('exec >&- 2>&-; sleep 0.3; exit 7'), 10)
        self.assertEqual(7, result.status)
        result = running.run(shell('exec >&- 2>&-; sleep 60'), self.soon())
        self.assertIsNone(result.status)

    def test_an_interrupt_leaves_nothing_behind(self) -> None:
        def interrupt(*_: object) -> None:
            if self.alive():
                raise KeyboardInterrupt
        with mock.patch.object(running, '_read', autospec=True,
                               side_effect=interrupt), \
                mock.patch('subprocess.Popen.__del__', autospec=True), \
                self.assertRaises(KeyboardInterrupt):
            running.run(shell('echo $$ >> "$1"; exec sleep 60',
                              str(self.pids)), 30)
        pid = int(self.pids.read_text())
        self.assertEqual(-signal.SIGKILL, os.waitstatus_to_exitcode(
            os.waitpid(pid, 0)[1]))

    def test_no_descriptor_is_left(self) -> None:
        before = len(os.listdir('/proc/self/fd'))
        for argv, timeout in ((['true'], 10), (['sleep', '60'], 0.05),
                              (['no-such-program'], 10)):
            self.soon()
            running.run(argv, timeout)
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))
