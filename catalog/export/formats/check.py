"""`check`: go-sev-guest's check.Config in text, a policy that its `check` tool compares an attestation report with.

Source: google/go-sev-guest, proto/check.proto, tools/check/check.go, validate/validate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalog.ask.evidence_notes import snp_policy_notes
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.key_digests import key_digest
from catalog.export.settings import Settings
from catalog.notes import Note


class CheckConfig(ExportFormat):
    """A config has room for one launch digest, so there is one file for each.

    With an author key, a config accepts only launches whose ID block has a key that this author signed. Then several
    digests are one file without a digest: it accepts whatever the author signs.
    """

    name = "check"
    title = "check.Config of go-sev-guest: check -config FILE.textproto"
    settings = frozenset({"policy", "guest_svn", "family_id", "image_id", "author_key", "passphrase"})
    file_ending = ".textproto"

    def files(self, export: Export) -> Sequence[ExportFile]:
        settings = export.settings
        author = key_digest(settings.author_key, settings.passphrase) if settings.author_key else None
        if _is_any_digest(export):
            return [_file("author-key", None, author, settings)]
        return [_file(digest.hex(), digest, author, settings) for digest in export.digests]

    def notes(self, export: Export) -> Sequence[Note]:
        settings = export.settings
        notes = snp_policy_notes(guest_policy(settings))
        values = {"guest SVN": settings.guest_svn, "family ID": settings.family_id, "image ID": settings.image_id}
        given = [name for name, value in values.items() if value is not None]
        if given and not settings.author_key:
            text = f"the host chooses {' and '.join(given)} of a report, unless the key of its ID block is checked"
            notes.append(Note("host-chooses-value", text))
        if _is_any_digest(export):
            text = (
                "the config names no launch digest: it accepts every launch whose ID block has a key that this author "
                f"signed, not only the {len(export.digests)} selected ones"
            )
            notes.append(Note("export-accepts-more", text))
        return notes


def _is_any_digest(export: Export) -> bool:
    """Whether the one config that is written names no digest, because it has an author key for several."""
    return export.settings.author_key is not None and len(export.digests) > 1


def _file(name: str, digest: bytes | None, author: bytes | None, settings: Settings) -> ExportFile:
    """A config: its fields by number, as go-sev-guest prints them. name: of the file, without its ending."""
    fields = [] if settings.guest_svn is None else [f"minimum_guest_svn: {guest_svn(settings)}"]
    fields.append(f"policy: {guest_policy(settings).value:#x}")
    values = {"family_id": settings.family_id, "image_id": settings.image_id, "measurement": digest}
    fields += [f"{field}: {_bytes(value)}" for field, value in values.items() if value is not None]
    if author is not None:
        fields += ["require_id_block: true", f"trusted_author_key_hashes: {_bytes(author)}"]
    return ExportFile.of(f"{name}.textproto", "text/plain; charset=utf-8", _config(fields))


def _config(fields: Iterable[str]) -> bytes:
    return "".join(["policy {\n", *(f"  {field}\n" for field in fields), "}\n"]).encode()


def _bytes(value: bytes) -> str:
    """A string of the text format: each byte escaped in hex."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'


FORMAT = CheckConfig()
