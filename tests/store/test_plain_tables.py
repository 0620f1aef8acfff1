"""Component tables read without pyarrow: the same rows, and one error for whatever is not such a table."""

from __future__ import annotations

import random
import sys
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.store.catalog import Catalog
from catalog.store.component_rows import COLUMNS
from catalog.store.component_tables import SCHEMAS
from catalog.store.manifest import FileEntry, Manifest
from catalog.store.plain.component_reader import read_component
from catalog.store.plain.parquet_columns import ParquetFile
from catalog.store.plain.thrift_compact import Malformed, Reader

pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")

VALUES = {
    "text": st.text(max_size=20),
    "hash": st.binary(min_size=32, max_size=32),
    "uint16": st.integers(0, 2**16 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
}


LONG = ("sha384", "snp_baseline")


class OneFile:
    """A catalog with one file."""

    def __init__(self, data: bytes, rows: int, name: str) -> None:
        self._data = data
        entry = FileEntry(sha256="0" * 64, size=len(data), rows=rows)
        self.manifest = Manifest(format="", name="", generator="", technologies={}, files={name: entry}, left_out=[])

    def verified(self, name: str) -> bytes:
        return self._data


@pytest.mark.parametrize("name", COLUMNS)
def test_the_tables_of_the_default_catalog(name: str, default: BuildResult) -> None:
    catalog = Catalog.open(default.folder)
    assert read_component(catalog, name) == catalog.components._rows(name)


def _columns(name: str) -> st.SearchStrategy[list[dict[str, object]]]:
    row = {
        one.name: VALUES[one.kind] if not one.nullable else st.none() | VALUES[one.kind]
        for one in COLUMNS[name]
        if one.name not in LONG
    }
    long = {one.name: st.binary(min_size=48, max_size=48) for one in COLUMNS[name] if one.name in LONG}
    return st.lists(st.fixed_dictionaries(row | long), min_size=1, max_size=20)


@settings(max_examples=15)
@given(
    st.sampled_from(list(COLUMNS)).flatmap(lambda name: st.tuples(st.just(name), _columns(name))),
    st.sampled_from(["ZSTD", "NONE"]),
    st.booleans(),
    st.sampled_from([1, 7, 1000]),
)
def test_any_table(case: tuple[str, list[dict[str, object]]], packed: str, dictionary: bool, group: int) -> None:
    name, rows = case
    rows = [{one.name: row[one.name] for one in COLUMNS[name]} for row in rows]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pylist(rows, SCHEMAS[name]),
        sink,
        compression=packed,
        use_dictionary=dictionary,
        row_group_size=group,
        data_page_size=64,
        store_schema=False,
    )
    assert read_component(OneFile(sink.getvalue().to_pybytes(), len(rows), name), name) == rows


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_damage_is_one_error(seed: int, changes: int) -> None:
    """Sizes, counts and depths in the file promise what they want: it is refused, or read."""
    name, chance = "components/bases.parquet", random.Random(seed)
    row = {"launch_digest": bytes(32), "technology": "sev", "endorser_scheme": "e", "vmm": None}
    rows = [row | {"name": f"n{number}", "vcpus": number} for number in range(5)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMAS[name]), sink, compression="ZSTD", store_schema=False)
    data = bytearray(sink.getvalue().to_pybytes())
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    cut = bytes(data[: chance.choice((len(data), len(data), 40))])
    with suppress(MalformedRecord):
        assert len(read_component(OneFile(cut, 5, name), name)) == 5


def test_what_a_table_must_be() -> None:
    name = "components/launchable.parquet"
    wanted = {one.name: ["x", "y"] for one in COLUMNS[name]}

    def written(table: pa.Table, rows: int = 2) -> OneFile:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="ZSTD", store_schema=False)
        return OneFile(sink.getvalue().to_pybytes(), rows, name)

    assert len(read_component(written(pa.table(wanted)), name)) == 2  # nullable columns, as in older catalogs
    for table, rows in (
        (pa.table(wanted), 3),
        (pa.table(wanted | {"reason": ["x", None]}), 2),
        (pa.table({**wanted, "more": ["x", "y"]}), 2),
        (pa.table(wanted | {"source": [b"\xff", b"y"]}), 2),
        (pa.table(wanted | {"source": [["x"], ["y"]]}), 2),
        (pa.table(wanted | {"source": [1, 2]}), 2),
    ):
        with pytest.raises(MalformedRecord):
            read_component(written(table, rows), name)


def test_a_dictionary_larger_than_its_rows_is_refused() -> None:
    """A few bytes may unpack to many values that no row has."""
    values = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([str(n) for n in range(1000)]))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"name": values}), sink, compression="zstd")
    with pytest.raises(Malformed, match="its dictionary has more values than there are rows"):
        ParquetFile(sink.getvalue().to_pybytes(), 1).columns()


def test_tables_of_older_catalogs() -> None:
    """Hashes of fixed length or in hex, and no baselines."""
    name = "components/firmware.parquet"
    row: dict[str, object] = {one.name: "x" for one in COLUMNS[name] if one.kind == "text"} | {"size": 7}
    row |= {"sha256": bytes(32), "sha384": bytes(48), "package_sha256": bytes(32)}
    kept = [field for field in SCHEMAS[name] if field.name not in ("snp_baseline", "firmware_version")]
    sizes = {"sha256": 32, "sha384": 48, "package_sha256": 32}
    older = pa.schema(
        [field.with_type(pa.binary(sizes[field.name])) if field.name in sizes else field for field in kept]
    )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([row], older), sink, compression="ZSTD", store_schema=False)
    (found,) = read_component(OneFile(sink.getvalue().to_pybytes(), 1, name), name)
    assert found == row | {"snp_baseline": None, "firmware_version": None}


@given(st.binary(max_size=200))
def test_thrift_of_any_bytes(data: bytes) -> None:
    reader = Reader(data)
    try:
        found = reader.struct()
    except Malformed:
        return
    assert isinstance(found, dict)
    assert reader.at <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1PAR1",
        b"PAR1\x00\x00\x00\x00PAR1",
        b"PAR1\xff\xff\xff\xffPAR1",
        b"PAR1" + bytes([0x19] * 40) + (40).to_bytes(4, "little") + b"PAR1",
        b"PAR1" + b"\x1c" * 100 + (100).to_bytes(4, "little") + b"PAR1",
    ],
)
def test_no_footer(data: bytes) -> None:
    with pytest.raises(Malformed):
        ParquetFile(data, 1)
