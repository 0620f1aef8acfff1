"""`ldcat prove`, `verify-proof` and `trust`: checking a digest with only a proof and a trust note."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.ask.evidence_notes import REPORT_NOT_VERIFIED
from catalog.build.builder import BuildResult
from tests.support.attestation_builder import report_bytes
from tests.support.catalogs import digest_by_kernel
from tests.support.cli import NOWHERE, Run

ORIGIN = "example.com/digests"
DEBUG = "the guest policy allows debugging: the host can read and change the guest's memory"
NO_KERNEL = "no kernel hashes were measured: the host chose what the firmware boots"
UNVERIFIED = REPORT_NOT_VERIFIED.text


@pytest.fixture
def digest(small: BuildResult) -> str:
    found: bytes = pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py()
    return found.hex()


@pytest.fixture
def place(run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys, a log and a trust note."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log_key = run("keygen", ORIGIN, "-o", str(tmp_path / "log.key"))[1].strip()
    roots = [run("keygen", f"root.example/{r}", "-o", str(tmp_path / r), "--for", "root")[1].strip() for r in "abc"]
    (tmp_path / "policy").write_text("".join(f"log {key}\n" for key in log_key.splitlines()) + "quorum none\n")
    assert run("publish", str(small.folder), "--log", str(tmp_path / "log"), "--key", str(tmp_path / "log.key"))[0] == 0
    named = [part for role, key in zip("abc", roots, strict=True) for part in ("--root", f"{role}={key}")]
    for version in ("1", "2"):
        made = run(
            "trust", "init", "--policy", str(tmp_path / "policy"), *named, "--threshold", "2", "--version", version
        )
        (tmp_path / "text").write_text(made[1])
        for root in "ab":
            code, out, err = run("trust", "sign", str(tmp_path / "text"), "--key", str(tmp_path / root))
            assert (code, err) == (0, "")
            (tmp_path / "text").write_text(out)
        (tmp_path / "text").rename(tmp_path / f"trust.{version}")
    return tmp_path


def test_from_a_digest_to_a_match(run: Run, place: Path, digest: str) -> None:
    code, out, err = run("prove", digest, "--catalog", str(place / "log"))
    assert code == 0
    (place / "proof").write_text(out.splitlines()[0] + "\n")
    verify = ("verify-proof", str(place / "proof"), "--trust", str(place / "trust.1"))
    code, out, err = run(*verify)
    assert (code, err) == (0, "")
    assert out.startswith("match\n")
    assert digest in out
    assert re.findall(r"^  signed by +(.*)$", out, re.MULTILINE) == [
        f"{ORIGIN} (Ed25519)",
        f"{ORIGIN} (ML-DSA-44 cosignature)",
    ]
    (place / "report").write_bytes(report_bytes(measurement=bytes.fromhex(digest)))
    code, out, _ = run(*verify, "--report", str(place / "report"), "-f", "json")
    assert (code, json.loads(out)["outcome"]) == (0, "match")
    assert "trusted" not in out
    assert run(*verify, "--report", NOWHERE)[0] == 1
    (place / "bad").write_text((place / "proof").read_text().replace("index", "Index"))
    assert run("verify-proof", str(place / "bad"), *verify[2:])[0] == 4


def test_verification_by_hand(run: Run, place: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All output is a script, with the verdict as a comment."""
    monkeypatch.setenv("TMPDIR", str(place))
    (place / "proof").write_text(run("prove", digest, "--catalog", str(place / "log"))[1].splitlines()[0] + "\n")
    verify = ("verify-proof", str(place / "proof"), "--trust", str(place / "trust.1"), "--show")
    code, out, err = run(*verify)
    assert (code, err) == (0, "")
    assert out.startswith("# match\n#   why ")
    done = subprocess.run(["sh"], input=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert subprocess.run(["sh"], input=out.replace(digest, NOWHERE), capture_output=True, text=True).returncode != 0
    code, out, _ = run(*verify, "--report", NOWHERE)
    assert (code, subprocess.run(["sh"], input=out, capture_output=True, text=True).returncode) == (1, 1)
    code, out, err = run(*verify, "-f", "json")
    assert (code, out) == (2, "")


def test_a_digest_that_is_not_in_the_log(run: Run, place: Path) -> None:
    code, out, err = run("prove", NOWHERE, "--catalog", str(place / "log"))
    assert (code, out) == (1, "")
    assert err.startswith("ldcat: note: no configuration")


def test_trust_notes(run: Run, place: Path) -> None:
    code, out, _ = run("trust", "show", str(place / "trust.1"), "-f", "json")
    assert code == 0
    assert (json.loads(out)["version"], list(json.loads(out)["roots"])) == (1, ["a", "b", "c"])
    assert run("trust", "check", str(place / "trust.1"), str(place / "trust.2"))[1] == "version 2 follows version 1\n"
    code, out, _ = run("trust", "check", str(place / "trust.2"), str(place / "trust.1"))
    assert (code, out) == (4, "")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("prove", NOWHERE, "--catalog", "{tmp}"), 5, "no log at"),
        (("prove", "xyz", "--catalog", "{tmp}/log"), 3, "not a launch digest"),
        (("verify-proof", "{tmp}/nowhere", "--trust", "{tmp}/trust.1"), 5, "nowhere"),
        (("verify-proof", "{tmp}/policy", "--trust", "{tmp}/policy"), 3, "this is a trust policy"),
        (("trust", "init", "--policy", "{tmp}/policy", "--root", "a", "--threshold", "1"), 2, "is not a root key"),
        (("trust", "init", "--policy", "{tmp}/policy", "--root", "a=b", "--threshold", "1"), 3, "verifier key"),
        (("trust", "sign", "{tmp}/policy", "--key", "{tmp}/a"), 3, "trust note"),
        (("trust", "sign", "{tmp}/trust.1", "--key", "{tmp}/policy"), 3, "has no private keys"),
        (("trust", "show", "{tmp}/log/checkpoint"), 3, "trust note"),
    ],
)
def test_invalid_arguments_are_refused(run: Run, place: Path, arguments: tuple[str, ...], code: int, part: str) -> None:
    got, out, err = run(*(argument.format(tmp=place) for argument in arguments))
    assert (got, out) == (code, "")
    assert part in err
    assert "internal error" not in err


def test_a_threshold_of_all_roots_is_refused(run: Run, place: Path) -> None:
    keys = [line.split()[2] for line in (place / "trust.1").read_text().splitlines() if line.startswith("root ")]
    named = ("--root", f"a={keys[0]}", "--root", f"b={keys[1]}")
    code, _, err = run("trust", "init", "--policy", str(place / "policy"), *named, "--threshold", "2")
    assert code == 2
    assert "cannot be met once one is lost" in err


def test_a_trust_note_is_shown_key_by_key(run: Run, place: Path) -> None:
    code, out, err = run("trust", "show", str(place / "trust.1"))
    assert (code, err) == (0, "")
    keys = json.loads(run("trust", "show", str(place / "trust.1"), "-f", "json")[1])
    for role, key in keys["roots"].items():
        name, key_id, _ = key.split("+")[:3]
        assert re.search(rf"root {role} +{re.escape(name)}\+{key_id} \(Ed25519\)\n", out)
    assert len(re.findall(r"  log  .*\((Ed25519|ML-DSA-44 cosignature)\)\n", out)) == 2
    assert re.search(r"  expires +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", out)
    assert re.search(r"  threshold +2 of 3 roots\n", out)


def test_a_report_is_not_verified_by_a_proof(run: Run, place: Path, small: BuildResult) -> None:
    """The notes are those of a lookup, and a danger comes first."""
    digest = digest_by_kernel(small, "sev-snp", kernel=False)
    (place / "proof").write_text(run("prove", digest, "--catalog", str(place / "log"))[1].splitlines()[0] + "\n")
    (place / "forged").write_bytes(report_bytes(measurement=bytes.fromhex(digest), policy=0xB0000))
    verify = ("verify-proof", str(place / "proof"), "--trust", str(place / "trust.1"))
    code, out, err = run(*verify, "--report", str(place / "forged"))
    assert (code, err) == (0, "")
    first, title, *rest = out.splitlines()
    assert (first, title) == (f"DANGER: {DEBUG}", "match")
    assert rest[-2:] == [f"  warning: {UNVERIFIED}", f"  warning: {NO_KERNEL}"]
    found = run("lookup", str(place / "forged"))[1]
    assert first in found.splitlines()
    assert NO_KERNEL in found
    code, out, err = run(*verify, "--report", str(place / "forged"), "-f", "json")
    codes = ["debug-allowed", "report-not-verified", "digest-covers-no-kernel"]
    assert [note["code"] for note in json.loads(out)["notes"]] == codes
    assert err.splitlines() == [f"ldcat: note: {text}" for text in (DEBUG, UNVERIFIED, NO_KERNEL)]
    out = run(*verify, "--report", digest)[1]
    assert (DEBUG in out, UNVERIFIED in out, NO_KERNEL in out) == (False, False, True)
    digest = digest_by_kernel(small, "sev-snp", kernel=True)
    (place / "proof").write_text(run("prove", digest, "--catalog", str(place / "log"))[1].splitlines()[0] + "\n")
    assert "warning" not in run(*verify)[1]
    shown = run(*verify, "--report", str(place / "forged"), "--show")[1]
    assert f"# DANGER: {DEBUG}\n" in shown


def test_a_bare_tlog_proof_is_never_a_match(run: Run, place: Path, digest: str) -> None:
    """It is verified as a bundle is, and does not show revocations: exit code 15."""
    code, out, err = run("prove", digest, "--catalog", str(place / "log"), "--tlog-proof")
    assert (code, err) == (0, "")
    assert out.startswith("c2sp.org/tlog-proof@v1\nextra ")
    heartbeat = run("keygen", "example.com/heartbeat", "-o", str(place / "heart"), "--for", "witness")[1].split()
    policy = (place / "policy").read_text().replace("quorum", f"witness heart {heartbeat[0]}\nquorum")
    (place / "policy").write_text(policy)
    key = run("keygen", "root.example/d", "-o", str(place / "d"), "--for", "root")[1].strip()
    made = run("trust", "init", "--policy", str(place / "policy"), "--root", f"d={key}", "--threshold", "1")
    (place / "text").write_text(made[1])
    (place / "trust").write_text(run("trust", "sign", str(place / "text"), "--key", str(place / "d"))[1])
    verify = ("verify-proof", str(place / "proof"), "--trust", str(place / "trust"))
    (place / "proof").write_text(out)
    assert run(*verify)[:1] == (8,)  # nobody says when
    cosign = ("cosign", "--log", str(place / "log"), "--trust", str(place / "trust"), "--key", str(place / "heart"))
    assert run(*cosign, "--heartbeat", "-q")[0] == 0
    out = run("prove", digest, "--catalog", str(place / "log"), "--tlog-proof")[1]
    (place / "proof").write_text(out)
    code, shown, err = run(*verify)
    assert (code, shown.splitlines()[0], digest in shown) == (15, "included", True)
    assert (err, "  warning: a bare tlog-proof does not show whether the row is revoked" in shown) == ("", True)
    code, shown, _ = run(*verify, "--report", digest, "-f", "json")
    assert (code, json.loads(shown)["outcome"]) == (15, "included")
    assert run(*verify, "--report", NOWHERE)[0] == 1
    first, extra, rest = out.split("\n", 2)
    (place / "proof").write_text(f"{first}\n{rest}")
    (place / "leaf").write_bytes(base64.b64decode(extra.removeprefix("extra ")) + b"\n")
    assert run(*verify)[0] == 4
    assert run(*verify, "--leaf", str(place / "leaf"))[0] == 15
    code, _, err = run(*verify, "--accept-older", "1d")
    assert (code, "a bare tlog-proof shows no revocations" in err) == (2, True)
    code, _, err = run(*verify, "--show")
    assert (code, "--show needs a proof bundle" in err) == (2, True)
    (place / "proof").write_text(run("prove", digest, "--catalog", str(place / "log"))[1].splitlines()[0])
    code, _, err = run(*verify, "--leaf", str(place / "leaf"))
    assert (code, "a proof bundle contains its leaf" in err) == (2, True)


def test_a_stapled_proof_that_is_older_than_what_was_seen(run: Run, place: Path, digest: str) -> None:
    own = ("--log", str(place / "log"), "--key", str(place / "log.key"))
    use = ("--catalog", str(place / "log"), "--trust", str(place / "trust.1"))
    (place / "proof").write_text(run("prove", digest, "--catalog", str(place / "log"))[1].splitlines()[0] + "\n")
    revoke = ("revoke", *own, "--severity", "revoked", "--reason", "boots any kernel", "--digest", digest)
    assert run(*revoke)[0] == 0
    assert run("lookup", digest, *use)[0] == 7  # so this machine sees the later checkpoint, and its revocations
    verify = ("verify-proof", str(place / "proof"), "--trust", str(place / "trust.1"))
    code, out, err = run(*verify)
    assert (code, out.startswith("older-than-seen\n")) == (9, True)
    assert (
        err == "ldcat: hint: get a newer proof, or accept one that was cosigned a short time ago: --accept-older 12h\n"
    )
    code, out, err = run(*verify, "--accept-older", "12h", "-f", "json")
    assert (code, json.loads(out)["outcome"], json.loads(out)["why"]) == (7, "revoked", "boots any kernel")
    assert "ldcat: note: this proof is older than what was seen of the log: " in err
    assert run(*verify, "--accept-older", "12h", "-f", "json", "-q")[2] == ""
    (kept,) = (place / "state/ldcat/seen").glob("*.revocations.json")
    kept.unlink()
    code, out, err = run(*verify, "--accept-older", "12h")
    assert (code, out.startswith("older-than-seen\n")) == (9, True)
    assert "1 revocation of this log was seen since, and the list is not on this machine" in out
    assert err == "ldcat: hint: get a newer proof: it has the list\n"
    code, out, err = run(*verify, "--accept-older", "8d")
    assert (code, out) == (2, "")
    assert err.startswith("ldcat: error: 8 days is longer than max-age of the trust note, 7 days\nldcat: hint: ")
    code, out, err = run(*verify, "--accept-older", "soon")
    assert (code, "'soon' is not a duration" in err) == (2, True)
