"""Against snp-create-id-block of sev-snp-measure 0.0.13, in process: the same structures, and both sides' signatures.

Its signatures are random, so they differ; it has no option for policy and ids, and always an author key.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sevsnpmeasure import id_block as theirs

from catalog.abi.id_auth import IdAuth
from catalog.endorse.id_signatures import check_id_signatures
from catalog.values import replace
from tests.support.id_block_exports import id_block_export, key_file, launch, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@given(digest=st.binary(min_size=48, max_size=48))
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_structures_are_equal_and_signatures_verify_on_both_sides(folder: Path, digest: bytes) -> None:
    keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(2)]
    paths = [folder / name for name in ("id.pem", "author.pem")]
    for path, key in zip(paths, keys, strict=True):
        path.write_bytes(key_file(key).data)
    said = theirs.snp_calc_id_block(digest, *map(str, paths)).replace("\n", ",").replace(": ", "=")
    parts = dict(part.split("=", 1) for part in said.split(","))
    their_block, their_auth = b64decode(parts["id-block"]), b64decode(parts["id-auth"])

    id_key, author_key = map(key_file, keys)
    ours = written("id-block", id_block_export(launch(digest=digest), id_key=id_key, author_key=author_key))
    our_block, our_auth = ours["id-block.bin"], ours["id-auth.bin"]
    assert our_block == their_block
    assert without_signatures(our_auth) == without_signatures(their_auth)
    auth = IdAuth.parse(their_auth)
    check_id_signatures(auth, their_block)
    assert auth.to_bytes() == their_auth
    assert replace(auth, block_signature=IdAuth.parse(our_auth).block_signature) != auth
    assert f'"id_key_digest": "{b64decode(parts["id_key_hash"]).hex()}"'.encode() in ours["id-keys.json"]
    assert f'"author_key_digest": "{b64decode(parts["author_key"]).hex()}"'.encode() in ours["id-keys.json"]

    read = theirs.IdAuth.from_buffer_copy(our_auth)
    signed = (
        (read.block_sig, read.id_key, our_block),
        (read.id_key_sig, read.author_key, theirs.marshal_ec_public_key(keys[0])),
    )
    for signature, public, data in signed:
        their_key(bytes(public)).verify(their_signature(bytes(signature)), data, ec.ECDSA(hashes.SHA384()))


def without_signatures(auth: bytes) -> bytes:
    return b"".join(auth[start:end] for start, end in ((0, 0x040), (0x240, 0x680), (0x880, 0x1000)))


def their_signature(raw: bytes) -> bytes:
    """By their own structure: r and s, in DER."""
    found = theirs.SnpSignature.from_buffer_copy(raw)
    return encode_dss_signature(*(int.from_bytes(part, "little") for part in (found.sig_r, found.sig_s)))


def their_key(raw: bytes) -> ec.EllipticCurvePublicKey:
    found = theirs.ECPublicKey.from_buffer_copy(raw)
    x, y = (int.from_bytes(part, "little") for part in (found.qx, found.qy))
    assert found.curve == theirs.CurveP384
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP384R1()).public_key()
