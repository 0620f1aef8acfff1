"""Pages of a catalog of IGVM files: the lookup page proves rows without vCPUs, and shows what the command line does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from catalog.build.builder import BuildResult
from catalog.cli.main import run as command
from catalog.store.catalog import Catalog
from tests.support.browsers import Watched, paste
from tests.support.hosts import static_host
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import service


@pytest.fixture(scope="module")
def log(igvm_files: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return cosigned_today(tmp_path_factory.mktemp("log"), igvm_files)


@pytest.fixture(scope="module")
def served(log: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with service(tmp_path_factory.mktemp("home"), log.log, "--trust", log.trust) as found:
        yield f"{found.url}/"


@pytest.fixture(scope="module")
def static(log: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        assert command(["site", str(log.log), "-o", str(folder), "--trust", str(log.trust), "-q"]) == 0
    with static_host(folder) as found:
        yield f"{found.url}index.html"


def digests(built: BuildResult, name: str, vmm: str) -> list[str]:
    """The SEV-SNP launch digests of a file under a loader, without kernel hashes."""
    key = Catalog.open(built.folder).builds[f"files/{name}.igvm"].component.key
    rows = pq.read_table(built.folder / "sev-snp/launch_digests.parquet").to_pylist()
    chosen = (row for row in rows if row["firmware_sha256"] == key and row["vmm"] == vmm)
    return [row["launch_digest"].hex() for row in chosen if row["kernel_hashes_sha256"] is None]


@pytest.mark.parametrize("where", ["served", "static"])
def test_a_browser_proves_launches_from_igvm_files(
    seen: Watched, igvm_files: BuildResult, request: pytest.FixtureRequest, where: str
) -> None:
    seen.page.goto(request.getfixturevalue(where))
    for name, vmm in (("unordered", "vanadium-igvm"), ("contexts-2", "qemu-igvm"), ("features", "clh-kvm-igvm")):
        paste(seen, digests(igvm_files, name, vmm)[0])
        answer = seen.page.locator("#answer")
        expect(answer).to_contain_text(f"files/{name}.igvm")
        expect(answer).to_contain_text(", from an IGVM file")
        expect(answer).to_contain_text("the launch digest covers the pages of the IGVM file")
        for proof in seen.page.locator(".proof").all():
            proof.locator("button").click()
            expect(proof.locator(".proven")).to_contain_text("Verified in this browser")


def test_the_page_of_a_file_has_no_memory_map(seen: Watched, igvm_files: BuildResult, static: str) -> None:
    key = Catalog.open(igvm_files.folder).builds["files/unordered.igvm"].component.key.hex()
    seen.page.goto(static.replace("index.html", f"builds/{key}.html"))
    expect(seen.page.locator("h1")).to_have_text("files/unordered.igvm")
    expect(seen.page.locator("main")).not_to_contain_text("Memory map")
    seen.page.goto(static.replace("index.html", "builds.html"))
    expect(seen.page.locator("main")).to_contain_text("qemu-11-igvm")


def test_the_report_is_written(igvm_files: BuildResult, tmp_path: Path) -> None:
    assert command(["report", str(igvm_files.folder), "--html", str(tmp_path / "report.html"), "-q"]) == 0
    assert "files/unordered.igvm" in (tmp_path / "report.html").read_text(encoding="utf-8")
