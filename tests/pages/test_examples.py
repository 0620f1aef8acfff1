"""The digests to try: each is answered as the page says."""

from __future__ import annotations

from pathlib import Path

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup_in_parquet
from catalog.build.builder import BuildResult
from catalog.pages.examples import NOWHERE, examples
from catalog.store.catalog import Catalog
from tests.support.catalogs import build
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.partly_known import write_partly_known


def test_the_examples_of_a_catalog(small: BuildResult, tmp_path: Path) -> None:
    records = [listed("00" * 48), listed("77" * 48, scheme="reported"), endorsed(document_sha256=DOCUMENT_SHA256)]
    catalog = Catalog.open(with_endorsed(small, tmp_path / "catalog", records).folder)
    found = dict(examples(catalog))
    assert list(found) == ["a digest of this catalog", "a digest that is endorsed", "one that is not found"]
    assert (found["a digest that is endorsed"], found["one that is not found"]) == (SNP_DIGEST, NOWHERE)
    matches = lookup_in_parquet(catalog, LaunchDigest.parse(found["a digest of this catalog"]))
    assert {match.technology for match in matches} == {"sev-snp"}
    assert lookup_in_parquet(catalog, LaunchDigest.parse(NOWHERE)) == ()


def test_firmware_that_is_known_in_part_is_an_example_if_there_is_no_other(tmp_path: Path) -> None:
    catalog = Catalog.open(build(write_partly_known(tmp_path), tmp_path / "catalog").folder)
    digest = next(examples(catalog))[1]
    assert lookup_in_parquet(catalog, LaunchDigest.parse(digest))
