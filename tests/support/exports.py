"""Exports of rows that are made up."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from catalog.export.exported import TDX, Export, ExportRow, Source
from catalog.export.settings import Settings

TIME = 1_795_824_000
"""2026-11-28, 00:00 UTC, in seconds since 1970."""

SOURCE = Source(
    catalog="made-up",
    manifest_sha256="11" * 32,
    origin="catalog.example/sev",
    release=1,
    size=256,
    root="22" * 32,
    time=TIME,
    selection={"vmm": "qemu-kvm-init2"},
)


def row_of(vcpus: int) -> ExportRow:
    """A row of some firmware that is not known, without kernel hashes."""
    digest = hashlib.sha384(b"%d" % vcpus).digest()
    return ExportRow(
        digest=digest,
        firmware=None,
        kernel_hashes=None,
        kernel_name=None,
        append=None,
        vmm="qemu-kvm-init2",
        vcpus=vcpus,
        vcpu_signature=0x800F12,
        sev_features=1,
        record={"launch_digest": digest.hex(), "technology": "sev-snp", "vcpus": vcpus},
    )


def tdx_export_of(count: int = 1, *, settings: Settings | None = None) -> Export:
    """An export of rows of TDX, whose MRTDs are made up."""
    none: dict[str, Any] = {"vmm": "qemu-tdx", "vcpus": None, "vcpu_signature": None, "sev_features": None}
    rows = []
    for number in range(count):
        digest = hashlib.sha384(b"tdx %d" % number).digest()
        record = {"launch_digest": digest.hex(), "technology": "tdx", "vmm": "qemu-tdx"}
        rows.append(replace(row_of(1), digest=digest, record=record, **none))
    digests = [row.digest for row in rows]
    return Export(rows=rows, digests=digests, settings=settings or Settings(), source=SOURCE, technology=TDX)


def export_of(vcpus: int = 1, *, settings: Settings | None = None) -> Export:
    """An export of rows of 1 to `vcpus` vCPUs."""
    rows = [row_of(count) for count in range(1, vcpus + 1)]
    return Export(rows=rows, digests=[row.digest for row in rows], settings=settings or Settings(), source=SOURCE)
