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

NTP = '!esxcli system ntp '
LOG = '!esxcli system syslog '


class TestNtp(base.HostCase):

    def test_servers_replace_all_others(self) -> None:
        self.ok(NTP + 'set --server 192.0.2.1 --server b.example --server '
                '2001:db8::1 --enabled true', NTP + 'set --server c')
        self.assertEqual((True, ['c']), (
            self.host.ntp.enabled, self.host.ntp.servers))
        found = self.json(NTP + 'get')
        self.assertEqual((True, ['c'], 'NTP'), (
            found['Enabled'], found['Servers'],
            found['Service Providing Kernel Time']))
        self.ok(NTP + 'set --enabled false')
        self.assertEqual((False, ['c']), (
            self.host.ntp.enabled, self.host.ntp.servers))
        self.ok(NTP + 'set --reset')
        self.assertEqual([], self.host.ntp.servers)

    def test_refused(self) -> None:
        self.refused(NTP + 'set', 'Nothing to set')
        self.refused(NTP + 'set --file /tmp/a', 'by a file')
        self.refused(NTP + 'set --enabled true', 'No server')
        self.refused(NTP + 'set --server a --server a', 'given twice')
        for server in ('a_b', '0.0.0.0', '127.0.0.1', '224.0.1.1', '""'):
            self.refused(NTP + 'set --server ' + server, 'Invalid')
        self.host.version = '6.7.0'
        self.refused(NTP + 'get', 'Unknown command')


class TestSyslog(base.HostCase):

    def test_a_reload_makes_it_count(self) -> None:
        self.assertIn('Remote Host: <none>\n', self.ok(LOG + 'config get'))
        targets = 'tcp://192.0.2.1:514,ssl://[2001:db8::1]:1514,udp://a.b'
        self.ok(LOG + f'config set --loghost {targets}')
        self.assertIn(f'Remote Host: {targets}\n',
                      self.ok(LOG + 'config get'))
        self.assertEqual('', self.host.syslog.loaded)
        self.ok(LOG + 'config set --default-size 9', LOG + 'reload')
        self.assertEqual((targets, {'--default-size': '9'}), (
            self.host.syslog.loaded, self.host.syslog.settings))

    def test_refused(self) -> None:
        self.refused(LOG + 'config set', 'Nothing to set')
        for target in ('192.0.2.1', 'http://a', 'tcp://', 'tcp://a:0',
                       'tcp://a:65536', 'tcp://a,,tcp://b', 'tcp://a b',
                       'tcp://2001:db8::1', 'udp://a/b', 'udp://a_b'):
            with self.subTest(target):
                self.refused(LOG + f'config set --loghost "{target}"',
                             'Invalid')
        self.refused(LOG + 'config set --loghost udp://a,udp://a', 'twice')


class TestFirewall(base.HostCase):

    def test_the_whole(self) -> None:
        self.assertEqual(
            {'Default Action': 'DROP', 'Enabled': True, 'Loaded': True},
            self.json('firewall get'))
        self.ok('firewall set --enabled false',
                'firewall set --default-action true', 'firewall refresh')
        self.assertEqual(
            {'Default Action': 'PASS', 'Enabled': False, 'Loaded': True},
            self.json('firewall get'))
        self.refused('firewall set', 'Needs')

    def test_rulesets(self) -> None:
        line = 'firewall ruleset set --ruleset-id ntpClient '
        self.ok(line + '--enabled true', line + '--allowed-all true')
        self.assertEqual([{'Name': 'ntpClient', 'Enabled': True}], self.json(
            'firewall ruleset list --ruleset-id ntpClient'))
        self.ok(line + '--enabled false')
        self.assertIn({'Name': 'ntpClient', 'Enabled': False},
                      self.json('firewall ruleset list'))
        self.refused('firewall ruleset set --ruleset-id x', 'not found')
        self.refused('firewall ruleset list --ruleset-id x', 'not found')
        self.assertRegex(self.ok('firewall ruleset list'),
                         r'(?m)^ntpClient +false$')

    def test_what_the_system_owns(self) -> None:
        self.host.owned = {'ntpClient'}
        self.refused('firewall ruleset set --ruleset-id ntpClient --enabled '
                     'true', 'owned by system')
        self.ok('firewall ruleset set --ruleset-id syslog --enabled true')
