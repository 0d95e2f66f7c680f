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

"""What the quick start says of a host is what its programs say there."""

import json
import pathlib
import re

from tests.esxi import state
from tests.functional import test_install

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'source'
        / 'quickstart.rst')
# ESXi's own name of a volume.
_VOLUME = re.compile(r'(/vmfs/volumes/)[0-9a-f-]+')


class TestQuickStart(test_install.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.text = PAGE.read_text()

    def block(self, beginning: str) -> str:
        """The block of the page that begins so."""
        found, = re.findall(
            rf'(?m)^   {re.escape(beginning)}.*\n(?:   .*\n)*', self.text)
        return re.sub('(?m)^   ', '', found)

    def drive(self) -> dict[str, bytes]:
        """What the page writes into drive/."""
        found = re.findall(r"(?m)^   cat > drive/(\S+) <<'END'\n"
                           r'((?:   .*\n)*?)   END\n', self.text)
        return {f'openstack/latest/{name}': content.encode()
                for name, content in found}

    def test_it_looks_like_that(self) -> None:
        self.machine.nics = [state.Nic('vmnic0', '02:00:00:00:00:01')]
        self.deploy(self.drive())
        result = self.install()
        self.assertEqual(
            self.in_words(self.block('esxi-img: disk naa.')),
            self.in_words(''.join(done.stdout for _, done in result.ran)))
        booted = self.boot(result)
        self.assertEqual(
            self.block('esxi-img: this host is').strip(),
            booted.esxi.welcome)
        self.assert_state(json.loads(self.block('{\n    "status"')))

    def in_words(self, said: str) -> list[str]:
        return _VOLUME.sub(r'\1ID', said).splitlines()

    def assert_state(self, shown: dict) -> None:
        """What the page shows of it is in it; it leaves out steps."""
        told = self.state_json()
        self.assertEqual(list(told), list(shown))
        for key in ('status', 'instance_id', 'problems'):
            self.assertEqual(told[key], shown[key], key)
        steps = {one['name']: one for one in told['steps']}
        for one in shown['steps']:
            self.assertEqual((one['result'], set(one)), (
                steps[one['name']]['result'], set(steps[one['name']])))
