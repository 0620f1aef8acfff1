"""SQL views over the Parquet files of a catalog, in memory or in a local DuckDB file, which is never published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import UsageError
from catalog.files.inputs import unreadable
from catalog.files.writer import beside, put
from catalog.rows.fields import BESIDE_COMPONENTS, COLUMNS, DIGEST
from catalog.rows.kinds import Bits
from catalog.store import manifest
from catalog.store.duckdb_scratch import refused
from catalog.store.manifest import Manifest
from catalog.store.parquet import check_footer, parquet_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from catalog.launch.profile import VmmProfile
    from catalog.store.catalog import Catalog

_SHOWN = ",\n       ".join(f"d.{field.name}" for field in BESIDE_COMPONENTS)

CONFIGURATIONS = f"""
SELECT d.launch_digest, d.technology, f.name AS firmware, f.firmware_version, b.name AS base,
       f.package, f.version AS package_version, k.name AS kernel_hashes, k.append,
       f.kernel_hashes_enforced, {_SHOWN},
       {{launchable}} AS launchable{{status}}
FROM launch_digests d
LEFT JOIN firmware f ON coalesce(f.sha256, f.snp_baseline) = coalesce(d.firmware_sha256, d.firmware_snp_baseline)
LEFT JOIN bases b ON b.launch_digest = d.base_digest
LEFT JOIN kernel_hashes k ON k.table_sha256 = d.kernel_hashes_sha256
LEFT JOIN launchable l ON l.firmware = f.name AND l.technology = d.technology
"""  # noqa: S608 - names of our own
"""Every row with the names of its components; what most queries read.

launchable: an expression of the verdict. status: further columns.
"""


_RECORD_COLUMNS = {
    "snp_baseline": """regexp_extract(record, '(?m)^snp_baseline = "([^"\\n]*)"$', 1) COLLATE NOCASE""",
    "firmware_version": """nullif(regexp_extract(record, '(?m)^firmware_version = "([^"\\n]*)"$', 1), '')""",
}
"""Columns of builds that older catalogs lack: each follows from a line of its own in the text of the record."""

_HEX = """
CREATE MACRO {name}(x) AS CASE WHEN CASE WHEN true THEN 'A' ELSE x::VARCHAR END = 'a'
AND regexp_full_match(x::VARCHAR, '[0-9a-f]{{64}}|[0-9a-f]{{96}}')
THEN upper(x::VARCHAR) ELSE system.main.hex(x) END COLLATE NOCASE
"""
"""hex() of a hash column, which is text: its digits, as they were when it was a BLOB (docs/adr/0024)."""

_ROWS = "launch_digests"
"""The view of all rows; the names of those of the technologies begin with it."""

ENDORSEMENTS = "endorsements"
"""The view of endorsed digests, which is empty for a catalog without any."""

_NEW = "new.duckdb"

_STORAGE: dict[str, Any] = {"storage_compatibility_version": "v1.4.0"}
"""The oldest DuckDB that opens the file."""

NO_ROWS = f"SELECT {', '.join(f'NULL::{field.kind.sql} AS {field.name}' for field in COLUMNS)} WHERE false"
"""An empty view: for a technology of which the catalog keeps distinguished digests only."""


BASES = "bases"
"""The view of bases."""

TDX_FIRMWARE = "tdx_firmware"
"""The view of the TDX facts of builds, in a catalog with rows of TDX."""

NO_BASES = """
SELECT NULL::VARCHAR AS name, NULL::BLOB AS launch_digest, NULL::VARCHAR AS technology, NULL::USMALLINT AS vcpus,
       NULL::UINTEGER AS reset_vector, NULL::VARCHAR AS product, NULL::VARCHAR AS vcpu_type, NULL::VARCHAR AS vmm,
       NULL::UBIGINT AS sev_features, NULL::VARCHAR AS endorser_scheme, NULL::VARCHAR AS endorser_id,
       NULL::VARCHAR AS endorser_feed, NULL::UBIGINT AS endorser_svn WHERE false
"""
"""An empty view of bases, with the columns of the table BASES of component_tables.py."""

_IN_HEX = {"reset_vector": Bits(32), "sev_features": Bits(64)}
"""Columns of bases that are bit fields, or addresses."""


def plain_views(catalog: Manifest) -> dict[str, list[str]]:
    """The views that read files of the catalog directly: name of the view to names of the files.

    Without a file: `NO_ROWS`, or `NO_BASES` for the view of bases.
    """
    return _digest_views(catalog) | {
        "firmware": [manifest.FIRMWARE],
        "launchable": [manifest.LAUNCHABLE],
        "kernel_hashes": [manifest.KERNEL_HASHES],
        BASES: [manifest.BASES] if manifest.BASES in catalog.files else [],
        **({TDX_FIRMWARE: [manifest.TDX_FIRMWARE]} if manifest.TDX in catalog.known else {}),
    }


def hash_columns(schema: pa.Schema) -> list[str]:
    """The columns of a file that are hashes: binary, with or without a dictionary."""
    import pyarrow as pa

    kinds = {field.name: field.type for field in schema}
    values = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()}
    return [name for name, kind in values.items() if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)]


def columns_as_text(view: str, schema: pa.Schema) -> str:
    """The select list of a view of a file: hashes are lower-case hex and bit fields 0x-hex, as every view has them.

    Rows have null in the optional columns that an older catalog lacks.
    """
    if view.startswith(_ROWS):
        columns = {
            field.name: field.kind.sql_text(field.name if field.name in schema.names else f"NULL::{field.kind.sql}")
            for field in COLUMNS
        }
        shown = [f"{text} AS {name}" for name, text in columns.items()]
        return ", ".join([*shown, *(name for name in schema.names if name not in columns)])
    quoted = ('"{}"'.format(name.replace('"', '""')) for name in hash_columns(schema))
    made = [f"{DIGEST.kind.sql_text(name)} AS {name}" for name in quoted]
    made += [f"{kind.sql_text(name)} AS {name}" for name, kind in _IN_HEX.items() if view == BASES]
    selected = f"* REPLACE ({', '.join(made)})" if made else "*"
    if "record" in schema.names:
        lacking = (name for name in _RECORD_COLUMNS if name not in schema.names)
        selected = ", ".join([selected, *(f"{_RECORD_COLUMNS[name]} AS {name}" for name in lacking)])
    return selected


def create_endorsements(connection: Any, table: pa.Table, *, stored: bool = False) -> None:
    """Create the view of endorsed digests; `stored`: as a table, because no file that DuckDB reads has them.

    table: of endorsement_table.py.
    """
    shown = connection.from_arrow(table).project(columns_as_text(ENDORSEMENTS, table.schema))
    shown.create(ENDORSEMENTS) if stored else shown.create_view(ENDORSEMENTS)


def create_joins(
    connection: Any, catalog: Manifest, profiles: Iterable[VmmProfile], *, published: bool = False
) -> None:
    """Create the views launch_digests and configurations over those of `plain_views`, and the macro hex.

    profiles: of the catalog.
    published: whether the rows have the columns of revocations (ask/revoked_rows.py).
    """
    for name in ("hex", "to_hex"):
        connection.execute(_HEX.format(name=name))
    status = ", d.revocation, d.revocation_reason" if published else ""
    union = " UNION ALL ".join(f"SELECT * FROM {view}" for view in _digest_views(catalog))  # noqa: S608
    connection.execute(f"CREATE VIEW launch_digests AS {union or _nothing_as_text(connection, _ROWS, published)}")
    view = CONFIGURATIONS.format(status=status, launchable=_launchable(profiles))
    connection.execute(f"CREATE VIEW configurations AS {view}")


def _launchable(profiles: Iterable[VmmProfile]) -> str:
    """The verdict of a row as SQL: the recorded one, unless its VMM is hosted and launches other firmware.

    Null for a row that follows from a base: its firmware is not known.
    """
    hosted = [(quoted(profile.name), quoted(profile.wire.hosted)) for profile in profiles if profile.wire.hosted]
    cases = "".join(f"WHEN d.vmm = {vmm} AND f.distribution IS DISTINCT FROM {by} THEN 'no' " for vmm, by in hosted)
    return f"CASE WHEN f.name IS NULL THEN NULL {cases}ELSE l.verdict END" if cases else "l.verdict"


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'{}'".format(text.replace("'", "''"))


def write_database(catalog: Catalog, path: Path) -> None:
    """Write a DuckDB file with views over the Parquet files of a catalog, by absolute path, and a copy of its
    endorsed digests.

    Raises UsageError if there is a file already, Unreadable if the system refuses, MalformedRecord for a file that is
    not Parquet.
    """
    import duckdb

    from catalog.store.endorsement_table import endorsement_table

    try:
        with beside(path) as made:
            with refused(path), duckdb.connect(made / _NEW, config=_STORAGE) as connection:
                _create_views(connection, catalog)
                table = endorsement_table(catalog.endorsements, published=False)
                create_endorsements(connection, table, stored=True)
                connection.execute("CHECKPOINT")  # an error while it closes would be lost
            put(made / _NEW, path)
    except FileExistsError as error:
        raise UsageError(f"{path} already exists", "remove it first: it can be written again at any time") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _create_views(connection: Any, catalog: Catalog) -> None:
    import pyarrow.parquet as pq

    folder = catalog.folder
    for view, names in plain_views(catalog.manifest).items():
        if not names:
            connection.execute(f"CREATE VIEW {view} AS {_nothing_as_text(connection, view)}")
            continue
        for name in names:
            with parquet_errors(name):
                check_footer(pq.read_metadata(folder / name), catalog.manifest.files[name], name)
        paths = ", ".join(quoted(str((folder / name).resolve())) for name in names)
        text = columns_as_text(view, pq.read_schema(folder / names[0]))
        connection.execute(f"CREATE VIEW {view} AS SELECT {text} FROM read_parquet([{paths}])")  # noqa: S608
    create_joins(connection, catalog.manifest, catalog.profiles.values())


def nothing(view: str) -> str:
    """A query without rows, for a view that no file is there for."""
    return NO_BASES if view == BASES else NO_ROWS


def _nothing_as_text(connection: Any, view: str, published: bool = False) -> str:
    """An empty view, with the columns of one that has rows."""
    columns = columns_as_text(view, connection.sql(nothing(view)).to_arrow_table().schema)
    status = ", NULL::VARCHAR AS revocation, NULL::VARCHAR AS revocation_reason" if published else ""
    return f"SELECT {columns}{status} FROM ({nothing(view)})"  # noqa: S608


def digest_view(technology: str) -> str:
    """Name of the view of the rows of a technology."""
    return f"{_ROWS}_{technology.replace('-', '_')}"


def _digest_views(catalog: Manifest) -> dict[str, list[str]]:
    return {
        digest_view(technology): manifest.part_names(technology, entry.parts)
        for technology, entry in catalog.known.items()
    }
