"""SecretVM's registry sev.json: a row for each release and VM type, with firmware, kernel and initrd by hash.

The command line has one free word, the hash of the guest's compose file, so it is known in part.
Source: scrtlabs/secretvm-verify, artifacts_registry/sev.json; node/src/workload.ts (how the command line is made).
"""

from __future__ import annotations

from catalog.errors import MalformedRecord
from catalog.firmware.metadata import Area, Section
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import Document, Form, Given
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count
from catalog.wire import U32, Wire, unhex

NAME = "secretvm"


class SectionItem(Wire, frozen=True):
    """A SEV metadata section."""

    gpa: U32
    size: U32
    section_type: U32


class Row(Wire, frozen=True):
    """A release for one VM type. Hashes in lower-case hex."""

    vm_type: str
    artifacts_ver: str
    kernel_hash: str
    initrd_hash: str
    rootfs_hash: str
    vcpu_type: str
    ovmf_hash: str
    sev_hashes_table_gpa: U32
    sev_es_reset_eip: U32
    ovmf_sections: list[SectionItem]
    cmdline_extra: str | None = None


def recognizes(document: Document) -> bool:
    """Whether it is a list of objects with `artifacts_ver` and `ovmf_hash`."""
    rows = document.json
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and {
        "artifacts_ver", "ovmf_hash"
    } <= set(rows[0])  # fmt: skip


def parse(document: Document, _given: Given) -> Imported:
    """The facts, each image once; raises MalformedRecord."""
    rows = as_record(document.json, list[Row], NAME)
    check_count(len(rows), f"{NAME}: $")
    firmware = dict.fromkeys(_firmware(row, f"{NAME}: $[{at}]") for at, row in enumerate(rows))
    kernels = dict.fromkeys(_kernel(row, f"{NAME}: $[{at}]") for at, row in enumerate(rows))
    if len({facts.snp_baseline for facts in firmware}) != len(firmware):
        raise MalformedRecord(f"{NAME}: one ovmf_hash has different sections or addresses")
    if len({facts.name for facts in kernels}) != len(kernels):
        raise MalformedRecord(f"{NAME}: one release and VM type has two rows that differ")
    types = sorted({row.vcpu_type for row in rows})
    notes = (f"vCPU types: {', '.join(types)}", "the hash of a guest's compose file is part of its command line")
    return Imported(NAME, document.sha256, firmware=tuple(firmware), kernels=tuple(kernels), notes=notes)


def _firmware(row: Row, path: str) -> FirmwareFacts:
    check_count(len(row.ovmf_sections), f"{path}.ovmf_sections")
    return FirmwareFacts(
        snp_baseline=unhex(row.ovmf_hash, 48, f"{path}.ovmf_hash"),
        sections=tuple(Section(item.gpa, item.size, item.section_type) for item in row.ovmf_sections),
        reset_vector=row.sev_es_reset_eip,
        hashes_area=Area(row.sev_hashes_table_gpa, None),
    )


def _kernel(row: Row, path: str) -> KernelFacts:
    unhex(row.rootfs_hash, 32, f"{path}.rootfs_hash")
    extra = tuple((row.cmdline_extra or "").split())
    return KernelFacts(
        kernel_sha256=unhex(row.kernel_hash, 32, f"{path}.kernel_hash"),
        name=f"{row.vm_type}/{row.artifacts_ver}",
        initrd_sha256=unhex(row.initrd_hash, 32, f"{path}.initrd_hash"),
        append_words=(*extra, f"rootfs_hash={row.rootfs_hash}"),
    )


FORM = Form(NAME, "SecretVM sev.json", recognizes, parse)
