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

"""The shell examples of the documentation do what they are there for.

Those marked ``run`` are run, page by page; the words of those marked
``parse`` go through the parsers of the programs that they call.
"""

import collections.abc
import subprocess

from tests.examples import clients
from tests.examples import pages
from tests.examples import session
from tests.examples import shell
from tests.functional import command


def example(text: str, how: str = 'run', *names: str) -> pages.Example:
    return pages.Example('page.rst', 7, how, names, text)


class TestRun(command.TestCase):
    """One test for each page that has what can be run."""

    def of_page(self, examples: tuple[pages.Example, ...]) -> None:
        missing = session.missing(examples)
        if missing:
            self.require(*missing)
        if session.needs_root(examples) and subprocess.run(
                ['sudo', '-n', 'true'], capture_output=True).returncode:
            self.not_tested('needs root')
        session.run(examples, self.folder)


def _test_of(page: pages.Page) -> collections.abc.Callable[[TestRun], None]:
    examples = tuple(one for one in page.examples if one.how == 'run')

    def test(self: TestRun) -> None:
        self.of_page(examples)
    return test


for _page in pages.all_pages():
    if any(one.how == 'run' for one in _page.examples):
        setattr(TestRun, 'test_' + _page.name.removesuffix('.rst').replace(
            '/', '_').replace('-', '_'), _test_of(_page))


class TestSession(command.TestCase):
    """A page is one shell, and what goes wrong in it is seen."""

    def assert_fails(self, pattern: str, *texts: str, **limit: float) -> None:
        with self.assertRaisesRegex(session.Failed, pattern):
            session.run([example(text) for text in texts], self.tmp(),
                        **limit)

    def test_examples_go_on_where_the_one_before_has_ended(self) -> None:
        session.run([example('mkdir a; cd a; touch b; x=c'),
                     example('test -e b; test "$x" = c')], self.folder)
        self.assertEqual(['a'], [
            path.name for path in (self.folder / 'place').iterdir()])

    def test_files_are_put_there(self) -> None:
        names = {*pages.NAMES} - {'checkout', 'root'}
        self.require('genisoimage')
        session.run([example('; '.join(f'test -s {name}' for name in names),
                             'run', *names),
                     example('ls dist/*.whl')],
                    self.folder)

    def test_a_checkout_is_all_that_make_image_needs(self) -> None:
        self.require('git', 'make')
        session.run([example('test ! -e .venv; make image; ./.venv/bin/'
                             'esxi-img-inspect esxi.img', 'run', 'checkout')],
                    self.folder)

    def test_one_that_is_there_stays(self) -> None:
        session.run([example('echo x > ks.cfg'),
                     example('test "$(cat ks.cfg)" = x', 'run', 'ks.cfg')],
                    self.folder)

    def test_our_commands_are_there(self) -> None:
        session.run([example('esxi-img --version; esxi-img-plan --version')],
                    self.folder)

    def test_python(self) -> None:
        text = '.. example: run\n\n.. code-block:: python\n\n   '
        for code, good in (('from tests import base', True),
                           ('assert 0', False)):
            examples = pages.read('README.rst', text + code).examples
            with self.subTest(code):
                if good:
                    session.run(examples, self.tmp())
                else:
                    self.assertRaises(session.Failed, session.run, examples,
                                      self.tmp())

    def test_failures(self) -> None:
        for text in ('false', 'false | true', 'echo "$unknown"', 'nothing-x',
                     'esxi-img --frob', 'pip install nothing', 'a "b',
                     'exit 3'):
            self.assert_fails('exit code', 'true', text, 'true')

    def test_the_example_is_named(self) -> None:
        self.assert_fails('page.rst:7', 'false')

    def test_an_early_end(self) -> None:
        self.assert_fails('it ends the shell', 'exit 0', 'false')

    def test_hanging(self) -> None:
        self.assert_fails('longer than', 'sleep 60', limit=.5)

    def test_nothing_can_be_typed(self) -> None:
        session.run([example('test "$(readlink /proc/$$/fd/0)" = /dev/null')],
                    self.folder)

    def test_what_is_missing(self) -> None:
        self.assertEqual(['nothing-x'], session.missing([example(
            'cd x; ./y; nothing-x | cat; esxi-img')]))

    def test_root(self) -> None:
        for one, needed in ((example('a'), False),
                            (example('a', 'run', 'root'), True),
                            (example('a | sudo b'), True)):
            self.assertEqual(needed, session.needs_root([one]))


class TestSyntax(command.TestCase):
    """The shells that the examples are for can read them."""

    def test_bash(self) -> None:
        for one in pages.examples('run', 'parse'):
            self.of_shell(['bash'], one)

    def test_busybox(self) -> None:
        self.require('busybox')
        for one in pages.examples('host'):
            self.of_shell(['busybox', 'ash'], one)

    def of_shell(self, argv: list[str], one: pages.Example) -> None:
        done = subprocess.run([*argv, '-n'], input=one.text, text=True,
                              capture_output=True)
        with self.subTest(one.where):
            self.assertEqual((0, ''), (done.returncode, done.stderr))


class TestParse(command.TestCase):

    def test_each_program_takes_its_words(self) -> None:
        faults = [fault for one in pages.examples('parse')
                  for fault in self.faults(one)]
        self.assertEqual([], faults, '\n'.join(faults))

    def faults(self, one: pages.Example
               ) -> collections.abc.Iterator[str]:
        judged = False
        for each in shell.commands(one.text):
            try:
                judged |= clients.check(each.words)
            except clients.Refused as refusal:
                judged = True
                yield f'{one.where_of(each.line)}: {refusal}'
        if not judged:
            yield f'{one.where}: nothing here has a parser: mark it "run"'

    def test_each_has_something_to_be_judged(self) -> None:
        self.assertEqual(
            ['page.rst:7: nothing here has a parser: mark it "run"'],
            list(self.faults(example('echo x\ncd y'))))
        self.assertRegex(''.join(self.faults(example('cd y\nmake x'))),
                         '^page.rst:8: .*Makefile')


class TestClients(command.TestCase):
    """The parsers are the real ones."""

    def check(self, text: str) -> bool:
        each, = shell.commands(text)
        return clients.check(each.words)

    def test_taken(self) -> None:
        for text in (
                'openstack --os-cloud CLOUD image create --disk-format raw '
                '--container-format bare --file esxi.img esxi',
                'openstack baremetal node deploy NODE --config-drive x --wait',
                'openstack port create --network NETWORK --fixed-ip '
                'subnet=SUBNET,ip-address=192.0.2.1 PORT',
                'sudo -u stack env A=b openstack image list -f value -c ID',
                'xargs -n 1 openstack baremetal node undeploy',
                'pip install --upgrade esxi-img',
                'pipx install WHEEL', 'pipx run --spec WHEEL esxi-img',
                'make image ISO=esxi.iso',
                'python3 -m pip install .', 'python -m venv VENV',
                'VENV/bin/pip install esxi-img', 'tox -e py3 -- REGEX',
                'git clone --depth 1 URL', 'git commit --amend -a',
                'esxi-img --dry-run esxi.iso',
                'esxi-img-plan --json drive.iso',
                'disk-image-create -t raw,qcow2 -o esxi esxi-installer '
                'esxi-driver devuser'):
            with self.subTest(text):
                self.assertTrue(self.check(text))

    def test_not_judged(self) -> None:
        for text in ('echo x', 'sudo tee x', 'sudo true'):
            with self.subTest(text):
                self.assertFalse(self.check(text))

    def test_refused(self) -> None:
        for text in (
                'openstack --os-frob image list', 'openstack image lst',
                'openstack image create --disk-formt raw esxi',
                'openstack image create --disk-format rw esxi',
                'openstack image create --disk-form raw esxi',
                'openstack image create', 'openstack baremetal frob',
                'openstack baremetal node set NODE --frob',
                'openstack baremetal node deploy',
                'sudo openstack image lst', 'sudo --frob true',
                'xargs openstack image lst', 'frob', 'kubectl get pods',
                'pip frob esxi-img', 'pip install --frob esxi-img',
                'pipx frob x', 'pipx run --frob x',
                'make imag', 'make tests', 'make image ISOS=esxi.iso',
                'make image=x',
                'python -m venv', 'python -m venv --frob x',
                'python -m json', 'python x.py', 'python tools/none.py',
                'python tools/run_tests.py', 'python tools/bench.py --frob',
                'tox -e functionl', 'tox -e py3 --frob', 'git clne URL',
                'git clone --frob URL',
                'esxi-img --frob esxi.iso', 'esxi-img',
                'esxi-img --sector-size 5 esxi.iso',
                'esxi-img-plan', 'esxi-img-plan --frob drive.iso',
                'disk-image-create --frob esxi-installer',
                'disk-image-create -o esxi', 'disk-image-create esxi-instller'
        ):
            with self.subTest(text), self.assertRaises(clients.Refused):
                self.check(text)
