"""`lookup`, `explain` and `sql` on a published release: verified once, said, and never believed in silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from catalog.faces.quick import plain_lookup
from catalog.query import verify_release
from catalog.query.store import Catalog
from catalog.release.build import Built
from catalog.release.log_folder import LastCheckpoint, LogFolder
from catalog.release.publish import publish
from catalog.release.records import RevokeRecord
from tests.faces.test_errors import NOWHERE, Run, run
from tests.faces.test_quick import digest_of
from tests.transparency.logs import signed, signer

__all__ = ["run"]

ORIGIN = "example.com/log"
LOG = signer(ORIGIN)


class Place:
    """A folder with a log and a trust note. now: when its last release was made."""

    def __init__(self, folder: Path, built: Built, now: int) -> None:
        self.log, self.trust, self.now = folder / "log", folder / "trust", now
        self._built, self._state = built, LastCheckpoint(folder / "signed.note")
        self.publish()
        root = signer("root.example")
        head = f"version 1\nexpires {now + 10**7}\nmax-age 86400\nthreshold 1\nroot a {root.key}\n\n"
        self.trust.write_bytes(bytes(signed(f"{head}log {LOG.key}\nquorum none\n", root)))

    def publish(self, *revokes: RevokeRecord) -> None:
        self.now += 1
        publish(
            Catalog.open(self._built.folder), LogFolder(self.log), [LOG], self._state, revokes=revokes, now=self.now
        )

    def asked(self) -> tuple[str, ...]:
        return ("--catalog", str(self.log), "--trust", str(self.trust))


@pytest.fixture
def place(small: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LDCAT_CATALOG", raising=False)
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0)
    monkeypatch.setattr("catalog.faces.quick.time", lambda: 1_800_000_100.0)
    return Place(tmp_path, small, 1_800_000_000)


SAID = "ldcat: note: release 1 of example.com/log: verified against version 1 of the trust note\n"


def test_it_is_verified_once_and_then_quickly(
    run: Run, place: Place, small: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_of(small)
    assert plain_lookup([digest, *place.asked()]) is None
    code, out, err = run("lookup", digest, *place.asked())
    assert (code, err) == (0, SAID)
    assert plain_lookup([digest, *place.asked()]) == (out, err, code)
    assert plain_lookup([digest, "-q", *place.asked()]) == (out, "", code)
    monkeypatch.setattr(verify_release, "verify_release", None)  # the whole way does not verify again either
    assert run("lookup", digest, *place.asked()) == (code, out, err)
    code, out, err = run("lookup", NOWHERE, *place.asked())
    assert code == 1
    assert plain_lookup([NOWHERE, *place.asked()]) == (out, err, code)
    assert err.startswith(SAID)


def test_the_trust_note_of_the_environment(
    run: Run, place: Place, small: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_TRUST", str(place.trust))
    digest = digest_of(small)
    found = run("lookup", digest, "--catalog", str(place.log))
    assert found[0] == 0
    assert plain_lookup([digest, "--catalog", str(place.log)]) == (found[1], found[2], 0)
    code, _, err = run("lookup", digest, "--catalog", str(small.folder))  # which it says nothing of
    assert (code, err) == (0, "")
    assert plain_lookup([digest, "--catalog", str(small.folder)]) is not None


def test_it_says_in_json_what_was_verified(run: Run, place: Place, small: Built) -> None:
    code, out, _ = run("lookup", digest_of(small), *place.asked(), "-f", "json")
    release = json.loads(out)["release"]
    assert (code, release["verified"], release["release"], release["trust_version"]) == (0, True, 1, 1)
    assert release["fresh_until"] == place.now + 86400


def test_what_is_revoked_is_found_with_a_code_of_its_own(run: Run, place: Place, small: Built) -> None:
    digest = digest_of(small)
    assert run("lookup", digest, *place.asked())[0] == 0
    place.publish(
        RevokeRecord(type="revoke", selector={"launch_digest": digest}, severity="revoked", reason="a key leaked")
    )
    assert plain_lookup([digest, *place.asked()]) is None
    code, out, _ = run("lookup", digest, *place.asked())
    assert code == 7
    assert "  ! revoked by its publisher: a key leaked\n" in out
    assert plain_lookup([digest, *place.asked()]) is None
    record = json.loads(run("lookup", digest, *place.asked(), "-f", "json")[1])
    assert record["matches"][0]["revocation"] == {"severity": "revoked", "reason": "a key leaked"}
    code, out, _ = run("explain", digest, *place.asked(), "-f", "json")
    assert code == 7
    assert json.loads(out)["explanations"][0]["revocation"]["reason"] == "a key leaked"
    code, out, err = run("sql", "SELECT severity, reason, selector FROM revocations", *place.asked(), "-f", "csv")
    assert (code, out.splitlines()[1]) == (0, f'revoked,a key leaked,"{{""launch_digest"":""{digest}""}}"')
    assert "warning: rows that the log revokes" in err


def test_nothing_is_believed_in_silence(run: Run, place: Place, small: Built) -> None:
    digest = digest_of(small)
    for folder in (place.log, place.log / "releases/1"):
        for command in (("lookup", digest), ("explain", digest), ("sql", "SELECT 1")):
            code, out, err = run(*command, "--catalog", str(folder))
            assert (code, out) == (2, "")
            assert "nothing says whom to trust" in err
            assert "--insecure-skip-verify" in err
        assert plain_lookup([digest, "--catalog", str(folder)]) is None
        code, out, err = run("lookup", digest, "--catalog", str(folder), "--insecure-skip-verify", "-q")
        assert code == 0
        assert "warning: release 1 of example.com/log: NOT VERIFIED" in err
    record = json.loads(run("lookup", digest, "--catalog", str(folder), "--insecure-skip-verify", "-f", "json")[1])
    assert (record["release"]["verified"], record["release"]["trust_version"]) == (False, None)


def test_what_is_not_published_is_not_verified_in_vain(run: Run, place: Place, small: Built) -> None:
    for option in (("--trust", str(place.trust)), ("--insecure-skip-verify",)):
        code, _, err = run("lookup", digest_of(small), "--catalog", str(small.folder), *option)
        assert code == 2
        assert "is not published in a log" in err


@pytest.mark.parametrize(
    ("damage", "code", "part"),
    [
        ("stale", 8, "nobody vouches for this checkpoint any more"),
        ("older", 9, "were seen before"),
        ("signer", 6, "none of the keys"),
        ("manifest", 4, "is not the one that release 1"),
        ("trust", 3, "a note is"),
        ("root", 6, "none of the keys"),
    ],
)
def test_each_refusal_is_one_of_its_own(
    run: Run, place: Place, small: Built, monkeypatch: pytest.MonkeyPatch, damage: str, code: int, part: str
) -> None:
    digest = digest_of(small)
    shutil.copytree(place.log, place.log.with_name("before"))
    if damage == "stale":
        assert run("lookup", digest, *place.asked())[0] == 0
        monkeypatch.setattr("time.time", lambda: place.now + 86401.0)
        monkeypatch.setattr("catalog.faces.quick.time", lambda: place.now + 86401.0)
    elif damage == "older":
        place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
        assert run("lookup", digest, *place.asked())[0] == 0
        shutil.rmtree(place.log)
        place.log.with_name("before").rename(place.log)
    elif damage == "signer":
        text = (place.log / "checkpoint").read_text().split("\n\n")[0] + "\n"
        (place.log / "checkpoint").write_bytes(bytes(signed(text, signer("example.com/other"))))
    elif damage == "manifest":
        path = place.log / "releases/1/manifest.json"
        path.write_bytes(path.read_bytes().replace(b'"name": "small"', b'"name": "smell"'))
    elif damage == "trust":
        place.trust.write_bytes(b"nobody")
    else:
        place.trust.write_bytes(bytes(signed(place.trust.read_text().split("\n\n\N{EM DASH}")[0] + "\n", signer("x"))))
    for command in (("lookup", digest), ("explain", digest)):
        assert plain_lookup([digest, *place.asked()]) is None
        found, out, err = run(*command, *place.asked())
        assert (found, out) == (code, "")
        assert part in err
