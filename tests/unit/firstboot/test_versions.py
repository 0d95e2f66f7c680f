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

import typing

from esxi_img.firstboot import versions
from esxi_img.firstboot import volume
from tests import base
from tests.unit.firstboot import images

META = {'meta_data.json': b'{}'}
NETWORK = {'network_data.json': b'{}'}
USER = {'user_data': b'x'}
OTHER = {'other': b'x'}


class InMemory(volume.Volume):
    """A volume whose entries' keys are their content."""

    def __init__(self, tree: images.Tree, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._tree = tree
        self.listed: list[str] = []

    def entries(self, folder: volume.Entry | None = None
                ) -> list[volume.Entry]:
        self.listed.append(folder.name if folder else '/')
        tree: typing.Any = folder.key if folder else self._tree
        if tree is None:
            raise volume.Damaged('it is damaged')
        return [volume.Entry(name, not isinstance(content, bytes), 0, content)
                for name, content in tree.items()]


def choose(tree: images.Tree, kind: str = 'fat') -> versions.Place:
    return versions.choose(InMemory(tree, kind))


class TestChoose(base.TestCase):

    def test_version(self) -> None:
        for tree, expected in (
                ({'latest': META, '2018-08-27': META}, 'latest'),
                ({'latest': NETWORK, '2018-08-27': META}, 'latest'),
                ({'LATEST': META}, 'latest'),
                ({'2012-08-10': META, '2018-08-27': NETWORK,
                  '2015-10-15': META}, '2018-08-27'),
                ({'latest': USER, '2012-08-10': META}, '2012-08-10'),
                ({'latest': OTHER, '2012-08-10': META}, '2012-08-10'),
                ({'latest': b'', '2012-08-10': META}, '2012-08-10'),
                ({'latest': USER, '2012-08-10': USER}, 'latest'),
                ({'latest': OTHER, '2012-08-10': OTHER, '2013-04-04': USER,
                  '2013-10-17': {'vendor_data.json': b''}}, '2013-10-17'),
                ({'2012_08_10': META, '2018_08_27': META}, '2018-08-27'),
                ({'2012_08_': META, '2018_08_': META}, '2018-08'),
                ({'2016_06_': META, '2016_10_': USER}, '2016-06'),
                ({'LATEST': {'META_DAT.JSO': b''}}, 'latest')):
            with self.subTest(folders=list(tree)):
                place = choose({'openstack': tree})
                self.assertEqual((expected, ()),
                                 (place.version, place.problems))

    def test_entries(self) -> None:
        place = choose({'openstack': {'latest': {**META, **USER, 'x': {}}}})
        self.assertEqual(['meta_data.json', 'user_data', 'x'],
                         [entry.name for entry in place.entries])

    def test_nothing_else_is_listed(self) -> None:
        found = InMemory({'openstack': {
            'content': {}, 'latest': META, '2018-08-27': META},
            'ec2': {}}, 'fat')
        versions.choose(found)
        self.assertEqual(['/', 'openstack', 'latest'], found.listed)

    def test_numbered_dates(self) -> None:
        for tree, expected, newer in (
                ({'2012_000': META}, '2012-000', None),
                ({'2012_000': META, '2013_04_': META}, '2013-04', None),
                ({'2012_000': META, '2012_08_': META}, '2012-08',
                 "'2012_000'"),
                ({'2025-0~1': META, '2018-0~1': META}, '2025-0~1', None),
                ({'2012_081': META, '2012_080': META}, '2012-081',
                 "'2012_080'"),
                ({'2025_000': META, '2012_08_': META, 'LATEST': META},
                 'latest', None)):
            with self.subTest(folders=list(tree)):
                place = choose({'openstack': tree})
                self.assertEqual(expected, place.version)
                if newer is None:
                    self.assertEqual((), place.problems)
                    continue
                problem, = place.problems
                self.assertEqual('openstack', problem.where)
                self.assertIn(f'{newer} may be newer', problem.message)

    def test_missing(self) -> None:
        for tree, problem in (
                ({}, 'no folder openstack/'),
                ({'openstack': b''}, 'no folder openstack/'),
                ({'latest': META}, 'no folder openstack/'),
                (META, 'no folder openstack/'),
                ({'Openstack': {}, 'OPENSTACK': {}}, 'no folder openstack/'),
                ({'openstack': {}}, 'neither latest/ nor a dated folder'),
                ({'openstack': META}, 'neither latest/ nor a dated folder'),
                ({'openstack': {'latest': OTHER, 'content': META}},
                 'neither latest/ nor a dated folder .* meta_data.json, .*, '
                 'vendor_data2.json'),
                ({'openstack': {'2018': META, '1-1-1': META}},
                 'neither latest/')):
            with self.subTest(problem), self.assertRaisesRegex(
                    versions.Missing, problem):
                choose(tree)

    def test_damaged(self) -> None:
        for tree in ({'openstack': None}, {'openstack': {'latest': None}},
                     {'openstack': {'2018-08-27': None, '2012-08-10': META}}):
            with self.subTest(tree=tree), self.assertRaisesRegex(
                    volume.Damaged, 'it is damaged'):
                choose(tree)


class TestFolder(base.TestCase):

    def test_where_it_begins(self) -> None:
        for tree, expected in (
                ({'openstack': {'latest': META}}, 'latest'),
                ({'OPENSTAC': {'LATEST': META}}, 'latest'),
                ({'openstack': {'latest': META}, **META}, 'latest'),
                (META, None),
                (NETWORK, None),
                ({'META_DAT.JSO': b''}, None),
                ({'latest': META, 'content': {}}, 'latest'),
                ({'2012-08-10': META}, '2012-08-10')):
            with self.subTest(names=list(tree)):
                place = choose(tree, 'folder')
                self.assertEqual((expected, ()),
                                 (place.version, place.problems))
                self.assertEqual(1, len(place.entries))

    def test_missing(self) -> None:
        for tree in ({}, USER, {'latest': OTHER}, {'content': META}):
            with self.subTest(tree=tree), self.assertRaisesRegex(
                    versions.Missing, 'neither openstack/ nor meta_data.json '
                    'nor network_data.json, and is not openstack/ itself'):
                choose(tree, 'folder')
