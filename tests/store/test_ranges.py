"""Range files: every row is in the file of its digest, unchanged; invalid range files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.build import generation
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput, MalformedRecord, UsageError
from catalog.store import ranges
from catalog.store.catalog import Catalog
from catalog.store.ranges import AXES, FRAGMENT, INDEX, MAX_READ, MOST, RangeIndex, make_ranges
from tests.support.catalogs import made, rows_of
from tests.support.samples import SMALL


def written(built: BuildResult) -> dict[str, bytes]:
    return dict(make_ranges(Catalog.open(built.folder), lambda _: None))


def listed(built: BuildResult) -> list[tuple[Any, ...]]:
    """Digest and inputs of each row, from the catalog."""

    def plain(value: Any) -> Any:
        return value.hex() if isinstance(value, bytes) else value

    return sorted((digest, *map(str, map(plain, inputs))) for inputs, digest in rows_of(built).items())


def found(files: dict[str, bytes], digests: set[bytes]) -> list[tuple[Any, ...]]:
    """Digest and inputs of each row, from the range files."""
    index = RangeIndex.parse(files[INDEX])
    return sorted(
        (digest, *(str(row[axis]) for axis in AXES))
        for digest in digests
        for row in index.find(files[index.name(digest)], digest)
    )


@pytest.mark.parametrize(("part", "most"), [(1 << 21, MOST), (1 << 21, 200), (8, MOST), (4, 60)])
def test_every_row_is_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, most: int) -> None:
    monkeypatch.setattr(generation, "ROWS_PER_PART", part)
    monkeypatch.setattr(ranges, "MOST", most)
    built = made(tmp_path, SMALL)
    files = written(built)
    expected = listed(built)
    assert found(files, {row[0] for row in expected}) == expected
    index = RangeIndex.parse(files[INDEX])
    assert list(files) == [*(index.file(number) for number in range(1 << index.prefix_bits)), INDEX]
    assert (index.prefix_bits > 0) == (most < MOST)
    assert sum(len(data) for name, data in files.items() if name != INDEX) == index.entry_size * len(expected)
    assert not index.find(files[index.name(bytes(48))], bytes(48))


def test_range_files_of_the_default_catalog_hide_which_row_is_requested(default: BuildResult) -> None:
    files = written(default)
    index = RangeIndex.parse(files.pop(INDEX))
    sizes = [len(data) for data in files.values()]
    assert max(sizes) <= MOST
    assert min(sizes) >= 257 * index.entry_size  # the requested one, and 2**8 others
    assert sum(sizes) == index.entry_size * sum(entry.rows for entry in default.manifest.technologies.values())


def test_the_same_catalog_gives_the_same_files(small: BuildResult) -> None:
    assert written(small) == written(small)


def test_distinguished_digests_cannot_be_listed(tmp_path: Path) -> None:
    built = made(tmp_path, SMALL.replace("[technologies.sev-snp]", "[technologies.sev-snp]\ndistinguished_bits = 2"))
    with pytest.raises(UsageError, match="the catalog keeps distinguished digests only of sev-snp"):
        written(built)


def test_invalid_range_files_are_refused(small: BuildResult) -> None:
    files = written(small)
    text = json.loads(files[INDEX])
    index = RangeIndex.parse(files[INDEX])
    changes: list[dict[str, Any]] = [
        {"format": "ldcat-range/2"},
        {"entry_size": FRAGMENT},
        {"prefix_bits": 33},
        {"prefix_bits": -1},
        {"more": 1},
        {"vcpus": [1 << 20]},
    ]
    for change in changes:
        with pytest.raises(MalformedRecord):
            RangeIndex.parse(json.dumps({**text, **change}).encode())
    digest = next(iter(rows_of(small).values()))
    with pytest.raises(MalformedInput):
        index.find(bytes(index.entry_size + 1), digest)
    with pytest.raises(MalformedInput):
        index.find(bytes(index.entry_size * MAX_READ), digest)
    with pytest.raises(MalformedInput, match="a row outside the axes of its index"):
        index.find(digest[:FRAGMENT] + b"\xff" * (index.entry_size - FRAGMENT), digest)


@given(st.binary(max_size=200), st.binary(min_size=48, max_size=48))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes, digest: bytes) -> None:
    index = RangeIndex(
        manifest_sha256="",
        prefix_bits=0,
        entry_size=FRAGMENT + 1,
        axes={
            "technology": ["sev"],
            "firmware_sha256": ["00"],
            "kernel_hashes_sha256": [None],
            "vmm": [None, "a"],
            "vcpu_signature": [None],
            "sev_features": [None],
            "vcpus": [None, 1, 2],
        },
    )
    try:
        rows = index.find(data, digest)
    except LdcatError:
        return
    assert len(rows) <= len(data) // index.entry_size
