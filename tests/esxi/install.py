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

"""What the installer makes of a kickstart's lines."""

import collections.abc
import ipaddress
import re
import typing

from tests.esxi import commands_host
from tests.esxi import grammar
from tests.esxi import model

GROUP = 'Management Network'

_DISK = re.compile(r'(/vmfs/devices/disks/)?(naa|eui|t10|vml|mpx)\.\S+')
_LICENSE = re.compile(r'[0-9A-Z]{5}(-[0-9A-Z]{5}){4}')
_FLAGS = ('--overwritevmfs', '--preservevmfs', '--novmfsondisk',
          '--forceunsupportedinstall', '--ignoreprereqwarnings',
          '--ignoreprereqerrors')
_NETWORK = ('--bootproto', '--device', '--ip', '--netmask', '--gateway',
            '--nameserver', '--hostname', '--vlanid', '--addvmportgroup')


def apply(host: typing.Any, lines: collections.abc.Iterable[str],
          hostname_with_dhcp: bool) -> None:
    """Set up a host that has nothing but its cards.

    :raises Refused: the installer would stop
    """
    seen: dict[str, list[str]] = {}
    for line in lines:
        if not line.isascii() or not line.isprintable():
            raise grammar.Refused(f'not plain ASCII: {line!a}')
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        name = words[0]
        if name in seen or name not in _COMMANDS:
            raise grammar.Refused(f'unknown or second command: {name}')
        seen[name] = words[1:]
    for name, words in seen.items():
        _COMMANDS[name](host, words)
    options = _options(seen.get('network', ['--bootproto=dhcp']), _NETWORK)
    _network(host, options, hostname_with_dhcp)


def _options(words: list[str], known: collections.abc.Container[str]
             ) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition('=')
        if name in options or name not in known or not value \
                or set(value) & set('"\'\\#'):
            raise grammar.Refused(f'bad option {word!r}')
        options[name] = value
    return options


def _install(host: typing.Any, words: list[str]) -> None:
    rest = [word for word in words if word not in _FLAGS]
    options = _options(rest, ('--disk',))
    if not _DISK.fullmatch(options.get('--disk', '')) \
            or len(set(words)) < len(words):
        raise grammar.Refused(f'install {" ".join(words)!r}: which disk')
    host.disk = options['--disk']
    if '--novmfsondisk' not in words:
        host.datastores = [commands_host.DATASTORE]


def _serialnum(host: typing.Any, words: list[str]) -> None:
    """ESX 9 takes no key from anything but vCenter."""
    options = _options(words, ('--esx',))
    if not _LICENSE.fullmatch(options.get('--esx', '')):
        raise grammar.Refused('serialnum needs --esx and a key')
    host.license = options['--esx']


def _rootpw(_host: typing.Any, words: list[str]) -> None:
    """A password in the clear could be refused by the policy."""
    if len(words) != 2 or words[0] != '--iscrypted' \
            or not words[1].startswith('$6$'):
        raise grammar.Refused('rootpw needs --iscrypted and a $6$ hash')


def _plain(*allowed: str) -> collections.abc.Callable[
        [typing.Any, list[str]], None]:
    def take(_host: typing.Any, words: list[str]) -> None:
        if not set(words) <= set(allowed):
            raise grammar.Refused(f'bad options {words}')
    return take


_COMMANDS = {
    'accepteula': _plain(), 'vmaccepteula': _plain(),
    'install': _install, 'reboot': _plain('--noeject'), 'rootpw': _rootpw,
    'serialnum': _serialnum,
    'network': lambda _host, _words: None,
}


def _uplink(host: typing.Any, device: str | None) -> model.Nic:
    if not host.nics:
        raise grammar.Refused('no network card')
    if device is None:
        return next((nic for nic in host.nics if nic.up), host.nics[0])
    for nic in host.nics:
        if device == nic.name or device.lower() == nic.mac.lower():
            return nic
    raise grammar.Refused(f'network: no device {device}')


def _vlan(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= model.TRUNK:
        raise grammar.Refused(f'network: bad --vlanid={text}')
    return int(text)


def _network(host: typing.Any, options: dict[str, str],
             hostname_with_dhcp: bool) -> None:
    static = options.get('--bootproto') == 'static'
    if not static and options.get('--bootproto') != 'dhcp':
        raise grammar.Refused('network: needs --bootproto=dhcp or static')
    nic = _uplink(host, options.get('--device'))
    teaming = model.Teaming([nic.name])
    host.vswitches['vSwitch0'] = model.VSwitch(
        'vSwitch0', uplinks=[nic.name], teaming=model.Teaming([nic.name]))
    vlan = _vlan(options['--vlanid']) if '--vlanid' in options else 0
    host.portgroups[GROUP] = model.PortGroup(
        GROUP, 'vSwitch0', vlan, teaming)
    added = options.get('--addvmportgroup', '1')
    if added not in ('0', '1'):
        raise grammar.Refused(f'network: bad --addvmportgroup={added}')
    if added == '1':
        host.portgroups['VM Network'] = model.PortGroup(
            'VM Network', 'vSwitch0')
    vmk = host.vmks['vmk0'] = model.Vmk(
        'vmk0', model.mac(nic.mac), GROUP, tags=[model.MANAGEMENT],
        ipv4_type='static' if static else 'dhcp', peer_dns=not static,
        ipv6=True, router_adv=True)
    servers = [str(model.ip(server, 4)) for server in options[
        '--nameserver'].split(',')] if '--nameserver' in options else []
    if len(servers) > 2:
        raise grammar.Refused('network: more than two name servers')
    if static:
        _static(host, vmk, options)
        host.dns = servers
    elif options.keys() & {'--ip', '--netmask', '--gateway'}:
        raise grammar.Refused('network: addresses with --bootproto=dhcp')
    if '--hostname' in options:
        name = model.domain(options['--hostname'])
        if static or hostname_with_dhcp:
            host.name, _, host.domain = name.partition('.')


def _static(host: typing.Any, vmk: model.Vmk, options: dict[str, str]
            ) -> None:
    if not {'--ip', '--netmask'} <= options.keys():
        raise grammar.Refused('network: static needs --ip and --netmask')
    vmk.ipv4 = model.static_ipv4(options['--ip'], options['--netmask'])
    if '--gateway' in options:
        gateway = ipaddress.IPv4Address(model.ip(options['--gateway'], 4))
        if not model.reaches(vmk, gateway):
            raise grammar.Refused(f'network: gateway {gateway} off-link')
        host.routes.append(model.Route(model.DEFAULTS[4], gateway, 'vmk0'))
