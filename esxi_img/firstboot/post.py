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

import json
import os
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import bootbanks
from . import carried
from . import disks
from . import drive
from . import files
from . import gpt
from . import log
from . import place
from . import reading
from . import redacted
from . import scrub
from .running import Run

# Both copies of the boot sector of FAT32, in sectors of either size.
_HEAD = 1 << 16
# Prints Enabled or Disabled.
_SECURE_BOOT = '/usr/lib/vmware/secureboot/bin/secureBoot.py', '-s'
_SECONDS = 20.0

_Installed = Tuple[disks.Disk, List[bootbanks.Bank]]


def post(run: Run, places: place.Places) -> int:
    """Fill the bootbanks; the exit status."""
    say = log.Log('post', run, places)
    try:
        return _post(run, places, say)
    finally:
        if os.path.lexists(places.drive):
            try:
                place.destroy(places.drive)
            except OSError as error:
                say.say(f'problem: {places.drive}: {error.strerror}')


def _post(run: Run, places: place.Places, say: log.Log) -> int:
    build = place.read_json(places.own('build.json'))
    before = place.read_json(places.pre)
    found = _installed(before, run, places, say)
    if found is None:
        return 1
    disk, banks = found
    say.say(f'installed on {disk.name}')
    wishes = _wishes(run, places, say)
    done = [_fill(bank, build, before, wishes, places, say) for bank in banks]
    disarmed = _disarm(disk, build, before, places, say)
    # Last, so that it tells of all that; and whatever came of it.
    last = {'installer.jsonl': place.read(places.journal) or b''}
    collector = place.read(places.own(place.COLLECTOR))
    if collector is not None:
        last[place.COLLECTOR] = collector
    for bank in banks:
        try:
            _copy(os.path.join(bank.folder, place.FOLDER), last)
        except OSError as error:
            say.say(f'problem: {bank.folder}: {error.strerror}')
    return 0 if all(done) and disarmed else 1


def _installed(before: Dict[str, Any], run: Run, places: place.Places,
               say: log.Log) -> Optional[_Installed]:
    """The disk that has another table than before, and bootbanks.

    Should there be several, it is the one that the installer was told.
    """
    tables = before.get('tables')
    if not isinstance(tables, dict):
        say.say('problem: nobody knows what the disks were before, so there '
                'will be no first boot')
        return None
    changed = [disk for disk in disks.disks(places.root)
               if bootbanks.fingerprint(bootbanks.table_of(disk)) not in (
                   None, tables.get(disk.name))]
    some = [(disk, bootbanks.of_disk(disk, run, places.volumes))
            for disk in changed]
    some = [one for one in some if one[1]]
    if len(some) > 1:
        told = _told(str(before.get('install')))
        some = [one for one in some if told in (
            one[0].name, *one[0].aliases)]
    if len(some) == 1:
        return some[0]
    say.say('problem: cannot tell which disk was installed on, so there will '
            'be no first boot; new partition tables: ' + (
                ', '.join(disk.name for disk in changed) or 'none'))
    return None


def _told(line: str) -> Optional[str]:
    """The disk that an install command names."""
    for word in line.split():
        key, _, value = word.partition('=')
        if key == '--disk':
            return value.rpartition('/')[2]
    return None


def _fill(bank: bootbanks.Bank, build: Dict[str, Any],
          before: Dict[str, Any], wishes: Dict[str, bytes],
          places: place.Places, say: log.Log) -> bool:
    """Put our files into a bootbank, and the kernel options.

    Plain files: what is named in modules= would have to be signed.
    """
    target = os.path.join(bank.folder, place.FOLDER)
    try:
        _copy(target, {**_contents(places, say), 'installed.json': json.dumps(
            {'root_password': before.get('root_password')}).encode()})
    except OSError as error:
        say.say(f'problem: {bank.folder}: no first boot: {error.strerror}')
        _take_back(target)
        return False
    say.say(f'first boot is in {target}')
    try:
        _copy(target, wishes)
    except OSError as error:
        # Without them, but not without the network.
        say.say(f'problem: {bank.folder}: no user data: {error.strerror}')
    words = _words(build)
    if not words:
        return True
    try:
        files.replace(os.path.join(bank.folder, 'boot.cfg'),
                      bootbanks.with_options(bank.config, words), 0o644)
    except OSError as error:
        say.say(f'problem: {bank.folder}: boot.cfg: {error.strerror}')
        return False
    say.say(f'kernel options for {bank.folder}: {" ".join(words)}')
    return True


def _wishes(run: Run, places: place.Places, say: log.Log
            ) -> Dict[str, bytes]:
    """What pre has kept of user data, unless nobody would ever remove it."""
    if run(_SECURE_BOOT, _SECONDS).output.strip() == 'Enabled':
        say.say('problem: Secure Boot is enabled, with which ESXi runs no '
                'first boot: what user data say for it is not done')
        return {}
    data = place.read(os.path.join(places.drive, place.WISHES),
                      carried.LIMIT)
    return {} if data is None else {
        os.path.join(place.DRIVE, place.WISHES): data}


def _take_back(target: str) -> None:
    try:
        place.destroy(target)
    except OSError:
        # Nothing that could be written there is a secret.
        pass


def _words(build: Dict[str, Any]) -> List[str]:
    words = build.get('installed_kernel_options')
    return [word for word in words if isinstance(word, str)
            and word.isascii()] if isinstance(words, list) else []


def _copy(target: str, contents: Dict[str, bytes]) -> None:
    """:raises OSError: not all is written"""
    for name, data in contents.items():
        files.replace(os.path.join(target, name), data, 0o600)


def _contents(places: place.Places, say: log.Log) -> Dict[str, bytes]:
    """What goes to a bootbank, by its place there.

    :raises OSError: the package cannot be read
    """
    names = ['settings.json', 'build.json', 'ca.pem', *_package(places)]
    read = {name: place.read(places.own(name)) for name in names}
    contents = {name: data for name, data in read.items() if data is not None}
    try:
        found = drive.read(places.drive)
    except drive.Unreadable:
        say.say('problem: no config drive for first boot')
        return contents
    said = redacted.redacted(found.files, reading.model_of(found).identity)
    for name, data in said.items():
        contents[os.path.join(place.DRIVE, 'openstack', 'latest', name)
                 ] = data
    return contents


def _package(places: place.Places) -> List[str]:
    """The package's files, without what Python compiled.

    :raises OSError: it cannot be read
    """
    def fail(error: OSError) -> None:
        raise error

    return [os.path.join(os.path.relpath(folder, places.home), name)
            for folder, _, names in os.walk(places.own(place.PACKAGE),
                                            onerror=fail)
            for name in sorted(names)
            if name.endswith(('.py', '.json')) or name == 'LICENSE']


def _disarm(installed: disks.Disk, build: Dict[str, Any],
            before: Dict[str, Any], places: place.Places, say: log.Log
            ) -> bool:
    """Make the image's own partition no place to start from.

    Else a host that was installed on another disk, and prefers this one,
    would install itself again and again.  Only the disk that this host was
    started from: others with our GUIDs may be another host's.
    """
    guids = str(build.get('disk_guid', '')), str(
        build.get('partition_guid', ''))
    seen = [disks.look(disk, *guids) for disk in disks.disks(places.root)
            if disk.name != installed.name]
    sound = True
    for one in seen:
        if one.defect or not one.gpt:
            continue
        name = one.disk.name
        if name != before.get('disk'):
            say.say(f'{name}: has the installer, too, and is left alone: it '
                    "may be another host's")
            continue
        problem = _disarmed(one.disk, one.gpt, guids[1])
        sound = sound and not problem
        say.say(f'problem: {name}: the installer on it will start again: '
                f'{problem}' if problem else
                f'{name}: the installer on it does not start any more')
    return sound


def _disarmed(disk: disks.Disk, table: gpt.Gpt, partition_guid: str) -> str:
    """Disarm it; why it is not, or ''."""
    part = next(one for one in table.partitions
                if one.guid == partition_guid.lower())
    try:
        _wipe(disk.path, part, table.sector_size)
    except OSError as error:
        return str(error.strerror)
    return ''


def _wipe(path: str, part: gpt.Partition, sector: int) -> None:
    fd = os.open(path, scrub.WRITE)
    try:
        scrub.fill(fd, part.start, min(part.size, _HEAD), sector)
    finally:
        os.close(fd)
