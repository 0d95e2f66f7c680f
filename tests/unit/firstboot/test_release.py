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

"""Which release came first."""

from esxi_img.firstboot import release
from tests import base


class TestBefore(base.TestCase):
    def test_before(self) -> None:
        for version, major, expected in (
                ('6.7.0', 7, True), ('7.0.3', 8, True), ('7.0.3', 7, False),
                ('8.0.0', 8, False), ('9.0', 8, False), ('10.0', 9, False),
                (None, 8, False), ('', 8, False), ('new', 8, False)):
            with self.subTest(version=version, major=major):
                self.assertIs(expected, release.before(version, major))
