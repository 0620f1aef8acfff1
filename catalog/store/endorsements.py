"""The launch digests that somebody endorses, as a catalog has them: one canonical leaf a line, and their documents.

No digest follows from them: they say what their endorsers say. docs/endorsements.md describes the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from catalog.errors import MalformedRecord
from catalog.imports.imported import MAX_DOCUMENT
from catalog.log.records import encode_leaf, parse_endorsed
from catalog.log.revocations import Revocations
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.store import manifest
from catalog.store.manifest import Manifest
from catalog.store.parquet import TableFiles
from catalog.work.unlocked_property import cached_property

if TYPE_CHECKING:  # it loads cryptography
    from catalog.log.revocation_list import Revocation

_LONGEST_NAME = 60

MAX_ENDORSED = 32 << 20
"""Bytes of the file of endorsed digests; one has about 700."""


@dataclass(frozen=True)
class Endorsements:
    """The endorsed digests of a catalog, sorted by their leaves, and the revocations of its log."""

    records: tuple[EndorsedRecord, ...] = ()
    revocations: Revocations[Revocation] = field(default_factory=lambda: Revocations(()))
    _by_digest: Mapping[str, list[EndorsedRecord]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_digest: dict[str, list[EndorsedRecord]] = {}
        for record in self.records:
            by_digest.setdefault(record.launch_digest, []).append(record)
        object.__setattr__(self, "_by_digest", by_digest)

    def of(self, digest: bytes) -> tuple[EndorsedRecord, ...]:
        """Every endorsement of a launch digest."""
        return tuple(self._by_digest.get(digest.hex(), ()))

    def endorsers(self, digest_size: int) -> tuple[str, ...]:
        """The endorsers of digests of some size, short, each once and in order. digest_size: bytes."""
        return self._endorsers.get(digest_size, ())

    @cached_property
    def _endorsers(self) -> Mapping[int, tuple[str, ...]]:
        """Kept, because every miss of a batch names them."""
        found: dict[int, set[str]] = {}
        for record in self.records:
            if record.endorser_scheme != REPORTED:
                found.setdefault(len(record.launch_digest) // 2, set()).add(short_name(record))
        return {size: tuple(sorted(names)) for size, names in found.items()}

    def revocation(self, record: EndorsedRecord) -> Revocation | None:
        """What revokes or deprecates an endorsement in the log of the catalog; None if nothing does."""
        return self.revocations.status(record)


def read_endorsements(catalog: TableFiles, revocations: Sequence[Revocation] = ()) -> Endorsements:
    """The endorsed digests of a catalog; none if it has no such file.

    revocations: of the log that it is published in, the newest last.
    Raises VerificationFailed for a file that differs from the manifest, Unreadable, and MalformedRecord for leaves that
    are not canonical, sorted and unique, or documents that are not those that they name.
    """
    entry = catalog.manifest.files.get(manifest.ENDORSED)
    if entry is None:
        return Endorsements(revocations=Revocations(revocations))
    if entry.size > MAX_ENDORSED:
        raise MalformedRecord(f"{manifest.ENDORSED} has {entry.size:,} bytes, more than {MAX_ENDORSED:,}")
    records = parse_endorsements(catalog.verified(manifest.ENDORSED))
    if entry.rows != len(records):
        raise MalformedRecord(f"{manifest.NAME}: {manifest.ENDORSED}: rows {entry.rows}, and it has {len(records):,}")
    _check_documents(records, catalog.manifest)
    return Endorsements(records, Revocations(revocations))


def parse_endorsements(data: bytes) -> tuple[EndorsedRecord, ...]:
    """The records of a file that `endorsements_file` wrote; raises MalformedRecord for any other."""
    *leaves, rest = data.split(b"\n")
    if rest or any(after <= before for before, after in pairwise(leaves)):
        raise MalformedRecord(f"{manifest.ENDORSED}: its lines are not sorted and unique, each with a line feed")
    found = []
    for number, leaf in enumerate(leaves, 1):
        try:
            found.append(parse_endorsed(leaf))
        except MalformedRecord as error:
            raise MalformedRecord(f"{manifest.ENDORSED}, line {number}: {error}") from error
    return tuple(found)


def endorsements_file(records: Iterable[EndorsedRecord]) -> bytes:
    """The file of endorsed digests."""
    return b"".join(leaf + b"\n" for leaf in sorted({encode_leaf(record) for record in records}))


def document_name(sha256: str) -> str:
    """The file of a document in a catalog. sha256: of its bytes, in hex."""
    return f"{manifest.ENDORSED_FOLDER}/{sha256}"


def short_name(record: EndorsedRecord) -> str:
    """The feed of an endorser; without one, what comes before the file in an address: host, owner, repository.

    Of a longer id, such as a did:x509, the beginning.
    """
    by = record.endorser
    name = by.feed or "/".join(by.id.split(" ")[0].rpartition("://")[2].split("/")[:3])
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def _check_documents(records: Iterable[EndorsedRecord], listed: Manifest) -> None:
    """Raises MalformedRecord unless the manifest lists exactly the documents that are named, each by its own hash."""
    named = {document_name(one.document_sha256) for one in records if one.document_sha256 is not None}
    there = {name for name in listed.files if name.startswith(f"{manifest.ENDORSED_FOLDER}/")} - {manifest.ENDORSED}
    if other := sorted(named ^ there):
        raise MalformedRecord(f"{manifest.NAME}: {other[0]}: a document that is missing, or that nothing names")
    for name in sorted(there):
        if listed.files[name].sha256 != name.rpartition("/")[2]:
            raise MalformedRecord(f"{manifest.NAME}: {name} is not named by its SHA-256")
        if listed.files[name].size > MAX_DOCUMENT:
            raise MalformedRecord(f"{manifest.NAME}: {name} has more than {MAX_DOCUMENT:,} bytes")
