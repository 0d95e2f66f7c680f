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

"""esxi-img-plan as a user runs it."""

import base64
import gzip
import json
import os
import pathlib
import resource
import subprocess
import typing

from tests import base
from tests.functional import command
from tests.functional import test_secrets

PLAN = 'esxi_img.cmd.plan'
DRIVES = base.FIXTURES / 'drives'
FULL = ('nova-iso9660-full-metadata.iso', 'nova-vfat-full-metadata.img.gz',
        'ipa-rebuilt-vfat-4096.img.gz', 'hand-level1-83.iso')
OTHER = 'openstacksdk-genisoimage.iso'
SECRET = 'Hunter22!x'
MAC = '52:54:00:00:00:01'
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEEXAMPLEEXAMPLE ops'
META = {'uuid': 'u', 'hostname': 'h.example.org', 'admin_pass': SECRET,
        'public_keys': {'ops': KEY}}
NETWORK = {
    'links': [{'id': 'eth0', 'type': 'phy', 'ethernet_mac_address': MAC}],
    'networks': [{'id': 'net0', 'type': 'ipv4', 'link': 'eth0',
                  'ip_address': '192.0.2.10', 'netmask': '255.255.255.0',
                  'gateway': '192.0.2.1'}],
    'services': []}
NIC_LIST = f'''\
Name    PCI Device    Driver  Admin Status  Link Status  Speed  Duplex  \
MAC Address         MTU  Description
------  ------------  ------  ------------  -----------  -----  ------  \
-----------------  ----  -----------
vmnic0  0000:03:00.0  ixgben  Up            Down             0  Half    \
02:00:00:00:00:09  1500  Intel(R) Ethernet Controller X540-AT2
vmnic10 0000:03:00.1  ixgben  Up            Up           10000  Full    \
{MAC.upper()}  1500  Intel(R) Ethernet Controller X540-AT2
'''
AS_JSON = [{'Name': 'vmnic0', 'MAC Address': '02:00:00:00:00:09',
            'Link Status': 'Down', 'Speed': 0},
           {'Name': 'vmnic10', 'MACAddress': MAC, 'LinkStatus': 'Up'}]
OURS = {'nics': [{'name': 'vmnic10', 'mac': MAC, 'up': True},
                 {'name': 'vmnic0', 'mac': '02-00-00-00-00-09'}]}


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.drive = self.folder / 'drive'
        self.drive.mkdir()
        self.write('drive/meta_data.json', json.dumps(META))
        self.write('drive/network_data.json', json.dumps(NETWORK))

    def plan(self, *arguments: command.Word, **options: typing.Any
             ) -> command.Done:
        return command.run(*arguments, module=PLAN, **options)

    def told(self, *arguments: command.Word, **options: typing.Any
             ) -> dict[str, typing.Any]:
        """The one object that --json prints, and nothing else."""
        done = self.plan('--json', *arguments, **options)
        self.assertEqual((0, ''), (done.code, done.stderr), done.stderr)
        self.assertTrue(done.stdout.isascii())
        self.assertTrue(done.stdout.endswith('\n}\n'))
        return json.loads(done.stdout)

    def said(self, *arguments: command.Word, **options: typing.Any) -> str:
        done = self.plan(*arguments, **options)
        self.assertEqual((0, ''), (done.code, done.stderr), done.stderr)
        self.assertTrue(done.stdout.isascii())
        self.assertNotRegex(done.stdout, '[\0-\x09\x0b-\x1f\x7f]')
        self.assertNotIn(SECRET, done.stdout)
        return done.stdout


class TestDrives(TestCase):

    def test_one_drive_in_all_forms(self) -> None:
        folder = self.told(DRIVES / 'full-metadata')
        for name in FULL:
            one = self.told(DRIVES / name)
            # Names of 8.3 do not tell these two apart.
            if name.startswith('hand-level1'):
                self.assertEqual(
                    ['vendor_data.json', 'vendor_data2.json'],
                    [problem['where'] for problem in one['problems'][:2]])
                del one['problems'][:2]
            with self.subTest(name):
                self.assertEqual(folder, one)
        self.assertFalse(folder['fallback'])
        self.assertTrue(folder['network']['vmks'][0]['ipv4'])
        self.assertEqual(1, len({
            self.said(DRIVES / name) for name in FULL[:3]}))

    def test_what_openstacksdk_makes(self) -> None:
        iso = self.told(DRIVES / OTHER)
        self.assertEqual(self.told(DRIVES / 'multi-vlan'), iso)
        self.assertEqual(
            sorted({link['ethernet_mac_address'] for link in json.loads(
                (DRIVES / 'multi-vlan' / 'network_data.json').read_text()
                )['links'] if link['type'] == 'phy'}),
            sorted(mac for switch in iso['network']['vswitches']
                   for mac in switch['uplink_macs']))

    def test_unpacked_and_packed(self) -> None:
        wanted = self.told(DRIVES / FULL[0])
        data = (DRIVES / FULL[0]).read_bytes()
        packed = gzip.compress(data, 1)
        for content in (packed, base64.b64encode(packed),
                        base64.encodebytes(data),
                        gzip.decompress((DRIVES / FULL[1]).read_bytes())):
            self.assertEqual(wanted, self.told(self.write('x', content)))

    def test_folders(self) -> None:
        wanted = self.told(self.drive)
        outer = self.folder / 'outer'
        (outer / 'openstack' / 'latest').mkdir(parents=True)
        for path in self.drive.iterdir():
            (outer / 'openstack' / 'latest' / path.name).write_bytes(
                path.read_bytes())
        for folder in (outer, outer / 'openstack',
                       outer / 'openstack' / 'latest', f'{outer}/'):
            self.assertEqual(wanted, self.told(folder))
        self.assertEqual(wanted, self.told('.', cwd=self.drive))

    def test_nothing_is_written(self) -> None:
        paths = (DRIVES, DRIVES / 'full-metadata', self.folder, self.drive)
        before = [command.content(path) for path in paths]
        for drive in (*(DRIVES / name for name in FULL), self.drive):
            self.said(drive, cwd=self.folder)
        self.assertEqual(before, [command.content(path) for path in paths])

    def test_a_read_only_drive_that_is_a_device(self) -> None:
        self.require_root()
        self.require('losetup')
        made = subprocess.run(
            ['losetup', '--find', '--show', '--read-only', DRIVES / FULL[0]],
            capture_output=True, text=True)
        if made.returncode:
            self.not_tested(f'no loop device: {made.stderr.strip()}')
        device = made.stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '--detach', device])
        self.assertEqual(self.told(DRIVES / FULL[0]), self.told(device))

    def test_the_same_every_time(self) -> None:
        for options in ((), ('--json',)):
            self.assertEqual(1, len({
                self.plan(*options, DRIVES / FULL[0],
                          env=command.environment(PYTHONHASHSEED=seed)).stdout
                for seed in '0127'}))


class TestBadDrives(TestCase):

    def test_no_drive(self) -> None:
        empty = self.folder / 'empty'
        empty.mkdir()
        os.mkfifo(self.folder / 'pipe')
        image = (DRIVES / FULL[0]).read_bytes()
        packed = (DRIVES / FULL[1]).read_bytes()
        (self.folder / 'loop').symlink_to('loop')
        for name, path in {
                'nowhere': self.folder / 'none', 'an empty folder': empty,
                'a loop': self.folder / 'loop',
                'a pipe': self.folder / 'pipe', 'a device': '/dev/null',
                'another': '/dev/zero', 'empty': self.write('0', b''),
                'text': self.write('1', 'hello, world'),
                'zeros': self.write('2', b'\0' * 99999),
                'cut': self.write('3', image[:40000]),
                'cut gzip': self.write('4', packed[:9999]),
                'no gzip': self.write('5', b'\x1f\x8b\x08' + b'x' * 99),
                'a program': '/bin/sh', 'no name': '',
                'below a file': f'{self.folder}/1/x',
                'odd': os.fsencode(self.folder) + b'/\xff\n\x1b[31m'}.items():
            with self.subTest(name):
                self.assert_refused(self.plan(path), 3, 'no config drive')
        self.assert_refused(self.plan('--json', empty), 3)

    def test_broken_files_are_problems(self) -> None:
        broken = (b'', b'{', b'[1, 2]', b'\xff\xfe', b'\0' * 4096,
                  b'{"links": [' * 9999, b'7', b'"text"',
                  f'{{"admin_pass": "{SECRET}'.encode(),
                  bytes(range(256)) * 300)
        for name in ('network_data.json', 'meta_data.json'):
            good = (self.drive / name).read_bytes()
            for data in broken:
                self.write(f'drive/{name}', data)
                with self.subTest(name, data=data[:20]):
                    told = self.told(self.drive)
                    self.assertIn(name, [
                        one['where'] for one in told['problems']])
                    self.assertEqual(name == 'network_data.json',
                                     told['fallback'])
            self.assertIn(f'  {name}: ', self.said(self.drive))
            self.write(f'drive/{name}', good)

    def test_files_that_are_missing(self) -> None:
        (self.drive / 'network_data.json').unlink()
        self.assertTrue(self.told(self.drive)['fallback'])
        self.write('drive/network_data.json', json.dumps(NETWORK))
        (self.drive / 'meta_data.json').unlink()
        done = self.plan(self.drive)
        self.assertIn(done.code, (0, 3))

    def test_as_much_wrong_as_there_is_room_for(self) -> None:
        """A host has no more memory to spare, and no more patience."""
        self.write('drive/network_data.json',
                   '{"links": [' + '7,' * 2_000_000 + '7]}')

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

        done = self.plan(self.drive, preexec_fn=limit, timeout=30)
        self.assertEqual((0, ''), (done.code, done.stderr))
        self.assertLess(len(done.stdout), 1 << 20)


class TestOptions(TestCase):

    def test_usage(self) -> None:
        for argv in ((), ('--bogus', self.drive), (self.drive, 'two'),
                     ('--nics',), ('--js', self.drive),
                     ('--nics', '', '--only-management=x', self.drive)):
            with self.subTest(argv):
                self.assert_refused(self.plan(*argv), 2)
        for option in ('--help', '--version'):
            done = self.plan(option)
            self.assertEqual((0, ''), (done.code, done.stderr))
        self.assertIn('CONFIG_DRIVE', self.plan('--help').stdout)

    def test_lists_of_nics(self) -> None:
        lines = NIC_LIST.splitlines()
        plans = []
        for number, data in enumerate((
                NIC_LIST.encode(), NIC_LIST.replace('\n', '\r\n').encode(),
                '\n'.join(lines[2:]).encode(), NIC_LIST.encode('utf-16'),
                NIC_LIST.encode('utf-8-sig'), json.dumps(AS_JSON).encode(),
                json.dumps(AS_JSON).encode('utf-16'),
                json.dumps(OURS).encode())):
            path = self.write(f'nics{number}', data)
            plans.append(self.told('--nics', path, self.drive))
        for one in plans:
            self.assertEqual(plans[0], one)
        self.assertEqual(['vmnic10'], plans[0]['network']['vswitches'][0][
            'uplinks'])
        self.assertIn(f'--device={MAC}', plans[0]['kickstart'][1])

    def test_nics_from_a_pipe(self) -> None:
        with subprocess.Popen(['printf', '%s', NIC_LIST],
                              stdout=subprocess.PIPE) as source:
            told = self.told('--nics', '/dev/stdin', self.drive,
                             stdin=source.stdout)
        self.assertEqual(['vmnic10'],
                         told['network']['vswitches'][0]['uplinks'])

    def test_nics_that_do_not_fit(self) -> None:
        path = self.write('nics', NIC_LIST.replace(MAC.upper(),
                                                   '02:00:00:00:00:0a'))
        told = self.told('--nics', path, self.drive)
        self.assertTrue(told['fallback'])
        self.assertIn('--device=02:00:00:00:00:0a', told['kickstart'][1])
        self.assertEqual([], [step['name'] for step in told['steps']
                              if 'remove' in step['argv']])

    def test_lists_that_are_none(self) -> None:
        twice = NIC_LIST + NIC_LIST.splitlines()[-1]
        for data in (b'', b'\n\n', b'[]', b'{}', b'{"nics": 7}', b'[{}]',
                     b'no table', b'[{"name": "vmnic0", "up": "perhaps"}]',
                     twice.encode(), b'\xff\xfe\xff', b'[' * 9999):
            path = self.write('nics', data)
            with self.subTest(data[:30]):
                self.assert_refused(self.plan('--nics', path, self.drive), 3,
                                    f'{path}: ')

    def test_a_host_that_is_installed(self) -> None:
        first = self.told(self.drive)
        network = first['network']
        known = {
            'version': '8.0.3', 'hostname': 'h.example.org',
            'certificate': 'h.example.org', 'ssh': True, 'shell': True,
            'shell_warning': False, 'ssh_keys': [KEY],
            'nics': [{'name': 'vmnic0', 'mac': MAC, 'up': True}],
            'network': network}
        path = self.write('facts', json.dumps(known))
        told = self.told('--installed', path, self.drive)
        self.assertEqual(([], []), (told['steps'], told['problems']))
        self.assertEqual(network, told['network'])
        self.assertIn('  (none)\n', self.said('--installed', path,
                                              self.drive))
        network['vmks'][0]['ipv4']['address'] = '192.0.2.99'
        self.write('facts', json.dumps(known))
        told = self.told('--installed', path, self.drive)
        self.assertIn('vmk0.ipv4', [step['name'] for step in told['steps']])
        self.assertIn('backup', [step['name'] for step in told['steps']])

    def test_facts_that_cannot_be_meant(self) -> None:
        for data in (b'', b'{', b'7', b'[]', b'\xff', b'{"ssh": 1}',
                     b'{"network": {"vmks": [{}]}}',
                     b'{"network": {"vswitches": "x"}}',
                     b'{"version": 8}'):
            path = self.write('facts', data)
            with self.subTest(data):
                self.assert_refused(
                    self.plan('--installed', path, self.drive), 3,
                    f'{path}: ', count=None)
        # Never an exception, whatever a version looks like.
        for version in ('', '8', 'eight', '²', '８.0', '-1', '9' * 99):
            path = self.write('facts', json.dumps({'version': version}))
            with self.subTest(version=version):
                self.told('--installed', path, self.drive)

    def test_options_of_the_build(self) -> None:
        self.write('hash', f'{test_secrets.HASH}\n')
        self.write('drive/meta_data.json', '{}')
        for options, key, value in (
                ((), 'root_password', 'none'),
                (('--root-password-hash-file', self.folder / 'hash'),
                 'root_password', 'build')):
            told = self.told(*options, self.drive)
            self.assertEqual(value, told['identity'][key])
        names = {option: [step['name'] for step in self.told(
            option, self.drive)['steps']] for option in (
                '--ssh', '--no-ssh', '--no-shell')}
        self.assertEqual([True, False, True], [
            'ssh.enable' in one for one in names.values()])
        self.assertEqual([True, True, False], [
            'shell.enable' in one for one in names.values()])

    def test_only_management(self) -> None:
        """Neither other links nor other addresses of the same link."""
        data = json.loads(json.dumps(NETWORK))
        data['links'].append({
            'id': 'eth1', 'type': 'phy',
            'ethernet_mac_address': '02:00:00:00:00:09'})
        data['networks'] += [
            {**data['networks'][0], 'ip_address': address, 'link': link,
             'gateway': None} for address, link in (
                 ('198.51.100.9', 'eth1'), ('203.0.113.9', 'eth0'))]
        self.write('drive/network_data.json', json.dumps(data))
        self.assertEqual(3, len(self.told(self.drive)['network']['vmks']))
        told = self.told('--only-management', self.drive)
        self.assertEqual(['vSwitch0'], [
            one['name'] for one in told['network']['vswitches']])
        self.assertEqual(['vmk0'], [
            one['name'] for one in told['network']['vmks']])

    def test_debug(self) -> None:
        plain = self.plan(self.folder / 'none')
        done = self.plan('--debug', self.folder / 'none')
        self.assert_refused(plain, 3)
        self.assertEqual(3, done.code)
        self.assertIn('Traceback (most recent call last):\n', done.stderr)
        self.assertTrue(done.stderr.endswith(plain.stderr))
        self.assertEqual(self.said(self.drive),
                         self.said('--debug', self.drive))
        self.write('facts', f'{{"admin_pass": "{SECRET}')
        for option in ('--installed', '--nics'):
            done = self.plan('--debug', option, self.folder / 'facts',
                             self.drive)
            self.assertEqual(3, done.code)
            self.assertNotIn(SECRET, done.stderr)


class TestStreams(TestCase):

    def closed(self, streams: tuple[int, ...], *arguments: command.Word
               ) -> command.Done:
        def close() -> None:
            for number in streams:
                os.close(number)

        return self.plan(*arguments, preexec_fn=close)

    def test_closed(self) -> None:
        for streams in ((0,), (1,), (2,), (0, 1, 2)):
            for options in ((), ('--json',)):
                with self.subTest(streams, options=options):
                    done = self.closed(streams, *options, DRIVES / FULL[0])
                    self.assertEqual((0, ''), (done.code, done.stderr))
                    self.assertEqual(1 not in streams, bool(done.stdout))
        self.assertEqual(3, self.closed((1, 2), self.folder / 'none').code)

    def test_a_reader_that_has_enough(self) -> None:
        self.write('drive/network_data.json', json.dumps({
            **NETWORK, 'services': [
                {'type': 'dns', 'address': f'198.51.{high}.{low}'}
                for high in range(8) for low in range(1, 250)]}))
        for options in ((), ('--json',)):
            process = subprocess.Popen(
                command.argv(*options, self.drive, module=PLAN),
                env=command.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert process.stdout and process.stderr
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            process.stderr.close()
            self.assertEqual((141, b''), (process.wait(30), said))

    def test_full(self) -> None:
        for options in ((), ('--json',)):
            with open('/dev/full', 'wb') as full:
                self.assert_refused(
                    self.plan(*options, self.drive, stdout=full), 4,
                    '(?i)no space left')

    def test_locales(self) -> None:
        """What is printed is the same wherever, as is what is read."""
        self.write('drive/meta_data.json', json.dumps({
            **META, 'name': 'Büro #7', 'public_keys': {
                'é': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXA Jörg',
                '€': 'nothing'}}, ensure_ascii=False))
        folder = self.folder / 'Ordner äöü€'
        self.drive.rename(folder)
        wanted = self.said(folder), self.told(folder)
        self.assertIn('J\\xf6rg', wanted[0])
        for variables in (
                {'LC_ALL': 'C', 'PYTHONUTF8': '0',
                 'PYTHONCOERCECLOCALE': '0'},
                {'LC_ALL': 'POSIX'}, {'LC_ALL': 'xx_XX.nonsense'},
                {'LC_ALL': None}, {'PYTHONIOENCODING': 'ascii'},
                {'PYTHONIOENCODING': 'latin-1'}):
            env = command.environment(**variables)
            with self.subTest(variables):
                self.assertEqual(wanted, (self.said(folder, env=env),
                                          self.told(folder, env=env)))
                done = self.plan(os.fsencode(folder) + b'\xff', env=env)
                self.assert_refused(done, 3, 'no config drive')

    def test_names_that_are_no_text(self) -> None:
        """The path of a file of facts is in the problems."""
        path = os.fsencode(self.folder) + b'/f\xff\n"'
        pathlib.Path(os.fsdecode(path)).write_text('{"colour": 1}')
        self.assertIn('unknown key', self.said('--installed', path,
                                               self.drive))
        told = self.told('--installed', path, self.drive)
        for problem in told['problems']:
            self.assertTrue(problem['where'].isprintable(), problem)
