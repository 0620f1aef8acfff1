"""Parquet parts with rows that are not as they should be, written as a build writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.rows.arrow import digest_schema
from catalog.rows.fields import DIGEST
from tests.support.forged_catalogs import Change, without_rows

Rows = list[dict[str, Any]]


def in_table(change: Callable[[Rows], object], group: int = 1 << 16) -> Change:
    """Changes the rows of a part, of which so many become a row group; digests of each are one plain page."""

    def changed(path: Path) -> None:
        schema = pq.read_schema(path)
        rows = pq.read_table(path).to_pylist()
        change(rows)
        others = {name for row in rows for name, value in row.items() if value is not None} - {*schema.names}
        if others:  # optional columns
            full = digest_schema("sev-snp", schema.field(DIGEST.name).type.byte_width)
            schema = pa.schema([one for one in full if one.name in others or one.name in schema.names])
        encoded = [name for name in schema.names if name != DIGEST.name]
        pq.write_table(
            pa.Table.from_pylist(rows, schema),
            path,
            row_group_size=group,
            use_dictionary=encoded,
            compression="NONE",
            store_schema=False,
        )

    return changed


def in_first(**values: object) -> Change:
    """Gives columns of the first row other values."""
    return in_table(lambda rows: rows[0].update(values))


def swapped(rows: Rows) -> None:
    rows[0], rows[-1] = rows[-1], rows[0]


def digests_swapped(rows: Rows) -> None:
    rows[0]["launch_digest"], rows[1]["launch_digest"] = rows[1]["launch_digest"], rows[0]["launch_digest"]


def twice(rows: Rows) -> None:
    rows[1].update({name: value for name, value in rows[0].items() if name != "launch_digest"})


def last_bit(rows: Rows) -> None:
    digest = rows[-1]["launch_digest"]
    rows[-1]["launch_digest"] = digest[:-1] + bytes([digest[-1] ^ 1])


def where_null(column: str) -> Change:
    """Gives every row without a value one of zeros."""
    return in_table(lambda rows: [row.update({column: bytes(32)}) for row in rows if row[column] is None])


ROW_LIES: dict[str, Change] = {
    "a digest": in_table(lambda rows: rows[0].update(launch_digest=bytes(48))),
    "the last bit of a digest": in_table(last_bit),
    "two rows": in_table(swapped),
    "two digests": in_table(digests_swapped),
    "inputs twice": in_table(twice),
    "a row twice": in_table(lambda rows: rows.insert(1, dict(rows[0]))),
    "a row less": in_table(lambda rows: rows.pop(2)),
    "no rows": without_rows,
    "no table": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "technology": in_first(technology="sev"),
    "firmware": in_first(firmware_sha256=bytes(32)),
    "no firmware": in_first(firmware_sha256=None),
    "base besides": in_first(base_digest=bytes(48)),
    "kernel hashes": in_first(kernel_hashes_sha256=bytes(32)),
    "kernel hashes where there are none": where_null("kernel_hashes_sha256"),
    "no kernel hashes": in_table(lambda rows: [row.update(kernel_hashes_sha256=None) for row in rows]),
    "profile": in_first(vmm="nobody"),
    "vCPU count": in_first(vcpus=9),
    "too many vCPUs": in_first(vcpus=5000),
    "no vCPU count": in_first(vcpus=None),
    "signature": in_first(vcpu_signature=1),
    "no signature": in_first(vcpu_signature=None),
    "features": in_first(sev_features=5),
    "no features": in_first(sev_features=None),
    "hash of a page": in_first(bsp_vmsa_sha256=bytes(32)),
    "hash of a page where there is none": where_null("ap_vmsa_sha256"),
    "no hash of a page": in_table(lambda rows: [row.update(ap_vmsa_sha256=None) for row in rows]),
}
"""Changes of the rows of a part of SEV-SNP with three rows or more."""
