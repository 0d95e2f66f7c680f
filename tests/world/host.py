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

"""The installed host: boots from what is in its boot bank."""

import copy
import gzip
import re

from tests.esxi import state
from tests.world import installer
from tests.world import kickstart
from tests.world import machine

LOG = '/var/log/kickstart.log'
STATE = 'state.tgz'
SKIPPED = 'UEFI Secure Boot Enabled, skipping execution of '


class Host:
    """Boots again and again; only the boot banks last.

    :param kernelopt: of the last boot
    """

    def __init__(self, on: machine.Machine, installed: installer.Installed
                 ) -> None:
        assert installed.esxi and installed.rebooted, installed.error
        self.banks = installed.banks
        self.kernelopt = ''
        self._machine = on
        self._saved = installed.esxi

    @property
    def esxi(self) -> state.Esxi:
        """What its commands change."""
        return self._machine.esxi

    def boot(self, secure_boot: bool = False, timeout: float = 120
             ) -> list[machine.Done]:
        """Start, and at the first time run the %firstboot scripts.

        :param timeout: seconds for each of them
        :returns: of each of them, up to one at which the power was cut
        :raises Failed: it does not start
        """
        self._machine.reset()
        self._machine.esxi = _started(self._saved)
        self._machine.backup = self._backup
        for name, bank in zip(('/bootbank', '/altbootbank'), self.banks):
            self._machine.path(name).symlink_to(
                f'vmfs/volumes/{bank.folder.name}')
        first = self._load()
        if not self._machine.path(machine.CERTIFICATE[0]).exists():
            self._machine.certify()
        if first:
            # Whatever happens from here on, there is no second first boot.
            self._save()
        done = self._first_boot(secure_boot, timeout) if first else []
        self._notice()
        for bank in self.banks:
            bank.write()
        return done

    def shut_down(self) -> None:
        """In good order, which includes a backup."""
        self._backup()
        self.power_off()

    def power_off(self) -> None:
        """What was not backed up is lost; so is all that is in memory."""
        self._machine.backup = None
        for bank in self.banks:
            bank.write()
        self._machine.reset()

    def _load(self) -> bool:
        """Lay the modules over the root; whether it is the first boot."""
        folder = self.banks[0].folder
        values = installer.boot_cfg((folder / 'boot.cfg').read_text())
        names = [values['kernel'], *values['modules'].split(' --- ')]
        missing = [name for name in names if not (folder / name).is_file()]
        if values['bootstate'] != '0' or missing:
            raise kickstart.Failed(f'the boot bank is not valid: {missing}')
        self.kernelopt = values['kernelopt']
        for name in names:
            if name.endswith('.tgz'):
                installer.unpack(gzip.decompress(
                    (folder / name).read_bytes()), self._machine.root)
        return installer.ONETIME in names

    def _first_boot(self, secure_boot: bool, timeout: float
                    ) -> list[machine.Done]:
        done: list[machine.Done] = []
        folder = self._machine.path(f'/{installer.FIRSTBOOT}')
        with open(self._machine.path(LOG), 'a') as log:
            for script in sorted(folder.iterdir()):
                name = f'/{installer.FIRSTBOOT}/{script.name}'
                if secure_boot:
                    log.write(f'{SKIPPED}{name}\n')
                    continue
                one = self._machine.run(name, timeout=timeout)
                log.write(f'{one.stdout}{one.stderr}')
                done.append(one)
                if one.status is None:
                    break
        return done

    def _notice(self) -> None:
        """Tell the simulated host which of its files were written."""
        for name in machine.KEPT:
            path = self._machine.path(name)
            if path.is_file():
                now = path.stat().st_mode & 0o7777, path.read_bytes().decode(
                    errors='surrogateescape')
                if now != self.esxi.files.get(name, (now[0], '')):
                    self.esxi.write_file(name, now[1], now[0])

    def _backup(self) -> None:
        self._notice()
        self._saved = copy.deepcopy(self.esxi)
        self._saved.backed_up = True
        self._save()

    def _save(self) -> None:
        """A state.tgz in the place of what there was."""
        folder = self.banks[0].folder
        names = [name for name in (*machine.KEPT, *machine.CERTIFICATE,
                                   '/etc/shadow')
                 if self._machine.path(name).is_file()]
        (folder / STATE).write_bytes(installer.packed({
            name.lstrip('/'): self._machine.path(name).read_bytes()
            for name in names}))
        (folder / installer.ONETIME).unlink(missing_ok=True)
        text = (folder / 'boot.cfg').read_text()
        (folder / 'boot.cfg').write_text(re.sub(
            rf'\b{re.escape(installer.ONETIME)}(?=\n| )', STATE, text))


def _started(saved: state.Esxi) -> state.Esxi:
    """As it comes up with what was saved."""
    esxi = copy.deepcopy(saved)
    esxi.ipv6 = esxi.ipv6_after_boot
    for service in esxi.services.values():
        service.running = service.enabled
    for parameter in esxi.kernel.values():
        parameter.runtime = parameter.configured
    esxi.syslog.loaded = esxi.syslog.loghost
    esxi.down = None
    for remembered in (esxi.journal, esxi.log, esxi.outages, esxi.ran,
                       esxi.restarted):
        remembered.clear()
    esxi.settle()
    return esxi
