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

"""Names of ISO 9660 files: Rock Ridge, Joliet and plain ones.

Rock Ridge (RRIP 1.12) puts them into fields of the system use area that ends
each directory record, and in continuation areas elsewhere (SUSP 1.12).
"""

import struct
from typing import Callable
from typing import List
from typing import Optional
from typing import Tuple

from .volume import Damaged
from .volume import without_version

MAX_AREAS = 16
"""Continuation areas of one record: real ones have one or two."""

_CONTINUATION = struct.Struct('<L4xL4xL4x')
_ODD = {b'SL': 'a symbolic link', b'PN': 'a device', b'SF': 'a sparse file',
        b'ZF': 'compressed with zisofs'}

Field = Tuple[bytes, bytes]
"""Signature and value."""
Continue = Callable[[int, int, int], bytes]
"""(block, offset in it, length) -> a continuation area."""


def plain(identifier: bytes) -> str:
    """A name by ECMA-119, without ``;1`` and trailing dot."""
    return without_version(identifier.decode('utf-8', 'replace'))


def joliet(identifier: bytes) -> str:
    """A name in UCS-2, without ``;1``."""
    return without_version(identifier.decode('utf-16-be', 'replace'))


def rock_ridge(fields: List[Field]) -> Optional[str]:
    """The name that the NM fields say, if any do (RRIP 4.1.4)."""
    name = b''.join(value[1:] for kind, value in fields if kind == b'NM')
    return name.decode('utf-8', 'surrogateescape') or None


def oddity(fields: List[Field]) -> Optional[str]:
    """What an entry is if its extent is not the file's content."""
    return next((_ODD[kind] for kind, _ in fields if kind in _ODD), None)


def susp_start(area: bytes) -> Optional[int]:
    """Where the fields start in the root's first record, if SUSP is in use.

    Behind the 14 bytes of a CD-ROM XA record, or at once (SUSP 5.3).
    """
    return next((start for start in (0, 14)
                 if area[start:start + 6] == b'SP\x07\x01\xbe\xef'), None)


def susp_skip(fields: List[Field]) -> Optional[int]:
    """Of the root's first record: bytes to skip in all others.

    :returns: None: these fields are no Rock Ridge
    """
    kinds = {kind for kind, _ in fields}
    skips = [value[2] for kind, value in fields
             if kind == b'SP' and len(value) > 2]
    return skips[0] if skips and kinds & {b'RR', b'PX', b'NM'} else None


def susp_fields(area: bytes, more: Continue) -> List[Field]:
    """All fields of a system use area and of its continuation areas.

    :raises Damaged: these have no end
    """
    found: List[Field] = []
    for _ in range(MAX_AREAS):
        # The field that names the next area need not be the last of this.
        following = None
        for kind, value in _area(area):
            if kind == b'CE' and len(value) == _CONTINUATION.size:
                following = _CONTINUATION.unpack(value)
            else:
                found.append((kind, value))
        if following is None:
            return found
        area = more(*following)
    raise Damaged(f'more than {MAX_AREAS} continuation areas')


def _area(area: bytes) -> List[Field]:
    found = []
    at = 0
    while at + 4 <= len(area):
        kind, length = area[at:at + 2], area[at + 2]
        # What cannot be a field is padding.
        if length < 4 or length > len(area) - at or kind == b'ST':
            break
        found.append((kind, area[at + 4:at + length]))
        at += length
    return found
