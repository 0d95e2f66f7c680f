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

"""What a field report is made of, as it was found on a host."""

import json
from typing import Any
from typing import Dict
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple

# Of a number: more takes int() quadratic time in Python 3.8.
_DIGITS = 32


class Told(NamedTuple):
    """A command, and what it said.

    :ivar status: its exit status; None: it was ended, or never began
    """

    argv: Tuple[str, ...]
    status: Optional[int]
    seconds: float
    output: str
    error: str

    @property
    def value(self) -> Any:
        """What it said as JSON; None where it failed, or said no JSON."""
        return parsed(self.output) if self.status == 0 else None


class File(NamedTuple):
    """A file, or the part of it that counts.

    :ivar path: as the host has it
    :ivar size: bytes of the whole
    :ivar note: why that is not all of it; '': it is
    """

    path: str
    size: int
    text: str
    note: str = ''


class Entry(NamedTuple):
    """What is in a folder.

    :ivar name: with the folders between
    :ivar kind: file, folder, other; of a link where it leads to
    """

    name: str
    size: Optional[int]
    kind: str


class Gathered(NamedTuple):
    """All that was found.

    :ivar about: when, where, and by which Python
    :ivar secrets: texts that are searched for secrets, and never shown
    :ivar notes: what is missing, and why
    """

    about: Dict[str, Any]
    files: List[File]
    folders: Dict[str, List[Entry]]
    told: List[Told]
    secrets: List[str]
    notes: List[str]


def parsed(text: str) -> Any:
    """The value of a JSON text; None: it is none."""
    try:
        return json.loads(text, parse_int=_number)
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> Any:
    return int(digits) if len(digits) <= _DIGITS else digits
