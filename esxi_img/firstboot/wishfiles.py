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

"""Files of the user's, as cloud-config words them (cloudinit
cc_write_files)."""

import base64
import binascii
from typing import Callable
from typing import List
from typing import Mapping
from typing import Optional
from typing import Tuple

from . import wishpaths
from . import wishvalue
from .wish import WriteFile

# Where the mode that was meant cannot be told: the content may be a secret.
MODE_UNCLEAR = 0o600
MODE_MAX = 0o1777

CONTENT_MAX = 4 << 20
TOTAL_MAX = 16 << 20

_GZIP = ('gzip',)
_BASE64 = ('base64',)
_BOTH = ('base64', 'gzip')
_ENCODINGS: Mapping[str, Tuple[str, ...]] = {
    '': (), 'text/plain': (), 'b64': _BASE64, 'base64': _BASE64,
    'gz': _GZIP, 'gzip': _GZIP, 'gz+b64': _BOTH, 'gz+base64': _BOTH,
    'gzip+b64': _BOTH, 'gzip+base64': _BOTH}
_KNOWN = frozenset({
    'append', 'content', 'defer', 'encoding', 'owner', 'path', 'permissions',
    'source'})
_ROOT = ('root', '0')


def files(said: wishvalue.Entry) -> Tuple[WriteFile, ...]:
    """Those files that can be had, in order."""
    found: List[WriteFile] = []
    room = TOTAL_MAX
    for one in said.entries('write_files'):
        file = _file(one)
        if file is None:
            continue
        room -= len(file.content)
        if room < 0:
            said.odd('write_files', f'more than {TOTAL_MAX >> 20} MiB '
                                    'together: the rest is left out')
            break
        found.append(file)
    return tuple(found)


def _file(said: wishvalue.Entry) -> Optional[WriteFile]:
    said.refuse_others(_KNOWN)
    path = said.text('path')
    if not path:
        said.odd('path', 'not said: left out')
        return None
    short, message = wishpaths.judged(path)
    if message:
        said.odd('path', message)
    content = _content(said)
    if short is None or content is None:
        return None
    owner = said.text('owner')
    if owner and any(one not in _ROOT for one in owner.split(':')):
        said.odd('owner', 'all files belong to root')
    return WriteFile(
        short, said.where, content.decode('utf-8', 'surrogateescape'),
        _mode(said), said.boolean('append') or False)


def _content(said: wishvalue.Entry) -> Optional[bytes]:
    """The bytes; None: they cannot be told."""
    value = said.value('content')
    if value is None and said.value('source') is not None:
        said.odd('source', 'nothing is fetched: left out')
        return None
    if said.value('source') is not None:
        said.odd('source', 'nothing is fetched: the content is taken')
    if wishvalue.is_integer(value):
        value = str(value)
    if not isinstance(value, (str, type(None))):
        said.odd('content', 'no string: left out')
        return None
    data = _bytes(value or '')
    if data is None:
        said.odd('content', 'holds a lone surrogate: left out')
    return data if data is None else _decoded(said, data)


def _bytes(text: str) -> Optional[bytes]:
    try:
        # As !!binary is kept.
        return text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return None


def _decoded(said: wishvalue.Entry, data: bytes) -> Optional[bytes]:
    name = said.text('encoding') or ''
    ways = _ENCODINGS.get(name.strip().lower())
    if ways is None:
        said.odd('encoding', 'not known: left out')
        return None
    for way in ways:
        decoded, message = _WAYS[way](data)
        if decoded is None:
            said.odd('content', f'{message}: left out')
            return None
        data = decoded
    if len(data) > CONTENT_MAX:
        said.odd('content', f'more than {CONTENT_MAX >> 20} MiB: left out')
        return None
    return data


def _from_base64(data: bytes) -> Tuple[Optional[bytes], str]:
    try:
        return base64.b64decode(b''.join(data.split()), validate=True), ''
    except binascii.Error:
        return None, 'no base64'


def _from_gzip(data: bytes) -> Tuple[Optional[bytes], str]:
    """Of the first member, one byte more than there may be at most."""
    try:
        import zlib
    except ImportError:
        return None, 'gzip, and this Python has no zlib'
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        result = stream.decompress(data, CONTENT_MAX + 1)
    except zlib.error:
        return None, 'no gzip'
    if not stream.eof and len(result) <= CONTENT_MAX:
        return None, 'gzip that ends too early'
    if stream.unused_data:
        return None, 'gzip with something behind it'
    return result, ''


_WAYS: Mapping[str, Callable[[bytes], Tuple[Optional[bytes], str]]] = {
    'base64': _from_base64, 'gzip': _from_gzip}


def _mode(said: wishvalue.Entry) -> Optional[int]:
    """A string is octal; a number is what YAML made of an octal one."""
    value = said.value('permissions')
    if value is None:
        return None
    try:
        mode, most = (value, 0o777) if wishvalue.is_integer(value) \
            else (int(value, 8), MODE_MAX)
    except (TypeError, ValueError):
        mode, most = -1, 0
    if 0 <= mode <= most:
        return mode
    said.odd('permissions', f'no octal string up to {MODE_MAX:04o}: '
                            f'{MODE_UNCLEAR:04o} is taken')
    return MODE_UNCLEAR
