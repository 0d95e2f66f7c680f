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

"""Is this an ESXi installer ISO, and which one?"""

import collections.abc
import dataclasses
import re

from esxi_img import bootcfg
from esxi_img import mboot
from esxi_img import tree

LOADER = ('efi', 'boot', 'bootx64.efi')
"""The boot loader in the ISO's tree; a disk needs this one, not the other
of the same name in the El Torito image."""

BOOT_CFGS = {('boot.cfg',): '/', ('efi', 'boot', 'boot.cfg'): '/EFI/BOOT'}
"""Where the loader looks, under BIOS and under UEFI: the file and the
directory that its relative names start from."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the ISO is.

    :param version: as in '8.0.3', or None if it does not say
    :param build: as in '24022510', or None if it does not say
    :param boot_cfgs: each boot.cfg by its path in the tree
    """

    version: str | None
    build: str | None
    boot_cfgs: dict[tree.Path, bootcfg.BootCfg]


def missing(source: tree.Tree) -> list[str]:
    """Why this is no ESXi installer; empty if it is one."""
    absent = [tree.show(path) for path in [*BOOT_CFGS, LOADER]
              if source.find(*path) is None]
    if absent:
        return [f'{source.source}: not an ESXi installer ISO: '
                f'{", ".join(absent)} missing']
    loader = source.find(*LOADER)
    return [] if loader and loader.size else [
        f'{source.source}: {tree.show(LOADER)} is empty']


def identify(source: tree.Tree,
             contents: collections.abc.Mapping[tree.Path, bytes]
             ) -> tuple[Facts, list[str]]:
    """What the ISO is, and what is wrong with it, one line each.

    :param contents: of the files named in ``BOOT_CFGS``, where readable
    """
    problems = []
    sizes = {tree.fold(file.path): file.size for file in source.files}
    boot_cfgs = {}
    for path, directory in BOOT_CFGS.items():
        file = source.find(*path)
        if file is None or path not in contents:
            continue
        cfg = bootcfg.parse(contents[path], tree.show(file.path), directory)
        boot_cfgs[file.path] = cfg
        problems += [f'{source.source}: {problem}' for problem in [
            *bootcfg.problems(cfg), *absent_files(cfg, sizes)]]
    version, build = _version(source.label, boot_cfgs.values())
    return Facts(version, build, boot_cfgs), problems


def absent_files(cfg: bootcfg.BootCfg,
                 sizes: collections.abc.Mapping[tree.Path, int]
                 ) -> list[str]:
    """What the loader would not find or could not use, one line each.

    :param sizes: of all files, by their folded path
    """
    config = mboot.read(cfg.render(), cfg.directory)
    found = [f'{cfg.name}: {problem}' for problem in config.problems]
    for name in dict.fromkeys(config.files):
        path = tree.fold(tuple(name.split('/')[1:]))
        if path not in sizes:
            found.append(f'{cfg.name}: names {name}, which is missing')
        elif not sizes[path]:
            found.append(f'{cfg.name}: names {name}, which is empty')
    return found


def _version(label: str, boot_cfgs: collections.abc.Iterable[
        bootcfg.BootCfg]) -> tuple[str | None, str | None]:
    """Version and build from ``build=``, else from the volume label.

    Known forms: 8.0.3-0.0.24022510, 9.1.1.0-25714478 and, on the label,
    ESXI-8.0U3-24022510-STANDARD.
    """
    for cfg in boot_cfgs:
        for line in cfg.lines:
            found = re.match(
                rb'\s*build=\s*(\d+\.\d+(?:\.\d+)?)[\d.]*-(?:[\d.]*\.)?(\d+)',
                line)
            if found:
                return mboot.show(found[1]), mboot.show(found[2])
    found = re.search(r'ESXI?-(\d+\.\d+[.\w]*)(?:-(\d{6,}))?', label.upper())
    return (found[1], found[2]) if found else (None, None)
