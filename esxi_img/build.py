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

"""Builds an image: read, make the recipe, write."""

import hashlib
import importlib.metadata
import importlib.resources
import os
import re
import typing

from esxi_img import cafile
from esxi_img import convert
from esxi_img import errors
from esxi_img import infile
from esxi_img.iso import identify
from esxi_img.iso import reader
from esxi_img.kickstart import merge
from esxi_img.kickstart import sections
from esxi_img import modulefile
from esxi_img import options as options_module
from esxi_img import pyyaml
from esxi_img import recipe as recipe_module
from esxi_img import report as report_module
from esxi_img import tree
from esxi_img import write

FIRSTBOOT = (
    '__init__.py', '__main__.py', 'accounts.py', 'address.py', 'apply.py',
    'blocks.py', 'bootbanks.py', 'carried.py', 'chain.py', 'cloudconfig.py',
    'collect.py', 'commands.py', 'configtext.py', 'daemons.py', 'disks.py',
    'drive.py', 'esxcli.py', 'esxikeys.py', 'esxischema.py', 'execute.py',
    'facts.py', 'fat.py', 'files.py', 'finding.py', 'folder.py', 'gpt.py',
    'host.py', 'hostname.py', 'installer.py', 'interfaces.py', 'iso9660.py',
    'isonames.py', 'jsonfile.py', 'log.py', 'management.py', 'mediatype.py',
    'metadata.py', 'mime.py', 'model.py', 'netdata.py', 'netlinks.py',
    'netvalue.py', 'nics.py', 'outcome.py', 'overrides.py', 'packed.py',
    'password.py', 'payload.py', 'phonehome.py', 'place.py', 'post.py',
    'pre.py', 'present.py', 'reading.py', 'records.py', 'redacted.py',
    'release.py', 'running.py', 'schema.py', 'scrub.py', 'services.py',
    'settings.py', 'shacrypt.py', 'sshkeys.py', 'steps.py', 'subnets.py',
    'switches.py', 'syscommands.py', 'tables.py', 'think.py', 'topology.py',
    'tuning.py', 'uplinks.py', 'userdata.py', 'userland.py', 'versions.py',
    'vmks.py', 'volume.py', 'wiring.py', 'wish.py', 'wishaccounts.py',
    'wishend.py', 'wishfiles.py', 'wishing.py', 'wishnames.py', 'wishntp.py',
    'wishpassword.py', 'wishpaths.py', 'wishscripts.py', 'wishvalue.py')
"""The first-boot package's files: by name, for an installed package also
holds what Python compiled."""

FIRSTBOOT_DATA = ('vmware_esxi.schema.json',)

CHUNK = 1024 * 1024
MAX_TIME = (1 << 33) - 1
"""Seconds that a tar archive can hold."""

MAX_TEXT = 4 * 1024 * 1024
"""Bytes that a kickstart or a hash file may have."""


def run(options: options_module.Options,
        report: report_module.Report) -> recipe_module.Recipe:
    """Build the image, or only its recipe with ``options.dry_run``.

    :raises EsxiImgError: see :mod:`esxi_img.errors`; nothing is left behind
    """
    options_module.check(options)
    if not options.dry_run:
        write.target(str(options.output), options.force)
        _refuse_own_input(options)
        if options.format != 'raw':
            convert.check()
    recipe = recipe_module.make(ingredients(options, report))
    tell(recipe, report)
    if not options.dry_run:
        _write(recipe, report)
    return recipe


def tell(recipe: recipe_module.Recipe,
         report: report_module.Report) -> None:
    """Say what the user should know of a recipe."""
    for line in recipe.given.kickstart.left_out:
        report.say(f'kickstart: left out {line}')
    for note in recipe.notes:
        report.warn(note)


def version() -> str:
    """This program's version.

    :raises EnvironmentFailed: it was not installed, only copied
    """
    try:
        return importlib.metadata.version('esxi-img')
    except importlib.metadata.PackageNotFoundError as error:
        raise errors.EnvironmentFailed(
            'esxi-img is not installed, so it has no version',
            hint='pip install -e . in its checkout') from error


def _refuse_own_input(options: options_module.Options) -> None:
    """--force must not replace what the image is made from."""
    inputs = [options.iso, options.kickstart,
              options.root_password_hash_file, options.ca_file,
              *options.add_module]
    for path in inputs:
        if path and os.path.exists(path) and os.path.exists(
                str(options.output)) and os.path.samefile(
                    path, str(options.output)):
            raise errors.RequestError(
                f'output {options.output} is the input {path}',
                hint='name another output')


def ingredients(options: options_module.Options,
                report: report_module.Report) -> recipe_module.Ingredients:
    """Read, and judge, everything that an image is made of.

    :raises EsxiImgError: see :mod:`esxi_img.errors`
    """
    kickstart, modules, ca = own_files(options)
    if options.iso_sha256:
        _verify(options, report)
    source, facts = read_iso(options.iso)
    return recipe_module.Ingredients(
        options=options, source=source, facts=facts, kickstart=kickstart,
        modules=modules, firstboot=firstboot(), version=version(),
        time=_time(source), ca=ca)


def own_files(options: options_module.Options) -> tuple[
        merge.Kickstart, tuple[tree.Extra, ...], bytes | None]:
    """The kickstart, the modules and the certificates.

    All files of the user's but the ISO.

    :raises EsxiImgError: see :mod:`esxi_img.errors`
    """
    wishes = merge.Wishes(
        install_disk=options.install_disk,
        install_options=options.install_option,
        root_password_hash=password_hash(options.root_password_hash_file))
    head = _kickstart(options.kickstart)
    kickstart = merge.merge(
        wishes, head, options.kickstart or 'default kickstart',
        sections.lines())
    modules = tuple(modulefile.read(path) for path in options.add_module)
    ca = cafile.read(options.ca_file) if options.ca_file else None
    return kickstart, modules, ca


def read_iso(path: str) -> tuple[tree.Tree, identify.Facts]:
    """The ISO's tree and what it is.

    :raises InputError: with all that is wrong with it
    """
    found = reader.scan(path)
    source, problems = found.tree, list(found.problems)
    if found.complete:
        problems += identify.missing(source)
    contents = {}
    for wanted in identify.BOOT_CFGS:
        file = source.find(*wanted)
        if file is not None:
            try:
                contents[wanted] = reader.content(path, file)
            except errors.InputError as error:
                # Of a truncated ISO, that it is says enough.
                if not problems:
                    problems += [f'{path}: {problem}'
                                 for problem in error.problems]
    facts, wrong = identify.identify(source, contents)
    if found.complete:
        problems += wrong
    if problems:
        raise errors.InputError(*problems, hint=found.hint)
    return source, facts


def firstboot() -> dict[str, bytes]:
    """The package's files as they travel, by their path in it."""
    folder = importlib.resources.files('esxi_img') / 'firstboot'
    files = {name: (folder / name).read_bytes()
             for name in (*FIRSTBOOT, *FIRSTBOOT_DATA)}
    return {**files, **{f'yaml/{name}': data
                        for name, data in pyyaml.files().items()}}


def _kickstart(path: str | None) -> str | None:
    if path is None:
        return None
    return merge.decode(infile.small(path, MAX_TEXT), path)


def password_hash(path: str | None) -> str | None:
    """The hash in the file of --root-password-hash-file.

    :raises RequestError: it is the hash itself
    :raises InputError: there is no such file, or no hash in it
    """
    if path is None:
        return None
    if path.startswith('$'):
        # Not to be printed as the name of a file that is not there.
        raise errors.RequestError('--root-password-hash-file wants a file '
                                  'with the hash, not the hash itself')
    text = infile.small(path, MAX_TEXT).decode('ascii', 'replace')
    return merge.check_hash(text, path)


def _time(source: tree.Tree) -> int:
    """The image's one date: SOURCE_DATE_EPOCH, else the ISO's own.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    text = os.environ.get('SOURCE_DATE_EPOCH')
    if not text:
        return min(max(source.created, 0), MAX_TIME)
    if not re.fullmatch('[0-9]{1,10}', text) or int(text) > MAX_TIME:
        raise errors.RequestError(
            f'SOURCE_DATE_EPOCH={text[:40]} is not a number of seconds up to '
            f'{MAX_TIME}')
    return int(text)


def _verify(options: options_module.Options,
            report: report_module.Report) -> None:
    """Compare the whole ISO with --iso-sha256."""
    digest = hashlib.sha256()
    with infile.opened(options.iso, block_device=True) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with report.progress(f'verifying {options.iso}', size) as progress:
            try:
                for chunk in iter(lambda: file.read(CHUNK), b''):
                    digest.update(chunk)
                    progress(len(chunk))
            except OSError as error:
                raise infile.failure(error, options.iso) from error
    if digest.hexdigest() != str(options.iso_sha256).lower():
        raise errors.InputError(
            f'{options.iso}: its sha256 is {digest.hexdigest()}, not '
            f'{options.iso_sha256}', hint='download the ISO again')


def _write(recipe: recipe_module.Recipe,
           report: report_module.Report) -> None:
    options = recipe.given.options
    output = str(options.output)
    if options.format == 'raw':
        with write.replacing(output, options.force) as file:
            write_raw(recipe, file, report)
    else:
        final = write.target(output, options.force)
        with (write.hidden(final) as raw, write.hidden(final) as converted,
              write.translated(final)):
            with write.create(raw, final) as file:
                write_raw(recipe, file, report)
            # qemu-img keeps the mode of a file that is there.
            write.create(converted, final).close()
            report.say(f'converting to {options.format}')
            convert.convert(raw, 'raw', converted, options.format,
                            options.compress)
            if options.format == 'vmdk':
                convert.settle_vmdk(converted, os.path.basename(final),
                                    recipe.ids.volume)
            write.publish(converted, final, options.force)
    report.say(f'wrote {output}: recipe {recipe.id}')


def write_raw(recipe: recipe_module.Recipe, file: typing.BinaryIO,
              report: report_module.Report) -> None:
    """Write the raw image into an empty file.

    :raises EsxiImgError: a source cannot be read, or is shorter than it was
    :raises OSError: from the output
    """
    total = sum(item.size for item in recipe.layout.items)
    facts = recipe.given.facts
    what = ' '.join(filter(None, ('ESXi', facts.version, facts.build)))
    with report.progress(f'writing {what} to {recipe.given.options.output}',
                         total) as progress:
        write.image(recipe.pieces(), recipe.layout.size, file, progress)
