"""Notes cosigned by other C2SP implementations, under ldcat's policies."""

from __future__ import annotations

import pytest

from catalog.errors import UntrustedSigner
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from tests.real.shared import SHARED
from tests.support.trust_notes import trust_of

INTEROP = SHARED / "vectors/interop"


def test_a_cosignature_with_time_0_is_verified_but_is_no_vote() -> None:
    """From transparency-dev/formats: the note is parsed, and its log and witnesses still count."""
    key = VerifierKey.parse((INTEROP / "formats-mldsa-timestamp-zero.vkey").read_text().strip())
    note = Note.parse((INTEROP / "formats-mldsa-timestamp-zero.note").read_bytes())
    (found,) = note.verify([key])
    assert (found.key, found.timestamp) == (key, 0)
    known = (INTEROP / "policy-ed25519.tlog-policy").read_text()
    policy = known.replace("quorum both\n", f"witness notime {key}\nquorum both\n")
    checkpoint, signers = trust_of(policy).open_checkpoint(note)
    assert checkpoint.origin == "example.com/launch-digests"
    assert key in [by.key for by in signers]
    assert key not in [vote.key for vote in Policy.parse(policy.encode()).votes(signers)]
    with pytest.raises(UntrustedSigner, match="lacks the witness quorum"):
        trust_of(policy.replace("quorum both", "quorum notime")).open_checkpoint(note)


@pytest.mark.parametrize("name", ["policy.tlog-policy", "policy-ed25519.tlog-policy"])
def test_witnesses_of_other_implementations_form_the_quorum(name: str) -> None:
    note = Note.parse((INTEROP / "ldcat-checkpoint-4-cosignatures.note").read_bytes())
    trust = trust_of((INTEROP / name).read_text())
    checkpoint, signers = trust.open_checkpoint(note)
    newest = max(vote.timestamp or 0 for vote in trust.policy.votes(signers))
    assert checkpoint.size
    assert trust.check_fresh(signers, None, newest) <= newest + trust.max_age
