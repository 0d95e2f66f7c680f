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

"""Reads what a field report is made of, and changes nothing.

Whatever lies there was put there by anybody: a FIFO, a device, a link to
/etc/shadow, a file without an end.
"""

import errno
import os
import stat
from typing import Callable
from typing import Iterator
from typing import List
from typing import Optional

from .reportmodel import Entry
from .reportmodel import File

# Bytes of one file, and of all that a report has of the host; entries of
# one folder, and folders within each other.
LIMIT = 1 << 20
ROOM = 8 << 20
_ENTRIES = 500
_DEPTH = 5


class Reader:
    """Reads below a root, until there is no more room.

    :param root: what all paths start with
    :param room: in bytes
    """

    def __init__(self, root: str = '/', room: int = ROOM) -> None:
        self._root = root
        self._room = room

    def path(self, name: str) -> str:
        """Where a path of the host's is here."""
        return os.path.join(self._root, name.lstrip('/'))

    def real(self, name: str) -> str:
        """A path of the host's without links in it."""
        found = os.path.realpath(self.path(name))
        root = os.path.realpath(self._root)
        inside = os.path.relpath(found, root)
        return name if inside.startswith('..') else os.path.join('/', inside)

    def names(self, folder: str) -> List[str]:
        """What is in a folder, in order; of one that is none, nothing."""
        try:
            return sorted(map(_text, os.listdir(
                os.fsencode(self.path(folder)))))[:_ENTRIES]
        except OSError:
            return []

    def is_folder(self, name: str) -> bool:
        """Whether it is a folder, and no link to one."""
        try:
            return stat.S_ISDIR(os.lstat(self.path(name)).st_mode)
        except OSError:
            return False

    def file(self, name: str, limit: int = LIMIT, tail: bool = False,
             log: bool = False,
             keep: Callable[[str], bool] = bool) -> Optional[File]:
        """A file; None: it is not there.

        :param tail: rather its end than its start
        :param log: it may be a link to a file of the same name elsewhere
        :param keep: which lines count
        """
        path = self.path(name)
        try:
            if log and os.path.basename(os.path.realpath(path)) \
                    == os.path.basename(path):
                path = os.path.realpath(path)
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                         | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = 'is a link' if error.errno == errno.ELOOP else \
                str(error.strerror)
            return File(name, 0, '', why)
        try:
            return self._read(name, fd, limit, tail, keep)
        except OSError as error:
            return File(name, 0, '', str(error.strerror))
        finally:
            os.close(fd)

    def _read(self, name: str, fd: int, limit: int, tail: bool,
              keep: Callable[[str], bool]) -> File:
        """:raises OSError: it cannot be read"""
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return File(name, 0, '', 'is no regular file')
        size, cut = facts.st_size, facts.st_size > limit
        if tail and cut:
            os.lseek(fd, size - limit, os.SEEK_SET)
        with open(fd, 'rb', closefd=False) as file:
            data = file.read(limit)
        if tail and cut:
            data = data.partition(b'\n')[2]
        lines = [line for line in _text(data).splitlines(True) if keep(line)]
        return self._fitted(File(name, size, ''.join(lines), (
            f'its {"last" if tail else "first"} {limit} bytes'
            if cut else '')), tail)

    def _fitted(self, file: File, tail: bool) -> File:
        """As much of it as there is room for."""
        left = self._room
        self._room = max(0, left - len(file.text))
        if len(file.text) <= left:
            return file
        text = file.text[len(file.text) - left:] if tail else \
            file.text[:left]
        return file._replace(text=text, note='the report is full')

    def room_for(self, text: str) -> str:
        """As much of another text as there is room for, which it takes."""
        return self._fitted(File('', 0, text), False).text

    def below(self, folder: str, depth: int = _DEPTH) -> List[Entry]:
        """Names and sizes of all in a folder, and in the folders in it.

        :param depth: 1: nothing of those
        """
        found: List[Entry] = []
        for entry in self._below(folder, '', depth):
            if len(found) == _ENTRIES:
                found.append(Entry('...', None, 'and more'))
                break
            found.append(entry)
        return found

    def _below(self, folder: str, before: str, depth: int
               ) -> Iterator[Entry]:
        for name in self.names(folder):
            whole = os.path.join(folder, name)
            entry = self._entry(whole, before + name)
            yield entry
            if entry.kind == 'folder' and depth > 1:
                yield from self._below(whole, f'{before}{name}/', depth - 1)

    def _entry(self, path: str, name: str) -> Entry:
        try:
            facts = os.lstat(self.path(path))
            if stat.S_ISLNK(facts.st_mode):
                return Entry(name, None, '-> ' + _text(os.readlink(
                    os.fsencode(self.path(path)))))
        except OSError as error:
            return Entry(name, None, str(error.strerror))
        if stat.S_ISDIR(facts.st_mode):
            return Entry(name, None, 'folder')
        return Entry(name, facts.st_size, 'file' if stat.S_ISREG(
            facts.st_mode) else 'other')


def _text(data: bytes) -> str:
    return data.decode('utf-8', 'backslashreplace')
