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

"""What the user asked for, as one frozen value; no source of it is known
here."""

import dataclasses
import re

from esxi_img.disk import geometry
from esxi_img import errors

FORMATS = ('raw', 'qcow2', 'vmdk')
SERIAL_PORTS = ('com1', 'com2')

MIN_GIB = 2 ** -20
MAX_GIB = 8 * 1024 * 1024
"""8 EiB: what a file, and a partition table, can count."""

_WORD = re.compile(r'[!-~]+')
"""A kernel option: printable ASCII without blanks."""

_IMAGE_URL = re.compile(r'(?=[!-~]+\Z)(https?://[^/?#]+|file://)'
                        r'/[^?#]*[^/?#](\?.*)?')
"""Of a file: what ends in a slash is a folder to Ironic."""

MAX_NAME = 255
"""Characters of an image's name in Glance."""


@dataclasses.dataclass(frozen=True)
class Options:
    """All options of a build; names are those of the command line.

    Lists keep their order.  Paths are as given.
    """

    iso: str
    output: str | None = None
    force: bool = False
    format: str = 'raw'
    compress: bool = False
    dry_run: bool = False
    iso_sha256: str | None = None
    sector_size: int = 512
    image_size: float | None = None
    add_module: tuple[str, ...] = ()
    kernel_option: tuple[str, ...] = ()
    installed_kernel_option: tuple[str, ...] = ()
    serial_console: str | None = None
    kickstart: str | None = None
    install_disk: str = 'auto'
    install_option: tuple[str, ...] = ()
    root_password_hash_file: str | None = None
    only_management: bool = False
    keep_config_drive: bool = False
    ssh: bool = True
    shell: bool = True
    ca_file: str | None = None
    manifest: bool = False
    glance_command: bool = False
    instance_info: str | None = None
    upload: str | None = None
    image_name: str | None = None

    @property
    def handed_over(self) -> bool:
        """Is anything wanted that tells of the file's bytes?"""
        return (self.manifest or self.instance_info is not None
                or self.upload is not None)

    @property
    def image_bytes(self) -> int:
        """``image_size`` in bytes, 0 for none.

        disk-image-create, too, counts in whole KiB.
        """
        return int((self.image_size or 0) * 1024 * 1024) * 1024

    @property
    def installer_words(self) -> tuple[str, ...]:
        """Words for the installer's kernelopt; the user's come last."""
        return (*serial_words(self.serial_console), *self.kernel_option)

    @property
    def installed_words(self) -> tuple[str, ...]:
        """Words for the installed system's kernelopt."""
        return (*serial_words(self.serial_console),
                *self.installed_kernel_option)


def serial_words(port: str | None) -> tuple[str, ...]:
    """Kernel options that put the console on a serial port.

    The same set serves the installer and the installed system; the debugger
    and the log must leave the port alone.
    """
    if port is None:
        return ()
    return (f'tty2Port={port}', 'gdbPort=none', 'logPort=none')


def check(options: Options) -> None:
    """Refuse what cannot be meant.

    :raises RequestError: with every problem found
    """
    found = []
    if not options.output and not options.dry_run:
        found.append('--output is missing: it names the image to write')
    if options.sector_size not in geometry.SECTOR_SIZES:
        found.append(f'--sector-size {options.sector_size} is neither 512 '
                     'nor 4096')
    if options.image_size is not None and not (
            MIN_GIB <= options.image_size <= MAX_GIB):
        found.append(f'--image-size {options.image_size:g} is not a number '
                     f'of GiB up to {MAX_GIB}')
    if options.format not in FORMATS:
        found.append(f'--format {options.format} is none of '
                     f'{", ".join(FORMATS)}')
    if options.serial_console not in (None, *SERIAL_PORTS):
        found.append(f'--serial-console {options.serial_console} is none of '
                     f'{", ".join(SERIAL_PORTS)}')
    if options.compress and options.format != 'qcow2':
        found.append(f'--compress is for qcow2, not for {options.format}')
    if options.iso_sha256 is not None and not re.fullmatch(
            '[0-9a-fA-F]{64}', options.iso_sha256):
        found.append(f'--iso-sha256 {options.iso_sha256!r} is not a sha256 '
                     'of 64 hexadecimal digits')
    for option in ('kickstart', 'root_password_hash_file', 'ca_file',
                   'add_module'):
        value = getattr(options, option)
        if value == '' or (isinstance(value, tuple) and '' in value):
            found.append(f'--{option.replace("_", "-")} names no file')
    found += _words('--kernel-option', options.kernel_option)
    found += _words('--installed-kernel-option',
                    options.installed_kernel_option)
    found += _hand_over(options)
    if found:
        raise errors.RequestError(*found)


def _words(option: str, words: tuple[str, ...]) -> list[str]:
    found = []
    for word in words:
        if not _WORD.fullmatch(word) or word.startswith('='):
            found.append(f'{option} {word!r} is not one KEY=VALUE or word of '
                         'printable ASCII (repeat the option for several)')
        elif word.partition('=')[0] == 'ks':
            found.append(f'{option} {word!r}: the image brings its own '
                         'kickstart, give yours with --kickstart')
    return found


def _hand_over(options: Options) -> list[str]:
    """What is wrong with the hand-over to Glance or Ironic."""
    found = []
    asked = [option for option, value in (
        ('--manifest', options.manifest),
        ('--glance-command', options.glance_command),
        ('--instance-info', options.instance_info is not None),
        ('--upload', options.upload is not None)) if value]
    if options.dry_run:
        found += [f'{option} does not go with --dry-run, which writes no '
                  'image' for option in asked]
    if options.glance_command and options.instance_info is not None:
        found.append('--glance-command and --instance-info: only one of them '
                     'can be printed')
    if options.glance_command and not (options.output or '').isprintable():
        found.append(f'--glance-command: output {options.output!r} has '
                     'characters that cannot be printed in one line')
    if options.instance_info is not None:
        found += _instance_info(options)
    if options.upload == '':
        found.append('--upload names no cloud')
    if options.image_name is not None:
        found += _image_name(options, options.image_name)
    return found


def _instance_info(options: Options) -> list[str]:
    found = []
    if not _IMAGE_URL.fullmatch(options.instance_info or ''):
        # It is not repeated: there may be a password in it.
        found.append('--instance-info wants the URL of a file: '
                     'http://HOST/PATH, https://HOST/PATH or file:///PATH')
    if options.format == 'vmdk':
        found.append('--instance-info: Ironic takes raw and qcow2, not vmdk')
    return found


def _image_name(options: Options, name: str) -> list[str]:
    found = []
    if not options.glance_command and options.upload is None:
        found.append('--image-name goes with --glance-command or --upload')
    if (not 0 < len(name) <= MAX_NAME or not name.isprintable()
            or name.startswith('-')):
        found.append(f'--image-name {name!r} is not a name of up to '
                     f'{MAX_NAME} printable characters, the first of them no '
                     'dash')
    return found
