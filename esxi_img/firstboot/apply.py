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

import contextlib
from dataclasses import dataclass
from dataclasses import replace
import functools
import json
import math
import os
import signal
import time
from typing import Any
from typing import Dict
from typing import Iterable
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import carried
from . import cloudconfig
from . import collect
from . import commands
from . import drive
from . import execute
from . import facts
from . import files
from . import host
from . import model
from . import outcome
from . import payload
from . import phonehome
from . import place
from . import present
from . import reading
from . import records
from . import settings
from . import steps
from . import think
from . import wish
from .running import Run

# Seconds: for hostd to answer, for all of first boot, and the last resort,
# which leaves time to take management back.
HOSTD = 300.0
LIMIT = 1320.0
ROUNDS = 2
ALARM = 1790

_CA = 'ca.pem'


class Expired(BaseException):
    """The last resort: first boot takes too long, and nobody knows why."""


@dataclass(frozen=True)
class _Said:
    """What the saved drive says.

    :param lost: what user data say is not there any more
    """

    model: model.Model
    wishes: wish.Wishes
    lost: bool = False


@dataclass(frozen=True)
class _Thought:
    """A plan, what is odd, and whether the facts were enough."""

    outcome: outcome.Outcome
    problems: Tuple[model.Problem, ...]
    complete: bool


def apply(run: Run, places: place.Places) -> int:
    """Set the host up; the exit status: 0 if all is as wished."""
    started = time.monotonic()
    version = str(place.read_json(places.own('build.json')).get('version', ''))
    kept = records.Records(places.home, None, version)
    try:
        description = _description(places)
        if _has_ended(places, description):
            # Nothing is left to do, and the records tell how it went.
            return _ended_before(run, places)
        said = description or _Said(model.Model(problems=(model.Problem(
            'drive', 'the host was installed without a config drive'),)),
            wish.Wishes())
        kept = records.Records(places.home, said.model.identity.instance_id,
                               version)
        kept.begin(None, said.model.problems)
        for later in reversed(range(ROUNDS)):
            thought = _think(run, places, said)
            kept.begin(thought.outcome.plan.id, thought.problems)
            done = execute.execute(
                thought.outcome.plan,
                _effects(run, places, kept, description, thought), kept,
                started + LIMIT, again=later > 0)
            # What could not be taken back may be mended from what is now.
            if not any(one.result == records.UNDO_FAILED for one in done):
                break
        how = _status(description, thought, done)
        # At once: the host may be about to restart.
        kept.end(how, _removed(_opaque(places)))
    except (Exception, Expired) as error:
        # The outermost loop: whatever it was, the state has to say it.
        kept.end(records.FAILED, (model.Problem(
            'first boot', f'stopped by {type(error).__name__}'),
            *_removed(_opaque(places))))
        kept.copy(places.logs)
        raise
    try:
        _tell(run, how, thought.outcome, kept, places)
        run(('auto-backup.sh',), 60.0)
    finally:
        _clean(kept, how, places)
        kept.copy(places.logs)
    return 0 if how == records.OK else 1


def planned(run: Run, places: place.Places, as_json: bool) -> str:
    """What apply() would do now, as text."""
    thought = _think(run, places, _description(places) or _Said(
        model.Model(), wish.Wishes()))
    return json.dumps(present.as_json(thought.outcome), indent=2) + '\n' \
        if as_json else present.as_text(thought.outcome)


def facts_json(run: Run, places: place.Places) -> Dict[str, Any]:
    """What this host is; esxi-img-plan --installed reads it."""
    have, problems, _ = _collected(run, places)
    return {**facts.as_json(have),
            'problems': [{'where': one.where, 'message': one.message}
                         for one in problems]}


def status(places: place.Places, as_json: bool) -> str:
    """How the last run ended, as text."""
    state = _state(places)
    if as_json:
        return json.dumps(state, indent=1) + '\n'
    lines = [f'{key} {state.get(key)}' for key in (
        'status', 'instance_id', 'plan_id', 'started', 'ended')]
    lines += [f'problem {one.get("where")}: {one.get("message")}'
              for one in state.get('problems') or ()
              if isinstance(one, dict)]
    return ''.join(f'{ascii(line)[1:-1]}\n' for line in lines)


def _description(places: place.Places) -> Optional[_Said]:
    """What the saved drive says; None: there is none."""
    try:
        said = reading.model_of(drive.read(places.own(place.DRIVE)))
    except drive.Unreadable:
        return None
    path = places.own(place.DRIVE, place.WISHES)
    if not os.path.exists(path):
        return _Said(replace(said, problems=(*said.problems, model.Problem(
            place.WISHES, 'is not there: nothing of user data is done now'
            ))), wish.Wishes(), True)
    gathered = carried.decode(place.read(path, carried.LIMIT))
    return _Said(*reading.all_of(said, gathered),
                 gathered == carried.decode(None))


def _state(places: place.Places) -> Dict[str, Any]:
    return place.read_json(places.own(records.STATE))


def _has_ended(places: place.Places, description: Optional[_Said]) -> bool:
    """Whether a run came to its end here, after which the drive goes.

    Before the drive went what user data say; a run that was stopped, which
    counts as failed, leaves the rest for another.
    """
    status = _state(places).get('status')
    if description and description.lost:
        return status in (records.OK, records.PARTIAL)
    return description is None and status in (
        records.OK, records.PARTIAL, records.FAILED)


def _ended_before(run: Run, places: place.Places) -> int:
    _removed([*_opaque(places), *_remains(places)])
    how = _state(places)['status']
    run(('logger', '-t', 'esxi-img', f'first boot: it ended before: {how}'),
        10.0)
    return 0 if how == records.OK else 1


def _collected(run: Run, places: place.Places
               ) -> Tuple[host.Host, Tuple[model.Problem, ...], bool]:
    return collect.collect(run, time.sleep, HOSTD,
                           functools.partial(_read, places))


def _think(run: Run, places: place.Places, said: _Said) -> _Thought:
    have, problems, complete = _collected(run, places)
    if not complete:
        problems += (model.Problem(
            'host', 'too little is known of its network to change it'),)
    build_side = settings.from_json(place.read_json(
        places.own('settings.json')))
    installed = place.read_json(places.own('installed.json'))
    found = think.outcome_of(
        said.model, have.nics, have, build_side, said.wishes,
        root_password=str(installed.get('root_password') or outcome.NONE),
        leave_network=not complete)
    return _Thought(found, (*problems, *found.problems), complete)


def _status(description: Optional[_Said], thought: _Thought,
            done: Sequence[execute.Done]) -> str:
    """FAILED unless management is known to be as described.

    Without what user data say it is PARTIAL at best.

    :param done: of the plan's steps so far
    """
    if description is None:
        return records.FAILED
    described = description.model.network is not None
    names = {one.name for one in done}
    so_far = steps.Plan(tuple(step for step in thought.outcome.plan.steps
                              if step.name in names))
    how = execute.status_of(so_far, done,
                            thought.outcome.fallback and described)
    if how == records.OK and not thought.complete:
        how = records.FAILED if described else records.PARTIAL
    return records.PARTIAL if how == records.OK and description.lost else how


def _effects(run: Run, places: place.Places, kept: records.Records,
             description: Optional[_Said], thought: _Thought
             ) -> execute.Effects:

    def send(report: steps.Report, done: Sequence[execute.Done],
             seconds: float) -> Optional[str]:
        why = phonehome.send(report, {
            **phonehome.host_keys(functools.partial(_read, places)),
            'instance_id': thought.outcome.identity.instance_id or '',
            'status': _status(description, thought, done),
            'problems': str(len(kept.problems))},
            run, seconds, places.own(_CA))
        if why:
            kept.tell((model.Problem('phone_home', why),))
        return why

    return execute.Effects(
        run, functools.partial(_write, places), time.monotonic, time.sleep,
        send, _extended, os.urandom)


@contextlib.contextmanager
def _extended(seconds: float) -> Iterator[None]:
    """The last resort waits so much longer, and then as long as before.

    Not if it came meanwhile: it comes once.
    """
    left = signal.alarm(0)
    if left:
        signal.alarm(left + math.ceil(seconds))
    yield
    if left:
        signal.alarm(left)


def _read(places: place.Places, path: str) -> Optional[str]:
    data = place.read(places.path(path))
    return None if data is None else data.decode('utf-8', 'surrogateescape')


def _write(places: place.Places, file: steps.File) -> None:
    files.write(replace(file, path=places.path(file.path)))


def _tell(run: Run, how: str, found: outcome.Outcome,
          kept: records.Records, places: place.Places) -> None:
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
        text.append(f'Details: {places.own(records.STATE)}')
    run(commands.welcome(' | '.join(text)), 60.0)


_WORDS = {
    records.OK: 'this host is set up as its config drive says.',
    records.PARTIAL: 'this host is set up, but not all as its config drive '
                     'says.',
    records.FAILED: 'this host is NOT set up as its config drive says.'}


def _clean(kept: records.Records, how: str, places: place.Places) -> None:
    """Remove what is needed once; the records stay.

    In the bootbanks only: what runs may be somebody's copy.
    """
    problems = _removed([*_opaque(places), *_remains(places)])
    if problems:
        kept.end(how, problems)


def _removed(paths: Iterable[str]) -> List[model.Problem]:
    """Overwrite and remove; what could not be."""
    problems = []
    for path in paths:
        try:
            if os.path.lexists(path):
                place.destroy(path)
        except OSError as error:
            problems.append(model.Problem(
                path, f'cannot be removed: {error.strerror}'))
    return problems


def _opaque(places: place.Places) -> Sequence[str]:
    """What the user wrote; where nobody did, it is left for another run."""
    nothing = carried.encode(cloudconfig.Gathered())[0]
    wishes = (os.path.join(folder, place.WISHES)
              for folder in _folders(places, place.DRIVE))
    return [*(path for path in wishes if place.read(path) != nothing),
            places.path(payload.SCRIPTS)]


def _remains(places: place.Places) -> Sequence[str]:
    # The package last: the drive tells more.
    return [path for name in (place.DRIVE, place.PACKAGE)
            for path in _folders(places, name) if os.path.isdir(path)]


def _folders(places: place.Places, name: str) -> Sequence[str]:
    """Of that name beside the package, in each bootbank."""
    return list(dict.fromkeys(
        os.path.join(os.path.realpath(bank), place.FOLDER, name)
        for bank in places.banks))
