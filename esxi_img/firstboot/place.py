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

from dataclasses import dataclass
import json
import os
import stat
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import files
from . import jsonfile

# Holds the package's folder: /esxiimg in the installer, esxiimg of the
# bootbank on the host.
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Of a bootbank, and in it.
FOLDER = 'esxiimg'
PACKAGE = 'firstboot'
DRIVE = 'drive'
# Gathers a field report; it stays when the package goes.
COLLECTOR = 'esxi-img-collect'
# In it: what user data and vendor data say, opaque as it is.
WISHES = 'wishes.json'

# Bytes; no file of ours, and no boot.cfg, is larger.
LIMIT = 4 << 20


@dataclass(frozen=True)
class Places:
    """The files and folders of one host.

    :param root: what all paths start with
    :param home: where the package's folder is
    """

    root: str = '/'
    home: str = HOME

    def path(self, name: str) -> str:
        """A file, by the absolute path that the host knows it by."""
        return os.path.join(self.root, name.lstrip('/'))

    def own(self, *names: str) -> str:
        """A file beside the package."""
        return os.path.join(self.home, *names)

    @property
    def work(self) -> str:
        """The installer's folder of ours, in memory."""
        return self.path('/tmp/esxiimg')  # nosec B108

    @property
    def staged(self) -> str:
        """What the kickstart's script puts in place of the safe files."""
        return os.path.join(self.work, 'new')

    @property
    def drive(self) -> str:
        """The installer's copy of the config drive, secrets included."""
        return os.path.join(self.work, DRIVE)

    @property
    def pre(self) -> str:
        """What ``pre`` tells ``scrub`` and ``post``; without secrets."""
        return os.path.join(self.work, 'pre.json')

    @property
    def journal(self) -> str:
        """Of the installer's part."""
        return os.path.join(self.work, 'journal.jsonl')

    @property
    def volumes(self) -> str:
        """A folder for each volume, and links to them by their labels."""
        return self.path('/vmfs/volumes')

    @property
    def banks(self) -> Tuple[str, ...]:
        """The bootbanks of the host that runs: links to volumes."""
        return self.path('/bootbank'), self.path('/altbootbank')

    @property
    def logs(self) -> str:
        """A second place for the records, in memory."""
        return self.path('/var/log/esxi-img')


def read(path: str, limit: int = LIMIT) -> Optional[bytes]:
    """A regular file's content; None if it is too large, or unreadable."""
    try:
        # A FIFO waits to be opened, and a device may do something then.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, 'rb', closefd=False) as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    finally:
        os.close(fd)
    return data if len(data) <= limit else None


def read_json(path: str) -> Dict[str, Any]:
    """A JSON file of ours; {} if there is no sound one."""
    value, _ = jsonfile.decode(read(path) or b'', '')
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: Any) -> None:
    """Write a JSON file.

    :raises OSError: nothing is changed then
    """
    files.replace(path, json.dumps(value, indent=1, sort_keys=True).encode(),
                  0o600)


def destroy(path: str) -> None:
    """Overwrite a file, or all files below a folder, and remove it.

    Goes on after a failure.  A link is removed, and not followed.

    :raises OSError: the first failure; something may still be there
    """
    errors: List[OSError] = []
    _destroy(path, errors)
    if errors:
        raise errors[0]


def _destroy(path: str, errors: List[OSError]) -> None:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            for name in sorted(os.listdir(path)):
                _destroy(os.path.join(path, name), errors)
            os.rmdir(path)
            return
    except OSError as error:
        errors.append(error)
        return
    for action in (files.overwrite, os.unlink):
        try:
            if action is os.unlink or stat.S_ISREG(mode):
                action(path)
        except OSError as error:
            errors.append(error)
