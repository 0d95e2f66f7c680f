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

"""esxi-img: the ISO in, the image out."""

import json
import shlex

from esxi_img import build
from esxi_img.cmd import common
from esxi_img import conf
from esxi_img import describe
from esxi_img import errors
from esxi_img import glance
from esxi_img import report


def main() -> int:
    """``esxi-img``; returns its exit code."""
    return common.run(_main)


def _main(argv: list[str]) -> int:
    options, talk = conf.load(argv, 'esxi-img', build.version())
    if talk.json and not options.dry_run:
        raise errors.RequestError('--json goes with --dry-run')
    recipe, manifest = build.run(options, report.Report(talk.quiet))
    if options.dry_run and talk.json:
        print(json.dumps(describe.as_dict(recipe), indent=2))
    elif options.dry_run:
        print(describe.as_text(recipe), end='')
    elif options.glance_command:
        print(shlex.join(glance.command(recipe)))
    elif options.instance_info and manifest:
        print(json.dumps(glance.instance_info(
            options.instance_info, manifest.disk_format, manifest.sha256,
            manifest.sha512), indent=2))
    return 0


def console() -> None:
    """Entry point of the command."""
    common.leave(main())


if __name__ == '__main__':
    console()
