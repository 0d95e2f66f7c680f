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

"""Plans run on the simulated host, which was not written after them."""

import collections
from collections.abc import Iterator
from collections.abc import Sequence

from esxi_img.firstboot import drive
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import outcome
from esxi_img.firstboot import reading
from esxi_img.firstboot import records
from esxi_img.firstboot import steps
from esxi_img.firstboot import think
from esxi_img.firstboot import wish
from tests import base
from tests.esxi import state
from tests.unit.firstboot import simulated
from tests.unit.firstboot import test_corpus

DISK = 'naa.600508b1001c4d41'


def lease(mac: str) -> state.Lease:
    """Another address for each MAC, all from one network."""
    last = int(mac.replace(':', ''), 16) % 200 + 10
    return {'ip': f'198.18.0.{last}', 'netmask': '255.255.255.0',
            'gateway': '198.18.0.1', 'dns': ['198.18.0.53'],
            'ipv6': [f'2001:db8:dddd::{last}/64']}


def install(found: outcome.Outcome, **more: object) -> state.Esxi:
    """The host that the installer makes of the kickstart's lines."""
    esxi_nics = [state.Nic(nic.name, nic.mac or f'02:00:00:00:00:{number:02x}',
                           bool(nic.up))
                 for number, nic in enumerate(found.nics)]
    if not esxi_nics:
        esxi_nics = [state.Nic('vmnic0', '02:00:00:00:00:01')]
    return state.fresh(
        esxi_nics,
        [line.replace('IMAGE-DISK', DISK) for line in found.kickstart],
        dhcp=lease, **more)


def run(esxi: state.Esxi, plan: steps.Plan, broken: str | None = None
        ) -> list[tuple[str, str]]:
    """Do what is planned; the names of the steps that failed, and why.

    :param broken: the name of a step that fails without doing anything
    """
    failed = []
    stopped: set[str | None] = set()
    done: list[steps.Step] = []
    for step in plan.steps:
        if step.group and step.group in stopped:
            continue
        if step.file:
            esxi.write_file(step.file.path, step.file.content,
                            step.file.mode)
            continue
        if step.probe and is_done(esxi, step.probe):
            continue
        done.append(step)
        status, error = 1, 'broken'
        if step.name != broken:
            status, _, error = esxi.run(step.argv)
        if status and not step.optional:
            failed.append((step.name, error))
            if step.on_fail == steps.STOP:
                stopped.add(step.group)
                for one in reversed(done):
                    for argv in one.undo if one.group == step.group else ():
                        esxi.run(argv)
    return failed


def is_done(esxi: state.Esxi, probe: steps.Probe) -> bool:
    status, output, _ = esxi.run(probe.argv)
    return not status and any(
        not collections.Counter(probe.expect)
        - collections.Counter(line.split())
        for line in output.splitlines())


def again(description: model.Model, esxi: state.Esxi,
          settings: model.Settings = model.Settings(),
          wishes: wish.Wishes = wish.Wishes()) -> outcome.Outcome:
    """Think once more, knowing what is."""
    facts = simulated.facts(esxi)
    return think.outcome_of(description, facts.nics, facts, settings, wishes)


def lasting(found: outcome.Outcome) -> Sequence[str]:
    """Steps that a second run has no reason for.

    Of what is blind, or to be done once, only the journal knows.
    """
    known = {step.group for step in found.plan.steps if step.once}
    return [step.name for step in found.plan.steps
            if step.name not in records.BACKUPS and not step.blind
            and not step.once and (step.group or '') not in known]


class TestPlansOnAHost(base.TestCase):

    def description(self, case: str) -> model.Model:
        return reading.model_of(drive.read(str(test_corpus.CORPUS / case)))

    def test_every_case_ends_as_wished(self) -> None:
        for case in test_corpus.CASES:
            found = test_corpus.outcome_of(case)
            esxi = install(found)
            with self.subTest(case):
                self.assertEqual([], run(esxi, found.plan))
                self.assertEqual({'vmk0': ''}, esxi.unusable())
                self.assert_as_wished(found, simulated.facts(esxi).network)
                self.assertTrue(esxi.backed_up)
                name = found.identity.hostname
                if name:
                    self.assertIn(esxi.hostname, (
                        name, f'{name}.localdomain'))
                    self.assertEqual(esxi.hostname, esxi.certificate)
                self.assertEqual(
                    ''.join(f'{key}\n' for key in found.identity.ssh_keys),
                    esxi.files.get(simulated.KEYS, (0, ''))[1])

    def assert_as_wished(self, found: outcome.Outcome,
                         network: host.Network) -> None:
        wish = found.network
        for switch in wish.vswitches:
            is_ = network.vswitch(switch.name)
            assert is_
            self.assertEqual(set(switch.uplinks) or {'vmnic0'},
                             set(is_.uplinks))
            self.assertEqual(switch.mtu or is_.mtu, is_.mtu)
            self.assertEqual(switch.teaming or is_.teaming, is_.teaming)
        for group in wish.portgroups:
            is_ = network.portgroup(group.name)
            assert is_
            self.assertEqual((group.vswitch, group.vlan),
                             (is_.vswitch, is_.vlan))
        self.assertEqual(len(wish.vmks), len(network.vmks))
        for vmk in wish.vmks:
            is_ = network.vmk(vmk.name)
            assert is_
            self.assertEqual(
                (vmk.portgroup, vmk.ipv4, vmk.mtu or 1500, vmk.management),
                (is_.portgroup, is_.ipv4, is_.mtu, is_.management))
            self.assertEqual(set(vmk.ipv6), set(is_.ipv6))
            if vmk.mac_matters:
                self.assertEqual(vmk.mac, is_.mac)
        self.assertEqual(
            {(route.network, route.gateway) for route in wish.routes
             if route.usable},
            {(route.network, route.gateway.partition('%')[0])
             for route in network.routes})
        self.assertLessEqual(set(wish.search), set(network.search))
        if wish.vmks[0].ipv4 != 'dhcp':
            self.assertLessEqual(set(wish.dns), set(network.dns))
            if wish.default4 and wish.default4.usable:
                self.assertEqual(wish.default4, network.default4)

    def test_management_goes_away_only_where_its_mac_must_change(self
                                                                 ) -> None:
        for case in test_corpus.CASES:
            found = test_corpus.outcome_of(case)
            esxi = install(found)
            run(esxi, found.plan)
            breaking = {step.argv for step in found.plan.steps
                        if step.group == 'management'}
            with self.subTest(case):
                self.assertLessEqual(
                    {outage.argv for outage in esxi.outages}, breaking)
                if esxi.outages:
                    self.assertTrue(found.network.vmks[0].mac_matters)

    def test_a_second_plan_is_empty(self) -> None:
        for case in test_corpus.CASES:
            found = test_corpus.outcome_of(case)
            esxi = install(found)
            run(esxi, found.plan)
            description, wishes = test_corpus.said(case)
            second = again(description, esxi, wishes=wishes)
            with self.subTest(case):
                self.assertEqual([], lasting(second))

    def test_nothing_is_removed_where_the_nic_is_missing(self) -> None:
        other = (host.Nic('vmnic0', '02:00:00:00:99:01', False),
                 host.Nic('vmnic1', '02:00:00:00:99:02', True))
        for case in test_corpus.CASES:
            description = self.description(case)
            found = think.outcome_of(description, other, None,
                                     model.Settings())
            esxi = install(found)
            with self.subTest(case):
                self.assertTrue(found.fallback or not nics.invent(
                    description.network) or not nics.invent(
                        description.network)[0].mac)
                self.assertEqual([], run(esxi, found.plan))
                self.assertEqual([], [argv for argv in esxi.journal
                                      if 'remove' in argv])
                self.assertEqual([], esxi.outages)
                self.assertEqual(['vmnic1'],
                                 esxi.vswitches['vSwitch0'].uplinks)


class TestMoves(base.TestCase):
    """From a host that was set up otherwise, by whomever."""

    NICS = (state.Nic('vmnic0', '02:00:00:00:00:01'),
            state.Nic('vmnic1', '02:00:00:00:00:02'),
            state.Nic('vmnic2', '02:00:00:00:00:03'))
    LINES = {
        'dhcp': 'network --bootproto=dhcp --device=02:00:00:00:00:01 '
                '--addvmportgroup=0',
        'static': 'network --bootproto=static --device=02:00:00:00:00:01 '
                  '--ip=192.0.2.9 --netmask=255.255.255.0 '
                  '--gateway=192.0.2.254 --addvmportgroup=0',
        'vlan': 'network --bootproto=dhcp --device=02:00:00:00:00:02 '
                '--vlanid=7 --addvmportgroup=0',
        'other switch': 'network --bootproto=dhcp '
                        '--device=02:00:00:00:00:01 --addvmportgroup=0'}

    def esxi(self, name: str) -> state.Esxi:
        esxi = state.fresh(self.NICS, [self.LINES[name]], dhcp=lease)
        if name == 'other switch':
            for text in (
                    'network ip interface remove --interface-name vmk0',
                    'network vswitch standard add --vswitch-name vSwitch5',
                    'network vswitch standard uplink add --uplink-name '
                    'vmnic1 --vswitch-name vSwitch5',
                    'network vswitch standard portgroup add '
                    '--portgroup-name Mine --vswitch-name vSwitch5',
                    'network ip interface add --interface-name vmk0 '
                    '--portgroup-name Mine',
                    'network ip interface ipv4 set --interface-name vmk0 '
                    '--type dhcp',
                    'network ip interface tag add --interface-name vmk0 '
                    '--tagname Management'):
                self.assertEqual(0, esxi.run(['esxcli', *text.split()])[0])
            esxi.outages.clear()
        return esxi

    def description(self, *, members: Sequence[int] = (0,), vlan: int = 0,
                    mac: str | None = None, subnet: model.Subnet
                    ) -> model.Model:
        plain = [model.Link(f'n{index}', model.NIC, f'links[{index}]',
                            self.NICS[index].mac) for index in members]
        links = [*plain, model.Link(
            'bond', model.BOND, 'links[8]', mac,
            members=tuple(link.id for link in plain),
            mode='active-backup')]
        top = 'bond'
        if vlan:
            top = 'vlan'
            links.append(model.Link('vlan', model.VLAN, 'links[9]', mac,
                                    parent='bond', vlan=vlan))
        return model.Model(network=model.NetworkData(
            tuple(links), (model.Subnet(
                top, 'networks[0]', subnet.family, subnet.method,
                subnet.address, subnet.routes),)))

    def descriptions(self) -> dict[str, model.Model]:
        default = model.Route('0.0.0.0/0', '192.0.2.1', 'networks[0].gateway')
        static = model.Subnet('', '', 4, model.STATIC, '192.0.2.20/24',
                              (default,))
        dhcp = model.Subnet('', '', 4, model.DHCP)
        six = model.Subnet('', '', 6, model.STATIC, '2001:db8::20/64', (
            model.Route('::/0', '2001:db8::1', 'networks[0].gateway'),))
        mac = '02:aa:00:00:00:01'
        return {
            'static': self.description(subnet=static),
            'another nic': self.description(members=[2], subnet=static),
            'bond, vlan': self.description(members=[0, 1, 2], vlan=44,
                                           subnet=static),
            'dhcp by a mac': self.description(members=[1, 2], mac=mac,
                                              subnet=dhcp),
            'vlan by a mac': self.description(members=[0], mac=mac, vlan=9,
                                              subnet=dhcp),
            'ipv6': self.description(members=[0], subnet=six)}

    def cases(self) -> Iterator[tuple[str, str, model.Model]]:
        for start in self.LINES:
            for name, description in self.descriptions().items():
                yield start, name, description

    def test_they_arrive(self) -> None:
        for start, name, description in self.cases():
            esxi = self.esxi(start)
            found = again(description, esxi)
            with self.subTest(start=start, wish=name):
                self.assertFalse(found.fallback)
                self.assertEqual([], run(esxi, found.plan))
                self.assertEqual({'vmk0': ''}, esxi.unusable())
                network = simulated.facts(esxi).network
                wish = found.network
                self.assertEqual(
                    (set(wish.vswitches[0].uplinks),
                     wish.vswitches[0].teaming),
                    (set(network.vswitch('vSwitch0').uplinks),
                     network.vswitch('vSwitch0').teaming))
                self.assertEqual(
                    wish.portgroups[0].vlan,
                    network.portgroup(host.MANAGEMENT_GROUP).vlan)
                vmk = network.vmk('vmk0')
                self.assertEqual(
                    (wish.vmks[0].portgroup, wish.vmks[0].ipv4,
                     wish.vmks[0].ipv6),
                    (vmk.portgroup, vmk.ipv4, vmk.ipv6))
                if wish.default4:
                    self.assertEqual(wish.default4, network.default4)
                self.assertEqual([], lasting(again(description, esxi)))

    def test_any_failure_leaves_management(self) -> None:
        failures = 0
        for start, name, description in self.cases():
            plan = again(description, self.esxi(start)).plan
            for step in plan.steps:
                if not step.argv:
                    continue
                esxi = self.esxi(start)
                before = simulated.facts(esxi).network.vmk('vmk0')
                with self.subTest(start=start, wish=name, step=step.name):
                    self.assertEqual([step.name], [
                        failed for failed, _ in run(esxi, plan, step.name)
                        ] or [step.name])
                    self.assertEqual({'vmk0': ''}, esxi.unusable())
                    if step.group == 'management':
                        after = simulated.facts(esxi).network.vmk('vmk0')
                        self.assertEqual(
                            (before.portgroup, before.mac, before.ipv4),
                            (after.portgroup, after.mac, after.ipv4))
                failures += 1
        self.assertGreater(failures, 300)
