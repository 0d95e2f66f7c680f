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

"""esxi-img-inspect: what an image holds, and whether it is sound."""

import argparse

from esxi_img.cmd import common
from esxi_img import errors
from esxi_img import inspect


def main() -> int:
    """``esxi-img-inspect``; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    findings = inspect.inspect(parser().parse_args(argv).image)
    print(inspect.as_text(findings), end='')
    if findings.problems:
        raise errors.InputError(*(f'{findings.image}: {problem}'
                                  for problem in findings.problems))
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = common.Parser(
        prog='esxi-img-inspect',
        description='Read an image back: partition table, files, boot.cfg, '
                    'kickstart, bundle. Exit status 3 if anything in them, '
                    'or the checksum of a module, is not as it should be.')
    parser.add_argument('image', metavar='IMAGE',
                        help='raw; or qcow2 or vmdk, which qemu-img unpacks '
                             'into the folder for temporary files')
    return parser


def console() -> None:
    """Entry point of the command."""
    common.leave(main())


if __name__ == '__main__':
    console()
