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

"""A Keystone and a Glance in this process, for real clients to talk to.

They speak the part of the Identity API v3 and of the Image API v2 that it
takes to get a token and to create, fill, show and delete an image, and they
fail on demand.
"""

import collections
import functools
import hashlib
import http.server
import json
import re
import secrets
import socket
import struct
import threading
import typing

PASSWORD = 'Zt0p/s3cret&word'
CHUNK = 65536

FORMATS = ('ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi',
           'iso', 'ploop')
"""Glance's disk_formats, as it has them by default."""


class Cloud:
    """One cloud on a port of this machine, until it is closed.

    :ivar images: what Glance says of each image, by id
    :ivar data: the bytes of each image, by id
    :ivar deleted: ids of images that were deleted
    :ivar log: method and path of each request
    :ivar faults: what is to go wrong: names as in _Handler's methods, and
        how often
    :ivar algorithm: of os_hash_value; None: there is none
    :ivar half: set once an upload has begun that hangs (fault 'hang')
    """

    def __init__(self) -> None:
        self.images: dict[str, dict[str, typing.Any]] = {}
        self.data: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.log: list[str] = []
        self.faults: collections.Counter[str] = collections.Counter()
        self.algorithm: str | None = 'sha512'
        self.checksum = True
        self.tokens: set[str] = set()
        self.half = threading.Event()
        self.goes_on = threading.Event()
        self._server = _Server(
            ('127.0.0.1', 0), functools.partial(_Handler, self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it; requests that hang come to an end."""
        self.goes_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return 'http://127.0.0.1:%d' % self._server.server_address[1]

    def entry(self, **changes: typing.Any) -> dict[str, typing.Any]:
        """What clouds.yaml has to say of it."""
        return {
            'auth': {'auth_url': f'{self.url}/identity/v3',
                     'username': 'admin', 'password': PASSWORD,
                     'project_name': 'admin', 'user_domain_name': 'Default',
                     'project_domain_name': 'Default'},
            'region_name': 'RegionOne', 'identity_api_version': 3, **changes}

    def fails(self, fault: str) -> bool:
        """Is it to fail so this time?"""
        if self.faults[fault] > 0:
            self.faults[fault] -= 1
            return True
        return False

    @property
    def image(self) -> dict[str, typing.Any]:
        """The only image."""
        [image] = self.images.values()
        return image


class _Server(http.server.ThreadingHTTPServer):

    def handle_error(self, *_: typing.Any) -> None:
        """A client that has gone is none of our worries."""


class _Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def __init__(self, cloud: Cloud, *args: typing.Any) -> None:
        self.cloud = cloud
        super().__init__(*args)

    def log_message(self, *_: typing.Any) -> None:
        """Nothing on standard error."""

    def do_GET(self) -> None:
        self._dispatch()

    do_POST = do_PUT = do_DELETE = do_GET

    def _dispatch(self) -> None:
        self.cloud.log.append(f'{self.command} {self.path}')
        path = self.path.rstrip('/')
        for pattern, function in (
                ('GET /identity/v3', self.identity),
                ('POST /identity/v3/auth/tokens', self.token),
                ('GET /image(?:/v2)?', self.versions),
                ('GET /image/v2/images[?]limit=1', self.list),
                ('POST /image/v2/images', self.create),
                ('PUT /image/v2/images/([^/]+)/file', self.upload),
                ('GET /image/v2/images/([^/]+)', self.show),
                ('DELETE /image/v2/images/([^/]+)', self.delete)):
            found = re.fullmatch(pattern, f'{self.command} {path}')
            if found:
                function(*found.groups())
                return
        self.refuse(404, 'there is no such page')

    # Identity.

    def identity(self) -> None:
        self.answer(200, {'version': {
            'id': 'v3.14', 'status': 'stable', 'links': [
                {'rel': 'self', 'href': f'{self.cloud.url}/identity/v3/'}]}})

    def token(self) -> None:
        wanted = json.loads(self.body())['auth']
        password = wanted['identity']['password']['user']['password']
        if self.cloud.fails('auth 401') or password != PASSWORD:
            # Some clouds repeat what they were told.
            self.refuse(401, f'the password {password} is wrong')
            return
        token = secrets.token_hex(16)
        self.cloud.tokens.add(token)
        services = [] if self.cloud.fails('no glance') else [{
            'type': 'image', 'name': 'glance', 'id': 'g', 'endpoints': [{
                'id': 'e', 'interface': 'public', 'region': 'RegionOne',
                'region_id': 'RegionOne', 'url': f'{self.cloud.url}/image'}]}]
        domain = {'id': 'default', 'name': 'Default'}
        self.answer(201, {'token': {
            'methods': ['password'], 'catalog': services,
            'issued_at': '2020-01-01T00:00:00.000000Z',
            'expires_at': '2999-01-01T00:00:00.000000Z',
            'roles': [{'id': 'r', 'name': 'admin'}],
            'project': {'id': 'p', 'name': 'admin', 'domain': domain},
            'user': {'id': 'u', 'name': 'admin', 'domain': domain}}},
            {'X-Subject-Token': token})

    # Images.

    def versions(self) -> None:
        if self.cloud.fails('versions 500'):
            self.refuse(500, 'no versions')
            return
        self.answer(300 if self.path.count('/') < 3 else 200, {'versions': [{
            'id': 'v2.9', 'status': 'CURRENT', 'links': [
                {'rel': 'self', 'href': f'{self.cloud.url}/image/v2/'}]}]})

    def allowed(self, what: str) -> bool:
        """Has the request a token, and is nothing to go wrong?"""
        token = self.headers.get('X-Auth-Token')
        if self.cloud.fails('expire'):
            self.cloud.tokens.discard(token)
        if token not in self.cloud.tokens:
            self.refuse(401, f'the token {token} is not valid')
            return False
        for code in (401, 403, 409, 413, 500, 503):
            if self.cloud.fails(f'{what} {code}'):
                self.refuse(code, f'no {what}: token {token}')
                return False
        return True

    def list(self) -> None:
        if self.cloud.fails('list hang'):
            self.cloud.goes_on.wait(60)
        if self.allowed('list'):
            self.answer(200, {'images': [*self.cloud.images.values()][:1],
                              'schema': '/v2/schemas/images'})

    def create(self) -> None:
        text = self.body()
        if not self.allowed('create'):
            return
        given = json.loads(text)
        problem = _problem(given)
        if problem:
            self.refuse(400, problem)
            return
        identifier = given.setdefault('id', secrets.token_hex(16))
        if identifier in self.cloud.images:
            self.refuse(409, 'there is such an image')
            return
        image = {'status': 'queued', 'visibility': 'shared', 'checksum': None,
                 'os_hash_algo': None, 'os_hash_value': None, 'size': None,
                 'protected': False, 'tags': [], 'min_ram': 0, **given}
        self.cloud.images[identifier] = image
        if self.cloud.fails('create cut'):
            self.cut()
            return
        self.answer(201, image)

    def upload(self, identifier: str) -> None:
        image = self.cloud.images[identifier]
        if self.cloud.fails('upload early 413'):
            self.refuse(413, 'the quota is used up')
            self.cut()
            return
        image['status'] = 'saving'
        if self.cloud.fails('upload cut'):
            self.rfile.read(CHUNK)
            image['status'] = 'queued'
            self.cut()
            return
        if self.cloud.fails('upload hang'):
            self.rfile.read(CHUNK)
            self.cloud.half.set()
            self.cloud.goes_on.wait(60)
        data = self.body()
        image['status'] = 'queued'
        if not self.allowed('upload'):
            return
        self.cloud.data[identifier] = data
        if self.cloud.fails('upload changed'):
            data = data[:-1] + b'!'
        image['size'] = len(data)
        if self.cloud.checksum:
            image['checksum'] = digest(data, 'md5')
        if self.cloud.algorithm in hashlib.algorithms_available:
            image['os_hash_value'] = digest(data, self.cloud.algorithm)
        elif self.cloud.algorithm:
            image['os_hash_value'] = 'f00'
        image['os_hash_algo'] = self.cloud.algorithm
        image['status'] = 'active'
        if self.cloud.fails('never active'):
            image['status'] = 'saving'
        if self.cloud.fails('killed'):
            image['status'] = 'killed'
        self.answer(204)

    def show(self, identifier: str) -> None:
        if not self.allowed('show'):
            return
        if identifier not in self.cloud.images:
            self.refuse(404, 'there is no such image')
            return
        if self.cloud.fails('show nonsense'):
            self.refuse(200, 'welcome to our cloud')
            return
        for fault, odd in (('show number', 7), ('show nothing', {})):
            if self.cloud.fails(fault):
                self.answer(200, odd)
                return
        if self.cloud.fails('show late'):
            self.answer(200, {**self.cloud.images[identifier],
                              'status': 'saving'})
            return
        self.answer(200, self.cloud.images[identifier])

    def delete(self, identifier: str) -> None:
        if not self.allowed('delete'):
            return
        if self.cloud.images.pop(identifier, None) is None:
            self.refuse(404, 'there is no such image')
            return
        self.cloud.deleted.append(identifier)
        self.answer(204)

    # HTTP.

    def body(self) -> bytes:
        if self.headers.get('Transfer-Encoding') != 'chunked':
            return self.rfile.read(int(self.headers['Content-Length']))
        data = b''
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def answer(self, code: int, value: typing.Any = None,
               headers: dict[str, str] | None = None) -> None:
        data = b'' if value is None else json.dumps(value).encode()
        self.send_response(code)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        if value is not None:
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code: int, why: str) -> None:
        """As Keystone does, and Glance: in HTML."""
        if self.path.startswith('/identity'):
            self.answer(code, {'error': {'code': code, 'message': why,
                                         'title': 'Unauthorized'}})
            return
        title = f'{code} {http.HTTPStatus(code).phrase}'
        data = (f'<html>\n <head>\n  <title>{title}</title>\n </head>\n'
                f' <body>\n  <h1>{title}</h1>\n  {why}<br /><br />\n\n\n\n'
                ' </body>\n</html>').encode()
        self.send_response(code)
        self.send_header('Content-Type', 'text/html; charset=UTF-8')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cut(self) -> None:
        """Drop the connection, with whatever is on its way."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack('ii', 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def digest(data: bytes, algorithm: str) -> str:
    """A hash sum, in hexadecimal."""
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def _problem(given: dict[str, typing.Any]) -> str | None:
    """What Glance, or Nova later on, would not take."""
    if given.get('disk_format') not in FORMATS:
        return 'disk_format is none of ours'
    if given.get('container_format') != 'bare':
        return 'container_format is not bare'
    if not isinstance(given.get('min_disk'), int):
        return 'min_disk is no number'
    for name, value in given.items():
        if name not in ('min_disk', 'min_ram', 'tags', 'protected',
                        'visibility') and not isinstance(value, str):
            return f'{name} is no text'
    return 'os_type' if 'os_type' in given else None
