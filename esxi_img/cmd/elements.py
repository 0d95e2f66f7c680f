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

"""esxi-img-elements: print the folder for ELEMENTS_PATH."""

import argparse

from esxi_img.cmd import common
from esxi_img import elements


def main() -> int:
    """``esxi-img-elements``; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    parser().parse_args(argv)
    print(elements.path())
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    return common.Parser(
        prog='esxi-img-elements',
        description='Print the folder of the diskimage-builder elements: '
                    'ELEMENTS_PATH=$(esxi-img-elements) disk-image-create '
                    '-o esxi esxi-installer')


def console() -> None:
    """Entry point of the command."""
    common.leave(main())


if __name__ == '__main__':
    console()
