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

"""What is said of an image in the files beside it."""

import json

from esxi_img.conf import opts
from esxi_img import describe
from esxi_img import glance
from esxi_img import manifest
from tests import base
from tests.unit import test_glance
from tests.unit import test_recipe


class TestManifest(base.TestCase):

    def make(self, output: str = 'folder/x.img', **given: object
             ) -> manifest.Manifest:
        made = test_glance.changed(test_recipe.make(**given), output=output)
        return manifest.make(made, 4711, '1' * 64, '2' * 128)

    def json(self, made: manifest.Manifest) -> dict[str, object]:
        return json.loads(manifest.files(made)[0])

    def test_keys(self) -> None:
        self.assertEqual([
            'image', 'esxi_version', 'esxi_build', 'size', 'virtual_size',
            'sector_size', 'disk_format', 'sha256', 'sha512', 'recipe_id',
            'options', 'properties', 'min_disk_gib'],
            list(self.json(self.make())))

    def test_values(self) -> None:
        recipe = test_recipe.make()
        self.assertEqual({
            'image': 'x.img', 'esxi_version': '8.0.3',
            'esxi_build': '24022510', 'size': 4711,
            'virtual_size': recipe.layout.size, 'sector_size': 512,
            'disk_format': 'raw', 'sha256': '1' * 64, 'sha512': '2' * 128,
            'recipe_id': recipe.id, 'options': describe.options(recipe),
            'properties': glance.properties(recipe), 'min_disk_gib': 32},
            self.json(self.make()))

    def test_other_values(self) -> None:
        found = self.json(self.make(
            sector_size=4096, format='qcow2', compress=True, image_size=40))
        self.assertEqual((4096, 'qcow2', 41), (
            found['sector_size'], found['disk_format'],
            found['min_disk_gib']))

    def test_the_names_of_files_of_any_bytes(self) -> None:
        for name in ('ü', '\udcff', 'a"b\\c\n'):
            self.assertEqual(name, self.json(self.make(name))['image'])

    def test_no_secret(self) -> None:
        made = self.make(root_password_hash_file='hash')
        self.assertEqual('(set)', made.options['root_password_hash'])
        for data in manifest.files(made):
            self.assertNotIn(test_recipe.HASH.encode(), data)

    def test_the_files_end_in_a_line(self) -> None:
        files = manifest.files(self.make())
        self.assertEqual(len(manifest.SUFFIXES), len(files))
        for data in files:
            self.assertEqual(b'\n', data[-1:])


class TestChecksumLine(base.TestCase):

    def test_names(self) -> None:
        digest = 'a' * 64
        for name, line in (
                ('x.img', b'%s  x.img\n'), ('a b', b'%s  a b\n'),
                ('\u00fc', b'%s  \xc3\xbc\n'), ('\udcff', b'%s  \xff\n'),
                ('a\\b', b'\\%s  a\\\\b\n'), ('a\nb', b'\\%s  a\\nb\n'),
                ('a\rb', b'\\%s  a\\rb\n'),
                ('\\\n', b'\\%s  \\\\\\n\n')):
            with self.subTest(name):
                self.assertEqual(line % digest.encode(),
                                 manifest.checksum_line(name, digest))


class TestOptions(base.TestCase):
    """The same are shown before a build and kept after it."""

    def test_every_option_of_a_file_is_there(self) -> None:
        """But the one that only looks at the ISO."""
        names = {opt.dest for opt in opts.FILE_OPTS} - {'iso_sha256'}
        spelt = {'kernel_option': 'kernel_options',
                 'installed_kernel_option': 'installed_kernel_options',
                 'install_option': 'install_options',
                 'root_password_hash_file': 'root_password_hash'}
        self.assertEqual({spelt.get(name, name) for name in names},
                         set(describe.options(test_recipe.make())))

    def test_given_again_they_make_the_same(self) -> None:
        """What follows from another option is not among them."""
        made = test_recipe.make(
            serial_console='com1', kernel_option=('a=1', 'b'),
            installed_kernel_option=('c=2',), install_option=('novmfsondisk',))
        shown = describe.options(made)
        again = test_recipe.make(
            serial_console=shown['serial_console'],
            kernel_option=tuple(shown['kernel_options']),
            installed_kernel_option=tuple(shown['installed_kernel_options']),
            install_option=tuple(shown['install_options']))
        self.assertEqual((shown, made.id),
                         (describe.options(again), again.id))

    def test_all_that_shape_the_image(self) -> None:
        made = test_recipe.make(format='qcow2', compress=True)
        shown = describe.options(made)
        self.assertEqual(shown, describe.as_dict(made)['options'])
        self.assertEqual(('qcow2', True, []), (
            shown['format'], shown['compress'], shown['add_module']))
        made = test_glance.changed(made, add_module=('a/b.v00', 'c.v00'))
        self.assertEqual(['a/b.v00', 'c.v00'],
                         describe.options(made)['add_module'])
