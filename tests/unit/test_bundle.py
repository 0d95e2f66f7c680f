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


import ast
import gzip
import io
import os
import pathlib
import tarfile
import time
from unittest import mock

import hypothesis
from hypothesis import strategies

from esxi_img import build
from esxi_img import bundle
from esxi_img import collector
from esxi_img import errors
from esxi_img import modulefile
from esxi_img import pyyaml
from tests import base


class BundleTests(base.TestCase):
    FILES = {'a/b/c.txt': b'c' * 1000, 'a/x': b'', 'a/b.txt': 'ü'.encode()}

    def test_members(self):
        data = bundle.pack(self.FILES, 1234567890)
        with tarfile.open(fileobj=io.BytesIO(data), mode='r:gz') as tar:
            members = tar.getmembers()
            contents = {member.name: tar.extractfile(member).read()
                        for member in members if member.isfile()}
        self.assertEqual(self.FILES, contents)
        self.assertEqual(['a', 'a/b', 'a/b.txt', 'a/b/c.txt', 'a/x'],
                         [member.name for member in members])
        for member in members:
            self.assertEqual((0, 0, '', '', 1234567890),
                             (member.uid, member.gid, member.uname,
                              member.gname, member.mtime))
            self.assertEqual(0o755 if member.isdir() else 0o644, member.mode)

    def test_old_gnu_form(self):
        plain = gzip.decompress(bundle.pack(self.FILES, 0))
        self.assertEqual(b'ustar  \0', plain[257:265])
        self.assertEqual(b'a/' + bytes(98), plain[:100])
        self.assertEqual(0, len(plain) % 10240)

    def test_one_gzip_member_without_time(self):
        data = bundle.pack(self.FILES, 5)
        plain = gzip.decompress(data)
        self.assertEqual(bytes(4), data[4:8])
        self.assertEqual(len(plain), int.from_bytes(data[-4:], 'little'))

    def test_same_bytes_whatever_the_surroundings(self):
        one = bundle.pack(self.FILES, 5)
        with mock.patch.dict(os.environ, {'TZ': 'Asia/Tokyo'}):
            time.tzset()
            old = os.umask(0o777)
            try:
                two = bundle.pack(dict(reversed(self.FILES.items())), 5)
            finally:
                os.umask(old)
        time.tzset()
        self.assertEqual(one, two)

    def test_first_boot_files_are_all_listed(self):
        folder = os.path.join(os.path.dirname(build.__file__), 'firstboot')
        there = {name for name in os.listdir(folder) if name.endswith('.py')}
        self.assertEqual(there, {*build.FIRSTBOOT, *collector.MODULES})
        self.assertEqual({'__init__.py', 'running.py'},
                         {*build.FIRSTBOOT} & {*collector.MODULES})
        data = {name for name in os.listdir(folder) if name.endswith('.json')}
        self.assertEqual(data, set(build.FIRSTBOOT_DATA))

    def test_first_boot_files(self):
        files = build.firstboot()
        yaml = {f'yaml/{name}' for name in pyyaml.files()}
        self.assertEqual(
            {*build.FIRSTBOOT, *build.FIRSTBOOT_DATA, *yaml}, set(files))
        for name in ('yaml/LICENSE', 'yaml/loader.py'):
            self.assertEqual(pyyaml.files()[name[5:]], files[name])
        folder = pathlib.Path(build.__file__).parent / 'firstboot'
        for name in build.FIRSTBOOT_DATA:
            self.assertEqual((folder / name).read_bytes(), files[name])
        # What Python 3.8 cannot read stops an ESXi host.
        for name, data in files.items():
            if name.endswith('.py'):
                ast.parse(data, feature_version=(3, 8))

    def test_size(self):
        """An image may be but 2 MB larger than what it is made of."""
        files = build.firstboot()
        files[bundle.COLLECTOR] = collector.program()
        self.assertLess(len(bundle.pack(files, 0)), 500_000)


class UnpackTests(base.TestCase):
    FILES = BundleTests.FILES

    def packed(self, *members, form=tarfile.GNU_FORMAT):
        """A tar, not yet gzip, of (TarInfo fields, content) pairs."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode='w', format=form) as tar:
            for fields, content in members:
                entry = tarfile.TarInfo()
                entry.size = len(content)
                for name, value in fields.items():
                    setattr(entry, name, value)
                tar.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()

    def refused(self, data):
        with self.assertRaises(ValueError) as caught:
            bundle.unpack(data)
        self.assertTrue(str(caught.exception))
        return str(caught.exception)

    def test_what_was_packed(self):
        for files in (self.FILES, {}, {'a': b''},
                      {'a' * 90 + '/' + 'b' * 150: b'x'}):
            self.assertEqual(files, bundle.unpack(bundle.pack(files, 5)))

    @hypothesis.given(strategies.dictionaries(
        strategies.text(strategies.characters(
            exclude_categories=['Cs'], exclude_characters='/\0'),
            min_size=1).filter(lambda name: name not in ('.', '..')),
        strategies.binary(max_size=2000)))
    def test_any_files(self, files):
        self.assertEqual(files, bundle.unpack(bundle.pack(files, 5)))

    def test_repacked_by_others(self):
        long = '/'.join(['esxiimg', 'n' * 90, 'm' * 90])
        members = [({'name': 'esxiimg', 'type': tarfile.DIRTYPE}, b''),
                   ({'name': 'esxiimg/KS.CFG', 'uid': 1000, 'mode': 0o600},
                    b'vmaccepteula\n'),
                   ({'name': long}, b'x')]
        for form in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT,
                     tarfile.PAX_FORMAT):
            plain = self.packed(*members, form=form)
            for level in (0, 9):
                self.assertEqual(
                    {'esxiimg/KS.CFG': b'vmaccepteula\n',
                     long: b'x'},
                    bundle.unpack(gzip.compress(plain, level)))

    def test_the_last_of_one_name_holds(self):
        plain = self.packed(({'name': 'a'}, b'old'), ({'name': 'a'}, b'new'))
        self.assertEqual({'a': b'new'}, bundle.unpack(gzip.compress(plain)))

    def test_not_one_gzip_member(self):
        data = bundle.pack(self.FILES, 5)
        for bad in (b'', data[:5], data[:-1], data[:len(data) // 2],
                    data + b'\0', data + data, gzip.decompress(data),
                    b'PK\x03\x04' + data, data[1:],
                    data[:-8] + bytes(4) + data[-4:]):
            self.refused(bad)

    def test_no_sound_tar(self):
        plain = gzip.decompress(bundle.pack({'a': b'a' * 2000}, 5))
        for bad in (b'', b'# a script\n' * 100, plain[:100], plain[:1500],
                    b'x' + plain[1:], gzip.compress(plain)):
            if bad:
                self.refused(gzip.compress(bad))
        self.refused(gzip.compress(plain[:512 + 2000 - 1]))

    def test_a_tar_that_is_damaged_in_the_middle(self):
        # Behind the first member nothing may be passed over in silence.
        plain = bytearray(gzip.decompress(bundle.pack(
            {'a': b'1', 'b': b'2', 'c': b'3'}, 5)))
        self.assertEqual(b'b', bytes(plain[1024:1025]))
        plain[1024] ^= 0xFF
        self.refused(gzip.compress(bytes(plain)))

    def test_what_is_no_file(self):
        # A link would be missing in the image: better said than dropped.
        for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE,
                     tarfile.CHRTYPE):
            plain = self.packed(
                ({'name': 'a'}, b'1'),
                ({'name': 'b', 'type': kind, 'linkname': 'a'}, b''))
            self.refused(gzip.compress(plain))

    def test_a_bomb(self):
        with mock.patch.object(bundle, 'MAX_UNPACKED', 100_000):
            self.refused(gzip.compress(self.packed(
                ({'name': 'a'}, bytes(200_000)))))
            bundle.unpack(gzip.compress(self.packed(
                ({'name': 'a'}, bytes(50_000)))))

    @hypothesis.given(strategies.data())
    def test_damage_is_a_value_error(self, data):
        plain = bytearray(self.packed(
            ({'name': 'a/' + 'n' * 120}, b'1' * 700), ({'name': 'b'}, b'2'),
            form=data.draw(strategies.sampled_from(
                [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))))
        for _ in range(data.draw(strategies.integers(1, 4))):
            at = data.draw(strategies.integers(0, 3072))
            plain[at] = data.draw(strategies.integers(0, 255))
        try:
            bundle.unpack(gzip.compress(bytes(plain), 1))
        except ValueError as error:
            self.assertTrue(str(error))


class ModuleFileTests(base.TestCase):

    def module(self, data, name='driver.v00'):
        path = self.tmp() / name
        path.write_bytes(data)
        return str(path)

    def refused(self, data, name='driver.v00'):
        path = self.module(data, name)
        with self.assertRaises(errors.InputError) as caught:
            modulefile.read(path)
        self.assertIn(path, str(caught.exception))
        return str(caught.exception)

    def test_good(self):
        data = gzip.compress(b'plain' * 1000000, mtime=0)
        module = modulefile.read(self.module(data))
        self.assertEqual(('driver.v00', len(data), ()),
                         (module.name, module.size, module.notes))
        self.assertEqual(64, len(module.sha256))

    def test_empty_gzip(self):
        self.assertEqual((), modulefile.read(
            self.module(gzip.compress(b''))).notes)

    def test_what_the_user_should_know(self):
        self.assertIn('not gzip', modulefile.read(
            self.module(b'tar')).notes[0])
        self.assertIn('ELF', modulefile.read(self.module(
            gzip.compress(b'\x7fELF...'))).notes[0])
        self.assertEqual(2, len(modulefile.read(self.module(
            b'\x7fELF')).notes))

    def test_what_the_loader_would_stop_at(self):
        good = gzip.compress(os.urandom(3 * 1024 * 1024))
        for data, part in (
                (b'', 'empty'),
                (good + b'\0', 'bytes after'),
                (good + good, 'bytes after'),
                (good[:-1], 'truncated'),
                (good[:12], 'truncated'),
                (good[:-9] + b'x' + good[-8:], 'damaged'),
                (good[:-4] + b'xxxx', 'damaged'),
                (b'!<arch>\n', 'VIB package'),
                (b'PK\x03\x04', 'zip archive')):
            self.assertIn(part, self.refused(data))

    def test_names(self):
        for name, part in (
                ('s.v00', 'reserves'), ('SB.v00', 'reserves'),
                ('esxcore.v00', 'reserves'), ('esxupdt', 'reserves'),
                ('a b.v00', 'blanks'), ('a---b.v00', '---'),
                ('ü.v00', 'ASCII'), ('a:b', 'FAT'),
                ('esxiimg.tgz', 'our own')):
            self.assertIn(part, self.refused(b'x', name))

    def test_not_a_file(self):
        with self.assertRaisesRegex(errors.InputError, 'directory'):
            modulefile.read(str(self.tmp()))
        with self.assertRaisesRegex(errors.InputError, 'no such file'):
            modulefile.read('/nonexistent/driver.v00')
