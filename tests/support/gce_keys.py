"""Keys and certificates of launch endorsements that are signed in tests."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from catalog.export.settings import GivenFile
from tests.support import published_documents as made
from tests.support.attestation_builder import ca_key
from tests.support.exports import TIME

FROM, UNTIL = TIME - made.days(30), TIME + made.days(30)


def certificate(name: str = "gce signer", **changes: Any) -> GivenFile:
    """A certificate that "gce root" issued, valid around TIME."""
    fields = {"ca": name == "gce root", "start": FROM, "end": UNTIL, **changes}
    return GivenFile(f"{name}.pem", made.pem(made.certificate(name, "gce root", **fields)))


def key(name: str = "gce signer") -> GivenFile:
    """The private key of that name, in PEM."""
    form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    return GivenFile("key.pem", ca_key(name).private_bytes(*form))
