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

"""Steps that stand or fall together, as they are collected."""

from dataclasses import replace
from typing import List
from typing import Optional

from . import steps
from .steps import Argv


class Chain:
    """Collects steps that stand or fall together.

    :param group: None for steps of which each stands alone
    :param undoable: the group is taken back when a step of it fails
    """

    def __init__(self, group: Optional[str] = None,
                 undoable: bool = False) -> None:
        self.steps: List[steps.Step] = []
        self.group = group
        self._undoable = undoable

    def add(self, name: str, argv: Argv, why: str, *undo: Argv,
            probe: Optional[steps.Probe] = None) -> None:
        """One more step.

        :param undo: in the order in which they have to run
        """
        self.steps.append(steps.Step(
            name, argv, why, steps.STOP if self.group else steps.CONTINUE,
            probe=probe, group=self.group,
            undo=undo if self._undoable and self.group else ()))

    def undo_last(self, *undo: Argv) -> None:
        """Commands to run when all that was added so far is taken back."""
        if self.steps and undo and self._undoable and self.group:
            first = self.steps[0]
            self.steps[0] = replace(first, undo=(*first.undo, *undo))

    def add_apart(self, name: str, argv: Argv, why: str,
                  optional: bool = False) -> None:
        """A step at this place that nothing of the group depends on."""
        self.steps.append(steps.Step(name, argv, why, optional=optional))
