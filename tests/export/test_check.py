"""check.Config of go-sev-guest: a file for each digest, and policies that it would refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.errors import UsageError
from catalog.export.exported import Export
from catalog.export.formats import check
from catalog.export.formats.check import FORMAT
from catalog.export.key_digests import key_digest
from catalog.export.settings import GivenFile, Settings
from tests.support.exports import export_of


def text_of(settings: Settings | None = None) -> str:
    (file,) = FORMAT.files(export_of(settings=settings))
    return b"".join(file.chunks()).decode()


def codes(export: Export) -> list[str]:
    return [note.code for note in FORMAT.notes(export)]


def test_a_digest_is_escaped_byte_by_byte_below_the_policy() -> None:
    digest = export_of().digests[0]
    escaped = "".join(f"\\x{byte:02x}" for byte in digest)
    assert text_of() == f'policy {{\n  policy: 0x30000\n  measurement: "{escaped}"\n}}\n'
    assert codes(export_of()) == []


def test_each_digest_has_a_file_by_its_name_once() -> None:
    export = export_of(3)
    files = FORMAT.files(replace(export, rows=[*export.rows, *export.rows]))
    assert [file.name for file in files] == [f"{digest.hex()}.textproto" for digest in export.digests]
    assert all(file.name.endswith(FORMAT.file_ending) for file in files)
    assert len({b"".join(file.chunks()) for file in files}) == 3


def test_no_more_files_are_made_than_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MOST_FILES", 2)
    assert len(FORMAT.files(export_of(2))) == 2
    with pytest.raises(UsageError, match="3 digests are as many files, of at most 2"):
        FORMAT.files(export_of(3))


def test_settings_are_fields_in_the_order_of_their_numbers() -> None:
    settings = Settings(policy=0xB0003, guest_svn=7, family_id=b"\1" * 16, image_id=b"\xfe" * 16)
    lines = [line.strip() for line in text_of(settings).splitlines()[1:-2]]
    ids = ["family_id: " + '"' + "\\x01" * 16 + '"', "image_id: " + '"' + "\\xfe" * 16 + '"']
    assert lines == ["minimum_guest_svn: 7", "policy: 0xb0003", *ids]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (0, "bit 17 of the .*; 0x0 has"),
        (0x10000, "bit 17 of the guest policy must be 1"),
        (1 << 26 | 0x20000, "bit 26 is not known"),
    ],
)
def test_a_policy_that_go_sev_guest_refuses_is_an_error(policy: int, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        text_of(Settings(policy=policy))
    assert "--policy 0x30000" in (caught.value.hint or "")


@pytest.mark.parametrize("svn", [-1, 1 << 32])
def test_a_guest_svn_has_32_bits(svn: int) -> None:
    assert "minimum_guest_svn: 4294967295" in text_of(Settings(guest_svn=0xFFFFFFFF))
    with pytest.raises(UsageError, match="no security version number of 32 bits"):
        text_of(Settings(guest_svn=svn))


def test_what_a_policy_allows_and_who_chooses_other_values_is_said() -> None:
    assert codes(export_of(settings=Settings(policy=0xE0000))) == ["debug-allowed", "migration-agent-allowed"]
    (note,) = FORMAT.notes(export_of(settings=Settings(guest_svn=0, image_id=bytes(16))))
    assert note.code == "host-chooses-value"
    assert "guest SVN and image ID" in note.text


def author(**settings: Any) -> Settings:
    """Settings with the public key of an author."""
    key = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    data = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Settings(author_key=GivenFile("author.pem", data), **settings)


def test_one_digest_with_an_author_key_needs_both() -> None:
    settings = author()
    assert settings.author_key
    escaped = "".join(f"\\x{byte:02x}" for byte in key_digest(settings.author_key, None))
    without = text_of().removesuffix("}\n")
    demanded = f'  require_id_block: true\n  trusted_author_key_hashes: "{escaped}"\n'
    assert text_of(settings) == f"{without}{demanded}}}\n"
    assert codes(export_of(settings=author(guest_svn=2, family_id=bytes(16)))) == []


def test_an_id_key_is_demanded_in_place_of_an_author_and_never_beside_one() -> None:
    key = author().author_key
    assert key
    (by_author,), (by_key,) = (FORMAT.files(export_of(settings=one)) for one in (author(), Settings(id_key=key)))
    expected = b"".join(by_author.chunks()).replace(b"trusted_author_key_hashes", b"trusted_id_key_hashes")
    assert b"".join(by_key.chunks()) == expected
    assert codes(export_of(settings=Settings(id_key=key, guest_svn=2))) == []
    (note,) = FORMAT.notes(export_of(2, settings=Settings(id_key=key)))
    assert "whose ID block this key signed" in note.text
    with pytest.raises(UsageError, match="accepts a report that matches either one"):
        FORMAT.files(export_of(settings=author(id_key=key)))


def test_several_digests_with_an_author_key_are_one_config_of_whatever_the_author_signs() -> None:
    export = export_of(3, settings=author(guest_svn=2))
    (file,) = FORMAT.files(export)
    text = b"".join(file.chunks()).decode()
    assert file.name == "id-block.textproto"
    assert "measurement" not in text
    assert text.splitlines()[1:4] == ["  minimum_guest_svn: 2", "  policy: 0x30000", "  require_id_block: true"]
    (note,) = FORMAT.notes(export)
    assert (note.code, "not only the 3 selected" in note.text) == ("export-accepts-more", True)
