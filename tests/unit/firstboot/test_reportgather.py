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

"""A report's parts are gathered whatever the host does."""

import collections.abc
import itertools
import json
import os
import pathlib
import typing

from esxi_img.firstboot import reportcommands as commands
from esxi_img.firstboot import reportfiles
from esxi_img.firstboot import reportgather
from esxi_img.firstboot import reportmodel
from esxi_img.firstboot import running
from tests import base

BANK = 'vmfs/volumes/5f0f-1'
DISK = 'naa.600508b1001c4d6a'


class TestCase(base.TestCase):
    """A host in a folder, and programs that answer from a table."""

    def setUp(self) -> None:
        super().setUp()
        self.root = self.tmp()
        self.now = 0.0
        self.calls: list[tuple[tuple[str, ...], float]] = []
        self.answers: dict[str, typing.Any] = {
            commands.VERSION: {'Version': '8.0.3'},
            commands.SWITCHES: [{'Name': 'vSwitch0'}],
            commands.VMKS: [{'Name': 'vmk0'}],
            'hardware platform get': {'Product Name': 'X',
                                      'Serial Number': 'Hunter22'}}
        for name in (BANK, 'vmfs/volumes/5f0f-2', 'tmp',
                     'vmfs/devices/disks'):
            (self.root / name).mkdir(parents=True)
        for link, name in (('bootbank', BANK),
                           ('altbootbank', 'vmfs/volumes/5f0f-2'),
                           ('vmfs/volumes/BOOTBANK1', '5f0f-1')):
            (self.root / link).symlink_to(name)
        self.put(f'vmfs/devices/disks/{DISK}', '')
        self.put(f'vmfs/devices/disks/{DISK}:1', '')

    def put(self, name: str, content: str) -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def run_(self, argv: collections.abc.Sequence[str], timeout: float
             ) -> running.Result:
        self.calls.append((tuple(argv), timeout))
        words = commands.words_of(tuple(argv))
        if words in self.answers:
            return running.Result(0, json.dumps(self.answers[words]), '', 0.1)
        return running.Result(1, '', 'Unknown command', 0.1)

    def gather(self, run: running.Run | None = None, home: str = '',
               room: int = reportfiles.ROOM) -> reportmodel.Gathered:
        gatherer = reportgather.Gatherer(
            reportfiles.Reader(str(self.root), room), run or self.run_,
            lambda: self.now, home)
        gatherer.gather()
        return gatherer.found

    def paths(self, **options: typing.Any) -> list[str]:
        return [one.path for one in self.gather(**options).files]


class TestFiles(TestCase):

    def test_records(self) -> None:
        for name in ('state.json', 'journal.jsonl', 'installer.jsonl',
                     'build.json', 'settings.json', 'installed.json',
                     'drive/wishes.json', 'firstboot/x.py', 'ca.pem',
                     'esxi-img-collect'):
            self.put(f'{BANK}/esxiimg/{name}', 'Hunter22')
        self.put('var/log/esxi-img/state.json', '{}')
        found = self.gather()
        home = f'/{BANK}/esxiimg'
        self.assertEqual(
            [*(f'{home}/{name}' for name in (
                'build.json', 'installed.json', 'installer.jsonl',
                'journal.jsonl', 'settings.json', 'state.json')),
             '/var/log/esxi-img/state.json'],
            [one.path for one in found.files])
        # Of all others the names and sizes.
        self.assertIn(('drive/wishes.json', 8, 'file'),
                      [tuple(entry) for entry in found.folders[home]])

    def test_in_the_installer(self) -> None:
        for name in ('tmp/esxiimg/pre.json', 'tmp/esxiimg/journal.jsonl',
                     'tmp/esxiimg/pre.out', 'tmp/esxiimg/pre.status',
                     'tmp/esxiimg/rootpw.cfg', 'tmp/esxiimg/new/disk.cfg',
                     'esxiimg/KS.CFG', 'esxiimg/rootpw.cfg',
                     'esxiimg/build.json', 'var/log/weasel.log',
                     'tmp/esxiimg/drive/openstack/latest/meta_data.json',
                     'tmp/esxiimg/drive/wishes.json'):
            self.put(name, name)
        (self.root / 'bootbank').unlink()
        (self.root / 'bootbank').symlink_to('tmp')
        found = self.gather()
        self.assertEqual(
            ['/esxiimg/KS.CFG', '/esxiimg/build.json', '/esxiimg/rootpw.cfg',
             *(f'/tmp/esxiimg/{name}' for name in (
                 'journal.jsonl', 'pre.json', 'pre.out', 'pre.status',
                 'rootpw.cfg', 'new/disk.cfg')), '/var/log/weasel.log'],
            [one.path for one in found.files])
        # What is read, so that it is not in the report, which has no trace.
        self.assertEqual(2, sum('drive' in text for text in set(
            found.secrets)))

    def test_banks_that_are_no_links_yet(self) -> None:
        """As %post has just filled them."""
        for link in ('bootbank', 'altbootbank'):
            (self.root / link).unlink()
        self.put(f'{BANK}/esxiimg/installer.jsonl', '{}')
        self.put(f'{BANK}/esxiimg/drive/wishes.json', '{"a": "b"}')
        self.put(f'{BANK}/boot.cfg', 'bootstate=0')
        found = self.gather()
        self.assertEqual([f'/{BANK}/boot.cfg',
                          f'/{BANK}/esxiimg/installer.jsonl'],
                         [one.path for one in found.files])
        self.assertEqual(['{"a": "b"}'], found.secrets)
        self.assertIn(f'/{BANK}/esxiimg', found.folders)

    def test_its_own_folder(self) -> None:
        """Where it was found, should that be neither of these."""
        self.put('vmfs/volumes/other/esxiimg/state.json', '{}')
        self.assertEqual(['/vmfs/volumes/other/esxiimg/state.json'],
                         self.paths(home='/vmfs/volumes/other/esxiimg'))

    def test_logs(self) -> None:
        self.put('var/log/syslog.log', 'a\nesxi-img: b\nc\n' * 3)
        self.put('var/log/vmkernel.log', 'Loading module iso9660\nnoise\n')
        self.put('var/log/shell.log', 'esxi-img passwd Hunter22\n')
        self.put('var/log/kickstart.log', 'all\nof\nit\n')
        found = {one.path: one.text for one in self.gather().files}
        self.assertEqual({'/var/log/syslog.log': 'esxi-img: b\n' * 3,
                          '/var/log/vmkernel.log': 'Loading module iso9660\n',
                          '/var/log/kickstart.log': 'all\nof\nit\n'}, found)

    def test_datastores_are_not_looked_into(self) -> None:
        self.put('vmfs/volumes/data/vm-of-mine/vm.vmx', 'x')
        found = self.gather()
        self.assertNotIn('vm-of-mine', repr(found))
        self.assertIn('data', [
            entry.name for entry in found.folders['/vmfs/volumes']])

    def test_hostile_files(self) -> None:
        shadow = self.put('etc/shadow', 'root:$6$a$Hunter22:1')
        home = self.root / BANK / 'esxiimg'
        home.mkdir()
        (home / 'state.json').symlink_to(shadow)
        os.mkfifo(home / 'journal.jsonl')
        (home / 'build.json').mkdir()
        (home / 'x.out').write_bytes(b'\xff\0' * 9)
        (self.root / 'tmp/esxiimg').symlink_to('/etc')
        (self.root / 'var/log').mkdir(parents=True)
        (self.root / 'var/log/syslog.log').symlink_to(shadow)
        with open(self.root / 'var/log/vmkernel.log', 'wb') as file:
            file.truncate(1 << 40)
            file.seek(0, os.SEEK_END)
            file.write(b'\nesxi-img: at its end\n')
        found = self.gather()
        self.assertEqual([], found.notes)
        self.assertEqual(
            ['', '', '', '\\xff\0' * 9, '', 'esxi-img: at its end\n'],
            [one.text for one in found.files])
        self.assertEqual(
            ['is no regular file', 'is no regular file', 'is a link'],
            [one.note for one in found.files[:3]])
        self.assertEqual(['root:$6$a$Hunter22:1'], found.secrets)

    def test_the_report_has_an_end(self) -> None:
        for number in range(40):
            self.put(f'{BANK}/esxiimg/{number:02}.out', 'x' * 100)
        found = self.gather(room=1000)
        self.assertEqual(1000, sum(len(one.text) for one in found.files))
        self.assertEqual('the report is full', found.files[-1].note)


class TestCommands(TestCase):

    def test_what_is_asked(self) -> None:
        found = self.gather()
        argvs = [argv for argv, _ in self.calls]
        self.assertEqual(argvs, [one.argv for one in found.told])
        self.assertEqual([], [argv for argv in argvs if 'localcli' in argv])
        for wanted in (
                commands.SECURE_BOOT,
                (*commands.argv('esxcli', 'network vswitch standard policy '
                                'failover get'),
                 '--vswitch-name', 'vSwitch0'),
                (*commands.argv('esxcli', 'network ip interface tag get'),
                 '--interface-name', 'vmk0'),
                ('partedUtil', 'getptbl', f'/vmfs/devices/disks/{DISK}'),
                ('vmkfstools', '-P', f'/{BANK}')):
            self.assertEqual(1, argvs.count(wanted), wanted)
        self.assertEqual(1, sum('partedUtil' in argv for argv in argvs))

    def test_without_hostd(self) -> None:
        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            return running.Result(1, '', 'Connection failure', 0.1) \
                if argv[0] == 'esxcli' else self.run_(argv, timeout)

        found = self.gather(run)
        self.assertEqual([commands.argv('esxcli', commands.VERSION)], [
            one.argv for one in found.told if one.argv[0] == 'esxcli'])
        self.assertIn(('localcli', 0), [
            (one.argv[0], one.status) for one in found.told])

    def test_what_is_kept_of_an_answer(self) -> None:
        found = self.gather()
        one, = (one for one in found.told
                if commands.words_of(one.argv) == 'hardware platform get')
        self.assertEqual('[{"Product Name": "X"}]', one.output)
        self.assertNotIn('Hunter22', repr(found))

    def test_all_hang(self) -> None:
        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            self.calls.append((tuple(argv), timeout))
            # To end one takes another three seconds.
            self.now += timeout + 3
            return running.Result(None, 'half an ans', '', timeout)

        self.put(f'{BANK}/esxiimg/state.json', '{}')
        found = self.gather(run)
        self.assertLess(self.now, reportgather.COMMANDS + 5)
        # Each leaves some of the time to those behind it.
        self.assertGreater(len(self.calls), 9)
        self.assertEqual({None}, {one.status for one in found.told})
        self.assertEqual(
            ['ended: it took too long', 'not run: no time was left'],
            [key for key, _ in itertools.groupby(
                one.error for one in found.told)])
        self.assertEqual(f'/{BANK}/esxiimg/state.json', found.files[0].path)

    def test_endless_answers(self) -> None:
        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            return running.Result(0, 'x' * (1 << 20), 'y' * (1 << 20), 0.1)

        found = self.gather(run)
        self.assertLessEqual(sum(len(one.output) for one in found.told),
                             reportfiles.ROOM)
        self.assertEqual({1 << 12}, {len(one.error) for one in found.told})

    def test_a_part_that_breaks(self) -> None:
        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            raise ValueError('Hunter22')

        self.put('var/log/weasel.log', 'said')
        found = self.gather(run)
        self.assertEqual(['ask: stopped by ValueError'], found.notes)
        self.assertIn('/var/log/weasel.log',
                      [one.path for one in found.files])
