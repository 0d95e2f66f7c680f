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

"""The fixtures say what cloud-init really makes of user data."""

import json
import pathlib
import subprocess

from tests import base

CLOUD_INIT = 'cloud-init'
PYTHON = '/usr/bin/python3'
"""Of Debian, which has cloud-init's modules."""
USERDATA = base.FIXTURES / 'userdata'
ORACLE = pathlib.Path(__file__).parent / 'cloud_init.py'


class TestCloudInit(base.TestCase):

    def test_every_case(self) -> None:
        self.require(CLOUD_INIT, PYTHON)
        cases = sorted(USERDATA.iterdir())
        self.assertGreater(len(cases), 40)
        for case in cases:
            with self.subTest(case=case.name):
                run = subprocess.run(
                    [PYTHON, str(ORACLE), str(case)], timeout=60, check=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
                self.assertEqual(
                    json.loads((case / 'expect.json').read_text()),
                    json.loads(run.stdout))
