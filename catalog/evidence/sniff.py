"""Evidence of a guest owner, recognised by its form: a digest, a report, a launch measurement, or what carries one.

The forms are tried in a fixed order (docs/evidence.md). Nothing is guessed: input that has one of the forms is parsed,
and an error lists the accepted forms.
"""

from __future__ import annotations

from catalog.abi.digest import LaunchDigest
from catalog.errors import MalformedInput
from catalog.evidence.carried import of_bytes, of_json, of_token
from catalog.evidence.codings import HEX, NUMBERS, decoded, hex_digits
from catalog.evidence.digest_line import SIZES, digest_of_line
from catalog.evidence.evidence import Evidence

MAX_EVIDENCE = 1 << 20
"""Bytes: limit for evidence."""

ARGUMENT = "the argument"
"""What errors call an argument that is not the name of a file."""

_FEWEST_DIGITS = 8
"""Hex digits of what may be meant as a digest: fewer may be a word."""

KNOWN = (
    "give a launch digest, an attestation report (alone, dumped, or in the evidence of usual tools), an ID block, or "
    "LAUNCH_MEASURE data: docs/evidence.md"
)


def sniff(data: bytes, *, name: str = "this", with_tik: bool = False) -> Evidence:
    """Recognise and parse evidence, raw or as text.

    name: what errors call the input.
    with_tik: 32 or 48 bytes are a launch measurement, not a digest.

    Raises MalformedInput for input that has none of the forms, or is invalid. The error has nothing of the input: that
    may be a key, given by mistake.
    """
    if len(data) > MAX_EVIDENCE:
        raise MalformedInput(f"{name} is larger than {MAX_EVIDENCE} bytes")
    if not data.startswith(b"{") and (found := of_bytes(data)):
        return found
    try:
        text = data.decode("utf-8-sig").strip()
    except ValueError:
        raise _unknown(name) from None
    if found := _marked(text):
        return found
    if "\n" in text:
        from catalog.evidence.several_digests import read_batch

        if lines := read_batch(data):
            raise MalformedInput(f"{name} has {len(lines):,} lines of launch digests", "ldcat lookup answers each line")
    return _encoded(text, with_tik=with_tik) or _written(text, name)


def _marked(text: str) -> Evidence | None:
    """JSON, the lines of virsh, or a token: texts that begin as only they do."""
    if text.startswith("{") and not text[1:].lstrip().startswith("0x"):  # a C array
        return of_json(text)
    if text.startswith("eyJ") and text.count(".") == 2:
        from catalog.evidence.forms.token import payload_of_token

        payload = payload_of_token(text)
        return None if payload is None else of_token(payload)
    if "sev-measurement" in text:
        from catalog.evidence.forms.launch_measure_text import read_libvirt

        return read_libvirt(text)
    return None


def _encoded(text: str, *, with_tik: bool) -> Evidence | None:
    """A digest or a launch measurement, or other evidence in hex, base64 or a list of numbers."""
    found = decoded(text)
    if found and with_tik and len(found[1]) in (32, 48):
        from catalog.evidence.forms.launch_measure_text import measure_data

        return Evidence("launch measurement", measure_data(found[1]))
    if "\n" not in text and (digest := digest_of_line(text)):
        return Evidence(*digest)
    if found is None:
        return None
    coding, value = found
    if len(value) in SIZES and coding in (HEX, NUMBERS):  # base64 with blanks may be words
        return Evidence("launch digest" if coding == HEX else f"launch digest in {coding}", LaunchDigest(value))
    if evidence := of_bytes(value):
        return evidence.read_from(coding)
    return None


def _written(text: str, name: str) -> Evidence:
    """Evidence in a dump, or a digest in a text."""
    from catalog.evidence.forms.dump import dumped
    from catalog.evidence.forms.prose import digest_in_text

    if dump := dumped(text):
        kind, data = dump
        found = Evidence("launch digest", LaunchDigest(data)) if len(data) in SIZES else of_bytes(data)
        if found:
            return found.read_from(kind)
        raise MalformedInput(f"the {len(data):,} bytes in {kind} are not evidence of a known form", KNOWN)
    if text[:7].lower() in ("sha256:", "sha384:"):
        raise MalformedInput(
            f"{name} does not have the length of a digest of the algorithm that it names",
            "sha384 has 96 hex digits, sha256 has 64",
        )
    if found := digest_in_text(text):
        return found
    if (digits := hex_digits(text)) >= _FEWEST_DIGITS:
        raise MalformedInput(
            f"{name} has {digits:,} hex digits; a launch digest has 64 (SEV or SEV-ES) or 96 (SEV-SNP or TDX)",
            "give the whole digest, or its first 16 hex digits or more with ldcat lookup --prefix",
        )
    raise _unknown(name)


def _unknown(name: str) -> MalformedInput:
    what = "is neither a file nor" if name == ARGUMENT else "is not"
    return MalformedInput(f"{name} {what} a launch digest, an attestation report or LAUNCH_MEASURE data", KNOWN)
