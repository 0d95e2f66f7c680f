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

"""Reads a FAT32 volume back, ours or anybody's, and checks it whole."""

import array
import collections.abc
import dataclasses
import os
import sys

from esxi_img.disk import fat32
from esxi_img.disk import geometry
from esxi_img import errors
from esxi_img import tree

END_MIN = 0x0FFFFFF8
MASK = 0x0FFFFFFF


@dataclasses.dataclass(frozen=True)
class Volume:
    """What a FAT32 volume holds; extents count from the disk's start.

    :param problems: what a checker would complain of, one line each
    """

    label: str
    volume_id: int
    geometry: geometry.Geometry
    directories: tuple[tree.Path, ...]
    files: tuple[tree.File, ...]
    problems: tuple[str, ...]


def read(fd: int, offset: int, size: int, name: str) -> Volume:
    """The volume in a part of a raw image; figures in bytes.

    :raises InputError: it is no FAT32 volume
    """
    boot, shape = _boot_sector(os.pread(fd, 512, offset), size, name)
    problems = []
    backup = os.pread(fd, 512, offset + boot.BPB_BkBootSec *
                      boot.BPB_BytsPerSec)
    if boot.BPB_BkBootSec and backup != boot.pack():
        problems.append('FAT32: the backup boot sector differs')
    if boot.BPB_NumFATs > 1 and not _same_fats(fd, offset, boot):
        problems.append('FAT32: the FATs differ')
    walk = _Walk(fd, offset, shape, _load_fat(fd, offset, shape))
    walk.directory((), boot.BPB_RootClus)
    walk.lost_clusters()
    _check_free(fd, offset, boot, walk)
    label = boot.BS_VolLab.decode('latin-1').strip()
    return Volume(label, boot.BS_VolID, shape, tuple(walk.directories),
                  tuple(walk.files), (*problems, *walk.problems))


def _boot_sector(data: bytes, size: int, name: str
                 ) -> tuple[fat32.BootSector, geometry.Geometry]:
    """The boot sector, if its figures make sense."""
    if len(data) < fat32.BootSector.SIZE:
        raise errors.InputError(f'{name}: no FAT32 volume: too short')
    boot = fat32.BootSector.unpack(data)
    sector, per = boot.BPB_BytsPerSec, boot.BPB_SecPerClus
    for field, good in (
            ('Signature_word', boot.Signature_word == 0xAA55),
            ('BPB_BytsPerSec', sector in (512, 1024, 2048, 4096)),
            ('BPB_SecPerClus', per and not per & (per - 1)),
            ('BPB_RsvdSecCnt', boot.BPB_RsvdSecCnt),
            ('BPB_NumFATs', boot.BPB_NumFATs in (1, 2)),
            ('BPB_FATSz16', not boot.BPB_FATSz16),
            ('BPB_FATSz32', boot.BPB_FATSz32),
            ('BPB_TotSec32', 0 < boot.BPB_TotSec32 * (sector or 1) <= size)):
        if not good:
            value = getattr(boot, field)
            raise errors.InputError(
                f'{name}: no FAT32 volume: {field} is {value:#x}')
    start = boot.BPB_RsvdSecCnt + boot.BPB_NumFATs * boot.BPB_FATSz32
    clusters = (boot.BPB_TotSec32 - start) // per
    if not fat32.MIN_CLUSTERS <= clusters <= min(
            fat32.MAX_CLUSTERS, boot.BPB_FATSz32 * sector // 4 - 2):
        raise errors.InputError(
            f'{name}: no FAT32 volume: {clusters} clusters')
    return boot, _Shape(sector, per, boot.BPB_RsvdSecCnt, boot.BPB_FATSz32,
                        clusters, boot.BPB_NumFATs)


@dataclasses.dataclass(frozen=True)
class _Shape(geometry.Geometry):
    """A geometry that may have one FAT."""

    num_fats: int

    @property
    def data_start(self) -> int:
        return self.reserved + self.num_fats * self.fat_sectors


def _same_fats(fd: int, offset: int, boot: fat32.BootSector) -> bool:
    length = boot.BPB_FATSz32 * boot.BPB_BytsPerSec
    first = offset + boot.BPB_RsvdSecCnt * boot.BPB_BytsPerSec
    chunk = 1024 * 1024
    return all(
        os.pread(fd, min(chunk, length - at), first + at) ==
        os.pread(fd, min(chunk, length - at), first + length + at)
        for at in range(0, length, chunk))


def _load_fat(fd: int, offset: int, shape: geometry.Geometry
              ) -> 'array.array[int]':
    fat = array.array('I')
    fat.frombytes(os.pread(fd, (shape.clusters + 2) * 4,
                           offset + shape.reserved * shape.sector_size))
    if sys.byteorder == 'big':
        fat.byteswap()
    return fat


def _check_free(fd: int, offset: int, boot: fat32.BootSector,
                walk: '_Walk') -> None:
    data = os.pread(fd, fat32.FSInfo.SIZE,
                    offset + boot.BPB_FSInfo * boot.BPB_BytsPerSec)
    info = fat32.FSInfo.unpack(data)
    if (info.FSI_LeadSig, info.FSI_StrucSig, info.FSI_TrailSig) != (
            0x41615252, 0x61417272, 0xAA550000):
        walk.problems.append('FAT32: FSInfo has no signature')
    elif info.FSI_Free_Count not in (walk.free, 0xFFFFFFFF):
        walk.problems.append(
            f'FAT32: FSInfo says {info.FSI_Free_Count} clusters are free, '
            f'{walk.free} are')


class _Walk:
    """Walks a volume's directories and follows every chain once."""

    def __init__(self, fd: int, offset: int, shape: geometry.Geometry,
                 fat: 'array.array[int]') -> None:
        self._fd = fd
        self._offset = offset
        self._shape = shape
        self._fat = fat
        self._used = bytearray(shape.clusters + 2)
        self.directories: list[tree.Path] = []
        self.files: list[tree.File] = []
        self.problems: list[str] = []

    @property
    def free(self) -> int:
        return sum(1 for entry in self._fat[2:] if not entry & MASK)

    def directory(self, path: tree.Path, cluster: int) -> None:
        """Read a directory and, with a stack of its own, all below it."""
        pending = [(path, cluster)]
        while pending:
            path, cluster = pending.pop()
            data = b''.join(
                os.pread(self._fd, extent.length, extent.offset)
                for extent in self._extents(path, cluster, None))
            for name, entry in self._entries(path, data):
                below = (*path, name)
                if entry.DIR_Attr & fat32.ATTR_DIRECTORY:
                    if entry.DIR_FileSize:
                        self._bad(below, 'is a directory with a size')
                    self.directories.append(below)
                    pending.append((below, entry.cluster))
                else:
                    self.files.append(tree.File(
                        below, entry.DIR_FileSize, self._extents(
                            below, entry.cluster, entry.DIR_FileSize)))

    def lost_clusters(self) -> None:
        lost = sum(1 for number, used in enumerate(self._used)
                   if number >= 2 and not used and self._fat[number] & MASK)
        if lost:
            self.problems.append(f'FAT32: {lost} clusters belong to no file')

    def _extents(self, path: tree.Path, cluster: int,
                 size: int | None) -> tuple[tree.Extent, ...]:
        """The runs of a chain; of a directory (size None), all of it."""
        runs: list[list[int]] = []
        per = self._shape.cluster_bytes
        count = 0
        while cluster and cluster < END_MIN:
            if not 2 <= cluster < self._shape.clusters + 2 or (
                    self._used[cluster]):
                self._bad(path, f'its chain runs into cluster {cluster}')
                break
            self._used[cluster] = 1
            count += 1
            if runs and runs[-1][0] + runs[-1][1] == cluster:
                runs[-1][1] += 1
            else:
                runs.append([cluster, 1])
            cluster = self._fat[cluster] & MASK
        if size is None:
            size = count * per
        if count != geometry.clusters_for(size, per):
            self._bad(path, f'has {size} bytes and {count} clusters')
        extents = []
        for first, length in runs:
            extents.append(tree.Extent(
                self._offset + self._shape.cluster_offset(first),
                min(length * per, size)))
            size -= extents[-1].length
        return tuple(extent for extent in extents if extent.length > 0)

    def _entries(self, path: tree.Path, data: bytes
                 ) -> collections.abc.Iterator[tuple[str, fat32.DirEntry]]:
        """Name and entry of what a directory holds, but "." and ".."."""
        long: list[fat32.LongEntry] = []
        for at in range(0, len(data), fat32.DirEntry.SIZE):
            raw = data[at:at + fat32.DirEntry.SIZE]
            if raw[0] == 0:
                break
            if raw[0] == 0xE5:
                long = []
                continue
            if raw[11] & 0x3F == fat32.ATTR_LONG_NAME:
                long.append(fat32.LongEntry.unpack(raw))
                continue
            entry = fat32.DirEntry.unpack(raw)
            name = self._name(path, entry, long)
            long = []
            if entry.DIR_Attr & fat32.ATTR_VOLUME_ID or name in ('.', '..'):
                continue
            yield name, entry

    def _name(self, path: tree.Path, entry: fat32.DirEntry,
              long: list[fat32.LongEntry]) -> str:
        short = short_text(entry)
        if not long:
            return short
        total = fat32.checksum(entry.DIR_Name)
        orders = [part.LDIR_Ord for part in long]
        wanted = list(range(len(long), 0, -1))
        wanted[0] |= fat32.LAST_LONG_ENTRY
        if orders != wanted or any(
                part.LDIR_Chksum != total for part in long):
            self._bad((*path, short), 'has a long name that is not its own')
            return short
        units = b''.join(part.name for part in reversed(long))
        return units.decode('utf-16-le', 'replace').split('\0')[0]

    def _bad(self, path: tree.Path, what: str) -> None:
        self.problems.append(f'FAT32: {tree.show(path) or "/"!r} {what}')


def short_text(entry: fat32.DirEntry) -> str:
    """An 8.3 name as it is shown."""
    raw = entry.DIR_Name
    base = raw[:8].decode('latin-1').rstrip(' ')
    extension = raw[8:].decode('latin-1').rstrip(' ')
    if entry.DIR_NTRes & fat32.NTRES_LOWER_BASE:
        base = base.lower()
    if entry.DIR_NTRes & fat32.NTRES_LOWER_EXT:
        extension = extension.lower()
    return f'{base}.{extension}' if extension else base
