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

"""What the installer does itself: the lines of its kickstart.

The installer knows one NIC, one VLAN and IPv4; it has no IPv6, no bond, no
MTU and no route.  What it does works even where Secure Boot keeps
``%firstboot`` from running.
"""

from dataclasses import dataclass
import ipaddress
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import host
from . import topology

# Where our %pre finds no other name to put.
IMAGE_DISK = 'IMAGE-DISK'
# The documentation of --nameserver allows two, of IPv4.
_NAMESERVERS = 2


@dataclass(frozen=True)
class Install:
    """The management network in the installer's words.

    :param device: the NIC; None: the installer's choice
    :param ipv4: ``ADDRESS/LENGTH``; None for DHCP
    """

    device: Optional[host.Nic] = None
    vlan: int = 0
    ipv4: Optional[str] = None
    gateway: Optional[str] = None
    dns: Tuple[str, ...] = ()
    hostname: Optional[str] = None


def install(wanted: topology.Wanted, nics: Sequence[host.Nic],
            hostname: Optional[str]) -> Install:
    """As much of the management network as the installer can do."""
    vmk = wanted.network.vmks[0]
    group = wanted.network.portgroup(vmk.portgroup)
    device = next((nic for nic in nics if nic.name == wanted.device), None)
    vlan = group.vlan if group else 0
    if not _installable(vmk.ipv4):
        return Install(device, vlan, hostname=hostname)
    route = wanted.network.default4
    return Install(
        device, vlan, vmk.ipv4,
        route.gateway if route and route.usable and route.vmk == vmk.name
        else None,
        tuple(one for one in wanted.network.dns if ':' not in one
              )[:_NAMESERVERS], hostname)


def _installable(ipv4: Optional[str]) -> bool:
    """Whether to trouble the installer with an address.

    One that refuses it would install nothing, so links of two addresses or
    one, which nobody has tried, are left to first boot.
    """
    return ipv4 not in (None, 'dhcp') and (
        ipaddress.ip_interface(str(ipv4)).network.prefixlen <= 30)


def lines(done: Install, disk: str = IMAGE_DISK, license_key: bool = False
          ) -> Tuple[str, ...]:
    """The ``install`` and the ``network`` command, and perhaps a licence.

    Options that belong to ``--bootproto=static`` stand with it only, as
    their documentation says; ``--hostname`` goes with both.

    :param disk: a name that the installer knows, without blanks
    :param license_key: there is one, which is not shown
    """
    words = ['network', '--bootproto=' + ('static' if done.ipv4 else 'dhcp')]
    if done.device and done.device.mac:
        words.append(f'--device={done.device.mac}')
    if done.vlan:
        words.append(f'--vlanid={done.vlan}')
    if done.ipv4:
        own = ipaddress.ip_interface(done.ipv4)
        words += [f'--ip={own.ip}', f'--netmask={own.netmask}']
        if done.gateway:
            words.append(f'--gateway={done.gateway}')
        if done.dns:
            words.append('--nameserver=' + ','.join(done.dns))
    if done.hostname:
        words.append(f'--hostname={done.hostname}')
    words.append('--addvmportgroup=0')
    result = f'install --disk={disk} --overwritevmfs', ' '.join(words)
    return (*result, serialnum('***')) if license_key else result


def serialnum(key: str) -> str:
    """The command that sets a licence key; of no use from ESX 9 on."""
    return f'serialnum --esx={key}'


def installed(done: Install, nics: Sequence[host.Nic]) -> host.Host:
    """What a host is that was just installed with these lines.

    Not known, so None: the host name and the certificate, as production
    scripts set both again at first boot, and what nobody documents.
    """
    device = done.device or next(
        (nic for nic in nics if nic.up), nics[0] if nics else None)
    switch = host.VSwitch(host.MANAGEMENT_SWITCH,
                          (device.name,) if device else (), host.USUAL_MTU)
    group = host.PortGroup(host.MANAGEMENT_GROUP, switch.name, done.vlan)
    vmk = host.Vmk(
        host.MANAGEMENT_VMK, group.name, device.mac if device else None,
        mtu=host.USUAL_MTU, ipv4=done.ipv4 or 'dhcp', management=True)
    route = host.Route('0.0.0.0/0', done.gateway, vmk.name) \
        if done.gateway else None
    return host.Host(
        nics=tuple(nics),
        network=host.Network((switch,), (group,), (vmk,), route,
                             dns=done.dns))
