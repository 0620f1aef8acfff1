"""Documents without a signature that break their format: each is refused with the path of what is wrong."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.imports.documents import Given, read_document
from tests.support import published_documents as made
from tests.support.published_documents import DIGEST, GIVEN, NOW


def items(**changes: Any) -> list[dict[str, Any]]:
    return [{"GPA": "0x800000", "SectionTypeInt": 1, "Size": "0x1000"} | changes]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"OVMFHash": DIGEST[:-2]}, r"\$.OVMFHash: '5a5a"),
        ({"OVMFHash": DIGEST.upper()}, "is not 96 lowercase hex digits"),
        ({"OVMFHash": 7}, r"expected `str`, got `int` - at `\$.OVMFHash`"),
        ({"Extra": 7}, "unknown field `Extra`"),
        ({"MetadataItems": []}, "MetadataItems: 0 entries"),
        ({"MetadataItems": items() * 65}, "65 sections are more than 64"),
        ({"MetadataItems": items() * 20_000}, "20000 entries, not 1 to 16384"),
        ({"MetadataItems": items(GPA="800000")}, r"MetadataItems\[0\].GPA: '800000' is not 0x"),
        ({"MetadataItems": items(Size="0x0000000001")}, r"MetadataItems\[0\].Size"),
        ({"MetadataItems": items(SectionTypeInt=-1)}, "SectionTypeInt"),
        ({"ResetEIP": "0x1ffffffff"}, r"\$.ResetEIP"),
        ({"ResetEIP": 1 << 32}, r"\$.ResetEIP"),
        ({"ResetEIP": 1.5}, r"\$.ResetEIP"),
        ({"ResetEIP": True}, r"\$.ResetEIP"),
    ],
)
def test_go_metadata(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(made.go_metadata(**changes), GIVEN)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (made.dstack(version=4), "version: 4 is not 3"),
        (made.dstack(initrd_hash=None), "missing required field `initrd_hash`"),
        (made.dstack(more=1), "unknown field `more`"),
        (made.dstack(kernel_hash="11" * 32), "expected `bytes`, got `str`"),
        (made.dstack(kernel_hash=b"\x11" * 31), "kernel_sha256: 31 bytes are not 32"),
        (made.dstack(cmdline="a\0b"), "cannot hold a NUL"),
        (made.dstack(reset_eip=1 << 32), "reset_eip"),
        (made.dstack(ovmf_sections=[]), "ovmf_sections: 0 entries"),
        (made.dstack() + b"\0", "1 bytes follow the end"),
        (made.dstack_tdx(version=4), "measurement.tdx.cbor: .*version: 4 is not 3"),
        (made.dstack_tdx(more=1), "unknown field `more`"),
        (made.dstack_tdx(tdvf={"ovmf": "pre202505", "mrtd": {}, "td_hob": b"single_pass"}), "missing required field"),
        (
            made.dstack_tdx(tdvf={"ovmf": "a", "mrtd": {"single_pass": b"1", "two_pass": b"2"}, "td_hob": b""}),
            "launch digest of tdx: 1 bytes are not 48",
        ),
        (made.dstack_attached(listed=b"\xff"), "checksum file: not UTF-8"),
        (made.dstack_attached(listed=b"x  y\n"), "line 1 is not a SHA-256 and a file name"),
        (made.dstack_attached(listed=made.checksums(b"", "other")), "names measurement.snp.cbor 0 times, not once"),
        (made.dstack_attached(listed=2 * made.checksums(made.dstack())), "2 times, not once"),
        (made.dstack_attached(measurement=b"\xa0"), "missing required field"),
        (made.dstack_attached(checksum_file="!"), "checksum_file: '!' is not base64"),
        (made.dstack_attached(checksum_file="QQ"), "is not base64"),
        (made.dstack_attached(checksum_file="QR=="), "not in the form that an encoder writes"),
        (made.dstack_attached(checksum_file="\u00e9"), "is not base64"),
        (made.dstack_attached(vcpus=-1), "vcpus"),
    ],
)
def test_dstack(data: bytes, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(data, GIVEN)


def test_a_checksum_file_that_names_other_bytes_is_refused() -> None:
    what = Given(NOW, checksums=made.checksums(made.dstack()))
    assert read_document(made.dstack(), what).notes[0].startswith("named by the checksum file")
    with pytest.raises(VerificationFailed, match=r"it names other bytes as measurement\.snp\.cbor"):
        read_document(made.dstack(cmdline="other"), what)
    with pytest.raises(VerificationFailed, match="it names other bytes"):
        read_document(made.dstack_attached(listed=made.checksums(b"other")), GIVEN)


def test_a_checksum_file_that_is_not_used_is_noted() -> None:
    what = Given(NOW, checksums=made.checksums(b""))
    assert read_document(made.go_metadata(), what).notes == ("the checksum file is not used: it is dstack's",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([made.secretvm_row(rootfs_hash="33")], r"\$\[0\].rootfs_hash"),
        ([made.secretvm_row(kernel_hash="1" * 63 + "A")], "is not 64 lowercase hex digits"),
        ([made.secretvm_row(), made.secretvm_row(initrd_hash="44" * 32)], "two rows that differ"),
        ([made.secretvm_row(), made.secretvm_row(sev_es_reset_eip=1)], "different sections or addresses"),
        ([made.secretvm_row(ovmf_sections=[])], r"\$\[0\].ovmf_sections: 0 entries"),
        ([made.secretvm_row(), 7], r"expected `object`, got `int` - at `\$\[1\]`"),
        ([made.secretvm_row(secret=1)], "unknown field `secret`"),
    ],
)
def test_secretvm(rows: list[Any], message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(made.as_json(rows), GIVEN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version: 2 is not 3"),
        ({"version": "3"}, "expected `int`, got `str`"),
        ({"snp_variants": []}, "snp_variants: 0 entries"),
        ({"snp_variants": [made.c8s_variant(1, DIGEST)] * 2}, "one smp is there twice"),
        ({"snp_variants": [made.c8s_variant(0, DIGEST)]}, "cannot have 0 vCPUs"),
        ({"snp_variants": [made.c8s_variant(1, DIGEST[2:])]}, "snp_launch_digest"),
        ({"snp_variants": [made.c8s_variant(1, DIGEST, algorithm="sha256")]}, "'sha256' is not 'sha384'"),
        ({"snp_variants": [made.c8s_variant(2, DIGEST, vmsa_count=1)]}, "1 VMSAs are measured for 2 vCPUs"),
        ({"inputs": {"firmware": {"sha256": "x"}}}, r"\$.inputs.firmware.sha256"),
        ({"build": {"timestamp": "yesterday"}}, "'yesterday' is not YYYY-MM-DDTHH:MM:SSZ"),
    ],
)
def test_c8s(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(made.as_json(made.c8s(**changes)), GIVEN)


def test_a_manifest_without_a_time_has_none() -> None:
    assert read_document(made.as_json(made.c8s(build={})), GIVEN).document_time is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (made.rvps_message({"snp_launch_measurement": [DIGEST]}, version="0.2.0"), "'0.2.0' is not '0.1.0'"),
        (made.rvps_message({"snp_launch_measurement": [DIGEST]}, type="in-toto"), "'in-toto' is not 'sample'"),
        (made.rvps_message({"snp_launch_measurement": [DIGEST]}, more=1), "unknown field `more`"),
        (made.rvps_message({"snp_launch_measurement": []}), "0 entries"),
        (made.rvps_message({"snp_launch_measurement": [DIGEST] * 2}), "one digest is there twice"),
        (made.rvps_message({"snp_launch_measurement": [7]}), "expected `str`, got `int`"),
        (made.rvps_message({"snp_launch_measurement": [DIGEST[:64]]}), r"\$\[0\]: '5a"),
        (made.rvps_message({"snp_bootloader": 7}), "launch digests: 0 entries"),
        (made.rvps_message([DIGEST]), "payload: expected `object`, got `array`"),
        (made.rvps_message({}, payload=base64.b64encode(b'{"a":1,"a":2}').decode()), "'a' is there twice"),
        (made.rvps_file(key="other"), "the value inside is named 'snp_launch_measurement'"),
        (made.rvps_file(version="9"), "version: '9'"),
        (made.rvps_file(expiration="soon"), "expiration: 'soon'"),
        (made.rvps_file(value=7), "expected `array`, got `int`"),
        (made.as_json({"a": "eyJ9"}), "a: "),
        (made.as_json({f"a{number}": "ey" for number in range(257)}), "257 entries, not 1 to 256"),
    ],
)
def test_rvps(data: bytes, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(data, GIVEN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TrustedMeasurement": ""}, "TrustedMeasurement: '' is not 96"),
        ({"ProductName": "a b"}, "ProductName: 'a b' is no name"),
        ({"ProductName": 7}, "expected `str"),
        ({"APEIP": "0x80b004"}, "APEIP: '0x80b004' is not 8 lowercase hex digits"),
        ({"CPUs": 5000}, "cannot have 5000 vCPUs"),
        ({"GuestPolicy": {"Unknown": True}}, "GuestPolicy: 'Unknown' is no part of a policy"),
        ({"GuestPolicy": {"SMT": 1}}, "'SMT' is no part of a policy, or not with this value"),
        ({"GuestPolicy": {"ABIMinor": 256}}, "'ABIMinor'"),
    ],
)
def test_contrast(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(made.contrast_manifest(made.contrast_value(**changes)), GIVEN)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"snp": []}, "reference values: 0 entries"),
        ({"tdx": [{"MrSeam": "00"}]}, r"\$.tdx\[0\]: object missing required field `MrTd`"),
        ({"tdx": [made.contrast_mrtd(MrTd="AB" * 48)]}, r"\$.tdx\[0\].MrTd: "),
        ({"tdx": [made.contrast_mrtd(MrTd="ab" * 47)]}, r"\$.tdx\[0\].MrTd: "),
        ([[{"op": "remove", "path": "/CPUs", "value": 1}]], r"\$\[0\]\[0\].op: 'remove' is none of"),
        ([[{"op": "test", "path": "/CPUs"}]], "missing required field `value`"),
        ([[{"op": "test", "path": "/CPUs", "value": 1}]], "missing required field `TrustedMeasurement`"),
        ([[{"op": "test", "path": "/CPUs", "value": 1}], 7], r"\$\[1\]: expected `array`, got `int`"),
    ],
)
def test_contrast_documents(document: Any, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        read_document(made.as_json(document), GIVEN)
