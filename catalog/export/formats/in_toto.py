"""`in-toto`: a signed statement about exported files, which cosign and other verifiers of attestations check.

Source: https://github.com/in-toto/attestation, spec/v1 (Statement); cosign verify-blob-attestation, which finds a
subject by the SHA-256 of a file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import TECHNOLOGIES, Export, ExportFile
from catalog.export.given_files import fitting_files
from catalog.export.settings import needed
from catalog.export.writers.dsse_type import MEDIA_TYPE
from catalog.notes import Note

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"

UNPUBLISHED = "urn:ldcat:launch-digests:unpublished:v1"
"""Predicate type for a catalog without a log: no verifier that expects a publisher's takes it."""

MOST_ROWS = 131_072
"""Rows of a statement: about 60 MB of JSON, which its reader and writer hold several times."""

_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")


class InToto(ExportFormat):
    """DSSE envelope over a statement: its subjects are files, and its predicate the rows that their digests are of."""

    name = "in-toto"
    title = "in-toto statement about exported files, signed (DSSE): cosign verify-blob-attestation, securesystemslib"
    file_name = "in-toto.dsse.json"
    technologies = frozenset(TECHNOLOGIES)
    settings = frozenset({"key", "passphrase", "files"})
    required = frozenset({"key", "files"})

    def files(self, export: Export) -> Sequence[ExportFile]:
        from catalog.export.private_keys import DSSE, load_key  # cryptography takes long to load
        from catalog.export.writers.dsse import sign_envelope

        key = load_key(needed(export.settings.key, "--key"), export.settings.passphrase, DSSE)
        signed = sign_envelope(PAYLOAD_TYPE, statement(export), key)
        return [ExportFile.of(self.file_name, MEDIA_TYPE, signed)]

    def notes(self, export: Export) -> Sequence[Note]:
        text = f"cosign verify-blob-attestation takes the statement with --type {predicate_type(export.source.origin)}"
        return [Note("consumer-needs-option", text)]


FORMAT = InToto()


def statement(export: Export) -> bytes:
    """The statement in JSON, on one line without a line break.

    Raises UsageError for more than MOST_ROWS rows, and as `fitting_files`.
    """
    if len(export.rows) > MOST_ROWS:
        raise UsageError(
            f"an in-toto statement lists each row, and {len(export.rows):,} are more than {MOST_ROWS:,}",
            "select fewer, by --firmware, --kernel-hashes, --vcpu-type or --vcpus",
        )
    subjects = [
        {"name": file.base_name, "digest": {"sha256": hashlib.sha256(file.data).hexdigest()}}
        for file, _ in fitting_files(export)
    ]
    said = {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": predicate_type(export.source.origin),
        "predicate": {
            "release": export.source.release,
            "origin": export.source.origin,
            "rows": [row.record for row in export.rows],
        },
    }
    return json.dumps(said, separators=(",", ":")).encode()


def predicate_type(origin: str | None) -> str:
    """The type of the predicate, in the name of the host that a log's origin begins with. None: not published."""
    if origin is None:
        return UNPUBLISHED
    host = origin.partition("/")[0]
    if _HOST.fullmatch(host) is None:
        raise UsageError(
            f"the origin {origin[:60]!r} does not begin with a host name, by which the predicate type is named",
            "an in-toto statement needs a log whose origin is like log.example/name",
        )
    return f"https://{host}/launch-digests/v1"
