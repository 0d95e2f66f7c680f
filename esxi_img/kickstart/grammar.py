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

"""The kickstart commands of ESXi 7.0 to 9 and what each may say.

One table from VMware's "Installation and Upgrade Script Commands" (5.5 to
9.0) and, where a comment says so, from scripts in production.  No message
quotes a word that may be a password.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
import dataclasses
import ipaddress
import posixpath
import re
import shlex

from esxi_img.kickstart import text

Check = Callable[[str | None], str | None]
"""Takes an option's value, None for no ``=``; returns what is wrong."""
Options = Mapping[str, str | None]
Rule = Callable[[Options, Sequence[str]], Iterator[str]]

ROOTS = ('/tmp/', '/esxiimg/')  # nosec B108
DISK = ('--disk', '--drive', '--firstdisk')
INSTALL = ('install', 'installorupgrade', 'upgrade')
REQUIRED: Mapping[str, tuple[str, ...]] = {
    'vmaccepteula': ('vmaccepteula', 'accepteula'),
    'install': INSTALL,
    'rootpw': ('rootpw',),
}


def _flag(value: str | None) -> str | None:
    return None if value is None else 'takes no value'


def _text(value: str | None) -> str | None:
    return None if value else 'needs a value: --name=value'


def _perhaps(value: str | None) -> str | None:
    return 'has nothing after its "="' if value == '' else None


def _among(*allowed: str) -> Check:
    def check(value: str | None) -> str | None:
        return None if value in allowed else (
            f'wants {" or ".join(allowed)}, not "{value or ""}"')
    return check


def _number(low: int, high: int) -> Check:
    def check(value: str | None) -> str | None:
        good = re.fullmatch('[0-9]{1,9}', value or '')
        return None if good and low <= int(value or '') <= high else (
            f'wants a number from {low} to {high}, not "{value or ""}"')
    return check


def _addresses(most: int) -> Check:
    def check(value: str | None) -> str | None:
        given = [item.strip() for item in (value or '').split(',')]
        if len(given) <= most and all(map(_is_ipv4, given)):
            return None
        wanted = 'an IPv4 address' if most == 1 else (
            f'one to {most} IPv4 addresses')
        return f'wants {wanted}, not "{value or ""}"'
    return check


def _is_ipv4(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _netmask(value: str | None) -> str | None:
    if value and _is_ipv4(value):
        hosts = int(ipaddress.IPv4Address(value)) ^ 0xffffffff
        if not hosts & (hosts + 1):
            return None
    return f'wants a netmask such as 255.255.255.0, not "{value or ""}"'


def _device(value: str | None) -> str | None:
    if re.fullmatch(r'vmnic[0-9]+|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}',
                    value or ''):
        return None
    return f'wants a MAC address or vmnicN, not "{value or ""}"'


def _no_rule(options: Options, words: Sequence[str]) -> Iterator[str]:
    yield from ()


def _install(options: Options, words: Sequence[str]) -> Iterator[str]:
    if '--preservevmfs' in options and '--overwritevmfs' in options:
        yield '--preservevmfs contradicts --overwritevmfs'
    if '--ignoressd' in options and '--firstdisk' not in options:
        yield '--ignoressd needs --firstdisk'


def _network(options: Options, words: Sequence[str]) -> Iterator[str]:
    static = options.get('--bootproto') == 'static'
    if static and '--ip' not in options:
        yield '--bootproto=static needs --ip'
    if not static:
        for name in ('--ip', '--netmask', '--gateway'):
            if name in options:
                yield f'{name} needs --bootproto=static'


def _include(options: Options, words: Sequence[str]) -> Iterator[str]:
    for path in words:
        if not path.startswith(ROOTS) or posixpath.normpath(path) != path:
            yield f'"{path}" is not a plain path below ' + ' or '.join(
                root.rstrip('/') for root in ROOTS)


@dataclasses.dataclass(frozen=True)
class Syntax:
    """What may follow a command or section name.

    :param options: ``--name`` to the check of its value
    :param words: least and most words that are not options
    :param one_of: options of which exactly one must be given
    :param rule: what options and words must satisfy together
    :param secret: its words are nobody's business
    """

    options: Mapping[str, Check] = dataclasses.field(default_factory=dict)
    words: tuple[int, int] = (0, 0)
    one_of: tuple[str, ...] = ()
    rule: Rule = _no_rule
    secret: bool = False


_DISK: Mapping[str, Check] = {
    '--disk': _text, '--drive': _text, '--firstdisk': _perhaps}
_MIGRATE: Mapping[str, Check] = {
    '--forcemigrate': _flag, '--deletecosvmdk': _flag}
_BOOLEAN = _among('0', '1', 'true', 'false')
_INCLUDE = Syntax(words=(1, 1), rule=_include)
_PART = Syntax(
    {'--ondisk': _text, '--ondrive': _text, '--onfirstdisk': _perhaps},
    words=(1, 1), one_of=('--ondisk', '--ondrive', '--onfirstdisk'))
_SERIAL = Syntax({'--esx': _text}, one_of=('--esx',), secret=True)

COMMANDS: Mapping[str, Syntax] = {
    'vmaccepteula': Syntax(),
    'accepteula': Syntax(),
    'rootpw': Syntax({'--iscrypted': _flag}, words=(1, 1), secret=True),
    'install': Syntax(
        {**_DISK,
         '--overwritevmfs': _flag, '--preservevmfs': _flag,
         '--novmfsondisk': _flag, '--overwritevsan': _flag,
         '--ignoressd': _flag, '--dpupcislots': _text,
         # The ESX 9 text spells these two both ways.
         '--systemDisk': _text, '--systemdisk': _text,
         '--repartitionSystemDisk': _flag, '--repartitionsystemdisk': _flag,
         '--forceunsupportedinstall': _flag,
         # Undocumented, yet in production on 7, 8 and 9.
         '--ignoreprereqwarnings': _flag, '--ignoreprereqerrors': _flag},
        one_of=DISK, rule=_install),
    'installorupgrade': Syntax(
        {**_DISK, **_MIGRATE,
         '--overwritevmfs': _flag, '--overwritevsan': _flag}, one_of=DISK),
    'upgrade': Syntax({**_DISK, **_MIGRATE}, one_of=DISK),
    'network': Syntax(
        {'--bootproto': _among('dhcp', 'static'), '--device': _device,
         '--ip': _addresses(1), '--netmask': _netmask,
         '--gateway': _addresses(1), '--nameserver': _addresses(2),
         '--hostname': _text,
         # Documented from 1 (sic, to 4096); 0 is in use.
         '--vlanid': _number(0, 4096),
         # Documented as 0 or 1; the words are in use.
         '--addvmportgroup': _BOOLEAN}, rule=_network),
    'clearpart': Syntax(
        {'--drives': _text, '--alldrives': _flag, '--ignoredrives': _text,
         '--firstdisk': _perhaps, '--overwritevmfs': _flag},
        one_of=('--drives', '--alldrives', '--ignoredrives', '--firstdisk')),
    'dryrun': Syntax(),
    'keyboard': Syntax(words=(1, 3)),  # 'Swiss French', quoted or not
    'paranoid': Syntax(),
    'part': _PART,
    'partition': _PART,
    'reboot': Syntax({'--noeject': _flag}),
    'serialnum': _SERIAL,
    'vmserialnum': _SERIAL,
    '%include': _INCLUDE,
    'include': _INCLUDE,
}

_INTERPRETER = _among('busybox', 'python')
SECTIONS: Mapping[str, Syntax] = {
    '%pre': Syntax({'--interpreter': _INTERPRETER}),
    '%post': Syntax({'--interpreter': _INTERPRETER,
                     '--timeout': _number(0, 999999999),
                     '--ignorefailure': _among('true', 'false')}),
    '%firstboot': Syntax({'--interpreter': _INTERPRETER}),
}


def words(command: text.Command) -> list[str]:
    """The words after a command's name, quotes resolved.

    :raises ValueError: a quote is not closed; for a secret it counts as a
        plain character, as nobody documents how the installer reads it
    """
    try:
        return shlex.split(command.rest)
    except ValueError:
        if command.name in COMMANDS and COMMANDS[command.name].secret:
            return command.rest.split()
        raise


def check(script: text.Script, name: str,
          presumed: Collection[str] = ()) -> list[str]:
    """Every problem of a whole kickstart, as FILE:LINE: TEXT.

    :param name: what to call the file where no line is to blame
    :param presumed: keys of REQUIRED that come from an include
    """
    return [*script.problems,
            *(problem for command in script.commands
              for problem in _check_one(command, COMMANDS, 'command')),
            *(problem for section in script.sections
              for problem in _check_one(section.head, SECTIONS, 'section')),
            *_check_set(script.commands, name, presumed)]


def _check_one(command: text.Command, table: Mapping[str, Syntax],
               kind: str) -> Iterator[str]:
    if command.name not in table:
        yield f'{command.where}: unknown {kind}{_shown(command)}'
        return
    try:
        given = words(command)
    except ValueError:
        yield f'{command.where}: {command.name}: a quote is left open'
        return
    for problem in check_words(table[command.name], given):
        yield f'{command.where}: {command.name}: {problem}'


def _shown(command: text.Command) -> str:
    """The name, unless it may be the tail of a password cut in two."""
    if command.name.lower().startswith('rootpw'):
        return ' that begins with "rootpw"'
    plain = re.fullmatch('%?[A-Za-z]{1,20}', command.name)
    if plain and not re.search('["\']', command.rest):
        return f' "{command.name}"'
    return ''


def check_words(syntax: Syntax, given: Sequence[str]) -> Iterator[str]:
    """What is wrong with the words after one command's name."""
    options: dict[str, str | None] = {}
    others = [word for word in given if not word.startswith('--')]
    for word in given:
        if not word.startswith('--'):
            continue
        name, equals, value = word.partition('=')
        if name not in syntax.options:
            yield 'unknown option' + ('' if syntax.secret else f' {name}')
            continue
        if name in options:
            yield f'{name} is given twice'
        options[name] = value if equals else None
        problem = syntax.options[name](options[name])
        if problem:
            yield f'{name} {problem}'
    yield from _check_count(syntax, others)
    yield from _check_one_of(syntax, options)
    yield from syntax.rule(options, others)


def _check_count(syntax: Syntax, others: Sequence[str]) -> Iterator[str]:
    least, most = syntax.words
    if least <= len(others) <= most:
        return
    if not syntax.secret and any(word.startswith('#') for word in others):
        yield 'a comment needs a line of its own'
    elif most == 0:
        yield f'takes only --options, {len(others)} other words given'
    else:
        wanted = '1 word' if most == 1 else f'{least} to {most} words'
        yield f'takes {wanted} besides --options, {len(others)} given'


def _check_one_of(syntax: Syntax, options: Options) -> Iterator[str]:
    given = [name for name in syntax.one_of if name in options]
    if syntax.one_of and not given:
        yield 'needs ' + ' or '.join(syntax.one_of)
    elif len(given) > 1:
        yield 'takes only one of ' + ', '.join(given)


def _check_set(commands: Sequence[text.Command], name: str,
               presumed: Collection[str]) -> Iterator[str]:
    for need, names in REQUIRED.items():
        if need not in presumed and not any(
                command.name in names for command in commands):
            yield f'{name}: no ' + ' or '.join(names)
    installs = [one for one in commands if one.name in INSTALL]
    for extra in installs[1:]:
        yield (f'{extra.where}: {extra.name}: {installs[0].where} has '
               f'{installs[0].name}, only one of them may be given')
    for command in commands:
        if command.name == 'clearpart' and installs and not any(
                one.name == 'install' for one in installs):
            yield (f'{command.where}: clearpart: goes only with install, not '
                   f'with {installs[0].name}')
