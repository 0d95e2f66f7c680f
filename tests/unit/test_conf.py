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
import io
import os
from unittest import mock

from esxi_img import conf
from esxi_img.conf import opts
from esxi_img import errors
from tests import base


class ConfTests(base.TestCase):

    def load(self, *argv, default='/nonexistent/file'):
        return conf.load(argv, 'esxi-img', '1.2.3', default)

    def options(self, *argv, **kwargs):
        return self.load('a.iso', *argv, **kwargs)[0]

    def file(self, text):
        path = self.tmp() / 'esxi-img.conf'
        path.write_text(text)
        return str(path)

    def refused(self, *argv, **kwargs):
        with self.assertRaises(errors.RequestError) as caught:
            self.load(*argv, **kwargs)
        self.assertEqual(2, caught.exception.exit_code)
        return str(caught.exception)

    def test_defaults(self):
        options = self.options()
        self.assertEqual(
            ('a.iso', None, 'raw', 512, 'auto', (), False, None),
            (options.iso, options.output, options.format,
             options.sector_size, options.install_disk,
             options.kernel_option, options.compress, options.kickstart))

    def test_command_line(self):
        options, talk = self.load(
            '--output', 'x', '--kernel-option', 'a=1', 'my.iso',
            '--kernel-option', 'b', '--sector-size', '4096', '--quiet',
            '--format=qcow2', '--compress', '--force')
        self.assertEqual(
            ('my.iso', 'x', ('a=1', 'b'), 4096, 'qcow2', True, True),
            (options.iso, options.output, options.kernel_option,
             options.sector_size, options.format, options.compress,
             options.force))
        self.assertTrue(talk.quiet)
        self.assertFalse(talk.json or talk.debug)

    def test_what_first_boot_does(self):
        for argv, wanted in (
                ((), (False, False, True, True)),
                (('--only-management', '--keep-config-drive', '--no-ssh',
                  '--no-shell'), (True, True, False, False)),
                (('--no-only-management', '--no-keep-config-drive', '--ssh',
                  '--shell'), (False, False, True, True))):
            options = self.options(*argv)
            self.assertEqual(wanted, (
                options.only_management, options.keep_config_drive,
                options.ssh, options.shell))
        options = self.options('--config-file', self.file(
            '[DEFAULT]\nssh = false\nonly_management = true\n'
            'keep_config_drive = true\n'), '--ssh')
        self.assertEqual((True, True, True), (
            options.only_management, options.keep_config_drive, options.ssh))

    def test_ca_file(self):
        self.assertIsNone(self.options().ca_file)
        path = self.file('[DEFAULT]\nca_file = /a/$b.pem\n')
        for argv, wanted in (
                (('--ca-file', 'x.pem'), 'x.pem'),
                (('--config-file', path), '/a/$b.pem'),
                (('--config-file', path, '--ca-file', 'x.pem'), 'x.pem')):
            self.assertEqual(wanted, self.options(*argv).ca_file)

    def test_values_that_look_like_options(self):
        options = self.options('--install-option', '--novmfsondisk',
                               '--install-option=--ignoressd')
        self.assertEqual(('--novmfsondisk', '--ignoressd'),
                         options.install_option)
        self.assertIn('--kernel-option', self.refused(
            'a.iso', '--kernel-option'))

    def test_dollars_survive(self):
        path = self.file('[DEFAULT]\nkickstart = /a/$b/${c}/$$\n'
                         'kernel_option = x=$6$salt$hash\n')
        options = self.options('--config-file', path,
                               '--output', '$6$a$b.img')
        self.assertEqual(
            ('/a/$b/${c}/$$', ('x=$6$salt$hash',), '$6$a$b.img'),
            (options.kickstart, options.kernel_option, options.output))

    def test_file(self):
        text = ('[DEFAULT]\nkernel_option = f=1\nkernel_option = g=2\n'
                'sector_size = 4096\ncompress = true\nformat = qcow2\n')
        for options in (self.options(default=self.file(text)),
                        self.options('--config-file', self.file(text))):
            self.assertEqual(
                (('f=1', 'g=2'), 4096, True, 'qcow2'),
                (options.kernel_option, options.sector_size,
                 options.compress, options.format))

    def test_command_line_wins(self):
        path = self.file('[DEFAULT]\nkernel_option = f=1\n'
                         'sector_size = 4096\ncompress = true\n')
        for before, after in (([], ['--config-file', path]),
                              (['--config-file', path], [])):
            options = self.options(
                *before, '--kernel-option', 'c=3', '--sector-size', '512',
                '--no-compress', *after)
            self.assertEqual(
                (('c=3',), 512, False),
                (options.kernel_option, options.sector_size,
                 options.compress))

    def test_later_files_win(self):
        options = self.options(
            '--config-file', self.file('[DEFAULT]\nformat = vmdk\n'
                                       'sector_size = 4096\n'),
            '--config-file', self.file('[DEFAULT]\nformat = qcow2\n'))
        self.assertEqual(('qcow2', 4096),
                         (options.format, options.sector_size))

    def test_named_file_replaces_the_default_one(self):
        options = self.options(
            '--config-file', self.file('[DEFAULT]\nformat = qcow2\n'),
            default=self.file('[DEFAULT]\nsector_size = 4096\n'))
        self.assertEqual(512, options.sector_size)

    def test_neither_environment_nor_home(self):
        home = self.tmp()
        for name in ('esxi-img.conf', '.esxi-img.conf', 'esxi_img.conf'):
            (home / name).write_text('[DEFAULT]\nsector_size = 4096\n')
        (home / '.esxi-img').mkdir()
        (home / '.esxi-img' / 'esxi-img.conf').write_text(
            '[DEFAULT]\nsector_size = 4096\n')
        with mock.patch.dict(os.environ, {
                'HOME': str(home), 'OS_DEFAULT__SECTOR_SIZE': '4096',
                'OS_DEFAULT__KERNEL_OPTION': 'a,b'}):
            options = self.options()
        self.assertEqual((512, ()),
                         (options.sector_size, options.kernel_option))

    def test_what_a_file_may_not_say(self):
        for text, wanted in (
                ('[DEFAULT]\nfoo = 1\n', ['unknown key foo']),
                ('[DEFAULT]\nkernel-option = 1\n',
                 ['kernel-option', 'spelt kernel_option']),
                ('[DEFAULT]\noutput = x\nforce = true\niso = y\n',
                 ['output can only', 'force can only', 'iso can only']),
                ('[boot]\nformat = raw\n', ['unknown section [boot]']),
                ('[DEFAULT]\nconfig_source = x\n', ['config_source']),
                ('[DEFAULT]\nconfig_dir = /tmp\n', ['config_dir']),
                ('[DEFAULT]\nsector_size = 7\n', ['sector-size', '7']),
                ('[DEFAULT]\nsector_size = x\n', ['sector-size']),
                ('[DEFAULT]\ncompress = perhaps\n', ['compress', 'perhaps']),
                ('[DEFAULT]\nformat = iso\n', ['format', 'iso']),
                ('nonsense\n', [':1']),
                ('\xff', ['esxi-img.conf'])):
            path = self.tmp() / 'esxi-img.conf'
            path.write_bytes(text.encode('latin-1'))
            said = self.refused('a.iso', '--config-file', str(path))
            for part in [*wanted, str(path)]:
                self.assertIn(part, said)
            self.assertNotIn('\n', said)
        pipe = self.tmp() / 'pipe'
        os.mkfifo(pipe)
        for path in (pipe, pipe.parent, '/dev/null'):
            self.assertIn('not a regular file', self.refused(
                'a.iso', '--config-file', str(path)))
        said = self.refused('a.iso', '--config-file', '/nonexistent/x.conf')
        self.assertIn('/nonexistent/x.conf', said)

    def test_usage(self):
        for argv, part in (
                ((), 'ISO'), (('a.iso', 'b.iso'), 'b.iso'),
                (('a.iso', '--bogus'), '--bogus'),
                (('a.iso', '--sector-size', '3'), '--sector-size'),
                (('a.iso', '--sector-size', 'x'), '--sector-size'),
                (('a.iso', '--format', 'iso'), '--format'),
                (('a.iso', '--serial-console', 'com3'), '--serial-console'),
                (('a.iso', '--nocompress'), '--nocompress'),
                (('a.iso', '--config-dir', '/tmp'), '--config-dir')):
            said = self.refused(*argv)
            self.assertIn(part, said)
            self.assertNotIn('\n', said)

    def test_version_and_help_go_to_standard_output(self):
        for option, part in (('--version', '1.2.3'), ('--help', '--no-')):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                with self.assertRaises(SystemExit) as caught:
                    self.load(option)
            self.assertFalse(caught.exception.code)
            self.assertIn(part, said.getvalue())

    def test_messages_are_ours(self):
        self.assertEqual(
            'argument --sector-size: 3 is none of 512, 4096',
            self.refused('a.iso', '--sector-size', '3'))
        self.assertEqual('the ISO is missing', self.refused(''))

    def test_a_file_that_is_something_else_is_not_shown(self):
        for text in ('$6$secret$hash\n', '[DEFAULT]\nrootpw secret\n',
                     '[DEFAULT\nsecret = 1\n'):
            said = self.refused('a.iso', '--config-file', self.file(text))
            self.assertNotIn('secret', said)
            self.assertRegex(said, r'esxi-img.conf:[12]: ')

    def test_no_abbreviations(self):
        self.assertIn('--root-password-hash', self.refused(
            'a.iso', '--root-password-hash', 'x'))

    def test_no_completion_that_does_not_work(self):
        self.assertIn('--shell_completion', self.refused(
            '--shell_completion', 'bash'))

    def test_every_option_reaches_the_build(self):
        names = {opt.dest for opt in opts.FILE_OPTS}
        self.assertLessEqual(names, set(vars(self.options())))

    def test_hand_over(self):
        found = self.options()
        self.assertEqual((False, False, None, None, None), (
            found.manifest, found.glance_command, found.instance_info,
            found.upload, found.image_name))
        found = self.options(
            '--manifest', '--glance-command', '--instance-info', 'http://h/x',
            '--upload', 'c', '--image-name', 'n')
        self.assertEqual((True, True, 'http://h/x', 'c', 'n'), (
            found.manifest, found.glance_command, found.instance_info,
            found.upload, found.image_name))

    def test_hand_over_is_not_for_files(self):
        for name in ('manifest', 'glance_command', 'instance_info', 'upload',
                     'image_name'):
            path = self.file(f'[DEFAULT]\n{name} = true\n')
            self.assertIn(f'{name} can only be given on the command line',
                          self.refused('a.iso', '--config-file', path))

    def test_help_says_every_default(self):
        for opt in opts.FILE_OPTS:
            if opt.default not in (None, []):
                self.assertIn('(default: ', opt.help, opt.name)
