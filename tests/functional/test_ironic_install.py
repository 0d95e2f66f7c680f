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

    def deployed(self, configdrive: str, *options: str | int,
                 sector_size: int = 512) -> None:
        """The image and a drive are on the machine's disk."""
        task = self.ironic.task(published(*options), configdrive)
        agent = self.ironic.agent(*ramdisk.DRIVERS)
        with self.ironic.stack.pop_all():
            agent('prepare', **task, device=self.ironic.disk(
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
        self.deployed(clients.shared('sdk')(
            'build', metadata=META, network_data=NETWORK,
            user_data=USER_DATA))
        self.assert_host('esx1.example.org')

    def test_a_user_s_data(self) -> None:
        """JSON, of which the conductor makes a drive."""
        self.deployed({'meta_data': META, 'network_data': NETWORK,
                       'user_data': USER_DATA})
        self.assert_host('esx1.example.org')

    def test_nova(self) -> None:
        self.deployed(self.nova())
        self.assert_host('esx1.novalocal')

    def test_nova_and_sectors_of_4096_bytes(self) -> None:
        """Where the agent makes a FAT of the drive."""
        self.deployed(self.nova(), '--sector-size', 4096, sector_size=4096)
        self.assert_host('esx1.novalocal')

    def nova(self) -> str:
        """A drive of iso9660: the conductor fails at one of vfat."""
        return clients.shared('nova')(
            'drive', kind='iso9660', address='10', key=KEY,
            mac=test_install.NICS[1][1], password=PASSWORD,
            instance={
                'uuid': META['uuid'], 'hostname': 'esx1',
                'display_name': 'esx1', 'user_data': base64.b64encode(
                    USER_DATA.encode()).decode()})
