"""Documents that platforms published, and exports for other tools: all are read, and what they say is so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import LdcatError, MalformedRecord, VerificationFailed
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area
from catalog.firmware.ovmf import OvmfImage
from catalog.imports.chains import parse_trusted
from catalog.imports.component_facts import KernelFacts
from catalog.imports.documents import Given, read_document
from catalog.imports.imported import Imported
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import Measurer, technology_named
from catalog.spec import embedded
from tests.real.shared import EXCHANGE, WILD
from tests.support.firmware_builder import build_ovmf

NOW = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp())
GIVEN = Given(NOW)
IMPORTS = EXCHANGE / "import"
DOCUMENTS = sorted(path for path in IMPORTS.rglob("*") if path.is_file() and path.suffix != ".cddl")
FLAGSHIP = json.loads((EXCHANGE / "a/row.json").read_text())["launch_digest"]
COUNTS = {row["vcpus"]: row["launch_digest"] for row in json.loads((EXCHANGE / "many/rows.json").read_text())}
UVM = (IMPORTS / "uvm/containerplat-svn100.cose").read_bytes()


def read(path: Path, given: Given = GIVEN) -> Imported:
    return read_document(path.read_bytes(), given)


def digests(imported: Imported) -> list[str]:
    return [one.digest.hex() for one in imported.endorsed]


def published(name: str) -> dict[str, Any]:
    """An entry of the corpus."""
    lines = map(json.loads, (WILD / "corpus.jsonl").read_text().splitlines())
    found: dict[str, Any] = next(one for one in lines if one["id"] == name)
    return found


def with_root(name: str) -> Given:
    return parse_trusted((EXCHANGE / name).read_bytes(), GIVEN)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(IMPORTS)))
def test_every_published_document_is_read(path: Path) -> None:
    imported = read(path)
    assert imported.firmware or imported.endorsed


def test_there_is_a_document_of_each_publisher() -> None:
    assert {read(path).form for path in DOCUMENTS} == {"c8s-manifest", "corim", "dstack", "secretvm", "azure-uvm"}


def test_microsofts_document_is_signed_by_a_certificate_that_has_expired() -> None:
    imported = read_document(UVM, GIVEN)
    [one] = imported.endorsed
    assert one.digest.hex().startswith("03fea02823189b25")
    assert (one.endorser.feed, one.endorser.svn, imported.checked) == ("ContainerPlat-AMD-UVM", 100, "signature")
    assert imported.notes[0] == "signed 2023-04-20 by a certificate that expired 2024-01-03"


def test_one_changed_byte_of_microsofts_document_is_refused_where_it_is_signed() -> None:
    """A byte of the timestamp, which the signature does not cover, changes nothing that is read."""
    known = read_document(UVM, GIVEN)
    start = UVM.index(b"timestamp")
    end = UVM.index(b"{\n", start)
    accepted = set()
    for at in range(0, len(UVM), 41):
        changed = UVM[:at] + bytes([UVM[at] ^ 1]) + UVM[at + 1 :]
        try:
            imported = read_document(changed, GIVEN)
        except (MalformedRecord, VerificationFailed):
            continue
        assert (imported.endorsed, imported.document_time) == (known.endorsed, known.document_time)
        accepted.add(at)
    assert accepted
    assert all(start <= at < end for at in accepted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ContainerPlat-AMD-UVM", b"ContainerPlat-AMD-XVM"),
        (b"I__iuL25oXEVFdTP", b"J__iuL25oXEVFdTP"),
        (b"1.3.6.1.4.1.311.76.59.1.2", b"1.3.6.1.4.1.311.76.59.1.1"),
        (b'"100"', b'"101"'),
    ],
)
def test_another_feed_issuer_or_svn_is_refused(old: bytes, new: bytes) -> None:
    assert UVM.count(old) == 1
    with pytest.raises(VerificationFailed):
        read_document(UVM.replace(old, new), GIVEN)


def test_dstack_and_secretvm_have_the_published_components() -> None:
    components = json.loads((WILD / "published_components.json").read_text())
    layouts = {
        name: [(int(gpa, 16), int(size, 16), kind) for gpa, size, kind in layout]
        for name, layout in components["sections"].items()
    }
    for path, name in (("dstack/measurement.snp.cbor", "dstack"), ("secretvm/sev.json", "SecretVM")):
        [firmware] = read(IMPORTS / path).firmware
        [known] = [one for one in components["components"] if one["name"].startswith(name)]
        assert firmware.snp_baseline is not None
        assert firmware.hashes_area is not None
        assert firmware.sections is not None
        assert firmware.snp_baseline.hex() == known["ovmf_hash"]
        assert firmware.reset_vector == int(known["reset_eip"], 16)
        assert firmware.hashes_area.gpa == int(known["hashes_gpa"], 16)
        assert [(one.gpa, one.size, one.kind) for one in firmware.sections] == layouts[known["sections"]]


def test_dstacks_checksum_file_names_its_document() -> None:
    attached = read(IMPORTS / "dstack/dstack_sev_snp_measurement.json")
    bare = read(IMPORTS / "dstack/measurement.snp.cbor")
    assert (attached.firmware, attached.kernels) == (bare.firmware, bare.kernels)
    text = (IMPORTS / "dstack/dstack_sev_snp_measurement.json").read_text()
    at = text.index('"measurement": "') + 700
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(VerificationFailed, match="names other bytes"):
        read_document(changed.encode(), GIVEN)


def test_metadata_of_aws_images_is_read_as_it_was_published() -> None:
    components = json.loads((WILD / "published_components.json").read_text())["components"]
    published = [one["published"] for one in components if "published" in one]
    assert len(published) == 2
    for one in published:
        [firmware] = read_document(json.dumps(one, indent=4).encode(), GIVEN).firmware
        assert firmware.snp_baseline is not None
        assert firmware.snp_baseline.hex() == one["OVMFHash"]
        assert firmware.hashes_area is None


def launched(imported: Imported, kernel: KernelFacts, append: str, vcpus: int) -> str:
    """The launch digest under QEMU of imported facts: an image of our own lends what SEV-SNP does not need."""
    [facts] = imported.firmware
    assert facts.sections is not None
    assert facts.hashes_area is not None
    assert facts.snp_baseline is not None
    area = Area(facts.hashes_area.gpa, 0x400)
    component = replace(
        FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(pages=1))),
        snp_baseline=facts.snp_baseline,
        sections=facts.sections,
        reset_vector=facts.reset_vector,
        hashes_area=area,
    )
    hashes = KernelHashes.of(kernel=kernel.kernel_sha256, initrd=kernel.initrd_sha256, append=append)
    point = VcpuPoint(hashes, embedded.profile_named("qemu-kvm-init2"), VcpuSignature(0x800F12), 1, vcpus)
    return Measurer(technology_named("sev-snp"), component).measure(point).hex()


def test_a_launch_of_dstack_on_hardware_has_the_digest_of_its_imported_facts() -> None:
    imported = read(IMPORTS / "dstack/measurement.snp.cbor")
    [kernel] = imported.kernels
    assert kernel.append is not None
    assert launched(imported, kernel, kernel.append, 2) == published("dstack-01")["launch_digest"]


def test_a_launch_of_secretvm_on_hardware_has_the_digest_of_its_imported_facts() -> None:
    imported = read(IMPORTS / "secretvm/sev.json")
    known = published("secretvm-01")
    [kernel] = [one for one in imported.kernels if one.name == "prod/v0.0.25"]
    append = known["configuration"]["cmdline"]
    assert set(kernel.append_words) <= set(append.split())
    assert launched(imported, kernel, append, 1) == known["launch_digest"]


def test_secretvm_has_22_releases_of_one_image() -> None:
    imported = read(IMPORTS / "secretvm/sev.json")
    assert (len(imported.firmware), len(imported.kernels)) == (1, 22)
    assert sum(one.append_words[0] == "pci=realloc,nocrs" for one in imported.kernels) == 6


@pytest.mark.parametrize("row", "abcdef")
def test_exports_of_one_row_are_read_back(row: str) -> None:
    folder = EXCHANGE / row
    known = json.loads((folder / "row.json").read_text())
    names = ("c8s-manifest.json", "corim-veraison.cbor", "contrast-patch.json", "rvps-message.json",
             "rvps-reference_value.json")  # fmt: skip
    for name in names:
        imported = read(folder / name)
        assert (digests(imported), imported.checked) == ([known["launch_digest"]], "none")
        [one] = imported.endorsed
        assert one.claims.vcpus in (None, known["vcpus"])


def test_exports_of_several_rows_are_read_back() -> None:
    assert {one.claims.vcpus: one.digest.hex() for one in read(EXCHANGE / "many/c8s-manifest.json").endorsed} == COUNTS
    for name in ("corim-veraison.cbor", "rvps-message.json", "rvps-reference_value.json"):
        assert sorted(digests(read(EXCHANGE / "many" / name))) == sorted(COUNTS.values())


def test_the_signed_corim_is_verified_by_its_key_alone() -> None:
    path = EXCHANGE / "a/corim-signed.cose"
    imported = read(path, with_root("test-keys/corim.pub.pem"))
    assert (digests(imported), imported.checked) == ([FLAGSHIP], "signature")
    with pytest.raises(LdcatError, match="no key is given"):
        read(path)
    with pytest.raises(VerificationFailed):
        read(path, with_root("test-keys/in-toto.pub"))


@pytest.mark.parametrize("root", ["many/gce-root.pem", "many/gce-root.crt"])
def test_the_gce_endorsement_is_verified_by_its_root_alone(root: str) -> None:
    path = EXCHANGE / "many/gce-endorsement.binarypb"
    imported = read(path, with_root(root))
    assert imported.checked == "signature"
    assert {one.claims.vcpus: one.digest.hex() for one in imported.endorsed} == COUNTS
    with pytest.raises(LdcatError, match="no root certificate is given"):
        read(path)


def test_one_changed_byte_of_other_signed_documents_is_refused() -> None:
    for name, root, step in (
        ("many/gce-endorsement.binarypb", "many/gce-root.pem", 7),
        ("a/corim-signed.cose", "test-keys/corim.pub.pem", 1),
    ):
        data, given = (EXCHANGE / name).read_bytes(), with_root(root)
        for at in range(0, len(data), step):
            with pytest.raises((MalformedRecord, VerificationFailed)):
                read_document(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], given)
