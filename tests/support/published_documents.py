"""Documents as others publish them, made for tests: their formats, and keys and certificates of our own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.imports.cbor import Tagged, encode_signed
from catalog.imports.documents import Document, Given, read_document
from catalog.imports.import_toml import import_toml
from tests.support.attestation_builder import ca_key

SIGNED = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
GIVEN = Given(NOW)
EKU = "1.3.6.1.4.1.311.76.59.1.2"
FEED = "ContainerPlat-AMD-UVM"
DIGEST, OTHER = "5a" * 48, "a5" * 48
SECTIONS = [(0x800000, 0x9000, 1), (0x80D000, 0x1000, 2), (0x80E000, 0x1000, 3), (0x810000, 0x1000, 16)]


def cbor(value: Any) -> bytes:
    """Deterministic CBOR, but with the keys of maps as they come."""
    if isinstance(value, bool) or value is None:
        return bytes([{False: 0xF4, True: 0xF5, None: 0xF6}[value]])
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())
    assert isinstance(value, Tagged)
    return head(6, value.tag) + cbor(value.value)


def head(major: int, number: int) -> bytes:
    """Major type and number of a CBOR item, in the shortest form."""
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise ValueError(number)


def varint(value: int) -> bytes:
    """A protobuf number in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field of a number, or of bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def certificate(
    name: str,
    issuer: str,
    *,
    ca: bool,
    start: int = SIGNED - 86_400,
    end: int = SIGNED + 86_400,
    eku: str | None = None,
    path_length: int | None = None,
    may_sign: bool | None = None,
    signer: str | None = None,
    public: Any = None,
    attribute: x509.ObjectIdentifier = x509.NameOID.COMMON_NAME,
) -> x509.Certificate:
    """A certificate; keys are by name. signer: whose key signs it, if not the issuer's.

    attribute: what kind of name the subject has.
    """
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(attribute, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(public or ca_key(name).public_key())
        .serial_number(7)
        .not_valid_before(datetime.fromtimestamp(start, UTC))
        .not_valid_after(datetime.fromtimestamp(end, UTC))
        .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        .add_extension(_usage(ca if may_sign is None else may_sign), critical=True)
    )
    if eku:
        made = made.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(eku)]), critical=False)
    return made.sign(ca_key(signer or issuer), hashes.SHA256())


def _usage(sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def root() -> x509.Certificate:
    """Of everything that is signed here."""
    return certificate("test root", "test root", ca=True, start=SIGNED - 10**8, end=SIGNED + 10**8)


@cache
def uvm_chain(**leaf: Any) -> tuple[x509.Certificate, ...]:
    """Signer, intermediate, root."""
    middle = certificate("test CA", "test root", ca=True, path_length=0)
    return certificate("test signer", "test CA", ca=False, **{"eku": EKU, **leaf}), middle, root()


@cache
def bare_root() -> x509.Certificate:
    """With the key of the root, and without an extension that says what it may do."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test root")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(8)
    made = made.public_key(ca_key("test root").public_key())
    made = made.not_valid_before(datetime.fromtimestamp(SIGNED - 9, UTC))
    return made.not_valid_after(datetime.fromtimestamp(SIGNED + 9, UTC)).sign(ca_key("test root"), hashes.SHA256())


@cache
def ec_signer() -> x509.Certificate:
    """A signer with a key of P-384."""
    return certificate("test signer", "test root", ca=False, public=corim_key().public_key())


def did(pinned: x509.Certificate | None = None, eku: str = EKU) -> str:
    """The did:x509 of a certificate authority."""
    fingerprint = hashlib.sha256(der(pinned or root())).digest()
    return f"did:x509:0:sha256:{base64.urlsafe_b64encode(fingerprint).decode().rstrip('=')}::eku:{eku}"


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.DER)


def pem(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def trusted(*roots: x509.Certificate, **given: Any) -> Given:
    """What a reader trusts: the root of the tests, if no other is given."""
    return Given(NOW, roots=roots or (root(),), **given)


_HASHES: dict[Any, Any] = {
    -7: hashes.SHA256(),
    -35: hashes.SHA384(),
    -36: hashes.SHA512(),
    -37: hashes.SHA256(),
    -38: hashes.SHA384(),
    -39: hashes.SHA512(),
}
"""By COSE algorithm."""


def sign1(
    protected: Mapping[Any, Any], payload: bytes, key: Any, unprotected: Mapping[Any, Any] | None = None
) -> bytes:
    """A COSE_Sign1, with the hash of its protected algorithm, or SHA-384 if it is none that is known."""
    header = cbor(dict(protected))
    signed = encode_signed("Signature1", header, b"", payload)
    algorithm = protected.get(1)
    hashed = _HASHES.get(algorithm if isinstance(algorithm, int) else None, hashes.SHA384())
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        signature = key.sign(signed, pss, hashed)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(signed)
    else:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashed)))
        size = (key.curve.key_size + 7) // 8
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return cbor(Tagged(18, [header, unprotected or {}, payload, signature]))


def uvm(
    chain: Sequence[x509.Certificate] | None = None,
    *,
    payload: Mapping[str, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    without: Sequence[Any] = (),
    key: str = "test signer",
    **headers: Any,
) -> bytes:
    """UVM reference info. headers: protected headers to replace; their numbers come as `h33`."""
    certificates = chain or uvm_chain()
    protected: dict[Any, Any] = {
        1: -38,
        3: "application/json",
        33: [der(one) for one in certificates],
        34: [-16, hashlib.sha256(der(certificates[0])).digest()],
        "iss": did(),
        "feed": FEED,
        "signingtime": Tagged(1, SIGNED),
    }
    protected |= {int(name[1:]) if name[1:].isdigit() else name: value for name, value in headers.items()}
    said = payload or {"x-ms-sevsnpvm-guestsvn": "100", "x-ms-sevsnpvm-launchmeasurement": DIGEST}
    kept = {name: value for name, value in protected.items() if name not in without}
    timestamp = {"timestamp": b"token"} if unprotected is None else unprotected
    return sign1(kept, as_json(said), ca_key(key), timestamp)


def gce(
    counts: Mapping[int, bytes] | None = None,
    *,
    leaf: x509.Certificate | None = None,
    time: int = SIGNED,
    commit: bytes = b"\xaa" * 20,
    snp: bytes | None = None,
    more: bytes = b"",
    outer: bytes = b"",
    key: str = "test signer",
    salt: int = 32,
) -> bytes:
    """A launch endorsement. more, outer: fields behind those of the golden measurement, and of the endorsement."""
    signer = leaf or certificate("test signer", "test root", ca=False)
    measured = counts if counts is not None else {1: bytes.fromhex(DIGEST), 4: bytes.fromhex(OTHER)}
    if snp is None:
        entries = b"".join(field(2, field(1, vcpus) + field(2, digest)) for vcpus, digest in measured.items())
        snp = field(1, 3) + entries + field(3, bytes(16)) + field(4, bytes(16)) + field(5, 0x30000)
    golden = field(1, field(1, time)) + (field(3, commit) if commit else b"") + field(4, der(signer))
    golden += field(5, b"\x38" * 48) + field(6, pem(root())) + (field(7, snp) if snp else b"") + more
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    return field(1, golden) + field(2, ca_key(key).sign(golden, pss, hashes.SHA256())) + outer


def triple(
    digest: bytes, *, extra: Sequence[Any] = (), instance: Any = None, oid: str = "2b060104019c780301"
) -> list[Any]:
    """A reference triple of AMD's profile. extra: more measurements."""
    environment = {0: {0: Tagged(111, bytes.fromhex(oid))}, 1: instance or Tagged(560, digest)}
    return [environment, [{0: 641, 1: {2: [[7, digest]]}}, *extra]]


def corim(*triples: Any, **fields: Any) -> bytes:
    """An unsigned CoRIM of one tag. fields: those of the CoRIM to replace, their numbers as `f3`."""
    reference = {0: list(triples or (triple(bytes.fromhex(DIGEST)),))}
    comid = {0: "en", 1: {0: bytes(16)}, 4: reference}
    body: dict[int, Any] = {
        0: "test/1",
        1: [Tagged(506, cbor(comid))],
        3: Tagged(32, "tag:amd.com,2024:snp-corim-profile"),
        5: [{0: "test publisher", 1: Tagged(32, "https://publisher.example"), 2: [1]}],
    }
    body |= {int(name[1:]): value for name, value in fields.items()}
    return cbor(Tagged(501, {key: value for key, value in body.items() if value is not None}))


@cache
def corim_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def signed_corim(payload: bytes | None = None, *, key: Any = None, **headers: Any) -> bytes:
    """A signed CoRIM. headers: as for `uvm`."""
    meta = {
        0: {0: "test signer", 1: Tagged(32, "https://signer.example")},
        1: {0: Tagged(1, SIGNED), 1: Tagged(1, NOW)},
    }
    protected: dict[Any, Any] = {1: -35, 3: "application/rim+cbor", 8: cbor(meta)}
    protected |= {int(name[1:]): value for name, value in headers.items()}
    return sign1(protected, payload or corim(), key or corim_key())


def dstack(**changes: Any) -> bytes:
    """A measurement.snp.cbor."""
    measurement = {
        "version": 3,
        "cmdline": "console=ttyS0 quiet",
        "ovmf_hash": bytes.fromhex(DIGEST),
        "kernel_hash": b"\x11" * 32,
        "initrd_hash": b"\x22" * 32,
        "hashes_table_gpa": 0x810C00,
        "reset_eip": 0x80B004,
        "ovmf_sections": [{"gpa": gpa, "size": size, "type": kind} for gpa, size, kind in SECTIONS],
    }
    return cbor({name: value for name, value in (measurement | changes).items() if value is not None})


def dstack_tdx(**changes: Any) -> bytes:
    """A measurement.tdx.cbor."""
    names = ("cmdline_sha384", "kernel_authenticode", "initrd_sha384")
    mrtd = {"single_pass": bytes.fromhex(DIGEST), "two_pass": bytes.fromhex(OTHER)}
    tdvf = {"ovmf": "pre202505", "mrtd": mrtd, "td_hob": bytes(3)}
    return cbor({"version": 3, "image": dict.fromkeys(names, bytes(48)), "tdvf": tdvf} | changes)


def gce_tdx(*measured: tuple[int, int, bytes]) -> bytes:
    """The field of an endorsement for TDX. measured: GiB of memory, whether it is accepted early, MRTD."""
    entries = (field(1, gib) + field(2, early) + field(3, mrtd) for gib, early, mrtd in measured)
    return field(8, field(1, 5) + b"".join(field(2, entry) for entry in entries))


def checksums(measurement: bytes, name: str = "measurement.snp.cbor") -> bytes:
    """A sha256sum.txt."""
    return f"{'0' * 64}  metadata.json\n{hashlib.sha256(measurement).hexdigest()}  {name}\n".encode()


def dstack_attached(measurement: bytes | None = None, listed: bytes | None = None, **changes: Any) -> bytes:
    """The JSON document with both files."""
    data = measurement or dstack()
    files = {"checksum_file": listed or checksums(data), "measurement": data}
    encoded = {name: base64.b64encode(one).decode() for name, one in files.items()}
    return as_json({**encoded, "vcpus": 2, "vcpu_type": "EPYC-v4", "guest_features": 1, **changes})


def go_metadata(**changes: Any) -> bytes:
    """The metadata of an image."""
    items = [{"GPA": hex(gpa), "SectionTypeInt": kind, "Size": hex(size)} for gpa, size, kind in SECTIONS]
    return as_json({"MetadataItems": items, "ResetEIP": "0x80b004", "OVMFHash": DIGEST} | changes)


def secretvm_row(**changes: Any) -> dict[str, Any]:
    """A row of sev.json."""
    return {
        "vm_type": "prod",
        "artifacts_ver": "v0.0.25",
        "kernel_hash": "11" * 32,
        "initrd_hash": "22" * 32,
        "rootfs_hash": "33" * 32,
        "vcpu_type": "EPYC",
        "ovmf_hash": DIGEST,
        "sev_hashes_table_gpa": 0x810C00,
        "sev_es_reset_eip": 0x80B004,
        "ovmf_sections": [{"gpa": gpa, "size": size, "section_type": kind} for gpa, size, kind in SECTIONS],
    } | changes


def c8s(**changes: Any) -> dict[str, Any]:
    """A manifest of a node image."""
    inputs = {"firmware": {"path": "OVMF.fd", "sha256": "44" * 32}, "kernel": {"vmlinuz_sha256": "55" * 32}}
    return {
        "version": 3,
        "build": {"timestamp": "2026-03-01T00:00:00Z"},
        "inputs": inputs,
        "snp_variants": [c8s_variant(1, DIGEST), c8s_variant(2, OTHER, vmsa_count=2)],
    } | changes


def c8s_variant(smp: int, digest: str, **measured: Any) -> dict[str, Any]:
    return {"smp": smp, "measurement": {"algorithm": "sha384", "snp_launch_digest": digest} | measured}


def rvps_message(values: Any, **changes: Any) -> bytes:
    """A message to the RVPS."""
    payload = base64.b64encode(as_json(values)).decode()
    return as_json({"version": "0.1.0", "type": "sample", "payload": payload} | changes)


def rvps_file(name: str = "snp_launch_measurement", *, key: str | None = None, **changes: Any) -> bytes:
    """The LocalJson file of an RVPS, of one name."""
    stored = {"version": "0.1.0", "name": name, "expiration": "2027-01-01T00:00:00Z", "value": [DIGEST]} | changes
    return as_json({key or name: base64.urlsafe_b64encode(as_json(stored)).decode()})


def contrast_value(**changes: Any) -> dict[str, Any]:
    """A reference value of Contrast."""
    policy = {"ABIMajor": 0, "ABIMinor": 31, "SMT": True, "Debug": False}
    return {"ProductName": "Milan", "TrustedMeasurement": DIGEST, "GuestPolicy": policy, "MinimumTCB": {}} | changes


def contrast_manifest(*values: dict[str, Any]) -> bytes:
    """A manifest of a deployment."""
    return as_json({"Policies": {}, "ReferenceValues": {"snp": list(values or (contrast_value(APEIP="0080b004"),))}})


def contrast_mrtd(**changes: Any) -> dict[str, Any]:
    """A reference value of Contrast for TDX."""
    return {"Platform": "Metal-QEMU-TDX", "MrTd": DIGEST, "Rtmrs": ["00" * 48] * 4, "CPUs": 2} | changes


def contrast_patch(**changes: Any) -> bytes:
    """A patch of a reference value."""
    steps = [("test", "/ProductName", "Genoa"), ("test", "/CPUs", 4), ("replace", "/TrustedMeasurement", DIGEST)]
    patch = [{"op": op, "path": path, "value": changes.get(path[1:], value)} for op, path, value in steps]
    return as_json([patch])


def days(count: int) -> int:
    """Seconds of days."""
    return int(timedelta(days=count).total_seconds())


def document(data: bytes) -> Document:
    """Bytes as the parser of a format takes them."""
    return Document(data)


def import_records() -> list[bytes]:
    """Our own TOML of some of these documents."""
    documents = (as_json(c8s()), uvm(), as_json([secretvm_row()]), contrast_manifest())
    read = [read_document(data, trusted()) for data in documents]
    return [import_toml(imported.said_by("x").named("x")).encode() for imported in read]
