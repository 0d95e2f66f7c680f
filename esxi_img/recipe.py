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

"""The recipe: everything about an image, decided before a byte is written.

It has an identity, from which all ids of the image derive: the same ISO,
options and version give the same recipe, and the same bytes.
"""

import collections.abc
import dataclasses
import hashlib
import json
import math
import typing
import uuid

from esxi_img import bootcfg
from esxi_img import bundle
from esxi_img.disk import compose
from esxi_img.disk import layout
from esxi_img import errors
from esxi_img.iso import identify
from esxi_img.kickstart import merge
from esxi_img import options as options_module
from esxi_img import tree

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, 'esxi-img')


@dataclasses.dataclass(frozen=True)
class Ingredients:
    """All that a recipe is made of.

    :param firstboot: the first-boot package's files by their path in it
    :param version: of this program
    :param time: for every date in the image, seconds since 1970-01-01 UTC
    :param elsewhere: files of ``source`` that are not read from the ISO: the
        file of this machine that holds each
    :param ca: certificates in PEM, to verify whom first boot reports to
    :param collector: the program that gathers a field report
    """

    options: options_module.Options
    source: tree.Tree
    facts: identify.Facts
    kickstart: merge.Kickstart
    modules: tuple[tree.Extra, ...]
    firstboot: collections.abc.Mapping[str, bytes]
    version: str
    time: int
    elsewhere: collections.abc.Mapping[tree.Path, str] = dataclasses.field(
        default_factory=dict)
    ca: bytes | None = None
    collector: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What will be read, edited, laid out and written."""

    id: str
    given: Ingredients
    boot_cfgs: dict[tree.Path, bootcfg.BootCfg]
    members: dict[str, bytes] = dataclasses.field(repr=False)
    layout: layout.Layout
    ids: compose.Ids
    notes: tuple[str, ...]

    def pieces(self) -> collections.abc.Iterator[compose.Piece]:
        """The image, piece by piece."""
        return compose.pieces(self.layout, self.ids)


def make(given: Ingredients) -> Recipe:
    """The recipe for these ingredients.

    :raises InputError: they do not fit each other, or FAT32, or the loader
    :raises RequestError: an option does not fit this ESXi
    """
    _check_install_options(given)
    _check_modules(given)
    return _finished(given, _edited(given), _members(given))


def _members(given: Ingredients) -> dict[str, bytes]:
    """The files of our module but build.json."""
    return {bundle.KICKSTART: given.kickstart.text.encode(),
            bundle.SETTINGS: _settings_json(given.options),
            **{f'{bundle.FOLDER}/{name}': data
               for name, data in given.kickstart.safe.items()},
            **{f'{bundle.FIRSTBOOT}/{name}': data
               for name, data in given.firstboot.items()},
            **({} if given.ca is None else {bundle.CA: given.ca}),
            **({} if given.collector is None
               else {bundle.COLLECTOR: given.collector})}


def adopt(given: Ingredients,
          boot_cfgs: collections.abc.Mapping[tree.Path, bytes],
          members: collections.abc.Mapping[str, bytes]) -> Recipe:
    """The recipe for a tree whose boot.cfg and module stand already.

    Of a tree that has only what :func:`make` would have put there it is the
    same recipe.

    :param given: of which ``source`` is the tree, without our module
    :param boot_cfgs: every boot.cfg of ``given.facts`` as it is now
    :param members: of our module; its build.json is made anew
    :raises InputError: the installer would not start, or not with our
        module; the files do not fit FAT32
    """
    problems = identify.missing(given.source)
    parsed = {path: bootcfg.parse(boot_cfgs[path], cfg.name, cfg.directory)
              for path, cfg in given.facts.boot_cfgs.items()}
    for path, cfg in parsed.items():
        problems += bootcfg.problems(cfg) or bootcfg.read_back(
            cfg, _module_paths(given), given.options.installer_words)
    problems += _absent_files(given, parsed)
    problems += [f'{bundle.NAME}: {name} is missing'
                 for name in _members(given) if name not in members]
    if problems:
        raise errors.InputError(*dict.fromkeys(problems))
    return _finished(given, parsed, {
        name: data for name, data in members.items()
        if name != bundle.BUILD})


def _finished(given: Ingredients, boot_cfgs: dict[
        tree.Path, bootcfg.BootCfg], members: dict[str, bytes]) -> Recipe:
    recipe_id = _identity(given, boot_cfgs, members)
    ids = compose.Ids(
        disk=uuid.uuid5(NAMESPACE, f'{recipe_id} disk'),
        partition=uuid.uuid5(NAMESPACE, f'{recipe_id} partition'),
        volume=uuid.uuid5(NAMESPACE, f'{recipe_id} volume').int >> 96,
        time=given.time)
    items = _items(given, boot_cfgs)
    members[bundle.BUILD] = _build_json(given, recipe_id, ids,
                                        boot_cfgs, bundle.file_table({
                                            item.path: item.size
                                            for item in items}))
    packed = bundle.pack(members, given.time)
    items.append(layout.Item((bundle.NAME,), len(packed), packed))
    return Recipe(recipe_id, given, boot_cfgs, members,
                  _layout(given, items), ids, _notes(given))


def _check_install_options(given: Ingredients) -> None:
    """What only newer installers know may not reach an older one."""
    version = given.facts.version or ''
    old = version.startswith(('5.', '6.'))
    late = [word for word in given.options.install_option
            if word.lstrip('-') in ('forceunsupportedinstall',
                                    'ignoreprereqerrors',
                                    'ignoreprereqwarnings')]
    if old and late:
        raise errors.RequestError(
            f'--install-option {late[0]}: ESXi {version} does not know it, '
            'it needs 7.0 or later')


def _edited(given: Ingredients) -> dict[tree.Path, bootcfg.BootCfg]:
    """Both boot.cfg as they will be, each checked to load what is there."""
    edited, problems = {}, []
    for path, cfg in given.facts.boot_cfgs.items():
        try:
            edited[path] = edit(given, cfg)
        except errors.InputError as error:
            problems += error.problems
    problems += _absent_files(given, edited)
    if problems:
        raise errors.InputError(*dict.fromkeys(problems))
    return edited


def edit(given: Ingredients, cfg: bootcfg.BootCfg) -> bootcfg.BootCfg:
    """A boot.cfg as these ingredients want it.

    :raises InputError: see :func:`esxi_img.bootcfg.edit`
    """
    return bootcfg.edit(cfg, _module_paths(given),
                        given.options.installer_words)


def _absent_files(given: Ingredients, boot_cfgs: dict[
        tree.Path, bootcfg.BootCfg]) -> list[str]:
    sizes = {tree.fold(file.path): file.size for file in given.source.files}
    sizes |= {tree.fold((module.name,)): module.size
              for module in given.modules}
    sizes[tree.fold((bundle.NAME,))] = 1
    return [problem for cfg in boot_cfgs.values()
            for problem in identify.absent_files(cfg, sizes)]


def _module_paths(given: Ingredients) -> list[str]:
    return [f'/{module.name}' for module in given.modules]


def _identity(given: Ingredients,
              boot_cfgs: collections.abc.Mapping[tree.Path, bootcfg.BootCfg],
              members: collections.abc.Mapping[str, bytes]) -> str:
    """sha256 over everything that the image's bytes follow from.

    The ISO counts by its descriptors and its file table: its data are not
    read a second time for it.
    """
    source = given.source
    everything = {
        'version': given.version,
        'time': given.time,
        'sector_size': given.options.sector_size,
        'image_size': given.options.image_bytes,
        'descriptors': source.descriptors,
        'directories': [list(path) for path in source.directories],
        'files': [[list(file.path), file.size,
                   [[extent.offset, extent.length]
                    for extent in file.extents]] for file in source.files],
        'boot_cfgs': [[list(path), digest(cfg.render())] for path, cfg in [
            *given.facts.boot_cfgs.items(), *boot_cfgs.items()]],
        'modules': [[module.name, module.sha256]
                    for module in given.modules],
        'members': [[name, digest(data)]
                    for name, data in sorted(members.items())],
        'for_first_boot': _for_first_boot(given),
    }
    return digest(json.dumps(everything, sort_keys=True,
                             separators=(',', ':')).encode())


def digest(data: bytes) -> str:
    """sha256 as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _for_first_boot(given: Ingredients) -> dict[str, typing.Any]:
    """The options that the installed system needs."""
    return {'install_disk': given.options.install_disk,
            'install_line': given.kickstart.install,
            'installed_kernel_options': list(given.options.installed_words)}


def _settings_json(options: options_module.Options) -> bytes:
    """What first boot is to do on all hosts; settings.py of it reads it."""
    return _json({'only_management': options.only_management,
                  'ssh': options.ssh,
                  'shell': options.shell,
                  'root_hash': options.root_password_hash_file is not None,
                  'keep_config_drive': options.keep_config_drive})


def _json(value: collections.abc.Mapping[str, typing.Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + '\n').encode()


def _build_json(given: Ingredients, recipe_id: str, ids: compose.Ids,
                boot_cfgs: collections.abc.Mapping[
                    tree.Path, bootcfg.BootCfg], file_table: str) -> bytes:
    """What the image knows of itself once it runs."""
    return _json({
        'version': given.version,
        'recipe_id': recipe_id,
        'disk_guid': str(ids.disk),
        'partition_guid': str(ids.partition),
        'sector_size': given.options.sector_size,
        'esxi_version': given.facts.version,
        'esxi_build': given.facts.build,
        'file_table': file_table,
        'boot_cfg_sha256': {tree.show(path): digest(cfg.render())
                            for path, cfg in boot_cfgs.items()},
        'boot_cfg_edits': {
            'modules': _module_paths(given),
            'kernel_options': list(given.options.installer_words)},
        **_for_first_boot(given)})


def _items(given: Ingredients,
           boot_cfgs: collections.abc.Mapping[tree.Path, bootcfg.BootCfg]
           ) -> list[layout.Item]:
    """All files of the image but our module."""
    items = []
    for file in given.source.files:
        if file.path in boot_cfgs:
            data = boot_cfgs[file.path].render()
            items.append(layout.Item(file.path, len(data), data))
        else:
            items.append(layout.Item(file.path, file.size,
                                     _stored(given, file)))
    for module in given.modules:
        items.append(layout.Item(
            (module.name,), module.size, layout.Stored(
                module.source, (tree.Extent(0, module.size),))))
    return items


def _stored(given: Ingredients, file: tree.File) -> layout.Stored:
    if file.path in given.elsewhere:
        return layout.Stored(given.elsewhere[file.path],
                             (tree.Extent(0, file.size),))
    return layout.Stored(given.options.iso, file.extents)


def _layout(given: Ingredients, items: list[layout.Item]) -> layout.Layout:
    source = given.source
    problems = layout.problems(source.directories, items)
    if problems:
        raise errors.InputError(*(f'{source.source}: {problem}'
                                  for problem in problems))
    wanted = given.options.image_bytes
    try:
        plan = layout.plan(source.directories, items,
                           given.options.sector_size, wanted)
    except ValueError as error:
        raise errors.InputError(f'{source.source}: {error}') from error
    if wanted and plan.size - wanted >= layout.GRANULARITY:
        raise errors.RequestError(
            f'--image-size {given.options.image_size:g}: the image needs '
            f'{math.ceil(plan.size / 2 ** 30 * 10000) / 10000} GiB')
    return plan


def _check_modules(given: Ingredients) -> None:
    """No module may take the name of another, or of a file of the ISO."""
    taken = {}
    if given.source.find(bundle.NAME):
        raise errors.InputError(
            f'{given.source.source}: has {bundle.NAME} already',
            hint="build from VMware's own ISO, not from one that was edited")
    for module in given.modules:
        other = taken.setdefault(module.name.upper(), module.source)
        if other is not module.source:
            raise errors.InputError(
                f'--add-module {module.source}: has the name of {other}',
                hint='rename one of them')
        if given.source.find(module.name):
            raise errors.InputError(
                f'--add-module {module.source}: the ISO has a file of this '
                'name', hint='rename the module')


def _notes(given: Ingredients) -> tuple[str, ...]:
    """What the user should know before the image is used."""
    notes = [note for module in given.modules for note in module.notes]
    version = given.facts.version
    if version is None:
        notes.append('the ISO does not say which ESXi it is')
    elif version.startswith(('5.', '6.')):
        notes.append(f'ESXi {version} is older than 7.0, the oldest that '
                     'this program is made for')
    return (*notes, *given.kickstart.notes)
