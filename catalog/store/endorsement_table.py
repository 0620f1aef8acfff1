"""The endorsed digests of a catalog as a table, for SQL: one row for each, with a column for each claim."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from catalog.rows.endorsed_record import ClaimFields, EndorsedRecord
from catalog.store.endorsements import Endorsements

_COLUMNS = (
    "launch_digest",
    "technology",
    "endorser_scheme",
    "endorser_id",
    "endorser_feed",
    "endorser_svn",
    *ClaimFields.__struct_fields__,
    "document_sha256",
    "document_time",
    "checked",
    "certificate_until",
    "origin",
)
_NUMBERS = {"endorser_svn": "uint64", "vcpus": "uint16", "document_time": "int64", "certificate_until": "int64"}


def endorsement_table(found: Endorsements, *, published: bool) -> pa.Table:
    """The endorsed digests as a table: hashes as bytes, other claims as in JSON.

    published: whether there are columns of revocations.
    """
    status = ("revocation", "revocation_reason") if published else ()
    rows = [_flat(found, record) for record in found.records]
    return pa.table({name: pa.array([row.get(name) for row in rows], _kind(name)) for name in (*_COLUMNS, *status)})


def _kind(column: str) -> pa.DataType:
    if column == "launch_digest" or column.endswith(("_sha256", "_sha384")):
        return pa.binary()
    return getattr(pa, _NUMBERS.get(column, "string"))()


def _flat(found: Endorsements, record: EndorsedRecord) -> dict[str, Any]:
    """A record by column."""
    revoked = found.revocation(record)
    row = {name: getattr(record, name) for name in _COLUMNS if hasattr(record, name)} | record.claims.given()
    for name, value in row.items():
        if _kind(name) == pa.binary() and value is not None:
            row[name] = bytes.fromhex(value)
    return row | {"revocation": revoked and revoked.severity, "revocation_reason": revoked and revoked.reason}
