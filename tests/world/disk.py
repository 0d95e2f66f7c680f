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

"""Disks as files: tables by fdisk, file systems by mkfs.vfat and mtools."""

import os
import pathlib
import struct
import subprocess
import typing
import uuid

MIB = 1 << 20
BANK_MIB = 24

ESP = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'
VMFS = 'AA31E02A-400F-11DB-9590-000C2911D1B8'
_BASIC = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7'
_OSDATA = '4EB2EA39-7855-4790-A79E-FAE495E21F8D'
LAYOUT = ((1, 1, 8, ESP), (5, 16, BANK_MIB, _BASIC),
          (6, 40, BANK_MIB, _BASIC), (7, 64, 32, _OSDATA), (8, 96, 0, VMFS))
"""Number, first MiB, MiB (0: all the rest) and type: ESXi's, but small."""

_CHUNK = 1 << 16


class Partition(typing.NamedTuple):
    """Start and size in bytes; type and guid in upper case."""

    number: int
    start: int
    size: int
    type: str
    guid: str


def tool(*argv: str | os.PathLike | int, stdin: str = '') -> bytes:
    """What a program says that must succeed."""
    done = subprocess.run(
        [str(word) for word in argv], input=stdin.encode(), timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8',
             'MTOOLS_SKIP_CHECK': '1'})
    if done.returncode:
        raise AssertionError(f'{argv}: {done.returncode}: {done.stderr!r}')
    return done.stdout


def sector_size(path: pathlib.Path) -> int:
    """512 or 4096, as the GPT is; 0: there is none."""
    with open(path, 'rb') as file:
        return next((size for size in (512, 4096)
                     if os.pread(file.fileno(), 8, size) == b'EFI PART'), 0)


def is_whole(path: pathlib.Path) -> bool:
    """The backup of the GPT is where the disk ends."""
    size = sector_size(path)
    with open(path, 'rb') as file:
        return bool(size) and os.pread(
            file.fileno(), 8, path.stat().st_size - size) == b'EFI PART'


def partitions(path: pathlib.Path) -> dict[int, Partition]:
    """What the GPT says, by number; UEFI specification, 5.3.3."""
    size = sector_size(path)
    if not size:
        return {}
    with open(path, 'rb') as file:
        first, count, length = struct.unpack(
            '<72xQII', os.pread(file.fileno(), 88, size))
        table = os.pread(file.fileno(), count * length, first * size)
    found = {}
    for number in range(1, count + 1):
        kind, guid, start, last = struct.unpack_from(
            '<16s16sQQ', table, (number - 1) * length)
        if any(kind):
            found[number] = Partition(
                number, start * size, (last + 1 - start) * size,
                *(str(uuid.UUID(bytes_le=one)).upper()
                  for one in (kind, guid)))
    return found


def fdisk(path: pathlib.Path, sector: int,
          *words: str | int) -> None:
    """Answers to fdisk's questions; a misplaced backup is mended, too."""
    tool('fdisk', '-b', str(sector), '-w', 'never', '-W', 'never', path,
         stdin=''.join(f'{word}\n' for word in (*words, 'w')))


def fix(path: pathlib.Path) -> None:
    """Put the backup of the GPT where the disk ends."""
    if sector_size(path) == 4096:
        # For sgdisk, a file has sectors of 512 bytes.
        fdisk(path, 4096)
    else:
        tool('sgdisk', '-e', path)


def lay_out(path: pathlib.Path) -> None:
    """The table and the empty FATs of a new ESXi; no other byte changes."""
    sector = sector_size(path) or 512
    unit = MIB // sector
    words: list[str | int] = ['g']
    for number, first, size, _ in LAYOUT:
        words += ['n', number, first * unit,
                  (first + size) * unit - 1 if size else '']
    for number, _, _, kind in LAYOUT:
        words += ['t', number, kind]
    fdisk(path, sector, *words)
    for number, label in ((1, 'BOOT'), (5, 'BOOTBANK1'), (6, 'BOOTBANK2')):
        one = partitions(path)[number]
        options = ('-F', '12', '-s', 4096 // sector) if number == 1 else (
            '-F', '16', '-s', '1')
        tool('mkfs.vfat', '--offset', one.start // sector, '-S', sector,
             *options, '-n', label, path, one.size // 1024)


def copy(source: pathlib.Path, target: pathlib.Path, start: int = 0,
         size: int | None = None, to: int = 0) -> None:
    """Copy bytes from one file into another, which keeps all others.

    What is equal is not written, so holes stay holes.
    """
    target.touch()
    with open(source, 'rb') as read, open(target, 'r+b') as write:
        left = source.stat().st_size - start if size is None else size
        while left:
            data = os.pread(read.fileno(), min(left, _CHUNK), start)
            if not data:
                raise AssertionError(f'{source} ends too early')
            if data != os.pread(write.fileno(), len(data), to):
                os.pwrite(write.fileno(), data, to)
            left -= len(data)
            start += len(data)
            to += len(data)


class Fat:
    """A FAT partition of a disk that holds what a folder held.

    As on the real one, files that are overwritten in the folder are
    overwritten there, and those that are only removed leave their bytes.

    :param shelf: an empty folder, for what is remembered in between
    """

    def __init__(self, disk: pathlib.Path, number: int,
                 folder: pathlib.Path, shelf: pathlib.Path) -> None:
        self.disk, self.folder, self._shelf = disk, folder, shelf
        one = partitions(disk)[number]
        self._start = one.start
        copy(disk, shelf / 'empty', one.start, one.size)

    def note(self) -> None:
        """Remember the files that are there, whatever becomes of them."""
        for path in self.folder.rglob('*'):
            kept = self._shelf / str(path.lstat().st_ino)
            if path.is_file() and not path.is_symlink() \
                    and not kept.exists():
                os.link(path, kept)

    def write(self) -> None:
        """Bring the partition up to date."""
        self.note()
        copy(self._shelf / 'empty', self.disk, 0, None, self._start)
        image = f'{self.disk}@@{self._start}'
        left = [kept for kept in self._shelf.iterdir()
                if kept.name != 'empty' and kept.stat().st_nlink == 1]
        for kept in left:
            tool('mcopy', '-i', image, kept, f'::/{kept.name}')
        names = sorted(self.folder.iterdir())
        if names:
            tool('mcopy', '-s', '-i', image, *names, '::/')
        if left:
            tool('mdel', '-i', image, *(f'::/{kept.name}' for kept in left))
