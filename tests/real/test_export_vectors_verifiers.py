"""Files for verifiers in the vectors, byte for byte, and a document of dstack from what an import reads in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export, ExportRow
from catalog.export.settings import GivenFile, Settings
from catalog.firmware.metadata import Area
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import Given, read_document
from catalog.imports.endorsed_facts import Claims
from catalog.imports.imported import Imported
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import Measurer, technology_named
from catalog.spec import embedded
from tests.real.export_vectors import ALL, SINGLE, TIME, vector_export
from tests.real.shared import EXCHANGE

GIVEN = Given(TIME)


def data_of(name: str, export: Export) -> bytes:
    (file,) = export_format_named(name).files(export)
    return b"".join(file.chunks())


def measured(imported: Imported, hashes: KernelHashes | None, row: ExportRow) -> bytes:
    """The launch digest of what a document describes, in a launch as that of a row."""
    build = imported.named("x").firmware[0].record()
    assert build
    assert row.vmm
    assert row.vcpus
    assert row.sev_features is not None
    signature = None if row.vcpu_signature is None else VcpuSignature(row.vcpu_signature)
    point = VcpuPoint(hashes, embedded.profile_named(row.vmm), signature, row.sev_features, row.vcpus)
    return Measurer(technology_named("sev-snp"), build.image).measure(point).value


@pytest.mark.parametrize("folder", SINGLE)
def test_a_config_of_go_sev_guest_is_reproduced(folder: str) -> None:
    assert data_of("check", vector_export(folder)) == (EXCHANGE / folder / "check.textproto").read_bytes()


def test_several_digests_are_several_configs() -> None:
    export = vector_export("many")
    files = export_format_named("check").files(export)
    assert [file.name for file in files] == [f"{digest.hex()}.textproto" for digest in export.digests]
    name = f"{vector_export('a').digests[0].hex()}.textproto"
    flagship = next(b"".join(file.chunks()) for file in files if file.name == name)
    assert flagship == (EXCHANGE / "a" / "check.textproto").read_bytes()


def test_the_author_key_of_the_vectors_is_named_by_its_digest() -> None:
    author = GivenFile("author.pem", (EXCHANGE / "test-keys" / "author.pem").read_bytes())
    digest = bytes.fromhex(json.loads((EXCHANGE / "a" / "id-keys.json").read_text())["author_key_digest"])
    demanded = "".join(f"\\x{byte:02x}" for byte in digest)
    plain = (EXCHANGE / "a" / "check.textproto").read_text()
    lines = f'  require_id_block: true\n  trusted_author_key_hashes: "{demanded}"\n}}\n'
    assert data_of("check", vector_export("a", Settings(author_key=author))).decode() == plain[:-2] + lines


@pytest.mark.parametrize("folder", ALL)
def test_a_manifest_of_c8s_is_reproduced_and_read_back(folder: str) -> None:
    export = vector_export(folder)
    data = data_of("c8s", export)
    assert data == (EXCHANGE / folder / "c8s-manifest.json").read_bytes()
    read = [(one.digest, one.claims) for one in read_document(data, GIVEN).endorsed]
    assert read == [(row.digest, Claims(vcpus=row.vcpus)) for row in export.rows]


@pytest.mark.parametrize("folder", SINGLE)
def test_a_patch_for_contrast_is_reproduced_and_read_back(folder: str) -> None:
    expected = (EXCHANGE / folder / "contrast-patch.json").read_bytes()
    product = json.loads(expected)[0][0]["value"]
    export = vector_export(folder, Settings(product=product))
    data = data_of("contrast", export)
    assert data == expected
    (row,) = export.rows
    (read,) = read_document(data, GIVEN).endorsed
    assert (read.digest, read.claims) == (row.digest, Claims(vcpus=row.vcpus, product=product))


def test_a_real_document_of_dstack_is_reproduced_from_what_an_import_reads_in_it() -> None:
    real = (EXCHANGE / "import" / "dstack" / "measurement.snp.cbor").read_bytes()
    imported = read_document(real, GIVEN).named("dstack")
    (firmware,), (kernel,) = imported.firmware, imported.kernels
    hashes = KernelHashes.of(kernel=kernel.kernel_sha256, initrd=kernel.initrd_sha256, append=kernel.append)
    base = vector_export("a")
    (row,) = base.rows
    row = replace(row, firmware=firmware.record(), kernel_hashes=hashes, append=kernel.append)
    export = replace(base, rows=[row])
    assert data_of("dstack", export) == real
    assert [note.code for note in export_format_named("dstack").notes(export)] == ["export-accepts-more"]


@pytest.mark.parametrize("folder", ["a", "c"])
def test_components_of_a_row_are_read_back_from_what_is_written_for_dstack(folder: str) -> None:
    export = vector_export(folder)
    (row,) = export.rows
    assert row.firmware
    imported = read_document(data_of("dstack", export), GIVEN)
    component = row.firmware.image
    assert component.hashes_area
    assert imported.firmware == (
        FirmwareFacts(
            snp_baseline=component.snp_baseline,
            sections=component.sections,
            reset_vector=component.reset_vector,
            hashes_area=Area(component.hashes_area.gpa, None),
        ),
    )
    assert row.kernel_hashes
    kernel = KernelFacts(row.kernel_hashes.kernel, initrd_sha256=row.kernel_hashes.initrd, append=row.append)
    assert imported.kernels == (kernel,)
    hashes = KernelHashes.of(kernel=kernel.kernel_sha256, initrd=kernel.initrd_sha256, append=kernel.append)
    assert measured(imported, hashes, row) == row.digest


@pytest.mark.parametrize("folder", ALL)
def test_metadata_of_an_image_are_read_back(folder: str) -> None:
    export = vector_export(folder)
    imported = read_document(data_of("sev-snp-measure-go", export), GIVEN)
    (component,) = {row.firmware.image for row in export.rows if row.firmware}
    assert imported.firmware == (
        FirmwareFacts(
            snp_baseline=component.snp_baseline, sections=component.sections, reset_vector=component.reset_vector
        ),
    )
    for row in export.rows:
        if row.kernel_hashes is None:
            assert measured(imported, None, row) == row.digest
