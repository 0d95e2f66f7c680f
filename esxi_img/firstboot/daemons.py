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

"""Steps for the time service and the log's targets.

A ruleset that the firewall does not know, or that belongs to the system,
does not count: some releases open it by themselves.
"""

from typing import List
from typing import Tuple

from . import commands
from . import host
from . import model
from . import release
from . import steps
from . import syscommands
from . import wish

_NTP = 'cloud-config:ntp'
_NTP_SINCE = 7
_SYSLOG = 'cloud-config:vmware_esxi.syslog'


def ntp(have: host.Host, wishes: wish.Wishes
        ) -> Tuple[List[steps.Step], List[model.Problem]]:
    """The time service: its servers, and whether it runs.

    Blind, as ``ntp get`` has two lines about what is enabled, and no order
    of servers: the command sets all that there is, each time anew.
    """
    wished = wishes.ntp
    if wished is None:
        return [], []
    if release.before(have.version, _NTP_SINCE):
        return [], [model.Problem(_NTP, f'needs ESXi {_NTP_SINCE}, and this '
                                        f'is {have.version}')]
    if not wished.enabled:
        return [steps.Step('ntp', syscommands.ntp(False, ()), _NTP,
                           blind=True)], []
    return [steps.Step('ntp', syscommands.ntp(True, wished.servers), _NTP,
                       steps.STOP, group='ntp', blind=True),
            _ruleset('ntp', 'ntpClient', _NTP)], []


def syslog(wishes: wish.Wishes) -> List[steps.Step]:
    """Where the log goes; the way is opened before it is taken."""
    targets = wishes.esxi.syslog
    if not targets:
        return []
    return [
        steps.Step('syslog', syscommands.syslog(targets), _SYSLOG,
                   steps.STOP, group='syslog',
                   probe=steps.Probe(syscommands.syslog_get(), targets)),
        _ruleset('syslog', 'syslog', _SYSLOG),
        steps.Step('syslog.reload', syscommands.syslog_reload(), _SYSLOG,
                   group='syslog', blind=True)]


def _ruleset(group: str, name: str, why: str) -> steps.Step:
    return steps.Step(f'{group}.ruleset', commands.ruleset(name), why,
                      group=group, optional=True, blind=True)
