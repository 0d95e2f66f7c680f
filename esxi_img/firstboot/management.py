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

"""Which of the described networks carries management."""

from dataclasses import dataclass
import ipaddress
from typing import Callable
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import host
from . import model
from . import uplinks

DEFAULT = {4: '0.0.0.0/0', 6: '::/0'}


@dataclass(frozen=True)
class Place:
    """A link that gets interfaces, and the subnets on it."""

    attachment: uplinks.Attachment
    subnets: Tuple[model.Subnet, ...]


@dataclass(frozen=True)
class Choice:
    """What carries management, and the rest.

    :param place: its first IPv4 subnet is the one that was chosen
    :param others: places that can be had, in the order of the links
    :param fallback: management is DHCP, whatever was described
    :param device: the NIC for the installer; None: its own choice
    """

    place: Place
    others: Tuple[Place, ...]
    fallback: bool
    device: Optional[str]
    problems: Tuple[model.Problem, ...] = ()


def choose(data: model.NetworkData, lookup: uplinks.Uplinks,
           nics: Sequence[host.Nic]) -> Choice:
    """Find the management network; without one, DHCP is it."""
    subnet = _preferred(data.subnets)
    on: Dict[str, List[model.Subnet]] = {}
    for one in data.subnets:
        on.setdefault(one.link, []).append(one)
    places = [Place(lookup.attachment(link), tuple(on[link.id]))
              for link in data.links if link.id in on]
    mine = next((place for place in places
                 if subnet and place.attachment.link.id == subnet.link),
                None)
    others = tuple(place for place in places
                   if place is not mine and place.attachment.uplinks)
    if subnet is None or mine is None or not mine.attachment.uplinks:
        return _fallback(subnet, others, nics)
    problems = tuple(_unaddressed(mine, subnet))
    if problems:
        subnet = model.Subnet(subnet.link, subnet.where, 4, model.DHCP,
                              routes=subnet.routes)
    first = [subnet] + [one for one in mine.subnets
                        if one.where != subnet.where]
    return Choice(Place(mine.attachment, tuple(first)), others, False,
                  device(mine.attachment.uplinks, nics), problems)


def device(names: Sequence[str], nics: Sequence[host.Nic]) -> Optional[str]:
    """The first of these NICs that has link, else the first."""
    up = {nic.name for nic in nics if nic.up}
    return next((name for name in names if name in up),
                names[0] if names else None)


def _preferred(subnets: Sequence[model.Subnet]) -> Optional[model.Subnet]:
    """What operators expect to reach a host by.

    The network of the default route, and not the first one: clouds list a
    private network before it.
    """
    rules: Tuple[Callable[[model.Subnet], bool], ...] = (
        lambda one: one.family == 4 and _is_gateway(one),
        lambda one: one.family == 4 and one.method == model.DHCP,
        lambda one: one.family == 4,
        _is_gateway,
        lambda one: True)
    for candidates in ([one for one in subnets if _has_address(one)],
                       subnets):
        for rule in rules:
            for one in candidates:
                if rule(one):
                    return one
    return None


def _is_gateway(subnet: model.Subnet) -> bool:
    return any(route.network in DEFAULT.values() for route in subnet.routes)


def _has_address(subnet: model.Subnet) -> bool:
    """A link-local address reaches no farther than the link."""
    return subnet.method != model.STATIC or subnet.address is not None and (
        not ipaddress.ip_interface(subnet.address).is_link_local)


def _unaddressed(place: Place, subnet: model.Subnet
                 ) -> Iterator[model.Problem]:
    if not any(map(_has_address, place.subnets)):
        yield model.Problem(
            subnet.where, 'management would have no address at all: it gets '
            'DHCP instead')


def _fallback(subnet: Optional[model.Subnet], others: Tuple[Place, ...],
              nics: Sequence[host.Nic]) -> Choice:
    """DHCP on the first NIC with link, away from the other networks."""
    taken = {name for place in others for name in place.attachment.uplinks}
    names = [nic.name for nic in nics]
    up = [nic.name for nic in nics if nic.up]
    best = [name for name in up if name not in taken] or up or [
        name for name in names if name not in taken] or names
    link = model.Link('', model.NIC, 'network_data.json')
    place = Place(uplinks.Attachment(link, tuple(best[:1])), (
        model.Subnet('', link.where, 4, model.DHCP),))
    problems = () if subnet is None else (model.Problem(
        subnet.where, 'management cannot be had as described: it stays on '
        'DHCP' + (f', on {best[0]}' if best else '')),)
    return Choice(place, others, True, best[0] if best else None, problems)
