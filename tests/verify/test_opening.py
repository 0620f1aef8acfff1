"""The function that opens every catalog: what is verified, refused, remembered and reported, without a command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Stale, UsageError, VerificationFailed
from catalog.log.records import RevokeRecord
from catalog.state.folders import receipts
from catalog.store.catalog import Catalog
from catalog.verify.notices import Notices
from catalog.verify.opening import Freshness, open_catalog, open_unpublished
from catalog.verify.trust_choice import TrustChoice
from tests.support.published_logs import Place, cosigned_today

SKIP = TrustChoice(skip=True)


@dataclass
class Received:
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def notices(self) -> Notices:
        return Notices(self.warnings.append, self.notes.append)


@pytest.fixture
def place(small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return cosigned_today(tmp_path, small)


def opened(
    place: Place, trust: TrustChoice, received: Received, later: int = 10, freshness: Freshness = Freshness.NEWEST
) -> Catalog:
    return open_catalog(place.log, trust, freshness=freshness, now=place.now + later, notices=received.notices)


def test_a_named_and_a_configured_trust_note_both_verify_a_release(place: Place) -> None:
    note = "release 1 of example.com/log: verified against version 1 of the trust note"
    for trust in (TrustChoice(place.trust), TrustChoice(configured=place.trust)):
        received = Received()
        found = opened(place, trust, received)
        assert (received.notes, received.warnings) == ([note], [])
        assert found.release
        assert (found.release.trust_version, found.release.fresh_until) == (1, place.now + 86400)


def test_the_named_trust_note_takes_precedence_over_the_configured_one(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"nobody")
    assert opened(place, TrustChoice(place.trust, tmp_path / "other"), Received()).release


def test_a_release_without_a_trust_note_is_refused_or_opened_with_a_warning(place: Place) -> None:
    with pytest.raises(UsageError, match="no trust note is given"):
        opened(place, TrustChoice(), Received())
    received = Received()
    found = opened(place, TrustChoice(place.trust, skip=True), received)
    assert found.release
    assert found.release.trust_version == 0
    assert received.notes == []
    assert ["NOT VERIFIED" in text for text in received.warnings] == [True]


def test_an_old_release_is_opened_only_as_a_past_one(place: Place, small: BuildResult) -> None:
    assert opened(place, TrustChoice(place.trust), Received()).release
    with pytest.raises(Stale):
        opened(place, TrustChoice(place.trust), Received(), later=86_401)
    received = Received()
    past = opened(place, TrustChoice(place.trust), received, later=86_401, freshness=Freshness.PAST)
    assert past.release
    assert (past.release.fresh_until, len(received.notes)) == (0, 1)


def test_a_verification_is_remembered_until_the_release_is_stale(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = TrustChoice(place.trust)
    opened(place, trust, Received())
    monkeypatch.setattr("catalog.verify.verify_release.verify_release", None)
    assert opened(place, trust, Received(), later=86_399).release
    with pytest.raises(TypeError):  # it is verified again
        opened(place, trust, Received(), later=86_400)


def test_a_past_release_is_not_remembered_as_the_newest(place: Place, tmp_path: Path) -> None:
    opened(place, TrustChoice(place.trust), Received(), freshness=Freshness.PAST)
    assert not (tmp_path / "state").exists()


def test_an_own_catalog_is_opened_without_verification(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for choice in (TrustChoice(Path("trust")), SKIP):
        with pytest.raises(UsageError, match="there is nothing to verify"):
            open_catalog(small.folder, choice, now=0, notices=Received().notices)
    received, configured = Received(), TrustChoice(configured=Path("trust"))
    assert open_catalog(small.folder, TrustChoice(), now=0, notices=received.notices).release is None
    assert received == Received()
    open_catalog(small.folder, configured, now=0, notices=received.notices)
    assert received == Received([f"{small.folder} is not published in a log, and was not built here: NOT VERIFIED"])
    receipts().keep(Catalog.open(small.folder).manifest_sha256)
    received = Received()
    open_catalog(small.folder, configured, now=0, notices=received.notices)
    assert received == Received()


def test_a_folder_that_was_a_log_is_not_opened_as_an_own_catalog(place: Place) -> None:
    opened(place, TrustChoice(place.trust), Received())
    (place.log / "checkpoint").unlink()
    with pytest.raises(VerificationFailed, match="is not a log now, and was"):
        opened(place, TrustChoice(), Received())


def test_a_trust_note_inside_the_log_causes_a_warning(place: Place) -> None:
    inside = place.log / "trust.note"
    inside.write_bytes(place.trust.read_bytes())
    received = Received()
    opened(place, TrustChoice(inside), received)
    assert received.warnings == [
        f"{inside} is in the folder of the log: whoever can write there decides whom you trust"
    ]


def test_one_release_of_a_log_is_opened_by_its_folder(place: Place) -> None:
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
    first, received = place.log / "releases/1", Received()
    found = open_catalog(first, TrustChoice(place.trust), now=place.now + 10, notices=received.notices)
    assert found.release
    assert (found.release.number, found.release.last) == (1, 2)
    assert [one.reason for one in found.revocations] == ["r"]
    assert received.notes == [
        "release 1 of example.com/log, whose last one is release 2: verified against version 1 of the trust note"
    ]


def test_a_release_is_not_opened_to_be_published(place: Place, small: BuildResult) -> None:
    for folder in (place.log, place.log / "releases/1"):
        with pytest.raises(UsageError, match="is already published in a log"):
            open_unpublished(folder)
    assert open_unpublished(small.folder).release is None
