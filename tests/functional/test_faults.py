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

"""Never a half image: full disks, signals, and who else writes there."""

import collections.abc
import errno
import functools
import os
import pathlib
import resource
import signal
import subprocess
import time
import typing

from tests.functional import command

SIZE_MB = 64
"""Of the ISO whose builds are interrupted: long enough to be hit."""
ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHARES = 6
"""How many times a build is hit while its hidden file grows."""
OLD = b'an older image'


class Whole(typing.NamedTuple):
    """A build that nothing disturbed."""

    digest: str
    blocks: int
    seconds: float


@functools.cache
def undisturbed(*options: str) -> Whole:
    """What becomes of the ISO in the end, and how long that takes."""
    path = command.sample(SIZE_MB).with_name('-'.join(('whole', *options)))
    started = time.monotonic()
    done = command.run(command.sample(SIZE_MB), '-o', path, *options)
    seconds = time.monotonic() - started
    if done.code:
        raise AssertionError(done)
    whole = Whole(command.digest(path), path.stat().st_blocks, seconds)
    path.unlink()
    return whole


def hidden(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that are being written there."""
    return [folder / name for name in os.listdir(folder)
            if name.startswith('.') and name.endswith('.part')]


def written(folder: pathlib.Path) -> int:
    """Blocks that the hidden files have on the disk; -1 without any."""
    blocks = -1
    for path in hidden(folder):
        try:
            blocks = max(blocks, 0) + path.stat().st_blocks
        except FileNotFoundError:
            continue
    return blocks


class SignalTestCase(command.TestCase):
    OPTIONS: tuple[str, ...] = ()
    PARTS = 1
    """Hidden files that a killed build may leave."""

    def setUp(self) -> None:
        super().setUp()
        self.whole = undisturbed(*self.OPTIONS)
        self.caught = 0

    def start(self, *options: str) -> subprocess.Popen[str]:
        """A build, in a process group of its own."""
        process = subprocess.Popen(
            command.argv(command.sample(SIZE_MB), '-o', self.output,
                         *self.OPTIONS, *options),
            env=command.environment(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        """Whatever a test left running."""
        if process.poll() is None:
            process.kill()
            process.communicate()
        deadline = time.monotonic() + 10
        while self.runs(process) and time.monotonic() < deadline:
            time.sleep(0.01)

    def runs(self, process: subprocess.Popen[str]) -> bool:
        """Is anything of the build's process group alive?"""
        for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
            try:
                facts = stat.read_text().rpartition(')')[2].split()
            except OSError:
                continue
            if int(facts[2]) == process.pid and facts[0] != 'Z':
                return True
        return False

    def wait_for(self, process: subprocess.Popen[str],
                 reached: collections.abc.Callable[[], bool]) -> None:
        while process.poll() is None and not reached():
            time.sleep(0.0002)

    def moments(self) -> list[collections.abc.Callable[
            [subprocess.Popen[str]], None]]:
        """Ways to wait until a build is somewhere, from start to end."""
        def after(seconds: float) -> typing.Any:
            return lambda process: time.sleep(seconds)

        def grown(blocks: int) -> typing.Any:
            return lambda process: self.wait_for(
                process, lambda: written(self.folder) >= blocks)

        step = self.whole.seconds / SHARES
        return [*(after(step * number) for number in range(SHARES)),
                *(grown(self.whole.blocks * number // SHARES)
                  for number in range(SHARES))]

    def hit(self, number: signal.Signals, wait: typing.Any,
            *options: str, group: bool = False) -> command.Done:
        """A build that gets a signal at some moment."""
        process = self.start(*options)
        wait(process)
        if process.poll() is None:
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        if number != signal.SIGKILL:
            self.assertFalse(self.runs(process), 'a child goes on')
        self.end(process)
        return command.Done(process.returncode, stdout, stderr)

    def check_asked(self, number: signal.Signals, done: command.Done,
                    old: dict[str, str]) -> None:
        """It ended as the signal asked and left no trace, or was done.

        :param old: what the folder held before
        """
        left = command.content(self.folder)
        self.output.unlink(missing_ok=True)
        if done.code == 0:
            self.assertEqual({'x.img': self.whole.digest}, left)
            return
        self.assertEqual(old, left, done)
        if done.code == -number:
            # Python was not far enough to know our handlers.
            self.assertEqual('', done.stderr)
            return
        self.caught += 1
        self.assert_refused(done, 128 + number, number.name)

    def check_killed(self, done: command.Done, old: dict[str, str]) -> None:
        """Nothing but hidden files is left, or it was done."""
        self.assertIn(done.code, (0, -signal.SIGKILL), done)
        parts = hidden(self.folder)
        self.assertLessEqual(len(parts), self.PARTS)
        self.caught += bool(parts)
        for part in parts:
            part.unlink()
        left = command.content(self.folder)
        self.output.unlink(missing_ok=True)
        if left != old:
            self.assertEqual({'x.img': self.whole.digest}, left)
        else:
            self.assertEqual(-signal.SIGKILL, done.code)


class TestSignals(SignalTestCase):

    def test_asked_to_stop(self) -> None:
        for number in ASKED:
            moments = self.moments()
            if number != signal.SIGTERM:
                # The same code, and while Python starts, it has a traceback
                # for SIGINT.
                moments = moments[SHARES::2]
            for step, wait in enumerate(moments):
                with self.subTest(number.name, step=step):
                    self.check_asked(number, self.hit(number, wait), {})
        self.assertGreater(self.caught, SHARES)

    def test_killed(self) -> None:
        for step, wait in enumerate(self.moments()):
            with self.subTest(step=step):
                self.check_killed(self.hit(signal.SIGKILL, wait), {})
        self.assertGreater(self.caught, SHARES // 2)
        # What was left is in nobody's way.
        self.assertEqual(0, self.hit(signal.SIGKILL, self.finished).code)

    def finished(self, process: subprocess.Popen[str]) -> None:
        self.wait_for(process, lambda: False)

    def test_an_old_output_is_kept(self) -> None:
        for number in (*ASKED, signal.SIGKILL):
            for step, wait in enumerate(self.moments()[SHARES::2]):
                self.output.write_bytes(OLD)
                old = command.content(self.folder)
                with self.subTest(number.name, step=step):
                    done = self.hit(number, wait, '--force')
                    if number == signal.SIGKILL:
                        self.check_killed(done, old)
                    else:
                        self.check_asked(number, done, old)
        self.assertGreater(self.caught, SHARES)

    def test_the_exit_code_tells_whether_there_is_an_image(self) -> None:
        """Also when the signal comes after the file has its name."""
        for number in ASKED:
            for delay in (0, 0.0005, 0.001, 0.003, 0.01):
                def wait(process: subprocess.Popen[str]) -> None:
                    self.wait_for(process, self.output.exists)
                    time.sleep(delay)
                with self.subTest(number.name, delay=delay):
                    self.check_asked(number, self.hit(number, wait), {})

    def test_what_is_ignored_stays_ignored(self) -> None:
        """As under nohup."""
        old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, old)
        done = self.hit(signal.SIGHUP, self.moments()[SHARES])
        self.assertEqual(0, done.code, done)
        self.assertEqual({'x.img': self.whole.digest},
                         command.content(self.folder))


class TestSignalsWhileConverting(SignalTestCase):
    OPTIONS = ('--format', 'qcow2')
    PARTS = 2

    def setUp(self) -> None:
        self.require('qemu-img')
        super().setUp()

    def moments(self) -> list[collections.abc.Callable[
            [subprocess.Popen[str]], None]]:
        def converting(share: int) -> typing.Any:
            # The raw image is there, and so much of the other.
            return lambda process: self.wait_for(process, lambda: (
                len(hidden(self.folder)) == 2 and written(self.folder)
                > self.whole.blocks * (4 + share) // 4))
        return [*super().moments()[SHARES::3],
                *(converting(share) for share in range(4))]

    def test_asked_to_stop(self) -> None:
        for number in ASKED:
            for step, wait in enumerate(self.moments()):
                with self.subTest(number.name, step=step):
                    self.check_asked(number, self.hit(number, wait), {})
        self.assertGreater(self.caught, 6)

    def test_interrupted_from_the_keyboard(self) -> None:
        """Then qemu-img gets the signal, too."""
        for step, wait in enumerate(self.moments()):
            with self.subTest(step=step):
                self.check_asked(signal.SIGINT, self.hit(
                    signal.SIGINT, wait, group=True), {})
        self.assertGreater(self.caught, 2)

    def test_killed(self) -> None:
        for step, wait in enumerate(self.moments()):
            with self.subTest(step=step):
                self.check_killed(self.hit(signal.SIGKILL, wait), {})
        self.assertGreater(self.caught, 2)

    def test_an_old_output_is_kept(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for step, wait in enumerate(self.moments()[-4:]):
                self.output.write_bytes(OLD)
                old = command.content(self.folder)
                with self.subTest(number.name, step=step):
                    done = self.hit(number, wait, '--force')
                    if number == signal.SIGKILL:
                        self.check_killed(done, old)
                    else:
                        self.check_asked(number, done, old)
        self.assertGreater(self.caught, 2)


class TestFullDisk(command.TestCase):
    STEPS = 8

    def fill(self, disk: pathlib.Path, ballast: pathlib.Path,
             free: int) -> None:
        """Leave so many bytes free."""
        ballast.unlink(missing_ok=True)
        facts = os.statvfs(disk)
        size = facts.f_bavail * facts.f_bsize - free
        with open(ballast, 'wb') as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def sweep(self, *arguments: command.Word, module: str = command.BUILD,
              old: bytes | None = None) -> None:
        """A disk that is full ever later, until the file fits."""
        disk = self.mount('-t', 'tmpfs', '-o', 'size=64m', 'none')
        output, ballast = disk / 'x.img', disk / 'ballast'

        def attempt() -> command.Done:
            return command.run(*(output if word == 'OUTPUT' else word
                                 for word in arguments), module=module)

        before = os.statvfs(disk)
        self.assert_built(attempt())
        after = os.statvfs(disk)
        whole = command.digest(output)
        # A second file, qcow2's raw one, may have been there meanwhile.
        need = (before.f_bfree - after.f_bfree) * before.f_bsize
        output.unlink()
        if old is not None:
            output.write_bytes(old)
        kept = command.content(disk)
        fitted = False
        for step in range(2 * self.STEPS + 2):
            self.fill(disk, ballast, need * step // self.STEPS + 4096)
            with self.subTest(step=step):
                done = attempt()
                ballast.unlink()
                if done.code == 0:
                    self.assertGreaterEqual(step, self.STEPS - 1)
                    self.assertEqual({'x.img': whole}, command.content(disk))
                    fitted = True
                    break
                self.assert_refused(done, 4, '(?i)no space left on device')
                self.assertEqual(kept, command.content(disk))
        self.assertTrue(fitted)

    def test_raw(self) -> None:
        self.sweep(command.sample(), '-o', 'OUTPUT')

    def test_old_output_is_kept(self) -> None:
        self.sweep(command.sample(), '--force', '-o', 'OUTPUT', old=OLD)

    def test_qcow2(self) -> None:
        self.require('qemu-img')
        self.sweep(command.sample(), '--format', 'qcow2', '-o', 'OUTPUT')

    def test_sample_iso(self) -> None:
        self.sweep('--size-mb', '8', 'OUTPUT', module=command.SAMPLE)

    def test_no_inode(self) -> None:
        disk = self.mount('-t', 'tmpfs', '-o', 'size=64m,nr_inodes=1', 'none')
        self.assert_refused(
            command.run(command.sample(), '-o', disk / 'x.img'), 4,
            'no space left on device')


class TestFileSizeLimit(command.TestCase):

    def limited(self, limit: int, *arguments: command.Word,
                module: str = command.BUILD) -> None:
        done = command.run(
            *arguments, module=module,
            env=command.environment(PYTHONDONTWRITEBYTECODE='1'),
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, limit)))
        self.assert_refused(done, 4, os.strerror(errno.EFBIG).lower())

    def test_build(self) -> None:
        self.write('x.img', OLD)
        old = command.content(self.folder)
        for limit in (0, 1, 4096, 8 << 20, 33 << 20):
            for name, options in (('x.img', ['--force']), ('y.img', [])):
                with self.subTest(limit, name=name):
                    self.limited(limit, command.sample(), '-o',
                                 self.folder / name, *options)
                    self.assertEqual(old, command.content(self.folder))

    def test_sample_iso(self) -> None:
        for limit in (0, 1, 32768, 100_000, 1_000_000, 5_000_000, 8_000_000):
            with self.subTest(limit):
                self.limited(limit, '--size-mb', '8', self.output,
                             module=command.SAMPLE)
                self.assertEqual({}, command.content(self.folder))


class TestOutput(command.TestCase):
    """What may be replaced, and by whom."""

    def refused(self, pattern: str, *options: command.Word,
                output: command.Word | None = None, code: int = 2) -> None:
        before = command.content(self.folder)
        self.assert_refused(command.run(
            command.sample(), '-o', self.output if output is None else output,
            *options), code, pattern)
        self.assertEqual(before, command.content(self.folder))

    def test_missing(self) -> None:
        self.assert_refused(command.run(command.sample(), cwd=self.folder),
                            2, '--output is missing')
        self.assertEqual({}, command.content(self.folder))

    def test_exists(self) -> None:
        self.output.write_bytes(OLD)
        self.refused('x.img exists')
        self.assert_built(command.run(command.sample(), '-o', self.output,
                                      '--force'))
        self.assertEqual(['x.img'], os.listdir(self.folder))
        self.assertNotEqual(OLD, self.output.read_bytes())

    def test_a_link_to_a_file_stays_one(self) -> None:
        (self.folder / 'deep').mkdir()
        real = self.folder / 'deep' / 'real.img'
        real.write_bytes(OLD)
        self.output.symlink_to('deep/real.img')
        self.refused('x.img exists')
        self.assertEqual(OLD, real.read_bytes())
        self.assert_built(command.run(command.sample(), '-o', self.output,
                                      '--force'))
        self.assertTrue(self.output.is_symlink())
        self.assertGreater(real.stat().st_size, 1 << 20)
        self.assertEqual(['real.img'], os.listdir(real.parent))

    def test_refused_always(self) -> None:
        (self.folder / 'folder').mkdir()
        (self.folder / 'dangling').symlink_to('nothing')
        (self.folder / 'to folder').symlink_to('folder')
        os.mkfifo(self.folder / 'pipe')
        self.device()
        for name, pattern in (
                ('folder', 'is a directory'), ('to folder', 'a directory'),
                ('folder/', 'names no file'), ('.', 'is a directory'),
                ('dangling', 'is a dangling link'), ('pipe', 'is a pipe'),
                ('device', 'is a character device'),
                ('nowhere/x.img', 'does not exist')):
            for options in ((), ('--force',)):
                with self.subTest(name, options=options):
                    self.refused(pattern, *options,
                                 output=os.path.join(self.folder, name))

    def device(self) -> None:
        """One of the test's own: a fault shall not cost the machine its."""
        path = self.folder / 'device'
        if os.geteuid():
            # Who is not root cannot replace this one.
            path.symlink_to('/dev/null')
        else:
            os.mknod(path, 0o20666, os.makedev(1, 3))

    def test_names_nothing(self) -> None:
        self.refused('--output is missing', output='')

    def test_block_device(self) -> None:
        self.require_root()
        device = self.folder / 'device'
        # No driver has this one: it can do no harm.
        os.mknod(device, 0o60600, os.makedev(240, 255))
        self.refused('is a block device', output=device)
        self.refused('is a block device', '--force', output=device)
        self.output.symlink_to('device')
        self.refused('is a block device', '--force')

    def test_its_own_inputs(self) -> None:
        iso = self.write('x.iso', command.sample().read_bytes())
        text = self.write('ks.cfg', 'vmaccepteula\n')
        os.link(iso, self.folder / 'hard')
        (self.folder / 'soft').symlink_to('x.iso')
        before = command.content(self.folder)
        for name in ('x.iso', 'hard', 'soft', 'ks.cfg'):
            with self.subTest(name):
                self.assert_refused(command.run(
                    iso, '--kickstart', text, '--force', '-o',
                    self.folder / name), 2, 'is the input')
                self.assertEqual(before, command.content(self.folder))

    def test_longest_names(self) -> None:
        for name in ('x' * 255, 'ü' * 127, '\N{GRINNING FACE}' * 63):
            with self.subTest(name):
                done = command.run(command.sample(), '-o',
                                   self.folder / name)
                self.assertEqual((0, [name]),
                                 (done.code, os.listdir(self.folder)), done)
                (self.folder / name).unlink()
        self.refused('file name too long', output=self.folder / ('x' * 256))

    def test_a_file_that_came_meanwhile(self) -> None:
        for options in ((), ('--format', 'qcow2')):
            if options:
                self.require('qemu-img')
            with self.subTest(options):
                process = subprocess.Popen(
                    command.argv(command.sample(SIZE_MB), '-o', self.output,
                                 *options),
                    env=command.environment(), text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                while process.poll() is None and not hidden(self.folder):
                    time.sleep(0.0002)
                self.output.write_bytes(OLD)
                done = command.Done(1, *process.communicate(timeout=30))
                self.assert_refused(done._replace(code=process.returncode),
                                    2, 'x.img exists')
                self.assertEqual(['x.img'], os.listdir(self.folder))
                self.assertEqual(OLD, self.output.read_bytes())
            self.output.unlink()

    def test_two_at_once(self) -> None:
        for options, codes in (((), [0, 2]), (('--force',), [0, 0])):
            with self.subTest(options):
                both = [subprocess.Popen(
                    command.argv(command.sample(), '-o', self.output,
                                 '--quiet', *options),
                    env=command.environment()
                    | {'PYTHONHASHSEED': str(number)},
                    stderr=subprocess.PIPE) for number in range(2)]
                for process in both:
                    process.communicate(timeout=30)
                self.assertEqual(codes, sorted(
                    process.returncode for process in both))
                self.assertEqual(['x.img'], os.listdir(self.folder))
                self.output.unlink()

    def test_read_only_file_system(self) -> None:
        folder = self.mount('-t', 'tmpfs', '-o', 'ro,size=64m', 'none')
        self.assert_refused(
            command.run(command.sample(), '-o', folder / 'x.img'), 4,
            'read-only file system')
