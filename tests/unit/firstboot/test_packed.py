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

import base64
import gzip
import sys
import tracemalloc
import unittest.mock

from esxi_img.firstboot import packed
from esxi_img.firstboot import volume
from tests import base

DRIVE = bytes(70000) + b'a config drive'


class TestPacked(base.TestCase):

    def assert_refused(self, data: bytes, problem: str) -> None:
        with self.assertRaisesRegex(volume.Damaged, problem) as caught:
            packed.unpack(data)
        self.assertNotIn('secret', repr(caught.exception))

    def test_unpack(self) -> None:
        zipped = gzip.compress(DRIVE)
        for data in (zipped, base64.b64encode(zipped),
                     base64.encodebytes(zipped), base64.b64encode(DRIVE),
                     base64.encodebytes(DRIVE).replace(b'\n', b'\r\n'),
                     zipped + bytes(100), gzip.compress(DRIVE, 0)):
            with self.subTest(start=data[:8]):
                self.assertTrue(packed.is_packed(data[:4096]))
                self.assertEqual(DRIVE, packed.unpack(data))

    def test_is_packed(self) -> None:
        for head in (bytes(4096), b'\xeb\x3c\x90MSDOS', b'\x1fa', b'a-b',
                     b'{"a": 1}'):
            with self.subTest(head=head):
                self.assertFalse(packed.is_packed(head))

    def test_as_large_as_allowed(self) -> None:
        with unittest.mock.patch.object(packed, 'MAX_DRIVE', len(DRIVE)):
            for data in (gzip.compress(DRIVE), base64.b64encode(DRIVE)):
                self.assertEqual(DRIVE, packed.unpack(data))
        with unittest.mock.patch.object(packed, 'MAX_DRIVE', len(DRIVE) - 1):
            for data in (gzip.compress(DRIVE), base64.b64encode(DRIVE)):
                self.assert_refused(data, 'more than 70013 bytes')

    def test_bomb(self) -> None:
        bomb = gzip.compress(bytes(20 << 20), 1)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        with unittest.mock.patch.object(packed, 'MAX_DRIVE', 1 << 20):
            self.assert_refused(bomb, 'more than 1048576 bytes')
        self.assertLess(tracemalloc.get_traced_memory()[1], 4 << 20)

    def test_damaged(self) -> None:
        zipped = gzip.compress(DRIVE)
        for data, problem in (
                (zipped[:-1], 'gzip: ends after .* too early'),
                (zipped[:30], 'gzip: ends after 30 bytes'),
                (zipped[:-5] + b'\0' + zipped[-4:], 'gzip: .*check'),
                (b'\x1f\x8bsecret', 'gzip: '),
                (zipped + zipped, 'several members'),
                (b'abcde', 'neither a volume nor base64'),
                (b'secret=secret', 'neither a volume nor base64')):
            with self.subTest(problem):
                self.assert_refused(data, problem)

    def test_python_without_zlib(self) -> None:
        with unittest.mock.patch.dict(sys.modules, {'zlib': None}):
            self.assert_refused(gzip.compress(DRIVE), 'no zlib')
            self.assertEqual(DRIVE, packed.unpack(base64.b64encode(DRIVE)))
