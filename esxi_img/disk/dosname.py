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

"""File names on FAT: what is allowed, 8.3 forms, long entries."""

import dataclasses

from esxi_img.disk import fat32

MAX_LONG = 255
"""UTF-16 units a long name may have."""

FORBIDDEN = frozenset('"*/:<>?\\|')
SHORT_EXTRA = frozenset("$%'-_@~`!(){}^#&")


@dataclasses.dataclass(frozen=True)
class ShortName:
    """An 8.3 name: its 11 bytes, its case marks, and whether it says all."""

    raw: bytes
    ntres: int
    complete: bool


def problem(name: str) -> str | None:
    """Why ``name`` cannot stand in a FAT directory, or None."""
    if name in ('', '.', '..'):
        return 'is not a file name'
    if any(char in FORBIDDEN or ord(char) < 0x20 or char == '\x7f'
           for char in name):
        return 'holds a character that FAT does not allow'
    if any(0xD800 <= ord(char) < 0xE000 for char in name):
        return 'is not valid Unicode'
    if name[-1] in ' .':
        return 'ends with a dot or a blank, which FAT drops'
    if len(name.encode('utf-16-le')) // 2 > MAX_LONG:
        return f'is longer than {MAX_LONG} characters'
    return None


class ShortNames:
    """The 8.3 names of one directory, no two alike."""

    def __init__(self) -> None:
        self._taken: set[bytes] = set()
        self._next: dict[tuple[str, str], int] = {}

    def add(self, name: str) -> ShortName:
        """The 8.3 form of ``name``.

        Names that are 8.3 but for their case, base and extension each all
        in one case, need no long entry.
        """
        base, dot, extension = name.lstrip('.').rpartition('.')
        if not dot:
            base, extension = extension, ''
        # Leading dots are dropped: what is left is not the whole name.
        raw = None if name.startswith('.') else _padded(base, extension)
        if raw is None or raw in self._taken:
            short = ShortName(self._numbered(base, extension), 0, False)
        else:
            marks = (_case(base, fat32.NTRES_LOWER_BASE),
                     _case(extension, fat32.NTRES_LOWER_EXT))
            short = (ShortName(raw, 0, False) if None in marks
                     else ShortName(raw, sum(marks), True))
        self._taken.add(short.raw)
        return short

    def _numbered(self, base: str, extension: str) -> bytes:
        """BASE~N.EXT as the specification describes it, the lowest free N."""
        stem, suffix = _legal(base), _legal(extension)[:3].ljust(3)
        # Counted per what "~1" leaves of the stem: no two names with the
        # same start are ever compared one by one.
        key = stem[:6], suffix
        number = self._next.get(key, 1)
        while True:
            tail = f'~{number}'
            raw = ((stem[:8 - len(tail)] + tail).ljust(8) + suffix).encode()
            number += 1
            if raw not in self._taken:
                self._next[key] = number
                return raw


def long_entries(name: str, short: bytes) -> list[bytes]:
    """The packed long entries of ``name`` in the order they lie on disk."""
    per = fat32.CHARS_PER_LONG_ENTRY * 2
    units = name.encode('utf-16-le')
    if len(units) % per:
        units = (units + b'\0\0')
        units += b'\xff' * (-len(units) % per)
    parts = [units[at:at + per] for at in range(0, len(units), per)]
    total = fat32.checksum(short)
    entries = [
        fat32.LongEntry(
            LDIR_Ord=number, LDIR_Chksum=total, LDIR_Name1=part[:10],
            LDIR_Name2=part[10:22], LDIR_Name3=part[22:])
        for number, part in enumerate(parts, 1)]
    entries[-1] = entries[-1].but(
        LDIR_Ord=len(parts) | fat32.LAST_LONG_ENTRY)
    return [entry.pack() for entry in reversed(entries)]


def _allowed(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or char in SHORT_EXTRA


def _padded(base: str, extension: str) -> bytes | None:
    """The 11 bytes, if both parts are legal as they are."""
    if not 1 <= len(base) <= 8 or len(extension) > 3:
        return None
    if not all(_allowed(char) for char in base + extension):
        return None
    return (base.ljust(8) + extension.ljust(3)).upper().encode()


def _case(part: str, lower_mark: int) -> int | None:
    """The mark for a part in one case; None if the cases are mixed."""
    if part == part.upper():
        return 0
    return lower_mark if part == part.lower() else None


def _legal(part: str) -> str:
    """The part as a short name may hold it: upper case, no blank or dot."""
    return ''.join(char.upper() if _allowed(char) else '_'
                   for char in part if char not in ' .')
