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


import collections.abc
import json
import pathlib
import re
import typing

import yaml

from esxi_img.firstboot import drive
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import reading
from esxi_img.firstboot import think
from esxi_img import glance
from tests import base
from tests.unit import test_recipe

PAGES = pathlib.Path(__file__).parents[2] / 'docs' / 'source' / 'operator'

DRIVE_KEYS = {'meta_data', 'network_data', 'user_data', 'vendor_data'}
"""Of a config drive in JSON (_CONFIG_DRIVE_SCHEMA of
ironic/api/controllers/v1/utils.py)."""

SECRETS = {'metaData': 'meta_data', 'networkData': 'network_data',
           'userData': 'user_data'}
"""The key of each secret, as Metal3's spec has it, and what comes of it."""

HOST: dict[str, typing.Any] = {
    'automatedCleaningMode': ('metadata', 'disabled'),
    'bmc': {'address': str, 'credentialsName': str,
            'disableCertificateVerification': bool},
    'bootMACAddress': str,
    'bootMode': ('UEFI', 'UEFISecureBoot', 'legacy'),
    'image': {'checksum': str,
              'checksumType': ('md5', 'sha256', 'sha512', 'auto'),
              'format': ('raw', 'qcow2', 'vdi', 'vmdk', 'live-iso'),
              'url': str},
    'online': bool,
    'rootDeviceHints': {
        'deviceName': str, 'hctl': str, 'minSizeGigabytes': int,
        'model': str, 'rotational': bool, 'serialNumber': str,
        'vendor': str, 'wwn': str, 'wwnVendorExtension': str,
        'wwnWithExtension': str},
    **{secret: {'name': str, 'namespace': str} for secret in SECRETS},
}
"""What examples may have of a BareMetalHost's spec, of metal3.io/v1alpha1."""

HASH = '$6$saltsalt$' + 86 * '1'
"""In place of what a page leaves for the reader to fill in."""


class Block(typing.NamedTuple):
    """A code block: its page, its line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def documents(self) -> list[typing.Any]:
        """What it says.

        :raises ValueError, yaml.YAMLError: nothing that can be read
        """
        if self.language == 'json':
            return [json.loads(self.text)]
        return list(yaml.safe_load_all(self.text))


def blocks() -> collections.abc.Iterator[Block]:
    """All data of the pages."""
    for path in sorted(PAGES.glob('*.rst')):
        text = path.read_text()
        for found in re.finditer(
                r'(?m)^\.\. code-block:: (json|yaml)\n\n((?:   .*\n|\n)+)',
                text):
            yield Block(path.name, text.count('\n', 0, found.start()) + 1,
                        found[1], re.sub('(?m)^   ', '', found[2]).strip()
                        + '\n')


def documents() -> list[tuple[Block, typing.Any]]:
    return [(block, one) for block in blocks() for one in block.documents]


def drives() -> list[tuple[Block, dict[str, typing.Any]]]:
    """Config drives: JSON of Ironic, and what Bifrost has of it."""
    found = []
    for block, one in documents():
        if isinstance(one, dict):
            found += [(block, said) for said in (one, *(
                node.get('instance_info', {}).get('configdrive', {})
                for node in one.values() if isinstance(node, dict)))
                if 'meta_data' in said]
    return found


def objects(kind: str) -> list[dict[str, typing.Any]]:
    """Of Kubernetes."""
    return [one for _, one in documents()
            if isinstance(one, dict) and one.get('kind') == kind]


def faults(value: typing.Any, fields: typing.Any, path: str
           ) -> collections.abc.Iterator[str]:
    """What Metal3 would not take."""
    if isinstance(fields, type):
        if not isinstance(value, fields):
            yield f'{path}: not of {fields.__name__}'
    elif isinstance(fields, tuple):
        if value not in fields:
            yield f'{path}: {value!r} is none of {", ".join(fields)}'
    else:
        for key, inner in value.items():
            if key in fields:
                yield from faults(inner, fields[key], f'{path}.{key}')
            else:
                yield f'{path}: has no {key}'


def table(page: str, title: str) -> list[str]:
    """The first cells of the first table below a title."""
    text = (PAGES / page).read_text().split(f'\n{title}\n')[1]
    rows = text.split('.. list-table::')[1].split('\n\n')[1]
    return re.findall(r'(?m)^   \* - (.*)', rows)[1:]


class TestCase(base.TestCase):

    def assert_no_problems(self, files: dict[str, typing.Any]) -> None:
        """A drive with these files makes a host that nothing is odd about.

        Strings are files as they stand, all else is written as JSON.
        """
        folder = self.tmp()
        for name, value in files.items():
            is_text = isinstance(value, str)
            (folder / (name if is_text else f'{name}.json')).write_text(
                value if is_text else json.dumps(value))
        found = drive.read(str(folder))
        said, wishes = reading.all_of(reading.model_of(found),
                                      reading.gathered_of(found.files))
        outcome = think.outcome_of(said, nics.invent(said.network), None,
                                   model.Settings(), wishes)
        self.assertEqual((), outcome.problems)


class TestBlocks(TestCase):

    def test_all_can_be_read(self) -> None:
        found = list(blocks())
        self.assertLess(5, len(found))
        for block in found:
            with self.subTest(page=block.page, line=block.line):
                self.assertTrue(all(block.documents))

    def test_cloud_configs(self) -> None:
        found = [block for block in blocks()
                 if block.text.startswith('#cloud-config\n')]
        self.assertLess(0, len(found))
        for block in found:
            with self.subTest(page=block.page, line=block.line):
                self.assert_no_problems({
                    'meta_data': {'uuid': 'x', 'hostname': 'esx-17'},
                    'user_data': block.text.replace('$6$SALT$HASH', HASH)})


class TestDrives(TestCase):

    def test_they_are_on_their_pages(self) -> None:
        self.assertEqual({'bifrost.rst', 'standalone.rst'},
                         {block.page for block, _ in drives()})

    def test_nothing_is_odd_about_them(self) -> None:
        for block, said in drives():
            with self.subTest(page=block.page, line=block.line):
                self.assertLessEqual(said.keys(), DRIVE_KEYS)
                # Ironic adds it (build_configdrive of its conductor).
                self.assert_no_problems({**said, 'meta_data': {
                    'uuid': 'x', **said['meta_data']}})

    def test_their_links_say_an_mtu(self) -> None:
        """Else Ironic would replace them (is_invalid_network_metadata)."""
        for block, said in drives():
            with self.subTest(page=block.page, line=block.line):
                self.assertEqual([], [link for link in said['network_data'][
                    'links'] if not link.get('mtu')])


class TestMetal3(TestCase):

    def secrets(self) -> dict[str, dict[str, str]]:
        return {one['metadata']['name']: one['stringData']
                for one in objects('Secret')}

    def test_hosts_have_fields_of_the_schema(self) -> None:
        hosts = objects('BareMetalHost')
        self.assertLess(0, len(hosts))
        for one in hosts:
            self.assertEqual('metal3.io/v1alpha1', one['apiVersion'])
            self.assertEqual([], list(faults(one['spec'], HOST, 'spec')))
            self.assertLessEqual({'online', 'image', 'rootDeviceHints'},
                                 one['spec'].keys())

    def test_hosts_name_the_secrets(self) -> None:
        for one in objects('BareMetalHost'):
            for key in SECRETS:
                said = self.secrets()[one['spec'][key]['name']]
                self.assertEqual([key], list(said))

    def test_nothing_is_odd_about_the_drive(self) -> None:
        files: dict[str, typing.Any] = {}
        for said in self.secrets().values():
            (key, text), = said.items()
            files[SECRETS[key]] = text if key == 'userData' \
                else yaml.safe_load(text)
        self.assertEqual({*SECRETS.values()}, files.keys())
        # As the Bare Metal Operator adds them.
        self.assert_no_problems({**files, 'meta_data': {
            'uuid': 'x', 'name': 'esx-17', 'local-hostname': 'esx-17',
            **files['meta_data']}})


class TestGlance(TestCase):

    def test_the_table_has_each_property(self) -> None:
        wanted = glance.properties(test_recipe.make())
        told = dict(re.fullmatch('``([^`=]+)=?(.*)``', cell).groups()
                    for cell in table('glance.rst', 'Properties'))
        self.assertEqual(list(wanted), list(told))
        self.assertEqual({}, {name: value for name, value in told.items()
                              if value not in ('', wanted[name])})

    def test_nodepool_has_those_that_matter(self) -> None:
        recipe = test_recipe.make()
        wanted = {**glance.properties(recipe),
                  'min_disk': glance.min_disk(recipe.layout.size)}
        metas = [image['meta'] for _, one in documents()
                 for provider in one.get('providers', ())
                 for image in provider['diskimages']]
        self.assertEqual(1, len(metas))
        for meta in metas:
            self.assertEqual(meta, {name: wanted[name] for name in meta})
            self.assertLessEqual(
                {'hypervisor_type', 'img_config_drive', 'min_disk'},
                meta.keys())

    def test_instance_info_is_what_is_printed(self) -> None:
        url = 'http://images.example.org/esxi.img'
        self.assertIn(
            glance.instance_info(url, 'raw', 'SHA256', 'SHA512'),
            [one for block, one in documents() if block.page == 'glance.rst'])
