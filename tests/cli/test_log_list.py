"""`ldcat log-list`: the entry of a log for lists that witnesses read."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.transparency.keys import SignatureType
from tests.support.cli import Run
from tests.support.logs import LOG, ORIGIN, PQ_LOG, signer
from tests.support.trust_notes import trust_note

CONTACT = ("--contact", "ops (at) example.com")


@pytest.mark.parametrize("keys", [[LOG.key], [PQ_LOG.key, LOG.key]])
def test_the_ed25519_key_of_the_log_is_listed(run: Run, tmp_path: Path, keys: list[object]) -> None:
    (tmp_path / "trust").write_bytes(bytes(trust_note("".join(f"log {key}\n" for key in keys) + "quorum none\n")))
    code, out, err = run("log-list", *CONTACT, "--trust", str(tmp_path / "trust"))
    assert (code, out, err) == (0, f"logs/v0\n\nvkey {LOG.key}\nqpd 24\ncontact ops (at) example.com\n", "")
    assert "qpd 8640\n" in run("log-list", *CONTACT, "--qpd", "8640", "--trust", str(tmp_path / "trust"))[1]


@pytest.mark.parametrize(
    ("keys", "options", "code", "message"),
    [
        ([PQ_LOG.key], CONTACT, 2, f"{ORIGIN} has 0 Ed25519 keys"),
        ([LOG.key, signer(ORIGIN, SignatureType.ED25519, 1).key], CONTACT, 2, f"{ORIGIN} has 2 Ed25519 keys"),
        ([LOG.key], (*CONTACT, "--qpd", "0"), 3, "requests a day: 0"),
        ([LOG.key], ("--contact", "a\nb"), 3, "a contact is one line"),
    ],
)
def test_what_cannot_be_listed(
    run: Run, tmp_path: Path, keys: list[object], options: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "trust").write_bytes(bytes(trust_note("".join(f"log {key}\n" for key in keys) + "quorum none\n")))
    got, out, err = run("log-list", *options, "--trust", str(tmp_path / "trust"))
    assert (got, out, err.startswith(f"ldcat: error: {message}")) == (code, "", True), err
