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

"""Nova reads our image's properties, and we read its config drives."""

import base64
import gzip
import json

from esxi_img.firstboot import drive
from tests.functional import clients
from tests.functional import command
from tests.functional.deployment import Info
from tests.functional.deployment import published
from tests.functional import ramdisk

UUID = '39073b0a-1234-4234-8234-5e76a4bd64b2'
USER_DATA = b'#cloud-config\n# \xff\n'
MAC = '52:54:00:00:00:11'
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== ops'


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        clients.require(self, 'nova')


class TestProperties(TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.properties = published().manifest['properties']

    def read(self, **changes: str | None) -> Info:
        """:param changes: properties; None takes one away"""
        changed = {**self.properties, **changes}
        return clients.shared('nova')('read', properties={
            name: value for name, value in changed.items()
            if value is not None})

    def test_what_they_mean(self) -> None:
        meaning = {'hw_architecture': 'x86_64', 'hw_firmware_type': 'uefi',
                   'img_hv_type': 'baremetal', 'os_distro': 'esxi',
                   'img_config_drive': 'mandatory', 'fits a node': True,
                   'gets a config drive': True}
        self.assertEqual(meaning, self.read())
        for name, value in published(
                '--sector-size', 4096).manifest['properties'].items():
            self.properties[name] = value
        self.assertEqual(meaning, self.read())

    def test_what_others_would_mean(self) -> None:
        for changes in ({'hypervisor_type': 'vmware'},
                        {'hypervisor_type': 'ironic'},
                        {'architecture': 'aarch64'}):
            with self.subTest(**changes):
                self.assertFalse(self.read(**changes)['fits a node'])
        for value in (None, 'optional'):
            with self.subTest(img_config_drive=value):
                self.assertFalse(self.read(img_config_drive=value)[
                    'gets a config drive'])

    def test_what_is_refused(self) -> None:
        for changes in ({'os_type': 'vmware'}, {'img_config_drive': 'true'},
                        {'hw_firmware_type': 'UEFI'},
                        {'hypervisor_type': 'esxi'}):
            with self.subTest(**changes), self.assertRaisesRegex(
                    clients.Refused, 'invalid|not valid'):
                self.read(**changes)


class TestDrive(TestCase):

    def check(self, kind: str, nova: clients.Client) -> None:
        """It is read whole, and is what Nova was asked for."""
        path = self.folder / 'drive'
        path.write_bytes(gzip.decompress(base64.b64decode(nova(
            'drive', kind=kind, address='10', mac=MAC, key=KEY,
            password='Pa55-w\xf6rd', instance={
                'uuid': UUID, 'hostname': 'esx1', 'display_name': 'ESX \xfc 1',
                'user_data': base64.b64encode(USER_DATA).decode()}))))
        found = drive.read(str(path))
        self.assertEqual(
            ({'iso9660': 'iso9660', 'vfat': 'fat'}[kind], 'config-2', ()),
            (found.kind, (found.label or '').lower(), found.problems))
        self.assertEqual(set(drive.FILES), set(found.files))
        meta = json.loads(found.files['meta_data.json'])
        self.assertEqual(
            (UUID, 'esx1.novalocal', 'ESX \xfc 1', 'Pa55-w\xf6rd',
             {'ops': KEY}),
            (meta['uuid'], meta['hostname'], meta['name'],
             meta['admin_pass'], meta['public_keys']))
        self.assertEqual(USER_DATA, found.files['user_data'])
        network = json.loads(found.files['network_data.json'])
        self.assertEqual(
            ([('phy', MAC, 1500)], [('ipv4', '198.51.100.10')]),
            ([(link['type'], link['ethernet_mac_address'], link['mtu'])
              for link in network['links']],
             [(one['type'], one['ip_address'])
              for one in network['networks']]))

    def test_iso9660(self) -> None:
        self.require('genisoimage')
        self.check('iso9660', clients.shared('nova'))

    def test_vfat(self) -> None:
        self.require('mkfs.vfat', *ramdisk.TOOLS)
        nova = clients.Client('nova', self.folder, ramdisk.install(
            self.tmp(), ramdisk.DRIVERS))
        self.addCleanup(nova.close)
        self.check('vfat', nova)
