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

"""Steps for names, keys and services."""

from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import services
from esxi_img.firstboot import steps
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

KEYS = tuple(f'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{one}' for one in 'ABC')
META = 'meta_data.json:public_keys'
USERS = 'cloud-config:ssh_authorized_keys'


class TestKeys(base.TestCase):
    def test_each_says_where_it_comes_from(self) -> None:
        for have, described, wished, expected in (
                ((), KEYS[:2], (), [META, META, META]),
                ((), (), KEYS[:1], [USERS, USERS]),
                ((), KEYS[:1], KEYS[1:2], [f'{META}, {USERS}', META, USERS]),
                # The metadata have it, too.
                ((), KEYS[:1], (f'{KEYS[0]} mine',), [META, META]),
                (KEYS[:1], KEYS[:1], KEYS[1:2], [USERS, USERS])):
            with self.subTest(expected=expected):
                found = services.keys(host.Host(ssh_keys=have), described,
                                      wished)
                self.assertEqual({}, legal.refusals(found))
                self.assertEqual(expected, [one.why for one in found])

    def test_config_store_only_where_there_is_one(self) -> None:
        for version, count in (('6.7.0', 1), ('7.0.3', 1), ('8.0.0', 2),
                               (None, 2), ('10.0.0', 2), ('new', 2)):
            with self.subTest(version):
                self.assertEqual(count, len(services.keys(
                    host.Host(version=version), KEYS[:1])))


class TestServices(base.TestCase):
    def planned(self, wished: wish.Esxi, is_on: bool | None,
                build: bool = False) -> list[steps.Step]:
        """Without the warning of an open shell."""
        settings = model.Settings(
            ssh=build if wished.ssh is None else wished.ssh,
            shell=build if wished.shell is None else wished.shell)
        return services.services(host.Host(
            ssh=is_on, shell=is_on, shell_warning=False), settings, wished)

    def test_who_wished_it(self) -> None:
        for wished, build, whys in (
                (wish.Esxi(), True, {
                    'ssh': 'the image was built with ssh on',
                    'shell': 'the image was built with shell on'}),
                (wish.Esxi(ssh=True), False, {
                    'ssh': 'cloud-config:vmware_esxi.ssh'}),
                (wish.Esxi(shell=True), True, {
                    'ssh': 'the image was built with ssh on',
                    'shell': 'cloud-config:vmware_esxi.shell'})):
            with self.subTest(wished=wished, build=build):
                found = self.planned(wished, None, build)
                self.assertEqual(whys, {
                    one.name.partition('.')[0]: one.why for one in found})

    def test_off_only_where_users_say_so(self) -> None:
        off = wish.Esxi(ssh=False, shell=False)
        names = ['ssh.disable', 'ssh.stop', 'shell.disable', 'shell.stop']
        for wished, is_on, expected in (
                (wish.Esxi(), None, []), (wish.Esxi(), True, []),
                (wish.Esxi(ssh=True, shell=True), True, []),
                (off, None, names), (off, True, names), (off, False, []),
                (wish.Esxi(ssh=False), None, names[:2])):
            with self.subTest(wished=wished, is_on=is_on):
                found = self.planned(wished, is_on)
                self.assertEqual(expected, [one.name for one in found])
                for one in found:
                    self.assertEqual(is_on is None, one.blind)
        self.assertEqual(
            [('vim-cmd', f'hostsvc/{verb}') for verb in (
                'disable_ssh', 'stop_ssh', 'disable_esx_shell',
                'stop_esx_shell')],
            [one.argv for one in self.planned(off, None)])
