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

"""The words of esxcli: which commands, options and values there are."""

import collections.abc
import json
import re
import typing

from tests import base

Options = dict[str, typing.Any]
"""By long name: True of a flag, a list of texts of what may be repeated,
all others as text."""

GRAMMAR: dict[str, dict] = json.loads(
    (base.FIXTURES / 'esxcli-grammar.json').read_text())
"""By command: since which version, options, and what it prints."""

PROGRAMS = ('esxcli', 'localcli')
FORMATTERS = ('csv', 'json', 'keyvalue', 'xml')

_FORMATTER = '--formatter='
_INTEGER = re.compile(r'0|-?[1-9][0-9]*')


class Refused(Exception):
    """The host does not take it; the message is like one of its own."""


class Call(typing.NamedTuple):
    """An esxcli command taken apart; options by long name."""

    path: str
    options: Options
    formatter: str | None


def check(argv: collections.abc.Sequence[str]) -> Options:
    """The options.

    :param argv: from ``esxcli`` or ``localcli`` on
    :raises Refused: anything but a known command with known long options,
        values apart, each as the command has it
    """
    return parse(argv).options


def parse(argv: collections.abc.Sequence[str]) -> Call:
    """The whole command, see :func:`check`."""
    if not argv or argv[0] not in PROGRAMS:
        raise Refused(f'not esxcli: {argv[:1]}')
    words = list(argv[1:])
    formatter = None
    if words and words[0].startswith(_FORMATTER):
        formatter = words.pop(0).removeprefix(_FORMATTER)
        if formatter not in FORMATTERS:
            raise Refused(f'Invalid formatter {formatter!r}')
    end = next((index for index, word in enumerate(words)
                if word.startswith('-')), len(words))
    path = ' '.join(words[:end])
    if path not in GRAMMAR:
        raise Refused(f'Unknown command or namespace {path}')
    try:
        options = _options(words[end:], GRAMMAR[path]['options'])
    except Refused as refusal:
        raise Refused(f'{refusal}\n\nUsage: esxcli {path} [cmd options]')
    return Call(path, options, formatter)


def since(path: str) -> tuple[int, ...]:
    """The first version with the command."""
    return tuple(map(int, GRAMMAR[path]['since'].split('.')))


def _options(words: list[str], known: list[dict]) -> Options:
    specs = {spec['long']: spec for spec in known}
    found: Options = {}
    rest = iter(words)
    for word in rest:
        if word not in specs:
            raise Refused(f'Invalid option or argument {word!r}')
        spec = specs[word]
        if word in found and not spec.get('multi'):
            raise Refused(f'{word} is given twice')
        if spec['type'] == 'flag':
            found[word] = True
            continue
        value = _value(spec, next(rest, None))
        found[word] = [*found.get(word, ()), value] if spec.get('multi') \
            else value
    for name, spec in specs.items():
        if spec['required'] and name not in found:
            raise Refused(f'Missing required parameter {name}')
        for other in spec.get('excludes', ()):
            if name in found and other in found:
                raise Refused(f'{name} and {other} exclude each other')
    return found


def _value(spec: dict, value: str | None) -> str:
    name, kind = spec['long'], spec['type']
    number = value is not None and _INTEGER.fullmatch(value)
    if value is None or value.startswith('-') and not number:
        raise Refused(f'{name} needs a value')
    if '\0' in value:
        raise Refused(f'{name}: the value has a zero byte')
    if kind == 'integer' and not number:
        raise Refused(f"While processing '{name}'. Argument type mismatch. "
                      f"Expecting integer value. Got '{value}'")
    if kind == 'boolean' and value not in ('true', 'false'):
        raise Refused(f"While processing '{name}'. Argument type mismatch. "
                      f"Expecting boolean value. Got '{value}'")
    if value not in spec.get('values', (value,)):
        raise Refused(f"While processing '{name}'. Got '{value}', not one "
                      f"of {spec['values']}")
    if 'range' in spec:
        low, high = spec['range']
        if not low <= int(value) <= high:
            raise Refused(f"While processing '{name}'. {value} is not from "
                          f'{low} to {high}')
    return value
