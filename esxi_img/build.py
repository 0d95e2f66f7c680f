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

import contextlib
import importlib.metadata
import importlib.resources
import os
import re
import typing

from esxi_img import cafile
from esxi_img import collector
from esxi_img import convert
from esxi_img import digests
from esxi_img import errors
from esxi_img import infile
from esxi_img.iso import identify
from esxi_img.iso import reader
from esxi_img.kickstart import merge
from esxi_img.kickstart import sections
from esxi_img import manifest as manifest_module
from esxi_img import modulefile
from esxi_img import options as options_module
from esxi_img import pythonfile
from esxi_img import pyyaml
from esxi_img import recipe as recipe_module
from esxi_img import report as report_module
from esxi_img import tree
from esxi_img import upload
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

MAX_TIME = (1 << 33) - 1
"""Seconds that a tar archive can hold."""

MAX_TEXT = 4 * 1024 * 1024
"""Bytes that a kickstart or a hash file may have."""


class Built(typing.NamedTuple):
    """What has become of a build.

    :param manifest: None if the image was not to be handed over
    """

    recipe: recipe_module.Recipe
    manifest: manifest_module.Manifest | None = None


def run(options: options_module.Options,
        report: report_module.Report) -> Built:
    """Build the image, or only its recipe with ``options.dry_run``.

    :raises EsxiImgError: see :mod:`esxi_img.errors`; nothing is left behind,
        unless it was the upload that failed
    """
    options_module.check(options)
    if options.dry_run:
        return Built(_recipe(options, report))
    _check_outputs(options)
    if options.format != 'raw':
        convert.check()
    with (upload.connected(options.upload) if options.upload else
          contextlib.nullcontext()) as glance:
        recipe = _recipe(options, report)
        made = _write(recipe, report)
        if glance and made:
            glance.upload(recipe, made, report)
    return Built(recipe, made)


def _recipe(options: options_module.Options,
            report: report_module.Report) -> recipe_module.Recipe:
    recipe = recipe_module.make(ingredients(options, report))
    tell(recipe, report)
    return recipe


def tell(recipe: recipe_module.Recipe,
         report: report_module.Report) -> None:
    """Say what the user should know of a recipe."""
    for line in recipe.given.kickstart.left_out:
        report.say(f'kickstart: left out {line}')
    for note in recipe.notes:
        report.warn(note)
    options = recipe.given.options
    if options.format == 'vmdk' and (
            options.glance_command or options.upload is not None):
        report.warn('Glance takes vmdk, but Ironic refuses to deploy it')


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


def _outputs(options: options_module.Options) -> tuple[str, ...]:
    """The image, and what comes to lie beside it, as the user names them."""
    output = str(options.output)
    suffixes = manifest_module.SUFFIXES if options.manifest else ()
    return (output, *(output + suffix for suffix in suffixes))


def _check_outputs(options: options_module.Options) -> None:
    """Refuse what could not be written in the end.

    :raises RequestError: an output exists, is an input, or another output
    """
    names: dict[str, str] = {}
    for output in _outputs(options):
        other = names.setdefault(write.target(output, options.force), output)
        if other is not output:
            raise errors.RequestError(
                f'outputs {other} and {output} are the same file',
                hint='name another output')
    _refuse_own_input(options)


def _refuse_own_input(options: options_module.Options) -> None:
    """--force must not replace what the image is made from."""
    inputs = [options.iso, options.kickstart,
              options.root_password_hash_file, options.ca_file,
              *options.add_module]
    for output in _outputs(options):
        for path in inputs:
            if (path and os.path.exists(path) and os.path.exists(output)
                    and os.path.samefile(path, output)):
                raise errors.RequestError(
                    f'output {output} is the input {path}',
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
        time=_time(source), ca=ca, collector=collector.program())


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
    # The licence stays in one of them.
    lean = {name: pythonfile.lean(data) for name, data in files.items()
            if name.endswith('.py') and name != '__init__.py'}
    yaml = {f'yaml/{name}': data for name, data in pyyaml.files().items()}
    return {**files, **lean, **yaml}


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
    with infile.opened(options.iso, block_device=True) as file:
        try:
            found = digests.of(file, ['sha256'], f'verifying {options.iso}',
                               report)['sha256']
        except OSError as error:
            raise infile.failure(error, options.iso) from error
    if found != str(options.iso_sha256).lower():
        raise errors.InputError(
            f'{options.iso}: its sha256 is {found}, not '
            f'{options.iso_sha256}', hint='download the ISO again')


def _write(recipe: recipe_module.Recipe, report: report_module.Report
           ) -> manifest_module.Manifest | None:
    """Write the image, and the files beside it: all of them or none."""
    options = recipe.given.options
    made = None
    with write.parts(_outputs(options), options.force) as [image, *beside]:
        with write.translated(image.final):
            if options.format == 'raw':
                write_raw(recipe, image.file, report)
                image.flush()
            else:
                _convert(recipe, image, report)
            if options.handed_over:
                made = _manifest(recipe, image, report)
        if made:
            for part, data in zip(beside, manifest_module.files(made)):
                with write.translated(part.final):
                    part.file.write(data)
                    part.flush()
        # The image last: where it is, the others are as well.
        write.publish([*beside, image], options.force)
    report.say(f'wrote {options.output}: recipe {recipe.id}')
    return made


def _convert(recipe: recipe_module.Recipe, image: write.Part,
             report: report_module.Report) -> None:
    """Write the raw image beside the part, and that in its format."""
    options = recipe.given.options
    with write.hidden(image.final) as raw:
        with write.create(raw, image.final) as file:
            write_raw(recipe, file, report)
        report.say(f'converting to {options.format}')
        # qemu-img keeps the mode of a file that is there.
        convert.convert(raw, 'raw', image.path, options.format,
                        options.compress)
    if options.format == 'vmdk':
        convert.settle_vmdk(image.path, os.path.basename(image.final),
                            recipe.ids.volume)


def _manifest(recipe: recipe_module.Recipe, image: write.Part,
              report: report_module.Report) -> manifest_module.Manifest:
    found = digests.of(image.file, ['sha256', 'sha512'],
                       f'reading {recipe.given.options.output}', report)
    return manifest_module.make(
        recipe, os.fstat(image.file.fileno()).st_size, found['sha256'],
        found['sha512'])


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
