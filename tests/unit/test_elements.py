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


import contextlib
import fcntl
import hashlib
import importlib.metadata
import io
import logging
import os
import pathlib
import re
import stat
import subprocess
from unittest import mock

import diskimage_builder
from diskimage_builder import element_dependencies

from esxi_img.cmd import elements as command
from esxi_img import dib
from esxi_img import elements
from esxi_img import errors
from tests import base

FOLDER = base.FIXTURES.parents[1] / 'elements'
THEIRS = pathlib.Path(diskimage_builder.__file__).parent / 'elements'
OURS = ['block-device-esxi', 'esxi-firstboot', 'esxi-installer']
HEAD = '''#!/bin/bash

if [ "${DIB_DEBUG_TRACE:-0}" -gt 0 ]; then
    set -x
fi
set -eu
set -o pipefail

'''
PHASES = ('root.d', 'extra-data.d', 'post-root.d', 'block-device.d',
          'pre-finalise.d', 'cleanup.d')
"""Folders of hooks outside the image, in the order of their running."""

URL = 'https://example.com/vmware/esxi.iso'


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


class OnDiskTests(base.TestCase):
    """What diskimage-builder expects of the files."""

    def hooks(self):
        found = [path for phase in PHASES
                 for path in FOLDER.glob(f'*/{phase}/*')]
        self.assertLessEqual(4, len(found))
        return found

    def test_these_elements(self):
        self.assertEqual(OURS, sorted(
            path.name for path in FOLDER.iterdir() if path.is_dir()))

    def test_every_folder_is_one_that_is_run(self):
        for path in FOLDER.glob('*/*'):
            if path.is_dir():
                self.assertIn(path.name, [*PHASES, 'environment.d'])
                self.assertNotIn(path.name, dib.IN_TARGET)

    def test_hooks_are_run(self):
        for path in self.hooks():
            self.assertEqual(0o755, stat.S_IMODE(path.stat().st_mode), path)
            # dib-run-parts passes over other names, without a word.
            self.assertRegex(path.name, '^[0-9]{2}-[0-9A-Za-z_-]+$')

    def test_hooks_start_as_diskimage_builder_s_own(self):
        theirs = (THEIRS / 'base/install.d/00-up-to-date').read_text()
        for part in ('#!/bin/bash', 'DIB_DEBUG_TRACE:-0}', 'set -x',
                     'set -eu\nset -o pipefail\n'):
            self.assertIn(part, HEAD)
            self.assertIn(part, theirs)
        for path in self.hooks():
            self.assertTrue(path.read_text().startswith(HEAD), path)

    def test_hooks_are_bash(self):
        self.require('bash')
        for path in [*self.hooks(), *FOLDER.glob('*/environment.d/*')]:
            subprocess.run(['bash', '-n', path], check=True)

    def test_no_two_hooks_of_one_name(self):
        # All elements' hooks are copied into one folder.
        names = [path.relative_to(path.parents[1]) for path in [
            *self.hooks(), *THEIRS.glob('base/*.d/*'),
            *THEIRS.glob('cache-url/*.d/*')]]
        self.assertEqual(len(names), len(set(names)))

    def test_environment_is_sourced_not_run(self):
        found = list(FOLDER.glob('*/environment.d/*'))
        self.assertTrue(found)
        for path in found:
            self.assertEqual(0o644, stat.S_IMODE(path.stat().st_mode))
            self.assertRegex(path.name, r'^[0-9]{2}-[0-9A-Za-z_.-]+\.bash$')
            self.assertFalse(path.read_text().startswith('#!'))

    def test_lists_are_sorted(self):
        found = [*FOLDER.glob('*/element-deps'),
                 *FOLDER.glob('*/element-provides')]
        self.assertEqual(3, len(found))
        for path in found:
            names = path.read_text().splitlines()
            self.assertEqual(sorted(set(names)), names, path)
            self.assertTrue(path.read_text().endswith('\n'))

    def test_dependencies_are_there(self):
        for path in FOLDER.glob('*/element-deps'):
            for name in path.read_text().split():
                self.assertTrue((FOLDER / name).is_dir()
                                or (THEIRS / name).is_dir(), name)

    def test_diskimage_builder_puts_them_together(self):
        for wanted in (['base', 'esxi-installer'], ['esxi-installer']):
            found = dict(element_dependencies.get_elements(
                wanted, f'{FOLDER}:{THEIRS}'))
            self.assertEqual({*wanted, *OURS, 'cache-url'}, set(found))
            self.assertEqual([], dib.problems(
                dib.Request('esxi', ('raw',), elements=found),
                {name: os.listdir(path) for name, path in found.items()}))

    def test_no_element_of_a_linux_system_comes_along(self):
        # diskimage-builder's own complaint.
        logging.disable(logging.ERROR)
        self.addCleanup(logging.disable, logging.NOTSET)
        for name in ('vm', 'bootloader', 'ubuntu-minimal', 'fedora'):
            with self.assertRaises(
                    (element_dependencies.AlreadyProvidedException,
                     errors.RequestError)):
                found = dict(element_dependencies.get_elements(
                    ['base', 'esxi-installer', name], f'{FOLDER}:{THEIRS}'))
                problems = dib.problems(
                    dib.Request('esxi', elements=found),
                    {name: os.listdir(path)
                     for name, path in found.items()})
                if problems:
                    raise errors.RequestError(*problems)

    def test_phases_are_those_of_the_command(self):
        called = {found for path in self.hooks()
                  for found in re.findall(r'-m esxi_img\.cmd\.element (\w+)',
                                          path.read_text())}
        self.assertEqual({'check', 'unpack', 'install', 'image'}, called)


class EnvironmentTests(base.TestCase):

    def target(self, **environ):
        self.require('bash')
        path, = FOLDER.glob('*/environment.d/*')
        # As dib-run-parts does it.
        return subprocess.run(
            ['bash', '-euc', f'source {path}; bash -uc '
             '\'printf "%s %s" "$DISTRO_NAME" "$TARGET_ROOT"\''],
            check=True, text=True, stdout=subprocess.PIPE, env={
                'PATH': os.environ['PATH'], **environ}).stdout

    def test_target_root(self):
        for environ, wanted in (
                # root.d and cleanup.d, and all others.
                ({'TARGET_ROOT': '/a/mnt', 'TMP_MOUNT_PATH': '/b'}, '/a/mnt'),
                ({'TMP_MOUNT_PATH': '/b'}, '/b'),
                ({'TARGET_ROOT': '', 'TMP_MOUNT_PATH': '/b'}, '/b'),
                # Within the build's chroot there is no such folder.
                ({}, '')):
            self.assertEqual(f'esxi {wanted}', self.target(**environ))

    def test_none_of_our_options_gets_into_the_log(self):
        path, = FOLDER.glob('*/environment.d/*')
        self.assertNotIn('DIB_ESXI', path.read_text())


class HookCase(base.TestCase):
    """Runs hooks with stand-ins for all that they call."""

    def setUp(self):
        super().setUp()
        self.require('bash', 'flock', 'sha256sum', 'timeout')
        self.folder = self.tmp()
        self.log = self.folder / 'log'
        self.root = self.folder / 'mnt'
        self.hooks = self.folder / 'hooks'
        self.cache = self.folder / 'cache'
        self.locks = self.folder / 'locks'
        for folder in (self.root, self.cache, self.locks):
            folder.mkdir()
        for phase in ('root', 'pre-install', 'install', 'post-install',
                      'finalise', 'extra-data', 'environment', 'cleanup'):
            (self.hooks / f'{phase}.d').mkdir(parents=True)
            (self.hooks / f'{phase}.d' / '10-of-base').touch()
        self.program('bin/sudo', 'echo "sudo $*" >> "$LOG"')
        self.program('bin/python', 'echo "python $*" >> "$LOG"')
        self.program('hooks/bin/cache-url',
                     'echo "cache-url $1 $2" >> "$LOG"\n'
                     'mkdir -p "$(dirname "$2")"; echo iso > "$2"')

    def program(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/bash\n{text}\n')
        path.chmod(0o755)

    def run_hook(self, name, seconds=60, **environ):
        """Its status, what it called, and what it said on stderr."""
        path, = FOLDER.glob(f'*/*/{name}')
        self.log.write_text('')
        done = subprocess.run(
            ['timeout', str(seconds), path], text=True, capture_output=True,
            cwd=self.folder, env={
                'PATH': f'{self.folder}/bin:{os.environ["PATH"]}',
                'LOG': str(self.log), 'TARGET_ROOT': str(self.root),
                'TMP_HOOKS_PATH': str(self.hooks),
                'TMP_BUILD_DIR': str(self.hooks),
                'TMP_IMAGE_DIR': str(self.root),
                'DIB_IMAGE_CACHE': str(self.cache),
                'DIB_LOCKFILES': str(self.locks),
                'DIB_PYTHON_EXEC': f'{self.folder}/bin/python', **environ})
        return done.returncode, lines(self.log), done.stderr


class CheckHookTests(HookCase):

    def phases(self):
        return sorted(path.name for path in self.hooks.glob('*.d'))

    def test_hooks_of_base_are_dropped(self):
        status, called, _ = self.run_hook('01-esxi-check', DIB_ESXI_ISO='x')
        self.assertEqual((0, ['python -m esxi_img.cmd.element check']),
                         (status, called))
        self.assertEqual(['cleanup.d', 'environment.d', 'extra-data.d',
                          'root.d'], self.phases())

    def test_a_refusal_ends_the_build(self):
        before = self.phases()
        self.program('bin/python', 'exit 3')
        self.assertEqual(3, self.run_hook('01-esxi-check')[0])
        self.assertEqual(before, self.phases())

    def test_the_iso(self):
        self.program('bin/python', 'echo "$DIB_ESXI_ISO" >> "$LOG"')
        for environ, wanted in (
                ({}, ''), ({'DIB_LOCAL_IMAGE': 'local'}, 'local'),
                ({'DIB_LOCAL_IMAGE': 'local', 'DIB_ESXI_ISO': 'a b'}, 'a b'),
                ({'DIB_LOCAL_IMAGE': 'local', 'DIB_ESXI_ISO': ''}, 'local')):
            self.assertEqual((0, [wanted]), self.run_hook(
                '01-esxi-check', **environ)[:2])


class IsoHookTests(HookCase):

    def unpacked(self, **environ):
        """What is fetched, and the path that is unpacked."""
        status, called, said = self.run_hook('10-esxi-iso', **environ)
        self.assertEqual(0, status, said)
        fetched = [line.split()[1:] for line in called
                   if line.startswith('cache-url')]
        unpack, = (line for line in called if line.startswith('python'))
        head, _, path = unpack.partition(' -- ')
        self.assertEqual('python -m esxi_img.cmd.element unpack', head)
        self.assertEqual(unpack, called[-1])
        return fetched, path

    def test_paths(self):
        for environ, wanted in (
                ({'DIB_ESXI_ISO': '/a/my esxi.iso'}, '/a/my esxi.iso'),
                ({'DIB_ESXI_ISO': 'file:///a/esxi.iso'}, '/a/esxi.iso'),
                ({'DIB_ESXI_ISO': '-x.iso'}, '-x.iso'),
                ({'DIB_LOCAL_IMAGE': 'esxi.iso'}, 'esxi.iso'),
                ({'DIB_LOCAL_IMAGE': 'no', 'DIB_ESXI_ISO': 'x'}, 'x')):
            self.assertEqual(([], wanted), self.unpacked(**environ))

    def test_the_tree_is_ours(self):
        _, called, _ = self.run_hook('10-esxi-iso', DIB_ESXI_ISO='x')
        efi = f'{self.root}/boot/efi'
        self.assertIn(f'sudo mkdir -p {efi}', called)
        self.assertIn(f'sudo chown {os.getuid()}:{os.getgid()} {efi}',
                      called)
        for name in ('dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'var/log'):
            self.assertIn(f'sudo mkdir -p {self.root}/{name}', called)

    def test_no_root_is_not_the_machine_s_own(self):
        status, called, _ = self.run_hook('10-esxi-iso', DIB_ESXI_ISO='x',
                                          TARGET_ROOT='')
        self.assertNotEqual(0, status)
        self.assertEqual([], called)

    def test_urls(self):
        digest = hashlib.sha256(URL.encode()).hexdigest()[:16]
        ((url, cached),), path = self.unpacked(DIB_ESXI_ISO=URL)
        self.assertEqual((URL, cached), (url, path))
        self.assertTrue(cached.startswith(f'{self.cache}/esxi-{digest}'))
        # One at a time may fetch it.
        lock, = os.listdir(self.locks)
        self.assertTrue(lock.startswith(f'esxi-{digest}'))
        # cache-url itself asks whether there is a newer one.
        self.assertEqual(([[URL, cached]], cached),
                         self.unpacked(DIB_LOCAL_IMAGE=URL))

    def test_urls_that_end_alike(self):
        names = set()
        for url in (URL, 'http://example.com/vmware/esxi.iso',
                    'https://example.com/other/esxi.iso', f'{URL}?version=1',
                    f'{URL}?version=2', f'{URL}?path=a/b', f'{URL}#x/y'):
            (_, cached), = self.unpacked(DIB_ESXI_ISO=url)[0]
            self.assertRegex(
                os.path.relpath(cached, self.cache),
                '^esxi-[0-9a-f]{16}[-/]esxi[.]iso$')
            names.add(cached)
        self.assertEqual(7, len(names))

    def test_urls_without_a_name(self):
        for url in ('https://example.com/', 'https://example.com/esxi/?x=y'):
            (_, cached), = self.unpacked(DIB_ESXI_ISO=url)[0]
            self.assertTrue(os.path.isfile(cached))

    def stopped(self, name):
        """A file beside the cached one, and a fetch that has to wait."""
        (_, cached), = self.unpacked(DIB_ESXI_ISO=URL)[0]
        beside = pathlib.Path(cached).parent / name
        beside.touch()
        lock, = self.locks.iterdir()
        with open(lock, 'w') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            status, called, _ = self.run_hook('10-esxi-iso', seconds=0.5,
                                              DIB_ESXI_ISO=URL)
        # 124: it had to be stopped.
        self.assertEqual((124, []), (status, called))
        return beside

    def test_a_fetch_waits_for_another(self):
        self.stopped('other')

    def test_what_another_has_fetched_so_far_is_not_ours_to_remove(self):
        self.assertTrue(self.stopped('.download.other').exists())

    def test_offline(self):
        status, called, said = self.run_hook(
            '10-esxi-iso', DIB_ESXI_ISO=URL, DIB_OFFLINE='1')
        self.assertEqual((4, []), (status, called))
        self.assertRegex(said, '(?m)^error: .*esxi.iso is not there')
        self.assertRegex(said, '(?m)^hint: .*--offline')
        _, cached = self.unpacked(DIB_ESXI_ISO=URL)
        self.assertEqual(([], cached), self.unpacked(
            DIB_ESXI_ISO=URL, DIB_OFFLINE='1'))

    def test_a_failed_fetch_ends_the_build(self):
        self.program('hooks/bin/cache-url', 'mkdir -p "$(dirname "$2")"\n'
                     'echo half > "$(dirname "$2")/.download.X"; exit 22')
        status, called, said = self.run_hook('10-esxi-iso', DIB_ESXI_ISO=URL)
        self.assertEqual((4, []), (status, called))
        self.assertRegex(said, '(?m)^error: ')
        # Nothing half fetched is left, and none of it is taken for whole.
        self.assertEqual([], [path for path in self.cache.rglob('*')
                              if path.is_file()])
        self.assertEqual(4, self.run_hook(
            '10-esxi-iso', DIB_ESXI_ISO=URL, DIB_OFFLINE='1')[0])

    def test_a_refusal_ends_the_build(self):
        self.program('bin/python', 'exit 3')
        self.assertEqual(3, self.run_hook('10-esxi-iso', DIB_ESXI_ISO='x')[0])


class LaterHookTests(HookCase):

    def setUp(self):
        super().setUp()
        (self.root / 'boot' / 'efi').mkdir(parents=True)

    def test_install(self):
        self.assertEqual(
            'python -m esxi_img.cmd.element install',
            self.run_hook('50-esxi-firstboot')[1][-1])

    def test_image(self):
        efi = self.root / 'boot' / 'efi'
        # The stand-in for sudo leaves the owner alone.
        (efi / 'folder').mkdir()
        (efi / 'folder' / 'file').touch()
        (efi / 'folder' / 'file').chmod(0)
        (efi / 'folder').chmod(0o700)
        status, called, said = self.run_hook(
            '90-esxi-image', IMAGE_BLOCK_DEVICE=str(self.folder / 'image0'))
        self.assertEqual((0, [
            f'sudo chown -R {os.getuid()}:{os.getgid()} {efi}',
            'python -m esxi_img.cmd.element image']), (status, called), said)
        self.assertEqual(0o400, stat.S_IMODE(
            (efi / 'folder' / 'file').stat().st_mode))

    def test_the_tree_is_ours_before_it_is_edited(self):
        # An element of root.d may have replaced a boot.cfg with sudo.
        _, called, _ = self.run_hook('50-esxi-firstboot')
        self.assertIn(f'sudo chown -R {os.getuid()}:{os.getgid()} '
                      f'{self.root}/boot/efi', called[:-1])

    def test_no_layout(self):
        status, called, _ = self.run_hook('90-esxi-image')
        self.assertNotEqual(0, status)
        self.assertEqual([], called)

    def test_refusals_end_the_build(self):
        self.program('bin/python', 'exit 3')
        for name in ('50-esxi-firstboot', '90-esxi-image'):
            self.assertEqual(3, self.run_hook(
                name, IMAGE_BLOCK_DEVICE='image0')[0])


class PathTests(base.TestCase):

    def only(self, folder):
        """As if elements were nowhere but in this folder, if anywhere."""
        real = os.path.isfile
        return mock.patch.object(
            os.path, 'isfile', autospec=True, side_effect=lambda path: (
                real(path) and bool(folder)
                and os.path.realpath(path).startswith(str(folder))))

    def installed(self, *names, version='1.0'):
        """A wheel's record, of a package two folders below a folder."""
        folder = self.tmp().resolve()
        site = folder / 'lib' / 'site-packages'
        record = site / 'esxi_img-1.0.dist-info'
        record.mkdir(parents=True)
        (record / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: esxi-img\nVersion: {version}\n')
        (record / 'RECORD').write_text(
            ''.join(f'{name},,\n' for name in names))
        for name in names:
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return folder, mock.patch.object(
            importlib.metadata, 'distribution', autospec=True,
            return_value=importlib.metadata.PathDistribution(record))

    def test_checkout(self):
        self.assertEqual(str(FOLDER.resolve()), elements.path())

    def test_as_installed(self):
        mark = 'share/esxi-img/elements/esxi-installer/element-deps'
        for name in (f'../{mark}', f'../../{mark}', mark):
            folder, patch = self.installed(
                'esxi_img/__init__.py',
                name.replace('element-deps', 'element-provides'), name)
            with patch, self.only(folder):
                found = elements.path()
            self.assertTrue(os.path.isfile(
                os.path.join(found, 'esxi-installer', 'element-deps')))
            self.assertEqual(os.path.realpath(found), found)
            self.assertTrue(found.endswith('/share/esxi-img/elements'))

    def test_a_record_that_is_no_longer_true(self):
        folder, patch = self.installed(
            '../share/esxi-img/elements/esxi-installer/element-deps')
        with patch, self.only(None):
            with self.assertRaises(errors.EnvironmentFailed) as caught:
                elements.path()
        self.assertIn('share/esxi-img/elements', str(caught.exception))
        self.assertIn('install', caught.exception.hint)

    def test_nowhere(self):
        for outcome in (importlib.metadata.PackageNotFoundError('esxi-img'),
                        None):
            # An installer need not leave a record.
            given = mock.Mock(spec=importlib.metadata.Distribution,
                              files=None)
            with mock.patch.object(
                    importlib.metadata, 'distribution', autospec=True,
                    side_effect=outcome, return_value=given):
                with self.only(None), self.assertRaises(
                        errors.EnvironmentFailed):
                    elements.path()

    def test_command(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(
                command.common, 'run', autospec=True,
                side_effect=lambda main: main([])):
            self.assertEqual(0, command.main())
        self.assertEqual(f'{FOLDER.resolve()}\n', said.getvalue())
