"""Pages of a catalog with TDX: its rows are found and proven as others are, and no kernel is said to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from catalog.build.builder import BuildResult
from catalog.cli.main import run as command
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.store.catalog import Catalog
from tests.support.browsers import Watched, paste
from tests.support.hosts import static_host
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import Service, service
from tests.support.td_files import ROWS


@pytest.fixture(scope="module")
def log(tds: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return cosigned_today(tmp_path_factory.mktemp("log"), tds)


@pytest.fixture(scope="module")
def served(log: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), log.log, "--trust", log.trust) as found:
        yield found


@pytest.fixture(scope="module")
def static(log: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        assert command(["site", str(log.log), "-o", str(folder), "--trust", str(log.trust), "-q"]) == 0
    with static_host(folder) as found:
        yield found.url


def mrtd(built: BuildResult, vmm: str) -> str:
    """The MRTD of td.fd, which is also that of its CODE file."""
    rows = pq.read_table(built.folder / ROWS).to_pylist()
    return str(next(row["launch_digest"].hex() for row in rows if row["vmm"] == vmm))


@pytest.mark.parametrize("where", ["served", "static"])
def test_a_browser_proves_launches_of_tds(
    seen: Watched, tds: BuildResult, served: Service, static: str, where: str
) -> None:
    seen.page.goto(f"{served.url}/" if where == "served" else f"{static}index.html")
    paste(seen, mrtd(tds, "qemu-tdx-two-pass"))
    answer = seen.page.locator("#answer")
    expect(answer.locator("h2")).to_have_text("2 configurations are listed with this launch digest")
    for text in ("td.fd", "td-code.fd", "qemu-tdx-two-pass", "not measured", "an MRTD covers the firmware alone"):
        expect(answer).to_contain_text(text)
    expect(answer).not_to_contain_text("vCPU")
    assert seen.page.locator(".proof").count() == 2
    for proof in seen.page.locator(".proof").all():
        proof.locator("button").click()
        expect(proof.locator(".proven")).to_contain_text("Verified in this browser")


def test_a_vmm_that_one_platform_runs_launches_its_own_builds_only(
    seen: Watched, tds: BuildResult, static: str
) -> None:
    seen.page.goto(f"{static}index.html")
    paste(seen, mrtd(tds, "gce-tdx"))
    expect(seen.page.locator("#answer")).to_contain_text(
        "not expected to launch under tdx: google-gce launches its own"
    )


def test_the_example_of_the_page_is_of_a_launch_with_vcpus(seen: Watched, static: str) -> None:
    seen.page.goto(f"{static}index.html")
    seen.page.locator(".examples a").first.click()
    expect(seen.page.locator("#answer")).to_contain_text("vCPUs")


def test_the_pages_of_builds_say_what_is_measured(seen: Watched, tds: BuildResult, static: str) -> None:
    seen.page.goto(f"{static}builds.html")
    expect(seen.page.locator("main")).to_contain_text("any kernel")
    expect(seen.page.locator("main")).to_contain_text("the image has no TDVF metadata")
    key = Catalog.open(tds.folder).builds["td.fd"].component.key.hex()
    seen.page.goto(f"{static}builds/{key}.html")
    expect(seen.page.locator("main")).to_contain_text("tdx")


def test_the_answers_of_the_service_are_those_of_the_catalog(tds: BuildResult, served: Service) -> None:
    """Twice: what was prepared by the first answers is used by the second ones."""
    packed = PackedCatalog(str(tds.folder), light_sha256())
    digests = {row["launch_digest"] for row in pq.read_table(tds.folder / ROWS).to_pylist()}
    for digest in [*digests, *digests]:
        answer = served.json(f"/d/{digest.hex()}.json")
        assert answer["matches"] == [match.to_dict() for match in packed.lookup(digest)]
        assert {match["vcpus"] for match in answer["matches"]} == {None}
    page = served.ask(f"/d/{mrtd(tds, 'qemu-tdx')}")[1].decode()
    assert "not measured" in page
    packed.close()


def test_the_report_is_written(tds: BuildResult, tmp_path: Path) -> None:
    assert command(["report", str(tds.folder), "--html", str(tmp_path / "report.html"), "-q"]) == 0
    assert "any kernel" in (tmp_path / "report.html").read_text(encoding="utf-8")
