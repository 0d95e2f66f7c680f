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

"""The shells complete our commands."""

import pathlib
import subprocess

from tests import base

FOLDER = pathlib.Path(base.__file__).parents[1] / 'completion'

# What bash does when the tabulator key is pressed after some words.
PRESSED = '''
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
read -r -a how <<< "$(complete -p "$1")"
for ((i = 0; i < ${#how[@]}; i++)); do
    [ "${how[i]}" != -F ] || "${how[i + 1]}" "$1" "${!#}" "${@: -2:1}"
done
printf '%s\\n' "${COMPREPLY[@]}"
'''


class CompletionTests(base.TestCase):

    def offered(self, folder, *words):
        done = subprocess.run(
            ['bash', '-c', PRESSED, 'bash', FOLDER / 'bash' / words[0],
             *words], capture_output=True, text=True, cwd=folder)
        self.assertEqual('', done.stderr)
        return set(done.stdout.split())

    def test_bash(self):
        folder = self.tmp()
        (folder / 'drive.iso').touch()
        (folder / 'kickstart').touch()
        for words, expected in (
                (('esxi-img', '--install-'),
                 {'--install-disk', '--install-option'}),
                (('esxi-img', '--format', 'q'), {'qcow2'}),
                (('esxi-img', '--sector-size', ''), {'512', '4096'}),
                (('esxi-img', '--kickstart', 'ki'), {'kickstart'}),
                (('esxi-img', 'dr'), {'drive.iso'}),
                (('esxi-img', '--force', '--output', 'k'), {'kickstart'}),
                (('esxi-img-plan', 'dr'), {'drive.iso'}),
                (('esxi-img-plan', '--nic'), {'--nics'}),
                (('esxi-img-inspect', 'ki'), {'kickstart'}),
                (('esxi-img-sample-iso', '--ef'), {'--efi'}),
                (('esxi-img-elements', '--v'), {'--version'})):
            with self.subTest(words=words):
                self.assertEqual(expected, self.offered(folder, *words))

    def test_zsh(self):
        self.require('zsh')
        for path in (FOLDER / 'zsh').iterdir():
            with self.subTest(path=path.name):
                # compinit reads the first line; the rest has to be sound.
                self.assertEqual(f'#compdef {path.name[1:]}\n',
                                 path.read_text().splitlines(True)[0])
                done = subprocess.run(['zsh', '-n', path],
                                      capture_output=True, text=True)
                self.assertEqual((0, ''), (done.returncode, done.stderr))
