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

"""Steps for a VMkernel interface and its port group."""

from dataclasses import replace
from typing import List

from . import commands
from . import host
from . import model
from .chain import Chain
from .steps import Argv


def rebuilds(have: host.Network, want: host.Network, vmk: host.Vmk) -> bool:
    """Whether an interface must be made anew.

    For its MAC alone only where the network would not know it without.
    """
    old = have.vmk(vmk.name)
    if old is None:
        return False
    there = have.portgroup(old.portgroup)
    wish = want.portgroup(vmk.portgroup)
    taken = any(one.mac == vmk.mac for one in have.vmks if one is not old)
    return bool(old.portgroup != vmk.portgroup
                or not there or not wish or there.vswitch != wish.vswitch
                or vmk.mac_matters and old.mac != vmk.mac and not taken)


def build(chain: Chain, have: host.Network, want: host.Network,
          vmk: host.Vmk, problems: List[model.Problem]) -> None:
    """A port group and the interface on it, with its addresses."""
    old = have.vmk(vmk.name)
    rebuild = rebuilds(have, want, vmk)
    if old and rebuild:
        chain.add(f'{vmk.name}.remove', commands.vmk_remove(vmk.name),
                  vmk.why, *_restored(have, old))
    _portgroup(chain, have, want, vmk)
    if old is None or rebuild:
        vmk = _unique(have, vmk, problems)
        # A switch may have less than the usual MTU before it has more.
        mtu = vmk.mtu if (vmk.mtu or host.USUAL_MTU) < host.USUAL_MTU \
            else None
        chain.add(f'{vmk.name}.add', commands.vmk_add(replace(vmk, mtu=mtu)),
                  vmk.why, commands.vmk_remove(vmk.name))
        old = host.Vmk(vmk.name, vmk.portgroup, vmk.mac,
                       mtu=mtu or host.USUAL_MTU)
    if vmk.mtu and old.mtu != vmk.mtu:
        chain.add_apart(f'{vmk.name}.mtu',
                        commands.vmk_mtu(vmk.name, vmk.mtu), vmk.why)
    if vmk.mac and old.mac and vmk.mac != old.mac:
        problems.append(model.Problem(
            vmk.why, f'{vmk.name} keeps the MAC {old.mac} of its NIC; the '
            f'network may know it by {vmk.mac} only'))
    _addresses(chain, old, vmk, not want.dns)


def _unique(have: host.Network, vmk: host.Vmk,
            problems: List[model.Problem]) -> host.Vmk:
    other = next((one.name for one in have.vmks
                  if one.mac and one.mac == vmk.mac
                  and one.name != vmk.name), None)
    if other is None:
        return vmk
    problems.append(model.Problem(
        vmk.why, f'MAC {vmk.mac} is that of {other}: ESXi makes one up for '
        f'{vmk.name}'))
    return replace(vmk, mac=None)


def _portgroup(chain: Chain, have: host.Network, want: host.Network,
               vmk: host.Vmk) -> None:
    group = want.portgroup(vmk.portgroup)
    assert group
    name, why = group.name, group.why
    there = have.portgroup(name)
    if there and there.vswitch != group.vswitch:
        chain.add(f'{vmk.name}.portgroup.remove',
                  commands.portgroup('remove', name, there.vswitch), why,
                  commands.portgroup('add', name, there.vswitch),
                  commands.portgroup_vlan(name, there.vlan))
        there = None
    if there is None:
        chain.add(f'{vmk.name}.portgroup',
                  commands.portgroup('add', name, group.vswitch), why,
                  commands.portgroup('remove', name, group.vswitch))
    vlan = there.vlan if there else 0
    if vlan != group.vlan:
        chain.add(f'{vmk.name}.vlan',
                  commands.portgroup_vlan(name, group.vlan), why,
                  commands.portgroup_vlan(name, vlan))


def _addresses(chain: Chain, old: host.Vmk, vmk: host.Vmk,
               peer_dns: bool) -> None:
    """Every address that ``old`` lacks; none is removed."""
    name, why = vmk.name, vmk.why
    if vmk.ipv4 and old.ipv4 != vmk.ipv4:
        chain.add(f'{name}.ipv4',
                  commands.vmk_ipv4(name, vmk.ipv4, peer_dns), why,
                  commands.vmk_ipv4(name, old.ipv4))
    missing = [one for one in vmk.ipv6 if one not in old.ipv6]
    asks = commands.asks_dhcpv6(vmk.ipv6_mode)
    if missing and not old.ipv6 or vmk.ipv6_mode and (
            old.ipv6_mode is None
            or asks != commands.asks_dhcpv6(old.ipv6_mode)):
        chain.add(f'{name}.ipv6', commands.vmk_ipv6(name, vmk.ipv6_mode), why)
        if asks:
            # Some releases own this ruleset and let nobody enable it.
            chain.add_apart(f'{name}.ipv6.firewall',
                            commands.ruleset('DHCPv6'), why, optional=True)
    for one in missing:
        chain.add(f'{name}.ipv6.{one}',
                  commands.vmk_ipv6_address('add', name, one), why,
                  commands.vmk_ipv6_address('remove', name, one))
    if vmk.management and not old.management:
        chain.add(f'{name}.tag', commands.vmk_tag(name, 'Management'), why)


def drop_ipv4(chain: Chain, have: host.Network, vmk: host.Vmk) -> None:
    """The last step: an IPv4 address that nobody described."""
    old = have.vmk(vmk.name)
    if old and old.ipv4 and not vmk.ipv4 and (vmk.ipv6 or vmk.ipv6_mode):
        chain.add(f'{vmk.name}.ipv4', commands.vmk_ipv4(vmk.name, None),
                  vmk.why, commands.vmk_ipv4(vmk.name, old.ipv4))


def _restored(have: host.Network, old: host.Vmk) -> List[Argv]:
    """Commands that make an interface again as it was."""
    result = [commands.vmk_add(old)]
    if old.ipv4:
        result.append(commands.vmk_ipv4(old.name, old.ipv4))
    if old.ipv6 or old.ipv6_mode:
        result.append(commands.vmk_ipv6(old.name, old.ipv6_mode))
    result += [commands.vmk_ipv6_address('add', old.name, one)
               for one in old.ipv6]
    if old.management:
        result.append(commands.vmk_tag(old.name, 'Management'))
    for route, dynamic in ((have.default4, old.ipv4 == 'dhcp'),
                           (have.default6, old.ipv6_mode)):
        if route and not dynamic and route.vmk in (None, old.name):
            result.append(commands.route('add', route))
    return result
