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

"""User data from the drive to a host that is as they wish, and forgets them.

The installer and first boot run in the simulated world, see test_install;
scripts run by real programs, and the call home arrives at a real server.
"""

import base64
import collections.abc
import email.mime.application
import email.mime.multipart
import email.mime.text
import gzip
import http.server
import json
import pathlib
import threading
import time
import typing
import urllib.parse

from tests.esxi import commands_access
from tests.esxi import commands_service
from tests.functional import test_install
from tests.world import host
from tests.world import machine
from tests.world import search

META = test_install.META
KEY = 'ssh-ed25519 ' + base64.b64encode(
    b'\0\0\0\x0bssh-ed25519\0\0\0 ' + bytes(range(32, 64))).decode() + ' me'
RAN = '/vmfs/volumes/site-01/ran'
"""Each script says there that it ran; it outlives a power cut."""
SECRETS = {
    **{key: test_install.SECRETS[key]
       for key in ('password', 'seed', 'meta', 'vendor data')},
    'root': 'R00t-of-cloud-config', 'hash': 'h4sh-0f-a-user-of-mine',
    'user': 'pl41n-text-of-a-user', 'license': 'AAAAA-12345-BBBBB-67890-CCCCC',
    'unknown': 'unknown-key-with-a-token', 'host key': 'PRIVATE-KEY-of-host',
    'command': 'token-within-runcmd', 'shell': 'token-of-the-shell-script',
    'python': 'token-of-the-python-script', 'zipped': 'token-of-the-gzip',
    'vendor': 'token-of-the-vendor-script', 'home': 'token-of-the-url'}
KEPT = {'file': 'content-that-is-to-stay'}


def script(name: str, secret: str, *lines: str) -> str:
    return '\n'.join(('#!/bin/sh', f'# {SECRETS[secret]}',
                      f'echo {name} >>{RAN}', *lines, ''))


PYTHON = f'''#!/usr/bin/env python3
import subprocess
TOKEN = '{SECRETS["python"]}'
with open('{RAN}', 'a') as file:
    file.write('python\\n')
subprocess.run(['esxcli', 'network', 'firewall', 'ruleset', 'set',
                '--ruleset-id', 'nfsClient', '--enabled', 'true'], check=True)
'''
SHELL = script('shell', 'shell', 'logger -t site "from the shell"')
CONFIG: dict[str, typing.Any] = {
    'hostname': 'esx2', 'fqdn': 'esx2.example.net',
    'password': SECRETS['root'], 'chpasswd': {'expire': False},
    'ssh_pwauth': False, 'disable_root': True,
    'ssh_authorized_keys': [KEY],
    'ssh_keys': {'rsa_private': SECRETS['host key']},
    'rh_subscription': {'password': SECRETS['unknown']},
    'users': [{'name': 'ops', 'groups': 'wheel', 'gecos': 'On call',
               'passwd': SECRETS['hash'],
               'plain_text_passwd': SECRETS['user'],
               'ssh_authorized_keys': [test_install.KEY]}],
    'ntp': {'servers': ['192.0.2.123', 'ntp.example.org']},
    'write_files': [{'path': '/vmfs/volumes/site-01/a/b', 'permissions':
                     '0600', 'encoding': 'b64', 'content': base64.b64encode(
                         KEPT['file'].encode()).decode()}],
    'bootcmd': [f'echo boot >>{RAN}'],
    'runcmd': [f'echo run >>{RAN} # {SECRETS["command"]}',
               ['sh', '-c', f'echo "$0" >>{RAN}', "it's a list"]],
    'final_message': 'all is done',
    'vmware_esxi': {
        'license': SECRETS['license'], 'datastore': 'site-01',
        'syslog': ['tcp://192.0.2.1:514'], 'maintenance_mode': True,
        'advanced_settings': {'/UserVars/ESXiShellTimeOut': 600},
        'kernel_settings': {'logPort': 'com1'}, 'shell': False,
        'firewall': {'snmp': False},
        'vswitch': {'vSwitch0': {'allow_promiscuous': True}}}}
ORDER = ['boot', 'run', "it's a list", 'vendor', 'vendor 2', 'shell',
         'python', 'zipped']


def mime(config: object, *scripts: str | bytes) -> bytes:
    """User data of several parts; bytes are packed before."""
    whole = email.mime.multipart.MIMEMultipart()
    whole.attach(email.mime.text.MIMEText(
        '#cloud-config\n' + json.dumps(config), 'cloud-config', 'us-ascii'))
    for one in scripts:
        if isinstance(one, bytes):
            part: typing.Any = email.mime.application.MIMEApplication(
                gzip.compress(one), 'gzip')
        else:
            part = email.mime.text.MIMEText(one, 'x-shellscript', 'us-ascii')
        whole.attach(part)
    return whole.as_bytes()


class Home(http.server.ThreadingHTTPServer):
    """Takes calls, and looks at the firewall meanwhile."""

    daemon_threads = True

    def __init__(self, look: collections.abc.Callable[[], typing.Any]
                 ) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.look = look
        self.calls: list[tuple[str, dict[str, str], typing.Any]] = []


class _Handler(http.server.BaseHTTPRequestHandler):

    server: Home
    timeout = 20

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.calls.append((
            self.path, dict(urllib.parse.parse_qsl(body.decode())),
            self.server.look()))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class TestCase(test_install.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.home = Home(lambda: self.machine.esxi.wall.enabled)
        thread = threading.Thread(target=self.home.serve_forever,
                                  kwargs={'poll_interval': 0.05})
        thread.start()
        for action in (self.home.server_close, thread.join,
                       self.home.shutdown):
            self.addCleanup(action)

    def drive(self, user_data: bytes, network: object = test_install.NETWORK
              ) -> dict[str, bytes]:
        vendor = {'a': SECRETS['vendor data'], 'cloud-init': script(
            'vendor', 'vendor')}
        second = {'static': {'cloud-init': '#cloud-config\nntp: {pools: '
                             '[pool.example.org]}\n'},
                  'site': {'cloud-init': script('"vendor 2"', 'vendor')}}
        latest = 'openstack/latest/'
        return {**test_install.drive(network=network),
                latest + 'user_data': user_data,
                latest + 'vendor_data.json': json.dumps(vendor).encode(),
                latest + 'vendor_data2.json': json.dumps(second).encode()}

    def config(self, **more: typing.Any) -> dict[str, typing.Any]:
        return {**CONFIG, 'phone_home': {
            'url': f'http://127.0.0.1:{self.home.server_port}/'
                   f'{SECRETS["home"]}/$INSTANCE_ID', 'tries': 2}, **more}

    def apply(self) -> machine.Done:
        """As somebody does it by hand on the host."""
        return self.machine.sh('cd /bootbank/esxiimg && '
                               'exec python -B -m firstboot apply')

    def ran(self) -> list[str]:
        return self.machine.path(RAN).read_text().splitlines()

    def results(self) -> dict[str, str]:
        return {one['name']: one['result']
                for one in self.state_json()['steps']}

    def assert_forgotten(self, booted: host.Host) -> None:
        """Nothing of the user's is anywhere, but where it was wished."""
        passwords = {argv[at + 1] for argv in self.machine.calls.argvs(
            '--password') for at, word in enumerate(argv)
            if word == '--password'}
        self.assertEqual(1, len(passwords))
        secrets = SECRETS | {'random': passwords.pop()}
        for bank in booted.banks:
            self.assertEqual([], [
                path for path in bank.folder.rglob('*')
                if path.name in ('wishes.json', 'drive', 'firstboot')])
        self.assertEqual([], list(self.machine.path('/tmp').glob(
            'esxi-img/*')))
        self.assertEqual([], search.search([self.machine.root], secrets))
        self.assertEqual([], search.find(
            self.machine.calls.text(), SECRETS, 'calls'))
        self.assertEqual({'b'}, {
            pathlib.Path(hit.where).name
            for hit in search.search([self.machine.root], KEPT)})


class TestUserData(TestCase):

    def test_all_of_it(self) -> None:
        self.deploy(self.drive(mime(
            self.config(), SHELL, PYTHON, script('zipped', 'zipped'
                                                 ).encode())))
        # Of what is packed and encoded then nothing is found.
        self.assertEqual(SECRETS.keys() - {'zipped'}, {
            hit.secret for hit in self.hits(SECRETS)})
        result = self.install()
        self.assert_password(result.root_hash, SECRETS['root'])
        # What first boot has to know, and no more, waits for it.
        lines = str(self.machine.path('/tmp/esxiimg/network.cfg'))
        self.assertEqual(
            {'command', 'home', 'shell', 'python', 'zipped', 'vendor'},
            {hit.secret for hit in self.hits(SECRETS) if hit.where != lines})
        booted = self.boot(result)
        self.assert_as_wished(booted)
        # Of no file but those that it came with is it known to outlive a
        # restart; the ConfigStore does.
        self.assertEqual(test_install.KEY + '\n', self.machine.path(
            '/etc/ssh/keys-ops/authorized_keys').read_text())
        self.assertEqual(ORDER, self.ran())
        self.assert_told('ok')
        self.assertLessEqual(
            {'user_data:bootcmd', 'cloud-config:vmware_esxi.kernel_settings'},
            {one['where'] for one in self.state_json()['problems']})
        self.assert_forgotten(booted)
        journal = len(self.machine.calls.log)
        self.assertNotEqual(0, self.apply().status)
        booted.shut_down()
        self.assertEqual([], booted.boot())
        self.assertEqual(ORDER, self.ran())
        self.assertEqual([], [
            call.argv for call in self.machine.calls.log[journal:]
            if call.argv[0] == 'esxcli'])
        self.assertEqual(('esx2', True, 'com1'), (
            booted.esxi.name, booted.esxi.maintenance,
            booted.esxi.kernel['logPort'].runtime))

    def assert_as_wished(self, booted: host.Host) -> None:
        esxi = booted.esxi
        ops = esxi.accounts['ops']
        self.assertEqual(
            ('esx2.example.net', 'esx2.example.net', SECRETS['license'],
             'On call', 'Admin', [test_install.KEY], ['site-01'], True,
             False, 600, 'com1', {'--allow-promiscuous': 'true'}),
            (esxi.hostname, esxi.certificate, esxi.license, ops.description,
             esxi.roles['ops'], esxi.keys['ops'], esxi.datastores,
             esxi.maintenance, esxi.services['shell'].running,
             esxi.advanced['/UserVars/ESXiShellTimeOut'].value,
             esxi.kernel['logPort'].configured,
             esxi.vswitches['vSwitch0'].security))
        self.assertEqual('', commands_access.weakness(
            ops.password or '', 'ops',
            esxi.advanced[commands_access.QUALITY].value))
        self.assertEqual(
            commands_service.Ntp(True, ['192.0.2.123', 'ntp.example.org',
                                        'pool.example.org']), esxi.ntp)
        self.assertEqual(commands_service.Syslog(
            *['tcp://192.0.2.1:514'] * 2), esxi.syslog)
        self.assertEqual(
            {'permitrootlogin': 'no', 'passwordauthentication': 'no',
             'kbdinteractiveauthentication': 'no'},
            {key: value for key, value in esxi.sshd.items()
             if value != commands_access.sshd()[key]})
        self.assertEqual(
            {'ntpClient': True, 'syslog': True, 'snmp': False,
             'nfsClient': True},
            {key: value for key, value in esxi.firewall.items()
             if value != commands_service.rulesets()[key]})
        self.assertEqual('198.51.100.10/24', str(esxi.vmks['vmk0'].ipv4))
        self.assertEqual([], esxi.outages)
        self.assertIn(('site', 'from the shell'), esxi.log)
        self.assertIn(('esxi-img', 'all is done'), esxi.log)
        path = self.machine.path(RAN).parent / 'a/b'
        self.assertEqual((KEPT['file'], 0o600), (
            path.read_text(), path.stat().st_mode & 0o7777))
        keys = self.machine.path(machine.KEPT[0]).read_text()
        self.assertEqual([test_install.KEY, KEY],
                         keys.splitlines())

    def assert_told(self, status: str) -> None:
        (path, fields, walled), = self.home.calls
        self.assertEqual(f'/{SECRETS["home"]}/{META["uuid"]}', path)
        self.assertEqual(
            (status, META['uuid'], 'esx2', 'esx2.example.net'),
            tuple(fields[name] for name in (
                'status', 'instance_id', 'hostname', 'fqdn')))
        self.assertEqual(str(len(self.state_json()['problems'])),
                         fields['problems'])
        self.assertFalse(walled)
        self.assertTrue(self.machine.esxi.wall.enabled)

    def test_the_power_is_cut_in_the_midst_of_scripts(self) -> None:
        self.deploy(self.drive(mime(
            self.config(), SHELL, PYTHON, script('zipped', 'zipped'
                                                 ).encode())))
        booted = host.Host(self.machine, self.install())
        self.machine.calls.inject('logger', '-t', 'site', times=1,
                                  action=self.machine.kill)
        done, = booted.boot()
        self.assertIsNone(done.status)
        self.assertEqual(ORDER[:6], self.ran())
        self.assertEqual([], self.home.calls)
        self.assertEqual([], booted.boot())
        done = self.apply()
        self.assertEqual((0, ()), (done.status, done.left), done)
        # That which did not come to its end began once more.
        self.assertEqual([*ORDER[:6], *ORDER[5:]], self.ran())
        self.assert_as_wished(booted)
        self.assert_told('ok')
        for bank in booted.banks:
            bank.write()
        self.assert_forgotten(booted)

    def test_a_script_hangs_and_management_is_not_as_described(self) -> None:
        """Neither keeps the rest from being done."""
        links = [{**test_install.NETWORK['links'][0],
                  'ethernet_mac_address': '52:54:00:00:00:99'}]
        self.deploy(self.drive(
            mime(self.config(vmware_esxi={**CONFIG['vmware_esxi'],
                                          'script_timeout': 1}),
                 script('hangs', 'shell', 'sleep 987 & sleep 987'), PYTHON,
                 script('zipped', 'zipped', 'exit 3').encode()),
            {**test_install.NETWORK, 'links': links}))
        result = self.install()
        began = time.monotonic()
        booted = self.boot(result)
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual([*ORDER[:5], 'hangs', 'python', 'zipped'],
                         self.ran())
        self.assertEqual(
            {'script.user-1': 'timeout', 'script.user-3': 'failed'},
            {name: result for name, result in self.results().items()
             if result not in ('ok', 'same')})
        self.assertEqual('failed', self.state_json()['status'])
        self.assert_told('failed')
        self.assertTrue(booted.esxi.maintenance)
        self.assertEqual([], booted.esxi.outages)
        self.assert_forgotten(booted)
