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

"""PyYAML's loader as it travels: the pinned one, whole, or none."""

import importlib.metadata
import pathlib
import subprocess
import sys
from unittest import mock

from esxi_img import errors
from esxi_img import pyyaml
from tests import base

REQUIREMENTS = pathlib.Path(__file__).parents[2] / 'requirements.txt'
LOADS = """
import sys
from firstboot.yaml import loader
print(loader.SafeLoader(sys.stdin.read()).get_single_data())
print(sorted(name for name in sys.modules if name.split('.')[0] == 'yaml'))
"""


class TestFiles(base.TestCase):

    def refused(self) -> errors.EnvironmentFailed:
        with self.assertRaises(errors.EnvironmentFailed) as caught:
            pyyaml.files()
        self.assertIn("PyYAML==6.0.3'", str(caught.exception.hint))
        return caught.exception

    def test_names(self) -> None:
        found = pyyaml.files()
        self.assertEqual({'__init__.py', 'LICENSE', *pyyaml.MODULES},
                         set(found))
        self.assertEqual(b'', found['__init__.py'])
        self.assertIn(b'Permission is hereby granted', found['LICENSE'])

    def test_nothing_is_changed(self) -> None:
        source = importlib.metadata.distribution('PyYAML')
        for name in pyyaml.MODULES:
            path = pathlib.Path(str(source.locate_file(f'yaml/{name}')))
            self.assertEqual(path.read_bytes(), pyyaml.files()[name])

    def test_it_loads_alone(self) -> None:
        folder = self.tmp() / 'firstboot'
        (folder / 'yaml').mkdir(parents=True)
        (folder / '__init__.py').touch()
        for name, data in pyyaml.files().items():
            (folder / 'yaml' / name).write_bytes(data)
        done = subprocess.run(
            [sys.executable, '-c', LOADS], cwd=folder.parent, text=True,
            input='#cloud-config\nruncmd: [[a, "b"], c]\nx: 2024-01-02\n',
            capture_output=True)
        self.assertEqual('', done.stderr)
        self.assertEqual(
            "{'runcmd': [['a', 'b'], 'c'], 'x': datetime.date(2024, 1, 2)}\n"
            '[]\n', done.stdout)

    def test_the_version_is_the_pinned_one(self) -> None:
        self.assertIn(f'PyYAML=={pyyaml.VERSION} ', REQUIREMENTS.read_text())

    def test_absent(self) -> None:
        with mock.patch.object(
                importlib.metadata, 'distribution', autospec=True,
                side_effect=importlib.metadata.PackageNotFoundError):
            self.assertEqual('PyYAML 6.0.3 is not installed',
                             str(self.refused()))

    def installed(self, version: str, **files: str) -> pathlib.Path:
        """A site-packages folder with that in it."""
        folder = self.tmp()
        info = folder / f'pyyaml-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: PyYAML\nVersion: {version}\n')
        for name in files.values():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
        (info / 'RECORD').write_text(
            ''.join(f'{name},,\n' for name in files.values()))
        return folder

    def refused_in(self, folder: pathlib.Path) -> str:
        found, = importlib.metadata.distributions(path=[str(folder)])
        with mock.patch.object(importlib.metadata, 'distribution',
                               autospec=True, return_value=found):
            return str(self.refused())

    def refused_with(self, version: str, **files: str) -> str:
        return self.refused_in(self.installed(version, **files))

    def test_another_version(self) -> None:
        self.assertEqual(
            'PyYAML 6.0.2 is installed: the image is made of 6.0.3',
            self.refused_with('6.0.2', one='yaml/error.py'))

    def test_incomplete(self) -> None:
        self.assertEqual('PyYAML 6.0.3 is installed without error.py',
                         self.refused_with('6.0.3'))
        # Not each file of that name is meant.
        modules = {name: f'yaml/{name}' for name in pyyaml.MODULES}
        self.assertEqual(
            'PyYAML 6.0.3 is installed without LICENSE',
            self.refused_with('6.0.3', **modules, other='doc/LICENSE'))

    def test_a_file_that_is_gone(self) -> None:
        folder = self.installed('6.0.3', one='yaml/error.py')
        (folder / 'yaml/error.py').unlink()
        self.assertIn('without error.py', self.refused_in(folder))
