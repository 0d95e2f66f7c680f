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

"""All wishes at once."""

import dataclasses
import json

from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import steps
from esxi_img.firstboot import userland
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA'
SECRETS = ('Hunter22', 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE', '$6$salt$hash',
           'https://example.org/token', 'echo private', 'all is well')
FULL = wish.Wishes(
    password=wish.Password('user_data:password',
                           model.Secret(SECRETS[0]), None),
    vendor_password=wish.Password('vendor_data', None,
                                  model.Secret(SECRETS[2])),
    ssh_pwauth=False, disable_root=True,
    accounts=(wish.Account('ops', 'user_data:users[0]', 'On call', (KEY,),
                           True),
              wish.Account('guest', 'user_data:users[1]')),
    ntp=wish.Ntp(True, ('192.0.2.1', '192.0.2.2')),
    files=(wish.WriteFile('/etc/a', 'user_data:write_files[0]', SECRETS[4]),
           wish.WriteFile('/etc/a', 'user_data:write_files[1]', 'b',
                          append=True)),
    scripts=(wish.Script('bootcmd', 'user_data:bootcmd', ('sh',),
                         SECRETS[4]),
             wish.Script('runcmd', 'user_data:runcmd', ('sh',), 'true')),
    phone_home=wish.PhoneHome(model.Secret(SECRETS[3]),
                              ('instance_id', 'hostname')),
    final_message=SECRETS[5],
    power_state=wish.PowerState('reboot', 60, 'done'),
    esxi=wish.Esxi(
        ('tcp://192.0.2.3:514',), model.Secret(SECRETS[1]),
        (('/UserVars/ESXiShellTimeOut', 900),), (('a', 'b'),),
        (('sshServer', False), ('httpClient', True)),
        (wish.Switch('vSwitch0', True, failback=False),), 'local',
        maintenance_mode=True))
NETWORK = host.Network((host.VSwitch('vSwitch0'),))
IDENTITY = model.Identity('i-1', 'node.example.org')


def planned(wishes: wish.Wishes = FULL, have: host.Host = host.Host()
            ) -> userland.Userland:
    return userland.steps(have, IDENTITY, wishes, NETWORK, False)


def flat(found: userland.Userland) -> list[steps.Step]:
    return [*found.settings, *found.scripts, *found.last]


class TestUserland(base.TestCase):
    def test_nothing_wished(self) -> None:
        self.assertEqual(userland.Userland(), planned(wish.Wishes()))

    def test_order(self) -> None:
        found = planned()
        self.assertEqual([
            'datastore', 'account.ops', 'account.ops.keys',
            'account.ops.admin', 'account.ops.key.1', 'account.guest',
            'ntp', 'ntp.ruleset', 'syslog', 'syslog.ruleset',
            'syslog.reload', 'advanced./UserVars/ESXiShellTimeOut',
            'kernel.a', 'file.1', 'file.2', 'security.vSwitch0',
            'failover.vSwitch0', 'failover.vSwitch0.portgroup',
            'firewall.httpClient', 'firewall.sshServer',
            'sshd.passwordauthentication',
            'sshd.kbdinteractiveauthentication', 'sshd.permitrootlogin'],
            [one.name for one in found.settings])
        self.assertEqual(
            ['script.bootcmd.write', 'script.bootcmd',
             'script.runcmd.write', 'script.runcmd'],
            [one.name for one in found.scripts])
        self.assertEqual(
            ['maintenance', 'final_message.write', 'final_message',
             'phone_home', 'power_state'],
            [one.name for one in found.last])
        self.assertEqual((), found.problems)

    def test_every_command_is_one(self) -> None:
        self.assertEqual({}, legal.refusals(flat(planned())))

    def test_names_are_unique_and_none_is_the_networks(self) -> None:
        names = [one.name for one in flat(planned())]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([], [name for name in names if name.startswith(
            ('vmk', 'route.', 'vSwitch', 'management', 'backup'))])

    def test_the_same_at_every_planning(self) -> None:
        self.assertEqual(planned(), planned())
        self.assertEqual([one.id for one in flat(planned())],
                         [one.id for one in flat(planned())])

    def test_it_can_be_told_whether_a_step_is_done(self) -> None:
        for one in flat(planned()):
            with self.subTest(one.name):
                is_for_the_next = one.name.endswith('.write')
                self.assertNotEqual(is_for_the_next, bool(
                    one.probe or one.blind or one.once))

    def test_a_failure_stays_within_its_part(self) -> None:
        found = planned()
        groups = [{one.group for one in part if one.group} for part in
                  (found.settings, found.scripts, found.last)]
        self.assertEqual(sum(map(len, groups)), len(set().union(*groups)))
        for one in flat(found):
            with self.subTest(one.name):
                self.assertEqual((), one.undo)
                if one.on_fail == steps.STOP:
                    self.assertEqual(one.group, '.'.join(
                        one.name.split('.')[:len(
                            str(one.group).split('.'))]))

    def test_secrets_are_told_to_nobody(self) -> None:
        found = flat(planned())
        told = repr(planned()) + json.dumps([
            one.as_json() for one in found]) + ''.join(
                one.shown() for one in found)
        for secret in SECRETS:
            self.assertNotIn(secret, told)

    def test_password_and_license_are_in_no_step(self) -> None:
        fields = ''.join(
            str(dataclasses.astuple(one)) for one in flat(planned()))
        for secret in SECRETS[:3]:
            self.assertNotIn(secret, fields)
        # So that the above can fail.
        self.assertIn(SECRETS[4], fields)

    def test_older_releases(self) -> None:
        found = planned(have=host.Host(version='6.7.0'))
        names = {one.name for one in flat(found)}
        self.assertEqual(set(), names & {
            'ntp', 'ntp.ruleset', 'account.ops.key.1',
            'sshd.permitrootlogin'})
        self.assertIn('account.ops', names)
        self.assertEqual(
            ['cloud-config:ntp', 'cloud-config:ssh_pwauth',
             'cloud-config:disable_root'],
            [one.where for one in found.problems])

    def test_problems_of_all(self) -> None:
        found = planned(wish.Wishes(ntp=wish.Ntp(), disable_root=True,
                                    esxi=wish.Esxi(
            advanced=(('/A/b', '-x'),), kernel=(('k', 'v'),),
            datastore='-', switches=(wish.Switch('none', True),),
            firewall=(('vSphereClient', False),))),
            host.Host(version='6.7.0'))
        self.assertEqual(
            ['vmware_esxi.datastore', 'ntp', 'vmware_esxi.advanced_settings',
             'vmware_esxi.kernel_settings', 'vmware_esxi.vswitch',
             'vmware_esxi.firewall', 'disable_root'],
            [one.where.partition(':')[2] for one in found.problems])

    def test_dhcp_that_is_or_should_be(self) -> None:
        vmks = (host.Vmk('vmk0', 'a', ipv4='dhcp'),)
        wishes = wish.Wishes(esxi=wish.Esxi(firewall=(('dhcp', False),)))
        for have, network in (((), vmks), (vmks, ())):
            found = userland.steps(
                host.Host(network=host.Network(vmks=have)), IDENTITY, wishes,
                host.Network(vmks=network), True)
            self.assertEqual(((), 1), (found.settings, len(found.problems)))

    def test_the_name_that_there_is(self) -> None:
        for identity, expected in ((IDENTITY, 'node'),
                                   (model.Identity(), 'old')):
            found = userland.steps(host.Host(hostname='old.test'), identity,
                                   FULL, NETWORK, False)
            report, = (one.report for one in found.last if one.report)
            self.assertEqual(expected, dict(report.values)['hostname'])
