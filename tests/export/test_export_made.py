"""What is exported of a catalog: the rules, rows with one launch digest, endorsed digests, and the order of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord, NotExported, UnknownName, UsageError
from catalog.export.export_made import MadeExport, make_export, selected
from catalog.export.rows import export_search
from catalog.export.rows.export_rows import PackedDigests
from catalog.export.rows.selection import Selection, make_selection, parse_digests
from catalog.export.settings import Settings
from catalog.log.log_folder import LogFolder
from catalog.log.revocation_list import revocations_at
from catalog.rows.fields import RECORD
from catalog.store.catalog import Catalog
from catalog.transparency.trust import read_trust
from catalog.verify.verify_release import unverified_release, verify_release
from tests.support.catalogs import build, made
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.forged_catalogs import forged, in_rows
from tests.support.later_version import NOT_CONSIDERED, publish_record
from tests.support.logs import DAY, LOG, NOW
from tests.support.partly_known import BASE, BASE_IMAGE, digest, write_partly_known
from tests.support.published_logs import Publisher, published_log, revoke
from tests.support.samples import SMALL, whole_image, write_inputs, write_spec
from tests.support.trust_notes import trust_note

LAUNCH = "--launch-unknown"
EVERY = (LAUNCH, "--unenforced", "--no-kernel", "--endorsed", "--unpublished")

TWINS = """
name = "twins"
firmware = { builds = ["bookworm/ovmf/OVMF_CODE.fd"] }

[technologies.sev-snp]
vmm = ["qemu-amdese-2022", "qemu-kvm-legacy"]
vcpu_signatures = ["EPYC"]
sev_features = [1]
vcpus = ["1-2"]
"""
"""Two VMM profiles that launch the same."""


def export(catalog: Catalog | BuildResult, selection: Selection, *options: str) -> MadeExport:
    opened = catalog if isinstance(catalog, Catalog) else Catalog.open(catalog.folder)
    return make_export(opened, selection, options, Settings(), now=NOW)


def by_vmm(vmm: str, vcpus: str | None = None, **fields: Any) -> Selection:
    return make_selection((), {"vmm": vmm, **fields}, vcpus if fields or vcpus else "1-4096")


def codes(found: MadeExport) -> list[str]:
    return [note.code for note in found.notes]


def released(log: LogFolder, number: int | None = None) -> Catalog:
    return Catalog.open_release(unverified_release(log, number))


def test_rows_are_in_the_order_of_exports(small: BuildResult) -> None:
    found = export(small, by_vmm("qemu-kvm-init2"), *EVERY).export
    rows = list(found.rows)
    assert len(rows) == len(found.rows) == 24
    order = [
        (row.firmware and row.firmware.name, row.kernel_name or "", row.vcpu_signature, row.sev_features, row.vcpus)
        for row in rows
    ]
    assert order == sorted(order)
    assert list(found.digests) == list(dict.fromkeys(row.digest for row in rows))


def test_a_row_has_everything_that_its_leaf_has(small: BuildResult) -> None:
    found = export(small, by_vmm("qemu-kvm-init2", "2"), *EVERY).export
    for row in found.rows:
        assert row.firmware is not None
        assert row.record["launch_digest"] == row.digest.hex()
        assert row.record["firmware_sha256"] == (row.firmware.component.sha256 or b"").hex()
        assert row.record["kernel_hashes_sha256"] == (row.kernel_hashes and row.kernel_hashes.table_sha256.hex())
        assert (row.kernel_name, row.append) == (("mine", "quiet nr_cpus=2") if row.kernel_hashes else (None, None))
        assert "type" not in row.record
        assert set(row.record) <= {field.name for field in RECORD}
    assert next(iter(found.rows)) in found.rows


def test_what_a_hosted_vmm_does_not_launch_is_never_exported(small: BuildResult) -> None:
    with pytest.raises(
        NotExported, match="none of the 12 launch digests selected may be exported: not expected to launch"
    ):
        export(small, by_vmm("ec2-2026"), *EVERY)


def test_a_revocation_is_told_before_whatever_else_speaks_against_a_row(small: BuildResult, tmp_path: Path) -> None:
    catalog = released(published_log(small, tmp_path, revoke("revoked", technology="sev-snp")))
    with pytest.raises(NotExported, match="may be exported: revoked by the publisher of the log"):
        export(catalog, by_vmm("ec2-2026"), *EVERY)


def test_kernel_hashes_that_are_not_enforced_need_an_option(tmp_path: Path) -> None:
    folder = write_inputs(tmp_path)
    (folder / "whole.fd").write_bytes(whole_image(verifier=False))
    (folder / "twin.fd").write_bytes(whole_image(verifier=False))
    built = build(write_spec(folder, SMALL), tmp_path / "catalog")
    selection = by_vmm("qemu-kvm-init2", "1", kernel_hashes_sha256="mine")
    with pytest.raises(NotExported, match="kernel hashes are measured but not enforced") as refused:
        export(built, selection, LAUNCH, "--unpublished")
    assert str(refused.value.hint).startswith("--unenforced exports it nevertheless")
    found = export(built, selection, LAUNCH, "--unenforced", "--unpublished")
    assert codes(found)[:-1] == ["catalog-not-published", "kernel-hashes-not-enforced", "launch-not-known"]


def test_the_worst_configuration_with_a_digest_decides(tmp_path: Path) -> None:
    built = made(tmp_path, TWINS)
    catalog = released(published_log(built, tmp_path, revoke("revoked", vmm="qemu-amdese-2022", vcpus=2)))
    selection = by_vmm("qemu-kvm-legacy")
    found = export(catalog, selection, *EVERY)
    assert [row.vcpus for row in found.export.rows] == [1]
    [left] = [note.text for note in found.notes if note.code == "rows-left-out"]
    assert left == (
        "1 launch digest left out: another configuration with the same digest (bookworm/ovmf/OVMF_CODE.fd, "
        "qemu-amdese-2022): revoked by the publisher of the log: a reason"
    )
    one, two = export(built, selection, *EVERY).export.digests
    assert [row.vmm for row in export(catalog, Selection((one,)), *EVERY).export.rows] == [
        "qemu-amdese-2022",
        "qemu-kvm-legacy",
    ]
    with pytest.raises(NotExported, match=r"is not exported: revoked .* \(bookworm/.*, qemu-amdese-2022\): a reason$"):
        export(catalog, Selection((one, two)), *EVERY)


def test_endorsed_digests_need_an_option(small: BuildResult, tmp_path: Path) -> None:
    reported = "6b" * 48
    records = [listed(), listed(reported, scheme="reported")]
    built = with_endorsed(small, tmp_path / "catalog", records)
    selection = Selection(parse_digests([SNP_DIGEST]))
    with pytest.raises(NotExported, match="endorsed, and the firmware is not known") as refused:
        export(built, selection, "--unpublished")
    assert str(refused.value.hint).startswith("--endorsed")
    found = export(built, selection, "--unpublished", "--endorsed")
    [row] = found.export.rows
    assert (row.digest.hex(), row.firmware, row.vmm, row.vcpus) == (SNP_DIGEST, None, None, None)
    assert row.record["launch_digest"] == SNP_DIGEST
    assert "exported-endorsed" in codes(found)
    with pytest.raises(NotExported, match="seen in public, and endorsed by nobody"):
        export(built, Selection(parse_digests([reported])), *EVERY)


def test_a_revoked_endorsement_is_never_exported(small: BuildResult, tmp_path: Path) -> None:
    built = with_endorsed(small, tmp_path / "catalog", [listed()])
    catalog = released(published_log(built, tmp_path, revoke("revoked", endorser_scheme="published-list")))
    with pytest.raises(NotExported, match="is not exported: revoked"):
        export(catalog, Selection(parse_digests([SNP_DIGEST])), *EVERY)


def test_a_revoked_endorsement_speaks_against_the_rows_with_its_digest(small: BuildResult, tmp_path: Path) -> None:
    """Whoever endorsed the digest says that it is bad, and a consumer compares nothing else."""
    bad, good = list(export(small, by_vmm("qemu-kvm-init2", "1"), *EVERY).export.digests)[:2]
    records = [listed(bad.hex()), endorsed("5e" * 32, technology="sev", document_sha256=DOCUMENT_SHA256)]
    built = with_endorsed(small, tmp_path / "catalog", records)
    publisher = Publisher(tmp_path, [LOG])
    publisher.publish(built, revoke("deprecated", endorser_scheme="published-list"))
    assert "deprecated" in codes(export(released(publisher.log), Selection((bad,)), *EVERY))
    assert "deprecated" not in codes(export(released(publisher.log), Selection((good,)), *EVERY))
    publisher.publish(built, revoke("revoked", technology="sev"), now=NOW + DAY)
    publisher.publish(built, revoke("revoked", endorser_scheme="published-list"), now=NOW + 2 * DAY)
    with pytest.raises(NotExported, match="is not exported: revoked"):
        export(released(publisher.log), Selection((bad,)), *EVERY)
    left = export(released(publisher.log), by_vmm("qemu-kvm-init2", "1"), *EVERY)
    assert good in left.export.digests
    assert bad not in left.export.digests


def test_a_row_that_begins_with_nothing_is_malformed(small: BuildResult, tmp_path: Path) -> None:
    """No rule would speak against it."""

    def change(row: dict[str, Any]) -> None:
        row["firmware_sha256"] = None

    one, *_ = export(small, by_vmm("qemu-kvm-init2", "1"), *EVERY).export.digests
    rows = in_rows(change, which=lambda row: row["launch_digest"] == one)
    built = forged(small, tmp_path / "catalog", {"sev-snp/launch_digests.parquet": rows})
    with pytest.raises(MalformedRecord, match="does not begin with one firmware image or base"):
        export(built, Selection((one,)), *EVERY)


def test_rows_that_follow_from_a_base_are_like_endorsed_digests(tmp_path: Path) -> None:
    built = build(write_partly_known(tmp_path), tmp_path / "catalog")
    inferred = digest(BASE_IMAGE, 4)
    selection = Selection(parse_digests([inferred]))
    with pytest.raises(NotExported, match="is not exported: endorsed, and the firmware is not known"):
        export(built, selection, LAUNCH, "--unpublished")
    found = export(built, selection, "--endorsed", "--unpublished")
    assert [(row.digest.hex(), row.firmware, row.vcpus) for row in found.export.rows] == [(inferred, None, 4)]


def test_a_row_rests_on_the_endorsement_of_its_base(tmp_path: Path) -> None:
    by = {"scheme": "contrast", "id": "https://contrast.example/v1", "feed": None, "svn": 3}
    record = endorsed(BASE, **by, claims={}, document_sha256=DOCUMENT_SHA256)
    built = with_endorsed(build(write_partly_known(tmp_path), tmp_path / "bare"), tmp_path / "catalog", [record])
    selection = Selection(parse_digests([digest(BASE_IMAGE, 4)]))
    log = published_log(built, tmp_path, revoke("deprecated", endorser_scheme="contrast"))
    assert codes(export(released(log), selection, *EVERY)) == ["exported-endorsed", "deprecated"]
    Publisher(tmp_path, [LOG]).publish(built, revoke("revoked", endorser_scheme="contrast"), now=NOW + DAY)
    with pytest.raises(NotExported, match="is not exported: revoked"):
        export(released(log), selection, *EVERY)
    before = selected(released(log, 1), selection, EVERY, revocations_at(unverified_release(log, 1)))
    assert tuple(before.digests) == selection.digests


def test_records_that_this_version_ignores_prevent_an_export(small: BuildResult, tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, [LOG])
    publisher.publish(small)
    selection = by_vmm("qemu-kvm-init2")
    assert export(released(publisher.log), selection, *EVERY).export.source.release == 1
    publish_record(publisher.log, LOG, NOW + 1)
    trust = trust_note(f"log {LOG.key}\nquorum none\n", expires=NOW + DAY)
    verified = verify_release(publisher.log, None, read_trust(bytes(trust)), now=NOW + 2, seen={})
    catalog = Catalog.open_release(verified.release)
    with pytest.raises(UsageError, match="nothing is exported: ") as refused:
        export(catalog, selection, *EVERY)
    assert NOT_CONSIDERED in str(refused.value)


def test_a_release_that_is_not_the_last_is_said(small: BuildResult, tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, [LOG])
    publisher.publish(small)
    publisher.publish(small, revoke("deprecated", technology="sev"), now=NOW + DAY)
    first, last = (export(released(publisher.log, number), by_vmm("qemu-kvm-init2"), *EVERY) for number in (1, 2))
    assert (codes(first)[0], "release-not-last" in codes(last)) == ("release-not-last", False)
    assert (first.export.source.time, last.export.source.time) == (NOW, NOW + DAY)


def test_an_unknown_name_is_refused(small: BuildResult) -> None:
    for selection in (
        by_vmm("qemu"),
        by_vmm("qemu-kvm-init2", "1", vcpu_type="EPIC"),
        by_vmm("ec2-2026", "1", firmware_sha256="x"),
    ):
        with pytest.raises(UnknownName):
            export(small, selection, "--unpublished")


def test_an_export_has_a_largest_number_of_digests(small: BuildResult) -> None:
    catalog, selection = Catalog.open(small.folder), by_vmm("qemu-kvm-init2")
    with pytest.raises(UsageError, match="more than 23 launch digests are selected"):
        make_export(catalog, selection, EVERY, Settings(), now=NOW, most=23)
    assert len(make_export(catalog, selection, EVERY, Settings(), now=NOW, most=24).export.digests) == 24
    assert export_search.MOST_DIGESTS == 1_000_000


def test_no_digest_is_searched_in_two_tables(parted: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of a part end anywhere: rows of one digest may be in two."""
    seen: list[set[bytes]] = []
    judge: Callable[..., None] = export_search._Search.judge

    def noted(search: Any, table: Any) -> None:
        seen.append(set(table["launch_digest"].to_pylist()))
        judge(search, table)

    monkeypatch.setattr(export_search._Search, "judge", noted)
    export(parted, by_vmm("qemu-kvm-init2"), *EVERY)
    assert sum(map(len, seen)) == len(set.union(*seen)) > 0


def test_packed_digests_are_a_sequence() -> None:
    digests = [bytes([number]) * 48 for number in range(5)]
    packed = PackedDigests(b"".join(digests))
    assert (list(packed), len(packed), packed[1], packed[-1]) == (digests, 5, digests[1], digests[4])
    assert packed[1:4:2] == digests[1:4:2]
    with pytest.raises(IndexError):
        packed[5]
