"""What a key broker demands of a lookup: verification, a time, a revocation list, and fields of the report."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.build.builder import BuildResult
from tests.support.attestation_builder import CHIP, SERIALS, certificate_table, chain, report_bytes, signed
from tests.support.certificate_builder import leaf_key, pem, revocation_list
from tests.support.cli import Run

MADE = chain(days=4000)
VCEK_GUID = bytes.fromhex("63da758de6644564adc5f4b93be8accd")
ASK_GUID = bytes.fromhex("4ab7b379bbac4fe4a02f05aef327c782")
ARK_GUID = bytes.fromhex("c0b406a4a803495297433fb6014cd0ae")
DATA, HOST, ID_KEY = bytes(range(64)), bytes(range(32)), bytes(range(48))
URL = f"https://kdsintf.amd.com/vcek/v1/Milan/{CHIP.hex()}?blSPL=04&teeSPL=00&snpSPL=22&ucodeSPL=213"
MET = (
    "--min-tcb",
    "snp=22,microcode=213",
    "--policy",
    "0x30000",
    "--report-data",
    DATA.hex(),
    "--host-data",
    HOST.hex(),
)


@pytest.fixture
def digest(small: BuildResult) -> bytes:
    return bytes(pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py())


def report_of(digest: bytes, *, chip: bytes = CHIP) -> bytes:
    raw = bytearray(report_bytes(measurement=digest, chip=chip))
    raw[0x50:0x90], raw[0xC0:0xE0], raw[0xE0:0x110] = DATA, HOST, ID_KEY
    return signed(bytes(raw))


@pytest.fixture
def report(digest: bytes, tmp_path: Path) -> str:
    path = tmp_path / "report.bin"
    path.write_bytes(report_of(digest))
    return str(path)


@pytest.fixture
def certs(tmp_path: Path) -> tuple[str, ...]:
    """The options that verify the report."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name, one in zip(("vcek", "ask", "ark"), MADE.all, strict=True):
        (folder / f"{name}.der").write_bytes(one.der)
    (tmp_path / "ark.pem").write_bytes(pem(MADE.ark.der))
    return ("--certs", str(folder), "--root", str(tmp_path / "ark.pem"))


def test_a_verified_report_is_accepted(run: Run, report: str, certs: tuple[str, ...]) -> None:
    code, out, err = run("lookup", report, *certs, "--require-verified")
    assert (code, err) == (0, "")
    assert "verified with the certificates and the root given" in out
    assert json.loads(run("lookup", report, *certs, "--require-verified", "-f", "json")[1])["refused"] is None


@pytest.mark.parametrize("command", ["lookup", "explain"])
def test_evidence_that_nothing_proves_is_refused_and_still_answered(
    run: Run, report: str, digest: bytes, command: str
) -> None:
    for given, why, hint in (
        (report, "no certificates are given", "give its certificates with --certs"),
        (digest.hex(), "a launch digest alone is not signed", "ask for the attestation report"),
        (f"the digest is {digest.hex()} and no other", "only stated by", "ask for the attestation report"),
    ):
        code, out, err = run(command, given, "--require-verified")
        assert code == 4, given
        assert digest.hex() in out or "match 1 of" in out
        assert "ldcat: error: verification was demanded: " in err
        assert why in err
        assert f"ldcat: hint: {hint}" in err
        found = json.loads(run(command, given, "--require-verified", "-f", "json")[1])
        assert why in found["refused"]
        assert found["launch_digest"] == digest.hex()


def test_a_report_that_cannot_be_compared_is_refused_only_on_demand(
    run: Run, digest: bytes, tmp_path: Path, certs: tuple[str, ...]
) -> None:
    path = tmp_path / "masked.bin"
    path.write_bytes(report_of(digest, chip=bytes(64)))
    assert run("lookup", str(path), *certs)[0] == 0
    code, out, err = run("lookup", str(path), *certs, "--require-verified")
    assert code == 4
    assert "DANGER: chip: the platform masks the chip ID, so it cannot be compared" in out
    assert "do not endorse this report" in err


def test_a_carrier_of_two_digests_is_refused_on_demand(
    run: Run, report: str, tmp_path: Path, certs: tuple[str, ...]
) -> None:
    path = tmp_path / "evidence.json"
    encoded = base64.b64encode(Path(report).read_bytes()).decode()
    path.write_text(json.dumps({"report": encoded, "measurement": "ab" * 48}))
    assert run("lookup", str(path), *certs)[0] == 0
    for output in ("table", "json"):
        code, _, err = run("lookup", str(path), *certs, "--require-verified", "-f", output)
        assert code == 4
        assert "the input states two launch digests" in err


def test_a_launch_measurement_is_verified_by_its_tik(run: Run, small: BuildResult, tmp_path: Path) -> None:
    digest = pq.read_table(small.folder / "sev/launch_digests.parquet")["launch_digest"][0].as_py()
    tik, nonce = bytes(range(16)), bytes(16)
    (tmp_path / "tik").write_bytes(tik)
    measured = launch_measurement(tik, MeasureContext(1, 40, 55, 1, nonce), LaunchDigest(digest)) + nonce
    said = ("--api-major", "1", "--api-minor", "40", "--build-id", "55", "--policy", "0x1", "--require-verified")
    given = ("--tik", str(tmp_path / "tik"), *said)
    assert run("lookup", base64.b64encode(measured).decode(), *given)[0] == 0
    code, _, err = run("lookup", base64.b64encode(b"other" * 9 + bytes(3)).decode(), *given)
    assert code == 4
    assert "no known digest has this launch measurement" in err


def test_without_certificates_it_is_said_where_they_are(run: Run, report: str) -> None:
    code, out, err = run("lookup", report)
    assert (code, err) == (0, "")
    assert f"  warning: not verified: no certificates are given\n    the VCEK of this chip and TCB: {URL}\n" in out
    found = json.loads(run("lookup", report, "-f", "json")[1])["verification"]["certificates_at"]
    assert [one["url"] for one in found] == [URL, "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain"]


def test_where_they_are_is_said_until_the_report_is_verified(run: Run, report: str, certs: tuple[str, ...]) -> None:
    for given, at in (((), 2), (certs[:2], 2), (certs, 0)):
        found = json.loads(run("lookup", report, *given, "-f", "json")[1])["verification"]
        assert (found["verified"], len(found["certificates_at"])) == (at == 0, at)


def test_stderr_says_what_a_table_says(run: Run, report: str, certs: tuple[str, ...]) -> None:
    err = run("lookup", report, "-f", "csv")[2]
    assert "ldcat: warning: not verified: no certificates are given\n" in err
    err = run("lookup", report, *certs[:2], "-f", "csv")[2]
    assert "ldcat: note: ok: signature: of the report by the VCEK\n" in err
    assert "ldcat: warning: DANGER: root: the ARK is not one of AMD's, nor given as a root" in err


def test_demands_that_are_met(run: Run, report: str, certs: tuple[str, ...]) -> None:
    code, out, err = run("lookup", report, *certs, *MET, "--id-key", ID_KEY.hex())
    assert (code, err) == (0, "")
    for name in ("min-tcb", "policy", "report-data", "host-data", "id-key"):
        assert f"  ok: {name}: " in out
    found = json.loads(run("lookup", report, *certs, *MET, "-f", "json")[1])["verification"]
    assert [one["code"] for one in found["findings"]][-4:] == ["min-tcb", "policy", "report-data", "host-data"]
    assert found["verified"]


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--min-tcb", "snp=23", "min-tcb"),
        ("--policy", "0xb0000", "policy"),
        ("--report-data", "00" * 64, "report-data"),
        ("--host-data", "00" * 32, "host-data"),
        ("--id-key", "00" * 48, "id-key"),
    ],
)
def test_a_demand_that_is_not_met_is_refused(
    run: Run, report: str, certs: tuple[str, ...], option: str, value: str, code: str
) -> None:
    for given in (certs, ()):
        exit_code, out, err = run("lookup", report, *given, option, value)
        assert exit_code == 4
        assert f"  DANGER: {code}: " in out
        assert "match 1 of" in out
        assert f"ldcat: error: the report does not meet what was demanded: {code}\n" in err


def test_an_id_key_is_taken_from_a_file(run: Run, report: str, tmp_path: Path) -> None:
    public = leaf_key("id").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "id.pub.pem"
    path.write_bytes(pem(public, "PUBLIC KEY"))
    code, out, _ = run("lookup", report, "--id-key", str(path))
    assert code == 4
    assert "DANGER: id-key" in out
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n")
    code, out, err = run("lookup", report, "--id-key", str(path))
    assert (code, out) == (3, "")
    assert "this is a private key" in err
    assert "secret" not in err


def test_the_time_of_an_archived_report(run: Run, report: str, certs: tuple[str, ...]) -> None:
    for at in ("2026-06-01T00:00:00Z", "2026-06-01T02:00:00+02:00", "1780272000"):
        assert run("lookup", report, *certs, "--at", at)[0] == 0
    for at, why in (
        ("2025-01-01T00:00:00Z", "is not yet valid"),
        ("0", "is not yet valid"),
        ("999999999999", "has expired"),
    ):
        code, out, err = run("lookup", report, *certs, "--at", at)
        assert code == 4
        assert f"  DANGER: validity: the VCEK {why}: it " in out
        assert f"    the VCEK of this chip and TCB: {URL}\n" in out
        assert "ldcat: hint: what failed: validity; " in err


def test_a_revocation_list(run: Run, report: str, certs: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "crl"
    at = ("--at", "2026-06-01T00:00:00Z")
    path.write_bytes(revocation_list())
    code, out, _ = run("lookup", report, *certs, "--crl", str(path), *at)
    assert code == 0
    assert "ok: revocation: neither ASK nor ARK is in the CRL" in out
    path.write_bytes(pem(revocation_list(serials=[SERIALS["ASK"]]), "X509 CRL"))
    code, out, _ = run("lookup", report, *certs, "--crl", str(path), *at)
    assert code == 4
    assert "DANGER: revocation: the ASK is revoked by the CRL of 2026-05-02" in out


def test_certificates_that_came_with_a_report_are_used(
    run: Run, digest: bytes, certs: tuple[str, ...], tmp_path: Path
) -> None:
    table = certificate_table(dict(zip((VCEK_GUID, ASK_GUID, ARK_GUID), (one.der for one in MADE.all), strict=True)))
    path = tmp_path / "extended.bin"
    path.write_bytes(report_of(digest) + table)
    code, out, _ = run("lookup", str(path))
    assert code == 4
    assert "DANGER: root: the ARK is not one of AMD's, nor given as a root" in out
    code, out, _ = run("lookup", str(path), *certs[2:], "--require-verified")
    assert code == 0


def test_other_files_of_a_folder_are_left_out(run: Run, report: str, certs: tuple[str, ...]) -> None:
    (Path(certs[1]) / "README").write_text("no certificate")
    code, _, err = run("lookup", report, *certs)
    assert code == 0
    assert err == f"ldcat: note: {certs[1]}/README is left out: it has no certificate that can be read\n"


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--at", "yesterday"), 2, "'yesterday' is not a time"),
        (("--at", "2026-06-01"), 2, "is not a time"),
        (("--at", "2026-06-01T00:00:00"), 2, "is not a time"),
        (("--at", "2026-13-01T00:00:00Z"), 2, "is not a time"),
        (("--at", "-1"), 2, "is not a time"),
        (("--min-tcb", "snp"), 2, "is not a minimum TCB"),
        (("--report-data", "00"), 2, "--report-data needs 64 bytes in hex"),
        (("--host-data", "00"), 2, "--host-data needs 32 bytes in hex"),
        (("--id-key", "/nowhere"), 5, "/nowhere"),
        (("--id-key", "0x00ff"), 2, "--id-key is no file, and has 4 hex digits, not 96"),
        (("--crl", "/nowhere"), 5, "/nowhere"),
    ],
)
def test_invalid_demands_are_refused(run: Run, report: str, options: tuple[str, str], code: int, why: str) -> None:
    found, out, err = run("lookup", report, *options)
    assert (found, out) == (code, "")
    assert why in err.splitlines()[0]


def test_demands_belong_to_reports(run: Run, digest: bytes, report: str, tmp_path: Path) -> None:
    (tmp_path / "crl").write_bytes(revocation_list())
    for options in (*zip(MET[::2], MET[1::2], strict=True), ("--at", "0"), ("--crl", str(tmp_path / "crl"))):
        code, out, err = run("lookup", digest.hex(), *options)
        assert (code, out) == (2, "")
        assert "only for an attestation report, not for: launch digest" in err
    code, _, err = run("lookup", report, "--crl", str(tmp_path / "crl"))
    assert code == 2
    assert "--crl is given without the certificates below it" in err
