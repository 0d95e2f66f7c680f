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

"""Imports go one way, and effects stay at the rim.

LAYERS is the map, bottom first.  To place a new module, name it in a layer
above all that it imports and below all that import it, with what it touches
of the world outside: PURE is for those that touch nothing.  The map is exact:
a module that no longer touches something has to say so, too.
"""

import ast
import pathlib

from tests import base

PACKAGE = 'esxi_img'
ROOT = pathlib.Path(__file__).parents[2] / PACKAGE


def touches(*names: str) -> frozenset[str]:
    return frozenset(names)


PURE = touches()

# A module imports only from the layers that stand before its own.
LAYERS: tuple[dict[str, frozenset[str]], ...] = (
    # The vocabulary.
    {'errors': PURE,
     'interrupt': PURE,
     'printable': PURE,
     'tree': PURE},
    # Formats, from their records up.
    {'disk.records': PURE,
     'gzipped': PURE,
     'iso.records': touches('pycdlib'),
     'kickstart.redact': PURE,
     'kickstart.text': PURE,
     'mboot': PURE},
    {'bootcfg': PURE,
     # tarfile.open, over bytes in memory.
     'bundle': touches('open'),
     'disk.fat32': PURE,
     'disk.gpt': PURE,
     'kickstart.grammar': PURE},
    {'iso.walk': PURE,
     'disk.dosname': PURE,
     'disk.geometry': PURE,
     'iso.identify': PURE,
     'kickstart.ours': PURE},
    {'disk.layout': PURE,
     'kickstart.merge': PURE,
     'options': PURE},
    # The whole image as a value, and as text.
    {'disk.compose': PURE},
    {'recipe': PURE},
    {'describe': PURE},
    # Effects, one kind each.
    {'infile': touches('open', 'os')},
    {'convert': touches('open', 'os', 'shutil', 'subprocess'),
     'disk.readfat': touches('os'),
     'disk.readgpt': touches('os'),
     'iso.reader': touches('os'),
     'modulefile': touches('os'),
     'report': touches('os', 'tqdm'),
     'sample': touches('pycdlib'),
     'write': touches('open', 'os', 'secrets')},
    # What puts them together.
    {'build': touches('importlib', 'open', 'os'),
     'conf.opts': touches('oslo_config'),
     'inspect': touches('open', 'os', 'tempfile')},
    {'conf': touches('os', 'oslo_config')},
    # The commands.
    {'cmd.common': touches('open', 'os')},
    {'cmd.build': PURE,
     'cmd.inspect': PURE,
     'cmd.sample_iso': PURE},
    {'__main__': PURE},
)

# Modules, builtins and methods that reach out of the process, or whose
# answer is another one at the next call.  Attributes are met on whatever
# carries them: Path.read_bytes, datetime.now, uuid.uuid4.
GUARDED_IMPORTS = frozenset({
    'ctypes', 'glob', 'importlib', 'mmap', 'multiprocessing', 'os',
    'oslo_config', 'pathlib', 'pycdlib', 'random', 'secrets', 'shutil',
    'socket', 'subprocess', 'tempfile', 'threading', 'time', 'tqdm',
    'urllib'})
GUARDED_NAMES = frozenset({
    '__import__', 'eval', 'exec', 'input', 'open'})
GUARDED_ATTRIBUTES = {
    'now': 'time', 'today': 'time', 'utcnow': 'time',
    'open': 'open', 'read_bytes': 'open', 'read_text': 'open',
    'write_bytes': 'open', 'write_text': 'open',
    'uuid1': 'random', 'uuid4': 'random', 'urandom': 'random'}


def name_of(path: pathlib.Path) -> str:
    """The dotted name below the package; '' for the package itself."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imported(source: str, ours: frozenset[str]) -> set[str]:
    """Every module that the source imports, wherever in it.

    Ours as ``esxi_img.disk.gpt``, also when written ``from esxi_img.disk
    import gpt``; relative imports start with a dot.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = '.' * node.level + (node.module or '')
            for alias in node.names:
                whole = f'{start}.{alias.name}'
                is_module = whole.removeprefix(PACKAGE + '.') in ours
                found.add(whole if is_module else start)
    return found


def top(name: str) -> str:
    return name.partition('.')[0]


def within(names: set[str]) -> set[str]:
    """Of imported names those of ours, below the package."""
    return {name.partition('.')[2] for name in names if top(name) == PACKAGE}


def touched(source: str) -> set[str]:
    """What the source touches of the world outside, by guarded names."""
    found = {top(name) for name in imported(source, frozenset())}
    found &= GUARDED_IMPORTS
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in GUARDED_NAMES:
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(GUARDED_ATTRIBUTES.get(node.attr, ''))
    return found - {''}


def upward(module: str, imports: set[str], ranks: dict[str, int]) -> set[str]:
    """Of the imports those that do not stand below the module."""
    return {name for name in imports
            if ranks.get(name, len(LAYERS)) >= ranks[module]}


class TestLayers(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        texts = {name_of(path): path.read_text()
                 for path in sorted(ROOT.rglob('*.py'))}
        self.names = frozenset(texts)
        self.firstboot = {name: text for name, text in texts.items()
                          if top(name) == 'firstboot'}
        # An empty __init__.py only makes a folder a package.
        self.ours = {name: text for name, text in texts.items()
                     if text and name not in self.firstboot}
        self.ranks = {name: rank for rank, layer in enumerate(LAYERS)
                      for name in layer}
        self.places = {name: what for layer in LAYERS
                       for name, what in layer.items()}

    def test_every_module_has_its_place(self) -> None:
        self.assertEqual(set(), set(self.ours) - set(self.ranks),
                         'place these in LAYERS')

    def test_the_map_names_each_module_once(self) -> None:
        self.assertEqual(sum(map(len, LAYERS)), len(self.ranks))

    def test_imports_go_down_only(self) -> None:
        wrong = {}
        for name in set(self.ours) & set(self.ranks):
            imports = within(imported(self.ours[name], self.names))
            wrong[name] = upward(name, imports, self.ranks)
        self.assertEqual({}, {name: to for name, to in wrong.items() if to})

    def test_effects_are_where_the_map_says(self) -> None:
        said = {name: set(self.places[name]) for name in self.ours
                if name in self.places}
        found = {name: touched(self.ours[name]) for name in said}
        self.assertTrue(said)
        self.assertEqual({}, {name: f'touches {found[name]}, said {said[name]}'
                              for name in said if found[name] != said[name]})

    def test_no_relative_imports(self) -> None:
        wrong = {name for name, text in self.ours.items()
                 if any(target.startswith('.')
                        for target in imported(text, self.names))}
        self.assertEqual(set(), wrong)

    def test_firstboot_and_the_rest_do_not_meet(self) -> None:
        inward = {name for name, text in self.ours.items()
                  if 'firstboot' in map(
                      top, within(imported(text, self.names)))}
        outward = {name for name, text in self.firstboot.items()
                   if PACKAGE in map(top, imported(text, self.names))}
        self.assertEqual((set(), set()), (inward, outward))


class TestTheChecks(base.TestCase):
    """The checks see what they are there for."""

    ours = frozenset({'disk', 'disk.gpt', 'errors', 'write'})

    def test_imported(self) -> None:
        for source, expected in (
                ('import os.path', {'os.path'}),
                ('import esxi_img.write', {'esxi_img.write'}),
                ('from esxi_img import errors', {'esxi_img.errors'}),
                ('from esxi_img.disk import gpt', {'esxi_img.disk.gpt'}),
                ('from esxi_img.disk.gpt import X', {'esxi_img.disk.gpt'}),
                ('from os import path', {'os'}),
                ('def f():\n    import os', {'os'}),
                ('from . import errors', {'.'}),
                ('from .gpt import X', {'.gpt'})):
            with self.subTest(source=source):
                self.assertEqual(expected, imported(source, self.ours))

    def test_touched(self) -> None:
        for source, expected in (
                ('open("x")', {'open'}),
                ('import os.path', {'os'}),
                ('from subprocess import run', {'subprocess'}),
                ('p.read_bytes()', {'open'}),
                ('gzip.open(x)', {'open'}),
                ('uuid.uuid4()', {'random'}),
                ('uuid.uuid5(a, b)', set()),
                ('datetime.datetime.now()', {'time'}),
                ('def f():\n    import oslo_config', {'oslo_config'}),
                ('opened = 1', set())):
            with self.subTest(source=source):
                self.assertEqual(expected, touched(source))

    def test_upward(self) -> None:
        ranks = {'errors': 0, 'tree': 0, 'write': 1, 'build': 2}
        for module, imports, expected in (
                ('write', {'errors'}, set()),
                ('write', {'build'}, {'build'}),
                ('tree', {'errors'}, {'errors'}),
                ('write', {'nobody'}, {'nobody'})):
            with self.subTest(module=module, imports=imports):
                self.assertEqual(expected, upward(module, imports, ranks))
