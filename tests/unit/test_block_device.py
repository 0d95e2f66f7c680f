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


import contextlib
import io
import pickle
import subprocess
import sys

from diskimage_builder.block_device import blockdevice
from diskimage_builder.block_device import config
from diskimage_builder.block_device import plugin
import yaml

from esxi_img import block_device
from tests import base

PROJECT = base.FIXTURES.parents[1]
LAYOUT = PROJECT / 'elements/block-device-esxi/block-device-default.yaml'


class PluginTests(base.TestCase):
    """The layout of the element, with diskimage-builder's own machinery.

    Nothing is created but by our node: all others need root.
    """

    def setUp(self):
        super().setUp()
        folder = self.tmp()
        for name in ('build', 'images'):
            (folder / name).mkdir()
        self.image = str(folder / 'images' / 'image0.raw')
        # As disk-image-create writes params.yaml, but for its "config".
        self.params = {
            'config': str(LAYOUT), 'image-dir': str(folder / 'images'),
            'root-fs-type': 'ext4', 'root-label': None,
            'mount-base': str(folder / 'build' / 'mnt'),
            'build-dir': str(folder / 'build'), 'image-size': '1048576KiB',
            'root-fs-opts': '-i 4096 -J size=64'}

    def devices(self):
        """diskimage-builder's own object, after ``dib-block-device init``."""
        blockdevice.BlockDevice(self.params).cmd_init()
        return blockdevice.BlockDevice(self.params)

    def graph(self, state):
        tree = yaml.safe_load(LAYOUT.read_text())
        _, order = config.create_graph(
            config.config_tree_to_graph(tree), self.params, state)
        return {node.name: node for node in order}

    def value(self, devices, symbol):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(0, devices.cmd_getval(symbol))
        return said.getvalue().rstrip('\n')

    def test_entry_point(self):
        self.assertTrue(config.is_a_plugin('esxi_image'))

    def test_nodes(self):
        nodes = self.graph(blockdevice.BlockDeviceState())
        self.assertEqual({'scratch', 'mkfs_root', 'mount_mkfs_root',
                          'image0'}, set(nodes))
        self.assertIsInstance(nodes['image0'], block_device.EsxiImageNode)
        self.assertIsInstance(nodes['image0'], plugin.NodeBase)
        self.assertEqual('image0', nodes['image0'].get_name())

    def test_what_is_asked_before_there_is_anything(self):
        devices = self.devices()
        for symbol, wanted in (('root-label', 'scratch'),
                               ('root-fstype', 'ext2'), ('boot-label', ''),
                               ('mount-points', '/')):
            self.assertEqual(wanted, self.value(devices, symbol), symbol)

    def test_mkfs_options_are_the_layout_s_own(self):
        # Those of the command line are made for ext4.
        devices = self.devices()
        mkfs, = (entry['mkfs'] for entry in devices.config
                 if 'mkfs' in entry)
        self.assertEqual(('mkfs_root', 'ext2', '-i 4096 -I 128 -m 0'),
                         (mkfs['name'], mkfs['type'], mkfs['opts']))

    def test_state(self):
        devices = self.devices()
        state = blockdevice.BlockDeviceState()
        # What a loop device before us has left there.
        state['blockdev'] = {'scratch': {'device': '/dev/loop7',
                                         'image': 'scratch.raw'}}
        self.graph(state)['image0'].create()
        self.assertEqual({
            'scratch': {'device': '/dev/loop7', 'image': 'scratch.raw'},
            'image0': {'device': self.image, 'image': self.image}},
            state['blockdev'])
        state.save_state(devices.state_json_file_name)
        for symbol in ('image-path', 'image-block-device'):
            self.assertEqual(self.image, self.value(devices, symbol))
        self.assertEqual(
            {'[scratch]=/dev/loop7', f'[image0]={self.image}'},
            set(self.value(devices, 'image-block-devices').split()))

    def test_state_when_first(self):
        state = blockdevice.BlockDeviceState()
        self.graph(state)['image0'].create()
        self.assertEqual({'image0': {'device': self.image,
                                     'image': self.image}},
                         state['blockdev'])

    def test_nodes_are_kept_from_one_process_to_the_next(self):
        state = blockdevice.BlockDeviceState()
        nodes = self.graph(state)
        nodes['image0'].create()
        kept = pickle.loads(pickle.dumps(list(nodes.values())))
        node, = (node for node in kept if node.name == 'image0')
        self.assertIsInstance(node, block_device.EsxiImageNode)
        self.assertEqual(state['blockdev'], node.state['blockdev'])
        self.assertEqual(self.image, node.path)

    def test_what_is_written_stays(self):
        nodes = self.graph(blockdevice.BlockDeviceState())
        nodes['image0'].create()
        with open(self.image, 'xb') as file:
            # It may be there only now: create() makes no file.
            file.write(b'image')
        for step in ('umount', 'cleanup', 'delete', 'rollback'):
            getattr(nodes['image0'], step)()
        with open(self.image, 'rb') as file:
            self.assertEqual(b'image', file.read())

    def test_edges(self):
        node = self.graph(blockdevice.BlockDeviceState())['image0']
        self.assertEqual(([], []), node.get_edges())

    def test_nothing_heavy_is_imported(self):
        code = ('import sys; before = set(sys.modules)\n'
                'import esxi_img.block_device\n'
                'print(*sorted(set(sys.modules) - before))')
        loaded = subprocess.run(
            [sys.executable, '-c', code], check=True, text=True,
            stdout=subprocess.PIPE, cwd=PROJECT).stdout.split()
        self.assertIn('diskimage_builder.block_device.plugin', loaded)
        self.assertEqual(
            ['esxi_img', 'esxi_img.block_device'],
            [name for name in loaded if name.split('.')[0] == 'esxi_img'])
        for name in ('oslo_config', 'pycdlib', 'tqdm', 'yaml',
                     'importlib.metadata'):
            self.assertNotIn(name, loaded)
