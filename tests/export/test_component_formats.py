"""Formats that describe components, dstack and sev-snp-measure-go: an import reads the same facts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, export_format_named
from catalog.export.exported import Export, ExportRow
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Section
from catalog.firmware.ovmf import OvmfImage
from catalog.imports.component_facts import FirmwareFacts
from catalog.imports.documents import read_document
from catalog.spec import embedded
from tests.support.exports import export_of
from tests.support.published_documents import GIVEN, SECTIONS, dstack, go_metadata
from tests.support.samples import bare_image

DSTACK, GO = export_format_named("dstack"), export_format_named("sev-snp-measure-go")
ROOT = "console=ttyS0 dstack.rootfs_hash=" + "ab" * 32


def imported_row(cmdline: str = ROOT) -> ExportRow:
    """A row of the components that a document of dstack describes."""
    imported = read_document(dstack(cmdline=cmdline), GIVEN).named("x")
    (firmware,), (kernel,) = imported.firmware, imported.kernels
    hashes = KernelHashes.of(kernel=kernel.kernel_sha256, initrd=kernel.initrd_sha256, append=kernel.append)
    (row,) = export_of().rows
    return replace(row, firmware=firmware.record(), kernel_hashes=hashes, append=kernel.append)


def with_firmware(**changes: Any) -> ExportRow:
    """That row with other facts of its firmware."""
    row = imported_row()
    assert row.firmware is not None
    return replace(row, firmware=replace(row.firmware, component=replace(row.firmware.image, **changes)))


def export(*rows: ExportRow) -> Export:
    return replace(export_of(), rows=rows, digests=list(dict.fromkeys(row.digest for row in rows)))


def data_of(one: ExportFormat, *rows: ExportRow) -> bytes:
    (file,) = one.files(export(*rows))
    return b"".join(file.chunks())


def codes(one: ExportFormat, *rows: ExportRow) -> list[str]:
    return [note.code for note in one.notes(export(*rows))]


def test_a_document_of_dstack_is_reproduced_from_its_facts() -> None:
    row = imported_row()
    assert data_of(DSTACK, row) == dstack(cmdline=ROOT)
    assert codes(DSTACK, row) == ["export-accepts-more"]
    other = imported_row("console=ttyS0 dstack.rootfs_hash=ab")
    assert data_of(DSTACK, other) == dstack(cmdline=other.append)
    assert codes(DSTACK, other) == ["export-accepts-more", "consumer-refuses"]


def test_no_initrd_is_the_hash_of_the_empty_file() -> None:
    row = imported_row()
    bare = replace(row, kernel_hashes=KernelHashes.of(kernel=b"\x11" * 32, append=row.append))
    assert data_of(DSTACK, bare) == dstack(cmdline=ROOT, initrd_hash=hashlib.sha256(b"").digest())


def test_rows_that_differ_in_their_launch_alone_have_one_document() -> None:
    row = imported_row()
    other = replace(row, digest=b"\1" * 48, vcpus=9, vmm="qemu-kvm-legacy")
    assert data_of(DSTACK, row, other) == data_of(DSTACK, row)
    assert data_of(GO, row, replace(other, kernel_hashes=None, append=None)) == data_of(GO, row)


def test_several_components_are_refused() -> None:
    row, kernel, image = imported_row(), imported_row(ROOT + " quiet"), with_firmware(snp_baseline=b"\7" * 48)
    for other in (kernel, image):
        with pytest.raises(UsageError, match="one firmware image with one kernel, but 2") as caught:
            DSTACK.files(export(row, other))
        assert caught.value.hint == "select one: --firmware and --kernel-hashes"
    assert data_of(GO, row, kernel) == data_of(GO, row)
    with pytest.raises(UsageError, match="one firmware image, but 2"):
        GO.files(export(row, image))


@pytest.mark.parametrize("one", [DSTACK, GO], ids=lambda one: one.name)
def test_firmware_that_is_not_known_is_refused(one: ExportFormat) -> None:
    with pytest.raises(UsageError, match=r"that of [0-9a-f]{16}\.\.\. is not known"):
        one.files(export(imported_row(), replace(imported_row(), firmware=None)))


REFUSED = [
    pytest.param(replace(imported_row(), kernel_hashes=None, append=None), "none is measured", id="no kernel hashes"),
    pytest.param(replace(imported_row(), append=None), "only its hash", id="command line by its hash"),
    pytest.param(imported_row(ROOT + "\n"), "white space", id="white space around the command line"),
    pytest.param(with_firmware(hashes_area=None), "address is not known", id="hashes area not known"),
    pytest.param(with_firmware(reset_vector=None), "reset vector", id="reset vector not known"),
    pytest.param(with_firmware(sections=(Section(*SECTIONS[0]),)), "for kernel hashes", id="no section for hashes"),
    pytest.param(
        with_firmware(sections=(*(Section(*one) for one in SECTIONS), Section(0x900000, 4096, 0x77))),
        "of known types",
        id="a section of an unknown type",
    ),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
def test_what_dstack_has_no_place_for_is_refused_with_the_reason(row: ExportRow, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        DSTACK.files(export(row))


def test_an_image_without_a_hashes_area_is_told_from_one_that_is_not_known() -> None:
    row = imported_row()
    assert row.firmware is not None
    component = FirmwareComponent.from_image(OvmfImage.parse(bare_image()))
    with pytest.raises(UsageError, match="and the firmware has none"):
        DSTACK.files(export(replace(row, firmware=replace(row.firmware, component=component))))


def test_metadata_of_an_image_are_what_an_import_reads() -> None:
    row = imported_row()
    data = data_of(GO, row)
    assert json.loads(data) == json.loads(go_metadata())
    (facts,) = read_document(data, GIVEN).firmware
    assert row.firmware is not None
    component = row.firmware.image
    expected = FirmwareFacts(
        snp_baseline=component.snp_baseline, sections=component.sections, reset_vector=component.reset_vector
    )
    assert facts == expected
    assert codes(GO, row) == ["export-accepts-more", "consumer-refuses"]


def test_metadata_of_an_image_without_kernel_hashes_are_taken() -> None:
    row = with_firmware(sections=tuple(Section(*one) for one in SECTIONS[:3]))
    assert codes(GO, row) == ["export-accepts-more"]
    with pytest.raises(UsageError, match="reset vector"):
        GO.files(export(with_firmware(reset_vector=None)))


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("aws-ec2/ovmf_img_1", "1283afd8d4f53821ea9a21e139704ef11587a0936d461b43eb2baf62e4b642c6"),
        ("aws-ec2/ovmf_img_2", "438ac5a20d2458149169507bf35c2c2a804056ab5eb3b57042bc5e82f4011abc"),
    ],
)
def test_the_files_in_guest_testdata_of_the_library_are_reproduced(name: str, sha256: str) -> None:
    """virtee/sev-snp-measure-go at 74f52d5."""
    row = replace(imported_row(), firmware=embedded.builds()[name])
    assert hashlib.sha256(data_of(GO, row)).hexdigest() == sha256
