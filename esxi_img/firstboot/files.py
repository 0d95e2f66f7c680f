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

"""Writes a file whole, or not at all; or puts something behind it."""

import os
import stat

from . import steps

_ZEROS = bytes(1 << 16)


def write(file: steps.File) -> None:
    """Write a file of a plan; one that is there is written in place.

    ESXi saves a file of /etc when it sees it change and it carries the
    sticky bit; nobody says what it makes of a rename.

    What is to be appended is, unless the file ends with it already; if it
    cannot be, the file is as it was.  So is its mode if none is said: ESXi
    runs local.sh only while it is executable.

    :raises OSError: it cannot be written
    :raises ValueError: no file can have such a name or content
    """
    # What was read with this error handler gets its bytes back.
    data = file.content.encode('utf-8', 'surrogateescape')
    if not os.path.isfile(file.path) or \
            os.path.islink(file.path) and not file.append:
        replace(file.path, data,
                steps.MODE if file.mode is None else file.mode)
        return
    how = os.O_RDWR | os.O_APPEND if file.append else \
        os.O_WRONLY | os.O_TRUNC
    fd = os.open(file.path, how | os.O_CLOEXEC)
    try:
        if file.mode is not None:
            _chmod(fd, file.mode | _sticky(file.path))
        if file.append:
            _append(fd, data)
        else:
            _write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _append(fd: int, data: bytes) -> None:
    size = os.fstat(fd).st_size
    if size >= len(data):
        os.lseek(fd, size - len(data), os.SEEK_SET)
        if _read(fd, len(data)) == data:
            return
    try:
        _write(fd, data)
    except OSError:
        os.ftruncate(fd, size)
        raise


def replace(path: str, data: bytes, mode: int) -> None:
    """Write beside the file, then rename; missing folders are made.

    What was written in vain is overwritten: it may be secret, and the disk
    outlives it.

    :raises OSError: it cannot be written; what was there is as it was
    """
    _make(os.path.dirname(path))
    beside = path + '.new'
    _discard(beside)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
                 mode)
    try:
        try:
            _chmod(fd, mode | _sticky(path))
            _write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(beside, path)
    except BaseException:
        _discard(beside)
        raise


def overwrite(path: str) -> None:
    """Put zeros in the place of a file's content.

    :raises OSError: something may still be there; or it is a link
    """
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW
                 | os.O_CLOEXEC)
    try:
        left = os.fstat(fd).st_size
        while left > 0:
            left -= os.write(fd, _ZEROS[:left])
        os.fsync(fd)
    finally:
        os.close(fd)


def _make(folder: str) -> None:
    """Make a folder, and those above it, as one that all may enter."""
    if folder and not os.path.isdir(folder):
        _make(os.path.dirname(folder))
        os.mkdir(folder, 0o755)


def _sticky(path: str) -> int:
    try:
        return os.lstat(path).st_mode & stat.S_ISVTX
    except OSError:
        return 0


def _chmod(fd: int, mode: int) -> None:
    """Set the mode whatever the umask is, where there are modes."""
    try:
        os.fchmod(fd, mode)
    except OSError:
        # FAT, as a bootbank is, has none.
        pass


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest):]


def _read(fd: int, size: int) -> bytes:
    with open(fd, 'rb', closefd=False) as file:
        return file.read(size)


def _discard(path: str) -> None:
    try:
        overwrite(path)
    except OSError:
        # It is not there, a link, or on a disk that takes nothing.
        pass
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
