"""Endorsed digests in a log: appended once, after the rows and sorted; revocable; and leaves and file agree."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.audit.audit import AuditFinding, holds
from catalog.audit.audit_leaves import leaf_findings
from catalog.audit.audit_opening import open_for_audit
from catalog.build.builder import BuildResult
from catalog.errors import FalseRecord, MalformedRecord, UsageError
from catalog.log.leaf_search import endorsed_leaves
from catalog.log.leaf_texts import is_endorsed, is_row
from catalog.log.log_history import read_history
from catalog.log.log_reader import LogReader
from catalog.log.records import RevokeRecord, encode_leaf
from catalog.prove.prove import Prover
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.endorsements import endorsements_file
from catalog.verify.checked_endorsed import check_endorsed
from catalog.verify.location import parse_location
from catalog.verify.verify_release import unverified_release
from tests.support.catalogs import build
from tests.support.endorsed_digests import endorsed, listed, with_endorsed, write_import
from tests.support.forged_catalogs import forged
from tests.support.forged_releases import leaves_of, next_record, sign_release
from tests.support.logs import LOG, NOW
from tests.support.published_documents import DIGEST, OTHER, gce
from tests.support.published_logs import Publisher, rebuilt, revoke
from tests.support.samples import SMALL, write_inputs, write_spec

IMPORTS = '[imports]\nfiles = ["in/*.toml"]\nroots = ["in/root.pem"]\n'
LIST = (listed(DIGEST), listed(OTHER), listed(DIGEST, scheme="reported"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog with rows, and with two endorsed digests of one signed document."""
    folder = write_inputs(tmp_path_factory.mktemp("endorsed"))
    write_import(folder / "in", gce())
    return build(write_spec(folder, SMALL + IMPORTS), folder / "catalog")


@pytest.fixture
def signer_alone(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path, [LOG])


def with_list(built: BuildResult, folder: Path, *records: EndorsedRecord) -> BuildResult:
    """A catalog without documents, and these endorsed digests."""
    return forged(built, folder, with_endorsed(endorsements_file(records)))


def released(publisher: Publisher) -> Catalog:
    return Catalog.open_release(unverified_release(publisher.log, None))


def audited(publisher: Publisher) -> list[AuditFinding]:
    found: list[AuditFinding] = []
    opened = open_for_audit(parse_location(str(publisher.log.root)), None, found, now=NOW + 99)
    if opened.log and opened.catalog and opened.catalog.release:
        found += leaf_findings(opened.catalog.release, opened.catalog, opened.log)
    return [one for one in found if one.rule != "log"]


def test_they_come_after_the_rows_and_before_the_revocations(publisher: Publisher, built: BuildResult) -> None:
    published = publisher.publish(built, revoke("deprecated", vcpus=2))
    assert published.new_endorsed == 2
    places = [0 if is_row(leaf) else 1 if is_endorsed(leaf) else 2 for leaf in publisher.leaves()]
    assert places == sorted(places)
    assert places.count(1) == 2
    found = [leaf for leaf in publisher.leaves() if is_endorsed(leaf)]
    assert found == sorted(map(encode_leaf, Catalog.open(built.folder).endorsements.records))


def test_they_are_appended_once(publisher: Publisher, built: BuildResult, small: BuildResult, tmp_path: Path) -> None:
    publisher.publish(built)
    assert publisher.publish(built, now=NOW + 1).new_endorsed == 0
    publisher.publish(small, now=NOW + 2)
    assert publisher.publish(built, now=NOW + 3).new_endorsed == 0
    assert publisher.publish(with_list(small, tmp_path / "list", *LIST), now=NOW + 4).new_endorsed == 3
    assert sum(map(is_endorsed, publisher.leaves())) == 5


def test_a_log_with_them_is_rebuilt_and_audited(publisher: Publisher, built: BuildResult) -> None:
    publisher.publish(built)
    assert rebuilt(publisher).differences == ()
    assert holds(audited(publisher))
    check_endorsed(released(publisher), unverified_release(publisher.log, None))


def test_a_revocation_selects_rows_and_endorsed_digests_by_what_they_have(
    publisher: Publisher, built: BuildResult
) -> None:
    publisher.publish(built)
    assert publisher.publish(built, revoke("revoked", launch_digest=DIGEST), now=NOW + 1).selected == 1
    assert publisher.publish(built, revoke("deprecated", endorser_svn=3), now=NOW + 2).selected == 2
    found = released(publisher).endorsements
    assert {one.launch_digest: status.severity for one in found.records if (status := found.revocation(one))} == {
        DIGEST: "deprecated",
        OTHER: "deprecated",
    }
    rows = publisher.publish(built, revoke("revoked", kernel_hashes_sha256=None), now=NOW + 3).selected
    assert rows == sum(b'"kernel_hashes_sha256":null' in leaf for leaf in publisher.leaves() if is_row(leaf))
    with pytest.raises(UsageError, match="no row or endorsed digest with endorser_svn 4"):
        publisher.publish(built, revoke("revoked", endorser_svn=4), now=NOW + 4)
    publisher.publish(built, revoke("restored", endorser_feed=None), now=NOW + 4)
    with pytest.raises(UsageError, match="nothing with endorser_feed none is revoked"):
        publisher.publish(built, revoke("restored", "again", endorser_feed=None), now=NOW + 5)


def test_a_new_one_that_contradicts_a_live_one_is_refused_until_that_is_revoked(
    publisher: Publisher, small: BuildResult, tmp_path: Path
) -> None:
    one, other = listed(claims={"vcpus": 1}), listed(claims={"vcpus": 2})
    publisher.publish(with_list(small, tmp_path / "one", one))
    second = with_list(small, tmp_path / "other", other)
    with pytest.raises(UsageError, match="contradict each other in vcpus"):
        publisher.publish(second, now=NOW + 1)
    publisher.publish(small, revoke("revoked", launch_digest=one.launch_digest), now=NOW + 1)
    assert publisher.publish(second, now=NOW + 2).new_revoked == 1


def test_a_log_that_contradicts_itself_is_found(signer_alone: Publisher, small: BuildResult) -> None:
    publisher = signer_alone
    publisher.publish(small)
    leaves = sorted(encode_leaf(listed(claims={"vcpus": count})) for count in (1, 2))
    sign_release(publisher.log, LOG, next_record(publisher.log, NOW + 1), (), *leaves)
    with pytest.raises(MalformedRecord, match="contradict each other in vcpus"):
        read_history(publisher.log, publisher.checkpoint(), now=NOW + 2).check()


def test_a_file_with_a_line_that_is_no_leaf_is_found(
    signer_alone: Publisher, small: BuildResult, tmp_path: Path
) -> None:
    publisher = signer_alone
    publisher.publish(with_list(small, tmp_path / "one", LIST[0]))
    lie = with_list(small, tmp_path / "lie", *LIST)
    manifest = (lie.folder / "manifest.json").read_bytes()
    record = next_record(publisher.log, NOW + 1)
    record = msgspec.structs.replace(record, artifacts={"manifest.json": hashlib.sha256(manifest).hexdigest()})
    sign_release(publisher.log, LOG, record, ())
    shutil.rmtree(publisher.log.root / "releases/2/endorsements")
    shutil.copytree(lie.folder / "endorsements", publisher.log.root / "releases/2/endorsements")
    (publisher.log.root / "releases/2/manifest.json").unlink()
    (publisher.log.root / "releases/2/manifest.json").write_bytes(manifest)
    with pytest.raises(FalseRecord, match="has 2 endorsed digests that are not in the log"):
        check_endorsed(released(publisher), unverified_release(publisher.log, None))
    assert [(one.rule, one.evidence[:31]) for one in audited(publisher)] == [
        ("leaf", "2 of its lines are not leaves, ")
    ]


def test_a_leaf_that_the_catalog_lacks_is_found(signer_alone: Publisher, small: BuildResult) -> None:
    publisher = signer_alone
    publisher.publish(small)
    sign_release(publisher.log, LOG, next_record(publisher.log, NOW + 1), (), encode_leaf(LIST[0]))
    (difference,) = rebuilt(publisher).differences
    assert f"does not have the endorsed digest {DIGEST}" in difference.what
    assert not rebuilt(publisher).same
    assert [(one.rule, one.evidence[:32]) for one in audited(publisher)] == [
        ("leaf", "it lacks 1 endorsed digests of t")
    ]


@pytest.mark.parametrize("order", [(1, 0), (0, 0)])
def test_leaves_that_are_not_sorted_and_unique_are_refused_by_rebuilders(
    signer_alone: Publisher, small: BuildResult, order: tuple[int, int]
) -> None:
    publisher = signer_alone
    publisher.publish(small)
    leaves = sorted(map(encode_leaf, LIST))
    sign_release(publisher.log, LOG, next_record(publisher.log, NOW + 1), (), *(leaves[place] for place in order))
    with pytest.raises(MalformedRecord, match="the endorsed digests after 1 releases are not sorted, unique"):
        rebuilt(publisher)


def test_a_row_after_an_endorsed_digest_is_refused_by_rebuilders(signer_alone: Publisher, small: BuildResult) -> None:
    publisher = signer_alone
    publisher.publish(small)
    leaves = (encode_leaf(LIST[0]), leaves_of(publisher.log)[0])
    sign_release(publisher.log, LOG, next_record(publisher.log, NOW + 1), (), *leaves)
    with pytest.raises(MalformedRecord, match="the rows after 1 releases are not sorted"):
        rebuilt(publisher)


def test_a_revocation_before_an_endorsed_digest_does_not_count(signer_alone: Publisher, small: BuildResult) -> None:
    """As among rows: a reader that starts at the end of a release would not see it."""
    publisher = signer_alone
    publisher.publish(small)
    hidden = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="revoked", reason="hidden")
    record = next_record(publisher.log, NOW + 1)
    sign_release(publisher.log, LOG, record, (), encode_leaf(hidden), encode_leaf(LIST[0]))
    assert read_history(publisher.log, publisher.checkpoint(), now=NOW + 2).revokes == ()


def test_the_endorsed_digests_of_each_release_are_found(
    publisher: Publisher, small: BuildResult, tmp_path: Path
) -> None:
    publisher.publish(small)
    publisher.publish(with_list(small, tmp_path / "list", *LIST), now=NOW + 1)
    reader = LogReader(publisher.log, publisher.checkpoint())
    assert [list(endorsed_leaves(reader, span)) for span in reader.spans()] == [sorted(map(encode_leaf, LIST)), []]


def test_each_endorsement_of_a_digest_has_a_bundle(publisher: Publisher, small: BuildResult, tmp_path: Path) -> None:
    publisher.publish(small)
    publisher.publish(with_list(small, tmp_path / "list", *LIST), now=NOW + 1)
    bundles = Prover(publisher.log).prove_digest(LaunchDigest(bytes.fromhex(DIGEST)), warn=pytest.fail)
    assert [bundle.row.extra for bundle in bundles] == sorted(encode_leaf(one) for one in (LIST[0], LIST[2]))
    assert Prover(publisher.log).prove(encode_leaf(endorsed())) is None
