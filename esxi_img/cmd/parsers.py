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

"""The parsers of all commands, for man pages and shell completion."""

import argparse

from esxi_img.cmd import elements
from esxi_img.cmd import inspect
from esxi_img.cmd import plan
from esxi_img.cmd import sample_iso
from esxi_img import conf


def by_command() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by its name."""
    return {parser.prog: parser for parser in (
        conf.parser('esxi-img'), elements.parser(), inspect.parser(),
        plan.parser(), sample_iso.parser())}
