"""What a key broker demands of a report: each check has its own code and outcome."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sevsnpmeasure import id_block

from catalog.abi.report import AttestationReport
from catalog.abi.tdx.td_report import TdReport
from catalog.endorse.report_checks import (
    HOST_DATA_SIZE,
    KEY_DIGEST_SIZE,
    REPORT_DATA_SIZE,
    MinTcb,
    ReportChecks,
    id_key_digest,
    parse_bytes,
)
from catalog.errors import MalformedInput, UsageError
from tests.support.attestation_builder import leaf_key, report_bytes
from tests.support.certificate_builder import pem
from tests.support.quote_builder import REPORT_DATA, td_report

TURIN_TCB = bytes([1, 4, 0, 22, 0, 0, 0, 213])
TURIN: dict[str, Any] = {"cpuid": (0x1A, 2, 1), "tcb": TURIN_TCB}
DATA, HOST, KEY = bytes(range(64)), bytes(range(32)), bytes(range(48))


def report(**changes: Any) -> AttestationReport:
    raw = bytearray(report_bytes(**changes))
    raw[0x50:0x90], raw[0xC0:0xE0], raw[0xE0:0x110] = DATA, HOST, KEY
    return AttestationReport.parse(bytes(raw))


def outcome(checks: ReportChecks, **changes: Any) -> list[tuple[str, bool | None, str]]:
    return [(one.code, one.passed, one.text) for one in checks.check(report(**changes))]


def tcb(text: str, **changes: Any) -> tuple[bool | None, str]:
    ((code, passed, shown),) = outcome(ReportChecks(min_tcb=MinTcb.parse(text)), **changes)
    assert code == "min-tcb"
    return passed, shown


def test_nothing_is_checked_that_is_not_demanded() -> None:
    assert not ReportChecks()
    assert outcome(ReportChecks()) == []
    assert ReportChecks(policy=0)


def test_every_check_that_is_met() -> None:
    checks = ReportChecks(MinTcb.parse("snp=22"), 0x30000, DATA, HOST, KEY)
    assert checks
    assert outcome(checks) == [
        ("min-tcb", True, "the reported TCB is at least snp 22"),
        ("policy", True, "the guest policy is 0x30000, as demanded"),
        ("report-data", True, "REPORT_DATA is as demanded"),
        ("host-data", True, "HOST_DATA is as demanded"),
        ("id-key", True, "the digest of the ID key is as demanded"),
    ]


def test_every_check_that_is_not_met() -> None:
    checks = ReportChecks(MinTcb.parse("snp=23"), 0xB0000, DATA[::-1], HOST[::-1], KEY[::-1])
    assert outcome(checks) == [
        ("min-tcb", False, "snp 22 is below 23"),
        ("policy", False, "the guest policy is 0x30000, not 0xb0000"),
        ("report-data", False, "REPORT_DATA is not as demanded"),
        ("host-data", False, "HOST_DATA is not as demanded"),
        ("id-key", False, "the digest of the ID key is not as demanded"),
    ]


def test_each_part_of_the_tcb_counts_by_itself() -> None:
    assert tcb("bootloader=4,tee=0,snp=22,microcode=213")[0]
    assert tcb("bootloader=3, snp=0") == (True, "the reported TCB is at least bootloader 3, snp 0")
    for part, more in (("bootloader", 5), ("tee", 1), ("snp", 23), ("microcode", 214)):
        passed, text = tcb(f"{part}={more}")
        assert (passed, text) == (False, f"{part} {more - 1} is below {more}")
    assert tcb("bootloader=9,microcode=255,snp=1")[1] == "bootloader 4 is below 9; microcode 213 is below 255"
    assert tcb("fmc=0") == (False, "fmc (none) is below 0")
    assert tcb("fmc=1,snp=22", **TURIN)[0]
    assert tcb("fmc=2", **TURIN) == (False, "fmc 1 is below 2")


def test_a_packed_tcb_is_a_number_with_the_microcode_first() -> None:
    for text in ("d516000000000004", "0xD516000000000004"):
        assert tcb(text) == (True, "the reported TCB is at least bootloader 4, tee 0, snp 22, microcode 213")
    assert tcb("d616000000000004") == (False, "microcode 213 is below 214")
    assert tcb("d500000016000401", **TURIN)[0]
    assert tcb("d500000017000401", **TURIN) == (False, "snp 22 is below 23")
    other = "the minimum TCB does not have the layout of the report's product"
    assert tcb("d500000016000401") == tcb("d516000000000004", **TURIN) == (False, other)


def test_a_tcb_of_unknown_layout_fails() -> None:
    assert tcb("snp=0", tcb=TURIN_TCB) == (
        False,
        "the reported TCB, 01040016000000d5 (unknown layout), cannot be compared",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "snp",
        "snp=",
        "snp=x",
        "snp=-1",
        "snp=1,snp=2",
        "boot=1",
        "snp=1000",
        "snp=²",
        "d5160000000004",
        ",",
        "z" * 16,
        "z" * 15 + "0",
        "0x" * 8,
        "X" + "0" * 15,
    ],
)
def test_what_is_no_least_tcb_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a minimum TCB"):
        MinTcb.parse(text)


def test_a_part_has_one_byte() -> None:
    assert MinTcb.parse("snp=255").parts == {"snp": 255}
    with pytest.raises(UsageError, match="snp of the minimum TCB is above 255"):
        MinTcb.parse("snp=256")


def test_bytes_have_to_be_whole() -> None:
    assert (
        parse_bytes("0x" + HOST.hex(), 32, "--host-data") == parse_bytes(HOST.hex().upper(), 32, "--host-data") == HOST
    )
    for text in ("", "00", HOST.hex() + "00", HOST.hex()[:-1], "zz" * 32, "z" + "0" * 63, "X" + "0" * 63, "0x"):
        with pytest.raises(UsageError, match="--host-data needs 32 bytes in hex") as caught:
            parse_bytes(text, 32, "--host-data")
        assert HOST.hex() not in str(caught.value)


def test_the_sizes_are_those_of_the_fields() -> None:
    found = report()
    fields = (found.report_data, found.host_data, found.id_key_digest)
    assert tuple(map(len, fields)) == (REPORT_DATA_SIZE, HOST_DATA_SIZE, KEY_DIGEST_SIZE) == (64, 32, 48)


def test_the_digest_of_an_id_key_is_that_of_sev_snp_measure() -> None:
    key = leaf_key("id")
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    theirs = id_block.pub_to_digest(key)
    assert id_key_digest(public) == id_key_digest(pem(public, "PUBLIC KEY")) == theirs


def test_other_keys_are_refused_and_not_shown() -> None:
    key = leaf_key("id")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(MalformedInput, match="this is a private key"):
        id_key_digest(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    others = [
        one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for one in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048))
    ]
    for data in (b"", b"x" * 97, public + public, public[:-30], *others):
        with pytest.raises(MalformedInput, match="no public key on P-384"):
            id_key_digest(data)


def test_of_a_td_only_its_data_are_compared() -> None:
    checks = ReportChecks(report_data=REPORT_DATA, policy=1, id_key_digest=HOST)
    assert checks.for_snp_alone == ["policy", "id_key_digest"]
    right, wrong = TdReport.parse(td_report()), TdReport.parse(bytes(584))
    assert [one.passed for one in checks.check_td(right)] == [True]
    (finding,) = checks.check_td(wrong)
    assert (finding.code, finding.passed, finding.text) == ("report-data", False, "REPORTDATA is not as demanded")
    assert list(ReportChecks().check_td(right)) == []
