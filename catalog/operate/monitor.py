"""Monitor: what changed in a log since the last look, and whether it is consistent with what was seen then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from catalog.errors import OlderThanSeen, VerificationFailed
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import WalkedRelease
from catalog.log.revocation_chain import RevocationChain
from catalog.log.seen import NotAsSeen, Seen
from catalog.notes import Note as ReaderNote
from catalog.operate.listed_endorsements import EndorsementsSince, endorsements_since
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store import manifest
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.note import Note, Verified
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust
from catalog.verify.release_check import check_claims, check_list, walked
from catalog.verify.releases_of_log import read_checkpoint

UNCHANGED, NEW, FIRST = "unchanged", "new", "first"


@dataclass(frozen=True, slots=True)
class Watched:
    """The state of a log.

    note: the signed checkpoint.
    checkpoint: the checkpoint in the note.
    before: the checkpoint that it was compared with; None at the first look.
    signers: keys of the policy that signed, with their times.
    releases: new releases, the oldest first; at the first look only those with false statements.
    last_release: number of the last release.
    fresh_until: seconds since 1970.
    newer_trust: a later version of the trust note that the publisher uses; otherwise 0.
    seen: what to remember of the log.
    endorsements: endorsed digests that were added and withdrawn since the last look.
    notes: what this version does not know in the new leaves.
    """

    note: Note
    checkpoint: Checkpoint
    before: Checkpoint | None
    signers: Sequence[Verified]
    releases: Sequence[WalkedRelease]
    last_release: int
    fresh_until: int
    newer_trust: int
    seen: Seen
    endorsements: EndorsementsSince = field(default_factory=EndorsementsSince)
    notes: Sequence[ReaderNote] = ()

    @property
    def change(self) -> str:
        """What changed since the last look: FIRST, UNCHANGED or NEW."""
        return FIRST if self.before is None else UNCHANGED if self.before.size == self.checkpoint.size else NEW

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat monitor` (docs/command-line.md)."""
        return {
            "change": self.change,
            **self.checkpoint.to_dict(),
            "size_before": self.before and self.before.size,
            "last_release": self.last_release,
            "releases": [_release_to_dict(one) for one in self.releases],
            "endorsements": {
                "added": [_endorsed_to_dict(one) for one in self.endorsements.added],
                "withdrawn": [_endorsed_to_dict(one) for one in self.endorsements.withdrawn],
            },
            "signers": [{"name": one.key.name, "time": one.timestamp} for one in self.signers],
            "fresh_until": self.fresh_until,
            "newer_trust_version": self.newer_trust or None,
            "notes": [note.to_dict() for note in self.notes],
        }


class Forked(NotAsSeen):
    """Two checkpoints that one log signed, and that are not consistent.

    files: the evidence, by name. before.note and now.note are the signed checkpoints. proof.txt exists if the sizes
    differ: the root hash that the later tree has at the earlier size, and the consistency proof from it to the later
    root; one hash a line, in base64.
    """

    def __init__(self, message: str, before: Note, now: Note, proof: Sequence[bytes] = ()) -> None:
        super().__init__(message, "different people are shown different catalogs: rely on neither, and publish both")
        self.files = {"before.note": bytes(before), "now.note": bytes(now)}
        if proof:
            self.files["proof.txt"] = "".join(f"{to_base64(value)}\n" for value in proof).encode()

    def kept(self, where: str) -> VerificationFailed:
        """The error to show after the evidence was kept. where: what fork_evidence.keep returned."""
        return VerificationFailed(f"{self}; {where}", self.hint)


def watch(log: LogFolder, trust: Trust, notes: Mapping[str, Note], seen: Mapping[str, Seen], *, now: int) -> Watched:
    """Look at a log once, and read every leaf since the last look.

    notes, seen: the checkpoint and the state at the last look, by origin.
    now: seconds since 1970.

    Raises Forked, OlderThanSeen, Stale, UntrustedSigner, FalseRecord for a last release, a list of revocations, or
    endorsed digests that do not follow from the log, VerificationFailed for an expired trust note or tiles that do not
    match the checkpoint, Unreadable and MalformedInput.
    """
    trust.check_expiry(now)
    note = read_checkpoint(log)
    checkpoint = trust.open_uncosigned(note)  # for a fork it is enough that the log signed it
    before = notes.get(checkpoint.origin)
    if before:
        _check_follows(log, note, before)
    _, signers = trust.open_checkpoint(note)
    last = None if before is None else Checkpoint.parse(before.text)
    reader = LogReader(log, checkpoint)
    walk = walked(log, reader, checkpoint, seen.get(checkpoint.origin), now=now)
    newest = reader.release(checkpoint.size)
    if walk.releases:
        check_claims(newest, walk.releases[-1].false)
    found = check_list(log, newest, walk.chain, from_leaves=True)
    return Watched(
        note=note,
        checkpoint=checkpoint,
        before=last,
        signers=signers,
        releases=walk.releases if last else [one for one in walk.releases if one.false],
        last_release=newest.release,
        fresh_until=min(trust.check_fresh(signers, newest.time, now), trust.expires),
        newer_trust=version if (version := newest.trust_version or 0) > trust.version else 0,
        seen=Seen(checkpoint, found.chain, True, RevocationChain.committed(newest) is not None),
        endorsements=endorsements_since(log, reader, newest, reader.release(last.size) if last and last.size else None),
        notes=walk.unknown.notes("not looked at"),
    )


def _check_follows(log: LogFolder, note: Note, before: Note) -> None:
    """Raises Forked, OlderThanSeen; VerificationFailed for tiles that do not match the checkpoint."""
    found, last = Checkpoint.parse(note.text), Checkpoint.parse(before.text)
    if found.size < last.size:
        raise OlderThanSeen(
            f"{log.name}: the tree size went back from {last.size:,} to {found.size:,}",
            "a restored copy, a cache or an attack: look again; if this remains, the log was rolled back",
        )
    if found.size == last.size:
        if found.root != last.root:
            raise Forked(
                f"fork of {found.origin}: two checkpoints of size {found.size:,} have different roots", before, note
            )
        return
    if not last.size:
        return
    node = TileReader(log, found.size).node
    prefix = merkle.root_hash(last.size, node)
    proof = merkle.consistency_proof(last.size, found.size, node)
    try:
        merkle.verify_consistency(last.size, found.size, proof, prefix, found.root)
    except VerificationFailed as error:
        raise VerificationFailed(
            f"the tiles of {log.name} do not match its checkpoint: {error}",
            "look again: somebody may be uploading it",
        ) from error
    if prefix != last.root:
        raise Forked(
            f"fork of {found.origin}: sizes {last.size:,} and {found.size:,} are not consistent",
            before,
            note,
            [prefix, *proof],
        )


def _endorsed_to_dict(record: EndorsedRecord) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(record)
    del found["type"]
    return found


def _release_to_dict(one: WalkedRelease) -> dict[str, Any]:
    return {
        "release": one.record.release,
        "time": one.record.time,
        "manifest_sha256": one.record.artifacts.get(manifest.NAME),
        "trust_version": one.record.trust_version,
        "revocations": [
            {"selector": each.selector, "severity": each.severity, "reason": each.reason} for each in one.revokes
        ],
        "false": list(one.false),
        "steps_back": list(one.steps_back),
    }
