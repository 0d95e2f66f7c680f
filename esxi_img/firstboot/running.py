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

"""Runs a command, for no longer than it may take."""

from dataclasses import dataclass
from dataclasses import field
import os
import select
import signal
import subprocess
import time
from typing import Callable
from typing import Dict
from typing import IO
from typing import Mapping
from typing import Optional
from typing import Sequence

# Bytes of each stream that are kept.
LIMIT = 1 << 20
# Seconds: for a process to end by itself, and for a killed one to be gone.
GRACE = 2.0
PATIENCE = 1.0

_FOLDERS = '/bin:/sbin:/usr/bin:/usr/sbin'
_CHUNK = 1 << 16
# No pipe holds more, so no more was written before its writer ended.
_PIPE = 1 << 20
_SHORTEST = 0.005
_LONGEST = 0.1

# The status that a shell gives.
NOT_EXECUTABLE = 126
NOT_FOUND = 127
_BY_SIGNAL = 128


@dataclass(frozen=True)
class Result:
    """What became of a command.

    :param status: its exit status as a shell has it; None: it was ended
        because of the time limit
    :param output: the start of what it wrote, LIMIT bytes
    :param error: likewise, of standard error
    :param seconds: that it took
    """

    status: Optional[int]
    output: str = field(repr=False)
    error: str = field(repr=False)
    seconds: float


Run = Callable[[Sequence[str], float], Result]

_Pipes = Dict[IO[bytes], bytearray]


def run(argv: Sequence[str], timeout: float) -> Result:
    """Run a program, without a shell and without any input.

    When the time is over, its process group gets SIGTERM, and SIGKILL two
    seconds later.  Nobody waits for a process that leaves the group, or that
    even SIGKILL does not end, as it hangs in the kernel.  A process that
    stays behind when the program ends is left alone: a service, maybe.

    :param argv: a name, looked up in PATH, and arguments
    :param timeout: seconds
    """
    begun = time.monotonic()
    try:
        process = _start(argv)
    except (OSError, ValueError) as error:
        return _not_started(error, time.monotonic() - begun)
    assert process.stdout and process.stderr
    output, errors = bytearray(), bytearray()
    pipes: _Pipes = {process.stdout: output, process.stderr: errors}
    try:
        in_time = _follow(process, pipes, begun + timeout)
        if not in_time:
            _end(process, pipes)
        _drain(pipes)
    except BaseException:
        _signal(process, signal.SIGKILL)
        raise
    finally:
        process.stdout.close()
        process.stderr.close()
    return Result(_status(process) if in_time else None, _text(output),
                  _text(errors), time.monotonic() - begun)


def _start(argv: Sequence[str]) -> 'subprocess.Popen[bytes]':
    """Start it where a service that stays behind keeps no folder busy.

    :raises OSError: it cannot be
    :raises ValueError: no program can have such a name or argument
    """
    if not argv:
        raise ValueError('no program is named')
    return subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, cwd='/',
        env=_environment(os.environ))


def _environment(given: Mapping[str, str]) -> Dict[str, str]:
    """That of this process, in which every program can be found.

    Not even PATH is sure to be there at first boot.  A locale is not set:
    ESXi speaks English only, and programs in Python could not write every
    name in the C locale.
    """
    path = ':'.join(filter(None, (given.get('PATH'), _FOLDERS)))
    return {**given, 'PATH': path}


def _not_started(error: Exception, seconds: float) -> Result:
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    # The text of a ValueError may quote an argument.
    reason = error.strerror if isinstance(error, OSError) else None
    return Result(NOT_FOUND if missing else NOT_EXECUTABLE, '',
                  'cannot be started: ' + (reason or 'bad argument'),
                  seconds)


def _follow(process: 'subprocess.Popen[bytes]', pipes: _Pipes,
            until: float) -> bool:
    """Collect the output until the process ends; whether it did in time.

    Whoever inherited a pipe may keep it open, so its end tells nothing.
    """
    pause = _SHORTEST
    while process.poll() is None:
        left = until - time.monotonic()
        if left <= 0:
            return False
        busy = _read(pipes, min(pause, left))
        pause = _SHORTEST if busy else min(2 * pause, _LONGEST)
    return True


def _drain(pipes: _Pipes) -> None:
    """Read what was written before; somebody may go on writing."""
    for _ in range(_PIPE // _CHUNK):
        if not _read(pipes, 0):
            break


def _read(pipes: _Pipes, wait: float) -> bool:
    """Read what there is, or wait for it; whether there was something."""
    ready = select.select(list(pipes), [], [], wait)[0]
    for pipe in ready:
        data = os.read(pipe.fileno(), _CHUNK)
        if data:
            pipes[pipe] += data[:LIMIT - len(pipes[pipe])]
        else:
            del pipes[pipe]
    return bool(ready)


def _end(process: 'subprocess.Popen[bytes]', pipes: _Pipes) -> None:
    for number, patience in ((signal.SIGTERM, GRACE),
                             (signal.SIGKILL, PATIENCE)):
        until = time.monotonic() + patience
        _signal(process, number)
        while _is_there(process) and time.monotonic() < until:
            _read(pipes, _SHORTEST)


def _is_there(process: 'subprocess.Popen[bytes]') -> bool:
    """Whether any process of the group is."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _signal(process: 'subprocess.Popen[bytes]', number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except OSError:
        # None is left, or it belongs to somebody else by now.
        pass


def _status(process: 'subprocess.Popen[bytes]') -> int:
    status = process.returncode
    return status if status >= 0 else _BY_SIGNAL - status


def _text(data: bytearray) -> str:
    return data.decode('utf-8', 'backslashreplace')
