"""Rows that an audit generates are compared with those of the log, and then no table is read for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.audit import audit_leaves
from catalog.audit.audit import AuditFinding
from catalog.audit.audit_catalog import catalog_findings
from catalog.audit.audit_release import LogAudit
from catalog.audit.regenerated import Regenerated, regenerate
from catalog.audit.rows_in_log import has_rows
from catalog.build.builder import BuildResult
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.log.log_folder import LogFolder
from catalog.store.catalog import Catalog
from catalog.verify.verify_release import unverified_release
from catalog.work.engine import local_engine
from tests.support.catalogs import no_progress
from tests.support.published_logs import Place

NOW = 1_800_000_000
BACKENDS = pytest.mark.parametrize("backend", [None, REFERENCE], ids=["compiled", "python"])


def read(log: Path) -> LogAudit:
    audit = LogAudit(LogFolder(log))
    list(audit.findings(None, None, {}, NOW + 100))
    assert audit.history
    return audit


def compared(folder: Path, log: LogAudit | None, backend: HashBackend | None) -> dict[str, Regenerated]:
    chosen, catalog = backend or choose(), Catalog.open(folder)
    with local_engine(2, threads=chosen.compiled) as engine:
        return {
            name: regenerate(
                catalog,
                name,
                engine=engine,
                backend=chosen,
                progress=lambda _: None,
                history=log.history if log else None,
            )
            for name in catalog.manifest.known
        }


@BACKENDS
def test_a_log_has_the_rows_of_its_release_and_no_others(
    small: BuildResult, parted: BuildResult, tmp_path: Path, backend: HashBackend | None
) -> None:
    place = Place(tmp_path / "place", parted, NOW)
    log = read(place.log)
    assert {(found.whole, found.logged) for found in compared(parted.folder, log, backend).values()} == {(True, True)}
    others = compared(small.folder, log, backend)
    assert all(found.whole for found in others.values())
    assert not all(found.logged for found in others.values())
    assert not any(found.logged for found in compared(parted.folder, None, backend).values())
    if log.history:
        log.history.products = None
    assert not any(found.logged for found in compared(parted.folder, log, backend).values())


def findings(
    place: Place, remeasure: int | None, backend: HashBackend, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[AuditFinding], int]:
    """Those of an audit of the log, and how many technologies were compared with it from their tables."""
    counted = []

    def noted(*arguments: Any, **options: Any) -> bool:
        counted.append(arguments)
        return has_rows(*arguments, **options)

    monkeypatch.setattr(audit_leaves, "has_rows", noted)
    with local_engine(2, threads=backend.compiled) as engine:
        found = catalog_findings(
            Catalog.open_release(unverified_release(LogFolder(place.log), None)),
            [],
            remeasure,
            log=read(place.log),
            engine=engine,
            backend=backend,
            start_progress=no_progress,
            recomputed=lambda _: None,
        )
        return list(found), len(counted)


@BACKENDS
@pytest.mark.parametrize("catalog", ["small", "parted"])
def test_no_table_is_read_to_be_compared_with_the_log(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    catalog: str,
    backend: HashBackend | None,
) -> None:
    place = Place(tmp_path / "place", request.getfixturevalue(catalog), NOW)
    assert findings(place, None, backend or choose(), monkeypatch) == ([], 0)


def test_rows_that_are_not_generated_are_compared_from_their_table(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, compared_from_tables = findings(Place(tmp_path / "place", small, NOW), 1, REFERENCE, monkeypatch)
    assert found == []
    assert compared_from_tables
