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

"""user_data and its like, taken apart: scripts and cloud-configs.

As cloud-init does it (cloudinit/user_data.py), and some more that its users
mean to do.
"""

import binascii
from dataclasses import dataclass
from dataclasses import field
import re
from typing import Any
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import configtext
from . import mediatype
from . import mime
from .model import Problem

CONFIG = 'config'
SCRIPT = 'script'

UNPACKED = 16 << 20
"""Bytes that may come out of all that is packed in one file."""
PIECES = 64
NESTING = 4
"""Of archives, messages and encodings in each other."""
SIZE = configtext.LIMIT
"""Bytes of a cloud-config or a script."""
TOGETHER = 4 << 20
"""Bytes of all cloud-configs and scripts of one file."""

_TOO_DEEP = f'nested more than {NESTING} levels deep: left out'
_GZIP_MAGIC = b'\x1f\x8b'
_BASE64 = re.compile(rb'[A-Za-z0-9+/]{8,}={0,2}')
_BOM = b'\xef\xbb\xbf'


@dataclass(frozen=True)
class Part:
    """A piece of user data that can be used as it is.

    :param kind: CONFIG or SCRIPT
    :param where: as in ``user_data`` or ``user_data:part[2]``
    :param content: opaque; a script starts with ``#!``
    """

    kind: str
    where: str
    content: bytes = field(repr=False)


def parts(data: bytes, where: str) -> Tuple[List[Part], List[Problem]]:
    """The scripts and cloud-configs of a piece of user data, in order.

    What is of no use is a problem each.  Empty data is neither.
    """
    return several([(where, data)])


def several(pieces: Sequence[Tuple[str, bytes]]
            ) -> Tuple[List[Part], List[Problem]]:
    """The same for the pieces that one file has, which share the limits.

    :param pieces: where each is from, and the piece
    """
    taker = _Taker()
    try:
        for where, data in pieces:
            if len(pieces) > 1:
                taker.count(where)
            taker.take(where, data, None, 0)
    except _Full as error:
        taker.problems.append(error.problem)
    return taker.parts, taker.problems


class _Full(Exception):
    """Nothing more is taken."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(where, message)


class _Taker:
    """Goes through one file, and keeps what it finds within the limits."""

    def __init__(self) -> None:
        self.parts: List[Part] = []
        self.problems: List[Problem] = []
        self._pieces = 0
        self._unpacked = 0
        self._taken = 0

    def take(self, where: str, data: bytes, declared: Optional[str],
             depth: int) -> None:
        """:raises _Full: a limit of the file is reached"""
        if depth > NESTING:
            self._odd(where, _TOO_DEEP)
        elif data.startswith(_GZIP_MAGIC):
            unpacked = self._gunzip(where, data)
            if unpacked is not None:
                self.take(where, unpacked, declared, depth + 1)
        else:
            self._take_plain(where, data, declared, depth)

    def _take_plain(self, where: str, data: bytes, declared: Optional[str],
                    depth: int) -> None:
        if data.startswith(_BOM):
            data = data[len(_BOM):]
        if not data.strip():
            return
        kind = declared
        if declared in mediatype.UNTOLD:
            kind = mediatype.of_start(data) or (
                declared if declared == mediatype.SCRIPT else None)
        if kind == mediatype.MESSAGE:
            self._take_entity(where, mime.entity(data), depth + 1)
        elif kind == mediatype.ARCHIVE:
            self._take_archive(where, data, depth)
        elif kind is None:
            self._take_unknown(where, data, depth)
        else:
            self._take_leaf(where, data, kind)

    def _take_leaf(self, where: str, data: bytes, kind: str) -> None:
        if kind in mediatype.SCRIPTS:
            self._script(where, data, kind)
        elif kind == mediatype.OBJECT:
            self._object(where, data)
        elif kind == mediatype.CONFIG:
            self._keep(Part(CONFIG, where, data))
        else:
            self._odd(where, mediatype.defect(kind))

    def _script(self, where: str, data: bytes, kind: str) -> None:
        data = data.lstrip()
        if not data.startswith(b'#!'):
            self._odd(where, 'a script whose first line does not name its '
                             'interpreter, as in #!/bin/sh: left out')
            return
        if kind == mediatype.SCRIPT_PER_BOOT:
            self._odd(where, 'a script for every boot: it runs once')
        if data.split(b'\n', 1)[0].endswith(b'\r'):
            self._odd(where, 'a script with line ends of Windows: made those '
                             'of Unix')
            data = data.replace(b'\r\n', b'\n')
        self._keep(Part(SCRIPT, where, data))

    def _object(self, where: str, data: bytes) -> None:
        """Ironic's API takes user data that is an object, not a string."""
        value, problems = configtext.decode(data, where)
        if isinstance(value, dict) and 'ignition' in value:
            self._odd(where, 'an Ignition config, which ESXi does not know: '
                             'write a cloud-config')
        elif isinstance(value, dict):
            self._keep(Part(CONFIG, where, data))
        else:
            self.problems.extend(problems)

    def _take_entity(self, where: str, one: mime.Entity, depth: int) -> None:
        """A MIME message, or a part of one."""
        if one.is_multipart:
            self._take_pieces(where, one, depth)
            return
        if one.merge:
            self._odd(where, 'Merge-Type is not supported: later parts '
                             'replace keys of earlier ones')
        content = mime.content(one)
        if content is None:
            self._odd(where, 'cannot be decoded as its '
                             'Content-Transfer-Encoding says')
            return
        self.take(where, content, one.kind, depth)

    def _take_pieces(self, where: str, one: mime.Entity, depth: int) -> None:
        if depth > NESTING:
            self._odd(where, _TOO_DEEP)
        elif not one.boundary:
            self._odd(where, 'a multipart message without a boundary')
        else:
            for index, piece in enumerate(mime.pieces(one)):
                self.count(where)
                inner = mime.entity(piece)
                self._take_entity(_path(where, f'part[{index}]'), inner,
                                  depth + 1 if inner.is_multipart else depth)

    def _take_archive(self, where: str, data: bytes, depth: int) -> None:
        value, problems = configtext.decode(data, where)
        self.problems.extend(problems)
        if problems:
            return
        if not isinstance(value, list):
            self._odd(where, 'a cloud-config-archive that is no list')
            return
        for index, entry in enumerate(value):
            self.count(where)
            self._take_entry(_path(where, f'part[{index}]'), entry, depth)

    def _take_entry(self, where: str, entry: Any, depth: int) -> None:
        if not isinstance(entry, dict):
            entry = {'content': entry}
        content, kind = entry.get('content'), entry.get('type')
        if not isinstance(content, str):
            self._odd(where, 'an entry without a content that is a string')
            return
        data = content.encode('utf-8', 'surrogateescape')
        if not isinstance(kind, str) or not kind:
            kind = mediatype.of_start(data) or mediatype.CONFIG
        self.take(where, data, kind.strip().lower(), depth + 1)

    def _take_unknown(self, where: str, data: bytes, depth: int) -> None:
        decoded = _base64(data)
        if decoded is not None:
            self._unpack(where, len(decoded))
            if decoded.startswith(_GZIP_MAGIC) or mediatype.of_start(decoded):
                self._odd(where, 'encoded as base64 once more than needed: '
                                 'taken as what it holds')
                self.take(where, decoded, None, depth + 1)
                return
        self._odd(where, 'binary data: left out' if _is_binary(data) else (
            'text of no known kind: left out; a first line such as #!/bin/sh '
            'or #cloud-config tells the kind'))

    def _gunzip(self, where: str, data: bytes) -> Optional[bytes]:
        try:
            import zlib
        except ImportError:
            self._odd(where, 'is gzip, and this Python has no zlib: give it '
                             'unpacked')
            return None
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            unpacked = stream.decompress(
                data, UNPACKED - self._unpacked + 1)
        except zlib.error:
            unpacked = b''
        self._unpack(where, len(unpacked))
        if not stream.eof:
            self._odd(where, 'gzip that is damaged or not complete: left out')
            return None
        if stream.unused_data.startswith(_GZIP_MAGIC):
            self._odd(where, 'gzip of several members, of which the first is '
                             'taken: pack it again')
        return unpacked

    def _unpack(self, where: str, size: int) -> None:
        self._unpacked += size
        if self._unpacked > UNPACKED:
            raise _Full(where, f'unpacked more than {UNPACKED >> 20} MiB: '
                               'this and the rest is left out')

    def count(self, where: str) -> None:
        self._pieces += 1
        if self._pieces > PIECES:
            raise _Full(where, f'more than {PIECES} parts: the rest is left '
                               'out')

    def _keep(self, part: Part) -> None:
        if len(part.content) > SIZE:
            self._odd(part.where, f'a {part.kind} of more than '
                                  f'{SIZE >> 20} MiB: left out')
            return
        self._taken += len(part.content)
        if self._taken > TOGETHER:
            raise _Full(part.where, 'scripts and cloud-configs of more than '
                                    f'{TOGETHER >> 20} MiB: this and the '
                                    'rest is left out')
        self.parts.append(part)

    def _odd(self, where: str, message: str) -> None:
        self.problems.append(Problem(where, message))


def _base64(data: bytes) -> Optional[bytes]:
    """What base64 text holds; None if it is none."""
    text = data.translate(None, b' \t\r\n')
    if not _BASE64.fullmatch(text):
        return None
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return None


def _is_binary(data: bytes) -> bool:
    try:
        return '\0' in data.decode('utf-8')
    except UnicodeDecodeError:
        return True


def _path(where: str, step: str) -> str:
    return f'{where}.{step}' if ':' in where else f'{where}:{step}'
