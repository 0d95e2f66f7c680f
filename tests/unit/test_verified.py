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

"""The page about what has been verified names what there is."""

import pathlib
import re

from esxi_img.firstboot import reportanswers
from tests import base
from tests.unit.firstboot import test_corpus

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'source' / 'verified.rst'
FUNCTIONAL = 'tests/functional'


class TestVerified(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = PAGE.read_text()
        self.named = set(re.findall(r'\b((?:tests|esxi_img)/[\w/.]*\w)',
                                    self.text))

    def section(self, title: str) -> str:
        """From a heading to the next one of its kind."""
        parts = re.split(r'(?m)^(\S.*)\n=+\n', self.text)
        return dict(zip(parts[1::2], parts[2::2]))[title]

    def test_each_file_is_there(self) -> None:
        self.assertLess(20, len(self.named))
        self.assertEqual([], sorted(
            name for name in self.named if not (ROOT / name).exists()))

    def test_each_functional_test_is_told_of(self) -> None:
        there = {f'{FUNCTIONAL}/{path.name}'
                 for path in (ROOT / FUNCTIONAL).glob('test_*.py')}
        self.assertLess(20, len(there))
        rows = ''.join(map(self.section, (
            'Against other programs', 'Against a simulation')))
        self.assertEqual(
            [], sorted(name for name in there if name not in rows),
            f'say in {PAGE.name} what these verify, and by which judge')

    def test_each_judge_that_a_table_names_is_asked_for(self) -> None:
        """The words of a test say that it calls the program."""
        found = 0
        for row in self.section('Against other programs').split('   * - ')[2:]:
            _, judges, tests = row.split('     - ')
            text = ''.join((ROOT / name).read_text() for name in re.findall(
                r'``(tests/\S+)``', tests))
            others = ''.join(
                path.read_text() for path in (ROOT / FUNCTIONAL).glob('*.py')
                if not path.name.startswith('test_'))
            for judge in re.findall('``([^`]+)``', judges):
                with self.subTest(judge=judge, tests=tests.strip()):
                    self.assertIn(judge.split()[0].split('/')[-1],
                                  text + others)
                    found += 1
        self.assertLess(25, found)

    def test_the_questions_of_the_field_report_are_on_it(self) -> None:
        questions = self.section('What only a host can show')
        self.assertEqual(list(reportanswers.QUESTIONS), re.findall(
            r'(?m)^     - ``(\w+)``: ', questions))

    def test_the_messages_that_answer_them_are_ours(self) -> None:
        source = ''.join(path.read_text() for path in (
            ROOT / 'esxi_img' / 'firstboot').glob('*.py'))
        told = [message.removesuffix(' NAME') for row in self.section(
            'What only a host can show').split('   * - ')[2:]
            for message in re.findall('``([^`]+)``',
                                      row.split('     - ')[-1])
            if ' ' in message]
        self.assertLess(6, len(told))
        self.assertEqual([], [one for one in told if one not in source])

    def test_each_question_is_settled_by_something(self) -> None:
        questions = re.findall(
            r'(?m)^   \* - (Q\d+)$',
            self.section('What only a host can show'))
        self.assertEqual([f'Q{number}' for number in range(
            1, len(questions) + 1)], questions)
        settled = set(re.findall(r'\bQ\d+\b', self.section('The checklist')))
        self.assertEqual(set(questions), settled)

    def test_the_numbers_of_the_corpus(self) -> None:
        groups = {case.split('/')[0] for case in test_corpus.CASES}
        self.assertIn(f'{len(test_corpus.CASES)} drives in {len(groups)} '
                      'groups', self.text)
