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

"""The contributor's guide agrees with the code, and its examples work."""

import pathlib
import re
import runpy
import shutil
import subprocess
import sys

from esxi_img import build
from esxi_img import bundle
from esxi_img.firstboot import place
from esxi_img.firstboot import records
from esxi_img import options
from esxi_img import recipe
from esxi_img import report
from esxi_img import sample
from tests import base
from tests.unit import test_layers

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = ROOT / 'docs' / 'source' / 'contributor'
MAPS = {'LAYERS': test_layers.LAYERS,
        'FIRSTBOOT_LAYERS': test_layers.FIRSTBOOT_LAYERS}
ROW = re.compile(r'(?m)^   \* - (\d+)\n     - ``(.+)``\n     - (.+)\n     - '
                 r'(.*)\n')


def page(name: str) -> str:
    return (GUIDE / f'{name}.rst').read_text()


def words(text: str) -> set[str]:
    """All literals."""
    return set(re.findall(r'``([^`]+)``', text))


class TestLayerTables(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.layers = runpy.run_path(str(ROOT / 'docs' / 'ext' / 'layers.py'))

    def test_they_are_the_maps(self) -> None:
        for name, layers in MAPS.items():
            rows = ROW.findall(self.layers['tables'](name))
            with self.subTest(name):
                self.assertEqual(
                    [(number, module, touches)
                     for number, layer in enumerate(layers, 1)
                     for module, touches in sorted(layer.items())],
                    [(int(number), module, words(touches))
                     for number, module, _, touches in rows])

    def test_every_module_of_both_packages_is_in_one(self) -> None:
        listed = {f'firstboot.{module}' if name == 'FIRSTBOOT_LAYERS'
                  else module for name in MAPS for _, module, _, _
                  in ROW.findall(self.layers['tables'](name))}
        there = {test_layers.name_of(path) for path
                 in test_layers.ROOT.rglob('*.py') if path.stat().st_size}
        self.assertEqual(there, listed | {'firstboot'})

    def test_each_has_a_sentence(self) -> None:
        for name in MAPS:
            for _, module, subject, _ in ROW.findall(
                    self.layers['tables'](name)):
                with self.subTest(module):
                    self.assertRegex(subject, r'^\S.*[.?)]$')

    def test_comments_are_headings(self) -> None:
        for name, layers in MAPS.items():
            headings = self.layers['headings'](name)
            with self.subTest(name):
                self.assertEqual(len(layers), len(headings))
                self.assertTrue(headings[0])
                for heading in filter(None, headings):
                    self.assertRegex(heading, r'^[A-Z].*\.$')

    def test_the_page_has_a_place_for_each(self) -> None:
        self.assertEqual(list(MAPS), self.layers['MARK'].findall(
            page('architecture')))


class TestOnDisk(base.TestCase):
    """What a version writes that another one reads."""

    def setUp(self) -> None:
        super().setUp()
        self.words = words(page('architecture'))

    def members(self, **more: object) -> dict[str, bytes]:
        """Of the module in an image."""
        path = self.tmp() / 'sample.iso'
        with open(path, 'wb') as file:
            sample.write(file, 8)
        found = build.ingredients(
            options.Options(iso=str(path), output='x', **more),
            report.Report(quiet=True))
        return recipe.make(found).members

    def test_members_of_the_module(self) -> None:
        ca = base.FIXTURES / 'ca.pem'
        members = self.members(ca_file=str(ca))
        folders = tuple(word for word in self.words if word.endswith('/'))
        self.assertEqual([], [
            name for name in members
            if name not in self.words and not name.startswith(folders)])
        self.assertEqual([], sorted(
            word for word in self.words if word.startswith('esxiimg/')
            and not any(name.startswith(word) for name in members)))

    def test_keys_of_its_files(self) -> None:
        members = self.members()
        for name in (bundle.BUILD, bundle.SETTINGS):
            keys = set(re.findall(rb'(?m)^ "(\w+)": ', members[name]))
            with self.subTest(name):
                self.assertLess(4, len(keys))
                self.assertEqual(set(), {
                    key.decode() for key in keys} - self.words)

    def test_files_of_the_host(self) -> None:
        self.assertLessEqual(
            {records.STATE, records.JOURNAL, 'installed.json',
             'installer.jsonl', f'{place.PACKAGE}/',
             f'{place.DRIVE}/{place.WISHES}',
             f'{place.DRIVE}/openstack/latest/'}, self.words)


class TestNamed(base.TestCase):

    def test_what_the_guide_names_is_there(self) -> None:
        checked = 0
        for path in (*GUIDE.glob('*.rst'), ROOT / 'CONTRIBUTING.rst'):
            for name in words(path.read_text()):
                if re.fullmatch(r'(docs|elements|esxi_img|etc|tests|tools)/'
                                r'[\w./-]+', name) \
                        and not re.search('/[A-Z]+$', name) \
                        and not name.startswith('docs/build/'):
                    with self.subTest(page=path.name, name=name):
                        self.assertTrue((ROOT / name).exists())
                    checked += 1
        self.assertLess(40, checked)

    def test_modules_of_first_boot(self) -> None:
        for name in ('add-metadata-key', 'add-user-data-key'):
            for word in words(page(name)):
                found = re.fullmatch(r'(?:firstboot/)?(\w+\.py)', word)
                if found and found[1] != 'wishkeyboard.py':
                    with self.subTest(page=name, module=word):
                        self.assertTrue(
                            (ROOT / 'esxi_img' / found[1]).exists()
                            or (ROOT / 'esxi_img' / 'firstboot'
                                / found[1]).exists())

    def test_files_that_an_option_is_in(self) -> None:
        text = page('add-option')
        option, = re.findall(r'\n\.\. files-with: (.+)\n', text)
        told = re.findall(r'   \* - ``(esxi_img/.+)``\n', text)
        self.assertEqual(sorted(
            str(path.relative_to(ROOT)) for path
            in (ROOT / 'esxi_img').rglob('*.py')
            if re.search(option, path.read_text())), sorted(told))

    def test_environments_of_tox(self) -> None:
        there = set(re.findall(r'(?m)^\[testenv:(\w+)\]',
                               (ROOT / 'tox.ini').read_text())) | {'py3'}
        told = words((ROOT / 'CONTRIBUTING.rst').read_text().split(
            '\nSingle steps\n')[1].split('\nRules\n')[0])
        self.assertEqual(set(), there - told)


class TestExamples(base.TestCase):

    def blocks(self, name: str) -> list[str]:
        """The blocks of Python on a page."""
        return [re.sub('(?m)^   ', '', block) for block in re.findall(
            r'\.\. code-block:: python\n\n((?:   .*\n|\n)+)', page(name))]

    def test_the_simulated_host(self) -> None:
        first, second = self.blocks('simulated-esxi')
        exec(compile(first, 'simulated-esxi.rst', 'exec'), {})
        source = (ROOT / 'tests' / 'functional' / 'test_install.py'
                  ).read_text()
        self.assertIn(re.sub('(?m)^(?=.)', '    ', second.rstrip()), source)

    def test_the_grammar(self) -> None:
        block, = self.blocks('add-option')
        source = (ROOT / 'esxi_img' / 'kickstart' / 'grammar.py').read_text()
        self.assertIn(re.sub('(?m)^(?=.)', '    ', block.rstrip()), source)


class TestPatches(base.TestCase):
    """Each worked example fits this tree, and its tests succeed there.

    If one does not fit any more, apply it with ``patch``, mend the tree, and
    make the patch anew with ``git diff``.
    """

    def patched(self, name: str, *tests: str) -> None:
        self.require('git')
        folder = self.tmp()
        for part in ('docs', 'esxi_img', 'tests'):
            shutil.copytree(
                ROOT / part, folder / part,
                ignore=shutil.ignore_patterns('__pycache__', 'build'))
        patch = GUIDE / 'example' / f'{name}.patch'
        for argv in (['git', 'apply', '-C1', str(patch)],
                     [sys.executable, '-m', 'unittest', *tests]):
            done = subprocess.run(
                argv, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(0, done.returncode,
                             f'{patch.name}: {done.stdout}')

    def test_metadata_key(self) -> None:
        self.patched('metadata-key', 'tests.unit.firstboot.test_metadata')

    def test_user_data_key(self) -> None:
        self.patched(
            'user-data-key', 'tests.unit.esxi.test_grammar',
            'tests.unit.firstboot.test_carried',
            'tests.unit.firstboot.test_keyboard',
            'tests.unit.firstboot.test_user_wishes.TestFixtures',
            'tests.unit.test_layers', 'tests.unit.test_user_data_docs')
