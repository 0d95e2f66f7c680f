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

"""All that users wish of a host but the network, in order."""

from dataclasses import dataclass
from typing import Tuple

from . import accounts
from . import daemons
from . import host
from . import model
from . import payload
from . import steps as steps_module
from . import tuning
from . import wish


@dataclass(frozen=True)
class Userland:
    """Steps in three parts, so that the host's state is saved between them.

    None of them stops one of another part, or is stopped by one.

    :param settings: to go behind the network and the services, and where
        hostd answers: not right behind the certificate, for which it
        restarts
    :param scripts: the users' own, for which all is ready
    :param last: once everything else is done, and saved
    """

    settings: Tuple[steps_module.Step, ...] = ()
    scripts: Tuple[steps_module.Step, ...] = ()
    last: Tuple[steps_module.Step, ...] = ()
    problems: Tuple[model.Problem, ...] = ()


def steps(have: host.Host, identity: model.Identity, wishes: wish.Wishes,
          network: host.Network, ssh: bool) -> Userland:
    """The steps for all wishes.

    A datastore has its label before a file is written to it.  What may shut
    somebody out comes late: rulesets, then SSH, for which the accounts have
    to be there.  Maintenance mode waits for the scripts, as one of them may
    start a virtual machine, and the call home tells of all but the end.

    :param identity: with the name that the host is going to have
    :param network: as it should be
    :param ssh: SSH should be on
    """
    ntp, ntp_problems = daemons.ntp(have, wishes)
    datastore, datastore_problems = tuning.datastore(wishes)
    advanced, advanced_problems = tuning.advanced(wishes)
    kernel, kernel_problems = tuning.kernel(wishes)
    switches, switch_problems = tuning.switches(wishes, network)
    firewall, firewall_problems = tuning.firewall(
        wishes, (*have.network.vmks, *network.vmks), ssh)
    sshd, sshd_problems = accounts.sshd(have, wishes)
    report, report_problems = payload.report(
        wishes, identity.hostname or have.hostname, identity.instance_id)
    return Userland(
        (*datastore, *accounts.accounts(have, wishes), *ntp,
         *daemons.syslog(wishes), *advanced, *kernel,
         *payload.files(wishes), *switches, *firewall, *sshd),
        tuple(payload.scripts(wishes)),
        (*tuning.maintenance(wishes), *payload.final_message(wishes),
         *report, *payload.power(wishes)),
        (*datastore_problems, *ntp_problems, *advanced_problems,
         *kernel_problems, *switch_problems, *firewall_problems,
         *sshd_problems, *report_problems))
