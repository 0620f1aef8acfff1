"""Certificates: parsing of PEM, DER and the certificate table that a host hands to its guest."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omne_attest import vectors

from catalog.endorse.certificates import parse_carried, parse_certificates
from catalog.errors import MalformedInput
from tests.support.attestation_builder import certificate_table, chain
from tests.support.certificate_builder import pem

VCEK = UUID("63da758d-e664-4564-adc5-f4b93be8accd")
ASK = UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")
ARK = UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae")
EXTRA = UUID("ecae0c0f-9502-43b1-afa2-0ae2e0d565b6")


def test_pem_and_der() -> None:
    made = chain()
    found = b"".join(pem(certificate.der) for certificate in made.all)
    assert parse_certificates(b"a comment\n" + found) == made.all
    assert parse_certificates(made.ask.der) == [made.ask]


def test_what_came_with_evidence_and_cannot_be_read_is_left_out() -> None:
    made = chain()
    assert parse_carried([made.ask.der, b"no certificate", made.ark.der]) == [made.ask, made.ark]


@pytest.mark.parametrize("little_endian", [True, False])
def test_a_certificate_table(little_endian: bool) -> None:
    entries = {VCEK: vectors.vcek(), ASK: vectors.ask(), ARK: vectors.ark(), EXTRA: b"no certificate"}
    table = certificate_table({g.bytes_le if little_endian else g.bytes: der for g, der in entries.items()})
    found = parse_certificates(table.ljust(0x4000, b"\0"))
    assert [certificate.der for certificate in found] == list(entries.values())[:3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither"),
        (b"x" * 500, "neither"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "neither"),
        (certificate_table({VCEK.bytes: b"no certificate"}), "neither"),
        (struct.pack("<16sII", VCEK.bytes, 24, 1), "not inside it"),
        (struct.pack("<16sII", VCEK.bytes, 0, 0)[:-1], "no entry of zeros"),
        (struct.pack("<16sII", EXTRA.bytes, 0, 0) * 70, "neither"),
    ],
)
def test_input_without_certificates_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        parse_certificates(data)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (bytes.fromhex("a003020102"), bytes.fromhex("a003020109")),  # version 10
        (b"\x0c\x08SEV-VCEK", b"\x0c\x08\xffEV-VCEK"),  # a subject that is not UTF-8
    ],
)
def test_a_certificate_is_read_to_its_end(part: bytes, instead: bytes) -> None:
    der = chain().all[0].der
    assert part in der
    with pytest.raises(MalformedInput, match="neither"):
        parse_certificates(der.replace(part, instead))


def test_a_table_without_an_end_is_read() -> None:
    table = certificate_table({VCEK.bytes: vectors.vcek()})
    endless = struct.pack("<16sII", VCEK.bytes, len(table), 0) + struct.pack("<16sII", EXTRA.bytes, 0, 0) * 70
    with pytest.raises(MalformedInput):
        parse_certificates(endless)
    good = bytearray(endless)
    good[16:24] = struct.pack("<II", len(endless), len(vectors.vcek()))
    with pytest.raises(MalformedInput, match="no entry of zeros"):
        parse_certificates(bytes(good) + vectors.vcek())


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_ldcat_errors(data: bytes) -> None:
    for text in (data, VCEK.bytes + data, b"-----BEGIN CERTIFICATE-----" + data):
        with pytest.raises(MalformedInput):
            parse_certificates(text)
