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

"""What is to happen when first boot is over (cloudinit cc_phone_home,
cc_final_message and cc_power_state_change)."""

import re
from typing import Optional
from typing import Tuple

from . import wishvalue
from .model import Secret
from .wish import PhoneHome
from .wish import PowerState

STATUS = 'status'
"""A field of ours: how first boot went."""
FIELDS = ('pub_key_rsa', 'pub_key_ecdsa', 'pub_key_ed25519', 'instance_id',
          'hostname', 'fqdn')
"""All of cloud-init's but for pub_key_dsa: ESXi has no such key."""

TRIES = 10
TRIES_MAX = 100
URL_MAX = 2048
MESSAGE_MAX = 4096
REASON_MAX = 256
DELAY_MAX = 7 * 24 * 60
"""Minutes."""

_URL = re.compile(
    r'https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?'
    r'(?:[/?][!-~]*)?', re.IGNORECASE)
_REBOOT, _POWEROFF, _HALT = 'reboot', 'poweroff', 'halt'
_DELAY = re.compile(r'\+?[0-9]{1,6}')
_VARIABLE = re.compile(r'\A\s*##\s*template|\{\{|\$\{?[A-Za-z]')
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029]')


def phone_home(said: wishvalue.Entry) -> Optional[PhoneHome]:
    """Where to call, and what to tell there; always with STATUS."""
    entry = said.entry('phone_home')
    if entry is None:
        return None
    entry.refuse_others(frozenset({'post', 'tries', 'url'}))
    url = entry.text('url')
    if url is None or len(url) > URL_MAX or not _URL.fullmatch(url):
        entry.odd('url', 'no http or https URL of printable ASCII, without a '
                         'user name: nobody is called')
        return None
    return PhoneHome(Secret(url), _fields(entry),
                     entry.integer('tries', 1, TRIES_MAX, TRIES))


def _fields(said: wishvalue.Entry) -> Tuple[str, ...]:
    post = said.value('post')
    if post in (None, 'all'):
        return (*FIELDS, STATUS)
    found = []
    for at, text in said.texts('post'):
        if text in FIELDS:
            found.append(text)
        elif text != STATUS:
            said.odd(at, 'nothing that can be sent')
    return tuple(dict.fromkeys((*found, STATUS)))


def final_message(said: wishvalue.Entry) -> Optional[str]:
    """The text, as it stands."""
    text = (said.text('final_message') or '').strip()
    if _VARIABLE.search(text):
        said.odd('final_message', 'taken as it stands: there are no '
                                  'variables')
    if len(text) > MESSAGE_MAX:
        said.odd('final_message', f'{len(text)} characters, of which the '
                                  f'first {MESSAGE_MAX} are taken')
    return text[:MESSAGE_MAX] or None


def power_state(said: wishvalue.Entry) -> Optional[PowerState]:
    """What becomes of the host; None, too, where that is not clear."""
    entry = said.entry('power_state')
    if entry is None:
        return None
    entry.refuse_others(frozenset({
        'condition', 'delay', 'message', 'mode', 'timeout'}))
    mode, delay = _mode(entry), _delay(entry)
    message = _CONTROL.sub(' ', entry.text('message') or '')[:REASON_MAX]
    if mode is None or delay is None or not _condition(entry):
        return None
    return PowerState(mode, delay, message.strip())


def _mode(said: wishvalue.Entry) -> Optional[str]:
    mode = said.value('mode')
    if mode in (_REBOOT, _POWEROFF):
        return str(mode)
    if mode == _HALT:
        said.odd('mode', 'ESXi does not halt: it is powered off')
        return _POWEROFF
    said.odd('mode', 'neither reboot nor poweroff: the host runs on')
    return None


def _delay(said: wishvalue.Entry) -> Optional[int]:
    """Seconds; minutes are said."""
    value = said.value('delay')
    if value in (None, 'now'):
        return 0
    if isinstance(value, str) and _DELAY.fullmatch(value.strip()):
        value = int(value)
    if wishvalue.is_integer(value) and 0 <= value <= DELAY_MAX:
        return int(value) * 60
    said.odd('delay', f'neither now nor minutes up to {DELAY_MAX}: the host '
                      'runs on')
    return None


def _condition(said: wishvalue.Entry) -> bool:
    value = said.value('condition')
    if value is None:
        return True
    if not isinstance(value, bool):
        said.odd('condition', 'neither true nor false, and no command is '
                              'run for it: the host runs on')
    return value is True
