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

"""The scripts of shell completion are those of today's options."""

import pathlib
import runpy

from tests import base

TOOL = pathlib.Path(__file__).parents[2] / 'tools' / 'completion.py'


class TestCompletion(base.TestCase):

    def test_the_scripts_are_up_to_date(self) -> None:
        tool = runpy.run_path(str(TOOL))
        folder = tool['ROOT']
        kept = {str(path.relative_to(folder)): path.read_text()
                for path in folder.rglob('*') if path.is_file()}
        self.assertEqual(
            tool['scripts'](), kept,
            'an option changed: tox -e completion writes them anew')

    def test_each_command_has_one_for_each_shell(self) -> None:
        setup = (TOOL.parents[1] / 'setup.cfg').read_text()
        commands = [line.split(' = ')[0].strip()
                    for line in setup.splitlines() if ':console' in line]
        self.assertEqual(5, len(commands))
        self.assertEqual(
            {f'{shell}/{name}' for command in commands for shell, name in (
                ('bash', command), ('zsh', f'_{command}'))},
            set(runpy.run_path(str(TOOL))['scripts']()))
