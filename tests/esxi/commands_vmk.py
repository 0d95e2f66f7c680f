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

"""VMkernel ports and their addresses."""

import ipaddress
import re
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

NAME = '--interface-name'
GROUP = '--portgroup-name'
TAGS = (model.MANAGEMENT, 'VMotion', 'VSAN', 'faultToleranceLogging',
        'vSphereReplication', 'vSphereReplicationNFC',
        'vSphereProvisioning')

_INTERFACE = 'network ip interface '
_NAME = re.compile(r'vmk(0|[1-9][0-9]?)')


def _vmk(host: typing.Any, options: grammar.Options) -> model.Vmk:
    return commands.find(host.vmks, options[NAME], 'VMkernel port')


def _wanted(host: typing.Any, options: grammar.Options) -> list[model.Vmk]:
    return [_vmk(host, options)] if NAME in options \
        else list(host.vmks.values())


def _made_up(host: typing.Any) -> str:
    taken = {vmk.mac for vmk in host.vmks.values()}
    return next(mac for mac in (f'00:50:56:60:00:{number:02x}'
                                for number in range(256))
                if mac not in taken)


@commands.command(_INTERFACE + 'add')
def add(host: typing.Any, options: grammar.Options) -> None:
    if GROUP not in options or options.keys() & {'--dvs-name',
                                                 '--dvport-id'}:
        raise grammar.Refused(f'{GROUP} is needed: no distributed switches')
    group = commands.find(host.portgroups, options[GROUP], 'Port group')
    name = options.get(NAME) or next(
        name for name in map('vmk{}'.format, range(101))
        if name not in host.vmks)
    if not _NAME.fullmatch(name):
        raise grammar.Refused(f'Invalid VMkernel port name {name!r}')
    host.vmks[commands.new(host.vmks, name, 'VMkernel port')] = model.Vmk(
        name, model.mac(options.get('--mac-address', _made_up(host))),
        group.name, int(options.get('--mtu', model.DEFAULT_MTU)))


@commands.command(_INTERFACE + 'remove')
def remove(host: typing.Any, options: grammar.Options) -> None:
    if len(options.keys() & {NAME, GROUP}) != 1:
        raise grammar.Refused(f'Needs {NAME} or {GROUP}')
    by_group = {vmk.portgroup: vmk for vmk in host.vmks.values()}
    vmk = _vmk(host, options) if NAME in options else commands.find(
        by_group, options[GROUP], 'VMkernel port on')
    del host.vmks[vmk.name]


@commands.command(_INTERFACE + 'set')
def change(host: typing.Any, options: grammar.Options) -> None:
    vmk = _vmk(host, options)
    vmk.enabled = options.get('--enabled', str(vmk.enabled).lower()) == 'true'
    vmk.mtu = int(options.get('--mtu', vmk.mtu))


@commands.command(_INTERFACE + 'list')
def show(host: typing.Any, _options: grammar.Options) -> output.Answer:
    return output.records({
        'Name': vmk.name, 'MAC Address': vmk.mac, 'Enabled': vmk.enabled,
        'Portset': host.portgroups[vmk.portgroup].vswitch,
        'Portgroup': vmk.portgroup, 'Netstack Instance': host.netstack,
        'VDS Name': 'N/A', 'VDS UUID': 'N/A', 'VDS Port': 'N/A',
        'VDS Connection': -1, 'Opaque Network ID': 'N/A',
        'Opaque Network Type': 'N/A', 'External ID': 'N/A', 'MTU': vmk.mtu,
        'TSO MSS': 65535, 'RXDispQueue Size': 4,
        'Port ID': 0x2000004 + index}
        for index, vmk in enumerate(host.vmks.values()))


@commands.command(_INTERFACE + 'tag add')
def tag_add(host: typing.Any, options: grammar.Options) -> None:
    vmk, tag = _vmk(host, options), options['--tagname']
    if tag not in TAGS:
        raise grammar.Refused(f'Invalid tag {tag!r}')
    if tag not in vmk.tags:
        vmk.tags.append(tag)


@commands.command(_INTERFACE + 'tag remove')
def tag_remove(host: typing.Any, options: grammar.Options) -> None:
    vmk, tag = _vmk(host, options), options['--tagname']
    if tag not in vmk.tags:
        raise grammar.Refused(f'{vmk.name} has no tag {tag!r}')
    vmk.tags.remove(tag)


@commands.command(_INTERFACE + 'tag get')
def tag_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    return output.simple(Tags=_vmk(host, options).tags)


@commands.command(_INTERFACE + 'ipv4 set')
def ipv4_set(host: typing.Any, options: grammar.Options) -> None:
    vmk, kind = _vmk(host, options), options['--type']
    for name, types in (('--ipv4', ['static']), ('--netmask', ['static']),
                        ('--gateway', ['static']), ('--peer-dns', ['dhcp'])):
        if name in options and kind not in types:
            raise grammar.Refused(f'{name} does not go with type {kind}')
    vmk.ipv4_type, vmk.ipv4, vmk.gateway = kind, None, None
    vmk.peer_dns = options.get('--peer-dns') == 'true'
    if kind == 'static':
        if not {'--ipv4', '--netmask'} <= options.keys():
            raise grammar.Refused('static needs --ipv4 and --netmask')
        vmk.ipv4 = model.static_ipv4(options['--ipv4'], options['--netmask'])
    if '--gateway' in options:
        if host.release >= (9,):
            raise grammar.Refused('--gateway: add a default route instead')
        vmk.gateway = model.ip(options['--gateway'], 4)
        if not model.reaches(vmk, vmk.gateway):
            raise grammar.Refused(f'Gateway {vmk.gateway} is not on-link')


@commands.command(_INTERFACE + 'ipv4 get', _INTERFACE + 'ipv4 address list')
def ipv4_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    rows = []
    for vmk in _wanted(host, options):
        default = next((route.gateway for route in host.routes
                        if route.interface == vmk.name
                        and route.network == model.DEFAULTS[4]), '0.0.0.0')
        net = vmk.ipv4 or ipaddress.IPv4Interface('0.0.0.0/32')
        rows.append((
            vmk.name, str(net.ip), str(net.netmask) if vmk.ipv4 else '0.0.0.0',
            str(net.network.broadcast_address), vmk.ipv4_type.upper(),
            str(vmk.gateway or default), vmk.peer_dns))
    return output.table('Name|IPv4 Address|IPv4 Netmask|IPv4 Broadcast|'
                        'Address Type|Gateway|DHCP DNS', rows)


@commands.command(_INTERFACE + 'ipv6 set')
def ipv6_set(host: typing.Any, options: grammar.Options) -> None:
    vmk = _vmk(host, options)
    for option, field in (('--enable-ipv6', 'ipv6'),
                          ('--enable-dhcpv6', 'dhcpv6'),
                          ('--enable-router-adv', 'router_adv'),
                          ('--peer-dns', 'peer_dns6')):
        if option in options:
            setattr(vmk, field, options[option] == 'true')
    if not vmk.ipv6:
        if options.keys() - {NAME, '--enable-ipv6'}:
            raise grammar.Refused(f'IPv6 is not enabled on {vmk.name}')
        vmk.dhcpv6 = vmk.router_adv = vmk.peer_dns6 = False
        vmk.gateway6, vmk.ipv6_addresses = None, []
    if '--gateway' in options:
        vmk.gateway6 = model.ip(options['--gateway'], 6)
        if not (vmk.gateway6.is_link_local
                or model.reaches(vmk, vmk.gateway6)):
            raise grammar.Refused(f'Gateway {vmk.gateway6} is not on-link')


@commands.command(_INTERFACE + 'ipv6 get')
def ipv6_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    return output.table(
        'Name|IPv6 Enabled|DHCPv6 Enabled|Router Adv Enabled|DHCP DNS|'
        'Gateway',
        [(vmk.name, vmk.ipv6, vmk.dhcpv6, vmk.router_adv, vmk.peer_dns6,
          str(vmk.gateway6 or '::')) for vmk in _wanted(host, options)])


def _ipv6(text: str) -> ipaddress.IPv6Interface:
    address, _, length = text.partition('/')
    if not length.isdecimal() or not 0 < int(length) <= 128:
        raise grammar.Refused(f'Invalid IPv6 address {text!r}: no prefix')
    return ipaddress.IPv6Interface((model.ip(address, 6), int(length)))


@commands.command(_INTERFACE + 'ipv6 address add')
def ipv6_add(host: typing.Any, options: grammar.Options) -> None:
    vmk = _vmk(host, options)
    if not vmk.ipv6:
        raise grammar.Refused(f'IPv6 is not enabled on {vmk.name}')
    vmk.ipv6_addresses.append(_ipv6(options['--ipv6']))


@commands.command(_INTERFACE + 'ipv6 address remove')
def ipv6_remove(host: typing.Any, options: grammar.Options) -> None:
    vmk, address = _vmk(host, options), _ipv6(options['--ipv6'])
    if address not in vmk.ipv6_addresses:
        raise grammar.Refused(f'{vmk.name} has no address {address}')
    vmk.ipv6_addresses.remove(address)


@commands.command(_INTERFACE + 'ipv6 address list')
def ipv6_list(host: typing.Any, _options: grammar.Options) -> output.Answer:
    return output.table(
        'Interface|Address|Netmask|Type|Status',
        [(vmk.name, str(address.ip), address.network.prefixlen, 'STATIC',
          'PREFERRED') for vmk in host.vmks.values()
         for address in vmk.ipv6_addresses])
