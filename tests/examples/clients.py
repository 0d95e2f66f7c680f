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

"""Judges commands that need a cloud, a service or an hour.

Each goes through its program's own parser, which is all that is run of it.
To let examples use another program, add it to ``JUDGES``.
"""

import collections.abc
import contextlib
import functools
import getopt
import importlib
import importlib.metadata
import io
import pathlib
import re
import subprocess
import sys
import types
import typing
import warnings

import diskimage_builder

from esxi_img import conf
from esxi_img import errors
from tests.examples import pages
from tests.examples import shell

Words = collections.abc.Sequence[str]

PLAIN = ('[', 'cat', 'cd', 'chmod', 'cp', 'cut', 'echo', 'grep', 'head', 'ls',
         'mkdir', 'mv', 'printf', 'rm', 'sha256sum', 'sleep', 'tee', 'test',
         'true')
"""Their words are not judged; an example needs more than these."""

_ARGPARSE = '''
import argparse, runpy, sys
parse = argparse.ArgumentParser.parse_args
def stop(*args, **options):
    parse(*args, **options)
    sys.exit()
argparse.ArgumentParser.parse_args = stop
how, name, *words = sys.argv[1:]
sys.argv = [name, *words]
getattr(runpy, how)(name, run_name='__main__')
sys.exit('it has no parser')
'''
_PIP = '''
import sys
from pip._internal import commands
from pip._internal.cli import main_parser
name, words = main_parser.parse_command(sys.argv[1:])
commands.create_command(name).parse_args(words)
'''
_TOX = '''
import sys
from tox import run
state = run.setup_state(sys.argv[1:])
list(state.envs.iter(only_active=True))
sys.exit(' '.join(state.conf.options.remainder or ()) or None)
'''

MODULES = ('-m build', '-m unittest', '-m venv')
"""They call argparse before they do anything."""

_DIB = pathlib.Path(diskimage_builder.__file__).parent
_ELEMENTS = (_DIB / 'elements', pages.ROOT / 'elements',
             pages.INCLUDED[0] / 'elements')
_DISTRIBUTION = 'esxi-img'


class Refused(Exception):
    """The program would not take these words."""


def check(words: Words) -> bool:
    """One command; whether a parser has judged it.

    :raises Refused: its parser refuses the words, or it has none here
    """
    name, rest = pathlib.PurePosixPath(words[0]).name, words[1:]
    if name in PLAIN:
        return False
    if name in WRAPPERS:
        rest = _wrapped(name, rest)
        return bool(rest) and check(rest)
    if name in _ours():
        _own(name, rest)
        return True
    if name not in JUDGES:
        raise Refused(
            f'{name} has no parser here: use {", ".join(sorted(JUDGES))}, or '
            f'add it to {pathlib.Path(__file__).relative_to(pages.ROOT)}')
    JUDGES[name](rest)
    return True


@contextlib.contextmanager
def _refusing() -> collections.abc.Iterator[None]:
    """What a parser says on its way out."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), \
                contextlib.redirect_stdout(io.StringIO()), \
                warnings.catch_warnings():
            # What clients warn of is their own code.
            warnings.simplefilter('ignore')
            yield
    except SystemExit as end:
        if end.code:
            raise Refused(_last_line(said.getvalue()) or str(end.code))
    except errors.EsxiImgError as error:
        raise Refused('; '.join(error.problems))


def _run(*argv: str) -> None:
    """A program that has to like its words."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, cwd=pages.ROOT, timeout=60)
    if done.returncode:
        raise Refused(_last_line(done.stderr or done.stdout))


def _last_line(said: str) -> str:
    return said.strip().rpartition('\n')[2]


# -- ours ------------------------------------------------------------------

@functools.cache
def _ours() -> dict[str, importlib.metadata.EntryPoint]:
    found = importlib.metadata.distribution(_DISTRIBUTION).entry_points
    return {one.name: one for one in found
            if one.group == 'console_scripts'}


def _own(name: str, words: Words) -> None:
    with _refusing():
        if name == _DISTRIBUTION:
            conf.load(words, name, '', default_file='')
        else:
            importlib.import_module(
                _ours()[name].module).parser().parse_args(words)


# -- openstack -------------------------------------------------------------

@functools.cache
def _openstack() -> typing.Any:
    """The client with all its plugins, but without a cloud."""
    from openstackclient import shell as client
    app = client.OpenStackShell()
    defaults = vars(app.parser.parse_args([]))
    app.cloud = types.SimpleNamespace(config={
        name.removeprefix('os_'): value for name, value in defaults.items()
        if value is not None})
    app._load_plugins()
    app._load_commands()
    # Some options are only there where Neutron is.
    app.client_manager = types.SimpleNamespace(
        is_network_endpoint_enabled=lambda: True)
    return app


def _cloud(words: Words) -> None:
    with _refusing():
        app = _openstack()
        app.options, rest = app.parser.parse_known_args(words)
        try:
            command, name, rest = app.command_manager.find_command(rest)
        except ValueError as error:
            raise Refused(str(error))
        parser = command(app, None, cmd_name=name).get_parser(name)
        parser.allow_abbrev = False
        parser.parse_args(rest)


# -- of Python -------------------------------------------------------------

def _python(words: Words) -> None:
    """A module or a script of the checkout that calls argparse."""
    name = ' '.join(words[:2])
    script = pages.ROOT / name.partition(' ')[0]
    if name == '-m pip':
        _pip(words[2:])
    elif name in MODULES:
        _run(sys.executable, '-c', _ARGPARSE, 'run_module', *words[1:])
    elif script.parent == pages.ROOT / 'tools' and script.is_file() \
            and 'import argparse' in script.read_text():
        _run(sys.executable, '-c', _ARGPARSE, 'run_path', *words)
    else:
        raise Refused(f'python {name}: use a script of tools/ that calls '
                      f'argparse, "-m pip" or one of {", ".join(MODULES)}')


def _pip(words: Words) -> None:
    _run(sys.executable, '-c', _PIP, *words)


def _pipx(words: Words) -> None:
    _run(sys.executable, '-c', _ARGPARSE, 'run_module', 'pipx', *words)


def _tox(words: Words) -> None:
    _run(sys.executable, '-c', _TOX, *words)


# -- others ----------------------------------------------------------------

def _make(words: Words) -> None:
    text = (pages.ROOT / 'Makefile').read_text()
    for word in words:
        name, equals, _ = word.partition('=')
        # make itself takes a folder for a target that is up to date.
        sign = r' \?=' if equals else ':'
        if not re.search(f'(?m)^{re.escape(name)}{sign}', text):
            raise Refused(f'the Makefile has no {name}')
    _run('make', '--dry-run', *words)


def _disk_image_create(words: Words) -> None:
    """As its own getopt has it; all that is left are elements."""
    text = (_DIB / 'lib' / 'disk-image-create').read_text()
    short, long = re.search(r'getopt -o (\S+) -l (\S+) ', text).groups()
    try:
        _, elements = getopt.gnu_getopt(
            list(words), short, long.replace(':', '=').split(','))
    except getopt.GetoptError as error:
        raise Refused(error.msg)
    unknown = [name for name in elements
               if not any((folder / name).is_dir() for folder in _ELEMENTS)]
    if unknown or not elements:
        raise Refused(f'no such elements: {", ".join(unknown)}')


def _git(words: Words) -> None:
    """A command and its options, as its own usage has them."""
    name, rest = words[0], words[1:]
    usage = subprocess.run(
        ['git', name, '-h'], text=True, cwd=pages.ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    if not usage.startswith('usage:'):
        raise Refused(f'git has no {name}')
    for word in rest:
        option = re.escape(word.partition('=')[0].lstrip('-'))
        if word.startswith('-') and not re.search(
                rf'(?m)^ +(.*, )?--?(\[no-\])?{option}\b', usage):
            raise Refused(f'git {name} has no {word}')


WRAPPERS = {'env': 'iu:', 'nohup': '', 'sudo': 'EHnu:', 'time': '',
            'xargs': '0rn:I:L:P:'}
"""Their options, as getopt has them; then comes a command."""


def _wrapped(name: str, words: Words) -> Words:
    try:
        _, rest = getopt.getopt(list(words), WRAPPERS[name])
    except getopt.GetoptError as error:
        raise Refused(f'{name}: {error.msg}')
    while rest and name in ('env', 'sudo') and '=' in rest[0]:
        del rest[0]
    if name == 'xargs':
        rest.append(shell.VALUE)
    return tuple(rest)


JUDGES: dict[str, collections.abc.Callable[[Words], None]] = {
    'disk-image-create': _disk_image_create,
    'git': _git,
    'make': _make,
    'openstack': _cloud,
    'pip': _pip,
    'pipx': _pipx,
    'python': _python,
    'python3': _python,
    'tox': _tox,
}
