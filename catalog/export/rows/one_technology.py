"""Selects rows of a catalog: finds the one technology that a selection is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import UsageError
from catalog.export.exported import SEV_SNP, TDX
from catalog.export.rows.export_search import MOST_DIGESTS, select_in
from catalog.export.rows.rules import Rule
from catalog.export.rows.selection import Selected, Selection
from catalog.log.revocation_list import Revocation
from catalog.store.catalog import Catalog


def select(
    catalog: Catalog,
    selection: Selection,
    allowed: frozenset[Rule],
    revocations: Sequence[Revocation],
    most: int = MOST_DIGESTS,
) -> Selected:
    """Judge the rows that are selected: those under a VMM, or those with launch digests of one technology.

    Raises UsageError for digests of several technologies, whose consumers keep them apart; and as `select_in`.
    """
    if not selection.digests:
        profile = catalog.profiles.get(selection.fields.get("vmm", ""))
        technology = TDX if profile and profile.tdx else SEV_SNP
        return select_in(catalog, technology, selection, allowed, revocations, most)
    found = select_in(catalog, SEV_SNP, selection, allowed, revocations, most)
    if not found.missing:
        return found
    rest = replace(selection, digests=tuple(found.missing))
    more = select_in(catalog, TDX, rest, allowed, revocations, most)
    if found.count and more.count:
        raise UsageError(
            "launch digests of SEV-SNP and of TDX are selected",
            "export those of one technology at a time: its readers know each by another name",
        )
    return more if more.count else found
