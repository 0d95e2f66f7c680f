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

import time

from esxi_img.firstboot import blocks
from esxi_img.firstboot import fat
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import images

MIB = 1 << 20
SHORT = b'META_D~1JSO'
SHAPES = tuple((bits, clusters, sector)
               for bits, clusters in ((12, 100), (16, 4085), (32, 100))
               for sector in (512, 1024, 2048, 4096))


def opened(image: bytes) -> fat.Fat:
    return fat.Fat(blocks.Memory(image))


def rooted(*entries: bytes, **options: int) -> fat.Fat:
    """A volume with those entries in its root."""
    return opened(images.Fat(root=b''.join(entries), **options).image())


def names(found: volume.Volume) -> list[str]:
    return [entry.name for entry in found.entries()]


def patched(image: bytes, offset: int, new: bytes) -> bytes:
    return image[:offset] + new + image[offset + len(new):]


class TestVolume(base.TestCase):

    def test_each_kind(self) -> None:
        tree = {'a long folder name': {'long name.json': b'x' * 5000}}
        for bits, clusters, sector in SHAPES:
            for per in (1, 4):
                found = opened(images.fat(tree, bits=bits, clusters=clusters,
                                          sector=sector, per=per).image())
                with self.subTest(bits=bits, sector=sector, per=per):
                    folder, = found.entries()
                    self.assertEqual(('a long folder name', True),
                                     (folder.name, folder.is_folder))
                    file, = found.entries(folder)
                    self.assertEqual(('long name.json', False, 5000),
                                     file[:3])
                    self.assertEqual(b'x' * 5000, found.read(file, 5000))

    def test_type_is_by_the_number_of_clusters(self) -> None:
        # With another type, a chain would be looked for at another place.
        for bits, clusters in ((12, 4084), (16, 4085), (16, 65524)):
            found = opened(images.fat({'a': b'x' * 70 * 512}, bits=bits,
                                      clusters=clusters).image())
            with self.subTest(clusters=clusters):
                self.assertEqual(70 * 512,
                                 len(found.read(found.entries()[0], MIB)))

    def test_high_clusters(self) -> None:
        for bits, clusters in ((12, 4084), (16, 65524), (32, 70000)):
            last = clusters + 1
            made = images.Fat(
                bits=bits, clusters=clusters,
                root=images.slot(SHORT, last - 1, 1024))
            made.put(last - 1, b'x' * 1024)
            if bits == 32:
                made.put(2, made.root)
            found = opened(made.image())
            with self.subTest(clusters=clusters):
                self.assertEqual(b'x' * 1024,
                                 found.read(found.entries()[0], 1024))

    def test_upper_half_of_a_cluster_number_is_fat32s_only(self) -> None:
        made = images.Fat(root=images.slot(SHORT, 3 | 5 << 16, 3))
        made.put(3, b'abc')
        found = opened(made.image())
        self.assertEqual(b'abc', found.read(found.entries()[0], 3))

    def test_fat32_ignores_the_upper_four_bits(self) -> None:
        made = images.fat({'a': b'x' * 600}, bits=32)
        for cluster in made.chains:
            made.chains[cluster] |= 0xA << 28
        found = opened(made.image())
        self.assertEqual(b'x' * 600, found.read(found.entries()[0], 600))

    def test_fragments(self) -> None:
        for bits, clusters, sector in SHAPES:
            made = images.Fat(bits=bits, clusters=clusters, sector=sector)
            made.root = images.slot(SHORT, 50, 2 * sector + 3)
            if bits == 32:
                made.put(2, made.root)
            for cluster, content in ((50, b'a'), (9, b'b'), (51, b'c')):
                made.put(cluster, content * sector)
            made.chains.update({50: 9, 9: 51, 51: made.end})
            found = opened(made.image())
            with self.subTest(bits=bits, sector=sector):
                self.assertEqual(
                    b'a' * sector + b'b' * sector + b'ccc',
                    found.read(found.entries()[0], MIB))

    def test_empty_file(self) -> None:
        found = rooted(images.slot(SHORT, 0, 0))
        self.assertEqual(b'', found.read(found.entries()[0], 0))

    def test_limit(self) -> None:
        found = opened(images.fat({'a': b'12345'}).image())
        file, = found.entries()
        self.assertEqual(b'12345', found.read(file, 5))
        with self.assertRaisesRegex(volume.Damaged, '5 bytes, more'):
            found.read(file, 4)

    def test_is_one(self) -> None:
        image = images.Fat().image()
        self.assertTrue(fat.is_one(blocks.Memory(image)))
        for offset, new in ((11, b'\0\0'), (11, b'\0\x03'), (12, b'\x20'),
                            (13, b'\0'), (13, b'\3'), (14, b'\0\0'),
                            (16, b'\0'), (19, b'\0\0'), (19, b'\6\0'),
                            (21, b'\0'), (22, b'\0\0'), (510, b'\0\0')):
            with self.subTest(offset=offset, new=new):
                data = patched(image, offset, new)
                self.assertFalse(fat.is_one(blocks.Memory(data)))
                with self.assertRaisesRegex(volume.Damaged, 'no FAT volume'):
                    opened(data)
        for data in (b'', image[:511], bytes(512), b'\xff' * 512):
            self.assertFalse(fat.is_one(blocks.Memory(data)))


class TestLabel(base.TestCase):

    def label(self, root: bytes = b'', label: bytes = b'BOOT SECTOR',
              bits: int = 12) -> str | None:
        made = images.Fat(root=root, label=label, bits=bits)
        made.put(2, root)
        return opened(made.image()).label

    def test_label(self) -> None:
        entry = images.slot(b'config-2   ', attributes=8)
        hidden = images.long('a name that is long', b'config-2   ')
        for bits in (12, 32):
            for root, label, expected in (
                    (entry, b'BOOT SECTOR', 'config-2'),
                    (hidden + entry, b'BOOT SECTOR', 'config-2'),
                    (images.slot(SHORT) + entry, b'BOOT SECTOR', 'config-2'),
                    (b'', b'CONFIG-2   ', 'CONFIG-2'),
                    (b'\xe5' + entry[1:], b'CONFIG-2   ', 'CONFIG-2'),
                    (hidden, b'CONFIG-2   ', 'CONFIG-2'),
                    (b'', b'NO NAME    ', None),
                    (b'', b' ' * 11, None),
                    (b'', b'\xff' * 11, 'ÿ' * 11)):
                with self.subTest(bits=bits, expected=expected):
                    self.assertEqual(expected, self.label(root, label, bits))

    def test_boot_sector_without_label(self) -> None:
        image = images.Fat(label=b'CONFIG-2   ').image()
        self.assertEqual('CONFIG-2', opened(image).label)
        self.assertIsNone(opened(patched(image, 38, b'\x28')).label)


class TestNames(base.TestCase):

    def test_long(self) -> None:
        for name in ('a', 'meta_data.json', 'x' * 13, 'x' * 26, 'x' * 27,
                     'ä\u4e2d\U0001f600', 'x' * 255):
            with self.subTest(length=len(name)):
                self.assertEqual([name], names(rooted(
                    images.long(name, SHORT), images.slot(SHORT, 3))))

    def test_short(self) -> None:
        for short, case, expected in (
                (b'META_DATJSO', 0, 'META_DAT.JSO'),
                (b'LATEST     ', 0, 'LATEST'),
                (b'LATEST     ', 0x08, 'latest'),
                (b'A       B  ', 0x10, 'A.b'),
                (b'A       B  ', 0x18, 'a.b'),
                (b'\x05BC        ', 0, '\xe5BC'),
                (b'A B     C D', 0, 'A B.C D')):
            with self.subTest(short=short, case=case):
                self.assertEqual([expected], names(rooted(
                    images.slot(short, 3, case=case))))

    def test_long_name_of_another_entry(self) -> None:
        long = images.long('a longer name than one entry', SHORT)
        part = 32
        other = images.slot(b'OTHER      ', 3)
        for before in (
                images.long('name', SHORT, images.checksum(SHORT) ^ 1),
                long[part:], long[:-part], long[:part] + long[2 * part:],
                long[part:2 * part] + long[:part] + long[2 * part:],
                long[-part:] * 2,
                patched(long, 0, b'\x40'),
                images.long('', SHORT)):
            with self.subTest(before=before):
                self.assertEqual(['META_D~1.JSO'], names(rooted(
                    before, images.slot(SHORT, 3))))
        self.assertEqual(
            ['OTHER', 'META_D~1.JSO'],
            names(rooted(long, other, images.slot(SHORT, 3))))

    def test_deleted_long_name_before_a_whole_one(self) -> None:
        self.assertEqual(['right'], names(rooted(
            images.long('wrong', SHORT), images.long('right', SHORT),
            images.slot(SHORT, 3))))

    def test_what_is_no_file(self) -> None:
        self.assertEqual(['A'], names(rooted(
            images.slot(b'.          ', 3, attributes=0x10),
            images.slot(b'..         ', 3, attributes=0x10),
            images.slot(b'LABEL      ', attributes=8),
            images.slot(b'\xe5ELETED    ', 3),
            images.slot(b'A          ', 3),
            images.slot(b'\0ND        ', 3),
            images.slot(b'BEHIND     ', 3))))


class TestDamage(base.TestCase):

    def read(self, first: int, size: int, bits: int = 12,
             chains: dict[int, int] | None = None) -> bytes:
        made = images.Fat(bits=bits, clusters=4085 if bits == 16 else 100)
        made.root = images.slot(SHORT, first, size)
        made.put(2, made.root)
        made.chains.update(chains or {})
        found = opened(made.image())
        return found.read(found.entries()[0], MIB)

    def test_chains(self) -> None:
        for bits, clusters in ((12, 100), (16, 4085), (32, 100)):
            bad = (1 << min(bits, 28)) - 9
            beyond = clusters + 2
            for chains, first, problem in (
                    ({}, 0, 'runs into cluster 0'),
                    ({}, 1, 'runs into cluster 1'),
                    ({}, beyond, f'runs into cluster {beyond}'),
                    ({5: 0}, 5, 'runs into cluster 0'),
                    ({5: 1}, 5, 'runs into cluster 1'),
                    ({5: beyond}, 5, f'runs into cluster {beyond}'),
                    ({5: bad}, 5, f'runs into cluster {bad}'),
                    ({5: 5}, 5, 'runs into cluster 5'),
                    ({5: 6, 6: 7, 7: 6}, 5, 'runs into cluster 6'),
                    ({5: 6, 6: bad + 1}, 5, 'only 2 clusters of 512'),
                    ({}, bad + 1, f'runs into cluster {bad + 1}')):
                with self.subTest(bits=bits, chains=chains), \
                        self.assertRaisesRegex(volume.Damaged, problem):
                    self.read(first, 5 * 512, bits, chains)

    def test_chain_longer_than_the_file(self) -> None:
        self.assertEqual(512, len(self.read(
            5, 512, chains={5: 6, 6: 5})))

    def test_folder_in_a_circle(self) -> None:
        for bits in (12, 32):
            made = images.Fat(bits=bits)
            made.root = images.slot(SHORT, 5, 0, images.DIRECTORY)
            made.put(2, made.root)
            made.put(5, images.slot(SHORT, 9) * 16)
            made.chains[5] = 5
            found = opened(made.image())
            folder, = found.entries()
            with self.subTest(bits=bits), self.assertRaisesRegex(
                    volume.Damaged, 'runs into cluster 5'):
                found.entries(folder)

    def test_root_in_a_circle(self) -> None:
        made = images.Fat(bits=32)
        made.put(2, images.slot(SHORT, 9) * 16)
        made.chains[2] = 2
        with self.assertRaisesRegex(volume.Damaged, 'cluster 2'):
            opened(made.image())

    def test_folder_without_cluster(self) -> None:
        found = rooted(images.slot(SHORT, 0, 0, images.DIRECTORY))
        with self.assertRaisesRegex(volume.Damaged, 'cluster 0'):
            found.entries(found.entries()[0])

    def test_a_million_entries(self) -> None:
        made = images.Fat(bits=32, clusters=62600)
        made.put(2, images.slot(SHORT, 3) * 1_000_000)
        image = made.image()
        start = time.monotonic()
        with self.assertRaisesRegex(volume.Damaged, 'more than 2097152'):
            opened(image)
        self.assertLess(time.monotonic() - start, 2)

    def test_file_cut_off(self) -> None:
        image = images.fat({'a': b'x' * 5000}).image()
        found = opened(image[:-96 * 512])
        with self.assertRaisesRegex(volume.Damaged, 'ends at byte'):
            found.read(found.entries()[0], MIB)

    def test_larger_than_its_fat(self) -> None:
        image = images.fat({'a': b'x' * 600}).image()
        found = opened(patched(image, 19, b'\0\x08'))
        self.assertEqual(600, len(found.read(found.entries()[0], MIB)))

    def test_cluster_that_the_fat_does_not_have(self) -> None:
        # Its 512 bytes are for 341 of them; the volume would have more.
        made = images.Fat(root=images.slot(SHORT, 341, 1))
        image = patched(made.image() + bytes(1 << 20), 19, b'\0\x08')
        found = opened(image)
        with self.assertRaisesRegex(volume.Damaged, 'runs into cluster 341'):
            found.read(found.entries()[0], MIB)

    def test_a_folder_is_listed_for_a_while_only(self) -> None:
        found = rooted()
        with self.assertRaisesRegex(volume.Damaged, 'more than 2097152'):
            for _ in range(600):
                found.entries()

    def test_figures_at_their_limits(self) -> None:
        image = images.fat({'a': b'x' * 600}, bits=32).image()
        for offset, new in ((36, b'\xff' * 4), (32, b'\xff' * 8),
                            (16, b'\xff'), (44, b'\xff' * 4),
                            (14, b'\xff\xff'), (44, bytes(4)),
                            (11, b'\0\x10\x80')):
            with self.subTest(offset=offset), \
                    self.assertRaises(volume.Damaged):
                found = opened(patched(image, offset, new))
                found.read(found.entries()[0], MIB)
