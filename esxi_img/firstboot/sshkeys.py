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

"""Lines of authorized_keys: [OPTIONS ]TYPE BASE64[ COMMENT], see sshd(8)."""

import re
from typing import Any
from typing import Dict
from typing import Iterable
from typing import List
from typing import Tuple

# In bytes; older sshd reads no longer line (SSH_MAX_PUBKEY_BYTES).
LINE_MAX = 16384

_QUOTED = r'"(?:[^"\\]|\\"|\\(?!"))*"'
_OPTION = rf'[A-Za-z0-9-]+(?:={_QUOTED})?'
_TYPE = (r'(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-[a-z0-9]+'
         r'|sk-[a-z0-9-]+@openssh\.com'
         r'|(?:ssh|ecdsa|sk)-[a-z0-9-]+-cert-v01@openssh\.com)')
# A key starts with the length of its type's name: three bytes of zero.
_BLOB = re.compile(r'AAAA[A-Za-z0-9+/]{12,}={0,2}')
_LINE = re.compile(
    rf'(?:({_OPTION}(?:,{_OPTION})*)[ \t]+)?({_TYPE})[ \t]+([^ \t]+)'
    r'(?:[ \t].*)?')

# Controls but the tab, what else ends a line for Python, and surrogates,
# which no file can hold.
_UNFIT = re.compile(
    '[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def lines(text: str) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """The keys of a text, and messages about what is neither key nor remark.

    Whether sshd knows the options, and what the base64 text says, is left to
    sshd: a key that was left out by mistake locks somebody out, and one that
    is none does no harm.  Messages never quote: the text may be a private
    key.

    :param text: lines, which may end with CR LF
    :return: lines without end and without blanks around them; and messages
    """
    keys: List[str] = []
    others: List[int] = []
    doubtful: List[int] = []
    for number, line in enumerate(text.split('\n'), 1):
        line = line.strip(' \t\r')
        if not line or line.startswith('#'):
            continue
        if not _is_key(line):
            others.append(number)
            continue
        keys.append(line)
        match = _LINE.fullmatch(line)
        if match and not _BLOB.fullmatch(match.group(3)):
            doubtful.append(number)
    return tuple(keys), (
        *_messages(others, 'no public SSH key'),
        *_messages(doubtful, 'hardly a public SSH key, and kept'))


def unique(keys: Iterable[str]) -> Tuple[str, ...]:
    """Of keys that differ in their comment only, the first.

    :param keys: lines as :func:`lines` gives them
    """
    first: Dict[Any, str] = {}
    for line in keys:
        match = _LINE.fullmatch(line)
        first.setdefault(match.groups() if match else line, line)
    return tuple(first.values())


def options(line: str) -> str:
    """The options of a key, as they stand before it; '' if it has none."""
    match = _LINE.fullmatch(line)
    return match and match.group(1) or ''


def _is_key(line: str) -> bool:
    return (not _UNFIT.search(line) and len(line.encode()) <= LINE_MAX
            and _LINE.fullmatch(line) is not None)


def _messages(numbers: List[int], what: str) -> Tuple[str, ...]:
    if not numbers:
        return ()
    more = f', and so are {len(numbers) - 1} more' if numbers[1:] else ''
    return (f'line {numbers[0]} is {what}{more}',)
