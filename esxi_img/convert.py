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

"""Other image formats, by qemu-img."""

import os
import shutil
import subprocess

from esxi_img import errors

PROGRAM = 'qemu-img'
HINT = 'install qemu-utils (Debian, Ubuntu) or qemu-img (Fedora, RHEL)'


def check() -> None:
    """Is qemu-img there?

    :raises EnvironmentFailed: it is not
    """
    if not shutil.which(PROGRAM):
        raise errors.EnvironmentFailed(f'{PROGRAM} not found', hint=HINT)


def convert(source: str, source_format: str, target: str,
            target_format: str, compress: bool = False) -> None:
    """Convert an image and flush it to the disk.

    :raises EnvironmentFailed: qemu-img is missing or failed
    """
    check()
    # Absolute paths: a relative one with a colon would name a protocol.
    command = [PROGRAM, 'convert', '-f', source_format, '-O', target_format]
    if compress:
        command.append('-c')
    command += [os.path.abspath(source), os.path.abspath(target)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors='replace')
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [
            f'exit status {done.returncode}']
        raise errors.EnvironmentFailed(f'{PROGRAM} convert: {lines[-1]}')
    with open(target, 'rb') as file:
        os.fsync(file.fileno())
