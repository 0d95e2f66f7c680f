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

"""An image in the words of Glance, Nova and Ironic."""

import collections.abc
import typing

from esxi_img.disk import gpt
from esxi_img import recipe as recipe_module

CONTAINER_FORMAT = 'bare'

HEAD = 4096 + len(gpt.EFI_PART)
"""Bytes from which :func:`is_format` knows a format."""

GIB = 1024 ** 3

CONFIG_DRIVE = 65 * 1024 ** 2
"""Bytes behind the image where Ironic's agent puts the config drive: 64 MiB,
aligned, and the table (create_config_drive_partition of its
partition_utils.py)."""

INSTALLER_GIB = 32
"""The least disk that ESXi 7.0 and later are installed on, as VMware's
"ESXi Hardware Requirements" have it."""

_MAGIC = {'qcow2': b'QFI\xfb', 'vmdk': b'KDMV'}


def properties(recipe: recipe_module.Recipe) -> dict[str, str]:
    """The image's properties in Glance.

    Those that Nova reads have values that its ImageMeta takes, and that match
    Ironic's hosts; os_type is not among them, as it can only be linux or
    windows there.
    """
    facts = recipe.given.facts
    return {
        'architecture': 'x86_64',
        'hypervisor_type': 'baremetal',
        'hw_firmware_type': 'uefi',
        'img_config_drive': 'mandatory',
        'os_distro': 'esxi',
        **({'os_version': facts.version} if facts.version else {}),
        **({'esxi_build': facts.build} if facts.build else {}),
        'esxi_img_recipe_id': recipe.id,
        'esxi_img_sector_size': str(recipe.given.options.sector_size)}


def name(recipe: recipe_module.Recipe) -> str:
    """The image's name in Glance, as in ESXi-8.0.3-24022510."""
    options, facts = recipe.given.options, recipe.given.facts
    if options.image_name is not None:
        return options.image_name
    return '-'.join(filter(None, (
        'ESXi', facts.version, facts.build,
        '4kn' if options.sector_size == 4096 else None)))


def min_disk(virtual_size: int) -> int:
    """GiB that a disk has to have for image, config drive and ESXi.

    :param virtual_size: bytes of the image on a disk
    """
    return max(INSTALLER_GIB, -(-(virtual_size + CONFIG_DRIVE) // GIB))


def command(recipe: recipe_module.Recipe) -> list[str]:
    """The words that upload the image with python-openstackclient."""
    options = recipe.given.options
    file = str(options.output)
    return [
        'openstack', 'image', 'create',
        # The formats have the same names there.
        '--disk-format', options.format,
        '--container-format', CONTAINER_FORMAT,
        # Else it would be an option.
        '--file', f'./{file}' if file.startswith('-') else file,
        '--min-disk', str(min_disk(recipe.layout.size)),
        *(word for key, value in properties(recipe).items()
          for word in ('--property', f'{key}={value}')),
        name(recipe)]


def instance_info(url: str, disk_format: str, sha256: str, sha512: str,
                  ) -> dict[str, str]:
    """What a node of a standalone Ironic needs to get the image from a URL.

    Conductor and agent take the image_os_hash pair, and image_checksum only
    where they do not know its algorithm; without image_disk_format the agent
    fails at a raw image, which it finds to be "gpt" (validate and write_image
    of ironic/drivers/modules/agent.py, get_checksum_and_algo of
    ironic/common/checksum_utils.py, ImageDownload and prepare_image of
    ironic_python_agent/extensions/standby.py).
    """
    return {'image_source': url,
            'image_checksum': sha256,
            'image_os_hash_algo': 'sha512',
            'image_os_hash_value': sha512,
            'image_disk_format': disk_format}


def is_format(head: bytes, disk_format: str, sector_size: int) -> bool:
    """Is it the beginning of a file of this format?

    Glance believes what it is told, and a host would get the raw bytes of a
    qcow2 that was called raw.
    """
    if disk_format == 'raw':
        # A protective MBR, and the header of the table in the next sector.
        return (head[450:451] == b'\xee' and head[510:512] == b'\x55\xaa'
                and head[sector_size:].startswith(gpt.EFI_PART))
    return head.startswith(_MAGIC[disk_format])


def stored_sum(image: collections.abc.Mapping[str, typing.Any],
               known: collections.abc.Container[str],
               ) -> tuple[str, str] | None:
    """The algorithm and the sum that Glance has of an image's bytes.

    :param image: as its API shows it; before Rocky there was md5 alone
    :param known: algorithms that can be verified
    """
    for algorithm, value in (
            (image.get('os_hash_algo'), image.get('os_hash_value')),
            ('md5', image.get('checksum'))):
        if value and algorithm in known:
            return str(algorithm), str(value).lower()
    return None
