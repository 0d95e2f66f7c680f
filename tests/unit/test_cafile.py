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

"""Certificates, and what must not pass for one."""

import base64
import pathlib
import ssl

from esxi_img import build
from esxi_img import cafile
from esxi_img import errors
from esxi_img import options
from tests import base

CA = (base.FIXTURES / 'ca.pem').read_bytes()
KEY = b'MC4CAQAwBQYDK2VwBCIEIE1vAnd0b3RhbGx5IG5vdCBhIHJlYWwga2V5ISEh'


def block(label: bytes, body: bytes) -> bytes:
    return (b'-----BEGIN ' + label + b'-----\n' + body + b'\n-----END '
            + label + b'-----\n')


class TestRead(base.TestCase):

    def file(self, data: bytes) -> pathlib.Path:
        path = self.tmp() / 'ca.pem'
        path.write_bytes(data)
        return path

    def read(self, data: bytes) -> bytes:
        return cafile.read(str(self.file(data)))

    def refused(self, data: bytes) -> str:
        path = self.file(data)
        with self.assertRaises(errors.InputError) as caught:
            cafile.read(str(path))
        said = str(caught.exception)
        self.assertTrue(said.startswith(f'{path}: '), said)
        return said.removeprefix(f'{path}: ')

    def test_good(self) -> None:
        self.assertEqual(CA, self.read(CA))
        self.assertEqual(CA + CA, self.read(CA + CA))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=CA.decode())
        self.assertEqual(1, context.cert_store_stats()['x509_ca'])

    def test_only_certificates_get_into_an_image(self) -> None:
        other = block(b'X509 CRL', b'AAAA')
        for data in (b'\xef\xbb\xbf# \xe4\n' + CA + b'text\n',
                     CA.replace(b'\n', b'\r\n'), CA.rstrip(), other + CA,
                     CA.replace(b'-----\n', b'-----\n\n  ', 1)):
            with self.subTest(data):
                self.assertEqual(CA, self.read(data))

    def test_a_private_key(self) -> None:
        for label in (b'PRIVATE KEY', b'RSA PRIVATE KEY', b'EC PRIVATE KEY',
                      b'ENCRYPTED PRIVATE KEY', b'OPENSSH PRIVATE KEY'):
            key = block(label, KEY)
            for data in (CA + key, key + CA, key, CA + key[:60]):
                with self.subTest(data):
                    said = self.refused(data)
                    self.assertIn(f'private key ({label.decode()})', said)
                    self.assertNotIn('E1v', said)

    def test_no_certificate(self) -> None:
        for data in (b'', b'x', b'\0' * 1000, base64.b64encode(b'x' * 99),
                     ssl.PEM_cert_to_DER_cert(CA.decode()),
                     block(b'TRUSTED CERTIFICATE', b'AAAA'),
                     b'-----BEGIN CERTIFICATE-----\nAAAA\n'):
            with self.subTest(data):
                self.assertIn('has no certificate in PEM',
                              self.refused(data))

    def test_damaged(self) -> None:
        for data, wanted in (
                (CA + CA[:200], 'a certificate has no end'),
                (CA[:200] + CA, 'a certificate has no end'),
                (CA + CA.replace(b'MI', b'M*', 1),
                 'certificate 2: is not base64'),
                (CA.replace(b'\nMI', b'\nMIA', 1),
                 'certificate 1: is not base64'),
                (block(b'CERTIFICATE', b''), 'certificate 1: is damaged'),
                (block(b'CERTIFICATE', b'AAAA'),
                 'certificate 1: is damaged'),
                (block(b'CERTIFICATE', base64.b64encode(
                    ssl.PEM_cert_to_DER_cert(CA.decode())[:-1])),
                 'certificate 1: is damaged')):
            with self.subTest(data):
                self.assertIn(wanted, self.refused(data))

    def test_too_large(self) -> None:
        self.assertEqual('has more than 1048576 bytes', self.refused(
            CA.ljust(cafile.MAX_SIZE + 1)))

    def test_no_file(self) -> None:
        for path in ('/nonexistent/ca.pem', str(self.tmp())):
            with self.assertRaises(errors.InputError):
                cafile.read(path)


class TestBuild(base.TestCase):

    def test_the_output_is_not_it(self) -> None:
        path = self.tmp() / 'ca.pem'
        path.write_bytes(CA)
        with self.assertRaisesRegex(errors.RequestError, 'is the input'):
            build._refuse_own_input(options.Options(
                iso='x.iso', output=str(path), ca_file=str(path)))

    def test_own_files(self) -> None:
        path = self.tmp() / 'ca.pem'
        path.write_bytes(CA)
        for given, wanted in (({}, None), ({'ca_file': str(path)}, CA)):
            self.assertEqual(wanted, build.own_files(
                options.Options(iso='x.iso', **given))[2])
