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

"""PyYAML's loader, which travels in the image: ESXi has none.

The sources are what PyYAML's authors published, byte for byte.
"""

import importlib.metadata

from esxi_img import errors

VERSION = '6.0.3'
"""The one that requirements.txt pins: the image's bytes follow from it."""

MODULES = ('error.py', 'tokens.py', 'events.py', 'nodes.py', 'reader.py',
           'scanner.py', 'parser.py', 'composer.py', 'constructor.py',
           'resolver.py', 'loader.py')
"""All that ``loader.py`` imports; none needs the C library."""

_REMEDY = f"pip install 'PyYAML=={VERSION}'"


def files() -> dict[str, bytes]:
    """A package of PyYAML's loader and its licence, by the names in it.

    Its ``__init__.py`` is ours, and empty: PyYAML's own imports all of it.

    :raises EnvironmentFailed: it is not installed, or not this version
    """
    try:
        found = importlib.metadata.distribution('PyYAML')
    except importlib.metadata.PackageNotFoundError as error:
        raise errors.EnvironmentFailed(
            f'PyYAML {VERSION} is not installed', hint=_REMEDY) from error
    if found.version != VERSION:
        raise errors.EnvironmentFailed(
            f'PyYAML {found.version} is installed: the image is made of '
            f'{VERSION}', hint=_REMEDY)
    return {'__init__.py': b'', **{
        name: _read(found, name) for name in (*MODULES, 'LICENSE')}}


def _read(found: importlib.metadata.Distribution, name: str) -> bytes:
    """A module, or the licence file among the metadata."""
    for path in found.files or ():
        folder = path.parts[0]
        if path.name == name and (folder == 'yaml' or (
                name == 'LICENSE' and folder.endswith('.dist-info'))):
            try:
                return found.locate_file(path).read_bytes()
            except OSError:
                break
    raise errors.EnvironmentFailed(
        f'PyYAML {VERSION} is installed without {name}',
        hint=_REMEDY.replace('install', 'install --force-reinstall'))
