"""Queries that compare a column with a value, for tests of how values are written in SQL."""

from __future__ import annotations

COMPARISONS = {
    "=": "SELECT count(*) FROM {view} WHERE {column} = {value}",
    "reversed": "SELECT count(*) FROM {view} t WHERE {value} = t.{column}",
    "not <>": "SELECT count(*) FROM {view} WHERE NOT {column} <> {value}",
    "is": "SELECT count(*) FROM {view} WHERE {column} IS NOT DISTINCT FROM {value}",
    "in": "SELECT count(*) FROM {view} WHERE {column} IN ({value}, NULL)",
    "not in": "SELECT count(*) FROM {view} WHERE NOT ({column} NOT IN ({value}))",
    "between": "SELECT count(*) FROM {view} WHERE {column} BETWEEN {value} AND {value}",
    "order": "SELECT count(*) FROM {view} WHERE {column} >= {value} AND {column} <= {value}",
    "any": "SELECT count(*) FROM {view} WHERE {column} = ANY ([{value}])",
    "list": "SELECT count(*) FROM {view} WHERE list_contains([{value}], {column})",
    "in list": "SELECT count(*) FROM {view} WHERE {column} IN [{value}]",
    "row": "SELECT count(*) FROM {view} WHERE ({column}, 1) = ({value}, 1)",
    "in query": "SELECT count(*) FROM {view} WHERE {column} IN (SELECT {value})",
    "in values": "SELECT count(*) FROM {view} WHERE {column} IN (VALUES ({value}))",
    "scalar query": "SELECT count(*) FROM {view} WHERE {column} = (SELECT {value})",
    "join": "WITH asked AS (SELECT {value} AS x) SELECT count(*) FROM {view} t JOIN asked ON t.{column} = asked.x",
    "using": "WITH asked AS (SELECT {value} AS {column}) SELECT count(*) FROM {view} JOIN asked USING ({column})",
    "named": "SELECT count(*) FROM (SELECT {column} AS it FROM {view}) WHERE it = {value}",
    "renamed": "WITH w(it) AS (SELECT {column} FROM {view}) SELECT count(*) FROM w WHERE it = {value}",
    "case": "SELECT sum(CASE {column} WHEN {value} THEN 1 END) FROM {view}",
    "filter": "SELECT count(*) FILTER ({column} = {value}) FROM {view}",
    "coalesce": "SELECT count(*) FROM {view} WHERE coalesce({column}, 'none') = {value}",
    "nullif": "SELECT count(*) FROM {view} WHERE {column} IS NOT NULL AND nullif({column}, {value}) IS NULL",
    "like": "SELECT count(*) FROM {view} WHERE {column} LIKE {value}",
}
"""By name. Each counts the rows of {view} whose {column} is {value}."""
