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

"""Measures esxi-img against cp and against the ways it replaces.

Run by hand: python tools/bench.py [--size-mb 620] [--runs 5] [--folder DIR]

Every figure is a ratio to something measured in the same run, the median of
paired runs with a warm cache, flushed to the disk.
"""

import argparse
import collections.abc
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

ESXI_IMG = [sys.executable, '-m', 'esxi_img']
SAMPLE = [sys.executable, '-m', 'esxi_img.cmd.sample_iso']
MB = 1000 * 1000


def run(command: list[str]) -> tuple[float, float]:
    """Seconds, and the peak memory in MB, that a command takes."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f'failed: {shlex.join(command)}')
    return time.monotonic() - started, usage.ru_maxrss * 1024 / MB


def shell(script: str, *arguments: object) -> list[str]:
    return ['sh', '-ec', script, 'sh', *map(str, arguments)]


class Bench:
    """One folder with an ISO in it, and what is built from it."""

    def __init__(self, folder: pathlib.Path, size_mb: int) -> None:
        self.folder = folder
        self.iso = folder / f'{size_mb}.iso'
        self.out = folder / 'out'
        run([*SAMPLE, '--size-mb', str(size_mb), str(self.iso)])

    def build(self, *options: str) -> list[str]:
        return [*ESXI_IMG, '--quiet', '--output', str(self.out), *options,
                str(self.iso)]

    def copy(self) -> list[str]:
        return shell('cp "$1" "$2" && sync "$2"', self.iso, self.out)

    def staged(self) -> list[str]:
        """What a script does: extract, make a file system, copy into it."""
        size = self.iso.stat().st_size // (1 << 20) + 200
        return shell('''
            xorriso -osirrox on -indev "$1" -extract / "$3" 2>/dev/null
            truncate -s "$4M" "$2"
            sgdisk -n 1:2048:0 -t 1:ef00 "$2"
            mkfs.vfat -F 32 --offset 2048 "$2" "$((($4 - 2) * 1024))"
            mcopy -s -i "$2@@1M" "$3"/* ::
            sync "$2"
            chmod -R u+w "$3"
            rm -r "$3"''', self.iso, self.out, self.folder / 'tree', size)

    def ratio(self, one: list[str], other: list[str],
              runs: int) -> tuple[float, float, float]:
        """Median ratio of paired runs, and both medians in seconds."""
        pairs = []
        for number in range(runs + 1):
            pair = []
            # In turn first: whoever comes second meets the other's cache.
            order = (one, other) if number % 2 else (other, one)
            for command in order:
                self.out.unlink(missing_ok=True)
                os.sync()
                pair.append(run(command)[0])
            if number:
                pairs.append(pair if number % 2 else pair[::-1])
        return (statistics.median(a / b for a, b in pairs),
                statistics.median(a for a, _ in pairs),
                statistics.median(b for _, b in pairs))

    def content(self) -> int:
        """Bytes of the ISO's files."""
        from esxi_img.iso import reader
        return sum(file.size for file in reader.read(str(self.iso)).files)


def rows(folder: pathlib.Path, size_mb: int,
         runs: int) -> collections.abc.Iterator[tuple[str, str, str]]:
    """What was measured, the figure, the goal."""
    bench = Bench(folder, size_mb)
    ratio, ours, theirs = bench.ratio(bench.build(), bench.copy(), runs)
    yield (f'raw build of {size_mb} MB, flushed / cp && sync',
           f'{ratio:.2f} ({ours:.2f} s / {theirs:.2f} s)', '<= 1.25')
    ratio, theirs, ours = bench.ratio(bench.staged(), bench.build(),
                                      max(1, runs // 2))
    yield ('extract + mkfs.vfat + mcopy / raw build',
           f'{ratio:.1f} ({theirs:.2f} s / {ours:.2f} s)', '>= 8')
    for name in ('qcow2',):
        ratio, theirs, ours = bench.ratio(
            bench.build('--format', name), bench.build(), max(1, runs // 2))
        yield f'{name} build / raw build', f'{ratio:.1f}', ''
    started = [run([*ESXI_IMG, '--help'])[0] for _ in range(runs + 1)][1:]
    yield ('esxi-img --help', f'{statistics.median(started):.2f} s',
           '<= 0.5 s')
    bench.iso.unlink()
    for size in (60, size_mb, 2000):
        yield from size_rows(folder, size)


def size_rows(folder: pathlib.Path, size_mb: int
              ) -> collections.abc.Iterator[tuple[str, str, str]]:
    """Memory and overhead for one size of ISO."""
    bench = Bench(folder, size_mb)
    bench.out.unlink(missing_ok=True)
    yield (f'peak memory, {size_mb} MB ISO',
           f'{run(bench.build())[1]:.0f} MB', '<= 80 MB')
    content = bench.content()
    more = bench.out.stat().st_size - content
    yield (f"image over the ISO's files, {size_mb} MB ISO",
           f'{more / MB:.2f} MB', f'<= {(content * 0.01) / MB + 2:.2f} MB')
    bench.iso.unlink()
    bench.out.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size-mb', type=int, default=620)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--folder', help='where to write (default: the '
                                         'folder for temporary files)')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for what, figure, goal in rows(pathlib.Path(folder),
                                       options.size_mb, options.runs):
            print(f'{what:52} {figure:28} {goal}', flush=True)


if __name__ == '__main__':
    main()
