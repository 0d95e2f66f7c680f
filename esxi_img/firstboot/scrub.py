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

"""Overwrite the config drive that a host is installed from.

Its files lie behind the end of what the installer writes, or within the new
datastore, for as long as nothing else is written there; a password would,
too.  A drive holds each file once for every version of the metadata, so the
whole partition goes.
"""

from dataclasses import asdict
import errno
import os
from typing import Any
from typing import Dict
from typing import Optional
from typing import Tuple

from . import blocks
from . import finding
from . import gpt
from . import log
from . import place
from . import settings
from . import volume
from .running import Run

CHUNK = 1 << 20
# Ironic allows 64 MiB and makes 65 of them; more is somebody's own disk.
LARGEST = 1 << 30
# To open a device with.
WRITE = os.O_RDWR | os.O_CLOEXEC | getattr(os, 'O_SYNC', 0)
# What a device says that has nothing to flush.
_NO_FLUSH = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class Refused(Exception):
    """The partition is not what it was, so nothing is written."""


def scrub(run: Run, places: place.Places) -> int:
    """Overwrite what ``pre`` found; the exit status."""
    say = log.Log('scrub', run, places)
    kept = place.read_json(places.pre).get('drive')
    wishes = settings.from_json(place.read_json(
        places.own('settings.json')))
    if not kept or wishes.keep_config_drive:
        say.say('no config drive to overwrite' if not kept else
                'the config drive is kept, as the image was built to')
        return 0
    try:
        source, disk_guid = _from_json(kept)
        overwrite(source, disk_guid)
        clean = is_clean(source)
    except (Refused, volume.Damaged) as error:
        say.say(f'problem: the config drive is not overwritten: {error}')
        return 1
    except OSError as error:
        say.say('problem: the config drive is not all overwritten: '
                f'{error.strerror}')
        return 1
    say.say(f'{source.name} is overwritten' if clean else
            f'problem: {source.name} still holds what was overwritten')
    return 0 if clean else 1


def as_json(source: finding.Source, disk_guid: str) -> Dict[str, Any]:
    """What ``pre`` has to keep for this.

    :param source: with a partition
    """
    return {**asdict(source), 'disk_guid': disk_guid}


def _from_json(kept: Dict[str, Any]
               ) -> Tuple[finding.Source, str]:
    """:raises Refused: it is not what as_json() gave"""
    try:
        source = finding.Source(kept['path'], kept['name'],
                                gpt.Partition(**kept['partition']))
        return source, kept['disk_guid']
    except (KeyError, TypeError):
        pass
    raise Refused('nobody says where it is')


def overwrite(source: finding.Source, disk_guid: str) -> None:
    """Put zeros, and the mark, where the drive was.

    The mark comes first, with the drive's own head: whatever happens then,
    it is no drive any more, and says why.

    :param source: with a partition
    :param disk_guid: of the disk; both must still be there
    :raises Refused: they are not
    :raises OSError: it cannot be written, or not all of it
    """
    part = source.partition
    if part is None or not 4096 <= part.size <= LARGEST:
        raise Refused(f'{source.name} has not the size of a config drive')
    fd = os.open(source.path, WRITE)
    try:
        fill(fd, part.start, part.size, _sector_size(fd, part, disk_guid),
             finding.MARK)
    finally:
        os.close(fd)


def _sector_size(fd: int, part: gpt.Partition, disk_guid: str) -> int:
    """:raises Refused: the partition is not where it was"""
    problem: Optional[str] = None
    try:
        table = gpt.read(blocks.Blocks(fd), os.lseek(fd, 0, os.SEEK_END))
    except volume.Damaged as error:
        problem = str(error)
    else:
        if table.disk_guid == disk_guid and part in table.partitions:
            return table.sector_size
    raise Refused(problem or f'partition {part.number} is not in the '
                  'partition table as it was')


def fill(fd: int, start: int, size: int, sector: int, head: bytes = b''
         ) -> None:
    """Write zeros, and have the device keep them.

    In whole sectors, and never across a multiple of CHUNK on the disk.

    :param start: on the disk, in bytes
    :param sector: bytes of one, which is more than ``head`` has
    :param head: what to write at the start instead
    :raises OSError: not all is written
    """
    at, end = start, start + size
    while at < end:
        data = bytes(min(CHUNK - at % CHUNK, end - at))
        if at == start:
            data = head.ljust(len(data), b'\0')
        written = os.pwrite(fd, data, at)
        if written < sector:
            raise OSError(errno.EIO, 'the device takes no more')
        at += written - written % sector
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def is_clean(source: finding.Source) -> bool:
    """Whether nothing but the mark and zeros is left, read anew.

    :raises Damaged: it cannot be read
    :raises OSError: it cannot be opened
    """
    size = source.partition.size if source.partition else 0
    mark = finding.MARK
    with finding.opened(source) as bytes_:
        if bytes_.read(0, len(mark)) != mark:
            return False
        offset = len(mark)
        while offset < size:
            length = min(CHUNK - offset % CHUNK, size - offset)
            if bytes_.read(offset, length).strip(b'\0'):
                return False
            offset += length
    return True
