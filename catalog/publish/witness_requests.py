"""Witness requests: send the checkpoint of a log to each witness, and add the cosignatures to its note.

The size that a witness saw last is guessed: that of the published checkpoint if the witness cosigned it, otherwise that
of the previous one. If the guess is wrong, the witness returns the right size. If the witness saw more leaves than the
log has, or other ones, that is an alarm: the log does not publish what it published before.
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
"""Called with address, body, and the most bytes of the response. Raises Unreadable, UsageError."""


@dataclass(frozen=True, slots=True)
class WitnessResult:
    """The result for one address.

    cosignatures: verified; empty if `why` says what went wrong.
    why: one line; None if the witness cosigned.
    status: HTTP status of the last response; None if there was none.
    is_alarm: whether the witness saw a log that is not consistent with this one.
    """

    cosignatures: tuple[Signature, ...]
    why: str | None = None
    status: int | None = None
    is_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """The published checkpoint of a log, to be cosigned by the witnesses of a policy."""

    log: LogFolder
    policy: Policy
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def of(cls, log: LogFolder, policy: Policy) -> Submission:
        """Raises Unreadable if nothing is published, UntrustedSigner if no log of the policy signed it."""
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

    @property
    def most_bytes(self) -> int:
        """Bytes of the largest request to a witness."""
        return len(bytes(AddCheckpoint.largest(self.note, self.checkpoint)))

    def ask(self, address: str, post: Post) -> WitnessResult:
        """Ask one witness, and once more if it returns another size than the guessed one."""
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
                    what = f"it cosigned a checkpoint of {size} leaves, but this log has only {self.checkpoint.size}"
                    return WitnessResult((), what, status, is_alarm=True)
            if status == HTTPStatus.OK:
                return WitnessResult(tuple(parse_cosignatures(reply.body, self.note.text, keys)), None, status)
            is_alarm = status == HTTPStatus.UNPROCESSABLE_ENTITY
            return WitnessResult((), _explained(reply, self.checkpoint.origin), status, is_alarm)
        except LdcatError as error:
            return WitnessResult((), str(error), status)

    def add(self, cosignatures: Sequence[Signature]) -> Note:
        """Publish the note with more cosignatures. Raises VerificationFailed if another checkpoint is published now."""
        with self.log.locked():
            now = self.log.checkpoint()
            if now is None or now.text != self.note.text:
                raise VerificationFailed(f"the checkpoint of {self.log.root} has changed", "ask again")
            more = now.with_signatures(cosignatures)
            if more != now:
                Note.parse(bytes(more))  # too many of them could not be read again
                self.log.write([(CHECKPOINT, bytes(more))])
        return more

    def signers(self, note: Note) -> dict[VerifierKey, int]:
        """When each witness whose vote counts cosigned a note, in seconds since 1970.

        Raises VerificationFailed for a wrong signature.
        """
        verified = note.verify([*self.policy.logs, *self.policy.witnesses.values()])
        return {vote.key: vote.timestamp or 0 for vote in self.policy.votes(verified)}

    def _post(self, address: str, post: Post, old: int) -> Reply:
        """Raises VerificationFailed for tiles that do not match the checkpoint: the witness would refuse the proof."""
        size, node = self.checkpoint.size, self._reader().node
        proof = merkle.consistency_proof(old, size, node)
        if old:
            merkle.verify_consistency(old, size, proof, merkle.root_hash(old, node), self.checkpoint.root)
        request = AddCheckpoint.of(old, proof, self.note, self.checkpoint.origin)
        return post(f"{address}/add-checkpoint", bytes(request), MAX_ANSWER)

    def _first_guess(self, keys: Sequence[VerifierKey]) -> int:
        """The tree size that the witness most likely saw last."""
        there = {(line.name, line.key_id) for line in self.note.signatures}
        if not self.checkpoint.size or any((key.name, key.key_id) in there for key in keys):
            return self.checkpoint.size
        last = self.checkpoint.size - 1
        record = parse_record(self._reader().entries(last // WIDTH)[last % WIDTH])
        if not isinstance(record, ReleaseRecord):
            raise MalformedRecord(f"leaf {last} of the log is not a release record")
        return max(0, min(record.previous_size, self.checkpoint.size))

    def _reader(self) -> TileReader:
        return TileReader(self.log, self.checkpoint.size)


def _explained(reply: Reply, origin: str) -> str:
    """What a status other than 200 means by tlog-witness, with the first line of the witness's response."""
    status, type_ = reply.status, reply.content_type
    if status == HTTPStatus.CONFLICT:
        meaning = "it saw another size, and keeps returning different ones"
        if type_ != SIZE_TYPE:
            meaning = f"it saw another size, and does not say which: its answer is {type_[:40]}, not {SIZE_TYPE}"
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        meaning = "redirects are not followed: name the address itself in the policy"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        meaning = "it cannot answer now: try again later"
    else:
        meaning = _MEANINGS.get(status, "tlog-witness has no such answer").format(origin=origin)
    reason = _first_line(reply.body)
    return f"it answered {status}: {reason}; {meaning}" if reason else f"it answered {status}: {meaning}"


_MEANINGS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "it does not understand the request",
    HTTPStatus.FORBIDDEN: "it does not have the right keys of the log: send them to its operator",
    HTTPStatus.NOT_FOUND: "it does not know the log {origin}, or nothing is at this address: ask its operator",
    HTTPStatus.REQUEST_TIMEOUT: "the request took too long: try again later",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the request is too large for it",
    HTTPStatus.UNPROCESSABLE_ENTITY: "this log is not consistent with what it cosigned before: a fork",
    HTTPStatus.TOO_MANY_REQUESTS: "it was asked too often: try again later",
}


def _first_line(body: bytes) -> str:
    line, _, _ = body.decode("utf-8", "replace").partition("\n")
    return line.strip()[:120]
