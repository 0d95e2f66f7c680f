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

"""Measures esxi-img, and prints one table of reStructuredText.

Where it is about time, a figure is the ratio of two things measured in turn
in the same run: the median of the rounds, and behind it the lowest and the
highest.  Caches are warm, and what was written is flushed to the disk.
Counts come from a plan that was run on the simulated host of the tests.
"""

import argparse
import collections.abc
import dataclasses
import datetime
import functools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import typing

PROJECT = pathlib.Path(__file__).resolve().parents[1]
EXAMPLE = PROJECT / 'docs/source/user/example/config-drive'
ESXI_IMG = (sys.executable, '-m', 'esxi_img')
SIZES = (60, 620, 2000)
"""MB of the ISOs for memory and for the size of the image."""

HEAD = ('Measured', 'Figure', 'Range')
NOT_MEASURED = 'not measured'
MB = 1000 * 1000

PLAIN: dict[str, typing.Any] = {
    'meta_data.json': {'uuid': '5d7d8a4c-0d0f-4a3c-8f0e-2f1f3f1c9a11',
                       'hostname': 'esx-1.example.org'},
    'network_data.json': {
        'links': [{'id': 'nic0', 'type': 'phy',
                   'ethernet_mac_address': '02:00:00:00:00:01'}],
        'networks': [{'id': 'n0', 'link': 'nic0', 'type': 'ipv4_dhcp'}],
        'services': []}}
"""The files of a drive that says no more than it must."""

Figures = collections.abc.Iterator[tuple[str, str]]
Command = collections.abc.Sequence[str]
Rows = dict[str, tuple[str, str]]
"""Figure and range, by what was measured."""


class NotMeasured(Exception):
    """Why some rows have no figure here."""


def run(command: Command, **options: typing.Any) -> tuple[float, int]:
    """Seconds, and the peak of memory in bytes, that a command takes.

    :raises SystemExit: it failed
    """
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f'failed: {shlex.join(command)}')
    return time.monotonic() - started, usage.ru_maxrss * 1024


def said(command: Command) -> str:
    """What a command of ours prints."""
    return subprocess.run(command, check=True, text=True,
                          capture_output=True).stdout


def module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, '-m', f'esxi_img.cmd.{name}',
            *map(str, arguments)]


def shell(script: str, *arguments: object) -> list[str]:
    return ['sh', '-ec', script, 'sh', *map(str, arguments)]


def need(*programs: str) -> None:
    """:raises NotMeasured: one of the programs is not there"""
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        raise NotMeasured(f'no {", no ".join(missing)}')


@dataclasses.dataclass
class Bench:
    """One folder with ISOs in it, and what is built from them."""

    folder: pathlib.Path
    size_mb: int
    runs: int

    @property
    def out(self) -> pathlib.Path:
        return self.folder / 'out.raw'

    @functools.cached_property
    def iso(self) -> pathlib.Path:
        """The one for all that is about time."""
        return self.sample(self.size_mb)

    def sample(self, size_mb: int) -> pathlib.Path:
        path = self.folder / f'{size_mb}.iso'
        if not path.exists():
            run(module('sample_iso', '--size-mb', size_mb, path))
        return path

    def build(self, *options: object,
              iso: pathlib.Path | None = None) -> list[str]:
        return [*ESXI_IMG, '--quiet', '--output', str(self.out),
                *map(str, options), str(iso or self.iso)]

    def rounds(self, *commands: Command, **options: typing.Any
               ) -> list[tuple[float, ...]]:
        """Seconds of each command, round by round.

        The first round warms the caches and does not count.  Who begins
        changes with the round: the next one meets the other's cache.
        """
        found = []
        for number in range(self.runs + 1):
            seconds = {}
            for place in range(len(commands)):
                which = (number + place) % len(commands)
                self.out.unlink(missing_ok=True)
                os.sync()
                seconds[which] = run(commands[which], **options)[0]
            found.append(tuple(seconds[one] for one in sorted(seconds)))
        return found[1:]

    @functools.cached_property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """Peak of memory, and bytes more than the ISO's files, by MB."""
        from esxi_img.iso import reader

        found = {}
        for size in SIZES:
            iso = self.sample(size)
            self.out.unlink(missing_ok=True)
            peak = run(self.build(iso=iso))[1]
            # What starts a program counts for it, too.
            if peak <= 1024 * resource.getrusage(
                    resource.RUSAGE_SELF).ru_maxrss:
                raise SystemExit('this program takes more than esxi-img')
            files = sum(file.size for file in reader.read(str(iso)).files)
            found[size] = peak, self.out.stat().st_size - files
            self.out.unlink()
            if size != self.size_mb:
                iso.unlink()
        return found


def ratio(rounds: list[tuple[float, ...]], one: int, other: int
          ) -> tuple[str, str]:
    """Median, and range, of the ratio of two commands."""
    ratios = [seconds[one] / seconds[other] for seconds in rounds]
    digits = 2 if statistics.median(ratios) < 5 else 1
    return (f'{statistics.median(ratios):.{digits}f}',
            f'{min(ratios):.{digits}f} to {max(ratios):.{digits}f}')


def build(bench: Bench) -> Figures:
    need('xorriso', 'sgdisk', 'mkfs.vfat', 'mcopy')
    copy = shell('cp "$1" "$2"; sync "$2"', bench.iso, bench.out)
    # What a script does: extract, make a file system, copy into it.
    staged = shell('''
        xorriso -osirrox on -indev "$1" -extract / "$3" 2>/dev/null
        truncate -s "$4M" "$2"
        sgdisk -n 1:2048:0 -t 1:ef00 "$2"
        mkfs.vfat -F 32 --offset 2048 "$2" "$((($4 - 2) * 1024))" 2>/dev/null
        mcopy -s -i "$2@@1M" "$3"/* ::
        sync "$2"
        chmod -R u+w "$3"
        rm -r "$3"''', bench.iso, bench.out, bench.folder / 'tree',
                   bench.iso.stat().st_size // (1 << 20) + 200)
    rounds = bench.rounds(bench.build(), copy, staged)
    yield ratio(rounds, 0, 1)
    yield ratio(rounds, 2, 0)
    yield ratio(rounds, 2, 1)


def formats(bench: Bench) -> Figures:
    need('qemu-img')
    rounds = bench.rounds(
        bench.build(), bench.build('--format', 'qcow2'),
        bench.build('--format', 'qcow2', '--compress'),
        bench.build('--format', 'vmdk'))
    for one in (1, 2, 3):
        yield ratio(rounds, one, 0)


def manifest(bench: Bench) -> Figures:
    option = re.search(r'--manifest( [A-Z]+)?', said([*ESXI_IMG, '--help']))
    if not option:
        raise NotMeasured('no --manifest')
    words = ['--manifest', *(
        [bench.folder / 'manifest'] if option[1] else [])]
    yield ratio(bench.rounds(bench.build('--force', *words),
                             bench.build('--force')), 0, 1)


def dib(bench: Bench) -> Figures:
    program = shutil.which('disk-image-create', path=os.pathsep.join((
        str(pathlib.Path(sys.executable).parent), os.environ['PATH'])))
    if not program:
        raise NotMeasured('no disk-image-create')
    need('curl', 'losetup', 'mkfs.ext2', 'ps')
    if os.geteuid():
        raise NotMeasured('not root')
    if subprocess.run(['losetup', '--find'], capture_output=True).returncode:
        raise NotMeasured('no loop device')
    variables = {'ELEMENTS_PATH': said(module('elements')).strip(),
                 'DIB_ESXI_ISO': str(bench.iso), 'DIB_NO_TIMESTAMP': '1'}
    create = shell('"$1" -t raw -o "${2%.raw}" esxi-installer 2>"$3"; '
                   'sync "$2"', program, bench.out, bench.folder / 'log')
    yield ratio(bench.rounds(create, bench.build(), env={
        **os.environ, **variables}), 0, 1)


def start(bench: Bench) -> Figures:
    yield ratio(bench.rounds([*ESXI_IMG, '--help'],
                             [sys.executable, '-c', 'pass']), 0, 1)


def memory(bench: Bench) -> Figures:
    for peak, _ in bench.sizes.values():
        yield f'{peak / MB:.0f} MB', ''


def overhead(bench: Bench) -> Figures:
    for _, more in bench.sizes.values():
        yield f'{more / MB:.1f} MB', ''


def first_boot(bench: Bench) -> Figures:
    plain = bench.folder / 'drive'
    plain.mkdir(exist_ok=True)
    for name, value in PLAIN.items():
        (plain / name).write_text(json.dumps(value))
    booted = [Booted(drive) for drive in (plain, EXAMPLE)]
    for one in booted:
        yield str(one.commands), ''
    yield str(max(one.hostd for one in booted)), ''
    restarts = max(one.restarts for one in booted)
    yield str(restarts), ''
    kickstart = json.loads(said(
        [*ESXI_IMG, '--dry-run', '--json', str(bench.sample(SIZES[0]))])
    )['kickstart']['text']
    yield str(restarts + sum(line.split()[:1] == ['reboot']
                             for line in kickstart.splitlines())), ''


class Booted:
    """The simulated host after the plan for a drive was run on it.

    :raises SystemExit: a command failed
    """

    def __init__(self, drive: pathlib.Path) -> None:
        if str(PROJECT) not in sys.path:
            sys.path.insert(0, str(PROJECT))
        from tests.esxi import state

        plan = json.loads(said(module('plan', '--json', drive)))
        host = state.fresh(
            [state.Nic(name, mac) for switch in plan['network']['vswitches']
             for name, mac in zip(switch['uplinks'], switch['uplink_macs'])],
            [line.replace('IMAGE-DISK', 'naa.600508b1001c4d41')
             for line in plan['kickstart']], dhcp={'*': {
                 'ip': '192.0.2.9', 'netmask': '255.255.255.0',
                 'gateway': '192.0.2.1'}})
        commands = [step for step in plan['steps'] if step['argv']]
        for step in commands:
            status, _, error = host.run(step['argv'])
            if status and not step['optional']:
                raise SystemExit(f'{drive}: {step["name"]}: {error}')
        self.commands = len(commands)
        self.hostd = host.restarted.count('hostd')
        self.restarts = int(host.down is not None)


class Group(typing.NamedTuple):
    """Rows that are measured together, and what measures them."""

    measure: collections.abc.Callable[[Bench], Figures]
    names: tuple[str, ...]


GROUPS = {
    'build': Group(build, (
        'raw build / cp ISO && sync',
        'extract + mkfs.vfat + mcopy / raw build',
        'extract + mkfs.vfat + mcopy / cp ISO && sync')),
    'formats': Group(formats, (
        'qcow2 build / raw build', 'compressed qcow2 build / raw build',
        'vmdk build / raw build')),
    'manifest': Group(manifest, ('raw build with --manifest / without',)),
    'dib': Group(dib, ('disk-image-create / raw build',)),
    'start': Group(start, ('esxi-img --help / python -c pass',)),
    'memory': Group(memory, tuple(
        f'peak of memory, ISO of {size} MB' for size in SIZES)),
    'overhead': Group(overhead, tuple(
        f"image larger than the ISO's files, ISO of {size} MB"
        for size in SIZES)),
    'first-boot': Group(first_boot, (
        'commands of the plan, one NIC with DHCP',
        'commands of the plan, the example of esxi-img-plan',
        'restarts of hostd at first boot',
        'restarts of the host at first boot',
        'restarts of the host by installer and first boot'))}
NAMES = tuple(name for group in GROUPS.values() for name in group.names)


def measured(bench: Bench, groups: collections.abc.Iterable[str]) -> Rows:
    """The rows of some groups; says on standard error where it is."""
    rows: Rows = {}
    for name in groups:
        print(f'measuring: {name}', file=sys.stderr, flush=True)
        group = GROUPS[name]
        try:
            found = list(group.measure(bench))
        except NotMeasured as why:
            found = [(NOT_MEASURED, str(why))] * len(group.names)
        rows.update(zip(group.names, found, strict=True))
    return rows


def table(rows: Rows) -> str:
    """A simple table of reStructuredText."""
    cells = [HEAD, *((name, *found) for name, found in rows.items())]
    widths = [max(map(len, column)) for column in zip(*cells)]
    ruler = '  '.join('=' * width for width in widths)
    head, *lines = ['  '.join(map(str.ljust, line, widths)).rstrip()
                    for line in cells]
    return ''.join(f'{line}\n' for line in (
        ruler, head, ruler, *lines, ruler))


_DATED = re.compile(r'(?m)^20[0-9-]+: ``python tools/bench\.py.*``$')
_TABLE = re.compile(
    r'(?m)^(?P<ruler>=+  =+  =+)\n' + r' +'.join(HEAD)
    + r'\n(?P=ruler)\n(?P<rows>(?:.+\n)*?)(?P=ruler)\n')


def parsed(text: str) -> Rows:
    """The rows of the first table of ours in a text; none without one."""
    found = _TABLE.search(text)
    if not found:
        return {}
    ends = [match.end() for match in re.finditer('=+', found['ruler'])]
    return {line[:ends[0]].rstrip(): (line[ends[0]:ends[1]].strip(),
                                      line[ends[1]:].strip())
            for line in found['rows'].splitlines()}


def quoted(text: str, rows: Rows, end: str) -> str:
    """The text, whose table has these figures now, but no other rows.

    :param end: of :func:`closing`: where all rows are new, so is its last line
    """
    old = parsed(text)
    if set(NAMES) <= set(rows):
        text = _DATED.sub(lambda _: end.splitlines()[-1], text, count=1)
    return _TABLE.sub(lambda _: table(
        {name: rows.get(name, one) for name, one in old.items()}),
        text, count=1)


def closing(bench: Bench, arguments: Command) -> str:
    """When, on what, and by which command."""
    system = said(['df', '--output=fstype', str(bench.folder)]).split()[-1]
    version = said([*ESXI_IMG, '--version']).split()[-1]
    words = shlex.join(['python', 'tools/bench.py', *_measuring(arguments)])
    return '\n'.join(textwrap.wrap(
        f'Rounds: {bench.runs}. Sample ISO for times: {bench.size_mb} MB. '
        f'Machine: {os.cpu_count()} processors, {system}. Python '
        f'{sys.version_info[0]}.{sys.version_info[1]}, esxi-img {version}.',
        79)) + f'\n\n{datetime.date.today()}: ``{words}``\n'


def _measuring(arguments: Command) -> list[str]:
    """What has no part in the figures is left out."""
    words, rest = [], iter(map(str, arguments))
    for word in rest:
        if word in ('--rst', '--quote'):
            next(rest, None)
        elif not word.startswith(('--rst=', '--quote=')):
            words.append(word)
    return words


def _groups(text: str) -> list[str]:
    wanted = text.split(',')
    if not set(wanted) <= set(GROUPS):
        raise argparse.ArgumentTypeError(f'none of {", ".join(GROUPS)}')
    return [name for name in GROUPS if name in wanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size-mb', type=int, default=620,
                        help='of the ISO for all times (default: 620)')
    parser.add_argument('--runs', type=int, default=5,
                        help='rounds that count (default: 5)')
    parser.add_argument('--rows', type=_groups, default=list(GROUPS),
                        metavar='GROUP[,GROUP]...',
                        help=f'of {", ".join(GROUPS)} (default: all)')
    parser.add_argument('--folder', help='where to write (default: the '
                                         'folder for temporary files)')
    parser.add_argument('--rst', type=pathlib.Path, metavar='FILE',
                        help='write the table to a file, too')
    parser.add_argument('--quote', type=pathlib.Path, metavar='FILE',
                        action='append', default=[],
                        help='put the figures into the table of a file, in '
                             'place of those there. Repeatable.')
    return parser


def main(arguments: Command) -> None:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(pathlib.Path(folder), options.size_mb, options.runs)
        rows = measured(bench, options.rows)
        end = closing(bench, arguments)
    text = f'{table(rows)}\n{end}'
    print(text, end='')
    if options.rst:
        options.rst.write_text(text)
    for path in options.quote:
        path.write_text(quoted(path.read_text(), rows, end))


if __name__ == '__main__':
    main(sys.argv[1:])
