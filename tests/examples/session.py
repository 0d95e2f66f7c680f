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

"""Runs the examples of a page as a reader types them: in one shell."""

import collections.abc
import os
import pathlib
import shlex
import signal
import subprocess
import sys

from tests.examples import files
from tests.examples import pages
from tests.examples import shell

LIMIT = 240
"""Seconds that all examples of a page have together."""
SYSTEM = '/usr/sbin:/sbin'
_PASSED = ('PIP_', 'http_proxy', 'https_proxy', 'no_proxy')
"""What says where pip finds packages."""
_NO_PIP = '''#!/bin/sh
echo 'pip: make a venv and use its own, this one is of the tests' >&2
exit 1
'''


class Failed(Exception):
    """An example did not end well; all that the shell said."""


def missing(examples: collections.abc.Iterable[pages.Example]) -> list[str]:
    """Programs that they call, and that this machine lacks."""
    words = {command.words[0] for one in examples
             for command in shell.commands(one.text)}
    if any('drive.iso' in one.names for one in examples):
        words.add('genisoimage')
    done = subprocess.run(
        ['bash', '-c', 'for word; do type -t "$word" >&2 || echo "$word"; '
         'done', 'bash', *(word for word in sorted(words) if '/' not in word)],
        env=_environment(), text=True, capture_output=True, check=True)
    return done.stdout.splitlines()


def needs_root(examples: collections.abc.Iterable[pages.Example]) -> bool:
    """Whether they say so, or call sudo."""
    return any('root' in one.names or command.words[0] == 'sudo'
               for one in examples for command in shell.commands(one.text))


def run(examples: collections.abc.Iterable[pages.Example],
        folder: pathlib.Path, limit: float = LIMIT) -> None:
    """Run all, in an empty folder.

    :raises Failed: one fails, ends the shell or hangs
    """
    place, home, tmp, bins = (
        folder / name for name in ('place', 'home', 'tmp', 'bin'))
    for path in (place, home, tmp, bins):
        path.mkdir()
    for name in ('pip', 'pip3'):
        (bins / name).write_text(_NO_PIP)
        (bins / name).chmod(0o755)
    script = folder / 'script'
    script.write_text(_script(examples))
    bash = subprocess.Popen(
        ['bash', '-eu', '-o', 'pipefail', script], cwd=place, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
        env=_environment(str(bins), HOME=str(home), TMPDIR=str(tmp)))
    try:
        said, _ = bash.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(bash.pid, signal.SIGKILL)
        said, _ = bash.communicate()
        raise Failed(f'it takes longer than {limit} seconds\n{said}')
    if bash.returncode:
        raise Failed(f'exit code {bash.returncode}\n{said}')
    if not said.endswith(_END):
        raise Failed(f'it ends the shell\n{said}')


_END = '=== all done\n'


def _script(examples: collections.abc.Iterable[pages.Example]) -> str:
    parts = []
    for one in examples:
        parts += [f'echo {shlex.quote(f"=== {one.where}")}',
                  *(_copy(name) for name in one.names if name != 'root'),
                  one.text]
    return '\n'.join([*parts, f'echo {shlex.quote(_END.strip())}', ''])


def _copy(name: str) -> str:
    """What an example before has put there stays."""
    path = files.provide(name)
    if name == 'checkout':
        return f'cp -R {shlex.quote(str(path))}/. .'
    return f'[ -e {name} ] || cp -R {shlex.quote(str(path))} .'


def _environment(*bins: str, **more: str) -> dict[str, str]:
    """The least that a reader has."""
    ours = pathlib.Path(sys.executable).parent
    passed = {name: value for name, value in os.environ.items()
              if name.startswith(_PASSED)}
    return {**passed, 'LANG': 'C.UTF-8', 'PYTHONDONTWRITEBYTECODE': '1',
            'PATH': ':'.join([*bins, str(ours), os.environ['PATH'], SYSTEM]),
            **more}
