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
import os
import pathlib
import traceback
import unittest.mock

from esxi_img.firstboot import blocks
from esxi_img.firstboot import drive
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import images
from tests.unit.iso import crafted

SECRET = b'a-very-secret-word'


def of_image(image: bytes) -> drive.Drive:
    return drive.of_volume(drive.volume_of(blocks.Memory(image)))


def of_version(tree: images.Tree, label: str = 'config-2') -> drive.Drive:
    return of_image(images.iso({'openstack': {'latest': tree}}, 'joliet',
                               label, 100))


class TestOfVolume(base.TestCase):

    def test_each_kind(self) -> None:
        for image, kind in (
                (images.iso(images.DRIVE), 'iso9660'),
                (images.iso(images.DRIVE, 'joliet'), 'iso9660'),
                (images.iso(images.DRIVE, 'rr'), 'iso9660'),
                (images.fat(images.DRIVE).image(), 'fat'),
                (images.fat(images.DRIVE, bits=16, clusters=4085).image(),
                 'fat'),
                (images.fat(images.DRIVE, bits=32).image(), 'fat')):
            found = of_image(image)
            with self.subTest(kind=kind):
                self.assertEqual(images.VERSION, found.files)
                self.assertEqual((kind, 'config-2', 'latest', ()),
                                 (found.kind, (found.label or '').lower(),
                                  found.version, found.problems))

    def test_names_of_8_and_3_characters(self) -> None:
        found = of_image(images.iso({'OPENSTAC': {
            'CONTENT': {}, 'LATEST': {
                'META_DAT.JSO;1': b'm', 'NETWORK_.JSO;1': b'n',
                'USER_DAT.;1': b'u'}}}, label='CONFIG-2'))
        self.assertEqual({'meta_data.json': b'm', 'network_data.json': b'n',
                          'user_data': b'u'}, found.files)
        self.assertEqual(('latest', ()), (found.version, found.problems))

    def test_names_that_may_be_several(self) -> None:
        for names, where, said in (
                (('VENDO000.JSO', 'VENDOR_D.JSO'), (3, 4),
                 "may be 'VENDO000.JSO' or 'VENDOR_D.JSO': left out"),
                (('VENDOR_D.JSO',), (3, 4),
                 "'VENDOR_D.JSO' may as well be vendor_data2?.json"),
                (('META_DATA.JSON', 'Meta_data.json'), (0,),
                 "may be 'META_DATA.JSON' or 'Meta_data.json'"),
                (('USER_DA0', 'USER_DA1', 'USER_DA2', 'USER_DA3'), (2,),
                 "'USER_DA0' or 'USER_DA1' or 'USER_DA2' or others")):
            found = of_version({'network_data.json': b'n',
                                **dict.fromkeys(names, b'')})
            with self.subTest(names=names):
                self.assertEqual({'network_data.json': b'n'}, found.files)
                self.assertEqual([drive.FILES[number] for number in where],
                                 [one.where for one in found.problems])
                for problem in found.problems:
                    self.assertRegex(problem.message, said)

    def test_label(self) -> None:
        for label, said in (('config-2', None), ('CONFIG-2', None),
                            ('Config-2', None),
                            ('cidata', "is 'cidata', not config-2"),
                            ('config-20', "is 'config-20', not"),
                            ('', 'is missing, not config-2')):
            found = of_version(images.VERSION, label)
            with self.subTest(label):
                self.assertEqual(images.VERSION, found.files)
                if said is None:
                    self.assertEqual((), found.problems)
                    continue
                problem, = found.problems
                self.assertEqual('volume label', problem.where)
                self.assertIn(said, problem.message)

    def test_limits(self) -> None:
        with unittest.mock.patch.object(drive, 'MAX_FILE', 100):
            found = of_version({'meta_data.json': b'x' * 101,
                                'network_data.json': b'x' * 100,
                                'user_data': b'x' * 101})
        self.assertEqual(['network_data.json', 'user_data'],
                         list(found.files))
        problem, = found.problems
        self.assertEqual('meta_data.json', problem.where)
        self.assertRegex(problem.message, '^has 101 bytes, .* 100 .*left out')

    def test_limit_of_user_data(self) -> None:
        records = (crafted.record(b'META_DATA.JSON', 30, 2),
                   crafted.record(b'USER_DATA', 30, (64 << 20) + 1))
        tree = {20: crafted.directory(crafted.record(
                    b'OPENSTACK', 21, 2048, 2)),
                21: crafted.directory(crafted.record(
                    b'LATEST', 22, 2048, 2), block=21),
                22: crafted.directory(*records, block=22)}
        found = of_image(crafted.image(tree))
        self.assertEqual(['meta_data.json'], list(found.files))
        self.assertEqual(['volume label', 'user_data'],
                         [problem.where for problem in found.problems])
        self.assertIn('more than the 67108864', found.problems[1].message)

    def test_the_others_are_read_where_one_is_damaged(self) -> None:
        found = of_image(images.iso(images.DRIVE, 'rr')[:28 * 2048])
        self.assertEqual(['meta_data.json', 'network_data.json'],
                         list(found.files))
        self.assertEqual(['user_data', 'vendor_data.json',
                          'vendor_data2.json'],
                         [problem.where for problem in found.problems])

    def test_folder_that_cannot_be_read(self) -> None:
        made = images.fat(images.DRIVE)
        for cluster, content in made.content.items():
            if content.startswith(images.slot(
                    b'.          ', cluster, 0, images.DIRECTORY)):
                made.chains[cluster] = 1
        with self.assertRaisesRegex(drive.Unreadable, 'chain runs into'):
            of_image(made.image())

    def test_nothing_secret_is_shown(self) -> None:
        found = of_version(dict.fromkeys(drive.FILES, SECRET))
        self.assertNotIn('secret', repr(found))
        self.assertEqual(SECRET, found.files['meta_data.json'])


class TestVolumeOf(base.TestCase):

    def test_neither(self) -> None:
        for image in (b'', b'x', bytes(1 << 20), b'\xff' * 70000):
            with self.subTest(length=len(image)), self.assertRaisesRegex(
                    drive.Unreadable, '^neither an ISO 9660 nor a FAT'):
                drive.volume_of(blocks.Memory(image))

    def test_partitioned_disk(self) -> None:
        for sector in (512, 4096):
            image = bytearray(1 << 20)
            image[510:512] = b'\x55\xaa'
            image[sector:sector + 8] = b'EFI PART'
            with self.subTest(sector=sector), self.assertRaisesRegex(
                    drive.Unreadable, 'with partitions.*name the partition'):
                drive.volume_of(blocks.Memory(bytes(image)))

    def test_iso_with_a_partition_table(self) -> None:
        image = bytearray(images.iso(images.DRIVE))
        image[510:520] = b'\x55\xaaEFI PART'
        self.assertEqual('iso9660', of_image(bytes(image)).kind)

    def test_iso_before_fat(self) -> None:
        image = images.iso(images.DRIVE)
        boot = images.fat({}).image()[:16 * 2048]
        found = of_image(boot.ljust(16 * 2048, b'\0') + image[16 * 2048:])
        self.assertEqual('iso9660', found.kind)

    def test_partition_of_a_disk(self) -> None:
        image = bytes(513) + images.iso(images.DRIVE) + bytes(5000)
        path = self.tmp() / 'disk'
        path.write_bytes(image)
        with open(path, 'rb') as file:
            found = drive.of_volume(drive.volume_of(blocks.Blocks(
                file.fileno(), len(image) - 5513, 513)))
        self.assertEqual(images.VERSION, found.files)

    def test_damaged(self) -> None:
        with self.assertRaises(volume.Damaged):
            drive.volume_of(blocks.Memory(images.iso({})[:17 * 2048]))


class TestRead(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.path = self.folder / 'drive'

    def read(self, path: pathlib.Path | None = None) -> drive.Drive:
        return drive.read(str(path or self.path))

    def assert_unreadable(self, problem: str,
                          path: pathlib.Path | None = None) -> None:
        with self.assertRaisesRegex(drive.Unreadable, problem) as caught:
            self.read(path)
        self.assertIn(ascii(str(path or self.path)), str(caught.exception))
        self.assertNotIn('\n', str(caught.exception))
        self.assertIsNone(caught.exception.__context__)

    def test_image(self) -> None:
        for image in (images.iso(images.DRIVE),
                      images.fat(images.DRIVE).image()):
            zipped = gzip.compress(image)
            for data in (image, zipped, base64.b64encode(image),
                         base64.b64encode(zipped),
                         base64.encodebytes(zipped)):
                self.path.write_bytes(data)
                with self.subTest(start=data[:8]):
                    self.assertEqual(images.VERSION, self.read().files)

    def test_folders(self) -> None:
        latest = self.path / 'openstack/latest'
        latest.mkdir(parents=True)
        for name, content in images.VERSION.items():
            (latest / name).write_bytes(content)
        for path, version in ((self.path, 'latest'),
                              (latest.parent, 'latest'), (latest, None)):
            found = self.read(path)
            with self.subTest(path=path):
                self.assertEqual(images.VERSION, found.files)
                self.assertEqual(
                    ('folder', None, version, ()),
                    (found.kind, found.label, found.version, found.problems))

    def test_folder_as_esxi_shows_a_plain_iso(self) -> None:
        latest = self.path / 'OPENSTAC/LATEST'
        latest.mkdir(parents=True)
        (latest / 'META_DAT.JSO').write_bytes(images.META)
        (latest / 'NETWORK_.JSO').write_bytes(images.NETWORK)
        self.assertEqual(
            images.files(('meta_data.json', 'network_data.json')),
            self.read().files)

    def test_folder_with_what_waits(self) -> None:
        self.path.mkdir()
        (self.path / 'meta_data.json').write_bytes(images.META)
        os.mkfifo(self.path / 'user_data')
        (self.path / 'vendor_data.json').symlink_to('/dev/zero')
        found = self.read()
        self.assertEqual(['meta_data.json'], list(found.files))
        self.assertEqual(['user_data', 'vendor_data.json'],
                         [problem.where for problem in found.problems])

    def test_no_image(self) -> None:
        for data, problem in (
                (b'', 'is empty'),
                (b'{"no": "image"}', 'neither an ISO 9660 nor a FAT volume'),
                (b'a text', 'neither a volume nor base64 text'),
                (b'text', 'neither an ISO 9660 nor a FAT volume'),
                (gzip.compress(b'x'), 'neither an ISO 9660 nor a FAT'),
                (gzip.compress(images.iso({}))[:-9], 'gzip: ends'),
                (images.iso({}), 'holds no folder openstack/'),
                (images.iso({'openstack': {}}), 'neither latest/ nor'),
                (images.iso({})[:17 * 2048], 'ends at byte 34816')):
            self.path.write_bytes(data)
            with self.subTest(problem):
                self.assert_unreadable(problem)

    def test_packed_file_that_is_too_large(self) -> None:
        with open(self.path, 'wb') as file:
            file.write(b'H4sI' * 1024)
            file.truncate(1 << 30)
        self.assert_unreadable('more than 100663296 packed bytes')

    def test_no_file(self) -> None:
        self.assert_unreadable('No such file')
        (self.folder / 'file').write_bytes(b'')
        self.assert_unreadable('Not a directory', self.folder / 'file/x')
        self.path.symlink_to('drive')
        self.assert_unreadable('Too many levels')

    def test_what_waits_or_does_something(self) -> None:
        os.mkfifo(self.path)
        self.assert_unreadable('neither a folder, a file nor a block device')
        with unittest.mock.patch('os.open', autospec=True) as opened:
            self.assert_unreadable('neither a folder',
                                   pathlib.Path('/dev/zero'))
        opened.assert_not_called()

    def test_nothing_is_waited_for(self) -> None:
        # Not even if it becomes a FIFO at the last moment.
        self.path.write_bytes(images.iso(images.DRIVE))
        with unittest.mock.patch('os.open', wraps=os.open,
                                 autospec=True) as opened:
            self.read()
        _, flags = opened.call_args.args
        self.assertTrue(flags & os.O_NONBLOCK)

    def test_no_permission(self) -> None:
        self.path.write_bytes(b'x')
        with unittest.mock.patch(
                'os.open', autospec=True,
                side_effect=PermissionError(13, 'Permission denied')):
            self.assert_unreadable('Permission denied')

    def test_failing_device(self) -> None:
        self.path.write_bytes(images.iso(images.DRIVE))
        with unittest.mock.patch('os.pread', autospec=True,
                                 side_effect=OSError(5, 'it hurts')):
            self.assert_unreadable('it hurts')

    def test_strange_names(self) -> None:
        path = self.folder / 'a\nb\udcff'
        self.assert_unreadable('No such file', path)

    def test_everything_is_closed(self) -> None:
        for data in (b'', images.iso(images.DRIVE), b'text', bytes(9)):
            self.path.write_bytes(data)
            before = os.listdir('/proc/self/fd')
            try:
                self.read()
            except drive.Unreadable:
                pass
            self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_nothing_secret_is_said(self) -> None:
        for data in (SECRET, b'\x1f\x8b' + SECRET, SECRET * 5000,
                     base64.b64encode(SECRET), b'a' + SECRET + b'='):
            self.path.write_bytes(data)
            with self.subTest(start=data[:4]):
                try:
                    self.read()
                except drive.Unreadable as error:
                    said = ''.join(traceback.format_exception(error))
                    self.assertNotIn('very-secret', said)
                else:
                    self.fail('read')
