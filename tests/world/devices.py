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

"""Programs of ESXi for disks, volumes and kernel modules."""

import collections.abc
import pathlib
import re
import shutil
import tempfile
import typing
import uuid

from tests.esxi import grammar
from tests.world import calls
from tests.world import disk

ISO9660 = 'iso9660'

_LOAD = ['system', 'module', 'load']
_ISO_PATH = re.compile(r'/vmkModules/iso9660/(mount|umount)')
_NUMBER = re.compile(r':([1-9][0-9]*)\Z')


class Volume(typing.NamedTuple):
    """A volume by the partition that it is."""

    label: str
    disk: str
    number: int


class Refused(Exception):
    """A program's message."""


class Devices:
    """What these programs know.

    :param root: of the machine
    """

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self.disks: dict[str, str] = {}
        """Their models by name, in the driver's order."""
        self.volumes: dict[str, Volume] = {}
        """By the name of their folder, a UUID."""
        self.modules: set[str] = set()
        self.mounted: dict[str, str] = {}
        """Devices by the label of the ISO that is mounted."""
        self.fixed: list[str] = []
        """Disks that partedUtil wrote to, by the name it was given."""

    def reset(self) -> None:
        """Nothing is mounted but the boot banks."""
        for label in list(self.mounted):
            self._unmount(label)
        self.modules.clear()
        for folder, one in list(self.volumes.items()):
            path, _ = self.file(one.disk)
            if one.number not in disk.partitions(path):
                self.remove_volume(folder)

    def answer(self, argv: calls.Argv, stdin: typing.Callable[[], bytes]
               ) -> calls.Reply | None:
        """What a program says; None: it is none of these."""
        name, *words = argv
        try:
            if name in ('esxcli', 'localcli') and words[:3] == _LOAD:
                options = grammar.check(argv)
                return self._load(options['--module'])
            if name == 'partedUtil':
                return self._parted(words, stdin)
            if name in _PROGRAMS:
                return _PROGRAMS[name](self, words)
        except (grammar.Refused, Refused) as error:
            return calls.Reply(1, '', f'{error}\n')
        return None

    def add_volume(self, name: str, number: int, label: str
                   ) -> pathlib.Path:
        """A volume's folder, and a link by its label.

        A label that is taken gets a number, as with datastores.
        """
        volumes = self._root / 'vmfs/volumes'
        folder = str(uuid.uuid5(uuid.NAMESPACE_OID, f'{name}:{number}'))
        self.remove_volume(folder)
        self.volumes[folder] = Volume(label, name, number)
        (volumes / folder).mkdir()
        link, count = label, 0
        while (volumes / link).is_symlink():
            count += 1
            link = f'{label} ({count})'
        (volumes / link).symlink_to(folder)
        return volumes / folder

    def rename_volume(self, old: str, new: str) -> None:
        """Of a link alone, the folder stays."""
        volumes = self._root / 'vmfs/volumes'
        (volumes / old).rename(volumes / new)

    def remove_volume(self, folder: str) -> None:
        """Its disk is installed to."""
        volumes = self._root / 'vmfs/volumes'
        if self.volumes.pop(folder, None):
            shutil.rmtree(volumes / folder)
        for link in volumes.iterdir():
            if link.is_symlink() and link.readlink().name == folder:
                link.unlink()

    def file(self, device: str) -> tuple[pathlib.Path, int]:
        """The file of a device, by any of its names, and a partition.

        :returns: 0 for the whole disk
        """
        name = device
        for folder in ('/dev/disks/', '/vmfs/devices/disks/'):
            name = name.removeprefix(folder)
        match = _NUMBER.search(name)
        number = int(match[1]) if match else 0
        name = name[:match.start()] if match else name
        path = self._root / 'vmfs/devices/disks' / name
        if '/' in name or not path.is_file():
            raise Refused(f'Unable to open {device}: No such device')
        return path.resolve(), number

    def _load(self, name: str) -> calls.Reply:
        if name != ISO9660 or name in self.modules:
            raise Refused(f'Unable to load module {name}: Busy')
        self.modules.add(name)
        return calls.Reply(0, f'Module {name} loaded successfully\n')

    def _vmkload_mod(self, words: list[str]) -> calls.Reply:
        if len(words) == 1:
            return self._load(words[0])
        if words != ['-u', ISO9660] or ISO9660 not in self.modules \
                or self.mounted:
            raise Refused(f'vmkload_mod {" ".join(words)}: Busy')
        self.modules.clear()
        return calls.Reply()

    def _vsish(self, words: list[str]) -> calls.Reply:
        match = len(words) == 4 and words[:2] == ['-e', 'set'] \
            and _ISO_PATH.fullmatch(words[2])
        if not match or ISO9660 not in self.modules:
            raise Refused(f'VSISHCmdSetInt: {" ".join(words)}: Not found')
        device = words[3]
        if match[1] == 'mount':
            self._mount(device)
        elif device in self.mounted.values():
            self._unmount(next(label for label, one in self.mounted.items()
                               if one == device))
        else:
            raise Refused(f'{device}: not mounted')
        return calls.Reply()

    def _mount(self, device: str) -> None:
        """Linux's names, for nobody documents ESXi's: see xorriso."""
        path, start, size = self._iso(device)
        with open(path, 'rb') as file:
            file.seek(start + 0x8000)
            head = file.read(0x800)
        if not head.startswith(b'\x01CD001'):
            raise Refused(f'{device}: Not an ISO9660 file system')
        label = head[0x28:0x48].decode('ascii').rstrip()
        target = self._root / 'vmfs/volumes' / label
        if not label or target.exists():
            raise Refused(f'{device}: {label!a} is mounted already')
        with tempfile.TemporaryDirectory(dir=self._root.parent) as folder:
            iso = pathlib.Path(folder) / 'iso'
            disk.copy(path, iso, start, size)
            disk.tool('xorriso', '-osirrox', 'on', '-indev', f'stdio:{iso}',
                      '-extract', '/', target)
        disk.tool('chmod', '-R', 'u+rwX', target)
        self.mounted[label] = device

    def _iso(self, device: str) -> tuple[pathlib.Path, int, int]:
        """Where an ISO may be: a file, and the first byte and all in it."""
        cdrom = self._root / 'vmfs/devices/cdrom' / device.rpartition('/')[2]
        if cdrom.is_file():
            return cdrom, 0, cdrom.stat().st_size
        path, number = self.file(device)
        parts = disk.partitions(path)
        if disk.sector_size(path) == 4096 or number not in {0, *parts}:
            raise Refused(f'{device}: Bad parameter')
        return path, *(parts[number][1:3] if number else (
            0, path.stat().st_size))

    def _unmount(self, label: str) -> None:
        del self.mounted[label]
        shutil.rmtree(self._root / 'vmfs/volumes' / label)

    def _parted(self, words: list[str], stdin: typing.Callable[[], bytes]
                ) -> calls.Reply:
        if len(words) != 2 or words[0] not in (
                'fix', 'fixGpt', 'get', 'getptbl'):
            raise Refused(f'partedUtil: invalid command {words}')
        path, number = self.file(words[1])
        if not words[1].startswith('/') or number:
            raise Refused(f'{words[1]}: not the path of a disk')
        if not disk.is_whole(path):
            # It asks on the terminal; scripts answer Y or Fix.
            if words[0] not in ('fix', 'fixGpt') \
                    or stdin().split()[:1] not in ([b'Y'], [b'Fix']):
                raise Refused('The backup GPT table is not at the end of '
                              'the disk. Fix?')
            disk.fix(path)
            self.fixed.append(words[1])
        return calls.Reply(0, '' if 'fix' in words[0] else _table(
            path, words[0] == 'getptbl'))

    def _vmkfstools(self, words: list[str]) -> calls.Reply:
        if len(words) != 2 or words[0] != '-P':
            raise Refused('vmkfstools: only -P PATH')
        path = (self._root / words[1].lstrip('/')).resolve()
        one = self.volumes.get(path.name)
        if not one or path.parent != self._root.resolve() / 'vmfs/volumes':
            raise Refused(f'{words[1]}: not a file system')
        return calls.Reply(0, (
            'vfat-0.04 (Raw Major Version: 0) file system spanning 1 '
            f'partitions.\nFile system label (if any): {one.label}\n'
            f'Mode: private\nUUID: {path.name}\nPartitions spanned (on '
            f'"disks"):\n\n\t{one.disk}:{one.number}\nIs Native Snapshot '
            'Capable: NO\n'))

    def _mpath(self, words: list[str]) -> calls.Reply:
        if words != ['-b']:
            raise Refused('esxcfg-mpath: only -b')
        folder = self._root / 'vmfs/devices/cdrom'
        names = [(path.name, 'CD-ROM') for path in sorted(folder.iterdir())]
        names += [(name, 'Disk') for name in self.disks]
        return calls.Reply(0, ''.join(
            f'{name} : Local {kind} ({name})\n   vmhba0:C0:T{number}:L0 '
            f'LUN:0 state:active sas Adapter: 0 Target: {number}\n\n'
            for number, (name, kind) in enumerate(names)))


def _table(path: pathlib.Path, named: bool) -> str:
    size, sector = path.stat().st_size, disk.sector_size(path)
    lines = ['gpt'] if named else []
    lines.append(f'{size // sector // 16065} 255 63 {size // sector}')
    for one in disk.partitions(path).values():
        kind = f'{one.type.replace("-", "")} unknown' if named else '0'
        lines.append(f'{one.number} {one.start // sector} '
                     f'{(one.start + one.size) // sector - 1} {kind} 0')
    return '\n'.join(lines) + '\n'


_PROGRAMS: dict[str, collections.abc.Callable[
    [Devices, list[str]], calls.Reply]] = {
    'esxcfg-mpath': Devices._mpath, 'vmkfstools': Devices._vmkfstools,
    'vmkload_mod': Devices._vmkload_mod, 'vsish': Devices._vsish}
