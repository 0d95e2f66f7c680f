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

import collections.abc
import os
import signal
import sys
import traceback
import types

from esxi_img import errors


class Interrupted(BaseException):
    """A signal asked us to stop; everything is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(main: collections.abc.Callable[[], int | None],
        debug: collections.abc.Callable[[], bool]) -> int:
    """Call ``main`` and turn whatever happens into an exit code.

    :param debug: called after a failure: is a traceback wanted?
    """
    _catch_signals()
    try:
        status = main() or 0
        sys.stdout.flush()
        return status
    except errors.EsxiImgError as error:
        if debug():
            traceback.print_exc()
        for problem in error.problems:
            _say(f'error: {problem}')
        if error.hint:
            _say(f'hint: {error.hint}')
        return error.exit_code
    except Interrupted as error:
        name = signal.Signals(error.number).name
        _say(f'error: stopped by {name}, nothing was written')
        return 128 + error.number
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        # The outermost loop: a bug of ours, said in one line.
        if debug():
            traceback.print_exc()
        _say(f'error: bug in esxi-img: {type(error).__name__}: {error}')
        _say('hint: run it with --debug and report the traceback')
        return 1


def _say(line: str) -> None:
    # One line each, whatever a file name holds.
    print(' '.join(line.split('\n')), file=sys.stderr)


def _catch_signals() -> None:
    """Let signals raise, so that every ``with`` and ``finally`` runs."""
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: types.FrameType | None) -> None:
        # Once is enough: cleaning up shall not be interrupted.
        for other in caught:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    for number in caught:
        # nohup and the like have their reasons.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
