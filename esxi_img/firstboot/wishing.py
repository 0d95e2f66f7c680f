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

"""From cloud-configs and scripts to what they wish of the host."""

from typing import List
from typing import Tuple

from . import cloudconfig
from . import esxikeys
from . import sshkeys
from . import wishaccounts
from . import wishend
from . import wishfiles
from . import wishnames
from . import wishntp
from . import wishpassword
from . import wishscripts
from . import wishvalue
from .model import Problem
from .wish import Wishes

KNOWN = frozenset({
    'bootcmd', 'chpasswd', 'disable_root', 'final_message', 'fqdn',
    'hostname', 'ntp', 'password', 'phone_home', 'power_state',
    'prefer_fqdn_over_hostname', 'preserve_hostname', 'runcmd',
    'ssh_authorized_keys', 'ssh_pwauth', 'users', 'write_files',
    esxikeys.KEY})
"""The keys of a cloud-config that mean something here."""

# Of ssh_pwauth: as it is.
_UNCHANGED = 'unchanged'


def wishes(gathered: cloudconfig.Gathered
           ) -> Tuple[Wishes, Tuple[Problem, ...]]:
    """What user data and vendor data wish, and what cannot be had of it.

    The user's keys go before the vendor's.  Name and password are told
    apart, for the metadata stands between the two.

    :return: the problems without those of ``gathered``
    """
    problems: List[Problem] = []
    user = wishvalue.Config(gathered.user, gathered.user, problems)
    vendor = wishvalue.Config(gathered.vendor, {}, problems)
    both = wishvalue.Config(
        cloudconfig.over(gathered.user, gathered.vendor), gathered.user,
        problems)
    prefer_fqdn = both.boolean('prefer_fqdn_over_hostname')
    accounts, keys = wishaccounts.accounts(both)
    name = wishnames.name(user, prefer_fqdn)
    _tell_unknown(user, vendor, problems)
    return Wishes(
        name=name,
        vendor_name=wishnames.name(vendor, prefer_fqdn),
        preserve_hostname=_preserves(user if name else both),
        password=wishpassword.password(user),
        vendor_password=wishpassword.password(vendor),
        ssh_keys=sshkeys.unique((*wishaccounts.keys(both), *keys)),
        ssh_pwauth=None if both.value('ssh_pwauth') == _UNCHANGED
        else both.boolean('ssh_pwauth'),
        disable_root=both.boolean('disable_root') or False,
        accounts=accounts,
        ntp=wishntp.ntp(both),
        files=wishfiles.files(both),
        scripts=(*wishscripts.commands(both, 'bootcmd'),
                 *wishscripts.commands(both, 'runcmd'),
                 *wishscripts.scripts(gathered.vendor_scripts, 'vendor',
                                      problems),
                 *wishscripts.scripts(gathered.user_scripts, 'user',
                                      problems)),
        phone_home=wishend.phone_home(both),
        final_message=wishend.final_message(both),
        power_state=wishend.power_state(both),
        esxi=esxikeys.esxi(both)), tuple(problems)


def _preserves(said: wishvalue.Config) -> bool:
    """Whether the name stays.

    :param said: of the user alone who says a name: no word of the vendor's
        takes that away
    """
    return said.boolean('preserve_hostname') or False


def _tell_unknown(user: wishvalue.Config, vendor: wishvalue.Config,
                  problems: List[Problem]) -> None:
    """Add one problem with all keys that mean nothing here."""
    keys = {*user.others(KNOWN), *vendor.others(KNOWN)}
    if keys:
        problems.append(Problem(
            wishvalue.USER if user.others(KNOWN) else wishvalue.VENDOR,
            f'means nothing on ESXi: {wishvalue.names(keys)}'))
