"""What a signed release says follows from its leaves: a publisher who signs a lie is found out by every tool."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.query.prove import Prover
from catalog.release.build import Built
from catalog.release.log_folder import LogFolder
from catalog.release.records import ReleaseRecord, RevokeRecord
from tests.faces.test_doctor_command import serving
from tests.faces.test_errors import Run, run
from tests.faces.test_published_lookup import LOG, Place, place
from tests.faces.test_quick import digest_of
from tests.release.lying_records import altered, next_record, sign_release

__all__ = ["place", "run"]

FALSE = 11
REVOKE = RevokeRecord(type="revoke", selector={"technology": "sev-snp"}, severity="revoked", reason="a leak")
LATER = RevokeRecord(type="revoke", selector={"technology": "sev"}, severity="deprecated", reason="old")

Lie = Callable[[ReleaseRecord], ReleaseRecord]

LIES: dict[str, Lie] = {
    "the root before": lambda record: altered(record, previous_root="11" * 32),
    "no root before": lambda record: altered(record, previous_root=""),
    "the size before": lambda record: altered(record, previous_size=record.previous_size - 1),
    "no size before": lambda record: altered(record, previous_size=0, previous_root="00" * 32),
    "a time in 2100": lambda record: altered(record, time=4_102_444_800),
    "no time": lambda record: altered(record, time=0),
    "a time before": lambda record: altered(record, time=record.time - 10),
    "trust version 999": lambda record: altered(record, trust_version=999),
    "fewer revocations": lambda record: altered(record, revocations_count=0),
    "another chain": lambda record: altered(record, revocations_chain="22" * 32),
    "a number left out": lambda record: altered(record, release=record.release + 1),
}
LISTS: dict[str, tuple[RevokeRecord, ...]] = {
    "an empty list": (),
    "the last one left out": (REVOKE,),
    "the first one left out": (LATER,),
    "another order": (LATER, REVOKE),
}


@pytest.fixture
def revoked(place: Place) -> Place:
    """Three releases, of which the second and the third revoke something."""
    place.publish(REVOKE)
    place.publish(LATER)
    return place


def tools(run: Run, place: Place, digest: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Each tool that verifies a log, and its exit code."""
    trust = ("--trust", str(place.trust))
    yield "lookup", run("lookup", digest, *place.asked())[0]
    yield "sql", run("sql", "SELECT 1", *place.asked())[0]
    with serving(place.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        yield "lookup at a host", run("lookup", digest, "--catalog", url, *trust)[0]
        yield "monitor", run("monitor", url, *trust)[0]
    assert run("keygen", "rebuilder.example", "--for", "witness", "-o", str(tmp_path / "key"))[0] == 0
    before = (place.log / "checkpoint").read_bytes()
    cosign = ("--cosign", "--key", str(tmp_path / "key"))
    yield "rebuild", run("rebuild", "--log", str(place.log), *trust, *cosign)[0]
    assert (place.log / "checkpoint").read_bytes() == before, "rebuild cosigned it"
    code, out, _ = run("audit", str(place.log), *trust, "--remeasure", "0", "-f", "json")
    found = {finding["rule"] for finding in json.loads(out)["findings"] if finding["severity"] == "error"}
    yield "audit", FALSE if (code, "record" in found) == (1, True) else code
    code, out, _ = run("doctor", "--log", str(place.log), *trust, "-f", "json")
    subjects = {finding["subject"] for finding in json.loads(out)["findings"] if finding["severity"] == "error"}
    yield "doctor", FALSE if (code, "release record" in subjects) == (1, True) else code


@pytest.mark.parametrize("lie", LIES)
def test_a_false_release_record_is_refused_by_every_tool(
    run: Run, revoked: Place, small: Built, tmp_path: Path, lie: str
) -> None:
    log = LogFolder(revoked.log)
    record = LIES[lie](next_record(log, revoked.now + 1))
    sign_release(log, LOG, record, [REVOKE, LATER])
    found = dict(tools(run, revoked, digest_of(small), tmp_path))
    assert found == dict.fromkeys(found, FALSE)


@pytest.mark.parametrize("lie", LISTS)
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
def test_a_revocation_that_is_in_the_log_cannot_be_hidden(
    run: Run, revoked: Place, small: Built, tmp_path: Path, lie: str, committed: bool
) -> None:
    """committed: the release record commits to the false list; else to the true one, and names the false one."""
    log, listed = LogFolder(revoked.log), LISTS[lie]
    record, honest = next_record(log, revoked.now + 1, listed), next_record(log, revoked.now + 1)
    if not committed:
        record = altered(record, revocations_count=honest.revocations_count, revocations_chain=honest.revocations_chain)
    sign_release(log, LOG, record, listed)
    found = dict(tools(run, revoked, digest_of(small), tmp_path))
    assert found == dict.fromkeys(found, FALSE)


def test_a_revocation_cannot_be_hidden_by_a_second_lie(run: Run, revoked: Place, small: Built, tmp_path: Path) -> None:
    """Two releases in a row commit to an empty list: from the last to the one before nothing is wrong."""
    log = LogFolder(revoked.log)
    for later in (1, 2):
        sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
    found = dict(tools(run, revoked, digest_of(small), tmp_path))
    word = found.pop("lookup at a host")
    assert found == dict.fromkeys(found, FALSE)
    assert word == 0  # docs/adr/0016: a client that reads no older release has this on the word of the publisher


def test_whoever_saw_a_revocation_refuses_a_list_without_it(
    run: Run, revoked: Place, small: Built, tmp_path: Path
) -> None:
    digest, bundle = digest_of(small), tmp_path / "bundle"
    asked = ("--trust", str(revoked.trust))
    with serving(revoked.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        assert run("lookup", digest, "--catalog", url, *asked)[0] == 7
        log = LogFolder(revoked.log)
        for later in (1, 2):
            sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
        bundle.write_bytes(bytes(Prover(log).prove_digest(LaunchDigest.parse(digest), warn=pytest.fail)[0]))
        code, _, err = run("lookup", digest, "--catalog", url, *asked)
        assert code == FALSE
        assert "2 revocations of this log were seen before" in err
    code, out, _ = run("verify-proof", str(bundle), *asked, "-f", "json")
    assert (code, json.loads(out)["outcome"]) == (FALSE, "false-record")
