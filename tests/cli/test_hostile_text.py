"""Text from a release is data: one hostile text in every field, through every command and every output.

The release comes from a lying publisher. Output for people shows the text escaped, without control characters,
bidirectional overrides or forged lines; output for programs has it unchanged.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.fast.match_text import printable
from catalog.fast.plain_lookup import plain_lookup
from catalog.log import records
from catalog.log.records import RevokeRecord
from catalog.net import static_host
from catalog.sql.query import Views
from catalog.store.catalog import Catalog
from tests.support.cli import Run
from tests.support.hostile import (
    HOSTILE,
    NAME,
    NO_NUL,
    REASON,
    UNSEEN,
    LyingPlace,
    check_shown,
    liars_catalog,
    texts_of,
)
from tests.support.hosts import serving

SAID = printable(HOSTILE)


@pytest.fixture(scope="module")
def lies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog by itself."""
    return liars_catalog(tmp_path_factory.mktemp("lies"))


@pytest.fixture(scope="module")
def views(lies: Path) -> Views:
    """Its views, made once for all queries."""
    return Views.of(Catalog.open(lies))


@pytest.fixture(scope="module")
def lying(lies: Path, tmp_path_factory: pytest.TempPathFactory) -> LyingPlace:
    """The catalog, published in a log that revokes some of its rows."""
    place = LyingPlace(tmp_path_factory.mktemp("lying"), lies)
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason=REASON))
    return place


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(static_host, "_PAUSES", ())
    return tmp_path


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def terminal(request: pytest.FixtureRequest, run: Run, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether stdout is a terminal: one without colours, so that ldcat writes no escape sequences."""
    if request.param:
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: self is sys.stdout)
    return bool(request.param)


def digest_in(catalog: Path, technology: str = "sev-snp", vcpus: int | None = 2) -> str:
    """The digest of a row of the image with hostile names."""
    rows = pq.read_table(catalog / technology / "launch_digests.parquet").to_pylist()
    images = pq.read_table(catalog / "components/firmware.parquet").to_pylist()
    (image,) = [row["sha256"] for row in images if row["name"] == HOSTILE]
    return str(
        next(
            row["launch_digest"].hex()
            for row in rows
            if row["firmware_sha256"] == image and row["vcpus"] == vcpus and row["kernel_hashes_sha256"]
        )
    )


def queries() -> list[tuple[str, ...]]:
    """Commands that query a catalog; {catalog} is replaced by its location."""
    options = ("--catalog", "{catalog}")
    tables = ("firmware", "launchable", "kernel_hashes", "configurations")
    return [
        ("lookup", "{digest}", *options),
        ("explain", "{digest}", *options, "-q", "--budget", "0.001"),
        *(("sql", f"SELECT * FROM {name} LIMIT 3", *options) for name in tables),
        ("sql", "PIVOT launchable ON reason USING count(*)", *options),
        ("sql", "SELECT [name], {'a': name} FROM firmware", *options),
        ("inspect", HOSTILE, *options),
        ("measure", HOSTILE, "-t", "sev", *options, "-q"),
        (
            "measure",
            HOSTILE,
            "-t",
            "sev-snp",
            "--vmm",
            "ec2-2026",
            "--vcpu-type",
            "EPYC-Milan",
            "--vcpus",
            "1-2",
            *options,
        ),
        ("diff", "{small}", "{catalog}", "-q"),
        ("audit", "{catalog}", "--firmware", "{image}", "-q"),
        ("report", "{catalog}", "--html", "{html}"),
    ]


FORMATS = {
    "lookup": ("table", "json", "jsonl", "csv"),
    "explain": ("table", "json"),
    "sql": ("table", "json", "jsonl", "csv"),
    "inspect": ("table", "json", "jsonl", "toml"),
    "measure": ("table", "hex", "json", "jsonl", "csv"),
    "diff": ("table", "json", "jsonl", "csv"),
    "audit": ("table", "json", "jsonl", "sarif"),
}
"""Output formats of the commands that have several."""

FOR_PROGRAMS = {"csv", "toml"}
"""Formats that have texts unchanged in a pipe."""


def outputs(arguments: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for output in FORMATS.get(arguments[0], ()):
        yield output, (*arguments, "-f", output)
    if arguments[0] not in FORMATS:
        yield "table", arguments


def check(output: str, out: str, err: str, terminal: bool) -> list[Any]:
    """Checks that output for people is escaped and output for programs is complete; returns the JSON values in it."""
    check_shown(err)
    if terminal or output not in FOR_PROGRAMS:
        check_shown(out)
    if output in ("json", "sarif"):
        return [json.loads(out)]
    return [json.loads(line) for line in out.splitlines()] if output == "jsonl" else []


def unbroken(out: str) -> str:
    """Text with the lines joined that a terminal of 80 columns would break in the middle of a word."""
    return re.sub(r"\n {8,}", " ", out)


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query[0]} {query[1][:20]!a}")
def test_text_of_a_catalog_is_data_in_every_output(
    run: Run,
    small: BuildResult,
    lies: Path,
    views: Views,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    query: tuple[str, ...],
) -> None:
    """Each of these commands prints the hostile text in some form."""
    monkeypatch.setattr(Views, "of", lambda _: views)
    known = {"catalog": str(lies), "digest": digest_in(lies), "small": str(small.folder), "html": str(home / "page")}
    known["image"] = str(lies.parent / "whole.fd")
    for name, value in known.items():
        query = tuple(part.replace(f"{{{name}}}", value) for part in query)
    for output, arguments in outputs(query):
        code, out, err = run(*arguments)
        assert code in (0, 1), err
        values = check(output, out, err, terminal)
        if values and output != "sarif" and query[0] in ("lookup", "sql", "inspect") and "PIVOT" not in query[1]:
            assert {HOSTILE, NO_NUL} & {text for value in values for text in texts_of(value)}
        if output == "csv" and not terminal and (query[0] == "lookup" or query[1].startswith("SELECT *")):
            rows = csv.reader(io.StringIO(out, newline=""))
            assert any(HOSTILE in cell or NO_NUL in cell for row in rows for cell in row)
        if output == "table" and query[0] in ("lookup", "explain", "inspect"):
            assert SAID in unbroken(out)


def test_text_of_a_log_is_data_in_every_output(run: Run, lying: LyingPlace, home: Path, terminal: bool) -> None:
    trust = ("--trust", str(lying.trust))
    proof = home / "bundle"
    digest, revoked = digest_in(lying.catalog), digest_in(lying.catalog, vcpus=3)
    code, out, err = run("prove", revoked, "--catalog", str(lying.log))
    assert code == 0
    check("json", out, err, terminal)
    proof.write_text(out)
    with serving(lying.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        for formats, expected, arguments in (
            (("table", "json", "jsonl", "csv"), 0, ("lookup", digest, *lying.options())),
            (("table", "json", "jsonl", "csv"), 7, ("lookup", revoked, *lying.options())),
            (("table", "json"), 7, ("explain", revoked, *lying.options(), "-q", "--budget", "0.001")),
            (("table", "json", "csv"), 0, ("sql", "FROM revocations", *lying.options())),
            (("table", "json"), 0, ("inspect", HOSTILE, *lying.options())),
            (("table", "json"), 1, ("diff", f"{lying.log}/releases/1", str(lying.log), *trust)),
            (("table", "json", "sarif"), None, ("audit", str(lying.log), *trust, "--remeasure", "1", "-q")),
            (("table", "json"), None, ("rebuild", str(lying.log), *trust, "-q")),
            (("table", "json"), None, ("doctor", str(lying.log), *trust)),
            (("table", "json"), None, ("monitor", url, *trust)),
            (("table", "json"), None, ("trust", "show", str(lying.trust))),
            (("table", "json"), 7, ("verify-proof", str(proof), *trust)),
            (("table", "json"), None, ("witness", "ask", "--log", str(lying.log), *trust)),
            (("table",), 0, ("report", str(lying.log), *trust, "--html", str(home / "page.html"))),
            (("table",), 0, ("site", str(lying.log), "-o", str(home / "site"), *trust, "-q")),
        ):
            for output in formats:
                found, out, err = run(*arguments, *(("-f", output) if len(formats) > 1 else ()))
                assert expected in (None, found), (arguments, err)
                assert "internal error" not in err
                check(output, out, err, terminal)
                if arguments[0] in ("monitor", "doctor", "trust", "verify-proof") and output == "json":
                    assert any(NAME in text for text in texts_of(json.loads(out)))
                if output == "table" and expected == 7 and arguments[0] != "verify-proof":
                    assert printable(REASON) in unbroken(out)


def test_the_fast_path_prints_the_same_as_the_full_path(run: Run, lying: LyingPlace, home: Path) -> None:
    digest = digest_in(lying.catalog)
    code, out, err = run("lookup", digest, *lying.options())
    assert code == 0
    catalog = run("lookup", digest, "--catalog", str(lying.catalog))
    quick = plain_lookup([digest, "--catalog", str(lying.catalog)])
    assert quick is not None
    assert (quick[2], quick[0], quick[1]) == catalog
    for text in (*quick[:2], out, err):
        check_shown(text)
    assert SAID in quick[0]


def test_the_script_of_a_shown_proof_runs_no_other_command(run: Run, lying: LyingPlace, home: Path) -> None:
    _, out, _ = run("prove", digest_in(lying.catalog), "--catalog", str(lying.log))
    (home / "bundle").write_text(out)
    code, script, err = run("verify-proof", str(home / "bundle"), "--trust", str(lying.trust), "--show")
    assert code == 0, err
    assert script.isascii()
    check_shown(script)
    for shell in ("sh", "bash"):
        done = subprocess.run(
            [shell],
            input=script,
            cwd=home,
            capture_output=True,
            text=True,
            env={"TMPDIR": str(home), "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr
    assert not list(home.rglob("pwned"))


class Read(HTMLParser):
    """An HTML page as a browser reads it. tags: how often each occurs. text: includes the values of attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.text += "".join(value or "" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_of_a_release_is_data_in_every_page_and_picture(
    run: Run, small: BuildResult, lying: LyingPlace, home: Path
) -> None:
    trust, pages = ("--trust", str(lying.trust)), home / "site"
    assert run("site", str(lying.log), "-o", str(pages), *trust, "-q")[0] == 0
    made = home / "made.html"
    texts = [path.read_text("utf-8") for path in pages.rglob("*.html")]
    for arguments in (
        ("report", str(lying.log), *trust),
        ("report", str(lying.catalog)),
        ("diff", str(small.folder), str(lying.catalog), "-q"),
        ("diff", f"{lying.log}/releases/1", str(lying.log), *trust),
        ("explain", digest_in(lying.catalog), *lying.options(), "-q", "--budget", "0.001"),
    ):
        assert run(*arguments, "--html", str(made))[0] in (0, 1)
        texts.append(made.read_text("utf-8"))
    shown = [text for text in texts if SAID[:20] in Read(text).text]
    assert len(shown) > 5
    for text in texts:
        page = Read(text)
        assert not set(page.text) & (UNSEEN - {"\n"})
        assert not set(text) & (UNSEEN - {"\n"})
        assert not [line for line in text.split("\n") if line.startswith("FORGED")]
        assert "img" not in page.tags
        for at in range(page.tags.get("svg", 0)):
            picture = "<svg" + text.split("<svg")[at + 1].partition("</svg>")[0] + "</svg>"
            assert not set("".join(ElementTree.fromstring(picture).itertext())) & (UNSEEN - {"\n"})


def test_a_reason_that_revoke_refuses_is_refused_by_every_reader(
    run: Run, lies: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lying publisher's log may have it all the same."""
    record = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad\x1b[2J\n\u202eFORGED")
    place = LyingPlace(home, lies)
    trust, log = ("--trust", str(place.trust)), ("--log", str(place.log))
    with serving(place.log) as port:
        assert run("monitor", f"http://127.0.0.1:{port}/logs", *trust)[0] == 0
        with monkeypatch.context() as patch:
            patch.setattr(records, "check_revocation", lambda *_: None)
            place.publish(record)
        for arguments in (
            ("lookup", digest_in(lies), *place.options()),
            ("diff", f"{place.log}/releases/1", str(place.log), *trust),
            ("rebuild", *log, *trust),
            ("prove", digest_in(lies), *log),
            ("monitor", f"http://127.0.0.1:{port}/logs", *trust),
            ("report", str(place.log), *trust, "--html", str(home / "page.html")),
            ("site", str(place.log), "-o", str(home / "site"), *trust),
            ("audit", str(place.log), *trust),
        ):
            code, out, err = run(*arguments)
            assert code, arguments
            assert "the reason is not one line of 1 to 500 printable characters" in out + err, arguments
            check_shown(out + err)


def test_names_from_the_command_line_are_data(run: Run, lies: Path, home: Path) -> None:
    odd = home / NO_NUL.replace("/", "")[:60]
    odd.write_bytes(b"no digest")
    surrogate = "caf\udce9\x9b"
    for arguments in (("inspect", NO_NUL), ("lookup", str(odd)), ("lookup", surrogate), ("inspect", surrogate)):
        code, out, err = run(*arguments, "--catalog", str(lies))
        assert code in (2, 3, 5)
        check_shown(out + err)
        named = arguments != ("lookup", surrogate)  # no error repeats evidence, which may be a key
        assert ("\\x9b" in err) == named
    assert "\\udce9" in err
