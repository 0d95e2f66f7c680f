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

"""Images put together record by record: what no program would write."""

import collections.abc
import struct

BLOCK = 2048
ROOT = 20
"""The block of the root directory in :func:`image`."""


def both(value: int, size: int = 4) -> bytes:
    """A number in both byte orders (ECMA-119, 7.2.3 and 7.3.3)."""
    return value.to_bytes(size, 'little') + value.to_bytes(size, 'big')


def record(name: bytes, block: int = 100, length: int = 5, flags: int = 0,
           susp: bytes = b'', xattr: int = 0, unit: int = 0) -> bytes:
    """A directory record (ECMA-119, 9.1)."""
    data = (bytes((xattr,)) + both(block) + both(length)
            + bytes((100, 1, 1, 0, 0, 0, 0, flags, unit, 0)) + both(1, 2)
            + bytes((len(name),)) + name + bytes(1 - len(name) % 2) + susp)
    data += bytes(1 - len(data) % 2)
    return bytes((len(data) + 1,)) + data


def directory(*entries: bytes, block: int = ROOT, length: int = BLOCK,
              susp: bytes = b'', size: int = BLOCK) -> bytes:
    """A directory's sectors: its own two records, then those given."""
    sectors = [record(b'\0', block, length, 2, susp)
               + record(b'\1', block, length, 2)]
    for entry in entries:
        if len(sectors[-1]) + len(entry) > size:
            sectors.append(b'')
        sectors[-1] += entry
    return b''.join(sector.ljust(size, b'\0') for sector in sectors)


def descriptor(kind: int = 1, *, label: bytes = b'CRAFTED', blocks: int = 200,
               block_size: int = BLOCK, root: int = ROOT, length: int = BLOCK,
               created: bytes = b'2024010203040500\0',
               modified: bytes = b'0' * 16 + b'\0', escape: bytes = b'',
               ) -> bytes:
    """A primary (1) or supplementary (2) descriptor (ECMA-119, 8.4)."""
    nowhere = b'0' * 16 + b'\0'
    return (struct.pack('<B5sBB32s32s8x', kind, b'CD001', 1, 0, b'',
                        label.ljust(32))
            + both(blocks) + escape.ljust(32, b'\0') + both(1, 2) + both(1, 2)
            + both(block_size, 2) + both(10)
            + struct.pack('<LLLL', 18, 0, 0, 0)
            + record(b'\0', root, length, 2)
            + b' ' * (3 * 37 + 4 * 128) + created + modified
            + nowhere + nowhere + b'\1').ljust(BLOCK, b'\0')


TERMINATOR = b'\xffCD001\1'.ljust(BLOCK, b'\0')


def image(at: collections.abc.Mapping[int, bytes], *others: bytes,
          primary: bytes | None = None, blocks: int = 200) -> bytes:
    """An image with bytes at block numbers, and all descriptors."""
    data = bytearray(blocks * BLOCK)
    sectors = b''.join((primary or descriptor(blocks=blocks), *others,
                        TERMINATOR))
    for block, content in {16: sectors, **at}.items():
        data[block * BLOCK:block * BLOCK + len(content)] = content
    return bytes(data)


# System use entries (SUSP 5, RRIP 4).

def susp(tag: bytes, content: bytes) -> bytes:
    return tag + bytes((4 + len(content), 1)) + content


def nm(name: bytes) -> bytes:
    return susp(b'NM', b'\0' + name)


def px(mode: int) -> bytes:
    return susp(b'PX', both(mode) + both(1) + both(0) + both(0))


def ce(block: int, offset: int, length: int) -> bytes:
    return susp(b'CE', both(block) + both(offset) + both(length))


ER = susp(b'ER', bytes((10, 0, 0, 1)) + b'RRIP_1991A')
ROCK_RIDGE = susp(b'SP', b'\xbe\xef\0') + px(0o40755) + ER
"""What the root's record for itself holds in a Rock Ridge volume."""
