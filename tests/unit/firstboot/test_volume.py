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

from esxi_img.firstboot import volume
from tests import base


def entries(*names: str, is_folder: bool = False) -> list[volume.Entry]:
    return [volume.Entry(name, is_folder, 1, name) for name in names]


class TestFind(base.TestCase):

    def found(self, wanted: str, *names: str) -> list[str]:
        return [entry.name for entry in volume.candidates(
            entries(*names), wanted, False)]

    def test_one_name(self) -> None:
        for wanted, name in (
                ('meta_data.json', 'meta_data.json'),
                ('meta_data.json', 'META_DATA.JSON'),
                ('meta_data.json', 'META_DATA.JSON;1'),
                ('meta_data.json', 'META_DAT.JSO;1'),
                ('meta_data.json', 'meta_dat.jso'),
                ('meta_data.json', 'META_DAT.JSON'),
                ('meta_data.json', 'META_D~1.JSO'),
                ('network_data.json', 'NETWORK_.JSO'),
                ('network_data.json', 'NETWORK_DATA.JSO'),
                ('network_data.json', 'NETWOR~1.JSO'),
                ('network_data.json', 'NETW~100.JSO'),
                ('vendor_data.json', 'VENDO000.JSO'),
                ('vendor_data2.json', 'VENDOR_1.JSO'),
                ('user_data', 'user_data.'),
                ('user_data', 'USER_DAT.;1'),
                ('user_data', 'USER_D~1'),
                ('openstack', 'OPENSTAC'),
                ('openstack', 'OPENST~1'),
                ('latest', 'LATEST'),
                ('2012-08-10', '2012_08_10'),
                ('2012-08-10', '2012_08_')):
            with self.subTest(wanted=wanted, name=name):
                self.assertEqual([name], self.found(wanted, 'other', name))

    def test_no_name(self) -> None:
        for wanted, name in (
                ('meta_data.json', 'meta_data'),
                ('meta_data.json', 'meta_data.jso2'),
                ('meta_data.json', 'META_.JSO'),
                ('meta_data.json', 'METAD000.JSO'),
                ('meta_data.json', 'META_00.JSO'),
                ('meta_data.json', 'META_DATA'),
                ('meta_data.json', ''),
                ('user_data', 'user-data.json'),
                ('user_data', '.'),
                ('vendor_data.json', 'vendor_data2.json'),
                ('vendor_data2.json', 'vendor_data.json'),
                ('latest', 'LATES'),
                ('latest', 'latest2'),
                # Its number may be a part of another date.
                ('2012-08-10', '2012_000'),
                ('2012-08-10', '2012_10_')):
            with self.subTest(wanted=wanted, name=name):
                self.assertEqual([], self.found(wanted, name))

    def test_the_strictest_reading_counts(self) -> None:
        for names, expected in (
                (('META_DATA.JSON', 'meta_data.json'), ['meta_data.json']),
                (('META_DAT.JSO', 'META_DATA.JSON'), ['META_DATA.JSON']),
                (('META_DATA.JSON', 'Meta_data.json'),
                 ['META_DATA.JSON', 'Meta_data.json']),
                (('META_DAT.JSO', 'META_000.JSO'),
                 ['META_DAT.JSO', 'META_000.JSO'])):
            with self.subTest(names=names):
                self.assertEqual(expected,
                                 self.found('meta_data.json', *names))

    def test_find_is_certain(self) -> None:
        one, two = entries('VENDOR_0.JSO', 'VENDOR_1.JSO')
        self.assertIs(one, volume.find([one], 'vendor_data.json', False))
        self.assertIsNone(volume.find([one, two], 'vendor_data.json', False))
        self.assertIsNone(volume.find([], 'vendor_data.json', False))

    def test_folders_and_files_are_two_things(self) -> None:
        file, = entries('latest')
        folder, = entries('latest', is_folder=True)
        self.assertIs(folder, volume.find([file, folder], 'latest', True))
        self.assertIs(file, volume.find([file, folder], 'latest', False))

    def test_foreign_letters(self) -> None:
        self.assertEqual([], self.found('user_data', 'us\udce4r_data', 'ß'))


class TestMessages(base.TestCase):

    def test_shown(self) -> None:
        self.assertEqual("'a\\nb\\udce4'", volume.shown('a\nb\udce4'))
        self.assertLess(len(volume.shown('x' * 1000)), 80)

    def test_check_size(self) -> None:
        volume.check_size(5, 5)
        with self.assertRaisesRegex(volume.Damaged, '6 bytes, more than .* 5'):
            volume.check_size(6, 5)
