"""Endorsed digests as a user has them: import, build, publish, look up, prove, revoke, compare, audit, follow."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.imports.dates import day
from catalog.publish.key_files import new_key, write_keys
from catalog.transparency.keys import SignatureType
from tests.support.cli import Run
from tests.support.endorsed_digests import import_list
from tests.support.hosts import serving
from tests.support.published_documents import DIGEST, FEED, OTHER, did, pem, root, uvm
from tests.support.samples import ONE_ROW, write_spec
from tests.support.trust_notes import trust_note

ORIGIN = "example.com/digests"
IMPORTS = '[imports]\nfiles = ["imports/*.toml"]\nroots = ["root.pem"]\n'


class Place:
    """A folder of a publisher, and commands in it."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self.folder = run, folder
        pair = new_key(ORIGIN, SignatureType.ED25519)
        write_keys(folder / "key", [pair], None)
        policy, expires = f"log {pair.key}\nquorum none\n", int(time.time()) + 9999
        (folder / "trust").write_bytes(bytes(trust_note(policy, expires=expires, max_age=9999)))
        (folder / "root.pem").write_bytes(pem(root()))
        (folder / "uvm.cose").write_bytes(uvm())
        self.log, self.trust = folder / "log", ("--trust", str(folder / "trust"))
        self._signed = ("--log", str(self.log), "--key", str(folder / "key"))

    def __call__(self, command: str, *arguments: str | Path, code: int = 0) -> str:
        found, out, err = self._run(command, *map(str, arguments))
        assert found == code, (command, out, err)
        return out if code in (0, 1, 7, 10) else err

    def json(self, command: str, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self(command, *arguments, "-f", "json", code=code))
        return made

    def build(self, name: str, code: int = 0) -> str:
        return self("build", self.folder / "spec.toml", "--output", self.folder / name, code=code)

    def publish(self, name: str) -> dict[str, Any]:
        return self.json("publish", self.folder / name, *self._signed)

    def revoke(self, *options: str) -> dict[str, Any]:
        return self.json("revoke", *self._signed, "--severity", "revoked", "--reason", "old", *options)

    def lookup(self, digest: str, *more: str, code: int) -> dict[str, Any]:
        return self.json("lookup", digest, "--catalog", self.log, *self.trust, *more, code=code)

    def prove(self, digest: str) -> list[Path]:
        """The bundles of a digest, a file each."""
        paths = []
        for number, line in enumerate(self("prove", digest, "--catalog", self.log).splitlines()):
            paths.append(self.folder / f"{digest[:8]}.{number}")
            paths[-1].write_text(line)
        return paths

    def verify(self, proof: Path, code: int) -> dict[str, Any]:
        return self.json("verify-proof", proof, *self.trust, "--report", DIGEST, code=code)

    def outcome(self, proof: Path) -> tuple[int, str, str]:
        """Exit code, outcome and endorser of a proof."""
        code, out, _ = self._run("verify-proof", str(proof), *self.trust, "-f", "json")
        verdict = json.loads(out)
        return code, verdict["outcome"], verdict["row"]["endorser"]["id"]


@pytest.fixture
def place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two releases: one of a row, one of the same row and three endorsements of two digests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Place(run, tmp_path)
    write_spec(tmp_path, ONE_ROW)
    made.build("first")
    made.publish("first")
    made("import", tmp_path / "uvm.cose", "--root", tmp_path / "root.pem", "-o", tmp_path / "imports")
    (tmp_path / "imports/list.toml").write_text(import_list(DIGEST, OTHER))
    write_spec(tmp_path, ONE_ROW + IMPORTS)
    made.build("second")
    assert made.publish("second")["new_endorsed"] == 3
    return made


def test_from_a_document_to_a_revoked_endorsement(place: Place) -> None:
    found = place.lookup(DIGEST, code=10)
    assert {one["endorser"]["id"] for one in found["endorsements"]} == {did(), "https://a.example/list"}
    assert {one["checked"] for one in found["endorsements"]} == {"signature", "none"}
    place("lookup", DIGEST, "--catalog", place.log, *place.trust, code=10)  # remembered now: the fast path leaves it

    proofs = place.prove(DIGEST)
    assert len(proofs) == 2
    proven = [place.verify(proof, code=10)["row"] for proof in proofs]
    assert {row["endorser"]["id"] for row in proven} == {did(), "https://a.example/list"}
    shown = [place("verify-proof", proof, *place.trust, code=10) for proof in proofs]
    assert sum("endorser.svn" in text for text in shown) == 1
    assert "{" not in "".join(shown)
    times = [row[name] for row in proven for name in ("document_time", "certificate_until") if row[name] is not None]
    assert len(times) >= 2
    for seconds in times:
        assert (f"  {day(seconds)}\n" in "".join(shown), str(seconds) in "".join(shown)) == (True, False)
    other = place.prove(OTHER)[0]
    assert place.verify(other, code=1)["outcome"] == "unknown"

    assert place.revoke("--endorser", did(), "--endorser-feed", FEED, "--endorser-svn", "100")["rows"] == 1
    found = place.lookup(DIGEST, code=10)
    assert {one["endorser"]["id"]: one["revocation"] for one in found["endorsements"]} == {
        did(): {"severity": "revoked", "reason": "old"},
        "https://a.example/list": None,
    }
    outcomes = [place.outcome(proof) for proof in place.prove(DIGEST)]
    assert sorted(outcomes) == [(7, "revoked", did()), (10, "endorsed", "https://a.example/list")]
    assert place.revoke("--digest", DIGEST)["rows"] == 2
    assert place.lookup(DIGEST, code=7)["found"] is False
    assert place.lookup(OTHER, code=10)["found"] is False


def test_diff_audit_rebuild_and_sql(place: Place) -> None:
    releases = [place.log / f"releases/{number}" for number in (1, 2)]
    changed = place.json("diff", *releases, *place.trust, code=1)["endorsements"]
    assert [one["change"] for one in changed] == ["added"] * 3
    findings = place.json("audit", place.log, *place.trust)["findings"]
    assert [(one["severity"], one["rule"]) for one in findings if one["rule"] == "endorsed"] == [
        ("note", "endorsed")  # the root of the tests does not ship with ldcat
    ]
    rebuilt = place.json("rebuild", place.log, *place.trust)
    assert (rebuilt["same"], rebuilt["rows"], rebuilt["endorsed"]) == (True, 1, 3)
    assert "endorsed digests follow from nothing" in place("rebuild", place.log, *place.trust)
    query = "SELECT checked FROM endorsements WHERE launch_digest = '0x{}' ORDER BY ALL"
    out = place("sql", query.format(DIGEST.upper()), "--catalog", place.log, *place.trust, "--format", "csv")
    assert out.split() == ["checked", "none", "signature"]


@pytest.fixture
def url(place: Place) -> Iterator[str]:
    with serving(place.log) as port:
        yield f"http://127.0.0.1:{port}/logs"


def test_from_a_host(place: Place, url: str) -> None:
    assert place.json("monitor", url, *place.trust)["change"] == "first"
    found = place.json("lookup", DIGEST, "--catalog", url, *place.trust, code=10)
    assert len(found["endorsements"]) == 2
    assert len(place("prove", DIGEST, "--catalog", url).splitlines()) == 2
    shutil.rmtree(place.folder / "imports")
    write_spec(place.folder, ONE_ROW)
    place.build("third")
    place.publish("third")
    since = place.json("monitor", url, *place.trust)["endorsements"]
    assert (since["added"], len(since["withdrawn"])) == ([], 3)


def test_a_changed_byte_of_the_document_is_refused_everywhere(place: Place, run: Run) -> None:
    name = hashlib.sha256((place.folder / "uvm.cose").read_bytes()).hexdigest()
    for path, command in (
        (place.folder / "imports/documents" / name, ("build", str(place.folder / "spec.toml"), "--output", "x")),
        (place.folder / "second/endorsements" / name, ("audit", str(place.folder / "second"))),
        (place.log / "releases/2/endorsements" / name, ("audit", str(place.log), *place.trust)),
    ):
        right = path.read_bytes()
        path.write_bytes(right[:99] + bytes([right[99] ^ 1]) + right[100:])
        code, out, err = run(*command)
        assert code in (1, 3, 4), (command, out, err)
        path.write_bytes(right)


def test_a_changed_byte_of_the_list_is_refused_everywhere(place: Place, run: Run) -> None:
    for folder, commands in (
        (
            place.folder / "second",
            [
                ("lookup", DIGEST, "--catalog", str(place.folder / "second")),
                ("audit", str(place.folder / "second")),
                ("publish", str(place.folder / "second"), "--log", str(place.log), "--key", str(place.folder / "key")),
                ("sql", "FROM endorsements", "--catalog", str(place.folder / "second")),
                ("diff", str(place.folder / "first"), str(place.folder / "second")),
            ],
        ),
        (
            place.log / "releases/2",
            [
                ("lookup", DIGEST, "--catalog", str(place.log), *place.trust),
                ("audit", str(place.log), *place.trust),
                ("prove", DIGEST, "--catalog", str(place.log)),
                ("rebuild", str(place.log), *place.trust),
            ],
        ),
    ):
        path = folder / "endorsements/endorsed.jsonl"
        right = path.read_bytes()
        path.write_bytes(right.replace(b'"svn":100', b'"svn":101'))
        for command in commands:
            code, out, err = run(*command)
            assert code in (1, 4), (command, out, err)
        path.write_bytes(right)
