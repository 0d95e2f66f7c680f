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

"""The budgets and habits that no linter knows."""

import ast
import collections.abc
import pathlib
import statistics

from tests import base

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / 'esxi_img'
MODULE_LINES = 400
FUNCTION_LINES = 80
FUNCTION_LINES_P95 = 45
LICENCE = '#    Licensed under the Apache License, Version 2.0'
MAY_PRINT = ('cmd/', 'report.py', 'firstboot/')

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: str) -> list[Function]:
    return [node for node in ast.walk(ast.parse(source))
            if isinstance(node, Function)]


def length(function: Function) -> int:
    """In lines, from ``def`` to the last one."""
    assert function.end_lineno
    return function.end_lineno - function.lineno + 1


def unannotated(function: Function) -> list[str]:
    """The arguments, and 'return', that have no annotation."""
    arguments = [*function.args.posonlyargs, *function.args.args,
                 *function.args.kwonlyargs, function.args.vararg,
                 function.args.kwarg]
    missing = [argument.arg for argument in arguments
               if argument and not argument.annotation
               and argument.arg not in ('self', 'cls')]
    return missing if function.returns else [*missing, 'return']


def bare_raises(source: str) -> list[int]:
    """Lines that raise an exception which tells nobody whose fault it is."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            what = node.exc.func if isinstance(node.exc, ast.Call) \
                else node.exc
            if isinstance(what, ast.Name) and what.id in (
                    'BaseException', 'Exception'):
                lines.append(node.lineno)
    return lines


def prints(source: str) -> list[int]:
    """Lines that call print()."""
    return [node.lineno for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name) and node.func.id == 'print']


class TestStyle(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.texts = {str(path.relative_to(PACKAGE)): path.read_text()
                      for path in sorted(PACKAGE.rglob('*.py'))}
        self.assertTrue(self.texts)

    def per_file(self, check: collections.abc.Callable[[str], list]
                 ) -> dict[str, list]:
        """What the check finds wrong, by file."""
        found = {name: check(text) for name, text in self.texts.items()}
        return {name: what for name, what in found.items() if what}

    def test_modules_are_small(self) -> None:
        self.assertEqual({}, {
            name: len(text.splitlines()) for name, text in self.texts.items()
            if len(text.splitlines()) > MODULE_LINES})

    def test_functions_are_small(self) -> None:
        self.assertEqual({}, self.per_file(lambda text: [
            (function.name, length(function)) for function in functions(text)
            if length(function) > FUNCTION_LINES]))

    def test_most_functions_are_very_small(self) -> None:
        lengths = [length(function) for text in self.texts.values()
                   for function in functions(text)]
        p95 = statistics.quantiles(lengths, n=20)[-1]
        self.assertLess(p95, FUNCTION_LINES_P95)

    def test_functions_are_annotated(self) -> None:
        self.assertEqual({}, self.per_file(lambda text: [
            (function.name, unannotated(function))
            for function in functions(text) if unannotated(function)]))

    def test_modules_are_named_by_their_subject(self) -> None:
        names = {pathlib.PurePath(name).stem for name in self.texts}
        self.assertEqual(set(), names & {'helpers', 'misc', 'util', 'utils'})

    def test_no_bare_exception_is_raised(self) -> None:
        self.assertEqual({}, self.per_file(bare_raises))

    def test_only_the_rim_prints(self) -> None:
        self.assertEqual({}, {
            name: lines for name, lines in self.per_file(prints).items()
            if not name.startswith(MAY_PRINT)})

    def test_every_file_has_the_licence(self) -> None:
        files = [path for folder in ('docs', 'esxi_img', 'releasenotes',
                                     'tests', 'tools')
                 for path in (ROOT / folder).rglob('*.py')]
        self.assertEqual([], [
            str(path.relative_to(ROOT)) for path in files
            if path.stat().st_size
            and not path.read_text().startswith(LICENCE)])


class TestTheChecks(base.TestCase):
    """The checks see what they are there for."""

    def test_length(self) -> None:
        source = '@x\ndef f(\n    a,\n):\n    """d"""\n    return a\n'
        self.assertEqual([5], [length(f) for f in functions(source)])

    def test_unannotated(self) -> None:
        for source, expected in (
                ('def f(a: int) -> int: ...', []),
                ('def f(self) -> None: ...', []),
                ('def f(a: int): ...', ['return']),
                ('async def f(a) -> None: ...', ['a']),
                ('def f(*a, b, **c): ...', ['b', 'a', 'c', 'return'])):
            with self.subTest(source=source):
                self.assertEqual(expected, unannotated(functions(source)[0]))

    def test_bare_raises(self) -> None:
        for source, expected in (
                ('raise Exception', [1]),
                ('raise Exception("x") from e', [1]),
                ('raise ValueError("x")', []),
                ('raise', [])):
            with self.subTest(source=source):
                self.assertEqual(expected, bare_raises(source))

    def test_prints(self) -> None:
        self.assertEqual([2], prints('x = 1\nprint(x)\nlog.print(x)'))
