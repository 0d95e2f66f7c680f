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

"""README.rst is what package indexes show: docutils alone, and no network."""

import configparser
import pathlib
import re
import subprocess
import sys

from docutils import core
from docutils import nodes

from tests import base

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / 'README.rst'
# As a package index reads it: nothing from elsewhere, no HTML of ours.
_DOCUTILS = (sys.executable, '-m', 'docutils', '--writer=null', '--report=2',
             '--no-file-insertion', '--no-raw', '--syntax-highlight=none')


def objections(text: str) -> str:
    """What docutils has against a text.

    In a process of its own: roles and directives, once known, are for all.
    """
    return subprocess.run(_DOCUTILS, input=text, capture_output=True,
                          text=True, env={'DOCUTILSCONFIG': ''}).stderr


class TestReadme(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = README.read_text()
        self.document = core.publish_doctree(self.text, settings_overrides={
            'report_level': 5, 'syntax_highlight': 'none'})

    def blocks(self) -> list[str]:
        return [node.astext() for node
                in self.document.findall(nodes.literal_block)]

    def terms(self) -> list[str]:
        """What the lists explain."""
        return [node.astext() for node in self.document.findall(nodes.term)]

    def test_docutils_has_nothing_against_it(self) -> None:
        self.assertEqual('', objections(self.text))

    def test_links_lead_somewhere(self) -> None:
        links = {node['refuri'] for node
                 in self.document.findall(nodes.reference)
                 if 'refuri' in node}
        self.assertIn('docs/source/quickstart.rst', links)
        self.assertEqual([], [link for link in sorted(links)
                              if not (ROOT / link).is_file()])

    def test_pictures_are_there_and_told_in_words(self) -> None:
        images = list(self.document.findall(nodes.image))
        self.assertTrue(images)
        for image in images:
            self.assertTrue((ROOT / image['uri']).is_file(), image['uri'])
            self.assertGreater(len(image.get('alt', '')), 40, image['uri'])

    def test_it_has_the_commands(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(ROOT / 'setup.cfg')
        scripts = re.findall(r'(?m)^(\S+) = ',
                             setup['entry_points']['console_scripts'])
        self.assertTrue(scripts)
        self.assertEqual([], [name for name in scripts if not re.search(
            f'``{name}[ `]', self.text)])

    def test_it_has_options_that_there_are(self) -> None:
        options = [term.split()[0] for term in self.terms()
                   if term.startswith('--')]
        self.assertIn('--kickstart', options)
        known = subprocess.run(
            [sys.executable, '-m', 'esxi_img', '--help'], cwd=ROOT,
            capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual([], [one for one in options if one not in known])

    def test_the_gate_finds_its_command(self) -> None:
        self.assertTrue(any(re.search(r'(?m)^make test\b', block)
                            for block in self.blocks()))


class TestTheCheck(base.TestCase):

    def test_what_docutils_has_against_a_text(self) -> None:
        self.assertEqual('', objections('.. code-block:: shell\n\n   a\n'))
        for text, expected in (
                ('A title\n=====\n', 'underline too short'),
                (':doc:`index`\n', 'interpreted text role "doc"'),
                ('.. toctree::\n\n   a\n', 'directive type "toctree"'),
                ('`nowhere`_\n', 'Unknown target name'),
                ('.. include:: LICENSE\n', '"include" directive disabled'),
                ('* a\nb\n', 'ends without a blank line')):
            with self.subTest(text=text):
                self.assertIn(expected, objections(text))
