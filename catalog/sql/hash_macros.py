r"""Macros by which a query brings what it compares to the form of hash columns, and knows a hash by its collation.

ldcat_is_hash(x): whether x has the collation of hash columns, so that DuckDB says it when it binds a query.
ldcat_hash(x): a BLOB or a text as hash columns have it, if it is a hash after 0x or \x, or as DuckDB prints a BLOB.
ldcat_bytes(x): the bytes of a hash in a hash column. ldcat_blob_of(x): those of a hash in any spelling.
ldcat_literal(x, written, hash), ldcat_blob(x, written, hash): what is compared with x, which is a hash or not.
ldcat_pattern(x, p), ldcat_folded(x, y): a regular expression, and a text, that ignores case in a hash.
"""

from __future__ import annotations

_DIGITS = "[0-9a-f]{64}|[0-9a-f]{96}"

MACROS = (
    "CREATE MACRO ldcat_is_hash(x) AS CASE WHEN true THEN 'A' ELSE x::VARCHAR END = 'a'",
    "CREATE MACRO ldcat_text(x) AS trim(CASE WHEN typeof(x) = 'BLOB' "
    f"AND NOT regexp_full_match(x::VARCHAR, '(0x)?({_DIGITS})', 'i') THEN system.main.hex(x) "
    "WHEN typeof(x) SIMILAR TO 'BLOB|VARCHAR|JSON|\"NULL\"|ENUM.*' THEN x::VARCHAR "
    "ELSE error('a hash is compared with a value of type ' || typeof(x)) END)",
    "CREATE MACRO ldcat_hash_of_text(t) AS CASE "
    rf"WHEN regexp_full_match(t, '((0|\\)x)?({_DIGITS})', 'i') "
    r"THEN lower(CASE WHEN length(t) IN (66, 98) THEN t[3:] ELSE t END) "
    r"WHEN contains(lower(t), '\x') AND octet_length(TRY_CAST(t AS BLOB)) IN (32, 48) "
    "THEN lower(system.main.hex(TRY_CAST(t AS BLOB))) ELSE t END",
    "CREATE MACRO ldcat_hash(x) AS ldcat_hash_of_text(ldcat_text(x))",
    "CREATE MACRO ldcat_hashes(list) AS list_transform(list, lambda one: ldcat_hash(one))",
    "CREATE MACRO ldcat_bytes(x) AS CASE WHEN typeof(x) = 'VARCHAR' "
    f"AND regexp_full_match(x::VARCHAR, '{_DIGITS}') THEN unhex(x::VARCHAR) ELSE x::BLOB END",
    "CREATE MACRO ldcat_blob_of(x) AS ldcat_bytes(ldcat_hash(x))",
    "CREATE MACRO ldcat_literal(x, written, hash) AS CASE WHEN ldcat_is_hash(x) THEN hash ELSE written END",
    "CREATE MACRO ldcat_blob(x, written, hash) AS CASE WHEN ldcat_is_hash(x) "
    "THEN error('a BLOB is compared with a hash, which is text: ' || hash) ELSE written END",
    "CREATE MACRO ldcat_pattern(x, p) AS CASE WHEN ldcat_is_hash(x) THEN '(?i)' || p ELSE p END",
    "CREATE MACRO ldcat_folded(x, y) AS CASE WHEN ldcat_is_hash(x) THEN lower(y) ELSE y END",
)
