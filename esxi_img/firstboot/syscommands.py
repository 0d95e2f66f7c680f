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

"""The commands of ESXi that do what users wish, but for the network.

What users wrote stands in them; :func:`fits` and :func:`plain` tell how.
"""

import re
from typing import Sequence

from . import commands
from .steps import Argv
from .steps import RANDOM

_SYSTEM = ('esxcli', 'system')
_UNFIT = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_NUMBER = re.compile('-[1-9][0-9]*')
_LONGEST = 1000


def fits(value: str) -> bool:
    """Whether a text can stand behind an option, as it is.

    What starts with a dash, and is no number, is taken for an option.
    """
    dashed = value.startswith('-') and not _NUMBER.fullmatch(value)
    return not dashed and not _UNFIT.search(value)


def plain(text: str) -> str:
    """A text for people as one line that can stand behind an option."""
    line = ' '.join(_UNFIT.sub(' ', text).split())
    return line.lstrip('- ')[:_LONGEST].rstrip()


def sshd(keyword: str, value: str) -> Argv:
    """Set an option of the SSH server (ESXi 8)."""
    return _SYSTEM + ('ssh', 'server', 'config', 'set', '--keyword', keyword,
                      '--value', value)


def sshd_list(keyword: str) -> Argv:
    """Show an option of the SSH server, as a line of keyword and value."""
    return _SYSTEM + ('ssh', 'server', 'config', 'list', '--keyword', keyword)


def account(name: str, description: str) -> Argv:
    """Make a local account, with a password that nobody knows."""
    return _SYSTEM + ('account', 'add', '--id', name, '--description',
                      description, '--password', RANDOM,
                      '--password-confirmation', RANDOM)


def account_list() -> Argv:
    """List the local accounts, a line of name and description each."""
    return _SYSTEM + ('account', 'list')


def administrator(name: str) -> Argv:
    """Give a user the administrator role."""
    return _SYSTEM + ('permission', 'set', '--id', name, '--role', 'Admin')


def ntp(enabled: bool, servers: Sequence[str]) -> Argv:
    """Set the time service on or off; the servers replace all others."""
    words = _SYSTEM + ('ntp', 'set', '--enabled', commands.boolean(enabled))
    for server in servers:
        words += ('--server', server)
    return words


def syslog(targets: Sequence[str]) -> Argv:
    """Send the log to these targets, and to no other."""
    return _SYSTEM + ('syslog', 'config', 'set', '--loghost',
                      ','.join(targets))


def syslog_get() -> Argv:
    """Show where the log goes; all targets stand in one line."""
    return _SYSTEM + ('syslog', 'config', 'get')


def syslog_reload() -> Argv:
    """Have the log's settings take effect."""
    return _SYSTEM + ('syslog', 'reload')


def kernel(setting: str, value: str) -> Argv:
    """Set what the kernel reads when it starts."""
    return _SYSTEM + ('settings', 'kernel', 'set', '--setting', setting,
                      '--value', value)


def filesystems() -> Argv:
    """List the volumes, a line with the label each."""
    return ('esxcli', 'storage', 'filesystem', 'list')


def rename_datastore(old: str, new: str) -> Argv:
    """Give a datastore another label."""
    return commands.hostsvc('datastore/rename') + (old, new)


def maintenance() -> Argv:
    """Enter maintenance mode."""
    return _SYSTEM + ('maintenanceMode', 'set', '--enable', 'true')


def maintenance_get() -> Argv:
    """Show ``Enabled`` or ``Disabled``."""
    return _SYSTEM + ('maintenanceMode', 'get')


def shutdown(mode: str, delay: int, reason: str) -> Argv:
    """Reboot or power off.

    :param mode: ``reboot`` or ``poweroff``
    :param delay: seconds
    """
    return _SYSTEM + ('shutdown', mode, '--delay', str(delay), '--reason',
                      reason)


def log(path: str) -> Argv:
    """Say in the log what a file holds, without telling it to anybody else.

    :param path: without a character that means something to a shell
    """
    return ('sh', '-c', f'logger -t esxi-img "$(cat {path})"')
