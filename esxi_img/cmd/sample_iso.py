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

"""esxi-img-sample-iso: an ISO to try esxi-img with."""

import argparse

from esxi_img.cmd import common
from esxi_img import sample
from esxi_img import write


def main() -> int:
    """``esxi-img-sample-iso``; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    loader = sample.efi_program(options.efi) if options.efi else None
    with write.replacing(options.output, options.force) as output:
        sample.write(output, options.size_mb, loader)
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = common.Parser(
        prog='esxi-img-sample-iso',
        description='Write an ISO with the names, the layout and the '
                    'boot.cfg of an ESXi 8 installer, and nothing of '
                    "VMware's in it. It is the same each time.")
    parser.add_argument('output', metavar='OUT.iso')
    parser.add_argument('--size-mb', type=int, default=40, metavar='N',
                        help='size in MB, from %d to %d (default: 40)'
                        % (sample.SIZES[0], sample.SIZES[-1]))
    parser.add_argument('--efi', metavar='FILE',
                        help='EFI program to put in as BOOTX64.EFI')
    parser.add_argument('--force', action='store_true',
                        help='replace OUT.iso if it exists')
    return parser


def console() -> None:
    """Entry point of the command."""
    common.leave(main())


if __name__ == '__main__':
    console()
