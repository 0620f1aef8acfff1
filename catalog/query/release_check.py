"""Check the last release of a log as a client can that does not read every leaf.

Its record is compared with the record before it and with the revoke records that came with it, all of them verified by
their inclusion; its list of revocations with the hash chain that the record commits to. What this leaves to the word of
the publisher, and who checks that, is in docs/adr/0016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from catalog.errors import FalseRecord, VerificationFailed
from catalog.query.log_reader import LogReader, ReleaseSpan
from catalog.query.revocations import MAX_REVOCATIONS, Revocation, chain_of, parse_revocations
from catalog.release.log_folder import LogFolder
from catalog.release.publish import REVOCATIONS, release_path
from catalog.release.records import ReleaseRecord, RevokeRecord
from catalog.release.release_rules import EARLIEST, Before, false_claims
from catalog.release.revocation_chain import RevocationChain
from catalog.transparency.trust import MAX_AHEAD

ASK = "ask its publisher why it was signed; ldcat audit says all that is wrong"


@dataclass(frozen=True, slots=True)
class LastRelease:
    """What was checked. revocations_json: the list as it is published.

    note: what was done without a commitment, as logs of ldcat 0.1.0 have none; else None.
    """

    record: ReleaseRecord
    revocations: tuple[Revocation, ...]
    revocations_json: bytes
    note: str | None


def check_last_release(log: LogFolder, reader: LogReader, *, trust_version: int, now: int) -> LastRelease:
    """The record that ends a checkpoint, and its revocations. trust_version: of the trust note of whoever asks.

    now: seconds since 1970. Raises FalseRecord, VerificationFailed for a list that the record does not name, and what
    reading the log does.
    """
    span = next(reader.spans())
    before = Before(trust_version=trust_version)
    if span.first:
        before = _at(reader, span.first, trust_version, now)
    check_claims(span.record, [*false_claims(span.record, before, _chain(log, reader, span), now)])
    return check_list(log, reader)


def check_list(log: LogFolder, reader: LogReader) -> LastRelease:
    """The revocations of the last release, which are those of the log; raises as `check_last_release`."""
    span = next(reader.spans())
    record = span.record
    data, chain = read_list(log, record), _chain(log, reader, span)
    listed = parse_revocations(data)
    if chain_of(listed) != chain:
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
    return LastRelease(record, tuple(listed), data, note)


def check_claims(record: ReleaseRecord, false: Sequence[str]) -> None:
    """Raises FalseRecord for a record that says what does not follow."""
    if false:
        raise FalseRecord(f"release {record.release} is false: {'; '.join(false)}", ASK)


@dataclass(frozen=True, slots=True)
class CheckedRelease:
    """A release, with the revocations that came with it, the newest last. false: what does not follow, in lines."""

    record: ReleaseRecord
    revocations: Sequence[RevokeRecord]
    false: tuple[str, ...]


def releases_after(reader: LogReader, size: int, *, now: int) -> list[CheckedRelease]:
    """Each release after so many leaves, the oldest first, compared with those before it. now: seconds since 1970.

    Raises FalseRecord if none of them ends with so many leaves, and what reading does.
    """
    spans = list(takewhile(lambda span: span.end > size, reader.spans()))
    if spans and spans[-1].first < size:
        number = spans[-1].record.release
        raise FalseRecord(
            f"release {number} leaves out the checkpoint of {size} leaves that was published before it", ASK
        )
    before, chain = _state_at(reader, size, now)
    found = []
    for span in reversed(spans):
        came = reader.revokes_of(span)
        chain = chain.then(came)
        found.append(CheckedRelease(span.record, came, tuple(false_claims(span.record, before, chain, now))))
        before = before.after(span.record, span.end, reader.root_at(span.end), now)
    return found


def _state_at(reader: LogReader, size: int, now: int) -> tuple[Before, RevocationChain]:
    """What the log is after so many leaves, of which the last is the record of a release."""
    if not size:
        return Before(), RevocationChain()
    last = reader.span(size).record
    chain = RevocationChain.committed(last) or RevocationChain.of(reader.revokes(size))
    return _at(reader, size, last.trust_version or 0, now), chain


def read_list(log: LogFolder, record: ReleaseRecord) -> bytes:
    """The list that a record names; raises Unreadable, MalformedInput, VerificationFailed."""
    path = f"{release_path(record.release)}/{REVOCATIONS}"
    data = log.read(path, MAX_REVOCATIONS)
    if hashlib.sha256(data).hexdigest() != record.revocations_sha256:
        raise VerificationFailed(f"{path} is not the list that release {record.release} names")
    return data


def _at(reader: LogReader, size: int, trust_version: int, now: int) -> Before:
    """The log after the release that ends with so many leaves, whose number and time count unless they cannot be."""
    last = reader.span(size).record
    possible = 0 < last.release <= size
    return Before(
        size,
        reader.root_at(size),
        last.release if possible else None,
        last.time if last.time <= now + MAX_AHEAD else EARLIEST,
        trust_version,
        RevocationChain.committed(last) is not None,
    )


def _chain(log: LogFolder, reader: LogReader, span: ReleaseSpan) -> RevocationChain:
    """The chain over the revoke records of the log.

    Of a log that is here all of them are read. Of one that a host serves that would be a request for each release: if
    the release before commits to its own, and what came since leads to what this one commits to, that is it.
    """
    committed = RevocationChain.committed(span.record)
    if not log.is_here and span.first and committed:
        last = RevocationChain.committed(reader.span(span.first).record)
        if last and last.then(reader.revokes_of(span)) == committed:
            return committed
    return RevocationChain.of(reader.revokes())
