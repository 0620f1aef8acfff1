"""Files a guest owner has: evidence, certificates, and the TIK, which nothing here ever shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from catalog.abi.launch_measure import TIK_SIZE
from catalog.ask.evidence import MAX_EVIDENCE, Evidence, sniff
from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.files import inputs

if TYPE_CHECKING:  # cryptography takes long to load
    from cryptography import x509

MAX_CERTIFICATES = 256 << 10
"""Bytes of a file of certificates."""

MAX_CERTIFICATE_FILES = 100

_TK_SIZE = 2 * TIK_SIZE
_KEY = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})|[A-Za-z0-9+/_-]{22}==|[A-Za-z0-9+/_-]{43}=")
"""A key, or TEK and TIK, in hex or base64."""


def read_evidence(asked: str, stdin: BinaryIO, *, with_tik: bool = False) -> Evidence:
    """Evidence that stands in the text itself, in the file of that name, or for - on stdin, in this order.

    Raises what `sniff` raises, and Unreadable.
    """
    if asked == "-":
        return sniff(_bounded(stdin.read(MAX_EVIDENCE + 1), "stdin"), name="what is on stdin", with_tik=with_tik)
    path = Path(asked)
    try:
        shown = repr(asked[:24] + ("..." if len(asked) > 24 else ""))
        return sniff(asked.encode("utf-8", "surrogateescape"), name=shown, with_tik=with_tik)
    except MalformedInput as error:
        if not asked.strip() or not inputs.exists(path):
            looks_like_path = "/" in asked or "." in asked
            if looks_like_path and not asked.lstrip().startswith("{"):
                raise Unreadable(f"{asked}: no such file", error.hint) from error
            raise
    data = _bounded(inputs.read_start(path, MAX_EVIDENCE + 1, regular=True), asked)
    return sniff(data, name=f"what {asked} holds", with_tik=with_tik)


def read_bounded(name: str, stdin: BinaryIO, at_most: int) -> bytes:
    """A file, or for - stdin; raises Unreadable, too, for more than so many bytes."""
    data = stdin.read(at_most + 1) if name == "-" else inputs.read_start(Path(name), at_most + 1, regular=True)
    if len(data) > at_most:
        raise Unreadable(f"{name} is larger than {at_most} bytes")
    return data


def read_asked_digest(asked: str, stdin: BinaryIO) -> str:
    """The launch digest of a report, or one that is said, in hex; raises as `read_evidence`, and UsageError."""
    return read_evidence(asked, stdin).digest.hex()


def read_expectation(said: str, stdin: BinaryIO) -> bytes:
    """JSON that stands in the text itself, in the file of that name, or for - on stdin; raises Unreadable."""
    if said == "-":
        return _bounded(stdin.read(MAX_EVIDENCE + 1), "stdin")
    if said.lstrip().startswith("{"):
        return said.encode("utf-8", "surrogateescape")
    return _bounded(inputs.read_start(Path(said), MAX_EVIDENCE + 1, regular=True), said)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Every certificate of a file, or of the files of a folder; raises Unreadable, MalformedInput, UsageError."""
    from catalog.abi.certificates import parse_certificates

    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    except OSError as error:
        raise inputs.unreadable(path, error) from error
    if len(files) > MAX_CERTIFICATE_FILES:
        raise UsageError(f"{path} has more than {MAX_CERTIFICATE_FILES} files", "give a folder of certificates alone")
    found: list[x509.Certificate] = []
    for file in files:
        try:
            found += parse_certificates(inputs.read_file(file, limit=MAX_CERTIFICATES, regular=True))
        except MalformedInput as error:
            raise MalformedInput(f"{file}: {error}") from error
    if not found:
        raise UsageError(f"{path} has no certificates", "it takes the VCEK or VLEK, the ASK or ASVK, and the ARK")
    return found


def read_roots(path: Path) -> list[x509.Certificate]:
    """Every certificate of a file, all of which can be roots; raises as `read_certificates`, UsageError for others."""
    from catalog.abi.endorsement import check_root

    found = read_certificates(path)
    for certificate in found:
        check_root(certificate)
    return found


def read_tik(path: Path) -> bytes:
    """The TIK of a file: its 16 bytes, or the last half of 32, TEK and TIK as sevctl session writes them.

    Raises Unreadable, or MalformedInput for another length; never says what is in the file.
    """
    if not inputs.exists(path) and _KEY.fullmatch(path.name):
        raise UsageError("--tik names a file: a key has no place in an argument", "other users of the machine see it")
    data = inputs.read_start(path, _TK_SIZE + 1, regular=True)
    if len(data) not in (TIK_SIZE, _TK_SIZE):
        raise MalformedInput(
            f"{path} is no TIK: it has not {TIK_SIZE} bytes, nor {_TK_SIZE} with the TEK before it",
            "sevctl session writes both as NAME_tk.bin",
        )
    return data[-TIK_SIZE:]


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_EVIDENCE:
        raise Unreadable(f"{name} is larger than {MAX_EVIDENCE} bytes")
    return data
