"""Endorsed digests, made for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from catalog.imports.documents import read_document
from catalog.imports.import_files import import_files
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store import manifest
from tests.support.forged_catalogs import Change, in_manifest
from tests.support.published_documents import pem, root, trusted

SNP_DIGEST = "5a" * 48
DOCUMENT = "d0" * 32
FIRMWARE = "f1" * 32


def endorsed(digest: str = SNP_DIGEST, **changed: Any) -> EndorsedRecord:
    """A record with every field given. changed: other values by field; claims and fields of the endorser, too."""
    endorser = {"scheme": "azure-uvm", "id": "did:x509:0", "feed": "a feed", "svn": 7}
    claims: dict[str, Any] = {"vcpus": 4, "policy": "0x30000", "firmware_sha256": FIRMWARE}
    values: dict[str, Any] = {
        "type": "endorsed",
        "launch_digest": digest,
        "technology": "sev-snp",
        "endorser": endorser | {name: changed.pop(name) for name in tuple(changed) if name in endorser},
        "claims": changed.pop("claims", claims),
        "document_sha256": DOCUMENT,
        "document_time": 1_700_000_000,
        "checked": "signature",
        "certificate_until": 1_700_000_001,
        "origin": "https://a.example",
    }
    return msgspec.convert(values | changed, EndorsedRecord)


def listed(digest: str = SNP_DIGEST, **changed: Any) -> EndorsedRecord:
    """A record of a value whose document is not kept."""
    nothing = {"document_sha256": None, "document_time": None, "checked": "none", "certificate_until": None}
    by = {"scheme": "published-list", "id": "https://a.example/list", "feed": None, "svn": None}
    return endorsed(digest, **(nothing | by | {"claims": {}} | changed))


def with_endorsed(data: bytes) -> dict[str, Change]:
    """A file of endorsed digests, which the catalog did not have."""
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "rows": data.count(b"\n")}

    def put_file(path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(data)

    listed_file = in_manifest(lambda text: text["files"].update({manifest.ENDORSED: entry}))
    return {manifest.ENDORSED: put_file, manifest.NAME: listed_file}


def write_import(folder: Path, data: bytes, *, origin: str | None = None) -> Path:
    """Write a document and its records as `ldcat import -o` does, and the root that it is signed under; the record."""
    imported = read_document(data, trusted()).said_by(origin).named(None)
    files = import_files(imported, data) | {"root.pem": pem(root())}
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    (record,) = (name for name in files if name.startswith(imported.form))
    return folder / record


PAGE = b"a page that ldcat cannot read"
ORIGIN = "https://a.example/list"


def write_page(folder: Path, *digests: str, **keys: str) -> Path:
    """Write a page, and a record of values that somebody typed from it; the record. keys: as for `import_list`."""
    sha256 = hashlib.sha256(PAGE).hexdigest()
    (folder / "documents").mkdir(parents=True, exist_ok=True)
    (folder / "documents" / sha256).write_bytes(PAGE)
    text = import_list(*digests, scheme="wiki", **keys)
    (folder / "wiki.toml").write_text(text.replace("[document]", f'[document]\nsha256 = "{sha256}"'))
    return folder / "wiki.toml"


def import_list(*digests: str, scheme: str = "published-list", origin: str = ORIGIN, **keys: str) -> str:
    """The text of an import record of values whose document is not kept. keys: more of each digest, as TOML."""
    more = "".join(f"{name} = {value}\n" for name, value in keys.items())
    head = f'format = "ldcat-import/1"\n[document]\nform = "{scheme}"\nchecked = "none"\norigin = "{origin}"\n'
    return head + "".join(
        f'[[endorsed]]\nlaunch_digest = "{digest}"\ntechnology = "sev-snp"\n'
        f'endorser = {{ scheme = "{scheme}", id = "{origin}" }}\n{more}'
        for digest in digests
    )
