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

"""Pages of the user guide name what there is: options, commands, lines."""

import ast
import collections.abc
import pathlib
import re
import textwrap

from esxi_img.conf import opts
from esxi_img import errors
from esxi_img.firstboot import fieldreport
from esxi_img.kickstart import grammar
from esxi_img.kickstart import merge
from esxi_img.kickstart import ours
from esxi_img.kickstart import sections
from tests import base
from tests import listtables

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ROOT / 'docs' / 'source' / 'user'
# Stands for what a message puts in.
GAP = '\0'


def heredoc(text: str, name: str) -> str:
    """The file that an example writes."""
    found, = re.findall(
        rf"(?s)   cat > {re.escape(name)} <<'END'\n(.*?)   END\n", text)
    return textwrap.dedent(found)


class TestOptions(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = (PAGES / 'options.rst').read_text()
        self.opts = [one for one in (*opts.FILE_OPTS, *opts.CLI_OPTS)
                     if not one.positional]

    def test_each_is_explained(self) -> None:
        terms = '\n'.join(
            line for line in self.text.splitlines()
            if re.match(r'``--|   \* - ``--', line))
        told = set(re.findall('--(?:no-)?([a-z0-9-]+)', terms))
        self.assertEqual({one.name for one in self.opts}, told)

    def test_those_of_the_command_line_alone(self) -> None:
        sentence, = re.findall(
            r'\.\s(``ISO``[^.]*)\sstand\son\sthe\scommand\sline\sonly\.',
            self.text)
        told = {word.lower().strip('-').replace('-', '_')
                for word in listtables.literals(sentence)}
        self.assertEqual({one.dest for one in opts.CLI_OPTS}
                         - {'config_file'}, told)


class TestKickstart(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = (PAGES / 'kickstart.rst').read_text()
        self.sections = listtables.sections(self.text)

    def keys(self, title: str) -> list[str]:
        return listtables.keys(listtables.tables(self.sections[title])[0])

    def test_commands(self) -> None:
        self.assertEqual(sorted({*grammar.COMMANDS, *grammar.SECTIONS}),
                         sorted(self.keys('Commands')))

    def test_what_is_added(self) -> None:
        script = '\n'.join(sections.lines())
        *lines, last = listtables.tables(self.sections['What is added'])[0]
        self.assertEqual([*ours.commands().values()],
                         [row[0].strip('`') for row in lines])
        for row, names in zip(lines, merge._STAND_FOR.values()):
            self.assertEqual(sorted(names),
                             sorted(listtables.literals(row[1])))
        words = {'one': 1, 'three': 3}
        for count, name in re.findall('(one|three) ``(%[a-z]+)``', last[0]):
            self.assertEqual(words[count], len(re.findall(
                f'(?m)^{name} ', script)), name)
        self.assertIn(sections.MARK, self.sections['What is added'])

    def test_what_is_included(self) -> None:
        rows = listtables.tables(
            self.sections['The files that are included'])[0]
        safe = ours.safe(None)
        self.assertEqual(sorted(safe), sorted(
            row[0].strip('`') for row in rows))
        for row in rows[1:]:
            first = listtables.literals(row[1])[0].encode()
            self.assertTrue(safe[row[0].strip('`')].startswith(first))

    def test_the_commands_that_warn(self) -> None:
        rows = {row[0]: row[1] for row in
                listtables.tables(self.sections['Commands'])[0]}
        for name in ('clearpart', 'dryrun', 'paranoid', 'keyboard'):
            head = {'clearpart': 'clearpart --alldrives', 'keyboard':
                    'keyboard German'}.get(name, name) + '\n'
            notes = merge.merge(merge.Wishes(), head, 'x').notes
            with self.subTest(name):
                self.assertEqual(any(f': {name}: ' in one for one in notes),
                                 'with a warning' in rows[f'``{name}``'])

    def test_what_is_refused(self) -> None:
        with self.assertRaises(errors.InputError) as caught:
            merge.merge(merge.Wishes(), heredoc(self.text, 'bad.ks'),
                        'bad.ks', sections.lines())
        shown = re.findall('(?m)^   error: (.*)$', self.text)
        self.assertEqual(sorted(caught.exception.problems), sorted(shown))


class TestTroubleshooting(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = (PAGES / 'troubleshooting.rst').read_text()

    def test_options_of_the_field_report(self) -> None:
        text = listtables.sections(self.text)['Report it']
        options = {name for action in fieldreport._parser()._actions
                   for name in action.option_strings if name[1] == '-'}
        self.assertEqual(options - {'--help'}, set(re.findall(
            '(?m)^``(--[a-z]+)', text)))

    def test_lines(self) -> None:
        """Each line that the page explains is one that can be printed."""
        told = [line for block in self.text.split('.. list-table::')[1:]
                if re.search(r'\* - Line\n', block)
                for row in listtables.tables('.. list-table::' + block)[0]
                for line in listtables.literals(row[0])]
        self.assertLess(30, len(told))
        known = [*printed(ROOT / 'esxi_img')]
        self.assertEqual([], [line for line in told if not any(
            matches(line, one) for one in known)])

    def test_the_check_sees(self) -> None:
        for line, message, expected in (
                ('no disk', 'no disk, or more', True),
                ('no dusk', 'no disk, or more', False),
                ('problem: NAME: gone', f'{GAP}: gone', True),
                ('NAME keeps the MAC', f'{GAP} keeps the MAC {GAP} of', True),
                ('NAME keeps the NIC', f'{GAP} keeps the MAC {GAP} of', False),
                ('within N s, so', f'within {GAP} s, so', True)):
            with self.subTest(line):
                self.assertEqual(expected, matches(line, message))


def matches(line: str, message: str) -> bool:
    """Whether a line, with NAME or N for anything, is part of a message."""
    fixed = re.split(r'\bNAME\b|\bN\b|^problem: ', line)
    return re.search('.*'.join(map(re.escape, fixed)), message) is not None


def printed(folder: pathlib.Path) -> collections.abc.Iterator[str]:
    """All strings of the code, GAP for what is put in."""
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield ''.join(
                    str(part.value) if isinstance(part, ast.Constant)
                    else GAP for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(
                    node.value, str):
                yield re.sub(r'\{[a-z]+\}', GAP, node.value)
