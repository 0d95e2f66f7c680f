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
import typing

from esxi_img import convert
from esxi_img import errors
from esxi_img.iso import identify
from esxi_img.iso import reader
from esxi_img.kickstart import merge
from esxi_img import modulefile
from esxi_img import options as options_module
from esxi_img import recipe as recipe_module
from esxi_img import report as report_module
from esxi_img import tree
from esxi_img import write

FIRSTBOOT = ('__init__.py', '__main__.py')
"""The first-boot package's files: by name, for an installed package also
holds what Python compiled."""

CHUNK = 1024 * 1024
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
    recipe = recipe_module.make(_ingredients(options, report))
    for line in recipe.given.kickstart.left_out:
        report.say(f'kickstart: left out {line}')
    for note in recipe.notes:
        report.warn(note)
    if not options.dry_run:
        _write(recipe, report)
    return recipe


def version() -> str:
    """This program's version."""
    return importlib.metadata.version('esxi-img')


def _refuse_own_input(options: options_module.Options) -> None:
    """--force must not replace what the image is made from."""
    inputs = [options.iso, options.kickstart,
              options.root_password_hash_file, *options.add_module]
    for path in inputs:
        if path and os.path.exists(path) and os.path.exists(
                str(options.output)) and os.path.samefile(
                    path, str(options.output)):
            raise errors.RequestError(
                f'output {options.output} is the input {path}',
                hint='name another output')


def _ingredients(options: options_module.Options,
                 report: report_module.Report) -> recipe_module.Ingredients:
    wishes = merge.Wishes(
        install_disk=options.install_disk,
        install_options=options.install_option,
        root_password_hash=_password_hash(options.root_password_hash_file))
    head = _kickstart(options.kickstart)
    kickstart = merge.merge(wishes, head, options.kickstart or
                            'default kickstart')
    if options.iso_sha256:
        _verify(options, report)
    source, facts = read_iso(options.iso)
    return recipe_module.Ingredients(
        options=options, source=source, facts=facts, kickstart=kickstart,
        modules=tuple(modulefile.read(path) for path in options.add_module),
        firstboot=_firstboot(), version=version(), time=_time(source))


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


def _firstboot() -> dict[str, bytes]:
    folder = importlib.resources.files('esxi_img') / 'firstboot'
    return {name: (folder / name).read_bytes() for name in FIRSTBOOT}


def _kickstart(path: str | None) -> str | None:
    return None if path is None else merge.decode(_small_file(path), path)


def _password_hash(path: str | None) -> str | None:
    if path is None:
        return None
    text = _small_file(path).decode('ascii', 'replace')
    return merge.check_hash(text, path)


def _small_file(path: str) -> bytes:
    """A file the user handed in, whole.

    :raises InputError: it is not there, not a file, or far too large
    """
    try:
        with open(path, 'rb') as file:
            data = file.read(MAX_TEXT + 1)
    except OSError as error:
        raise errors.InputError(
            f'{path}: {(error.strerror or "unreadable").lower()}') from error
    if len(data) > MAX_TEXT:
        raise errors.InputError(f'{path}: has more than {MAX_TEXT} bytes')
    return data


def _time(source: tree.Tree) -> int:
    """The image's one date: SOURCE_DATE_EPOCH, else the ISO's own.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    text = os.environ.get('SOURCE_DATE_EPOCH')
    if not text:
        return source.created
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 33:
        raise errors.RequestError(
            f'SOURCE_DATE_EPOCH={text} is not a number of seconds that a '
            'tar archive can hold')
    return int(text)


def _verify(options: options_module.Options,
            report: report_module.Report) -> None:
    """Compare the whole ISO with --iso-sha256."""
    digest = hashlib.sha256()
    try:
        with open(options.iso, 'rb') as file, report.progress(
                f'verifying {options.iso}',
                os.fstat(file.fileno()).st_size) as progress:
            for chunk in iter(lambda: file.read(CHUNK), b''):
                digest.update(chunk)
                progress(len(chunk))
    except OSError as error:
        raise errors.InputError(
            f'{options.iso}: {(error.strerror or "unreadable").lower()}'
        ) from error
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
            _write_raw(recipe, file, report)
    else:
        final = write.target(output, options.force)
        with (write.hidden(final) as raw, write.hidden(final) as converted,
              write.translated(final)):
            with open(raw, 'xb') as file:
                _write_raw(recipe, file, report)
            report.say(f'converting to {options.format}')
            convert.convert(raw, 'raw', converted, options.format,
                            options.compress)
            if options.format == 'vmdk':
                convert.settle_vmdk(converted, os.path.basename(final),
                                    recipe.ids.volume)
            write.publish(converted, final, options.force)
    report.say(f'wrote {output}: recipe {recipe.id}')


def _write_raw(recipe: recipe_module.Recipe, file: typing.BinaryIO,
               report: report_module.Report) -> None:
    total = sum(item.size for item in recipe.layout.items)
    facts = recipe.given.facts
    with report.progress(
            f'writing ESXi {facts.version or ""} {facts.build or ""} '
            f'to {recipe.given.options.output}', total) as progress:
        write.image(recipe.pieces(), recipe.layout.size, file, progress)
