"""A lying publisher: signed release records that do not match the leaves are found by every tool."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

from catalog.abi.digest import LaunchDigest
from catalog.build.builder import BuildResult
from catalog.errors import UsageError
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.prove.prove import Prover
from catalog.publish.publish import publish
from catalog.sql.query import Views
from catalog.store.catalog import Catalog
from catalog.transparency.trust import read_trust
from catalog.values import replace
from tests.support.catalogs import digest_of, made
from tests.support.cli import Run
from tests.support.forged_releases import altered, altered_row, checkpoint_of, leaves_of, next_record, sign_release
from tests.support.hosts import serving
from tests.support.logs import LOG
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_note

TINY = """
name = "tiny"
firmware = { files = ["whole.fd"] }
kernel_hashes = { tables = ["none"] }
[technologies.sev]
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-3"]
"""
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


def reused(log: LogFolder, now: int, number: int) -> ReleaseRecord:
    """A record with the number of an older release, which claims that nothing was published since its predecessor."""
    record = next_record(log, now, ())
    checkpoint = checkpoint_of(log)
    spans = list(LogReader(log, checkpoint).spans())
    end = next((span.first for span in spans if span.record.release == number), 0)
    root = LogReader(log, checkpoint).root_at(end)
    return altered(record, release=number, previous_size=end, previous_root=root.hex())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog with few rows: lies are about records, and every tool reads all releases."""
    return made(tmp_path_factory.mktemp("tiny"), TINY)


@pytest.fixture(scope="module")
def three(tiny: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three releases; the second and the third revoke rows. Must not be changed."""
    place = Place(tmp_path_factory.mktemp("three"), tiny, 1_800_000_000)
    place.publish(REVOKE)
    place.publish(LATER)
    return place


@pytest.fixture(scope="module")
def views(tiny: BuildResult) -> Views:
    """Made once for all queries: what they read was verified before."""
    return Views.of(Catalog.open(tiny.folder))


@pytest.fixture
def revoked(
    three: Place, views: Views, tmp_path: Path, publication_day: None, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """The three releases, which may be changed, with commands run on the day of their publication."""
    monkeypatch.setattr(Views, "of", lambda _: views)
    return three.copied(tmp_path)


def remove_keys(folder: Path) -> None:
    """So that `tools` makes new ones."""
    for name in ("key", "key.pub"):
        (folder / name).unlink(missing_ok=True)


def tools(run: Run, place: Place, digest: str, tmp_path: Path, *, cosigns: bool = False) -> Iterator[tuple[str, int]]:
    """Each tool that verifies a log, with its exit code. cosigns: whether rebuild should cosign."""
    trust = ("--trust", str(place.trust))
    yield "lookup", run("lookup", digest, *place.options())[0]
    yield "sql", run("sql", "SELECT 1", *place.options())[0]
    with serving(place.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        yield "lookup at a host", run("lookup", digest, "--catalog", url, *trust)[0]
        yield "monitor", run("monitor", url, *trust)[0]
    assert run("keygen", "rebuilder.example", "--for", "witness", "-o", str(tmp_path / "key"))[0] == 0
    before = (place.log / "checkpoint").read_bytes()
    cosign = ("--cosign", "--key", str(tmp_path / "key"))
    yield "rebuild", run("rebuild", str(place.log), *trust, *cosign)[0]
    assert ((place.log / "checkpoint").read_bytes() == before) != cosigns
    code, out, _ = run("audit", str(place.log), *trust, "--remeasure", "0", "-f", "json")
    found = {finding["rule"] for finding in json.loads(out)["findings"] if finding["severity"] == "error"}
    yield "audit", FALSE if (code, "record" in found) == (1, True) else code
    code, out, _ = run("doctor", str(place.log), *trust, "-f", "json")
    subjects = {finding["subject"] for finding in json.loads(out)["findings"] if finding["severity"] == "error"}
    yield "doctor", FALSE if (code, "release record" in subjects) == (1, True) else code


@pytest.mark.parametrize("lie", LIES)
def test_a_false_release_record_is_refused_by_every_tool(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, lie: str
) -> None:
    log = LogFolder(revoked.log)
    record = LIES[lie](next_record(log, revoked.now + 1))
    sign_release(log, LOG, record, [REVOKE, LATER])
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    if lie == "a number left out":
        found.pop("lookup at a host")  # it does not read older releases
    assert found == dict.fromkeys(found, FALSE)


@pytest.mark.parametrize("lie", LISTS)
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
def test_a_revocation_that_is_in_the_log_cannot_be_hidden(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, lie: str, committed: bool
) -> None:
    """committed: the release record commits to the false list; otherwise, it commits to the true one."""
    log, listed = LogFolder(revoked.log), LISTS[lie]
    record, honest = next_record(log, revoked.now + 1, listed), next_record(log, revoked.now + 1)
    if not committed:
        record = altered(record, revocations_count=honest.revocations_count, revocations_chain=honest.revocations_chain)
    sign_release(log, LOG, record, listed)
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    assert found == dict.fromkeys(found, FALSE)


@pytest.mark.parametrize("number", [1, 2])
def test_a_revocation_cannot_be_hidden_behind_the_number_of_another_release(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, number: int
) -> None:
    """All that the record states about the log is true if releases in between are skipped."""
    log = LogFolder(revoked.log)
    shutil.rmtree(log.root / f"releases/{number}")
    sign_release(log, LOG, reused(log, revoked.now + 1, number), ())
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    assert found.pop("lookup at a host") in (0, FALSE)  # docs/adr/0016: there it is the word of the publisher
    assert found == dict.fromkeys(found, FALSE)
    revoked.publish()
    revoked.publish()
    revoked.publish()
    assert next_record(log, revoked.now).release == 6  # only an extra one, for clients of a host
    remove_keys(tmp_path)
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path, cosigns=True))
    assert {found[name] for name in ("lookup", "lookup at a host")} == {7}
    assert (log.root / "releases/3/revocations.json").read_bytes() != b"[]"  # the published log is unchanged


def test_a_revocation_among_rows_has_no_effect(run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path) -> None:
    """Otherwise, readers that start at the end of a release would disagree for good with readers of every leaf."""
    log = LogFolder(revoked.log)
    row = next(leaf for leaf in leaves_of(log) if b'"type":"digest"' in leaf)
    hidden = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="revoked", reason="among rows")
    other = encode_leaf(altered_row(row))
    sign_release(log, LOG, next_record(log, revoked.now + 1), [REVOKE, LATER], encode_leaf(hidden), other)
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    assert {found[name] for name in ("lookup", "lookup at a host", "monitor", "sql", "doctor")} == {0, 7}
    revoked.publish()
    assert run("lookup", digest_of(tiny), *revoked.options())[0] == 7


@pytest.mark.parametrize("ahead", [3600, 40_000])
def test_a_future_time_does_not_make_later_releases_false(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """Neither at once nor when that time has come."""
    log, now = LogFolder(revoked.log), revoked.now + 1
    sign_release(log, LOG, altered(next_record(log, now), time=now + ahead), [REVOKE, LATER])
    revoked.now = now + (3600 if ahead == 3600 else 0)
    monkeypatch.setattr("time.time", lambda: float(revoked.now + 50))
    revoked.publish()
    revoked.publish(RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="deprecated", reason="one"))
    for later in (60, ahead - 3500, ahead + 1):
        monkeypatch.setattr("time.time", lambda later=later: float(now + max(later, 3700 if ahead == 3600 else 0)))
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
        remove_keys(tmp_path)
        found = dict(tools(run, revoked, digest_of(tiny), tmp_path, cosigns=True))
        assert found == dict.fromkeys(found, 0) | {"lookup": 7, "lookup at a host": 7}


def test_a_seen_checkpoint_counts_without_its_revocation_list(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path
) -> None:
    """Like the state of ldcat 0.1.0, which has the checkpoint only."""
    log, digest = LogFolder(revoked.log), digest_of(tiny)
    with serving(revoked.log) as port:
        lookup = ("lookup", digest, "--catalog", f"http://127.0.0.1:{port}/logs", "--trust", str(revoked.trust))
        assert run(*lookup)[0] == 7
        (kept,) = (tmp_path / "state/ldcat/seen").glob("*.revocations")
        kept.unlink()
        for later in (1, 2):
            sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
        assert run(*lookup)[0] == FALSE


@pytest.mark.parametrize("form", ["indented", "twice"])
def test_a_list_has_exactly_one_encoding(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, form: str
) -> None:
    log = LogFolder(revoked.log)
    right = revocations_json([REVOKE, LATER])
    other = {
        "indented": json.dumps(json.loads(right), indent=1).encode(),
        "twice": right.replace(b'"severity":"revoked"', b'"severity":"deprecated","severity":"revoked"'),
    }[form]
    sha256 = hashlib.sha256(other).hexdigest()
    sign_release(log, LOG, altered(next_record(log, revoked.now + 1), revocations_sha256=sha256), [REVOKE, LATER])
    (log.root / "releases/4/revocations.json").write_bytes(other)
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    assert found == dict.fromkeys(found, FALSE)


def test_a_revocation_cannot_be_hidden_by_a_second_lie(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path
) -> None:
    """Two consecutive releases commit to an empty list: between the last two nothing contradicts."""
    log = LogFolder(revoked.log)
    for later in (1, 2):
        sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path))
    word = found.pop("lookup at a host")
    assert found == dict.fromkeys(found, FALSE)
    assert word == 0  # docs/adr/0016: a client that reads no older release relies on the publisher


def test_a_client_that_saw_a_revocation_refuses_a_list_without_it(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path
) -> None:
    digest, bundle = digest_of(tiny), tmp_path / "bundle"
    trust = ("--trust", str(revoked.trust))
    with serving(revoked.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        assert run("lookup", digest, "--catalog", url, *trust)[0] == 7
        log = LogFolder(revoked.log)
        for later in (1, 2):
            sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
        bundle.write_bytes(bytes(Prover(log).prove_digest(LaunchDigest.parse(digest), warn=pytest.fail)[0]))
        code, _, err = run("lookup", digest, "--catalog", url, *trust)
        assert code == FALSE
        assert "2 revocations of this log were seen before" in err
    code, out, _ = run("verify-proof", str(bundle), *trust, "-f", "json")
    assert (code, json.loads(out)["outcome"]) == (FALSE, "false-record")


@pytest.mark.parametrize("lie", LIES)
def test_an_honest_publisher_can_always_continue(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path, lie: str
) -> None:
    """Whatever was signed with a stolen key: the next release is correct, and every tool accepts it."""
    log = LogFolder(revoked.log)
    sign_release(log, LOG, LIES[lie](next_record(log, revoked.now + 1)), [REVOKE, LATER])
    revoked.publish()
    revoked.publish(RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="deprecated", reason="one"))
    found = dict(tools(run, revoked, digest_of(tiny), tmp_path, cosigns=True))
    assert found == dict.fromkeys(found, 0) | {"lookup": 7, "lookup at a host": 7}
    out = run("audit", str(revoked.log), "--trust", str(revoked.trust), "--remeasure", "0", "-f", "json")[1]
    findings = [one for one in json.loads(out)["findings"] if one["rule"] == "record"]
    assert {one["severity"] for one in findings} == {"warning"}  # a false record of the past is still reported


def test_publish_reports_false_records(run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path) -> None:
    log = LogFolder(revoked.log)
    sign_release(log, LOG, altered(next_record(log, revoked.now + 1), trust_version=64), [REVOKE, LATER])
    revoked.publish()
    note = replace(read_trust(revoked.trust.read_bytes()), version=3)
    with pytest.raises(UsageError, match="version 3 of the trust note is older than version 64") as caught:
        revoked.publish(trust=note)
    assert "--lower-trust-version" in str(caught.value.hint)
    arguments = (Catalog.open(tiny.folder), log, [LOG], LastCheckpoint(tmp_path / "publisher" / "signed.note"))
    published = publish(*arguments, trust=note, lower_trust_version=True, now=revoked.now + 1)
    assert (published.trust_version, published.false) == (3, ())
    sign_release(log, LOG, altered(next_record(log, revoked.now + 2), previous_root="11" * 32), [REVOKE, LATER])
    published = publish(*arguments, now=revoked.now + 3)
    assert published.false == ("release 6: its previous_root is not the root of the previous checkpoint",)
    with pytest.raises(UsageError, match="more than 64 versions after 3"):
        publish(*arguments, trust=replace(note, version=68), now=revoked.now + 4)


def test_logs_of_0_1_0_stay_verifiable(run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path) -> None:
    """Their releases have no commitment: the list is compared with the leaves, with a note."""
    log, digest = LogFolder(revoked.log), digest_of(tiny)
    old = {"revocations_count": UNSET, "revocations_chain": UNSET}
    shutil.rmtree(log.root)
    (tmp_path / "publisher" / "signed.note").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("catalog.publish.publish.ReleaseRecord", lambda **fields: ReleaseRecord(**(fields | old)))
        for revokes in ((), (REVOKE,), (LATER,)):
            revoked.publish(*revokes)
    found = dict(tools(run, revoked, digest, tmp_path, cosigns=True))
    assert found == dict.fromkeys(found, 0) | {"lookup": 7, "lookup at a host": 7}
    with serving(revoked.log) as port:
        arguments = ("lookup", digest, "--catalog", f"http://127.0.0.1:{port}/logs", "--trust", str(revoked.trust))
        assert "does not commit to its revocations" in run(*arguments)[2]
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bytes(Prover(log).prove_digest(LaunchDigest.parse(digest), warn=pytest.fail)[0]))
    code, out, _ = run("verify-proof", str(bundle), "--trust", str(revoked.trust), "-f", "json")
    texts = [note["text"] for note in json.loads(out)["notes"]]
    assert (code, sum("does not commit" in text for text in texts)) == (7, 1)
    said = run("verify-proof", str(bundle), "--trust", str(revoked.trust))
    assert "does not commit to its revocations" in f"{said}"
    assert "it commits to no revocations" in run("audit", str(log.root), "--trust", str(revoked.trust))[1]
    shutil.copytree(log.root, tmp_path / "copy")
    sign_release(log, LOG, altered(next_record(log, revoked.now + 1, ()), **old), ())
    remove_keys(tmp_path)
    found = dict(tools(run, revoked, digest, tmp_path))
    assert found == dict.fromkeys(found, FALSE)
    shutil.rmtree(log.root)
    shutil.copytree(tmp_path / "copy", log.root)
    revoked.publish(RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="deprecated", reason="one"))
    assert RevocationChain.committed(next_record(log, revoked.now)) is not None
    shutil.rmtree(tmp_path / "state")
    remove_keys(tmp_path)
    found = dict(tools(run, revoked, digest, tmp_path, cosigns=True))
    assert found == dict.fromkeys(found, 0) | {"lookup": 7, "lookup at a host": 7}


def test_a_policy_can_require_the_cosignature_of_a_rebuilder(
    run: Run, revoked: Place, tiny: BuildResult, tmp_path: Path
) -> None:
    """A lie that a new client would accept on the word of the publisher does not reach the quorum."""
    key, digest, log = tmp_path / "rebuilder", digest_of(tiny), LogFolder(revoked.log)
    made = run("keygen", "rebuilder.example", "--for", "witness", "-o", str(key), "--algorithm", "ed25519")[1]
    policy = f"log {LOG.key}\nwitness rebuilder {made.strip()}\nquorum rebuilder\n"
    revoked.trust.write_bytes(bytes(trust_note(policy)))
    rebuild = ("rebuild", str(log.root), "--trust", str(revoked.trust), "--cosign", "--key", str(key))
    with serving(revoked.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        lookup = ("lookup", digest, "--catalog", url, "--trust", str(revoked.trust))
        assert run(*lookup)[0] == 6
        assert run(*rebuild)[0] == 0
        assert run(*lookup)[0] == 7
        for later in (1, 2):
            sign_release(log, LOG, next_record(log, revoked.now + later, ()), ())
        shutil.rmtree(tmp_path / "state/ldcat/seen")  # like a client that sees the log for the first time
        assert run(*rebuild)[0] == FALSE
        assert run(*lookup)[0] == 6
