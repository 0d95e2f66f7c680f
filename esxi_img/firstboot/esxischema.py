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

"""The JSON Schema of the key ``vmware_esxi``, which travels beside this."""

import functools
import os
from typing import Any
from typing import Dict
from typing import Optional

from . import jsonfile

FILE = 'vmware_esxi.schema.json'


@functools.lru_cache(maxsize=None)
def load() -> Optional[Dict[str, Any]]:
    """The schema; None if the file is lost or damaged."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE)
    try:
        with open(path, 'rb') as file:
            value, _ = jsonfile.decode(file.read(), FILE)
    except OSError:
        return None
    return value if isinstance(value, dict) else None
