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

"""OpenSSL judges our hashes."""

import random
import subprocess

from esxi_img.firstboot import shacrypt
from tests import base

ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'


class TestShacrypt(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('openssl')

    def openssl(self, password: str, salt: str) -> str:
        done = subprocess.run(
            ['openssl', 'passwd', '-6', '-stdin', '-salt', salt],
            input=f'{password}\n', capture_output=True, encoding='utf-8',
            timeout=30)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        return done.stdout.rstrip('\n')

    def test_every_length(self) -> None:
        # The steps differ by the bits of it, and at multiples of 64.
        for length in (*range(1, 70), 127, 128, 129, 191, 192, 255, 256):
            password = 'pa5$w0rd '.ljust(length, 'x')[:length]
            with self.subTest(length=length):
                self.assertEqual(self.openssl(password, 'saltstring'),
                                 shacrypt.crypt(password.encode(),
                                                'saltstring'))

    def test_every_salt_length(self) -> None:
        for length in range(1, 20):
            salt = ALPHABET[-length:]
            with self.subTest(length=length):
                self.assertEqual(self.openssl('x', salt),
                                 shacrypt.crypt(b'x', salt))

    def test_rounds(self) -> None:
        for rounds in (0, 999, 1000, 1001, 4999, 5001, 20000):
            with self.subTest(rounds=rounds):
                self.assertEqual(
                    self.openssl('secret', f'rounds={rounds}$abc'),
                    shacrypt.crypt(b'secret', 'abc', rounds))

    def test_random_passwords(self) -> None:
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        characters = ''.join(map(chr, range(32, 127))) + '\xe4\xdf\u20ac' \
            '\u0416\u6f22\U0001f511\t\x7f'
        for number in range(40):
            password = ''.join(chance.choices(characters,
                                              k=chance.randrange(1, 50)))
            found = shacrypt.hashed(password, chance.randbytes(16))
            with self.subTest(seed=seed, number=number):
                self.assertEqual(
                    self.openssl(password, found.split('$')[2]), found)
