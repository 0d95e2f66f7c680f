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

"""The pages of the documentation, their shell examples and their marks.

docutils reads the pages, so that a block is what it is to Sphinx; roles and
directives that are none of docutils' are let pass.
"""

import collections.abc
import functools
import pathlib
import re
import shlex
import typing

from docutils import core
from docutils import nodes
from docutils.parsers import rst
from docutils.parsers.rst import directives
from docutils.parsers.rst.languages import en
from docutils.parsers.rst import roles

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ('README.rst', 'CONTRIBUTING.rst', 'docs/source/**/*.rst',
         'docs/source/**/*.inc', 'elements/**/README.rst')
INCLUDED = tuple(ROOT / folder for folder in (
    'docs/source/user/example', 'docs/source/contributor/example', 'tests'))
"""Folders of files that pages show; other tests read and run them."""

SHELL = ('shell', 'bash', 'sh', 'console', 'none')
PYTHON = 'python'
"""Needs no mark, but can be run."""
OTHER = ('diff', 'ini', 'jinja', 'json', 'python', 'rst', 'text', 'yaml')
HOWS = ('run', 'parse', 'host')
NAMES = ('ca.pem', 'checkout', 'dist/', 'drive.iso', 'esxi.iso', 'ks.cfg',
         'nics.json', 'root')
"""What a mark may ask for."""

_MARK = re.compile(r'example\b:?(.*)', re.DOTALL)
_PROMPT = re.compile(r'(?m)^\s*\$ ')
_ANGLES = re.compile(r'<[A-Za-z](?:[\w -]*\w)?>')
_ROLE = re.compile(r':([a-z][\w.+:-]*):`')
_DIRECTIVE = re.compile(r'\.\. ([a-z][\w.+:-]*)::')


class Example(typing.NamedTuple):
    """A shell example with its mark; the line is that of its first one."""

    page: str
    line: int
    how: str
    names: tuple[str, ...]
    text: str

    @property
    def where(self) -> str:
        return self.where_of(0)

    def where_of(self, line: int) -> str:
        """Where one of its lines stands, the first being 0."""
        return f'{self.page}:{self.line + line}'


class Page(typing.NamedTuple):
    """What a page has, and what is wrong with it, one line each."""

    name: str
    examples: tuple[Example, ...]
    faults: tuple[str, ...]


class _Block(nodes.literal_block):
    """A block with a language."""


class _Included(nodes.Element):
    """A file that a page shows."""


class _Code(rst.Directive):
    optional_arguments = 1
    has_content = True
    # Those of docutils and of Sphinx.
    option_spec = dict.fromkeys(
        ('caption', 'class', 'dedent', 'emphasize-lines', 'force',
         'lineno-start', 'linenos', 'name', 'number-lines'),
        directives.unchanged)

    def run(self) -> list[nodes.Node]:
        block = _Block('', '\n'.join(self.content),
                       language=''.join(self.arguments),
                       first=self.content_offset + 1)
        block.line = self.lineno
        return [block]


class _File(rst.Directive):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        included = _Included('', file=self.arguments[0], by=self.name)
        included.line = self.lineno
        return [included]


class _Unknown(rst.Directive):
    """Whatever stands in it is read as it would be outside of it."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        inner = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inner)
        return [inner]


class _Anything(dict):
    """Options of a directive that nobody here knows."""

    def __getitem__(self, name: str) -> collections.abc.Callable:
        return directives.unchanged


_Unknown.option_spec = _File.option_spec = _Anything(
    name=directives.unchanged)


def paths(root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """All pages."""
    return sorted({path for pattern in PAGES for path in root.glob(pattern)})


@functools.cache
def all_pages() -> tuple[Page, ...]:
    """All pages of the checkout, read."""
    return tuple(read(str(path.relative_to(ROOT)), path.read_text())
                 for path in paths())


def examples(*hows: str) -> list[Example]:
    """Those of all pages with such a mark."""
    return [one for page in all_pages() for one in page.examples
            if one.how in hows]


def read(name: str, text: str) -> Page:
    """A page.

    :param name: its path in the checkout
    """
    found, faults = [], []
    last = 0
    for node in _tree(text).findall():
        if isinstance(node, _Block):
            last = node['first'] + node.astext().count('\n')
        elif _mark(node) is not None:
            node.line = _line(text, node, last)
        fault = _fault(name, node)
        if fault:
            line = node.line or node.get('line', last)
            faults.append(f'{name}:{line}: {fault}')
        elif _is_example(node) and not _fault_of_mark(_before(node)):
            found.append(_example(name, node))
    return Page(name, tuple(found), tuple(faults))


def _example(page: str, node: _Block) -> Example:
    how, *names = _mark(_before(node)).split()
    line, text = node['first'], node.astext()
    if node['language'] == PYTHON:
        line -= 1
        text = (f'PYTHONPATH={shlex.quote(str(ROOT))} python3 '
                f"<<'END-OF-PYTHON'\n{text}\nEND-OF-PYTHON")
    return Example(page, line, how, tuple(names[1:]), text)


def _tree(text: str) -> nodes.document:
    for role in set(_ROLE.findall(text)):
        roles.register_local_role(role, roles.GenericRole(
            role, nodes.inline))
    for name in set(_DIRECTIVE.findall(text)):
        if name not in en.directives:
            directives.register_directive(name, _Unknown)
    for name in ('code', 'code-block', 'sourcecode'):
        directives.register_directive(name, _Code)
    for name in ('include', 'literalinclude'):
        directives.register_directive(name, _File)
    return core.publish_doctree(text, settings_overrides={
        'report_level': 5, 'halt_level': 5,
        'file_insertion_enabled': False})


def _line(text: str, node: nodes.Node, after: int) -> int:
    """Of a mark: docutils is not sure of it."""
    wanted = '.. ' + node.astext().splitlines()[0]
    return next((number for number, line in enumerate(text.splitlines(), 1)
                 if number > after and line.endswith(wanted)), after + 1)


def _mark(node: nodes.Node | None) -> str | None:
    """What a mark says, if it is one."""
    found = isinstance(node, nodes.comment) and _MARK.match(node.astext())
    return found[1].strip() if found else None


def _before(node: nodes.Node) -> nodes.Node | None:
    index = node.parent.index(node)
    return node.parent[index - 1] if index else None


def _is_example(node: nodes.Node | None) -> bool:
    """All of shell, and what else has a mark and can have one."""
    return isinstance(node, _Block) and (
        node['language'] in SHELL or node['language'] == PYTHON
        and _mark(_before(node)) is not None)


def _fault(name: str, node: nodes.Node) -> str | None:
    """What is wrong with a node itself."""
    if _mark(node) is not None:
        return _fault_of_mark(node)
    if isinstance(node, _Included):
        return _fault_of_file(name, node)
    if isinstance(node, nodes.system_message):
        return node[0].astext() if node['level'] > 1 else None
    if _is_example(node):
        return _fault_of_shell(node)
    if isinstance(node, _Block):
        if node['language'] not in OTHER:
            return (f'"{node["language"]}" is no language known here: say '
                    f'shell, or one of {", ".join(OTHER)}')
    elif isinstance(node, (nodes.literal_block, nodes.doctest_block)):
        return ('a block without a language: use ".. code-block:: shell", or '
                f'one of {", ".join(OTHER)}')
    return None


def _fault_of_mark(node: nodes.Node) -> str | None:
    behind = node.next_node(descend=False, siblings=True)
    if not _is_example(behind):
        return ('a mark with no block of shell behind it: put it directly '
                'before one')
    how, *names = _mark(node).split() or ['']
    allowed = ' or '.join(f'".. example: {one}"' for one in HOWS)
    if how not in HOWS or not node.astext().startswith('example: '):
        return f'the mark "{node.astext()}" is not known: say {allowed}'
    if names and (how != 'run' or names[0] != 'with' or not names[1:]):
        return (f'the mark "{node.astext()}" is not known: only "run" takes '
                'more words, "with" and names')
    unknown = sorted({*names[1:]} - {*NAMES})
    if unknown:
        return (f'there is no {", ".join(unknown)} for examples: use of '
                f'{", ".join(NAMES)}, or add it to tests/examples/files.py')
    if how != 'run' and behind['language'] == PYTHON:
        return 'Python can be run, and nothing else'
    return None


def _fault_of_file(name: str, node: _Included) -> str | None:
    path = (ROOT / name).parent / node['file']
    if not path.is_file():
        return f'{node["file"]} is not there'
    path = path.resolve()
    if node['by'] == 'include':
        if path not in paths():
            return f'{node["file"]} is no page whose examples are tested'
    elif not any(path.is_relative_to(folder) for folder in INCLUDED):
        tested = ', '.join(str(folder.relative_to(ROOT))
                           for folder in INCLUDED)
        return (f'{node["file"]} is in no folder whose files are tested: '
                f'{tested}')
    return None


def _fault_of_shell(node: _Block) -> str | None:
    if _mark(_before(node)) is None:
        return ('an example of shell without a mark: put '
                f'".. example: HOW" directly before it, HOW being one of '
                f'{", ".join(HOWS)}, or give it the language text')
    angles = _ANGLES.search(node.astext())
    if angles:
        return (f'{angles[0]}: a placeholder is a word of capitals, without '
                'angle brackets')
    if _PROMPT.search(node.astext()):
        return ('a prompt: write the commands alone, and what they print '
                'into a block of text')
    return None
