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

"""Host names that ESXi takes, made of what is said."""

import ipaddress
import re
from typing import Optional
from typing import Tuple

# RFC 1035, 2.3.4, as text and without the root's dot.
LABEL_MAX = 63
NAME_MAX = 253

# What a host is called that has not been named.
_UNNAMED = frozenset({'localhost', 'localhost.localdomain'})

_SHOWN = 64
_ODD = re.compile(r'[^A-Za-z0-9.-]')
_FOUR_NUMBERS = re.compile(r'[0-9]+(\.[0-9]+){3}')


def clean(text: str) -> Tuple[Optional[str], Optional[str]]:
    """The nearest host name, and what to tell about it.

    Labels of letters, digits and hyphens (RFC 952, RFC 1123), with or
    without a domain; the case is kept.

    :return: the name, and a message if it had to be changed; None, and a
        message if nothing can be made of it; None twice if no name is said
    """
    if not text.strip():
        return None, None
    name = _shorten(_ODD.sub('-', text.strip()))
    if not name:
        return None, f'{_quote(text)} has nothing of a host name'
    if _FOUR_NUMBERS.fullmatch(name) or _is_ipv6(text):
        return None, f'{_quote(text)} is an address and no host name'
    if name.lower() in _UNNAMED:
        return None, None
    if name == text:
        return name, None
    return name, f'{_quote(text)} is no host name, {_quote(name)} is taken'


def is_valid(text: str) -> bool:
    """Whether the text is a host name as it stands."""
    return clean(text) == (text, None)


def _shorten(text: str) -> str:
    """The labels, trimmed, as far as there is room for them."""
    name = ''
    for label in text.split('.'):
        label = label.strip('-')[:LABEL_MAX].rstrip('-')
        longer = f'{name}.{label}' if name and label else name + label
        if len(longer) > NAME_MAX:
            break
        name = longer
    return name


def _is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address, bare, in brackets or with a zone."""
    # Python 3.8 knows no zones.
    address = text.strip().rstrip('.').strip('[]').partition('%')[0]
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def _quote(text: str) -> str:
    return ascii(text[:_SHOWN]) + ('...' if len(text) > _SHOWN else '')
