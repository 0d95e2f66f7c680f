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

"""``python -m esxi_img.cmd.element``: what the elements' hooks call.

Everything but the phase is in the environment, as diskimage-builder has it.
"""

import os

from esxi_img.cmd import common
from esxi_img import element
from esxi_img import report


def main() -> int:
    """The command; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    parser = common.Parser(prog='esxi_img.cmd.element',
                           description='A phase of disk-image-create.')
    phases = parser.add_subparsers(dest='phase', required=True)
    phases.add_parser('check', help='refuse what can be told at once')
    phases.add_parser('unpack', help="put the ISO's files into the tree"
                      ).add_argument('iso')
    phases.add_parser('install', help='put our module into the tree')
    phases.add_parser('image', help='write the image from the tree')
    given = parser.parse_args(argv)
    if given.phase == 'check':
        element.check(os.environ)
    elif given.phase == 'unpack':
        element.unpack(os.environ, given.iso, report.Report())
    elif given.phase == 'install':
        element.install(os.environ)
    else:
        element.write_image(os.environ, report.Report())
    return 0


if __name__ == '__main__':
    common.leave(main())
