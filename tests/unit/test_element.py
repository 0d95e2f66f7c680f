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


import gzip
import hashlib
import io
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tarfile
import typing
from unittest import mock

import yaml

from esxi_img import build
from esxi_img import bundle
from esxi_img.conf import environment
from esxi_img.disk import readfat
from esxi_img.disk import readgpt
from esxi_img import element
from esxi_img import elements
from esxi_img import errors
from esxi_img import inspect
from esxi_img import options
from esxi_img import report
from esxi_img import room
from esxi_img import sample
from tests import base

HASH = ('$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8'
        'wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/')
CFGS = ('boot.cfg', 'efi/boot/boot.cfg')
OURS = b' --- /esxiimg.tgz'
DRIVER = gzip.compress(b'a driver', mtime=0)


class Listening(report.Report):
    """Keeps the lines."""

    def __init__(self) -> None:
        super().__init__(stream=io.StringIO())
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Build:
    """The folders of one run of disk-image-create, and its phases."""

    def __init__(self, folder: pathlib.Path, iso: str,
                 **environ: str) -> None:
        self.folder = folder
        self.iso = iso
        self.tree = folder / 'build' / 'mnt' / 'boot' / 'efi'
        self.image = folder / 'images' / 'image0.raw'
        self.kept = folder / 'build' / element.KEPT
        self.report = Listening()
        config = folder / 'esxi-img.conf'
        if not self.tree.exists():
            self.tree.mkdir(parents=True)
            for name in ('images', 'out'):
                (folder / name).mkdir()
            # Whatever this machine has in /etc.
            config.touch()
        self.environ = {
            'TARGET_ROOT': str(folder / 'build' / 'mnt'),
            'TMP_BUILD_DIR': str(folder / 'build'),
            'TMP_IMAGE_DIR': str(folder / 'images'),
            'IMAGE_BLOCK_DEVICE': str(self.image),
            'IMAGE_NAME': str(folder / 'out' / 'esxi'),
            'IMAGE_ELEMENT_YAML': yaml.safe_dump({
                name: os.path.join(elements.path(), name) for name in (
                    'block-device-esxi', 'esxi-firstboot',
                    'esxi-installer')}),
            'DIB_ARGS': '-t raw -o out/esxi esxi-installer',
            'DIB_ESXI_ISO': iso, 'DIB_ESXI_CONFIG_FILE': str(config),
            **environ}

    def begin(self) -> 'Build':
        element.check(self.environ)
        element.unpack(self.environ, self.iso, self.report)
        return self

    def install(self) -> 'Build':
        element.install(self.environ)
        return self

    def write(self) -> str:
        """Write the image; its recipe's id."""
        element.write_image(self.environ, self.report)
        return self.report.lines[-1].rpartition(' ')[2]

    def copy(self, folder: pathlib.Path) -> 'Build':
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        changes = {name: value for name, value in self.environ.items()
                   if not value.startswith(str(self.folder))
                   or name == 'DIB_ESXI_ISO'}
        return Build(folder, self.iso, **changes)

    def path(self, name: str) -> pathlib.Path:
        return self.tree / name

    def edit(self, old: bytes, new: bytes,
             names: typing.Iterable[str] = CFGS) -> None:
        """What another element's sed does to a boot.cfg."""
        for name in names:
            data = self.path(name).read_bytes()
            assert old in data
            self.path(name).write_bytes(data.replace(old, new))

    def content(self) -> dict[str, bytes]:
        """All files of the image, by their path."""
        fd = os.open(self.image, os.O_RDONLY)
        try:
            part, = readgpt.read(fd, 'image').partitions
            volume = readfat.read(fd, part.offset, part.size, 'image')
            return {'/'.join(file.path): b''.join(
                os.pread(fd, extent.length, extent.offset)
                for extent in file.extents) for file in volume.files}
        finally:
            os.close(fd)


class ElementCase(base.TestCase):
    """A build up to ``install``, of which each test gets a copy."""

    environ: dict[str, str] = {}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        place = base.temporary_folder()
        cls.addClassCleanup(place.__exit__, None, None, None)
        folder = place.__enter__()
        cls.iso = str(folder / 'sample.iso')
        with open(cls.iso, 'w+b') as output:
            sample.write(output, sample.SIZES[0])
        cls.begun = Build(folder / 'begun', cls.iso).begin()
        cls.installed = cls.begun.copy(folder / 'installed').install()

    def fresh(self, **environ: str) -> Build:
        return Build(self.tmp(), self.iso, **environ)

    def run_program(self, **given: typing.Any) -> tuple[str, bytes]:
        """The recipe and the bytes of ``esxi-img`` itself."""
        output = self.tmp() / 'image.raw'
        made = build.run(options.Options(
            self.iso, output=str(output), **given), report.Report(True))
        return made.recipe.id, output.read_bytes()

    def refused(self, function: typing.Callable[[], object], *parts: str,
                error: type[errors.EsxiImgError] = errors.InputError
                ) -> tuple[str, ...]:
        with self.assertRaises(error) as caught:
            function()
        for part in parts:
            self.assertIn(part, str(caught.exception))
        return caught.exception.problems

    def nothing_was_written(self, made: Build) -> None:
        for folder in ('images', 'out', 'build/mnt/boot/efi'):
            self.assertEqual([], os.listdir(made.folder / folder))
        self.assertEqual(['mnt'], os.listdir(made.folder / 'build'))

    def assert_same_bytes(self, wanted: bytes, found: bytes) -> None:
        """Of images, which no message has room for."""
        self.assertEqual(
            (len(wanted), hashlib.sha256(wanted).hexdigest()),
            (len(found), hashlib.sha256(found).hexdigest()))

    def sound(self, made: Build) -> dict[str, bytes]:
        """The image's files: it is as it should be, as far as we can tell."""
        self.assertEqual([], inspect.inspect(str(made.image)).problems)
        return made.content()


class SameTests(ElementCase):
    """What nobody has touched is what the program itself makes."""

    def same(self, given: dict[str, typing.Any], **environ: str) -> None:
        made = self.fresh(**environ).begin().install()
        wanted_id, wanted = self.run_program(**given)
        self.assertEqual(wanted_id, made.write())
        self.assert_same_bytes(wanted, made.image.read_bytes())
        self.sound(made)

    def test_default(self) -> None:
        self.same({})

    def test_what_needs_no_files(self) -> None:
        self.same(
            {'sector_size': 4096, 'serial_console': 'com1',
             'kernel_option': ('allowLegacyCPU=true', 'x=$y'),
             'installed_kernel_option': ('x=1',), 'ssh': False,
             'shell': False, 'only_management': True,
             'keep_config_drive': True, 'install_disk': 'firstdisk=local',
             'install_option': ('novmfsondisk',)},
            DIB_ESXI_SECTOR_SIZE='4096', DIB_ESXI_SERIAL_CONSOLE='com1',
            DIB_ESXI_KERNEL_OPTION='allowLegacyCPU=true\nx=$y\n',
            DIB_ESXI_INSTALLED_KERNEL_OPTION='x=1', DIB_ESXI_SSH='no',
            DIB_ESXI_SHELL='0', DIB_ESXI_ONLY_MANAGEMENT='1',
            DIB_ESXI_KEEP_CONFIG_DRIVE='yes',
            DIB_ESXI_INSTALL_DISK='firstdisk=local',
            DIB_ESXI_INSTALL_OPTION='novmfsondisk')

    def test_image_size_of_a_file(self) -> None:
        # Of which diskimage-builder does not know.
        size = round(len(self.run_program()[1]) / 2 ** 30 * 1.001, 6)
        path = self.tmp() / 'conf'
        path.write_text(f'[DEFAULT]\nimage_size = {size}\n')
        made = self.fresh(DIB_ESXI_CONFIG_FILE=str(path)).begin().install()
        wanted_id, wanted = self.run_program(image_size=size)
        self.assertEqual(wanted_id, made.write())
        self.assert_same_bytes(wanted, made.image.read_bytes())

    def test_image_size(self) -> None:
        for size in ('0.0625', '0.125'):
            made = self.fresh(DIB_IMAGE_SIZE=size).begin().install()
            wanted_id, wanted = self.run_program(image_size=float(size))
            # From here on diskimage-builder counts in KiB.
            made.environ['DIB_IMAGE_SIZE'] = str(int(float(size) * 2 ** 20))
            self.assertEqual(wanted_id, made.write())
            self.assertEqual(int(float(size) * 2 ** 30),
                             made.image.stat().st_size)
            self.assert_same_bytes(wanted, made.image.read_bytes())
            self.sound(made)

    def test_files_of_the_user_s(self) -> None:
        folder = self.tmp()
        for name, data in (('d.v00', DRIVER), ('E.V01', b'not gzip'),
                           ('hash', HASH.encode()),
                           ('ks', b'vmaccepteula\nnetwork --bootproto=dhcp\n'
                                  b'%post --interpreter=busybox\necho\n')):
            (folder / name).write_bytes(data)
        self.same(
            {'add_module': (str(folder / 'd.v00'), str(folder / 'E.V01')),
             'root_password_hash_file': str(folder / 'hash'),
             'kickstart': str(folder / 'ks')},
            DIB_ESXI_ADD_MODULE=f'{folder}/d.v00\n{folder}/E.V01',
            DIB_ESXI_ROOT_PASSWORD_HASH_FILE=f'{folder}/hash',
            DIB_ESXI_KICKSTART=f'{folder}/ks')

    def test_source_date_epoch(self) -> None:
        with mock.patch.dict(os.environ, SOURCE_DATE_EPOCH='1700000000'):
            self.same({})

    def test_the_tree_is_copied_meanwhile(self) -> None:
        # diskimage-builder moves it into the file system.
        made = self.installed.copy(self.tmp())
        wanted_id, wanted = self.run_program()
        self.assertEqual(wanted_id, made.write())
        self.assert_same_bytes(wanted, made.image.read_bytes())

    def test_installing_twice_is_installing_once(self) -> None:
        made = self.installed.copy(self.tmp()).install()
        self.assertEqual(self.run_program()[0], made.write())

    def test_what_is_said(self) -> None:
        made = self.begun.copy(self.tmp())
        made.install().write()
        self.assertRegex(made.report.lines[-1],
                         f'wrote {made.image}: recipe [0-9a-f]{{64}}$')
        self.assertIn('root password', ' '.join(self.begun.report.lines))


class ChangedTests(ElementCase):
    """What other elements do to the tree is in the image."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.installed.copy(self.tmp())
        self.untouched = self.run_program()[0]

    def written(self) -> dict[str, bytes]:
        """The image's files, and it is another image than the untouched."""
        self.assertNotEqual(self.untouched, self.made.write())
        files = self.sound(self.made)
        for name in ('boot.cfg', 'efi/boot/boot.cfg'):
            self.assertEqual(self.made.path(name).read_bytes(), files[name])
        return files

    def test_added(self) -> None:
        self.made.path('mine/deep').mkdir(parents=True)
        self.made.path('mine/deep/Notes with a long name.txt').write_bytes(
            b'hello' * 1000)
        self.made.path('0').touch()
        files = self.written()
        self.assertEqual(b'hello' * 1000,
                         files['mine/deep/Notes with a long name.txt'])
        self.assertEqual(b'', files['0'])

    def test_added_folder(self) -> None:
        self.made.path('mine/empty').mkdir(parents=True)
        self.written()
        fd = os.open(self.made.image, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        part, = readgpt.read(fd, 'x').partitions
        self.assertIn(('mine', 'empty'), readfat.read(
            fd, part.offset, part.size, 'x').directories)

    def test_removed(self) -> None:
        shutil.rmtree(self.made.path('upgrade'))
        self.made.path('isolinux.cfg').unlink()
        files = self.written()
        self.assertNotIn('isolinux.cfg', files)
        self.assertEqual([], [name for name in files
                              if name.startswith('upgrade')])

    def test_another_size(self) -> None:
        for data in (b'', b'much more than there was' * 1000):
            made = self.made = self.installed.copy(self.tmp())
            made.path('isolinux.cfg').write_bytes(data)
            self.assertEqual(data, self.written()['isolinux.cfg'])

    def test_another_content_of_the_same_size(self) -> None:
        path = self.made.path('isolinux.cfg')
        data = bytes(path.stat().st_size - 1) + b'!'
        path.write_bytes(data)
        # Like the ISO's files it counts by its size alone.
        self.assertEqual(self.untouched, self.made.write())
        self.assertEqual(data, self.sound(self.made)['isolinux.cfg'])

    def test_replaced_by_what_takes_its_name(self) -> None:
        other = self.made.path('isolinux.new')
        other.write_bytes(b'new')
        os.replace(other, self.made.path('isolinux.cfg'))
        self.assertEqual(b'new', self.written()['isolinux.cfg'])

    def test_driver(self) -> None:
        wanted = {}
        for new in (b' --- /drv.v00' + OURS, OURS + b' --- /drv.v00'):
            made = self.made = self.installed.copy(self.tmp())
            made.path('drv.v00').write_bytes(DRIVER)
            made.edit(OURS, new)
            files = self.written()
            self.assertEqual(DRIVER, files['drv.v00'])
            self.assertIn(new, files['boot.cfg'])
            wanted[new] = made.image.read_bytes()
        self.assertEqual(2, len(set(wanted.values())))

    def test_driver_of_root_d(self) -> None:
        # Before our module is there.
        made = self.made = self.begun.copy(self.tmp())
        made.path('drv.v00').write_bytes(DRIVER)
        for name in CFGS:
            lines = made.path(name).read_bytes().splitlines()
            made.path(name).write_bytes(b''.join(
                line + (b' --- /drv.v00' if line.startswith(b'modules=')
                        else b'') + b'\n' for line in lines))
        made.install()
        files = self.written()
        for name in CFGS:
            self.assertIn(b' --- /drv.v00' + OURS + b'\n', files[name])

    def test_kernel_options_of_others(self) -> None:
        for begun in (self.begun, self.installed):
            made = self.made = begun.copy(self.tmp())
            made.edit(b'kernelopt=runweasel', b'kernelopt=runweasel x=1')
            if begun is self.begun:
                made.install()
            self.assertIn(b'runweasel x=1 ', self.written()['boot.cfg'])

    def test_one_boot_cfg_alone(self) -> None:
        self.made.edit(b'timeout=5', b'timeout=50', CFGS[:1])
        files = self.written()
        self.assertIn(b'timeout=50', files['boot.cfg'])
        self.assertIn(b'timeout=5\n', files['efi/boot/boot.cfg'])

    def test_module_with_a_member_more(self) -> None:
        path = self.made.path(bundle.NAME)
        members = bundle.unpack(path.read_bytes())
        plain = io.BytesIO(gzip.decompress(path.read_bytes()))
        with tarfile.open(fileobj=plain, mode='a') as tar:
            entry = tarfile.TarInfo('esxiimg/more.txt')
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b'more'))
        path.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
        found = bundle.unpack(self.written()[bundle.NAME])
        self.assertEqual(b'more', found.pop('esxiimg/more.txt'))
        for name in ('esxiimg/build.json',):
            self.assertNotEqual(members.pop(name), found.pop(name))
        self.assertEqual(members, found)

    def test_same_changes_same_bytes(self) -> None:
        images = []
        for order in (1, -1):
            made = self.installed.copy(self.tmp())
            for name in ['z', 'a', 'Mine/x', 'Mine/b/c', 'isolinux.cfg'
                         ][::order]:
                made.path(name).parent.mkdir(parents=True, exist_ok=True)
                made.path(name).write_text(f'the new {name}')
            made.path('safeboot.c32').unlink()
            for path in made.tree.rglob('*'):
                os.utime(path, (order + 5, order + 5))
                path.chmod(0o755 if order == 1 else 0o700)
            made.write()
            images.append(made.image.read_bytes())
        self.assert_same_bytes(images[0], images[1])

    def test_every_size_counts(self) -> None:
        ids = {self.untouched}
        for name, data in (('new', b''), ('new', b'1'), ('new2', b'1'),
                           ('efi/new', b'1'), ('isolinux.cfg', b'1')):
            made = self.installed.copy(self.tmp())
            made.path(name).write_bytes(data)
            ids.add(made.write())
        self.assertEqual(6, len(ids))


class SpoiltTests(ElementCase):
    """What the installer would not start from ends the build."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.installed.copy(self.tmp())

    def not_written(self, *parts: str,
                    error: type[errors.EsxiImgError] = errors.InputError
                    ) -> tuple[str, ...]:
        problems = self.refused(self.made.write, *parts, error=error)
        self.assertEqual([], os.listdir(self.made.image.parent))
        return problems

    def test_boot_cfg_without_our_module(self) -> None:
        self.made.edit(OURS, b'')
        problems = self.not_written('modules= does not name /esxiimg.tgz')
        self.assertEqual(['boot.cfg', 'efi/boot/boot.cfg'], [
            problem.partition(': ')[0] for problem in problems])

    def test_boot_cfg_of_the_iso_again(self) -> None:
        for name in CFGS:
            shutil.copy(self.begun.path(name), self.made.path(name))
        self.not_written('/esxiimg.tgz', 'ks=file:///esxiimg/KS.CFG')

    def test_boot_cfg_names_an_absent_file(self) -> None:
        self.made.edit(OURS, b' --- /drv.v00' + OURS, CFGS[1:])
        self.not_written('efi/boot/boot.cfg: names /drv.v00, which is '
                         'missing')

    def test_boot_cfg_deleted(self) -> None:
        for name in CFGS:
            self.made = self.installed.copy(self.tmp())
            self.made.path(name).unlink()
            self.not_written(name)

    def test_boot_cfg_in_another_case(self) -> None:
        self.made.path('boot.cfg').rename(self.made.path('BOOT.CFG'))
        self.not_written('boot.cfg')

    def test_boot_cfg_far_too_large(self) -> None:
        with open(self.made.path('boot.cfg'), 'ab') as file:
            file.truncate(1 << 21)
        self.not_written('boot.cfg', f'{1 << 20} bytes')

    def test_module_deleted(self) -> None:
        self.made.path(bundle.NAME).unlink()
        self.not_written('esxiimg.tgz is missing')

    def test_module_damaged(self) -> None:
        path = self.made.path(bundle.NAME)
        data = path.read_bytes()
        for bad in (b'', data[:-1], data + b'\0', b'# nothing\n',
                    data[:200] + bytes([data[200] ^ 255]) + data[201:]):
            path.write_bytes(bad)
            self.not_written('esxiimg.tgz: ')

    def test_module_repacked_under_other_names(self) -> None:
        # tar -C folder -czf esxiimg.tgz .
        path = self.made.path(bundle.NAME)
        path.write_bytes(bundle.pack(
            {name.partition('/')[2]: data for name, data in bundle.unpack(
                path.read_bytes()).items()}, 0))
        self.not_written('esxiimg.tgz: esxiimg/KS.CFG is missing')

    def test_loader_deleted(self) -> None:
        self.made.path('efi/boot/bootx64.efi').unlink()
        self.not_written('efi/boot/bootx64.efi missing')

    def test_loader_empty(self) -> None:
        self.made.path('efi/boot/bootx64.efi').write_bytes(b'')
        self.not_written('efi/boot/bootx64.efi')

    def test_what_fat_has_not(self) -> None:
        self.made.path('link').symlink_to('boot.cfg')
        os.mkfifo(self.made.path('efi/pipe'))
        problems = self.not_written(str(self.made.path('link')))
        self.assertEqual(2, len(problems))

    def test_boot_cfg_is_a_link(self) -> None:
        path = self.made.path('boot.cfg')
        path.rename(self.made.tree.parent / 'boot.cfg')
        path.symlink_to('../boot.cfg')
        self.not_written('neither a file nor a directory')

    def test_names_that_are_one_on_fat(self) -> None:
        for name in ('EFI/x', 'Upgrade/prep.py', 'B.B00', 'ESXIIMG.TGZ'):
            self.made = self.installed.copy(self.tmp())
            path = self.made.path(name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b'x')
            self.not_written('the same name on FAT')

    def test_names_that_fat_cannot_hold(self) -> None:
        for name in ('a:b', 'a?', 'dot.', 'blank ', 'new\nline',
                     os.fsdecode(b'\xff')):
            self.made = self.installed.copy(self.tmp())
            self.made.path(name).write_bytes(b'x')
            self.not_written()

    def test_a_file_that_is_too_large(self) -> None:
        with open(self.made.path('big'), 'wb') as file:
            file.truncate(1 << 32)
        self.not_written('FAT32 allows')

    def test_no_permission(self) -> None:
        real = os.open

        def refuse(path: typing.Any, *args: typing.Any,
                   **kwargs: typing.Any) -> int:
            if str(path).endswith('isolinux.cfg'):
                raise PermissionError(13, 'Permission denied', path)
            return real(path, *args, **kwargs)

        with mock.patch.object(os, 'open', autospec=True,
                               side_effect=refuse):
            self.not_written('isolinux.cfg: permission denied',
                             error=errors.EnvironmentFailed)

    def test_no_room(self) -> None:
        with mock.patch.object(room, 'check', autospec=True, side_effect=(
                errors.EnvironmentFailed('full'))) as check:
            self.not_written('full', error=errors.EnvironmentFailed)
        (path, count), = check.call_args.args[0]
        self.assertEqual(str(self.made.image.parent), path)
        total = sum(file.stat().st_size
                    for file in self.made.tree.rglob('*') if file.is_file())
        self.assertEqual(total, count)

    def test_install_cannot_edit(self) -> None:
        for old, new, part in (
                (b'modules=', b'module =', 'has no modules='),
                (b'kernelopt=', b'# ', 'has no kernelopt=')):
            made = self.begun.copy(self.tmp())
            made.edit(old, new, CFGS[1:])
            before = made.path('boot.cfg').read_bytes()
            self.refused(made.install, f'efi/boot/boot.cfg: {part}')
            # Neither of the two, then.
            self.assertEqual(before, made.path('boot.cfg').read_bytes())
            self.assertFalse(made.path(bundle.NAME).exists())

    def test_install_finds_no_boot_cfg(self) -> None:
        made = self.begun.copy(self.tmp())
        made.path('efi/boot/boot.cfg').unlink()
        self.refused(made.install, 'efi/boot/boot.cfg')
        self.assertFalse(made.path(bundle.NAME).exists())


class ModuleTests(ElementCase):
    """--add-module, of which others may change the file in the tree."""

    def setUp(self) -> None:
        super().setUp()
        self.source = self.tmp() / 'drv.v00'
        self.source.write_bytes(DRIVER)
        self.made = self.fresh(DIB_ESXI_ADD_MODULE=str(self.source))
        self.made.begin().install()
        self.path = self.made.path('drv.v00')

    def test_in_the_tree(self) -> None:
        self.assertEqual(DRIVER, self.path.read_bytes())
        for name in CFGS:
            self.assertIn(b' --- /drv.v00' + OURS,
                          self.made.path(name).read_bytes())

    def test_the_user_s_own_file_is_not_needed_any_more(self) -> None:
        self.source.unlink()
        self.made.write()
        self.assertEqual(DRIVER, self.sound(self.made)['drv.v00'])

    def test_changed(self) -> None:
        ids = {self.run_program(add_module=(str(self.source),))[0],
               self.made.write()}
        self.assertEqual(1, len(ids))
        # Of the same size, too: a module counts by its content.
        for data in (gzip.compress(b'b driver', mtime=0),
                     gzip.compress(b'another', mtime=0)):
            self.made.image.unlink()
            self.path.write_bytes(data)
            ids.add(self.made.write())
            self.assertEqual(data, self.sound(self.made)['drv.v00'])
        self.assertEqual(3, len(ids))

    def test_spoilt(self) -> None:
        for data, part in ((b'', 'is empty'), (DRIVER[:-1], 'truncated'),
                           (DRIVER + b'x', 'bytes after')):
            self.path.write_bytes(data)
            self.refused(self.made.write, str(self.path), part)
        self.path.unlink()
        self.refused(self.made.write, str(self.path))
        self.path.mkdir()
        self.refused(self.made.write, str(self.path))

    def test_no_longer_named(self) -> None:
        self.made.edit(b' --- /drv.v00', b'')
        self.refused(self.made.write,
                     'does not name /drv.v00, /esxiimg.tgz')

    def test_another_s_of_that_name(self) -> None:
        self.made.path('DRV.V00').write_bytes(gzip.compress(b'of another'))
        self.refused(self.made.write, 'DRV.V00', 'the same name on FAT')

    def test_gone_before_it_is_installed(self) -> None:
        made = self.fresh(DIB_ESXI_ADD_MODULE=str(self.source)).begin()
        self.source.unlink()
        with self.assertRaises(errors.EsxiImgError) as caught:
            made.install()
        self.assertIn(str(self.source), str(caught.exception))


class RefusalTests(ElementCase):
    """Nothing is written when a build is refused."""

    def checked(self, *parts: str, error: type[errors.EsxiImgError] =
                errors.RequestError, **environ: str) -> tuple[str, ...]:
        made = self.fresh(**environ)
        problems = self.refused(lambda: element.check(made.environ), *parts,
                                error=error)
        self.nothing_was_written(made)
        return problems

    def unpacked(self, *parts: str, error: type[errors.EsxiImgError] =
                 errors.InputError, iso: str | None = None,
                 **environ: str) -> tuple[str, ...]:
        made = self.fresh(**environ)
        problems = self.refused(lambda: element.unpack(
            made.environ, iso or self.iso, made.report), *parts, error=error)
        self.nothing_was_written(made)
        return problems

    def bad(self, name: str, data: bytes) -> str:
        path = self.tmp() / name
        path.write_bytes(data)
        return str(path)

    def test_check_writes_nothing(self) -> None:
        made = self.fresh()
        element.check(made.environ)
        self.nothing_was_written(made)

    def test_request(self) -> None:
        other = self.tmp() / 'vm'
        for name in ('install.d', 'root.d'):
            (other / name).mkdir(parents=True)
        problems = self.checked(
            'element vm has hooks that run inside the image (install.d)',
            '-p vim', '-t tar', 'DIB_BLOCK_DEVICE_CONFIG',
            '--image-extra-size', 'DIB_ESXI_ISO is not set',
            IMAGE_ELEMENT_YAML=yaml.safe_dump({'vm': str(other)}),
            DIB_ARGS='-t raw,tar -p vim -o x vm', DIB_ESXI_ISO='',
            DIB_BLOCK_DEVICE_CONFIG='file:///x', DIB_IMAGE_EXTRA_SIZE='1')
        self.assertEqual(6, len(problems))

    def test_options(self) -> None:
        self.checked('DIB_ESXI_SHH', 'DIB_ESXI_SSH', DIB_ESXI_SHH='no',
                     DIB_ESXI_SSH='perhaps')
        self.checked('a b', DIB_ESXI_KERNEL_OPTION='a b')
        self.checked('nan', DIB_IMAGE_SIZE='nan')
        self.checked('-1', DIB_IMAGE_SIZE='-1')

    def test_files(self) -> None:
        error = errors.InputError
        for name, data in (('ADD_MODULE', b''),
                           ('KICKSTART', b'install --nope\n'),
                           ('ROOT_PASSWORD_HASH_FILE', b'hunter2')):
            variable = f'DIB_ESXI_{name}'
            self.checked('/nonexistent/file', error=error,
                         **{variable: '/nonexistent/file'})
            path = self.bad('file', data)
            problems = self.checked(path, error=error, **{variable: path})
            self.assertNotIn('hunter2', ' '.join(problems))
            self.unpacked(path, **{variable: path})

    def test_the_hash_itself_is_not_repeated(self) -> None:
        problems = self.checked(DIB_ESXI_ROOT_PASSWORD_HASH_FILE=HASH)
        self.assertNotIn(HASH[:8], ' '.join(problems))

    def test_iso(self) -> None:
        folder = str(self.tmp())
        for iso in ('/nonexistent/x.iso', folder,
                    'file:///nonexistent/x.iso'):
            self.checked(iso.removeprefix('file://'),
                         error=errors.InputError, DIB_ESXI_ISO=iso)
        # What is not here yet cannot be judged.
        for iso in ('https://example.com/x.iso', f'file://{self.iso}',
                    'swift://x/y'):
            made = self.fresh(DIB_ESXI_ISO=iso)
            element.check(made.environ)

    def test_output_folder(self) -> None:
        self.checked('/nonexistent', IMAGE_NAME='/nonexistent/esxi')
        with mock.patch.object(os, 'access', autospec=True,
                               return_value=False):
            self.checked('permission denied',
                         error=errors.EnvironmentFailed)

    def test_no_esxi(self) -> None:
        with open(self.iso, 'rb') as file:
            data = file.read()
        path = self.bad('short.iso', data[:len(data) // 2])
        self.unpacked(path, iso=path)
        path = self.bad('no.iso', b'not an ISO' * 10000)
        self.unpacked(path, iso=path)

    def test_checksum(self) -> None:
        self.unpacked('sha256', DIB_ESXI_ISO_SHA256='0' * 64)

    def test_size(self) -> None:
        self.unpacked('--image-size 0.01: the image needs',
                      error=errors.RequestError, DIB_IMAGE_SIZE='0.01')

    def test_no_room(self) -> None:
        with mock.patch.object(room, 'check', autospec=True, side_effect=(
                errors.EnvironmentFailed('full'))) as check:
            self.unpacked('full', error=errors.EnvironmentFailed)
        (folder, files), (_, data) = check.call_args.args[0]
        self.assertTrue(folder.endswith('images'))
        total = sum(path.stat().st_size for path in
                    self.begun.tree.rglob('*') if path.is_file())
        self.assertEqual(total, files)
        self.assertGreater(data, files)


class OrderTests(ElementCase):
    """Phases where they do not belong."""

    def test_kept_for_us_alone(self) -> None:
        old = os.umask(0)
        try:
            made = self.fresh().begin()
        finally:
            os.umask(old)
        self.assertEqual(0o600, stat.S_IMODE(made.kept.stat().st_mode))

    def test_what_is_kept_is_not_in_the_image(self) -> None:
        self.assertNotIn(self.begun.kept.name, [
            path.name for path in self.begun.tree.rglob('*')])

    def test_unpack_into_a_tree_that_is_filled(self) -> None:
        made = self.begun.copy(self.tmp())
        before = sorted(made.tree.rglob('*'))
        self.refused(lambda: element.unpack(
            made.environ, made.iso, made.report), str(made.tree),
            error=errors.EnvironmentFailed)
        made.install().write()
        self.assertEqual([*before, made.path(bundle.NAME)],
                         sorted(made.tree.rglob('*'), key=lambda path: (
                             path.name == bundle.NAME, path)))

    def test_unpack_beside_a_file_of_another(self) -> None:
        made = self.fresh()
        made.path('boot.cfg').write_text('mine')
        # Which one, it should say.
        self.refused(made.begin, str(made.path('boot.cfg')),
                     error=errors.EnvironmentFailed)
        self.assertEqual('mine', made.path('boot.cfg').read_text())
        self.assertFalse(made.kept.exists())

    def test_without_unpack(self) -> None:
        made = self.fresh()
        for phase in (made.install, made.write):
            self.refused(phase, 'not unpacked', error=errors.RequestError)
        self.nothing_was_written(made)

    def test_without_install(self) -> None:
        made = self.begun.copy(self.tmp())
        self.refused(made.write, 'esxiimg.tgz is missing')
        self.assertFalse(made.image.exists())

    def test_after_the_image_is_written(self) -> None:
        made = self.installed.copy(self.tmp())
        made.write()
        before = made.image.read_bytes()
        self.refused(made.write, str(made.image), error=errors.RequestError)
        self.assert_same_bytes(before, made.image.read_bytes())

    def test_the_iso_is_not_needed_any_more(self) -> None:
        iso = self.tmp() / 'gone.iso'
        shutil.copy(self.iso, iso)
        made = Build(self.tmp(), str(iso)).begin()
        iso.unlink()
        self.assertEqual(self.run_program()[0], made.install().write())


class CommandTests(ElementCase):
    """The hooks' one command."""

    def call(self, *argv: str, **environ: str
             ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, '-W', 'error', '-m', 'esxi_img.cmd.element',
             *argv], text=True, capture_output=True,
            env={**os.environ, **environ})

    def test_phases(self) -> None:
        made = self.fresh()
        for argv in (('check',), ('unpack', '--', self.iso), ('install',),
                     ('image',)):
            done = self.call(*argv, **made.environ)
            self.assertEqual((0, ''), (done.returncode, done.stdout), argv)
            self.assertNotIn('error', done.stderr)
        self.assert_same_bytes(self.run_program()[1], made.image.read_bytes())

    def test_refusals(self) -> None:
        made = self.fresh()
        for argv, environ, status, part in (
                (('check',), {'DIB_ESXI_ISO': '', 'DIB_ARGS': '-t tar'}, 2,
                 'error: DIB_ESXI_ISO is not set'),
                (('check',), {'DIB_ESXI_NOPE': 'x'}, 2, 'DIB_ESXI_NOPE'),
                (('check',), {'DIB_ESXI_ISO': '/nonexistent'}, 3,
                 'error: /nonexistent'),
                (('install',), {}, 2, 'hint: '),
                (('image',), {}, 2, 'not unpacked'),
                (('unpack',), {}, 2, 'iso'),
                (('finish',), {}, 2, 'finish'),
                ((), {}, 2, 'phase')):
            done = self.call(*argv, **{**made.environ, **environ})
            self.assertEqual(status, done.returncode, (argv, done.stderr))
            self.assertIn(part, done.stderr)
            for line in done.stderr.splitlines():
                self.assertRegex(line, '^(error|hint): ')
        self.nothing_was_written(made)


class VariableTests(base.TestCase):

    def test_the_names_are_those_of_the_hooks(self) -> None:
        hook = pathlib.Path(elements.path(),
                            'esxi-installer/root.d/01-esxi-check')
        self.assertIn(f'export {environment.ISO}=', hook.read_text())
