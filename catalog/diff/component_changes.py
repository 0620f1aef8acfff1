"""Components of two catalogs compared: builds, kernel hashes tables, VMM profiles, vCPU types, and what wrote them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from catalog.diff.flat import flat
from catalog.log.revocation_list import Revocation
from catalog.store import manifest
from catalog.store.catalog import Catalog

_SHORT = 16
"""Hex digits of a hash that says that something is another, and not what."""


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """kind, name: of the component. change: added, gone or changed. what: a line about what is another; else empty."""

    kind: str
    name: str
    change: str
    what: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def component_changes(old: Catalog, new: Catalog) -> list[ComponentChange]:
    """All of them, by kind and name; raises VerificationFailed, Unreadable, MalformedRecord for a damaged catalog."""
    return [
        *_changes("firmware", _builds(old), _builds(new)),
        *_changes("kernel hashes", _tables(old), _tables(new)),
        *_changes("VMM profile", _profiles(old), _profiles(new)),
        *_changes("vCPU types", *({"": {"SHA-256": _sha256(one, manifest.VCPU_TYPES)}} for one in (old, new))),
        *_changes("generator", *({"": {"name": one.manifest.generator}} for one in (old, new))),
        *_changes("unknown technology", *map(_unknown, (old, new))),
    ]


def revocation_changes(old: Sequence[Revocation], new: Sequence[Revocation]) -> list[ComponentChange]:
    """What a log, or another log, says of rows now, and did not before, or no more."""
    return [
        ComponentChange("revocation", one.meant, change, f"{one.severity}, {one.reason}")
        for change, said, other in (("gone", old, new), ("added", new, old))
        for one in said
        if one not in other
    ]


Facts = Mapping[str, Mapping[str, Any]]
"""By name, what is compared of a component: by what it is called."""


def _changes(kind: str, old: Facts, new: Facts) -> Iterator[ComponentChange]:
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            yield ComponentChange(kind, name, "added" if name in new else "gone")
        elif old[name] != new[name]:
            both = {**old[name], **new[name]}
            pairs = ((what, old[name].get(what, "none"), new[name].get(what, "none")) for what in both)
            parts = (f"{what} {before} is now {after}" for what, before, after in pairs if before != after)
            yield ComponentChange(kind, name, "changed", "; ".join(parts))


def _builds(catalog: Catalog) -> Facts:
    origins = {row["name"]: row for rows in catalog.firmware.values() for row in rows}
    return {
        name: {
            "SHA-256": build.component.sha256.hex(),
            "version": origins[name]["version"],
            "record": _record(catalog, name),
        }
        for name, build in catalog.builds.items()
    }


def _unknown(catalog: Catalog) -> Facts:
    """Of a technology that this version does not know no more is compared than whether its files are the same."""
    found = {}
    for technology, entry in catalog.manifest.unknown.items():
        files = (item for item in catalog.manifest.files.items() if item[0].startswith(f"{technology}/"))
        listed = "".join(f"{name} {one.sha256}\n" for name, one in sorted(files))
        sha256 = hashlib.sha256(listed.encode()).hexdigest()
        found[technology] = {"rows": f"{entry.rows:,}", "files": sha256[:_SHORT]}
    return found


def _record(catalog: Catalog, name: str) -> str:
    """What is known of the same image may change, too: a hash of it says so."""
    return hashlib.sha256(catalog.builds[name].to_toml().encode()).hexdigest()[:_SHORT]


def _tables(catalog: Catalog) -> Facts:
    return {
        row["name"]: {"SHA-256": table.hex(), "command line": repr(row["append"])}
        for table, rows in catalog.kernel_hashes.items()
        for row in rows
    }


def _profiles(catalog: Catalog) -> Facts:
    return {
        name: {
            **{what: _shown(what, value) for what, value in flat(msgspec.to_builtins(profile.wire)).items()},
            "file": _sha256(catalog, f"{manifest.VMM_FOLDER}/{name}.toml")[:_SHORT],
        }
        for name, profile in catalog.profiles.items()
    }


def _shown(name: str, value: Any) -> Any:
    """Numbers of the parts of a profile in 0x-hex, as its file has them."""
    return f"{value:#x}" if isinstance(value, int) and "." in name else value


def _sha256(catalog: Catalog, name: str) -> str:
    entry = catalog.manifest.files.get(name)
    return entry.sha256 if entry else "none"
