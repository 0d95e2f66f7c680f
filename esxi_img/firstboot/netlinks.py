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

"""The links of network_data.json."""

from typing import List
from typing import Optional
from typing import Tuple

from . import address
from .model import BOND
from .model import Link
from .model import NIC
from .model import VLAN
from .netvalue import Entry
from .netvalue import plain

MTU_MIN = 1280
"""IPv6 needs it: RFC 8200, section 5."""
MTU_MAX = 65535
ESXI_MTU_MAX = 9190
JUMBO_MTU = 9000

VLAN_MAX = 4095

MODES = ('balance-rr', 'active-backup', 'balance-xor', 'broadcast',
         '802.3ad', 'balance-tlb', 'balance-alb')
"""Of a bond, by Linux's numbers: Linux, networking/bonding.rst."""

_MODES = {key: mode for number, mode in enumerate(MODES)
          for key in (mode, number, str(number))}


def links(entries: List[Entry]) -> Tuple[Link, ...]:
    """All that can be used, with unique ids, in the file's order."""
    found = {}
    for entry in entries:
        link_id = entry.identifier('id') or entry.identifier('name')
        if link_id is None:
            entry.note('id', 'a link without an id is left out')
        elif link_id in found:
            entry.refuse('id', link_id, 'is the id of an earlier link, too: '
                         'this one is left out')
        else:
            link = _link(entry, link_id)
            if link:
                found[link_id] = link
    return tuple(found.values())


def _link(entry: Entry, link_id: str) -> Optional[Link]:
    kind = _kind(entry)
    vlan = 0
    if kind == VLAN:
        vlan = _vlan_id(entry)
        if vlan is None:
            return None
    name = entry.text('name')
    return Link(
        id=link_id, kind=kind, where=entry.where, mac=_mac(entry, kind),
        name=plain(name) if name else None, mtu=_mtu(entry),
        members=entry.identifiers('bond_links'),
        mode=_mode(entry) if kind == BOND else None,
        parent=entry.identifier('vlan_link') if kind == VLAN else None,
        vlan=vlan)


def _kind(entry: Entry) -> str:
    kind = (entry.text('type') or '').lower()
    if kind in (BOND, VLAN):
        return kind
    if entry.value('type') is None and None not in (
            entry.value('vlan_id'), entry.value('vlan_link')):
        return VLAN
    # Nova's own types come and go, and some clouds have others.
    return NIC


def _vlan_id(entry: Entry) -> Optional[int]:
    if entry.value('vlan_id') is None:
        entry.note('vlan_id', 'a VLAN without an id is left out')
        return None
    vlan = entry.integer('vlan_id')
    if vlan is not None and not 0 <= vlan <= VLAN_MAX:
        entry.refuse('vlan_id', vlan, 'is no VLAN id: the link is left out')
        return None
    return vlan


def _mac(entry: Entry, kind: str) -> Optional[str]:
    keys = ('ethernet_mac_address',)
    if kind == VLAN:
        keys = ('vlan_mac_address', 'ethernet_mac_address')
    for key in keys:
        text = entry.text(key)
        if text:
            try:
                return address.mac(text)
            except ValueError as error:
                entry.refuse(key, text, error)
    if kind == NIC and entry.value('ethernet_mac_address') is None:
        entry.note('ethernet_mac_address', 'no MAC address')
    return None


def _mtu(entry: Entry) -> Optional[int]:
    mtu = entry.integer('mtu')
    if mtu is None:
        return None
    if not MTU_MIN <= mtu <= MTU_MAX:
        entry.refuse('mtu', mtu, f'is not between {MTU_MIN} and {MTU_MAX}')
        return None
    if mtu > ESXI_MTU_MAX:
        entry.refuse('mtu', mtu, f"is more than ESXi's largest, "
                     f'{ESXI_MTU_MAX}: {JUMBO_MTU} is used')
        return JUMBO_MTU
    return mtu


def _mode(entry: Entry) -> Optional[str]:
    value = entry.value('bond_mode')
    key = value.strip().lower() if isinstance(value, str) \
        else entry.integer('bond_mode')
    if key is not None and key not in _MODES:
        entry.refuse('bond_mode', value, 'is no mode that is known')
    return _MODES.get(key)
