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

"""An ESXi host's state as a value: both what it is and what it should be."""

from dataclasses import dataclass
from dataclasses import field
from typing import Optional
from typing import Tuple

PORTID = 'portid'
IPHASH = 'iphash'
MAC = 'mac'
EXPLICIT = 'explicit'

# Of every switch and interface that nobody gave another one.
USUAL_MTU = 1500

MANAGEMENT_VMK = 'vmk0'
MANAGEMENT_SWITCH = 'vSwitch0'
MANAGEMENT_GROUP = 'Management Network'


@dataclass(frozen=True)
class Nic:
    """A physical NIC.

    :param mac: lower case; None where it is not known
    :param up: it has link; None where that is not known
    :param link_id: the link that an invented NIC was invented for
    """

    name: str
    mac: Optional[str] = None
    up: Optional[bool] = None
    link_id: Optional[str] = None


@dataclass(frozen=True)
class Teaming:
    """A failover policy.

    :param load_balancing: PORTID, IPHASH, MAC or EXPLICIT
    :param active: names of uplinks in failover order
    :param standby: likewise
    """

    load_balancing: str
    active: Tuple[str, ...] = ()
    standby: Tuple[str, ...] = ()


@dataclass(frozen=True)
class VSwitch:
    """A standard switch.

    :param uplinks: names of NICs
    :param mtu: None: not known, or to be left
    :param teaming: likewise
    :param why: where it comes from, a path or a sentence
    """

    name: str
    uplinks: Tuple[str, ...] = ()
    mtu: Optional[int] = None
    teaming: Optional[Teaming] = None
    why: str = field(default='', compare=False)


@dataclass(frozen=True)
class PortGroup:
    """A port group.

    :param vlan: 0 for none
    :param teaming: its own policy; None: not known, or the switch's
    """

    name: str
    vswitch: str
    vlan: int = 0
    teaming: Optional[Teaming] = None
    why: str = field(default='', compare=False)


@dataclass(frozen=True)
class Vmk:
    """A VMkernel interface.

    :param mac: lower case; None: not known, or ESXi's choice
    :param mac_matters: of a wish: the interface does not work with another
    :param mtu: None: not known, or to be left
    :param ipv4: ``dhcp``, ``ADDRESS/LENGTH`` or None
    :param ipv6: ``ADDRESS/LENGTH`` each, without link-local ones
    :param ipv6_mode: as model.Subnet.method for family 6, never STATIC;
        None: not known, or to be left
    """

    name: str
    portgroup: str
    mac: Optional[str] = None
    mac_matters: bool = False
    mtu: Optional[int] = None
    ipv4: Optional[str] = None
    ipv6: Tuple[str, ...] = ()
    ipv6_mode: Optional[str] = None
    management: bool = False
    why: str = field(default='', compare=False)


@dataclass(frozen=True)
class Route:
    """A route of the default TCP/IP stack.

    :param network: in CIDR form
    :param vmk: the interface that it leaves by, where that is known
    :param usable: of a wish: ESXi will take it
    """

    network: str
    gateway: str
    vmk: Optional[str] = field(default=None, compare=False)
    usable: bool = field(default=True, compare=False)
    why: str = field(default='', compare=False)


@dataclass(frozen=True)
class Network:
    """All of a host's network.

    :param default4: the default route, its network being 0.0.0.0/0
    :param default6: likewise, ::/0
    :param routes: all others
    """

    vswitches: Tuple[VSwitch, ...] = ()
    portgroups: Tuple[PortGroup, ...] = ()
    vmks: Tuple[Vmk, ...] = ()
    default4: Optional[Route] = None
    default6: Optional[Route] = None
    routes: Tuple[Route, ...] = ()
    dns: Tuple[str, ...] = ()
    search: Tuple[str, ...] = ()

    def vswitch(self, name: str) -> Optional[VSwitch]:
        """The switch of that name."""
        return next((one for one in self.vswitches if one.name == name),
                    None)

    def portgroup(self, name: str) -> Optional[PortGroup]:
        """The port group of that name."""
        return next((one for one in self.portgroups if one.name == name),
                    None)

    def vmk(self, name: str) -> Optional[Vmk]:
        """The VMkernel interface of that name."""
        return next((one for one in self.vmks if one.name == name), None)


@dataclass(frozen=True)
class Host:
    """What is: the facts of a host.

    None stands for what nobody could tell, and counts as different from
    every wish.

    :param version: of ESXi, as in ``8.0.3``
    :param hostname: the fully qualified one
    :param certificate: the name that the host's certificate is for
    :param ssh_keys: lines of root's authorized_keys
    :param ssh: SSH is enabled and runs
    :param shell: the ESXi shell is enabled and runs
    :param shell_warning: ESXi warns of an enabled shell
    """

    version: Optional[str] = None
    nics: Tuple[Nic, ...] = ()
    network: Network = Network()
    hostname: Optional[str] = None
    certificate: Optional[str] = None
    ssh_keys: Tuple[str, ...] = ()
    ssh: Optional[bool] = None
    shell: Optional[bool] = None
    shell_warning: Optional[bool] = None
