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

"""What all commands do around their work: errors, signals, exit codes."""

import argparse
import collections.abc
import errno
import os
import signal
import sys
import traceback
import types
import typing

from esxi_img import build
from esxi_img import errors
from esxi_img import interrupt
from esxi_img import printable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with what all commands have.

    Its complaints look like those of the rest of the program.
    """

    def __init__(self, **kwargs: typing.Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)
        self.add_argument('--debug', action='store_true',
                          help='show the traceback of an error')
        self.add_argument('--version', action='version',
                          version=build.version())

    def error(self, message: str) -> typing.NoReturn:
        raise errors.RequestError(message, hint=f'{self.prog} --help')


def run(main: collections.abc.Callable[[list[str]], int]) -> int:
    """Call ``main`` with the command line; whatever happens is a code."""
    _open_standard_streams()
    _catch_signals()
    try:
        status = _run(main, sys.argv[1:])
    finally:
        # Python resets handlers while it exits, but not what is ignored.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    return _last_words(status)


def leave(status: int) -> typing.NoReturn:
    """End the process: all is flushed, closed and removed by now.

    Python's own way out takes its modules apart one by one, and as long as
    copying 200 MB does.
    """
    os._exit(status)


def _run(main: collections.abc.Callable[[list[str]], int],
         argv: list[str]) -> int:
    try:
        try:
            status = main(argv)
        except SystemExit as end:
            # --help and --version.
            status = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        return status
    except errors.EsxiImgError as error:
        _trace(argv)
        for problem in error.problems:
            _say(f'error: {problem}')
        if error.hint:
            _say(f'hint: {error.hint}')
        return error.exit_code
    except interrupt.Interrupted as error:
        name = signal.Signals(error.number).name
        _say(f'error: stopped by {name}, {error.left}')
        return 128 + error.number
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        return 128 + signal.SIGPIPE
    except OSError as error:
        _trace(argv)
        where = error.filename or 'standard output'
        _say(f'error: {where}: {(error.strerror or str(error)).lower()}')
        return errors.EnvironmentFailed.exit_code
    except Exception as error:
        # The outermost loop: a bug of ours, said in one line.
        _trace(argv)
        _say(f'error: bug in esxi-img: {type(error).__name__}: {error}')
        _say('hint: run it with --debug and report the traceback')
        return 1


def _trace(argv: list[str]) -> None:
    if '--debug' in argv:
        for line in traceback.format_exc().splitlines():
            _say(line)


def _say(text: str) -> None:
    try:
        print(printable.line(text), file=sys.stderr, flush=True)
    except OSError:
        # There is nobody left to tell.
        _discard(sys.stderr)


def _last_words(status: int) -> int:
    """Flush what was printed; what cannot be is thrown away.

    Else Python would try again on its way out, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _discard(stream)
            # What is said on standard error is no result.
            if (stream is sys.stdout and not status and
                    error.errno != errno.EPIPE):
                status = errors.EnvironmentFailed.exit_code
    return status


def _discard(stream: typing.TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _open_standard_streams() -> None:
    """Fill standard streams that are closed, and let all print anything.

    Else the next file that is opened would become one of them.
    """
    for number, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = 'w' if number else 'r'
            setattr(sys, name, open(number, mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')


def _catch_signals() -> None:
    """Let signals raise, so that every ``with`` and ``finally`` runs."""
    def stop(number: int, frame: types.FrameType | None) -> None:
        # Once is enough: cleaning up shall not be interrupted.
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        interrupt.stop(number)

    for number in SIGNALS:
        # nohup and the like have their reasons.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
