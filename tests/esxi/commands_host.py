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

"""The machine as a whole: its kernel, volumes, and how it ends."""

import dataclasses
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

DATASTORE = 'datastore1'
"""What the installer calls the one that it makes."""
VMFS = 'VMFS-6'

_KERNEL = 'system settings kernel '
_BOOLEANS = ('TRUE', 'FALSE')
_LEAST_DELAY = 10
_MODE = 'system maintenanceMode '
_FILESYSTEM = ('Mount Point|Volume Name|UUID|Mounted|Type|Size|Free')
_LONGEST = 42


@dataclasses.dataclass
class Parameter:
    """Of the kernel; what is configured counts at the next boot."""

    kind: str
    default: str
    configured: str
    runtime: str


class Shutdown(typing.NamedTuple):
    """What is going to happen."""

    mode: str
    delay: int
    reason: str


def parameters() -> dict[str, Parameter]:
    """Some of a new host's."""
    return {name: Parameter(kind, value, value, value)
            for name, kind, value in (
                ('debugLogToSerial', 'uint8', '2'),
                ('execInstalledOnly', 'Bool', 'FALSE'),
                ('hyperthreading', 'Bool', 'TRUE'),
                ('logLevel', 'uint32', '0'), ('logPort', 'String', 'none'),
                ('netNetqueueEnabled', 'Bool', 'TRUE'),
                ('tty2Port', 'String', 'none'))}


@commands.command(_KERNEL + 'set')
def kernel_set(host: typing.Any, options: grammar.Options) -> None:
    name, value = options['--setting'], options['--value']
    one = commands.find(host.kernel, name, 'Setting')
    bad = value not in _BOOLEANS if one.kind == 'Bool' else \
        one.kind.startswith('uint') and not (
            value.isdecimal() and int(value) < 1 << int(one.kind[4:]))
    if bad or not value:
        raise grammar.Refused(f'Invalid value of {name}: {one.kind}')
    one.configured = value


@commands.command(_KERNEL + 'list')
def kernel_list(host: typing.Any, options: grammar.Options) -> output.Answer:
    wanted = options.get('--option')
    if wanted is not None:
        commands.find(host.kernel, wanted, 'Setting')
    return output.table('Name|Type|Configured|Runtime|Default|Description', [
        (name, one.kind, one.configured, one.runtime, one.default, 'A knob')
        for name, one in host.kernel.items() if wanted in (None, name)
        and not ('--delta' in options and one.configured == one.default)])


@commands.command(_MODE + 'get')
def maintenance_get(host: typing.Any, _options: grammar.Options
                    ) -> output.Answer:
    return output.line('Enabled' if host.maintenance else 'Disabled')


@commands.command(_MODE + 'set')
def maintenance_set(host: typing.Any, options: grammar.Options) -> None:
    wanted = options['--enable'] == 'true'
    if wanted == host.maintenance:
        raise grammar.Refused('Maintenance mode is already '
                              + ('enabled.' if wanted else 'disabled.'))
    host.maintenance = wanted


def _down(mode: str) -> None:
    def order(host: typing.Any, options: grammar.Options) -> None:
        delay = int(options.get('--delay', _LEAST_DELAY))
        if not _LEAST_DELAY <= delay < 1 << 32:
            raise grammar.Refused(f'Invalid delay {delay}')
        if not options['--reason'].strip():
            raise grammar.Refused('A reason is needed')
        if host.down:
            raise grammar.Refused('The host is going down already')
        if host.down_in_maintenance and not host.maintenance:
            raise grammar.Refused('The host is not in maintenance mode')
        host.down = Shutdown(mode, delay, options['--reason'])

    commands.command(f'system shutdown {mode}')(order)


_down('reboot')
_down('poweroff')


@commands.command('storage filesystem list')
def filesystem_list(host: typing.Any, _options: grammar.Options
                    ) -> output.Answer:
    names = {**dict.fromkeys(host.datastores, VMFS), 'BOOTBANK1': 'vfat',
             'BOOTBANK2': 'vfat'}
    return output.table(_FILESYSTEM, [
        (f'/vmfs/volumes/{number:08x}', name, f'{number:08x}', True, kind,
         1 << 30, 1 << 29)
        for number, (name, kind) in enumerate(names.items(), 0x5f0f0000)])


def rename(host: typing.Any, old: str, new: str) -> None:
    """Give a datastore another name.

    :raises Refused: there is none of the old name, or one of the new
    """
    at = host.datastores.index(commands.find(
        {name: name for name in host.datastores}, old, 'Datastore'))
    host.datastores[at] = commands.new(
        dict.fromkeys(host.datastores), model.label(
            new, _LONGEST, 'datastore'), 'Datastore')
