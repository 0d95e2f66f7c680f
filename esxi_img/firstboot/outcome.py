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

"""All that thinking comes to, as one value."""

from dataclasses import dataclass
from typing import Tuple

from . import host
from . import model
from . import steps

ADMIN_PASS = 'admin_pass'
BUILD = 'build'
CLOUD_CONFIG = 'cloud-config'
NONE = 'none'


@dataclass(frozen=True)
class Outcome:
    """What a host will become, and how.

    :param root_password: where root's comes from: ADMIN_PASS,
        CLOUD_CONFIG, BUILD or NONE, which is a random one that nobody knows
    :param nics: those that the plan was made for
    :param network: what the host's network should be
    :param fallback: the description cannot be met, or there is none:
        management is DHCP on the first NIC with link
    :param kickstart: the lines that the installer includes, without rootpw
    :param plan: what first boot does
    :param problems: without duplicates
    """

    identity: model.Identity
    root_password: str
    nics: Tuple[host.Nic, ...]
    network: host.Network
    fallback: bool
    kickstart: Tuple[str, ...]
    plan: steps.Plan
    problems: Tuple[model.Problem, ...]
