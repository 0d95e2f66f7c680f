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

"""Every shell example of the documentation is marked, and can be tested."""

import textwrap

from tests import base
from tests.esxi import grammar
from tests.examples import host
from tests.examples import pages
from tests.examples import shell

RUN = '.. example: run'


def page(*parts: str) -> pages.Page:
    """A page that consists of parts."""
    return pages.read('README.rst', '\n\n'.join(parts))


def block(text: str = 'true', language: str = 'shell') -> str:
    return f'.. code-block:: {language}\n\n' + textwrap.indent(text, '   ')


class TestPages(base.TestCase):
    """The pages as they are."""

    def test_every_example_is_marked(self) -> None:
        faults = [fault for page in pages.all_pages()
                  for fault in page.faults]
        self.assertEqual([], faults, '\n'.join(faults))

    def test_they_are_found(self) -> None:
        names = {page.name for page in pages.all_pages()}
        for name in ('CONTRIBUTING.rst', 'README.rst',
                     'docs/source/index.rst',
                     'docs/source/user/user-data.rst',
                     'docs/source/user/example/elements/esxi-driver/'
                     'README.rst',
                     'elements/esxi-installer/README.rst'):
            self.assertIn(name, names)

    def test_there_are_examples_of_each_kind(self) -> None:
        for how in pages.HOWS:
            self.assertTrue(pages.examples(how), how)

    def test_each_is_shell(self) -> None:
        for how in pages.HOWS:
            for one in pages.examples(how):
                with self.subTest(one.where):
                    self.assertNotEqual((), shell.commands(one.text))

    def test_a_host_takes_what_is_for_it(self) -> None:
        for one in pages.examples('host'):
            for command in shell.commands(one.text):
                with self.subTest(one.where_of(command.line)):
                    host.check(command.words)


class TestReading(base.TestCase):
    """What a page has, and where."""

    def test_an_example(self) -> None:
        found = page('Title\n=====', '.. example: run with esxi.iso ks.cfg',
                     block('esxi-img \\\n  x\n\ntrue'), 'Text.')
        self.assertEqual((), found.faults)
        self.assertEqual((pages.Example(
            'README.rst', 8, 'run', ('esxi.iso', 'ks.cfg'),
            'esxi-img \\\n  x\n\ntrue'),), found.examples)
        self.assertEqual('README.rst:11', found.examples[0].where_of(3))

    def test_it_may_stand_anywhere(self) -> None:
        text = f'{RUN}\n\n{block()}'
        for outer in ('* item', 'term\n   word', '.. note::', '.. tip:: x',
                      '.. unheard-of:: x\n   :option: y'):
            with self.subTest(outer=outer):
                found = page(outer, textwrap.indent(text, '   '))
                self.assertEqual((), found.faults)
                self.assertEqual(['true'], [
                    one.text for one in found.examples])
        found = page('.. list-table::', '   * - one\n     - two',
                     textwrap.indent(text, '       '))
        self.assertEqual(((), 10), (found.faults, found.examples[0].line))

    def test_all_words_for_shell_need_a_mark(self) -> None:
        for language in pages.SHELL:
            self.assertEqual(1, len(page(block('x', language)).faults))
            self.assertEqual(1, len(page(
                RUN, block('x', language)).examples))

    def test_other_languages_need_none(self) -> None:
        for language in pages.OTHER:
            self.assertEqual(((), ()), page(block('x', language))[1:])

    def test_python_can_be_run(self) -> None:
        one, = page(RUN, block('x = "a b"', 'python')).examples
        self.assertEqual(('run', 4), (one.how, one.line))
        (_, words), = shell.commands(one.text)
        self.assertEqual(('python3',), words)
        self.assertIn('\nx = "a b"\n', one.text)

    def test_what_is_of_sphinx_is_let_pass(self) -> None:
        self.assertEqual((), page(
            '.. _label:', 'A :doc:`page`, :py:mod:`os`, :ref:`x <label>`.',
            '.. toctree::\n   :maxdepth: 2\n\n   one\n   two',
            '.. an ordinary comment').faults)

    def test_what_is_shown_of_rst_is_no_mark(self) -> None:
        shown = block(f'{RUN}\n\n{block()}', 'rst')
        self.assertEqual(((), ()), page(shown)[1:])
        fault, = page(shown, RUN).faults
        self.assertRegex(fault, '^README.rst:9: ')


class TestFaults(base.TestCase):
    """The checks see what they are there for, and say where."""

    def assert_fault(self, line: int, pattern: str, *parts: str) -> None:
        fault, = page(*parts).faults
        self.assertRegex(fault, f'^README.rst:{line}: .*{pattern}')

    def test_no_mark(self) -> None:
        self.assert_fault(3, 'without a mark', 'Text.', block())
        self.assert_fault(7, 'without a mark', RUN, block(), block())

    def test_no_block(self) -> None:
        for parts in ((), ('Text.', block('x', 'json')),
                      (block('x', 'json'),)):
            self.assert_fault(3, 'no block', 'Text.', RUN, *parts)
        self.assert_fault(9, 'no block', RUN, block(),
                          '* item\n\n  ' + RUN, '  text')

    def test_text_between_mark_and_block(self) -> None:
        self.assertEqual(2, len(page(RUN, 'Text.', block()).faults))

    def test_unknown_mark(self) -> None:
        for mark in ('example: try', 'example:', 'example run',
                     'example: run esxi.iso', 'example: run with',
                     'example: host with esxi.iso'):
            self.assert_fault(1, 'is not known', f'.. {mark}', block())

    def test_mark_that_does_not_fit(self) -> None:
        self.assert_fault(1, 'Python can be run', '.. example: parse',
                          block('x', 'python'))

    def test_unknown_file(self) -> None:
        self.assert_fault(1, 'there is no other.iso',
                          f'{RUN} with esxi.iso other.iso', block())

    def test_mark_that_is_a_directive(self) -> None:
        self.assert_fault(3, 'without a mark', '.. example:: run', block())

    def test_block_without_a_language(self) -> None:
        for parts in (('Text::', '   x'), ('::', '   x'), ('>>> x', ''),
                      ('.. parsed-literal::', '   x')):
            found = page(*parts)
            self.assertRegex(''.join(found.faults), 'without a language')
        self.assert_fault(1, 'is no language', '.. code-block::', '   x')

    def test_unknown_language(self) -> None:
        self.assert_fault(1, '"zsh" is no language', block('x', 'zsh'))

    def test_angle_brackets(self) -> None:
        self.assert_fault(3, '<node>: a placeholder', RUN,
                          block('openstack server show <node>'))
        self.assertEqual((), page(RUN, block('cat <a >b 2>&1 <c >d')).faults)

    def test_prompt(self) -> None:
        self.assert_fault(3, 'a prompt', RUN, block('$ true'))

    def test_file_of_elsewhere(self) -> None:
        for name, pattern in (
                ('docs/source/user/example/installed.json', ''),
                ('docs/source/user/example/none.json', 'is not there'),
                ('docs/source/conf.py', 'is in no')):
            faults = page(f'.. literalinclude:: {name}\n'
                          '   :language: json').faults
            self.assertRegex(' '.join(faults), f'^.*{pattern}')
            self.assertEqual(bool(pattern), bool(faults))
        self.assertEqual((), page('.. include:: CONTRIBUTING.rst').faults)
        self.assert_fault(1, 'no page', '.. include:: LICENSE')

    def test_what_docutils_cannot_read(self) -> None:
        self.assert_fault(3, 'without end-string', 'Text.', 'A **word.')


class TestShell(base.TestCase):
    """Words are those that the program gets."""

    def assert_words(self, text: str, *words: tuple[str, ...]) -> None:
        self.assertEqual(words, tuple(
            one.words for one in shell.commands(text)))

    def test_quotes(self) -> None:
        self.assert_words(
            'a \'b "c\' "d \\"e\\" \\f" g\\ h $\'i\\nj\' k"l m"\'n\'\\"',
            ('a', 'b "c', 'd "e" \\f', 'g h', 'i\nj', 'kl mn"'))

    def test_signs(self) -> None:
        self.assert_words('a - -- = == b=c ""',
                          ('a', '-', '--', '=', '==', 'b=c', ''))

    def test_redirections(self) -> None:
        self.assert_words('a b <c | d 2>e >>f 2>&1', ('a', 'b'), ('d',))
        for text in ('a <b c', 'a | b >c --d'):
            with self.assertRaisesRegex(shell.Unreadable, 'stands last'):
                shell.commands(text)

    def test_what_only_a_run_tells(self) -> None:
        self.assert_words('X=y a "$X" b$Z "c $X  ${Z:-z} d" $((1 + 1))',
                          ('a', '1', 'b1', 'c 1  1 d', '1'))

    def test_commands_within_others(self) -> None:
        self.assert_words(
            'export A=$(b "$(c)")\nd | e && f || g\nfor x in $(h); do\n'
            'if ! i; then j; fi; done\n(k <(l))', ('b', '1'),
            *((x,) for x in 'cdefghij'), ('k', '1'), ('l',))

    def test_several_lines(self) -> None:
        text = 'a \\\n  b\n# c d\n\ncat > f <<END\ng h\nEND\ni 2>&1 < j\n'
        self.assertEqual(((0, ('a', 'b')), (4, ('cat',)), (7, ('i',))),
                         shell.commands(text))

    def test_no_shell(self) -> None:
        for text in ('a "b', 'if a; then', 'a | | b', 'a )', 'a &&'):
            with self.subTest(text), self.assertRaises(shell.Unreadable):
                shell.commands(text)
        with self.assertRaises(shell.Unreadable) as raised:
            shell.commands('a\nb\nc )\n')
        self.assertEqual(2, raised.exception.line)


class TestHost(base.TestCase):

    def test_what_a_host_takes(self) -> None:
        for text in ('esxcli network nic list',
                     'esxcli --formatter=json network nic list > nics.json',
                     'cd /bootbank/esxiimg && python -B -m firstboot plan '
                     '--json',
                     'python /bootbank/esxiimg/esxi-img-collect --stdout',
                     'cat /bootbank/esxiimg/state.json', 'reboot'):
            for command in shell.commands(text):
                host.check(command.words)

    def test_what_it_does_not(self) -> None:
        for text in ('esxcli network nic lst', 'esxcli network', 'esxcli',
                     'esxcli network nic get', 'esxcli network nic get -n x',
                     'esxcli network nic get --nic-name',
                     'esxcli --formatter=yaml network nic list',
                     'python -m firstboot plan', 'python -B -m firstboot',
                     'python -B -m firstboot frob',
                     'python -B -m firstboot apply --json',
                     'python /bootbank/esxiimg/esxi-img-collect --frob',
                     'python -c "import os"', 'reboot now', 'systemctl x'):
            command, = shell.commands(text)
            with self.subTest(text), self.assertRaises(grammar.Refused):
                host.check(command.words)
