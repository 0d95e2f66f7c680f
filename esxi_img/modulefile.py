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

"""Driver and patch modules that the user hands in."""

import collections.abc
import hashlib
import os
import typing
import zlib

from esxi_img import bundle
from esxi_img.disk import dosname
from esxi_img.disk import fat32
from esxi_img import errors
from esxi_img import infile
from esxi_img import mboot
from esxi_img import tree

CHUNK = 1024 * 1024
GZIP = b'\x1f\x8b'
ELF = b'\x7fELF'
PACKAGES = {b'!<ar': 'a VIB package', b'PK\x03\x04': 'a zip archive'}


def read(path: str) -> tree.Extra:
    """Read a module once, whole, and judge it as the boot loader will.

    :raises InputError: the loader, or FAT, would not take it
    """
    name = os.path.basename(path)
    wrong = _name_problem(name)
    if wrong:
        raise errors.InputError(f'module {path}: {wrong}')
    with infile.opened(path, 'module ') as file:
        try:
            return _judge(path, name, file)
        except OSError as error:
            raise infile.failure(error, f'module {path}') from error


def _name_problem(name: str) -> str | None:
    wrong = dosname.problem(name)
    if wrong:
        return wrong
    if not name.isascii() or ' ' in name or '---' in name:
        return ('the boot loader takes names of ASCII without blanks '
                'or "---"')
    if name.rpartition('.')[0].lower() in mboot.SIGNED_NAMES or (
            name.lower() in mboot.SIGNED_NAMES):
        return 'the boot loader reserves this name for signed modules'
    if name.lower() == bundle.NAME:
        return 'this is the name of our own module'
    return None


def _judge(path: str, name: str, file: typing.BinaryIO) -> tree.Extra:
    digest, size = hashlib.sha256(), 0

    def counted() -> collections.abc.Iterator[bytes]:
        nonlocal size
        for chunk in iter(lambda: file.read(CHUNK), b''):
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    packed, head = check(f'module {path}', counted())
    if not size:
        raise errors.InputError(f'module {path}: is empty')
    if size > fat32.MAX_FILE:
        raise errors.InputError(f'module {path}: has {size} bytes, FAT32 '
                                f'allows {fat32.MAX_FILE}')
    notes = []
    if not packed and head in PACKAGES:
        raise errors.InputError(
            f'module {path}: is {PACKAGES[head]}, not a boot module',
            hint='add the payload inside it, or put the package into the '
                 'ISO with Image Builder')
    if not packed:
        notes.append(f'module {name} is not gzip; the boot loader passes it '
                     'on as it is')
    if head == ELF:
        notes.append(f'module {name} is an ELF file; with Secure Boot the '
                     'boot loader wants it signed')
    return tree.Extra(path, name, size, digest.hexdigest(), tuple(notes))


def check(name: str, chunks: collections.abc.Iterable[bytes]
          ) -> tuple[bool, bytes]:
    """Read a module; is it gzip, and what are the first bytes in it?

    :param name: for messages
    :raises InputError: it is gzip that the loader would stop at
    """
    member, head = None, b''
    for number, chunk in enumerate(chunks):
        if not number:
            head = chunk[:4]
            member = Member(name) if chunk.startswith(GZIP) else None
        if member:
            member.feed(chunk)
    return (True, member.end()) if member else (False, head)


class Member:
    """Checks that a stream is one gzip member and nothing more.

    The loader takes size and CRC from the file's last 8 bytes.

    :raises InputError: from both methods, if it is not
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflate = zlib.decompressobj(wbits=31)
        self._head = b''
        self._size = 0

    def feed(self, data: bytes) -> None:
        """The next bytes of the file."""
        if self._inflate.eof:
            raise self._bad('has bytes after its gzip member')
        while data:
            try:
                plain = self._inflate.decompress(data, CHUNK)
            except zlib.error as error:
                raise self._bad('is damaged gzip') from error
            data = self._inflate.unconsumed_tail
            self._head = (self._head + plain)[:4]
            self._size += len(plain)
        if self._inflate.unused_data:
            raise self._bad('has bytes after its gzip member')

    def end(self) -> bytes:
        """The first bytes of what is inside."""
        while not self._inflate.eof:
            plain = self._inflate.decompress(
                self._inflate.unconsumed_tail, CHUNK)
            if not plain:
                raise self._bad('is truncated gzip')
            self._size += len(plain)
        if self._size >= 1 << 32:
            raise self._bad('unpacks to 4 GiB or more')
        return self._head

    def _bad(self, what: str) -> errors.InputError:
        return errors.InputError(
            f'{self._name}: {what}; the boot loader would stop')
