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

"""What the host still needs of its config drive, and nothing else.

It lies on the bootbank until first boot ends, where everybody can read it
who gets hold of the disk.
"""

import json
from typing import Any
from typing import Dict
from typing import Mapping

from . import jsonfile
from . import model

# Every key that netdata.py looks at, wherever in the file; and so nothing
# that somebody put beside them.
_NETWORK = frozenset({
    'links', 'networks', 'services', 'id', 'name', 'type', 'mtu',
    'ethernet_mac_address', 'vlan_mac_address', 'vlan_link', 'vlan_id',
    'bond_links', 'bond_mode', 'link', 'ip_address', 'netmask',
    'gateway', 'routes', 'network', 'dns_nameservers', 'dns_search',
    'address', 'search'})


def redacted(files: Mapping[str, bytes], identity: model.Identity
             ) -> Dict[str, bytes]:
    """The files of a drive that says the same of a host, without secrets."""
    result = {'meta_data.json': _json({
        'uuid': identity.instance_id, 'hostname': identity.hostname,
        'public_keys': list(identity.ssh_keys)})}
    network, _ = jsonfile.decode(files.get('network_data.json', b''), '')
    if isinstance(network, dict):
        result['network_data.json'] = _json(_only(network))
    return result


def _only(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _only(item) for key, item in value.items()
                if key in _NETWORK}
    if isinstance(value, list):
        return [_only(item) for item in value]
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value).encode('ascii')
