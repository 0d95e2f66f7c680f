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

"""The files that an example can ask for; each is made once in a process."""

import atexit
import functools
import json
import pathlib
import shutil
import subprocess
import tempfile

from tests import base
from tests.examples import pages
from tests.functional import command
from tests.functional import dib

KICKSTART = 'keyboard \'Swiss German\'\n%firstboot\nuname -a\n'
NICS = [{'Name': 'vmnic0', 'MAC Address': '02:00:00:00:00:01',
         'Link Status': 'Up', 'Speed': 10000},
        {'Name': 'vmnic1', 'MAC Address': '02:00:00:00:00:02',
         'Link Status': 'Up', 'Speed': 10000}]
CONFIG_DRIVE = pages.INCLUDED[0] / 'config-drive'
LEFT_OUT = ('.git', '.hypothesis', '.stestr', '.tox', '.venv', '__pycache__',
            'build', 'cover', 'dist', '*.egg-info', '*.img', '*.iso')
"""Of a checkout: what is in no repository."""


@functools.cache
def provide(name: str) -> pathlib.Path:
    """A file of that name, or a folder; to be copied."""
    path = _shelf() / name
    if name == 'esxi.iso':
        shutil.copyfile(command.sample(), path)
    elif name == 'drive.iso':
        _drive(path)
    elif name == 'ks.cfg':
        path.write_text(KICKSTART)
    elif name == 'nics.json':
        path.write_text(json.dumps(NICS, indent=2))
    elif name == 'ca.pem':
        shutil.copyfile(base.FIXTURES / name, path)
    elif name == 'checkout':
        shutil.copytree(pages.ROOT, path, symlinks=True,
                        ignore=shutil.ignore_patterns(*LEFT_OUT))
    elif name == 'dist/':
        path.mkdir()
        shutil.copy(dib.wheel(), path)
    else:
        raise KeyError(name)
    return path


@functools.cache
def _shelf() -> pathlib.Path:
    """A folder for what all tests of a process share."""
    folder = tempfile.mkdtemp(prefix='esxi-img-examples-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


def _drive(path: pathlib.Path) -> None:
    """A config drive with the files of the example, as Nova builds it."""
    folder = _shelf() / 'drive'
    shutil.copytree(CONFIG_DRIVE, folder / 'openstack' / 'latest')
    subprocess.run(
        ['genisoimage', '-quiet', '-o', path, '-ldots', '-allow-lowercase',
         '-allow-multidot', '-l', '-J', '-r', '-V', 'config-2', folder],
        check=True, capture_output=True)
