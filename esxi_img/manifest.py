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

"""What is said of an image in the files beside it."""

import dataclasses
import json
import os
import typing

from esxi_img import describe
from esxi_img import glance
from esxi_img import recipe as recipe_module

SUFFIXES = ('.json', '.sha256')
"""Of the files' names, behind that of the image."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """An image that was written: what its ``.json`` says.

    :param image: its file's name, without folders
    :param esxi_version: as in '8.0.3', or None if the ISO does not say
    :param esxi_build: as in '24022510', or None if the ISO does not say
    :param size: bytes of the file
    :param virtual_size: bytes on a disk
    :param sector_size: bytes of the disks that it is for
    :param disk_format: Glance's word for its format
    :param options: all that shaped it
    :param properties: of the image in Glance
    :param min_disk_gib: GiB that a disk has to have
    """

    image: str
    esxi_version: str | None
    esxi_build: str | None
    size: int
    virtual_size: int
    sector_size: int
    disk_format: str
    sha256: str
    sha512: str
    recipe_id: str
    options: dict[str, typing.Any]
    properties: dict[str, str]
    min_disk_gib: int


def make(recipe: recipe_module.Recipe, size: int, sha256: str,
         sha512: str) -> Manifest:
    """The manifest of an image.

    :param size: bytes of its file
    :param sha256: of these bytes
    :param sha512: of these bytes
    """
    given = recipe.given
    return Manifest(
        image=os.path.basename(str(given.options.output)),
        esxi_version=given.facts.version,
        esxi_build=given.facts.build,
        size=size,
        virtual_size=recipe.layout.size,
        sector_size=given.options.sector_size,
        disk_format=given.options.format,
        sha256=sha256,
        sha512=sha512,
        recipe_id=recipe.id,
        options=describe.options(recipe),
        properties=glance.properties(recipe),
        min_disk_gib=glance.min_disk(recipe.layout.size))


def files(manifest: Manifest) -> tuple[bytes, bytes]:
    """The contents of the files beside the image, as SUFFIXES name them."""
    text = json.dumps(dataclasses.asdict(manifest), indent=2) + '\n'
    return text.encode(), checksum_line(manifest.image, manifest.sha256)


def checksum_line(name: str, digest: str) -> bytes:
    """A line as sha256sum prints it, and as ``sha256sum --check`` reads it.

    Where a name has to be escaped, the line says so by a backslash.
    """
    raw = os.fsencode(name)
    shown = (raw.replace(b'\\', rb'\\').replace(b'\n', rb'\n')
             .replace(b'\r', rb'\r'))
    mark = b'\\' if shown != raw else b''
    return b'%s%s  %s\n' % (mark, digest.encode(), shown)
