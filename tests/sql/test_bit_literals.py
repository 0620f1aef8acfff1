"""Numbers of bit fields in SQL: every spelling of a value finds its rows or is an error, in every view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import UsageError
from catalog.sql.query import Views
from catalog.store.catalog import Catalog
from catalog.store.database import write_database
from tests.support.sql_comparisons import COMPARISONS

VIEWS = ("launch_digests", "launch_digests_sev_es", "launch_digests_sev_snp", "configurations")

SPELLINGS = {
    "as shown": lambda text: f"'{text}'",
    "upper": lambda text: f"'{text.upper()}'",
    "0x and upper": lambda text: f"'0x{text[2:].upper()}'",
    "few digits": lambda text: f"'{int(text, 16):#x}'",
    "leading zeros": lambda text: f"'0x000{text[2:]}'",
    "16 digits": lambda text: f"'{int(text, 16):#018x}'",
    "decimal": lambda text: str(int(text, 16)),
    "decimal text": lambda text: f"'{int(text, 16)}'",
    "blanks": lambda text: f"' {text} '",
    "cast": lambda text: f"CAST('{text.upper()}' AS VARCHAR)",
    "cast to a number": lambda text: f"'{text}'::UBIGINT",
    "sum": lambda text: f"({int(text, 16)} - 1 + 1)",
}
"""Of a value as columns have it, as an SQL expression."""

FORMS = COMPARISONS | {
    "upper": "SELECT count(*) FROM {view} WHERE upper({column}) = {value}",
    "number": "SELECT count(*) FROM {view} WHERE {column}::UBIGINT = {value}",
}
"""Queries that count the rows with a value."""


@dataclass(frozen=True)
class Case:
    view: str
    column: str
    text: str
    times: int


@pytest.fixture(scope="module")
def views(small: BuildResult) -> Views:
    return Views.of(Catalog.open(small.folder))


def answer(views: Views, query: str) -> list[tuple[object, ...]]:
    return list(views.run(query)[1])


@pytest.fixture(scope="module")
def cases(views: Views) -> list[Case]:
    found = []
    for view in VIEWS:
        for column in ("vcpu_signature", "sev_features"):
            query = f"SELECT {column}, count(*) FROM {view} WHERE {column} IS NOT NULL GROUP BY ALL"
            found += [Case(view, column, str(text), int(str(times))) for text, times in answer(views, query)]
    return found


def is_found(views: Views, case: Case, form: str, spelling: str) -> bool | None:
    """Whether the rows are found; None for an error."""
    value = SPELLINGS[spelling](case.text)
    try:
        rows = answer(views, FORMS[form].format(view=case.view, column=case.column, value=value))
    except UsageError:
        return None
    return rows == [(case.times,)]


def test_a_bit_field_has_one_type_and_one_text(views: Views, cases: list[Case]) -> None:
    kinds = "SELECT DISTINCT data_type FROM duckdb_columns() WHERE column_name IN ('vcpu_signature', 'sev_features')"
    assert answer(views, kinds) == [("VARCHAR",)]
    assert {case.text for case in cases if case.column == "sev_features"} == {"0x0", "0x1", "0x21"}
    assert {case.text for case in cases if case.column == "vcpu_signature"} == {"0x00a00f11", "0x00a10f10"}


def test_every_spelling_finds_the_rows_in_every_view(views: Views, cases: list[Case]) -> None:
    found = {(case, spelling): is_found(views, case, "=", spelling) for case in cases for spelling in SPELLINGS}
    assert [case for case, answer in found.items() if not answer] == []


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_finds_the_rows_or_is_an_error(views: Views, cases: list[Case], form: str) -> None:
    """Each in one of the two columns, and in one of the views."""
    number = list(FORMS).index(form)
    some = [*{case.column: case for case in cases if case.view == VIEWS[number % len(VIEWS)]}.values()]
    asked = [(some[(number // len(VIEWS) + at) % len(some)], spelling) for at, spelling in enumerate(SPELLINGS)]
    found = {(case, spelling): is_found(views, case, form, spelling) for case, spelling in asked}
    assert [case for case, answer in found.items() if answer is False] == []
    if form in ("=", "in", "between", "order", "row", "named", "list"):
        assert None not in found.values()


def test_an_order_is_that_of_the_numbers(views: Views) -> None:
    query = "SELECT DISTINCT sev_features FROM launch_digests_sev_snp WHERE sev_features {} ORDER BY 1"
    for condition in ("> '0x3'", "> 3", ">= '0x0000021'", "BETWEEN 2 AND '0X21'"):
        assert answer(views, query.format(condition)) == [("0x21",)], condition


@pytest.mark.parametrize(
    "condition",
    [
        *("sev_features = 'x'", "sev_features = ''", "sev_features = '0x'", "sev_features = -1", "sev_features = 1.0"),
        *("sev_features = 18446744073709551616", "vcpu_signature = '0x100000000'", "sev_features IN (1, '0xg')"),
        *("sev_features = x'01'", "sev_features < 'EPYC'", "vcpu_signature = 'EPYC-Milan'", "sev_features = true"),
    ],
)
def test_what_is_no_value_of_a_bit_field_is_an_error(views: Views, condition: str) -> None:
    for view in VIEWS:
        with pytest.raises(UsageError, match=r"can never be|a value of type"):
            answer(views, f"SELECT count(*) FROM {view} WHERE {condition}")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT len(list_filter(list(sev_features), lambda x: x = '0x01')) = 1 FROM launch_digests",
        "SELECT MAP {'0x01': 1}[sev_features] FROM launch_digests",
        "SELECT sev_features = 0x1 FROM launch_digests",
        "SELECT count(*) FROM launch_digests NATURAL JOIN (VALUES ('0x01')) v(sev_features)",
        "PIVOT (SELECT 1 AS a FROM launch_digests WHERE sev_features = '0x01') ON a USING count(*)",
        "CREATE TEMP TABLE t AS FROM launch_digests WHERE vcpu_signature = '0x00A00F11'",
    ],
)
def test_what_is_not_read_as_a_number_is_an_error(views: Views, query: str) -> None:
    with pytest.raises(UsageError, match=r"sev_features|vcpu_signature|in quotes only"):
        answer(views, query)


def test_other_text_is_not_a_number(views: Views) -> None:
    assert answer(views, "SELECT '0x01', '0XAB'") == [("0x01", "0XAB")]
    assert answer(views, "SELECT count(*) FROM firmware WHERE version = '1'") == [(0,)]


def test_views_join_by_their_bit_fields(views: Views) -> None:
    (total,) = answer(views, "SELECT count(*) FROM launch_digests WHERE sev_features IS NOT NULL")
    join = "launch_digests JOIN launch_digests_sev_snp USING (launch_digest, sev_features, vcpus, firmware_sha256)"
    assert int(str(answer(views, f"SELECT count(*) FROM {join}")[0][0])) > 0
    distinct = "(SELECT DISTINCT sev_features::UBIGINT AS number FROM configurations)"
    assert answer(views, f"SELECT count(*) FROM launch_digests JOIN {distinct} ON sev_features = number") == [total]


def test_a_database_has_the_same_text(small: BuildResult, tmp_path: Path, cases: list[Case]) -> None:
    write_database(Catalog.open(small.folder), tmp_path / "views.duckdb")
    with duckdb.connect(tmp_path / "views.duckdb", read_only=True) as connection:
        for case in cases:
            for value in (f"'{case.text}'", int(case.text, 16)):
                query = f"SELECT count(*) FROM {case.view} WHERE {case.column} = {value}"
                assert connection.execute(query).fetchall() == [(case.times,)]
