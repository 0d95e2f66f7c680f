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

"""A host below a folder, to act on: files as disks, answers of programs."""

import collections.abc
import contextlib
import io
import json
import os
import pathlib
import shutil
import typing
import unittest.mock
import uuid

from esxi_img.firstboot import disks
from esxi_img.firstboot import model
from esxi_img.firstboot import place
from esxi_img.firstboot import running
from tests import base
from tests.unit.firstboot import images
from tests.unit.firstboot import tables

MIB = tables.MIB
AT = 4 * MIB
"""Where tables.with_drive() has a partition of 2 MiB."""
NAA = 'naa.600508b1001c4d6a'
OTHER = 'naa.5000c500a1b2c3d4'
VML = 'vml.0200000000600508b1001c4d6a'
FOREIGN = uuid.UUID('99999999-8888-4777-8666-555555555555')
LINE = 'install --disk=IMAGE-DISK --overwritevmfs'

SECRETS = ('Hunter22-secret', 'c2VlZC1zZWNyZXQ=', 'user-secret',
           'vendor-secret', 'meta-secret', 'net-secret')
META = {'uuid': 'abcd-1', 'hostname': 'esx1.example.org',
        'admin_pass': SECRETS[0], 'random_seed': SECRETS[1],
        'meta': {'note': SECRETS[4]},
        'public_keys': {'ops': 'ssh-ed25519 ' + 'A' * 40 + ' ops'}}
NETWORK = {
    'links': [{'id': 'a', 'type': 'phy', 'mtu': 1500, 'x': SECRETS[5],
               'ethernet_mac_address': '52:54:00:00:00:02'}],
    'networks': [{'id': 'n', 'link': 'a', 'type': 'ipv4',
                  'ip_address': '192.0.2.50', 'netmask': '255.255.255.0',
                  'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0',
                              'gateway': '192.0.2.1'}]}],
    'services': [{'type': 'dns', 'address': '192.0.2.2'}]}
FILES = {'meta_data.json': json.dumps(META).encode(),
         'network_data.json': json.dumps(NETWORK).encode(),
         'user_data': SECRETS[2].encode(),
         'vendor_data.json': json.dumps([SECRETS[3]]).encode()}
ROOTPW = f'rootpw --iscrypted $6$salt${"x" * 86}'
NICS = [{'Name': f'vmnic{number}', 'MACAddress': f'52:54:00:00:00:0{mac}',
         'LinkStatus': 'Up'} for number, mac in enumerate((1, 2))]
CONFIG = b'''bootstate=0
title=Loading VMware ESXi
timeout=5
prefix=
kernel=b.b00
kernelopt=autoPartition=FALSE
modules=k.b00 --- s.v00 --- onetime.tgz
build=8.0.3-0.0.24022510
updated=1
'''

Answer = running.Result | collections.abc.Callable[[tuple[str, ...]],
                                                   running.Result]


def tree(files: collections.abc.Mapping[str, bytes] = FILES) -> images.Tree:
    return {'openstack': {'latest': dict(files)}}


def iso(files: collections.abc.Mapping[str, bytes] = FILES) -> bytes:
    return images.iso(tree(files), 'rr')


def result(output: str = '', status: int | None = 0) -> running.Result:
    return running.Result(status, output, '', 0.1)


MISSING = result('', running.NOT_FOUND)


class Host:
    """A host whose paths start with a folder.

    ``answers`` are those of programs, by words that a call starts with; the
    last that fits counts.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.places = place.Places(str(root), str(root / 'esxiimg'))
        self.home = root / 'esxiimg'
        self.disks = root / 'vmfs/devices/disks'
        self.cds = root / 'vmfs/devices/cdrom'
        self.volumes = root / 'vmfs/volumes'
        self.work = root / 'tmp/esxiimg'
        for folder in (self.disks, self.cds, self.volumes, root / 'dev',
                       self.work, self.home / 'firstboot'):
            folder.mkdir(parents=True)
        (root / 'dev/disks').symlink_to('../vmfs/devices/disks')
        self.home_file('build.json', self.build())
        self.home_file('settings.json', {})
        (self.home / 'rootpw.cfg').write_text(ROOTPW + '\n')
        (self.home / place.COLLECTOR).write_text('gathers\n')
        for name in ('__init__.py', '__main__.py', 'apply.py'):
            (self.home / 'firstboot' / name).write_text(f'# {name}\n')
        self.calls: list[tuple[str, ...]] = []
        self.mounts: dict[str, collections.abc.Mapping[str, bytes]] = {}
        """What the kernel reads, by the name that it mounts."""
        self.spans: dict[str, str] = {}
        """NAME:NUMBER by the folder of a volume."""
        self.answers: dict[tuple[str, ...], Answer] = {
            ('logger',): result(),
            ('localcli', '--formatter=json', 'network', 'nic', 'list'):
                result(json.dumps(NICS)),
            ('localcli', 'system', 'module', 'load'): result('', 1),
            ('sh', '-c'): result(),
            ('vmkfstools', '-P'): self._spanned,
            ('vsish', '-e', 'set', '/vmkModules/iso9660/mount'): self._mount,
            ('vsish', '-e', 'set', '/vmkModules/iso9660/umount'):
                self._unmount}

    def run(self, argv: collections.abc.Sequence[str], timeout: float
            ) -> running.Result:
        assert timeout > 0
        words = tuple(argv)
        self.calls.append(words)
        fits = [start for start in self.answers
                if words[:len(start)] == start]
        answer = self.answers[fits[-1]] if fits else MISSING
        return answer(words) if callable(answer) else answer

    def called(self, *words: str) -> list[tuple[str, ...]]:
        return [call for call in self.calls if call[:len(words)] == words]

    @staticmethod
    def build(**changes: typing.Any) -> dict[str, typing.Any]:
        return {'version': '1.2.3', 'disk_guid': str(tables.DISK),
                'partition_guid': str(tables.ESP), 'sector_size': 512,
                'install_line': LINE, 'installed_kernel_options': [],
                **changes}

    def home_file(self, name: str, value: typing.Any) -> None:
        (self.home / name).write_text(json.dumps(value))

    def add_disk(self, name: str, table: tables.Table | None = None,
                 content: bytes = b'') -> pathlib.Path:
        """:param content: at AT"""
        table = table or tables.with_drive()
        return table.write(self.disks / name, {AT: content})

    def looked(self, name: str) -> disks.Seen:
        return next(disks.look(disk, str(tables.DISK), str(tables.ESP))
                    for disk in disks.disks(str(self.root))
                    if name in (disk.name, *disk.aliases))

    def install(self, name: str, config: bytes = CONFIG, *,
                guid: uuid.UUID = FOREIGN, bank: uuid.UUID | None = None,
                label: str = 'BOOTBANK1') -> pathlib.Path:
        """As the installer leaves a disk; the folder of its bootbank.

        :param guid: of the disk
        :param bank: GUID of the bootbank's partition
        """
        fat = images.fat({'BOOT.CFG': config}, b'BOOTBANK1  ').image()
        tables.Table(16 * MIB, [
            None, None, None, None,
            tables.entry(8192, 12287, bank or uuid.uuid5(guid, '5')),
            tables.entry(12288, 16383, uuid.uuid5(guid, '6'))],
            disk=guid).write(self.disks / name, {8192 * 512: fat})
        folder = self.volume(f'{name}:5', label, config)
        self.volume(f'{name}:6', label.replace('1', '2'), config.replace(
            b'k.b00 --- s.v00 --- onetime.tgz', b''))
        return folder

    def volume(self, spans: str, label: str, config: bytes) -> pathlib.Path:
        folder = self.volumes / str(uuid.uuid5(uuid.NAMESPACE_OID, spans))
        folder.mkdir()
        (folder / 'boot.cfg').write_bytes(config)
        if not (self.volumes / label).is_symlink():
            (self.volumes / label).symlink_to(folder.name)
        self.spans[str(folder)] = spans
        return folder

    def said(self) -> str:
        """The messages of the journal."""
        path = self.work / 'journal.jsonl'
        lines = path.read_text().splitlines() if path.exists() else []
        return ''.join(f'{json.loads(line)["message"]}\n' for line in lines)

    def staged(self) -> dict[str, str]:
        folder = self.work / 'new'
        return {path.name: path.read_text()
                for path in sorted(folder.iterdir())}

    def pre(self) -> dict[str, typing.Any]:
        return json.loads((self.work / 'pre.json').read_text())

    def texts(self, *without: str) -> str:
        """All that was said and written, but disks and some folders."""
        texts = [repr(self.calls)]
        for folder, names, files in os.walk(self.root):
            names[:] = [name for name in names if name not in (
                'devices', *without)]
            paths = [pathlib.Path(folder) / name for name in files]
            texts += [path.read_text(errors='replace') for path in paths
                      if path.exists()]
        return '\n'.join(texts)

    def _mount(self, words: tuple[str, ...]) -> running.Result:
        if words[-1] not in self.mounts:
            return result('', 1)
        folder = self.volumes / 'config-2/openstack/latest'
        folder.mkdir(parents=True)
        for name, data in self.mounts[words[-1]].items():
            (folder / name).write_bytes(data)
        return result()

    def _unmount(self, words: tuple[str, ...]) -> running.Result:
        if not (self.volumes / 'config-2').is_dir():
            return result('', 1)
        shutil.rmtree(self.volumes / 'config-2')
        return result()

    def _spanned(self, words: tuple[str, ...]) -> running.Result:
        spans = self.spans.get(words[-1])
        return result() if spans is None else result(
            'vfat-0.04 (Raw Major Version: 0) file system spanning 1 '
            'partitions.\nFile system label (if any): BOOTBANK1\nUUID: '
            f'5f0f:1\nPartitions spanned (on "disks"):\n\n\t{spans}\n'
            'Is Native Snapshot Capable: NO\n')


class TestCase(base.TestCase):
    """With a host."""

    def setUp(self) -> None:
        super().setUp()
        self.host = Host(self.tmp())
        self.console = io.StringIO()
        stdout = contextlib.redirect_stdout(self.console)
        stdout.__enter__()
        self.addCleanup(stdout.__exit__, None, None, None)
        # Nothing here has to outlive a power failure, and it takes long.
        fsync = unittest.mock.patch('os.fsync')
        fsync.start()
        self.addCleanup(fsync.stop)

    def assert_no_secret(self, text: str) -> None:
        found = [secret for secret in SECRETS if secret in text]
        self.assertEqual([], found)


def described() -> model.Identity:
    """What META says."""
    return model.Identity(
        META['uuid'], META['hostname'], (META['public_keys']['ops'],),
        model.Secret(META['admin_pass']))
