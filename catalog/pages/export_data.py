"""What pages need to offer exports: what prevents the export of a launch digest, and the formats.

The rules of `ldcat export` decide here, for each combination of components; scripts only read what they decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer
from catalog.errors import UsageError
from catalog.export.export_made import check_source
from catalog.export.exported import TECHNOLOGIES
from catalog.export.rows.export_rows import DIGEST_SIZE
from catalog.export.rows.export_search import select_in
from catalog.export.rows.rules import HOSTED, REVOKED, RULES, Rule, allowed_rules, component_rules, of_digest, worst
from catalog.export.rows.selection import Selection
from catalog.pages.offered_formats import exported_technologies, formats_for, offered_formats
from catalog.rows.fields import COMPONENTS
from catalog.store.catalog import Catalog

_OTHER = f"only launch digests of {' and '.join(TECHNOLOGIES.values())} are exported"
_COMPONENTS = tuple(field.name for field in COMPONENTS)
_ALLOWED = allowed_rules((), several=False)
"""The rules that do not prevent the export of one launch digest without any option."""


def exports_data(catalog: Catalog) -> dict[str, Any]:
    """The part `exports` of page.json.

    prevented: what prevents every export of this catalog, or null.
    technologies: those whose rows are exported; other: why others are not.
    formats: as `offered_formats`.
    rules: texts; of several, the first one is told. revoked, hosted: the places of these rules, of which the second
        one counts only if it is told of all rows with a digest.
    images: places of rules or null: by technology, by what identifies an image, then by VMM profile ("" for those
        that are not listed), with kernel hashes and without.
    bases: place of a rule, by launch digest of a base.
    """
    return {
        "prevented": _of_catalog(catalog),
        "technologies": exported_technologies(catalog),
        "other": _OTHER,
        "formats": offered_formats(catalog),
        "rules": [rule.why for rule in RULES],
        "revoked": RULES.index(REVOKED),
        "hosted": RULES.index(HOSTED),
        "images": {
            technology: {key.hex(): _image(catalog, technology, key) for key in catalog.firmware}
            for technology in exported_technologies(catalog)
        },
        "bases": {key.hex(): _place(_rules(catalog, base_digest=key)) for key in catalog.bases},
    }


def not_exported(catalog: Catalog, digests: Iterable[LaunchDigest]) -> dict[LaunchDigest, str | None]:
    """What prevents the export of each of these launch digests; None if nothing does.

    The answer says beside it why a digest is revoked.
    """
    wanted = list(digests)
    if prevented := _of_catalog(catalog):
        return dict.fromkeys(wanted, prevented)
    named = tuple(one.value for one in wanted if len(one.value) == DIGEST_SIZE)
    told = {
        digest: str(replace(objection, said=None))
        for technology in (TECHNOLOGIES if named else ())
        for digest, objection in select_in(
            catalog, technology, Selection(named), _ALLOWED, catalog.revocations
        ).refused.items()
    }
    return {one: told.get(one.value) if len(one.value) == DIGEST_SIZE else _OTHER for one in wanted}


def answer_not_exported(catalog: Catalog, answer: Answer) -> str | None:
    """What prevents the export of a launch digest that was looked up; None if nothing does.

    What is known of rows that were found decides without reading the Parquet files, which takes longer than the page.
    """
    digest, rows = answer.digest, (*answer.matches, *answer.inferred)
    assert digest is not None, "it is what was asked"  # noqa: S101
    if not rows or answer.endorsements or answer.reported or len(digest.value) != DIGEST_SIZE:
        return not_exported(catalog, [digest])[digest]
    rules = of_digest([_rules(catalog, **{name: row.row[name] for name in _COMPONENTS}) for row in rows])
    if any(row.revocation and row.revocation[0] == "revoked" for row in rows):
        rules |= {REVOKED}
    place = _place(rules)
    return _of_catalog(catalog) or (None if place is None else RULES[place].why)


def answer_exports(catalog: Catalog, answer: Answer) -> dict[str, Any]:
    """What is offered for a launch digest that was looked up. why: what prevents its export, or None.

    groups: formats that take it, by their readers; refused: those that do not; each as `formats_for` has it.
    """
    why = answer_not_exported(catalog, answer)
    if why is not None:
        return {"why": why}
    formats = formats_for(catalog, {name: answer.matches[0].row[name] for name in _COMPONENTS})
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in formats:
        if one["refused"] is None:
            groups.setdefault(one["readers"], []).append(one)
    return {"why": None, "groups": groups, "refused": [one for one in formats if one["refused"] is not None]}


def _of_catalog(catalog: Catalog) -> str | None:
    try:
        check_source(catalog, ())
    except UsageError as error:
        return str(error).replace(catalog.location, "this catalog")  # visitors need not know the folder
    return None


def _image(catalog: Catalog, technology: str, key: bytes) -> dict[str, list[int | None]]:
    tables = (next(iter(catalog.kernel_hashes), None), None)  # any table: rules differ with and without one
    hosted = [name for name, profile in catalog.profiles.items() if profile.wire.hosted]
    return {
        vmm or "": [
            _place(_rules(catalog, technology=technology, firmware_sha256=key, kernel_hashes_sha256=table, vmm=vmm))
            for table in tables
        ]
        for vmm in (None, *hosted)
    }


def _rules(catalog: Catalog, **values: bytes | str | None) -> frozenset[Rule]:
    row = {**dict.fromkeys(_COMPONENTS), **values}
    return component_rules(catalog, row, catalog.endorsements.revocations)


def _place(rules: Collection[Rule]) -> int | None:
    """The place in RULES of the worst rule that prevents an export."""
    found = worst(frozenset(rules) - _ALLOWED)
    return None if found is None else RULES.index(found)
