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

"""What user_data and vendor_data say together."""

from dataclasses import dataclass
from dataclasses import field
import re
from typing import Any
from typing import Dict
from typing import List
from typing import Mapping
from typing import Tuple

from . import configtext
from . import jsonfile
from . import userdata
from .model import Problem
from .userdata import Part

USER = 'user_data'
VENDOR = 'vendor_data.json'
VENDOR2 = 'vendor_data2.json'

# What cloud-init reads in vendor data; all else there is somebody else's.
_OURS = 'cloud-init'
_MERGES = ('merge_how', 'merge_type')
_TRUE = ('true', '1', 'on', 'yes')
_SIMPLE = re.compile('[A-Za-z0-9_-]{1,40}')

_Source = Tuple[Dict[str, Any], Tuple[Part, ...], List[Problem]]


@dataclass(frozen=True)
class Gathered:
    """All cloud-configs of a config drive merged, and its scripts.

    :param user: what user_data says, by top-level key; JSON values only
    :param vendor: what vendor_data2.json and vendor_data.json say
    :param user_scripts: in the order in which they stand there
    :param problems: in the order of the files, vendor data first
    """

    user: Dict[str, Any] = field(default_factory=dict, repr=False)
    vendor: Dict[str, Any] = field(default_factory=dict, repr=False)
    vendor_scripts: Tuple[Part, ...] = ()
    user_scripts: Tuple[Part, ...] = ()
    problems: Tuple[Problem, ...] = ()


def gather(files: Mapping[str, bytes]) -> Gathered:
    """What the files of a drive say, by the name of each.

    vendor_data2.json goes before vendor_data.json, as in cloud-init
    (cloudinit/helpers.py), and user data can refuse either with
    ``vendor_data: {enabled: false}`` or ``vendor_data2:`` (stages.py).
    """
    user, user_scripts, problems = _source([(USER, files.get(USER, b''))])
    first, odd = _vendor(files, VENDOR)
    second, odd2 = _vendor(files, VENDOR2)
    # Nova says in the second file all of the first once more.
    second = [piece for piece in second
              if piece[1] not in {data for _, data in first}]
    if _is_refused(user, 'vendor_data', problems):
        first = []
    if _is_refused(user, 'vendor_data2', problems):
        second = []
    config, scripts, odd3 = _source(first)
    config2, scripts2, odd4 = _source(second)
    return Gathered(user, over(config2, config), scripts + scripts2,
                    user_scripts, (*odd, *odd2, *odd3, *odd4, *problems))


def over(first: Dict[str, Any], second: Dict[str, Any]) -> Dict[str, Any]:
    """Both merged: the first wins, but for objects in it, key by key.

    As cloud-init's mergemanydict (util.py) but where the second has an
    object for a list or a string of the first: there it takes the second.
    """
    merged = dict(first)
    for key, value in second.items():
        if key not in merged:
            merged[key] = value
        elif isinstance(merged[key], dict) and isinstance(value, dict):
            merged[key] = over(merged[key], value)
    return merged


def _source(pieces: List[Tuple[str, bytes]]) -> _Source:
    """The configuration and the scripts of one file.

    A later part replaces a top-level key of an earlier one
    (cloudinit/handlers/cloud_config.py).
    """
    parts, problems = userdata.several(pieces)
    config: Dict[str, Any] = {}
    for part in parts:
        if part.kind == userdata.CONFIG:
            value, odd = _config(part)
            config.update(value)
            problems.extend(odd)
    return config, tuple(part for part in parts
                         if part.kind == userdata.SCRIPT), problems


def _config(part: Part) -> Tuple[Dict[str, Any], List[Problem]]:
    value, problems = configtext.decode(part.content, part.where)
    if value is None:
        return {}, problems
    if not isinstance(value, dict):
        return {}, [Problem(part.where, f'{jsonfile.kind(value)} where an '
                                        'object should be')]
    for key in _MERGES:
        if key in value:
            del value[key]
            problems.append(Problem(part.where, (
                f'{key} is not supported: a later part replaces the keys of '
                'an earlier one')))
    return value, problems


def _is_refused(user: Dict[str, Any], key: str,
                problems: List[Problem]) -> bool:
    """Whether user data wants nothing of some vendor data; drops the key."""
    if key not in user:
        return False
    value = user.pop(key)
    if not isinstance(value, dict):
        problems.append(Problem(f'{USER}:{key}', (
            f'{jsonfile.kind(value)} where an object should be: refused')))
        return True
    if set(value) - {'enabled'}:
        problems.append(Problem(f'{USER}:{key}', (
            'nothing but enabled is supported')))
    return str(value.get('enabled', True)).strip().lower() not in _TRUE


def _vendor(files: Mapping[str, bytes], name: str
            ) -> Tuple[List[Tuple[str, bytes]], List[Problem]]:
    """What there is for cloud-init in a file, which may be anything.

    cloud-init takes a string, a list or what stands in _OURS
    (cloudinit/sources/__init__.py); under the name of a service, where Nova
    puts what the service says, we look, too.  The last goes before all.
    """
    data = files.get(name, b'')
    if not data.strip():
        return [], []
    value, odd = jsonfile.decode(data, name)
    problems = list(odd)
    found: List[Tuple[str, bytes]] = []
    if isinstance(value, dict):
        if name == VENDOR2:
            for key, inner in value.items():
                if key != _OURS and isinstance(inner, dict):
                    _collect(f'{name}:{_shown(key)}.{_OURS}',
                             inner.get(_OURS), found, problems)
        _collect(f'{name}:{_OURS}', value.get(_OURS), found, problems)
    elif isinstance(value, (str, list)):
        _collect(name, value, found, problems)
    return found, problems


def _collect(where: str, value: Any, found: List[Tuple[str, bytes]],
             problems: List[Problem]) -> None:
    if isinstance(value, list):
        for index, one in enumerate(value):
            path = f'{where}[{index}]' if ':' in where else (
                f'{where}:[{index}]')
            if isinstance(one, str):
                found.append((path, one.encode('utf-8', 'replace')))
    elif isinstance(value, str):
        found.append((where, value.encode('utf-8', 'replace')))
    elif value:
        problems.append(Problem(where, f'{jsonfile.kind(value)} where a '
                                       'string or a list should be'))


def _shown(key: str) -> str:
    return key if _SIMPLE.fullmatch(key) else ascii(key[:40])
