"""Private keys that OpenSSL made: read, or refused with the command that converts them."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from catalog.errors import LdcatError, MalformedInput, UsageError
from catalog.publish.key_files import import_keys, new_key, read_keys, write_keys
from catalog.publish.pem_blocks import split_pem
from catalog.publish.pem_keys import load_private_key
from catalog.transparency.keys import SignatureType
from tests.support.encrypted_keys import PBKDF2, PBKDF2_LONG, SCRYPT, costly_pem
from tests.support.logs import NOW, signature

NAME = "example.com/log"
CHECKPOINT = "example.com/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"
ALGORITHM = bytes.fromhex("300b0609608648016503040311")
SEED, EXPANDED = bytes(range(32)), bytes(2560)


def pem(inner: bytes, head: str) -> bytes:
    """PKCS#8 of ML-DSA-44. head: hex digits of tag and length of the outer sequence."""
    length = len(inner).to_bytes(1 if len(inner) < 128 else 2, "big")
    octets = b"\x04" + (b"\x82" if len(length) == 2 else b"") + length + inner
    text = base64.encodebytes(bytes.fromhex(head) + b"\x02\x01\x00" + ALGORITHM + octets)
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


BOTH = pem(bytes.fromhex("30820a260420") + SEED + bytes.fromhex("04820a00") + EXPANDED, "30820a3e")
"""What OpenSSL 3.5 writes by default."""

SEED_ONLY = pem(bytes.fromhex("8020") + SEED, "3034")


@pytest.mark.parametrize("block", [BOTH, SEED_ONLY])
def test_the_seed_is_what_counts(block: bytes) -> None:
    found = load_private_key(block, None, "x.pem")
    assert isinstance(found, MLDSA44PrivateKey)
    assert found.private_bytes_raw() == SEED


@pytest.mark.parametrize(
    ("block", "part", "hint"),
    [
        (pem(bytes.fromhex("04820a00") + EXPANDED, "30820a18"), "without its seed", "make a new one: openssl genpkey"),
        (pem(EXPANDED, "30820a14"), "without its seed", "ml-dsa.output_formats=seed-only"),
        (pem(SEED, "3032"), "in a form that is not read", "openssl pkey -in PEM -provparam ml-dsa.output_formats=seed"),
        (BOTH.replace(b"-----END", b"AAAA\n-----END"), "x.pem", ""),
        (b"-----BEGIN PRIVATE KEY-----\n%%%%\n-----END PRIVATE KEY-----\n", "no private key that can be read", ""),
    ],
)
def test_other_forms_are_refused(block: bytes, part: str, hint: str) -> None:
    with pytest.raises(MalformedInput) as error:
        load_private_key(block, None, "x.pem")
    assert part in str(error.value)
    assert hint in (error.value.hint or "")
    assert len(error.value.hint or "") < 200


@pytest.mark.parametrize("derived", [PBKDF2, PBKDF2_LONG, SCRYPT])
def test_a_key_that_takes_too_long_to_decrypt_is_refused(derived: str) -> None:
    with pytest.raises(MalformedInput, match="takes too long to decrypt") as error:
        load_private_key(costly_pem(derived), b"horse", "x.pem")
    assert "openssl pkcs8 -topk8 -iter" in (error.value.hint or "")


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82", b"\x30\x80" * 9000, b"\x30\x03\x30\x7f\x02", b"\xff" * 99])
def test_an_encrypted_key_that_is_none_is_refused(der: bytes) -> None:
    text = base64.encodebytes(der)
    block = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    with pytest.raises(MalformedInput, match="private key"):
        load_private_key(block, b"horse", "x.pem")


def test_an_encrypted_key_in_another_form_names_the_command() -> None:
    private = MLDSA44PrivateKey.from_seed_bytes(SEED)
    closed = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"horse"))
    assert isinstance(load_private_key(closed, b"horse", "x.pem"), MLDSA44PrivateKey)
    with pytest.raises(MalformedInput) as error:
        load_private_key(closed, b"battery", "x.pem")
    assert "battery" not in str(error.value)
    assert "seed-only -aes256 -out NEW converts it" in (error.value.hint or "")


def test_a_key_of_another_kind_is_refused() -> None:
    rsa = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA"], capture_output=True, check=True).stdout
    with pytest.raises(MalformedInput, match="neither Ed25519 nor ML-DSA-44"):
        load_private_key(rsa, None, "x.pem")


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_file_is_made_of_them(tmp_path: Path, passphrase: bytes | None) -> None:
    ed25519 = new_key(NAME, SignatureType.ED25519).private
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    (tmp_path / "pem").write_bytes(
        b"a comment\n" + ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption) + BOTH
    )
    pairs = import_keys(tmp_path / "pem", NAME, SignatureType.ED25519, passphrase)
    assert [pair.key.type for pair in pairs] == [SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44]
    write_keys(tmp_path / "key", pairs, passphrase)
    for pair in read_keys(tmp_path / "key", passphrase):
        pair.key.verify(CHECKPOINT, signature(pair.signer, CHECKPOINT, NOW).value)


def test_a_key_file_may_have_the_form_of_openssl(tmp_path: Path) -> None:
    (pair,) = import_keys(_written(tmp_path, BOTH), NAME, SignatureType.ED25519, None)
    (tmp_path / "key").write_bytes(f"{pair.key}\n".encode() + BOTH)
    (tmp_path / "key").chmod(0o600)
    assert [found.key for found in read_keys(tmp_path / "key", None)] == [pair.key]


@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (b"", MalformedInput, "has no private key in PEM"),
        (BOTH + SEED_ONLY, MalformedInput, "two keys of one algorithm"),
        (BOTH[:-40], MalformedInput, "has no private key in PEM"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes, error: type[LdcatError], part: str) -> None:
    with pytest.raises(error, match=part):
        import_keys(_written(tmp_path, data), NAME, SignatureType.ED25519, None)


def test_a_private_key_without_its_name_is_refused_with_the_command(tmp_path: Path) -> None:
    path = _written(tmp_path, BOTH)
    path.chmod(0o600)
    with pytest.raises(MalformedInput, match="has a private key without its name") as error:
        read_keys(path, None)
    assert error.value.hint == f"ldcat keygen NAME --from {path} -o FILE gives it one"


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    closed = new_key(NAME, SignatureType.ED25519).private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"horse")
    )
    with pytest.raises(UsageError, match="is encrypted, and no passphrase is given"):
        import_keys(_written(tmp_path, closed), NAME, SignatureType.ED25519, None)


def test_blocks_are_found_between_other_lines() -> None:
    assert split_pem(b"x\n" + BOTH + b"y\n" + SEED_ONLY) == [BOTH, SEED_ONLY]
    assert split_pem(b"nothing") == []


def _openssl_version() -> tuple[int, ...]:
    if not shutil.which("openssl"):
        return (0,)
    shown = subprocess.run(["openssl", "version"], capture_output=True, check=True, text=True).stdout
    return tuple(map(int, re.findall(r"\d+", shown)[:2]))


@pytest.mark.skipif(_openssl_version() < (3, 5), reason="openssl before 3.5 does not know ML-DSA-44")
def test_every_form_of_this_openssl(tmp_path: Path) -> None:
    """The commands of the hints are run, too."""
    both = _openssl("genpkey", "-algorithm", "ML-DSA-44", "-out", "both.pem", cwd=tmp_path)
    private = load_private_key(both, None, "both.pem")
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    converting = ("pkey", "-in", "both.pem", "-provparam")
    only = _openssl(*converting, "ml-dsa.output_formats=seed-only", "-out", "seed.pem", cwd=tmp_path)
    assert private.private_bytes(*form) == load_pem_private_key(only, None).private_bytes(*form)
    other = _openssl(*converting, "ml-dsa.output_formats=priv-only", "-out", "priv.pem", cwd=tmp_path)
    with pytest.raises(MalformedInput, match="without its seed"):
        load_private_key(other, None, "priv.pem")
    secret = ("-aes256", "-passout", "pass:horse")
    closed = _openssl("pkey", "-in", "both.pem", *secret, "-out", "closed.pem", cwd=tmp_path)
    with pytest.raises(MalformedInput, match="the passphrase is wrong, or"):
        load_private_key(closed, b"horse", "closed.pem")
    again = ("pkey", "-in", "closed.pem", "-passin", "pass:horse", "-provparam", "ml-dsa.output_formats=seed-only")
    read = load_private_key(_openssl(*again, *secret, "-out", "new.pem", cwd=tmp_path), b"horse", "new.pem")
    assert read.private_bytes(*form) == private.private_bytes(*form)


def _openssl(*arguments: str, cwd: Path) -> bytes:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)
    return (cwd / arguments[arguments.index("-out") + 1]).read_bytes()


def _written(folder: Path, data: bytes) -> Path:
    (folder / "x.pem").write_bytes(data)
    return folder / "x.pem"
