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

"""What a build writes, and in which order."""

import os
import typing
from unittest import mock

from esxi_img import build
from esxi_img import errors
from esxi_img import manifest
from esxi_img import options
from esxi_img import report
from esxi_img import sample
from esxi_img import write
from tests import base


class BuildCase(base.TestCase):

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = base.temporary_folder()
        cls.iso = str(folder.__enter__() / 'x.iso')
        cls.addClassCleanup(folder.__exit__, None, None, None)
        with open(cls.iso, 'w+b') as output:
            sample.write(output, sample.SIZES[0])

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()

    def build(self, **given: typing.Any) -> build.Built:
        return build.run(options.Options(**{
            'iso': self.iso, 'output': str(self.folder / 'x.img'), **given}),
            report.Report(quiet=True))

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


class TestHandOver(BuildCase):

    def test_a_manifest_only_if_it_is_needed(self) -> None:
        for given, wanted in (
                ({}, False), ({'glance_command': True}, False),
                ({'manifest': True}, True),
                ({'instance_info': 'http://h/x'}, True)):
            made = self.build(force=True, **given)
            with self.subTest(given):
                self.assertEqual(wanted, made.manifest is not None)
                self.assertEqual(
                    ['x.img', 'x.img.json', 'x.img.sha256']
                    if 'manifest' in given else ['x.img'], self.names())
            for name in self.names():
                (self.folder / name).unlink()

    def test_what_is_returned_is_what_is_written(self) -> None:
        made = self.build(manifest=True).manifest
        self.assertEqual(manifest.files(made), tuple(
            (self.folder / f'x.img{suffix}').read_bytes()
            for suffix in manifest.SUFFIXES))

    def test_the_image_comes_last(self) -> None:
        order = []
        real = write._rename

        def rename(part: write.Part, force: bool) -> None:
            order.append(os.path.basename(part.final))
            real(part, force)

        with mock.patch.object(write, '_rename', autospec=True,
                               side_effect=rename):
            self.build(manifest=True)
        self.assertEqual(['x.img.json', 'x.img.sha256', 'x.img'], order)

    def test_the_image_cannot_have_its_name(self) -> None:
        """New files are gone then; what was replaced is replaced."""
        (self.folder / 'x.img.json').write_text('old')
        real = os.replace

        def replace(part: str, final: str) -> None:
            if final.endswith('.img'):
                raise PermissionError(13, 'no', final)
            real(part, final)

        with mock.patch.object(os, 'replace', autospec=True,
                               side_effect=replace):
            with self.assertRaisesRegex(errors.EnvironmentFailed,
                                        'x.img: no'):
                self.build(manifest=True, force=True)
        self.assertEqual(['x.img.json'], self.names())

    def test_nothing_is_built_for_a_bad_request(self) -> None:
        (self.folder / 'x.img.sha256').touch()
        with mock.patch.object(build, 'ingredients',
                               autospec=True) as ingredients:
            with self.assertRaisesRegex(errors.RequestError, 'exists'):
                self.build(manifest=True)
        self.assertEqual([], ingredients.mock_calls)
