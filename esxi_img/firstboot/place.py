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

"""Where things are, in the installer and on the host."""

import json
import os
from typing import Any
from typing import Optional

from . import files

# The package's folder is in it: /esxiimg in the installer, esxiimg of the
# bootbank on the host.
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The installer's own files, in memory.
WORK = '/tmp/esxiimg'  # nosec B108
STAGED = os.path.join(WORK, 'new')
DRIVE = os.path.join(WORK, 'drive')
PRE = os.path.join(WORK, 'pre.json')
VOLUMES = '/vmfs/volumes'


def read(path: str) -> Optional[bytes]:
    """A file's content; None if it cannot be read."""
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return None


def read_json(path: str) -> Any:
    """A JSON file of ours; {} if there is no sound one."""
    try:
        return json.loads(read(path) or b'{}')
    except ValueError:
        return {}


def write_json(path: str, value: Any) -> None:
    """Write a JSON file.

    :raises OSError: nothing is changed then
    """
    files.replace(path, json.dumps(value, indent=1, sort_keys=True).encode(),
                  0o600)


def destroy(path: str) -> None:
    """Overwrite a file, or all files below a folder, and remove it.

    :raises OSError: it is still there
    """
    if os.path.isdir(path) and not os.path.islink(path):
        for name in os.listdir(path):
            destroy(os.path.join(path, name))
        os.rmdir(path)
        return
    if not os.path.islink(path):
        fd = os.open(path, os.O_WRONLY)
        try:
            left = os.fstat(fd).st_size
            while left > 0:
                left -= os.write(fd, bytes(min(left, 1 << 16)))
            os.fsync(fd)
        finally:
            os.close(fd)
    os.unlink(path)
