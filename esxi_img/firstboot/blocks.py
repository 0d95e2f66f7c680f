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

"""The bytes of an image file, a disk or a partition of one."""

import os
from typing import Optional

from .volume import Damaged

CHUNK = 64 << 10
ALIGNMENT = 4096
"""Raw devices want offsets and lengths that are multiples of it."""


class Blocks:
    """Reads any bytes, but of the file itself only whole chunks.

    :param size: of a partition in bytes; None: up to the end of the file
    :param start: of a partition: its first byte
    """

    def __init__(self, fd: int, size: Optional[int] = None, start: int = 0
                 ) -> None:
        self._fd = fd
        self._size = size
        self._start = start
        self._at = -1
        self._last = b''

    def read(self, offset: int, length: int) -> bytes:
        """Exactly that many bytes.

        :raises Damaged: there are fewer, or the device fails
        """
        if self._size is not None and offset + length > self._size:
            raise Damaged(f'ends at byte {self._size}, but there should be '
                          f'{length} bytes at {offset}')
        pieces = []
        at, left = self._start + offset, length
        while left:
            skip = at % CHUNK
            piece = self._cached(at - skip)[skip:skip + left]
            if not piece:
                raise Damaged(f'ends at byte {at - self._start}, but there '
                              f'should be {length} bytes at {offset}')
            pieces.append(piece)
            at += len(piece)
            left -= len(piece)
        return b''.join(pieces)

    def _cached(self, at: int) -> bytes:
        if at != self._at:
            self._last = self._chunk(at)
            self._at = at
        return self._last

    def _chunk(self, at: int) -> bytes:
        """The chunk at that byte of the file; a short one at its end."""
        data = b''
        while len(data) < CHUNK and not len(data) % ALIGNMENT:
            try:
                more = os.pread(self._fd, CHUNK - len(data), at + len(data))
            except OSError as error:
                raise Damaged(f'cannot be read at byte {at + len(data)}: '
                              f'{error.strerror}') from error
            if not more:
                break
            data += more
        return data


class Memory(Blocks):
    """Bytes that are in memory already."""

    def __init__(self, data: bytes) -> None:
        super().__init__(-1, len(data))
        self._data = data

    def _chunk(self, at: int) -> bytes:
        return self._data[at:at + CHUNK]
