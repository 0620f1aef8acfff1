"""Diff: what changed from one catalog to another: rows with other inputs, or another digest for the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from catalog.diff.axis_changes import AXES, Values, axis_changes, collect_values, listed
from catalog.diff.component_changes import ComponentChange, component_changes, revocation_changes
from catalog.diff.endorsement_changes import EndorsementChange, endorsement_changes
from catalog.diff.heat import UNCHANGED, Heat, heat
from catalog.diff.key_changes import key_changes
from catalog.diff.row_changes import ADDED, FACTS, INPUTS, REVOCATIONS, RULE_CHANGED, WITHDRAWN, comparable, row_changes
from catalog.log.revocation_list import revocations_at
from catalog.rows.fields import BY_NAME, IDENTITY
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import read_axes
from catalog.transparency.trust import Trust
from catalog.verify.consistency import continuation
from catalog.work.progress import Progress

CHANGE_COLUMNS = ("change", "technology", *INPUTS, *FACTS, "old_digest", "new_digest", "revocation")
"""Columns of a row that differs."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of one image, or of one base, under one technology that changed in the same way.

    change: added, withdrawn, rule-changed, revoked, deprecated or restored.
    technology: name.
    identity: what identifies the image or the base, in hex, by the name of its field.
    names: of the builds with this image, or of the base.
    rows: number of rows.
    values: values of each axis, sorted.
    fresh: those values that the other catalog does not have with this image and technology.
    alone: true if the other catalog has no rows of this image and technology.
    """

    change: str
    technology: str
    identity: Mapping[str, str]
    names: tuple[str, ...]
    rows: int
    values: Mapping[str, Sequence[str | int | None]]
    fresh: Mapping[str, Sequence[str | int | None]]
    alone: bool

    @property
    def label(self) -> str:
        """Its names, or what identifies it if it has none."""
        return ", ".join(self.names) or "".join(self.identity.values())

    def summary(self, kernels: Mapping[str, str]) -> str:
        """One line about its rows. kernels: names of kernel hashes tables by SHA-256."""
        many = f"{self.rows:,} {'digest' if self.rows == 1 else 'digests'}"
        if self.change == RULE_CHANGED:
            return f"{many} of the same inputs"
        if self.change in REVOCATIONS:
            return f"{many}, {self.change}"
        word = "new" if self.change == ADDED else "gone"
        if self.alone:
            what = "base" if "base_digest" in self.identity else "image and technology"
            return f"{many}: the other catalog has none of this {what}"
        if not self.fresh:
            return f"{many}: combinations that are {word}"
        parts = (f"{AXES[axis]} {listed(axis, values, kernels)}" for axis, values in self.fresh.items())
        return f"{many}; only {' and '.join(parts)} are {word}"

    def to_dict(self) -> dict[str, Any]:
        """An element of `groups` in the JSON of `ldcat diff`."""
        return {
            "change": self.change,
            "technology": self.technology,
            "firmware": list(self.names),
            "firmware_sha256": None,
            **self.identity,
            "rows": self.rows,
            "values": _in_json(self.values),
            "only_in_one": _in_json(self.fresh),
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one catalog to another.

    history: how the two checkpoints are related; None unless both catalogs are published.
    components: changes of components, axes, revocations and keys.
    endorsements: changes of endorsed digests.
    groups: changed rows, by change, technology and image.
    counts: number of rows by change, unchanged ones included.
    heat: the counts by image and axes.
    born_revoked: added and rule-changed rows that the log of the new catalog revokes or deprecates.
    uncompared: technologies of which one catalog keeps distinguished digests only.
    unknown: technologies of a later version of ldcat, of which only the files are compared.
    kernels: names of kernel hashes tables by SHA-256.
    """

    history: str | None
    components: Sequence[ComponentChange]
    endorsements: Sequence[EndorsementChange]
    groups: Sequence[RowGroup]
    counts: Mapping[str, int]
    heat: Heat
    born_revoked: int
    uncompared: Sequence[str]
    unknown: Sequence[str]
    kernels: Mapping[str, str]

    @property
    def same(self) -> bool:
        """True if both have the same components, endorsed digests and rows."""
        return not self.components and not self.endorsements and not self.groups

    def why(self) -> str | None:
        """What may have changed digests of the same inputs; None if no digest changed so."""
        if not self.counts[RULE_CHANGED]:
            return None
        rules = [one for one in self.components if one.change == "changed" and one.kind in ("VMM profile", "generator")]
        rules += [one for one in self.components if one.kind == "firmware" and one.what.startswith("record ")]
        causes = "; ".join(f"{one.kind} {one.name}: {one.what}".replace(" :", ":") for one in rules)
        return causes or "nothing in the catalogs explains it"

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat diff`, without the rows."""
        return {
            "same": self.same,
            "history": self.history,
            "counts": dict(self.counts),
            "born_revoked": self.born_revoked,
            "rule_changed_because": self.why(),
            "components": [one.to_dict() for one in self.components],
            "endorsements": [one.to_dict() for one in self.endorsements],
            "groups": [group.to_dict() for group in self.groups],
            "uncompared": list(self.uncompared),
            "unknown_technologies": list(self.unknown),
        }


@contextmanager
def diff(
    old: Catalog, new: Catalog, progress: Progress, trust: Trust | None = None
) -> Iterator[tuple[Diff, Iterator[dict[str, Any]]]]:
    """The diff, and all changed rows as JSON objects, to be read while the context is open.

    progress: receives numbers of rows.
    trust: the keys that count, for two releases.

    Raises VerificationFailed for inconsistent checkpoints of one log, and for a catalog that does not match its
    manifest; Unreadable, MalformedRecord.
    """
    both = (old.release, new.release) if old.release and new.release else None
    history = continuation(*both) if both else None
    before, after = (revocations_at(one.release) if one.release else () for one in (old, new))
    components = [*component_changes(old, new), *revocation_changes(before, after)]
    components += key_changes(*both, trust) if both else ()
    endorsements = sorted(endorsement_changes(old, new, (before, after)), key=lambda one: one.order)
    compared, uncompared = comparable(old, new)
    axes = [read_axes(one, compared) for one in (old, new)]
    values = [collect_values(one) for one in axes]
    components += axis_changes(*values)
    with row_changes(old, new, (before, after), progress) as connection:
        groups = _groups(connection, old, new, values)
        counts = dict.fromkeys((ADDED, WITHDRAWN, RULE_CHANGED, UNCHANGED, *REVOCATIONS), 0)
        for group in groups:
            counts[group.change] += group.rows
        every = sum(entry.rows for name, entry in new.manifest.technologies.items() if name in compared)
        counts[UNCHANGED] = every - counts[ADDED] - counts[RULE_CHANGED]
        found = Diff(
            history=history,
            components=components,
            endorsements=endorsements,
            groups=groups,
            counts=counts,
            heat=heat(connection, axes[1], (new, old)),
            born_revoked=_born_revoked(connection),
            uncompared=uncompared,
            unknown=sorted({*old.manifest.unknown, *new.manifest.unknown}),
            kernels=_kernel_names(old, new),
        )
        yield found, _rows(connection)


def _born_revoked(connection: Any) -> int:
    counted = "SELECT count(*) FROM changes WHERE change IN (?, ?) AND revocation IS NOT NULL"
    (count,) = connection.execute(counted, [ADDED, RULE_CHANGED]).fetchone()
    return int(count)


def _groups(connection: Any, old: Catalog, new: Catalog, values_of_both: Sequence[Values]) -> list[RowGroup]:
    columns = ", ".join(f"list(DISTINCT {axis})" for axis in AXES)
    kind, identity = "change, technology", ", ".join(IDENTITY)
    found = connection.execute(
        f"SELECT {kind}, {identity}, count(*), {columns} FROM changes "  # noqa: S608 - ours
        f"GROUP BY {kind}, {identity} ORDER BY {kind}, {identity}"
    ).fetchall()
    has = dict(zip((ADDED, WITHDRAWN), values_of_both, strict=True))
    names = [_names(catalog) for catalog in (new, old)]
    groups = []
    for change, technology, sha256, baseline, base, rows, *lists in found:
        key = sha256 or baseline or base
        values = {
            axis: sorted(map(_plain, listed), key=lambda value: (value is not None, value))
            for axis, listed in zip(AXES, lists, strict=True)
        }
        other = has.get(change, {}).get((technology, key.hex()))
        fresh = {
            axis: [value for value in values[axis] if value not in other[axis]] for axis in AXES if other is not None
        }
        groups.append(
            RowGroup(
                change=change,
                technology=technology,
                identity={
                    name: value.hex() for name, value in zip(IDENTITY, (sha256, baseline, base), strict=True) if value
                },
                names=names[0].get(key) or names[1].get(key, ()),
                rows=rows,
                values=values,
                fresh={axis: found for axis, found in fresh.items() if found},
                alone=other is None,
            )
        )
    return sorted(groups, key=lambda group: (group.change, group.technology, group.names, group.label))


def _rows(connection: Any) -> Iterator[dict[str, Any]]:
    result = connection.execute(f"SELECT {', '.join(CHANGE_COLUMNS)} FROM changes ORDER BY ALL")  # noqa: S608 - our names
    while rows := result.fetchmany(10_000):
        for row in rows:
            yield {name: _text(name, value) for name, value in zip(CHANGE_COLUMNS, row, strict=True)}


def _in_json(values: Mapping[str, Sequence[str | int | None]]) -> dict[str, list[Any]]:
    """Values by axis, with bit fields in 0x-hex; hashes are text already."""
    return {
        axis: [BY_NAME[axis].text(value) if isinstance(value, int) else value for value in listed]
        for axis, listed in values.items()
    }


def _text(column: str, value: Any) -> Any:
    """A value of CHANGE_COLUMNS as it is in JSON."""
    return BY_NAME[column].text(value) if column in BY_NAME else _plain(value)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _names(catalog: Catalog) -> Mapping[bytes, tuple[str, ...]]:
    builds = {image: tuple(row["name"] for row in rows) for image, rows in catalog.firmware.items()}
    return builds | {digest: tuple(base.label for base in bases) for digest, bases in catalog.bases.items()}


def _kernel_names(*catalogs: Catalog) -> Mapping[str, str]:
    return {table.hex(): rows[0]["name"] for catalog in catalogs for table, rows in catalog.kernel_hashes.items()}
