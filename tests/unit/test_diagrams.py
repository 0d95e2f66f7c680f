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

"""The pictures of the pages belong to their sources, and tell the truth."""

import json
import pathlib
import re
import runpy
import shutil
import struct
import subprocess
import sys
import types
import zlib

from tests import base
from tests.unit import test_cmd_plan

ROOT = pathlib.Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'diagrams.py'
ASSETS = ROOT / 'docs' / 'assets'
SOURCES = sorted(ASSETS.glob('*.dot'))
PAGE = ROOT / 'docs' / 'source' / 'how-it-works.rst'
# An image or a figure: its path, and its options.
_IMAGE = re.compile(r'(?m)^ *\.\. (?:image|figure):: (\S+\.png)\n'
                    r'((?: +:\S.*\n(?: {6,}\S.*\n)*)*)')
_ALT = re.compile(r':alt: (\S(?:.|\n)*?)(?=\n +:[\w-]+:|\Z)')
# A node with a label in HTML: its lines, tags included, and what follows.
_NODE = re.compile(r'(?m)^ +\w+ \[label=<(<B>(?:.|\n)*?)>(?:\n +(.*))?\]$')
_GREY = 'fillcolor="#E9ECEF"'

diagrams = types.SimpleNamespace(**runpy.run_path(str(TOOL)))


def used() -> dict[pathlib.Path, list[str]]:
    """The pictures that the pages show, and their alternative texts."""
    found: dict[pathlib.Path, list[str]] = {}
    for page in [ROOT / 'README.rst', *(ROOT / 'docs').rglob('*.rst')]:
        for path, options in _IMAGE.findall(page.read_text()):
            alt = _ALT.search(options)
            found.setdefault((page.parent / path).resolve(), []).append(
                alt.group(1) if alt else '')
    return found


class TestPictures(base.TestCase):

    def test_each_was_made_of_its_source(self) -> None:
        self.assertTrue(SOURCES)
        self.assertEqual([], [source.name for source in SOURCES
                              if not diagrams.is_current(source)],
                         'run: tox -e diagrams')

    def test_each_has_a_source(self) -> None:
        self.assertEqual(
            sorted(ASSETS.rglob('*.png')), list(map(diagrams.picture,
                                                    SOURCES)))

    def test_each_is_on_a_page_and_told_in_words(self) -> None:
        pages = used()
        self.assertEqual(set(map(diagrams.picture, SOURCES)), set(pages))
        for path, texts in pages.items():
            for text in texts:
                self.assertGreater(len(text), 40, path)

    def test_each_fits_a_page(self) -> None:
        for source in SOURCES:
            width, height = diagrams.size(
                diagrams.picture(source).read_bytes())
            self.assertTrue(900 <= width <= 1200, (source.name, width))
            self.assertLess(height, width, source.name)


class TestTool(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.source = self.tmp() / SOURCES[0].name
        self.picture = diagrams.picture(self.source)
        shutil.copy(SOURCES[0], self.source)
        shutil.copy(diagrams.picture(SOURCES[0]), self.picture)

    def test_tells_another_source(self) -> None:
        self.assertTrue(diagrams.is_current(self.source))
        with self.source.open('a') as file:
            file.write('\n')
        self.assertFalse(diagrams.is_current(self.source))

    def test_a_picture_is_missing(self) -> None:
        self.picture.unlink()
        self.assertFalse(diagrams.is_current(self.source))

    def test_a_picture_names_no_source(self) -> None:
        self.picture.write_bytes(self.picture.read_bytes().replace(
            b'Source SHA-256', b'Source MD5-128'))
        self.assertFalse(diagrams.is_current(self.source))

    def test_no_picture(self) -> None:
        self.picture.write_bytes(b'GIF89a')
        with self.assertRaisesRegex(ValueError, 'not a PNG'):
            diagrams.is_current(self.source)

    def test_the_mark_is_a_sound_chunk(self) -> None:
        png = self.picture.read_bytes()
        at = png.index(b'tEXt')
        length, = struct.unpack_from('>I', png, at - 4)
        end = at + 4 + length
        self.assertEqual(zlib.crc32(png[at:end]),
                         struct.unpack_from('>I', png, end)[0])
        self.assertIn(diagrams.digest(self.source).encode(), png[at:end])

    def test_no_graphviz(self) -> None:
        done = subprocess.run(
            [sys.executable, TOOL, self.source], env={'PATH': '/nowhere'},
            capture_output=True, text=True)
        self.assertEqual((4, 'error: no program dot\n'
                          'hint: install the package graphviz\n'),
                         (done.returncode, done.stderr))


class TestInterfaces(base.TestCase):
    """esxi-interfaces.dot shows the plan of the config drive on its page."""

    def setUp(self) -> None:
        super().setUp()
        self.dot = (ASSETS / 'esxi-interfaces.dot').read_text()
        text, = re.findall(r"drive/network_data.json <<'END'\n"
                           r'((?:   .*\n)*?)   END\n', PAGE.read_text())
        self.data = json.loads(text)
        drive = self.tmp()
        (drive / 'network_data.json').write_text(text)
        self.plan = json.loads(test_cmd_plan.printed('--json', drive))
        self.network = self.plan['network']
        # Of each node the lines, and whether it is grey.
        self.nodes = [
            (re.sub(r'<BR/>', '\n', label), _GREY in rest)
            for label, rest in _NODE.findall(self.dot)]

    def texts(self) -> list[list[str]]:
        """The lines of each node that has more than a heading."""
        texts = [re.sub(r'<[^>]*>', '', label).split('\n')
                 for label, _ in self.nodes]
        return [lines for lines in texts if len(lines) > 1]

    def test_what_is_there(self) -> None:
        expected = [[name, mac] for switch in self.network['vswitches']
                    for name, mac in zip(switch['uplinks'],
                                         switch['uplink_macs'])]
        for one in self.network['vswitches']:
            expected.append([one['name'], 'explicit failover' if one[
                'load_balancing'] == 'explicit' else f'MTU {one["mtu"]}'])
        for one in self.network['portgroups']:
            expected.append([one['name'], f'VLAN {one["vlan"]}'
                             if one['vlan'] else 'no VLAN'])
        for one in self.network['vmks']:
            expected.append([one['name'], one['mac'], address(one)])
        self.assertEqual(sorted(expected),
                         sorted(lines[:-1] for lines in self.texts()))

    def test_whose_ids_they_are(self) -> None:
        self.assertEqual(
            {one['id'] for key in ('links', 'networks')
             for one in self.data[key]},
            {lines[-1] for lines in self.texts()})

    def test_what_first_boot_makes(self) -> None:
        made = {argv[argv.index('add') + 2] for argv in (
            step['argv'] for step in self.plan['steps'])
            if argv[1:2] == ['network'] and 'add' in argv}
        grey = {re.sub('<[^>]*>', '', label).split('\n')[0]
                for label, is_grey in self.nodes if is_grey}
        self.assertEqual({'vSwitch0', 'Management Network', 'vmk0'}, grey)
        self.assertEqual({'vSwitch1', 'vmk1', 'vmk2', 'vmnic1', 'vmnic2'},
                         made)

    def test_what_is_connected(self) -> None:
        groups = {one['portgroup']: one['name']
                  for one in self.network['vmks']}
        expected = {(name, one['name']) for one in self.network['vswitches']
                    for name in one['uplinks']}
        for one in self.network['portgroups']:
            vmk = groups[one['name']]
            group = f'pg{vmk[-1]}'
            expected |= {(one['vswitch'], group), (group, vmk)}
        # The chains that are drawn: those within a column are invisible.
        drawn = {pair for chain in re.findall(
            r'(?m)^    (\w+(?: -> \w+)+)(?: \[label.*)?$', self.dot)
            for pair in zip(chain.split(' -> '), chain.split(' -> ')[1:])}
        self.assertEqual(expected, drawn)


def address(vmk: dict) -> str:
    """As the picture has it."""
    ipv4 = vmk['ipv4']
    if ipv4 == 'dhcp':
        return f'DHCP, MTU {vmk["mtu"]}'
    return '{}/{}'.format(ipv4['address'], sum(
        int(part).bit_count() for part in ipv4['netmask'].split('.')))
