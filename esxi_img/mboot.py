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

"""boot.cfg as ESXi's boot loader reads it.

The rules are those of VMware's open-source loader (github.com/vmware/
esx-boot: mboot/config.c, bootlib/parse.c, esxbootinfo.c, reloc.c).  They are
unforgiving and silent: what is wrong hangs the machine without a word, so a
file is judged here before it is written.
"""

import dataclasses

KEYS = (b'kernel', b'kernelopt', b'modules', b'title', b'prefix',
        b'nobootif', b'timeout', b'noquirks', b'norts', b'crypto',
        b'runtimewd', b'tftpblksize', b'acpitables', b'runtimewdtimeout',
        b'skip', b'errtimeout')
"""In the loader's order, which decides what an abbreviated key means."""

NUMBERS = frozenset((b'nobootif', b'timeout', b'noquirks', b'norts',
                     b'runtimewd', b'tftpblksize', b'runtimewdtimeout',
                     b'errtimeout'))

MAX_COMMAND_LINE = 4095
MAX_MODULE_STRING = 255
MAX_MODULES = 240
"""250 hang with a small kernel; a real one has more segments to place."""

SIGNED_NAMES = frozenset(('s', 'sb', 'esxcore', 'esxupdt'))
"""Basenames that a Secure Boot loader takes for signed, unique modules."""

SEPARATOR = b'---'


@dataclasses.dataclass(frozen=True)
class Module:
    """A module: its path from the volume's root, and its arguments."""

    path: str
    arguments: str


@dataclasses.dataclass(frozen=True)
class Config:
    """What the loader takes from one boot.cfg."""

    kernel: str
    options: str
    modules: tuple[Module, ...]
    problems: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files that the loader will load, kernel first."""
        names = [module.path for module in self.modules]
        return tuple(name for name in [self.kernel, *names] if name)


def statement(line: bytes) -> tuple[bytes, bytes] | None:
    """The key, in full, and the value of a line; None if it sets nothing.

    Any case and any abbreviation is a key (the first that fits), even none
    at all; a blank before the "=" makes it no key.
    """
    text = line.split(b'\0')[0].strip()
    name, equals, value = text.partition(b'=')
    if not equals or text.startswith(b'#'):
        return None
    for key in KEYS:
        if key.startswith(name.lower()):
            return key, b' '.join(value.split())
    return None


def items(value: bytes) -> list[bytes]:
    """The items of a modules value; the loader skips empty ones."""
    return [item for item in map(bytes.strip, value.split(SEPARATOR)) if item]


def path_of(item: bytes) -> bytes:
    """The path in a modules item: all up to the first blank."""
    return item.split(None, 1)[0]


def read(data: bytes, directory: str) -> Config:
    """What the loader makes of a boot.cfg.

    :param data: the file
    :param directory: of the file, from the volume's root: '/', '/EFI/BOOT'
    """
    values: dict[bytes, bytes] = {}
    problems = []
    for number, line in enumerate(data.split(b'\n'), 1):
        found = statement(line)
        if found is None:
            continue
        key, value = found
        values[key] = value
        if key in NUMBERS and value and not value.isdigit():
            problems.append(f'line {number}: {key.decode()}='
                            f'{show(value)} is not a number')
    prefix = show(values.get(b'prefix', b'')) or directory
    kernel, module_problems = _resolve(values.get(b'kernel', b''), prefix)
    problems += module_problems
    modules = []
    for item in items(values.get(b'modules', b'')):
        path, wrong = _resolve(path_of(item), prefix)
        problems += wrong
        modules.append(Module(path, show(item[len(path_of(item)):].strip())))
    options = show(values.get(b'kernelopt', b''))
    problems += _limits(kernel, options, modules)
    return Config(kernel, options, tuple(modules), tuple(problems))


def show(value: bytes) -> str:
    """Bytes of a boot.cfg as text, one character a byte."""
    return value.decode('latin-1')


def _resolve(name: bytes, prefix: str) -> tuple[str, list[str]]:
    """The path from the volume's root (file_sanitize_path, make_path)."""
    text = ''.join(show(name).split())
    if not text:
        return '', []
    if '://' in text:
        return '', [f'{text!r} is not on this volume']
    if not text.startswith(('/', '\\')):
        text = f'{prefix}/{text}'
    parts = [part for part in text.replace('\\', '/').split('/') if part]
    return '/' + '/'.join(parts), []


def _limits(kernel: str, options: str, modules: list[Module]) -> list[str]:
    """Where the loader would hang, or cut, without a message."""
    problems = []
    length = len(f'{kernel} {options}')
    if length > MAX_COMMAND_LINE:
        problems.append(f'the kernel command line has {length} characters, '
                        f'the boot loader takes {MAX_COMMAND_LINE}')
    if len(modules) > MAX_MODULES:
        problems.append(f'modules= names {len(modules)} modules, the boot '
                        f'loader takes {MAX_MODULES}')
    for module in modules:
        length = len(f'{module.path} {module.arguments}'.strip())
        if length > MAX_MODULE_STRING:
            problems.append(f'module {module.path[:40]}... and its arguments '
                            f'have {length} characters, the boot loader '
                            f'takes {MAX_MODULE_STRING}')
    return problems
