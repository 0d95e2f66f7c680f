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

"""Carries a plan out, and takes back what must not stay half done."""

import collections
from dataclasses import dataclass
from dataclasses import replace
import re
from typing import Callable
from typing import ContextManager
from typing import List
from typing import Optional
from typing import Sequence
from typing import Set
from typing import Tuple

from . import host
from . import records as records_module
from . import running
from . import steps
from . import wiring
from .records import FAILED
from .records import OK
from .records import PARTIAL
from .records import SAME
from .records import SKIPPED
from .records import TIMEOUT
from .records import UNDO_FAILED
from .records import UNDONE

# Seconds.
UNDO_TIMEOUT = 120
UNDO_TIME = 300
_PAUSE = 2

# The firewall does not follow the description of the network.
_NETWORK = ('esxcli', 'network')
_FIREWALL = (*_NETWORK, 'firewall')

# Of a password: no class of characters may be missing.  pam_passwdqc counts
# no capital at the start and no digit at the end, and takes 40 at most.
_CLASSES = ('abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
            '0123456789', '@%+=:,.-_')
_LENGTH = 32


@dataclass(frozen=True)
class Done:
    """What became of a step, or of one command that takes it back.

    :param name: of the step
    :param result: OK, SAME, FAILED, TIMEOUT, SKIPPED; UNDONE, UNDO_FAILED
    """

    name: str
    result: str
    seconds: float


@dataclass(frozen=True)
class Effects:
    """What reaches out of the process.

    :param clock: gives seconds
    :param sleep: waits for some
    :param send: sends a report, given what was done so far, for no longer
        than some seconds; None if it arrived, else why not
    :param extended: what is done within it may take so many seconds more
        than first boot itself
    :param random: gives so many random bytes
    """

    run: running.Run
    write_file: Callable[[steps.File], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    send: Callable[[steps.Report, Sequence[Done], float], Optional[str]]
    extended: Callable[[float], ContextManager[None]]
    random: Callable[[int], bytes]


def execute(plan: steps.Plan, effects: Effects,
            records: records_module.Records, deadline: float,
            again: bool = False) -> Tuple[Done, ...]:
    """Carry out the plan, in order.

    A step that fails is alone in that, unless it belongs to a group: then
    what follows of the group is left out, and its commands that take back
    are run, last step first.  So they are when the deadline is over in the
    midst of a group.  When management was taken back, all other steps of the
    network are left out, too: they were planned for another one.

    What is to be done once, and is in the journal, is not done again; how it
    ended then is how it ends now.

    :param deadline: as the clock has it; only what takes back goes on after
        it, for UNDO_TIME; what is done once, and a report, have their own
        time, for which it waits, and a report is sent after it, too
    :param again: another call follows if something could not be taken back,
        so what is done once waits for that one
    :returns: one for each step in the plan's order, and after a step whose
        failure ended its group those of the commands that take back
    """
    work = _Work(effects, records, deadline, again)
    for step in plan.steps:
        work.do(step)
    return tuple(work.done)


def status_of(plan: steps.Plan, done: Sequence[Done],
              fallback: bool) -> str:
    """OK, PARTIAL or FAILED, in one word.

    FAILED: management is not as described: because of ``fallback``, or as a
    step of it is not done; these are the group of that name, all steps of
    its interface and the default routes.  PARTIAL: another step is not done,
    where done means OK or SAME, and not taken back.  Optional steps do not
    count.

    :param done: what :func:`execute` gave for the plan
    :param fallback: there is a description of management that cannot be met
    """
    good = {one.name for one in done if one.result in (OK, SAME)}
    good -= {one.name for one in done if one.result not in (OK, SAME)}
    missing = [step for step in plan.steps
               if step.name not in good and not step.optional]
    if fallback or any(map(_is_management, missing)):
        return FAILED
    return PARTIAL if missing else OK


def unguessable(random: bytes) -> str:
    """A password that ESXi takes: one character for each byte.

    It starts with a letter, and holds nothing that a shell would quote.
    """
    classes = (_CLASSES[index % len(_CLASSES)]
               for index in range(len(random)))
    return ''.join(one[byte % len(one)]
                   for one, byte in zip(classes, random))


def _is_management(step: steps.Step) -> bool:
    return step.group == wiring.MANAGEMENT or step.name.startswith(
        (f'{host.MANAGEMENT_VMK}.', 'route.default'))


class _Work:
    """A plan while it is carried out."""

    def __init__(self, effects: Effects, records: records_module.Records,
                 deadline: float, again: bool) -> None:
        self._effects = effects
        self._records = records
        self._deadline = deadline
        self._again = again
        self._clock = effects.clock
        self._finished = records.finished()
        self._ended = records.ended()
        self._begun: List[steps.Step] = []
        self._stopped: Set[str] = set()
        self.done: List[Done] = []

    def do(self, step: steps.Step) -> None:
        """Do a step; if it ends its group, take that back."""
        start = self._clock()
        result, last = SKIPPED, None
        if step.once and step.id in self._ended:
            result, last = _before(self._ended[step.id])
        elif not self._is_left_out(step):
            result, last = self._attempt(step)
        self._note(step, result, start, last)
        if result not in (OK, SAME) and step.on_fail == steps.STOP \
                and not step.optional:
            self._stop(step.group)

    def _is_left_out(self, step: steps.Step) -> bool:
        if self._is_over(step) or step.group in self._stopped:
            return True
        if _has_own_time(step) and self._again and any(
                one.result == UNDO_FAILED for one in self.done):
            return True
        return wiring.MANAGEMENT in self._stopped \
            and step.argv[:len(_NETWORK)] == _NETWORK \
            and step.argv[:len(_FIREWALL)] != _FIREWALL

    def _is_over(self, step: steps.Step) -> bool:
        # That the time was too short is worth a report, too.
        return self._clock() >= self._deadline and step.report is None

    def _attempt(self, step: steps.Step
                 ) -> Tuple[str, Optional[running.Result]]:
        if step.blind and step.id in self._finished or self._is_done(step):
            return SAME, None
        if self._is_over(step):
            return SKIPPED, None
        self._begun.append(step)
        if step.file:
            return self._write(step.file)
        last = self._command(step)
        if last.status == 0 or self._is_done(step):
            return OK, last
        return (TIMEOUT if last.status is None else FAILED), last

    def _command(self, step: steps.Step) -> running.Result:
        if _has_own_time(step):
            return self._apart(step)
        retries = 0 if step.optional else step.retries
        if steps.RANDOM not in step.argv:
            return self._tries(step.argv, step.timeout, retries,
                               self._deadline)
        password = unguessable(self._effects.random(_LENGTH))
        last = self._tries(
            tuple(password if word == steps.RANDOM else word
                  for word in step.argv),
            step.timeout, retries, self._deadline)
        return replace(last, output='',
                       error=last.error.replace(password, '***'))

    def _apart(self, step: steps.Step) -> running.Result:
        """Do what is the user's own, for which the deadline waits."""
        start = self._clock()
        with self._effects.extended(step.timeout):
            if step.report:
                why = self._effects.send(step.report, tuple(self.done),
                                         step.timeout)
                last = running.Result(1 if why else 0, '', why or '', 0)
            else:
                # What a script writes may quote it, and is not told.
                last = replace(self._effects.run(step.argv, step.timeout),
                               output='', error='')
        self._deadline += self._clock() - start
        return last

    def _write(self, file: steps.File
               ) -> Tuple[str, Optional[running.Result]]:
        try:
            self._effects.write_file(file)
        except (OSError, ValueError) as error:
            # The text of a ValueError may quote the content.
            reason = getattr(error, 'strerror', None) or type(error).__name__
            return FAILED, running.Result(
                None, '', f'{file.path}: cannot be written: {reason}', 0)
        return OK, None

    def _is_done(self, step: steps.Step) -> bool:
        """Whether the probe says so; one that fails says nothing."""
        if not step.probe:
            return False
        answer = self._tries(step.probe.argv, step.timeout, 0, self._deadline)
        return answer.status == 0 and any(
            not collections.Counter(step.probe.expect)
            - collections.Counter(re.split(r'[\s,]+', line))
            for line in answer.output.splitlines())

    def _tries(self, argv: steps.Argv, timeout: float, retries: int,
               until: float) -> running.Result:
        """Run a command, again if it fails, as long as there is time."""
        last = self._once(argv, timeout, until)
        for number in range(retries):
            pause = _PAUSE << number
            if not last.status or until - self._clock() <= pause:
                break
            self._effects.sleep(pause)
            last = self._once(argv, timeout, until)
        return last

    def _once(self, argv: steps.Argv, timeout: float, until: float
              ) -> running.Result:
        left = until - self._clock()
        if left <= 0:
            return running.Result(None, '', 'no time was left', 0)
        return self._effects.run(argv, min(timeout, left))

    def _stop(self, group: Optional[str]) -> None:
        """Take back what was begun of a group, last step first."""
        if group is None or group in self._stopped:
            return
        self._stopped.add(group)
        until = self._clock() + UNDO_TIME
        for step in reversed(self._begun):
            for argv in step.undo if step.group == group else ():
                start = self._clock()
                last = self._tries(argv, UNDO_TIMEOUT, steps.RETRIES, until)
                self._note(step, UNDO_FAILED if last.status != 0 else UNDONE,
                           start, last)

    def _note(self, step: steps.Step, result: str, start: float,
              last: Optional[running.Result]) -> None:
        seconds = self._clock() - start
        self._records.step(step, result, last.status if last else None,
                           seconds, last.error if last else '')
        self.done.append(Done(step.name, result, seconds))


def _has_own_time(step: steps.Step) -> bool:
    """Whether it is a command to run once, or a report."""
    return step.once and bool(step.argv) or step.report is not None


def _before(result: str) -> Tuple[str, Optional[running.Result]]:
    """What ended before, and is not done again."""
    if result == OK:
        return SAME, None
    return result, running.Result(
        None, '', 'ended so before, and is not run again', 0)
