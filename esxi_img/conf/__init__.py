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

"""Where options come from: the command line, then a configuration file.

oslo.config parses both, but apart, because together it adds a list of the
command line to the file's, lets a file that is named later win over the
command line, reads the environment and folders of the user's home, and
passes over keys that it does not know.
"""

import argparse
import collections.abc
import contextlib
import copy
import io
import os
import re
import string
import typing

from oslo_config import cfg

from esxi_img.conf import opts
from esxi_img import errors
from esxi_img import options

DEFAULT_FILE = '/etc/esxi-img/esxi-img.conf'

list_opts = opts.list_opts


class _Values(cfg.ConfigOpts):
    """ConfigOpts that takes values as they are: a hash is full of "$"."""

    class Template(string.Template):
        delimiter = '\0'


class _CommandLine(_Values):
    """ConfigOpts for the command line alone."""

    # Its templates are not in oslo.config's wheel.
    supported_shell_completion: list[str] = []

    def __init__(self) -> None:
        super().__init__()
        self.unregister_opt(self._shell_completion_opt)

    @staticmethod
    def _make_config_options(*_: typing.Any) -> list[cfg.Opt]:
        # No --config-dir, and no file parsed amid the command line.
        return []

    def _pre_setup(self, *args: typing.Any) -> typing.Any:
        result = super()._pre_setup(*args)
        self._oparser.error = _usage
        self._oparser.allow_abbrev = False
        return result


def _usage(message: str) -> typing.NoReturn:
    raise errors.RequestError(message, hint='esxi-img --help')


def load(argv: collections.abc.Sequence[str], prog: str, version: str,
         default_file: str = DEFAULT_FILE) -> tuple[
             options.Options, 'Talk']:
    """The options of a command line and of the configuration file.

    :raises RequestError: usage, a bad value, an unknown key in a file
    """
    cli = _command_line(argv, prog, version)
    file = file_values(cli.config_file, default_file)
    values = {}
    for opt in opts.FILE_OPTS:
        given = getattr(cli, opt.dest)
        values[opt.dest] = file[opt.dest] if given is None else given
    for name in ('iso', 'output', 'instance_info', 'upload', 'image_name'):
        values[name] = getattr(cli, name)
    for name in ('force', 'dry_run', 'manifest', 'glance_command'):
        values[name] = bool(getattr(cli, name))
    if not values['iso']:
        _usage('the ISO is missing')
    return options_of(values), Talk(
        json=bool(cli.json), quiet=bool(cli.quiet), debug=bool(cli.debug))


def parser(prog: str) -> argparse.ArgumentParser:
    """Of the command line, for man pages and shell completion."""
    found = _command_line(['ISO'], prog, '')._oparser
    # oslo.config checks choices itself, so argparse does not know them.
    choices = {opt.dest: list(opt.type.choices) for opt in opts.FILE_OPTS
               if getattr(opt.type, 'choices', None)}
    for action in found._actions:
        action.choices = choices.get(action.dest, action.choices)
    return found


def options_of(values: dict[str, typing.Any]) -> options.Options:
    """The frozen value of what oslo.config has parsed, by option."""
    return options.Options(**{
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()})


class Talk(typing.NamedTuple):
    """How the program talks; changes nothing of what it does."""

    json: bool = False
    quiet: bool = False
    debug: bool = False


def _command_line(argv: collections.abc.Sequence[str], prog: str,
                  version: str) -> cfg.ConfigOpts:
    """The command line alone: what it does not say is None."""
    conf = _CommandLine()
    for opt in [*opts.CLI_OPTS, *opts.FILE_OPTS]:
        silent = copy.copy(opt)
        silent.default = None
        conf.register_cli_opt(silent)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            conf(_joined(argv), prog=prog, version=version,
                 description='Turn the ESXi installer ISO into a whole-disk '
                             'image that OpenStack deploys on bare metal.',
                 default_config_files=[], default_config_dirs=[],
                 use_env=False)
    except SystemExit as end:
        if not end.code:
            raise
        # A value of the wrong type: oslo.config prints and exits with 1.
        _usage(_readable(said.getvalue()))
    except cfg.RequiredOptError:
        _usage('the ISO is missing')
    return conf


def _readable(said: str) -> str:
    """oslo.config's complaint about a value, in our words."""
    said = re.sub('--[a-z_0-9]+', lambda name: name[0].replace('_', '-'),
                  _one_line(said))
    return re.sub(r'Invalid \w+\(choices=\[(.*)\]\) value: (.*)',
                  r'\2 is none of \1', said).replace("'", '')


def _joined(argv: collections.abc.Sequence[str]) -> list[str]:
    """Options whose value starts with "--", in one word with it.

    argparse would take the value for an option of its own.
    """
    result: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word == '--':
            return [*result, word, *rest]
        if word in ('--install-option', '--kernel-option',
                    '--installed-kernel-option'):
            value = next(rest, None)
            word = word if value is None else f'{word}={value}'
        result.append(word)
    return result


def file_values(named: list[str] | None,
                default_file: str = DEFAULT_FILE) -> dict[str, typing.Any]:
    """The values of the files, later ones first, and the defaults.

    :raises RequestError: a file cannot be read, or has what is no option
    """
    paths = named or [default_file] * os.path.exists(default_file)
    for path in paths:
        _check_file(path)
    conf = _Values()
    conf.register_opts(opts.FILE_OPTS)
    try:
        conf([], default_config_files=paths, default_config_dirs=[],
             use_env=False)
        return {opt.dest: getattr(conf, opt.dest) for opt in opts.FILE_OPTS}
    except (cfg.Error, ValueError) as error:
        raise errors.RequestError(
            f'{", ".join(paths)}: {in_our_words(error)}') from error


def in_our_words(error: Exception) -> str:
    """oslo.config's complaint about a value, in one line."""
    said = re.sub(r' from LocationInfo\(.*\) is', ' is', _one_line(error))
    return re.sub(r'OrderedDict\((.*)\)', _choices, said)


def _choices(found: re.Match[str]) -> str:
    """The values alone, out of a dictionary's printed form."""
    return ', '.join(re.findall(r"\('?(\w+)'?, ", found[1]))


def _check_file(path: str) -> None:
    """Refuse a file with anything in it that is no option.

    :raises RequestError: it cannot be read, or has an unknown section or key
    """
    # It is read twice, which a pipe cannot be.
    if os.path.exists(path) and not os.path.isfile(path):
        raise errors.RequestError(
            f'configuration file {path}: is not a regular file')
    sections: dict[str, dict[str, typing.Any]] = {}
    try:
        cfg.ConfigParser(path, sections).parse()
    except OSError as error:
        raise errors.RequestError(
            f'configuration file {path}: '
            f'{_one_line(error.strerror).lower()}'
        ) from error
    except cfg.ParseError as error:
        # Without the line itself: it may be of a file with secrets.
        raise errors.RequestError(
            f'configuration file {path}:{error.lineno}: '
            f'{_one_line(error.msg).lower()}') from None
    except ValueError:
        raise errors.RequestError(
            f'configuration file {path}: is not UTF-8') from None
    known = {opt.dest for opt in opts.FILE_OPTS}
    cli_only = {opt.dest for opt in opts.CLI_OPTS}
    found = []
    for section, keys in sections.items():
        if section != 'DEFAULT':
            found.append(f'{path}: unknown section [{section}]')
            continue
        for key in keys:
            if key in cli_only:
                found.append(f'{path}: {key} can only be given on the '
                             'command line')
            elif key not in known:
                meant = key.replace('-', '_')
                found.append(f'{path}: unknown key {key}' + (
                    f' (it is spelt {meant})' if meant in known else ''))
    if found:
        raise errors.RequestError(*found)


def _one_line(error: typing.Any) -> str:
    return ' '.join(str(error).split()) or 'cannot be read'
