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

"""Steps for the time service and for the log."""

from esxi_img.firstboot import daemons
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import steps
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

TARGETS = ('tcp://192.0.2.1:514', 'ssl://[2001:db8::1]:1514')


def ntp(wished: wish.Ntp | None, version: str | None = '8.0.3'
        ) -> tuple[list[steps.Step], list[model.Problem]]:
    return daemons.ntp(host.Host(version=version), wish.Wishes(ntp=wished))


def syslog(*targets: str) -> list[steps.Step]:
    return daemons.syslog(wish.Wishes(esxi=wish.Esxi(syslog=targets)))


class TestNtp(base.TestCase):
    def test_not_wished(self) -> None:
        self.assertEqual(([], []), ntp(None))
        self.assertEqual(([], []), ntp(None, '6.7.0'))

    def test_servers(self) -> None:
        found, problems = ntp(wish.Ntp(servers=('192.0.2.1', 'ntp.test')))
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(
            ('esxcli', 'system', 'ntp', 'set', '--enabled', 'true',
             '--server', '192.0.2.1', '--server', 'ntp.test'), found[0].argv)
        self.assertEqual(
            ('esxcli', 'network', 'firewall', 'ruleset', 'set',
             '--ruleset-id', 'ntpClient', '--enabled', 'true'),
            found[1].argv)
        self.assertEqual([('ntp', steps.STOP, False, 'ntp'),
                          ('ntp.ruleset', steps.CONTINUE, True, 'ntp')],
                         [(one.name, one.on_fail, one.optional, one.group)
                          for one in found])
        self.assertTrue(all(one.blind for one in found))

    def test_servers_that_there_are(self) -> None:
        self.assertNotIn('--server', ntp(wish.Ntp())[0][0].argv)

    def test_off(self) -> None:
        found, problems = ntp(wish.Ntp(False, ('192.0.2.1',)))
        self.assertEqual([], problems)
        self.assertEqual([('esxcli', 'system', 'ntp', 'set', '--enabled',
                           'false')], [one.argv for one in found])
        self.assertEqual({}, legal.refusals(found))

    def test_older_releases(self) -> None:
        found, problems = ntp(wish.Ntp(), '6.7.0')
        self.assertEqual([], found)
        self.assertEqual(
            [model.Problem('cloud-config:ntp',
                           'needs ESXi 7, and this is 6.7.0')], problems)
        for version in ('7.0.0', None):
            self.assertEqual([], ntp(wish.Ntp(), version)[1])


class TestSyslog(base.TestCase):
    def test_not_wished(self) -> None:
        self.assertEqual([], syslog())

    def test_targets(self) -> None:
        found = syslog(*TARGETS)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(
            [('syslog', steps.STOP, False),
             ('syslog.ruleset', steps.CONTINUE, True),
             ('syslog.reload', steps.CONTINUE, False)],
            [(one.name, one.on_fail, one.optional) for one in found])
        self.assertEqual({'syslog'}, {one.group for one in found})
        self.assertEqual(('--loghost', ','.join(TARGETS)),
                         found[0].argv[-2:])
        self.assertIn('syslog', found[1].argv)

    def test_probe(self) -> None:
        probe = syslog(*TARGETS)[0].probe
        line = '   Remote Host: {}\n'
        for told, expected in (
                (TARGETS, True), (TARGETS[::-1], True), (TARGETS[:1], False),
                (('<none>',), False)):
            with self.subTest(told):
                self.assertIs(expected, legal.is_met(
                    probe, line.format(','.join(told))))
