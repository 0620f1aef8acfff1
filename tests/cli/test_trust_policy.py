"""`ldcat trust init` and `rotate`: impossible policies, notes about quorums, and notes that require all signatures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.publish.key_files import KeyPair, new_key, write_keys
from catalog.terminal.moments import moment
from catalog.transparency.keys import SignatureType, VerifierKey
from tests.support.cli import Run
from tests.support.logs import NOW, signer

ORIGIN = "example.com/log"
LOG = signer(ORIGIN).key
W1, W2, W3 = (signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519).key for n in (1, 2, 3))
W1_PQ = signer("w1.example", SignatureType.COSIGNATURE_ML_DSA_44).key
ALIAS = VerifierKey("alias.example", SignatureType.COSIGNATURE_ED25519, LOG.public_key)
OWN = signer(ORIGIN, SignatureType.COSIGNATURE_ED25519, 1).key
WITNESSES = f"log {LOG}\nwitness w1 {W1}\nwitness pq {W1_PQ}\nwitness w2 {W2}\nwitness w3 {W3}\n"
ROOT = ("--root", f"a={signer('root.example').key}", "--threshold", "1")


def init(run: Run, folder: Path, lines: str, *more: str) -> tuple[int, str, str]:
    (folder / "policy").write_text(f"{lines}\n")
    return run("trust", "init", "--policy", str(folder / "policy"), *ROOT, *more)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (f"{WITNESSES}group two 2 w1 pq\nquorum two", "quorum two: is not reached even if all cosign"),
        (f"{WITNESSES}group three 3 w1 pq w2\nquorum three", "quorum three: is not reached even if all cosign"),
        (f"{WITNESSES}witness own {OWN}\nquorum own", f"witness own: has the name of the log {ORIGIN}"),
        (f"{WITNESSES}witness a {ALIAS}\nquorum w1", f"witness a: has the public key of the log {ORIGIN}"),
    ],
)
def test_a_policy_that_cannot_be_satisfied_is_refused(run: Run, tmp_path: Path, lines: str, message: str) -> None:
    code, out, err = init(run, tmp_path, lines)
    assert (code, out) == (2, "")
    assert err.startswith(f"ldcat: error: the policy: {message}")
    _, first, _ = init(run, tmp_path, f"log {LOG}\nquorum none")
    code, note = signed(run, tmp_path, first)
    (tmp_path / "policy").write_text(f"{lines}\n")
    code, out, err = run("trust", "rotate", str(note), "--policy", str(tmp_path / "policy"))
    assert (code, out) == (2, "")
    assert message in err


def signed(run: Run, folder: Path, text: str) -> tuple[int, Path]:
    """A trust note with this text, in which its root key is replaced by a new one that signs it."""
    pair = new_key("root.example", SignatureType.ED25519)
    write_keys(folder / "root", [pair], None)
    (folder / "text").write_text(text.replace(str(signer("root.example").key), str(pair.key)))
    code, out, _ = run("trust", "sign", str(folder / "text"), "--key", str(folder / "root"))
    (folder / "root").unlink()
    (folder / "root.pub").unlink()
    (folder / "note").write_text(out)
    return code, folder / "note"


@pytest.mark.parametrize(
    ("lines", "notes"),
    [
        ("group two 2 w1 w2 w3\nquorum two", []),
        ("group w1s any w1 pq\ngroup two 2 w1s w2 w3\nquorum two", []),
        ("quorum none", []),
        ("quorum w1", ["warning: the policy: quorum w1: is reached by w1.example alone", "is not reached without w1"]),
        ("group any1 any w1 w2 w3\nquorum any1", ["is reached by w1.example alone, or by w2.example alone"]),
        ("group both all w1 w2\nquorum both", ["is not reached without w1.example, nor without w2.example"]),
        (
            "group two 2 w1 pq w2 w3\nquorum two",
            ["note: the policy: group two: w1 and pq are keys of one witness, w1.example: they count once; nothing"],
        ),
        (
            "group w1s all w1 pq\ngroup two 2 w1s w2 w3\nquorum two",
            ["note: the policy: group w1s: w1 and pq are keys of one witness, w1.example: each has to sign"],
        ),
    ],
)
def test_weak_quorums_are_noted(run: Run, tmp_path: Path, lines: str, notes: list[str]) -> None:
    code, out, err = init(run, tmp_path, f"{WITNESSES}{lines}")
    assert (code, out.startswith("version 1\n")) == (0, True)
    assert len(err.splitlines()) == len(notes)
    for line, part in zip(err.splitlines(), notes, strict=True):
        assert part in line


def test_a_trust_note_requires_all_signatures_of_its_log(run: Run, small: BuildResult, tmp_path: Path) -> None:
    pairs = [new_key(ORIGIN, kind) for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44)]
    logs = "".join(f"log {pair.key}\n" for pair in pairs) + "quorum none"
    either, every = init(run, tmp_path, logs)[1], init(run, tmp_path, logs, "--log-signatures", "all")[1]
    assert every.replace("log-signatures all\n", "") == either
    note = signed(run, tmp_path, every)[1]
    assert json.loads(run("trust", "show", str(note), "-f", "json")[1])["log_signatures"] == "all"
    assert "all that are named" in run("trust", "show", str(note))[1]
    assert "log-signatures all\n" in run("trust", "rotate", str(note))[1]
    assert "log-signatures" not in run("trust", "rotate", str(note), "--log-signatures", "any")[1]
    code, _, err = publish(run, small, tmp_path, note, pairs[:1])
    assert code == 2
    assert "the trust note demands all signatures of the log" in err
    assert publish(run, small, tmp_path, note, pairs)[0] == 0
    assert run("doctor", str(tmp_path / "log"), "--trust", str(note))[0] == 0
    published = tmp_path / "log/checkpoint"
    lines = published.read_text().splitlines(keepends=True)
    for without in (-1, -2):
        published.write_text("".join(line for line in lines if line is not lines[without]))
        code, out, _ = run("doctor", str(tmp_path / "log"), "--trust", str(note))
        assert code == 1
        assert "the trust note demands all signatures of the log" in out
        place = ("--catalog", str(tmp_path / "log"), "--trust", str(note))
        assert run("lookup", "0" * 96, *place)[0] == 6
        code, _, _ = run("lookup", "0" * 96, *place[:2], "--trust", str(signed(run, tmp_path, either)[1]))
        assert code == 1  # which either signature satisfies
        note = signed(run, tmp_path, every)[1]


def publish(run: Run, built: BuildResult, folder: Path, note: Path, pairs: list[KeyPair]) -> tuple[int, str, str]:
    key = folder / f"log{len(pairs)}.key"
    write_keys(key, pairs, None)
    where = ("--log", str(folder / "log"), "--key", str(key), "--trust", str(note), "-q")
    return run("publish", str(built.folder), *where)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (NOW, "2027-01-15 08:00:00 UTC"),
        (0, "1970-01-01 00:00:00 UTC"),
        (1 << 40, f"{1 << 40} seconds after 1970"),
        ((1 << 63) - 1, f"{(1 << 63) - 1} seconds after 1970"),
    ],
)
def test_every_time_can_be_printed(seconds: int, text: str) -> None:
    assert moment(seconds) == text


def test_a_policy_is_printed_for_other_tools(run: Run, tmp_path: Path) -> None:
    """Whole, or with Ed25519 keys only; its last line may lack the newline when it is read."""
    pq = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44).key
    lines = f"log {pq}\n{WITNESSES}group two 2 w1 pq w2 w3\nquorum two"
    _, text, _ = init(run, tmp_path, lines)
    (tmp_path / "policy").write_text(lines)
    code, same, _ = run("trust", "init", "--policy", str(tmp_path / "policy"), *ROOT)
    assert (code, same.partition("\n\n")[2]) == (0, text.partition("\n\n")[2])
    _, note = signed(run, tmp_path, text)
    code, out, err = run("trust", "show", str(note), "--policy")
    assert (code, out) == (0, f"{lines}\n")
    assert err == (
        "ldcat: note: a policy does not say that the trust note expires, nor that a checkpoint is stale after 604800 "
        "seconds\n"
    )
    code, out, _ = run("trust", "show", str(note), "--policy", "--algorithm", "ed25519")
    witnesses = f"witness w1 {W1}\nwitness w2 {W2}\nwitness w3 {W3}\n"
    assert (code, out) == (0, f"log {LOG}\n{witnesses}group two 2 w1 w2 w3\nquorum two\n")
    code, out, err = run("trust", "show", str(note), "--algorithm", "ed25519")
    assert (code, out, "--algorithm is for a policy" in err) == (2, "", True)
    code, out, err = run("trust", "show", str(note), "--policy", "--format", "json")
    assert (code, out, "no format json" in err) == (2, "", True)
    _, all_of_them = signed(run, tmp_path, init(run, tmp_path, lines, "--log-signatures", "all")[1])
    code, out, err = run("trust", "show", str(all_of_them), "--policy", "--algorithm", "ed25519")
    assert (code, out, "log-signatures all" in err) == (2, "", True)
    assert "nor that all keys of the log have to sign" in run("trust", "show", str(all_of_them), "--policy")[2]
