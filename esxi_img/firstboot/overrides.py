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

"""What users wish of the switches, laid over the network that should be."""

from dataclasses import replace
from typing import Iterable
from typing import List
from typing import Tuple

from . import host
from . import model
from . import wish

_WHERE = 'cloud-config:vmware_esxi.vswitch'


def teamed(network: host.Network, switches: Iterable[wish.Switch]
           ) -> Tuple[host.Network, List[model.Problem]]:
    """The network with the load balancing that is wished.

    Which uplinks a switch has, and in which order they take over, stays as
    described; IP hash knows no standby, so there all of them are active.

    :param network: as it should be
    :returns: the same where nothing can be done, and why; that a switch is
        not there is tuning.switches()'s to say
    """
    wished = {one.name: one for one in switches if one.load_balancing}
    problems: List[model.Problem] = []
    found = []
    for switch in network.vswitches:
        one = wished.get(switch.name)
        if one and not switch.uplinks:
            problems.append(model.Problem(
                _WHERE, f'{switch.name} has no NIC that is described, so its '
                'teaming is left as it is'))
        elif one and one.load_balancing:
            teaming = _teaming(switch, one.load_balancing)
            if _cuts_off(switch, teaming):
                problems.append(model.Problem(
                    _WHERE, f'{switch.name} has iphash, and bears '
                    'management: without a static port channel on the '
                    'physical switch nobody reaches the host'))
            switch = replace(switch, teaming=teaming)
        found.append(switch)
    return replace(network, vswitches=tuple(found)), problems


def _cuts_off(switch: host.VSwitch, teaming: host.Teaming) -> bool:
    """It is not the network data that ask for a port channel."""
    is_new = switch.teaming is None \
        or switch.teaming.load_balancing != host.IPHASH
    return (switch.name == host.MANAGEMENT_SWITCH and is_new
            and teaming.load_balancing == host.IPHASH)


def _teaming(switch: host.VSwitch, load_balancing: str) -> host.Teaming:
    old = switch.teaming or host.Teaming(load_balancing, switch.uplinks)
    if load_balancing == host.IPHASH:
        return host.Teaming(load_balancing, (*old.active, *old.standby))
    return replace(old, load_balancing=load_balancing)
