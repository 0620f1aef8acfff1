"""Checkpoints and self-contained proofs: each has exactly one valid encoding."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from catalog.errors import MalformedInput
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from catalog.transparency.proof import InclusionProof, TlogProof
from tests.support.logs import MemoryLog, signed, signer

ROOT = base64.b64encode(bytes(range(32))).decode()
TEXT = f"example.com/log\n20852163\n{ROOT}\n"
EMPTY = base64.b64encode(merkle.EMPTY_ROOT).decode()


def test_checkpoints_round_trip() -> None:
    for text in (TEXT, f"{TEXT}an extension\nand one more\n", f"o\n0\n{EMPTY}\n"):
        assert str(Checkpoint.parse(text)) == text
    assert Checkpoint.parse(TEXT) == Checkpoint("example.com/log", 20852163, bytes(range(32)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "\n",
        TEXT.replace("example.com/log", ""),
        TEXT.replace("example.com/log", "an example"),
        TEXT.replace("example.com/log", "example+com"),
        TEXT.replace("example.com/log", "x" * 256),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+1"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "1_0"),
        TEXT.replace("20852163", "\N{ARABIC-INDIC DIGIT ONE}"),
        TEXT.replace("20852163", str(1 << 63)),
        TEXT.replace("20852163", "1" * 100),
        TEXT.replace("20852163", ""),
        TEXT.replace("20852163", "0"),
        TEXT.replace(ROOT, ROOT[:-4]),
        TEXT.replace(ROOT, ROOT + "\nx\n"),
        TEXT.replace(ROOT, ROOT[:-2] + "9="),
        TEXT.replace(ROOT, " " + ROOT),
    ],
)
def test_invalid_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(MalformedInput):
        Checkpoint.parse(text)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.append([b"entry %d" % number for number in range(1000)])
    return log


def proof_of(log: MemoryLog, index: int, extra: bytes | None = None) -> TlogProof:
    signers = [signer("example.com/log"), signer("example.com/w", SignatureType.COSIGNATURE_ED25519)]
    note = signed(str(log.checkpoint()), *signers)
    hashes = merkle.inclusion_proof(index, log.size, log.reader.node)
    return TlogProof(InclusionProof(index, tuple(hashes), extra), note)


def test_a_proof_is_self_contained(log: MemoryLog) -> None:
    for index, extra in ((0, None), (999, b"the entry"), (512, bytes(1000))):
        proof = proof_of(log, index, extra)
        again = TlogProof.parse(bytes(proof))
        assert again == proof
        assert bytes(again) == bytes(proof)
        checkpoint = Checkpoint.parse(again.checkpoint.text)
        leaf = merkle.leaf_hash(b"entry %d" % index)
        merkle.verify_inclusion(leaf, index, checkpoint.size, again.inclusion.hashes, checkpoint.root)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data.replace(b"@v1", b"@v2"),
        lambda data: data.replace(b"index 7", b"index 07"),
        lambda data: data.replace(b"index 7\n", b""),
        lambda data: data.replace(b"index", b"Index"),
        lambda data: data.replace(b"extra ZQ==", b"extra "),
        lambda data: data.replace(b"extra ZQ==", b"extra ZR=="),
        lambda data: data.replace(b"extra ZQ==\nindex 7", b"index 7\nextra ZQ=="),
        lambda data: data.replace(b"extra ZQ==\n", b"extra ZQ==\nextra ZQ==\n"),
        lambda data: data.replace(b"\n\n", b"\n", 1),
        lambda data: data.replace(b"index 7\n", b"index 7\n" + b"A" * 42 + b"\n"),
        lambda data: data.replace(b"index 7\n", b"index 7\n" + (b"A" * 43 + b"=\n") * 64),
        lambda data: data.replace(b"index 7\n", "index 7\n\xe9\n".encode()),
        lambda data: data[:-1],
        lambda data: bytes(1 << 22),
    ],
)
def test_invalid_proofs_are_refused(log: MemoryLog, change: Callable[[bytes], bytes]) -> None:
    data = bytes(proof_of(log, 7, b"e"))
    assert TlogProof.parse(data)
    assert change(data) != data
    with pytest.raises(MalformedInput):
        TlogProof.parse(change(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"\nindex", b"\n\nindex"),
        lambda data: data + b"\nexample.com/log\n",
    ],
)
def test_invalid_inclusion_proofs_are_refused(log: MemoryLog, change: Callable[[bytes], bytes]) -> None:
    data = bytes(proof_of(log, 7, b"e").inclusion)
    assert bytes(InclusionProof.parse(data)) == data
    with pytest.raises(MalformedInput):
        InclusionProof.parse(change(data))


def test_a_proof_with_two_witnesses_is_small(log: MemoryLog) -> None:
    witnesses = [signer(f"witness.example/{n}", SignatureType.COSIGNATURE_ED25519) for n in (1, 2)]
    note = signed(str(log.checkpoint()), signer("example.com/log"), *witnesses)
    hashes = tuple(bytes(32) for _ in range(20))  # as many as in a tree of a million leaves
    assert len(bytes(TlogProof(InclusionProof(7, hashes, bytes(400)), note))) < 2000
    assert Note.parse(bytes(note)) == note
