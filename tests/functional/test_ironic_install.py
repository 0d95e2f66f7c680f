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

"""From Nova's or a user's config drive to a host, by Ironic's own code.

As tests.functional.test_install, but nothing of the disk is made by us.
"""

import base64

from tests.functional import clients
from tests.functional import deployment
from tests.functional.deployment import published
from tests.functional import ramdisk
from tests.functional import test_install
from tests.functional.test_install import KEY
from tests.functional.test_install import META
from tests.functional.test_install import NETWORK
from tests.functional.test_install import OURS

PASSWORD = META['admin_pass']
USER_DATA = '#cloud-config\nntp:\n  servers: [ntp.example.org]\n'


class TestInstall(test_install.TestCase):

    def setUp(self) -> None:
        super().setUp()
        clients.require(self, 'nova', 'openstack')
        self.ironic = deployment.Ironic(self)

    def deploy_task(self, task: deployment.Info, sector_size: int = 512
                    ) -> None:
        """Put an image and a drive on the machine's disk."""
        with self.ironic.stack:
            self.ironic.agent(*ramdisk.DRIVERS)(
                'prepare', **task, device=self.ironic.disk(
                    self.machine.path(f'/dev/disks/{OURS}'), sector_size))

    def assert_host(self, hostname: str, status: str = 'ok') -> None:
        result = self.install()
        self.assert_password(result.root_hash, PASSWORD)
        booted = self.boot(result)
        told = self.state_json()
        self.assertEqual((status, META['uuid'], []), (
            told['status'], told['instance_id'], told['problems']))
        esxi = booted.esxi
        self.assertEqual(
            (hostname, '198.51.100.10/24', ['198.51.100.53'], []),
            (esxi.hostname, str(esxi.vmks['vmk0'].ipv4), esxi.dns,
             esxi.outages))
        self.assertIn(KEY, esxi.files[test_install.machine.KEPT[0]][1])
        self.assertEqual([], self.hits({'password': PASSWORD}))

    def test_a_user_s_drive(self) -> None:
        """Of openstacksdk, as the commands for bare metal have it."""
        self.deploy_task(self.ironic.task(published(), clients.shared('sdk')(
            'build', metadata=META, network_data=NETWORK,
            user_data=USER_DATA)))
        self.assert_host('esx1.example.org')

    def test_a_user_s_data(self) -> None:
        """JSON, of which the conductor makes a drive."""
        self.deploy_task(self.ironic.task(published(), {
            'meta_data': META, 'network_data': NETWORK,
            'user_data': USER_DATA}))
        self.assert_host('esx1.example.org')

    def test_nova(self) -> None:
        self.deploy_task(self.ironic.task(published(), self.nova('iso9660')))
        self.assert_host('esx1.novalocal')

    def test_fat_of_nova_on_sectors_of_4096_bytes(self) -> None:
        """The agent makes it anew, as its sectors are too small.

        The conductor takes it only from an operator who has it look at no
        config drive.
        """
        image = published('--sector-size', 4096)
        configdrive = self.nova('vfat')
        with self.assertRaisesRegex(clients.Refused, 'Valid ISO9660'):
            self.ironic.task(image, configdrive)
        self.deploy_task(self.ironic.task(image, configdrive, checked=False),
                         4096)
        self.assert_host('esx1.novalocal')

    def nova(self, kind: str) -> str:
        """A drive of its Ironic driver's."""
        nova = clients.Client('nova', self.tmp(), ramdisk.install(
            self.tmp(), ramdisk.DRIVERS))
        try:
            return nova(
                'drive', kind=kind, address='10', key=KEY, password=PASSWORD,
                mac=test_install.NICS[1][1], instance={
                    'uuid': META['uuid'], 'hostname': 'esx1',
                    'display_name': 'esx1', 'user_data': base64.b64encode(
                        USER_DATA.encode()).decode()})
        finally:
            nova.close()
