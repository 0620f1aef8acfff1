"""dstack's measurement.snp.cbor and measurement.tdx.cbor, bare or with a checksum file in the JSON of an attestation.

The file is bound to an image by the image's sha256sum.txt, which has to name it once, with its SHA-256. That of TDX has
two MRTDs, for each way in which QEMU adds pages; what it says of RTMRs is left out.
Source: Dstack-TEE/dstack, dstack-types/src/lib.rs (SevOsImageMeasurement, TdxOsImageMeasurement,
verify_measurement_material).
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.firmware.metadata import Area, Section
from catalog.imports import cbor
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count, unbase64
from catalog.wire import U32, Wire

NAME = "dstack"
FILE_NAME, TDX_FILE_NAME = "measurement.snp.cbor", "measurement.tdx.cbor"
VERSION = 3

_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")


class SectionItem(Wire, frozen=True):
    """A SEV metadata section."""

    gpa: U32
    size: U32
    type: U32


class Measurement(Wire, frozen=True):
    """The CBOR map. Hashes are bytes."""

    version: int
    cmdline: str
    ovmf_hash: bytes
    kernel_hash: bytes
    initrd_hash: bytes
    hashes_table_gpa: U32
    reset_eip: U32
    ovmf_sections: list[SectionItem]


class MrtdItem(Wire, frozen=True):
    """MRTDs, by whether QEMU measures a page when it is added, or all pages of a section after they are added."""

    single_pass: bytes
    two_pass: bytes


class TdvfItem(Wire, frozen=True):
    """What is measured of the firmware. ovmf: the order of its events; td_hob: of which the TD HOB is made."""

    ovmf: str
    mrtd: MrtdItem
    td_hob: bytes


class TdxMeasurement(Wire, frozen=True):
    """The CBOR map of the file for TDX. image: hashes that RTMRs follow from."""

    version: int
    image: dict[str, bytes]
    tdvf: TdvfItem


class Attached(Wire, frozen=True):
    """The JSON document: both files in base64, and how one guest was launched with them."""

    checksum_file: str
    measurement: str
    vcpus: U32 | None = None
    vcpu_type: str | None = None
    guest_features: int = msgspec.field(default=1)


def recognizes(document: Document) -> bool:
    """Whether it is a CBOR map with `ovmf_hash` or `tdvf`, or an object with `checksum_file` and `measurement`."""
    if document.data[:1] and 0xA0 <= document.data[0] < 0xBC:
        data = document.data
        return (b"ovmf_hash" in data and b"kernel_hash" in data) or (b"tdvf" in data and b"single_pass" in data)
    return isinstance(document.json, dict) and {"checksum_file", "measurement"} <= set(document.json)


def parse(document: Document, given: Given) -> Imported:
    """The facts; raises MalformedRecord, and VerificationFailed if a checksum file names other bytes."""
    if document.json is None:
        return _imported(document, document.data, given.checksums, ())
    wire = as_record(document.json, Attached, NAME)
    checksums = unbase64(wire.checksum_file, f"{NAME}: $.checksum_file")
    kind = wire.vcpu_type or "a type that is not said"
    launch = f"launched with {wire.vcpus} vCPUs, {kind}, sev_features {wire.guest_features:#x}"
    notes = () if wire.vcpus is None else (launch,)
    return _imported(document, unbase64(wire.measurement, f"{NAME}: $.measurement"), checksums, notes)


def _imported(document: Document, measurement: bytes, checksums: bytes | None, notes: tuple[str, ...]) -> Imported:
    is_tdx = b"ovmf_hash" not in measurement and b"single_pass" in measurement
    name = TDX_FILE_NAME if is_tdx else FILE_NAME
    what = f"{NAME}: {name}"
    if checksums is None:
        notes += ("not compared with a checksum file: none is given",)
    else:
        image = _check_listed(measurement, checksums, name)
        notes += (f"named by the checksum file of image {image.hex()}",)
    value = cbor.decode(measurement, what)
    if is_tdx:
        return _imported_tdx(document, as_record(value, TdxMeasurement, what), what, notes)
    wire = as_record(value, Measurement, what)
    if wire.version != VERSION:
        raise MalformedRecord(f"{what}: $.version: {wire.version} is not {VERSION}")
    check_count(len(wire.ovmf_sections), f"{what}: $.ovmf_sections")
    firmware = FirmwareFacts(
        snp_baseline=wire.ovmf_hash,
        sections=tuple(Section(item.gpa, item.size, item.type) for item in wire.ovmf_sections),
        reset_vector=wire.reset_eip,
        hashes_area=Area(wire.hashes_table_gpa, None),
    )
    kernel = KernelFacts(wire.kernel_hash, initrd_sha256=wire.initrd_hash, append=wire.cmdline)
    return Imported(NAME, document.sha256, firmware=(firmware,), kernels=(kernel,), notes=notes)


def _imported_tdx(document: Document, wire: TdxMeasurement, what: str, notes: tuple[str, ...]) -> Imported:
    if wire.version != VERSION:
        raise MalformedRecord(f"{what}: $.version: {wire.version} is not {VERSION}")
    ways = {"one pass": wire.tdvf.mrtd.single_pass, "two passes": wire.tdvf.mrtd.two_pass}
    endorsed = [EndorsedDigest(mrtd, "tdx", Endorser(NAME)) for mrtd in dict.fromkeys(ways.values())]
    said = (f"the MRTD of QEMU with {way} is {mrtd.hex()[:16]}..." for way, mrtd in ways.items())
    return Imported(NAME, document.sha256, endorsed=tuple(endorsed), notes=(*notes, *said))


def _check_listed(measurement: bytes, checksums: bytes, name: str) -> bytes:
    """SHA-256 of the checksum file, which identifies the image; raises VerificationFailed unless it names the bytes."""
    what = f"{NAME}: checksum file"
    try:
        lines = [line for line in checksums.decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise MalformedRecord(f"{what}: not UTF-8 text") from error
    named = []
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if not match:
            raise MalformedRecord(f"{what}: line {number} is not a SHA-256 and a file name")
        if match.group(2) == name:
            named.append(match.group(1))
    if len(named) != 1:
        raise MalformedRecord(f"{what}: it names {name} {len(named)} times, not once")
    if named[0] != hashlib.sha256(measurement).hexdigest():
        raise VerificationFailed(f"{what}: it names other bytes as {name}")
    return hashlib.sha256(checksums).digest()


FORM = Form(NAME, "dstack measurement.snp.cbor or .tdx.cbor", recognizes, parse, has_checksums=True)
