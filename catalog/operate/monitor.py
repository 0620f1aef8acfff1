"""Monitor: what a log has become since it was looked at last, and whether it is the same log still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import OlderThanSeen, VerificationFailed
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import WalkedRelease
from catalog.log.revocation_chain import RevocationChain
from catalog.log.seen import Seen
from catalog.store import manifest
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.note import Note, Verified
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust
from catalog.verify.release_check import check_claims, check_list, walked
from catalog.verify.verify_release import read_checkpoint

UNCHANGED, NEW, FIRST = "unchanged", "new", "first"


@dataclass(frozen=True, slots=True)
class Watched:
    """What a log was found to be. before: the checkpoint it is compared with; None the first time.

    signers: keys of the policy that signed, with their times. releases: those that are new, the oldest first; at the
    first look those that say what does not follow from the log.
    fresh_until: seconds since 1970. last_release: number of the last one. newer_trust: the version that the publisher
    stands by, where it is a later one; else 0. notes: what this version does not know of the leaves that are new.
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
    notes: Sequence[str] = ()

    @property
    def change(self) -> str:
        """Since it was looked at last, in a word."""
        return FIRST if self.before is None else UNCHANGED if self.before.size == self.checkpoint.size else NEW

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "change": self.change,
            "origin": self.checkpoint.origin,
            "size": self.checkpoint.size,
            "root": self.checkpoint.root.hex(),
            "size_before": self.before and self.before.size,
            "last_release": self.last_release,
            "releases": [_release_to_dict(one) for one in self.releases],
            "signers": [{"name": one.key.name, "time": one.timestamp} for one in self.signers],
            "fresh_until": self.fresh_until,
            "newer_trust_version": self.newer_trust or None,
            "notes": list(self.notes),
        }


class Forked(VerificationFailed):
    """Two checkpoints that one log signed, of which the later does not go on from the earlier.

    files: the evidence, by name. before.note, now.note: both as they were signed. proof.txt, where the trees are not of
    one size: what the leaves of the later one say that the earlier root would have been, and the consistency proof from
    that to the later root; a line each, in base64.
    """

    def __init__(self, message: str, before: Note, now: Note, proof: Sequence[bytes] = ()) -> None:
        super().__init__(message, "different people are shown different catalogs: rely on neither, and publish both")
        self.files = {"before.note": bytes(before), "now.note": bytes(now)}
        if proof:
            self.files["proof.txt"] = "".join(f"{to_base64(value)}\n" for value in proof).encode()

    def kept(self, where: str) -> VerificationFailed:
        """The error to show, once the evidence is kept. where: as fork_evidence.py says it."""
        return VerificationFailed(f"{self}; {where}", self.hint)


def watch(log: LogFolder, trust: Trust, notes: Mapping[str, Note], seen: Mapping[str, Seen], *, now: int) -> Watched:
    """Look once, and read every leaf that came since. notes, seen: by origin, what was watched last.

    now: seconds since 1970.

    Raises Forked, OlderThanSeen, Stale, UntrustedSigner, FalseRecord for a last release or a list of revocations that
    does not follow from the log, VerificationFailed for an expired trust note or tiles that are not those of the
    checkpoint, and what reading the log does.
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
        newer_trust=said if (said := newest.trust_version or 0) > trust.version else 0,
        seen=Seen(checkpoint, found.chain, True, RevocationChain.committed(newest) is not None),
        notes=walk.unknown.lines("not looked at"),
    )


def _check_follows(log: LogFolder, note: Note, before: Note) -> None:
    """Raises Forked, OlderThanSeen; VerificationFailed for tiles that prove nothing."""
    found, last = Checkpoint.parse(note.text), Checkpoint.parse(before.text)
    if found.size < last.size:
        raise OlderThanSeen(
            f"{log.name} has {found.size:,} leaves, and {last.size:,} were there before",
            "a copy that was restored, a cache or an attack: look again; if it stays so, it was rolled back",
        )
    if found.size == last.size:
        if found.root != last.root:
            raise Forked(f"a fork: two checkpoints of {found.size:,} leaves of {found.origin}", before, note)
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
            f"the tiles of {log.name} are not those of its checkpoint: {error}",
            "look again: somebody may be uploading it",
        ) from error
    if prefix != last.root:
        raise Forked(
            f"a fork: {found.size:,} leaves of {found.origin} do not begin with the {last.size:,} that it had before",
            before,
            note,
            [prefix, *proof],
        )


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
