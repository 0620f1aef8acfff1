"""Cells of the table "Who can do what" of docs/trust.md that no other test covers."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.log.records import RevokeRecord
from catalog.net import static_host
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.hosts import serving
from tests.support.published_logs import Place

ROOT = Path(__file__).parent.parent.parent
REVOKE = RevokeRecord(type="revoke", selector={"technology": "sev-snp"}, severity="revoked", reason="a leak")


def test_a_lookup_in_a_copy_of_a_log_uses_no_network(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the publisher nor anybody else learns which digest was looked up."""

    def connected(*_: object, **__: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", connected)
    monkeypatch.setattr(socket, "getaddrinfo", connected)
    for more in ((), ("--format", "json")):
        assert run("lookup", digest_of(small), *place.options(), *more)[0] == 0


def test_a_host_can_serve_an_old_release_only_until_max_age(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a client that never saw the log; one that saw it refuses the old release at once."""
    monkeypatch.setattr(static_host, "_PAUSES", ())
    digest, trust, old = digest_of(small), ("--trust", str(place.trust)), tmp_path / "old"
    shutil.copytree(place.log, old)
    place.publish(REVOKE)
    made = place.now - 1
    with serving(old) as port, serving(place.log) as honest:
        withheld, there = (("--catalog", f"http://127.0.0.1:{one}/logs") for one in (port, honest))
        assert run("lookup", digest, *withheld, *trust)[0] == 0
        monkeypatch.setattr("time.time", lambda: made + 86400.0)
        assert run("lookup", digest, *withheld, *trust)[0] == 0
        monkeypatch.setattr("time.time", lambda: made + 86402.0)
        assert run("lookup", digest, *withheld, *trust)[0] == 8
        monkeypatch.setattr("time.time", lambda: made + 100.0)
        assert run("lookup", digest, *there, *trust)[0] == 7
        assert run("lookup", digest, *withheld, *trust)[0] == 9


def test_every_test_named_in_the_table_exists() -> None:
    page = (ROOT / "docs/trust.md").read_text(encoding="utf-8").partition("## Who can do what\n")[2]
    tests = re.findall(r"^(\d+)\. `(tests/[a-z_/]+\.py)::(test_\w+)`$", page, re.MULTILINE)
    assert [int(number) for number, _, _ in tests] == list(range(1, len(tests) + 1))
    for _, file, name in tests:
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
    rows = [line.strip("|").split("|") for line in page.split("\n") if line.startswith("| ") and "**" in line]
    assert len(rows) == 6
    used = set[str]()
    for _, *cells in rows:
        assert len(cells) == 6
        for cell in cells:
            numbers = re.findall(r"\(([0-9, ]+)\)", cell)
            assert numbers, cell
            used |= {number for group in numbers for number in group.split(", ")}
    assert used == {number for number, _, _ in tests}
