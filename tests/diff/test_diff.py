"""Diff: exactly the rows that differ, each with its kind of change, and a short summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.build import generation
from catalog.build.builder import BuildResult
from catalog.diff.diff import CHANGE_COLUMNS, Diff, RowGroup
from catalog.errors import MalformedRecord, VerificationFailed
from catalog.store import manifest
from tests.support.catalogs import Rows, build, compared, made, rows_of
from tests.support.forged_catalogs import another_profile, forged, one_digest
from tests.support.samples import SMALL, bare_image, write_inputs, write_spec

SNP = "sev-snp/launch_digests.parquet"


def expected(old: Rows, new: Rows) -> list[dict[str, Any]]:
    """The expected changes, by definition."""

    def changes() -> Iterator[tuple[Any, ...]]:
        for inputs in {*old, *new}:
            before, after = old.get(inputs), new.get(inputs)
            if before != after:
                change = "added" if before is None else "withdrawn" if after is None else "rule-changed"
                yield change, *inputs, before, after, None

    def text(name: str, value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        form = {"vcpu_signature": "{:#010x}", "sev_features": "{:#x}"}.get(name)
        return form.format(value) if form and value is not None else value

    return [
        {name: text(name, value) for name, value in zip(CHANGE_COLUMNS, change, strict=True)} for change in changes()
    ]


def by_text(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(map(repr, rows))


def lines(found: Diff) -> list[str]:
    assert [(one.change, one.technology, one.names) for one in found.groups] == sorted(
        (one.change, one.technology, one.names) for one in found.groups
    )
    return sorted(f"{one.change} {one.technology} {one.names}: {one.summary(found.kernels)}" for one in found.groups)


def test_equal_catalogs_have_no_differences(small: BuildResult) -> None:
    found, rows = compared(small, small)
    assert (found.same, rows, found.components, found.groups, found.why()) == (True, [], [], [], None)
    assert {name: count for name, count in found.counts.items() if count} == {"unchanged": len(rows_of(small))}


@pytest.mark.parametrize(("old_part", "new_part"), [(1 << 21, 1 << 21), (1 << 21, 8), (8, 1 << 21), (16, 4)])
def test_exactly_the_rows_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_part: int, new_part: int
) -> None:
    monkeypatch.setattr(generation, "ROWS_PER_PART", old_part)
    old = made(tmp_path / "old", SMALL)
    monkeypatch.setattr(generation, "ROWS_PER_PART", new_part)
    spec = SMALL.replace('sev_features = [1, 0x21]\nvcpus = ["1-3"]', 'sev_features = [1, 5]\nvcpus = ["2-6"]')
    new = made(tmp_path / "new", spec.replace('"bare.fd"', '"whole.fd"').replace("quiet nr", "loud nr"))
    found, rows = compared(old, new)
    assert by_text(rows) == by_text(expected(rows_of(old), rows_of(new)))
    shown = [listed for group in found.groups for listed in group.to_dict()["values"]["sev_features"]]
    assert {value for value in shown if value is not None} == {"0x1", "0x5", "0x21", "0x0"}
    assert found.counts["unchanged"] == len(rows_of(old).items() & rows_of(new).items()) > 0
    assert sum(found.counts.values()) - found.counts["unchanged"] == len(rows)
    axes = {(one.kind, one.change, one.what) for one in found.components if one.kind.startswith("sev-snp ")}
    assert axes == {
        ("sev-snp sev_features", "gone", "0x21"),
        ("sev-snp sev_features", "added", "0x5"),
        ("sev-snp vCPU counts", "gone", "1"),
        ("sev-snp vCPU counts", "added", "4-6"),
    }
    parts = [one.manifest.technologies["sev-snp"].parts for one in (old, new)]
    assert (parts[0] == parts[1]) is (old_part == new_part)


def test_added_rows_are_summarised(tmp_path: Path, small: BuildResult) -> None:
    before, snp = SMALL.split("[technologies.sev-snp]")
    wider = f"{before}[technologies.sev-snp]" + snp.replace('"1-3"', '"1-3", "5-8"')
    found, _ = compared(small, made(tmp_path / "wider", wider))
    twins = "('twin.fd', 'whole.fd')"
    assert lines(found) == [f"added sev-snp {twins}: 80 digests; only vCPU counts 5-8 are new"]
    assert [one.to_dict() for one in found.components] == [
        {"kind": "sev-snp vCPU counts", "name": "", "change": "added", "what": "5-8"}
    ]
    back, _ = compared(made(tmp_path / "again", wider), small)
    assert lines(back) == [f"withdrawn sev-snp {twins}: 80 digests; only vCPU counts 5-8 are gone"]
    start, _, rest = before.partition("[[kernel_hashes.define]]")
    less = start.replace(', "bare.fd"', "").replace(', "mine"', "") + rest.partition('nr_cpus=2"\n')[2]
    fewer = made(tmp_path / "fewer", f"{less}[technologies.sev-snp]{snp}")
    found, _ = compared(fewer, small)
    assert [(one.kind, one.name, one.change) for one in found.components] == [
        ("firmware", "bare.fd", "added"),
        ("kernel hashes", "mine", "added"),
    ]
    assert lines(found) == [
        "added sev ('bare.fd',): 1 digest: the other catalog has none of this image and technology",
        f"added sev {twins}: 1 digest; only kernel hashes mine are new",
        "added sev-es ('bare.fd',): 3 digests: the other catalog has none of this image and technology",
        f"added sev-es {twins}: 3 digests; only kernel hashes mine are new",
        f"added sev-snp {twins}: 30 digests; only kernel hashes mine are new",
    ]


def test_another_digest_for_the_same_inputs_is_a_changed_rule(small: BuildResult, tmp_path: Path) -> None:
    found, rows = compared(small, forged(small, tmp_path / "silent", {SNP: one_digest}))
    assert (found.counts["rule-changed"], found.counts["added"], found.counts["withdrawn"]) == (1, 0, 0)
    assert [(row["change"], row["new_digest"]) for row in rows] == [("rule-changed", "00" * 48)]
    assert found.why() == "nothing in the catalogs explains it"
    assert lines(found) == ["rule-changed sev-snp ('twin.fd', 'whole.fd'): 1 digest of the same inputs"]
    profile = f"{manifest.VMM_FOLDER}/qemu-kvm-init2.toml"
    explained, _ = compared(small, forged(small, tmp_path / "said", {SNP: one_digest, profile: another_profile}))
    assert "VMM profile qemu-kvm-init2: revision " in (explained.why() or "")
    assert [(one.kind, one.change) for one in explained.components] == [("VMM profile", "changed")]


def test_another_image_under_the_same_name_is_not_a_changed_rule(tmp_path: Path, small: BuildResult) -> None:
    image = write_inputs(tmp_path / "other")
    (image / "bare.fd").write_bytes(bare_image(seed=9))
    found, _ = compared(small, build(write_spec(image, SMALL), tmp_path / "catalog"))
    assert found.counts["rule-changed"] == 0
    assert [(one.kind, one.name, one.change) for one in found.components] == [("firmware", "bare.fd", "changed")]
    assert "SHA-256 " in found.components[0].what
    assert found.counts["added"] == found.counts["withdrawn"] == 4


def test_distinguished_digests_are_not_compared(small: BuildResult, tmp_path: Path) -> None:
    few = SMALL.replace("[technologies.sev-snp]", "[technologies.sev-snp]\ndistinguished_bits = 2")
    found, rows = compared(small, made(tmp_path, few))
    assert (found.uncompared, rows) == (["sev-snp"], [])


def test_damage_is_an_error_and_not_a_difference(small: BuildResult, tmp_path: Path) -> None:
    copy = forged(small, tmp_path / "copy", {})
    path = copy.folder / SNP
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
        compared(small, copy)
    no_table = forged(small, tmp_path / "table", {SNP: lambda path: pq.write_table(pa.table({"a": [1]}), path)})
    with pytest.raises(MalformedRecord, match="is not a table of sev-snp"):
        compared(small, no_table)


def test_rows_of_a_base_that_one_catalog_lacks() -> None:
    group = RowGroup("added", "sev-snp", {"base_digest": "0b" * 48}, ("a base",), 2, {}, {}, alone=True)
    assert group.summary({}) == "2 digests: the other catalog has none of this base"
