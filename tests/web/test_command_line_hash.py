"""A command line that is known by its hash alone: the same digests, found everywhere, and its text nowhere."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, expect

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.fast.plain_lookup import plain_lookup
from catalog.store.component_tables import read_rows
from tests.support.browsers import page_of, paste
from tests.support.catalogs import build, rows_of, with_kernel
from tests.support.cli import AMDSEV, SNP, Run
from tests.support.hosts import static_host
from tests.support.published_logs import Place
from tests.support.samples import SMALL, write_inputs, write_spec
from tests.support.services import service

APPEND = "quiet nr_cpus=2"
SHA256 = hashlib.sha256(f"{APPEND}\0".encode()).hexdigest()
NOT_KNOWN = f"not known; its SHA-256 is {SHA256}"


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The small catalog, but the command line of its kernel is given by its hash."""
    folder = write_inputs(tmp_path_factory.mktemp("hashed"))
    spec = SMALL.replace(f'append = "{APPEND}"', f'append_sha256 = "{SHA256}"')
    assert spec != SMALL
    return build(write_spec(folder, spec), folder / "catalog")


@pytest.fixture
def hashed_place(hashed: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """It is published today, with a state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Place(tmp_path / "published", hashed, int(time.time()) - 1000)


def test_the_digests_are_those_of_the_text(hashed: BuildResult, small: BuildResult) -> None:
    assert rows_of(hashed) == rows_of(small)
    for path in hashed.folder.rglob("*"):
        assert path.is_dir() or APPEND.encode() not in path.read_bytes()


def test_a_lookup_shows_the_hash(run: Run, hashed: BuildResult) -> None:
    digest = with_kernel(hashed)
    plain = plain_lookup([digest, "--catalog", str(hashed.folder)])
    assert plain
    assert f"  command line      {NOT_KNOWN}\n" in plain[0]
    code, out, _ = run("lookup", digest, "--catalog", str(hashed.folder))
    assert (code, out) == (0, plain[0])
    out = run("lookup", digest, "--catalog", str(hashed.folder), "-f", "json")[1]
    kernel = json.loads(out)["matches"][0]["kernel_hashes"]
    assert (kernel["append"], kernel["cmdline_sha256"]) == (None, SHA256)


def test_every_other_command_reads_it(run: Run, hashed: BuildResult, small: BuildResult, hashed_place: Place) -> None:
    options = hashed_place.options()
    digest = with_kernel(hashed)
    code, out, _ = run("sql", "SELECT DISTINCT append FROM kernel_hashes", *options, "-f", "json")
    assert (code, json.loads(out)) == (0, [{"append": None}])
    code, out, _ = run("diff", str(small.folder), str(hashed.folder))
    assert code == 1
    assert NOT_KNOWN in out
    assert run("audit", str(hashed_place.log), "--trust", str(hashed_place.trust))[0] == 0
    assert run("explain", digest, *options, "-q")[0] == 0
    code, out, _ = run("report", str(hashed.folder), "--html", str(hashed_place.log.parent / "report.html"))
    assert code == 0
    assert SHA256 in (hashed_place.log.parent / "report.html").read_text()


@contextmanager
def lookup_page(run: Run, place: Place, folder: Path, kind: str) -> Iterator[str]:
    """The address of the lookup page, from the service or from a static host."""
    trust = ("--trust", str(place.trust))
    if kind == "served":
        with service(folder, place.log, *trust) as found:
            yield f"{found.url}/"
    else:
        code, _, err = run("site", str(place.log), "-o", str(folder / "site"), *trust, "-q")
        assert (code, err) == (0, "")
        with static_host(folder / "site") as host:
            yield f"{host.url}index.html"


@pytest.mark.parametrize("kind", ["served", "static"])
def test_the_page_shows_the_hash(
    run: Run, hashed: BuildResult, hashed_place: Place, tmp_path: Path, browser: Browser, kind: str
) -> None:
    with lookup_page(run, hashed_place, tmp_path, kind) as url, page_of(browser) as seen:
        seen.page.goto(url)
        paste(seen, with_kernel(hashed))
        expect(seen.page.locator("#answer .match").first).to_contain_text(NOT_KNOWN)
        assert seen.errors == []


def test_measure_takes_the_hash(run: Run) -> None:
    kernel = ("--kernel-sha256", "11" * 32)
    of_text = run("measure", AMDSEV, *SNP, "--vcpus", "2", *kernel, "--append", APPEND)
    assert of_text[0] == 0
    assert run("measure", AMDSEV, *SNP, "--vcpus", "2", *kernel, "--append-sha256", SHA256)[:2] == of_text[:2]
    code, _, err = run("measure", AMDSEV, *SNP, "--vcpus", "2", *kernel, "--append", "x", "--append-sha256", SHA256)
    assert (code, "does not have the SHA-256" in err) == (2, True)
    code, _, err = run("measure", AMDSEV, *SNP, "--vcpus", "2", "--append-sha256", SHA256)
    assert (code, "only measured with a kernel" in err) == (2, True)


def test_a_null_is_refused_where_a_value_has_to_be(hashed: BuildResult) -> None:
    table = pq.read_table(hashed.folder / "components/kernel_hashes.parquet")
    assert read_rows(table, "components/kernel_hashes.parquet")[0]["append"] is None
    unnamed = table.set_column(0, "name", pa.nulls(len(table), pa.string()))
    with pytest.raises(MalformedRecord, match="name: null in a row"):
        read_rows(unnamed, "components/kernel_hashes.parquet")
