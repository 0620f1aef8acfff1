"""Requests and connections of a lookup at a static host, counted by the host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from catalog.log.records import RevokeRecord
from catalog.net import static_host
from tests.support import attestation_builder
from tests.support.catalogs import build, digest_of, rows_of
from tests.support.cli import Run
from tests.support.counted_hosts import Counted, counted_host
from tests.support.published_logs import Place, revoke
from tests.support.samples import LONGER, SMALL, whole_image, write_inputs, write_spec

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")

FIVE_MINUTES = ("--max-checkpoint-age", "5m")


class Site:
    """A site of a log, and commands that use it."""

    def __init__(self, run: Run, place: Place, folder: Path, small: BuildResult, host: Counted) -> None:
        self.place, self.host, self.folder = place, host, folder
        self.digest = digest_of(small)
        self._run = run
        self.update()

    def update(self) -> None:
        """Write the site of what is published now, as its publisher does on another machine."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(self.folder.parent / "state of the publisher"))
            patch.setenv("XDG_CACHE_HOME", str(self.folder.parent / "cache of the publisher"))
            made = ("site", str(self.place.log), "-o", str(self.folder), "--trust", str(self.place.trust))
            code, _, err = self._run(*made)
        assert code == 0, err

    def options(self) -> tuple[str, ...]:
        return "--catalog", self.host.url, "--trust", str(self.place.trust)

    def counted(self, *arguments: str, code: int = 0) -> list[str]:
        """Run a command like a new process, which may make one connection; returns the paths of its requests."""
        self.host.as_new_process()
        found, _, err = self._run(*arguments, *self.options())
        paths, connections = self.host.since()
        assert (found, connections) == (code, min(1, len(paths))), err
        return paths

    def lookup(self, *more: str, code: int = 0) -> list[str]:
        return self.counted("lookup", self.digest, *more, code=code)


class PlainLog(Site):
    """The folder of a log that any static server serves as it is, without ranges."""

    def update(self) -> None:
        """There is nothing else to write."""


@pytest.fixture
def counted(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    monkeypatch.setattr(static_host, "_PAUSES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with counted_host(tmp_path / "site") as found:
        yield found


@pytest.fixture
def site(run: Run, place: Place, small: BuildResult, counted: Counted, tmp_path: Path) -> Site:
    return Site(run, place, tmp_path / "site", small, counted)


@pytest.fixture
def plain(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PlainLog]:
    monkeypatch.setattr(static_host, "_PAUSES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with counted_host(place.log) as found:
        yield PlainLog(run, place, place.log, small, found)


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """Many more SEV-SNP rows of the same components; those of SEV are the same."""
    folder = write_inputs(tmp_path_factory.mktemp("longer"))
    return build(write_spec(folder, LONGER), folder / "catalog")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The small catalog with another image and another kernel in addition, so that most components differ."""
    folder = write_inputs(tmp_path_factory.mktemp("other"))
    (folder / "twin.fd").write_bytes(whole_image(seed=9))
    (folder / "vmlinuz").write_bytes(b"another kernel")
    return build(
        write_spec(folder, SMALL + '\n[[kernel_hashes.define]]\nname = "new"\nkernel = "vmlinuz"\n'), folder / "c"
    )


def of_range(paths: list[str], number: int = 1) -> bool:
    """Whether these are the requests for one range."""
    return len(paths) == 1 and paths[0].startswith(f"range/{number}/") and not paths[0].endswith(".json")


def test_a_first_lookup_needs_three_requests(site: Site) -> None:
    size = (site.place.log / "checkpoint").read_text().split("\n")[1]
    first, pack, *rest = site.lookup()
    assert (first, pack, of_range(rest)) == ("checkpoint", f"pack/{size}", True)


def test_a_warm_lookup_asks_for_the_checkpoint_and_a_range(site: Site) -> None:
    site.lookup()
    first, *rest = site.lookup()
    assert (first, of_range(rest)) == ("checkpoint", True)


def test_with_a_checkpoint_of_the_last_minutes_it_asks_for_a_range(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(site.lookup()) == 3  # it does not matter that the option was not given then
    assert of_range(site.lookup(*FIVE_MINUTES))
    assert of_range(site.lookup("--format", "json", *FIVE_MINUTES))
    monkeypatch.setenv("LDCAT_MAX_CHECKPOINT_AGE", "5m")
    assert of_range(site.lookup())
    assert len(site.lookup("--max-checkpoint-age", "0")) == 2
    assert of_range(site.lookup())


@pytest.mark.parametrize("more", [(), ("--format", "json"), FIVE_MINUTES])
def test_a_report(site: Site, tmp_path: Path, more: tuple[str, ...]) -> None:
    report = tmp_path / "report.bin"
    report.write_bytes(attestation_builder.report_bytes(measurement=bytes.fromhex(site.digest)))
    site.lookup()
    *checkpoint, last = site.counted("lookup", str(report), *more)
    assert (checkpoint, of_range([last])) == ([] if more == FIVE_MINUTES else ["checkpoint"], True)


def test_a_batch_needs_one_range_for_each_file(site: Site, small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "digests").write_text("".join(f"{digest.hex()}\n" for digest in set(rows_of(small).values())))
    site.lookup()
    paths = site.counted("lookup", str(tmp_path / "digests"), *FIVE_MINUTES)
    assert of_range(paths), paths
    assert site.counted("lookup", str(tmp_path / "digests"))[0] == "checkpoint"


def test_explain_fetches_what_it_searches_once(site: Site) -> None:
    """Its search reads the index, and not the ranges, of which each request names one."""
    first = site.counted("explain", site.digest, "--budget", "0.1")
    assert len([path for path in first if path.endswith("launch_digests.index")]) == 3
    assert site.counted("explain", site.digest, "--budget", "0.1")[:1] == ["checkpoint"]
    assert len(site.counted("explain", site.digest, "--budget", "0.1")) <= 2


def test_from_python(site: Site) -> None:
    site.lookup()
    site.host.as_new_process()
    for minutes, expected in ((0, 1), (5, 0)):
        with Release.open(site.host.url, site.place.trust, max_checkpoint_age=timedelta(minutes=minutes)) as release:
            assert site.host.since()[0] == ["checkpoint"][:expected]
            for _ in range(2):
                assert release.lookup(site.digest).matches
            paths, connections = site.host.since()
            assert (of_range(paths[:1]), connections) == (True, 0)


def test_the_same_tree_cosigned_again(site: Site) -> None:
    site.lookup()
    site.place.cosign()
    shutil.copy(site.place.log / "checkpoint", site.folder)
    first, *rest = site.lookup()
    assert (first, of_range(rest)) == ("checkpoint", True)
    assert len(site.lookup()) == 2
    assert of_range(site.lookup(*FIVE_MINUTES))


def test_a_new_release(site: Site, longer: BuildResult, other: BuildResult) -> None:
    site.lookup()
    for number, built in enumerate((longer, other), 2):
        site.place.publish(built=built)
        site.update()
        assert len(site.lookup(*FIVE_MINUTES)) == 1  # of the release before
        first, pack, *rest = site.lookup()
        assert (first, pack[:5], of_range(rest, number)) == ("checkpoint", "pack/", True)
        assert of_range(site.lookup(*FIVE_MINUTES), number)


def test_a_new_release_at_a_host_without_packs(site: Site, longer: BuildResult) -> None:
    shutil.rmtree(site.folder / "pack")
    site.lookup()
    site.place.publish(built=longer)
    site.update()
    shutil.rmtree(site.folder / "pack")
    paths = site.lookup()
    assert sorted(path.split("/")[0] for path in paths) == ["checkpoint", "range", "range", "releases", *["tile"] * 4]
    assert "releases/2/manifest.json" in paths  # and neither revocations nor components


def test_a_client_that_missed_releases(site: Site, small: BuildResult, longer: BuildResult, other: BuildResult) -> None:
    """The tiles of the tree that it knows are not in the pack, which has those of the release before."""
    site.lookup()
    for built in (longer, other, longer, other, small):
        site.place.publish(REVOKE, built=built)
    site.update()
    paths = site.lookup()
    assert len(paths) <= 8
    assert [path for path in paths if path.startswith("tile/")] == ["tile/0/000"]


def test_a_first_lookup_in_a_plain_log(plain: PlainLog) -> None:
    rows = "releases/1/sev-snp/launch_digests.parquet"
    assert plain.lookup() == ["checkpoint", "pack/73", "range/1/index.json", rows]
    assert plain.lookup() == ["checkpoint", "range/1/index.json"]
    assert plain.lookup(*FIVE_MINUTES) == ["range/1/index.json"]


def test_new_releases_of_a_plain_log(
    plain: PlainLog, small: BuildResult, longer: BuildResult, other: BuildResult
) -> None:
    """Also of many releases in a row, of changed components, and of revocations; counted are all of them."""
    plain.lookup()
    for number in range(14):
        more = [revoke("deprecated", f"reason {number}", vcpus=1)] if number % 3 == 0 else []
        plain.place.publish(*more, built=(longer, other, small)[number % 3])
        asked, pack, *rest = plain.lookup()
        assert (asked, pack[:5]) == ("checkpoint", "pack/")
        assert len(rest) <= 2, rest
        assert [path for path in rest if not path.endswith(("launch_digests.parquet", "index.json"))] == []


def test_a_client_that_missed_releases_of_a_plain_log(
    plain: PlainLog, small: BuildResult, longer: BuildResult, other: BuildResult
) -> None:
    plain.lookup()
    for built in (longer, other, longer, other, small):
        plain.place.publish(REVOKE, built=built)
    assert len(plain.lookup()) <= 8


def test_a_slim_install_reads_the_indexes_of_a_plain_log(
    plain: PlainLog, longer: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.ask.lookup.has_pyarrow", lambda: False)
    plain.lookup()
    plain.place.publish(built=longer)
    paths = plain.lookup()
    assert len(paths) <= 8
    assert {path.split("launch_digests")[1] for path in paths[3:]} == {".index", ".parquet", ".parquet.merkle"}


def test_new_revocations(site: Site) -> None:
    site.lookup()
    site.digest = digest_with_three(site)
    site.place.publish(REVOKE)
    site.update()
    assert len(site.lookup(*FIVE_MINUTES)) == 1  # and it is not seen yet: that is what the option means
    assert len(site.lookup(code=7)) == 3
    assert len(site.lookup(code=7)) == 2
    assert len(site.lookup(*FIVE_MINUTES, code=7)) == 1


def digest_with_three(site: Site) -> str:
    """A digest with three vCPUs, which REVOKE revokes."""
    leaves = map(json.loads, site.place.leaves())
    found = (leaf for leaf in leaves if leaf.get("vcpus") == 3 and leaf["technology"] == "sev-snp")
    return str(next(found)["launch_digest"])


@pytest.mark.parametrize("command", ["monitor", "doctor", "audit"])
def test_other_commands_use_one_connection(site: Site, run: Run, command: str) -> None:
    site.lookup()
    site.host.as_new_process()
    code, out, err = run(command, site.host.url, "--trust", str(site.place.trust))
    paths, connections = site.host.since()
    assert (code, connections) == (0, 1), out + err
    assert "checkpoint" in paths
