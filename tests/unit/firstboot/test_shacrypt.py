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

import builtins
import os
import re
import sys
import types
import unittest.mock
import warnings

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import shacrypt
from tests import base

# Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512": the tests of its
# reference implementation.
VECTORS = (
    ('$6$saltstring', 'Hello world!',
     '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJu'
     'esI68u4OTLiBFdcbYEdFCoEOfaS35inz1'),
    ('$6$rounds=10000$saltstringsaltstring', 'Hello world!',
     '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sb'
     'HbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.'),
    ('$6$rounds=5000$toolongsaltstring', 'This is just a test',
     '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQ'
     'zQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0'),
    ('$6$rounds=1400$anotherlongsaltstring',
     'a very much longer text to encrypt.  This one even stretches over more'
     'than one line.',
     '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wP'
     'vMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1'),
    ('$6$rounds=77777$short',
     'we have a short salt string but not a short password',
     '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0g'
     'ge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0'),
    ('$6$rounds=123456$asaltof16chars..', 'a short string',
     '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwc'
     'elCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1'),
    ('$6$rounds=10$roundstoolow',
     'the minimum number is still observed',
     '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1x'
     'hLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.'),
)
SALT = bytes(range(256))[::-17]
SALT_TEXT = ''.join(
    './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    [byte % 64] for byte in SALT)
SECRET = 'S3cr3t-Adm1n!'


def parted(setting: str) -> tuple[str, int]:
    """Salt and rounds of a setting as crypt(3) takes it."""
    match = re.fullmatch(r'\$6\$(?:rounds=(\d+)\$)?(.*)', setting)
    assert match
    return match[2], int(match[1] or 5000)


def system(result: object, methods: tuple[str, ...] = ('sha512',)
           ) -> types.ModuleType:
    """A crypt module whose function gives that, or raises it."""
    module = types.ModuleType('crypt')
    module.METHOD_SHA512 = 'sha512'
    module.methods = methods
    module.crypt = unittest.mock.Mock(side_effect=[result])
    return module


class TestCrypt(base.TestCase):

    def test_published_vectors(self) -> None:
        for setting, password, expected in VECTORS:
            salt, rounds = parted(setting)
            with self.subTest(setting=setting):
                # We leave out the number that is the default.
                self.assertEqual(
                    expected.replace('rounds=5000$', ''),
                    shacrypt.crypt(password.encode(), salt, rounds))

    def test_nothing(self) -> None:
        # By crypt(3) of libxcrypt 4.4.
        self.assertEqual(
            '$6$saltstring$kyGrqt6gmjAdtFLPrflEFifSYLCWWq1pyx95SvqinLDy2UHmj'
            '0sTF0MSLMwxPFZc3tu5kQckI8fks0zOPda3n1',
            shacrypt.crypt(b'', 'saltstring'))
        self.assertEqual(
            '$6$$KvRrc0bxRLyTUhO8OJOmRczh7oCol5BACiR8rmdfVzvuGgm8JmLDumsL/ah'
            '.jFtT.DswxoP9Nv3ByfU4j5hm/0', shacrypt.crypt(b'x', ''))

    def test_salts_that_are_none(self) -> None:
        for salt in ('a$b', 'a:b', 'a\n', 'a b', '\xe4', 'a' * 16 + '$'):
            with self.subTest(salt=salt), \
                    self.assertRaisesRegex(ValueError, 'only ./0-9A-Za-z'):
                shacrypt.crypt(b'x', salt)

    def test_limit(self) -> None:
        longest = 'x' * 4096
        self.assertRegex(shacrypt.crypt(longest.encode(), 'a', 1000),
                         r'\A\$6\$rounds=1000\$a\$.{86}\Z')
        for call in (
                lambda: shacrypt.crypt(b'xyz' * 1366, 'a'),
                lambda: shacrypt.hashed('xyz' * 1366, SALT),
                # Bytes are counted, not characters.
                lambda: shacrypt.hashed('\xe4yz' * 1024 + 'x', SALT)):
            with self.assertRaises(ValueError) as caught:
                call()
            self.assertIn('no more than 4096', str(caught.exception))
            self.assertNotIn('yz', str(caught.exception))

    def test_limit_is_not_crypts(self) -> None:
        module = system(f'$6${SALT_TEXT}$' + 'x' * 86)
        with unittest.mock.patch.dict(sys.modules, {'crypt': module}), \
                self.assertRaisesRegex(ValueError, 'no more than 4096'):
            shacrypt.hashed('x' * 4097, SALT)

    def test_rounds_have_a_top(self) -> None:
        with unittest.mock.patch.object(
                shacrypt, '_digest', return_value=bytes(64)) as digest:
            self.assertTrue(shacrypt.crypt(b'x', 'a', 1 << 40).startswith(
                '$6$rounds=999999999$a$'))
        self.assertEqual(999999999, digest.call_args.args[2])

    @hypothesis.settings(deadline=None, max_examples=30)
    @hypothesis.given(
        strategies.binary(max_size=300),
        strategies.text('./0123456789abcXYZ', max_size=20))
    def test_form(self, password: bytes, salt: str) -> None:
        self.assertRegex(
            shacrypt.crypt(password, salt, 1000),
            r'\A\$6\$rounds=1000\$' + re.escape(salt[:16])
            + r'\$[./0-9A-Za-z]{85}[./01]\Z')


class TestHashed(base.TestCase):

    own = shacrypt.crypt(SECRET.encode(), SALT_TEXT)

    def hashed(self, module: types.ModuleType | None) -> str:
        """With that crypt module; None: there is none."""
        with unittest.mock.patch.dict(sys.modules, {'crypt': module}):
            return shacrypt.hashed(SECRET, SALT)

    def test_salt_is_drawn_from_the_bytes(self) -> None:
        self.assertEqual(SALT_TEXT, self.hashed(None).split('$')[2])
        self.assertEqual(16, len(SALT_TEXT))
        every = {shacrypt.hashed('x', bytes([number] * 16))[3]
                 for number in range(64)}
        self.assertEqual(64, len(every))

    def test_more_bytes_than_needed(self) -> None:
        self.assertEqual(shacrypt.hashed('x', SALT),
                         shacrypt.hashed('x', SALT + b'x'))

    def test_too_few_bytes(self) -> None:
        with self.assertRaisesRegex(ValueError, 'a salt of 15 bytes'):
            shacrypt.hashed('x', SALT[:15])

    def test_with_and_without_crypt(self) -> None:
        self.assertEqual(self.own, self.hashed(None))
        # Whatever this Python has.
        self.assertEqual(self.own, shacrypt.hashed(SECRET, SALT))

    def test_crypt_is_asked(self) -> None:
        # Not what it would be, to be told apart from our own.
        other = f'$6${SALT_TEXT}$' + 'x' * 86
        module = system(other)
        self.assertEqual(other, self.hashed(module))
        module.crypt.assert_called_once_with(SECRET, f'$6${SALT_TEXT}')

    def test_crypt_that_cannot(self) -> None:
        for result in (
                None, '', '*0', '*1', 'ab01cdefghijk', '$1$' + 'x' * 22,
                f'$6${SALT_TEXT}$', f'$6${SALT_TEXT}$' + 'x' * 85,
                f'$6${SALT_TEXT}$' + 'x' * 87,
                f'$6${SALT_TEXT}$' + 'x' * 86 + '\n',
                '$6$another$' + 'x' * 86, f'$6${"y" * 16}$' + 'x' * 86,
                OSError(22, 'Invalid argument')):
            with self.subTest(result=result):
                self.assertEqual(self.own, self.hashed(system(result)))

    def test_crypt_without_sha512(self) -> None:
        module = system('x', methods=('md5',))
        self.assertEqual(self.own, self.hashed(module))
        module.crypt.assert_not_called()

    def test_crypt_that_cannot_be_loaded(self) -> None:
        real = builtins.__import__

        def refuse(name: str, *arguments: object) -> object:
            if name == 'crypt':
                raise OSError(1, 'Operation not permitted')
            return real(name, *arguments)

        with unittest.mock.patch('builtins.__import__', refuse):
            self.assertEqual(self.own, shacrypt.hashed(SECRET, SALT))

    def test_nobody_is_warned(self) -> None:
        with unittest.mock.patch.dict(sys.modules), \
                warnings.catch_warnings(record=True) as said:
            sys.modules.pop('crypt', None)
            warnings.simplefilter('always')
            shacrypt.hashed('x', SALT)
        self.assertEqual([], said)

    def test_passwords_that_have_no_hash(self) -> None:
        for password, part in ((f'{SECRET}\0', 'NUL'),
                               (f'{SECRET}\ud800', 'surrogate')):
            with self.subTest(part=part), \
                    self.assertRaises(ValueError) as caught:
                shacrypt.hashed(password, SALT)
            error = caught.exception
            self.assertIn(part, str(error))
            self.assertNotIn(SECRET, repr(error.args))
            self.assertEqual((None, ValueError),
                             (error.__context__, type(error)))

    def test_random_passwords(self) -> None:
        for text in ('', 'p\xe4ssw\xf6rd', '\U0001f511' * 40, "$(id)';",
                     'x' * 63, 'x' * 64, 'x' * 65, 'x' * 128):
            salt = os.urandom(16)
            found = shacrypt.hashed(text, salt)
            with self.subTest(text=text):
                self.assertEqual(found, shacrypt.crypt(
                    text.encode(), found.split('$')[2]))
