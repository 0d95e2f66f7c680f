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

"""Who may log in: accounts, roles, SSH keys, the SSH server."""

import base64
import binascii
import dataclasses
import re
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import output

QUALITY = '/Security/PasswordQualityControl'
"""The advanced setting with the rule for passwords."""

_KEY = 'system ssh key '
_KEY_TYPE = re.compile(r'ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)')
_NAME = re.compile(r'[a-z_][a-z0-9_-]{0,31}')
_RULE = re.compile(r'retry=\d min=(disabled|\d+),(disabled|\d+),'
                   r'(disabled|\d+),(disabled|\d+),(disabled|\d+)')
_LONGEST = 40
_YES_NO = ('yes', 'no')
_SSHD = {
    'allowtcpforwarding': ('no', _YES_NO),
    'banner': ('/etc/issue', None),
    'clientalivecountmax': ('3', None),
    'clientaliveinterval': ('200', None),
    'gatewayports': ('no', _YES_NO),
    'hostbasedauthentication': ('no', _YES_NO),
    'ignorerhosts': ('yes', _YES_NO),
    'kbdinteractiveauthentication': ('yes', _YES_NO),
    'passwordauthentication': ('yes', _YES_NO),
    'permitrootlogin': ('yes', (*_YES_NO, 'prohibit-password')),
    'permituserenvironment': ('no', _YES_NO)}
"""Of some keywords the default, and all values that there are."""


@dataclasses.dataclass
class Account:
    description: str
    password: str | None = None
    """None: nobody can log in with any."""
    shell: bool = True


def accounts() -> dict[str, Account]:
    """Those of a new host."""
    return {'root': Account('Administrator'), 'dcui': Account('DCUI User'),
            'vpxuser': Account('VMware VirtualCenter administration account')}


def sshd() -> dict[str, str]:
    """The SSH server's options as they come."""
    return {keyword: default for keyword, (default, _) in _SSHD.items()}


def weakness(password: str, name: str, rule: str) -> str:
    """Why a password is not taken; an empty text: it is.

    pam_passwdqc: lower case, upper case, digits, others; neither a capital
    at the start nor a digit at the end makes a class.

    :param rule: retry=N min=N0,N1,N2,N3,N4, as the setting has it
    """
    match = _RULE.fullmatch(rule)
    assert match, rule
    if not password.isascii() or not password.isprintable():
        return 'Weak password: not printable ASCII'
    inner = password[1:] if password[:1].isupper() else password
    inner = inner[:-1] if inner[-1:].isdigit() else inner
    classes = sum((any(map(str.islower, inner)), any(map(str.isupper, inner)),
                   any(map(str.isdigit, inner)),
                   not all(map(str.isalnum, inner))))
    # Passphrases, of two classes and in third place, are another thing.
    least = match[(1, 1, 2, 4, 5)[classes]]
    if least == 'disabled' or len(password) < int(least):
        return f'Weak password: {classes} classes, {len(password)} characters'
    if len(password) > _LONGEST:
        return 'Weak password: too long'
    if len(name) > 3 and name in password.lower():
        return 'Weak password: based on personal login information'
    return ''


def _account(host: typing.Any, options: grammar.Options) -> Account:
    return commands.find(host.accounts, options['--id'], 'User')


def _change(host: typing.Any, options: grammar.Options, account: Account
            ) -> None:
    password = options.get('--password')
    if password != options.get('--password-confirmation'):
        raise grammar.Refused('Passwords do not match')
    if password is not None:
        why = weakness(password, options['--id'],
                       host.advanced[QUALITY].value)
        if why:
            raise grammar.Refused(why)
        account.password = password
    text = options.get('--description', account.description)
    if not text.isprintable():
        raise grammar.Refused('Invalid description')
    account.description = text


@commands.command('system account add')
def account_add(host: typing.Any, options: grammar.Options) -> None:
    name = commands.new(host.accounts, options['--id'], 'User')
    if not _NAME.fullmatch(name):
        raise grammar.Refused(f'Invalid user name {name!r}')
    if '--password' not in options:
        raise grammar.Refused('A password is needed')
    account = Account('')
    _change(host, options, account)
    host.accounts[name], host.keys[name] = account, []


@commands.command('system account set')
def account_set(host: typing.Any, options: grammar.Options) -> None:
    account = _account(host, options)
    _change(host, options, account)
    if '--shell-access' in options:
        if host.release < (8,):
            raise grammar.Refused("Invalid option '--shell-access'")
        account.shell = options['--shell-access'] == 'true'


@commands.command('system account remove')
def account_remove(host: typing.Any, options: grammar.Options) -> None:
    name = options['--id']
    _account(host, options)
    if name in accounts():
        raise grammar.Refused(f'{name} cannot be removed')
    for things in (host.accounts, host.keys, host.roles):
        things.pop(name, None)


@commands.command('system account list')
def account_list(host: typing.Any, _options: grammar.Options
                 ) -> output.Answer:
    return output.table('User ID|Description', [
        (name, account.description)
        for name, account in host.accounts.items()])


@commands.command('system permission set')
def permission_set(host: typing.Any, options: grammar.Options) -> None:
    if '--group' in options:
        raise grammar.Refused('A group: no directory is joined')
    _account(host, options)
    if options['--id'] in accounts():
        raise grammar.Refused(f'The role of {options["--id"]} is its own')
    host.roles[options['--id']] = options['--role']


def _keys(host: typing.Any, options: grammar.Options) -> list[str]:
    return commands.find(host.keys, options['--username'], 'User')


@commands.command(_KEY + 'add')
def key_add(host: typing.Any, options: grammar.Options) -> None:
    keys, key = _keys(host, options), options['--auth-key']
    words = key.split(' ')
    try:
        blob = base64.b64decode(words[1] if words[1:] else '', validate=True)
    except (binascii.Error, ValueError):
        blob = b''
    named = words[0].encode()
    if not key.isprintable() or not _KEY_TYPE.fullmatch(words[0]) \
            or not blob.startswith(len(named).to_bytes(4, 'big') + named):
        raise grammar.Refused('Invalid SSH key')
    keys.append(commands.new(dict.fromkeys(keys), key, 'Key'))


@commands.command(_KEY + 'remove')
def key_remove(host: typing.Any, options: grammar.Options) -> None:
    keys = _keys(host, options)
    key = options.get('--auth-key')
    if key is not None and key not in keys:
        raise grammar.Refused('SSH key not found')
    keys[:] = [other for other in keys if key not in (None, other)]


@commands.command(_KEY + 'list')
def key_list(host: typing.Any, options: grammar.Options) -> output.Answer:
    wanted = options.get('--username')
    if wanted:
        _keys(host, options)
    return output.table('Username|Auth Key', [
        (user, key) for user, keys in host.keys.items()
        for key in keys if wanted in (None, user)])


@commands.command('system ssh server config set')
def sshd_set(host: typing.Any, options: grammar.Options) -> None:
    keyword = options['--keyword']
    _, values = commands.find(_SSHD, keyword, 'Keyword')
    if '--value' not in options:
        raise grammar.Refused('Needs --value')
    if options['--value'] not in (values or (options['--value'],)):
        raise grammar.Refused(f'Invalid value of {keyword}')
    host.sshd[keyword] = options['--value']


@commands.command('system ssh server config list')
def sshd_list(host: typing.Any, options: grammar.Options) -> output.Answer:
    wanted = options.get('--keyword')
    if wanted is not None:
        commands.find(host.sshd, wanted, 'Keyword')
    return output.table('Key|Value', [
        one for one in host.sshd.items() if wanted in (None, one[0])])
