"""The endorsed digests of a release in a log, read without its catalog, and compared with the leaves of the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.errors import FalseRecord, MalformedRecord, VerificationFailed
from catalog.files.inputs import MAX_TEXT_SIZE
from catalog.log.leaf_search import endorsed_leaves, find_leaf
from catalog.log.log_folder import LogFolder, release_path
from catalog.log.log_reader import LogReader
from catalog.log.records import ReleaseRecord, encode_leaf
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store import manifest
from catalog.store.endorsements import read_endorsements
from catalog.store.manifest import Manifest, parse_manifest


@dataclass(frozen=True, slots=True)
class EndorsementsSince:
    """Endorsed digests that a release has and an earlier one does not, and the other way round."""

    added: tuple[EndorsedRecord, ...] = ()
    withdrawn: tuple[EndorsedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """Files of a release, each verified against the manifest that the release record names."""

    log: LogFolder
    folder: str
    manifest: Manifest

    @classmethod
    def of(cls, log: LogFolder, record: ReleaseRecord) -> ReleaseFiles:
        """Read the manifest. Raises Unreadable, MalformedInput, VerificationFailed for another one."""
        folder = release_path(record.release)
        text = log.read(f"{folder}/{manifest.NAME}", MAX_TEXT_SIZE)
        if hashlib.sha256(text).hexdigest() != record.artifacts.get(manifest.NAME):
            raise VerificationFailed(f"{folder}/{manifest.NAME} is not the one that release {record.release} names")
        return cls(log, folder, parse_manifest(text))

    def verified(self, name: str) -> bytes:
        """The verified bytes of a file. Raises as `of`, MalformedRecord for a file that is not listed."""
        if (entry := self.manifest.files.get(name)) is None:
            raise MalformedRecord(f"{manifest.NAME} does not list {name}")
        data = self.log.read(f"{self.folder}/{name}", entry.size)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise VerificationFailed(f"{self.folder}/{name} is not the file its manifest names")
        return data


def endorsements_since(
    log: LogFolder, reader: LogReader, newest: ReleaseRecord, before: ReleaseRecord | None
) -> EndorsementsSince:
    """What changed in the endorsed digests from an earlier release to the newest one.

    before: None if there is none to compare with; then only leaves and file are compared.
    Raises FalseRecord if the file of the newest release lacks endorsed digests that came with it, or has some that the
    log lacks; Unreadable, VerificationFailed, MalformedRecord for the files of the two releases.
    """
    if before == newest:
        return EndorsementsSince()
    old = read_endorsements(ReleaseFiles.of(log, before)).records if before else ()
    new = read_endorsements(ReleaseFiles.of(log, newest)).records
    known = set(old)
    added = [record for record in new if record not in known]
    for why in _disagreements(reader, new, added):
        raise FalseRecord(
            f"release {newest.release}: {why}", "ask its publisher why; ldcat audit lists everything that is wrong"
        )
    kept = set(new)
    withdrawn = tuple(record for record in old if record not in kept)
    return EndorsementsSince(tuple(added) if before else (), withdrawn)


def _disagreements(
    reader: LogReader, listed: Sequence[EndorsedRecord], added: Sequence[EndorsedRecord]
) -> Iterator[str]:
    """Yield a line for each endorsed digest that is only a leaf of the newest release, or only in its file."""
    spans = list(reader.spans())
    lines = set(map(encode_leaf, listed))
    for leaf in endorsed_leaves(reader, spans[0]):
        if leaf not in lines:
            yield f"its catalog lacks an endorsed digest of the log: {leaf.decode()}"
    for leaf in map(encode_leaf, added):
        if all(find_leaf(reader, span, leaf) is None for span in spans):
            yield f"its catalog has an endorsed digest that the log lacks: {leaf.decode()}"
