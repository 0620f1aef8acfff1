"""`check`: go-sev-guest's check.Config in text, a policy that its `check` tool compares an attestation report with.

Source: google/go-sev-guest, proto/check.proto, tools/check/check.go, validate/validate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import UsageError
from catalog.export.export_format import MOST_FILES, ExportFormat, Readers
from catalog.export.exported import Export, ExportFile
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.settings import DEFAULT_POLICY, Settings
from catalog.export.writers.text_proto import escaped
from catalog.notes import Note

_FEWER = "select fewer, such as those of one --firmware"


class CheckConfig(ExportFormat):
    """A config has room for one launch digest, so there is one file for each.

    With an ID key or an author key, a config accepts only launches with an ID block of it. Then several digests are one
    file without a digest: it accepts whatever is signed with the key.
    """

    name = "check"
    title = "check.Config of go-sev-guest: check -config FILE.textproto"
    readers = Readers.VERIFIERS
    file_name = "check.textproto"
    why_no_other = "go-sev-guest reads attestation reports of AMD only"
    settings = frozenset({"policy", "guest_svn", "family_id", "image_id", "id_key", "author_key", "passphrase"})
    defaults = {"policy": DEFAULT_POLICY}
    file_ending = ".textproto"

    def files(self, export: Export) -> Sequence[ExportFile]:
        settings = export.settings
        demanded = _demanded_key(settings)
        if _is_any_digest(export):
            return [_file("id-block", None, demanded, settings)]
        if len(export.digests) > MOST_FILES:  # before a million of them are made
            raise UsageError(f"{len(export.digests):,} digests are as many files, of at most {MOST_FILES:,}", _FEWER)
        return [_file(digest.hex(), digest, demanded, settings) for digest in export.digests]

    def notes(self, export: Export) -> Sequence[Note]:
        settings = export.settings
        notes = snp_policy_notes(guest_policy(settings))
        values = {"guest SVN": settings.guest_svn, "family ID": settings.family_id, "image ID": settings.image_id}
        given = [name for name, value in values.items() if value is not None]
        if given and not _has_key(settings):
            text = f"the host chooses the {' and '.join(given)} in a report, unless the key of its ID block is checked"
            notes.append(Note("host-chooses-value", text))
        if _is_any_digest(export):
            signed = "this key signed" if settings.id_key else "has a key that this author signed"
            text = (
                f"the config names no launch digest: it accepts every launch whose ID block {signed}, not only the "
                f"{len(export.digests)} selected ones"
            )
            notes.append(Note("export-accepts-more", text))
        return notes


def _is_any_digest(export: Export) -> bool:
    """Whether the one config that is written names no digest, because it has a key for several."""
    return _has_key(export.settings) and len(export.digests) > 1


def _has_key(settings: Settings) -> bool:
    return settings.id_key is not None or settings.author_key is not None


def _demanded_key(settings: Settings) -> Sequence[str]:
    """The fields that demand an ID block of a key, if one is given. Raises UsageError for two, and as `key_digest`."""
    if settings.id_key and settings.author_key:
        raise UsageError(
            "given both keys, go-sev-guest accepts a report that matches either one", "give --id-key or --author-key"
        )
    if not (key := settings.id_key or settings.author_key):
        return ()
    from catalog.export.key_digests import key_digest  # cryptography takes long to load

    field = "trusted_id_key_hashes" if settings.id_key else "trusted_author_key_hashes"
    return "require_id_block: true", f"{field}: {escaped(key_digest(key, settings.passphrase))}"


def _file(name: str, digest: bytes | None, demanded: Sequence[str], settings: Settings) -> ExportFile:
    """A config: its fields by number, as go-sev-guest prints them. name: of the file, without its ending."""
    fields = [] if settings.guest_svn is None else [f"minimum_guest_svn: {guest_svn(settings)}"]
    fields.append(f"policy: {guest_policy(settings).value:#x}")
    values = {"family_id": settings.family_id, "image_id": settings.image_id, "measurement": digest}
    fields += [f"{field}: {escaped(value)}" for field, value in values.items() if value is not None]
    return ExportFile.of(f"{name}.textproto", "text/plain; charset=utf-8", _config([*fields, *demanded]))


def _config(fields: Iterable[str]) -> bytes:
    return "".join(["policy {\n", *(f"  {field}\n" for field in fields), "}\n"]).encode()


FORMAT = CheckConfig()
