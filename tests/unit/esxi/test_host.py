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

from tests.esxi import grammar
from tests.esxi import state
from tests.unit.esxi import base

KERNEL = '!esxcli system settings kernel '
MODE = '!esxcli system maintenanceMode '
DOWN = '!esxcli system shutdown '


class TestKernel(base.HostCase):

    def test_it_is_configured(self) -> None:
        self.ok(KERNEL + 'set --setting netNetqueueEnabled --value FALSE',
                KERNEL + 'set --setting tty2Port --value com2',
                KERNEL + 'set --setting logLevel --value 3')
        rows = self.json(KERNEL + 'list --delta')
        self.assertEqual(
            [('logLevel', '3', '0'), ('netNetqueueEnabled', 'FALSE', 'TRUE'),
             ('tty2Port', 'com2', 'none')],
            [(row['Name'], row['Configured'], row['Runtime'])
             for row in rows])
        row, = self.json(KERNEL + 'list --option logPort')
        self.assertEqual('String', row['Type'])

    def test_refused(self) -> None:
        for rest, why in (
                ('netNetqueueEnabled --value yes', 'Invalid value'),
                ('netNetqueueEnabled --value true', 'Invalid value'),
                ('logLevel --value x', 'Invalid value'),
                ('debugLogToSerial --value 256', 'Invalid value'),
                ('tty2Port --value ""', 'Invalid value'),
                ('VMkernel.Boot.logLevel --value 1', 'not found')):
            self.refused(KERNEL + 'set --setting ' + rest, why)
        self.refused(KERNEL + 'list --option x', 'not found')


class TestMaintenance(base.HostCase):

    def test_both_ways(self) -> None:
        self.assertEqual('Disabled\n', self.ok(MODE + 'get'))
        self.ok(MODE + 'set --enable true --timeout 60')
        self.assertEqual('Enabled', self.json(MODE + 'get'))
        self.refused(MODE + 'set --enable true', 'already enabled')
        self.ok(MODE + 'set --enable false')
        self.assertFalse(self.host.maintenance)


class TestDown(base.HostCase):

    def test_it_is_ordered_once(self) -> None:
        self.ok(DOWN + 'reboot --delay 60 --reason "new settings"')
        self.assertEqual(('reboot', 60, 'new settings'), self.host.down)
        self.refused(DOWN + 'poweroff --delay 60 --reason x', 'already')

    def test_poweroff(self) -> None:
        self.ok(DOWN + 'poweroff --reason x')
        self.assertEqual(('poweroff', 10, 'x'), self.host.down)

    def test_refused(self) -> None:
        for delay in ('9', '-1', str(1 << 32)):
            self.refused(DOWN + f'reboot --delay {delay} --reason x',
                         'Invalid delay')
        self.refused(DOWN + 'reboot --reason " "', 'reason is needed')
        self.host.down_in_maintenance = True
        self.refused(DOWN + 'reboot --reason x', 'not in maintenance mode')
        self.ok(MODE + 'set --enable true', DOWN + 'reboot --reason x')


class TestVolumes(base.HostCase):

    def test_list(self) -> None:
        self.host = state.fresh(base.nics(), [
            base.STATIC, 'install --disk=naa.5 --overwritevmfs'])
        rows = self.json('!esxcli storage filesystem list')
        self.assertEqual(
            [('datastore1', 'VMFS-6'), ('BOOTBANK1', 'vfat'),
             ('BOOTBANK2', 'vfat')],
            [(row['Volume Name'], row['Type']) for row in rows])
        self.assertRegex(self.ok('!esxcli storage filesystem list'),
                         r'(?m)^/vmfs/volumes/\S+  datastore1 ')

    def test_none_is_made_on_demand(self) -> None:
        self.host = state.fresh(base.nics(), [
            'install --disk=naa.5 --novmfsondisk'])
        self.assertEqual([], self.host.datastores)


class TestLicense(base.HostCase):

    def test_it_is_taken(self) -> None:
        key = 'AAAAA-00000-BBBBB-11111-CCCCC'
        self.host = state.fresh(base.nics(), [f'serialnum --esx={key}'])
        self.assertEqual(key, self.host.license)
        for rest in ('', '--esx=1', f'--key={key}', key, '--esx=***'):
            with self.assertRaises(grammar.Refused):
                state.fresh(base.nics(), [f'serialnum {rest}'])
