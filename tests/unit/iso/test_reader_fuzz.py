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

"""Damaged images: a clear error or a sound tree, and soon."""

import os
import pathlib
import random
import time

from esxi_img import errors
from esxi_img.iso import reader
from esxi_img import tree
from tests import base
from tests.unit.iso import crafted

BLOCKS = 32
CASES = 600
SECONDS = 5
NUMBERS = (0, 1, 20, 21, 22, 23, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff)


def rock_ridge() -> bytes:
    """With a relocated directory and a continuation area."""
    def posix(name: bytes, mode: int, more: bytes = b'', **values: int
              ) -> bytes:
        return crafted.record(
            name.upper(), susp=crafted.px(mode) + crafted.nm(name) + more,
            **values)

    link = crafted.susp(b'CL', crafted.both(23))
    mark = crafted.susp(b'RE', b'')
    rest = crafted.nm(b'long name')
    return crafted.image({
        20: crafted.directory(
            posix(b'deep', 0o40755, block=21, length=2048, flags=2),
            posix(b'rr_moved', 0o40755, block=22, length=2048, flags=2),
            posix(b'a', 0o100644, crafted.ce(24, 0, len(rest)), block=25),
            susp=crafted.ROCK_RIDGE),
        21: crafted.directory(posix(b'moved', 0o40755, link, length=0),
                              block=21),
        22: crafted.directory(
            posix(b'moved', 0o40755, mark, block=23, length=2048, flags=2),
            block=22),
        23: crafted.directory(posix(b'file', 0o100644, block=26), block=23),
        24: rest}, blocks=BLOCKS)


def joliet() -> bytes:
    names = [f'name {number}.txt'.encode('utf-16-be') for number in range(9)]
    return crafted.image(
        {20: crafted.directory(),
         21: crafted.directory(
             *(crafted.record(name, 25) for name in names),
             crafted.record(b'\0S', 22, 2048, 2), block=21),
         22: crafted.directory(crafted.record(names[0], 26, 2048, 0x80),
                               crafted.record(names[0], 27, 2048), block=22)},
        crafted.descriptor(2, root=21, escape=b'%/E'), blocks=BLOCKS)


def plain() -> bytes:
    return crafted.image({
        20: crafted.directory(*(crafted.record(b'F%d.;1' % number, 25)
                                for number in range(9)),
                              crafted.record(b'SUB', 21, 2048, 2)),
        21: crafted.directory(crafted.record(b'X', 22), block=21),
    }, blocks=BLOCKS)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to eight bytes, numbers or runs changed, sometimes cut off."""
    result = bytearray(data)
    used = [at for at in range(16 * crafted.BLOCK, len(data)) if data[at]]
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.choice(used)
        kind = chance.randrange(4)
        if kind == 0:
            result[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            result[at] = chance.randrange(256)
        elif kind == 2:
            result[at:at + 8] = crafted.both(chance.choice(NUMBERS))
        else:
            other, length = chance.choice(used), chance.choice((4, 34, 2048))
            result[at:at + length] = result[other:other + length]
    if chance.randrange(8) == 0:
        del result[chance.randrange(len(result)):]
    return bytes(result)


class TestFuzz(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.tmp() / 'x.iso'

    def outcome(self, data: bytes) -> str:
        self.path.write_bytes(data)
        start = time.monotonic()
        try:
            found = reader.read(str(self.path))
        except errors.InputError as error:
            for problem in error.problems:
                self.assertTrue(problem.isprintable(), problem)
            result = 'refused'
        else:
            self.check(found, len(data))
            result = 'read'
        self.assertLess(time.monotonic() - start, SECONDS)
        return result

    def check(self, found: tree.Tree, size: int) -> None:
        paths = [file.path for file in found.files]
        folded = [tree.fold(path) for path in (*paths, *found.directories)]
        self.assertEqual(len(folded), len(set(folded)))
        known = {(), *found.directories}
        for path in (*paths, *found.directories):
            self.assertIn(path[:-1], known)
            self.assertEqual(path, pathlib.PurePosixPath(*path).parts)
        for file in found.files:
            self.assertEqual(file.size, sum(extent.length
                                            for extent in file.extents))
            for extent in file.extents:
                self.assertLessEqual(extent.offset + extent.length, size)

    def test_damaged(self) -> None:
        for make in (rock_ridge, joliet, plain):
            data = make()
            with self.subTest(make.__name__):
                self.assertEqual('read', self.outcome(data))
                outcomes = {'read': 0, 'refused': 0}
                for case in range(CASES):
                    with self.subTest(case):
                        outcomes[self.outcome(damaged(
                            data, random.Random(case)))] += 1
                # Neither harmless all, nor nothing but the magic destroyed.
                self.assertGreater(min(outcomes.values()), CASES // 10)

    def test_truncated_anywhere(self) -> None:
        for make in (rock_ridge, joliet, plain):
            data = make()
            for size in range(0, len(data), 509):
                with self.subTest(make.__name__, size=size):
                    self.assertEqual('refused', self.outcome(data[:size]))

    def test_descriptors_byte_by_byte(self) -> None:
        data = rock_ridge()
        self.path.write_bytes(data)
        fd = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, fd)
        for at in range(16 * crafted.BLOCK, 16 * crafted.BLOCK + 200):
            for value in (data[at] ^ 0xff, 0x7f):
                os.pwrite(fd, bytes((value,)), at)
                with self.subTest(at=at, value=value):
                    try:
                        self.check(reader.read(str(self.path)), len(data))
                    except errors.InputError as error:
                        self.assertIn(str(self.path), str(error))
            os.pwrite(fd, data[at:at + 1], at)
