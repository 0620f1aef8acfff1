"""The quick way in: a plain `ldcat lookup DIGEST` is answered before anything but Python itself is loaded.

A guest owner asks for one digest, and a key broker for one a boot: an answer from the packed index takes less than
loading typer, pyarrow or duckdb. Whatever is not plain, or not as it should be, goes the whole way of cli.py.
"""

from __future__ import annotations

import os
import sys

from catalog.faces.matches import match_lines, not_found
from catalog.query.packed import PackedCatalog, light_sha256
from catalog.release.verity import DamagedBlock

_OTHERWISE = ("LDCAT_FORMAT", "LDCAT_QUIET")
"""Environment variables that make a lookup other than plain."""


def main() -> None:
    """The command `ldcat`."""
    try:
        if sys.argv[1:2] == ["lookup"]:
            answer = plain_lookup(sys.argv[2:])
            if answer is not None:
                _end(*answer)
        from catalog.faces.cli import main as whole
    except KeyboardInterrupt:  # before there is anyone to tell it
        os.write(2, b"ldcat: error: interrupted\n")
        os._exit(130)
    whole()


def plain_lookup(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and on stderr, and the exit code; None where the whole way has to be gone."""
    asked = _plain(arguments)
    if asked is None or any(os.environ.get(name) for name in _OTHERWISE):
        return None
    digest, folder, quiet = asked
    try:
        packed = PackedCatalog(folder, light_sha256())
        try:
            if packed.distinguished(digest):
                return None
            matches = packed.lookup(digest)
        finally:
            packed.close()
    except DamagedBlock:
        return None
    out = "".join(f"{line}\n" for line in match_lines(matches))
    note = "" if matches or quiet else f"ldcat: note: {not_found(digest)}\n"
    return out, note, 0 if matches else 1


def _plain(arguments: list[str]) -> tuple[bytes, str, bool] | None:
    """Digest, folder of the catalog, and whether to be quiet, where nothing else is asked for."""
    folder = os.environ.get("LDCAT_CATALOG") or _default_catalog()
    digests, quiet = [], False
    rest = iter(arguments)
    for argument in rest:
        if argument == "--catalog":
            folder = next(rest, "")
        elif argument in ("--quiet", "-q"):
            quiet = True
        elif argument.startswith("-"):
            return None
        else:
            digests.append(argument)
    if len(digests) != 1 or len(digests[0]) not in (64, 96) or not folder or folder.startswith("-"):
        return None
    try:
        digest = bytes.fromhex(digests[0])
    except ValueError:
        return None
    return (digest, folder, quiet) if 2 * len(digest) == len(digests[0]) else None  # fromhex skips blanks


def _default_catalog() -> str:
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return os.path.join(os.path.expanduser(data_home), "ldcat", "catalog")  # noqa: PTH111, PTH118 - pathlib takes 8 ms


def _end(out: str, note: str, code: int) -> None:
    """Print, and end without taking Python apart; what cannot be written is dealt with as everywhere."""
    if sys.stdout is None or sys.stderr is None:
        return
    try:
        sys.stdout.buffer.write(out.encode(sys.stdout.encoding, "backslashreplace"))
        sys.stdout.flush()
    except OSError as failure:
        from catalog.faces.cli import cannot_write

        code = cannot_write(failure)
    try:
        sys.stderr.write(note)
        sys.stderr.flush()
    except OSError:  # nobody can be told, and the exit code still counts
        pass
    os._exit(code)
