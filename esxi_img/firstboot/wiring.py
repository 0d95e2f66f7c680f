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

"""From the network that is to the one that should be.

Make before break: the steps that could take management away, where there
are any, form one group, and each of them says how it is taken back.  What
nobody described stays as it is.
"""

from dataclasses import replace
from typing import List
from typing import Optional
from typing import Tuple

from . import commands
from . import host
from . import interfaces
from . import model
from . import steps
from . import switches
from .chain import Chain

MANAGEMENT = 'management'


def network(have: host.Network, want: host.Network, fallback: bool
            ) -> Tuple[List[steps.Step], List[model.Problem]]:
    """The steps from one network to the other; none where they agree.

    :param fallback: management stays as it is
    """
    result: List[steps.Step] = []
    problems: List[model.Problem] = []
    kept = _management_uplinks(have) if fallback else ()
    if not fallback:
        result += _management(have, want, problems)
        have = _after(have, want)
    else:
        some = Chain()
        switches.raise_mtu(some, have, want.vswitches[0])
        result += some.steps
    barred = {switch.name for switch in want.vswitches[1:]
              if set(kept) & set(switch.uplinks)}
    for switch in want.vswitches[1:]:
        if switch.name in barred:
            problems.append(model.Problem(
                switch.why, f'{switch.name} would take '
                f'{", ".join(switch.uplinks)} from management'))
            continue
        some = Chain(switch.name)
        switches.build(some, have, switch)
        switches.raise_mtu(some, have, switch)
        result += some.steps
    for vmk in want.vmks[1:]:
        group = want.portgroup(vmk.portgroup)
        if group and group.vswitch not in barred:
            some = Chain(vmk.name)
            interfaces.build(some, have, want, vmk, problems)
            result += some.steps
    some = Chain()
    # Behind all: what is taken back, or later in turn, needs the larger one.
    for switch in want.vswitches[1:] if fallback else want.vswitches:
        switches.lower_mtu(some, have, switch)
    for route in (want.default4, want.default6):
        if route and route.vmk != host.MANAGEMENT_VMK:
            _retire(some, have, want, route)
            _default(some, have, want, route)
    return result + some.steps, problems


def routes(have: host.Network, want: host.Network) -> List[steps.Step]:
    """Steps for all routes but the default ones."""
    result: List[steps.Step] = []
    known = {route.network: route for route in have.routes}
    for route in want.routes:
        old = known.get(route.network)
        if not route.usable or old and old.gateway == route.gateway:
            continue
        name = f'route.{route.network}'
        some = Chain(name if old else None, undoable=True)
        if old:
            some.add(f'{name}.remove', commands.route('remove', old),
                     route.why, commands.route('add', old))
        some.add(name, commands.route('add', route), route.why,
                 commands.route('remove', route), probe=_listed(route))
        result += some.steps
    return result


def _after(have: host.Network, want: host.Network) -> host.Network:
    """What is left to do once management has its NICs and its MAC."""
    mine, vmk = want.vswitches[0], want.vmks[0]
    rebuilt = interfaces.rebuilds(have, want, vmk)
    return replace(have, vmks=tuple(
        replace(one, mac=vmk.mac) if rebuilt and one.name == vmk.name else one
        for one in have.vmks), vswitches=tuple(
        replace(one, uplinks=tuple(
            uplink for uplink in one.uplinks
            if (uplink in mine.uplinks) == (one.name == mine.name)
            or not mine.uplinks))
        for one in have.vswitches))


def _management_uplinks(have: host.Network) -> Tuple[str, ...]:
    vmk = have.vmk(host.MANAGEMENT_VMK)
    group = have.portgroup(vmk.portgroup) if vmk else None
    switch = have.vswitch(group.vswitch) if group else None
    return switch.uplinks if switch else ()


def _management(have: host.Network, want: host.Network,
                problems: List[model.Problem]) -> List[steps.Step]:
    vmk = want.vmks[0]
    switch = want.vswitches[0]
    breaking = _breaks(have, want, vmk, switch)
    if breaking:
        teaming = some = Chain(MANAGEMENT, undoable=True)
    else:
        teaming, some = Chain(switch.name, undoable=True), Chain()
    switches.build(teaming, have, switch)
    switches.follow(teaming, have, switch)
    switches.raise_mtu(some, have, switch)
    defaults = [route for route in (want.default4, want.default6)
                if route and route.vmk == vmk.name]
    for route in defaults:
        _retire(some, have, want, route)
    interfaces.build(some, have, want, vmk, problems)
    for route in defaults:
        _default(some, have, want, route)
    switches.leave(some, have, switch)
    interfaces.drop_ipv4(some, have, vmk)
    return teaming.steps + ([] if some is teaming else some.steps)


def _breaks(have: host.Network, want: host.Network, vmk: host.Vmk,
            switch: host.VSwitch) -> bool:
    """Whether management, as it is, goes away before the new one is there."""
    old = have.vmk(vmk.name)
    if old is None:
        return False
    group = have.portgroup(vmk.portgroup)
    wish = want.portgroup(vmk.portgroup)
    there = have.vswitch(switch.name)
    return (interfaces.rebuilds(have, want, vmk)
            or old.ipv4 != vmk.ipv4
            or not group or not wish or group.vlan != wish.vlan
            or bool(there and set(there.uplinks) - set(switch.uplinks))
            or _moves(have.default4, want.default4)
            or _moves(have.default6, want.default6))


def _moves(have: Optional[host.Route], want: Optional[host.Route]) -> bool:
    return bool(have and want and want.usable
                and have.gateway != want.gateway)


def _retire(chain: Chain, have: host.Network, want: host.Network,
            route: host.Route) -> None:
    """Remove the default route that gives way, while its network is there.

    One that goes with its interface, or with its DHCP lease, needs no step.
    """
    old = have.default4 if route is want.default4 else have.default6
    if not old or old.gateway == route.gateway or not _is_ours(want, route):
        return
    vmk = have.vmk(old.vmk or host.MANAGEMENT_VMK)
    wish = want.vmk(vmk.name) if vmk else None
    if vmk and wish and (
            interfaces.rebuilds(have, want, wish)
            or route is want.default4 and vmk.ipv4 == 'dhcp' != wish.ipv4):
        return
    chain.add(_name(want, route) + '.remove', commands.route('remove', old),
              route.why, commands.route('add', old))


def _default(chain: Chain, have: host.Network, want: host.Network,
             route: host.Route) -> None:
    """Add a default route, unless it is there and stays.

    It may not outlive a change of its interface; the probe will tell.
    """
    if not _is_ours(want, route):
        return
    old = have.default4 if route is want.default4 else have.default6
    vmk = want.vmk(route.vmk or '')
    there = have.vmk(vmk.name) if vmk else None
    changes = vmk and there and (interfaces.rebuilds(have, want, vmk)
                                 or vmk.ipv4 != there.ipv4)
    if old and old.gateway == route.gateway and not changes:
        return
    chain.add(_name(want, route), commands.route('add', route), route.why,
              commands.route('remove', route), probe=_listed(route))


def _is_ours(want: host.Network, route: host.Route) -> bool:
    """Whether neither DHCP nor router advertisements bring the route."""
    vmk = want.vmk(route.vmk or '')
    if not route.usable or vmk is None:
        return route.usable
    return vmk.ipv4 != 'dhcp' if route is want.default4 \
        else vmk.ipv6_mode is None


def _name(want: host.Network, route: host.Route) -> str:
    return 'route.default4' if route is want.default4 else 'route.default6'


def _listed(route: host.Route) -> steps.Probe:
    return steps.Probe(commands.route_list(route),
                       commands.route_words(route))
