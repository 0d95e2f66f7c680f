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

"""In the installer, after the packages are on the disk: ``%post``.

It hands first boot what it needs, on the disk just installed and on no
other one.
"""

import os
from typing import Any
from typing import Dict
from typing import List
from typing import Optional

from . import blocks
from . import bootbanks
from . import disks
from . import drive
from . import files
from . import gpt
from . import log
from . import place
from . import reading
from . import redacted
from . import volume
from .running import Run

FOLDER = 'esxiimg'


def post(run: Run) -> int:
    """Fill the bootbanks; the exit status."""
    say = log.Log('post', run)
    build = place.read_json(os.path.join(place.HOME, 'build.json'))
    before = place.read_json(place.PRE)
    found = disks.disks()
    try:
        disk = _installed(found, before, say)
        if disk is None:
            return 1
        banks = bootbanks.of_disk(disk, run)
        if not banks:
            say.say(f'problem: no bootbank on {disk.name}: there will be no '
                    'first boot')
        for bank in banks:
            _fill(bank, build, before, say)
        _disarm(found, disk, build, say)
        return 0 if banks else 1
    finally:
        if os.path.isdir(place.DRIVE):
            place.destroy(place.DRIVE)


def _installed(found: List[disks.Disk], before: Dict[str, Any],
               say: log.Log) -> Optional[disks.Disk]:
    """The disk that has another partition table than before."""
    guids = before.get('guids') or {}
    changed = [disk for disk in found
               if _guid(disk) not in (None, guids.get(disk.name))]
    if len(changed) == 1:
        say.say(f'installed on {changed[0].name}')
        return changed[0]
    say.say('problem: cannot tell which disk was installed on, so there will '
            'be no first boot: new partition tables on ' + (
                ', '.join(disk.name for disk in changed) or 'none'))
    return None


def _guid(disk: disks.Disk) -> Optional[str]:
    table = _table(disk)
    return table.disk_guid if table else None


def _table(disk: disks.Disk) -> Optional[gpt.Gpt]:
    try:
        fd = os.open(disk.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return gpt.read(blocks.Blocks(fd), disk.size)
    except volume.Damaged:
        return None
    finally:
        os.close(fd)


def _fill(bank: bootbanks.Bank, build: Dict[str, Any],
          before: Dict[str, Any], say: log.Log) -> None:
    """Put our files into a bootbank, and the kernel options.

    Plain files: what is named in modules= would have to be signed.
    """
    target = os.path.join(bank.folder, FOLDER)
    package = os.path.join(place.HOME, 'firstboot')
    copies = {'settings.json': os.path.join(place.HOME, 'settings.json'),
             'build.json': os.path.join(place.HOME, 'build.json'),
             'installer.jsonl': log.JOURNAL}
    for name in sorted(os.listdir(package)):
        if name.endswith('.py'):
            copies[f'firstboot/{name}'] = os.path.join(package, name)
    try:
        for name, path in copies.items():
            data = place.read(path)
            if data is not None:
                files.replace(os.path.join(target, name), data, 0o600)
        for name, data in _drive().items():
            files.replace(os.path.join(target, 'drive', 'openstack',
                                       'latest', name), data, 0o600)
        place.write_json(os.path.join(target, 'installed.json'), {
            'root_password': before.get('root_password')})
        words = [str(word) for word
                 in build.get('installed_kernel_options') or []]
        if words:
            files.replace(os.path.join(bank.folder, 'boot.cfg'),
                          bootbanks.with_options(bank.config, words), 0o644)
            say.say(f'kernel options for {bank.folder}: {" ".join(words)}')
        say.say(f'first boot is in {target}')
    except OSError as error:
        say.say(f'problem: {bank.folder}: {error.strerror}')


def _drive() -> Dict[str, bytes]:
    try:
        found = drive.read(place.DRIVE)
    except drive.Unreadable:
        return {}
    return redacted.redacted(found.files, reading.model_of(found).identity)


def _disarm(found: List[disks.Disk], installed: disks.Disk,
            build: Dict[str, Any], say: log.Log) -> None:
    """Make the image's own partition no place to start from.

    Else a host that was installed on another disk, and prefers this one,
    would install itself again and again.
    """
    for disk in found:
        seen = disks.look(disk, str(build.get('disk_guid', '')),
                          str(build.get('partition_guid', '')))
        if disk.name == installed.name or seen.defect or not seen.gpt:
            continue
        part = next(one for one in seen.gpt.partitions
                    if one.guid == build.get('partition_guid'))
        fd = os.open(disk.path, os.O_RDWR)
        try:
            # Both copies of the boot sector, in sectors of either size.
            os.pwrite(fd, bytes(min(part.size, 1 << 16)), part.start)
            os.fsync(fd)
        finally:
            os.close(fd)
        say.say(f'{disk.name}: the installer on it does not start any more')
