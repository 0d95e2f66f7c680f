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

"""Edits a boot.cfg by key; what is not edited stays byte for byte."""

import collections.abc
import dataclasses
import re

from esxi_img import errors
from esxi_img import mboot

BUNDLE = '/esxiimg.tgz'
"""Where our module lies: absolute, for a name without a slash is looked for
beside boot.cfg."""

KICKSTART_URL = 'file:///esxiimg/KS.CFG'
"""Inside our module, which the loader hands over unpacked."""

NEEDED = (b'kernel', b'kernelopt', b'modules')
STRINGS = tuple(key for key in mboot.KEYS
                if key not in mboot.NUMBERS and key not in NEEDED)


@dataclasses.dataclass(frozen=True)
class BootCfg:
    """A boot.cfg: its lines with their ends.

    :param name: its path, for messages
    :param directory: that the loader looks in for names without a slash
    """

    name: str
    lines: tuple[bytes, ...]
    directory: str = '/'

    def render(self) -> bytes:
        """The file; equal to what was parsed if nothing was edited."""
        return b''.join(self.lines)

    def value(self, key: bytes) -> bytes:
        """What the loader takes for ``key``; b'' if nothing."""
        values = [found[1] for found in map(mboot.statement, self.lines)
                  if found and found[0] == key]
        return values[-1] if values else b''

    def replace(self, key: bytes, value: bytes) -> 'BootCfg':
        """The file with another value in the line that the loader takes."""
        at = max(number for number, line in enumerate(self.lines)
                 if (mboot.statement(line) or (None,))[0] == key)
        line = self.lines[at]
        body = line.rstrip()
        edited = body[:body.index(b'=') + 1] + value + line[len(body):]
        return dataclasses.replace(self, lines=(
            *self.lines[:at], edited, *self.lines[at + 1:]))


def parse(data: bytes, name: str, directory: str = '/') -> BootCfg:
    """The lines of a boot.cfg; nothing is judged yet."""
    return BootCfg(name, tuple(re.findall(rb'[^\n]*\n|[^\n]+', data)),
                   directory)


def problems(cfg: BootCfg) -> list[str]:
    """Why the file cannot be edited by key, one line each."""
    found = []
    if any(b'\0' in line for line in cfg.lines):
        found.append(f'{cfg.name}: holds a NUL byte')
    for key in [*NEEDED, *STRINGS]:
        values = [(number, pair[1]) for number, pair in
                  enumerate(map(mboot.statement, cfg.lines), 1)
                  if pair and pair[0] == key]
        name = key.decode()
        if not values and key in NEEDED:
            found.append(f'{cfg.name}: has no {name}= that the boot loader '
                         f'would read{_near_miss(cfg, key)}')
        elif len(values) > 1 and not all(value for _, value in values):
            # The loader clears only half of its pointer then.
            lines = ', '.join(str(number) for number, _ in values)
            found.append(f'{cfg.name}: {name}= is ambiguous, it stands on '
                         f'lines {lines}, once empty')
        elif key in (b'kernel', b'modules') and not values[-1][1]:
            found.append(f'{cfg.name}: {name}= is empty')
    return found


def _near_miss(cfg: BootCfg, key: bytes) -> str:
    """Why a line that looks like the key is none, in brackets."""
    if cfg.lines and cfg.lines[0].startswith(b'\xef\xbb\xbf' + key):
        return ' (a byte order mark hides line 1)'
    for number, line in enumerate(cfg.lines, 1):
        if re.match(rb'\s*' + key + rb'\s+=', line, re.IGNORECASE):
            return f' (line {number} has a blank before "=")'
    return ''


def edit(cfg: BootCfg, modules: collections.abc.Sequence[str],
         kernel_options: collections.abc.Sequence[str]) -> BootCfg:
    """The file made ours: it starts the installer with our kickstart.

    Editing twice is editing once.

    :param modules: paths to load after the ISO's own and before our bundle
    :param kernel_options: words for kernelopt, KEY=VALUE or plain
    :raises InputError: a key is missing or ambiguous, or the loader would
        not read the result as meant
    """
    wrong = problems(cfg)
    if wrong:
        raise errors.InputError(*wrong)
    edited = cfg.replace(b'modules', _modules(cfg, modules)).replace(
        b'kernelopt', _kernel_options(cfg, kernel_options))
    wrong = read_back(edited, modules, kernel_options)
    if wrong:
        raise errors.InputError(*wrong)
    return edited


def _modules(cfg: BootCfg, added: collections.abc.Sequence[str]) -> bytes:
    names = [path.encode('ascii') for path in [*added, BUNDLE]]
    kept = [item for item in mboot.items(cfg.value(b'modules'))
            if mboot.path_of(item) not in names]
    separator = b' ' + mboot.SEPARATOR + b' '
    return separator.join([*kept, *names])


def _kernel_options(cfg: BootCfg,
                    options: collections.abc.Sequence[str]) -> bytes:
    """kernelopt with our words; a KEY=VALUE replaces KEY's older ones."""
    words = cfg.value(b'kernelopt').split()
    wanted = {key.encode('ascii'): word.encode('ascii')
              for key, word in _wanted(options).items()}
    if b'cdromBoot' not in wanted:
        # The machine boots from its disk.
        words = [word for word in words if word != b'cdromBoot']
    kept: list[bytes] = []
    for word in words:
        key = word.partition(b'=')[0]
        if key not in wanted:
            kept.append(word)
        elif wanted[key] not in kept:
            kept.append(wanted[key])
    kept += [word for word in wanted.values() if word not in kept]
    return b' '.join(kept)


def _wanted(options: collections.abc.Iterable[str]) -> dict[str, str]:
    """Our words by their key; of several with one key the last holds."""
    return {word.partition('=')[0]: word
            for word in [*options, f'ks={KICKSTART_URL}']}


def read_back(cfg: BootCfg, modules: collections.abc.Sequence[str],
              kernel_options: collections.abc.Sequence[str]) -> list[str]:
    """Does the loader read the file as it was meant?  What does not hold.

    The parameters are those of :func:`edit`.
    """
    config = mboot.read(cfg.render(), cfg.directory)
    found = [f'{cfg.name}: {problem}' for problem in config.problems]
    added = [*modules, BUNDLE]
    named = [module.path for module in config.modules
             if module.path in added]
    if named != added:
        found.append(f'{cfg.name}: modules= does not name '
                     f'{", ".join(added)} once each, in this order')
    words = config.options.split()
    for key, wanted in _wanted(kernel_options).items():
        if [word for word in words
                if word.partition('=')[0] == key] != [wanted]:
            found.append(f'{cfg.name}: kernelopt= does not say {wanted}')
    return found
