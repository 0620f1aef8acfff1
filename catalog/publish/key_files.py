"""Private keys in files: PKCS8 in PEM, each after its verifier key; readable by their owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.fast.beneath import open_folder
from catalog.files import inputs
from catalog.files.writer import placed_secret
from catalog.transparency.keys import SignatureType, Signer, VerifierKey

MAX_KEY_FILE = 1 << 16
"""Bytes: the largest file of private keys."""

_END = b"-----END "

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its verifier key."""

    key: VerifierKey
    private: PrivateKey

    @property
    def signer(self) -> Signer:
        """A signer with this key."""
        return Signer(self.key, self.private.sign)


def new_key(name: str, kind: SignatureType) -> KeyPair:
    """Generate a key. Raises MalformedInput for an invalid name."""
    private: PrivateKey
    if kind is SignatureType.COSIGNATURE_ML_DSA_44:
        private = MLDSA44PrivateKey.generate()
    else:
        private = Ed25519PrivateKey.generate()
    return KeyPair(VerifierKey(name, kind, _public(private)), private)


def write_keys(path: Path, pairs: Sequence[KeyPair], passphrase: bytes | None) -> None:
    """Write a new key file, mode 0600, whole or not at all. Raises UsageError if it exists already, Unreadable."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    text = b"".join(f"{pair.key}\n".encode() + pair.private.private_bytes(*form) for pair in pairs)
    try:
        folder = open_folder(path.parent)
        try:
            with placed_secret(folder, path.name) as file:
                file.write(text)
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise UsageError(f"{path} already exists", "a key is never overwritten") from error
    except OSError as error:
        raise inputs.unreadable(path, error) from error


def read_keys(path: Path, passphrase: bytes | None) -> list[KeyPair]:
    """Read every key of a file. Raises Unreadable, also if others can read it, MalformedInput, UsageError."""
    data = inputs.read_file(path, limit=MAX_KEY_FILE, regular=True)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Unreadable(f"{path} is a private key, and others can access it", f"chmod 600 {path}")
    found = []
    rest = data
    while rest:
        line, _, rest = rest.partition(b"\n")
        block, end, after = rest.partition(_END)
        last, _, rest = after.partition(b"\n")
        found.append(_pair(path, line, block + end + last + b"\n", passphrase))
    if not found:
        raise MalformedInput(f"{path} has no keys", "ldcat keygen makes them")
    return found


def _pair(path: Path, line: bytes, pem: bytes, passphrase: bytes | None) -> KeyPair:
    try:
        key = VerifierKey.parse(line.decode("utf-8", "replace"))
        private = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        if passphrase:
            raise UsageError(f"{path} is not encrypted, but a passphrase is given") from error
        raise UsageError(f"{path} is encrypted, and no passphrase is given", "--passphrase-file FILE") from error
    except (ValueError, UnsupportedAlgorithm, InternalError, MalformedInput) as error:
        raise MalformedInput(f"{path} has no private keys, or the passphrase is wrong") from error
    if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey) or _public(private) != key.public_key:
        raise MalformedInput(f"{path}: the private key does not belong to the verifier key {key.name}")
    return KeyPair(key, private)


def _public(private: PrivateKey) -> bytes:
    form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return private.public_key().public_bytes(*form)
