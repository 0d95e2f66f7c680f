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

"""What esxcli prints, as rows of values by heading.

Headings lose or keep their blanks from release to release, so they are told
apart without, and in lower case: ``macaddress``.
"""

import re
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterable
from typing import Iterator
from typing import List
from typing import Tuple
from typing import TypeVar

from . import jsonfile
from . import netvalue
from .netvalue import quote

T = TypeVar('T')

# Names become words of further commands, which take none of these.
_NO_TEXT = re.compile('[\x00-\x1f\x7f\ud800-\udfff]')
_FLAGS = {'true': True, 'yes': True, '1': True,
          'false': False, 'no': False, '0': False}


class BadAnswer(ValueError):
    """An answer that cannot be read; its text is one line."""


class Row(Dict[str, Any]):
    """One thing that an answer tells of, by heading.

    Values are strings where the answer was text.  All methods raise
    BadAnswer if there is no such heading, or another kind of value.
    """

    def heading(self, *parts: str) -> str:
        """That with all the parts, where no source gives it in full."""
        for key in self:
            if all(part in key for part in parts):
                return key
        raise BadAnswer(f'no heading with {" and ".join(parts)}')

    def value(self, key: str) -> Any:
        """As it was told."""
        if key not in self:
            raise BadAnswer(f'no heading {quote(key)}')
        return self[key]

    def text(self, key: str) -> str:
        """Some text, without the blanks around it."""
        value = self.value(key)
        if isinstance(value, str) and value.strip():
            return _printable(key, value).strip()
        raise BadAnswer(f'{quote(key)}: {quote(value)} is no text')

    def words(self, key: str) -> Tuple[str, ...]:
        """A list, which may be text with commas."""
        value = self.value(key)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        words = [word.strip() for item in items
                 for word in _printable(key, item).split(',')]
        return tuple(word for word in words if word)

    def number(self, key: str, least: int, most: int) -> int:
        """An integer within these."""
        value = meant(key, self.value(key), netvalue.integer)
        if least <= value <= most:
            return value
        raise BadAnswer(f'{quote(key)}: {quote(value)} is not from {least} '
                        f'to {most}')

    def flag(self, key: str) -> bool:
        """A boolean."""
        value = self.value(key)
        word = str(value).lower()
        if word in _FLAGS:
            return _FLAGS[word]
        raise BadAnswer(f'{quote(key)}: {quote(value)} is neither true nor '
                        'false')

    def read(self, key: str, reader: Callable[[str], T]) -> T:
        """What a reader makes of a text; its ValueError says why not."""
        return meant(key, self.text(key), reader)


def meant(key: str, value: Any, reader: Callable[[Any], T]) -> T:
    """As :meth:`Row.read`, of any value.

    :raises BadAnswer: the reader refuses it
    """
    try:
        return reader(value)
    except ValueError as error:
        why = str(error)
    raise BadAnswer(f'{quote(key)}: {quote(value)} {why}')


def from_json(text: str) -> List[Row]:
    """The rows of what ``esxcli --formatter=json`` prints.

    That is an array of objects, or the one object of a command that tells
    of one thing only.

    :raises BadAnswer: it is something else
    """
    value, problems = jsonfile.decode(text.encode('utf-8', 'replace'), '')
    if problems:
        raise BadAnswer(problems[0].message)
    items = value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, dict):
            raise BadAnswer(f'{quote(item)} is no object')
    return [_row(item.items()) for item in items]


def from_text(text: str) -> List[Row]:
    """The rows of what ``esxcli`` prints for people.

    A table has a line of dashes, whose edges are those of the columns, as
    cells may have blanks.  Records are indented lines of ``Heading: value``,
    each with its name as a title, or with a blank line before the next.
    Where there is nothing to tell, nothing is printed.

    :raises BadAnswer: it is something else
    """
    lines = [line.rstrip() for line in text.split('\n')]
    told = [line for line in lines if line]
    if len(told) > 1 and told[1][0] == '-' and set(told[1]) <= {'-', ' '}:
        return _table(told)
    return _records(lines)


def _row(pairs: Iterable[Tuple[str, Any]]) -> Row:
    row = Row()
    for heading, value in pairs:
        key = ''.join(heading.split()).lower()
        if key in row:
            raise BadAnswer(f'{quote(heading)} is there twice')
        row[key] = value
    return row


def _printable(key: str, value: Any) -> str:
    if not isinstance(value, str) or _NO_TEXT.search(value):
        raise BadAnswer(f'{quote(key)}: {quote(value)} is no text')
    return value


def _table(lines: List[str]) -> List[Row]:
    columns = [match.span() for match in re.finditer('-+', lines[1])]
    headings = list(_cells(lines[0], columns))
    return [_row(zip(headings, _cells(line, columns))) for line in lines[2:]]


def _cells(line: str, columns: List[Tuple[int, int]]) -> Iterator[str]:
    """The last one may be longer than its dashes."""
    for (start, end), (following, _) in zip(columns, columns[1:]):
        if line[end:following].strip():
            raise BadAnswer(f'{quote(line)} does not fit the columns')
        yield line[start:end].strip()
    yield line[columns[-1][0]:].strip()


def _records(lines: List[str]) -> List[Row]:
    records: List[List[Tuple[str, str]]] = []
    is_open = False
    for line in lines:
        indented = line[:1].isspace()
        if line and not (indented and is_open):
            records.append([])
        is_open = bool(line)
        if indented:
            heading, colon, value = line.partition(':')
            if not colon:
                raise BadAnswer(f'{quote(line)} has no colon')
            records[-1].append((heading, value.strip()))
    if not all(records):
        raise BadAnswer('neither a table nor records')
    return [_row(record) for record in records]
