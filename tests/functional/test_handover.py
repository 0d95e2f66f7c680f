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

"""An image, and what is said of it, in the hands of others."""

import argparse
import hashlib
import itertools
import json
import os
import pathlib
import shlex
import signal
import stat
import subprocess
import sys
import time
import typing
from unittest import mock
import warnings

from tests import cloud as cloud_module
from tests.functional import command
from tests.functional import test_faults

FORMATS = ('raw', 'qcow2', 'vmdk')
KINDS = tuple(itertools.product(FORMATS, (512, 4096)))
CUT_SHORT = """
import sys
from esxi_img import upload
from esxi_img.cmd import build
upload.ACTIVE_WITHIN = upload.PAUSE = 0.1
sys.exit(build.main())
"""


class HandOverCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('qemu-img', 'sha256sum')
        # Their libraries keep caches there.
        self.home = self.tmp()

    def environment(self, **changes: str | None) -> dict[str, str]:
        return command.environment(HOME=str(self.home), **changes)

    def build(self, *arguments: command.Word, **options: typing.Any
              ) -> command.Done:
        done = command.run(command.sample(), '-o', self.output, *arguments,
                           **{'env': self.environment(), **options})
        self.assert_plain(done.stderr)
        return done

    def manifest(self, path: pathlib.Path | None = None
                 ) -> dict[str, typing.Any]:
        return json.loads(pathlib.Path(
            f'{path or self.output}.json').read_text())

    def check_sums(self, folder: pathlib.Path, *names: str) -> None:
        """What sha256sum says of files in a folder, by their .sha256."""
        for name in names:
            done = subprocess.run(
                ['sha256sum', '--check', '--strict', f'./{name}.sha256'],
                cwd=folder, capture_output=True)
            self.assertEqual(0, done.returncode, done)
            self.assertIn(b'OK', done.stdout)


class TestManifest(HandOverCase):

    def test_each_kind(self) -> None:
        for disk_format, sector_size in KINDS:
            with self.subTest(disk_format, sector_size=sector_size):
                done = self.build('--manifest', '--format', disk_format,
                                  '--sector-size', sector_size)
                self.assert_built(done)
                self.assertEqual(
                    ['x.img', 'x.img.json', 'x.img.sha256'],
                    sorted(os.listdir(self.folder)))
                self.check_sums(self.folder, 'x.img')
                self.check(done, disk_format, sector_size)
                for path in self.folder.iterdir():
                    path.unlink()

    def check(self, done: command.Done, disk_format: str,
              sector_size: int) -> None:
        said, data = self.manifest(), self.output.read_bytes()
        seen = json.loads(subprocess.run(
            ['qemu-img', 'info', '--output=json', self.output], check=True,
            capture_output=True).stdout)
        dry = json.loads(command.run(
            command.sample(), '--dry-run', '--json', '--format', disk_format,
            '--sector-size', sector_size).stdout)
        self.assertEqual({
            'image': 'x.img', 'size': len(data),
            'virtual_size': seen['virtual-size'],
            'disk_format': seen['format'], 'sector_size': sector_size,
            'sha256': hashlib.sha256(data).hexdigest(),
            'sha512': hashlib.sha512(data).hexdigest(),
            'esxi_version': dry['iso']['esxi_version'],
            'esxi_build': dry['iso']['esxi_build'],
            'recipe_id': dry['recipe_id'], 'options': dry['options'],
            'min_disk_gib': 32}, {
                key: said[key] for key in said if key != 'properties'})
        self.assertIn(f': recipe {said["recipe_id"]}\n', done.stderr)
        self.assertIn(f'\nreading {self.output}\n', done.stderr)

    def test_only_when_asked(self) -> None:
        self.assert_built(self.build())
        self.assertEqual(['x.img'], os.listdir(self.folder))

    def test_odd_names(self) -> None:
        for number, name in enumerate((
                'a b', "it's", '-', '--check', '*', 'ü', 'back\\slash',
                'new\nline', 'carriage\rreturn', 'end\r', '\\', '\\n', '\n',
                os.fsdecode(b'\xff\xfe'), ' ', 'x.json')):
            folder = self.folder / str(number)
            folder.mkdir()
            with self.subTest(name):
                done = command.run(command.sample(), '--manifest', '-o',
                                   folder / name)
                self.assertEqual(0, done.code, done)
                if name == '-':
                    continue  # To sha256sum that is its standard input.
                self.check_sums(folder, name)
                self.assertEqual(name, self.manifest(folder / name)['image'])

    def test_relative_names(self) -> None:
        (self.folder / 'deep').mkdir()
        self.assert_built(command.run(
            command.sample(), '--manifest', '-o', 'deep/x.img',
            cwd=self.folder))
        self.check_sums(self.folder / 'deep', 'x.img')

    def test_a_link_has_them_beside_it(self) -> None:
        (self.folder / 'deep').mkdir()
        real = self.folder / 'deep' / 'real.img'
        real.touch()
        self.output.symlink_to('deep/real.img')
        self.assert_built(self.build('--manifest', '--force'))
        self.assertEqual(['real.img'], os.listdir(real.parent))
        self.assertTrue(self.output.is_symlink())
        self.assertEqual('x.img', self.manifest()['image'])
        self.check_sums(self.folder, 'x.img')

    def test_the_same_bytes_again(self) -> None:
        self.assert_built(self.build('--manifest'))
        first = command.content(self.folder)
        self.assert_built(self.build('--manifest', '--force'))
        self.assertEqual(first, command.content(self.folder))

    def test_no_hash_of_a_password(self) -> None:
        digest = '$6$saltsalt$' + 'x' * 85 + '/'
        path = self.write('hash', digest + '\n')
        self.assert_built(self.build(
            '--manifest', '--root-password-hash-file', path))
        self.assertEqual('(set)',
                         self.manifest()['options']['root_password_hash'])
        for name in ('x.img.json', 'x.img.sha256'):
            self.assertNotIn(digest, (self.folder / name).read_text())


class TestSideFiles(HandOverCase):
    """What may be replaced, and that it is all or nothing."""

    def refused(self, pattern: str, *options: command.Word,
                code: int = 2) -> None:
        before = command.content(self.folder)
        done = self.build('--manifest', *options)
        self.assert_refused(done, code, pattern)
        self.assertNotIn('writing', done.stderr)
        self.assertEqual(before, command.content(self.folder))

    def test_they_exist(self) -> None:
        for suffix in ('.json', '.sha256'):
            path = self.write(f'x.img{suffix}', 'old')
            path.chmod(0o600)
            with self.subTest(suffix):
                self.refused(f'x.img{suffix} exists')
                self.assert_built(self.build('--manifest', '--force'))
                self.check_sums(self.folder, 'x.img')
                self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
            for left in self.folder.iterdir():
                left.unlink()

    def test_links(self) -> None:
        for suffix in ('.json', '.sha256'):
            (self.folder / f'x.img{suffix}').symlink_to(f'real{suffix}')
        self.refused('x.img.json is a dangling link', '--force')
        for suffix in ('.json', '.sha256'):
            self.write(f'real{suffix}', 'old')
        self.refused('x.img.json exists')
        self.assert_built(self.build('--manifest', '--force'))
        self.assertTrue((self.folder / 'x.img.json').is_symlink())
        self.check_sums(self.folder, 'x.img')

    def test_what_is_no_file(self) -> None:
        for suffix in ('.json', '.sha256'):
            path = self.folder / f'x.img{suffix}'
            for make, remove, what in (
                    (os.mkdir, os.rmdir, 'a directory'),
                    (os.mkfifo, os.unlink, 'a pipe')):
                make(path)
                with self.subTest(suffix, what=what):
                    self.refused(f'{suffix} is {what}')
                    self.refused(f'{suffix} is {what}', '--force')
                remove(path)

    def test_its_own_inputs(self) -> None:
        text = self.write('x.img.json', 'vmaccepteula\n')
        self.refused('output .*x.img.json is the input', '--force',
                     '--kickstart', text)
        text.rename(self.folder / 'ks.cfg')
        os.link(self.folder / 'ks.cfg', self.folder / 'x.img.sha256')
        self.refused('output .*x.img.sha256 is the input', '--force',
                     '--kickstart', self.folder / 'ks.cfg')

    def test_each_other(self) -> None:
        self.write('x.img.sha256', 'old')
        self.output.symlink_to('x.img.sha256')
        self.refused('are the same file', '--force')

    def test_a_name_that_becomes_too_long(self) -> None:
        self.output = self.folder / ('x' * 251)
        self.refused('file name too long')
        self.output = self.folder / ('x' * 248)
        self.assert_built(self.build('--manifest'))
        self.check_sums(self.folder, self.output.name)

    def test_a_folder_that_is_read_only(self) -> None:
        folder = self.mount('-t', 'tmpfs', '-o', 'size=1m', 'none')
        self.output.touch()
        (folder / 'link').symlink_to(self.output)
        subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)
        before = command.content(self.folder)
        done = command.run(command.sample(), '--manifest', '--force', '-o',
                           folder / 'link')
        self.assert_refused(done, 4, 'link.json: read-only file system')
        self.assertNotIn('writing', done.stderr)
        self.assertEqual(before, command.content(self.folder))

    def test_no_room_for_them(self) -> None:
        """The image, on another disk, is not there either."""
        folder = self.mount('-t', 'tmpfs', '-o', 'size=4k', 'none')
        self.output.touch()
        (folder / 'link').symlink_to(self.output)
        (folder / 'ballast').write_bytes(b'x' * 4096)
        before = command.content(self.folder)
        done = command.run(command.sample(), '--manifest', '--force', '-o',
                           folder / 'link')
        self.assert_refused(done, 4, 'link.json: no space left')
        self.assertEqual(before, command.content(self.folder))
        self.assertEqual(['ballast', 'link'], sorted(os.listdir(folder)))

    def test_files_that_came_meanwhile(self) -> None:
        for options in ((), ('--format', 'qcow2')):
            for name in ('x.img', 'x.img.json', 'x.img.sha256'):
                path = self.folder / name
                with self.subTest(name, options=options):
                    process = subprocess.Popen(
                        command.argv(command.sample(), '--manifest', '-o',
                                     self.output, *options),
                        env=command.environment(), text=True,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    while (process.poll() is None
                           and not test_faults.hidden(self.folder)):
                        time.sleep(0.0002)
                    path.write_bytes(b'theirs')
                    done = command.Done(1, *process.communicate(timeout=30))
                    self.assert_refused(
                        done._replace(code=process.returncode), 2,
                        f'{name} exists')
                    self.assertEqual([name], os.listdir(self.folder))
                    self.assertEqual(b'theirs', path.read_bytes())
                path.unlink()


class TestStopped(test_faults.SignalTestCase):
    """All three files, or none of them."""

    OPTIONS = ('--manifest',)

    def check(self, number: signal.Signals, wait: typing.Any) -> None:
        done = self.hit(number, wait)
        left = set(os.listdir(self.folder))
        self.assertEqual({'x.img', 'x.img.json', 'x.img.sha256'}
                         if done.code == 0 else set(), left, done)
        for name in left:
            (self.folder / name).unlink()
        self.caught += done.code == 128 + number

    def reading(self, process: subprocess.Popen[str]) -> None:
        """Wait until the image is whole, and is being read."""
        self.wait_for(process, lambda: test_faults.written(self.folder)
                      >= self.whole.blocks)

    def test_asked_to_stop(self) -> None:
        for step, wait in enumerate((
                *self.moments()[test_faults.SHARES::2], *[self.reading] * 3)):
            with self.subTest(step=step):
                self.check(signal.SIGTERM, wait)
        self.assertGreater(self.caught, 2)

    def test_just_when_they_appear(self) -> None:
        for name in ('x.img.json', 'x.img.sha256', 'x.img'):
            with self.subTest(name):
                self.check(signal.SIGINT, lambda process: self.wait_for(
                    process, (self.folder / name).exists))


class CloudCase(HandOverCase):

    def setUp(self) -> None:
        super().setUp()
        self.cloud = cloud_module.Cloud()
        self.addCleanup(self.cloud.close)
        path = self.home / 'clouds.yaml'
        # JSON is YAML.
        path.write_text(json.dumps({'clouds': {'stub': self.cloud.entry()}}))
        self.clouds = str(path)

    def environment(self, **changes: str | None) -> dict[str, str]:
        return super().environment(
            **{'OS_CLIENT_CONFIG_FILE': self.clouds, **changes})

    def assert_no_secret(self, *texts: str) -> None:
        for text in texts:
            for secret in (cloud_module.PASSWORD, *self.cloud.tokens):
                self.assertNotIn(secret, text)

    def assert_whole(self) -> None:
        """The image in Glance is the file."""
        image = self.cloud.image
        data = self.output.read_bytes()
        self.assertEqual('active', image['status'])
        self.assertEqual(data, self.cloud.data[image['id']])
        said = self.manifest()
        self.assertEqual(
            (said['disk_format'], said['min_disk_gib'], said['sha512']),
            (image['disk_format'], image['min_disk'],
             image['os_hash_value']))
        self.assertEqual(said['properties'], {
            name: image[name] for name in said['properties']})
        for name in ('os_type', 'kernel_id', 'ramdisk_id'):
            self.assertNotIn(name, image)


class TestGlanceCommand(CloudCase):

    def words(self, *options: command.Word) -> list[str]:
        done = self.build('--glance-command', *options)
        self.assertEqual((0, 1), (done.code, done.stdout.count('\n')), done)
        self.assertTrue(done.stdout.endswith('\n'))
        return shlex.split(done.stdout)

    def parsed(self, words: list[str]) -> argparse.Namespace:
        """As the real client understands it."""
        self.assertEqual(['openstack', 'image', 'create'], words[:3])
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            from openstackclient.image.v2 import image as client
            parser = client.CreateImage(mock.Mock(), None).get_parser(
                'openstack image create')
        return parser.parse_args(words[3:])

    def execute(self, line: str) -> None:
        """Have a shell run it, with the real client."""
        programs = self.home / 'bin'
        programs.mkdir(exist_ok=True)
        program = programs / 'openstack'
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} '
                           '-m openstackclient.shell "$@"\n')
        program.chmod(0o755)
        done = subprocess.run(
            ['sh', '-c', line], capture_output=True, text=True, timeout=120,
            cwd=self.folder, env=self.environment(
                OS_CLOUD='stub', PATH=f'{programs}:{os.environ["PATH"]}'))
        self.assertEqual(0, done.returncode, done)

    def test_it_works(self) -> None:
        for disk_format, sector_size in KINDS:
            with self.subTest(disk_format, sector_size=sector_size):
                done = self.build(
                    '--glance-command', '--manifest', '--force', '--format',
                    disk_format, '--sector-size', sector_size)
                self.assertEqual(0, done.code, done)
                self.assertEqual('Ironic refuses' in done.stderr,
                                 disk_format == 'vmdk')
                self.execute(done.stdout)
                self.assert_whole()
                self.assertEqual(
                    'ESXi-8.0.3-24022510' + '-4kn' * (sector_size == 4096),
                    self.cloud.image['name'])
                self.cloud.images.clear()

    def test_what_the_client_understands(self) -> None:
        words = self.words('--manifest')
        found, said = self.parsed(words), self.manifest()
        self.assertEqual(
            ('raw', 'bare', str(self.output), 32, said['properties'],
             'ESXi-8.0.3-24022510'),
            (found.disk_format, found.container_format, found.filename,
             found.min_disk, found.properties, found.name))

    def test_odd_names(self) -> None:
        for name in ("it's a $(reboot) `reboot` \\ \"image\"", 'ü', '~', '*',
                     '--private', '-'):
            with self.subTest(name):
                self.output = self.folder / name
                found = self.parsed(self.words('--image-name', f'x {name}'))
                self.assertEqual((str(self.output), f'x {name}'),
                                 (found.filename, found.name))
        done = command.run(
            command.sample(), '--glance-command', '--manifest',
            "--output=--it's", '--image-name', "it's \\ \"$HOME\"",
            cwd=self.folder, env=self.environment())
        self.assertEqual(0, done.code, done)
        self.execute(done.stdout)
        self.output = self.folder / "--it's"
        self.assert_whole()
        self.assertEqual("it's \\ \"$HOME\"", self.cloud.image['name'])

    def test_nothing_else_is_printed(self) -> None:
        done = self.build('--glance-command', '--quiet')
        self.assertEqual((0, ''), (done.code, done.stderr))
        self.assertEqual(1, done.stdout.count('\n'))

    def test_nothing_is_printed_when_it_fails(self) -> None:
        self.output.touch()
        self.assert_refused(self.build('--glance-command'), 2, 'exists')


class TestInstanceInfo(HandOverCase):

    def test_each_kind(self) -> None:
        for disk_format, sector_size in KINDS[:4]:
            with self.subTest(disk_format, sector_size=sector_size):
                done = self.build(
                    '--instance-info', 'https://images.example.org/x.img',
                    '--format', disk_format, '--sector-size', sector_size,
                    '--force')
                self.assertEqual(0, done.code, done)
                data = self.output.read_bytes()
                self.assertEqual({
                    'image_source': 'https://images.example.org/x.img',
                    'image_checksum': hashlib.sha256(data).hexdigest(),
                    'image_os_hash_algo': 'sha512',
                    'image_os_hash_value': hashlib.sha512(data).hexdigest(),
                    'image_disk_format': disk_format},
                    json.loads(done.stdout))
        self.assertEqual(['x.img'], os.listdir(self.folder))


class TestUsage(HandOverCase):

    def test_what_does_not_go_together(self) -> None:
        for options, pattern in (
                (('--glance-command', '--instance-info', 'http://h/x'),
                 'only one of them'),
                (('--dry-run', '--glance-command'), '--dry-run'),
                (('--dry-run', '--instance-info', 'http://h/x'), '--dry-run'),
                (('--dry-run', '--manifest'), '--dry-run'),
                (('--dry-run', '--upload', 'stub'), '--dry-run'),
                (('--instance-info', 'http://h/x', '--format', 'vmdk'),
                 'not vmdk'),
                (('--instance-info', 'ftp://h/x'), 'wants the URL'),
                (('--upload', ''), 'names no cloud'),
                (('--image-name', 'x'), '--image-name goes with')):
            with self.subTest(options):
                self.assert_refused(self.build(*options), 2, pattern)
                self.assertEqual([], os.listdir(self.folder))

    def test_a_name_that_is_no_line(self) -> None:
        for name in (b'a\nb', b'a\x1bb', b'a\xffb'):
            done = command.run(
                command.sample(), '--glance-command', '-o',
                os.path.join(os.fsencode(self.folder), name))
            self.assert_refused(done, 2, 'cannot be printed in one line')
            self.assertEqual([], os.listdir(self.folder))


class TestUpload(CloudCase):

    def upload(self, *arguments: command.Word, **options: typing.Any
               ) -> command.Done:
        done = self.build('--upload', 'stub', *arguments, **options)
        self.assert_no_secret(done.stdout, done.stderr)
        return done

    def test_each_kind(self) -> None:
        for disk_format, sector_size in KINDS:
            with self.subTest(disk_format, sector_size=sector_size):
                done = self.upload('--manifest', '--force', '--format',
                                   disk_format, '--sector-size', sector_size)
                self.assert_built(done)
                self.assert_whole()
                image = self.cloud.image
                self.assertIn(f'uploaded {image["name"]} to stub: image '
                              f'{image["id"]}\n', done.stderr)
                self.assertEqual('Ironic refuses' in done.stderr,
                                 disk_format == 'vmdk')
                self.cloud.images.clear()

    def test_with_what_is_printed(self) -> None:
        done = self.upload('--glance-command', '--image-name', 'gold')
        self.assertEqual((0, 'gold'), (
            done.code, shlex.split(done.stdout)[-1]))
        self.assertEqual('gold', self.cloud.image['name'])

    def failed(self, done: command.Done, pattern: str) -> None:
        """Exit code 4, one line of why, the files as they should be."""
        self.assert_refused(done, 4, pattern)
        self.assertEqual({}, self.cloud.images)
        self.check_sums(self.folder, 'x.img')
        self.assertIn(f'\nhint: {self.output} is written; by hand: OS_CLOUD='
                      'stub openstack image create ', done.stderr)

    def test_failures(self) -> None:
        for fault, pattern in (
                ('create 403', '403'), ('create 409', '409'),
                ('upload 413', '413 Request Entity Too Large'),
                ('upload 500', '500'), ('upload cut', 'connection'),
                ('upload changed', 'the sha512 of the image there is')):
            with self.subTest(fault):
                self.cloud.faults[fault] = 9
                self.failed(self.upload('--manifest', '--force'), pattern)
                self.cloud.faults.clear()
                self.assertEqual(not fault.startswith('create'),
                                 bool(self.cloud.deleted))

    def test_debug_shows_no_secret_either(self) -> None:
        for fault in ('auth 401', 'list 403', 'upload 413', 'upload cut'):
            self.cloud.faults[fault] = 9
            done = command.run(
                command.sample(), '-o', self.output, '--force', '--upload',
                'stub', '--debug', env=self.environment())
            self.cloud.faults.clear()
            self.assertEqual(4, done.code, done)
            self.assertIn('Traceback', done.stderr)
            self.assert_no_secret(done.stderr)

    def test_never_active(self) -> None:
        self.cloud.faults['never active'] = 1
        done = subprocess.run(
            [sys.executable, '-c', CUT_SHORT, command.sample(), '-o',
             self.output, '--manifest', '--upload', 'stub'], text=True,
            capture_output=True, timeout=60, env=self.environment())
        self.failed(command.Done(done.returncode, done.stdout, done.stderr),
                    'the image is saving, not active')

    def test_qemu_img_wrote_something_else(self) -> None:
        programs = self.home / 'bin'
        programs.mkdir()
        program = programs / 'qemu-img'
        program.write_text(
            '#!/bin/sh\nfor last; do :; done\necho text > "$last"\n')
        program.chmod(0o755)
        self.failed(self.upload(
            '--manifest', '--format', 'qcow2', env=self.environment(
                PATH=f'{programs}:{os.environ["PATH"]}')),
            'x.img: is no qcow2 image')
        self.assertNotIn('POST /image/v2/images', self.cloud.log)

    def test_before_the_build(self) -> None:
        """Nothing is written for a cloud that does not let us in."""
        folder = self.home / 'broken'
        (folder / 'openstack').mkdir(parents=True)
        (folder / 'openstack' / '__init__.py').write_text(
            'raise ImportError\n')
        for fault, options, variables, pattern in (
                ('auth 401', (), {}, r'the password \*\*\* is wrong'),
                ('list 403', (), {}, '403'),
                ('no glance', (), {}, 'catalog'),
                ('', ('--upload', 'nope'), {}, 'Cloud nope was not found'),
                ('', (), {'OS_CLIENT_CONFIG_FILE': '/nonexistent/x'},
                 'Cloud stub was not found'),
                ('', (), {'PYTHONPATH': str(folder)},
                 'openstacksdk is not installed')):
            self.cloud.faults[fault] = 9
            with self.subTest(fault, options=options, variables=variables):
                done = self.upload(*options,
                                   env=self.environment(**variables))
                self.assert_refused(done, 4, pattern)
                self.assertNotIn('writing', done.stderr)
                self.assertEqual([], os.listdir(self.folder))
            self.cloud.faults.clear()
        self.assertIn("hint: pip install 'esxi-img[upload]'", done.stderr)

    def test_what_the_libraries_have_to_say_is_not_said_twice(self) -> None:
        """They warn, and log, when a service does not tell its versions."""
        self.cloud.faults['versions 500'] = 99
        done = self.upload()
        self.assert_refused(done, 4, 'cloud stub: ')
        self.assertEqual([], os.listdir(self.folder))

    def test_the_build_fails(self) -> None:
        done = command.run(self.folder / 'no.iso', '-o', self.output,
                           '--upload', 'stub', env=self.environment())
        self.assert_refused(done, 3, 'no.iso')
        self.assertEqual({}, self.cloud.images)

    def test_stopped(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                self.cloud.half.clear()
                self.cloud.faults['upload hang'] = 1
                process = subprocess.Popen(
                    command.argv(command.sample(), '-o', self.output,
                                 '--force', '--upload', 'stub'),
                    env=self.environment(), text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertTrue(self.cloud.half.wait(60))
                process.send_signal(number)
                stdout, stderr = process.communicate(timeout=60)
                self.assert_refused(
                    command.Done(process.returncode, stdout, stderr),
                    128 + number, f'stopped by {number.name}, .*x.img is '
                                  'written, but not uploaded$')
                self.assertEqual({}, self.cloud.images)
                self.assertGreater(self.output.stat().st_size, 1 << 20)

    def test_the_library_is_loaded_for_this_alone(self) -> None:
        done = subprocess.run(
            [sys.executable, '-c', 'import sys, esxi_img.cmd.build\n'
             'print({"openstack", "keystoneauth1"} & set(sys.modules))'],
            capture_output=True, text=True)
        self.assertEqual('set()\n', done.stdout, done)
