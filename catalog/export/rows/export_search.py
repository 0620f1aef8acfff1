"""Searches a catalog for the rows of a selection, part by part, and judges them by the rules.

A consumer compares launch digests and nothing else, so whatever speaks against one configuration speaks against every
configuration with its digest, whether that is selected or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from catalog.ask.revoked_rows import selected_rows, with_revocations
from catalog.errors import UsageError
from catalog.export.exported import TDX
from catalog.export.rows.component_kinds import BIT, ComponentKinds, rules_of
from catalog.export.rows.export_rows import NUMBERS, ArrowRows, distinct_digests
from catalog.export.rows.row_tables import bare_table, bits_of, rows_of, whole_digests
from catalog.export.rows.rules import (
    DEPRECATED,
    REVOKED,
    RULES,
    Rule,
    endorsed_rules,
    endorsement_rules,
    revocation_reason,
    worst,
)
from catalog.export.rows.selection import Objection, Selected, Selection, selector_of
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.rows.fields import RECORD
from catalog.spec import embedded
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import DigestPart, digest_parts, find_part

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DIGESTS = 1_000_000
"""Launch digests of an export."""

_MOST_EXPLAINED = 100
"""Launch digests of which the configuration is named that prevents their export."""

_COLUMNS = tuple(field.name for field in RECORD)


def select_in(
    catalog: Catalog,
    technology: str,
    selection: Selection,
    allowed: frozenset[Rule],
    revocations: Sequence[Revocation],
    most: int = MOST_DIGESTS,
) -> Selected:
    """Judge the rows of a technology that are selected.

    allowed: rules that do not prevent an export. revocations: of the log, the newest last.
    Raises UnknownName, UsageError for a catalog without all its digests and for more than `most` digests, and as
    reading the files of the catalog.
    """
    if (entry := catalog.manifest.technologies.get(technology)) and not entry.parts:
        raise UsageError(
            f"{catalog.location} keeps distinguished digests only, and an export needs all rows",
            "build the catalog without distinguished_bits, and export from that",
        )
    search = _Search(catalog, technology, selection, allowed, revocations, most)
    for table in search.tables():
        search.judge(table)
    search.add_endorsed()
    return search.result()


_SIGNATURE = "vcpu_signature"


class _Search:
    """A search through the parts of a catalog; see `select_in`."""

    def __init__(
        self,
        catalog: Catalog,
        technology: str,
        selection: Selection,
        allowed: frozenset[Rule],
        revocations: Sequence[Revocation],
        most: int,
    ) -> None:
        self._catalog, self._technology, self._selection, self._most = catalog, technology, selection, most
        self._revocations = revocations
        self._selector = None if selection.digests else selector_of(catalog, selection)
        self._allowed = allowed
        self._in_log_order = Revocations(revocations)
        self._kinds = ComponentKinds(catalog, technology, self._in_log_order)
        records = catalog.endorsements.records if revocations else ()
        self._endorsed = endorsement_rules(records, technology, self._in_log_order)
        self._kept: list[pa.Table] = []
        self._exported: Counter[Rule] = Counter()
        self._left_out: Counter[Objection] = Counter()
        self._refused: dict[bytes, Objection] = {}
        self._reasons: set[str | None] = set()
        """Why digests are revoked, in the words of the publisher; None: it is not known."""
        self._found: set[bytes] = set()
        """Of the named digests."""
        self._count = 0
        """Launch digests that are kept."""

    def tables(self) -> Iterator[pa.Table]:
        """All rows that can be selected, a row group at a time; no two tables have rows of the same digest."""
        parts = digest_parts(self._catalog, self._technology)
        if not self._selection.digests:
            for part in parts:
                yield from whole_digests(part.groups(_COLUMNS))
            return
        by_part: dict[str, tuple[DigestPart, list[bytes]]] = {}
        for digest in self._selection.digests if parts else ():
            part = find_part(parts, digest)
            by_part.setdefault(part.name, (part, []))[1].append(digest)
        for part, digests in by_part.values():
            yield from whole_digests(part.groups(_COLUMNS, digests=digests))

    def judge(self, table: pa.Table) -> None:
        """Sort the selected rows of a table into exported and left out. All rows of each digest are in the table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = table.filter(self._mask(table))
        if not chosen.num_rows:
            return
        digests = pc.unique(chosen["launch_digest"])
        chosen = self._with_bits(chosen)
        same = pc.is_in(table["launch_digest"], value_set=digests)
        every = self._with_bits(table.filter(same)) if pc.sum(same).as_py() > chosen.num_rows else chosen
        own = bits_of(digests, chosen)
        all_of = pc.bit_wise_or(own, bits_of(digests, every))
        self._add(digests, own, all_of, every)
        forbidden = pc.bit_wise_and(all_of, ~sum(BIT[rule] for rule in self._allowed))
        kept = digests.filter(pc.equal(forbidden, 0))
        if len(kept) < len(digests):
            chosen = chosen.filter(pc.is_in(chosen["launch_digest"], value_set=kept))
            revoked = every.filter(pc.not_equal(pc.bit_wise_and(every["bits"], BIT[REVOKED]), 0))
            self._reasons.update(pc.unique(revoked["reason"]).to_pylist())
        self._kept.append(pa.table({name: chosen[name] for name in ("launch_digest", "components", *NUMBERS)}))
        if self._selection.digests:
            self._found.update(digests.to_pylist())
            self._refuse(digests.to_pylist(), own.to_pylist(), all_of.to_pylist(), every)
        self._count += len(kept)
        if self._count > self._most:
            raise UsageError(
                f"more than {self._most:,} launch digests are selected, which is the most of an export",
                "narrow the selection: --firmware, --kernel-hashes, --vcpu-type, --vcpus",
            )

    def add_endorsed(self) -> None:
        """Judge the named digests that no row has, and that somebody endorses."""
        import pyarrow as pa

        exported = []
        for digest in self._selection.digests:
            records = [one for one in self._catalog.endorsements.of(digest) if one.technology == self._technology]
            if digest in self._found or not records:
                continue
            self._found.add(digest)
            rules = endorsed_rules(records, self._in_log_order)
            if rule := worst(rules - self._allowed):
                said = revocation_reason(records, self._in_log_order) if rule is REVOKED else None
                self._refused[digest] = Objection(rule, said=said)
                self._left_out[Objection(rule)] += 1
                self._reasons.update({said} if rule is REVOKED else ())
            else:
                self._exported.update(rules)
                exported.append(digest)
        if exported:
            self._count += len(exported)
            kinds = pa.repeat(pa.scalar(self._kinds.unknown(), pa.int32()), len(exported))
            self._kept.append(bare_table(pa.array(exported, pa.binary(48)), kinds))

    def result(self) -> Selected:
        """What was found, sorted."""
        import pyarrow as pa
        import pyarrow.compute as pc

        empty = bare_table(pa.array([], pa.binary(48)), pa.array([], pa.int32()))
        table = pa.concat_tables([empty, *self._kept])
        order = pa.array(self._kinds.order(), pa.int32()).take(table["components"])
        keys = [(name, "ascending") for name in ("order", *NUMBERS, "launch_digest")]
        said = next(iter(self._reasons)) if len(self._reasons) == 1 else None
        left_out = {replace(one, said=said if one.rule is REVOKED else None): n for one, n in self._left_out.items()}
        places = pc.sort_indices(table.append_column("order", order), sort_keys=keys)
        table = table.take(places)
        return Selected(
            self._technology,
            ArrowRows(table, self._kinds.named()),
            distinct_digests(table, self._count),
            self._exported,
            left_out,
            self._refused,
            [digest for digest in self._selection.digests if digest not in self._found],
        )

    def _mask(self, table: pa.Table) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._selector is None:
            wanted = pa.array(self._selection.digests, table.schema.field("launch_digest").type)
            return pc.is_in(table["launch_digest"], value_set=wanted)
        mask = selected_rows(table, {name: value for name, value in self._selector.items() if name != _SIGNATURE})
        if _SIGNATURE in self._selector:
            own = selected_rows(table, {_SIGNATURE: self._selector[_SIGNATURE]})
            mask = pc.and_(mask, self._or_not_measured(own, table[_SIGNATURE]))
        if self._selection.vcpus is not None:
            counts = pa.array(sorted(self._selection.vcpus), table.schema.field("vcpus").type)
            mask = pc.and_(mask, self._or_not_measured(pc.is_in(table["vcpus"], value_set=counts), table["vcpus"]))
        return mask

    def _or_not_measured(self, mask: Any, column: Any) -> Any:
        """Under TDX, and loaders of IGVM files, a digest that does not depend on vCPUs, or on their type, is of all."""
        import pyarrow.compute as pc

        is_of_all = self._technology == TDX or (self._selector or {}).get("vmm") in embedded.loaders()
        return pc.or_(mask, pc.is_null(column)) if is_of_all else mask

    def _with_bits(self, table: pa.Table) -> pa.Table:
        """The table with three more columns: its combination of components, the rules that speak against each row, and
        why it is revoked.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        kinds = self._kinds.of(table)
        bits = pa.array(self._kinds.bits, pa.int64()).take(kinds)
        reasons = pa.nulls(table.num_rows, pa.string())
        if self._revocations:
            judged = with_revocations(table, self._revocations)
            severity = judged["revocation"]
            reasons = pc.if_else(pc.equal(severity, "revoked"), judged["revocation_reason"], None)
            for name, rule in (("revoked", REVOKED), ("deprecated", DEPRECATED)):
                is_so = pc.fill_null(pc.equal(severity, name), False)
                bits = pc.bit_wise_or(bits, pc.if_else(is_so, BIT[rule], 0))
        if self._endorsed:
            endorsed = pa.array(self._endorsed, table.schema.field("launch_digest").type)
            of_each = [sum(BIT[rule] for rule in rules) for rules, _ in self._endorsed.values()]
            places = pc.index_in(table["launch_digest"], value_set=endorsed)
            bits = pc.bit_wise_or(bits, pc.fill_null(pa.array(of_each, pa.int64()).take(places), 0))
            said = pa.array([reason for _, reason in self._endorsed.values()], pa.string())
            reasons = pc.coalesce(reasons, said.take(places))
        return table.append_column("components", kinds).append_column("bits", bits).append_column("reason", reasons)

    def _add(self, digests: pa.Array, own: pa.Array, all_of: pa.Array, every: pa.Table) -> None:
        """Count digests by what speaks against them. every: all rows of these digests."""
        import pyarrow.compute as pc

        both = pc.bit_wise_or(all_of, pc.shift_left(own, len(RULES)))
        for one in pc.value_counts(both).to_pylist():
            of_own, of_all = divmod(one["values"], 1 << len(RULES))
            objection = self._objection(of_own, of_all)
            if objection is None:
                for rule in rules_of(of_all):
                    self._exported[rule] += one["counts"]
            elif objection in self._left_out:
                self._left_out[objection] += one["counts"]
            else:
                first = digests[pc.index(both, one["values"]).as_py()].as_py()
                which = self._worst_row(every, first, objection.rule) if objection.shared else None
                self._left_out[replace(objection, which=which)] = one["counts"]

    def _refuse(self, digests: Sequence[bytes], own: Sequence[int], all_of: Sequence[int], every: pa.Table) -> None:
        for digest, of_own, of_all in zip(digests, own, all_of, strict=True):
            if objection := self._objection(of_own, of_all):
                is_named = len(self._refused) < _MOST_EXPLAINED
                which = self._worst_row(every, digest, objection.rule) if is_named else None
                said = self._said(every, digest) if is_named and objection.rule is REVOKED else None
                self._refused[digest] = replace(objection, which=which, said=said)

    def _said(self, every: pa.Table, digest: bytes) -> str | None:
        """Why a digest is revoked, in the words of the publisher."""
        return next((one for one in rows_of(every, digest)["reason"].to_pylist() if one is not None), None)

    def _worst_row(self, every: pa.Table, digest: bytes, rule: Rule) -> str | None:
        """The components of a row with a digest that a rule speaks against; None if it speaks against all of them."""
        import pyarrow.compute as pc

        rows = rows_of(every, digest)
        worst_rows = rows.filter(pc.not_equal(pc.bit_wise_and(rows["bits"], BIT[rule]), 0))
        if worst_rows.num_rows == rows.num_rows:
            return None
        return self._kinds.text(worst_rows["components"][0].as_py())

    def _objection(self, own: int, all_of: int) -> Objection | None:
        rule = worst(rules_of(all_of) - self._allowed)
        return None if rule is None else Objection(rule, shared=rule not in rules_of(own))
