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

"""Ironic's own code deploys our image, and first boot finds the drive.

The web has the image, the conductor takes what esxi-img prints of it, and
ironic-python-agent writes it to a loop device, with a config drive behind it.

Not covered: NVRAM, as efibootmgr is not run; and that a kernel mounts what
tests.functional.ramdisk has xorriso and mtools read.
"""

import base64
import gzip
import os
import pathlib
import typing
import uuid

from esxi_img.firstboot import disks
from esxi_img.firstboot import drive as drive_module
from esxi_img.firstboot import finding
from esxi_img.firstboot import running
from tests.functional import clients
from tests.functional import command
from tests.functional import deployment
from tests.functional.deployment import published
from tests.functional.deployment import ROOM
from tests.functional import ramdisk
from tests.world import disk

MIB = disk.MIB
NAME = 'naa.600508b1001c4d6a'
META = {'uuid': '39073b0a-1234-4234-8234-5e76a4bd64b2', 'name': 'esx1',
        'hostname': 'esx1.example.org'}
NETWORK = {'links': [{'id': 'a', 'type': 'phy', 'mtu': 1500,
                      'ethernet_mac_address': '52:54:00:00:00:11'}],
           'networks': [{'id': 'n', 'type': 'ipv4_dhcp', 'link': 'a'}],
           'services': []}
LARGE = ('--sector-size', 4096)


def tool(*argv: str | os.PathLike) -> str:
    """What a program says that finds no fault."""
    return disk.tool(*argv).decode()


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('cmp', 'fsck.vfat')
        clients.require(self, 'openstack')
        self.ironic = deployment.Ironic(self)

    def drive(self, name: str = 'esx1') -> str:
        """A config drive as Ironic's standalone client makes it."""
        return clients.shared('sdk')(
            'build', metadata={**META, 'name': name}, network_data=NETWORK,
            user_data='#!/bin/sh\n')

    def disk(self, image: deployment.Image, sector_size: int = 512,
             room: int = ROOM) -> str:
        """A new disk for an image."""
        return self.ironic.disk(
            self.folder / 'disk', sector_size,
            image.manifest['virtual_size'] + room)

    def assert_image(self, device: str, image: deployment.Image) -> None:
        """Table and partition are sound, and those of this raw image."""
        said = tool('sgdisk', '-v', device)
        self.assertIn('No problems found', said)
        for word in ('Problem', 'Warning', 'corrupt'):
            self.assertNotIn(word, said)
        one, two = disk.partitions(pathlib.Path(device)).values()
        self.assertEqual({1: one}, disk.partitions(image.path))
        self.assertLessEqual(64 * MIB, two.size)
        tool('cmp', '-n', str(one.size), '-i', f'0:{one.start}',
             f'{device}p1', image.path)
        self.assertIn('32 bit entries',
                      tool('fsck.vfat', '-n', '-v', f'{device}p1'))
        self.assertIn(' TYPE="vfat"', tool('blkid', '-p', f'{device}p1'))

    def assert_drive(self, device: str, image: deployment.Image, kind: str,
                     packed: str) -> None:
        """First boot finds the drive, and on it what was put there."""
        iso = self.tmp() / 'drive'
        iso.write_bytes(gzip.decompress(base64.b64decode(packed)))
        found = self.find(device, image)
        assert found.drive and found.source, found
        self.assertEqual((f'{NAME}:2', False, ()), (
            found.source.name, found.consumed, found.problems))
        wanted = drive_module.read(str(iso)).files
        self.assertEqual({'meta_data.json', 'network_data.json', 'user_data'},
                         set(wanted))
        self.assertEqual((kind, wanted), (
            found.drive.kind, found.drive.files))
        said = tool('blkid', '-p', f'{device}p2')
        if kind == 'iso9660':
            self.assertIn(' LABEL="config-2" TYPE="iso9660"', said)
            tool('cmp', '-n', str(iso.stat().st_size), f'{device}p2', iso)
        else:
            self.assertIn(' LABEL="CONFIG-2"', said)
            self.assertIn(' TYPE="vfat"', said)
            tool('fsck.vfat', '-n', f'{device}p2')

    def find(self, device: str, image: deployment.Image) -> finding.Found:
        """As before an installation, on a kernel that mounts nothing."""
        root = self.tmp()
        (root / 'dev/disks').mkdir(parents=True)
        (root / 'dev/disks' / NAME).symlink_to(device)
        one, = disk.partitions(image.path).values()
        ours = disks.ours([
            disks.look(each, _disk_guid(image.path), one.guid)
            for each in disks.disks(str(root))])
        self.assertIsNotNone(ours.found, ours.reasons)
        self.assertEqual(((), [2]), (
            ours.found.problems, [one.number for one in ours.found.drives]))
        return finding.find(ours.found, (), _no_program, str(root))


def _disk_guid(path: pathlib.Path) -> str:
    """UEFI specification, table 5.5."""
    with open(path, 'rb') as file:
        return str(uuid.UUID(bytes_le=os.pread(
            file.fileno(), 16, disk.sector_size(path) + 56)))


def _no_program(argv: typing.Sequence[str], timeout: float) -> running.Result:
    return running.Result(running.NOT_FOUND, '', '', 0)


class TestDeploy(TestCase):

    def test_raw_is_streamed(self) -> None:
        image = published()
        task = self.ironic.task(image, self.drive())
        self.assertTrue(task['image_info']['stream_raw_images'])
        device = self.disk(image)
        agent = self.ironic.agent(*ramdisk.DRIVERS)
        agent('prepare', device=device, **task)
        self.assert_image(device, image)
        self.assert_drive(device, image, 'iso9660', task['configdrive'])
        self.assertTrue(agent('boot', device=device))
        self.assertEqual(
            [['-v', '-c', '-d', device, '-p', '1', '-w', '-L', 'ironic1',
              '-l', r'\efi\boot\bootx64.efi']], self.ironic.boot_entries)

    def test_again(self) -> None:
        """Where an older image and its config drive are.

        Streaming wipes nothing but what it overwrites; else the disk is
        wiped first.  The sum is in a file beside the image.
        """
        images = published('--kernel-option', 'older=1'), published()
        self.assertNotEqual(*(disk.partitions(one.path) for one in images))
        device = self.disk(images[0], room=2 * ROOM)
        agent = self.ironic.agent(*ramdisk.DRIVERS)
        for number, streamed in enumerate((True, True, False)):
            image = images[number % 2]
            task = self.ironic.task(
                {'image_source': image.url, 'image_disk_format': 'raw',
                 'image_checksum': f'{image.url}.sha256'},
                self.drive(f'esx{number}'))
            task['image_info']['stream_raw_images'] = streamed
            agent('prepare', device=device, **task)
            with self.subTest(number):
                self.assert_image(device, image)
                self.assert_drive(device, image, 'iso9660',
                                  task['configdrive'])

    def test_qcow2(self) -> None:
        device = self.disk(published())
        task = self.ironic.task(published('--format', 'qcow2', '--compress'),
                                self.drive())
        self.ironic.agent(*ramdisk.DRIVERS)('prepare', device=device, **task)
        self.assert_image(device, published())
        self.assert_drive(device, published(), 'iso9660',
                          task['configdrive'])

    def test_a_drive_that_is_made_anew(self) -> None:
        """Where an operator has set config_drive_rebuild."""
        device = self.disk(published())
        task = self.ironic.task(published(), self.drive())
        self.ironic.agent(*ramdisk.DRIVERS)('prepare', device=device,
                                            rebuild=True, **task)
        self.assert_image(device, published())
        self.assert_drive(device, published(), 'fat', task['configdrive'])


class TestSectorsOf4096Bytes(TestCase):

    def test_raw(self) -> None:
        """Linux cannot mount an ISO there: the drive becomes FAT."""
        device = self.disk(published(*LARGE), 4096)
        task = self.ironic.task(published(*LARGE), self.drive())
        agent = self.ironic.agent(*ramdisk.DRIVERS)
        agent('prepare', device=device, **task)
        self.assert_image(device, published(*LARGE))
        self.assert_drive(device, published(*LARGE), 'fat',
                          task['configdrive'])
        self.assertTrue(agent('boot', device=device))
        self.assertEqual(1, len(self.ironic.boot_entries))

    def test_qcow2_and_a_kernel_without_drivers(self) -> None:
        """What cannot be mounted anywhere is left as it is."""
        device = self.disk(published(*LARGE), 4096)
        task = self.ironic.task(published(*LARGE, '--format', 'qcow2'),
                                self.drive())
        self.ironic.agent()('prepare', device=device, **task)
        self.assert_image(device, published(*LARGE))
        self.assert_drive(device, published(*LARGE), 'iso9660',
                          task['configdrive'])


class TestRefused(TestCase):
    """What we say cannot work, in Ironic's own words."""

    def assert_refused(self, pattern: str, device: str, task: deployment.Info
                       ) -> None:
        with self.assertRaisesRegex(clients.Refused, pattern):
            self.ironic.agent()('prepare', device=device, **task)

    def test_no_room_for_the_drive(self) -> None:
        self.assert_refused(
            'Failed to create config drive (?s:.*)Could not create partition',
            self.disk(published(), room=ROOM - 2 * MIB),
            self.ironic.task(published(), self.drive()))

    def test_no_room_for_the_image(self) -> None:
        self.assert_refused('No space left on device',
                            self.disk(published(), room=-MIB),
                            self.ironic.task(published()))

    def test_a_disk_of_larger_sectors(self) -> None:
        self.assert_refused('a different sector size than the device',
                            self.disk(published(), 4096),
                            self.ironic.task(published()))

    def test_a_disk_of_smaller_sectors(self) -> None:
        self.assert_refused('a different sector size than the device',
                            self.disk(published(*LARGE)),
                            self.ironic.task(published(*LARGE)))

    def test_another_sum(self) -> None:
        info = published().instance_info
        value = info['image_os_hash_value'][::-1]
        self.assert_refused(
            f'checksum: {value}', self.disk(published()), self.ironic.task(
                {**info, 'image_os_hash_value': value}))

    def test_no_sum(self) -> None:
        info = {name: value for name, value
                in published().instance_info.items()
                if name in ('image_source', 'image_disk_format')}
        with self.assertRaisesRegex(clients.Refused, 'must be provided'):
            self.ironic.task(info)

    def test_no_format(self) -> None:
        """Else the agent takes it for a format of qemu-img's."""
        info = {**published().instance_info}
        del info['image_disk_format']
        self.assert_refused("Unknown driver 'gpt'", self.disk(published()),
                            self.ironic.task(info))
