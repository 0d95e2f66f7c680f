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

"""esxi-img-elements finds the elements, however all was installed."""

import os
import pathlib
import sys
import sysconfig

from tests.functional import command
from tests.functional import dib
from tests.functional import test_image

ELEMENTS = dib.PROJECT / 'elements'


class TestElementsPath(command.TestCase):
    """It prints one folder, as ELEMENTS_PATH takes it."""

    def setUp(self) -> None:
        super().setUp()
        self.venv = self.folder / 'venv'
        test_image.run(sys.executable, '-m', 'venv', '--without-pip',
                       '--system-site-packages', self.venv)
        self.python = self.venv / 'bin' / 'python'
        # What it needs comes last, and pip does not know of it.
        site, = self.venv.glob('lib/python*/site-packages')
        (site / 'sitecustomize.py').write_text(
            'import os, sys\n'
            'sys.path += filter(None, [os.environ.get("OTHERS")])\n')
        self.elsewhere = self.folder / 'elsewhere' / 'elements'
        (self.elsewhere / dib.ELEMENT).mkdir(parents=True)

    def check(self, folder: pathlib.Path, *argv: command.Word,
              **variables: str) -> None:
        """A program prints the folder, which holds what ours does."""
        said = test_image.run(
            *argv, cwd=self.elsewhere.parent, env=command.environment(
                OTHERS=sysconfig.get_path('purelib'), **variables))
        self.assertEqual(f'{folder}\n', said)
        names = {str(path.relative_to(ELEMENTS))
                 for path in ELEMENTS.rglob('*') if path.is_file()}
        self.assertIn('esxi-installer/root.d/10-esxi-iso', names)
        for name in names:
            self.assertEqual(os.access(ELEMENTS / name, os.X_OK),
                             os.access(folder / name, os.X_OK), name)

    def install(self, *options: command.Word, **variables: str) -> None:
        test_image.run(
            sys.executable, '-m', 'pip', '--python', self.python, 'install',
            '--quiet', '--no-deps', '--ignore-installed', *options,
            dib.wheel(), env={**os.environ, **variables})

    def test_venv(self) -> None:
        self.install()
        self.check(self.venv / 'share/esxi-img/elements',
                   self.venv / 'bin/esxi-img-elements')

    def test_user(self) -> None:
        variables = {'PYTHONUSERBASE': str(self.folder / 'user')}
        self.install('--user', **variables)
        self.check(self.folder / 'user/share/esxi-img/elements',
                   self.folder / 'user/bin/esxi-img-elements', **variables)

    def test_prefix(self) -> None:
        self.install('--prefix', self.folder / 'prefix')
        package, = self.folder.glob('prefix/**/esxi_img/__init__.py')
        elements, = self.folder.glob('prefix/**/share/esxi-img/elements')
        program, = self.folder.glob('prefix/**/bin/esxi-img-elements')
        self.check(elements, program,
                   PYTHONPATH=str(package.parent.parent))

    def test_target(self) -> None:
        target = self.folder / 'target'
        self.install('--target', target)
        self.check(target / 'share/esxi-img/elements', self.python,
                   target / 'bin/esxi-img-elements', PYTHONPATH=str(target))

    def test_checkout(self) -> None:
        self.check(ELEMENTS, self.python, '-m', 'esxi_img.cmd.elements',
                   PYTHONPATH=str(dib.PROJECT))
