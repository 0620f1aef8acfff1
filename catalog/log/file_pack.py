"""A pack: several files of a log in one, so that a client needs one request for them. docs/ranges.md has the format.

A pack is untrusted, as every file in it is when it is read by itself: the same hashes and proofs verify both.
"""

from __future__ import annotations

from collections.abc import Iterable

from catalog.errors import MalformedInput

PACKS = "pack"
"""Folder of the packs of a log, each named by the number of leaves of the checkpoint that it is for."""

MAX_PACK = 8 << 20
"""Bytes: the largest pack that is read."""

MAX_FILES = 1 << 15
"""The most files and leaves of a pack that is read: each one takes time, whatever its size."""

_FORMAT = b"ldcat-pack/1\n"

_LEAF = "leaf/"
"""A leaf of the log by itself is in a pack under this name and its index, without a file of its own elsewhere."""


def pack_path(size: int) -> str:
    """Path of the pack for a checkpoint of that many leaves."""
    return f"{PACKS}/{size}"


def pack_size(path: str) -> int | None:
    """The number of leaves that a path of `pack_path` is for; None for any other path."""
    folder, _, size = path.rpartition("/")
    return int(size) if folder == PACKS and _is_number(size, 19) and size != "0" else None


def leaf_name(index: int) -> str:
    """The name of a leaf in a pack."""
    return f"{_LEAF}{index}"


def format_pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A pack: its format, a line with size in bytes and path for each file, an empty line, and the files."""
    every = list(files)
    lines = (b"%d %s\n" % (len(data), path.encode("ascii")) for path, data in every)
    return b"".join((_FORMAT, *lines, b"\n", *(data for _, data in every)))


def parse_pack(data: bytes) -> tuple[dict[str, bytes], dict[int, bytes]]:
    """The files of a pack by their path, and the leaves by their index. Raises MalformedInput."""
    head, ended, _ = data.partition(b"\n\n")
    if not ended or not data.startswith(_FORMAT):
        raise MalformedInput("a pack of files is of another format")
    if head.count(b"\n") > MAX_FILES:
        raise MalformedInput(f"a pack has more than {MAX_FILES:,} files")
    files: dict[str, bytes] = {}
    leaves: dict[int, bytes] = {}
    at = len(head) + 2
    for line in head.decode("latin-1").split("\n")[1:]:
        size, _, path = line.partition(" ")
        if not (_is_number(size, 9) and path and path.isascii()) or path in files:
            raise MalformedInput("a pack of files has an invalid line")
        files[path] = data[at : at + int(size)]
        at += int(size)
    if at != len(data):
        raise MalformedInput("a pack of files has another size than its files together")
    for path in [path for path in files if path.startswith(_LEAF)]:
        index = path.removeprefix(_LEAF)
        if not _is_number(index, 20):
            raise MalformedInput("a pack of files has an invalid line")
        leaves[int(index)] = files.pop(path)
    return files, leaves


def _is_number(text: str, below: int) -> bool:
    """Whether a text is a decimal number without leading zeros, with less than `below` digits."""
    return text.isascii() and text.isdecimal() and len(text) < below and str(int(text)) == text
