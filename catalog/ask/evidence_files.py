"""Files of a guest owner: evidence, and the TIK, which is never shown."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import BinaryIO

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import TIK_SIZE
from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.evidence.codings import hex_digits
from catalog.evidence.digest_line import digest_of_line
from catalog.evidence.evidence import Evidence
from catalog.evidence.forms.prose import A_TEXT
from catalog.evidence.several_digests import BatchLine, read_batch
from catalog.evidence.sniff import ARGUMENT, MAX_EVIDENCE, sniff
from catalog.files import inputs

_MAX_KEY = 16 << 10
"""Bytes: limit for a file with a public key."""

_DIGEST_IN_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{96}")
_BEGINS_AS_PATH = re.compile(r"~|\.{0,2}/|[A-Za-z][A-Za-z0-9+.-]*://")
_TK_SIZE = 2 * TIK_SIZE
_KEY = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})|[A-Za-z0-9+/_-]{22}==|[A-Za-z0-9+/_-]{43}=")
"""Text that is a TIK, or TEK and TIK, in hex or base64."""


def read_evidence(given: str, stdin: BinaryIO, *, with_tik: bool = False, called: str = ARGUMENT) -> Evidence:
    """Evidence from stdin if `given` is "-", else from the text itself, else from the file of that name.

    with_tik: as for `sniff`. called: what errors call the text. Raises MalformedInput, Unreadable.
    """
    if given == "-":
        return sniff(_bounded(stdin.read(MAX_EVIDENCE + 1), "stdin"), name="stdin", with_tik=with_tik)
    path = Path(given)
    if not digest_of_line(given) and given.strip() and inputs.exists(path):
        data = _bounded(inputs.read_start(path, MAX_EVIDENCE + 1, regular=True), given)
        return sniff(data, name=given, with_tik=with_tik)
    try:
        found = sniff(given.encode("utf-8", "surrogateescape"), name=called, with_tik=with_tik)
    except MalformedInput as error:
        if ("/" in given or "." in given) and not given.lstrip().startswith("{"):
            raise Unreadable(f"{given}: no such file", error.hint) from error
        raise
    if found.claimed_by == A_TEXT and _is_path(given):
        raise Unreadable(f"{given}: no such file", "a launch digest in the name of a file says nothing")
    return found


def _is_path(given: str) -> bool:
    """Whether a text in which a digest was found is the name of a file, or a URL, and no sentence."""
    return _BEGINS_AS_PATH.match(given) is not None or (not re.search(r"\s", given) and bool(re.search("[/.]", given)))


def read_several(given: str, stdin: BinaryIO) -> tuple[list[BatchLine], BinaryIO]:
    """The lines of a batch on stdin if `given` is "-", or in the file of that name; no lines if it is none.

    Also returns a stream with what was read from stdin. Raises Unreadable.
    """
    if given == "-":
        data = _bounded(stdin.read(MAX_EVIDENCE + 1), "stdin")
        return read_batch(data), io.BytesIO(data)
    if digest_of_line(given) or not given.strip() or not inputs.exists(Path(given)):
        return [], stdin
    return read_batch(_bounded(inputs.read_start(Path(given), MAX_EVIDENCE + 1, regular=True), given)), stdin


def read_bounded(name: str, stdin: BinaryIO, at_most: int) -> bytes:
    """The contents of a file, or of stdin for "-"; raises Unreadable, also for more than `at_most` bytes."""
    data = stdin.read(at_most + 1) if name == "-" else inputs.read_start(Path(name), at_most + 1, regular=True)
    if len(data) > at_most:
        raise Unreadable(f"{name} is larger than {at_most} bytes")
    return data


def read_digests(given: str, stdin: BinaryIO, called: str = ARGUMENT) -> list[LaunchDigest]:
    """Launch digests from stdin if `given` is "-", else from the text itself, else from the file of that name.

    called: what errors call the text.

    Stdin and a file hold digests, one a line, or a report; blank lines are left out. Raises MalformedInput, which names
    the line, Unreadable, and UsageError for a launch measurement, and for what a TD shows.
    """
    if given != "-" and (digest_of_line(given) or not given.strip() or not inputs.exists(Path(given))):
        return [_digest_of(read_evidence(given, stdin, called=called))]
    data = read_bounded(given, stdin, MAX_EVIDENCE)
    name = "stdin" if given == "-" else given
    found = []
    for line in read_batch(data):
        if line.evidence is None:
            raise MalformedInput(f"{name}, line {line.number}, is not a launch digest", "write one digest a line")
        found.append(line.evidence.digest)
    return found or [_digest_of(sniff(data, name=name))]


def _digest_of(evidence: Evidence) -> LaunchDigest:
    """The digest of SEV that evidence states."""
    if evidence.td:
        raise UsageError("the launch digest of a TD does not depend on its vCPUs, so none is related to it by them")
    return evidence.digest


def read_expectation(given: str, stdin: BinaryIO) -> bytes:
    """JSON from stdin if `given` is "-", else the text itself if it is an object, else a file; raises Unreadable."""
    if given == "-":
        return _bounded(stdin.read(MAX_EVIDENCE + 1), "stdin")
    if given.lstrip().startswith("{"):
        return given.encode("utf-8", "surrogateescape")
    return _bounded(inputs.read_start(Path(given), MAX_EVIDENCE + 1, regular=True), given)


def read_id_key(given: str, stdin: BinaryIO) -> bytes:
    """The digest of an ID key: 48 bytes in hex, or of the public key in a file, or on stdin for "-".

    Raises Unreadable, MalformedInput for another key, UsageError for hex of another length.
    """
    from catalog.endorse.report_checks import KEY_DIGEST_SIZE, id_key_digest

    if _DIGEST_IN_HEX.fullmatch(given):
        return bytes.fromhex(given[-2 * KEY_DIGEST_SIZE :])
    if (digits := hex_digits(given)) and given != "-" and not inputs.exists(Path(given)):
        raise UsageError(
            f"--id-key is no file, and has {digits} hex digits, not 96",
            "give SHA-384 of the ID key, or a file with the public key",
        )
    try:
        return id_key_digest(read_bounded(given, stdin, _MAX_KEY))
    except MalformedInput as error:
        raise MalformedInput(f"{given}: {error}", error.hint) from error


def read_tik(path: Path) -> bytes:
    """The TIK in a file: 16 bytes, or the second half of 32, which are TEK and TIK as sevctl session writes them.

    Raises UsageError for a key instead of a file, Unreadable, MalformedInput for another length. No error has anything
    of the contents.
    """
    if not inputs.exists(path) and _KEY.fullmatch(path.name):
        raise UsageError(
            "--tik takes a file: never give a key as an argument", "other users of the machine can see arguments"
        )
    data = inputs.read_start(path, _TK_SIZE + 1, regular=True)
    if len(data) not in (TIK_SIZE, _TK_SIZE):
        raise MalformedInput(
            f"{path} is not a TIK: a TIK has {TIK_SIZE} bytes, or {_TK_SIZE} with the TEK before it",
            "sevctl session writes both as NAME_tk.bin",
        )
    return data[-TIK_SIZE:]


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_EVIDENCE:
        raise Unreadable(f"{name} is larger than {MAX_EVIDENCE} bytes")
    return data
