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

"""What a report says about the things that nobody documents.

Each answer is made of what was gathered, and names no more than that.
"""

import re
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterator
from typing import List
from typing import Tuple

from . import reportcommands as commands
from .reportmodel import Gathered
from .reportmodel import parsed
from .reportmodel import Told

KEYS_FILE = '/etc/ssh/keys-root/authorized_keys'
KICKSTART_LOG = '/var/log/kickstart.log'
_LINES = 20
_ENTRIES = 200
_KEY = re.compile(r'\b(?:ssh|ecdsa|sk)-[\w.@-]+[ \t]+[A-Za-z0-9+/=]+')
_RESTART = re.compile('maintenance|power|reboot|restart|shutdown',
                      re.IGNORECASE)
_DEFAULT = re.compile('default|0[.]0[.]0[.]0(/0)?', re.IGNORECASE)
_ROUTE = re.compile('route|gateway|default|ipv4', re.IGNORECASE)


def answers(have: Gathered) -> Dict[str, Any]:
    """To each question its text, and what is known."""
    return {name: {'question': text, 'answer': _answer(function, have)}
            for name, (text, function) in QUESTIONS.items()}


def _answer(function: Callable[[Gathered], Dict[str, Any]], have: Gathered
            ) -> Dict[str, Any]:
    """An answer; whatever a host may say stops none of the others."""
    try:
        return function(have)
    except Exception as error:
        return {'stopped_by': type(error).__name__}


def _secure_boot(have: Gathered) -> Dict[str, Any]:
    state = next((one for one in have.told
                  if one.argv == commands.SECURE_BOOT), None)
    return {
        'state': state.output.strip() if state and state.status == 0
        else None,
        'required': _said(have, commands.ENCRYPTION),
        'exec_installed_only': {
            'kernel': _said(have, commands.KERNEL_ONLY),
            'user': _said(have, commands.USER_ONLY)},
        'first_boot_skipped': _lines(
            have, KICKSTART_LOG, re.compile('secure boot', re.IGNORECASE)),
        'module_loaded': any(
            entry.name == 'esxiimg.tgz'
            for entry in have.folders.get('/tardisks', ())),
        'tardisks': _said(have, commands.TARDISKS)}


def _python(have: Gathered) -> Dict[str, Any]:
    return {key: have.about.get(key)
            for key in ('python', 'modules', 'programs')}


def _kickstart(have: Gathered) -> Dict[str, Any]:
    return {
        'ks': sorted({word for words in _kernel_options(have).values()
                      for word in words if word.startswith('ks=')}),
        'our_scripts_ran': sorted({
            str(entry['command'])
            for entry in _entries(have, 'command', re.compile('.'))}),
        'log': [line for log in ('weasel', 'esxi_install')
                for line in _lines(have, f'/var/log/{log}.log', re.compile(
                    r'\bks=|kickstart|error:', re.IGNORECASE))]}


def _ssh_keys(have: Gathered) -> Dict[str, Any]:
    text = next((one.text for one in have.files if one.path == KEYS_FILE),
                '')
    listed = commands.rows(_said(have, commands.KEYS))
    return {
        'authorized_keys': [_key(line) for line in text.splitlines()
                            if line.strip() and line[0] != '#'],
        'key_list': [_key(str(commands.field(row, 'Auth Key')))
                     for row in listed],
        'key_list_status': _status(have, commands.KEYS),
        'uptime': _said(have, 'system stats uptime get')}


def _key(line: str) -> str:
    """Type and key; who takes secrets out makes a fingerprint of it."""
    found = _KEY.search(line)
    return found[0] if found else 'not a public key'


def _default_routes(have: Gathered) -> Dict[str, Any]:
    return {
        'routes': [row for row in commands.rows(_said(have, commands.ROUTES4))
                   if _DEFAULT.fullmatch(str(commands.field(row, 'Network')))],
        'interfaces': _said(have, commands.IPV4),
        'steps': _entries(have, 'step', _ROUTE)}


def _errors(have: Gathered) -> Dict[str, Any]:
    return {
        'steps': _entries(have, 'result', re.compile(
            'failed|timeout|undo-failed')),
        'installer': _entries(have, 'message', re.compile('problem|ERROR')),
        'commands': [{'command': ' '.join(one.argv), 'status': one.status,
                      'error': (one.error or one.output).strip()[:500]}
                     for one in have.told if one.status != 0]}


def _config_drive_volumes(have: Gathered) -> Dict[str, Any]:
    return {
        'filesystems': _said(have, commands.FILESYSTEMS),
        'volumes': [entry._asdict()
                    for entry in have.folders.get('/vmfs/volumes', ())],
        'boot_cfg': sorted(_kernel_options(have)),
        'installer': _entries(have, 'message', re.compile(
            'config drive|iso9660|vfat')),
        'mcopy': (have.about.get('programs') or {}).get('mcopy')}


def _bootbanks(have: Gathered) -> Dict[str, Any]:
    return {
        'links': [entry._asdict() for name in ('/', '/vmfs/volumes')
                  for entry in have.folders.get(name, ())
                  if entry.kind.startswith('-> ')],
        'boot_cfg': {one.path: {
            key: value for key, value in _boot_cfg(one.text).items()
            if key in ('bootstate', 'build', 'updated', 'kernelopt')}
            for one in have.files if one.path.lower().endswith('boot.cfg')},
        'volumes': [{'path': one.argv[-1], 'said': one.output}
                    for one in have.told if one.argv[0] == 'vmkfstools']}


def _restart(have: Gathered) -> Dict[str, Any]:
    return {'maintenance': _said(have, commands.MAINTENANCE),
            'steps': _entries(have, 'step', _RESTART)}


def _cdrom_boot(have: Gathered) -> Dict[str, Any]:
    return {'kernelopt': _kernel_options(have),
            'with_cdromBoot': sorted(
                path for path, words in _kernel_options(have).items()
                if 'cdromBoot' in words)}


def _said(have: Gathered, words: str) -> Any:
    """The answer to an esxcli command; None: there is none."""
    return next((one.value for one in _told(have, words)), None)


def _status(have: Gathered, words: str) -> Any:
    return next((one.status for one in _told(have, words)), None)


def _told(have: Gathered, words: str) -> Iterator[Told]:
    return (one for one in have.told
            if commands.words_of(one.argv) == words)


def _entries(have: Gathered, key: str, wanted: 're.Pattern[str]'
             ) -> List[Dict[str, Any]]:
    """The last such lines of all journals, each once: there are copies."""
    found: Dict[str, Dict[str, Any]] = {}
    for one in have.files:
        for line in one.text.splitlines() if one.path.endswith('.jsonl') \
                else ():
            entry = parsed(line)
            if isinstance(entry, dict) \
                    and wanted.search(str(entry.get(key) or '')):
                found.setdefault(line.strip(), entry)
    return list(found.values())[-_ENTRIES:]


def _lines(have: Gathered, path: str, wanted: 're.Pattern[str]'
           ) -> List[str]:
    return [line.strip() for one in have.files if one.path == path
            for line in one.text.splitlines() if wanted.search(line)][:_LINES]


def _kernel_options(have: Gathered) -> Dict[str, List[str]]:
    """The words of kernelopt, by the boot.cfg that has them."""
    return {one.path: _boot_cfg(one.text).get('kernelopt', '').split()
            for one in have.files if one.path.lower().endswith('boot.cfg')}


def _boot_cfg(text: str) -> Dict[str, str]:
    pairs = (line.partition('=') for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in pairs
            if equals and not key.startswith('#')}


QUESTIONS: Dict[str, Tuple[str, Callable[[Gathered], Dict[str, Any]]]] = {
    'secure_boot': (
        'does an unsigned module load, and what runs, with Secure Boot and '
        'execInstalledOnly', _secure_boot),
    'python': (
        'which Python is there, under which names, and what does it lack',
        _python),
    'kickstart': (
        'was the kickstart found where ks=file:// says', _kickstart),
    'ssh_keys': (
        'are the keys of authorized_keys, and those of "system ssh key", '
        'still there after a restart', _ssh_keys),
    'default_routes': (
        'which default routes are there after they were set',
        _default_routes),
    'errors': (
        'what do commands say that are not known, or refuse an option',
        _errors),
    'config_drive_volumes': (
        'which FAT and ISO 9660 volumes does ESXi mount by itself',
        _config_drive_volumes),
    'bootbanks': (
        'how are the bootbanks labelled, and which of them is active',
        _bootbanks),
    'restart': (
        'does the host restart outside maintenance mode', _restart),
    'cdrom_boot': (
        'was cdromBoot in the kernel options of a start from a disk',
        _cdrom_boot)}
