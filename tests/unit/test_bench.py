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

"""The figures that are told are those of tools/bench.py."""

import contextlib
import importlib.util
import io
import pathlib
import re
import sys
import types
import unittest.mock

from tests import base

ROOT = pathlib.Path(__file__).parents[2]
INC = ROOT / 'docs' / 'source' / 'numbers.inc'
README = ROOT / 'README.rst'


def loaded() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(
        'bench', ROOT / 'tools' / 'bench.py')
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses looks for it.
    with unittest.mock.patch.dict(sys.modules, {'bench': module}):
        spec.loader.exec_module(module)
    return module


bench = loaded()


class TestFigures(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.told = bench.parsed(INC.read_text())

    def test_the_page_has_every_row(self) -> None:
        self.assertEqual(bench.NAMES, tuple(self.told))

    def test_the_readme_quotes_them(self) -> None:
        quoted = bench.parsed(README.read_text())
        self.assertLess(5, len(quoted))
        self.assertEqual({name: self.told.get(name) for name in quoted},
                         quoted)
        self.assertNotIn(bench.NOT_MEASURED,
                         {figure for figure, _ in quoted.values()})

    def test_the_page_ends_with_date_and_command(self) -> None:
        self.assertRegex(
            INC.read_text(),
            r'\n20\d\d-[01]\d-[0-3]\d: ``python tools/bench\.py[^`\n]*``\n\Z')

    def test_the_readme_has_them_too(self) -> None:
        last = INC.read_text().splitlines()[-1]
        self.assertIn(last, README.read_text().splitlines())

    def test_of_the_command_what_matters(self) -> None:
        for words, expected in (
                (['--runs', '5', '--rst', 'a', '--quote', 'b'],
                 ['--runs', '5']),
                (['--rst=a', '--size-mb', '60', '--quote=b'],
                 ['--size-mb', '60']),
                ([], [])):
            with self.subTest(words=words):
                self.assertEqual(expected, bench._measuring(words))

    def test_each_is_a_ratio_a_size_or_a_count(self) -> None:
        for name, (figure, spread) in self.told.items():
            with self.subTest(name):
                if figure == bench.NOT_MEASURED:
                    self.assertTrue(spread)
                elif ' / ' in name:
                    self.assertRegex(figure, r'^\d+\.\d+$')
                    low, high = map(float, spread.split(' to '))
                    self.assertTrue(low <= float(figure) <= high)
                else:
                    self.assertRegex(figure, r'^\d+(\.\d)?( MB)?$')

    def test_counts_are_those_of_today(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            rows = bench.measured(bench.Bench(self.tmp(), 60, 1),
                                  ['first-boot'])
        self.assertEqual(
            {name: self.told[name] for name in rows}, rows,
            'python tools/bench.py --rows first-boot --quote '
            'docs/source/numbers.inc --quote README.rst')

    def test_the_page_names_the_command_that_measures_all(self) -> None:
        page = INC.with_suffix('.rst').read_text()
        command, = re.findall(r'python tools/bench\.py (.*--rst .*)', page)
        given = bench._parser().parse_args(command.split())
        self.assertEqual((list(bench.GROUPS), INC, [README]), (
            given.rows, ROOT / given.rst, [ROOT / one for one in given.quote]))


class TestTable(base.TestCase):

    ROWS = {'a / b': ('1.25', '1.20 to 1.31'), 'c': ('10', ''),
            'd / b': (bench.NOT_MEASURED, 'no d')}

    def test_it_is_read_as_it_was_written(self) -> None:
        self.assertEqual(self.ROWS, bench.parsed(
            f'Text\n====\n\n{bench.table(self.ROWS)}\nMore.\n'))
        self.assertEqual({}, bench.parsed('Text\n====\n\nMore.\n'))

    def test_only_what_is_there_is_put_into_a_text(self) -> None:
        text = f'Text\n\n{bench.table(self.ROWS)}\nMore.\n'
        new = bench.quoted(text, {
            'c': ('a longer figure', ''), 'other': ('2', '')}, '')
        self.assertEqual({**self.ROWS, 'c': ('a longer figure', '')},
                         bench.parsed(new))
        self.assertEqual(('Text\n\n=', '=\n\nMore.\n'), (new[:7], new[-9:]))

    def test_the_date_is_that_of_all_rows(self) -> None:
        old = '2026-01-02: ``python tools/bench.py``'
        text = f'{bench.table(self.ROWS)}\n{old}\n\nMore.\n'
        end = 'Rounds: 5.\n\n2027-01-02: ``python tools/bench.py --runs 5``\n'
        every = dict.fromkeys(bench.NAMES, ('1', ''))
        self.assertEqual(text.replace(old, end.splitlines()[-1]),
                         bench.quoted(text, every, end))
        del every[bench.NAMES[0]]
        self.assertEqual(text, bench.quoted(text, every, end))

    def test_ratios(self) -> None:
        rounds = [(2.0, 1.0), (9.0, 3.0), (4.0, 1.0)]
        self.assertEqual(('3.00', '2.00 to 4.00'), bench.ratio(rounds, 0, 1))
        self.assertEqual(('10.0', '10.0 to 10.0'),
                         bench.ratio([(10.0, 1.0)], 0, 1))

    def test_no_round_is_of_another_command(self) -> None:
        one = bench.Bench(self.tmp(), 60, 3)
        ran = []
        with unittest.mock.patch.object(bench, 'run', lambda command: (
                ran.append(command), (float(command), 0))[1]):
            self.assertEqual([(1.0, 2.0, 3.0)] * 3, one.rounds(*'123'))
        self.assertEqual(['1', '2', '3', '1'],
                         [ran[number] for number in (0, 3, 6, 9)])

    def test_what_cannot_be_measured_has_its_reason(self) -> None:
        def fails(_bench: bench.Bench) -> bench.Figures:
            yield '1', ''
            raise bench.NotMeasured('no such thing')

        groups = {'x': bench.Group(fails, ('a', 'b'))}
        with unittest.mock.patch.object(bench, 'GROUPS', groups), \
                contextlib.redirect_stderr(io.StringIO()):
            rows = bench.measured(bench.Bench(self.tmp(), 60, 1), groups)
        self.assertEqual(dict.fromkeys(
            'ab', (bench.NOT_MEASURED, 'no such thing')), rows)

    def test_rows(self) -> None:
        self.assertEqual(['build', 'dib'], bench._groups('dib,build'))
        with contextlib.redirect_stderr(io.StringIO()) as told, \
                self.assertRaises(SystemExit) as ended:
            bench._parser().parse_args(['--rows', 'build,nothing'])
        self.assertEqual(2, ended.exception.code)
        self.assertIn('none of build, formats', told.getvalue())
