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

"""Where everything lies in the image: decided before a byte is written."""

import collections.abc
import dataclasses

from esxi_img.disk import dosname
from esxi_img.disk import fat32
from esxi_img.disk import geometry
from esxi_img.disk import gpt
from esxi_img import tree

ALIGNMENT = 1024 * 1024
"""Where the partition starts, in bytes."""

GRANULARITY = 4096
"""The image's size is a multiple of it, so that both sector sizes fit."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """Content that lies in a file of this machine."""

    path: str
    extents: tuple[tree.Extent, ...]


@dataclasses.dataclass(frozen=True)
class Item:
    """A file of the image and where its content comes from."""

    path: tree.Path
    size: int
    content: bytes | Stored = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Placed:
    """A run of clusters; an empty file has none and cluster 0."""

    cluster: int
    count: int


@dataclasses.dataclass(frozen=True)
class Child:
    """A directory entry: the name, its 8.3 form, and what it names."""

    name: str
    short: dosname.ShortName
    path: tree.Path
    is_directory: bool

    @property
    def entries(self) -> int:
        """32-byte entries it takes."""
        if self.short.complete:
            return 1
        units = len(self.name.encode('utf-16-le')) // 2
        return 1 + -(-units // fat32.CHARS_PER_LONG_ENTRY)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The whole image.

    :param volume: the FAT32 volume's numbers
    :param table: the partition table's
    :param children: per directory (the root is ()), in on-disk order
    :param placed: clusters of every directory and file
    :param items: the files, in on-disk order
    """

    volume: geometry.Geometry
    table: gpt.Table
    children: dict[tree.Path, tuple[Child, ...]]
    placed: dict[tree.Path, Placed]
    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        """The image's size in bytes."""
        return self.table.total * self.table.sector_size

    @property
    def volume_offset(self) -> int:
        """Byte offset of the partition."""
        return self.table.start * self.table.sector_size

    @property
    def used_clusters(self) -> int:
        return sum(run.count for run in self.placed.values())


def problems(directories: collections.abc.Iterable[tree.Path],
             items: collections.abc.Iterable[Item]) -> list[str]:
    """What of this tree FAT32 cannot hold, one line each."""
    found: list[str] = []
    seen: dict[tree.Path, tree.Path] = {}
    for path in [*directories, *(item.path for item in items)]:
        wrong = dosname.problem(path[-1])
        if wrong:
            found.append(f'{tree.show(path)!r} {wrong}')
        other = seen.setdefault(tree.fold(path), path)
        if other is not path:
            found.append(f'{tree.show(path)!r} and {tree.show(other)!r} are '
                         'the same name on FAT')
    for item in items:
        if item.size > fat32.MAX_FILE:
            found.append(f'{tree.show(item.path)!r} has {item.size} bytes, '
                         f'FAT32 allows {fat32.MAX_FILE}')
    return found


def plan(directories: collections.abc.Sequence[tree.Path],
         items: collections.abc.Sequence[Item],
         sector_size: int, least: int = 0) -> Layout:
    """Lay out a checked tree; directories stand with parents first.

    :param least: bytes that the image is to have if it could be smaller
    :raises ValueError: more than FAT32 can hold
    """
    children = _children(directories, items)
    sizes = {path: _directory_size(path, found)
             for path, found in children.items()}
    for path, size in sizes.items():
        if size > fat32.MAX_ENTRIES * fat32.DirEntry.SIZE:
            raise ValueError(f'directory {tree.show(path) or "/"!r} has '
                             'more entries than FAT32 allows')
    sizes.update((item.path, item.size) for item in items)
    volume = geometry.choose(list(sizes.values()), sector_size)
    placed, at = {}, fat32.FIRST_CLUSTER
    for path, size in sizes.items():
        count = geometry.clusters_for(size, volume.cluster_bytes)
        placed[path] = Placed(at if count else 0, count)
        at += count
    return Layout(volume, _table(volume, least), children, placed,
                  tuple(items))


def _children(directories: collections.abc.Sequence[tree.Path],
              items: collections.abc.Sequence[Item],
              ) -> dict[tree.Path, tuple[Child, ...]]:
    """Every directory's entries; the root comes first."""
    paths: dict[tree.Path, list[tuple[tree.Path, bool]]] = {(): []}
    for path in directories:
        paths[path] = []
        paths[path[:-1]].append((path, True))
    for item in items:
        paths[item.path[:-1]].append((item.path, False))
    result = {}
    for directory, found in paths.items():
        names = dosname.ShortNames()
        result[directory] = tuple(
            Child(path[-1], names.add(path[-1]), path, is_directory)
            for path, is_directory in sorted(
                found, key=lambda pair: tree.fold(pair[0])))
    return result


def _directory_size(path: tree.Path, children: tuple[Child, ...]) -> int:
    # The root holds the volume label, all others "." and "..".
    own = 2 if path else 1
    count = own + sum(child.entries for child in children)
    return count * fat32.DirEntry.SIZE


def _table(volume: geometry.Geometry, least: int) -> gpt.Table:
    size = volume.sector_size
    start = ALIGNMENT // size
    end = start + volume.total_sectors
    total = max(end * size + gpt.backup_size(size), least)
    total += -total % GRANULARITY
    return gpt.Table(size, total // size, start, end - 1)
