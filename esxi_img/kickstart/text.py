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

"""A kickstart as lines that remember where they come from.

The form: commands first, then script sections, each from a ``%name`` line
to the next one (ESXi 8.0 upgrade guide, "About Installation Scripts").
Nothing here knows a command; nothing here changes a character.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import re

_LINE = re.compile(r'[^\n]*\n|[^\n]+')
_BLANKS = ' \t\r\n'
# Inside a script only a whole lower-case-looking word in the first column
# can be meant as a section: '%Y-%m-%d' or '%s' in a here-document is not.
_HEAD = re.compile(r'%[A-Za-z]{3,}(?=[ \t\r\n]|$)')
INCLUDE = '%include'


@dataclasses.dataclass(frozen=True)
class Line:
    """One line with its line end, if it has one; ``where`` is FILE:LINE.

    A line may hold a password, so a repr never shows it.
    """

    text: str = dataclasses.field(repr=False)
    where: str


@dataclasses.dataclass(frozen=True)
class Command:
    """The first word of a line and the rest, continued lines joined."""

    name: str = dataclasses.field(repr=False)
    rest: str = dataclasses.field(repr=False)
    where: str


@dataclasses.dataclass(frozen=True)
class Section:
    """A script section: its ``%name`` line and the script."""

    head: Command
    body: tuple[Line, ...]


@dataclasses.dataclass(frozen=True)
class Script:
    """A parsed kickstart.

    :param room: index of the line before which further commands go: behind
        the last command, so that comments stay with their sections
    :param problems: what is wrong with the form, as FILE:LINE: TEXT
    """

    commands: tuple[Command, ...]
    sections: tuple[Section, ...]
    room: int
    problems: tuple[str, ...]


def lines(text: str, name: str) -> tuple[Line, ...]:
    """Cut a text at its line feeds; joined again they give the text."""
    return tuple(Line(match.group(), f'{name}:{number}') for number, match
                 in enumerate(_LINE.finditer(text), start=1))


def parse(script: Sequence[Line]) -> Script:
    """Sort lines into commands and script sections; never raises."""
    first = next((index for index, line in enumerate(script)
                  if _opens(_word(line))), len(script))
    commands, room, problems = _commands(script[:first])
    sections, more = _sections(script[first:])
    return Script(tuple(commands), tuple(sections),
                  room if commands else first, (*problems, *more))


def _word(line: Line) -> str:
    return _split(line.text)[0]


def _split(text: str) -> tuple[str, str]:
    # Only blank and tab part words: a no-break space does not.
    name, *rest = re.split(r'[ \t]+', text.strip(_BLANKS), maxsplit=1)
    return name, rest[0] if rest else ''


def _opens(word: str) -> bool:
    """Whether a word among the commands begins the script sections."""
    return word.startswith('%') and word not in (INCLUDE, '%end')


def _commands(script: Sequence[Line]
              ) -> tuple[list[Command], int, list[str]]:
    commands: list[Command] = []
    problems: list[str] = []
    room = index = 0
    while index < len(script):
        line, text = script[index], script[index].text.strip(_BLANKS)
        index += 1
        if not text or text.startswith('#'):
            continue
        if _word(line) == '%end':
            problems.append(_no_end(line))
            continue
        room = _room(script, index)
        parts = [one.text.rstrip('\r\n') for one in script[index - 1:room]]
        index = room
        problems += [f'{line.where}: {problem}' for problem in _joints(parts)]
        text = ''.join(part.removesuffix('\\') for part in parts)
        commands.append(Command(*_split(text), line.where))
    return commands, room, problems


def _room(script: Sequence[Line], index: int) -> int:
    """The index behind the lines continued from the one before index."""
    while index < len(script) and script[index - 1].text.rstrip(
            '\r\n').endswith('\\'):
        index += 1
    return index


def _joints(parts: Sequence[str]) -> Iterator[str]:
    # Whether the installer puts a blank in the joint is documented nowhere.
    for part, following in zip(parts, parts[1:]):
        if part[-2:-1] not in _BLANKS and following[:1] not in _BLANKS:
            yield 'the line is continued in the middle of a word'
    if parts[-1].endswith('\\'):
        yield 'the continued line has no end'


def _sections(script: Sequence[Line]) -> tuple[list[Section], list[str]]:
    problems = []
    starts = []
    for index, line in enumerate(script):
        match = _HEAD.match(line.text)
        if index and not match:
            continue
        if match and match.group() == '%end':
            problems.append(_no_end(line))
        elif match and match.group() == INCLUDE:
            problems.append(f'{line.where}: {INCLUDE} is a command: it '
                            'belongs above the first script section')
        else:
            if line.text[0] in _BLANKS:
                problems.append(f'{line.where}: a section begins in the '
                                'first column')
            starts.append(index)
    return list(_cut(script, starts)), problems


def _cut(script: Sequence[Line], starts: list[int]) -> Iterator[Section]:
    for start, end in zip(starts, [*starts[1:], len(script)]):
        head = script[start]
        yield Section(Command(*_split(head.text), head.where),
                      tuple(script[start + 1:end]))


def _no_end(line: Line) -> str:
    # No document knows %end; a shell would take it for a command and fail.
    return (f'{line.where}: an ESXi kickstart has no %end, a section ends '
            'where the next begins; delete the line')
