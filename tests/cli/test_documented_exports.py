"""Every command `ldcat export` of docs/exports.md, one after the other, with a log in place of https://catalog.example."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from catalog.export.export_format import export_formats
from tests.support.attestation_builder import ca_key
from tests.support.catalogs import build
from tests.support.cli import AMDSEV, Run
from tests.support.exports import TIME
from tests.support.gce_keys import certificate
from tests.support.id_block_exports import ID_KEY, key_file
from tests.support.igvm_builder import igvm_bytes, page, platform
from tests.support.published_logs import Place
from tests.support.samples import write_spec

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", "").splitlines()
    if line.startswith("ldcat export ") and " ... " not in line
]
KERNEL = "debian-13-cloud-6.12.107"
SPEC = f"""
name = "documented"
firmware = {{ builds = ["{AMDSEV}", "aws-ec2/ovmf_img_1", "sid/ovmf-inteltdx/*"], files = ["images/svsm.igvm"] }}
kernel_hashes = {{ tables = ["none", "{KERNEL}"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2", "ec2-2023", "hyperv-igvm"]
vcpu_signatures = ["EPYC-v4"]
sev_features = [1]
vcpus = ["1-8"]
[technologies.tdx]
vmm = ["qemu-tdx"]
"""
VALUES = {
    "https://catalog.example": "log",
    "trust.note": "trust",
    "mine/ovmf.fd": AMDSEV,
    "mine/kernel": KERNEL,
    "FIRMWARE": AMDSEV,
    "KERNEL": KERNEL,
    "$COMMIT": "12ab",
    "$(date -u +%FT%TZ)": "2026-11-28T00:00:01Z",
}
"""Values for those of the page that each reader replaces."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a log and the keys that the page makes with openssl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("time.time", lambda: TIME + 100.0)
    Path("images").mkdir()
    Path("images/svsm.igvm").write_bytes(igvm_bytes(platform(), page(0x1000)))
    Place(tmp_path, build(write_spec(tmp_path, SPEC), tmp_path / "catalog"), TIME)
    secret, pkcs8 = b"a passphrase", (Encoding.PEM, PrivateFormat.PKCS8)
    Path("id.pem").write_bytes(key_file(ID_KEY, secret).data)
    Path("signer.key").write_bytes(ca_key("gce signer").private_bytes(*pkcs8, BestAvailableEncryption(secret)))
    Path("statement.pem").write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*pkcs8, NoEncryption()))
    for name in ("id.pass", "signer.pass"):
        Path(name).write_bytes(secret + b"\n")
    Path("signer.pem").write_bytes(certificate().data)
    Path("root.pem").write_bytes(certificate("gce root").data)
    return tmp_path


def test_every_format_has_a_command() -> None:
    assert {shlex.split(line)[3] for line in COMMANDS} == set(export_formats())


def test_the_commands_run_one_after_the_other(run: Run, folder: Path) -> None:
    for line in COMMANDS:
        for name, value in VALUES.items():
            line = line.replace(name, value)
        words = shlex.split(line, comments=True)[1:]
        code, out, err = run(*words)
        assert (code, out) == (0, ""), f"{line}\n{err}"
        assert "ldcat: error" not in err
    (message,) = json.loads((folder / "rvps-message.json.ldcat.json").read_bytes())["files"]
    assert message["name"] == "rvps-message.json"
