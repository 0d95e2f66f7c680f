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
import os
import pathlib
import unittest.mock

from esxi_img.firstboot import disks
from esxi_img.firstboot import finding
from esxi_img.firstboot import running
from tests import base
from tests.unit.firstboot import acting
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

MIB = tables.MIB
DRIVES = base.FIXTURES / 'drives'
FILES = acting.FILES
OTHERS = {'meta_data.json': b'{"uuid": "another"}'}
PARTITION = f'{acting.NAA}:2'
VSISH = ('vsish', '-e', 'set')


class TestCase(acting.TestCase):

    def find(self, *, ours: bool = True) -> finding.Found:
        """What is found on NAA, and in the CD drives."""
        return finding.find(
            self.host.looked(acting.NAA) if ours else None,
            disks.cdroms(self.host.places.root), self.host.run,
            self.host.places.volumes)

    def add_cd(self, name: str, content: bytes) -> None:
        (self.host.cds / name).write_bytes(content)

    def assert_found(self, name: str | None, *problems: str,
                     files: dict[str, bytes] = FILES) -> finding.Found:
        """Whose drive is found, and what each problem says."""
        found = self.find()
        self.assertEqual(name, found.source and found.source.name)
        self.assertEqual(name is not None, found.drive is not None)
        if found.drive:
            self.assertEqual(files, found.drive.files)
        told = [f'{one.where}: {one.message}' for one in found.problems]
        self.assertEqual(len(problems), len(told), told)
        for expected, problem in zip(problems, told):
            self.assertIn(expected, problem)
        self.assert_no_secret('\n'.join(told))
        return found

    def vsish(self) -> list[tuple[str, ...]]:
        """What the kernel's module was told."""
        return [(call[3].rpartition('/')[2], call[4])
                for call in self.host.called(*VSISH)]


class TestPartition(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.path = self.host.add_disk(acting.NAA, content=acting.iso())

    def test_iso(self) -> None:
        before = self.path.read_bytes()
        found = self.assert_found(PARTITION)
        assert found.source and found.source.partition
        self.assertEqual(
            (str(self.host.root / 'dev/disks' / acting.NAA), acting.AT,
             2 * MIB, str(tables.DRIVE)),
            (found.source.path, found.source.partition.start,
             found.source.partition.size, found.source.partition.guid))
        self.assertFalse(found.consumed)
        self.assertEqual(before, self.path.read_bytes())

    def test_kernel_comes_first(self) -> None:
        self.host.mounts[PARTITION] = FILES
        self.assert_found(PARTITION)
        self.assertEqual([('mount', PARTITION), ('umount', PARTITION)],
                         self.vsish())
        self.assertEqual(
            ('localcli', 'system', 'module', 'load', '--module', 'iso9660'),
            self.host.calls[0])
        self.assertEqual([], [*self.host.volumes.iterdir()])

    def test_kernel_that_reads_another_drive(self) -> None:
        for wrong in (OTHERS, {**FILES, 'user_data': b'x'}):
            self.host.mounts[PARTITION] = wrong
            self.assert_found(PARTITION, f'{PARTITION}: the kernel reads '
                              'another config drive')

    def test_kernel_alone_can_read_it(self) -> None:
        self.host.mounts[PARTITION] = FILES
        self.host.add_disk(acting.NAA, content=images.iso({}))
        self.assert_found(PARTITION, '; what the kernel reads counts')

    def test_device_fails_for_us(self) -> None:
        self.host.mounts[PARTITION] = FILES
        ours = self.host.looked(acting.NAA)
        with unittest.mock.patch('os.pread', side_effect=OSError(5, 'EIO')):
            found = finding.find(ours, [], self.host.run,
                                 self.host.places.volumes)
        assert found.drive
        self.assertEqual(FILES, found.drive.files)
        self.assertIn('what the kernel reads counts',
                      found.problems[0].message)

    def test_device_is_gone(self) -> None:
        ours = self.host.looked(acting.NAA)
        self.path.unlink()
        found = finding.find(ours, [], self.host.run,
                             self.host.places.volumes)
        self.assertIsNone(found.drive)
        self.assertEqual('No such file or directory',
                         found.problems[0].message)

    def test_kernel_finds_no_drive(self) -> None:
        self.host.mounts[PARTITION] = {}
        self.assert_found(PARTITION)
        self.assertEqual('umount', self.vsish()[-1][0])

    def test_kernel_hangs(self) -> None:
        self.host.answers[*VSISH, '/vmkModules/iso9660/mount'] = \
            running.Result(None, '', '', 60.0)
        self.assert_found(PARTITION)
        self.assertEqual(['mount', 'umount'],
                         [verb for verb, _ in self.vsish()])

    def test_nothing_answers(self) -> None:
        self.host.answers.clear()
        self.assert_found(PARTITION)

    def test_stays_mounted(self) -> None:
        self.host.mounts[PARTITION] = FILES
        self.host.answers[*VSISH, '/vmkModules/iso9660/umount'] = \
            acting.result('', 1)
        self.assert_found(PARTITION, f'{PARTITION}: is still mounted')

    def test_a_volume_of_that_name_was_there(self) -> None:
        for name in ('config-2', 'CONFIG-2'):
            with self.subTest(name):
                folder = self.host.volumes / name
                (folder / 'openstack/latest').mkdir(parents=True)
                (folder / 'openstack/latest/meta_data.json').write_bytes(
                    OTHERS['meta_data.json'])
                self.assert_found(PARTITION)
                self.assertEqual([], self.vsish())
                folder.rename(self.host.root / name)

    def test_odd_volumes(self) -> None:
        self.host.mounts[PARTITION] = FILES
        (self.host.volumes / 'nowhere').symlink_to('missing')
        (self.host.volumes / 'loop').symlink_to('loop')
        (self.host.volumes / 'a\nb').mkdir()
        os.mkdir(os.fsencode(self.host.volumes) + b'/\xff')
        self.assert_found(PARTITION)

    def test_no_volumes(self) -> None:
        self.host.volumes.rmdir()
        self.assert_found(PARTITION)

    def test_one_that_is_none(self) -> None:
        for content in (images.iso({'other': {}}), images.iso({})):
            self.host.add_disk(acting.NAA, content=content)
            self.assert_found(None, f'{PARTITION}: ')

    def test_one_that_we_do_not_know_for_one(self) -> None:
        damaged = acting.iso()[:20 * 2048]
        self.host.add_disk(acting.NAA, content=damaged)
        self.assertEqual((), self.host.looked(acting.NAA).drives)
        self.assert_found(None)
        self.assertEqual([('mount', PARTITION)], self.vsish())
        self.host.mounts[PARTITION] = FILES
        found = self.assert_found(PARTITION, '; what the kernel reads counts')
        assert found.source and found.source.partition
        self.assertEqual(2, found.source.partition.number)

    def test_everything_is_closed(self) -> None:
        before = os.listdir('/proc/self/fd')
        self.find()
        self.assertEqual(before, os.listdir('/proc/self/fd'))


class TestForms(TestCase):
    """Of what builders make, on the disks that they are put on."""

    def test_fat(self) -> None:
        self.host.add_disk(acting.NAA, content=images.fat(
            acting.tree()).image())
        self.assert_found(PARTITION)

    def test_four_kn(self) -> None:
        self.host.add_disk(
            acting.NAA, tables.with_drive(sector=4096), images.fat(
                acting.tree(), sector=4096).image())
        self.assert_found(PARTITION)

    def put(self, data: bytes, sector: int = 512) -> None:
        """On a partition of 66 MiB."""
        mib = MIB // sector
        # Trailing zeros would only take time.
        self.host.add_disk(acting.NAA, tables.ours(
            80 * MIB, sector, [tables.entry(4 * mib, 70 * mib - 1)]),
            data.rstrip(b'\0'))

    def test_made_by_others(self) -> None:
        names = {path.name for path in (DRIVES / 'full-metadata').iterdir()}
        for name, sector in (('nova-iso9660-full-metadata.iso', 512),
                             ('nova-vfat-full-metadata.img.gz', 512),
                             ('ipa-rebuilt-vfat-4096.img.gz', 4096)):
            with self.subTest(name):
                data = (DRIVES / name).read_bytes()
                if name.endswith('.gz'):
                    data = gzip.decompress(data)
                self.put(data, sector)
                found = self.find()
                assert found.drive and found.source
                self.assertEqual(PARTITION, found.source.name)
                self.assertEqual(names, set(found.drive.files))
                self.assertEqual(
                    (DRIVES / 'full-metadata/user_data').read_bytes(),
                    found.drive.files['user_data'])


class TestSeveral(TestCase):

    def put(self, *contents: bytes) -> None:
        """Two partitions of 1 MiB, at 4 and at 6 MiB."""
        second = '22222222-2222-4333-8444-555555555555'
        path = tables.ours(drive=[
            tables.entry(8192, 10239),
            tables.entry(12288, 14335, tables.uuid.UUID(second))]).write(
            self.host.disks / acting.NAA)
        with open(path, 'r+b') as file:
            for number, content in enumerate(contents):
                file.seek(acting.AT + number * 2 * MIB)
                file.write(content)

    def test_the_first_counts(self) -> None:
        self.put(acting.iso(), acting.iso(OTHERS))
        self.assert_found(PARTITION, f'{acting.NAA}:3: another config '
                          f'drive; {PARTITION} counts')

    def test_the_second_can_be_read(self) -> None:
        self.put(images.iso({}), acting.iso())
        self.assert_found(f'{acting.NAA}:3', f'{PARTITION}: ',
                          f'{PARTITION}: another config drive')

    def test_consumed_and_a_new_one(self) -> None:
        self.put(finding.MARK, acting.iso())
        self.assertFalse(self.assert_found(f'{acting.NAA}:3').consumed)

    def test_consumed(self) -> None:
        for contents in ((finding.MARK,), (b'', finding.MARK),
                         (finding.MARK + b'left',)):
            self.put(*contents)
            found = self.assert_found(None)
            self.assertTrue(found.consumed)

    def test_consumed_goes_before_a_cd(self) -> None:
        self.put(finding.MARK)
        self.add_cd('cd0', acting.iso())
        self.assertTrue(self.assert_found(None).consumed)

    def test_not_quite_consumed(self) -> None:
        self.put(finding.MARK[:-1], b'\0' + finding.MARK)
        self.assertFalse(self.assert_found(None).consumed)

    def test_a_mark_that_cannot_be_read(self) -> None:
        self.put(finding.MARK)
        ours = self.host.looked(acting.NAA)
        with unittest.mock.patch('os.pread', side_effect=OSError(5, 'EIO')):
            found = finding.find(ours, [], self.host.run, '/nowhere')
        self.assertEqual(finding.Found(), found)


class TestCds(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.host.add_disk(acting.NAA, tables.ours())

    def test_only_a_cd(self) -> None:
        self.add_cd('mpx.vmhba64:C0:T0:L0', acting.iso())
        self.host.mounts['mpx.vmhba64:C0:T0:L0'] = FILES
        found = self.assert_found('mpx.vmhba64:C0:T0:L0')
        assert found.source
        self.assertIsNone(found.source.partition)
        self.assertEqual({'mpx.vmhba64:C0:T0:L0'},
                         {name for _, name in self.vsish()})

    def test_without_a_disk(self) -> None:
        self.add_cd('cd0', acting.iso())
        found = self.find(ours=False)
        assert found.drive
        self.assertEqual(FILES, found.drive.files)

    def test_the_first_that_can_be_read(self) -> None:
        for number, content in enumerate((
                b'', b'x' * 40000, images.iso({}),
                images.iso(acting.tree(OTHERS), 'rr', 'cidata'),
                acting.iso(), acting.iso(OTHERS))):
            self.add_cd(f'cd{number}', content)
        self.assert_found('cd4')

    def test_the_disk_goes_first(self) -> None:
        self.host.add_disk(acting.NAA, content=acting.iso())
        self.add_cd('cd0', acting.iso(OTHERS))
        cds = disks.cdroms(self.host.places.root)
        (self.host.cds / 'cd0').unlink()
        found = finding.find(self.host.looked(acting.NAA), cds,
                             self.host.run, self.host.places.volumes)
        self.assertEqual(
            (PARTITION, ()),
            (found.source and found.source.name, found.problems))

    def test_the_disk_has_one_that_cannot_be_read(self) -> None:
        self.host.add_disk(acting.NAA, content=images.iso({}))
        self.add_cd('cd0', acting.iso())
        self.assert_found('cd0', f'{PARTITION}: ')

    def test_no_drive_at_all(self) -> None:
        (self.host.cds / 'cd0').mkdir()
        self.assert_found(None)
        self.assertEqual([], self.vsish())

    def test_none(self) -> None:
        self.assert_found(None)
        self.assertEqual(finding.Found(), self.find(ours=False))


class TestStrangers(TestCase):

    def strangers(self) -> list[str]:
        return finding.strangers(self.host.looked(acting.OTHER))

    def path(self) -> pathlib.Path:
        return self.host.disks / acting.OTHER

    def test_partitions(self) -> None:
        for content in (acting.iso(), images.fat(acting.tree()).image(),
                        images.iso({}, label='Config-2')):
            self.host.add_disk(acting.OTHER, tables.with_drive(
                disk=acting.FOREIGN), content)
            self.assertEqual([f'{acting.OTHER}:2'], self.strangers())

    def test_a_twin(self) -> None:
        self.host.add_disk(acting.OTHER, content=acting.iso())
        self.assertEqual([f'{acting.OTHER}:2'], self.strangers())

    def test_whole_disk(self) -> None:
        self.path().write_bytes(acting.iso())
        self.assertEqual([acting.OTHER], self.strangers())

    def test_none(self) -> None:
        for content in (b'', images.iso({}, label='cidata'), b'x' * 40000,
                        images.fat({}, b'BOOTBANK1  ').image()):
            self.path().write_bytes(content)
            self.assertEqual([], self.strangers())
            self.host.add_disk(acting.OTHER, content=content)
            self.assertEqual([], self.strangers())

    def test_gone(self) -> None:
        self.host.add_disk(acting.OTHER, content=acting.iso())
        seen = self.host.looked(acting.OTHER)
        self.path().unlink()
        self.assertEqual([], finding.strangers(seen))
