"""Formats with one digest for each number of vCPUs: c8s and Contrast; what is written is what an import reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, export_format_named
from catalog.export.exported import Export
from catalog.export.settings import Settings
from catalog.imports.documents import read_document
from catalog.imports.endorsed_facts import Claims
from tests.support.exports import export_of
from tests.support.published_documents import GIVEN

C8S, CONTRAST = export_format_named("c8s"), export_format_named("contrast")
MILAN = Settings(product="Milan")


def data_of(one: ExportFormat, export: Export) -> bytes:
    (file,) = one.files(export)
    return b"".join(file.chunks())


def claimed(data: bytes) -> list[tuple[bytes, Claims]]:
    return [(one.digest, one.claims) for one in read_document(data, GIVEN).endorsed]


def test_a_c8s_manifest_has_a_variant_for_each_number_of_vcpus_ascending() -> None:
    export = export_of(3)
    backwards = replace(export, rows=list(export.rows)[::-1])
    data = data_of(C8S, backwards)
    assert data == data_of(C8S, export)
    said = json.loads(data)
    assert list(said) == ["version", "snp_variants"]
    assert [(one["smp"], one["measurement"]["vmsa_count"]) for one in said["snp_variants"]] == [(1, 1), (2, 2), (3, 3)]
    assert claimed(data) == [(row.digest, Claims(vcpus=row.vcpus)) for row in export.rows]


def test_contrast_patches_test_product_and_vcpus_before_they_set_the_digest() -> None:
    export = export_of(2, settings=MILAN)
    patches: list[list[dict[str, Any]]] = json.loads(data_of(CONTRAST, export))
    assert [[(step["op"], step["path"]) for step in patch] for patch in patches] == [
        [("test", "/ProductName"), ("test", "/CPUs"), ("replace", "/TrustedMeasurement")]
    ] * 2
    assert claimed(data_of(CONTRAST, export)) == [
        (row.digest, Claims(vcpus=row.vcpus, product="Milan")) for row in export.rows
    ]
    (note,) = CONTRAST.notes(export)
    assert (note.code, "Milan" in note.text) == ("export-accepts-more", True)


def test_the_product_is_one_that_contrast_knows_and_is_never_made_up() -> None:
    assert CONTRAST.required == {"product"}
    assert data_of(CONTRAST, export_of(settings=Settings(product="Genoa"))).count(b"Genoa") == 1
    for product in ("Turin", "milan", "", None):
        with pytest.raises(UsageError, match="no product line") as caught:
            CONTRAST.files(export_of(settings=Settings(product=product)))
        assert caught.value.hint == "--product Milan or Genoa"


@pytest.mark.parametrize("one", [C8S, CONTRAST], ids=lambda one: one.name)
def test_two_digests_for_one_number_of_vcpus_and_an_unknown_number_are_refused(one: ExportFormat) -> None:
    export = export_of(2, settings=MILAN)
    first, second = export.rows
    with pytest.raises(UsageError, match="for 1 vCPU, but several") as caught:
        one.files(replace(export, rows=[first, replace(second, vcpus=1, vmm="qemu-kvm-legacy")]))
    assert "--vmm" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="not known of a selected digest"):
        one.files(replace(export, rows=[replace(first, vcpus=None)]))
    twice = replace(export, rows=[first, first, second])
    assert data_of(one, twice) == data_of(one, export)
