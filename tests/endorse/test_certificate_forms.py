"""Certificates in the files and members that people have them in."""

from __future__ import annotations

import base64
import json

import pytest

from catalog.endorse.certificate_forms import (
    certificate_table,
    certificates_of_file,
    certificates_of_members,
    is_certificate_name,
)
from catalog.errors import MalformedInput
from tests.support import evidence_forms as forms

THIM = json.dumps(forms.thim()).encode()


@pytest.mark.parametrize(
    "data",
    [
        forms.TABLE,
        forms.PEM.encode(),
        b"a comment\n" + forms.PEM.replace("\n", "\r\n").encode(),
        THIM,
        b" \n" + base64.b64encode(THIM),
        base64.encodebytes(THIM),
        base64.urlsafe_b64encode(THIM).rstrip(b"="),
        json.dumps({"certs": 1, "cert_chain": [forms.standard(one) for one in forms.CERTIFICATES]}).encode(),
        json.dumps({"auxblob": forms.base64url(forms.TABLE)}).encode(),
        json.dumps({"certificate_chain": {"vcek_cert": forms.PEM, "ark_cert": None}}).encode(),
    ],
)
def test_certificates_are_found(data: bytes) -> None:
    assert tuple(certificates_of_file(data)) == forms.CERTIFICATES


def test_members_have_known_names() -> None:
    assert certificates_of_members({"vcek": forms.CERTIFICATES[0], "vcek_cert": "!", "ark": 7, "other": forms.PEM}) == [
        forms.CERTIFICATES[0]
    ]
    assert certificates_of_members({"cert_chain": [{"cert_type": "CRL", "data": [48]}, {"data": [48]}, None, []]}) == []
    names = ("VCEK-Cert", "certificate_chain", "cert", 7)
    assert [is_certificate_name(name) for name in names] == [True, True, False, False]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no certificate was found"),
        (b"{}", "no certificate was found"),
        (b"{", "no certificate was found"),
        (b"[" * 100_000, "no certificate was found"),
        (b"{" + b'"a":{' * 50_000, "no certificate was found"),
        (b"AAAA", "no certificate was found"),
        (b"!", "no certificate was found"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA", "a block of PEM has no end"),
        (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "a block of PEM is not base64"),
        (forms.PEM.encode() * 22, "more than 64 certificates"),
        (forms.VCEK + bytes(8), "no entry of zeros at its end"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        certificates_of_file(data)


def test_a_table_in_the_byte_order_of_efi() -> None:
    efi = bytes.fromhex("8d75da6364e66445adc5f4b93be8accd")
    table = efi + (48).to_bytes(4, "little") + (3).to_bytes(4, "little") + bytes(24) + b"\x30\x01\x02"
    assert list(certificate_table(table)) == [b"\x30\x01\x02"]
