"""The commands of `verify-proof --show`, executed: they succeed for a valid proof, and fail for each changed part."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.proof_by_hand import lines_by_hand
from catalog.prove.verdict import verdict_to_dict
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Verified
from catalog.transparency.trust import Trust
from catalog.values import replace
from tests.support.logs import NOW, at_no_time, signer
from tests.support.proof_bundles import DIGEST, bundle_of, signers_of

NASTY = "';touch${IFS}pwned;'$(touch${IFS}pwned)`touch${IFS}pwned`\\%s\"!!\u202e&|#"
"""An origin with every character that is allowed: no spaces and no plus."""

SHELLS = [shell for shell in ("sh", "bash") if shutil.which(shell)]


def script(bundle: ProofBundle, trust: Trust, digest: str | None = None, now: int = NOW) -> list[str]:
    verdict = verify_bundle(bytes(bundle), trust, now=now, seen={}, digest=digest)
    return "\n".join(lines_by_hand(bytes(bundle), verdict)).split("\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which mktemp makes its folders."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def run(lines: Sequence[str], place: Path, shell: str = "sh") -> int:
    done = subprocess.run([shell], input="\n".join([*lines, ""]), cwd=place, capture_output=True, text=True)
    assert not list(place.rglob("pwned"))
    return done.returncode


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("origin", ["example.com/log", NASTY])
@pytest.mark.parametrize("index", [0, 3, 5])
def test_a_valid_proof_succeeds(place: Path, shell: str, origin: str, index: int) -> None:
    bundle, trust = bundle_of(origin, index)
    assert run(script(bundle, trust), place, shell) == 0


def with_ml_dsa(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An openssl that verifies ML-DSA-44 like version 3.5, by means of the cryptography library."""
    folder = place / "bin"
    folder.mkdir()
    verifier = f"#!{sys.executable} -I\n{ML_DSA}"
    for name, text in {"openssl": OPENSSL.format(shutil.which("openssl")), "ml-dsa": verifier}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


OPENSSL = """#!/bin/sh
[ "$1" = list ] && exec echo "  {{ 2.16.840.1.101.3.4.3.17, id-ml-dsa-44, ML-DSA-44, MLDSA44 }} @ default"
[ "$(wc -c < key)" -lt 1312 ] && exec {} "$@"  # bytes of a public key of ML-DSA-44: it is another one
exec ml-dsa "$@"
"""
ML_DSA = """
import sys
assert sys.argv[2:-1] == "-verify -rawin -pubin -inkey key -sigfile signature -in".split()
from cryptography.hazmat.primitives.serialization import load_pem_public_key
load_pem_public_key(open("key", "rb").read()).verify(open("signature", "rb").read(), open(sys.argv[-1], "rb").read())
"""
DATA = re.compile(
    r"""[A-Za-z0-9+/]{40,}|"launch_digest":"ab|^printf '%s.n' exa|time 1|153.111|example.com/log$|'.017"""
)


@pytest.mark.parametrize("ml_dsa", [False, True])
def test_every_change_fails(place: Path, monkeypatch: pytest.MonkeyPatch, ml_dsa: bool) -> None:
    """Each piece of data and each step up the tree; of ML-DSA only if openssl supports it."""
    lines = script(*bundle_of("example.com/log", index=5))
    last = next(n for n, line in enumerate(lines) if line == "fi")
    first = max(n for n, line in enumerate(lines[:last]) if line.startswith("# signature"))
    if ml_dsa:
        with_ml_dsa(place, monkeypatch)
    assert run(lines, place) == 0
    failed = 0
    for n, line in enumerate(lines):
        if line.startswith("#") or ml_dsa != (first < n < last):
            continue
        changed = [line[:at] + ("A" if line[at] == "B" else "B") + line[at + 1 :] for at in places(line)]
        if "sibling" in line:
            changed += ["", re.sub(r"cat - (\w+) (\w+)", r"cat - \2 \1", line)]
        for other in changed:
            assert run([*lines[:n], other, *lines[n + 1 :]], place) != 0, other
            failed += 1
    assert failed > (5 if ml_dsa else 15)


def places(line: str) -> list[int]:
    """Where to exchange a character: in the middle of each piece of data."""
    return [(piece.start() + piece.end()) // 2 for piece in DATA.finditer(line)]


def test_the_exit_code_matches_the_verdict(place: Path) -> None:
    bundle, trust = bundle_of("example.com/log")
    assert run(script(bundle, trust, DIGEST), place) == 0
    assert run(script(bundle, trust, "00" * 32), place) == 1
    assert run(script(*bundle_of("example.com/log", severity="revoked")), place) == 7


def comments_of(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match("# (a vote|not a vote|no quorum|the quorum|fresh)", line)]


def test_age_and_quorum_are_printed_as_counted(place: Path) -> None:
    """The log's own time does not count, nor does a cosignature without a time; the votes decide freshness."""
    bundle, trust = bundle_of("example.com/log")
    lines = script(bundle, trust)
    own = "# not a vote, and does not count for the age: it is the log's own, or not of a witness"
    until = trust.fresh_until([Verified(signers_of("example.com/log")[2].key, NOW)], None, NOW)
    assert comments_of(lines) == [
        *[own] * 2,
        f"# a vote at {NOW}",
        "# the quorum w has to be satisfied by votes no older than max-age",
        f"# fresh until {until}: date -u -d @{until}; it is now: date +%s",
    ]
    spare = signer("spare.example", SignatureType.COSIGNATURE_ED25519)
    text = bundle.checkpoint.text
    note = bundle.checkpoint.with_signatures([at_no_time(spare, text)])
    more = replace(bundle, checkpoint=note)
    for quorum, comment in (("w", "the quorum w"), ("none", "no quorum is required")):
        policy = trust.policy_text.replace("quorum w\n", f"witness spare {spare.key}\nquorum {quorum}\n")
        found = Trust.parse(str(trust).replace(trust.policy_text, policy))
        lines = script(more, found)
        assert "# not a vote, and does not count for the age: it states no time" in lines
        assert any(line.startswith(f"# {comment}") for line in lines)
        assert run(lines, place) == 0
    verdict = verdict_to_dict(verify_bundle(bytes(more), found, now=NOW, seen={}, digest=None))
    assert [(one["name"], one["votes"]) for one in verdict["signers"]][2:] == [
        (signers_of("example.com/log")[2].key.name, True),
        ("spare.example", False),
    ]


def test_an_unverified_proof_is_not_shown(place: Path) -> None:
    bundle, trust = bundle_of(NASTY)
    other = bundle_of("example.com/log")[1]
    for lines, code in ((script(bundle, other), 6), (script(bundle, trust, now=NOW + 8 * 86400), 8)):
        assert len(lines) == 2
        assert run(lines, place) == code


def test_a_false_commitment_is_not_shown(place: Path) -> None:
    bundle, trust = bundle_of("example.com/log", chain="11" * 32)
    lines = script(bundle, trust)
    assert lines == ["# not verified: nothing to show", "(exit 11)"]
    assert run(lines, place) == 11
