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

"""gzip files that are the same everywhere.

What zlib makes of the same bytes differs between its versions and builds.
"""

import collections.abc
import struct
import zlib

from esxi_img import huffman

BLOCK = 65535
"""Bytes in a stored block at most (RFC 1951, 3.2.4)."""

_HEADER = b'\x1f\x8b\x08' + bytes(6) + b'\xff'
"""No name, no time, system unknown (RFC 1952, 2.3.1)."""


def packed(data: bytes) -> bytes:
    """One gzip member holding ``data``, less than 4 GiB, in less room."""
    return b''.join((_HEADER, huffman.deflated(data), struct.pack(
        '<LL', zlib.crc32(data), len(data))))


def stored(data: bytes) -> bytes:
    """One gzip member holding ``data``, which is less than 4 GiB."""
    view = memoryview(data)
    return b''.join(pieces(view[at:at + BLOCK]
                           for at in range(0, len(data), BLOCK)))


def pieces(blocks: collections.abc.Iterable[bytes | memoryview],
           ) -> collections.abc.Iterator[bytes]:
    """The gzip member holding the blocks, piece by piece.

    :param blocks: of BLOCK bytes at most each
    """
    yield _HEADER
    crc, size = 0, 0
    for block in blocks:
        yield struct.pack('<BHH', 0, len(block), len(block) ^ 0xffff)
        yield bytes(block)
        crc, size = zlib.crc32(block, crc), size + len(block)
    # The last block is an empty one: only its header is needed.
    yield struct.pack('<BHHLL', 1, 0, 0xffff, crc, size)


def size(length: int) -> int:
    """How many bytes of gzip ``length`` bytes become."""
    return len(_HEADER) + 5 * -(-length // BLOCK) + length + 5 + 8
