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

"""``.. command-options:: COMMAND`` lists what a command takes.

From the parser that the command uses: a page cannot miss an option.
"""

import argparse
import typing

from docutils import nodes
from docutils import statemachine
from sphinx import application
from sphinx.util import docutils

from esxi_img.cmd import parsers
from esxi_img.conf import opts

IN_FILES = frozenset(opt.dest for opt in opts.FILE_OPTS)


def lines(command: str) -> list[str]:
    """All arguments and options of a command, as rst."""
    actions = parsers.by_command()[command]._actions
    positive = [action for action in actions
                if not _is_inverse(action, actions)]
    found = [f'.. program:: {command}', '']
    for action in sorted(positive, key=lambda one: bool(one.option_strings)):
        found += [f'.. option:: {_signature(action, actions)}', '',
                  '   ' + _help(action), '']
    return found


def _is_inverse(action: argparse.Action,
                actions: list[argparse.Action]) -> bool:
    """Is it the --no- of another one?"""
    return (isinstance(action, argparse._StoreFalseAction) and
            any(other.dest == action.dest and other is not action
                for other in actions))


def _signature(action: argparse.Action,
               actions: list[argparse.Action]) -> str:
    if not action.option_strings:
        return str(action.metavar)
    value = ''
    if action.nargs != 0:
        value = ' ' + ('|'.join(map(str, action.choices or ())) or str(
            action.metavar or action.dest.upper()))
    words = [f'{word}{value}' for word in sorted(
        action.option_strings, key=len)]
    # Of what a file may have set, its inverse is worth knowing.
    words += [word for other in actions if _is_inverse(other, actions)
              and other.dest == action.dest and action.dest in IN_FILES
              for word in other.option_strings]
    return ', '.join(words)


def _help(action: argparse.Action) -> str:
    text = ' '.join(str(action.help or 'the file to write').split())
    # The signature has them.
    text = text.partition(' Allowed values: ')[0]
    return text.replace('%(default)s', str(action.default)).replace(
        '*', r'\*').replace('%%', '%')


class CommandOptions(docutils.SphinxDirective):
    """The directive; its one argument is the command."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        # The parser can change without the page.
        self.env.note_reread()
        text = lines(self.arguments[0])
        node = nodes.container()
        self.state.nested_parse(statemachine.StringList(
            text, source=self.arguments[0]), 0, node)
        return node.children


def setup(app: application.Sphinx) -> dict[str, typing.Any]:
    """Tell Sphinx of the directive."""
    app.add_directive('command-options', CommandOptions)
    return {'parallel_read_safe': True}
