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

"""Packs a field report into one file, as well as this Python can."""

import io
import json
import os
from typing import Mapping
from typing import Tuple

_MODE = 0o600


def packed(members: Mapping[str, bytes], time: int) -> Tuple[str, bytes]:
    """The file's ending, and its content.

    ESXi's Python may lack zlib, and more: it is a tar then, or JSON.

    :param time: of every member, seconds since 1970
    """
    try:
        import tarfile
    except ImportError:
        return '.json', json.dumps({
            name: data.decode('utf-8', 'backslashreplace')
            for name, data in members.items()}, indent=1).encode('ascii')
    try:
        return '.tgz', _tar(members, time, 'w:gz')
    except (ImportError, tarfile.CompressionError):
        return '.tar', _tar(members, time, 'w:')


def _tar(members: Mapping[str, bytes], time: int, mode: str) -> bytes:
    import tarfile
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), time, _MODE
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def write_to(fd: int, data: bytes) -> None:
    """:raises OSError: not all is written"""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest):]


def write(path: str, data: bytes) -> None:
    """Write a new file, which is there when it is whole.

    :raises OSError: it is not written; or there is one of this name
    """
    if os.path.lexists(path):
        raise FileExistsError(17, 'is there already', path)
    folder, name = os.path.split(path)
    hidden = os.path.join(folder, f'.{name}.{os.getpid()}')
    fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
                 _MODE)
    try:
        try:
            write_to(fd, data)
        finally:
            os.close(fd)
        os.rename(hidden, path)
    except BaseException:
        os.unlink(hidden)
        raise
