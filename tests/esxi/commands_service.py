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

"""Services and their way out: time, log, firewall."""

import dataclasses
import ipaddress
import re
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

_TARGET = re.compile(r'(udp|tcp|ssl)://(\[[0-9a-fA-F:.]+\]|[^][:/,\s]+)'
                     r'(:([1-9][0-9]{0,4}))?')
_NONE = '<none>'
_RULESET = 'network firewall ruleset '


@dataclasses.dataclass
class Ntp:
    enabled: bool = False
    servers: list[str] = dataclasses.field(default_factory=list)
    level: str = 'warning'


@dataclasses.dataclass
class Syslog:
    """The log's settings, and where it goes since the last reload."""

    loghost: str = ''
    loaded: str = ''
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    """All others, by option."""


@dataclasses.dataclass
class Firewall:
    enabled: bool = True
    loaded: bool = True
    passes: bool = False
    """What no ruleset is about."""


def rulesets() -> dict[str, bool]:
    """Some of a new host's, and whether they pass."""
    return {'sshServer': True, 'dhcp': True, 'dns': True, 'DHCPv6': False,
            'httpClient': False, 'ntpClient': False, 'syslog': False,
            'nfsClient': False, 'sshClient': False, 'snmp': True}


def _server(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return model.domain(text)
    return str(model.ip(text, 6 if ':' in text else 4))


@commands.command('system ntp set')
def ntp_set(host: typing.Any, options: grammar.Options) -> None:
    if not options or '--file' in options:
        raise grammar.Refused('Nothing to set, or by a file')
    ntp = host.ntp = Ntp() if '--reset' in options \
        else dataclasses.replace(host.ntp)
    if '--server' in options:
        ntp.servers = list(map(_server, options['--server']))
        if len(set(ntp.servers)) < len(ntp.servers):
            raise grammar.Refused('A server is given twice')
    ntp.level = options.get('--loglevel', ntp.level)
    ntp.enabled = options.get(
        '--enabled', str(ntp.enabled).lower()) == 'true'
    if ntp.enabled and not ntp.servers:
        raise grammar.Refused('No server to enable NTP with')


@commands.command('system ntp get')
def ntp_get(host: typing.Any, _options: grammar.Options) -> output.Answer:
    ntp = host.ntp
    return output.simple(
        Enabled=ntp.enabled, Loglevel=ntp.level,
        PID=2099000 if ntp.enabled else 0,
        Runtime_Seconds=7 if ntp.enabled else 0, Servers=ntp.servers,
        Service_Providing_Kernel_Time='NTP' if ntp.enabled else 'Manual',
        Time_Service_Enabled=ntp.enabled, Time_Synchronized=False)


@commands.command('system syslog config set')
def syslog_set(host: typing.Any, options: grammar.Options) -> None:
    if not options or '--reset' in options:
        raise grammar.Refused('Nothing to set, or a reset')
    host.syslog.settings.update(options)
    host.syslog.loghost = host.syslog.settings.pop(
        '--loghost', host.syslog.loghost)
    targets = host.syslog.loghost.split(',') if host.syslog.loghost else []
    for target in targets:
        match = _TARGET.fullmatch(target)
        if not match or int(match[4] or 1) > 65535:
            raise grammar.Refused(f'Invalid remote host {target!r}')
        _server(match[2].strip('[]'))
    if len(set(targets)) < len(targets):
        raise grammar.Refused('A remote host is given twice')


@commands.command('system syslog config get')
def syslog_get(host: typing.Any, _options: grammar.Options) -> output.Answer:
    return output.simple(
        Default_Network_Retry_Timeout=180,
        Local_Log_Output='/scratch/log',
        Local_Logging_Default_Rotation_Size=1024,
        Local_Logging_Default_Rotations=8,
        Log_To_Unique_Subdirectory=False,
        Remote_Host=host.syslog.loghost or _NONE)


@commands.command('system syslog reload')
def syslog_reload(host: typing.Any, _options: grammar.Options) -> None:
    host.syslog.loaded = host.syslog.loghost


@commands.command('network firewall set')
def firewall_set(host: typing.Any, options: grammar.Options) -> None:
    if not options:
        raise grammar.Refused('Needs --enabled or --default-action')
    wall = host.wall
    wall.enabled = options.get(
        '--enabled', str(wall.enabled).lower()) == 'true'
    wall.passes = options.get(
        '--default-action', str(wall.passes).lower()) == 'true'


@commands.command('network firewall get')
def firewall_get(host: typing.Any, _options: grammar.Options
                 ) -> output.Answer:
    return output.simple(
        Default_Action='PASS' if host.wall.passes else 'DROP',
        Enabled=host.wall.enabled, Loaded=host.wall.loaded)


@commands.command('network firewall refresh')
def firewall_refresh(_host: typing.Any, _options: grammar.Options) -> None:
    pass


@commands.command(_RULESET + 'set')
def ruleset_set(host: typing.Any, options: grammar.Options) -> None:
    name = options['--ruleset-id']
    old = commands.find(host.firewall, name, 'Ruleset')
    if name in host.owned:
        raise grammar.Refused(f'Ruleset {name} is owned by system service')
    host.firewall[name] = options.get(
        '--enabled', str(old).lower()) == 'true'


@commands.command(_RULESET + 'list')
def ruleset_list(host: typing.Any, options: grammar.Options
                 ) -> output.Answer:
    wanted = options.get('--ruleset-id')
    if wanted:
        commands.find(host.firewall, wanted, 'Ruleset')
    return output.table('Name|Enabled', [
        (name, enabled) for name, enabled in host.firewall.items()
        if wanted in (None, name)])
