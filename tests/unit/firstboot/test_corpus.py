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

"""Every described host of the corpus, from its drive to a configured host.

``expect.json`` says what an independent reading of each drive comes to;
``plan.txt`` beside it is all that esxi-img-plan prints.  After a change on
purpose: ``ESXI_IMG_UPDATE_GOLDEN=1 python -m unittest
tests.unit.firstboot.test_corpus``.
"""

import functools
import ipaddress
import json
import os
import pathlib

from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import drive
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import outcome
from esxi_img.firstboot import present
from esxi_img.firstboot import reading
from esxi_img.firstboot import think
from esxi_img.firstboot import wish
from tests import base
from tests.esxi import grammar

CORPUS = pathlib.Path(__file__).parents[2] / 'fixtures' / 'corpus'
CASES = [case['path'] for case in json.loads(
    (CORPUS / 'manifest.json').read_text())['cases']]
UPDATE = bool(os.environ.get('ESXI_IMG_UPDATE_GOLDEN'))

BALANCING = {None: None, 'unspecified': 'portid', '802.3ad': 'iphash',
             'active-backup': 'explicit', 'balance-tlb': 'portid',
             '4': 'iphash', '1': 'explicit'}
MODES = {None: None, 'slaac': 'slaac', 'dhcpv6': 'dhcpv6-stateful',
         'slaac+dhcpv6-stateful': 'dhcpv6-stateful',
         'slaac+dhcpv6-stateless': 'dhcpv6-stateless'}

# Where we do other than the expectation says, and why.
JUDGED = {
    # A static network without an address would leave the host without one.
    ('kubevirt/acpi-index-names-no-mac', 'vmk0.ipv4'): 'dhcp',
    # A NIC that is known by a Linux name only has no MAC to show.
    ('kubevirt/acpi-index-names-no-mac', 'vmk0.uplinks'): [],
}


def said(case: str) -> tuple[model.Model, wish.Wishes]:
    """All that a drive says, user data included."""
    found = drive.read(str(CORPUS / case))
    return reading.all_of(reading.model_of(found),
                          cloudconfig.gather(found.files))


@functools.lru_cache(None)
def outcome_of(case: str) -> outcome.Outcome:
    description, wishes = said(case)
    return think.outcome_of(description, nics.invent(description.network),
                            None, model.Settings(), wishes)


@functools.lru_cache(None)
def shown(case: str) -> dict:
    return present.as_json(outcome_of(case))


@functools.lru_cache(None)
def expected(case: str) -> dict:
    return json.loads((CORPUS / case / 'expect.json').read_text())


def cidr(ipv4: str | dict | None) -> str | None:
    if isinstance(ipv4, dict):
        return str(ipaddress.ip_interface(
            f"{ipv4['address']}/{ipv4['netmask']}"))
    return ipv4


def mine(network: dict) -> list[dict]:
    """Interfaces in the words of the expectation."""
    groups = {one['name']: one for one in network['portgroups']}
    switches = {one['name']: one for one in network['vswitches']}
    result = []
    for vmk in network['vmks']:
        group = groups[vmk['portgroup']]
        switch = switches[group['vswitch']]
        result.append({
            'vlan': group['vlan'], 'mtu': vmk['mtu'], 'mac': vmk['mac'],
            'ipv4': cidr(vmk['ipv4']), 'ipv6': vmk['ipv6'],
            'ipv6_mode': vmk['ipv6_mode'],
            'uplinks': sorted(switch['uplink_macs']),
            'switch_mtu': switch['mtu'],
            'load_balancing': switch['load_balancing']})
    return result


def theirs(case: str) -> list[dict]:
    """Interfaces of the expectation, management first, as mine() has them.

    A MAC is given to one interface only: the first that wishes it.
    """
    wanted = expected(case)
    first = wanted['management_vmk']
    order = sorted(wanted['vmks'], key=lambda vmk: (
        wanted['vmks'].index(vmk) != first))
    result = []
    macs = set()
    for number, vmk in enumerate(order):
        switch = wanted['vswitches'][vmk['vswitch']]
        one = {
            'vlan': vmk['vlan'], 'mtu': vmk['mtu'],
            'mac': None if vmk['mac'] in macs else vmk['mac'],
            'ipv4': vmk['ipv4'],
            'ipv6': [str(ipaddress.ip_interface(text))
                     for text in vmk['ipv6']],
            'ipv6_mode': MODES[vmk['ipv6_mode']],
            'uplinks': sorted(switch['uplinks']),
            'switch_mtu': switch['mtu'],
            'load_balancing': BALANCING[switch['teaming']]}
        macs.add(vmk['mac'])
        result.append({key: JUDGED.get((case, f'vmk{number}.{key}'), value)
                       for key, value in one.items()})
    return result


class TestCorpus(base.TestCase):

    def test_it_is_whole(self) -> None:
        self.assertEqual(72, len(CASES))
        self.assertEqual([], [
            case for case in CASES
            if not (CORPUS / case / 'meta_data.json').exists()])

    def test_interfaces_are_as_expected(self) -> None:
        for case in CASES:
            if expected(case)['vmks']:
                with self.subTest(case):
                    self.assertEqual(theirs(case),
                                     mine(shown(case)['network']))

    def test_without_networks_the_first_nic_gets_dhcp(self) -> None:
        empty = [case for case in CASES if not expected(case)['vmks']]
        self.assertEqual(['network-variants/empty-lists',
                          'nova-generated/no-networks'], sorted(empty))
        for case in empty:
            with self.subTest(case):
                self.assertTrue(shown(case)['fallback'])
                self.assertEqual(['dhcp'], [
                    vmk['ipv4'] for vmk in shown(case)['network']['vmks']])

    def test_routes_and_names_are_as_expected(self) -> None:
        for case in CASES:
            with self.subTest(case):
                network = shown(case)['network']
                for key in ('gateway4', 'gateway6', 'dns'):
                    self.assertEqual(expected(case)[key], network[key])
                self.assertEqual(
                    [{'network': route['network'],
                      'gateway': route['gateway']}
                     for route in expected(case)['routes']],
                    network['routes'])

    def test_what_the_expectation_warns_of_is_a_problem(self) -> None:
        for case in CASES:
            if expected(case).get('warnings'):
                with self.subTest(case):
                    self.assertTrue(shown(case)['problems'])

    def test_plans_are_as_before(self) -> None:
        for case in CASES:
            golden = CORPUS / case / 'plan.txt'
            text = present.as_text(outcome_of(case))
            if UPDATE:
                golden.write_text(text)
            with self.subTest(case):
                self.assertEqual(golden.read_text(), text)

    def test_every_command_is_one_of_esxcli(self) -> None:
        checked = 0
        for case in CASES:
            for step in outcome_of(case).plan.steps:
                for argv in (step.argv, *step.undo,
                             step.probe.argv if step.probe else ()):
                    if argv and argv[0] == 'esxcli':
                        with self.subTest(case, step=step.name):
                            grammar.check(argv)
                        checked += 1
        self.assertGreater(checked, 400)

    def test_steps_have_the_documented_form(self) -> None:
        for case in CASES:
            steps = shown(case)['steps']
            names = [step['name'] for step in steps]
            with self.subTest(case):
                self.assertEqual(len(names), len(set(names)))
                for step in steps:
                    self.assertIn(step['on_fail'], ('stop', 'continue'))
                    self.assertEqual(bool(step['argv']),
                                     'file' not in step)
                    self.assertNotIn('/', ''.join(step['argv'][:1]))
                    self.assertNotIn('\n', ''.join(step['argv']))

    def test_kickstart_lines_are_ascii(self) -> None:
        for case in CASES:
            for line in shown(case)['kickstart']:
                with self.subTest(case):
                    self.assertTrue(line.isascii() and line.isprintable())

    def test_a_plan_has_one_identity(self) -> None:
        ids = {}
        for case in CASES:
            ids.setdefault(outcome_of(case).plan.id, []).append(case)
            description, wishes = said(case)
            again = think.outcome_of(description, outcome_of(case).nics,
                                     None, model.Settings(), wishes)
            self.assertEqual(outcome_of(case).plan.id, again.plan.id)
        self.assertGreater(len(ids), 50)


class TestRemarks(base.TestCase):
    """What the manifest remarks of the variants made by hand."""

    NOBODY = 'nobody could log in'

    def assert_outcome(self, case: str, name: str | None, scripts: list[str],
                       *problems: str, folder: str = 'userdata') -> None:
        """:param problems: a pattern of each, in order"""
        found = outcome_of(f'{folder}-variants/{case}')
        self.assertEqual(name, found.identity.hostname)
        self.assertEqual(scripts, [
            step.file.content for step in found.plan.steps
            if step.file and step.name.startswith('script.')])
        told = [f'{one.where}: {one.message}' for one in found.problems]
        self.assertEqual(len(problems), len(told), told)
        for pattern, text in zip(problems, told):
            self.assertRegex(text, pattern)

    def test_user_data(self) -> None:
        for case, name, scripts, *problems in (
                ('shebang-sh', 'ud', ['#!/bin/sh\nesxcli system '
                                      'maintenanceMode set -e true\n']),
                ('shebang-crlf', 'ud', ['#!/bin/sh\necho hi\n'],
                 '^user_data: .*line ends'),
                ('cloud-config-jinja', 'ud', [],
                 '^user_data: .*Jinja.* not supported'),
                ('gzip-mime', 'frommime', ['#!/bin/sh\necho one\n',
                                           '#!/bin/sh\necho two\n']),
                ('include', 'ud', [], '^user_data: #include'),
                ('cloud-config-archive', 'arch', ['#!/bin/sh\necho hi\n']),
                ('powershell', 'ud', [], '^user_data: .*Windows'),
                ('binary', 'ud', [], '^user_data: binary'),
                ('base64-again', 'b64', [], '^user_data: .*base64')):
            with self.subTest(case):
                self.assert_outcome(case, name, scripts, *problems,
                                    self.NOBODY)

    def test_scripts_run_by_the_shell(self) -> None:
        for case in CASES:
            for step in outcome_of(case).plan.steps:
                if step.once:
                    with self.subTest(case, step=step.name):
                        self.assertEqual('sh', step.argv[0])

    def test_metadata(self) -> None:
        for case, name, *problems in (
                ('hostname-missing-name-fqdn', 'esx07.dc1.example.com',
                 self.NOBODY),
                ('hostname-64plus', 'a' * 63 + '.example.com',
                 'hostname: .* is no host name', self.NOBODY),
                ('hostname-ip-like', 'host-10-0-0-5.openstacklocal',
                 self.NOBODY),
                ('public-keys-list', 'h'), ('public-keys-with-options', 'h'),
                ('admin-pass-weak', 'h', 'admin_pass: .*refuse'),
                ('admin-pass-empty', 'h', self.NOBODY),
                ('nulls', None, 'hostname: no host name', self.NOBODY),
                ('metal3-default', 'bmh-0', self.NOBODY),
                ('bom-utf8', 'bom', self.NOBODY)):
            with self.subTest(case):
                self.assert_outcome(case, name, [], *problems,
                                    folder='metadata')
        for case, keys in (('public-keys-list', 1),
                           ('public-keys-with-options', 2)):
            self.assertEqual(keys, len(outcome_of(
                f'metadata-variants/{case}').identity.ssh_keys))
        self.assertEqual(outcome.ADMIN_PASS, outcome_of(
            'metadata-variants/admin-pass-weak').root_password)

    def test_user_data_do_not_touch_the_network(self) -> None:
        for case in CASES:
            description, _ = said(case)
            found = outcome_of(case)
            plain = think.outcome_of(description, found.nics, None,
                                     model.Settings())
            with self.subTest(case):
                self.assertEqual(plain.network, found.network)
                names = {step.name for step in found.plan.steps}
                self.assertLessEqual(
                    {step.name for step in plain.plan.steps
                     if step.name != 'hostname'}, names)
