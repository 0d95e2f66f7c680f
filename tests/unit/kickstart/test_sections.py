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

"""Our script sections, run by a busybox as the installer runs them."""

import pathlib
import re
import shutil
import subprocess
import time

from esxi_img.firstboot import __main__ as firstboot
from esxi_img.kickstart import grammar
from esxi_img.kickstart import sections
from esxi_img.kickstart import text
from tests import base

SAFE = {'disk.cfg': '# none\n', 'network.cfg': 'network\n',
        'rootpw.cfg': 'rootpw safe\n'}
KNOWN = {'disk.cfg': 'install --disk=a --overwritevmfs\n',
         'network.cfg': 'network --ip=192.0.2.1\n',
         'rootpw.cfg': 'rootpw Hunter22\n'}
STAGE = '\n'.join(['mkdir -p WORK/new', *(
    f"printf '{line}' > WORK/new/{name}" for name, line in KNOWN.items())])
APPLETS = ('cat', 'cp', 'mkdir', 'mv', 'rm', 'sh', 'sleep', 'touch')
ORDER = ('safe', 'pre', 'scrub', 'post', 'firstboot')
SECONDS = 20
"""That no script of a test may take."""


def scripts() -> dict[str, text.Section]:
    """The sections by what they do."""
    script = text.parse(text.lines('\n'.join(sections.lines()), 'ours'))
    assert not script.problems and not script.commands
    return dict(zip(ORDER, script.sections))


class TestLines(base.TestCase):

    def test_the_installer_takes_them(self) -> None:
        script = text.parse(text.lines('\n'.join(sections.lines()), 'ours'))
        self.assertEqual([], grammar.check(script, 'ours', grammar.REQUIRED))
        self.assertEqual(
            ['%pre', '%pre', '%pre', '%post', '%firstboot'],
            [section.head.name for section in script.sections])

    def test_each_is_ascii_marked_and_ends_well(self) -> None:
        for name, section in scripts().items():
            with self.subTest(name):
                body = [line.text.rstrip('\n') for line in section.body]
                self.assertEqual((sections.MARK, 'exit 0'),
                                 (body[0], body[-1]))
                self.assertTrue(all(line.isascii() and len(line) < 80
                                    and line == line.rstrip()
                                    for line in body))

    def test_the_commands_run_in_their_order(self) -> None:
        self.assertEqual(list(sections.COMMANDS), re.findall(
            r'-m firstboot (\S+)$', '\n'.join(sections.lines()), re.M))

    def test_the_package_ends_itself_before_nobody_waits_any_more(
            self) -> None:
        for name, section in scripts().items():
            limit = re.search(r'^left=(\d+)$', ''.join(
                line.text for line in section.body), re.M)
            self.assertEqual(limit is not None, name in firstboot.LIMITS)
            if limit:
                self.assertLess(firstboot.LIMITS[name], int(limit[1]))
        self.assertLessEqual(set(sections.COMMANDS),
                             set(firstboot.COMMANDS))

    def test_a_post_that_hangs_ends_before_the_installer_ends_it(
            self) -> None:
        section = scripts()['post']
        limit = re.search(r'^left=(\d+)$', ''.join(
            line.text for line in section.body), re.M)
        given = re.search(r'--timeout=(\d+)', section.head.rest)
        self.assertIn('--ignorefailure=true', section.head.rest)
        assert limit and given
        self.assertLess(int(limit[1]), int(given[1]))


class RunTestCase(base.TestCase):
    """The sections in a folder of the test's, with a python of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.require('busybox', '/dev/full')
        self.folder = self.tmp()
        self.work = self.folder / 'tmp' / 'esxiimg'
        self.home = self.folder / 'esxiimg'
        self.console = self.folder / 'console'
        self.work.parent.mkdir()
        (self.folder / 'bin').mkdir()
        for name in APPLETS:
            (self.folder / 'bin' / name).symlink_to(
                str(shutil.which('busybox')))
        self.home.mkdir()
        for name, line in SAFE.items():
            (self.home / name).write_text(line)
        (self.home / 'KS.CFG').write_text('secret\n')
        self.python(STAGE)

    def python(self, script: str) -> None:
        """What the name stands for; it notes how and where it is called."""
        path = self.folder / 'bin' / 'python'
        path.write_text(
            f'#!/bin/sh\necho "$PWD" "$@" >> {self.folder}/calls\n'
            + script.replace('WORK', str(self.work)) + '\n')
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """How python was called, with paths of the installer's."""
        try:
            said = (self.folder / 'calls').read_text()
        except FileNotFoundError:
            return []
        return said.replace(str(self.folder), '').splitlines()

    def moved(self, name: str, seconds: float) -> str:
        """A script, its paths below the test's folder, its seconds short."""
        script = ''.join(line.text for line in scripts()[name].body)
        script, count = re.subn(
            r'(?<![\w/])/(?=tmp/|esxiimg\b|dev/console|(alt)?bootbank)',
            f'{self.folder}/', script)
        self.assertGreater(count, 0)
        script = re.sub(r'^left=\d+$', f'left={int(seconds * 10)}', script,
                        flags=re.M)
        return script.replace('sleep 1\n', 'sleep 0.1\n').replace(
            f'{self.folder}/dev/console', str(self.console))

    def ran(self, name: str, seconds: float = 5) -> str:
        """What a section prints; it has to end well, and in time.

        :param seconds: that it waits for python
        """
        done = subprocess.run(
            [self.folder / 'bin' / 'sh'], text=True,
            input=self.moved(name, seconds), cwd='/', timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={'PATH': f'{self.folder}/bin'})
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertNotIn('Hunter22', done.stdout)
        return done.stdout

    def included(self) -> dict[str, str]:
        """What the installer is going to include."""
        return {path.name: path.read_text()
                for path in self.work.glob('*.cfg')}

    def until(self, path: pathlib.Path) -> None:
        """Wait for a file."""
        end = time.monotonic() + SECONDS
        while not path.exists():
            self.assertLess(time.monotonic(), end, path)
            time.sleep(0.05)


class TestSyntax(RunTestCase):

    def test_shells_can_read_it(self) -> None:
        for name in ORDER:
            with self.subTest(name):
                subprocess.run(['busybox', 'sh', '-n'], check=True, text=True,
                               input=self.moved(name, 1))
                with self.assertRaises(subprocess.CalledProcessError):
                    subprocess.run(
                        ['busybox', 'sh', '-n'], check=True, text=True,
                        input='fi\n' + self.moved(name, 1),
                        capture_output=True)

    def test_no_path_but_those_that_the_tests_move(self) -> None:
        self.assertEqual(
            {'/tmp', '/esxiimg', '/dev/null', '/dev/console', '/bootbank',
             '/altbootbank'},
            set(re.findall(r'(?<![\w.])/(?:dev/)?\w+',
                           '\n'.join(sections.lines()))))


class TestPre(RunTestCase):

    def pre(self, seconds: float = 5) -> str:
        """All three sections before the installation; what they print."""
        return ''.join(self.ran(name, seconds)
                       for name in ('safe', 'pre', 'scrub'))

    def assert_safe(self) -> None:
        """The includes are the build's, and the drive was left alone."""
        self.assertEqual(SAFE, self.included())
        self.assertNotIn('scrub', ' '.join(self.calls()))
        self.assertFalse((self.work / 'ready').exists())

    def test_ready_made(self) -> None:
        self.ran('safe')
        self.assertEqual(SAFE, self.included())
        self.assertEqual([], self.calls())

    def test_all_goes_well(self) -> None:
        self.python(f'{STAGE}\necho "to $0: $4"; echo oh >&2; cat')
        said = self.pre()
        self.assertEqual(KNOWN, self.included())
        self.assertEqual([f'/esxiimg -B -m firstboot {command}'
                          for command in ('pre', 'scrub')], self.calls())
        for part in ('pre\noh\n', 'scrub\noh\n'):
            self.assertIn(part, said)
            self.assertEqual(1, said.count(part))

    def test_the_console_has_it_too(self) -> None:
        self.python(f'{STAGE}\necho hello')
        self.ran('safe')
        self.assertEqual('hello\n', self.ran('pre'))
        self.assertEqual('hello\n', self.console.read_text())

    def test_only_root_may_read_it(self) -> None:
        self.pre()
        paths = [self.work, *self.work.iterdir()]
        self.assertGreater(len(paths), 5)
        self.assertEqual({0}, {path.stat().st_mode & 0o077
                               for path in paths})

    def test_no_python(self) -> None:
        (self.folder / 'bin' / 'python').unlink()
        self.assertRegex(self.pre(), 'python: .*not found')
        self.assert_safe()

    def test_python_fails(self) -> None:
        for end in ('exit 1', 'exit 2', 'kill -9 $$', 'kill -ALRM $$'):
            with self.subTest(end):
                self.python(f'{STAGE}\necho why; {end}')
                self.assertIn('why\n', self.pre())
                self.assert_safe()

    def test_python_hangs(self) -> None:
        self.python(f'echo first; until [ -e {self.folder}/go ]; do\n'
                    f'sleep 0.1; done\n{STAGE}\ntouch {self.folder}/done')
        said = self.pre(0.3)
        self.assertEqual('first\nesxi-img: problem: pre hangs\n', said)
        self.assertEqual(said, self.console.read_text())
        self.assert_safe()
        # What comes late changes nothing any more.
        (self.folder / 'go').touch()
        self.until(self.folder / 'done')
        self.until(self.work / 'pre.status')
        self.assert_safe()
        self.assertEqual('', self.ran('scrub'))
        self.assert_safe()

    def test_what_is_left_of_an_earlier_run_does_not_count(self) -> None:
        self.work.mkdir()
        (self.work / 'pre.status').write_text('0\n')
        self.python('sleep 0.3; exit 1')
        self.pre()
        self.assert_safe()

    def test_nothing_staged(self) -> None:
        self.python('exit 0')
        self.pre()
        self.assert_safe()

    def test_something_staged(self) -> None:
        self.python('mkdir -p WORK/new; echo install > WORK/new/disk.cfg')
        self.pre()
        self.assertEqual({**SAFE, 'disk.cfg': 'install\n'}, self.included())

    def test_no_console(self) -> None:
        self.python(f'{STAGE}\necho hello')
        for place in (self.folder / 'none' / 'console', self.folder,
                      pathlib.Path('/dev/full')):
            with self.subTest(place):
                self.console = place
                self.assertEqual('hello\nhello\n', self.pre())
                self.assertEqual(KNOWN, self.included())

    def test_no_folder_of_ours(self) -> None:
        self.ran('safe')
        for path in self.home.iterdir():
            path.unlink()
        self.home.rmdir()
        self.ran('safe')
        self.assertRegex(self.ran('pre'), "can't cd")
        self.ran('scrub')
        self.assert_safe()
        self.assertEqual([], self.calls())

    def test_nowhere_to_write(self) -> None:
        self.work.write_text('a file')
        self.pre(0.3)
        self.assertEqual([], self.calls())

    def test_no_scrubbing_before_the_includes_are_there(self) -> None:
        self.ran('safe')
        self.assertEqual('', self.ran('scrub'))
        self.assertEqual([], self.calls())

    def test_a_scrub_that_fails_or_hangs(self) -> None:
        for script, part in (
                ('exit 1', ''), ('kill -9 $$', ''),
                ('exec sleep 1', 'esxi-img: problem: scrub hangs\n')):
            with self.subTest(script):
                self.python(f'[ $4 = pre ] || {script}\n{STAGE}')
                self.assertIn(part, self.pre(0.5))
                self.assertEqual(KNOWN, self.included())


class TestPost(RunTestCase):

    def test_runs_whatever_was_before(self) -> None:
        self.python('echo posted')
        self.assertEqual('posted\n', self.ran('post'))
        self.assertEqual(['/esxiimg -B -m firstboot post'], self.calls())

    def test_failures(self) -> None:
        for script, seconds, part in (
                ('exit 1', 5, ''), ('kill -9 $$', 5, 'Killed'),
                ('exec sleep 1', 0.2, 'esxi-img: problem: post hangs\n')):
            with self.subTest(script):
                self.python(script)
                self.assertIn(part, self.ran('post', seconds))


class TestFirstboot(RunTestCase):

    def bank(self, name: str) -> None:
        (self.folder / name / 'esxiimg' / 'firstboot').mkdir(parents=True)

    def test_no_bank(self) -> None:
        self.assertEqual('', self.ran('firstboot'))
        self.assertEqual([], self.calls())

    def test_banks(self) -> None:
        self.bank('altbootbank')
        self.ran('firstboot')
        self.bank('bootbank')
        self.ran('firstboot')
        self.assertEqual(['/altbootbank/esxiimg -B -m firstboot apply',
                          '/bootbank/esxiimg -B -m firstboot apply'],
                         self.calls())

    def test_failures(self) -> None:
        self.bank('bootbank')
        for script in ('exit 1', 'kill -9 $$'):
            self.python(script)
            self.ran('firstboot')
        (self.folder / 'bin' / 'python').unlink()
        self.ran('firstboot')
        self.assertEqual(2, len(self.calls()))
