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

"""An ISO like an ESXi 8 installer's, with nothing of VMware's in it.

Names, layout, boot.cfg and the way it is made are those of the real one
(``mkisofs -J -R -b isolinux.bin ... -e efiboot.img``); every byte follows
from the arguments.
"""

import collections.abc
import hashlib
import io
import typing

from esxi_img import errors
from esxi_img import gzipped
from esxi_img import infile

if typing.TYPE_CHECKING:
    import pycdlib
    from pycdlib import dr

LABEL = 'ESXI-8.0U3-24022510-STANDARD'
SIZES = range(8, 4001)
"""MB (10**6 bytes) that an ISO may have."""
MAX_EFI = 64 * 1000 * 1000
"""Bytes of an EFI program that is kept in memory."""

KERNEL = 'b.b00'
BOOT = ('jumpstrt.gz useropts.gz features.gz k.b00 uc_intel.b00 uc_amd.b00 '
        'uc_hygon.b00 procfs.b00 vmx.v00 vim.v00 tpm.v00 sb.v00 s.v00'
        ).split()
DRIVERS = ('atlantic bnxtnet bnxtroce brcmfcoe elxiscsi elxnet i40en iavmd '
           'icen igbn ionic_en irdman iser ixgben lpfc lpnic lsi_mr3 '
           'lsi_msgp lsuv2_hp lsuv2_in lsuv2_ls lsuv2_nv lsuv2_oe lsuv2_sm '
           'mtip32xx ne1000 nenic nfnic nhpsa nmlx4_co nmlx4_en nmlx4_rd '
           'nmlx5_co nmlx5_rd ntg3 nvme_pci nvmerdma nvmetcp nvmxnet3 pvscsi '
           'qcnic qedentv qedrntv qfle3 qfle3f qfle3i qflge qlnative rste '
           'sfvmk smartpqi vmkata vmkfcoe vmkusb vmw_ahci').split()
SECOND = 'lsi_msgp.v01 lsi_msgp.v02 lsuv2_ls.v01 nvmxnet3.v01'.split()
REST = ('bmcal.v00 btldr.v00 crx.v00 esx_dvfi.v00 esx_ui.v00 esxupdt.v00 '
        'tpmesxup.v00 weaselin.v00 gc.v00 loadesx.v00 native_m.v00 trx.v00 '
        'vdfs.v00 vsan.v00 vsanheal.v00 vsanmgmt.v00 vmware_e.v00 xorg.v00 '
        'tools.t00 basemisc.tgz imgdb.tgz imgpayld.tgz resvibs.tgz').split()
MODULES = (*BOOT, *(f'{driver}.v00' for driver in DRIVERS), *SECOND, *REST)

BOOT_CFG = f'''bootstate=0
title=Loading ESXi installer
timeout=5
prefix=
kernel=/{KERNEL}
kernelopt=runweasel cdromBoot
modules={' --- '.join(f'/{name}' for name in MODULES)}
build=8.0.3-0.0.24022510
updated=0
'''.encode('ascii')

# The real ones are for BIOS machines, for the BIOS half of a disk, or for
# the installer; nothing here does more than name itself.
STAND_INS = (
    '.discinfo fatbootsector isolinux.bin isolinux.cfg ldlinux.sys '
    'mboot.c32 menu.c32 safeboot.c32 efiboot.img efi/boot/crypto64.efi '
    'efi/boot/safeboot.efi upgrade/esximage.zip upgrade/extlinux '
    'upgrade/gptmbr.bin upgrade/mbr.bin upgrade/metadata.xml '
    'upgrade/metadata.zip upgrade/precheck.py upgrade/prep.py '
    'upgrade/profile.xml vmware-esx-base-osl.txt vmware-esx-base-readme'
).split()
LOADER = 'efi/boot/bootx64.efi'
BOOT_INFO_END = 64
"""The boot information table replaces isolinux.bin's bytes from 8 to here."""

SECTOR = 2048

# 2024-06-25 00:00:00 UTC, in both forms of ECMA-119 (8.4.26.1, 9.1.5).
VOLUME_DATE = b'2024062500000000\0'
VOLUME_MODIFICATION_DATE = 830
"""Its offset in a volume descriptor (ECMA-119, 8.4.27)."""
RECORD_DATE = bytes((124, 6, 25, 0, 0, 0, 0))


def efi_program(path: str) -> bytes:
    """The content of an EFI program for :func:`write`.

    :raises InputError: there is none, or it is far too large for one
    :raises EnvironmentFailed: it cannot be read
    """
    with infile.opened(path, 'EFI program ') as program:
        data = program.read(MAX_EFI + 1)
    if len(data) > MAX_EFI:
        raise errors.InputError(f'EFI program {path}: has more than '
                                f'{MAX_EFI} bytes')
    if not data:
        raise errors.InputError(f'EFI program {path} is empty')
    return data


def write(output: typing.BinaryIO, size_mb: int,
          loader: bytes | None = None) -> None:
    """Write the ISO, from the start, to a seekable file.

    :param size_mb: of the whole ISO in MB, one of SIZES, give or take a few
        per cent
    :param loader: bootx64.efi, or None for a stand-in
    :raises RequestError: the size is out of bounds
    :raises OSError: from the output
    """
    if size_mb not in SIZES:
        raise errors.RequestError(
            f'size of {size_mb} MB is not between {SIZES[0]} and {SIZES[-1]}')
    files = {name: _stand_in(name) for name in (LOADER, *STAND_INS)}
    files |= {'boot.cfg': BOOT_CFG, 'efi/boot/boot.cfg': BOOT_CFG}
    names = (KERNEL, *MODULES)
    # Half a sector is lost after each module; a loader makes no difference.
    room = size_mb * 1000 * 1000 - len(names) * SECTOR // 2 - sum(
        -(-len(content) // SECTOR) * SECTOR for content in files.values())
    if loader is not None:
        files[LOADER] = loader
    iso = _empty()
    for name in sorted(files):
        _add(iso, name, io.BytesIO(files[name]), len(files[name]))
    for name, length in zip(names, _lengths(names, room)):
        _add(iso, name, _Module(name, length), gzipped.size(length))
    _make_bootable(iso)
    _date(iso)
    iso.write_fp(output, blocksize=1 << 20)
    for descriptor in (iso.pvd, iso.joliet_vd):
        # pycdlib puts in the time of writing.
        output.seek(descriptor.extent_location() * SECTOR
                    + VOLUME_MODIFICATION_DATE)
        output.write(VOLUME_DATE)
    iso.close()


def _stand_in(name: str) -> bytes:
    text = f'# stands in for {name} in a sample ISO\n'.encode('ascii')
    if name != 'isolinux.bin':
        return text
    # A machine that boots it halts: cli, hlt, and back.
    return b'\xfa\xf4\xeb\xfd'.ljust(BOOT_INFO_END, b'\0') + text


def _lengths(names: collections.abc.Sequence[str], room: int) -> list[int]:
    """Bytes for each module, unlike each other, that add up to ``room``."""
    weights = [128 + hashlib.sha256(name.encode('ascii')).digest()[0]
               for name in names]
    return [room * weight // sum(weights) for weight in weights]


def _blocks(name: str, length: int) -> collections.abc.Iterator[bytes]:
    """A module's own bytes, that no compression makes smaller.

    The text at the start keeps the loader from taking it for a signed ELF.
    """
    text = f'module {name} of a sample ISO\n'.encode('ascii')
    for number, at in enumerate(range(0, length, gzipped.BLOCK)):
        size = min(gzipped.BLOCK, length - at)
        seed = f'{name} {number}'.encode('ascii')
        yield (text + hashlib.shake_128(seed).digest(size))[:size]
        text = b''


class _Module(io.BufferedIOBase):
    """A gzipped module as a file to read in order, made while it is."""

    def __init__(self, name: str, length: int) -> None:
        super().__init__()
        self._name = name
        self._length = length
        self.seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Back to the start, the only place that pycdlib goes to."""
        if offset or whence:
            raise io.UnsupportedOperation('seek')
        self._pieces = gzipped.pieces(_blocks(self._name, self._length))
        self._ahead = b''
        return 0

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than ``size`` only at the end."""
        parts = [self._ahead]
        count = len(self._ahead)
        while count < size:
            piece = next(self._pieces, b'')
            if not piece:
                break
            parts.append(piece)
            count += len(piece)
        data = b''.join(parts)
        self._ahead = data[size:]
        return data[:size]


def _empty() -> 'pycdlib.PyCdlib':
    # Imported late, as in the reader.
    import pycdlib
    iso = pycdlib.PyCdlib()
    # A Joliet label has 16 characters; the primary volume's gets the rest.
    iso.new(interchange_level=3, joliet=3, rock_ridge='1.09',
            vol_ident=LABEL[:16], app_ident_str='esxi-img-sample-iso')
    iso.pvd.volume_identifier = LABEL.encode('ascii').ljust(32)
    for name in ('efi', 'efi/boot', 'upgrade'):
        iso.add_directory(**_paths(name))
    return iso


def _paths(name: str, version: str = '') -> dict[str, str]:
    """A file's or directory's names in the three trees of the ISO."""
    folder, _, base = name.upper().rpartition('/')
    stem, dot, suffix = base.replace('-', '_').rpartition('.')
    plain = f'{stem or "_"}{dot}{suffix}' if dot else suffix
    if version and not dot:
        plain += '.'
    return {'iso_path': f'/{folder}/{plain}{version}'.replace('//', '/'),
            'rr_name': name.rpartition('/')[2], 'joliet_path': f'/{name}'}


def _add(iso: 'pycdlib.PyCdlib', name: str,
         content: io.BufferedIOBase, length: int) -> None:
    iso.add_fp(content, length, **_paths(name, ';1'))


def _make_bootable(iso: 'pycdlib.PyCdlib') -> None:
    """El Torito for BIOS and UEFI."""
    iso.add_eltorito(_paths('isolinux.bin', ';1')['iso_path'],
                     bootcatfile='/BOOT.CAT;1', rr_bootcatname='boot.cat',
                     joliet_bootcatfile='/boot.cat', boot_load_size=4,
                     boot_info_table=True)
    iso.add_eltorito(_paths('efiboot.img', ';1')['iso_path'], efi=True)


def _date(iso: 'pycdlib.PyCdlib') -> None:
    """Give everything the same date, whatever the clock and its zone say."""
    from pycdlib import dates
    volume = dates.VolumeDescriptorDate()
    volume.parse(VOLUME_DATE)
    record = dates.DirectoryRecordDate()
    record.parse(RECORD_DATE)
    for descriptor in (iso.pvd, iso.joliet_vd):
        descriptor.volume_creation_date = volume
        descriptor.volume_effective_date = volume
        for found in _records(descriptor.root_directory_record()):
            found.date = record
            times = (found.rock_ridge.dr_entries.tf_record
                     if found.rock_ridge else None)
            if times:
                times.access_time = record
                times.modification_time = record
                times.attribute_change_time = record


def _records(directory: 'dr.DirectoryRecord',
             ) -> 'collections.abc.Iterator[dr.DirectoryRecord]':
    yield directory
    for record in directory.children:
        if record.is_dir() and not (record.is_dot() or record.is_dotdot()):
            yield from _records(record)
        else:
            yield record
