"""Private keys in files: PKCS8 in PEM, each after its verifier key; readable by their owner only.

The verifier keys alone are in a file beside it, for everybody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.fast.beneath import open_folder
from catalog.files import inputs
from catalog.files.writer import placed, placed_secret, sync_folder
from catalog.publish.pem_blocks import BEGIN, END, is_encrypted, split_pem
from catalog.publish.pem_keys import PrivateKey, load_private_key
from catalog.transparency.keys import SignatureType, Signer, VerifierKey

MAX_KEY_FILE = 1 << 16
"""Bytes: the largest file of private keys."""

_PUBLIC_MODE = 0o644

_MOST_IMPORTED = 2
"""Keys of a file of another program: one of each algorithm."""


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


def import_keys(path: Path, name: str, ed25519: SignatureType, passphrase: bytes | None) -> list[KeyPair]:
    """The keys of a PEM file that another program made, under a name. ed25519: the type that an Ed25519 key gets.

    Raises Unreadable, MalformedInput, and UsageError as `load_private_key`.
    """
    blocks = split_pem(inputs.read_file(path, limit=MAX_KEY_FILE, regular=True))
    if not blocks:
        raise MalformedInput(f"{path} has no private key in PEM", "openssl genpkey makes one")
    if len(blocks) > _MOST_IMPORTED:
        raise MalformedInput(f"{path} has {len(blocks)} private keys", "one of each algorithm at most")
    found = []
    for block in blocks:
        private = load_private_key(block, passphrase if is_encrypted(block) else None, str(path))
        is_ml_dsa = isinstance(private, MLDSA44PrivateKey)
        kind = SignatureType.COSIGNATURE_ML_DSA_44 if is_ml_dsa else ed25519
        found.append(KeyPair(VerifierKey(name, kind, _public(private)), private))
    if len({pair.key.type for pair in found}) < len(found):
        raise MalformedInput(f"{path} has two keys of one algorithm", "one of each at most")
    return found


_KEPT = "a key is never overwritten: name another file with --output"


def public_path(path: Path) -> Path:
    """The file of the verifier keys, beside that of the private keys."""
    return path.with_name(f"{path.name}.pub")


def write_keys(path: Path, pairs: Sequence[KeyPair], passphrase: bytes | None) -> None:
    """Write a new key file, mode 0600, and beside it the verifier keys, mode 0644; each whole or not at all.

    Raises UsageError if one of them exists already, Unreadable.
    """
    public = public_path(path)
    for taken in (path, public):
        if os.path.lexists(taken):
            raise UsageError(f"{taken} already exists", _KEPT)
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
            _write_public(folder, path, pairs)
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise UsageError(f"{path} already exists", _KEPT) from error
    except OSError as error:
        raise inputs.unreadable(path, error) from error


def _write_public(folder: int, path: Path, pairs: Sequence[KeyPair]) -> None:
    """Write the file of verifier keys in an open folder; on any error, this one and that of the private keys are gone.

    The caller sees the error, and makes other keys.
    """
    public, made = public_path(path), False
    try:
        with placed(folder, public.name, over=False) as file:
            os.fchmod(file.fileno(), _PUBLIC_MODE)  # whatever the umask
            file.write(b"".join(f"{pair.key}\n".encode() for pair in pairs))
            made = True
        sync_folder(folder)
    except BaseException:
        for name in (path.name, *([public.name] if made else [])):
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
        raise


def read_keys(path: Path, passphrase: bytes | None) -> list[KeyPair]:
    """Read every key of a file. Raises Unreadable, also if others can read it, MalformedInput, UsageError."""
    data = inputs.read_file(path, limit=MAX_KEY_FILE, regular=True)
    if b"PRIVATE KEY-----" not in data:
        there = f"they are in {path.with_suffix('')}" if path.suffix == ".pub" else "ldcat keygen makes them"
        raise MalformedInput(f"{path} has no private keys", there)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Unreadable(f"{path} is a private key, and others can access it", f"chmod 600 {path}")
    found = []
    rest = data
    while rest:
        line, _, rest = rest.partition(b"\n")
        if line.startswith(BEGIN):
            raise MalformedInput(
                f"{path} has a private key without its name", f"ldcat keygen NAME --from {path} -o FILE gives it one"
            )
        block, end, after = rest.partition(END)
        last, _, rest = after.partition(b"\n")
        found.append(_pair(path, line, block + end + last + b"\n", passphrase))
    return found


def _pair(path: Path, line: bytes, pem: bytes, passphrase: bytes | None) -> KeyPair:
    try:
        key = VerifierKey.parse(line.decode("utf-8", "replace"))
    except MalformedInput as error:
        raise MalformedInput(
            f"{path} has no verifier key above a private key", "ldcat keygen makes key files"
        ) from error
    private = load_private_key(pem, passphrase, str(path))
    if _public(private) != key.public_key:
        raise MalformedInput(f"{path}: the private key does not belong to the verifier key {key.name}")
    return KeyPair(key, private)


def _public(private: PrivateKey) -> bytes:
    form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return private.public_key().public_bytes(*form)
