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

"""Releases of ESXi."""

import re
from typing import Optional


def before(version: Optional[str], major: int) -> bool:
    """Whether a release is known to be an older one.

    :param version: as in host.Host; one that is not known is a new one
    """
    match = re.match('[0-9]{1,9}', version or '')
    return bool(match) and int(match.group()) < major
