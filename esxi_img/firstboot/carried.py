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

"""The user's wishes on their way from the installer to first boot.

Only what first boot needs goes: no password, no private key, no licence and
nothing that has no meaning here, which might be any of these.
"""

import base64
import binascii
import json
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import sshkeys
from . import userdata
from . import wishvalue
from .cloudconfig import Gathered
from .model import Problem

_WHOLE = 'whole'
_WHETHER = 'whether'
_NAMED = 'named'
_PUBLIC = 'public'

_USER = {
    'gecos': _WHOLE,
    'groups': _WHOLE,
    'lock_passwd': _WHOLE,
    'name': _WHOLE,
    'ssh_authorized_keys': _PUBLIC,
    'sudo': _WHOLE}
_KEYS = {
    'bootcmd': _WHOLE,
    'disable_root': _WHOLE,
    'final_message': _WHOLE,
    'fqdn': _WHOLE,
    'hostname': _WHOLE,
    'ntp': {
        'enabled': _WHOLE,
        'pools': _WHOLE,
        'servers': _WHOLE},
    'phone_home': {
        'post': _WHOLE,
        'tries': _WHOLE,
        'url': _WHOLE},
    'power_state': {
        'condition': _WHOLE,
        'delay': _WHOLE,
        'message': _WHOLE,
        'mode': _WHOLE},
    'prefer_fqdn_over_hostname': _WHOLE,
    'preserve_hostname': _WHOLE,
    'runcmd': _WHOLE,
    'ssh_authorized_keys': _PUBLIC,
    'ssh_pwauth': _WHOLE,
    'users': _NAMED,
    'vmware_esxi': {
        'advanced_settings': _WHOLE,
        'datastore': _WHOLE,
        'firewall': _WHOLE,
        'kernel_settings': _WHOLE,
        'maintenance_mode': _WHOLE,
        'script_timeout': _WHOLE,
        'shell': _WHOLE,
        'ssh': _WHOLE,
        'syslog': _WHOLE,
        'vswitch': _WHOLE},
    'write_files': {
        'append': _WHOLE,
        'content': _WHOLE,
        'encoding': _WHOLE,
        'owner': _WHOLE,
        'path': _WHOLE,
        'permissions': _WHOLE,
        'source': _WHETHER}}
"""What goes, and of an object, or of each object in a list, which keys."""


LIMIT = 8 << 20
"""Bytes of the file; a bootbank has room for it."""

# Lone surrogates, which YAML and JSON can spell, must not stop it.
_SURROGATES = 'surrogatepass'


def encode(gathered: Gathered) -> Tuple[bytes, Tuple[Problem, ...]]:
    """What first boot may know, as the file that it reads.

    :return: at most LIMIT bytes, and what they had to leave out
    """
    data = bytearray()
    # Piece by piece, for aliases of YAML make much of little.
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(
            to_json(gathered)):
        data += piece.encode('utf-8', _SURROGATES)
        if len(data) > LIMIT:
            problem = Problem('user_data', (
                f'more than {LIMIT >> 20} MiB as JSON, together with vendor '
                'data: first boot does nothing of it'))
            return encode(Gathered(problems=(problem,)))[0], (problem,)
    return bytes(data), ()


def decode(data: Optional[bytes]) -> Gathered:
    """The same again; of a file that is damaged only that it is."""
    try:
        # jsonfile.py's limits are for what others write.
        return from_json(json.loads((data or b'').decode(
            'utf-8', _SURROGATES)))
    except (ValueError, RecursionError):
        pass
    return Gathered(problems=(Problem(
        'wishes.json', 'is damaged: nothing of user data is done'),))


def to_json(gathered: Gathered) -> Dict[str, Any]:
    """What first boot may know, as a JSON value; opaque all the same."""
    return {
        'user': _kept(gathered.user, _KEYS),
        'vendor': _kept(gathered.vendor, _KEYS),
        'vendor_scripts': [_of_part(one) for one in gathered.vendor_scripts],
        'user_scripts': [_of_part(one) for one in gathered.user_scripts],
        'problems': [[one.where, one.message] for one in gathered.problems]}


def from_json(value: Any) -> Gathered:
    """The same again; what is damaged or missing is left out."""
    if not isinstance(value, dict):
        return Gathered()
    return Gathered(
        user=_object(value.get('user')),
        vendor=_object(value.get('vendor')),
        vendor_scripts=_parts(value.get('vendor_scripts')),
        user_scripts=_parts(value.get('user_scripts')),
        problems=_problems(value.get('problems')))


def _kept(value: Any, keys: Any) -> Any:
    """What may go of a value; None where an object should be and is none."""
    if keys == _WHOLE or value is None:
        return value
    if keys == _WHETHER:
        return True
    if keys == _NAMED:
        return _users(value)
    if keys == _PUBLIC:
        return _public(value)
    if isinstance(value, list):
        return [_kept(one, keys) for one in value]
    if isinstance(value, dict):
        return {key: _kept(one, keys[key]) for key, one in value.items()
                if key in keys}
    return None


def _users(value: Any) -> Any:
    """The value of ``users`` in any of its forms, see wishaccounts.py."""
    if isinstance(value, dict):
        return {name: _user(one) if isinstance(one, dict)
                else wishvalue.truth(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_listed(one) for one in value]
    return value


def _listed(value: Any) -> Any:
    """An item of ``users``: an account, names, or what is neither."""
    if isinstance(value, dict):
        return _user(value)
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return value


def _user(value: Dict[str, Any]) -> Dict[str, Any]:
    named = [(key, key.replace('-', '_').strip()) for key in value]
    return {key: _kept(value[key], _USER[name]) for key, name in named
            if name in _USER}


def _public(value: Any) -> Any:
    """Of SSH keys the public ones, each in its place for the messages."""
    if isinstance(value, list):
        return [_lines(one) for one in value[:wishvalue.ITEMS_MAX]]
    return _lines(value) if isinstance(value, str) else None


def _lines(value: Any) -> str:
    text = wishvalue.Entry({'': value}, '', []).text('') or ''
    kept = '\n'.join(line if sshkeys.lines(line)[0] else ''
                     for line in text.split('\n'))
    # No copy, of which aliases of YAML would make many.
    return text if kept == text else kept.rstrip('\n')


def _of_part(part: userdata.Part) -> Dict[str, str]:
    return {'where': part.where,
            'content': base64.b64encode(part.content).decode('ascii')}


def _object(value: Any) -> Dict[str, Any]:
    return _kept(value, _KEYS) if isinstance(value, dict) else {}


def _parts(value: Any) -> Tuple[userdata.Part, ...]:
    parts: List[userdata.Part] = []
    for one in value if isinstance(value, list) else ():
        where = one.get('where') if isinstance(one, dict) else None
        content = one.get('content') if isinstance(one, dict) else None
        if not isinstance(where, str) or not isinstance(content, str):
            continue
        try:
            script = base64.b64decode(content, validate=True)
        except (ValueError, binascii.Error):
            continue
        parts.append(userdata.Part(userdata.SCRIPT, where, script))
    return tuple(parts)


def _problems(value: Any) -> Tuple[Problem, ...]:
    return tuple(
        Problem(one[0], one[1])
        for one in (value if isinstance(value, list) else ())
        if isinstance(one, list) and len(one) == 2
        and isinstance(one[0], str) and isinstance(one[1], str))
