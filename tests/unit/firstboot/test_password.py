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

from esxi_img.firstboot import password
from tests import base


class WeaknessTests(base.TestCase):

    def test_good_enough(self):
        for text in ('aB1xyzw', 'xY3xyzz', 'abc12!x', 'ab!!Cde', 'aBc!!!!',
                     'S3cr3t-Adm1n!', 'FromMeta1!', 'AbcD12x', 'abcD123',
                     'a1!\x80\x80', 'aB1\ud800!', 'a 1 b 2'):
            with self.subTest(text=text):
                self.assertIsNone(password.weakness(text))

    def test_too_short(self):
        for text in ('', 'a', 'root', 'aB1!xy', 'aB1\u00fc!'):
            with self.subTest(text=text):
                self.assertEqual('is shorter than 7 characters',
                                 password.weakness(text))

    def test_too_few_classes(self):
        for text in ('changeit', 'Changeit1', 'CHANGEIT', '12345678',
                     '!!!!!!!!', 'abc1234', 'Abc1234', 'abcABC1',
                     'Abcdef!1', 'a_generated_password', 'abcdefü1x',
                     'Üabcd123', 'aaaaaa\u0661\u0662A'):
            with self.subTest(text=text):
                self.assertIn('fewer than 3', password.weakness(text))

    @hypothesis.given(strategies.text(strategies.characters()))
    def test_two_reasons_at_most_for_any_text(self, text):
        self.assertIn(password.weakness(text), (
            None, password.weakness(''), password.weakness('changeit')))


class DefectTests(base.TestCase):

    def test_defects(self):
        for text, part in (
                ('a\0b', 'NUL'), ('\0', 'NUL'), ('a\ud800b', 'surrogate'),
                ('\udfff', 'surrogate')):
            with self.subTest(text=text):
                self.assertIn(part, password.defect(text))

    def test_none(self):
        for text in ('x', 'a\nb', 'pässword', '\U0001f511', "$(id)';"):
            with self.subTest(text=text):
                self.assertIsNone(password.defect(text))

    @hypothesis.given(strategies.text(strategies.characters()))
    def test_what_has_none_can_be_hashed(self, text):
        if password.defect(text) is None:
            self.assertNotIn(b'\0', text.encode())
