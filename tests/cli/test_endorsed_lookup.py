"""`ldcat lookup` and `explain` in a catalog with endorsed digests: text, formats, --min-svn, and both paths."""

from __future__ import annotations

import json
import time
from html import unescape
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import UsageError
from catalog.fast import packed
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.records import RevokeRecord, Severity
from tests.support.catalogs import digest_of
from tests.support.cli import NOWHERE, Run
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.forged_catalogs import forged
from tests.support.hosts import static_host
from tests.support.published_logs import Place
from tests.support.vcpu_chains import ap_tail, extended

REPORTED, BASE = "77" * 48, "0b" * 48
RELATED = extended(bytes.fromhex(BASE), ap_tail("gce-v1"), 2).hex()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_CATALOG", "LDCAT_TRUST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def catalog(small: BuildResult, tmp_path: Path) -> BuildResult:
    """Has an endorsed, a reported and a base digest, and an endorsed one that is a row, too."""
    records = [
        endorsed(document_sha256=DOCUMENT_SHA256),
        listed(REPORTED, scheme="reported"),
        listed(BASE, claims={"vcpus": 2}),
        endorsed(digest_of(small), document_sha256=DOCUMENT_SHA256),
    ]
    return with_endorsed(small, tmp_path / "catalog", records)


def options(catalog: BuildResult) -> tuple[str, ...]:
    return ("--catalog", str(catalog.folder))


@pytest.mark.parametrize(
    ("digest", "code", "key"),
    [(SNP_DIGEST, 10, "endorsements"), (REPORTED, 1, "reported"), (RELATED, 1, "related"), (NOWHERE, 1, "")],
)
def test_each_kind_in_each_format(run: Run, catalog: BuildResult, digest: str, code: int, key: str) -> None:
    kinds = {"endorsements": "endorsed", "reported": "reported", "related": "related"}
    got, out, err = run("lookup", digest, *options(catalog))
    assert got == code
    assert out.startswith(f"{kinds[key]}  {digest[:16]}...  ") if key else out == ""
    assert ("no configuration of this catalog has" in err) == (key in ("related", ""))
    assert (" another number of vCPUs; tried: 4 published digests with " in err) == (key in ("reported", ""))
    got, out, _ = run("lookup", digest, *options(catalog), "-f", "json", "-q")
    record = json.loads(out)
    assert (got, record["found"]) == (code, False)
    assert [name for name in kinds if record[name]] == ([key] if key else [])
    got, out, _ = run("lookup", digest, *options(catalog), "-f", "jsonl", "-q")
    assert (got, [json.loads(line)["type"] for line in out.splitlines()]) == (code, [kinds[key]] if key else [])
    got, out, err = run("lookup", digest, *options(catalog), "-f", "csv", "-q")
    assert (got, out) == (code, "")
    assert err.startswith(f"ldcat: warning: {kinds[key]}  {digest[:16]}...") if key else err == ""


def test_the_fast_path_leaves_to_the_full_path_what_it_cannot_say(
    run: Run, catalog: BuildResult, small: BuildResult
) -> None:
    rows = {digest_of(catalog, technology) for technology in ("sev", "sev-es")}
    for digest in (*rows, "0" * 64):
        code, out, err = run("lookup", digest, *options(catalog))
        assert plain_lookup([digest, *options(catalog)]) == (out, err, code)
    for digest in (SNP_DIGEST, REPORTED, RELATED, NOWHERE, digest_of(small)):
        assert plain_lookup([digest, *options(catalog)]) is None
    assert plain_lookup([digest_of(small), *options(small)]) is not None


def test_a_sev_miss_is_answered_fast_only_if_nobody_endorses_sev_digests(
    run: Run, small: BuildResult, tmp_path: Path
) -> None:
    built = with_endorsed(small, tmp_path / "catalog", [listed("77" * 32, technology="sev")])
    code, _, err = run("lookup", "0" * 64, *options(built))
    assert (code, "none of its endorsers endorses this digest: a.example/list\n" in err) == (1, True)
    assert plain_lookup(["0" * 64, *options(built)]) is None
    assert run("lookup", "77" * 32, *options(built))[0] == 10


def test_damaged_and_large_files_are_left_to_the_full_path(
    run: Run, catalog: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = digest_of(catalog, "sev")
    assert plain_lookup([row, *options(catalog)]) is not None
    monkeypatch.setattr(packed, "ENDORSED_LIMIT", 10)
    assert plain_lookup([row, *options(catalog)]) is None
    monkeypatch.undo()
    path = catalog.folder / "endorsements/endorsed.jsonl"
    path.write_bytes(path.read_bytes().replace(b"a feed", b"b feed"))
    assert plain_lookup([row, *options(catalog)]) is None
    code, out, err = run("lookup", row, *options(catalog))
    assert (code, out, "is not the file its manifest names" in err) == (4, "", True)
    path.unlink()
    assert plain_lookup([row, *options(catalog)]) is None
    assert run("lookup", row, *options(catalog))[0] == 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('\n    "endorsements/endorsed', '\n     "endorsements/endorsed'),
        ("endorsements/endorsed", "endorsements\\/endorsed"),
        ("endorsements/endorsed", "endorsements/\\u0065ndorsed"),
        ('"endorsements/endorsed.jsonl": {', '"endorsements/endorsed.jsonl": {}, "endorsements/endorsed.jsonl": {'),
    ],
)
def test_a_manifest_hides_no_endorsed_digests_from_the_fast_path(
    run: Run, catalog: BuildResult, small: BuildResult, old: str, new: str
) -> None:
    digest, path = digest_of(small), catalog.folder / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace(old, new))
    assert path.read_text() != text
    assert plain_lookup([digest, *options(catalog)]) is None
    code, out, _ = run("lookup", digest, *options(catalog))
    assert code == 3 or "endorsed  " in out


def test_a_match_has_its_endorsement_below_it(run: Run, catalog: BuildResult, small: BuildResult) -> None:
    digest = digest_of(small)
    code, out, err = run("lookup", digest, *options(catalog))
    plain = plain_lookup([digest, *options(small)])
    assert plain
    assert (code, err, plain[0] in out) == (0, "", True)
    assert out.partition(plain[0])[2].startswith(f"endorsed  {digest[:16]}...  feed a feed, SVN 7")
    assert "CONTRADICTS the configuration: it is claimed that firmware_sha256 is f1f1" in out
    code, out, err = run("lookup", digest, *options(catalog), "-f", "csv")
    assert (code, len(out.splitlines())) == (0, len(plain[0].split("match ")))
    assert f"ldcat: warning: endorsed  {digest[:16]}..." in err


@pytest.mark.parametrize(("least", "code"), [("a feed=7", 10), ("a feed=0x8", 7)])
def test_min_svn(run: Run, catalog: BuildResult, least: str, code: int) -> None:
    got, out, err = run("lookup", SNP_DIGEST, *options(catalog), "--min-svn", least)
    assert (got, err) == (code, "")
    assert ("refused: this endorsement of the feed a feed has SVN 7, and 8 is the least" in out) == (code == 7)
    digest = digest_of(catalog)
    assert run("lookup", digest, *options(catalog), "--min-svn", least, "-q")[0] == (7 if code == 7 else 0)


def test_min_svn_of_a_feed_that_nothing_has(run: Run, catalog: BuildResult) -> None:
    code, out, err = run("lookup", SNP_DIGEST, *options(catalog), "--min-svn", "the feed=8")
    assert (code, out) == (2, "")
    assert err.startswith("ldcat: error: unknown feed of endorsements 'the feed'\nldcat: hint: nearest: a feed; ")


def test_warnings_of_csv_have_what_speaks_against_an_endorsement(run: Run, catalog: BuildResult) -> None:
    code, out, err = run("lookup", SNP_DIGEST, *options(catalog), "--min-svn", "a feed=8", "-f", "csv")
    assert (code, out) == (7, "")
    assert "ldcat: warning: refused: this endorsement of the feed a feed has SVN 7" in err


@pytest.mark.parametrize("text", ["a feed", "=7", "a feed=x", "a feed=-1", "a feed="])
def test_an_invalid_min_svn(run: Run, catalog: BuildResult, text: str) -> None:
    code, out, err = run("lookup", SNP_DIGEST, *options(catalog), "--min-svn", text)
    assert (code, out) == (2, "")
    assert err.startswith("ldcat: error: ")
    assert "x" in text or f"{text!r} is not FEED=N" in err


def test_explain_says_the_same_of_the_digest(run: Run, catalog: BuildResult, tmp_path: Path) -> None:
    for digest, key in ((SNP_DIGEST, "endorsements"), (REPORTED, "reported"), (RELATED, "related")):
        _, told, _ = run("lookup", digest, *options(catalog), "-q")
        code, out, _ = run("explain", digest, *options(catalog), "--budget", "0.001", "-q")
        first, _, rest = out.partition("\n")
        assert (code, first.partition(":")[0], rest.startswith(told)) == (1, "not explained", True)
        html = tmp_path / f"{key}.html"
        arguments = ("--budget", "0.001", "-q", "-f", "json", "--html", str(html))
        _, out, _ = run("explain", digest, *options(catalog), *arguments)
        assert told.splitlines()[0] in unescape(html.read_text())
        assert json.loads(out)[key]


def test_explain_says_who_endorses_the_digest_before_it_searches(
    run: Run, catalog: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise UsageError("the search begins")

    monkeypatch.setattr("catalog.cli.commands.explain.explain", stop)
    for digest, word in ((SNP_DIGEST, "endorsed"), (REPORTED, "reported")):
        code, out, err = run("explain", digest, *options(catalog))
        assert (code, out) == (2, "")
        first, *_, last, hint = err.splitlines()
        assert first.startswith(f"ldcat: note: {word} ")
        assert (last, hint) == ("ldcat: error: the search begins", "ldcat: hint: see ldcat explain --help")
        assert run("explain", digest, *options(catalog), "-q")[2] == f"{last}\n{hint}\n"


def test_an_explained_digest_has_a_known_configuration(run: Run, catalog: BuildResult) -> None:
    digest = digest_of(catalog)
    code, out, _ = run("explain", digest, *options(catalog), "-q")
    assert (code, "  configuration  explained below\n" in out, "unknown: no catalogued firmware" in out) == (
        0,
        True,
        False,
    )


def test_what_a_publisher_writes_is_printable(run: Run, small: BuildResult, tmp_path: Path) -> None:
    """A leaf is refused if it is not one line of printable characters, so that nothing in it controls a terminal."""
    built = with_endorsed(small, tmp_path / "catalog", [listed()])

    def hostile(path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(b"a.example/list", b"a.example/\\u001b["))

    false = forged(built, tmp_path / "false", {"endorsements/endorsed.jsonl": hostile})
    code, out, err = run("lookup", SNP_DIGEST, *options(false))
    assert (code, out) == (3, "")
    assert "\x1b" not in err


def revoke(severity: Severity, **selector: str | int | None) -> RevokeRecord:
    return RevokeRecord(type="revoke", selector=selector, severity=severity, reason="a reason")


def test_a_published_log_revokes_endorsements(
    run: Run, catalog: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000
    monkeypatch.setattr("time.time", lambda: now + 100.0)
    monkeypatch.setattr("catalog.fast.plain_lookup.time", lambda: now + 100.0)
    place = Place(tmp_path / "place", catalog, now)
    row = digest_of(catalog, "sev")
    for digest, code in ((SNP_DIGEST, 10), (REPORTED, 1), (row, 0)):
        assert run("lookup", digest, *place.options())[0] == code
    plain = plain_lookup([row, *place.options()])
    assert plain == (*run("lookup", row, *place.options())[1:], 0)
    assert plain_lookup([SNP_DIGEST, *place.options()]) is None
    for severity, code in (("deprecated", 10), ("revoked", 7), ("restored", 10)):
        place.publish(revoke(severity, launch_digest=SNP_DIGEST))  # type: ignore[arg-type]
        got, out, _ = run("lookup", SNP_DIGEST, *place.options())
        mark = {"revoked": "  DANGER: ", "deprecated": "  warning: "}.get(severity, "")
        said = f"{mark}{severity} by the publisher of this log: a reason" in out.splitlines()
        assert (got, said, out.startswith("DANGER: do not rely on this: endorsed")) == (code, bool(mark), code == 7)
        _, out, _ = run("lookup", SNP_DIGEST, *place.options(), "-f", "json")
        status = {"severity": severity, "reason": "a reason"}
        assert json.loads(out)["endorsements"][0]["revocation"] == (None if severity == "restored" else status)
    place.publish(revoke("revoked", launch_digest=BASE))
    _, out, _ = run("lookup", RELATED, *place.options())
    assert ", for 2 vCPUs (revoked by the publisher of the catalog: a reason)" in out


def test_a_proof_that_cannot_be_made(run: Run, catalog: BuildResult, tmp_path: Path) -> None:
    place = Place(tmp_path / "place", catalog, int(time.time()))
    code, out, err = run("prove", NOWHERE, "--catalog", str(place.log))
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"ldcat: note: no configuration of this catalog has the 48-byte launch digest {NOWHERE}",
        "ldcat: note: the log has no endorsement of it either",
        f"ldcat: note: to search further: ldcat explain {NOWHERE} --catalog {place.log} --trust NOTE",
    ]
    assert run("prove", SNP_DIGEST, "--catalog", str(place.log))[0] == 0


def test_a_catalog_on_a_host_has_its_endorsements(
    run: Run, catalog: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endorsed digests come with the pack of the release, once; a digest is neither sent nor needs a document."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place, site = Place(tmp_path / "place", catalog, int(time.time())), tmp_path / "site"
    assert run("site", str(place.log), "-o", str(site), "--trust", str(place.trust), "-q")[0] == 0
    with static_host(site) as host:
        arguments = ("--catalog", host.url.rstrip("/"), "--trust", str(place.trust), "-q")
        for digest, code, word in (
            (SNP_DIGEST, 10, "endorsed"),
            (REPORTED, 1, "reported"),
            (RELATED, 1, "related"),
            (digest_of(catalog), 0, "match"),
            (NOWHERE, 1, ""),
        ):
            got, out, err = run("lookup", digest, *arguments)
            assert (got, word in out, bool(out)) == (code, True, bool(word))
            assert ("says that no row has this digest: nothing proves it" in err) == (code == 1)
        fetched = [path for path, _ in host.requests]
        assert sum(path.startswith("pack/") for path in fetched) == 1
        assert not [path for path in fetched if path.endswith("endorsements/endorsed.jsonl")]
        assert not [path for path in fetched if DOCUMENT_SHA256 in path or SNP_DIGEST[:12] in path]
    text = json.loads((site / "page.json").read_text())["endorsed"]
    assert set(text) == {SNP_DIGEST, REPORTED, BASE, digest_of(catalog)}
