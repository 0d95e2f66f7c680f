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

"""An outcome for a program, and for a reader; neither tells a secret."""

from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence

from . import facts
from . import host
from . import outcome as outcome_module

_PASSWORDS = {
    outcome_module.ADMIN_PASS: 'admin_pass of the drive',
    outcome_module.CLOUD_CONFIG: 'cloud-config of the drive',
    outcome_module.BUILD: 'the hash that the image was built with',
    outcome_module.NONE: 'none, so one that nobody knows',
}
_NOT_GIVEN = '(not given)'


def as_json(outcome: outcome_module.Outcome) -> Dict[str, Any]:
    """The outcome as plain JSON values, in the documented order of keys."""
    return {
        'plan_id': outcome.plan.id,
        'problems': [{'where': one.where, 'message': one.message}
                     for one in outcome.problems],
        'identity': {
            'instance_id': outcome.identity.instance_id,
            'hostname': outcome.identity.hostname,
            'ssh_keys': list(outcome.identity.ssh_keys),
            'root_password': outcome.root_password},
        'network': _network(outcome),
        'fallback': outcome.fallback,
        'kickstart': list(outcome.kickstart),
        'steps': [step.as_json() for step in outcome.plan.steps]}


def _network(outcome: outcome_module.Outcome) -> Dict[str, Any]:
    told = facts.network_as_json(outcome.network)
    macs = _macs(outcome.nics)
    return {
        'vswitches': [{
            'name': one['name'], 'uplinks': one['uplinks'],
            'uplink_macs': [macs[name] for name in one['uplinks']
                            if name in macs],
            'mtu': one['mtu'], 'load_balancing': one['load_balancing']}
            for one in told['vswitches']],
        'portgroups': [{key: one[key] for key in ('name', 'vswitch', 'vlan')}
                       for one in told['portgroups']],
        'vmks': told['vmks'],
        'gateway4': told['gateway4'],
        'gateway6': told['gateway6'],
        'routes': [{key: one[key] for key in ('network', 'gateway')}
                   for one in told['routes']],
        'dns': told['dns'],
        'search': told['search']}


def _macs(nics: Sequence[host.Nic]) -> Dict[str, str]:
    return {nic.name: nic.mac for nic in nics if nic.mac}


def as_text(outcome: outcome_module.Outcome) -> str:
    """The outcome as lines of printable ASCII; all else is escaped."""
    lines = [*_head(outcome), '']
    for title, content in (
            ('kickstart', list(outcome.kickstart)),
            ('network', list(_tree(outcome))),
            ('steps', list(_steps(outcome))),
            ('problems', [f'{one.where}: {one.message}'
                          for one in outcome.problems])):
        lines += [title, *(f'  {line}'.rstrip()
                           for line in content or ['(none)']), '']
    return ''.join(map(_printable, lines[:-1]))


def _printable(line: str) -> str:
    return ''.join(char if ' ' <= char <= '~' else ascii(char)[1:-1]
                   for char in line) + '\n'


def _head(outcome: outcome_module.Outcome) -> Iterator[str]:
    who = outcome.identity
    yield f'plan {outcome.plan.id}'
    yield f'  host name      {who.hostname or _NOT_GIVEN}'
    yield f'  instance       {who.instance_id or _NOT_GIVEN}'
    yield '  root password  ' + _PASSWORDS.get(outcome.root_password,
                                               outcome.root_password)
    yield f'  SSH keys       {len(who.ssh_keys)}'


def _tree(outcome: outcome_module.Outcome) -> Iterator[str]:
    network = outcome.network
    if outcome.fallback:
        yield 'not as described: management by DHCP'
    switches = dict.fromkeys([
        *(one.name for one in network.vswitches),
        *(one.vswitch for one in network.portgroups)])
    for name in switches:
        yield from _switch(name, outcome)
    for vmk in network.vmks:
        if not network.portgroup(vmk.portgroup):
            yield f'port group {vmk.portgroup}'
            yield from _indented(_vmk(vmk))
    for route in (network.default4, network.default6):
        if route:
            yield f'default route by {_gateway(route)}'
    for route in network.routes:
        yield f'route to {route.network} by {_gateway(route)}'
    if network.dns:
        yield f'DNS servers {", ".join(network.dns)}'
    if network.search:
        yield f'DNS search {", ".join(network.search)}'


def _switch(name: str, outcome: outcome_module.Outcome) -> Iterator[str]:
    switch = outcome.network.vswitch(name) or host.VSwitch(name)
    policy = switch.teaming.load_balancing if switch.teaming else None
    yield _entry(name, _mtu(switch.mtu),
                 f'load balancing {policy}' if policy else None)
    macs = _macs(outcome.nics)
    for uplink in switch.uplinks:
        waits = switch.teaming and uplink in switch.teaming.standby
        yield '  ' + _entry(f'uplink {uplink}', macs.get(uplink, 'no MAC'),
                            'standby' if waits else None)
    for group in outcome.network.portgroups:
        if group.vswitch == name:
            yield '  ' + _entry(f'port group {group.name}',
                                f'VLAN {group.vlan}' if group.vlan else None)
            for vmk in outcome.network.vmks:
                if vmk.portgroup == group.name:
                    yield from _indented(_indented(_vmk(vmk)))


def _vmk(vmk: host.Vmk) -> List[str]:
    addresses = [f'IPv4 {vmk.ipv4}'] if vmk.ipv4 else []
    addresses += [f'IPv6 {one}' for one in (*vmk.ipv6, vmk.ipv6_mode) if one]
    return [_entry(vmk.name, 'management' if vmk.management else None,
                   f'MAC {vmk.mac}' if vmk.mac else None, _mtu(vmk.mtu)),
            *_indented(addresses)]


def _gateway(route: host.Route) -> str:
    return route.gateway + (
        '' if route.usable else ' (which ESXi will not take)')


def _mtu(mtu: Optional[int]) -> Optional[str]:
    return None if mtu is None else f'MTU {mtu}'


def _entry(name: str, *details: Optional[str]) -> str:
    told = ', '.join(filter(None, details))
    return f'{name}: {told}' if told else name


def _indented(lines: Sequence[str]) -> List[str]:
    return [f'  {line}' for line in lines]


def _steps(outcome: outcome_module.Outcome) -> Iterator[str]:
    width = len(str(len(outcome.plan.steps)))
    for number, step in enumerate(outcome.plan.steps, 1):
        yield f'{number:>{width}}. {step.name}'
        yield f'{"":{width}}  {step.shown()}'
        if step.why:
            yield f'{"":{width}}  # {step.why}'
