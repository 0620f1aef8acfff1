"""HTML pages: complete, self-contained and reproducible; names from outside appear only as text."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.log.records import RevokeRecord
from tests.support.catalogs import build as build_catalog
from tests.support.catalogs import made
from tests.support.cli import Run
from tests.support.published_logs import Place
from tests.support.samples import INITRD, KERNEL, SMALL, whole_image, write_inputs, write_spec

VOID = {"meta", "br", "img", "hr", "input", "link"}


class Page(HTMLParser):
    """Parses a page like a browser: every element is closed, and nothing is loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(path.read_text())
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        assert not values.keys() & {"src", "href", "srcset", "action", "style"}
        assert not [name for name in values if name.startswith("on")]
        if "id" in values:
            self.ids.append(str(values["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data} "


def checked(path: Path) -> Page:
    page = Page(path)
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "form"}
    assert len(set(page.ids)) == len(page.ids)
    assert "url(" not in path.read_text()
    assert "@import" not in path.read_text()
    return page


def visible_text(page: Page) -> str:
    return " ".join(page.text.split())


@pytest.fixture
def odd(tmp_path: Path) -> BuildResult:
    """A catalog whose names are HTML markup."""
    folder = write_inputs(tmp_path / "odd")
    (folder / "<script>alert(1)<b>&amp;.fd").write_bytes(whole_image(seed=7))
    spec = SMALL.replace('"bare.fd"', '"*.fd"').replace('name = "small"', 'name = "<b>\\"small\\"</b>"')
    spec = spec.replace('append = "quiet nr_cpus=2"', "append = '</style><img src=x onerror=alert(1)>'")
    return build_catalog(write_spec(folder, spec), tmp_path / "odd-catalog")


def test_a_diff(run: Run, small: BuildResult, tmp_path: Path) -> None:
    wider = made(tmp_path / "wider", SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["1-4"]', 1))
    path = tmp_path / "diff.html"
    arguments = ("diff", str(small.folder), str(wider.folder), "--html", str(path))
    assert run(*arguments, "-f", "json")[0] == 1
    page = checked(path)
    assert {"svg", "table"} <= page.tags
    assert "3 added" in visible_text(page)
    assert "2 digests; only vCPU counts 4 are new" in visible_text(page)
    assert f"ldcat diff {small.folder} {wider.folder} --format jsonl" in visible_text(page)
    before = path.read_bytes()
    run(*arguments)
    assert path.read_bytes() == before
    assert run("diff", str(small.folder), str(small.folder), "--html", str(path))[0] == 0
    assert "Nothing differs" in visible_text(checked(path))


def test_names_are_text(run: Run, small: BuildResult, odd: BuildResult, tmp_path: Path) -> None:
    for arguments in (("diff", str(small.folder), str(odd.folder)), ("report", str(odd.folder))):
        path = tmp_path / f"{arguments[0]}.html"
        run(*arguments, "--html", str(path))
        page = checked(path)
        assert "<script>alert(1)<b>&amp;.fd" in page.text
        assert '<b>"small"</b>' in page.text
        assert "b" in page.tags  # only of tiles
        assert "img" not in page.tags


def test_a_report(run: Run, small: BuildResult, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    code, out, err = run("report", str(small.folder), "--html", str(path))
    assert (code, out, err) == (0, f"{path}\n", "")
    page = checked(path)
    for part in (
        "the image has no SEV metadata",
        "twin.fd, whole.fd",
        "qemu-kvm-init2",
        "quiet nr_cpus=2",
        "60 sev-snp",
    ):
        assert part in visible_text(page), part
    assert page.text.count("Memory map of") == 2  # whole.fd and twin.fd are the same


def test_a_release_page_shows_verification_and_revocations(run: Run, place: Place, tmp_path: Path) -> None:
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="<i>bad</i>"))
    path = tmp_path / "report.html"
    assert run("report", str(place.log), "--html", str(path), "--trust", str(place.trust))[0] == 0
    verified = checked(path)
    assert "NOT VERIFIED" not in verified.text
    assert "against version 1 of the trust note" in visible_text(verified)
    assert "vcpus 3 <i>bad</i>" in visible_text(verified)
    assert run("report", str(place.log), "--html", str(path), "--insecure-skip-verify")[0] == 0
    assert "NOT VERIFIED" in checked(path).text
    assert run("report", str(place.log), "--html", str(path))[0] == 2
    trust = ("--trust", str(place.trust))
    run("diff", str(place.log / "releases/1"), str(place.log), *trust, "--html", str(path))
    assert re.search(r"[0-9]+ revoked", visible_text(checked(path)))


def test_an_explanation(run: Run, small: BuildResult, tmp_path: Path) -> None:
    believed = {"technology": "sev-snp", "firmware": "whole.fd", "vmm": "qemu-kvm-init2", "vcpus": 2}
    believed |= {"vcpu_type": "EPYC-Milan", "sev_features": 1, "append": "quiet nr_cpus=2"}
    believed |= {f"{name}_sha256": sha256(blob).hexdigest() for name, blob in (("kernel", KERNEL), ("initrd", INITRD))}
    query = (
        "SELECT hex(launch_digest) AS d FROM launch_digests WHERE technology = 'sev-snp' AND vmm = 'qemu-kvm-init2' "
        "AND vcpus = 3 AND vcpu_signature = 10489617 AND sev_features = 1 AND kernel_hashes_sha256 IS NOT NULL"
    )
    code, out, _ = run("sql", query, "-f", "jsonl")
    assert code == 0, out
    digest = json.loads(out.splitlines()[0])["d"].lower()
    path = tmp_path / "why.html"
    code, out, _ = run("explain", digest, "--expect", json.dumps(believed), "--html", str(path))
    assert code == 0
    assert "    |\\  vCPUs: 2 were expected, not 3" in out.splitlines()
    page = checked(path)
    assert "vCPUs: 2 were expected, not 3" in page.text
    assert "Where the two launches diverge" in page.text
    assert run("explain", "0" * 96, "--expect", json.dumps(believed), "--html", str(path), "--budget", "0.001")[0] == 1
    page = checked(path)
    assert "Nothing was found" in page.text
    assert "vcpus: 2 - and 1, 3-1024" in page.text


def test_a_page_that_cannot_be_written(run: Run, small: BuildResult, tmp_path: Path) -> None:
    assert run("report", str(small.folder))[0] == 2
    code, _, err = run("report", str(small.folder), "--html", str(tmp_path / "nowhere/page"))
    assert (code, "no such file or directory" in err) == (5, True)
    code, _, err = run("diff", str(small.folder), str(small.folder), "--html", str(tmp_path))
    assert (code, "Traceback" in err) == (5, False)
    assert run("report", str(tmp_path), "--html", str(tmp_path / "page"))[0] == 5
    assert not list(tmp_path.iterdir())
