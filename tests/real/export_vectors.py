"""The rows of the vectors for exports, as an Export with what the shipped records say of them."""

from __future__ import annotations

import calendar
import json
from collections.abc import Mapping
from typing import Any

from catalog.export.exported import Export, ExportRow, Source
from catalog.export.settings import DAY, Settings
from catalog.rows.digest_record import digest_record
from catalog.rows.fields import RECORD, value_in
from catalog.spec import embedded
from tests.real.shared import EXCHANGE

SINGLE = ("a", "b", "c", "d", "e", "f")
"""Folders of one row."""
ALL = (*SINGLE, "many")
"""`many`: five rows that differ in their vCPU count alone."""

TIME = calendar.timegm((2026, 11, 28, 0, 0, 0))
"""The day that the vectors were made on, in seconds since 1970."""

SOURCE = Source(
    catalog="default",
    manifest_sha256="11" * 32,
    origin="catalog.example/sev",
    release=1,
    size=256,
    root="22" * 32,
    time=TIME + DAY - 1,
    selection={},
)


def vector_export(name: str, settings: Settings | None = None) -> Export:
    """The row, or the rows, of a folder of EXCHANGE."""
    path = EXCHANGE / name / ("rows.json" if name == "many" else "row.json")
    said = json.loads(path.read_text())
    rows = [_row(one) for one in (said if isinstance(said, list) else [said])]
    return Export(rows=rows, digests=[row.digest for row in rows], settings=settings or Settings(), source=SOURCE)


def _row(said: Mapping[str, Any]) -> ExportRow:
    build = embedded.builds()[said["firmware"]]
    kernel = embedded.kernels()[said["kernel_hashes"]] if said["kernel_hashes"] else None
    assert (said["technology"], said["append"]) == ("sev-snp", kernel.append if kernel else None)
    values = {
        "launch_digest": bytes.fromhex(said["launch_digest"]),
        "technology": said["technology"],
        "firmware_sha256": build.component.sha256,
        "kernel_hashes_sha256": kernel.hashes.table_sha256 if kernel else None,
        "vmm": said["vmm"],
        "vcpus": said["vcpus"],
        "vcpu_signature": _number(said["vcpu_signature"]),
        "sev_features": _number(said["sev_features"]),
    }
    record = digest_record(values)
    return ExportRow(
        digest=values["launch_digest"],
        firmware=build,
        kernel_hashes=kernel.hashes if kernel else None,
        kernel_name=kernel.name if kernel else None,
        append=kernel.append if kernel else None,
        vmm=values["vmm"],
        vcpus=values["vcpus"],
        vcpu_signature=values["vcpu_signature"],
        sev_features=values["sev_features"],
        record={field.name: value_in(record, field.name) for field in RECORD if not field.optional},
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)
