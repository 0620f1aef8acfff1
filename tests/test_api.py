"""The Python API: the examples of docs/python.md run, and the same data is trusted as on the command line."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog import Release, verify_proof
from catalog.build.builder import BuildResult
from catalog.errors import MalformedInput, OlderThanSeen, Stale, Unreadable, UntrustedSigner, UsageError
from catalog.log.records import RevokeRecord
from tests.support.catalogs import PLACES, rows_of
from tests.support.endorsed_catalogs import with_endorsed
from tests.support.endorsed_digests import listed
from tests.support.hosts import at_once, serving
from tests.support.published_logs import Place
from tests.support.vcpu_chains import ap_tail, extended

ROOT = Path(__file__).parent.parent
REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


def digest_of(built: BuildResult, vcpus: int = 2) -> str:
    """The digest of one configuration, under SEV-SNP and with kernel hashes."""
    rows = rows_of(built).items()
    found = (
        digest
        for row, digest in rows
        if row[0] == "sev-snp" and row[PLACES["kernel_hashes_sha256"]] and row[-1] == vcpus
    )
    return min(found).hex()


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_run(
    place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.chdir(place.log.parent)
    Path("public").symlink_to(place.log)
    Path("trust.note").symlink_to(place.trust)
    Path("digests").symlink_to(small.folder)
    names: dict[str, Any] = {"DIGEST": digest_of(small)}
    exec(examples()[number], names)
    assert capsys.readouterr().out
    if "release" in names:
        names["release"].close()


def test_lookups_in_a_release(place: Place, small: BuildResult, caplog: pytest.LogCaptureFixture) -> None:
    with Release.open(place.log, place.trust) as release:
        assert (release.origin, release.number, release.verified) == ("example.com/log", 1, True)
        assert release.place == f"{place.log}/releases/1"
        digest = digest_of(small)
        (match,) = {match.technology for match in release.lookup(digest)}
        assert match == "sev-snp"
        assert [m.to_dict() for m in release.lookup(bytes.fromhex(digest))] == [
            m.to_dict() for m in release.lookup(f"0x{digest}")
        ]
        assert release.lookup("0" * 96) == ()
        for wrong in ("", "zz", "00", b"1"):
            with pytest.raises(MalformedInput):
                release.lookup(wrong)
    with Release.open(small.folder) as own:
        assert (own.origin, own.number, own.verified, own.fresh_until) == (None, None, False, None)
        assert own.lookup(digest)
        with pytest.raises(UsageError, match="not published in a log"):
            own.prove(digest)
    assert not caplog.records


def test_an_unverified_release_is_refused_or_warned_about(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no trust note is given"):
        Release.open(place.log)
    with pytest.raises(UsageError, match="the path is empty"):
        Release.open("")
    with pytest.raises(Unreadable, match="no catalog"):
        Release.open(tmp_path / "nowhere")
    with caplog.at_level(logging.WARNING, "ldcat"), Release.open(place.log, insecure_skip_verify=True) as release:
        assert not release.verified
    assert "NOT VERIFIED" in caplog.text
    old = (place.log / "checkpoint").read_bytes()
    place.publish(REVOKE)
    Release.open(place.log, place.trust).close()
    (place.log / "checkpoint").write_bytes(old)
    with pytest.raises(OlderThanSeen):
        Release.open(place.log, place.trust)
    (place.log / "checkpoint").write_bytes(old[: old.index("— ".encode())] + "— nobody.example AAAAAAAA\n".encode())
    with pytest.raises(UntrustedSigner):
        Release.open(place.log, place.trust)


def test_revoked_rows_are_marked_and_stale_releases_refused(
    place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(REVOKE)
    digest = digest_of(small, 3)
    with Release.open(place.log, place.trust) as release:
        assert {match.revocation for match in release.lookup(digest)} == {("revoked", "bad")}
        assert verify_proof(release.prove(digest)[0], place.trust).outcome == "revoked"
        until = release.fresh_until
        assert until is not None
        monkeypatch.setattr("time.time", lambda: until + 1.0)
        with pytest.raises(Stale, match="the release is stale"):
            release.lookup(digest)
        with pytest.raises(Stale):
            release.prove(digest)
        with pytest.raises(Stale):
            Release.open(place.log, place.trust)


def test_proofs(place: Place, small: BuildResult) -> None:
    with Release.open(place.log, place.trust) as release:
        bundles = release.prove(digest_of(small))
        assert release.prove("0" * 96) == ()
    verdicts = [verify_proof(bundle, place.trust, digest=digest_of(small)) for bundle in bundles]
    assert {verdict.outcome for verdict in verdicts} == {"match"}
    assert verify_proof(bundles[0], place.trust, digest="0" * 96).outcome == "unknown"
    assert verify_proof(b"{}", place.trust).outcome == "bad-proof"
    assert verify_proof(bundles[0][:-20], place.trust).outcome == "bad-proof"
    with pytest.raises(Unreadable):
        verify_proof(bundles[0], place.trust.with_name("nowhere"))


def test_a_hosted_release(place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serving(place.log) as port, Release.open(f"http://127.0.0.1:{port}/logs", place.trust) as release:
        assert release.place == f"http://127.0.0.1:{port}/logs/releases/1"
        assert release.lookup(digest_of(small))
        (bundle, *_) = release.prove(digest_of(small))
    assert verify_proof(bundle, place.trust).outcome == "match"


def test_concurrent_lookups(small: BuildResult) -> None:
    digest = digest_of(small)
    with Release.open(small.folder) as release:
        expected = [match.to_dict() for match in release.lookup(digest)]

        def ask() -> None:
            for _ in range(200):
                assert [match.to_dict() for match in release.lookup(digest)] == expected

        at_once(4, ask)


def test_a_lookup_loads_few_modules(small: BuildResult, place: Place) -> None:
    program = (
        "import sys; from catalog import Release; release = Release.open(sys.argv[1], *sys.argv[3:]); "
        "assert release.lookup(sys.argv[2]); "
        "print(sorted({'duckdb', 'pyarrow', 'typer', 'rich', 'jinja2'} & sys.modules.keys()))"
    )
    for arguments in ([str(small.folder)],):
        done = subprocess.run(
            [sys.executable, "-c", program, arguments[0], digest_of(small)], capture_output=True, text=True, cwd=ROOT
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")


def test_public_names_of_the_package() -> None:
    assert {name: getattr(catalog, name).__module__ for name in ("Release", "verify_proof")} == {
        "Release": "catalog.api",
        "verify_proof": "catalog.api",
    }
    assert sorted(catalog.__all__) == ["Release", "__version__", "verify_proof"]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        catalog.Nothing  # noqa: B018


def test_an_answer_has_what_a_lookup_leaves_out(small: BuildResult, tmp_path: Path) -> None:
    base = "0b" * 48
    digest = extended(bytes.fromhex(base), ap_tail("gce-v1"), 2)
    built = with_endorsed(small, tmp_path / "catalog", [listed(base, feed="a feed", svn=3)])
    with Release.open(built.folder) as release:
        assert release.lookup(base) == ()
        answer = release.answer(base)
        assert (answer.exit_code, [one.record.endorser.svn for one in answer.endorsements]) == (10, [3])
        assert release.answer(base, min_svn={"a feed": 4}).exit_code == 7
        assert release.answer(digest).to_dict()["related"] == []
        assert [one.more for one in release.answer(digest, related=True).related.relations] == [2]
        row = digest_of(small)
        assert release.answer(row).matches[0].row == release.lookup(row)[0].row
