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

"""The host's name, as cloud-config words it (cloudinit cc_set_hostname)."""

from typing import Optional

from . import hostname
from . import wishvalue
from .wish import Name


def name(said: wishvalue.Entry, prefer_fqdn: Optional[bool]
         ) -> Optional[Name]:
    """What one of user data and vendor data calls the host.

    ESXi has one name with a domain, so that ``fqdn`` says all.  Only where
    ``hostname`` says another host is there anything to choose.

    :param prefer_fqdn: None: not said
    """
    fqdn = _clean(said, 'fqdn')
    short = _clean(said, 'hostname')
    if not fqdn or not short:
        return fqdn or short
    if _label(fqdn) == _label(short):
        return fqdn
    if prefer_fqdn is False:
        said.odd('fqdn', 'another host than hostname says, which goes before')
        return short
    if prefer_fqdn is None:
        said.odd('hostname', 'another host than fqdn says, which goes before')
    return fqdn


def _clean(said: wishvalue.Entry, key: str) -> Optional[Name]:
    text = said.text(key)
    if text is None:
        return None
    found, changed = hostname.clean(text)
    if changed:
        said.odd(key, 'no host name: what is nearest to it is taken'
                 if found else 'no host name: not used')
    return Name(found, said.path(key)) if found else None


def _label(found: Name) -> str:
    return found.text.partition('.')[0].lower()
