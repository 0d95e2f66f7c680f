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

"""A host for each test, and short words for what is done to it."""

import json
import shlex
import typing

from tests import base
from tests.esxi import state

STATIC = ('network --bootproto=static --ip=192.0.2.5 '
          '--netmask=255.255.255.0 --gateway=192.0.2.1')
LEASE = {'ip': '192.0.2.77', 'netmask': '255.255.255.0',
         'gateway': '192.0.2.1', 'dns': ['192.0.2.53']}


def nics(count: int = 3) -> list[state.Nic]:
    """vmnic0 has 02:00:00:00:00:a0, and so on."""
    return [state.Nic(f'vmnic{number}', f'02:00:00:00:00:a{number}')
            for number in range(count)]


class HostCase(base.TestCase):
    """Commands are lines without ``esxcli network``, or whole with a !."""

    def setUp(self) -> None:
        super().setUp()
        self.host = state.fresh(nics(), [STATIC])

    def argv(self, line: str) -> list[str]:
        return shlex.split(line[1:]) if line.startswith('!') \
            else ['esxcli', 'network', *shlex.split(line)]

    def ok(self, *lines: str) -> str:
        """All succeed; what the last one prints."""
        printed = ''
        for line in lines:
            status, printed, errors = self.host.run(self.argv(line))
            self.assertEqual((0, ''), (status, errors), line)
        return printed

    def refused(self, line: str, why: str) -> None:
        """It fails with a message like this and changes nothing."""
        before = self.host._configuration()
        status, printed, errors = self.host.run(self.argv(line))
        self.assertEqual((1, ''), (status, printed), line)
        self.assertRegex(errors, '^Error: .*' + why)
        self.assertEqual(before, self.host._configuration())

    def json(self, line: str) -> typing.Any:
        argv = self.argv(line)
        return json.loads(self.ok('!' + shlex.join(
            [argv[0], '--formatter=json', *argv[1:]])))

    def usable(self, name: str = 'vmk0') -> bool:
        return not self.host.unusable()[name]
