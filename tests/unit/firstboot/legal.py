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

"""What a host would say to the commands of a plan."""

import collections
from collections.abc import Iterable
from collections.abc import Iterator
import re

from esxi_img.firstboot import steps
from tests.esxi import grammar


def refusals(some: Iterable[steps.Step]) -> dict[str, str]:
    """By name of a step why a command of it cannot be run."""
    return {step.name: why for step in some for argv in _argvs(step)
            if (why := refusal(argv))}


def _argvs(step: steps.Step) -> Iterator[steps.Argv]:
    if step.argv:
        yield step.argv
    yield from step.undo
    if step.probe:
        yield step.probe.argv


def refusal(argv: steps.Argv) -> str:
    """Why a command cannot be run; '' if it can."""
    if '/' in argv[0] or any('\n' in word for word in argv):
        return 'no name that is looked up, or more than one line'
    if argv[0] != 'esxcli':
        return ''
    try:
        grammar.check(argv)
    except grammar.Refused as error:
        return str(error)
    return ''


def is_met(probe: steps.Probe | None, answer: str) -> bool:
    """Whether an answer says that a step is done, see steps.Probe."""
    assert probe is not None
    return any(not collections.Counter(probe.expect)
               - collections.Counter(re.split(r'[\s,]+', line))
               for line in answer.splitlines())
