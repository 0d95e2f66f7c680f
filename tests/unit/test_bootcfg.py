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


import hypothesis
from hypothesis import strategies

from esxi_img import bootcfg
from esxi_img import errors
from esxi_img import mboot
from tests import base

ISO = (b'bootstate=0\ntitle=Loading ESXi installer\ntimeout=5\nprefix=\n'
       b'kernel=/b.b00\nkernelopt=runweasel cdromBoot\n'
       b'modules=/jumpstrt.gz --- /useropts.gz --- /k.b00\n'
       b'build=8.0.3-0.0.24022510\nupdated=0\n')
LINES = strategies.lists(strategies.sampled_from((
    b'kernel=/b.b00', b'KERNELOPT=a b', b'modules=/a --- /b', b'mod=/c',
    b'# modules=/x', b' kernelopt = x', b'kernelopt =x', b'=y', b'',
    b'prefix=/x', b'title=\xff\xfe', b'\tk=/b', b'modules=', b'timeout=5s')))
ENDS = strategies.sampled_from((b'\n', b'\r\n', b' \n'))


def edit(data, modules=(), options=(), name='boot.cfg'):
    return bootcfg.edit(bootcfg.parse(data, name), modules, options).render()


class ParseTests(base.TestCase):

    @hypothesis.given(strategies.binary())
    def test_render_undoes_parse(self, data):
        self.assertEqual(data, bootcfg.parse(data, '').render())

    @hypothesis.given(LINES, ENDS, strategies.booleans())
    def test_editing_twice_is_editing_once(self, lines, end, last):
        data = end.join(lines) + (end if last else b'')
        try:
            once = edit(data, ['/x.v00'], ['a=1', 'b'])
        except errors.InputError:
            return
        self.assertEqual(once, edit(once, ['/x.v00'], ['a=1', 'b']))
        config = mboot.read(once, '/')
        self.assertEqual(
            ['/x.v00', '/esxiimg.tgz'],
            [module.path for module in config.modules[-2:]])


class EditTests(base.TestCase):

    def test_the_two_lines_and_no_other(self):
        self.assertEqual(
            ISO.replace(b'runweasel cdromBoot',
                        b'runweasel ks=file:///esxiimg/KS.CFG').replace(
                b'/k.b00\n', b'/k.b00 --- /esxiimg.tgz\n'),
            edit(ISO))

    def test_crlf_survives(self):
        dos = ISO.replace(b'\n', b'\r\n')
        self.assertEqual(edit(ISO).replace(b'\n', b'\r\n'), edit(dos))

    def test_no_newline_at_the_end(self):
        data = b'kernel=/b\nkernelopt=x\nmodules=/a'
        self.assertEqual(
            b'kernel=/b\nkernelopt=x ks=file:///esxiimg/KS.CFG\n'
            b'modules=/a --- /esxiimg.tgz', edit(data))

    def kernelopt(self, value, *options):
        data = b'kernel=/b\nkernelopt=' + value + b'\nmodules=/a\n'
        return bootcfg.parse(edit(data, options=options),
                             '').value(b'kernelopt').decode()

    def test_whole_words_only(self):
        ours = 'ks=file:///esxiimg/KS.CFG'
        for value, wanted in (
                (b'blocks=1 runweasel', f'blocks=1 runweasel {ours}'),
                (b'ks=cdrom:/KS.CFG runweasel', f'{ours} runweasel'),
                (b'cdromBoot2 xcdromBoot cdromBoot',
                 f'cdromBoot2 xcdromBoot {ours}'),
                (b'', ours)):
            self.assertEqual(wanted, self.kernelopt(value))

    def test_kernel_options(self):
        ours = 'ks=file:///esxiimg/KS.CFG'
        self.assertEqual(
            f'a=9 b=2 aa=1 {ours} new=3 word',
            self.kernelopt(b'a=1 b=2 a=3 aa=1 ks=x', 'a=9', 'new=3', 'word',
                           'b=2'))
        self.assertEqual(f'a=2 {ours}',
                         self.kernelopt(b'', 'a=1', 'a=2'))
        self.assertEqual(f'cdromBoot {ours}',
                         self.kernelopt(b'cdromBoot', 'cdromBoot'))

    def modules(self, value, *added):
        data = b'kernel=/b\nkernelopt=\nmodules=' + value + b'\n'
        return bootcfg.parse(edit(data, added), '').value(b'modules').decode()

    def test_modules(self):
        for value, wanted in (
                (b'/a --- /b arg=1 x', '/a --- /b arg=1 x --- /esxiimg.tgz'),
                (b'/a---/b ---', '/a --- /b --- /esxiimg.tgz'),
                (b'--- /a --- --- ', '/a --- /esxiimg.tgz'),
                (b'a.gz', 'a.gz --- /esxiimg.tgz')):
            self.assertEqual(wanted, self.modules(value))
        self.assertEqual('/a --- /d.v00 --- /e.v00 --- /esxiimg.tgz',
                         self.modules(b'/a', '/d.v00', '/e.v00'))

    def test_the_line_that_the_loader_takes(self):
        for lines, changed in (
                (b'KernelOpt=a\nkernel=/b\nmodules=/a\n', 0),
                (b'kernelo=a\nkernel=/b\nmodules=/a\n', 0),
                (b'kernelopt=a\nkernelopt=b\nkernel=/b\nmodules=/a\n', 1),
                (b'kernelopt=a\n#kernelopt=b\nkernel=/b\nmodules=/a\n', 0),
                (b'kernelopt=a\nkernelopt =b\nkernel=/b\nmodules=/a\n', 0),
                (b'kernelopt= a\n=/c\nmodules=/a\n', 0)):
            edited = edit(lines).split(b'\n')
            where = [number for number, line in enumerate(edited)
                     if b'ks=' in line]
            self.assertEqual([changed], where, lines)

    def test_what_cannot_be_edited(self):
        good = b'kernel=/b\nkernelopt=x\nmodules=/a\n'
        for data, reason in (
                (b'', 'has no kernel='),
                (good.replace(b'kernelopt', b'kernelopts'),
                 'has no kernelopt='),
                (good.replace(b'kernelopt=', b'kernelopt ='), 'line 2 has a '
                 'blank before "="'),
                (b'\xef\xbb\xbf' + good, 'byte order mark hides line 1'),
                (good.replace(b'modules', b'#modules'), 'has no modules='),
                (good + b'modules=\n', 'modules= is ambiguous, it stands on '
                 'lines 3, 4'),
                (b'prefix=/x\nprefix=\n' + good,
                 'prefix= is ambiguous, it stands on lines 1, 2'),
                (good.replace(b'modules=/a', b'modules='),
                 'modules= is empty'),
                (good.replace(b'=x', b'=x\0y'), 'NUL'),
                (good + b'timeout=5s\n', 'timeout=5s is not a number')):
            with self.assertRaises(errors.InputError) as caught:
                edit(data, name='efi/boot/boot.cfg')
            text = str(caught.exception)
            self.assertIn(reason, text, data)
            self.assertIn('efi/boot/boot.cfg', text)

    def test_all_problems_at_once(self):
        with self.assertRaises(errors.InputError) as caught:
            edit(b'title=x\n')
        self.assertEqual(3, len(caught.exception.problems))


class LoaderLimitTests(base.TestCase):

    def command_line(self, length):
        """A boot.cfg whose edited command line has this many characters."""
        fixed = len('/b  ks=file:///esxiimg/KS.CFG')
        return (b'kernel=/b\nmodules=/a\nkernelopt=' +
                b'x' * (length - fixed) + b'\n')

    def test_command_line(self):
        edit(self.command_line(4095))
        with self.assertRaisesRegex(errors.InputError, '4096 characters'):
            edit(self.command_line(4096))

    def test_module_string(self):
        data = b'kernel=/b\nkernelopt=\nmodules=/a --- /%s\n'
        edit(data % (b'x' * 252 + b' y'))
        with self.assertRaisesRegex(errors.InputError, '256 characters'):
            edit(data % (b'x' * 253 + b' y'))

    def test_modules(self):
        data = b'kernel=/b\nkernelopt=\nmodules=%s\n'
        edit(data % b'---'.join([b'/a'] * 239))
        with self.assertRaisesRegex(errors.InputError, '241 modules'):
            edit(data % b'---'.join([b'/a'] * 240))


class LoaderTests(base.TestCase):

    def test_statements(self):
        for line, wanted in (
                (b'kernel=/b.b00', (b'kernel', b'/b.b00')),
                (b'  kernel=  /b.b00 \r', (b'kernel', b'/b.b00')),
                (b'KERN=x', (b'kernel', b'x')),
                (b'=x', (b'kernel', b'x')),
                (b'kernelo=x', (b'kernelopt', b'x')),
                (b't=x', (b'title', b'x')),
                (b'mod=a \t b', (b'modules', b'a b')),
                (b'kernelopt=a=b', (b'kernelopt', b'a=b')),
                (b'title=a\0b', (b'title', b'a')),
                (b'kernel =x', None), (b'#kernel=x', None), (b'kernel', None),
                (b'kernels=x', None), (b'', None), (b'\xef\xbb\xbfk=x', None),
                (b'build=1', None)):
            self.assertEqual(wanted, mboot.statement(line), line)

    def test_paths(self):
        for prefix, directory, name, wanted in (
                (b'', '/EFI/BOOT', b'/k.b00', '/k.b00'),
                (b'', '/EFI/BOOT', b'k.b00', '/EFI/BOOT/k.b00'),
                (b'', '/', b'k.b00', '/k.b00'),
                (b'/esx', '/', b'k.b00', '/esx/k.b00'),
                (b'esx/', '/', b'k.b00', '/esx/k.b00'),
                (b'/esx', '/', b'/k.b00', '/k.b00'),
                (b'/esx', '/', b'\\x\\k.b00', '/x/k.b00'),
                (b'', '/', b'//x//k.b00', '/x/k.b00')):
            config = mboot.read(
                b'prefix=%s\nkernel=%s\nmodules=%s a b --- %s' % (
                    prefix, name, name, name), directory)
            self.assertEqual(wanted, config.kernel)
            self.assertEqual((mboot.Module(wanted, 'a b'),
                              mboot.Module(wanted, '')), config.modules)

    def test_a_url_is_not_on_the_volume(self):
        config = mboot.read(b'kernel=http://x/b\nmodules=/a', '/')
        self.assertEqual(("'http://x/b' is not on this volume",),
                         config.problems)
        self.assertEqual(('/a',), config.files)
