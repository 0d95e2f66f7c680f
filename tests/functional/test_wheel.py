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

"""The installed wheel works: byte-compiled, read-only, from anywhere."""

import os
import pathlib
import shutil
import subprocess
import sys

from esxi_img import pyyaml
from tests import base

ROOT = pathlib.Path(base.__file__).parent.parent


class WheelTests(base.TestCase):

    def run_command(self, *command, **environment):
        done = subprocess.run(
            [str(word) for word in command], text=True, cwd=self.folder,
            capture_output=True, env={**os.environ, **environment})
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def test_wheel(self):
        self.folder = self.tmp()
        source, target = self.folder / 'source', self.folder / 'target'
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(
            '.*', 'build', '__pycache__', '*.egg-info', '*.img', '*.iso'))
        self.run_command(
            sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
            '--wheel-dir', self.folder, source, PBR_VERSION='1.2.3')
        wheel, = self.folder.glob('*.whl')
        self.run_command(
            sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps',
            '--compile', '--target', target, wheel)
        self.assertTrue(list(target.glob('esxi_img/firstboot/__pycache__')))
        for path in [target, *target.rglob('*')]:
            path.chmod(0o555 if path.is_dir() or os.access(path, os.X_OK)
                       else 0o444)
        self.addCleanup(self.run_command, 'chmod', '-R', 'u+w', target)
        environment = {'PYTHONPATH': str(target)}
        bins = target / 'bin'
        self.assertEqual('1.2.3\n', self.run_command(
            sys.executable, bins / 'esxi-img', '--version', **environment))
        self.run_command(sys.executable, bins / 'esxi-img-sample-iso',
                         '--size-mb', '8', 's.iso', **environment)
        self.run_command(sys.executable, bins / 'esxi-img', '--output',
                         's.img', 's.iso', **environment)
        said = self.run_command(sys.executable, bins / 'esxi-img-inspect',
                                's.img', **environment)
        self.assertIn('version: 1.2.3', said)
        self.assertIn('esxiimg/firstboot/__main__.py', said)
        self.assertNotIn('.pyc', said)
        for name in ('vmware_esxi.schema.json', 'yaml/__init__.py',
                     'yaml/loader.py', 'yaml/LICENSE'):
            self.assertIn(f'esxiimg/firstboot/{name}', said)
        metadata, = target.glob('esxi_img-*.dist-info/METADATA')
        self.assertIn(f'Requires-Dist: PyYAML=={pyyaml.VERSION}\n',
                      metadata.read_text())
        self.assertTrue(list(target.rglob('esxi-img.conf.sample')))
