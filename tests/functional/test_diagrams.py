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

"""Graphviz draws the pictures of the pages."""

import pathlib
import runpy
import shutil
import struct
import subprocess
import sys
import types
import zlib

from tests import base

ROOT = pathlib.Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'diagrams.py'

diagrams = types.SimpleNamespace(**runpy.run_path(str(TOOL)))


def damaged(png: bytes) -> list[bytes]:
    """The types of chunks with a wrong CRC."""
    found, at = [], 8
    while at < len(png):
        length, kind = struct.unpack_from('>I4s', png, at)
        end = at + 8 + length
        if zlib.crc32(png[at + 4:end]) != struct.unpack_from(
                '>I', png, end)[0]:
            found.append(kind)
        at = end + 4
    return found


class TestDiagrams(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('dot', 'file')
        self.folder = self.tmp()

    def render(self, source: pathlib.Path
               ) -> 'subprocess.CompletedProcess[str]':
        return subprocess.run([sys.executable, TOOL, source],
                              capture_output=True, text=True)

    def test_each_source(self) -> None:
        sources = sorted((ROOT / 'docs' / 'assets').glob('*.dot'))
        self.assertTrue(sources)
        for origin in sources:
            source = self.folder / origin.name
            shutil.copy(origin, source)
            with self.subTest(source.name):
                done = self.render(source)
                self.assertEqual((0, ''), (done.returncode, done.stderr))
                self.assertTrue(diagrams.is_current(source))
                picture = diagrams.picture(source)
                png = picture.read_bytes()
                self.assertEqual([], damaged(png))
                width, height = diagrams.size(png)
                said = subprocess.run(['file', picture], text=True,
                                      capture_output=True, check=True).stdout
                self.assertIn(f'PNG image data, {width} x {height}', said)

    def test_a_bad_source(self) -> None:
        source = self.folder / 'a.dot'
        source.write_text('digraph a {')
        done = self.render(source)
        self.assertEqual(3, done.returncode)
        self.assertIn(f'error: {source}: dot refuses it', done.stderr)
        self.assertFalse(diagrams.picture(source).exists())
