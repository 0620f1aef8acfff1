"""Trust notes: what one says, and that only the old and the new roots together make the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from catalog.errors import LdcatError, MalformedInput, Stale, UntrustedSigner, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.merkle import EMPTY_ROOT
from catalog.transparency.note import Note, Verified
from catalog.transparency.trust import Trust, follow, open_trust
from tests.transparency.logs import NOW, signed, signer

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


def test_what_is_written_is_read() -> None:
    found = trust()
    assert str(found) == text()
    assert (found.version, found.expires, found.max_age, found.threshold) == (1, NOW, 259200, 2)
    assert list(found.roots) == ["a", "b", "c"]
    assert found.policy.logs[0].name == "example.com/log"


def test_a_first_note_is_signed_by_its_own_roots() -> None:
    assert open_trust(signed(text(), *ROOTS[:2])) == trust()
    with pytest.raises(UntrustedSigner, match="1 root keys signed this trust note, and 2 have to"):
        open_trust(signed(text(), ROOTS[0], ROOTS[3]))
    with pytest.raises(UntrustedSigner):
        open_trust(signed(text(), *ROOTS[3:]))
    with pytest.raises(VerificationFailed):
        open_trust(Note(text(), signed(text(2), *ROOTS[:2]).signatures))


def test_the_next_note_is_signed_by_the_old_roots_and_the_new() -> None:
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
def test_no_version_is_left_out_or_comes_back(version: int) -> None:
    with pytest.raises(VerificationFailed, match="does not follow"):
        follow(trust(), signed(text(version), *ROOTS[:3]))


def test_one_key_under_two_names_counts_once() -> None:
    first = ROOTS[0]
    alias = Signer(VerifierKey("other.example", SignatureType.ED25519, first.key.public_key), first.sign_message)
    with pytest.raises(MalformedInput, match="comes twice"):
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
def test_what_is_no_trust_note(changes: dict[str, str]) -> None:
    with pytest.raises(MalformedInput):
        Trust.parse(text(changes=changes))


@pytest.mark.parametrize(
    "broken", ["", "version 1\n", text().replace("\n\n", "\n"), text().partition("\n\n")[0] + "\n\nquorum none\n"]
)
def test_what_lacks_a_part(broken: str) -> None:
    with pytest.raises(LdcatError):
        Trust.parse(broken)


def test_there_are_not_too_many_roots() -> None:
    lines = "".join(f"root r{n} {signer(f'r.example/{n}').key}\n" for n in range(33))
    with pytest.raises(MalformedInput, match="at most 32"):
        Trust.parse(f"version 1\nexpires 1\nmax-age 1\nthreshold 1\n{lines}\n{POLICY}")


def test_a_checkpoint_is_opened_for_a_log_under_its_own_name_and_a_quorum() -> None:
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


def test_freshness_is_of_the_newest_time_that_can_be() -> None:
    log = signer("example.com/log", SignatureType.COSIGNATURE_ML_DSA_44)
    found, age = trust(), 259200
    signers = [Verified(log.key, NOW), Verified(log.key, NOW + 5)]
    assert found.fresh_until(signers, 0, NOW) == NOW + 5 + age
    assert found.fresh_until([*signers, Verified(log.key, NOW + 3601)], 0, NOW) == NOW + 5 + age
    assert found.fresh_until([*signers, Verified(log.key, NOW + 3600)], 0, NOW) == NOW + 3600 + age
    assert found.fresh_until([Verified(signer("example.com/log").key, None)], NOW - 1, NOW) == NOW - 1 + age
    for times in ([Verified(log.key, 1 << 62)], [Verified(log.key, NOW + 3601)]):
        with pytest.raises(Stale, match="count for nothing"):
            found.fresh_until(times, NOW, NOW)
    with pytest.raises(Stale, match="count for nothing"):  # of a clock that was never set
        found.check_fresh([Verified(log.key, NOW)], 0, 100)
    assert found.check_fresh(signers, 0, NOW + 5 + age) == NOW + 5 + age
    with pytest.raises(Stale, match="fresh until 1 seconds ago"):
        found.check_fresh(signers, 0, NOW + 6 + age)


@pytest.mark.parametrize("policy", ["log\t{}\nquorum none\n", "#\r\nlog {}\nquorum none\n"])
def test_what_could_not_be_signed_as_a_note_is_no_trust_note(policy: str) -> None:
    with pytest.raises(MalformedInput, match="control characters"):
        Trust.parse(text().replace(POLICY, policy.format(signer("example.com/log").key)))
