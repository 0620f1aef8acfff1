"""Audit of the endorsed digests of a catalog: what their documents say, and what the rows say about them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from catalog.audit.audit import AuditFinding, odd, wrong
from catalog.audit.recomputed_endorsements import recompute_endorsements
from catalog.errors import LdcatError, UntrustedSigner
from catalog.files.inputs import MAX_TEXT_SIZE, read_file
from catalog.imports.chains import parse_trusted
from catalog.imports.documents import Given, forms, read_document
from catalog.imports.endorsed_facts import EndorsedDigest
from catalog.imports.imported import Imported
from catalog.launch.technology import technologies
from catalog.operate.finding import Severity
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.spec import embedded
from catalog.store.catalog import Catalog
from catalog.store.endorsements import document_name, read_endorsements


def endorsed_findings(catalog: Catalog) -> Iterator[AuditFinding]:
    """Yield findings about endorsed digests. Raises as `read_endorsements` and `recompute_endorsements`."""
    records = read_endorsements(catalog).records
    by_document: dict[str, list[EndorsedRecord]] = {}
    for record in records:
        if record.document_sha256 is not None:
            by_document.setdefault(record.document_sha256, []).append(record)
    given = Given(now=0)
    for path in embedded.fleet_roots() if by_document else ():
        given = parse_trusted(read_file(path, limit=MAX_TEXT_SIZE), given)
    for sha256, of_document in by_document.items():
        yield from _document_findings(catalog, sha256, of_document, given)
    yield from _row_findings(catalog, records)


def _document_findings(
    catalog: Catalog, sha256: str, records: Sequence[EndorsedRecord], given: Given
) -> Iterator[AuditFinding]:
    """Yield what differs from a document, which is read and verified again.

    One whose signer nobody vouches for is compared all the same: who signed it is all that stays open.
    """
    name = document_name(sha256)
    for record in records:
        if record.endorser_scheme not in forms() and record.checked != "none":
            what = f"{record.launch_digest} is called signed, and ldcat reads no {record.endorser_scheme} documents"
            yield wrong("endorsed", name, what)
    read = [record for record in records if record.endorser_scheme in forms()]
    if not read:
        return
    data = catalog.verified(name)
    try:
        try:
            document = read_document(data, given)
        except UntrustedSigner as failure:
            what = f"its signature was not verified again: {failure}"
            yield AuditFinding(Severity.NOTE, "endorsed", name, what)
            document = read_document(data, replace(given, untrusted=True))
    except LdcatError as failure:
        yield wrong("endorsed", name, str(failure))
        return
    said = set(document.endorsed)
    for record in read:
        if not _is_said(record, document, said):
            what = f"it says other than the record of {record.launch_digest} by {record.endorser_id}"
            yield wrong("endorsed", name, what)


def _is_said(record: EndorsedRecord, document: Imported, said: Container[EndorsedDigest]) -> bool:
    """Whether a document says what a record says. said: its endorsed digests.

    One that names no endorser is its origin's, or has a signature and may be anybody's.
    """
    if record.technology not in technologies():
        return False
    facts = record.facts
    unnamed = replace(facts, endorser=replace(facts.endorser, id=None))
    may_be_unnamed = document.checked == "signature" or record.endorser_id == record.origin
    if facts not in said and not (may_be_unnamed and unnamed in said):
        return False
    return all(getattr(record, name) == getattr(document, name) for name in _OF_DOCUMENT)


_OF_DOCUMENT = ("checked", "document_time", "certificate_until")


def _row_findings(catalog: Catalog, records: Sequence[EndorsedRecord]) -> Iterator[AuditFinding]:
    """Yield endorsed digests that rows contradict, and those that follow from no row of the firmware that they name."""
    for one in recompute_endorsements(catalog, records):
        record = one.record
        subject = f"{record.launch_digest} by {record.endorser_id}"
        if counts := one.other_counts:
            what = f"it claims {record.claims.vcpus} vCPUs, and rows have the digest with {counts[0]}"
            yield wrong("endorsed", subject, what)
        elif one.compared and not one.agrees:
            what = f"the digest does not follow from the firmware that it names: compared with {one.scope()}"
            yield odd("endorsed", subject, what)
