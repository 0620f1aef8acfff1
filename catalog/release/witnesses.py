"""Asking witnesses: the checkpoint of a log goes to each of them, and what they cosign is added to its note.

A log remembers itself what a witness saw: the checkpoint that it cosigned, or else that of the release before. Where
that is wrong, the witness says what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from catalog.errors import LdcatError, MalformedRecord, Unreadable, UntrustedSigner, VerificationFailed
from catalog.release.log_folder import CHECKPOINT, LogFolder
from catalog.release.records import ReleaseRecord, parse_record
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note, Signature
from catalog.transparency.policy import Policy
from catalog.transparency.tiles import WIDTH, TileReader
from catalog.transparency.witness import MAX_ANSWER, SIZE_TYPE, AddCheckpoint, parse_conflict, parse_cosignatures


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP. content_type: without parameters."""

    status: int
    content_type: str
    body: bytes


Post = Callable[[str, bytes, int], Reply]
"""Address, body, and how many bytes the answer has at most; raises Unreadable, UsageError."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one address. cosignatures: verified, none where `why` says what went wrong."""

    cosignatures: tuple[Signature, ...]
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """The checkpoint that is published in a log, to be cosigned by the witnesses of a policy."""

    log: LogFolder
    policy: Policy
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def of(cls, log: LogFolder, policy: Policy) -> Submission:
        """Raises Unreadable where nothing is published, UntrustedSigner where no log of the policy signed it."""
        note = log.checkpoint()
        if note is None:
            raise Unreadable(f"no log at {log.root}", "ldcat publish makes it")
        checkpoint = Checkpoint.parse(note.text)
        if not any(by.key.name == checkpoint.origin for by in note.verify(policy.logs)):
            raise UntrustedSigner(f"no log of this policy signed the checkpoint of {log.root}")
        return cls(log, policy, note, checkpoint)

    @property
    def addresses(self) -> Mapping[str, list[VerifierKey]]:
        """The keys of the witnesses by their submission prefix; one witness may have several."""
        found: dict[str, list[VerifierKey]] = {}
        for name, url in self.policy.witness_urls.items():
            found.setdefault(url.removesuffix("/"), []).append(self.policy.witnesses[name])
        return found

    def ask(self, address: str, post: Post) -> Asked:
        """Ask one witness, and once more where it says that it saw something else than was thought."""
        keys = self.addresses[address]
        try:
            reply = self._post(address, post, self._first_guess(keys))
            if reply.status == HTTPStatus.CONFLICT and reply.content_type == SIZE_TYPE:
                size = parse_conflict(reply.body)
                if size > self.checkpoint.size:
                    return Asked((), f"it cosigned a checkpoint of {size} leaves, and this log has fewer")
                reply = self._post(address, post, size)
            if reply.status != HTTPStatus.OK:
                return Asked((), f"it answered {reply.status}: {_first_line(reply.body)}")
            return Asked(tuple(parse_cosignatures(reply.body, self.note.text, keys)))
        except LdcatError as error:
            return Asked((), str(error))

    def add(self, cosignatures: Sequence[Signature]) -> Note:
        """The note with cosignatures more, published; raises VerificationFailed where another one is by now."""
        with self.log.locked():
            now = self.log.checkpoint()
            if now is None or now.text != self.note.text:
                raise VerificationFailed(f"{self.log.root} has another checkpoint by now", "ask again")
            more = now.with_signatures(cosignatures)
            if more != now:
                Note.parse(bytes(more))  # too many of them could not be read again
                self.log.write([(CHECKPOINT, bytes(more))])
        return more

    def signers(self, note: Note) -> list[VerifierKey]:
        """Which logs and witnesses of the policy signed a note; raises VerificationFailed for one that did not."""
        return [by.key for by in note.verify([*self.policy.logs, *self.policy.witnesses.values()])]

    def _post(self, address: str, post: Post, old: int) -> Reply:
        proof = merkle.consistency_proof(old, self.checkpoint.size, self._reader().node)
        of_log = [line for line in self.note.signatures if line.name == self.checkpoint.origin]
        request = AddCheckpoint(old, tuple(proof), Note(self.note.text, tuple(of_log)))
        return post(f"{address}/add-checkpoint", bytes(request), MAX_ANSWER)

    def _first_guess(self, keys: Sequence[VerifierKey]) -> int:
        """How many leaves a witness saw, most likely."""
        there = {(line.name, line.key_id) for line in self.note.signatures}
        if not self.checkpoint.size or any((key.name, key.key_id) in there for key in keys):
            return self.checkpoint.size
        last = self.checkpoint.size - 1
        record = parse_record(self._reader().entries(last // WIDTH)[last % WIDTH])
        if not isinstance(record, ReleaseRecord):
            raise MalformedRecord(f"leaf {last} of the log is not the record of a release")
        return min(record.previous_size, self.checkpoint.size)

    def _reader(self) -> TileReader:
        return TileReader(self.log, self.checkpoint.size)


def _first_line(body: bytes) -> str:
    line, _, _ = body.decode("utf-8", "replace").partition("\n")
    return line[:200]
