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

"""Steps for local accounts, and for who may log in by SSH."""

import re
from typing import List
from typing import Optional
from typing import Tuple

from . import commands
from . import host
from . import model
from . import release
from . import sshkeys
from . import steps
from . import syscommands
from . import wish

_KEYS = '/etc/ssh/keys-{}/authorized_keys'
# sshd reads them as the user, and nobody else may write them.
_KEYS_MODE = 0o644
_DESCRIPTION = 'cloud-config user'
_CONFIG_STORE_SINCE = 8
_SSHD_SINCE = 8
_PWAUTH = 'cloud-config:ssh_pwauth'
_DISABLE_ROOT = 'cloud-config:disable_root'
# Of ESXi's two ways to take a password, keyboard-interactive is the usual.
_BY_PASSWORD = ('passwordauthentication', 'kbdinteractiveauthentication')


def accounts(have: host.Host, wishes: wish.Wishes) -> List[steps.Step]:
    """The accounts, each of which stands or falls alone."""
    heir = _heir(wishes) if wishes.disable_root else None
    return [step for account in wishes.accounts
            for step in _account(have, account, account is heir)]


def _heir(wishes: wish.Wishes) -> Optional[wish.Account]:
    """Who can do by SSH what root did, from anywhere.

    What the options of a key forbid, nobody looks at; and ESXi's own store
    has no keys with options.
    """
    return next((one for one in wishes.accounts if one.admin and not all(
        map(sshkeys.options, one.ssh_keys))), None)


def _account(have: host.Host, account: wish.Account, is_heir: bool
             ) -> List[steps.Step]:
    """Without a password that anybody knows, a key is the only way in.

    :param is_heir: root is kept out behind the last of the steps, so none
        of them may fail
    """
    name, why, group = account.name, account.where, _group(account)
    about = syscommands.plain(account.description) or _DESCRIPTION
    # The name alone may be a word of another's description.
    listed = filter(None, re.split(r'[\s,]+', f'{name} {about}'))
    result = [steps.Step(
        group, syscommands.account(name, about), why, steps.STOP,
        probe=steps.Probe(syscommands.account_list(), tuple(listed)),
        group=group, blind=True)]
    if account.ssh_keys:
        content = ''.join(f'{line}\n' for line in account.ssh_keys)
        result.append(steps.Step(
            f'{group}.keys', why=why, on_fail=steps.STOP, group=group,
            blind=True,
            file=steps.File(_KEYS.format(name), content, _KEYS_MODE)))
    if account.admin:
        result.append(steps.Step(
            f'{group}.admin', syscommands.administrator(name), why,
            steps.STOP, group=group, blind=True))
    if not release.before(have.version, _CONFIG_STORE_SINCE):
        result += [
            steps.Step(f'{group}.key.{number}',
                       commands.ssh_key(line, name), why,
                       steps.STOP if is_heir else steps.CONTINUE,
                       group=group, optional=not is_heir, blind=True)
            for number, line in enumerate(account.ssh_keys, 1)
            if not sshkeys.options(line)]
    return result


def _group(account: wish.Account) -> str:
    return f'account.{account.name}'


def sshd(have: host.Host, wishes: wish.Wishes
         ) -> Tuple[List[steps.Step], List[model.Problem]]:
    """Who may log in by SSH, and how.

    Root is kept out only once another administrator can log in: its step
    belongs to the group of that account.
    """
    asked = [path for path, is_asked in (
        (_PWAUTH, wishes.ssh_pwauth is not None),
        (_DISABLE_ROOT, wishes.disable_root)) if is_asked]
    if release.before(have.version, _SSHD_SINCE):
        return [], [model.Problem(
            path, f'needs ESXi {_SSHD_SINCE}, and this is {have.version}')
            for path in asked]
    result = []
    if wishes.ssh_pwauth:
        result.append(_option(_BY_PASSWORD[0], 'yes', _PWAUTH))
    elif wishes.ssh_pwauth is False:
        result += [_option(word, 'no', _PWAUTH) for word in _BY_PASSWORD]
    if not wishes.disable_root:
        return result, []
    heir = _heir(wishes)
    if heir is None:
        return result, [model.Problem(
            _DISABLE_ROOT, 'root can still log in by SSH, as no user with '
            'the administrator role and a key without options could do so '
            'instead')]
    return [*result, _option('permitrootlogin', 'no', _DISABLE_ROOT,
                             _group(heir))], []


def _option(keyword: str, value: str, why: str,
            group: Optional[str] = None) -> steps.Step:
    return steps.Step(
        f'sshd.{keyword}', syscommands.sshd(keyword, value), why,
        group=group, probe=steps.Probe(syscommands.sshd_list(keyword),
                                       (keyword, value)))
