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

"""Starts a disk in QEMU under OVMF and takes down what the machine says."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAM = 'qemu-system-x86_64'

FIRMWARE = (
    ('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'),
    ('/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'),
)
"""Code and variables; older releases of Debian and Ubuntu have no 4M."""

SECTORS_OF_4096 = 'logical_block_size=4096,physical_block_size=4096'
BUSES = {
    'sata': 'ide-hd,bus=ide.0,drive=disk',
    'nvme-4096': f'nvme,serial=1,drive=disk,{SECTORS_OF_4096}',
    'virtio-4096': f'virtio-blk-pci,drive=disk,{SECTORS_OF_4096}',
}
"""Devices that can hold the disk to boot; QEMU's SATA has 512 bytes only."""

GAVE_UP = 'UEFI Interactive Shell|No bootable option'
"""The firmware's words when it has found nothing that starts."""

SECONDS = 180
"""For one boot; without KVM on a slow core it takes about ten."""

ESCAPE = re.compile(r'\x1b\[[0-9;=?]*[A-Za-z]')


def firmware() -> tuple[str, str]:
    """Code and variables that are there, or else those that should be."""
    for pair in FIRMWARE:
        if all(map(os.path.exists, pair)):
            return pair
    return FIRMWARE[0]


def boot(disk: pathlib.Path, bus: str, data: pathlib.Path, ends: str,
         seconds: float = SECONDS, shell: bool = False) -> str:
    """Boot a machine and return the text on its serial port.

    :param disk: raw image to boot from; it stays as it is
    :param bus: one of BUSES
    :param data: raw image of a second disk, on SATA; stays as it is, too
    :param ends: regular expression; once the text has it, power is cut
    :param seconds: after which power is cut anyway
    :param shell: go on when the firmware starts its own shell
    :raises subprocess.CalledProcessError: QEMU itself failed
    """
    with tempfile.TemporaryDirectory(prefix='esxi-img-boot-') as name:
        serial = pathlib.Path(name) / 'serial.log'
        serial.touch()
        command = _command(pathlib.Path(name), disk, bus, data, serial)
        end = re.compile(ends if shell else f'{ends}|{GAVE_UP}')
        deadline = time.monotonic() + seconds
        # A session of its own: all of it can be killed.
        with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as machine:
            try:
                while (machine.poll() is None
                       and time.monotonic() < deadline
                       and not end.search(_text(serial))):
                    time.sleep(0.2)
            finally:
                if machine.poll() is None:
                    os.killpg(machine.pid, signal.SIGKILL)
            _, complaint = machine.communicate()
        if machine.returncode > 0:
            raise subprocess.CalledProcessError(
                machine.returncode, command, stderr=complaint)
        return _text(serial)


def _command(folder: pathlib.Path, disk: pathlib.Path, bus: str,
             data: pathlib.Path, serial: pathlib.Path) -> list[str]:
    code, variables = firmware()
    # The firmware writes to them.
    shutil.copyfile(variables, folder / 'variables')
    return [
        # Should these tests be killed, the machine shall not outlive them.
        'timeout', str(2 * SECONDS),
        PROGRAM, '-machine', 'q35', '-accel', 'tcg', '-m', '512',
        '-nodefaults', '-display', 'none', '-no-reboot',
        '-serial', f'file:{serial}',
        '-drive', f'if=pflash,format=raw,readonly=on,file={code}',
        '-drive', f'if=pflash,format=raw,file={folder / "variables"}',
        '-drive', f'if=none,id=disk,format=raw,snapshot=on,file={disk}',
        '-drive', f'if=none,id=data,format=raw,snapshot=on,file={data}',
        '-device', f'{BUSES[bus]},bootindex=0',
        # OVMF takes no notice of a disk without a place in the order.
        '-device', 'ide-hd,bus=ide.1,drive=data,bootindex=1']


def _text(serial: pathlib.Path) -> str:
    text = serial.read_text(encoding='ascii', errors='replace')
    return ESCAPE.sub('', text).replace('\r', '')
