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

from esxi_img.firstboot import blocks
from esxi_img.firstboot import iso9660
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import images
from tests.unit.iso import crafted

MIB = 1 << 20


def opened(image: bytes) -> iso9660.Iso9660:
    return iso9660.Iso9660(blocks.Memory(image))


def rock_ridge(*records: bytes, skip: int = 0, at: dict[int, bytes] = {},
               before: bytes = b'') -> iso9660.Iso9660:
    """A volume with those records in its root."""
    declared = crafted.susp(b'SP', b'\xbe\xef' + bytes((skip,)))
    return opened(crafted.image({
        20: crafted.directory(
            *records, susp=before + declared + crafted.px(0o40755)), **at}))


def names(found: volume.Volume, folder: volume.Entry | None = None
          ) -> list[str]:
    return [entry.name for entry in found.entries(folder)]


class TestVolume(base.TestCase):

    def test_each_kind_of_names(self) -> None:
        for kind in ('plain', 'joliet', 'rr'):
            found = opened(images.iso({'openstack': {'a b.json': b'content'}},
                                      kind, 'My label'))
            with self.subTest(kind):
                folder, = found.entries()
                self.assertEqual(('openstack', True),
                                 (folder.name, folder.is_folder))
                file, = found.entries(folder)
                self.assertEqual(('a b.json', False, 7), file[:3])
                self.assertEqual(b'content', found.read(file, 7))
                self.assertEqual(('iso9660', 'My label'),
                                 (found.kind, found.label))

    def test_is_one(self) -> None:
        image = images.iso({})
        for data, expected in ((image, True), (image[4096:], False),
                               (image[:0x8005], False), (b'', False)):
            with self.subTest(length=len(data)):
                self.assertIs(expected, iso9660.is_one(blocks.Memory(data)))

    def test_plain_names(self) -> None:
        found = opened(images.iso({
            'META_DAT.JSO;1': b'', 'USER_DAT.;1': b'', 'A.B.;12': b'',
            'X;Y': b'', ';1': b''}))
        self.assertEqual(['META_DAT.JSO', 'USER_DAT', 'A.B', 'X;Y', ';1'],
                         names(found))

    def test_bytes_that_are_no_letters(self) -> None:
        for tree in ({20: crafted.directory(crafted.record(b'\xff\xfe'))},):
            self.assertEqual(['\ufffd\ufffd'],
                             names(opened(crafted.image(tree))))
        self.assertEqual(['\udcff'], names(rock_ridge(
            crafted.record(b'X', susp=crafted.nm(b'\xff')))))

    def test_joliet_of_odd_length(self) -> None:
        found = opened(crafted.image(
            {20: crafted.directory(),
             21: crafted.directory(crafted.record(b'\0a\0', block=9),
                                   block=21)},
            crafted.descriptor(2, root=21, escape=b'%/@')))
        self.assertEqual('a', names(found)[0][:1])

    def test_only_joliet_has_other_names(self) -> None:
        found = opened(crafted.image(
            {20: crafted.directory(crafted.record(b'PLAIN')),
             21: crafted.directory(block=21)},
            crafted.descriptor(2, root=21, escape=b'%/X')))
        self.assertEqual(['PLAIN'], names(found))

    def test_block_sizes(self) -> None:
        for size in (512, 1024):
            data = bytearray(crafted.image(
                {}, primary=crafted.descriptor(block_size=size, root=80,
                                               length=2 * size)))
            directory = crafted.directory(block=80, size=size)
            # A zero ends the first block, not the whole sector.
            directory += crafted.record(b'A', 90, 3)
            data[80 * size:80 * size + len(directory)] = directory
            data[90 * size:90 * size + 3] = b'abc'
            with self.subTest(size):
                found = opened(bytes(data))
                file, = found.entries()
                self.assertEqual(b'abc', found.read(file, 3))

    def test_no_label(self) -> None:
        self.assertIsNone(opened(images.iso({}, label='')).label)

    def test_extended_attributes_come_before_the_content(self) -> None:
        found = opened(crafted.image({
            20: crafted.directory(crafted.record(b'A', 30, 3, xattr=1)),
            31: b'abc'}))
        self.assertEqual(b'abc', found.read(found.entries()[0], 3))

    def test_files_that_are_not_one_piece(self) -> None:
        found = opened(crafted.image({20: crafted.directory(
            crafted.record(b'BIG', 30, 2048, 0x80),
            crafted.record(b'BIG', 40, 2048, 0x80),
            crafted.record(b'BIG', 50, 5),
            crafted.record(b'FORK', 60, 5, 4),
            crafted.record(b'MIXED', 60, 5, unit=1),
            crafted.record(b'LAST', 60, 5))}))
        self.assertEqual(['BIG', 'MIXED', 'LAST'], names(found))
        big, mixed, _ = found.entries()
        for entry, problem in ((big, 'several extents'),
                               (mixed, 'interleaved')):
            with self.subTest(problem), self.assertRaisesRegex(
                    volume.Damaged, problem):
                found.read(entry, MIB)

    def test_limit(self) -> None:
        found = opened(images.iso({'A': b'12345'}))
        file, = found.entries()
        self.assertEqual(b'12345', found.read(file, 5))
        with self.assertRaisesRegex(volume.Damaged, '5 bytes, more'):
            found.read(file, 4)


class TestRockRidge(base.TestCase):

    def test_name_in_two_parts(self) -> None:
        parts = (crafted.susp(b'NM', b'\1meta')
                 + crafted.susp(b'NM', b'\0_data.json'))
        self.assertEqual(['meta_data.json'], names(rock_ridge(
            crafted.record(b'X', susp=parts))))

    def test_continuation(self) -> None:
        rest = crafted.susp(b'NM', b'\0_data.json')
        chained = crafted.ce(41, 100, len(rest))
        found = rock_ridge(
            crafted.record(b'X', susp=crafted.ce(40, 8, len(chained))
                           + crafted.susp(b'NM', b'\1meta')),
            crafted.record(b'PLAIN.;1'),
            at={40: bytes(8) + chained, 41: bytes(100) + rest})
        self.assertEqual(['meta_data.json', 'PLAIN'], names(found))

    def test_skip(self) -> None:
        found = rock_ridge(
            crafted.record(b'X', susp=b'\0' * 14 + crafted.nm(b'name')),
            skip=14)
        self.assertEqual(['name'], names(found))
        found = rock_ridge(
            crafted.record(b'X', susp=b'\0' * 14 + crafted.nm(b'name')))
        self.assertEqual(['X'], names(found))

    def test_behind_a_cd_rom_xa_record(self) -> None:
        found = rock_ridge(
            crafted.record(b'X', susp=b'\0' * 14 + crafted.nm(b'name')),
            skip=14, before=b'\0\0\0\0\x0d\x55XA\0\0\0\0\0\0')
        self.assertEqual(['name'], names(found))

    def test_end_of_fields(self) -> None:
        ended = crafted.nm(b'a') + crafted.susp(b'ST', b'') + crafted.nm(b'b')
        self.assertEqual(['a'], names(rock_ridge(
            crafted.record(b'X', susp=ended))))

    def test_other_fields_of_susp_are_no_rock_ridge(self) -> None:
        found = opened(crafted.image(
            {20: crafted.directory(
                susp=crafted.susp(b'SP', b'\xbe\xef\0')),
             21: crafted.directory(crafted.record(b'\0j'), block=21)},
            crafted.descriptor(2, root=21, escape=b'%/C')))
        self.assertEqual(['j'], names(found))

    def test_rock_ridge_is_preferred_to_joliet(self) -> None:
        found = opened(crafted.image(
            {20: crafted.directory(crafted.record(b'A'),
                                   susp=crafted.ROCK_RIDGE),
             21: crafted.directory(crafted.record(b'\0j'), block=21)},
            crafted.descriptor(2, root=21, escape=b'%/C')))
        self.assertEqual(['A'], names(found))

    def test_what_is_no_content(self) -> None:
        for tag, problem in ((b'SL', 'is a symbolic link'),
                             (b'PN', 'is a device'),
                             (b'SF', 'is a sparse file'),
                             (b'ZF', 'is compressed with zisofs')):
            found = rock_ridge(crafted.record(
                b'X', susp=crafted.susp(tag, b'\0' * 8)))
            with self.subTest(problem), self.assertRaisesRegex(
                    volume.Damaged, problem):
                found.read(found.entries()[0], MIB)

    def test_fields_that_make_no_sense(self) -> None:
        for susp in (b'NM', b'NM\0', b'NM\x04\x01', b'NM\x05\x01\0', b'\0' * 9,
                     b'NM\xff\x01\0', b'CE\x05\x01\0', b'NM\x03\x01\0',
                     b'SL\x04\x01PN'):
            with self.subTest(susp=susp):
                self.assertEqual(['X'], names(rock_ridge(
                    crafted.record(b'X', susp=susp))))

    def test_continuation_in_a_circle(self) -> None:
        circle = crafted.ce(40, 0, 28)
        found = rock_ridge(crafted.record(b'X', susp=circle),
                           at={40: circle})
        with self.assertRaisesRegex(volume.Damaged, 'continuation areas'):
            found.entries()

    def test_continuation_nowhere(self) -> None:
        for area in (crafted.ce(0xFFFFFFFF, 0, 28),
                     crafted.ce(40, 0xFFFFFFFF, 28),
                     crafted.ce(40, 0, 0xFFFFFFFF)):
            found = rock_ridge(crafted.record(b'X', susp=area))
            with self.subTest(area=area), self.assertRaises(volume.Damaged):
                found.entries()


class TestDamage(base.TestCase):

    def test_descriptors(self) -> None:
        whole = crafted.descriptor()
        for primary, problem in (
                (b'\2' + whole[1:], 'no primary'),
                (b'\xff' + whole[1:], 'no primary'),
                (crafted.descriptor(block_size=0), 'block of 0 bytes'),
                (crafted.descriptor(block_size=4096), 'block of 4096'),
                (crafted.descriptor(length=0), 'byte 40960 is empty'),
                (crafted.descriptor(root=0), 'no directory at byte 0'),
                (crafted.descriptor(root=0xFFFFFFFF), 'ends at byte'),
                (crafted.descriptor(length=0xFFFFFFFF), 'more than 2097152')):
            with self.subTest(problem), self.assertRaisesRegex(
                    volume.Damaged, problem):
                opened(crafted.image({20: crafted.directory()},
                                     primary=primary))

    def test_cut_off_in_the_descriptors(self) -> None:
        with self.assertRaisesRegex(volume.Damaged, 'ends at byte 34816'):
            opened(images.iso({})[:17 * 2048])

    def test_descriptors_end_where_they_say(self) -> None:
        primary = crafted.descriptor()
        joliet = crafted.descriptor(2, root=21, escape=b'%/E')
        stale = crafted.TERMINATOR + joliet
        foreign = b'\2CD002' + joliet[6:]
        at = {20: crafted.directory(crafted.record(b'PLAIN')),
              21: crafted.directory(crafted.record(b'\0j'), block=21)}
        for descriptors, expected in (
                (primary + joliet, 'j'), (primary + stale, 'PLAIN'),
                (primary + foreign, 'PLAIN'),
                (primary + foreign + joliet, 'PLAIN')):
            image = bytearray(crafted.image(at, primary=b''))
            image[16 * 2048:20 * 2048] = descriptors.ljust(4 * 2048, b'\0')
            with self.subTest(expected=expected):
                self.assertEqual([expected], names(opened(bytes(image))))

    def test_descriptors_without_end(self) -> None:
        image = bytes(16 * 2048) + crafted.descriptor(0) * 1000
        with self.assertRaisesRegex(volume.Damaged, 'no primary'):
            opened(image + crafted.descriptor())

    def test_records(self) -> None:
        whole = crafted.record(b'NAME')
        for bad in (b'\x21' + whole[1:], b'\x01',
                    whole[:32] + b'\xff' + whole[33:]):
            data = crafted.directory(bad.ljust(100, b'\1'))
            with self.subTest(bad=bad[:1]), self.assertRaisesRegex(
                    volume.Damaged, 'no directory record at byte 41028'):
                opened(crafted.image({20: data})).entries()

    def test_record_over_an_end(self) -> None:
        own = crafted.directory().rstrip(b'\0')[:68]
        filler = crafted.record(b'A' * 7)
        last = crafted.record(b'B' * 87)
        many = own + filler * ((2000 - len(own)) // len(filler))
        at = len(many)
        self.assertTrue(2048 - len(last) < at < 2048)
        for data, length in ((many + last + bytes(4096), 4096),
                             (own + last, len(own) + len(last) - 1)):
            at = data.index(last)
            with self.subTest(length=length), self.assertRaisesRegex(
                    volume.Damaged,
                    f'no directory record at byte {40960 + at}'):
                opened(crafted.image(
                    {20: data},
                    primary=crafted.descriptor(length=length))).entries()

    def test_first_record(self) -> None:
        whole = crafted.directory(crafted.record(b'A'))
        for data in (b'\0' + whole[1:], whole[:25] + b'\0' + whole[26:],
                     whole[:33] + b'\1' + whole[34:], bytes(2048)):
            with self.assertRaisesRegex(volume.Damaged,
                                        'no directory at byte 40960'):
                opened(crafted.image({20: data}))

    def test_folder_that_is_none(self) -> None:
        found = opened(crafted.image({20: crafted.directory(
            crafted.record(b'A', 30, 2048, 2),
            crafted.record(b'B', 0xFFFFFFF, 2048, 2),
            crafted.record(b'C', 31, 0, 2))}))
        for folder, problem in zip(found.entries(), (
                'no directory at byte 61440', 'ends at byte', 'is empty')):
            with self.subTest(problem), self.assertRaisesRegex(
                    volume.Damaged, problem):
                found.entries(folder)

    def test_file_behind_the_end(self) -> None:
        found = opened(crafted.image({20: crafted.directory(
            crafted.record(b'A', 0xFFFFFFFF, 5),
            crafted.record(b'B', 199, 2049))}))
        for file in found.entries():
            with self.subTest(file.name), self.assertRaisesRegex(
                    volume.Damaged, 'ends at byte'):
                found.read(file, MIB)

    def test_a_million_entries(self) -> None:
        sector = (crafted.record(b'A', 30, 1) * 100)[:2048 // 34 * 34].ljust(
            2048, b'\0')
        size = 1_000_000 // 60 * 2048
        image = crafted.image(
            {20: crafted.directory()},
            primary=crafted.descriptor(length=size)) + sector * 20_000
        with self.assertRaisesRegex(volume.Damaged, 'more than 2097152'):
            opened(image)

    def test_a_folder_in_itself_is_listed_for_a_while_only(self) -> None:
        found = opened(crafted.image({
            20: crafted.directory(crafted.record(b'A', 20, 2048, 2))}))
        folder, = found.entries()
        with self.assertRaisesRegex(volume.Damaged, 'more than 2097152'):
            for _ in range(2000):
                folder, = found.entries(folder)
