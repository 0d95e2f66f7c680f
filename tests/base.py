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

"""What all tests share."""

import collections.abc
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

FIXTURES = pathlib.Path(__file__).parent / 'fixtures'
REQUIRE_TOOLS = 'ESXI_IMG_REQUIRE_TOOLS'


@contextlib.contextmanager
def temporary_folder() -> collections.abc.Iterator[pathlib.Path]:
    """A folder that is removed afterwards."""
    folder = tempfile.mkdtemp(prefix='esxi-img-test-')
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestCase(unittest.TestCase):
    """Adds a temporary folder and loud skips to unittest's."""

    maxDiff = None

    def tmp(self) -> pathlib.Path:
        """A folder of this test's own, removed afterwards."""
        folder = temporary_folder()
        self.addCleanup(folder.__exit__, None, None, None)
        return folder.__enter__()

    def require(self, *tools: str) -> None:
        """Skip, loudly, unless every tool (program or path) is there.

        With ESXI_IMG_REQUIRE_TOOLS=1, as in the gate, the test fails.
        """
        missing = [tool for tool in tools if not (
            os.path.exists(tool) if '/' in tool else shutil.which(tool))]
        if not missing:
            return
        reason = 'NOT TESTED, missing: ' + ', '.join(missing)
        if os.environ.get(REQUIRE_TOOLS):
            self.fail(reason)
        print(f'{self.id()}: {reason}', file=sys.stderr)
        self.skipTest(reason)
