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

"""Media types of user data, and how the first line tells them.

Both as cloud-init has them (cloudinit/handlers/__init__.py), and some more
that a message can name.
"""

import re
from typing import Optional

from . import mime

CONFIG = 'text/cloud-config'
ARCHIVE = 'text/cloud-config-archive'
MESSAGE = 'message/rfc822'
OBJECT = 'application/json'
SCRIPT = 'text/x-shellscript'
SCRIPT_PER_BOOT = 'text/x-shellscript-per-boot'
SCRIPTS = (SCRIPT, SCRIPT_PER_BOOT, 'text/x-shellscript-per-instance',
           'text/x-shellscript-per-once')
ANY = 'text/plain'

UNTOLD = (
    None, ANY, SCRIPT, 'text/x-not-multipart', 'application/octet-stream',
    'application/gzip', 'application/gzip-compressed', 'application/gzipped',
    'application/x-compress', 'application/x-compressed',
    'application/x-gunzip', 'application/x-gzip',
    'application/x-gzip-compressed')
"""Types of which cloud-init or its users mean anything: look inside."""

_PATCH = 'text/cloud-config-jsonp'
_INCLUDE = 'text/x-include-url'
_INCLUDE_ONCE = 'text/x-include-once-url'
_HANDLER = 'text/part-handler'
_BOOTHOOK = 'text/cloud-boothook'
_JINJA = 'text/jinja2'
_UTF16 = 'text/plain; charset=utf-16'
_WINDOWS = 'text/x-powershell'

# One that is the start of another stands behind it.
_STARTS = (
    (b'## template: jinja', _JINJA),
    (b'#cloud-config-archive', ARCHIVE),
    (b'#cloud-config-jsonp', _PATCH),
    (b'#cloud-boothook', _BOOTHOOK),
    (b'#part-handler', _HANDLER),
    (b'#include-once', _INCLUDE_ONCE),
    (b'#cloud-config', CONFIG),
    (b'#include', _INCLUDE),
    (b'#!', SCRIPT),
    (b'#ps1', _WINDOWS),
    (b'rem cmd', _WINDOWS),
    (b'<powershell>', _WINDOWS),
    (b'<script>', _WINDOWS),
    (b'\xff\xfe', _UTF16),
    (b'\xfe\xff', _UTF16),
    (b'{', OBJECT))

_SHORT = re.compile('[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}')
_FETCHED = '#include: first boot fetches nothing: put the content here'
_DEFECTS = {
    _BOOTHOOK: '#cloud-boothook is not supported: use bootcmd of a '
               'cloud-config',
    _HANDLER: '#part-handler is not supported: there is no cloud-init to '
              'extend',
    _INCLUDE: _FETCHED,
    _INCLUDE_ONCE: _FETCHED,
    _JINJA: 'a Jinja template is not supported: write out what it stands '
            'for',
    _PATCH: 'a JSON patch (#cloud-config-jsonp) is not supported: write a '
            'whole cloud-config',
    _UTF16: 'UTF-16 text: save it as UTF-8',
    _WINDOWS: 'a script for Windows, which ESXi cannot run'}


def of_start(data: bytes) -> Optional[str]:
    """The type that the first line tells, if any."""
    start = data[:4096].lstrip().lower()
    for prefix, kind in _STARTS:
        if start.startswith(prefix):
            return kind
    return MESSAGE if mime.is_message(data) else None


def defect(kind: str) -> str:
    """Why nothing can be done with what is of another type than above."""
    if kind in _DEFECTS:
        return _DEFECTS[kind]
    name = ascii(kind) if _SHORT.fullmatch(kind) else 'this one'
    return f'parts of type {name} are not supported'
