"""Witnesses: each status code, the order of the checks, and that no two cosignatures contradict each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedInput, Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note
from catalog.transparency.witness import (
    MAX_REQUEST,
    SMALL_REQUEST,
    AddCheckpoint,
    Answer,
    Witness,
    parse_conflict,
    parse_cosignatures,
)
from catalog.values import replace as changed
from tests.support.forked_logs import (
    SIZES,
    Memory,
    checkpoint,
    consistent,
    proof,
    request,
    root,
)
from tests.support.logs import LOG, NOW, ORIGIN, signature, signed, signer

LOG_ML_DSA = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)
STRANGER = signer("example.com/other")
ED25519 = signer("w.example", SignatureType.COSIGNATURE_ED25519)
ML_DSA = signer("w.example", SignatureType.COSIGNATURE_ML_DSA_44)
WITNESS = Witness.of([LOG.key, LOG_ML_DSA.key], [ED25519, ML_DSA])
FAST = Witness.of([LOG.key], [ED25519])
ORIGIN_HASH = hashlib.sha256(ORIGIN.encode()).hexdigest()


def ask(memory: Memory, body: AddCheckpoint | bytes, by: Witness = FAST, now: int = NOW) -> Answer:
    return by.add_checkpoint(bytes(body), memory, now)


@pytest.fixture
def memory() -> Memory:
    """The records of a witness that cosigned a tree of ten leaves."""
    memory = Memory()
    assert ask(memory, request(0, 10)).status == 200
    return memory


def test_a_consistent_checkpoint_is_cosigned_with_every_key() -> None:
    memory = Memory()
    for old, new in ((0, 0), (0, 3), (3, 3), (3, 10), (10, 24), (24, 24)):
        sent = request(old, new, by=(LOG, LOG_ML_DSA, STRANGER))
        answer = ask(memory, sent, WITNESS, now=NOW + new)
        assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
        assert answer.body.startswith("\u2014 w.example ".encode())
        assert answer.body.endswith(b"\n")
        lines = parse_cosignatures(answer.body, sent.note.text, [ED25519.key, ML_DSA.key])
        verified = Note(sent.note.text, tuple(lines)).verify([ED25519.key, ML_DSA.key])
        assert [(by.key, by.timestamp) for by in verified] == [(ED25519.key, NOW + new), (ML_DSA.key, NOW + new)]
        kept = memory.latest(ORIGIN)
        assert kept is not None
        names = [(line.name, line.key_id) for line in kept.signatures]
        assert names == [(by.key.name, by.key.key_id) for by in (LOG, LOG_ML_DSA, ED25519, ML_DSA)]  # no stranger
        assert kept.text == sent.note.text


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x\n",
        lambda data: data.replace(b"old 10\n", b""),
        lambda data: data.replace(b"old 10", b"old 010"),
        lambda data: data.replace(b"old 10", b"old +10"),
        lambda data: data.replace(b"old 10", b"old"),
        lambda data: data.replace(b"old 10", b"old  10"),
        lambda data: data.replace(b"old 10", b"Old 10"),
        lambda data: data.replace(b"old 10\n", b"old 10\r\n"),
        lambda data: data.replace(b"old 10", b"old 9223372036854775808"),
        lambda data: data.replace(b"\n\n", b"\n", 1),
        lambda data: data.replace(b"old 10\n", b"old 10\n\n"),
        lambda data: data.replace(b"old 10\n", b"old 10\n" + b"A" * 42 + b"==\n"),  # 31 bytes
        lambda data: data.replace(b"old 10\n", b"old 10\n" + b"A" * 42 + b"B=\n"),  # not canonical
        lambda data: data.replace(b"old 10\n", b"old 10\n" + (b"A" * 43 + b"=\n") * (64 - len(proof(0, 10, 24)))),
        lambda data: data.replace(b"old 10\n", b"old 10\n\xc3\xa9\n"),
        lambda data: data.replace(b"\n24\n", b"\n024\n"),
        lambda data: data.replace(b"\n24\n", b"\n"),
        lambda data: data.replace(b"\n24\n", b"\nmany\n"),
        lambda data: data.replace(b"example.com/log\n24", b"an example\n24"),
        lambda data: data.replace("\u2014".encode(), b"-"),
        lambda data: data + bytes(MAX_REQUEST),
    ],
)
def test_400_for_an_invalid_request(memory: Memory, change: Callable[[bytes], bytes]) -> None:
    data = bytes(request(10, 24))
    assert change(data) != data
    before = dict(memory.notes)
    assert ask(memory, change(data)).status == 400
    assert memory.notes == before
    assert ask(memory, data).status == 200


def test_63_hashes_are_accepted_in_a_request(memory: Memory) -> None:
    data = bytes(request(10, 24)).replace(
        b"old 10\n", b"old 10\n" + (b"A" * 43 + b"=\n") * (63 - len(proof(0, 10, 24)))
    )
    assert ask(memory, data).status == 422


def test_404_for_an_unknown_log(memory: Memory) -> None:
    text = checkpoint(24).replace(ORIGIN, "example.com/other")
    for by in (STRANGER, LOG):  # by whoever it is signed
        assert ask(memory, AddCheckpoint(10, (), signed(text, by))).status == 404


def test_403_without_a_signature_by_a_known_key(memory: Memory) -> None:
    good = request(10, 24, by=(LOG, LOG_ML_DSA))
    other = signature(LOG, checkpoint(23))
    for lines in (
        (signature(STRANGER, good.note.text),),
        (signature(ED25519, good.note.text),),
        (other,),
        (other, good.note.signatures[1]),  # one is valid, and one is not
        (good.note.signatures[0], changed(good.note.signatures[1], value=bytes(2428))),
        (good.note.signatures[0], good.note.signatures[0]),
    ):
        bad = replace(good, note=Note(good.note.text, lines))
        assert ask(memory, bad, WITNESS).status == 403
    assert ask(memory, good, WITNESS).status == 200


def test_403_for_a_signature_by_the_key_of_another_log(memory: Memory) -> None:
    both = Witness.of([LOG.key, STRANGER.key], [ED25519])
    assert ask(memory, request(10, 24, by=(STRANGER,)), both).status == 403
    elsewhere = checkpoint(24).replace(ORIGIN, STRANGER.key.name)
    assert ask(memory, AddCheckpoint(0, (), signed(elsewhere, LOG)), both).status == 403
    assert ask(memory, AddCheckpoint(0, (), signed(elsewhere, STRANGER)), both).status == 200
    assert ask(memory, request(10, 24), both).status == 200  # each log has its own record


def test_400_for_an_old_size_above_the_new(memory: Memory) -> None:
    assert ask(memory, request(10, 9)).status == 400
    assert ask(memory, request(11, 10)).status == 400


def test_409_returns_the_size(memory: Memory) -> None:
    for old, new in ((0, 10), (0, 24), (9, 10), (11, 24)):
        answer = ask(memory, request(old, new))
        assert (answer.status, answer.body, answer.content_type) == (409, b"10\n", "text/x.tlog.size")
        assert parse_conflict(answer.body) == 10
    assert ask(Memory(), request(3, 10)).body == b"0\n"


def test_422_for_an_inconsistent_checkpoint(memory: Memory) -> None:
    good = request(10, 24)
    for bad in (
        replace(good, proof=()),
        replace(good, proof=good.proof[:-1]),
        replace(good, proof=(*good.proof, bytes(32))),
        replace(good, proof=(bytes(32), *good.proof[1:])),
        replace(request(10, 10), proof=good.proof),
        request(10, 24, tree=1),
        request(10, 10, tree=1),
    ):
        assert ask(memory, bad).status == 422
    assert ask(Memory(), replace(good, old=0)).status == 422
    assert ask(memory, good).status == 200


@pytest.mark.parametrize("by", [LOG, LOG_ML_DSA])
def test_422_for_an_empty_tree_with_another_root(memory: Memory, by: Signer) -> None:
    text = checkpoint(0).replace(to_base64(merkle.EMPTY_ROOT), to_base64(bytes(32)))
    sent = AddCheckpoint(0, (), signed(text, by))
    assert ask(Memory(), sent, WITNESS).status == 422
    assert ask(memory, sent, WITNESS).status == 409  # checked first
    forged = replace(sent, note=Note(text, (signature(by, checkpoint(1)),)))
    assert ask(Memory(), forged, WITNESS).status == 403
    assert ask(Memory(), replace(sent, note=Note(text.replace(ORIGIN, "x"), forged.note.signatures))).status == 404


def test_the_first_failed_check_is_reported(memory: Memory) -> None:
    """Each request has one fault less than the one before."""
    unsigned = (signature(STRANGER, checkpoint(24)),)
    fork = request(10, 24, tree=1)
    for sent, status in (
        (bytes(AddCheckpoint(30, (), Note("example.com/other\n24\n", unsigned))), 400),
        (AddCheckpoint(30, (), Note(checkpoint(24).replace(ORIGIN, "example.com/other"), unsigned)), 404),
        (AddCheckpoint(30, (), Note(checkpoint(24), unsigned)), 403),
        (AddCheckpoint(30, (), fork.note), 400),
        (AddCheckpoint(9, (), fork.note), 409),
        (AddCheckpoint(10, (), fork.note), 422),
        (request(10, 24), 200),
    ):
        assert ask(memory, sent).status == status


def test_the_later_of_two_concurrent_requests_gets_the_new_size(memory: Memory) -> None:
    """Two requests that were both valid when they were checked: the record never goes back."""

    class Racing(Memory):
        def advance(self, before: Note | None, after: Note) -> bool:
            assert ask(memory, request(10, 24)).status == 200
            return memory.advance(before, after)

        def latest(self, origin: str) -> Note | None:
            return memory.latest(origin)

    for new in (10, 12):
        memory.notes.clear()
        assert ask(memory, request(0, 10)).status == 200
        answer = ask(Racing(), request(10, new))
        assert (answer.status, answer.body) == (409, b"24\n")


def test_nothing_is_cosigned_if_the_record_cannot_be_stored(memory: Memory) -> None:
    class Full(Memory):
        def advance(self, before: Note | None, after: Note) -> bool:
            raise Unreadable("the disk is full")

    with pytest.raises(Unreadable):
        ask(Full(memory.notes), request(10, 24))


@pytest.mark.parametrize("by", [FAST, WITNESS])
def test_a_witness_without_a_clock_cosigns_nothing(memory: Memory, by: Witness) -> None:
    """tlog-witness forbids time 0, which would state that the witness saw something, but not when."""
    before = dict(memory.notes)
    with pytest.raises(UsageError, match="at or before 1970"):
        ask(memory, request(10, 24), by, now=0)
    assert memory.notes == before
    assert ask(memory, request(10, 24), by, now=1).status == 200


def test_monitors_of_one_log_among_many(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public lists have tens of thousands of logs: not all of their names are hashed for each request."""
    others = {f"{number}.example": (STRANGER.key,) for number in range(9)}
    many = FAST.adding(others)
    monkeypatch.setattr(hashlib, "sha256", None)
    assert many.checkpoint(ORIGIN_HASH, memory).status == 200
    assert many.checkpoint("0" * 64, memory).status == 404


def test_monitors_get_the_latest_checkpoint(memory: Memory) -> None:
    origin_hash = hashlib.sha256(ORIGIN.encode()).hexdigest()
    answer = FAST.checkpoint(origin_hash, memory)
    assert answer.status == 200
    assert {by.key for by in Note.parse(answer.body).verify([LOG.key, ED25519.key])} == {LOG.key, ED25519.key}
    assert Note.parse(answer.body).text == checkpoint(10)
    for path, records in ((origin_hash, Memory()), (origin_hash.upper(), memory), ("00" * 32, memory), ("", memory)):
        assert FAST.checkpoint(path, records).status == 404


def test_keys_that_are_not_for_cosignatures_are_refused() -> None:
    for logs, signers in (([], [ED25519]), ([LOG.key], []), ([LOG.key], [ED25519, STRANGER])):
        with pytest.raises(UsageError):
            Witness.of(logs, signers)


def test_a_log_parses_only_valid_cosignatures(memory: Memory) -> None:
    sent = request(10, 24)
    body = ask(memory, sent, Witness.of([LOG.key], [ED25519, ML_DSA, signer("v.example", ED25519.key.type)])).body
    only = parse_cosignatures(body, sent.note.text, [ML_DSA.key])
    assert [line.key_id for line in only] == [ML_DSA.key.key_id]
    with pytest.raises(UntrustedSigner):
        parse_cosignatures(body, sent.note.text, [STRANGER.key])
    with pytest.raises(VerificationFailed):
        parse_cosignatures(body, checkpoint(23), [ED25519.key])
    for bad in (
        b"",
        b"\n",
        body[:-1],
        body + b"\n",
        b"\n" + body,
        b"\xff\n",
        body * 60,
        sent.note.text.encode() + body,
    ):
        with pytest.raises(MalformedInput):
            parse_cosignatures(bad, sent.note.text, [ED25519.key])


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"10", b"10\n\n", b" 10\n", b"010\n", b"-1\n", b"1e3\n", b"\xff\n", b"9" * 99]
)
def test_invalid_sizes_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput):
        parse_conflict(body)


def test_requests_round_trip() -> None:
    for old, new in ((0, 0), (0, 5), (5, 24)):
        assert AddCheckpoint.parse(bytes(request(old, new))) == request(old, new)


sizes = st.integers(0, SIZES)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), sizes),  # the old size; None: the correct one
            sizes,
            st.sampled_from((0, 0, 0, 1)),  # which log the checkpoint belongs to
            st.sampled_from((0, 0, 0, 1)),  # which log the proof belongs to
            st.sampled_from(("right", "right", "right", "cut", "longer", "changed", "unsigned")),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_sequence_of_requests_gets_contradictory_cosignatures(
    steps: list[tuple[int | None, int, int, int, str]],
) -> None:
    """Each answer is what a witness that keeps leaves instead of hashes would answer."""
    memory, cosigned, size = Memory(), list[tuple[int, bytes]](), 0
    for old_size, new, tree, proof_of, fault in steps:
        old = size if old_size is None else old_size
        hashes = proof(proof_of, old, new) if old <= new else ()
        hashes = {"cut": hashes[:-1], "longer": (*hashes, bytes(32)), "changed": tuple(h[::-1] for h in hashes)}.get(
            fault, hashes
        )
        sent = AddCheckpoint(old, hashes, signed(checkpoint(new, tree), STRANGER if fault == "unsigned" else LOG))
        answer = ask(memory, sent)
        if fault == "unsigned":
            expected = 403
        elif old > new:
            expected = 400
        elif old != size:
            expected = 409
        else:
            goes_on = not old or (consistent([*cosigned, (new, root(tree, new))]) and hashes == proof(tree, old, new))
            expected = 200 if goes_on and (old or not hashes) else 422
        assert answer.status == expected
        if answer.status == 200:
            cosigned.append((new, root(tree, new)))
            size = new
        assert consistent(cosigned)
        kept = memory.latest(ORIGIN)
        assert (kept and kept.text) == (str(Checkpoint(ORIGIN, *cosigned[-1])) if cosigned else None)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_get_an_answer(data: bytes) -> None:
    memory = Memory()
    assert ask(memory, data).status == 400
    assert ask(memory, b"old 0\n\n" + data).status in (400, 404)
    assert memory.notes == {}
    for parse in (parse_conflict, lambda body: parse_cosignatures(body, checkpoint(1), [ED25519.key])):
        try:
            parse(data)
        except LdcatError:
            continue
        assert data.strip().isdigit()


def test_no_request_is_larger_than_the_largest() -> None:
    for old in range(SIZES):
        for new in range(max(old, 1), SIZES + 1):
            sent = request(old, new, by=(LOG, LOG_ML_DSA))
            cosigned = sent.note.with_signatures([signature(ED25519, sent.note.text)])
            most = AddCheckpoint.largest(cosigned, Checkpoint.parse(sent.note.text))
            assert len(bytes(sent)) <= len(bytes(most))
    keys = [[signer(ORIGIN, by.key.type, seed) for by in (LOG, LOG_ML_DSA)] for seed in range(3)]
    large = Checkpoint(ORIGIN, 400_000, bytes(32))
    two, three = (signed(str(large), *(by for pair in keys[:count] for by in pair)) for count in (2, 3))
    sizes = [len(bytes(AddCheckpoint.largest(note, large))) for note in (two, three)]
    assert sizes[0] < SMALL_REQUEST < sizes[1]
