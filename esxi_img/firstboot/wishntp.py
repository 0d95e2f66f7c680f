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

"""The time service, as cloud-config words it (cloudinit cc_ntp)."""

import ipaddress
from typing import Iterator
from typing import Optional

from . import hostname
from . import wishvalue
from .wish import Ntp

DEFAULT = tuple(f'{number}.pool.ntp.org' for number in range(4))
SERVERS_MAX = 10

_KNOWN = frozenset({'enabled', 'ntp_client', 'pools', 'servers'})


def ntp(said: wishvalue.Config) -> Optional[Ntp]:
    """Servers and pools as one list, for ESXi knows no pools.

    Where none is said, those of cloud-init; where none can be used, the
    time service is left as it is.
    """
    entry = said.entry('ntp')
    if entry is None:
        return None
    entry.refuse_others(_KNOWN)
    if entry.value('ntp_client') not in (None, 'auto'):
        entry.odd('ntp_client', 'ESXi has one of its own')
    if entry.boolean('enabled') is False:
        return Ntp(enabled=False)
    if not entry.value('servers') and not entry.value('pools'):
        said.odd('ntp', f'no server is said: {DEFAULT[0]} to {DEFAULT[-1]} '
                        'are taken, as by cloud-init')
        return Ntp(servers=DEFAULT)
    servers = tuple(dict.fromkeys(_servers(entry)))
    if len(servers) > SERVERS_MAX:
        said.odd('ntp', f'{len(servers)} servers, of which the first '
                        f'{SERVERS_MAX} are taken')
    return Ntp(servers=servers[:SERVERS_MAX]) if servers else None


def _servers(said: wishvalue.Entry) -> Iterator[str]:
    for key in ('servers', 'pools'):
        for at, text in said.texts(key):
            name = text.strip()
            if _is_address(name) or hostname.is_valid(name):
                yield name
            else:
                said.odd(at, 'neither a host name nor an address: not used')


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return '%' not in text
