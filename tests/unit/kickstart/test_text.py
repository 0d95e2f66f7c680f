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

"""Cutting a kickstart into lines, commands and sections."""

import hypothesis
from hypothesis import strategies

from esxi_img.kickstart import text
from tests import base


def parse(source: str) -> text.Script:
    return text.parse(text.lines(source, 'ks.cfg'))


class TestLines(base.TestCase):

    @hypothesis.given(strategies.text(
        strategies.sampled_from('a \\\r\n\u2028\x0b\x85é')))
    def test_joined_again_they_are_the_text(self, source: str) -> None:
        lines = text.lines(source, 'ks.cfg')
        self.assertEqual(source, ''.join(line.text for line in lines))
        self.assertEqual([f'ks.cfg:{number + 1}'
                          for number in range(len(lines))],
                         [line.where for line in lines])
        self.assertTrue(all('\n' not in line.text[:-1] for line in lines))


class TestParse(base.TestCase):

    def commands(self, source: str) -> list[tuple[str, str, str]]:
        script = parse(source)
        self.assertEqual((), script.problems)
        return [(one.name, one.rest, one.where) for one in script.commands]

    def test_commands(self) -> None:
        for source, expected in (
                ('', []),
                ('# no\n\n  # no\n', []),
                ('reboot', [('reboot', '', 'ks.cfg:1')]),
                ('\n\t reboot\t --noeject  \r\n',
                 [('reboot', '--noeject', 'ks.cfg:2')]),
                ('%include  /tmp/a\n', [('%include', '/tmp/a', 'ks.cfg:1')]),
                ('install \\\n  --firstdisk \\\r\n --x\nreboot\n',
                 [('install', '--firstdisk  --x', 'ks.cfg:1'),
                  ('reboot', '', 'ks.cfg:4')]),
                ('# no \\\nreboot\n', [('reboot', '', 'ks.cfg:2')]),
                ('install \\ \nreboot\n',
                 [('install', '\\', 'ks.cfg:1'), ('reboot', '', 'ks.cfg:2')]),
                ('reboot\xa0--noeject', [('reboot\xa0--noeject', '',
                                          'ks.cfg:1')])):
            with self.subTest(source):
                self.assertEqual(expected, self.commands(source))

    def test_an_indented_section_is_refused(self) -> None:
        for source in ('reboot\n  %pre\n:\n', '\t%firstboot\n'):
            self.assertIn('a section begins in the first column',
                          ' '.join(parse(source).problems))

    def test_sections(self) -> None:
        script = parse('reboot\n%pre --interpreter=python\n%s\n%Y-%m-%d\n'
                       '  %post\n% a\n%post\nreboot\n%firstboot')
        self.assertEqual((), script.problems)
        self.assertEqual(
            [('%pre', '--interpreter=python', 'ks.cfg:2',
              ['%s\n', '%Y-%m-%d\n', '  %post\n', '% a\n']),
             ('%post', '', 'ks.cfg:7', ['reboot\n']),
             ('%firstboot', '', 'ks.cfg:9', [])],
            [(one.head.name, one.head.rest, one.head.where,
              [line.text for line in one.body]) for one in script.sections])

    def test_room_is_behind_the_last_command(self) -> None:
        for source, expected in (
                ('', 0),
                ('# a\n', 1),
                ('# a\n%pre\n', 1),
                ('reboot\n# the script:\n\n%pre\nreboot\n', 1),
                ('reboot \\\n --noeject\n\n%pre\n', 2)):
            with self.subTest(source):
                self.assertEqual(expected, parse(source).room)

    def test_problems(self) -> None:
        for source, expected in (
                ('reboot\n%end\n', ['ks.cfg:2: an ESXi kickstart has no %end,'
                                    ' a section ends where the next begins; '
                                    'delete the line']),
                ('%pre\n%end\n%post\n%end', [
                    f'ks.cfg:{number}: an ESXi kickstart has no %end, a '
                    'section ends where the next begins; delete the line'
                    for number in (2, 4)]),
                ('%pre\n%include /tmp/a\n', [
                    'ks.cfg:2: %include is a command: it belongs above the '
                    'first script section']),
                ('reboot \\', ['ks.cfg:1: the continued line has no end']),
                ('reboot \\\n%pre\n', [
                    'ks.cfg:1: the continued line has no end']),
                ('\nroo\\\ntpw x\n', ['ks.cfg:2: the line is continued in the'
                                      ' middle of a word'])):
            with self.subTest(source):
                self.assertEqual(expected, list(parse(source).problems))

    def test_a_repr_shows_no_content(self) -> None:
        lines = text.lines('rootpw Hunter22\n%pre\nHunter22\n', 'ks.cfg')
        self.assertNotIn('Hunter22', repr(lines))
        self.assertNotIn('Hunter22', repr(text.parse(lines)))
