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
import re
import shutil
import struct
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
        if not file.read(1):
            raise errors.EnvironmentFailed(
                f'{PROGRAM} convert: wrote nothing')
        os.fsync(file.fileno())


def settle_vmdk(path: str, name: str, cid: int) -> None:
    """Make a vmdk's descriptor say its final name, and a content id of ours.

    qemu-img puts in the name that it wrote to, and a random number.

    :param name: of the file once it is renamed
    :param cid: 32 bits, instead of the random ones
    """
    with open(path, 'r+b') as file:
        # descOffset and descSize, in sectors of 512 bytes, as the Virtual
        # Disk Format 5.0 has them in SparseExtentHeader.
        start, size = (512 * number for number in struct.unpack_from(
            '<QQ', file.read(512), 28))
        file.seek(start)
        text = file.read(size).rstrip(b'\0')
        text = text.replace(os.fsencode(os.path.basename(path)),
                            os.fsencode(name))
        text = re.sub(rb'(?m)^CID=[0-9a-f]+', b'CID=%08x' % cid, text)
        if len(text) <= size:
            file.seek(start)
            file.write(text.ljust(size, b'\0'))
        os.fsync(file.fileno())
