"""Lookup: all configurations of a digest and never a wrong one, even if files are damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup, lookup_in_parquet
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedRecord, Unreadable, VerificationFailed
from catalog.fast.match import Match
from catalog.sql.query import run_query
from catalog.store.catalog import Catalog
from tests.support.catalogs import build
from tests.support.samples import write_spec


def rows(built: BuildResult, technology: str) -> list[dict[str, object]]:
    table = pq.read_table(built.folder / technology / "launch_digests.parquet")
    found: list[dict[str, object]] = table.to_pylist()
    return found


@pytest.mark.parametrize("technology", ["sev", "sev-es", "sev-snp"])
def test_every_row_is_found_with_its_configuration(small: BuildResult, technology: str) -> None:
    catalog = Catalog.open(small.folder)
    for row in rows(small, technology):
        digest = row["launch_digest"]
        assert isinstance(digest, bytes)
        matches = lookup(catalog, LaunchDigest(digest), warn=pytest.fail)
        assert [
            (
                match.technology,
                match.firmware["sha256"],
                match.vmm,
                match.vcpus,
                match.sev_features,
            )
            for match in matches
            if match.firmware["name"] != "twin.fd"
            and (match.kernel_hashes and match.kernel_hashes["table_sha256"]) == row["kernel_hashes_sha256"]
            and match.vcpu_signature == row["vcpu_signature"]
        ] == [(technology, row["firmware_sha256"], row["vmm"], row["vcpus"], row["sev_features"])]


def test_builds_with_the_same_bytes_are_both_named(small: BuildResult) -> None:
    whole = Catalog.open(small.folder)
    digest = next(row["launch_digest"] for row in rows(small, "sev-snp"))
    assert isinstance(digest, bytes)
    names = [match.firmware["name"] for match in lookup(whole, LaunchDigest(digest), warn=pytest.fail)]
    assert names == ["twin.fd", "whole.fd"]


def test_an_unknown_digest_is_not_found(small: BuildResult) -> None:
    catalog = Catalog.open(small.folder)
    for size in (32, 48):
        assert lookup(catalog, LaunchDigest(bytes(size)), warn=pytest.fail) == ()
        assert lookup(catalog, LaunchDigest(b"\xff" * size), warn=pytest.fail) == ()
    (row, *_) = rows(small, "sev-snp")
    digest = row["launch_digest"]
    assert isinstance(digest, bytes)
    assert lookup(catalog, LaunchDigest(digest[:-1] + bytes([digest[-1] ^ 1])), warn=pytest.fail) == ()


def test_the_json_form_has_the_documented_fields(small: BuildResult) -> None:
    catalog = Catalog.open(small.folder)
    (row,) = (r for r in rows(small, "sev-es") if r["kernel_hashes_sha256"] and r["vcpus"] == 2)
    digest = row["launch_digest"]
    assert isinstance(digest, bytes)
    record = json.loads(json.dumps(lookup(catalog, LaunchDigest(digest), warn=pytest.fail)[1].to_dict()))
    assert record["launch_digest"] == digest.hex()
    assert record["technology"] == "sev-es"
    assert record["firmware"]["name"] == "whole.fd"
    assert {"sha256", "package", "version", "package_sha256", "path"} <= set(record["firmware"])
    assert set(record["kernel_hashes"]) == {
        *("name", "table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256", "append")
    }
    assert record["kernel_hashes"]["append"] == "quiet nr_cpus=2"
    assert record["kernel_hashes_enforced"] == "yes"
    assert (record["vmm"], record["vcpus"]) == ("qemu-kvm-legacy", 2)
    assert record["vcpu_signature"] == "0x00a00f11"
    assert "EPYC-Milan" in record["vcpu_types"]
    assert record["sev_features"] == "0x0"
    assert record["launchable"] == "unknown"


def test_fields_that_are_not_measured_are_null(small: BuildResult) -> None:
    catalog = Catalog.open(small.folder)
    (row, *_) = rows(small, "sev")
    digest = row["launch_digest"]
    assert isinstance(digest, bytes)
    record = lookup(catalog, LaunchDigest(digest), warn=pytest.fail)[0].to_dict()
    assert [record[name] for name in ("vmm", "vcpus", "vcpu_signature", "sev_features")] == [None] * 4
    assert record["vcpu_types"] == []


def test_notes_warn_and_never_claim_trust(default: BuildResult) -> None:
    catalog = Catalog.open(default.folder)
    wanted = {
        ("sid/ovmf-amdsev/OVMF.amdsev.fd", True): "carries the verifier",
        ("sid/ovmf-generic/OVMF.fd", True): "not enforced",
        ("sid/ovmf-generic/OVMF.fd", False): "no kernel hashes were measured",
    }
    for row in rows(default, "sev"):
        digest = row["launch_digest"]
        assert isinstance(digest, bytes)
        for match in lookup(catalog, LaunchDigest(digest), warn=pytest.fail):
            notes = " ".join(note.text for note in match.notes())
            assert "trust" not in notes
            assert ("is not expected to launch" in notes) == (match.launchable == "no")
            key = (match.firmware["name"], match.kernel_hashes is not None)
            assert wanted.pop(key, "") in notes
    assert wanted == {}


@pytest.fixture
def copy(small: BuildResult, tmp_path: Path) -> Path:
    shutil.copytree(small.folder, tmp_path / "copy")
    return tmp_path / "copy"


def search(folder: Path, digest: bytes) -> tuple[Match, ...]:
    return lookup_in_parquet(Catalog.open(folder), LaunchDigest(digest))


DAMAGED = ["sev-snp/launch_digests.parquet", "components/firmware.parquet", "components/vcpu_types.toml"]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_never_read(small: BuildResult, copy: Path, name: str) -> None:
    (row, *_) = (r for r in rows(small, "sev-snp") if r["vcpu_signature"])
    digest = row["launch_digest"]
    assert isinstance(digest, bytes)
    whole = (copy / name).read_bytes()
    for broken in (
        whole[:-1],
        whole + b"\0",
        b"",
        bytes([whole[0] ^ 1]) + whole[1:],
        (copy / "manifest.json").read_bytes(),
    ):
        (copy / name).write_bytes(broken)
        with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
            search(copy, digest)
    (copy / name).unlink()
    with pytest.raises(Unreadable):
        search(copy, digest)


def test_two_swapped_tables_are_refused(copy: Path) -> None:
    first, second = copy / "sev/launch_digests.parquet", copy / "sev-es/launch_digests.parquet"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    with pytest.raises(VerificationFailed):
        search(copy, bytes(32))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda m: m.update(format="ldcat-catalog/1"), MalformedRecord),
        (lambda m: m.update(more=1), MalformedRecord),
        (lambda m: m["technologies"]["sev-snp"].update(parts=2), MalformedRecord),
        (lambda m: m["files"].pop("components/firmware.parquet"), MalformedRecord),
        (lambda m: m["files"]["sev-snp/launch_digests.parquet"].update(size=-1), LdcatError),
        (lambda m: m["files"]["sev-snp/launch_digests.parquet"].update(sha256="0" * 64), VerificationFailed),
    ],
)
def test_an_edited_manifest_is_refused(small: BuildResult, copy: Path, change: object, error: type[LdcatError]) -> None:
    manifest = json.loads((copy / "manifest.json").read_bytes())
    assert callable(change)
    change(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (row, *_) = rows(small, "sev-snp")
    digest = row["launch_digest"]
    assert isinstance(digest, bytes)
    with pytest.raises(error):
        search(copy, digest)


def test_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no catalog at") as caught:
        Catalog.open(tmp_path)
    assert caught.value.hint == "make one with: ldcat build"
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(MalformedRecord):
        Catalog.open(tmp_path)


def test_a_catalog_without_rows_of_a_technology(tmp_path: Path) -> None:
    text = 'name = "x"\nfirmware = { builds = ["bullseye/*"] }\ntechnologies = { sev-snp = '
    text += '{ vmm = ["gce-v1"], sev_features = [1], vcpus = [1] }, sev = {} }\n'
    catalog = Catalog.open(build(write_spec(tmp_path, text), tmp_path / "catalog").folder)
    assert catalog.manifest.technologies["sev-snp"].rows == 0
    assert lookup(catalog, LaunchDigest(bytes(48)), warn=pytest.fail) == ()


def test_a_table_with_other_columns_is_refused(small: BuildResult, copy: Path) -> None:
    """A manifest that is consistent with its files does not show what they contain."""
    name = "sev/launch_digests.parquet"
    data = (copy / "components/firmware.parquet").read_bytes()
    (copy / name).write_bytes(data)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["files"][name].update(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MalformedRecord, match="is not a table of sev launch digests"):
        search(copy, bytes(32))
    with pytest.raises(MalformedRecord, match="is not a table of sev launch digests"):
        run_query(Catalog.open(copy), "SELECT 1")
