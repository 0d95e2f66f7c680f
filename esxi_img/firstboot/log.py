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

from . import model
from . import place
from .running import Run

JOURNAL = os.path.join(place.WORK, 'journal.jsonl')
_LONGEST = 900


class Log:
    """Lines of one command.

    :param command: pre, scrub or post
    """

    def __init__(self, command: str, run: Run) -> None:
        self._command = command
        self._run = run

    def say(self, message: str) -> None:
        """One line, ASCII."""
        line = ascii(message)[1:-1][:_LONGEST]
        print(f'esxi-img: {line}', flush=True)
        self._run(('logger', '-t', 'esxi-img', line), 10)
        try:
            with open(JOURNAL, 'a') as file:
                file.write(json.dumps({
                    'time': int(time.time()), 'command': self._command,
                    'message': line}) + '\n')
        except OSError as error:
            print(f'esxi-img: {JOURNAL}: {error.strerror}', flush=True)

    def problem(self, one: model.Problem) -> None:
        """Something that is not as it should be."""
        self.say(f'problem: {one.where}: {one.message}')
