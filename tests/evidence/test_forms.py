"""Every form of evidence: what it holds is read, what came with it is kept, and what is no evidence is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedInput
from catalog.evidence.evidence import Evidence
from catalog.evidence.sniff import MAX_EVIDENCE, sniff
from tests.support import evidence_forms as forms

SAMPLES = forms.samples()
SEV = ("digest-sha256", "digest-unpadded", "sev-report", "sev-es-report-base64", "sev-report-qmp")
WITH_ONE = ("report-azure-0", "report-azure-1", "report-azure-2")
WITH_THREE = (
    *("report-table", "report-scale", "report-message-pack", "report-message-pack-hex", "report-cbor"),
    *("report-tsm-json", "report-trustee", "report-kbs", "report-go", "report-maa-request", "report-ccf"),
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_form_is_read(name: str) -> None:
    found = sniff(SAMPLES[name])
    expected = forms.SEV_DIGEST if name in SEV else b"\xff" * 48 if name == "digest-base64url" else forms.DIGEST
    assert found.digest.value == expected
    if name.startswith("report-"):
        assert found.report
        assert found.report.raw == forms.REPORT
        assert found.claimed_by is None
    assert (found.claimed_by is None) == (not name.startswith(("text-", "claims-", "id-block")))
    count = 3 if name in WITH_THREE else 1 if name in WITH_ONE else 0
    assert found.certificates == forms.CERTIFICATES[:count]


@pytest.mark.parametrize(
    ("name", "form", "claimed_by", "codes"),
    [
        ("digest-quoted", "launch digest", None, []),
        ("digest-checksum", "launch digest in a list of checksums", None, []),
        ("report-table", "attestation report followed by its certificate table", None, []),
        ("report-base64-64", "attestation report in base64", None, []),
        ("report-xxd", "attestation report in an xxd dump", None, []),
        ("report-hexdump", "attestation report in a hexdump -C dump", None, []),
        ("report-od", "attestation report in an od dump", None, []),
        ("report-c-array", "attestation report in a list of numbers", None, []),
        ("report-azure-0", "attestation report in an Azure HCL blob in JSON", None, []),
        ("report-scale", "attestation report in an attestation of dstack", None, []),
        ("report-message-pack-hex", "attestation report in MessagePack in hex", None, []),
        ("report-differs", "attestation report in JSON", None, ["digests-differ"]),
        ("id-block-base64", "ID block in base64", "an ID block", ["digest-only-claimed"]),
        ("sev-report-qmp", "attestation report of SEV or SEV-ES in JSON", None, ["pek-not-checked"]),
        ("text-amd", "launch digest in the text of an attestation report", "a text", ["digest-only-claimed"]),
        ("text-igvmmeasure", "launch digest in the output of igvmmeasure", "a text", ["digest-only-claimed"]),
        ("text-alone", "launch digest in a text", "a text", ["digest-only-claimed"]),
        ("claims-maa", "launch digest in MAA claims", "MAA claims", ["digest-only-claimed"]),
        (
            "claims-ear-token",
            "launch digest in claims in JSON in a JSON Web Token",
            "claims in JSON",
            ["digest-only-claimed", "token-not-verified"],
        ),
    ],
)
def test_what_was_read_is_said(name: str, form: str, claimed_by: str | None, codes: list[str]) -> None:
    found = sniff(SAMPLES[name])
    assert (found.form, found.claimed_by, [note.code for note in found.notes]) == (form, claimed_by, codes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("refused-two-lines", "has 2 lines of launch digests"),
        ("refused-two-in-text", "2 different launch digests"),
        ("refused-two-labels", "2 different launch digests"),
        ("refused-two-claims", "several different launch digests"),
        ("refused-two-reports", "several different reports"),
        ("refused-csv", "evidence of Hygon CSV"),
        ("refused-igvm", "an IGVM file"),
        ("refused-event-log", "this is an event log"),
        ("refused-thim", "has certificates, and no report"),
        ("refused-go-metadata", "metadata of sev-snp-measure-go"),
        ("refused-proof", "a proof of what a log says of a launch digest"),
        ("refused-azure-tdx", "is of Intel TDX"),
        ("refused-gap", "an xxd dump do not follow one another"),
        ("refused-dump", "the 40 bytes in an xxd dump are not evidence of a known form"),
        ("refused-token", "states no launch digest"),
        ("refused-sha384-short", "the length of a digest of the algorithm that it names"),
        ("refused-table", "entry 0 of the certificate table is not inside it"),
        ("refused-scale", "ends within a certificate"),
        ("refused-half", "has 80 hex digits; a launch digest has 64 .* or 96"),
    ],
)
def test_what_is_no_evidence_is_named(name: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        sniff(forms.refused()[name])


def test_no_sample_is_left_out() -> None:
    """Each refused sample has its message above."""
    marks = test_what_is_no_evidence_is_named.pytestmark  # type: ignore[attr-defined]  # set by parametrize
    assert {name for name, _ in marks[0].args[1]} == forms.refused().keys()


def test_an_error_has_nothing_of_the_input() -> None:
    secret = "c0ffee" * 13
    for text in (secret, f"0x{secret}", f"key {secret}", f'{{"key": "{secret}"}}'):
        with pytest.raises(MalformedInput) as caught:
            sniff(text.encode())
        assert "c0ffee" not in f"{caught.value} {caught.value.hint}"


def test_json_in_base64_in_json_is_read_and_nothing_deeper() -> None:
    found: list[Evidence | None] = []
    text = json.dumps({"report": forms.standard(forms.REPORT)})
    for _ in range(4):
        try:
            found.append(sniff(text.encode()))
        except MalformedInput:
            found.append(None)
        text = json.dumps({"evidence": forms.standard(text.encode())})
    assert [one and one.form.count(" in JSON") for one in found] == [1, 2, 3, None]


NONSENSE = [
    *(b"6", b"{", b"[", b'{"a":', b"[[", b"[0,", b"eyJ.", b"A", b"=", b"-", b"0x00,", b"*\n", b"00000000: 00\n", b"\n"),
    *(b"Measurement:\n", b"sev-measurement: A\n", b"\xa1\x61a", b"\x81\xa1a", b"\xdd\0\0\xff", b"a ", b" ", b"# \n"),
    *(b"sha384:", b'"', b"IGVM", b"\0", b"\xff", b"launch digest: 00\n", b"-----BEGIN CERTIFICATE-----"),
]


@pytest.mark.parametrize("part", NONSENSE, ids=repr)
def test_a_megabyte_of_nonsense_is_refused(part: bytes) -> None:
    """By whoever recognises its beginning; what takes longer than linear time would not end."""
    with pytest.raises(MalformedInput):
        sniff((part * (MAX_EVIDENCE // len(part) + 1))[:MAX_EVIDENCE])


def test_more_than_a_megabyte_is_refused() -> None:
    with pytest.raises(MalformedInput, match="larger than"):
        sniff(b"6" * (MAX_EVIDENCE + 1))


def test_a_report_in_json_that_lacks_a_field_is_no_claim() -> None:
    report = forms.virtee()["attestation_report"]
    del report["signature"]
    with pytest.raises(MalformedInput, match="has no signature"):
        sniff(json.dumps(report).encode())


def test_counts_are_bounded() -> None:
    wide = {f"{number}": 0 for number in range(10_001)}
    deep = json.loads('{"a":' * 40 + "{}" + "}" * 40)
    for value in (wide, deep):
        with pytest.raises(MalformedInput, match="10,000 members, or is nested too deeply"):
            sniff(json.dumps(value).encode())
    with pytest.raises(MalformedInput, match="more than 64 certificates"):
        sniff(json.dumps({"cert_chain": "".join(map(forms.pem, forms.CERTIFICATES * 22))}).encode())


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_changed_samples_raise_only_ldcat_errors(name: str, data: st.DataObject) -> None:
    sample = bytearray(SAMPLES[name])
    at = data.draw(st.integers(0, len(sample)))
    sample[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        found = sniff(bytes(sample))
    except LdcatError:
        return
    assert found.measure_data or len(found.digest.value) in (32, 48)
