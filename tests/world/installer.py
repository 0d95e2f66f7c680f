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

"""The installer: boots from a disk, runs its kickstart, installs."""

import dataclasses
import gzip
import io
import math
import pathlib
import posixpath
import tarfile
import typing

from tests.esxi import grammar
from tests.esxi import state
from tests.world import disk
from tests.world import kickstart
from tests.world import machine

LOG = '/var/log/weasel.log'
DATASTORE = 8
"""Number of the partition that holds it."""
ONETIME = 'onetime.tgz'
FIRSTBOOT = 'var/lib/vmware/firstboot'
BOOT_CFG = '''bootstate={bootstate}
title=Loading VMware ESXi
timeout=5
prefix=
kernel=b.b00
kernelopt=autoPartition=FALSE
modules={modules}
build={build}
updated={updated}
'''
_KS = 'ks=file://'


@dataclasses.dataclass
class Installed:
    """What has become of an installation.

    :param error: empty: all went well
    :param erased: the disk that was installed to, also where a %post failed
    :param ran: the sections that ran, in their order, and what they said
    :param commands: those that counted, includes in place
    """

    error: str = ''
    erased: str | None = None
    ran: list[tuple[kickstart.Section, machine.Done]] = dataclasses.field(
        default_factory=list)
    commands: list[str] = dataclasses.field(default_factory=list)
    root_hash: str = ''
    esxi: state.Esxi | None = None
    banks: list[disk.Fat] = dataclasses.field(default_factory=list)
    rebooted: bool = False


class Installer:
    """Runs on a machine.

    :param timeout: seconds for each script
    """

    def __init__(self, on: machine.Machine, timeout: float = 60) -> None:
        self._machine = on
        self._timeout = timeout

    def run(self, name: str) -> Installed:
        """Boot from a disk and do as it says."""
        self._machine.reset()
        self._machine.esxi = self._machine.installer_esxi()
        self._machine.path('/bootbank').symlink_to('tmp')
        result = Installed()
        try:
            self._install(kickstart.parse(self._boot(name)), result)
        except (grammar.Refused, kickstart.Failed) as error:
            result.error = f'{error}'
        for bank in result.banks:
            bank.write()
        return result

    def _boot(self, name: str) -> str:
        """Lay the image's modules over the root; the kickstart."""
        path = self._machine.path(f'/dev/disks/{name}')
        parts = disk.partitions(path).values()
        image = next((f'{path}@@{one.start}' for one in parts
                      if one.type == disk.ESP), None)
        if image is None:
            raise kickstart.Failed(f'{name} does not boot')
        values = boot_cfg(_read(image, 'efi/boot/boot.cfg').decode())
        for module in values['modules'].split(' --- '):
            if module.endswith('.tgz'):
                self._overlay(posixpath.basename(module), _read(
                    image, module.strip('/')))
        for word in values['kernelopt'].split():
            if word.startswith(_KS):
                script = self._machine.path(word.removeprefix(_KS))
                if not script.is_file():
                    raise kickstart.Failed(f'{word}: no such file')
                return script.read_bytes().decode('utf-8')
        raise kickstart.Failed('no ks= in kernelopt')

    def _overlay(self, name: str, data: bytes) -> None:
        plain = gzip.decompress(data)
        self._machine.path(f'/tardisks/{name}').write_bytes(plain)
        try:
            unpack(plain, self._machine.root)
        except tarfile.ReadError:
            pass  # one of the sample's, which hold noise

    def _install(self, script: kickstart.Kickstart, result: Installed
                 ) -> None:
        for section in script.sections:
            if section.kind == 'pre':
                self._script(section, result)
        result.commands = kickstart.evaluate(
            script.lines, lambda name: self._machine.path(name).read_text())
        by_name = {line.split()[0]: line for line in result.commands}
        name, flags = self._target(by_name['install'])
        result.esxi = self._machine.fresh(
            ' '.join(('install', f'--disk={name}', *flags))
            if line is by_name['install'] else line
            for line in result.commands)
        result.root_hash = by_name['rootpw'].split()[-1]
        self._write(name, result, [
            f'#!{one.interpreter}\n{one.script}' for one in script.sections
            if one.kind == 'firstboot'])
        for section in script.sections:
            if section.kind == 'post':
                self._script(section, result)
        result.rebooted = 'reboot' in by_name

    def _script(self, section: kickstart.Section, result: Installed) -> None:
        number = len(result.ran)
        name = f'/tmp/script.{number}'
        self._machine.path(name).write_text(section.script)
        done = self._machine.run(
            section.interpreter, name, timeout=min(
                self._timeout, int(section.options.get('--timeout', 0))
                or math.inf))
        result.ran.append((section, done))
        with open(self._machine.path(LOG), 'a') as log:
            log.write(f'{done.stdout}{done.stderr}')
        if done.status and section.options.get('--ignorefailure') == 'true':
            return
        if done.status != 0:
            raise kickstart.Failed(f'%{section.kind} script {number}: '
                                   f'status {done.status}: {done.stderr}')

    def _target(self, command: str) -> tuple[str, list[str]]:
        """The disk's own name, and the words that do not name it."""
        disks = self._machine.devices.disks
        chosen, flags = kickstart.target(command)
        if isinstance(chosen, str):
            name = chosen.removeprefix('/vmfs/devices/disks/')
            path = self._machine.path(f'/dev/disks/{name}')
            name = path.readlink().name if path.is_symlink() else name
        else:
            name = next((name for item in chosen for name, model
                         in disks.items() if item in ('local', model)), '')
        if name not in disks:
            raise kickstart.Failed(f'{command!a}: no such disk')
        path = self._machine.path(f'/dev/disks/{name}')
        if '--overwritevmfs' not in flags and any(
                one.type == disk.VMFS
                for one in disk.partitions(path).values()):
            raise kickstart.Failed(f'{name} has a VMFS datastore')
        return name, flags

    def _write(self, name: str, result: Installed, scripts: list[str]
               ) -> None:
        disk.lay_out(self._machine.path(f'/dev/disks/{name}'))
        result.erased = name
        result.banks = self._machine.mount_banks(name)
        for label in result.esxi.datastores if result.esxi else ():
            self._machine.devices.add_volume(name, DATASTORE, label)
        fill(result.banks, self._machine.version, {
            'etc/shadow': f'root:{result.root_hash}:13358:0:99999:7:::\n',
            **{f'{FIRSTBOOT}/{number:03}.firstboot_{number:03}': script
               for number, script in enumerate(scripts, 1)}})


def older(on: machine.Machine, name: str, version: str = '7.0.3') -> None:
    """Another ESXi that is on a disk, and its boot banks are volumes."""
    disk.lay_out(on.path(f'/dev/disks/{name}'))
    banks = on.mount_banks(name)
    fill(banks, version, {'etc/shadow': 'root:*:13358:0:99999:7:::\n'})
    for bank in banks:
        bank.write()


def fill(banks: list[disk.Fat], version: str, files: dict[str, str]) -> None:
    """Two boot banks as they are after an installation.

    :param files: for the first boot, by path
    """
    for bank, bootstate, modules in (
            (banks[0], 0, f'k.b00 --- s.v00 --- {ONETIME}'),
            (banks[1], 3, '')):
        (bank.folder / 'boot.cfg').write_text(BOOT_CFG.format(
            bootstate=bootstate, modules=modules, updated=1 - bootstate // 3,
            build=f'{version}-10000000'))
    for name in ('b.b00', 'k.b00', 's.v00'):
        (banks[0].folder / name).write_text(f'stands for {name}\n')
    (banks[0].folder / ONETIME).write_bytes(packed(files))
    for bank in banks:
        bank.note()


def boot_cfg(text: str) -> dict[str, str]:
    """The values of a boot.cfg by key."""
    pairs = (line.partition('=') for line in text.splitlines()
             if '=' in line and not line.startswith('#'))
    return {key.strip(): value.strip() for key, _, value in pairs}


def packed(files: typing.Mapping[str, str | bytes]) -> bytes:
    """A module with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz',
                      format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o700
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def unpack(plain: bytes, root: pathlib.Path) -> None:
    """Lay a tar's folders and files over a root.

    :raises tarfile.ReadError: it is none
    """
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for entry in tar:
            path = root / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.isdir():
                path.mkdir(exist_ok=True)
            else:
                file = tar.extractfile(entry)
                assert file, entry
                path.write_bytes(file.read())
            path.chmod(entry.mode)


def _read(image: str, name: str) -> bytes:
    try:
        return disk.tool('mcopy', '-i', image, f'::/{name}', '-')
    except AssertionError as error:
        raise kickstart.Failed(f'{name} cannot be loaded: {error}') from None
