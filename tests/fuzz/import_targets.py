"""Parsers of published documents as functions of bytes, with seeds that they accept."""

from __future__ import annotations

from collections.abc import Callable

from catalog.imports.chains import parse_trusted
from catalog.imports.documents import Given, read_document
from catalog.imports.formats.gce_endorsement import FORM as GCE
from catalog.imports.import_files import import_files, to_dict
from catalog.imports.import_record import parse_import
from tests.fuzz.target import Target
from tests.support import published_documents as made


def _given() -> Given:
    return parse_trusted(made.key_pem(made.corim_key()), made.trusted())


def _read(data: bytes) -> None:
    """What is read can be written, and what is written can be read."""
    imported = read_document(data, _given()).said_by("fuzz").named("fuzz")
    to_dict(imported)
    for name, written in import_files(imported, data).items():
        if written.startswith(b'format = "ldcat-import/1"'):
            parse_import(written.decode())
        elif not name.startswith("documents/"):
            read_document(written, _given())


def _target(*seeds: Callable[[], bytes]) -> Target:
    return Target(_read, lambda: [seed() for seed in seeds])


IMPORT_TARGETS = {
    "import-cbor": _target(made.dstack, made.corim, made.signed_corim, made.uvm),
    "import-gce": Target(lambda data: GCE.parse(made.document(data), _given()), lambda: [made.gce()]),
    "import-json": _target(
        made.dstack_attached,
        made.go_metadata,
        lambda: made.as_json([made.secretvm_row()]),
        lambda: made.as_json(made.c8s()),
        lambda: made.rvps_message({"snp_launch_measurement": [made.DIGEST]}),
        made.rvps_file,
        made.contrast_manifest,
        made.contrast_patch,
    ),
    "import-record": Target(lambda data: parse_import(data.decode("utf-8", "replace")), made.import_records),
}
