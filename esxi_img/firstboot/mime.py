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

"""Takes a MIME message apart (RFC 2045, 2046), in linear time.

The standard library's parser keeps each line as an object and recurses once
for every nested part, which hostile text makes too much of.
"""

import binascii
from dataclasses import dataclass
from dataclasses import field
import re
from typing import Dict
from typing import Iterator
from typing import Optional

_FIELD = rb'[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)'
_HEAD = re.compile(rb'(?:From [^\n]*\n)?(?:' + _FIELD + rb')*(?:\r?\n)?')
_ONE = re.compile(rb'([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)')
_BOUNDARY = re.compile(
    r';\s*boundary\s*=\s*(?:"([^"]{1,99})"|([^\s;"]{1,99}))', re.IGNORECASE)
_HEAD_MAX = 16 << 10
_AS_IS = ('', '7bit', '8bit', 'binary')


@dataclass(frozen=True)
class Entity:
    """A message, or a part of one.

    :param kind: its content type in lower case, whatever it is
    :param merge: says how a cloud-config is to be merged
    :param body: still encoded
    """

    kind: Optional[str]
    encoding: str
    boundary: Optional[str]
    merge: bool
    body: bytes = field(repr=False)

    @property
    def is_multipart(self) -> bool:
        """Whether it is made of parts."""
        return bool(self.kind) and self.kind.startswith('multipart/')


def is_message(data: bytes) -> bool:
    """Whether a header of MIME's stands at the start."""
    names = {match.group(1).lower()
             for match in _ONE.finditer(data, 0, _body(data))}
    return not names.isdisjoint((b'mime-version', b'content-type'))


def entity(data: bytes) -> Entity:
    """The message; text without a header is one of unknown type."""
    start = _body(data)
    fields: Dict[str, str] = {}
    for match in _ONE.finditer(data, 0, start):
        fields.setdefault(match.group(1).decode('ascii').lower(),
                          match.group(2).decode('utf-8', 'replace').strip())
    kind = fields.get('content-type', '')
    plain = kind.split(';')[0].strip().lower()
    boundary = _BOUNDARY.search(kind)
    return Entity(
        plain or None,
        fields.get('content-transfer-encoding', '').lower(),
        boundary and (boundary.group(1) or boundary.group(2)),
        'merge-type' in fields or 'x-merge-type' in fields,
        data[start:])


def content(one: Entity) -> Optional[bytes]:
    """The body decoded; None: it cannot be."""
    if one.encoding in _AS_IS:
        return one.body
    if one.encoding == 'quoted-printable':
        return binascii.a2b_qp(one.body)
    if one.encoding != 'base64':
        return None
    try:
        # As every mail program does, without the padding as well.
        return binascii.a2b_base64(one.body + b'==')
    except binascii.Error:
        return None


def pieces(one: Entity) -> Iterator[bytes]:
    """The parts of a multipart message, whole; none without a boundary."""
    if not one.boundary:
        return
    line = re.compile(rb'(?:\A|\r?\n)--' + re.escape(one.boundary.encode())
                      + rb'(--)?[ \t]*(?=\r?\n|\Z)')
    start = None
    for match in line.finditer(one.body):
        if start is not None:
            yield _piece(one.body, start, match.start())
        if match.group(1):
            return
        start = match.end()
    if start is not None:
        yield _piece(one.body, start, len(one.body))


def _piece(body: bytes, start: int, end: int) -> bytes:
    """Without the end of the line before it."""
    newline = re.compile(rb'\r?\n').match(body, start)
    return body[newline.end() if newline else start:end]


def _body(data: bytes) -> int:
    """Where the body starts: 0 without a header, and after one too long."""
    match = _HEAD.match(data, 0, _HEAD_MAX)
    end = match.end() if match else 0
    return end if end < _HEAD_MAX else 0
