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

"""The text of a cloud-config: JSON, or YAML where that can be read.

Whatever is in it, it costs a bounded time and memory, and what comes out are
values that JSON has: a tree without shared branches, of limited depth.
"""

from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import jsonfile
from .model import Problem

LIMIT = jsonfile.LIMIT
"""Bytes of a text."""
DEPTH = jsonfile.DEPTH
NODES = 50_000
"""Values in a text: PyYAML's loader takes about 50 microseconds for each."""
WEIGHT = 2 * LIMIT
"""Characters when all aliases are followed; a value counts as 16."""

_TAG = 'tag:yaml.org,2002:'
_MERGE = _TAG + 'merge'
_NO_YAML = ('is YAML, and this Python cannot import PyYAML: write it as '
            'JSON, which always works')


def decode(data: bytes, where: str) -> Tuple[Any, List[Problem]]:
    """What a text says: None, with a problem, if it cannot be read.

    Dates, and numbers with which nobody can count, are strings as written,
    as is every key; !!binary is a string as UTF-8 with surrogateescape; an
    empty text is None without a problem.  A problem never says what is
    there, only the place.

    :param data: UTF-8, with or without a byte order mark
    """
    if len(data) > LIMIT:
        return _unusable(where, f'more than {LIMIT >> 20} MiB')
    body = _without_comments(data)
    if not body.strip():
        return None, []
    wrong: Tuple[Problem, ...] = ()
    if body.lstrip()[:1] in (b'{', b'['):
        value, wrong = jsonfile.decode(body, where)
        if not wrong:
            return _copied(value, where)
    value, message = _yaml(data)
    if message == _NO_YAML and wrong:
        return None, list(wrong)
    return _unusable(where, message) if message else _copied(value, where)


class _Unusable(Exception):
    """Says why, and nothing of the content."""


def _unusable(where: str, message: str) -> Tuple[None, List[Problem]]:
    return None, [Problem(where, message)]


def _copied(value: Any, where: str) -> Tuple[Any, List[Problem]]:
    try:
        return _Copy().of(value), []
    except _Unusable as error:
        message = str(error)
    return _unusable(where, message)


def _without_comments(data: bytes) -> bytes:
    """The text with its first lines empty as long as they are comments."""
    if data.startswith(b'\xef\xbb\xbf'):
        data = data[3:]
    start = 0
    while data[start:start + 1] in (b'#', b'\r', b'\n'):
        end = data.find(b'\n', start)
        if end < 0:
            return b''
        start = end + 1
    return b'\n' * data.count(b'\n', 0, start) + data[start:]


def _yaml(data: bytes) -> Tuple[Any, Optional[str]]:
    """The value, and what is wrong; nothing is wrong if that is None."""
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        return None, 'no valid utf-8'
    try:
        reader = _reader(text)
        return (reader.document(), None) if reader else (None, _NO_YAML)
    except _Unusable as error:
        return None, str(error)
    except Exception as error:
        # PyYAML lets ValueError, KeyError and others out, too, and quotes
        # the text in the message of each.
        mark = getattr(error, 'problem_mark', None)
    place = f'line {mark.line + 1} column {mark.column + 1}' if mark else (
        'a character or a value that YAML does not allow')
    return None, f'neither YAML nor JSON: {place}'


class _Copy:
    """Copies a value, unless it is too large when all is written out."""

    def __init__(self) -> None:
        self._room = WEIGHT

    def of(self, value: Any, depth: int = 0) -> Any:
        """:raises _Unusable: it is too large, or too deep"""
        self._room -= 16
        if depth > DEPTH:
            raise _Unusable(f'nested more than {DEPTH} levels deep')
        if isinstance(value, str):
            self._room -= len(value)
            value = _encodable(value)
        if self._room < 0:
            raise _Unusable('too large, with every alias written out')
        if isinstance(value, dict):
            return {self.of(key, depth + 1): self.of(one, depth + 1)
                    for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one, depth + 1) for one in value]
        return value


def _encodable(text: str) -> str:
    """The text with half surrogate pairs replaced, which no file can hold.

    Not those by which surrogateescape means a byte.
    """
    try:
        text.encode('utf-8', 'surrogateescape')
        return text
    except UnicodeEncodeError:
        pass
    return text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')


class _Reader:
    """Makes values of a loader's events, as PyYAML's SafeLoader would.

    SafeLoader's own way follows merge keys and nesting without any limit.
    """

    def __init__(self, loader: Any, events: Any) -> None:
        self._loader = loader
        self._events = events
        self._anchors: Dict[str, Any] = {}
        self._room = NODES

    def document(self) -> Any:
        """The value of the only document, None if there is none.

        :raises _Unusable: it is too large, too deep, or not the only one
        :raises Exception: PyYAML's own, and others
        """
        loader, events = self._loader, self._events
        loader.get_event()
        if loader.check_event(events.StreamEndEvent):
            return None
        loader.get_event()
        value = self._value(0)
        loader.get_event()
        if not loader.check_event(events.StreamEndEvent):
            raise _Unusable('several YAML documents where one should be')
        return value

    def _value(self, depth: int) -> Any:
        event = self._next(depth)
        if isinstance(event, self._events.AliasEvent):
            return self._aliased(event)
        if isinstance(event, self._events.ScalarEvent):
            value = self._scalar()[1]
        elif isinstance(event, self._events.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _next(self, depth: int) -> Any:
        """The event of the next value, which is still to be taken."""
        self._spend(1)
        if depth > DEPTH:
            raise _Unusable(f'nested more than {DEPTH} levels deep')
        return self._loader.peek_event()

    def _spend(self, nodes: int) -> None:
        self._room -= nodes
        if self._room < 0:
            raise _Unusable(f'more than {NODES} values')

    def _aliased(self, event: Any) -> Any:
        self._loader.get_event()
        if event.anchor not in self._anchors:
            raise self._misplaced(event, 'an alias of nothing before it')
        return self._anchors[event.anchor]

    def _misplaced(self, event: Any, what: str) -> _Unusable:
        mark = event.start_mark
        return _Unusable(f'line {mark.line + 1} column {mark.column + 1}: '
                         f'{what}')

    def _scalar(self) -> Tuple[str, Any]:
        """The tag and the value."""
        event = self._loader.peek_event()
        node = self._loader.compose_scalar_node(None)
        kind, text = node.tag.replace(_TAG, '', 1), node.value
        if kind in ('int', 'float') and not _is_countable(text):
            return node.tag, text
        if kind in ('null', 'bool', 'int', 'float', 'binary'):
            value = self._loader.construct_object(node)
            return node.tag, value.decode('utf-8', 'surrogateescape') \
                if isinstance(value, bytes) else value
        if kind in ('str', 'timestamp', 'merge', 'value'):
            return node.tag, text
        raise self._misplaced(event, 'a tag that is not known')

    def _sequence(self, depth: int) -> Any:
        start = self._loader.get_event()
        values = []
        while not self._loader.check_event(self._events.SequenceEndEvent):
            values.append(self._value(depth + 1))
        self._loader.get_event()
        self._expect(start, ('seq', 'omap', 'pairs'))
        return values

    def _mapping(self, depth: int) -> Any:
        start = self._loader.get_event()
        merged: List[Dict[str, Any]] = []
        own = {}
        while not self._loader.check_event(self._events.MappingEndEvent):
            event = self._loader.peek_event()
            key = self._key(depth)
            value = self._value(depth + 1)
            if key is None:
                merged.extend(self._to_merge(event, value))
            else:
                own[key] = value
        self._loader.get_event()
        self._expect(start, ('map', 'set'))
        values: Dict[str, Any] = {}
        for one in merged:
            self._spend(len(one))
            values.update(one)
        values.update(own)
        return list(values) if start.tag == _TAG + 'set' else values

    def _expect(self, start: Any, kinds: Tuple[str, ...]) -> None:
        if start.tag not in (None, '!', *(_TAG + kind for kind in kinds)):
            raise self._misplaced(start, 'a tag that is not known')

    def _key(self, depth: int) -> Optional[str]:
        """A key as it is written; None: that of a merge."""
        event = self._next(depth)
        if isinstance(event, self._events.AliasEvent):
            key = self._aliased(event)
        elif isinstance(event, self._events.ScalarEvent):
            key = event.value
            tag = self._scalar()[0]
            if event.anchor is not None:
                self._anchors[event.anchor] = key
            if tag == _MERGE:
                return None
        else:
            key = None
        if not isinstance(key, str):
            raise self._misplaced(event, 'a key that is no string')
        return key

    def _to_merge(self, event: Any, value: Any) -> List[Dict[str, Any]]:
        """What a merge key brings: of several, the last counts least."""
        values = value if isinstance(value, list) else [value]
        self._spend(len(values))
        if not all(isinstance(one, dict) for one in values):
            raise self._misplaced(event, 'a merge of what is no mapping')
        return values[::-1]


def _is_countable(text: str) -> bool:
    """Whether a number is short, and neither infinite nor NaN."""
    return len(text) <= jsonfile.DIGITS and not (
        text.lower().endswith(('inf', 'nan')))


def _reader(text: str) -> Optional[_Reader]:
    """For a text; None without PyYAML.

    :raises ReaderError: PyYAML's: there are control characters in the text
    """
    try:
        from .yaml import events
        from .yaml import loader
    except ImportError:
        try:
            from yaml import events
            from yaml import loader
        except ImportError:
            return None
    return _Reader(loader.SafeLoader(text), events)
