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

"""esxiimg.tgz: the one module that we add to the installer.

The installer lays its content over its own root file system, so
``esxiimg/KS.CFG`` is ``/esxiimg/KS.CFG`` there.
"""

import collections.abc
import hashlib
import io
import json
import tarfile
import zlib

from esxi_img import gzipped
from esxi_img import tree

NAME = 'esxiimg.tgz'
FOLDER = 'esxiimg'
KICKSTART = f'{FOLDER}/KS.CFG'
BUILD = f'{FOLDER}/build.json'
SETTINGS = f'{FOLDER}/settings.json'
CA = f'{FOLDER}/ca.pem'
FIRSTBOOT = f'{FOLDER}/firstboot'
COLLECTOR = f'{FOLDER}/esxi-img-collect'

MAX_UNPACKED = 256 * 1024 * 1024
"""Bytes that a module is unpacked to at most."""


def pack(files: collections.abc.Mapping[str, bytes], time: int) -> bytes:
    """The module with these files, by their path in it.

    Old GNU tar, which VisorFS reads; directories as entries of their own,
    parents first; owner root; one gzip member and nothing after it, for the
    loader takes size and checksum from the file's last bytes.

    :param time: of every entry, seconds since 1970-01-01 UTC
    """
    folders = {parent for name in files for parent in _parents(name)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w',
                      format=tarfile.GNU_FORMAT) as tar:
        for name in sorted([*folders, *files]):
            entry = tarfile.TarInfo(name)
            entry.mtime = time
            if name in folders:
                entry.type = tarfile.DIRTYPE
                entry.mode = 0o755
                tar.addfile(entry)
            else:
                entry.mode = 0o644
                entry.size = len(files[name])
                tar.addfile(entry, io.BytesIO(files[name]))
    return gzipped.packed(buffer.getvalue())


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a module, by their path in it.

    :raises ValueError: it is not one gzip member, or has no sound tar of
        plain files in it
    """
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(data, MAX_UNPACKED)
        if not inflate.eof or inflate.unused_data:
            raise ValueError('is not one gzip member')
        with tarfile.open(fileobj=io.BytesIO(plain), mode='r:') as tar:
            found = {}
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file:
                    found[member.name.removeprefix('./')] = file.read()
                elif not member.isdir():
                    raise ValueError(f'{member.name} in it is not a file')
            # tarfile takes a damaged header for the end.
            if plain[tar.offset:].strip(b'\0'):
                raise ValueError('holds a damaged tar')
            return found
    except (zlib.error, tarfile.TarError) as error:
        raise ValueError(str(error)) from error


def file_table(sizes: collections.abc.Mapping[tree.Path, int]) -> str:
    """sha256 (hex) over path and size of all files but our module."""
    pairs = sorted([tree.show(path), size] for path, size in sizes.items()
                   if tree.fold(path) != tree.fold((NAME,)))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def _parents(name: str) -> collections.abc.Iterator[str]:
    while '/' in name:
        name = name.rpartition('/')[0]
        yield name
