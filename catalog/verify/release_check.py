"""Check the record and the revocations of the last release of a log against the leaves; at a host, against a few.

What is left to trust in the publisher, and who checks it, is in docs/adr/0016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from catalog.errors import FalseRecord, VerificationFailed
from catalog.log.log_folder import REVOCATIONS, LogFolder, release_path
from catalog.log.log_reader import LogReader, ReleaseSpan
from catalog.log.log_walk import LogWalk, Start
from catalog.log.records import ReleaseRecord
from catalog.log.release_rules import Before, false_claims, false_trust_version, revocations_json, what_to_do
from catalog.log.revocation_chain import RevocationChain, chain_revocations
from catalog.log.revocation_list import MAX_REVOCATIONS, Revocation, parse_revocations
from catalog.log.seen import Seen
from catalog.notes import Note
from catalog.transparency.checkpoint import Checkpoint
from catalog.values import replace as changed


@dataclass(frozen=True, slots=True)
class LastRelease:
    """The last release of a log, checked.

    record: its release record.
    revocations: its list of revocations.
    revocations_json: the bytes of the list, as published.
    chain: the hash chain over the revocations.
    from_leaves: whether every leaf was read and understood; otherwise chain is what the record commits to.
    note: what was done instead if the record has no commitment, as in logs of ldcat 0.1.0; otherwise None.
    unknown: a note for each type of record that was read and that this version does not know.
    """

    record: ReleaseRecord
    revocations: tuple[Revocation, ...]
    revocations_json: bytes
    chain: RevocationChain
    from_leaves: bool
    note: str | None
    unknown: tuple[Note, ...] = ()


def check_last_release(
    log: LogFolder,
    reader: LogReader,
    checkpoint: Checkpoint,
    *,
    trust_version: int,
    now: int,
    seen: Seen | None = None,
    walk: LogWalk | None = None,
) -> LastRelease:
    """Check the last release record of a checkpoint, and its revocations.

    In a local log every leaf is read that was not read before. At a host that would be the whole log, so there the
    record is compared with the previous one.

    trust_version: version of the client's trust note.
    now: seconds since 1970.
    seen: what this machine verified before; the checkpoint is consistent with it.
    walk: over every leaf, of any checkpoint; it has ended, and is used if it is of this one.
    Raises FalseRecord, VerificationFailed for a list that the record does not name, and as LogWalk and LogReader.
    """
    record = reader.release(checkpoint.size)
    asker = Before(trust_version=trust_version)
    if log.is_here:
        if walk is None or walk.checkpoint != checkpoint:
            walk = walked(log, reader, checkpoint, seen, now=now)
        false, chain = walk.releases[-1].false if walk.releases else (), walk.chain
        unknown = walk.unknown
    else:
        chain = _chain_at_host(reader, record)
        false = tuple(_false_at_host(reader, record, chain, trust_version, now))
        unknown = reader.unknown
    if (why := false_trust_version(record, asker)) and why not in false:
        false = (*false, why)
    check_claims(record, false)
    notes = tuple(unknown.record_notes())
    return replace(check_list(log, record, chain, from_leaves=log.is_here and not notes), unknown=notes)


def walked(log: LogFolder, reader: LogReader, checkpoint: Checkpoint, seen: Seen | None, *, now: int) -> LogWalk:
    """Read every leaf that was not read before. now: seconds since 1970. Raises as `LogWalk`."""
    start = None
    if seen and seen.from_leaves and seen.revocations and seen.checkpoint.size:
        before = _at(reader, seen.checkpoint.size, reader.release(seen.checkpoint.size).trust_version or 0)
        start = Start(before, seen.revocations)
    return LogWalk(log, checkpoint, now, start, rows=False).whole()


def check_list(log: LogFolder, record: ReleaseRecord, chain: RevocationChain, *, from_leaves: bool) -> LastRelease:
    """Check that the list of the last release is canonical and has this chain. Raises as `check_last_release`."""
    data = read_list(log, record)
    listed = parse_revocations(data)
    if chain_revocations(listed) != chain or revocations_json(one.record for one in listed) != data:
        raise FalseRecord(
            f"the list of revocations of release {record.release} differs from the log: "
            f"{len(listed)} are listed, and {chain.count} are in the log",
            what_to_do(),
        )
    note = None
    if RevocationChain.committed(record) is None:
        note = (
            f"release {record.release} does not commit to its revocations, like releases of ldcat 0.1.0: "
            "they were read from the leaves"
        )
    return LastRelease(record, tuple(listed), data, chain, from_leaves, note)


def check_claims(record: ReleaseRecord, false: Sequence[str]) -> None:
    """Raises FalseRecord if `false` has statements of the record that do not follow from the leaves."""
    if false:
        raise FalseRecord(f"release {record.release} is false: {'; '.join(false)}", what_to_do(false))


def chain_seen(reader: LogReader, seen: Seen) -> RevocationChain:
    """The chain of the revocations that were seen: the one that was kept, or that of the log at that checkpoint."""
    if seen.revocations is not None or not seen.checkpoint.size:
        return seen.revocations or RevocationChain()
    committed = RevocationChain.committed(reader.release(seen.checkpoint.size))
    return committed or RevocationChain.of(reader.revokes(seen.checkpoint.size))


def read_list(log: LogFolder, record: ReleaseRecord) -> bytes:
    """The bytes of the list that a record names. Raises Unreadable, MalformedInput, VerificationFailed."""
    path = f"{release_path(record.release)}/{REVOCATIONS}"
    data = log.read_known(path, MAX_REVOCATIONS, record.revocations_sha256)
    if hashlib.sha256(data).hexdigest() != record.revocations_sha256:
        raise VerificationFailed(f"{path} is not the list that release {record.release} names")
    return data


def _false_at_host(
    reader: LogReader, record: ReleaseRecord, chain: RevocationChain, trust_version: int, now: int
) -> Iterator[str]:
    """Yield what contradicts the previous release. Release numbers may have gaps: only all leaves would show them."""
    size = record.previous_size
    if not reader.leads_back(record, reader.size):
        yield f"its previous_size is {size}, and no release that could precede number {record.release} ends there"
        return
    before = _at(reader, size, trust_version) if size else Before(trust_version=trust_version)
    before = changed(before, number=max(before.number, record.release - 1))
    yield from false_claims(record, before, chain, now)


def _at(reader: LogReader, size: int, trust_version: int) -> Before:
    """The state of the log after its first `size` leaves, which end with a release record."""
    last = reader.release(size)
    commits = RevocationChain.committed(last) is not None
    number = last.release if 0 < last.release <= size else 0
    return Before(size, reader.root_at(size), number, last.time, trust_version, commits)


def _chain_at_host(reader: LogReader, record: ReleaseRecord) -> RevocationChain:
    """The chain that the record should commit to: that of the previous release, extended by the new revocations.

    If they differ, or there is no commitment, the chain is computed from the revocations of every release.
    """
    committed, size = RevocationChain.committed(record), record.previous_size
    if committed and size and reader.leads_back(record, reader.size):
        last = RevocationChain.committed(reader.release(size))
        if last and last.then(reader.read_revokes(ReleaseSpan(record, size, reader.size))) == committed:
            return committed
    return RevocationChain.of(reader.revokes())
