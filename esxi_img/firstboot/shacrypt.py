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

"""Hashes a password with SHA-512 crypt, as crypt(3) does with ``$6$``.

Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6, which is
in the public domain.  Python's own crypt is gone since 3.13.
"""

import hashlib
import re
from typing import Optional
import warnings

from .password import defect

ROUNDS = 5000
ROUNDS_MIN = 1000
ROUNDS_MAX = 999999999
SALT_LENGTH = 16
PASSWORD_MAX = 4096
"""Bytes; the time taken grows with the square of their number."""

_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
_SALT = re.compile(r'[./0-9A-Za-z]*')
_DIGEST = re.compile(r'[./0-9A-Za-z]{86}')


def hashed(password: str, salt: bytes) -> str:
    """``$6$SALT$DIGEST``, by the system's crypt(3) where Python has it.

    :param salt: random bytes, SALT_LENGTH of them; what is more is ignored
    :raises ValueError: no hash can stand for it; never tells the password
    """
    problem = defect(password)
    if problem:
        raise ValueError(f'the password {problem}')
    if len(salt) < SALT_LENGTH:
        raise ValueError(f'a salt of {len(salt)} bytes: it takes '
                         f'{SALT_LENGTH}')
    data = password.encode()
    _check_length(data)
    text = ''.join(_ALPHABET[byte % 64] for byte in salt[:SALT_LENGTH])
    return _by_system(password, text) or crypt(data, text)


def crypt(password: bytes, salt: str, rounds: int = ROUNDS) -> str:
    """``$6$SALT$DIGEST`` or ``$6$rounds=ROUNDS$SALT$DIGEST``.

    :param salt: up to SALT_LENGTH of ``./0-9A-Za-z``; what is more is cut off
    :param rounds: moved to ROUNDS_MIN or ROUNDS_MAX if beyond
    :raises ValueError: a salt with other characters, or a password that is
        too long
    """
    _check_length(password)
    if not _SALT.fullmatch(salt):
        raise ValueError(f'salt {ascii(salt)}: only ./0-9A-Za-z may be in it')
    salt = salt[:SALT_LENGTH]
    rounds = min(max(rounds, ROUNDS_MIN), ROUNDS_MAX)
    count = '' if rounds == ROUNDS else f'rounds={rounds}$'
    digest = _digest(password, salt.encode('ascii'), rounds)
    return f'$6${count}{salt}${_encoded(digest)}'


def _check_length(password: bytes) -> None:
    if len(password) > PASSWORD_MAX:
        raise ValueError(f'a password of {len(password)} bytes: no more than '
                         f'{PASSWORD_MAX} are allowed')


def _by_system(password: str, salt: str) -> Optional[str]:
    """What crypt(3) makes of it; None: it cannot, or Python has none."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        try:
            import crypt as system
            if system.METHOD_SHA512 not in system.methods:
                return None
            result = system.crypt(password, f'$6${salt}')
        except (ImportError, OSError):
            return None
    # It fails with None, with '*0', or with a weaker hash.
    start = f'$6${salt}$'
    if (result and result.startswith(start)
            and _DIGEST.fullmatch(result[len(start):])):
        return result
    return None


def _digest(password: bytes, salt: bytes, rounds: int) -> bytes:
    """The 64 bytes of the result; the numbers are the specification's."""
    b = _sha512(password + salt + password)                           # 4-8
    a = hashlib.sha512(password + salt + _filled(b, len(password)))   # 1-10
    bits = len(password)
    while bits:                                                       # 11
        a.update(b if bits & 1 else password)
        bits >>= 1
    result = a.digest()                                               # 12
    dp = hashlib.sha512()                                             # 13-15
    for _ in password:
        dp.update(password)
    p = _filled(dp.digest(), len(password))                           # 16
    ds = _sha512(salt * (16 + result[0]))                             # 17-19
    s = _filled(ds, len(salt))                                        # 20
    for number in range(rounds):                                      # 21
        odd = number % 2
        result = _sha512(b''.join((
            p if odd else result, s if number % 3 else b'',
            p if number % 7 else b'', result if odd else p)))
    return result


def _sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def _filled(pattern: bytes, length: int) -> bytes:
    return (pattern * (length // len(pattern) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Step 22: three bytes make four characters, the last one makes two."""
    text = ''
    first, second, third = 0, 21, 42
    for _ in range(21):
        text += _characters(digest[first] << 16 | digest[second] << 8
                            | digest[third], 4)
        first, second, third = second + 1, third + 1, first + 1
    return text + _characters(digest[63], 2)


def _characters(value: int, count: int) -> str:
    return ''.join(_ALPHABET[value >> 6 * place & 63]
                   for place in range(count))
