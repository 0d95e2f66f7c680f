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

import gzip
import hashlib
import io
import struct
import zlib

from esxi_img import gzipped
from tests import base


class TestGzipped(base.TestCase):

    def test_round_trip(self) -> None:
        for length in (0, 1, 65534, 65535, 65536, 2 * 65535, 200000):
            with self.subTest(length):
                data = hashlib.shake_128(b'x').digest(length)
                packed = gzipped.stored(data)
                self.assertEqual(data, gzip.decompress(packed))
                self.assertEqual(gzipped.size(length), len(packed))

    def test_one_member_and_nothing_after_it(self) -> None:
        for data in (b'', b'x' * 70000):
            packed = gzipped.stored(data)
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self.assertEqual(data, member.decompress(packed))
            self.assertTrue(member.eof)
            self.assertEqual(b'', member.unused_data)
            # The boot loader looks at the end of the file only.
            self.assertEqual(struct.pack('<LL', zlib.crc32(data), len(data)),
                             packed[-8:])

    def test_packed(self) -> None:
        for data in (b'x', b'ab' * 70000):
            packed = gzipped.packed(data)
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self.assertEqual(data, member.decompress(packed))
            self.assertTrue(member.eof)
            self.assertEqual(b'', member.unused_data)
            self.assertEqual(struct.pack('<LL', zlib.crc32(data), len(data)),
                             packed[-8:])
            self.assertEqual(gzipped.stored(data)[:10], packed[:10])

    def test_says_neither_name_nor_time_nor_system(self) -> None:
        self.assertEqual(b'\x1f\x8b\x08\0\0\0\0\0\0\xff',
                         gzipped.stored(b'x')[:10])

    def test_bytes_are_fixed(self) -> None:
        self.assertEqual(
            '1f8b08000000000000ff' '000100feff78' '010000ffff'
            '83' '16dc8c' '01000000', gzipped.stored(b'x').hex())

    def test_pieces(self) -> None:
        blocks = [b'a' * 65535, b'b' * 10, b'c' * 65535]
        with gzip.open(io.BytesIO(b''.join(gzipped.pieces(blocks)))) as file:
            self.assertEqual(b''.join(blocks), file.read())
