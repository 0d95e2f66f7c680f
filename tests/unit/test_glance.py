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

"""An image in the words of Glance, Nova and Ironic."""

import dataclasses
import shlex

import hypothesis
from hypothesis import strategies

from esxi_img.disk import gpt
from esxi_img import glance
from esxi_img import options
from esxi_img import recipe as recipe_module
from tests import base
from tests.unit import test_recipe

GIB = 1024 ** 3
MIB = 1024 ** 2


def changed(made: recipe_module.Recipe, **changes: object
            ) -> recipe_module.Recipe:
    """The recipe with other options or facts, of the same image."""
    given = made.given
    facts = {name: changes.pop(name) for name in ('version', 'build')
             if name in changes}
    return dataclasses.replace(made, given=dataclasses.replace(
        given, options=dataclasses.replace(given.options, **changes),
        facts=dataclasses.replace(given.facts, **facts)))


def head(sector_size: int) -> bytes:
    """How a raw image begins."""
    return (bytes(450) + b'\xee' + bytes(59) + b'\x55\xaa').ljust(
        sector_size, b'\0') + gpt.EFI_PART


class RecipeCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.recipe = test_recipe.make()


class TestProperties(RecipeCase):

    def test_all(self) -> None:
        self.assertEqual({
            'architecture': 'x86_64', 'hypervisor_type': 'baremetal',
            'hw_firmware_type': 'uefi', 'img_config_drive': 'mandatory',
            'os_distro': 'esxi', 'os_version': '8.0.3',
            'esxi_build': '24022510', 'esxi_img_recipe_id': self.recipe.id,
            'esxi_img_sector_size': '512'}, glance.properties(self.recipe))

    def test_what_the_iso_does_not_say_is_left_out(self) -> None:
        found = glance.properties(
            changed(self.recipe, version=None, build=None))
        self.assertEqual({'os_version', 'esxi_build'},
                         set(glance.properties(self.recipe)) - set(found))
        self.assertNotIn(None, found.values())

    def test_sectors(self) -> None:
        found = glance.properties(test_recipe.make(sector_size=4096))
        self.assertEqual('4096', found['esxi_img_sector_size'])


class TestName(RecipeCase):

    def test_name(self) -> None:
        for changes, name in (
                ({}, 'ESXi-8.0.3-24022510'),
                ({'sector_size': 4096}, 'ESXi-8.0.3-24022510-4kn'),
                ({'build': None}, 'ESXi-8.0.3'),
                ({'version': None, 'build': None}, 'ESXi'),
                ({'version': None, 'build': None, 'sector_size': 4096},
                 'ESXi-4kn'),
                ({'image_name': 'gold image'}, 'gold image'),
                ({'image_name': 'x', 'sector_size': 4096}, 'x')):
            with self.subTest(changes):
                self.assertEqual(name, glance.name(
                    changed(self.recipe, **changes)))


class TestMinDisk(base.TestCase):

    def test_steps(self) -> None:
        for size, wanted in (
                (1, 32), (32 * GIB - 65 * MIB, 32),
                (32 * GIB - 65 * MIB + 1, 33), (32 * GIB, 33),
                (100 * GIB, 101), (101 * GIB - 65 * MIB, 101)):
            with self.subTest(size):
                self.assertEqual(wanted, glance.min_disk(size))

    @hypothesis.given(strategies.integers(1, 1 << 63))
    def test_the_least_that_is_enough(self, size: int) -> None:
        found = glance.min_disk(size)
        self.assertGreaterEqual(found * GIB, size + 65 * MIB)
        self.assertTrue(found == 32 or (found - 1) * GIB < size + 65 * MIB)


class TestCommand(RecipeCase):

    def test_words(self) -> None:
        self.assertEqual([
            'openstack', 'image', 'create', '--disk-format', 'raw',
            '--container-format', 'bare', '--file', 'x.img',
            '--min-disk', '32',
            '--property', 'architecture=x86_64',
            '--property', 'hypervisor_type=baremetal',
            '--property', 'hw_firmware_type=uefi',
            '--property', 'img_config_drive=mandatory',
            '--property', 'os_distro=esxi',
            '--property', 'os_version=8.0.3',
            '--property', 'esxi_build=24022510',
            '--property', f'esxi_img_recipe_id={self.recipe.id}',
            '--property', 'esxi_img_sector_size=512',
            'ESXi-8.0.3-24022510'], glance.command(self.recipe))

    def test_odd_names(self) -> None:
        for output, image_name in (
                ('a b.img', "it's"), ('$(reboot)', '`reboot`'),
                ('a"b\\c', '* ? ; & | > ~ !')):
            words = glance.command(changed(
                self.recipe, output=output, image_name=image_name))
            self.assertEqual(words, shlex.split(shlex.join(words)))
            self.assertEqual(output, words[words.index('--file') + 1])
            self.assertEqual(image_name, words[-1])

    def test_a_file_that_looks_like_an_option(self) -> None:
        words = glance.command(changed(self.recipe, output='--private'))
        self.assertEqual('./--private', words[words.index('--file') + 1])


class TestInstanceInfo(base.TestCase):

    def test_all(self) -> None:
        self.assertEqual({
            'image_source': 'http://a/b', 'image_checksum': '1' * 64,
            'image_os_hash_algo': 'sha512', 'image_os_hash_value': '2' * 128,
            'image_disk_format': 'qcow2'}, glance.instance_info(
                'http://a/b', 'qcow2', '1' * 64, '2' * 128))


class TestIsFormat(base.TestCase):

    heads = {('raw', 512): head(512), ('raw', 4096): head(4096),
             ('qcow2', 512): b'QFI\xfb\0\0\0\3', ('vmdk', 512): b'KDMV\1\0\0'}

    def test_each_is_itself_and_no_other(self) -> None:
        self.assertEqual(set(options.FORMATS),
                         {name for name, _ in self.heads})
        for (name, sector_size), data in self.heads.items():
            for other, other_size in self.heads:
                with self.subTest(name, other=other):
                    self.assertEqual(
                        (name, sector_size) == (other, other_size),
                        glance.is_format(data, other, other_size))

    def test_the_head_is_long_enough(self) -> None:
        self.assertEqual(glance.HEAD, len(head(4096)))

    def test_damage(self) -> None:
        for at in (450, 510, 511, 512, 519):
            data = bytearray(head(512))
            data[at] ^= 1
            with self.subTest(at):
                self.assertFalse(glance.is_format(bytes(data), 'raw', 512))
        for name in options.FORMATS:
            for data in (b'', b'QF', b'KD', bytes(5000)):
                self.assertFalse(glance.is_format(data, name, 512))


class TestStoredSum(base.TestCase):

    def test_which(self) -> None:
        known = {'md5', 'sha512'}
        for image, wanted in (
                ({'os_hash_algo': 'sha512', 'os_hash_value': 'AB',
                  'checksum': 'cd'}, ('sha512', 'ab')),
                ({'os_hash_algo': 'blake9', 'os_hash_value': 'ab',
                  'checksum': 'cd'}, ('md5', 'cd')),
                ({'os_hash_algo': 'sha512', 'os_hash_value': None,
                  'checksum': 'cd'}, ('md5', 'cd')),
                ({'checksum': 'cd'}, ('md5', 'cd')),
                ({'checksum': None}, None), ({}, None),
                ({'os_hash_algo': 'blake9', 'os_hash_value': 'x'}, None)):
            with self.subTest(image):
                self.assertEqual(wanted, glance.stored_sum(image, known))
