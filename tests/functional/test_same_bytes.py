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

"""The same ISO, options and version give the same bytes."""

import glob
import gzip
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import typing
import zlib

from tests import base
from tests.functional import command

HASH = '$6$rounds=5000$saltsalt$' + 'Ab./019z' * 10 + 'Xy./01'
PROJECT = pathlib.Path(__file__).parents[2]
PYTHONS = ('3.10', '3.11', '3.12', '3.13')


def ids(done: command.Done) -> set[str]:
    """The GUIDs and the rest of a dry run's JSON that identifies."""
    facts = json.loads(done.stdout)
    return {facts['recipe_id'], *facts['ids'].values()}


def unpacked(image: bytes) -> bytes:
    """The content of our gzip files in an image."""
    start = re.escape(b'\x1f\x8b\x08' + bytes(6) + b'\xff')
    return b''.join(
        zlib.decompressobj(31).decompress(image[found.start():])
        for found in re.finditer(start, image))


class TestSameBytes(command.TestCase):
    """The ISO and the options decide; the rest of the world does not."""

    def setUp(self) -> None:
        super().setUp()
        self.want = self.built()

    def built(self, *options: command.Word, **how: typing.Any) -> str:
        """sha256 of the image made of the sample ISO."""
        iso = how.pop('iso', command.sample())
        output = how.pop('output', self.output)
        done = command.run(iso, '-o', output, '--force', '--quiet', *options,
                           **how)
        self.assertEqual((0, '', ''), done)
        return command.digest(os.path.join(how.get('cwd', ''), output))

    def test_elsewhere(self) -> None:
        folder = self.folder / 'a b' / 'ü'
        folder.mkdir(parents=True)
        copy = folder / 'other name.ISO'
        shutil.copyfile(command.sample(), copy)
        os.utime(copy, (1, 1))
        copy.chmod(0o400)
        link = folder / 'link'
        link.symlink_to(copy)
        for how in ({'output': folder / 'y.raw'}, {'iso': copy},
                    {'iso': link}, {'cwd': folder, 'iso': copy.name,
                                    'output': 'relative'}):
            with self.subTest(how):
                self.assertEqual(self.want, self.built(**how))

    def test_environment(self) -> None:
        home = self.folder / 'home'
        bait = '[DEFAULT]\nsector_size = 4096\nkernel_option = bait\n'
        for name in ('.esxi-img', '.esxi_img', 'bin'):
            (home / name).mkdir(parents=True)
            for file in ('esxi-img.conf', 'esxi_img.conf'):
                (home / name / file).write_text(bait)
                (home / file).write_text(bait)
        for variables in (
                {'TZ': 'Pacific/Apia'}, {'TZ': 'XYZ+12:34'},
                {'LC_ALL': 'C'}, {'LC_ALL': 'tr_TR.UTF-8'}, {'LC_ALL': None},
                {'HOME': str(home)}, {'HOME': None},
                {'PYTHONHASHSEED': '1'}, {'PYTHONHASHSEED': '2'},
                {'OS_DEFAULT__SECTOR_SIZE': '4096'},
                {'SOURCE_DATE_EPOCH': ''}, {'PYTHONUTF8': '0',
                                            'LC_ALL': 'C'},
                {'PYTHONOPTIMIZE': '2'}, {'USER': 'other'}):
            with self.subTest(variables):
                self.assertEqual(self.want, self.built(
                    env=command.environment(**variables), cwd=home))
        for umask in (0, 0o77):
            with self.subTest(umask=umask):
                self.assertEqual(self.want, self.built(umask=umask))

    def test_another_day(self) -> None:
        folder = self.folder / 'fake'
        folder.mkdir()
        (folder / 'sitecustomize.py').write_text(
            'import datetime, time\n'
            'gone = 400 * 86400 + 12345\n'
            'now, now_ns = time.time, time.time_ns\n'
            'local, utc = time.localtime, time.gmtime\n'
            'time.time = lambda: now() + gone\n'
            'time.time_ns = lambda: now_ns() + gone * 10 ** 9\n'
            'time.localtime = lambda s=None: local(\n'
            '    time.time() if s is None else s)\n'
            'time.gmtime = lambda s=None: utc(\n'
            '    time.time() if s is None else s)\n'
            'class Fake(datetime.datetime):\n'
            '    @classmethod\n'
            '    def now(cls, tz=None):\n'
            '        return cls.fromtimestamp(time.time(), tz)\n'
            'datetime.datetime = Fake\n')
        env = command.environment(PYTHONPATH=str(folder))
        script = ('import datetime, time; print(int(time.time()),'
                  ' datetime.datetime.now().timestamp())')
        today, other = (float(subprocess.run(
            [sys.executable, '-c', script], env=variables, check=True,
            stdout=subprocess.PIPE).stdout.split()[1])
            for variables in (command.environment(), env))
        self.assertGreater(other, today + 300 * 86400)
        self.assertEqual(self.want, self.built(env=env))

    def test_pythons(self) -> None:
        packages = sysconfig.get_path('purelib')
        env = command.environment(PYTHONPATH=f'{PROJECT}:{packages}')
        tried = 0
        for version in PYTHONS:
            with self.subTest(version):
                python = self.find(version, env)
                if python is None:
                    print(f'{self.id()}: NOT TESTED: python{version}, which '
                          'is missing or lacks packages', file=sys.stderr)
                    continue
                self.assertEqual(self.want, self.built(python=python,
                                                       env=env))
                tried += 1
        if not tried:
            self.not_tested('no other Python')

    def find(self, version: str, env: dict[str, str]) -> str | None:
        """An interpreter that has what our program needs."""
        name = f'python{version}'
        for path in (shutil.which(name), *sorted(glob.glob(
                os.path.expanduser(f'~/.pyenv/versions/{version}.*/bin/'
                                   + name)))):
            if path and subprocess.run(
                    [path, '-c', 'import oslo_config.cfg, pycdlib, tqdm'],
                    env=env, capture_output=True).returncode == 0:
                return path
        return None

    def test_source_date_epoch(self) -> None:
        def inspected() -> str:
            return command.run(self.output, module=command.INSPECT).stdout

        seen = {self.want}
        for text in ('0', '1', '1700000000', '4354819200',
                     str((1 << 33) - 1)):
            env = command.environment(SOURCE_DATE_EPOCH=text)
            with self.subTest(text):
                image = self.built(env=env)
                self.assertNotIn(image, seen)
                seen.add(image)
                self.assertIn('8.0.3', inspected())
                dry = command.run(command.sample(), '--dry-run', '--json',
                                  env=env)
                self.assertEqual(int(text), json.loads(dry.stdout)['time'])
                self.assertIn(b'%011o\0' % int(text),
                              unpacked(self.output.read_bytes()))

    def test_the_date_is_the_iso_s_own(self) -> None:
        dry = command.run(command.sample(), '--dry-run', '--json')
        # 2024-06-25, as in the sample's descriptor.
        self.assertEqual(1719273600, json.loads(dry.stdout)['time'])

    def test_what_changes_the_ids(self) -> None:
        self.write('ks.cfg', 'vmaccepteula\n# another\n')
        self.write('hash', HASH)
        self.write('x.v00', gzip.compress(b'x', mtime=0))
        other = self.folder / 'other.iso'
        self.assertEqual(0, command.run('--size-mb', '9', other,
                                        module=command.SAMPLE).code)
        seen: set[str] = set()
        for options in (
                (), ('--sector-size', '4096'), ('--kernel-option', 'a=b'),
                ('--kernel-option', 'a=c'),
                ('--installed-kernel-option', 'a=b'),
                ('--serial-console', 'com1'), ('--kickstart', 'ks.cfg'),
                ('--root-password-hash-file', 'hash'),
                ('--install-disk', 'disk=mpx.vmhba0:C0:T0:L0'),
                ('--install-option', 'novmfsondisk'),
                ('--only-management',), ('--keep-config-drive',),
                ('--no-ssh',), ('--no-shell',),
                ('--ca-file', base.FIXTURES / 'ca.pem'),
                ('--add-module', 'x.v00')):
            with self.subTest(options):
                found = ids(command.run(command.sample(), '--dry-run',
                                        '--json', *options, cwd=self.folder))
                self.assertEqual(4, len(found))
                self.assertEqual(set(), found & seen)
                seen |= found
        found = ids(command.run(other, '--dry-run', '--json'))
        self.assertEqual(set(), found & seen)

    def test_what_does_not_change_the_ids(self) -> None:
        want = ids(command.run(command.sample(), '--dry-run', '--json'))
        for options in (('--format', 'qcow2'), ('-o', self.output),
                        ('--format', 'qcow2', '--compress'), ('--force',),
                        ('--quiet',), ('--debug',), ('--sector-size', '512'),
                        ('--iso-sha256', command.digest(command.sample())),
                        ('--install-disk', 'auto')):
            with self.subTest(options):
                self.assertEqual(want, ids(command.run(
                    command.sample(), '--dry-run', '--json', *options)))

    def test_the_kickstart_s_place_does_not_matter(self) -> None:
        (self.folder / 'sub').mkdir()
        images = set()
        for name in ('one.cfg', 'sub/two.cfg'):
            path = self.write(name, 'vmaccepteula\n')
            images.add(self.built('--kickstart', path))
        self.assertEqual(1, len(images))
        self.assertNotIn(self.want, images)

    def test_formats(self) -> None:
        self.require('qemu-img')
        raw = self.folder / 'raw'
        for form, options in (('qcow2', ()), ('qcow2', ('--compress',)),
                              ('vmdk', ())):
            with self.subTest(form, options=options):
                first = self.built('--format', form, *options)
                subprocess.run(['qemu-img', 'convert', '-f', form, '-O',
                                'raw', self.output, raw], check=True)
                self.assertEqual(self.want, command.digest(raw))
                self.assertEqual(first, self.built(
                    '--format', form, *options,
                    env=command.environment(TZ='Pacific/Apia')))

    def test_mode_of_the_file(self) -> None:
        self.output.unlink()
        self.built(umask=0o027)
        self.assertEqual(0o640, stat.S_IMODE(self.output.stat().st_mode))
