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

"""Runs the real disk-image-create, with our wheel in a venv of its own."""

import atexit
import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing

from tests import base
from tests.functional import command
from tests.functional import test_image

PROJECT = pathlib.Path(__file__).parents[2]
ELEMENT = 'esxi-installer'
RAW = ('-t', 'raw', '-o', 'x', ELEMENT)
"""Arguments of a run that makes no more than x.raw."""
MODULE = b'\x1f\x8b\x08' + bytes(7) + b'\x03\0' + bytes(8)
"""An empty file, packed by gzip."""
TREE = '"$TARGET_ROOT/boot/efi"'
"""Where the files of the image are, to the shell of a hook."""
OURS = test_image.SampleTests.OURS
NOBODY = 65534


@functools.cache
def _shelf() -> pathlib.Path:
    """A folder for what all tests of a process share; others may look."""
    folder = tempfile.mkdtemp(prefix='esxi-img-dib-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return pathlib.Path(folder)


@functools.cache
def wheel() -> pathlib.Path:
    """A wheel of this checkout; made once in a process."""
    source = _shelf() / 'source'
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns(
        '.*', 'build', 'cover', 'docs', 'tests', '__pycache__', '*.egg-info',
        '*.img', '*.iso'))
    test_image.run(
        sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
        '--wheel-dir', _shelf(), source,
        env={**os.environ, 'PBR_VERSION': '1.2.3'})
    result, = _shelf().glob('*.whl')
    return result


@functools.cache
def bins() -> pathlib.Path:
    """Programs of a venv with the wheel and all that it asks for."""
    venv = _shelf() / 'venv'
    test_image.run(sys.executable, '-m', 'venv', '--without-pip', venv)
    test_image.run(
        sys.executable, '-m', 'pip', '--python', venv / 'bin' / 'python',
        'install', '--quiet', wheel())
    return venv / 'bin'


@functools.cache
def elements() -> str:
    """What ELEMENTS_PATH is set to."""
    return test_image.run(bins() / 'esxi-img-elements', cwd=_shelf(),
                          env=command.environment()).strip()


class Place:
    """Folders of one run's own: temporary files, a home, the images."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.tmp, self.home, self.out = (
            folder / name for name in ('tmp', 'home', 'out'))
        for path in (self.tmp, self.home, self.out):
            path.mkdir(parents=True)

    def command(self, argv: list[str], first: str) -> list[str]:
        """A command that runs another, and notes what it leaves.

        :param first: shell that is run before, in a mount namespace of its
            own; it knows $place
        """
        apart = ['unshare', '--mount', '--propagation', 'private']
        return [*(apart if first else ()), 'bash', '-c', f"""
            set -e; place={shlex.quote(str(self.folder))}
            {first}
            # It may have been mounted upon.
            cd "$place/out"
            code=0; "$@" || code=$?
            cd "$place"
            cat /proc/self/mounts >mounts
            find tmp -mindepth 1 >files
            ls -A out >images
            exit $code""", 'bash', *argv]

    def noted(self, name: str) -> list[str]:
        """Lines of one of the notes."""
        return (self.folder / name).read_text().splitlines()

    def left(self) -> list[str]:
        """What the run has not cleared away."""
        loops = test_image.run('losetup', '--list', '--noheadings',
                               '--output', 'NAME,BACK-FILE')
        return [*self.noted('files'),
                *(str(path) for path in self.home.rglob('.download*')),
                *(line for line in loops.splitlines()
                  if f' {self.folder}/' in line),
                *(line for line in self.noted('mounts')
                  if f' {self.tmp}/' in line)]

    def give(self, uid: int) -> None:
        """Let another user work here."""
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, uid, uid)


def reachable(path: str) -> str:
    """Shell that lets all users reach a folder below a closed one.

    To be run in a mount namespace: nothing else is let in there, and only
    there.
    """
    closed = [folder for folder in pathlib.Path(path).parents
              if not folder.stat().st_mode & 1]
    if not closed:
        return ''
    path, cover = shlex.quote(path), shlex.quote(str(closed[-1]))
    return f"""
        mkdir "$place/kept"; mount --bind {path} "$place/kept"
        mount -t tmpfs -o mode=755 tmpfs {cover}
        mkdir -p {path}; mount --move "$place/kept" {path}
        rmdir "$place/kept"
    """


class TestCase(command.TestCase, test_image.ImageTestCase):
    """Builds in places of their own, and nothing may be left of any."""
    TOOLS = (*test_image.ImageTestCase.TOOLS, 'curl', 'losetup', 'mkfs.ext2',
             'ps', 'qemu-img', 'setpriv', 'sudo', 'unshare')

    def setUp(self) -> None:
        super().setUp()
        asked = subprocess.run(['sudo', '-n', 'losetup', '--find'],
                               capture_output=True, text=True)
        if asked.returncode:
            needs = f'needs root and loop devices: {asked.stderr.strip()}'
            if os.environ.get(base.REQUIRE_TOOLS):
                self.fail(needs)
            self.not_tested(needs)
        self.folder.chmod(0o755)
        self.runs = 0

    def environment(self, **variables: typing.Any) -> dict[str, str]:
        """The variables of a run in the place; None takes one away."""
        place = self.place
        return command.environment(**{
            'PATH': f'{os.environ["PATH"]}:/usr/sbin:/sbin',
            'PYTHONPYCACHEPREFIX': None, 'DIB_NO_TIMESTAMP': '1',
            'HOME': str(place.home), 'TMPDIR': str(place.tmp),
            'TMP_DIR': str(place.tmp), 'ELEMENTS_PATH': elements(),
            'DIB_IMAGE_CACHE': str(place.home / 'cache'),
            'DIB_ESXI_ISO': str(command.sample()),
            **{name: value if value is None else str(value)
               for name, value in variables.items()}})

    def dib(self, *arguments: command.Word, first: str = '',
            prefix: tuple[str, ...] = (), user: int | None = None,
            **variables: typing.Any) -> command.Done:
        """Run disk-image-create in a new place, ``self.place``.

        :param first: shell that is run before, in a mount namespace
        :param prefix: a command that starts it
        :param user: who runs it, if not we
        """
        self.runs += 1
        self.place = Place(self.folder / f'run{self.runs}')
        argv = [*prefix, str(bins() / 'disk-image-create'),
                *map(str, arguments)]
        if user is not None:
            self.place.give(user)
            argv = ['setpriv', f'--reuid={user}', f'--regid={user}',
                    '--clear-groups', *argv]
        done = subprocess.run(
            self.place.command(argv, first), cwd=self.place.out,
            env=self.environment(**variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
            encoding='utf-8', errors='backslashreplace')
        self.assertEqual([], self.place.left(), done.stdout)
        return command.Done(done.returncode, '', done.stdout)

    def built(self, *arguments: command.Word,
              **options: typing.Any) -> pathlib.Path:
        """The output folder of a run that went well."""
        self.log = self.dib(*arguments, **options)
        self.assertEqual((0, []), (self.log.code, self.log.errors),
                         self.log.stderr)
        return self.place.out

    def refused(self, pattern: str, *arguments: command.Word,
                **options: typing.Any) -> command.Done:
        """A run that ends with an error of ours, and leaves no image."""
        done = self.dib(*(arguments or RAW),
                        **options)
        self.assertNotEqual(0, done.code, done.stderr)
        self.assertRegex('\n'.join(done.errors), pattern, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual([], self.place.noted('images'), done.stderr)
        return done

    def cli(self, *options: command.Word,
            iso: command.Word | None = None) -> pathlib.Path:
        """The image that esxi-img makes with these options."""
        path = self.folder / 'cli.raw'
        test_image.run(
            bins() / 'esxi-img', iso or command.sample(), '-o', path,
            '--force', '--quiet', *options, cwd=self.folder,
            env=command.environment())
        return path

    def assert_same(self, want: pathlib.Path, image: pathlib.Path) -> None:
        """Byte for byte; a qcow2 image by its content."""
        if image.suffix == '.qcow2':
            test_image.run('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2',
                           want, image)
        else:
            test_image.run('cmp', want, image)

    def inspect(self, image: pathlib.Path) -> str:
        """What esxi-img-inspect says of an image that it finds sound."""
        return test_image.run(bins() / 'esxi-img-inspect', image,
                              cwd=self.folder, env=command.environment())

    def files(self, image: pathlib.Path,
              sector_size: int = 512) -> dict[str, str]:
        """sha256 of each file of a raw image, all of it sound to others."""
        part = self.partition(image, sector_size)
        self.assertNotIn('differ', test_image.run('fsck.vfat', '-nv', part))
        folder = self.tmp()
        test_image.run('mcopy', '-s', '-n', '-i', part, '::*', folder)
        self.inspect(image)
        return test_image.files_below(folder)

    def element(self, name: str, hooks: dict[str, str]) -> str:
        """Make an element; ELEMENTS_PATH that has it.

        :param hooks: shell, by the path of the hook
        """
        for path, text in hooks.items():
            hook = self.folder / 'elements' / name / path
            hook.parent.mkdir(parents=True, exist_ok=True)
            hook.write_text(f'#!/bin/bash\nset -eu\n{text}\n')
            hook.chmod(0o755)
        return f'{self.folder / "elements"}:{elements()}'
