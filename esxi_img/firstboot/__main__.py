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

"""``python -m firstboot COMMAND``, run by ESXi's own Python."""

import argparse
import json
import signal
import sys
import traceback
from typing import Callable
from typing import Dict
from typing import List
from typing import NamedTuple

from . import apply
from . import log
from . import place
from . import post
from . import pre
from . import running
from . import scrub

# The whole of a command, in seconds.  The scripts that call it wait a
# little longer; a device that hangs ends neither.
LIMITS = {'pre': 590, 'scrub': 110, 'post': 290, 'apply': apply.ALARM}


class Call(NamedTuple):
    """What a command gets.

    :param as_json: print JSON; what facts prints always is
    """

    run: running.Run
    places: place.Places
    as_json: bool


def main(argv: List[str], run: running.Run = running.run,
         places: place.Places = place.Places()) -> int:
    """Run one command; its exit status."""
    arguments = _parser().parse_args(argv)
    limit = LIMITS.get(arguments.command, 0)
    before = signal.signal(signal.SIGALRM, _expire) if limit else None
    signal.alarm(limit)
    try:
        return COMMANDS[arguments.command](Call(
            run, places, getattr(arguments, 'json', False)))
    except (Exception, apply.Expired) as error:
        # Its own text may quote what was read.
        message = f'{arguments.command} stopped by {_where(error)}'
    finally:
        signal.alarm(0)
        if limit:
            signal.signal(signal.SIGALRM, before)
    if arguments.command in ('pre', 'scrub', 'post'):
        log.Log(arguments.command, run, places).say(f'problem: {message}')
    else:
        print(f'esxi-img: {message}', file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='firstboot', description='Set up this ESXi host from its '
                                      'config drive.')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    commands.required = True
    for name, text in (
            ('pre', 'in the installer: write what the kickstart includes'),
            ('scrub', 'in the installer: overwrite the config drive'),
            ('post', 'in the installer: hand over to first boot'),
            ('apply', 'on the host: set it up, or finish that'),
            ('plan', 'on the host: print what apply would do'),
            ('facts', 'on the host: print what it is'),
            ('status', 'on the host: print how it went')):
        command = commands.add_parser(name, help=text, description=text)
        if name in ('plan', 'facts', 'status'):
            command.add_argument('--json', action='store_true',
                                 help='print JSON')
    return parser


def _expire(number: int, frame: object) -> None:
    raise apply.Expired()


def _where(error: BaseException) -> str:
    """What kind of error, and where it was raised; nothing of its text."""
    kind = type(error).__name__
    if isinstance(error, OSError):
        kind += f' ({error.strerror})'
    return f'{kind} at ' + ', '.join(
        f'{one.filename.rpartition("/")[2]}:{one.lineno}'
        for one in traceback.extract_tb(error.__traceback__)[-3:])


def _facts(call: Call) -> int:
    print(json.dumps(apply.facts_json(call.run, call.places), indent=2))
    return 0


def _plan(call: Call) -> int:
    print(apply.planned(call.run, call.places, call.as_json), end='')
    return 0


def _status(call: Call) -> int:
    print(apply.status(call.places, call.as_json), end='')
    return 0


COMMANDS: Dict[str, Callable[[Call], int]] = {
    'pre': lambda call: pre.pre(call.run, call.places),
    'scrub': lambda call: scrub.scrub(call.run, call.places),
    'post': lambda call: post.post(call.run, call.places),
    'apply': lambda call: apply.apply(call.run, call.places),
    'plan': _plan,
    'facts': _facts,
    'status': _status,
}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
