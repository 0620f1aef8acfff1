"""Compares the components of two catalogs: builds, kernel hashes, VMM profiles, vCPU types, and the generator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from catalog.diff.flat import flat
from catalog.fast.match import endorser_text
from catalog.fast.match_text import NOT_KNOWN, command_line
from catalog.imports.endorsed_facts import Endorser
from catalog.log.revocation_list import Revocation
from catalog.store import manifest
from catalog.store.catalog import Catalog

_SHORT = 16
"""Hex digits of a hash that only shows that something changed."""


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """A change of a component.

    kind, name: of the component.
    change: added, gone or changed.
    what: one line about what changed; can be empty.
    """

    kind: str
    name: str
    change: str
    what: str = ""

    def to_dict(self) -> dict[str, Any]:
        """An element of `components` in the JSON of `ldcat diff`."""
        return asdict(self)


def component_changes(old: Catalog, new: Catalog) -> list[ComponentChange]:
    """All changes, by kind and name; raises VerificationFailed, Unreadable, MalformedRecord for a damaged catalog."""
    return [
        *_changes("firmware", _builds(old), _builds(new)),
        *_changes("base", _bases(old), _bases(new)),
        *_changes("kernel hashes", _tables(old), _tables(new)),
        *_changes("VMM profile", _profiles(old), _profiles(new)),
        *_changes("vCPU types", *({"": {"SHA-256": _sha256(one, manifest.VCPU_TYPES)}} for one in (old, new))),
        *_changes("generator", *({"": {"name": one.manifest.generator}} for one in (old, new))),
        *_changes("unknown technology", *map(_unknown, (old, new))),
    ]


def revocation_changes(old: Sequence[Revocation], new: Sequence[Revocation]) -> list[ComponentChange]:
    """Revocations that were added, or that are gone, as in another log."""
    return [
        ComponentChange("revocation", one.selector_text, change, f"{one.severity}, {one.reason}")
        for change, some, other in (("gone", old, new), ("added", new, old))
        for one in some
        if one not in other
    ]


Facts = Mapping[str, Mapping[str, Any]]
"""By name of a component, the values that are compared, by label."""


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
            "SHA-256": build.component.sha256.hex() if build.component.sha256 else NOT_KNOWN,
            **({"SNP baseline": one.hex()} if (one := build.component.snp_baseline) else {}),
            "version": origins[name]["version"],
            "record": _record(catalog, name),
        }
        for name, build in catalog.builds.items()
    }


def _bases(catalog: Catalog) -> Facts:
    return {
        base.label: {
            name.replace("_", " "): NOT_KNOWN if (value := getattr(base, name)) is None else _shown_fact(value)
            for name in ("digest", "vcpus", "vmm", "vcpu_type", "reset_vector", "sev_features", "product", "endorser")
        }
        for bases in catalog.bases.values()
        for base in bases
    }


def _shown_fact(value: Any) -> str:
    """A fact of a base: hashes in hex, an endorser as a lookup shows it."""
    if isinstance(value, Endorser):
        return endorser_text(asdict(value))
    return value.hex() if isinstance(value, bytes) else str(value)


def _unknown(catalog: Catalog) -> Facts:
    """Technologies that this version of ldcat does not know: only the hashes of their files are compared."""
    found = {}
    for technology, entry in catalog.manifest.unknown.items():
        files = (item for item in catalog.manifest.files.items() if item[0].startswith(f"{technology}/"))
        listed = "".join(f"{name} {one.sha256}\n" for name, one in sorted(files))
        sha256 = hashlib.sha256(listed.encode()).hexdigest()
        found[technology] = {"rows": f"{entry.rows:,}", "files": sha256[:_SHORT]}
    return found


def _record(catalog: Catalog, name: str) -> str:
    """A hash of the build's record, which can change while the image stays the same."""
    return hashlib.sha256(catalog.builds[name].to_toml().encode()).hexdigest()[:_SHORT]


def _tables(catalog: Catalog) -> Facts:
    return {
        row["name"]: {"SHA-256": table.hex(), "command line": command_line(row)}
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
    """A value of a profile; numbers in its tables are in 0x-hex, as in its file."""
    return f"{value:#x}" if isinstance(value, int) and "." in name else value


def _sha256(catalog: Catalog, name: str) -> str:
    entry = catalog.manifest.files.get(name)
    return entry.sha256 if entry else "none"
