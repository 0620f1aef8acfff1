"""Makes an export: the rows of a catalog that may be exported, or the reason why they may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import NotExported, UnknownDigest, UsageError
from catalog.export.exported import TECHNOLOGIES, Export, Source
from catalog.export.rows.export_search import MOST_DIGESTS
from catalog.export.rows.one_technology import select
from catalog.export.rows.rules import OPTIONS, RULES, allowed_rules, count_digests, notes_on
from catalog.export.rows.selection import Objection, Selected, Selection
from catalog.export.settings import Settings
from catalog.log.log_reader import read_release_record
from catalog.log.revocation_list import Revocation
from catalog.notes import Note
from catalog.rows.unknown import NEWER
from catalog.store.catalog import Catalog

LOCAL = "--unpublished"
"""The option without which a catalog that is not published is not exported."""
_SHOWN = 3
"""Launch digests that an error names."""


@dataclass(frozen=True, slots=True)
class MadeExport:
    """An export.

    notes: what was left out, and what is exported because an option allows it.
    missing: named launch digests that the catalog does not have.
    """

    export: Export
    notes: Sequence[Note]
    missing: Sequence[bytes] = ()


def make_export(
    catalog: Catalog,
    selection: Selection,
    options: Collection[str],
    settings: Settings,
    *,
    now: int,
    named_may_lack: bool = False,
    most: int = MOST_DIGESTS,
) -> MadeExport:
    """The export of what is selected in a catalog, which is verified when it is opened.

    options: of OPTIONS and LOCAL, those that are given. now: seconds since 1970.
    named_may_lack: named launch digests that are missing or may not be exported are left out, as those of other
    selections are.
    most: launch digests.

    Raises NotExported if nothing is left, or a named launch digest may not be exported; UsageError for a local catalog
    without LOCAL, for an empty selection, and for a log that this version knows in part; and as `select`.
    """
    check_source(catalog, options)
    found = selected(catalog, selection, options, catalog.revocations, most)
    if not named_may_lack:
        _check_named(catalog, found)
    if not found.digests:
        raise _nothing_left(catalog, found)
    source = _source(catalog, selection, options, now)
    return MadeExport(
        Export(found.rows, found.digests, settings, source, found.technology),
        [*_source_notes(catalog), *_left_out_notes(found.left_out), *notes_on(found.exported), *_differences(found)],
        found.missing,
    )


def check_source(catalog: Catalog, options: Collection[str]) -> None:
    """Raises UsageError for a local catalog without LOCAL, and for a log with records that this version ignores."""
    if catalog.release is None and LOCAL not in options:
        raise not_published(catalog.location)
    for note in catalog.notes:
        if note.code == "record-type-unknown":
            raise UsageError(f"nothing is exported: {note.text}", NEWER)


def not_published(what: str) -> UsageError:
    """The error for a local catalog without LOCAL. what: the catalog."""
    return UsageError(
        f"{what} is not published in a log: nobody signed it, and nothing in it can be revoked",
        f"name a published log: --catalog DIR|URL --trust FILE; or export your own build: {LOCAL}",
    )


def selected(
    catalog: Catalog,
    selection: Selection,
    options: Collection[str],
    revocations: Sequence[Revocation],
    most: int = MOST_DIGESTS,
) -> Selected:
    """What may be exported of a selection, at a list of revocations. Raises as `select`, UsageError if it is empty."""
    if not selection.digests and not selection.fields and selection.vcpus is None:
        raise UsageError(
            "nothing is selected", "name launch digests, or --vmm with --vcpus, --vcpu-type or --vcpu-signature"
        )
    found = select(catalog, selection, allowed_rules(options, several=True), revocations, most)
    if found.count != 1 or not found.left_out:
        return found
    return select(catalog, selection, allowed_rules(options, several=False), revocations, most)


def _check_named(catalog: Catalog, found: Selected) -> None:
    """Raises NotExported if a named launch digest is missing, or may not be exported."""
    if found.missing:
        raise UnknownDigest(
            f"{_named(found.missing)} not in {catalog.location}",
            "ldcat explain DIGEST says what differs from what it has",
        )
    if found.refused:
        digest, objection = min(found.refused.items(), key=lambda item: RULES.index(item[1].rule))
        more = f"; nor {count_digests(len(found.refused) - 1)} more" if len(found.refused) > 1 else ""
        raise NotExported(f"launch digest {_short(digest)} is not exported: {objection}{more}", _hint(objection))


def _nothing_left(catalog: Catalog, found: Selected) -> NotExported:
    if not found.left_out:
        return NotExported(
            f"no {TECHNOLOGIES[found.technology]} row of {catalog.location} is selected: none has all these values",
            'ldcat sql "SELECT DISTINCT technology, firmware, kernel_hashes, vmm, vcpus FROM configurations" '
            "lists what there is, with the same --catalog and --trust",
        )
    objection = max(found.left_out, key=lambda one: (found.left_out[one], str(one)))
    total, of_it = sum(found.left_out.values()), found.left_out[objection]
    if total == 1:
        text = f"the launch digest that is selected may not be exported: {objection}"
    else:
        of_them = "" if of_it == total else f" ({of_it:,} of them)"
        text = f"none of the {count_digests(total)} selected may be exported{of_them}: {objection}"
    return NotExported(text, _hint(objection))


def _hint(objection: Objection) -> str:
    if objection.rule.option is None:
        return "ldcat lookup DIGEST says why; there is no option to export it"
    return f"{objection.rule.option} exports it nevertheless; docs/exports.md says what that means"


def _named(digests: Sequence[bytes]) -> str:
    shown = ", ".join(_short(digest) for digest in digests[:_SHOWN])
    more = len(digests) - _SHOWN
    kind, verb = ("launch digest", "is") if len(digests) == 1 else ("launch digests", "are")
    return f"{kind} {shown}{f' and {more:,} more' if more > 0 else ''} {verb}"


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:16]}..."


def _source(catalog: Catalog, selection: Selection, options: Collection[str], now: int) -> Source:
    release = catalog.release
    allowed = {option.removeprefix("--"): True for option in (*OPTIONS, LOCAL) if option in options}
    return Source(
        catalog=catalog.manifest.name,
        manifest_sha256=catalog.manifest_sha256,
        origin=None if release is None else release.origin,
        release=None if release is None else release.number,
        size=None if release is None else release.size,
        root=None if release is None else release.root,
        time=read_release_record(release).time if release else now,
        selection=selection.shown() | allowed,
    )


def _source_notes(catalog: Catalog) -> Iterator[Note]:
    release = catalog.release
    if release is None:
        yield Note(
            "catalog-not-published",
            "the catalog is not published in a log: NOT VERIFIED, and nothing in it can be revoked",
        )
    elif release.number < release.last:
        text = f"release {release.number} is not the last one of {release.origin}, which is {release.last}"
        yield Note("release-not-last", text)


def _differences(found: Selected) -> Iterator[Note]:
    """A note on what tells the rows apart, if they have several launch digests: nobody may have asked for all of it."""
    if len(found.digests) > 1 and (differing := found.rows.differences()):
        yield Note("rows-differ", f"the {count_digests(len(found.digests))} differ in {differing}")


def _left_out_notes(left_out: Mapping[Objection, int]) -> Iterator[Note]:
    for objection, count in sorted(left_out.items(), key=lambda item: (-item[1], str(item[0]))):
        option = objection.rule.option
        allow = f"; {option} exports {'it' if count == 1 else 'them'}" if option else ""
        yield Note("rows-left-out", f"{count_digests(count)} left out: {objection}{allow}")
