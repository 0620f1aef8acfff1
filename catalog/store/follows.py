"""Derived data: what in a catalog follows from what, as one list of checks for builds, audits and readers.

A build checks the files that it wrote before it puts them in place, `ldcat audit` and `ldcat rebuild` check a published
catalog, and a component file is checked before it is used. Origins, names and launchability follow from nothing: they
are claims of the publisher (docs/adr/0017).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import Any

from catalog.abi.kernel_table import cmdline_fault, table_fault
from catalog.errors import LdcatError
from catalog.fast.names import Names
from catalog.fast.verity import DamagedBlock, VerifiedBytes
from catalog.firmware.tdx.tdx_record import facts_json, parse_facts
from catalog.imports.endorsed_facts import Base
from catalog.launch.technology import technologies, technology_named
from catalog.rows.endorsed_record import contradictions
from catalog.spec.catalog_spec import parse_spec
from catalog.spec.cross_product import cross_product
from catalog.store import manifest
from catalog.store.component_names import component_names
from catalog.store.component_rows import SINCE_PARTS, firmware_row, launchable_rows
from catalog.store.components import Components
from catalog.store.endorsements import read_endorsements
from catalog.store.fact_columns import FOLLOW, fact_faults
from catalog.store.index.index_faults import index_faults

_NAMED = 5
"""Most faults of one kind that are listed; the others are counted."""

_SHOWN = 200
"""Most characters of a text in a message."""

_KINDS = ("images", "kernel hashes tables", "VMM profiles", "vCPU types", "bases")

Faults = Iterator[str]


@dataclass(frozen=True, slots=True)
class Derived:
    """One thing that is derived, and its check.

    name: the columns, bytes or counts that are derived.
    file: the file that has them; a folder stands for all files in it.
    source: what they are derived from.
    faults: the check; a line for each fault.
    large: whether the check takes as long as building the catalog.
    of_rows: whether it reads the rows of technologies, whose names the check then takes besides.
    """

    name: str
    file: str
    source: str
    faults: Callable[..., Faults]
    large: bool = False
    of_rows: bool = False


def all_faults(components: Components, right: Container[str] = ()) -> Iterator[tuple[Derived, str]]:
    """All faults of all checks; an error that stops a check is a fault, too.

    right: technologies whose rows and index are known to be right, and are not read again.
    """
    rest = [name for name in components.manifest.known if name not in right]
    for derived in FOLLOWS:
        for fault in _guarded(derived.faults(components, *([rest] if derived.of_rows else []))):
            yield derived, fault


def faults(components: Components, file: str | None = None) -> Iterator[tuple[Derived, str]]:
    """The faults of one file; without `file`, those of all checks that are not `large`.

    Raises as `Components`: Unreadable, VerificationFailed, MalformedRecord.
    """
    for derived in FOLLOWS:
        if file == derived.file or (file is None and not derived.large):
            for fault in derived.faults(components):
                yield derived, fault


def _guarded(found: Faults) -> Faults:
    try:
        yield from islice(found, _NAMED)
        if more := sum(1 for _ in found):
            yield f"and {more:,} more"
    except LdcatError as failure:
        yield str(failure)


def _table(components: Components) -> Faults:
    yield from filter(None, (table_fault(row, hashlib.sha256) for row in components.kernel_hashes))


def _command_line(components: Components) -> Faults:
    yield from filter(None, (cmdline_fault(row, hashlib.sha256) for row in components.kernel_hashes))


def _columns(components: Components) -> Faults:
    lacking = {name for name in SINCE_PARTS if all(row[name] is None for row in components.firmware)}
    for row, build in zip(components.firmware, components.builds, strict=True):
        made = {**firmware_row(build), "record": row["record"], **dict.fromkeys(lacking)}
        if other := [name for name, value in made.items() if row[name] != value]:
            yield f"{row['name']!r}: {', '.join(other)}: not what its record says"
    for name, count in Counter(row["name"] for row in components.firmware).items():
        if count > 1:
            yield f"{name!r}: {count} builds have this name"


def _tdx_facts(components: Components) -> Faults:
    """Facts of one build each, in the canonical form. Raises MalformedRecord for another one."""
    builds = {row["name"] for row in components.firmware}
    for row in components.tdx_firmware:
        if row["name"] not in builds:
            yield f"{row['name']!r} is no build, or has facts twice"
        builds.discard(row["name"])
        if facts_json(parse_facts(row["tdx"], f"{row['name']!r}")) != row["tdx"]:
            yield f"{row['name']!r}: not in canonical form"


def _launchable(components: Components) -> Faults:
    made = launchable_rows(components.builds, components.manifest.technologies)
    for row, expected in zip_longest(components.launchable, made, fillvalue={"firmware": "", "technology": ""}):
        if row != expected:
            yield f"{row['firmware']!r}, {row['technology']}: not what the record of {expected['firmware']!r} says"


def _profile_names(components: Components) -> Faults:
    for file, profile in components.profiles.items():
        folders = {manifest.vmm_folder(name) for name in profile.technologies if name in technologies()}
        if file not in {f"{folder}/{profile.name}.toml" for folder in folders}:
            yield f"{file} is the profile {profile.name!r}"
    for name, count in Counter(profile.name for profile in components.profiles.values()).items():
        if count > 1:
            yield f"{name!r}: {count} profiles have this name"


def _bases(components: Components) -> Faults:
    """Bases with one digest have the same facts, and each has a name of its own."""
    first: dict[bytes, Base] = {}
    for base in components.bases:
        known = first.setdefault(base.digest, base)
        if replace(base, name=None, endorser=known.endorser) != replace(known, name=None):
            yield f"{base.label!r}: other facts than those of {known.label!r}, which has the same launch digest"
    for name, count in Counter(base.label for base in components.bases).items():
        if count > 1:
            yield f"{name!r}: {count} bases have this name"


def _names(components: Components) -> Faults:
    """The component names, compared byte for byte, in the version that each file has."""
    known = [name for name in components.manifest.known if manifest.names_file(name) != manifest.NAMES]
    for technology in (None, *known):
        file = manifest.names_file(technology) if technology else manifest.NAMES
        data = components.verified(file)
        _, made = component_names(
            components.builds,
            () if technology else components.kernels,
            components.profiles_of(technology),
            components.vcpu_types,
            [technology] if technology else components.manifest.technologies,
            () if technology else components.bases,
            int.from_bytes(data[8:12], "little"),
        )
        if data != made:
            try:
                yield _first_difference(Names(VerifiedBytes(data)), Names(VerifiedBytes(made)))
            except DamagedBlock as fault:
                yield str(fault)


def _first_difference(there: Names, made: Names) -> str:
    """The first difference between two files of component names, in words."""
    for kind, what in enumerate(_KINDS[: len(made.counts)]):
        if there.counts[kind] != made.counts[kind]:
            return f"{there.counts[kind]:,} {what}, and the components have {made.counts[kind]:,}"
        for number in range(made.counts[kind]):
            pairs = zip_longest(there.record(kind, number), made.record(kind, number), fillvalue="nothing")
            for shown, follows in pairs:
                if shown != follows:
                    return f"{what}, record {number}: {_short(shown)} instead of {_short(follows)}"
    return "the same records in another form"


def _short(text: str | None) -> str:
    """A text of any length, quoted and shortened for one line."""
    return repr(text) if text is None or len(text) <= _SHOWN else f"{text[:_SHOWN]!r} and more"


def _rows(components: Components) -> Faults:
    tables: tuple[tuple[str, list[Any]], ...] = (
        (manifest.FIRMWARE, components.firmware),
        (manifest.LAUNCHABLE, components.launchable),
        (manifest.KERNEL_HASHES, components.kernel_hashes),
        *([(manifest.BASES, components.bases)] if manifest.BASES in components.manifest.files else []),
        *([(manifest.TDX_FIRMWARE, components.tdx_firmware)] if manifest.TDX in components.manifest.known else []),
    )
    for name, rows in tables:
        if (stated := components.manifest.files[name].rows) != len(rows):
            yield f"{name}: {stated} rows, and it has {len(rows):,}"


def _endorsed(components: Components) -> Faults:
    """Raises MalformedRecord for another form."""
    for one, _, name in contradictions(read_endorsements(components).records):
        yield f"{one.launch_digest}: two records of {_short(one.endorser_id)} contradict each other in {name}"


def _digest_sizes(components: Components) -> Faults:
    for name, entry in components.manifest.known.items():
        if entry.digest_size != technology_named(name).digest_size:
            yield f"{name}: {entry.digest_size} bytes is not the size of a launch digest"


def _spec(components: Components) -> Faults:
    """Name, technologies, and the numbers of rows and of left-out points; the reasons for these are not compared.

    A spec with a technology of a later version cannot be read: audits report that it was not checked.
    """
    stated = components.manifest
    if stated.unknown:
        return
    text = components.verified(manifest.SPEC)
    profiles = {profile.name: profile for profile in components.profiles.values()}
    spec = parse_spec(text, components.builds, components.kernels, profiles, components.vcpu_types, components.bases)
    if spec.name != stated.name:
        yield f"the name {stated.name!r}, and the spec is {spec.name!r}"
    if set(spec.axes) != set(stated.technologies):
        yield f"technologies {', '.join(stated.technologies)}, and the spec has {', '.join(sorted(spec.axes))}"
        return
    product = cross_product(spec)
    rows, left, left_stated = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for sweep in product.sweeps:
        rows[sweep.config.technology] += len(sweep.vcpus)
    for one in product.left_out:
        left[one.technology, one.firmware] += one.points
    for entry in stated.left_out:
        left_stated[entry.technology, entry.firmware] += entry.points
    for name in stated.technologies:
        if stated.technologies[name].rows != rows[name]:
            yield f"{stated.technologies[name].rows:,} rows of {name}, and the spec gives {rows[name]:,}"
    for key in sorted({*left, *left_stated}):
        if left[key] != left_stated[key]:
            points = left_stated[key]
            yield f"{points:,} points of {key[0]} and {key[1]!r} are left out, and the spec gives {left[key]:,}"


FOLLOWS = (
    Derived("table_sha256", manifest.KERNEL_HASHES, "kernel_sha256, initrd_sha256, cmdline_sha256", _table),
    Derived("cmdline_sha256", manifest.KERNEL_HASHES, "append", _command_line),
    Derived("every other column", manifest.FIRMWARE, "record", _columns),
    Derived("every row", manifest.TDX_FIRMWARE, "the rules of TDX facts", _tdx_facts),
    Derived("every row", manifest.LAUNCHABLE, "the records of builds", _launchable),
    Derived("facts of equal digests, names", manifest.BASES, "the other bases", _bases),
    Derived("the name of each file", manifest.VMM_FOLDER, "the profile in it", _profile_names),
    Derived("every byte", manifest.NAMES, "all other components", _names),
    Derived("rows of the component tables", manifest.NAME, "these", _rows),
    Derived("every line", manifest.ENDORSED, "the rules of endorsed digests", _endorsed),
    Derived("digest_size", manifest.NAME, "the technology", _digest_sizes),
    Derived("name, technologies, rows, left_out", manifest.NAME, "spec and components", _spec, large=True),
    Derived(", ".join(FOLLOW), "launch_digests*.parquet", "inputs of the row", fact_faults, large=True, of_rows=True),
    Derived(
        "every entry", "launch_digests.index", "digests and inputs of the rows", index_faults, large=True, of_rows=True
    ),
)
"""Every check of derived data, except of launch digests and leaves, which audits recompute."""
