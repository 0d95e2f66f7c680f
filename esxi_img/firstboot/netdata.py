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

"""network_data.json as a value.

Its form: nova/virt/netutils.py, get_network_metadata, and what others make of
it.  The names of things that are left out stand in the problems.
"""

import re
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import address
from . import netlinks
from . import subnets
from .model import NetworkData
from .model import Problem
from .netvalue import Entry
from .netvalue import quote

FILE = 'network_data.json'

_DOMAIN = re.compile(
    r'(?!.{254})(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*',
    re.ASCII | re.IGNORECASE)


def parse(value: Any) -> Tuple[Optional[NetworkData], Tuple[Problem, ...]]:
    """What the file says, and what is wrong with it.

    :param value: the decoded JSON; None: there is none, which is no problem
        of this level
    :returns: None for the first where no network can be used
    """
    if value is None:
        return None, ()
    if not isinstance(value, dict):
        return None, (Problem(FILE, f'is {quote(value)}, no object'),)
    problems: List[Problem] = []
    data = _network_data(Entry(value, '', problems))
    # Routes are walked twice, for their gateways and for their services.
    return data, tuple(dict.fromkeys(problems))


def _network_data(root: Entry) -> Optional[NetworkData]:
    links = netlinks.links(root.entries('links'))
    networks = root.entries('networks')
    found = subnets.subnets(networks, {link.id for link in links})
    data = NetworkData(links, found, _dns(root, networks),
                       _search(root, networks))
    if found:
        return data
    if links and not networks:
        root.note('links', 'no link has a network')
    return None


def _dns(root: Entry, networks: List[Entry]) -> Tuple[str, ...]:
    """Name servers, those for all networks first."""
    found: Dict[str, None] = {}
    _services(root, found)
    for network in networks:
        _services(network, found)
        for at, word in network.words('dns_nameservers'):
            _server(network, at, word, found)
        for route in network.entries('routes'):
            _services(route, found)
    return tuple(found)


def _services(entry: Entry, found: Dict[str, None]) -> None:
    for service in entry.entries('services'):
        kind = service.text('type')
        if kind and kind.lower() != 'dns':
            continue
        text = service.text('address')
        if not kind:
            if text and service.value('type') is None:
                service.note('type', 'a service without a type is left out')
        elif text:
            _server(service, 'address', text, found)
        elif service.value('address') is None:
            service.note('address', 'no address')


def _server(entry: Entry, key: str, text: str,
            found: Dict[str, None]) -> None:
    try:
        found[address.canonical(address.host(text))] = None
    except ValueError as error:
        entry.refuse(key, text, error)


def _search(root: Entry, networks: List[Entry]) -> Tuple[str, ...]:
    """Domains; cloud-init reads those of services, too."""
    found: Dict[str, str] = {}
    for entry, key in [
            *((service, 'search') for service in root.entries('services')),
            (root, 'dns_search'),
            *((network, 'dns_search') for network in networks)]:
        for at, word in entry.words(key):
            domain = word[:-1] if word.endswith('.') else word
            if _DOMAIN.fullmatch(domain):
                found.setdefault(domain.lower(), domain)
            else:
                entry.refuse(at, word, 'is no domain')
    return tuple(found.values())
