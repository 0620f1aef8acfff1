"""Check the last release of a log: its record and its revocations, against the leaves, or as far as a host is asked.

What this leaves to the word of the publisher, and who checks that, is in docs/adr/0016.
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
from catalog.log.release_rules import Before, false_claims, false_trust_version, revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import MAX_REVOCATIONS, Revocation, chain_revocations, parse_revocations
from catalog.log.seen import Seen
from catalog.transparency.checkpoint import Checkpoint

ASK = "ask its publisher why it was signed; ldcat audit says all that is wrong"


@dataclass(frozen=True, slots=True)
class LastRelease:
    """What was checked. revocations_json: the list as it is published. chain: of its revocations.

    from_leaves: whether every leaf was read and understood; else chain is what the record commits to. note: what was
    done without a commitment, as logs of ldcat 0.1.0 have none; else None. unknown: a line for each type of record that
    was read and is not known.
    """

    record: ReleaseRecord
    revocations: tuple[Revocation, ...]
    revocations_json: bytes
    chain: RevocationChain
    from_leaves: bool
    note: str | None
    unknown: tuple[str, ...] = ()


def check_last_release(
    log: LogFolder,
    reader: LogReader,
    checkpoint: Checkpoint,
    *,
    trust_version: int,
    now: int,
    seen: Seen | None = None,
) -> LastRelease:
    """The record that ends a checkpoint, and its revocations.

    Of a log that is here every leaf is read, from the checkpoint on of which that was done before; at a host that would
    be the whole log: there the record is compared with the one before it. trust_version: of the trust note of whoever
    asks. now: seconds since 1970. seen: what was verified here before, from which this checkpoint goes on. Raises
    FalseRecord, VerificationFailed for a list that the record does not name, and what reading the log does.
    """
    record = reader.release(checkpoint.size)
    asker = Before(trust_version=trust_version)
    if log.is_here:
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
    lines = tuple(unknown.record_lines())
    return replace(check_list(log, record, chain, from_leaves=log.is_here and not lines), unknown=lines)


def walked(log: LogFolder, reader: LogReader, checkpoint: Checkpoint, seen: Seen | None, *, now: int) -> LogWalk:
    """Every leaf that was not read before. now: seconds since 1970; raises as `LogWalk`."""
    start = None
    if seen and seen.from_leaves and seen.revocations and seen.checkpoint.size:
        before = _at(reader, seen.checkpoint.size, reader.release(seen.checkpoint.size).trust_version or 0)
        start = Start(before, seen.revocations)
    return LogWalk(log, checkpoint, now, start, rows=False).whole()


def check_list(log: LogFolder, record: ReleaseRecord, chain: RevocationChain, *, from_leaves: bool) -> LastRelease:
    """The revocations of the last release, which have that chain, in their one form; raises as `check_last_release`."""
    data = read_list(log, record)
    listed = parse_revocations(data)
    if chain_revocations(listed) != chain or revocations_json(one.record for one in listed) != data:
        raise FalseRecord(
            f"the revocations of release {record.release} are not those that are in the log: "
            f"{len(listed)} are listed, and {chain.count} are there",
            ASK,
        )
    note = None
    if RevocationChain.committed(record) is None:
        note = (
            f"release {record.release} does not commit to its revocations, as ldcat 0.1.0 did not: "
            "they were read from the leaves"
        )
    return LastRelease(record, tuple(listed), data, chain, from_leaves, note)


def check_claims(record: ReleaseRecord, false: Sequence[str]) -> None:
    """Raises FalseRecord for a record that says what does not follow."""
    if false:
        raise FalseRecord(f"release {record.release} is false: {'; '.join(false)}", ASK)


def chain_seen(reader: LogReader, seen: Seen) -> RevocationChain:
    """The chain of the revocations that were seen: what is kept of it, or else what the log had at that checkpoint."""
    if seen.revocations is not None or not seen.checkpoint.size:
        return seen.revocations or RevocationChain()
    committed = RevocationChain.committed(reader.release(seen.checkpoint.size))
    return committed or RevocationChain.of(reader.revokes(seen.checkpoint.size))


def read_list(log: LogFolder, record: ReleaseRecord) -> bytes:
    """The list that a record names; raises Unreadable, MalformedInput, VerificationFailed."""
    path = f"{release_path(record.release)}/{REVOCATIONS}"
    data = log.read(path, MAX_REVOCATIONS)
    if hashlib.sha256(data).hexdigest() != record.revocations_sha256:
        raise VerificationFailed(f"{path} is not the list that release {record.release} names")
    return data


def _false_at_host(
    reader: LogReader, record: ReleaseRecord, chain: RevocationChain, trust_version: int, now: int
) -> Iterator[str]:
    """What is false by the release before. A number may leave some out: which there are, only the leaves say."""
    size = record.previous_size
    if not reader.leads_back(record, reader.size):
        yield f"its previous_size is {size}, where no release ends that could be before number {record.release}"
        return
    before = _at(reader, size, trust_version) if size else Before(trust_version=trust_version)
    before = replace(before, number=max(before.number, record.release - 1))
    yield from false_claims(record, before, chain, now)


def _at(reader: LogReader, size: int, trust_version: int) -> Before:
    """The log after the release that ends with so many leaves."""
    last = reader.release(size)
    commits = RevocationChain.committed(last) is not None
    number = last.release if 0 < last.release <= size else 0
    return Before(size, reader.root_at(size), number, last.time, trust_version, commits)


def _chain_at_host(reader: LogReader, record: ReleaseRecord) -> RevocationChain:
    """The chain that is to be committed to: what the release before commits to, and what came since.

    If that is not it, or nothing is committed to, it is made of what came with each release.
    """
    committed, size = RevocationChain.committed(record), record.previous_size
    if committed and size and reader.leads_back(record, reader.size):
        last = RevocationChain.committed(reader.release(size))
        if last and last.then(reader.read_revokes(ReleaseSpan(record, size, reader.size))) == committed:
            return committed
    return RevocationChain.of(reader.revokes())
