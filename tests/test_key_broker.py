"""The key broker of docs/python.md: it runs, and refuses every launch that proves less than it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from tests.support.attestation_builder import NOW, chain, report_bytes, signed
from tests.support.catalogs import made, rows_of
from tests.support.cli import Run
from tests.support.published_logs import Place, cosigned_today, revoke

ROOT = Path(__file__).parent.parent
(EXAMPLE,) = re.findall(
    r"^```python\n([^`]*def key_for.*?)^```$", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL
)
ENFORCING, NOT, UNKNOWN = "sid/ovmf-amdsev/OVMF.amdsev.fd", "sid/ovmf-generic/OVMF.fd", "dstack/ovmf"
SPEC = f"""
name = "broker"
firmware = {{ builds = ["{ENFORCING}", "{NOT}", "{UNKNOWN}"] }}
kernel_hashes = {{ tables = ["none", "debian-12-installer-text"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = [1, 2]
"""
NONCE = b"n" * 64


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return made(tmp_path_factory.mktemp("broker"), SPEC)


@pytest.fixture
def place(built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    found = cosigned_today(tmp_path / "published", built)
    Path("public").symlink_to(found.log)
    Path("trust.note").symlink_to(found.trust)
    return found


def digest_of(built: BuildResult, firmware: str, *, kernel: bool = True, vcpus: int = 2) -> bytes:
    with Release.open(built.folder) as release:
        for digest in rows_of(built).values():
            (match,) = release.lookup(digest)
            if (match.firmware["name"], match.kernel_hashes is not None, match.vcpus) == (firmware, kernel, vcpus):
                return digest
    raise AssertionError(firmware)


def report_of(digest: bytes, **fields: Any) -> bytes:
    report = bytearray(report_bytes(measurement=digest, **fields))
    report[0x50:0x90] = NONCE
    return signed(bytes(report))


def names_of(report: bytes) -> dict[str, Any]:
    """The names that the example uses."""
    issued = chain()
    return {
        "REPORT": report,
        "NONCE": NONCE,
        "CERTS": [one.der for one in issued.all[:2]],
        "ROOTS": issued.ark.der,
        "TIME": datetime.fromtimestamp(NOW, UTC),
    }


def test_it_releases_the_key(place: Place, built: BuildResult, capsys: pytest.CaptureFixture[str]) -> None:
    exec(EXAMPLE, names_of(report_of(digest_of(built, ENFORCING))))
    assert capsys.readouterr().out == "b'secret'\n"


@pytest.mark.parametrize(
    ("launch", "report", "why"),
    [
        ({"kernel": False}, {}, "no kernel hashes were measured"),
        ({"firmware": NOT}, {}, "measured but not enforced"),
        ({"firmware": UNKNOWN}, {}, "whether this firmware enforces them is unknown"),
        ({}, {"policy": 0xB0000}, "the guest policy allows debugging"),
        ({}, {"policy": 0x70000}, "the guest policy allows a migration agent"),
        ({}, {"vmpl": 0xFFFFFFFF}, "requested by the host"),
        ({"vcpus": 1}, {}, "the launch is unknown or revoked"),
        (None, {}, "the launch is unknown or revoked"),
    ],
)
def test_it_refuses(
    place: Place, built: BuildResult, launch: dict[str, Any] | None, report: dict[str, Any], why: str
) -> None:
    place.publish(revoke("revoked", vcpus=1))
    digest = bytes(48) if launch is None else digest_of(built, **{"firmware": ENFORCING, **launch})
    names = names_of(report_of(digest, **report))
    with pytest.raises(PermissionError, match=why):
        exec(EXAMPLE.replace("policy=0x30000, ", ""), names)


def test_it_demands_its_policy(place: Place, built: BuildResult) -> None:
    names = names_of(report_of(digest_of(built, ENFORCING), policy=0xB0000))
    with pytest.raises(PermissionError, match="does not meet what was demanded: policy"):
        exec(EXAMPLE, names)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    ("launch", "report", "is_accepted"),
    [({}, {}, True), ({"kernel": False}, {}, False), ({"firmware": NOT}, {}, False), ({}, {"policy": 0xB0000}, False)],
)
def test_the_line_of_the_shell(
    run: Run, built: BuildResult, tmp_path: Path, launch: dict[str, Any], report: dict[str, Any], is_accepted: bool
) -> None:
    (filter_,) = re.findall(r"^jq -e '(.*)' answer.json", (ROOT / "docs/evidence.md").read_text(), re.MULTILINE)
    (tmp_path / "report").write_bytes(report_of(digest_of(built, **{"firmware": ENFORCING, **launch}), **report))
    code, out, _ = run("lookup", str(tmp_path / "report"), "--catalog", str(built.folder), "-f", "json")
    assert code == 0
    done = subprocess.run(["jq", "-e", filter_], input=out, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == ((0, "true\n") if is_accepted else (1, "false\n"))
