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

"""What users and scripts rely on: streams, usage, exit codes."""

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import termios

from tests.functional import command

HOSTILE = b'a\nerror: b\x1b[31mc\rd\xff\x07e.x'


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
                     'ks=file:///esxiimg/KS.CFG', 'FAT32', 'disk guid',
                     'install --disk=IMAGE-DISK', 'first boot',
                     'keep config drive no'):
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
