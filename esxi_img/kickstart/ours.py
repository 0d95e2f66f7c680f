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

"""Our own command lines; ASCII, one line each."""

from collections.abc import Iterator, Mapping, Sequence
import hashlib
import re

from esxi_img import errors
from esxi_img.kickstart import grammar
from esxi_img.kickstart import sections
from esxi_img.kickstart import text

_CRYPT64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
# Printable ASCII without what quoting would have to escape.
_PLAIN = re.compile(r'[ !#-&(-\[\]-~]+')


def _nobody() -> str:
    """The digest part of a crypt string whose password nobody knows.

    The installer wants a root password and reads it before anything could
    draw a random one, so this is a constant.  It is as unguessable as a
    random one: to log in one needs a password that SHA-512 crypt maps to
    this digest.  The digest comes out of a plain SHA-512, not out of crypt,
    so nobody, its makers included, has ever held such a password, and to
    find one is a preimage attack on SHA-512 crypt, wherever the 512 bits
    are published.  86 characters of 6 bits hold 512 bits and 4 zeros.
    """
    digest = hashlib.sha512(b'esxi-img: nobody knows this password').digest()
    number = int.from_bytes(digest, 'little')
    return ''.join(_CRYPT64[number >> 6 * place & 63] for place in range(86))


LOCKED = f'$6$esxi.img.nobody.${_nobody()}'

# Where our scripts write what is known only on the host.
INCLUDED: Mapping[str, str] = {
    'install': f'{sections.WORK}/disk.cfg',
    'rootpw': f'{sections.WORK}/rootpw.cfg',
    'network': f'{sections.WORK}/network.cfg',
}
# What stands for the name of the disk that the image was written to.
IMAGE_DISK = 'IMAGE-DISK'


def commands() -> Mapping[str, str]:
    """Every command a kickstart of ours gives, by what it provides."""
    return {'vmaccepteula': 'vmaccepteula',
            **{need: f'%include {path}' for need, path in INCLUDED.items()},
            'reboot': 'reboot'}


def safe(hashed: str | None) -> Mapping[str, bytes]:
    """What the includes hold before anything is known of the host.

    No disk: then the installer stops, and nothing is erased.

    :param hashed: root's password as a crypt string, None for LOCKED
    :returns: their lines, by file name
    """
    lines = {
        'disk': '# no disk is known to be the one to install on',
        'rootpw': f'rootpw --iscrypted {hashed or LOCKED}',
        'network': 'network --bootproto=dhcp --addvmportgroup=0'}
    return {f'{name}.cfg': f'{line}\n'.encode('ascii')
            for name, line in lines.items()}


def check_safe(need: str, content: str, name: str) -> list[str]:
    """What is wrong with an include as an image holds it.

    :param need: a key of INCLUDED
    :param name: what to call it in messages
    """
    script = text.parse(text.lines(content, name))
    problems = grammar.check(script, name, grammar.REQUIRED)
    given = [one.name for one in script.commands]
    if need == 'install' and given:
        problems.append(f'{name}: has a command, though no disk is known yet')
    elif need != 'install' and (given != [need] or script.sections):
        problems.append(f'{name}: is more or less than one {need} command')
    return problems


def install(disk: str, options: Sequence[str] = ()) -> str:
    """The install command: the chosen disk, then the options.

    :raises RequestError: naming --install-disk or --install-option
    """
    problems = [*_check_disk(disk), *_check_options(options)]
    if problems:
        raise errors.RequestError(*problems)
    # The same option twice is one wish; two values are two and refused.
    words = list(dict.fromkeys([
        _disk_word(disk), '--overwritevmfs', *map(_dashed, options)]))
    if '--preservevmfs' in words and '--overwritevmfs' not in map(
            _dashed, options):
        words.remove('--overwritevmfs')
    problems = [f'--install-option: {problem}' for problem
                in grammar.check_words(grammar.COMMANDS['install'], words)]
    if problems:
        raise errors.RequestError(*problems)
    return ' '.join(['install', *map(_quoted, words)])


def _check_disk(disk: str) -> Iterator[str]:
    kind, equals, value = disk.partition('=')
    if disk == 'auto':
        return
    if kind not in ('disk', 'firstdisk') or not equals:
        yield (f'--install-disk {ascii(disk)}: wants auto, disk=NAME or '
               'firstdisk=LIST')
        return
    items = value.split(',') if kind == 'firstdisk' else [value]
    if value and not _PLAIN.fullmatch(value):
        yield (f'--install-disk {ascii(disk)}: wants printable ASCII '
               'without quotes and backslashes')
    elif not all(item.strip(' ') for item in items):
        yield f'--install-disk {disk}: a name is empty'
    elif kind == 'disk' and (' ' in value or ',' in value):
        yield (f'--install-disk {disk}: is one name, without blanks and '
               'commas')


def _disk_word(disk: str) -> str:
    if disk == 'auto':
        return f'--disk={IMAGE_DISK}'
    kind, _, value = disk.partition('=')
    return f'--{kind}=' + ','.join(
        item.strip(' ') for item in value.split(','))


def _check_options(options: Sequence[str]) -> Iterator[str]:
    for option in options:
        word = _dashed(option)
        name = word.partition('=')[0]
        if name in grammar.DISK:
            yield (f'--install-option {option}: the disk is chosen with '
                   '--install-disk')
        elif name not in grammar.COMMANDS['install'].options:
            yield (f'--install-option {ascii(option)}: install has no such '
                   'option')
        elif not _PLAIN.fullmatch(word):
            yield (f'--install-option {ascii(option)}: wants printable '
                   'ASCII without quotes and backslashes')


def _dashed(option: str) -> str:
    return '--' + option.removeprefix('--')


def _quoted(word: str) -> str:
    """Quote the comma-separated items that hold a blank, and only those.

    The form in production is --firstdisk="DELLBOSS VD",local.
    """
    name, equals, value = word.partition('=')
    return name + equals + ','.join(
        f'"{item}"' if ' ' in item else item for item in value.split(','))
