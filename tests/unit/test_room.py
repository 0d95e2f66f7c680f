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


import os
from unittest import mock

from esxi_img import dib
from esxi_img import errors
from esxi_img import room
from tests import base

SPARE = 16 * 1024 * 1024
FILES = 600_000_000
DATA = 610_000_000


class RoomCase(base.TestCase):
    """Folders on disks that are made up."""

    def setUp(self):
        super().setUp()
        self.devices = {}
        self.free = {}
        real = os.stat

        def stat(path, *args, **kwargs):
            if path not in self.devices:
                return real(path, *args, **kwargs)
            return os.stat_result((0, 0, self.devices[path], *[0] * 7))

        def statvfs(path):
            # A quarter of the blocks is for root alone.
            blocks = self.free[self.devices[path]] // 512
            return os.statvfs_result(
                (4096, 512, 10 ** 9, blocks * 4 // 3, blocks, 0, 0, 0, 0,
                 255))

        for name, fake in (('stat', stat), ('statvfs', statvfs)):
            patch = mock.patch.object(os, name, autospec=True,
                                      side_effect=fake)
            patch.start()
            self.addCleanup(patch.stop)

    def place(self, **devices):
        """Say on which disk each of the folders is."""
        self.devices = {f'/{name}': device
                        for name, device in devices.items()}

    def sums(self, needs):
        """Bytes per disk."""
        found = {}
        for path, count in needs:
            device = self.devices[path]
            found[device] = found.get(device, 0) + count
        return found

    def refused(self, needs):
        with self.assertRaises(errors.EnvironmentFailed) as caught:
            room.check(needs)
        return caught.exception


class NeededTests(RoomCase):

    def needed(self, *types):
        return self.sums(room.needed(dib.Request('/out/esxi', types),
                                     '/build', '/images', FILES, DATA))

    def left(self, *types):
        return self.sums(room.left(dib.Request('/out/esxi', types),
                                   '/images', DATA))

    def test_one_disk_for_all(self):
        self.place(build=1, images=1, out=1)
        # The file system with the tree, and the image.
        self.assertEqual({1: FILES + DATA}, self.needed('raw'))
        self.assertEqual({1: FILES + 2 * DATA}, self.needed('qcow2'))
        self.assertEqual({1: FILES + 2 * DATA}, self.needed('raw', 'qcow2'))
        self.assertEqual({1: FILES + 3 * DATA},
                         self.needed('vmdk', 'raw', 'qcow2'))
        self.assertEqual({1: DATA}, self.left('raw'))
        self.assertEqual({1: 2 * DATA}, self.left('qcow2', 'raw'))

    def test_output_elsewhere(self):
        self.place(build=1, images=1, out=2)
        self.assertEqual({1: FILES + DATA, 2: DATA}, self.needed('raw'))
        self.assertEqual({1: FILES + DATA, 2: 2 * DATA},
                         self.needed('raw', 'qcow2'))
        self.assertEqual({1: DATA, 2: 2 * DATA}, self.left('raw', 'qcow2'))

    def test_two_file_systems_in_memory(self):
        self.place(build=1, images=2, out=3)
        self.assertEqual({1: FILES, 2: FILES + DATA, 3: DATA},
                         self.needed('qcow2'))
        self.assertEqual({2: DATA, 3: DATA}, self.left('qcow2'))

    def test_output_beside_the_images(self):
        self.place(build=1, images=2, out=2)
        self.assertEqual({1: FILES, 2: FILES + DATA}, self.needed('raw'))

    def test_relative_output(self):
        self.devices = {'/images': 7}
        self.assertEqual(
            [('/images', 5), ('.', 5)],
            room.left(dib.Request('esxi', ('qcow2',)), '/images', 5))
        self.devices['.'] = 7
        self.assertEqual([('/images', 5)], room.left(
            dib.Request('esxi', ('raw',)), '/images', 5))


class CheckTests(RoomCase):

    def test_exactly_enough(self):
        self.place(a=1)
        self.free = {1: 1024 + SPARE}
        room.check([('/a', 1024)])
        self.free = {1: 512 + SPARE}
        self.assertIn(f'folder /a: has {512 + SPARE} bytes free, '
                      f'{1024 + SPARE} are '
                      'needed', str(self.refused([('/a', 1024)])))

    def test_sum_of_a_disk(self):
        self.place(a=1, b=1, c=2)
        needs = [('/a', 3000), ('/b', 4000), ('/c', 500)]
        self.free = {1: 7168 + SPARE, 2: 512 + SPARE}
        room.check(needs)
        self.free[1] = 6656 + SPARE
        error = self.refused(needs)
        self.assertEqual(
            (f'folder /a: has {6656 + SPARE} bytes free, {7000 + SPARE} are '
             'needed',), error.problems)
        self.assertEqual(4, error.exit_code)
        self.assertRegex(error.hint, 'TMP_?DIR')
        self.assertIn('-o', error.hint)

    def test_every_full_disk(self):
        self.place(a=1, b=2, c=3)
        self.free = {1: 0, 2: 1 << 40, 3: 512}
        error = self.refused([('/a', 1), ('/b', 2), ('/c', 3)])
        self.assertEqual(['folder /a', 'folder /c'], [
            problem.partition(':')[0] for problem in error.problems])

    def test_nothing_needed(self):
        room.check([])


class FolderTests(base.TestCase):

    def access(self, allowed):
        """Folders that only ``allowed`` may be done to; root may do all."""
        return mock.patch.object(
            os, 'access', autospec=True,
            side_effect=lambda path, mode: not mode & ~allowed)

    def test_good(self):
        room.check_folder(str(self.tmp()))
        with self.access(os.R_OK | os.W_OK | os.X_OK):
            room.check_folder(str(self.tmp()))
        with self.access(os.W_OK | os.X_OK):
            # mv has no need to list it.
            room.check_folder(str(self.tmp()))

    def test_no_permission(self):
        path = str(self.tmp())
        for allowed in (os.R_OK | os.X_OK, os.R_OK | os.W_OK, os.R_OK, 0):
            with self.access(allowed):
                with self.assertRaisesRegex(errors.EnvironmentFailed,
                                            'permission denied') as caught:
                    room.check_folder(path)
            self.assertIn(path, str(caught.exception))
            self.assertTrue(caught.exception.hint)

    def test_missing(self):
        folder = self.tmp()
        (folder / 'file').touch()
        (folder / 'link').symlink_to('nowhere')
        for name in ('no', 'file', 'file/x', 'link'):
            path = str(folder / name)
            with self.assertRaisesRegex(errors.RequestError,
                                        'does not exist') as caught:
                room.check_folder(path)
            self.assertIn(path, str(caught.exception))
            self.assertIn(path, caught.exception.hint)

    def test_link_to_a_folder(self):
        folder = self.tmp()
        (folder / 'link').symlink_to(self.tmp())
        room.check_folder(str(folder / 'link'))
