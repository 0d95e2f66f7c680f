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

"""What the user wishes beyond the metadata, as values.

Where it was said, and how, is forgotten; what could not be meant was a
problem.  Nouns only, as in model.py.
"""

from dataclasses import dataclass
from dataclasses import field
from typing import Optional
from typing import Tuple
from typing import Union

from .model import Secret

SCRIPT_SECONDS = 600
"""That a script of the user's may take unless another figure is wished."""


@dataclass(frozen=True)
class Name:
    """A host name that goes before, or behind, that of the metadata.

    :param where: its path, as in ``user_data:hostname``
    """

    text: str
    where: str


@dataclass(frozen=True)
class Password:
    """Root's password.

    :param text: in clear; None: ``crypt`` says it
    :param crypt: a crypt string that ESXi knows
    """

    where: str
    text: Optional[Secret] = None
    crypt: Optional[Secret] = None


@dataclass(frozen=True)
class Account:
    """A local account.

    :param ssh_keys: whole lines of authorized_keys
    :param admin: it gets the administrator role
    """

    name: str
    where: str
    description: str = ''
    ssh_keys: Tuple[str, ...] = ()
    admin: bool = False


@dataclass(frozen=True)
class Ntp:
    """The time service.

    :param servers: names and addresses; () leaves those that there are
    """

    enabled: bool = True
    servers: Tuple[str, ...] = ()


@dataclass(frozen=True)
class WriteFile:
    """A file of the user's.

    :param path: absolute, without ``.`` and ``..``, and one that lasts
    :param content: the bytes as UTF-8 with surrogateescape; opaque
    :param mode: permission bits; None: not said
    :param append: to what is there
    """

    path: str
    where: str
    content: str = field(repr=False)
    mode: Optional[int] = None
    append: bool = False


@dataclass(frozen=True)
class Script:
    """Something of the user's to run.

    :param name: unique, of letters, digits, ``-`` and ``_``: part of a
        file's name and of a step's
    :param interpreter: the program, and perhaps an argument, that reads the
        script
    :param content: as in WriteFile
    """

    name: str
    where: str
    interpreter: Tuple[str, ...]
    content: str = field(repr=False)


@dataclass(frozen=True)
class PhoneHome:
    """A call when first boot is over.

    :param url: http or https; opaque
    :param post: names of the fields to send, in order
    :param tries: 1 or more
    """

    url: Secret
    post: Tuple[str, ...]
    tries: int = 10


@dataclass(frozen=True)
class PowerState:
    """What becomes of the host when all is done.

    :param mode: ``reboot`` or ``poweroff``
    :param delay: seconds
    """

    mode: str
    delay: int
    message: str = ''


@dataclass(frozen=True)
class Switch:
    """What is wished of a switch beside what the network asks of it.

    Of each value None leaves it as it is, or as the network has it.

    :param load_balancing: as host.Teaming has it
    :param failure_detection: ``link`` or ``beacon``
    """

    name: str
    promiscuous: Optional[bool] = None
    mac_changes: Optional[bool] = None
    forged_transmits: Optional[bool] = None
    load_balancing: Optional[str] = None
    failure_detection: Optional[str] = None
    notify_switches: Optional[bool] = None
    failback: Optional[bool] = None


@dataclass(frozen=True)
class Esxi:
    """The key ``vmware_esxi`` of a cloud-config: what only ESXi has.

    :param syslog: targets, as in ``tcp://192.0.2.1:514``
    :param advanced: options with an integer or a text each
    :param kernel: settings with their texts
    :param firewall: rulesets, and whether each is to pass
    :param ssh: None: as the build says
    :param shell: likewise
    """

    syslog: Tuple[str, ...] = ()
    license: Optional[Secret] = None
    advanced: Tuple[Tuple[str, Union[int, str]], ...] = ()
    kernel: Tuple[Tuple[str, str], ...] = ()
    firewall: Tuple[Tuple[str, bool], ...] = ()
    switches: Tuple[Switch, ...] = ()
    datastore: Optional[str] = None
    ssh: Optional[bool] = None
    shell: Optional[bool] = None
    maintenance_mode: bool = False
    script_timeout: int = SCRIPT_SECONDS


@dataclass(frozen=True)
class Wishes:
    """All that user data and vendor data say.

    :param name: of user data, which goes before that of the metadata
    :param vendor_name: of vendor data, which goes behind it
    :param preserve_hostname: leave the name that the host has
    :param password: of user data; goes before admin_pass
    :param vendor_password: goes behind it
    :param ssh_keys: of root, besides those of the metadata
    :param ssh_pwauth: SSH takes passwords; None: as it is
    :param disable_root: root may not log in by SSH
    :param scripts: in the order in which they run: bootcmd, then runcmd,
        then the scripts of vendor data and of user data
    """

    name: Optional[Name] = None
    vendor_name: Optional[Name] = None
    preserve_hostname: bool = False
    password: Optional[Password] = None
    vendor_password: Optional[Password] = None
    ssh_keys: Tuple[str, ...] = ()
    ssh_pwauth: Optional[bool] = None
    disable_root: bool = False
    accounts: Tuple[Account, ...] = ()
    ntp: Optional[Ntp] = None
    files: Tuple[WriteFile, ...] = ()
    scripts: Tuple[Script, ...] = ()
    phone_home: Optional[PhoneHome] = None
    final_message: Optional[str] = field(default=None, repr=False)
    power_state: Optional[PowerState] = None
    esxi: Esxi = Esxi()
