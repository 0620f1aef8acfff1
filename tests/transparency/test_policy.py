"""Trust policies: the quorum of the specification's example, and lines that are refused."""

from __future__ import annotations

import contextlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedInput
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import Verified
from catalog.transparency.policy import Policy
from tests.support.logs import signer

LOG = signer("example.com/log").key
HYBRID = signer("example.com/log", SignatureType.COSIGNATURE_ML_DSA_44).key
NAMES = ("X1", "X2", "X3", "Y1", "Y2")
KEYS = {name: signer(f"{name}.example", SignatureType.COSIGNATURE_ED25519).key for name in NAMES}
KEYS["Y3"] = signer("Y3.example", SignatureType.COSIGNATURE_ML_DSA_44).key
WITNESSES = "".join(f"witness {name} {key}\n" for name, key in KEYS.items())
WITNESSES = WITNESSES.replace("\n", " https://x1.example/witness\n", 1)
EXAMPLE = f"""# two organisations
log {LOG}
log\t{HYBRID}  https://example.com/log

{WITNESSES}
  group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_quorum_of_the_example() -> None:
    policy = Policy.parse(EXAMPLE.encode())
    assert policy.logs == (LOG, HYBRID)
    assert policy.witness_urls == {"X1": "https://x1.example/witness"}
    for count in range(len(KEYS) + 1):
        for names in combinations(KEYS, count):
            expected = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
            assert policy.accepts([KEYS[name] for name in names]) is expected
    assert not policy.accepts([LOG, HYBRID])


def test_other_quorums() -> None:
    assert Policy.parse(b"quorum none\n").accepts([])
    assert Policy.parse(b"quorum none").accepts([])  # the newline of the last line may be missing
    one = Policy.parse(f"{WITNESSES}quorum X2\n".encode())
    assert one.accepts([KEYS["X2"]])
    assert not one.accepts([KEYS["X1"], KEYS["X3"]])
    every = Policy.parse(f"{WITNESSES}group all-of-them all X1 X2\nquorum all-of-them\n".encode())
    assert every.accepts([KEYS["X1"], KEYS["X2"]])
    assert not every.accepts([KEYS["X1"], KEYS["Y1"]])


def test_names_are_compared_as_bytes() -> None:
    policy = Policy.parse(b"witness \xe2\x84\xaa %s\nwitness \xff %s\nquorum \xff\n" % (
        str(KEYS["X1"]).encode(), str(KEYS["X2"]).encode()))  # fmt: skip
    assert policy.accepts([KEYS["X2"]])
    with pytest.raises(MalformedInput, match="defined above"):
        Policy.parse(b"witness \xe2\x84\xaa %s\nquorum K\n" % str(KEYS["X1"]).encode())


X1, X2 = f"witness X1 {KEYS['X1']}\n", f"witness X2 {KEYS['X2']}\n"
SAME_KEY = signer("X1.example", SignatureType.COSIGNATURE_ED25519)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no quorum"),
        (f"log {LOG}\n", "no quorum"),
        ("quorum none\nquorum none\n", "line 2 .*second quorum"),
        ("quorum X1\n", "defined above"),
        ("quorum\n", "unknown line"),
        ("quorum a b\n", "unknown line"),
        ("Quorum none\n", "unknown line"),
        (f"quorum X1\n{X1}", "line 1 .*defined above"),
        (f"{X1}{X1}quorum X1\n", "line 2 .*taken"),
        (f"{X1}witness other {KEYS['X1']}\nquorum X1\n", "duplicate public key"),
        (f"log {LOG}\nlog {LOG}\nquorum none\n", "duplicate public key"),
        (f"witness none {KEYS['X1']}\nquorum none\n", "taken"),
        (f"log {KEYS['X1']}\nquorum none\n", "the Ed25519 cosignature key of X1.example cannot be a log's"),
        (f"witness X1 {LOG}\nquorum none\n", "the Ed25519 key of .* cannot be a witness's"),
        (f"witness X1 {str(KEYS['X1'])[:-1]}\nquorum none\n", "base64"),
        (f"{X1}group g any\nquorum g\n", "unknown line"),
        (f"{X1}group g 2 X1\nquorum g\n", "cannot reach 2"),
        (f"{X1}group g 0 X1\nquorum g\n", "must be any, all or a number"),
        (f"{X1}group g 01 X1\nquorum g\n", "must be any, all or a number"),
        (f"{X1}group g most X1\nquorum g\n", "must be any, all or a number"),
        (f"{X1}group g any X1 X1\nquorum g\n", "a member already"),
        (f"{X1}{X2}group g any X1\ngroup h any X1 X2\nquorum h\n", "a member already"),
        (f"{X1}group g any g X1\nquorum g\n", "defined above"),
        (f"{X1}group g any none\nquorum g\n", "defined above"),
        (f"{X1}group X1 any X1\nquorum X1\n", "taken"),
        ("quorum none\r\n", "control"),
        ("# \0\nquorum none\n", "control"),
        ("# \x7f\nquorum none\n", "control"),
        ("\n" * 1001 + "quorum none\n", "1000 lines"),
    ],
)
def test_invalid_policies_are_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        Policy.parse(text.encode())


@given(st.binary(max_size=100), st.integers(0, len(EXAMPLE)))
def test_arbitrary_bytes_raise_only_ldcat_errors(data: bytes, at: int) -> None:
    with contextlib.suppress(MalformedInput):
        Policy.parse(EXAMPLE.encode()[:at] + data + EXAMPLE.encode()[at:])


ONE, ONE_PQ = KEYS["X1"], signer("X1.example", SignatureType.COSIGNATURE_ML_DSA_44).key
TWO = KEYS["X2"]
TWO_KEYS = f"witness a {ONE}\nwitness b {ONE_PQ}\nwitness c {TWO}\n"


@pytest.mark.parametrize(
    ("lines", "enough", "too_few"),
    [
        ("group two 2 a b c\nquorum two", [{ONE, TWO}, {ONE_PQ, TWO}, {ONE, ONE_PQ, TWO}], [{ONE, ONE_PQ}, {TWO}]),
        ("group two 2 a b\nquorum two", [], [{ONE, ONE_PQ, TWO}]),
        ("group both all a b\nquorum both", [{ONE, ONE_PQ}], [{ONE, TWO}, {ONE_PQ, TWO}]),
        ("group both all a b\ngroup two 2 both c\nquorum two", [{ONE, ONE_PQ, TWO}], [{ONE, ONE_PQ}, {ONE, TWO}]),
        ("group g any a b\ngroup two all g c\nquorum two", [{ONE, TWO}, {ONE_PQ, TWO}], [{ONE, ONE_PQ}]),
        ("group g any a\ngroup h any b\ngroup two 2 g h c\nquorum two", [{ONE, TWO}], [{ONE, ONE_PQ}, {TWO}]),
        ("group g any a\ngroup h any b c\ngroup two 2 g h\nquorum two", [], [{ONE, ONE_PQ}, {ONE, TWO}]),
        ("group g any a\ngroup h any b c\ngroup two all g h\nquorum two", [], [{ONE, ONE_PQ}, {ONE, TWO}]),
        ("group one any a b\nquorum one", [{ONE}, {ONE_PQ}, {ONE, ONE_PQ}], [{TWO}]),
    ],
)
def test_two_keys_of_one_witness_are_one_vote(
    lines: str, enough: list[set[VerifierKey]], too_few: list[set[VerifierKey]]
) -> None:
    policy = Policy.parse(f"{TWO_KEYS}{lines}\n".encode())
    assert [policy.accepts(signers) for signers in enough] == [True] * len(enough)
    assert [policy.accepts(signers) for signers in too_few] == [False] * len(too_few)


@given(st.data())
def test_a_further_cosignature_never_breaks_the_quorum(data: st.DataObject) -> None:
    """The keys have three names and are in nested groups. Otherwise, a further cosignature could invalidate a note."""
    names = [f"w{number}" for number in range(6)]
    keys = [signer(f"{number % 3}.example", SignatureType.COSIGNATURE_ED25519, number).key for number in range(6)]
    order = data.draw(st.permutations(names))
    cut = data.draw(st.integers(1, 5))
    inner, outer = order[:cut], ["g", *order[cut:]]
    thresholds = [data.draw(st.integers(1, len(members))) for members in (inner, outer)]
    groups = f"group g {thresholds[0]} {' '.join(inner)}\ngroup h {thresholds[1]} {' '.join(outer)}\nquorum h\n"
    policy = Policy.parse(("".join(f"witness {n} {k}\n" for n, k in zip(names, keys, strict=True)) + groups).encode())
    some = data.draw(st.sets(st.sampled_from(keys)))
    more = some | data.draw(st.sets(st.sampled_from(keys)))
    assert policy.satisfied(some) <= policy.satisfied(more)
    if policy.accepts(some):
        assert len({key.name for key in some}) >= thresholds[1]


def test_a_log_is_not_its_own_witness() -> None:
    """Neither its public key under another name nor another key under its name counts as a witness."""
    alias = VerifierKey("w.example", SignatureType.COSIGNATURE_ED25519, LOG.public_key)
    same_name = signer(LOG.name, SignatureType.COSIGNATURE_ED25519, 7).key
    for key in (alias, same_name, HYBRID):
        for order in ("log {log}\nwitness w {key}\nquorum w\n", "witness w {key}\nquorum w\nlog {log}\n"):
            policy = Policy.parse(order.format(log=LOG, key=key).encode())
            assert not policy.accepts([LOG, key])
            assert policy.votes([Verified(key, 1)]) == []
    policy = Policy.parse(f"log {LOG}\nwitness w {ONE}\nwitness other {alias}\nquorum w\n".encode())
    assert [vote.key for vote in policy.votes([Verified(alias, 2), Verified(ONE, 1), Verified(TWO, 1)])] == [ONE]


def test_a_thousand_nested_groups() -> None:
    (name, key), *_ = KEYS.items()
    chain = [f"group g{n} all {f'g{n - 1}' if n else name}\n" for n in range(990)]
    policy = Policy.parse(f"log {LOG}\nwitness {name} {key}\n{''.join(chain)}quorum g989\n".encode())
    assert policy.accepts([LOG, key])
    assert not policy.accepts([LOG])


@pytest.mark.parametrize(
    ("witnesses", "quorum", "command"),
    [
        ({}, "none", None),
        ({"a": ""}, "none", "ldcat cosign --heartbeat"),
        ({"a": "", "b": "https://b.example"}, "none", "ldcat cosign --heartbeat"),
        ({"b": "https://b.example"}, "none", "ldcat witness ask"),
        ({"a": ""}, "a", "ldcat cosign --heartbeat"),
        ({"a": "", "b": "https://b.example"}, "a", "ldcat cosign --heartbeat"),
        ({"a": "", "b": "https://b.example"}, "b", "ldcat witness ask"),
    ],
)
def test_which_command_keeps_a_log_fresh(witnesses: dict[str, str], quorum: str, command: str | None) -> None:
    keys = {name: signer(f"{name}.example", SignatureType.COSIGNATURE_ED25519).key for name in witnesses}
    lines = [f"witness {name} {keys[name]} {url}".strip() for name, url in witnesses.items()]
    assert Policy.parse("\n".join([*lines, f"quorum {quorum}\n"]).encode()).renewed_by == command


def test_a_trust_note_is_not_mistaken_for_a_policy() -> None:
    with pytest.raises(MalformedInput, match="this is a trust note, not a trust policy") as raised:
        Policy.parse(b"version 1\nexpires 1830297600\n")
    assert raised.value.hint == "ldcat trust show NOTE --policy prints its policy"
