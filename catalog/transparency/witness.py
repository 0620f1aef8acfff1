"""Witnesses (C2SP tlog-witness), which cosign a checkpoint only if it is consistent with the last one they cosigned.

This module has the request of a log, the response of a witness, and how the log reads it. Storage and HTTP are
elsewhere. Source: tlog-witness of October 2026; checks and statuses are in the order of that specification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Protocol

from catalog.errors import LdcatError, MalformedInput, UsageError, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import from_base64, from_decimal, to_base64
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.log_list import keys_by_name
from catalog.transparency.merkle import EMPTY_ROOT, HASH_SIZE, MAX_PROOF, verify_consistency
from catalog.transparency.note import MAX_SIGNATURES, Note, Signature

MAX_REQUEST = 1 << 16
"""Bytes: the largest request; 63 hashes and a checkpoint with 16 ML-DSA-44 signatures have less."""

SMALL_REQUEST = 10_240
"""Bytes of a request; some witnesses read no more. Three hybrid keys of a log make a larger one."""

MAX_ANSWER = 1 << 16
"""Bytes: the largest response, by the same estimate."""

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """An add-checkpoint request.

    old: tree size of the last checkpoint that the witness cosigned.
    proof: consistency proof from there to the checkpoint.
    note: the checkpoint, signed by the log.
    """

    old: int
    proof: tuple[bytes, ...]
    note: Note

    @classmethod
    def parse(cls, data: bytes) -> AddCheckpoint:
        """Parse the body of a request. Raises MalformedInput for any deviation from the format."""
        if len(data) > MAX_REQUEST:
            raise MalformedInput(f"the request has more than {MAX_REQUEST} bytes")
        head, blank, note = data.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise MalformedInput("the request is not ASCII before its checkpoint") from error
        keyword, space, old = first.partition(" ")
        if keyword != "old" or not space:
            raise MalformedInput("the request has no line 'old SIZE'")
        if not blank:
            raise MalformedInput("the request has no checkpoint")
        if len(lines) > MAX_PROOF:
            raise MalformedInput(f"the request has more than {MAX_PROOF} hashes")
        proof = tuple(from_base64(line, "a hash of the proof", HASH_SIZE) for line in lines)
        return cls(from_decimal(old, "the old size"), proof, Note.parse(note))

    @classmethod
    def of(cls, old: int, proof: Iterable[bytes], note: Note, origin: str) -> AddCheckpoint:
        """The request for a published note: without the signatures of others than the log of this origin."""
        of_log = [line for line in note.signatures if line.name == origin]
        return cls(old, tuple(proof), Note(note.text, tuple(of_log)))

    @classmethod
    def largest(cls, note: Note, checkpoint: Checkpoint) -> AddCheckpoint:
        """The largest request for a published note, with a consistency proof as long as one can be."""
        hashes = min(checkpoint.size.bit_length() + 1, MAX_PROOF)
        return cls.of(checkpoint.size, [bytes(HASH_SIZE)] * hashes, note, checkpoint.origin)

    def __bytes__(self) -> bytes:
        lines = (f"old {self.old}", *map(to_base64, self.proof), "")
        return "\n".join(lines).encode("ascii") + b"\n" + bytes(self.note)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response: status, body and content type."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT_TYPE


class Records(Protocol):
    """The storage of a witness: the last checkpoint of each log that it cosigned."""

    def latest(self, origin: str) -> Note | None:
        """The last checkpoint of a log; None if there was none. Raises LdcatError if that is not certain."""

    def advance(self, before: Note | None, after: Note) -> bool:
        """Replace the last checkpoint, durably; False if it is not `before` any more."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness.

    logs: keys of the logs whose checkpoints it cosigns, by origin.
    signers: the keys that it cosigns with.
    origins: of the logs, by their SHA-256 in hex: public lists have tens of thousands.
    """

    logs: Mapping[str, tuple[VerifierKey, ...]]
    signers: tuple[Signer, ...]
    origins: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        origins = {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in self.logs}
        object.__setattr__(self, "origins", origins)

    @classmethod
    def of(cls, logs: Iterable[VerifierKey], signers: Sequence[Signer]) -> Witness:
        """Make a witness. logs: keys whose name is the origin.

        Raises UsageError if there are no logs or signers, or for signers that make no cosignatures.
        """
        return cls.of_origins(keys_by_name(logs), signers)

    @classmethod
    def of_origins(cls, logs: Mapping[str, tuple[VerifierKey, ...]], signers: Sequence[Signer]) -> Witness:
        """As `of`. logs: their keys by origin."""
        if not logs:
            raise UsageError("there is no log to witness", "a line: log VKEY")
        if not signers or any(signer.key.type is SignatureType.ED25519 for signer in signers):
            raise UsageError(
                "the keys of the witness are not cosignature keys", "ldcat keygen --for witness makes them"
            )
        return cls(logs, tuple(signers))

    def adding(self, logs: Mapping[str, tuple[VerifierKey, ...]]) -> Witness:
        """A witness of more logs. Those that it knows stay, with their keys."""
        return replace(self, logs={**logs, **self.logs})

    def add_checkpoint(self, body: bytes, records: Records, now: int) -> Answer:
        """Answer an add-checkpoint request. A cosignature is returned only after the checkpoint is stored.

        now: seconds since 1970. Raises LdcatError if the records cannot be read or written: nothing is cosigned then.
        """
        try:
            request = AddCheckpoint.parse(body)
            new = Checkpoint.claimed(request.note.text)
        except MalformedInput as error:
            return _refusal(HTTPStatus.BAD_REQUEST, error)
        if new.origin not in self.logs:
            return _refusal(HTTPStatus.NOT_FOUND, "this witness does not know the log")
        try:
            signed = request.note.verify(self.logs[new.origin])
        except VerificationFailed as error:
            return _refusal(HTTPStatus.FORBIDDEN, error)
        if request.old > new.size:
            return _refusal(HTTPStatus.BAD_REQUEST, "the old size is larger than that of the checkpoint")
        before = records.latest(new.origin)
        old = _parse_checkpoint(before, new.origin)
        if request.old != old.size:
            return _conflict(old)
        try:
            _check_follows(old, new, request.proof)
        except VerificationFailed as error:
            return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, error)
        cosignatures = [
            Signature(signer.key.name, signer.key.key_id, signer.sign(request.note.text, now))
            for signer in self.signers
        ]
        known = {(by.key.name, by.key.key_id) for by in signed}
        of_log = [line for line in request.note.signatures if (line.name, line.key_id) in known]
        if not records.advance(before, Note(request.note.text, (*of_log, *cosignatures))):
            return _conflict(_parse_checkpoint(records.latest(new.origin), new.origin))
        return Answer(HTTPStatus.OK, "".join(f"{line}\n" for line in cosignatures).encode())

    def checkpoint(self, origin_hash: str, records: Records) -> Answer:
        """The last cosigned checkpoint of a log, for monitors. origin_hash: SHA-256 of the origin, in hex."""
        origin = self.origins.get(origin_hash)
        if origin is not None and (note := records.latest(origin)):
            return Answer(HTTPStatus.OK, bytes(note))
        return _refusal(HTTPStatus.NOT_FOUND, "this witness cosigned no checkpoint of that log")


def parse_cosignatures(body: bytes, text: str, keys: Sequence[VerifierKey]) -> list[Signature]:
    """Read the response of a witness: the cosignatures by these keys on this text of a checkpoint.

    Cosignatures of other keys are ignored. Raises MalformedInput, VerificationFailed for a wrong one or one with
    timestamp 0, UntrustedSigner if there is none.
    """
    try:
        *lines, end = body.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedInput("the response of the witness is not UTF-8") from error
    if end or not lines or len(lines) > MAX_SIGNATURES:
        raise MalformedInput(f"the response of the witness is not 1 to {MAX_SIGNATURES} signature lines")
    note = Note(text, tuple(map(Signature.parse, lines)))
    verified = note.verify(keys)
    for by in verified:
        if not by.timestamp:
            raise VerificationFailed(f"{by.key.name} returned a cosignature with timestamp 0")
    right = {(by.key.name, by.key.key_id) for by in verified}
    return [line for line in note.signatures if (line.name, line.key_id) in right]


def parse_conflict(body: bytes) -> int:
    """Tree size of the last checkpoint that a witness cosigned, from the body of a 409. Raises MalformedInput."""
    text = body.decode("ascii", "replace")
    return from_decimal(text.removesuffix("\n") if text.endswith("\n") else "", "the size that the witness says")


def _check_follows(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raises VerificationFailed unless the proof shows that the new tree is consistent with the old one."""
    if not new.size and new.root != EMPTY_ROOT:
        raise VerificationFailed("the root of a checkpoint of size 0 must be the empty-tree hash")
    if old.size:
        verify_consistency(old.size, new.size, proof, old.root, new.root)
    elif proof:
        raise VerificationFailed("the consistency proof from size 0 must be empty")


def _parse_checkpoint(note: Note | None, origin: str) -> Checkpoint:
    return Checkpoint(origin, 0, EMPTY_ROOT) if note is None else Checkpoint.parse(note.text)


def _conflict(latest: Checkpoint) -> Answer:
    return Answer(HTTPStatus.CONFLICT, f"{latest.size}\n".encode("ascii"), SIZE_TYPE)


def _refusal(status: HTTPStatus, why: LdcatError | str) -> Answer:
    return Answer(status, f"{why}\n".encode())
