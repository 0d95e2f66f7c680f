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

"""What the installer's part says, and the journal that keeps it.

Three ways at once, as nobody knows which of them an operator will see:
standard output, which the kickstart sends to the console; syslog; a file
that goes to the installed host.
"""

import json
import os
import time
from typing import Sequence

from . import model
from . import place
from .running import Run

# Characters of a line, and problems that are told in full: a hostile drive
# can have very many, and each takes a program to tell.
_LONGEST = 900
_MOST = 50
_SECONDS = 10.0


class Log:
    """Lines of one command; none of them may stop it.

    :param command: pre, scrub or post
    """

    def __init__(self, command: str, run: Run, places: place.Places) -> None:
        self._command = command
        self._run = run
        self._journal = places.journal
        self._syslog = True

    def say(self, message: str) -> None:
        """One line, ASCII, without any secret."""
        line = ascii(message)[1:-1][:_LONGEST]
        self._print(line)
        if self._syslog:
            # One that hangs would take all the time that there is.
            self._syslog = self._run(('logger', '-t', 'esxi-img', line),
                                     _SECONDS).status is not None
        try:
            os.makedirs(os.path.dirname(self._journal), 0o700, exist_ok=True)
            with open(self._journal, 'a') as file:
                file.write(json.dumps({
                    'time': int(time.time()), 'command': self._command,
                    'message': line}) + '\n')
        except OSError as error:
            self._print(f'{self._journal}: {error.strerror}')

    def problems(self, some: Sequence[model.Problem]) -> None:
        """What is not as it should be."""
        for one in some[:_MOST]:
            self.say(f'problem: {one.where}: {one.message}')
        if len(some) > _MOST:
            self.say(f'problem: {len(some) - _MOST} more of them')

    def _print(self, line: str) -> None:
        try:
            print(f'esxi-img: {line}', flush=True)
        except OSError:
            # Nobody listens, or the file it goes to has no room.
            pass
