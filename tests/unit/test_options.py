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


import dataclasses
import math

import hypothesis
from hypothesis import strategies

from esxi_img import errors
from esxi_img import options
from tests import base


class OptionsTests(base.TestCase):

    def problems(self, **changes):
        good = options.Options(iso='a.iso', output='a.img')
        try:
            options.check(dataclasses.replace(good, **changes))
        except errors.RequestError as error:
            return list(error.problems)
        return []

    def test_good(self):
        self.assertEqual([], self.problems())
        self.assertEqual([], self.problems(
            format='qcow2', compress=True, sector_size=4096,
            iso_sha256='aB' * 32, kernel_option=('a=b', 'word', 'x=y=z'),
            serial_console='com2'))
        self.assertEqual([], self.problems(output=None, dry_run=True))

    def test_bad(self):
        for changes, part in (
                ({'output': None}, '--output is missing'),
                ({'output': ''}, '--output is missing'),
                ({'compress': True}, '--compress is for qcow2'),
                ({'iso_sha256': 'abc'}, "--iso-sha256 'abc'"),
                ({'iso_sha256': 'g' * 64}, '--iso-sha256'),
                ({'sector_size': 520}, '--sector-size 520'),
                ({'ca_file': ''}, '--ca-file names no file'),
                ({'kernel_option': ('a b',)}, "--kernel-option 'a b'"),
                ({'kernel_option': ('',)}, "--kernel-option ''"),
                ({'kernel_option': ('=x',)}, "--kernel-option '=x'"),
                ({'kernel_option': ('a=ü',)}, '--kernel-option'),
                ({'kernel_option': ('a\nb',)}, '--kernel-option'),
                ({'kernel_option': ('ks=usb',)}, '--kickstart'),
                ({'installed_kernel_option': ('a b',)},
                 '--installed-kernel-option')):
            found = self.problems(**changes)
            self.assertEqual(1, len(found), changes)
            self.assertIn(part, found[0])

    def test_all_at_once(self):
        self.assertEqual(3, len(self.problems(
            output=None, compress=True, iso_sha256='x')))

    def test_serial_console_goes_first(self):
        given = options.Options(
            iso='', serial_console='com2', kernel_option=('logPort=com2',),
            installed_kernel_option=('x=1',))
        self.assertEqual(
            ('tty2Port=com2', 'gdbPort=none', 'logPort=none',
             'logPort=com2'), given.installer_words)
        self.assertEqual(
            ('tty2Port=com2', 'gdbPort=none', 'logPort=none', 'x=1'),
            given.installed_words)

    def test_image_size(self):
        for size in (None, 0.5, 1, 1.0, 34.25, 100000):
            self.assertEqual([], self.problems(image_size=size), size)
        for size in (0, 0.0, -0.0, -1, -1e-300, math.nan, math.inf,
                     -math.inf, 1e300, options.MAX_GIB * 1.001,
                     options.MAX_GIB * 2):
            problem, = self.problems(image_size=size)
            self.assertIn(f'--image-size {size:g} ', problem)

    def test_image_size_in_bytes(self):
        for size, wanted in ((None, 0), (1, 1 << 30), (0.5, 1 << 29),
                             (2.25, 9 << 28), (1.5 / (1 << 20), 1024),
                             (1e-3, 1048 * 1024), (8000, 8000 << 30)):
            self.assertEqual(wanted, options.Options(
                iso='', image_size=size).image_bytes, size)

    @hypothesis.given(strategies.floats(
        min_value=0, max_value=options.MAX_GIB, exclude_min=True))
    @hypothesis.example(options.MAX_GIB)
    @hypothesis.example(1e-9)
    @hypothesis.example(5e-324)
    def test_an_image_size_that_is_taken_is_one(self, size):
        given = options.Options(iso='a.iso', output='a.img', image_size=size)
        try:
            options.check(given)
        except errors.RequestError:
            return
        # 0 would mean none.
        self.assertGreater(given.image_bytes, 0)
        self.assertLessEqual(given.image_bytes, 1 << 63)
        self.assertEqual(0, given.image_bytes % 1024)
        self.assertLess(abs(given.image_bytes - size * (1 << 30)), 1025)
