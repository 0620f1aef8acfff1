"""Import records in a spec: read with their documents, which are verified again, or refused with the file named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from catalog.errors import (
    LdcatError,
    MalformedRecord,
    UnknownName,
    Unreadable,
    UntrustedSigner,
    UsageError,
    VerificationFailed,
)
from catalog.spec import embedded, spec_imports
from catalog.spec.catalog_spec import CatalogSpec, load_spec
from tests.support.attestation_builder import ca_key
from tests.support.endorsed_digests import SNP_DIGEST, import_list, write_import, write_page
from tests.support.published_documents import (
    DIGEST,
    FEED,
    OTHER,
    SIGNED,
    as_json,
    c8s,
    certificate,
    contrast_manifest,
    did,
    gce,
    pem,
    uvm,
)
from tests.support.samples import ONE_ROW, write_spec

IMPORTS = '[imports]\nfiles = ["in/*.toml"]\n'
WITH_ROOT = IMPORTS + 'roots = ["in/root.pem"]\n'


def loaded(folder: Path, imports: str = WITH_ROOT) -> CatalogSpec:
    return load_spec(write_spec(folder, ONE_ROW + imports))


def refused(folder: Path, kind: type[LdcatError], imports: str = WITH_ROOT) -> str:
    with pytest.raises(kind) as caught:
        loaded(folder, imports)
    return f"{caught.value} ({caught.value.hint})"


def test_a_signed_document_is_verified_again(tmp_path: Path) -> None:
    document = uvm()
    write_import(tmp_path / "in", document)
    spec = loaded(tmp_path)
    (found,) = spec.endorsed
    assert (found.checked, found.document_time, found.certificate_until) == ("signature", SIGNED, SIGNED + 86_400)
    assert (found.endorser_id, found.endorser_feed, found.endorser_svn) == (did(), FEED, 100)
    assert spec.documents == {hashlib.sha256(document).hexdigest(): document}


def test_every_digest_of_a_document_is_taken_with_its_claims(tmp_path: Path) -> None:
    write_import(tmp_path / "in", gce())
    found = loaded(tmp_path).endorsed
    assert {one.launch_digest: one.claims.vcpus for one in found} == {DIGEST: 1, OTHER: 4}
    assert {one.claims.policy for one in found} == {"0x30000"}


def test_an_unsigned_document_is_kept_and_called_unsigned(tmp_path: Path) -> None:
    write_import(tmp_path / "in", as_json(c8s()), origin="https://b.example")
    spec = loaded(tmp_path, IMPORTS)
    assert {one.checked for one in spec.endorsed} == {"none"}
    assert {one.endorser_id for one in spec.endorsed} == {"https://b.example"}
    assert list(spec.documents.values()) == [as_json(c8s())]


def test_values_without_a_document(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/list.toml").write_text(import_list(SNP_DIGEST, OTHER))
    spec = loaded(tmp_path, IMPORTS)
    assert [one.document_sha256 for one in spec.endorsed] == [None, None]
    assert spec.documents == {}


def test_bases_are_taken_with_and_without_their_document(tmp_path: Path) -> None:
    path = write_import(tmp_path / "in", contrast_manifest(), origin="https://c.example")
    (base,) = loaded(tmp_path, IMPORTS).bases
    assert (base.facts.digest.hex(), base.facts.reset_vector) == (DIGEST, 0x80B004)
    text = path.read_text()
    path.write_text(text[: text.index("[[endorsed]]")] + text[text.index("[[base]]") :])
    assert loaded(tmp_path, IMPORTS).bases == (base,)
    next((tmp_path / "in/documents").iterdir()).unlink()
    spec = loaded(tmp_path, IMPORTS)
    assert (spec.bases, spec.endorsed, spec.documents) == ((base,), (), {})


PARTS = """format = "ldcat-import/1"
[document]
form = "published-list"
checked = "none"
origin = "https://a.example/list"
[[firmware]]
sha384 = "{hash}"
[[kernel]]
kernel_sha256 = "{kernel}"
append_words = ["one"]
"""


def test_what_is_known_in_part_is_counted_each_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    whole = '[[kernel]]\nkernel_sha256 = "{0}"\ninitrd_sha256 = "{0}"\nappend = ""\n'.format("33" * 32)
    for name, kernel in (("one", "11"), ("same", "11"), ("other", "22")):
        (tmp_path / f"in/{name}.toml").write_text(PARTS.format(hash="00" * 48, kernel=kernel * 32) + whole)
    assert loaded(tmp_path, IMPORTS).notes == (
        "2 kernels are known in part: no digest follows from them",
        "1 firmware image is known in part: no digest follows from it",
    )
    assert load_spec(write_spec(tmp_path, ONE_ROW)).notes == ()


def test_a_spec_without_imports_is_written_as_before(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path, ONE_ROW))
    assert "imports" not in spec.text
    assert (spec.endorsed, spec.documents, spec.bases) == ((), {}, ())


def test_the_same_record_by_two_files_is_one(tmp_path: Path) -> None:
    path = write_import(tmp_path / "in", uvm())
    path.with_name("again.toml").write_bytes(path.read_bytes())
    assert len(loaded(tmp_path).endorsed) == 1


def test_two_documents_of_one_endorser_may_say_the_same(tmp_path: Path) -> None:
    write_import(tmp_path / "in", gce())
    write_import(tmp_path / "in", gce(time=SIGNED + 5))
    assert [one.launch_digest for one in loaded(tmp_path).endorsed] == [DIGEST, DIGEST, OTHER, OTHER]


def test_contradicting_claims_are_refused_with_both_files(tmp_path: Path) -> None:
    one = write_import(tmp_path / "in", gce({1: bytes.fromhex(DIGEST)}))
    other = write_import(tmp_path / "in", gce({2: bytes.fromhex(DIGEST)}))
    why = refused(tmp_path, MalformedRecord)
    assert f"contradict each other about {DIGEST}: vcpus" in why
    assert one.name in why
    assert other.name in why


@pytest.mark.parametrize("what", ["documents/*", "*.toml"])
def test_a_pipe_does_not_block(tmp_path: Path, what: str) -> None:
    write_import(tmp_path / "in", uvm())
    path = next((tmp_path / "in").glob(what))
    path.unlink()
    os.mkfifo(path)
    assert "not a regular file" in refused(tmp_path, Unreadable)


def test_an_endorser_whose_documents_ldcat_reads_has_such_a_document(tmp_path: Path) -> None:
    """Else an audit would refuse the catalog, because the document is of no known format."""
    path = write_page(tmp_path / "in", DIGEST)
    assert loaded(tmp_path, IMPORTS).documents
    path.write_text(path.read_text().replace('{ scheme = "wiki"', '{ scheme = "azure-uvm"'))
    why = refused(tmp_path, MalformedRecord, IMPORTS)
    assert "has the scheme 'azure-uvm', and the document is of the form 'wiki'" in why


def test_a_document_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = write_import(tmp_path / "in", uvm())
    next((tmp_path / "in/documents").iterdir()).unlink()
    why = refused(tmp_path, Unreadable)
    assert f"{path}: its document is not there" in why
    assert "ldcat import -o" in why


def test_a_changed_byte_of_a_document_is_refused(tmp_path: Path) -> None:
    path = write_import(tmp_path / "in", uvm())
    document = next((tmp_path / "in/documents").iterdir())
    right = document.read_bytes()
    for at in (0, len(right) // 2, len(right) - 1):
        changed = bytearray(right)
        changed[at] ^= 1
        document.write_bytes(changed)
        assert f"{path}: {document} is not the document of that SHA-256" in refused(tmp_path, MalformedRecord)


def test_a_signature_that_does_not_hold_is_refused_even_if_the_record_fits(tmp_path: Path) -> None:
    path = write_import(tmp_path / "in", uvm())
    document = next((tmp_path / "in/documents").iterdir())
    right = document.read_bytes()
    forged = right[:-1] + bytes([right[-1] ^ 1])
    sha256 = hashlib.sha256(forged).hexdigest()
    document.rename(document.with_name(sha256)).write_bytes(forged)
    path.write_text(path.read_text().replace(document.name, sha256))
    assert "signature" in refused(tmp_path, VerificationFailed)


def test_a_document_of_an_unknown_root_is_refused_with_what_to_do(tmp_path: Path) -> None:
    write_import(tmp_path / "in", gce())
    assert "[imports] roots" in refused(tmp_path, UntrustedSigner, IMPORTS)
    other = certificate("test root", "test root", ca=True, public=ca_key("another").public_key())
    (tmp_path / "in/root.pem").write_bytes(pem(other))
    assert "is not signed by" in refused(tmp_path, VerificationFailed)


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        ('checked = "signature"', 'checked = "none"', "checked"),
        (f"time = {SIGNED}", f"time = {SIGNED + 1}", "document_time"),
        (f"certificate_until = {SIGNED + 86_400}", "certificate_until = 9", "certificate_until"),
        ("svn = 100", "svn = 101", "endorsed"),
        (DIGEST, OTHER, "endorsed"),
        ('form = "azure-uvm"', 'form = "gce-endorsement"', ""),
    ],
)
def test_a_record_that_says_other_than_its_document_is_refused(
    tmp_path: Path, right: str, wrong: str, what: str
) -> None:
    path = write_import(tmp_path / "in", uvm())
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    assert f"it says other than its document: {what}" in refused(tmp_path, MalformedRecord)


def test_what_a_record_says_of_a_document_that_ldcat_cannot_read_is_not_verified(tmp_path: Path) -> None:
    document = b"a page of a wiki"
    text = import_list(SNP_DIGEST, scheme="wiki").replace(
        'checked = "none"', f'checked = "signature"\nsha256 = "{hashlib.sha256(document).hexdigest()}"'
    )
    (tmp_path / "in/documents").mkdir(parents=True)
    (tmp_path / "in/documents" / hashlib.sha256(document).hexdigest()).write_bytes(document)
    (tmp_path / "in/wiki.toml").write_text(text)
    assert "it says other than its document: checked" in refused(tmp_path, MalformedRecord, IMPORTS)
    (tmp_path / "in/wiki.toml").write_text(text.replace('"signature"', '"none"'))
    assert [one.checked for one in loaded(tmp_path, IMPORTS).endorsed] == ["none"]


def test_an_endorser_that_nobody_names_is_refused(tmp_path: Path) -> None:
    document = as_json(c8s())
    path = write_import(tmp_path / "in", document)
    assert f"{path}: endorsed digest: it does not say whose it is" in refused(tmp_path, MalformedRecord, IMPORTS)


def test_a_pattern_without_files_is_refused(tmp_path: Path) -> None:
    assert "no import record matches 'in/*.toml'" in refused(tmp_path, Unreadable)
    write_import(tmp_path / "in", uvm())
    assert "no root certificate matches" in refused(tmp_path, Unreadable, IMPORTS + 'roots = ["none.pem"]\n')
    assert "unknown fleet 'moon'" in refused(tmp_path, UnknownName, '[imports]\nfleets = ["moon"]\n')


def test_too_many_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_imports, "MOST_RECORDS", 1)
    write_import(tmp_path / "in", uvm())
    assert len(loaded(tmp_path).endorsed) == 1
    write_import(tmp_path / "in", gce())
    assert "2 import records are more than 1" in refused(tmp_path, UsageError)


def test_a_root_that_is_no_certificate_is_refused_with_its_name(tmp_path: Path) -> None:
    write_import(tmp_path / "in", uvm())
    (tmp_path / "in/root.pem").write_bytes(b"x")
    assert f"{tmp_path / 'in/root.pem'}: no certificates in PEM or DER" in refused(tmp_path, LdcatError)


def test_embedded_fleets_are_selected_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(embedded, "fleets", embedded.fleets.__wrapped__)
    assert loaded(tmp_path, '[imports]\nfleets = ["*"]\n').endorsed == ()
    write_import(tmp_path / "data/fleets", gce()).rename(tmp_path / "data/fleets/gce.toml")
    (tmp_path / "data/fleets/others.toml").write_text(import_list(SNP_DIGEST))
    (tmp_path / "data/fleets/roots").mkdir()
    (tmp_path / "data/fleets/root.pem").rename(tmp_path / "data/fleets/roots/root.pem")
    assert len(loaded(tmp_path, '[imports]\nfleets = ["gce"]\n').endorsed) == 2
    assert len(loaded(tmp_path, '[imports]\nfleets = ["*"]\n').endorsed) == 3
    (tmp_path / "data/fleets/others.toml").write_text("x")
    assert "data/fleets/others.toml: import record" in refused(tmp_path, MalformedRecord, '[imports]\nfleets = ["*"]\n')


def test_every_embedded_fleet_is_right(tmp_path: Path) -> None:
    spec = loaded(tmp_path, '[imports]\nfleets = ["*"]\n')
    assert {one.document_sha256 for one in spec.endorsed} - {None} == set(spec.documents)
