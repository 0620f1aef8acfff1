"""A launch digest as people write it on a line: quoted, with its algorithm, followed by a comma or a file name."""

from __future__ import annotations

from catalog.abi.digest import SEV_DIGEST_SIZE, SNP_DIGEST_SIZE, LaunchDigest
from catalog.evidence.codings import BASE64, BASE64URL, HEX, from_base64, from_hex

SIZES = (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)

_ALGORITHMS = {"sha256": SEV_DIGEST_SIZE, "sha384": SNP_DIGEST_SIZE}
_DIGITS = tuple(2 * size for size in SIZES)
_QUOTES = "\"'`"
_SHORTEST, _LONGEST = 43, 4096
"""Characters of a line with a digest: 32 bytes in base64 without padding, and more than the longest path has."""


def digest_of_line(line: str) -> tuple[str, LaunchDigest] | None:
    """The form and the launch digest of one line; None for another line.

    Known are hex, 0x-hex, base64 and base64url; quotes around it; `sha256:` or `sha384:` before it; commas and
    semicolons behind it; a file name behind blanks, as sha384sum prints it.
    """
    if not _SHORTEST <= len(line) <= _LONGEST:  # most lines of what is no batch
        return None
    text = line.strip().rstrip(",;").rstrip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]:
        text = text[1:-1].strip()
    digits, *name = text.split(maxsplit=1) or [""]
    if name and len(digits) in _DIGITS and len(value := from_hex(digits) or b"") in SIZES:
        is_digest = len(name[0]) in _DIGITS and from_hex(name[0]) is not None
        return None if is_digest else ("launch digest in a list of checksums", LaunchDigest(value))
    algorithm, mark, rest = text.partition(":")
    if mark and (size := _ALGORITHMS.get(algorithm.lower())):
        found = _bare_digest(rest.strip())
        return ("launch digest", found[1]) if found and len(found[1].value) == size else None
    return _bare_digest(text)


def _bare_digest(text: str) -> tuple[str, LaunchDigest] | None:
    if (value := from_hex(text)) is not None:
        coding = HEX
    elif found := from_base64(text):
        coding, value = found
    else:
        return None
    if len(value) not in SIZES:
        return None
    form = {HEX: "launch digest", BASE64: "launch digest in base64", BASE64URL: "launch digest in base64url"}[coding]
    return form, LaunchDigest(value)
