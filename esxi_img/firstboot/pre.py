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

"""In the installer, before it reads its kickstart: ``%pre``.

It finds the disk and the drive and writes what the kickstart includes.
Nothing is written to any disk here but the repair of our own partition
table; scrub.py comes after it.
"""

import os
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Tuple

from . import disks
from . import files
from . import finding
from . import host
from . import installer
from . import log
from . import model
from . import nics
from . import outcome
from . import place
from . import reading
from . import settings
from . import shacrypt
from . import think
from .running import Run

SECONDS = 60.0
_NIC_LISTS = (('localcli', '--formatter=json', 'network', 'nic', 'list'),
              ('localcli', 'network', 'nic', 'list'),
              ('esxcli', 'network', 'nic', 'list'))
_GIB = 1 << 30


def pre(run: Run) -> int:
    """Stage the files that the kickstart includes; the exit status."""
    say = log.Log('pre', run)
    build = place.read_json(os.path.join(place.HOME, 'build.json'))
    seen = [disks.look(disk, str(build.get('disk_guid', '')),
                       str(build.get('partition_guid', '')))
            for disk in disks.disks()]
    ours = disks.ours(seen)
    for disk, reason in ours.reasons:
        say.say(f'disk {disk.name} ({disk.size / _GIB:.1f} GiB'
                f'{", " + disk.model if disk.model else ""}): {reason}')
    for oddity in ours.found.problems if ours.found else ():
        say.say(f'problem: {ours.found.disk.name}: {oddity}')
    if ours.found:
        _repair(ours.found.disk, run, say)
    found = finding.find(ours.found, disks.cdroms(), run)
    _report(found, seen, ours, say)
    description = reading.model_of(found.drive) if found.drive else \
        model.Model(problems=(model.Problem('drive', 'no config drive'),))
    result = think.outcome_of(
        description, _nics(run, say), None,
        settings.from_json(place.read_json(
            os.path.join(place.HOME, 'settings.json'))))
    for problem in (*found.problems, *result.problems):
        say.problem(problem)
    _stage(build, ours, found, result, say)
    _keep(ours, found, seen, result.root_password)
    return 0


def _repair(disk: disks.Disk, run: Run, say: log.Log) -> None:
    """Put the backup header where the disk ends.

    It is not there after a smaller image was written; the installer's
    partitioner may refuse such a table.
    """
    done = run(('partedUtil', 'fixGpt', f'/vmfs/devices/disks/{disk.name}'),
               SECONDS)
    if done.status != 0:
        say.say(f'problem: partedUtil fixGpt {disk.name}: status '
                f'{done.status}')


def _report(found: finding.Found, seen: List[disks.Seen], ours: disks.Ours,
            say: log.Log) -> None:
    if found.source:
        say.say(f'config drive: {found.source.name}')
    elif found.consumed:
        say.say('the config drive was consumed by an earlier installation')
    else:
        say.say('no config drive on our disk, and none in a CD drive')
    for one in seen:
        if one is not ours.found:
            for name in finding.strangers(one):
                say.say(f'config drive on {name}: not ours, not used')


def _nics(run: Run, say: log.Log) -> Tuple[host.Nic, ...]:
    for argv in _NIC_LISTS:
        answer = run(argv, SECONDS)
        if answer.status == 0:
            try:
                return nics.parse(answer.output)
            except nics.BadNics:
                pass
    say.say('problem: the NICs of this host cannot be listed')
    return ()


def _stage(build: Dict[str, Any], ours: disks.Ours, found: finding.Found,
           result: outcome.Outcome, say: log.Log) -> None:
    """Write the includes to where the kickstart's script takes them from."""
    os.makedirs(place.STAGED, 0o700, exist_ok=True)
    chosen = _disk(build, ours, found, say)
    lines = {
        'disk': chosen or '# no disk: see the messages of esxi-img',
        'network': result.kickstart[1],
        'rootpw': _rootpw(result.identity.admin_pass)}
    say.say(lines['disk'])
    say.say(lines['network'])
    say.say(f'root password: {result.root_password}')
    for name, line in lines.items():
        files.replace(os.path.join(place.STAGED, f'{name}.cfg'),
                      f'{line}\n'.encode('ascii'), 0o600)


def _disk(build: Dict[str, Any], ours: disks.Ours, found: finding.Found,
          say: log.Log) -> Optional[str]:
    """The install command; None where nothing may be erased."""
    line = str(build.get('install_line', ''))
    if found.consumed:
        say.say('ERROR: this host was installed from here before: redeploy '
                'it, to give it a config drive again')
        return None
    if installer.IMAGE_DISK not in line:
        return line or None
    if ours.found is None:
        say.say('ERROR: no disk, or more than one, is the one that the image '
                'was written to; nothing is installed')
        return None
    return line.replace(installer.IMAGE_DISK, ours.found.disk.name)


def _rootpw(secret: Optional[model.Secret]) -> str:
    if secret is not None:
        try:
            hashed = shacrypt.hashed(secret.reveal(), os.urandom(16))
            return f'rootpw --iscrypted {hashed}'
        except ValueError:
            # Too long to hash; that is said by whoever read it.
            pass
    safe = place.read(os.path.join(place.HOME, 'rootpw.cfg')) or b''
    return safe.decode('ascii', 'replace').strip()


def _keep(ours: disks.Ours, found: finding.Found, seen: List[disks.Seen],
          root_password: str) -> None:
    """What scrub and post have to know."""
    for name, data in found.drive.files.items() if found.drive else ():
        files.replace(os.path.join(place.DRIVE, 'openstack', 'latest',
                                   name), data, 0o600)
    partition = next((
        one for one in ours.found.drives
        if found.source and found.on_disk
        and one.start == found.source.start), None) if ours.found else None
    place.write_json(place.PRE, {
        'disk': ours.found.disk.name if ours.found else None,
        'root_password': root_password,
        'guids': {one.disk.name: one.gpt.disk_guid if one.gpt else None
                  for one in seen},
        'drive': {
            'path': found.source.path, 'name': found.source.name,
            'start': found.source.start, 'size': found.source.size,
            'guid': partition.guid} if found.source and partition else None})
