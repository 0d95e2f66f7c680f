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

"""Our reader on config drives that foreign programs made, and they on it."""

import base64
import collections.abc
import contextlib
import gzip
import hashlib
import os
import pathlib
import subprocess

from esxi_img.firstboot import blocks
from esxi_img.firstboot import drive
from esxi_img.firstboot import volume
from tests import base
from tests.functional import command

FIXTURES = base.FIXTURES / 'drives'
CORPUS = {'nova-iso9660-full-metadata.iso': ('iso9660', 'full-metadata'),
          'nova-vfat-full-metadata.img.gz': ('fat', 'full-metadata'),
          'ipa-rebuilt-vfat-4096.img.gz': ('fat', 'full-metadata'),
          'hand-level1-83.iso': ('iso9660', 'full-metadata'),
          'openstacksdk-genisoimage.iso': ('iso9660', 'multi-vlan')}
GENISOIMAGE = ('genisoimage', '-quiet', '-input-charset', 'utf-8')
NOVA = (*GENISOIMAGE, '-ldots', '-allow-lowercase', '-allow-multidot', '-l',
        '-publisher', 'OpenStack', '-J', '-r')
"""As Nova, Ironic and openstacksdk call it."""
XORRISO = ('xorriso', '-as', 'mkisofs', '-quiet')
DATES = ('2012-08-10', '2012-10-10', '2018-08-27')
DEEP = 'one/two/three/four/five/six/seven/eight/nine/ten/eleven'
AMBIGUOUS = ('vendor_data.json', 'vendor_data2.json')

Files = dict[str, bytes]


def noise(name: str, size: int) -> bytes:
    return hashlib.shake_128(name.encode()).digest(size)


def files(version: str = 'latest') -> Files:
    sizes = (1304, 4096, 70000, 2, 2049)
    return {name: noise(version + name, size)
            for name, size in zip(drive.FILES, sizes)}


def walk(found: volume.Volume) -> set[str]:
    """Every path of the volume; those of folders end in a slash."""
    paths = set()
    pending: list[tuple[str, volume.Entry | None]] = [('', None)]
    while pending:
        path, folder = pending.pop()
        for entry in found.entries(folder):
            below = path + entry.name + '/' * entry.is_folder
            paths.add(below)
            if entry.is_folder:
                pending.append((below, entry))
    return paths


@contextlib.contextmanager
def opened(path: pathlib.Path, start: int = 0
           ) -> collections.abc.Iterator[volume.Volume]:
    with open(path, 'rb') as file:
        yield drive.volume_of(blocks.Blocks(file.fileno(), start=start))


class TestCase(command.TestCase):

    def tool(self, *argv: str | os.PathLike, **options: object) -> bytes:
        done = subprocess.run(
            argv, env=command.environment(MTOOLS_SKIP_CHECK='1',
                                          PATH=os.environ['PATH']
                                          + ':/usr/sbin:/sbin'),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            **options)
        self.assertEqual(0, done.returncode, (argv, done.stderr))
        return done.stdout

    def tree(self, versions: collections.abc.Iterable[str] = (
            'latest', *DATES)) -> pathlib.Path:
        """What would be on the drive."""
        root = self.tmp()
        for version in versions:
            folder = root / 'openstack' / version
            folder.mkdir(parents=True)
            for name, content in files(version).items():
                (folder / name).write_bytes(content)
        (root / 'openstack/content').mkdir()
        (root / 'openstack/content/0000').write_bytes(b'a file')
        return root

    def assert_drive(self, path: pathlib.Path, *,
                     kind: str, without: collections.abc.Sequence[str] = (),
                     version: str = 'latest', label: str = 'config-2'
                     ) -> drive.Drive:
        """It is read whole, but for files that a problem names."""
        found = drive.read(str(path))
        self.assertEqual((kind, label, version),
                         (found.kind, found.label, found.version))
        expected = {name: content for name, content in files(version).items()
                    if name not in without}
        self.assertEqual(expected, found.files)
        self.assertEqual(list(without),
                         [problem.where for problem in found.problems])
        return found


class TestCorpus(TestCase):

    def test_what_the_producers_made(self) -> None:
        for name, (kind, tree) in CORPUS.items():
            expected = {path.name: path.read_bytes()
                        for path in (FIXTURES / tree).iterdir()}
            ambiguous: tuple[str, ...] = ()
            if 'level1' in name:
                ambiguous = AMBIGUOUS
            with self.subTest(name):
                found = drive.read(str(FIXTURES / name))
                self.assertEqual(
                    {name: content for name, content in expected.items()
                     if name not in ambiguous}, found.files)
                self.assertEqual(
                    (kind, 'config-2', 'latest', ambiguous),
                    (found.kind, (found.label or '').lower(), found.version,
                     tuple(problem.where for problem in found.problems)))

    def test_other_programs_find_the_same_names(self) -> None:
        self.require('isoinfo', 'mdir')
        for name, (kind, _) in CORPUS.items():
            path = FIXTURES / name
            if name.endswith('.gz'):
                path = self.write('image', gzip.decompress(path.read_bytes()))
            with self.subTest(name), opened(path) as found:
                expected = (by_mtools(self, path) if kind == 'fat' else
                            by_isoinfo(self, path, '-R'))
                self.assertEqual(
                    expected, {one.rstrip('/') for one in walk(found)})


def by_isoinfo(test: TestCase, path: pathlib.Path, *options: str) -> set[str]:
    """All paths, without what belongs to plain names only."""
    said = test.tool('isoinfo', '-f', *options, '-i', path).decode(
        errors='surrogateescape')
    return {line[1:].partition(';')[0].rstrip('.')
            for line in said.splitlines() if line.startswith('/')}


def by_mtools(test: TestCase, path: pathlib.Path) -> set[str]:
    said = test.tool('mdir', '-b', '-/', '-a', '-i', path, '::/').decode()
    return {line[3:].rstrip('/') for line in said.splitlines()}


class TestIso(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('genisoimage', 'isoinfo', 'xorriso')
        self.iso = self.folder / 'x.iso'

    def make(self, *argv: str | os.PathLike, label: str = 'config-2') -> None:
        self.tool(*argv, '-V', label, '-o', self.iso, self.tree())

    def assert_names(self, *options: str) -> None:
        with opened(self.iso) as found:
            self.assertEqual(by_isoinfo(self, self.iso, *options),
                             {path.rstrip('/') for path in walk(found)})

    def test_as_openstack_makes_it(self) -> None:
        self.make(*NOVA)
        self.assert_drive(self.iso, kind='iso9660')
        self.assert_names('-R')

    def test_long_names_by_any_means(self) -> None:
        for name, argv, option in (
                ('Rock Ridge', (*GENISOIMAGE, '-R'), '-R'),
                ('Joliet', (*GENISOIMAGE, '-J'), '-J'),
                ('both', (*GENISOIMAGE, '-J', '-R'), '-R'),
                ('level 4', (*GENISOIMAGE[:2], '-iso-level', '4'), ''),
                ('31 characters', (*GENISOIMAGE, '-l'), ''),
                ('xorriso', XORRISO, '-R'),
                ('xorriso, Joliet', (*XORRISO, '-J'), '-R'),
                ('xorriso, level 3', (*XORRISO, '-iso-level', '3'), '-R')):
            with self.subTest(name):
                self.make(*argv)
                self.assert_drive(self.iso, kind='iso9660')
                self.assert_names(*filter(None, (option,)))
                self.iso.unlink()

    def test_names_of_8_and_3_characters(self) -> None:
        for argv in (GENISOIMAGE, (*GENISOIMAGE, '-iso-level', '1')):
            with self.subTest(argv=argv):
                self.make(*argv, label='CONFIG-2')
                self.assert_drive(self.iso, kind='iso9660', label='CONFIG-2',
                                  without=AMBIGUOUS)
                self.assert_names()

    def test_xorriso_with_plain_names_only(self) -> None:
        tree = self.tree()
        self.tool('xorriso', '-outdev', self.iso, '-rockridge', 'off',
                  '-compliance', 'clear:iso_9660_level=1', '-volid',
                  'CONFIG-2', '-map', tree, '/', '-commit')
        self.assert_drive(self.iso, kind='iso9660', label='CONFIG-2',
                          without=AMBIGUOUS)
        self.assert_names()

    def test_one_vendor_data_of_8_and_3_characters(self) -> None:
        tree = self.tree()
        for version in ('latest', *DATES):
            (tree / 'openstack' / version / 'vendor_data2.json').unlink()
        self.tool(*GENISOIMAGE, '-V', 'CONFIG-2', '-o', self.iso, tree)
        found = drive.read(str(self.iso))
        self.assertEqual(AMBIGUOUS, tuple(
            problem.where for problem in found.problems))

    def test_dates_only(self) -> None:
        for argv, version, problems in (
                (NOVA, '2018-08-27', []),
                ((*GENISOIMAGE, '-l'), '2018-08-27', []),
                (GENISOIMAGE, '2018-08', list(AMBIGUOUS))):
            with self.subTest(argv=argv):
                tree = self.tree(DATES)
                self.tool(*argv, '-V', 'CONFIG-2', '-o', self.iso, tree)
                found = drive.read(str(self.iso))
                self.assertEqual(version, found.version)
                self.assertEqual(files('2018-08-27')['meta_data.json'],
                                 found.files['meta_data.json'])
                self.assertEqual(problems, [
                    problem.where for problem in found.problems])

    def test_dates_that_are_the_same_in_8_characters(self) -> None:
        tree = self.tree(('2018-08-27', '2018-08-28'))
        self.tool(*GENISOIMAGE, '-V', 'CONFIG-2', '-o', self.iso, tree)
        found = drive.read(str(self.iso))
        self.assertEqual('2018-08', found.version)
        self.assertIn('openstack',
                      [problem.where for problem in found.problems])

    def test_deep_and_long_names(self) -> None:
        # Rock Ridge moves what is too deep and continues what is too long.
        for argv, option in (((*GENISOIMAGE, '-R'), '-R'), (XORRISO, '-R')):
            tree = self.tree()
            (tree / DEEP).mkdir(parents=True)
            (tree / DEEP / 'file').write_bytes(b'deep')
            for number in range(20):
                (tree / 'openstack/latest' / f'{number:0250}').write_bytes(
                    b'long')
            self.tool(*argv, '-V', 'config-2', '-o', self.iso, tree)
            with self.subTest(argv=argv):
                self.assert_drive(self.iso, kind='iso9660')
                with opened(self.iso) as found:
                    paths = {path for path in walk(found)
                             if path.startswith('openstack/latest/')}
                self.assertEqual(
                    {f'openstack/latest/{path.name}'
                     for path in (tree / 'openstack/latest').iterdir()},
                    {*paths} - {'openstack/latest/'})
            self.iso.unlink()

    def test_links_on_the_drive(self) -> None:
        tree = self.tree(DATES)
        (tree / 'openstack/latest').symlink_to('2018-08-27')
        linked = tree / 'openstack/2018-08-27/user_data'
        linked.unlink()
        linked.symlink_to('../content/0000')
        self.tool(*GENISOIMAGE, '-R', '-V', 'config-2', '-o', self.iso, tree)
        found = self.assert_drive(self.iso, kind='iso9660',
                                  version='2018-08-27',
                                  without=('user_data',))
        self.assertIn('symbolic link', found.problems[0].message)

    def test_with_a_partition_table(self) -> None:
        self.make(*XORRISO, '-J', '-partition_offset', '16')
        self.assertEqual(b'\x55\xaa', self.iso.read_bytes()[510:512])
        self.assert_drive(self.iso, kind='iso9660')
        # The partition itself is a volume, too.
        with opened(self.iso, 16 * 2048) as found:
            self.assertEqual(files(), drive.of_volume(found).files)

    def test_with_attributes(self) -> None:
        tree = self.tree()
        self.tool('xorriso', '-outdev', self.iso, '-volid', 'config-2',
                  '-md5', 'on', '-map', tree, '/', '-setfattr_r',
                  'user.long', 'x' * 3000, '/', '--', '-commit')
        self.assert_drive(self.iso, kind='iso9660')

    def test_in_other_blocks(self) -> None:
        self.make(*NOVA, '-no-pad')
        data = self.iso.read_bytes()
        disk = self.write('disk', noise('before', 3 * 512) + data)
        with opened(disk, 3 * 512) as found:
            self.assertEqual(files(), drive.of_volume(found).files)

    def test_another_label(self) -> None:
        self.make(*NOVA, label='cidata')
        found = drive.read(str(self.iso))
        self.assertEqual(files(), found.files)
        self.assertEqual(['volume label'],
                         [problem.where for problem in found.problems])

    def test_packed(self) -> None:
        self.require('base64', 'gzip')
        self.make(*NOVA)
        zipped = self.tool('gzip', '-c', self.iso)
        for name, data in (
                ('x.iso.gz', zipped),
                ('x.b64', self.tool('base64', self.iso)),
                ('x.gz.b64', self.tool('base64', input=zipped)),
                ('one line', self.tool('base64', '-w0', input=zipped))):
            with self.subTest(name):
                self.assert_drive(self.write(name, data), kind='iso9660')

    def test_on_a_block_device(self) -> None:
        self.require_root()
        self.require('losetup')
        self.make(*NOVA)
        done = subprocess.run(
            ['losetup', '--find', '--show', '--read-only', self.iso],
            capture_output=True, text=True)
        if done.returncode:
            self.not_tested(f'no loop device: {done.stderr.strip()}')
        device = done.stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '--detach', device],
                        check=True)
        self.assert_drive(pathlib.Path(device), kind='iso9660')

    def test_as_openstacksdk_builds_it(self) -> None:
        try:
            from openstack.baremetal import configdrive
        except ImportError:
            self.not_tested('openstacksdk is not installed')
        for network in ({'links': [], 'networks': []}, None):
            built = configdrive.build(
                {'uuid': 'a', 'name': 'b'}, user_data=b'#!/bin/sh\n',
                network_data=network, vendor_data={'site': 'x'})
            found = drive.read(str(self.write('x.b64', built)))
            self.assertEqual(
                {'meta_data.json', 'user_data', 'vendor_data2.json',
                 *(['network_data.json'] if network else [])},
                set(found.files))
            self.assertEqual(b'{"uuid": "a", "name": "b"}',
                             found.files['meta_data.json'])
            self.assertEqual(('config-2', 'latest', ()), (
                found.label, found.version, found.problems))


class TestFat(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('mkfs.vfat', 'mcopy', 'mdel', 'mdir', 'mmd')
        self.image = self.folder / 'x.img'

    def format(self, *options: str, size: int = 64 << 20,
               label: str = 'CONFIG-2') -> None:
        """A volume of that many bytes."""
        self.image.unlink(missing_ok=True)
        with open(self.image, 'wb') as file:
            file.truncate(size)
        self.tool('mkfs.vfat', '-n', label, *options, self.image)

    def copy(self, tree: pathlib.Path) -> None:
        self.tool('mcopy', '-s', '-i', self.image,
                  *sorted(tree.iterdir()), '::/')

    def assert_names(self) -> None:
        with opened(self.image) as found:
            self.assertEqual(by_mtools(self, self.image),
                             {path.rstrip('/') for path in walk(found)})

    def test_each_kind(self) -> None:
        tree = self.tree()
        for bits, clusters in ((12, 4000), (16, 8000), (32, 70000)):
            for sector, per in ((512, 1), (1024, 1), (2048, 1), (4096, 1),
                                (512, 4)):
                with self.subTest(bits=bits, sector=sector, per=per):
                    self.format('-F', str(bits), '-S', str(sector),
                                '-s', str(per),
                                size=clusters * sector * per)
                    self.copy(tree)
                    self.assert_drive(self.image, kind='fat',
                                      label='CONFIG-2')
                    self.assert_names()

    def test_as_ironic_python_agent_makes_it(self) -> None:
        for sector in (512, 4096):
            self.format('-S', str(sector))
            self.copy(self.tree())
            with self.subTest(sector=sector):
                self.assert_drive(self.image, kind='fat', label='CONFIG-2')

    def test_fragments(self) -> None:
        for bits, clusters in ((12, 4000), (16, 8000), (32, 70000)):
            self.format('-F', str(bits), '-s', '1', size=clusters * 512)
            # Every other cluster is free.
            fill = [self.write(f'{number:04}', b'x') for number in range(500)]
            self.tool('mmd', '-i', self.image, '::/fill')
            self.tool('mcopy', '-i', self.image, *fill, '::/fill')
            self.tool('mdel', '-i', self.image,
                      *(f'::/fill/{path.name}' for path in fill[::2]))
            if bits == 32:
                self.look_for_free_clusters_from_the_start()
            self.copy(self.tree(('latest',)))
            with self.subTest(bits=bits):
                where = self.tool('mshowfat', '-i', self.image,
                                  '::/openstack/latest/user_data')
                self.assertGreater(where.count(b'<'), 50)
                self.assert_drive(self.image, kind='fat', label='CONFIG-2')
                self.assert_names()

    def look_for_free_clusters_from_the_start(self) -> None:
        with open(self.image, 'r+b') as file:
            # FSI_Nxt_Free of the FSInfo sector.
            file.seek(512 + 492)
            file.write((2).to_bytes(4, 'little'))

    def test_no_label(self) -> None:
        with open(self.image, 'wb') as file:
            file.truncate(4 << 20)
        self.tool('mkfs.vfat', self.image)
        self.copy(self.tree())
        found = drive.read(str(self.image))
        self.assertEqual((None, files()), (found.label, found.files))
        self.assertEqual(['volume label'],
                         [problem.where for problem in found.problems])

    def test_packed(self) -> None:
        self.format()
        self.copy(self.tree())
        data = gzip.compress(self.image.read_bytes(), 1)
        for name, packed in (('x.img.gz', data),
                             ('x.b64', base64.encodebytes(data))):
            with self.subTest(name):
                self.assert_drive(self.write(name, packed), kind='fat',
                                  label='CONFIG-2')

    def test_whole_disk(self) -> None:
        self.require('sgdisk')
        self.format()
        self.copy(self.tree())
        disk = self.folder / 'disk'
        with open(disk, 'wb') as file:
            file.truncate(80 << 20)
        self.tool('sgdisk', '-n', '1:2048:+64M', disk)
        with open(disk, 'r+b') as file:
            file.seek(1 << 20)
            file.write(self.image.read_bytes())
        with self.assertRaisesRegex(drive.Unreadable, 'with partitions'):
            drive.read(str(disk))
        with opened(disk, 1 << 20) as found:
            self.assertEqual(files(), drive.of_volume(found).files)


class TestFolder(TestCase):

    def test_unpacked(self) -> None:
        tree = self.tree()
        found = drive.read(str(tree))
        self.assertEqual(('folder', None, 'latest', ()), (
            found.kind, found.label, found.version, found.problems))
        self.assertEqual(files(), found.files)
