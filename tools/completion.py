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

"""Writes the shell completion of all commands: tox -e completion.

What it writes is kept in the tree, so that an installation needs nothing for
it; a test tells when an option came and this was not run.
"""

import argparse
import pathlib

import shtab

from esxi_img.cmd import parsers

ROOT = pathlib.Path(__file__).parents[1] / 'completion'
# Of the file for a command: the shell finds it by its name.
NAMES = {'bash': '{}', 'zsh': '_{}'}

FILES = ('CONFIG_DRIVE', 'FILE', 'IMAGE', 'ISO', 'OUT.iso')


def completed() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, which knows what a file is."""
    found = parsers.by_command()
    for parser in found.values():
        for action in parser._actions:
            if action.metavar in FILES:
                action.complete = shtab.FILE
    return found


def scripts() -> dict[str, str]:
    """The text of each script, by its path in the folder."""
    return {f'{shell}/{name.format(prog)}':
            shtab.complete(parser, shell).rstrip('\n') + '\n'
            for shell, name in NAMES.items()
            for prog, parser in completed().items()}


def main() -> None:
    for name, text in scripts().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == '__main__':
    main()
