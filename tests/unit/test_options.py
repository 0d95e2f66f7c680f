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

    def test_hand_over(self):
        for changes in (
                {'manifest': True, 'glance_command': True, 'upload': 'c'},
                {'manifest': True, 'instance_info': 'http://h/x.img'},
                {'glance_command': True, 'image_name': 'My ESXi, für alle'},
                {'upload': 'c', 'image_name': 'x' * options.MAX_NAME},
                {'upload': 'c', 'format': 'vmdk'},
                {'output': 'a\nb', 'manifest': True}):
            self.assertEqual([], self.problems(**changes), changes)

    def test_bad_hand_over(self):
        for changes, part in (
                ({'glance_command': True, 'instance_info': 'http://h/x'},
                 'only one of them'),
                ({'dry_run': True, 'manifest': True},
                 '--manifest does not go with --dry-run'),
                ({'dry_run': True, 'glance_command': True},
                 '--glance-command does not go with --dry-run'),
                ({'dry_run': True, 'instance_info': 'http://h/x'},
                 '--instance-info does not go with --dry-run'),
                ({'dry_run': True, 'upload': 'c'},
                 '--upload does not go with --dry-run'),
                ({'upload': ''}, '--upload names no cloud'),
                ({'format': 'vmdk', 'instance_info': 'http://h/x'},
                 'not vmdk'),
                ({'image_name': 'x'}, '--image-name goes with'),
                ({'image_name': 'x', 'manifest': True},
                 '--image-name goes with'),
                ({'glance_command': True, 'output': 'a\nb'},
                 "output 'a\\nb' has characters"),
                ({'glance_command': True, 'output': 'a\udcffb'},
                 'has characters')):
            found = self.problems(**changes)
            self.assertEqual(1, len(found), changes)
            self.assertIn(part, found[0])

    def test_image_names(self):
        for name in ('', 'a\nb', '-x', 'x' * (options.MAX_NAME + 1),
                     '\x1b[31m'):
            found = self.problems(image_name=name, upload='c')
            self.assertEqual(1, len(found), name)
            self.assertIn(f'--image-name {name!r} is not', found[0])

    def test_urls(self):
        for url in ('http://h/x', 'https://h:8080/a/b.img', 'file:///a/b',
                    'http://[::1]/x', 'http://h/x?token=y&z=/',
                    'http://u:p@h/x', 'http://h//x'):
            self.assertEqual([], self.problems(instance_info=url), url)
        for url in ('', 'x', '/x', 'http://h', 'http://h/', 'http://h/a/',
                    'http:///x', 'http://h?x', 'http://h/?x', 'ftp://h/x',
                    'file://h/x', 'file:///', 'file:/x', 'HTTP://h/x',
                    'http://h/a b', 'http://h/ü', 'http://h/x\n',
                    'http://h/x#y', 'glance://x', ' http://h/x'):
            found = self.problems(instance_info=url)
            self.assertEqual(1, len(found), url)
            self.assertIn('--instance-info wants the URL', found[0])

    def test_a_bad_url_is_not_repeated(self):
        [found] = self.problems(instance_info='http://u:s3cret@h')
        self.assertNotIn('s3cret', found)

    def test_what_needs_the_files_bytes(self):
        for changes, wanted in (
                ({}, False), ({'glance_command': True}, False),
                ({'manifest': True}, True), ({'upload': 'c'}, True),
                ({'instance_info': 'http://h/x'}, True)):
            self.assertEqual(wanted, options.Options(
                iso='x', **changes).handed_over, changes)

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
