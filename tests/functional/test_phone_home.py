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

"""A call home to a server of our own, with a certificate of our own CA."""

import contextlib
import http.server
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import typing
import unittest.mock
import urllib.parse

from esxi_img.firstboot import phonehome
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from tests import base

_CONFIG = '''\
[req]
distinguished_name = name
prompt = no
[name]
CN = test
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[localhost]
subjectAltName = DNS:localhost,IP:127.0.0.1
authorityKeyIdentifier = keyid
[other]
subjectAltName = DNS:other.example.org
authorityKeyIdentifier = keyid
'''


class Certificates:
    """A CA and what it signed: NAME.pem, with the key, in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.config = folder / 'openssl.cnf'
        self.config.write_text(_CONFIG)
        self.ca = folder / 'ca.pem'
        self._request('ca', '-x509', '-extensions', 'ca', '-days', '2',
                      '-out', str(self.ca))
        for name in ('localhost', 'other'):
            request, signed = folder / f'{name}.csr', folder / f'{name}.crt'
            self._request(name, '-out', str(request))
            self._openssl(
                'x509', '-req', '-in', str(request), '-CA', str(self.ca),
                '-CAkey', str(folder / 'ca.key'), '-set_serial', '7',
                '-days', '2', '-extfile', str(self.config), '-extensions',
                name, '-out', str(signed))
            (folder / f'{name}.pem').write_text(
                signed.read_text() + (folder / f'{name}.key').read_text())

    def _request(self, name: str, *words: str) -> None:
        self._openssl(
            'req', '-new', '-config', str(self.config), '-newkey', 'ec',
            '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
            str(self.folder / f'{name}.key'), *words)

    @staticmethod
    def _openssl(*words: str) -> None:
        subprocess.run(('openssl', *words), check=True, capture_output=True,
                       timeout=60)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """:param answers: of each call: a status, or what else happens"""

    daemon_threads = True

    def __init__(self, answers: typing.Sequence[typing.Any]) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.sent = 0
        self.over = threading.Event()
        self.location = ''
        """Where redirects lead."""

    def handle_error(self, *_: object) -> None:
        """A client that goes away is none."""


class Handler(http.server.BaseHTTPRequestHandler):

    server: Server
    timeout = 30

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.got.append((self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0)
        if answer == 'hangs':
            self.server.over.wait(30)
        elif answer == 'drips':
            self.wfile.write(b'HTTP/1.1 200 OK\r\nX: ')
            while not self.server.over.wait(0.05):
                self.wfile.write(b'x')
        elif answer == 'rubbish':
            self.wfile.write(b'secret-answer\r\n')
        elif answer == 'huge':
            self.send_response(200)
            self.send_header('Content-Length', str(1 << 40))
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.over.is_set():
                    self.server.sent += self.wfile.write(bytes(1 << 16))
        else:
            self.send_response(answer, 'secret-answer')
            self.send_header('Location', self.server.location)
            self.end_headers()
            self.wfile.write(b'secret-answer')

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


class TestCase(base.TestCase):

    certificates: typing.ClassVar[Certificates | None] = None

    def setUp(self) -> None:
        super().setUp()
        self.require('openssl')
        if self.certificates is None:
            folder = base.temporary_folder()
            type(self).certificates = Certificates(folder.__enter__())
            self.addClassCleanup(folder.__exit__, None, None, None)
        pause = unittest.mock.patch.object(phonehome, 'PAUSE', 0.05)
        pause.start()
        self.addCleanup(pause.stop)
        self.calls: list[tuple[str, ...]] = []

    @classmethod
    def tearDownClass(cls) -> None:
        cls.certificates = None

    def serve(self, *answers: typing.Any, certificate: str | None =
              'localhost') -> Server:
        """:param certificate: None: without TLS"""
        server = Server(answers)
        if certificate:
            assert self.certificates
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(
                self.certificates.folder / f'{certificate}.pem')
            server.socket = context.wrap_socket(
                server.socket, server_side=True,
                do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever,
                                  kwargs={'poll_interval': 0.05})
        thread.start()
        for action in (server.server_close, thread.join, server.shutdown,
                       server.over.set):
            self.addCleanup(action)
        return server

    def url(self, server: Server, scheme: str = 'https',
            host: str = 'localhost') -> str:
        return f'{scheme}://{host}:{server.server_port}/secret-path'

    def run_(self, argv: typing.Sequence[str], timeout: float
             ) -> running.Result:
        self.calls.append(tuple(argv))
        return running.Result(0, '  Enabled: true\n' if argv[-1] == 'get'
                              else '', '', 0)

    def send(self, url: str, tries: int = 1, seconds: float = 20,
             ca: bool = True) -> str | None:
        assert self.certificates
        why = phonehome.send(
            steps.Report(url, ('fqdn',), (('fqdn', 'h.example.org'),),
                         tries), {'status': 'ok', 'problems': '0'},
            self.run_, seconds, str(self.certificates.ca) if ca else '/no')
        firewall = 'esxcli', 'network', 'firewall'
        # Open for each try, and closed again.
        once = [(*firewall, 'get'), (*firewall, 'set', '--enabled', 'false'),
                (*firewall, 'set', '--enabled', 'true')]
        self.assertTrue(self.calls)
        self.assertEqual(once * (len(self.calls) // 3), self.calls)
        self.calls.clear()
        for secret in ('secret', 'localhost', '127.0.0.1', 'other'):
            self.assertNotIn(secret, (why or '').replace(
                'another name', ''))
        return why


class TestTls(TestCase):

    def test_trusted(self) -> None:
        for host in ('localhost', '127.0.0.1'):
            server = self.serve(200)
            self.assertIsNone(self.send(self.url(server, host=host)))
            (path, headers, body), = server.got
            self.assertEqual('/secret-path', path)
            self.assertEqual(f'{host}:{server.server_port}',
                             headers['Host'])
            self.assertEqual(
                [('fqdn', 'h.example.org'), ('status', 'ok'),
                 ('problems', '0')],
                urllib.parse.parse_qsl(body.decode(), strict_parsing=True))

    def test_unknown_authority(self) -> None:
        server = self.serve(200, 200)
        self.assertRegex(self.send(self.url(server), 2, ca=False) or '',
                         r'\Acertificate not trusted: .*issuer cert')
        self.assertEqual([], server.got)

    def test_another_name(self) -> None:
        for certificate, host in (('other', 'localhost'),
                                  ('other', '127.0.0.1')):
            server = self.serve(200, certificate=certificate)
            self.assertEqual(
                'certificate not trusted: it is for another name',
                self.send(self.url(server, host=host)))
            self.assertEqual([], server.got)

    def test_no_tls_there(self) -> None:
        server = self.serve(200, certificate=None)
        self.assertRegex(self.send(self.url(server)) or '',
                         r'\Acannot be called: [A-Z_]+\Z')
        self.assertEqual([], server.got)


class TestAnswers(TestCase):

    def test_without_tls(self) -> None:
        server = self.serve(204, certificate=None)
        self.assertIsNone(self.send(self.url(server, 'http')))
        self.assertEqual(1, len(server.got))

    def test_a_second_try(self) -> None:
        for certificate, scheme in ('localhost', 'https'), (None, 'http'):
            server = self.serve(500, 200, certificate=certificate)
            self.assertIsNone(self.send(self.url(server, scheme), 3))
            self.assertEqual(2, len(server.got))
            self.assertEqual(server.got[0], server.got[1])

    def test_it_goes_on_failing(self) -> None:
        server = self.serve(500, 404, 503)
        self.assertEqual('answered 503', self.send(self.url(server), 3))
        self.assertEqual(3, len(server.got))

    def test_redirects(self) -> None:
        """Also one to TLS delivers nothing; see phonehome.send."""
        for scheme, status in (('http', 302), ('https', 302),
                               ('https', 307), ('https', 308)):
            other = self.serve(200, certificate='localhost' if scheme
                               == 'https' else None)
            server = self.serve(status, status)
            server.location = self.url(other, scheme)
            self.assertEqual(
                f'answered {status}, and no redirect is followed',
                self.send(self.url(server), 2))
            self.assertEqual((1, []), (len(server.got), other.got))

    def test_nobody_listens(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as closed:
            port = closed.getsockname()[1]
        for scheme in 'http', 'https':
            self.assertEqual(
                'cannot be called: Connection refused',
                self.send(f'{scheme}://localhost:{port}/secret', 2))

    def test_no_such_name(self) -> None:
        self.assertRegex(self.send('http://secret.invalid:81/') or '',
                         r'\Acannot be called: |\Ano answer in time\Z')

    def test_rubbish(self) -> None:
        server = self.serve('rubbish')
        self.assertEqual('cannot be called: BadStatusLine',
                         self.send(self.url(server)))

    def test_it_hangs(self) -> None:
        for answer in 'hangs', 'drips':
            server = self.serve(answer)
            start = time.monotonic()
            self.assertEqual('no answer in time',
                             self.send(self.url(server), 1, 1))
            self.assertLess(time.monotonic() - start, 10)
            self.assertEqual(1, len(server.got))
            server.over.set()

    def test_it_hangs_before_the_handshake(self) -> None:
        with socket.create_server(('127.0.0.1', 0)) as server:
            start = time.monotonic()
            self.assertRegex(
                self.send(f'https://localhost:{server.getsockname()[1]}/', 5,
                          1) or '',
                r'\Ano answer in time\Z|\Acannot be called: ')
            self.assertLess(time.monotonic() - start, 10)

    def test_it_hangs_and_answers_the_next(self) -> None:
        server = self.serve('hangs', 200)
        with unittest.mock.patch.object(phonehome, 'CALL', 0.5):
            self.assertIsNone(self.send(self.url(server), 2))

    def test_a_huge_answer_is_not_read(self) -> None:
        server = self.serve('huge')
        before = len(os.listdir('/proc/self/fd'))
        self.assertIsNone(self.send(self.url(server)))
        server.over.set()
        # What the kernel takes at once, on both sides.
        self.assertLess(server.sent, 64 << 20)
        self.assertLessEqual(len(os.listdir('/proc/self/fd')), before + 1)
