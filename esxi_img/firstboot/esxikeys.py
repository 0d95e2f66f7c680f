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

"""The key ``vmware_esxi``: see vmware_esxi.schema.json."""

from typing import Any
from typing import Dict
from typing import Union

from . import esxischema
from . import schema
from . import wishvalue
from .model import Secret
from .wish import Esxi
from .wish import SCRIPT_SECONDS
from .wish import Switch

KEY = 'vmware_esxi'

_AS_IT_IS = ('datastore', 'maintenance_mode', 'shell', 'ssh')
_SWITCH = {
    'allow_promiscuous': 'promiscuous', 'allow_mac_change': 'mac_changes',
    'allow_forged_transmits': 'forged_transmits'}


def esxi(said: wishvalue.Entry) -> Esxi:
    """What of the key is right; each error of the rest is a problem."""
    value = said.value(KEY)
    if value is None:
        return Esxi()
    rules = esxischema.load()
    if rules is None:
        said.odd(KEY, f'not used: {esxischema.FILE} cannot be read')
        return Esxi()
    value, errors = schema.pruned(value, rules)
    for path, message in errors:
        said.odd(KEY + schema.shown(path), f'{message}: left out')
    return _of(value or {})


def _of(value: Dict[str, Any]) -> Esxi:
    """From a value that the schema allows."""
    number = value.get('license')
    return Esxi(
        syslog=tuple(dict.fromkeys(value.get('syslog', ()))),
        license=None if number is None else Secret(number),
        advanced=tuple((key, _integer_or_text(one)) for key, one
                       in value.get('advanced_settings', {}).items()),
        kernel=tuple((key, _kernel(one)) for key, one
                     in value.get('kernel_settings', {}).items()),
        firewall=tuple(value.get('firewall', {}).items()),
        switches=tuple(_switch(name, one) for name, one
                       in value.get('vswitch', {}).items() if one),
        script_timeout=int(value.get('script_timeout', SCRIPT_SECONDS)),
        **{key: value[key] for key in _AS_IT_IS if key in value})


def _integer_or_text(value: Union[int, float, str]) -> Union[int, str]:
    # For JSON Schema 1.0 is an integer.
    return value if isinstance(value, str) else int(value)


def _kernel(value: Union[bool, int, float, str]) -> str:
    """As ESXi writes it: TRUE, 8, or the text."""
    if isinstance(value, bool):
        return str(value).upper()
    return str(_integer_or_text(value))


def _switch(name: str, value: Dict[str, Any]) -> Switch:
    return Switch(name, **{_SWITCH.get(key, key): one
                           for key, one in value.items()})
