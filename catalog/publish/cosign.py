"""Cosign the checkpoint of a log, if it is consistent with the last one that the same key cosigned.

The log has signed it, and consistency is verified with the log's own tiles. A cosigned checkpoint is remembered before
the cosignature is published. A heartbeat is another cosignature with a later time: the checkpoint is still the newest.
On the machine that signs the log, what its keys signed last counts, too: else a heartbeat would keep a restored backup
fresh, and guests would not learn of the revocations that it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder, no_log
from catalog.publish import fork_evidence
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import Note, Signature
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The result of cosigning.

    checkpoint: the published checkpoint.
    before: the checkpoint that the keys cosigned last; None if there was none.
    signed: the keys that cosigned now.
    time: of the newest cosignature of the keys, in seconds since 1970.
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
    signed: Mapping[str, LastCheckpoint] | None = None,
    heartbeat: bool = False,
    only: Checkpoint | None = None,
    now: int,
) -> Cosigned:
    """Add cosignatures to the published checkpoint. Without `heartbeat`, existing cosignatures are not renewed.

    signers: keys of one cosigner.
    states: what it cosigned last, by origin.
    signed: what this machine signed last with keys of a log, by origin.
    heartbeat: whether to cosign again with the time `now`.
    only: the checkpoint to cosign; None for whichever is published.
    now: seconds since 1970.
    Raises VerificationFailed for a checkpoint that is not consistent with the last one; both are kept as evidence; and
    for one that is older than what this machine signed last, or a fork of that. UntrustedSigner for one that no log of
    the trust note signed; UsageError for keys that make no cosignatures, for a clock that is behind, and if another
    checkpoint than `only` is published.
    """
    trust.check_expiry(now)
    keys = _keys_of_one(signers)
    _published(log, signed)  # otherwise the lock would create the folder of a log that is not there
    with log.locked():
        note = _published(log, signed)
        checkpoint = trust.open_uncosigned(note)
        if keys[0].name == checkpoint.origin:
            raise UsageError(
                f"the key {keys[0].name} has the name of the log", "ldcat keygen --for witness, with another name"
            )
        if only not in (None, checkpoint):
            raise UsageError(f"the checkpoint of {log.root} has changed", "run the command again")
        state = states[checkpoint.origin]
        last = state.read()
        before = None if last is None else Checkpoint.parse(last.text)
        if last:
            _check_follows(log, last, note, state)
        if signed and checkpoint.origin in signed:
            _check_not_before(log, checkpoint, signed[checkpoint.origin])
        there = _times(note, keys)
        newest = max([*there.values(), *(_times(last, keys).values() if last else ())], default=0)
        signing = [signer for signer in signers if heartbeat or signer.key not in there]
        if not signing:
            if last is None or last.text != note.text:
                state.write(note)
            return Cosigned(checkpoint, before, (), newest)
        if now < newest:
            raise UsageError("the clock is behind the time of the last cosignature", "set it: times never go back")
        made = [Signature(s.key.name, s.key.key_id, s.sign(note.text, now)) for s in signing]
        cosigned = note.with_signatures(made)
        Note.parse(bytes(cosigned))  # too many signatures could not be read again
        state.write(cosigned)
        log.write([(CHECKPOINT, bytes(cosigned))])
        return Cosigned(checkpoint, before, tuple(signer.key for signer in signing), now)


def _published(log: LogFolder, signed: Mapping[str, LastCheckpoint] | None) -> Note:
    note = log.checkpoint()
    if note is None:
        raise no_log(log, (signed or {}).values())
    return note


def _keys_of_one(signers: Sequence[Signer]) -> list[VerifierKey]:
    keys = [signer.key for signer in signers]
    if len({key.name for key in keys}) != 1 or any(key.type is SignatureType.ED25519 for key in keys):
        raise UsageError("the keys are not cosignature keys of one name", "ldcat keygen --for witness")
    return keys


def _times(note: Note, keys: Sequence[VerifierKey]) -> dict[VerifierKey, int]:
    """When each of the keys cosigned a note; without cosignatures that state no time."""
    try:
        return {by.key: by.timestamp for by in note.verify(keys) if by.timestamp}
    except UntrustedSigner:
        return {}


def _check_not_before(log: LogFolder, current: Checkpoint, memory: LastCheckpoint) -> None:
    """Raises VerificationFailed unless a checkpoint is the one that this machine signed last, or extends it."""
    last = memory.checkpoint()
    if last is None:
        return
    what = f"{log.root} has {current.size:,} leaves, and {last.size:,} were signed here last"
    hint = memory.copy_back
    try:
        if current.size < last.size:
            if merkle.root_hash(last.size, TileReader(log, last.size).node) == last.root:  # an interrupted run
                hint = "ldcat publish publishes what was signed"
        else:
            proof = merkle.consistency_proof(last.size, current.size, TileReader(log, current.size).node)
            merkle.verify_consistency(last.size, current.size, proof, last.root, current.root)
            return
    except (Unreadable, VerificationFailed) as error:
        raise VerificationFailed(what if current.size < last.size else f"{what}: {error}", hint) from error
    raise VerificationFailed(what, hint)


def _check_follows(log: LogFolder, last: Note, note: Note, state: LastCheckpoint) -> None:
    """Raises VerificationFailed unless the tiles show that a checkpoint is consistent with the last one."""
    before, current = Checkpoint.parse(last.text), Checkpoint.parse(note.text)
    try:
        if current.size < before.size:
            raise VerificationFailed(f"it has {current.size} leaves: it was rolled back")
        if before.size:
            proof = merkle.consistency_proof(before.size, current.size, TileReader(log, current.size).node)
            merkle.verify_consistency(before.size, current.size, proof, before.root, current.root)
    except VerificationFailed as error:
        notes = {"cosigned.note": bytes(last), "published.note": bytes(note)}
        kept = fork_evidence.keep(notes, state.path.parent / "evidence")
        raise VerificationFailed(
            f"{log.root} is not consistent with the {before.size} leaves that were cosigned last: {error}; {kept}",
            f"a fork, a restored copy or damaged tiles; {state.forgetting}",
        ) from error
