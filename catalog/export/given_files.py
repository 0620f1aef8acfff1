"""Files that were exported before, and are given with --file: each with a sidecar that fits what is selected now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from catalog.errors import UsageError, VerificationFailed
from catalog.export.exported import Export
from catalog.export.settings import GivenFile
from catalog.export.sidecar import Sidecar, digest_set, named_release, sidecar_of


def fitting_files(export: Export) -> Sequence[tuple[GivenFile, Sidecar]]:
    """The given files by name, each with its sidecar: of the same release, catalog and digests as the export.

    All files that a sidecar names have to be given, since the digests are those of all of them. So a statement about
    them is not made by mistake of values of an earlier release or of another selection.
    Raises UsageError if two files have one name, one of an export is missing, or none is given; VerificationFailed for
    a file whose sidecar does not fit or is missing; MalformedRecord.
    """
    files = sorted(export.settings.files, key=lambda file: file.base_name)
    if not files:
        raise UsageError("this format is about files that were exported before", "name them: --file FILE")
    for one, other in pairwise(files):
        if one.base_name == other.base_name:
            raise UsageError(f"{one.name} and {other.name} have one name", "the files are told apart by it")
    found = [(file, _fitting(export, file)) for file in files]
    given: dict[bytes | None, set[str]] = {}
    for file in files:
        given.setdefault(file.sidecar, set()).add(file.base_name)
    checked: set[bytes | None] = set()
    for file, sidecar in found:
        if file.sidecar in checked:
            continue
        checked.add(file.sidecar)
        if missing := [one.name for one in sidecar.files if one.name not in given[file.sidecar]]:
            raise UsageError(
                f"{missing[0]} was exported together with {file.name}, and is not given",
                "name all files of that export: --file FILE for each",
            )
    return found


def _fitting(export: Export, file: GivenFile) -> Sidecar:
    found = sidecar_of(file)
    differences = {
        "catalog": found.catalog.manifest_sha256 != export.source.manifest_sha256,
        "release": found.release != named_release(export.source),
        "set of launch digests": found.digests != digest_set(export.digests),
    }
    if any(differences.values()):
        what = " and ".join(name for name, differs in differences.items() if differs)
        raise VerificationFailed(
            f"{file.name} was exported with another {what}",
            "export it again with the same selection and catalog as now",
        )
    return found
