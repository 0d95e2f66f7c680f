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

FIRSTBOOT_LAYERS is the same for the package that runs on the host.
"""

import ast
import importlib.util
import pathlib
import sys

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
     'pythonfile': PURE,
     'tree': PURE},
    # Formats, from their records up.
    {'huffman': PURE},
    {'disk.records': PURE,
     'gzipped': PURE,
     'iso.records': touches('pycdlib'),
     'kickstart.redact': PURE,
     'kickstart.sections': PURE,
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
    {'describe': PURE,
     'glance': PURE},
    {'manifest': touches('os')},
    # Effects, one kind each.
    {'block_device': touches('os'),
     'collector': touches('importlib', 'open'),
     'dib': PURE,
     'elements': touches('importlib', 'os'),
     'infile': touches('open', 'os'),
     'pyyaml': touches('importlib', 'open')},
    {'cafile': PURE,
     'convert': touches('open', 'os', 'shutil', 'subprocess'),
     'disk.readfat': touches('os'),
     'disk.readgpt': touches('os'),
     'iso.reader': touches('os'),
     'modulefile': touches('os'),
     'report': touches('os', 'tqdm'),
     'sample': touches('pycdlib'),
     'room': touches('os'),
     'write': touches('open', 'os', 'secrets')},
    {'digests': touches('os')},
    {'upload': touches('keystoneauth1', 'openstack', 'random', 'time')},
    # What puts them together.
    {'build': touches('importlib', 'open', 'os'),
     'conf.opts': touches('oslo_config'),
     'inspect': touches('open', 'os', 'tempfile')},
    {'conf': touches('os', 'oslo_config'),
     'folder': touches('open', 'os')},
    {'conf.environment': touches('oslo_config')},
    {'element': touches('open', 'os', 'pickle', 'shutil')},
    # The commands.
    {'cmd.common': touches('open', 'os')},
    {'cmd.build': PURE,
     'cmd.element': touches('os'),
     'cmd.elements': PURE,
     'cmd.inspect': PURE,
     'cmd.plan': PURE,
     'cmd.sample_iso': PURE},
    {'cmd.parsers': PURE},
    {'__main__': PURE},
)

# The modules of ours that may import the first-boot package, which imports
# nothing of ours.
MEET_FIRSTBOOT = {'cmd.plan'}

FIRSTBOOT_LAYERS: tuple[dict[str, frozenset[str]], ...] = (
    # The vocabulary: what is said, what is, what is to be done.
    {'host': PURE,
     'model': PURE,
     'steps': PURE,
     'volume': PURE},
    {'outcome': PURE,
     'wish': PURE},
    # The volumes that a config drive can be.
    {'blocks': touches('os'),
     'folder': touches('open', 'os'),
     'isonames': PURE,
     'packed': PURE,
     'versions': PURE},
    {'fat': PURE,
     'iso9660': PURE},
    # Single values.
    {'hostname': PURE,
     'jsonfile': PURE,
     'password': PURE,
     'settings': PURE,
     'sshkeys': PURE},
    {'netvalue': PURE,
     'shacrypt': PURE},
    {'address': PURE},
    # The files of a drive, and those about a host.
    {'metadata': PURE,
     'netlinks': PURE,
     'nics': PURE,
     'subnets': PURE,
     'tables': PURE},
    {'esxcli': PURE,
     'facts': PURE,
     'netdata': PURE},
    {'drive': touches('open', 'os')},
    # What the user wishes.
    {'configtext': PURE,
     'mime': PURE},
    {'mediatype': PURE},
    {'userdata': PURE},
    {'cloudconfig': PURE},
    {'esxischema': touches('open', 'os'),
     'schema': PURE,
     'wishpaths': PURE,
     'wishvalue': PURE},
    {'carried': PURE,
     'esxikeys': PURE,
     'wishaccounts': PURE,
     'wishend': PURE,
     'wishfiles': PURE,
     'wishnames': PURE,
     'wishntp': PURE,
     'wishpassword': PURE,
     'wishscripts': PURE},
    {'wishing': PURE},
    {'reading': PURE},
    # What the network should be.
    {'uplinks': PURE},
    {'management': PURE},
    {'vmks': PURE},
    {'topology': PURE},
    # The steps that lead there.
    {'chain': PURE,
     'commands': PURE,
     'installer': PURE,
     'overrides': PURE,
     'release': PURE},
    {'interfaces': PURE,
     'services': PURE,
     'switches': PURE,
     'syscommands': PURE},
    {'accounts': PURE,
     'daemons': PURE,
     'payload': PURE,
     'tuning': PURE,
     'wiring': PURE},
    {'userland': PURE},
    {'think': PURE},
    # What people and programs see of it.
    {'present': PURE},
    # The field report, which travels as a program of its own.
    {'reportmodel': PURE,
     'reportnames': PURE},
    {'reportcommands': PURE,
     'reportsecrets': PURE},
    {'reportanswers': PURE},
    {'reportmembers': PURE},
    # Effects, one kind each.
    {'files': touches('open', 'os'),
     'reportarchive': touches('open', 'os'),
     'reportfiles': touches('open', 'os'),
     'running': touches('os', 'subprocess', 'time')},
    {'gpt': PURE,
     'reportgather': PURE,
     'place': touches('open', 'os'),
     'records': touches('open', 'os', 'time')},
    {'disks': touches('open', 'os'),
     'execute': PURE,
     'log': touches('open', 'os', 'time'),
     'phonehome': touches('socket', 'threading', 'time', 'urllib'),
     'redacted': PURE},
    {'bootbanks': touches('open', 'os'),
     'collect': PURE,
     'finding': touches('open', 'os')},
    {'scrub': touches('open', 'os')},
    # What puts them together.
    {'apply': touches('os', 'random', 'time'),
     'fieldreport': touches('importlib', 'os', 'shutil', 'time'),
     'post': touches('open', 'os'),
     'pre': touches('os', 'random')},
    {'__main__': PURE},
)
# Placed above, and yet to be written.
AWAITED: frozenset[str] = frozenset()
# Others' packages that the image has within ours.
LAID_IN = frozenset({'yaml'})

# What the first-boot package may import when it is loaded.  ESXi's Python
# lacks parts of the standard library, and nobody lists which.  Scripts that
# are in use on ESXi import these: json urllib subprocess ipaddress logging
# argparse pathlib functools re glob select fcntl http.client dataclasses
# typing.  So what these import is there, too.  Derived once, by Python 3.8
# on Linux, as the names in sys.modules after
#     python3.8 -I -c 'import json, urllib.request, subprocess, ...'
# that have no part with a leading underscore; without site and encodings,
# and without bz2 lzma ssl zlib, which http.client and shutil do without.
ON_ESXI = frozenset("""
    abc argparse atexit base64 binascii bisect builtins calendar codecs
    collections collections.abc contextlib copy copyreg dataclasses datetime
    dis email email.base64mime email.charset email.encoders email.errors
    email.feedparser email.header email.iterators email.message email.parser
    email.quoprimime email.utils enum errno fcntl fnmatch functools
    genericpath gettext glob grp hashlib heapq http http.client importlib
    importlib.machinery inspect io ipaddress itertools json json.decoder
    json.encoder json.scanner keyword linecache locale logging marshal math
    ntpath opcode operator os os.path pathlib posix posixpath pwd quopri
    random re reprlib select selectors shutil signal socket sre_compile
    sre_constants sre_parse stat string struct subprocess sys tempfile
    threading time token tokenize traceback types typing urllib urllib.error
    urllib.parse urllib.request urllib.response uu warnings weakref zipimport
""".split())

# Modules, builtins and methods that reach out of the process, or whose
# answer is another one at the next call.  Attributes are met on whatever
# carries them: Path.read_bytes, datetime.now, uuid.uuid4.
GUARDED_IMPORTS = frozenset({
    'ctypes', 'glob', 'importlib', 'keystoneauth1', 'mmap',
    'multiprocessing', 'openstack', 'os', 'oslo_config', 'pathlib', 'pickle',
    'pycdlib', 'random', 'secrets', 'shutil', 'socket', 'subprocess',
    'tempfile', 'threading', 'time', 'tqdm', 'urllib'})
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


def siblings(source: str) -> set[str]:
    """The modules beside it that a source imports, wherever in it.

    What lies further up starts with a dot.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [
                alias.name for alias in node.names]
            found.update('.' * (node.level - 1) + name for name in names)
    return found


def at_load(source: str) -> set[str]:
    """The absolute imports outside all functions, by the module's name."""
    found = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module
            found.update(submodule(node.module, alias.name)
                         for alias in node.names)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += ast.iter_child_nodes(node)
    return found


def submodule(module: str, name: str) -> str:
    """What ``from MODULE import NAME`` loads."""
    whole = f'{module}.{name}'
    if top(module) not in sys.stdlib_module_names:
        return whole
    parent = importlib.util.find_spec(module)
    if not parent or parent.submodule_search_locations is None:
        return module
    return whole if importlib.util.find_spec(whole) else module


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
            if ranks.get(name, sys.maxsize) >= ranks[module]}


def ranks_of(layers: tuple[dict[str, frozenset[str]], ...]) -> dict[str, int]:
    return {name: rank for rank, layer in enumerate(layers)
            for name in layer}


def strays(texts: dict[str, str],
           layers: tuple[dict[str, frozenset[str]], ...]) -> dict[str, str]:
    """The modules that touch something else than their place says."""
    places = {name: what for layer in layers for name, what in layer.items()}
    found = {name: touched(text) for name, text in texts.items()
             if name in places}
    return {name: f'touches {what}, said {set(places[name])}'
            for name, what in found.items() if what != places[name]}


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
        self.ranks = ranks_of(LAYERS)
        self.assertTrue(self.ours)

    def test_every_module_has_its_place(self) -> None:
        self.assertEqual(set(), set(self.ours) - set(self.ranks),
                         'place these in LAYERS')

    def test_the_map_names_each_module_once(self) -> None:
        self.assertEqual(sum(map(len, LAYERS)), len(self.ranks))

    def test_imports_go_down_only(self) -> None:
        wrong = {}
        for name in set(self.ours) & set(self.ranks):
            imports = {to for to in within(imported(
                self.ours[name], self.names)) if top(to) != 'firstboot'}
            wrong[name] = upward(name, imports, self.ranks)
        self.assertEqual({}, {name: to for name, to in wrong.items() if to})

    def test_effects_are_where_the_map_says(self) -> None:
        self.assertEqual({}, strays(self.ours, LAYERS))

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
        self.assertEqual((MEET_FIRSTBOOT, set()), (inward, outward))


class TestFirstbootLayers(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.texts = {path.stem: path.read_text()
                      for path in sorted((ROOT / 'firstboot').glob('*.py'))}
        self.package = self.texts.pop('__init__')
        self.ranks = ranks_of(FIRSTBOOT_LAYERS)

    def test_every_module_has_its_place(self) -> None:
        self.assertEqual(set(), set(self.texts) - set(self.ranks),
                         'place these in FIRSTBOOT_LAYERS')

    def test_every_place_is_taken(self) -> None:
        self.assertEqual(AWAITED, set(self.ranks) - set(self.texts))

    def test_the_map_names_each_module_once(self) -> None:
        self.assertEqual(sum(map(len, FIRSTBOOT_LAYERS)), len(self.ranks))

    def test_the_package_is_flat(self) -> None:
        folder = ROOT / 'firstboot'
        self.assertEqual(set(folder.glob('*.py')), set(folder.rglob('*.py')))

    def test_imports_go_down_only(self) -> None:
        wrong = {name: upward(name, siblings(text) - LAID_IN, self.ranks)
                 for name, text in self.texts.items() if name in self.ranks}
        self.assertEqual({}, {name: to for name, to in wrong.items() if to})
        self.assertEqual(set(), siblings(self.package))

    def test_effects_are_where_the_map_says(self) -> None:
        self.assertEqual({}, strays(self.texts, FIRSTBOOT_LAYERS))

    def test_only_what_esxi_has_is_loaded(self) -> None:
        wrong = {name: at_load(text) - ON_ESXI for name, text in
                 [*self.texts.items(), ('__init__', self.package)]}
        self.assertEqual({}, {name: what for name, what in wrong.items()
                              if what})


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

    def test_siblings(self) -> None:
        for source, expected in (
                ('from . import host', {'host'}),
                ('from . import host as h, model', {'host', 'model'}),
                ('from .host import Nic', {'host'}),
                ('def f():\n    from . import host', {'host'}),
                ('from .. import errors', {'.errors'}),
                ('from ..disk import gpt', {'.disk'}),
                ('import host', set()), ('from host import x', set())):
            with self.subTest(source=source):
                self.assertEqual(expected, siblings(source))

    def test_at_load(self) -> None:
        for source, expected in (
                ('import os.path', {'os.path'}),
                ('from collections import abc', {'collections.abc'}),
                ('from collections import OrderedDict', {'collections'}),
                ('from importlib import metadata', {'importlib.metadata'}),
                ('from os import path', {'os'}),
                ('from yaml import load', {'yaml.load'}),
                ('from esxi_img import errors', {'esxi_img.errors'}),
                ('try:\n    import zlib\nexcept ImportError:\n    x = 1',
                 {'zlib'}),
                ('class A:\n    import ssl', {'ssl'}),
                ('def f():\n    import zlib', set()),
                ('class A:\n    def f(self):\n        import zlib', set()),
                ('from . import host', set())):
            with self.subTest(source=source):
                self.assertEqual(expected, at_load(source))

    def test_strays(self) -> None:
        layers = ({'a': PURE, 'b': touches('os')},)
        self.assertEqual({}, strays({'a': 'x = 1', 'b': 'import os'}, layers))
        self.assertEqual({'a', 'b'}, set(strays(
            {'a': 'import os', 'b': 'x = 1', 'c': 'open("x")'}, layers)))

    def test_upward(self) -> None:
        ranks = {'errors': 0, 'tree': 0, 'write': 1, 'build': 2}
        for module, imports, expected in (
                ('write', {'errors'}, set()),
                ('write', {'build'}, {'build'}),
                ('tree', {'errors'}, {'errors'}),
                ('write', {'nobody'}, {'nobody'})):
            with self.subTest(module=module, imports=imports):
                self.assertEqual(expected, upward(module, imports, ranks))
