"""What a report has that ldcat does not know: the digest is read, a note says what is unknown, the signature counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.report import HOST_REQUESTED, AttestationReport
from catalog.abi.tcb import UnknownTcb
from tests.support.attestation_builder import chain, report_bytes, signed
from tests.support.endorsements import failed, findings_of, judged

DIGEST = LaunchDigest(bytes(range(48)))
TURIN_TCB = bytes([1, 2, 3, 4, 0, 0, 0, 5])
AFTER_SIGNATURE = (0x330, 0x4A0)
LAYOUT = "the layout of the report's TCB versions is not known to this version"
OF_OTHER = "; it is that of another product ({}), so a tool may have rewritten the report"

RESERVED = {
    2: [(0x4C, 0x50), (0x188, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0), AFTER_SIGNATURE],
    3: [(0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0), AFTER_SIGNATURE],
    5: [(0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x208, 0x2A0), AFTER_SIGNATURE],
}
"""Reserved bytes of each version outside of the other fields (SEV-SNP ABI 56860, 7.3)."""

UNKNOWN_BITS = [
    *(("policy-bit-unknown", 0x08, bit) for bit in range(26, 64)),
    *(("policy-bit-unknown", 0x08, bit) for bit in (17,)),
    *(("platform-bit-unknown", 0x40, bit) for bit in range(8, 64)),
    *(("key-info-unknown", 0x48, bit) for bit in (3, *range(5, 32))),
    *(("vmpl-unknown", 0x30, bit) for bit in range(2, 32)),
    *(("tcb-layout-unknown", at, bit) for at in (0x38, 0x180, 0x1E0, 0x1F0) for bit in range(16, 48)),
]
"""Code of the note, field and number of every bit that is unknown inside of a field."""


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[at + bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def unknown_bits(version: int, *, every: bool = True) -> Iterator[tuple[str, bytes]]:
    """A report for each single unknown bit of a version, with the code of its note.

    every: of reserved bytes, too; else one of each byte.
    """
    raw = report_bytes(version=version, measurement=DIGEST.value)
    for code, at, bit in UNKNOWN_BITS:
        yield code, flipped(raw, at, bit)
    for at in reserved_bytes(version):
        for bit in range(8) if every else [at % 8]:
            yield "reserved-not-zero", flipped(raw, at, bit)


def reserved_bytes(version: int) -> Iterator[int]:
    """Offsets of the reserved bytes of a version outside of the other fields."""
    for start, end in RESERVED[version]:
        yield from range(start, end)


def notes_on(raw: bytes) -> list[tuple[str, str]]:
    return [(note.code, note.text) for note in AttestationReport.parse(raw).unknown]


@pytest.mark.no_cover
@pytest.mark.parametrize("version", [2, 3, 5])
def test_each_single_unknown_bit_is_one_note(version: int) -> None:
    for code, raw in unknown_bits(version):
        report = AttestationReport.parse(raw)
        assert report.measurement == DIGEST
        assert [note.code for note in report.unknown] == [code]


@pytest.mark.no_cover
@pytest.mark.parametrize("version", [2, 3, 5])
def test_an_unknown_bit_does_not_disturb_verification(version: int) -> None:
    """Every bit of a field, one of each reserved byte. An unknown signing key or TCB is not verified."""
    made, whole = chain(), signed(report_bytes(version=version, measurement=DIGEST.value))
    for code, raw in unknown_bits(version, every=False):
        if raw[slice(*AFTER_SIGNATURE)] != bytes(0x170):
            continue
        found = judged(signed(raw), made)
        if code == "tcb-layout-unknown":
            assert failed(found) == ["tcb"]
        elif AttestationReport.parse(raw).signing_key != "VCEK":
            assert failed(found) == ["signature"]
        else:
            assert found.verified, (code, raw.hex())
    for at in range(*AFTER_SIGNATURE, 7):
        assert judged(flipped(whole, at, at % 8), made).verified


def test_an_unknown_bit_of_a_report_of_turin_does_not_disturb_verification() -> None:
    """Its reserved bytes of a TCB version are others, and its chip id has 8 bytes."""
    chip = bytes(range(1, 9))
    parts = dict(zip(("fmc", "bootloader", "tee", "snp", "microcode"), range(1, 6), strict=True))
    made = chain(product="Turin", chip=chip, tcb=parts)
    raw = report_bytes(version=5, cpuid=(0x1A, 2, 1), tcb=TURIN_TCB, chip=chip + bytes(56))
    assert judged(signed(raw), made).verified
    in_fields = [(code, at, bit) for code, at, bit in UNKNOWN_BITS if code != "tcb-layout-unknown"]
    in_fields += [("tcb-layout-unknown", at, bit) for at in (0x38, 0x180, 0x1E0, 0x1F0) for bit in range(32, 56)]
    reserved = [("reserved-not-zero", at, at % 8) for at in reserved_bytes(5) if at < AFTER_SIGNATURE[0]]
    for code, at, bit in (*in_fields, *reserved):
        changed = flipped(raw, at, bit)
        assert [one for one, _ in notes_on(changed)] == [code]
        if AttestationReport.parse(changed).signing_key == "VCEK":
            assert failed(judged(signed(changed), made)) == (["tcb"] if code == "tcb-layout-unknown" else [])


@pytest.mark.parametrize("version", [2, 3, 5])
def test_a_known_report_has_no_notes(version: int) -> None:
    assert notes_on(report_bytes(version=version, platform_info=0xFF, policy=0x3FFFFFF, key_info=0b11)) == []
    for vmpl in (0, 3, HOST_REQUESTED):
        assert notes_on(report_bytes(version=version, vmpl=vmpl)) == []


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        (
            {"version": 6},
            "report-version-unknown",
            "report version 6 is not known to this version: it is read as version 5",
        ),
        ({"policy": 0x10000}, "policy-bit-unknown", "policy bit 17 is not set, though reserved as set"),
        (
            {"policy": 1 << 63},
            "policy-bit-unknown",
            "policy bit 17 is not set, though reserved as set; policy bit 63 is not known to this version",
        ),
        ({"policy": 7 << 25 | 0x30000}, "policy-bit-unknown", "policy bits 26, 27 are not known to this version"),
        ({"platform_info": 0x165}, "platform-bit-unknown", "platform_info bit 8 is not known to this version"),
        ({"key_info": 1 << 31}, "key-info-unknown", "key_info bit 31 is not known to this version"),
        ({"key_info": 6 << 2}, "key-info-unknown", "signing key 6 is not known to this version"),
        ({"vmpl": 4}, "vmpl-unknown", "VMPL 4 is not known to this version, which knows 0 to 3"),
        (
            {"cpuid": (0x19, 0x50, 1)},
            "product-unknown",
            "processor family 0x19, model 0x50 is not known to this version",
        ),
    ],
)
def test_a_note_says_what_is_unknown(changes: dict[str, Any], code: str, text: str) -> None:
    assert notes_on(report_bytes(**changes)) == [(code, text)]


def test_the_json_keeps_unknown_bits() -> None:
    found = AttestationReport.parse(
        report_bytes(policy=1 << 40 | 0x30000, platform_info=1 << 8, key_info=1 << 6)
    ).to_dict()
    assert (found["policy"]["value"], found["policy"]["unknown_bits"]) == ("0x10000030000", [40])
    assert found["platform_info"]["unknown_bits"] == [8]
    assert (found["key_info_unknown_bits"], found["signing_key"]) == ([6], "VCEK")


@pytest.mark.parametrize(
    ("version", "at", "text"),
    [
        (2, 0x188, "reserved bytes 0x188 to 0x19f are not zero"),
        (3, 0x1F8, "reserved bytes 0x1f8 to 0x29f are not zero"),
        (5, 0x29F, "reserved bytes 0x208 to 0x29f are not zero"),
        (9, 0x18B, "reserved bytes 0x18b to 0x19f are not zero"),
        (3, 0x1EB, "reserved byte 0x1eb is not zero"),
        (
            3,
            0x330,
            "reserved bytes 0x330 to 0x49f are not zero; they follow the signature, which does not cover them",
        ),
    ],
)
def test_a_reserved_range_is_named(version: int, at: int, text: str) -> None:
    assert ("reserved-not-zero", text) in notes_on(flipped(report_bytes(version=version), at, 0))


@pytest.mark.parametrize("algorithm", [0, 2])
def test_an_unknown_signature_algorithm_is_never_verified(algorithm: int) -> None:
    raw = bytearray(report_bytes())
    raw[0x34] = algorithm
    text = f"signature algorithm {algorithm} is not known to this version"
    assert notes_on(bytes(raw)) == [("signature-algorithm-unknown", f"{text}, so the signature cannot be verified")]
    found = judged(signed(bytes(raw)), chain())
    assert failed(found) == ["signature"]
    assert findings_of(found, "signature")[0].text == text
    raw[0x48] = 7 << 2
    assert notes_on(bytes(raw)) == []  # it says that it is not signed


def test_an_unknown_signing_key_is_never_verified() -> None:
    report = report_bytes(key_info=2 << 2)
    assert AttestationReport.parse(report).signing_key == "unknown (2)"
    (finding,) = judged(signed(report), chain()).findings
    assert (finding.passed, finding.text) == (
        False,
        "the report is signed by a key that is not known to this version",
    )


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"tcb": TURIN_TCB}, OF_OTHER.format("Turin")),
        ({"version": 2, "tcb": TURIN_TCB}, OF_OTHER.format("Turin")),
        ({"cpuid": (0x1A, 2, 1)}, OF_OTHER.format("Milan and Genoa")),
        ({"cpuid": (0x1A, 0x50, 1), "tcb": TURIN_TCB}, OF_OTHER.format("Turin")),
        ({"tcb": bytes([0, 0, 1, 0, 0, 0, 0, 0])}, OF_OTHER.format("Turin, Venice")),
        ({"tcb": bytes(range(1, 9))}, ""),
    ],
)
def test_a_tcb_in_another_layout(changes: dict[str, Any], hint: str) -> None:
    raw = report_bytes(**changes)
    report = AttestationReport.parse(raw)
    assert notes_on(raw) == [("tcb-layout-unknown", LAYOUT + hint)]
    assert not report.tcb_known
    assert report.reported_tcb == UnknownTcb(raw[0x180:0x188])
    assert str(report.launch_tcb) == f"{raw[0x1F0:0x1F8].hex()} (unknown layout)"
    assert report.to_dict()["committed_tcb"] == {"raw": raw[0x1E0:0x1E8].hex()}


@pytest.mark.parametrize(("family", "model"), [(0x1B, 0), (0x1A, 0x4F), (0, 0)])
def test_an_unknown_product_of_another_family_has_an_unknown_layout(family: int, model: int) -> None:
    """Its TCB may be in any of the known layouts, or in another."""
    raw = report_bytes(cpuid=(family, model, 0), tcb=bytes(8))
    assert notes_on(raw) == [
        ("product-unknown", f"processor family {family:#x}, model {model:#x} is not known to this version"),
        ("tcb-layout-unknown", LAYOUT),
    ]
    (finding,) = findings_of(judged(signed(raw), chain()), "tcb")
    assert finding.text == "reported 0000000000000000, in a layout that is not known to this version"
