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

from tests.unit.esxi import base

SET = '!esxcli system settings advanced set --option '
ADD = '!esxcli system settings advanced add --option '


class TestHostName(base.HostCase):

    def test_fqdn(self) -> None:
        self.ok('!esxcli system hostname set --fqdn h1.example.com')
        self.assertEqual(
            {'Domain Name': 'example.com', 'Host Name': 'h1',
             'Fully Qualified Domain Name': 'h1.example.com'},
            self.json('!esxcli system hostname get'))
        self.assertEqual('h1.example.com', self.host.hostname)
        self.ok('!esxcli system hostname set --fqdn h2')
        self.assertEqual('h2', self.host.hostname)

    def test_parts(self) -> None:
        self.ok('!esxcli system hostname set --host h1 --domain b.c')
        self.assertEqual('h1.b.c', self.host.hostname)

    def test_bad_names(self) -> None:
        line = '!esxcli system hostname set '
        self.refused(line, 'Needs')
        self.refused(line + '--host a.b', 'Invalid host name')
        for option in ('--host', '--fqdn', '--domain'):
            for name in ('a_b', 'a-', '""', 'a' * 64):
                self.refused(f'{line}{option} {name}', 'Invalid domain name')


class TestVersion(base.HostCase):

    def test_get(self) -> None:
        line = '!esxcli system version get'
        for version, product, update in (('8.0.3', 'VMware ESXi', '3'),
                                         ('9.0', 'VMware ESX', '0')):
            self.host.version = version
            found = self.json(line)
            self.assertEqual((product, version, update), (
                found['Product'], found['Version'], found['Update']))

    def test_a_command_that_came_later(self) -> None:
        self.host.version = '7.0.3'
        self.refused('!esxcli system ssh key list', 'Unknown command')
        self.ok('!esxcli system settings advanced list')


class TestAdvanced(base.HostCase):

    def test_set(self) -> None:
        path = '/UserVars/SuppressShellWarning'
        self.ok(SET + path + ' --int-value 1')
        self.assertEqual(1, self.host.advanced[path].value)
        row, = self.json('!esxcli system settings advanced list --option '
                         + path)
        self.assertEqual((path, 1, 0), (row['Path'], row['Int Value'],
                                        row['Default Int Value']))
        rows = self.json('!esxcli system settings advanced list --delta')
        self.assertEqual([path], [row['Path'] for row in rows])
        self.ok(SET + path + ' --default')
        self.assertEqual(0, self.host.advanced[path].value)

    def test_refused(self) -> None:
        path = SET + '/UserVars/SuppressShellWarning '
        for rest in ('', '--string-value 1', '--int-value 1 --default'):
            self.refused(path + rest, 'Needs --int-value or --default')
        for value in (2, -1):
            self.refused(f'{path} --int-value {value}', 'from 0 to 1')
        self.refused(SET + '/UserVars/X --int-value 1', 'not found')
        self.refused('!esxcli system settings advanced list --option /X',
                     'not found')

    def test_add_and_remove(self) -> None:
        self.ok(ADD + 'Done --type string --string-default ""',
                SET + '/UserVars/Done --string-value yes')
        row, = self.json('!esxcli system settings advanced list '
                         '--option /UserVars/Done')
        self.assertEqual(('string', 'yes', '', '*', 0, 0), (
            row['Type'], row['String Value'], row['Default String Value'],
            row['Valid Characters'], row['Int Value'],
            row['Default Int Value']))
        self.ok('!esxcli system settings advanced remove --option Done')
        self.assertNotIn('/UserVars/Done', self.host.advanced)
        self.ok(ADD + 'N --type integer --int-default 1 --min 0 --max 9',
                SET + '/UserVars/N --int-value 9')
        self.refused(SET + '/UserVars/N --int-value 10', 'from 0 to 9')

    def test_add_refused(self) -> None:
        for rest in ('string', 'string --int-default 1',
                     'string --string-default a --min 1',
                     'integer --int-default 1',
                     'integer --int-default 1 --min 0 --max 2 '
                     '--string-default a'):
            self.refused(ADD + 'N --type ' + rest, 'options for type')
        self.refused(ADD + 'N --type integer --int-default 3 --min 0 --max 2',
                     'from 0 to 2')
        self.refused(ADD + '/UserVars/N --type string --string-default a',
                     'Invalid option name')
        self.refused(ADD + 'SuppressShellWarning --type string '
                     '--string-default a', 'already exists')

    def test_remove_refused(self) -> None:
        line = '!esxcli system settings advanced remove --option '
        self.refused(line + 'SuppressShellWarning', 'not one that was added')
        self.refused(line + 'X', 'not found')

    def test_texts(self) -> None:
        path = '/UserVars/HostClientWelcomeMessage'
        self.ok(SET + path + ' --string-value "a b"')
        row, = self.json('!esxcli system settings advanced list --option '
                         + path)
        self.assertEqual(('string', 'a b', '', 0), (
            row['Type'], row['String Value'], row['Default String Value'],
            row['Int Value']))
        self.refused(SET + path + ' --int-value 1',
                     'Needs --string-value or --default')

    def test_tree(self) -> None:
        rows = self.json('!esxcli system settings advanced list --tree /Net')
        self.assertEqual(['/Net/FollowHardwareMac'],
                         [row['Path'] for row in rows])


class TestOthers(base.HostCase):

    def test_welcome(self) -> None:
        self.ok('!esxcli system welcomemsg set --message "a b"')
        self.assertEqual({'Message': 'a b'},
                         self.json('!esxcli system welcomemsg get'))


class TestPrograms(base.HostCase):

    def test_services(self) -> None:
        for verb, name, field, value in (
                ('enable_ssh', 'ssh', 'enabled', True),
                ('start_ssh', 'ssh', 'running', True),
                ('enable_esx_shell', 'shell', 'enabled', True),
                ('start_esx_shell', 'shell', 'running', True),
                ('disable_ssh', 'ssh', 'enabled', False),
                ('stop_esx_shell', 'shell', 'running', False)):
            with self.subTest(verb=verb):
                service = self.host.services[name]
                self.assertEqual(not value, getattr(service, field))
                self.ok(f'!/bin/vim-cmd hostsvc/{verb}')
                self.assertEqual(value, getattr(service, field))

    def test_vim_cmd(self) -> None:
        self.assertIn('RuntimeInfo', self.ok('!vim-cmd hostsvc/runtimeinfo'))
        for rest in ('', 'enable_ssh', 'hostsvc/enable_telnet',
                     'hostsvc/restart_ssh', 'hostsvc/enable_ssh now',
                     'vmsvc/enable_ssh', 'hostsvc/runtimeinfo x'):
            with self.subTest(rest=rest):
                self.refused('!vim-cmd ' + rest, 'Invalid command')

    def test_datastores(self) -> None:
        self.host.datastores = ['datastore1', 'two']
        line = '!vim-cmd hostsvc/datastore/rename '
        self.ok(line + 'datastore1 "local 01"')
        self.assertEqual(['local 01', 'two'], self.host.datastores)
        for rest, why in (('datastore1 x', 'not found'),
                          ('two "local 01"', 'already exists'),
                          ('two a/b', 'Invalid datastore name'),
                          ('two ""', 'Invalid datastore name'),
                          (f'two {"a" * 43}', 'Invalid datastore name'),
                          ('two', 'Invalid command')):
            self.refused(line + rest, why)

    def test_certificates(self) -> None:
        self.assertEqual('localhost.localdomain', self.host.certificate)
        self.ok('!esxcli system hostname set --fqdn h1.example.com',
                '!/sbin/generate-certificates')
        self.assertEqual('h1.example.com', self.host.certificate)
        self.refused('!generate-certificates x', 'Invalid argument')

    def test_restarts(self) -> None:
        self.ok('!sh /etc/init.d/hostd restart', '!/etc/init.d/vpxa restart')
        self.assertEqual(['hostd', 'vpxa'], self.host.restarted)
        for rest in ('', '/etc/init.d/hostd', '/etc/init.d/hostd stop',
                     '/etc/init.d/ntpd restart', '-c ls'):
            self.refused('!sh ' + rest, 'not simulated')

    def test_logger(self) -> None:
        self.ok('!logger -t x y z', '!logger w')
        self.assertEqual([('x', 'y z'), ('', 'w')], self.host.log)
        for rest in ('', '-t', '-t x', '-p user.info x', '-t x -s'):
            self.refused('!logger ' + rest, 'no message')

    def test_the_shell_logs_a_file(self) -> None:
        self.host.write_file('/tmp/a.txt', 'all is well\n', 0o600)
        self.ok("!sh -c 'logger -t x \"$(cat /tmp/a.txt)\"'")
        self.assertEqual([('x', 'all is well')], self.host.log)

    def test_scripts(self) -> None:
        self.host.write_file('/tmp/a', '#!/bin/sh\n', 0o700)
        self.ok('!sh /tmp/a', '!python -u /tmp/a')
        self.assertEqual([(('sh', '/tmp/a'), '#!/bin/sh\n'),
                          (('python', '-u', '/tmp/a'), '#!/bin/sh\n')],
                         self.host.ran)
        self.refused('!python /tmp/b', 'cannot open')
        self.refused('!sh /tmp/b', 'not simulated')
        # What is no package's own file, nobody runs but by its interpreter.
        for argv in (['/tmp/a'], ['bash', '/tmp/a'], ['perl', '/tmp/a']):
            self.assertEqual(127, self.host.run(argv)[0])

    def test_backup(self) -> None:
        for line in ('!/sbin/auto-backup.sh', '!sh /sbin/auto-backup.sh'):
            self.host.backed_up = False
            self.ok(line)
            self.assertTrue(self.host.backed_up)
        self.refused('!auto-backup.sh x', 'Invalid argument')

    def test_unknown_program(self) -> None:
        for argv in (['rm', '-r', '/'], ['/tmp/esxcli'], ['']):
            status, printed, errors = self.host.run(argv)
            self.assertEqual((127, ''), (status, printed))
            self.assertIn('not found', errors)
        self.assertEqual(127, self.host.run([])[0])
