"""The hash chain over the revoke records of a log, which shows if a list of revocations lacks or changes one of them.

Each value is the SHA-256 of the previous value, as 64 hex digits, and the leaf of a revoke record; the first value is
64 zeros. A release record commits to the chain and its length. So a client can check a list of revocations without
the leaves, and a client that saw an earlier chain can check that the list extends it. Source: docs/log.md.
"""

from __future__ import annotations

from catalog.errors import FalseRecord
from catalog.transparency.light_sha256 import sha256
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.log.records import ReleaseRecord, RevokeRecord
    from catalog.log.revocation_list import Revocation

_START = "0" * 64


class RevocationChain(Value):
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
        count, value = record.revocations_count, record.revocations_chain
        if not isinstance(count, int) or not isinstance(value, str):  # msgspec.UNSET
            return None
        return cls(count, value)

    def then(self, records: Iterable[RevokeRecord]) -> RevocationChain:
        """The chain, extended by more records."""
        count, value = self.count, self.value
        for record in records:
            from catalog.log.records import encode_leaf  # most logs revoke nothing, and msgspec takes long to load

            value = sha256(value.encode("ascii") + encode_leaf(record)).hexdigest()
            count += 1
        return RevocationChain(count, value)


def chain_revocations(listed: Sequence[Revocation]) -> RevocationChain:
    """The hash chain over a list, to compare with the one in a release record."""
    return RevocationChain.of(one.record for one in listed)


def check_goes_on(listed: Sequence[Revocation], before: RevocationChain) -> None:
    """Raises FalseRecord unless a list begins with the one that was seen before, whose chain was `before`."""
    if len(listed) < before.count or chain_revocations(listed[: before.count]) != before:
        raise FalseRecord(
            f"{before.count} revocations of this log were seen before, and its list does not begin with them",
            "a revocation was removed silently: rely on nothing in this log until its publisher explains it",
        )
