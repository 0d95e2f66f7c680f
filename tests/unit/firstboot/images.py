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

"""Small volumes of a whole tree each, put together byte by byte."""

import collections.abc
import dataclasses
import struct
import typing

from tests.unit.iso import crafted

Tree = dict[str, typing.Any]
"""Content by file name, another tree by a folder's."""

DIRECTORY = 0x10
META = b'{"uuid": "m"}'
NETWORK = b'{"links": []}'
VERSION = {'meta_data.json': META, 'network_data.json': NETWORK,
           'user_data': b'#!/bin/sh\n', 'vendor_data.json': b'{"v": 1}',
           'vendor_data2.json': b'{"v": 2}'}
DRIVE: Tree = {'openstack': {'2018-08-27': {'meta_data.json': b'{}'},
                             'content': {}, 'latest': VERSION}}


# ISO 9660; its records are made in crafted.

def iso(tree: Tree, names: str = 'plain', label: str = 'config-2',
        blocks: int = 64) -> bytes:
    """:param names: ``plain`` (as they are given), ``joliet``, ``rr``"""
    at: dict[int, bytes] = {}
    _iso_folder(tree, names, at, 20)
    if names != 'joliet':
        return crafted.image(at, blocks=blocks, primary=crafted.descriptor(
            label=label.encode(), blocks=blocks))
    # What the plain names say is to be seen nowhere.
    at[blocks - 1] = crafted.directory(block=blocks - 1)
    return crafted.image(
        at, crafted.descriptor(
            2, label=label.ljust(16).encode('utf-16-be'), escape=b'%/E'),
        primary=crafted.descriptor(root=blocks - 1), blocks=blocks)


def _iso_folder(tree: Tree, names: str, at: dict[int, bytes], block: int
                ) -> None:
    at[block] = b''
    records = []
    for number, (name, content) in enumerate(tree.items()):
        below = max(start + max(-(-len(data) // crafted.BLOCK), 1)
                    for start, data in at.items())
        length, flags = crafted.BLOCK, 2
        if isinstance(content, dict):
            _iso_folder(content, names, at, below)
        else:
            at[below] = content
            length, flags = len(content), 0
        identifier, susp = name.encode(), b''
        if names == 'joliet':
            identifier = name.encode('utf-16-be')
        elif names == 'rr':
            identifier = b'X%d' % number
            susp = crafted.px(0o40755 if flags else 0o100644) + crafted.nm(
                name.encode())
        records.append(crafted.record(identifier, below, length, flags, susp))
    at[block] = crafted.directory(
        *records, block=block,
        susp=crafted.ROCK_RIDGE if names == 'rr' and block == 20 else b'')


# FAT.

def slot(short: bytes, cluster: int = 0, size: int = 0, attributes: int = 0x20,
         case: int = 0) -> bytes:
    """A directory entry; ``short`` has 11 bytes."""
    return struct.pack('<11sBB7xH4xHL', short, attributes, case,
                       cluster >> 16, cluster & 0xFFFF, size)


def checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total & 1) * 0x80 + (total >> 1) + byte) % 256
    return total


def long(name: str, short: bytes, total: int | None = None) -> bytes:
    """The entries of a long name, as they stand before the short one."""
    units = name.encode('utf-16-le')
    if len(units) % 26:
        units = (units + b'\0\0').ljust(-(-len(units) // 26) * 26, b'\xff')
    if total is None:
        total = checksum(short)
    parts = [units[at:at + 26] for at in range(0, len(units), 26)]
    return b''.join(
        bytes((number | 0x40 * (number == len(parts)),)) + part[:10]
        + bytes((0x0F, 0, total)) + part[10:22] + b'\0\0' + part[22:]
        for number, part in reversed(list(enumerate(parts, 1))))


@dataclasses.dataclass
class Fat:
    """A FAT volume, described by what is at its clusters.

    :param root: the root directory of FAT12 and FAT16
    :param content: by first cluster
    :param chains: what follows each cluster; where a content lies, that is
        done already
    """

    bits: int = 12
    sector: int = 512
    per: int = 1
    clusters: int = 100
    root_entries: int = 32
    root: bytes = b''
    root_cluster: int = 2
    label: bytes = b'NO NAME    '
    content: dict[int, bytes] = dataclasses.field(default_factory=dict)
    chains: dict[int, int] = dataclasses.field(default_factory=dict)

    @property
    def end(self) -> int:
        return (1 << min(self.bits, 28)) - 1

    def put(self, cluster: int, content: bytes) -> int:
        """Returns the cluster behind it."""
        size = self.sector * self.per
        last = cluster + max(-(-len(content) // size), 1) - 1
        self.content[cluster] = content
        self.chains.update({one: one + 1 for one in range(cluster, last)})
        self.chains[last] = self.end
        return last + 1

    def image(self) -> bytes:
        fat = self._fat()
        root = self.root.ljust(self.root_entries * 32, b'\0')
        if self.bits == 32:
            root = b''
        reserved = 2
        root = root.ljust(-(-len(root) // self.sector) * self.sector, b'\0')
        data = bytearray(self.clusters * self.per * self.sector)
        for cluster, content in self.content.items():
            at = (cluster - 2) * self.per * self.sector
            data[at:at + len(content)] = content
        fat_sectors = len(fat) // self.sector
        total = reserved + 2 * fat_sectors + (
            len(root) + len(data)) // self.sector
        return (self._boot(reserved, fat_sectors, total).ljust(
            reserved * self.sector, b'\0') + fat + fat + root + data)

    def _fat(self) -> bytes:
        values = [0] * (self.clusters + 2)
        values[:2] = self.end & ~0xFF | 0xF8, self.end
        for cluster, following in self.chains.items():
            values[cluster] = following
        if self.bits == 12:
            fat = b''.join(
                (low | high << 12).to_bytes(3, 'little')
                for low, high in zip(values[::2], [*values[1::2], 0]))
        else:
            fat = b''.join(value.to_bytes(self.bits // 8, 'little')
                           for value in values)
        return fat.ljust(-(-len(fat) // self.sector) * self.sector, b'\0')

    def _boot(self, reserved: int, fat_sectors: int, total: int) -> bytes:
        wide = self.bits == 32
        bpb = struct.pack(
            '<3s8sHBHBHHBHHHLL', b'\xeb\x3c\x90', b'crafted', self.sector,
            self.per, reserved, 2, 0 if wide else self.root_entries,
            0 if wide or total > 0xFFFF else total, 0xF8,
            0 if wide else fat_sectors, 32, 8, 0,
            total if wide or total > 0xFFFF else 0)
        if wide:
            bpb += struct.pack('<LHHLHH12x', fat_sectors, 0, 0,
                               self.root_cluster, 1, 0)
        bpb += struct.pack('<BBBL11s8s', 0x80, 0, 0x29, 1, self.label,
                           b'FAT     ')
        return bpb.ljust(510, b'\0') + b'\x55\xaa'


def fat(tree: Tree, label: bytes = b'CONFIG-2   ',
        **options: typing.Any) -> Fat:
    """A volume of the tree, with long names."""
    volume = Fat(label=label, **options)
    first = 3
    if volume.bits == 32:
        volume.put(volume.root_cluster, b'')
    root, _ = _fat_folder(volume, tree, first)
    if volume.bits == 32:
        volume.put(volume.root_cluster, root)
    volume.root = root
    return volume


def _fat_folder(volume: Fat, tree: Tree, free: int) -> tuple[bytes, int]:
    """The directory's bytes, and the next free cluster."""
    entries = []
    for number, (name, content) in enumerate(tree.items()):
        short = b'F%-7dX  ' % number
        attributes, size = DIRECTORY, 0
        if isinstance(content, dict):
            content, free = _fat_folder(volume, content, free)
            content = (slot(b'.          ', free, 0, DIRECTORY)
                       + slot(b'..         ', 0, 0, DIRECTORY) + content)
        else:
            attributes, size = 0x20, len(content)
        entries.append(long(name, short)
                       + slot(short, free, size, attributes))
        free = volume.put(free, content)
    return b''.join(entries), free


def files(names: collections.abc.Iterable[str] = VERSION) -> dict[str, bytes]:
    """What a reader should find in DRIVE."""
    return {name: VERSION[name] for name in names}
