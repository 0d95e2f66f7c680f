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

"""Programs of a deploy ramdisk that cannot be run where tests are.

``mount`` refuses what Linux does, but needs no driver: xorriso and mtools
read and write in its stead, as containers may not mount, and many a kernel
has neither ISO 9660 nor FAT.  ``efibootmgr`` only notes its calls: the
firmware here is not ours.  For ``fuser`` no disk is in use: in a sandbox it
complains of processes that it may not look into.
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import typing

NAMES = ('efibootmgr', 'fuser', 'mount', 'umount')
TOOLS = ('blockdev', 'mcopy', 'mdir', 'xorriso')
DRIVERS = ('iso9660', 'vfat')
MOUNT_FAILED = 32
"""mount(8), exit status."""


def install(folder: pathlib.Path, drivers: typing.Sequence[str] = DRIVERS
            ) -> pathlib.Path:
    """Programs that keep their notes in a folder.

    :param drivers: what the kernel can mount
    :returns: where they are
    """
    programs = folder / 'bin'
    programs.mkdir()
    for name in NAMES:
        path = programs / name
        path.write_text(
            '#!/bin/sh\nexec ' + shlex.join((
                sys.executable, '-ISE', __file__, str(folder), name,
                ','.join(drivers))) + ' "$@"\n')
        path.chmod(0o755)
    return programs


def boot_entries(folder: pathlib.Path) -> list[list[str]]:
    """The words of each call of efibootmgr that was to change anything."""
    notes = folder / 'efibootmgr'
    return [json.loads(line) for line in notes.read_text().splitlines()] \
        if notes.exists() else []


def _efibootmgr(folder: pathlib.Path, _: object, *words: str) -> int:
    if words == ('-v',):
        print('BootCurrent: 0000\nTimeout: 1 seconds\nBootOrder: 0000')
        return 0
    with open(folder / 'efibootmgr', 'a') as notes:
        print(json.dumps(words), file=notes)
    return 0


def _fuser(*_: object) -> int:
    return 1


def _mount(folder: pathlib.Path, drivers: typing.Sequence[str], *words: str
           ) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument('-o', default='')
    parser.add_argument('-t')
    parser.add_argument('source')
    parser.add_argument('target', type=pathlib.Path)
    asked = parser.parse_args(words)
    kind, block = _kind(asked.source)
    sector = 512 if os.path.isfile(asked.source) else int(
        _tool('blockdev', '--getss', asked.source))
    if kind not in drivers:
        return _failed(f'{asked.target}: unknown filesystem type {kind}')
    if kind == 'iso9660' and sector > block:
        return _failed(f'isofs: unsupported/invalid hardware sector size '
                       f'{sector}')
    if kind == 'vfat' and sector > block:
        return _failed('FAT-fs: logical sector size too small for device '
                       f'(logical sector size = {block})')
    if kind == 'iso9660':
        _tool('xorriso', '-osirrox', 'on', '-indev', f'stdio:{asked.source}',
              '-extract', '/', asked.target)
    elif _tool('mdir', '-b', '-i', asked.source, '::/'):
        _tool('mcopy', '-s', '-i', asked.source, '::*', asked.target)
    # All files of a FAT are executable, and root may write to any.
    _tool('chmod', '-R', 'u+rwX,a+x', asked.target)
    _note(folder, asked.target, [
        asked.source, kind == 'vfat' and 'ro' not in asked.o.split(','),
        _content(asked.target)])
    return 0


def _umount(folder: pathlib.Path, _: object, target: str) -> int:
    below = pathlib.Path(target)
    try:
        source, writable, content = _noted(folder)[target]
    except KeyError:
        return _failed(f'{target}: not mounted')
    if writable and _content(below) != content:
        _tool('mcopy', '-s', '-o', '-i', source, *below.iterdir(), '::/')
    for path in below.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    _note(folder, below, None)
    return 0


def _kind(source: str) -> tuple[str, int]:
    """What is on a device, and the bytes of its blocks."""
    with open(source, 'rb') as file:
        head = file.read(36 * 1024)
    if head[0x8001:0x8006] == b'CD001':
        return 'iso9660', int.from_bytes(head[0x8080:0x8082], 'little')
    if head[510:512] == b'\x55\xaa' and b'FAT' in (head[54:57], head[82:85]):
        return 'vfat', int.from_bytes(head[11:13], 'little')
    return 'unknown', 0


def _content(folder: pathlib.Path) -> list[list[typing.Any]]:
    """What tells whether anybody has written there."""
    return sorted(
        [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for path in folder.rglob('*') if path.is_file())


def _noted(folder: pathlib.Path) -> dict[str, typing.Any]:
    notes = folder / 'mounted'
    return json.loads(notes.read_text()) if notes.exists() else {}


def _note(folder: pathlib.Path, target: pathlib.Path, what: typing.Any
          ) -> None:
    """:param what: None: nothing is mounted there any more"""
    noted = {**_noted(folder), str(target): what}
    (folder / 'mounted').write_text(json.dumps(
        {name: one for name, one in noted.items() if one}))


def _tool(*argv: str | os.PathLike) -> str:
    return subprocess.run(
        argv, check=True, text=True, stdout=subprocess.PIPE,
        env={**os.environ, 'MTOOLS_SKIP_CHECK': '1'}).stdout


def _failed(why: str) -> int:
    print(f'mount: {why}', file=sys.stderr)
    return MOUNT_FAILED


_PROGRAMS = {'efibootmgr': _efibootmgr, 'fuser': _fuser, 'mount': _mount,
             'umount': _umount}

if __name__ == '__main__':
    sys.exit(_PROGRAMS[sys.argv[2]](
        pathlib.Path(sys.argv[1]), sys.argv[3].split(','), *sys.argv[4:]))
