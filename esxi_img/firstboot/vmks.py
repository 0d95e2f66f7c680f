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

"""VMkernel interfaces for places, and the routes through them."""

from dataclasses import dataclass
from dataclasses import replace
import ipaddress
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Set
from typing import Tuple
from typing import Union

from . import host
from . import management
from . import model

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# DHCPv6 is asked for more than SLAAC is.
_MODES = (model.DHCPV6_STATEFUL, model.DHCPV6_STATELESS, model.SLAAC)


@dataclass(frozen=True)
class Made:
    """An interface.

    :param place: the index of its place
    :param subnets: paths of the subnets that it serves
    """

    vmk: host.Vmk
    place: int
    subnets: Tuple[str, ...]
    problems: Tuple[model.Problem, ...] = ()


@dataclass(frozen=True)
class Routes:
    """Every route that leaves by one of the interfaces."""

    default4: Optional[host.Route]
    default6: Optional[host.Route]
    routes: Tuple[host.Route, ...]
    problems: Tuple[model.Problem, ...]


def make(places: Sequence[management.Place], device_mac: Optional[str]
         ) -> List[Made]:
    """Interfaces for all places; the first one carries management.

    An interface holds one IPv4 address, so a second one on the same link
    makes another interface.

    :param device_mac: of the NIC that the installer makes vmk0 on, whose
        MAC vmk0 takes (VMware KB 324503)
    """
    result: List[Made] = []
    macs: Set[str] = set()
    addresses: Set[str] = set()
    for index, place in enumerate(places):
        for position, subnets in enumerate(_shares(place)):
            made = _interface(len(result), index, place, subnets)
            if position:
                made = _with(made, made.vmk, model.Problem(
                    subnets[0].where, 'an interface holds one IPv4 address: '
                    f'this one gets its own, {made.vmk.name}'))
            made = _with_own_addresses(made, addresses)
            made = _with_mac(made, place, macs, device_mac)
            result.append(made)
    return result


def _shares(place: management.Place) -> Iterator[Tuple[model.Subnet, ...]]:
    """The subnets of each interface: all of IPv6 goes to the first one."""
    four: Dict[Tuple[str, Optional[str]], model.Subnet] = {}
    rest = []
    for subnet in place.subnets:
        key = (subnet.method, subnet.address)
        if subnet.family == 6 or key in four or (
                subnet.method == model.STATIC and not subnet.address):
            rest.append(subnet)
        else:
            four[key] = subnet
    first = list(four.values())
    yield (*first[:1], *rest)
    for subnet in first[1:]:
        yield (subnet,)


def _interface(number: int, index: int, place: management.Place,
               subnets: Tuple[model.Subnet, ...]) -> Made:
    four = next((one for one in subnets if one.family == 4), None)
    ipv4 = None
    if four:
        ipv4 = 'dhcp' if four.method == model.DHCP else four.address
    modes = [one.method for one in subnets if one.method in _MODES]
    mode = min(modes, key=_MODES.index, default=None)
    problems = [model.Problem(one.where, 'static, and without a usable '
                              'address') for one in subnets
                if one.method == model.STATIC and not one.address]
    problems += [model.Problem(one.where, f'{one.method}: the interface has '
                               f'{mode} already') for one in subnets
                 if one.method in _MODES and one.method != mode]
    name = f'vmk{number}'
    return Made(
        host.Vmk(
            name, name if number else host.MANAGEMENT_GROUP,
            mtu=place.attachment.mtu, ipv4=ipv4,
            ipv6=tuple(dict.fromkeys(
                one.address for one in subnets
                if one.family == 6 and one.address)),
            ipv6_mode=mode, management=not number,
            why=subnets[0].where),
        index, tuple(one.where for one in subnets), tuple(problems))


def _with_own_addresses(made: Made, taken: Set[str]) -> Made:
    """Leave out addresses that another interface has.

    :param taken: without their lengths; grows
    """
    vmk = made.vmk
    twins = [text for text in (vmk.ipv4, *vmk.ipv6)
             if text and text.partition('/')[0] in taken]
    taken.update(text.partition('/')[0] for text in (vmk.ipv4, *vmk.ipv6)
                 if text and text != 'dhcp')
    if not twins:
        return made
    return _with(made, replace(
        vmk, ipv4=None if vmk.ipv4 in twins else vmk.ipv4,
        ipv6=tuple(one for one in vmk.ipv6 if one not in twins)),
        *(model.Problem(vmk.why, f'address {text} is that of another '
                        'interface') for text in twins))


def _with_mac(made: Made, place: management.Place, macs: Set[str],
              device_mac: Optional[str]) -> Made:
    """Give the interface its link's MAC, if no other one has it.

    OpenStack describes one MAC for a link and all its VLANs; ESXi wants
    each interface to have its own.

    :param macs: those that are taken; grows
    """
    vmk = made.vmk
    mac = place.attachment.link.mac
    if mac in macs:
        return _with(made, vmk, model.Problem(
            vmk.why, f'MAC {mac} is taken by another interface: ESXi makes '
            f'one up for {vmk.name}'))
    # A DHCP server knows its client by the MAC.
    matters = mac is not None and (
        vmk.ipv4 == 'dhcp' or vmk.ipv6_mode == model.DHCPV6_STATEFUL)
    macs.update(one for one in (mac, None if matters or not vmk.management
                                else device_mac) if one)
    return _with(made, replace(vmk, mac=mac, mac_matters=matters))


def _with(made: Made, vmk: host.Vmk, *problems: model.Problem) -> Made:
    return Made(vmk, made.place, made.subnets, (*made.problems, *problems))


def routes(made: Sequence[Made], subnets: Sequence[model.Subnet]) -> Routes:
    """The routes of the subnets that have an interface.

    One default route for each family: the first one described.

    :param subnets: all, in the order of the description
    """
    interfaces = {where: one.vmk for one in made for where in one.subnets}
    own = {str(ipaddress.ip_interface(text).network) for one in made
           for text in (one.vmk.ipv4, *one.vmk.ipv6) if text not in (
               None, 'dhcp')}
    defaults: Dict[str, host.Route] = {}
    others: Dict[str, host.Route] = {}
    problems: List[model.Problem] = []
    for subnet in subnets:
        vmk = interfaces.get(subnet.where)
        for route in subnet.routes if vmk else ():
            assert vmk
            reached = _reaches(route.gateway, vmk)
            usable = reached and route.network not in own
            kind = defaults if route.network in (
                management.DEFAULT.values()) else others
            this = host.Route(route.network, route.gateway, vmk.name, usable,
                              route.where)
            first = kind.setdefault(route.network, this)
            if usable and not first.usable:
                # The first one counts, but one that works counts more.
                first = kind[route.network] = this
            if first.gateway != route.gateway:
                problems.append(model.Problem(
                    route.where, f'another route to {route.network}, via '
                    f'{route.gateway}: the one via {first.gateway} is kept'))
            elif not usable and first.why == route.where:
                problems.append(model.Problem(route.where, _useless(
                    route, reached)))
    return Routes(defaults.get(management.DEFAULT[4]),
                  defaults.get(management.DEFAULT[6]),
                  tuple(others.values()), tuple(problems))


def _useless(route: model.Route, reached: bool) -> str:
    if reached:
        return f'{route.network} is a network of the host itself: no route'
    return (f'gateway {route.gateway} is not on the network of its interface '
            '(off-link): ESXi takes no such route')


def _reaches(gateway: str, vmk: host.Vmk) -> bool:
    """Whether the gateway is on the interface's own network.

    What DHCP or router advertisements will bring is not known here.
    """
    address = ipaddress.ip_address(gateway)
    if vmk.ipv4 == 'dhcp' if address.version == 4 else vmk.ipv6_mode:
        return True
    if address.version == 6 and address.is_link_local:
        return bool(vmk.ipv6)
    own = (vmk.ipv4,) if address.version == 4 else vmk.ipv6
    return any(address in network and not _is_edge(address, network)
               for network in (ipaddress.ip_interface(text).network
                               for text in own if text))


def _is_edge(address: Address, network: Network) -> bool:
    """Whether it is the network's own address, or its broadcast address."""
    return address.version == 4 and network.prefixlen < 31 and address in (
        network.network_address, network.broadcast_address)
