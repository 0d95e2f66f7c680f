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

"""Facts of the simulated host, by its commands and from its memory."""

import collections.abc
import dataclasses
import functools
import ipaddress
import json
import random

from esxi_img.firstboot import collect
from esxi_img.firstboot import drive
from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import outcome
from esxi_img.firstboot import reading
from esxi_img.firstboot import running
from esxi_img.firstboot import think
from tests import base
from tests.esxi import grammar
from tests.esxi import model as esxi_model
from tests.esxi import state
from tests.unit.firstboot import simulated
from tests.unit.firstboot import test_corpus
from tests.unit.firstboot import test_hosts

Argv = tuple[str, ...]
Answer = collections.abc.Callable[[Argv], running.Result | None]
Found = tuple[host.Host, tuple[model.Problem, ...], bool]

HOSTD = ('vim-cmd', 'hostsvc/runtimeinfo')
CERTIFICATE = ('openssl', 'x509', '-in', '/etc/vmware/ssl/rui.crt', '-noout',
               '-subject')
NEEDED = ('network nic list', 'network vswitch standard list',
          'network vswitch standard portgroup list',
          'network ip interface list', 'network ip interface ipv4 get')
FORMATTER = '--formatter=json'

# Two bonds, VLANs and both families: something for every command.
RICH = 'k8s-baremetal/bond-two-vlans-dual'


def said(output: str = '', status: int | None = 0, error: str = '',
         seconds: float = 0.25) -> running.Result:
    return running.Result(status, output, error, seconds)


def command(argv: Argv) -> str:
    """The words of an esxcli command, without options."""
    words = [word for word in argv[1:] if word != FORMATTER]
    end = next((number for number, word in enumerate(words)
                if word.startswith('-')), len(words))
    return ' '.join(words[:end])


class Console:
    """Runs commands on a host, as the program does.

    :param answer: comes before the host; None: the host may answer
    """

    def __init__(self, esxi: state.Esxi, answer: Answer = lambda argv: None
                 ) -> None:
        self.esxi = esxi
        self.answer = answer
        self.asked: list[Argv] = []
        self.slept: list[float] = []
        self.limit = self.waited = 0.0

    def run(self, argv: collections.abc.Sequence[str], timeout: float
            ) -> running.Result:
        assert 0 < timeout <= 120
        self.limit = timeout
        self.asked.append(tuple(argv))
        found = self.answer(tuple(argv))
        if found is None and tuple(argv) == CERTIFICATE:
            found = said(f'subject=C = US, O = "VMware, Inc", CN = '
                         f'{self.esxi.certificate}\n')
        if found is None:
            status, output, error = self.esxi.run(argv)
            found = said(output, status, error)
        if argv == HOSTD:
            self.waited += found.seconds
        return found

    def read(self, path: str) -> str | None:
        content = self.esxi.files.get(path, (0, None))[1]
        assert not isinstance(content, bytes)
        return content

    def collect(self, wait: float = 300) -> Found:
        return collect.collect(self.run, self.slept.append, wait, self.read)


def no_formatter(argv: Argv) -> running.Result | None:
    if FORMATTER in argv:
        return said(status=1, error='Error: Invalid option --formatter\n')
    return None


def configured(case: str, **more: object) -> state.Esxi:
    """A host after its first boot."""
    found = test_corpus.outcome_of(case)
    esxi = test_hosts.install(found, **more)
    test_hosts.run(esxi, found.plan)
    return esxi


def told(esxi: state.Esxi) -> host.Host:
    """What there is to tell, and what the commands can tell of it."""
    known = simulated.facts(esxi)
    teamings = {one.name: one.teaming for one in known.network.vswitches}
    # A port group tells the policy that holds, be it the switch's.
    groups = tuple(
        dataclasses.replace(one, teaming=one.teaming or teamings[one.vswitch])
        for one in known.network.portgroups)
    return dataclasses.replace(
        known, ssh=None, shell=None,
        network=dataclasses.replace(known.network, portgroups=groups))


class TestCorpus(base.TestCase):
    """After the first boot of every described host."""

    def check(self, console: Console) -> tuple[model.Problem, ...]:
        """All is told, by commands that change nothing."""
        known, problems, complete = console.collect()
        expected = told(console.esxi)
        # With the interfaces of routes, which == leaves out.
        self.assertEqual(facts.as_json(expected), facts.as_json(known))
        self.assertEqual(expected, known)
        self.assertTrue(complete)
        for argv in console.asked:
            if argv not in (HOSTD, CERTIFICATE):
                call = grammar.parse(argv)
                self.assertIn(call.path.split()[-1], ('list', 'get'))
                self.assertIn(call.formatter, ('json', None))
        return problems

    def test_json(self) -> None:
        for version, joined in (('7.0.3', True), ('8.0.3', False)):
            for case in test_corpus.CASES:
                console = Console(configured(case, version=version))
                console.esxi.joined_keys = joined
                with self.subTest(case, version=version, joined=joined):
                    self.assertEqual((), self.check(console))
                    self.assertEqual([], console.slept)
                    self.assertEqual(len(console.asked) - 2, sum(
                        FORMATTER in argv for argv in console.asked))

    def test_text_only(self) -> None:
        for case in test_corpus.CASES:
            console = Console(configured(case), no_formatter)
            with self.subTest(case):
                self.assertEqual((), self.check(console))
                self.assertEqual([], console.slept)

    def test_without_hostd(self) -> None:
        for case in test_corpus.CASES:
            console = Console(configured(case))
            console.esxi.hostd = False
            with self.subTest(case):
                problems = self.check(console)
                self.assertEqual(
                    [('host', 'vim-cmd hostsvc/runtimeinfo: no answer within '
                      '300 s, so localcli is asked, which does without '
                      'hostd')],
                    [(one.where, one.message) for one in problems])
                self.assertEqual({'vim-cmd', 'localcli', 'openssl'},
                                 {argv[0] for argv in console.asked})

    def test_nothing_is_left_to_do(self) -> None:
        for case in test_corpus.CASES:
            esxi = configured(case)
            found = self.again(case, Console(esxi).collect()[0])
            with self.subTest(case):
                self.assertEqual([], [
                    step.name for step in found.plan.steps
                    # Of scripts only the journal knows.
                    if not step.blind and not step.name.startswith(
                        ('backup', 'script.'))])

    def again(self, case: str, known: host.Host) -> outcome.Outcome:
        found = drive.read(str(test_corpus.CORPUS / case))
        description, wishes = reading.all_of(
            reading.model_of(found), reading.gathered_of(found.files))
        return think.outcome_of(description, known.nics, known,
                                model.Settings(), wishes)

    def test_a_new_host_has_something_left_to_do(self) -> None:
        esxi = test_hosts.install(test_corpus.outcome_of(RICH))
        found = self.again(RICH, Console(esxi).collect()[0])
        self.assertLess(10, len(found.plan.steps))


class TestPatience(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.esxi = configured(RICH)

    def test_waits_for_hostd(self) -> None:
        refusals = iter(range(7))

        def answer(argv: Argv) -> running.Result | None:
            if argv == HOSTD and next(refusals, None) is not None:
                return said(status=1, error='Connection failure')
            return None

        console = Console(self.esxi, answer)
        found, problems, complete = console.collect()
        self.assertEqual([10] * 7, console.slept)
        self.assertEqual([HOSTD] * 8, console.asked[:8])
        self.assertNotIn('localcli', {argv[0] for argv in console.asked})
        self.assertEqual((told(self.esxi), (), True),
                         (found, problems, complete))

    def test_waits_no_longer_than_it_may(self) -> None:
        for seconds, wait in ((0, 300), (0, 0), (0, 95), (30, 300), (1, 45),
                              (29, 12)):
            console = Console(self.esxi, lambda argv, seconds=seconds: said(
                status=None, seconds=min(seconds, console.limit)
                ) if argv == HOSTD else None)
            problems, complete = console.collect(wait)[1:]
            with self.subTest(seconds=seconds, wait=wait):
                spent = sum(console.slept) + console.waited
                self.assertLessEqual(spent, wait + 1)
                # What is left is less than one more round.
                self.assertLess(wait - spent, 10 + seconds)
                self.assertEqual(f'vim-cmd hostsvc/runtimeinfo: no answer '
                                 f'within {wait} s, so localcli is asked, '
                                 'which does without hostd',
                                 problems[0].message)
                self.assertTrue(complete)

    def fails(self, times: int, result: running.Result) -> Console:
        left = iter(range(times))
        return Console(self.esxi, lambda argv: result if command(
            argv) == NEEDED[0] and next(left, None) is not None else None)

    def test_asks_again(self) -> None:
        console = self.fails(8, said(status=1, error='Error: busy'))
        self.assertEqual((told(self.esxi), (), True), console.collect())
        self.assertEqual([5] * 4, console.slept)

    def test_gives_up(self) -> None:
        for result, why in (
                (said(status=1, error='\nError: busy\n\nUsage: x\n'),
                 "status 1, 'Error: busy'"),
                (said('Errors:\x1b\n', 2), "status 2, 'Errors:\\x1b'"),
                (said(status=None, seconds=59.7), 'no answer within 60 s'),
                (said('Name\n----\n'), 'names none'),
                (said(), 'names none'), (said('\0'),
                                         'neither a table nor records')):
            console = self.fails(10, result)
            found, problems, complete = console.collect()
            with self.subTest(why):
                self.assertEqual([5] * 4, console.slept)
                self.assertEqual(
                    (model.Problem(
                        'host', f'esxcli network nic list: {why}'),),
                    problems)
                self.assertFalse(complete)
                self.assertEqual(
                    dataclasses.replace(told(self.esxi), nics=()), found)

    def test_the_thing_that_is_not_told_of(self) -> None:
        words = ('esxcli', 'network', 'vswitch', 'standard', 'portgroup',
                 'policy', 'failover', 'get', '--portgroup-name', 'vmk1')
        console = Console(self.esxi, lambda argv: said('x') if {
            *words} <= {*argv} else None)
        found, problems, complete = console.collect()
        self.assertEqual(
            (model.Problem('host', f"{' '.join(words[:-2])} 'vmk1': neither "
                           'a table nor records'),), problems)
        groups = [group.teaming is None
                  for group in found.network.portgroups]
        self.assertEqual(([False, True], True), (groups, complete))

    def test_a_host_that_tells_nothing(self) -> None:
        console = Console(self.esxi, lambda argv: None if argv == HOSTD
                          else said(status=None, seconds=60))
        found, problems, complete = console.collect()
        keys = simulated.facts(self.esxi).ssh_keys
        self.assertEqual(host.Host(ssh_keys=keys), found)
        self.assertFalse(complete)
        # A minute each, and four more for the first.
        self.assertEqual(len(problems) + 5, len(console.asked))
        self.assertGreater(22, len(console.asked))
        self.assertEqual(len(problems), len(set(problems)))

    def test_json_that_cannot_be_read(self) -> None:
        console = Console(self.esxi)
        for output in ('', '[{"Name": "vm', 'null', '[]', '[{}]',
                       '   Name: vmk0\n'):
            console = Console(self.esxi, lambda argv, output=output: said(
                output) if FORMATTER in argv and command(argv) in NEEDED
                else None)
            with self.subTest(output):
                self.assertEqual((told(self.esxi), (), True),
                                 console.collect())
                self.assertEqual([], console.slept)


class TestSingleFacts(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.esxi = configured(RICH)

    def test_certificate(self) -> None:
        for output, expected in (
                ('subject=CN = esx1.example.com\n', 'esx1.example.com'),
                ('subject= /C=US/O=VMware, Inc/CN=esx1.example.com\n',
                 'esx1.example.com'),
                ('subject=/CN=esx1/unstructuredName=1\n', 'esx1'),
                ('subject=CN=esx1.example.com,OU=x,C=US\n',
                 'esx1.example.com'),
                ('subject=C = US, ST = California, L = Palo Alto, O = '
                 '"VMware, Inc", OU = VMware ESX Server Default Certificate, '
                 'emailAddress = a@b.c, CN = localhost.localdomain, '
                 'unstructuredName = "1,2"\n', 'localhost.localdomain'),
                ('subject=O = CN, CN = esx1\n', 'esx1'),
                ('subject=O = x\n', None), ('', None),
                ('subject=DCN = x\n', None)):
            console = Console(self.esxi, lambda argv, output=output: said(
                output) if argv == CERTIFICATE else None)
            found, problems, complete = console.collect()
            with self.subTest(output):
                self.assertEqual(expected, found.certificate)
                self.assertEqual(
                    [] if expected else [f'{" ".join(CERTIFICATE)}: names no '
                                         'host'],
                    [one.message for one in problems])
                self.assertTrue(complete)

    def test_no_certificate(self) -> None:
        result = said('subject=CN=x\n', 127, 'cannot be started: No such file')
        found, problems, _ = Console(
            self.esxi, lambda argv: result if argv == CERTIFICATE else None
        ).collect()
        self.assertIsNone(found.certificate)
        self.assertEqual([f'{" ".join(CERTIFICATE)}: status 127, \'cannot be '
                          'started: No such file\''],
                         [one.message for one in problems])

    def test_keys(self) -> None:
        for content, expected in (
                (None, ()), ('', ()), ('\n', ()), ('a', ('a',)),
                ('a\nb', ('a', 'b')), ('# x\n\na b\r\n', ('# x', '', 'a b')),
                ('a \x0b\u2028\x85b\n', ('a \x0b\u2028\x85b',))):
            console = Console(self.esxi)
            if content is None:
                self.esxi.files.pop(simulated.KEYS, None)
            else:
                self.esxi.files[simulated.KEYS] = 0o600, content
            with self.subTest(content):
                self.assertEqual(expected, console.collect()[0].ssh_keys)

    def test_shell_warning(self) -> None:
        setting = self.esxi.advanced['/UserVars/SuppressShellWarning']
        for setting.value, expected in ((1, False), (0, True)):
            with self.subTest(value=setting.value):
                self.assertIs(expected,
                              Console(self.esxi).collect()[0].shell_warning)

    def test_default_route_of_an_interface(self) -> None:
        esxi = configured(RICH)
        for vmk in esxi.vmks.values():
            vmk.ipv6 = True
        esxi.vmks['vmk1'].gateway6 = 'fe80::9'
        for listed, gateway, vmk in (
                ([], 'fe80::9', 'vmk1'),
                ([esxi_model.Route(esxi_model.DEFAULTS[6],
                                   ipaddress.IPv6Address('fe80::1'), 'vmk0')],
                 'fe80::1', 'vmk0')):
            esxi.routes = listed
            route = Console(esxi).collect()[0].network.default6
            with self.subTest(gateway):
                self.assertEqual(('::/0', gateway, vmk),
                                 (route.network, route.gateway, route.vmk))


class TestGaps(base.TestCase):
    """Answers that are fine by themselves but leave something out."""

    def without(self, esxi: state.Esxi, words: str, name: str,
                key: str = 'Name') -> Found:
        def answer(argv: Argv) -> running.Result | None:
            if command(argv) != words:
                return None
            rows = json.loads(esxi.run(['esxcli', FORMATTER,
                                        *words.split()])[1])
            rest = [row for row in rows if row[key] != name]
            assert len(rest) == len(rows) - 1
            return said(json.dumps(rest))
        return Console(esxi, answer).collect()

    def test_what_others_name(self) -> None:
        esxi = configured('cloudstack/cobra-metadata')
        for words, name in (
                (NEEDED[0], 'vmnic1'), (NEEDED[1], 'vSwitch1'),
                (NEEDED[2], 'vmk1'), (NEEDED[3], 'vmk1'),
                (NEEDED[4], 'vmk1')):
            problems, complete = self.without(esxi, words, name)[1:]
            with self.subTest(words):
                self.assertFalse(complete)
                self.assertIn(model.Problem(
                    'host', f"esxcli {words}: does not name '{name}', which "
                    'others do'), problems)

    def test_port_group_that_only_its_switch_names(self) -> None:
        esxi = configured(RICH)
        esxi.portgroups['Other'] = dataclasses.replace(
            esxi.portgroups['vmk1'], name='Other')
        self.assertTrue(Console(esxi).collect()[2])
        self.assertFalse(self.without(esxi, NEEDED[2], 'Other')[2])

    def test_commas_in_names(self) -> None:
        esxi = configured(RICH)
        group = dataclasses.replace(esxi.portgroups.pop('vmk1'),
                                    name='a, b,c')
        esxi.portgroups[group.name] = group
        esxi.vmks['vmk1'].portgroup = group.name
        for answer in (lambda argv: None, no_formatter):
            self.assertEqual((told(esxi), (), True),
                             Console(esxi, answer).collect())

    def test_interface_on_a_distributed_switch(self) -> None:
        esxi = configured(RICH)

        def answer(argv: Argv) -> running.Result | None:
            if command(argv) == NEEDED[3]:
                output = esxi.run(argv)[1]
                return said(output.replace('"Portgroup": "vmk1"',
                                           '"Portgroup": "N/A"'))
            return None

        _, problems, complete = Console(esxi, answer).collect()
        self.assertFalse(complete)
        self.assertEqual(["esxcli network vswitch standard portgroup list: "
                          "does not name 'N/A', which others do"],
                         [one.message for one in problems])


class TestBroken(base.TestCase):
    """Whatever one command answers, the others still count."""

    GARBAGE = (
        said(status=1), said(status=None), said('', 127), said('\0'),
        said('Error: Unknown command or namespace'), said('[[]]'),
        said('[{"Name": {}}]'), said('{"Name": 1e999}'), said('"text"'),
        said('Name  Name\n----  ----\na     b\n'), said('[' * 1000),
        said('vmk0\n   Name: vmk0\n'), said('-\n-\n-\n'), said('\ud800'),
        said('[{"Name": "vmk0\\u0000"}]'), said('   :\n'), said('[{}]'))

    def setUp(self) -> None:
        super().setUp()
        self.esxi = configured(RICH)
        self.true = told(self.esxi)
        run = Console(self.esxi).run
        self.answers = functools.lru_cache(None)(
            lambda argv: run(argv, 1))
        console = Console(self.esxi, no_formatter)
        console.collect()
        self.kinds = sorted({command(argv) for argv in console.asked}
                            - {'', HOSTD[1], 'x509'})

    def collect(self, words: str, change: collections.abc.Callable[
            [str], running.Result]) -> Found:
        """With changed answers to one command."""
        def answer(argv: Argv) -> running.Result:
            result = self.answers(argv)
            return change(result.output) if command(argv) == words \
                else result
        found = Console(self.esxi, answer).collect()
        self.assert_usable(found)
        return found

    def assert_usable(self, found: Found) -> None:
        known, problems, _ = found
        self.assertEqual(
            (known, ()), facts.from_json(facts.as_json(known)))
        for one in problems:
            self.assertEqual('host', one.where)
            self.assertRegex(one.message, r'^[ -~]{1,1000}$')

    def needed(self, known: host.Host) -> object:
        network = known.network
        return ([(one.name, one.uplinks) for one in network.vswitches],
                [(one.name, one.vswitch) for one in network.portgroups],
                [(one.name, one.portgroup, one.ipv4) for one in network.vmks],
                {nic.name for nic in known.nics} >= {
                    name for one in network.vswitches
                    for name in one.uplinks})

    def test_every_kind_is_there(self) -> None:
        self.assertEqual(17, len(self.kinds))
        self.assertLess(set(NEEDED), set(self.kinds))

    def test_garbage(self) -> None:
        for words in self.kinds:
            for result in self.GARBAGE:
                known, problems, complete = self.collect(
                    words, lambda output, result=result: result)
                with self.subTest(words, result=result, output=result.output):
                    self.assertEqual(words not in NEEDED, complete)
                    self.assertTrue(any(words in one.message
                                        for one in problems))
                    if words not in NEEDED:
                        self.assertEqual(self.needed(self.true),
                                         self.needed(known))

    def test_nothing(self) -> None:
        for words in self.kinds:
            known, _, complete = self.collect(words, lambda output: said())
            with self.subTest(words):
                self.assertEqual(words not in NEEDED, complete)

    def test_cut_off(self) -> None:
        for words in self.kinds:
            for part in range(40):
                known, _, complete = self.collect(
                    words, lambda output, part=part: said(
                        output[:len(output) * part // 40]))
                with self.subTest(words, part=part):
                    if complete:
                        self.assertEqual(self.needed(self.true),
                                         self.needed(known))
                    else:
                        self.assertIn(words, NEEDED)

    def test_cut_off_at_a_line(self) -> None:
        for words in self.kinds:
            for lines in range(40):
                known, _, complete = self.collect(
                    words, lambda output, lines=lines: said(
                        ''.join(output.splitlines(True)[:lines])
                        if output[:1] not in '[{' else ''))
                with self.subTest(words, lines=lines):
                    if complete:
                        self.assertEqual(self.needed(self.true),
                                         self.needed(known))

    def test_any_change(self) -> None:
        chance = random.Random(6)
        for words in self.kinds:
            for _ in range(40):
                at, other = chance.random(), chance.choice(
                    '\0\n -:,"{}[]x0\ud800\u00e9')
                number = chance.randrange(3)

                def change(output: str, at: float = at, other: str = other,
                           number: int = number) -> running.Result:
                    place = int(at * len(output))
                    return said(output[:place] + other
                                + output[place + number:])

                with self.subTest(words, at=at, other=other):
                    self.collect(words, change)

    def test_the_answer_to_something_else(self) -> None:
        wrong = [(words, other) for words in self.kinds
                 for other in self.kinds if words != other]
        for words, other in wrong:
            answer = next(self.answers(argv).output
                          for argv in self.all_argv() if command(argv)
                          == other)
            _, _, complete = self.collect(
                words, lambda output, answer=answer: said(answer))
            with self.subTest(words, other=other):
                self.assertEqual(words not in NEEDED, complete)

    @functools.lru_cache(None)
    def all_argv(self) -> tuple[Argv, ...]:
        console = Console(self.esxi)
        console.collect()
        return tuple(console.asked)
