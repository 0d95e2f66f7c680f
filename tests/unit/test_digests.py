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

"""Hash sums of whole files."""

import hashlib
import io

from esxi_img import digests
from esxi_img import report
from tests import base


class Counting(io.BytesIO):
    """Tells how much of it was read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


class TestDigests(base.TestCase):

    def of(self, file: Counting, *algorithms: str) -> dict[str, str]:
        self.said = io.StringIO()
        return digests.of(file, algorithms, 'reading x',
                          report.Report(stream=self.said))

    def test_sums(self) -> None:
        for data in (b'', b'abc', bytes(digests.CHUNK) + b'x'):
            self.assertEqual(
                {'sha256': hashlib.sha256(data).hexdigest(),
                 'sha512': hashlib.sha512(data).hexdigest(),
                 'md5': hashlib.md5(data, usedforsecurity=False).hexdigest()},
                self.of(Counting(data), 'sha256', 'sha512', 'md5'))

    def test_one_pass_from_the_start(self) -> None:
        file = Counting(b'x' * (3 * digests.CHUNK + 1))
        file.seek(7)
        self.of(file, 'sha256', 'sha512')
        self.assertEqual(3 * digests.CHUNK + 1, file.count)
        self.assertEqual('reading x\n', self.said.getvalue())
