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

"""What a config drive says, as values; no source and no target is known here.

Nouns only: what should be done about them is the plan's business.
"""

from dataclasses import dataclass
from typing import Optional
from typing import Tuple

NIC = 'nic'
BOND = 'bond'
VLAN = 'vlan'

STATIC = 'static'
DHCP = 'dhcp'
SLAAC = 'slaac'
DHCPV6_STATEFUL = 'dhcpv6-stateful'
DHCPV6_STATELESS = 'dhcpv6-stateless'


@dataclass(frozen=True)
class Problem:
    """Something odd, which stops nobody.

    :param where: FILE:PATH as in ``meta_data.json:public_keys.ops``; for
        network_data.json the bare path, as in ``networks[1].routes[0]``
    :param message: one line, without any secret
    """

    where: str
    message: str


class Secret:
    """A string that shows itself to nobody who does not ask for it."""

    __slots__ = ('_text',)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The string itself."""
        return self._text

    def __repr__(self) -> str:
        return 'Secret(***)'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Identity:
    """Who the host is, and who may log in.

    :param instance_id: the uuid of meta_data.json, whatever its form
    :param hostname: with or without a domain; clean, see hostname.py
    :param ssh_keys: whole lines of authorized_keys, without duplicates
    :param admin_pass: root's password in clear
    """

    instance_id: Optional[str] = None
    hostname: Optional[str] = None
    ssh_keys: Tuple[str, ...] = ()
    admin_pass: Optional[Secret] = None


@dataclass(frozen=True)
class Link:
    """A link of network_data.json.

    :param kind: NIC, BOND or VLAN; every type that is no bond and no vlan
        is a NIC
    :param where: its path, as in ``links[0]``
    :param mac: six pairs of lower-case hexadecimal digits, colons between
    :param name: the name it has on Linux, if any is given
    :param mtu: None: not said
    :param members: ids of a bond's links; Ironic leaves them on a plain
        link, too, where it means a bond (ironic 39.0.0, link_count += 0)
    :param mode: of a bond, as Linux names it; None: not said
    :param parent: of a vlan: the id of the link that it is on
    :param vlan: its id, 1 to 4095; 0 for what is no vlan
    """

    id: str
    kind: str
    where: str
    mac: Optional[str] = None
    name: Optional[str] = None
    mtu: Optional[int] = None
    members: Tuple[str, ...] = ()
    mode: Optional[str] = None
    parent: Optional[str] = None
    vlan: int = 0


@dataclass(frozen=True)
class Route:
    """A route of a network, the default routes included.

    :param network: in CIDR form, without host bits: ``0.0.0.0/0``
    :param gateway: an address of the same family, without a zone
    :param where: its path, as in ``networks[0].routes[1]``
    """

    network: str
    gateway: str
    where: str


@dataclass(frozen=True)
class Subnet:
    """A network of network_data.json: one address family on one link.

    :param link: the id of one of the links
    :param where: its path, as in ``networks[0]``
    :param family: 4 or 6
    :param method: STATIC; DHCP for family 4; SLAAC, DHCPV6_STATEFUL or
        DHCPV6_STATELESS for family 6
    :param address: ``ADDRESS/LENGTH``, only with STATIC; None there means
        that the description has none that can be used
    :param routes: in order, without duplicates; ``gateway`` of the network
        itself stands as a default route before the others
    """

    link: str
    where: str
    family: int
    method: str
    address: Optional[str] = None
    routes: Tuple[Route, ...] = ()


@dataclass(frozen=True)
class NetworkData:
    """network_data.json.

    :param links: with unique ids, in the file's order
    :param subnets: in the file's order
    :param dns: server addresses of both families, without duplicates
    :param search: domains, without duplicates
    """

    links: Tuple[Link, ...] = ()
    subnets: Tuple[Subnet, ...] = ()
    dns: Tuple[str, ...] = ()
    search: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """All that a config drive says.

    :param network: None where nothing usable is said: DHCP is kept
    :param problems: in the order of the files, then of their content
    """

    identity: Identity = Identity()
    network: Optional[NetworkData] = None
    problems: Tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What the build decided for all hosts of an image.

    :param only_management: leave every network but management's alone
    :param ssh: enable and start SSH
    :param shell: enable and start the ESXi shell
    :param root_hash: the image holds a hash of root's password, which is
        the same on every host
    :param keep_config_drive: do not overwrite it once it was read
    """

    only_management: bool = False
    ssh: bool = True
    shell: bool = True
    root_hash: bool = False
    keep_config_drive: bool = False
