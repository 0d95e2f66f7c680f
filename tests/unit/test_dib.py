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


import yaml

from esxi_img import dib
from tests import base

ELEMENTS = {
    'base': '/dib/elements/base', 'cache-url': '/dib/elements/cache-url',
    'esxi-installer': '/srv/esxi elements/esxi-installer'}


def environ(*argv, **given):
    """The variables as disk-image-create exports them.

    export DIB_ARGS="$@", and element-info's YAML, which ends in a newline.
    """
    return {'DIB_ARGS': ' '.join(argv), 'IMAGE_NAME': 'image',
            'IMAGE_ELEMENT_YAML': yaml.safe_dump(ELEMENTS),
            'IMAGE_TYPE': 'qcow2', **given}


class ReadTests(base.TestCase):

    def types(self, *argv):
        return dib.read(environ(*argv)).types

    def packages(self, *argv):
        return dib.read(environ(*argv)).packages

    def test_a_plain_run(self):
        self.assertEqual(dib.Request(
            output='/srv/esxi', types=('raw', 'qcow2'), packages=(),
            elements=ELEMENTS, block_device=False, extra_size=''),
            dib.read(environ('-t', 'raw,qcow2', '-o', '/srv/esxi',
                             'esxi-installer', IMAGE_NAME='/srv/esxi')))

    def test_what_is_not_said(self):
        self.assertEqual(dib.Request(output='image'), dib.read({}))
        self.assertEqual(dib.Request(output='image'), dib.read(
            {'DIB_ARGS': '', 'IMAGE_NAME': '', 'IMAGE_ELEMENT_YAML': '',
             'DIB_BLOCK_DEVICE_CONFIG': '', 'DIB_IMAGE_EXTRA_SIZE': ''}))

    def test_types(self):
        for argv, wanted in (
                ((), ('qcow2',)),
                (('-t', 'raw', 'esxi-installer'), ('raw',)),
                (('-traw', 'esxi-installer'), ('raw',)),
                (('esxi-installer', '-t', 'raw,qcow2'), ('raw', 'qcow2')),
                (('-traw,qcow2', '-oesxi'), ('raw', 'qcow2')),
                (('-t', 'raw,'), ('raw',)),
                # The last one holds.
                (('-t', 'raw', '-t', 'tar'), ('tar',)),
                (('-xuct', 'tar'), ('tar',)),
                (('-x', '-x', '-n', '-t', 'vhd', '-a', 'amd64'), ('vhd',)),
                (('--image-size=1', '-t', 'raw'), ('raw',)),
                (('--image-size', '1', '-t', 'raw'), ('raw',)),
                (('--no-tmpfs', '--offline', '--checksum', '--logfile',
                  '/var/log/x', '-t', 'raw'), ('raw',)),
                # An argument of another, not an option.
                (('-o', '-t', 'esxi-installer'), ('qcow2',)),
                (('-t', 'raw', '--', 'esxi-installer', '-t', 'tar'),
                 ('raw',))):
            self.assertEqual(wanted, self.types(*argv), argv)

    def test_packages(self):
        for argv, wanted in (
                (('-t', 'raw', 'esxi-installer'), ()),
                (('-p', 'a,b', '-p', 'c', 'esxi-installer'),
                 ('a', 'b', 'c')),
                (('-pvim', 'esxi-installer', '-p', 'less,'),
                 ('vim', 'less')),
                (('-np', 'vim'), ('vim',))):
            self.assertEqual(wanted, self.packages(*argv), argv)

    def test_lost_quotes(self):
        self.assertEqual(('raw',), self.types(
            '-o', 'my own image', '-t', 'raw', 'esxi-installer'))
        self.assertEqual(('raw',), self.types(
            '--qemu-img-options', 'a=b, c=d', '-t', 'raw'))
        self.assertEqual(('raw',), self.types(
            '-o', 'it"s\' $HOME\n', '-t', 'raw'))

    def test_values_that_look_like_options(self):
        # --mkfs-options is one string of several words.
        for argv in (('-t', 'raw', '--mkfs-options', '-O ^64bit'),
                     ('--mkfs-options', '-i 8192 -O ^64bit', '-t', 'raw')):
            self.assertEqual(('raw',), self.types(*argv), argv)

    def test_options_of_a_later_version(self):
        for argv, types in ((('--brand-new', '-t', 'raw'), ('raw',)),
                            (('-Z', '-t', 'raw'), ('raw',)),
                            (('esxi-installer', '-t'), ('qcow2',))):
            self.assertEqual(types, self.types(*argv))
            self.assertEqual((), self.packages(*argv))

    def test_the_rest(self):
        request = dib.read(environ(
            IMAGE_NAME='my image', DIB_IMAGE_EXTRA_SIZE='200',
            DIB_BLOCK_DEVICE_CONFIG='file:///x.yaml'))
        self.assertEqual(('my image', '200', True), (
            request.output, request.extra_size, request.block_device))

    def test_output_folder(self):
        for output, wanted in (('esxi', '.'), ('out/esxi', 'out'),
                               ('/esxi', '/'), ('/a/b/esxi', '/a/b'),
                               ('./esxi', '.')):
            self.assertEqual(wanted, dib.output_folder(dib.Request(output)))


class ProblemTests(base.TestCase):

    def problems(self, hooks=None, **changes):
        return dib.problems(dib.Request('esxi', **changes), hooks or {})

    def test_none(self):
        self.assertEqual([], self.problems({
            'base': ['install.d', 'pre-install.d', 'environment.d'],
            'mine': ['root.d', 'extra-data.d', 'post-root.d', 'cleanup.d',
                     'pre-finalise.d', 'block-device.d', 'environment.d',
                     'README.rst', 'bin', 'install.d.bak']},
            types=('raw', 'qcow2', 'vhd', 'vhdx', 'vmdk')))

    def test_hooks_inside_the_image(self):
        for folder in ('pre-install.d', 'install.d', 'post-install.d',
                       'finalise.d'):
            problem, = self.problems({'mine': ['root.d', folder], 'ok': []})
            self.assertIn('element mine ', problem)
            self.assertIn(f'({folder})', problem)
        problems = self.problems({
            'vm': ['install.d', 'finalise.d'], 'base': ['install.d'],
            'baseline': ['install.d']})
        self.assertEqual(2, len(problems))
        self.assertIn('baseline', problems[0])
        self.assertIn('vm', problems[1])
        self.assertIn('(install.d, finalise.d)', problems[1])

    def test_packages(self):
        problems = self.problems(packages=('vim', 'less'))
        self.assertEqual(2, len(problems))
        self.assertIn('-p vim', problems[0])
        self.assertIn('-p less', problems[1])

    def test_types_that_hold_no_disk(self):
        for kind in ('tar', 'tgz', 'squashfs', 'docker', 'aci'):
            problem, = self.problems(types=('raw', kind))
            self.assertIn(f'-t {kind}', problem)
            self.assertIn('raw or qcow2', problem)

    def test_layout_of_another(self):
        problem, = self.problems(block_device=True)
        self.assertIn('DIB_BLOCK_DEVICE_CONFIG', problem)

    def test_extra_size(self):
        problem, = self.problems(extra_size='100')
        self.assertIn('--image-extra-size', problem)
        self.assertIn('--image-size', problem)

    def test_all_at_once(self):
        self.assertEqual(6, len(self.problems(
            {'vm': ['install.d'], 'other': ['finalise.d']},
            packages=('vim',), types=('tgz',), block_device=True,
            extra_size='1')))
