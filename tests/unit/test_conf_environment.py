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


from esxi_img import conf
from esxi_img.conf import environment
from esxi_img.conf import opts
from esxi_img import errors
from esxi_img import options
from tests import base

NOWHERE = '/nonexistent/file'

# Of each option a value that is not the default: as a variable, and as it
# stands on the command line.
VALUES = {
    'sector_size': ('4096', ['--sector-size', '4096']),
    'iso_sha256': ('aB' * 32, ['--iso-sha256', 'aB' * 32]),
    'kernel_option': ('a=$b\nword', ['--kernel-option', 'a=$b',
                                     '--kernel-option', 'word']),
    'installed_kernel_option': ('--x=1', ['--installed-kernel-option',
                                          '--x=1']),
    'serial_console': ('com2', ['--serial-console', 'com2']),
    'add_module': ('/a b.v00\n./c,d.v00', ['--add-module', '/a b.v00',
                                           '--add-module', './c,d.v00']),
    'kickstart': ('/a/${HOME}/$$', ['--kickstart', '/a/${HOME}/$$']),
    'install_disk': ('firstdisk=a,b', ['--install-disk', 'firstdisk=a,b']),
    'install_option': ('--novmfsondisk\nignoressd',
                       ['--install-option', '--novmfsondisk',
                        '--install-option', 'ignoressd']),
    'root_password_hash_file': ('hash', ['--root-password-hash-file',
                                         'hash']),
    'only_management': ('true', ['--only-management']),
    'keep_config_drive': ('yes', ['--keep-config-drive']),
    'ssh': ('off', ['--no-ssh']),
    'shell': ('0', ['--no-shell']),
    'ca_file': ('ca.pem', ['--ca-file', 'ca.pem']),
}
SIZE = ('2.5', ['--image-size', '2.5'])


def variable(name):
    return f'DIB_ESXI_{name.upper()}'


class EnvironmentCase(base.TestCase):

    def load(self, default=NOWHERE, **environ):
        return environment.load(environ, 'a.iso', 'x.raw', default)

    def command(self, *argv):
        return conf.load(['a.iso', '--output', 'x.raw', *argv], 'esxi-img',
                         '1.2.3', NOWHERE)[0]

    def refused(self, **environ):
        with self.assertRaises(errors.RequestError) as caught:
            self.load(**environ)
        return caught.exception.problems

    def file(self, text, name='esxi-img.conf'):
        path = self.tmp() / name
        path.write_text(f'[DEFAULT]\n{text}\n')
        return str(path)


class OneDefinitionTests(EnvironmentCase):

    def test_every_option_of_a_file_has_a_variable_or_is_exempt(self):
        names = {opt.dest for opt in opts.FILE_OPTS}
        self.assertEqual(names, {opt.dest for opt in
                                 environment.VARIABLES.values()}
                         | environment.EXEMPT)
        self.assertEqual(set(), environment.EXEMPT - names)
        self.assertEqual({'format', 'compress', 'image_size'},
                         environment.EXEMPT)
        self.assertEqual({variable(name) for name in VALUES},
                         set(environment.VARIABLES))

    def test_a_variable_is_the_option(self):
        default = self.command()
        self.assertEqual(default, self.load())
        for name, (text, argv) in VALUES.items():
            wanted = self.command(*argv)
            self.assertNotEqual(default, wanted, name)
            self.assertEqual(wanted, self.load(**{variable(name): text}))

    def test_all_at_a_time(self):
        argv = [word for _, words in [*VALUES.values(), SIZE]
                for word in words]
        environ = {variable(name): text
                   for name, (text, _) in VALUES.items()}
        self.assertEqual(self.command(*argv), self.load(
            DIB_IMAGE_SIZE=SIZE[0], **environ))

    def test_the_size_is_that_of_disk_image_create(self):
        self.assertEqual(self.command(*SIZE[1]),
                         self.load(DIB_IMAGE_SIZE=SIZE[0]))
        self.assertIsNone(self.load(DIB_IMAGE_SIZE='').image_size)
        problem, = self.refused(DIB_IMAGE_SIZE='10GB')
        self.assertIn('DIB_IMAGE_SIZE', problem)
        self.assertIn('10GB', problem)

    def test_iso_and_output_are_arguments(self):
        loaded = environment.load({'DIB_ESXI_ISO': 'other'}, 'the.iso',
                                  'out.raw', NOWHERE)
        self.assertEqual(('the.iso', 'out.raw'),
                         (loaded.iso, loaded.output))
        options.check(loaded)

    def test_other_variables_are_none_of_ours(self):
        self.assertEqual(self.load(), self.load(
            DIB_RELEASE='x', DIB_ESXI='x', ESXI_SSH='no', ssh='no',
            OS_DEFAULT__SSH='no', MY_DIB_ESXI_SSH='no', dib_esxi_ssh='no'))


class ValueTests(EnvironmentCase):

    def test_lists_have_a_value_a_line(self):
        for text, wanted in (
                ('a=1', ('a=1',)), ('a=1\nb', ('a=1', 'b')),
                ('\n\na=1\n \n\t\nb\n\n', ('a=1', 'b')),
                ('a=1\r\nb\r\n', ('a=1', 'b')), ('a=1\n', ('a=1',)),
                ('  a=1\t\n b ', ('a=1', 'b')), ('a,b', ('a,b',)),
                ('"a" b', ('"a" b',)), ("'a'", ("'a'",)),
                ('[a, b]', ('[a, b]',)), ('b\na\nb', ('b', 'a', 'b')),
                ('', ())):
            loaded = self.load(DIB_ESXI_KERNEL_OPTION=text)
            self.assertEqual(wanted, loaded.kernel_option, repr(text))

    def test_flags(self):
        for spellings, wanted in (
                ('true True TRUE 1 yes YES on On', True),
                ('false False 0 no No off OFF', False)):
            for text in [*spellings.split(), f' {spellings.split()[0]}\n']:
                for name in ('ssh', 'only_management'):
                    loaded = self.load(**{variable(name): text})
                    self.assertIs(wanted, getattr(loaded, name), text)

    def test_empty_is_not_given(self):
        for name in VALUES:
            self.assertEqual(self.load(), self.load(**{variable(name): ''}))

    def test_dollars_stay(self):
        for name in ('kickstart', 'install_disk', 'root_password_hash_file'):
            loaded = self.load(**{variable(name): '$6$ssh$x/${ssh}/$$'})
            self.assertEqual('$6$ssh$x/${ssh}/$$', getattr(loaded, name))
        loaded = self.load(DIB_ESXI_ADD_MODULE='/$a/$$/${format}')
        self.assertEqual(('/$a/$$/${format}',), loaded.add_module)

    def test_bad_values_are_named_with_their_variable(self):
        for name, text, parts in (
                ('sector_size', '520', ['512', '4096', '520']),
                ('sector_size', 'x', ['x']),
                ('serial_console', 'com3', ['com1', 'com2', 'com3']),
                ('serial_console', 'COM1', ['com1', 'COM1']),
                ('ssh', 'perhaps', ['perhaps']),
                ('shell', '2', ['2']),
                ('only_management', 'tru', ['tru'])):
            problem, = self.refused(**{variable(name): text})
            for part in (f'{variable(name)}: ', *parts):
                self.assertIn(part, problem)
            for part in ('\n', 'OrderedDict', 'LocationInfo'):
                self.assertNotIn(part, problem)

    def test_unknown_variables(self):
        for name in ('DIB_ESXI_SHH', 'DIB_ESXI_KERNEL_OPTIONS', 'DIB_ESXI_',
                     'DIB_ESXI_OUTPUT', 'DIB_ESXI_FORCE',
                     'DIB_ESXI_KERNEL-OPTION', 'DIB_ESXI_ssh'):
            # That it is empty does not make it right.
            for text in ('hunter2', ''):
                problem, = self.refused(**{name: text})
                self.assertIn(f'{name}: ', problem)
                self.assertNotIn('hunter2', problem)
        for name, option in (('FORMAT', '-t'), ('COMPRESS', '-u'),
                             ('IMAGE_SIZE', '--image-size')):
            problem, = self.refused(**{f'DIB_ESXI_{name}': '1'})
            self.assertIn('disk-image-create', problem)
            self.assertIn(option, problem)

    def test_all_problems_at_once(self):
        problems = self.refused(
            DIB_ESXI_SSH='perhaps', DIB_ESXI_SHELL='no',
            DIB_ESXI_SECTOR_SIZE='7', DIB_ESXI_NOPE='1',
            DIB_ESXI_FORMAT='raw', DIB_IMAGE_SIZE='x')
        self.assertEqual(
            {'DIB_ESXI_SSH', 'DIB_ESXI_SECTOR_SIZE', 'DIB_ESXI_NOPE',
             'DIB_ESXI_FORMAT', 'DIB_IMAGE_SIZE'},
            {problem.partition(':')[0] for problem in problems})
        self.assertEqual(5, len(problems))

    def test_the_password_is_not_repeated(self):
        # Who takes the variable for the password's own finds it in no log.
        for name in ('DIB_ESXI_ROOT_PASSWORD', 'DIB_ESXI_ROOT_PASSWORD_HASH'):
            problems = self.refused(**{name: 'hunter2',
                                       'DIB_ESXI_SSH': 'perhaps'})
            self.assertEqual(2, len(problems))
            self.assertNotIn('hunter2', ' '.join(problems))


class PrecedenceTests(EnvironmentCase):

    def test_file_wins_over_defaults_and_variables_over_the_file(self):
        path = self.file('ssh = false\nsector_size = 4096\n'
                         'kernel_option = f=1\nkernel_option = g=2')
        for given in ({'default': path}, {'DIB_ESXI_CONFIG_FILE': path}):
            loaded = self.load(**given)
            self.assertEqual((False, 4096, ('f=1', 'g=2')), (
                loaded.ssh, loaded.sector_size, loaded.kernel_option))
            loaded = self.load(DIB_ESXI_SSH='yes', DIB_ESXI_SECTOR_SIZE='512',
                               DIB_ESXI_KERNEL_OPTION='e=3', **given)
            self.assertEqual((True, 512, ('e=3',)), (
                loaded.ssh, loaded.sector_size, loaded.kernel_option))
            loaded = self.load(DIB_ESXI_SSH='', DIB_ESXI_KERNEL_OPTION='',
                               **given)
            self.assertEqual((False, ('f=1', 'g=2')),
                             (loaded.ssh, loaded.kernel_option))

    def test_a_named_file_replaces_the_default_one(self):
        loaded = self.load(
            default=self.file('sector_size = 4096'),
            DIB_ESXI_CONFIG_FILE=self.file('ssh = false'))
        self.assertEqual((512, False), (loaded.sector_size, loaded.ssh))
        self.assertEqual(4096, self.load(
            default=self.file('sector_size = 4096'),
            DIB_ESXI_CONFIG_FILE=' \n').sector_size)

    def test_several_files(self):
        first = self.file('sector_size = 4096\nssh = false', 'a b.conf')
        second = self.file('ssh = true')
        loaded = self.load(DIB_ESXI_CONFIG_FILE=f'\n{first}\r\n{second}\n')
        self.assertEqual((4096, True), (loaded.sector_size, loaded.ssh))

    def test_the_form_is_not_for_a_file_to_say(self):
        loaded = self.load(DIB_ESXI_CONFIG_FILE=self.file(
            'format = qcow2\ncompress = true\nimage_size = 3'))
        self.assertEqual(('raw', False, 3), (
            loaded.format, loaded.compress, loaded.image_size))
        loaded = self.load(DIB_IMAGE_SIZE='4', DIB_ESXI_CONFIG_FILE=self.file(
            'image_size = 3'))
        self.assertEqual(4, loaded.image_size)

    def test_files_that_are_bad(self):
        for text, part in (('foo = 1', 'unknown key foo'),
                           ('ssh = perhaps', 'perhaps')):
            path = self.file(text)
            problem, = self.refused(DIB_ESXI_CONFIG_FILE=path)
            self.assertIn(path, problem)
            self.assertIn(part, problem)
        problem, = self.refused(DIB_ESXI_CONFIG_FILE=NOWHERE)
        self.assertIn(NOWHERE, problem)
