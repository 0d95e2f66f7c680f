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

"""Damaged drives: Damaged or Unreadable, and soon."""

import os
import random
import time
import unittest.mock

from esxi_img.firstboot import blocks
from esxi_img.firstboot import drive
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import images

SECONDS = 2
CASES = 400
NUMBERS = (0, 1, 2, 20, 21, 0x7F, 0xFF, 0xFF7, 0xFF8, 0x7FFF, 0xFFFF,
           0x7FFFFFFF, 0xFFFFFFFF)

IMAGES = {
    'plain': images.iso(images.DRIVE),
    'joliet': images.iso(images.DRIVE, 'joliet'),
    'rr': images.iso(images.DRIVE, 'rr'),
    'fat12': images.fat(images.DRIVE).image(),
    'fat16': images.fat(images.DRIVE, bits=16, clusters=4085).image(),
    'fat32': images.fat(images.DRIVE, bits=32).image()}


def damaged(data: bytes, used: list[int], chance: random.Random) -> bytes:
    """One to eight bytes, numbers or runs changed, sometimes cut off."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.choice(used)
        kind = chance.randrange(4)
        if kind == 0:
            result[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            result[at] = chance.randrange(256)
        elif kind == 2:
            size = chance.choice((2, 4))
            result[at:at + size] = (
                chance.choice(NUMBERS) % (1 << 8 * size)).to_bytes(
                    size, 'little')
        else:
            other, length = chance.choice(used), chance.choice((4, 32, 2048))
            result[at:at + length] = result[other:other + length]
    if chance.randrange(8) == 0:
        del result[chance.randrange(len(result)):]
    return bytes(result)


class TestFuzz(base.TestCase):

    def outcome(self, data: bytes) -> str:
        """Any other exception is the test's."""
        start = time.monotonic()
        try:
            found = drive.of_volume(drive.volume_of(blocks.Memory(data)))
        except (drive.Unreadable, volume.Damaged) as error:
            self.assertTrue(str(error).isprintable(), error)
            result = 'refused'
        else:
            self.assertTrue(all(problem.message.isprintable()
                                for problem in found.problems))
            self.assertLessEqual(set(found.files), set(drive.FILES))
            result = 'whole' if found.files == images.VERSION else 'in part'
        self.assertLess(time.monotonic() - start, SECONDS)
        return result

    def test_damaged(self) -> None:
        for name, image in IMAGES.items():
            chance = random.Random(name)
            used = [at for at, byte in enumerate(image) if byte]
            outcomes = {'whole': 0, 'refused': 0, 'in part': 0}
            self.assertEqual('whole', self.outcome(image))
            for _ in range(CASES):
                outcomes[self.outcome(damaged(image, used, chance))] += 1
            with self.subTest(name):
                self.assertNotIn(0, outcomes.values(), outcomes)

    def test_cut_off_anywhere(self) -> None:
        for name, image in IMAGES.items():
            for length in range(0, min(len(image), 40 * 2048), 997):
                with self.subTest(name, length=length):
                    self.outcome(image[:length])

    def test_anything_behind_a_magic_number(self) -> None:
        chance = random.Random(4)
        for _ in range(200):
            data = bytearray(chance.randbytes(48 * 2048))
            data[32768:32774] = b'\1CD001'
            data[128 + 32768:130 + 32768] = b'\0\x08'
            self.outcome(bytes(data))
            data[11:19] = IMAGES['fat12'][11:19]
            data[32769] = 0
            data[510:512] = b'\x55\xaa'
            self.outcome(bytes(data))

    def test_packed(self) -> None:
        chance = random.Random(5)
        path = str(self.tmp() / 'drive')
        for start in (b'\x1f\x8b\x08\0', b'H4sI'):
            for _ in range(100):
                with open(path, 'wb') as file:
                    file.write(start + chance.randbytes(300))
                with self.assertRaises(drive.Unreadable):
                    drive.read(path)


class TestHostile(base.TestCase):
    """What is made to take long, or much memory."""

    def assert_soon(self, image: bytes) -> drive.Drive | None:
        path = str(self.tmp() / 'drive')
        with open(path, 'wb') as file:
            file.write(image)
        found = None
        start = time.monotonic()
        with unittest.mock.patch('os.pread', wraps=os.pread,
                                 autospec=True) as pread:
            try:
                found = drive.read(path)
            except drive.Unreadable:
                pass
        self.assertLess(time.monotonic() - start, SECONDS)
        self.assertLess(pread.call_count, 40_000)
        return found

    def test_very_many_versions(self) -> None:
        for count, names in ((400, 20), (1500, 2), (200, 100)):
            dates = {f'{1000 + number}-01-01': {
                'x%d' % one: b'' for one in range(names)}
                for number in range(count)}
            with self.subTest(count=count):
                self.assert_soon(images.fat(
                    {'openstack': dates}, bits=32, clusters=30_000).image())

    def test_very_many_names(self) -> None:
        for name in ('meta_data%d.json', 'META%04d.JSO', 'x%d'):
            tree = {name % number: b'' for number in range(5000)}
            with self.subTest(name):
                self.assert_soon(images.fat(
                    {'openstack': {'latest': tree}}, bits=32,
                    clusters=20000).image())

    def test_huge_files_in_small_pieces(self) -> None:
        content = bytes(30 << 20)
        made = images.fat({'openstack': {'latest': {'user_data': content}}},
                          bits=32, clusters=62_000)
        first, = (cluster for cluster, what in made.content.items()
                  if what is content)
        last = first + len(content) // 512 - 1
        # Every other cluster up, then down again.
        order = [*range(first, last + 1, 2),
                 *range(last - (last - first + 1) % 2, first, -2)]
        made.chains.update(zip(order, order[1:]))
        made.chains[order[-1]] = made.end
        found = self.assert_soon(made.image())
        self.assertIsNotNone(found)
        self.assertEqual({'user_data': content}, found.files)
