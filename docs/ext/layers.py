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

"""The layers of both packages as tables of reStructuredText.

They are made of the maps that tests/unit/test_layers.py checks, and of the
first sentence of each module; each stands for a line ``.. layers: NAME`` of a
page, NAME being that of the map.
"""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
MAPS = ROOT / 'tests' / 'unit' / 'test_layers.py'
FOLDERS = {'LAYERS': ROOT / 'esxi_img',
           'FIRSTBOOT_LAYERS': ROOT / 'esxi_img' / 'firstboot'}
MARK = re.compile(r'^\.\. layers: (\w+)\n', re.MULTILINE)
_TABLE = ('.. list-table::\n   :header-rows: 1\n   :widths: 8 22 50 20\n\n'
          '   * - Layer\n     - Module\n     - Subject\n     - Touches\n')


def setup(app):
    app.connect('source-read', _fill)
    return {'parallel_read_safe': True}


def _fill(app, docname, source):
    names = MARK.findall(source[0])
    if names:
        for path in (MAPS, *(path for name in names
                             for path in FOLDERS[name].rglob('*.py'))):
            app.env.note_dependency(str(path))
        source[0] = MARK.sub(lambda match: tables(match[1]), source[0])


def tables(name):
    """One for each group of layers, which a comment of the map begins."""
    text = ''
    for number, (heading, layer) in enumerate(
            zip(headings(name), maps(name)), 1):
        if heading:
            text += f'\n.. rubric:: {heading}\n\n{_TABLE}'
        for module, touches in sorted(layer.items()):
            text += '   * - {}\n     - ``{}``\n     - {}\n     - {}\n'.format(
                number, module, subject(FOLDERS[name], module),
                ', '.join(f'``{one}``' for one in sorted(touches)))
    return text


def maps(name):
    """A map of tests/unit/test_layers.py, bottom first."""
    layers = []
    for layer in _source(name):
        layers.append({})
        for module, touches in zip(layer.keys, layer.values):
            # PURE, or touches('os', ...)
            layers[-1][module.value] = frozenset(
                word.value for word in getattr(touches, 'args', ()))
    return layers


def _source(name):
    """The layers of a map as they are written."""
    return next(node.value.elts for node in ast.parse(MAPS.read_text()).body
                if isinstance(node, ast.AnnAssign) and node.target.id == name)


def headings(name):
    """For each layer of a map the comment above it, or nothing."""
    lines = MAPS.read_text().splitlines()
    above = (lines[layer.lineno - 2].strip() for layer in _source(name))
    return [line.lstrip('# ') if line.startswith('#') else ''
            for line in above]


def subject(folder, module):
    """What the first sentence of a module says it is about."""
    path = folder.joinpath(*module.split('.'))
    path = path / '__init__.py' if path.is_dir() \
        else path.with_name(f'{path.name}.py')
    said = ast.get_docstring(ast.parse(path.read_text())) or ''
    first = ' '.join(said.partition('\n\n')[0].split())
    return first.replace('*', r'\*')
