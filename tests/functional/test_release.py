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

"""What a release consists of builds without git, and works from anywhere."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

from esxi_img import pyyaml
from tests import base

ROOT = pathlib.Path(base.__file__).parent.parent
VERSION = '1.2.3'
COMMANDS = ('esxi-img', 'esxi-img-elements', 'esxi-img-inspect',
            'esxi-img-plan', 'esxi-img-sample-iso')


class ReleaseCase(base.TestCase):
    """A copy of this tree, and what is built of it."""

    def setUp(self):
        super().setUp()
        self.folder = self.tmp()

    def run_command(self, *command, cwd=None, **environment):
        done = subprocess.run(
            [str(word) for word in command], text=True,
            cwd=cwd or self.folder, capture_output=True,
            stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def source(self):
        """The tree, without git's folder and what tests leave."""
        target = self.folder / 'source'
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(
            '.git', '.stestr', '.tox', '.venv', 'build', 'cover', 'dist',
            '__pycache__', '*.egg-info', '*.img', '*.iso'))
        return target

    def wheel(self, source, folder='wheel', **environment):
        """Build a wheel of a tree or an sdist."""
        target = self.folder / folder
        self.run_command(
            sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
            '--wheel-dir', target, source, **environment)
        wheel, = target.glob('*.whl')
        return wheel

    def without_git(self):
        """Variables under which no program finds a git."""
        bin = self.folder / 'bin'
        bin.mkdir()
        (bin / 'git').write_text('#!/bin/sh\necho no git >&2\nexit 127\n')
        (bin / 'git').chmod(0o755)
        return {'PATH': f'{bin}:{os.environ["PATH"]}'}


class SdistTests(ReleaseCase):

    def git(self, source, *command):
        return self.run_command(
            'git', '-c', 'user.name=nobody', '-c', 'user.email=nobody@invalid',
            *command, cwd=source)

    def test_sdist(self):
        """The version is git's tag; without git, the wheel is the same."""
        self.require('git')
        source = self.source()
        self.git(source, 'init', '--quiet')
        self.git(source, 'add', '--all', '--force')
        self.git(source, 'commit', '--quiet', '--message', 'A first step')
        self.git(source, 'tag', '--annotate', '--message', VERSION, VERSION)
        self.run_command(sys.executable, '-m', 'build', '--sdist', '--outdir',
                         self.folder / 'sdist', source)
        sdist, = (self.folder / 'sdist').iterdir()
        self.assertEqual(f'esxi_img-{VERSION}.tar.gz', sdist.name)
        tree = f'esxi_img-{VERSION}'
        with tarfile.open(sdist) as archive:
            names = set(archive.getnames())
            log = archive.extractfile(f'{tree}/ChangeLog').read().decode()
        self.assertIn('* A first step', log)
        tracked = self.git(source, 'ls-files').split()
        self.assertLess(500, len(tracked))
        self.assertEqual(['.gitignore'], [
            name for name in tracked if f'{tree}/{name}' not in names])
        self.assertNotIn(f'{tree}/AUTHORS', names)

        wheels = [self.wheel(source, 'from-git'),
                  self.wheel(sdist, 'from-sdist', **self.without_git())]
        self.assertEqual([f'esxi_img-{VERSION}-py3-none-any.whl'] * 2,
                         [wheel.name for wheel in wheels])
        contents = [self.contents(wheel) for wheel in wheels]
        self.assertEqual(contents[0], contents[1])

    def contents(self, wheel):
        """The files of a wheel; RECORD and pbr.json tell how it was made."""
        with zipfile.ZipFile(wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()
                    if not name.endswith(('/RECORD', '/pbr.json'))}


class WheelTests(ReleaseCase):

    def test_read_only(self):
        """Byte-compiled, read-only, from anywhere."""
        wheel = self.wheel(self.source(), PBR_VERSION=VERSION)
        target = self.folder / 'target'
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
        self.assertEqual(f'{VERSION}\n', self.run_command(
            sys.executable, bins / 'esxi-img', '--version', **environment))
        self.run_command(sys.executable, bins / 'esxi-img-sample-iso',
                         '--size-mb', '8', 's.iso', **environment)
        self.run_command(sys.executable, bins / 'esxi-img', '--output',
                         's.img', 's.iso', **environment)
        said = self.run_command(sys.executable, bins / 'esxi-img-inspect',
                                's.img', **environment)
        self.assertIn(f'version: {VERSION}', said)
        self.assertIn('esxiimg/firstboot/__main__.py', said)
        self.assertNotIn('.pyc', said)
        for name in ('vmware_esxi.schema.json', 'yaml/__init__.py',
                     'yaml/loader.py', 'yaml/LICENSE'):
            self.assertIn(f'esxiimg/firstboot/{name}', said)
        metadata, = target.glob('esxi_img-*.dist-info/METADATA')
        self.assertIn(f'Requires-Dist: PyYAML=={pyyaml.VERSION}\n',
                      metadata.read_text())
        for name in ('etc/esxi-img/esxi-img.conf.sample',
                     'share/bash-completion/completions/esxi-img',
                     'share/zsh/site-functions/_esxi-img'):
            self.assertTrue((target / name).is_file(), name)

    def test_without_an_installation(self):
        """As pipx and uvx run it: from the wheel, in a place of its own."""
        wheel = self.wheel(self.source(), PBR_VERSION=VERSION)
        bins = pathlib.Path(sys.executable).parent
        self.require(str(bins / 'pipx'), str(bins / 'uvx'))
        own = {name: str(self.folder / name) for name in (
            'HOME', 'PIPX_HOME', 'PIPX_BIN_DIR', 'UV_CACHE_DIR',
            'UV_TOOL_DIR', 'XDG_CACHE_HOME', 'XDG_DATA_HOME')}
        for run in ([bins / 'pipx', 'run', '--spec', wheel],
                    [bins / 'uvx', '--from', wheel]):
            with self.subTest(run=run[0].name):
                out = self.folder / f'{run[0].name}.iso'
                self.assertEqual(f'{VERSION}\n', self.run_command(
                    *run, 'esxi-img', '--version', **own))
                self.run_command(*run, 'esxi-img-sample-iso', '--size-mb',
                                 '8', out, **own)
                self.run_command(*run, 'esxi-img', '--output', f'{out}.img',
                                 out, **own)
                self.assertTrue(pathlib.Path(f'{out}.img').is_file())
