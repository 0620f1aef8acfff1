"""Asking witnesses: the checkpoint of a log goes to each of them, and what they cosign is added to its note.

A log remembers itself what a witness saw: the checkpoint that it cosigned, or else that of the release before. Where
that is wrong, the witness says what is right. Where it saw more than there is, or something else, that is an alarm:
what this log publishes is not what it published before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from catalog.errors import LdcatError, MalformedRecord, Unreadable, UntrustedSigner, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.log.records import ReleaseRecord, parse_record
from catalog.net.http_post import Reply
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note, Signature
from catalog.transparency.policy import Policy
from catalog.transparency.tiles import WIDTH, TileReader
from catalog.transparency.witness import MAX_ANSWER, SIZE_TYPE, AddCheckpoint, parse_conflict, parse_cosignatures

Post = Callable[[str, bytes, int], Reply]
"""Address, body, and how many bytes the answer has at most; raises Unreadable, UsageError."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one address. cosignatures: verified, none where `why` says what went wrong.

    status: of the last answer; None where there was none. is_alarm: the witness saw a log that does not go on in this.
    """

    cosignatures: tuple[Signature, ...]
    why: str | None = None
    status: int | None = None
    is_alarm: bool = False


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
        keys, status = self.addresses[address], None
        try:
            size = self._first_guess(keys)
            for _ in range(2):
                reply = self._post(address, post, size)
                status = reply.status
                if status != HTTPStatus.CONFLICT or reply.content_type != SIZE_TYPE:
                    break
                size = parse_conflict(reply.body)
                if size > self.checkpoint.size:
                    what = f"it cosigned a checkpoint of {size} leaves, and this log has fewer: {self.checkpoint.size}"
                    return Asked((), what, status, is_alarm=True)
            if status == HTTPStatus.OK:
                return Asked(tuple(parse_cosignatures(reply.body, self.note.text, keys)), None, status)
            is_alarm = status == HTTPStatus.UNPROCESSABLE_ENTITY
            return Asked((), _explained(reply, self.checkpoint.origin), status, is_alarm)
        except LdcatError as error:
            return Asked((), str(error), status)

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

    def signers(self, note: Note) -> dict[VerifierKey, int]:
        """When each witness of the policy cosigned a note last, of those whose vote counts.

        Raises VerificationFailed for a signature that is not right.
        """
        verified = note.verify([*self.policy.logs, *self.policy.witnesses.values()])
        return {vote.key: vote.timestamp or 0 for vote in self.policy.votes(verified)}

    def _post(self, address: str, post: Post, old: int) -> Reply:
        """Raises VerificationFailed for tiles that are not of the checkpoint: the witness would refuse their proof."""
        size, node = self.checkpoint.size, self._reader().node
        proof = merkle.consistency_proof(old, size, node)
        if old:
            merkle.verify_consistency(old, size, proof, merkle.root_hash(old, node), self.checkpoint.root)
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
        return max(0, min(record.previous_size, self.checkpoint.size))

    def _reader(self) -> TileReader:
        return TileReader(self.log, self.checkpoint.size)


def _explained(reply: Reply, origin: str) -> str:
    """What a status that is not 200 means, and what the witness says of it; its words by tlog-witness."""
    status, type_ = reply.status, reply.content_type
    if status == HTTPStatus.CONFLICT:
        meaning = "it saw another size, and names one that changes"
        if type_ != SIZE_TYPE:
            meaning = f"it saw another size, and does not say which: its answer is {type_[:40]}, and not {SIZE_TYPE}"
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        meaning = "redirects are not followed: name the address itself in the policy"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        meaning = "it cannot answer now: try again later"
    else:
        meaning = _MEANINGS.get(status, "no answer that a witness has").format(origin=origin)
    said = _first_line(reply.body)
    return f"it answered {status}: {said}; {meaning}" if said else f"it answered {status}: {meaning}"


_MEANINGS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "it does not understand the request",
    HTTPStatus.FORBIDDEN: "it knows no key that signed this, or one differently: tell its operator the log's keys",
    HTTPStatus.NOT_FOUND: "it does not know the log {origin}, or nothing is at this address: ask its operator",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not come to its end in time: try again later",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the request is too large for it",
    HTTPStatus.UNPROCESSABLE_ENTITY: "this log does not go on from what it cosigned before: a fork",
    HTTPStatus.TOO_MANY_REQUESTS: "it was asked too often: try again later",
}


def _first_line(body: bytes) -> str:
    line, _, _ = body.decode("utf-8", "replace").partition("\n")
    return line.strip()[:120]
