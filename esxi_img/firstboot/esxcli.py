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

"""What esxcli answers to its list and get commands, as parts of a host.

Each reader takes the rows of one answer and raises BadAnswer, see tables.py,
if they lack something or say what cannot be meant.
"""

import functools
import re
from typing import Dict
from typing import Iterable
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple
from typing import TypeVar

from . import address
from . import host
from . import model
from . import nics
from . import tables
from .netvalue import quote
from .tables import BadAnswer
from .tables import Row

Named = TypeVar('Named', host.VSwitch, host.PortGroup, host.Vmk)

_MOST_VLAN = 4095
_MOST_MTU = 65535

# The words of "policy failover get", and those of "... set".
_BALANCING = {
    'srcport': host.PORTID, 'portid': host.PORTID,
    'srcmac': host.MAC, 'mac': host.MAC,
    'iphash': host.IPHASH, 'explicit': host.EXPLICIT}
DEFAULTS = {4: '0.0.0.0/0', 6: '::/0'}
"""Networks of the default routes, by family."""

_LENGTHS = {4: 'netmask', 6: 'prefix'}
# Of addresses that neither DHCP nor router advertisements brought.
_BY_HAND = ('manual', 'static')
_NO_ADDRESS = ('', 'n/a')
_VERSION = re.compile('[0-9]+([.][0-9]+)*')


class Switches(NamedTuple):
    """The standard switches, and what they say of others.

    :ivar groups: names of their port groups, broken at commas
    """

    vswitches: Tuple[host.VSwitch, ...]
    groups: Tuple[str, ...]


class IPv6(NamedTuple):
    """How an interface does IPv6.

    :ivar mode: as host.Vmk.ipv6_mode
    :ivar gateway: the default one, where that was set
    """

    mode: Optional[str]
    gateway: Optional[str]


def nics_of(rows: List[Row]) -> Tuple[host.Nic, ...]:
    """From ``network nic list``; one at least."""
    why = 'names none'
    try:
        found = nics.from_json(rows)
    except nics.BadNics as error:
        found, why = (), str(error)
    if not found:
        raise BadAnswer(why)
    return found


def switches_of(rows: List[Row]) -> Switches:
    """From ``network vswitch standard list``; without policies."""
    found = _unique(host.VSwitch(
        row.text('name'), row.words('uplinks'),
        row.number('mtu', 1, _MOST_MTU)) for row in rows)
    return Switches(found, tuple(
        name for row in rows for name in row.words('portgroups')))


def portgroups_of(rows: List[Row]) -> Tuple[host.PortGroup, ...]:
    """From ``network vswitch standard portgroup list``."""
    return _unique(host.PortGroup(
        row.text('name'), row.text('virtualswitch'),
        row.number('vlanid', 0, _MOST_VLAN)) for row in rows)


def teaming_of(rows: List[Row]) -> host.Teaming:
    """From ``policy failover get`` of a switch or a port group.

    A port group tells what holds for it, its own or its switch's.
    """
    row = _one(rows)
    return host.Teaming(
        row.read('loadbalancing', _balancing),
        row.words('activeadapters'), row.words('standbyadapters'))


def vmks_of(rows: List[Row]) -> Tuple[host.Vmk, ...]:
    """From ``network ip interface list``; without addresses."""
    return _unique(host.Vmk(
        row.text('name'), row.text('portgroup'),
        row.read('macaddress', address.mac),
        mtu=row.number('mtu', 1, _MOST_MTU)) for row in rows)


def ipv4_of(rows: List[Row]) -> Dict[str, Optional[str]]:
    """From ``network ip interface ipv4 get``; one at least.

    :returns: by interface: as host.Vmk.ipv4
    """
    if not rows:
        raise BadAnswer('names none')
    return {row.text('name'): _ipv4(row) for row in rows}


def ipv6_of(rows: List[Row]) -> Dict[str, IPv6]:
    """From ``network ip interface ipv6 get``, by interface."""
    return {_vmk(row): IPv6(
        _mode(row), _gateway(row, 6) if 'gateway' in row else None)
        for row in rows}


def addresses_of(rows: List[Row]) -> Dict[str, Tuple[str, ...]]:
    """From ``network ip interface ipv6 address list``.

    :returns: by interface: as host.Vmk.ipv6
    """
    found: Dict[str, Tuple[str, ...]] = {}
    for row in rows:
        own, length = _network(row, 'address', 'netmask', 6)
        if row.text('type').lower() in _BY_HAND and not own.is_link_local:
            name = _vmk(row)
            found[name] = (*found.get(name, ()),
                           f'{address.canonical(own)}/{length}')
    return found


def is_management(rows: List[Row]) -> bool:
    """From ``network ip interface tag get``."""
    return 'management' in [tag.lower() for tag in _listed(rows, 'tag')]


def routes_of(rows: List[Row], family: int) -> Tuple[host.Route, ...]:
    """From ``network ip route ipv4 list``, or that of IPv6.

    Without those to networks that the host itself is on.
    """
    found = []
    for row in rows:
        network = DEFAULTS[family]
        if row.text('network').lower() != 'default':
            network = address.network(*_network(
                row, 'network', row.heading(_LENGTHS[family]), family))
        gateway = _gateway(row, family)
        if gateway:
            found.append(host.Route(network, gateway, row.text('interface')))
    return tuple(found)


def servers_of(rows: List[Row]) -> Tuple[str, ...]:
    """From ``network ip dns server list``."""
    return tuple(
        address.canonical(tables.meant('DNS servers', word, address.ip))
        for word in _listed(rows, 'dnsserver'))


def domains_of(rows: List[Row]) -> Tuple[str, ...]:
    """From ``network ip dns search list``."""
    return _listed(rows, 'dnssearch')


def hostname_of(rows: List[Row]) -> str:
    """From ``system hostname get``: with the domain, if there is one."""
    return _one(rows).text('fullyqualifieddomainname')


def version_of(rows: List[Row]) -> str:
    """From ``system version get``."""
    version = _one(rows).text('version')
    if not _VERSION.fullmatch(version):
        raise BadAnswer(f'{quote(version)} is no version')
    return version


def option_of(rows: List[Row]) -> int:
    """From ``system settings advanced list --option``, of a number."""
    return _one(rows).number('intvalue', -1 << 63, 1 << 63)


def _unique(found: Iterable[Named]) -> Tuple[Named, ...]:
    """One at least, each name once."""
    by_name: Dict[str, Named] = {}
    for one in found:
        if one.name in by_name:
            raise BadAnswer(f'{quote(one.name)} is there twice')
        by_name[one.name] = one
    if not by_name:
        raise BadAnswer('names none')
    return tuple(by_name.values())


def _one(rows: List[Row]) -> Row:
    if len(rows) != 1:
        raise BadAnswer(f'{len(rows)} things where one was asked for')
    return rows[0]


def _listed(rows: List[Row], part: str) -> Tuple[str, ...]:
    """The one list that was asked for; an empty one may not be printed."""
    if not rows:
        return ()
    row = _one(rows)
    return row.words(row.heading(part))


def _vmk(row: Row) -> str:
    """The interface of a row; its heading is not the same everywhere."""
    return row.text('name' if 'name' in row else 'interface')


def _balancing(text: str) -> str:
    word = ''.join(text.split()).lower()
    if word not in _BALANCING:
        raise ValueError('is no load balancing of a standard switch')
    return _BALANCING[word]


def _ipv4(row: Row) -> Optional[str]:
    kind = row.text('addresstype').lower()
    if kind == model.DHCP:
        return kind
    if kind == 'none':
        return None
    if kind not in _BY_HAND:
        raise BadAnswer(f'{quote(kind)} is no type of an address')
    own, length = _network(row, 'ipv4address', 'ipv4netmask', 4)
    return f'{own}/{length}' if int(own) else None


def _network(row: Row, key: str, mask: str, family: int
             ) -> Tuple[address.IP, int]:
    """An address and a prefix length, which may stand with it."""
    text, slash, length = row.text(key).partition('/')
    found = tables.meant(key, text, address.ip)
    if found.version != family:
        raise BadAnswer(f'{key}: {found} is no IPv{family} address')
    read = functools.partial(address.prefix_length, family=family)
    return found, tables.meant(mask, length if slash else row.value(mask),
                               read)


def _gateway(row: Row, family: int) -> Optional[str]:
    """None: there is none."""
    if str(row.value('gateway') or '').strip().lower() in _NO_ADDRESS:
        return None
    found = row.read('gateway', address.ip)
    if found.version != family:
        raise BadAnswer(f'gateway: {found} is no IPv{family} address')
    return address.canonical(found) if int(found) else None


def _mode(row: Row) -> Optional[str]:
    """What is asked; no host can tell if DHCPv6 brings an address."""
    if 'ipv6enabled' in row and not row.flag('ipv6enabled'):
        return None
    if row.flag(row.heading('dhcpv6', 'enabled')):
        return model.DHCPV6_STATEFUL
    if row.flag(row.heading('routeradv', 'enabled')):
        return model.SLAAC
    return None
