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


import hypothesis
from hypothesis import strategies

from esxi_img.disk import dosname
from esxi_img.disk import fat32
from esxi_img.disk import readfat
from tests import base

NAMES = strategies.text(min_size=1, max_size=40).filter(
    lambda name: dosname.problem(name) is None)


class ProblemTests(base.TestCase):

    def test_names_that_fat_does_not_allow(self):
        for name, reason in (
                ('', 'not a file name'), ('.', 'not a file name'),
                ('..', 'not a file name'), ('a/b', 'character'),
                ('a\\b', 'character'), ('a:b', 'character'),
                ('a\0b', 'character'), ('a\nb', 'character'),
                ('a\x7f', 'character'), ('a?', 'character'),
                ('a.', 'dot or a blank'), ('a ', 'dot or a blank'),
                ('\udc80', 'Unicode'), ('x' * 256, '255'),
                ('\U0001f600' * 128, '255')):
            self.assertIn(reason, dosname.problem(name) or '', repr(name))

    def test_names_that_it_allows(self):
        for name in ('boot.cfg', '.discinfo', 'a b', 'x' * 255, 'Grüße',
                     'a..b', '\U0001f600', '~1', 'a+b,c;d=[e]'):
            self.assertIsNone(dosname.problem(name), name)


class ShortNameTests(base.TestCase):

    def test_names_that_need_no_long_entry(self):
        for name, raw, ntres in (
                ('boot.cfg', b'BOOT    CFG', 0x18),
                ('BOOT.CFG', b'BOOT    CFG', 0),
                ('boot.CFG', b'BOOT    CFG', 0x08),
                ('BOOT.cfg', b'BOOT    CFG', 0x10),
                ('efi', b'EFI        ', 0x08),
                ('bootx64.efi', b'BOOTX64 EFI', 0x18),
                ('7~_x.v00', b'7~_X    V00', 0x18)):
            self.assertEqual(dosname.ShortName(raw, ntres, True),
                             dosname.ShortNames().add(name), name)

    def test_names_that_do(self):
        for name, raw in (
                ('Boot.cfg', b'BOOT    CFG'),
                ('imgpayload.tgz', b'IMGPAY~1TGZ'),
                ('.discinfo', b'DISCIN~1   '),
                ('.a', b'A~1        '),
                ('a.b.c', b'AB~1    C  '),
                ('a b', b'AB~1       '),
                ('a+b', b'A_B~1      '),
                ('ß', b'_~1        '),
                ('ﬁle.v00', b'_LE~1   V00'),
                ('x.jpeg', b'X~1     JPE')):
            short = dosname.ShortNames().add(name)
            self.assertEqual((raw, False), (short.raw, short.complete), name)

    def test_no_two_alike(self):
        names = dosname.ShortNames()
        raws = [names.add(f'longname-{number}.v00').raw
                for number in range(10)]
        self.assertEqual(b'LONGNA~1V00', raws[0])
        self.assertEqual(b'LONGNA~9V00', raws[8])
        self.assertEqual(b'LONGN~10V00', raws[9])
        # A real 8.3 name that a made-up one took before.
        self.assertFalse(names.add('longna~1.v00').complete)

    def test_many_alike_take_no_quadratic_time(self):
        names = dosname.ShortNames()
        raws = {names.add(f'a long name {number}').raw
                for number in range(60000)}
        self.assertEqual(60000, len(raws))

    @hypothesis.given(strategies.lists(NAMES, unique=True, max_size=30))
    def test_short_names_are_legal_and_unique(self, given):
        names = dosname.ShortNames()
        raws = [names.add(name).raw for name in given]
        self.assertEqual(len(raws), len(set(raws)))
        for raw in raws:
            self.assertRegex(
                raw, rb"\A[A-Z0-9$%'\-_@~`!(){}^#& ]{11}\Z")
            self.assertNotIn(raw[:1], (b' ', b'\xe5'))

    @hypothesis.given(NAMES | strategies.from_regex(
        r'\A[.a-cA-C~1ß]{1,9}(\.[a-cA-C]{0,4})?\Z'))
    def test_a_complete_short_name_says_all(self, name):
        hypothesis.assume(dosname.problem(name) is None)
        short = dosname.ShortNames().add(name)
        if short.complete:
            entry = fat32.DirEntry(DIR_Name=short.raw, DIR_Attr=0x20,
                                   DIR_NTRes=short.ntres)
            self.assertEqual(name, readfat.short_text(entry))


class LongEntryTests(base.TestCase):

    def test_as_the_specification_shows_it(self):
        # "The quick brown.fox", the example of FAT 1.03, section 7.
        short = b'THEQUI~1FOX'
        second, first = dosname.long_entries('The quick brown.fox', short)
        self.assertEqual(b'\x42' + 'wn.fo'.encode('utf-16-le'), second[:11])
        self.assertEqual('x'.encode('utf-16-le') + bytes(2) + b'\xff' * 8,
                         second[14:26])
        self.assertEqual(b'\x01' + 'The q'.encode('utf-16-le'), first[:11])
        self.assertEqual(second[13], first[13])

    def test_a_name_that_fills_its_entries_has_no_terminator(self):
        entry, = dosname.long_entries('x' * 13, b'XXXXXX~1   ')
        self.assertEqual('xx'.encode('utf-16-le'), entry[28:])
