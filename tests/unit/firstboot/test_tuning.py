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

"""Steps for what only ESXi has."""

import typing

from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import steps
from esxi_img.firstboot import tuning
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal


NETWORK = host.Network(tuple(
    host.VSwitch(f'vSwitch{number}') for number in range(3)))


def wishes(power: wish.PowerState | None = None, **some: typing.Any
           ) -> wish.Wishes:
    return wish.Wishes(power_state=power, esxi=wish.Esxi(**some))


class TestNothing(base.TestCase):
    def test_nothing(self) -> None:
        for function in (tuning.advanced, tuning.kernel, tuning.datastore):
            self.assertEqual(([], []), function(wishes()))
        self.assertEqual(([], []), tuning.firewall(wishes(), (), True))
        self.assertEqual(([], []), tuning.switches(wishes(), NETWORK))
        self.assertEqual([], tuning.maintenance(wishes()))


class TestSettings(base.TestCase):
    def test_advanced(self) -> None:
        found, problems = tuning.advanced(wishes(advanced=(
            ('/UserVars/ESXiShellTimeOut', 900), ('/Some/Low', -1),
            ('/Syslog/global/logDir', '[x] y'), ('/Some/Number', '-5'),
            ('/Some/Empty', ''))))
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(
            [('--int-value', '900'), ('--int-value', '-1'),
             ('--string-value', '[x] y'), ('--string-value', '-5'),
             ('--string-value', '')],
            [one.argv[-2:] for one in found])
        self.assertEqual('advanced./UserVars/ESXiShellTimeOut',
                         found[0].name)
        self.assertEqual({(True, steps.CONTINUE, None)}, {
            (one.blind, one.on_fail, one.group) for one in found})

    def test_what_esxcli_would_not_take(self) -> None:
        found, problems = tuning.advanced(wishes(advanced=(
            ('/Good/One', 'yes'), ('/Bad/One', '-secret'),
            ('--help', 1))))
        self.assertEqual(['advanced./Good/One'], [one.name for one in found])
        self.assertEqual(["'/Bad/One'", "'--help'"], [
            one.message.partition(' ')[0] for one in problems])
        self.assertEqual({'cloud-config:vmware_esxi.advanced_settings'},
                         {one.where for one in problems})
        self.assertNotIn('secret', str(problems))

    def test_kernel(self) -> None:
        found, problems = tuning.kernel(wishes(
            wish.PowerState('reboot', 0), kernel=(
                ('netNetqueueEnabled', 'TRUE'), ('low', '-1'))))
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(('--setting', 'netNetqueueEnabled', '--value',
                          'TRUE'), found[0].argv[-4:])
        self.assertEqual([('kernel.netNetqueueEnabled', True),
                          ('kernel.low', True)],
                         [(one.name, one.blind) for one in found])

    def test_kernel_needs_a_restart(self) -> None:
        for power in (None, wish.PowerState('poweroff', 0)):
            with self.subTest(power):
                found, problems = tuning.kernel(wishes(
                    power, kernel=(('a', 'b'),)))
                self.assertEqual(1, len(found))
                self.assertEqual(
                    ['cloud-config:vmware_esxi.kernel_settings'],
                    [one.where for one in problems])


class TestFirewall(base.TestCase):
    def test_opened_before_others_are_closed(self) -> None:
        found, problems = tuning.firewall(wishes(firewall=(
            ('sshServer', False), ('httpClient', True), ('CIMSLP', False),
            ('nfsClient', True))), (), False)
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(
            [('firewall.httpClient', 'true'), ('firewall.nfsClient', 'true'),
             ('firewall.sshServer', 'false'), ('firewall.CIMSLP', 'false')],
            [(one.name, one.argv[-1]) for one in found])
        for one in found:
            self.assertEqual((True, False), (one.blind, one.optional))

    def test_what_an_address_comes_by_stays_open(self) -> None:
        four = host.Vmk('vmk0', 'a', ipv4='dhcp')
        six = host.Vmk('vmk1', 'b', ipv6_mode=model.DHCPV6_STATELESS)
        other = host.Vmk('vmk2', 'c', ipv4='192.0.2.1/24',
                         ipv6_mode=model.SLAAC)
        for vmks, kept in (
                ((), {}), ((other,), {}), ((other, four), {'dhcp': 'vmk0'}),
                ((six,), {'DHCPv6': 'vmk1'}),
                ((four, six), {'dhcp': 'vmk0', 'DHCPv6': 'vmk1'})):
            with self.subTest(kept=kept):
                found, problems = tuning.firewall(wishes(firewall=(
                    ('dhcp', False), ('DHCPv6', False))), vmks, True)
                self.assertEqual(
                    {'firewall.dhcp', 'firewall.DHCPv6'}
                    - {f'firewall.{name}' for name in kept},
                    {one.name for one in found})
                self.assertEqual([
                    f'{name} is left open, as {vmk} gets its address by it'
                    for name, vmk in kept.items()],
                    [one.message for one in problems])
                opened, problems = tuning.firewall(wishes(firewall=(
                    ('dhcp', True), ('DHCPv6', True))), vmks, True)
                self.assertEqual((2, []), (len(opened), problems))

    def test_ways_in_are_closed_but_told(self) -> None:
        for name, passes, ssh, told in (
                ('vSphereClient', False, False, True),
                ('vSphereClient', True, False, False),
                ('sshServer', False, True, True),
                ('sshServer', False, False, False),
                ('sshServer', True, True, False)):
            with self.subTest(name, passes=passes, ssh=ssh):
                found, problems = tuning.firewall(
                    wishes(firewall=((name, passes),)), (), ssh)
                self.assertEqual([f'firewall.{name}'],
                                 [one.name for one in found])
                self.assertEqual(
                    ['cloud-config:vmware_esxi.firewall'] * told,
                    [one.where for one in problems])


class TestSwitches(base.TestCase):
    def planned(self, *some: wish.Switch) -> list[steps.Step]:
        found, problems = tuning.switches(wishes(switches=some), NETWORK)
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertTrue(all(one.blind for one in found))
        return found

    def test_only_what_is_wished(self) -> None:
        self.assertEqual([], self.planned(
            wish.Switch('vSwitch0', load_balancing='iphash')))

    def test_security(self) -> None:
        found = self.planned(
            wish.Switch('vSwitch0', True, False, True),
            wish.Switch('vSwitch1', forged_transmits=False))
        self.assertEqual(['security.vSwitch0', 'security.vSwitch1'],
                         [one.name for one in found])
        self.assertEqual(
            ('--vswitch-name', 'vSwitch0', '--allow-promiscuous', 'true',
             '--allow-mac-change', 'false', '--allow-forged-transmits',
             'true'), found[0].argv[-8:])
        self.assertEqual(
            ('--vswitch-name', 'vSwitch1', '--allow-forged-transmits',
             'false'), found[1].argv[-4:])

    def test_failover(self) -> None:
        found = self.planned(
            wish.Switch('vSwitch1', failure_detection='beacon',
                        notify_switches=False, failback=True),
            wish.Switch('vSwitch2', failback=False))
        self.assertEqual(['failover.vSwitch1', 'failover.vSwitch2'],
                         [one.name for one in found])
        self.assertEqual(
            ('--failure-detection', 'beacon', '--notify-switches', 'false',
             '--failback', 'true'), found[0].argv[-6:])
        self.assertEqual(('--vswitch-name', 'vSwitch2', '--failback',
                          'false'), found[1].argv[-4:])

    def test_managements_port_group_has_its_own(self) -> None:
        found = self.planned(wish.Switch('vSwitch0', failback=False))
        self.assertEqual(
            ['failover.vSwitch0', 'failover.vSwitch0.portgroup'],
            [one.name for one in found])
        self.assertEqual(
            ('--portgroup-name', 'Management Network', '--failback',
             'false'), found[1].argv[-4:])

    def test_no_such_switch(self) -> None:
        found, problems = tuning.switches(wishes(switches=(
            wish.Switch('vSwitch9', True, failback=False),
            wish.Switch('vSwitch8', load_balancing='mac'),
            wish.Switch('vSwitch1', True))), NETWORK)
        self.assertEqual(['security.vSwitch1'], [one.name for one in found])
        self.assertEqual([model.Problem(
            'cloud-config:vmware_esxi.vswitch',
            f"'{name}' is no switch of this host: left out")
            for name in ('vSwitch9', 'vSwitch8')], problems)

    def test_beacons_of_managements_switch(self) -> None:
        for name, detection, told in (
                ('vSwitch0', 'beacon', True), ('vSwitch0', 'link', False),
                ('vSwitch1', 'beacon', False)):
            with self.subTest(name, detection=detection):
                found, problems = tuning.switches(wishes(switches=(
                    wish.Switch(name, failure_detection=detection),)),
                    NETWORK)
                self.assertEqual(f'failover.{name}', found[0].name)
                self.assertEqual(
                    ['cloud-config:vmware_esxi.vswitch'] * told,
                    [one.where for one in problems])


class TestDatastore(base.TestCase):
    def test_renamed(self) -> None:
        found, problems = tuning.datastore(wishes(datastore='local 01'))
        self.assertEqual([], problems)
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual(
            ('vim-cmd', 'hostsvc/datastore/rename', 'datastore1',
             'local 01'), found[0].argv)
        # There is no datastore1 to rename any more.
        self.assertTrue(found[0].blind)

    def test_probe(self) -> None:
        probe = tuning.datastore(wishes(datastore='local 01'))[0][0].probe
        line = '/vmfs/volumes/1  {}  1  true  VMFS-6  9  8\n'
        for label, expected in (('local 01', True), ('datastore1', False),
                                ('local', False)):
            self.assertIs(expected,
                          legal.is_met(probe, line.format(label)))

    def test_has_it_already(self) -> None:
        self.assertEqual(([], []),
                         tuning.datastore(wishes(datastore='datastore1')))

    def test_no_label(self) -> None:
        for label in ('', ' ', '-x', 'a\nb'):
            with self.subTest(label):
                found, problems = tuning.datastore(wishes(datastore=label))
                self.assertEqual([], found)
                self.assertEqual(['cloud-config:vmware_esxi.datastore'],
                                 [one.where for one in problems])


class TestMaintenance(base.TestCase):
    def test_maintenance(self) -> None:
        found = tuning.maintenance(wishes(maintenance_mode=True))
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual([('maintenance', ('--enable', 'true'))],
                         [(one.name, one.argv[-2:]) for one in found])
        self.assertTrue(legal.is_met(found[0].probe, 'Enabled\n'))
        self.assertFalse(legal.is_met(found[0].probe, 'Disabled\n'))
