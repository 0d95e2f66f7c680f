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

"""Which NICs a link stands for."""

from dataclasses import dataclass
from typing import Dict
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import host
from . import model

# 4095 hands all tags on to a guest, and a VMkernel interface is none.
TRUNK = 4095


@dataclass(frozen=True)
class Attachment:
    """What a link comes to on a standard switch.

    :param uplinks: names of NICs; () if the link cannot be had
    :param teaming: None for a link that is no bond
    :param vlan: 0 for none
    :param mtu: the link's own, else that of what it is on
    :param switch_mtu: the largest of the link and of what it is on
    """

    link: model.Link
    uplinks: Tuple[str, ...] = ()
    teaming: Optional[host.Teaming] = None
    vlan: int = 0
    mtu: Optional[int] = None
    switch_mtu: Optional[int] = None


# What a standard switch has for each bond mode, and what to say of it.
# Sources: the vSphere 8.0 networking manual on teaming policies.
_LACP = ('802.3ad: a standard switch cannot do LACP; IP hash is used, so '
         'the ports of the physical switch must form a static channel '
         '(EtherChannel)')
_XOR = ('balance-xor: IP hash is used, so the ports of the physical switch '
        'must form a static channel (EtherChannel)')
_UNSAID = ('no bond_mode: the originating port ID chooses the NIC, which '
           'wants no channel on the physical switch')
_MODES: Dict[Optional[str], Tuple[str, Optional[str]]] = {
    None: (host.PORTID, _UNSAID),
    'balance-rr': (host.PORTID, None),
    'active-backup': (host.EXPLICIT, None),
    'balance-xor': (host.IPHASH, _XOR),
    'broadcast': (host.PORTID, 'broadcast: no standard switch can send on '
                               'all NICs; the originating port ID chooses '
                               'one'),
    '802.3ad': (host.IPHASH, _LACP),
    'balance-tlb': (host.PORTID, None),
    'balance-alb': (host.PORTID, None),
}


def balancing(mode: Optional[str], uplinks: Sequence[str]) -> host.Teaming:
    """The policy that stands for a bond mode.

    IP hash wants every uplink active (vSphere 6.0 networking manual, page
    265); with active-backup the first one works and the others wait.
    """
    policy = _MODES[mode][0]
    if policy == host.EXPLICIT:
        return host.Teaming(policy, tuple(uplinks[:1]), tuple(uplinks[1:]))
    return host.Teaming(policy, tuple(uplinks))


class Uplinks:
    """Answers for one host and one description.

    :ivar problems: of the links that were asked for
    """

    def __init__(self, links: Sequence[model.Link],
                 nics: Sequence[host.Nic]) -> None:
        self.problems: List[model.Problem] = []
        self._links = {link.id: link for link in links}
        # Of NICs with one MAC the installer takes the first, too.
        self._nics = {nic.mac: nic.name for nic in reversed(nics)
                      if nic.mac}
        self._by_link = self._match(nics)
        self._lists = [link for link in links
                       if link.kind == model.NIC and link.members]
        self._lost = [link for link in links
                      if link.kind == model.BOND and not any(
                          member in self._links for member in link.members)]
        self._known: Dict[str, Tuple[str, ...]] = {}

    def attachment(self, link: model.Link) -> Attachment:
        """Never raises; what cannot be done is a problem."""
        if link.kind != model.VLAN:
            return self._untagged(link)
        parent = self._links.get(link.parent or '')
        if link.vlan == TRUNK:
            self._say(f'{link.where}.vlan_id', 'VLAN 4095 passes all tags to '
                      'a guest and cannot carry the host itself')
            return Attachment(link)
        if parent is None:
            return self._orphan(link)
        if parent.kind == model.VLAN:
            self._say(f'{link.where}.vlan_link', 'a VLAN within a VLAN '
                      '(QinQ) cannot be had on a standard switch')
            return Attachment(link)
        below = self._untagged(parent)
        return Attachment(
            link, below.uplinks, below.teaming, link.vlan,
            link.mtu or below.mtu, _largest(link.mtu, below.switch_mtu))

    def _untagged(self, link: model.Link) -> Attachment:
        if link.kind == model.NIC:
            return Attachment(link, self._names(link), None, 0, link.mtu,
                              link.mtu)
        uplinks = self._bonded(link)
        members = [self._links[one].mtu for one in link.members
                   if one in self._links]
        largest = _largest(link.mtu, *members)
        return Attachment(link, uplinks, balancing(link.mode, uplinks), 0,
                          link.mtu or largest, largest)

    def _orphan(self, link: model.Link) -> Attachment:
        """A VLAN on nothing; Neutron gives it the MAC of its parent."""
        name = self._nics.get(link.mac or '')
        self._say(f'{link.where}.vlan_link', 'no such link' + (
            f'; its MAC is that of {name}' if name else ''))
        return Attachment(link, (name,) if name else (), None, link.vlan,
                          link.mtu, link.mtu)

    def _names(self, link: model.Link) -> Tuple[str, ...]:
        """The NIC of a plain link; asked twice, said once."""
        if link.id not in self._known:
            name = self._by_link.get(link.id)
            if name is None:
                self._say(link.where, f'no NIC of the host has MAC '
                          f'{link.mac}' if link.mac else
                          'no MAC address, and no NIC of that name')
            self._known[link.id] = (name,) if name else ()
        return self._known[link.id]

    def _bonded(self, bond: model.Link) -> Tuple[str, ...]:
        if bond.id not in self._known:
            found = [name for member in self._members(bond)
                     for name in self._names(member)]
            if not found and bond.mac in self._nics:
                found = [self._nics[bond.mac]]
                self._say(bond.where, 'none of its members can be had; the '
                          f'NIC with the MAC of the bond is: {found[0]}')
            elif not found:
                self._say(bond.where, 'none of its members can be had')
            said = _MODES[bond.mode][1]
            if said and len(found) > 1:
                self._say(f'{bond.where}.bond_mode', said)
            self._known[bond.id] = tuple(dict.fromkeys(found))
        return self._known[bond.id]

    def _members(self, bond: model.Link) -> List[model.Link]:
        found = self._plain(bond.members, f'{bond.where}.bond_links')
        return found or self._stray(bond)

    def _plain(self, names: Sequence[str], where: str) -> List[model.Link]:
        found = []
        for name in names:
            link = self._links.get(name)
            if link is None:
                self._say(where, f'no link {_quoted(name)}')
            elif link.kind != model.NIC:
                self._say(where, f'link {_quoted(name)} is a {link.kind}, '
                          'not a NIC')
            else:
                found.append(link)
        return found

    def _stray(self, bond: model.Link) -> List[model.Link]:
        """The members that Ironic wrote to the wrong link.

        With two such bonds there is no telling which one they belong to.
        """
        if len(self._lists) != 1 or self._lost != [bond]:
            return []
        where = f'{self._lists[0].where}.bond_links'
        self._say(where, 'members of a bond on a plain link; taken for '
                  f'those of {bond.where}')
        return self._plain(self._lists[0].members, where)

    def _match(self, nics: Sequence[host.Nic]) -> Dict[str, str]:
        """NIC names by the id of the plain link that they are.

        By MAC; a link without MAC by its name; and the one that is left
        when but one NIC is left, too.
        """
        plain = [link for link in self._links.values()
                 if link.kind == model.NIC]
        result = {link.id: self._nics[link.mac] for link in plain
                  if link.mac in self._nics}
        nameless = [link for link in plain if not link.mac]
        names = {nic.name.lower(): nic.name for nic in nics}
        invented = {nic.link_id: nic.name for nic in nics if nic.link_id}
        for link in nameless:
            name = invented.get(link.id) or names.get(
                (link.name or link.id).lower()) or names.get(link.id.lower())
            if name:
                result[link.id] = name
        left = [link for link in nameless if link.id not in result]
        taken = set(result.values())
        free = [nic.name for nic in nics if nic.name not in taken]
        if len(left) == 1 and len(free) == 1 and len(plain) == len(nics):
            result[left[0].id] = free[0]
        return result

    def _say(self, where: str, message: str) -> None:
        self.problems.append(model.Problem(where, message))


def _largest(*sizes: Optional[int]) -> Optional[int]:
    return max((size for size in sizes if size), default=None)


def _quoted(name: str) -> str:
    return ascii(name if len(name) <= 60 else name[:57] + '...')
