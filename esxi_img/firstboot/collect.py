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

"""Asks a host what it is, by commands that change nothing."""

from dataclasses import replace
import functools
import re
from typing import Callable
from typing import Dict
from typing import Iterable
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple
from typing import TypeVar

from . import esxcli
from . import host
from . import model
from . import services
from . import tables
from .netvalue import quote
from .running import Result
from .running import Run

T = TypeVar('T')

# Seconds that a command may take, and between two tries: what reads the
# NICs, for one, fails now and then while the host starts.
TIMEOUT = 60
TRIES = 5
PAUSE = 5

_WHERE = 'host'
_HOSTD = ('vim-cmd', 'hostsvc/runtimeinfo')
_HOSTD_TIMEOUT = 30
_HOSTD_PAUSE = 10
_CERTIFICATE = ('openssl', 'x509', '-in', '/etc/vmware/ssl/rui.crt',
                '-noout', '-subject')
# 'subject=C = US, CN = x', 'subject= /C=US/CN=x', 'subject=CN=x,C=US'.
_COMMON_NAME = re.compile(r'(?:^subject=|[,/+])\s*CN\s*=\s*([^\s,/+"]+)',
                          re.MULTILINE)

_NICS = 'network nic list'
_SWITCHES = 'network vswitch standard list'
_GROUPS = 'network vswitch standard portgroup list'
_VMKS = 'network ip interface list'
_IPV4 = 'network ip interface ipv4 get'
_DEFAULT4, _DEFAULT6 = esxcli.DEFAULTS[4], esxcli.DEFAULTS[6]
_WARNING = '/UserVars/SuppressShellWarning'


def collect(run: Run, sleep: Callable[[float], None], wait: float,
            read: Callable[[str], Optional[str]]
            ) -> Tuple[host.Host, Tuple[model.Problem, ...], bool]:
    """The facts of this host; what it does not tell is None, or ().

    Not asked is whether SSH and the shell are on: no documented command
    tells.  Never raises, unless one of the functions does.

    :param run: runs a command
    :param sleep: waits for some seconds
    :param wait: seconds that hostd may take to be there; esxcli needs it,
        so localcli has to do without
    :param read: the content of a file, or None if it is not there
    :returns: also what went wrong; and whether all is known that a plan for
        the network needs: the NICs, switches, port groups and interfaces,
        with their IPv4 addresses, none naming one that is not there
    """
    program = 'esxcli'
    problems: List[model.Problem] = []
    if not _hostd_answers(run, sleep, wait):
        program = 'localcli'
        problems.append(model.Problem(
            _WHERE, f'{" ".join(_HOSTD)}: no answer within {wait:.0f} s, so '
            'localcli is asked, which does without hostd'))
    asker = _Asker(program, run, sleep, problems)
    nics = asker.ask(_NICS, esxcli.nics_of)
    network, complete = _network(asker, nics)
    option = asker.ask('system settings advanced list', esxcli.option_of,
                       '--option', _WARNING)
    found = host.Host(
        version=asker.ask('system version get', esxcli.version_of),
        nics=nics or (),
        network=network,
        hostname=asker.ask('system hostname get', esxcli.hostname_of),
        certificate=_certificate(run, problems),
        ssh_keys=_lines(read(services.KEYS)),
        shell_warning=None if option is None else option != 1)
    return found, tuple(problems), complete


def _hostd_answers(run: Run, sleep: Callable[[float], None],
                   wait: float) -> bool:
    while True:
        result = run(_HOSTD, max(1, min(wait, _HOSTD_TIMEOUT)))
        if result.status == 0:
            return True
        wait -= result.seconds + _HOSTD_PAUSE
        if wait < 0:
            return False
        sleep(_HOSTD_PAUSE)


class _Asker:
    """Asks esxcli, again and again, until once nothing helped."""

    def __init__(self, program: str, run: Run,
                 sleep: Callable[[float], None],
                 problems: List[model.Problem]) -> None:
        self._program = program
        self._run = run
        self._sleep = sleep
        self._problems = problems
        self._tries = TRIES

    def ask(self, command: str, reader: Callable[[List[tables.Row]], T],
            *options: str) -> Optional[T]:
        """What a command tells; None, with a problem, if it does not.

        :param options: of the command; names of things stand second
        """
        why = ''
        for number in range(self._tries):
            if number:
                self._sleep(PAUSE)
            found, why = self._ask_once((*command.split(), *options), reader)
            if not why:
                return found
        # A host that does not answer at all must not take hours.
        self._tries = 1
        self.note(' '.join((command, *map(quote, options[1:]))), why)
        return None

    def _ask_once(self, words: Tuple[str, ...],
                  reader: Callable[[List[tables.Row]], T]
                  ) -> Tuple[Optional[T], str]:
        """What they tell, and why they do not; '' if they do.

        Text differs from release to release, so JSON comes first.
        """
        why = ''
        for parse, formatter in ((tables.from_json, ('--formatter=json',)),
                                 (tables.from_text, ())):
            result = self._run((self._program, *formatter, *words), TIMEOUT)
            why = _failure(result)
            if result.status is None:
                break
            try:
                if not why:
                    return reader(parse(result.output)), ''
            except tables.BadAnswer as error:
                why = str(error)
        return None, why

    def note(self, command: str, why: str) -> None:
        """Add a problem."""
        self._problems.append(model.Problem(
            _WHERE, f'{self._program} {command}: {why}'))


def _failure(result: Result) -> str:
    """Why a command failed; '' if it did not."""
    if result.status is None:
        return f'no answer within {result.seconds:.0f} s'
    if result.status:
        said = (result.error or result.output).strip().partition('\n')[0]
        return f'status {result.status}, {quote(said)}'
    return ''


def _network(asker: _Asker, nics: Optional[Tuple[host.Nic, ...]]
             ) -> Tuple[host.Network, bool]:
    """The network, and whether it and the NICs are known well enough."""
    switches = asker.ask(_SWITCHES, esxcli.switches_of)
    groups = asker.ask(_GROUPS, esxcli.portgroups_of)
    vmks = asker.ask(_VMKS, esxcli.vmks_of)
    ipv4 = asker.ask(_IPV4, esxcli.ipv4_of)
    complete = False
    if nics and switches and groups and vmks and ipv4:
        gaps = list(_gaps(nics, switches, groups, vmks, ipv4))
        for command, names in gaps:
            asker.note(command, 'does not name {}, which others do'.format(
                ', '.join(map(quote, names))))
        complete = not gaps
    ipv6 = asker.ask('network ip interface ipv6 get', esxcli.ipv6_of) or {}
    return _routed(asker, ipv6, host.Network(
        _vswitches(asker, switches.vswitches if switches else ()),
        _portgroups(asker, groups or ()),
        _vmks(asker, vmks or (), ipv4 or {}, ipv6))), complete


def _gaps(nics: Iterable[host.Nic], switches: esxcli.Switches,
          groups: Iterable[host.PortGroup], vmks: Iterable[host.Vmk],
          ipv4: Iterable[str]) -> Iterator[Tuple[str, List[str]]]:
    """The commands that leave out what others name, and what that is.

    That is an answer without its end, or an interface on a distributed
    switch, so that somebody else looks after this host's network by now.
    """
    names = {one.name for one in groups}
    pieces = {piece.strip() for name in names for piece in name.split(',')}
    interfaces = {vmk.name for vmk in vmks}
    for command, named, known in (
            (_NICS, {uplink for switch in switches.vswitches
                     for uplink in switch.uplinks},
             {nic.name for nic in nics}),
            (_SWITCHES, {group.vswitch for group in groups},
             {switch.name for switch in switches.vswitches}),
            (_GROUPS, {*switches.groups, *(vmk.portgroup for vmk in vmks)},
             names | pieces),
            (_VMKS, set(ipv4), interfaces),
            (_IPV4, interfaces, set(ipv4))):
        if named - known:
            yield command, sorted(named - known)


def _vswitches(asker: _Asker, found: Iterable[host.VSwitch]
               ) -> Tuple[host.VSwitch, ...]:
    return tuple(replace(one, teaming=asker.ask(
        'network vswitch standard policy failover get', esxcli.teaming_of,
        '--vswitch-name', one.name)) for one in found)


def _portgroups(asker: _Asker, found: Iterable[host.PortGroup]
                ) -> Tuple[host.PortGroup, ...]:
    return tuple(replace(one, teaming=asker.ask(
        'network vswitch standard portgroup policy failover get',
        esxcli.teaming_of, '--portgroup-name', one.name)) for one in found)


def _vmks(asker: _Asker, found: Iterable[host.Vmk],
          ipv4: Dict[str, Optional[str]], ipv6: Dict[str, esxcli.IPv6]
          ) -> Tuple[host.Vmk, ...]:
    addresses = asker.ask('network ip interface ipv6 address list',
                          esxcli.addresses_of) or {}
    return tuple(replace(
        one, ipv4=ipv4.get(one.name), ipv6=addresses.get(one.name, ()),
        ipv6_mode=ipv6[one.name].mode if one.name in ipv6 else None,
        management=bool(asker.ask(
            'network ip interface tag get', esxcli.is_management,
            '--interface-name', one.name))) for one in found)


def _routed(asker: _Asker, ipv6: Dict[str, esxcli.IPv6],
            network: host.Network) -> host.Network:
    """The same with routes and name servers."""
    routes: List[host.Route] = []
    for family in (4, 6):
        routes += asker.ask(
            f'network ip route ipv{family} list',
            functools.partial(esxcli.routes_of, family=family)) or ()
    routes += [host.Route(_DEFAULT6, one.gateway, name)
               for name, one in ipv6.items() if one.gateway]
    defaults = {route.network: route for route in reversed(routes)}
    return replace(
        network, default4=defaults.get(_DEFAULT4),
        default6=defaults.get(_DEFAULT6),
        routes=tuple(route for route in routes
                     if route.network not in (_DEFAULT4, _DEFAULT6)),
        dns=asker.ask('network ip dns server list',
                      esxcli.servers_of) or (),
        search=asker.ask('network ip dns search list',
                         esxcli.domains_of) or ())


def _certificate(run: Run, problems: List[model.Problem]) -> Optional[str]:
    """The name that the host's certificate is for."""
    result = run(_CERTIFICATE, TIMEOUT)
    why = _failure(result)
    name = _COMMON_NAME.search(result.output)
    if name and not why:
        return name[1]
    problems.append(model.Problem(
        _WHERE, f'{" ".join(_CERTIFICATE)}: {why or "names no host"}'))
    return None


def _lines(text: Optional[str]) -> Tuple[str, ...]:
    """All of them as they are, for they are going to be written again."""
    text = (text or '').replace('\r\n', '\n')
    if text.endswith('\n'):
        text = text[:-1]
    return tuple(text.split('\n')) if text else ()
