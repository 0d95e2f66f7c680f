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

"""Read an installer ISO: its files' names and where their bytes are.

Only descriptors and directories are read, within limits that a sound image
does not come near.
"""

import dataclasses
import os

from esxi_img import errors
from esxi_img import infile
from esxi_img.iso import records
from esxi_img.iso import walk
from esxi_img import tree

MAX_CONTENT = 16 * 1024 * 1024
"""Bytes that :func:`content` takes into memory."""
MAX_METADATA = 24 * 1024 * 1024
"""Bytes of descriptors and directories: 100 000 files take some 15 MB."""
LEAST_CHARGE = 256
"""Bytes that even the smallest read counts for: it bounds their number."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What could be read of an ISO, and what is wrong with it.

    :param complete: has every directory been read?
    :param problems: one line each, with the ISO's path
    :param hint: what would help, or None
    """

    tree: tree.Tree
    complete: bool
    problems: tuple[str, ...]
    hint: str | None


def read(path: str) -> tree.Tree:
    """What the sound ISO at ``path`` holds.

    :raises InputError: everything that is wrong with the image
    :raises EnvironmentFailed: no permission, input/output error
    """
    found = scan(path)
    if found.problems:
        raise errors.InputError(*found.problems, hint=found.hint)
    return found.tree


def scan(path: str) -> Found:
    """What the ISO at ``path``, a file or a block device, holds.

    Names are those of Rock Ridge, else of Joliet, else of ISO 9660 without
    version and trailing dot.

    :raises InputError: it is no ISO 9660 image at all
    :raises EnvironmentFailed: no permission, input/output error
    """
    with infile.opened(path, block_device=True) as file:
        try:
            return _read(path, file.fileno())
        except errors.InputError as error:
            raise errors.InputError(
                *(f'{path}: {problem}' for problem in error.problems),
                hint=error.hint) from error
        except OSError as error:
            raise infile.failure(error, path) from error


def content(path: str, file: tree.File) -> bytes:
    """The bytes of a small file of the ISO.

    :raises InputError: the ISO ends before the file does, or the file is
        larger than MAX_CONTENT
    :raises EnvironmentFailed: no permission, input/output error
    """
    name = tree.show(file.path)
    if file.size > MAX_CONTENT:
        raise errors.InputError(
            f'{name}: {file.size} bytes, {MAX_CONTENT} were the most expected')
    with infile.opened(path, block_device=True) as iso:
        try:
            data = b''.join(os.pread(iso.fileno(), extent.length,
                                     extent.offset)
                            for extent in file.extents)
        except OSError as error:
            raise infile.failure(error, path) from error
    if len(data) < file.size:
        raise errors.InputError(
            f'{name}: the ISO ends {file.size - len(data)} bytes before it')
    return data


def _read(path: str, fd: int) -> Found:
    source = _Source(fd)
    sectors = source.descriptors()
    try:
        parser = records.Parser(sectors, source.read)
    except records.Damaged as error:
        raise errors.InputError(f'not a sound ISO 9660 image: {error}') \
            from error
    volume = parser.volume
    steps = walk.Walk(parser, source.read, source.size)
    hint = _check(volume, source, steps.problems)
    steps.run()
    found = tree.Tree(
        source=path, label=volume.label, created=volume.created,
        descriptors=volume.descriptors, names=volume.names,
        directories=tuple(steps.directories),
        files=tuple(sorted(steps.files, key=_position)))
    return Found(found, steps.complete, tuple(
        f'{path}: {problem}' for problem in steps.problems.told()), hint)


def _check(volume: records.Volume, source: '_Source',
           problems: walk.Problems) -> str | None:
    """Is all of the volume there, and is it the newest?  Returns a hint."""
    if volume.size > source.size:
        problems.add(f'truncated: has {source.size} bytes, {volume.size} by '
                     'its volume descriptor')
        return 'get it again and compare its checksum'
    later = source.later_session(volume.size)
    if later is not None:
        problems.add(f'a later session starts at byte {later}, but the '
                     'volume descriptor is that of an older one')
        return 'write the last session into an ISO of its own'
    return None


def _position(file: tree.File) -> tuple[int, tree.Path]:
    return file.extents[0].offset if file.extents else -1, file.path


class _Source:
    """The image's bytes; what is read of them is counted."""

    def __init__(self, fd: int) -> None:
        self.size = os.lseek(fd, 0, os.SEEK_END)
        self._fd = fd
        self._charged = 0

    def read(self, offset: int, length: int) -> bytes:
        self._charged += max(length, LEAST_CHARGE)
        if self._charged > MAX_METADATA:
            raise walk.TooMuch(
                f'its directories take more than {MAX_METADATA} bytes')
        data = os.pread(self._fd, length, offset)
        if len(data) < length:
            raise walk.Cut(
                f'truncated: ends at byte {self.size}, but a directory is '
                f'at byte {offset}')
        return data

    def descriptors(self) -> list[bytes]:
        """The sectors from the first descriptor to the terminator."""
        sectors: list[bytes] = []
        while not sectors or sectors[-1][0] != records.TERMINATOR:
            at = (records.FIRST_DESCRIPTOR + len(sectors)) * records.SECTOR
            sector = b''
            if at + records.SECTOR <= self.size:
                sector = self.read(at, records.SECTOR)
            if sector[1:6] != b'CD001':
                raise errors.InputError(
                    'its volume descriptors have no end' if sectors else
                    'not an ISO 9660 image (no volume descriptor at byte '
                    f'{at})')
            sectors.append(sector)
        return sectors

    def later_session(self, end: int) -> int | None:
        """The byte at which a volume starts that ``end``, the first's, hides.

        Each session of a multi-session medium has descriptors of its own.
        What grows a file, and not a disc, copies the newest to the front.
        """
        sector = records.SECTOR
        starts = {-(-end // align) * align
                  for align in (sector, 16 * sector, 32 * sector)}
        for start in sorted(starts):
            at = start + records.FIRST_DESCRIPTOR * sector
            if start and at + sector <= self.size:
                if self.read(at, 6) == b'\x01CD001':
                    return start
        return None
