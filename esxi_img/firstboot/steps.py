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

"""A step of a plan, and the plan."""

from dataclasses import dataclass
from dataclasses import field
import hashlib
import json
import re
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

STOP = 'stop'
CONTINUE = 'continue'

Argv = Tuple[str, ...]

# hostd may be slow to answer while the host starts.
TIMEOUT = 120
RETRIES = 2

# Of a new file of which nobody said it, as cloud-init has it.
MODE = 0o644

# Stands for a password that is made when the step runs and then forgotten.
RANDOM = '(random)'


@dataclass(frozen=True)
class File:
    """A file to write whole, by a rename.

    :param path: absolute, on the host
    :param content: bytes that are no UTF-8 as surrogateescape has them
    :param mode: permission bits; None: as they are, or MODE
    :param append: put it behind what is there
    """

    path: str
    content: str = field(repr=False)
    mode: Optional[int] = 0o600
    append: bool = False


@dataclass(frozen=True)
class Report:
    """A call to a URL of the user's: how first boot went.

    :param url: shown to nobody
    :param fields: names of what to send, in order
    :param values: of those fields that are known beforehand
    :param tries: how often at most
    """

    url: str = field(repr=False)
    fields: Tuple[str, ...] = ()
    values: Tuple[Tuple[str, str], ...] = ()
    tries: int = 1


@dataclass(frozen=True)
class Probe:
    """A question that changes nothing.

    :param argv: the command that asks
    :param expect: words that stand together in one line of the answer, in
        any order, if the step is done already
    """

    argv: Argv
    expect: Tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One command, or one file.

    :param name: unique within its plan and the same at every planning
    :param argv: a bare program name and its arguments; () with a file
    :param why: the wish behind it: a path of the drive, or a sentence
    :param on_fail: STOP: the steps of its group that follow are left out;
        CONTINUE: nothing else depends on it
    :param timeout: seconds
    :param retries: further tries after a failure
    :param probe: asked first; a step that is done is left out
    :param group: steps that stand or fall together
    :param undo: commands that take it back, recorded beforehand from what
        is; run for the steps of a group that failed, last step first
    :param optional: some releases of ESXi cannot do it, so its failure is
        noted and does not count
    :param blind: no fact tells whether it is done, so only the journal does
    :param once: it came to an end, so it is not run again, however it ended
    :param report: instead of a command or a file
    """

    name: str
    argv: Argv = ()
    why: str = ''
    on_fail: str = CONTINUE
    timeout: int = TIMEOUT
    retries: int = RETRIES
    probe: Optional[Probe] = None
    group: Optional[str] = None
    undo: Tuple[Argv, ...] = ()
    optional: bool = False
    blind: bool = False
    once: bool = False
    file: Optional[File] = None
    report: Optional[Report] = None

    def shown(self) -> str:
        """The command as one would type it, or the file's name."""
        if self.file:
            mode = '' if self.file.mode is None \
                else f' (mode {self.file.mode:o})'
            how = 'append to' if self.file.append else 'write'
            return f'{how} {self.file.path}{mode}'
        if self.report:
            return 'POST {} to ***'.format(', '.join(self.report.fields))
        return ' '.join(map(_quoted, _starred(self.argv)))

    def as_json(self) -> Dict[str, Any]:
        """All but contents of files, and where a report goes."""
        result: Dict[str, Any] = {
            'name': self.name,
            'argv': _starred(self.argv),
            'why': self.why,
            'on_fail': self.on_fail,
            'timeout': self.timeout,
            'retries': self.retries,
            'optional': self.optional,
            'blind': self.blind,
            'once': self.once,
            'group': self.group,
            'undo': [_starred(argv) for argv in self.undo],
            'probe': None}
        if self.probe:
            result['probe'] = {'argv': _starred(self.probe.argv),
                               'expect': list(self.probe.expect)}
        if self.file:
            result['file'] = {'path': self.file.path,
                              'mode': None if self.file.mode is None
                              else f'{self.file.mode:04o}',
                              'append': self.file.append}
        if self.report:
            result['report'] = {'fields': list(self.report.fields),
                                'tries': self.report.tries}
        return result

    @property
    def id(self) -> str:
        """The sha256 of all that may be shown of the step.

        A digest of anything else could be guessed from, and what an
        installation is told never changes.
        """
        return _digest(json.dumps(self.as_json(), sort_keys=True,
                                  separators=(',', ':')))


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they run."""

    steps: Tuple[Step, ...] = ()

    @property
    def id(self) -> str:
        """The sha256 of its steps' ids."""
        return _digest(' '.join(step.id for step in self.steps))


def _starred(argv: Argv) -> List[str]:
    return ['***' if word == RANDOM else word for word in argv]


def _quoted(word: str) -> str:
    """As a shell wants it."""
    if re.fullmatch(r'[A-Za-z0-9@%+=:,./_-]+|\*\*\*', word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()
