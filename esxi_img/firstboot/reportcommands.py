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

"""What a field report asks the host.

All of it only lists: no command here changes anything.
"""

import json
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Tuple


class Ask(NamedTuple):
    """An esxcli command.

    :ivar fields: what is kept of each row of the answer; (): all
    """

    words: str
    fields: Tuple[str, ...] = ()


VERSION = 'system version get'
SWITCHES = 'network vswitch standard list'
VMKS = 'network ip interface list'
ROUTES4 = 'network ip route ipv4 list'
IPV4 = 'network ip interface ipv4 get'
HOSTNAME = 'system hostname get'
SEARCH = 'network ip dns search list'
NTP = 'system ntp get'
SYSLOG = 'system syslog config get'
KEYS = 'system ssh key list'
ENCRYPTION = 'system settings encryption get'
KERNEL_ONLY = 'system settings kernel list --option execInstalledOnly'
USER_ONLY = 'system settings advanced list --option /User/execInstalledOnly'
MAINTENANCE = 'system maintenanceMode get'
TARDISKS = 'system visorfs tardisk list'
FILESYSTEMS = 'storage filesystem list'

# Asked in this order, so the most telling come first.  Fields are named
# where others would hold serial numbers, or more than anybody reads.
ASKS = (
    Ask('network nic list'),
    Ask(SWITCHES),
    Ask('network vswitch standard portgroup list'),
    Ask(VMKS),
    Ask(IPV4),
    Ask('network ip interface ipv6 get'),
    Ask('network ip interface ipv6 address list'),
    Ask(ROUTES4),
    Ask('network ip route ipv6 list'),
    Ask('network ip dns server list'),
    Ask(SEARCH),
    Ask(HOSTNAME),
    Ask(ENCRYPTION),
    Ask(KERNEL_ONLY),
    Ask(USER_ONLY),
    Ask(TARDISKS),
    Ask(FILESYSTEMS),
    Ask(KEYS),
    Ask(MAINTENANCE),
    Ask(NTP),
    Ask(SYSLOG),
    Ask('system boot device get'),
    Ask('system stats uptime get'),
    Ask('system time get'),
    Ask('system ssh server config list'),
    Ask('system settings kernel list --delta'),
    Ask('network ip get'),
    Ask('network ip netstack list'),
    Ask('network firewall get'),
    Ask('network firewall ruleset list'),
    Ask('hardware platform get', ('Product Name', 'Vendor Name')),
    Ask('storage core device list', (
        'Device', 'Devfs Path', 'Vendor', 'Model', 'Size', 'Device Type',
        'Is Local', 'Is USB', 'Is Boot Device', 'Status')),
    Ask('system module list', ('Name', 'Is Loaded')),
    Ask('software acceptance get'),
    Ask('software vib list', ('Name',)))

# Not known, and an option that is not: what does it say, with what status.
REFUSED = ('network nic none', 'network nic list --none')

# Prints Enabled or Disabled.
SECURE_BOOT = ('/usr/lib/vmware/secureboot/bin/secureBoot.py', '-s')
OTHERS = (('esxcfg-mpath', '-b'),)

_DISKS_MOST = 32
_NAMES_MOST = 16


def argv(program: str, words: str) -> Tuple[str, ...]:
    """An esxcli command whose answer is to be JSON.

    :param program: esxcli or localcli
    """
    return (program, '--formatter=json', *words.split())


def words_of(argv: Tuple[str, ...]) -> str:
    """The other way round; '' of a command of another program."""
    return ' '.join(argv[2:]) if argv[1:2] == ('--formatter=json',) else ''


def of_switches(program: str, answer: Any) -> Iterator[Tuple[str, ...]]:
    """How each switch uses its uplinks."""
    for name in _names(answer):
        yield (*argv(program, 'network vswitch standard policy failover get'),
               '--vswitch-name', name)


def of_vmks(program: str, answer: Any) -> Iterator[Tuple[str, ...]]:
    """What each interface is for."""
    for name in _names(answer):
        yield (*argv(program, 'network ip interface tag get'),
               '--interface-name', name)


def of_disks(paths: List[str]) -> Iterator[Tuple[str, ...]]:
    """The partition tables."""
    for path in paths[:_DISKS_MOST]:
        yield 'partedUtil', 'getptbl', path


def of_volumes(paths: List[str]) -> Iterator[Tuple[str, ...]]:
    """Which partitions these volumes are."""
    for path in paths[:_NAMES_MOST]:
        yield 'vmkfstools', '-P', path


def rows(answer: Any) -> List[Dict[str, Any]]:
    """The rows of an answer, which may be one, or none."""
    some = answer if isinstance(answer, list) else [answer]
    return [row for row in some if isinstance(row, dict)]


def field(row: Dict[str, Any], name: str) -> Any:
    """A value of a row; some releases write its name without blanks."""
    wanted = _plain(name)
    return next((value for key, value in row.items()
                 if _plain(key) == wanted), None)


def only(answer: Any, fields: Tuple[str, ...]) -> str:
    """An answer with these fields alone, as JSON; '': it has no rows."""
    kept = [{name: field(row, name) for name in fields
             if field(row, name) is not None} for row in rows(answer)]
    return json.dumps(kept) if any(kept) else ''


def _plain(name: str) -> str:
    return name.replace(' ', '').lower()


def _names(answer: Any) -> List[str]:
    """What the rows are called; no name may be taken for an option."""
    found = [field(row, 'Name') for row in rows(answer)]
    return [name for name in found if isinstance(name, str) and name
            and '\0' not in name and not name.startswith('-')][:_NAMES_MOST]
