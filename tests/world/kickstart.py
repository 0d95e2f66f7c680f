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

"""A kickstart as the installer takes it: strictly."""

import collections.abc
import dataclasses
import re
import typing

ACCEPT = ('vmaccepteula', 'accepteula')
INCLUDE = ('%include', 'include')

_SECTION = re.compile(r'%(pre|post|firstboot)(?= |$)')
_OPTIONS = {
    '--interpreter': re.compile('busybox|python'),
    '--timeout': re.compile('[0-9]+'),
    '--ignorefailure': re.compile('true|false')}
_DEPTH = 8


class Failed(Exception):
    """The installation stops, with this on the screen."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A script.

    :param kind: pre, post or firstboot
    """

    kind: str
    options: dict[str, str]
    script: str

    @property
    def interpreter(self) -> str:
        """Its path in the machine."""
        name = self.options.get('--interpreter', 'busybox')
        return '/bin/python' if name == 'python' else '/bin/sh'


class Kickstart(typing.NamedTuple):
    lines: list[str]
    sections: list[Section]


def parse(text: str) -> Kickstart:
    """Commands first, then sections.

    :raises Failed: a section is none
    """
    lines: list[str] = []
    sections: list[Section] = []
    script = lines
    scripts = []
    for number, line in enumerate(text.split('\n'), 1):
        match = _SECTION.match(line)
        if match:
            script = []
            scripts.append((match[1], _options(match[1], line), script))
        elif line.startswith('%') and (
                scripts or line.split()[0] not in INCLUDE):
            raise Failed(f'line {number}: unknown section')
        else:
            script.append(line)
    sections = [Section(kind, options, '\n'.join(script) + '\n')
                for kind, options, script in scripts]
    return Kickstart(lines, sections)


def _options(kind: str, line: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in line.split()[1:]:
        name, _, value = word.partition('=')
        known = kind == 'post' or name == '--interpreter'
        if name not in _OPTIONS or name in options or not known \
                or not _OPTIONS[name].fullmatch(value):
            raise Failed(f'%{kind}: bad option {word}')
        options[name] = value
    return options


def evaluate(lines: collections.abc.Iterable[str],
             read: collections.abc.Callable[[str], str]) -> list[str]:
    """All commands, with what they include in place.

    What tests.esxi.install knows of their words is left to that.

    :param read: gives the text of an include; OSError: there is none
    :raises Failed: something is missing, or there twice
    """
    commands = list(_flat(lines, read, 0))
    names = [command.split()[0] for command in commands]
    for needed in (ACCEPT, ('install',), ('rootpw',)):
        if sum(name in needed for name in names) != 1:
            raise Failed(f'needs exactly one {" or ".join(needed)}')
    if names.count('network') > 1:
        raise Failed('more than one network command')
    return commands


def _flat(lines: collections.abc.Iterable[str],
          read: collections.abc.Callable[[str], str], depth: int
          ) -> collections.abc.Iterator[str]:
    for line in lines:
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        if words[0] not in INCLUDE:
            yield line
            continue
        if len(words) != 2 or depth == _DEPTH:
            raise Failed(f'{line!a}: needs one file')
        try:
            text = read(words[1])
        except (OSError, UnicodeError):
            raise Failed(f'{words[1]} cannot be included') from None
        if '\n%' in f'\n{text}'.replace('\n%include ', '\n'):
            raise Failed(f'{words[1]}: has a section')
        yield from _flat(text.split('\n'), read, depth + 1)


def target(command: str) -> tuple[str | list[str], list[str]]:
    """Where to install: a disk's name or path, or the words of --firstdisk.

    :returns: that, and all other words
    :raises Failed: nobody can tell
    """
    chosen: list[str | list[str]] = []
    flags = []
    for word in command.split()[1:]:
        name, _, value = word.partition('=')
        if name in ('--disk', '--drive'):
            chosen.append(value)
        elif name == '--firstdisk':
            chosen.append((value or 'local,remote,usb').split(','))
        else:
            flags.append(word)
    if len(chosen) != 1:
        raise Failed(f'{command!a}: needs one --disk or --firstdisk')
    return chosen[0], flags
