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

"""Finds secrets in files and disks, however they are spelled or packed."""

import base64
import collections.abc
import json
import os
import pathlib
import re
import stat
import typing
import urllib.parse
import zlib

DEPTH = 4
"""Archives within archives that are opened."""
LARGEST = 256 << 20
"""Bytes that are unpacked of one of them."""
SHORTEST = 6
"""Characters: fewer are found everywhere."""

Secrets = collections.abc.Mapping[str, str]
"""What to call it, and the secret itself."""

_GZIP = b'\x1f\x8b\x08'
_PACKED = re.compile(re.escape(_GZIP) + rb'[\x00-\x1f]|PK\x03\x04')
_PIECE = 1 << 16
_URL_SAFE = bytes.maketrans(b'+/', b'-_')


class Hit(typing.NamedTuple):
    """A secret, by its name, was found."""

    secret: str
    form: str
    where: str
    offset: int
    """The first one there, in bytes."""


def forms(secret: str) -> dict[bytes, str]:
    """What to look for, and what it is called."""
    if len(secret) < SHORTEST:
        raise ValueError(f'a secret of {len(secret)} characters')
    data = secret.encode()
    found = {data: 'clear', secret.encode('utf-16-le'): 'UTF-16LE'}
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        found |= {once.encode(): 'JSON', twice.encode(): 'JSON in JSON'}
    for quote in (urllib.parse.quote, urllib.parse.quote_plus):
        found[quote(secret, safe='').encode()] = 'URL'
    for shift in range(3):
        # The characters that hold bits of the neighbours are left out.
        coded = base64.b64encode(bytes(shift) + data)[
            -(-shift * 8 // 6):(shift + len(data)) * 8 // 6]
        found |= {coded: 'base64', coded.translate(_URL_SAFE): 'base64'}
    return {**found, data: 'clear'}


def search(paths: collections.abc.Iterable[str | os.PathLike],
           secrets: Secrets) -> list[Hit]:
    """Look through files, disks with holes, and all below folders.

    Names count, too; links are not followed.
    """
    needles = _needles(secrets)
    hits = []
    for path in paths:
        for file in _files(pathlib.Path(path)):
            name = os.fsencode(file)
            hits += _find(name, needles, f'name of {file}', 0)
            for at, data in _extents(file):
                hits += [hit._replace(offset=at + hit.offset) for hit
                         in _find(data, needles, str(file), DEPTH)]
    return hits


def find(data: bytes, secrets: Secrets, where: str = '') -> list[Hit]:
    """Look through bytes."""
    return _find(data, _needles(secrets), where, DEPTH)


def _needles(secrets: Secrets) -> list[tuple[bytes, str, str]]:
    return [(needle, name, form) for name, secret in secrets.items()
            for needle, form in forms(secret).items()]


def _find(data: bytes, needles: list[tuple[bytes, str, str]], where: str,
          depth: int) -> list[Hit]:
    hits = [Hit(name, form, where, at) for needle, name, form in needles
            if (at := data.find(needle)) >= 0]
    for match in _PACKED.finditer(data) if depth else ():
        inner = _unpacked(data, match.start())
        hits += [hit._replace(offset=match.start()) for hit in _find(
            inner, needles, f'{where} > packed', depth - 1)]
    return hits


def _unpacked(data: bytes, start: int) -> bytes:
    """As much as can be unpacked of the member that starts there."""
    if data.startswith(_GZIP, start):
        unpack = zlib.decompressobj(31)
    else:
        unpack = zlib.decompressobj(-15)
        # The lengths of name and extra field, see APPNOTE.TXT 4.3.7.
        start += 30 + sum(int.from_bytes(data[start + at:start + at + 2],
                                         'little') for at in (26, 28))
    found, size = [], 0
    while not unpack.eof and start < len(data) and size < LARGEST:
        try:
            found.append(unpack.decompress(data[start:start + _PIECE]))
        except zlib.error:
            break
        start += _PIECE
        size += len(found[-1])
    return b''.join(found)


def _files(path: pathlib.Path) -> collections.abc.Iterator[pathlib.Path]:
    """The regular files at or below a path."""
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(path.iterdir()):
            yield from _files(entry)
    elif stat.S_ISREG(path.lstat().st_mode):
        yield path


def _extents(path: pathlib.Path
             ) -> collections.abc.Iterator[tuple[int, bytes]]:
    """Offset and bytes of all that is not a hole."""
    with open(path, 'rb') as file:
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            yield start, os.pread(file.fileno(), end - start, start)
