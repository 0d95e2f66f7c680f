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

"""Nothing that a drive keeps secret is told, in whatever form."""

import base64
from collections.abc import Iterator
import contextlib
import io
import json
import logging
import pathlib
import traceback
import typing
from unittest import mock
import urllib.parse

from esxi_img.cmd import common
from esxi_img.cmd import plan
from esxi_img import errors
from esxi_img.firstboot import drive
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import present
from esxi_img.firstboot import reading
from esxi_img.firstboot import think
from tests import base

# One that every way of escaping changes, and each piece of it is rare.
ODD = 'Zq7"\\/ü%+<k9&\'Wv4\t€Jx2'
PLAIN = 'Hx8kQz3vWm5t'
NUMBER = 739155824019377
PARTS = ('Zq7', 'k9&', 'Wv4', 'Jx2', 'Hx8kQz', 'z3vWm5', str(NUMBER)[:9])
META = 'meta_data.json'
NETWORK = 'network_data.json'
KEY = ('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEEXAMPLEEXAMPLE ops'
       '@example.org')

Files = dict[str, bytes]


def forms(secret: str) -> Iterator[str]:
    """The secret as it would show, wherever in a text it stands."""
    yield from (secret, json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
                ascii(secret)[1:-1], repr(secret)[1:-1],
                repr(secret.encode())[2:-1], secret.encode().hex(),
                urllib.parse.quote(secret), urllib.parse.quote_plus(secret),
                secret.encode('unicode_escape').decode(), secret[::-1])
    for codec in ('utf-8', 'utf-16-le'):
        for shift in range(3):
            # All but the ends, which share characters with the neighbours.
            data = base64.b64encode(b'\0' * shift + secret.encode(codec))
            yield data.decode().rstrip('=')[4:-1]


def told(text: str) -> list[str]:
    """What of the secrets a text tells."""
    return [form for secret in (ODD, PLAIN, str(NUMBER))
            for form in forms(secret) if form in text] + [
                part for part in PARTS if part in text]


def network(**more: typing.Any) -> dict:
    return {'links': [{'id': 'eth0', 'type': 'phy',
                       'ethernet_mac_address': '02:00:00:00:00:01'}],
            'networks': [{'id': 'n', 'link': 'eth0', 'type': 'ipv4_dhcp'}],
            'services': [], **more}


def places(secret: typing.Any) -> dict[str, dict]:
    """Documents with a secret where one is, and where it is misplaced."""
    usual = {'uuid': 'u', 'hostname': 'h.example.org',
             'public_keys': {'ops': KEY}}
    return {
        'admin_pass': {**usual, 'admin_pass': secret},
        'meta.admin_pass': {**usual, 'meta': {'admin_pass': secret}},
        'both': {**usual, 'admin_pass': secret,
                 'meta': {'admin_pass': secret, 'other': secret}},
        'random_seed': {**usual, 'random_seed': secret},
        'meta': {**usual, 'meta': {'a': secret, 'b': [secret]}},
        'meta itself': {**usual, 'meta': secret},
        'meta in a list': {**usual, 'meta': [secret, {'a': secret}]},
        'in a list': {**usual, 'admin_pass': [secret]},
        'in an object': {**usual, 'admin_pass': {'x': secret}},
        'with NUL': {**usual, 'admin_pass': f'{secret}\0'},
        'with a surrogate': {**usual, 'admin_pass': f'{secret}\ud800'},
        'with lines': {**usual, 'admin_pass': f'{secret}\n{secret}\r'},
        'many': {**usual, 'admin_pass': f'{secret}' * 999},
        'files': {**usual, 'files': [{'path': '/x', 'content': secret}]},
        'a private key': {**usual, 'public_keys': {
            'ops': f'-----BEGIN PRIVATE KEY-----\n{secret}\n-----END'}},
        'keys': {**usual, 'keys': [{'type': 'ssh', 'data': secret},
                                   {'type': secret}, secret, [secret]]}}


class TestCase(base.TestCase):

    def assert_silent(self, *texts: str) -> None:
        for text in texts:
            self.assertEqual([], told(text))

    def drives(self) -> Iterator[tuple[str, Files]]:
        plain = json.dumps(network()).encode()
        for secret in (ODD, PLAIN, NUMBER):
            for name, value in places(secret).items():
                for escaped in (True, False):
                    data = json.dumps(value, ensure_ascii=escaped).encode(
                        'utf-8', 'surrogatepass')
                    yield f'{name}: {secret}', {META: data, NETWORK: plain}
                    yield from self.broken(name, data, plain)
            text = f'{secret}'.encode()
            for name in ('user_data', 'vendor_data.json',
                         'vendor_data2.json'):
                for start in (b'', b'#!/bin/sh\n', b'#cloud-config\nx: ',
                              b'{"static": "', b'\xff', b'\x1f\x8b\x08\0'):
                    yield f'{name}: {secret}', {
                        META: b'{}', NETWORK: plain, name: start + text}

    def broken(self, name: str, data: bytes, plain: bytes
               ) -> Iterator[tuple[str, Files]]:
        """Files that end, or are damaged, in the midst of a secret."""
        for at in (data.rfind(b'm5') + 1, data.rfind(b'k9') + 1,
                   len(data) - 1):
            for odd in (b'', b'\xff', b'\0', b'"', b'\n', b'\\u12'):
                rest = data[at:] if odd else b''
                yield f'{name}, damaged at {at}', {
                    META: data[:at] + odd + rest, NETWORK: plain}


class TestLibrary(TestCase):

    def test_the_forms_are_found(self) -> None:
        for text in (ODD, f'x{PLAIN}x', json.dumps({'a': ODD}), repr(ODD),
                     urllib.parse.quote(ODD), PLAIN.encode().hex(),
                     base64.b64encode(f'root:{PLAIN}'.encode()).decode(),
                     base64.b64encode(f'rt:{ODD}'.encode()).decode(),
                     f'{NUMBER:,}'.replace(',', ''), 'Zq7...'):
            self.assertNotEqual([], told(text), text)
        self.assertEqual([], told('a Zq8 text'))

    def test_plans(self) -> None:
        count = 0
        with self.assertLogs(level=logging.DEBUG) as logs:
            logging.debug('so that there is one')
            for name, some in self.drives():
                count += 1
                with self.subTest(name, data=some[META][-40:]):
                    self.assert_plan_is_silent(some)
        self.assertGreater(count, 1000)
        self.assertEqual(1, len(logs.records))

    def assert_plan_is_silent(self, some: Files) -> None:
        found = drive.Drive('folder', None, 'latest', some)
        description = reading.model_of(found)
        outcome = think.outcome_of(
            description, nics.invent(description.network), None,
            model.Settings())
        self.assert_silent(
            present.as_text(outcome), json.dumps(present.as_json(outcome)),
            repr(outcome), repr(description), repr(found), str(description),
            f'{description.identity.admin_pass!s:s}',
            repr([(step, step.as_json(), step.shown())
                  for step in outcome.plan.steps]))

    def test_a_password_matters_by_being_there_only(self) -> None:
        ids = set()
        for secret in (ODD, PLAIN):
            description = reading.model_of(drive.Drive(
                'folder', None, 'latest', {META: json.dumps(
                    places(secret)['admin_pass']).encode()}))
            self.assertEqual(secret,
                             description.identity.admin_pass.reveal())
            outcome = think.outcome_of(
                description, nics.invent(None), None, model.Settings())
            ids.add(outcome.plan.id)
            self.assertEqual('admin_pass', outcome.root_password)
        self.assertEqual(1, len(ids))


class TestExceptions(TestCase):
    """A bug anywhere must not tell what the code was at."""

    CALLS = ('esxi_img.firstboot.metadata._Reader.admin_pass',
             'esxi_img.firstboot.metadata.sshkeys.lines',
             'esxi_img.firstboot.password.weakness',
             'esxi_img.firstboot.jsonfile._is_too_deep',
             'esxi_img.firstboot.think.services.keys',
             'esxi_img.firstboot.present.as_text')

    def test_bugs(self) -> None:
        data = json.dumps(places(ODD)['both']).encode()
        folder = self.tmp()
        (folder / META).write_bytes(data)
        for name in self.CALLS:
            with self.subTest(name), mock.patch(
                    name, autospec=True,
                    side_effect=ZeroDivisionError('a bug')):
                code, out, err = self.run_command(str(folder), '--debug')
                self.assertEqual(1, code)
                self.assertIn('ZeroDivisionError', err)
                self.assert_silent(out, err)

    def test_nothing_hangs_on_to_an_error(self) -> None:
        """The exception of a decoder holds what it was to decode."""
        for data in (b'{"admin_pass": "' + ODD.encode(), b'{"' + PLAIN.encode()
                     + b'\xff"}', json.dumps({'a': PLAIN}).encode() + b'x'):
            folder = self.tmp()
            (folder / 'facts').write_bytes(data)
            (folder / META).write_bytes(data)
            for option in ('--installed', '--nics'):
                with self.assertRaises(errors.InputError) as caught:
                    plan._main([option, str(folder / 'facts'),
                                str(folder)])
                chain: BaseException | None = caught.exception
                while chain:
                    self.assert_silent(
                        repr(chain), repr(vars(chain)), ''.join(
                            traceback.format_exception(chain)))
                    chain = chain.__cause__ or chain.__context__

    def run_command(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(err), \
                mock.patch('sys.argv', ['esxi-img-plan', *argv]):
            code = common._run(plan._main, list(argv))
        return code, out.getvalue(), err.getvalue()


class TestCommand(TestCase):

    def said(self, folder: pathlib.Path, *options: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(err):
            common._run(plan._main, [*options, '--debug', str(folder)])
        return out.getvalue() + err.getvalue()

    def test_drives(self) -> None:
        folder = self.tmp()
        for number, (name, some) in enumerate(self.drives()):
            if number % 9:
                continue
            for file, data in some.items():
                (folder / file).write_bytes(data)
            with self.subTest(name):
                for options in ((), ('--json',)):
                    text = self.said(folder, *options)
                    self.assertIn('plan', text)
                    self.assert_silent(text)
            for file in some:
                (folder / file).unlink()

    def test_the_drive_where_something_else_is_meant(self) -> None:
        folder = self.tmp()
        (folder / NETWORK).write_text(json.dumps(network()))
        for name, value in places(ODD).items():
            path = folder / META
            path.write_text(json.dumps(value))
            for option in ('--installed', '--nics',
                           '--root-password-hash-file'):
                with self.subTest(name, option=option):
                    text = self.said(folder, option, str(path))
                    self.assertNotEqual('', text)
                    self.assert_silent(text)

    def test_user_data_where_nics_are_meant(self) -> None:
        folder = self.tmp()
        (folder / META).write_text('{}')
        for start in ('', '#cloud-config\npassword: ', '#!/bin/sh\nx='):
            path = folder / 'user_data'
            path.write_text(start + ODD)
            for option in ('--installed', '--nics',
                           '--root-password-hash-file'):
                with self.subTest(start, option=option):
                    self.assert_silent(self.said(folder, option, str(path)))
