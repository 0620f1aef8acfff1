"""Every input parser as a function of bytes, with seeds that it accepts; it may raise only LdcatError."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy, SnpPolicy
from catalog.abi.id_auth import IdAuth
from catalog.abi.report import AttestationReport
from catalog.abi.report_json import parse_report_json
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import parse_request
from catalog.ask.vmsa_pages import SaveArea
from catalog.build.index_writer import IndexHead, IndexWriter, choose_keying
from catalog.endorse.certificates import parse_certificates, parse_revocation_lists
from catalog.endorse.endorsement import verify_report
from catalog.endorse.id_signatures import check_id_signatures
from catalog.endorse.report_checks import id_key_digest
from catalog.errors import LdcatError, MalformedInput, Unreadable
from catalog.evidence.several_digests import read_batch
from catalog.evidence.sniff import sniff
from catalog.fast import manifest_lines
from catalog.fast.index import Group, Index
from catalog.fast.names import WITH_BASES, FalseNames, Names, pack_names
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.files import inputs
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import KernelRecord
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.numbers import parse_counts, parse_number
from catalog.spec import embedded
from catalog.spec.catalog_spec import load_spec
from catalog.store import manifest
from tests.fuzz.container_targets import CONTAINER_TARGETS
from tests.fuzz.event_log_targets import EVENT_LOG_TARGETS
from tests.fuzz.igvm_targets import IGVM_TARGETS
from tests.fuzz.import_targets import IMPORT_TARGETS
from tests.fuzz.log_targets import LOG_TARGETS
from tests.fuzz.target import Target
from tests.fuzz.td_targets import TD_TARGETS
from tests.fuzz.tdvf_targets import TDVF_TARGETS
from tests.support import evidence_forms
from tests.support.attestation_builder import NOW, certificate_table, chain, report_bytes, signed
from tests.support.certificate_builder import leaf_key, pem, revocation_list
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf, packed_volume
from tests.support.id_blocks import id_auth
from tests.support.module_builder import volume_with_version
from tests.support.report_json import as_json
from tests.support.samples import ONE_ROW, SMALL, whole_image

REPORT = signed(report_bytes())
CHAIN = chain()
BLOB = base64.b64encode(bytes(48))
HEX = "5f" * 32
VCEK, ASK, ARK = (bytes.fromhex(guid) for guid in ("63da758de6644564adc5f4b93be8accd",
    "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"))  # fmt: skip
LINE = {"technology": "sev-snp", "firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd", "vmm": "qemu-kvm-init2", "vcpus": 2}
DEFINED = f"""
name = "defined"
[firmware]
builds = ["sid/*amd*"]
[kernel_hashes]
tables = ["none", "mine"]
[[kernel_hashes.define]]
name = "mine"
kernel_sha256 = "{HEX}"
append = "quiet"
"""
TOGETHER = """
[[together]]
when = { vmm = ["ec2*"], firmware = ["*"], vcpu_signatures = ["EPYC-Milan"] }
only = { vcpus = ["1-2"], sev_features = [1] }
"""


def _evidence(data: bytes) -> None:
    with suppress(LdcatError):
        LaunchDigest.parse(_text(data))
    with suppress(LdcatError):
        sniff(data, with_tik=True)
    sniff(data)


def _batch(data: bytes) -> None:
    if not read_batch(data):
        sniff(data)


def _report_json(data: bytes) -> object:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedInput("no JSON") from error
    if not isinstance(fields, dict):
        raise MalformedInput("no object")
    return parse_report_json(fields).to_dict()


def _endorsement(data: bytes) -> None:
    verify_report(AttestationReport.parse(REPORT), parse_certificates(data), NOW)


def _signed_report(data: bytes) -> None:
    """A report that is verified, whatever it has that is unknown."""
    verify_report(AttestationReport.parse(data), CHAIN.all, NOW, [CHAIN.ark])


def _policy(data: bytes) -> object:
    value = int.from_bytes(data, "little")
    return (SevPolicy if len(data) < 6 else SnpPolicy).parse(value).to_dict()


def _image(data: bytes) -> object:
    """Padded to whole pages; otherwise, most mutations would be refused for their length."""
    return FirmwareComponent.from_image(OvmfImage.parse(bytes(-len(data) % 4096) + data))


def _spec(data: bytes) -> None:
    with _no_files(), mock.patch.object(inputs, "read_text", return_value=_text(data)):
        load_spec(Path("spec.toml"))


def _line(data: bytes) -> None:
    with suppress(LdcatError):
        parse_request(data)
    try:
        with _no_files():
            answer = Workbench().measure_line(data)
    except LdcatError as error:
        raise AssertionError("measure_line raises nothing") from error
    json.dumps(answer)
    if "error" in answer:  # as a refusal, like those of the others
        raise MalformedInput(answer["error"])


def _numbers(data: bytes) -> None:
    values = _text(data).split()
    for value in values:
        with suppress(LdcatError):
            parse_number(value)
    parse_counts(values)


def _of_the_quick_way(parse: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """On the fast path a damaged block is not yet an error: the full path is taken."""

    def parsed(data: bytes) -> None:
        try:
            parse(data)
        except DamagedBlock as error:
            raise MalformedInput(str(error)) from error

    return parsed


@_of_the_quick_way
def _manifest_lines(data: bytes) -> None:
    for name in manifest_lines.listed_technologies(data):
        manifest_lines.listed_file(data, f"{name}/{manifest.INDEX}")


@_of_the_quick_way
def _index(data: bytes) -> None:
    index = Index(VerifiedBytes(data), lambda _part, _offset, size: bytes(min(size, 64)))
    index.layout()
    groups = list(itertools.islice(index.groups(), 8))
    for digest in (bytes(32), b"\xff" * 48):
        for ordinal in index.find(digest):
            index.group_of(ordinal).at(ordinal)
    for group in groups:
        group.at(group.first)
    list(itertools.islice(index.pages(), 8))


@_of_the_quick_way
def _names(data: bytes) -> None:
    names = Names(VerifiedBytes(data))
    for kind in range(len(names.counts)):
        for record in range(min(names.counts[kind], 4)):
            names.record(kind, record)
    readers: tuple[Callable[[int], object], ...] = (
        names.identity,
        lambda number: list(names.builds(number, "sev")),
        lambda number: names.kernels(number, hashlib.sha256),
        lambda number: list(names.bases(number)),
        names.vcpu_types,
    )
    for read, number in itertools.product(readers, range(4)):
        with suppress(DamagedBlock, FalseNames, ValueError, LookupError):
            read(number)


def _name_files() -> list[bytes]:
    image = ["ab" * 32, "1", "sev", "a.fd", None, None, "no", None, "cd" * 48, None, *[None] * 6, "yes", "", ""]
    base = ["ef" * 48, "base", "1", "contrast", None, None, "7"]
    return [
        pack_names([[["a", None]], [["b"], []], [["c", "d"]], []]),
        pack_names([[image], [["01" * 32]], [["c", "d"]], [["1", "EPYC"]], [base]], WITH_BASES),
    ]


@contextmanager
def _no_files() -> Iterator[None]:
    """Files named by an input do not exist: a fuzzer reads no files of the machine."""
    refused = mock.Mock(side_effect=Unreadable("not read"))
    there = mock.patch.multiple(inputs, read_start=refused, hash_file=refused, exists=lambda _: False)
    with there, mock.patch("glob.glob", return_value=[]):
        yield


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _id_auth(data: bytes) -> None:
    """What is read is what is written; an algorithm of an author key that there is none of is left out."""
    auth = IdAuth.parse(data)
    assert IdAuth.parse(auth.to_bytes()) == auth
    check_id_signatures(auth, bytes(96))


def _id_auths() -> list[bytes]:
    keys = leaf_key("id"), leaf_key("author")
    return [id_auth(bytes(96), *keys[:count]).to_bytes() for count in (1, 2)]


def _revocation_lists() -> list[bytes]:
    one = revocation_list(serials=[1, 65537])
    return [one, pem(one, "X509 CRL")]


def _public_keys() -> list[bytes]:
    key = leaf_key("id").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [key, pem(key, "PUBLIC KEY")]


def _certificates() -> list[bytes]:
    ders = [certificate.der for certificate in CHAIN.all]
    in_pem = b"".join(pem(certificate.der) for certificate in CHAIN.all)
    return [certificate_table(dict(zip((VCEK, ASK, ARK), ders, strict=True))), ders[0], in_pem]


def _reports() -> list[bytes]:
    turin = report_bytes(version=5, cpuid=(0x1A, 2, 1), tcb=bytes([1, 2, 3, 4, 0, 0, 0, 5]))
    venice = report_bytes(version=6, cpuid=(0x1A, 0x50, 1), tcb=bytes([1, 2, 3, 0, 0, 0, 0, 0]))
    unknown = report_bytes(cpuid=(0x1B, 0, 0), platform_info=1 << 40, policy=1 << 30, key_info=0x7F, vmpl=9)
    return [REPORT, report_bytes(version=2), turin, venice, unknown]


def _reports_in_json() -> list[bytes]:
    forms = ((True, False), (False, True), (False, False))
    return [json.dumps(as_json(REPORT, hexadecimal=hexa, old=old)).encode() for hexa, old in forms]


def _held() -> list[bytes]:
    wrapped = b'{"return": {"data": "%s", "api-major": 1, "api-minor": 40, "build-id": 55, "policy": 7}}' % BLOB
    virsh = b"sev-measurement: %s\nsev-api-major  : 1\nsev-policy     : 7\n" % BLOB
    azure, response = b"HCLA" + bytes(28) + REPORT, bytes(4) + (1184).to_bytes(4, "little") + bytes(24) + REPORT
    known = [HEX.encode(), BLOB, wrapped, virsh, azure, response, *_reports(), *_reports_in_json()]
    return [*known, *evidence_forms.samples().values()]


def _pages() -> list[bytes]:
    page = embedded.profile_named("ec2-2026").vmsa_page(0x80B004, VcpuSignature(0xA00F11), 1, bsp=False)
    odd = page[:0x470] + b"odd" + page[0x473:]
    return [page, page.hex().encode(), *(json.dumps(SaveArea(of).to_dict()).encode() for of in (page, odd))]


def _images() -> list[bytes]:
    old = build_ovmf(pages=1, standalone_reset_block=True)
    with_version = build_ovmf(pages=1, volume=packed_volume(volume_with_version()))
    return [old, build_ovmf(pages=1, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS), with_version, whole_image()]


def _lines() -> list[bytes]:
    sev = {"technology": "sev", "firmware": LINE["firmware"], "kernel_sha256": HEX, "append": "quiet", "id": [{}]}
    named = {"kernel_hashes": "debian-12-cloud-6.1.0-50", "vcpu_type": "EPYC-Milan", "sev_features": "0x21"}
    return [json.dumps(line).encode() for line in (sev, {**LINE, **named}, {**LINE, "vcpu_signature": 0xA00F11})]


def _specs() -> list[bytes]:
    defined = DEFINED + "".join(SMALL.partition("[technologies.sev]")[1:])
    without_files = embedded.default_spec_text().replace('fleets = ["*"]', "fleets = []")
    return [text.encode() for text in (ONE_ROW, defined + TOGETHER, without_files)]


def _manifests() -> list[bytes]:
    file = manifest.FileEntry(sha256=HEX, size=9, rows=3, fsverity=HEX)
    files = {f"sev/{name}": file for name in (manifest.INDEX, "launch_digests.parquet")}
    entry = manifest.TechnologyEntry(digest_size=32, rows=3, parts=1)
    whole = manifest.Manifest(
        format=manifest.FORMAT, name="x", generator="y", technologies={"sev": entry}, files=files, left_out=[]
    )
    return [whole.to_json()]


def _indexes() -> list[bytes]:
    """With digests of zeros, as in entries that were never written."""
    found = []
    for rows, bits in ((2, 0), (4, 2)):
        group = Group(
            first=0, firmware=0, kernel_hashes=None, vmm=0, signatures=(0xA00F11,), features=(1,), counts=(1, 2)
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "index")
            keying = choose_keying(rows, array("Q", [0]), 8, 0)
            head = IndexHead("sev-snp", 48, keying, [group], [rows], distinguished_bits=bits, chain_length=2 * bits)
            IndexWriter(path, head, keying).close()
            found.append(path.read_bytes())
    return found


def _records(folder: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in sorted((embedded.data_folder() / folder).glob("*.toml"))[:3]]


TARGETS = {
    "evidence": Target(_evidence, _held),
    "digest-list": Target(_batch, lambda: [f"{HEX}\n\n0x{HEX}\n".encode(), REPORT]),
    "report": Target(lambda data: AttestationReport.parse(data).to_dict(), _reports),
    "report-json": Target(_report_json, _reports_in_json),
    "certificates": Target(parse_certificates, _certificates),
    "endorsement": Target(_endorsement, _certificates),
    "endorsed-report": Target(_signed_report, _reports),
    "revocation lists": Target(parse_revocation_lists, _revocation_lists),
    "public keys": Target(id_key_digest, _public_keys),
    "id-auth": Target(_id_auth, _id_auths),
    "policy": Target(_policy, lambda: [b"\7\0\0\1", (0x30000).to_bytes(8, "little")]),
    "vmsa": Target(lambda data: SaveArea.parse(data, "vmsa").to_dict(), _pages),
    "firmware": Target(_image, _images),
    "firmware-record": Target(lambda data: FirmwareBuild.parse(_text(data)).to_toml(), _records("firmware")),
    "kernel-record": Target(lambda data: KernelRecord.parse(_text(data)), _records("kernel_hashes")),
    "vmm-profile": Target(lambda data: VmmProfile.parse(_text(data)), _records("vmm")),
    "vcpu-types": Target(lambda data: VcpuTypes.parse(_text(data)), lambda: [embedded.vcpu_types_text().encode()]),
    "spec": Target(_spec, _specs),
    "manifest": Target(manifest.parse_manifest, _manifests),
    "manifest-lines": Target(_manifest_lines, _manifests),
    "index": Target(_index, _indexes),
    "names": Target(_names, _name_files),
    "batch-line": Target(_line, _lines),
    "numbers": Target(_numbers, lambda: [b"1-64 0x7 0b11 4096"]),
    **CONTAINER_TARGETS,
    **IGVM_TARGETS,
    **TD_TARGETS,
    **TDVF_TARGETS,
    **EVENT_LOG_TARGETS,
    **LOG_TARGETS,
    **IMPORT_TARGETS,
}
