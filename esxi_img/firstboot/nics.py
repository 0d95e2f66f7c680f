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

"""A host's physical NICs: as esxcli prints them, or made up for a drive."""

import re
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Set
from typing import Tuple
from typing import Union

from . import address
from . import host
from . import jsonfile
from . import model
from .netvalue import quote

# They become words of commands and of the kickstart.
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9._-]{0,31}')
# Name, whatever, link, speed, duplex, MAC: the status of the link is the
# word before the speed, also where no column for the wish (Admin Status)
# stands before it.
_ROW = re.compile(r'(\S+)\s.*?\s(up|down)\s+\d\S*\s+(?:\S+\s+)?'
                  r'((?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})(?:\s.*)?',
                  re.IGNORECASE)
_MAC = re.compile('[0-9a-f]{2}([:-][0-9a-f]{2}){5}', re.IGNORECASE)
_LINK = {'up': True, 'down': False}


class BadNics(ValueError):
    """A list of NICs that cannot be read; its text is one line."""


def parse(text: str) -> Tuple[host.Nic, ...]:
    """The NICs of a list, in natural order: vmnic2 before vmnic10.

    :param text: what ``esxcli network nic list`` prints, as it is or with
        ``--formatter=json``; or JSON of our own, ``[{"name": "vmnic0",
        "mac": "52:54:00:00:00:01", "up": true}]``, which may stand as
        "nics" in an object
    :raises BadNics: it is something else, names a NIC twice, or none
    """
    if text.lstrip()[:1] in ('[', '{'):
        found = from_json(_loaded(text))
    else:
        found = _ordered(_rows(text))
    if not found:
        raise BadNics('names no NIC')
    return found


def from_json(value: Any) -> Tuple[host.Nic, ...]:
    """The NICs of a list in JSON, as of :func:`parse`; there may be none.

    :raises BadNics: it is something else, or names a NIC twice
    """
    if isinstance(value, dict):
        value = value.get('nics')
    if not isinstance(value, list):
        raise BadNics('neither an array of NICs nor an object with "nics"')
    return _ordered([_nic(item, number)
                     for number, item in enumerate(value)])


def as_json(nics: Tuple[host.Nic, ...]) -> List[Dict[str, Any]]:
    """What :func:`from_json` reads back."""
    return [{'name': nic.name, 'mac': nic.mac, 'up': nic.up}
            for nic in nics]


def invent(network: Optional[model.NetworkData]) -> Tuple[host.Nic, ...]:
    """The NICs of a host that the description would fit.

    vmnic0 and so on, all with link: for each link that is a NIC; then for
    bonds without any member and VLANs without their parent, unless their MAC
    is there by now.  Where that makes none there is one NIC of unknown MAC,
    for ESXi does not install on a host without.
    """
    links = network.links if network else ()
    ids = {link.id for link in links}
    wanted = [link for link in links if link.kind == model.NIC]
    wanted += [link for link in links if link.mac and _on_nothing(link, ids)]
    found: List[host.Nic] = []
    macs: Set[Optional[str]] = set()
    for link in wanted:
        if link.mac is None or link.mac not in macs:
            found.append(host.Nic(f'vmnic{len(found)}', link.mac, True,
                                  link.id))
        macs.add(link.mac)
    return tuple(found) or (host.Nic('vmnic0', None, True),)


def _on_nothing(link: model.Link, ids: Set[str]) -> bool:
    if link.kind == model.BOND:
        return ids.isdisjoint(link.members)
    return link.kind == model.VLAN and link.parent not in ids


def _loaded(text: str) -> Any:
    value, problems = jsonfile.decode(text.encode('utf-8', 'replace'), '')
    if problems:
        raise BadNics(problems[0].message)
    return value


def _nic(item: Any, number: int) -> host.Nic:
    """One NIC; keys differ in case and blanks between releases."""
    where = f'[{number}]'
    if not isinstance(item, dict):
        raise BadNics(f'{where}: {jsonfile.kind(item)} where an object '
                      'should be')
    said = {key.lower().replace(' ', ''): value
            for key, value in item.items()}
    mac = said.get('mac', said.get('macaddress'))
    link = said.get('up', said.get('linkstatus', said.get('link')))
    if isinstance(link, str):
        link = _LINK.get(link.lower(), link)
    if link is not None and not isinstance(link, bool):
        raise BadNics(f'{where}: {quote(link)} is neither Up nor Down')
    return host.Nic(_name(said.get('name'), where), _mac(mac, where), link)


def _rows(text: str) -> List[host.Nic]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        heading = line.split()[:2]
        if not line or set(line) <= {'-', ' '} or heading == ['Name', 'PCI']:
            continue
        where = f'line {number}'
        row = _ROW.fullmatch(line)
        if not row:
            # Not quoted: it may be any other file that was given.
            raise BadNics(f'{where} is no row of "esxcli network nic list"')
        found.append(host.Nic(_name(row[1], where), _mac(row[3], where),
                              _LINK[row[2].lower()]))
    return found


def _ordered(nics: List[host.Nic]) -> Tuple[host.Nic, ...]:
    seen: Set[str] = set()
    for nic in nics:
        if nic.name in seen:
            raise BadNics(f'{nic.name} is there twice')
        seen.add(nic.name)
    return tuple(sorted(nics, key=_natural))


def _natural(nic: host.Nic) -> List[Union[int, str]]:
    """Text and numbers by turns, so like is compared with like."""
    return [int(part) if part.isdigit() else part
            for part in re.split('([0-9]+)', nic.name)]


def _name(value: Any, where: str) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise BadNics(f'{where}: {quote(value)} is no name of a NIC')


def _mac(value: Any, where: str) -> Optional[str]:
    """Of a NIC that reports none but zeros, or a group's, it is not known."""
    if value is None:
        return None
    if not isinstance(value, str) or not _MAC.fullmatch(value.strip()):
        raise BadNics(f'{where}: {quote(value)} is no MAC address')
    try:
        return address.mac(value.strip())
    except ValueError:
        return None
