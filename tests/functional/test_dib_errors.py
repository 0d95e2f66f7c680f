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

"""disk-image-create says what cannot be, and leaves nothing behind."""

from tests.functional import command
from tests.functional import dib
from tests.functional import test_image
from tests.functional import test_secrets

TINY = 'mount -t tmpfs -o size=8m tmpfs "$place/{}"'
"""Shell that makes a folder of a run's a small one."""


class TestRefused(dib.TestCase):
    """What can be told before any work is."""

    def test_all_at_once(self) -> None:
        """What ESXi has no use for is told by name, all of it."""
        phases = ('pre-install', 'install', 'post-install', 'finalise')
        for phase in phases:
            path = self.element(f'my-{phase}', {
                f'{phase}.d/50-foreign': 'true'})
        done = self.refused(
            'devuser', '-t', 'raw,tar,tgz,aci', '-p', 'curl,vim', '-o', 'x',
            dib.ELEMENT, '-p', 'wget', 'devuser', *(
                f'my-{phase}' for phase in phases),
            ELEMENTS_PATH=path, DIB_ESXI_ISO=None, DIB_IMAGE_EXTRA_SIZE=1,
            DIB_BLOCK_DEVICE_CONFIG='[{local_loop: {name: image0, mkfs: '
                                    '{type: ext2, label: x, mount: '
                                    '{mount_point: /}}}}]')
        wanted = (r'element devuser\b.*\binstall[.]d',
                  *(rf'element my-{phase}\b.*\b{phase}[.]d'
                    for phase in phases),
                  *(f'-p {name}:' for name in ('curl', 'vim', 'wget')),
                  *(f'-t {kind}:' for kind in ('tar', 'tgz', 'aci')),
                  'DIB_BLOCK_DEVICE_CONFIG', '--image-extra-size',
                  'DIB_ESXI_ISO is not set')
        for pattern in wanted:
            self.assertRegex('\n'.join(done.errors), f'(?m)^{pattern}')
        self.assertEqual(len(wanted), len(done.errors), done.stderr)

    def test_variables(self) -> None:
        names = ('DIB_ESXI_BOGUS', 'DIB_ESXI_FORMAT', 'DIB_ESXI_IMAGE_SIZE',
                 'DIB_ESXI_SECTOR_SIZE', 'DIB_ESXI_SSH',
                 'DIB_ESXI_SERIAL_CONSOLE')
        done = self.refused('BOGUS', **dict.fromkeys(names, 'maybe'))
        self.assertEqual(sorted(names), sorted(
            line.split(':')[0] for line in done.errors))

    def test_others(self) -> None:
        """One each: the ISO, its size, files, the output."""
        data = command.sample().read_bytes()
        self.write('cut.iso', data[:len(data) // 2])
        (self.folder / 'linux').mkdir()
        self.write('linux/vmlinuz', 'MZ')
        test_image.run('xorriso', '-as', 'mkisofs', '-quiet', '-R', '-o',
                       self.folder / 'linux.iso', self.folder / 'linux')
        self.write('ks.cfg', 'bogus\n')
        self.write('hash', test_secrets.SECRET)
        for pattern, options, variables in (
                ('no.iso: no such', (), {'ISO': 'no.iso'}),
                ('^/no/file.iso: no such', (), {
                    'ISO': 'file:///no/file.iso'}),
                *((said, (), {'ISO': self.folder / said.split(':')[0]})
                  for said in ('cut.iso: truncated', 'linux.iso: .*boot.cfg')),
                ('sha256', (), {'ISO_SHA256': '0' * 64}),
                ('ks.cfg:1', (), {'KICKSTART': self.folder / 'ks.cfg'}),
                ('hash: not one line', (), {
                    'ROOT_PASSWORD_HASH_FILE': self.folder / 'hash'}),
                ('no.hash: no such', (), {
                    'ROOT_PASSWORD_HASH_FILE': 'no.hash'}),
                ('image-size 0.01: .*needs', ('--image-size', 0.01), {}),
                ('folder no/such does not', ('-o', 'no/such/x'), {})):
            with self.subTest(pattern):
                done = self.refused(
                    pattern, '-x', *dib.RAW, *options,
                    **{f'DIB_ESXI_{name}': value
                       for name, value in variables.items()})
                self.assertNotIn(test_secrets.SECRET, done.stderr)


class TestRoom(dib.TestCase):
    """No room for the image, or for the work."""

    def test_no_room(self) -> None:
        iso = command.sample(40)
        for pattern, first, variables in (
                (r'^folder [.]: has \d+ bytes free', TINY.format('out'), {}),
                (r'/tmp/.*: has \d+ bytes free', TINY.format('tmp'), {
                    'DIB_NO_TMPFS': 1}),
                ('output folder [.]: permission', TINY.format('out')
                 + '; mount -o remount,ro "$place/out"', {})):
            with self.subTest(first):
                self.refused(pattern, *dib.RAW, first=first,
                             DIB_ESXI_ISO=iso, **variables)


class TestTree(dib.TestCase):
    """What other elements have left would not start."""

    def test_tree(self) -> None:
        for name, pattern, hook in (
                ('absent', 'absent.v00, which is missing',
                 "sed -i '/^modules=/ s|$| --- /absent.v00|' boot.cfg"),
                ('lost', 'does not name /esxiimg.tgz',
                 "sed -i 's| --- /esxiimg.tgz||' efi/boot/boot.cfg"),
                ('link', '/a-link: is neither', 'ln -s boot.cfg a-link')):
            with self.subTest(name):
                self.refused(
                    pattern, *dib.RAW, name,
                    ELEMENTS_PATH=self.element(name, {
                        'post-root.d/50-spoil': f'cd {dib.TREE}; {hook}'}))
