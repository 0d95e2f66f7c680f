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

"""Values of a cloud-config, each with its path.

As in cloud-init null counts as absent, a string as the boolean that it
spells (cloudinit/util.py, is_true) and a number as the string that it reads
as.  No message quotes a value, for any may be a secret.
"""

import re
from typing import Any
from typing import FrozenSet
from typing import Iterable
from typing import Iterator
from typing import List
from typing import Mapping
from typing import Optional
from typing import Tuple

from . import jsonfile
from .model import Problem

USER = 'user_data'
VENDOR = 'vendor_data'
"""All vendor data, for which file a key comes from is lost by merging."""

ITEMS_MAX = 1000
"""Items of a list that are looked at: no host needs as many."""
KEYS_SHOWN = 20

_TRUE = frozenset({'true', '1', 'on', 'yes'})
_FALSE = frozenset({'false', '0', 'off', 'no'})
_DIGITS = re.compile('[+-]?[0-9]{1,9}')
_NAME = re.compile('[A-Za-z0-9_.-]{1,40}')
_UNFIT = re.compile('[\0\ud800-\udfff]')
_HUGE = 1 << 64


def truth(value: Any) -> Optional[bool]:
    """The boolean that a value is or spells; None: it is none."""
    text = str(value).strip().lower() \
        if isinstance(value, (bool, str)) or value in (0, 1) else ''
    return True if text in _TRUE else False if text in _FALSE else None


def number(value: Any) -> Optional[int]:
    """The integer that a value is or spells; None: it is none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    return value if is_integer(value) else None


def is_integer(value: Any) -> bool:
    """Whether it is one, and not too large for anybody to mean it."""
    return (isinstance(value, int) and not isinstance(value, bool)
            and abs(value) < _HUGE)


def names(keys: Iterable[str]) -> str:
    """Some keys for a message; what looks like no key is only counted.

    Wrongly indented YAML makes keys of anything.
    """
    every = sorted(keys)
    clear = [key for key in every if _NAME.fullmatch(key)][:KEYS_SHOWN]
    rest = len(every) - len(clear)
    more = [f'{rest} more' if clear else f'{rest} keys'] if rest else []
    return ', '.join([*map(ascii, clear), *more])


class Entry:
    """An object.

    :param where: its path, as in ``user_data:ntp``
    :param problems: takes what is wrong
    """

    def __init__(self, value: Mapping[str, Any], where: str,
                 problems: List[Problem]) -> None:
        self._value = value
        self.where = where
        self.problems = problems

    def path(self, key: str) -> str:
        """Of a value of the object."""
        return f'{self.where}.{key}'

    def odd(self, key: str, message: str) -> None:
        """Add a problem with a value."""
        self.problems.append(Problem(self.path(key), message))

    def value(self, key: str) -> Any:
        """As it stands; None: absent."""
        return self._value.get(key)

    def text(self, key: str) -> Optional[str]:
        """A string that a command can be given."""
        return self._text(key, self.value(key))

    def boolean(self, key: str) -> Optional[bool]:
        """A boolean, or a word for one."""
        value = self.value(key)
        if value is None:
            return None
        found = truth(value)
        if found is None:
            self.odd(key, 'neither true nor false: not used')
        return found

    def integer(self, key: str, least: int, most: int, usual: int) -> int:
        """A number within bounds; else the bound, or what is usual."""
        value = self.value(key)
        found = number(value)
        if found is None:
            if value is not None:
                self.odd(key, f'no number: {usual} is taken')
            return usual
        if not least <= found <= most:
            self.odd(key, f'not between {least} and {most}: the nearer is '
                          'taken')
        return min(max(found, least), most)

    def entry(self, key: str) -> Optional['Entry']:
        """An object."""
        return self._entry(key, self.value(key))

    def items(self, key: str) -> Iterator[Tuple[str, Any]]:
        """Key and value of each item of a list that is not null.

        A string counts as a list of one.
        """
        value = self.value(key)
        if isinstance(value, str):
            yield key, value
        elif self._is(list, 'a list', key, value):
            if len(value) > ITEMS_MAX:
                self.odd(key, f'{len(value)} items, of which the first '
                              f'{ITEMS_MAX} are taken')
            for index, item in enumerate(value[:ITEMS_MAX]):
                if item is not None:
                    yield f'{key}[{index}]', item

    def texts(self, key: str) -> Iterator[Tuple[str, str]]:
        """Key and string of each item of a list."""
        for at, item in self.items(key):
            text = self._text(at, item)
            if text is not None:
                yield at, text

    def entries(self, key: str) -> Iterator['Entry']:
        """The objects of a list."""
        for at, item in self.items(key):
            found = self._entry(at, item)
            if found:
                yield found

    def others(self, known: FrozenSet[str]) -> List[str]:
        """The keys that say something and are not known here."""
        return [key for key, value in self._value.items()
                if key not in known and value is not None]

    def refuse_others(self, known: FrozenSet[str]) -> None:
        """Add one problem with all keys that are not known here."""
        others = self.others(known)
        if others:
            self.problems.append(Problem(
                self.where, f'means nothing on ESXi: {names(others)}'))

    def _text(self, key: str, value: Any) -> Optional[str]:
        if is_integer(value):
            return str(value)
        if not self._is(str, 'a string', key, value):
            return None
        if _UNFIT.search(value):
            self.odd(key, 'holds a NUL or a lone surrogate: not used')
            return None
        return value

    def _entry(self, key: str, value: Any) -> Optional['Entry']:
        if not self._is(dict, 'an object', key, value):
            return None
        return Entry(value, self.path(key), self.problems)

    def _is(self, kind: type, should: str, key: str, value: Any) -> bool:
        if value is not None and not isinstance(value, kind):
            self.odd(key, f'{jsonfile.kind(value)} where {should} should be')
        return isinstance(value, kind)


class Config(Entry):
    """A cloud-config made of that of the user's and that of the vendor's.

    :param user: its keys tell whose a key is
    """

    def __init__(self, value: Mapping[str, Any], user: Mapping[str, Any],
                 problems: List[Problem]) -> None:
        super().__init__(value, '', problems)
        self._user = user

    def path(self, key: str) -> str:
        """With the file that says it, as in ``vendor_data:ntp``."""
        top = re.split(r'[.\[]', key)[0]
        source = USER if top in self._user else VENDOR
        return f'{source}:{key}'
