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

"""Network cards, virtual switches, port groups."""

import copy
import dataclasses
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

VSWITCH = '--vswitch-name'
GROUP = '--portgroup-name'
UPLINK = '--uplink-name'
OWN = '--use-vswitch'
SHAPING = ('--avg-bandwidth', '--peak-bandwidth', '--burst-size')

_PRINTED = {'portid': 'srcport', 'mac': 'srcmac'}
_STANDARD = 'network vswitch standard '
_GROUPS = _STANDARD + 'portgroup '


def _switch(host: typing.Any, options: grammar.Options) -> model.VSwitch:
    """That of the option, or of the port group."""
    name = options.get(VSWITCH) or _group(host, options).vswitch
    return commands.find(host.vswitches, name, 'vSwitch')


def _group(host: typing.Any, options: grammar.Options) -> model.PortGroup:
    return commands.find(host.portgroups, options[GROUP], 'Port group')


@commands.command('network nic list')
def nic_list(host: typing.Any, _options: grammar.Options) -> output.Answer:
    mtus = {name: switch.mtu for switch in host.vswitches.values()
            for name in switch.uplinks}
    return output.table(
        'Name|PCI Device|Driver|Admin Status|Link Status|Speed|Duplex|'
        'MAC Address|MTU|Description',
        [(nic.name, f'0000:03:00.{index}', nic.driver, 'Up',
          'Up' if nic.up else 'Down', 10000 if nic.up else 0,
          'Full' if nic.up else 'Half', nic.mac,
          mtus.get(nic.name, model.DEFAULT_MTU), 'A Network Adapter (10G)')
         for index, nic in enumerate(host.nics)])


@commands.command('network nic get')
def nic_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    nics = {nic.name: nic for nic in host.nics}
    nic = commands.find(nics, options['--nic-name'], 'NIC')
    return output.simple(Link_Detected=nic.up, Name=nic.name,
                         Link_Status='Up' if nic.up else 'Down')


@commands.command(_STANDARD + 'add')
def switch_add(host: typing.Any, options: grammar.Options) -> None:
    name = model.label(options[VSWITCH], 32, 'vSwitch')
    ports = int(options.get('--ports', 128))
    if not 0 < ports <= 4096:
        raise grammar.Refused(f'Invalid number of ports {ports}')
    host.vswitches[commands.new(host.vswitches, name, 'vSwitch')] = \
        model.VSwitch(name, ports=ports)


@commands.command(_STANDARD + 'remove')
def switch_remove(host: typing.Any, options: grammar.Options) -> None:
    del host.vswitches[_switch(host, options).name]


@commands.command(_STANDARD + 'set')
def switch_set(host: typing.Any, options: grammar.Options) -> None:
    switch = _switch(host, options)
    switch.mtu = int(options.get('--mtu', switch.mtu))
    switch.cdp = options.get('--cdp-status', switch.cdp)


@commands.command(_STANDARD + 'list')
def switch_list(host: typing.Any, options: grammar.Options) -> output.Answer:
    wanted = [_switch(host, options)] if VSWITCH in options \
        else host.vswitches.values()
    rows = []
    for switch in wanted:
        groups = [group.name for group in host.portgroups.values()
                  if group.vswitch == switch.name]
        rows.append({
            'Name': switch.name, 'Class': 'cswitch', 'Num Ports': 6400,
            'Used Ports': 1 + len(switch.uplinks) + sum(
                vmk.portgroup in groups for vmk in host.vmks.values()),
            'Configured Ports': switch.ports, 'MTU': switch.mtu,
            'CDP Status': switch.cdp,
            'Beacon Enabled': switch.teaming.failure_detection == 'beacon',
            'Beacon Interval': 1, 'Beacon Threshold': 3,
            'Beacon Required By': '', 'Uplinks': switch.uplinks,
            'Portgroups': groups})
    return output.records(rows)


@commands.command(_STANDARD + 'uplink add')
def uplink_add(host: typing.Any, options: grammar.Options) -> None:
    switch, name = _switch(host, options), options[UPLINK]
    switch.uplinks.append(name)
    if not switch.explicit:
        switch.teaming.active.append(name)


@commands.command(_STANDARD + 'uplink remove')
def uplink_remove(host: typing.Any, options: grammar.Options) -> None:
    switch, name = _switch(host, options), options[UPLINK]
    if name not in switch.uplinks:
        raise grammar.Refused(f'{name!r} is no uplink of {switch.name}')
    switch.uplinks.remove(name)
    teamings = [switch.teaming, *(
        group.teaming for group in host.portgroups.values()
        if group.vswitch == switch.name and group.teaming)]
    for teaming in teamings:
        for names in (teaming.active, teaming.standby):
            names[:] = [other for other in names if other != name]


def _inherits(options: grammar.Options) -> bool:
    if OWN in options and len(options) > 2:
        raise grammar.Refused(f'{OWN} goes with no other policy')
    return OWN in options


@commands.command(_STANDARD + 'policy failover set',
                  _GROUPS + 'policy failover set')
def teaming_set(host: typing.Any, options: grammar.Options) -> None:
    switch = _switch(host, options)
    owner = _group(host, options) if GROUP in options else switch
    values: dict[str, typing.Any] = {}
    for option in set(options) - {VSWITCH, GROUP, OWN}:
        name = option.strip('-').replace('-', '_').removesuffix('_uplinks')
        text = options[option]
        if name in ('active', 'standby'):
            values[name] = text.split(',') if text else []
        else:
            values[name] = {'true': True, 'false': False}.get(text, text)
    old = copy.deepcopy(owner.teaming or switch.teaming)
    owner.teaming = None if _inherits(options) \
        else dataclasses.replace(old, **values)
    if owner is switch and values.keys() & {'active', 'standby',
                                            'load_balancing'}:
        switch.explicit = True


@commands.command(_STANDARD + 'policy failover get',
                  _GROUPS + 'policy failover get')
def teaming_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    switch = _switch(host, options)
    group = _group(host, options) if GROUP in options else None
    teaming = group and group.teaming or switch.teaming
    return output.simple(
        Load_Balancing=_PRINTED.get(teaming.load_balancing,
                                    teaming.load_balancing),
        Network_Failure_Detection=teaming.failure_detection,
        Notify_Switches=teaming.notify_switches, Failback=teaming.failback,
        Active_Adapters=teaming.active, Standby_Adapters=teaming.standby,
        Unused_Adapters=[name for name in switch.uplinks if name
                         not in teaming.active + teaming.standby])


def _policy(host: typing.Any, options: grammar.Options, kind: str) -> None:
    owner = _group(host, options) if GROUP in options \
        else _switch(host, options)
    given = {name: value for name, value in options.items()
             if name not in (VSWITCH, GROUP)}
    setattr(owner, kind, None if _inherits(options)
            else {**(getattr(owner, kind) or {}), **given})


@commands.command(_STANDARD + 'policy security set',
                  _GROUPS + 'policy security set')
def security_set(host: typing.Any, options: grammar.Options) -> None:
    _policy(host, options, 'security')


@commands.command(_STANDARD + 'policy security get')
def security_get(host: typing.Any, options: grammar.Options
                 ) -> output.Answer:
    allowed = {name for name, value
               in _switch(host, options).security.items() if value == 'true'}
    return output.simple(
        Allow_Promiscuous='--allow-promiscuous' in allowed,
        Allow_MAC_Address_Change='--allow-mac-change' in allowed,
        Allow_Forged_Transmits='--allow-forged-transmits' in allowed)


@commands.command(_STANDARD + 'policy shaping set',
                  _GROUPS + 'policy shaping set')
def shaping_set(host: typing.Any, options: grammar.Options) -> None:
    average, peak, burst = (int(options.get(name, 0)) for name in SHAPING)
    if options.get('--enabled') == 'true' and not (
            0 < average <= peak and burst > 0):
        raise grammar.Refused('Shaping needs average, peak and burst size')
    _policy(host, options, 'shaping')


@commands.command(_STANDARD + 'policy shaping get')
def shaping_get(host: typing.Any, options: grammar.Options) -> output.Answer:
    shaping = _switch(host, options).shaping
    average, peak, burst = (int(shaping.get(name, 0)) for name in SHAPING)
    return output.simple(
        Enabled=shaping.get('--enabled') == 'true',
        Average_Bandwidth=average, Peak_Bandwidth=peak, Burst_Size=burst)


@commands.command(_GROUPS + 'add')
def group_add(host: typing.Any, options: grammar.Options) -> None:
    name = model.label(options[GROUP], 80, 'port group')
    host.portgroups[commands.new(host.portgroups, name, 'Port group')] = \
        model.PortGroup(name, _switch(host, options).name)


@commands.command(_GROUPS + 'remove')
def group_remove(host: typing.Any, options: grammar.Options) -> None:
    group = _group(host, options)
    if group.vswitch != _switch(host, options).name:
        raise grammar.Refused(f'{group.name} is on {group.vswitch}')
    del host.portgroups[group.name]


@commands.command(_GROUPS + 'set')
def group_set(host: typing.Any, options: grammar.Options) -> None:
    group = _group(host, options)
    group.vlan = int(options.get('--vlan-id', group.vlan))


@commands.command(_GROUPS + 'list')
def group_list(host: typing.Any, _options: grammar.Options) -> output.Answer:
    used = {vmk.portgroup for vmk in host.vmks.values()}
    return output.table(
        'Name|Virtual Switch|Active Clients|VLAN ID',
        [(group.name, group.vswitch, int(group.name in used), group.vlan)
         for group in host.portgroups.values()])
