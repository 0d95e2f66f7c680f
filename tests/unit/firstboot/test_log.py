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

import contextlib
import io
import json
import pathlib
import unittest.mock

from esxi_img.firstboot import log
from esxi_img.firstboot import model
from esxi_img.firstboot import running
from tests.unit.firstboot import acting


class Full(io.StringIO):
    """No room for anything."""

    def write(self, text: str) -> int:
        raise OSError(28, 'No space left on device')


class TestLog(acting.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.log = log.Log('pre', self.host.run, self.host.places)

    def lines(self) -> list[dict]:
        path = pathlib.Path(self.host.places.journal)
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_three_ways(self) -> None:
        with unittest.mock.patch('time.time', return_value=1000.9):
            self.log.say('a b')
        log.Log('post', self.host.run, self.host.places).say('c')
        self.assertEqual('esxi-img: a b\nesxi-img: c\n',
                         self.console.getvalue())
        self.assertEqual([('logger', '-t', 'esxi-img', 'a b'),
                          ('logger', '-t', 'esxi-img', 'c')],
                         self.host.calls)
        self.assertEqual({'time': 1000, 'command': 'pre', 'message': 'a b'},
                         self.lines()[0])
        self.assertEqual(('post', 'c'), (self.lines()[1]['command'],
                                         self.lines()[1]['message']))

    def test_one_line_of_ascii(self) -> None:
        self.log.say('a\nb\x1b[31m \udcff\xe4' + 2000 * 'x')
        said = self.lines()[0]['message']
        self.assertTrue(said.isascii() and said.isprintable(), said)
        self.assertTrue(said.startswith(r'a\nb\x1b[31m \udcff\xe4xx'), said)
        self.assertEqual(900, len(said))
        self.assertEqual(said, self.host.calls[0][-1])
        self.assertEqual(f'esxi-img: {said}\n', self.console.getvalue())

    def test_logger_that_is_missing(self) -> None:
        self.host.answers['logger',] = acting.MISSING
        self.log.say('a')
        self.log.say('b')
        self.assertEqual(2, len(self.lines()))

    def test_logger_that_hangs_is_asked_once(self) -> None:
        self.host.answers['logger',] = running.Result(None, '', '', 10.0)
        for word in 'abc':
            self.log.say(word)
        self.assertEqual(1, len(self.host.calls))
        self.assertEqual(3, len(self.lines()))

    def test_no_console(self) -> None:
        with contextlib.redirect_stdout(Full()):
            self.log.say('a')
        self.assertEqual('a', self.lines()[0]['message'])

    def test_no_journal(self) -> None:
        self.host.work.rmdir()
        self.host.work.write_text('')
        self.log.say('a')
        self.assertRegex(self.console.getvalue(),
                         r'\Aesxi-img: a\nesxi-img: /.*journal.jsonl: .+\n\Z')

    def test_no_folder_yet(self) -> None:
        self.host.work.rmdir()
        self.log.say('a')
        self.assertEqual('a', self.lines()[0]['message'])

    def test_problems(self) -> None:
        self.log.problems([model.Problem('links[0]', 'odd')])
        self.assertEqual('problem: links[0]: odd\n', self.host.said())

    def test_no_problems(self) -> None:
        self.log.problems(())
        self.assertEqual('', self.console.getvalue())

    def test_very_many_problems(self) -> None:
        self.log.problems([model.Problem(f'links[{number}]', 'odd')
                           for number in range(5000)])
        lines = self.host.said().splitlines()
        self.assertEqual((51, 'problem: links[49]: odd',
                          'problem: 4950 more of them'),
                         (len(lines), *lines[-2:]))
