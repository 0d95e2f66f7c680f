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

"""What disk-image-create was asked for, as far as it lets elements know."""

import collections.abc
import dataclasses
import posixpath
import re

import yaml

IN_TARGET = ('pre-install.d', 'install.d', 'post-install.d', 'finalise.d')
"""Folders of hooks that run in a chroot of the image's tree."""

NO_DISK = frozenset(('tar', 'tgz', 'squashfs', 'docker', 'aci'))
"""Types that hold the tree which the build was scratched together in."""

# Short options of disk-image-create, those with a value in brackets of their
# own: -t raw, -traw, -xt raw.
_SHORT = re.compile('-[hxucn]*([aotp])(.*)')
_LONG = frozenset(
    'min-tmpfs image-size image-extra-size image-cache max-online-resize '
    'mkfs-journal-size mkfs-options qemu-img-options ramdisk-element '
    'root-label install-type docker-target logfile'.split())
"""Long ones with a value, of diskimage-builder 3."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One run of disk-image-create.

    :param output: the path of the image, without its suffix
    :param types: of the image, as given with -t
    :param packages: wanted with -p
    :param elements: path of each, by name
    :param block_device: has a layout of disks been given?
    :param extra_size: --image-extra-size, or ''
    """

    output: str
    types: tuple[str, ...] = ('qcow2',)
    packages: tuple[str, ...] = ()
    elements: collections.abc.Mapping[str, str] = dataclasses.field(
        default_factory=dict)
    block_device: bool = False
    extra_size: str = ''


def read(environ: collections.abc.Mapping[str, str]) -> Request:
    """The request that the variables of a hook tell of."""
    types, packages = _arguments(environ.get('DIB_ARGS', ''))
    elements = yaml.safe_load(environ.get('IMAGE_ELEMENT_YAML') or '{}')
    return Request(
        output=environ.get('IMAGE_NAME') or 'image', types=types,
        packages=packages, elements=elements,
        block_device=bool(environ.get('DIB_BLOCK_DEVICE_CONFIG')),
        extra_size=environ.get('DIB_IMAGE_EXTRA_SIZE', ''))


def _arguments(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Types and packages of a command line whose quotes are lost.

    What a value with blanks has behind the first one is taken for words of
    its own, so it is read by hand: a strict parser would give up.
    """
    types: tuple[str, ...] = ('qcow2',)
    packages: list[str] = []
    words = iter(line.split())
    for word in words:
        if word == '--':
            break
        found = _SHORT.fullmatch(word)
        if found:
            values = (found[2] or next(words, '')).split(',')
            if found[1] == 't':
                types = tuple(filter(None, values)) or types
            elif found[1] == 'p':
                packages += filter(None, values)
        elif word.startswith('--') and word[2:] in _LONG:
            next(words, None)
    return types, tuple(packages)


def problems(request: Request, hooks: collections.abc.Mapping[
        str, collections.abc.Collection[str]]) -> list[str]:
    """What of the request cannot be done with ESXi, one line each.

    :param hooks: names of the folders of each element
    """
    found = []
    for name in sorted(hooks):
        # What base has for a Linux system is dropped.
        folders = [folder for folder in IN_TARGET
                   if folder in hooks[name] and name != 'base']
        if folders:
            found.append(f'element {name} has hooks that run inside the '
                         f'image ({", ".join(folders)}), where ESXi runs '
                         'nothing')
    for package in request.packages:
        found.append(f'-p {package}: no package can be installed into an '
                     'ESXi image')
    for kind in request.types:
        if kind in NO_DISK:
            found.append(f'-t {kind}: would not hold the disk; take raw or '
                         'qcow2')
    if 'no-final-image' in request.elements:
        found.append('element no-final-image: the image is all that there '
                     'is to build')
    if request.block_device:
        found.append('DIB_BLOCK_DEVICE_CONFIG is set: the layout of the disk '
                     'is that of element block-device-esxi')
    if request.extra_size:
        found.append('--image-extra-size: take --image-size, which says how '
                     'large the image is')
    return found


def output_folder(request: Request) -> str:
    """The folder that the image will be moved to."""
    return posixpath.dirname(request.output) or '.'
