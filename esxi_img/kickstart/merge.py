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

"""The kickstart of an image: the user's as its head, then what it lacks."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import re

from esxi_img import errors
from esxi_img.kickstart import grammar
from esxi_img.kickstart import ours
from esxi_img.kickstart import redact
from esxi_img.kickstart import sections
from esxi_img.kickstart import text

HASH_OPTION = '--root-password-hash-file'
# SHA-512 crypt: 512 bits in 86 characters, so the last one holds two bits.
_SHA512_CRYPT = re.compile(
    r'\$6\$(rounds=[1-9][0-9]{3,8}\$)?[./0-9A-Za-z]{1,16}'
    r'\$[./0-9A-Za-z]{85}[./01]')
# Commands of the user's that stand for one of ours.
_STAND_FOR: Mapping[str, tuple[str, ...]] = {
    **grammar.REQUIRED, 'network': ('network',), 'reboot': ('reboot',)}
_INCLUDE = ('%include', 'include')

# How a script that prints a command may look: with an option, or with what
# a shell or Python will turn into one.  The eula command has no argument,
# rootpw's may be anything.
# It may follow a line break, and be followed by a tab, as these write them.
_BEFORE = r'(?:(?<![\w/.-])|(?<=\\[nrt]))({})'
_GAP = r'(?:[ \t]+|\\t|["\'],[ \t]*)'
_OPTION = _BEFORE + _GAP + r'(--|[\\"\'${{%])'
_PRINTED: Mapping[str, str] = {
    'vmaccepteula': _BEFORE + r'\b',
    'rootpw': _BEFORE + _GAP + r'\S',
}


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the options say.

    :param install_disk: auto, disk=NAME or firstdisk=LIST
    :param install_options: words of install, with or without leading --
    :param root_password_hash: as check_hash() returns it
    """

    install_disk: str = 'auto'
    install_options: tuple[str, ...] = ()
    root_password_hash: str | None = dataclasses.field(
        default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Kickstart:
    """A checked kickstart and what there is to say about it.

    Only ``text`` and ``safe`` hold secrets.

    :param text: the whole kickstart
    :param install: the install command that our include is going to hold
    :param safe: what our includes hold at first, by file name
    :param left_out: commands of ours that gave way to the user's
    :param added: our command lines
    :param includes: the user's %include paths
    :param notes: warnings, one line each
    """

    text: str = dataclasses.field(repr=False)
    install: str
    safe: Mapping[str, bytes] = dataclasses.field(repr=False)
    left_out: tuple[str, ...]
    added: tuple[str, ...]
    includes: tuple[str, ...]
    notes: tuple[str, ...]

    def redacted(self) -> str:
        """The text with every password, hash and key as ``(set)``."""
        return redact.redact(self.text)

    def redacted_safe(self) -> dict[str, str]:
        """What our includes hold at first, likewise."""
        return {name: redact.redact(data.decode())
                for name, data in self.safe.items()}


def decode(data: bytes, name: str) -> str:
    """A kickstart file's text; a byte order mark is dropped.

    :raises InputError: with FILE:LINE, if it is not UTF-8 or holds a NUL
    """
    bad = data.find(b'\0')
    problem = 'a NUL character'
    try:
        result = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        if bad < 0 or error.start < bad:
            bad, problem = error.start, 'not UTF-8'
    # Raised out here because a UnicodeDecodeError carries all the data.
    if bad < 0:
        return result
    line = data.count(b'\n', 0, bad) + 1
    raise errors.InputError(f'{name}:{line}: {problem}',
                            hint='save the kickstart as UTF-8')


def check_hash(content: str, name: str) -> str:
    """The crypt string in a file's content, without its line end.

    :raises InputError: anything but one line of SHA-512 crypt ($6$), the
        form known to work on every release; it never quotes the content
    """
    if content.endswith('\n'):
        content = content[:-1].removesuffix('\r')
    if _SHA512_CRYPT.fullmatch(content):
        return content
    raise errors.InputError(
        f'{name}: not one line of the form $6$SALT$HASH (SHA-512 crypt)',
        hint='openssl passwd -6 makes one')


def merge(wishes: Wishes, head: str | None = None,
          name: str = 'default kickstart',
          scripts: Sequence[str] = ()) -> Kickstart:
    """Complete the user's kickstart, or write a whole one.

    The user's characters stay as they are.  Our commands go behind his last
    command, our script sections behind his.  What is ours already, as in
    the kickstart of an image, is not added again.

    :param head: the user's kickstart, decoded
    :param name: what to call it in messages
    :param scripts: our script sections, as lines without line ends
    :raises RequestError: the wishes make no sense to the installer
    :raises InputError: the merged text breaks the installer's grammar, or
        has sections of another version of this program
    """
    if wishes.root_password_hash is not None:
        check_hash(wishes.root_password_hash, HASH_OPTION)
    install = ours.install(wishes.install_disk, wishes.install_options)
    theirs = text.lines(_ended(head or ''), name)
    script = text.parse(theirs)
    kept = {need for need in ours.INCLUDED
            if any(_is_ours(one, need) for one in script.commands)}
    written = dict(_written(script))
    presumed = {need: by for need, by in _presumed(script).items()
                if need not in written and need not in kept}
    given = written | presumed
    added = {need: line for need, line in ours.commands().items()
             if need not in given and need not in kept}
    there = [one for one in script.sections if _is_marked(one)]
    merged = (*theirs[:script.room],
              *_ours([sections.MARK, *added.values()] if added else []),
              *theirs[script.room:], *_ours([] if there else scripts))
    problems = [*grammar.check(text.parse(merged), name,
                               {*presumed, *ours.INCLUDED}),
                *_given_twice(script), *_strange(there, scripts)]
    if problems:
        raise errors.InputError(*problems)
    return Kickstart(
        text=''.join(line.text for line in merged),
        install=install,
        safe=ours.safe(wishes.root_password_hash),
        left_out=tuple(f'{need}: {by}' for need, by in given.items()),
        added=tuple(redact.redact(line) for line in added.values()),
        includes=_includes(script),
        notes=(*_notes(wishes, given),
               *_include_notes(script, presumed, added),
               *_odd_commands(script), *_script_notes(script)))


def _ended(head: str) -> str:
    return head + '\n' if head and not head.endswith('\n') else head


def _ours(lines: Sequence[str]) -> Sequence[text.Line]:
    return text.lines(''.join(f'{line}\n' for line in lines), 'esxi-img')


def _is_marked(section: text.Section) -> bool:
    return any(line.text.strip() == sections.MARK
               for line in section.body[:1])


def _strange(there: Sequence[text.Section], scripts: Sequence[str]
             ) -> Iterator[str]:
    """Sections of ours that are not all those that this version adds."""
    wanted = text.parse(_ours(scripts)).sections
    same = len(there) == len(wanted) and all(map(_is_same, there, wanted))
    if scripts and not same:
        for one in there:
            yield (f'{one.head.where}: a section of esxi-img, but not as this '
                   'version writes it; delete it, it is added anew')


def _is_same(theirs: text.Section, mine: text.Section) -> bool:
    """What follows ours, up to the next section, does not run."""
    body = theirs.body[:len(mine.body)]
    return (theirs.head.name, theirs.head.rest) == (
        mine.head.name, mine.head.rest) and [
            line.text for line in body] == [line.text for line in mine.body]


def _is_ours(command: text.Command, need: str) -> bool:
    """Whether it includes what our scripts write for this need."""
    return command.name in _INCLUDE and _safe_words(command) == [
        ours.INCLUDED.get(need)]


def _written(script: text.Script) -> Iterator[tuple[str, str]]:
    """What the user's commands give, and by which line (the first one)."""
    for need, names in _STAND_FOR.items():
        for command in script.commands:
            if command.name in names:
                shown = '' if command.name == need else f' ({command.name})'
                yield need, f'given by {command.where}{shown}'
                break


def _given_twice(script: text.Script) -> Iterator[str]:
    """What our includes would give a second time, which no grammar sees."""
    for need in ours.INCLUDED:
        givers = [one for one in script.commands
                  if one.name in _STAND_FOR[need] or _is_ours(one, need)]
        if any(_is_ours(one, need) for one in givers):
            for one in givers[1:]:
                yield (f'{one.where}: {one.name}: {givers[0].where} gives '
                       f'{need} already ({givers[0].name}); delete one of '
                       'them')


def _includes(script: text.Script) -> tuple[str, ...]:
    """The paths of the user's own includes."""
    return tuple(path for command in script.commands
                 if command.name in _INCLUDE
                 for path in _safe_words(command)
                 if path not in ours.INCLUDED.values())


def _safe_words(command: text.Command) -> list[str]:
    try:
        return grammar.words(command)
    except ValueError:
        return []  # the grammar check reports it


def _presumed(script: text.Script) -> Mapping[str, str]:
    """What an include probably gives, judged by the %pre that writes it.

    A second install line could erase a disk; a missing one stops the
    installer before it touches any.  So a hint is enough: the include's
    file name and something that reads like the command, both in %pre.
    """
    body = ''.join(line.text for section in script.sections
                   if section.head.name == '%pre' and not _is_marked(section)
                   for line in section.body
                   if not line.text.lstrip().startswith('#'))
    likely = [path for path in _includes(script)
              if path.rpartition('/')[2] in body]
    if not likely:
        return {}
    by = 'presumably given by %include ' + ' or '.join(likely)
    # A second reboot does no harm; without one the installer waits.
    return {need: by for need, names in _STAND_FOR.items()
            if need != 'reboot' and _prints(need, names, body)}


def _prints(need: str, names: Sequence[str], body: str) -> bool:
    pattern = _PRINTED.get(need, _OPTION).format('|'.join(names))
    return re.search(pattern, body) is not None


def _without_effect(wishes: Wishes,
                    given: Mapping[str, str]) -> Iterator[str]:
    if 'install' in given:
        if wishes.install_disk != 'auto':
            yield (f'--install-disk {wishes.install_disk}: no effect, '
                   f'install is {given["install"]}')
        for option in wishes.install_options:
            yield (f'--install-option {option}: no effect, '
                   f'install is {given["install"]}')
    if 'rootpw' in given and wishes.root_password_hash is not None:
        yield f'{HASH_OPTION}: no effect, rootpw is {given["rootpw"]}'


def _odd_commands(script: text.Script) -> Iterator[str]:
    """Commands that are allowed, and not what an image is for."""
    for command in script.commands:
        if command.name == 'dryrun':
            yield f'{command.where}: dryrun: nothing will be installed'
        elif command.name == 'paranoid':
            yield (f'{command.where}: paranoid: any warning stops the '
                   'installation')
        elif command.name == 'clearpart':
            yield (f'{command.where}: clearpart: erases disks before the '
                   'installation')


def _notes(wishes: Wishes, given: Mapping[str, str]) -> Iterator[str]:
    yield from _without_effect(wishes, given)
    for need, what in (
            ('install', 'the disk of the image is not looked for'),
            ('rootpw', 'admin_pass of the config drive is not looked at'),
            ('network', 'the installer does not look at the network of the '
                        'config drive, only first boot does')):
        if need in given:
            yield f'{need} is {given[need]}: {what}'
    if 'rootpw' not in given and wishes.root_password_hash is None:
        yield ('no root password hash: hosts without admin_pass will get an '
               'unguessable root password')


def _include_notes(script: text.Script, presumed: Mapping[str, str],
                   added: Mapping[str, str]) -> Iterator[str]:
    for need, by in presumed.items():
        yield (f'{need}: {by}, so none is added; without it ' + (
            'the host gets DHCP' if need == 'network' else
            'the installer stops'))
    paths = _includes(script)
    needs = [need for need in _STAND_FOR
             if need in added and need != 'reboot']
    if paths and needs:
        yield (f'{", ".join(needs)}: added; make sure that no include gives '
               f'one too: {", ".join(paths)}')


def _script_notes(script: text.Script) -> Iterator[str]:
    ends = [line.where for section in script.sections
            for line in section.body if line.text.endswith('\r\n')]
    if ends:
        yield (f'{ends[0]}: {len(ends)} script lines end in CRLF, a shell '
               'reads the CR as part of the command')
