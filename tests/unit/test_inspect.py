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


import contextlib
import gzip
import io
import os
import shutil
import struct
import zlib

from esxi_img import build
from esxi_img.cmd import inspect as command
from esxi_img.disk import gpt
from esxi_img import errors
from esxi_img import inspect
from esxi_img import options
from esxi_img import report
from esxi_img import sample
from tests import base
from tests.unit import test_recipe

MIB = 1024 * 1024


def linked(tar, name):
    """The archive with a member turned into a symbolic link to nowhere."""
    at = tar.index(name + b'\0')
    head = bytearray(tar[at:at + 512])
    head[156:157] = b'2'
    head[148:156] = b' ' * 8
    head[148:156] = b'%06o\0 ' % sum(head)
    return tar[:at] + bytes(head) + tar[at + 512:]


def as_long(plain, size):
    """A gzip file of that size, by a long name in its header."""
    packed = zlib.compress(plain, wbits=-15)
    name = bytes(1).rjust(size - len(packed) - 18, b'x')
    return b''.join((b'\x1f\x8b\x08\x08', bytes(6), name, packed,
                     struct.pack('<LL', zlib.crc32(plain), len(plain))))


class InspectTests(base.TestCase):
    """A good image, and the same with one thing changed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = base.temporary_folder()
        cls.folder = folder.__enter__()
        cls.addClassCleanup(folder.__exit__, None, None, None)
        iso, cls.image = cls.folder / 'x.iso', cls.folder / 'x.img'
        hashed = cls.folder / 'hash'
        hashed.write_text(test_recipe.HASH + '\n')
        with open(iso, 'wb') as output:
            sample.write(output, 8)
        cls.recipe = build.run(options.Options(
            iso=str(iso), output=str(cls.image),
            root_password_hash_file=str(hashed)),
            report.Report(quiet=True)).recipe
        cls.good = cls.image.read_bytes()
        cls.scratch = cls.folder / 'scratch.img'
        shutil.copyfile(cls.image, cls.scratch)

    def offset(self, name):
        """Where a file's data lie in the image."""
        plan = self.recipe.layout
        return plan.volume_offset + plan.volume.cluster_offset(
            plan.placed[tuple(name.split('/'))].cluster)

    def changed(self, *changes):
        """Problems of the image with (offset, bytes) written over it."""
        with open(self.scratch, 'r+b') as file:
            for offset, data in changes:
                file.seek(offset)
                file.write(data)
            file.flush()
            try:
                return '; '.join(inspect.inspect(str(self.scratch)).problems)
            finally:
                for offset, data in changes:
                    file.seek(offset)
                    file.write(self.good[offset:offset + len(data)])

    def test_good(self):
        findings = inspect.inspect(str(self.image))
        self.assertEqual([], findings.problems)
        self.assertEqual('raw', findings.format)
        self.assertEqual(self.recipe.id, findings.build['recipe_id'])
        self.assertEqual(
            {item.path: item.size for item in self.recipe.layout.items},
            {file.path: file.size for file in findings.volume.files})
        text = inspect.as_text(findings)
        self.assertIn('\nesxiimg/rootpw.cfg\n  | rootpw --iscrypted (set)\n',
                      text)
        self.assertIn('\nesxiimg/disk.cfg\n  | # no disk is known', text)
        self.assertIn('\nesxiimg/network.cfg\n  | network --bootproto', text)
        self.assertNotIn(test_recipe.HASH.split('$')[3], text)
        self.assertIn('kernelopt runweasel ks=file:///esxiimg/KS.CFG', text)

    def test_boot_cfg(self):
        at = self.offset('efi/boot/boot.cfg')
        good = self.recipe.boot_cfgs['efi', 'boot', 'boot.cfg'].render()
        for old, new, part in (
                (b'/esxiimg.tgz', b'/esximgg.tgz', 'names /esximgg.tgz'),
                (b'ks=file', b'kt=file', 'does not say ks=file'),
                (b'modules=', b'modules ',
                 'does not name /esxiimg.tgz once each'),
                (b'/k.b00', b'/q.b00', 'names /q.b00, which is missing'),
                (b'timeout=5', b'timeout=s', 'not a number'),
                (b'timeout=5', b'timeout=9', 'is not as it was built'),
                (b'runweasel', b'runweazel', 'is not as it was built')):
            self.assertIn(f'efi/boot/boot.cfg: {part}'.split(':')[0],
                          self.changed((at, good.replace(old, new))))
            self.assertIn(part, self.changed((at, good.replace(old, new))))

    def bundle(self, edit):
        """Problems of the image whose bundle's plain tar was edited."""
        at = self.offset('esxiimg.tgz')
        size = next(item.size for item in self.recipe.layout.items
                    if item.path == ('esxiimg.tgz',))
        packed = self.good[at:at + size]
        plain = edit(gzip.decompress(packed))
        return self.changed((at, as_long(plain, size)))

    def test_bundle(self):
        self.assertEqual('', self.bundle(lambda tar: tar))
        self.assertIn('KS.CFG:', self.bundle(
            lambda tar: tar.replace(b'\nvmaccepteula\n',
                                    b'\nvmacceptqula\n')))
        self.assertIn('KS.CFG: lacks vmaccepteula', self.bundle(
            lambda tar: tar.replace(b'\nvmaccepteula\n',
                                    b'\n#maccepteula\n')))
        self.assertEqual('KS.CFG: lacks %include /tmp/esxiimg/rootpw.cfg',
                         self.bundle(lambda tar: tar.replace(
                             b'\n%include /tmp/esxiimg/rootpw.cfg',
                             b'\n#include /tmp/esxiimg/rootpw.cfg')))
        for name in (b'pre', b'scrub', b'post', b'apply'):
            self.assertEqual(
                f'KS.CFG: does not run firstboot {name.decode()}',
                self.bundle(lambda tar, name=name: tar.replace(
                    b'-m firstboot ' + name + b'\n',
                    b'-m firstboat ' + name + b'\n')))
        guid = str(self.recipe.ids.disk).encode()
        self.assertIn('other GUIDs', self.bundle(
            lambda tar: tar.replace(guid, guid[::-1])))
        self.assertIn('esxiimg.tgz: ', self.changed(
            (self.offset('esxiimg.tgz') + 300, b'damaged')))

    def test_odd_bundles(self):
        for name in ('KS.CFG', 'build.json'):
            self.assertIn(f'esxiimg/{name} in it is not a file', self.bundle(
                lambda tar, name=name: linked(
                    tar, f'esxiimg/{name}'.encode())))

    def test_includes(self):
        # Two letters swapped: the header's checksum stays right.
        for name, other in ((b'disk', b'dsik'), (b'rootpw', b'rootwp'),
                            (b'network', b'netwrok')):
            self.assertEqual(
                f'esxiimg/{name.decode()}.cfg is missing',
                self.bundle(lambda tar, name=name, other=other: tar.replace(
                    b'esxiimg/' + name + b'.cfg\0',
                    b'esxiimg/' + other + b'.cfg\0')))
        secret = test_recipe.HASH[-40:].encode()
        for old, new, part in (
                (b'# no disk is', b'install --fi', 'disk.cfg:1: install'),
                (b'# no disk is', b'dryrun\n# is ',
                 'disk.cfg: has a command'),
                (b'rootpw --isc', b'#ootpw --isc',
                 'rootpw.cfg: is more or less than one rootpw command'),
                (b'rootpw --isc', b'rootqw --isc', 'rootpw.cfg:1: unknown'),
                (b'--iscrypted ', b'--ascrypted ', 'unknown option'),
                (secret, b'\xff' + secret[1:], 'rootpw.cfg:1: not UTF-8'),
                (b'network --bo', b'network\n%pos',
                 'network.cfg: is more or less'),
                (b'network --bo', b'network --bi',
                 'network.cfg:1: network: unknown option')):
            with self.subTest(new):
                found = self.bundle(lambda tar, old=old, new=new:
                                    tar.replace(old, new))
                self.assertIn(part, found)
                self.assertNotIn(secret.decode()[1:], found)

    def test_modules_and_files(self):
        at = self.offset('k.b00')
        self.assertIn('k.b00: is damaged gzip', self.changed(
            (at + 5000, b'damage')))
        size = next(item.size for item in self.recipe.layout.items
                    if item.path == ('k.b00',))
        self.assertIn('k.b00: is damaged gzip', self.changed(
            (at + size - 8, b'crc!')))
        # A file that boot.cfg does not name becomes another.
        entry = self.good.index(b'MENU    C32')
        self.assertIn('missing, added', self.changed((entry, b'MENV')))

    def test_partition_table(self):
        disk = self.good[:34 * 512]
        entry = gpt.Entry.unpack(disk[1024:1152])
        two = entry.pack() + entry.but(
            StartingLBA=entry.EndingLBA, UniquePartitionGUID=b'2' * 16).pack()
        entries = two.ljust(16384, b'\0')
        header = gpt.Header.unpack(disk[512:]).but(
            PartitionEntryArrayCRC32=zlib.crc32(entries)).sealed()
        self.assertIn('not just one EFI system partition', self.changed(
            (1024, entries), (512, header.pack())))
        for offset in (0, 440, 446, 462):
            self.assertIn('MBR', self.changed((offset, b'\x81')))
        path = self.tmp() / 'cut'
        path.write_bytes(self.good[:5000])
        with self.assertRaisesRegex(errors.InputError, 'EFI system'):
            inspect.inspect(str(path))
        self.assertIn('backup', self.changed(
            (len(self.good) - 512, bytes(512))))
        self.assertIn('32 KiB', self.changed((32769, b'CD001')))

    def test_fat(self):
        plan = self.recipe.layout
        fat = plan.volume_offset + plan.volume.reserved * 512
        second = fat + plan.volume.fat_sectors * 512
        used = plan.placed['efi', 'boot', 'boot.cfg'].cluster
        # A file whose chain is longer, and a cluster that none has.
        for cluster, value, part in (
                (used, used - 1, 'runs into cluster'),
                (used, 0x0FFFFFF7, 'runs into cluster'),
                (plan.used_clusters + 9, 0x0FFFFFFF, 'belong to no file')):
            data = value.to_bytes(4, 'little')
            self.assertIn(part, self.changed(
                (fat + 4 * cluster, data), (second + 4 * cluster, data)))

    def test_not_an_image(self):
        path = self.tmp() / 'x'
        for data in (b'', b'text', bytes(10 * MIB), self.good[:600],
                     self.good[:MIB], self.good[:MIB + 500]):
            path.write_bytes(data)
            with self.assertRaisesRegex(errors.InputError, str(path)):
                inspect.inspect(str(path))
        with self.assertRaisesRegex(errors.InputError, 'no such file'):
            inspect.inspect('/nonexistent/x.img')

    def test_truncated(self):
        path = self.tmp() / 'x'
        path.write_bytes(self.good[:-4096])
        self.assertIn('no backup header',
                      ' '.join(inspect.inspect(str(path)).problems))

    def test_random_damage_never_raises_what_it_should_not(self):
        state = 1
        for _ in range(150):
            changes = []
            for _ in range(4):
                state = state * 6364136223846793005 % (1 << 64) + 1
                # Where structure is: tables, FAT, directories.
                where = (state >> 20) % (3 * MIB)
                changes.append((where, bytes([state >> 40 & 0xFF] * 3)))
            try:
                self.changed(*changes)
            except errors.InputError:
                continue

    def test_command(self):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.assertEqual(0, command._main([str(self.image)]))
        self.assertIn('esxiimg/KS.CFG', out.getvalue())
        bad = self.tmp() / 'bad'
        bad.write_bytes(self.good.replace(b'/esxiimg.tgz', b'/esxiimh.tgz'))
        with contextlib.redirect_stdout(io.StringIO()):
            with self.assertRaises(errors.InputError) as caught:
                command._main([str(bad)])
        self.assertIn(str(bad), str(caught.exception))
        self.assertEqual(['hash', 'scratch.img', 'x.img', 'x.iso'],
                         sorted(os.listdir(self.folder)))
