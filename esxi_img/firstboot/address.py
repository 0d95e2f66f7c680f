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

"""Addresses, in the spellings that occur, to the one that is used.

Python's own readers changed between 3.8 and 3.13 (leading zeros, zones, the
form of IPv4-mapped addresses); what they disagree on is decided here.
Readers raise ValueError, which says what is wrong with the value in words
that go after it.
"""

import functools
import ipaddress
import re
from typing import Any
from typing import Union

from . import netvalue

IP = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

BITS = {4: 32, 6: 128}
ASSUMED = {4: 24, 6: 64}
"""The prefix length where none is given."""

_OCTET = '(0|[1-9][0-9]{0,2})'
_DOTTED = re.compile(_OCTET + (r'\.' + _OCTET) * 3)
_MAC = re.compile('[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\\1){4}[0-9a-f]{2}')
_GROUP_BIT = 1

_NO_HOSTS = tuple((ipaddress.ip_network(network), why) for network, why in (
    ('0.0.0.0/8', 'stands for no host'),
    ('127.0.0.0/8', 'is a loopback address'),
    ('224.0.0.0/4', 'is a multicast address'),
    ('240.0.0.0/4', 'is reserved, or the broadcast address'),
    ('::/128', 'stands for no host'),
    ('::1/128', 'is a loopback address'),
    ('ff00::/8', 'is a multicast address')))


# The same few masks and gateways stand in all routes.
@functools.lru_cache(maxsize=256)
def ip(text: str) -> IP:
    """Any address; a zone, as in ``fe80::1%eth0``, is cut off."""
    if ':' in text:
        text = text.partition('%')[0]
    last = text.rpartition(':')[2]
    if '.' in last and not _DOTTED.fullmatch(last):
        raise ValueError('is no IP address')
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    raise ValueError('is no IP address')


def host(text: str) -> IP:
    """An address that a host can have."""
    address = ip(text)
    for network, why in _NO_HOSTS:
        if address in network:
            raise ValueError(why)
    return address


def canonical(address: IP) -> str:
    """The short form in lower case; dotted behind ``::ffff:``."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f'::ffff:{address.ipv4_mapped}'
    return str(address)


def prefix_length(mask: Any, family: int) -> int:
    """From ``24``, ``'24'``, ``'/24'``, ``'ADDRESS/24'`` or a mask.

    :param family: 4 or 6, which the mask has to be of
    """
    if isinstance(mask, str):
        mask = mask.rpartition('/')[2].strip()
    try:
        if isinstance(mask, str) and ('.' in mask or ':' in mask):
            length = _mask_length(ip(mask), family)
        else:
            length = netvalue.integer(mask)
    except ValueError:
        length = -1
    if not 0 <= length <= BITS[family]:
        raise ValueError(f'is no netmask of IPv{family}')
    return length


def _mask_length(mask: IP, family: int) -> int:
    hosts = int(mask) ^ (1 << BITS[mask.version]) - 1
    if mask.version != family or hosts & hosts + 1:
        raise ValueError('is no netmask')
    return BITS[family] - hosts.bit_length()


def network(address: IP, length: int) -> str:
    """The network that the address is in, in CIDR form."""
    hosts = BITS[address.version] - length
    first = type(address)(int(address) >> hosts << hosts)
    return f'{canonical(first)}/{length}'


def interface(address: IP, length: int) -> str:
    """``ADDRESS/LENGTH`` of a host in a network of that length.

    RFC 3021: without network and broadcast address where there is no room.
    """
    hosts = BITS[address.version] - length
    if address.version == 4 and hosts > 1:
        number = int(address) & (1 << hosts) - 1
        if number in (0, (1 << hosts) - 1):
            kind = 'broadcast' if number else 'network'
            raise ValueError(
                f'is the {kind} address of {network(address, length)}')
    return f'{canonical(address)}/{length}'


def mac(text: str) -> str:
    """Of one NIC: six pairs of lower-case digits, colons between."""
    text = text.lower()
    if not _MAC.fullmatch(text):
        raise ValueError('is no MAC address of 6 bytes')
    pairs = re.findall('[0-9a-f]{2}', text)
    if not any(int(pair, 16) for pair in pairs):
        raise ValueError('is no MAC address: all zero')
    if int(pairs[0], 16) & _GROUP_BIT:
        raise ValueError('is a MAC address of a group, not of a NIC')
    return ':'.join(pairs)
