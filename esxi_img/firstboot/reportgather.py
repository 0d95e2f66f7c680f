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

"""Gathers a field report's parts from a host, in little time.

The records come first, then what the host says, then its logs: whatever ends
it early, the best is there.
"""

import re
from typing import Any
from typing import Callable
from typing import List
from typing import Optional
from typing import Tuple

from . import reportcommands as commands
from .reportanswers import KEYS_FILE
from .reportanswers import KICKSTART_LOG
from .reportfiles import Reader
from .reportmodel import File
from .reportmodel import Gathered
from .reportmodel import Told
from .running import Run

# Seconds: of a command, and of all of them.
_SECONDS = 15.0
COMMANDS = 120.0
_LEAST = 1.0
# Of the time that is left a command gets no more: one that hangs must leave
# some for the others.
_SHARE = 4
# Characters of what a command says.
_OUTPUT = 1 << 18

_WORK = '/tmp/esxiimg'  # nosec B108
_BANKS = ('/bootbank', '/altbootbank')
_VOLUMES = '/vmfs/volumes'
_DISKS = '/vmfs/devices/disks'
_RECORDS = ('state.json', 'journal.jsonl', 'installer.jsonl', 'pre.json',
            'build.json', 'settings.json', 'installed.json', 'KS.CFG')
_KINDS = ('.cfg', '.out', '.status')
_BOOT_CFGS = ('boot.cfg', 'BOOT.CFG', 'EFI/BOOT/boot.cfg',
              'EFI/BOOT/BOOT.CFG')
_SHADOW = '/etc/shadow'

_LOGS = (KICKSTART_LOG, '/var/log/weasel.log', '/var/log/esxi_install.log')
_LOG = 1 << 18
_COMMON_LOGS = ('/var/log/syslog.log', '/var/log/vmkernel.log')
_COMMON_LOG = 4 << 20
_OURS = re.compile('esxi-?img|config-2|iso9660|firstboot|kickstart|weasel'
                   '|secure ?boot|execInstalledOnly|tardisk',
                   re.IGNORECASE)
_FOLDERS = (('/', 1), (_VOLUMES, 1), (_DISKS, 1), ('/dev/disks', 1),
            ('/vmfs/devices/cdrom', 1), ('/tardisks', 1), (_WORK, 4),
            ('/tmp/esxi-img', 2), ('/var/log', 1),  # nosec B108
            ('/var/lib/vmware/firstboot', 1), ('/etc/ssh/keys-root', 1))


class Late(BaseException):
    """The time for gathering is over."""


class Gatherer:
    """Fills a report's parts, one after the other.

    :param clock: gives seconds
    :param home: the folder of ours that the report's program is in
    """

    def __init__(self, reader: Reader, run: Run, clock: Callable[[], float],
                 home: str) -> None:
        self._reader = reader
        self._secret_reader = Reader(reader.path('/'))
        self._run = run
        self._clock = clock
        self._home = reader.real(home) if home else ''
        self._deadline = clock() + COMMANDS
        self.found = Gathered({}, [], {}, [], [], [])

    def gather(self) -> None:
        """All of it; what fails is noted, and the rest goes on.

        :raises Late: from whoever sets the alarm
        """
        for part in (self._secrets, self._records, self._folders, self._ask,
                     self._logs, self._volumes):
            try:
                part()
            except Exception as error:
                # Its text may quote what was read.
                self.found.notes.append(
                    f'{part.__name__.strip("_")}: stopped by '
                    f'{type(error).__name__}')

    def _homes(self) -> List[str]:
        """The folders of ours that belong to what runs."""
        paths = ['/esxiimg', self._home, *(
            f'{self._reader.real(bank)}/esxiimg' for bank in _BANKS)]
        return [path for path in dict.fromkeys(paths)
                if path and self._reader.is_folder(path)]

    def _works(self) -> List[str]:
        return [_WORK] if self._reader.is_folder(_WORK) else []

    def _secrets(self) -> None:
        """What must not get into the report, to be looked for in it."""
        self._secret(_SHADOW)
        for folder in (*self._homes(), *self._works()):
            self._drive(folder)

    def _drive(self, folder: str) -> None:
        for entry in self._reader.below(f'{folder}/drive'):
            if entry.kind == 'file':
                self._secret(f'{folder}/drive/{entry.name}')

    def _secret(self, path: str) -> None:
        file = self._secret_reader.file(path)
        if file:
            self.found.secrets.append(file.text)

    def _records(self) -> None:
        for folder in (*self._homes(), '/var/log/esxi-img'):
            self._folder(folder)
        for folder in self._works():
            self._folder(folder)
            self._folder(f'{folder}/new')

    def _folder(self, folder: str) -> None:
        """The files of ours in a folder, but for what the drive says."""
        for name in self._reader.names(folder):
            if name in _RECORDS or name.endswith(_KINDS):
                self._add(self._reader.file(f'{folder}/{name}'))

    def _folders(self) -> None:
        banks = [(bank, 1) for bank in dict.fromkeys(
            map(self._reader.real, _BANKS)) if bank not in _BANKS]
        homes = [(home, 5) for home in self._homes()]
        for path, depth in (*homes, *banks, *_FOLDERS):
            entries = self._reader.below(path, depth)
            if entries:
                self.found.folders[path] = entries

    def _ask(self) -> None:
        program = 'esxcli'
        if self._esxcli(program, commands.Ask(commands.VERSION)) is None:
            # It needs hostd, which the installer has not.
            program = 'localcli'
            self._esxcli(program, commands.Ask(commands.VERSION))
        self._tell(commands.SECURE_BOOT)
        answers = {ask.words: self._esxcli(program, ask)
                   for ask in commands.ASKS}
        disks = [f'{_DISKS}/{entry.name}'
                 for entry in self.found.folders.get(_DISKS, ())
                 if ':' not in entry.name and entry.name[:1] != '-'
                 and not entry.kind.startswith('-> ')]
        for argv in (
                *commands.of_switches(
                    program, answers[commands.SWITCHES]),
                *commands.of_vmks(program, answers[commands.VMKS]),
                *commands.of_disks(disks),
                *commands.of_volumes(self._boot_volumes()),
                *commands.OTHERS,
                *(commands.argv(program, words)
                  for words in commands.REFUSED)):
            self._tell(argv)

    def _boot_volumes(self) -> List[str]:
        """The bootbanks, and what is labelled like one."""
        labels = [f'{_VOLUMES}/{name}'
                  for name in self._reader.names(_VOLUMES)
                  if name.lower().startswith(('bootbank', 'hypervisor'))]
        return [path for path in dict.fromkeys(
            map(self._reader.real, (*_BANKS, *labels)))
            if path.startswith(f'{_VOLUMES}/')]

    def _esxcli(self, program: str, ask: commands.Ask) -> Any:
        """Its whole answer as JSON, of which the report gets the fields."""
        told = self._tell(commands.argv(program, ask.words), ask.fields)
        return told.value

    def _tell(self, argv: Tuple[str, ...], fields: Tuple[str, ...] = ()
              ) -> Told:
        left = self._deadline - self._clock()
        if left < _LEAST:
            told = Told(argv, None, 0.0, '', 'not run: no time was left')
        else:
            result = self._run(argv, max(_LEAST, min(
                _SECONDS, left / _SHARE)))
            told = Told(argv, result.status, round(result.seconds, 1),
                        result.output, result.error)
            if result.status is None:
                told = told._replace(error='ended: it took too long')
        self.found.told.append(self._shown(told, fields))
        return told

    def _shown(self, told: Told, fields: Tuple[str, ...]) -> Told:
        """What the report has of it."""
        output = told.output
        if fields and output:
            output = commands.only(told.value, fields)
        return told._replace(
            output=self._reader.room_for(output[:_OUTPUT]),
            error=told.error[:_OUTPUT >> 6])

    def _logs(self) -> None:
        self._add(self._reader.file(KEYS_FILE, 1 << 16))
        for path in _LOGS:
            self._add(self._reader.file(path, _LOG, tail=True, log=True))
        for path in _COMMON_LOGS:
            self._add(self._reader.file(
                path, _COMMON_LOG, tail=True, log=True,
                keep=lambda line: bool(_OURS.search(line))))

    def _volumes(self) -> None:
        """Last, for a volume that hangs stops everything."""
        banks = [self._reader.real(bank) for bank in _BANKS]
        some = [self._reader.real(f'{_VOLUMES}/{name}')
                for name in self._reader.names(_VOLUMES)]
        homes = self._homes()
        for volume in dict.fromkeys((*banks, *some)):
            for name in _BOOT_CFGS:
                self._add(self._reader.file(f'{volume}/{name}', 1 << 16))
            home = f'{volume}/esxiimg'
            if home not in homes and self._reader.is_folder(home):
                self._drive(home)
                self._folder(home)
                self.found.folders[home] = self._reader.below(home)

    def _add(self, file: Optional[File]) -> None:
        if file and file.path not in [one.path for one in self.found.files]:
            self.found.files.append(file)
