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

"""Reads an image back and says whether it is as it should be."""

import collections.abc
import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import typing

from esxi_img import bootcfg
from esxi_img import bundle
from esxi_img import convert
from esxi_img.disk import gpt
from esxi_img.disk import readfat
from esxi_img.disk import readgpt
from esxi_img import errors
from esxi_img import infile
from esxi_img.iso import identify
from esxi_img.kickstart import merge
from esxi_img.kickstart import ours
from esxi_img.kickstart import redact
from esxi_img.kickstart import sections
from esxi_img import mboot
from esxi_img import modulefile
from esxi_img import printable
from esxi_img import tree

MAGICS = {b'QFI\xfb': 'qcow2', b'KDMV': 'vmdk'}
ISO_DESCRIPTOR = 32768


@dataclasses.dataclass
class Findings:
    """What an image holds; filled as far as it can be read.

    :param kickstart: with hashes and passwords as (set)
    :param includes: of ours, by their name in the bundle; likewise
    :param problems: why it is not as it should be, one line each
    """

    image: str
    format: str = 'raw'
    disk: readgpt.Disk | None = None
    volume: readfat.Volume | None = None
    boot_cfgs: dict[str, mboot.Config] = dataclasses.field(
        default_factory=dict)
    kickstart: str | None = None
    includes: dict[str, str] = dataclasses.field(default_factory=dict)
    members: dict[str, int] = dataclasses.field(default_factory=dict)
    build: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


def inspect(path: str) -> Findings:
    """Read an image: raw as it is, qcow2 and vmdk through qemu-img.

    :raises InputError: it is not an image at all
    :raises EnvironmentFailed: qemu-img is missing or failed
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(infile.opened(path, block_device=True))
        findings = Findings(path, MAGICS.get(file.read(4), 'raw'))
        if findings.format != 'raw':
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            raw = os.path.join(folder, 'raw')
            convert.convert(path, findings.format, raw, 'raw')
            file = stack.enter_context(open(raw, 'rb'))
        _disk(findings, file.fileno())
        return findings


def _disk(findings: Findings, fd: int) -> None:
    name = findings.image
    findings.disk = disk = readgpt.read(fd, name)
    findings.problems += disk.problems
    if os.pread(fd, 5, ISO_DESCRIPTOR + 1) == b'CD001':
        findings.problems.append('an ISO 9660 descriptor lies at 32 KiB')
    if [part.type for part in disk.partitions] != [gpt.EFI_SYSTEM]:
        findings.problems.append('GPT: not just one EFI system partition')
    systems = [part for part in disk.partitions
               if part.type == gpt.EFI_SYSTEM]
    if not systems:
        raise errors.InputError(f'{name}: no EFI system partition')
    part = systems[0]
    findings.volume = volume = readfat.read(fd, part.offset, part.size, name)
    findings.problems += volume.problems
    if volume.geometry.sector_size != disk.sector_size:
        findings.problems.append(
            f'FAT32: sectors of {volume.geometry.sector_size} bytes on a '
            f'disk of {disk.sector_size}')
    _bundle(findings, fd, volume, part)
    _boot(findings, fd, volume)
    _modules(findings, fd, volume)


def _boot(findings: Findings, fd: int, volume: readfat.Volume) -> None:
    """Both boot.cfg, the loader, and what they name."""
    source = _as_tree(findings.image, volume)
    findings.problems += identify.missing(source)
    sizes = {tree.fold(file.path): file.size for file in volume.files}
    modules, words = _edits(findings.build)
    hashes = findings.build.get('boot_cfg_sha256')
    for path, directory in identify.BOOT_CFGS.items():
        file = source.find(*path)
        if file is None:
            continue
        data = _content(fd, file)
        shown = tree.show(file.path)
        cfg = bootcfg.parse(data, shown, directory)
        findings.boot_cfgs[shown] = mboot.read(data, directory)
        findings.problems += [
            *identify.absent_files(cfg, sizes),
            *bootcfg.read_back(cfg, modules, words)]
        if not isinstance(hashes, dict) or (
                hashes.get(shown) != hashlib.sha256(data).hexdigest()):
            findings.problems.append(f'{shown}: is not as it was built')


def _edits(build: dict[str, typing.Any]) -> tuple[list[str], list[str]]:
    """What build.json says was put into boot.cfg."""
    edits = build.get('boot_cfg_edits', {})
    return edits.get('modules', []), edits.get('kernel_options', [])


def _modules(findings: Findings, fd: int, volume: readfat.Volume) -> None:
    """All that the loader loads unpacks whole, where it is gzip."""
    files = {tree.fold(file.path): file for file in volume.files}
    named = dict.fromkeys(
        tree.fold(tuple(path.split('/')[1:]))
        for config in findings.boot_cfgs.values() for path in config.files)
    for path in named:
        file = files.get(path)
        if file is None:
            continue
        try:
            modulefile.check(tree.show(file.path), _chunks(fd, file))
        except errors.InputError as error:
            findings.problems += error.problems


def _chunks(fd: int, file: tree.File) -> collections.abc.Iterator[bytes]:
    for extent in file.extents:
        for at in range(0, extent.length, modulefile.CHUNK):
            yield os.pread(fd, min(modulefile.CHUNK, extent.length - at),
                           extent.offset + at)


def _as_tree(name: str, volume: readfat.Volume) -> tree.Tree:
    return tree.Tree(name, volume.label, 0, '', 'FAT', volume.directories,
                     volume.files)


def _content(fd: int, file: tree.File) -> bytes:
    return b''.join(os.pread(fd, extent.length, extent.offset)
                    for extent in file.extents)


def _bundle(findings: Findings, fd: int, volume: readfat.Volume,
            part: readgpt.Partition) -> None:
    """Our module: kickstart, first-boot package, build.json."""
    file = _as_tree('', volume).find(bundle.NAME)
    if file is None:
        findings.problems.append(f'{bundle.NAME} is missing')
        return
    try:
        members = bundle.unpack(_content(fd, file))
    except ValueError as error:
        findings.problems.append(f'{bundle.NAME}: {error}')
        return
    findings.members = {name: len(data) for name, data in members.items()}
    _kickstart(findings, members)
    _includes(findings, members)
    _build(findings, members, part)
    if findings.build.get('file_table') != bundle.file_table(
            {file.path: file.size for file in volume.files}):
        findings.problems.append(
            'files are missing, added or of another size than built')


def _kickstart(findings: Findings,
               members: collections.abc.Mapping[str, bytes]) -> None:
    if bundle.KICKSTART not in members:
        findings.problems.append(f'{bundle.KICKSTART} is missing')
        return
    try:
        text = merge.decode(members[bundle.KICKSTART], 'KS.CFG')
        # What is complete needs nothing added.
        merged = merge.merge(merge.Wishes(), text, 'KS.CFG')
    except errors.InputError as error:
        findings.problems += error.problems
        return
    findings.kickstart = merged.redacted()
    findings.problems += [f'KS.CFG: lacks {line}' for line in merged.added]
    findings.problems += [
        f'KS.CFG: does not run firstboot {command}'
        for command in sections.COMMANDS
        if f'-m firstboot {command}\n' not in text]


def _includes(findings: Findings,
              members: collections.abc.Mapping[str, bytes]) -> None:
    """What KS.CFG includes before anything is known of the host."""
    for need, path in ours.INCLUDED.items():
        name = f'{bundle.FOLDER}/{os.path.basename(path)}'
        if name not in members:
            findings.problems.append(f'{name} is missing')
            continue
        try:
            text = merge.decode(members[name], name)
        except errors.InputError as error:
            findings.problems += error.problems
            continue
        findings.includes[name] = redact.redact(text)
        findings.problems += ours.check_safe(need, text, name)


def _build(findings: Findings,
           members: collections.abc.Mapping[str, bytes],
           part: readgpt.Partition) -> None:
    try:
        build = json.loads(members.get(bundle.BUILD, b''))
        guids = (build['disk_guid'], build['partition_guid'])
        for words in _edits(build):
            ''.join(words)
    except (ValueError, KeyError, TypeError, AttributeError,
            RecursionError):
        findings.problems.append(f'{bundle.BUILD} is missing or damaged')
        return
    findings.build = build
    if findings.disk and guids != (str(findings.disk.guid), str(part.guid)):
        findings.problems.append(
            f'{bundle.BUILD} names other GUIDs than the partition table')


def as_text(findings: Findings) -> str:
    """The findings for a reader; hashes and passwords as (set)."""
    return '\n'.join(map(printable.line, _lines(findings))) + '\n'


def _lines(findings: Findings) -> collections.abc.Iterator[str]:
    disk, volume = findings.disk, findings.volume
    yield f'{findings.image}: {findings.format}'
    if disk:
        yield ''
        yield (f'GPT {disk.guid}: {disk.size} bytes, sectors of '
               f'{disk.sector_size}')
        for part in disk.partitions:
            yield (f'  {part.guid} {part.name}: type {part.type}, offset '
                   f'{part.offset}, {part.size} bytes')
    if volume:
        shape = volume.geometry
        yield (f'FAT32 {volume.volume_id:08X} {volume.label}: '
               f'{shape.clusters} clusters of {shape.cluster_bytes} bytes')
        for file in sorted(volume.files, key=lambda file: file.path):
            yield f'  {file.size:>11} {tree.show(file.path)}'
    for name, config in findings.boot_cfgs.items():
        yield ''
        yield name
        yield f'  kernel {config.kernel}'
        yield f'  kernelopt {config.options}'
        added = [*_edits(findings.build)[0], bootcfg.BUNDLE]
        yield (f'  {len(config.modules)} modules, of which added: '
               + ', '.join(module.path for module in config.modules
                           if module.path in added))
    if findings.members:
        yield ''
        yield bundle.NAME
        for name, size in findings.members.items():
            yield f'  {size:>11} {name}'
    for name, value in findings.build.items():
        yield f'  {name}: {value}'
    texts = {bundle.KICKSTART: findings.kickstart, **findings.includes}
    for name, text in texts.items():
        if text is not None:
            yield ''
            yield name
            for line in text.rstrip('\n').split('\n'):
                yield f'  | {line}'.rstrip()
