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

"""Steps for all but the network: names, keys, services, certificates."""

from typing import Iterable
from typing import List
from typing import Optional
from typing import Tuple

from . import commands
from . import host
from . import model
from . import release
from . import sshkeys
from . import steps
from . import wish

KEYS = '/etc/ssh/keys-root/authorized_keys'
_HOSTNAME = 'meta_data.json:hostname'
_KEYS = 'meta_data.json:public_keys'
_USERS_KEYS = 'cloud-config:ssh_authorized_keys'
_USERS_SERVICE = 'cloud-config:vmware_esxi.{}'
_DNS = 'network_data.json:services'
_SEARCH = 'network_data.json:dns_search'
_CONFIG_STORE_SINCE = 8


def hostname(have: host.Host, name: Optional[str], why: str = _HOSTNAME
             ) -> List[steps.Step]:
    """The host name, and the domain if it has one."""
    if name is None or _same(have.hostname, name):
        return []
    return [steps.Step('hostname', commands.hostname(name), why)]


def _same(have: Optional[str], name: str) -> bool:
    """A name without a domain leaves the domain alone."""
    if have is None:
        return False
    if '.' not in name:
        have = have.partition('.')[0]
    return have.lower() == name.lower()


def resolver(have: host.Network, want: host.Network, fallback: bool
             ) -> List[steps.Step]:
    """DNS servers and search domains that are missing.

    What DHCP brings would replace them again; of a fallback that is right.
    """
    result = []
    kept = [vmk.name for vmk in want.vmks if vmk.ipv4 == 'dhcp']
    if not fallback and any(one not in have.dns for one in want.dns):
        result += [
            steps.Step(f'{vmk.name}.ipv4.dns', commands.own_dns(vmk.name),
                       _DNS) for vmk in have.vmks if vmk.ipv4 == 'dhcp'
            and vmk.name in kept]
    result += [steps.Step(f'dns.{one}', commands.dns_server(one), _DNS)
               for one in want.dns if one not in have.dns]
    known = {one.lower() for one in have.search}
    result += [steps.Step(f'search.{one}', commands.dns_search(one), _SEARCH)
               for one in want.search if one.lower() not in known]
    return result


def keys(have: host.Host, described: Iterable[str],
         wished: Iterable[str] = ()) -> List[steps.Step]:
    """Root's SSH keys: in the file, and where ESXi 8 keeps its own.

    It is not settled which of the two outlives a restart of which release,
    so it is both.  The ConfigStore knows nothing of a key's options, so it
    gets no key that has any.

    :param described: keys of the metadata
    :param wished: keys of users
    """
    ours = dict.fromkeys(described, _KEYS)
    why = {line: ours.get(line, _USERS_KEYS)
           for line in sshkeys.unique([*ours, *wished])}
    missing = [line for line in why if line not in have.ssh_keys]
    if not missing:
        return []
    content = ''.join(f'{line}\n' for line in (*have.ssh_keys, *missing))
    whys = dict.fromkeys(why[line] for line in missing)
    result = [steps.Step('ssh.keys', why=', '.join(whys),
                         file=steps.File(KEYS, content))]
    if not release.before(have.version, _CONFIG_STORE_SINCE):
        result += [steps.Step(f'ssh.key.{number}', commands.ssh_key(line),
                              why[line], optional=True)
                   for number, line in enumerate(missing, 1)
                   if not sshkeys.options(line)]
    return result


def services(have: host.Host, settings: model.Settings,
             wished: wish.Esxi = wish.Esxi()) -> List[steps.Step]:
    """SSH and the shell.

    A build that has one of them off leaves it alone, for the kickstart may
    have turned it on; a user who says so has it turned off.

    :param settings: what the build says, but for what users say
    :param wished: what users say
    """
    result = []
    for wanted, said, is_on, name, service in (
            (settings.ssh, wished.ssh, have.ssh, 'ssh', 'ssh'),
            (settings.shell, wished.shell, have.shell, 'shell',
             'esx_shell')):
        why = f'the image was built with {name} on' if said is None \
            else _USERS_SERVICE.format(name)
        verbs: Tuple[str, ...] = ()
        if wanted and not is_on:
            verbs = 'enable', 'start'
        elif said is False and is_on is not False:
            verbs = 'disable', 'stop'
        result += [
            steps.Step(f'{name}.{verb}',
                       commands.hostsvc(f'{verb}_{service}'), why,
                       # What does not run cannot be stopped.
                       optional=verb == 'stop', blind=is_on is None)
            for verb in verbs]
    if (settings.ssh or settings.shell) and have.shell_warning is not False:
        result.append(steps.Step(
            'shell.warning',
            commands.advanced('/UserVars/SuppressShellWarning', 1),
            'SSH or the shell is on as wished',
            blind=have.shell_warning is None))
    return result


def certificate(have: host.Host, name: Optional[str]) -> List[steps.Step]:
    """A certificate for the host's name; the installer's is for localhost.

    hostd and vpxa read theirs when they start.
    """
    if name is None or _same(have.certificate, name):
        return []
    why = 'the certificate names the host'
    blind = have.certificate is None
    return [
        steps.Step('certificate', ('generate-certificates',), why,
                   steps.STOP, group='certificate', blind=blind),
        steps.Step('certificate.hostd', commands.restart('hostd'), why,
                   steps.STOP, group='certificate', blind=blind),
        steps.Step('certificate.vpxa', commands.restart('vpxa'), why,
                   group='certificate', optional=True, blind=blind)]


def hostd(done: List[steps.Step]) -> List[steps.Step]:
    """Wait for hostd, if a step restarts it."""
    return [steps.Step('certificate.wait', commands.hostsvc('runtimeinfo'),
                       'hostd was restarted', retries=5)
            for step in done if step.name == 'certificate.hostd']


def backup(done: List[steps.Step], suffix: str = '') -> List[steps.Step]:
    """Keep what was changed: ESXi itself saves once an hour."""
    return [steps.Step(f'backup{suffix}', ('auto-backup.sh',),
                       'a reset would lose the changes')] if done else []
