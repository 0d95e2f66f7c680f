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

"""The certificates of --ca-file."""

import base64
import binascii
import re

from esxi_img import errors
from esxi_img import infile

MAX_SIZE = 1024 * 1024
"""Bytes: several times what Linux distributions trust altogether."""

_BEGIN = re.compile(rb'-----BEGIN ([A-Z0-9 ]+)-----')
_CERTIFICATE = re.compile(
    rb'-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----', re.DOTALL)


def read(path: str) -> bytes:
    """The certificates as PEM, and nothing else that the file has.

    :raises InputError: there is none; one is damaged; a private key is
        beside them
    :raises EnvironmentFailed: the file cannot be read
    """
    data = infile.small(path, MAX_SIZE)
    labels = [label.decode() for label in _BEGIN.findall(data)]
    for label in labels:
        if label.endswith('PRIVATE KEY'):
            raise errors.InputError(
                f'{path}: has a private key ({label}), which may not get '
                'into an image', hint='name a file with certificates only')
    blocks = _CERTIFICATE.findall(data)
    if not blocks:
        raise errors.InputError(
            f'{path}: has no certificate in PEM: BEGIN CERTIFICATE and END '
            'CERTIFICATE')
    if len(blocks) != labels.count('CERTIFICATE'):
        raise errors.InputError(f'{path}: a certificate has no end')
    return b''.join(_normal(block, f'{path}: certificate {number}')
                    for number, block in enumerate(blocks, 1))


def _normal(block: bytes, what: str) -> bytes:
    """A certificate in PEM, as RFC 7468 has it; checked."""
    # Most builds have no such file, and this takes its time.
    import ssl
    try:
        der = base64.b64decode(b''.join(block.split()), validate=True)
    except binascii.Error as error:
        raise errors.InputError(f'{what}: is not base64') from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=der)
    except (ssl.SSLError, ValueError) as error:
        raise errors.InputError(f'{what}: is damaged') from error
    return ssl.DER_cert_to_PEM_cert(der).encode()
