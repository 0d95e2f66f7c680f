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

"""The programs of a host beside esxcli."""

import collections.abc
import re
import typing

from tests.esxi import commands_host
from tests.esxi import grammar

Program = collections.abc.Callable[
    [typing.Any, collections.abc.Sequence[str]], str]

_VERBS = {'enable': ('enabled', True), 'disable': ('enabled', False),
          'start': ('running', True), 'stop': ('running', False)}
_SERVICES = {'ssh': 'ssh', 'esx_shell': 'shell'}
_LOG = re.compile(r'logger -t (\S+) "\$\(cat (/[^\s"$`\\]+)\)"')
_INIT = ('/etc/init.d/hostd', '/etc/init.d/vpxa')


def _vim_cmd(host: typing.Any, args: collections.abc.Sequence[str]) -> str:
    if list(args) == ['hostsvc/runtimeinfo']:
        return ('(vim.host.RuntimeInfo) {\n'
                '   connectionState = "connected",\n}\n')
    if args and args[0] == 'hostsvc/datastore/rename' and len(args) == 3:
        commands_host.rename(host, args[1], args[2])
        return ''
    verb, _, what = ' '.join(args).removeprefix('hostsvc/').partition('_')
    if not args or not args[0].startswith('hostsvc/') \
            or verb not in _VERBS or what not in _SERVICES:
        raise grammar.Refused(f'Invalid command {" ".join(args)!r}')
    setattr(host.services[_SERVICES[what]], *_VERBS[verb])
    return ''


def _certificates(host: typing.Any, args: collections.abc.Sequence[str]
                  ) -> str:
    _none(args)
    host.certificate = host.hostname
    return ''


def _backup(host: typing.Any, args: collections.abc.Sequence[str]) -> str:
    _none(args)
    host.backed_up = True
    return ''


def _none(args: collections.abc.Sequence[str]) -> None:
    if args:
        raise grammar.Refused(f'Invalid argument {args[0]!r}')


def _logger(host: typing.Any, args: collections.abc.Sequence[str]) -> str:
    """Without an option it takes all words, with -t the rest of them."""
    tag, words = '', list(args)
    if words[:1] == ['-t']:
        tag, words = ''.join(words[1:2]), words[2:]
    if not words or words[0].startswith('-'):
        raise grammar.Refused('logger: no message')
    host.log.append((tag, ' '.join(words)))
    return ''


def _script(host: typing.Any, argv: collections.abc.Sequence[str]) -> str:
    """Run a script by its interpreter, the last word being its file."""
    if len(argv) < 2 or argv[-1] not in host.files:
        raise grammar.Refused(f'{argv[0]}: cannot open {argv[-1]!r}')
    host.ran.append((tuple(argv), host.files[argv[-1]][1]))
    return ''


def _sh(host: typing.Any, args: collections.abc.Sequence[str]) -> str:
    if len(args) == 2 and args[0] in _INIT and args[1] == 'restart':
        host.restarted.append(args[0].rpartition('/')[2])
        return ''
    if list(args) == ['/sbin/auto-backup.sh']:
        return _backup(host, args[1:])
    match = len(args) == 2 and args[0] == '-c' and _LOG.fullmatch(args[1])
    if match:
        _, content = host.files.get(match[2], (0, ''))
        return _logger(host, ['-t', match[1], content.strip()])
    if args and args[-1] in host.files:
        return _script(host, ['sh', *args])
    raise grammar.Refused(f'sh: {" ".join(args)!r} is not simulated')


PROGRAMS: dict[str, Program] = {
    'auto-backup.sh': _backup,
    'generate-certificates': _certificates,
    'logger': _logger,
    'python': lambda host, args: _script(host, ['python', *args]),
    'sh': _sh,
    'vim-cmd': _vim_cmd,
    **{path: lambda host, args, path=path: _sh(host, [path, *args])
       for path in _INIT},
}
"""By name, without the folder where that is one of the search path."""
