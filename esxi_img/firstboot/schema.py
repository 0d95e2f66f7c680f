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

"""As much of JSON Schema, draft 2020-12, as the schema of ours uses.

Enough to hold a value against vmware_esxi.schema.json where there is no
package for it.  Of a value no message tells more than its type.
"""

import re
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterator
from typing import List
from typing import Mapping
from typing import Tuple

from . import jsonfile

Path = Tuple[Any, ...]
"""Keys and indexes, from the root."""

Error = Tuple[Path, str]
"""Where it is, and what is wrong."""

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset({
    '$schema', 'default', 'description', 'examples', 'title'})

_KEY = re.compile('[A-Za-z0-9_./-]{1,64}')
_SURROGATE = re.compile('[\ud800-\udfff]')


def errors(value: Any, schema: Schema) -> List[Error]:
    """All that is wrong with a decoded JSON value; [] if nothing is.

    The path of a key that may not be there is its own, that of a missing
    one is the object's.
    """
    return list(_errors(value, schema, ()))


def pruned(value: Any, schema: Schema) -> Tuple[Any, List[Error]]:
    """What is right of a value, and what was wrong with the rest.

    Whatever an error names is left out, and so is what is wrong without it;
    None: nothing is left.
    """
    found: List[Error] = []
    while True:
        more = errors(value, schema)
        if not more:
            return value, found
        found += more
        paths = [path for path, _ in more]
        if () in paths:
            return None, found
        value = _without(value, paths)


def shown(path: Path) -> str:
    """As in ``.firewall.ntpClient`` or ``.syslog[1]``."""
    return ''.join(f'[{step}]' if isinstance(step, int)
                   else f'.{step}' if _KEY.fullmatch(step)
                   else f'[{ascii(step[:40])}]' for step in path)


def _without(value: Any, paths: List[Path]) -> Any:
    """The value but for what the paths, each of a step or more, name."""
    below: Dict[Any, List[Path]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    items = value.items() if isinstance(value, dict) else enumerate(value)
    kept = [(step, _without(item, below[step]) if step in below else item)
            for step, item in items if () not in below.get(step, ())]
    return dict(kept) if isinstance(value, dict) else [
        item for _, item in kept]


def _errors(value: Any, schema: Schema, path: Path) -> Iterator[Error]:
    for keyword, check in _CHECKS.items():
        if keyword in schema:
            message = check(value, schema[keyword])
            if message:
                yield path, message
    if isinstance(value, dict):
        yield from _of_object(value, schema, path)
    elif isinstance(value, list) and 'items' in schema:
        for number, item in enumerate(value):
            yield from _errors(item, schema['items'], (*path, number))


def _of_object(value: Dict[str, Any], schema: Schema, path: Path
               ) -> Iterator[Error]:
    for key, item in value.items():
        fitting = [one for pattern, one
                   in schema.get('patternProperties', {}).items()
                   if _matches(key, pattern)]
        if key in schema.get('properties', {}):
            fitting.append(schema['properties'][key])
        if not fitting and schema.get('additionalProperties') is False:
            yield (*path, key), 'no such key is known'
        for one in fitting:
            yield from _errors(item, one, (*path, key))


def _matches(text: str, pattern: str) -> bool:
    """Search as ECMA-262 does, whose $ lets no line break follow.

    A lone surrogate matches nothing: it has no bytes that a command could
    be given.
    """
    return not _SURROGATE.search(text) and re.search(
        re.sub(r'\$\Z', r'\\Z', pattern), text) is not None


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    'array': lambda value: isinstance(value, list),
    'boolean': lambda value: isinstance(value, bool),
    'integer': lambda value: _is_number(value) and value == value // 1,
    'object': lambda value: isinstance(value, dict),
    'string': lambda value: isinstance(value, str)}
_NAMES = {'array': 'a list', 'boolean': 'a boolean', 'integer': 'an integer',
          'object': 'an object', 'string': 'a string'}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _type(value: Any, wanted: Any) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    if any(_TYPES[name](value) for name in names):
        return ''
    should = ' or '.join(_NAMES[name] for name in names)
    return f'{jsonfile.kind(value)} where {should} should be'


def _enum(value: Any, wanted: List[str]) -> str:
    return '' if value in wanted else f'not one of {", ".join(wanted)}'


def _pattern(value: Any, wanted: str) -> str:
    return '' if not isinstance(value, str) or _matches(value, wanted) \
        else 'not of the form that it should have'


def _max_length(value: Any, wanted: int) -> str:
    return f'longer than {wanted} characters' \
        if isinstance(value, str) and len(value) > wanted else ''


def _minimum(value: Any, wanted: int) -> str:
    return f'less than {wanted}' \
        if _is_number(value) and value < wanted else ''


def _maximum(value: Any, wanted: int) -> str:
    return f'more than {wanted}' \
        if _is_number(value) and value > wanted else ''


def _max_items(value: Any, wanted: int) -> str:
    return f'more than {wanted} items' \
        if isinstance(value, list) and len(value) > wanted else ''


def _max_properties(value: Any, wanted: int) -> str:
    return f'more than {wanted} keys' \
        if isinstance(value, dict) and len(value) > wanted else ''


_CHECKS: Mapping[str, Callable[[Any, Any], str]] = {
    'type': _type, 'enum': _enum, 'pattern': _pattern,
    'maxLength': _max_length, 'minimum': _minimum, 'maximum': _maximum,
    'maxItems': _max_items, 'maxProperties': _max_properties}

KEYWORDS = ANNOTATIONS | frozenset(_CHECKS) | {
    'additionalProperties', 'items', 'patternProperties', 'properties'}
"""All that a schema may use here; enum of strings only, and
additionalProperties false."""
