"""`ldcat lookup` of TDX quotes: what it shows, what verifies it, and what is demanded of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.api.release import Release
from catalog.build.builder import BuildResult
from catalog.errors import VerificationFailed
from tests.support.certificate_builder import NOW, pem
from tests.support.cli import Run
from tests.support.intel_certificates import PLATFORM, ROOT, list_der, root, tcb_signing
from tests.support.quote_builder import (
    MRTD,
    REPORT_DATA,
    go_quote,
    pcs_answer,
    qe_identity,
    quote,
    tcb_info,
    tcb_level,
    td_report,
    tdreport,
)

AT = ("--at", str(int(NOW)))


@pytest.fixture
def given(tmp_path: Path) -> str:
    (tmp_path / "quote.bin").write_bytes(quote())
    (tmp_path / "root.pem").write_bytes(pem(root().der))
    return str(tmp_path / "quote.bin")


@pytest.fixture
def certs(tmp_path: Path) -> tuple[str, ...]:
    """The options that verify the quote, with files as Intel's PCS gives them."""
    folder = tmp_path / "collateral"
    folder.mkdir()
    files = {
        "tcb.json": pcs_answer(tcb_info()),
        "qe.json": pcs_answer(qe_identity()),
        "chain.pem": pem(tcb_signing().der) + pem(root().der),
        "root.crl": list_der(ROOT),
        "pck.crl": list_der(PLATFORM),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return ("--certs", str(folder), "--root", str(tmp_path / "root.pem"), *AT)


def test_what_a_quote_says(run: Run, given: str, tmp_path: Path) -> None:
    code, out, _ = run("lookup", given, "--root", str(tmp_path / "root.pem"), *AT)
    assert code == 1  # no row of this catalog is of TDX
    for line in (
        "TDX quote",
        f"launch digest (MRTD)  {MRTD.hex()}",
        "attributes            0x10000000 (sept_ve_disable)",
        f"RTMR1                 {'02' * 48}",
        "MROWNER               0",
        f"REPORTDATA            {REPORT_DATA.hex()}",
        "QE vendor             939a7233f79c4ca9940a0db3957f0607",
        "warning: signed, but not verified: nothing that is given says that the TCB of the platform is up to date",
        "ok: root: the root is not Intel's, but given as a root",
        "info: tcb-status: the status of the platform's TCB is not verified",
        "the TCB info of this platform, with the chain in the header TCB-Info-Issuer-Chain: https://api.trusted",
        "info: RTMR0 to RTMR3 are not looked up",
    ):
        assert f"  {line}" in f"  {out}", line
    shown = json.loads(run("lookup", given, "-f", "json")[1])
    assert shown["launch_digest"] == shown["tdx"]["mrtd"] == MRTD.hex()
    assert (shown["report"], shown["related"], shown["verification"]["verified"]) == (None, [], False)
    assert shown["refused"] == "the certificates do not endorse this quote"  # its root is not trusted


def test_a_verified_quote_is_accepted(run: Run, given: str, certs: tuple[str, ...]) -> None:
    code, out, _ = run("lookup", given, *certs, "--require-verified", "--report-data", REPORT_DATA.hex())
    assert code == 1
    assert "  ok: verified with the certificates and the root given\n" in out
    assert "  ok: report-data: REPORTDATA is as demanded\n" in out
    found = json.loads(run("lookup", given, *certs, "-f", "json")[1])["verification"]
    assert (found["verified"], found["root"], found["root_trusted_by"], found["certificates_at"]) == (
        True,
        None,
        "given",
        [],
    )


def test_without_collateral_a_demanded_verification_fails(run: Run, given: str, tmp_path: Path) -> None:
    options = ("--root", str(tmp_path / "root.pem"), *AT)
    shown = json.loads(run("lookup", given, *options, "-f", "json")[1])
    assert (shown["refused"], shown["verification"]["verified"]) == (None, False)
    assert len(shown["verification"]["certificates_at"]) == 4
    code, out, err = run("lookup", given, *options, "--require-verified")
    assert code == 4
    assert "DANGER: tcb-status: the status of the platform's TCB is not verified" in out
    assert "hint: what failed: revocation, tcb-status, qe-identity" in err


def test_a_tcb_that_is_out_of_date_is_refused(run: Run, given: str, certs: tuple[str, ...]) -> None:
    path = Path(certs[1]) / "tcb.json"
    path.write_bytes(pcs_answer(tcb_info(tcbLevels=[tcb_level("OutOfDate")])))
    code, out, err = run("lookup", given, *certs)
    assert (code, "DANGER: NOT VERIFIED: the certificates do not endorse this quote" in out) == (4, True)
    assert "hint: what failed: tcb-status" in err


def test_demands_that_only_a_report_of_snp_has(run: Run, given: str, tmp_path: Path) -> None:
    trusting = ("--root", str(tmp_path / "root.pem"), *AT)
    for options, names in (
        (("--min-tcb", "snp=1"), "--min-tcb"),
        (("--host-data", "00" * 32, "--id-key", "00" * 48), "--host-data, --id-key"),
        (("--policy", "0x1"), "--policy"),
    ):
        code, _, err = run("lookup", given, *options)
        assert (code, f"{names}: only for an attestation report of SEV-SNP" in err) == (2, True)
    code, _, err = run("lookup", given, "--report-data", "00" * 64, *trusting)
    assert (code, "does not meet what was demanded: report-data" in err) == (4, True)


def test_a_tdreport_is_shown_and_never_verified(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tdreport.bin"
    path.write_bytes(tdreport())
    code, out, _ = run("lookup", str(path), "--report-data", REPORT_DATA.hex())
    assert (code, "TDREPORT\n" in out, "QE vendor" in out) == (1, True, False)
    assert "warning: a TDREPORT has no signature" in out
    assert "ok: report-data: REPORTDATA is as demanded" in out
    assert json.loads(run("lookup", str(path), "-f", "json")[1])["verification"] is None
    code, _, err = run("lookup", str(path), "--require-verified")
    assert (code, "TDX quotes only, not: TDREPORT" in err) == (4, True)
    code, _, err = run("lookup", str(path), "--at", "1")
    assert (code, "--at is only for an attestation report, not for: TDREPORT" in err) == (2, True)


def test_debug_is_a_danger(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quote.json").write_text(json.dumps(go_quote(quote(td_report(attributes=1)))))
    out = run("lookup", str(tmp_path / "quote.json"))[1]
    assert "DANGER: the TD is in debug mode: the host can read and change its memory and registers\n" in out


def test_files_that_are_no_collateral(run: Run, given: str, certs: tuple[str, ...], tmp_path: Path) -> None:
    (Path(certs[1]) / "notes.txt").write_text("of the operator")
    code, _, err = run("lookup", given, *certs, "--require-verified")
    assert code == 1
    assert "notes.txt is left out: it has no certificate or collateral that can be read" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no collateral" in run("lookup", given, "--certs", str(empty))[2]
    notes = str(Path(certs[1]) / "notes.txt")
    assert "no TCB info, QE identity, certificate or CRL" in run("lookup", given, "--certs", notes)[2]


def test_from_python(small: BuildResult, given: str, certs: tuple[str, ...]) -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    release = Release.open(small.folder)
    files = [path.read_bytes() for path in Path(certs[1]).iterdir()]
    for collateral in (certs[1], [*files]):
        found = release.lookup(Path(given), certs=collateral, roots=certs[3], at=at, require_verified=True)
        assert (found.verified, found.evidence.technology) == (True, "tdx")
    with pytest.raises(VerificationFailed) as refused:
        release.lookup(Path(given), at=at, require_verified=True)
    assert "Intel has collateral at https://api.trustedservices.intel.com/tdx/" in str(refused.value.hint)


def test_a_root_that_this_machine_trusts_counts(
    run: Run, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_ROOT", str(tmp_path / "root.pem"))
    for options in (AT, ()):
        shown = json.loads(run("lookup", given, *options, "-f", "json")[1])
        assert (shown["verification"]["root_trusted_by"], shown["refused"]) == ("given", None)


def test_no_digest_is_related_to_that_of_a_td(run: Run, given: str) -> None:
    code, _, err = run("relate", given, "ab" * 48)
    assert (code, "the launch digest of a TD does not depend on its vCPUs" in err) == (2, True)
