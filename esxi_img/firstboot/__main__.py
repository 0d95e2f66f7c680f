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
from typing import Callable
from typing import Dict
from typing import List

from . import apply
from . import finding
from . import log
from . import place
from . import post
from . import pre
from . import running
from . import scrub
from . import settings

# The whole of a command, in seconds.  The scripts that call it wait a
# little longer; a device that hangs ends neither.
LIMITS = {'pre': 590, 'scrub': 110, 'post': 290, 'apply': apply.ALARM}


def main(argv: List[str]) -> int:
    """Run one command; its exit status."""
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
    arguments = parser.parse_args(argv)
    if arguments.command == 'apply':
        signal.signal(signal.SIGALRM, _expire)
    signal.alarm(LIMITS.get(arguments.command, 0))
    return COMMANDS[arguments.command](arguments)


def _expire(number: int, frame: object) -> None:
    raise apply.Expired()


def _scrub(arguments: argparse.Namespace) -> int:
    say = log.Log('scrub', running.run)
    kept = place.read_json(place.PRE).get('drive')
    wishes = settings.from_json(place.read_json(
        f'{place.HOME}/settings.json'))
    if not kept or wishes.keep_config_drive:
        say.say('no config drive to overwrite' if not kept else
                'the config drive is kept, as the image was built to')
        return 0
    source = finding.Source(kept['path'], kept['name'], kept['start'],
                            kept['size'])
    try:
        scrub.scrub(source, kept['guid'])
        clean = scrub.is_clean(source)
    except (scrub.Refused, OSError, finding.volume.Damaged) as error:
        say.say(f'problem: {source.name} is not overwritten: {error}')
        return 1
    say.say(f'{source.name} is overwritten' if clean else
            f'problem: {source.name} still holds what was overwritten')
    return 0 if clean else 1


def _facts(arguments: argparse.Namespace) -> int:
    print(json.dumps(apply.facts_json(running.run), indent=2))
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    print(apply.planned(running.run, arguments.json), end='')
    return 0


def _status(arguments: argparse.Namespace) -> int:
    print(apply.status(arguments.json), end='')
    return 0


COMMANDS: Dict[str, Callable[[argparse.Namespace], int]] = {
    'pre': lambda arguments: pre.pre(running.run),
    'scrub': _scrub,
    'post': lambda arguments: post.post(running.run),
    'apply': lambda arguments: apply.apply(running.run),
    'plan': _plan,
    'facts': _facts,
    'status': _status,
}


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
