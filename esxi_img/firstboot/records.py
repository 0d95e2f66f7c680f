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

"""What was done on the host: its state now, and the journal of all runs."""

import json
import os
import time
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterable
from typing import List
from typing import Optional
from typing import Sequence
from typing import Set

from . import files
from . import jsonfile
from . import model
from . import steps

STATE = 'state.json'
JOURNAL = 'journal.jsonl'

OK = 'ok'
SAME = 'same'
FAILED = 'failed'
TIMEOUT = 'timeout'
SKIPPED = 'skipped'
UNDONE = 'undone'
UNDO_FAILED = 'undo-failed'

RUNNING = 'running'
PARTIAL = 'partial'

# The steps that save what those before them did.
BACKUP = 'backup'
BACKUPS = (BACKUP, 'backup.scripts')

# Bytes of the journal, and characters of an error in it.
LIMIT = 1 << 20
_ERROR = 500
_MODE = 0o600
_FULL = ('the journal was full: error texts, then lines, of the oldest '
         'steps are left out')

Entry = Dict[str, Any]


class Records:
    """The state and the journal, written anew at every change.

    What cannot be written is a problem, and nothing else: the host matters
    more than its records.

    :param folder: where both are
    :param instance_id: of the config drive; None: not known
    :param version: of esxi-img
    :param clock: gives seconds since 1970
    """

    def __init__(self, folder: str, instance_id: Optional[str], version: str,
                 clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._instance_id = instance_id
        self._clock = clock
        self._problems: List[model.Problem] = []
        self._journal = self._read()
        self._state: Dict[str, Any] = {
            'status': RUNNING, 'plan_id': None, 'instance_id': instance_id,
            'version': version, 'started': None, 'ended': None,
            'problems': [], 'steps': []}

    @property
    def problems(self) -> Sequence[model.Problem]:
        """All that were told, and those of writing."""
        return tuple(self._problems)

    def begin(self, plan_id: Optional[str],
              problems: Iterable[model.Problem] = ()) -> None:
        """A run begins.

        :param plan_id: None: there is no plan
        """
        self._state.update(status=RUNNING, plan_id=plan_id, ended=None,
                           started=self._now(), steps=[])
        self._add(problems)
        self._write_state()

    def step(self, step: steps.Step, result: str, status: Optional[int],
             seconds: float, error: str = '') -> None:
        """A step was done, left out or undone.

        :param status: of its command; None: there was none, or it was ended
        :param error: what the command said
        """
        seconds = round(seconds, 1)
        self._journal.append({
            'time': self._now(), 'instance_id': self._instance_id,
            'plan_id': self._state['plan_id'], 'step': step.name,
            'id': step.id, 'result': result, 'status': status,
            'seconds': seconds,
            'error': error.strip()[-_ERROR:]})
        self._journal = fitted(self._journal, LIMIT, self._now())
        self._state['steps'].append(
            {'name': step.name, 'result': result, 'seconds': seconds})
        self._write(JOURNAL)
        self._write_state()

    def end(self, status: str, problems: Iterable[model.Problem] = ()
            ) -> None:
        """The run is over.

        :param status: OK, PARTIAL or FAILED
        :param problems: those that came up since the beginning
        """
        self._state.update(status=status, ended=self._now())
        self._add(problems)
        self._write_state()

    def finished(self) -> Set[str]:
        """Ids of the steps that this instance has done, for good.

        One that no backup followed may be lost by now, as ESXi forgets
        at a power failure what it has not saved.  An instance that is not
        known may be any other.
        """
        done: Set[str] = set()
        saved: Set[str] = set()
        for entry in self._journal:
            id_, result = entry.get('id'), entry.get('result')
            if self._instance_id is None or not isinstance(id_, str) \
                    or entry.get('instance_id') != self._instance_id:
                continue
            if result == OK:
                done.add(id_)
                if entry.get('step') in BACKUPS:
                    saved |= done
            elif result in (UNDONE, UNDO_FAILED):
                done.discard(id_)
                saved.discard(id_)
        return saved

    def ended(self) -> Dict[str, str]:
        """How steps of this instance came to an end, by their ids.

        OK, FAILED or TIMEOUT, each at the first time; SAME, which was OK,
        where a full journal has lost that.  No backup matters: what must
        not happen twice is not undone by being forgotten.  Where no
        instance is known this journal is still that of one installation.
        """
        found: Dict[str, str] = {}
        for entry in self._journal:
            id_, result = entry.get('id'), entry.get('result')
            if isinstance(id_, str) \
                    and result in (OK, SAME, FAILED, TIMEOUT) \
                    and entry.get('instance_id') == self._instance_id:
                found.setdefault(id_, OK if result == SAME else str(result))
        return found

    def tell(self, problems: Iterable[model.Problem]) -> None:
        """Note what came up in the midst of a run."""
        self._add(problems)
        self._write_state()

    def copy(self, folder: str) -> None:
        """Write both to another folder, too, even if theirs is lost."""
        for name in (STATE, JOURNAL):
            self._write(name, folder)

    def _now(self) -> int:
        return int(self._clock())

    def _add(self, problems: Iterable[model.Problem]) -> None:
        self._problems = list(dict.fromkeys((*self._problems, *problems)))

    def _write_state(self) -> None:
        self._write(STATE)

    def _write(self, name: str, folder: Optional[str] = None) -> None:
        path = os.path.join(folder or self._folder, name)
        try:
            files.replace(path, self._content(name), _MODE)
        except OSError as error:
            self._add((model.Problem(
                path, f'cannot be written: {error.strerror}'),))

    def _content(self, name: str) -> bytes:
        if name == JOURNAL:
            return b''.join(map(_line, self._journal))
        problems = [{'where': one.where, 'message': one.message}
                    for one in self._problems]
        state = {**self._state, 'problems': problems}
        return (json.dumps(state, indent=1) + '\n').encode('ascii')

    def _read(self) -> List[Entry]:
        """The entries of the runs before; damaged lines are left out."""
        path = os.path.join(self._folder, JOURNAL)
        try:
            with open(path, 'rb') as file:
                lines = file.read(LIMIT).splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            self._add((model.Problem(
                path, f'cannot be read: {error.strerror}'),))
            return []
        values = [jsonfile.decode(line, JOURNAL)[0] for line in lines]
        entries = [value for value in values if isinstance(value, dict)]
        if len(entries) < len(lines):
            self._add((model.Problem(
                path, f'{len(lines) - len(entries)} of {len(lines)} lines '
                'are damaged and left out'),))
        return entries


def fitted(entries: List[Entry], limit: int, now: int) -> List[Entry]:
    """As much of a journal as the limit allows, the newest at any rate.

    :param limit: in bytes
    :param now: the time of the line that says what is missing
    """
    over = sum(len(_line(entry)) for entry in entries) - limit
    if over <= 0:
        return entries
    note = {'time': now, 'note': _FULL}
    over += len(_line(note))
    kept = []
    for entry in entries:
        size = len(_line(entry))
        if 'note' in entry:
            over -= size
            continue
        if over > 0 and entry.get('error'):
            entry = {**entry, 'error': ''}
            over -= size - len(_line(entry))
        kept.append(entry)
    gone = 0
    while over > 0 and gone < len(kept) - 1:
        over -= len(_line(kept[gone]))
        gone += 1
    return [note, *kept[gone:]]


def _line(entry: Entry) -> bytes:
    return (json.dumps(entry) + '\n').encode('ascii')
