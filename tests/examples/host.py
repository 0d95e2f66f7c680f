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

"""Judges commands that are to be typed on an ESXi host."""

import collections.abc
import contextlib
import io
import pathlib

from esxi_img.firstboot import __main__ as firstboot
from esxi_img.firstboot import fieldreport
from esxi_img.firstboot import place
from tests.esxi import grammar

PLAIN = ('[', 'cat', 'cd', 'chmod', 'cp', 'cut', 'echo', 'grep', 'head', 'ls',
         'mkdir', 'rm', 'scp', 'secureBoot.py', 'sed', 'sh',
         'sleep', 'sort', 'tail', 'test', 'vi', 'vim-cmd', 'vmkfstools', 'wc')
"""Known to be there; their words are not judged."""
_PYTHON = ('python', 'python3')
_COLLECTORS = tuple(f'{root}/{place.FOLDER}/{place.COLLECTOR}'
                    for root in ('/bootbank', ''))
"""On the host, and in the installer."""


def check(words: collections.abc.Sequence[str]) -> None:
    """One command.

    :raises grammar.Refused: no host has the program, or it would not take
        these words
    """
    program = pathlib.PurePosixPath(words[0]).name
    if program in grammar.PROGRAMS:
        grammar.check([program, *words[1:]])
    elif program in _PYTHON:
        _python(words[1:])
    elif program == 'reboot':
        if words[1:]:
            raise grammar.Refused(f'reboot takes no {words[1]}')
    elif program not in PLAIN:
        raise grammar.Refused(
            f'{words[0]} is no program known on a host: '
            f'use esxcli, {", ".join(_PYTHON)}, reboot or one of '
            f'{", ".join(PLAIN)}')


def _python(words: collections.abc.Sequence[str]) -> None:
    """What is ours, and nothing else."""
    if [*words[:3]] == ['-B', '-m', 'firstboot']:
        parser, rest = firstboot._parser(), words[3:]
    elif words and words[0] in _COLLECTORS:
        parser, rest = fieldreport._parser(), words[1:]
    else:
        raise grammar.Refused('python runs "-B -m firstboot COMMAND" only '
                              '(without -B it would write into /bootbank), '
                              f'or one of {", ".join(_COLLECTORS)}')
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(rest)
    except SystemExit as end:
        if end.code:
            raise grammar.Refused(said.getvalue().splitlines()[-1])
