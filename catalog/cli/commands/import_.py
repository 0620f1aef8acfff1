"""`ldcat import`: read what others publish about launches, and write it as records."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from catalog.cli.declare.declared import Argument, BadValue, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OUTPUT, QuietOption, TableFormatOption, named_path
from catalog.errors import LdcatError, UsageError
from catalog.files.inputs import MAX_TEXT_SIZE, exists, read_file, read_start, unreadable
from catalog.files.outputs import write_whole
from catalog.files.writer import made_folders
from catalog.terminal import render
from catalog.terminal.render import Format

if TYPE_CHECKING:
    from catalog.imports.documents import Given
    from catalog.imports.imported import Imported

HELP_ORDER = 75
HELP_GROUP = Group.KEY_BROKERS
EXAMPLES = (
    Example(
        "ldcat import endorsement.binarypb --root endorser-root.pem", "Read an endorsement, and check its signature"
    ),
    Example(
        "ldcat import endorsement.binarypb --root endorser-root.pem -o imports", "Write it as a record, for a spec"
    ),
)
EXIT_CODES = {4: "verification failed"}

_LONGEST_COMMENT = 65_536
"""Bytes that are read of a record besides its facts: it may name another document."""


def _some_text(text: str) -> str:
    """Parser of an option; raises BadValue for an empty text."""
    if not text:
        raise BadValue("the text is empty")
    return text


def command(
    files: Annotated[
        list[str],
        Argument(metavar="FILE...", help="Documents, whose formats are found by their contents; - reads stdin."),
    ],
    origin: Annotated[
        str | None,
        Option(parser=_some_text, metavar="TEXT", help="Publisher of the documents: a URL, with commit or date."),
    ] = None,
    name: Annotated[
        str | None,
        Option(parser=_some_text, metavar="NAME", help="Name of the components; their own names come after it."),
    ] = None,
    root: Annotated[
        list[Path] | None,
        Option(
            parser=named_path, metavar="FILE", help="Root certificate, or public key, to trust; may be given again."
        ),
    ] = None,
    feed: Annotated[
        str | None, Option(metavar="NAME", help="The only feed to accept, of documents that have one.")
    ] = None,
    checksums: Annotated[
        Path | None,
        Option(parser=named_path, metavar="FILE", help="The sha256sum.txt of a dstack image: it names the file."),
    ] = None,
    folder: Annotated[
        Path | None,
        Option(*OUTPUT, parser=named_path, metavar="PATH", help="Write records to this folder."),
    ] = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Read documents that others publish about launches.

    They are about firmware, kernels and endorsed launch digests. Prints what was read, who says so and how it was
    checked, and writes it as TOML records with --output. Nothing that a document does not say is filled in.
    """
    from catalog.imports.import_files import import_files, to_dict  # cryptography takes long to load

    if files.count("-") > 1:
        raise UsageError("stdin can be read only once", "give the others as files")
    given = _given(root or [], feed, checksums)
    read = [(file, *_read(file, given, origin, name)) for file in files]
    written: list[Path] = []
    if folder is not None:
        _check_endorsers(imported for _, _, imported in read)
        written = _write(folder, [import_files(imported, data) for _, data, imported in read], quiet=quiet)
    if output is Format.JSON:
        documents = [{"file": file, **to_dict(imported)} for file, _, imported in read]
        render.json_document({"documents": documents, "written": [str(path) for path in written]})
        return
    for file, _, imported in read:
        _print(file, imported)
    for path in written:
        render.exact(str(path))


def _given(roots: Sequence[Path], feed: str | None, checksums: Path | None) -> Given:
    from catalog.imports.chains import parse_trusted
    from catalog.imports.documents import Given

    listed = None if checksums is None else read_file(checksums, limit=MAX_TEXT_SIZE)
    given = Given(int(time.time()), feed=feed, checksums=listed)
    for path in roots:
        data = read_file(path, limit=MAX_TEXT_SIZE)
        try:
            given = parse_trusted(data, given)
        except LdcatError as error:
            raise type(error)(f"{path}: {error}", error.hint) from error
    return given


def _read(file: str, given: Given, origin: str | None, name: str | None) -> tuple[bytes, Imported]:
    """The bytes of a document, and what it says; an error names the file."""
    from catalog.imports.documents import read_document
    from catalog.imports.imported import MAX_DOCUMENT

    if file == "-":
        try:
            data = sys.stdin.buffer.read(MAX_DOCUMENT + 1)
        except (OSError, ValueError) as error:
            raise unreadable(Path(file), error) from error
    else:
        data = read_file(Path(file), limit=MAX_DOCUMENT)
    try:
        return data, read_document(data, given).said_by(origin).named(name)
    except LdcatError as error:
        raise type(error)(f"{file}: {error}", error.hint) from error


def _check_endorsers(read: Iterable[Imported]) -> None:
    for imported in read:
        if any(one.endorser.id is None for one in imported.endorsed):
            raise UsageError(
                f"the {imported.form} document does not say whose it is, and an endorsed digest needs to",
                "name the publisher with --origin",
            )


def _write(folder: Path, sets: Iterable[dict[str, bytes]], *, quiet: bool) -> list[Path]:
    """Write the files of all documents, after checking that none contradicts another or one that is there.

    A record that is there with the same facts, from another document, is left as it is.
    """
    wanted: dict[str, bytes] = {}
    for files in sets:
        for name, data in files.items():
            if _facts(name, wanted.setdefault(name, data)) != _facts(name, data):
                raise UsageError(f"two components would be written to {name}", "import one at a time, with --name")
    kept = []
    for name, data in wanted.items():
        if exists(folder / name):
            there = read_start(folder / name, len(data) + _LONGEST_COMMENT, regular=True)
            if _facts(name, there) != _facts(name, data):
                raise UsageError(f"{folder / name} is there with other contents", "give another --name, or remove it")
            if there != data:
                kept.append(name)
    for name in () if quiet else kept:
        render.note(f"{folder / name} is there with the same facts, and left as it is")
    written = {name: data for name, data in wanted.items() if name not in kept}
    for name, data in written.items():
        path = folder / name
        try:
            made_folders(path.parent)
        except OSError as error:
            raise unreadable(path.parent, error) from error
        write_whole(path, data)
    return [folder / name for name in written]


def _facts(name: str, data: bytes) -> bytes:
    """What two files of this name have to have in common: a document all bytes, a record its facts."""
    from catalog.imports.import_files import without_comment

    return without_comment(data) if name.endswith(".toml") else data


def _print(file: str, imported: Imported) -> None:
    checked = "signature verified" if imported.checked == "signature" else "not signed: nothing vouches for it"
    if imported.recorded:
        checked = f"not now: the record says {imported.checked!r}"
    facts = [
        ("form", imported.form),
        ("document", imported.document_sha256.hex() if imported.document_sha256 else "not kept"),
        ("checked", checked),
        *_publisher(imported),
        *(("note", note) for note in imported.notes),
    ]
    render.facts(facts, title=file)
    if imported.firmware:
        images = [
            (one.name, one.known_by, one.identity.hex(), _known(one, "name", "build")) for one in imported.firmware
        ]
        render.table(("firmware", "known by", "hash", "all that is known"), images)
    if imported.kernels:
        kernels = [(one.name, one.kernel_sha256.hex(), _known(one, "name", "record")) for one in imported.kernels]
        render.table(("kernel", "SHA-256", "all that is known"), kernels)
    if imported.endorsed:
        columns = ("endorsed launch digest", "technology", "by", "feed", "SVN", "claims")
        render.table(columns, [_endorsed(one) for one in imported.endorsed])
    if imported.bases:
        render.table(
            ("base of more vCPUs", "technology", "vCPUs", "AP reset vector"),
            [(one.digest.hex(), one.technology, one.vcpus, _hex(one.reset_vector)) for one in imported.bases],
        )


def _publisher(imported: Imported) -> Iterator[tuple[str, str]]:
    """Who published the document; nothing if it names who endorses its digests, which the table says."""
    if imported.origin or not any(one.endorser.id for one in imported.endorsed):
        yield "published by", imported.origin or "not stated"


def _known(facts: Any, *without: str) -> str:
    names = [name for name in facts.__slots__ if name not in without]
    return ", ".join(name for name in names if getattr(facts, name) not in (None, ()))


def _endorsed(one: Any) -> tuple[object, ...]:
    by = one.endorser
    claims = [f"{name} {_shown(name, value)}" for name, value in one.claims.given().items()]
    return one.digest.hex(), one.technology, by.id or "not stated", by.feed, by.svn, ", ".join(claims)


def _shown(name: str, value: object) -> str:
    if isinstance(value, bytes):
        return f"{value.hex()[:12]}..."
    return f"{value:#x}" if isinstance(value, int) and name in ("policy", "reset_vector") else str(value)


def _hex(value: int | None) -> str:
    return "not known" if value is None else f"{value:#x}"
