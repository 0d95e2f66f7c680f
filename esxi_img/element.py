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

"""The build within disk-image-create, one phase a hook.

What the first phases have read and decided is kept beside the hooks, in a
folder of the build's own, for the later ones.
"""

import collections.abc
import dataclasses
import math
import os
# As diskimage-builder itself keeps its nodes from one process to the next.
import pickle  # nosec B403
import shutil

from esxi_img import bootcfg
from esxi_img import build
from esxi_img import bundle
from esxi_img.conf import environment
from esxi_img import dib
from esxi_img import errors
from esxi_img import folder
from esxi_img import infile
from esxi_img import modulefile
from esxi_img import options as options_module
from esxi_img import recipe as recipe_module
from esxi_img import report as report_module
from esxi_img import room
from esxi_img import tree
from esxi_img import write

Environ = collections.abc.Mapping[str, str]

TREE = 'boot/efi'
"""Below the target's root: where diskimage-builder's own elements have the
EFI system partition."""
KEPT = 'esxi-img.pickle'
SCRATCH = 8 * 1024 * 1024
"""Bytes that ext2 needs for itself, besides a sixteenth."""
MAX_BOOT_CFG = 1024 * 1024
"""Bytes of a boot.cfg."""


def check(environ: Environ) -> None:
    """Refuse what can be told before the ISO is there, or fetched.

    :raises EsxiImgError: with all that is wrong with the request
    """
    request = dib.read(environ)
    hooks = {name: os.listdir(path)
             for name, path in request.elements.items()}
    problems = dib.problems(request, hooks)
    iso = environ.get(environment.ISO, '').strip()
    if not iso:
        problems.append(f'{environment.ISO} is not set: it is the path or '
                        'URL of the ESXi installer ISO')
    if problems:
        raise errors.RequestError(*problems)
    options = _options(environ, request, iso)
    room.check_folder(dib.output_folder(request))
    if '://' not in iso.removeprefix('file://'):
        infile.opened(iso.removeprefix('file://'), block_device=True).close()
    build.own_files(options)


def _options(environ: Environ, request: dib.Request,
             iso: str) -> options_module.Options:
    options = environment.load(environ, iso, f'{request.output}.raw')
    try:
        options_module.check(options)
    except errors.RequestError as error:
        raise errors.RequestError(*map(
            environment.spelt, error.problems)) from error
    return options


def unpack(environ: Environ, iso: str, report: report_module.Report) -> None:
    """Put the ISO's files into the target's tree.

    :param iso: its path on this machine
    :raises EsxiImgError: before anything is written, but for what fails in
        writing
    """
    request = dib.read(environ)
    recipe = recipe_module.make(build.ingredients(
        _options(environ, request, iso), report))
    build.tell(recipe, report)
    files = sum(file.size for file in recipe.given.source.files)
    scratch = files + files // 16 + SCRATCH
    # It gives the file system for the tree the size that it was told.
    if environ.get(environment.SIZE) and (
            recipe.given.options.image_bytes < scratch):
        raise errors.RequestError(
            f'--image-size {recipe.given.options.image_size:g}: '
            'disk-image-create needs '
            f'{math.ceil(scratch / 2 ** 30 * 10000) / 10000} GiB')
    room.check(room.needed(
        request, environ['TMP_BUILD_DIR'], environ['TMP_IMAGE_DIR'], files,
        sum(item.size for item in recipe.layout.items)))
    folder.fill(_root(environ), recipe.given.source, iso, report)
    kept = os.path.join(environ['TMP_BUILD_DIR'], KEPT)
    with write.translated(kept), open(kept, 'xb', opener=_private) as file:
        pickle.dump(recipe.given, file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _root(environ: Environ) -> str:
    return os.path.join(environ['TARGET_ROOT'], TREE)


def _kept(environ: Environ) -> recipe_module.Ingredients:
    path = os.path.join(environ['TMP_BUILD_DIR'], KEPT)
    try:
        with open(path, 'rb') as file:
            return pickle.load(file)  # nosec B301
    except FileNotFoundError as error:
        raise errors.RequestError(
            'the ISO was not unpacked', hint='add the element esxi-installer'
        ) from error


def install(environ: Environ) -> None:
    """Put our module and the user's into the tree, and into its boot.cfg.

    :raises EsxiImgError: a boot.cfg, as it now is, cannot be edited; disk
        full and the like
    """
    given, root = _kept(environ), _root(environ)
    packed, = (item.content for item in recipe_module.make(given).layout.items
               if item.path == (bundle.NAME,))
    boot_cfgs = {
        path: recipe_module.edit(given, bootcfg.parse(
            _read(root, path), cfg.name, cfg.directory))
        for path, cfg in given.facts.boot_cfgs.items()}
    for module in given.modules:
        copy = folder.place(root, (module.name,))
        with (infile.opened(module.source, 'module ') as source,
              write.translated(copy), open(copy, 'xb') as file):
            shutil.copyfileobj(source, file)
    with write.translated(root):
        for path, cfg in boot_cfgs.items():
            with open(folder.place(root, path), 'wb') as file:
                file.write(cfg.render())
        with open(folder.place(root, (bundle.NAME,)), 'wb') as file:
            file.write(packed)


def _read(root: str, path: tree.Path) -> bytes:
    return infile.small(folder.place(root, path), MAX_BOOT_CFG)


def write_image(environ: Environ, report: report_module.Report) -> None:
    """Lay the tree out as it now is, and write the image.

    :raises EsxiImgError: the installer would not start from it; disk full
        and the like
    """
    device = environ['IMAGE_BLOCK_DEVICE']
    recipe = _adopted(_kept(environ), _root(environ))
    room.check(room.left(dib.read(environ), environ['TMP_IMAGE_DIR'],
                         sum(item.size for item in recipe.layout.items)))
    with write.replacing(device) as file:
        build.write_raw(recipe, file, report)
    report.say(f'wrote {device}: recipe {recipe.id}')


def _adopted(given: recipe_module.Ingredients,
             root: str) -> recipe_module.Recipe:
    """The recipe of a tree that others may have changed."""
    directories, sizes = folder.scan(root)
    packed = sizes.pop((bundle.NAME,), None)
    if packed is None:
        raise errors.InputError(f'{root}: {bundle.NAME} is missing')
    modules = tuple(modulefile.read(folder.place(root, (module.name,)))
                    for module in given.modules)
    for module in modules:
        del sizes[module.name,]
    boot_cfgs = {path: _read(root, path) for path in given.facts.boot_cfgs}
    # What a boot.cfg is, its hash tells; the size differs by our own words.
    sizes |= {file.path: file.size for file in given.source.files
              if file.path in boot_cfgs}
    try:
        members = bundle.unpack(infile.small(
            folder.place(root, (bundle.NAME,)), bundle.MAX_UNPACKED))
    except ValueError as error:
        raise errors.InputError(f'{bundle.NAME}: {error}') from error
    return recipe_module.adopt(
        dataclasses.replace(
            given, modules=modules,
            source=tree.revised(given.source, root, directories, sizes),
            elsewhere={path: folder.place(root, path) for path in sizes}),
        boot_cfgs, members)
