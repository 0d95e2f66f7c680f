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

"""The networks of network_data.json: how a link gets its address, and routes.

Nova's and Ironic's own types are few (nova/virt/netutils.py,
get_network_metadata); the other names are those of hand-made descriptions.
"""

from typing import Collection
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import address
from .address import IP
from .model import DHCP
from .model import DHCPV6_STATEFUL
from .model import DHCPV6_STATELESS
from .model import Route
from .model import SLAAC
from .model import STATIC
from .model import Subnet
from .netvalue import Entry
from .netvalue import quote

TYPES = {
    'ipv4': (4, STATIC),
    'ipv4_dhcp': (4, DHCP),
    'ipv4_dhcp4': (4, DHCP),
    'dhcp': (4, DHCP),
    'dhcp4': (4, DHCP),
    'ipv6': (6, STATIC),
    'ipv6_slaac': (6, SLAAC),
    'slaac': (6, SLAAC),
    'ipv6_dhcp': (6, DHCPV6_STATEFUL),
    'ipv6_dhcpv6-stateful': (6, DHCPV6_STATEFUL),
    'dhcp6': (6, DHCPV6_STATEFUL),
    'ipv6_dhcpv6-stateless': (6, DHCPV6_STATELESS)}
"""In lower case, with the family and the method that they mean."""

DEFAULT = 'default'
_DEFAULTS = {4: '0.0.0.0/0', 6: '::/0'}


def subnets(entries: List[Entry],
            link_ids: Collection[str]) -> Tuple[Subnet, ...]:
    """All that can be used, in the file's order.

    :param link_ids: a network on any other link is left out
    """
    found = (_subnet(entry, link_ids) for entry in entries)
    return tuple(subnet for subnet in found if subnet)


def _subnet(entry: Entry, link_ids: Collection[str]) -> Optional[Subnet]:
    link = _link(entry, link_ids)
    if link is None:
        return None
    family, method = TYPES.get((entry.text('type') or '').lower(), (0, ''))
    own = None
    # Nova says the address next to SLAAC and DHCPv6, too.
    if method in ('', STATIC):
        own = _own(entry)
        family, method = _static(entry, family, own), STATIC
    if not family:
        return None
    return Subnet(
        link=link, where=entry.where, family=family, method=method,
        address=_interface(entry, own) if own else None,
        routes=_routes(entry, family, own))


def _link(entry: Entry, link_ids: Collection[str]) -> Optional[str]:
    link = entry.identifier('link')
    if link in link_ids:
        return link
    if link is not None:
        entry.refuse('link', link, 'is no link: the network is left out')
    elif entry.value('link') is None:
        entry.note('link', 'names no link: the network is left out')
    return None


def _static(entry: Entry, family: int, own: Optional[IP]) -> int:
    """The family of what is, or may be, a static network; 0: of none.

    :param family: by the type; 0: the type is not known
    """
    if family and not own and entry.value('ip_address') is None:
        entry.note('ip_address', 'static without address')
    elif family and own and family != own.version:
        entry.note('type', f'the address is one of IPv{own.version}, '
                   f'not of IPv{family}')
    elif not family:
        kind = entry.value('type')
        entry.note('type', (
            'no type' if kind is None
            else f'{quote(kind)} is no type that is known') + (
            ': a static address is assumed' if own
            else ': the network is left out'))
    return own.version if own else family


def _own(entry: Entry) -> Optional[IP]:
    text = entry.text('ip_address')
    if text is None:
        return None
    try:
        return address.host(text.partition('/')[0].strip())
    except ValueError as error:
        entry.refuse('ip_address', text, error)
        return None


def _interface(entry: Entry, own: IP) -> Optional[str]:
    length = _own_length(entry, own.version)
    try:
        return address.interface(own, length)
    except ValueError as error:
        entry.refuse('ip_address', address.canonical(own), error)
        return None


def _own_length(entry: Entry, family: int) -> int:
    behind = (entry.text('ip_address') or '').partition('/')[2]
    for key, mask in (('ip_address', behind or None),
                      ('netmask', entry.value('netmask'))):
        if mask is None:
            continue
        try:
            length = address.prefix_length(mask, family)
            if length:
                return length
            entry.refuse(key, mask, 'is no netmask of a host')
        except ValueError as error:
            entry.refuse(key, mask, error)
    length = address.ASSUMED[family]
    entry.note('netmask', f'no usable netmask: /{length} is assumed')
    return length


def _routes(entry: Entry, family: int,
            own: Optional[IP]) -> Tuple[Route, ...]:
    found: Dict[Tuple[str, str], Route] = {}
    for route in _each_route(entry, family, own):
        found.setdefault((route.network, route.gateway), route)
    return tuple(found.values())


def _each_route(entry: Entry, family: int,
                own: Optional[IP]) -> Iterator[Route]:
    gateway = _gateway(entry, family, own)
    if gateway:
        yield Route(_DEFAULTS[family], address.canonical(gateway),
                    entry.path('gateway'))
    for inner in entry.entries('routes'):
        route = _route(inner, own)
        if route:
            yield route


def _route(entry: Entry, own: Optional[IP]) -> Optional[Route]:
    network = _destination(entry)
    if network is None:
        return None
    gateway = _gateway(entry, _family(network), own)
    if gateway is None:
        if entry.value('gateway') is None:
            entry.note('gateway', 'a route without a gateway is left out')
        return None
    if network == DEFAULT:
        network = _DEFAULTS[gateway.version]
    return Route(network, address.canonical(gateway), entry.where)


def _family(network: str) -> Optional[int]:
    """Of a network in CIDR form; None: DEFAULT is one of either."""
    if network == DEFAULT:
        return None
    return 6 if ':' in network else 4


def _gateway(entry: Entry, family: Optional[int],
             own: Optional[IP]) -> Optional[IP]:
    text = entry.text('gateway')
    if text is None:
        return None
    try:
        gateway = address.host(text)
    except ValueError as error:
        entry.refuse('gateway', text, error)
        return None
    if gateway == own:
        entry.refuse('gateway', text, "is the host's own address")
    elif family not in (None, gateway.version):
        entry.refuse('gateway', text, f'is no address of IPv{family}')
    else:
        return gateway
    return None


def _destination(route: Entry) -> Optional[str]:
    """In CIDR form, or DEFAULT; None: it cannot be used."""
    text = route.text('network')
    if text is None:
        if route.value('network') is None:
            route.note('network', 'a route without a network is left out')
        return None
    if text.lower() == DEFAULT:
        return DEFAULT
    before, _, behind = text.partition('/')
    try:
        start = address.ip(before.strip())
    except ValueError as error:
        route.refuse('network', text, error)
        return None
    length = _length(route, start, behind)
    return None if length is None else address.network(start, length)


def _length(route: Entry, start: IP, behind: str) -> Optional[int]:
    """Of a route's network.

    :param behind: what stands behind the slash, if anything
    """
    key, mask = ('network', behind) if behind else (
        'netmask', route.value('netmask'))
    if mask is not None:
        try:
            return address.prefix_length(mask, start.version)
        except ValueError as error:
            route.refuse(key, mask, error)
            return None
    if not int(start):
        return 0
    length = address.BITS[start.version]
    route.note('netmask', f'no netmask: /{length} is assumed')
    return length
