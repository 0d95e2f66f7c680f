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

"""Accounts and their SSH keys (cloudinit cc_users_groups and cc_ssh)."""

import re
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Tuple

from . import cloudconfig
from . import sshkeys
from . import wishvalue
from .wish import Account

ACCOUNTS_MAX = 50
KEYS_MAX = 1000
DESCRIPTION_MAX = 128

ROOT = 'root'
# They are there already, and ESXi needs them as they are.
RESERVED = frozenset({'daemon', 'dcui', 'nfsnobody', 'nobody', 'vpxuser'})
# What a group of administrators is called, on Linux and on ESXi.
ADMINS = frozenset({'admin', 'administrators', 'sudo', 'wheel'})

_NAME = re.compile('[a-z_][a-z0-9_-]{0,31}')
_PASSWORDS = ('passwd', 'hashed_passwd', 'plain_text_passwd')
# A rule of sudo that bars no command, without its blanks.
_ALL = re.compile(r'ALL=(\((ALL|root)(:(ALL|root))?\))?([A-Z]+:)*ALL')
_UNFIT = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029]')
_KNOWN = frozenset({
    'name', 'gecos', 'groups', 'lock_passwd', 'ssh_authorized_keys', 'sudo',
    *_PASSWORDS})


def keys(said: wishvalue.Entry) -> Tuple[str, ...]:
    """The lines of ``ssh_authorized_keys`` of a config or of an account."""
    found: List[str] = []
    for at, text in said.texts('ssh_authorized_keys'):
        lines, messages = sshkeys.lines(text)
        found += lines
        for message in messages:
            said.odd(at, message)
    unique = sshkeys.unique(found)
    if len(unique) > KEYS_MAX:
        said.odd('ssh_authorized_keys', f'{len(unique)} SSH keys, of which '
                                        f'the first {KEYS_MAX} are taken')
    return unique[:KEYS_MAX]


def accounts(said: wishvalue.Entry
             ) -> Tuple[Tuple[Account, ...], Tuple[str, ...]]:
    """Whom ``users`` names, and the keys that it has for root."""
    found: List[Account] = []
    of_root: List[str] = []
    for one in _named(said):
        name = one.text('name')
        if name == ROOT:
            of_root += keys(one)
            _note_others(one)
        elif name is None:
            # That it is no string was said.
            continue
        elif name in RESERVED or not _NAME.fullmatch(name):
            one.odd('name', "ESXi's own or no name that it takes: a lower-"
                            'case letter, then up to 31 of a-z, 0-9, _, -')
        elif len(found) == ACCOUNTS_MAX:
            one.odd('name', f'more than {ACCOUNTS_MAX} accounts: left out')
        else:
            found.append(_account(one, name))
    return tuple(found), sshkeys.unique(of_root)


def _named(said: wishvalue.Entry) -> Iterator[wishvalue.Entry]:
    """An entry for each name; what is first said of a name counts.

    The forms are those of cloudinit/distros/ug_util.py: a list, an object
    by names, or names with commas between them.
    """
    merged: Dict[Any, Tuple[str, Dict[str, Any]]] = {}
    for at, value in _each(said):
        value = {key.replace('-', '_').strip(): item
                 for key, item in value.items()}
        name = value.get('name')
        if name is None:
            said.odd(at, 'names nobody: left out')
        if name in (None, 'default'):
            continue
        key = name if isinstance(name, str) else at
        where, before = merged.get(key, (at, {}))
        merged[key] = where, cloudconfig.over(before, value)
    for where, value in merged.values():
        yield wishvalue.Entry(value, said.path(where), said.problems)


def _each(said: wishvalue.Entry) -> Iterator[Tuple[str, Dict[str, Any]]]:
    if isinstance(said.value('users'), dict):
        for number, (name, value) in enumerate(said.value('users').items()):
            if isinstance(value, dict):
                yield f'users[{number}]', {**value, 'name': name}
            elif wishvalue.truth(value):
                yield f'users[{number}]', {'name': name}
        return
    for at, item in said.items('users'):
        if isinstance(item, dict):
            yield at, item
            continue
        names = item if isinstance(item, list) else [item]
        for name in names:
            if not isinstance(name, str):
                said.odd(at, 'neither a name nor an object')
                continue
            for word in name.split(','):
                if word.strip():
                    yield at, {'name': word.strip()}


def _account(said: wishvalue.Entry, name: str) -> Account:
    account = Account(
        name, said.where, _description(said), keys(said), _is_admin(said))
    if account.ssh_keys and not account.admin:
        said.odd('ssh_authorized_keys', 'of use only to administrators, who '
                                        'alone may log in by SSH: say sudo')
    if not account.ssh_keys:
        said.odd('ssh_authorized_keys', 'none, and nobody knows the '
                                        "account's password")
    if wishvalue.truth(said.value('lock_passwd')) is False:
        said.odd('lock_passwd', 'the password is one that nobody knows')
    _note_others(said)
    return account


def _note_others(said: wishvalue.Entry) -> None:
    for key in _PASSWORDS:
        if said.value(key) is not None:
            said.odd(key, 'ESXi sets it by a command line that others can '
                          'read: not used' if said.value('name') != ROOT else
                          "not used: chpasswd says root's")
    said.refuse_others(_KNOWN)


def _description(said: wishvalue.Entry) -> str:
    text = said.text('gecos') or ''
    return _UNFIT.sub(' ', text)[:DESCRIPTION_MAX].strip()


def _is_admin(said: wishvalue.Entry) -> bool:
    rules = said.value('sudo')
    asked = False
    for rule in rules if isinstance(rules, list) else [rules]:
        if rule is None or wishvalue.truth(rule) is False or rule == '':
            continue
        if wishvalue.truth(rule) or isinstance(rule, str) \
                and _ALL.fullmatch(''.join(rule.split())):
            asked = True
        else:
            said.odd('sudo', 'not ALL commands of ALL: ESXi has no such role '
                             'for it, so it makes no administrator')
    return asked or not ADMINS.isdisjoint(
        group.lower() for group in _groups(said))


def _groups(said: wishvalue.Entry) -> List[str]:
    value = said.value('groups')
    words = value.split(',') if isinstance(value, str) else value
    return [one.strip() for one in words if isinstance(one, str)] \
        if isinstance(words, (dict, list)) else []
