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

"""Unpacks a config drive: gzip, as base64 text, or both.

Ironic's API takes it as base64 of gzip, the client's files are often so.
"""

import base64
import binascii
import re

from .volume import Damaged

MAX_DRIVE = 64 << 20
"""Bytes: Ironic's limit, and exactly what Nova's vfat drive has."""
MAX_PACKED = 96 << 20
"""Bytes: base64 with line ends takes some 86 MiB for MAX_DRIVE."""

_GZIP = b'\x1f\x8b'
_TEXT = re.compile(rb'[A-Za-z0-9+/=\s]+')


def is_packed(head: bytes) -> bool:
    """Whether a file that starts so has to be unpacked."""
    return head.startswith(_GZIP) or bool(_TEXT.fullmatch(head))


def unpack(data: bytes) -> bytes:
    """The drive itself.

    :raises Damaged: it is too large, or not what it seemed to be
    """
    if not data.startswith(_GZIP):
        data = _decode(data)
    if data.startswith(_GZIP):
        data = _gunzip(data)
    if len(data) > MAX_DRIVE:
        raise Damaged(f'is unpacked more than {MAX_DRIVE} bytes')
    return data


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.translate(None, b' \t\r\n'),
                                validate=True)
    except binascii.Error:
        pass
    raise Damaged('neither a volume nor base64 text')


def _gunzip(data: bytes) -> bytes:
    """At most one byte more than MAX_DRIVE of what was compressed."""
    try:
        import zlib
    except ImportError as error:
        raise Damaged('is compressed, and this Python has no zlib: unpack '
                      'it with gunzip') from error
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        drive = stream.decompress(data, MAX_DRIVE + 1)
    except zlib.error as error:
        raise Damaged(f'gzip: {error}') from error
    if not stream.eof and len(drive) <= MAX_DRIVE:
        raise Damaged(f'gzip: ends after {len(data)} bytes, too early')
    if stream.unused_data.startswith(_GZIP):
        raise Damaged('gzip: has several members: pack it again')
    return drive
