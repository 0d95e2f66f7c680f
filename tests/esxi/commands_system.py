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

"""The host's name, its version, advanced settings."""

import dataclasses
import re
import typing

from tests.esxi import commands
from tests.esxi import commands_access
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

_ADVANCED = 'system settings advanced '
_OPTION = re.compile(r'[A-Za-z0-9]+')
_VALUE = {'integer': '--int-value', 'string': '--string-value'}
_NEEDED = {'integer': {'--int-default', '--min', '--max'},
           'string': {'--string-default'}}


@dataclasses.dataclass
class Setting:
    kind: str
    value: int | str
    default: int | str
    low: int = 0
    high: int = 1
    added: bool = False


def settings() -> dict[str, Setting]:
    """Those of a new host that matter here, by path."""
    integers = {path: Setting('integer', value, value, 0, high)
                for path, value, high in (
                    ('/Net/FollowHardwareMac', 1, 1),
                    ('/User/execInstalledOnly', 1, 1),
                    ('/UserVars/ESXiShellInteractiveTimeOut', 0, 86400),
                    ('/UserVars/ESXiShellTimeOut', 0, 86400),
                    ('/UserVars/HostClientCEIPOptIn', 0, 2),
                    ('/UserVars/SuppressShellWarning', 0, 1))}
    texts = {path: Setting('string', value, value) for path, value in (
        (commands_access.QUALITY,
         'retry=3 min=disabled,disabled,disabled,7,7'),
        ('/UserVars/HostClientWelcomeMessage', ''))}
    return {**integers, **texts}


@commands.command('system hostname set')
def hostname_set(host: typing.Any, options: grammar.Options) -> None:
    if not options:
        raise grammar.Refused('Needs --fqdn, --host or --domain')
    if '--fqdn' in options:
        host.name, _, host.domain = model.domain(
            options['--fqdn']).partition('.')
    if '--host' in options:
        host.name = model.domain(options['--host'])
        if '.' in host.name:
            raise grammar.Refused(f'Invalid host name {host.name!r}')
    if '--domain' in options:
        host.domain = model.domain(options['--domain'])


@commands.command('system hostname get')
def hostname_get(host: typing.Any, _options: grammar.Options
                 ) -> output.Answer:
    return output.simple(
        Domain_Name=host.domain, Fully_Qualified_Domain_Name=host.hostname,
        Host_Name=host.name)


@commands.command('system version get')
def version_get(host: typing.Any, _options: grammar.Options
                ) -> output.Answer:
    product = 'VMware ESXi' if host.release < (9,) else 'VMware ESX'
    return output.simple(Product=product, Version=host.version,
                         Build='Releasebuild-10000000',
                         Update=str(host.release[2]), Patch='0')


@commands.command('system welcomemsg set')
def welcome_set(host: typing.Any, options: grammar.Options) -> None:
    host.welcome = options['--message']


@commands.command('system welcomemsg get')
def welcome_get(host: typing.Any, _options: grammar.Options
                ) -> output.Answer:
    return output.simple(Message=host.welcome)


def _checked(setting: Setting) -> Setting:
    number = setting.kind == 'integer'
    if number and not setting.low <= setting.value <= setting.high:
        raise grammar.Refused(f'{setting.value} is not from {setting.low} to '
                              f'{setting.high}')
    return setting


@commands.command(_ADVANCED + 'set')
def advanced_set(host: typing.Any, options: grammar.Options) -> None:
    setting = commands.find(host.advanced, options['--option'], 'Option')
    own = _VALUE[setting.kind]
    given = options.keys() - {'--option'}
    if len(given) != 1 or not given <= {own, '--default'}:
        raise grammar.Refused(f'Needs {own} or --default')
    value = options.get(own, setting.default)
    setting.value = int(value) if setting.kind == 'integer' else value
    _checked(setting)


@commands.command(_ADVANCED + 'add')
def advanced_add(host: typing.Any, options: grammar.Options) -> None:
    name, kind = options['--option'], options['--type']
    if not _OPTION.fullmatch(name):
        raise grammar.Refused(f'Invalid option name {name!r}: a bare one')
    if options.keys() & {*_NEEDED['integer'], *_NEEDED['string']} \
            != _NEEDED[kind]:
        raise grammar.Refused(f'Not the options for type {kind}')
    path = commands.new(host.advanced, f'/UserVars/{name}', 'Option')
    value = options['--string-default'] if kind == 'string' \
        else int(options['--int-default'])
    host.advanced[path] = _checked(Setting(
        kind, value, value, int(options.get('--min', 0)),
        int(options.get('--max', 0)), added=True))


@commands.command(_ADVANCED + 'remove')
def advanced_remove(host: typing.Any, options: grammar.Options) -> None:
    path = f'/UserVars/{options["--option"]}'
    if not commands.find(host.advanced, path, 'Option').added:
        raise grammar.Refused(f'{path} is not one that was added')
    del host.advanced[path]


@commands.command(_ADVANCED + 'list')
def advanced_list(host: typing.Any, options: grammar.Options
                  ) -> output.Answer:
    wanted, tree = options.get('--option'), options.get('--tree', '')
    if wanted:
        commands.find(host.advanced, wanted, 'Option')
    rows = []
    for path, setting in host.advanced.items():
        if wanted in (None, path) and path.startswith(tree) and not (
                '--delta' in options and setting.value == setting.default):
            number = setting.kind == 'integer'
            rows.append({
                'Path': path, 'Type': setting.kind,
                'Int Value': setting.value if number else 0,
                'Default Int Value': setting.default if number else 0,
                'Min Value': setting.low, 'Max Value': setting.high,
                'String Value': '' if number else setting.value,
                'Default String Value': '' if number else setting.default,
                'Valid Characters': '' if number else '*',
                'Description': '', 'Host Specific': False, 'Impact': 'none'})
    return output.records(rows)
