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

"""What follows from wishes and description together."""

from esxi_img.firstboot import model
from esxi_img.firstboot import outcome
from esxi_img.firstboot import think
from esxi_img.firstboot import wish
from tests import base

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA'
SAID = model.Identity('i-1', 'esx1.example.org')
OPS = wish.Account('ops', 'user_data:users[0]', ssh_keys=(KEY,), admin=True)


def thought(said: model.Identity, wishes: wish.Wishes,
            settings: model.Settings = model.Settings(root_hash=True)
            ) -> outcome.Outcome:
    return think.outcome_of(model.Model(said), (), None, settings, wishes)


def wheres(found: outcome.Outcome, message: str) -> list[str]:
    return [one.where for one in found.problems if message in one.message]


class TestName(base.TestCase):
    def test_no_name_is_dropped_silently(self) -> None:
        mine = wish.Name('esx2', 'user_data:hostname')
        for said, wishes, name in (
                (SAID, wish.Wishes(preserve_hostname=True),
                 'esx1.example.org'),
                (model.Identity(), wish.Wishes(
                    name=mine, preserve_hostname=True), 'esx2'),
                (model.Identity(), wish.Wishes(
                    vendor_name=mine, preserve_hostname=True), 'esx2'),
                (model.Identity(), wish.Wishes(preserve_hostname=True),
                 None),
                (SAID, wish.Wishes(name=mine), None)):
            with self.subTest(wishes=wishes):
                found = thought(said, wishes)
                self.assertEqual(
                    ['cloud-config:preserve_hostname'] * bool(name),
                    wheres(found, f"'{name}' is not set"))
                self.assertEqual(wishes.preserve_hostname,
                                 found.identity.hostname is None)


class TestLogins(base.TestCase):
    def test_an_administrator_with_a_key_is_somebody(self) -> None:
        for account, ssh, told in (
                (OPS, True, ''), (OPS, False, 'SSH is off'),
                (wish.Account('a', 'x', admin=True), True, 'no SSH key'),
                (wish.Account('b', 'x', ssh_keys=(KEY,)), True,
                 'no SSH key')):
            with self.subTest(account, ssh=ssh):
                found = thought(SAID, wish.Wishes(accounts=(account,)),
                                model.Settings(ssh=ssh))
                self.assertEqual(
                    bool(told), bool(wheres(found, 'nobody could log in')))
                if told:
                    self.assertTrue(wheres(found, told))


class TestSources(base.TestCase):
    def test_users_keys_and_switches_are_theirs(self) -> None:
        found = thought(SAID, wish.Wishes(
            ssh_keys=(KEY,), esxi=wish.Esxi(shell=False, ssh=True)))
        self.assertEqual(
            {'ssh.keys': 'cloud-config:ssh_authorized_keys',
             'ssh.enable': 'cloud-config:vmware_esxi.ssh',
             'shell.stop': 'cloud-config:vmware_esxi.shell'},
            {one.name: one.why for one in found.plan.steps if one.name in (
                'ssh.keys', 'ssh.enable', 'shell.stop')})
