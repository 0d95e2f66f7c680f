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

"""Reads a config drive that something else has mounted or unpacked."""

import os
import stat
from typing import List
from typing import Optional

from .volume import check_size
from .volume import Damaged
from .volume import Entry
from .volume import Volume

CHARGE = 128
"""Bytes that an entry counts for."""


class Folder(Volume):
    """A folder as if it was a volume; links are followed."""

    kind = 'folder'

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def entries(self, folder: Optional[Entry] = None) -> List[Entry]:
        found = []
        try:
            with os.scandir(folder.key if folder else self._path) as entries:
                for entry in entries:
                    self._charge(CHARGE)
                    found.append(_entry(entry))
        except OSError as error:
            raise Damaged(f'cannot be listed: {error.strerror}') from error
        return found

    def read(self, entry: Entry, limit: int) -> bytes:
        try:
            return _content(entry.key, limit)
        except OSError as error:
            raise Damaged(f'cannot be read: {error.strerror}') from error


def _entry(entry: 'os.DirEntry[str]') -> Entry:
    try:
        facts = entry.stat()
    except OSError:
        # A link to nowhere: it is read, and said to be one, if it matters.
        return Entry(entry.name, False, 0, entry.path)
    return Entry(entry.name, stat.S_ISDIR(facts.st_mode), facts.st_size,
                 entry.path)


def _content(path: str, limit: int) -> bytes:
    # A FIFO waits to be opened, a device may do something then.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Damaged('is not a regular file')
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, 'rb') as file:
        check_size(os.fstat(fd).st_size, limit)
        data = file.read(limit + 1)
    check_size(len(data), limit)
    return data
