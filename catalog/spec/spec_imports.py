"""What a spec takes from other publishers: import records, embedded or in files, and the documents that they are from.

A document is read again, and its signature verified again: what a record says of its document is only compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from catalog.errors import LdcatError, MalformedRecord, UnknownName, Unreadable, UntrustedSigner, UsageError
from catalog.files import inputs
from catalog.imports.chains import parse_trusted
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import Given, forms, read_document
from catalog.imports.endorsed_facts import Base
from catalog.imports.import_files import DOCUMENTS
from catalog.imports.import_record import parse_import
from catalog.imports.imported import MAX_DOCUMENT, Imported
from catalog.rows.endorsed_record import EndorsedRecord, contradictions
from catalog.spec import embedded
from catalog.spec.selecting import matching_files
from catalog.spec.spec_wire import ImportsWire

MOST_RECORDS = 10_000
"""Import records of one spec."""

_ROOTS_HINT = "name the file of its root certificate or key under [imports] roots, after checking whose it is"


@dataclass(frozen=True, slots=True)
class SpecImports:
    """What the import records of a spec say.

    endorsed: sorted by digest and endorser, each once.
    documents: the bytes of the documents that `endorsed` names, by SHA-256 in hex.
    notes: what is known in part, so that no digest follows from it; for people.
    """

    endorsed: tuple[EndorsedRecord, ...] = ()
    documents: Mapping[str, bytes] = field(default_factory=dict)
    bases: tuple[Base, ...] = ()
    notes: tuple[str, ...] = ()


def load_imports(wire: ImportsWire, folder: Path) -> SpecImports:
    """Read the import records of a spec, and verify their documents.

    folder: that paths are relative to.
    Raises Unreadable, UnknownName, UsageError for too many records; MalformedRecord for a record that is malformed, or
    says other than its document, or contradicts another; VerificationFailed and UntrustedSigner for a document with
    another hash, or whose signature cannot be verified. Every error names the file.
    """
    files = [*_fleet_files(wire.fleets), *_files(wire.files, folder, "import record")]
    if len(files) > MOST_RECORDS:
        raise UsageError(f"{len(files):,} import records are more than {MOST_RECORDS:,}")
    given = _trusted([*embedded.fleet_roots(), *_files(wire.roots, folder, "root certificate")])
    sources: dict[EndorsedRecord, str] = {}
    documents: dict[str, bytes] = {}
    bases: dict[Base, None] = {}
    firmware: set[FirmwareFacts] = set()
    kernels: set[KernelFacts] = set()
    for path in files:
        name = embedded.data_name(path) or str(path)
        try:
            imported, document = _taken_in(path, given)
            for endorsed in imported.endorsed:
                sources.setdefault(EndorsedRecord.of(imported, endorsed), name)
        except LdcatError as error:
            raise type(error)(f"{name}: {error}", error.hint) from error
        if document is not None and imported.endorsed:
            documents[hashlib.sha256(document).hexdigest()] = document
        bases |= dict.fromkeys(imported.bases)
        firmware |= {one for one in imported.firmware if one.record() is None}
        kernels |= {one for one in imported.kernels if not one.is_whole}
    _check_agreement(sources)
    endorsed_in_order = sorted(sources, key=lambda record: tuple(map(str, record.key)))
    notes = tuple(_known_in_part(len(kernels), "kernel", "kernels")) + tuple(
        _known_in_part(len(firmware), "firmware image", "firmware images")
    )
    return SpecImports(tuple(endorsed_in_order), documents, tuple(bases), notes)


def _known_in_part(number: int, one: str, many: str) -> Iterator[str]:
    if number == 1:
        yield f"1 {one} is known in part: no digest follows from it"
    elif number:
        yield f"{number:,} {many} are known in part: no digest follows from them"


def _fleet_files(patterns: Sequence[str]) -> list[Path]:
    known = embedded.fleets()
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known) and pattern != "*":
            raise UnknownName("fleet", pattern, known)
    return [path for name, path in known.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _files(patterns: Sequence[str], folder: Path, what: str) -> list[Path]:
    """The files of globs, each once."""
    found = {path for pattern in patterns for path in matching_files(pattern, folder, what)}
    return [folder / path for path in sorted(found)]


def _trusted(paths: Sequence[Path]) -> Given:
    """The roots and keys of files. The time is not needed: it only says whether a certificate has expired."""
    given = Given(now=0)
    for path in paths:
        data = inputs.read_file(path, limit=inputs.MAX_TEXT_SIZE)
        try:
            given = parse_trusted(data, given)
        except LdcatError as error:
            raise type(error)(f"{path}: {error}", error.hint) from error
    return given


def _taken_in(path: Path, given: Given) -> tuple[Imported, bytes | None]:
    """What a record says, after it was compared with its document; and the document, if there is one."""
    inputs.check_regular(path)
    said = parse_import(inputs.read_text(path))
    if said.document_sha256 is None:
        return said, None
    sha256 = said.document_sha256.hex()
    document = path.parent / DOCUMENTS / sha256
    if not said.endorsed and not inputs.exists(document):
        return said, None
    if not inputs.exists(document):
        hint = f"ldcat import -o writes it to {DOCUMENTS}/{sha256}; values alone have no sha256 and an origin"
        raise Unreadable(f"its document is not there: {document}", hint)
    data = inputs.read_file(document, limit=MAX_DOCUMENT, regular=True)
    if hashlib.sha256(data).digest() != said.document_sha256:
        raise MalformedRecord(f"{document} is not the document of that SHA-256", "import the document again")
    _check_record(said, _read(data, said, given))
    return said, data


def _read(data: bytes, said: Imported, given: Given) -> Imported:
    """What a document says, now that it is read and verified again."""
    if said.form not in forms():  # typed by somebody from a document that ldcat cannot read
        for endorsed in said.endorsed:
            if (scheme := endorsed.endorser.scheme) in forms():
                raise MalformedRecord(
                    f"an endorser has the scheme {scheme!r}, and the document is of the form {said.form!r}",
                    "the scheme of an endorser is the form of its document",
                )
        return replace(said, checked="none", certificate_until=None)
    try:
        return read_document(data, given).said_by(said.origin)
    except UntrustedSigner as error:
        raise UntrustedSigner(str(error), _ROOTS_HINT) from error


def _check_record(said: Imported, found: Imported) -> None:
    """Raises MalformedRecord if a record says other than its document. It may say less."""
    differ = [name for name in _OF_DOCUMENT if getattr(said, name) != getattr(found, name)]
    differ += [name for name in ("endorsed", "bases") if not set(getattr(said, name)) <= set(getattr(found, name))]
    if differ:
        raise MalformedRecord(
            f"it says other than its document: {', '.join(differ)}", "import the document again with ldcat import -o"
        )


_OF_DOCUMENT = ("form", "checked", "document_time", "certificate_until")


def _check_agreement(sources: Mapping[EndorsedRecord, str]) -> None:
    """Raises MalformedRecord if two records of one endorser about one digest contradict each other."""
    for one, other, name in contradictions(sources):
        raise MalformedRecord(
            f"{sources[one]} and {sources[other]} contradict each other about {one.launch_digest}: {name}",
            "one endorser cannot mean both: leave out the wrong one",
        )
