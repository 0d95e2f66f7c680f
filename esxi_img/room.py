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

"""Is there room for a build?

When the output's disk is full, diskimage-builder leaves its temporary folders
behind, mounted: better to know before.
"""

import collections.abc
import os

from esxi_img import dib
from esxi_img import errors

Needs = collections.abc.Sequence[tuple[str, int]]
"""Folders, and the bytes that each shall have free."""

SPARE = 16 * 1024 * 1024
"""Bytes for what file systems and formats need for themselves."""


def check_folder(path: str) -> None:
    """Refuse an output folder that nothing can be written to.

    :raises RequestError: there is none
    :raises EnvironmentFailed: no permission
    """
    if not os.path.isdir(path):
        raise errors.RequestError(f'output folder {path} does not exist',
                                  hint=f'mkdir -p {path}')
    if not os.access(path, os.W_OK | os.X_OK):
        raise errors.EnvironmentFailed(
            f'output folder {path}: permission denied',
            hint='write to a folder of your own')


def needed(request: dib.Request, build: str, images: str, files: int,
           data: int) -> Needs:
    """What a whole build needs.

    :param build: diskimage-builder's folder for the tree
    :param images: its folder for file systems and images
    :param files: bytes of the ISO's files
    :param data: bytes of the image that are not holes
    """
    needs = [(images, files), *left(request, images, data)]
    if _device(build) != _device(images):
        # Else the tree is gone before the image, as large, is written.
        needs.insert(0, (build, files))
    return needs


def left(request: dib.Request, images: str, data: int) -> Needs:
    """What is needed once the tree is in its file system."""
    output = dib.output_folder(request)
    needs = [(images, data)]
    for kind in request.types:
        # A raw image is moved, which costs nothing on the same disk; vhd
        # is made of a copy beside it.
        if kind != 'raw' or _device(output) != _device(images):
            needs.append((output, 2 * data if kind == 'vhd' else data))
    return needs


def check(needs: Needs) -> None:
    """Refuse to begin what would not fit.

    :raises EnvironmentFailed: naming every disk that is too full
    """
    sums: dict[int, int] = {}
    names: dict[int, str] = {}
    for path, count in needs:
        device = _device(path)
        sums[device] = sums.get(device, 0) + count
        names.setdefault(device, path)
    problems = []
    for device, count in sums.items():
        status = os.statvfs(names[device])
        free = status.f_bavail * status.f_frsize
        if free < count + SPARE:
            problems.append(f'folder {names[device]}: has {free} bytes free, '
                            f'{count + SPARE} are needed')
    if problems:
        raise errors.EnvironmentFailed(
            *problems, hint='free some space; TMPDIR names another folder '
                            'for the build, -o for the image')


def _device(path: str) -> int:
    return os.stat(path).st_dev
