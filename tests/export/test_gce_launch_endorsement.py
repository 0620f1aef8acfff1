"""Launch endorsements: what Google's protobuf library and our own import read of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from catalog.errors import LdcatError, MalformedInput, UsageError, VerificationFailed
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from catalog.export.settings import GivenFile, Settings
from catalog.imports.documents import read_document
from catalog.spec import embedded
from tests.support import published_documents as made
from tests.support.exports import TIME, export_of
from tests.support.gce_keys import certificate, key
from tests.support.gce_messages import message_class

FORMAT = export_format_named("gce-endorsement")
COMMIT = bytes.fromhex("ab" * 20)
BUILD = "sid/ovmf-amdsev/OVMF.amdsev.fd"


def endorsed(vcpus: int = 3, **changes: Any) -> Export:
    """Rows of 1 to `vcpus` vCPUs of a shipped build."""
    given = {"key": key(), "cert": certificate(), "ca": certificate("gce root"), "commit": COMMIT}
    export = export_of(vcpus, settings=Settings(**{**given, **changes}))
    rows = [replace(row, firmware=embedded.builds()[BUILD]) for row in export.rows]
    return replace(export, rows=rows)


def written(export: Export) -> bytes:
    [file] = FORMAT.files(export)
    assert file.name == "gce-endorsement.binarypb"
    return b"".join(file.chunks())


def test_google_s_library_reads_every_field() -> None:
    settings = {"guest_svn": 7, "cl_spec": 1 << 40, "policy": 0x70000, "family_id": b"f" * 16, "image_id": b"i" * 16}
    export = endorsed(3, valid_from=TIME + 1, **settings)
    envelope = message_class("Endorsement").FromString(written(export))
    golden = message_class("Golden").FromString(envelope.golden)
    assert golden.ByteSize() == len(envelope.golden)
    assert (golden.timestamp.seconds, golden.timestamp.nanos) == (TIME + 1, 0)
    assert (golden.cl_spec, golden.commit) == (1 << 40, COMMIT)
    assert golden.cert == x509.load_pem_x509_certificate(certificate().data).public_bytes(Encoding.DER)
    assert golden.ca_bundle == certificate("gce root").data
    assert golden.digest == embedded.builds()[BUILD].component.sha384
    launch = golden.sev_snp
    assert dict(launch.measurements) == {row.vcpus: row.digest for row in export.rows}
    assert (launch.svn, launch.policy, launch.family_id, launch.image_id) == (7, 0x70000, b"f" * 16, b"i" * 16)
    assert (launch.ca_bundle, launch.svsm_measurement) == (b"", b"")


def test_our_own_import_verifies_it_with_the_root_alone() -> None:
    export = endorsed(4)
    root = x509.load_pem_x509_certificate(certificate("gce root").data)
    read = read_document(written(export), made.trusted(root))
    assert (read.form, read.checked, read.document_time) == ("gce-endorsement", "signature", TIME)
    assert {(one.claims.vcpus, one.digest) for one in read.endorsed} == {(row.vcpus, row.digest) for row in export.rows}
    assert {one.claims.policy for one in read.endorsed} == {0x30000}


def test_what_is_signed_is_equal_each_time_and_the_signature_is_not() -> None:
    kind = message_class("Endorsement")
    one, other = kind.FromString(written(endorsed())), kind.FromString(written(endorsed()))
    assert one.golden == other.golden
    assert one.signature != other.signature


def test_a_note_names_the_option_that_the_default_policy_needs() -> None:
    [note] = FORMAT.notes(endorsed())
    assert (note.code, "--base /dev/null" in note.text) == ("consumer-needs-option", True)
    assert [note.code for note in FORMAT.notes(endorsed(policy=0x70000))] == ["migration-agent-allowed"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"commit": None}, UsageError, "names the source of the firmware"),
        ({"commit": b"", "cl_spec": 0}, UsageError, "names the source of the firmware"),
        ({"policy": 0x10000}, UsageError, "bit 17 of the guest policy must be 1"),
        ({"policy": 1 << 64}, UsageError, "no guest policy of 64 bits"),
        ({"policy": -1}, UsageError, "no guest policy of 64 bits"),
        ({"guest_svn": 1 << 32}, UsageError, "no security version number of 32 bits"),
        ({"guest_svn": -1}, UsageError, "no security version number of 32 bits"),
        ({"cl_spec": 1 << 64}, UsageError, "no number of a change of 64 bits"),
        ({"cl_spec": -1}, UsageError, "no number of a change of 64 bits"),
        ({"key": None}, UsageError, "needs --key"),
        ({"key": key("other")}, UsageError, "a certificate of another key"),
        ({"cert": GivenFile("x.pem", b"x")}, MalformedInput, "x.pem: no certificates"),
        ({"cert": GivenFile("x.pem", certificate().data * 2)}, MalformedInput, "x.pem has 2 certificates"),
        ({"cert": certificate(start=TIME + 1)}, UsageError, "not valid at 2026-11-28T00:00:00Z"),
        ({"ca": certificate("gce root", end=TIME - 1)}, UsageError, "not valid at 2026-11-28T00:00:00Z"),
        ({"cert": certificate(signer="other")}, VerificationFailed, "is not signed by 'gce root'"),
        ({"ca": certificate("gce root", ca=False)}, VerificationFailed, "may not sign certificates"),
        ({"cert": certificate(eku="1.3.6.1.5.5.7.3.3")}, UsageError, "not serverAuth"),
        ({"ca": certificate("gce root", eku="1.3.6.1.5.5.7.3.3")}, UsageError, "not serverAuth"),
    ],
)
def test_settings_that_no_verifier_would_take_are_refused(
    changes: dict[str, Any], error: type[LdcatError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        FORMAT.files(endorsed(**changes))
    assert type(caught.value) is error


def test_server_certificates_are_taken() -> None:
    assert written(endorsed(cert=certificate(eku="1.3.6.1.5.5.7.3.1")))


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("vmm", "--vmm"),
        ("sev_features", "--sev-features"),
        ("vcpu_signature", "--vcpu-type"),
        ("kernel_hashes", "--kernel-hashes"),
        ("firmware", "--firmware"),
    ],
)
def test_rows_that_differ_in_more_than_their_vcpus_are_refused(field: str, option: str) -> None:
    export = endorsed(2)
    others: dict[str, Any] = {
        "vmm": "ec2",
        "sev_features": 0x21,
        "vcpu_signature": 1,
        "kernel_hashes": next(iter(embedded.kernels().values())).hashes,
        "firmware": next(one for name, one in embedded.builds().items() if name.endswith("/OVMF.fd")),
    }
    one, other = export.rows
    changed = replace(export, rows=[one, replace(other, **{field: others[field]})])
    with pytest.raises(UsageError, match="vCPU count alone") as caught:
        FORMAT.files(changed)
    assert option in str(caught.value.hint)


def test_an_image_without_its_sha384_is_refused() -> None:
    with pytest.raises(UsageError, match="SHA-384, which is not known"):
        FORMAT.files(export_of(2, settings=endorsed().settings))


def test_configurations_with_one_digest_are_one_launch() -> None:
    export = endorsed(2)
    twins = [replace(row, vmm="qemu-amdese-2022") for row in export.rows]
    assert replace(export, rows=[*twins, *export.rows]).all_but_vcpus() is twins[0]
    other = replace(twins[0], digest=bytes(48))
    with pytest.raises(UsageError, match="rows that differ in their vCPU count alone"):
        replace(export, rows=[other, *export.rows]).all_but_vcpus()
