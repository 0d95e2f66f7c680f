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

"""What can be said about a password without telling it."""

import re
from typing import Iterator
from typing import Optional

# Security.PasswordQualityControl of ESXi as installed: "retry=3
# min=disabled,disabled,disabled,7,7", in the words of pam_passwdqc(8).
LENGTH_MIN = 7
CLASSES_MIN = 3

_CLASSES = tuple(map(re.compile, (
    '[a-z]', '[A-Z]', '[0-9]', r'[\x00-/:-@\[-`{-\x7f]')))
# So usual that passwdqc does not count them.
_USUAL = re.compile(r'\A[A-Z]|[0-9]\Z')


def defect(text: str) -> Optional[str]:
    """Why no hash can stand for the password; None if one can."""
    if '\0' in text:
        return 'holds a NUL, at which hashing would stop'
    try:
        text.encode()
    except UnicodeEncodeError:
        return 'holds a lone surrogate, which has no bytes'
    return None


def weakness(text: str) -> Optional[str]:
    """Why ESXi would refuse the password; None if its form is good enough.

    Length and classes of characters only: that passwdqc also refuses words,
    sequences and repetitions is not looked at.
    """
    # passwdqc counts bytes, and no class for what is not ASCII.
    if len(text.encode('utf-8', 'surrogatepass')) < LENGTH_MIN:
        return f'is shorter than {LENGTH_MIN} characters'
    counted = _USUAL.sub('', text)
    if sum(1 for one in _CLASSES if one.search(counted)) < CLASSES_MIN:
        return (f'has fewer than {CLASSES_MIN} of lower case, upper case, '
                'digits and others, a capital at its start and a digit at '
                'its end not counted')
    return None


def doubts(text: str) -> Iterator[str]:
    """What to tell about a password that is set all the same."""
    if '\n' in text or '\r' in text:
        yield 'holds a line break, which no login prompt takes'
    found = weakness(text)
    if found:
        yield (f"{found}: ESXi's own rule would refuse it, but it is set as "
               'a hash and so works')
