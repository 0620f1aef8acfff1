"""Certificates of published documents: PEM and DER, and that all of a certificate is read at once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from catalog.errors import MalformedInput
from catalog.imports.certificate_files import load_certificates
from tests.support.attestation_builder import chain
from tests.support.certificate_builder import pem


def test_pem_and_der() -> None:
    ders = [one.der for one in chain().all[1:]]
    for data, count in ((b"".join(map(pem, ders)), 2), (ders[0], 1)):
        assert [one.public_bytes(Encoding.DER) for one in load_certificates(data)] == ders[:count]
    for data in (b"", b"x" * 500, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(MalformedInput, match="no certificates"):
            load_certificates(data)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (bytes.fromhex("a003020102"), bytes.fromhex("a003020109")),  # version 10
        (bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d01017f")),  # an unknown key
        (b"\x0c\x09SEV-Milan", b"\x0c\x09\xffEV-Milan"),  # a subject that is not UTF-8
    ],
)
def test_fields_that_are_parsed_lazily_are_checked_at_once(part: bytes, instead: bytes) -> None:
    der = chain().ask.der
    assert part in der
    with pytest.raises(MalformedInput, match="no certificates"):
        load_certificates(der.replace(part, instead))
