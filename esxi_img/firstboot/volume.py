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

"""What all readers of a config drive's file system have in common."""

import re
from typing import Any
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Sequence

MAX_METADATA = 2 << 20
"""Bytes of directories that are read of a volume: a drive has some 30 KB."""

_SHOWN = 60
_VERSION = re.compile(r';[0-9]+\Z')
_NO_D_CHARACTER = re.compile(r'[^A-Z0-9_.~]')
_NUMBERED = re.compile(r'(.+?)~?[0-9]{1,3}\Z')
"""A name that was cut to 8 characters and numbered: VENDO000, META_D~1."""


class Damaged(Exception):
    """Bytes that make no sense: what and where, but no content of files."""


class Entry(NamedTuple):
    """One name in a folder.

    :param size: of a file, in bytes
    :param key: where the volume finds it, nobody else's business
    """

    name: str
    is_folder: bool
    size: int
    key: Any


class Volume:
    """A file system, read only: what is asked for and nothing else.

    :ivar kind: ``iso9660``, ``fat`` or ``folder``
    :ivar label: None: it has none
    """

    kind = ''
    label: Optional[str] = None

    def __init__(self) -> None:
        self._left = MAX_METADATA

    def entries(self, folder: Optional[Entry] = None) -> List[Entry]:
        """What a folder, by default the root, holds, but "." and "..".

        :raises Damaged: it cannot be read
        """
        raise NotImplementedError

    def read(self, entry: Entry, limit: int) -> bytes:
        """The content of a file.

        :raises Damaged: it cannot be read, or is larger than ``limit`` bytes
        """
        raise NotImplementedError

    def _charge(self, size: int) -> None:
        """Count bytes of directories: hostile ones shall not take long."""
        self._left -= size
        if self._left < 0:
            raise Damaged(f'its directories take more than {MAX_METADATA} '
                          'bytes')


def check_size(size: int, limit: int) -> None:
    """:raises Damaged: a file of that size is larger than allowed"""
    if size > limit:
        raise Damaged(f'has {size} bytes, more than the {limit} allowed')


def shown(name: str) -> str:
    """A foreign name as a message has it."""
    text = ascii(name)
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'


def find(entries: Sequence[Entry], wanted: str, is_folder: bool
         ) -> Optional[Entry]:
    """The only entry that bears the name; see :func:`candidates`."""
    found = candidates(entries, wanted, is_folder)
    return found[0] if len(found) == 1 else None


def candidates(entries: Sequence[Entry], wanted: str, is_folder: bool
               ) -> List[Entry]:
    """All that bear the name, read as strictly as any of them allows.

    To the letter; else whatever its case, with or without version number and
    trailing dot; else as ISO 9660 or FAT spell it in 8.3 characters.  One
    entry can be a candidate for several names: VENDOR_D.JSO is.
    """
    some = [entry for entry in entries if entry.is_folder == is_folder]
    exact = [entry for entry in some if entry.name == wanted]
    if exact:
        return exact
    text = _folded(wanted)
    same = [entry for entry in some if _folded(entry.name) == text]
    return same or [entry for entry in some
                    if _abbreviates(_folded(entry.name), text)]


def without_version(name: str) -> str:
    """A plain ISO 9660 name without what a file's name carries there."""
    return _VERSION.sub('', name).rstrip('.') or name


def _folded(name: str) -> str:
    return without_version(name).upper()


def _abbreviates(short: str, whole: str) -> bool:
    """Whether the one can be what ISO 9660 or FAT made of the other.

    mkisofs numbers names that would be the same (2012_000, VENDO000.JSO),
    so does xorriso (2012_080, VENDOR_0.JSO); FAT numbers all it cuts.
    """
    stem, _, extension = _NO_D_CHARACTER.sub('_', short).partition('.')
    whole_stem, _, whole_extension = _NO_D_CHARACTER.sub(
        '_', whole).partition('.')
    if extension not in (whole_extension, whole_extension[:3]):
        return False
    if stem in (whole_stem, whole_stem[:8]):
        return True
    # In a date, nobody can tell a number from a day.
    numbered = _NUMBERED.match(stem) if stem[:1].isalpha() else None
    return (numbered is not None and len(stem) == 8
            and whole_stem.startswith(numbered.group(1)))
