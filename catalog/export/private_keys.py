"""Private keys that sign what is exported: read from PEM files that openssl makes, of the kinds that a format needs.

PKCS#8, encrypted or not; SEC1 (`EC PRIVATE KEY`) and PKCS#1 (`RSA PRIVATE KEY`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from catalog.errors import MalformedInput
from catalog.export.settings import GivenFile
from catalog.publish.pem_blocks import is_encrypted, read_pem, split_pem

_Key = TypeVar("_Key", bound=EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey)

_P256, _P384, _ED25519, _RSA = "P-256", "P-384", "Ed25519", "RSA"
_CURVES = {"secp256r1": _P256, "secp384r1": _P384, "secp521r1": "P-521"}
_RSA_BITS = range(2048, 8192 + 1)
_SIZED = {_RSA: f"RSA of {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits"}

_MAKES = {
    _P256: "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    _P384: "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
    _ED25519: "-algorithm ED25519",
    _RSA: "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
}
"""Options of `openssl genpkey`."""

_MAX_BLOCK = 1 << 14
"""Bytes of a PEM block; RSA of 8192 bits takes 6,400."""

_DER_SEQUENCE = b"\x30"
"""The first byte of a key in DER."""


@dataclass(frozen=True, slots=True)
class Wanted(Generic[_Key]):
    """What a format needs of a key. what: it, for messages. kinds: names of kinds, all of them of the class _Key."""

    what: str
    kinds: tuple[str, ...]

    @property
    def hint(self) -> str:
        """The command that makes a key of the first kind."""
        return f"openssl genpkey {_MAKES[self.kinds[0]]} -out KEY.pem makes one"


ID_BLOCK: Wanted[EllipticCurvePrivateKey] = Wanted("an ID block", (_P384,))
CORIM: Wanted[EllipticCurvePrivateKey | Ed25519PrivateKey] = Wanted("a signed CoRIM", (_P384, _ED25519))
DSSE: Wanted[EllipticCurvePrivateKey | Ed25519PrivateKey] = Wanted("a DSSE envelope", (_ED25519, _P256, _P384))
GCE: Wanted[RSAPrivateKey] = Wanted("a launch endorsement", (_RSA,))


def load_key(file: GivenFile, passphrase: bytes | None, wanted: Wanted[_Key]) -> _Key:
    """The private key of a file. passphrase: used if the key is encrypted.

    Raises UsageError if it is encrypted and there is no passphrase; MalformedInput for a file without exactly one
    private key in PEM, a key of another kind, and one that takes too much work to decrypt. No message has anything of
    the key or the passphrase.
    """
    block = _only_block(file, wanted)
    passphrase = passphrase if is_encrypted(block) else None
    private = read_pem(block, passphrase, file.name, hint="--passphrase-file FILE names the passphrase of this key")
    kind = _kind(private)
    if kind not in wanted.kinds:
        raise MalformedInput(f"{file.name}: the key is {kind}; {wanted.what} needs {_listed(wanted)}", wanted.hint)
    if kind == _RSA:  # not earlier: it takes long for a larger key
        private = read_pem(block, passphrase, file.name, check_rsa=True)
    return cast("_Key", private)


def _only_block(file: GivenFile, wanted: Wanted[_Key]) -> bytes:
    """The PEM block of a file that has a private key; `openssl ecparam -genkey` writes another one before it."""
    blocks = split_pem(file.data)
    found = [block for block in blocks if b"PRIVATE KEY-----" in block.partition(b"\n")[0]]
    if len(found) > 1:
        raise MalformedInput(
            f"{file.name} has {len(found)} private keys", f"{wanted.what} needs a key of its own: {wanted.hint}"
        )
    if not found and b"-----BEGIN PUBLIC KEY-----" in file.data:
        raise MalformedInput(
            f"{file.name} is a public key; {wanted.what} needs the private key",
            f"name the file that it was made from; {wanted.hint}",
        )
    if not found:
        is_der = file.data[:1] == _DER_SEQUENCE
        hint = "openssl pkey -inform DER -in KEY -out KEY.pem converts a key in DER" if is_der else wanted.hint
        raise MalformedInput(f"{file.name} has no private key in PEM", hint)
    (block,) = found
    if block.startswith(b"-----BEGIN OPENSSH "):
        raise MalformedInput(
            f"{file.name} has a private key of OpenSSH", f"{wanted.what} needs a key of its own: {wanted.hint}"
        )
    if len(block) > _MAX_BLOCK:
        raise MalformedInput(f"{file.name} has a private key of {len(block)} bytes", f"at most {_MAX_BLOCK} are read")
    return block


def _kind(private: PrivateKeyTypes) -> str:
    """What a key is, by the names of Wanted.kinds if it has one there."""
    if isinstance(private, EllipticCurvePrivateKey):
        return _CURVES.get(private.curve.name, f"on the curve {private.curve.name}")
    if isinstance(private, Ed25519PrivateKey):
        return _ED25519
    if isinstance(private, RSAPrivateKey):
        return _RSA if private.key_size in _RSA_BITS else f"RSA of {private.key_size} bits"
    return "of another kind"


def _listed(wanted: Wanted[_Key]) -> str:
    """The kinds of keys that are wanted, for a sentence."""
    *others, last = (_SIZED.get(kind, kind) for kind in wanted.kinds)
    return f"{', '.join(others)} or {last}" if others else last
