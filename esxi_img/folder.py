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

"""A tree as files below a folder, where other programs can change it."""

import os
import stat

from esxi_img.disk import compose
from esxi_img.disk import layout
from esxi_img import errors
from esxi_img import infile
from esxi_img import report as report_module
from esxi_img import tree
from esxi_img import write


def place(root: str, path: tree.Path) -> str:
    """Where a file of the tree lies."""
    return os.path.join(root, *path)


def fill(root: str, source: tree.Tree, iso: str,
         report: report_module.Report) -> None:
    """Put all files of an ISO below an empty folder.

    :raises InputError: the ISO is shorter than it was
    :raises EnvironmentFailed: disk full, no permission and the like
    """
    for directory in source.directories:
        path = place(root, directory)
        with write.translated(path):
            os.mkdir(path)
    with report.progress(f'unpacking {iso}', sum(
            file.size for file in source.files)) as progress:
        for file in source.files:
            path = place(root, file.path)
            whole = compose.Piece(0, layout.Stored(iso, file.extents))
            with write.translated(path), open(path, 'xb') as output:
                write.image([whole], file.size, output, progress)


def scan(root: str) -> tuple[set[tree.Path], dict[tree.Path, int]]:
    """The directories below a folder, and the size in bytes of each file.

    :raises InputError: there is something that FAT knows nothing of
    :raises EnvironmentFailed: no permission and the like
    """
    directories, sizes, problems = set(), {}, []
    queue: list[tree.Path] = [()]
    while queue:
        parent = queue.pop()
        try:
            with os.scandir(place(root, parent)) as entries:
                for entry in entries:
                    path = (*parent, entry.name)
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        directories.add(path)
                        queue.append(path)
                    elif stat.S_ISREG(status.st_mode):
                        sizes[path] = status.st_size
                    else:
                        problems.append(
                            f'{place(root, path)}: is neither a file nor a '
                            'directory, FAT32 has nothing else')
        except OSError as error:
            raise infile.failure(error, place(root, parent)) from error
    if problems:
        raise errors.InputError(*sorted(problems))
    return directories, sizes
