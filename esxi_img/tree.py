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

"""What goes into an image, as plain values: no bytes, no file handles."""

import collections.abc
import dataclasses

Path = tuple[str, ...]
"""Names from the root down: ``('efi', 'boot', 'boot.cfg')``; root is ()."""


@dataclasses.dataclass(frozen=True)
class Extent:
    """A run of bytes in the source file (both figures in bytes)."""

    offset: int
    length: int


@dataclasses.dataclass(frozen=True)
class File:
    """One regular file; its extents add up to ``size`` bytes."""

    path: Path
    size: int
    extents: tuple[Extent, ...]


@dataclasses.dataclass(frozen=True)
class Tree:
    """An ISO's content.

    :param source: name to show in messages
    :param label: volume identifier, blanks stripped
    :param created: the volume's own date, seconds since 1970-01-01 UTC
    :param descriptors: sha256 (hex) of the volume descriptor sectors
    :param names: 'Rock Ridge', 'Joliet' or 'ISO 9660': whose names these are
    :param directories: every directory but the root, parents first
    :param files: in the order of their first extent, then of their path
    """

    source: str
    label: str
    created: int
    descriptors: str
    names: str
    directories: tuple[Path, ...]
    files: tuple[File, ...]

    def find(self, *path: str) -> File | None:
        """The file at ``path``, case-blind as FAT and the loader see it."""
        wanted = fold(path)
        for file in self.files:
            if fold(file.path) == wanted:
                return file
        return None


def revised(iso: Tree, name: str, directories: collections.abc.Set[Path],
            sizes: collections.abc.Mapping[Path, int]) -> Tree:
    """An ISO's tree after others have added, changed or removed files.

    What the ISO has comes first and in its order; a file of another size has
    no extents, for they are the ISO's.

    :param name: to show in messages
    :param directories: all that there are but the root
    :param sizes: of all files, in bytes
    """
    files = [file if file.size == sizes[file.path]
             else File(file.path, sizes[file.path], ())
             for file in iso.files if file.path in sizes]
    known = {file.path for file in files}
    files += [File(path, sizes[path], ())
              for path in sorted(sizes) if path not in known]
    kept = [path for path in iso.directories if path in directories]
    return dataclasses.replace(
        iso, source=name, files=tuple(files),
        directories=(*kept, *sorted(directories - set(kept))))


@dataclasses.dataclass(frozen=True)
class Extra:
    """A file of the user's own for the partition's root.

    :param source: where it lies on this machine
    :param name: what it is called in the image
    :param notes: what the user should know of it, one line each
    """

    source: str
    name: str
    size: int
    sha256: str
    notes: tuple[str, ...] = ()


def fold(path: Path) -> Path:
    """The path as a case-blind file system compares it, letter by letter."""
    return tuple(name.upper() if name.isascii() else ''.join(map(_fold, name))
                 for name in path)


def _fold(char: str) -> str:
    upper = char.upper()
    # No letter becomes two, and none beyond ASCII an ASCII one.
    return upper if len(upper) == 1 and (
        char.isascii() or not upper.isascii()) else char


def show(path: Path) -> str:
    """The path as the messages print it."""
    return '/'.join(path)
