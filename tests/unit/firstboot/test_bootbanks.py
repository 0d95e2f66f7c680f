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
import pathlib
import unittest.mock

from esxi_img.firstboot import bootbanks
from esxi_img.firstboot import disks
from esxi_img.firstboot import place
from esxi_img.firstboot import running
from tests.unit.firstboot import acting
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

NAA, OTHER, VML = acting.NAA, acting.OTHER, acting.VML
CONFIG = acting.CONFIG
EMPTY = CONFIG.replace(b'k.b00 --- s.v00 --- onetime.tgz', b'')


class TestCase(acting.TestCase):

    def disk(self, name: str = NAA) -> disks.Disk:
        return self.host.looked(name).disk

    def banks(self, name: str = NAA) -> list[str]:
        """The folders of the bootbanks that are found on a disk."""
        found = bootbanks.of_disk(self.disk(name), self.host.run,
                                  self.host.places.volumes)
        for bank in found:
            self.assertEqual(pathlib.Path(bank.folder, 'boot.cfg'
                                          ).read_bytes(), bank.config)
        return [bank.folder for bank in found]

    def silent(self, answer: running.Result = acting.MISSING) -> None:
        """vmkfstools does not tell."""
        self.host.answers['vmkfstools',] = answer
        del self.host.answers['vmkfstools', '-P']


class TestOfDisk(TestCase):

    def test_new_host(self) -> None:
        folder = self.host.install(NAA)
        self.assertEqual([str(folder)], self.banks())
        self.assertEqual([('vmkfstools', '-P', str(folder))],
                         self.host.called('vmkfstools'))

    def test_older_esxi_on_another_disk(self) -> None:
        older = self.host.install(OTHER)
        folder = self.host.install(NAA)
        # The label leads to the older one.
        self.assertEqual(older, (self.host.volumes / 'BOOTBANK1').resolve())
        self.assertEqual([str(folder)], self.banks())
        self.assertEqual([str(older)], self.banks(OTHER))

    def test_two_banks(self) -> None:
        first = self.host.install(NAA)
        second = self.host.volumes / str(acting.uuid.uuid5(
            acting.uuid.NAMESPACE_OID, f'{NAA}:6'))
        (second / 'boot.cfg').write_bytes(CONFIG.replace(b'updated=1',
                                                         b'updated=2'))
        self.assertEqual({str(first), str(second)}, set(self.banks()))

    def test_spans_under_another_name(self) -> None:
        folder = self.host.install(NAA)
        (self.host.disks / VML).symlink_to(NAA)
        self.host.spans[str(folder)] = f'{VML}:5'
        self.assertEqual([str(folder)], self.banks())

    def test_name_that_starts_alike(self) -> None:
        folder = self.host.install(NAA)
        for spans in (f'{NAA}0:5', f'{NAA[:-1]}:5', f'x{NAA}:5'):
            self.host.spans[str(folder)] = spans
            self.assertEqual([], self.banks())

    def test_what_stands_before_the_heading(self) -> None:
        folder = self.host.install(NAA)
        self.host.answers['vmkfstools', '-P'] = acting.result(
            f'{OTHER}:5\nPartitions spanned (on "disks"):\n\n\t{NAA}:5\n')
        self.assertEqual(([str(folder)], []), (self.banks(), bootbanks.
                         of_disk(disks.Disk(OTHER, '/nowhere'), self.host.run,
                                 self.host.places.volumes)))

    def test_names_with_colons(self) -> None:
        name = 'mpx.vmhba32:C0:T0:L0'
        folder = self.host.install(name)
        self.host.install('mpx.vmhba32:C0:T0:L1')
        self.assertEqual([str(folder)], self.banks(name))

    def test_no_banks(self) -> None:
        self.host.add_disk(NAA)
        self.assertEqual([], self.banks())
        self.host.volumes.rmdir()
        self.assertEqual([], self.banks())

    def test_no_modules(self) -> None:
        folder = self.host.install(NAA)
        for config in (EMPTY, b'', b'#modules=x\n', b'modules= \t\r\n',
                       b'xmodules=k.b00\n', b'modules =k.b00\n'):
            (folder / 'boot.cfg').write_bytes(config)
            self.assertEqual([], self.banks(), config)

    def test_modules_as_the_loader_reads_them(self) -> None:
        folder = self.host.install(NAA)
        for config in (CONFIG.replace(b'\n', b'\r\n'), b'modules=k.b00',
                       b' \tmodules=\t k.b00\n',
                       b'modules=\nmodules=k.b00\n'):
            (folder / 'boot.cfg').write_bytes(config)
            self.assertEqual([str(folder)], self.banks(), config)

    def test_odd_volumes(self) -> None:
        folder = self.host.install(NAA)
        outside = self.host.root / 'outside'
        outside.mkdir()
        (outside / 'boot.cfg').write_bytes(CONFIG)
        self.host.spans[str(outside)] = f'{NAA}:5'
        (self.host.volumes / 'away').symlink_to(outside)
        (self.host.volumes / 'nowhere').symlink_to('missing')
        (self.host.volumes / 'loop').symlink_to('loop')
        (self.host.volumes / 'itself').symlink_to('.')
        (self.host.volumes / 'file').write_bytes(CONFIG)
        for number, odd in enumerate((
                None, b'x' * (place.LIMIT + 1))):
            volume = self.host.volumes / f'datastore {number}'
            volume.mkdir()
            self.host.spans[str(volume)] = f'{NAA}:8'
            if odd is None:
                (volume / 'boot.cfg').mkdir()
            else:
                (volume / 'boot.cfg').write_bytes(odd)
        linked = self.host.volumes / 'linked'
        linked.mkdir()
        (linked / 'boot.cfg').symlink_to(folder / 'boot.cfg')
        self.host.spans[str(linked)] = f'{NAA}:8'
        self.assertEqual([str(folder)], self.banks())

    def test_names_of_volumes(self) -> None:
        folder = self.host.install(NAA)
        for name in (b'a b', b'a\nb', b'\xff', b'-P', b'BOOTBANK1 (1)'):
            odd = folder.rename(os.fsdecode(
                os.fsencode(self.host.volumes) + b'/' + name))
            self.host.spans = {str(odd): f'{NAA}:5'}
            self.assertEqual([str(odd)], self.banks())
            folder = odd


class TestByContent(TestCase):
    """Without vmkfstools."""

    def test_missing_or_useless(self) -> None:
        folder = self.host.install(NAA)
        for answer in (acting.MISSING, acting.result('', 1),
                       acting.result(), acting.result('garbage'),
                       acting.result(f'{NAA}:5\nno heading'),
                       acting.result(f'Partitions spanned:\n {NAA}:5\n', 1),
                       running.Result(None, f'Partitions spanned\n{OTHER}:5',
                                      '', 60)):
            with self.subTest(answer.output):
                self.host.answers['vmkfstools', '-P'] = answer
                self.assertEqual([str(folder)], self.banks())

    def test_another_disk(self) -> None:
        self.host.install(NAA)
        other = CONFIG.replace(b'24022510', b'1')
        folder = self.host.install(OTHER, other)
        self.silent()
        self.assertEqual([str(folder)], self.banks(OTHER))

    def test_same_content_on_another_disk(self) -> None:
        self.host.install(OTHER)
        self.host.install(NAA)
        self.silent()
        self.assertEqual([], self.banks())

    def test_only_the_others_say(self) -> None:
        older = self.host.install(OTHER)
        folder = self.host.install(NAA)
        answer = self.host.answers['vmkfstools', '-P']
        assert callable(answer)
        self.host.answers['vmkfstools', '-P'] = lambda words: answer(
            words) if words[-1] == str(older) else acting.MISSING
        self.assertEqual([str(folder)], self.banks())

    def test_nothing_on_the_disk(self) -> None:
        self.host.install(NAA)
        self.silent()
        for content in (b'', b'x' * 512, images.fat({}).image(),
                        images.iso({'boot.cfg': EMPTY})):
            with open(self.host.disks / NAA, 'r+b') as file:
                file.seek(8192 * 512)
                file.write(content.ljust(70000, b'\0'))
            self.assertEqual([], self.banks())

    def test_disk_that_fails(self) -> None:
        self.host.install(NAA)
        self.silent()
        disk = self.disk()
        with unittest.mock.patch('os.pread', side_effect=OSError(5, 'EIO')):
            self.assertEqual([], bootbanks.of_disk(
                disk, self.host.run, self.host.places.volumes))
        (self.host.disks / NAA).unlink()
        self.assertEqual([], bootbanks.of_disk(
            disk, self.host.run, self.host.places.volumes))


class TestFingerprint(TestCase):

    def fingerprint(self, table: tables.Table) -> str | None:
        self.host.add_disk(NAA, table)
        return bootbanks.fingerprint(bootbanks.table_of(self.disk()))

    def test_every_change_counts(self) -> None:
        one = tables.entry(8192, 12287)
        prints = [self.fingerprint(table) for table in (
            tables.with_drive(), tables.ours(),
            tables.with_drive(disk=acting.FOREIGN),
            tables.ours(drive=[tables.entry(8192, 12286)]),
            tables.ours(drive=[tables.entry(8200, 12287)]),
            tables.ours(drive=[None, one]),
            tables.ours(drive=[tables.entry(8192, 12287, tables.ESP)]))]
        self.assertEqual(len(prints), len(set(prints)))

    def test_nothing_else_does(self) -> None:
        self.assertEqual(
            self.fingerprint(tables.with_drive()),
            self.fingerprint(tables.with_drive(image_size=7 << 20)))

    def test_none(self) -> None:
        (self.host.disks / NAA).write_bytes(b'x' * 4096)
        disk = self.disk()
        self.assertIsNone(bootbanks.table_of(disk))
        self.assertIsNone(bootbanks.fingerprint(None))
        (self.host.disks / NAA).unlink()
        self.assertIsNone(bootbanks.table_of(disk))

    def test_everything_is_closed(self) -> None:
        self.host.install(NAA)
        self.silent()
        before = os.listdir('/proc/self/fd')
        self.banks()
        bootbanks.table_of(self.disk())
        self.assertEqual(before, os.listdir('/proc/self/fd'))


class TestWithOptions(TestCase):

    def assert_becomes(self, expected: bytes, config: bytes, *words: str
                       ) -> None:
        self.assertEqual(expected, bootbanks.with_options(config, words))
        # A second time changes nothing.
        self.assertEqual(expected, bootbanks.with_options(expected, words))

    def test_added(self) -> None:
        self.assert_becomes(
            CONFIG.replace(b'=FALSE\n', b'=FALSE a=b c\n'), CONFIG,
            'a=b', 'c')

    def test_nothing_to_add(self) -> None:
        for config in (CONFIG, b'', b'kernelopt=  a  b \r\n'):
            self.assert_becomes(config, config)

    def test_replaced(self) -> None:
        for given, words, expected in (
                (b'a=1 b=2 c', ('b=3',), b'a=1 c b=3'),
                (b'a=1 b=2 c', ('c=1', 'a'), b'b=2 c=1 a'),
                (b'ab=1 a=1', ('a=2',), b'ab=1 a=2'),
                (b'A=1', ('a=2',), b'A=1 a=2'),
                (b'a=b=c', ('a=d=e',), b'a=d=e'),
                (b'', ('a',), b'a'),
                (b'x  y', ('x', 'x=1'), b'y x x=1')):
            with self.subTest(given):
                self.assert_becomes(b'kernelopt=' + expected + b'\nz=1\n',
                                    b'kernelopt=' + given + b'\nz=1\n',
                                    *words)

    def test_ends_of_lines(self) -> None:
        for config in (b'kernelopt=x\r\ntitle=y\r\n', b'kernelopt=x',
                       b'title=y\r\nkernelopt=x\ntitle=z', b'kernelopt=x\r'):
            self.assert_becomes(config.replace(b'=x', b'=x a'), config, 'a')

    def test_blanks_as_the_loader_has_them(self) -> None:
        self.assert_becomes(b' \tkernelopt= \tx a\n', b' \tkernelopt= \tx\n',
                            'a')
        self.assert_becomes(b'kernelopt =x\nkernelopt=a\n',
                            b'kernelopt =x\n', 'a')

    def test_no_kernelopt(self) -> None:
        for config, expected in (
                (b'kernel=b.b00\n', b'kernel=b.b00\nkernelopt=a b=1\n'),
                (b'kernel=b.b00', b'kernel=b.b00\nkernelopt=a b=1\n'),
                (b'x=1\r\ny=2\r\n', b'x=1\r\ny=2\r\nkernelopt=a b=1\r\n'),
                (b'', b'kernelopt=a b=1\n'),
                (b'#kernelopt=x\nxkernelopt=y\n',
                 b'#kernelopt=x\nxkernelopt=y\nkernelopt=a b=1\n')):
            self.assert_becomes(expected, config, 'a', 'b=1')

    def test_the_last_one_counts(self) -> None:
        self.assert_becomes(b'kernelopt=x\nkernelopt=y a\n',
                            b'kernelopt=x\nkernelopt=y\n', 'a')

    def test_bytes_that_are_no_text(self) -> None:
        self.assert_becomes(b'title=\xff\xfe\nkernelopt=\xe4=\xff a\n\0',
                            b'title=\xff\xfe\nkernelopt=\xe4=\xff\n\0', 'a')
