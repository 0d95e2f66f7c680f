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

"""Steps for a standard switch."""

from typing import Optional

from . import commands
from . import host
from .chain import Chain


def build(chain: Chain, have: host.Network, switch: host.VSwitch) -> None:
    """The switch, its uplinks and its policy."""
    name, why = switch.name, switch.why
    there = have.vswitch(name)
    if there is None:
        chain.add(name, commands.vswitch_add(name), why,
                  commands.vswitch_remove(name))
    owner = {uplink: one.name for one in have.vswitches
             for uplink in one.uplinks}
    for uplink in switch.uplinks:
        other = owner.get(uplink)
        if other == name:
            continue
        if other:
            chain.add(f'{other}.uplink.{uplink}.remove',
                      commands.uplink('remove', uplink, other), why,
                      commands.uplink('add', uplink, other))
        chain.add(f'{name}.uplink.{uplink}',
                  commands.uplink('add', uplink, name), why,
                  commands.uplink('remove', uplink, name))
    # All uplinks first: one that a policy does not name stays unused.
    wish = switch.teaming or _mended(there, switch)
    if wish and (there is None or there.teaming != wish):
        chain.add(f'{name}.teaming',
                  commands.vswitch_teaming(name, wish), why)
        # Last, for the old policy may not go with the new uplinks.
        if there and there.uplinks:
            old = there.teaming or host.Teaming(host.PORTID, there.uplinks)
            chain.undo_last(commands.vswitch_teaming(name, old))


def _mended(there: Optional[host.VSwitch], switch: host.VSwitch
            ) -> Optional[host.Teaming]:
    """A policy for a switch whose own one names none of its new uplinks."""
    if there and there.teaming and not set(switch.uplinks) <= {
            *there.teaming.active, *there.teaming.standby}:
        return host.Teaming(host.PORTID, switch.uplinks)
    return None


def raise_mtu(chain: Chain, have: host.Network, switch: host.VSwitch
              ) -> None:
    """No less than the MTU that its interfaces are going to have."""
    there = have.vswitch(switch.name)
    mtu = there.mtu if there else host.USUAL_MTU
    if switch.mtu and switch.mtu != mtu and (
            there is None or mtu is None or mtu < switch.mtu):
        chain.add_apart(f'{switch.name}.mtu',
                        commands.vswitch_mtu(switch.name, switch.mtu),
                        switch.why)


def follow(chain: Chain, have: host.Network, switch: host.VSwitch) -> None:
    """Let the management port group use the uplinks of its switch.

    The installer gives it a policy of its own that names its one uplink.
    """
    name = host.MANAGEMENT_GROUP
    group = have.portgroup(name)
    there = have.vswitch(switch.name)
    if not group or not there or group.vswitch != switch.name:
        return
    wish = switch.teaming or host.Teaming(host.PORTID, switch.uplinks)
    if group.teaming == wish or not switch.teaming and (
            set(there.uplinks) == set(switch.uplinks)):
        return
    old = group.teaming or host.Teaming(host.EXPLICIT, there.uplinks)
    chain.add(f'{host.MANAGEMENT_VMK}.portgroup.teaming',
              commands.portgroup_teaming(name, wish), switch.why)
    if there.uplinks:
        chain.undo_last(commands.portgroup_teaming(name, old))


def leave(chain: Chain, have: host.Network, switch: host.VSwitch) -> None:
    """Take NICs off the management switch that are not its own."""
    there = have.vswitch(switch.name)
    for uplink in there.uplinks if there and switch.uplinks else ():
        if uplink not in switch.uplinks:
            chain.add(f'{switch.name}.uplink.{uplink}.remove',
                      commands.uplink('remove', uplink, switch.name),
                      switch.why,
                      commands.uplink('add', uplink, switch.name))


def lower_mtu(chain: Chain, have: host.Network, switch: host.VSwitch) -> None:
    """Lower an MTU, when no interface has a larger one any more."""
    there = have.vswitch(switch.name)
    if there and there.mtu and switch.mtu and switch.mtu < there.mtu:
        chain.add_apart(f'{switch.name}.mtu',
                        commands.vswitch_mtu(switch.name, switch.mtu),
                        switch.why)
