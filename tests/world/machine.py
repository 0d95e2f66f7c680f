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

"""The machine: a folder as the root, and scripts that run in it."""

import collections.abc
import dataclasses
import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import typing

from tests import base
from tests.esxi import state
from tests.world import calls
from tests.world import devices
from tests.world import disk

PYTHON = 'ESXI_IMG_WORLD_PYTHON'
TOOLS = ('busybox', 'chroot', 'fdisk', 'mcopy', 'mkfs.vfat', 'mount',
         'openssl', 'sgdisk', 'unshare', 'xorriso')
APPLETS = '''
[ awk base64 basename cat chmod chown clear cmp cp cut date dd df diff
dirname du echo egrep env expr false fgrep find getty grep gunzip gzip halt
head hexdump hostname id kill ln ls md5sum mkdir mkfifo mktemp more mv nc
od passwd pidof ping poweroff printf ps pwd readlink reboot rm rmdir sed seq
sh sha1sum sha256sum sha512sum sleep sort stat strings stty sync tail tar
tee test touch tr true tty uname uniq unlink unzip uptime usleep vi watch wc
wget which who xargs zcat'''.split()
"""Those of busybox that scripts in production use, and their like."""

SIMULATED = {
    '/bin/': ('esxcli', 'localcli', 'vim-cmd', 'vsish', 'vmkfstools',
              'vmkload_mod', 'partedUtil', 'logger', 'esxcfg-mpath'),
    '/sbin/': ('generate-certificates',)}
SCRIPTS = ('/etc/init.d/hostd', '/etc/init.d/vpxa', '/sbin/auto-backup.sh')
KEPT = ('/etc/ssh/keys-root/authorized_keys', '/etc/rc.local.d/local.sh',
        '/etc/resolv.conf', '/etc/hosts', '/etc/motd')
"""Of all files of a new host, those that a backup saves."""
RENAME = ('vim-cmd', 'hostsvc/datastore/rename')
CERTIFICATE = ('/etc/vmware/ssl/rui.crt', '/etc/vmware/ssl/rui.key')

_EMPTY = ('bin', 'dev', 'etc/init.d', 'etc/rc.local.d', 'etc/ssh/keys-root',
          'etc/vmware/ssl', 'opt/calls', 'proc', 'sbin', 'tardisks', 'tmp',
          'usr', 'var/lib/vmware/firstboot', 'var/log', 'var/run',
          'vmfs/devices/cdrom', 'vmfs/devices/disks', 'vmfs/volumes')
_DEVICES = ('null', 'zero', 'random', 'urandom')
_LIBRARIES = ('/lib', '/lib32', '/lib64', '/usr/lib', '/usr/lib32',
              '/usr/lib64', '/usr/local/lib')
_LEFT = '''
status=0
env -i PATH=/bin:/sbin HOME=/ "$chroot" "$root" "$@" || status=$?
for process in "$root"/proc/[0-9]*; do
    line=$(tr '\\0' ' ' 2>/dev/null <"$process/cmdline") || :
    # A zombie has none.
    if [ "$process" != "$root/proc/1" ] && [ -n "$line" ]; then
        echo "$line" >>"$left"
    fi
done
exit "$status"
'''


@dataclasses.dataclass(frozen=True)
class Done:
    """A program that has ended, or was ended.

    :param status: None: it took too long, or the power was cut
    :param left: command lines that still ran when it had ended
    """

    status: int | None
    stdout: str
    stderr: str
    seconds: float
    left: tuple[str, ...] = ()


def require(test: base.TestCase) -> None:
    """Skip, loudly, where no machine can be made."""
    test.require(*TOOLS)
    problem = _forbidden()
    if problem:
        test.require(f'namespaces ({problem})')


class Machine:
    """Hardware, and what runs on it.

    :param folder: where all of it is kept; the test removes it
    :param dhcp: see tests.esxi.state
    :param python: what ESXi's Python is here; None: the variable's value,
        or this Python
    """

    def __init__(self, folder: pathlib.Path,
                 nics: collections.abc.Sequence[state.Nic],
                 version: str = '8.0.3', dhcp: state.Dhcp | None = None,
                 hostname_with_dhcp: bool = False,
                 python: str | None = None) -> None:
        self.folder = folder
        self.root = folder / 'root'
        self.nics, self.version, self.dhcp = list(nics), version, dhcp
        self.hostname_with_dhcp = hostname_with_dhcp
        self._binds, self._python = _python(
            python or os.environ.get(PYTHON) or sys.executable)
        self._process: subprocess.Popen[str] | None = None
        (folder / 'calls').mkdir()
        self.devices = devices.Devices(self.root)
        self.backup: collections.abc.Callable[[], None] | None = None
        self.esxi = self.installer_esxi()
        self.calls = calls.Calls(folder / 'calls', self._answer)
        self.reset()

    def close(self) -> None:
        """Switch it off; nothing runs any more."""
        self.kill()
        self.calls.close()

    def fresh(self, lines: collections.abc.Iterable[str]) -> state.Esxi:
        """This host as installed with a kickstart.

        :raises Refused: the installer stops
        """
        return state.fresh(self.nics, lines, self.version, dhcp=self.dhcp,
                           hostname_with_dhcp=self.hostname_with_dhcp)

    def installer_esxi(self) -> state.Esxi:
        """What runs while the installer does: without hostd."""
        esxi = self.fresh(())
        esxi.hostd = False
        return esxi

    def path(self, name: str) -> pathlib.Path:
        """Where a path of the machine's is here."""
        return self.root / name.lstrip('/')

    def add_disk(self, name: str, size: int, model: str = 'Disk',
                 *aliases: str) -> pathlib.Path:
        """A new disk, all zeros, behind those that are there.

        :param size: in bytes
        """
        path = self.path(f'/dev/disks/{name}')
        with open(path, 'xb') as file:
            file.truncate(size)
        for alias in aliases:
            path.with_name(alias).symlink_to(name)
        self.devices.disks[name] = model
        return path

    def add_cdrom(self, name: str, medium: bytes = b'') -> None:
        """A CD drive; without a medium it is an empty file."""
        self.path(f'/vmfs/devices/cdrom/{name}').write_bytes(medium)

    def mount_banks(self, name: str) -> list[disk.Fat]:
        """Make both boot banks of a disk volumes of this machine."""
        banks = []
        for number in (5, 6):
            folder = self.devices.add_volume(
                name, number, f'BOOTBANK{number - 4}')
            shelf = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
            banks.append(disk.Fat(self.path(f'/dev/disks/{name}'), number,
                                  folder, shelf))
        return banks

    def reset(self) -> None:
        """Nothing is left but the disks, and no volume but boot banks."""
        self.kill()
        self.root.mkdir(exist_ok=True)
        for entry in self.root.iterdir():
            if entry.name != 'vmfs':
                _remove(entry)
        for name in _EMPTY:
            self.path(name).mkdir(parents=True, exist_ok=True)
        self.devices.reset()
        self.path('/tmp').chmod(0o1777)
        for name in ('disks', 'cdrom'):
            self.path(f'/dev/{name}').symlink_to(f'../vmfs/devices/{name}')
        for name in ('/dev/console', *KEPT):
            self.path(name).write_text('')
        for name in _DEVICES:
            self.path(f'/dev/{name}').touch()
        self.path('/etc/passwd').write_text('root:x:0:0:root:/:/bin/sh\n')
        self._programs()

    def _programs(self) -> None:
        for name in ('busybox', 'openssl'):
            shutil.copy(str(shutil.which(name)), self.path(f'/bin/{name}'))
        for name in APPLETS:
            self.path(f'/bin/{name}').symlink_to('busybox')
        for name in ('python', 'python3'):
            self.path(f'/bin/{name}').symlink_to(self._python)
        self._script('/opt/call', f'#!{self._python} -ISE\n{calls.CLIENT}')
        for folder, names in SIMULATED.items():
            for name in names:
                self.path(folder + name).symlink_to('/opt/call')
        for name in SCRIPTS:
            called = name.removeprefix('/sbin/')
            self._script(name, f'#!/bin/sh\nexec /opt/call {called} "$@"\n')
        if os.path.exists('/etc/ld.so.cache'):
            shutil.copy('/etc/ld.so.cache', self.path('/etc/ld.so.cache'))

    def _script(self, name: str, text: str) -> None:
        self.path(name).write_text(text)
        self.path(name).chmod(0o755)

    def run(self, *argv: str, timeout: float = 60) -> Done:
        """Run a program in the machine, with all that it starts."""
        began = time.monotonic()
        left = self.folder / 'left'
        left.write_text('')
        with subprocess.Popen(
                [*_unshare(), 'sh', '-c', self._enter(left), 'sh', *argv],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
                errors='backslashreplace') as process:
            self._process = process
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
            self._process = None
        if self.calls.broken:
            raise AssertionError('simulation') from self.calls.broken.pop()
        status = process.returncode
        return Done(None if status < 0 else status, stdout, stderr,
                    time.monotonic() - began,
                    tuple(left.read_text().splitlines()))

    def sh(self, script: str, timeout: float = 60) -> Done:
        """Run a script of the shell's."""
        return self.run('/bin/sh', '-c', script, timeout=timeout)

    def kill(self) -> None:
        """Cut the power, also from within a call."""
        process = self._process
        if process:
            process.kill()

    def _enter(self, left: pathlib.Path) -> str:
        """What the first process does before it enters the root."""
        binds = [(str(self.folder / 'calls'), '/opt/calls', 'bind')]
        binds += [(f'/dev/{name}', f'/dev/{name}', 'bind')
                  for name in _DEVICES]
        for name in self._binds:
            target = self.path(name)
            if os.path.islink(name):
                target.unlink(missing_ok=True)
                target.symlink_to(os.readlink(name))
                continue
            if os.path.isdir(name):
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            binds.append((name, name, 'bind,ro'))
        lines = ['set -eu']
        lines += [shlex.join(('mount', '-n', '-o', options, source,
                              str(self.path(name))))
                  for source, name, options in binds]
        proc = shlex.quote(str(self.path('/proc')))
        return '\n'.join((
            *lines, f'mount -n -t proc -o ro proc {proc} 2>/dev/null || :',
            f'chroot={shlex.quote(str(shutil.which("chroot")))}',
            f'root={shlex.quote(str(self.root))}',
            f'left={shlex.quote(str(left))}', _LEFT))

    def _answer(self, argv: calls.Argv, stdin: typing.Any) -> calls.Reply:
        if argv == ('auto-backup.sh',) and self.backup:
            self.backup()
        reply = None
        if argv[0] != 'esxcli' or self.esxi.hostd:
            reply = self.devices.answer(argv, stdin)
        reply = reply or calls.Reply(*self.esxi.run(argv))
        if argv == ('generate-certificates',):
            self.certify()
        if argv[:2] == RENAME and not reply.status:
            self.devices.rename_volume(*argv[2:])
        return reply

    def certify(self) -> None:
        """A new certificate for the name that it is for now."""
        disk.tool('openssl', 'req', '-x509', '-nodes', '-newkey', 'ec',
                  '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj',
                  f'/C=US/O=VMware, Inc/CN={self.esxi.certificate}',
                  '-keyout', self.path(CERTIFICATE[1]),
                  '-out', self.path(CERTIFICATE[0]))


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _unshare() -> list[str]:
    return ['unshare', *(['--map-root-user'] if os.geteuid() else []),
            '--mount', '--pid', '--fork', '--kill-child']


@functools.cache
def _forbidden() -> str:
    """Why this process may not do what a machine needs."""
    with base.temporary_folder() as folder:
        done = subprocess.run(
            [*_unshare(), 'sh', '-c', 'mount -n -o bind,ro /usr/lib "$1" '
             '&& chroot / true', 'sh', folder], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30)
    return done.stderr.strip().replace('/', '|') if done.returncode else ''


@functools.cache
def _python(python: str) -> tuple[tuple[str, ...], str]:
    """What has to be there for a Python to run, and its own file."""
    said = subprocess.run(
        [python, '-I', '-c', 'import os, sys; print(sys.base_prefix, '
         'os.path.realpath(sys.executable), sep="\\n")'], check=True,
        capture_output=True, text=True, timeout=30).stdout
    prefix, program = said.splitlines()
    libraries = [name for name in _LIBRARIES if os.path.lexists(name)]
    whole = [] if prefix in ('/usr', '/usr/local') else [prefix]
    own = [] if whole else [program]
    return (*libraries, *whole, *own), program
