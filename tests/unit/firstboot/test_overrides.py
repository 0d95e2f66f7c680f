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

"""The teaming that is wished, over the network that should be."""

from esxi_img.firstboot import host
from esxi_img.firstboot import overrides
from esxi_img.firstboot import wiring
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

TWO = ('vmnic0', 'vmnic1')
BACKUP = host.Teaming(host.EXPLICIT, TWO[:1], TWO[1:])


def network(teaming: host.Teaming | None = None,
            uplinks: tuple[str, ...] = TWO) -> host.Network:
    return host.Network(
        (host.VSwitch('vSwitch0', uplinks, 1500, teaming, 'links[2]'),
         host.VSwitch('vSwitch1', ('vmnic2',))),
        (host.PortGroup(host.MANAGEMENT_GROUP, 'vSwitch0'),),
        (host.Vmk('vmk0', host.MANAGEMENT_GROUP, ipv4='dhcp'),))


def wished(load_balancing: str | None, name: str = 'vSwitch0'
           ) -> wish.Switch:
    return wish.Switch(name, True, load_balancing=load_balancing)


class TestTeamed(base.TestCase):
    def test_nothing_wished(self) -> None:
        for some in ((), (wished(None),), (wished(None, 'vSwitch9'),)):
            self.assertEqual((network(BACKUP), []),
                             overrides.teamed(network(BACKUP), some))

    def test_laid_over(self) -> None:
        for old, load_balancing, expected in (
                (None, host.MAC, host.Teaming(host.MAC, TWO)),
                (None, host.EXPLICIT, host.Teaming(host.EXPLICIT, TWO)),
                (BACKUP, host.PORTID,
                 host.Teaming(host.PORTID, TWO[:1], TWO[1:])),
                (BACKUP, host.IPHASH, host.Teaming(host.IPHASH, TWO)),
                (host.Teaming(host.IPHASH, TWO), host.MAC,
                 host.Teaming(host.MAC, TWO))):
            with self.subTest(old=old, load_balancing=load_balancing):
                found, problems = overrides.teamed(
                    network(old), [wished(load_balancing)])
                self.assertEqual(network(expected), found)
                self.assertEqual(
                    ['cloud-config:vmware_esxi.vswitch']
                    * (load_balancing == host.IPHASH),
                    [one.where for one in problems])
                self.assertEqual('links[2]', found.vswitches[0].why)

    def test_no_such_switch(self) -> None:
        self.assertEqual(
            (network(), []),
            overrides.teamed(network(), [wished(host.IPHASH, 'vSwitch9')]))

    def test_a_port_channel_that_is_there_or_cuts_nobody_off(self) -> None:
        iphash = host.Teaming(host.IPHASH, TWO)
        for old, name in ((iphash, 'vSwitch0'), (None, 'vSwitch1')):
            with self.subTest(name):
                self.assertEqual([], overrides.teamed(
                    network(old), [wished(host.IPHASH, name)])[1])

    def test_no_nics(self) -> None:
        found, problems = overrides.teamed(network(uplinks=()),
                                           [wished(host.MAC)])
        self.assertEqual(network(uplinks=()), found)
        self.assertEqual(['cloud-config:vmware_esxi.vswitch'],
                         [one.where for one in problems])

    def test_wired_and_then_done(self) -> None:
        want, _ = overrides.teamed(network(), [wished(host.IPHASH)])
        found, _ = wiring.network(network(), want, False)
        self.assertEqual({}, legal.refusals(found))
        name, = (one.name for one in found if one.undo)
        self.assertEqual('vSwitch0.teaming', name)
        have = host.Network(
            want.vswitches,
            (host.PortGroup(host.MANAGEMENT_GROUP, 'vSwitch0',
                            teaming=want.vswitches[0].teaming),), want.vmks)
        self.assertEqual(([], []), wiring.network(have, want, False))
