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

"""A field report becomes a file, as well as Python can, or none."""

import gzip
import io
import json
import os
import tarfile
import typing
import unittest.mock

from esxi_img.firstboot import reportarchive
from tests import base

MEMBERS = {'stem/a': b'one', 'stem/files/b': b'\xfftwo' * 999}


def read(data: bytes, mode: typing.Any) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode=mode) as tar:
        return {entry.name: file.read() for entry in tar
                if (file := tar.extractfile(entry))}


class TestPacked(base.TestCase):

    def without(self, *names: str) -> unittest.mock._patch_dict:
        """As on a Python that lacks these."""
        return unittest.mock.patch.dict(
            'sys.modules', {name: None for name in names})

    def test_tgz(self) -> None:
        ending, data = reportarchive.packed(MEMBERS, 1720000000)
        self.assertEqual(('.tgz', MEMBERS), (ending, read(data, 'r:gz')))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.assertEqual({(1720000000, 0o600, 0)}, {
                (entry.mtime, entry.mode, entry.uid) for entry in tar})

    def test_no_zlib(self) -> None:
        for names in (('zlib', 'gzip'), ('gzip',)):
            with self.without(*names):
                ending, data = reportarchive.packed(MEMBERS, 0)
            self.assertEqual(('.tar', MEMBERS), (ending, read(data, 'r:')))

    def test_no_tarfile(self) -> None:
        with self.without('tarfile'):
            ending, data = reportarchive.packed(MEMBERS, 0)
        self.assertEqual('.json', ending)
        self.assertEqual({'stem/a': 'one', 'stem/files/b': '\\xfftwo' * 999},
                         json.loads(data))

    def test_it_is_small(self) -> None:
        _, data = reportarchive.packed({'a': b'line\n' * 100_000}, 0)
        self.assertLess(len(data), 10_000)
        self.assertIn(b'line\nline', gzip.decompress(data))


class TestWrite(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.path = str(self.folder / 'report.tgz')

    def test_mode_and_content(self) -> None:
        old = os.umask(0)
        try:
            reportarchive.write(self.path, b'data')
        finally:
            os.umask(old)
        self.assertEqual(['report.tgz'], os.listdir(self.folder))
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o7777)
        with open(self.path, 'rb') as file:
            self.assertEqual(b'data', file.read())

    def test_what_is_there_stays(self) -> None:
        for make in (lambda: open(self.path, 'wb').close(),
                     lambda: os.symlink('/nowhere', self.path)):
            make()
            with self.assertRaises(FileExistsError) as caught:
                reportarchive.write(self.path, b'data')
            self.assertEqual('is there already', caught.exception.strerror)
            self.assertEqual(['report.tgz'], os.listdir(self.folder))
            os.unlink(self.path)

    def test_not_whole_is_not_there(self) -> None:
        real = os.write
        seen: list[list[str]] = []

        def write(fd: int, data: bytes) -> int:
            seen.append(os.listdir(self.folder))
            if len(seen) == 3:
                raise OSError(28, 'No space left on device')
            return real(fd, bytes(data)[:5])

        with unittest.mock.patch('os.write', write):
            with self.assertRaises(OSError):
                reportarchive.write(self.path, b'x' * 99)
        # Nobody takes for the report what is not yet whole.
        self.assertEqual([True] * 3, [
            name.startswith('.') for name, in seen])
        self.assertEqual([], os.listdir(self.folder))
