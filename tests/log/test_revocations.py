"""Revocations: the newest one that selects a row counts, each one changes something, and none contradicts the log."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.build.builder import BuildResult
from catalog.errors import FalseRecord, MalformedRecord, Unreadable, UsageError
from catalog.log.log_history import read_history
from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf, parse_record, parse_row
from catalog.log.revocation_text import MAX_REASON, Value
from catalog.log.revocations import Revocations, new_revocation
from catalog.publish.publish import Published, publish
from catalog.rows.digest_record import DigestRecord
from catalog.store import manifest
from catalog.store.catalog import Catalog
from tests.support.forged_catalogs import SEV, forged, one_digest
from tests.support.kills import killed_at
from tests.support.logs import NOW, SIGNERS, MemoryLog
from tests.support.published_logs import Publisher
from tests.support.records import RELEASE, leaves_of

WRONG = {"launch_digest": bytes(32).hex()}
"""The digest that `one_digest` writes into a catalog."""


def revoke(severity: Any, **selector: Value) -> RevokeRecord:
    return RevokeRecord(type="revoke", selector=selector, severity=severity, reason=f"is {severity}")


def revoked(by: Publisher, built: BuildResult, now: int, severity: Any, **selector: Value) -> Published:
    record = revoke(severity, **selector)
    return publish(Catalog.open(built.folder), by.log, SIGNERS, by.state, revokes=[record], unchanged=True, now=now)


ROW = DigestRecord(
    type="digest",
    launch_digest="aa",
    technology="sev-snp",
    firmware_sha256="bb",
    kernel_hashes_sha256=None,
    vmm="v",
    vcpus=2,
    vcpu_signature="0x1",
    sev_features="0x1",
)
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "launch_digest": st.sampled_from(["aa", "ab"]),
        "kernel_hashes_sha256": st.sampled_from([None, "cc"]),
        "vcpus": st.sampled_from([2, 3, "2", None]),
    },
).filter(bool)


@given(st.lists(st.tuples(SELECTORS, st.sampled_from(["revoked", "deprecated", "restored"]))))
def test_the_newest_revocation_that_selects_a_row_counts(revocations: list[tuple[dict[str, Value], Any]]) -> None:
    records = [revoke(severity, **selector) for selector, severity in revocations]
    expected = None
    for record in records:
        if all(getattr(ROW, name) == value for name, value in record.selector.items()):
            expected = None if record.severity == "restored" else record
            assert record.selects(ROW)
    assert Revocations(records).status(ROW) == expected


def test_no_selector_has_what_is_not_known_of_a_row_that_follows_from_a_base() -> None:
    """Null of its kernel hashes does not say that none were measured."""
    follows = msgspec.structs.replace(ROW, firmware_sha256=None, base_digest="dd")
    record = revoke("revoked", kernel_hashes_sha256=None)
    assert record.selects(ROW)
    assert Revocations([record]).status(ROW) == record
    assert not record.selects(follows)
    assert Revocations([record]).status(follows) is None
    assert revoke("revoked", base_digest="dd", vcpus=2).selects(follows)


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "bell\a", "\udce9", "\u202e", "x" * (MAX_REASON + 1)])
def test_invalid_reasons_are_refused(reason: str) -> None:
    with pytest.raises(UsageError, match="the reason is not one line"):
        new_revocation({"vcpus": 1}, "revoked", reason)
    assert new_revocation({"vcpus": 1}, "revoked", "x" * MAX_REASON).reason


def test_revocations_are_releases_of_the_same_catalog_and_keep_their_order(
    publisher: Publisher, small: BuildResult
) -> None:
    first = publisher.publish(small)
    snp = sum(b'"sev-snp"' in leaf for leaf in leaves_of(small))
    assert revoked(publisher, small, NOW + 1, "revoked", technology="sev-snp", vcpus=3).selected == snp // 3
    assert revoked(publisher, small, NOW + 2, "deprecated", technology="sev-snp").selected == snp
    last = revoked(publisher, small, NOW + 3, "restored", vcpus=3)
    assert (last.release, last.new_rows, last.checkpoint.size) == (4, 0, first.checkpoint.size + 6)
    records = [parse_record(leaf) for leaf in publisher.leaves()[first.checkpoint.size :]]
    assert [record.type for record in records] == ["revoke", "release"] * 3
    assert {record.artifacts[manifest.NAME] for record in records if isinstance(record, ReleaseRecord)} == {
        hashlib.sha256(small.manifest.to_json()).hexdigest()
    }
    listed = json.loads((publisher.log.root / "releases/4/revocations.json").read_bytes())
    assert [entry["severity"] for entry in listed] == ["revoked", "deprecated", "restored"]
    assert publisher.publish(small, now=NOW + 4).release == 4


@pytest.mark.parametrize(
    ("severity", "selector", "message"),
    [
        ("revoked", {"vcpus": 9}, "no row or endorsed digest with vcpus 9"),
        ("revoked", {"technology": "sev", "vcpus": 1}, "no row or endorsed digest with technology sev, vcpus 1"),
        ("deprecated", {"launch_digest": "ff" * 48}, "no row"),
        ("restored", {"vmm": "nobody"}, "no row"),
        ("restored", {"technology": "sev"}, "is revoked or deprecated"),
    ],
)
def test_a_revocation_without_effect_is_refused(
    publisher: Publisher, small: BuildResult, severity: str, selector: dict[str, Value], message: str
) -> None:
    before = publisher.publish(small).checkpoint
    with pytest.raises(UsageError, match=message):
        revoked(publisher, small, NOW + 1, severity, **selector)
    assert publisher.checkpoint() == before


def test_a_revocation_of_another_catalog_is_refused(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    with pytest.raises(UsageError, match="another release"):
        revoked(publisher, small, NOW, "revoked", technology="sev")
    publisher.publish(small)
    with pytest.raises(UsageError, match="another release"):
        revoked(publisher, fewer, NOW, "revoked", technology="sev")


def test_an_interrupted_revocation_is_not_appended_twice(
    publisher: Publisher, small: BuildResult, writes: list[int]
) -> None:
    """An interrupted run that has already signed is completed by the same command."""
    publisher.publish(small)
    writes[0] = 10**6
    revoked(publisher, small, NOW + 1, "revoked", technology="sev")
    used = 10**6 - writes[0]
    writes[0] = used - 1
    with pytest.raises(Unreadable):
        revoked(publisher, small, NOW + 2, "restored", technology="sev")
    assert len(publisher.leaves()) == publisher.checkpoint().size
    writes[0] = 10**6
    again = revoked(publisher, small, NOW + 3, "restored", technology="sev")
    assert again.release == 3
    assert [b'"revoke"' in leaf for leaf in publisher.leaves()].count(True) == 2


def test_a_wrong_digest_cannot_be_restored_beside_the_right_one(
    publisher: Publisher, small: BuildResult, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wrong = forged(small, tmp_path_factory.mktemp("forged") / "catalog", {SEV: one_digest})
    publisher.publish(wrong)
    revoked(publisher, wrong, NOW + 1, "revoked", **WRONG)
    right = publisher.publish(small, now=NOW + 2)
    assert (right.new_rows, right.new_revoked) == (1, 0)
    before = publisher.checkpoint()
    with pytest.raises(UsageError, match="two launch digests"):
        revoked(publisher, small, NOW + 3, "restored", **WRONG)
    assert publisher.checkpoint() == before
    digest = parse_row(publisher.leaves()[right.checkpoint.size - 2]).launch_digest
    revoked(publisher, small, NOW + 3, "revoked", launch_digest=digest)
    assert revoked(publisher, small, NOW + 4, "restored", **WRONG).selected == 1


def test_new_rows_that_are_already_revoked_are_counted(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    firmware = parse_row(leaves_of(fewer)[0]).firmware_sha256
    revoked(publisher, fewer, NOW + 1, "revoked", firmware_sha256=firmware)
    published = publisher.publish(small, now=NOW + 2)
    expected = sum(firmware.encode() in leaf for leaf in set(leaves_of(small)) - set(leaves_of(fewer)))
    assert 0 < published.new_revoked == expected < published.new_rows


def test_only_revocations_directly_before_their_release_record_count() -> None:
    row, record, release = encode_leaf(ROW), encode_leaf(revoke("revoked", vcpus=2)), encode_leaf(RELEASE)
    good, bad = MemoryLog(), MemoryLog()
    good.append([row, record, release])
    bad.append([record, row, release])
    assert [found.severity for found in read_history(good, good.checkpoint(), now=NOW).revokes] == ["revoked"]
    history = read_history(bad, bad.checkpoint(), now=NOW)
    assert history.revokes == ()
    bad.append([row])
    with pytest.raises(FalseRecord, match="is not a release record"):
        read_history(bad, bad.checkpoint(), now=NOW)


def test_contradicting_rows_are_reported_until_one_is_revoked() -> None:
    other = msgspec.structs.replace(ROW, launch_digest="ab")
    log = MemoryLog()
    log.append([encode_leaf(ROW), encode_leaf(other), encode_leaf(RELEASE)])
    with pytest.raises(MalformedRecord, match="two launch digests, aa and ab, of technology sev-snp"):
        read_history(log, log.checkpoint(), now=NOW).check()
    with pytest.raises(UsageError, match="two launch digests"):
        read_history(log, log.checkpoint(), [revoke("deprecated", launch_digest="ab")], now=NOW).check()
    history = read_history(log, log.checkpoint(), [revoke("revoked", launch_digest="ab")], now=NOW)
    history.check()
    assert history.selected == [{None: 1}]


@pytest.mark.durable
def test_a_revocation_killed_at_any_time(publisher: Publisher, small: BuildResult) -> None:
    """kill -9: a published checkpoint has all that its release record names, in the order of the commands."""
    publisher.publish(small)
    counts = list[int]()
    for number in count():
        severity = ("revoked", "deprecated")[number % 2]
        work = partial(revoked, publisher, small, NOW + number, severity, technology="sev-snp", vcpus=1 + number % 3)
        killed = killed_at(number * 23, work)
        history = read_history(publisher.log, publisher.checkpoint(), now=NOW + 99)
        assert history.release is not None
        listed = (publisher.log.root / f"releases/{history.release.release}/revocations.json").read_bytes()
        assert hashlib.sha256(listed).hexdigest() == history.release.revocations_sha256
        assert [entry["reason"] for entry in json.loads(listed)] == [record.reason for record in history.revokes]
        counts.append(len(history.revokes))
        if not killed:
            break
    assert number > 10
    assert counts[0] == 0 < counts[-1] < number  # some were killed before they published, and some after
    revoked(publisher, small, NOW + 99, "revoked", technology="sev")
    Catalog.open(publisher.log.root / "releases/2").verify()
