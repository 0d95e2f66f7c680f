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

"""A simulated host as the facts that a plan is made from."""

from esxi_img.firstboot import host
from esxi_img.firstboot import model
from tests.esxi import model as esxi_model
from tests.esxi import state

KEYS = '/etc/ssh/keys-root/authorized_keys'


def teaming(one: esxi_model.Teaming | None) -> host.Teaming | None:
    return host.Teaming(one.load_balancing, tuple(one.active),
                        tuple(one.standby)) if one else None


def vmk_of(one: esxi_model.Vmk) -> host.Vmk:
    mode = None
    if one.ipv6 and one.dhcpv6:
        # The host itself cannot tell stateful from stateless.
        mode = model.DHCPV6_STATEFUL
    elif one.ipv6 and one.router_adv:
        mode = model.SLAAC
    ipv4 = {'none': None, 'dhcp': 'dhcp'}.get(one.ipv4_type, str(one.ipv4))
    return host.Vmk(
        one.name, one.portgroup, one.mac, mtu=one.mtu, ipv4=ipv4,
        ipv6=tuple(map(str, one.ipv6_addresses)), ipv6_mode=mode,
        management=esxi_model.MANAGEMENT in one.tags)


def routes(esxi: state.Esxi) -> list[host.Route]:
    found = [host.Route(str(route.network), str(route.gateway),
                        route.interface) for route in esxi.routes]
    known = {route.network for route in found}
    for vmk in esxi.vmks.values():
        if vmk.gateway6 and '::/0' not in known:
            found.append(host.Route('::/0', str(vmk.gateway6), vmk.name))
    return found


def facts(esxi: state.Esxi) -> host.Host:
    """All that a host's own commands can tell."""
    defaults = ('0.0.0.0/0', '::/0')
    all_routes = routes(esxi)
    by_network = {route.network: route for route in all_routes}
    keys = esxi.files.get(KEYS, (0, ''))[1]
    assert isinstance(keys, str)
    services = {name: one.enabled and one.running
                for name, one in esxi.services.items()}
    return host.Host(
        version=esxi.version,
        nics=tuple(host.Nic(nic.name, nic.mac, nic.up) for nic in esxi.nics),
        network=host.Network(
            vswitches=tuple(
                host.VSwitch(one.name, tuple(one.uplinks), one.mtu,
                             teaming(one.teaming))
                for one in esxi.vswitches.values()),
            portgroups=tuple(
                host.PortGroup(one.name, one.vswitch, one.vlan,
                               teaming(one.teaming))
                for one in esxi.portgroups.values()),
            vmks=tuple(map(vmk_of, esxi.vmks.values())),
            default4=by_network.get(defaults[0]),
            default6=by_network.get(defaults[1]),
            routes=tuple(route for route in all_routes
                         if route.network not in defaults),
            dns=tuple(esxi.dns), search=tuple(esxi.search)),
        hostname=esxi.hostname, certificate=esxi.certificate,
        ssh_keys=tuple(keys.splitlines()), ssh=services['ssh'],
        shell=services['shell'],
        shell_warning=esxi.advanced[
            '/UserVars/SuppressShellWarning'].value != 1)
