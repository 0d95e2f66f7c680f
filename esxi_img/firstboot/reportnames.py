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

"""Gives hosts, addresses and MACs other names, the same ones everywhere.

The names are numbers in order of appearance: nobody can work back from
them, as one could from a checksum of an address.
"""

import ipaddress
import re
from typing import Dict
from typing import Iterable
from typing import List
from typing import Optional

_PAIR = '[0-9A-Fa-f]{2}'
_MAC = re.compile(rf'(?<![0-9A-Fa-f])((?:01-)?)({_PAIR}(?:[:-]{_PAIR}){{5}})'
                  r'(?![0-9A-Fa-f])')
_IPV4 = re.compile(r'(?<!\d)(?<!\d\.)(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)')
_IPV6 = re.compile(r'[0-9A-Fa-f:.]{2,64}')
_URL_HOST = re.compile(r'://(?:[^\s/@"\']{1,256}@)?([A-Za-z0-9.-]{1,253})')
_LOCAL = re.compile(r'localhost(?:\.localdomain)?|localdomain|n/a|none|.?',
                    re.IGNORECASE)


class Names:
    """Finds what has to have another name in all texts, then gives it.

    :param texts: everything that will be sent
    :param hosts: names of hosts and domains that are known
    """

    def __init__(self, texts: Iterable[str], hosts: Iterable[str]) -> None:
        self._macs: Dict[str, str] = {}
        self._ips: Dict[str, str] = {}
        some = list(texts)
        urls = [name for text in some for name in _URL_HOST.findall(text)]
        self._hosts = _numbered('host', (
            name.strip('.').lower() for name in (*hosts, *urls)
            if not _LOCAL.fullmatch(name.strip('.'))
            and not _IPV4.fullmatch(name)))
        for text in some:
            _MAC.sub(self._mac, text)
        # A UUID of ESXi ends with a MAC, and some write it with dots.
        known = {form: name for mac, name in self._macs.items()
                 for form in (mac, '.'.join((mac[:4], mac[4:8], mac[8:])))}
        self._bare = _one_of(known, '0-9a-f')
        self._known = known
        self._names = _one_of(self._hosts, r'\w-')

    def text(self, text: str) -> str:
        """The text with the other names."""
        text = _MAC.sub(self._mac, text)
        if self._bare:
            text = self._bare.sub(
                lambda match: self._known[match[0].lower()], text)
        text = _IPV4.sub(self._ipv4, text)
        text = _IPV6.sub(self._ipv6, text)
        if self._names:
            text = self._names.sub(
                lambda match: self._hosts[match[0].lower()], text)
        return text

    def _mac(self, match: 're.Match[str]') -> str:
        plain = re.sub('[:-]', '', match[2]).lower()
        return match[1] + self._macs.setdefault(
            plain, f'mac-{len(self._macs) + 1}')

    def _ip(self, text: str) -> str:
        """:raises ValueError: it is none"""
        address = ipaddress.ip_address(text)
        # Of these, and of netmasks, every host has the same.
        if address.is_unspecified or address.is_loopback \
                or text.startswith('255.'):
            return text
        return self._ips.setdefault(
            str(address), f'ip-{len(self._ips) + 1}')

    def _ipv4(self, match: 're.Match[str]') -> str:
        try:
            return self._ip(match[0])
        except ValueError:
            return match[0]

    def _ipv6(self, match: 're.Match[str]') -> str:
        """The longest address in a run of its characters.

        Colons may stand before and behind it, and belong to it or not.
        """
        run = match[0]
        if '::' not in run and run.count(':') < 7 \
                or not re.search('[0-9]', run):
            return run
        colons = [at for at, one in enumerate(run) if one == ':']
        starts = [0, *(at + 1 for at in colons)]
        ends = [len(run), *(at for at in range(len(run) - 1, 0, -1)
                            if run[at] in ':.')]
        for start in starts:
            for end in ends:
                try:
                    return run[:start] + self._ip(run[start:end]) + run[end:]
                except ValueError:
                    pass
        return run


def _numbered(kind: str, names: Iterable[str]) -> Dict[str, str]:
    unique: List[str] = list(dict.fromkeys(names))
    return {name: f'{kind}-{number}'
            for number, name in enumerate(unique, 1)}


def _one_of(names: Iterable[str], beside: str
            ) -> Optional['re.Pattern[str]']:
    """Finds each of the names, the longest first; None: there are none.

    :param beside: characters of which none stands before or behind it
    """
    longest = sorted(names, key=lambda one: (-len(one), one))
    return re.compile('(?<![{0}])(?:{1})(?![{0}])'.format(
        beside, '|'.join(map(re.escape, longest))), re.IGNORECASE) \
        if longest else None
