"""The signature of a launch endorsement: RSA-PSS by a key with a certificate, which a root has issued.

Source: google/gce-tcb-verifier, verify/verify.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from catalog.errors import MalformedInput, UsageError, VerificationFailed
from catalog.export.private_keys import GCE, load_key
from catalog.export.settings import GivenFile
from catalog.imports.certificate_files import load_certificates
from catalog.imports.chains import der, validity, verify_chain
from catalog.imports.dates import utc

SALT = 32
"""Bytes of the salt of RSA-PSS."""

_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs. certificate: of the key, in DER. root: the one that issued it, in PEM."""

    key: RSAPrivateKey
    certificate: bytes
    root: bytes

    @classmethod
    def of(cls, key: GivenFile, passphrase: bytes | None, cert: GivenFile, ca: GivenFile, time: int) -> Signer:
        """The signer with these files. time: of the signature, in seconds since 1970.

        Raises UsageError if they do not belong together; MalformedInput; VerificationFailed if one certificate did not
        sign the other; and as `load_key`.
        """
        private = load_key(key, passphrase, GCE)
        certificate, root = _certificates(private, cert, ca, time)
        return cls(private, der(certificate), root.public_bytes(Encoding.PEM))

    def sign(self, data: bytes) -> bytes:
        """A signature over data; it has a random salt."""
        return self.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), SALT), hashes.SHA256())


def _certificates(
    key: RSAPrivateKey, cert: GivenFile, ca: GivenFile, time: int
) -> tuple[x509.Certificate, x509.Certificate]:
    """The certificate of a key, and the one that issued it; raises as `Signer.of`."""
    signer, root = _only_certificate(cert, "--cert"), _only_certificate(ca, "--ca")
    if signer.public_key() != key.public_key():
        raise UsageError(f"{cert.name} is a certificate of another key", "give the certificate of the key of --key")
    for file, certificate in ((cert, signer), (ca, root)):
        start, end = validity(certificate)
        if not start <= time <= end:
            raise UsageError(
                f"{file.name} is not valid at {utc(time)}, the time of the endorsement",
                f"it is valid from {utc(start)} to {utc(end)}: --valid-from sets another time",
            )
        _check_usages(certificate, file.name)
    try:
        verify_chain([signer, root], time, cert.name)
    except VerificationFailed as error:
        hint = "--ca is the certificate that issued it, with basicConstraints CA:TRUE and keyUsage keyCertSign"
        raise VerificationFailed(str(error), hint) from error
    return signer, root


def _only_certificate(file: GivenFile, option: str) -> x509.Certificate:
    try:
        found = load_certificates(file.data)
    except MalformedInput as error:
        raise MalformedInput(f"{file.name}: {error}", f"{option} takes a certificate") from error
    if len(found) != 1:
        raise MalformedInput(
            f"{file.name} has {len(found)} certificates",
            "the root issues the signer's certificate itself: give one each with --cert and --ca",
        )
    return found[0]


def _check_usages(certificate: x509.Certificate, name: str) -> None:
    """Raises UsageError for extended key usages without serverAuth, which Go's x509.Verify wants by default."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if _USAGES.isdisjoint(usages):
        raise UsageError(
            f"{name} has extended key usages, and not serverAuth, which gce-tcb-verifier requires then",
            "make a certificate without extended key usages",
        )
