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


import hypothesis
from hypothesis import strategies

from esxi_img.disk import fat32
from esxi_img.disk import geometry
from tests import base

MIB = 1024 * 1024
SIZES = strategies.integers(MIB, 4096 * MIB) | strategies.builds(
    # Around every size at which the cluster size changes.
    lambda power, delta: (512 << power) * fat32.MIN_CLUSTERS + delta,
    strategies.integers(0, 6), strategies.integers(-70000, 70000))
SECTORS = strategies.sampled_from(geometry.SECTOR_SIZES)


class GeometryTests(base.TestCase):

    @hypothesis.settings(max_examples=400)
    @hypothesis.given(SIZES, strategies.integers(1, 300), SECTORS)
    def test_limits_of_fat32(self, total, count, sector_size):
        sizes = [max(total // count, 0)] * count
        shape = geometry.choose(sizes, sector_size)
        # It is FAT32, and everything fits.
        self.assertGreaterEqual(shape.clusters, 65525)
        needed = sum(-(-size // shape.cluster_bytes) for size in sizes)
        self.assertGreaterEqual(shape.clusters, needed)
        # Every cluster has its entry, and no FAT sector is idle.
        entries = shape.fat_sectors * shape.sector_size // 4
        self.assertGreaterEqual(entries, shape.clusters + 2)
        self.assertLess(entries - shape.sector_size // 4,
                        shape.clusters + 2)
        # What the BPB can say.
        self.assertIn(shape.sectors_per_cluster, (1, 2, 4, 8, 16, 32, 64))
        self.assertLessEqual(shape.cluster_bytes, 32768)
        self.assertLess(shape.reserved, 65536)
        self.assertGreaterEqual(shape.reserved, 32)
        self.assertLess(shape.total_sectors, 1 << 32)
        # Data start on a cluster's multiple.
        self.assertEqual(0, shape.cluster_offset(2) % shape.cluster_bytes)
        self.assertEqual(0, shape.cluster_offset(2) % 4096)

    @hypothesis.settings(max_examples=400)
    @hypothesis.given(SIZES, SECTORS)
    def test_the_largest_cluster_that_will_do(self, size, sector_size):
        shape = geometry.choose([size], sector_size)
        if shape.cluster_bytes < 32768:
            self.assertLess(-(-size // (2 * shape.cluster_bytes)), 65525)
        if shape.cluster_bytes > sector_size:
            self.assertGreaterEqual(-(-size // shape.cluster_bytes), 65525)

    def test_below_the_floor(self):
        for sector_size in geometry.SECTOR_SIZES:
            shape = geometry.choose([1], sector_size)
            self.assertEqual(1, shape.sectors_per_cluster)
            self.assertEqual(geometry.SAFE_CLUSTERS, shape.clusters)

    def test_known_steps(self):
        for mebibytes, sector_size, cluster in (
                (40, 512, 512), (64, 512, 1024), (620, 512, 8192),
                (620, 4096, 8192), (2048, 512, 32768), (4000, 4096, 32768),
                (100, 4096, 4096)):
            shape = geometry.choose([mebibytes * MIB], sector_size)
            self.assertEqual(cluster, shape.cluster_bytes, mebibytes)

    def test_more_than_fat32_can_address(self):
        with self.assertRaisesRegex(ValueError, 'FAT32'):
            geometry.choose([1 << 44], 512)
