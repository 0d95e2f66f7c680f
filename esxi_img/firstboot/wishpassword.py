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

"""Root's password, as cloud-config words it (cloudinit cc_set_passwords)."""

import re
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import password as rules
from . import shacrypt
from . import wishvalue
from .model import Secret
from .wish import Password

ROOT = 'root'

# What cloud-init takes for a hash; it takes it for a hash of crypt(3).
_HASH = re.compile(r'\$(1|2a|2y|5|6)(\$.+){2}')
# SHA-512 crypt: 512 bits in 86 characters, so the last one holds two bits.
# That ESXi's rootpw takes MD5 or SHA-256 as well, nobody vouches for.  With
# more rounds, of which crypt(3) knows a hundred times as many, a login takes
# too long for anybody to get in.
_SHA512 = re.compile(
    r'\$6\$(rounds=[1-9][0-9]{3,6}\$)?[./0-9A-Za-z]{1,16}'
    r'\$[./0-9A-Za-z]{85}[./01]')
_RANDOM = ('R', 'RANDOM')

_TEXT, _CRYPT = 'text', 'hash'
_KNOWN = frozenset({'expire', 'list', 'users'})
_USER = frozenset({'name', 'password', 'type'})

# Its path below the entry, what is said, and _TEXT or _CRYPT.
_Said = Tuple[str, str, str]


def password(said: wishvalue.Entry) -> Optional[Password]:
    """Root's password, by one of user data and vendor data.

    Of several the last one counts, and chpasswd.users before chpasswd.list.
    ``password`` is nobody's where chpasswd names anybody.
    """
    listed = said.entry('chpasswd')
    found: List[Password] = []
    if listed:
        listed.refuse_others(_KNOWN)
        if listed.boolean('expire'):
            listed.odd('expire', "ESXi lets no local account's password "
                                 'expire at once')
        users = listed.value('users')
        lines = listed.value('list')
        for source in (_of_list(listed), _of_users(listed)):
            found += [one for where, text, kind in source
                      for one in _usable(listed, where, text, kind)]
        if users or lines:
            if said.value('password') is not None:
                said.odd('password', 'chpasswd says whose passwords are set: '
                                     'not used')
            return found[-1] if found else None
    text = said.text('password')
    if text:
        found += _usable(said, 'password', text, _kind(text))
    return found[-1] if found else None


def _of_list(said: wishvalue.Entry) -> Iterator[_Said]:
    """From NAME:PASSWORD in lines or in a list."""
    others = False
    for at, text in said.texts('list'):
        for line in text.splitlines() if at == 'list' else [text]:
            user, colon, secret = line.partition(':')
            if not colon and line.strip():
                said.odd(at, 'not of the form NAME:PASSWORD')
            elif colon and user.strip() == ROOT:
                yield at, secret, _kind(secret)
            others |= bool(colon) and user.strip() != ROOT
    if others:
        said.odd('list', "other accounts' passwords: ESXi sets them by a "
                         'command line that others can read')


def _of_users(said: wishvalue.Entry) -> Iterator[_Said]:
    """From objects with a name, a password and a type."""
    for one in said.entries('users'):
        at = one.where[len(said.where) + 1:]
        one.refuse_others(_USER)
        user = one.text('name')
        if user is None:
            said.odd(at, 'names nobody')
        elif user != ROOT:
            said.odd(at, "another account's password: ESXi sets it by a "
                         'command line that others can read')
        elif one.value('type') == _RANDOM[1]:
            yield at, _RANDOM[1], _TEXT
        elif one.value('type') not in (None, _TEXT, _CRYPT):
            one.odd('type', 'neither hash nor text: not used')
        else:
            secret = one.text('password')
            if secret:
                yield f'{at}.password', secret, one.value('type') or _CRYPT
            else:
                said.odd(at, 'says no password')


def _kind(text: str) -> str:
    return _CRYPT if _HASH.match(text) and ':' not in text else _TEXT


def _usable(said: wishvalue.Entry, key: str, text: str, kind: str
            ) -> Iterator[Password]:
    """The password, unless nobody could log in by it."""
    where = said.path(key)
    if kind == _CRYPT:
        if _SHA512.fullmatch(text):
            yield Password(where, crypt=Secret(text))
        elif _HASH.match(text):
            said.odd(key, 'no hash that ESXi is known to take, which is '
                          'SHA-512 crypt ($6$) of at most 9999999 rounds: '
                          'not used')
        else:
            said.odd(key, 'no hash; a password in clear has the type text: '
                          'not used')
    elif text in _RANDOM:
        said.odd(key, 'a random password, which nobody would learn: not '
                      'used')
    elif not text.strip():
        said.odd(key, 'an empty password: not used')
    elif _can_be_hashed(said, key, text):
        yield Password(where, text=Secret(text))


def _can_be_hashed(said: wishvalue.Entry, key: str, text: str) -> bool:
    defect = rules.defect(text)
    if not defect and len(text.encode()) > shacrypt.PASSWORD_MAX:
        defect = f'is longer than {shacrypt.PASSWORD_MAX} bytes'
    if defect:
        said.odd(key, f'{defect}: not used')
        return False
    for doubt in rules.doubts(text):
        said.odd(key, doubt)
    return True
