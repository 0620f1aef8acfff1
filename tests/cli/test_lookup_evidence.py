"""`ldcat lookup` of attestation reports and launch measurements; and that the TIK is never printed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.build.builder import BuildResult
from tests.support.attestation_builder import certificate_table, chain, report_bytes, signed
from tests.support.certificate_builder import pem
from tests.support.cli import Run

MADE = chain(days=4000)
GUIDS = [
    UUID(text).bytes
    for text in (
        "63da758d-e664-4564-adc5-f4b93be8accd",
        "4ab7b379-bbac-4fe4-a02f-05aef327c782",
        "c0b406a4-a803-4952-9743-3fb6014cd0ae",
    )
]
"""GUIDs of the VCEK, the ASK and the ARK in a certificate table."""

TIK = b"0123456789abcdef"
NONCE = bytes(range(16))
SAID = ("--api-major", "1", "--api-minor", "40", "--build-id", "55", "--policy", "0x1")


@pytest.fixture
def certificates(tmp_path: Path) -> str:
    """A folder with a certificate chain."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name, certificate in zip(("vcek", "ask", "ark"), MADE.all, strict=True):
        (folder / f"{name}.der").write_bytes(certificate.der)
    return str(folder)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """The ARK of the chain, in its own file."""
    path = tmp_path / "root.pem"
    path.write_bytes(pem(MADE.ark.der))
    return str(path)


@pytest.fixture
def report(small: BuildResult, tmp_path: Path) -> str:
    """A signed report of a row of the small catalog."""
    digest = pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py()
    path = tmp_path / "report.bin"
    path.write_bytes(signed(report_bytes(measurement=digest)))
    return str(path)


@pytest.fixture
def tik(tmp_path: Path) -> str:
    path = tmp_path / "tik.bin"
    path.write_bytes(TIK)
    return str(path)


@pytest.fixture
def blob(small: BuildResult) -> str:
    """A launch measurement of a SEV row, as QEMU returns it."""
    digest = pq.read_table(small.folder / "sev/launch_digests.parquet")["launch_digest"][0].as_py()
    measurement = launch_measurement(TIK, MeasureContext(1, 40, 55, 1, NONCE), LaunchDigest(digest))
    return base64.b64encode(measurement + NONCE).decode()


def test_a_report_is_not_verified_without_certificates(run: Run, report: str) -> None:
    code, out, err = run("lookup", report)
    assert (code, err) == (0, "")
    assert "warning: not verified: no certificates are given" in out
    assert "match 1 of" in out
    reply = json.loads(run("lookup", report, "-f", "json")[1])
    assert reply["verification"]["verified"] is False
    assert reply["report"]["measurement"] == reply["launch_digest"] == reply["matches"][0]["launch_digest"]
    assert "trusted" not in out.replace("never that it can be trusted", "")


def test_a_verified_report(run: Run, report: str, certificates: str, root: str) -> None:
    code, out, err = run("lookup", report, "--certs", certificates, "--root", root)
    assert (code, err) == (0, "")
    assert "  ok: verified with the certificates and the root given\n" in out
    record = json.loads(run("lookup", report, "--certs", certificates, "--root", root, "-f", "json")[1])["verification"]
    assert (record["verified"], record["root"], record["root_trusted_by"]) == (True, None, "given")


@pytest.mark.parametrize("command", ["lookup", "explain"])
def test_a_root_that_the_host_brought_verifies_nothing(
    run: Run, report: str, certificates: str, tmp_path: Path, command: str
) -> None:
    """Neither in a folder given with --certs, nor in the certificate table of the report."""
    table = tmp_path / "table.bin"
    table.write_bytes(certificate_table(dict(zip(GUIDS, (cert.der for cert in MADE.all), strict=True))))
    for given in (certificates, str(table)):
        code, out, err = run(command, report, "--certs", given)
        assert code == 4
        assert "DANGER: root: the ARK is not one of AMD's, nor given as a root" in out
        assert out.startswith("DANGER: NOT VERIFIED: the certificates do not endorse this report\n")
        assert "ldcat: error: the certificates do not endorse this report\n" in err
        record = json.loads(run(command, report, "--certs", given, "-f", "json")[1])["verification"]
        assert (record["verified"], record["root"], record["root_trusted_by"]) == (False, None, None)


def test_a_root_completes_a_chain_without_one(run: Run, report: str, certificates: str, root: str) -> None:
    (Path(certificates) / "ark.der").unlink()
    assert run("lookup", report, "--certs", certificates)[0] == 4
    assert run("lookup", report, "--certs", certificates, "--root", root)[0] == 0


@pytest.mark.parametrize("name", ["vcek", "ask"])
def test_a_root_must_be_an_ark(run: Run, report: str, certificates: str, name: str) -> None:
    for given in (f"{certificates}/{name}.der", certificates):
        code, out, err = run("lookup", report, "--certs", certificates, "--root", given)
        assert (code, out) == (2, "")
        assert err.startswith("ldcat: error: --root must be an ARK certificate, got 'SEV-")


def test_a_root_must_be_self_signed(run: Run, report: str, certificates: str, tmp_path: Path) -> None:
    other = tmp_path / "ark.der"
    other.write_bytes(chain(ark={"signer": "another"}).ark.der)
    code, out, err = run("lookup", report, "--certs", certificates, "--root", str(other))
    assert (code, out) == (2, "")
    assert "'ARK-Milan' has no valid RSASSA-PSS self-signature" in err


def test_a_root_from_the_environment_is_used_only_with_certificates(
    run: Run, report: str, certificates: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_ROOT", root)
    assert run("lookup", report, "--certs", certificates)[0] == 0
    assert run("lookup", "00" * 32)[0] == 1
    assert run("lookup", report)[0] == 0
    monkeypatch.delenv("LDCAT_ROOT")
    assert "without the certificates below it" in run("lookup", report, "--root", root)[2]
    assert "certificates are only for an attestation report" in run("lookup", "00" * 32, "--root", root)[2]


def test_a_report_that_fails_verification_is_still_looked_up(run: Run, report: str, certificates: str) -> None:
    raw = bytearray(Path(report).read_bytes())
    raw[0x50] ^= 1
    Path(report).write_bytes(raw)
    code, out, err = run("lookup", report, "--certs", certificates)
    assert code == 4
    assert "DANGER: signature: none of the VCEK certificates given has signed the report" in out
    assert "NOT VERIFIED" in out
    assert "match 1 of" in out
    assert err.startswith("ldcat: error: the certificates do not endorse this report\n")


def test_the_verification_is_in_every_format(run: Run, report: str, certificates: str) -> None:
    for output in ("table", "json", "jsonl", "csv"):
        _, out, err = run("lookup", report, "-f", output)
        assert "not verified: no certificates are given" in out + err
        _, out, err = run("lookup", report, "--certs", certificates, "-f", output)
        assert "signed by the ARK" in out + err
        assert "nor given as a root" in out + err


def test_certificates_from_the_environment_are_used_only_for_reports(
    run: Run, report: str, certificates: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_CERTS", certificates)
    monkeypatch.setenv("LDCAT_ROOT", root)
    assert json.loads(run("lookup", report, "-f", "json")[1])["verification"]["verified"]
    assert run("lookup", "00" * 32, "-f", "json")[0] == 1


def test_notes_are_in_every_format(run: Run, small: BuildResult, tmp_path: Path) -> None:
    digest = pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py()
    path = tmp_path / "debug.bin"
    path.write_bytes(report_bytes(measurement=digest, policy=0xB0000))
    for output in ("table", "json", "jsonl", "csv"):
        _, out, err = run("lookup", str(path), "-f", output)
        assert "allows debugging" in out + err


def test_a_launch_measurement(run: Run, blob: str, tik: str, tmp_path: Path) -> None:
    code, out, err = run("lookup", blob, "--tik", tik, *SAID)
    assert (code, err) == (0, "")
    assert "the measurement is of this digest, under this TIK" in out
    assert "match 1 of" in out
    path = tmp_path / "qmp.json"
    fields = '"api-major": 1, "api-minor": 40, "build-id": 55, "policy": 1'
    path.write_text(f'{{"return": {{{fields}}}}} {{"return": {{"data": "{blob}"}}}}')
    reply = json.loads(run("lookup", str(path), "--tik", tik, "-f", "json")[1])
    assert reply["found"]
    assert reply["evidence"] == "launch measurement"
    raw = base64.b64decode(blob)
    options = ("--nonce", NONCE.hex(), "--tik", tik, *SAID)
    assert run("lookup", raw[:32].hex(), *options)[0] == 0
    hint = ("--debug-digest", reply["launch_digest"])
    assert "the host gave, under this TIK" in run("lookup", blob, "--tik", tik, *SAID, *hint)[1]


def test_a_launch_measurement_without_a_match(run: Run, blob: str, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(bytes(32))
    code, out, err = run("lookup", blob, "--tik", str(other), *SAID)
    assert code == 1
    assert "launch digest  unknown" in out
    assert err.startswith("ldcat: note: no launch digest of this catalog gives this measurement under this TIK\n")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--tik", "{tik}"), 2, "also covers values that are missing: api major, api minor, build id, policy"),
        (SAID, 2, "are only for LAUNCH_MEASURE data, not for: launch digest"),
        (("--tik", "/nowhere", *SAID), 5, "/nowhere"),
        (("--tik", "{report}", *SAID), 3, "is not a TIK"),
        (("--tik", "{tik}", *SAID, "--nonce", "xyz"), 2, "'xyz' is not a nonce"),
        (("--tik", "{tik}", *SAID, "--nonce", "00" * 16), 3, "another nonce"),
        (("--tik", "{tik}", *SAID[:-1], "0x100000000"), 3, "not a 32-bit guest policy"),
        (("--tik", "{tik}", "--api-major", "256", *SAID[2:]), 3, "not between 0 and 255"),
        (("--certs", "{certificates}"), 2, "certificates are only for an attestation report"),
        (("--certs", "/nowhere"), 5, "/nowhere"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, blob: str, tik: str, report: str, certificates: str, arguments: tuple[str, ...], code: int, part: str
) -> None:
    given = [argument.format(tik=tik, report=report, certificates=certificates) for argument in arguments]
    got, out, err = run("lookup", blob, *given)
    assert (got, out) == (code, "")
    assert err.startswith("ldcat: error: ")
    assert part in err.splitlines()[0]
    assert "Traceback" not in err


def test_the_tik_is_never_printed(run: Run, small: BuildResult, blob: str, tik: str, tmp_path: Path) -> None:
    """It is not on stdout, on stderr or in the arguments of a process, in any format and after any error."""
    other = tmp_path / "short.bin"
    other.write_bytes(TIK[:15])
    in_hex = tmp_path / "hex"
    in_hex.write_text(TIK.hex())
    secrets = [
        TIK,
        TIK.hex().encode(),
        TIK.hex().upper().encode(),
        base64.b64encode(TIK).rstrip(b"="),
        repr(TIK).encode(),
    ]
    shown = b""
    cases = (
        [blob, "--tik", tik, *SAID],
        [blob, "--tik", tik, *SAID, "-f", "json"],
        [blob, "--tik", tik, *SAID, "-f", "csv"],
        [blob, "--tik", tik],
        [blob, "--tik", str(other), *SAID],
        [blob, "--tik", tik, *SAID, "--catalog", "/nowhere"],
        [blob, "--tik", tik, *SAID, "--debug-digest", "00" * 48],
        ["00" * 32, "--tik", tik],
        [tik],
        [tik, "--tik", tik],
        [str(in_hex)],
    )
    for arguments in cases:
        _, printed, complained = run("lookup", *arguments)
        assert printed or complained
        shown += printed.encode() + complained.encode()
    for arguments in (cases[1], cases[6]):  # an answer, and a refusal
        command = [sys.executable, "-m", "catalog", "lookup", *arguments]
        environment = {**os.environ, "LDCAT_CATALOG": str(small.folder)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        seen: list[bytes] = []
        watcher = threading.Thread(target=watch, args=(process, seen))
        watcher.start()
        out, err = process.communicate()
        watcher.join()
        shown += out + err + b"".join(seen)
        assert out or err
    for secret in (*secrets, TIK[:15]):
        assert secret not in shown


def test_a_key_in_the_arguments_is_refused_and_not_shown(run: Run, blob: str) -> None:
    for key in (TIK.hex(), base64.b64encode(TIK).decode(), (TIK + TIK).hex()):
        code, out, err = run("lookup", blob, "--tik", key, *SAID)
        assert (code, out) == (2, "")
        assert "never give a key as an argument" in err
        assert key not in err


def watch(process: subprocess.Popen[bytes], seen: list[bytes]) -> None:
    """Collects what ps would show of a process while it runs."""
    while process.poll() is None:
        for name in ("cmdline", "environ"):
            try:
                seen.append(Path(f"/proc/{process.pid}/{name}").read_bytes())
            except OSError:
                return
        threading.Event().wait(0.02)
