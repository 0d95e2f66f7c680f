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

"""The host itself: runs commands and watches its management address."""

import collections.abc
import copy
import dataclasses
import ipaddress
import posixpath
import typing

from tests.esxi import commands
from tests.esxi import commands_access
from tests.esxi import commands_host
from tests.esxi import commands_ip  # noqa: F401 - enters its commands
from tests.esxi import commands_service
from tests.esxi import commands_switch  # noqa: F401
from tests.esxi import commands_system
from tests.esxi import commands_vmk  # noqa: F401
from tests.esxi import grammar
from tests.esxi import install
from tests.esxi import model
from tests.esxi import output
from tests.esxi import programs

Lease = collections.abc.Mapping[str, typing.Any]
Dhcp = collections.abc.Mapping[str, Lease | None] \
    | collections.abc.Callable[[str], Lease | None]
"""What the network answers to a vmk's MAC ('*': any), None: nothing.

A lease: ip, netmask, gateway, dns, and ipv6 for what DHCPv6 or router
advertisements give; each may be missing.
"""

Nic = model.Nic

FOLDERS = ('', '/bin', '/sbin', '/usr/bin', '/usr/sbin')
NETSTACK = 'defaultTcpipStack'

_LASTING = ('backed_up', 'dhcp', 'down', 'journal', 'log', 'nics', 'outages',
            'ran', 'restarted')
"""What is no configuration, so that changing it needs no backup."""


@dataclasses.dataclass
class Service:
    enabled: bool = False
    """Starts with the host."""
    running: bool = False


class Outage(typing.NamedTuple):
    """After this command of the journal nobody could reach the host."""

    index: int
    argv: tuple[str, ...]
    why: str


@dataclasses.dataclass
class Esxi:
    """A host; the installer's part is :func:`fresh`."""

    nics: list[Nic]
    version: str = '8.0.3'
    dhcp: Dhcp = dataclasses.field(default_factory=dict)
    joined_keys: bool = False
    """JSON keys have no blanks."""
    hostd: bool = True
    """False: only localcli works."""

    name: str = 'localhost'
    domain: str = 'localdomain'
    certificate: str = 'localhost.localdomain'
    disk: str = ''
    license: str = ''
    welcome: str = ''
    netstack: str = NETSTACK
    vswitches: dict[str, model.VSwitch] = dataclasses.field(
        default_factory=dict)
    portgroups: dict[str, model.PortGroup] = dataclasses.field(
        default_factory=dict)
    vmks: dict[str, model.Vmk] = dataclasses.field(default_factory=dict)
    routes: list[model.Route] = dataclasses.field(default_factory=list)
    """Those with a gateway."""
    ipv6: bool = True
    ipv6_after_boot: bool = True
    dns: list[str] = dataclasses.field(default_factory=list)
    search: list[str] = dataclasses.field(default_factory=list)
    keys: dict[str, list[str]] = dataclasses.field(
        default_factory=lambda: {'root': []})
    """In the ConfigStore, by user."""
    files: dict[str, tuple[int, str | bytes]] = dataclasses.field(
        default_factory=dict)
    """Written ones: mode and content by path."""
    services: dict[str, Service] = dataclasses.field(
        default_factory=lambda: {'ssh': Service(), 'shell': Service()})
    advanced: dict[str, commands_system.Setting] = dataclasses.field(
        default_factory=commands_system.settings)
    kernel: dict[str, commands_host.Parameter] = dataclasses.field(
        default_factory=commands_host.parameters)
    wall: commands_service.Firewall = dataclasses.field(
        default_factory=commands_service.Firewall)
    firewall: dict[str, bool] = dataclasses.field(
        default_factory=commands_service.rulesets)
    """Which rulesets pass, by name."""
    owned: set[str] = dataclasses.field(default_factory=set)
    """Rulesets that the system alone changes, as some releases do."""
    accounts: dict[str, commands_access.Account] = dataclasses.field(
        default_factory=commands_access.accounts)
    roles: dict[str, str] = dataclasses.field(default_factory=dict)
    """By account, but those that every host has."""
    sshd: dict[str, str] = dataclasses.field(
        default_factory=commands_access.sshd)
    ntp: commands_service.Ntp = dataclasses.field(
        default_factory=commands_service.Ntp)
    syslog: commands_service.Syslog = dataclasses.field(
        default_factory=commands_service.Syslog)
    datastores: list[str] = dataclasses.field(default_factory=list)
    maintenance: bool = False
    down_in_maintenance: bool = False
    """The host goes down in maintenance mode only: nobody knows of which
    release that is true."""

    down: commands_host.Shutdown | None = None
    log: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """Tags and messages."""
    ran: list[tuple[tuple[str, ...], str]] = dataclasses.field(
        default_factory=list)
    """Scripts of this host's files: how they were called, and content."""
    backed_up: bool = False
    restarted: list[str] = dataclasses.field(default_factory=list)
    journal: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    outages: list[Outage] = dataclasses.field(default_factory=list)

    @property
    def hostname(self) -> str:
        """With the domain, if there is one."""
        return f'{self.name}.{self.domain}' if self.domain else self.name

    @property
    def release(self) -> tuple[int, ...]:
        return (*map(int, self.version.split('.')), 0, 0)[:3]

    def run(self, argv: collections.abc.Sequence[str],
            stdin: str | bytes | None = None) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self.journal.append(tuple(argv))
        before = self._configuration()
        try:
            result = 0, self._do(list(argv)), ''
            self.settle()
        except grammar.Refused as refusal:
            vars(self).update(before)
            result = 1, '', f'Error: {refusal}\n'
        except FileNotFoundError as error:
            result = 127, '', f'sh: {error}: not found\n'
        if self._configuration() != before:
            self.backed_up = False
        unusable = self.unusable()
        if all(unusable.values()):
            why = '; '.join(f'{name}: {reason}' for name, reason
                            in unusable.items()) or 'no management vmk'
            self.outages.append(
                Outage(len(self.journal) - 1, tuple(argv), why))
        return result

    def write_file(self, path: str, content: str | bytes, mode: int) -> None:
        """As a program on the host writes it."""
        assert posixpath.isabs(path) and posixpath.normpath(path) == path
        self.files[path] = mode, content
        self.backed_up = False

    def unusable(self) -> dict[str, str]:
        """Why, by management vmk; an empty text: it is usable."""
        return {vmk.name: self._why(vmk) for vmk in self.vmks.values()
                if model.MANAGEMENT in vmk.tags}

    def settle(self) -> None:
        """What the host does by itself after a change.

        :raises Refused: a rule of the host's does not hold any more
        """
        for problem in model.broken(self):
            raise grammar.Refused(problem)
        self.routes = [route for route in self.routes if self._holds(route)]
        for vmk in self.vmks.values():
            if vmk.ipv4_type == 'dhcp':
                self._ask(vmk)

    def _configuration(self) -> dict[str, typing.Any]:
        return copy.deepcopy({name: value for name, value
                              in vars(self).items() if name not in _LASTING})

    def _do(self, argv: list[str]) -> str:
        if not argv:
            raise FileNotFoundError('')
        folder, name = posixpath.split(argv[0])
        name = name if folder in FOLDERS else argv[0]
        if name in ('esxcli', 'vim-cmd') and not self.hostd:
            raise grammar.Refused('Connect to localhost failed: '
                                  'Connection failure')
        if name in programs.PROGRAMS:
            return programs.PROGRAMS[name](self, argv[1:])
        if name not in grammar.PROGRAMS:
            raise FileNotFoundError(argv[0])
        call = grammar.parse([name, *argv[1:]])
        if self.release < grammar.since(call.path):
            raise grammar.Refused(f'Unknown command or namespace {call.path}')
        if call.path not in commands.HANDLERS \
                or call.formatter not in (None, 'json'):
            raise grammar.Refused(f'{call.path} is not simulated')
        commands.find({NETSTACK: True}, call.options.get(
            '--netstack', NETSTACK), 'Netstack')
        answer = commands.HANDLERS[call.path](self, call.options)
        return output.render(answer, call.formatter, self.joined_keys) \
            if answer else ''

    def _lease(self, vmk: model.Vmk) -> Lease:
        if not model.link(self, vmk):
            return {}
        if callable(self.dhcp):
            return self.dhcp(vmk.mac) or {}
        return self.dhcp.get(vmk.mac, self.dhcp.get('*')) or {}

    def _ask(self, vmk: model.Vmk) -> None:
        """Take what DHCP gives: its name servers replace all others."""
        lease = self._lease(vmk)
        taken = {str(address.ip) for other in self.vmks.values()
                 for address in other.addresses()}
        if vmk.ipv4 is None and lease.get('ip') not in {None, *taken}:
            vmk.ipv4 = ipaddress.IPv4Interface(
                f'{lease["ip"]}/{lease["netmask"]}')
            default = model.DEFAULTS[4]
            if lease.get('gateway') and default not in {
                    route.network for route in self.routes}:
                self.routes.append(model.Route(default, ipaddress.IPv4Address(
                    lease['gateway']), vmk.name, 'DHCP'))
        if vmk.peer_dns and lease.get('dns'):
            self.dns = list(lease['dns'])

    def _holds(self, route: model.Route) -> bool:
        vmk = self.vmks.get(route.interface)
        if vmk is None or route.source == 'DHCP' and vmk.ipv4_type != 'dhcp':
            return False
        if route.gateway.version == 6 and route.gateway.is_link_local:
            return vmk.ipv6
        return model.reaches(vmk, route.gateway)

    def _why(self, vmk: model.Vmk) -> str:
        if not vmk.enabled:
            return 'not enabled'
        if not model.link(self, vmk):
            return 'no uplink with a link, or a trunk'
        given = (vmk.dhcpv6 or vmk.router_adv) \
            and self._lease(vmk).get('ipv6')
        routed = [address for address in vmk.addresses()
                  if not address.ip.is_link_local]
        return '' if routed or given else 'no address'


def fresh(nics: collections.abc.Sequence[Nic],
          kickstart_lines: collections.abc.Iterable[str],
          version: str = '8.0.3', *, dhcp: Dhcp | None = None,
          hostname_with_dhcp: bool = False) -> Esxi:
    """A host as the installer leaves it.

    :param kickstart_lines: without those that concern neither the network
        nor the disk, if you like
    :param hostname_with_dhcp: --hostname counts with DHCP, too: nobody
        knows whether it does
    :raises Refused: the installer stops at the kickstart
    """
    host = Esxi(list(nics), version, dhcp or {})
    install.apply(host, kickstart_lines, hostname_with_dhcp)
    host.settle()
    return host
