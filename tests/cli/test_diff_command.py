"""`ldcat diff`: as text and as JSON; for releases, with the history in their log."""

from __future__ import annotations

import csv
import json
import shutil
from io import StringIO
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.log.log_folder import CHECKPOINT, LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from catalog.transparency.trust import open_trust
from tests.support.catalogs import made
from tests.support.cli import Run
from tests.support.logs import LOG, signature, signed, signer
from tests.support.published_logs import Place
from tests.support.samples import SMALL


@pytest.fixture
def wider(tmp_path: Path) -> BuildResult:
    """A catalog with four vCPUs under SEV-ES, too."""
    return made(tmp_path / "wider", SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["1-4"]', 1))


def test_output_in_every_format(run: Run, small: BuildResult, wider: BuildResult) -> None:
    arguments = ("diff", str(small.folder), str(wider.folder))
    code, out, err = run(*arguments)
    assert (code, err) == (1, "")
    assert out.splitlines()[2:] == [
        "  + sev-es vCPU counts: 4",
        "rows  3 added, 0 withdrawn, 0 rule-changed, 72 unchanged",
        *(
            f"  + sev-es  {names}: {count} digest{'s' * (count > 1)}; only vCPU counts 4 are new"
            for names, count in (("bare.fd", 1), ("twin.fd, whole.fd", 2))
        ),
    ]
    found = json.loads(run(*arguments, "-f", "json")[1])
    assert (found["same"], found["counts"]["added"], len(found["rows"])) == (False, 3, 3)
    lines = [json.loads(line) for line in run(*arguments, "-f", "jsonl")[1].splitlines()]
    assert lines == found["rows"]
    assert {(row["change"], row["vcpus"], row["old_digest"], len(row["new_digest"])) for row in lines} == {
        ("added", 4, None, 64)
    }
    rows = list(csv.DictReader(StringIO(run(*arguments, "-f", "csv")[1])))
    assert [row["new_digest"] for row in rows] == [row["new_digest"] for row in lines]
    assert run("diff", str(small.folder), str(small.folder))[0] == 0
    assert json.loads(run("diff", str(small.folder), str(small.folder), "-f", "json")[1])["rows"] == []
    assert run("diff", str(small.folder), str(small.folder), "-f", "csv")[1].count("\n") == 1
    code, _, err = run("diff", str(small.folder), str(small.folder.parent / "nowhere"))
    assert (code, "no catalog at" in err) == (5, True)


def test_releases_of_one_log(run: Run, place: Place, small: BuildResult) -> None:
    before = place.log.with_name("before")
    shutil.copytree(place.log, before)
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
    trust = ("--trust", str(place.trust))
    code, out, err = run("diff", str(place.log / "releases/1"), str(place.log), *trust)
    assert code == 1
    assert out.splitlines()[2:] == [
        "log   one log that only grew: its checkpoint of 75 leaves contains both releases",
        "  + revocation vcpus 3: deprecated, r",
        "rows  0 added, 0 withdrawn, 0 rule-changed, 72 unchanged, 23 deprecated",
        "  x sev-es  bare.fd: 1 digest, deprecated",
        "  x sev-es  twin.fd, whole.fd: 2 digests, deprecated",
        "  x sev-snp  twin.fd, whole.fd: 20 digests, deprecated",
    ]
    out = run("diff", str(place.log / "releases/1"), str(place.log), *trust, "-f", "jsonl")[1]
    rows = [json.loads(line) for line in out.splitlines()]
    assert {(row["change"], row["vcpus"], row["old_digest"] == row["new_digest"]) for row in rows} == {
        ("deprecated", 3, True)
    }
    assert len(rows) == 23
    code, out, _ = run("diff", str(place.log), str(place.log / "releases/1"), *trust)
    assert (code, "  - revocation vcpus 3: deprecated, r\n" in out, ", 23 restored\n" in out) == (1, True, True)
    assert "release 1 of example.com/log, whose last one is release 2: verified against version 1" in err
    for _ in range(2):  # an older copy's is not a roll-back
        code, out, _ = run("diff", str(before), str(place.log), *trust)
        assert (code, "extends the old one: 73 of 75 leaves are the same" in out) == (1, True)
    assert run("diff", str(place.log), str(before), *trust)[:2] == (9, "")
    code, out, err = run("diff", str(place.log), str(before), "--insecure-skip-verify")
    assert (code, "the old one is later" in out, err.count("NOT VERIFIED")) == (1, True, 2)
    assert run("diff", str(place.log), str(place.log))[:2] == (2, "")
    for sides in ((small.folder, place.log / "releases/1"), (place.log, small.folder)):
        code, out, _ = run("diff", *map(str, sides), *trust, "-f", "json")
        found = json.loads(out)
        releases = [side["release"] and side["release"]["release"] for side in (found["old"], found["new"])]
        assert (found["counts"]["unchanged"], releases) == (72, [None, 1] if sides[0] == small.folder else [2, None])
    assert "nothing to verify" in run("diff", str(small.folder), str(small.folder), *trust)[2]


def test_a_fork_is_an_error(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    other = place.log.with_name("other")
    shutil.copytree(place.log, other)
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
    hidden = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="deprecated", reason="r")
    state, catalog = LastCheckpoint(tmp_path / "other.note"), Catalog.open(small.folder)
    publish(catalog, LogFolder(other), [LOG], state, revokes=[hidden], now=place.now)
    code, out, err = run("diff", str(other), str(place.log), "--trust", str(place.trust))
    assert (code, out) == (4, "")
    assert "a fork of example.com/log" in err
    assert "keep both folders" in err


def test_added_and_removed_keys(run: Run, place: Place) -> None:
    before = place.log.with_name("before")
    shutil.copytree(place.log, before)
    witness = signer("witness.example", SignatureType.COSIGNATURE_ML_DSA_44)
    checkpoint = place.log / CHECKPOINT
    note = Note.parse(checkpoint.read_bytes())
    unknown = "\N{EM DASH} somebody.example AAAAAAAA\n".encode()
    checkpoint.write_bytes(bytes(note.with_signatures([signature(witness, note.text)])) + unknown)
    head = place.trust.read_text().partition("\n\n")[0]
    policy = f"log {LOG.key}\nwitness w {witness.key}\nquorum none\n"
    place.trust.write_bytes(bytes(signed(f"{head}\n\n{policy}", signer("root.example"))))
    named = f"witness.example {witness.key.key_id.hex()}"
    arguments = ("diff", str(before), str(place.log))
    code, out, _ = run(*arguments, "--trust", str(place.trust))
    assert (code, out.splitlines()[3]) == (1, f"  + signing key {named}")
    assert "somebody" not in out
    code, out, _ = run("diff", str(place.log), str(before), "--trust", str(place.trust))  # not cosigned yet
    assert (code, "signing key" in out) == (0, False)
    assert "log   both are release 1 of one log, at the same checkpoint of 73 leaves\n" in out
    out = run(*arguments, "--insecure-skip-verify")[1]
    assert f"  + signing key {named}: NOT VERIFIED" in out.splitlines()
    assert "  + signing key somebody.example 00000000: NOT VERIFIED" in out.splitlines()


def test_a_new_trust_note_version_is_listed(run: Run, place: Place) -> None:
    place.publish(
        RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="r"),
        trust=open_trust(Note.parse(place.trust.read_bytes())),
    )
    out = run("diff", str(place.log / "releases/1"), str(place.log), "--trust", str(place.trust))[1]
    assert "  ~ trust note: none is now version 1" in out.splitlines()


def test_added_rows_that_are_already_revoked(run: Run, place: Place, wider: BuildResult) -> None:
    """A selector also applies to rows that are published later."""
    place.publish(RevokeRecord(type="revoke", selector={"technology": "sev-es"}, severity="revoked", reason="r"))
    after = Place(place.log.parent, wider, place.now)
    arguments = ("diff", str(after.log / "releases/1"), str(after.log), "--trust", str(after.trust))
    code, out, _ = run(*arguments)
    assert (code, "  x 3 of the added and rule-changed rows are revoked or deprecated already" in out) == (1, True)
    rows = [json.loads(line) for line in run(*arguments, "-f", "jsonl")[1].splitlines()]
    assert {(row["change"], row["vcpus"], row["revocation"]) for row in rows} == {
        ("added", 4, "revoked"),
        *(("revoked", vcpus, "revoked") for vcpus in (1, 2, 3)),
    }
    found = json.loads(run(*arguments, "-f", "json")[1])
    assert (found["born_revoked"], found["counts"]["added"], found["counts"]["revoked"]) == (3, 3, 9)
