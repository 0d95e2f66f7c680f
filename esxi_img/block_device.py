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

"""diskimage-builder's block-device plugin ``esxi_image``.

It names the file that will be the image, and does no more: a hook writes it
before diskimage-builder converts it.  All plugins are loaded at each call of
dib-block-device, so nothing heavy is imported here.
"""

import os
import typing

from diskimage_builder.block_device import plugin


class EsxiImageNode(plugin.NodeBase):
    """The image, a plain file where others have a loop device."""

    def __init__(self, config: dict[str, typing.Any],
                 defaults: dict[str, typing.Any],
                 state: typing.MutableMapping[str, typing.Any]) -> None:
        super().__init__(config['name'], state)
        self.path = os.path.join(defaults['image-dir'], f'{self.name}.raw')

    def get_edges(self) -> tuple[list[str], list[str]]:
        """It stands on nothing, and nothing on it."""
        return [], []

    def create(self) -> None:
        """Tell where the image will be."""
        self.state.setdefault('blockdev', {})[self.name] = {
            'image': self.path, 'device': self.path}


class EsxiImage(plugin.PluginBase):
    """The entry ``esxi_image`` of a block-device configuration."""

    def __init__(self, config: dict[str, typing.Any],
                 defaults: dict[str, typing.Any],
                 state: typing.MutableMapping[str, typing.Any]) -> None:
        super().__init__()
        self.node = EsxiImageNode(config, defaults, state)

    def get_nodes(self) -> list[plugin.NodeBase]:
        """The one node."""
        return [self.node]
