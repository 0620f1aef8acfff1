"""Attestation reports: every version, the layouts of TCB versions, guest policies.

What ldcat does not know of a report is in test_report_unknown.py.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omne_attest import vectors

from catalog.abi.guest_policy import SevPolicy, SnpPolicy
from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.abi.tcb import GENOA, MILAN, TURIN, VENICE, Product, TcbVersion, find_product
from catalog.errors import MalformedInput
from tests.support.attestation_builder import CHIP, report_bytes
from tests.support.report_json import BYTES, as_json

TURIN_TCB = bytes([1, 2, 3, 4, 0, 0, 0, 5])


def test_a_real_report() -> None:
    report = AttestationReport.parse(vectors.attestation())
    assert (report.version, report.vmpl, report.signing_key, report.cpuid) == (2, 0, "VCEK", None)
    assert report.policy.debug
    assert report.measurement.hex() == vectors.attestation()[0x90:0xC0].hex()
    assert str(report.reported_tcb) == "bootloader 2, tee 0, snp 5, microcode 68"
    assert str(report.current) == "1.49.3"
    assert json.loads(json.dumps(report.to_dict()))["policy"]["value"] == "0xb0000"


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_version_is_parsed(version: int) -> None:
    raw = bytearray(report_bytes(version=version))
    if version >= 5:
        raw[0x1F8:0x208] = (3).to_bytes(8, "little") + (7).to_bytes(8, "little")
    report = AttestationReport.parse(bytes(raw))
    assert report.cpuid == ((0x19, 1, 1) if version >= 3 else None)
    assert report.product == (MILAN if version >= 3 else None)
    assert (report.launch_mit_vector, report.current_mit_vector) == ((3, 7) if version >= 5 else (None, None))
    assert report.to_dict()["cpuid"] == ({"family": 25, "model": 1, "stepping": 1} if version >= 3 else None)
    assert report.platform_info.smt_enabled
    assert not report.platform_info.tsme_enabled


def test_each_field_is_read_from_its_place() -> None:
    """Reports of random bytes; the table of places is that of the tests."""
    for seed in range(4):
        raw = bytearray(random.Random(seed).randbytes(REPORT_SIZE))
        raw[:4], raw[0x188:0x18B] = (5).to_bytes(4, "little"), bytes([0x1A, 2, 1])
        for at in (0x38, 0x180, 0x1E0, 0x1F0):
            raw[at + 4 : at + 7] = bytes(3)
        report, stated = AttestationReport.parse(bytes(raw)), as_json(bytes(raw), hexadecimal=True, old=False)
        found = report.to_dict()
        same = (*BYTES, "version", "guest_svn", "vmpl", "launch_mit_vector", "current_mit_vector")
        same += ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
        assert {name: found[name] for name in same} == {name: stated[name] for name in same}
        assert found["policy"]["value"] == f"{stated['policy']:#x}"
        assert report.platform_info.value == stated["plat_info"]
        assert report.key_info.value == stated["key_info"]
        assert found["signature_algorithm"] == stated["sig_algo"]
        for name in ("current", "committed"):
            assert found[name] == "{major}.{minor}.{build}".format(**stated[name])
        assert [half.hex() for half in report.signature] == [stated["signature"]["r"], stated["signature"]["s"]]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (1 << 0, "smt_enabled"),
        (1 << 1, "tsme_enabled"),
        (1 << 2, "ecc_enabled"),
        (1 << 3, "rapl_disabled"),
        (1 << 4, "ciphertext_hiding_dram_enabled"),
        (1 << 5, "alias_check_complete"),
        (1 << 6, "iommu_write_safe"),
        (1 << 7, "tio_enabled"),
    ],
)
def test_the_names_of_platform_bits(value: int, named: str) -> None:
    found = AttestationReport.parse(report_bytes(platform_info=value)).to_dict()["platform_info"]
    assert [name for name, bit in found.items() if bit is True] == [named]


@pytest.mark.parametrize(
    ("bit", "named"),
    [
        (16, "smt"),
        (18, "migrate_ma"),
        (19, "debug"),
        (20, "single_socket"),
        (21, "cxl_allow"),
        (22, "mem_aes_256_xts"),
        (23, "rapl_dis"),
        (24, "ciphertext_hiding_dram"),
        (25, "page_swap_disable"),
    ],
)
def test_the_names_of_policy_bits(bit: int, named: str) -> None:
    found = AttestationReport.parse(report_bytes(policy=1 << bit | 1 << 17)).to_dict()["policy"]
    assert [name for name, value in found.items() if value is True] == [named]


@pytest.mark.parametrize(("value", "named"), [(1, "author_key_enabled"), (2, "mask_chip_key")])
def test_the_names_of_key_bits(value: int, named: str) -> None:
    found = AttestationReport.parse(report_bytes(key_info=value)).to_dict()
    assert [found["author_key_enabled"], found["mask_chip_key"]] == [
        named == "author_key_enabled",
        named == "mask_chip_key",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"cpuid": (0x1A, 2, 1)},
        {"version": 2, "chip": CHIP[:8].ljust(64, b"\0")},
    ],
)
def test_turin_reports_pack_the_tcb_differently(changes: dict[str, Any]) -> None:
    report = AttestationReport.parse(report_bytes(tcb=TURIN_TCB, **changes))
    assert report.reported_tcb == TcbVersion(1, 2, 3, 4, 5)
    assert TcbVersion(1, 2, 3, 4, 5).pack() == TURIN_TCB
    assert str(report.launch_tcb).startswith("fmc 1, ")


def test_a_venice_report_has_three_components_in_its_tcb() -> None:
    report = AttestationReport.parse(report_bytes(cpuid=(0x1A, 0x50, 0), tcb=bytes([1, 2, 3, 0, 0, 0, 0, 0])))
    assert report.reported_tcb == TcbVersion(fmc=1, tee=2, snp=3)
    assert TcbVersion(fmc=1, tee=2, snp=3).pack() == report.raw[0x180:0x188]
    assert str(report.reported_tcb) == "fmc 1, tee 2, snp 3"
    assert report.unknown == ()
    with pytest.raises(MalformedInput, match="no TCB version has exactly these components: fmc 1, tee 2"):
        TcbVersion(fmc=1, tee=2).pack()


@pytest.mark.parametrize(
    ("family", "models", "product"),
    [
        (0x19, (0x00, 0x01, 0x0F), MILAN),
        (0x19, (0x10, 0x11, 0x1F, 0xA0, 0xAF), GENOA),
        (0x1A, (0x00, 0x02, 0x11), TURIN),
        (0x1A, (0x50, 0x57, 0x90, 0xAF, 0xC0, 0xC7), VENICE),
        (0x17, (0x01, 0x31), None),
        (0x18, (0x01,), None),
        (0x19, (0x20, 0x9F, 0xB0, 0xFF), None),
        (0x1A, (0x12, 0x4F, 0x58, 0x8F, 0xB0, 0xBF, 0xC8, 0xFF), None),
        (0x1B, (0x00, 0x50), None),
    ],
)
def test_the_first_and_the_last_model_of_each_product(
    family: int, models: tuple[int, ...], product: Product | None
) -> None:
    """The ranges of virtee/sev src/lib.rs, Generation::identify_cpu: both ends of each, and the models next to them."""
    assert {find_product(family, model) for model in models} == {product}


@pytest.mark.parametrize("size", [0, REPORT_SIZE - 1, REPORT_SIZE + 1])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedInput, match="1184 bytes"):
        AttestationReport.parse(bytes(size))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (bytes(REPORT_SIZE), "all bytes of the attestation report are zero"),
        (bytes(REPORT_SIZE - 1) + b"\1", "report version 0"),
        (report_bytes(version=1), "report version 1"),
    ],
)
def test_what_cannot_be_a_report_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        AttestationReport.parse(raw)


@pytest.mark.no_cover
@given(st.integers(2, 0xFFFFFFFF), st.binary(min_size=REPORT_SIZE - 4, max_size=REPORT_SIZE - 4))
def test_any_bytes_with_a_version_are_a_report(version: int, rest: bytes) -> None:
    report = AttestationReport.parse(version.to_bytes(4, "little") + rest)
    assert report.raw[4:] == rest
    assert report.to_dict()["measurement"] == report.raw[0x90:0xC0].hex()
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_reports_of_the_same_bytes_are_equal() -> None:
    report, same, other = (AttestationReport.parse(report_bytes(version=version)) for version in (2, 2, 3))
    assert (report == same, report == other, report == report.raw) == (True, False, False)
    assert {report, same} == {report}
    assert repr(report) == f"AttestationReport(version 2, {'00' * 48})"


def test_sev_policies() -> None:
    policy = SevPolicy.parse(0x1400_0005 | 1 << 16)
    assert (policy.no_debug, policy.es, policy.no_send, policy.api_major, policy.api_minor) == (
        True,
        True,
        False,
        1,
        0x14,
    )
    assert policy.to_dict()["es"]
    assert (policy.technology, SevPolicy.parse(1).technology) == ("sev-es", "sev")
    assert [SevPolicy.parse(1 << bit).unknown_bits for bit in range(32)] == [
        [bit] if 6 <= bit < 16 else [] for bit in range(32)
    ]
    for wrong in (1 << 32, -1):
        with pytest.raises(MalformedInput, match="32-bit"):
            SevPolicy.parse(wrong)


def test_snp_policies() -> None:
    policy = SnpPolicy.parse(0x3001F)
    assert (policy.abi_minor, policy.abi_major, policy.smt, policy.debug) == (0x1F, 0, True, False)
    assert policy.to_dict()["smt"]
    assert policy.to_dict()["unknown_bits"] == []
    assert SnpPolicy.parse(0x10000).unknown_bits == [17]
    assert SnpPolicy.parse(1 << 63 | 1 << 26 | 1 << 17).to_dict()["unknown_bits"] == [26, 63]
    assert (policy == SnpPolicy.parse(0x3001F), policy == SnpPolicy.parse(0x20000), policy == 0x3001F) == (
        True,
        False,
        False,
    )
    assert len({policy, SnpPolicy.parse(0x3001F)}) == 1
    assert repr(policy) == "SnpPolicy(0x3001f)"
    for wrong in (1 << 64, -1):
        with pytest.raises(MalformedInput, match="64-bit"):
            SnpPolicy.parse(wrong)
