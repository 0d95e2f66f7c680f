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

"""Whatever goes in comes out of zlib again."""

import hashlib
import pathlib
import zlib

import hypothesis
from hypothesis import strategies

from esxi_img import huffman
from tests import base


def unpacked(data: bytes) -> bytes:
    """By zlib; nothing may be missing, or left."""
    inflate = zlib.decompressobj(-15)
    found = inflate.decompress(data)
    assert inflate.eof and not inflate.unused_data
    return found


class TestDeflated(base.TestCase):

    def check(self, data: bytes) -> bytes:
        packed = huffman.deflated(data)
        self.assertEqual(data, unpacked(packed))
        return packed

    @hypothesis.given(strategies.binary(min_size=1, max_size=3000))
    def test_any(self, data: bytes) -> None:
        self.check(data)

    def test_few_and_many_symbols(self) -> None:
        self.check(b'x')
        self.check(b'x' * 100000)
        self.check(bytes(range(256)))
        self.check(hashlib.shake_128(b'x').digest(70000))

    def test_no_code_is_too_long(self) -> None:
        """Weights like Fibonacci's numbers make the longest codes."""
        data, one, other = bytearray(), 1, 1
        for byte in range(27):
            data += bytes([byte]) * one
            one, other = other, one + other
        self.check(bytes(data))

    def test_a_text_gets_smaller(self) -> None:
        text = b''.join(path.read_bytes() for path in sorted(
            pathlib.Path(huffman.__file__).parent.glob('*.py')))
        self.assertLess(len(self.check(text)), len(text) * 0.63)

    def test_bytes_are_fixed(self) -> None:
        packed = self.check(b'A bundle is the same wherever it is built.\n')
        self.assertEqual(
            '7ed307ec7115a838957827236a6949df41c4045259b409f363d677361462f62e',
            hashlib.sha256(packed).hexdigest())
