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

"""The facts of a host: written, read back, refused."""

import copy
import dataclasses
import json

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from tests import base

MAC = '52:54:00:00:00:01'
TEAMING = host.Teaming(host.EXPLICIT, ('vmnic1',), ('vmnic0',))
FULL = host.Host(
    version='8.0.3', hostname='node-1.example.org',
    certificate='localhost.localdomain',
    ssh_keys=('ssh-ed25519 AAAA a@b c', 'ssh-rsa BBBB'),
    ssh=True, shell=False, shell_warning=True,
    nics=(host.Nic('vmnic0', MAC, True), host.Nic('vmnic1', None, False),
          host.Nic('vmnic10')),
    network=host.Network(
        vswitches=(host.VSwitch('vSwitch0', ('vmnic0', 'vmnic1'), 9000,
                                TEAMING),
                   host.VSwitch('vSwitch1')),
        portgroups=(host.PortGroup('Management Network', 'vSwitch0', 100,
                                   TEAMING),
                    host.PortGroup('VM Network', 'vSwitch0')),
        vmks=(host.Vmk('vmk0', 'Management Network', MAC, mtu=9000,
                       ipv4='192.0.2.10/23', ipv6=('2001:db8::a/64',),
                       ipv6_mode=model.SLAAC, management=True),
              host.Vmk('vmk1', 'VM Network', ipv4='dhcp')),
        default4=host.Route('0.0.0.0/0', '192.0.2.1', 'vmk0'),
        default6=host.Route('::/0', 'fe80::1'),
        routes=(host.Route('198.51.100.0/24', '192.0.2.254', 'vmk0'),
                host.Route('2001:db8:1::/48', '2001:db8::1')),
        dns=('192.0.2.53', '2001:db8::53'), search=('example.org',)))

names = strategies.from_regex('[A-Za-z][A-Za-z0-9._-]{0,9}', fullmatch=True)
texts = strategies.from_regex('[!-~]{1,9}( [!-~]{1,9})?', fullmatch=True)
macs = strategies.from_regex('[0-9a-f][02468ace](:[0-9a-f]{2}){4}:[0-9a-f]'
                             '[1-9a-f]', fullmatch=True)
sizes = strategies.integers(1, 65535)
octets = strategies.integers(1, 254)
flags = strategies.none() | strategies.booleans()
ipv4 = strategies.builds('10.{}.{}.{}'.format, octets, octets, octets)
ipv6 = strategies.builds('2001:db8::{:x}'.format, sizes)


def tuples(of, unique=False):
    return strategies.lists(of, max_size=3, unique=unique).map(tuple)


def maybe(of):
    return strategies.none() | of


def routes(network, gateway):
    return strategies.builds(host.Route, strategies.just(network), gateway)


teamings = strategies.builds(
    host.Teaming, strategies.sampled_from(
        (host.PORTID, host.IPHASH, host.MAC, host.EXPLICIT)),
    tuples(names), tuples(names))
vmks = strategies.builds(
    host.Vmk, name=texts, portgroup=texts, mac=maybe(macs), mtu=maybe(sizes),
    mac_matters=strategies.just(False),
    ipv4=strategies.sampled_from((None, 'dhcp')) | strategies.builds(
        '{}/{}'.format, ipv4, strategies.integers(0, 32)),
    ipv6=tuples(strategies.builds('{}/{}'.format, ipv6,
                                  strategies.integers(0, 128))),
    ipv6_mode=strategies.sampled_from(
        (None, model.SLAAC, model.DHCPV6_STATEFUL,
         model.DHCPV6_STATELESS)),
    management=strategies.booleans())
networks = strategies.builds(
    host.Network,
    vswitches=tuples(strategies.builds(
        host.VSwitch, texts, tuples(names), maybe(sizes), maybe(teamings))),
    portgroups=tuples(strategies.builds(
        host.PortGroup, texts, texts, strategies.integers(0, 4095),
        maybe(teamings))),
    vmks=tuples(vmks),
    default4=maybe(routes('0.0.0.0/0', ipv4)),
    default6=maybe(routes('::/0', ipv6)),
    routes=tuples(routes('198.51.100.0/24', ipv4)
                  | routes('2001:db8:1::/48', ipv6)),
    dns=tuples(ipv4 | ipv6), search=tuples(names))
hosts = strategies.builds(
    host.Host, version=maybe(texts),
    nics=strategies.dictionaries(
        strategies.integers(0, 99), strategies.tuples(maybe(macs), flags),
        max_size=3).map(lambda found: tuple(
            host.Nic(f'vmnic{number}', *found[number])
            for number in sorted(found))),
    network=networks, hostname=maybe(texts), certificate=maybe(texts),
    ssh_keys=tuples(texts), ssh=flags, shell=flags, shell_warning=flags)


def carried(known):
    """Through a file."""
    return facts.from_json(json.loads(json.dumps(facts.as_json(known))))


class RoundTripTests(base.TestCase):

    def test_full(self):
        self.assertEqual((FULL, ()), carried(FULL))
        network = carried(FULL)[0].network
        # Which takes no part in a comparison.
        self.assertEqual(
            ['vmk0', None, 'vmk0', None],
            [route.vmk for route in (network.default4, network.default6,
                                     *network.routes)])

    def test_nothing_is_known(self):
        self.assertEqual((host.Host(), ()), carried(host.Host()))
        self.assertEqual((host.Host(), ()), facts.from_json({}))
        self.assertEqual((host.Host(), ()), facts.from_json(
            {'network': None, 'nics': None}))

    def test_every_field_is_told(self):
        self.assertEqual(
            {field.name for field in dataclasses.fields(host.Host)},
            set(facts.as_json(FULL)))

    @hypothesis.settings(deadline=None, max_examples=200)
    @hypothesis.given(hosts)
    def test_any(self, known):
        self.assertEqual((known, ()), carried(known))


class ReadingTests(base.TestCase):

    def setUp(self):
        super().setUp()
        self.value = facts.as_json(FULL)

    def changed(self, path, value):
        """The facts of FULL with one other value."""
        result = copy.deepcopy(self.value)
        inner = result
        *way, last = path
        for step in way:
            inner = inner[step]
        inner[last] = value
        return result

    def refused(self, value):
        with self.assertRaises(facts.BadFacts) as caught:
            facts.from_json(value)
        for line in caught.exception.lines:
            self.assertTrue(line.isascii() and line.isprintable(), line)
        self.assertEqual('; '.join(caught.exception.lines),
                         str(caught.exception))
        return list(caught.exception.lines)

    def test_other_spellings(self):
        network = FULL.network
        for path, value, wanted in (
                (('network', 'vmks', 0, 'mac'), MAC.upper(), network),
                (('network', 'vmks', 0, 'mac'), MAC.replace(':', '-'),
                 network),
                (('network', 'vmks', 0, 'ipv6'), ['2001:DB8:0::A/64'],
                 network),
                (('network', 'vmks', 0, 'ipv4'),
                 {'address': '192.0.2.10', 'netmask': '23'}, network),
                (('network', 'routes', 0, 'network'),
                 '198.51.100.7/255.255.255.0', network),
                (('network', 'gateway6'), 'FE80::1%vmk0', network),
                (('network', 'portgroups', 1, 'vlan'), None, network),
                (('network', 'vswitches', 0, 'mtu'), '9000', network)):
            self.assertEqual(
                wanted, facts.from_json(self.changed(path, value))[0].network,
                value)

    def test_what_cannot_be_meant(self):
        net = ('network',)
        vmk = ('network', 'vmks', 0)
        switch = ('network', 'vswitches', 0)
        for path, value, part in (
                (('network',), [], 'network: a list is no object'),
                (('nics',), {}, 'nics: '),
                (('nics', 0, 'mac'), 'x', "nics: [0]: 'x' is no MAC"),
                (('ssh',), 'yes', "ssh: 'yes' is neither true nor"),
                (('version',), 8, 'version: 8 is no string'),
                (('ssh_keys',), 'ssh-rsa A', 'ssh_keys: '),
                (('ssh_keys', 1), 7, 'ssh_keys[1]: 7 is no string'),
                ((*net, 'vswitches'), {}, 'network.vswitches: '),
                ((*net, 'vswitches', 1), 7, 'network.vswitches[1]: '),
                ((*switch, 'name'), None,
                 'network.vswitches[0].name: is missing'),
                ((*switch, 'mtu'), 0, 'no number from 1 to'),
                ((*switch, 'mtu'), 10 ** 40, 'no number from 1 to'),
                ((*switch, 'mtu'), True, 'mtu: True is no number'),
                ((*switch, 'load_balancing'), 'srcport', 'is none of portid'),
                ((*switch, 'load_balancing'), None, 'is missing'),
                ((*net, 'portgroups', 0, 'vlan'), 4096, '0 to 4095'),
                ((*net, 'portgroups', 0, 'vswitch'), '', 'is missing'),
                ((*vmk, 'mac'), '01:00:5e:00:00:01', 'of a group'),
                ((*vmk, 'ipv4'), '192.0.2.1/24', 'is none of dhcp'),
                ((*vmk, 'ipv4'), {'address': '192.0.2.10'}, 'ipv4: '),
                ((*vmk, 'ipv4'), {'address': '::1', 'netmask': '24'},
                 'no address of IPv4'),
                ((*vmk, 'ipv4'), {'address': '192.0.2.10',
                                  'netmask': '255.0.255.0'}, 'no netmask'),
                ((*vmk, 'ipv6', 0), '2001:db8::a', 'no netmask of IPv6'),
                ((*vmk, 'ipv6', 0), '192.0.2.1/24', 'no address of IPv6'),
                ((*vmk, 'ipv6_mode'), 'static', 'is none of slaac'),
                ((*net, 'gateway4'), 'fe80::1', 'no address of IPv4'),
                ((*net, 'gateway6'), 'x\xfc\n', 'no IP address'),
                ((*net, 'routes', 0, 'gateway'), 'x', 'no IP address'),
                ((*net, 'routes', 0, 'network'), '10.0.0.0', 'no netmask'),
                ((*net, 'dns', 0), 'ns.example.org', 'dns[0]: '),
                ((*net, 'search'), 'example.org', 'search: ')):
            lines = self.refused(self.changed(path, value))
            self.assertEqual(1, len(lines), lines)
            self.assertIn(part, lines[0])

    def test_all_at_once(self):
        value = self.changed(('ssh',), 'yes')
        value['network']['dns'] = ['x', 'y']
        value['network']['vmks'][1]['name'] = None
        self.assertEqual(
            ['network.vmks[1].name', 'network.dns[0]', 'network.dns[1]',
             'ssh'], [line.partition(': ')[0]
                      for line in self.refused(value)])

    def test_no_object(self):
        for value in (None, [], 7, 'x'):
            self.assertEqual(1, len(self.refused(value)))

    def test_unknown_keys(self):
        value = self.value
        value['colour'] = 'red'
        value['network']['gateway'] = '192.0.2.1'
        value['network']['vmks'][1]['ip'] = '192.0.2.1'
        value['network']['vmks'][0]['ipv4']['gateway'] = '192.0.2.1'
        value['nics'][0]['Driver'] = 'ixgben'
        value['network']['vswitches'][0]['uplink_macs'] = [MAC]
        known, problems = facts.from_json(value)
        self.assertEqual(FULL, known)
        self.assertEqual(
            [('network.vmks[0].ipv4', "'gateway'"),
             ('network.vmks[1]', "'ip'"), ('network', "'gateway'"),
             ('facts', "'colour'")],
            [(one.where, one.message.split()[-1]) for one in problems])
