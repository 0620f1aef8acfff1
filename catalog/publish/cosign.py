"""Cosign: a key vouches for the checkpoint of a log, if it goes on from the last one that the key vouched for.

The log has signed it, the proof is made from the log's own tiles, and what is cosigned is remembered before anybody
sees it. Whoever cosigns again, with a later time, says that the checkpoint is still the newest: a heartbeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder
from catalog.publish import fork_evidence
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import Note, Signature
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What stands in the log now. before: what the keys had cosigned last, or None. signed: those that did now.

    time: seconds since 1970 of the newest cosignature of the keys.
    """

    checkpoint: Checkpoint
    before: Checkpoint | None
    signed: tuple[VerifierKey, ...]
    time: int


def cosign(
    log: LogFolder,
    signers: Sequence[Signer],
    states: Mapping[str, LastCheckpoint],
    trust: Trust,
    *,
    heartbeat: bool = False,
    only: Checkpoint | None = None,
    now: int,
) -> Cosigned:
    """Add cosignatures to the published checkpoint; one that has them is left alone, but for a heartbeat.

    signers: keys of one cosigner. states: by origin, what it cosigned last. only: the checkpoint that is meant. now:
    seconds since 1970. Raises VerificationFailed for a checkpoint that does not go on from the last one, which is then
    kept with it as evidence; UntrustedSigner for one that no log of the trust note signed; UsageError for keys of
    something else, for a clock that is behind, and where the checkpoint is not
    the one that is meant any more.
    """
    trust.check_expiry(now)
    keys = _keys_of_one(signers)
    _published(log)  # where nothing is, a lock would make the folder
    with log.locked():
        note = _published(log)
        checkpoint = trust.open_uncosigned(note)
        if keys[0].name == checkpoint.origin:
            raise UsageError("a log does not cosign its own checkpoints", "ldcat keygen --for witness, another name")
        if only not in (None, checkpoint):
            raise UsageError(f"{log.root} has another checkpoint by now", "run it again")
        state = states[checkpoint.origin]
        last = state.read()
        before = None if last is None else Checkpoint.parse(last.text)
        if last:
            _check_follows(log, last, note, state.path.parent / "evidence")
        there = _times(note, keys)
        newest = max([*there.values(), *(_times(last, keys).values() if last else ())], default=0)
        signing = [signer for signer in signers if heartbeat or signer.key not in there]
        if not signing:
            if last is None or last.text != note.text:
                state.write(note)
            return Cosigned(checkpoint, before, (), newest)
        if now < newest:
            raise UsageError("the clock is behind the time of the last cosignature", "set it; they never go back")
        made = [Signature(s.key.name, s.key.key_id, s.sign(note.text, now)) for s in signing]
        cosigned = note.with_signatures(made)
        Note.parse(bytes(cosigned))  # too many signatures could not be read again
        state.write(cosigned)
        log.write([(CHECKPOINT, bytes(cosigned))])
        return Cosigned(checkpoint, before, tuple(signer.key for signer in signing), now)


def _published(log: LogFolder) -> Note:
    note = log.checkpoint()
    if note is None:
        raise Unreadable(f"no log at {log.root}", "ldcat publish makes it")
    return note


def _keys_of_one(signers: Sequence[Signer]) -> list[VerifierKey]:
    keys = [signer.key for signer in signers]
    if len({key.name for key in keys}) != 1 or any(key.type is SignatureType.ED25519 for key in keys):
        raise UsageError(
            "a checkpoint is cosigned with keys of cosignatures, all of one name", "ldcat keygen --for witness"
        )
    return keys


def _times(note: Note, keys: Sequence[VerifierKey]) -> dict[VerifierKey, int]:
    """When each of the keys cosigned a note, of those that did; not at no time."""
    try:
        return {by.key: by.timestamp for by in note.verify(keys) if by.timestamp}
    except UntrustedSigner:
        return {}


def _check_follows(log: LogFolder, last: Note, note: Note, evidence: Path) -> None:
    """Raises VerificationFailed unless the tiles show that a checkpoint goes on from the last one."""
    before, current = Checkpoint.parse(last.text), Checkpoint.parse(note.text)
    try:
        if current.size < before.size:
            raise VerificationFailed(f"it has {current.size} leaves: it was rolled back")
        if before.size:
            proof = merkle.consistency_proof(before.size, current.size, TileReader(log, current.size).node)
            merkle.verify_consistency(before.size, current.size, proof, before.root, current.root)
    except VerificationFailed as error:
        raise VerificationFailed(
            f"{log.root} does not go on from the checkpoint of {before.size} leaves that was cosigned last: {error}",
            "a fork, a copy that was restored, or damaged tiles; "
            + fork_evidence.keep({"cosigned.note": bytes(last), "published.note": bytes(note)}, evidence),
        ) from error
