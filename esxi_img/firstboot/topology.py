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

"""From what is described to the network that an ESXi host should have."""

from dataclasses import dataclass
from dataclasses import replace
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import host
from . import management
from . import model
from . import uplinks
from . import vmks

# vmk0 to vmk99, says the reference of esxcli.
MOST_VMKS = 100


@dataclass(frozen=True)
class Wanted:
    """The network that should be.

    :param fallback: management is not as described, but DHCP on ``device``
    :param device: the NIC that the installer is to use; None: its choice
    """

    network: host.Network
    fallback: bool
    device: Optional[str]
    problems: Tuple[model.Problem, ...]


def wanted(described: Optional[model.NetworkData],
           nics: Sequence[host.Nic], only_management: bool = False
           ) -> Wanted:
    """Choose management, then give every link its switch and interfaces.

    :param described: None: nothing usable is
    :param nics: those of the host, in their natural order
    """
    data = described or model.NetworkData()
    lookup = uplinks.Uplinks(data.links, nics)
    choice = management.choose(data, lookup, nics)
    places = [choice.place, *(() if only_management else choice.others)]
    places, crowd = places[:MOST_VMKS], places[MOST_VMKS:]
    allotted = _allot(places)
    device_mac = next((nic.mac for nic in nics if nic.name == choice.device),
                      None)
    made = vmks.make(places, device_mac)
    if only_management:
        made = made[:1]
    made, late = made[:MOST_VMKS], made[MOST_VMKS:]
    routed = vmks.routes(made, data.subnets)
    switches = [_switch(number, names, places, allotted, made)
                for number, names in enumerate(allotted.sets)]
    network = host.Network(
        tuple(switches),
        tuple(host.PortGroup(
            one.vmk.portgroup, switches[allotted.where[one.place]].name,
            places[one.place].attachment.vlan,
            why=places[one.place].attachment.link.where) for one in made),
        tuple(one.vmk for one in made),
        # Of a fallback DHCP brings it.
        None if choice.fallback else routed.default4,
        routed.default6, routed.routes, data.dns, data.search)
    return Wanted(
        network, choice.fallback, choice.device,
        (*lookup.problems, *choice.problems, *allotted.problems,
         *(problem for one in made for problem in one.problems),
         *_too_many([*(one.vmk.why for one in late),
                     *(place.subnets[0].where for place in crowd)]),
         *routed.problems))


def _too_many(paths: Sequence[str]) -> Iterator[model.Problem]:
    for path in paths:
        yield model.Problem(path, 'left out, as ESXi has no more than '
                            f'{MOST_VMKS} VMkernel interfaces')


@dataclass(frozen=True)
class _Allotted:
    """Which NICs each switch gets.

    :param sets: names of NICs, management's first
    :param where: for each place the index of its set
    """

    sets: Tuple[Tuple[str, ...], ...]
    where: Tuple[int, ...]
    problems: Tuple[model.Problem, ...]


def _allot(places: Sequence[management.Place]) -> _Allotted:
    """One switch for each set of uplinks.

    A NIC belongs to one switch only.  Where sets overlap, management's is
    kept whole, or is part of a larger one; then the larger ones are.
    """
    owner: Dict[str, int] = {}
    sets: List[Tuple[str, ...]] = []
    where: Dict[int, int] = {}
    problems = []
    for place in _by_size(places):
        names = places[place].attachment.uplinks
        owners = list(dict.fromkeys(
            owner[name] for name in names if name in owner))
        free = tuple(name for name in names if name not in owner)
        if owners and (free or set(sets[owners[0]]) != set(names)):
            problems.append(model.Problem(
                places[place].attachment.link.where,
                'shares a NIC with another link, and a NIC has one switch: '
                + (f'left with {", ".join(free)}' if free
                   else 'goes by the switch of the other')))
        if free or not owners:
            owners = [len(sets)]
            sets.append(free)
            owner.update((name, owners[0]) for name in free)
        where[place] = owners[0]
    order = list(dict.fromkeys(where[place] for place in range(len(places))))
    return _Allotted(
        tuple(sets[index] for index in order),
        tuple(order.index(where[place]) for place in range(len(places))),
        tuple(problems))


def _by_size(places: Sequence[management.Place]) -> List[int]:
    """Indexes of places, in the order in which they get NICs."""
    names = [place.attachment.uplinks for place in places]
    order = sorted(range(len(places)), key=lambda index: -len(names[index]))
    if not any(set(names[0]) < set(more) for more in names):
        order.remove(0)
        order.insert(0, 0)
    return order


def _switch(number: int, names: Tuple[str, ...],
            places: Sequence[management.Place], allotted: _Allotted,
            made: Sequence[vmks.Made]) -> host.VSwitch:
    mine = [place.attachment for index, place in enumerate(places)
            if allotted.where[index] == number]
    sizes = [one.switch_mtu for one in mine if one.switch_mtu]
    if sizes and max(sizes) < host.USUAL_MTU and any(
            one.vmk.mtu is None for one in made
            if allotted.where[one.place] == number):
        sizes.append(host.USUAL_MTU)
    bond = max((one for one in mine if one.teaming),
               key=lambda one: len(one.uplinks), default=None)
    return host.VSwitch(
        f'vSwitch{number}', names, max(sizes, default=None),
        _teaming(bond, names), (bond or mine[0]).link.where)


def _teaming(bond: Optional[uplinks.Attachment],
             names: Tuple[str, ...]) -> Optional[host.Teaming]:
    """The bond's policy, over the NICs that the switch really has."""
    if bond is None or bond.teaming is None:
        return None
    if bond.teaming.load_balancing != host.EXPLICIT:
        return replace(bond.teaming, active=names)
    first = [name for name in bond.teaming.active if name in names]
    active = tuple(first or names[:1])
    return replace(bond.teaming, active=active, standby=tuple(
        name for name in names if name not in active))
