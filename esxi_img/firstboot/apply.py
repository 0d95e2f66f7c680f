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

"""On the host: make it what its config drive says, once.

The facts are collected anew at every call, so a call after an interrupted
one plans only what is left.
"""

from dataclasses import dataclass
import json
import os
import time
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import collect
from . import commands
from . import drive
from . import execute
from . import facts
from . import files
from . import host
from . import model
from . import outcome
from . import place
from . import present
from . import reading
from . import records
from . import settings
from . import think
from .running import Run

# Seconds: for hostd to answer, for all of first boot, and the last resort,
# which leaves time to take management back.
HOSTD = 300.0
LIMIT = 1320.0
ALARM = 1790

PACKAGE = 'firstboot'
DRIVE = 'drive'
LOGS = '/var/log/esxi-img'
BANKS = ('/bootbank', '/altbootbank')


class Expired(BaseException):
    """The last resort: first boot takes too long, and nobody knows why."""


@dataclass(frozen=True)
class _Thought:
    """A plan, and what it was made from."""

    have: host.Host
    outcome: outcome.Outcome
    problems: Tuple[model.Problem, ...]
    complete: bool


def apply(run: Run) -> int:
    """Set the host up; the exit status: 0 if all is as wished."""
    started = time.monotonic()
    build = place.read_json(os.path.join(place.HOME, 'build.json'))
    description, missing = _description()
    kept = records.Records(place.HOME, description.identity.instance_id,
                           str(build.get('version', '')))
    kept.begin(None, missing)
    try:
        thought = _think(run, description)
        kept.begin(thought.outcome.plan.id, thought.problems)
        done = execute.execute(thought.outcome.plan, run, files.write, kept,
                               started + LIMIT, time.monotonic, time.sleep)
    except (Exception, Expired) as error:
        # The outermost loop: whatever it was, the state has to say it.
        kept.end(records.FAILED, (model.Problem(
            'first boot', f'stopped by {type(error).__name__}'),))
        raise
    how = execute.status_of(
        thought.outcome.plan, done,
        thought.outcome.fallback and description.network is not None)
    if how == records.OK and (missing or not thought.complete):
        how = records.PARTIAL
    kept.end(how)
    kept.copy(LOGS)
    _tell(run, how, thought.outcome, kept)
    _clean(kept, how)
    return 0 if how == records.OK else 1


def planned(run: Run, as_json: bool) -> str:
    """What apply() would do now, as text."""
    thought = _think(run, _description()[0])
    return json.dumps(present.as_json(thought.outcome), indent=2) + '\n' \
        if as_json else present.as_text(thought.outcome)


def facts_json(run: Run) -> Dict[str, Any]:
    """What this host is; esxi-img-plan --installed reads it."""
    have, problems, _ = collect.collect(run, time.sleep, HOSTD, _read_text)
    return {**facts.as_json(have),
            'problems': [{'where': one.where, 'message': one.message}
                         for one in problems]}


def status(as_json: bool) -> str:
    """How the last run ended, as text."""
    state = place.read_json(os.path.join(place.HOME, records.STATE))
    if as_json:
        return json.dumps(state, indent=1) + '\n'
    lines = [f'{key} {state.get(key)}' for key in (
        'status', 'instance_id', 'plan_id', 'started', 'ended')]
    lines += [f'problem {one.get("where")}: {one.get("message")}'
              for one in state.get('problems', ())]
    return ''.join(f'{ascii(line)[1:-1]}\n' for line in lines)


def _description() -> Tuple[model.Model, Tuple[model.Problem, ...]]:
    try:
        return reading.model_of(drive.read(
            os.path.join(place.HOME, DRIVE))), ()
    except drive.Unreadable:
        return model.Model(), (model.Problem(
            'drive', 'the host was installed without a config drive'),)


def _think(run: Run, description: model.Model) -> _Thought:
    have, problems, complete = collect.collect(run, time.sleep, HOSTD,
                                               _read_text)
    if not complete:
        problems += (model.Problem(
            'host', 'too little is known of its network to change it'),)
    wishes = settings.from_json(place.read_json(
        os.path.join(place.HOME, 'settings.json')))
    installed = place.read_json(os.path.join(place.HOME, 'installed.json'))
    found = think.outcome_of(
        description, have.nics, have, wishes,
        root_password=installed.get('root_password') or outcome.NONE,
        leave_network=not complete)
    return _Thought(have, found, (*problems, *found.problems), complete)


def _read_text(path: str) -> Optional[str]:
    data = place.read(path)
    return None if data is None else data.decode('utf-8', 'surrogateescape')


def _tell(run: Run, how: str, found: outcome.Outcome,
          kept: records.Records) -> None:
    """One line in syslog, and some for whoever stands at the console."""
    count = len(kept.problems)
    line = f'first boot: {how}, {count} problems, plan {found.plan.id[:12]}'
    run(('logger', '-t', 'esxi-img', line), 10.0)
    vmk = found.network.vmks[0]
    text: List[str] = [
        f'esxi-img: {_WORDS[how]}',
        f'Host name: {found.identity.hostname or "as ESXi chose it"}',
        'Management: ' + ', '.join(filter(None, (vmk.ipv4, *vmk.ipv6)))]
    if how != records.OK or count:
        text.append(f'Details: {place.HOME}/{records.STATE}')
    run(commands.welcome(' | '.join(text)), 60.0)


_WORDS = {
    records.OK: 'this host is set up as its config drive says.',
    records.PARTIAL: 'this host is set up, but not all as its config drive '
                     'says.',
    records.FAILED: 'this host is NOT set up as its config drive says.'}


def _clean(kept: records.Records, how: str) -> None:
    """Remove what is needed once; the records stay."""
    for path in _remains():
        try:
            place.destroy(path)
        except OSError as error:
            kept.end(how, (model.Problem(
                path, f'cannot be removed: {error.strerror}'),))


def _remains() -> Sequence[str]:
    homes = dict.fromkeys(os.path.realpath(home) for home in (
        place.HOME, *(os.path.join(bank, os.path.basename(place.HOME))
                      for bank in BANKS)))
    return [path for home in homes for path in (
        os.path.join(home, PACKAGE), os.path.join(home, DRIVE))
        if os.path.isdir(path)]
