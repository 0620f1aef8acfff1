"""A published release of what is known in part: every command works with it, and nothing unknown is invented."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.ask.selector import build_selector
from catalog.build.builder import BuildResult
from catalog.fast.match import inferred_note
from catalog.fast.plain_lookup import plain_lookup
from catalog.launch.hashing.backends import REFERENCE
from catalog.log.records import RevokeRecord
from catalog.notes import Note
from catalog.store import manifest
from catalog.store.catalog import Catalog
from tests.support.catalogs import build
from tests.support.cli import Run
from tests.support.forged_catalogs import forged, in_rows
from tests.support.hosts import static_host
from tests.support.partly_known import (
    BASE,
    BASE_IMAGE,
    BASE_RECORD,
    COMMAND_LINE,
    PART,
    PLACEHOLDERS,
    SPEC,
    TABLE,
    TRUE_IMAGE,
    UNKNOWN,
    digest,
    write_partly_known,
)
from tests.support.published_logs import Place

BASELINE = PART.snp_baseline.hex()
FIRMWARE_ROW, KERNEL_ROW, BASE_ROW = digest(TRUE_IMAGE, 2), digest(TRUE_IMAGE, 3, TABLE), digest(BASE_IMAGE, 4)
DIGESTS = (FIRMWARE_ROW, KERNEL_ROW, BASE_ROW)
NOW = 1_800_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("partly-known")
    return build(write_partly_known(folder), folder / "catalog")


@pytest.fixture
def known(built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A log with a release of the catalog, and commands run on the day of its publication."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LDCAT_CATALOG", raising=False)
    for clock in ("time.time", "catalog.fast.plain_lookup.time"):
        monkeypatch.setattr(clock, lambda: NOW + 100.0)
    return Place(tmp_path, built, NOW)


@dataclass(frozen=True)
class Asked:
    """Commands on one release."""

    run: Run
    place: Place

    def text(self, *arguments: str) -> str:
        _, out, _ = self.run(*arguments, *self.place.options())
        return str(out)

    def matches(self, launch_digest: str, *where: str) -> list[dict[str, Any]]:
        """Matches of a lookup, those that are inferred, too."""
        _, out, _ = self.run("lookup", launch_digest, "-f", "json", *(where or self.place.options()))
        found = json.loads(out)
        return [*found["matches"], *found.get("inferred", [])]


@pytest.fixture
def asked(run: Run, known: Place) -> Asked:
    return Asked(run, known)


def test_rows_are_those_that_the_whole_images_give(built: BuildResult) -> None:
    counts = {name: entry.rows for name, entry in built.manifest.technologies.items()}
    # whole.fd: SEV with two tables, SEV-SNP with two tables and four counts, as published.toml; the base: two counts
    assert counts == {"sev": 2, "sev-snp": 8 + 8 + 2}
    (left,) = built.manifest.left_out
    assert (left.technology, left.firmware, left.points) == ("sev", "published", 2)
    why = "the SHA-256 state after the image is not known, only what SEV-SNP needs"
    assert left.reason == f"the digest cannot be computed: {why}"


def test_a_lookup_says_what_is_known_of_the_firmware(asked: Asked) -> None:
    (match,) = asked.matches(FIRMWARE_ROW)
    firmware = match["firmware"]
    assert (firmware["name"], firmware["snp_baseline"]) == ("published", BASELINE)
    assert {name for name, value in firmware.items() if value is None} == {
        *("sha256", "sha384", "size"),
        *("distribution", "suite", "package", "version", "package_sha256", "path"),
        *([] if PART.firmware_version else ["firmware_version"]),
    }
    assert match["kernel_hashes"] is None
    text = asked.text("lookup", FIRMWARE_ROW)
    assert "firmware SHA-256       not known\n" in text
    assert f"firmware SNP baseline  {BASELINE}\n" in text


def test_a_lookup_says_that_only_the_hash_of_the_command_line_is_known(asked: Asked) -> None:
    (match,) = asked.matches(KERNEL_ROW)
    assert match["kernel_hashes"] == {
        "name": "hashed",
        "table_sha256": TABLE.table_sha256.hex(),
        "kernel_sha256": TABLE.kernel.hex(),
        "initrd_sha256": TABLE.initrd.hex(),
        "cmdline_sha256": TABLE.cmdline.hex(),
        "append": None,
    }
    assert f"not known; its SHA-256 is {TABLE.cmdline.hex()}" in asked.text("lookup", KERNEL_ROW)


def test_a_lookup_of_a_row_of_a_base_says_what_it_follows_from(asked: Asked) -> None:
    assert asked.run("lookup", BASE_ROW, *asked.place.options())[0] == 10
    (match,) = asked.matches(BASE_ROW)
    assert match["base"] == {
        "name": "contrast/v1",
        "launch_digest": BASE,
        "vcpus": 2,
        "endorser": {"scheme": "contrast", "id": "https://contrast.example/v1", "feed": None, "svn": 3},
    }
    assert not {"firmware", "kernel_hashes", "kernel_hashes_enforced", "launchable"} & match.keys()
    assert (match["vcpus"], match["vmm"]) == (4, "qemu-kvm-init2")
    (note,) = match["notes"]
    assert (note["code"], note["severity"]) == ("inferred", "info")
    assert note["text"] == "inferred: whoever knows one launch digest can compute those with more vCPUs"
    assert note["text"] in asked.text("lookup", BASE_ROW)
    assert asked.matches(BASE) == []
    assert asked.matches(digest(BASE_IMAGE, 1)) == []


def test_every_path_of_a_lookup_gives_one_answer(
    asked: Asked, built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "damaged"
    broken = {f"sev-snp/{manifest.INDEX}": lambda path: path.write_bytes(bytes(path.stat().st_size))}
    forged(built, folder, broken, trees=False)
    asked.run("site", str(asked.place.log), "-o", str(tmp_path / "site"), "--trust", str(asked.place.trust))
    with static_host(tmp_path / "site") as host:
        for launch_digest in DIGESTS:
            local = asked.matches(launch_digest, "--catalog", str(built.folder))
            assert local
            assert asked.matches(launch_digest) == local
            assert asked.matches(launch_digest, "--catalog", str(folder)) == local
            assert asked.matches(launch_digest, "--catalog", host.url, "--trust", str(asked.place.trust)) == local
        assert any(path.startswith("range/") for path, _ in host.requests)


def test_the_fast_path_answers_for_firmware_and_leaves_bases_to_the_full_path(asked: Asked, built: BuildResult) -> None:
    for options in (("--catalog", str(built.folder)), asked.place.options()):
        for launch_digest in (FIRMWARE_ROW, KERNEL_ROW):
            code, out, _ = asked.run("lookup", launch_digest, *options)  # the verification is then remembered
            fast = plain_lookup([launch_digest, *options])
            assert fast is not None
            assert (fast[2], fast[0]) == (code, out)
        assert plain_lookup([BASE_ROW, *options]) is None


def test_explain_names_no_hash_that_is_not_known(asked: Asked) -> None:
    """whole.fd was expected: the SNP baselines of both images are known, and one SHA-256."""
    expected = {
        "technology": "sev-snp",
        "firmware": "whole.fd",
        "vmm": "qemu-kvm-init2",
        "vcpus": 2,
        "vcpu_type": "EPYC",
    }
    code, out, _ = asked.run("explain", FIRMWARE_ROW, *asked.place.options(), "--expect", json.dumps(expected))
    assert code == 0
    assert "  firmware SHA-256  not known\n" in out
    part = f"{BASELINE[:16]} (published)"
    assert re.search(rf"firmware SNP baseline: [0-9a-f]{{16}} \(whole\.fd\) was expected, not {re.escape(part)}", out)


@pytest.mark.parametrize("launch_digest", DIGESTS, ids=["firmware", "kernel", "base"])
def test_a_row_is_proven(asked: Asked, tmp_path: Path, launch_digest: str) -> None:
    code, out, _ = asked.run("prove", launch_digest, "--catalog", str(asked.place.log))
    assert code == 0
    (tmp_path / "proof.json").write_text(out)
    code, out, _ = asked.run(
        "verify-proof", str(tmp_path / "proof.json"), "--trust", str(asked.place.trust), "-f", "json"
    )
    verdict = json.loads(out)
    assert (code, verdict["outcome"]) == ((10, "inferred") if launch_digest == BASE_ROW else (0, "match"))
    known = {name: verdict["row"].get(name) for name in ("firmware_sha256", "firmware_snp_baseline", "base_digest")}
    by_base = launch_digest == BASE_ROW
    assert known == {
        "firmware_sha256": None,
        "firmware_snp_baseline": None if by_base else BASELINE,
        "base_digest": BASE if by_base else None,
    }
    assert "firmware_sha256" in verdict["row"]
    assert None not in (
        verdict["row"][name] for name in verdict["row"] if name in ("firmware_snp_baseline", "base_digest")
    )


def test_audit_and_rebuild_recompute_every_row(asked: Asked, built: BuildResult) -> None:
    assert asked.run("audit", str(built.folder))[0] == 0
    assert asked.run("audit", str(asked.place.log), "--trust", str(asked.place.trust))[0] == 0
    code, out, _ = asked.run("rebuild", str(asked.place.log), "--trust", str(asked.place.trust), "-f", "json")
    assert (code, json.loads(out)["rows"]) == (0, 20)


def test_sql_has_every_row(asked: Asked) -> None:
    query = (
        "SELECT firmware, base, launchable, count(*) AS rows FROM configurations WHERE technology = 'sev-snp' "
        "GROUP BY ALL ORDER BY firmware NULLS LAST"
    )
    rows = json.loads(asked.text("sql", query, "-f", "json"))
    assert [tuple(row.values()) for row in rows] == [
        ("published", None, "unknown", 8),
        ("whole.fd", None, "unknown", 8),
        (None, "contrast/v1", None, 2),
    ]
    (base,) = json.loads(asked.text("sql", "SELECT * FROM bases", "-f", "json"))
    assert base["launch_digest"] == BASE
    assert (base["reset_vector"], base["sev_features"], base["endorser_svn"]) == ("0x80b004", "0x1", 3)
    (build_,) = json.loads(asked.text("sql", "SELECT * FROM firmware WHERE sha256 IS NULL", "-f", "json"))
    assert (build_["snp_baseline"], build_["size"], build_["firmware_version"]) == (BASELINE, None, None)
    found = json.loads(
        asked.text("sql", f"SELECT vcpus FROM launch_digests WHERE base_digest = '{BASE.upper()}'", "-f", "json")
    )
    assert sorted(row["vcpus"] for row in found) == [3, 4]


def test_a_database_file_has_the_views(asked: Asked, built: BuildResult, tmp_path: Path) -> None:
    import duckdb

    asked.run("sql", "--catalog", str(built.folder), "--database", str(tmp_path / "views.duckdb"))
    with duckdb.connect(tmp_path / "views.duckdb", read_only=True) as connection:
        found = connection.execute(
            "SELECT base, count(*) FROM configurations GROUP BY 1 ORDER BY 1 NULLS FIRST"
        ).fetchall()
    assert found == [(None, 18), ("contrast/v1", 2)]


@pytest.mark.parametrize(
    ("option", "value", "revoked", "others"),
    [
        ("--firmware", "published", (FIRMWARE_ROW, KERNEL_ROW), (BASE_ROW,)),
        ("--firmware", BASELINE.upper(), (FIRMWARE_ROW, KERNEL_ROW), (BASE_ROW,)),
        ("--base", "contrast/v1", (BASE_ROW,), (FIRMWARE_ROW, KERNEL_ROW)),
        ("--base", BASE, (BASE_ROW,), (FIRMWARE_ROW, KERNEL_ROW)),
    ],
)
def test_rows_are_revoked_by_what_identifies_them(
    asked: Asked, tmp_path: Path, option: str, value: str, revoked: tuple[str, ...], others: tuple[str, ...]
) -> None:
    field = {"--firmware": "firmware_sha256", "--base": "base_digest"}[option]
    catalog = Catalog.open(asked.place.log / "releases/1")
    selector = build_selector(catalog, {field: value})
    assert selector == ({"firmware_snp_baseline": BASELINE} if option == "--firmware" else {"base_digest": BASE})
    asked.place.publish(RevokeRecord(type="revoke", selector=selector, severity="revoked", reason="a reason"))
    for launch_digest in revoked:
        (match,) = asked.matches(launch_digest)
        assert match["revocation"] == {"severity": "revoked", "reason": "a reason"}
        assert match["notes"][0]["text"] == "revoked by the publisher of this log: a reason"
    for launch_digest in others:
        (match,) = asked.matches(launch_digest)
        assert match["revocation"] is None
    query = "SELECT count(*) AS rows FROM launch_digests WHERE revocation = 'revoked'"
    (rows,) = json.loads(asked.text("sql", query, "-f", "json"))
    assert rows["rows"] == (8 if option == "--firmware" else 2)


def test_a_diff_names_what_was_added(asked: Asked, built: BuildResult, tmp_path: Path) -> None:
    less = SPEC.replace('"published.toml", ', "").replace('[imports]\nfiles = ["imports/*.toml"]\n', "")
    before = build(write_partly_known(tmp_path / "less", spec=less), tmp_path / "less/catalog")
    code, out, _ = asked.run("diff", str(before.folder), str(built.folder), "-f", "json")
    found = json.loads(out)
    assert (code, found["counts"]["added"], found["counts"]["withdrawn"]) == (1, 10, 0)
    groups = {tuple(group["firmware"]): group for group in found["groups"]}
    assert groups["published",]["firmware_snp_baseline"] == BASELINE
    assert groups["published",]["firmware_sha256"] is None
    assert groups["contrast/v1",]["base_digest"] == BASE
    kinds = {(one["kind"], one["name"], one["change"]) for one in found["components"]}
    assert {("firmware", "published", "added"), ("base", "contrast/v1", "added")} <= kinds
    shown = asked.run("diff", str(before.folder), str(built.folder))[1]
    assert "contrast/v1: 2 digests" in shown
    page = tmp_path / "diff.html"
    asked.run("diff", str(before.folder), str(built.folder), "--html", str(page))
    assert "contrast/v1" in page.read_text()


def test_a_build_is_the_same_with_and_without_reuse(built: BuildResult, tmp_path: Path) -> None:
    spec = write_partly_known(tmp_path)
    first = build(spec, tmp_path / "catalog")
    again = build(spec, tmp_path / "catalog")
    assert again.reused == sum(entry.rows for entry in again.manifest.technologies.values())
    assert again.manifest == first.manifest == built.manifest


def test_other_processes_build_the_same(built: BuildResult, tmp_path: Path) -> None:
    made = build(write_partly_known(tmp_path), tmp_path / "catalog", processes=2, backend=REFERENCE)
    assert made.manifest == built.manifest


def test_rows_of_a_base_with_other_facts_are_not_reused(tmp_path: Path) -> None:
    spec = write_partly_known(tmp_path)
    build(spec, tmp_path / "catalog")
    (tmp_path / "imports/contrast.toml").write_text(BASE_RECORD.replace("0x80b004", "0x80b008"))
    again = build(spec, tmp_path / "catalog")
    fresh = build(spec, tmp_path / "fresh")
    assert again.manifest == fresh.manifest
    assert again.reused == 2  # SEV


def test_a_known_file_hash_joins_what_was_known_in_part(tmp_path: Path) -> None:
    """The image and the record of it are one component: one row for both names, by the hash of the file."""
    spec = write_partly_known(tmp_path, spec=SPEC.replace('"whole.fd"', '"true.fd"'))
    (tmp_path / "true.fd").write_bytes(TRUE_IMAGE)
    joined = build(spec, tmp_path / "catalog")
    assert {name: entry.rows for name, entry in joined.manifest.technologies.items()} == {"sev": 2, "sev-snp": 8 + 2}
    assert joined.manifest.left_out == []


def test_distinguished_digests_lead_to_firmware_that_is_known_in_part(run: Run, tmp_path: Path) -> None:
    few = build(write_partly_known(tmp_path, spec=f"{SPEC}distinguished_bits = 2\n"), tmp_path / "catalog")
    reasons = {(one.firmware, one.reason) for one in few.manifest.left_out}
    assert ("contrast/v1", "the spec keeps distinguished digests only") in reasons
    for launch_digest, name in ((FIRMWARE_ROW, "published"), (KERNEL_ROW, "published"), (BASE_ROW, None)):
        _, out, _ = run("lookup", launch_digest, "--catalog", str(few.folder), "-f", "json")
        assert [match["firmware"]["name"] for match in json.loads(out)["matches"]] == ([name] if name else [])
    assert run("audit", str(few.folder))[0] == 0


def test_names_of_one_base_are_matches_of_one_row(run: Run, tmp_path: Path) -> None:
    spec = write_partly_known(tmp_path)
    other = BASE_RECORD.replace('"contrast/v1"', '"other"').replace("svn = 3", "svn = 4")
    (tmp_path / "imports/other.toml").write_text(other)
    two = build(spec, tmp_path / "catalog")
    assert two.manifest.technologies["sev-snp"].rows == 8 + 8 + 2
    _, out, _ = run("lookup", BASE_ROW, "--catalog", str(two.folder), "-f", "json")
    assert [row["base"]["name"] for row in json.loads(out)["inferred"]] == ["contrast/v1", "other"]
    assert run("audit", str(two.folder))[0] == 0


def test_a_false_base_is_found_by_audits(run: Run, built: BuildResult, tmp_path: Path) -> None:
    """The rows were folded from a launch with 2 vCPUs, and the table says 1."""
    forged(built, tmp_path / "lie", {manifest.BASES: in_rows(lambda row: row.update(vcpus=1))})
    code, out, _ = run("audit", str(tmp_path / "lie"), "-f", "json")
    found = {(one["rule"], one["subject"]) for one in json.loads(out)["findings"] if one["severity"] == "error"}
    assert code == 1
    assert {("names", manifest.NAMES), ("follows", manifest.NAME)} <= found
    assert sum(rule == "digest" for rule, _ in found) == 2


def test_nothing_unknown_is_in_any_file_or_output(asked: Asked, built: BuildResult, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert asked.run("site", str(asked.place.log), "-o", str(site), "--trust", str(asked.place.trust))[0] == 0
    assert "contrast/v1" in (site / "builds.html").read_text()
    outputs = [
        "\n".join(asked.run(*command, *more)[1:])
        for launch_digest in DIGESTS
        for command in (
            ("lookup", launch_digest, *asked.place.options()),
            ("explain", launch_digest, *asked.place.options(), "--budget", "0.001"),
            ("prove", launch_digest, "--catalog", str(asked.place.log)),
        )
        for more in ((), *([("-f", "json")] if command[0] != "prove" else []))
    ]
    outputs += [
        asked.text("sql", f"SELECT * FROM {view}", "-f", "json") for view in ("configurations", "firmware", "bases")
    ]
    outputs += [leaf.decode() for leaf in asked.place.leaves() if b'"type":"digest"' in leaf]
    files = [
        path for path in (*built.folder.rglob("*"), *site.rglob("*"), *asked.place.log.rglob("*")) if path.is_file()
    ]
    assert len(files) > 40
    for name, unknown in UNKNOWN.items():
        said = (unknown, unknown.hex().encode())
        assert not [path for path in files if any(one in path.read_bytes() for one in said)], name
        assert not [text for text in outputs if unknown.hex() in text], name
    assert not [path for path in files if COMMAND_LINE.encode() in path.read_bytes()]
    texts = [*outputs, *(path.read_text(errors="replace") for path in files if path.suffix in (".html", ".parquet"))]
    texts += [path.read_text(errors="replace") for path in (built.folder / manifest.NAMES, site / "page.json")]
    for name, value in PLACEHOLDERS.items():
        assert not [text for text in texts if value in text], name


def test_a_row_whose_base_nobody_endorses_says_so() -> None:
    said = "whoever knows one launch digest can compute those with more vCPUs"
    assert inferred_note({"endorser": {"scheme": "reported"}}) == Note(
        "base-not-endorsed", f"inferred: nobody endorses the base, and {said}"
    )
    assert inferred_note({"endorser": {"scheme": "contrast"}}) == Note("inferred", f"inferred: {said}")
