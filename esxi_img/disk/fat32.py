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

"""FAT32: the records of Microsoft's FAT specification (version 1.03)."""

import dataclasses

from esxi_img.disk import records

field = records.field

FREE = 0
END_OF_CHAIN = 0x0FFFFFFF
MEDIA = 0xF8
FIRST_CLUSTER = 2
ROOT_CLUSTER = 2
MIN_CLUSTERS = 65525
"""Below this a volume is FAT16, whatever its boot sector says."""

MAX_CLUSTERS = 0x0FFFFFF5
MAX_FILE = 0xFFFFFFFF
MAX_ENTRIES = 65536
"""A directory holds at most 2 MiB of 32-byte entries."""

ATTR_VOLUME_ID = 0x08
ATTR_DIRECTORY = 0x10
ATTR_ARCHIVE = 0x20
ATTR_LONG_NAME = 0x0F
LAST_LONG_ENTRY = 0x40
NTRES_LOWER_BASE = 0x08
NTRES_LOWER_EXT = 0x10
"""Lower-case marks in DIR_NTRes, as Windows NT, Linux, mtools and EDK II
keep and read them; they save a long entry for names like boot.cfg."""

CHARS_PER_LONG_ENTRY = 13


@dataclasses.dataclass(frozen=True, kw_only=True)
class BootSector(records.Record):
    """Boot sector with the FAT32 BPB; the rest of a larger sector is 0."""

    SIZE = 512
    BS_jmpBoot: bytes = field('3s', b'\xeb\x58\x90')
    BS_OEMName: bytes = field('8s', b'MSWIN4.1')
    BPB_BytsPerSec: int = field('H')
    BPB_SecPerClus: int = field('B')
    BPB_RsvdSecCnt: int = field('H')
    BPB_NumFATs: int = field('B', 2)
    BPB_RootEntCnt: int = field('H', 0)
    BPB_TotSec16: int = field('H', 0)
    BPB_Media: int = field('B', MEDIA)
    BPB_FATSz16: int = field('H', 0)
    BPB_SecPerTrk: int = field('H', 63)
    BPB_NumHeads: int = field('H', 255)
    BPB_HiddSec: int = field('I')
    BPB_TotSec32: int = field('I')
    BPB_FATSz32: int = field('I')
    BPB_ExtFlags: int = field('H', 0)
    BPB_FSVer: int = field('H', 0)
    BPB_RootClus: int = field('I', ROOT_CLUSTER)
    BPB_FSInfo: int = field('H', 1)
    BPB_BkBootSec: int = field('H', 6)
    BPB_Reserved: bytes = field('12s', bytes(12))
    BS_DrvNum: int = field('B', 0x80)
    BS_Reserved1: int = field('B', 0)
    BS_BootSig: int = field('B', 0x29)
    BS_VolID: int = field('I')
    BS_VolLab: bytes = field('11s')
    BS_FilSysType: bytes = field('8s', b'FAT32   ')
    # int 18h: a BIOS that gets here is told to try its next device.
    BS_BootCode: bytes = field('420s', b'\xcd\x18\xeb\xfe'.ljust(420, b'\0'))
    Signature_word: int = field('H', 0xAA55)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FSInfo(records.Record):
    """FSInfo sector: hints about free clusters."""

    SIZE = 512
    FSI_LeadSig: int = field('I', 0x41615252)
    FSI_Reserved1: bytes = field('480s', bytes(480))
    FSI_StrucSig: int = field('I', 0x61417272)
    FSI_Free_Count: int = field('I')
    FSI_Nxt_Free: int = field('I')
    FSI_Reserved2: bytes = field('12s', bytes(12))
    FSI_TrailSig: int = field('I', 0xAA550000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DirEntry(records.Record):
    """Short directory entry."""

    SIZE = 32
    DIR_Name: bytes = field('11s')
    DIR_Attr: int = field('B')
    DIR_NTRes: int = field('B', 0)
    DIR_CrtTimeTenth: int = field('B', 0)
    DIR_CrtTime: int = field('H', 0)
    DIR_CrtDate: int = field('H', 0)
    DIR_LstAccDate: int = field('H', 0)
    DIR_FstClusHI: int = field('H', 0)
    DIR_WrtTime: int = field('H', 0)
    DIR_WrtDate: int = field('H', 0)
    DIR_FstClusLO: int = field('H', 0)
    DIR_FileSize: int = field('I', 0)

    @property
    def cluster(self) -> int:
        return self.DIR_FstClusHI << 16 | self.DIR_FstClusLO


@dataclasses.dataclass(frozen=True, kw_only=True)
class LongEntry(records.Record):
    """One of the entries that carry a long name, in front of a short one."""

    SIZE = 32
    LDIR_Ord: int = field('B')
    LDIR_Name1: bytes = field('10s')
    LDIR_Attr: int = field('B', ATTR_LONG_NAME)
    LDIR_Type: int = field('B', 0)
    LDIR_Chksum: int = field('B')
    LDIR_Name2: bytes = field('12s')
    LDIR_FstClusLO: int = field('H', 0)
    LDIR_Name3: bytes = field('4s')

    @property
    def name(self) -> bytes:
        """The 26 bytes of UTF-16 that this entry carries."""
        return self.LDIR_Name1 + self.LDIR_Name2 + self.LDIR_Name3


def checksum(short: bytes) -> int:
    """ChkSum of an 11-byte short name, which its long entries repeat."""
    total = 0
    for byte in short:
        total = ((total << 7 | total >> 1) + byte) & 0xFF
    return total
