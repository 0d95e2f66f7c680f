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

import os
import unittest.mock

from esxi_img.firstboot import blocks
from esxi_img.firstboot import volume
from tests import base

DATA = os.urandom(3 * blocks.CHUNK + 5000)


class TestBlocks(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        path = self.tmp() / 'disk'
        path.write_bytes(DATA)
        self.fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.fd)

    def test_any_bytes(self) -> None:
        whole = blocks.Blocks(self.fd)
        for offset, length in (
                (0, 1), (0, 0), (1, 4096), (blocks.CHUNK - 1, 2),
                (5, 2 * blocks.CHUNK), (0, len(DATA)), (len(DATA) - 1, 1),
                (len(DATA), 0), (3 * blocks.CHUNK, 5000), (7, 9)):
            with self.subTest(offset=offset, length=length):
                self.assertEqual(DATA[offset:offset + length],
                                 whole.read(offset, length))

    def test_behind_the_end(self) -> None:
        for offset, length in ((0, len(DATA) + 1), (len(DATA), 1),
                               (1 << 60, 1), (len(DATA) - 1, 1 << 60)):
            with self.subTest(offset=offset, length=length), \
                    self.assertRaisesRegex(
                        volume.Damaged, f'{length} bytes at {offset}'):
                blocks.Blocks(self.fd).read(offset, length)

    def test_partition(self) -> None:
        part = blocks.Blocks(self.fd, 1000, 513)
        self.assertEqual(DATA[513:1513], part.read(0, 1000))
        self.assertEqual(DATA[1512:1513], part.read(999, 1))
        with self.assertRaisesRegex(volume.Damaged, 'ends at byte 1000'):
            part.read(999, 2)

    def test_partition_that_the_disk_does_not_have(self) -> None:
        part = blocks.Blocks(self.fd, 1000, len(DATA) - 999)
        with self.assertRaisesRegex(volume.Damaged, 'ends at byte 999'):
            part.read(0, 1000)

    def test_reads_are_aligned(self) -> None:
        with unittest.mock.patch('os.pread', wraps=os.pread,
                                 autospec=True) as pread:
            blocks.Blocks(self.fd, start=512).read(100, 2 * blocks.CHUNK)
        self.assertEqual(3, pread.call_count)
        for call in pread.call_args_list:
            _, length, offset = call.args
            self.assertEqual((0, 0), (length % blocks.ALIGNMENT,
                                      offset % blocks.ALIGNMENT))

    def test_a_device_may_give_less_at_a_time(self) -> None:
        real = os.pread

        def little(fd: int, length: int, offset: int) -> bytes:
            return real(fd, min(length, 8192), offset)

        with unittest.mock.patch('os.pread', little):
            self.assertEqual(DATA, blocks.Blocks(self.fd).read(0, len(DATA)))

    def test_what_was_read_last_is_kept(self) -> None:
        whole = blocks.Blocks(self.fd)
        with unittest.mock.patch('os.pread', wraps=os.pread,
                                 autospec=True) as pread:
            for offset in range(100):
                whole.read(offset, 4)
        self.assertEqual(1, pread.call_count)

    def test_failing_device(self) -> None:
        with unittest.mock.patch('os.pread', autospec=True,
                                 side_effect=OSError(5, 'it hurts')), \
                self.assertRaisesRegex(volume.Damaged, 'byte 65536: it hurts'):
            blocks.Blocks(self.fd).read(70000, 1)


class TestMemory(base.TestCase):

    def test_read(self) -> None:
        memory = blocks.Memory(DATA)
        self.assertEqual(DATA, memory.read(0, len(DATA)))
        self.assertEqual(DATA[70000:70009], memory.read(70000, 9))
        with self.assertRaisesRegex(volume.Damaged, 'ends at byte'):
            memory.read(len(DATA) - 1, 2)
