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

from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import host
from . import installer
from . import model
from . import outcome
from . import services
from . import steps
from . import topology
from . import wiring

MOST_PROBLEMS = 1000


def outcome_of(description: model.Model, nics: Tuple[host.Nic, ...],
               installed: Optional[host.Host], settings: model.Settings,
               *, root_password: Optional[str] = None,
               leave_network: bool = False) -> outcome.Outcome:
    """What the installer does, and what first boot does after it.

    :param nics: those of the host, in their natural order
    :param installed: the facts; None for a host just installed with the
        lines that this comes to
    :param root_password: where root's came from, of a host that has one
    :param leave_network: the facts do not say enough of it
    """
    identity = description.identity
    wanted = topology.wanted(description.network, nics,
                             settings.only_management)
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
    done = [*network,
            *services.hostname(have, identity.hostname),
            *others,
            *services.keys(have, list(identity.ssh_keys)),
            *services.services(have, settings),
            *services.certificate(have, identity.hostname)]
    root_password = root_password or _root_password(identity, settings)
    problems = (*description.problems, *wanted.problems, *found,
                *_logins(identity, root_password, settings))
    return outcome.Outcome(
        identity, root_password, nics, wanted.network, wanted.fallback,
        installer.lines(install),
        steps.Plan((*done, *services.backup(done))),
        _shortened(tuple(dict.fromkeys(problems))))


def _shortened(problems: Tuple[model.Problem, ...]
               ) -> Tuple[model.Problem, ...]:
    """Nobody reads more of them, and no console holds them."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    return (*problems[:MOST_PROBLEMS], model.Problem(
        'problems', f'{len(problems) - MOST_PROBLEMS} more are left out'))


def _root_password(identity: model.Identity,
                   settings: model.Settings) -> str:
    if identity.admin_pass:
        return outcome.ADMIN_PASS
    return outcome.BUILD if settings.root_hash else outcome.NONE


def _logins(identity: model.Identity, root_password: str,
            settings: model.Settings) -> Iterator[model.Problem]:
    """Who can log in: nobody, or too many."""
    keys = bool(identity.ssh_keys) and settings.ssh
    if root_password == outcome.NONE and not keys:
        yield model.Problem(
            'meta_data.json', 'nobody could log in: no admin_pass, no hash '
            'in the image, and ' + (
                'SSH is off' if identity.ssh_keys else 'no SSH key'))
    if root_password == outcome.BUILD and settings.ssh:
        yield model.Problem(
            'meta_data.json:admin_pass', 'SSH is on, and the root password '
            'is the hash of the image, the same on every host')
