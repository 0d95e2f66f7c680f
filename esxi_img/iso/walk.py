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

"""From the root of an ISO down: every directory once, every file's place."""

import collections
import collections.abc
import dataclasses

from esxi_img.disk import fat32
from esxi_img import errors
from esxi_img.iso import records
from esxi_img import printable
from esxi_img import tree

MAX_DEPTH = 32
"""Directories in one another: an installer has three."""
MAX_ENTRIES = 200_000
MAX_PROBLEMS = 20
"""More are counted, not told."""


class TooMuch(errors.InputError):
    """There is more to read than in any sound image: stop."""


class Cut(errors.InputError):
    """The image ends before what was to be read."""


class Problems:
    """What is wrong, in order; only the first ones are kept."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._count = 0

    def add(self, problem: str) -> None:
        self._count += 1
        if self._count <= MAX_PROBLEMS:
            self._first.append(problem)

    def __bool__(self) -> bool:
        return self._count > 0

    def told(self) -> list[str]:
        more = self._count - len(self._first)
        return self._first + [f'and {more} more'] * (more > 0)


@dataclasses.dataclass(frozen=True)
class _Place:
    """A directory: its path, and where its records are."""

    path: tree.Path
    where: records.Directory


class Walk:
    """Meets every directory once, in breadth, along the links of Rock Ridge.

    A directory too deep for ISO 9660 is recorded elsewhere, marked as
    relocated, and its own place holds a link to it.

    :param read: gets directories; raises Cut behind the end, TooMuch
    :param size: of the image in bytes: files may not reach over it, nor
        over the volume's
    :ivar problems: what is wrong
    :ivar complete: has every directory been read?
    """

    def __init__(self, parser: records.Parser, read: records.Read,
                 size: int) -> None:
        self.problems = Problems()
        self.complete = True
        self.directories: list[tree.Path] = []
        self.files: list[tree.File] = []
        self._parser = parser
        self._read = read
        self._truncated = parser.volume.size > size
        self._size = max(parser.volume.size, size)
        self._queue = collections.deque([_Place((), parser.volume.root)])
        self._relocated: list[_Place] = []
        self._shells: set[tree.Path] = set()
        self._blocks: set[int] = set()
        self._entries = 0

    def run(self) -> None:
        """Fill ``directories``, ``files`` and ``problems``."""
        while self._queue:
            place = self._queue.popleft()
            try:
                self._visit(place)
            except TooMuch as error:
                self.problems.add(str(error))
                self.complete = False
                return
            except (errors.InputError, records.Damaged) as error:
                # Of a truncated image, that it is says enough.
                if not (self._truncated and isinstance(error, Cut)):
                    self.problems.add(f'{_shown(place.path)}: {error}')
                self.complete = False
            if not self._queue:
                self._place_unlinked()
        # Shells were made only to hold what is elsewhere.
        self.directories = [path for path in self.directories
                            if path not in self._shells]

    def _place_unlinked(self) -> None:
        """Relocated directories that no link leads to stay where they are."""
        for place in self._relocated:
            if place.where.block not in self._blocks:
                self._shells.discard(place.path[:-1])
                self.directories.append(place.path)
                self._queue.append(place)
        self._relocated.clear()

    def _visit(self, place: _Place) -> None:
        if place.where.block in self._blocks:
            raise errors.InputError(
                f'directory loop: block {place.where.block} is that of '
                'another directory, too')
        self._blocks.add(place.where.block)
        names: dict[str, str] = {}
        before = len(self._relocated)
        for group in _grouped(self._read_entries(place.where)):
            entry = group[0]
            path = (*place.path, entry.name)
            fault = _unsafe(entry.name) or entry.fault
            if fault:
                self.problems.add(f'{_shown(path)}: is {fault}')
            elif entry.directory and entry.relocated:
                self._relocated.append(_Place(path, _where(entry)))
            else:
                self._check_clash(path, names)
                self._add(path, group)
        if len(self._relocated) > before and not names:
            self._shells.add(place.path)

    def _read_entries(self, where: records.Directory,
                      ) -> collections.abc.Iterator[records.Entry]:
        block_size = self._parser.volume.block_size
        start = where.block * block_size
        end = start + where.length
        for offset in range(start, end, records.SECTOR):
            sector = self._read(offset, min(records.SECTOR, end - offset))
            for record in records.raw(sector, block_size):
                self._entries += 1
                if self._entries > MAX_ENTRIES:
                    raise TooMuch(f'holds more than {MAX_ENTRIES} files and '
                                  'directories')
                yield self._parser.entry(record)

    def _check_clash(self, path: tree.Path, names: dict[str, str]) -> None:
        folded, = tree.fold(path[-1:])
        if folded in names:
            self.problems.add(
                f'{_shown(path)}: is the same name as '
                f'{_shown((names[folded],))} where case does not count')
        names[folded] = path[-1]

    def _add(self, path: tree.Path, group: list[records.Entry]) -> None:
        if not group[0].directory:
            self._add_file(path, group)
        elif len(path) > MAX_DEPTH:
            self.problems.add(f'{_shown(path)}: is more than {MAX_DEPTH} '
                              'directories deep')
        else:
            where = _where(group[0])
            if group[0].link is not None:
                where = self._linked(group[0].link)
            self.directories.append(path)
            self._queue.append(_Place(path, where))

    def _linked(self, block: int) -> records.Directory:
        sector = self._read(
            block * self._parser.volume.block_size, records.SECTOR)
        return records.Directory(block, records.own_length(sector))

    def _add_file(self, path: tree.Path, group: list[records.Entry]) -> None:
        file = tree.File(
            path, sum(entry.length for entry in group),
            tuple(tree.Extent(entry.block * self._parser.volume.block_size,
                              entry.length)
                  for entry in group if entry.length))
        if group[-1].unfinished:
            self.problems.add(f'{_shown(path)}: its last extent is missing')
        if file.size > fat32.MAX_FILE:
            self.problems.add(
                f'{_shown(path)}: has {file.size} bytes, FAT32 holds at most '
                f'{fat32.MAX_FILE}')
        end = max((extent.offset + extent.length for extent in file.extents),
                  default=0)
        if end > self._size:
            self.problems.add(
                f'{_shown(path)}: ends at byte {end}, behind the end of the '
                f'image ({self._size} bytes)')
        self.files.append(file)


def _where(entry: records.Entry) -> records.Directory:
    return records.Directory(entry.block, entry.length)


def _grouped(entries: collections.abc.Iterable[records.Entry],
             ) -> collections.abc.Iterator[list[records.Entry]]:
    """The records of each file together, those of its extents in order."""
    group: list[records.Entry] = []
    for entry in entries:
        if group and not (group[-1].unfinished and
                          group[-1].identifier == entry.identifier):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _unsafe(name: str) -> str | None:
    """Why a name cannot be part of a path, or None."""
    if name in ('', '.', '..'):
        return 'a name that means something else'
    if '/' in name:
        return 'a name with a slash'
    if '\\' in name:
        return 'a name with a backslash, or not in UTF-8'
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name):
        return 'a name with a control character'
    return None


def _shown(path: tree.Path) -> str:
    """The path for a message: on one line, whatever the names hold."""
    return printable.line(tree.show(path)) or '/'
