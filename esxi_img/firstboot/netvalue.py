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

"""Objects of decoded JSON, such as network_data.json, each with its path.

No producer keeps to Nova's schema, so that nothing is required of a value but
what its use requires; whatever is of no use becomes a problem.
"""

import re
from typing import Any
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import jsonfile
from .model import Problem

QUOTED = 60
"""Characters of a foreign value that a message shows."""

_DIGITS = re.compile('[0-9]{1,9}')
_HUGE = 1 << 64


def quote(value: Any) -> str:
    """A foreign value for a message: one line of QUOTED characters at most."""
    if isinstance(value, str):
        text = ascii(value[:QUOTED + 1])
    elif isinstance(value, int) and abs(value) >= _HUGE:
        # Python 3.11 on refuses to print some of them.
        text = 'a huge number'
    elif isinstance(value, (int, float)):
        text = ascii(value)
    else:
        text = jsonfile.kind(value)
    return text if len(text) <= QUOTED else text[:QUOTED - 3] + '...'


def plain(text: str) -> str:
    """The same in printable ASCII; what differs still does afterwards."""
    return text.encode('unicode_escape').decode('ascii')


def integer(value: Any) -> int:
    """From 7, 7.0 or '7'.

    :raises ValueError: says what is wrong with the value
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError('is no number')


def identifier(value: Any) -> str:
    """From a string or an integer.

    :raises ValueError: says what is wrong with the value
    """
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, bool) or not isinstance(value, int) \
            or abs(value) >= _HUGE:
        raise ValueError('is no id')
    return str(value)


def _absent(value: Any) -> bool:
    return value is None or isinstance(value, str) and not value.strip()


class Entry:
    """An object; null and blank strings count as absent everywhere.

    :param where: its path; '' for the whole file
    :param problems: takes what is wrong
    """

    __slots__ = ('_value', 'where', '_problems')

    def __init__(self, value: Any, where: str,
                 problems: List[Problem]) -> None:
        self._value = value
        self.where = where
        self._problems = problems

    def path(self, key: str) -> str:
        """Of a value of the object."""
        return f'{self.where}.{key}' if self.where else key

    def note(self, key: str, message: str) -> None:
        """Add a problem."""
        self._problems.append(Problem(self.path(key), message))

    def refuse(self, key: str, value: Any, why: object) -> None:
        """Add the problem that a value is of no use, and why."""
        self.note(key, f'{quote(value)} {why}')

    def value(self, key: str) -> Any:
        """As it stands in the file; None: absent."""
        value = self._value.get(key)
        return None if _absent(value) else value

    def text(self, key: str) -> Optional[str]:
        """A string, without the blanks around it."""
        value = self.value(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(key, value, 'is no string')
            return None
        return value.strip()

    def integer(self, key: str) -> Optional[int]:
        """A number, see integer()."""
        value = self.value(key)
        try:
            return None if value is None else integer(value)
        except ValueError as error:
            self.refuse(key, value, error)
            return None

    def identifier(self, key: str) -> Optional[str]:
        """An id, see identifier()."""
        value = self.value(key)
        try:
            return None if value is None else identifier(value)
        except ValueError as error:
            self.refuse(key, value, error)
            return None

    def items(self, key: str) -> Iterator[Tuple[str, Any]]:
        """The key, with the index, and the value of each item of a list.

        A string is taken for a list of its words, as in ``a, b`` or ``a b``.
        """
        value = self.value(key)
        if isinstance(value, str):
            for word in value.replace(',', ' ').split():
                yield key, word
        elif isinstance(value, list):
            for number, item in enumerate(value):
                if not _absent(item):
                    yield f'{key}[{number}]', item
        elif value is not None:
            self.refuse(key, value, 'is no list')

    def identifiers(self, key: str) -> Tuple[str, ...]:
        """A list of ids, without duplicates."""
        found = {}
        for at, item in self.items(key):
            try:
                found[identifier(item)] = None
            except ValueError as error:
                self.refuse(at, item, error)
        return tuple(found)

    def words(self, key: str) -> Iterator[Tuple[str, str]]:
        """The words of a list of strings, or of a string, with their keys."""
        for at, item in self.items(key):
            if isinstance(item, str):
                for word in item.replace(',', ' ').split():
                    yield at, word
            else:
                self.refuse(at, item, 'is no string')

    def entries(self, key: str) -> List['Entry']:
        """A list of objects."""
        value = self.value(key)
        if value is not None and not isinstance(value, list):
            self.refuse(key, value, 'is no list')
            return []
        found = []
        for number, item in enumerate(value or ()):
            at = f'{key}[{number}]'
            if isinstance(item, dict):
                found.append(Entry(item, self.path(at), self._problems))
            elif item is not None:
                self.refuse(at, item, 'is no object')
        return found
