"""Endorsed digests in a diff: added, withdrawn, and revoked since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.diff.diff import Diff, diff
from catalog.diff.endorsement_changes import grouped
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.endorsements import endorsements_file
from catalog.verify.verify_release import unverified_release
from tests.support.cli import Run
from tests.support.endorsed_digests import SNP_DIGEST, listed, with_endorsed
from tests.support.forged_catalogs import forged
from tests.support.logs import NOW
from tests.support.published_logs import Publisher, revoke

FIRST = listed(feed="a", svn=1, claims={"vcpus": 2, "policy": "0x30000"})
SECOND, THIRD = listed(svn=2), listed(svn=3)
SUMMARY = f"{SNP_DIGEST} by https://a.example/list, feed a, SVN 1: vcpus 2, policy 0x30000"


def with_list(built: BuildResult, folder: Path, *records: EndorsedRecord) -> BuildResult:
    return forged(built, folder, with_endorsed(endorsements_file(records)))


def compared(old: Catalog, new: Catalog) -> Diff:
    with diff(old, new, lambda _: None) as (found, _):
        return found


@pytest.fixture
def both(small: BuildResult, tmp_path: Path) -> tuple[Path, Path]:
    old = with_list(small, tmp_path / "old", FIRST, SECOND)
    return old.folder, with_list(small, tmp_path / "new", SECOND, THIRD).folder


def test_what_was_added_and_withdrawn(both: tuple[Path, Path]) -> None:
    found = compared(*map(Catalog.open, both))
    assert [(one.change, one.record) for one in found.endorsements] == [("added", THIRD), ("withdrawn", FIRST)]
    assert not found.same
    assert found.components == []
    assert found.endorsements[1].summary() == SUMMARY


def test_nothing_differs_between_a_catalog_and_itself(both: tuple[Path, Path]) -> None:
    assert compared(Catalog.open(both[0]), Catalog.open(both[0])).same


def test_a_catalog_without_any_is_compared(small: BuildResult, both: tuple[Path, Path]) -> None:
    found = compared(Catalog.open(small.folder), Catalog.open(both[0]))
    assert [one.change for one in found.endorsements] == ["added", "added"]


def test_what_was_revoked_since(publisher: Publisher, small: BuildResult, tmp_path: Path) -> None:
    publisher.publish(with_list(small, tmp_path / "old", FIRST, SECOND))
    both = with_list(small, tmp_path / "new", FIRST, SECOND, THIRD)
    publisher.publish(both, revoke("revoked", endorser_svn=1), revoke("deprecated", endorser_svn=3), now=NOW + 1)
    publisher.publish(both, revoke("restored", endorser_svn=1), now=NOW + 2)
    old, new, newest = (Catalog.open_release(unverified_release(publisher.log, number)) for number in (1, 2, 3))
    found = compared(old, new).endorsements
    assert [(one.change, one.record, one.revocation) for one in found] == [
        ("added", THIRD, "deprecated"),
        ("revoked", FIRST, "revoked"),
    ]
    assert found[0].summary().endswith("SVN 3 (deprecated already)")
    assert [one.summary() for one in grouped(found)] == [
        "endorsed a.example/list, SVN 3: 5a5a5a5a5a5a5a5a..., deprecated already",
        "endorsed a, SVN 1: 5a5a5a5a5a5a5a5a..., 2 vCPUs, revoked",
    ]
    (restored,) = compared(new, newest).endorsements
    assert (restored.change, restored.record, restored.revocation) == ("restored", FIRST, None)


def test_digests_are_grouped_by_endorser_feed_and_svn(small: BuildResult, tmp_path: Path) -> None:
    gce = [listed(f"{n:096x}", feed="GCE", svn=2, claims={"vcpus": n}) for n in (112, 16, 1, 2, 17)]
    others = [
        listed(feed="GCE", svn=3),
        listed("77" * 48, feed="GCE", svn=3),
        listed(id="https://b.example/c/d"),
        listed("66" * 48, id="https://b.example/c/d/e", scheme="reported"),
        listed("77" * 48, id="https://b.example/c/d", claims={"vcpus": 1}),
    ]
    new = Catalog.open(with_list(small, tmp_path / "new", *gce, *others).folder)
    for old_new, change in (
        ((Catalog.open(small.folder), new), "added"),
        ((new, Catalog.open(small.folder)), "withdrawn"),
    ):
        found = compared(*old_new).endorsements
        assert [(one.change, one.summary()) for one in grouped(found)] == [
            (change, "endorsed GCE, SVN 2: 5 digests, 1-2, 16-17, 112 vCPUs"),
            (change, "endorsed GCE, SVN 3: 2 digests"),
            (change, "endorsed b.example/c/d: 2 digests, 1 vCPU"),
            (change, "reported b.example/c/d: 6666666666666666..."),
        ]
        assert [one.vcpus for one in found][:5] == [1, 2, 16, 17, 112]


def test_the_command_shows_them_in_every_form(run: Run, both: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, _ = run("diff", *map(str, both), "--html", str(page))
    assert code == 1
    assert "  + endorsed a.example/list, SVN 3: 5a5a5a5a5a5a5a5a...\n" in out
    assert "  - endorsed a, SVN 1: 5a5a5a5a5a5a5a5a..., 2 vCPUs\n" in out
    assert "<h2>Endorsed digests</h2>" in page.read_text()
    assert SNP_DIGEST in page.read_text()
    assert SUMMARY in page.read_text()
    _, out, _ = run("diff", *map(str, both), "-f", "json")
    added, withdrawn = json.loads(out)["endorsements"]
    assert (added["change"], added["endorser"]["svn"]) == ("added", 3)
    assert (withdrawn["change"], withdrawn["claims"]) == ("withdrawn", {"vcpus": 2, "policy": "0x30000"})
