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

"""Runs the programs as a user does, and judges what they say."""

import atexit
import collections.abc
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing

from tests import base

BUILD = 'esxi_img'
INSPECT = 'esxi_img.cmd.inspect'
SAMPLE = 'esxi_img.cmd.sample_iso'

HUGE = 256 << 20
"""Bytes of a file too large to be compared: a sparse one."""

Word = str | bytes | int | os.PathLike

_SAID = re.compile(r'(error|hint|warning|kickstart): \S.*'
                   r'|(verifying|writing|converting|reading|wrote|uploading'
                   r'|uploaded) \S.*')
"""Every line that a build may put on standard error."""
_CONTROL = re.compile(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]')


class Done(typing.NamedTuple):
    """A program that has ended; bytes that are no UTF-8 are escaped."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """What it says is wrong."""
        return [line.removeprefix('error: ')
                for line in self.stderr.splitlines()
                if line.startswith('error: ')]


def environment(**changes: str | None) -> dict[str, str]:
    """The least that a program needs; None takes a variable away."""
    variables = {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8',
                 'HOME': '/nonexistent',
                 # What a test does to our programs shall not damage what
                 # Python keeps of them beside the sources.
                 'PYTHONPYCACHEPREFIX': str(_shelf() / 'pycache'), **changes}
    return {name: value for name, value in variables.items()
            if value is not None}


def argv(*arguments: Word, module: str = BUILD,
         python: str = sys.executable) -> list[str | bytes]:
    """The command line that starts one of our programs."""
    return [python, '-m', module, *(
        word if isinstance(word, bytes) else str(word)
        for word in arguments)]


def run(*arguments: Word, module: str = BUILD, python: str = sys.executable,
        prefix: collections.abc.Sequence[str] = (), timeout: float = 60,
        **options: typing.Any) -> Done:
    """Run one of our programs to its end.

    :param prefix: a command that starts it
    :param options: of subprocess.run; the environment is a clean one
    """
    options = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
               'stderr': subprocess.PIPE, 'env': environment(), **options}
    done = subprocess.run(
        [*prefix, *argv(*arguments, module=module, python=python)],
        timeout=timeout, **options)
    return Done(done.returncode, *(
        (said or b'').decode(errors='backslashreplace')
        for said in (done.stdout, done.stderr)))


@functools.cache
def _shelf() -> pathlib.Path:
    """A folder for what all tests of a process share."""
    folder = tempfile.mkdtemp(prefix='esxi-img-shelf-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


@functools.cache
def sample(size_mb: int = 8) -> pathlib.Path:
    """A sample ISO; made once in a process, to be read only."""
    path = _shelf() / f'sample{size_mb}.iso'
    done = run('--size-mb', size_mb, path, module=SAMPLE)
    if done.code:
        raise AssertionError(done)
    return path


def digest(path: str | os.PathLike) -> str:
    """sha256 of a file."""
    with open(path, 'rb') as file:
        result = hashlib.sha256()
        for chunk in iter(lambda: file.read(1 << 20), b''):
            result.update(chunk)
    return result.hexdigest()


def content(folder: str | os.PathLike) -> dict[str, str]:
    """What a folder holds: each file's sha256, or what else it is."""
    def kind(entry: os.DirEntry[str]) -> str:
        facts = entry.stat(follow_symlinks=False)
        if not entry.is_file(follow_symlinks=False) or facts.st_size > HUGE:
            return f'{facts.st_mode} {facts.st_size} {facts.st_mtime_ns}'
        return digest(entry)

    return {entry.name: kind(entry) for entry in os.scandir(folder)}


class TestCase(base.TestCase):
    """A folder of the test's own, and what programs must say."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.output = self.folder / 'x.img'

    def write(self, name: str, data: bytes | str) -> pathlib.Path:
        """A file in the test's folder."""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def not_tested(self, why: str) -> typing.NoReturn:
        """Skip, loudly, what no package would make possible."""
        print(f'{self.id()}: NOT TESTED: {why}', file=sys.stderr)
        self.skipTest(f'NOT TESTED: {why}')

    def require_root(self) -> None:
        if os.geteuid():
            self.not_tested('needs root')

    def mount(self, *options: str) -> pathlib.Path:
        """A folder of the test's with something mounted on it."""
        self.require_root()
        self.require('mount', 'umount')
        folder = self.tmp()
        done = subprocess.run(['mount', *options, folder],
                              capture_output=True, text=True)
        if done.returncode:
            self.not_tested(f'cannot mount: {done.stderr.strip()}')
        self.addCleanup(subprocess.run, ['umount', folder], check=True)
        return folder

    def assert_built(self, done: Done) -> None:
        """All went well, and nothing is on standard output."""
        self.assertEqual((0, ''), (done.code, done.stdout), done.stderr)

    def assert_refused(self, done: Done, code: int, pattern: str = '',
                       count: int | None = 1) -> None:
        """One clear error, in our words, and no other exit code.

        :param count: of errors; None for one or more
        """
        self.assertEqual((code, ''), (done.code, done.stdout), done.stderr)
        self.assertNotEqual([], done.errors, done.stderr)
        if pattern:
            self.assertRegex('\n'.join(done.errors), pattern)
        if count is not None:
            self.assertEqual(count, len(done.errors), done.stderr)
        self.assert_plain(done.stderr)

    def assert_plain(self, stderr: str) -> None:
        """Whole lines of ours, no traceback, nothing for the terminal."""
        self.assertNotRegex(stderr, _CONTROL)
        for line in stderr.splitlines():
            self.assertRegex(line, f'^(?:{_SAID.pattern})$')
        if stderr:
            self.assertTrue(stderr.endswith('\n'), stderr)
