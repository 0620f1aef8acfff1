"""Encrypted private keys whose passphrase is costly to check; what they hold is empty."""

from __future__ import annotations

import base64

_PBES2, _AES = "06092a864886f70d01050d", "301d060960864801650304012a0410" + "00" * 16
_SALT = "0408" + "00" * 8

PBKDF2 = f"302506092a864886f70d01050c3018{_SALT}02047fffffff300a06082a864886f70d0209"
"""2**31 - 1 iterations."""
PBKDF2_LONG = f"302a06092a864886f70d01050c301d{_SALT}0208{'7f' * 8}020120300a06082a864886f70d0209"
SCRYPT = f"302406092b06010401da47040b3017{_SALT}020402000000020108020101"
"""N = 2**25."""


def costly_pem(derived: str) -> bytes:
    """An encrypted key in PKCS#8. derived: the AlgorithmIdentifier of its key derivation, in hex."""
    inner = f"{derived}{_AES}"
    algorithm = f"{_PBES2}30{len(inner) // 2:02x}{inner}"
    der = bytes.fromhex(f"30{len(algorithm) // 2:02x}{algorithm}0400")
    return (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.encodebytes(b"\x30\x82" + len(der).to_bytes(2, "big") + der)
        + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
