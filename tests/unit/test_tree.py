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


import random

import hypothesis
from hypothesis import strategies

from esxi_img import tree
from tests import base

ISO = tree.Tree(
    'x.iso', 'LABEL', 1720000000, 'd' * 64, 'Rock Ridge',
    (('efi',), ('efi', 'boot'), ('upgrade',)),
    (tree.File(('z.gz',), 7, (tree.Extent(2048, 7),)),
     tree.File(('efi', 'boot', 'boot.cfg'), 9, (tree.Extent(4096, 9),)),
     tree.File(('a.b00',), 3, (tree.Extent(6144, 3),)),
     tree.File(('upgrade', 'x'), 0, ())))
FOLDERS = frozenset(ISO.directories)
SIZES = {file.path: file.size for file in ISO.files}
NAMES = strategies.sampled_from(['a.b00', 'b', 'boot', 'efi', 'upgrade', 'x'])
PATHS = strategies.lists(NAMES, min_size=1, max_size=3).map(tuple)


class RevisedTests(base.TestCase):

    def revised(self, directories=FOLDERS, **changes):
        sizes = {**SIZES, **changes.pop('sizes', {})}
        for path in changes.pop('removed', ()):
            del sizes[path]
        return tree.revised(ISO, 'mnt', set(directories), sizes)

    def test_nothing_was_changed(self):
        found = self.revised()
        self.assertEqual((ISO.files, ISO.directories),
                         (found.files, found.directories))
        self.assertEqual('mnt', found.source)
        self.assertEqual(
            (ISO.label, ISO.created, ISO.descriptors, ISO.names),
            (found.label, found.created, found.descriptors, found.names))
        # The ISO's own tree is as it was.
        self.assertEqual('x.iso', ISO.source)

    def test_added(self):
        found = self.revised(
            {*FOLDERS, ('efi', 'a'), ('aa',), ('aa', 'b')},
            sizes={('aa', 'new'): 5, ('aa', 'b', 'c'): 1, ('0',): 0})
        self.assertEqual(
            (*ISO.files, tree.File(('0',), 0, ()),
             tree.File(('aa', 'b', 'c'), 1, ()),
             tree.File(('aa', 'new'), 5, ())), found.files)
        self.assertEqual(
            (*ISO.directories, ('aa',), ('aa', 'b'), ('efi', 'a')),
            found.directories)

    def test_removed(self):
        found = self.revised(FOLDERS - {('upgrade',)},
                             removed=[('upgrade', 'x'), ('z.gz',)])
        self.assertEqual((ISO.files[1], ISO.files[2]), found.files)
        self.assertEqual((('efi',), ('efi', 'boot')), found.directories)

    def test_resized(self):
        found = self.revised(sizes={('z.gz',): 8, ('a.b00',): 0})
        self.assertEqual(
            (tree.File(('z.gz',), 8, ()), ISO.files[1],
             tree.File(('a.b00',), 0, ()), ISO.files[3]), found.files)

    def test_another_case_is_another_name(self):
        found = self.revised(sizes={('Z.GZ',): 7}, removed=[('z.gz',)])
        self.assertEqual(tree.File(('Z.GZ',), 7, ()), found.files[-1])
        self.assertEqual(found.files[-1], found.find('z.gz'))

    def test_a_folder_that_has_become_a_file(self):
        found = self.revised(FOLDERS - {('upgrade',)},
                             removed=[('upgrade', 'x')],
                             sizes={('upgrade',): 4})
        self.assertEqual(tree.File(('upgrade',), 4, ()), found.files[-1])
        self.assertNotIn(('upgrade',), found.directories)

    @hypothesis.given(strategies.dictionaries(
        PATHS, strategies.integers(0, 9)), strategies.sets(PATHS),
        strategies.randoms(use_true_random=False))
    def test_properties(self, sizes, folders, chance):
        # Every folder has its parents, as below any folder.
        folders = {path[:depth] for path in [
            *folders, *(path[:-1] for path in sizes)]
            for depth in range(1, len(path) + 1)}
        found = tree.revised(ISO, 'mnt', folders, sizes)
        self.assertEqual(sizes,
                         {file.path: file.size for file in found.files})
        self.assertEqual(len(sizes), len(found.files))
        self.assertEqual(folders, set(found.directories))
        self.assertEqual(len(folders), len(found.directories))
        for number, path in enumerate(found.directories):
            # Parents first.
            self.assertIn(path[:-1], ((), *found.directories[:number]))
        for file in found.files:
            if file.extents:
                self.assertIn(file, ISO.files)
        self.assertEqual(found, tree.revised(
            ISO, 'mnt', set(shuffled(folders, chance)),
            dict(shuffled(sizes.items(), chance))))


def shuffled(values, chance: random.Random):
    values = list(values)
    chance.shuffle(values)
    return values
