"""The hash chain over the revoke records of a log, which shows if a list of revocations lacks or changes one of them.

Each value is the SHA-256 of the previous value, as 64 hex digits, and the leaf of a revoke record; the first value is
64 zeros. A release record commits to the chain and its length. So a client can check a list of revocations without
the leaves, and a client that saw an earlier chain can check that the list extends it. Source: docs/log.md.
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
    """The hash chain over the revoke records of a log.

    count: number of revoke records.
    value: the last hash, in hex.
    """

    count: int = 0
    value: str = _START

    @classmethod
    def of(cls, records: Iterable[RevokeRecord]) -> RevocationChain:
        """The chain over all records, in the order of their log."""
        return cls().then(records)

    @classmethod
    def committed(cls, record: ReleaseRecord) -> RevocationChain | None:
        """The chain that a release record commits to; None for a record of ldcat 0.1.0, which has none."""
        if record.revocations_count is UNSET or record.revocations_chain is UNSET:
            return None
        return cls(record.revocations_count, record.revocations_chain)

    def then(self, records: Iterable[RevokeRecord]) -> RevocationChain:
        """The chain, extended by more records."""
        count, value = self.count, self.value
        for record in records:
            value = hashlib.sha256(value.encode("ascii") + encode_leaf(record)).hexdigest()
            count += 1
        return RevocationChain(count, value)
