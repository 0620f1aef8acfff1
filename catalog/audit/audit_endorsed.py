"""Audit of the endorsed digests of a catalog: what their documents say, and what the rows say about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog.audit.audit import AuditFinding, odd, wrong
from catalog.audit.recomputed_endorsements import recompute_endorsements
from catalog.errors import LdcatError, UntrustedSigner
from catalog.files.inputs import MAX_TEXT_SIZE, read_file
from catalog.imports.chains import parse_trusted
from catalog.imports.documents import Given, forms, read_document
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
    """Yield what differs from a document, which is read and verified again."""
    name = document_name(sha256)
    read = [record for record in records if record.endorser_scheme in forms()]
    for record in records:
        if record not in read and record.checked != "none":
            what = f"{record.launch_digest} is called signed, and ldcat reads no {record.endorser_scheme} documents"
            yield wrong("endorsed", name, what)
    if not read:
        return
    try:
        document = read_document(catalog.verified(name), given)
        said = {
            EndorsedRecord.of(document.said_by(origin), endorsed)
            for origin in {record.origin for record in read}
            for endorsed in document.said_by(origin).endorsed
        }
    except UntrustedSigner as failure:
        what = f"its signature was not verified again: {failure}"
        yield AuditFinding(Severity.NOTE, "endorsed", name, what)
        return
    except LdcatError as failure:
        yield wrong("endorsed", name, str(failure))
        return
    for record in read:
        if record not in said:
            what = f"it says other than the record of {record.launch_digest} by {record.endorser_id}"
            yield wrong("endorsed", name, what)


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
