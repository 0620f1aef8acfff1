"""Names what a file is if it is not an OVMF image, so that it is never measured as it lies.

Sources: igvm_defs (IGVM_FIXED_HEADER); ELF and PE/COFF headers; Linux Documentation/arch/x86/boot.rst; Intel TDX
Virtual Firmware Design Guide (TDVF metadata). Formats that are unwrapped are in catalog/containers/formats/.
"""

from __future__ import annotations

from catalog.firmware.machine import X86_64, machine_name, machine_of
from catalog.firmware.volumes import VARIABLE_STORE, Volume, first_volume
from catalog.values import Value

QCOW2 = b"QFI\xfb"
VMDK = b"KDMV"
GZIP = b"\x1f\x8b\x08"
XZ = b"\xfd7zXZ\0"
BZIP2 = b"BZh"
ZSTD = b"\x28\xb5\x2f\xfd"
DEB = b"!<arch>\ndebian-binary"
RPM = b"\xed\xab\xee\xdb"

_CONVERT = "qemu-img convert -O raw FILE OVMF.fd"


class Foreign(Value):
    """A file of another format. what: it is, with its article. hint: what to do; FILE stands for its name."""

    what: str
    hint: str


_VHD = Foreign("a VHD disk image", _CONVERT)
_UNWRAP = "give the file to ldcat measure or inspect, which unwrap it"
_BY_MAGIC = (
    (QCOW2, Foreign("a qcow2 disk image", _UNWRAP)),
    (VMDK, Foreign("a vmdk disk image", _UNWRAP)),
    (GZIP, Foreign("a gzip file", _UNWRAP)),
    (XZ, Foreign("an xz file", _UNWRAP)),
    (BZIP2, Foreign("a bzip2 file", _UNWRAP)),
    (ZSTD, Foreign("a zstd file", _UNWRAP)),
    (DEB, Foreign("a Debian package", _UNWRAP)),
    (RPM, Foreign("an RPM package", _UNWRAP)),
    (b"# Disk DescriptorFile", Foreign("the descriptor of a vmdk disk image, whose data are in other files", _CONVERT)),
    (b"COWD", Foreign("a vmdk disk image of VMware ESX (COWD)", _CONVERT)),
    (b"vhdxfile", Foreign("a VHDX disk image", _CONVERT)),
    (b"conectix", _VHD),
    (b"PK\x03\x04", Foreign("a zip archive", "unzip FILE")),
    (b"\x04\x22\x4d\x18", Foreign("an lz4 file", "lz4 -dc FILE > OVMF.fd")),
    (b"LZIP", Foreign("an lzip file", "lzip -dc FILE > OVMF.fd")),
    (b"IGVM", Foreign("an IGVM file", "ldcat measure and ldcat inspect take IGVM files by path, and not packed")),
)
_GO_METADATA = Foreign(
    "firmware metadata of sev-snp-measure-go",
    "write a firmware record: OVMFHash is its snp_baseline, MetadataItems are its sections, ResetEIP its reset_vector",
)
_JSON_START = 4096
"""Bytes in which the metadata's names are searched."""

_ELF_MACHINES = {3: "32-bit x86", 40: "32-bit Arm", 62: "x86-64", 183: "Arm", 243: "RISC-V", 258: "LoongArch"}
_TAR = Foreign("a tar archive", "tar -xf FILE")
_VDI = Foreign("a VDI disk image", _CONVERT)
_GIVE_OVMF = "give the OVMF image of x86-64, OVMF.fd or OVMF_CODE.fd"
_KERNEL = Foreign("a Linux kernel", "a kernel is given with --kernel; " + _GIVE_OVMF)
_VARS = Foreign("a variable store (VARS)", "it is not measured; give the CODE or combined file")
_TDVF = Foreign("firmware for TDX alone", "it has no launch digest under SEV; " + _GIVE_OVMF)

_TDVF_POINTER = 0x20
"""Bytes from the end at which TDVF and TD-Shim say where their metadata are, as a u32 offset into the file."""


def foreign_format(data: bytes) -> Foreign | None:
    """The format of a file by its signature, or None. A file of such a format is never an image."""
    for magic, foreign in _BY_MAGIC:
        if data.startswith(magic):
            return foreign
    start = data[:_JSON_START].lstrip()
    if start.startswith(b"{") and b'"MetadataItems"' in start:
        return _GO_METADATA
    if data[-512:].startswith(b"conectix"):  # of fixed size: a raw image with a footer
        return _VHD
    if data[257:262] == b"ustar":
        return _TAR
    if data[0x40:0x44] == b"\x7f\x10\xda\xbe":
        return _VDI
    if data.startswith(b"\x7fELF"):
        machine = int.from_bytes(data[18:20], "big" if data[5:6] == b"\2" else "little")
        return Foreign(f"an ELF file for {_ELF_MACHINES.get(machine, 'another machine')}", _GIVE_OVMF)
    if data[0x202:0x206] == b"HdrS":
        return _KERNEL
    return Foreign("a PE file", _GIVE_OVMF) if data.startswith(b"MZ") else None


def foreign_firmware(data: bytes) -> Foreign | None:
    """What a file without GUID table is, if its volumes tell; None if they do not, or if it may be x86-64 firmware."""
    machine = machine_of(data)
    if machine not in (None, X86_64):
        return Foreign(f"firmware for {machine_name(machine)}", _GIVE_OVMF)
    volume: Volume | None = first_volume(data)
    if volume and volume.filesystem == VARIABLE_STORE and volume.end >= len(data.rstrip(b"\0\xff")):
        return _VARS
    pointer = int.from_bytes(data[-_TDVF_POINTER:][:4], "little")
    return _TDVF if data[pointer : pointer + 4] == b"TDVF" else None
