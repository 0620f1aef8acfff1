"""The hash chain over the revoke records of a log: a list that lacks one of them, or has another, does not fit it.

Each value is the SHA-256 of the value before it, as 64 hex digits, and the leaf of a revoke record; the first one is
64 zeros. A release record commits to the chain and its length, so that whoever has a list of revocations can check it
without the leaves, and whoever saw a chain before can check that the list goes on from there. Source: docs/log.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import UNSET

from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class RevocationChain:
    """count: how many revoke records. value: the last hash, in hex."""

    count: int = 0
    value: str = _START

    @classmethod
    def of(cls, records: Iterable[RevokeRecord]) -> RevocationChain:
        """Over all records, in the order of their log."""
        return cls().then(records)

    @classmethod
    def committed(cls, record: ReleaseRecord) -> RevocationChain | None:
        """What a release record commits to; None for a record of ldcat 0.1.0, which does not."""
        if record.revocations_count is UNSET or record.revocations_chain is UNSET:
            return None
        return cls(record.revocations_count, record.revocations_chain)

    def then(self, records: Iterable[RevokeRecord]) -> RevocationChain:
        """The chain with more records at its end."""
        count, value = self.count, self.value
        for record in records:
            value = hashlib.sha256(value.encode("ascii") + encode_leaf(record)).hexdigest()
            count += 1
        return RevocationChain(count, value)
