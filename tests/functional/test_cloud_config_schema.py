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

"""Our examples of cloud-configs against cloud-init's own schema."""

import pathlib
import subprocess

import yaml

from esxi_img.firstboot import cloudconfig
from esxi_img.firstboot import esxischema
from esxi_img.firstboot import wishing
from tests import base

EXAMPLES = base.FIXTURES / 'cloud-config'
HEADER = '#cloud-config\n'
OURS = 'vmware_esxi'

# What has to be said of an example, by its name.
TOLD = {
    'commands': {'user_data:bootcmd'},
    'whole': {'user_data:write_files[0].path'}}

# A key of each object, and the same key misspelt.
MISSPELT = (
    (('hostname',), 'hostnam'),
    (('ssh_authorized_keys',), 'ssh_authorised_keys'),
    (('ntp', 'servers'), 'server'),
    (('users', 1, 'gecos'), 'geckos'),
    (('write_files', 0, 'permissions'), 'permission'),
    (('chpasswd', 'users'), 'user'),
    (('phone_home', 'tries'), 'trials'),
    (('power_state', 'delay'), 'dealy'),
    (('vmware_esxi', 'syslog'), 'sysloog'),
    (('vmware_esxi', 'vswitch', 'vSwitch0', 'failback'), 'fail_back'))


def examples() -> dict[str, str]:
    return {path.stem: path.read_text() for path in EXAMPLES.iterdir()}


class TestExamples(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.examples = examples()
        self.assertGreater(len(self.examples), 10)

    def problems(self, text: str) -> set[str]:
        """Where there is anything to tell."""
        gathered = cloudconfig.gather({'user_data': text.encode()})
        return {one.where for one in (
            *gathered.problems, *wishing.wishes(gathered)[1])}

    def accepted(self, text: str) -> bool:
        """Whether cloud-init takes it; newer ones know no foreign key."""
        config = yaml.safe_load(text)
        config.pop(OURS, None)
        path = self.tmp() / 'user-data'
        path.write_text(HEADER + yaml.safe_dump(config))
        return self.judged(path)

    def judged(self, path: pathlib.Path) -> bool:
        done = subprocess.run(
            ['cloud-init', 'schema', '--config-file', str(path)],
            capture_output=True, text=True, timeout=120)
        said = done.stdout + done.stderr
        self.assertIn('Valid' if done.returncode == 0 else 'rror', said)
        return done.returncode == 0

    def test_cloud_init_accepts_them(self) -> None:
        self.require('cloud-init')
        for name, text in self.examples.items():
            with self.subTest(example=name):
                self.assertTrue(self.accepted(text))

    def test_so_do_we(self) -> None:
        for name, text in self.examples.items():
            with self.subTest(example=name):
                self.assertEqual(TOLD.get(name, set()), self.problems(text))

    def test_every_key_is_in_one(self) -> None:
        found = [yaml.safe_load(text) for text in self.examples.values()]
        self.assertEqual(set(), wishing.KNOWN.difference(*found))
        self.assertEqual(set(), set(esxischema.load()['properties'])
                         .difference(*(one.get(OURS, ()) for one in found)))

    def test_a_misspelt_key_fails_there_or_here(self) -> None:
        self.require('cloud-init')
        for path, wrong in MISSPELT:
            with self.subTest(path=path):
                text = self.misspelt(path, wrong)
                there, here = self.accepted(text), self.problems(text)
                self.assertFalse(there and not here)
                # Here each one is told, and tells where.
                where = f'user_data:{path[0]}' if path[1:] else 'user_data'
                self.assertTrue(
                    any(one.startswith(where) for one in here), here)

    def misspelt(self, path: tuple, wrong: str) -> str:
        """An example that has the key, with another in its place."""
        for text in self.examples.values():
            config = yaml.safe_load(text)
            value = config
            try:
                for step in path[:-1]:
                    value = value[step]
                value[wrong] = value.pop(path[-1])
            except (IndexError, KeyError, TypeError):
                continue
            return HEADER + yaml.safe_dump(config)
        self.fail(f'no example has {path}')
