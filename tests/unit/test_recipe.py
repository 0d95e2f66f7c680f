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

from esxi_img import describe
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
        ca=CA if chosen.ca_file else None)


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
                     'efi/boot/boot.cfg: names /jumpstrt.gz',
                     'efi/boot/bootx64.efi is empty'):
            self.assertIn(part, told)
        self.assertEqual(7, len(problems))

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
