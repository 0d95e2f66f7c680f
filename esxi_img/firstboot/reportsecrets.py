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

"""Takes what is secret out of a field report.

Three nets, each for what the one before lets through: names that secrets
have, wherever they stand; the shapes that they have; and the very secrets
that can still be found on this host.  It rather takes too much.
"""

import base64
import binascii
import hashlib
import json
import re
from typing import Any
from typing import Dict
from typing import Iterable
from typing import Iterator
from typing import List
from typing import Optional
from typing import Set

from .reportmodel import parsed

REMOVED = '(removed)'

# Names of secrets.  All repetitions have bounds, and no two ways lead
# through the same text: a hostile log must not take hours.
_NAME = (r'(?:pass(?!e[ds]|ing|ive|thr)(?:w(?:or)?d|phrase|code)?'
         r'|(?:bind|(?<![a-z]))pwd?(?![a-z])|secret|token|credential'
         r'|(?<![a-z])(?:creds|psk|csrf)(?![a-z])|ticket'
         r'|session[ _-]?(?:id|key)|_session(?![a-z])'
         r'|communit(?:y|ies)|chap(?![a-z])|(?:auth|priv)[ _-]?hash'
         r'|auth[_-]key'
         r'|(?:api|access|private|shared|recovery|encryption|integrity|ike'
         r'|signing)[ _-]?key|(?:rsa|dsa|ed25519)_private'
         r'|licen[cs]e|random[ _-]?seed'
         r'|serial[ _-]?n(?:o|um|umber)(?![a-z])|asset[ _-]?tag'
         r'|service[ _-]?tag|authorization|cookie)')
_QUOTED = r'''"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?'''
_WORD = rf'''(?:{_QUOTED}|[^\s"'])+'''
_KEY = rf'''({_NAME}[][\w.-]{{0,32}}\\{{0,8}}["']?[ \t]{{0,8}}'''
_GAP = r'''(?:["']?,?(?:[ \t]|\\\r?\n){1,8})'''
_KEY_NAME = re.compile(_NAME, re.IGNORECASE)
_OPTION = re.compile(rf'-[\w-]*?{_NAME}[\w-]*', re.IGNORECASE)

# What stands behind such names and is none: the words of our own messages,
# and of lists.
_HARMLESS = frozenset((
    '', '-', 'none', 'null', 'true', 'false', 'yes', 'no', 'on', 'off',
    'enabled', 'disabled', 'build', 'admin_pass', 'cloud-config', 'set',
    '(set)', REMOVED))

# The group is what stays in front.
_BY_NAME = tuple(re.compile(one, re.IGNORECASE | re.MULTILINE) for one in (
    # Not in a path, and over continued lines; also of a text that is quoted.
    r'((?:(?<![\w/.-])|(?<=\\[nrt]))rootpw(?![\w.])(?:[ \t]+--iscrypted\b)?'
    r'[ \t]*)'
    r'(?:\\\r?\n|[^\n])+',
    # As blocks of YAML are, and lists.
    rf'{_KEY}:[ \t]{{0,8}}(?:[|>][-+0-9]{{0,2}}[ \t]{{0,8}})?)'
    r'(?:\n(?:[ \t]|- )[^\n]*)+',
    rf'{_KEY}(?:=>?|:=|->|%3[AD]|\\u003[AD])[ \t]{{0,8}})'
    rf'(?:\$?\([^()\n]{{0,256}}\)|{_WORD})',
    rf'''(["'][\w-]{{0,32}}{_NAME}[\w-]{{0,32}}\\{{0,8}}["'],[ \t]{{0,8}}'''
    rf'''\\{{0,8}})(?:{_QUOTED})''',
    rf'(<(?:[\w-]{{1,32}}:)?[\w-]{{0,32}}{_NAME}[^<>\n]{{0,64}}>)[^<\n]+',
    # Words are left, for they are a sentence.
    rf'({_NAME}[\w-]{{0,32}}[ \t]{{1,8}}'
    r'(?:(?:is|was|to|of|for|root|key|number)[ \t]{1,4}){0,3})'
    rf'''(?:{_QUOTED}|`[^`\n]+'''
    r'''|(?=[^\s"']{0,64}[0-9])[^\s"'-][^\s"']{5,})''',
    rf'((?<![\w-])--?(?:[a-z][\w-]{{0,32}})?{_NAME}[\w-]{{0,32}}{_GAP})'
    rf'{_WORD}',
    r'(^(?=[^\n]*\b(?:account|chap|ipmi\w*|snmp|sshpass|usermod|useradd)\b)'
    r'''[^\n]*?[\s"'](?:-[pctAPS]|--(?:remote-)?users|--targets)'''
    r'''["']?,?[ \t=])[^\n]+''',
    r'(\bsshpass[ \t]{1,8}-p)[^\n]+',
    r'(\bdomainjoin-cli[ \t][^\n]{0,16}?join[ \t])[^\n]+',
    # A trap's target: HOST@PORT/COMMUNITY
    r'''(@[0-9]{1,5}/)[^\s,"'/]+''',
    # echo root:VALUE | chpasswd, passwd --stdin <<< VALUE, root:VALUE
    r'(^)[^\n]*\|[ \t]*(?:ch)?passwd\b[^\n]*',
    r'(\bpasswd[ \t]{1,8})[^\n|;&]+',
    r'''(\bcrypt\()[^\n]+''',
    r'''(\broot:)(?!/)[^\s:\[\]'"|]+''',
    rf'''((?<![\w-])(?:-u|--user)[ \t=]{{0,4}}["']?[\w.-]{{1,64}}:){_WORD}''',
    rf'(\b(?:bearer|basic)[ \t]{{1,8}}){_WORD}',
    rf'(\blicense[ \t][^\n]{{0,64}}?--set[ \t=]{{1,8}}){_WORD}',
    rf'(--esx[= \t]){_WORD}',
    # scheme://user:VALUE@host, also within JSON or another address
    r'''((?::|%3A)(?:\\{0,4}/|%2F){2})(?:'''
    r'''(?:[^\s"'<>@/?]{1,256}@){0,3}[^\s"'<>@/?]{1,256}(?=@)'''
    r'''|[^\s"'<>@/?:]{1,64}:[^\s"'<>@]{1,256}(?=@)'''
    r'''|[^\s"'<>@/?]{1,256}?(?=%40))''',
    r'''((?<![\w.-])[\w.-]{1,64}:)[^\s"'<>@/:]{1,256}(?=@[\w[])''',
    r'''([?&][\w.~%-]{0,32}(?:sig|signature|key|auth|pin)=)[^\s"'<>&]+'''))
_BEHIND_COLON = re.compile(
    rf'''{_KEY}:[ \t]{{0,8}})({_QUOTED}|[^\s"'][^\n]*)''', re.IGNORECASE)

_SHAPES = tuple(re.compile(pattern, re.IGNORECASE) for pattern in (
    # crypt(3), its dollars quoted for a shell or not
    r'\\*\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|md5|argon2\w{0,2}|scrypt'
    r'|pbkdf2[\w-]{0,16})\\*\$[^\s"\':;,()]+',
    # licence keys
    r'(?<![0-9A-Z-])[0-9A-Z]{5}(?:-[0-9A-Z]{5}){4}(?![0-9A-Z-])',
    # LDAP, GRUB
    r'\{(?:S?SHA[0-9]{0,3}|S?MD5|CRYPT)\}[^\s"\',;]+',
    r'\bgrub\.pbkdf2\.[\w.]+',
    # tokens: JSON Web, Keystone, Amazon, GitHub, GitLab, Slack, Vault
    r'\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?',
    r'\bgAAAA[\w-]{40,}={0,2}',
    r'\b(?:AKIA|ASIA)[0-9A-Z]{16}\b',
    r'\b(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|hvs\.)[\w-]{16,}'))
# As far as it goes, should its end be cut off.
_PEM = re.compile(r'(-----BEGIN [A-Z0-9 ]{0,40}-----)(?!\(removed\))'
                  r'(?:(?!-----END )[\s\S])*')
_PEM_END = '-----END '
_BASE64 = ('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
           '+/=\\ \t\r\n')
_LONG = re.compile(r'(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{60,}={0,2}')
_PUBLIC_KEY = re.compile(
    r'\b(ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]{3}'
    r'|sk-[\w.@-]{4,64})[ \t]+([A-Za-z0-9+/]{20,}={0,2})'
    r'''(?:[ \t]+[^\n"'\\]*)?''')

# Names of disks that carry their serial number: t10 behind the last
# underscore, vml anywhere.
_SERIAL = 'serial-'
_DISKS = (re.compile(r'(\bt10\.[\w.-]{0,128}_)(?!serial-)([A-Za-z0-9-]+)'
                     r'(?=_*(?![\w-]))'),
          re.compile(r'(\bvml\.)([0-9A-Fa-f]{8,})'))

# Of a known secret, characters: more of one line nobody repeats; fewer are
# looked for as a word of their own; fewer yet are everywhere.
_LONGEST, _SHORT, _SHORTEST = 4096, 6, 3
_MOST = 200
_LINE = 16
_OPAQUE = frozenset(('bootcmd', 'content', 'final_message', 'phone_home',
                     'runcmd', 'script', 'url', 'user_scripts',
                     'vendor_scripts'))
# RFC 3986, 2.3: what an address has as it is.
_UNRESERVED = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
                        '0123456789-._~')
_PIECE = re.compile(r'[^\s/"\'=:?&,;()]{8,}')


class Redactor:
    """Takes secrets out of texts and values.

    :param known: secrets that are on this host, the worst first
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._disks: Dict[str, int] = {}
        some = list(dict.fromkeys(known))[:_MOST]
        # A secret may be a part of another one.
        self._known = sorted({form for one in some if len(one) >= _SHORT
                              for form in forms(one)},
                             key=lambda one: (-len(one), one))
        short = '|'.join(re.escape(one) for one in some
                         if _SHORTEST <= len(one) < _SHORT)
        self._short = re.compile(
            rf'(?<!\w)(?:{short})(?!\w)') if short else None

    def text(self, text: str, found: Optional[List[str]] = None) -> str:
        """The text without what a name or a shape tells to be secret.

        :param found: gets what was taken out
        """
        text = self._shapes(_PUBLIC_KEY.sub(_fingerprint, text), found)
        for pattern in _BY_NAME:
            text = pattern.sub(lambda match: _hidden(match, found), text)
        return _BEHIND_COLON.sub(lambda match: _colon(match, found), text)

    def value(self, value: Any, found: Optional[List[str]] = None) -> Any:
        """The same of a JSON value, whose keys are such names, too."""
        if isinstance(value, str):
            return self.text(value, found)
        if isinstance(value, dict):
            return {self.text(key): self._of_key(key, one, found)
                    for key, one in value.items()}
        if isinstance(value, list):
            return [self._secret(one, found) if _is_option(before)
                    else self.value(one, found)
                    for before, one in zip([None, *value], value)]
        return value

    def last(self, text: str) -> str:
        """The text without the known secrets, and all shapes once more.

        For what is as it will be sent: no form that a secret took on the
        way gets through.
        """
        for form in self._known:
            text = text.replace(form, REMOVED)
        if self._short:
            text = self._short.sub(REMOVED, text)
        return self._shapes(text)

    def _of_key(self, key: str, value: Any, found: Optional[List[str]]
                ) -> Any:
        return self._secret(value, found) if _KEY_NAME.search(key) \
            else self.value(value, found)

    def _secret(self, value: Any, found: Optional[List[str]]) -> Any:
        """What stands behind the name of a secret."""
        if isinstance(value, dict):
            return {self.text(key): self._secret(one, found)
                    for key, one in value.items()}
        if isinstance(value, list):
            return [self._secret(one, found) for one in value]
        if value is None or isinstance(value, bool) \
                or str(value).lower() in _HARMLESS:
            return value
        _note(str(value), found)
        return REMOVED

    def _shapes(self, text: str, found: Optional[List[str]] = None) -> str:
        for pattern in _SHAPES:
            text = pattern.sub(lambda match: _shape(match, found), text)
        text = _PEM.sub(rf'\1{REMOVED}', text)
        head, end, rest = text.partition(_PEM_END)
        if end and '-----BEGIN ' not in head and not head.endswith(REMOVED):
            # Its start was cut off.
            text = head.rstrip(_BASE64) + REMOVED + end + rest
        text = _LONG.sub(_if_random, text)
        for pattern in _DISKS:
            text = pattern.sub(self._disk, text)
        return text

    def _disk(self, match: 're.Match[str]') -> str:
        number = self._disks.setdefault(match[2], len(self._disks) + 1)
        return f'{match[1]}{_SERIAL}{number}'


def secrets_of(texts: Iterable[str]) -> List[str]:
    """The secrets that are in texts of a host: drives, wishes, shadow.

    :param texts: JSON or any other
    """
    redactor = Redactor()
    named: List[str] = []
    opaque: List[str] = []
    for text in texts:
        value = parsed(text)
        try:
            redactor.value(text if value is None else value, named)
            opaque += _opaque(value)
        except RecursionError:
            redactor.text(text, named)
    return [one for one in (*named, *opaque)
            if _SHORTEST <= len(one) <= _LONGEST
            and one.lower() not in _HARMLESS]


def forms(secret: str) -> Set[str]:
    """A secret as it can stand in a text."""
    data = secret.encode('utf-8', 'backslashreplace')
    coded = ''.join(chr(one) if chr(one) in _UNRESERVED else f'%{one:02X}'
                    for one in data)
    found = {secret, coded, coded.replace('%20', '+'), data.hex(),
             data.hex().upper(), repr(secret)[1:-1],
             re.sub('%..', lambda match: match[0].lower(), coded)}
    for quote in ('&quot;', '&#34;'):
        found.add(secret.replace('&', '&amp;').replace('<', '&lt;').replace(
            '>', '&gt;').replace('"', quote))
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    for shift in range(3):
        # The characters that hold bits of the neighbours are left out.
        coded = base64.b64encode(bytes(shift) + data)[
            -(-shift * 8 // 6):(shift + len(data)) * 8 // 6].decode()
        found |= {coded, coded.translate({43: '-', 47: '_'})}
    return found


def _opaque(value: Any, inside: bool = False) -> Iterator[str]:
    """Of a user's scripts the lines, and of addresses the pieces."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _opaque(one, inside or key in _OPAQUE)
    elif isinstance(value, list):
        for one in value:
            yield from _opaque(one, inside)
    elif isinstance(value, str) and inside:
        for text in (value, _decoded(value)):
            yield from (line.strip() for line in text.splitlines()
                        if len(line.strip()) >= _LINE)
        if '://' in value:
            path = value.partition('://')[2].partition('/')[2]
            yield from _PIECE.findall(path)


def _decoded(value: str) -> str:
    """What a script is in base64; '' if it is in none."""
    try:
        return base64.b64decode(value, validate=True).decode(
            'utf-8', 'backslashreplace')
    except (binascii.Error, ValueError):
        return ''


def _hidden(match: 're.Match[str]', found: Optional[List[str]]) -> str:
    value = match[0][len(match[1]):]
    if value.strip(' "\'').lower() in _HARMLESS:
        return match[0]
    if match[1].lower().endswith(('/', '%2f')):
        # Of an address: a user, maybe.
        _note(value.rpartition(':')[2], found)
        return match[1] + REMOVED
    _note(value, found)
    return match[1] + REMOVED


def _shape(match: 're.Match[str]', found: Optional[List[str]]) -> str:
    _note(match[0], found)
    return REMOVED


def _colon(match: 're.Match[str]', found: Optional[List[str]]) -> str:
    """Behind a colon it may be words, up to the end of the line.

    ``FILE:NAME: MESSAGE`` is how our own problems are told, of which the
    first word is enough.
    """
    value, rest = match[2], ''
    start = match.start()
    before = match.string[max(0, start - 64):start].rstrip(
        'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-')
    if before.endswith((':', '.')) and value[0] not in '"\'':
        value, blank, rest = value.partition(' ')
        rest = blank + rest
    if value.strip(' "\',').lower() in _HARMLESS:
        return match[0]
    _note(value, found)
    # Between its quotes: JSON stays JSON, and twice is as once.
    quoted = value[0] if value[0] in '"\'' else ''
    return f'{match[1]}{quoted}{REMOVED}{quoted}{rest}'


def _note(value: str, found: Optional[List[str]]) -> None:
    if found is not None:
        found += (line.strip().strip('"\'') for line in value.split('\n'))


def _is_option(value: Any) -> bool:
    return isinstance(value, str) and bool(_OPTION.fullmatch(value))


def _fingerprint(match: 're.Match[str]') -> str:
    """As ssh-keygen -l shows a public key."""
    try:
        blob = base64.b64decode(match[2], validate=True)
    except (binascii.Error, ValueError):
        return f'{match[1]} {REMOVED}'
    coded = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f'{match[1]} SHA256:{coded.rstrip("=")}'


def _if_random(match: 're.Match[str]') -> str:
    """Base64 of a key or a seed; neither a path nor a checksum."""
    text = match[0]
    random = re.search('[a-z]', text) and re.search('[A-Z]', text) \
        and re.search('[0-9]', text) and text.count('/') <= len(text) // 8
    return REMOVED if random else text
