"""Certificates as AMD makes them: read as a library reads them, and strictly."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from omne_attest import vectors

from catalog.endorse.certificate import Certificate, P384Key, RsaKey
from catalog.endorse.x509_parts import MAX_EXTENSIONS
from catalog.errors import MalformedInput
from tests.support.attestation_builder import chain
from tests.support.certificate_builder import (
    PRINTABLE,
    SEQUENCE,
    SET,
    ca_key,
    certificate,
    der,
    extension,
    identifier,
    leaf_key,
    name,
    number,
)

FALSE = bytes.fromhex("010100")
RSA = "1.2.840.113549.1.1.1"
AMDS = [vectors.vcek(), vectors.ask(), vectors.ark()]
OURS = [one.der for one in (*chain().all, *chain(key="VLEK").all, *chain(product="Turin", stepping="").all)]


def in_library(data: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(data)


def same_as_library(found: Certificate, data: bytes) -> None:
    """Each field against cryptography's."""
    theirs = in_library(data)
    serial = 0 if b"\x02\x01\x02\x02\x01\x00" in data[:20] else theirs.serial_number  # it warns of 0
    names = [one.get_attributes_for_oid(x509.NameOID.COMMON_NAME) for one in (theirs.subject, theirs.issuer)]
    assert [found.subject_name, found.issuer_name] == [one[0].value if one else None for one in names]
    assert (found.subject, found.issuer) == (theirs.subject.public_bytes(), theirs.issuer.public_bytes())
    assert found.serial == serial
    times = (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert (found.not_before.seconds, found.not_after.seconds) == tuple(int(one.timestamp()) for one in times)
    assert (found.not_before.day, found.not_after.day) == tuple(one.date().isoformat() for one in times)
    assert (found.signed.data, found.signed.signature) == (theirs.tbs_certificate_bytes, theirs.signature)
    assert [(oid, one.critical) for oid, one in found.extensions.items()] == [
        (one.oid.dotted_string, one.critical) for one in theirs.extensions
    ]
    key = theirs.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        assert found.key == RsaKey(numbers.n, numbers.e)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert found.key == P384Key(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


@pytest.mark.parametrize("data", [*AMDS, *OURS])
def test_every_field_is_read_as_a_library_reads_it(data: bytes) -> None:
    found = Certificate.parse(data)
    assert found.der == data
    same_as_library(found, data)


def test_certificates_of_the_tests_have_what_amds_have() -> None:
    """The same names, extensions and serial numbers; the SPLs 4 to 7 are there, and one of 213 is positive."""
    for amds, ours in zip(AMDS, chain().all, strict=True):
        theirs = Certificate.parse(amds)
        assert (ours.serial, ours.subject, ours.issuer) == (theirs.serial, theirs.subject, theirs.issuer)
        in_amds = {oid for oid in theirs.extensions if not oid.startswith("2.5.29.") or oid in ours.extensions}
        assert set(ours.extensions) == in_amds
    assert chain().leaf.extensions["1.3.6.1.4.1.3704.1.3.8"].value == bytes.fromhex("020200d5")


def test_who_may_sign() -> None:
    made = chain()
    assert [(one.may_sign, one.may_revoke) for one in made.all] == [(False, False), (True, False), (True, True)]
    for changes, may in (
        ({"ca": True}, (True, True)),
        ({"ca": True, "usage": 0x04}, (True, False)),
        ({"ca": True, "usage": 0x06}, (True, True)),
        ({"ca": True, "usage": 0x02}, (False, False)),
        ({"ca": False, "usage": 0x06}, (False, False)),
        ({}, (False, False)),
        ({"ca": True, "extensions": {"9": b"x"}}, (True, True)),
        ({"ca": True, "extensions": {"9": b"x"}, "critical": ("9",)}, (False, False)),
        ({"extensions": {"2.5.29.19": bytes.fromhex("30060101ff020100")}}, (True, True)),  # with a path length
        ({"extensions": {"2.5.29.19": bytes.fromhex("3000")}}, (False, False)),
        ({"extensions": {"2.5.29.19": bytes.fromhex("3003010100")}}, (False, False)),
        ({"extensions": {"2.5.29.19": bytes.fromhex("30030101ff00")}}, (False, False)),
        ({"extensions": {"2.5.29.19": bytes.fromhex("30060101ff0101ff")}}, (False, False)),
        ({"extensions": {"2.5.29.19": bytes.fromhex("30060101ff0201ff")}}, (False, False)),
        ({"ca": True, "extensions": {"2.5.29.15": bytes.fromhex("0301")}}, (False, False)),
        ({"ca": True, "extensions": {"2.5.29.15": bytes.fromhex("030100")}}, (False, False)),
    ):
        one = certificate("ARK-Milan", issuer="ARK-Milan", **changes)
        assert (one.may_sign, one.may_revoke) == may, changes


def test_critical_extensions_are_told_apart() -> None:
    assert chain().leaf.understood
    assert not chain(leaf={"critical": ("4",)}).leaf.understood
    assert certificate("x", issuer="x", ca=True, usage=0x04).understood


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        pytest.param(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", id="version 2"),
        pytest.param(b"\xa0\x03\x02\x01\x02\x02\x01\x00", b"\xa0\x03\x02\x01\x02\x02\x01\xff", id="serial -1"),
        pytest.param(b"\x0c\x08SEV-VCEK", b"\x0c\x08\xffEV-VCEK", id="name not UTF-8"),
        pytest.param(b"\x17\x0d260502000000Z", b"\x17\x0d260532000000Z", id="no date"),
        pytest.param(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", b"\x06\x07\x80\x86\x48\xce\x3d\x02\x01", id="key"),
    ],
)
def test_malformed_fields_are_refused(part: bytes, instead: bytes) -> None:
    data = chain().leaf.der
    assert part in data
    with pytest.raises(MalformedInput):
        Certificate.parse(data.replace(part, instead))


TIMES = (der(0x17, b"260101000000Z"), der(0x17, b"270101000000Z"))


def rebuilt(
    *,
    public: bytes | None = None,
    after: bytes = b"",
    extensions: bytes | None = None,
    subject: bytes | None = None,
    times: tuple[bytes, ...] = TIMES,
) -> bytes:
    """A certificate with another part; after: what follows its extensions."""
    algorithm = der(SEQUENCE, identifier("1.2.3"))
    spki = public or der(SEQUENCE, der(SEQUENCE, identifier("1.2.3")), der(3, b"\0key"))
    wrapped = b"" if extensions is None else der(0xA3, der(SEQUENCE, extensions))
    body = der(
        SEQUENCE,
        der(0xA0, number(2)),
        number(7),
        algorithm,
        name("a"),
        der(SEQUENCE, *times),
        subject or name("b"),
        spki,
        wrapped,
        after,
    )
    return der(SEQUENCE, body, algorithm, der(3, b"\0signature"))


def test_keys_of_other_kinds_are_read_and_verify_nothing() -> None:
    assert Certificate.parse(rebuilt()).key is None
    for key in (ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.BrainpoolP384R1())):
        assert certificate("x", issuer="x", key=key).key is None
    ours = leaf_key("leaf").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert isinstance(Certificate.parse(rebuilt(public=ours)).key, P384Key)
    compressed = leaf_key("leaf").public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    wrapped = der(SEQUENCE, identifier("1.2.840.10045.2.1"), identifier("1.3.132.0.34"))
    for point in (compressed, b"\x04" + compressed, b"\x02" + bytes(96)):
        assert Certificate.parse(rebuilt(public=der(SEQUENCE, wrapped, der(3, b"\0", point)))).key is None
    explicit = der(SEQUENCE, der(SEQUENCE, identifier("1.2.840.10045.2.1"), der(SEQUENCE)), der(3, b"\0x"))
    for public in (explicit, ours.replace(identifier("1.2.840.10045.2.1"), identifier("1.2.840.10045.2.2"))):
        assert Certificate.parse(rebuilt(public=public)).key is None


def test_a_public_key_is_on_p384_or_of_another_kind() -> None:
    other = ca_key("ARK-Milan").public_key()
    for key, is_p384 in ((leaf_key("leaf").public_key(), True), (other, False)):
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found = P384Key.parse(info)
        assert (found is not None) == is_p384
        assert found is None or found.point == key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        with pytest.raises(MalformedInput):
            P384Key.parse(info + b"\0")


def test_what_follows_is_refused() -> None:
    plain = rebuilt(extensions=extension("1.2.3", b"x"))
    assert list(Certificate.parse(plain).extensions) == ["1.2.3"]
    algorithm, numbers = der(SEQUENCE, identifier("1.2.3")), der(SEQUENCE, number(5), number(3))
    known = der(SEQUENCE, der(SEQUENCE, identifier(RSA), der(0x05)), der(3, b"\0", numbers))
    assert Certificate.parse(rebuilt(public=known)).key == RsaKey(5, 3)
    for data in (
        plain + b"\0",
        rebuilt(times=(*TIMES, number(1))),
        rebuilt(after=number(1)),
        plain.replace(algorithm, der(SEQUENCE, identifier("1.2.4")), 1),
        rebuilt(public=der(SEQUENCE, algorithm, der(3, b"\0key"), number(1))),
        rebuilt(extensions=extension("1.2.3", b"x") * 2),
        rebuilt(extensions=b"".join(extension(f"1.2.{at}", b"") for at in range(MAX_EXTENSIONS + 1))),
        rebuilt(extensions=der(SEQUENCE, identifier("1.2.3"), der(4, b"x"), der(4, b"y"))),
        rebuilt(extensions=number(1)),
        rebuilt(extensions=der(SEQUENCE, identifier("1.2.3"), FALSE, der(4, b"x"))),
        rebuilt(subject=der(SEQUENCE, der(SET))),
        rebuilt(subject=der(SEQUENCE, der(SET, der(SEQUENCE, identifier("2.5.4.3"), der(PRINTABLE, b"a\x1b[2J"))))),
        rebuilt(public=der(SEQUENCE, der(SEQUENCE, identifier(RSA), der(0x05, b"x")), der(3, b"\0", numbers))),
        rebuilt(public=der(SEQUENCE, der(SEQUENCE, identifier(RSA), der(0x05), der(0x05)), der(3, b"\0", numbers))),
    ):
        with pytest.raises(MalformedInput):
            Certificate.parse(data)
    most = rebuilt(extensions=b"".join(extension(f"1.2.{at}", b"") for at in range(MAX_EXTENSIONS)))
    assert len(Certificate.parse(most).extensions) == MAX_EXTENSIONS


def test_the_first_common_name_counts() -> None:
    two = der(0x31, der(SEQUENCE, identifier("2.5.4.3"), der(0x0C, b"second")))
    subject = der(SEQUENCE, name("b")[2:], two)
    assert Certificate.parse(rebuilt(subject=subject)).subject_name == "b"
    assert Certificate.parse(rebuilt(subject=der(SEQUENCE, two))).subject_name == "second"
    assert Certificate.parse(rebuilt(subject=der(SEQUENCE))).subject_name is None


@pytest.mark.no_cover
@settings(max_examples=400)
@given(st.sampled_from([*AMDS, *OURS]), st.data())
def test_a_changed_certificate_is_refused_or_read_as_the_library_reads_it(original: bytes, data: Any) -> None:
    """Whatever ours accepts means the same to the library, unless that refuses it, or reads a name of another type."""
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Certificate.parse(bytes(changed))
    except MalformedInput:
        return
    try:
        theirs = in_library(bytes(changed))
        for lazily in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(theirs, lazily)
        theirs.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):  # a BIT STRING in a name: TypeError
        return
    if None not in (found.key, found.subject_name, found.issuer_name):
        same_as_library(found, bytes(changed))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedInput):
        Certificate.parse(data)


def test_a_chain_is_verified_without_the_certificates_of_the_library() -> None:
    """A future version of cryptography refuses VCEKs: nothing of `cryptography.x509` may be needed to read them."""
    program = """
import sys
from omne_attest import vectors
for name in [name for name in sys.modules if name.startswith("cryptography")]:
    del sys.modules[name]
sys.modules["cryptography.x509"] = None  # importing it raises ImportError
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import verify_report
from catalog.abi.report import AttestationReport
found = [one for der in (vectors.vcek(), vectors.ask(), vectors.ark()) for one in parse_certificates(der)]
endorsement = verify_report(AttestationReport.parse(vectors.attestation()), found, 1788220800)
print(found[0].serial, endorsement.verified, endorsement.root)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["0", "True", "Milan"], done.stderr
