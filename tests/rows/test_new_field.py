"""A new field of a row is one entry in catalog/rows/fields.py: every output of a changed copy has it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsers import chromium, page_of
from tests.support.forked_ldcat import forked_ldcat
from tests.support.hosts import static_host
from tests.support.samples import SMALL, write_inputs, write_spec

ROOT = Path(__file__).parents[2]

FIELDS = """    Field(
        "vmm_revision",
        Count(),
        "Revision of the VMM profile.",
        of=lambda vmm: 1000 + vmm.wire.revision,
        label="VMM revision",
        role=FACT,
        component="vmm",
        optional=True,
    ),
    Field(
        "firmware_bytes",
        Bits(64),
        "Size of the firmware image in bytes.",
        of=lambda firmware: firmware.size,
        role=FACT,
        component="firmware",
        optional=True,
    ),
"""
"""A fact of the VMM profile, and one of the image, which is the first key of a leaf; as in CONTRIBUTING.md."""

LABEL, VALUE = "VMM revision", 1001


@dataclass(frozen=True)
class Copy:
    """A copy of the program with additional fields, and a folder to work in."""

    folder: Path
    environment: dict[str, str]
    program: Path

    def run(self, *arguments: str | Path, code: int = 0, data: str = "") -> str:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=data,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, (arguments, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--format", "json", code=code))

    def python(self, program: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def copied(folder: Path) -> None:
    """The package and its data, with additional fields in the table."""
    for name in ("catalog", "data"):
        shutil.copytree(ROOT / name, folder / name)
    table = folder / "catalog/rows/fields.py"
    before, axis, after = table.read_text().partition('    Field(\n        "vcpus",\n')
    table.write_text(before + FIELDS + axis + after)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("new-field")
    copied(folder)
    write_inputs(folder)
    homes = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("STATE", "CACHE", "DATA")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LDCAT_", "XDG_"))}
    with forked_ldcat(tmp_path_factory.mktemp("program"), folder) as program:
        yield Copy(folder, {**kept, **homes, "PYTHONPATH": str(folder), "COLUMNS": "200"}, program)


def log_of(copy: Copy) -> Path:
    """A log of two releases, the first one with fewer rows, and its trust note."""
    keys = {}
    for name, use in (("log", "log"), ("a", "root"), ("b", "root")):
        made = copy.run("keygen", f"{name}.example", "--for", use, "--algorithm", "ed25519", "-o", f"{name}.key")
        keys[name] = made.strip()
    (copy.folder / "policy").write_text(f"log {keys['log']}\nquorum none\n")
    roots = [word for name in ("a", "b") for word in ("--root", f"{name}={keys[name]}")]
    text = copy.run("trust", "init", "--policy", "policy", *roots, "--threshold", "1")
    (copy.folder / "trust.txt").write_text(text)
    (copy.folder / "trust.note").write_text(copy.run("trust", "sign", "--key", "a.key", "trust.txt"))
    for name, spec in (("few", SMALL.replace('"ec2-2026", ', "")), ("all", SMALL)):
        write_spec(copy.folder, spec)
        copy.run("build", "spec.toml", "-o", name, "--quiet")
        copy.run("publish", name, "--log", "log", "--key", "log.key", "--quiet")
    return copy.folder / "log"


@pytest.fixture(scope="module")
def log(copy: Copy) -> Path:
    return log_of(copy)


@pytest.fixture(scope="module")
def older(copy: Copy, program: Path) -> Copy:
    """The copy, in a folder with a log and catalogs from before the fields; `more` has rows that the log lacks."""
    folder = copy.folder / "older"
    write_inputs(folder)
    environment = {**copy.environment, "XDG_STATE_HOME": str(folder / "state")}
    before = Copy(folder, environment, program)
    log_of(before)
    write_spec(folder, "1-4".join(SMALL.rsplit("1-3", 1)), "more.toml")
    before.run("build", "more.toml", "-o", "more", "--quiet")
    return Copy(folder, environment, copy.program)


@pytest.fixture(scope="module")
def digest(copy: Copy, log: Path) -> str:
    query = "SELECT launch_digest FROM configurations WHERE vmm = 'qemu-kvm-init2' AND firmware = 'whole.fd' LIMIT 1"
    return copy.run("sql", query, "--catalog", log, "--trust", "trust.note", "-f", "csv").split()[-1]


def trusted(log: Path) -> tuple[str | Path, ...]:
    return ("--catalog", log, "--trust", "trust.note")


def test_lookups_show_the_field_on_every_path(copy: Copy, log: Path, digest: str) -> None:
    first = copy.run("lookup", digest, *trusted(log))
    program = (
        "import sys; from catalog.fast.plain_lookup import plain_lookup; print(plain_lookup(sys.argv[1:])[0], end='')"
    )
    again = copy.python(program, digest, *trusted(log))  # the verification is remembered
    assert first == again
    assert re.search(rf"^  {LABEL} +{VALUE}$", first, re.MULTILINE)
    assert re.search(rf"^  {LABEL} +{VALUE}$", copy.run("lookup", digest, "--catalog", "all"), re.MULTILINE)
    found = copy.json("lookup", digest, *trusted(log))["matches"]
    assert {match["vmm_revision"] for match in found} == {VALUE}
    assert {match["firmware_bytes"] for match in found} == {f"{match['firmware']['size']:#x}" for match in found}
    sev = copy.json("sql", "SELECT launch_digest FROM configurations WHERE technology = 'sev'", "--catalog", "all")
    (match, *_) = copy.json("lookup", sev[0]["launch_digest"], "--catalog", "all")["matches"]
    assert match["vmm_revision"] is None


def test_the_index_and_the_rows_agree(copy: Copy, log: Path, digest: str) -> None:
    (copy.folder / "damaged").mkdir()
    shutil.copytree(copy.folder / "all", copy.folder / "damaged/all")
    index = copy.folder / "damaged/all/sev-snp/launch_digests.index"
    index.write_bytes(b"\0" * index.stat().st_size)
    assert copy.run("lookup", digest, "--catalog", "damaged/all") == copy.run("lookup", digest, "--catalog", "all")


def test_the_python_api_shows_the_field(copy: Copy, log: Path, digest: str) -> None:
    program = (
        "from catalog import Release\n"
        f"with Release.open({str(log)!r}, trust='trust.note') as release:\n"
        f"    print(*(match.vmm_revision for match in release.lookup({digest!r})))\n"
    )
    assert set(copy.python(program).split()) == {str(VALUE)}


def test_leaves_have_the_field_and_proofs_verify(copy: Copy, log: Path, digest: str) -> None:
    bundle = copy.run("prove", digest, "--catalog", log).splitlines()[0].encode()
    (copy.folder / "bundle.json").write_bytes(bundle)
    verdict = copy.json("verify-proof", "bundle.json", "--trust", "trust.note")
    assert (verdict["outcome"], verdict["row"]["vmm_revision"]) == ("match", VALUE)
    assert verdict["row"]["firmware_bytes"].startswith("0x")
    entries = [path.read_bytes() for path in (log / "tile/entries").rglob("*") if path.is_file()]
    assert any(b'{"firmware_bytes":"0x' in data and b'"vmm_revision":1001' in data for data in entries)
    assert all(b'"vmm_revision":null' not in data for data in entries)


VIEWS = ("launch_digests", "launch_digests_sev_snp", "configurations")


def of_each_view(selected: str) -> str:
    """One query with the same rows of each view, in this order: a process takes longer than any of them."""
    return " UNION ALL ".join(f"(SELECT {selected.format(view)})" for view in VIEWS)


def test_sql_has_the_field_in_every_view_of_rows(copy: Copy, log: Path) -> None:
    query = of_each_view("'{0}' AS view, vmm_revision FROM {0} WHERE vmm IS NOT NULL GROUP BY ALL")
    assert copy.json("sql", query, *trusted(log)) == [{"view": view, "vmm_revision": VALUE} for view in VIEWS]


def test_measure_and_explain_show_the_field(copy: Copy, log: Path, digest: str) -> None:
    arguments = ["whole.fd", "--technology", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpus", "2"]
    arguments += ["--vcpu-type", "EPYC-Milan"]
    assert copy.json("measure", *arguments)["vmm_revision"] == VALUE
    found = copy.json("explain", digest, *trusted(log))["explanations"]
    assert {one["vmm_revision"] for one in found} == {VALUE}
    assert re.search(rf"^  {LABEL} +{VALUE}$", copy.run("explain", digest, *trusted(log)), re.MULTILINE)


def test_diff_shows_the_field_of_each_row(copy: Copy, log: Path) -> None:
    changed = copy.json("diff", log / "releases/1", log / "releases/2", "--trust", "trust.note", code=1)
    rows = [row for row in changed["rows"] if row["vmm"] == "ec2-2026"]
    assert rows
    assert {row["vmm_revision"] for row in rows} == {VALUE}


def test_audits_recompute_the_field(copy: Copy, log: Path) -> None:
    copy.run("audit", "all")
    copy.run("audit", log, "--trust", "trust.note")
    copy.run("rebuild", log, "--trust", "trust.note")


def test_an_audit_finds_a_false_value(copy: Copy, log: Path) -> None:
    """Only this column of the Parquet files is false."""
    shutil.copytree(copy.folder / "all", copy.folder / "false/all")
    program = (
        "import pyarrow as pa, pyarrow.parquet as pq, hashlib, json\n"
        "from pathlib import Path\n"
        "folder = Path('false/all')\n"
        "part = folder / 'sev-snp/launch_digests.parquet'\n"
        "table = pq.read_table(part)\n"
        "at = table.column_names.index('vmm_revision')\n"
        "table = table.set_column(at, table.schema.field(at), pa.array([7] * len(table), pa.uint16()))\n"
        "pq.write_table(table, part, store_schema=False)\n"
        "manifest = json.loads((folder / 'manifest.json').read_text())\n"
        "data = part.read_bytes()\n"
        "entry = manifest['files']['sev-snp/launch_digests.parquet']\n"
        "entry |= {'sha256': hashlib.sha256(data).hexdigest(), 'size': len(data)}\n"
        "(folder / 'manifest.json').write_text(json.dumps(manifest, indent=2) + '\\n')\n"
    )
    copy.python(program)
    assert "vmm_revision: not what its inputs give" in copy.run("audit", "false/all", code=1)


def test_an_audit_of_a_log_from_before_the_field(older: Copy) -> None:
    """It compares the rows with the leaves: both lack the fields."""
    trust = ("--trust", "trust.note")
    older.run("audit", "log", *trust)
    shutil.copytree(older.folder / "log", older.folder / "other")
    shutil.rmtree(older.folder / "other/releases/2")
    shutil.copytree(older.folder / "more", older.folder / "other/releases/2")
    found = older.json("audit", "other", *trust, code=1)["findings"]
    (leaf,) = (one for one in found if one["rule"] == "leaf")
    assert leaf["subject"] == "sev-snp/launch_digests.parquet"
    assert re.fullmatch(r'\d+ of its rows are not leaves, e\.g\. \{.*"vcpus":4,.*\}', leaf["evidence"])
    part = older.folder / "other/releases/2" / leaf["subject"]
    part.write_bytes(b"\0" * part.stat().st_size)
    found = older.json("audit", "other", *trust, code=1)["findings"]
    (leaf,) = (one for one in found if one["rule"] == "leaf")
    assert leaf["evidence"].startswith("its rows were not compared with the leaves: ")
    assert leaf["evidence"].endswith("launch_digests.parquet is not the file its manifest names")


def test_sql_has_nulls_for_a_catalog_from_before_the_field(older: Copy) -> None:
    query = of_each_view(
        "count(*) AS rows, count(vmm_revision) AS known, typeof(any_value(firmware_bytes)) AS type FROM {0}"
    )
    older.run("sql", "--catalog", "all", "--database", "views.duckdb")
    program = (
        "import duckdb, sys\n"
        "found = duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2])\n"
        "print([dict(zip([column[0] for column in found.description], row)) for row in found.fetchall()])\n"
    )
    asked = older.json("sql", query, "--catalog", "all")
    assert [(row["rows"] > 0, row["known"]) for row in asked] == [(True, 0)] * len(VIEWS)
    assert older.python(program, "views.duckdb", query).strip() == str(asked)


def test_rows_are_revoked_by_the_field(copy: Copy, log: Path, digest: str) -> None:
    shutil.copytree(log, copy.folder / "other/log")
    environment = {**copy.environment, "XDG_STATE_HOME": str(copy.folder / "other/state")}
    shutil.copytree(copy.folder / "state", copy.folder / "other/state")
    other = Copy(copy.folder, environment, copy.program)
    options = ["--reason", "test", "--severity", "revoked", "--vmm-revision", str(VALUE)]
    other.run("revoke", "--log", "other/log", "--key", "log.key", *options)
    out = other.run("lookup", digest, *trusted(Path("other/log")), code=7)
    assert "revoked by the publisher of this log: test" in out


@contextmanager
def served(copy: Copy, log: Path) -> Iterator[str]:
    program = [sys.executable, "-m", "catalog", "serve", "--listen", "127.0.0.1:0", str(log), "--trust", "trust.note"]
    with subprocess.Popen(
        program, cwd=copy.folder, env=copy.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            yield next(found[1] for line in lines if (found := re.search(r"serves at (http://[^\s/]+)", line)))
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_the_service_and_its_openapi_description_have_the_field(copy: Copy, log: Path, digest: str) -> None:
    import urllib.request

    with served(copy, log) as url:
        with urllib.request.urlopen(f"{url}/d/{digest}.json") as response:
            assert {match["vmm_revision"] for match in json.load(response)["matches"]} == {VALUE}
        with urllib.request.urlopen(f"{url}/openapi.json") as response:
            schema = json.load(response)["components"]["schemas"]["MatchAnswer"]["properties"]["vmm_revision"]
            assert schema["description"] == "Revision of the VMM profile."
        with urllib.request.urlopen(f"{url}/d/{digest}") as response:
            assert LABEL in response.read().decode()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_a_static_host_serves_the_field_to_programs_and_to_the_page(
    copy: Copy, log: Path, digest: str, browser: Browser
) -> None:
    copy.run("site", log, "-o", "site", "--trust", "trust.note")
    with static_host(copy.folder / "site") as host:
        shown = copy.run("lookup", digest, "--catalog", host.url, "--trust", "trust.note")
        assert re.search(rf"^  {LABEL} +{VALUE}$", shown, re.MULTILINE)
        assert any(path.startswith("range/") for path, _ in host.requests)
        with page_of(browser) as seen:
            seen.page.goto(f"{host.url}index.html")
            seen.page.fill("#digest", digest)
            seen.page.keyboard.press("Enter")
            expect(seen.page.locator("#answer h2")).to_be_focused()
            facts = seen.page.locator("#answer .match").first
            names, values = facts.locator("dt").all_inner_texts(), facts.locator("dd").all_inner_texts()
            assert dict(zip(names, values, strict=True))[LABEL] == str(VALUE)
            facts.get_by_role("button").first.click()  # the inclusion proof of the row
            expect(facts).to_contain_text("verified")
            assert seen.errors == []
