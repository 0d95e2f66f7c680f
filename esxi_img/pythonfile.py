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

"""Python files as they travel."""

import re

_COMMENT = re.compile(rb'(?m)^[ \t]*#.*')


def lean(source: bytes) -> bytes:
    """A module of ours whose lines of nothing but a comment are empty.

    The image has little room, and a fifth of the package was such lines.
    All lines keep their numbers, which a traceback on a host tells.  A line
    of a string that begins with "#" would go as well: a test has an eye on
    that.
    """
    return _COMMENT.sub(b'', source)
