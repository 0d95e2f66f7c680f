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

"""What the build decides comes through to the host."""

import dataclasses
import itertools
import json

from esxi_img import bundle
from esxi_img.firstboot import model
from esxi_img.firstboot import place
from esxi_img.firstboot import settings
from tests import base
from tests.unit import test_recipe


class SettingsTests(base.TestCase):

    def test_the_host_reads_what_the_build_writes(self):
        for only_management, ssh, shell, root_hash in itertools.product(
                (False, True), repeat=4):
            made = test_recipe.make(
                only_management=only_management, ssh=ssh, shell=shell,
                root_password_hash_file='hash' if root_hash else None)
            text = made.members[bundle.SETTINGS].decode('ascii')
            self.assertEqual(
                model.Settings(only_management, ssh, shell, root_hash),
                settings.from_json(json.loads(text)))

    def test_every_setting_is_written(self):
        said = json.loads(test_recipe.make().members[bundle.SETTINGS])
        self.assertEqual(
            sorted(field.name for field in
                   dataclasses.fields(model.Settings)), list(said))

    def test_it_stands_beside_the_package(self):
        self.assertEqual(bundle.FIRSTBOOT.rpartition('/')[0],
                         bundle.SETTINGS.rpartition('/')[0])
        self.assertEqual(f'{place.FOLDER}/{place.COLLECTOR}',
                         bundle.COLLECTOR)

    def test_what_is_odd_is_as_by_default(self):
        for odd in (None, [], 'x', 7, {}, {'ssh': None}, {'ssh': 0},
                    {'ssh': 'no', 'root_hash': 1}, {'shell': []},
                    {'colour': True}):
            self.assertEqual(model.Settings(), settings.from_json(odd), odd)
        self.assertEqual(model.Settings(shell=False), settings.from_json(
            {'ssh': 'no', 'shell': False, 'colour': True}))
