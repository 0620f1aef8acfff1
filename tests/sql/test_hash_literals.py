"""Hash literals in SQL: in every view, every spelling of an existing value finds it or is an error."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass

import pytest

from catalog.errors import UsageError
from catalog.sql.query import Views
from catalog.store.catalog import Catalog
from tests.support.catalogs import build
from tests.support.endorsed_digests import write_page
from tests.support.samples import write_spec
from tests.support.sql_comparisons import COMPARISONS

HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}")


def as_duckdb_prints(value: str) -> str:
    shown = (
        chr(byte) if 32 <= byte < 127 and byte not in b"\"'\\" else f"\\x{byte:02X}" for byte in bytes.fromhex(value)
    )
    return "".join(shown)


def escaped(value: str) -> str:
    return "".join(f"\\x{value[at : at + 2].upper()}" for at in range(0, len(value), 2))


SPEC = """
name = "hashes"
firmware = { builds = ["bookworm/ovmf/OVMF_CODE_4M.fd", "sid/ovmf-amdsev/OVMF.amdsev.fd"] }
kernel_hashes = { tables = ["none", "debian-12-installer-text"] }
[technologies.sev]
[technologies.sev-es]
vmm = ["qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [0]
vcpus = ["1-3"]
[technologies.sev-snp]
vmm = ["ec2-2026", "qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-3"]
[imports]
files = ["wiki.toml"]
"""

SPELLINGS = {
    "lower": lambda value: f"'{value}'",
    "upper": lambda value: f"'{value.upper()}'",
    "mixed": lambda value: f"'{value[:9].upper()}{value[9:]}'",
    "0x": lambda value: f"'0x{value}'",
    "0X": lambda value: f"'0X{value.upper()}'",
    "backslash x": lambda value: f"'\\x{value}'",
    "blob text": lambda value: f"'{escaped(value)}'",
    "printed blob": lambda value: f"'{as_duckdb_prints(value)}'",
    "blob literal": lambda value: f"x'{value}'",
    "upper blob literal": lambda value: f"X'{value.upper()}'",
    "cast of blob text": lambda value: f"'{escaped(value)}'::BLOB",
    "cast of text": lambda value: f"CAST('{value.upper()}' AS VARCHAR)",
    "cast of hex to blob": lambda value: f"CAST('{value.upper()}' AS BLOB)",
    "unhex": lambda value: f"unhex('{value}')",
    "from_hex": lambda value: f"from_hex('{value.upper()}')",
    "function": lambda value: f"upper('{value}')",
    "pieces": lambda value: f"'0x' || '{value.upper()[:10]}' || '{value[10:]}'",
    "blanks": lambda value: f"' {value.upper()} '",
    "dollars": lambda value: f"$${value.upper()}$$",
    "escapes": lambda value: f"E'0x{value.upper()}'",
    "number": lambda value: f"0x{value}",
}
"""Spellings of a value in lower-case hex, as an SQL expression."""

FORMS = COMPARISONS | {
    "rows": "SELECT count(*) FROM {view} WHERE ({column}, 1) IN (({value}, 1), ({value}, 2))",
    "exists": "SELECT count(*) FROM {view} t WHERE EXISTS (FROM (VALUES ({value})) v(x) WHERE v.x = t.{column})",
    "natural": "WITH asked({column}) AS (VALUES ({value})) SELECT count(*) FROM {view} NATURAL JOIN asked",
    "searched case": "SELECT sum(CASE WHEN {column} = {value} THEN 1 END) FROM {view}",
    "having": "SELECT sum(n) FROM (SELECT count(*) AS n FROM {view} GROUP BY {column} HAVING {column} = {value})",
    "aggregate": "SELECT count(*) FROM (SELECT 1 FROM {view} GROUP BY {column} HAVING max({column}) = {value})",
    "qualify": "SELECT count(*) FROM (FROM {view} QUALIFY max({column}) OVER (PARTITION BY {column}) = {value})",
    "cast": "SELECT count(*) FROM {view} WHERE CAST({column} AS VARCHAR) = {value}",
    "cast to blob": "SELECT count(*) FROM {view} WHERE {column}::BLOB = {value}",
    "lower hex": "SELECT count(*) FROM {view} WHERE lower(hex({column})) = {value}",
    "hex": "SELECT count(*) FROM {view} WHERE hex({column}) = {value}",
    "upper": "SELECT count(*) FROM {view} WHERE upper({column}) IN ({value})",
    "unhex": "SELECT count(*) FROM {view} WHERE unhex({column}) = {value}",
    "ilike": "SELECT count(*) FROM {view} WHERE {column} ILIKE {value}",
    "starts_with": "SELECT count(*) FROM {view} WHERE starts_with({column}, {value})",
    "intersect": "SELECT count(*) FROM (SELECT {column} FROM {view} INTERSECT SELECT {value})",
    "semi": "SELECT count(*) FROM {view} t SEMI JOIN (SELECT {value} AS x) v ON v.x = t.{column}",
    "lambda": "SELECT count(*) FROM {view} WHERE len(list_filter([{column}], lambda x: x = {value})) = 1",
    "map": "SELECT count(*) FROM {view} WHERE MAP {{{value}: 1}}[{column}] = 1",
    "two statements": "CREATE OR REPLACE TEMP TABLE t AS FROM {view}; SELECT count(*) FROM t WHERE {column} = {value}",
    "explain": "EXPLAIN SELECT count(*) FROM {view} WHERE {column} = {value}",
    "pivot": "PIVOT (SELECT 1 AS a FROM {view} WHERE {column} = {value}) ON a USING count(*)",
    "macro": "CREATE OR REPLACE MACRO f(x) AS TABLE FROM {view} WHERE {column} = x; SELECT count(*) FROM f({value})",
}
"""Queries that count the rows with a value."""

NOT_SELECT = {"explain", "pivot", "macro"}
"""Forms with a statement that DuckDB does not return as JSON."""

EXPRESSIONS = {"function", "pieces"}
"""Spellings that are not literals."""

SETS = {"intersect", "aggregate"}
"""Forms that count each value once."""


@dataclass(frozen=True)
class Column:
    """A column of hashes. value: one that occurs in it, times: in how many rows."""

    view: str
    name: str
    value: str
    times: int

    def query(self, form: str, spelling: str) -> str:
        return FORMS[form].format(view=self.view, column=self.name, value=SPELLINGS[spelling](self.value))


@dataclass(frozen=True)
class HashColumns:
    views: Views
    columns: list[Column]

    def answer(self, query: str) -> list[tuple[object, ...]]:
        return list(self.views.run(query)[1])

    def is_found(self, column: Column, form: str, spelling: str) -> bool | None:
        """Whether the rows are found; None for an error."""
        try:
            rows = self.answer(column.query(form, spelling))
        except UsageError:
            return None
        return form == "explain" or rows == [(column.times,)] or (form in SETS and rows == [(1,)])


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> HashColumns:
    """A catalog with values in each hash column of each view; the columns are found by their contents."""
    folder = tmp_path_factory.mktemp("hashes")
    sizes = {"firmware_sha256": 32, "firmware_sha384": 48, "kernel_sha256": 32, "initrd_sha256": 32, "igvm_sha256": 32}
    claims = ", ".join(f'{name} = "{bytes([n]).hex() * size}"' for n, (name, size) in enumerate(sizes.items(), 1))
    write_page(folder, "5b" * 48, claims=f"{{ {claims} }}")
    views = Views.of(Catalog.open(build(write_spec(folder, SPEC), folder / "catalog").folder))
    found, columns = HashColumns(views, []), list[Column]()
    for (view,) in found.answer("SHOW TABLES"):
        for name, *_ in found.answer(f"DESCRIBE {view}"):
            counted = found.answer(
                f"SELECT {name}, count(*) FROM {view} WHERE {name} IS NOT NULL GROUP BY ALL ORDER BY ALL"
            )
            if counted and all(HASH.fullmatch(str(value)) for value, _ in counted):
                value, times = counted[len(counted) // 2]
                columns.append(Column(str(view), str(name), str(value), int(str(times))))
    return HashColumns(views, columns)


def test_all_hash_columns_are_found_and_are_text(hashes: HashColumns) -> None:
    found = {(column.view, column.name) for column in hashes.columns}
    expected = {("configurations", "launch_digest"), ("firmware", "sha384"), ("kernel_hashes", "kernel_package_sha256")}
    expected |= {("launch_digests_sev_es", "ap_vmsa_sha256"), ("launch_digests", "launch_digest")}
    assert expected <= found
    null_in_every_row = {"base_digest", "firmware_snp_baseline"}
    assert {column.name for column in hashes.columns} == hashes.views.columns.hashes - null_in_every_row
    kinds = hashes.answer("SELECT DISTINCT column_name, data_type FROM duckdb_columns() WHERE NOT internal")
    assert {kind for name, kind in kinds if name in hashes.views.columns.hashes} == {"VARCHAR"}


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_finds_a_digest_or_is_an_error(hashes: HashColumns, form: str) -> None:
    """Some spellings in the rows of all technologies, the others in those of one, which take half as long."""
    one, every = (
        next(column for column in hashes.columns if (column.view, column.name) == (view, "launch_digest"))
        for view in ("launch_digests_sev_snp", "launch_digests")
    )
    spellings = [spelling for spelling in SPELLINGS if form not in NOT_SELECT or spelling not in EXPRESSIONS]
    first = list(FORMS).index(form)
    asked = [((one if (first + at) % 7 else every), spelling) for at, spelling in enumerate(spellings)]
    answers = {case: hashes.is_found(case[0], form, case[1]) for case in asked}
    assert [case for case, answer in answers.items() if answer is False] == []


def test_every_hash_column_is_found_in_many_spellings(hashes: HashColumns) -> None:
    """A third of them for each column; all of them are in the test above."""
    answers = {
        (column, spelling): hashes.is_found(column, "=", spelling)
        for number, column in enumerate(hashes.columns)
        for at, spelling in enumerate(SPELLINGS)
        if (number + at) % 3 == 0
    }
    assert [case for case, answer in answers.items() if answer is False] == []


def test_every_hash_column_is_found_in_other_queries(hashes: HashColumns) -> None:
    """Columns differ in the length of their hashes alone: a third of the queries for each column."""
    names = {column.name: column for column in hashes.columns}
    answers = {
        (column, form): hashes.is_found(column, form, ("upper", "0x", "blob literal")[at % 3])
        for number, column in enumerate(names.values())
        for at, form in enumerate(FORMS)
        if (number + at + at // 3) % 3 == 0
    }
    assert {len(column.value) for column, _ in answers} == {64, 96}
    assert [case for case, answer in answers.items() if answer is False] == []


NO_HASHES = ["abc", "", "x", "8c1f", "g" * 64, "0" * 63, "0" * 65, "0x" + "0" * 95, "sha256:" + "0" * 64, "no\nhash"]


@pytest.mark.parametrize("text", NO_HASHES)
def test_comparing_a_hash_with_other_text_is_an_error(hashes: HashColumns, text: str) -> None:
    views = (("launch_digests", "launch_digest"), ("configurations", "launch_digest"), ("firmware", "sha384"))
    for view, column in views:
        for form in ("{} = {}", "{1} <> {0}", "{} IN ('{hash}', {})", "lower({}) = {}", "({}, 1) = ({}, 1)"):
            condition = form.format(column, f"'{text}'", hash="0" * 96)
            with pytest.raises(UsageError, match="is not a hash of") as caught:
                hashes.answer(f"SELECT count(*) FROM {view} WHERE {condition}")
            assert "64 or 96 hex digits" in str(caught.value.hint)
    with pytest.raises(UsageError, match="is not a hash of column"):
        hashes.answer(f"SELECT * FROM (SELECT sha256 AS it FROM firmware) WHERE it = '{text}'")


@pytest.mark.parametrize(
    "condition", ["sha256 = '{96}'", "sha384 = '{64}'", "sha256 = 5", "sha256 = x'00'", "sha384 = 1.5"]
)
def test_comparing_a_hash_with_one_of_another_length_is_an_error(hashes: HashColumns, condition: str) -> None:
    written = condition.replace("{96}", "0" * 96).replace("{64}", "0" * 64)
    with pytest.raises(UsageError, match="is not a hash of"):
        hashes.answer(f"SELECT count(*) FROM firmware WHERE {written}")


def test_an_unknown_digest_gives_no_rows(hashes: HashColumns) -> None:
    for view in ("launch_digests", "launch_digests_sev", "launch_digests_sev_snp", "configurations"):
        for size in (64, 96):
            assert hashes.answer(f"SELECT count(*) FROM {view} WHERE launch_digest = '{'0' * size}'") == [(0,)]
    assert hashes.answer("SELECT count(*) FROM firmware WHERE sha256 = NULL OR sha256 IN (NULL)") == [(0,)]


def test_views_join_by_their_hashes(hashes: HashColumns) -> None:
    (total,) = hashes.answer("SELECT count(*) FROM launch_digests")
    for join in (
        "launch_digests d JOIN firmware f ON d.firmware_sha256 = f.sha256",
        "launch_digests JOIN configurations USING (launch_digest, technology)",
        "launch_digests a JOIN configurations c ON lower(hex(a.launch_digest)) = c.launch_digest",
        "launch_digests a JOIN configurations c ON a.launch_digest = unhex(c.launch_digest)",
        "launch_digests a JOIN configurations c ON a.launch_digest::BLOB = upper(c.launch_digest)",
        "configurations c WHERE launch_digest IN (SELECT hex(launch_digest) FROM launch_digests)",
        "launch_digests d WHERE d.firmware_sha256 = ANY (SELECT unhex(sha256) FROM firmware)",
    ):
        assert hashes.answer(f"SELECT count(*) FROM {join}") == [total], join


def test_prefixes_of_hashes_are_matched(hashes: HashColumns) -> None:
    value = next(column.value for column in hashes.columns if column.view == "configurations")
    for spelled in (value[:8], value[:8].upper(), f"0x{value[:8]}", f"0X{value[:8].upper()}"):
        for condition in (
            *(
                f"launch_digest LIKE '{spelled}%'",
                f"upper(launch_digest) LIKE '{spelled}%'",
                f"launch_digest ^@ '{spelled}'",
            ),
            *(f"starts_with(launch_digest, '{spelled}')", f"launch_digest GLOB '{spelled}*'"),
            f"launch_digest BETWEEN '{spelled}' AND '{spelled}f'",
            f"launch_digest >= '{spelled}' AND NOT launch_digest > '{spelled}f'",
        ):
            assert hashes.answer(f"SELECT DISTINCT launch_digest FROM configurations WHERE {condition}") == [(value,)]
    for spelled in (value[:8], value[:8].upper()):
        for condition in (
            *(f"left(launch_digest, 8) = '{spelled}'", f"upper(launch_digest[1:8]) IN ('{spelled}')"),
            *(f"regexp_matches(launch_digest, '^{spelled}')", f"launch_digest SIMILAR TO '{spelled}.*'"),
        ):
            assert hashes.answer(f"SELECT DISTINCT launch_digest FROM configurations WHERE {condition}") == [(value,)]
    for condition in (
        "launch_digest LIKE '%xyz%'",
        "contains(launch_digest, 'z')",
        "launch_digest BETWEEN 'a' AND 'z'",
    ):
        with pytest.raises(UsageError, match="is not a hash of"):
            hashes.answer(f"SELECT count(*) FROM launch_digests WHERE {condition}")


def test_queries_for_blob_columns_still_work(hashes: HashColumns) -> None:
    value = next(column.value for column in hashes.columns if column.view == "firmware" and column.name == "sha384")
    data = bytes.fromhex(value)
    for expression, expected in (
        *(("hex(sha384)", value.upper()), ("to_hex(sha384)", value.upper()), ("lower(hex(sha384))", value)),
        *(("octet_length(sha384)", 48), ("sha384::BLOB", data), ("sha384", value), ("hex('ab')", "6162")),
        *(("base64(sha384)", b64encode(data).decode()), ("sha256(sha384)", hashlib.sha256(data).hexdigest())),
        *(("hex(size)", None), ("hex(NULL)", None), ("hex(unhex('0a'))", "0A")),
    ):
        ((found,),) = hashes.answer(f"SELECT {expression} FROM firmware WHERE hex(sha384) = '{value.upper()}'")
        assert found == expected or expected is None, expression


def test_other_text_is_unchanged(hashes: HashColumns) -> None:
    upper = "AB" * 32
    rows = f"(VALUES ('root={upper}'), ('{upper}x')) t(append)"
    assert hashes.answer(f"SELECT count(*) FROM {rows} WHERE contains(append, '{upper}')") == [(2,)]
    assert hashes.answer(f"SELECT count(*) FROM {rows} WHERE append LIKE '%{upper}x'") == [(1,)]
    assert hashes.answer(f"SELECT count(*) FROM {rows} WHERE append = 'root={upper}'") == [(1,)]
    assert hashes.answer(f"SELECT replace(append, '{upper}', '') FROM {rows} ORDER BY 1") == [("root=",), ("x",)]
    assert hashes.answer("SELECT count(*) FROM firmware WHERE left(name, 3) = 'SID' OR size = 5") == [(0,)]


def test_column_names_are_those_of_the_query(hashes: HashColumns) -> None:
    value = "AB" * 32
    columns, _ = hashes.views.run(f"SELECT sha256 = '{value}', sha256 IN ('0x{value}') AS found FROM firmware")
    assert columns == [f"(sha256 = '{value}')", "found"]
    for query in (
        f"SELECT * FROM (SELECT sha256 = '{value}' FROM firmware)",
        f"SELECT sha256 = '{value}' FROM firmware UNION ALL SELECT true",
    ):
        assert hashes.views.run(query)[0] == [f"(sha256 = '{value}')"]
    columns, _ = hashes.views.run(
        f"SELECT count(*), upper(name), name AS n FROM firmware WHERE sha256 = '{value}' GROUP BY ALL"
    )
    assert columns == ["count_star()", 'upper("name")', "n"]


def test_hash_literals_in_statements_that_are_not_parsed_are_refused(hashes: HashColumns) -> None:
    value = "AB" * 32
    for statement in (
        *(f"EXPLAIN SELECT * FROM firmware WHERE sha256 = '0x{value}'", f"CREATE TABLE t AS SELECT $$0X{value}$$ AS x"),
        *(f"EXPLAIN FROM firmware WHERE \"sha256\" = unhex('{value.lower()}')", f"SET VARIABLE x = '0x{value}'"),
        *(
            f"EXPLAIN FROM firmware WHERE sha256 = x'{value}'",
            f"EXPLAIN FROM firmware WHERE sha256 = '0x' || '{value}'",
        ),
        f"PREPARE p AS FROM firmware WHERE sha256 = $1; EXECUTE p(unhex('{value}'))",
    ):
        with pytest.raises(UsageError, match="in SELECT statements only") as caught:
            hashes.answer(statement)
        assert value.lower() in str(caught.value.hint) or "hex" in str(caught.value.hint)
    assert hashes.answer("PIVOT (SELECT technology AS t FROM launchable) ON t USING count(*)")
    assert hashes.answer(f"SET VARIABLE x = '{value.lower()}'; SELECT getvariable('x')") == [(value.lower(),)]


def test_a_query_nested_too_deeply_for_the_parser(hashes: HashColumns) -> None:
    assert hashes.answer(f"SELECT {'1 + ' * 600} 1") == [(601,)]
    with pytest.raises(UsageError, match="in SELECT statements only"):
        hashes.answer(f"SELECT {'1 + ' * 600} 1 FROM firmware WHERE sha256 = '0x{'AB' * 32}'")
