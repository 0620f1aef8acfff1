"""`ldcat lookup` of several digests, and of the beginning of one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli import prefix_lookup
from catalog.cli.batch_lookup import WORST_FIRST
from tests.support.catalogs import all_digests, digest_of, made
from tests.support.cli import Run
from tests.support.samples import ONE_ROW

MISS = "f" * 96


@pytest.fixture
def digest(small: BuildResult) -> str:
    return digest_of(small)


def batch(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_each_line_has_an_answer(run: Run, tmp_path: Path, digest: str) -> None:
    named = batch(tmp_path / "list", "# a comment", "", f"{digest}  disk.raw", "nonsense", f"sha384:{MISS},")
    code, out, err = run("lookup", named)
    found, bad, missed = out.splitlines()
    assert found.startswith(f"{digest}  found     ")
    assert "2 vCPUs" in found
    assert (
        bad == "line 4  error     not a launch digest, which has 64 (SEV or SEV-ES) or 96 (SEV-SNP or TDX) hex digits"
    )
    assert missed == f"{MISS}  unknown"
    assert (code, err) == (3, "")


def test_the_exit_code_is_that_of_the_worst_line(run: Run, tmp_path: Path, digest: str) -> None:
    assert run("lookup", batch(tmp_path / "a", digest, digest))[0] == 0
    assert run("lookup", batch(tmp_path / "b", MISS, digest))[0] == 1
    assert run("lookup", batch(tmp_path / "c", digest, MISS, "x"))[0] == 3
    assert WORST_FIRST == (7, 3, 1, 10, 0)


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_json_has_an_object_a_line(run: Run, tmp_path: Path, digest: str, output: str) -> None:
    code, out, _ = run("lookup", batch(tmp_path / "list", digest, "x", MISS), "-f", output)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["line"] for record in records] == [1, 2, 3]
    assert records[1].keys() == {"line", "error"}
    assert {name: value for name, value in records[0].items() if name != "line"} == json.loads(
        run("lookup", digest, "-f", "json")[1]
    )
    assert (code, records[2]["found"], records[2]["launch_digest"]) == (3, False, MISS)


def test_csv_has_one_header_over_all(run: Run, tmp_path: Path, digest: str) -> None:
    code, out, err = run("lookup", batch(tmp_path / "list", MISS, digest, digest, "x"), "-f", "csv")
    header, *rows = out.splitlines()
    assert run("lookup", digest, "-f", "csv")[1].splitlines() == [header, *rows[: len(rows) // 2]]
    assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]
    assert code == 3
    unknown, bad = err.splitlines()
    assert unknown == "ldcat: warning: line 1: unknown"
    assert bad.startswith("ldcat: warning: line 4 is not a launch digest")


def test_a_batch_is_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    def given(text: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return run("lookup", "-")

    assert given(json.dumps([digest, MISS]))[0] == 1
    assert given(f"{digest}\n")[1] == run("lookup", digest)[1]


def test_options_of_one_report_are_refused(run: Run, tmp_path: Path, digest: str) -> None:
    named = batch(tmp_path / "list", digest, digest)
    for arguments in (
        (named, "--policy", "1"),
        (named, "--certs", "x"),
        (digest[:20], "--prefix", "--root", "x"),
        (digest[:20], "--prefix", "--min-svn", "x=1"),
    ):
        code, out, err = run("lookup", *arguments)
        assert (code, out) == (2, "")
        assert "which nothing verifies" in err
    assert run("lookup", named, "--min-svn", "nobody=1")[0] == 2


def test_settings_of_the_machine_do_not_count(
    run: Run, tmp_path: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = batch(tmp_path / "list", digest, digest)
    for folder in ("/nowhere/", "nowhere/../nowhere", "/nowhere"):
        monkeypatch.setenv("LDCAT_CERTS", folder)
        assert run("lookup", named)[0] == 0
        assert run("lookup", f"sha384:{digest}")[0] == 0
    assert run("lookup", named, "--root", "/nowhere")[0] == 2
    monkeypatch.setenv("LDCAT_CERTS", "True")
    assert run("lookup", named, "--require-verified")[0] == 2


def test_a_prefix_has_candidates(run: Run, digest: str) -> None:
    code, out, err = run("lookup", digest[:16].upper(), "--prefix")
    assert (code, out.split("  ")[:2]) == (14, [digest, "candidate"])
    assert err == "ldcat: note: a candidate only begins like the digest: compare all of it\n"
    code, out, _ = run("lookup", f"0x{digest[:17]}", "--prefix", "-f", "json")
    (candidate,) = json.loads(out)["candidates"]
    assert (code, candidate["launch_digest"], json.loads(out)["has_more"]) == (14, digest, False)
    assert candidate["matches"] == json.loads(run("lookup", digest, "-f", "json")[1])["matches"]
    assert run("lookup", digest, "--prefix")[0] == 14


@pytest.mark.parametrize(
    ("prefix", "code", "message"),
    [
        ("f" * 16, 1, "ldcat: note: no digest of this catalog begins like this\n"),
        ("f" * 15, 3, "has 16 to 96 hex digits, not 15"),
        ("f" * 97, 3, "has 16 to 96 hex digits, not 97"),
        ("x" * 16, 3, "hex digits only"),
        ("\u0661" * 16, 3, "hex digits only"),
    ],
)
def test_other_prefixes(run: Run, small: BuildResult, prefix: str, code: int, message: str) -> None:
    got, out, err = run("lookup", prefix, "--prefix")
    assert (got, out) == (code, "")
    assert message in err


def test_a_catalog_of_one_row_has_a_candidate(run: Run, tmp_path: Path) -> None:
    built = made(tmp_path, ONE_ROW)
    (_, digest), *_ = all_digests(built)
    code, out, _ = run("lookup", digest.hex()[:16], "--prefix", "--catalog", str(built.folder))
    assert (code, out.split("  ")[0]) == (14, digest.hex())


def test_candidates_are_bounded(run: Run, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_lookup, "MOST_CANDIDATES", 0)
    code, out, err = run("lookup", digest[:16], "--prefix")
    assert (code, out) == (1, "")
    assert "more than these 0 candidates" in err
    assert run("lookup", digest[:16], "--prefix", "-f", "csv")[0] == 2
