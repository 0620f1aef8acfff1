"""The manifest of a catalog, read line by line: as `ldcat build` formats it, without a parser of JSON.

Strings in JSON hold no raw newline, so a line cannot be part of a string. A manifest that is formatted differently
takes the full path.
"""

from __future__ import annotations

import os

from catalog.fast.verity import DamagedBlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from catalog.fast.beneath import Files

MANIFEST = "manifest.json"
MANIFEST_LIMIT = 64 << 20
"""Bytes: most of a manifest."""

_FORMAT = b'\n  "format": "ldcat-catalog/2",\n'


def read_manifest(files: Files) -> bytes:
    """The text of a manifest. It has to be formatted as `ldcat build` writes it, to be read line by line."""
    path = f"{files.path}/{MANIFEST}"
    try:
        file = files.open(MANIFEST)
        try:
            size = os.fstat(file).st_size
            text = os.read(file, size) if size <= MANIFEST_LIMIT else b""
        finally:
            os.close(file)
    except OSError as error:
        raise DamagedBlock(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from error
    if _FORMAT not in text:
        raise DamagedBlock(f"{path} is not a manifest of this format")
    return text


def listed_technologies(manifest: bytes) -> dict[str, tuple[int, int]]:
    """Digest size and number of parts by technology."""
    start = manifest.find(b'\n  "technologies": {\n')
    end = manifest.find(b"\n  }\n}\n", start)
    if not manifest.startswith(b'{\n  "files": {\n') or start < 0 or end != len(manifest) - 7:
        raise DamagedBlock("the manifest is not formatted as ldcat formats it")
    lines = manifest[start + 1 : end].decode("utf-8", "replace").splitlines()[1:]
    found = {}
    for at in range(0, len(lines), 5):
        try:
            name, size, parts, _, _ = (line.strip().rstrip(",") for line in lines[at : at + 5])
            found[name[1:-4]] = (int(size.removeprefix('"digest_size": ')), int(parts.removeprefix('"parts": ')))
        except ValueError as error:
            raise DamagedBlock("the manifest is not formatted as ldcat formats it") from error
    return found


def listed_file(manifest: bytes, name: str, by: str = "fsverity") -> tuple[bytes, int]:
    """A digest and the size of a file, from its lines in the manifest. by: fsverity, or sha256."""
    start = manifest.find(_first_line(name))
    lines = manifest[start + 1 : manifest.find(b"}", start)].decode("utf-8", "replace").splitlines()[1:]
    try:
        fields = dict(line.strip().rstrip(",").split(": ", 1) for line in lines if ": " in line)
        return bytes.fromhex(fields[f'"{by}"'].strip('"')), int(fields['"size"'])
    except (KeyError, ValueError) as error:
        raise DamagedBlock(f"the manifest does not say how {name} is verified") from error


_OF_NAMES = (b"\\/", *(b"\\u00%d" % row for row in range(2, 8)))
"""How escapes of JSON begin that stand for a character of a file name."""


def lists_file(manifest: bytes, name: str) -> bool:
    """Whether a manifest lists a file; raises DamagedBlock if it may do so otherwise than in one line of its own.

    A parser of JSON would find the name in any form: indented otherwise, with escapes, or twice.
    """
    named = manifest.count(f'"{name}"'.encode())
    has_escapes = any(escape in manifest for escape in _OF_NAMES)
    if named > 1 or has_escapes or named != manifest.count(_first_line(name)):
        raise DamagedBlock("the manifest is not formatted as ldcat formats it")
    return named == 1


def _first_line(name: str) -> bytes:
    """The line that begins the entry of a file."""
    return f'\n    "{name}": {{\n'.encode()


def read_listed(files: Files, manifest: bytes, name: str, sha256: Callable[[bytes], Any], *, most: int) -> bytes:
    """A file whole, verified by its SHA-256. Raises DamagedBlock, also if it is larger than `most` bytes."""
    listed, size = listed_file(manifest, name, "sha256")
    try:
        with os.fdopen(files.open(name), "rb") as file:
            data = file.read(size + 1) if size <= most else b""
    except OSError as error:
        raise DamagedBlock(f"{error.filename or name}: {(error.strerror or str(error)).lower()}") from error
    if sha256(data).digest() != listed:
        raise DamagedBlock(f"{name} is not the file its manifest names")
    return data
