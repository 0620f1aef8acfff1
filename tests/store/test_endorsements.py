"""The file of endorsed digests in a catalog: canonical, sorted, unique, bounded, with the documents that it names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from catalog.errors import MalformedRecord
from catalog.imports.imported import MAX_DOCUMENT
from catalog.log.records import encode_leaf
from catalog.log.revocation_list import Revocation
from catalog.store import endorsements, manifest
from catalog.store.endorsements import (
    Endorsements,
    document_name,
    endorsements_file,
    parse_endorsements,
    read_endorsements,
)
from catalog.store.manifest import FileEntry, Manifest
from tests.support.endorsed_digests import DOCUMENT, SNP_DIGEST, endorsed, listed

RECORDS = (endorsed(), listed(), listed("77" * 32, technology="sev"))
EMPTY = Manifest(format=manifest.FORMAT, name="n", generator="g", technologies={}, files={}, left_out=[])


@dataclass
class Files:
    """Files of a catalog in memory."""

    data: bytes
    rows: int | None = 3
    documents: dict[str, str] = field(default_factory=lambda: {document_name(DOCUMENT): DOCUMENT})
    size: int | None = None
    document_size: int = 1
    manifest_sha256 = ""

    @property
    def manifest(self) -> Manifest:
        sha256 = hashlib.sha256(self.data).hexdigest()
        size = len(self.data) if self.size is None else self.size
        files = {manifest.ENDORSED: FileEntry(sha256=sha256, size=size, rows=self.rows)}
        files |= {name: FileEntry(sha256=of, size=self.document_size) for name, of in self.documents.items()}
        return msgspec.structs.replace(EMPTY, files=files)

    def verified(self, name: str) -> bytes:
        assert name == manifest.ENDORSED
        return self.data


WHOLE = Files(endorsements_file(RECORDS))


def test_what_is_written_is_read() -> None:
    found = read_endorsements(WHOLE)
    assert set(found.records) == set(RECORDS)
    assert set(found.of(bytes.fromhex(SNP_DIGEST))) == set(RECORDS[:2])
    assert found.of(bytes(48)) == ()


def test_the_endorsers_of_a_size_of_digest_are_named_once() -> None:
    """And computed once: a batch of misses names them for each."""
    found = Endorsements((*RECORDS, listed("78" * 48), listed("79" * 48, scheme="reported", id="https://seen.example")))
    assert found.endorsers(48) == ("a feed", "a.example/list")
    assert found.endorsers(48) is found.endorsers(48)
    assert (found.endorsers(32), found.endorsers(20)) == (("a.example/list",), ())


def test_a_record_that_is_given_twice_is_written_once() -> None:
    assert endorsements_file((*RECORDS, RECORDS[0])) == WHOLE.data


def test_a_catalog_without_the_file_has_none() -> None:
    class Nothing(Files):
        @property
        def manifest(self) -> Manifest:
            return EMPTY

    assert read_endorsements(Nothing(b"")).records == ()


@pytest.mark.parametrize("field_name", ["launch_digest", "endorser_id", "document_sha256"])
def test_a_revocation_that_selects_a_record_is_told(field_name: str) -> None:
    selector = {field_name: getattr(RECORDS[0], field_name)}
    found = read_endorsements(WHOLE, [Revocation(selector=selector, severity="revoked", reason="why")])
    revoked = [one for one in found.records if found.revocation(one)]
    assert revoked == [one for one in found.records if getattr(one, field_name) == selector[field_name]]


def test_a_selector_of_a_row_selects_no_record() -> None:
    revoked = [Revocation(selector={"kernel_hashes_sha256": None}, severity="revoked", reason="why")]
    assert [read_endorsements(WHOLE, revoked).revocation(one) for one in RECORDS] == [None] * 3


LINES = WHOLE.data.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"".join(LINES[::-1]), "not sorted"),
        (LINES[0] + WHOLE.data, "not sorted and unique"),
        (WHOLE.data[:-1], "line feed"),
        (WHOLE.data + b"\n", "not sorted"),
        (WHOLE.data.replace(b'"svn":7', b'"svn": 7'), "canonical"),
        (WHOLE.data.replace(b'"type":"endorsed"', b'"type":"revoke"'), "line 1"),
    ],
)
def test_a_file_in_another_form_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(MalformedRecord, match=why):
        read_endorsements(replace(WHOLE, data=data))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (replace(WHOLE, rows=2), "rows 2, and it has 3"),
        (replace(WHOLE, rows=None), "rows None"),
        (replace(WHOLE, documents={}), f"{DOCUMENT}: a document that is missing"),
        (replace(WHOLE, documents={**WHOLE.documents, "endorsements/x": "ab" * 32}), "nothing names"),
        (replace(WHOLE, documents={document_name(DOCUMENT): "ab" * 32}), "not named by its SHA-256"),
        (replace(WHOLE, size=endorsements.MAX_ENDORSED + 1), "more than"),
        (replace(WHOLE, document_size=MAX_DOCUMENT + 1), f"{DOCUMENT} has more than 4,194,304 bytes"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(files: Files, why: str) -> None:
    with pytest.raises(MalformedRecord, match=why):
        read_endorsements(files)


def test_no_lines_are_no_records() -> None:
    assert parse_endorsements(b"") == ()
    assert parse_endorsements(encode_leaf(RECORDS[0]) + b"\n") == RECORDS[:1]
