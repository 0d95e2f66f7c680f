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

"""esxi-img-plan: what a host would become from a config drive.

The one module of ours that meets the first-boot package: the thinking is the
same here as on the host.
"""

import argparse
import dataclasses
import json

from esxi_img import build
from esxi_img.cmd import common
from esxi_img import errors
from esxi_img.firstboot import drive as drive_module
from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import jsonfile
from esxi_img.firstboot import model
from esxi_img.firstboot import nics as nics_module
from esxi_img.firstboot import outcome as outcome_module
from esxi_img.firstboot import present
from esxi_img.firstboot import reading
from esxi_img.firstboot import think
from esxi_img import infile
from esxi_img import printable

Nics = tuple[host.Nic, ...]


def main() -> int:
    """``esxi-img-plan``; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    given = parser().parse_args(argv)
    outcome = _outcome(given)
    if given.json:
        print(json.dumps(present.as_json(outcome), indent=2))
    else:
        print(present.as_text(outcome), end='')
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = common.Parser(
        prog='esxi-img-plan',
        description='Show what a host would become from a config drive: its '
                    'network, the lines of its kickstart and each step of '
                    'its first boot. Nothing is written. What is odd about '
                    'the drive is a problem of the plan, not an error.')
    parser.add_argument('drive', metavar='CONFIG_DRIVE',
                        help='image or device, ISO 9660 or FAT, or a folder '
                             'with its files')
    parser.add_argument('--nics', metavar='FILE',
                        help='NICs of the host, as "esxcli network nic list" '
                             'prints them, or as JSON; they replace those of '
                             '--installed. Default: NICs that fit the drive.')
    parser.add_argument('--installed', metavar='FILE',
                        help='state of the host before its first boot, as '
                             'JSON. Default: as the installer leaves it.')
    parser.add_argument('--json', action='store_true',
                        help='print one JSON object')
    parser.add_argument('--only-management', default=False,
                        action=argparse.BooleanOptionalAction,
                        help='as in the build (default: no)')
    for name in ('ssh', 'shell'):
        parser.add_argument(f'--{name}', default=True,
                            action=argparse.BooleanOptionalAction,
                            help='as in the build (default: yes)')
    parser.add_argument('--root-password-hash-file', metavar='FILE',
                        help='as in the build; only that there is one '
                             'matters here')
    return parser


def _outcome(given: argparse.Namespace) -> outcome_module.Outcome:
    settings = model.Settings(
        given.only_management, given.ssh, given.shell,
        build.password_hash(given.root_password_hash_file) is not None)
    nics = _nics(given.nics) if given.nics else ()
    installed, odd = _installed(given.installed) \
        if given.installed else (None, ())
    found = _drive(given.drive)
    described, wishes = reading.all_of(reading.model_of(found),
                                       reading.gathered_of(found.files))
    nics = nics or (installed.nics if installed else ()) or (
        nics_module.invent(described.network))
    if installed:
        installed = dataclasses.replace(installed, nics=nics)
    outcome = think.outcome_of(described, nics, installed, settings, wishes)
    return dataclasses.replace(outcome,
                               problems=(*odd, *outcome.problems))


def _drive(path: str) -> drive_module.Drive:
    try:
        return drive_module.read(path)
    except drive_module.Unreadable as error:
        problem = str(error)
    # Out here because nobody knows what that error comes from.
    raise errors.InputError(problem)


def _nics(path: str) -> Nics:
    data = infile.small(path, build.MAX_TEXT)
    text = data.decode(json.detect_encoding(data), 'replace')
    try:
        return nics_module.parse(text)
    except nics_module.BadNics as error:
        problem = str(error)
    raise errors.InputError(
        f'{path}: {problem}',
        hint='"esxcli network nic list" prints such a file')


def _installed(path: str) -> tuple[host.Host, tuple[model.Problem, ...]]:
    """The host, and what is odd about the file."""
    data = infile.small(path, build.MAX_TEXT)
    value, problems = jsonfile.decode(data, path)
    if problems:
        raise errors.InputError(*(f'{problem.where}: {problem.message}'
                                  for problem in problems))
    try:
        installed, odd = facts.from_json(value)
        return installed, tuple(
            dataclasses.replace(
                one, where=f'{printable.line(path)}:{one.where}')
            for one in odd)
    except facts.BadFacts as error:
        wrong = error.lines
    raise errors.InputError(*(f'{path}: {line}' for line in wrong))


def console() -> None:
    """Entry point of the command."""
    common.leave(main())


if __name__ == '__main__':
    console()
