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

"""Steps for accounts and for the SSH server."""

import dataclasses

from esxi_img.firstboot import accounts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import steps
from esxi_img.firstboot import wish
from tests import base
from tests.unit.firstboot import legal

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA ops@example.org'
BOUND = f'from="192.0.2.0/24" {KEY}'
OPS = wish.Account('ops', 'user_data:users[1]', 'On call', (KEY, BOUND), True)
PLAIN = wish.Account('guest', 'user_data:users[2]')
EIGHT = host.Host(version='8.0.3')
SEVEN = host.Host(version='7.0.3')

LISTED = '''\
User ID  Description
-------  -------------------------------------------
root     Administrator
dcui     DCUI User
vpxuser  VMware VirtualCenter administration account
'''


def planned(*some: wish.Account, have: host.Host = EIGHT
            ) -> list[steps.Step]:
    return accounts.accounts(have, wish.Wishes(accounts=some))


def sshd(have: host.Host = EIGHT, *some: wish.Account,
         pwauth: bool | None = None, disable_root: bool = False
         ) -> tuple[list[steps.Step], list[model.Problem]]:
    return accounts.sshd(have, wish.Wishes(
        accounts=some, ssh_pwauth=pwauth, disable_root=disable_root))


class TestAccounts(base.TestCase):
    def test_none(self) -> None:
        self.assertEqual([], planned())

    def test_all_of_it(self) -> None:
        found = planned(OPS)
        self.assertEqual(
            ['account.ops', 'account.ops.keys', 'account.ops.admin',
             'account.ops.key.1'], [step.name for step in found])
        self.assertEqual({}, legal.refusals(found))
        self.assertEqual({OPS.where}, {step.why for step in found})
        self.assertEqual(
            ('esxcli', 'system', 'account', 'add', '--id', 'ops',
             '--description', 'On call', '--password', steps.RANDOM,
             '--password-confirmation', steps.RANDOM), found[0].argv)
        self.assertEqual(
            steps.File('/etc/ssh/keys-ops/authorized_keys',
                       f'{KEY}\n{BOUND}\n', 0o644), found[1].file)
        self.assertEqual(
            ('esxcli', 'system', 'ssh', 'key', 'add', '--username', 'ops',
             '--auth-key', KEY), found[3].argv)
        self.assertEqual(
            ('esxcli', 'system', 'permission', 'set', '--id', 'ops',
             '--role', 'Admin'), found[2].argv)

    def test_role_and_keys_only_where_wished(self) -> None:
        self.assertEqual(['account.guest'],
                         [step.name for step in planned(PLAIN)])

    def test_config_store_only_where_there_is_one(self) -> None:
        for version, expected in (('7.0.3', False), ('8.0.0', True),
                                  (None, True), ('9.0.0', True)):
            with self.subTest(version):
                names = {step.name for step in
                         planned(OPS, have=host.Host(version=version))}
                self.assertEqual(expected, 'account.ops.key.1' in names)
                self.assertIn('account.ops.keys', names)

    def test_password_is_shown_to_nobody(self) -> None:
        self.assertIn('--password *** --password-confirmation ***',
                      planned(OPS)[0].shown())

    def test_nothing_but_the_account_itself_is_stopped(self) -> None:
        found = planned(OPS, PLAIN)
        self.assertEqual(['account.guest', 'account.ops'],
                         sorted({str(step.group) for step in found}))
        for step in found:
            with self.subTest(step.name):
                self.assertEqual(
                    steps.CONTINUE if step.optional else steps.STOP,
                    step.on_fail)
                self.assertEqual('.key.' in step.name, step.optional)

    def test_done_ones_are_known(self) -> None:
        probe = planned(OPS)[0].probe
        self.assertFalse(legal.is_met(probe, LISTED))
        self.assertTrue(legal.is_met(probe, LISTED + 'ops  On call\n'))
        # What no list tells, the journal does.
        self.assertTrue(all(step.blind for step in planned(OPS)))

    def test_others_descriptions_are_no_accounts(self) -> None:
        words = 'VirtualCenter administration account user cloud-config'
        listed = LISTED + 'ops  the user of backup\n' \
            'first  cloud-config user\n'
        for name in (*words.split(), 'backup', 'the', 'of'):
            with self.subTest(name):
                probe = planned(wish.Account(name, 'x'))[0].probe
                self.assertFalse(legal.is_met(probe, listed))
                self.assertTrue(legal.is_met(
                    probe, f'{name}  cloud-config user\n'))

    def test_any_description_is_an_argument(self) -> None:
        for text in ('-x', '--help', 'a\nb', ', ,', ' ', '\0', 'a, b,'):
            with self.subTest(text):
                found = planned(wish.Account('ops', 'x', text))
                self.assertEqual({}, legal.refusals(found))
                about = found[0].argv[found[0].argv.index('--description')
                                      + 1]
                self.assertTrue(about)
                self.assertTrue(legal.is_met(found[0].probe,
                                             f'ops  {about}\n'))


class TestSshd(base.TestCase):
    def test_nothing_wished(self) -> None:
        for have in (SEVEN, EIGHT):
            self.assertEqual(([], []), sshd(have, OPS))

    def test_passwords(self) -> None:
        for pwauth, expected in (
                (True, {'passwordauthentication': 'yes'}),
                (False, {'passwordauthentication': 'no',
                         'kbdinteractiveauthentication': 'no'})):
            with self.subTest(pwauth):
                found, problems = sshd(pwauth=pwauth)
                self.assertEqual([], problems)
                self.assertEqual({}, legal.refusals(found))
                self.assertEqual(expected, {
                    step.argv[-3]: step.argv[-1] for step in found})
                for step in found:
                    self.assertEqual(f'sshd.{step.argv[-3]}', step.name)
                    self.assertEqual('cloud-config:ssh_pwauth', step.why)
                    self.assertIsNone(step.group)

    def test_probe(self) -> None:
        probe = sshd(pwauth=True)[0][0].probe
        self.assertTrue(legal.is_met(probe, 'passwordauthentication  yes\n'))
        self.assertFalse(legal.is_met(probe, 'passwordauthentication  no\n'))

    def test_root_waits_for_another_administrator(self) -> None:
        found, problems = sshd(EIGHT, PLAIN, OPS, disable_root=True)
        self.assertEqual([], problems)
        self.assertEqual([(
            'sshd.permitrootlogin', 'account.ops', steps.CONTINUE,
            ('--keyword', 'permitrootlogin', '--value', 'no'))], [
                (step.name, step.group, step.on_fail, step.argv[-4:])
                for step in found])
        self.assertIn('account.ops', {
            step.group for step in planned(PLAIN, OPS)})
        self.assertEqual({}, legal.refusals(found))

    def test_nobody_inherits_without_a_key_in_the_config_store(self) -> None:
        first = wish.Account('first', 'x', '', (BOUND,), True)
        wishes = wish.Wishes(accounts=(first, OPS, dataclasses.replace(
            OPS, name='next')), disable_root=True)
        found = accounts.accounts(EIGHT, wishes)
        self.assertEqual({'account.ops.key.1': (steps.STOP, False),
                          'account.next.key.1': (steps.CONTINUE, True)}, {
            step.name: (step.on_fail, step.optional) for step in found
            if '.key.' in step.name})
        root, = accounts.sshd(EIGHT, wishes)[0]
        self.assertEqual('account.ops', root.group)
        # All that root's step waits for comes before it.
        self.assertEqual({steps.STOP}, {
            step.on_fail for step in found if step.group == root.group})

    def test_root_stays_where_nobody_else_could_log_in(self) -> None:
        for some in ((), (PLAIN,),
                     (wish.Account('a', 'x', admin=True),),
                     (wish.Account('b', 'x', ssh_keys=(KEY,)),),
                     (wish.Account('c', 'x', '', (BOUND,), True),)):
            with self.subTest(some):
                found, problems = sshd(EIGHT, *some, disable_root=True)
                self.assertEqual([], found)
                self.assertEqual(['cloud-config:disable_root'],
                                 [one.where for one in problems])

    def test_older_releases(self) -> None:
        found, problems = sshd(SEVEN, OPS, pwauth=False, disable_root=True)
        self.assertEqual([], found)
        self.assertEqual(
            [('cloud-config:ssh_pwauth',
              'needs ESXi 8, and this is 7.0.3'),
             ('cloud-config:disable_root',
              'needs ESXi 8, and this is 7.0.3')],
            [(one.where, one.message) for one in problems])

    def test_unknown_release_is_a_new_one(self) -> None:
        self.assertEqual(sshd(EIGHT, OPS, pwauth=False, disable_root=True),
                         sshd(host.Host(), OPS, pwauth=False,
                              disable_root=True))
