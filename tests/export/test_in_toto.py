"""in-toto statements: their subjects are files that fit what is selected; all else is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from catalog.errors import LdcatError, MalformedInput, MalformedRecord, UsageError, VerificationFailed
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from catalog.export.formats.in_toto import MOST_ROWS, UNPUBLISHED, predicate_type
from catalog.export.settings import GivenFile, Settings
from tests.support.exported_files import digests_of, given_file
from tests.support.exports import SOURCE, export_of

FORMAT = export_format_named("in-toto")
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))


def key_file(key: Any = PRIVATE) -> GivenFile:
    return GivenFile("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def about(*files: GivenFile, vcpus: int = 1, key: GivenFile | None = None) -> Export:
    return export_of(vcpus, settings=Settings(key=key or key_file(), files=files))


def signed(export: Export) -> Any:
    """The statement, once securesystemslib has verified the envelope."""
    [file] = FORMAT.files(export)
    assert (file.name, file.media_type) == ("in-toto.dsse.json", "application/vnd.dsse.envelope.v1+json")
    envelope = Envelope.from_dict(json.loads(b"".join(file.chunks())))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    envelope.verify([SSlibKey.from_crypto(PRIVATE.public_key())], 1)
    return json.loads(envelope.payload)


def test_it_names_files_by_their_hashes_and_the_rows_of_their_digests() -> None:
    digests = digests_of(3)
    files = [given_file("out/b.json", b"b", digests=digests), given_file("a.json", b"a", digests=digests)]
    export = about(*files, vcpus=3)
    statement = signed(export)
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "a.json", "digest": {"sha256": hashlib.sha256(b"a").hexdigest()}},
            {"name": "b.json", "digest": {"sha256": hashlib.sha256(b"b").hexdigest()}},
        ],
        "predicateType": "https://catalog.example/launch-digests/v1",
        "predicate": {
            "release": 1,
            "origin": "catalog.example/sev",
            "rows": [row.record for row in export.rows],
        },
    }


def test_the_order_of_the_files_does_not_matter() -> None:
    one, other = given_file("a.json"), given_file("b.json")
    assert signed(about(one, other)) == signed(about(other, one))


def test_a_note_says_by_which_type_cosign_takes_it() -> None:
    [note] = FORMAT.notes(about(given_file("a.json")))
    assert note.code == "consumer-needs-option"
    assert note.text.endswith("--type https://catalog.example/launch-digests/v1")


def test_a_file_of_an_exported_folder_is_found_in_its_sidecar() -> None:
    one = given_file("out/a.textproto", others=["b.textproto"], kind="check")
    statement = signed(about(one, replace(one, name="out/b.textproto")))
    assert [subject["name"] for subject in statement["subject"]] == ["a.textproto", "b.textproto"]


def test_a_part_of_an_exported_folder_is_refused() -> None:
    with pytest.raises(UsageError, match=r"b\.textproto was exported together with out/a\.textproto, and"):
        FORMAT.files(about(given_file("out/a.textproto", others=["b.textproto"], kind="check")))


def test_a_local_catalog_has_a_predicate_type_of_its_own() -> None:
    local = replace(SOURCE, origin=None, release=None, size=None, root=None)
    export = replace(about(given_file("a.json", source=local)), source=local)
    statement = signed(export)
    assert statement["predicateType"] == UNPUBLISHED
    assert (statement["predicate"]["release"], statement["predicate"]["origin"]) == (None, None)


def test_the_predicate_type_is_named_by_the_host_of_the_origin() -> None:
    assert predicate_type("catalog.example:8443/sev/1") == "https://catalog.example:8443/launch-digests/v1"
    assert predicate_type("example") == "https://example/launch-digests/v1"
    for origin in ("caf\u00e9.example/x", "/x", "a@b/x", "https://x"):
        with pytest.raises(UsageError, match="does not begin with a host name"):
            predicate_type(origin)


OTHER = replace(SOURCE, manifest_sha256="33" * 32)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ([], UsageError, "files that were exported before"),
        ([given_file("x/a"), given_file("y/a")], UsageError, "x/a and y/a have one name"),
        ([given_file("a", sidecar=None)], VerificationFailed, "a has no sidecar a.ldcat.json"),
        ([given_file("a", sidecar=b"{}")], MalformedRecord, "the sidecar of a"),
        ([replace(given_file("a"), data=b"valueS\n")], VerificationFailed, "is not the file that its sidecar"),
        ([replace(given_file("a"), name="b")], VerificationFailed, "the sidecar of b does not name it"),
        ([given_file("a", digests=digests_of(2))], VerificationFailed, "exported with another set of launch digests"),
        ([given_file("a", source=replace(SOURCE, release=2))], VerificationFailed, "exported with another release"),
        ([given_file("a", source=replace(SOURCE, root="44" * 32))], VerificationFailed, "another release"),
        ([given_file("a", source=OTHER)], VerificationFailed, "exported with another catalog"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(files: list[GivenFile], error: type[LdcatError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        FORMAT.files(about(*files))
    assert type(caught.value) is error


def test_more_rows_than_a_reader_holds_are_refused() -> None:
    export = about(given_file("a.json", b"a", digests=digests_of(1)))
    with pytest.raises(UsageError, match="131,073 are more than 131,072"):
        FORMAT.files(replace(export, rows=list(export.rows) * (MOST_ROWS + 1)))


def test_a_key_of_another_curve_is_refused() -> None:
    with pytest.raises(MalformedInput, match="the key is P-521"):
        FORMAT.files(about(given_file("a"), key=key_file(ec.generate_private_key(ec.SECP521R1()))))
