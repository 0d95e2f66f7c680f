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

from dataclasses import replace
import os
import re
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Sequence
from typing import Tuple

from . import bootbanks
from . import carried
from . import cloudconfig
from . import disks
from . import drive
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
from . import scrub
from . import settings
from . import shacrypt
from . import tables
from . import think
from . import versions
from . import wish
from .running import Run

SECONDS = 60.0
_MODEL_SECONDS = 20.0
_NIC_LISTS = (('localcli', '--formatter=json', 'network', 'nic', 'list'),
              ('localcli', 'network', 'nic', 'list'),
              ('esxcli', 'network', 'nic', 'list'))
_MODEL_LISTS: Tuple[Tuple[str, ...], ...] = (
    ('localcli', '--formatter=json', 'storage', 'core', 'device', 'list'),
    ('localcli', 'storage', 'core', 'device', 'list'))
# partedUtil asks whether it may, and then what it should do; it has no
# option that answers.
_FIX = '(echo Y; echo Fix; echo Fix) | partedUtil fixGpt "$0"'
_GIB = 1 << 30

# What can stand in a kickstart as it is.
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._:@+~()-]*')
_INSTALL = re.compile('install [ -~]+')
_CRYPTED = 'rootpw --iscrypted'
_ROOTPW = re.compile('rootpw [!-~]+( [!-~]+)*')

# Of the image's kickstart: what makes it take our network and licence, and
# the commands that set a licence.
_INCLUDES = ('%include', 'include')
_NETWORK = '/tmp/esxiimg/network.cfg'  # nosec B108
_SERIALS = ('serialnum', 'vmserialnum')


def pre(run: Run, places: place.Places) -> int:
    """Stage the files that the kickstart includes; the exit status.

    :raises OSError: they cannot be written
    """
    _forget(places)
    say = log.Log('pre', run, places)
    build = place.read_json(places.own('build.json'))
    build_side = settings.from_json(
        place.read_json(places.own('settings.json')))
    seen, ours = _look(build, run, places, say)
    found = finding.find(ours.found, disks.cdroms(places.root), run,
                         places.volumes)
    _report(found, seen, ours, say)
    description, gathered, wishes = _said(found.drive)
    serial, unlicensed = _license(wishes, place.read(places.own('KS.CFG')))
    rootpw, root_password = _rootpw(description.identity, wishes, build_side,
                                    places, say)
    result = think.outcome_of(description, _nics(run, say), None, build_side,
                              wishes, root_password=root_password)
    install = _install(build, ours, found, say)
    _stage(places, {
        'disk': install or '# no disk: see the messages of esxi-img',
        'network': '\n'.join([result.kickstart[1], *serial]),
        'rootpw': rootpw})
    if found.drive:
        _carry(replace(gathered, problems=(
            *gathered.problems, *unlicensed)), places, say)
    _keep(places, ours, found, {
        'disk': ours.found.disk.name if ours.found else None,
        'install': install, 'root_password': root_password,
        'tables': {one.disk.name: bootbanks.fingerprint(one.gpt)
                   for one in seen}})
    say.say(install or 'no disk is installed on')
    say.say(result.kickstart[1])
    say.say(f'root password: {root_password}')
    say.problems((*found.problems, *unlicensed, *result.problems))
    return 0


def _said(found: Optional[drive.Drive]
          ) -> Tuple[model.Model, cloudconfig.Gathered, wish.Wishes]:
    """All that the drive says.

    :return: the description has all problems, what is gathered those of the
        wishes, too: first boot sees too little to find them again
    """
    if found is None:
        nothing = model.Problem('drive', 'no config drive')
        return (model.Model(problems=(nothing,)), cloudconfig.Gathered(),
                wish.Wishes())
    said = reading.model_of(found)
    gathered = reading.gathered_of(found.files)
    users, wishes = reading.all_of(model.Model(), gathered)
    return (replace(said, problems=(*said.problems, *users.problems)),
            replace(gathered, problems=users.problems), wishes)


def _license(wishes: wish.Wishes, kickstart: Optional[bytes]
             ) -> Tuple[Tuple[str, ...], Tuple[model.Problem, ...]]:
    """The command that sets the licence, if the kickstart has room for it.

    :param kickstart: None: it cannot be read
    """
    if not wishes.esxi.license:
        return (), ()
    commands = list(_commands(kickstart or b''))
    why = ''
    if any(words[0] in _SERIALS for words in commands):
        why = 'has a licence of its own'
    elif kickstart is not None and not any(
            words[0] in _INCLUDES and _NETWORK in words for words in commands):
        why = 'has a network command of its own, and does not include ours'
    if why:
        return (), (model.Problem('vmware_esxi.license', (
            f'not set: the kickstart of the image {why}')),)
    return (installer.serialnum(wishes.esxi.license.reveal()),), ()


def _commands(kickstart: bytes) -> Iterator[List[str]]:
    """The words of each line before the first script."""
    for line in kickstart.decode('utf-8', 'replace').split('\n'):
        words = [word.strip('"\'') for word in line.split()]
        if words and words[0].startswith('%') and words[0] not in (
                *_INCLUDES, '%end'):
            return
        if words:
            yield words


def _forget(places: place.Places) -> None:
    """Nothing of an earlier call may be taken for this one's."""
    for path in (places.staged, places.drive, places.pre):
        if os.path.lexists(path):
            place.destroy(path)


def _look(build: Dict[str, Any], run: Run, places: place.Places,
          say: log.Log) -> Tuple[List[disks.Seen], disks.Ours]:
    """All disks, and which one is ours once its table is repaired."""
    guids = str(build.get('disk_guid', '')), str(
        build.get('partition_guid', ''))
    models = _models(run)
    seen = [disks.look(replace(disk, model=models.get(disk.name, '')), *guids)
            for disk in disks.disks(places.root)]
    ours = disks.ours(seen)
    for disk, reason in ours.reasons:
        say.say(f'disk {disk.name} ({disk.size / _GIB:.1f} GiB, '
                f'{disk.model or "model not known"}): {reason}')
    if ours.found is None:
        return seen, ours
    for oddity in ours.found.problems:
        say.say(f'problem: {ours.found.disk.name}: {oddity}')
    _repair(ours.found.disk, run, say)
    seen = [disks.look(one.disk, *guids) if one is ours.found else one
            for one in seen]
    again = disks.ours(seen)
    if again.found is None:
        say.say(f'problem: {ours.found.disk.name} is not ours any more')
    return seen, again


def _models(run: Run) -> Dict[str, str]:
    """What the disks are, by name, for whoever has to tell them apart."""
    for argv, parse in zip(_MODEL_LISTS, (tables.from_json,
                                          tables.from_text)):
        answer = run(argv, _MODEL_SECONDS)
        if answer.status is None:
            break
        try:
            rows = parse(answer.output) if answer.status == 0 else []
        except tables.BadAnswer:
            continue
        if rows:
            return {name: words for name, words in map(_model, rows) if words}
    return {}


def _model(row: tables.Row) -> Tuple[str, str]:
    """The name of a disk, and what it is."""
    texts = [str(row.get(key) or '').strip()
             for key in ('devfspath', 'vendor', 'model')]
    return texts[0].rpartition('/')[2], ' '.join(filter(None, texts[1:]))


def _repair(disk: disks.Disk, run: Run, say: log.Log) -> None:
    """Put the backup header where the disk ends.

    It is not there after a smaller image was written; the installer's
    partitioner may refuse such a table.
    """
    done = run(('sh', '-c', _FIX, f'/vmfs/devices/disks/{disk.name}'),
               SECONDS)
    if done.status != 0:
        say.say(f'problem: partedUtil fixGpt {disk.name}: status '
                f'{done.status}')


def _report(found: finding.Found, seen: Sequence[disks.Seen],
            ours: disks.Ours, say: log.Log) -> None:
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


def _rootpw(identity: model.Identity, wishes: wish.Wishes,
            build_side: model.Settings, places: place.Places, say: log.Log
            ) -> Tuple[str, str]:
    """The command that sets root's password, and where that comes from."""
    metadata = wish.Password('meta_data.json:admin_pass',
                             identity.admin_pass)
    for one, source in ((wishes.password, outcome.CLOUD_CONFIG),
                        (metadata, outcome.ADMIN_PASS),
                        (wishes.vendor_password, outcome.CLOUD_CONFIG)):
        if one and one.crypt:
            return f'{_CRYPTED} {one.crypt.reveal()}', source
        if one and one.text:
            try:
                return _hashed(one.text.reveal()), source
            except ValueError:
                say.say(f'problem: {one.where}: cannot be hashed: not used')
    safe = (place.read(places.own('rootpw.cfg')) or b'').decode(
        'ascii', 'replace').strip()
    if _ROOTPW.fullmatch(safe):
        return safe, outcome.BUILD if build_side.root_hash else outcome.NONE
    say.say('problem: rootpw.cfg of the image: no rootpw command, so nobody '
            'will know the password of root')
    return _hashed(os.urandom(32).hex()), outcome.NONE


def _hashed(password: str) -> str:
    """:raises ValueError: no hash can stand for it"""
    salt = os.urandom(shacrypt.SALT_LENGTH)
    return f'{_CRYPTED} {shacrypt.hashed(password, salt)}'


def _install(build: Dict[str, Any], ours: disks.Ours, found: finding.Found,
             say: log.Log) -> Optional[str]:
    """The install command; None where nothing may be erased."""
    line = build.get('install_line')
    if found.consumed:
        say.say('ERROR: this host was installed from here before: redeploy '
                'it, to give it a config drive again')
        return None
    if not isinstance(line, str) or not _INSTALL.fullmatch(line):
        say.say('ERROR: build.json of the image: no install_line')
        return None
    if installer.IMAGE_DISK not in line:
        return line
    if ours.found is None:
        say.say('ERROR: no disk, or more than one, is the one that the image '
                'was written to; nothing is installed')
        return None
    disk = ours.found.disk
    for name in (disk.name, *disk.aliases):
        if _NAME.fullmatch(name):
            return line.replace(installer.IMAGE_DISK, name)
    say.say(f'ERROR: {disk.name} is a name that no kickstart can hold')
    return None


def _stage(places: place.Places, lines: Dict[str, str]) -> None:
    """Write the includes to where the kickstart's script takes them from."""
    os.makedirs(places.staged, 0o700, exist_ok=True)
    for name, line in lines.items():
        files.replace(os.path.join(places.staged, f'{name}.cfg'),
                      f'{line}\n'.encode('ascii'), 0o600)


def _carry(gathered: cloudconfig.Gathered, places: place.Places,
           say: log.Log) -> None:
    """Write what post puts on the bootbanks of what user data say.

    Like reading.py: whatever they bring up may not cost the network.
    """
    path = os.path.join(places.drive, place.WISHES)
    try:
        data, problems = carried.encode(gathered)
        files.replace(path, data, 0o600)
    except Exception as error:
        why = getattr(error, 'strerror', None) or type(error).__name__
        say.say(f'problem: {place.WISHES}: cannot be kept, so first boot '
                f'does nothing of user data: {why}')
    else:
        say.problems(problems)


def _keep(places: place.Places, ours: disks.Ours, found: finding.Found,
          facts: Dict[str, Any]) -> None:
    """What scrub and post have to know.

    The drive is to be overwritten only where something is installed: else
    another try would need it.
    """
    for name, data in found.drive.files.items() if found.drive else ():
        path = os.path.join(places.drive, 'openstack', 'latest', name)
        try:
            files.replace(path, data, 0o600)
        except OSError:
            # The others nobody needs, and there may be no room for them.
            if name in versions.ESSENTIAL:
                raise
    kept = None
    if facts['install'] and found.source and found.source.partition \
            and ours.found and ours.found.gpt:
        kept = scrub.as_json(found.source, ours.found.gpt.disk_guid)
    place.write_json(places.pre, {**facts, 'drive': kept})
