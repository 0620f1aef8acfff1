"""Recomputes the derived columns of launch digests, such as hashes of VMSA pages, and compares them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from catalog.errors import LdcatError, MalformedRecord
from catalog.rows.fields import BY_NAME, COLUMNS, FACT, FACTS, INPUTS, identity
from catalog.rows.launch_config import LaunchComponents
from catalog.store.combinations import combinations
from catalog.store.components import Components
from catalog.store.digest_parts import DigestPart, digest_parts

_FOLLOW = tuple(field for field in COLUMNS if field.role == FACT)
FOLLOW = tuple(field.name for field in _FOLLOW)
_FROM = tuple(
    dict.fromkeys(
        [field.name for field in INPUTS if field.name not in ("kernel_hashes_sha256", "vcpus")]
        + [name for fact in FACTS for name in fact.input_names]
    )
)

_ENCODED = [name for name in (*_FROM, *FOLLOW) if BY_NAME[name].kind.arrow in ("string", "binary")]
"""Columns that are read as dictionaries, as they are stored."""


def fact_faults(components: Components, technologies: Collection[str] | None = None) -> Iterator[str]:
    """A line for each part of these technologies, by default all, and combination of inputs, with a wrong value.

    Invalid parts, and rows with a component that the catalog lacks, are reported by other checks.
    """
    known = LaunchComponents(
        {build.component.key: build.component for build in components.builds},
        {kernel.hashes.table_sha256: kernel.hashes for kernel in components.kernels},
        {profile.name: profile for profile in components.profiles.values()},
        components.launch_bases,
    )
    for technology in components.manifest.known if technologies is None else technologies:
        for part in digest_parts(components, technology):
            for row in _combinations(part):
                if names := _false(row, known):
                    which = f"{identity(row).hex()[:16]}, {row['vmm']}"
                    yield f"{part.name}: {which}: {names}: not what its inputs give"


def _false(row: Mapping[str, Any], known: LaunchComponents) -> str:
    """Names of the wrong columns of a row; empty if all are right."""
    inputs = {name: row.get(name) for name in (*_FROM, "kernel_hashes_sha256")}
    try:
        config = known.config({**inputs, "vcpus": None if row["vmm"] is None else 1 if row["alone"] else 2})
    except LdcatError:
        return ""
    try:
        follow = {field.name: field.value(config) for field in _FOLLOW}
    except LdcatError:  # no launch, and so no page
        follow = dict.fromkeys(row)
    return ", ".join(field.name for field in _FOLLOW if field.name in row and row[field.name] != follow[field.name])


def _combinations(part: DigestPart) -> Iterator[dict[str, Any]]:
    """Each combination of inputs, `alone` (whether vcpus is 1) and derived columns that occurs, once.

    An optional column that is null in every row is left out: older catalogs lack it.
    """
    import pyarrow.compute as pc

    try:
        table = part.table([*_FROM, "vcpus", *FOLLOW], encoded=_ENCODED)
    except MalformedRecord:
        return
    lacking = [field.name for field in FACTS if field.optional and table[field.name].null_count == len(table)]
    table = table.append_column("alone", pc.fill_null(pc.equal(table["vcpus"], 1), False))
    table = table.drop_columns(["vcpus", *lacking])
    _, firsts = combinations([column.combine_chunks() for column in table.columns])
    yield from table.take(firsts).to_pylist()
