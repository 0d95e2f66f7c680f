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

import collections.abc
import gc
import http.client
import socket
import ssl
import sys
import threading
import time
import typing
from unittest import mock
import warnings

from esxi_img.firstboot import apply
from esxi_img.firstboot import phonehome
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from tests import base
from tests.esxi import grammar

HOST = 'secret-host.example.org'
URL = f'https://{HOST}/secret-path'
OPEN = ('network', 'firewall', 'ruleset', 'set', '--ruleset-id',
        'httpClient', '--enabled', 'true')
CLOSE = (*OPEN[:-1], 'false')
OFF = ('network', 'firewall', 'set', '--enabled', 'false')
ON = (*OFF[:-1], 'true')
REPORT = steps.Report(
    URL, ('fqdn', 'pub_key_rsa', 'instance_id', 'pub_key_ecdsa'),
    (('fqdn', 'esx1.example.org'), ('instance_id', 'uuid &1')))
VALUES = {'status': 'partial', 'problems': '3',
          'pub_key_rsa': 'ssh-rsa AAAA+/= x\n', 'pub_key_ed25519': 'unasked'}

Fault = str | BaseException


class Firewall:
    """That of a host, by its commands.

    :param faults: by the number of the call: it fails, lies (does it and
        says that it failed), hangs, hangs late, or is stopped, by a
        RuntimeError before it did anything
    """

    def __init__(self, enabled: bool = True, ruleset: bool = False,
                 refuses: bool = False,
                 faults: collections.abc.Mapping[int, Fault] = {}) -> None:
        self.enabled = enabled
        self.ruleset = ruleset
        self.refuses = refuses
        self.faults = faults
        self.calls: list[tuple[str, ...]] = []

    @property
    def passes(self) -> bool:
        return self.ruleset or not self.enabled

    def changes(self) -> list[tuple[str, ...]]:
        return [call[1:] for call in self.calls if 'set' in call]

    def run(self, argv: collections.abc.Sequence[str], timeout: float
            ) -> running.Result:
        assert timeout > 0
        options = grammar.check(argv)
        fault = self.faults.get(len(self.calls))
        self.calls.append(tuple(argv))
        if isinstance(fault, RuntimeError):
            raise fault
        if fault in ('fails', 'hangs'):
            return self.result('broken', fault)
        output = self.answer(argv, options)
        if isinstance(fault, BaseException):
            raise fault
        return self.result(output or '', fault or (
            'refused' if output is None else ''))

    @staticmethod
    def result(output: str, fault: str) -> running.Result:
        status = None if fault.startswith('hangs') else int(bool(fault))
        return running.Result(status, output, '', 0)

    def answer(self, argv: collections.abc.Sequence[str],
               options: grammar.Options) -> str | None:
        if argv[-1] == 'get':
            return ('   Default Action: DROP\n   Enabled: '
                    f'{str(self.enabled).lower()}\n   Loaded: true\n')
        if 'list' in argv:
            return ('Name        Enabled\n----------  -------\n'
                    f'httpClient  {str(self.ruleset).lower()}\n')
        value = options['--enabled'] == 'true'
        if 'ruleset' not in argv:
            self.enabled = value
        elif self.refuses:
            return None
        else:
            self.ruleset = value
        return ''


class TestCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.now = 100.0
        for name, new in (('monotonic', lambda: self.now),
                          ('sleep', self.sleep)):
            patch = mock.patch(f'time.{name}', new)
            patch.start()
            self.addCleanup(patch.stop)
        self.slept: list[float] = []
        self.posted: list[phonehome._Call] = []
        self.answers: list[int | BaseException] = [200]
        """Of the posts; the last one stands."""
        self.firewall = Firewall()
        patch = mock.patch.object(phonehome, '_bounded', autospec=True,
                                  side_effect=self.post)
        patch.start()
        self.addCleanup(patch.stop)
        self.passed: list[bool] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def post(self, call: phonehome._Call, seconds: float) -> typing.Any:
        self.posted.append(call)
        self.passed.append(self.firewall.passes)
        self.now += 1
        answer = self.answers.pop(0) if self.answers[1:] else self.answers[0]
        if isinstance(answer, BaseException) and not isinstance(
                answer, Exception):
            raise answer
        return answer

    def send(self, url: str = URL, tries: int = 1, seconds: float = 300,
             ca: str = '/nowhere/ca.pem') -> str | None:
        why = phonehome.send(steps.Report(
            url, REPORT.fields, REPORT.values, tries), VALUES,
            self.firewall.run, seconds, ca)
        self.assertNotIn('secret', why or '')
        return why


class TestForm(TestCase):

    def test_as_cloud_init_sends_it(self) -> None:
        """The body as cloud-init 22.4.2 posts it, and two fields more."""
        self.assertIsNone(self.send())
        call, = self.posted
        self.assertEqual(
            b'fqdn=esx1.example.org&pub_key_rsa=ssh-rsa+AAAA%2B%2F%3D+x%0A'
            b'&instance_id=uuid+%261&pub_key_ecdsa=N%2FA'
            b'&status=partial&problems=3', call.body)
        self.assertEqual('application/x-www-form-urlencoded',
                         call.headers['Content-Type'])
        self.assertEqual((HOST, 443, '/secret-path'),
                         (call.host, call.port, call.target))
        self.assertNotIn('secret', repr(call))

    def test_each_field_once(self) -> None:
        report = steps.Report(URL, ('problems', 'x', 'x', 'status'))
        phonehome.send(report, VALUES, self.firewall.run, 9, '')
        self.assertEqual(b'problems=3&x=N%2FA&status=partial',
                         self.posted[0].body)

    def test_odd_values(self) -> None:
        phonehome.send(
            steps.Report(URL, ('a', 'b'), (('a', 'ü\ud800'), ('b', '\udcff'))),
            {}, self.firewall.run, 9, '')
        self.assertIn(b'a=%C3%BC%3F&b=%3F&', self.posted[0].body)

    def test_host_keys(self) -> None:
        paths = {'/etc/ssh/ssh_host_rsa_key.pub': 'ssh-rsa A\n',
                 '/etc/ssh/ssh_host_ed25519_key.pub': 'ssh-ed25519 B\n'}
        self.assertEqual(
            {'pub_key_rsa': 'ssh-rsa A\n', 'pub_key_ed25519':
             'ssh-ed25519 B\n'}, phonehome.host_keys(paths.get))


class TestUrl(TestCase):

    def test_parts(self) -> None:
        for url, expected in (
                ('http://h', ('h', 80, '/')),
                ('HTTPS://H:8443/a b/?c=%2f#d', ('h', 8443, '/a%20b/?c=%2f')),
                ('http://[2001:db8::1]:81?x=ü',
                 ('2001:db8::1', 81, '/?x=%C3%BC')),
                ('http://h/$INSTANCE_ID/${INSTANCE_ID}.x?$INSTANCE_IDS',
                 ('h', 80, '/uuid%20%261/uuid%20%261.x?$INSTANCE_IDS'))):
            with self.subTest(url):
                self.assertIsNone(self.send(url))
                call = self.posted[-1]
                self.assertEqual(expected, (call.host, call.port,
                                            call.target))
                self.assertEqual(url.lower().startswith('https'),
                                 call.tls is not None)

    def test_none_at_all(self) -> None:
        for url in ('', 'secret', 'ftp://secret/', 'http:///secret',
                    'http://secret:x/', 'http://secret:99999/',
                    'http://[secret/', 'http://h/secret\ud800',
                    'http://secretü/', 'file:///etc/secret'):
            with self.subTest(url):
                self.assertIn('the URL has no', self.send(url) or '')
        self.assertEqual(([], []), (self.posted, self.firewall.calls))


class TestTries(TestCase):

    def test_until_it_is_taken(self) -> None:
        self.answers = [500, ConnectionRefusedError(111, 'refused'), 204, 500]
        self.assertIsNone(self.send(tries=5))
        self.assertEqual((3, [3.0, 3.0]), (len(self.posted), self.slept))
        self.assertEqual([OPEN, CLOSE] * 3, self.firewall.changes())

    def test_the_firewall_is_closed_while_it_waits(self) -> None:
        for url in URL, 'http://h:8080/':
            self.passed.clear()
            self.firewall, self.answers = Firewall(), [500]
            with mock.patch('time.sleep', lambda seconds: self.passed.append(
                    self.firewall.passes)):
                self.send(url, tries=3)
            self.assertEqual([True, False, True, False, True], self.passed)

    def test_opening_takes_all_the_time(self) -> None:
        def run(argv: collections.abc.Sequence[str], timeout: float
                ) -> running.Result:
            self.now += 5
            return self.firewall.run(argv, timeout)

        self.assertEqual('no time was left', phonehome.send(
            REPORT, VALUES, run, 10, ''))
        self.assertEqual(([], [OPEN, CLOSE]),
                         (self.posted, self.firewall.changes()))

    def test_not_for_ever(self) -> None:
        self.answers = [500]
        self.assertEqual('answered 500', self.send(tries=4))
        self.assertEqual(4, len(self.posted))

    def test_not_over_the_time(self) -> None:
        self.answers = [500]
        self.assertEqual('answered 500', self.send(tries=100, seconds=10))
        self.assertEqual((3, 110.0), (len(self.posted), self.now))
        self.assertEqual('no time was left', self.send(seconds=0))

    def test_what_no_further_try_mends(self) -> None:
        error = ssl.SSLCertVerificationError(1, f'{HOST} is secret')
        for code, message, expected in (
                (20, 'unable to get local issuer certificate',
                 'unable to get local issuer certificate'),
                (62, f"not valid for '{HOST}'", 'it is for another name'),
                (64, f"not valid for '{HOST}'", 'it is for another name')):
            error.verify_code, error.verify_message = code, message
            self.answers = [error]
            self.assertEqual(f'certificate not trusted: {expected}',
                             self.send(tries=3))
        for status in 301, 302, 303, 307, 308, 304:
            self.answers = [status]
            self.assertEqual(
                f'answered {status}, and no redirect is followed',
                self.send(tries=3))
        self.assertEqual(9, len(self.posted))

    def test_reasons(self) -> None:
        for answer, expected in (
                (None, 'no answer in time'), (404, 'answered 404'),
                (socket.gaierror(-2, 'Name or service not known'),
                 'cannot be called: Name or service not known'),
                (TimeoutError(), 'no answer in time'),
                (socket.timeout('x'), 'no answer in time'),
                (http.client.BadStatusLine('secret'),
                 'cannot be called: BadStatusLine'),
                (UnicodeError('secret'), 'cannot be called: UnicodeError')):
            self.answers = [answer]  # type: ignore[list-item]
            self.assertEqual(expected, self.send())


class TestTls(TestCase):

    def test_no_module(self) -> None:
        with mock.patch.dict(sys.modules, {'ssl': None}):
            self.assertIn('no module ssl', self.send() or '')
            self.assertIsNone(self.send('http://h/'))

    def test_verified(self) -> None:
        self.send()
        tls = self.posted[0].tls
        self.assertEqual((ssl.CERT_REQUIRED, True),
                         (tls.verify_mode, tls.check_hostname))

    def test_bad_certificates(self) -> None:
        path = self.tmp() / 'ca.pem'
        for content in '', 'secret':
            path.write_text(content)
            self.assertIn('ca.pem: cannot be used: ',
                          self.send(ca=str(path)) or '')
        self.assertEqual([], self.posted)


class TestFirewall(TestCase):

    def test_by_port(self) -> None:
        for url, expected in (
                ('http://h/', [OPEN, CLOSE]), ('https://h/', [OPEN, CLOSE]),
                ('https://h:80/', [OPEN, CLOSE]),
                ('http://h:8080/', [OFF, ON])):
            self.firewall = Firewall()
            self.assertIsNone(self.send(url))
            self.assertEqual(expected, self.firewall.changes())
        self.assertEqual([True] * 4, self.passed)

    def test_open_before(self) -> None:
        for firewall in Firewall(False), Firewall(True, True), \
                Firewall(False, True):
            self.firewall = firewall
            self.assertIsNone(self.send())
            self.assertEqual([], firewall.changes())
            self.assertTrue(firewall.passes)

    def test_the_ruleset_says_nothing_of_other_ports(self) -> None:
        self.firewall = Firewall(True, True)
        self.send('http://h:8080/')
        self.assertEqual([OFF, ON], self.firewall.changes())

    def test_a_ruleset_that_the_host_owns(self) -> None:
        self.firewall = Firewall(refuses=True)
        self.assertIsNone(self.send())
        self.assertEqual([OPEN, CLOSE, OFF, ON], self.firewall.changes())
        self.assertEqual([True], self.passed)

    def test_what_is_not_known_is_left_alone(self) -> None:
        for faults, expected in (
                ({0: 'fails', 1: 'fails'}, []), ({0: 'fails'},
                                                 [OPEN, CLOSE]),
                ({1: 'fails'}, [OFF, ON]), ({1: 'hangs'}, [OFF, ON])):
            self.firewall = Firewall(faults=faults)
            self.assertIsNone(self.send())
            self.assertEqual(expected, self.firewall.changes())

    def test_whatever_stops_the_call(self) -> None:
        for error in apply.Expired(), KeyboardInterrupt(), SystemExit():
            self.firewall = Firewall()
            self.answers = [error]
            with self.assertRaises(type(error)):
                self.send(tries=3)
            self.assertEqual([OPEN, CLOSE], self.firewall.changes())
            self.assertEqual([True], self.passed)
            self.passed.clear()

    def test_any_command_may_go_wrong(self) -> None:
        faults: tuple[Fault, ...] = (
            'fails', 'lies', 'hangs', 'hangs late', apply.Expired(),
            RuntimeError())
        count = 0
        for refuses in False, True:
            for url in 'https://h/', 'http://h:8080/':
                self.firewall = Firewall(refuses=refuses)
                self.send(url)
                for number in range(len(self.firewall.calls)):
                    for fault in faults:
                        count += 1
                        self.firewall = Firewall(refuses=refuses,
                                                 faults={number: fault})
                        with self.subTest(url, number=number, fault=fault,
                                          refuses=refuses):
                            self.assert_restored(url, fault)
        self.assertGreater(count, 80)

    def assert_restored(self, url: str, fault: Fault) -> None:
        if isinstance(fault, BaseException):
            with self.assertRaises(type(fault)):
                self.send(url)
        else:
            why = self.send(url)
            # Of what hangs nobody knows that it was refused.
            if not (self.firewall.refuses and str(fault)[:5] == 'hangs'):
                self.assertIsNone(why)
        self.assertEqual((True, False), (self.firewall.enabled,
                                         self.firewall.ruleset))

    def test_it_cannot_be_closed(self) -> None:
        for answers, expected in (
                ([200], 'the firewall was opened for it, and could not be '
                 'closed'),
                ([500], 'answered 500; the firewall was opened for it, and '
                 'could not be closed')):
            self.answers = list(answers)
            self.firewall = Firewall(faults=dict.fromkeys(
                range(3, 99), 'fails'))
            self.assertEqual(expected, self.send())
            self.assertEqual([OPEN, *[CLOSE] * 3], self.firewall.changes())

    def test_it_is_closed_after_the_next_try(self) -> None:
        self.answers = [500, 200]
        self.firewall = Firewall(faults=dict.fromkeys(range(3, 6), 'fails'))
        self.assertIsNone(self.send(tries=2))
        self.assertEqual([OPEN, *[CLOSE] * 4], self.firewall.changes())
        self.assertFalse(self.firewall.passes)


class TestBounded(base.TestCase):
    """Without a network, and with the real clock."""

    CALL = phonehome._Call(HOST, 443, '/', {}, b'', None)

    def bounded(self, answer: typing.Any, seconds: float = 20
                ) -> typing.Any:
        with mock.patch.object(phonehome, '_post', autospec=True,
                               side_effect=answer):
            return phonehome._bounded(self.CALL, seconds)

    def test_status(self) -> None:
        self.assertEqual(204, self.bounded([204]))

    def test_any_error(self) -> None:
        error = MemoryError()
        stderr = mock.Mock()
        with mock.patch('sys.stderr', stderr):
            self.assertIs(error, self.bounded(error))
        self.assertEqual([], stderr.method_calls)

    def test_what_hangs_is_left_behind(self) -> None:
        ready = threading.Event()
        self.addCleanup(ready.set)
        start = time.monotonic()
        self.assertIsNone(self.bounded(lambda *_: ready.wait(60), 0.2))
        self.assertLess(time.monotonic() - start, 10)

    def test_no_thread(self) -> None:
        error = RuntimeError("can't start new thread")
        with mock.patch.object(threading.Thread, 'start', autospec=True,
                               side_effect=error):
            self.assertIs(error, self.bounded([200]))

    def test_nothing_stays_open(self) -> None:
        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(1 << 16)
                client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n'
                               b'\r\n')
                self.assertEqual(b'', client.recv(1))

        with socket.create_server(('127.0.0.1', 0)) as server, \
                warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter('always')
            thread = threading.Thread(target=answer)
            thread.start()
            self.assertEqual(200, phonehome._bounded(phonehome._Call(
                '127.0.0.1', server.getsockname()[1], '/', {}, b'', None),
                20))
            thread.join(20)
            gc.collect()
        self.assertFalse(thread.is_alive())
        self.assertEqual([], [str(one.message) for one in warned])
