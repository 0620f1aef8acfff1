"""Comparisons of hashes in SQL that no parser sees through, and literals that are compared with no hash."""

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

UPPER = "AB" * 32
LOWER = UPPER.lower()
TEXT_AS_HEX = LOWER[:32].encode().hex()


@dataclass(frozen=True)
class Asked:
    """Views of a catalog, and a digest of it: in lower and upper case, its begin, its end and the rest."""

    views: Views
    digest: str

    def answer(self, query: str) -> list[tuple[object, ...]]:
        return list(self.views.run(self.written(query))[1])

    def written(self, query: str) -> str:
        upper = self.digest.upper()
        parts = {"<D>": self.digest, "<U>": upper, "<U8>": upper[:8], "<D8>": self.digest[:8], "<REST>": upper[8:]}
        for name, value in parts.items():
            query = query.replace(name, value)
        return query.replace("<E8>", upper[-8:])


@pytest.fixture(scope="module")
def asked(small: BuildResult) -> Asked:
    views = Views.of(Catalog.open(small.folder))
    ((digest,),) = views.run(
        "SELECT launch_digest FROM launch_digests_sev_snp WHERE regexp_matches(launch_digest[1:8], '[a-f]') LIMIT 1"
    )[1]
    return Asked(views, str(digest))


CONDITIONS = [
    # parts in upper case, through functions, queries and lists
    "launch_digest LIKE '<U8>' || '%'",
    "launch_digest LIKE concat('<U8>', '%')",
    "launch_digest LIKE (SELECT '<U8>%')",
    "left(launch_digest, 8) IN ('<U8>', 'n/a')",
    "left(launch_digest, 8) = ANY (['<U8>'])",
    "left(launch_digest, 8) = (SELECT '<U8>')",
    "left(launch_digest, 8) BETWEEN '<U8>' AND '<U8>'",
    "list_contains(['<U8>'], left(launch_digest, 8))",
    "'0x' || launch_digest = '0x<U>'",
    "'sha:' || launch_digest = 'sha:<U>'",
    "technology || '/' || hex(launch_digest) = 'sev-snp/<U>'",
    "if(true, launch_digest, '') LIKE '<U8>%'",
    "starts_with(if(true, launch_digest, ''), '<U8>')",
    "regexp_matches(coalesce(launch_digest, 'none'), '^<U8>')",
    "ends_with(launch_digest, '<E8>')",
    "suffix(concat(launch_digest), '<E8>')",
    "launch_digest GLOB '<U8>*'",
    # the other operand is an expression, a list or another value with the hash in it
    "launch_digest = upper('<D>')",
    "launch_digest = encode('<D>')",
    "launch_digest IN string_split('<U>,x', ',')",
    "launch_digest IN [upper(x) for x in ['<D>']]",
    "list_contains(['0x' || x for x in ['<U>']], launch_digest)",
    "launch_digest IN (SELECT y || x FROM (VALUES ('0x')) p(y), (VALUES ('<U>')) t(x))",
    "launch_digest = (SELECT y || x FROM (VALUES ('\\x')) p(y), (VALUES ('<U>')) t(x))",
    "starts_with('<U>', launch_digest)",
    "contains('<U>,<U>', launch_digest)",
    "(technology, launch_digest) IN (SELECT 'sev-snp', '0x<U>')",
    "(technology, launch_digest) IN (SELECT 'sev-snp', unhex('<U>'))",
    "'0x<U>' IN (launch_digest, 'x')",
    "'0x<U>' = ANY (SELECT hex(launch_digest))",
    "CASE WHEN true THEN launch_digest END = '0x<U>'",
    "COLUMNS('launch_digest') = '0x<U>'",
    "launch_digest >= ALL (SELECT upper('<U>')) AND launch_digest <= ALL (SELECT x'<U>')",
    # what equals without this room, in lists, structs and maps
    "list_contains(['<U>'], hex(launch_digest))",
    "list_has_any(['<U>'], [hex(launch_digest)])",
    "[hex(launch_digest)] @> ['0x<U>']",
    "[launch_digest] = ['0x<U>']",
    "[hex(launch_digest)] = ['<U>']",
    "{'a': hex(launch_digest)} = {'a': '<U>'}",
    "{'a': hex(launch_digest)}.a = '<D>'",
    "MAP {'<U>': 1}[hex(launch_digest)] = 1",
    "MAP {'0x<U>': 1}[launch_digest] = 1",
    "levenshtein(hex(launch_digest), '<U>') = 0",
    "replace(hex(launch_digest), '<U>', '') = ''",
    "contains(hex(launch_digest), upper('<D8>'))",
    "regexp_extract(hex(launch_digest), '^<U8>') <> ''",
    "upper(launch_digest) = '<D>' COLLATE NOCASE",
]
"""True for a digest."""


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_digest_is_found(asked: Asked, condition: str) -> None:
    query = f"SELECT DISTINCT launch_digest FROM launch_digests WHERE {condition}"
    assert asked.answer(query) == [(asked.digest,)]


QUERIES = [
    "SELECT count(*) FROM (SELECT hex(launch_digest) AS h FROM launch_digests) JOIN (SELECT '<U>' AS h) USING (h)",
    "WITH a AS (SELECT y || '<U>' AS launch_digest FROM (VALUES ('0x')) p(y)) "
    "SELECT count(*) FROM launch_digests JOIN a USING (launch_digest)",
    "SELECT count(*) FROM launch_digests NATURAL JOIN (SELECT unhex(x) AS launch_digest FROM (VALUES ('<U>')) t(x))",
    "WITH a AS (SELECT launch_digest::BLOB AS launch_digest FROM launch_digests) "
    "SELECT count(*) FROM a JOIN configurations USING (launch_digest)",
    "SELECT count(*) FROM (SELECT hex(launch_digest) FROM launch_digests INTERSECT SELECT '<U>')",
    "SELECT count(*) FROM (SELECT unhex(launch_digest) FROM launch_digests INTERSECT SELECT unhex('<U>'))",
    "SELECT count(*) FROM (SELECT launch_digest::BLOB FROM launch_digests INTERSECT SELECT '<D>'::BLOB)",
    "SELECT count(*) FROM (SELECT launch_digest FROM launch_digests INTERSECT SELECT '0x<U>')",
    "SELECT count(*) FROM (VALUES ('<U8>', '<REST>')) t(a, b) JOIN launch_digests ON launch_digest = a || b",
    "SELECT count(*) FROM (VALUES ('<U8>')) t(a) JOIN launch_digests ON starts_with(launch_digest, a)",
    "SELECT count(*) FROM (SELECT launch_digest AS name FROM launch_digests) WHERE name LIKE '<U8>%'",
    "SELECT count(*) FROM (SELECT upper(launch_digest) AS name FROM launch_digests) WHERE name IN ('0x<D>')",
    "WITH a AS (SELECT upper(launch_digest) AS launch_digest FROM launch_digests) "
    "SELECT count(*) FROM a WHERE launch_digest = '0x<U>'",
    "SELECT count(*) FROM launch_digests AS t(z) WHERE left(z, 8) = '<U8>'",
    "SELECT count(*) FROM (SELECT * RENAME (launch_digest AS z) FROM launch_digests) WHERE z = '0x<U>'",
    "SELECT count(*) FROM (SELECT 'x' AS q UNION SELECT launch_digest FROM launch_digests) WHERE q = '0x<U>'",
    "SELECT count(*) FROM (SELECT list(launch_digest) AS r FROM launch_digests) WHERE list_contains(r, '<U>')",
    "SELECT count(*) FROM (SELECT {'k': launch_digest} AS s FROM launch_digests) WHERE s.k = '0x<U>'",
    "SET VARIABLE v = upper('<D>'); SELECT count(*) FROM launch_digests WHERE launch_digest = getvariable('v')",
    "SET VARIABLE v = '<U8>%'; SELECT count(*) FROM launch_digests WHERE launch_digest LIKE getvariable('v')",
    "PREPARE p AS SELECT count(*) FROM launch_digests WHERE launch_digest = $1; EXECUTE p(upper('<D>'))",
    "PREPARE q AS SELECT count(*) FROM launch_digests WHERE launch_digest = $1; EXECUTE q('<U>')",
    "CREATE MACRO m1(h) AS TABLE FROM launch_digests WHERE hex(launch_digest) = h; SELECT count(*) FROM m1('<U>')",
    "CREATE TEMP TABLE t1 AS FROM launch_digests WHERE launch_digest = upper('<D>'); SELECT count(*) FROM t1",
    "CREATE TEMP TABLE t2 AS SELECT launch_digest AS k FROM launch_digests; SELECT count(*) FROM t2 WHERE k = '0x<U>'",
    "PIVOT (SELECT 1 AS a FROM launch_digests WHERE launch_digest = '<U>') ON a USING count(*)",
]
"""Each counts a digest."""


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_a_digest(asked: Asked, query: str) -> None:
    ((*_, count),) = asked.answer(query)
    assert int(str(count)) > 0


def test_duckdb_on_the_database_gives_the_same(asked: Asked, small: BuildResult, tmp_path: Path) -> None:
    write_database(Catalog.open(small.folder), tmp_path / "views.duckdb")
    with duckdb.connect(tmp_path / "views.duckdb", read_only=True) as connection:
        for condition in (
            *("launch_digest IN ('<U>')", "launch_digest LIKE '<U8>%'", "hex(launch_digest) = '<D>'"),
            *(one for one in CONDITIONS if "hex(launch_digest)" in one and "0x" not in one),
        ):
            query = asked.written(f"SELECT DISTINCT launch_digest FROM configurations WHERE {condition}")
            assert connection.execute(query).fetchall() == [(asked.digest,)] == asked.answer(query), condition


LITERALS = [
    *("'{U}'", "'0x{U}'", "' {U} '", "length('0x{U}')", "x'{U}'", "typeof(x'{U}')", "octet_length('{L}'::BLOB)"),
    *(
        "sha256('{L}')",
        "sha256(x'{U}')",
        "md5('{L}')",
        "base64('{L}'::BLOB)",
        "hex('{L}')",
        "hex('{U}')",
        "unhex('{L}')",
    ),
    *("'{U}' = '{L}'", "'{U}' || 'x'", "'0x' || '{L}'", "concat('0x', '{L}')", "upper('{L}')", "lower('{U}')"),
    *("'{U}' = 'abc'", "'{U}' LIKE 'A%'", "regexp_matches('{U}', 'A')", "replace('{U}', 'A', 'z')", "'{U}'[1]"),
    *("decode(x'{T}')", "x'{T}'::VARCHAR", "unhex('{U}')::VARCHAR", "MAP {{'{U}': 1, '{L}': 2}}", "nullif('a', '{U}')"),
    *("'{U}' IN (SELECT 'foo')", "['{U}', '0x{L}']", "list_contains(['0x{U}'], '{L}')", "{{'0x{U}': '0x{U}'}}"),
]


@pytest.mark.parametrize("expression", LITERALS)
def test_literals_that_are_compared_with_no_hash_are_as_written(asked: Asked, expression: str) -> None:
    query = "SELECT " + expression.format(U=UPPER, L=LOWER, T=TEXT_AS_HEX)
    with duckdb.connect() as connection:
        assert asked.answer(query) == connection.execute(query).fetchall()


OTHER_VALUES = [
    "SELECT x FROM (VALUES ('0x{U}')) t(x) WHERE x LIKE '0x%'",
    "SELECT count(DISTINCT x) FROM (VALUES ('{U}'), ('{L}'), ('0x{L}')) t(x)",
    "SELECT x FROM (VALUES ('foo'), ('0x{U}')) t(x) WHERE x IN ('foo', '0x{U}')",
    "SELECT sha256 FROM (VALUES ('foo'), ('0x{U}')) t(sha256) WHERE sha256 = '0x{U}'",
    "SELECT sha256 FROM (VALUES ('foo'), ('{U}')) t(sha256) WHERE sha256 = 'foo'",
    "SELECT sha256 FROM (VALUES (5)) t(sha256) WHERE sha256 = 5",
    "SELECT sha256 FROM (SELECT 'foo' AS sha256 UNION SELECT 'bar') WHERE sha256 = 'foo'",
    "CREATE TEMP TABLE {table} AS SELECT 'foo' AS sha256; SELECT * FROM {table} WHERE sha256 = 'foo'",
]


@pytest.mark.parametrize("query", OTHER_VALUES)
def test_values_with_the_name_of_a_hash_are_as_in_duckdb(asked: Asked, query: str) -> None:
    written = query.format(U=UPPER, L=LOWER, table="made")
    with duckdb.connect() as connection:
        assert asked.answer(written) == connection.execute(written).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT coalesce(kernel_hashes_sha256, 'none') AS k FROM launch_digests GROUP BY k HAVING k = 'none'",
        "SELECT 1 FROM launch_digests WHERE ifnull(kernel_hashes_sha256, 'none') IN ('none')",
        "SELECT 1 FROM (SELECT lag(launch_digest, 1, 'none') OVER () AS p FROM launch_digests) WHERE p = 'none'",
        "WITH a AS (SELECT launch_digest AS id FROM launch_digests), b AS (SELECT 5 AS id) FROM b WHERE b.id = 5",
        "SELECT 1 FROM (SELECT launch_digest AS v FROM launch_digests) a, (SELECT 'x' AS v) b WHERE b.v = 'x'",
        "SELECT 1 FROM (SELECT launch_digest FROM launch_digests UNION SELECT 'x') WHERE launch_digest = 'x'",
        "SELECT 1 FROM firmware WHERE sha256 > ''",
        "SELECT 1 FROM launch_digests WHERE hex(vcpus) = '1'",
    ],
)
def test_what_need_not_be_a_hash_is_compared_with_other_text(asked: Asked, query: str) -> None:
    assert asked.answer(query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT 1 FROM launch_digests WHERE upper('<D8>') = launch_digest", "is not a hash of"),
        ("SELECT 1 FROM launch_digests WHERE regexp_matches(launch_digest, '^0x<U8>')", "is not a hash of"),
        ("SELECT 1 FROM launch_digests WHERE COLUMNS('launch_digest') = unhex('<D>')", "a BLOB is compared"),
        ("SELECT 1 FROM firmware WHERE sha256 IN (SELECT 5)", "a value of type"),
        ("CREATE MACRO m2(h) AS TABLE FROM launch_digests WHERE launch_digest = h; FROM m2('0x<D>')", "is a macro"),
    ],
)
def test_what_cannot_be_right_is_an_error(asked: Asked, query: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        asked.answer(query)
