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

"""Steps for what users bring themselves, and for the end of first boot."""

import re
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import model
from . import steps
from . import syscommands
from . import wish

SCRIPTS = '/tmp/esxi-img/scripts'  # nosec B108
"""The folder of what users brought to run once, in memory.  It may hold
secrets: who ends first boot removes it."""

# Runs what follows.  Its output is nobody's, and a process that it leaves
# behind must not die of writing to whom has gone.
_UNHEARD = ('sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh')

# Seconds: for the log, whose service may hang; for each call home with the
# firewall before it and the pause behind it, and for all of them.
_LOG = 30
_CALL = 40
_CALLS = 600
# What follows needs some time before the host goes down.
_LEAST_DELAY = 60
_REASON = 'power_state of cloud-config'
_HOME = 'cloud-config:phone_home'
_PORT = re.compile(r'[A-Za-z]+://(?:[^][/?]*|\[[^]]*\]):([0-9]+)')
_RULESET_PORTS = (80, 443)
# ESXi saves it at a backup only; all else that users may write to is a disk.
_IN_MEMORY = '/etc/'


def files(wishes: wish.Wishes) -> List[steps.Step]:
    """The users' files, in their order: one may append to another.

    What is on a disk is not appended to again, whatever came between.
    """
    return [steps.Step(
        f'file.{number}', why=one.where, blind=True,
        once=one.append and not one.path.startswith(_IN_MEMORY),
        file=steps.File(one.path, one.content, one.mode, one.append))
        for number, one in enumerate(wishes.files, 1)]


def scripts(wishes: wish.Wishes) -> List[steps.Step]:
    """The users' scripts: written, then run once each.

    ESXi 8 runs no file that is not its own, so the interpreter is named.
    The file is written at every start, as it does not outlive one.
    """
    result = []
    for script in wishes.scripts:
        group = f'script.{script.name}'
        path = f'{SCRIPTS}/{script.name}'
        result += [
            steps.Step(f'{group}.write', why=script.where,
                       on_fail=steps.STOP, group=group,
                       file=steps.File(path, script.content, 0o700)),
            steps.Step(group, (*_UNHEARD, *script.interpreter, path),
                       script.where,
                       timeout=wishes.esxi.script_timeout, retries=0,
                       group=group, once=True)]
    return result


def final_message(wishes: wish.Wishes) -> List[steps.Step]:
    """A line in the log; it is the user's, so nothing else shows it."""
    text = syscommands.plain(wishes.final_message or '')
    if not text:
        return []
    name, why = 'final_message', 'cloud-config:final_message'
    # No script has a dot in its name.
    path = f'{SCRIPTS}/{name}.txt'
    return [
        steps.Step(f'{name}.write', why=why, on_fail=steps.STOP, group=name,
                   file=steps.File(path, f'{text}\n')),
        steps.Step(name, syscommands.log(path), why, timeout=_LOG,
                   retries=0, group=name, once=True)]


def report(wishes: wish.Wishes, name: Optional[str],
           instance_id: Optional[str]
           ) -> Tuple[List[steps.Step], List[model.Problem]]:
    """The call home, with those of its fields that are known by now.

    :param name: of the host, with or without a domain; None: not known
    """
    home = wishes.phone_home
    if home is None:
        return [], []
    known = _known(name, instance_id)
    problems = []
    named = _PORT.match(home.url.reveal())
    if named and int(named[1]) not in _RULESET_PORTS:
        problems.append(model.Problem(
            _HOME, f'port {named[1]} is none that a ruleset of ESXi passes: '
            'the firewall is off during each call'))
    return [steps.Step(
        'phone_home', why=_HOME, retries=0, once=True,
        timeout=min(_CALL * home.tries, _CALLS),
        report=steps.Report(
            home.url.reveal(), home.post,
            tuple((one, known[one]) for one in home.post if one in known),
            home.tries))], problems


def _known(name: Optional[str], instance_id: Optional[str]
           ) -> Dict[str, str]:
    known = {}
    if instance_id:
        known['instance_id'] = instance_id
    if name:
        known.update(hostname=name.partition('.')[0], fqdn=name)
    return known


def power(wishes: wish.Wishes) -> List[steps.Step]:
    """The host's restart or end, late enough for what follows."""
    state = wishes.power_state
    if state is None:
        return []
    return [steps.Step(
        'power_state', syscommands.shutdown(
            state.mode, max(state.delay, _LEAST_DELAY),
            syscommands.plain(state.message) or _REASON),
        'cloud-config:power_state', once=True)]
