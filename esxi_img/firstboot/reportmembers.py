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

"""Makes a report's files of what was gathered, without what is secret."""

import json
import re
from typing import Any
from typing import Dict
from typing import Iterator

from . import reportanswers as answers
from . import reportcommands as commands
from .reportmodel import File
from .reportmodel import Gathered
from .reportmodel import parsed
from .reportmodel import Told
from .reportnames import Names
from .reportsecrets import Redactor
from .reportsecrets import secrets_of

README = '''\
A field report of esxi-img, made by esxi-img-collect on an ESXi host.

report.json  when, where and by which Python it was made; questions: what
             this host says about what nobody documents; commands: each
             with its exit status and answer; folders: names and sizes;
             files: where those below files/ come from; notes: what is
             missing, and why
files/       records of the installation and of first boot, boot.cfg, logs;
             of syslog and vmkernel the lines that concern esxi-img

Taken out, and shown as (removed): passwords, hashes, licence keys, private
keys, tokens, communities, serial numbers. Of public keys there are
fingerprints, of the config drive and of scripts names and sizes only. No
list of the forms that secrets have is complete: read it before you send it.
'''
_SECTION = re.compile(r'%(?:pre|post|firstboot)\b')


def members(have: Gathered, anonymise: bool = False) -> Dict[str, str]:
    """The report's files by name, as they may be sent.

    :param anonymise: give hosts, addresses and MACs other names
    """
    redactor = Redactor(secrets_of(have.secrets))
    report = {
        'about': have.about,
        'questions': answers.answers(have),
        'commands': [_command(one) for one in have.told],
        'folders': {path: [entry._asdict() for entry in entries]
                    for path, entries in have.folders.items()},
        'files': [{'path': one.path, 'size': one.size, 'note': one.note}
                  for one in have.files],
        'notes': have.notes}
    found = {'README.txt': README, 'report.json': _json(report, redactor)}
    for one in have.files:
        if one.path != answers.KEYS_FILE and one.text:
            found[f'files{one.path}'] = _text(one, redactor)
    found = {redactor.last(name): redactor.last(text)
             for name, text in found.items()}
    if not anonymise:
        return found
    names = Names(found.values(), _hosts(have))
    return {names.text(name): names.text(text)
            for name, text in found.items()}


def _command(told: Told) -> Dict[str, Any]:
    value = parsed(told.output)
    return {**told._asdict(), 'argv': list(told.argv),
            'output': told.output if value is None else value}


def _text(file: File, redactor: Redactor) -> str:
    """What may be shown of a file; none stops the others."""
    try:
        return _shown(file, redactor)
    except Exception as error:
        return f'(cannot be shown: {type(error).__name__})\n'


def _shown(file: File, redactor: Redactor) -> str:
    text = file.text
    if file.path.endswith('.jsonl'):
        return ''.join(_line(line, redactor) for line in text.splitlines())
    if file.path.endswith('.json') and parsed(text) is not None:
        return _json(parsed(text), redactor)
    if file.path.endswith('KS.CFG'):
        text = _without_scripts(text)
    return redactor.text(text)


def _json(value: Any, redactor: Redactor) -> str:
    return json.dumps(redactor.value(value), indent=1) + '\n'


def _line(line: str, redactor: Redactor) -> str:
    value = parsed(line)
    return redactor.text(line) + '\n' if value is None else \
        json.dumps(redactor.value(value)) + '\n'


def _without_scripts(text: str) -> str:
    """A kickstart's commands, and of each script how long it is."""
    shown = []
    lines = -1
    for line in text.splitlines():
        if _SECTION.match(line):
            shown += [f'({lines} lines)'] * (lines >= 0) + [line]
            lines = 0
        elif lines < 0:
            shown.append(line)
        else:
            lines += 1
    return '\n'.join([*shown, *[f'({lines} lines)'] * (lines >= 0), ''])


def _hosts(have: Gathered) -> Iterator[str]:
    """Names of hosts that this one knows of."""
    yield str(have.about.get('host'))
    for told in have.told:
        if commands.words_of(told.argv) in (
                commands.HOSTNAME, commands.SEARCH, commands.NTP,
                commands.SYSLOG):
            for row in commands.rows(told.value):
                for name in ('Host Name', 'Domain Name', 'Servers',
                             'Fully Qualified Domain Name', 'Remote Host',
                             'DNSSearch Domains'):
                    value = commands.field(row, name)
                    some = value if isinstance(value, list) else \
                        re.split(r'[\s,]+', str(value or ''))
                    yield from (one for one in some if isinstance(one, str)
                                and '://' not in one and ' ' not in one)
    for file in have.files:
        yield from re.findall(r'--hostname=([\w.-]+)', file.text)
