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

"""esxi-img-collect: gathers one file about this host for a bug report.

``python /bootbank/esxiimg/esxi-img-collect``; it is a file of its own, see
collector.py of the build, and changes nothing on the host.
"""

import argparse
import importlib
import os
import re
import shutil
import signal
import sys
import time
from typing import Any
from typing import Dict
from typing import List

from . import reportarchive
from . import reportmembers
from . import running
from .reportfiles import Reader
from .reportgather import Gatherer
from .reportgather import Late
from .reportmodel import Gathered

WRITTEN = 0
NOT_WRITTEN = 4
# Seconds for gathering; what follows takes what its 8 MiB take.
LIMIT = 150

_STDOUT = 1
_FOLDER = '/tmp'  # nosec B108
_HOME = 'esxiimg'
_MODULES = ('bz2', 'crypt', 'ctypes', 'gzip', 'hashlib', 'lzma', 'sqlite3',
            'ssl', 'tarfile', 'uuid', 'xml.etree.ElementTree', 'yaml',
            'zlib')
_PROGRAMS = ('auto-backup.sh', 'busybox', 'esxcli', 'generate-certificates',
             'localcli', 'logger', 'mcopy', 'openssl', 'partedUtil',
             'python', 'python3', 'vim-cmd', 'vmkfstools', 'vsish')
_PATH = '/bin:/sbin:/usr/bin:/usr/sbin'


def main(argv: List[str], run: running.Run = running.run, root: str = '/'
         ) -> int:
    """Write the report; the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.stdout and sys.stdout and sys.stdout.isatty():
        parser.error('--stdout: standard output is a terminal')
    if arguments.output and os.path.lexists(arguments.output):
        return _not_written(arguments.output, 'is there already')
    now = int(time.time())
    have = gather(run, root, now)
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))
    host = 'host' if arguments.anonymise else re.sub(
        '[^A-Za-z0-9.-]', '_', have.about['host'])[:64] or 'host'
    stem = f'esxi-img-report-{host}-{stamp}'
    ending, data = reportarchive.packed({
        f'{stem}/{name}': text.encode('utf-8', 'backslashreplace')
        for name, text in reportmembers.members(
            have, arguments.anonymise).items()}, now)
    if arguments.stdout:
        return _to_stdout(data)
    path = arguments.output or os.path.join(
        root, _FOLDER.lstrip('/'), stem + ending)
    try:
        reportarchive.write(path, data)
    except OSError as error:
        return _not_written(path, str(error.strerror))
    print(f'{path} {len(data)} bytes')
    print('read it before you send it: README.txt in it says what was taken '
          'out')
    return WRITTEN


def _to_stdout(data: bytes) -> int:
    try:
        # Past sys.stdout, which would try again at the end.
        reportarchive.write_to(_STDOUT, data)
    except OSError as error:
        return _not_written('standard output', str(error.strerror))
    return WRITTEN


def _not_written(path: str, why: str) -> int:
    print(f'esxi-img-collect: {path}: {why}: name another file with '
          '--output', file=sys.stderr)
    return NOT_WRITTEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='esxi-img-collect', description='Gather one file about this '
        'ESXi host for a bug report of esxi-img. Nothing on the host is '
        'changed; secrets are taken out.')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('-o', '--output', metavar='FILE', help=(
        f'write to FILE (default: a new one in {_FOLDER})'))
    where.add_argument('--stdout', action='store_true', help=(
        'write to standard output, as for ssh'))
    parser.add_argument('--anonymise', action='store_true', help=(
        'give hosts, addresses and MACs other names, the same everywhere'))
    return parser


def gather(run: running.Run, root: str, now: int) -> Gathered:
    """All that there is to be said of this host, within LIMIT."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    home = os.path.dirname(own)
    gatherer = Gatherer(
        Reader(root), run, time.monotonic,
        home if os.path.basename(home) == _HOME else '')
    before = signal.signal(signal.SIGALRM, _late)
    signal.alarm(LIMIT)
    try:
        gatherer.found.about.update(_about(now))
        gatherer.gather()
    except Late:
        gatherer.found.notes.append(f'ended after {LIMIT} s')
    except KeyboardInterrupt:
        gatherer.found.notes.append('ended by whoever ran it')
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return gatherer.found


def _late(number: int, frame: object) -> None:
    raise Late()


def _about(now: int) -> Dict[str, Any]:
    kernel = os.uname()
    path = ':'.join(filter(None, (os.environ.get('PATH'), _PATH)))
    return {
        'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now)),
        'host': kernel.nodename,
        'kernel': ' '.join((kernel.sysname, kernel.release, kernel.version,
                            kernel.machine)),
        'python': {'version': sys.version, 'executable': sys.executable},
        'modules': {name: _imported(name) for name in _MODULES},
        'programs': {name: shutil.which(name, path=path)
                     for name in _PROGRAMS}}


def _imported(name: str) -> str:
    """Whether this Python has it; some are there and do not load."""
    try:
        importlib.import_module(name)
    except Exception as error:
        return type(error).__name__
    return 'yes'
