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

"""The firmware's own FAT driver reads every file as it is on the ISO.

It is the one that the boot loader asks for files.  The sample ISO has no
program to start, so OVMF ends up in its shell, which runs a script from
another disk that compares the files of both.
"""

import pathlib
import re
import sys

from tests import base
from tests.functional import qemu
from tests.functional import test_boot

DONE = 'COMPARED ALL'
EDITED = set(test_boot.BOOT_CFGS)
HEAD = ('@echo -off', r'if exist fs0:\startup.nsh then', 'set -v iso fs0:',
        'set -v esp fs1:', 'else', 'set -v iso fs1:', 'set -v esp fs0:',
        'endif')


def script(names: list[str]) -> str:
    """What the shell shall do: say SAME or OTHER for each file."""
    lines = [*HEAD]
    for name in names:
        path = name.replace('/', '\\')
        lines += [f'comp -n 1 %esp%\\{path} %iso%\\{path}',
                  'if %lasterror% == 0 then', f'echo SAME {name}', 'else',
                  f'echo OTHER {name}', 'endif']
    return '\r\n'.join([*lines, f'echo {DONE}', ''])


class TestFirmware(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require(qemu.PROGRAM, *qemu.firmware(), 'xorriso', 'mkfs.vfat',
                     'mcopy')
        self.folder = self.tmp()
        self.iso = self.folder / 's.iso'
        test_boot.run(sys.executable, '-m',
                      'esxi_img.cmd.sample_iso', '--size-mb', '8', self.iso)

    def image(self, sector_size: int) -> pathlib.Path:
        image = self.folder / 's.img'
        test_boot.run(sys.executable, '-m', 'esxi_img',
                      '--sector-size', str(sector_size), '-o', image,
                      self.iso)
        return image

    def theirs(self) -> tuple[pathlib.Path, list[str]]:
        """A disk with the ISO's files and the script, and their names."""
        tree, disk = self.folder / 'tree', self.folder / 'theirs.img'
        test_boot.run('xorriso', '-osirrox', 'on', '-indev', self.iso,
                      '-extract', '/', tree)
        test_boot.run('chmod', '-R', 'u+w', tree)
        names = sorted(str(path.relative_to(tree))
                       for path in tree.rglob('*') if path.is_file())
        (tree / 'startup.nsh').write_text(script(names))
        with open(disk, 'wb') as file:
            file.truncate(40 * test_boot.MIB)
        test_boot.run('mkfs.vfat', '-F', '32', disk)
        test_boot.run('mcopy', '-s', '-i', disk, *tree.iterdir(), '::/')
        return disk, names

    def check(self, image: pathlib.Path, bus: str, *other: str) -> None:
        """The firmware finds all files the same, but these."""
        disk, names = self.theirs()
        log = qemu.boot(image, bus, disk, DONE, shell=True)
        self.assertIn(f'\n{DONE}', log)
        said = dict(reversed(pair) for pair in re.findall(
            r'^(SAME|OTHER) (\S+)$', log, re.MULTILINE))
        self.assertEqual(names, sorted(said))
        self.assertEqual(EDITED | set(other), {
            name for name in names if said[name] == 'OTHER'})

    def test_512(self) -> None:
        self.check(self.image(512), 'sata')

    def test_4096(self) -> None:
        self.check(self.image(4096), 'nvme-4096')

    def test_damage_is_seen(self) -> None:
        image = self.image(512)
        content = image.read_bytes()
        test_boot.run('xorriso', '-osirrox', 'on', '-indev', self.iso,
                      '-extract', '/k.b00', self.folder / 'k.b00')
        at = content.index((self.folder / 'k.b00').read_bytes()) + 70000
        with open(image, 'r+b') as file:
            file.seek(at)
            file.write(bytes([content[at] ^ 0x80]))
        self.check(image, 'sata', 'k.b00')
