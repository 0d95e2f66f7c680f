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

"""What users and scripts rely on: streams, exit codes, the same bytes."""

import base64
import fcntl
import glob
import gzip
import json
import os
import pathlib
import pty
import re
import shutil
import stat
import struct
import subprocess
import sys
import sysconfig
import termios
import typing

from esxi_img.disk import readfat
from esxi_img.disk import readgpt
from tests.functional import command

HASH = '$6$rounds=5000$saltsalt$' + 'Ab./019z' * 10 + 'Xy./01'
SECRET = HASH[23:]
HOSTILE = b'a\nerror: b\x1b[31mc\rd\xff\x07e.x'
"""A file name with a line's end, terminal codes, and no UTF-8."""
PROJECT = pathlib.Path(__file__).parents[2]
PYTHONS = ('3.10', '3.11', '3.12', '3.13')


def ids(done: command.Done) -> set[str]:
    """The GUIDs and the rest of a dry run's JSON that identifies."""
    facts = json.loads(done.stdout)
    return {facts['recipe_id'], *facts['ids'].values()}


class TestStreams(command.TestCase):

    def test_build(self) -> None:
        done = command.run(command.sample(), '-o', self.output)
        self.assert_built(done)
        self.assert_plain(done.stderr)
        self.assertRegex(done.stderr, f'writing .* to {self.output}\n')
        self.assertRegex(done.stderr,
                         f'\nwrote {self.output}: recipe [0-9a-f]{{64}}\n$')
        self.assertEqual(['x.img'], os.listdir(self.folder))

    def test_quiet(self) -> None:
        self.assertEqual((0, '', ''), command.run(
            command.sample(), '-o', self.output, '--quiet'))
        done = command.run(command.sample(), '-o', self.output, '--quiet')
        self.assert_refused(done, 2, 'exists')

    def test_version(self) -> None:
        for module in (command.BUILD, command.INSPECT, command.SAMPLE):
            done = command.run('--version', module=module)
            self.assertEqual((0, ''), (done.code, done.stderr))
            self.assertRegex(done.stdout, r'^[0-9]+\.[0-9]+\S*\n$')

    def test_help(self) -> None:
        for module in (command.BUILD, command.INSPECT, command.SAMPLE):
            done = command.run('--help', module=module)
            self.assertEqual((0, ''), (done.code, done.stderr))
            self.assertIn('usage: esxi-img', done.stdout)

    def test_dry_run(self) -> None:
        before = command.content(command.sample().parent)
        done = command.run(command.sample(), '--dry-run', cwd=self.folder)
        self.assertEqual(0, done.code)
        self.assert_plain(done.stderr)
        for word in ('recipe ', '8.0.3', '24022510', 'esxiimg.tgz',
                     'ks=file:///esxiimg/KS.CFG', 'FAT32', 'disk guid'):
            self.assertIn(word, done.stdout)
        self.assertEqual({}, command.content(self.folder))
        self.assertEqual(before, command.content(command.sample().parent))
        self.output.write_bytes(b'old')
        for options in ((), ('--force',), ('--format', 'qcow2')):
            again = command.run(command.sample(), '--dry-run', '-o',
                                self.output, *options)
            self.assertEqual(0, again.code)
            self.assertEqual(b'old', self.output.read_bytes())
            self.assertEqual(['x.img'], os.listdir(self.folder))

    def test_dry_run_needs_no_rights(self) -> None:
        folder = self.mount('-t', 'tmpfs', '-o', 'ro', 'none')
        done = command.run(
            command.sample(), '--dry-run', cwd=folder,
            env=command.environment(HOME=str(folder), TMPDIR=str(folder)))
        self.assertEqual(0, done.code, done.stderr)

    def test_json(self) -> None:
        done = command.run(command.sample(), '--dry-run', '--json')
        facts = json.loads(done.stdout)
        self.assertIsInstance(facts, dict)
        self.assertEqual(('8.0.3', '24022510'), (
            facts['iso']['esxi_version'], facts['iso']['esxi_build']))
        self.assertTrue(done.stdout.endswith('}\n'))
        self.assert_plain(done.stderr)
        quiet = command.run(command.sample(), '--dry-run', '--json',
                            '--quiet')
        self.assertEqual((0, done.stdout, ''), quiet)
        self.assert_refused(
            command.run(command.sample(), '--json', '-o', self.output), 2,
            '--dry-run')

    def test_dry_run_tells_what_the_build_does(self) -> None:
        facts = json.loads(command.run(
            command.sample(), '--dry-run', '--json').stdout)
        self.assert_built(command.run(command.sample(), '-o', self.output))
        done = command.run(self.output, module=command.INSPECT)
        for value in (facts['ids']['disk_guid'], facts['recipe_id'],
                      facts['ids']['partition_guid'],
                      facts['ids']['volume_id']):
            self.assertIn(value, done.stdout)
        self.assertEqual(facts['image']['virtual_size'],
                         self.output.stat().st_size)

    def test_debug(self) -> None:
        done = command.run(self.folder / 'no.iso', '--dry-run')
        self.assert_refused(done, 3, 'no.iso: no such file')
        debug = command.run(self.folder / 'no.iso', '--dry-run', '--debug')
        self.assertEqual(3, debug.code)
        self.assertIn('Traceback (most recent call last):\n', debug.stderr)
        self.assertTrue(debug.stderr.endswith(done.stderr))


class TestTerminal(command.TestCase):

    def on_terminal(self, *arguments: command.Word,
                    size: tuple[int, int] = (24, 200)) -> tuple[int, str]:
        """Exit code, and what a terminal gets on standard error."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                    struct.pack('HHHH', *size, 0, 0))
        process = subprocess.Popen(
            command.argv(*arguments), env=command.environment(TERM='xterm'),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=theirs)
        os.close(theirs)
        said = b''
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break  # the other end was closed
            if not chunk:
                break
            said += chunk
        os.close(ours)
        return process.wait(timeout=30), said.decode()

    def test_bar(self) -> None:
        code, said = self.on_terminal(
            command.sample(64), '-o', self.output, '--iso-sha256',
            command.digest(command.sample(64)))
        self.assertEqual(0, code, said)
        self.assertIn('\r', said.replace('\r\n', ''))
        self.assertRegex(said, r'verifying .*[0-9]+%\|')
        self.assertRegex(said, r'writing .*[0-9]+%\|')
        code, said = self.on_terminal(
            command.sample(), '-o', self.output, '--force', '--quiet')
        self.assertEqual((0, ''), (code, said))

    def test_terminal_of_unknown_size(self) -> None:
        """As a serial line is."""
        code, said = self.on_terminal(command.sample(), '-o', self.output,
                                      size=(0, 0))
        self.assertEqual(0, code, said)
        self.assertIn('writing', said)

    def test_no_bar_without(self) -> None:
        done = command.run(
            command.sample(), '-o', self.output, '--iso-sha256',
            command.digest(command.sample()),
            env=command.environment(TERM='xterm'))
        self.assert_built(done)
        self.assertNotRegex(done.stderr, '[\r%]')


class TestStreamsThatFail(command.TestCase):
    """Standard output or error is closed, full, or read by nobody."""

    def closed(self, *arguments: command.Word, streams: tuple[int, ...],
               module: str = command.BUILD) -> command.Done:
        def close() -> None:
            for number in streams:
                os.close(number)

        return command.run(*arguments, module=module, preexec_fn=close)

    def piped(self, *arguments: command.Word, stream: str, lines: int,
              module: str = command.BUILD) -> tuple[int, str]:
        """A reader that has enough after some lines; the other stream."""
        other = {'stdout': 'stderr', 'stderr': 'stdout'}[stream]
        process = subprocess.Popen(
            command.argv(*arguments, module=module),
            env=command.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pipe = getattr(process, stream)
        for _ in range(lines):
            pipe.readline()
        pipe.close()
        said = getattr(process, other).read().decode()
        process.wait(timeout=30)
        getattr(process, other).close()
        return process.returncode, said

    def test_head(self) -> None:
        for options in (('--dry-run',), ('--dry-run', '--json'),
                        ('--help',), ('--version',)):
            for lines in (0, 1):
                with self.subTest(options, lines=lines):
                    code, said = self.piped(
                        command.sample(), *options, stream='stdout',
                        lines=lines)
                    self.assertIn(code, (0, 141))
                    self.assert_plain(said)

    def test_inspect_head(self) -> None:
        self.assert_built(command.run(command.sample(), '-o', self.output))
        for lines in (0, 1):
            code, said = self.piped(self.output, stream='stdout',
                                    lines=lines, module=command.INSPECT)
            self.assertIn(code, (0, 141))
            self.assertEqual('', said)

    def test_nobody_reads_errors(self) -> None:
        """Then the image is there or not, as the exit code says."""
        for lines in (0, 1, 2):
            with self.subTest(lines):
                code, _ = self.piped(command.sample(64), '-o', self.output,
                                     stream='stderr', lines=lines)
                self.assertEqual(['x.img'] if code == 0 else [],
                                 os.listdir(self.folder))
                self.assertNotEqual(1, code)
                self.output.unlink(missing_ok=True)
        code, _ = self.piped(self.folder / 'no.iso', '--dry-run', '--debug',
                             stream='stderr', lines=0)
        self.assertIn(code, (3, 141))

    def test_closed(self) -> None:
        whole = self.folder / 'whole'
        self.assert_built(command.run(command.sample(), '-o', whole))
        for streams in ((0,), (1,), (2,), (1, 2), (0, 1, 2)):
            with self.subTest(streams):
                done = self.closed(command.sample(), '-o', self.output,
                                   streams=streams)
                self.assertEqual((0, ''), (done.code, done.stdout),
                                 done.stderr)
                self.assertEqual(whole.read_bytes(),
                                 self.output.read_bytes())
            self.output.unlink(missing_ok=True)
        with self.subTest('usage'):
            self.assertEqual(2, self.closed(
                command.sample(), streams=(1, 2)).code)

    def test_full(self) -> None:
        for options in (('--dry-run',), ('--dry-run', '--json')):
            with self.subTest(options), open('/dev/full', 'wb') as full:
                done = command.run(command.sample(), *options, stdout=full)
                self.assert_refused(done, 4, '(?i)no space left on device')
        for options, expected in ((('--dry-run',), 0), ((), 2)):
            with self.subTest(options), open('/dev/full', 'wb') as full:
                done = command.run(command.sample(), *options, stderr=full)
                self.assertIn(done.code, (expected, 4))


class TestUsage(command.TestCase):

    def test_usage(self) -> None:
        iso = command.sample()
        for arguments, pattern in (
                ((), 'ISO'), ((iso,), '--output is missing'),
                (('',), 'ISO'),
                ((iso, iso, '-o', 'x'), 'unrecognized'),
                ((iso, '--bogus'), '--bogus'), ((iso, '-o'), 'argument'),
                ((iso, '-o', 'x', '--sector-size', '1024'), 'sector-size'),
                ((iso, '-o', 'x', '--sector-size', 'x'), 'sector-size'),
                ((iso, '-o', 'x', '--format', 'iso'), 'format'),
                ((iso, '-o', 'x', '--compress'), '--compress'),
                ((iso, '-o', 'x', '--serial-console', 'com9'), 'com9'),
                ((iso, '-o', 'x', '--kernel-option', 'a b'), 'a b'),
                ((iso, '-o', 'x', '--kernel-option', 'ks=x'), 'ks=x'),
                ((iso, '-o', 'x', '--install-disk', 'bogus'), 'bogus'),
                ((iso, '-o', 'x', '--install-option', 'bogus'), 'bogus'),
                ((iso, '-o', 'x', '--json'), '--dry-run'),
                ((iso, '-o', 'x', '--config-file', 'no'), 'no such file')):
            with self.subTest(arguments):
                self.assert_refused(
                    command.run(*arguments, cwd=self.folder), 2, pattern)
                self.assertEqual({}, command.content(self.folder))

    def test_usage_of_the_others(self) -> None:
        for module, arguments, pattern in (
                (command.INSPECT, (), 'IMAGE'),
                (command.INSPECT, ('x', 'y'), 'y'),
                (command.INSPECT, ('--bogus', 'x'), '--bogus'),
                (command.SAMPLE, (), 'OUT.iso'),
                (command.SAMPLE, ('--size-mb', 'x', 'y'), "'x'"),
                (command.SAMPLE, ('--size-mb', '7', 'y'), '7 MB'),
                (command.SAMPLE, ('--size-mb', '4001', 'y'), '4001 MB'),
                (command.SAMPLE, ('',), 'names no file')):
            with self.subTest(module, arguments=arguments):
                self.assert_refused(
                    command.run(*arguments, module=module, cwd=self.folder),
                    2, pattern)
                self.assertEqual({}, command.content(self.folder))

    def test_all_is_told_at_once(self) -> None:
        self.assert_refused(command.run(
            command.sample(), '--compress', '--kernel-option', 'a b',
            '--iso-sha256', 'x'), 2, '--output.*\n.*--compress', count=4)

    def test_hostile_names(self) -> None:
        """One line each, nothing for the terminal, no crash."""
        iso, name = command.sample(), os.path.join(
            os.fsencode(self.folder), HOSTILE)
        for arguments, code in (
                ((name,), 3), ((iso, b'-o', name + b'/x'), 2),
                ((iso, b'--' + HOSTILE), 2),
                ((iso, b'--format', HOSTILE), 2),
                ((iso, b'--sector-size', HOSTILE), 2),
                ((iso, b'--serial-console', HOSTILE), 2),
                ((iso, b'--config-file', name), 2),
                ((iso, b'--kickstart', name), 3),
                ((iso, b'--root-password-hash-file', name), 3),
                ((iso, b'--add-module', name), 3),
                ((iso, b'--iso-sha256', HOSTILE), 2),
                ((iso, b'--kernel-option', HOSTILE), 2),
                ((iso, b'--installed-kernel-option', HOSTILE), 2),
                ((iso, b'--install-disk', HOSTILE), 2),
                ((iso, b'--install-option', HOSTILE), 2)):
            with self.subTest(arguments[1:]):
                for variables in ({}, {'LC_ALL': 'C'},
                                  {'PYTHONIOENCODING': 'utf-8:strict'}):
                    self.assert_refused(command.run(
                        *arguments, *([] if b'-o' in arguments else
                                      ['-o', self.output]),
                        env=command.environment(**variables)), code)
                self.assertEqual([], os.listdir(self.folder))

    def test_hostile_names_of_good_files(self) -> None:
        iso = self.folder / os.fsdecode(HOSTILE)
        shutil.copy(command.sample(), iso)
        text = self.folder / os.fsdecode(HOSTILE + b'.cfg')
        text.write_text('vmaccepteula\n# für später\n')
        image = self.folder / os.fsdecode(HOSTILE + b'.img')
        for variables in ({}, {'LC_ALL': 'C'},
                          {'PYTHONIOENCODING': 'utf-8:strict'},
                          {'PYTHONIOENCODING': 'ascii:strict'}):
            env = command.environment(**variables)
            with self.subTest(variables):
                done = command.run(iso, '--kickstart', text, '-o', image,
                                   '--force', '--iso-sha256',
                                   command.digest(iso), env=env)
                self.assert_built(done)
                self.assert_plain(done.stderr)
                dry = command.run(iso, '--dry-run', '--kickstart', text,
                                  env=env)
                self.assertEqual(0, dry.code, dry.stderr)
                self.assert_plain(dry.stderr)
                self.assertNotRegex(dry.stdout, '(?m)[\x1b\r\a]|^error')
                shown = json.loads(command.run(
                    iso, '--dry-run', '--json', '--kickstart', text,
                    env=env).stdout)
                self.assertEqual(str(iso), shown['iso']['path'])
                seen = command.run(image, module=command.INSPECT, env=env)
                self.assertEqual(0, seen.code, seen.stderr)
                self.assertNotRegex(seen.stdout, '[\x1b\r\a]')

    def test_inspect_refuses(self) -> None:
        self.write('empty', b'')
        self.write('text', b'text' * 9999)
        (self.folder / 'folder').mkdir()
        whole = self.folder / 'whole'
        self.assert_built(command.run(command.sample(), '-o', whole))
        data = whole.read_bytes()
        for length in (512, 1 << 20, (1 << 20) + 512, len(data) // 2):
            self.write(f'cut{length}', data[:length])
        whole.unlink()
        for name in (*sorted(os.listdir(self.folder)), 'nothing',
                     command.sample()):
            with self.subTest(name):
                done = command.run(self.folder / name,
                                   module=command.INSPECT)
                self.assertEqual(3, done.code, done.stderr)
                self.assertNotEqual([], done.errors)
                self.assert_plain(done.stderr)


class TestEnvironment(command.TestCase):
    """Exit code 4: the machine is at fault."""

    def test_without_qemu_img(self) -> None:
        for form in ('qcow2', 'vmdk'):
            with self.subTest(form):
                done = command.run(
                    command.sample(), '-o', self.output, '--format', form,
                    env=command.environment(PATH=str(self.folder)))
                self.assert_refused(done, 4, 'qemu-img not found')
                self.assertIn('\nhint: ', done.stderr)
                self.assertEqual({}, command.content(self.folder))
        self.assert_built(command.run(
            command.sample(), '-o', self.output,
            env=command.environment(PATH=str(self.folder))))

    def test_broken_qemu_img(self) -> None:
        programs = self.folder / 'bin'
        programs.mkdir()
        program = programs / 'qemu-img'
        for script, pattern in (
                ('echo one >&2; echo "no luck" >&2; exit 1', 'no luck'),
                ('exit 7', '7'), ('kill -9 $$', 'qemu-img'), ('exit 0', ''),
                (r"printf 'a\033[31m\r\377b' >&2; exit 1", 'b'),
                ('for last; do :; done; echo half > "$last"; exit 1',
                 'qemu-img')):
            program.write_text(f'#!/bin/sh\n{script}\n')
            program.chmod(0o755)
            with self.subTest(script):
                done = command.run(
                    command.sample(), '-o', self.output, '--format', 'qcow2',
                    env=command.environment(
                        PATH=f'{programs}:{os.environ["PATH"]}'))
                self.assert_refused(done, 4, pattern)
                self.assertEqual(['bin'], os.listdir(self.folder))

    def test_bad_date(self) -> None:
        for text in ('-1', 'abc', '1e9', ' 1', '1 ', '0x10', '1.5', '٣',
                     str(1 << 33), '9' * 40, '9' * 5000, '+1'):
            with self.subTest(f'{text:.40}', length=len(text)):
                self.assert_refused(command.run(
                    command.sample(), '-o', self.output,
                    env=command.environment(SOURCE_DATE_EPOCH=text)), 2,
                    'SOURCE_DATE_EPOCH')
                self.assertEqual({}, command.content(self.folder))


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
                              self.output.read_bytes())

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


class TestSecrets(command.TestCase):
    """The hash is in the image's KS.CFG, and nowhere else."""

    def setUp(self) -> None:
        super().setUp()
        self.hash = self.write('hash', f'{HASH}\n')
        self.options = ('--root-password-hash-file', self.hash)

    def assert_silent(self, done: command.Done, code: int = 0) -> None:
        self.assertEqual(code, done.code, done.stderr)
        for said in (done.stdout, done.stderr):
            self.assertNotIn(SECRET[:20], said)
            self.assertNotIn('saltsalt', said)
            self.assertNotIn(base64.b64encode(HASH.encode()).decode()[:30],
                             said)

    def members(self) -> dict[str, tuple[int, bytes]]:
        """Every file of the image, by name: its offset and its bytes."""
        fd = os.open(self.output, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        part, = readgpt.read(fd, 'x').partitions
        volume = readfat.read(fd, part.offset, part.size, 'x')
        return {'/'.join(file.path): (file.extents[0].offset, b''.join(
            os.pread(fd, extent.length, extent.offset)
            for extent in file.extents))
            for file in volume.files if file.extents}

    def test_build(self) -> None:
        done = command.run(command.sample(), '-o', self.output,
                           *self.options)
        self.assert_silent(done)
        data = self.output.read_bytes()
        self.assertEqual([HASH.encode()], re.findall(
            re.escape(HASH.encode()), data))
        start, bundle = self.members()['esxiimg.tgz']
        self.assertLess(start, data.index(HASH.encode()))
        self.assertLess(data.index(HASH.encode()), start + len(bundle))
        tar = gzip.decompress(bundle)
        at = tar.index(HASH.encode())
        header = max(tar.rfind(name, 0, at) for name in (
            b'esxiimg/KS.CFG\0', b'esxiimg/build.json\0',
            b'esxiimg/firstboot/'))
        self.assertTrue(tar[header:].startswith(b'esxiimg/KS.CFG\0'))
        line = tar[tar.rindex(b'\n', 0, at) + 1:tar.index(b'\n', at)]
        self.assertEqual(f'rootpw --iscrypted {HASH}', line.decode())
        self.assertEqual({'hash', 'x.img'}, set(os.listdir(self.folder)))

    def test_inspect(self) -> None:
        command.run(command.sample(), '-o', self.output, *self.options)
        done = command.run(self.output, module=command.INSPECT)
        self.assert_silent(done)
        self.assertIn('rootpw --iscrypted (set)', done.stdout)
        # An image that is damaged is told about no less carefully.
        with open(self.output, 'r+b') as file:
            file.seek(520)
            file.write(struct.pack('<L', 7))
        for options in ((), ('--debug',)):
            self.assert_silent(command.run(
                self.output, *options, module=command.INSPECT), 3)

    def test_dry_run(self) -> None:
        for options in ((), ('--json',), ('--debug',)):
            done = command.run(command.sample(), '--dry-run', *options,
                               *self.options)
            self.assert_silent(done)
            self.assertIn('rootpw --iscrypted (set)', done.stdout)

    def test_errors(self) -> None:
        (self.folder / 'folder').mkdir()
        ks = self.write('ks.cfg', 'bogus\n')
        for options, code in (
                (('-o', self.folder / 'folder'), 2), ((), 2),
                (('--kickstart', ks, '--dry-run'), 3),
                (('--kernel-option', 'a b', '--dry-run'), 2),
                (('--install-disk', 'x', '--dry-run'), 2),
                (('--kernel-option', 'x=' + 'y' * 5000, '--dry-run'), 3)):
            for debug in ((), ('--debug',)):
                with self.subTest(options, debug=debug):
                    self.assert_silent(command.run(
                        command.sample(), *options, *debug, *self.options),
                        code)

    def test_user_s_rootpw(self) -> None:
        """In the user's own text the same holds."""
        ks = self.write('ks.cfg', f'rootpw --iscrypted {HASH}\n'
                                  '%firstboot --interpreter=busybox\n'
                                  f'PASSWORD="{SECRET}"\n')
        self.assert_silent(command.run(
            command.sample(), '-o', self.output, '--kickstart', ks))
        for module, options in (
                (command.BUILD, (command.sample(), '--dry-run',
                                 '--kickstart', ks)),
                (command.BUILD, (command.sample(), '--dry-run', '--json',
                                 '--kickstart', ks, *self.options)),
                (command.INSPECT, (self.output,))):
            self.assert_silent(command.run(*options, module=module))

    def test_arguments_of_qemu_img(self) -> None:
        """Other users see a process's command line and its environment."""
        programs = self.folder / 'bin'
        programs.mkdir()
        seen = self.folder / 'seen'
        program = programs / 'qemu-img'
        program.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >"{seen}"\n'
                           'exit 1\n')
        program.chmod(0o755)
        command.run(command.sample(), '-o', self.output, '--format', 'qcow2',
                    *self.options, env=command.environment(
                        PATH=f'{programs}:{os.environ["PATH"]}'))
        self.assertIn('convert', seen.read_text())
        self.assertNotIn(SECRET[:20], seen.read_text())
