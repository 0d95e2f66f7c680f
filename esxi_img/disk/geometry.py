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

"""The numbers of a FAT32 volume, from its content's sizes alone.

::

    sector 0         boot sector          6  its backup
           1         FSInfo               7  its backup
    RsvdSecCnt       first FAT, second FAT
    data             cluster 2 = root directory, directories, files

The reserved area is stretched so that the data start on a multiple of the
cluster size: writes then fall on whole pages and flash blocks.
"""

import collections.abc
import dataclasses

from esxi_img.disk import fat32

MAX_CLUSTER_BYTES = 32768
MIN_RESERVED = 32
NUM_FATS = 2
SAFE_CLUSTERS = fat32.MIN_CLUSTERS + 16
"""Drivers count the FAT16 limit differently; stay clear of it, as the
specification advises."""

SECTOR_SIZES = (512, 4096)


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A FAT32 volume; all figures in sectors but ``clusters``."""

    sector_size: int
    sectors_per_cluster: int
    reserved: int
    fat_sectors: int
    clusters: int

    @property
    def cluster_bytes(self) -> int:
        return self.sectors_per_cluster * self.sector_size

    @property
    def data_start(self) -> int:
        return self.reserved + NUM_FATS * self.fat_sectors

    @property
    def total_sectors(self) -> int:
        return self.data_start + self.clusters * self.sectors_per_cluster

    def cluster_offset(self, cluster: int) -> int:
        """Byte offset of a cluster from the volume's start."""
        return (self.data_start + (cluster - fat32.FIRST_CLUSTER) *
                self.sectors_per_cluster) * self.sector_size


def clusters_for(size: int, cluster_bytes: int) -> int:
    """Clusters that ``size`` bytes take; none for an empty file."""
    return -(-size // cluster_bytes)


def choose(sizes: collections.abc.Sequence[int],
           sector_size: int) -> Geometry:
    """The geometry for files and directories of these sizes in bytes.

    The largest cluster up to 32 KiB that still gives a FAT32 volume; below
    that floor, clusters of one sector and free space up to it.

    :raises ValueError: more than FAT32 can address
    """
    cluster_bytes = MAX_CLUSTER_BYTES
    while True:
        needed = sum(clusters_for(size, cluster_bytes) for size in sizes)
        if needed >= fat32.MIN_CLUSTERS or cluster_bytes == sector_size:
            break
        cluster_bytes //= 2
    return fill(max(needed, SAFE_CLUSTERS), cluster_bytes, sector_size)


def fill(clusters: int, cluster_bytes: int, sector_size: int) -> Geometry:
    """The geometry of a volume with this many clusters.

    :raises ValueError: more than FAT32 can address
    """
    per_cluster = cluster_bytes // sector_size
    fat_bytes = (clusters + fat32.FIRST_CLUSTER) * 4
    fat_sectors = -(-fat_bytes // sector_size)
    overhead = MIN_RESERVED + NUM_FATS * fat_sectors
    # At least 4 KiB, a page, even where clusters are a sector of 512.
    align = max(cluster_bytes, 4096) // sector_size
    reserved = MIN_RESERVED + -overhead % align
    geometry = Geometry(sector_size, per_cluster, reserved, fat_sectors,
                        clusters)
    if (clusters > fat32.MAX_CLUSTERS or
            geometry.total_sectors > 0xFFFFFFFF):
        raise ValueError(f'{clusters} clusters of {cluster_bytes} bytes are '
                         f'more than FAT32 can address')
    return geometry
