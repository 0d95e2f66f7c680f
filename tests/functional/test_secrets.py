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

"""The root password's hash is in the image and nowhere else."""

import base64
import gzip
import os
import struct

from esxi_img.disk import readfat
from esxi_img.disk import readgpt
from tests.functional import command

HASH = '$6$rounds=5000$saltsalt$' + 'Ab./019z' * 10 + 'Xy./01'
SECRET = HASH[23:]


class TestSecrets(command.TestCase):
    """The hash is in the image's rootpw.cfg, and nowhere else."""

    def setUp(self) -> None:
        super().setUp()
        self.hash = self.write('hash', f'{HASH}\n')
        self.options = ('--root-password-hash-file', self.hash)

    def assert_silent(self, done: command.Done, code: int = 0) -> None:
        self.assertEqual(code, done.code, done.stderr)
        for said in (done.stdout, done.stderr):
            self.assertNotIn(SECRET[:20], said)
            self.assertNotIn('saltsalt', said)
            self.assertNotIn(base64.b64encode(HASH.encode()).decode()[:30],
                             said)

    def members(self) -> dict[str, tuple[int, bytes]]:
        """Every file of the image, by name: its offset and its bytes."""
        fd = os.open(self.output, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        part, = readgpt.read(fd, 'x').partitions
        volume = readfat.read(fd, part.offset, part.size, 'x')
        return {'/'.join(file.path): (file.extents[0].offset, b''.join(
            os.pread(fd, extent.length, extent.offset)
            for extent in file.extents))
            for file in volume.files if file.extents}

    def test_build(self) -> None:
        done = command.run(command.sample(), '-o', self.output,
                           *self.options)
        self.assert_silent(done)
        self.assertNotIn(HASH.encode(), self.output.read_bytes())
        _, bundle = self.members()['esxiimg.tgz']
        tar = gzip.decompress(bundle)
        self.assertEqual(1, tar.count(HASH.encode()))
        at = tar.index(HASH.encode())
        header = max(tar.rfind(name, 0, at) for name in (
            b'esxiimg/KS.CFG\0', b'esxiimg/build.json\0',
            b'esxiimg/rootpw.cfg\0', b'esxiimg/settings.json\0',
            b'esxiimg/firstboot/'))
        self.assertTrue(tar[header:].startswith(b'esxiimg/rootpw.cfg\0'))
        content = tar[header + 512:header + 1024].rstrip(b'\0').decode()
        self.assertEqual(f'rootpw --iscrypted {HASH}\n', content)
        self.assertEqual({'hash', 'x.img'}, set(os.listdir(self.folder)))

    def test_inspect(self) -> None:
        command.run(command.sample(), '-o', self.output, *self.options)
        done = command.run(self.output, module=command.INSPECT)
        self.assert_silent(done)
        self.assertIn('rootpw --iscrypted (set)', done.stdout)
        # An image that is damaged is told about no less carefully.
        with open(self.output, 'r+b') as file:
            file.seek(520)
            file.write(struct.pack('<L', 7))
        for options in ((), ('--debug',)):
            self.assert_silent(command.run(
                self.output, *options, module=command.INSPECT), 3)

    def test_dry_run(self) -> None:
        for options in ((), ('--json',), ('--debug',)):
            done = command.run(command.sample(), '--dry-run', *options,
                               *self.options)
            self.assert_silent(done)
            self.assertIn('rootpw --iscrypted (set)', done.stdout)

    def test_errors(self) -> None:
        (self.folder / 'folder').mkdir()
        ks = self.write('ks.cfg', 'bogus\n')
        for options, code in (
                (('-o', self.folder / 'folder'), 2), ((), 2),
                (('--kickstart', ks, '--dry-run'), 3),
                (('--kernel-option', 'a b', '--dry-run'), 2),
                (('--install-disk', 'x', '--dry-run'), 2),
                (('--kernel-option', 'x=' + 'y' * 5000, '--dry-run'), 3)):
            for debug in ((), ('--debug',)):
                with self.subTest(options, debug=debug):
                    self.assert_silent(command.run(
                        command.sample(), *options, *debug, *self.options),
                        code)

    def test_user_s_rootpw(self) -> None:
        """In the user's own text the same holds."""
        ks = self.write('ks.cfg', f'rootpw --iscrypted {HASH}\n'
                                  '%firstboot --interpreter=busybox\n'
                                  f'PASSWORD="{SECRET}"\n')
        self.assert_silent(command.run(
            command.sample(), '-o', self.output, '--kickstart', ks))
        for module, options in (
                (command.BUILD, (command.sample(), '--dry-run',
                                 '--kickstart', ks)),
                (command.BUILD, (command.sample(), '--dry-run', '--json',
                                 '--kickstart', ks, *self.options)),
                (command.INSPECT, (self.output,))):
            self.assert_silent(command.run(*options, module=module))

    def test_arguments_of_qemu_img(self) -> None:
        """Other users see a process's command line and its environment."""
        programs = self.folder / 'bin'
        programs.mkdir()
        seen = self.folder / 'seen'
        program = programs / 'qemu-img'
        program.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >"{seen}"\n'
                           'exit 1\n')
        program.chmod(0o755)
        command.run(command.sample(), '-o', self.output, '--format', 'qcow2',
                    *self.options, env=command.environment(
                        PATH=f'{programs}:{os.environ["PATH"]}'))
        self.assertIn('convert', seen.read_text())
        self.assertNotIn(SECRET[:20], seen.read_text())
