"""`ldcat audit`: every kind of damage gives a finding that names it, and an intact catalog or log gives none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.audit.audit import RULES
from catalog.build.builder import BuildResult
from catalog.log.records import RevokeRecord
from catalog.store import manifest
from tests.support.cli import Run
from tests.support.forged_catalogs import another_column, another_profile, forged, one_digest, without_rows
from tests.support.published_logs import Place
from tests.support.samples import whole_image

SNP = "sev-snp/launch_digests.parquet"
INDEX = "sev-snp/launch_digests.index"
Damage = Callable[[Path], None]


def audit(run: Run, *arguments: object) -> tuple[int, list[dict[str, str]]]:
    code, out, _ = run("audit", *map(str, arguments), "-f", "json", "-q")
    found = json.loads(out)
    assert found["holds"] is (code == 0)
    return code, found["findings"]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 1
    path.unlink()  # which may also be a file of another release
    path.write_bytes(data or b"?")


def reversed_rows(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(len(table)))[::-1]), path)


def row_twice(path: Path) -> None:
    """The second row has the inputs of the first, and its own digest."""
    rows = pq.read_table(path).to_pylist()
    rows[1] = {**rows[0], "launch_digest": rows[1]["launch_digest"]}
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)


def row_less(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(1), path)


def no_table(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def test_intact_catalogs_and_logs_have_no_findings(run: Run, small: BuildResult, place: Place, tmp_path: Path) -> None:
    assert audit(run, small.folder) == (0, [])
    assert run("audit", str(small.folder))[1].splitlines()[2:] == [
        "  log      none: it is not published, so nobody signed it",
        "  rows     72",
        "  digests  72 of 72 recomputed",
        "every claim holds",
    ]
    (tmp_path / "own.fd").write_bytes(whole_image())
    (tmp_path / "other.fd").write_bytes(whole_image(seed=77))
    assert audit(run, small.folder, "--firmware", tmp_path / "own.fd", "--remeasure", 7) == (0, [])
    code, found = audit(run, small.folder, "--firmware", tmp_path / "other.fd", "--remeasure", 0)
    assert (code, [(one["rule"], one["severity"]) for one in found]) == (0, [("image", "warning")])
    for folder in (place.log, place.log / "releases/1"):
        code, found = audit(run, folder, "--trust", place.trust)
        assert (code, {one["rule"] for one in found}) == (0, {"log"})  # these samples have few keys and roots
    out = run("audit", str(place.log), "--trust", str(place.trust), "--remeasure", "2")[1]
    assert out.splitlines()[2:7] == [
        "  log         example.com/log, 73 leaves",
        "  release     1",
        f"  signatures  verified against {place.trust}, version 1",
        "  rows        72",
        "  digests     6 of 72 recomputed",
    ]
    assert "  signatures  NOT VERIFIED: no trust note was given\n" in run("audit", str(place.log))[1]
    code, found = audit(run, place.log)
    assert (code, [one["evidence"] for one in found]) == (
        0,
        ["no trust note was given: signatures were not checked"],
    )


@pytest.mark.long
def test_a_flipped_bit_in_each_file_names_it(run: Run, small: BuildResult, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small.folder, copy)
    for name in small.manifest.files:
        flipped(copy / name)
        code, found = audit(run, copy, "--remeasure", 0)
        assert (code, [one["subject"] for one in found if one["rule"] == "file"]) == (1, [name])
        (copy / name).unlink()
        code, found = audit(run, copy, "--remeasure", 0)
        assert (code, [one["subject"] for one in found if one["rule"] == "file"]) == (1, [name])
        shutil.copyfile(small.folder / name, copy / name)


@pytest.mark.parametrize(
    ("damages", "rules"),
    [
        ({SNP: one_digest}, {"digest", "order", "index"}),
        ({SNP: reversed_rows}, {"order", "index"}),
        ({SNP: row_twice}, {"unique", "digest", "index"}),
        ({SNP: row_less}, {"index", "table"}),
        ({SNP: no_table}, {"table", "index"}),
        ({SNP: without_rows}, {"table", "index"}),
        ({SNP: another_column("firmware_sha256", bytes(32))}, {"component", "index", "digest"}),
        ({SNP: another_column("vmm", "nobody")}, {"component", "index", "digest"}),
        ({SNP: another_column("vcpus", 9)}, {"index", "digest"}),
        ({manifest.FIRMWARE: without_rows}, {"component", "digest", "names", "follows"}),
        ({f"{manifest.VMM_FOLDER}/qemu-kvm-init2.toml": another_profile}, {"profile"}),
    ],
)
def test_a_forgery_under_a_matching_manifest(
    run: Run, small: BuildResult, tmp_path: Path, damages: dict[str, Damage], rules: set[str]
) -> None:
    forged(small, tmp_path / "copy", damages, trees=False)
    code, found = audit(run, tmp_path / "copy")
    assert {one["rule"] for one in found} == rules | ({"tree"} if SNP in damages else set())
    assert code == (0 if rules == {"profile"} else 1)
    for one in found:
        assert one["claim"] == RULES[one["rule"]]


def test_foreign_files(run: Run, small: BuildResult, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small.folder, copy)
    names = [manifest.FIRMWARE, manifest.KERNEL_HASHES]
    first, second = ((copy / name).read_bytes() for name in names)
    (copy / names[0]).write_bytes(second)
    (copy / names[1]).write_bytes(first)
    (copy / "more").write_bytes(b"")
    text = (copy / manifest.NAME).read_text()
    (copy / manifest.NAME).write_text(text.replace("  ", " "))
    code, found = audit(run, copy)
    assert code == 1
    assert [one["subject"] for one in found if one["rule"] == "file"] == sorted(names)
    assert [(one["rule"], one["subject"]) for one in found if one["rule"] in ("manifest", "unlisted")] == [
        ("manifest", manifest.NAME),
        ("unlisted", "more"),
    ]
    entry = small.manifest.files[INDEX]
    (copy / manifest.NAME).write_text(text.replace(str(entry.fsverity), "0" * 64))
    found = audit(run, copy)[1]
    assert ("tree", INDEX) in [(one["rule"], one["subject"]) for one in found]
    (copy / manifest.NAME).write_text("{")
    code, found = audit(run, copy)
    assert (code, [one["rule"] for one in found]) == (1, ["manifest"])


def logs(place: Place) -> Iterator[tuple[str, Damage, str]]:
    """Ways to damage a log: the change, the file that is changed, and what the finding contains."""
    yield "checkpoint", flipped, ""
    for path in sorted(place.log.glob("tile/**/*")):
        if path.is_file():
            name = str(path.relative_to(place.log))
            yield name, flipped, "entries" if "/entries/" in name else "tile"
            yield name, cut, "tile"
            yield name, Path.unlink, ""
    yield "releases/1/revocations.json", flipped, "revocations.json"
    yield "releases/1/manifest.json", longer, "manifest.json"


def test_damage_of_a_log(run: Run, place: Place, tmp_path: Path) -> None:
    good = tmp_path / "good"
    shutil.copytree(place.log, good)
    for name, damage, part in list(logs(place)):
        shutil.rmtree(place.log)
        shutil.copytree(good, place.log)
        damage(place.log / name)
        code, found = audit(run, place.log, "--trust", place.trust, "--remeasure", 0)
        assert code == 1, name
        assert any(part in f"{one['subject']} {one['evidence']}" for one in found if one["severity"] == "error"), name
        if damage is flipped and name != "checkpoint":
            assert any(name in f"{one['subject']} {one['evidence']}" for one in found), (name, found)
    out = run("audit", str(place.log), "--trust", str(place.trust), "--remeasure", "0")[1]
    assert f"  signatures  NOT VERIFIED: errors below, against {place.trust}, version 1\n" in out


def test_a_rollback_a_fork_and_a_row_that_is_not_in_the_log(
    run: Run, place: Place, small: BuildResult, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    shutil.copytree(place.log, before)
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="r"))
    trust = ("--trust", str(place.trust))
    assert run("sql", "SELECT 1", "--catalog", str(place.log), *trust)[0] == 0
    code, found = audit(run, before, *trust)
    assert (code, any("rolled back" in one["evidence"] for one in found)) == (1, True)
    other = Place(tmp_path / "other", forged(small, tmp_path / "forged", {SNP: one_digest}), place.now - 1)
    other.publish(RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="deprecated", reason="r"))
    code, found = audit(run, other.log, "--trust", place.trust)
    assert (code, any("a fork: " in one["evidence"] for one in found)) == (1, True)
    shutil.rmtree(place.log / "releases/2")
    shutil.copytree(tmp_path / "forged", place.log / "releases/2")
    code, found = audit(run, place.log, *trust)
    assert code == 1
    assert {"release", "leaf", "digest"} <= {one["rule"] for one in found}


def test_warnings_and_notes_do_not_fail_the_audit(run: Run, place: Place) -> None:
    code, out, _ = run("audit", str(place.log))
    assert code == 0
    assert "\nwarnings\n  checkpoint: no trust note was given" in out
    assert out.endswith("\nevery claim that was checked holds\n")
    code, out, _ = run("audit", str(place.log), "--trust", str(place.trust))
    notes = out.partition("notes\n")[2]
    assert (code, "claimed:" in notes, notes.endswith("\nevery claim that was checked holds\n")) == (0, False, True)


def test_findings_as_sarif(run: Run, small: BuildResult, tmp_path: Path) -> None:
    forged(small, tmp_path / "copy", {SNP: one_digest})
    code, out, _ = run("audit", str(tmp_path / "copy"), "-f", "sarif")
    (made,) = json.loads(out)["runs"]
    rules = {rule["id"] for rule in made["tool"]["driver"]["rules"]}
    assert code == 1
    assert {result["ruleId"] for result in made["results"]} <= rules == set(RULES)
    assert {result["level"] for result in made["results"]} == {"error"}
    lines = run("audit", str(tmp_path / "copy"), "-f", "jsonl")[1].splitlines()
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(found) == len(made["results"])
    text = run("audit", str(tmp_path / "copy"))[1]
    assert "\nerrors\n" in text
    assert text.count("    claimed: ") == len(found)
    assert run("audit", str(tmp_path / "nowhere"))[:2] == (5, "")
    for arguments in (("--remeasure", "some"), ("--remeasure", "-1"), ("-f", "csv")):
        assert run("audit", str(small.folder), *arguments)[:2] == (2, "")


def test_the_page_has_every_claim() -> None:
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8")
    for rule, claim in RULES.items():
        assert f"| `{rule}` | {claim} |\n" in page
