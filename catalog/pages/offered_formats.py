"""What pages offer of formats: for which rows, with which warnings and which command.

A format itself decides, on a row of each kind that makes a difference to it; scripts only read what it decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers, export_formats
from catalog.export.exported import SEV_SNP, TDX, TECHNOLOGIES, Export, ExportRow, Source
from catalog.export.rows.component_kinds import KEYS, ComponentKinds
from catalog.export.rows.export_rows import DIGEST_SIZE, LaunchComponentsOf
from catalog.export.setting_table import SETTING_TEXTS, served_formats
from catalog.export.settings import Settings
from catalog.notes import INFO, OK
from catalog.store.catalog import Catalog

USUAL = "rvps"
"""The format that stands first: it is preselected."""

_NO_TABLE = "none"
_SOURCE = Source("", "", None, None, None, None, 0, {})
_GROUPS = list(Readers)

_Components = Callable[[Mapping[str, Any]], LaunchComponentsOf]
"""What rows of a technology with these values of KEYS have in common."""
_Case = dict[str, Any]
"""refused: why a format does not take a row, or null; notes: warnings on its file."""
_Tree = int | dict[str, Any]
"""The place of a case, or trees by key, of which "" stands for those that are not listed."""


def exported_technologies(catalog: Catalog) -> list[str]:
    """The technologies of a catalog whose rows are exported."""
    return [name for name in TECHNOLOGIES if name in catalog.manifest.technologies]


def offered_formats(catalog: Catalog) -> list[dict[str, Any]]:
    """The formats that take launch digests, those of the same readers together.

    command: with DIGEST in place of a launch digest, and words in capitals for required settings, without the catalog.
    is_whole: whether it has no such words.
    served: whether a service gives its file, and needs only a launch digest for that.
    cases: each with `refused` and `notes`. of: place of a case, by technology, then by what identifies an image, then
        by kernel hashes table ("none" without one), then by VMM profile; "" for those that are not listed; the place
        itself where nothing else makes a difference.
    """
    components = {name: _components(catalog, name) for name in exported_technologies(catalog) or [SEV_SNP]}
    return [{**_described(one), **_cases(catalog, components, one)} for one in _formats()]


def formats_for(catalog: Catalog, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As `offered_formats`, with `refused` and `notes` for one row in place of all cases.

    row: values of KEYS and of the technology.
    """
    components = _components(catalog, row["technology"])({name: row[name] for name in KEYS})
    return [{**_described(one), **_case(one, components)} for one in _formats()]


def _components(catalog: Catalog, technology: str) -> _Components:
    return ComponentKinds(catalog, technology, catalog.endorsements.revocations).components


def _formats() -> list[ExportFormat]:
    taken = [one for one in export_formats().values() if "files" not in one.settings]
    return sorted(taken, key=lambda one: (_GROUPS.index(one.readers), one.name != USUAL, one.name))


def _described(one: ExportFormat) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "readers": one.readers,
        "command": _command(one),
        "is_whole": not _needed(one),
        "served": one.name in served_formats() and not one.required,
    }


def _command(one: ExportFormat) -> str:
    options = [f"{SETTING_TEXTS[name].option} {_placeholder(name)}" for name in _needed(one)]
    return " ".join(["ldcat export --to", one.name, "DIGEST", *options, "-o", one.file_name])


def _needed(one: ExportFormat) -> list[str]:
    return [name for name in SETTING_TEXTS if name in (*one.required, *one.one_of[:1])]


def _placeholder(setting: str) -> str:
    """What stands for the value of a setting in a command: its name in capitals."""
    is_file = SETTING_TEXTS[setting].parse is None
    return setting.upper() + (".pem" if is_file else "")


def _cases(catalog: Catalog, components: Mapping[str, _Components], one: ExportFormat) -> dict[str, Any]:
    images: list[bytes | None] = [*catalog.firmware] or [None]
    cases: list[_Case] = []

    def place(technology: str, image: bytes | None, table: bytes | None, vmm: str | None) -> int:
        values = {"firmware_sha256": image, "kernel_hashes_sha256": table, "vmm": vmm}
        case = _case(one, components[technology]({**dict.fromkeys(KEYS), **values}))
        if case not in cases:
            cases.append(case)
        return cases.index(case)

    def needed(name: str, values: list[Any]) -> list[Any]:
        return values if name in one.depends_on else values[:1]

    def tables(technology: str) -> list[bytes | None]:
        return needed("kernel_hashes", [None, *(catalog.kernel_hashes if technology != TDX else ())])

    def profiles(technology: str) -> list[str | None]:
        known = [name for name, profile in catalog.profiles.items() if technology in profile.technologies]
        return needed("vmm", [None, *known])

    of = _tree(
        (technology, _tree(
            (image.hex() if image else "", _tree(
                (table.hex() if table else _NO_TABLE, _tree(
                    (vmm or "", place(technology, image, table, vmm)) for vmm in profiles(technology)
                )) for table in tables(technology)
            )) for image in needed("firmware", images)
        )) for technology in components
    )  # fmt: skip
    return {"cases": cases, "of": of}


def _tree(branches: Iterable[tuple[str, _Tree]]) -> _Tree:
    """Branches by key, of which the most frequent one is "" and the others are listed."""
    found = dict(branches)
    counts = Counter(map(str, found.values()))
    usual = max(found.values(), key=lambda branch: counts[str(branch)])
    others = {key: branch for key, branch in found.items() if branch != usual}
    return usual if not others and isinstance(usual, int) else {"": usual, **others}


def _case(one: ExportFormat, of: LaunchComponentsOf) -> _Case:
    """What a format says of a row with these components."""
    digest = bytes(DIGEST_SIZE)
    row = ExportRow(
        digest, of.firmware, of.kernel_hashes, of.kernel_name, of.append, of.values["vmm"], 1, None, None, {}
    )
    export = Export([row], [digest], Settings(product=_placeholder("product")), _SOURCE, of.values["technology"])
    try:
        one.check_technology(export)
        one.check_rows(export)
    except UsageError as error:
        return {"refused": str(error), "notes": []}
    return {"refused": None, "notes": [note.to_dict() for note in one.notes(export) if note.severity not in (OK, INFO)]}
