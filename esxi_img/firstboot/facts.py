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

"""The facts of a host as JSON, and the words in which networks are told."""

from functools import partial
import ipaddress
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import address
from . import host
from . import jsonfile
from . import model
from . import nics
from .netvalue import Entry
from .netvalue import quote

_POLICIES = (host.PORTID, host.IPHASH, host.MAC, host.EXPLICIT)
_MODES = (model.SLAAC, model.DHCPV6_STATEFUL, model.DHCPV6_STATELESS)
_MOST_VLAN = 4095
_MOST_MTU = 65535
# What a plan says of the same things, and what follows from the NICs here.
_TOLD_BY_PLANS = ('uplink_macs',)


class BadFacts(ValueError):
    """Facts that cannot be meant.

    :param lines: PATH: what is wrong, one line each
    """

    def __init__(self, lines: Tuple[str, ...]) -> None:
        super().__init__('; '.join(lines))
        self.lines = lines


def as_json(known: host.Host) -> Dict[str, Any]:
    """The host as plain JSON values, null for what is not known."""
    return {'version': known.version,
            'hostname': known.hostname,
            'certificate': known.certificate,
            'ssh_keys': list(known.ssh_keys),
            'ssh': known.ssh,
            'shell': known.shell,
            'shell_warning': known.shell_warning,
            'nics': nics.as_json(known.nics),
            'network': network_as_json(known.network)}


def network_as_json(network: host.Network) -> Dict[str, Any]:
    """A network as plain JSON values."""
    return {
        'vswitches': [{'name': one.name, 'uplinks': list(one.uplinks),
                       'mtu': one.mtu, **_teaming_as_json(one.teaming)}
                      for one in network.vswitches],
        'portgroups': [{'name': one.name, 'vswitch': one.vswitch,
                        'vlan': one.vlan, **_teaming_as_json(one.teaming)}
                       for one in network.portgroups],
        'vmks': [_vmk_as_json(one) for one in network.vmks],
        **_default_as_json('gateway4', network.default4),
        **_default_as_json('gateway6', network.default6),
        'routes': [{'network': one.network, 'gateway': one.gateway,
                    'vmk': one.vmk} for one in network.routes],
        'dns': list(network.dns),
        'search': list(network.search)}


def _teaming_as_json(teaming: Optional[host.Teaming]) -> Dict[str, Any]:
    return {'load_balancing': teaming.load_balancing if teaming else None,
            'active': list(teaming.active) if teaming else [],
            'standby': list(teaming.standby) if teaming else []}


def _default_as_json(key: str,
                     route: Optional[host.Route]) -> Dict[str, Any]:
    return {key: route.gateway if route else None,
            f'{key}_vmk': route.vmk if route else None}


def _vmk_as_json(vmk: host.Vmk) -> Dict[str, Any]:
    ipv4: Any = vmk.ipv4
    if vmk.ipv4 and vmk.ipv4 != model.DHCP:
        interface = ipaddress.IPv4Interface(vmk.ipv4)
        ipv4 = {'address': str(interface.ip),
                'netmask': str(interface.netmask)}
    return {'name': vmk.name, 'portgroup': vmk.portgroup, 'mac': vmk.mac,
            'mtu': vmk.mtu, 'ipv4': ipv4, 'ipv6': list(vmk.ipv6),
            'ipv6_mode': vmk.ipv6_mode, 'management': vmk.management}


def from_json(value: Any) -> Tuple[host.Host, Tuple[model.Problem, ...]]:
    """The host that :func:`as_json` told, and the keys that are unknown.

    What is missing counts as null, or as an empty list.

    :raises BadFacts: with all that is wrong
    """
    if not isinstance(value, dict):
        raise BadFacts((f'{jsonfile.kind(value)} where an object should be',))
    wrong: List[model.Problem] = []
    said = Entry(value, '', wrong)
    found = host.Host(
        said.text('version'), _nics(said),
        _network(_object(said, 'network', wrong)), said.text('hostname'),
        said.text('certificate'), _texts(said, 'ssh_keys'),
        _flag(said, 'ssh'), _flag(said, 'shell'),
        _flag(said, 'shell_warning'))
    if wrong:
        raise BadFacts(tuple(f'{problem.where}: {problem.message}'
                             for problem in wrong))
    return found, tuple(_unknown(value, as_json(found), ''))


def _nics(said: Entry) -> Tuple[host.Nic, ...]:
    value = said.value('nics')
    try:
        return nics.from_json([] if value is None else value)
    except nics.BadNics as error:
        said.note('nics', str(error))
    return ()


def _network(said: Entry) -> host.Network:
    return host.Network(
        vswitches=tuple(host.VSwitch(
            name=_name(one, 'name'), uplinks=_texts(one, 'uplinks'),
            mtu=_number(one, 'mtu', 1, _MOST_MTU), teaming=_teaming(one))
            for one in said.entries('vswitches')),
        portgroups=tuple(host.PortGroup(
            name=_name(one, 'name'), vswitch=_name(one, 'vswitch'),
            vlan=_number(one, 'vlan', 0, _MOST_VLAN) or 0,
            teaming=_teaming(one)) for one in said.entries('portgroups')),
        vmks=tuple(map(_vmk, said.entries('vmks'))),
        default4=_default(said, 'gateway4', 4),
        default6=_default(said, 'gateway6', 6),
        routes=tuple(host.Route(
            network=_read(one, 'network', _cidr) or '',
            gateway=_read(one, 'gateway', _ip) or '', vmk=one.text('vmk'))
            for one in said.entries('routes')),
        dns=_texts(said, 'dns', _ip), search=_texts(said, 'search'))


def _teaming(said: Entry) -> Optional[host.Teaming]:
    policy = _word(said, 'load_balancing', _POLICIES)
    active, standby = _texts(said, 'active'), _texts(said, 'standby')
    if policy:
        return host.Teaming(policy, active, standby)
    if said.value('load_balancing') is None and (active or standby):
        said.note('load_balancing', 'is missing, so active and standby mean '
                  'nothing')
    return None


def _vmk(said: Entry) -> host.Vmk:
    return host.Vmk(
        name=_name(said, 'name'), portgroup=_name(said, 'portgroup'),
        mac=_read(said, 'mac', address.mac),
        mtu=_number(said, 'mtu', 1, _MOST_MTU), ipv4=_ipv4(said),
        ipv6=_texts(said, 'ipv6', partial(_interface, family=6)),
        ipv6_mode=_word(said, 'ipv6_mode', _MODES),
        management=bool(_flag(said, 'management')))


def _ipv4(said: Entry) -> Optional[str]:
    value = said.value('ipv4')
    if not isinstance(value, dict):
        return _word(said, 'ipv4', (model.DHCP,))
    inner = Entry(value, said.path('ipv4'), [])
    whole = '{}/{}'.format(inner.text('address'), inner.text('netmask'))
    try:
        return _interface(whole, 4)
    except ValueError as error:
        said.note('ipv4', f'{quote(whole)} {error}')
    return None


def _default(said: Entry, key: str, family: int) -> Optional[host.Route]:
    gateway = _read(said, key, partial(_ip, family=family))
    network = {4: '0.0.0.0/0', 6: '::/0'}[family]
    vmk = said.text(f'{key}_vmk')
    return host.Route(network, gateway, vmk) if gateway else None


def _ip(text: str, family: Optional[int] = None) -> str:
    found = address.ip(text)
    if family and found.version != family:
        raise ValueError(f'is no address of IPv{family}')
    return address.canonical(found)


def _interface(text: str, family: int) -> str:
    first, _, length = text.partition('/')
    return f'{_ip(first, family)}/{address.prefix_length(length, family)}'


def _cidr(text: str) -> str:
    first, _, length = text.partition('/')
    found = address.ip(first)
    return address.network(found,
                           address.prefix_length(length, found.version))


def _object(said: Entry, key: str, wrong: List[model.Problem]) -> Entry:
    value = said.value(key)
    if value is not None and not isinstance(value, dict):
        said.refuse(key, value, 'is no object')
    return Entry(value if isinstance(value, dict) else {}, said.path(key),
                 wrong)


def _name(said: Entry, key: str) -> str:
    """A text that has to be there."""
    if said.value(key) is None:
        said.note(key, 'is missing')
    return said.text(key) or ''


def _word(said: Entry, key: str, words: Tuple[str, ...]) -> Optional[str]:
    value = said.value(key)
    if value is None or value in words:
        return value
    said.refuse(key, value, f'is none of {", ".join(words)}')
    return None


def _flag(said: Entry, key: str) -> Optional[bool]:
    value = said.value(key)
    if value is None or isinstance(value, bool):
        return value
    said.refuse(key, value, 'is neither true nor false')
    return None


def _number(said: Entry, key: str, least: int, most: int) -> Optional[int]:
    value = said.integer(key)
    if value is None or least <= value <= most:
        return value
    said.refuse(key, value, f'is no number from {least} to {most}')
    return None


def _read(said: Entry, key: str,
          reader: Callable[[str], str]) -> Optional[str]:
    """A text as the reader gives it back; its ValueError says why not."""
    text = said.text(key)
    try:
        return None if text is None else reader(text)
    except ValueError as error:
        said.refuse(key, text, error)
    return None


def _texts(said: Entry, key: str,
           reader: Callable[[str], str] = str.strip) -> Tuple[str, ...]:
    if isinstance(said.value(key), str):
        said.refuse(key, said.value(key), 'is no list')
        return ()
    found = []
    for at, item in said.items(key):
        try:
            found.append(reader(item) if isinstance(item, str) else '')
        except ValueError as error:
            said.refuse(at, item, error)
        if not isinstance(item, str):
            said.refuse(at, item, 'is no string')
    return tuple(found)


def _unknown(value: Dict[str, Any], known: Dict[str, Any],
             where: str) -> Iterator[model.Problem]:
    """The keys that nothing was made of."""
    for key, inner in value.items():
        path = f'{where}.{key}' if where else key
        told = known.get(key)
        if key not in known and key not in _TOLD_BY_PLANS:
            yield model.Problem(where or 'facts', f'unknown key {quote(key)}')
        elif isinstance(told, dict) and isinstance(inner, dict):
            yield from _unknown(inner, told, path)
        elif isinstance(told, list) and key != 'nics':
            # Those of NICs have many spellings.
            for number, (one, other) in enumerate(zip(
                    _objects(inner), _objects(told))):
                yield from _unknown(one, other, f'{path}[{number}]')


def _objects(items: Any) -> List[Dict[str, Any]]:
    return [item for item in items or () if isinstance(item, dict)]
