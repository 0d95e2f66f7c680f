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

"""Bad files handed in: one clear error each, and nothing left behind."""

import collections.abc
import gzip
import hashlib
import os
import pathlib
import random
import struct
import subprocess
import typing
import zipfile

from tests.functional import command
from tests.unit.iso import crafted

SECONDS = 10
"""That any refusal may take."""
DESCRIPTOR = 16 * 2048
HASH = '$6$saltsalt$' + 'Ab./019z' * 10 + 'Ab./0' + '1'
CFG = ('kernel=/b.b00\nkernelopt=runweasel\nmodules=/k.b00 --- /x.v00\n'
       'build=8.0.3-0.0.24022510\n')
GOOD: collections.abc.Mapping[str, str] = {
    'boot.cfg': CFG, 'efi/boot/boot.cfg': CFG, 'efi/boot/bootx64.efi': 'MZ',
    'b.b00': 'kernel', 'k.b00': 'k' * 3000, 'x.v00': 'x'}
"""The least that is an installer."""


class BadInputTestCase(command.TestCase):

    def refuse(self, *arguments: command.Word, pattern: str, code: int = 3,
               count: int | None = 1, **options: typing.Any) -> command.Done:
        """A build is refused in time, and leaves no trace."""
        before = command.content(self.folder)
        done = command.run(*arguments, '-o', self.output, timeout=SECONDS,
                           **options)
        self.assert_refused(done, code, pattern, count)
        self.assertEqual(before, command.content(self.folder))
        return done

    def accept(self, *arguments: command.Word) -> str:
        """A dry run has nothing against it; returns what it says."""
        done = command.run(*arguments, '--dry-run', timeout=SECONDS)
        self.assertEqual(0, done.code, done.stderr)
        self.assert_plain(done.stderr)
        return done.stdout

    def iso(self, files: collections.abc.Mapping[str, str | bytes | None],
            *options: str) -> pathlib.Path:
        """An ISO of xorriso's: the good files, but for these; None omits."""
        self.require('xorriso')
        source = self.tmp() / 'source'
        for name, data in {**GOOD, **files}.items():
            if data is None:
                continue
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str)
                             else data)
        path = self.folder / 'x.iso'
        path.unlink(missing_ok=True)
        subprocess.run(
            ['xorriso', '-as', 'mkisofs', '-quiet', '-R', *options, '-o',
             path, source],
            check=True, capture_output=True,
            env=os.environ | {'LC_ALL': 'C.UTF-8'})
        return path

    def patch(self, path: pathlib.Path, old: bytes, new: bytes) -> None:
        """Put other bytes in the place of some."""
        data = path.read_bytes()
        self.assertIn(old, data)
        self.assertEqual(len(old), len(new))
        path.write_bytes(data.replace(old, new))


class TestNoIso(BadInputTestCase):
    """What is no ISO, or none of an installer."""

    def test_other_files(self) -> None:
        with zipfile.ZipFile(self.folder / 'zip', 'w') as archive:
            archive.writestr('boot.cfg', CFG)
        for name, data in (
                ('empty', b''), ('byte', b'\0'), ('text', b'text\n' * 9999),
                ('zeros', bytes(1 << 20)), ('ones', b'\xff' * (1 << 20)),
                ('random', random.Random(1).randbytes(1 << 20)),
                ('gzip', gzip.compress(bytes(1 << 20)))):
            self.write(name, data)
        for name in sorted(os.listdir(self.folder)):
            with self.subTest(name):
                pattern = f'{name}: not an ISO 9660 image'
                self.refuse(self.folder / name, pattern=pattern)
                self.assert_refused(command.run(
                    self.folder / name, '--dry-run'), 3, pattern)

    def test_no_file(self) -> None:
        (self.folder / 'folder').mkdir()
        (self.folder / 'dangling').symlink_to('nothing')
        (self.folder / 'loop').symlink_to('loop')
        self.write('text', 'x')
        os.mkfifo(self.folder / 'pipe')
        sums = ((), ('--iso-sha256', '0' * 64))
        for name, pattern in (
                ('nothing', 'no such file'), ('dangling', 'no such file'),
                ('folder', 'a directory'), ('text/x.iso', ''),
                ('pipe', ''), ('/dev/null', ''), ('/dev/zero', '')):
            for options in sums:
                with self.subTest(name, options=options):
                    self.refuse(self.folder / name, *options,
                                pattern=f'{name}: .*{pattern}')
        self.refuse('', code=2, pattern='ISO')

    def test_own_image(self) -> None:
        image = self.folder / 'image'
        self.assert_built(command.run(command.sample(), '-o', image))
        self.refuse(image, pattern='not an ISO 9660 image')

    def test_not_readable(self) -> None:
        prefix: tuple[str, ...] = ()
        if not os.geteuid():
            # Root may read everything, but for these rights.
            self.require('setpriv')
            prefix = ('setpriv', '--bounding-set',
                      '-dac_override,-dac_read_search', '--')
        private = self.write('private', command.sample().read_bytes())
        private.chmod(0)
        for options in ((private,), (private, '--iso-sha256', '0' * 64),
                        (command.sample(), '--kickstart', private),
                        (command.sample(), '--root-password-hash-file',
                         private),
                        (command.sample(), '--ca-file', private)):
            with self.subTest(options):
                done = command.run(*options, '-o', self.output, prefix=prefix,
                                   timeout=SECONDS)
                self.assertIn(done.code, (3, 4))
                self.assert_refused(done, done.code,
                                    'private: permission denied')
        folder = self.folder / 'folder'
        folder.mkdir()
        folder.chmod(0o555)
        self.assert_refused(
            command.run(command.sample(), '-o', folder / 'x', prefix=prefix),
            4, 'permission denied')
        self.assertEqual([], os.listdir(folder))

    def test_truncated(self) -> None:
        whole = command.sample().read_bytes()
        rng = random.Random(2)
        short = self.folder / 'short.iso'
        for length in (1, 32767, 32768, 32769, 34816, 36864, 38912, 40960,
                       *(rng.randrange(38912, 200_000) for _ in range(5)),
                       *(rng.randrange(len(whole)) for _ in range(5)),
                       len(whole) - 2048, len(whole) - 1):
            short.write_bytes(whole[:length])
            with self.subTest(length):
                self.assert_refused(
                    command.run(short, '-o', self.output, timeout=SECONDS),
                    3, 'truncated' if length > 38912 else
                    'ISO 9660|descriptors have no end')
                self.assertEqual(['short.iso'], os.listdir(self.folder))

    def test_truncated_and_its_size_patched(self) -> None:
        """Then only the files themselves tell that they are not there."""
        whole = command.sample().read_bytes()
        for blocks in (24, 40, 120, len(whole) // 4096, len(whole) // 2048
                       - 1):
            data = bytearray(whole[:blocks * 2048])
            data[DESCRIPTOR + 80:DESCRIPTOR + 88] = crafted.both(blocks)
            short = self.write('short.iso', data)
            with self.subTest(blocks):
                self.refuse(short, pattern='end', count=None)

    def test_random_damage(self) -> None:
        """Whatever it is, it is no bug of ours."""
        whole = command.sample().read_bytes()
        rng = random.Random(3)
        refused = 0
        for number in range(20):
            data = bytearray(whole)
            for _ in range(20):
                data[rng.randrange(DESCRIPTOR, DESCRIPTOR + 90_000)] = (
                    rng.randrange(256))
            path = self.write('x.iso', data)
            with self.subTest(number):
                done = command.run(path, '--dry-run', timeout=SECONDS)
                self.assert_plain(done.stderr)
                self.assertIn(done.code, (0, 3), done.stderr)
                refused += done.code == 3
        self.assertGreater(refused, 3)

    def test_other_isos(self) -> None:
        nothing = dict.fromkeys(GOOD)
        for files, pattern in (
                ({**nothing, 'readme': 'hello'}, 'not an ESXi installer ISO'),
                ({**nothing, 'boot.cfg': CFG}, 'efi/boot/boot.cfg'),
                ({'boot.cfg': None}, 'boot.cfg missing'),
                ({'efi/boot/boot.cfg': None}, 'efi/boot/boot.cfg missing'),
                ({'efi/boot/bootx64.efi': None}, 'bootx64.efi missing'),
                ({'efi/boot/bootx64.efi': ''}, 'bootx64.efi is empty'),
                ({'boot.cfg': None, 'boot.cfg/x': 'folder'},
                 'boot.cfg missing')):
            with self.subTest(pattern):
                self.refuse(self.iso(files), pattern=pattern, count=None)
        self.assertIn('8.0.3', self.accept(self.iso({})))

    def test_checksum(self) -> None:
        right = command.digest(command.sample())
        wrong = right[:-1] + ('1' if right.endswith('0') else '0')
        for text in (right, right.upper()):
            self.accept(command.sample(), '--iso-sha256', text)
        done = self.refuse(command.sample(), '--iso-sha256', wrong,
                           pattern=f'sha256 is {right}, not {wrong}')
        self.assertIn('\nhint: ', done.stderr)
        for text in ('', right[1:], right + '0', 'g' * 64, f' {right}'):
            with self.subTest(text):
                self.refuse(command.sample(), '--iso-sha256', text, code=2,
                            pattern='is not a sha256')


class TestBootCfg(BadInputTestCase):

    def test_refused(self) -> None:
        many = '/x.v00' + ' --- /x.v00' * 300
        for cfg, pattern in (
                ('', 'has no kernel='),
                ('modules=/k.b00\nkernelopt=\n', 'has no kernel='),
                ('kernel=/b.b00\nkernelopt=\n', 'has no modules='),
                ('kernel=/b.b00\nmodules=/k.b00\n', 'has no kernelopt='),
                (CFG.replace('kernel=', 'kernel ='), 'blank before "="'),
                (CFG.replace('/k.b00', '/nope.v00'),
                 'names /nope.v00, which is missing'),
                (CFG.replace('/k.b00', '/../k.b00'), 'which is missing'),
                (CFG.replace('/b.b00', '/no.b00'),
                 'names /no.b00, which is missing'),
                (CFG.replace('/k.b00', 'http://evil/k.b00'),
                 'is not on this volume'),
                (CFG.replace('/k.b00', '/k\x1b[31m\a.b00'),
                 'which is missing'),
                (CFG.replace('/k.b00', '/k\xff\x9b.b00'), 'which is missing'),
                (CFG.replace('/k.b00', '/k\r.b00'), 'boot.cfg'),
                (CFG.replace('/k.b00', many), 'modules'),
                (CFG.replace('runweasel', 'x' * 5000), 'command line'),
                (CFG.replace('runweasel', 'a\0b'), 'NUL'),
                (bytes(4096), 'NUL'),
                (CFG * 2 + 'kernel=\n', 'ambiguous'),
                ('#' * (17 << 20), 'bytes')):
            with self.subTest(pattern):
                self.refuse(self.iso({'boot.cfg': cfg}), pattern=pattern,
                            count=None)

    def test_the_other_one(self) -> None:
        self.refuse(self.iso({'efi/boot/boot.cfg': 'x=y\n'}), count=None,
                    pattern='efi/boot/boot.cfg: has no kernel=')

    def test_both_are_told_at_once(self) -> None:
        done = self.refuse(self.iso(dict.fromkeys(
            ('boot.cfg', 'efi/boot/boot.cfg'),
            CFG.replace('/k.b00', '/one --- /two'))), count=4, pattern='one')
        self.assertEqual(2, len([line for line in done.errors
                                 if 'names /two, which is missing' in line]))

    def test_empty_module(self) -> None:
        self.refuse(self.iso({'k.b00': ''}), count=2,
                    pattern='names /k.b00, which is empty')


class TestNames(BadInputTestCase):
    """Names that no file on the partition can have."""

    def test_patched(self) -> None:
        for new, pattern in (
                (b'..', 'means something else'), (b'a/', 'slash'),
                (b'/a', 'slash'), (b'a\\', 'backslash'),
                (b'\xff\xfe', 'not in UTF-8'), (b'a\n', 'control character'),
                (b'\x1bc', 'control character'), (b'a\0', 'control'),
                (b'a\r', 'control'), (b'\xc2\x9b', 'control'),
                (b'a:', 'FAT'), (b'a*', 'FAT'), (b'a"', 'FAT'),
                (b'a.', 'dot'), (b'a ', 'blank')):
            iso = self.iso({'qz': 'file'})
            self.patch(iso, b'NM\x07\x01\x00qz', b'NM\x07\x01\x00' + new)
            with self.subTest(new):
                self.refuse(iso, pattern=pattern)

    def test_folder_that_leads_up(self) -> None:
        iso = self.iso({'qz/passwd': 'file'})
        self.patch(iso, b'NM\x07\x01\x00qz', b'NM\x07\x01\x00..')
        self.refuse(iso, pattern='means something else', count=None)

    def test_joliet(self) -> None:
        iso = self.iso({'qz': 'file'}, '-J', '--norock')
        self.patch(iso, 'qz'.encode('utf-16-be'), 'a/'.encode('utf-16-be'))
        self.refuse(iso, pattern='slash')

    def test_equal_but_for_case(self) -> None:
        for one, other in (('name', 'NAME'), ('K.B00', 'k.b00'),
                           ('ärger', 'Ärger')):
            with self.subTest(one):
                self.refuse(self.iso({one: '1', other: '2'}),
                            pattern='same name as .* where case does not')
        self.refuse(self.iso({'d/x': '1', 'D/x': '2'}),
                    pattern='d: is the same name as D where case')

    def test_name_of_our_own_module(self) -> None:
        self.refuse(self.iso({'ESXIIMG.tgz': 'theirs'}),
                    pattern='(?i)esxiimg.tgz')

    def test_links(self) -> None:
        iso = self.iso({'qz': 'file'})
        # The file's mode in its PX entry: a symbolic link's, a device's.
        data = bytearray(iso.read_bytes())
        at = data.index(b'NM\x07\x01\x00qz')
        start = data.rindex(b'PX', 0, at + 200)
        for start in (data.rindex(b'PX', 0, at), data.index(b'PX', at)):
            if abs(start - at) < 60:
                data[start + 4:start + 12] = crafted.both(0o120777)
        iso.write_bytes(data)
        self.refuse(iso, pattern='symbolic link', count=None)


class TestCrafted(BadInputTestCase):
    """Directories that no program would write."""

    def crafted(self, *entries: bytes, others: collections.abc.Mapping[
            int, bytes] | None = None, blocks: int = 200,
            **descriptor: typing.Any) -> pathlib.Path:
        """An installer in ISO 9660, its root with more entries."""
        def folder(name: bytes, block: int) -> bytes:
            return crafted.record(name, block, 2048, 2)

        def file(name: bytes, block: int, data: bytes) -> bytes:
            at[block] = data
            return crafted.record(name, block, len(data))

        at: dict[int, bytes] = {}
        root = [file(b'B.B00;1', 30, b'kernel'),
                file(b'BOOT.CFG;1', 31, CFG.encode()), folder(b'EFI', 21),
                file(b'K.B00;1', 32, b'k'), file(b'X.V00;1', 33, b'x')]
        at[20] = crafted.directory(*root, *entries)
        at[21] = crafted.directory(folder(b'BOOT', 22), block=21)
        at[22] = crafted.directory(
            file(b'BOOT.CFG;1', 34, CFG.encode()),
            file(b'BOOTX64.EFI;1', 35, b'MZ'), block=22)
        path = self.write('x.iso', crafted.image(
            at | dict(others or {}),
            primary=crafted.descriptor(blocks=blocks, **descriptor)))
        os.truncate(path, blocks * 2048)
        return path

    def test_sound(self) -> None:
        self.assertIn('8.0.3', self.accept(self.crafted()))

    def test_four_gib(self) -> None:
        """FAT32 holds a byte less; no ISO of a sparse file is written."""
        blocks = (4 << 20) // 2 + 300
        for length, pattern in (
                ((1 << 32) - 1, None), (1 << 32, '4294967296 bytes'),
                (5 << 30, '5368709120 bytes')):
            first = (1 << 32) - 2048
            parts = [(100, min(length, first)),
                     (100 + first // 2048, length - first)]
            iso = self.crafted(*(crafted.record(
                b'BIG.;1', block, size, flags=0x80 * (not number))
                for number, (block, size) in enumerate(parts)),
                blocks=blocks + (1 << 20))
            with self.subTest(length):
                if pattern:
                    self.refuse(iso, pattern=f'BIG: has {pattern}, FAT32')
                else:
                    self.assertIn(f'{length} BIG', self.accept(iso))

    def test_loop(self) -> None:
        for block in (20, 21, 40):
            # The root, a sibling, itself.
            others = {40: crafted.directory(
                crafted.record(b'BACK', block, 2048, 2), block=40)}
            with self.subTest(block):
                self.refuse(self.crafted(
                    crafted.record(b'LOOP', 40, 2048, 2), others=others),
                    pattern='directory loop')

    def test_too_deep(self) -> None:
        def nested(depth: int) -> pathlib.Path:
            others = {40 + level: crafted.directory(
                *[crafted.record(b'D', 41 + level, 2048, 2)]
                * (level + 1 < depth), block=40 + level)
                for level in range(depth)}
            return self.crafted(crafted.record(b'D', 40, 2048, 2),
                                others=others)

        self.accept(nested(20))
        self.refuse(nested(60), pattern='directories deep')

    def test_endless(self) -> None:
        self.refuse(self.crafted(crafted.record(b'D', 40, 0xfffff800, 2),
                                 blocks=(4 << 20) // 2),
                    pattern='its directories take more than')

    def test_bomb(self) -> None:
        """Few sectors, millions of names."""
        full = crafted.directory(*(crafted.record(b'%d.;1' % number)
                                   for number in range(40)), block=40)
        self.refuse(self.crafted(
            *(crafted.record(b'D%d' % number, 40, len(full), 2)
              for number in range(200)), others={40: full}),
            pattern='directory loop', count=None)

    def test_behind_the_end(self) -> None:
        self.refuse(self.crafted(crafted.record(b'FAR.;1', 199, 2049)),
                    pattern='FAR: ends at byte 409601, behind the end')
        self.refuse(self.crafted(crafted.record(b'D', 5000, 2048, 2)),
                    pattern='D: truncated')

    def test_dates(self) -> None:
        """The oddest that a volume descriptor can hold."""
        for text in (b'0' * 16, b'9' * 16, b'0001010100000000',
                     b'9999123123595999', b'2024139999999999', b' ' * 16,
                     b'\xff' * 16, b'19700101000000\0\0'):
            for zone in (0, 127, -128):
                created = text + struct.pack('b', zone)
                with self.subTest(created):
                    done = command.run(self.crafted(created=created),
                                       '--dry-run', timeout=SECONDS)
                    self.assert_plain(done.stderr)
                    self.assertIn(done.code, (0, 3), done.stderr)

    def test_label(self) -> None:
        said = self.accept(self.crafted(label=b'\x1b[31m\n\xff\x9b\x7f'))
        self.assertNotRegex(said, r'[\x00-\x09\x0b-\x1f\x7f-\x9f]')
        self.assertIn('\nread\n', said)


class TestKickstart(BadInputTestCase):

    def test_refused(self) -> None:
        for data, pattern in (
                (b'vmaccepteula\nbogus\n', r'ks\.cfg:2: .*"bogus"'),
                (b'vmaccepteula\n\xff\xfe\n', r'ks\.cfg:2: not UTF-8'),
                (b'a\0', r'ks\.cfg:1: a NUL'),
                ('vmaccepteula\n'.encode('utf-16'), r'ks\.cfg:1: '),
                (b'install --disk=\n', r'ks\.cfg:1: '),
                (b'\n\n"open\n', r'ks\.cfg:3: '),
                (b'%bogus\n', r'ks\.cfg:1: '),
                (b'\x1b]0;title\a\x1b[31m\n', r'ks\.cfg:1: '),
                (b'bo\rgus\n', r'ks\.cfg:1: '),
                ('bo\x9bgus\u2028x\n'.encode(), r'ks\.cfg:1: '),
                (b'# x\n' * (1 << 20) + b'#', 'more than')):
            path = self.write('ks.cfg', data)
            with self.subTest(data[:20]):
                self.refuse(command.sample(), '--kickstart', path,
                            pattern=pattern)

    def test_all_is_told_at_once(self) -> None:
        path = self.write('ks.cfg', 'one\ntwo\nthree\n')
        done = self.refuse(command.sample(), '--kickstart', path, count=3,
                           pattern='"one"')
        for number, word in enumerate(('one', 'two', 'three'), 1):
            self.assertRegex(done.errors[number - 1],
                             f'ks.cfg:{number}: .*"{word}"')

    def test_no_file(self) -> None:
        for name, pattern in (('nothing', 'no such file'),
                              ('.', 'is a directory'), ('/dev/zero', 'more')):
            for option in ('--kickstart', '--root-password-hash-file',
                           '--ca-file'):
                with self.subTest(name, option=option):
                    self.refuse(command.sample(), option,
                                self.folder / name, pattern=pattern)

    def test_a_secret_is_not_told(self) -> None:
        """Whatever is wrong with its line."""
        secret = 'Hunter2Hunter2'
        for line in (f'rootpw {secret} more', f'rootpw --bogus {secret}',
                     f'rootpw "{secret}', f'rootpw --iscrypted {secret}',
                     f'rootpw --iscrypted={secret}', f'rootpw={secret}',
                     f'rootpw {secret}\nrootpw {secret}',
                     f'rootpw {secret}\nbogus',
                     f'bogus --password={secret}'):
            path = self.write('ks.cfg', f'{line}\n')
            with self.subTest(line):
                done = command.run(command.sample(), '--dry-run', '--debug',
                                   '--kickstart', path)
                self.assertIn(done.code, (0, 3))
                self.assertNotIn(secret, done.stdout + done.stderr)


class TestHashFile(BadInputTestCase):

    def test_refused(self) -> None:
        self.accept(command.sample(), '--root-password-hash-file',
                    self.write('hash', HASH + '\n'))
        secret = 'Hunter2Hunter2'
        for data in (b'', b'\n', secret.encode(), f'{HASH}{secret}'.encode(),
                     f'{HASH}\n{secret}'.encode(), f' {HASH}'.encode(),
                     f'{HASH}\n\n'.encode(), HASH[:-1].encode(),
                     HASH.replace('$6$', '$1$').encode(),
                     b'\xff\xfe' + secret.encode(),
                     f'root:{HASH}:1:2:3'.encode(), bytes(100)):
            path = self.write('hash', data)
            for options in ((), ('--debug',)):
                with self.subTest(data, options=options):
                    done = command.run(
                        command.sample(), '-o', self.output, *options,
                        '--root-password-hash-file', path)
                    self.assertEqual(3, done.code)
                    for hidden in (secret, HASH[12:60], 'saltsalt'):
                        self.assertNotIn(hidden, done.stdout + done.stderr)
                    self.assertRegex(done.errors[0], 'hash: not one line')
                    self.assertEqual(['hash'], os.listdir(self.folder))

    def test_the_hash_itself_for_the_file(self) -> None:
        """Then the shell's history has it, but the build's log has not."""
        done = self.refuse(command.sample(), '--root-password-hash-file',
                           HASH, pattern='not the hash itself', code=2)
        self.assertNotIn(HASH, done.stderr)


class TestModules(BadInputTestCase):

    def refuse_module(self, name: str, data: bytes, pattern: str) -> None:
        path = self.write(name, data)
        with self.subTest(name, pattern=pattern):
            self.refuse(command.sample(), '--add-module', path,
                        pattern=pattern)
        path.unlink()

    def test_content(self) -> None:
        whole = gzip.compress(random.Random(4).randbytes(9000))
        self.accept(command.sample(), '--add-module',
                    self.write('good.v00', whole))
        for data, pattern in (
                (b'', 'is empty'), (whole[:-1], 'truncated gzip'),
                (whole[:-9], 'truncated gzip'), (whole[:5000], 'truncated'),
                (whole[:2], 'truncated gzip'), (whole + b'x', 'bytes after'),
                (whole + whole, 'bytes after'),
                (whole[:100] + b'\xff' * 50 + whole[150:], 'gzip'),
                (whole[:-8] + bytes(8), 'gzip'),
                (b'!<arch>\ndescriptor.xml', 'is a VIB package'),
                (b'PK\x03\x04' + bytes(99), 'is a zip archive')):
            self.refuse_module('x.v00', data, pattern)

    def test_names(self) -> None:
        data = gzip.compress(b'x')
        for name, pattern in (
                ('s.v00', 'reserves'), ('sb.v00', 'reserves'),
                ('esxiimg.tgz', 'our own'), ('ESXIIMG.TGZ', 'our own'),
                ('a b.v00', 'blanks'), ('ä.v00', 'ASCII'),
                ('a---b.v00', '---'), ('a:b.v00', 'FAT'),
                ('a\n.v00', 'FAT'), ('a\x1b[31m.v00', 'FAT'),
                ('x.', 'dot')):
            self.refuse_module(name, data, pattern)

    def test_same_name(self) -> None:
        data = gzip.compress(b'x')
        for name in ('vmx.v00', 'VMX.V00', 'boot.cfg', 'efi', 'UPGRADE'):
            self.refuse_module(name, data, '(?i)' + name)
        (self.folder / 'other').mkdir()
        one, two = self.write('x.v00', data), self.write('other/X.v00', data)
        self.refuse(command.sample(), '--add-module', one, '--add-module',
                    two, pattern='(?i)x.v00')

    def test_no_file(self) -> None:
        (self.folder / 'folder.v00').mkdir()
        os.mkfifo(self.folder / 'pipe.v00')
        for name, pattern in (
                ('nothing.v00', 'no such file'), ('/dev/zero', 'not a file'),
                ('folder.v00', 'is a directory'),
                ('pipe.v00', 'not a file')):
            with self.subTest(name):
                self.refuse(command.sample(), '--add-module',
                            self.folder / name,
                            pattern=f'module .*{pattern}')
        self.refuse(command.sample(), '--add-module', '',
                    pattern='--add-module names no file', code=2)

    def test_it_is_what_was_handed_in(self) -> None:
        data = gzip.compress(b'x')
        said = self.accept(command.sample(), '--json', '--add-module',
                           self.write('good.v00', data))
        self.assertIn(hashlib.sha256(data).hexdigest(), said)
