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

"""From a description and the facts to all that follows from them."""

from dataclasses import replace
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import host
from . import installer
from . import metadata
from . import model
from . import outcome
from . import overrides
from . import services
from . import sshkeys
from . import steps
from . import topology
from . import userland
from . import wiring
from . import wish

MOST_PROBLEMS = 1000


def outcome_of(description: model.Model, nics: Tuple[host.Nic, ...],
               installed: Optional[host.Host], settings: model.Settings,
               wishes: wish.Wishes = wish.Wishes(),
               *, root_password: Optional[str] = None,
               leave_network: bool = False) -> outcome.Outcome:
    """What the installer does, and what first boot does after it.

    :param description: its problems are those of the wishes, too
    :param nics: those of the host, in their natural order
    :param installed: the facts; None for a host just installed with the
        lines that this comes to
    :param root_password: where root's came from, of a host that has one
    :param leave_network: the facts do not say enough of it
    """
    identity = _identity(description.identity, wishes)
    settings = _settings(settings, wishes.esxi)
    wanted = topology.wanted(description.network, nics,
                             settings.only_management)
    teamed, odd = overrides.teamed(wanted.network, wishes.esxi.switches)
    wanted = replace(wanted, network=teamed,
                     problems=(*wanted.problems, *odd))
    install = installer.install(wanted, nics, identity.hostname)
    have = installed or installer.installed(install, nics)
    network: List[steps.Step] = []
    others: List[steps.Step] = []
    found: List[model.Problem] = []
    if not leave_network:
        network, found = wiring.network(have.network, wanted.network,
                                        wanted.fallback)
        others = [*services.resolver(have.network, wanted.network,
                                     wanted.fallback),
                  *wiring.routes(have.network, wanted.network)]
    users = userland.steps(have, identity, wishes, wanted.network,
                           settings.ssh)
    done = [*network,
            *services.hostname(have, identity.hostname,
                               *_why(description.identity, wishes)),
            *others,
            *services.keys(have, description.identity.ssh_keys,
                           wishes.ssh_keys),
            *services.services(have, settings, wishes.esxi),
            *users.settings,
            *services.certificate(have, identity.hostname)]
    if users.scripts:
        # They may ask hostd; and what is done so far shall outlive them.
        done += [*services.hostd(done), *services.backup(done, '.scripts'),
                 *users.scripts]
    done += services.backup(done)
    root_password = root_password or _root_password(identity, settings,
                                                    wishes)
    problems = (*_told(description.problems, wishes),
                *_unnamed(description.identity, wishes), *wanted.problems,
                *found, *users.problems,
                *_logins(identity, root_password, settings,
                         wishes.accounts))
    return outcome.Outcome(
        identity, root_password, nics, wanted.network, wanted.fallback,
        installer.lines(install, license_key=wishes.esxi.license is not None),
        steps.Plan((*done, *users.last)),
        _shortened(tuple(dict.fromkeys(problems))))


def _identity(said: model.Identity, wishes: wish.Wishes) -> model.Identity:
    """Who the host is, and who may log in."""
    return replace(
        said, hostname=None if wishes.preserve_hostname
        else _name(said, wishes),
        ssh_keys=sshkeys.unique([*said.ssh_keys, *wishes.ssh_keys]))


def _name(said: model.Identity, wishes: wish.Wishes) -> Optional[str]:
    """That of vendor data, metadata, user data, the last first."""
    return wishes.name.text if wishes.name else said.hostname or (
        wishes.vendor_name.text if wishes.vendor_name else None)


def _unnamed(said: model.Identity, wishes: wish.Wishes
             ) -> Iterator[model.Problem]:
    """A host that was just installed has no name to preserve."""
    name = _name(said, wishes)
    if name and wishes.preserve_hostname:
        yield model.Problem(
            'cloud-config:preserve_hostname', f'the name {ascii(name)} is '
            'not set, and the host has none but that of its installation')


def _why(said: model.Identity, wishes: wish.Wishes) -> Iterator[str]:
    """Where the host name comes from, if not from the metadata."""
    if wishes.name:
        yield wishes.name.where
    elif wishes.vendor_name and not said.hostname:
        yield wishes.vendor_name.where


def _settings(build: model.Settings, wished: wish.Esxi) -> model.Settings:
    said = {'ssh': wished.ssh, 'shell': wished.shell}
    return replace(build, **{
        name: value for name, value in said.items() if value is not None})


def _told(problems: Tuple[model.Problem, ...], wishes: wish.Wishes
          ) -> Iterator[model.Problem]:
    """That metadata lack a name is no problem where another has one."""
    named = wishes.name or wishes.vendor_name or wishes.preserve_hostname
    for one in problems:
        if not (named and one == metadata.NO_NAME):
            yield one


def _shortened(problems: Tuple[model.Problem, ...]
               ) -> Tuple[model.Problem, ...]:
    """Nobody reads more of them, and no console holds them."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    return (*problems[:MOST_PROBLEMS], model.Problem(
        'problems', f'{len(problems) - MOST_PROBLEMS} more are left out'))


def _root_password(identity: model.Identity, settings: model.Settings,
                   wishes: wish.Wishes) -> str:
    if wishes.password:
        return outcome.CLOUD_CONFIG
    if identity.admin_pass:
        return outcome.ADMIN_PASS
    if wishes.vendor_password:
        return outcome.CLOUD_CONFIG
    return outcome.BUILD if settings.root_hash else outcome.NONE


def _logins(identity: model.Identity, root_password: str,
            settings: model.Settings, accounts: Tuple[wish.Account, ...]
            ) -> Iterator[model.Problem]:
    """Who can log in: nobody, or too many."""
    has_key = bool(identity.ssh_keys) or any(
        one.admin and one.ssh_keys for one in accounts)
    if root_password == outcome.NONE and not (has_key and settings.ssh):
        yield model.Problem(
            'meta_data.json', 'nobody could log in: no admin_pass, no hash '
            'in the image, and ' + (
                'SSH is off' if has_key else 'no SSH key'))
    if root_password == outcome.BUILD and settings.ssh:
        yield model.Problem(
            'meta_data.json:admin_pass', 'SSH is on, and the root password '
            'is the hash of the image, the same on every host')
