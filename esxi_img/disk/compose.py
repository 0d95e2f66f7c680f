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

"""Turns a layout into the pieces of the image, in the order they lie."""

import array
import collections.abc
import dataclasses
import datetime
import sys
import uuid

from esxi_img.disk import dosname
from esxi_img.disk import fat32
from esxi_img.disk import geometry
from esxi_img.disk import gpt
from esxi_img.disk import layout
from esxi_img import tree

VOLUME_LABEL = b'ESXI-IMG   '


@dataclasses.dataclass(frozen=True)
class Ids:
    """What makes an image unlike others, and its one date.

    :param disk: GPT disk GUID
    :param partition: GPT unique partition GUID
    :param volume: FAT volume serial number, 32 bits
    :param time: seconds since 1970-01-01 UTC, of every file
    """

    disk: uuid.UUID
    partition: uuid.UUID
    volume: int
    time: int


@dataclasses.dataclass(frozen=True)
class Piece:
    """Bytes at an offset of the image; what no piece covers is zero."""

    offset: int
    content: bytes | layout.Stored = dataclasses.field(repr=False)


def pieces(plan: layout.Layout,
           ids: Ids) -> collections.abc.Iterator[Piece]:
    """All pieces, ascending by offset."""
    front, back = gpt.primary_and_backup(
        plan.table, ids.disk, gpt.efi_system(plan.table, ids.partition))
    yield Piece(0, front)
    base, volume = plan.volume_offset, plan.volume
    for sector, record in _reserved_area(plan, ids):
        yield Piece(base + sector * volume.sector_size, record)
    fat = _fat(plan)
    for number in range(geometry.NUM_FATS):
        first = volume.reserved + number * volume.fat_sectors
        yield Piece(base + first * volume.sector_size, fat)
    stamp = _Stamp.of(ids.time)
    sizes = {item.path: item.size for item in plan.items}
    for path in plan.children:
        offset = volume.cluster_offset(plan.placed[path].cluster)
        yield Piece(base + offset, _directory(plan, path, stamp, sizes))
    for item in plan.items:
        run = plan.placed[item.path]
        if run.count:
            yield Piece(base + volume.cluster_offset(run.cluster),
                        item.content)
    yield Piece(plan.size - len(back), back)


def _reserved_area(plan: layout.Layout,
                   ids: Ids) -> list[tuple[int, bytes]]:
    """Boot sector and FSInfo with their backups, by sector number."""
    volume = plan.volume
    boot = fat32.BootSector(
        BPB_BytsPerSec=volume.sector_size,
        BPB_SecPerClus=volume.sectors_per_cluster,
        BPB_RsvdSecCnt=volume.reserved, BPB_HiddSec=plan.table.start,
        BPB_TotSec32=volume.total_sectors, BPB_FATSz32=volume.fat_sectors,
        BS_VolID=ids.volume, BS_VolLab=VOLUME_LABEL)
    free = volume.clusters - plan.used_clusters
    info = fat32.FSInfo(
        FSI_Free_Count=free,
        FSI_Nxt_Free=(fat32.FIRST_CLUSTER + plan.used_clusters
                      if free else 0xFFFFFFFF))
    at, backup = boot.BPB_FSInfo, boot.BPB_BkBootSec
    return [(0, boot.pack()), (at, info.pack()),
            (backup, boot.pack()), (backup + at, info.pack())]


def _fat(plan: layout.Layout) -> bytes:
    """One FAT up to its last used entry; every chain is one run."""
    # The two reserved entries: the media byte; clean and error-free.
    entries = array.array('I', [0x0FFFFF00 | fat32.MEDIA,
                                fat32.END_OF_CHAIN])
    for run in plan.placed.values():
        if run.count:
            entries.extend(range(run.cluster + 1, run.cluster + run.count))
            entries.append(fat32.END_OF_CHAIN)
    if sys.byteorder == 'big':
        entries.byteswap()
    return entries.tobytes()


@dataclasses.dataclass(frozen=True)
class _Stamp:
    """A moment as FAT keeps it, in UTC: FAT knows no time zones."""

    date: int
    time: int
    tenths: int

    @classmethod
    def of(cls, seconds: int) -> '_Stamp':
        # FAT's years are 1980 to 2107.
        when = datetime.datetime.fromtimestamp(
            min(max(seconds, 315532800), 4354819198), datetime.timezone.utc)
        return cls((when.year - 1980) << 9 | when.month << 5 | when.day,
                   when.hour << 11 | when.minute << 5 | when.second // 2,
                   when.second % 2 * 100)

    def entry(self, name: bytes, attributes: int, cluster: int,
              size: int = 0, ntres: int = 0) -> bytes:
        return fat32.DirEntry(
            DIR_Name=name, DIR_Attr=attributes, DIR_NTRes=ntres,
            DIR_CrtTimeTenth=self.tenths, DIR_CrtTime=self.time,
            DIR_CrtDate=self.date, DIR_LstAccDate=self.date,
            DIR_WrtTime=self.time, DIR_WrtDate=self.date,
            DIR_FstClusHI=cluster >> 16, DIR_FstClusLO=cluster & 0xFFFF,
            DIR_FileSize=size).pack()


def _directory(plan: layout.Layout, path: tree.Path, stamp: _Stamp,
               sizes: dict[tree.Path, int]) -> bytes:
    """The entries of one directory."""
    if path:
        parent = plan.placed[path[:-1]].cluster if path[:-1] else 0
        entries = [
            stamp.entry(b'.'.ljust(11), fat32.ATTR_DIRECTORY,
                        plan.placed[path].cluster),
            # ".." of a first-level directory says 0, not the root's cluster.
            stamp.entry(b'..'.ljust(11), fat32.ATTR_DIRECTORY, parent)]
    else:
        entries = [stamp.entry(VOLUME_LABEL, fat32.ATTR_VOLUME_ID, 0)]
    for child in plan.children[path]:
        if not child.short.complete:
            entries += dosname.long_entries(child.name, child.short.raw)
        entries.append(stamp.entry(
            child.short.raw,
            (fat32.ATTR_DIRECTORY if child.is_directory
             else fat32.ATTR_ARCHIVE),
            plan.placed[child.path].cluster, sizes.get(child.path, 0),
            child.short.ntres))
    return b''.join(entries)
