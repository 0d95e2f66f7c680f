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

"""esxi-img-collect is one file that needs no other."""

import io
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

from esxi_img import collector
from tests import base

NAME = 'esxi-img-collect'
# That of ESXi 7.0, by any of the names that it may have here.
OLDEST = 'python3.8'


def oldest() -> str | None:
    """A Python 3.8 that runs, if there is one."""
    found = [shutil.which(OLDEST), *map(str, sorted(
        pathlib.Path.home().glob(f'.pyenv/versions/3.8.*/bin/{OLDEST}')))]
    return next((name for name in found if name and not subprocess.run(
        [name, '-c', ''], capture_output=True).returncode), None)


class TestCollector(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.program = self.tmp() / NAME
        self.program.write_bytes(collector.program())

    def run_(self, *words: str, python: str = sys.executable,
             **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, '-W', 'error', '-I', str(self.program), *words],
            capture_output=True, text=True, cwd='/', timeout=60,
            env={'PATH': '/nowhere', **environment})

    def test_its_files(self) -> None:
        with zipfile.ZipFile(self.program) as archive:
            self.assertEqual(
                {'__main__.py', *(f'firstboot/{name}'
                                  for name in collector.MODULES)},
                set(archive.namelist()))
            # ESXi's Python may lack zlib.
            self.assertEqual({zipfile.ZIP_STORED}, {
                entry.compress_type for entry in archive.infolist()})
            self.assertIn(b'def run(', archive.read('firstboot/running.py'))

    def test_same_bytes_again(self) -> None:
        self.assertEqual(collector.program(), collector.program())
        files = {name: b'x = 1\n' for name in collector.MODULES}
        self.assertEqual(collector.packed(files), collector.packed(
            dict(reversed(files.items()))))
        with zipfile.ZipFile(io.BytesIO(collector.program())) as archive:
            self.assertEqual({(1980, 1, 1, 0, 0, 0)}, {
                entry.date_time for entry in archive.infolist()})

    def test_it_runs_alone(self) -> None:
        folder = self.tmp()
        for python in (sys.executable, oldest()):
            if python is None:
                self.require(OLDEST)
            with self.subTest(python):
                report = folder / f'{len(os.listdir(folder))}.tgz'
                done = self.run_('-o', str(report), python=str(python))
                self.assertEqual((0, ''), (done.returncode, done.stderr))
                self.assertEqual(0o600, report.stat().st_mode & 0o7777)
                self.assertIn(f'{report} {report.stat().st_size} bytes\n',
                              done.stdout)
                # Nor did it put anything beside itself.
                self.assertEqual([NAME], os.listdir(self.program.parent))

    def test_the_licence_is_told(self) -> None:
        with zipfile.ZipFile(self.program) as archive:
            self.assertIn('Apache License', archive.read(
                '__main__.py').decode())

    def test_help(self) -> None:
        done = self.run_('--help')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        for option in ('--output', '--stdout', '--anonymise'):
            self.assertIn(option, done.stdout)
