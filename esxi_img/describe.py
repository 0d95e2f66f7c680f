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

"""A recipe in words and as JSON; hashes and passwords as (set)."""

import collections.abc
import datetime
import typing

from esxi_img import bundle
from esxi_img.disk import compose
from esxi_img.disk import geometry
from esxi_img.disk import layout
from esxi_img import mboot
from esxi_img import printable
from esxi_img import recipe as recipe_module
from esxi_img import tree


def as_dict(recipe: recipe_module.Recipe) -> dict[str, typing.Any]:
    """The recipe as plain JSON values; sizes and offsets in bytes."""
    given = recipe.given
    return {
        'recipe_id': recipe.id,
        'version': given.version,
        'iso': {
            'path': given.options.iso,
            'label': given.source.label,
            'esxi_version': given.facts.version,
            'esxi_build': given.facts.build,
            'names': given.source.names,
            'files': len(given.source.files),
            'bytes': sum(file.size for file in given.source.files)},
        'options': options(recipe),
        'kickstart': {
            'text': given.kickstart.redacted(),
            'install': given.kickstart.install,
            'safe': given.kickstart.redacted_safe(),
            'added': list(given.kickstart.added),
            'left_out': list(given.kickstart.left_out),
            'includes': list(given.kickstart.includes)},
        'boot_cfg': [_boot_cfg(recipe, path) for path in recipe.boot_cfgs],
        'installed_kernelopt': list(given.options.installed_words),
        'modules': [{'name': module.name, 'path': module.source,
                     'size': module.size, 'sha256': module.sha256}
                    for module in given.modules],
        'bundle': {'name': bundle.NAME, 'members': {
            name: len(data)
            for name, data in sorted(recipe.members.items())}},
        'layout': _layout(recipe.layout),
        'ids': {'disk_guid': str(recipe.ids.disk),
                'partition_guid': str(recipe.ids.partition),
                'volume_id': f'{recipe.ids.volume:08X}'},
        'time': recipe.ids.time,
        'notes': list(recipe.notes),
        'image': {'format': given.options.format,
                  'virtual_size': recipe.layout.size},
    }


def options(recipe: recipe_module.Recipe) -> dict[str, typing.Any]:
    """The options that shape the image, as they were given.

    The password's hash is (set).
    """
    given = recipe.given.options
    return {
        'format': given.format,
        'compress': given.compress,
        'sector_size': given.sector_size,
        'image_size': given.image_size,
        'kernel_options': list(given.kernel_option),
        'installed_kernel_options': list(given.installed_kernel_option),
        'serial_console': given.serial_console,
        'add_module': list(given.add_module),
        'kickstart': given.kickstart,
        'install_disk': given.install_disk,
        'install_options': list(given.install_option),
        'root_password_hash':
            '(set)' if given.root_password_hash_file else None,
        'only_management': given.only_management,
        'keep_config_drive': given.keep_config_drive,
        'ssh': given.ssh,
        'shell': given.shell,
        'ca_file': given.ca_file}


def _boot_cfg(recipe: recipe_module.Recipe,
              path: tree.Path) -> dict[str, str]:
    before = recipe.given.facts.boot_cfgs[path].lines
    after = recipe.boot_cfgs[path].lines
    changed = [(mboot.show(old).strip(), mboot.show(new).strip())
               for old, new in zip(before, after) if old != new]
    return {'path': tree.show(path),
            'before': '\n'.join(old for old, _ in changed),
            'after': '\n'.join(new for _, new in changed)}


def _layout(plan: layout.Layout) -> dict[str, typing.Any]:
    volume, table = plan.volume, plan.table
    return {
        'sector_size': volume.sector_size,
        'partition': {
            'first_lba': table.start, 'last_lba': table.end,
            'offset': plan.volume_offset,
            'size': volume.total_sectors * volume.sector_size},
        'fat32': {
            'cluster_size': volume.cluster_bytes,
            'clusters': volume.clusters,
            'free_clusters': volume.clusters - plan.used_clusters,
            'reserved_sectors': volume.reserved,
            'fats': geometry.NUM_FATS,
            'fat_sectors': volume.fat_sectors,
            'label': compose.VOLUME_LABEL.decode().strip()},
        'files': [{
            'path': tree.show(item.path), 'size': item.size,
            'offset': _offset(plan, item.path)} for item in plan.items]}


def _offset(plan: layout.Layout, path: tree.Path) -> int | None:
    run = plan.placed[path]
    if not run.count:
        return None
    return plan.volume_offset + plan.volume.cluster_offset(run.cluster)


def as_text(recipe: recipe_module.Recipe) -> str:
    """The recipe for a reader: what is read, edited, laid out where."""
    return '\n'.join(map(printable.line, _lines(as_dict(recipe)))) + '\n'


def _lines(facts: dict[str, typing.Any]) -> collections.abc.Iterator[str]:
    iso, plan = facts['iso'], facts['layout']
    when = datetime.datetime.fromtimestamp(
        facts['time'], datetime.timezone.utc)
    yield f'recipe {facts["recipe_id"]}'
    yield ''
    yield 'read'
    yield (f'  {iso["path"]}: ESXi {iso["esxi_version"] or "(unknown)"} '
           f'build {iso["esxi_build"] or "(unknown)"}, label {iso["label"]}')
    yield (f'  {iso["files"]} files, {iso["bytes"]} bytes, '
           f'{iso["names"]} names')
    for module in facts['modules']:
        yield f'  {module["path"]}: module {module["name"]}, ' \
              f'{module["size"]} bytes'
    yield ''
    yield 'edit'
    for cfg in facts['boot_cfg']:
        yield f'  {cfg["path"]}'
        for old, new in zip(cfg['before'].split('\n'),
                            cfg['after'].split('\n')):
            yield f'    - {old}'
            yield f'    + {new}'
    yield ''
    yield from _kickstart_lines(facts)
    yield ''
    yield from _first_boot_lines(facts['options'])
    yield ''
    yield 'lay out'
    yield from _layout_lines(facts)
    yield ''
    yield 'ids'
    for name, value in facts['ids'].items():
        yield f'  {name.replace("_", " "):15} {value}'
    yield f'  {"time":15} {when:%Y-%m-%dT%H:%M:%SZ}'
    yield ''
    yield (f'image {plan["sector_size"]}-byte sectors, '
           f'{facts["image"]["virtual_size"]} bytes, '
           f'format {facts["image"]["format"]}')


def _kickstart_lines(facts: dict[str, typing.Any]
                     ) -> collections.abc.Iterator[str]:
    kickstart, options = facts['kickstart'], facts['options']
    yield f'kickstart {options["kickstart"] or "(default)"}'
    for word, title in (('added', 'added'), ('left_out', 'left out'),
                        ('includes', 'includes')):
        for line in kickstart[word]:
            yield f'  {title}: {line}'
    yield '  text:'
    for line in kickstart['text'].rstrip('\n').split('\n'):
        yield f'    | {line}'.rstrip()
    for name, text in kickstart['safe'].items():
        for line in text.splitlines():
            yield f'  {name} at first: {line}'
    yield f'  disk.cfg on the host: {kickstart["install"]}'
    words = ' '.join(facts['installed_kernelopt'])
    yield f'  for the installed kernel: {words or "(nothing)"}'


def _first_boot_lines(options: dict[str, typing.Any]
                      ) -> collections.abc.Iterator[str]:
    yield 'first boot'
    for name in ('only_management', 'keep_config_drive', 'ssh', 'shell'):
        yield (f'  {name.replace("_", " "):17} '
               f'{"yes" if options[name] else "no"}')
    yield f'  {"ca file":17} {options["ca_file"] or "(none)"}'


def _layout_lines(facts: dict[str, typing.Any]
                  ) -> collections.abc.Iterator[str]:
    plan = facts['layout']
    part, fat = plan['partition'], plan['fat32']
    yield (f'  GPT: one EFI system partition, LBA {part["first_lba"]} to '
           f'{part["last_lba"]} (offset {part["offset"]}, '
           f'{part["size"]} bytes)')
    yield (f'  FAT32: {fat["clusters"]} clusters of {fat["cluster_size"]} '
           f'bytes, {fat["free_clusters"]} free; {fat["fats"]} FATs of '
           f'{fat["fat_sectors"]} sectors behind {fat["reserved_sectors"]}')
    members = facts['bundle']['members']
    for file in plan['files']:
        where = ('-' if file['offset'] is None else file['offset'])
        yield f'  {where:>12} {file["size"]:>11} {file["path"]}'
        if file['path'] == facts['bundle']['name']:
            for name, size in members.items():
                yield f'  {"":12} {size:>11}   {name}'
