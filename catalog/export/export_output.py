"""Writes the files of an export, with the sidecar that says where they are from."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from catalog.errors import LdcatError, UsageError
from catalog.export.export_format import MOST_FILES, ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.export.oci_artifact import write_layout
from catalog.export.sidecar import ENDING, IN_FOLDER, MAX_SIZE, DescribedFile, Sidecar, read_sidecar
from catalog.fast.beneath import Files
from catalog.files.folder import written_whole
from catalog.files.inputs import read_file, read_file_beneath, walked
from catalog.files.outputs import copied, write_described
from catalog.notes import Note

Describe = Callable[[Sequence[DescribedFile]], Sidecar]
"""The sidecar of the files that were written."""

_LARGEST_FILE = 128 << 20
"""Bytes of a file of an earlier export."""

_NAME = re.compile("(?:[A-Za-z0-9][A-Za-z0-9._-]{0,254}/){0,4}[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


def write_export(
    path: Path, chosen: ExportFormat, export: Export, files: Sequence[ExportFile], describe: Describe
) -> None:
    """Write the files of an export to a file, a folder or an OCI layout. Raises as what writes these."""
    if chosen.artifact_type is not None:
        write_layout(path, chosen.artifact_type, files, export)
    elif chosen.is_folder or len(files) > 1:
        _write_folder(path, files, chosen.name, describe)
    else:
        _write_file(path, files[0], describe)


def check_output(path: Path | None, chosen: ExportFormat, files: Sequence[ExportFile]) -> None:
    """Raises UsageError unless the files can be written there: several need a folder, one a file or standard output."""
    if chosen.is_folder or len(files) > 1:
        if path is None:
            raise UsageError(f"this export is {len(files):,} files", "give a folder: -o FOLDER")
        if len(files) > MOST_FILES:
            raise UsageError(f"this export is {len(files):,} files, more than {MOST_FILES:,}", "select fewer rows")
        if chosen.file_ending and path.name.endswith(chosen.file_ending):
            raise UsageError(
                f"this export is {len(files):,} files, and {path.name} is the name of one", "give a folder: -o FOLDER"
            )
        return
    if path is not None and os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a long name
        raise UsageError(f"{path} is a folder, and this export is one file", "give a file: -o FILE")
    if path is not None and not path.name.endswith(chosen.file_ending):
        raise UsageError(
            f"{path.name}: the reader of this file wants a name that ends with {chosen.file_ending}",
            f"-o {path}{chosen.file_ending}",
        )


def replaced_notes(path: Path | None, chosen: ExportFormat, export: Export) -> Sequence[Note]:
    """A warning if an output replaces an export that its sidecar says is in another format, or of another selection."""
    if path is None or not path.name or chosen.artifact_type is not None:
        return []
    is_folder = os.path.isdir(path)  # noqa: PTH112 - as above
    try:
        beside = path / IN_FOLDER if is_folder else path.with_name(path.name + ENDING)
        found = read_sidecar(read_file(beside, limit=MAX_SIZE, regular=True), str(beside))
    except LdcatError:  # no export, as far as ldcat knows
        return []
    now = export.source.selection
    others = [f"the format {found.format}"] if found.format != chosen.name else []
    names = sorted(name for name in now.keys() | found.selection.keys() if now.get(name) != found.selection.get(name))
    others += [f"another selection ({', '.join(names)})"] if names else []
    text = f"{path.name} is replaced, which was exported with {' and '.join(others)}"
    return [Note("other-export-replaced", text)] if others else []


def check_not_read(path: Path | None, read: Iterable[Path]) -> None:
    """Raises UsageError for an output that would replace a file that is read, such as a key. read: these files."""
    outputs = (path, path.with_name(path.name + ENDING)) if path and path.name else ()
    for output in outputs:
        for one in read:
            if _is_same(output, one):
                raise UsageError(f"{one} is read, and the export would replace it", "give another file: -o FILE")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _write_file(path: Path, file: ExportFile, describe: Describe) -> None:
    """Write an export of one file, and the sidecar beside it.

    Raises UsageError for a name that is no printable text, and as `write_described`.
    """
    if not path.name.isprintable():
        raise UsageError(f"{path.name!r} is no name of a file that a sidecar can name", "give another: -o FILE")
    write_described(
        path,
        file.chunks(),
        path.with_name(path.name + ENDING),
        lambda size, sha256: bytes(describe([DescribedFile(name=path.name, size=size, sha256=sha256)])),
    )


def _write_folder(path: Path, files: Sequence[ExportFile], format_name: str, describe: Describe) -> None:
    """Write an export of several files to a new or empty folder, or over an earlier export in the same format.

    Raises UsageError for any other folder, and as `written_whole`.
    """
    names = [file.name for file in files]
    if len(set(names)) < len(names) or IN_FOLDER in names or not all(map(_NAME.fullmatch, names)):
        raise TypeError(f"{format_name}: {names[:9]} are no names of different files")
    with written_whole(
        path,
        foreign=lambda folder: _foreign(folder, format_name),
        last=IN_FOLDER,
        what=f"an earlier export in the format {format_name}",
    ) as made:
        described = []
        for file in files:
            (made / file.name).parent.mkdir(parents=True, exist_ok=True)
            with (made / file.name).open("xb") as out:
                size, sha256 = copied(file.chunks(), out)
            described.append(DescribedFile(name=file.name, size=size, sha256=sha256))
        (made / IN_FOLDER).write_bytes(bytes(describe(described)))


def _foreign(folder: Path, format_name: str) -> str | None:
    """A file because of which a folder is not replaced; None if it is empty, or an export in that format alone, as it
    was written. Raises UsageError for a file of it that was changed.
    """
    files = Files(str(folder))
    there = {name for name, _ in walked(files)}
    if IN_FOLDER not in there:
        return min(there, default=None)
    try:
        found = read_sidecar(read_file_beneath(files, IN_FOLDER, limit=MAX_SIZE), IN_FOLDER)
    except LdcatError:
        return IN_FOLDER
    if found.format != format_name:
        return IN_FOLDER
    described = {one.name: one for one in found.files}
    there -= {IN_FOLDER}
    if others := there - described.keys():
        return min(others)
    if changed := next((name for name in sorted(there) if not _is_there(files, described[name])), None):
        raise UsageError(
            f"{folder} holds {changed!r}, which was changed after it was exported, so it is not replaced",
            "name a new or empty folder, or remove the file",
        )
    return None


def _is_there(files: Files, described: DescribedFile) -> bool:
    """Whether a file of a folder is the one that its sidecar describes, byte for byte."""
    try:
        data = read_file_beneath(files, described.name, limit=min(described.size, _LARGEST_FILE))
    except LdcatError:
        return False
    return hashlib.sha256(data).hexdigest() == described.sha256
