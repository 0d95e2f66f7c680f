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

"""Glance, Nova, Ironic and its agent look into our images.

Each calls the inspector of oslo.utils in its own way and draws its own
conclusions.
"""

import pathlib
import shutil
import subprocess

from tests.functional import clients
from tests.functional import command
from tests.functional.deployment import published

SECTORS = {512: (), 4096: ('--sector-size', 4096)}
FORMATS = {'raw': (), 'qcow2': ('--format', 'qcow2'),
           'qcow2, compressed': ('--format', 'qcow2', '--compress')}


class TestCase(command.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.require('qemu-img')
        clients.require(self, 'glance', 'ironic', 'ironic_python_agent',
                        'nova')

    def assert_refused(self, module: str, function: str, reason: str,
                       path: pathlib.Path, disk_format: str,
                       **arguments: object) -> None:
        with self.subTest(module), \
                self.assertRaisesRegex(clients.Refused, reason):
            clients.shared(module)(function, path=str(path),
                                   disk_format=disk_format, **arguments)


class TestAccepted(TestCase):

    def test_all(self) -> None:
        for sector_size, options in SECTORS.items():
            for name, more in FORMATS.items():
                with self.subTest(name, sector_size=sector_size):
                    self.check(*options, *more)

    def check(self, *options: command.Word) -> None:
        image = published(*options)
        told, size = image.manifest, image.path.stat().st_size
        task = {'path': str(image.path), 'disk_format': told['disk_format']}
        self.assertEqual(
            {'status': 'active', 'size': size,
             'virtual_size': told['virtual_size'],
             'os_hash_algo': 'sha512', 'os_hash_value': told['sha512']},
            clients.shared('glance')('upload', **task,
                                     properties=told['properties']))
        self.assertEqual(
            {'allowed': told['disk_format'],
             'qemu-img': told['disk_format']},
            clients.shared('nova')('inspect', **task))
        # What is found in a raw image may be called raw.
        self.assertEqual(
            'gpt' if told['disk_format'] == 'raw' else 'qcow2',
            clients.shared('conductor')('inspect', **task))
        self.assertEqual([told['disk_format'], told['virtual_size']],
                         clients.shared('agent')('inspect', **task))


class TestRefused(TestCase):

    def test_a_raw_one_that_is_called_qcow2(self) -> None:
        path = published().path
        self.assert_refused('glance', 'upload', 'does not match stream data',
                            path, 'qcow2', properties={})
        self.assert_refused('nova', 'inspect', 'not in a supported format',
                            path, 'qcow2')
        self.assert_refused('conductor', 'inspect', 'not valid for use', path,
                            'qcow2')
        self.assert_refused('agent', 'inspect', 'Detected image format was '
                            'gpt|Expected format was qcow2', path, 'qcow2')

    def test_a_qcow2_that_is_called_raw(self) -> None:
        """Glance and the agent believe it: a host would get a qcow2."""
        path = published('--format', 'qcow2').path
        task = {'path': str(path), 'disk_format': 'raw'}
        size = path.stat().st_size
        self.assertEqual(size, clients.shared('glance')(
            'upload', **task, properties={})['virtual_size'])
        self.assertEqual(['raw', size],
                         clients.shared('agent')('inspect', **task))
        self.assert_refused('nova', 'inspect', 'not in a supported format',
                            path, 'raw')
        self.assert_refused('conductor', 'inspect', 'not valid for use', path,
                            'raw')

    def test_a_hybrid_mbr(self) -> None:
        """A partition beside the protective one, as some make for BIOS."""
        self.require('sgdisk')
        shutil.copy(published().path, self.output)
        subprocess.run(['sgdisk', '--hybrid', '1', self.output], check=True,
                       stdout=subprocess.DEVNULL)
        self.assert_refused('glance', 'upload', 'failed safety checks',
                            self.output, 'raw', properties={})
        self.assert_refused('nova', 'inspect', 'not pass safety check',
                            self.output, 'raw')
        self.assert_refused('conductor', 'inspect', 'not valid for use',
                            self.output, 'raw')

    def test_vmdk(self) -> None:
        path = published('--format', 'vmdk').path
        self.assert_refused('conductor', 'inspect', 'not valid for use', path,
                            'vmdk')
        self.assert_refused('agent', 'inspect', 'format was vmdk, but only',
                            path, 'vmdk')
