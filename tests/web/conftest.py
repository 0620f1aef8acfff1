"""A log, a service, a site of it, and a host that may lie: many tests use them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from catalog.build.builder import BuildResult
from catalog.cli.main import run as command
from catalog.log.records import RevokeRecord
from tests.support.browsers import Watched, chromium, page_of
from tests.support.exportable import exportable
from tests.support.hosts import StaticHost, static_host
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import Service, service

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="three is <b>bad</b>")


@pytest.fixture(scope="package")
def published(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log of two releases; the second revokes rows."""
    place = cosigned_today(tmp_path_factory.mktemp("published"), small)
    place.publish(REVOKE)
    return place


@pytest.fixture(scope="package")
def served(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), published.log, "--trust", published.trust) as found:
        yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Watched]:
    """One page for all tests of a module: opening a page takes longer than most of them."""
    with page_of(browser) as found:
        yield found


@pytest.fixture
def seen(page: Watched) -> Watched:
    """A page on which nothing was loaded yet."""
    page.forget()
    return page


@pytest.fixture(scope="package")
def site(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        assert command(["site", str(published.log), "-o", str(folder), "--trust", str(published.trust), "-q"]) == 0
    return folder


@pytest.fixture(scope="package")
def host(site: Path) -> Iterator[StaticHost]:
    with static_host(site) as found:
        yield found


@pytest.fixture
def place(published: Place, tmp_path: Path, small: BuildResult) -> Place:
    """A log that the test may change."""
    del published
    folder = tmp_path / "own"
    folder.mkdir()
    return cosigned_today(folder, small)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildResult, Place]:
    """A catalog whose launch digests differ in what speaks against their export, and a log of it."""
    return exportable(tmp_path_factory.mktemp("exportable"))


@pytest.fixture(scope="module")
def liar(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, StaticHost]]:
    """A copy of the site that the tests of a module may change, and its host."""
    copy = tmp_path_factory.mktemp("lying") / "site"
    shutil.copytree(site, copy)
    with static_host(copy) as found:
        yield copy, found


@pytest.fixture
def lying(site: Path, liar: tuple[Path, StaticHost]) -> tuple[Path, StaticHost]:
    """A fresh copy of the site that may be changed, and its host."""
    copy, _ = liar
    shutil.rmtree(copy)
    shutil.copytree(site, copy)
    return liar


@pytest.fixture(scope="module")
def loaded(browser: Browser, liar: tuple[Path, StaticHost]) -> Iterator[Page]:
    """The page of the lying host, loaded before its first lie."""
    with page_of(browser) as found:
        found.page.goto(f"{liar[1].url}index.html")
        yield found.page
