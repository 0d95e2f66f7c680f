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

"""Where a file of the user's may be: where it lasts, and breaks nothing.

ESXi runs from memory.  What outlives a restart are its volumes and, of
/etc, files that it came with and marks by the sticky bit (Broadcom KB
342062, 313072).
"""

import re
from typing import List
from typing import Optional
from typing import Tuple

PATH_MAX = 1023
NAME_MAX = 255

# Of files below /etc those that are known to come with the sticky bit.
_LASTING = frozenset({'/etc/rc.local.d/local.sh'})

# Files that a wrong word in locks everybody out, takes the network away or
# keeps a service from starting; for what is in most of them there are keys,
# or the network data.
_BARRED = (
    '/etc/group', '/etc/init.d', '/etc/pam.d', '/etc/passwd',
    '/etc/resolv.conf', '/etc/security', '/etc/shadow', '/etc/ssh',
    '/etc/vmware/configstore', '/etc/vmware/esx.conf', '/etc/vmware/hostd',
    '/etc/vmware/rhttpproxy', '/etc/vmware/ssl', '/etc/vmware/vpxa')
# Beside it is rc.local.d, whose local.sh is there for users.
_RC_LOCAL = '/etc/rc.local'
_HOSTS = '/etc/hosts'
# Of ESXi itself, on the disk that it was installed on.
_SYSTEM = ('bootbank', 'osdata', 'locker')
_OURS = 'esxiimg'

_UNFIT = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029]')


def judged(path: str) -> Tuple[Optional[str], Optional[str]]:
    """The path in its shortest form, and what to tell about it.

    :return: None, and why no file may be there; or the path and a message,
        which is None where there is nothing to tell
    """
    defect = _defect(path)
    if defect:
        return None, defect
    parts = [part for part in path.split('/') if part]
    short = '/' + '/'.join(parts)
    # FAT, which a bootbank is, knows no case, and short names besides.
    lower = [part.lower() for part in parts]
    if any(part.startswith(('.#', _OURS)) or '~' in part for part in lower):
        return None, "a file of ESXi's or esxi-img's own: left out"
    if parts[0] == 'etc':
        return _below_etc(short)
    if parts[:2] == ['vmfs', 'volumes']:
        return _on_volume(short, lower[2:])
    if parts[0] == 'bootbank':
        if len(parts) < 3:
            return None, ('among what ESXi starts from: left out, a folder '
                          'of its own could be had there')
        return short, None
    return None, ('not below /etc, /vmfs/volumes/LABEL or /bootbank/FOLDER: '
                  'it would be gone after a restart, so it is left out')


def _defect(path: str) -> Optional[str]:
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return 'no UTF-8: left out'
    if not path.startswith('/'):
        return 'no absolute path: left out'
    if path.endswith('/'):
        return 'the path of a folder: left out'
    parts = path.split('/')
    if '.' in parts or '..' in parts:
        return 'a path with . or .. in it: left out'
    if _UNFIT.search(path):
        return 'a path with control characters: left out'
    if length > PATH_MAX or any(len(part.encode()) > NAME_MAX
                                for part in parts):
        return 'too long a path: left out'
    return None


def _below_etc(path: str) -> Tuple[Optional[str], Optional[str]]:
    # passwd-, shadow-, configstore.db and the like as well.
    if path.lower().startswith(_BARRED) or path.lower() == _RC_LOCAL:
        return None, ('a file that decides on logging in, on the network or '
                      'on what starts: left out')
    if path in _LASTING:
        return path, None
    if path == _HOSTS:
        return path, ("ESXi's services find the host itself by it, so one "
                      'that lacks its name may stop them')
    return path, ('ESXi keeps files below /etc only if it came with them: '
                  'this one may be gone after a restart')


def _on_volume(path: str, below: List[str]
               ) -> Tuple[Optional[str], Optional[str]]:
    if len(below) < 2:
        return None, 'no file of a volume: left out'
    if below[0].startswith(_SYSTEM):
        return None, "on one of ESXi's own volumes: left out"
    return path, None
