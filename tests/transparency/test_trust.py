"""Trust notes: their contents, and rotation, which takes the signatures of both the old and the new roots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from catalog.errors import LdcatError, MalformedInput, Stale, UntrustedSigner, UsageError, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.merkle import EMPTY_ROOT
from catalog.transparency.note import Note, Signature, Verified
from catalog.transparency.trust import Trust, follow, open_trust, read_trust, read_unsigned
from tests.support.logs import NOW, at_no_time, signed, signer

ROOTS = [signer(f"root.example/{name}") for name in "abcde"]
POLICY = f"log {signer('example.com/log').key}\nquorum none\n"


def text(
    version: int = 1, threshold: int = 2, roots: Sequence[Signer] = ROOTS[:3], changes: Mapping[str, str] | None = None
) -> str:
    lines = {"version": f"version {version}", "expires": f"expires {NOW}", "max-age": "max-age 259200"}
    lines |= {"threshold": f"threshold {threshold}"} | {
        f"root {n}": f"root {'abcde'[n]} {root.key}" for n, root in enumerate(roots)
    }
    return "\n".join({**lines, **(changes or {})}.values()) + "\n\n" + POLICY


def trust(version: int = 1, threshold: int = 2, roots: Sequence[Signer] = ROOTS[:3]) -> Trust:
    return Trust.parse(text(version, threshold, roots))


def test_trust_notes_round_trip() -> None:
    found = trust()
    assert str(found) == text()
    assert (found.version, found.expires, found.max_age, found.threshold) == (1, NOW, 259200, 2)
    assert list(found.roots) == ["a", "b", "c"]
    assert found.policy.logs[0].name == "example.com/log"


def test_a_first_note_is_signed_by_its_own_roots() -> None:
    assert open_trust(signed(text(), *ROOTS[:2])) == trust()
    with pytest.raises(UntrustedSigner, match="1 of 3 root keys signed this trust note, and 2 have to; missing: b, c"):
        open_trust(signed(text(), ROOTS[0], ROOTS[3]))
    with pytest.raises(UntrustedSigner):
        open_trust(signed(text(), *ROOTS[3:]))
    with pytest.raises(VerificationFailed):
        open_trust(Note(text(), signed(text(2), *ROOTS[:2]).signatures))


def test_the_next_note_is_signed_by_the_old_and_the_new_roots() -> None:
    new = text(2, 2, ROOTS[2:])
    for signers, follows in (
        (ROOTS[:4], True),
        (ROOTS[1:4], True),  # b and c of the old, c and d of the new
        (ROOTS[:3], False),  # one of the new
        (ROOTS[2:], False),  # one of the old
        (ROOTS[:2], False),
        (ROOTS[3:], False),
    ):
        note = signed(new, *signers)
        if follows:
            assert follow(trust(), note).version == 2
        else:
            with pytest.raises(UntrustedSigner):
                follow(trust(), note)


@pytest.mark.parametrize("version", [1, 3, 4])
def test_versions_are_neither_skipped_nor_repeated(version: int) -> None:
    with pytest.raises(VerificationFailed, match="does not follow"):
        follow(trust(), signed(text(version), *ROOTS[:3]))


def test_one_key_under_two_names_counts_once() -> None:
    first = ROOTS[0]
    alias = Signer(VerifierKey("other.example", SignatureType.ED25519, first.key.public_key), first.sign_message)
    with pytest.raises(MalformedInput, match="duplicate"):
        trust(roots=[first, alias, ROOTS[1]])


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "version 0"},
        {"version": "version 01"},
        {"version": "version"},
        {"version": "expires 1"},
        {"expires": "expires soon"},
        {"max-age": "max-age 0"},
        {"threshold": "threshold 0"},
        {"threshold": "threshold 4"},
        {"root 0": "root a"},
        {"root 0": "root  a"},
        {"root 0": f"root b {ROOTS[0].key}"},
        {"root 0": f"root a {ROOTS[1].key}"},
        {"root 0": f"roots a {ROOTS[0].key}"},
        {"root 0": f"root a {signer('w', SignatureType.COSIGNATURE_ED25519).key}"},
        {"root 0": f"root a {str(ROOTS[0].key)[:-1]}"},
    ],
)
def test_invalid_trust_notes_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(MalformedInput):
        Trust.parse(text(changes=changes))


@pytest.mark.parametrize(
    "broken", ["", "version 1\n", text().replace("\n\n", "\n"), text().partition("\n\n")[0] + "\n\nquorum none\n"]
)
def test_incomplete_trust_notes_are_refused(broken: str) -> None:
    with pytest.raises(LdcatError):
        Trust.parse(broken)


def test_the_number_of_roots_is_limited() -> None:
    lines = "".join(f"root r{n} {signer(f'r.example/{n}').key}\n" for n in range(33))
    with pytest.raises(MalformedInput, match="more than 32"):
        Trust.parse(f"version 1\nexpires 1\nmax-age 1\nthreshold 1\n{lines}\n{POLICY}")


def test_a_checkpoint_needs_the_signature_of_its_log_and_the_quorum() -> None:
    log = signer("example.com/log")
    one, other = (signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in (1, 2))
    found = Trust.parse(text().replace("quorum none\n", f"witness w1 {one.key}\nwitness w2 {other.key}\nquorum w1\n"))
    made = Checkpoint("example.com/log", 0, EMPTY_ROOT)
    assert found.open_checkpoint(signed(str(made), log, one))[0] == made
    for note in (signed(str(made), log), signed(str(made), log, other), signed(str(made), one)):
        with pytest.raises(UntrustedSigner):
            found.open_checkpoint(note)
    with pytest.raises(UntrustedSigner, match="no trusted log of the name"):
        found.open_checkpoint(signed(str(Checkpoint("example.com/other", 0, EMPTY_ROOT)), log, one))


LOG, PQ_LOG = signer("example.com/log"), signer("example.com/log", SignatureType.COSIGNATURE_ML_DSA_44)
W1, W2, W3, HEARTBEAT = (signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in range(1, 5))
W1_PQ = signer("w1.example", SignatureType.COSIGNATURE_ML_DSA_44)
MAX_AGE = 259200
MADE = Checkpoint("example.com/log", 0, EMPTY_ROOT)


def trust_with(policy: str, all_log_signatures: bool = False) -> Trust:
    """A trust note with this quorum, a hybrid log, three witnesses, a second key of the first one, and a heartbeat."""
    named = {"w1": W1, "w1-pq": W1_PQ, "w2": W2, "w3": W3, "daily": HEARTBEAT}
    lines = [f"log {LOG.key}", f"log {PQ_LOG.key}", *(f"witness {name} {by.key}" for name, by in named.items())]
    head = text().partition("\n\n")[0]
    if all_log_signatures:
        head = head.replace("threshold 2\n", "threshold 2\nlog-signatures all\n")
    return Trust.parse(head + "\n\n" + "\n".join(lines) + f"\n{policy}\n")


TWO = "group two 2 w1 w2 w3\nquorum two"


def verified_at(**times: int) -> list[Verified]:
    """Verified signatures of the log and of each key, with times relative to NOW."""
    keys = {"log": PQ_LOG.key, "w1": W1.key, "pq": W1_PQ.key, "w2": W2.key, "w3": W3.key, "daily": HEARTBEAT.key}
    return [Verified(LOG.key, None), *(Verified(keys[name], NOW + time) for name, time in times.items())]


@pytest.mark.parametrize(
    ("quorum", "times", "made", "newest"),
    [
        (TWO, {"w1": 5, "w2": 9}, 0, 5),
        (TWO, {"w1": 5, "w2": 9, "w3": 7}, 0, 7),
        (TWO, {"w1": 5, "w2": 9, "w3": 3601}, 0, 5),
        (TWO, {"w1": 5, "w2": 9, "w3": 3600}, 0, 9),
        (TWO, {"w1": -300000, "w2": 9, "log": 20, "daily": 20}, 30, -300000),
        (TWO, {"w1": 5, "pq": 5, "w2": -9}, 0, -9),
        ("quorum w1", {"w1": 5, "w2": 9, "pq": 9, "log": 9}, 9, 5),
        ("quorum none", {}, 4, 4),
        ("quorum none", {"log": 9}, 4, 4),
        ("quorum none", {"daily": 9}, 4, 9),
        ("quorum none", {"daily": 3}, 4, 4),
        ("quorum none", {"daily": 3}, 3601, 3),
        ("quorum none", {"daily": 3}, None, 3),
    ],
)
def test_freshness_is_decided_by_the_quorum(quorum: str, times: dict[str, int], made: int | None, newest: int) -> None:
    """No single cosigner, log signature or heartbeat outside of the quorum keeps an old checkpoint fresh."""
    found, released = trust_with(quorum), None if made is None else NOW + made
    assert found.fresh_until(verified_at(**times), released, NOW) == NOW + newest + MAX_AGE


def test_a_checkpoint_is_stale_once_its_quorum_is_older_than_max_age() -> None:
    """Later signatures of one witness, of a heartbeat outside of the quorum or of the log make no difference."""
    found, signers = trust_with(TWO), verified_at(w1=5, w2=7, w3=MAX_AGE, daily=MAX_AGE, log=MAX_AGE)
    until = NOW + 7 + MAX_AGE
    assert found.check_fresh(signers, until, until) == until
    with pytest.raises(Stale, match="fresh until 1 second ago") as stale:
        found.check_fresh(signers, until, until + 1)
    assert stale.value.hint == (
        "get the log or the proof again; its publisher keeps it fresh: ldcat cosign --heartbeat, every day"
    )
    assert found.check_fresh(verified_at(w1=MAX_AGE, w3=MAX_AGE), 0, until + 1) == NOW + 2 * MAX_AGE


@pytest.mark.parametrize(
    ("quorum", "times", "made"),
    [
        (TWO, {"w1": 5, "w2": 3601}, 0),
        (TWO, {"w1": 1 << 62, "w2": 1 << 62}, 0),
        (TWO, {"w1": 5, "w2": -NOW, "log": 5}, 0),
        ("quorum none", {"daily": 3601}, 3601),
        ("quorum none", {"daily": -NOW, "log": 0}, 1 << 62),
    ],
)
def test_future_and_missing_times_do_not_count_for_freshness(quorum: str, times: dict[str, int], made: int) -> None:
    with pytest.raises(Stale, match="are ignored"):
        trust_with(quorum).fresh_until(verified_at(**times), NOW + made, NOW)
    with pytest.raises(Stale, match="are ignored"):  # of a clock that was never set
        trust_with(quorum).check_fresh(verified_at(w1=0, w2=0, daily=0), NOW, 100)


def test_a_cosignature_with_time_0_is_verified_but_is_no_vote() -> None:
    """tlog-cosignature allows it for a cosigner that does not state that it saw nothing larger."""
    found, text_of = trust_with("quorum w1"), str(MADE)
    without = at_no_time(W1_PQ, text_of)
    note = signed(text_of, LOG, W1).with_signatures([without])
    checkpoint, signers = found.open_checkpoint(note)
    assert checkpoint == MADE
    assert [by.timestamp for by in signers] == [None, NOW, 0]
    for by in (W1, W1_PQ):
        alone = trust_with("quorum w1" if by is W1 else "quorum w1-pq")
        with pytest.raises(UntrustedSigner, match="lacks the witness quorum"):
            alone.open_checkpoint(signed(text_of, LOG).with_signatures([at_no_time(by, text_of)]))
        assert alone.open_checkpoint(signed(text_of, LOG, by))
    wrong = Signature(without.name, without.key_id, without.value[:-1] + bytes([without.value[-1] ^ 1]))
    with pytest.raises(VerificationFailed, match="does not match the text"):
        found.open_checkpoint(signed(text_of, LOG, W1).with_signatures([wrong]))
    with pytest.raises(UsageError, match="at or before 1970"):
        W1.sign(text_of, 0)


def test_a_trust_note_can_require_all_signatures_of_the_log() -> None:
    either, every = trust_with("quorum w1"), trust_with("quorum w1", all_log_signatures=True)
    assert not either.all_log_signatures
    assert Trust.parse(str(every)) == every
    assert str(every).replace("log-signatures all\n", "") == str(either)
    both = signed(str(MADE), LOG, PQ_LOG, W1)
    assert every.open_checkpoint(both)[0] == either.open_checkpoint(both)[0] == MADE
    for by in (LOG, PQ_LOG):
        one = signed(str(MADE), by, W1)
        assert either.open_checkpoint(one)[0] == MADE
        with pytest.raises(UntrustedSigner, match="demands all signatures of"):
            every.open_checkpoint(one)
        assert every.open_uncosigned(one) == MADE  # a signature by either key proves a fork
    for line in ("log-signatures any", "log-signatures", "log-signatures  all"):
        with pytest.raises(MalformedInput):
            Trust.parse(str(every).replace("log-signatures all", line))
    with pytest.raises(MalformedInput):
        Trust.parse(str(every).replace("log-signatures all\n", "log-signatures all\n" * 2))


def test_extension_lines_that_a_signature_does_not_cover_are_refused() -> None:
    extended = Checkpoint("example.com/log", 0, EMPTY_ROOT, ("more",))
    found = trust_with("quorum w1")
    assert found.open_checkpoint(signed(str(extended), LOG, W1))[0] == extended
    for signers in ((PQ_LOG, W1), (LOG, PQ_LOG, W1), (LOG, W1, W1_PQ)):
        with pytest.raises(VerificationFailed, match="extension lines"):
            found.open_checkpoint(signed(str(extended), *signers))
        assert found.open_checkpoint(signed(str(MADE), *signers))[0] == MADE
    with pytest.raises(VerificationFailed, match="extension lines"):
        found.open_uncosigned(signed(str(extended), PQ_LOG))


@pytest.mark.parametrize("policy", ["log\t{}\nquorum none\n", "#\r\nlog {}\nquorum none\n"])
def test_text_that_cannot_be_a_signed_note_is_refused(policy: str) -> None:
    with pytest.raises(MalformedInput, match="control characters"):
        Trust.parse(text().replace(POLICY, policy.format(signer("example.com/log").key)))


@pytest.mark.parametrize("read", [read_trust, read_unsigned])
@pytest.mark.parametrize("begin", ["", "# logs\n\n", " \t\n"])
def test_a_policy_is_not_mistaken_for_a_trust_note(read: Callable[[bytes], object], begin: str) -> None:
    with pytest.raises(MalformedInput, match="this is a trust policy, not a trust note") as raised:
        read(f"{begin}log example.com/log+00000000+AAAA\nquorum none\n".encode())
    assert raised.value.hint == "ldcat trust init --policy FILE makes one of it"
