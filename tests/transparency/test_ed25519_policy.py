"""Policies with Ed25519 keys only: they accept the same Ed25519 cosignatures, or are refused."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.transparency.ed25519_policy import ed25519_policy
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.policy import Policy
from tests.support.logs import signer

ED25519, ML_DSA = SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44
LOG, LOG_PQ = signer("example.com/log").key, signer("example.com/log", ML_DSA).key
OTHER_LOG = signer("example.com/other").key
KEYS = [signer(f"w{n}.example", ED25519).key for n in range(3)] + [signer("w0.example", ED25519, 1).key]
KEYS += [signer(f"w{n}.example", ML_DSA).key for n in range(3)]
NAMES = ("w0", "w1", "w2", "w0-new", "w0-pq", "w1-pq", "w2-pq")
LOGS = f"log {LOG}\nlog {LOG_PQ}\n"
WITNESSES = "".join(f"witness {name} {key}\n" for name, key in zip(NAMES, KEYS, strict=True))
EVERY = list(chain.from_iterable(combinations(KEYS[:4], count) for count in range(5)))


def narrowed(lines: str, *, all_log_signatures: bool = False) -> str:
    return ed25519_policy(Policy.parse(lines.encode()), all_log_signatures=all_log_signatures)


def votes(lines: str, signers: tuple[VerifierKey, ...]) -> bool:
    """How a tool counts that knows no key names: a key is a vote, and a group counts its members."""
    found = {line.split(" ")[1] for line in lines.splitlines() for key in signers if str(key) in line}
    for _, name, how_many, *members in (line.split(" ") for line in lines.splitlines() if line.startswith("group ")):
        if len(found & set(members)) >= int({"any": 1, "all": len(members)}.get(how_many, how_many)):
            found.add(name)
    return lines.splitlines()[-1].removeprefix("quorum ") in found


def test_the_default_of_hybrid_witnesses() -> None:
    lines = f"{LOGS}{WITNESSES}group two 2 w1 w1-pq w2 w2-pq w0 w0-pq\nquorum two\n"
    expected = f"log {LOG}\n" + "".join(f"witness {name} {key}\n" for name, key in zip(NAMES[:4], KEYS, strict=False))
    assert narrowed(lines) == f"{expected}group two 2 w1 w2 w0\nquorum two\n"
    assert narrowed(f"{LOGS}quorum none\n") == f"log {LOG}\nquorum none\n"
    address = f"log {LOG}\nwitness a {KEYS[0]} https://w.example/\nquorum a\n"
    assert narrowed(address) == address


def test_keys_of_one_name_stay_one_vote() -> None:
    lines = f"{LOGS}{WITNESSES}group g-1 any w2-pq w2\ngroup g 2 w0 w1 w0-new\nquorum g\n"
    text = narrowed(lines)
    assert text.splitlines()[-4:] == ["group g-1 all w2", "group g-2 any w0 w0-new", "group g all w1 g-2", "quorum g"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (f"{LOGS}{WITNESSES}group both all w1 w1-pq\nquorum both\n", "quorum both cannot be reached"),
        (f"{LOGS}{WITNESSES}quorum w1-pq\n", "quorum w1-pq cannot be reached"),
        (f"log {LOG_PQ}\nquorum none\n", "has no Ed25519 key"),
        (f"{LOGS}log {OTHER_LOG}\nquorum none\n", "3 keys of logs"),
        (f"log {LOG}\nlog {signer('example.com/log', SignatureType.ED25519, 1).key}\nquorum none\n", "2 keys of logs"),
    ],
)
def test_what_cannot_be_said_is_refused(lines: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        narrowed(lines)


def test_a_demand_for_all_signatures_is_refused() -> None:
    assert narrowed(f"log {LOG}\nquorum none\n", all_log_signatures=True) == f"log {LOG}\nquorum none\n"
    with pytest.raises(UsageError, match="log-signatures all"):
        narrowed(f"{LOGS}quorum none\n", all_log_signatures=True)


@given(st.data())
def test_the_same_ed25519_cosignatures_are_accepted(data: st.DataObject) -> None:
    free, groups = list(NAMES), []
    for number in range(data.draw(st.integers(1, 4))):
        members = data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=5, unique=True))
        how_many = data.draw(st.sampled_from(["any", "all", *map(str, range(1, len(members) + 1))]))
        groups.append(f"group g{number} {how_many} {' '.join(members)}\n")
        free = [name for name in free if name not in members] + [f"g{number}"]
    lines = f"{LOGS}{WITNESSES}{''.join(groups)}quorum {data.draw(st.sampled_from(free))}\n"
    policy = Policy.parse(lines.encode())
    accepted = [policy.accepts(signers) for signers in EVERY]
    try:
        text = narrowed(lines)
    except UsageError:
        assert not any(accepted)
        return
    again = Policy.parse(text.encode())
    assert [again.accepts(signers) for signers in EVERY] == accepted
    assert [votes(text, signers) for signers in EVERY] == accepted
