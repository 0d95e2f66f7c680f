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

"""The commands of ESXi that a plan is made of.

Long options only, each with its value behind it: short ones change their
meaning from command to command, as ``-N`` and ``-v`` do.
"""

import ipaddress
from typing import Optional
from typing import Tuple
from typing import Union

from . import host
from . import model
from .steps import Argv

_SYSTEM = ('esxcli', 'system')
_NETWORK = ('esxcli', 'network')
_VSWITCH = _NETWORK + ('vswitch', 'standard')
_IP = _NETWORK + ('ip',)


def vswitch_add(name: str) -> Argv:
    """Make a switch."""
    return _VSWITCH + ('add', '--vswitch-name', name)


def vswitch_remove(name: str) -> Argv:
    """Remove a switch."""
    return _VSWITCH + ('remove', '--vswitch-name', name)


def vswitch_mtu(name: str, mtu: int) -> Argv:
    """Set the MTU of a switch."""
    return _VSWITCH + ('set', '--vswitch-name', name, '--mtu', str(mtu))


def uplink(verb: str, name: str, vswitch: str) -> Argv:
    """Add an uplink to a switch, or remove it."""
    return _VSWITCH + ('uplink', verb, '--uplink-name', name,
                       '--vswitch-name', vswitch)


def vswitch_teaming(name: str, teaming: host.Teaming) -> Argv:
    """Set the failover policy of a switch."""
    return _VSWITCH + ('policy', 'failover', 'set', '--vswitch-name',
                       name) + _policy(teaming)


def portgroup_teaming(name: str, teaming: host.Teaming) -> Argv:
    """Set the failover policy of a port group."""
    return _VSWITCH + ('portgroup', 'policy', 'failover', 'set',
                       '--portgroup-name', name) + _policy(teaming)


def _policy(teaming: host.Teaming) -> Argv:
    words = ('--load-balancing', teaming.load_balancing)
    if teaming.active:
        words += ('--active-uplinks', ','.join(teaming.active))
    if teaming.standby:
        words += ('--standby-uplinks', ','.join(teaming.standby))
    return words


def vswitch_failover(name: str, detection: Optional[str],
                     notify: Optional[bool], failback: Optional[bool]
                     ) -> Argv:
    """Set how a switch finds and answers a failure; None: leave that."""
    return _VSWITCH + ('policy', 'failover', 'set', '--vswitch-name', name
                       ) + _failover(detection, notify, failback)


def portgroup_failover(name: str, detection: Optional[str],
                       notify: Optional[bool], failback: Optional[bool]
                       ) -> Argv:
    """Set the same for a port group that has a policy of its own."""
    return _VSWITCH + ('portgroup', 'policy', 'failover', 'set',
                       '--portgroup-name', name
                       ) + _failover(detection, notify, failback)


def _failover(detection: Optional[str], notify: Optional[bool],
              failback: Optional[bool]) -> Argv:
    words = ('--failure-detection', detection) if detection else ()
    return words + _booleans(('--notify-switches', notify),
                             ('--failback', failback))


def vswitch_security(name: str, promiscuous: Optional[bool],
                     mac_changes: Optional[bool], forged: Optional[bool]
                     ) -> Argv:
    """Set what a switch lets its ports do; None: leave that."""
    return _VSWITCH + ('policy', 'security', 'set', '--vswitch-name', name
                       ) + _booleans(('--allow-promiscuous', promiscuous),
                                     ('--allow-mac-change', mac_changes),
                                     ('--allow-forged-transmits', forged))


def _booleans(*options: Tuple[str, Optional[bool]]) -> Argv:
    return tuple(word for option, value in options if value is not None
                 for word in (option, boolean(value)))


def boolean(value: bool) -> str:
    """As every release of esxcli takes it."""
    return 'true' if value else 'false'


def portgroup(verb: str, name: str, vswitch: str) -> Argv:
    """Add a port group to a switch, or remove it."""
    return _VSWITCH + ('portgroup', verb, '--portgroup-name', name,
                       '--vswitch-name', vswitch)


def portgroup_vlan(name: str, vlan: int) -> Argv:
    """Set the VLAN id of a port group."""
    return _VSWITCH + ('portgroup', 'set', '--portgroup-name', name,
                       '--vlan-id', str(vlan))


def vmk_add(vmk: host.Vmk) -> Argv:
    """Make an interface, with the MAC and the MTU that it names."""
    words = _IP + ('interface', 'add', '--interface-name', vmk.name,
                   '--portgroup-name', vmk.portgroup)
    if vmk.mac:
        words += ('--mac-address', vmk.mac)
    if vmk.mtu:
        words += ('--mtu', str(vmk.mtu))
    return words


def vmk_remove(name: str) -> Argv:
    """Remove an interface."""
    return _IP + ('interface', 'remove', '--interface-name', name)


def vmk_mtu(name: str, mtu: int) -> Argv:
    """Set the MTU of an interface."""
    return _IP + ('interface', 'set', '--interface-name', name, '--mtu',
                  str(mtu))


def vmk_ipv4(name: str, ipv4: Union[str, None], peer_dns: bool = True
             ) -> Argv:
    """Set the IPv4 address of an interface.

    Without ``--gateway``, which not every release takes: a route is added.

    :param ipv4: as in host.Vmk
    :param peer_dns: take the DNS servers that DHCP brings
    """
    words = _IP + ('interface', 'ipv4', 'set', '--interface-name', name,
                   '--type')
    if ipv4 is None:
        return words + ('none',)
    if ipv4 == 'dhcp':
        return words + ('dhcp', '--peer-dns', 'true' if peer_dns else 'false')
    own = ipaddress.ip_interface(ipv4)
    return words + ('static', '--ipv4', str(own.ip), '--netmask',
                    str(own.netmask))


def own_dns(name: str) -> Argv:
    """Take no DNS servers from the DHCP server of an interface."""
    return vmk_ipv4(name, 'dhcp', False)


def vmk_ipv6(name: str, mode: Union[str, None]) -> Argv:
    """Enable IPv6 on an interface, and set how it gets addresses.

    Router advertisements bring the default route with DHCPv6, too.

    :param mode: as in host.Vmk; None leaves that as it is
    """
    words = _IP + ('interface', 'ipv6', 'set', '--interface-name', name,
                   '--enable-ipv6', 'true')
    if mode:
        words += ('--enable-dhcpv6', 'true' if asks_dhcpv6(mode) else 'false',
                  '--enable-router-adv', 'true')
    return words


def asks_dhcpv6(mode: Union[str, None]) -> bool:
    """ESXi knows no difference between stateful and stateless."""
    return mode in (model.DHCPV6_STATEFUL, model.DHCPV6_STATELESS)


def vmk_ipv6_address(verb: str, name: str, address: str) -> Argv:
    """Add an IPv6 address, with its prefix length, or remove it."""
    return _IP + ('interface', 'ipv6', 'address', verb, '--interface-name',
                  name, '--ipv6', address)


def vmk_tag(name: str, tag: str) -> Argv:
    """Say what an interface is for."""
    return _IP + ('interface', 'tag', 'add', '--interface-name', name,
                  '--tagname', tag)


def route(verb: str, one: host.Route) -> Argv:
    """Add a route, or remove it.

    A link-local gateway says nothing without the interface.
    """
    version, name = _route_words(one)
    local = version == 6 and ipaddress.ip_address(one.gateway).is_link_local
    if local and name == 'default' and verb == 'add' and one.vmk:
        return _IP + ('interface', 'ipv6', 'set', '--interface-name',
                      one.vmk, '--gateway', one.gateway)
    gateway = f'{one.gateway}%{one.vmk}' if local and one.vmk else one.gateway
    return _IP + ('route', f'ipv{version}', verb, '--network', name,
                  '--gateway', gateway)


def route_list(one: host.Route) -> Argv:
    """List the routes of a route's family."""
    return _IP + ('route', f'ipv{_route_words(one)[0]}', 'list')


def route_words(one: host.Route) -> Tuple[str, ...]:
    """What the line of a route holds in that list."""
    network = ipaddress.ip_network(one.network)
    if not network.prefixlen:
        return 'default', one.gateway
    return (str(network.network_address),
            str(network.netmask if network.version == 4
                else network.prefixlen), one.gateway)


def _route_words(one: host.Route) -> Tuple[int, str]:
    network = ipaddress.ip_network(one.network)
    return network.version, one.network if network.prefixlen else 'default'


def dns_server(address: str) -> Argv:
    """Add a DNS server behind the others."""
    return _IP + ('dns', 'server', 'add', '--server', address)


def dns_search(domain: str) -> Argv:
    """Add a search domain behind the others."""
    return _IP + ('dns', 'search', 'add', '--domain', domain)


def hostname(name: str) -> Argv:
    """Set the host name, and the domain if it has one."""
    return _SYSTEM + ('hostname', 'set',
                      '--fqdn' if '.' in name else '--host', name)


def ssh_key(line: str, user: str = 'root') -> Argv:
    """Add a key of a user's to the ConfigStore (ESXi 8)."""
    return _SYSTEM + ('ssh', 'key', 'add', '--username', user,
                      '--auth-key', line)


def ruleset(name: str, passes: bool = True) -> Argv:
    """Let the firewall pass a ruleset, or not."""
    return _NETWORK + ('firewall', 'ruleset', 'set', '--ruleset-id', name,
                       '--enabled', boolean(passes))


def advanced(option: str, value: Union[int, str]) -> Argv:
    """Set an advanced option, which has either an integer or a text."""
    return _SYSTEM + ('settings', 'advanced', 'set', '--option', option) + (
        ('--string-value', value) if isinstance(value, str)
        else ('--int-value', str(int(value))))


def welcome(text: str) -> Argv:
    """Set the text of the console's first screen."""
    return _SYSTEM + ('welcomemsg', 'set', '--message', text)


def hostsvc(verb: str) -> Argv:
    """Have hostd do something with a service."""
    return ('vim-cmd', f'hostsvc/{verb}')


def restart(service: str) -> Argv:
    """Restart a service of /etc/init.d."""
    return ('sh', f'/etc/init.d/{service}', 'restart')
