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

"""The things of a host, and the rules that hold between them."""

import collections
import collections.abc
import dataclasses
import ipaddress
import re
import typing

from tests.esxi import grammar

DEFAULT_MTU = 1500
MANAGEMENT = 'Management'
MTUS = range(1280, 9191)
TRUNK = 4095

_MAC = re.compile(r'[0-9a-f]{2}(:[0-9a-f]{2}){5}')
_LABEL = re.compile(r'[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?')

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULTS = {4: ipaddress.IPv4Network('0.0.0.0/0'),
            6: ipaddress.IPv6Network('::/0')}
"""The networks of the default routes, by version."""


@dataclasses.dataclass
class Nic:
    name: str
    mac: str
    up: bool = True
    """Has a link."""
    driver: str = 'ixgben'


@dataclasses.dataclass
class Teaming:
    """Who carries traffic: uplinks in neither list do not."""

    active: list[str] = dataclasses.field(default_factory=list)
    standby: list[str] = dataclasses.field(default_factory=list)
    load_balancing: str = 'portid'
    failure_detection: str = 'link'
    failback: bool = True
    notify_switches: bool = True


@dataclasses.dataclass
class VSwitch:
    name: str
    mtu: int = DEFAULT_MTU
    ports: int = 128
    cdp: str = 'listen'
    uplinks: list[str] = dataclasses.field(default_factory=list)
    teaming: Teaming = dataclasses.field(default_factory=Teaming)
    explicit: bool = False
    """The teaming was set: it takes in no uplink by itself any more."""
    security: dict[str, str] = dataclasses.field(default_factory=dict)
    """By option, as shaping; all traffic tricks are off by default."""
    shaping: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class PortGroup:
    """None stands for what the vSwitch has."""

    name: str
    vswitch: str
    vlan: int = 0
    teaming: Teaming | None = None
    security: dict[str, str] | None = None
    shaping: dict[str, str] | None = None


@dataclasses.dataclass
class Vmk:
    name: str
    mac: str
    portgroup: str
    mtu: int = DEFAULT_MTU
    enabled: bool = True
    tags: list[str] = dataclasses.field(default_factory=list)
    ipv4_type: str = 'none'
    ipv4: ipaddress.IPv4Interface | None = None
    gateway: ipaddress.IPv4Address | None = None
    peer_dns: bool = False
    ipv6: bool = False
    dhcpv6: bool = False
    router_adv: bool = False
    peer_dns6: bool = False
    gateway6: ipaddress.IPv6Address | None = None
    ipv6_addresses: list[ipaddress.IPv6Interface] = dataclasses.field(
        default_factory=list)
    """The static ones."""

    def addresses(self) -> list[Interface]:
        return [*([self.ipv4] if self.ipv4 else []), *self.ipv6_addresses]


class Route(typing.NamedTuple):
    network: Network
    gateway: Address
    interface: str
    source: str = 'MANUAL'


def mac(text: str) -> str:
    """In lower case; of one station.

    :raises Refused: it is none
    """
    value = text.lower()
    if not _MAC.fullmatch(value) or int(value[:2], 16) & 1 \
            or value == '00:00:00:00:00:00':
        raise grammar.Refused(f'Invalid MAC address {text!r}')
    return value


def domain(text: str) -> str:
    """A domain name, or one label of it.

    :raises Refused: it is none
    """
    if len(text) > 253 or not all(map(_LABEL.fullmatch, text.split('.'))):
        raise grammar.Refused(f'Invalid domain name {text!r}')
    return text


def label(text: str, limit: int, what: str) -> str:
    """A name that every tool takes: short, printable ASCII, no / \\ %.

    :raises Refused: it is none
    """
    if not 0 < len(text) <= limit or not text.isascii() \
            or not text.isprintable() or set(text) & set('/\\%') \
            or text != text.strip():
        raise grammar.Refused(f'Invalid {what} name {text!r}')
    return text


def ip(text: str, version: int) -> Address:
    """An address that one station can have.

    :raises Refused: it is none
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or '%' in text \
            or address.is_multicast or address.is_loopback \
            or address.is_unspecified \
            or version == 4 and (address.is_reserved
                                 or int(address) < 1 << 24):
        raise grammar.Refused(f'Invalid IPv{version} address {text!r}')
    return address


def static_ipv4(address: str, netmask: str) -> ipaddress.IPv4Interface:
    """A static address.

    :raises Refused: bad, or not a host's in its network
    """
    host = ip(address, 4)
    try:
        mask = int(ipaddress.IPv4Address(netmask))
    except ValueError:
        mask = 0
    length = mask.bit_count()
    if not mask or mask != (1 << 32) - (1 << 32 - length):
        raise grammar.Refused(f'Invalid netmask {netmask!r}')
    interface = ipaddress.IPv4Interface(f'{host}/{length}')
    if not is_host(host, interface.network):
        raise grammar.Refused(f'{interface} is not the address of a host')
    return interface


def is_host(address: Address, network: Network) -> bool:
    """In the network, and neither its name nor its broadcast address."""
    if address.version != network.version or address not in network:
        return False
    return address.version == 6 or network.prefixlen > 30 or address not in (
        network.network_address, network.broadcast_address)


def reaches(vmk: Vmk, gateway: Address) -> bool:
    """It is another station on the vmk's own network."""
    return vmk.enabled and any(
        is_host(gateway, address.network) and gateway != address.ip
        for address in vmk.addresses())


def link(host: typing.Any, vmk: Vmk) -> bool:
    """Its frames reach the physical network and come back untagged."""
    group = host.portgroups[vmk.portgroup]
    teaming = group.teaming or host.vswitches[group.vswitch].teaming
    up = {nic.name for nic in host.nics if nic.up}
    return vmk.enabled and group.vlan != TRUNK and bool(
        up & {*teaming.active, *teaming.standby})


def broken(host: typing.Any) -> collections.abc.Iterator[str]:
    """Each rule that does not hold on this host."""
    nics = [nic.name for nic in host.nics]
    taken = [name for switch in host.vswitches.values()
             for name in switch.uplinks]
    for name in taken:
        if name not in nics:
            yield f'Unknown NIC {name}'
    for name in _repeated(taken):
        yield f'Uplink {name} already exists on a vSwitch'
    for switch in host.vswitches.values():
        if switch.mtu not in MTUS:
            yield f'Invalid MTU {switch.mtu}'
        yield from _teaming(switch.teaming, switch)
    for group in host.portgroups.values():
        if group.vswitch not in host.vswitches:
            yield f'vSwitch {group.vswitch} has port groups'
        elif group.teaming:
            yield from _teaming(group.teaming, host.vswitches[group.vswitch])
    yield from _vmks(host)


def _vmks(host: typing.Any) -> collections.abc.Iterator[str]:
    vmks = host.vmks.values()
    for vmk in vmks:
        group = host.portgroups.get(vmk.portgroup)
        if not group:
            yield f'Port group {vmk.portgroup} has {vmk.name}'
        elif not MTUS.start <= vmk.mtu <= host.vswitches[group.vswitch].mtu:
            yield f'Invalid MTU {vmk.mtu} of {vmk.name}: see its vSwitch'
    for what, values in (
            ('MAC address', [vmk.mac for vmk in vmks]),
            ('A VMkernel port on', [vmk.portgroup for vmk in vmks]),
            ('IP address', [address.ip for vmk in vmks
                            for address in vmk.addresses()])):
        for value in _repeated(values):
            yield f'{what} {value} already exists'


def _teaming(teaming: Teaming, switch: VSwitch
             ) -> collections.abc.Iterator[str]:
    named = teaming.active + teaming.standby
    for name in named:
        if name not in switch.uplinks:
            yield f'{name!r} is no uplink of {switch.name}'
    for name in _repeated(named):
        yield f'Uplink {name} is named twice'
    if teaming.load_balancing == 'iphash' and teaming.standby:
        yield 'No standby uplinks with iphash'


def _repeated(values: list) -> list:
    return [value for value, count in collections.Counter(values).items()
            if count > 1]
