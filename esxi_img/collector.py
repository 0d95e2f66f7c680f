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

"""esxi-img-collect: the field report's modules as one file.

An archive that Python runs as it is; see zipapp in Python's documentation.
It has all that it imports in it, so it works where the package is gone.
"""

import collections.abc
import importlib.resources
import io
import zipfile

from esxi_img import pythonfile

MODULES = (
    '__init__.py', 'fieldreport.py', 'reportanswers.py', 'reportarchive.py',
    'reportcommands.py', 'reportfiles.py', 'reportgather.py',
    'reportmembers.py', 'reportmodel.py', 'reportnames.py',
    'reportsecrets.py', 'running.py')
"""Of the first-boot package; the last one both have."""

_MAIN = '''\
# A part of esxi-img, whose sources have all that explains it.
# Apache License 2.0: http://www.apache.org/licenses/LICENSE-2.0
import sys

# Nothing is written to the host but the report.
sys.dont_write_bytecode = True

from firstboot import fieldreport

sys.exit(fieldreport.main(sys.argv[1:]))
'''
_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that an archive can hold; nobody asks for it."""


def program() -> bytes:
    """The program as it travels."""
    folder = importlib.resources.files('esxi_img') / 'firstboot'
    return packed({name: pythonfile.lean((folder / name).read_bytes())
                   for name in MODULES})


def packed(files: collections.abc.Mapping[str, bytes]) -> bytes:
    """The program.

    Not compressed, for ESXi's Python may lack zlib, and the image is
    compressed as a whole.

    :param files: MODULES with their content
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_STORED) as archive:
        for name, data in (('__main__.py', _MAIN.encode()),
                           *((f'firstboot/{name}', data)
                             for name, data in sorted(files.items()))):
            entry = zipfile.ZipInfo(name, _TIME)
            # Else it depends on the machine that builds.
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
