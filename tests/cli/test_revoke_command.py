"""`ldcat revoke`: revocations appear in proofs, and a wrong digest can be replaced by the right one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.firmware.ovmf import OvmfImage
from catalog.publish.key_files import new_key, write_keys
from catalog.spec.named_builds import build_of_image
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from catalog.transparency.trust import sign_trust
from tests.support.catalogs import build
from tests.support.cli import Run, but_freshness
from tests.support.logs import NOW, signer
from tests.support.samples import whole_image, write_spec
from tests.support.trust_notes import trust_note

ORIGIN = "example.com/digests"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the keys of a log and versions 1 to 3 of a trust note; nothing is published yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    pair = new_key(ORIGIN, SignatureType.ED25519)
    write_keys(tmp_path / "key", [pair], None)
    for version in (1, 2, 3):
        policy, expires = f"log {pair.key}\nquorum none\n", int(time.time()) + 9999
        note = trust_note(policy, version=version, expires=expires, max_age=9999)
        (tmp_path / f"trust.{version}").write_bytes(bytes(note))
    return tmp_path


class Publisher:
    """Runs commands that publish to the log."""

    def __init__(self, run: Run, place: Path) -> None:
        self._run = run
        self._place = place
        self._own = ("--log", str(place / "log"), "--key", str(place / "key"))

    def publish(self, built: BuildResult | Path, *more: str) -> tuple[int, str, str]:
        folder = built if isinstance(built, Path) else built.folder
        return self._run("publish", str(folder), *self._own, "-f", "json", *more)

    def revoke(self, severity: str, *selectors: str, reason: str = "as it is") -> tuple[int, str, str]:
        return self._run("revoke", *self._own, "--severity", severity, "--reason", reason, *selectors, "-f", "json")

    def rows(self, *selectors: str) -> int:
        """The number of rows that a deprecation selects."""
        code, out, err = self.revoke("deprecated", *selectors)
        assert (code, but_freshness(err)) == (0, "")
        return int(json.loads(out)["rows"])

    def proved(self, digest: str) -> list[dict[str, Any]]:
        """The outcome of each proof of a digest."""
        found = []
        for line in self._run("prove", digest, "--catalog", str(self._place / "log"))[1].splitlines():
            (self._place / "proof").write_text(line + "\n")
            code, out, _ = self._run(
                "verify-proof", str(self._place / "proof"), "--trust", str(self._place / "trust.1"), "-f", "json"
            )
            found.append({"code": code, **json.loads(out)})
        return found


@pytest.fixture
def publisher(run: Run, place: Path) -> Publisher:
    return Publisher(run, place)


@pytest.fixture
def digest(small: BuildResult) -> str:
    """A digest of exactly one configuration, with 3 vCPUs."""
    for row in pq.read_table(small.folder / "sev-snp/launch_digests.parquet").to_pylist():
        if row["vcpus"] == 3 and row["kernel_hashes_sha256"]:
            return str(row["launch_digest"].hex())
    raise AssertionError


def test_a_proof_has_revocations_and_restorations(publisher: Publisher, small: BuildResult, digest: str) -> None:
    publisher.publish(small)
    assert [(found["code"], found["outcome"]) for found in publisher.proved(digest)] == [(0, "match")]
    code, out, err = publisher.revoke("revoked", "--digest", digest, reason="measured with a wrong table")
    assert (code, but_freshness(err)) == (0, "")
    facts = json.loads(out)
    assert (facts["release"], facts["rows"], facts["selector"]) == (2, 1, {"launch_digest": digest})
    (found,) = publisher.proved(digest)
    assert (found["code"], found["outcome"], found["why"]) == (7, "revoked", "measured with a wrong table")
    publisher.revoke("restored", "--vcpus", "3", reason="it was right")
    (found,) = publisher.proved(digest)
    assert (found["code"], found["outcome"], found["why"]) == (0, "match", "the log has this row")
    publisher.revoke("deprecated", "-t", "sev-snp", reason="of last year")
    (found,) = publisher.proved(digest)
    assert (found["code"], found["outcome"]) == (0, "match")
    assert found["why"].endswith("deprecated: of last year")
    assert found["release"] == 4


def test_a_wrong_digest_is_revoked_and_replaced(publisher: Publisher, tmp_path: Path) -> None:
    record = build_of_image(OvmfImage.parse(whole_image()), "whole.fd").to_toml()
    baseline = record.split('snp_baseline = "')[1][:96]
    wrong_text = record.replace(baseline, "00" * 48)
    catalogs = []
    for name, text in (("wrong", wrong_text), ("right", record)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "whole.toml").write_text(text)
        spec = write_spec(
            tmp_path / name,
            'name = "one"\nfirmware = { files = ["whole.toml"] }\n[technologies.sev-snp]\nvmm = ["qemu-kvm-init2"]\n'
            'vcpu_signatures = ["EPYC-Milan"]\nsev_features = [1]\nvcpus = [1]\n',
        )
        catalogs.append(build(spec, tmp_path / name / "catalog").folder)
    wrong, right = (
        str(pq.read_table(folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py().hex())
        for folder in catalogs
    )
    publisher.publish(catalogs[0])
    code, out, err = publisher.publish(catalogs[1])
    assert (code, out) == (2, "")
    assert f"two launch digests, {wrong} and {right}, of technology sev-snp, " in err
    assert "ldcat: hint: revoke the wrong one first: ldcat revoke --digest" in err
    assert publisher.revoke("revoked", "--digest", wrong, reason="a wrong baseline")[0] == 0
    (found,) = publisher.proved(wrong)
    assert (found["code"], found["why"]) == (7, "a wrong baseline")
    code, out, err = publisher.publish(catalogs[1])
    assert (code, but_freshness(err), json.loads(out)["new_rows"]) == (0, "", 1)
    (found,) = publisher.proved(right)
    assert (found["code"], found["outcome"], found["release"]) == (0, "match", 3)
    code, out, err = publisher.revoke("restored", "--digest", wrong)
    assert (code, out) == (2, "")
    assert "two launch digests" in err


def test_every_selector_selects_the_named_rows(publisher: Publisher, small: BuildResult) -> None:
    publisher.publish(small)
    rows = [
        row
        for name in ("sev", "sev-es", "sev-snp")
        for row in pq.read_table(small.folder / name / "launch_digests.parquet").to_pylist()
    ]

    def some(**fields: object) -> int:
        return len({tuple(row.values()) for row in rows if all(row[name] == value for name, value in fields.items())})

    whole = build_of_image(OvmfImage.parse(whole_image()), "whole.fd").component.key
    (table,) = {row["kernel_hashes_sha256"] for row in rows} - {None}
    milan = 0xA00F11
    for selectors, fields in (
        (["--technology", "sev-es"], {"technology": "sev-es"}),
        (["--firmware", "whole.fd"], {"firmware_sha256": whole}),
        (["--firmware", "twin.fd"], {"firmware_sha256": whole}),
        (["--firmware", whole.hex().upper()], {"firmware_sha256": whole}),
        (["--kernel-hashes", "mine"], {"kernel_hashes_sha256": table}),
        (["--kernel-hashes", table.hex()], {"kernel_hashes_sha256": table}),
        (["--kernel-hashes", "none"], {"kernel_hashes_sha256": None}),
        (["--vmm", "ec2-2026"], {"vmm": "ec2-2026"}),
        (["--vcpus", "2"], {"vcpus": 2}),
        (["--vcpu-type", "EPYC-Milan"], {"vcpu_signature": milan}),
        (["--vcpu-signature", "0xa10f10"], {"vcpu_signature": 0xA10F10}),
        (["--vcpu-type", "EPYC-Milan", "--vcpu-signature", str(milan)], {"vcpu_signature": milan}),
        (["--sev-features", "0x21"], {"sev_features": 0x21}),
        (
            ["--vcpus", "3", "-t", "sev-snp", "--sev-features", "1"],
            {"vcpus": 3, "technology": "sev-snp", "sev_features": 1},
        ),
    ):
        assert publisher.rows(*selectors) == some(**fields) > 0, selectors


@pytest.mark.parametrize(
    ("severity", "selectors", "reason", "code", "part"),
    [
        ("revoked", [], "x", 2, "nothing is selected"),
        ("revoked", ["--digest", "xyz"], "x", 3, "not a launch digest"),
        ("revoked", ["--digest", "00" * 48], "x", 2, "no row or endorsed digest with launch_digest"),
        ("revoked", ["--firmware", "whole"], "x", 2, "unknown build 'whole'"),
        ("revoked", ["--firmware", "00" * 32], "x", 2, "no row or endorsed digest with firmware_sha256"),
        ("revoked", ["--kernel-hashes", "yours"], "x", 2, "unknown kernel hashes table 'yours'"),
        ("revoked", ["--technology", "cca"], "x", 2, "unknown technology 'cca'"),
        ("revoked", ["--vmm", "nobody"], "x", 2, "no row or endorsed digest with vmm nobody"),
        ("revoked", ["--vcpus", "0"], "x", 2, "a guest cannot have 0 vCPUs"),
        ("revoked", ["--vcpus", "many"], "x", 2, "is not a number"),
        ("revoked", ["--vcpu-type", "EPYC-Nowhere"], "x", 2, "unknown vcpu type"),
        ("revoked", ["--vcpu-type", "EPYC-Milan", "--vcpu-signature", "1"], "x", 2, "has the vcpu signature"),
        ("revoked", ["--vcpu-signature", "-1"], "x", 2, "is not a 32-bit number"),
        ("revoked", ["--sev-features", "-1"], "x", 2, "no row or endorsed digest with sev_features -0x1"),
        ("restored", ["--vcpus", "2"], "x", 2, "is revoked or deprecated"),
        ("perhaps", ["--vcpus", "2"], "x", 2, "perhaps"),
        ("revoked", ["--vcpus", "2"], "", 2, "the reason is not one line"),
        ("revoked", ["--vcpus", "2"], "a\nb", 2, "the reason is not one line"),
    ],
)
def test_invalid_arguments_are_refused(
    publisher: Publisher,
    small: BuildResult,
    place: Path,
    severity: str,
    selectors: list[str],
    reason: str,
    code: int,
    part: str,
) -> None:
    publisher.publish(small)
    before = (place / "log/checkpoint").read_bytes()
    got, out, err = publisher.revoke(severity, *selectors, reason=reason)
    assert (got, out) == (code, "")
    assert part.lower() in err.lower()
    assert "internal error" not in err
    assert (place / "log/checkpoint").read_bytes() == before


def test_revoke_needs_a_log(publisher: Publisher, run: Run, place: Path) -> None:
    code, out, err = publisher.revoke("revoked", "--vcpus", "1")
    assert (code, out) == (5, "")
    assert "no log at" in err


def test_a_release_has_the_version_of_the_trust_note(publisher: Publisher, small: BuildResult, place: Path) -> None:
    def version(*more: str) -> Any:
        code, out, err = publisher.publish(small, *more)
        assert (code, but_freshness(err).replace("ldcat: note: the log has every row of this catalog\n", "")) == (0, "")
        return json.loads(out)["trust_version"]

    assert version() is None
    assert version("--trust", str(place / "trust.2")) == 2
    assert json.loads(publisher.revoke("revoked", "--vcpus", "2")[1])["trust_version"] == 2
    assert version("--trust", str(place / "trust.3")) == 3
    assert version() == 3
    code, out, err = publisher.publish(small, "--trust", str(place / "trust.1"))
    assert (code, out) == (2, "")
    assert "version 1 of the trust note is older than version 3" in err
    text = Note.parse((place / "trust.3").read_bytes()).text
    (place / "unsigned").write_bytes(bytes(sign_trust(Note(text, ()), [signer("other.example")], NOW)))
    assert publisher.publish(small, "--trust", str(place / "unsigned"))[0] == 6
    assert publisher.publish(small, "--trust", str(place / "nowhere"))[0] == 5
