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

"""Steps for what only ESXi has: the key ``vmware_esxi``.

Most are blind: a probe looks at words of one line, in which neither ``Int
Value: 1`` can be told from ``Default Int Value: 1`` nor one column of truth
values from the next.
"""

import re
from typing import Callable
from typing import Dict
from typing import Iterable
from typing import List
from typing import Mapping
from typing import Tuple
from typing import Union

from . import commands
from . import host
from . import model
from . import steps
from . import syscommands
from . import wish

_KEY = 'cloud-config:vmware_esxi.'
# As the installer labels the one that it makes.
_DATASTORE = 'datastore1'
_SSH = 'sshServer'
# Rulesets that a host is managed by.
_DOORS = {_SSH: 'the way in by SSH, which is on',
          'vSphereClient': 'the way in of vCenter and of the Host Client'}

_Steps = List[steps.Step]
_Problems = List[model.Problem]


def advanced(wishes: wish.Wishes) -> Tuple[_Steps, _Problems]:
    """Advanced options."""
    return _settings('advanced', _KEY + 'advanced_settings',
                     wishes.esxi.advanced, commands.advanced)


def kernel(wishes: wish.Wishes) -> Tuple[_Steps, _Problems]:
    """Settings that the kernel reads when it starts."""
    why = _KEY + 'kernel_settings'
    result, problems = _settings('kernel', why, wishes.esxi.kernel,
                                 syscommands.kernel)
    power = wishes.power_state
    if result and not (power and power.mode == 'reboot'):
        problems.append(model.Problem(
            why, 'takes effect at the next start of the host, which '
            'power_state with the mode reboot would bring'))
    return result, problems


def _settings(kind: str, why: str,
              wished: Iterable[Tuple[str, Union[int, str]]],
              command: Callable[..., steps.Argv]
              ) -> Tuple[_Steps, _Problems]:
    result, problems = [], []
    for name, value in wished:
        if all(syscommands.fits(word) for word in (name, value)
               if isinstance(word, str)):
            result.append(steps.Step(f'{kind}.{name}', command(name, value),
                                     why, blind=True))
        else:
            problems.append(model.Problem(
                why, f'{ascii(name[:60])} is left out: esxcli takes neither '
                'names nor values with a leading dash or a control character'
            ))
    return result, problems


def firewall(wishes: wish.Wishes, vmks: Iterable[host.Vmk], ssh: bool
             ) -> Tuple[_Steps, _Problems]:
    """Rulesets of the firewall, opened before others are closed.

    :param vmks: as they are and as they should be, which may fail
    :param ssh: SSH should be on
    """
    why = _KEY + 'firewall'
    asked = _asked_by(vmks)
    result, problems = [], []
    for name, passes in sorted(wishes.esxi.firewall,
                               key=lambda one: not one[1]):
        vmk = asked.get(name.lower())
        if vmk and not passes:
            problems.append(model.Problem(
                why, f'{name} is left open, as {vmk} gets its address by it'))
            continue
        if not passes and name in _DOORS and (ssh or name != _SSH):
            problems.append(model.Problem(
                why, f'{name} is closed, and with it {_DOORS[name]}'))
        result.append(steps.Step(f'firewall.{name}',
                                 commands.ruleset(name, passes), why,
                                 blind=True))
    return result, problems


def _asked_by(vmks: Iterable[host.Vmk]) -> Mapping[str, str]:
    """Of the rulesets for DHCP, in lower case, who is in need of it."""
    found: Dict[str, str] = {}
    for vmk in vmks:
        if vmk.ipv4 == 'dhcp':
            found.setdefault('dhcp', vmk.name)
        if commands.asks_dhcpv6(vmk.ipv6_mode):
            found.setdefault('dhcpv6', vmk.name)
    return found


def switches(wishes: wish.Wishes, network: host.Network
             ) -> Tuple[_Steps, _Problems]:
    """What switches let pass, and how they find a failure.

    Their load balancing is overrides.teamed()'s.

    :param network: as it should be
    """
    result, problems = [], []
    for one in wishes.esxi.switches:
        if network.vswitch(one.name) is None:
            problems.append(model.Problem(
                _KEY + 'vswitch', f'{ascii(one.name[:60])} is no switch of '
                'this host: left out'))
            continue
        if one.name == host.MANAGEMENT_SWITCH \
                and one.failure_detection == 'beacon':
            problems.append(model.Problem(
                _KEY + 'vswitch', f'{one.name} sends beacons, and bears '
                'management: with fewer than three NICs, or with iphash, '
                'they may take links for failed that are not'))
        result += _switch(one)
    return result, problems


def _switch(one: wish.Switch) -> _Steps:
    result = []
    security = (one.promiscuous, one.mac_changes, one.forged_transmits)
    if security != (None, None, None):
        result.append(_policy(f'security.{one.name}',
                              commands.vswitch_security(one.name, *security)))
    failover = (one.failure_detection, one.notify_switches, one.failback)
    if failover == (None, None, None):
        return result
    name = f'failover.{one.name}'
    result.append(_policy(name, commands.vswitch_failover(one.name,
                                                          *failover)))
    # The installer gives management's port group a policy of its own.
    if one.name == host.MANAGEMENT_SWITCH:
        result.append(_policy(f'{name}.portgroup',
                              commands.portgroup_failover(
                                  host.MANAGEMENT_GROUP, *failover)))
    return result


def _policy(name: str, argv: steps.Argv) -> steps.Step:
    return steps.Step(name, argv, _KEY + 'vswitch', blind=True)


def datastore(wishes: wish.Wishes) -> Tuple[_Steps, _Problems]:
    """Another label for the datastore that the installer made.

    Blind besides its probe: under its old name there is none any more.
    """
    label, why = wishes.esxi.datastore, _KEY + 'datastore'
    if label is None or label == _DATASTORE:
        return [], []
    words = tuple(filter(None, re.split(r'[\s,]+', label)))
    if not words or not syscommands.fits(label):
        return [], [model.Problem(
            why, 'a label is neither empty nor starts with a dash, and has '
            'no control character')]
    return [steps.Step(
        'datastore', syscommands.rename_datastore(_DATASTORE, label), why,
        blind=True,
        probe=steps.Probe(syscommands.filesystems(), words))], []


def maintenance(wishes: wish.Wishes) -> _Steps:
    """Maintenance mode, in which no virtual machine starts."""
    if not wishes.esxi.maintenance_mode:
        return []
    return [steps.Step(
        'maintenance', syscommands.maintenance(), _KEY + 'maintenance_mode',
        probe=steps.Probe(syscommands.maintenance_get(), ('Enabled',)))]
