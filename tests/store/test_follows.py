"""Derived data: every false value, under a manifest with matching hashes, is found by audits, rebuilds and builds."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedRecord, Unreadable, VerificationFailed
from catalog.fast.names import IMAGES, PROFILES, TABLES, TYPES, Names, pack_names
from catalog.fast.verity import VerifiedBytes
from catalog.imports.endorsed_facts import Base, Endorser
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.component_names import component_names
from catalog.store.component_tables import bases_table, write_parquet
from catalog.store.components import Components
from catalog.store.endorsements import endorsements_file
from catalog.store.follows import FOLLOWS, Derived, all_faults
from tests.support.catalogs import build, contents
from tests.support.cli import Run
from tests.support.endorsed_digests import endorsed, listed, with_endorsed
from tests.support.forged_catalogs import Change, elsewhere, forged, in_manifest, in_names, in_rows, replaced, write
from tests.support.published_logs import Publisher, rebuilt
from tests.support.samples import SMALL, write_inputs, write_spec
from tests.support.td_files import PROFILE as TD_PROFILE
from tests.support.td_files import ROWS as TD_ROWS

PROFILE = f"{manifest.VMM_FOLDER}/qemu-kvm-init2.toml"
SNP = "sev-snp/launch_digests.parquet"
TD_NAMES = manifest.names_file("tdx")
OTHER = hashlib.sha256(b"another").digest()


def put(place: int, text: str | None) -> Change:
    return in_names(TABLES, lambda record: record.__setitem__(place, text))


def named(**changes: Any) -> Change:
    return in_rows(lambda row: row.update(changes))


def more_rows(name: str, text: dict[str, Any]) -> None:
    text["files"][name].update(rows=8)


def bases_that(**changes: Any) -> Change:
    """Writes a table of two bases with one launch digest; the second one differs."""

    def change(path: Path) -> None:
        base = Base(bytes(48), "sev-snp", Endorser("contrast"), 1, name="a")
        write_parquet(bases_table([base, replace(base, **{"name": "b", **changes})]), path, sorted_by="name")

    return change


def listed_bases(path: Path) -> None:
    entry = msgspec.to_builtins(manifest.file_entry(path.parent / manifest.BASES, 2))
    in_manifest(lambda text: text["files"].update({manifest.BASES: entry}))(path)


def first_row_twice(path: Path) -> None:
    rows = pq.read_table(path).to_pylist()
    write(path, [rows[0], *rows], pq.read_schema(path))


def one_type_less(path: Path) -> None:
    names = Names(VerifiedBytes(path.read_bytes()))
    kinds = [[names.record(kind, n) for n in range(count)] for kind, count in enumerate(names.counts)]
    path.write_bytes(pack_names([*kinds[:TYPES], kinds[TYPES][:-1], *kinds[TYPES + 1 :]], names.version))


def unchanged(_: Path) -> None:
    """For a file that a catalog has to have."""


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


CONTRADICTORY = endorsements_file([listed(claims={"vcpus": 1}), listed(claims={"vcpus": 2})])


LIES: dict[tuple[str, str], list[dict[str, Change]]] = {
    (manifest.KERNEL_HASHES, "table_sha256"): [
        {manifest.KERNEL_HASHES: named(kernel_sha256=OTHER)},
        {manifest.KERNEL_HASHES: named(initrd_sha256=OTHER)},
        {manifest.KERNEL_HASHES: named(table_sha256=OTHER)},
        {manifest.KERNEL_HASHES: named(append="evil", cmdline_sha256=hashlib.sha256(b"evil\0").digest())},
    ],
    (manifest.KERNEL_HASHES, "cmdline_sha256"): [
        {manifest.KERNEL_HASHES: named(append="quiet")},
        {manifest.KERNEL_HASHES: named(append="quiet nr_cpus=2 ")},
        {manifest.KERNEL_HASHES: named(append="a\0b", cmdline_sha256=hashlib.sha256(b"a\0b\0").digest())},
    ],
    (manifest.FIRMWARE, "every other column"): [
        {manifest.FIRMWARE: named(**{name: value})}
        for name, value in {
            "name": "other.fd",
            "sha256": OTHER,
            "sha384": bytes(48),
            "size": 7 * 4096,
            "snp_baseline": bytes(48),
            "firmware_version": "2026.08",
            "distribution": "debian",
            "suite": "sid",
            "package": "ovmf",
            "version": "2026",
            "package_sha256": OTHER,
            "path": "/x",
            "kernel_hashes_enforced": "maybe",
        }.items()
    ]
    + [{manifest.FIRMWARE: first_row_twice}],
    (manifest.TDX_FIRMWARE, "every row"): [
        {manifest.TDX_FIRMWARE: named(name="other.fd")},
        {manifest.TDX_FIRMWARE: first_row_twice},
        {manifest.TDX_FIRMWARE: in_rows(lambda row: row.update(tdx=row["tdx"] + " "))},
        {manifest.TDX_FIRMWARE: named(tdx="{}")},
        {manifest.TDX_FIRMWARE: named(tdx='{"fault":null,"mrtd":{},"sections":[],"more":1}')},
    ],
    (manifest.LAUNCHABLE, "every row"): [
        {manifest.LAUNCHABLE: named(**{name: value})}
        for name, value in {"verdict": "yes", "reason": "it boots", "source": "me", "technology": "tdx"}.items()
    ],
    (manifest.BASES, "facts of equal digests, names"): [
        {manifest.BASES: bases_that(vcpus=2), manifest.NAME: listed_bases},
        {manifest.BASES: bases_that(name="a"), manifest.NAME: listed_bases},
    ],
    (manifest.VMM_FOLDER, "the name of each file"): [
        {PROFILE: replaced('name = "qemu-kvm-init2"', 'name = "qemu-kvm-init3"')},
        {TD_PROFILE: replaced('name = "qemu-tdx"', 'name = "qemu-tdx-2"')},
        {TD_PROFILE: replaced('name = "qemu-tdx"', 'name = "gce-tdx"')},
    ],
    (manifest.NAMES, "every byte"): [
        {manifest.NAMES: put(5, "quiet")},
        {manifest.NAMES: put(2, OTHER.hex())},
        {manifest.NAMES: put(1, "another-name")},
        {manifest.NAMES: put(5, None)},
        {manifest.NAMES: in_names(TABLES, lambda record: record.extend(record[1:]))},
        {manifest.NAMES: in_names(PROFILES, lambda record: record.__setitem__(1, "a cloud"))},
        {manifest.NAMES: in_names(TYPES, lambda record: record.append("EPYC-Nowhere"))},
        {manifest.NAMES: in_names(IMAGES, lambda record: record.__setitem__(5, "renamed.fd"))},
        {PROFILE: replaced('title = "', 'title = "The ')},
        {manifest.VCPU_TYPES: replaced('"EPYC-Milan"', '"EPYC-Milano"')},
        {manifest.NAMES: longer},
        {manifest.NAMES: one_type_less},
        {TD_NAMES: in_names(IMAGES, lambda record: record.__setitem__(3, "renamed.fd"))},
        {TD_NAMES: in_names(IMAGES, lambda record: record.__setitem__(-3, "yes"))},
        {TD_NAMES: in_names(PROFILES, lambda record: record.__setitem__(1, "a cloud"))},
        {TD_NAMES: in_names(PROFILES, lambda record: record.__setitem__(0, "qemu-tdx-2"))},
        {TD_NAMES: longer},
        {TD_NAMES: one_type_less},
        {TD_PROFILE: replaced('title = "', 'title = "The ')},
    ],
    (manifest.NAME, "rows of the component tables"): [
        {manifest.NAME: in_manifest(partial(more_rows, name))}
        for name in (manifest.FIRMWARE, manifest.LAUNCHABLE, manifest.KERNEL_HASHES)
    ]
    + [
        {
            manifest.TDX_FIRMWARE: unchanged,
            manifest.NAME: in_manifest(partial(more_rows, manifest.TDX_FIRMWARE)),
        }
    ],
    (manifest.ENDORSED, "every line"): [
        with_endorsed(CONTRADICTORY),
        with_endorsed(endorsements_file([endorsed()])),
        with_endorsed(b"".join(CONTRADICTORY.splitlines(keepends=True)[::-1])),
        with_endorsed(CONTRADICTORY.replace(b'"sev-snp"', b'"sev"')),
    ],
    (manifest.NAME, "digest_size"): [
        {manifest.NAME: in_manifest(lambda text: text["technologies"]["sev"].update(digest_size=48))},
    ],
    (manifest.NAME, "name, technologies, rows, left_out"): [
        {manifest.NAME: in_manifest(lambda text: text.update(name="larger"))},
        {manifest.NAME: in_manifest(lambda text: text["left_out"].pop())},
        {manifest.NAME: in_manifest(lambda text: text["left_out"][0].update(points=7))},
        {manifest.NAME: in_manifest(lambda text: text["left_out"][0].update(firmware="whole.fd"))},
        {manifest.SPEC: replaced('"1-3"', '"1-4"')},
        {manifest.SPEC: replaced('"none"', '"nobody"')},
        {manifest.SPEC: in_manifest(lambda text: text["technologies"].pop("sev"))},
    ],
    ("launch_digests*.parquet", "bsp_vmsa_sha256, ap_vmsa_sha256"): [
        {SNP: named(bsp_vmsa_sha256=OTHER)},
        {SNP: in_rows(lambda row: row.update(vcpu_signature=None), which=lambda row: row["vcpu_signature"])},
        {SNP: in_rows(lambda row: row.update(ap_vmsa_sha256=OTHER), which=lambda row: row["vcpus"] == 1)},
        {SNP: in_rows(lambda row: row.update(ap_vmsa_sha256=None), which=lambda row: row["vcpus"] == 2)},
        {"sev/launch_digests.parquet": named(bsp_vmsa_sha256=OTHER)},
        {TD_ROWS: named(bsp_vmsa_sha256=OTHER)},
    ],
    ("launch_digests.index", "every entry"): [
        {"sev-snp/launch_digests.index": elsewhere(2)},
        {"sev/launch_digests.index": elsewhere(1)},
        {"tdx/launch_digests.index": elsewhere(1)},
        {"tdx/launch_digests.index": elsewhere(3)},
    ],
}
"""False values for each entry of FOLLOWS, by its file and name; everything else is derived from them.

Those with a file of TDX are for the catalog `tds`, the others for `small`.
"""

CASES = [
    pytest.param(derived, changes, id=f"{derived.name}-{number}")
    for derived in FOLLOWS
    for number, changes in enumerate(LIES[derived.file, derived.name])
]


Forge = Callable[[Path, dict[str, Change]], BuildResult]


@pytest.fixture
def forge(small: BuildResult, tds: BuildResult) -> Forge:
    """Writes a catalog with false values to a folder."""

    def forge(folder: Path, changes: dict[str, Change]) -> BuildResult:
        of_tdx = any(name.startswith("tdx/") for name in changes)
        return forged(tds if of_tdx else small, folder, changes)

    return forge


def test_every_entry_of_the_list_has_a_case() -> None:
    assert [(derived.file, derived.name) for derived in FOLLOWS] == list(LIES)


def test_a_correct_catalog_has_no_faults(small: BuildResult, tds: BuildResult, default: BuildResult) -> None:
    for built in (small, tds, default):
        assert list(all_faults(Catalog.open(built.folder).components)) == []


def test_the_page_has_the_whole_list() -> None:
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8").replace("`", "")
    listed = [f"| {derived.file} | {derived.name} | {derived.source} |\n" for derived in FOLLOWS]
    assert "".join(listed) in page


class Opened:
    """A catalog whose manifest may be one that Catalog refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = manifest.parse_manifest((folder / manifest.NAME).read_bytes())

    def verified(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.mark.parametrize(("derived", "changes"), CASES)
def test_audit_names_every_value_that_is_not_derived_correctly(
    run: Run, forge: Forge, tmp_path: Path, derived: Derived, changes: dict[str, Change]
) -> None:
    forge(tmp_path / "lie", changes)
    found = list(all_faults(Components(Opened(tmp_path / "lie"))))
    assert derived in [one for one, _ in found]
    assert all("\n" not in fault for _, fault in found)
    code, out, _ = run("audit", str(tmp_path / "lie"), "-f", "json", "-q")
    named = [(one["rule"], one["subject"]) for one in json.loads(out)["findings"] if one["severity"] == "error"]
    rules = {manifest.NAMES: "names", manifest.INDEX: "index", manifest.ENDORSED: "endorsed"}
    rule = rules.get(derived.file, "follows")
    assert code == 1
    # if no catalog can be opened with it, the finding names the manifest
    assert (rule, derived.file) in named or named == [("manifest", manifest.NAME)]


@pytest.mark.parametrize(("derived", "changes"), [(one, LIES[one.file, one.name][0]) for one in FOLLOWS])
def test_rebuild_does_not_cosign_false_derived_data(
    publisher: Publisher, forge: Forge, tmp_path: Path, derived: Derived, changes: dict[str, Change]
) -> None:
    refused = {"digest_size": "48 bytes is not the size of a sev digest", "every line": "contradict each other"}
    if why := refused.get(derived.name):
        with pytest.raises(LdcatError, match=why):
            publisher.publish(forge(tmp_path / "lie", changes))
        return
    publisher.publish(forge(tmp_path / "lie", changes))
    found = rebuilt(publisher)
    assert not found.same
    assert any("contradicts the data" in one.what or "cannot be recomputed" in one.what for one in found.differences)


def test_a_build_does_not_replace_a_catalog_with_false_derived_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulates a memory or disk error between measuring and writing."""
    spec = write_spec(write_inputs(tmp_path / "inputs"), SMALL)
    before = contents(build(spec, tmp_path / "catalog").folder)

    def false(*arguments: Any) -> Any:
        numbers, names = component_names(*arguments)
        return numbers, names.replace(b"quiet nr_cpus=2", b"quiet nr_cpus=9")

    monkeypatch.setattr("catalog.build.component_files.component_names", false)
    with pytest.raises(VerificationFailed, match=r"names, as it was written, contradicts .*'quiet nr_cpus=9'"):
        build(spec, tmp_path / "catalog")
    assert contents(tmp_path / "catalog") == before
    assert [path.name for path in tmp_path.iterdir() if "ldcat" in path.name] == []


def test_names_are_checked_by_their_own_format_version(small: BuildResult, tmp_path: Path) -> None:
    """The bytes are compared with those that the same version would write; unknown versions are reported."""

    def newer(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[:8] + (9).to_bytes(4, "little") + data[12:])

    forged(small, tmp_path / "newer", {manifest.NAMES: newer})
    found = [one for one in all_faults(Catalog.open(tmp_path / "newer").components) if one[0].file == manifest.NAMES]
    assert [(one.file, fault) for one, fault in found] == [
        (manifest.NAMES, "version 9 of the component names is unknown to this ldcat")
    ]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        (manifest.VCPU_TYPES, b"\xff", "is not UTF-8 text"),
        (PROFILE, b"\xff", "is not UTF-8 text"),
        (manifest.KERNEL_HASHES, None, "has other columns than a file of this name must have"),
        (manifest.FIRMWARE, None, "has other columns than a file of this name must have"),
    ],
)
def test_a_component_file_in_another_format_is_malformed(
    small: BuildResult, tmp_path: Path, name: str, data: bytes | None, why: str
) -> None:
    def other(path: Path) -> None:
        path.write_bytes((small.folder / manifest.LAUNCHABLE).read_bytes() if data is None else data)

    rows = in_manifest(lambda text: text["files"][name].update(rows=9))  # as many as the other table has
    forged(small, tmp_path / "copy", {name: other} | ({manifest.NAME: rows} if data is None else {}))
    with pytest.raises(MalformedRecord, match=f"{name} {why}"):
        Catalog.open(tmp_path / "copy").check_components()
    assert f"{name} {why}" in [fault for _, fault in all_faults(Catalog.open(tmp_path / "copy").components)]


def test_damage_is_reported_as_damage(small: BuildResult, tmp_path: Path) -> None:
    """Names in an invalid encoding are a fault like any other."""
    shutil.copytree(small.folder, tmp_path / "copy")
    Catalog.open(tmp_path / "copy").check_components()
    (tmp_path / "copy" / manifest.NAMES).write_bytes(b"damaged")
    with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
        Catalog.open(tmp_path / "copy").check_components()
    (tmp_path / "copy" / manifest.NAMES).unlink()
    with pytest.raises(Unreadable):
        Catalog.open(tmp_path / "copy").check_components()

    def nonsense(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:12] + b"\xff" * 100)

    forged(small, tmp_path / "nonsense", {manifest.NAMES: nonsense})
    with pytest.raises(VerificationFailed, match="components/names contradicts the data it is derived from: the"):
        Catalog.open(tmp_path / "nonsense").check_components()


def test_a_long_text_is_shortened(small: BuildResult, tmp_path: Path) -> None:
    forged(small, tmp_path / "lie", {manifest.NAMES: put(1, "x" * 10_000)})
    ((_, fault),) = all_faults(Catalog.open(tmp_path / "lie").components)
    assert len(fault) < 500
    assert "x' and more instead of 'mine'" in fault


def test_many_faults_are_counted_instead_of_listed(small: BuildResult, tmp_path: Path) -> None:
    def all_rows(path: Path) -> None:
        for _ in range(9):
            in_rows(lambda row: row.update(reason="x"), which=lambda row: row["reason"] != "x")(path)

    forged(small, tmp_path / "lie", {manifest.LAUNCHABLE: all_rows})
    found = [
        fault for one, fault in all_faults(Catalog.open(tmp_path / "lie").components) if one.file == manifest.LAUNCHABLE
    ]
    assert len(found) == 6
    assert found[-1] == "and 4 more"
