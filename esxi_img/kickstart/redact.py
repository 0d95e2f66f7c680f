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

"""A kickstart fit to be shown: its secrets as ``(set)``.

That is all that follows rootpw, every crypt hash, and in scripts the forms
in which passwords usually come; no list of those is complete.  It rather
hides too much than too little: in a script whatever follows the
word rootpw goes, up to the end of the line.
"""

import re

SET = '(set)'

# A quoted string or anything up to a blank, in any mixture.
_VALUE = r'''(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\S)+'''
_NAME = r'(?:pass(?:w(?:or)?d)?|passphrase|pwd?|secret|token|api_?key)'
_ROOTPW = re.compile(
    # Not in a path such as /tmp/rootpw, and over continued lines.
    r'(?<![\w/.-])(rootpw)\b((?:\\\r*\n|[^\n])*)', re.IGNORECASE)
_OTHERS = tuple((re.compile(pattern, re.IGNORECASE), shown)
                for pattern, shown in (
    # First, whole: crypt(3) strings, their dollars quoted for a shell or not
    (r'\\?\$(?:1|2[abxy]?|5|6|7|y|gy|sha1)\\?\$[^\s"\':]+', SET),
    # --password=VALUE, --password VALUE, PASSWORD="VALUE", "token": VALUE
    (rf'(--[\w-]*{_NAME}[\w-]*(?:[ \t]|\\\r*\n)+){_VALUE}', rf'\1{SET}'),
    (rf'({_NAME}[\w-]*["\']?[ \t]*[=:][ \t]*){_VALUE}', rf'\1{SET}'),
    # esxcli system account set -p VALUE -c VALUE
    (rf'(\baccount\b[^\n]*?\s-[pc](?:[ \t]+|=)){_VALUE}', rf'\1{SET}'),
    (rf'(\baccount\b[^\n]*\s-[pc](?:[ \t]+|=)){_VALUE}', rf'\1{SET}'),
    # echo root:VALUE | chpasswd, echo VALUE | passwd
    (r'[^\n]*(\|[ \t]*(?:ch)?passwd\b)', rf'{SET} \1'),
    # openssl passwd -6 VALUE, passwd --stdin root <<< VALUE
    (r'(\bpasswd[ \t])[^\n|;&]+', rf'\1{SET}'),
    # sshpass -p VALUE, usermod -p VALUE
    (rf'(\b(?:sshpass|usermod)\b[^\n]*?\s-p[ \t]*){_VALUE}', rf'\1{SET}'),
    # crypt.crypt('VALUE', ...), root:VALUE
    (r'(\bcrypt\()[^\n]*', rf'\1{SET}'),
    (r'(\broot:)[^\s:\[\]\'"|/]+', rf'\1{SET}'),
    # curl -u name:VALUE, Authorization: Bearer VALUE
    (rf'((?:-u|--user)(?:[ \t]+|=)[\w.-]+:){_VALUE}', rf'\1{SET}'),
    (rf'(\b(?:bearer|basic)[ \t]+){_VALUE}', rf'\1{SET}'),
    (rf'(--communities(?:[ \t]+|=)){_VALUE}', rf'\1{SET}'),
    (rf'(vimsvc/license[^\n]*?--set[ \t=]+){_VALUE}', rf'\1{SET}'),
    # serialnum --esx=KEY
    (rf'(--esx=){_VALUE}', rf'\1{SET}'),
    # scheme://user:VALUE@host
    (r'(://[^/\s:@]*:)[^/\s@]+@', rf'\1{SET}@'),
))


def redact(text: str) -> str:
    """The text with passwords, hashes and licence keys as ``(set)``."""
    text = _ROOTPW.sub(_rootpw, text)
    for pattern, shown in _OTHERS:
        text = pattern.sub(shown, text)
    return text


def _rootpw(match: re.Match[str]) -> str:
    name, rest = match.groups()
    if not rest.strip():
        return match.group()
    hashed = re.match(r'[ \t]*--iscrypted(?=[ \t])', rest)
    return f'{name} --iscrypted {SET}' if hashed else f'{name} {SET}'
