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

"""Recipes of a made-up ISO: goldens, identity, what must not be."""

import dataclasses
import json
import os
import re

import hypothesis
from hypothesis import strategies

from esxi_img import bundle
from esxi_img import describe
from esxi_img.disk import layout
from esxi_img import errors
from esxi_img.firstboot import settings
from esxi_img.iso import identify
from esxi_img.kickstart import merge
from esxi_img.kickstart import sections
from esxi_img import options
from esxi_img import recipe
from esxi_img import tree
from tests import base

HASH = ('$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8'
        'wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/')
CFG = (b'title=Loading ESXi installer\nprefix=\nkernel=/b.b00\n'
       b'kernelopt=runweasel cdromBoot\nmodules=/jumpstrt.gz --- /k.b00\n'
       b'build=8.0.3-0.0.24022510\n')
GOLDEN = {
    'default': {},
    'full': {
        'sector_size': 4096, 'serial_console': 'com1',
        'kernel_option': ('allowLegacyCPU=true', 'runweasel'),
        'installed_kernel_option': ('allowLegacyCPU=true',),
        'install_disk': 'disk=naa.5000c500a0b1c2d3',
        'install_option': ('novmfsondisk',),
        'root_password_hash_file': 'hash', 'kickstart': 'my.cfg',
        'only_management': True, 'keep_config_drive': True, 'ssh': False,
        'shell': False, 'ca_file': 'ca.pem'},
}
CA = b'certificates\n'
COLLECTOR = b'gathers\n'
KICKSTART = ('# mine\nvmaccepteula\nnetwork --bootproto=dhcp '
             '--device=vmnic1\n%post --interpreter=busybox\necho done\n')


def source(sizes=None, **changes):
    """A tree of files of these sizes, one behind the other."""
    sizes = sizes or {
        'b.b00': 470000, 'boot.cfg': len(CFG), 'efi/boot/boot.cfg': len(CFG),
        'efi/boot/bootx64.efi': 200000, 'jumpstrt.gz': 20,
        'k.b00': 10_000_000, 'Readme with a long name.txt': 5, 'empty': 0}
    files, at, folders = [], 65536, {}
    for name, size in sizes.items():
        path = tuple(name.split('/'))
        for depth in range(1, len(path)):
            folders[path[:depth]] = None
        extents = (tree.Extent(at, size),) if size else ()
        files.append(tree.File(path, size, extents))
        at += -(-size // 2048) * 2048
    return dataclasses.replace(tree.Tree(
        'x.iso', 'ESXI-8.0U3-24022510-STANDARD', 1720000000, 'd' * 64,
        'Rock Ridge', tuple(folders), tuple(files)), **changes)


def ingredients(iso=None, cfgs=(CFG, CFG), modules=(), version='1.0.0',
                time=1720000000, **given):
    iso = iso or source()
    facts, problems = identify.identify(
        iso, dict(zip(identify.BOOT_CFGS, cfgs)))
    if problems:
        raise errors.InputError(*problems)
    chosen = options.Options(iso='x.iso', output='x.img', **given)
    kickstart = merge.merge(
        merge.Wishes(chosen.install_disk, chosen.install_option,
                     HASH if chosen.root_password_hash_file else None),
        KICKSTART if chosen.kickstart else None,
        chosen.kickstart or 'default kickstart', sections.lines())
    return recipe.Ingredients(
        chosen, iso, facts, kickstart, tuple(modules),
        {'__init__.py': b'', '__main__.py': b'pass\n',
         'yaml/LICENSE': b'free\n'}, version, time,
        ca=CA if chosen.ca_file else None, collector=COLLECTOR)


def make(**given):
    return recipe.make(ingredients(**given))


class GoldenTests(base.TestCase):

    def compare(self, name, text):
        path = base.FIXTURES / 'recipes' / name
        if os.environ.get('ESXI_IMG_UPDATE_GOLDEN'):
            path.write_text(text)
        self.assertEqual(path.read_text(), text)

    def test_text(self):
        for name, given in GOLDEN.items():
            self.compare(f'{name}.txt', describe.as_text(make(**given)))

    def test_json(self):
        for name, given in GOLDEN.items():
            facts = describe.as_dict(make(**given))
            self.compare(f'{name}.json', json.dumps(facts, indent=1) + '\n')

    def test_kickstart(self):
        for name, given in GOLDEN.items():
            text = make(**given).members['esxiimg/KS.CFG'].decode()
            self.compare(f'{name}.ks', text)


class IdentityTests(base.TestCase):

    def test_same_again(self):
        self.assertEqual(make(), make())

    def test_every_change_counts(self):
        base_id = make().id
        other = source()
        moved = tuple(dataclasses.replace(file, extents=tuple(
            dataclasses.replace(extent, offset=extent.offset + 2048)
            for extent in file.extents)) for file in other.files)
        extra = tree.Extra('/a/d.v00', 'd.v00', 5, 'a' * 64)
        for given in (
                {'version': '1.0.1'}, {'time': 5}, {'sector_size': 4096},
                {'kernel_option': ('a=1',)},
                {'installed_kernel_option': ('a=1',)},
                {'serial_console': 'com2'}, {'install_disk': 'disk=x'},
                {'install_option': ('novmfsondisk',)},
                {'root_password_hash_file': 'x'}, {'kickstart': 'x'},
                {'only_management': True}, {'ssh': False}, {'shell': False},
                {'keep_config_drive': True}, {'ca_file': 'x'},
                {'modules': [extra]},
                {'modules': [dataclasses.replace(extra, sha256='b' * 64)]},
                {'cfgs': (CFG, CFG + b'#\n')},
                {'iso': dataclasses.replace(other, descriptors='e' * 64)},
                {'iso': dataclasses.replace(other, files=moved)},
                {'iso': dataclasses.replace(
                    other, directories=(*other.directories, ('x',)))}):
            self.assertNotEqual(base_id, make(**given).id, given)

    def test_files_for_first_boot(self):
        for given, wanted in (({}, None), ({'ca_file': 'x'}, CA)):
            made = make(**given)
            self.assertEqual(wanted, made.members.get('esxiimg/ca.pem'))
            self.assertEqual(b'free\n',
                             made.members['esxiimg/firstboot/yaml/LICENSE'])
            self.assertEqual(COLLECTOR,
                             made.members['esxiimg/esxi-img-collect'])
            self.assertEqual(given.get('ca_file'), describe.as_dict(made)[
                'options']['ca_file'])
        self.assertNotEqual(make(ca_file='x').id, recipe.make(
            dataclasses.replace(ingredients(ca_file='x'), ca=b'other')).id)

    def test_what_leaves_the_bytes_alone(self):
        self.assertEqual(make().id, make(
            format='qcow2', compress=True, force=True, dry_run=True,
            iso_sha256='0' * 64).id)

    def test_build_json_and_table_agree(self):
        made = make()
        facts = json.loads(made.members['esxiimg/build.json'])
        self.assertEqual(
            (made.id, str(made.ids.disk), str(made.ids.partition)),
            (facts['recipe_id'], facts['disk_guid'],
             facts['partition_guid']))
        self.assertEqual(5, made.ids.disk.version)
        self.assertNotEqual(made.ids.disk, made.ids.partition)

    def test_what_the_installed_system_needs(self):
        facts = json.loads(make(
            serial_console='com1', installed_kernel_option=('a=1',)
        ).members['esxiimg/build.json'])
        self.assertEqual(
            ['tty2Port=com1', 'gdbPort=none', 'logPort=none', 'a=1'],
            facts['installed_kernel_options'])

    def test_what_the_installer_installs_on(self):
        for given, line in (
                ({}, 'install --disk=IMAGE-DISK --overwritevmfs'),
                ({'install_disk': 'firstdisk=local',
                  'install_option': ('ignoressd',)},
                 'install --firstdisk=local --overwritevmfs --ignoressd')):
            made = make(**given)
            self.assertEqual(line, json.loads(made.members[
                'esxiimg/build.json'])['install_line'])
            self.assertIn(f'disk.cfg on the host: {line}\n',
                          describe.as_text(made))

    def test_settings_for_first_boot(self):
        for given, changed in (
                ({}, {}), ({'only_management': True},) * 2,
                ({'keep_config_drive': True},) * 2, ({'ssh': False},) * 2,
                ({'shell': False},) * 2,
                ({'root_password_hash_file': 'x'}, {'root_hash': True})):
            made = make(**given)
            value = json.loads(made.members['esxiimg/settings.json'])
            self.assertEqual(
                {'only_management': False, 'ssh': True, 'shell': True,
                 'keep_config_drive': False, 'root_hash': False, **changed},
                value)
            # Both halves know all of them.
            self.assertEqual(value, dataclasses.asdict(
                settings.from_json(value)))
            said = describe.as_dict(made)['options']
            del value['root_hash']
            self.assertEqual(value, {name: said[name] for name in value})

    def test_includes_that_are_there_from_the_start(self):
        made = make(root_password_hash_file='hash')
        self.assertEqual(
            {f'esxiimg/{name}': data
             for name, data in made.given.kickstart.safe.items()},
            {name: data for name, data in made.members.items()
             if name.endswith('.cfg')})


class SecretTests(base.TestCase):

    def test_the_hash_is_nowhere_but_in_its_include(self):
        made = make(root_password_hash_file='hash')
        self.assertEqual(
            ['esxiimg/rootpw.cfg'],
            [name for name, data in made.members.items()
             if HASH.encode() in data])
        for text in (repr(made), str(made), describe.as_text(made),
                     json.dumps(describe.as_dict(made)),
                     str(made.given.kickstart), ' '.join(made.notes)):
            self.assertNotIn(HASH, text)
            self.assertNotIn(HASH.split('$')[3], text)
        self.assertIn('rootpw --iscrypted (set)', describe.as_text(made))


class RefusalTests(base.TestCase):

    def refused(self, *parts, error=errors.InputError, **given):
        with self.assertRaises(error) as caught:
            make(**given)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_module_that_the_iso_has(self):
        self.refused('--add-module /a/K.B00', 'of this name', modules=[
            tree.Extra('/a/K.B00', 'K.B00', 5, 'a' * 64)])

    def test_module_given_twice(self):
        self.refused('--add-module /b/D.v00', '/a/d.v00', modules=[
            tree.Extra('/a/d.v00', 'd.v00', 5, 'a' * 64),
            tree.Extra('/b/D.v00', 'D.v00', 5, 'a' * 64)])

    def test_iso_that_was_made_ours_before(self):
        iso = source()
        self.refused('esxiimg.tgz', iso=dataclasses.replace(
            iso, files=(*iso.files, tree.File(
                ('ESXIIMG.TGZ',), 1, (tree.Extent(0, 1),)))))

    def test_names_that_fat_cannot_hold(self):
        iso = source()
        self.refused('a:b', 'c.', iso=dataclasses.replace(
            iso, files=(*iso.files, tree.File(('a:b',), 0, ()),
                        tree.File(('c.',), 0, ()))))

    def test_loader_limits(self):
        self.refused('boot.cfg', '4095', kernel_option=('a=' + 'x' * 4100,))
        self.refused('240', modules=[
            tree.Extra(f'/m{number}', f'm{number}', 1, 'a' * 64)
            for number in range(238)])
        make(modules=[tree.Extra(f'/m{number}', f'm{number}', 1, 'a' * 64)
                      for number in range(237)])

    def test_options_that_only_new_installers_know(self):
        old = CFG.replace(b'8.0.3-0.0.24022510', b'6.7.0-3.73.14320388')
        self.refused('6.7.0', '7.0 or later', error=errors.RequestError,
                     cfgs=(old, old),
                     install_option=('--forceunsupportedinstall',))
        self.assertIn('older than 7.0',
                      ' '.join(make(cfgs=(old, old)).notes))


class IdentifyTests(base.TestCase):

    def facts(self, cfg=CFG, **changes):
        return identify.identify(
            source(**changes), {path: cfg for path in identify.BOOT_CFGS})

    def test_version(self):
        for build, label, wanted in (
                (b'8.0.3-0.0.24022510', 'X', ('8.0.3', '24022510')),
                (b'9.1.1.0-25714478', 'X', ('9.1.1', '25714478')),
                (b'7.0.3-0.35.19482537', 'X', ('7.0.3', '19482537')),
                (b'', 'ESXI-8.0U3-24022510-STANDARD',
                 ('8.0U3', '24022510')),
                (b'', 'ESXI-7.0.3-19482537-STANDARD',
                 ('7.0.3', '19482537')),
                (b'', 'VENDOR', (None, None))):
            cfg = CFG.replace(b'8.0.3-0.0.24022510', build)
            facts, problems = self.facts(cfg, label=label)
            self.assertEqual(wanted, (facts.version, facts.build))
            self.assertEqual([], problems)

    def test_files_that_are_missing_or_empty(self):
        sizes = {'boot.cfg': 9, 'efi/boot/boot.cfg': 9, 'b.b00': 0,
                 'efi/boot/bootx64.efi': 0}
        _, problems = self.facts(sizes=sizes)
        told = '; '.join(problems)
        for part in ('boot.cfg: names /b.b00, which is empty',
                     'boot.cfg: names /k.b00, which is missing',
                     'efi/boot/boot.cfg: names /jumpstrt.gz'):
            self.assertIn(part, told)
        self.assertEqual(6, len(problems))

    def test_relative_names_start_at_the_boot_cfg(self):
        cfg = CFG.replace(b'/k.b00', b'k.b00')
        _, problems = self.facts(cfg)
        self.assertEqual(
            ['x.iso: efi/boot/boot.cfg: names /EFI/BOOT/k.b00, which is '
             'missing'], problems)

    def test_not_esxi(self):
        iso = source({'debian/pool': 5, 'efi/boot/bootx64.efi': 1})
        self.assertEqual(
            ['x.iso: not an ESXi installer ISO: boot.cfg, efi/boot/boot.cfg '
             'missing'], identify.missing(iso))
        self.assertEqual([], identify.missing(source()))

    def test_no_letter_is_taken_for_another(self):
        # Upper case in Unicode, but not on FAT.
        sizes = {'boot.cfg': 9, 'b.b00': 1, 'k.b00': 1, 'jumpstrt.gz': 1,
                 'ef\u0131/boot/boot.cfg': 9, 'ef\u0131/boot/bootx64.efi': 1}
        self.assertIn('efi/boot/boot.cfg',
                      identify.missing(source(sizes))[0])
        self.assertEqual(('\u0131\u017f\xdf\u0397',),
                         tree.fold(('\u0131\u017f\xdf\u03b7',)))

    def test_case_does_not_matter(self):
        upper = {name.upper(): size for name, size in {
            'boot.cfg': 9, 'efi/boot/boot.cfg': 9, 'b.b00': 1, 'k.b00': 1,
            'efi/boot/bootx64.efi': 1, 'jumpstrt.gz': 1}.items()}
        iso = source(upper)
        self.assertEqual([], identify.missing(iso))
        _, problems = self.facts(sizes=upper)
        self.assertEqual([], problems)
        made = make(iso=iso)
        self.assertEqual({('BOOT.CFG',), ('EFI', 'BOOT', 'BOOT.CFG')},
                         set(made.boot_cfgs))


class ImageSizeTests(base.TestCase):

    def test_exact(self):
        smallest = make()
        for sector_size in (512, 4096):
            for size, wanted in ((1, 1 << 30), (0.5, 1 << 29),
                                 (3.25, 13 << 28)):
                made = make(image_size=size, sector_size=sector_size)
                self.assertEqual(wanted, made.layout.size)
                self.assertNotEqual(smallest.id, made.id)
                if sector_size == 512:
                    self.assertEqual(smallest.layout.volume,
                                     made.layout.volume)
        self.assertEqual(make(image_size=1).id, make(image_size=1.0).id)
        self.assertNotEqual(make(image_size=1).id, make(image_size=2).id)

    def test_not_given(self):
        self.assertEqual(make(), make(image_size=None))

    def test_too_small(self):
        smallest = make().layout.size
        for size in (smallest - 4096 - 1024, smallest / 2, 4096, 1024):
            with self.assertRaises(errors.RequestError) as caught:
                make(image_size=size / (1 << 30))
            self.assertIn('--image-size ', str(caught.exception))
        # What no size of whole blocks could say better is not complained of.
        self.assertEqual(smallest, make(
            image_size=(smallest - 1024) / (1 << 30)).layout.size)

    @hypothesis.settings(max_examples=50, deadline=None)
    @hypothesis.given(strategies.integers(0, 2000 << 20)
                      | strategies.integers(0, 2000).map(
                          lambda count: count << 20),
                      strategies.integers(1, 600))
    @hypothesis.example(1_401_913_345, 185)
    def test_the_size_that_is_named_will_do(self, size, count):
        # A size may have any number of bytes, and a tree many large files.
        sizes = {'boot.cfg': len(CFG), 'efi/boot/boot.cfg': len(CFG),
                 'b.b00': 1, 'k.b00': 1, 'jumpstrt.gz': 1,
                 'efi/boot/bootx64.efi': 1,
                 **{f'big{number}': size for number in range(count)}}
        iso = source(sizes)
        with self.assertRaises(errors.RequestError) as caught:
            make(iso=iso, image_size=0.001)
        named = re.search(r'needs (\S+) GiB', str(caught.exception))[1]
        made = make(iso=iso, image_size=float(named))
        self.assertGreaterEqual(made.layout.size,
                                make(iso=iso).layout.size)


class AdoptTests(base.TestCase):
    """The recipe of a tree that others may have changed."""

    def setUp(self):
        super().setUp()
        self.given = ingredients()
        self.made = recipe.make(self.given)
        self.cfgs = {path: cfg.render()
                     for path, cfg in self.made.boot_cfgs.items()}
        self.members = dict(self.made.members)

    def adopt(self, given=None, cfgs=(), members=()):
        return recipe.adopt(given or self.given, {**self.cfgs, **dict(cfgs)},
                            {**self.members, **dict(members)})

    def refused(self, *parts, **changes):
        with self.assertRaises(errors.InputError) as caught:
            self.adopt(**changes)
        for part in parts:
            self.assertIn(part, str(caught.exception))
        return caught.exception.problems

    def revised(self, sizes=(), removed=(), folders=(), **changes):
        """The ingredients with another tree."""
        old = {file.path: file.size for file in self.given.source.files}
        new = {path: size for path, size in {**old, **dict(sizes)}.items()
               if path not in removed}
        parents = {path[:depth] for path in new
                   for depth in range(1, len(path))}
        return dataclasses.replace(self.given, source=tree.revised(
            self.given.source, 'mnt', parents | set(folders), new), **changes)

    def replaced(self, old, new, count=2):
        """Both boot.cfg, or one, edited by somebody."""
        found = {path: data.replace(old, new)
                 for path, data in list(self.cfgs.items())[:count]}
        for path, data in found.items():
            self.assertNotEqual(self.cfgs[path], data)
        return found

    def test_untouched(self):
        self.assertEqual(self.made, self.adopt())
        self.assertEqual(self.made.layout,
                         self.adopt(self.revised()).layout)
        self.assertEqual(self.made.id, self.adopt(self.revised()).id)

    def test_untouched_with_all_options(self):
        for changes in GOLDEN.values():
            given = ingredients(modules=[tree.Extra(
                '/a/d.v00', 'd.v00', 5, 'a' * 64)], **changes)
            made = recipe.make(given)
            self.assertEqual(made, recipe.adopt(
                given, {path: cfg.render()
                        for path, cfg in made.boot_cfgs.items()},
                made.members))

    def test_arguments_stay_as_they_are(self):
        before = dict(self.members)
        self.adopt()
        self.assertEqual(before, self.members)

    def test_every_change_of_a_path_counts(self):
        ids = {self.made.id: 'untouched'}
        for what, given in (
                ('added', self.revised({('new',): 5})),
                ('added elsewhere', self.revised({('efi', 'new'): 5})),
                ('larger', self.revised({('new',): 6})),
                ('empty', self.revised({('new',): 0})),
                ('folder', self.revised(folders=[('a',)])),
                ('folder below', self.revised(folders=[('efi', 'a')])),
                ('resized', self.revised({('empty',): 1})),
                ('removed', self.revised(removed=[('empty',)])),
                ('case', self.revised({('EMPTY',): 0},
                                      removed=[('empty',)]))):
            made = self.adopt(given)
            self.assertEqual({made.id: what}.items() - ids.items(),
                             {made.id: what}.items(), what)
            self.assertNotIn(made.id, ids, (what, ids.get(made.id)))
            ids[made.id] = what
        self.assertEqual(10, len(ids))

    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(
        strategies.dictionaries(strategies.lists(
            strategies.sampled_from(['a', 'b', 'c', 'd']), min_size=1,
            max_size=3).map(lambda names: ('mine', *names, 'f')),
            strategies.integers(0, 5), min_size=1, max_size=8),
        strategies.randoms(use_true_random=False), strategies.data())
    def test_order_does_not_count(self, sizes, chance, data):
        def shuffled(values):
            values = list(values)
            chance.shuffle(values)
            return dict(values)

        one = self.adopt(self.revised(sizes))
        two = recipe.adopt(
            self.revised(shuffled(sizes.items())),
            shuffled(self.cfgs.items()), shuffled(self.members.items()))
        self.assertEqual((one.id, one.layout), (two.id, two.layout))
        path = data.draw(strategies.sampled_from(sorted(sizes)))
        changed = self.adopt(self.revised({**sizes, path: sizes[path] + 1}))
        self.assertNotEqual(one.id, changed.id)
        del sizes[path]
        self.assertNotIn(self.adopt(self.revised(sizes)).id,
                         (one.id, changed.id))

    def test_where_content_comes_from(self):
        made = self.adopt(self.revised({('new',): 7}, elsewhere={
            ('new',): '/mnt/new', ('k.b00',): '/mnt/k.b00'}))
        items = {item.path: item for item in made.layout.items}
        self.assertEqual(
            layout.Stored('/mnt/new', (tree.Extent(0, 7),)),
            items['new',].content)
        self.assertEqual(
            layout.Stored('/mnt/k.b00', (tree.Extent(0, 10_000_000),)),
            items['k.b00',].content)
        self.assertEqual('x.iso', items['b.b00',].content.path)
        self.assertEqual(self.cfgs['boot.cfg',], items['boot.cfg',].content)

    def test_drivers_of_others(self):
        tail = b' --- /esxiimg.tgz'
        for new in (b' --- /drv.v00' + tail, tail + b' --- /drv.v00',
                    tail + b' --- DRV.V00 with arguments'):
            cfgs = self.replaced(tail, new, count=1)
            self.refused('which is missing', cfgs=cfgs)
            self.refused('which is empty', cfgs=cfgs,
                         given=self.revised({('drv.v00',): 0}))
            made = self.adopt(self.revised({('drv.v00',): 9}), cfgs)
            self.assertNotEqual(self.made.id, made.id)
            self.assertEqual(cfgs['boot.cfg',],
                             made.boot_cfgs['boot.cfg',].render())

    def test_words_of_others(self):
        made = self.adopt(cfgs=self.replaced(b'runweasel', b'runweasel x=1'))
        self.assertNotEqual(self.made.id, made.id)
        self.refused('kernelopt= does not say ks=', cfgs=self.replaced(
            b'ks=', b'ks=usb ks='))

    def test_without_our_module(self):
        for old, new in ((b' --- /esxiimg.tgz', b''),
                         (b'/esxiimg.tgz', b'/esxiimg.tgz --- /esxiimg.tgz')):
            for count, wanted in ((1, 1), (2, 2)):
                problems = self.refused(
                    'boot.cfg: modules= does not name /esxiimg.tgz',
                    cfgs=self.replaced(old, new, count))
                self.assertEqual(wanted, len(problems))

    def test_module_of_the_user_s(self):
        given = ingredients(modules=[tree.Extra(
            '/a/d.v00', 'd.v00', 5, 'a' * 64)])
        self.refused('modules= does not name /d.v00, /esxiimg.tgz',
                     given=given)

    def test_files_that_are_gone(self):
        self.refused('boot.cfg: names /k.b00, which is missing',
                     given=self.revised(removed=[('k.b00',)]))
        self.refused('boot.cfg: names /k.b00, which is empty',
                     given=self.revised({('k.b00',): 0}))
        self.refused('bootx64.efi missing', given=self.revised(
            removed=[('efi', 'boot', 'bootx64.efi')]))

    def test_an_empty_loader(self):
        self.refused('bootx64.efi', given=self.revised(
            {('efi', 'boot', 'bootx64.efi'): 0}))

    def test_no_boot_cfg_any_more(self):
        for data in (b'', b'\0' * 9, b'# gone\n', b'kernel=\nmodules=\n'):
            self.refused('boot.cfg', cfgs={('boot.cfg',): data})

    def test_names_that_fat_cannot_hold(self):
        self.refused('EFI', 'efi', 'same name', given=self.revised(
            {('EFI', 'x'): 1}))
        self.refused('ESXIIMG.TGZ', 'same name', given=self.revised(
            {('ESXIIMG.TGZ',): 1}))
        for name in ('a:b', 'a.', 'a ', 'n' * 256, '\udcff', 'a\nb'):
            self.refused(given=self.revised({(name,): 1}))
            self.refused(given=self.revised(folders=[(name,)]))
        self.refused('FAT32 allows', given=self.revised({('x',): 1 << 32}))

    def test_members(self):
        made = self.adopt(members={'esxiimg/more.txt': b'more'})
        self.assertEqual(b'more', made.members['esxiimg/more.txt'])
        self.assertNotEqual(self.made.id, made.id)
        # What says of itself what it is, is made anew.
        for members in ({'esxiimg/build.json': b'{}'},):
            self.assertEqual(self.made, self.adopt(members=members))
        del self.members['esxiimg/build.json']
        self.assertEqual(self.made, self.adopt())
        del self.members['esxiimg/KS.CFG']
        self.refused('esxiimg.tgz: esxiimg/KS.CFG is missing')

    def test_build_json_tells_of_the_tree(self):
        made = self.adopt(self.revised({('new',): 7}))
        facts = json.loads(made.members['esxiimg/build.json'])
        self.assertEqual(made.id, facts['recipe_id'])
        self.assertEqual(
            bundle.file_table({item.path: item.size
                               for item in made.layout.items}),
            facts['file_table'])
        self.assertEqual(
            {'/'.join(path): recipe.digest(cfg.render())
             for path, cfg in made.boot_cfgs.items()},
            facts['boot_cfg_sha256'])

    def test_all_problems_at_once(self):
        del self.members['esxiimg/KS.CFG']
        problems = self.refused(
            'bootx64.efi', 'k.b00', 'modules=', 'KS.CFG',
            given=self.revised(removed=[
                ('k.b00',), ('efi', 'boot', 'bootx64.efi')]),
            cfgs=self.replaced(b' --- /esxiimg.tgz', b''))
        self.assertEqual(len(set(problems)), len(problems))
