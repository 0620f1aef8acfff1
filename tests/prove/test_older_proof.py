"""A proof older than what was seen of its log: refused, unless the user accepts it; then later revocations count."""

from __future__ import annotations

import pytest

from catalog.log.revocation_chain import RevocationChain, chain_revocations
from catalog.log.revocation_list import Revocation
from catalog.log.seen import Seen
from catalog.prove.proof_by_hand import lines_by_hand
from catalog.prove.verdict import Outcome, Verdict
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.checkpoint import Checkpoint
from catalog.values import replace
from tests.support.logs import DAY, NOW
from tests.support.proof_bundles import bundle_of, in_format_1

ORIGIN = "example.com/log"
HOUR = 3600
BUNDLE, TRUST = bundle_of(ORIGIN)
CHECKPOINT = Checkpoint.parse(BUNDLE.checkpoint.text)
LISTED = BUNDLE.revocations
REVOKED = Revocation(selector={"technology": "sev"}, severity="revoked", reason="boots any kernel")
LATER = (*LISTED, REVOKED)
NEWER = replace(CHECKPOINT, size=CHECKPOINT.size + 5, root=bytes(32))


def ask(seen: Seen, accept_older: int | None = DAY, now: int = NOW + 2 * HOUR, data: bytes = bytes(BUNDLE)) -> Verdict:
    return verify_bundle(data, TRUST, now=now, seen={ORIGIN: seen}, digest=None, accept_older=accept_older)


def seen(listed: tuple[Revocation, ...] | None, chain: RevocationChain | None = None) -> Seen:
    return Seen(NEWER, chain if listed is None else chain_revocations(listed), commits=True, listed=listed)


def test_it_is_refused_by_default_and_the_hint_names_the_option() -> None:
    found = ask(seen(LISTED), None)
    assert (found.outcome, found.outcome.exit_code, found.row) == (Outcome.OLDER, 9, None)
    assert found.why == f"a checkpoint of {NEWER.size} leaves was seen before"
    assert found.hint is not None
    assert "--accept-older 12h" in found.hint


@pytest.mark.parametrize("data", [bytes(BUNDLE), in_format_1(BUNDLE)])
def test_it_is_accepted_with_a_note_that_says_how_much_older_it_is(data: bytes) -> None:
    found = ask(seen(LISTED), data=data)
    assert (found.outcome, found.newest, found.listed) == (Outcome.MATCH, None, LISTED)
    text = "this proof is older than what was seen of the log: 7 of 12 leaves, last confirmed 2 hours ago"
    assert [(note.code, note.text) for note in found.notes] == [("older-proof-accepted", text)]
    assert found.fresh_until == NOW + TRUST.max_age
    assert lines_by_hand(data, found)[-1] == ")"


def test_later_revocations_are_applied() -> None:
    found = ask(seen(LATER))
    assert (found.outcome, found.why, found.status) == (Outcome.REVOKED, REVOKED.reason, REVOKED)
    assert [note.code for note in found.notes] == ["older-proof-accepted"]
    assert "exit 7 # revoked" in lines_by_hand(bytes(BUNDLE), found)
    restored = replace_severity(REVOKED, "restored")
    assert ask(seen((*LATER, restored))).why == "the log has this row"


def replace_severity(one: Revocation, severity: str) -> Revocation:
    return Revocation(selector=one.selector, severity=severity, reason=one.reason)  # type: ignore[arg-type]


def test_it_says_that_later_revocations_are_not_known() -> None:
    """Nothing was kept of them by the version of ldcat that saw the newer checkpoint."""
    found = ask(seen(None, None))
    assert found.outcome is Outcome.MATCH
    assert [note.code for note in found.notes] == ["older-proof-accepted", "later-revocations-unknown"]
    text = "the revocations since then are not known on this machine: one of them may revoke the row"
    assert found.notes[1].text == text


@pytest.mark.parametrize(
    ("later", "how_many"), [((REVOKED,), "1 revocation of this log was"), ((REVOKED,) * 2, "2 revo")]
)
def test_it_is_refused_if_revocations_were_seen_whose_list_is_gone(
    later: tuple[Revocation, ...], how_many: str
) -> None:
    """One of them may be what the proof hides."""
    found = ask(seen(None, chain_revocations((*LISTED, *later))))
    assert (found.outcome, found.row) == (Outcome.OLDER, None)
    assert found.why.startswith(how_many)
    assert found.hint == "get a newer proof: it has the list"


def test_without_later_revocations_nothing_is_unknown() -> None:
    assert [note.code for note in ask(seen(None, chain_revocations(LISTED))).notes] == ["older-proof-accepted"]


@pytest.mark.parametrize("others", [(REVOKED,), (), (REVOKED, *LISTED)])
@pytest.mark.parametrize("known", [True, False])
def test_a_later_list_has_to_begin_with_that_of_the_proof(others: tuple[Revocation, ...], known: bool) -> None:
    found = ask(seen(others) if known else seen(None, chain_revocations(others)))
    if not known and len(others) > len(LISTED):
        assert found.outcome is Outcome.OLDER
        return
    assert (found.outcome, found.row, found.outcome.exit_code) == (Outcome.FALSE, None, 11)
    assert "later" in found.why


def test_what_is_older_than_the_duration_is_refused() -> None:
    assert ask(seen(LISTED), DAY, NOW + DAY).outcome is Outcome.MATCH
    found = ask(seen(LISTED), DAY, NOW + DAY + 1)
    assert (found.outcome, found.row) == (Outcome.OLDER, None)
    assert (
        found.why
        == f"a checkpoint of {NEWER.size} leaves was seen before, and this one was last confirmed 24 hours ago"
    )
    assert found.hint == "get a newer proof: this command accepts those of the last 24 hours"


def test_what_is_ahead_of_this_clock_has_no_age() -> None:
    found = ask(seen(LISTED), 1, NOW - 60)
    assert (found.outcome, found.notes[0].text.endswith(" last confirmed 0 seconds ago")) == (Outcome.MATCH, True)


def test_what_is_stale_or_forked_is_refused_all_the_same() -> None:
    assert ask(seen(LISTED), 90 * DAY, NOW + 8 * DAY).outcome is Outcome.STALE
    fork = Seen(replace(CHECKPOINT, root=bytes(32)), chain_revocations(LISTED), listed=LISTED)
    assert ask(fork).outcome is Outcome.BAD
    broken = replace(BUNDLE, row=replace(BUNDLE.row, index=1))
    assert ask(seen(LISTED), data=bytes(broken)).outcome is Outcome.BAD


def test_the_option_changes_nothing_for_a_proof_that_is_not_older() -> None:
    for before in (Seen(CHECKPOINT, chain_revocations(LISTED)), Seen(replace(CHECKPOINT, size=1), None)):
        assert ask(before) == ask(before, None)
        assert ask(before).newest == BUNDLE.checkpoint
