"""Rebuild: an honest log is reproduced, and every forgery in a log is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.audit.rebuild import Rebuilt
from catalog.audit.recompute import Difference
from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.launch.hashing.backends import REFERENCE, HashBackend
from catalog.log.records import RevokeRecord, encode_leaf, parse_record, parse_row
from catalog.operate.finding import Severity
from catalog.store import manifest
from catalog.store.follows import FOLLOWS
from tests.support.forged_catalogs import SEV, another_column, another_profile, forged, one_digest, without_rows
from tests.support.logs import NOW
from tests.support.published_logs import Publisher, rebuilt, write_leaves


def errors(found: Rebuilt) -> list[Difference]:
    return [one for one in found.differences if one.severity is Severity.ERROR]


@pytest.mark.parametrize("backend", [None, REFERENCE], ids=["compiled", "python"])
def test_an_honest_log_is_reproduced(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, backend: HashBackend | None
) -> None:
    publisher.publish(fewer)
    revoke = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="revoked", reason="a reason")
    publisher.publish(small, revoke, now=NOW + 1)
    found = rebuilt(publisher, backend)
    assert (found.same, found.releases, found.differences) == (True, 2, ())
    assert found.rows == sum(b'"digest"' in leaf for leaf in publisher.leaves())


SNP = "sev-snp/launch_digests.parquet"


@pytest.mark.parametrize(
    ("name", "change", "what", "rows"),
    [
        (SNP, one_digest, "the digest is wrong", 1),
        (SNP, another_column("firmware_sha256", bytes(32)), "the release has no firmware 0000", 1),
        (SNP, another_column("kernel_hashes_sha256", bytes(32)), "the release has no kernel hashes table 0000", 1),
        (SNP, another_column("vmm", "nobody"), "the release has no VMM profile nobody", 1),
        (SNP, another_column("sev_features", 2), "sev-snp cannot launch it: sev_features 0x2 lacks bit 0", 1),
        (SNP, another_column("vmm", None), "has fields too many or too few", 1),
        (SNP, another_column("vcpus", 9), "the digest is wrong", 1),
        (manifest.KERNEL_HASHES, without_rows, "the release has no kernel hashes table", None),
        (manifest.FIRMWARE, without_rows, "the release has no firmware", None),
    ],
)
def test_every_forgery_is_found(
    publisher: Publisher,
    small: BuildResult,
    tmp_path: Path,
    name: str,
    change: Callable[[Path], None],
    what: str,
    rows: int | None,
) -> None:
    publisher.publish(forged(small, tmp_path / "forged", {name: change}))
    found = rebuilt(publisher)
    assert not found.same
    recomputed = [one for one in errors(found) if "contradicts the data it is derived from" not in one.what]
    assert all(what in one.what for one in recomputed)
    assert rows is None or sum(one.rows for one in errors(found)) == rows
    (first, *_) = recomputed
    assert first.release == 1
    if first.row:
        assert first.recomputed not in (None, first.row.launch_digest)
    json.dumps([one.to_dict() for one in found.differences])


def test_a_wrong_digest_that_is_revoked_is_only_a_note(
    publisher: Publisher, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.store.follows.FOLLOWS", FOLLOWS[:-1])  # its index is not rebuilt
    wrong = forged(small, tmp_path / "forged", {SEV: one_digest})
    publisher.publish(wrong)
    assert not rebuilt(publisher).same
    revoke = RevokeRecord(
        type="revoke", selector={"launch_digest": bytes(32).hex()}, severity="revoked", reason="measured wrong"
    )
    publisher.publish(wrong, revoke, now=NOW + 1)
    publisher.publish(small, now=NOW + 2)
    found = rebuilt(publisher)
    assert found.same
    assert [(one.severity, one.release, one.what) for one in found.differences] == [
        (Severity.NOTE, 1, "the digest is wrong, and revoked: measured wrong")
    ]


def test_a_profile_that_differs_from_the_local_one_is_a_warning(
    publisher: Publisher, small: BuildResult, tmp_path: Path
) -> None:
    name = f"{manifest.VMM_FOLDER}/qemu-kvm-init2.toml"
    publisher.publish(forged(small, tmp_path / "forged", {name: another_profile}))
    found = rebuilt(publisher)
    assert found.same
    assert [(one.severity, one.what) for one in found.differences] == [
        (Severity.WARNING, "its VMM profile qemu-kvm-init2 differs from that of this version")
    ]


def test_all_releases_changed_afterwards_are_named(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    publisher.publish(small, now=NOW + 1)
    rows = sum(b'"digest"' in leaf for leaf in publisher.leaves())
    assert rebuilt(publisher).same
    path = publisher.log.root / "releases/1" / manifest.FIRMWARE
    data = path.read_bytes()
    path.unlink()  # which the next release also has
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (publisher.log.root / "releases/2" / manifest.NAME).unlink()
    found = rebuilt(publisher)
    assert [one.release for one in errors(found)] == [1, 2]
    assert sum(one.rows for one in errors(found)) == found.rows == rows
    for one, part in zip(errors(found), ("is not the file its manifest", "no catalog at"), strict=True):
        assert "cannot be recomputed: " in one.what
        assert part in one.what


def test_a_replaced_entry_is_found(publisher: Publisher, small: BuildResult) -> None:
    publisher.publish(small)
    (path,) = publisher.log.root.glob("tile/entries/000.p/*")
    first = parse_record(publisher.leaves()[0])
    digest = str(getattr(first, "launch_digest", "")).encode()
    path.write_bytes(path.read_bytes().replace(digest, digest[:-1] + (b"0" if digest[-1:] != b"0" else b"1")))
    found = rebuilt(publisher)
    assert {one.what for one in errors(found)} == {
        "the digest is wrong",
        "the entries of the log do not match its checkpoint: entry 0 of the log, in "
        f"tile/entries/000.p/{path.name}, does not match its tile, tile/0/000.p/{path.name}",
    }


@pytest.mark.parametrize(
    ("technology", "changes"),
    [
        ("sev-snp", {"sev_features": "0x01"}),
        ("sev-snp", {"sev_features": "0X1"}),
        ("sev-snp", {"sev_features": "one"}),
        ("sev-snp", {"sev_features": "0x1" + 16 * "0"}),
        ("sev-snp", {"sev_features": None}),
        ("sev-snp", {"vcpu_signature": "0xA00F11"}),
        ("sev-snp", {"vcpu_signature": "-0x1"}),
        ("sev-snp", {"vcpu_signature": ""}),
        ("sev-snp", {"vcpus": None}),
        ("sev-snp", {"vcpus": 0}),
        ("sev-snp", {"vcpus": 4097}),
        ("sev", {"vcpus": 1}),
        ("sev", {"vmm": "qemu-kvm-legacy"}),
        ("sev", {"sev_features": "0x0"}),
        ("sev", {"vcpu_signature": "0x00a00f11"}),
        ("sev", {"vmm": "qemu-kvm-legacy", "sev_features": "0x0", "vcpus": 1}),
    ],
)
def test_a_row_in_another_notation_is_found(
    publisher: Publisher, small: BuildResult, technology: str, changes: dict[str, object]
) -> None:
    publisher.publish(small)
    *rows, release = publisher.leaves()
    at = next(
        n
        for n, leaf in enumerate(rows)
        if f'"technology":"{technology}"'.encode() in leaf
        and (technology == "sev" or (b'"sev_features":"0x1"' in leaf and b'"vcpu_signature":"0x00a00f11"' in leaf))
    )
    rows[at] = canonical_json(json.loads(rows[at]) | changes)
    write_leaves(publisher, [*sorted(rows), release])
    found = errors(rebuilt(publisher))
    assert len(found) == 1
    assert found[0].rows == (3 if technology == "sev-snp" and "vcpus" in changes else 1)  # with the leaves next to them
    assert "cannot be recomputed" in found[0].what


def test_rows_out_of_order_are_refused(publisher: Publisher, small: BuildResult) -> None:
    publisher.publish(small)
    leaves = publisher.leaves()
    leaves[3], leaves[4] = leaves[4], leaves[3]
    write_leaves(publisher, leaves)
    with pytest.raises(MalformedRecord, match="are not sorted, unique"):
        rebuilt(publisher)
    assert encode_leaf(parse_row(leaves[3])) == leaves[3]
