"""Digests of a table recomputed as columns: the same differences as of its rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.audit.audit_rows import ENCODED
from catalog.audit.recompute import Difference, EqualRows, Inputs, Recomputation, sweep_inputs
from catalog.audit.table_piece import table_piece
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError
from catalog.launch.hashing.backends import choose
from catalog.log.records import parse_row
from catalog.log.revocations import Revocations
from catalog.log.row_leaves import row_leaves
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.work.engine import Engine, local_engine
from tests.support.forged_catalogs import forged
from tests.support.forged_rows import ROW_LIES

Found = Callable[[Recomputation, pa.Table, Engine], Iterator[Difference]]


def one_by_one(made: Recomputation, table: pa.Table, engine: Engine) -> Iterator[Difference]:
    """The definition."""
    groups: dict[Inputs, EqualRows] = {}
    for row in map(parse_row, row_leaves(table)):
        groups.setdefault(sweep_inputs(row), EqualRows()).add(row)
    return made.differences(groups, engine, choose(), lambda _: None)


def as_columns(made: Recomputation, table: pa.Table, engine: Engine) -> Iterator[Difference]:
    return made.differences_of_piece(table_piece(table), engine, choose(), lambda _: None)


def differences(found: Found, made: Recomputation, table: pa.Table) -> list[str]:
    with local_engine(2, threads=choose().compiled) as engine:
        try:
            return sorted(map(repr, found(made, table, engine)))
        except LdcatError as error:
            return [str(error)]


def tables(folder: Path, technology: str) -> Iterator[pa.Table]:
    for part in digest_parts(Catalog.open(folder), technology):
        for encoded in ((), ENCODED):
            table = part.table(encoded=encoded)
            if len(table):
                yield table
                yield table.take(pa.array(range(0, len(table), 3)))


@pytest.mark.parametrize("lie", [name for name in ROW_LIES if name not in ("no table", "a row twice")])
def test_the_same_differences(small: BuildResult, tmp_path: Path, lie: str) -> None:
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": ROW_LIES[lie]})
    made = Recomputation(Catalog.open(tmp_path / "lie"), 1, Revocations(()))
    for table in tables(tmp_path / "lie", "sev-snp"):
        assert differences(as_columns, made, table) == differences(one_by_one, made, table)


def test_no_differences(parted: BuildResult) -> None:
    """Also of digests of 32 bytes, and of rows without vCPUs."""
    made = Recomputation(Catalog.open(parted.folder), 1, Revocations(()))
    for technology in parted.manifest.technologies:
        for table in tables(parted.folder, technology):
            assert differences(as_columns, made, table) == []
