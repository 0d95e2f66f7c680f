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

"""JSON of any origin: what it says, or why it cannot be read."""

import json
import math
import re
from typing import Any
from typing import Optional
from typing import Tuple

from .model import Problem

# Far beyond any config drive.  Python's own limit is no protection: 3.13
# follows 10 000 levels on the C stack, which a small stack does not survive.
DEPTH = 100

# No number of a config drive is longer.  int() takes quadratic time (3.8) or
# raises (3.11) for what is very long.
DIGITS = 32

# A string, closed or not, hides the brackets that are in it.
_BRACKET = re.compile(r'"(?:[^"\\]+|\\.)*"?|([\[{\]}])', re.DOTALL)

_KINDS = {
    bool: 'a boolean',
    dict: 'an object',
    float: 'a number',
    int: 'a number',
    list: 'a list',
    str: 'a string',
    type(None): 'null',
}
LIMIT = 1 << 20
"""Bytes of a file: no cloud describes a host with more."""


def decode(data: bytes, name: str) -> Tuple[Any, Tuple[Problem, ...]]:
    """What a JSON file says; None, with a problem, if it is none.

    UTF-8, -16 and -32, each with a byte order mark or without.  Numbers that
    nobody can count with (NaN, Infinity, 1e999, integers of more than DIGITS
    digits) are as null.  A problem tells a place and never what is there.

    :param name: of the file, as the problem should name it
    """
    value, message = _decode(data)
    if message is None:
        return value, ()
    return None, (Problem(name, f'not JSON: {message}'),)


def kind(value: Any) -> str:
    """A decoded value in words that tell its type only: 'a string'."""
    return _KINDS.get(type(value), 'no JSON value')


def _decode(data: bytes) -> Tuple[Any, Optional[str]]:
    """The value, and what is wrong; nothing is wrong if that is None."""
    if len(data) > LIMIT:
        return None, f'more than {LIMIT >> 20} MiB'
    encoding = json.detect_encoding(data)
    # json.loads would let broken surrogates pass.
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None, f'no valid {encoding}'
    if not text.strip():
        return None, 'there is nothing in it'
    if _is_too_deep(text):
        return None, f'nested more than {DEPTH} levels deep'
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float,
                          parse_constant=_no_number), None
    except json.JSONDecodeError as error:
        # Its own message may quote a character of what is there.
        return None, f'line {error.lineno} column {error.colno}'


def _is_too_deep(text: str) -> bool:
    depth = 0
    for match in _BRACKET.finditer(text):
        bracket = match.group(1)
        if bracket:
            depth += 1 if bracket in '[{' else -1
        if depth > DEPTH:
            return True
    return False


def _integer(digits: str) -> Optional[int]:
    return int(digits) if len(digits) <= DIGITS else None


def _float(text: str) -> Optional[float]:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_number(_name: str) -> None:
    """For NaN and Infinity, which JSON does not know but Python writes."""
