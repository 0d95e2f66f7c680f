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

"""disk-image-create makes the image that esxi-img makes."""

import os
import pathlib
import re
import signal
import sys

import yaml

from tests.functional import command
from tests.functional import dib
from tests.functional import test_image
from tests.functional import test_same_bytes

HASH = test_same_bytes.HASH
PASSWORD = 'Passphrase-of-a-kickstart'
SECRETS = (HASH, HASH[23:43], PASSWORD)
KICKSTART = f'rootpw {PASSWORD}\nkeyboard German\n%firstboot\nuname -a\n'
EXAMPLES = dib.PROJECT / 'docs/source/user/example/elements'
IDS = re.compile(r'(?:identifier \(GUID\)|unique GUID|recipe_id): (\S+)')
SUDOERS = '#{user} ALL = (ALL) NOPASSWD: ALL\nroot ALL = (ALL) ALL\n'
"""All that sudo needs to know, with a number for a name."""


class TestFormats(dib.TestCase):
    """-t, -n, -u, --checksum, --image-size, with tmpfs and without."""

    def test_both_with_checksums(self) -> None:
        iso = command.sample(40)
        out = self.built('-t', 'raw,qcow2', '--checksum', '-o', 'both',
                         dib.ELEMENT, DIB_ESXI_ISO=iso)
        names = [f'both.{kind}{suffix}' for kind in ('qcow2', 'raw')
                 for suffix in ('', '.md5', '.sha256')]
        self.assertEqual(names, sorted(os.listdir(out)))
        for program in ('md5sum', 'sha256sum'):
            for kind in ('qcow2', 'raw'):
                test_image.run(program, '-c', '--strict',
                               f'both.{kind}.{program[:-3]}', cwd=out)
        want = self.cli(iso=iso)
        for kind in ('qcow2', 'raw'):
            self.assert_same(want, out / f'both.{kind}')
            self.assertIn('esxiimg/KS.CFG', self.inspect(out / f'both.{kind}'))
        self.judge(iso, out / 'both.raw', 512, dib.OURS)

    def test_raw_without_base_and_tmpfs(self) -> None:
        """The ISO's path is relative to the folder that all starts in."""
        iso = os.path.relpath(command.sample(), self.folder / 'run1' / 'out')
        out = self.built('-n', '-t', 'raw', '-o', '../out/./x.raw',
                         dib.ELEMENT, DIB_ESXI_ISO=iso, DIB_NO_TMPFS=1)
        self.assertEqual(['x.raw'], os.listdir(out))
        self.assert_same(self.cli(), out / 'x.raw')

    def test_qcow2_by_default(self) -> None:
        """An ISO where other distributions' elements look for theirs."""
        out = self.built('-u', '-o', 'x.qcow2', dib.ELEMENT,
                         DIB_ESXI_ISO='', DIB_LOCAL_IMAGE=command.sample())
        self.assertEqual(['x.qcow2'], os.listdir(out))
        self.assert_same(self.cli(), out / 'x.qcow2')

    def test_image_size(self) -> None:
        out = self.built('-t', 'raw', '--image-size', 1, '-o', 'x',
                         dib.ELEMENT,
                         DIB_ESXI_ISO=f'file://{command.sample()}')
        self.assertEqual(1 << 30, (out / 'x.raw').stat().st_size)
        self.assert_same(self.cli('--image-size', 1), out / 'x.raw')
        self.judge(command.sample(), out / 'x.raw', 512, dib.OURS)
        self.inspect(out / 'x.raw')


class TestOptions(dib.TestCase):
    """Each option of esxi-img has a variable."""

    def setUp(self) -> None:
        super().setUp()
        self.hash = self.write('hash', f'{HASH}\n')
        for name in ('one.v00', 'two.v00'):
            self.write(name, dib.MODULE)

    def check(self, options: tuple[command.Word, ...],
              variables: dict[str, command.Word]) -> pathlib.Path:
        """The image, which has the bytes that esxi-img's has."""
        out = self.built('-x', *dib.RAW, **variables)
        self.assert_same(self.cli(*options), out / 'x.raw')
        for secret in SECRETS:
            self.assertNotIn(secret, self.log.stderr)
        return out / 'x.raw'

    def test_all(self) -> None:
        modules = [self.folder / name for name in ('one.v00', 'two.v00')]
        image = self.check((
            '--sector-size', 4096,
            '--iso-sha256', command.digest(command.sample()),
            '--kernel-option', 'one=1', '--kernel-option', 'two',
            '--installed-kernel-option', 'three=$3',
            '--installed-kernel-option', 'four',
            '--serial-console', 'com1', '--add-module', modules[0],
            '--add-module', modules[1], '--install-disk', 'firstdisk=local',
            '--install-option', '--novmfsondisk',
            '--root-password-hash-file', self.hash, '--only-management',
            '--keep-config-drive', '--no-ssh', '--no-shell'), {
            'DIB_ESXI_SECTOR_SIZE': 4096,
            'DIB_ESXI_ISO_SHA256': command.digest(command.sample()),
            'DIB_ESXI_KERNEL_OPTION': 'one=1\ntwo',
            'DIB_ESXI_INSTALLED_KERNEL_OPTION': '\n  three=$3\n\nfour\n',
            'DIB_ESXI_SERIAL_CONSOLE': 'com1',
            'DIB_ESXI_ADD_MODULE': '\n'.join(map(str, modules)),
            'DIB_ESXI_INSTALL_DISK': 'firstdisk=local',
            'DIB_ESXI_INSTALL_OPTION': '--novmfsondisk',
            'DIB_ESXI_ROOT_PASSWORD_HASH_FILE': self.hash,
            'DIB_ESXI_ONLY_MANAGEMENT': 'true',
            'DIB_ESXI_KEEP_CONFIG_DRIVE': '1',
            'DIB_ESXI_SSH': 'no', 'DIB_ESXI_SHELL': 'off'})
        self.judge(command.sample(), image, 4096,
                   (*dib.OURS, 'one.v00', 'two.v00'))
        self.inspect(image)

    def test_file_and_environment(self) -> None:
        """A variable wins over the file, and an empty one is none."""
        self.write('ks.cfg', KICKSTART)
        file = self.write('x.conf', '[DEFAULT]\nsector_size = 4096\n'
                          'kernel_option = lost=1\nserial_console = com2\n'
                          'format = qcow2\ncompress = true\nssh = false\n'
                          f'kickstart = {self.folder}/ks.cfg\n')
        self.check((
            '--config-file', file, '--format', 'raw', '--no-compress',
            '--sector-size', 512, '--kernel-option', 'won=1'), {
            'DIB_ESXI_CONFIG_FILE': file, 'DIB_ESXI_SECTOR_SIZE': '512',
            'DIB_ESXI_KERNEL_OPTION': 'won=1', 'DIB_ESXI_SSH': '',
            'DIB_ESXI_SERIAL_CONSOLE': ''})


class TestElements(dib.TestCase):
    """The image holds what other elements have made of the tree."""

    def ids(self, image: pathlib.Path) -> list[str]:
        """GUIDs of the disk and of its partition, and the recipe's id."""
        return [IDS.search(said)[1] for said in (
            test_image.run('sgdisk', '-p', image),
            test_image.run('sgdisk', '-i', '1', image),
            self.inspect(image))]

    def test_own(self) -> None:
        path = self.element('mine', {
            name: f'cd {dib.TREE}; {text}' for name, text in {
                'root.d/60-mine': 'echo root >root.txt',
                'extra-data.d/10-mine':
                    'mkdir -p Folder/of/mine; echo 10 >Folder/of/mine/f.txt\n'
                    'echo "before ours" >>root.txt\n'
                    'gzip -nc /etc/passwd >tools.t00',
                'extra-data.d/60-mine':
                    'grep -q esxiimg boot.cfg\n'
                    'printf %5000s >>vmware-esx-base-osl.txt',
                'post-root.d/50-mine': 'rm upgrade/profile.xml',
                'pre-finalise.d/50-mine': 'chmod 0 root.txt',
                'cleanup.d/89-mine': 'echo 89 >"of 89"'}.items()})
        images = [self.built(*dib.RAW, 'mine', ELEMENTS_PATH=path) / 'x.raw'
                  for _ in range(2)]
        self.assert_same(*images)
        untouched = self.cli()
        for ids in zip(self.ids(images[0]), self.ids(untouched)):
            self.assertNotEqual(*ids)
        found, plain = self.files(images[0]), self.files(untouched)
        changed = {name for name in found.keys() | plain.keys()
                   if found.get(name) != plain.get(name)}
        self.assertEqual(
            {'Folder/of/mine/f.txt', 'root.txt', 'tools.t00', 'of 89',
             'vmware-esx-base-osl.txt', 'upgrade/profile.xml',
             # It tells of what it was made with.
             'esxiimg.tgz'}, changed)
        self.assertNotIn('upgrade/profile.xml', found)
        part = self.partition(images[0], 512)
        for name, content in (('root.txt', 'root\nbefore ours\n'),
                              ('Folder/of/mine/f.txt', '10\n'),
                              ('of 89', '89\n')):
            self.assertEqual(content, test_image.run(
                'mtype', '-i', part, f'::{name}'))

    def test_nodepool_of_the_documentation(self) -> None:
        """Nodepool's own command line; its log may be read by many."""
        self.write('root.hash', f'{HASH}\n')
        self.write('ks.cfg', KICKSTART)
        self.write('driver.v00', dib.MODULE)
        text = (EXAMPLES.parent / 'nodepool.yaml').read_text()
        for theirs, ours in (
                ('/opt/esxi-img/share/esxi-img/elements', dib.elements()),
                ('/etc/nodepool/elements', EXAMPLES),
                ('/etc/nodepool/esxi', self.folder),
                ('https://.*[.]iso', command.sample())):
            text, count = re.subn(theirs, str(ours), text)
            self.assertTrue(count, theirs)
        config = yaml.safe_load(text)
        image, = config['diskimages']
        self.assertTrue(image['dib-cmd'].endswith('/disk-image-create'))
        variables = {
            name: value for name, value in image['env-vars'].items()
            # These are as in all tests.
            if name not in ('TMPDIR', 'DIB_IMAGE_CACHE')}
        out = self.built(
            '-x', '-t', ','.join(image['formats']), '--checksum',
            '--no-tmpfs', '--qemu-img-options', 'compat=0.10', '-o',
            f'{image["name"]}-1', *image['elements'], DIB_RELEASE='',
            DIB_IMAGE_NAME=image['name'], DIB_IMAGE_FILENAME='x',
            ELEMENTS_PATH=config['elements-dir'], **variables)
        raw, qcow2 = (out / f'{image["name"]}-1.{kind}'
                      for kind in ('raw', 'qcow2'))
        self.assert_same(raw, qcow2)
        self.assertEqual(command.digest(self.folder / 'driver.v00'),
                         self.files(raw)['driver.v00'])
        part = self.partition(raw, 512)
        for cfg in dib.OURS[:2]:
            self.assertRegex(
                test_image.run('mtype', '-i', part, f'::{cfg}'),
                '(?m)^modules=.* --- /esxiimg.tgz --- /driver.v00$')
        self.assertIn('systemMediaSize=min', self.inspect(raw))
        for secret in SECRETS:
            self.assertNotIn(secret, self.log.stderr)


class TestUser(dib.TestCase):
    """Who may use sudo need not be root."""

    def test_nobody(self) -> None:
        user = dib.NOBODY
        iso = self.write('x.iso', command.sample().read_bytes())
        sudoers = self.write('sudoers', SUDOERS.format(user=user))
        sudoers.chmod(0o440)
        out = self.built(
            *dib.RAW, DIB_ESXI_ISO=iso, user=user,
            first=f'mount --bind {sudoers} /etc/sudoers\n'
                  f'{dib.reachable(sys.base_prefix)}')
        image = out / 'x.raw'
        self.assert_same(self.cli(), image)
        self.assertEqual(user, image.stat().st_uid)


class TestTerminated(dib.TestCase):
    """A build that is told to end, wherever it is, ends and clears away."""

    def test_terminated(self) -> None:
        for hook, text in (
                ('root.d/60-end', 'kill $PID; sleep .5'),
                # As soon as there is a file to write the image to.
                ('cleanup.d/89-end', 'before=$(ls -A "$TMP_IMAGE_DIR")\n'
                 '(while [ "$before" = "$(ls -A "$TMP_IMAGE_DIR")" ]; do\n'
                 '    sleep .01\ndone; kill $PID) &')):
            name = hook.replace('.d/', '-')
            path = self.element(name, {
                hook: f'PID=$(cat "$PID_FILE"); {text}'})
            with self.subTest(hook):
                pid = self.folder / 'pid'
                done = self.dib(
                    *dib.RAW, name, ELEMENTS_PATH=path, PID_FILE=pid,
                    prefix=('bash', '-c', f'echo $$ >{pid}; exec "$@"',
                            'bash'))
                self.assertEqual(128 + signal.SIGTERM, done.code, done.stderr)
                self.assertEqual([], self.place.noted('images'))
