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

"""Takes shell apart into the commands that stand in it, none of them run.

The grammar is tree-sitter's of bash.  Commands in a substitution, in a loop
or after ``||`` count like all others.
"""

import codecs
import collections.abc
import functools
import re
import typing

import tree_sitter
import tree_sitter_bash

VALUE = '1'
"""In place of what only a run would tell: one word, and a number, too."""

_QUOTED = re.compile(r'\\(\n|.)', re.DOTALL)
_IN_QUOTES = re.compile(r'\\([\n"$`\\])')
_EXPANSIONS = ('arithmetic_expansion', 'command_substitution', 'expansion',
               'process_substitution', 'simple_expansion')


class Unreadable(Exception):
    """This is no shell, or shell that the grammar does not know.

    :param line: in the text, from 0
    """

    def __init__(self, line: int, why: str = 'this is no shell') -> None:
        super().__init__(f'line {line + 1}: {why}')
        self.line = line


class Command(typing.NamedTuple):
    """A command: its line in the text, from 0, and its words."""

    line: int
    words: tuple[str, ...]


def commands(text: str) -> tuple[Command, ...]:
    """All commands, in the order of their first words.

    :raises Unreadable: it cannot be taken apart
    """
    found = []
    for node in _walk(_parser().parse(text.encode()).root_node):
        if node.is_error or node.is_missing:
            raise Unreadable(node.start_point[0])
        if node.type == 'command':
            found.append(Command(node.start_point[0], tuple(
                _value(child) for child in node.children
                if child.type != 'variable_assignment'
                and not child.type.endswith('_redirect'))))
        elif node.type == 'file_redirect' and len(
                [child for child in node.named_children
                 if child.type != 'file_descriptor']) > 1:
            # The grammar takes words behind it for more files.
            raise Unreadable(node.start_point[0],
                             'a redirection stands last in a command')
    return tuple(found)


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(
        tree_sitter_bash.language()))


def _walk(node: tree_sitter.Node) -> collections.abc.Iterator[
        tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _value(node: tree_sitter.Node) -> str:
    """A word as the program gets it."""
    text = node.text.decode()
    if node.type in _EXPANSIONS:
        # Within quotes the blanks before it belong to its node.
        return text[:len(text) - len(text.lstrip())] + VALUE
    if node.type == 'string':
        return _inside(node, _IN_QUOTES)[1:-1]
    if node.type == 'raw_string':
        return text[1:-1]
    if node.type == 'ansi_c_string':
        return codecs.decode(text[2:-1], 'unicode_escape')
    if node.type in ('command_name', 'concatenation'):
        return _inside(node, _QUOTED)
    return _unquoted(text, _QUOTED)


def _unquoted(text: str, backslash: re.Pattern[str]) -> str:
    return backslash.sub(lambda found: found[1].strip('\n'), text)


def _inside(node: tree_sitter.Node, backslash: re.Pattern[str]) -> str:
    """What the parts make, with what the grammar leaves between them."""
    result, end = '', node.start_byte
    for child in node.children:
        between = node.text[end - node.start_byte:
                            child.start_byte - node.start_byte]
        result += _unquoted(between.decode(), backslash)
        result += _unquoted(child.text.decode(), backslash) \
            if child.type == 'string_content' else _value(child)
        end = child.end_byte
    return result
