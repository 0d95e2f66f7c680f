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

"""meta_data.json: who the host is, and who may log in.

Nothing in it is required, for each of its writers leaves something out:
Nova (nova/api/metadata/base.py), Ironic, openstacksdk, Metal3, CloudStack.
"""

import re
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from . import hostname
from . import jsonfile
from . import password
from . import sshkeys
from .model import Identity
from .model import Problem
from .model import Secret

FILE = 'meta_data.json'
KEYS_MAX = 1000

# Nova's display name is free text, so it may be no host name at all.
_FREE_TEXT = 'name'
# The second and the third are Metal3's, as is the last.
_HOSTNAMES = ('hostname', 'local-hostname', 'local_hostname', _FREE_TEXT,
              'metal3-name')

NO_NAME = Problem(f'{FILE}:hostname',
                  'no host name is said: ESXi keeps its own')

_EMPTY: Tuple[Any, ...] = (None, '', [], {})
_ID = re.compile('[ -~]{1,255}')
_SIMPLE = re.compile('[A-Za-z0-9_-]{1,64}')


def parse(value: Any) -> Tuple[Identity, Tuple[Problem, ...]]:
    """The identity that a decoded meta_data.json gives.

    :param value: None if the file is missing or broken, of which nothing
        is said here
    """
    if value is None:
        return Identity(), ()
    if not isinstance(value, dict):
        return Identity(), (Problem(
            FILE, f'{jsonfile.kind(value)} where an object should be'),)
    reader = _Reader(value)
    identity = Identity(
        instance_id=reader.instance_id(),
        hostname=reader.hostname(),
        ssh_keys=reader.ssh_keys(),
        admin_pass=reader.admin_pass())
    return identity, tuple(reader.problems)


class _Reader:
    """Reads one document, and remembers what is odd in it."""

    def __init__(self, document: Dict[str, Any]) -> None:
        self._document = document
        self.problems: List[Problem] = []

    def instance_id(self) -> Optional[str]:
        value = self._document.get('uuid')
        text = self._string('uuid', value)
        if text and text.strip() and _ID.fullmatch(text):
            return text
        if text:
            self._odd('uuid', 'not 1 to 255 printable ASCII characters')
        elif value in _EMPTY:
            self._odd('uuid', 'not said: this instance cannot be told from '
                              'the next one')
        return None

    def hostname(self) -> Optional[str]:
        for key in _HOSTNAMES:
            text = self._string(key, self._document.get(key))
            if not text or key == _FREE_TEXT and not hostname.is_valid(text):
                continue
            name, message = hostname.clean(text)
            if message:
                self._odd(key, message)
            if name:
                return name
        self.problems.append(NO_NAME)
        return None

    def ssh_keys(self) -> Tuple[str, ...]:
        found: List[str] = []
        for key in ('public_keys', 'keys'):
            for path, value in _entries(key, self._document.get(key)):
                found.extend(self._lines(path, value))
        keys = sshkeys.unique(found)
        if len(keys) > KEYS_MAX:
            self._odd('public_keys', f'{len(keys)} SSH keys, of which the '
                                     f'first {KEYS_MAX} are taken')
        return keys[:KEYS_MAX]

    def admin_pass(self) -> Optional[Secret]:
        """The user's own, which is in meta, goes before the generated one.

        So it does in cloudbase-init
        (metadata/services/baseopenstackservice.py).
        """
        meta = self._object('meta', self._document.get('meta'))
        for path, value in (
                ('meta.admin_pass', meta.get('admin_pass')),
                ('admin_pass', self._document.get('admin_pass'))):
            text = self._string(path, value)
            if text and self._can_be_set(path, text):
                return Secret(text)
        return None

    def _odd(self, path: str, message: str) -> None:
        self.problems.append(Problem(f'{FILE}:{path}', message))

    def _string(self, path: str, value: Any) -> Optional[str]:
        """The value, if it is a string with something in it."""
        if value in _EMPTY:
            return None
        if not isinstance(value, str):
            self._odd(path, f'{jsonfile.kind(value)} where a string should '
                            'be')
            return None
        return value

    def _object(self, path: str, value: Any) -> Dict[str, Any]:
        """The value, if it is an object; else an empty one."""
        if isinstance(value, dict):
            return value
        if value not in _EMPTY:
            self._odd(path, f'{jsonfile.kind(value)} where an object should '
                            'be')
        return {}

    def _lines(self, path: str, value: Any) -> Tuple[str, ...]:
        """The keys that one entry of public_keys or keys holds."""
        if isinstance(value, dict) and value:
            kind = value.get('type')
            if kind == 'x509':
                return ()
            if kind not in (None, '', 'ssh'):
                self._odd(f'{path}.type', 'neither ssh nor x509: not used')
                return ()
            if 'data' not in value:
                self._odd(path, 'has no data')
                return ()
            path, value = f'{path}.data', value['data']
        text = self._string(path, value)
        keys, messages = sshkeys.lines(text or '')
        for message in messages:
            self._odd(path, message)
        return keys

    def _can_be_set(self, path: str, text: str) -> bool:
        defect = password.defect(text)
        if defect:
            self._odd(path, f'{defect}: not used')
            return False
        for doubt in password.doubts(text):
            self._odd(path, doubt)
        return True


def _entries(path: str, value: Any) -> Iterator[Tuple[str, Any]]:
    """The entries of an object or a list with their paths, else the value."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield path + _step(name), entry
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield f'{path}[{index}]', entry
    else:
        yield path, value


def _step(name: str) -> str:
    """An object's key as a step of a path."""
    return f'.{name}' if _SIMPLE.fullmatch(name) else f'[{ascii(name[:64])}]'
