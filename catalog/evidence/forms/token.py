"""A JSON Web Token: its payload has the claims of Azure Attestation (MAA) or of an EAR; its signature is not verified.

Source: RFC 7519; RFC 7515, 3.1 (compact serialisation).
"""

from __future__ import annotations

from catalog.evidence.codings import from_base64
from catalog.evidence.evidence import Evidence
from catalog.notes import Note
from catalog.values import replace

NOT_VERIFIED = Note("token-not-verified", "the signature of this token is not verified: anyone can write such a token")


def payload_of_token(text: str) -> str | None:
    """The payload of a token, which is JSON; None for another text."""
    parts = text.split(".")
    if len(parts) != 3 or not text.startswith("eyJ"):  # {" in base64url
        return None
    header, payload = from_base64(parts[0]), from_base64(parts[1])
    if not header or not payload or not payload[1].startswith(b"{"):
        return None
    try:
        return payload[1].decode("utf-8")
    except ValueError:
        return None


def from_token(evidence: Evidence) -> Evidence:
    """Evidence of a payload, with a note that nothing verified the token."""
    return replace(evidence.read_from("a JSON Web Token"), notes=(*evidence.notes, NOT_VERIFIED))
