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

"""Overwrite the config drive that a host was installed from.

Its files lie behind the end of what the installer writes, or within the new
datastore, for as long as nothing else is written there; a password would,
too.  A drive holds each file once for every version of the metadata, so the
whole partition goes.
"""

import os

from . import blocks
from . import finding
from . import gpt
from . import volume

CHUNK = 1 << 20
# Ironic allows 64 MiB and makes 65 of them; more is somebody's own disk.
LARGEST = 1 << 30


class Refused(Exception):
    """The partition is not what it was, so nothing is written."""


def scrub(source: finding.Source, guid: str) -> None:
    """Put zeros, and the mark, where the drive was.

    :param source: a partition, by its place on its disk
    :param guid: of the partition, for it must still be there
    :raises Refused: it is not
    :raises OSError: it cannot be written
    """
    size = source.size or 0
    if not finding.MARK or not 4096 <= size <= LARGEST:
        raise Refused(f'{source.name}: {size} bytes are no config drive')
    fd = os.open(source.path, os.O_RDWR)
    try:
        _check(fd, source, guid)
        first = finding.MARK + bytes(4096 - len(finding.MARK))
        offset = 0
        while offset < size:
            data = bytes(min(CHUNK, size - offset))
            if not offset:
                data = first + data[len(first):]
            written = os.pwrite(fd, data, source.start + offset)
            if written != len(data):
                # Whole sectors again, as raw devices want it.
                written -= written % 4096
            if not written:
                raise OSError(5, 'nothing more is written')
            offset += written
        os.fsync(fd)
    finally:
        os.close(fd)


def _check(fd: int, source: finding.Source, guid: str) -> None:
    try:
        table = gpt.read(blocks.Blocks(fd), os.lseek(fd, 0, os.SEEK_END))
    except volume.Damaged as error:
        raise Refused(f'{source.path}: {error}') from None
    if not any((one.guid, one.start, one.size) == (
            guid, source.start, source.size) for one in table.partitions):
        raise Refused(f'{source.name} is not in the partition table as it '
                      'was read before')


def is_clean(source: finding.Source) -> bool:
    """Whether nothing but the mark and zeros is left."""
    fd = os.open(source.path, os.O_RDONLY)
    try:
        reader = blocks.Blocks(fd, source.size, source.start)
        offset, size = 0, source.size or 0
        while offset < size:
            data = reader.read(offset, min(CHUNK, size - offset))
            if not offset:
                if not data.startswith(finding.MARK):
                    return False
                data = data[len(finding.MARK):]
                offset += len(finding.MARK)
            if data.strip(b'\0'):
                return False
            offset += len(data)
        return True
    finally:
        os.close(fd)
