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

"""What the user wishes to run (cloudinit cc_bootcmd, cc_runcmd and
cc_scripts_user)."""

import re
from typing import Any
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import wishvalue
from .model import Problem
from .userdata import Part
from .wish import Script

SHELL = 'sh'
PYTHON = 'python'
LINE_MAX = 256
"""Bytes of a script's first line: the kernel of Linux reads no more."""

# Seen at work on ESXi, by these names (3.5 to 3.11 each call it python).
_THERE = frozenset({'awk', 'sed', SHELL})
_PYTHON = re.compile(r'python3?(\.[0-9]+)?')
# A dash would make an option of it.
_PROGRAM = re.compile('[A-Za-z0-9_./+][A-Za-z0-9_./+-]*')
_ARGUMENT = re.compile('[!-~]+([ \t]+[!-~]+)*')


def commands(said: wishvalue.Entry, key: str) -> Tuple[Script, ...]:
    """The script that ``bootcmd`` or ``runcmd`` makes.

    A string is a line for the shell, a list is one command's words.  As in
    cloud-init nothing runs where one item is neither: a command may need
    what the one before it does.
    """
    value = said.value(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        said.odd(key, 'no list: nothing is run')
        return ()
    lines = [_line(item) for item in value if item is not None]
    if None in lines:
        said.odd(key, 'not every item is a string, or a list of words: '
                      'nothing is run')
        return ()
    if not lines:
        return ()
    if key == 'bootcmd':
        said.odd(key, 'runs once, and not before there is a network')
    return (Script(key, said.path(key), (SHELL,),
                   '\n'.join(['#!/bin/sh', *map(str, lines), ''])),)


def _line(item: Any) -> Optional[str]:
    if isinstance(item, str):
        return item if _is_encodable(item) else None
    if not isinstance(item, list):
        return None
    words = [_word(one) for one in item]
    return None if None in words else ' '.join(map(str, words))


def _word(value: Any) -> Optional[str]:
    """The word in quotes; numbers and booleans are words as in Python."""
    if not wishvalue.is_integer(value) \
            and not isinstance(value, (bool, float, str)):
        return None
    text = str(value)
    if not _is_encodable(text):
        return None
    return "'" + text.replace("'", "'\\''") + "'"


def _is_encodable(text: str) -> bool:
    """Bytes can be made of it, and no NUL, at which sh would stop."""
    try:
        text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return False
    return '\0' not in text


def scripts(parts: Sequence[Part], owner: str, problems: List[Problem]
            ) -> Iterator[Script]:
    """The scripts of one of vendor data and user data, in order.

    :param owner: starts their names
    :param problems: takes what is wrong
    """
    for number, part in enumerate(parts, 1):
        interpreter, message = _interpreter(part.content)
        if message:
            problems.append(Problem(part.where, message))
        if interpreter:
            yield Script(f'{owner}-{number}', part.where, interpreter,
                         part.content.decode('utf-8', 'surrogateescape'))


def _interpreter(content: bytes) -> Tuple[Tuple[str, ...], str]:
    """The words to run a script by, and what to tell about it.

    As the kernel does it: the program, and the rest of the line as one
    argument.  ESXi 8 runs no file that is not of a package, so that the
    program has to be called by its name.
    """
    line = content.partition(b'\n')[0]
    text = line[2:].decode('ascii', 'replace').strip(' \t')
    program, _, rest = text.replace('\t', ' ').partition(' ')
    rest = rest.strip()
    if program.endswith('/env'):
        words = rest.split()
        words = words[1:] if words[:1] == ['-S'] else words
        program, rest = (words or [''])[0], ' '.join(words[1:])
    if not content.startswith(b'#!') or len(line) > LINE_MAX \
            or not _PROGRAM.fullmatch(program) \
            or rest and not _ARGUMENT.fullmatch(rest):
        return (), 'its first line names no program to run it by: left out'
    known = _known(program)
    return (known or program, *([rest] if rest else [])), '' if known else (
        'ESXi has no program of that name of its own: sh and python it has')


def _known(program: str) -> Optional[str]:
    """The name that ESXi has it by, wherever Linux has it."""
    folder, _, name = program.rpartition('/')
    if folder not in ('', '/bin', '/usr/bin', '/usr/local/bin'):
        return None
    if _PYTHON.fullmatch(name):
        return PYTHON
    return name if name in _THERE else None
