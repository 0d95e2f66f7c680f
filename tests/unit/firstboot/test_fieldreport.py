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

"""esxi-img-collect, from its command line to the file that it leaves."""

import contextlib
import io
import json
import os
import pathlib
import re
import signal
import tarfile
import typing
import unittest.mock

from esxi_img.firstboot import fieldreport
from esxi_img.firstboot import reportmembers
from esxi_img.firstboot import reportsecrets
from esxi_img.firstboot import running
from tests import base

NAME = re.compile(r'esxi-img-report-[A-Za-z0-9._-]+-\d{8}T\d{6}Z')


def missing(argv: typing.Any, timeout: float) -> running.Result:
    return running.Result(running.NOT_FOUND, '', 'not there', 0.1)


class TestMain(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.root = self.tmp()
        for name in ('tmp', 'bootbank/esxiimg'):
            (self.root / name).mkdir(parents=True)
        (self.root / 'bootbank/esxiimg/state.json').write_text(
            '{"status": "ok", "admin_pass": "Hunter22"}')

    def main(self, *argv: str, run: running.Run = missing
             ) -> tuple[int, str, str]:
        said, wrong = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), \
                contextlib.redirect_stderr(wrong):
            try:
                status = fieldreport.main(list(argv), run, str(self.root))
            except SystemExit as ended:
                status = int(ended.code or 0)
        return status, said.getvalue(), wrong.getvalue()

    def members(self, path: pathlib.Path) -> dict[str, str]:
        """By their names without the folder that all are in."""
        with tarfile.open(path) as tar:
            found = {entry.name: file.read().decode() for entry in tar
                     if (file := tar.extractfile(entry))}
        stems = {name.partition('/')[0] for name in found}
        self.assertEqual(1, len(stems))
        self.assertRegex(stems.pop(), NAME)
        return {name.partition('/')[2]: text for name, text in found.items()}

    def report(self, path: pathlib.Path) -> dict[str, typing.Any]:
        return json.loads(self.members(path)['report.json'])

    def test_by_default(self) -> None:
        status, said, wrong = self.main()
        path, = (self.root / 'tmp').iterdir()
        self.assertRegex(path.name, f'^{NAME.pattern}[.]tgz$')
        self.assertEqual((0, ''), (status, wrong))
        self.assertEqual(
            [f'{path} {path.stat().st_size} bytes',
             'read it before you send it: README.txt in it says what was '
             'taken out'], said.splitlines())
        found = self.members(path)
        self.assertIn('"status": "ok"',
                      found['files/bootbank/esxiimg/state.json'])
        self.assertNotIn('Hunter22', repr(found))
        about = json.loads(found['report.json'])['about']
        self.assertEqual('yes', about['modules']['hashlib'])
        self.assertRegex(about['time'], r'^\d{4}-\d\d-\d\dT[\d:]{8}Z$')

    def test_another_file(self) -> None:
        path = self.tmp() / 'x'
        self.assertEqual(0, self.main('-o', str(path))[0])
        self.assertIn('README.txt', self.members(path))
        self.assertEqual([], os.listdir(self.root / 'tmp'))

    def test_what_is_there_is_not_written_over(self) -> None:
        path = self.tmp() / 'x'
        path.write_text('mine')
        calls: list[object] = []
        status, said, wrong = self.main(
            '-o', str(path), run=lambda argv, _: calls.append(argv) or missing(
                argv, 0))
        self.assertEqual((4, '', 'mine', []), (status, said, path.read_text(),
                                               calls))
        self.assertEqual(f'esxi-img-collect: {path}: is there already: name '
                         'another file with --output\n', wrong)

    def test_not_written(self) -> None:
        path = self.tmp() / 'none' / 'x'
        status, said, wrong = self.main('--output', str(path))
        self.assertEqual((4, ''), (status, said))
        self.assertIn(f'{path}: No such file or directory', wrong)

    def test_standard_output(self) -> None:
        path = self.tmp() / 'x'
        self.assertEqual((0, '', ''), self.to_stdout(path))
        self.assertIn('README.txt', self.members(path))
        self.assertEqual([], os.listdir(self.root / 'tmp'))

    def test_standard_output_is_full(self) -> None:
        self.assertEqual(
            (4, '', 'esxi-img-collect: standard output: No space left on '
             'device: name another file with --output\n'),
            self.to_stdout(pathlib.Path('/dev/full')))

    def to_stdout(self, path: pathlib.Path) -> tuple[int, str, str]:
        with open(path, 'wb') as file, unittest.mock.patch.object(
                fieldreport, '_STDOUT', file.fileno()):
            return self.main('--stdout')

    def test_bad_requests(self) -> None:
        for argv in (('--stdout', '-o', 'x'), ('x',), ('--none',)):
            self.assertEqual(2, self.main(*argv)[0])

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        wrong = io.StringIO()
        with unittest.mock.patch('sys.stdout', Terminal()), \
                contextlib.redirect_stderr(wrong), \
                self.assertRaises(SystemExit) as caught:
            fieldreport.main(['--stdout'], missing, str(self.root))
        self.assertEqual(2, caught.exception.code)
        self.assertIn('standard output is a terminal', wrong.getvalue())

    def test_other_names(self) -> None:
        (self.root / 'bootbank/esxiimg/a.out').write_text(
            f'{os.uname().nodename} at 192.0.2.9, 52:54:00:00:00:0a')
        self.main('--anonymise')
        path, = (self.root / 'tmp').iterdir()
        self.assertIn('esxi-img-report-host-', path.name)
        found = self.members(path)
        # All other hosts are called after it, so it is the first.
        self.assertRegex(found['files/bootbank/esxiimg/a.out'],
                         r'^host-1 at ip-\d+, mac-1$')
        self.assertNotIn('192.0.2.9', repr(found))

    def test_its_time_is_over(self) -> None:
        def late(argv: typing.Any, timeout: float) -> running.Result:
            os.kill(os.getpid(), signal.SIGALRM)
            return missing(argv, timeout)

        before = signal.getsignal(signal.SIGALRM)
        self.assertEqual(0, self.main(run=late)[0])
        self.assertEqual((before, 0), (signal.getsignal(signal.SIGALRM),
                                       signal.alarm(0)))
        path, = (self.root / 'tmp').iterdir()
        report = self.report(path)
        self.assertEqual(['ended after 150 s'], report['notes'])
        self.assertEqual([], report['commands'])
        self.assertIn('files/bootbank/esxiimg/state.json',
                      self.members(path))

    def test_it_is_interrupted(self) -> None:
        def stop(argv: typing.Any, timeout: float) -> running.Result:
            raise KeyboardInterrupt

        self.assertEqual(0, self.main(run=stop)[0])
        path, = (self.root / 'tmp').iterdir()
        self.assertEqual(['ended by whoever ran it'],
                         self.report(path)['notes'])

    def test_a_module_that_does_not_load(self) -> None:
        with unittest.mock.patch.dict('sys.modules', {'ssl': None}):
            self.main()
        path, = (self.root / 'tmp').iterdir()
        modules = self.report(path)['about']['modules']
        self.assertEqual('ModuleNotFoundError', modules['ssl'])

    def test_the_readme_tells_how_secrets_are_shown(self) -> None:
        self.assertIn(reportsecrets.REMOVED, reportmembers.README)
